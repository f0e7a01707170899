/*
 * billing.c
 *	  Charges against what is documented, and claims against their answers.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "billing/billing.h"
#include "billing/detail.h"

/* --- events by encounter and code, or by encounter and claim --------------- */

typedef struct Keyed
{
	int			encounter;
	int			claim;			/* its subject, or 0 */
	Str			code;			/* or null */
	int			event;			/* its place in the patient's events */
} Keyed;

typedef struct KeyedList
{
	int			n;
	int			size;
	Keyed	   *items;
} KeyedList;

/* What is looked at of a patient, and what is found. */
typedef struct Search
{
	Patient    *patient;
	const Rules *rules;
	KeyedList	charges;
	KeyedList	diagnoses;
	KeyedList	approvals;
	int			size;			/* room for mismatches */
	Billing    *found;
} Search;

/* An event's key by a code; the event is where to look from. */
static Keyed
by_code(const Event *e, Str code, int event)
{
	Keyed		k = {e->encounter_key, 0, code, event};

	return k;
}

/* An event's key by its claim. */
static Keyed
by_claim(const Event *e, int event)
{
	Keyed		k = {e->encounter_key, e->subject_key, {NULL, 0}, event};

	return k;
}

/* Order by key alone. */
static int
compare_keys(const Keyed *x, const Keyed *y)
{
	if (x->encounter != y->encounter)
		return x->encounter < y->encounter ? -1 : 1;
	if (x->claim != y->claim)
		return x->claim < y->claim ? -1 : 1;
	return str_compare(x->code, y->code);
}

/* Order by key, then canonical, for qsort. */
static int
compare_keyed(const void *a, const void *b)
{
	const Keyed *x = a;
	const Keyed *y = b;
	int			cmp = compare_keys(x, y);

	if (cmp != 0)
		return cmp;
	return x->event == y->event ? 0 : x->event < y->event ? -1 : 1;
}

/* Adds to a list. */
static void
add_keyed(KeyedList *list, Keyed k)
{
	if (list->n == list->size)
	{
		list->size = Max(16, list->size * 2);
		list->items = list->items == NULL ? palloc(sizeof(Keyed) * list->size)
			: repalloc_huge(list->items, sizeof(Keyed) * list->size);
	}
	list->items[list->n++] = k;
}

/* Adds the events of a kind that are of an encounter and have a code that begins so. */
static void
add_coded(KeyedList *list, Patient *p, int kind, Str prefix)
{
	for (int i = p->kind_start[kind]; i < p->kind_start[kind + 1]; i++)
	{
		Event	   *e = &p->events[p->by_kind[i]];

		if (e->encounter_key >= 0 && is_covered(e->code, prefix))
			add_keyed(list, by_code(e, e->code, p->by_kind[i]));
	}
}

/* Adds the events of a kind that are of an encounter and a claim. */
static void
add_claimed(KeyedList *list, Patient *p, int kind)
{
	for (int i = p->kind_start[kind]; i < p->kind_start[kind + 1]; i++)
	{
		Event	   *e = &p->events[p->by_kind[i]];

		if (e->encounter_key >= 0 && e->subject_key >= 0)
			add_keyed(list, by_claim(e, p->by_kind[i]));
	}
}

/* Sorts a list. */
static void
sort_keyed(KeyedList *list)
{
	if (list->n > 1)
		qsort(list->items, list->n, sizeof(Keyed), compare_keyed);
}

/* The place in a list of the first event of a key from an event on, or where it would be. */
static int
place_of(const KeyedList *list, const Keyed *k)
{
	int			low = 0;
	int			high = list->n;

	while (low < high)
	{
		int			mid = low + (high - low) / 2;

		if (compare_keyed(&list->items[mid], k) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The event at a place of a list, if it has that key. */
static Event *
event_at(const Search *s, const KeyedList *list, int place, const Keyed *k)
{
	if (place < 0 || place >= list->n || compare_keys(&list->items[place], k) != 0)
		return NULL;
	return &s->patient->events[list->items[place].event];
}

/* The first event of a key from an event on. */
static Event *
first_from(const Search *s, const KeyedList *list, Keyed k)
{
	return event_at(s, list, place_of(list, &k), &k);
}

/* The last event of a key before an event. */
static Event *
last_before(const Search *s, const KeyedList *list, Keyed k)
{
	return event_at(s, list, place_of(list, &k) - 1, &k);
}

/* --- findings -------------------------------------------------------------- */

/* Adds a mismatch, unless it is settled when it would be found. */
static void
add_mismatch(Search *s, BillingProblem problem, Event *e, Event *documentation, Str code,
			 TimestampTz since, const Event *settled_by, StrList wanted)
{
	Billing    *b = s->found;
	TimestampTz found_at = problem == DOCUMENTATION_WITHOUT_CHARGE ? since : e->at;
	TimestampTz settled_at = settled_by == NULL ? DT_NOEND : settled_by->at;
	Mismatch	m = {problem, e, documentation, code, since, found_at, settled_at, wanted};

	if (settled_at <= found_at)
		return;
	if (b->nmismatches == s->size)
	{
		s->size = Max(16, s->size * 2);
		b->mismatches = b->mismatches == NULL ? palloc(sizeof(Mismatch) * s->size)
			: repalloc_huge(b->mismatches, sizeof(Mismatch) * s->size);
	}
	b->mismatches[b->nmismatches++] = m;
}

static const StrList nothing = {0, NULL};

/* What a rule finds of a charge and its documentation. */
static void
judge_documentation(Search *s, const BillingRule *rule, const KeyedList *documents, Charge *charge)
{
	Event	   *c = charge->event;
	int			at = c - s->patient->events;
	Event	   *first = first_from(s, documents, by_code(c, c->code, 0));
	Event	   *last = last_before(s, documents, by_code(c, c->code, at));

	add_mismatch(s, CHARGE_WITHOUT_DOCUMENTATION, c, NULL, c->code, c->at, first, rule->documentation);
	if (last == NULL)
		return;
	if (c->at > last->at + rule->within)
	{
		add_mismatch(s, LATE_CHARGE, c, last, c->code, last->at + rule->within, NULL, nothing);
		charge->is_late = true;
	}
	if (charge->documentation == NULL || charge->documentation < last)
		charge->documentation = last;
}

/* The more specific diagnoses that are documented in the encounter of a charge. */
static StrList
subcodes(const Search *s, const Event *c, Str code)
{
	const KeyedList *list = &s->diagnoses;
	Keyed		k = by_code(c, code, 0);
	StrList		found = {0, NULL};

	if (!has_subcodes(code))
		return found;
	/* in order, what begins with a code comes right after it */
	for (int i = place_of(list, &k); i < list->n && list->items[i].encounter == k.encounter && is_covered(list->items[i].code, code); i++)
		if (list->items[i].code.len > code.len &&
			(found.n == 0 || !str_equal(found.items[found.n - 1], list->items[i].code)))
		{
			if ((found.n & (found.n - 1)) == 0)
				found.items = found.n == 0 ? palloc(sizeof(Str)) : repalloc_huge(found.items, sizeof(Str) * found.n * 2);
			found.items[found.n++] = list->items[i].code;
		}
	return found;
}

/* What a rule finds of the other things that a charge says. */
static void
judge_content(Search *s, const BillingRule *rule, Event *c)
{
	StrList		missing = {0, palloc(sizeof(Str) * Max(rule->requires_modifiers.n, 1))};
	StrList		diagnoses = detail_texts(c->detail, "diagnoses");
	StrList		modifiers = detail_texts(c->detail, "modifiers");

	for (int i = 0; i < diagnoses.n; i++)
	{
		Str			code = diagnosis_code(diagnoses.items[i]);

		if (code.data != NULL)
			add_mismatch(s, DIAGNOSIS_NOT_DOCUMENTED, c, NULL, code, c->at,
						 first_from(s, &s->diagnoses, by_code(c, code, 0)), subcodes(s, c, code));
	}
	for (int i = 0; i < rule->requires_modifiers.n; i++)
		if (!str_in(rule->requires_modifiers.items[i], modifiers.items, modifiers.n))
			missing.items[missing.n++] = rule->requires_modifiers.items[i];
	if (missing.n > 0)
		add_mismatch(s, MISSING_MODIFIER, c, NULL, c->code, c->at, NULL, missing);
	if (rule->requires_authorization && detail_texts(c->detail, "authorization").n == 0)
		add_mismatch(s, MISSING_AUTHORIZATION, c, NULL, c->code, c->at,
					 first_from(s, &s->approvals, by_code(c, c->code, 0)), nothing);
}

/* Judges everything that a rule covers. */
static void
judge_by_rule(Search *s, const BillingRule *rule)
{
	KeyedList	documents = {0, 0, NULL};

	for (int i = 0; i < rule->ndocumented_by; i++)
		add_coded(&documents, s->patient, rule->documented_by[i], rule->codes);
	sort_keyed(&documents);
	for (int i = 0; i < s->found->ncharges; i++)
	{
		Charge	   *charge = &s->found->charges[i];

		if (!is_covered(charge->event->code, rule->codes))
			continue;
		if (charge->codes.data == NULL || charge->codes.len < rule->codes.len)
			charge->codes = rule->codes;
		judge_documentation(s, rule, &documents, charge);
		judge_content(s, rule, charge->event);
	}
	for (int i = 0; i < documents.n; i++)
	{
		Event	   *d = &s->patient->events[documents.items[i].event];

		add_mismatch(s, DOCUMENTATION_WITHOUT_CHARGE, d, d, d->code, d->at + rule->within,
					 first_from(s, &s->charges, by_code(d, d->code, 0)), nothing);
	}
}

/* Judges charges by the rules of the map. */
static void
judge_charges(Search *s)
{
	static const Str any = {"", 0};
	Billing    *b = s->found;

	add_coded(&s->charges, s->patient, s->rules->charged, any);
	add_coded(&s->diagnoses, s->patient, s->rules->diagnosed, any);
	add_coded(&s->approvals, s->patient, s->rules->approved, any);
	sort_keyed(&s->charges);
	sort_keyed(&s->diagnoses);
	sort_keyed(&s->approvals);
	b->charges = palloc_extended(sizeof(Charge) * Max(s->charges.n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (; b->ncharges < s->charges.n; b->ncharges++)
		b->charges[b->ncharges].event = &s->patient->events[s->charges.items[b->ncharges].event];
	for (int r = 0; r < s->rules->nbilling; r++)
		judge_by_rule(s, &s->rules->billing[r]);
}

/* Finds denials that nothing later answered. */
static void
judge_denials(Search *s)
{
	Patient    *p = s->patient;
	int			kind = s->rules->denied;
	KeyedList	settled = {0, 0, NULL};

	add_claimed(&settled, p, s->rules->accepted_claim);
	add_claimed(&settled, p, s->rules->paid);
	sort_keyed(&settled);
	for (int i = p->kind_start[kind]; i < p->kind_start[kind + 1]; i++)
	{
		Event	   *e = &p->events[p->by_kind[i]];

		if (e->encounter_key >= 0)
			add_mismatch(s, CLAIM_DENIED, e, NULL, e->code, e->at,
						 e->subject_key < 0 ? NULL : first_from(s, &settled, by_claim(e, p->by_kind[i])), nothing);
	}
}

/* --- one row for what several rules find ----------------------------------- */

/* Order of mismatches, for qsort: equal ones are the same finding. */
static int
compare_mismatches(const void *a, const void *b)
{
	const Mismatch *x = a;
	const Mismatch *y = b;
	int			cmp;

	if (x->event != y->event)
		return x->event < y->event ? -1 : 1;
	if (x->problem != y->problem)
		return x->problem < y->problem ? -1 : 1;
	if ((cmp = str_compare(x->code, y->code)) != 0)
		return cmp;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return x->documentation == y->documentation ? 0 : x->documentation < y->documentation ? -1 : 1;
}

/* Two sorted lists as one. */
static StrList
united(StrList a, StrList b)
{
	StrList		list = {0, palloc(sizeof(Str) * Max(a.n + b.n, 1))};
	int			i = 0;
	int			j = 0;

	while (i < a.n || j < b.n)
	{
		int			cmp = i == a.n ? 1 : j == b.n ? -1 : str_compare(a.items[i], b.items[j]);

		list.items[list.n++] = cmp <= 0 ? a.items[i] : b.items[j];
		i += cmp <= 0;
		j += cmp >= 0;
	}
	return list;
}

/* Makes one of equal mismatches, which stands until the last of them is settled. */
static void
unite_mismatches(Billing *b)
{
	int			n = 0;

	if (b->nmismatches > 1)
		qsort(b->mismatches, b->nmismatches, sizeof(Mismatch), compare_mismatches);
	for (int i = 0; i < b->nmismatches; i++)
	{
		Mismatch   *m = &b->mismatches[i];
		Mismatch   *last = n == 0 ? NULL : &b->mismatches[n - 1];

		if (last == NULL || compare_mismatches(last, m) != 0)
			b->mismatches[n++] = *m;
		else if (last->settled_at < m->settled_at)
			*last = *m;
		else if (last->settled_at == m->settled_at)
			last->wanted = united(last->wanted, m->wanted);
	}
	b->nmismatches = n;
}

/* --- claims ---------------------------------------------------------------- */

/* Mismatches by encounter, as chains. */
typedef struct Chains
{
	int		   *first;
	int		   *next;
} Chains;

/* Chains mismatches. */
static Chains
chain_mismatches(const Patient *p, const Billing *b)
{
	Chains		c;

	c.first = palloc_extended(sizeof(int) * Max(p->nencounters, 1), MCXT_ALLOC_HUGE);
	c.next = palloc_extended(sizeof(int) * Max(b->nmismatches, 1), MCXT_ALLOC_HUGE);
	for (int e = 0; e < p->nencounters; e++)
		c.first[e] = -1;
	for (int i = 0; i < b->nmismatches; i++)
	{
		int			encounter = b->mismatches[i].event->encounter_key;

		c.next[i] = c.first[encounter];
		c.first[encounter] = i;
	}
	return c;
}

/* What was wrong in a claim's encounter when it was submitted, other denials apart. */
static int
problems_of(const Event *claim, const Billing *b, const Chains *chains)
{
	int			problems = 0;

	for (int i = chains->first[claim->encounter_key]; i >= 0; i = chains->next[i])
	{
		const Mismatch *m = &b->mismatches[i];

		if (m->problem != CLAIM_DENIED && m->found_at <= claim->at && claim->at < m->settled_at)
			problems |= 1 << m->problem;
	}
	return problems;
}

/*
 * The answers to a claim, until it is submitted again.  The first submission has
 * those before it too that, known to the day say, may have come after it.
 */
static void
find_answers(Search *s, Claim *claim, const KeyedList *submitted, const KeyedList *answers)
{
	Event	   *e = claim->event;
	Keyed		first = by_claim(e, 0);
	Keyed		later = by_claim(e, e - s->patient->events + 1);
	bool		is_first = first_from(s, submitted, first) == e;
	Event	   *again = first_from(s, submitted, later);
	int			begin = place_of(answers, is_first ? &first : &later);
	int			end = begin;
	Event	   *answer;

	while ((answer = event_at(s, answers, end, &first)) != NULL && (again == NULL || answer < again))
		end++;
	claim->answers = palloc_extended(sizeof(Event *) * Max(end - begin, 1), MCXT_ALLOC_HUGE);
	for (int i = begin; i < end; i++)
	{
		answer = event_at(s, answers, i, &first);
		if (answer > e || answer->end >= e->at)
			claim->answers[claim->nanswers++] = answer;
	}
}

/* Finds the claims that were submitted. */
static void
find_claims(Search *s)
{
	Patient    *p = s->patient;
	Billing    *b = s->found;
	int			kind = s->rules->submitted;
	int			n = p->kind_start[kind + 1] - p->kind_start[kind];
	KeyedList	submitted = {0, 0, NULL};
	KeyedList	answers = {0, 0, NULL};
	Chains		chains;

	if (n == 0)
		return;
	add_claimed(&submitted, p, kind);
	add_claimed(&answers, p, s->rules->accepted_claim);
	add_claimed(&answers, p, s->rules->denied);
	add_claimed(&answers, p, s->rules->paid);
	sort_keyed(&submitted);
	sort_keyed(&answers);
	chains = chain_mismatches(p, b);
	b->claims = palloc_extended(sizeof(Claim) * n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = p->kind_start[kind]; i < p->kind_start[kind + 1]; i++)
	{
		Event	   *e = &p->events[p->by_kind[i]];
		Claim	   *claim;

		if (e->encounter_key < 0)
			continue;
		claim = &b->claims[b->nclaims++];
		claim->event = e;
		claim->problems = problems_of(e, b, &chains);
		if (e->subject_key >= 0)
			find_answers(s, claim, &submitted, &answers);
	}
}

/* --- both ------------------------------------------------------------------ */

/* Is there anything since `from` that billing looks at? */
bool
has_billed(const Patient *p)
{
	for (int i = p->nevents - 1; i >= 0 && p->events[i].at >= p->from; i--)
		if (p->events[i].kind->is_billed && p->events[i].encounter_key >= 0)
			return true;
	return false;
}

/* What is wrong with the charges and claims of a patient, and which there are. */
Billing *
find_billing(Patient *p, const Rules *rules)
{
	Search		s;

	memset(&s, 0, sizeof(s));
	s.patient = p;
	s.rules = rules;
	s.found = palloc0(sizeof(Billing));
	judge_charges(&s);
	judge_denials(&s);
	unite_mismatches(s.found);
	find_claims(&s);
	return s.found;
}
