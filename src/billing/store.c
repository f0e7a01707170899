/*
 * store.c
 *	  Brings kept mismatches, charges and claims to what is found.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "billing/billing.h"
#include "detect/rows.h"
#include "detect/table.h"

/* Columns of the tables of kept state, in their order; setup.sql makes them. */
enum
{
	BS_EVENT_ID, BS_PLACE, BS_OCCURRED_AT, BS_SINCE, BS_FOUND_AT, BS_SETTLED_AT,
	BS_DOCUMENTATION_EVENT_ID, BS_IS_TEST, BS_PATIENT_ID, BS_FACILITY,
	BS_ENCOUNTER_ID, BS_PROBLEM, BS_CODE, BS_WANTED,
	BS_NCOLUMNS
};

enum
{
	CS_EVENT_ID, CS_CHARGED_AT, CS_DAY, CS_DOCUMENTED_AT, CS_IS_LATE, CS_IS_TEST, CS_PATIENT_ID,
	CS_FACILITY, CS_ROLE, CS_CODE_FAMILY,
	CS_NCOLUMNS
};

enum
{
	CL_EVENT_ID, CL_SUBMITTED_AT, CL_IS_TEST, CL_PATIENT_ID, CL_FACILITY,
	CL_ENCOUNTER_ID, CL_SUBJECT, CL_ANSWERS, CL_ANSWERED_AT, CL_PROBLEMS,
	CL_NCOLUMNS
};

struct BillingStore
{
	bool		exists;			/* has setup() of this version made the tables? */
	StateTable	mismatches;
	StateTable	charges;
	StateTable	claims;
};

static const char *const problem_names[NBILLING_PROBLEMS] = {
	"charge_without_documentation", "claim_denied", "diagnosis_not_documented",
	"documentation_without_charge", "late_charge", "missing_authorization", "missing_modifier"
};

/* --- findings as rows ------------------------------------------------------ */

/* Texts as an array. */
static Datum
text_array(Datum *texts, int n)
{
	return PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A mismatch as a row of billing_state. */
static void
mismatch_row(Rows *rows, const Mismatch *m, int place, bool is_test)
{
	Event	   *e = m->event;
	Row		   *row = add_row(rows, BS_NCOLUMNS);
	Datum	   *wanted = palloc(sizeof(Datum) * Max(m->wanted.n, 1));

	row->event_id = e->event_id;
	row->key = place;
	set_value(row, BS_EVENT_ID, Int64GetDatum(e->event_id));
	set_value(row, BS_PLACE, Int32GetDatum(place));
	set_value(row, BS_OCCURRED_AT, TimestampTzGetDatum(e->at));
	set_value(row, BS_SINCE, TimestampTzGetDatum(m->since));
	set_value(row, BS_FOUND_AT, TimestampTzGetDatum(m->found_at));
	set_value(row, BS_SETTLED_AT, TimestampTzGetDatum(m->settled_at));
	if (m->documentation != NULL)
		set_value(row, BS_DOCUMENTATION_EVENT_ID, Int64GetDatum(m->documentation->event_id));
	set_value(row, BS_IS_TEST, BoolGetDatum(is_test));
	set_text(row, BS_PATIENT_ID, e->patient);
	set_text(row, BS_FACILITY, e->facility);
	set_text(row, BS_ENCOUNTER_ID, e->encounter);
	set_value(row, BS_PROBLEM, CStringGetTextDatum(problem_names[m->problem]));
	set_text(row, BS_CODE, m->code);
	if (m->wanted.n == 0)
		return;
	for (int i = 0; i < m->wanted.n; i++)
		wanted[i] = PointerGetDatum(cstring_to_text_with_len(m->wanted.items[i].data, m->wanted.items[i].len));
	set_value(row, BS_WANTED, text_array(wanted, m->wanted.n));
}

/* The day of a moment, in UTC. */
static TimestampTz
day_of(TimestampTz at)
{
	int64		past = at % USECS_PER_DAY;

	return at - (past < 0 ? past + USECS_PER_DAY : past);
}

/* A charge as a row of charge_state. */
static void
charge_row(Rows *rows, const Charge *charge, bool is_test)
{
	Event	   *e = charge->event;
	Row		   *row = add_row(rows, CS_NCOLUMNS);

	row->event_id = e->event_id;
	set_value(row, CS_EVENT_ID, Int64GetDatum(e->event_id));
	set_value(row, CS_CHARGED_AT, TimestampTzGetDatum(e->at));
	set_value(row, CS_DAY, TimestampTzGetDatum(day_of(e->at)));
	if (charge->documentation != NULL)
		set_value(row, CS_DOCUMENTED_AT, TimestampTzGetDatum(charge->documentation->at));
	set_value(row, CS_IS_LATE, BoolGetDatum(charge->is_late));
	set_value(row, CS_IS_TEST, BoolGetDatum(is_test));
	set_text(row, CS_PATIENT_ID, e->patient);
	set_text(row, CS_FACILITY, e->facility);
	set_text(row, CS_ROLE, actor_role(e));
	set_text(row, CS_CODE_FAMILY, charge->codes);
}

/* A claim as a row of claim_state. */
static void
claim_row(Rows *rows, const Claim *claim, const Rules *rules, bool is_test)
{
	Event	   *e = claim->event;
	Row		   *row = add_row(rows, CL_NCOLUMNS);
	Datum	   *answers = palloc_extended(sizeof(Datum) * Max(claim->nanswers, 1), MCXT_ALLOC_HUGE);
	Datum	   *answered_at = palloc_extended(sizeof(Datum) * Max(claim->nanswers, 1), MCXT_ALLOC_HUGE);
	Datum		problems[NBILLING_PROBLEMS];
	int			nproblems = 0;

	for (int i = 0; i < claim->nanswers; i++)
	{
		int			kind = claim->answers[i]->kind->id;

		answers[i] = CStringGetTextDatum(kind == rules->denied ? "denied" : kind == rules->paid ? "paid" : "accepted");
		answered_at[i] = TimestampTzGetDatum(claim->answers[i]->at);
	}
	for (int i = 0; i < NBILLING_PROBLEMS; i++)
		if (claim->problems & (1 << i))
			problems[nproblems++] = CStringGetTextDatum(problem_names[i]);
	row->event_id = e->event_id;
	set_value(row, CL_EVENT_ID, Int64GetDatum(e->event_id));
	set_value(row, CL_SUBMITTED_AT, TimestampTzGetDatum(e->at));
	set_value(row, CL_IS_TEST, BoolGetDatum(is_test));
	set_text(row, CL_PATIENT_ID, e->patient);
	set_text(row, CL_FACILITY, e->facility);
	set_text(row, CL_ENCOUNTER_ID, e->encounter);
	set_text(row, CL_SUBJECT, e->subject);
	set_value(row, CL_ANSWERS, text_array(answers, claim->nanswers));
	set_value(row, CL_ANSWERED_AT, PointerGetDatum(construct_array(answered_at, claim->nanswers, TIMESTAMPTZOID,
																   sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	set_value(row, CL_PROBLEMS, text_array(problems, nproblems));
}

/* --- the store ------------------------------------------------------------- */

/* Begins to keep findings; before setup() of this version there is nowhere to. */
BillingStore *
billing_store_begin(Snapshot snapshot)
{
	BillingStore *store = palloc0(sizeof(BillingStore));
	StateTable	mismatches = {"billing_state", BS_NCOLUMNS, BS_EVENT_ID, BS_PLACE,
	BS_PATIENT_ID, -1, CurrentMemoryContext, snapshot};
	StateTable	charges = {"charge_state", CS_NCOLUMNS, CS_EVENT_ID, -1,
	CS_PATIENT_ID, -1, CurrentMemoryContext, snapshot};
	StateTable	claims = {"claim_state", CL_NCOLUMNS, CL_EVENT_ID, -1,
	CL_PATIENT_ID, -1, CurrentMemoryContext, snapshot};

	store->exists = OidIsValid(get_relname_relid("billing_state", schema_oid()));
	store->mismatches = mismatches;
	store->charges = charges;
	store->claims = claims;
	return store;
}

/* The found mismatches as rows; those of an event are numbered. */
static void
mismatch_rows(Rows *rows, const Billing *b, const Patient *p)
{
	int			place = 0;

	for (int i = 0; i < b->nmismatches; i++)
	{
		const Mismatch *m = &b->mismatches[i];

		place = i > 0 && m->event == m[-1].event ? place + 1 : 1;
		if (m->event->at >= p->from)
			mismatch_row(rows, m, place, p->is_test);
	}
}

/* Finds what is wrong with a patient's charges and claims, and keeps it; nothing is kept of a new one. */
void
billing_store_patient(BillingStore *store, Patient *p, const Rules *rules, bool is_new)
{
	StateTable *tables[] = {&store->mismatches, &store->charges, &store->claims};
	Rows		kept[lengthof(tables)];
	Rows		found[lengthof(tables)];
	Billing    *b;

	if (!store->exists)
		return;
	memset(kept, 0, sizeof(kept));
	memset(found, 0, sizeof(found));
	b = find_billing(p, rules);
	mismatch_rows(&found[0], b, p);
	for (int i = 0; i < b->ncharges; i++)
		if (b->charges[i].codes.data != NULL && b->charges[i].event->at >= p->from)
			charge_row(&found[1], &b->charges[i], p->is_test);
	for (int i = 0; i < b->nclaims; i++)
		if (b->claims[i].event->at >= p->from)
			claim_row(&found[2], &b->claims[i], rules, p->is_test);
	for (int i = 0; i < lengthof(tables); i++)
	{
		if (!is_new)
			read_kept(tables[i], p->ids, p->nids, DT_NOBEGIN, &kept[i]);
		write_differences(tables[i], &kept[i], &found[i]);
	}
}

/* Writes what is still unwritten. */
void
billing_store_end(BillingStore *store)
{
	table_done(&store->mismatches.table);
	table_done(&store->charges.table);
	table_done(&store->claims.table);
}
