/*
 * rows.c
 *	  Rows of kept state: reading them, and writing what differs.
 *
 * Each finding becomes a row; what is kept already is compared with it, and only
 * differences are written.  The patient is locked, so nobody else writes them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "detect/rows.h"

/* A new row, all null. */
Row *
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

/* Adds a row that is kept already. */
void
add_kept_row(Rows *rows, const Row *row)
{
	*add_row(rows, 0) = *row;
}

/* A column that is a text. */
Str
row_text(const Row *row, int column)
{
	Str			none = {NULL, 0};

	return row->nulls[column] ? none : str_of_datum(row->values[column]);
}

/* Sets a column to a text; a null stays one. */
void
set_text(Row *row, int column, Str s)
{
	if (s.data == NULL)
		return;
	row->values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
	row->nulls[column] = false;
}

/* Sets a column to something that is not a text. */
void
set_value(Row *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* Sets an enum column; InvalidOid is null. */
void
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
state_table(StateTable *state)
{
	if (state->table.rel == NULL)
	{
		table_by_name(&state->table, state->context, state->name, state->snapshot, RowExclusiveLock);
		table_use_index(&state->table, state->patient_column + 1, state->since_column + 1);
		table_check_columns(&state->table, state->ncolumns);
	}
	return &state->table;
}

/*
 * Reads the rows that are kept of some patient ids; where the index tells, those
 * since a moment.
 */
void
read_kept(StateTable *state, const Str *ids, int nids, TimestampTz since, Rows *kept)
{
	Table	   *table = state_table(state);
	int			nkeys = state->since_column < 0 ? 1 : 2;

	ScanKeyInit(&table->keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	for (int i = 0; i < nids; i++)
	{
		table_key_text(table, ids[i]);
		table_find(table, nkeys);
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
void
write_differences(StateTable *state, Rows *kept, Rows *found)
{
	Table	   *table;
	TupleDesc	desc;
	int			k = 0;

	if (kept->n == 0 && found->n == 0)
		return;
	table = state_table(state);
	desc = RelationGetDescr(table->rel);
	if (kept->n > 0)
	{
		arrange(state, kept);
		arrange(state, found);
	}
	for (int f = 0; f < found->n; f++)
	{
		Row		   *row = &found->rows[f];

		while (k < kept->n && compare_rows(&kept->rows[k], row) < 0)
			table_delete(table, &kept->rows[k++].tid);
		if (k < kept->n && compare_rows(&kept->rows[k], row) == 0)
		{
			if (!rows_equal(desc, &kept->rows[k], row))
				table_update(table, &kept->rows[k].tid, state->ncolumns, row->values, row->nulls);
			k++;
		}
		else
			table_insert(table, state->ncolumns, row->values, row->nulls);
	}
	while (k < kept->n)
		table_delete(table, &kept->rows[k++].tid);
}

/* Writes a kept row whose values were changed. */
void
update_row(StateTable *state, Row *row)
{
	table_update(state_table(state), &row->tid, state->ncolumns, row->values, row->nulls);
}
