/*
 * contribution.c
 *	  Handoffs as bytes: what they contribute to the rollups.
 *
 * Of each handoff the number of its group (followed by the group where the
 * number is new), the hours since the one before, and the latency.  A group is
 * its basis, whether the patient is a test patient, and five texts.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "detect/contribution.h"
#include "detect/varint.h"

static const char *const basis_names[] = {"explicit", "thread", "implied"};

/* Groups met so far, each with its number. */
typedef struct Groups
{
	int			n;
	int			size;
	Str		   *groups;
} Groups;

/* Kept bytes that cannot be read. */
static void
damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a kept contribution of handoffs is damaged"),
			 errhint("CALL workflow_track.rebuild() makes it anew.")));
}

/* --- texts and groups ------------------------------------------------------ */

/* Appends a text that may be null. */
static void
put_str(StringInfo buf, Str s)
{
	put_varint(buf, s.data == NULL ? 0 : (uint64) s.len + 1);
	if (s.data != NULL)
		appendBinaryStringInfo(buf, s.data, s.len);
}

/* Takes a text off; it stays where it is. */
static Str
take_str(const char **at, const char *end)
{
	uint64		length = take_varint(at, end);
	Str			s = {NULL, 0};

	if (length == 0)
		return s;
	if (length - 1 > (uint64) (end - *at))
		damaged();
	s.data = *at;
	s.len = (int) (length - 1);
	*at += s.len;
	return s;
}

/* The number of a group, by which it is known in the bytes; -1 if it is new. */
static int
group_number(const Groups *groups, Str group)
{
	for (int i = groups->n - 1; i >= 0; i--)
		if (groups->groups[i].data == group.data || str_equal(groups->groups[i], group))
			return i;
	return -1;
}

/* Gives a group the next number. */
static void
add_group(Groups *groups, Str group)
{
	if (groups->n == groups->size)
	{
		groups->size = Max(32, groups->size * 2);
		groups->groups = groups->groups == NULL ? palloc(sizeof(Str) * groups->size)
			: repalloc_huge(groups->groups, sizeof(Str) * groups->size);
	}
	groups->groups[groups->n++] = group;
}

/* What handoff_latency groups a handoff by, as bytes. */
static void
put_group(StringInfo buf, const Handoff *h, bool is_test)
{
	appendStringInfoCharMacro(buf, (char) h->basis);
	appendStringInfoCharMacro(buf, is_test ? 1 : 0);
	put_str(buf, h->to->facility);
	put_str(buf, actor_role(h->from));
	put_str(buf, actor_role(h->to));
	put_str(buf, h->from->system);
	put_str(buf, h->to->system);
}

/* A group taken apart; its texts stay where they are. */
SampleGroup
sample_group(Str group)
{
	const char *at = group.data;
	const char *end = at + group.len;
	SampleGroup parts;

	if (group.len < 2 || (unsigned char) *at >= lengthof(basis_names))
		damaged();
	parts.basis = basis_names[(unsigned char) *at++];
	parts.is_test = *at++ != 0;
	parts.facility = take_str(&at, end);
	parts.from_role = take_str(&at, end);
	parts.to_role = take_str(&at, end);
	parts.from_system = take_str(&at, end);
	parts.to_system = take_str(&at, end);
	return parts;
}

/* --- samples --------------------------------------------------------------- */

/* A new sample. */
static Sample *
add_sample(Samples *samples)
{
	if (samples->n == samples->size)
	{
		samples->size = Max(64, samples->size * 2);
		samples->items = samples->items == NULL ? palloc(sizeof(Sample) * samples->size)
			: repalloc_huge(samples->items, sizeof(Sample) * samples->size);
	}
	return &samples->items[samples->n++];
}

/* The hour that an instant lies in; hours before 2000 are negative. */
static int64
hour_of(TimestampTz at)
{
	int64		hour = at / USECS_PER_HOUR;

	return hour * USECS_PER_HOUR > at ? hour - 1 : hour;
}

/* The samples of the handoffs that were taken under one id. */
void
samples_of_handoffs(Samples *samples, const Handoff *handoffs, int n, Str id, bool is_test)
{
	Groups		groups = {0, 0, NULL};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
	{
		const Handoff *h = &handoffs[i];
		Sample	   *sample;
		Str			group;
		int			number;

		if (!str_equal(h->to->patient, id))
			continue;
		resetStringInfo(&buf);
		put_group(&buf, h, is_test);
		group.data = buf.data;
		group.len = buf.len;
		number = group_number(&groups, group);
		if (number < 0)
		{
			char	   *copy = palloc(buf.len);

			memcpy(copy, buf.data, buf.len);
			group.data = copy;
			number = groups.n;
			add_group(&groups, group);
		}
		sample = add_sample(samples);
		sample->group = groups.groups[number];
		sample->hour = hour_of(h->to->at);
		sample->latency = h->to->at - h->from->at;
	}
}

/* Appends some of the samples as bytes. */
void
samples_encode(StringInfo buf, const Samples *samples, int from, int until)
{
	Groups		groups = {0, 0, NULL};
	int64		hour = 0;

	for (int i = from; i < until; i++)
	{
		const Sample *sample = &samples->items[i];
		int			number = group_number(&groups, sample->group);

		put_varint(buf, number < 0 ? groups.n : number);
		if (number < 0)
		{
			put_str(buf, sample->group);
			add_group(&groups, sample->group);
		}
		put_signed_varint(buf, sample->hour - hour);
		put_signed_varint(buf, sample->latency);
		hour = sample->hour;
	}
}

/* Adds the samples that bytes hold; groups stay where they are. */
void
samples_decode(Samples *samples, const char *data, int length)
{
	const char *at = data;
	const char *end = data + length;
	Groups		groups = {0, 0, NULL};
	int64		hour = 0;

	while (at < end)
	{
		uint64		number = take_varint(&at, end);
		Sample	   *sample = add_sample(samples);

		if (number == (uint64) groups.n)
			add_group(&groups, take_str(&at, end));
		if (number >= (uint64) groups.n)
			damaged();
		hour += take_signed_varint(&at, end);
		sample->group = groups.groups[number];
		sample->hour = hour;
		sample->latency = take_signed_varint(&at, end);
	}
}

/* Do two samples count the same? */
bool
sample_equal(const Sample *a, const Sample *b)
{
	return a->hour == b->hour && a->latency == b->latency && str_equal(a->group, b->group);
}
