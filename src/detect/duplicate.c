/*
 * duplicate.c
 *	  Duplicate entries: the same entered again.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "detect/detect.h"

/* An event that a rule looks at, with a hash of its columns in `same`. */
typedef struct Entry
{
	uint32		hash;
	int			event;			/* its place in the patient's events */
} Entry;

/* Order by hash, then canonical, for qsort. */
static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->event == y->event ? 0 : x->event < y->event ? -1 : 1;
}

/* A hash of the texts among the columns in `same`. */
static uint32
hash_entry(const DuplicateRule *rule, const Event *e)
{
	uint32		hash = 0;

	for (int i = 0; i < rule->nsame; i++)
		hash = hash_combine(hash, str_hash(event_text(e, rule->same[i])));
	return hash;
}

/* Are two events the same entry? */
static bool
is_same_entry(const DuplicateRule *rule, const Event *a, const Event *b)
{
	for (int i = 0; i < rule->nsame; i++)
		if (!event_column_equal(a, b, rule->same[i]))
			return false;
	for (int i = 0; i < rule->ndifferent; i++)
		if (event_column_equal(a, b, rule->different[i]))
			return false;
	return true;
}

/* The entries of a rule by hash; those of one hash in canonical order. */
static Entry *
list_entries(Patient *p, const DuplicateRule *rule, int *n)
{
	int			first = p->kind_start[rule->kind];
	int			last = p->kind_start[rule->kind + 1];
	Entry	   *entries;

	*n = 0;
	if (last - first < 2)
		return NULL;
	entries = palloc_extended(sizeof(Entry) * (last - first), MCXT_ALLOC_HUGE);
	for (int i = first; i < last; i++)
	{
		Event	   *e = &p->events[p->by_kind[i]];

		if (!when_holds(&rule->when, e))
			continue;
		entries[*n].hash = hash_entry(rule, e);
		entries[(*n)++].event = p->by_kind[i];
	}
	qsort(entries, *n, sizeof(Entry), compare_entries);
	return entries;
}

/* The duplicates of a patient since `from`. */
Duplicate *
find_duplicates(Patient *p, const Rules *rules, int *nduplicates)
{
	Duplicate  *duplicates = NULL;
	int			size = 0;

	*nduplicates = 0;
	for (int r = 0; r < rules->nduplicates; r++)
	{
		const DuplicateRule *rule = &rules->duplicates[r];
		int			n;
		Entry	   *entries = list_entries(p, rule, &n);
		int			first = 0;	/* of this hash and not too early */

		for (int i = 1; i < n; i++)
		{
			Event	   *d = &p->events[entries[i].event];
			int			original;

			while (entries[first].hash != entries[i].hash ||
				   d->at - p->events[entries[first].event].at > rule->within)
				first++;
			for (original = first; original < i; original++)
				if (is_same_entry(rule, &p->events[entries[original].event], d))
					break;
			if (original == i || d->at < p->from)
				continue;
			if (*nduplicates == size)
			{
				size = Max(16, size * 2);
				duplicates = duplicates == NULL ? palloc(sizeof(Duplicate) * size)
					: repalloc_huge(duplicates, sizeof(Duplicate) * size);
			}
			duplicates[*nduplicates].rule = rule;
			duplicates[*nduplicates].duplicate = d;
			duplicates[(*nduplicates)++].original = &p->events[entries[original].event];
		}
	}
	return duplicates;
}
