/*
 * variant.c
 *	  Variants: the distinct sequences of kinds that cases are.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "analyze/log.h"
#include "analyze/variant.h"
#include "types/latency_histogram.h"

PG_FUNCTION_INFO_V1(variant_counts);

struct Variants
{
	MemoryContext context;
	uint32		mask;
	int			n;
	int			size;
	int		   *slots;			/* number + 1 by hash */
	Variant    *variants;
};

/* Begins with none. */
Variants *
variants_begin(void)
{
	Variants   *list = palloc0(sizeof(Variants));

	list->context = CurrentMemoryContext;
	list->mask = 1023;
	list->slots = palloc0(sizeof(int) * (list->mask + 1));
	list->size = 512;
	list->variants = palloc(sizeof(Variant) * list->size);
	return list;
}

/* Where a sequence is, or would be. */
static uint32
variant_position(const Variants *list, const uint16 *kinds, int n, uint32 hash)
{
	uint32		at = hash & list->mask;

	for (; list->slots[at] != 0; at = (at + 1) & list->mask)
	{
		const Variant *v = &list->variants[list->slots[at] - 1];

		if (v->hash == hash && v->n == n && memcmp(v->kinds, kinds, sizeof(uint16) * n) == 0)
			break;
	}
	return at;
}

/* Doubles the room. */
static void
variants_grow(Variants *list)
{
	list->size *= 2;
	list->mask = list->mask * 2 + 1;
	list->variants = repalloc_huge(list->variants, sizeof(Variant) * list->size);
	pfree(list->slots);
	list->slots = MemoryContextAllocExtended(list->context, sizeof(int) * ((Size) list->mask + 1),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < list->n; i++)
		list->slots[variant_position(list, list->variants[i].kinds, list->variants[i].n, list->variants[i].hash)] = i + 1;
}

/* The variant that some kinds in order are. */
Variant *
variant_of(Variants *list, const uint16 *kinds, int n)
{
	uint32		hash = hash_bytes((const unsigned char *) kinds, sizeof(uint16) * n);
	uint32		at = variant_position(list, kinds, n, hash);
	Variant    *v;

	if (list->slots[at] != 0)
		return &list->variants[list->slots[at] - 1];
	if (list->n == list->size)
	{
		variants_grow(list);
		at = variant_position(list, kinds, n, hash);
	}
	v = &list->variants[list->n++];
	memset(v, 0, sizeof(Variant));
	v->hash = hash;
	v->n = n;
	v->kinds = MemoryContextAllocHuge(list->context, sizeof(uint16) * Max(n, 1));
	memcpy(v->kinds, kinds, sizeof(uint16) * n);
	list->slots[at] = list->n;
	return v;
}

/* The kinds of a case's events, in a list that grows. */
const uint16 *
kinds_of_case(KindList *list, const LogEvent *events, int n)
{
	if (n > list->size)
	{
		list->size = Max(64, n * 2);
		list->kinds = list->kinds == NULL ? palloc(sizeof(uint16) * list->size)
			: repalloc_huge(list->kinds, sizeof(uint16) * list->size);
	}
	for (int i = 0; i < n; i++)
		list->kinds[i] = events[i].kind;
	return list->kinds;
}

/* Names of kinds as a text[]. */
static Datum
trace_datum(const EventLog *log, const Variant *v)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(v->n, 1));

	for (int i = 0; i < v->n; i++)
	{
		Str			name = log_kind(log, v->kinds[i]);

		names[i] = PointerGetDatum(cstring_to_text_with_len(name.data, name.len));
	}
	return PointerGetDatum(construct_array(names, v->n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Puts a variant into the result. */
static void
put_variant(ReturnSetInfo *result, const EventLog *log, Str facility, const Variant *v)
{
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = PointerGetDatum(cstring_to_text_with_len(facility.data, facility.len));
	values[1] = trace_datum(log, v);
	values[2] = Int64GetDatum(v->cases);
	values[3] = TimestampTzGetDatum(v->first_seen);
	values[4] = TimestampTzGetDatum(v->last_seen);
	values[5] = PointerGetDatum(latency_sketch_to_histogram(v->durations));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* variant_counts(since, until, kinds): the variants of cases that began at facilities that the caller sees. */
Datum
variant_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LogFilter	filter = log_filter(fcinfo, 0, 1, 2);
	TimestampTz since = filter.since;
	TimestampTz until = filter.until;
	Visible    *visible;
	EventLog   *log;
	Variants  **by_facility;
	KindList	kinds = {0, NULL};

	InitMaterializedSRF(fcinfo, 0);
	visible = visible_to_user();
	/* a case that began in the time asked for is looked at as a whole */
	filter.since = DT_NOBEGIN;
	filter.until = DT_NOEND;
	log = log_read(&filter);
	since = Max(since, log_horizon(log));
	by_facility = palloc0(sizeof(Variants *) * Max(log_count_facilities(log), 1));
	for (int c = 0; c < log_count_cases(log); c++)
	{
		int			n;
		LogEvent   *events = log_case(log, c, &n);
		Variants  **variants = &by_facility[events[0].facility];
		Variant    *v;

		if (events[0].at < since || events[0].at >= until || !is_visible(visible, log_facility(log, events[0].facility)))
			continue;
		if (*variants == NULL)
			*variants = variants_begin();
		v = variant_of(*variants, kinds_of_case(&kinds, events, n), n);
		if (v->cases++ == 0)
		{
			v->first_seen = v->last_seen = events[0].at;
			v->durations = latency_sketch_create(CurrentMemoryContext);
		}
		v->first_seen = Min(v->first_seen, events[0].at);
		v->last_seen = Max(v->last_seen, events[0].at);
		latency_sketch_add(v->durations, events[n - 1].at - events[0].at, 1);
	}
	for (int f = 0; f < log_count_facilities(log); f++)
		for (int i = 0; by_facility[f] != NULL && i < by_facility[f]->n; i++)
			put_variant(result, log, log_facility(log, f), &by_facility[f]->variants[i]);
	log_done(log);
	return (Datum) 0;
}
