/*
 * loop.c
 *	  Loops: what had to follow an event, and what closed or cancelled it.
 *
 * The outcome is decided over all events there are.  What a report of an
 * earlier moment says follows from it: the events up to a moment are the first
 * ones in canonical order, and so are the answers among them.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/match.h"

/* An expectation among the events of one patient. */
typedef struct RuleMatches
{
	const Expectation *rule;
	Patient    *patient;
	bool		needs_whole;	/* events before the window would have to be known */
	Matches		asking;			/* events of a kind in `after` */
	Matches		closers;
	Matches		cancellers[BY_ITEM + 1];	/* by their own correlation */
} RuleMatches;

/* Gathers what a rule looks at; false when it has nothing to open a loop, unless some are open. */
static bool
match_rule(RuleMatches *r, const Expectation *rule, Patient *p, bool has_open)
{
	r->rule = rule;
	r->patient = p;
	r->needs_whole = false;
	matches_begin(&r->asking, rule->correlation);
	for (int i = 0; i < rule->nafter; i++)
		matches_add_kind(&r->asking, p, rule->after[i], NULL);
	matches_begin(&r->closers, rule->correlation);
	if (r->asking.n == 0 && !has_open)
		return false;
	matches_sort(&r->asking);
	for (int i = 0; i < rule->nexpect; i++)
		matches_add_kind(&r->closers, p, rule->expect[i], &rule->by);
	matches_sort(&r->closers);
	for (Correlation c = BY_PATIENT; c <= BY_ITEM; c++)
	{
		matches_begin(&r->cancellers[c], c);
		for (int i = 0; i < rule->ncancelled_by; i++)
			if (rule->cancelled_by[i].correlation == c)
				matches_add_kind(&r->cancellers[c], p, rule->cancelled_by[i].kind, NULL);
		matches_sort(&r->cancellers[c]);
	}
	return true;
}

/* Was there anything that an early answer could be the answer to? */
static bool
was_asked_before(const RuleMatches *r, const Event *answer, int key)
{
	const Matches *m = &r->asking;

	for (int i = matches_from(m, r->patient, key, DT_NOBEGIN); i < m->n && m->keys[i] == key; i++)
	{
		const Event *asking = &r->patient->events[m->events[i]];

		if (asking->at > answer->end)
			return false;
		if (is_same_item(asking, answer, m->correlation))
			return true;
	}
	return false;
}

/*
 * The first event that closes a loop, as a place among the events, or -1.  Of a
 * loop that opened before the window, early ones were looked at already.
 */
static int
find_closer(RuleMatches *r, const Event *o)
{
	const Matches *m = &r->closers;
	int			key = correlation_key(o, m->correlation);
	int64		early = o->at < r->patient->from ? -1 : r->rule->early;
	TimestampTz earliest = o->at - Max(early, 0) - r->patient->longest_imprecision;

	if (key < 0)
		return -1;
	for (int i = matches_from(m, r->patient, key, earliest); i < m->n && m->keys[i] == key; i++)
	{
		const Event *c = &r->patient->events[m->events[i]];

		if (c->event_id == o->event_id || !is_same_item(c, o, m->correlation))
			continue;
		if (c->end >= o->at)
			return m->events[i];
		if (o->at - c->end <= early && !was_asked_before(r, c, key))
		{
			r->needs_whole |= !r->patient->is_whole;
			return m->events[i];
		}
	}
	return -1;
}

/* The first event that cancels a loop, as a place among the events, or -1. */
static int
find_canceller(const RuleMatches *r, const Event *o)
{
	int			first = -1;

	for (Correlation c = BY_PATIENT; c <= BY_ITEM; c++)
	{
		const Matches *m = &r->cancellers[c];
		int			key = correlation_key(o, c);

		if (key < 0 || m->n == 0)
			continue;
		for (int i = matches_from(m, r->patient, key, o->at - r->patient->longest_imprecision);
			 i < m->n && m->keys[i] == key; i++)
		{
			const Event *x = &r->patient->events[m->events[i]];

			if (x->event_id == o->event_id || x->end < o->at || !is_same_item(x, o, c))
				continue;
			if (first < 0 || m->events[i] < first)
				first = m->events[i];
			break;
		}
	}
	return first;
}

/* When the answer is due. */
static TimestampTz
due_at(const Expectation *rule, const Event *o)
{
	TimestampTz from = o->has_planned && o->planned > o->at ? o->planned : o->at;

	return from + rule->within;
}

/* What closes or cancels a loop; one of the two at most. */
static void
find_outcome(RuleMatches *r, const Event *o, Event **closer, Event **canceller)
{
	int			closing = find_closer(r, o);
	int			cancelling = find_canceller(r, o);

	if (cancelling >= 0 && closing >= 0 && closing <= cancelling)
		cancelling = -1;
	*canceller = cancelling >= 0 ? &r->patient->events[cancelling] : NULL;
	*closer = closing >= 0 && cancelling < 0 ? &r->patient->events[closing] : NULL;
}

/*
 * The loops of a patient that opened since `from`; needs_whole is set where that
 * cannot be told from a window.
 */
Loop *
find_loops(Patient *p, const Rules *rules, int *nloops, bool *needs_whole)
{
	Loop	   *loops = NULL;
	int			size = 0;
	RuleMatches r;

	*nloops = 0;
	*needs_whole = false;
	for (int n = 0; n < rules->nexpectations; n++)
	{
		const Expectation *rule = &rules->expectations[n];

		if (!match_rule(&r, rule, p, false))
			continue;
		for (int i = 0; i < r.asking.n; i++)
		{
			Event	   *o = &p->events[r.asking.events[i]];
			Loop	   *loop;

			if (o->at < p->from || !when_holds(&rule->when, o))
				continue;
			if (*nloops == size)
			{
				size = Max(64, size * 2);
				loops = loops == NULL ? palloc(sizeof(Loop) * size)
					: repalloc_huge(loops, sizeof(Loop) * size);
			}
			loop = &loops[(*nloops)++];
			loop->rule = rule;
			loop->opener = o;
			loop->due_at = due_at(rule, o);
			find_outcome(&r, o, &loop->closer, &loop->canceller);
		}
		*needs_whole |= r.needs_whole;
	}
	return loops;
}

/*
 * What settles loops that opened before the window and had not been settled
 * before it: the first event that does is in the window, if there is one.
 */
void
settle_loops(Patient *p, const Rules *rules, Earlier *earlier)
{
	for (int n = 0; n < rules->nexpectations; n++)
	{
		const Expectation *rule = &rules->expectations[n];
		bool		is_matched = false;
		RuleMatches r;

		for (int i = 0; i < earlier->nloops; i++)
		{
			OpenLoop   *loop = &earlier->loops[i];

			if (loop->rule_id != rule->id)
				continue;
			if (!is_matched)
				(void) match_rule(&r, rule, p, true);
			is_matched = true;
			loop->is_known = true;
			find_outcome(&r, &loop->opener, &loop->closer, &loop->canceller);
		}
	}
}

/* --- coverage -------------------------------------------------------------- */

/* Is there an opener, other than the event itself, that it follows or is early for? */
static bool
is_matched(const RuleMatches *r, int closer, TimestampTz as_of)
{
	const Matches *m = &r->asking;
	const Event *c = &r->patient->events[closer];
	int			key = correlation_key(c, m->correlation);

	if (key < 0)
		return false;
	for (int i = matches_from(m, r->patient, key, DT_NOBEGIN); i < m->n && m->keys[i] == key; i++)
	{
		Event	   *o = &r->patient->events[m->events[i]];

		if (o->at > as_of || o->at - c->end > r->rule->early)
			break;
		if (m->events[i] != closer && is_same_item(c, o, m->correlation) &&
			when_holds(&r->rule->when, o))
			return true;
	}
	return false;
}

/* What each event up to a moment counts for in rule_coverage. */
Coverage *
find_coverage(Patient *p, const Rules *rules, TimestampTz as_of, int *ncoverage)
{
	int			size = 64;
	Coverage   *coverage = palloc(sizeof(Coverage) * size);

	*ncoverage = 0;
	for (int n = 0; n < rules->nexpectations; n++)
	{
		const Expectation *rule = &rules->expectations[n];
		RuleMatches r;

		(void) match_rule(&r, rule, p, false);
		for (int i = 0; i < p->nevents && p->events[i].at <= as_of; i++)
		{
			Event	   *e = &p->events[i];
			Coverage	c = {rule, e, false, false, false};

			if (e->at < p->from)
				continue;
			for (int k = 0; k < rule->nafter; k++)
				c.opens |= rule->after[k] == e->kind->id;
			c.opens = c.opens && correlation_key(e, rule->correlation) >= 0 && when_holds(&rule->when, e);
			for (int k = 0; k < rule->nexpect; k++)
				c.closes |= rule->expect[k] == e->kind->id;
			c.closes = c.closes && (rule->by.n <= 0 || str_in(actor_role(e), rule->by.items, rule->by.n));
			if (!c.opens && !c.closes)
				continue;
			c.unmatched = c.closes && !is_matched(&r, i, as_of);
			if (*ncoverage == size)
				coverage = repalloc_huge(coverage, sizeof(Coverage) * (size *= 2));
			coverage[(*ncoverage)++] = c;
		}
	}
	return coverage;
}
