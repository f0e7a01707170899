/*
 * store.c
 *	  Brings kept loops, duplicates and misrouted events to what was found.
 *
 * Each finding becomes a row; what is kept already is compared with it, and only
 * differences are written.  The patient is locked, so nobody else writes them.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/store.h"
#include "detect/table.h"
#include "detect/touched.h"

/* A row as values; key tells rows of one event apart. */
typedef struct Row
{
	int64		event_id;
	int32		key;
	bool		matched;
	ItemPointerData tid;		/* of a kept row */
	Datum	   *values;
	bool	   *nulls;
} Row;

typedef struct Rows
{
	int			n;
	int			size;
	Row		   *rows;
} Rows;

/* A table of kept state. */
typedef struct StateTable
{
	const char *name;
	int			ncolumns;
	int			event_column;
	int			key_column;		/* -1: rows of one event are told apart by their order */
	int			patient_column;
	Table		table;
} StateTable;

struct Store
{
	MemoryContext context;
	Snapshot	snapshot;
	StateTable	loops;
	StateTable	duplicates;
	StateTable	misrouted;
	HandoffStore *handoffs;
};

/* --- rows ------------------------------------------------------------------ */

/* A new row, all null. */
static Row *
add_row(Rows *rows, int ncolumns)
{
	Row		   *row;

	if (rows->n == rows->size)
	{
		rows->size = Max(32, rows->size * 2);
		rows->rows = rows->rows == NULL ? palloc(sizeof(Row) * rows->size)
			: repalloc_huge(rows->rows, sizeof(Row) * rows->size);
	}
	row = &rows->rows[rows->n++];
	memset(row, 0, sizeof(Row));
	row->values = palloc0((sizeof(Datum) + sizeof(bool)) * ncolumns);
	row->nulls = (bool *) (row->values + ncolumns);
	memset(row->nulls, true, ncolumns);
	return row;
}

/* Sets a column to a text; a null stays one. */
static void
set_text(Row *row, int column, Str s)
{
	if (s.data == NULL)
		return;
	row->values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
	row->nulls[column] = false;
}

/* Sets a column to something that is not a text. */
static void
set_value(Row *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* Sets an enum column; InvalidOid is null. */
static void
set_enum(Row *row, int column, Oid value)
{
	if (OidIsValid(value))
		set_value(row, column, ObjectIdGetDatum(value));
}

/* Order by event and key, for qsort. */
static int
compare_rows(const void *a, const void *b)
{
	const Row  *x = a;
	const Row  *y = b;

	if (x->event_id != y->event_id)
		return x->event_id < y->event_id ? -1 : 1;
	return x->key == y->key ? 0 : x->key < y->key ? -1 : 1;
}

/* Are two rows equal in every column? */
static bool
rows_equal(TupleDesc desc, const Row *a, const Row *b)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (a->nulls[i] != b->nulls[i])
			return false;
		if (!a->nulls[i] && !datum_image_eq(a->values[i], b->values[i], att->attbyval, att->attlen))
			return false;
	}
	return true;
}

/* --- bringing a table to what was found ------------------------------------ */

/* Opens the table when it is first needed. */
static Table *
state_table(Store *store, StateTable *state)
{
	if (state->table.rel == NULL)
	{
		table_by_name(&state->table, store->context, state->name, store->snapshot, RowExclusiveLock);
		table_use_index(&state->table, state->patient_column + 1, 0);
		if (RelationGetDescr(state->table.rel)->natts != state->ncolumns)
			elog(ERROR, "table \"%s\" has %d columns, not %d", state->name,
				 RelationGetDescr(state->table.rel)->natts, state->ncolumns);
	}
	return &state->table;
}

/* Reads the rows that are kept of a patient. */
static void
read_kept(Store *store, StateTable *state, Patient *p, Rows *kept)
{
	Table	   *table = state_table(store, state);

	for (int i = 0; i < p->nids; i++)
	{
		table_key_text(table, p->ids[i]);
		table_find(table, 1);
		while (table_next(table))
		{
			HeapTuple	tuple = ExecCopySlotHeapTuple(table->slot);
			Row		   *row = add_row(kept, state->ncolumns);

			heap_deform_tuple(tuple, RelationGetDescr(table->rel), row->values, row->nulls);
			row->tid = table->slot->tts_tid;
			row->event_id = DatumGetInt64(row->values[state->event_column]);
			if (state->key_column >= 0)
				row->key = DatumGetInt32(row->values[state->key_column]);
		}
	}
}

/* Numbers the rows of each event by order, where they have no key. */
static void
number_rows(Rows *rows)
{
	for (int i = 1; i < rows->n; i++)
		if (rows->rows[i].event_id == rows->rows[i - 1].event_id)
			rows->rows[i].key = rows->rows[i - 1].key + 1;
}

/* Sorts rows so that those of the same finding meet. */
static void
arrange(StateTable *state, Rows *rows)
{
	if (rows->n > 1)
		qsort(rows->rows, rows->n, sizeof(Row), compare_rows);
	if (state->key_column < 0)
		number_rows(rows);
}

/* Writes what differs between kept and found rows. */
static void
write_differences(Store *store, StateTable *state, Rows *kept, Rows *found)
{
	Table	   *table = state_table(store, state);
	TupleDesc	desc = RelationGetDescr(table->rel);
	int			k = 0;

	arrange(state, kept);
	arrange(state, found);
	for (int f = 0; f < found->n; f++)
	{
		Row		   *row = &found->rows[f];

		while (k < kept->n && compare_rows(&kept->rows[k], row) < 0)
			table_delete(table, &kept->rows[k++].tid);
		if (k < kept->n && compare_rows(&kept->rows[k], row) == 0)
		{
			if (!rows_equal(desc, &kept->rows[k], row))
				table_update(table, &kept->rows[k].tid, row->values, row->nulls);
			k++;
		}
		else
			table_insert(table, row->values, row->nulls);
	}
	while (k < kept->n)
		table_delete(table, &kept->rows[k++].tid);
}

/* Brings a table to what was found of a patient. */
static void
keep_rows(Store *store, StateTable *state, Patient *p, Rows *found, bool is_new)
{
	Rows		kept = {0, 0, NULL};

	if (!is_new)
		read_kept(store, state, p, &kept);
	if (kept.n > 0 || found->n > 0)
		write_differences(store, state, &kept, found);
}

/* --- findings as rows ------------------------------------------------------ */

/* A loop as a row of loop_state. */
static void
loop_row(Rows *rows, const Loop *loop, bool is_test)
{
	Event	   *o = loop->opener;
	Event	   *end = loop->closer != NULL ? loop->closer : loop->canceller;
	Row		   *row = add_row(rows, LS_NCOLUMNS);
	bool		by_recipient = o->recipient.data != NULL;

	row->event_id = o->event_id;
	row->key = loop->rule->id;
	set_value(row, LS_OPENED_EVENT_ID, Int64GetDatum(o->event_id));
	set_value(row, LS_OPENED_AT, TimestampTzGetDatum(o->at));
	set_value(row, LS_DUE_AT, TimestampTzGetDatum(loop->due_at));
	set_value(row, LS_SETTLED_AT, TimestampTzGetDatum(end != NULL ? end->at : DT_NOEND));
	if (loop->closer != NULL)
	{
		set_value(row, LS_CLOSED_EVENT_ID, Int64GetDatum(end->event_id));
		set_text(row, LS_CLOSED_BY, end->actor);
		set_text(row, LS_CLOSED_BY_ROLE, actor_role(end));
	}
	if (o->has_message)
		set_value(row, LS_OPENED_MESSAGE_ID, Int64GetDatum(o->message_id));
	set_value(row, LS_EXPECTATION_ID, Int32GetDatum(loop->rule->id));
	set_enum(row, LS_SEVERITY, o->severity);
	set_value(row, LS_IS_CANCELLED, BoolGetDatum(loop->canceller != NULL));
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

/* Begins to keep findings; where rebase is set, the rollups stay as they are. */
Store *
store_begin(Snapshot snapshot, bool rebase)
{
	Store	   *store = palloc0(sizeof(Store));
	StateTable	loops = {"loop_state", LS_NCOLUMNS, LS_OPENED_EVENT_ID, LS_EXPECTATION_ID, LS_PATIENT_ID};
	StateTable	duplicates = {"duplicate_state", DS_NCOLUMNS, DS_DUPLICATE_EVENT_ID,
	DS_DUPLICATE_RULE_ID, DS_PATIENT_ID};
	StateTable	misrouted = {"misrouted_state", MS_NCOLUMNS, MS_EVENT_ID, -1, MS_PATIENT_ID};

	store->context = CurrentMemoryContext;
	store->snapshot = snapshot;
	store->loops = loops;
	store->duplicates = duplicates;
	store->misrouted = misrouted;
	store->handoffs = handoff_store_begin(snapshot, rebase);
	return store;
}

/* Finds everything about a patient, and keeps it; nothing is kept of a new one. */
void
store_patient(Store *store, Patient *p, const Rules *rules, bool is_new)
{
	int			n;
	Loop	   *loops = find_loops(p, rules, &n);
	Duplicate  *duplicates;
	Misrouted  *misrouted;
	Rows		found = {0, 0, NULL};

	for (int i = 0; i < n; i++)
		loop_row(&found, &loops[i], p->is_test);
	keep_rows(store, &store->loops, p, &found, is_new);

	duplicates = find_duplicates(p, rules, &n);
	refuse_duplicates(duplicates, n);
	found.n = 0;
	for (int i = 0; i < n; i++)
		duplicate_row(&found, &duplicates[i], p->is_test);
	keep_rows(store, &store->duplicates, p, &found, is_new);

	misrouted = find_misrouted(p, rules, &n);
	found.n = 0;
	for (int i = 0; i < n; i++)
		misrouted_row(&found, &misrouted[i], p->is_test);
	keep_rows(store, &store->misrouted, p, &found, is_new);

	handoff_store_patient(store->handoffs, p, rules, is_new);
}

/* Writes what is still unwritten. */
void
store_end(Store *store)
{
	table_done(&store->loops.table);
	table_done(&store->duplicates.table);
	table_done(&store->misrouted.table);
	handoff_store_end(store->handoffs);
}
