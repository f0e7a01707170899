/*
 * table_index.c
 *	  Adds rows to the indexes of their table: a batch at a time, index by index,
 *	  in the order of each.
 *
 * Rows come in the order of patients; an index on times or rules would have them
 * all over its leaves.  In its own order neighbours meet in the cache, which
 * takes half the time.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"

#include "compat.h"
#include "detect/table.h"

/* A row as an index has it. */
typedef struct IndexRow
{
	ItemPointerData tid;
	Datum	   *values;
	bool	   *nulls;
} IndexRow;

/* How an index orders its rows. */
typedef struct IndexOrder
{
	int			nkeys;
	SortSupport keys;
} IndexOrder;

/* Can rows be added to an index without more ado? */
static bool
is_plain(Relation index, const IndexInfo *info)
{
	return index->rd_rel->relam == BTREE_AM_OID && info->ii_ReadyForInserts && info->ii_Expressions == NIL &&
		info->ii_ExclusionOps == NULL && (!info->ii_Unique || index->rd_index->indimmediate);
}

/* How an index orders its rows. */
static IndexOrder
index_order(Relation index)
{
	IndexOrder	order = {IndexRelationGetNumberOfKeyAttributes(index), NULL};

	order.keys = palloc0(sizeof(SortSupportData) * order.nkeys);
	for (int i = 0; i < order.nkeys; i++)
	{
		SortSupport key = &order.keys[i];

		key->ssup_cxt = CurrentMemoryContext;
		key->ssup_collation = index->rd_indcollation[i];
		key->ssup_nulls_first = (index->rd_indoption[i] & INDOPTION_NULLS_FIRST) != 0;
		key->ssup_attno = i + 1;
		wt_index_sort_support(index, (index->rd_indoption[i] & INDOPTION_DESC) != 0, key);
	}
	return order;
}

/* Order of an index, for qsort_arg. */
static int
compare_rows(const void *a, const void *b, void *arg)
{
	const IndexRow *x = a;
	const IndexRow *y = b;
	const IndexOrder *order = arg;

	for (int i = 0; i < order->nkeys; i++)
	{
		int			cmp = ApplySortComparator(x->values[i], x->nulls[i], y->values[i], y->nulls[i], &order->keys[i]);

		if (cmp != 0)
			return cmp;
	}
	return ItemPointerCompare(unconstify(ItemPointerData *, &x->tid), unconstify(ItemPointerData *, &y->tid));
}

/* The rows of a batch that an index has; returns how many. */
static int
gather_rows(Table *table, IndexInfo *info, IndexRow *rows)
{
	ExprContext *econtext = GetPerTupleExprContext(table->estate);
	int			natts = info->ii_NumIndexAttrs;
	Datum	   *values = palloc(sizeof(Datum) * natts * table->nbuffered);
	bool	   *nulls = palloc(sizeof(bool) * natts * table->nbuffered);
	int			n = 0;

	if (info->ii_Predicate != NIL && info->ii_PredicateState == NULL)
		info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, table->estate);
	for (int i = 0; i < table->nbuffered; i++)
	{
		TupleTableSlot *slot = table->buffer[i];

		econtext->ecxt_scantuple = slot;
		if (info->ii_Predicate != NIL && !ExecQual(info->ii_PredicateState, econtext))
			continue;
		rows[n] = (IndexRow) {slot->tts_tid, values + n * natts, nulls + n * natts};
		for (int a = 0; a < natts; a++)
			rows[n].values[a] = slot_getattr(slot, info->ii_IndexAttrNumbers[a], &rows[n].nulls[a]);
		n++;
	}
	return n;
}

/* Adds a batch to one index. */
static void
add_to_index(Table *table, Relation index, IndexInfo *info)
{
	IndexOrder	order = index_order(index);
	IndexRow   *rows = palloc(sizeof(IndexRow) * table->nbuffered);
	int			n = gather_rows(table, info, rows);

	qsort_arg(rows, n, sizeof(IndexRow), compare_rows, &order);
	for (int i = 0; i < n; i++)
		index_insert(index, rows[i].values, rows[i].nulls, &rows[i].tid, table->rel,
					 info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
}

/*
 * Adds the rows that table_insert() has gathered, and that are in the table, to
 * its indexes; false if these are not as simple as those of setup() are.
 */
bool
table_index_batch(Table *table)
{
	ResultRelInfo *result = table->result;
	MemoryContext context;

	for (int i = 0; i < result->ri_NumIndices; i++)
		if (!is_plain(result->ri_IndexRelationDescs[i], result->ri_IndexRelationInfo[i]))
			return false;
	if (table->nbuffered == 1)
		return false;
	context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track index", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		add_to_index(table, result->ri_IndexRelationDescs[i], result->ri_IndexRelationInfo[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		ResetPerTupleExprContext(table->estate);
	}
	MemoryContextDelete(context);
	return true;
}
