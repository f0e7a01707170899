/*
 * table.c
 *	  Tables of the extension read and written straight, without SQL.
 *
 * Detection runs at the end of every recording transaction, as whoever records,
 * and at any isolation level: it needs a snapshot of its own, no privileges of
 * the recorder's on kept state, no search_path and no plans to keep.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "detect/table.h"

/* So many rows are written at once, if they take no more room than this. */
#define BUFFERED_ROWS 4000
#define BUFFERED_BYTES (2 * 1024 * 1024)

/* The schema that everything lives in. */
Oid
schema_oid(void)
{
	return get_namespace_oid("workflow_track", false);
}

/* A table that setup() makes. */
Oid
table_oid(const char *name)
{
	Oid			relid = get_relname_relid(name, schema_oid());

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"workflow_track.%s\" does not exist", name),
				 errhint("Run SELECT workflow_track.setup().")));
	return relid;
}

/*
 * Opens a table, in a context that must live until table_done(); the index to
 * find rows by is chosen by table_use_index().
 */
void
table_by_oid(Table *table, MemoryContext context, Oid relid, Snapshot snapshot, LOCKMODE mode)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	memset(table, 0, sizeof(Table));
	table->context = context;
	table->rel = table_open(relid, mode);
	table->snapshot = snapshot;
	table->slot = table_slot_create(table->rel, NULL);
	MemoryContextSwitchTo(old);
}

/* The same by name. */
void
table_by_name(Table *table, MemoryContext context, const char *name, Snapshot snapshot, LOCKMODE mode)
{
	table_by_oid(table, context, table_oid(name), snapshot, mode);
}

/* Does an index serve look-ups by these columns (the second may be 0)? */
static bool
index_serves(Relation index, AttrNumber first, AttrNumber second)
{
	Form_pg_index form = index->rd_index;

	return form->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
		RelationGetIndexPredicate(index) == NIL &&
		form->indkey.values[0] == first &&
		(second == 0 || (form->indnkeyatts > 1 && form->indkey.values[1] == second));
}

/* Finds and opens the index that begins with the given columns. */
void
table_use_index(Table *table, AttrNumber first, AttrNumber second)
{
	ListCell   *lc;
	List	   *indexes = RelationGetIndexList(table->rel);

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index_serves(index, first, second))
		{
			table->index = index;
			break;
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	if (table->index == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" lacks the index on its column %d",
						RelationGetRelationName(table->rel), first),
				 errhint("Run SELECT workflow_track.setup().")));
}

/* Sets the first key to a text. */
void
table_key_text(Table *table, Str value)
{
	ScanKeyInit(&table->keys[0], 1, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(value.data, value.len)));
}

/* Begins to read the rows that fit keys[0 .. nkeys - 1]. */
void
table_find(Table *table, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(table->context);

	if (table->scan == NULL)
		table->scan = wt_index_beginscan(table->rel, table->index, table->snapshot, nkeys);
	index_rescan(table->scan, table->keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

/* Puts the next row into the slot; false when there is none. */
bool
table_next(Table *table)
{
	/* the index keeps what it allocates here until the scan ends */
	MemoryContext old = MemoryContextSwitchTo(table->context);
	bool		found = index_getnext_slot(table->scan, ForwardScanDirection, table->slot);

	MemoryContextSwitchTo(old);
	return found;
}

/* Prepares for writing; whether rows may be refused by unique keys is said once. */
static void
table_begin_writing(Table *table, bool unique)
{
	MemoryContext old;

	if (table->estate != NULL)
		return;
	old = MemoryContextSwitchTo(table->context);
	table->estate = CreateExecutorState();
	table->estate->es_snapshot = table->snapshot;	/* PostgreSQL 19 looks at conflicting rows by it */
	table->result = makeNode(ResultRelInfo);
	InitResultRelInfo(table->result, table->rel, 1, NULL, 0);
	ExecOpenIndices(table->result, unique);
	table->desc = CreateTupleDescCopy(RelationGetDescr(table->rel));
	MemoryContextSwitchTo(old);
}

/* Adds the row that a slot holds to the indexes. */
static void
table_index_row(Table *table, TupleTableSlot *slot, WtUpdateIndexes which)
{
	if (table->result->ri_NumIndices > 0)
		list_free(wt_insert_index_tuples(table->result, slot, table->estate, which));
	ResetPerTupleExprContext(table->estate);
}

/* Writes what table_insert() has gathered. */
void
table_flush(Table *table)
{
	if (table->nbuffered == 0)
		return;
	if (table->bulk == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(table->context);

		table->bulk = GetBulkInsertState();
		MemoryContextSwitchTo(old);
	}
	table_multi_insert(table->rel, table->buffer, table->nbuffered,
					   GetCurrentCommandId(true), 0, table->bulk);
	if (!table_index_batch(table))
		for (int i = 0; i < table->nbuffered; i++)
			table_index_row(table, table->buffer[i], WT_UPDATE_ALL_INDEXES);
	for (int i = 0; i < table->nbuffered; i++)
		ExecClearTuple(table->buffer[i]);
	table->nbuffered = 0;
	table->bytes_buffered = 0;
}

/* Refuses a table that another version has made. */
void
table_check_columns(Table *table, int ncolumns)
{
	if (RelationGetDescr(table->rel)->natts != ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"workflow_track.%s\" has %d columns, not %d",
						RelationGetRelationName(table->rel),
						RelationGetDescr(table->rel)->natts, ncolumns),
				 errhint("Run SELECT workflow_track.setup().")));
}

/* A row of a table. */
static HeapTuple
form_row(Table *table, int ncolumns, const Datum *values, const bool *nulls)
{
	table_check_columns(table, ncolumns);
	return heap_form_tuple(RelationGetDescr(table->rel), unconstify(Datum *, values),
						   unconstify(bool *, nulls));
}

/* Inserts a row, sooner or later; its values are copied. */
void
table_insert(Table *table, int ncolumns, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot;
	MemoryContext old;

	table_begin_writing(table, false);
	old = MemoryContextSwitchTo(table->estate->es_query_cxt);
	if (table->nbuffered == table->nslots)
	{
		if (table->nslots == table->buffer_size)
		{
			table->buffer_size = Max(8, 2 * table->buffer_size);
			table->buffer = table->buffer == NULL
				? palloc(sizeof(TupleTableSlot *) * table->buffer_size)
				: repalloc(table->buffer, sizeof(TupleTableSlot *) * table->buffer_size);
		}
		table->buffer[table->nslots] =
			MakeSingleTupleTableSlot(table->desc, &TTSOpsHeapTuple);
		table->nslots++;
	}
	slot = table->buffer[table->nbuffered++];
	ExecClearTuple(slot);
	ExecForceStoreHeapTuple(form_row(table, ncolumns, values, nulls), slot, true);
	slot->tts_tableOid = RelationGetRelid(table->rel);
	table->bytes_buffered += ((HeapTupleTableSlot *) slot)->tuple->t_len;
	MemoryContextSwitchTo(old);
	if (table->nbuffered == BUFFERED_ROWS || table->bytes_buffered > BUFFERED_BYTES)
		table_flush(table);
}

/* A row of a table in a slot of its own. */
static TupleTableSlot *
row_slot(Table *table, int ncolumns, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table->rel), &TTSOpsHeapTuple);

	ExecForceStoreHeapTuple(form_row(table, ncolumns, values, nulls), slot, true);
	slot->tts_tableOid = RelationGetRelid(table->rel);
	return slot;
}

/*
 * Inserts a row at once; false if there is one with a key of it.  Waits for those
 * who write one, as ON CONFLICT DO NOTHING does, but at any isolation level, and
 * looks for others only where there are any.
 */
bool
table_insert_unique(Table *table, int ncolumns, const Datum *values, const bool *nulls)
{
	TransactionId xid = GetCurrentTransactionId();
	TupleTableSlot *slot;
	ItemPointerData other;
	bool		taken;

	table_begin_writing(table, true);
	slot = row_slot(table, ncolumns, values, nulls);
	do
	{
		uint32		token = SpeculativeInsertionLockAcquire(xid);

		taken = false;
		table_tuple_insert_speculative(table->rel, slot, GetCurrentCommandId(true), 0, NULL, token);
		list_free(wt_try_index_tuples(table->result, slot, table->estate, &taken));
		table_tuple_complete_speculative(table->rel, slot, token, !taken);
		SpeculativeInsertionLockRelease(xid);
	} while (taken && wt_is_unique(table->result, slot, table->estate, &other));
	ExecDropSingleTupleTableSlot(slot);
	ResetPerTupleExprContext(table->estate);
	return !taken;
}

/* Sees to it that this transaction alone may change a row, and waits for others; false if it is not as it was. */
bool
table_lock(Table *table, ItemPointer tid)
{
	TM_FailureData failure;

	return table_tuple_lock(table->rel, tid, table->snapshot, table->slot, GetCurrentCommandId(true),
							LockTupleExclusive, LockWaitBlock, 0, &failure) == TM_Ok;
}

/* Replaces a row that this transaction alone may change. */
void
table_update(Table *table, const ItemPointerData *tid, int ncolumns, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot;
	ItemPointerData old = *tid;
	WtUpdateIndexes which;

	table_begin_writing(table, false);
	slot = row_slot(table, ncolumns, values, nulls);
	simple_table_tuple_update(table->rel, &old, slot, table->snapshot, &which);
	if (which != WT_UPDATE_NO_INDEX)
		table_index_row(table, slot, which);
	ExecDropSingleTupleTableSlot(slot);
}

/* Deletes a row that this transaction alone may change. */
void
table_delete(Table *table, ItemPointer tid)
{
	simple_table_tuple_delete(table->rel, tid, table->snapshot);
}

/* Deletes a row unless another transaction has it in hand. */
void
table_try_delete(Table *table, ItemPointer tid)
{
	TM_FailureData failure;

	(void) wt_table_try_delete(table->rel, tid, table->snapshot, &failure);
}

/* Flushes and closes; locks stay to the end of the transaction. */
void
table_done(Table *table)
{
	if (table->rel == NULL)
		return;
	table_flush(table);
	if (table->bulk != NULL)
		FreeBulkInsertState(table->bulk);
	for (int i = 0; i < table->nslots; i++)
		ExecDropSingleTupleTableSlot(table->buffer[i]);
	if (table->scan != NULL)
		index_endscan(table->scan);
	if (table->result != NULL)
		ExecCloseIndices(table->result);
	if (table->estate != NULL)
		FreeExecutorState(table->estate);
	if (table->index != NULL)
		index_close(table->index, NoLock);
	ExecDropSingleTupleTableSlot(table->slot);
	table_close(table->rel, NoLock);
	memset(table, 0, sizeof(Table));
}

/*
 * The latest snapshot, for what backends keep a copy of.  A parallel query may
 * take none; its own is as good for its own purposes.
 */
Snapshot
reference_snapshot(void)
{
	return IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot();
}

/* Reads every row of a small table as it is now. */
void
table_read(const char *name, int ncolumns, const char *const *columns,
		   RowReader reader, void *arg)
{
	Snapshot	snapshot = RegisterSnapshot(reference_snapshot());
	Relation	rel = table_open(table_oid(name), AccessShareLock);
	TableScanDesc scan = wt_table_beginscan(rel, snapshot);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	AttrNumber *attributes = palloc(sizeof(AttrNumber) * ncolumns);
	Datum	   *values = palloc(sizeof(Datum) * ncolumns);
	bool	   *nulls = palloc(sizeof(bool) * ncolumns);

	for (int i = 0; i < ncolumns; i++)
	{
		attributes[i] = get_attnum(RelationGetRelid(rel), columns[i]);
		if (attributes[i] == InvalidAttrNumber)
			elog(ERROR, "table \"%s\" has no column \"%s\"", name, columns[i]);
	}
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		for (int i = 0; i < ncolumns; i++)
			values[i] = slot_getattr(slot, attributes[i], &nulls[i]);
		reader(arg, values, nulls);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	UnregisterSnapshot(snapshot);
}
