/*
 * evaluate.c
 *	  Locks the touched patients and evaluates them.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "detect/detect.h"
#include "detect/evaluate.h"
#include "detect/table.h"
#include "detect/touched.h"

/* Columns of stale_patient, in its order. */
enum
{
	SP_PATIENT_ID, SP_FIRST_AT, SP_NCOLUMNS
};

/* So many events of a patient are not told from what is known already, but all is looked at anew. */
#define MANY_EVENTS 16

/* --- locking --------------------------------------------------------------- */

/* Adds the ids that share a merge with a touched one; what is known of one of them then holds for all. */
static void
touch_linked(Touched *t, Loader *loader)
{
	List	   *ids = loader_linked_ids(loader, list_make1(&t->patient));
	TimestampTz first_at = t->first_at;
	bool		whole = false;
	bool		changed = false;
	ListCell   *lc;

	foreach(lc, ids)
	{
		Touched    *other;

		touch_patient(*(Str *) lfirst(lc), first_at, TOUCH_JOINED);
		other = *touched_slot(*(Str *) lfirst(lc));
		first_at = Min(first_at, other->first_at);
		whole |= other->whole;
		changed |= other->changed;
	}
	foreach(lc, ids)
	{
		Touched    *other = *touched_slot(*(Str *) lfirst(lc));

		other->first_at = first_at;
		other->whole = whole;
		other->changed = changed;
		other->done = true;
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

/*
 * Adds to the touched patients those that merges join them to, as a snapshot
 * sees them.
 */
static void
close_over_merges(Snapshot snapshot)
{
	Loader	   *loader = NULL;	/* merges are rare */
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

		count = count_touched();
		foreach(lc, list)
		{
			Touched    *t = lfirst(lc);

			read_patient_state(t, &table);
			t->whole |= is_stale(t->patient, &stale);
			t->done = false;
		}
		foreach(lc, list)
		{
			Touched    *t = lfirst(lc);

			if (!t->linked || t->done)
				continue;
			if (loader == NULL)
				loader = loader_begin(snapshot);
			touch_linked(t, loader);
		}
	} while (count_touched() > count);
	table_done(&table);
	table_done(&stale);
	if (loader != NULL)
		loader_end(loader);
}

/* The stripes of the touched patients. */
static void
wanted_stripes(bool *wanted)
{
	ListCell   *lc;

	memset(wanted, 0, sizeof(bool) * WT_STRIPES);
	foreach(lc, list_touched())
		wanted[stripe_of(((Touched *) lfirst(lc))->patient)] = true;
}

/* A snapshot of now, pushed for whoever asks for the active one. */
Snapshot
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
Snapshot
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

/* Keeps what patient_state knows of a patient id; true if that is something new. */
static bool
keep_patient_state(Touched *t, Table *table)
{
	Datum		values[PS_NCOLUMNS];
	bool		nulls[PS_NCOLUMNS] = {0};

	if (t->is_known && t->kept_first_at <= t->first_at && t->was_linked == t->linked &&
		t->was_imprecise == t->imprecise)
		return false;
	values[PS_PATIENT_ID] = PointerGetDatum(cstring_to_text_with_len(t->patient.data, t->patient.len));
	values[PS_FIRST_AT] = TimestampTzGetDatum(Min(t->first_at, t->kept_first_at));
	values[PS_LINKED] = BoolGetDatum(t->linked);
	values[PS_IMPRECISE] = BoolGetDatum(t->imprecise);
	if (t->is_known)
		table_update(table, &t->tid, PS_NCOLUMNS, values, nulls);
	else
		table_insert(table, PS_NCOLUMNS, values, nulls);
	return true;
}

/* Opens the list of patients whose edges are not in the rollup; tables of 0.1.0 have none, until setup(). */
static void
open_follows_mark(Table *table, Snapshot snapshot)
{
	memset(table, 0, sizeof(Table));
	if (OidIsValid(get_relname_relid("follows_mark", schema_oid())))
		table_by_name(table, CurrentMemoryContext, "follows_mark", snapshot, RowExclusiveLock);
}

/* Notes that a patient's edges are not in the rollup: a row more, as others may be folding those that are there. */
static void
mark_follows(const Touched *t, Table *table)
{
	Datum		value;
	bool		isnull = false;

	if (table->rel == NULL)
		return;
	value = PointerGetDatum(cstring_to_text_with_len(t->patient.data, t->patient.len));
	table_insert(table, 1, &value, &isnull);
}

/* Evaluates one patient by its ids, by all events; of one that is new, these are of this transaction. */
static void
evaluate_whole(Loader *loader, Store *store, List *ids, TimestampTz since, bool linked, bool is_new)
{
	Touched    *first = *touched_slot(*(Str *) linitial(ids));
	Patient    *p = NULL;
	ListCell   *lc;

	if (is_new && !linked && !first->whole && places_known(first))
		p = loader_placed(loader, ids, first->places, first->nplaces);
	if (p == NULL)
		p = loader_patient(loader, ids, since, linked);
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
	if (whole || is_new || !store_window(store, loader, ids, since, from, linked))
		evaluate_whole(loader, store, ids, since, linked, is_new);
}

/* Order by where the first noted event is, then by patient id. */
static int
compare_places(const ListCell *a, const ListCell *b)
{
	const Touched *x = lfirst(a);
	const Touched *y = lfirst(b);
	int			cmp = (x->nplaces > 0) - (y->nplaces > 0);

	if (cmp == 0 && x->nplaces > 0)
		cmp = x->places[0].partition - y->places[0].partition;
	if (cmp == 0 && x->nplaces > 0)
		cmp = ItemPointerCompare(&x->places[0].tid, &y->places[0].tid);
	return cmp != 0 ? cmp : str_compare(x->patient, y->patient);
}

/* Evaluates all touched patients under a snapshot. */
void
evaluate_touched(Snapshot snapshot, bool rebase)
{
	Loader	   *loader = loader_begin(snapshot);
	Store	   *store = store_begin(snapshot, rebase);
	static MemoryContext context = NULL;
	List	   *list = list_touched();
	List	   *by_place = list_copy(list);
	Table		patient_state;
	Table		follows_mark;
	ListCell   *lc;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "workflow_track patient", KEPT_MEMORY, KEPT_MEMORY, ALLOCSET_DEFAULT_MAXSIZE);
	memory_begin(context);
	foreach(lc, list)
		((Touched *) lfirst(lc))->done = false;
	/* neighbours in the table share its pages */
	list_sort(by_place, compare_places);
	foreach(lc, by_place)
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

	table_by_name(&patient_state, CurrentMemoryContext, "patient_state", snapshot, RowExclusiveLock);
	table_use_index(&patient_state, PS_PATIENT_ID + 1, 0);
	open_follows_mark(&follows_mark, snapshot);
	foreach(lc, list)
	{
		Touched    *t = lfirst(lc);

		if (!t->has_events && !t->linked && !t->is_known)
			continue;
		/* also of one whose events were recorded, or dropped, without a trigger */
		if (keep_patient_state(t, &patient_state) || t->changed || rebase)
			mark_follows(t, &follows_mark);
	}
	table_done(&patient_state);
	table_done(&follows_mark);
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
	scan = wt_table_beginscan(table.rel, snapshot);
	if (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
		paused = DatumGetBool(slot_getattr(table.slot, 1, &isnull));
	table_endscan(scan);
	table_done(&table);
	return paused;
}

/* Marks the touched patients as stale, and keeps what must be known of them. */
void
mark_touched(Snapshot snapshot)
{
	List	   *list = list_touched();
	ListCell   *lc;
	Table		patient_state;
	Table		stale;
	Table		follows_mark;

	table_by_name(&patient_state, CurrentMemoryContext, "patient_state", snapshot, RowExclusiveLock);
	table_use_index(&patient_state, PS_PATIENT_ID + 1, 0);
	open_follows_mark(&follows_mark, snapshot);
	table_by_name(&stale, CurrentMemoryContext, "stale_patient", snapshot, RowExclusiveLock);
	table_use_index(&stale, 1, 0);
	foreach(lc, list)
	{
		Touched    *t = lfirst(lc);
		Datum		values[SP_NCOLUMNS];
		bool		nulls[SP_NCOLUMNS] = {false, true};	/* patient_state knows first_at */

		if (keep_patient_state(t, &patient_state) || t->changed)
			mark_follows(t, &follows_mark);
		if (is_stale(t->patient, &stale))
			continue;
		values[SP_PATIENT_ID] = PointerGetDatum(cstring_to_text_with_len(t->patient.data, t->patient.len));
		values[SP_FIRST_AT] = (Datum) 0;
		table_insert(&stale, SP_NCOLUMNS, values, nulls);
	}
	table_done(&patient_state);
	table_done(&follows_mark);
	table_done(&stale);
}

/*
 * Removes marks of stale patients that were just evaluated; one that somebody
 * else is writing stays, and its patient is evaluated once more.
 */
void
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
			table_try_delete(&stale, &stale.slot->tts_tid);
	}
	table_done(&stale);
}
