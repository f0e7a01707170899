/*
 * consistency.c
 *	  What the kept contributions to rollups hold, as rows that check_consistency()
 *	  compares with the definitions.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "detect/contribution.h"
#include "detect/varint.h"

PG_FUNCTION_INFO_V1(handoff_samples);
PG_FUNCTION_INFO_V1(follow_samples);

/* So many microseconds. */
static Datum
interval_of(int64 microseconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = microseconds;
	return IntervalPGetDatum(interval);
}

/* handoff_samples(contribution): the handoffs that a row of handoff_state holds. */
Datum
handoff_samples(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	Samples		samples = {0, 0, NULL};

	InitMaterializedSRF(fcinfo, 0);
	samples_decode(&samples, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	for (int i = 0; i < samples.n; i++)
	{
		const Sample *sample = &samples.items[i];
		SampleGroup group = sample_group(sample->group);
		const Str	texts[] = {group.facility, group.from_role, group.to_role, group.from_system, group.to_system};
		Datum		values[9];
		bool		nulls[9] = {0};

		values[0] = TimestampTzGetDatum(sample->hour * USECS_PER_HOUR);
		values[1] = BoolGetDatum(group.is_test);
		values[2] = CStringGetTextDatum(group.basis);
		for (int t = 0; t < lengthof(texts); t++)
		{
			nulls[3 + t] = texts[t].data == NULL;
			if (texts[t].data != NULL)
				values[3 + t] = PointerGetDatum(cstring_to_text_with_len(texts[t].data, texts[t].len));
		}
		values[8] = interval_of(sample->latency);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * follow_samples(contribution): what a row of follows_state holds: numbers of
 * edges of follows_total, whether a case comes to the edge for the first time,
 * and the time between the two events.
 */
Datum
follow_samples(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	const char *at = VARDATA_ANY(bytes);
	const char *end = at + VARSIZE_ANY_EXHDR(bytes);

	InitMaterializedSRF(fcinfo, 0);
	while (at < end)
	{
		uint64		which = take_varint(&at, end);
		Datum		values[3];
		bool		nulls[3] = {0};

		values[0] = Int64GetDatum((int64) (which >> 1) + 1);
		values[1] = BoolGetDatum((which & 1) != 0);
		values[2] = interval_of((int64) take_varint(&at, end));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
