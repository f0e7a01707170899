/*
 * settle.c
 *	  Aliases that messages tell of, and events that they call off.
 *
 * Two sessions may learn at once that two numbers are one, or one of an event
 * and the other that it is called off.  So both are done at the end of the
 * transaction.  Aliases are written in one order, before the patients are locked,
 * for others may have written them and wait for patients.  What is called off is
 * worked out anew, under the locks, for every patient of whom anything is; such a
 * retraction is a row beside the one by hand that another may be writing, which
 * takes its place when that one commits.  Which came first never matters.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "detect/evaluate.h"
#include "detect/table.h"
#include "detect/touched.h"
#include "record/owner.h"
#include "record/settle.h"

/* An alias that this transaction is to write. */
typedef struct NotedAlias
{
	AliasNote	note;
	int			nest_level;		/* of the subtransaction that it came in */
} NotedAlias;

/* In the transaction's memory, so NULL outside. */
static NotedAlias *aliases = NULL;
static int	naliases = 0;
static int	aliases_size = 0;

/* Columns of retraction, in its order. */
enum
{
	RT_PATIENT_ID, RT_EVENT_ID, RT_OCCURRED_AT, RT_RETRACTED_AT, RT_REASON, RT_BY, RT_MESSAGE_ID, RT_BY_MESSAGE, RT_NCOLUMNS
};

/* --- aliases --------------------------------------------------------------- */

/* Opens subject_alias for look-ups. */
static void
open_aliases(Table *table, Snapshot snapshot)
{
	table_by_name(table, CurrentMemoryContext, "subject_alias", snapshot, RowExclusiveLock);
	table_use_index(table, 1, 2);
}

/* Is there such a row? */
static bool
alias_is_known(Table *table, const AliasNote *note)
{
	bool		isnull;

	table_key_text(table, note->patient);
	ScanKeyInit(&table->keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(note->alias.data, note->alias.len)));
	table_find(table, 2);
	while (table_next(table))
		if (str_equal(str_of_datum(slot_getattr(table->slot, 3, &isnull)), note->subject))
			return true;
	return false;
}

/* Keeps an alias for the end of the transaction. */
static void
keep_alias(const AliasNote *note)
{
	char	   *copy;
	NotedAlias *kept;

	if (naliases == aliases_size)
	{
		int			size = Max(32, aliases_size * 2);

		aliases = aliases == NULL ? MemoryContextAlloc(TopTransactionContext, sizeof(NotedAlias) * size)
			: repalloc_huge(aliases, sizeof(NotedAlias) * size);
		aliases_size = size;
	}
	touch_patient(note->patient, DT_NOEND, TOUCH_LINK);
	copy = MemoryContextAlloc(TopTransactionContext, note->alias.len + note->subject.len + 1);
	memcpy(copy, note->alias.data, note->alias.len);
	memcpy(copy + note->alias.len, note->subject.data, note->subject.len);
	kept = &aliases[naliases++];
	kept->note.patient = (*touched_slot(note->patient))->patient;
	kept->note.alias = (Str) {copy, note->alias.len};
	kept->note.subject = (Str) {copy + note->alias.len, note->subject.len};
	kept->nest_level = GetCurrentTransactionNestLevel();
}

/* Notes that pairs of numbers are one subject of a patient each, unless that is known. */
void
note_aliases(const AliasNote *notes, int n)
{
	Table		table;

	if (n == 0)
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	open_aliases(&table, GetActiveSnapshot());
	for (int i = 0; i < n; i++)
		if (!alias_is_known(&table, &notes[i]))
			keep_alias(&notes[i]);
	table_done(&table);
	PopActiveSnapshot();
}

/* Order by patient, alias and subject, as the index has it. */
static int
compare_aliases(const void *a, const void *b)
{
	const AliasNote *one = *(const AliasNote *const *) a;
	const AliasNote *other = *(const AliasNote *const *) b;
	int			cmp = str_compare(one->patient, other->patient);

	if (cmp == 0)
		cmp = str_compare(one->alias, other->alias);
	return cmp != 0 ? cmp : str_compare(one->subject, other->subject);
}

/* Writes the aliases that were noted and that nobody has written meanwhile; waits for those who do. */
void
settle_aliases(void)
{
	const AliasNote **notes;
	Table		table;

	if (naliases == 0)
		return;
	notes = palloc_extended(sizeof(AliasNote *) * naliases, MCXT_ALLOC_HUGE);
	for (int i = 0; i < naliases; i++)
		notes[i] = &aliases[i].note;
	qsort(notes, naliases, sizeof(AliasNote *), compare_aliases);
	open_aliases(&table, push_latest_snapshot());
	for (int i = 0; i < naliases; i++)
	{
		const AliasNote *note = notes[i];
		Datum		values[3];
		bool		nulls[3] = {0};

		CHECK_FOR_INTERRUPTS();
		if ((i > 0 && compare_aliases(&notes[i - 1], &notes[i]) == 0) || alias_is_known(&table, note))
			continue;
		values[0] = PointerGetDatum(cstring_to_text_with_len(note->patient.data, note->patient.len));
		values[1] = PointerGetDatum(cstring_to_text_with_len(note->alias.data, note->alias.len));
		values[2] = PointerGetDatum(cstring_to_text_with_len(note->subject.data, note->subject.len));
		(void) table_insert_unique(&table, lengthof(values), values, nulls);
	}
	table_done(&table);
	PopActiveSnapshot();
}

/* Forgets the aliases, when they are written or the transaction has ended. */
void
forget_aliases(void)
{
	aliases = NULL;
	naliases = 0;
	aliases_size = 0;
}

/* Forgets what a subtransaction noted that is rolled back. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (naliases > 0 && aliases[naliases - 1].nest_level >= level)
			naliases--;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (int i = naliases - 1; i >= 0 && aliases[i].nest_level >= level; i--)
			aliases[i].nest_level = level - 1;
}

/* Asks to be called at the ends of subtransactions. */
void
settle_init(void)
{
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/* --- what is called off ---------------------------------------------------- */

/* An event that a message calls off. */
typedef struct CalledOff
{
	Datum		values[RT_NCOLUMNS];
	bool		kept;			/* is it retracted already? */
} CalledOff;

/* A text of the query's result, copied to the context that asked. */
static Datum
copied_text(SPITupleTable *table, uint64 row, int column, MemoryContext context)
{
	bool		isnull;
	MemoryContext old = MemoryContextSwitchTo(context);
	Datum		copy = datumCopy(SPI_getbinval(table->vals[row], table->tupdesc, column, &isnull), false, -1);

	MemoryContextSwitchTo(old);
	return copy;
}

/* The events of a patient's ids that messages call off. */
static CalledOff *
find_called_off(List *ids, int *n)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext context = CurrentMemoryContext;
	Datum	   *elements = palloc(sizeof(Datum) * list_length(ids));
	Oid			argument = TEXTARRAYOID;
	Caller		caller;
	CalledOff  *called_off;
	Datum		array;
	int			i = 0;
	ListCell   *lc;

	foreach(lc, ids)
	{
		Str		   *id = lfirst(lc);

		elements[i++] = PointerGetDatum(cstring_to_text_with_len(id->data, id->len));
	}
	array = PointerGetDatum(construct_array(elements, i, TEXTOID, -1, false, TYPALIGN_INT));
	owner_begin(&caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		plan = SPI_prepare("SELECT patient_id, event_id, occurred_at, reason, message_id "
						   "FROM workflow_track.cancelled_events($1)", 1, &argument);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "SPI_prepare failed");
	}
	/* read-only, so under the snapshot that was taken after the locks */
	if (SPI_execute_plan(plan, &array, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed");
	*n = (int) SPI_processed;
	called_off = MemoryContextAllocZero(context, sizeof(CalledOff) * Max(*n, 1));
	for (i = 0; i < *n; i++)
	{
		SPITupleTable *table = SPI_tuptable;
		Datum	   *values = called_off[i].values;
		bool		isnull;

		values[RT_PATIENT_ID] = copied_text(table, i, 1, context);
		values[RT_EVENT_ID] = SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull);
		values[RT_OCCURRED_AT] = SPI_getbinval(table->vals[i], table->tupdesc, 3, &isnull);
		values[RT_RETRACTED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
		values[RT_REASON] = copied_text(table, i, 4, context);
		values[RT_MESSAGE_ID] = SPI_getbinval(table->vals[i], table->tupdesc, 5, &isnull);
		values[RT_BY_MESSAGE] = BoolGetDatum(true);
	}
	SPI_finish();
	owner_end(&caller);
	for (i = 0; i < *n; i++)
		called_off[i].values[RT_BY] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	return called_off;
}

/* Of the messages that may have called off an event, one that came later may be the one. */
static void
keep_reason(Table *table, const Datum *called_off)
{
	Datum		values[RT_NCOLUMNS];
	bool		nulls[RT_NCOLUMNS];
	ItemPointerData tid = table->slot->tts_tid;

	slot_getallattrs(table->slot);
	if (table->slot->tts_values[RT_MESSAGE_ID] == called_off[RT_MESSAGE_ID])
		return;
	memcpy(values, table->slot->tts_values, sizeof(values));
	memcpy(nulls, table->slot->tts_isnull, sizeof(nulls));
	values[RT_REASON] = called_off[RT_REASON];
	values[RT_MESSAGE_ID] = called_off[RT_MESSAGE_ID];
	table_update(table, &tid, RT_NCOLUMNS, values, nulls);
}

/* Brings the retractions of a patient's ids to what messages call off. */
static bool
retract_called_off(Snapshot snapshot, List *ids)
{
	static const bool nulls[RT_NCOLUMNS] = {0};
	bool		changed = false;
	int			n;
	CalledOff  *called_off = find_called_off(ids, &n);
	Table		table;
	ListCell   *lc;

	table_by_name(&table, CurrentMemoryContext, "retraction", snapshot, RowExclusiveLock);
	table_use_index(&table, RT_PATIENT_ID + 1, 0);
	foreach(lc, ids)
	{
		table_key_text(&table, *(Str *) lfirst(lc));
		table_find(&table, 1);
		while (table_next(&table))
		{
			bool		isnull;
			int64		event_id = DatumGetInt64(slot_getattr(table.slot, RT_EVENT_ID + 1, &isnull));
			int			i = 0;

			(void) slot_getattr(table.slot, RT_MESSAGE_ID + 1, &isnull);
			if (isnull)
				continue;		/* somebody did it by hand */
			while (i < n && DatumGetInt64(called_off[i].values[RT_EVENT_ID]) != event_id)
				i++;
			if (i < n)
			{
				called_off[i].kept = true;
				keep_reason(&table, called_off[i].values);
			}
			else
			{
				table_delete(&table, &table.slot->tts_tid);
				changed = true;
			}
		}
	}
	for (int i = 0; i < n; i++)
		if (!called_off[i].kept)
		{
			table_insert(&table, RT_NCOLUMNS, called_off[i].values, nulls);
			changed = true;
		}
	table_done(&table);
	return changed;
}

/* Has a patient id anything that messages call off, or called off before? */
static bool
has_called_off(Table *cancellation, Table *retraction, Str patient)
{
	table_key_text(cancellation, patient);
	table_find(cancellation, 1);
	if (table_next(cancellation))
		return true;
	table_key_text(retraction, patient);
	table_find(retraction, 1);
	while (table_next(retraction))
	{
		bool		isnull;

		(void) slot_getattr(retraction->slot, RT_MESSAGE_ID + 1, &isnull);
		if (!isnull)
			return true;
	}
	return false;
}

/* Is an id in a list? */
static bool
is_in(List *ids, Str id)
{
	ListCell   *lc;

	foreach(lc, ids)
		if (str_equal(*(Str *) lfirst(lc), id))
			return true;
	return false;
}

/* Does for the touched patients what messages call off. */
static bool
settle_cancellations(Snapshot snapshot)
{
	bool		changed = false;
	Loader	   *loader = NULL;
	List	   *done = NIL;
	Table		cancellation;
	Table		retraction;
	ListCell   *lc;

	/* what is applied from elsewhere brings its retractions along */
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return false;
	/* tables of 0.1.0 have none, until setup() */
	if (!OidIsValid(get_relname_relid("cancellation", schema_oid())))
		return false;
	table_by_name(&cancellation, CurrentMemoryContext, "cancellation", snapshot, AccessShareLock);
	if (RelationGetNumberOfBlocks(cancellation.rel) == 0)
	{
		table_done(&cancellation);
		return false;
	}
	table_use_index(&cancellation, 1, 0);
	table_by_name(&retraction, CurrentMemoryContext, "retraction", snapshot, AccessShareLock);
	table_use_index(&retraction, RT_PATIENT_ID + 1, 0);
	foreach(lc, list_touched())
	{
		Touched    *t = lfirst(lc);
		List	   *ids;
		ListCell   *id;

		if (!t->linked || is_in(done, t->patient) || !has_called_off(&cancellation, &retraction, t->patient))
			continue;
		if (loader == NULL)
			loader = loader_begin(snapshot);
		ids = loader_linked_ids(loader, list_make1(&t->patient));
		if (retract_called_off(snapshot, ids))
		{
			changed = true;
			foreach(id, ids)
			{
				Touched    *other = *touched_slot(*(Str *) lfirst(id));

				other->whole = other->changed = true;
			}
		}
		/* of ids that are linked, each may have some: the first does it for all */
		done = list_concat(done, ids);
	}
	if (loader != NULL)
		loader_end(loader);
	table_done(&retraction);
	table_done(&cancellation);
	return changed;
}

/*
 * Does what messages call off of the touched patients before they are evaluated,
 * under the active snapshot; returns the one that is active then, which sees it.
 */
Snapshot
settle_called_off(Snapshot snapshot)
{
	if (!settle_cancellations(snapshot))
		return snapshot;
	PopActiveSnapshot();
	return push_latest_snapshot();
}
