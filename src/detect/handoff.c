/*
 * handoff.c
 *	  Handoffs: explicit ones, and neighbours of a thread or an encounter whose
 *	  parties differ.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "detect/detect.h"
#include "detect/match.h"

typedef struct HandoffList
{
	int			n;
	int			size;
	TimestampTz from;			/* earlier ones are not looked for */
	Handoff    *items;
} HandoffList;

/* Adds a handoff, unless it was taken before what is looked for. */
static void
add_handoff(HandoffList *list, HandoffBasis basis, Event *from, Event *to)
{
	if (to->at < list->from)
		return;
	if (list->n == list->size)
	{
		list->size = Max(64, list->size * 2);
		list->items = list->items == NULL ? palloc(sizeof(Handoff) * list->size)
			: repalloc_huge(list->items, sizeof(Handoff) * list->size);
	}
	list->items[list->n].basis = basis;
	list->items[list->n].from = from;
	list->items[list->n++].to = to;
}

/* Adds one between neighbours, if their parties differ. */
static void
add_if_party_differs(HandoffList *list, HandoffBasis basis, Event *from, Event *to)
{
	if (!str_equal(from->actor, to->actor) || !str_equal(from->system, to->system) ||
		!str_equal(actor_role(from), actor_role(to)))
		add_handoff(list, basis, from, to);
}

/* Each offer, and the first acceptance that follows it. */
static void
find_explicit(HandoffList *list, Patient *p, const Rules *rules)
{
	Matches		accepted;

	matches_begin(&accepted, BY_SUBJECT);
	matches_add_kind(&accepted, p, rules->accepted, NULL);
	matches_sort(&accepted);
	for (int i = p->kind_start[rules->offered]; i < p->kind_start[rules->offered + 1]; i++)
	{
		Event	   *offer = &p->events[p->by_kind[i]];

		if (offer->subject_key < 0)
			continue;
		for (int j = matches_from(&accepted, p, offer->subject_key, offer->at - p->longest_imprecision);
			 j < accepted.n && accepted.keys[j] == offer->subject_key; j++)
		{
			Event	   *accept = &p->events[accepted.events[j]];

			if (accept->end >= offer->at)
			{
				add_handoff(list, HANDOFF_EXPLICIT, offer, accept);
				break;
			}
		}
	}
}

/* An event of a thread, and when its predecessor in the thread was. */
typedef struct Thread
{
	int			encounter;
	int			subject;
	Event	   *latest;
} Thread;

/* The slot of a thread in a table with open addressing. */
static Thread *
thread_slot(Thread *threads, uint32 mask, int encounter, int subject)
{
	uint32		at = ((uint32) encounter * 2654435761u ^ (uint32) subject * 2246822519u) & mask;

	while (threads[at].latest != NULL &&
		   (threads[at].encounter != encounter || threads[at].subject != subject))
		at = (at + 1) & mask;
	return &threads[at];
}

/* Neighbours in an encounter, and in a subject's thread within it. */
static void
find_neighbours(HandoffList *list, Patient *p)
{
	Event	  **latest = palloc_extended(sizeof(Event *) * Max(p->nencounters, 1),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		mask = 15;
	Thread	   *threads;

	while (mask < (uint32) p->nevents * 2)
		mask = mask * 2 + 1;
	threads = palloc_extended(sizeof(Thread) * ((Size) mask + 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < p->nevents; i++)
	{
		Event	   *e = &p->events[i];

		if (e->encounter_key < 0 || !e->kind->counts_as_work)
			continue;
		if (latest[e->encounter_key] != NULL)
			add_if_party_differs(list, HANDOFF_IMPLIED, latest[e->encounter_key], e);
		latest[e->encounter_key] = e;
		if (e->subject_key >= 0)
		{
			Thread	   *thread = thread_slot(threads, mask, e->encounter_key, e->subject_key);

			if (thread->latest != NULL)
				add_if_party_differs(list, HANDOFF_THREAD, thread->latest, e);
			thread->encounter = e->encounter_key;
			thread->subject = e->subject_key;
			thread->latest = e;
		}
	}
}

/* The handoffs of a patient. */
Handoff *
find_handoffs(Patient *p, const Rules *rules, int *nhandoffs)
{
	HandoffList list = {0, 0, p->from, NULL};

	find_explicit(&list, p, rules);
	find_neighbours(&list, p);
	*nhandoffs = list.n;
	return list.items;
}
