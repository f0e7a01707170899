/*
 * match.c
 *	  Events of a patient that may answer others, by correlation key and time.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "detect/match.h"

/* Begins an empty list for a correlation. */
void
matches_begin(Matches *m, Correlation correlation)
{
	memset(m, 0, sizeof(Matches));
	m->correlation = correlation;
}

/* The key that correlated events share; -1 where it is null. */
int
correlation_key(const Event *e, Correlation correlation)
{
	switch (correlation)
	{
		case BY_PATIENT:
			return 0;
		case BY_ENCOUNTER:
			return e->encounter_key;
		default:
			return e->subject_key;
	}
}

/* Are items and codes each equal, or null on either side, where they count? */
bool
is_same_item(const Event *a, const Event *b, Correlation correlation)
{
	if (correlation != BY_ITEM)
		return true;
	return (a->item.data == NULL || b->item.data == NULL || str_equal(a->item, b->item)) &&
		(a->code.data == NULL || b->code.data == NULL || str_equal(a->code, b->code));
}

/* Adds the events of a kind that have a key and, where `by` says so, a role in it. */
void
matches_add_kind(Matches *m, Patient *p, int kind, const StrList *by)
{
	for (int i = p->kind_start[kind]; i < p->kind_start[kind + 1]; i++)
	{
		Event	   *e = &p->events[p->by_kind[i]];
		int			key = correlation_key(e, m->correlation);

		if (key < 0 || (by != NULL && by->n > 0 && !str_in(actor_role(e), by->items, by->n)))
			continue;
		if (m->n == m->size)
		{
			m->size = Max(32, m->size * 2);
			m->keys = m->keys == NULL ? palloc(sizeof(int) * m->size)
				: repalloc_huge(m->keys, sizeof(int) * m->size);
			m->events = m->events == NULL ? palloc(sizeof(int) * m->size)
				: repalloc_huge(m->events, sizeof(int) * m->size);
		}
		m->keys[m->n] = key;
		m->events[m->n++] = p->by_kind[i];
	}
}

typedef struct KeyedEvent
{
	int			key;
	int			event;
} KeyedEvent;

/* Order by key, then canonical, for qsort. */
static int
compare_keyed(const void *a, const void *b)
{
	const KeyedEvent *x = a;
	const KeyedEvent *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->event == y->event ? 0 : x->event < y->event ? -1 : 1;
}

/* Sorts what was added, and drops what was added twice. */
void
matches_sort(Matches *m)
{
	KeyedEvent *sorted;
	int			kept = 0;
	bool		in_order = true;

	for (int i = 1; i < m->n && in_order; i++)
		in_order = m->keys[i - 1] < m->keys[i] ||
			(m->keys[i - 1] == m->keys[i] && m->events[i - 1] < m->events[i]);
	if (in_order)
		return;
	sorted = palloc_extended(sizeof(KeyedEvent) * m->n, MCXT_ALLOC_HUGE);
	for (int i = 0; i < m->n; i++)
	{
		sorted[i].key = m->keys[i];
		sorted[i].event = m->events[i];
	}
	qsort(sorted, m->n, sizeof(KeyedEvent), compare_keyed);
	for (int i = 0; i < m->n; i++)
	{
		if (kept > 0 && m->events[kept - 1] == sorted[i].event)
			continue;
		m->keys[kept] = sorted[i].key;
		m->events[kept++] = sorted[i].event;
	}
	m->n = kept;
	pfree(sorted);
}

/* The first place of a key whose event is at or after an instant. */
int
matches_from(const Matches *m, const Patient *p, int key, TimestampTz at)
{
	int			low = 0;
	int			high = m->n;

	while (low < high)
	{
		int			mid = low + (high - low) / 2;

		if (m->keys[mid] < key ||
			(m->keys[mid] == key && p->events[m->events[mid]].at < at))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}
