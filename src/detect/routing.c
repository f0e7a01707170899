/*
 * routing.c
 *	  Results, and whatever else a map delivers, that went to the wrong address.
 */
#include "postgres.h"

#include "detect/detect.h"
#include "detect/match.h"

/* Why an event did not reach whom it should; NULL if it did. */
static const char *
misrouting_reason(Event *e, const Delivery *delivery)
{
	bool		shared_inbox;

	if (e->recipient.data == NULL)
		return "no_recipient";
	if (!is_known_person(e->recipient))
		return "unknown_recipient";
	if (!is_active_person(e->recipient, e->at, &shared_inbox))
		return "inactive_recipient";
	if (shared_inbox)
		return "shared_inbox";
	if (!str_in(recipient_role(e), delivery->roles.items, delivery->roles.n))
		return "wrong_role";
	return NULL;
}

/* Events by subject, in canonical order, as chains. */
static int *
chain_subjects(const Patient *p)
{
	int		   *next = palloc_extended(sizeof(int) * Max(p->nevents, 1), MCXT_ALLOC_HUGE);
	int		   *latest = palloc_extended(sizeof(int) * Max(p->nsubjects, 1), MCXT_ALLOC_HUGE);

	for (int s = 0; s < p->nsubjects; s++)
		latest[s] = -1;
	for (int i = p->nevents - 1; i >= 0; i--)
	{
		int			subject = p->events[i].subject_key;

		next[i] = subject < 0 ? -1 : latest[subject];
		if (subject >= 0)
			latest[subject] = i;
	}
	return next;
}

/* Did an active person in an expected role do it? */
static bool
is_claim(Event *e, const Delivery *delivery)
{
	bool		shared_inbox;

	return e->actor.data != NULL &&
		is_active_person(e->actor, e->at, &shared_inbox) && !shared_inbox &&
		str_in(actor_role(e), delivery->roles.items, delivery->roles.n);
}

/* The first later event of the subject by an active person in an expected role. */
static Event *
find_claim(Patient *p, const int *next, int event, const Delivery *delivery)
{
	for (int i = next[event]; i >= 0; i = next[i])
		if (is_claim(&p->events[i], delivery))
			return &p->events[i];
	return NULL;
}

/* The claims of misrouted events before the window that had none before it. */
void
claim_misrouted(Patient *p, const Rules *rules, Earlier *earlier)
{
	for (int n = 0; n < earlier->nmisrouted; n++)
	{
		OpenMisrouted *open = &earlier->misrouted[n];

		for (int d = 0; d < rules->ndeliveries; d++)
		{
			const Delivery *delivery = &rules->deliveries[d];

			if (!str_equal(delivery->workflow, open->workflow) || !str_equal(delivery->step, open->step))
				continue;
			open->is_known = true;
			for (int i = 0; i < p->nevents && open->claim == NULL && open->event.subject_key >= 0; i++)
				if (p->events[i].at >= p->from && p->events[i].subject_key == open->event.subject_key &&
					is_claim(&p->events[i], delivery))
					open->claim = &p->events[i];
		}
	}
}

/* The misrouted events of a patient since `from`. */
Misrouted *
find_misrouted(Patient *p, const Rules *rules, int *nmisrouted)
{
	Misrouted  *found = NULL;
	int		   *next = NULL;
	int			size = 0;

	*nmisrouted = 0;
	for (int d = 0; d < rules->ndeliveries; d++)
	{
		const Delivery *delivery = &rules->deliveries[d];

		for (int i = p->kind_start[delivery->kind]; i < p->kind_start[delivery->kind + 1]; i++)
		{
			Event	   *e = &p->events[p->by_kind[i]];
			const char *reason = e->at < p->from ? NULL : misrouting_reason(e, delivery);

			if (reason == NULL)
				continue;
			if (*nmisrouted == size)
			{
				size = Max(16, size * 2);
				found = found == NULL ? palloc(sizeof(Misrouted) * size)
					: repalloc_huge(found, sizeof(Misrouted) * size);
			}
			if (next == NULL)
				next = chain_subjects(p);
			found[*nmisrouted].delivery = delivery;
			found[*nmisrouted].event = e;
			found[*nmisrouted].reason = reason;
			found[(*nmisrouted)++].claim = find_claim(p, next, p->by_kind[i], delivery);
		}
	}
	return found;
}
