/*
 * diary.c
 *	  Reads events month by month, each once a query: from the pages of their
 *	  days where there are, else from the table.
 *
 * A view asks for one day or week after another, and a function that is called
 * for each keeps what it read between the calls.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "burden/diary_internal.h"
#include "burden/mark.h"
#include "compat.h"
#include "detect/event.h"
#include "detect/loader.h"
#include "detect/rules.h"
#include "detect/table.h"
#include "message/statement.h"
#include "record/owner.h"

PG_FUNCTION_INFO_V1(days_read);

#define FIRST_DAY (-36526)		/* 1899-12-31 */
#define LAST_DAY (3652059 - 730120)	/* of a year of four digits */

static Statement find_first = {
	"SELECT min(p.first_at) FROM workflow_track.patient_state p", 0, {0}, true
};

/* --- small things ----------------------------------------------------------- */

/* A text that may be null as a column of a result. */
void
put_name(Datum *values, bool *nulls, int column, Str name)
{
	nulls[column] = name.data == NULL;
	if (name.data != NULL)
		values[column] = PointerGetDatum(cstring_to_text_with_len(name.data, name.len));
}

/* Microseconds of an interval of hours. */
int64
interval_usecs(const Interval *interval)
{
	return interval->time + interval->day * USECS_PER_DAY;
}

/* A facility by its number. */
const Place *
diary_place(const Diary *diary, int place)
{
	return &diary->reference.place[place];
}

/* The name of a person's number; of -1, null. */
Str
person_name(const Diary *diary, int person)
{
	Str			none = {NULL, 0};

	return person < 0 ? none : names_text(diary->people, person);
}

/* The name of a role's number; of -1, null. */
Str
role_name(const Diary *diary, int role)
{
	Str			none = {NULL, 0};

	return role < 0 ? none : names_text(diary->roles, role);
}

/* --- what an event names ------------------------------------------------------ */

/* The number of a name, which is noted where there is room for it. */
static int
noted_number(Diary *diary, Names *names, Str name, int *noted)
{
	int			number;

	if (noted != NULL && *noted >= 0)
		return *noted;
	number = name_number(names, name, diary->context);
	if (noted != NULL)
		*noted = number;
	return number;
}

/* The number of the person that an event names; -1 if it names none. */
int
diary_person(Diary *diary, Entry *e, Party party)
{
	return noted_number(diary, diary->people, party == ACTOR ? e->brief.actor : e->brief.recipient, e->person[party]);
}

/* Where the role is noted that was looked up for a person last. */
static LookedUp *
looked_up_role(Diary *diary, int person)
{
	if (person >= diary->looked_up_size)
	{
		int			size = Max(256, person * 2);

		diary->looked_up = diary->looked_up == NULL ? MemoryContextAllocHuge(diary->context, sizeof(LookedUp) * size)
			: repalloc_huge(diary->looked_up, sizeof(LookedUp) * size);
		memset(diary->looked_up + diary->looked_up_size, 0, sizeof(LookedUp) * (size - diary->looked_up_size));
		diary->looked_up_size = size;
	}
	return &diary->looked_up[person];
}

/* The number of the role of that person then, stated or looked up; -1 if it is not known. */
int
diary_role(Diary *diary, Entry *e, Party party)
{
	Str			stated = party == ACTOR ? e->brief.stated_actor_role : e->brief.stated_recipient_role;
	int			person;
	Str			role;
	LookedUp   *last;

	if (stated.data != NULL)
		return noted_number(diary, diary->roles, stated, e->stated_role[party]);
	person = diary_person(diary, e, party);
	if (person < 0)
		return -1;
	role = party == ACTOR ? actor_role(&e->brief) : recipient_role(&e->brief);
	if (role.data == NULL)
		return -1;
	/* while events are read, equal addresses are equal roles */
	last = looked_up_role(diary, person);
	if (last->name != role.data)
		*last = (LookedUp) {role.data, name_number(diary->roles, role, diary->context)};
	return last->role;
}

/* The number of an event's encounter, of those that merges join one; -1 if it has none. */
int
diary_encounter(Diary *diary, Entry *e)
{
	Names	   *cases = diary->joined->cases;
	int			number;

	if (e->encounter.data == NULL)
		return -1;
	if (e->visit != NULL && *e->visit >= 0)
		return *e->visit;
	number = names_root(cases, pair_number(diary->joined, cases, e->patient, e->encounter));
	if (e->visit != NULL)
		*e->visit = number;
	return number;
}

/* --- reading ----------------------------------------------------------------- */

/* Begins to read, in the current context and as the active snapshot sees it. */
Diary *
diary_begin(const Reader *reader)
{
	Diary	   *diary = palloc0(sizeof(Diary));

	(void) table_oid("diary_page"); /* until setup(), an error that says so */
	diary->context = CurrentMemoryContext;
	diary->reader = reader;
	diary->snapshot = GetActiveSnapshot();
	diary->joined = joined_read(diary->snapshot);
	diary->since = DT_NOBEGIN;
	diary->until = DT_NOEND;
	diary->people = names_begin(1024);
	diary->roles = names_begin(64);
	reference_read(&diary->reference, visible_to_user());
	return diary;
}

/* Reads no event outside of a time. */
void
diary_limit(Diary *diary, TimestampTz since, TimestampTz until)
{
	diary->since = since;
	diary->until = until;
}

/* Can there be events on a day? */
bool
diary_has_day(DateADT day)
{
	return day >= FIRST_DAY && day <= LAST_DAY;
}

/* A patient with all events, until another is asked for; while a month is read. */
Patient *
diary_load(Diary *diary, Str patient)
{
	MemoryContext old;

	if (diary->loaded_id.data != NULL && str_equal(diary->loaded_id, patient))
		return diary->loaded_patient;
	old = MemoryContextSwitchTo(diary->loaded);
	MemoryContextReset(diary->loaded);
	diary->loaded_id = str_copy(patient);
	diary->loaded_patient = loader_known(diary->loader, diary->loaded_id);
	MemoryContextSwitchTo(old);
	return diary->loaded_patient;
}

/* Gives an event to the report, once all but what follows from its time is known. */
void
give_event(Diary *diary)
{
	Entry	   *e = &diary->entry;

	e->day = local_day(&diary->reference.place[e->place], e->at);
	e->brief.at = e->at;
	e->brief.facility = diary->reference.place[e->place].name;
	e->brief.has_actor_role = e->brief.has_recipient_role = false;
	diary->reader->event(diary->reader->arg, e);
}

/* Is an event not of what is read now, or does its day have a page? */
static bool
is_elsewhere(const Diary *diary, TimestampTz at)
{
	return at < diary->piece.from || at >= diary->piece.until ||
		(diary->has_page != NULL && diary->has_page[utc_day(at) - diary->first_day]);
}

/* Gives an event of the table to the report, if it counts. */
static void
read_event(Diary *diary, TupleTableSlot *slot)
{
	Entry	   *e = &diary->entry;
	bool		is_test;
	int			kind;

	slot_getsomeattrs(slot, EV_OCCURRED_AT + 1);
	e->at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);
	if (is_elsewhere(diary, e->at))
		return;
	slot_getsomeattrs(slot, EV_ENTRY_METHOD + 1);
	e->id = DatumGetInt64(slot->tts_values[EV_EVENT_ID]);
	if (is_retracted(diary->joined, e->id))
		return;
	e->own_patient = slot_str(slot, EV_PATIENT_ID);
	e->patient = joined_patient(diary->joined, e->own_patient, &is_test);
	if (is_test)
		return;
	e->recorded_at = slot->tts_isnull[EV_RECORDED_AT] ? e->at : DatumGetTimestampTz(slot->tts_values[EV_RECORDED_AT]);
	e->end = event_end(slot->tts_values);
	e->sequence = DatumGetInt32(slot->tts_values[EV_SOURCE_SEQUENCE]);
	kind = kind_number(&diary->reference, slot_str(slot, EV_KIND));
	e->sort = &diary->reference.sort[kind];
	e->place = place_number(&diary->reference, slot_str(slot, EV_FACILITY));
	e->encounter = slot_str(slot, EV_ENCOUNTER_ID);
	e->by_hand = !slot->tts_isnull[EV_ENTRY_METHOD] && event_is_manual(DatumGetObjectId(slot->tts_values[EV_ENTRY_METHOD]));
	e->by_interface = !slot->tts_isnull[EV_ENTRY_METHOD] && !e->by_hand;
	e->subject = slot_str(slot, EV_SUBJECT);
	e->item = slot_str(slot, EV_ITEM);
	e->code = slot_str(slot, EV_CODE);
	e->value = slot_str(slot, EV_VALUE);
	e->brief.actor = slot_str(slot, EV_ACTOR);
	e->brief.recipient = slot_str(slot, EV_RECIPIENT);
	e->brief.system = slot_str(slot, EV_SOURCE_SYSTEM);
	e->brief.stated_actor_role = slot_str(slot, EV_ACTOR_ROLE);
	e->brief.stated_recipient_role = slot_str(slot, EV_RECIPIENT_ROLE);
	give_event(diary);
}

/* The piece that was read of a month; a new one is empty. */
static Piece *
month_piece(Diary *diary, const Month *month)
{
	for (int i = 0; i < diary->nread; i++)
		if (diary->read[i].until == month->upper)
			return &diary->read[i];
	if (diary->nread == diary->read_size)
	{
		MemoryContext old = MemoryContextSwitchTo(diary->context);

		diary->read_size = Max(16, diary->read_size * 2);
		diary->read = diary->read == NULL ? palloc(sizeof(Piece) * diary->read_size)
			: repalloc(diary->read, sizeof(Piece) * diary->read_size);
		MemoryContextSwitchTo(old);
	}
	diary->read[diary->nread] = (Piece) {month->upper, month->upper};
	return &diary->read[diary->nread++];
}

/* Reads a month from a moment on, as far as that is not done. */
static void
read_month(Diary *diary, int number, TimestampTz from)
{
	Month	   *month = &diary->loader->months[number];
	Piece	   *done = month_piece(diary, month);
	Table	   *table;
	TableScanDesc scan;

	from = Max(from, month->lower);
	if (done->from <= from)
		return;
	diary->piece = (Piece) {Max(Max(from, diary->since), diary->loader->horizon), Min(Min(done->from, diary->until), diary->loader->latest)};
	done->from = from;
	table = loader_month(diary->loader, number);
	if (month->is_empty || diary->piece.from >= diary->piece.until)
		return;
	diary->reader->begins(diary->reader->arg, diary->piece.from, diary->piece.until);
	diary->has_page = NULL;
	if (!has_pages(month) || !read_pages(diary))
	{
		scan = wt_table_beginscan(table->rel, diary->snapshot);
		while (table_scan_getnextslot(scan, ForwardScanDirection, table->slot))
		{
			CHECK_FOR_INTERRUPTS();
			read_event(diary, table->slot);
		}
		table_endscan(scan);
	}
	diary->reader->ends(diary->reader->arg);
}

/* Before what there is no event: no event of a patient is before first_at. */
static TimestampTz
first_event(void)
{
	TimestampTz first = DT_NOEND;
	Caller		caller;
	bool		isnull;
	Datum		value;

	owner_begin(&caller);
	statement_connect();
	statement_run(&find_first, NULL, NULL);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
		first = DatumGetTimestampTz(value);
	SPI_finish();
	owner_end(&caller);
	return first;
}

/* days_read(): the days on which there may be events, wherever. */
Datum
days_read(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Loader	   *loader;
	DateADT		next = FIRST_DAY;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	loader = loader_begin(GetActiveSnapshot());
	for (int m = 0; m < loader->nmonths && loader->months[m].lower <= loader->latest; m++)
	{
		Month	   *month = &loader->months[m];
		DateADT		last;

		loader_month(loader, m);
		if (month->is_empty)
			continue;
		next = Max(next, utc_day(Max(month->lower == DT_NOBEGIN ? first_event() : month->lower, loader->horizon)) - 1);
		last = utc_day(Min(month->upper, loader->latest) - 1) + 1;
		for (; next <= last; next++)
		{
			Datum		value = DateADTGetDatum(next);
			bool		isnull = false;

			tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
		}
	}
	loader_end(loader);
	return (Datum) 0;
}

/* Was all of a time read, within one month? */
static bool
is_covered(const Diary *diary, TimestampTz from, TimestampTz until)
{
	for (int i = 0; i < diary->nread; i++)
		if (diary->read[i].from <= from && until <= diary->read[i].until)
			return true;
	return false;
}

/* Reads the months of a time that were not read yet. */
void
diary_span(Diary *diary, TimestampTz from, TimestampTz until)
{
	MemoryContext scratch;
	MemoryContext old;

	if (is_covered(diary, from, until))
		return;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow_track diary", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scratch);
	diary->snapshot = GetActiveSnapshot();
	diary->loader = loader_begin(diary->snapshot);
	diary->loaded = AllocSetContextCreate(scratch, "workflow_track patient", ALLOCSET_DEFAULT_SIZES);
	diary->loaded_id.data = NULL;
	/* roles that were looked up may have gone */
	if (diary->looked_up_size > 0)
		memset(diary->looked_up, 0, sizeof(LookedUp) * diary->looked_up_size);
	for (int m = 0; m < diary->loader->nmonths; m++)
		if (diary->loader->months[m].upper > from && diary->loader->months[m].lower < until)
			read_month(diary, m, from);
	loader_end(diary->loader);
	diary->loader = NULL;
	diary->has_page = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
