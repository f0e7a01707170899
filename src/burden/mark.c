/*
 * mark.c
 *	  Marks the days that events are recorded of: their pages, if there are any,
 *	  are of before.
 *
 * Whoever records only adds a row for the day, once a transaction, and once more
 * where a savepoint took the first back: no row is written by more than one
 * session, and nothing is looked up.  Folding (fold.c) deletes the marks that it
 * saw, with the pages that it makes under the same snapshot.  So under every
 * snapshot a page is what it says, or its day is marked.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "burden/mark.h"
#include "burden/met.h"
#include "detect/table.h"

/* A day that this transaction marked, at a level of its savepoints. */
typedef struct Marked
{
	DateADT		day;
	int			nest_level;
} Marked;

/* In the transaction's memory, so NULL outside; levels never fall on the way to the end. */
static Marked *marked = NULL;
static int	nmarked = 0;
static int	marked_size = 0;
static met_hash *days = NULL;	/* the same, to be found */
static DateADT last_day;		/* of these, the one that was asked for last, if there is any */

/* Notes that a day is marked. */
static void
note(DateADT day)
{
	if (marked == NULL)
	{
		days = met_create(TopTransactionContext, 16, NULL);
		marked = MemoryContextAlloc(TopTransactionContext, sizeof(Marked) * 16);
		marked_size = 16;
	}
	else if (nmarked == marked_size)
	{
		marked = repalloc_huge(marked, sizeof(Marked) * marked_size * 2);
		marked_size *= 2;
	}
	marked[nmarked++] = (Marked) {day, GetCurrentTransactionNestLevel()};
}

/* Marks the day of an event that is being recorded; tables of 0.1.0 have no marks, and no pages, until setup(). */
void
mark_day(TimestampTz at)
{
	DateADT		day = utc_day(at);
	Table		table;
	Datum		value = DateADTGetDatum(day);
	bool		found;
	bool		isnull = false;

	if (nmarked > 0 && day == last_day)
		return;
	if (nmarked == 0 || met_lookup(days, (uint64) (int64) day) == NULL)
	{
		if (!OidIsValid(get_relname_relid("diary_mark", schema_oid())))
			return;
		table_by_name(&table, CurrentMemoryContext, "diary_mark", InvalidSnapshot, RowExclusiveLock);
		table_insert(&table, 1, &value, &isnull);
		table_done(&table);
		note(day);
		met_insert(days, (uint64) (int64) day, &found);
	}
	last_day = day;
}

/* Forgets which days are marked: what comes marks them once more. */
void
forget_marks(void)
{
	marked = NULL;
	days = NULL;
	nmarked = marked_size = 0;
}

/* Forgets everything, at the end of a transaction. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		forget_marks();
}

/* Forgets the days that a savepoint marked which is rolled back. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		for (; nmarked > 0 && marked[nmarked - 1].nest_level >= level; nmarked--)
		{
			met_delete(days, (uint64) (int64) marked[nmarked - 1].day);
			last_day = marked[0].day;
		}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (int i = nmarked - 1; i >= 0 && marked[i].nest_level >= level; i--)
			marked[i].nest_level = level - 1;
}

/* Asks to be called at the ends of transactions and subtransactions. */
void
mark_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
