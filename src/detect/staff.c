/*
 * staff.c
 *	  Who is who: rows of staff by actor, kept a backend and dropped on change.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "detect/detect.h"
#include "detect/rules.h"
#include "detect/table.h"

/* A row of staff. */
typedef struct StaffRow
{
	Str			role;
	Str			facility;
	Str			system;
	bool		is_shared_inbox;
	bool		is_empty;		/* active never */
	bool		lower_inclusive;
	bool		upper_inclusive;
	TimestampTz lower;			/* infinities where unbounded */
	TimestampTz upper;
} StaffRow;

typedef struct Person
{
	int			n;
	StaffRow   *rows;
} Person;

typedef struct PersonSlot
{
	Str			actor;
	Person		person;
} PersonSlot;

static MemoryContext staff_context = NULL;
static PersonSlot *people = NULL;	/* open addressing */
static uint32 people_mask = 0;
static uint32 people_count = 0;
static bool staff_valid = false;
static Oid	staff_relid = InvalidOid;

/* Columns of staff, in its order. */
enum
{
	STAFF_ACTOR, STAFF_ROLE, STAFF_FACILITY, STAFF_SYSTEM, STAFF_SHARED, STAFF_ACTIVE
};

/* Forgets the staff when its table changes. */
void
staff_changed(Oid relid)
{
	if (relid == InvalidOid || relid == staff_relid)
		staff_valid = false;
}

/*
 * Empties the cache where something changed.  Roles that were handed out point
 * into it, so this is called between patients' loading sessions only.
 */
void
staff_current(void)
{
	if (staff_valid && people != NULL)
		return;
	if (staff_context == NULL)
		staff_context = AllocSetContextCreate(CacheMemoryContext, "workflow_track staff",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(staff_context);
	staff_relid = table_oid("staff");
	people_mask = 1023;
	people_count = 0;
	people = MemoryContextAllocZero(staff_context, sizeof(PersonSlot) * (people_mask + 1));
	staff_valid = !IsInParallelMode();	/* an older snapshot may be read then */
}

/* A text column of the row in a slot, copied. */
static Str
slot_str(TupleTableSlot *slot, int column)
{
	Str			s = {NULL, 0};

	if (!slot->tts_isnull[column])
	{
		s = str_of_datum(slot->tts_values[column]);
		s.data = pnstrdup(s.data, s.len);
	}
	return s;
}

/* Reads active_during. */
static void
read_active(StaffRow *row, Datum range)
{
	RangeType  *r = DatumGetRangeTypeP(range);
	RangeBound	lower,
				upper;

	range_deserialize(lookup_type_cache(RangeTypeGetOid(r), TYPECACHE_RANGE_INFO), r,
					  &lower, &upper, &row->is_empty);
	if (row->is_empty)
		return;
	row->lower = lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	row->upper = upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);
	row->lower_inclusive = lower.inclusive || lower.infinite;
	row->upper_inclusive = upper.inclusive || upper.infinite;
}

/* Reads an actor's rows from the table. */
static Person
read_person(Str actor)
{
	Person		person = {0, NULL};
	Snapshot	snapshot = RegisterSnapshot(reference_snapshot());
	int			size = 0;
	Table		table;

	table_by_name(&table, CurrentMemoryContext, "staff", snapshot, AccessShareLock);
	table_use_index(&table, STAFF_ACTOR + 1, 0);
	table_key_text(&table, actor);
	table_find(&table, 1);
	while (table_next(&table))
	{
		TupleTableSlot *slot = table.slot;
		StaffRow   *row;

		slot_getallattrs(slot);
		if (person.n == size)
		{
			size = Max(2, size * 2);
			person.rows = person.rows == NULL ? palloc(sizeof(StaffRow) * size)
				: repalloc(person.rows, sizeof(StaffRow) * size);
		}
		row = &person.rows[person.n++];
		memset(row, 0, sizeof(StaffRow));
		row->role = slot_str(slot, STAFF_ROLE);
		row->facility = slot_str(slot, STAFF_FACILITY);
		row->system = slot_str(slot, STAFF_SYSTEM);
		row->is_shared_inbox = !slot->tts_isnull[STAFF_SHARED] &&
			DatumGetBool(slot->tts_values[STAFF_SHARED]);
		row->lower = DT_NOBEGIN;
		row->upper = DT_NOEND;
		row->lower_inclusive = row->upper_inclusive = true;
		if (!slot->tts_isnull[STAFF_ACTIVE])
			read_active(row, slot->tts_values[STAFF_ACTIVE]);
	}
	table_done(&table);
	UnregisterSnapshot(snapshot);
	return person;
}

/* Where an actor is in the cache, or would be. */
static PersonSlot *
person_slot(Str actor)
{
	uint32		at = str_hash(actor) & people_mask;

	while (people[at].actor.data != NULL && !str_equal(people[at].actor, actor))
		at = (at + 1) & people_mask;
	return &people[at];
}

/* Doubles the cache. */
static void
grow_people(void)
{
	PersonSlot *old = people;
	uint32		old_mask = people_mask;
	Size		new_size = ((Size) old_mask + 1) * 2;

	/* the mask follows once there is memory */
	people = MemoryContextAllocExtended(staff_context, sizeof(PersonSlot) * new_size,
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	people_mask = new_size - 1;
	for (uint32 i = 0; i <= old_mask; i++)
		if (old[i].actor.data != NULL)
			*person_slot(old[i].actor) = old[i];
	pfree(old);
}

/* The rows of an actor. */
static const Person *
person_of(Str actor)
{
	PersonSlot *slot;

	slot = person_slot(actor);
	if (slot->actor.data == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(staff_context);
		Person		person = read_person(actor);

		if (people_count * 2 >= people_mask)
			grow_people();
		slot = person_slot(actor);
		slot->actor.data = pnstrdup(actor.data, actor.len);
		slot->actor.len = actor.len;
		slot->person = person;
		people_count++;
		MemoryContextSwitchTo(old);
	}
	return &slot->person;
}

/* Is a row in force at an instant? */
static bool
is_active(const StaffRow *row, TimestampTz at)
{
	return !row->is_empty &&
		(row->lower < at || (row->lower == at && row->lower_inclusive)) &&
		(at < row->upper || (at == row->upper && row->upper_inclusive));
}

/*
 * The role of an actor at an event: of the rows in force then those of the
 * event's facility if there are any, of these those of its system if there are
 * any, of these the first by name.
 */
static Str
look_up_role(Str actor, const Event *e)
{
	const Person *person = person_of(actor);
	Str			best = {NULL, 0};
	bool		by_facility = false;
	bool		by_system = false;

	for (int i = 0; i < person->n; i++)
		by_facility |= is_active(&person->rows[i], e->at) &&
			person->rows[i].facility.data != NULL && str_equal(person->rows[i].facility, e->facility);
	for (int i = 0; i < person->n; i++)
		by_system |= is_active(&person->rows[i], e->at) &&
			(!by_facility || str_equal(person->rows[i].facility, e->facility)) &&
			person->rows[i].system.data != NULL && str_equal(person->rows[i].system, e->system);
	for (int i = 0; i < person->n; i++)
	{
		const StaffRow *row = &person->rows[i];

		if (is_active(row, e->at) && row->role.data != NULL &&
			(!by_facility || str_equal(row->facility, e->facility)) &&
			(!by_system || str_equal(row->system, e->system)) &&
			(best.data == NULL || str_compare(row->role, best) < 0))
			best = row->role;
	}
	return best;
}

/* The role of who did it: stated, else looked up. */
Str
actor_role(Event *e)
{
	if (!e->has_actor_role)
	{
		e->actor_role = e->stated_actor_role;
		if (e->actor_role.data == NULL && e->actor.data != NULL)
			e->actor_role = look_up_role(e->actor, e);
		e->has_actor_role = true;
	}
	return e->actor_role;
}

/* The role of the person to whom it was directed: stated, else looked up. */
Str
recipient_role(Event *e)
{
	if (!e->has_recipient_role)
	{
		e->recipient_role = e->stated_recipient_role;
		if (e->recipient_role.data == NULL && e->recipient.data != NULL)
			e->recipient_role = look_up_role(e->recipient, e);
		e->has_recipient_role = true;
	}
	return e->recipient_role;
}

/* Is there any row of that actor? */
bool
is_known_person(Str actor)
{
	return person_of(actor)->n > 0;
}

/* Has an actor a row in force at an instant, and is any such a shared inbox? */
bool
is_active_person(Str actor, TimestampTz at, bool *shared_inbox)
{
	const Person *person = person_of(actor);
	bool		active = false;

	*shared_inbox = false;
	for (int i = 0; i < person->n; i++)
		if (is_active(&person->rows[i], at))
		{
			active = true;
			*shared_inbox |= person->rows[i].is_shared_inbox;
		}
	return active;
}
