/*
 * touched.c
 *	  The patients that a transaction touches, and what is done about them at
 *	  its end.
 *
 * Row triggers only note patients.  Once, before the transaction commits or is
 * prepared, all of them are locked in one order and evaluated under a snapshot
 * that is taken after the locks: so whoever comes second sees what came first,
 * at every isolation level.  Patients that only a subtransaction noted which was
 * rolled back are not: whoever commits waits for nothing that it took back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/evaluate.h"
#include "detect/touched.h"
#include "message/inbox.h"
#include "record/settle.h"

/* So many places of events are noted, of 16 bytes each, in so many partitions. */
#define MOST_PLACES 2000000
#define MOST_PARTITIONS 64

/* All of them; in the transaction's memory, so NULL outside. */
static Touched **touched = NULL;
static uint32 touched_mask = 0;
static uint32 touched_used = 0; /* slots, also of what was rolled back */
static uint32 touched_count = 0;
static Touched *noted_last = NULL;	/* before it what came first; levels never fall on the way to it */
static bool places_are_known = true;	/* where events of this transaction are */
static int	nplaces = 0;
static int	npartitions = 0;
static Oid	partitions[MOST_PARTITIONS];	/* that they are in */
static int64 *refusable = NULL; /* events of kinds that a rule may refuse */
static int	nrefusable = 0;

/* --- noting ---------------------------------------------------------------- */

/* Where a patient is in the table, or would be. */
Touched **
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
	uint32		new_size = old == NULL ? 64 : old_size * 2;

	/* the mask follows once there is memory: the transaction may survive the lack of it */
	touched = MemoryContextAllocExtended(TopTransactionContext, sizeof(Touched *) * (Size) new_size,
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	touched_mask = new_size - 1;
	for (uint32 i = 0; i < old_size; i++)
		if (old[i] != NULL)
			*touched_slot(old[i]->patient) = old[i];
	if (old != NULL)
		pfree(old);
}

/* Notes a patient; no event that is the reason for it is before first_at. */
Touched *
touch_patient(Str patient, TimestampTz first_at, Touch why)
{
	Touched   **slot;
	Touched    *t;

	if (touched == NULL || touched_used * 2 > touched_mask)
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
		touched_used++;
	}
	t = *slot;
	if (t->nest_level == 0)
	{
		*t = (Touched)
		{
			.patient = t->patient, .nest_level = GetCurrentTransactionNestLevel(), .before = noted_last, .first_at = first_at
		};
		noted_last = t;
		touched_count++;
	}
	t->first_at = Min(t->first_at, first_at);
	t->nevents += why == TOUCH_EVENT;
	t->linked |= why == TOUCH_LINK || why == TOUCH_JOINED || why == TOUCH_AGAIN_LINK;
	t->whole |= why != TOUCH_EVENT && why != TOUCH_JOINED;
	t->changed |= why == TOUCH_EVENT || why == TOUCH_WHOLE || why == TOUCH_LINK;
	return t;
}

/* The number of a partition; -1 if there are too many. */
static int
partition_number(Oid partition)
{
	for (int i = npartitions - 1; i >= 0; i--)
		if (partitions[i] == partition)
			return i;
	if (npartitions == MOST_PARTITIONS)
		return -1;
	partitions[npartitions] = partition;
	return npartitions++;
}

/*
 * Notes where an event is that was recorded of a touched patient: of one that is
 * new, no other need be looked for.
 */
void
place_event(Touched *t, int64 event_id, Oid partition, const ItemPointerData *tid)
{
	int			number = places_are_known && nplaces < MOST_PLACES ? partition_number(partition) : -1;

	if (number < 0 || t->nplaces < 0)
	{
		t->nplaces = -1;
		return;
	}
	if (t->nplaces == t->places_size)
	{
		int			size = Max(8, t->places_size * 2);

		t->places = t->places == NULL ? MemoryContextAlloc(TopTransactionContext, sizeof(EventPlace) * size)
			: repalloc_huge(t->places, sizeof(EventPlace) * size);
		t->places_size = size;
	}
	t->places[t->nplaces++] = (EventPlace) {event_id, *tid, (uint16) number};
	nplaces++;
}

/* Is it known where all events are that this transaction recorded of a patient? */
bool
places_known(const Touched *t)
{
	return places_are_known && t->nplaces > 0;
}

/* The partition that an event is in. */
Oid
place_partition(const EventPlace *place)
{
	return partitions[place->partition];
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
	touched_used = 0;
	touched_count = 0;
	noted_last = NULL;
	places_are_known = true;
	nplaces = npartitions = 0;
	refusable = NULL;
	nrefusable = 0;
	forget_aliases();
}

/* Forgets the patients that nothing but a subtransaction noted which is rolled back. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		/* some of the places are of what is rolled back */
		places_are_known &= touched_count == 0;
		for (; noted_last != NULL && noted_last->nest_level >= level; noted_last = noted_last->before)
		{
			noted_last->nest_level = 0;
			touched_count--;
		}
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (Touched *t = noted_last; t != NULL && t->nest_level >= level; t = t->before)
			t->nest_level = level - 1;
}

/* Order by patient id. */
static int
compare_touched(const ListCell *a, const ListCell *b)
{
	return str_compare(((Touched *) lfirst(a))->patient, ((Touched *) lfirst(b))->patient);
}

/* The touched patients, in a list that is ordered as the indexes are. */
List *
list_touched(void)
{
	List	   *list = NIL;

	for (uint32 i = 0; i <= touched_mask; i++)
		if (touched[i] != NULL && touched[i]->nest_level > 0)
			list = lappend(list, touched[i]);
	list_sort(list, compare_touched);
	return list;
}

/* How many there are. */
uint32
count_touched(void)
{
	return touched_count;
}

/* --- the end of the transaction -------------------------------------------- */

/* Empties memory at the end of a transaction. */
static void
memory_end(void *context)
{
	MemoryContextReset(context);
}

/*
 * Empties memory that a backend keeps, and again at the end of the transaction,
 * however that ends.  Its first block stays: to take that from the system and to
 * give it back would cost a small transaction a tenth of its time.
 */
void
memory_begin(MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAlloc(TopTransactionContext, sizeof(MemoryContextCallback));

	MemoryContextReset(context);
	callback->func = memory_end;
	callback->arg = context;
	MemoryContextRegisterResetCallback(TopTransactionContext, callback);
}

/*
 * Does for the touched patients what is due before the transaction ends; where
 * rebase is set, kept contributions follow and the rollups stay as they are.
 */
static void
detect_touched(bool rebase)
{
	static MemoryContext context = NULL;
	MemoryContext old;
	Snapshot	snapshot;

	if (touched_count == 0)
		return;
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "workflow_track detection", KEPT_MEMORY, KEPT_MEMORY, ALLOCSET_DEFAULT_MAXSIZE);
	memory_begin(context);
	old = MemoryContextSwitchTo(context);
	settle_aliases();
	detection_lock_shared();
	snapshot = settle_called_off(lock_touched());
	if (detection_is_paused(snapshot))
		mark_touched(snapshot);
	else
	{
		evaluate_touched(snapshot, rebase);
		unmark_touched(snapshot);
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
}

/*
 * Does it before the end.  What a savepoint may take back, the end of the
 * transaction does once more.
 */
void
detect_touched_now(bool rebase)
{
	(void) settle_messages();
	detect_touched(rebase);
	if (GetCurrentTransactionNestLevel() == 1)
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
			/* what it writes may have deferred triggers of others */
			while (settle_messages())
				AfterTriggerFireDeferred();
			detect_touched(false);
			forget_touched();
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

/* Asks to be called at the ends of transactions and subtransactions. */
void
touched_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
