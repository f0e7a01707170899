/*
 * adoption.c
 *	  Signs that people work around a system, by week and role.
 *
 * late_documentation: what was done or found was written down long after.
 * shift_end_entries: most of a shift's documentation was written in its last hour.
 * late_note: a note was signed long after the visit began or the stay ended.
 * other_system: a step was done in another system than the map says.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "burden/diary.h"
#include "burden/met.h"
#include "detect/event.h"
#include "detect/rules.h"

PG_FUNCTION_INFO_V1(workarounds_of_week);

typedef enum Signal
{
	LATE_DOCUMENTATION, SHIFT_END_ENTRIES, LATE_NOTE, OTHER_SYSTEM, NSIGNALS
} Signal;

static const char *const signal_names[NSIGNALS] = {
	"late_documentation", "shift_end_entries", "late_note", "other_system"
};

/* A shift ends where its person does nothing for so long ... */
#define SHIFT_GAP (4 * USECS_PER_HOUR)
/* ... and does not last longer, nor, to be judged, less, or have less documentation. */
#define SHIFT_LONGEST (16 * USECS_PER_HOUR)
#define SHIFT_SHORTEST (4 * USECS_PER_HOUR)
#define SHIFT_ENTRIES 5
#define SHIFT_END USECS_PER_HOUR

/* What is counted together; -1 is no role. */
typedef struct TallyKey
{
	DateADT		week;			/* its Monday */
	int			place;
	int			role;
} TallyKey;

typedef struct Tally
{
	TallyKey	key;
	int			next;			/* of the same week; -1 is none */
	int64		found[NSIGNALS];
	int64		out_of[NSIGNALS];
	int64		people[NSIGNALS];
} Tally;

typedef struct TallySlot
{
	TallyKey	key;
	int			group;
	char		status;
} TallySlot;

#define SH_PREFIX tallies
#define SH_ELEMENT_TYPE TallySlot
#define SH_KEY_TYPE TallyKey
#define SH_KEY key
#define SH_HASH_KEY(table, k) hash_bytes((const unsigned char *) &(k), sizeof(TallyKey))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), sizeof(TallyKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Something that a person did. */
typedef struct Deed
{
	TimestampTz at;
	int			group;			/* -1 where it is no documentation that counts */
} Deed;

typedef struct Person
{
	bool		in_order;
	int			n;
	int			size;
	Deed	   *deeds;
} Person;

/* A note, or what begins or ends a visit or stay. */
typedef struct Mark
{
	int			encounter;
	int32		sequence;
	TimestampTz at;
	Bound		bound;			/* NOT_A_BOUND is a note: */
	int			group;
	int			person;
	int64		id;
	Str			patient;		/* as stored */
} Mark;

typedef struct Adoption
{
	MemoryContext context;
	Reader		reader;
	Diary	   *diary;
	int64		documented_within;
	int64		signed_within;
	tallies_hash *slots;
	int			ngroups;
	int			size;
	Tally	   *groups;
	met_hash   *weeks;			/* the first group of each week */
	met_hash   *done;			/* weeks whose shifts were looked at */
	met_hash   *met;			/* people that were met in a group, for a signal */
	int			people_size;
	Person	   *people;			/* by number of the actor */

	/* of the month that is read */
	MemoryContext month;
	int			nmarks;
	int			marks_size;
	Mark	   *marks;
} Adoption;

/* --- groups ------------------------------------------------------------------ */

/* The Monday of a day's week. */
static DateADT
week_of(DateADT day)
{
	int			since_monday = (day + 5) % 7;	/* 2000-01-03 was one */

	return day - (since_monday < 0 ? since_monday + 7 : since_monday);
}

/* The number of the group of an event. */
static int
group_number(Adoption *adoption, Entry *e)
{
	TallyKey	key = {week_of(e->day), e->place, diary_role(adoption->diary, e, ACTOR)};
	bool		found;
	TallySlot  *slot = tallies_insert(adoption->slots, key, &found);
	Tally	   *group;
	Met		   *week;

	if (found)
		return slot->group;
	if (adoption->ngroups == adoption->size)
	{
		MemoryContext old = MemoryContextSwitchTo(adoption->context);

		adoption->size = Max(64, adoption->size * 2);
		adoption->groups = adoption->groups == NULL ? palloc(sizeof(Tally) * adoption->size)
			: repalloc_huge(adoption->groups, sizeof(Tally) * adoption->size);
		MemoryContextSwitchTo(old);
	}
	slot->group = adoption->ngroups++;
	group = &adoption->groups[slot->group];
	memset(group, 0, sizeof(Tally));
	group->key = key;
	week = met_insert(adoption->weeks, (uint64) (int64) key.week, &found);
	group->next = found ? (int) week->value : -1;
	week->value = slot->group;
	return slot->group;
}

/* Counts what gives a signal, or might have. */
static void
count(Adoption *adoption, int group, Signal signal, int person, bool gives)
{
	bool		found;

	adoption->groups[group].out_of[signal]++;
	if (!gives)
		return;
	adoption->groups[group].found[signal]++;
	if (person < 0)
		return;
	met_insert(adoption->met, ((uint64) group * NSIGNALS + signal) << 32 | (uint32) person, &found);
	adoption->groups[group].people[signal] += !found;
}

/* --- reading ----------------------------------------------------------------- */

/* Begins a month, or its end. */
static void
month_begins(void *arg, TimestampTz from, TimestampTz until)
{
	Adoption   *adoption = arg;

	adoption->month = AllocSetContextCreate(CurrentMemoryContext, "workflow_track month", ALLOCSET_DEFAULT_SIZES);
	adoption->nmarks = adoption->marks_size = 0;
	adoption->marks = NULL;
}

/* Notes what a person did, to tell shifts from it. */
static void
note_deed(Adoption *adoption, int number, TimestampTz at, int group)
{
	MemoryContext old = MemoryContextSwitchTo(adoption->context);
	Person	   *person;

	if (number >= adoption->people_size)
	{
		int			size = Max(256, number * 2);

		adoption->people = adoption->people == NULL ? palloc(sizeof(Person) * size)
			: repalloc_huge(adoption->people, sizeof(Person) * size);
		memset(adoption->people + adoption->people_size, 0, sizeof(Person) * (size - adoption->people_size));
		adoption->people_size = size;
	}
	person = &adoption->people[number];
	if (person->n == person->size)
	{
		person->size = Max(64, person->size * 2);
		person->deeds = person->deeds == NULL ? palloc(sizeof(Deed) * person->size)
			: repalloc_huge(person->deeds, sizeof(Deed) * person->size);
	}
	person->in_order = person->n == 0 || (person->in_order && person->deeds[person->n - 1].at <= at);
	person->deeds[person->n++] = (Deed) {at, group};
	MemoryContextSwitchTo(old);
}

/* Notes a note or a bound of an encounter. */
static void
note_mark(Adoption *adoption, Entry *e, int group, int person)
{
	int			encounter = diary_encounter(adoption->diary, e);
	MemoryContext old;
	Mark	   *mark;

	if (encounter < 0)
		return;
	old = MemoryContextSwitchTo(adoption->month);
	if (adoption->nmarks == adoption->marks_size)
	{
		adoption->marks_size = Max(256, adoption->marks_size * 2);
		adoption->marks = adoption->marks == NULL ? palloc(sizeof(Mark) * adoption->marks_size)
			: repalloc_huge(adoption->marks, sizeof(Mark) * adoption->marks_size);
	}
	mark = &adoption->marks[adoption->nmarks++];
	memset(mark, 0, sizeof(Mark));
	mark->encounter = encounter;
	mark->sequence = e->sequence;
	mark->at = e->at;
	mark->bound = e->sort->bound;
	mark->group = group;
	mark->person = person;
	mark->id = e->id;
	if (e->sort->is_note)
		mark->patient = str_copy(e->own_patient);
	MemoryContextSwitchTo(old);
}

/* Was it stored longer after it happened than it may? */
static bool
is_late(const Adoption *adoption, const Entry *e)
{
	return e->recorded_at - e->at > adoption->documented_within &&
		e->recorded_at - e->end > adoption->documented_within;
}

/* Looks at an event. */
static void
look_at_event(void *arg, Entry *e)
{
	Adoption   *adoption = arg;
	const KindSort *sort = e->sort;
	bool		visible = diary_place(adoption->diary, e->place)->is_visible;
	bool		judged = visible && (sort->documents || sort->is_note || sort->nsystems > 0);
	int			person = diary_person(adoption->diary, e, ACTOR);
	int			group = judged ? group_number(adoption, e) : -1;

	if (person >= 0)
		note_deed(adoption, person, e->at, sort->documents ? group : -1);
	if (sort->bound != NOT_A_BOUND || (sort->is_note && visible))
		note_mark(adoption, e, group, person);
	if (!judged)
		return;
	if (sort->documents)
		count(adoption, group, LATE_DOCUMENTATION, person, is_late(adoption, e));
	if (sort->nsystems > 0 && e->brief.system.data != NULL)
		count(adoption, group, OTHER_SYSTEM, person, !str_in(e->brief.system, sort->systems, sort->nsystems));
}

/* --- notes ------------------------------------------------------------------- */

/* Order by encounter, then canonical as far as it matters, for qsort. */
static int
compare_marks(const void *a, const void *b)
{
	const Mark *x = a;
	const Mark *y = b;
	const int	after_bounds = BOUND_REGISTERED + 1;

	if (x->encounter != y->encounter)
		return x->encounter < y->encounter ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	/* kinds in their order: encounter.admitted, .discharged, .registered, note.signed */
	return (x->bound == NOT_A_BOUND ? after_bounds : (int) x->bound) -
		(y->bound == NOT_A_BOUND ? after_bounds : (int) y->bound);
}

/* The last bound before a note, looked for among all events of the patient. */
static Bound
bound_before(Adoption *adoption, const Mark *note, TimestampTz *at)
{
	Patient    *p = diary_load(adoption->diary, note->patient);
	int			place;

	for (place = 0; p != NULL && place < p->nevents && p->events[place].event_id != note->id;)
		place++;
	for (int i = place - 1; p != NULL && i >= 0; i--)
	{
		const Event *e = &p->events[i];
		Bound		bound = kind_bound(e->kind->name);

		if (bound == NOT_A_BOUND || e->encounter_key != p->events[place].encounter_key)
			continue;
		*at = e->at;
		return bound;
	}
	return NOT_A_BOUND;
}

/* Counts the notes of a month. */
static void
month_ends(void *arg)
{
	Adoption   *adoption = arg;
	const Mark *last = NULL;	/* bound */

	if (adoption->nmarks > 0)
		qsort(adoption->marks, adoption->nmarks, sizeof(Mark), compare_marks);
	for (int i = 0; i < adoption->nmarks; i++)
	{
		const Mark *mark = &adoption->marks[i];
		TimestampTz at = 0;
		Bound		bound;

		if (mark->bound != NOT_A_BOUND)
			last = mark;
		else if (last != NULL && last->encounter == mark->encounter)
			count(adoption, mark->group, LATE_NOTE, mark->person,
				  last->bound != BOUND_ADMITTED && mark->at - last->at > adoption->signed_within);
		else if ((bound = bound_before(adoption, mark, &at)) != NOT_A_BOUND)
			count(adoption, mark->group, LATE_NOTE, mark->person,
				  bound != BOUND_ADMITTED && mark->at - at > adoption->signed_within);
	}
	MemoryContextDelete(adoption->month);
}

/* --- shifts ------------------------------------------------------------------ */

/* Order by time, for qsort. */
static int
compare_deeds(const void *a, const void *b)
{
	return int64_compare(&((const Deed *) a)->at, &((const Deed *) b)->at);
}

/* Where a shift begins that ends with a deed: after a long gap, and not too long before. */
static int
shift_start(const Person *person, int end)
{
	int			start = end;

	while (start > 0 && person->deeds[start].at - person->deeds[start - 1].at < SHIFT_GAP &&
		   person->deeds[end].at - person->deeds[start - 1].at <= SHIFT_LONGEST)
		start--;
	return start;
}

/* Was most of the documentation of a shift written at its end? */
static bool
is_written_at_end(const Person *person, int start, int end)
{
	TimestampTz last = person->deeds[end].at;
	int			entries = 0;
	int			at_end = 0;

	if (last - person->deeds[start].at < SHIFT_SHORTEST)
		return false;
	for (int i = start; i <= end; i++)
		if (person->deeds[i].group >= 0)
		{
			entries++;
			at_end += last - person->deeds[i].at <= SHIFT_END;
		}
	return entries >= SHIFT_ENTRIES && at_end * 2 > entries;
}

/* Is it known that a person did nothing for long after a deed? */
static bool
is_shift_end(const Person *person, int deed)
{
	TimestampTz next = deed + 1 < person->n ? person->deeds[deed + 1].at : GetCurrentTransactionStartTimestamp();

	return next - person->deeds[deed].at >= SHIFT_GAP;
}

/* Counts the documentation of a week that a person wrote, and what of it at the end of a shift. */
static void
count_shifts(Adoption *adoption, int number, DateADT week)
{
	Person	   *person = &adoption->people[number];
	TimestampTz from = (week - 2) * USECS_PER_DAY;
	TimestampTz until = (week + 9) * USECS_PER_DAY;
	int			next = 0;		/* to be counted */

	if (!person->in_order)
		qsort(person->deeds, person->n, sizeof(Deed), compare_deeds);
	person->in_order = true;
	while (next < person->n && person->deeds[next].at < from)
		next++;
	for (int end = next; end < person->n && person->deeds[end].at < until; end++)
	{
		bool		is_end = is_shift_end(person, end);
		bool		written_at_end = is_end && is_written_at_end(person, shift_start(person, end), end);

		if (!is_end && end + 1 < person->n && person->deeds[end + 1].at < until)
			continue;
		for (; next <= end; next++)
		{
			const Deed *deed = &person->deeds[next];

			if (deed->group >= 0 && adoption->groups[deed->group].key.week == week)
				count(adoption, deed->group, SHIFT_END_ENTRIES, number,
					  written_at_end && person->deeds[end].at - deed->at <= SHIFT_END);
		}
	}
}

/* --- results ----------------------------------------------------------------- */

/* Begins to count, in the current context. */
static Adoption *
adoption_begin(int64 documented_within, int64 signed_within)
{
	Adoption   *adoption = palloc0(sizeof(Adoption));

	adoption->context = CurrentMemoryContext;
	adoption->documented_within = documented_within;
	adoption->signed_within = signed_within;
	adoption->slots = tallies_create(CurrentMemoryContext, 256, NULL);
	adoption->weeks = met_create(CurrentMemoryContext, 16, NULL);
	adoption->done = met_create(CurrentMemoryContext, 16, NULL);
	adoption->met = met_create(CurrentMemoryContext, 1024, NULL);
	adoption->reader = (Reader) {month_begins, look_at_event, month_ends, adoption};
	adoption->diary = diary_begin(&adoption->reader);
	return adoption;
}

/* Puts the rows of a week into the result. */
static void
put_rows(ReturnSetInfo *result, const Adoption *adoption, DateADT week)
{
	Met		   *first = met_lookup(adoption->weeks, (uint64) (int64) week);

	for (int i = first == NULL ? -1 : (int) first->value; i >= 0; i = adoption->groups[i].next)
	{
		const Tally *group = &adoption->groups[i];

		for (int signal = 0; signal < NSIGNALS; signal++)
		{
			Datum		values[6];
			bool		nulls[6] = {0};

			if (group->out_of[signal] == 0)
				continue;
			put_name(values, nulls, 0, diary_place(adoption->diary, group->key.place)->name);
			put_name(values, nulls, 1, role_name(adoption->diary, group->key.role));
			values[2] = CStringGetTextDatum(signal_names[signal]);
			values[3] = Int64GetDatum(group->found[signal]);
			values[4] = Int64GetDatum(group->out_of[signal]);
			values[5] = Int64GetDatum(group->people[signal]);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
}

/* workarounds_of_week(week, documented_within, signed_within): signs of the week that begins on a Monday. */
Datum
workarounds_of_week(PG_FUNCTION_ARGS)
{
	DateADT		week = PG_GETARG_DATEADT(0);
	int64		documented_within = interval_usecs(PG_GETARG_INTERVAL_P(1));
	int64		signed_within = interval_usecs(PG_GETARG_INTERVAL_P(2));
	Adoption   *adoption = fcinfo->flinfo->fn_extra;
	MemoryContext old;
	bool		found;

	InitMaterializedSRF(fcinfo, 0);
	if (!diary_has_day(week))
		return (Datum) 0;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (adoption == NULL || adoption->documented_within != documented_within || adoption->signed_within != signed_within)
		adoption = fcinfo->flinfo->fn_extra = adoption_begin(documented_within, signed_within);
	/* wherever it is that week, and shifts that begin before or end after it */
	diary_span(adoption->diary, (week - 2) * USECS_PER_DAY, (week + 9) * USECS_PER_DAY);
	met_insert(adoption->done, (uint64) (int64) week, &found);
	for (int i = 0; !found && i < adoption->people_size; i++)
		count_shifts(adoption, i, week);
	MemoryContextSwitchTo(old);
	put_rows((ReturnSetInfo *) fcinfo->resultinfo, adoption, week);
	return (Datum) 0;
}
