/*
 * touched.c
 *	  The patients that a transaction touches, and what is done about them at
 *	  its end.
 *
 * Row triggers only note patients.  Once, before the transaction commits or is
 * prepared, all of them are locked in one order and evaluated under a snapshot
 * that is taken after the locks: so whoever comes second sees what came first,
 * at every isolation level.  Patients noted by a subtransaction that was rolled
 * back are evaluated too, which finds nothing new.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/table.h"
#include "detect/touched.h"

/* So many events of a patient are not told from what is known already, but all is looked at anew. */
#define MANY_EVENTS 16

/* A patient id that the transaction touches. */
typedef struct Touched
{
	Str			patient;
	TimestampTz first_at;		/* no event of this transaction is earlier */
	int			nevents;		/* how many of them there are */
	bool		linked;			/* merged, aliased, retracted or a test patient */
	bool		whole;			/* to be evaluated whole */
	bool		done;
	/* found at the end: */
	bool		has_events;
	bool		is_known;		/* has a row of patient_state ... */
	bool		was_linked;		/* ... which says this ... */
	bool		imprecise;		/* ... and this */
	bool		was_imprecise;
	TimestampTz kept_first_at;
	ItemPointerData tid;
} Touched;

/* All of them; in the transaction's memory, so NULL outside. */
static Touched **touched = NULL;
static uint32 touched_mask = 0;
static uint32 touched_count = 0;
static int64 *refusable = NULL; /* events of kinds that a rule may refuse */
static int	nrefusable = 0;
static bool rebasing = false;	/* rollups are to stay as they are */

/* --- noting ---------------------------------------------------------------- */

/* Where a patient is in the table, or would be. */
static Touched **
touched_slot(Str patient)
{
	uint32		at = str_hash(patient) & touched_mask;

	while (touched[at] != NULL && !str_equal(touched[at]->patient, patient))
		at = (at + 1) & touched_mask;
	return &touched[at];
}

/* Makes room, first or more. */
static void
grow_touched(void)
{
	Touched   **old = touched;
	uint32		old_size = old == NULL ? 0 : touched_mask + 1;

	touched_mask = old == NULL ? 63 : touched_mask * 2 + 1;
	touched = MemoryContextAllocExtended(TopTransactionContext, sizeof(Touched *) * ((Size) touched_mask + 1),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < old_size; i++)
		if (old[i] != NULL)
			*touched_slot(old[i]->patient) = old[i];
	if (old != NULL)
		pfree(old);
}

/* Notes a patient; no event that is the reason for it is before first_at. */
void
touch_patient(Str patient, TimestampTz first_at, Touch why)
{
	Touched   **slot;
	Touched    *t;

	if (touched == NULL || touched_count * 2 > touched_mask)
		grow_touched();
	slot = touched_slot(patient);
	if (*slot == NULL)
	{
		char	   *copy;

		*slot = MemoryContextAllocZero(TopTransactionContext, sizeof(Touched) + patient.len + 1);
		copy = (char *) (*slot + 1);
		memcpy(copy, patient.data, patient.len);
		(*slot)->patient.data = copy;
		(*slot)->patient.len = patient.len;
		(*slot)->first_at = first_at;
		touched_count++;
	}
	t = *slot;
	t->first_at = Min(t->first_at, first_at);
	t->nevents += why == TOUCH_EVENT;
	t->linked |= why == TOUCH_LINK || why == TOUCH_JOINED;
	t->whole |= why == TOUCH_LINK || why == TOUCH_WHOLE;
}

/*
 * From now to the end of the transaction, events vanish because their months are
 * dropped: kept contributions follow, the rollups stay.
 */
void
rebase_touched(void)
{
	rebasing = true;
}

/* Notes an event that a rule may refuse. */
void
note_refusable(int64 event_id)
{
	if (refusable == NULL)
		refusable = MemoryContextAlloc(TopTransactionContext, sizeof(int64) * 16);
	else if (nrefusable >= 16 && (nrefusable & (nrefusable - 1)) == 0)
		refusable = repalloc_huge(refusable, sizeof(int64) * nrefusable * 2);
	refusable[nrefusable++] = event_id;
}

/* Was an event, of a kind that a rule may refuse, recorded by this transaction? */
bool
is_refusable(int64 event_id)
{
	for (int i = 0; i < nrefusable; i++)
		if (refusable[i] == event_id)
			return true;
	return false;
}

/* Forgets everything, at the end of a transaction. */
static void
forget_touched(void)
{
	touched = NULL;
	touched_mask = 0;
	touched_count = 0;
	refusable = NULL;
	nrefusable = 0;
	rebasing = false;
}

/* --- locking --------------------------------------------------------------- */

/* Adds ids to the touched ones: those that share a merge with them. */
static void
touch_linked(Touched *t, Loader *loader)
{
	List	   *ids = loader_linked_ids(loader, list_make1(&t->patient));
	ListCell   *lc;

	foreach(lc, ids)
	{
		Touched    *other;

		touch_patient(*(Str *) lfirst(lc), t->first_at, TOUCH_JOINED);
		other = *touched_slot(*(Str *) lfirst(lc));
		other->whole |= t->whole;
		t->whole |= other->whole;
	}
}

/* Reads a patient's row of patient_state. */
static void
read_patient_state(Touched *t, Table *table)
{
	bool		isnull;

	table_key_text(table, t->patient);
	table_find(table, 1);
	t->is_known = table_next(table);
	t->kept_first_at = DT_NOEND;
	if (!t->is_known)
		return;
	t->tid = table->slot->tts_tid;
	t->kept_first_at = DatumGetTimestampTz(slot_getattr(table->slot, PS_FIRST_AT + 1, &isnull));
	t->was_linked = DatumGetBool(slot_getattr(table->slot, PS_LINKED + 1, &isnull));
	t->linked |= t->was_linked;
	t->was_imprecise = DatumGetBool(slot_getattr(table->slot, PS_IMPRECISE + 1, &isnull));
	t->imprecise = t->was_imprecise;
}

/* Opens the list of stale patients, unless it is empty. */
static void
open_stale(Table *table, Snapshot snapshot)
{
	table_by_name(table, CurrentMemoryContext, "stale_patient", snapshot, RowExclusiveLock);
	if (RelationGetNumberOfBlocks(table->rel) == 0)
		table_done(table);
	else
		table_use_index(table, 1, 0);
}

/* Is a patient in the list of stale ones?  Then the table's slot has its row. */
static bool
is_stale(Str patient, Table *table)
{
	if (table->rel == NULL)
		return false;
	table_key_text(table, patient);
	table_find(table, 1);
	return table_next(table);
}

/* Order by patient id. */
static int
compare_touched(const ListCell *a, const ListCell *b)
{
	return str_compare(((Touched *) lfirst(a))->patient, ((Touched *) lfirst(b))->patient);
}

/* The touched patients, in a list that is ordered as the indexes are. */
static List *
list_touched(void)
{
	List	   *list = NIL;

	for (uint32 i = 0; i <= touched_mask; i++)
		if (touched[i] != NULL)
			list = lappend(list, touched[i]);
	list_sort(list, compare_touched);
	return list;
}

/*
 * Adds to the touched patients those that merges join them to, as a snapshot
 * sees them.
 */
static void
close_over_merges(Snapshot snapshot)
{
	Loader	   *loader = loader_begin(snapshot);
	uint32		count;
	Table		table;
	Table		stale;

	table_by_name(&table, CurrentMemoryContext, "patient_state", snapshot, AccessShareLock);
	table_use_index(&table, PS_PATIENT_ID + 1, 0);
	open_stale(&stale, snapshot);
	do
	{
		List	   *list = list_touched();
		ListCell   *lc;

		count = touched_count;
		foreach(lc, list)
		{
			Touched    *t = lfirst(lc);

			read_patient_state(t, &table);
			t->whole |= is_stale(t->patient, &stale);
			if (t->linked)
				touch_linked(t, loader);
		}
	} while (touched_count > count);
	table_done(&table);
	table_done(&stale);
	loader_end(loader);
}

/* The stripes of the touched patients. */
static void
wanted_stripes(bool *wanted)
{
	memset(wanted, 0, sizeof(bool) * WT_STRIPES);
	for (uint32 i = 0; i <= touched_mask; i++)
		if (touched[i] != NULL)
			wanted[stripe_of(touched[i]->patient)] = true;
}

/* A snapshot of now, pushed for whoever asks for the active one. */
static Snapshot
push_latest_snapshot(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	return GetActiveSnapshot();
}

/*
 * Locks every touched patient, and pushes a snapshot that sees what the locks
 * waited for.  A merge that came in the meantime may have added ids: then all
 * locks are taken anew, as they must be in one order.
 */
static Snapshot
lock_touched(void)
{
	bool		held[WT_STRIPES];
	bool		wanted[WT_STRIPES];

	close_over_merges(push_latest_snapshot());
	PopActiveSnapshot();
	wanted_stripes(wanted);
	for (;;)
	{
		Snapshot	snapshot;

		memcpy(held, wanted, sizeof(held));
		lock_stripes(held);
		snapshot = push_latest_snapshot();
		close_over_merges(snapshot);
		wanted_stripes(wanted);
		if (memcmp(held, wanted, sizeof(held)) == 0)
			return snapshot;
		PopActiveSnapshot();
		unlock_stripes(held);
	}
}

/* --- evaluating ------------------------------------------------------------ */

/* Keeps what patient_state knows of a patient id. */
static void
keep_patient_state(Touched *t, Table *table)
{
	Datum		values[PS_NCOLUMNS];
	bool		nulls[PS_NCOLUMNS] = {0};

	if (t->is_known && t->kept_first_at <= t->first_at && t->was_linked == t->linked &&
		t->was_imprecise == t->imprecise)
		return;
	values[PS_PATIENT_ID] = PointerGetDatum(cstring_to_text_with_len(t->patient.data, t->patient.len));
	values[PS_FIRST_AT] = TimestampTzGetDatum(Min(t->first_at, t->kept_first_at));
	values[PS_LINKED] = BoolGetDatum(t->linked);
	values[PS_IMPRECISE] = BoolGetDatum(t->imprecise);
	if (t->is_known)
		table_update(table, &t->tid, values, nulls);
	else
		table_insert(table, values, nulls);
}

/* Evaluates one patient by its ids, by all events. */
static void
evaluate_whole(Loader *loader, Store *store, List *ids, TimestampTz since, bool linked, bool is_new)
{
	Patient    *p = loader_patient(loader, ids, since, linked);
	ListCell   *lc;

	store_patient(store, p, loader_rules(loader), is_new);
	foreach(lc, ids)
	{
		Touched    *t = *touched_slot(*(Str *) lfirst(lc));

		t->has_events = p->nevents > 0;
		t->imprecise = p->longest_imprecision > USECS_PER_DAY;
		t->whole = true;
	}
}

/*
 * Evaluates one patient by its ids: of one that is known, and to whom nothing
 * happened but a few events, by a window of events.
 */
static void
evaluate_part(Loader *loader, Store *store, List *ids, bool linked)
{
	TimestampTz since = DT_NOEND;
	TimestampTz from = DT_NOEND;
	bool		is_new = true;
	bool		whole = false;
	ListCell   *lc;

	foreach(lc, ids)
	{
		Touched    *t = *touched_slot(*(Str *) lfirst(lc));

		since = Min(since, Min(t->first_at, t->kept_first_at));
		from = Min(from, t->first_at);
		is_new &= !t->is_known;
		whole |= t->whole || t->imprecise || t->nevents >= MANY_EVENTS;
	}
	if (whole || is_new || !store_window(store, loader, ids, from, linked))
		evaluate_whole(loader, store, ids, since, linked, is_new);
}

/* Evaluates all touched patients under a snapshot. */
static void
evaluate_touched(Snapshot snapshot)
{
	Loader	   *loader = loader_begin(snapshot);
	Store	   *store = store_begin(snapshot, rebasing);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track patient",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *list = list_touched();
	Table		patient_state;
	ListCell   *lc;

	foreach(lc, list)
	{
		Touched    *t = lfirst(lc);
		MemoryContext old;
		List	   *ids = list_make1(&t->patient);
		ListCell   *id;

		CHECK_FOR_INTERRUPTS();
		if (t->done)
			continue;
		old = MemoryContextSwitchTo(context);
		if (!t->linked)
			evaluate_part(loader, store, ids, false);
		else
		{
			ListCell   *part;

			ids = loader_linked_ids(loader, list_make1(&t->patient));
			foreach(part, loader_parts(loader, ids))
				evaluate_part(loader, store, lfirst(part), true);
			foreach(id, ids)
				(*touched_slot(*(Str *) lfirst(id)))->done = true;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	loader_end(loader);
	store_end(store);
	MemoryContextDelete(context);

	table_by_name(&patient_state, CurrentMemoryContext, "patient_state", snapshot, RowExclusiveLock);
	table_use_index(&patient_state, PS_PATIENT_ID + 1, 0);
	foreach(lc, list)
	{
		Touched    *t = lfirst(lc);

		if (t->has_events || t->linked || t->is_known)
			keep_patient_state(t, &patient_state);
	}
	table_done(&patient_state);
}

/* Does nobody detect for now?  Then patients are only marked as stale. */
bool
detection_is_paused(Snapshot snapshot)
{
	Table		table;
	TableScanDesc scan;
	bool		isnull;
	bool		paused = false;

	table_by_name(&table, CurrentMemoryContext, "detection_state", snapshot, AccessShareLock);
	scan = table_beginscan(table.rel, snapshot, 0, NULL);
	if (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
		paused = DatumGetBool(slot_getattr(table.slot, 1, &isnull));
	table_endscan(scan);
	table_done(&table);
	return paused;
}

/* Marks the touched patients as stale, and keeps what must be known of them. */
static void
mark_touched(Snapshot snapshot)
{
	List	   *list = list_touched();
	ListCell   *lc;
	Table		patient_state;
	Table		stale;

	table_by_name(&patient_state, CurrentMemoryContext, "patient_state", snapshot, RowExclusiveLock);
	table_use_index(&patient_state, PS_PATIENT_ID + 1, 0);
	table_by_name(&stale, CurrentMemoryContext, "stale_patient", snapshot, RowExclusiveLock);
	table_use_index(&stale, 1, 0);
	foreach(lc, list)
	{
		Touched    *t = lfirst(lc);
		Datum		value = PointerGetDatum(cstring_to_text_with_len(t->patient.data, t->patient.len));
		bool		isnull = false;

		keep_patient_state(t, &patient_state);
		table_key_text(&stale, t->patient);
		table_find(&stale, 1);
		if (!table_next(&stale))
			table_insert(&stale, &value, &isnull);
	}
	table_done(&patient_state);
	table_done(&stale);
}

/* Removes marks of stale patients that were just evaluated. */
static void
unmark_touched(Snapshot snapshot)
{
	List	   *list = list_touched();
	ListCell   *lc;
	Table		stale;

	open_stale(&stale, snapshot);
	foreach(lc, list)
	{
		Touched    *t = lfirst(lc);

		if (t->whole && is_stale(t->patient, &stale))
			table_delete(&stale, &stale.slot->tts_tid);
	}
	table_done(&stale);
}

/* Does for the touched patients what is due before the transaction ends. */
static void
detect_touched(void)
{
	MemoryContext context = AllocSetContextCreate(TopTransactionContext, "workflow_track detection",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Snapshot	snapshot;

	detection_lock_shared();
	snapshot = lock_touched();
	if (detection_is_paused(snapshot))
		mark_touched(snapshot);
	else
	{
		evaluate_touched(snapshot);
		unmark_touched(snapshot);
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	forget_touched();
}

/* What the server calls at the ends of transactions. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (touched != NULL)
				detect_touched();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget_touched();
			break;
		default:
			break;
	}
}

/* Asks to be called at the ends of transactions. */
void
touched_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}
