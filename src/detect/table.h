/*
 * table.h
 *	  Tables of the extension read and written straight, without SQL: rows found
 *	  by the leading columns of an index, inserted in batches, updated, deleted.
 */
#ifndef WT_TABLE_H
#define WT_TABLE_H

#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "detect/detect.h"

typedef struct Table
{
	MemoryContext context;		/* of all that the table needs while it is open */
	Relation	rel;
	Relation	index;
	Snapshot	snapshot;
	IndexScanDesc scan;
	ScanKeyData keys[2];
	TupleTableSlot *slot;		/* the row that was found last */
	/* writing */
	EState	   *estate;
	ResultRelInfo *result;
	struct BulkInsertStateData *bulk;
	TupleDesc	desc;			/* of the rows that are gathered: a copy, which is not counted by the server */
	int			nbuffered;
	Size		bytes_buffered;
	int			nslots;
	int			buffer_size;
	TupleTableSlot **buffer;
} Table;

extern Oid	schema_oid(void);
extern Oid	table_oid(const char *name);
extern void table_by_oid(Table *table, MemoryContext context, Oid relid, Snapshot snapshot, LOCKMODE mode);
extern void table_by_name(Table *table, MemoryContext context, const char *name, Snapshot snapshot,
						  LOCKMODE mode);
extern void table_use_index(Table *table, AttrNumber first, AttrNumber second);
extern void table_key_text(Table *table, Str value);
extern void table_find(Table *table, int nkeys);
extern bool table_next(Table *table);
extern void table_check_columns(Table *table, int ncolumns);
extern void table_insert(Table *table, int ncolumns, const Datum *values, const bool *nulls);
extern void table_flush(Table *table);
extern bool table_index_batch(Table *table);
extern bool table_insert_unique(Table *table, int ncolumns, const Datum *values, const bool *nulls);
extern void table_update(Table *table, const ItemPointerData *tid, int ncolumns, const Datum *values,
						 const bool *nulls);
extern bool table_lock(Table *table, ItemPointer tid);
extern void table_delete(Table *table, ItemPointer tid);
extern void table_try_delete(Table *table, ItemPointer tid);
extern void table_done(Table *table);

extern Snapshot reference_snapshot(void);

/* Rows of a small table, by names of columns. */
typedef void (*RowReader) (void *arg, const Datum *values, const bool *nulls);
extern void table_read(const char *name, int ncolumns, const char *const *columns,
					   RowReader reader, void *arg);

#endif							/* WT_TABLE_H */
