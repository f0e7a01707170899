/*
 * contribution_fuzzer.c
 *	  Reads whatever came as what is kept of a patient's handoffs.
 */
#include "server.h"

#include "detect/contribution.h"

/* Not used: of what is read no handoff is made. */
Str
actor_role(Event *e)
{
	return (Str) {NULL, 0};
}

typedef struct Reading
{
	const char *data;
	int			len;
	Samples		samples;
	const char *basis;
} Reading;

static void
decode(void *arg)
{
	Reading    *reading = arg;

	samples_decode(&reading->samples, reading->data, reading->len);
}

/* Takes the groups of all samples apart. */
static void
take_groups(void *arg)
{
	Reading    *reading = arg;

	for (int i = 0; i < reading->samples.n; i++)
	{
		Str			bytes = reading->samples.items[i].group;
		SampleGroup group = sample_group(bytes);
		Str			parts[] = {group.facility, group.from_role, group.to_role, group.from_system, group.to_system};

		check_inside((Hl7Slice) {bytes.data, bytes.len}, reading->data, reading->len);
		CHECK(group.basis[0] != '\0');
		for (int j = 0; j < LENGTH(parts); j++)
			check_inside((Hl7Slice) {parts[j].data, parts[j].len}, bytes.data, bytes.len);
	}
}

/* Are samples the same when they are kept again? */
static void
check_samples(const Samples *samples)
{
	StringInfoData buf;
	Reading		again;

	initStringInfo(&buf);
	samples_encode(&buf, samples, 0, samples->n);
	memset(&again, 0, sizeof(again));
	again.data = buf.data;
	again.len = buf.len;
	CHECK(attempt(decode, &again) == 0);
	CHECK(again.samples.n == samples->n);
	for (int i = 0; i < samples->n; i++)
		CHECK(sample_equal(&samples->items[i], &again.samples.items[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Reading		reading;
	int			sqlstate;

	memset(&reading, 0, sizeof(reading));
	reading.data = (const char *) data;
	reading.len = (int) size;
	sqlstate = attempt(decode, &reading);
	CHECK(sqlstate == 0 || sqlstate == ERRCODE_DATA_CORRUPTED);
	if (sqlstate == 0)
	{
		check_samples(&reading.samples);
		sqlstate = attempt(take_groups, &reading);
		CHECK(sqlstate == 0 || sqlstate == ERRCODE_DATA_CORRUPTED);
	}
	server_reset();
	return 0;
}
