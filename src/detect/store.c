/*
 * store.c
 *	  Brings kept loops, duplicates, misrouted events and missing fields to what
 *	  is found of a patient's events: of all, or of a window of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "billing/billing.h"
#include "detect/detect.h"
#include "detect/rows.h"
#include "detect/store.h"
#include "detect/touched.h"

struct Store
{
	StateTable	loops;
	StateTable	duplicates;
	StateTable	misrouted;
	StateTable	missing;
	HandoffStore *handoffs;
	BillingStore *billing;
	Table		identity_stale;
	bool		exists;			/* are the tables there that 0.1.0 did not have? */
	MemoryContext context;
	Snapshot	snapshot;
};

/* --- findings as rows ------------------------------------------------------ */

/* Sets what settled a loop. */
static void
set_settled(Row *row, Event *closer, const Event *canceller)
{
	const Event *end = closer != NULL ? closer : canceller;

	set_value(row, LS_SETTLED_AT, TimestampTzGetDatum(end != NULL ? end->at : DT_NOEND));
	set_value(row, LS_IS_CANCELLED, BoolGetDatum(canceller != NULL));
	if (closer == NULL)
		return;
	set_value(row, LS_CLOSED_EVENT_ID, Int64GetDatum(closer->event_id));
	set_text(row, LS_CLOSED_BY, closer->actor);
	set_text(row, LS_CLOSED_BY_ROLE, actor_role(closer));
}

/* A loop as a row of loop_state. */
static void
loop_row(Rows *rows, const Loop *loop, bool is_test)
{
	Event	   *o = loop->opener;
	Row		   *row = add_row(rows, LS_NCOLUMNS);
	bool		by_recipient = o->recipient.data != NULL;

	row->event_id = o->event_id;
	row->key = loop->rule->id;
	set_value(row, LS_OPENED_EVENT_ID, Int64GetDatum(o->event_id));
	set_value(row, LS_OPENED_AT, TimestampTzGetDatum(o->at));
	set_value(row, LS_DUE_AT, TimestampTzGetDatum(loop->due_at));
	set_settled(row, loop->closer, loop->canceller);
	if (o->has_message)
		set_value(row, LS_OPENED_MESSAGE_ID, Int64GetDatum(o->message_id));
	set_value(row, LS_EXPECTATION_ID, Int32GetDatum(loop->rule->id));
	set_enum(row, LS_SEVERITY, o->severity);
	set_value(row, LS_IS_TEST, BoolGetDatum(is_test));
	set_text(row, LS_PATIENT_ID, o->patient);
	set_text(row, LS_FACILITY, o->facility);
	set_text(row, LS_ENCOUNTER_ID, o->encounter);
	set_text(row, LS_SUBJECT, o->subject);
	set_text(row, LS_ITEM, o->item);
	set_text(row, LS_CODE, o->code);
	set_text(row, LS_OPENED_BY_KIND, o->kind->name);
	set_text(row, LS_OWNER, by_recipient ? o->recipient : o->actor);
	set_text(row, LS_OWNER_ROLE, by_recipient ? recipient_role(o) : actor_role(o));
}

/* A duplicate as a row of duplicate_state. */
static void
duplicate_row(Rows *rows, const Duplicate *duplicate, bool is_test)
{
	Event	   *d = duplicate->duplicate;
	Event	   *o = duplicate->original;
	Row		   *row = add_row(rows, DS_NCOLUMNS);

	row->event_id = d->event_id;
	row->key = duplicate->rule->id;
	set_value(row, DS_DUPLICATE_EVENT_ID, Int64GetDatum(d->event_id));
	set_value(row, DS_ORIGINAL_EVENT_ID, Int64GetDatum(o->event_id));
	set_value(row, DS_DUPLICATE_AT, TimestampTzGetDatum(d->at));
	set_value(row, DS_ORIGINAL_AT, TimestampTzGetDatum(o->at));
	set_value(row, DS_DUPLICATE_RULE_ID, Int32GetDatum(duplicate->rule->id));
	set_enum(row, DS_DUPLICATE_METHOD, d->method);
	set_value(row, DS_IS_TEST, BoolGetDatum(is_test));
	set_text(row, DS_PATIENT_ID, d->patient);
	set_text(row, DS_FACILITY, d->facility);
	set_text(row, DS_ENCOUNTER_ID, d->encounter);
	set_text(row, DS_KIND, d->kind->name);
	set_text(row, DS_SUBJECT, d->subject);
	set_text(row, DS_CODE, d->code);
	set_text(row, DS_VALUE, d->value);
	set_text(row, DS_ORIGINAL_SYSTEM, o->system);
	set_text(row, DS_DUPLICATE_SYSTEM, d->system);
	set_text(row, DS_ORIGINAL_ACTOR, o->actor);
	set_text(row, DS_DUPLICATE_ACTOR, d->actor);
}

/* A misrouted event as a row of misrouted_state. */
static void
misrouted_row(Rows *rows, const Misrouted *misrouted, bool is_test)
{
	Event	   *e = misrouted->event;
	Row		   *row = add_row(rows, MS_NCOLUMNS);

	row->event_id = e->event_id;
	set_value(row, MS_EVENT_ID, Int64GetDatum(e->event_id));
	set_value(row, MS_OCCURRED_AT, TimestampTzGetDatum(e->at));
	if (misrouted->claim != NULL)
	{
		set_value(row, MS_CLAIMED_AT, TimestampTzGetDatum(misrouted->claim->at));
		set_text(row, MS_CLAIMED_BY, misrouted->claim->actor);
	}
	if (e->has_message)
		set_value(row, MS_MESSAGE_ID, Int64GetDatum(e->message_id));
	set_enum(row, MS_SEVERITY, e->severity);
	set_value(row, MS_IS_TEST, BoolGetDatum(is_test));
	set_text(row, MS_PATIENT_ID, e->patient);
	set_text(row, MS_FACILITY, e->facility);
	set_text(row, MS_ENCOUNTER_ID, e->encounter);
	set_text(row, MS_SUBJECT, e->subject);
	set_text(row, MS_ITEM, e->item);
	set_text(row, MS_CODE, e->code);
	set_text(row, MS_RECIPIENT, e->recipient);
	set_text(row, MS_RECIPIENT_ROLE, recipient_role(e));
	set_value(row, MS_EXPECTED_ROLES, misrouted->delivery->roles_array);
	set_value(row, MS_REASON, CStringGetTextDatum(misrouted->reason));
	set_text(row, MS_WORKFLOW, misrouted->delivery->workflow);
	set_text(row, MS_STEP, misrouted->delivery->step);
}

/* Sets the columns that tell when missing fields are supplied. */
static void
set_supplied(Row *row, const TimestampTz *supplied_at, int n)
{
	Datum	   *times = palloc(sizeof(Datum) * n);
	TimestampTz settled_at = DT_NOBEGIN;

	for (int i = 0; i < n; i++)
	{
		times[i] = TimestampTzGetDatum(supplied_at[i]);
		settled_at = Max(settled_at, supplied_at[i]);
	}
	set_value(row, MI_SETTLED_AT, TimestampTzGetDatum(settled_at));
	set_value(row, MI_SUPPLIED_AT, PointerGetDatum(construct_array(times, n, TIMESTAMPTZOID, sizeof(TimestampTz),
																	FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
}

/* What an event lacks as a row of missing_state. */
static void
missing_row(Rows *rows, const Missing *missing, bool is_test)
{
	Event	   *e = missing->event;
	Row		   *row = add_row(rows, MI_NCOLUMNS);
	Datum	   *fields = palloc(sizeof(Datum) * missing->fields.n);

	for (int i = 0; i < missing->fields.n; i++)
		fields[i] = PointerGetDatum(cstring_to_text_with_len(missing->fields.items[i].data, missing->fields.items[i].len));
	row->event_id = e->event_id;
	set_value(row, MI_EVENT_ID, Int64GetDatum(e->event_id));
	set_value(row, MI_OCCURRED_AT, TimestampTzGetDatum(e->at));
	set_value(row, MI_IS_TEST, BoolGetDatum(is_test));
	set_text(row, MI_PATIENT_ID, e->patient);
	set_text(row, MI_FACILITY, e->facility);
	set_text(row, MI_ENCOUNTER_ID, e->encounter);
	set_text(row, MI_SUBJECT, e->subject);
	set_text(row, MI_WORKFLOW, missing->requirement->workflow);
	set_text(row, MI_STEP, missing->requirement->step);
	set_value(row, MI_MISSING, PointerGetDatum(construct_array(fields, missing->fields.n, TEXTOID, -1, false, TYPALIGN_INT)));
	set_supplied(row, missing->supplied_at, missing->fields.n);
}

/* Refuses an event of this transaction that a rule wants no duplicate of. */
void
refuse_duplicates(const Duplicate *duplicates, int n)
{
	for (int i = 0; i < n; i++)
		if (duplicates[i].rule->reject && is_refusable(duplicates[i].duplicate->event_id))
			ereport(ERROR,
					(errcode(WT_ERRCODE_DUPLICATE),
					 errmsg("duplicate entry refused"),
					 errdetail("The same entry was recorded as event " INT64_FORMAT ".",
							   duplicates[i].original->event_id),
					 errhint("A duplicate rule of the workflow map with the action \"reject\" asks for this.")));
}

/* --- the store ------------------------------------------------------------- */

/*
 * Begins to keep findings; where rebase is set, the rollups stay as they are.
 * Before setup() of this version there is not yet a place for all of them.
 */
Store *
store_begin(Snapshot snapshot, bool rebase)
{
	Store	   *store = palloc0(sizeof(Store));
	StateTable	loops = {"loop_state", LS_NCOLUMNS, LS_OPENED_EVENT_ID, LS_EXPECTATION_ID,
	LS_PATIENT_ID, LS_SETTLED_AT, CurrentMemoryContext, snapshot};
	StateTable	duplicates = {"duplicate_state", DS_NCOLUMNS, DS_DUPLICATE_EVENT_ID, DS_DUPLICATE_RULE_ID,
	DS_PATIENT_ID, DS_DUPLICATE_AT, CurrentMemoryContext, snapshot};
	StateTable	misrouted = {"misrouted_state", MS_NCOLUMNS, MS_EVENT_ID, -1,
	MS_PATIENT_ID, -1, CurrentMemoryContext, snapshot};

	StateTable	missing = {"missing_state", MI_NCOLUMNS, MI_EVENT_ID, -1,
	MI_PATIENT_ID, MI_SETTLED_AT, CurrentMemoryContext, snapshot};

	store->loops = loops;
	store->duplicates = duplicates;
	store->misrouted = misrouted;
	store->missing = missing;
	store->handoffs = handoff_store_begin(snapshot, rebase);
	store->billing = billing_store_begin(snapshot);
	store->exists = OidIsValid(get_relname_relid("missing_state", schema_oid()));
	store->context = CurrentMemoryContext;
	store->snapshot = snapshot;
	return store;
}

/*
 * Notes that the numbers of some ids are to be brought up to date later.  A row
 * each time: who does that takes the rows that it sees, and with them what they
 * are about.
 */
static void
note_identities(Store *store, const Str *ids, int nids)
{
	if (!store->exists)
		return;
	if (store->identity_stale.rel == NULL)
		table_by_name(&store->identity_stale, store->context, "identity_stale", store->snapshot, RowExclusiveLock);
	for (int i = 0; i < nids; i++)
	{
		Datum		value = PointerGetDatum(cstring_to_text_with_len(ids[i].data, ids[i].len));
		bool		isnull = false;

		table_insert(&store->identity_stale, 1, &value, &isnull);
	}
}

/* Brings loops to what was found since `from`. */
static void
keep_loops(Store *store, Patient *p, const Loop *loops, int n, Rows *kept)
{
	Rows		found = {0, 0, NULL};

	for (int i = 0; i < n; i++)
		loop_row(&found, &loops[i], p->is_test);
	write_differences(&store->loops, kept, &found);
}

/* Brings duplicates to what was found since `from`. */
static void
keep_duplicates(Store *store, Patient *p, const Rules *rules, Rows *kept)
{
	int			n;
	Duplicate  *duplicates = find_duplicates(p, rules, &n);
	Rows		found = {0, 0, NULL};

	refuse_duplicates(duplicates, n);
	for (int i = 0; i < n; i++)
		duplicate_row(&found, &duplicates[i], p->is_test);
	write_differences(&store->duplicates, kept, &found);
}

/* Brings misrouted events to what was found since `from`. */
static void
keep_misrouted(Store *store, Patient *p, const Rules *rules, Rows *kept)
{
	int			n;
	Misrouted  *misrouted = find_misrouted(p, rules, &n);
	Rows		found = {0, 0, NULL};

	for (int i = 0; i < n; i++)
		misrouted_row(&found, &misrouted[i], p->is_test);
	write_differences(&store->misrouted, kept, &found);
}

/* Brings events that lack something to what was found since `from`. */
static void
keep_missing(Store *store, Patient *p, const Rules *rules, Rows *kept)
{
	int			n;
	Missing    *missing = find_missing(p, rules, &n);
	Rows		found = {0, 0, NULL};

	if (!store->exists)
		return;
	for (int i = 0; i < n; i++)
		missing_row(&found, &missing[i], p->is_test);
	write_differences(&store->missing, kept, &found);
}

/* Finds everything about a patient, and keeps it; nothing is kept of a new one. */
void
store_patient(Store *store, Patient *p, const Rules *rules, bool is_new)
{
	Rows		loops = {0, 0, NULL};
	Rows		duplicates = {0, 0, NULL};
	Rows		misrouted = {0, 0, NULL};
	Rows		missing = {0, 0, NULL};
	bool		needs_whole;
	Loop	   *found;
	int			n;

	if (!is_new)
	{
		read_kept(&store->loops, p->ids, p->nids, DT_NOBEGIN, &loops);
		read_kept(&store->duplicates, p->ids, p->nids, DT_NOBEGIN, &duplicates);
		read_kept(&store->misrouted, p->ids, p->nids, DT_NOBEGIN, &misrouted);
		if (store->exists)
			read_kept(&store->missing, p->ids, p->nids, DT_NOBEGIN, &missing);
	}
	found = find_loops(p, rules, &n, &needs_whole);
	keep_loops(store, p, found, n, &loops);
	keep_duplicates(store, p, rules, &duplicates);
	keep_misrouted(store, p, rules, &misrouted);
	keep_missing(store, p, rules, &missing);
	handoff_store_patient(store->handoffs, p, rules, is_new);
	billing_store_patient(store->billing, p, rules, is_new);
	note_identities(store, p->ids, p->nids);
}

/* --- a window -------------------------------------------------------------- */

/* What is kept of a patient, by how a window of events bears on it. */
typedef struct Kept
{
	Rows		loops;			/* opened since `from` */
	Rows		open_loops;		/* opened before, not settled before */
	Rows		duplicates;		/* since `from` */
	Rows		misrouted;		/* since `from` */
	Rows		unclaimed;		/* misrouted before, not claimed before */
	Rows		missing;		/* of events since `from` */
	Rows		unsupplied;		/* of events before, not supplied before */
} Kept;

/* Sorts kept loops out. */
static void
read_loops(Store *store, const Str *ids, int nids, TimestampTz from, int64 lookback, Kept *kept)
{
	Rows		rows = {0, 0, NULL};

	read_kept(&store->loops, ids, nids, from - lookback, &rows);
	for (int i = 0; i < rows.n; i++)
	{
		const Row  *row = &rows.rows[i];

		if (DatumGetTimestampTz(row->values[LS_OPENED_AT]) >= from)
			add_kept_row(&kept->loops, row);
		else if (DatumGetTimestampTz(row->values[LS_SETTLED_AT]) >= from)
			add_kept_row(&kept->open_loops, row);
	}
}

/* Sorts kept misrouted events out. */
static void
read_misrouted(Store *store, const Str *ids, int nids, TimestampTz from, Kept *kept)
{
	Rows		rows = {0, 0, NULL};

	read_kept(&store->misrouted, ids, nids, DT_NOBEGIN, &rows);
	for (int i = 0; i < rows.n; i++)
	{
		const Row  *row = &rows.rows[i];

		if (DatumGetTimestampTz(row->values[MS_OCCURRED_AT]) >= from)
			add_kept_row(&kept->misrouted, row);
		else if (row->nulls[MS_CLAIMED_AT] || DatumGetTimestampTz(row->values[MS_CLAIMED_AT]) >= from)
			add_kept_row(&kept->unclaimed, row);
	}
}

/* Sorts kept events that lack something out. */
static void
read_missing(Store *store, const Str *ids, int nids, TimestampTz from, Kept *kept)
{
	Rows		rows = {0, 0, NULL};

	if (store->exists)
		read_kept(&store->missing, ids, nids, from, &rows);
	for (int i = 0; i < rows.n; i++)
	{
		const Row  *row = &rows.rows[i];
		bool		is_later = DatumGetTimestampTz(row->values[MI_OCCURRED_AT]) >= from;

		add_kept_row(is_later ? &kept->missing : &kept->unsupplied, row);
	}
}

/* The opening event of a kept loop, as far as answers to it depend on it. */
static OpenLoop
open_loop(const Row *row)
{
	OpenLoop	loop;

	memset(&loop, 0, sizeof(loop));
	loop.rule_id = row->key;
	loop.opener.event_id = row->event_id;
	loop.opener.at = loop.opener.end = DatumGetTimestampTz(row->values[LS_OPENED_AT]);
	loop.opener.encounter = row_text(row, LS_ENCOUNTER_ID);
	loop.opener.subject = row_text(row, LS_SUBJECT);
	loop.opener.item = row_text(row, LS_ITEM);
	loop.opener.code = row_text(row, LS_CODE);
	return loop;
}

/* A kept misrouted event, as far as claims of it depend on it. */
static OpenMisrouted
open_misrouted(const Row *row)
{
	OpenMisrouted open;

	memset(&open, 0, sizeof(open));
	open.workflow = row_text(row, MS_WORKFLOW);
	open.step = row_text(row, MS_STEP);
	open.event.subject = row_text(row, MS_SUBJECT);
	return open;
}

/* A kept event that lacks something, as far as what supplies it depends on it. */
static OpenMissing
open_missing(const Row *row)
{
	OpenMissing open;
	Datum	   *items;
	bool	   *nulls;
	int			n;

	memset(&open, 0, sizeof(open));
	open.workflow = row_text(row, MI_WORKFLOW);
	open.step = row_text(row, MI_STEP);
	open.event.subject = row_text(row, MI_SUBJECT);
	deconstruct_array(DatumGetArrayTypeP(row->values[MI_MISSING]), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &open.fields.n);
	open.fields.items = palloc(sizeof(Str) * open.fields.n);
	for (int i = 0; i < open.fields.n; i++)
		open.fields.items[i] = str_of_datum(items[i]);
	deconstruct_array(DatumGetArrayTypeP(row->values[MI_SUPPLIED_AT]), TIMESTAMPTZOID, sizeof(TimestampTz),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &items, &nulls, &n);
	open.supplied_at = palloc(sizeof(TimestampTz) * n);
	for (int i = 0; i < n; i++)
		open.supplied_at[i] = DatumGetTimestampTz(items[i]);
	return open;
}

/* Writes when what a kept event lacks is supplied, where that is not when it was before. */
static void
update_missing(Store *store, Row *row, const OpenMissing *open)
{
	Datum		before = row->values[MI_SUPPLIED_AT];

	set_supplied(row, open->supplied_at, open->fields.n);
	if (!datum_image_eq(before, row->values[MI_SUPPLIED_AT], false, -1))
		update_row(&store->missing, row);
}

/* Writes what settles a kept loop now, where it is not what settled it before. */
static void
update_loop(Store *store, Row *row, const OpenLoop *loop)
{
	Event	   *end = loop->closer != NULL ? loop->closer : loop->canceller;
	TimestampTz settled_at = end != NULL ? end->at : DT_NOEND;
	bool		was_closed = !row->nulls[LS_CLOSED_EVENT_ID];

	if (DatumGetTimestampTz(row->values[LS_SETTLED_AT]) == settled_at &&
		DatumGetBool(row->values[LS_IS_CANCELLED]) == (loop->canceller != NULL) &&
		was_closed == (loop->closer != NULL) &&
		(!was_closed || DatumGetInt64(row->values[LS_CLOSED_EVENT_ID]) == end->event_id))
		return;
	row->nulls[LS_CLOSED_EVENT_ID] = row->nulls[LS_CLOSED_BY] = row->nulls[LS_CLOSED_BY_ROLE] = true;
	set_settled(row, loop->closer, loop->canceller);
	update_row(&store->loops, row);
}

/* Writes who claimed a kept misrouted event, where it is not who did before. */
static void
update_misrouted(Store *store, Row *row, const OpenMisrouted *open)
{
	if (open->claim == NULL)
		return;
	if (!row->nulls[MS_CLAIMED_AT] &&
		DatumGetTimestampTz(row->values[MS_CLAIMED_AT]) == open->claim->at &&
		str_equal(row_text(row, MS_CLAIMED_BY), open->claim->actor))
		return;
	set_value(row, MS_CLAIMED_AT, TimestampTzGetDatum(open->claim->at));
	set_text(row, MS_CLAIMED_BY, open->claim->actor);
	update_row(&store->misrouted, row);
}

/*
 * Finds what events that are all at or after `from` change of what is kept, by
 * looking at a window of events; false, and nothing is written, where that is
 * not enough.  Billing looks at encounters from their beginning, at what
 * happened since `since`, but only where they are told something that it minds.
 */
bool
store_window(Store *store, Loader *loader, List *ids, TimestampTz since, TimestampTz from, bool linked)
{
	const Rules *rules = loader_rules(loader);
	int			nids = list_length(ids);
	Str		   *id = palloc(sizeof(Str) * nids);
	Kept		kept;
	Earlier		earlier;
	Patient    *p;
	Loop	   *loops;
	int			nloops;
	bool		needs_whole;

	memset(&kept, 0, sizeof(kept));
	for (int i = 0; i < nids; i++)
		id[i] = *(Str *) list_nth(ids, i);
	read_loops(store, id, nids, from, rules->lookback, &kept);
	read_misrouted(store, id, nids, from, &kept);
	read_missing(store, id, nids, from, &kept);
	read_kept(&store->duplicates, id, nids, from, &kept.duplicates);
	earlier.nloops = kept.open_loops.n;
	earlier.loops = palloc(sizeof(OpenLoop) * Max(earlier.nloops, 1));
	for (int i = 0; i < earlier.nloops; i++)
		earlier.loops[i] = open_loop(&kept.open_loops.rows[i]);
	earlier.nmisrouted = kept.unclaimed.n;
	earlier.misrouted = palloc(sizeof(OpenMisrouted) * Max(earlier.nmisrouted, 1));
	for (int i = 0; i < earlier.nmisrouted; i++)
		earlier.misrouted[i] = open_misrouted(&kept.unclaimed.rows[i]);
	earlier.nmissing = kept.unsupplied.n;
	earlier.missing = palloc(sizeof(OpenMissing) * Max(earlier.nmissing, 1));
	for (int i = 0; i < earlier.nmissing; i++)
		earlier.missing[i] = open_missing(&kept.unsupplied.rows[i]);

	p = loader_window(loader, ids, from, linked, &earlier);
	loops = find_loops(p, rules, &nloops, &needs_whole);
	if (needs_whole)
		return false;
	settle_loops(p, rules, &earlier);
	claim_misrouted(p, rules, &earlier);
	supply_missing(p, rules, &earlier);
	keep_loops(store, p, loops, nloops, &kept.loops);
	for (int i = 0; i < earlier.nloops; i++)
		if (earlier.loops[i].is_known)
			update_loop(store, &kept.open_loops.rows[i], &earlier.loops[i]);
	keep_duplicates(store, p, rules, &kept.duplicates);
	keep_misrouted(store, p, rules, &kept.misrouted);
	for (int i = 0; i < earlier.nmisrouted; i++)
		if (earlier.misrouted[i].is_known)
			update_misrouted(store, &kept.unclaimed.rows[i], &earlier.misrouted[i]);
	keep_missing(store, p, rules, &kept.missing);
	for (int i = 0; i < earlier.nmissing; i++)
		update_missing(store, &kept.unsupplied.rows[i], &earlier.missing[i]);
	handoff_store_later(store->handoffs, id, nids);
	if (has_billed(p))
		billing_store_patient(store->billing, loader_patient(loader, ids, since, linked), rules, false);
	note_identities(store, id, nids);
	return true;
}

/* Writes what is still unwritten. */
void
store_end(Store *store)
{
	table_done(&store->loops.table);
	table_done(&store->duplicates.table);
	table_done(&store->misrouted.table);
	table_done(&store->missing.table);
	handoff_store_end(store->handoffs);
	billing_store_end(store->billing);
	table_done(&store->identity_stale);
}
