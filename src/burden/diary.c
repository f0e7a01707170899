/*
 * diary.c
 *	  Reads events month by month, each once a query.
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

#include "burden/diary.h"
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

/* A month, or its end. */
typedef struct Piece
{
	TimestampTz from;
	TimestampTz until;
} Piece;

struct Diary
{
	MemoryContext context;
	const Reader *reader;
	Snapshot	snapshot;
	const Visible *visible;
	Joined	   *joined;
	Loader	   *loader;			/* while months are read */
	MemoryContext loaded;		/* of the patient that was asked for last ... */
	Str			loaded_id;		/* ... by this id; null is none */
	Patient    *loaded_patient;
	TimestampTz since;			/* what is outside is skipped */
	TimestampTz until;
	int			nread;			/* months, and from when on each was read */
	int			read_size;
	Piece	   *read;
	Piece		piece;			/* what is read now */
	Names	   *places;
	int			places_size;
	Place	   *place;			/* by number */
	Names	   *kinds;
	int			kinds_size;
	KindSort   *sort;			/* by number */
	Names	   *zones;			/* facilities that have a row of their own ... */
	Str		   *zone;			/* ... and their time zones, by number */
	int			last_place;
	Oid			manual;			/* labels of entry_method, once known */
	Oid			interface;
};

/* Which kinds document something, and what the current maps say of systems. */
static Statement find_sorts = {
	"SELECT k.kind, NULL FROM workflow_track.event_kind k WHERE k.kind = 'medication.administered' "
	"OR k.category IN ('intake', 'vitals', 'history', 'assessment', 'diagnosis', 'procedure', 'immunization', 'data') "
	"UNION ALL SELECT s.kind, u.system FROM workflow_track.workflow_step s JOIN workflow_track.workflow w USING (workflow, version) "
	"CROSS JOIN LATERAL unnest(s.systems) u(system) WHERE w.state = 'current'",
	0, {0}, true
};
static Statement find_first = {
	"SELECT min(p.first_at) FROM workflow_track.patient_state p", 0, {0}, true
};
static Statement find_zones = {
	"SELECT f.facility, f.timezone FROM workflow_track.facility f", 0, {0}, true
};

/* --- small things ----------------------------------------------------------- */

/* The number of a name, which is copied when it is new; of a null, -1. */
int
name_number(Names *names, Str name, MemoryContext context)
{
	int			number = names_find(names, name);

	if (number < 0 && name.data != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		number = names_intern(names, str_copy(name));
		MemoryContextSwitchTo(old);
	}
	return number;
}

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

/* A text of the row that a statement found, copied into the diary's memory. */
static Str
found_text(const Diary *diary, uint64 row, int column)
{
	MemoryContext old = MemoryContextSwitchTo(diary->context);
	Str			s = {NULL, 0};
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	if (!isnull)
		s = str_copy(str_of_datum(value));
	MemoryContextSwitchTo(old);
	return s;
}

/* --- kinds ------------------------------------------------------------------- */

/* What a kind begins or ends, by its name. */
Bound
kind_bound(Str kind)
{
	if (str_is(kind, "encounter.admitted"))
		return BOUND_ADMITTED;
	if (str_is(kind, "encounter.discharged"))
		return BOUND_DISCHARGED;
	return str_is(kind, "encounter.registered") ? BOUND_REGISTERED : NOT_A_BOUND;
}

/* What a kind is, by its name alone. */
static KindSort
sort_of(Str kind)
{
	KindSort	sort = {0};

	sort.fires = str_is(kind, "alert.fired");
	sort.overrides = str_is(kind, "alert.overridden");
	sort.is_screen = str_is(kind, "screen.used");
	sort.is_note = str_is(kind, "note.signed");
	sort.bound = kind_bound(kind);
	return sort;
}

/* What a kind is. */
static KindSort *
kind_sort(Diary *diary, Str kind)
{
	int			known = names_count(diary->kinds);
	int			number = name_number(diary->kinds, kind, diary->context);

	if (number < known)
		return &diary->sort[number];
	if (number >= diary->kinds_size)
	{
		MemoryContext old = MemoryContextSwitchTo(diary->context);

		diary->kinds_size = Max(128, diary->kinds_size * 2);
		diary->sort = diary->sort == NULL ? palloc(sizeof(KindSort) * diary->kinds_size)
			: repalloc(diary->sort, sizeof(KindSort) * diary->kinds_size);
		MemoryContextSwitchTo(old);
	}
	diary->sort[number] = sort_of(kind);
	return &diary->sort[number];
}

/* Takes a row of find_sorts. */
static void
take_sort(Diary *diary, uint64 row)
{
	KindSort   *sort = kind_sort(diary, found_text(diary, row, 1));
	Str			system = found_text(diary, row, 2);
	MemoryContext old = MemoryContextSwitchTo(diary->context);

	if (system.data == NULL)
		sort->documents = true;
	else
	{
		sort->systems = sort->systems == NULL ? palloc(sizeof(Str))
			: repalloc(sort->systems, sizeof(Str) * (sort->nsystems + 1));
		sort->systems[sort->nsystems++] = system;
	}
	MemoryContextSwitchTo(old);
}

/* Reads what kinds are and where facilities are, which the caller may not read. */
static void
read_references(Diary *diary)
{
	Caller		caller;

	owner_begin(&caller);
	statement_connect();
	statement_run(&find_sorts, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		take_sort(diary, i);
	statement_run(&find_zones, NULL, NULL);
	diary->zone = MemoryContextAlloc(diary->context, sizeof(Str) * Max(SPI_processed, 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		name_number(diary->zones, found_text(diary, i, 1), diary->context);
		diary->zone[i] = found_text(diary, i, 2);
	}
	SPI_finish();
	owner_end(&caller);
}

/* --- facilities -------------------------------------------------------------- */

/* The clock of a facility that the caller sees: that of its row in table facility, else UTC. */
static pg_tz *
place_zone(const Diary *diary, Str facility)
{
	int			number = names_find(diary->zones, facility);
	pg_tz	   *zone = number < 0 ? pg_tzset("UTC")
		: pg_tzset(pnstrdup(diary->zone[number].data, diary->zone[number].len));

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("facility \"%.*s\" has no valid time zone", facility.len, facility.data),
				 errhint("Mend its row in table workflow_track.facility; view pg_timezone_names lists time zones.")));
	return zone;
}

/* The number of a facility. */
static int
place_number(Diary *diary, Str facility)
{
	int			known = names_count(diary->places);
	int			number;
	Place	   *place;

	if (diary->last_place >= 0 && str_equal(diary->place[diary->last_place].name, facility))
		return diary->last_place;
	number = name_number(diary->places, facility, diary->context);
	diary->last_place = number;
	if (number < known)
		return number;
	if (number >= diary->places_size)
	{
		MemoryContext old = MemoryContextSwitchTo(diary->context);

		diary->places_size = Max(16, diary->places_size * 2);
		diary->place = diary->place == NULL ? palloc(sizeof(Place) * diary->places_size)
			: repalloc(diary->place, sizeof(Place) * diary->places_size);
		MemoryContextSwitchTo(old);
	}
	place = &diary->place[number];
	place->name = names_text(diary->places, number);
	place->is_visible = is_visible(diary->visible, facility);
	place->zone = place->is_visible ? place_zone(diary, facility) : pg_tzset("UTC");
	place->from = place->until = 0;
	return number;
}

/* A facility by its number. */
const Place *
diary_place(const Diary *diary, int place)
{
	return &diary->place[place];
}

/* The day of a moment on a facility's clock. */
static DateADT
local_day(Place *place, TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC - (at % USECS_PER_SEC < 0);
	pg_time_t	unix_time = seconds + ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * SECS_PER_DAY;

	if (unix_time < place->from || unix_time >= place->until)
	{
		long		after;
		int			isdst;
		int			after_isdst;
		pg_time_t	boundary;
		int			found = pg_next_dst_boundary(&unix_time, &place->offset, &isdst, &boundary, &after, &after_isdst,
												 place->zone);

		if (found < 0)
			elog(ERROR, "cannot tell the local time of a facility");
		place->from = unix_time;
		place->until = found == 0 ? PG_INT64_MAX : boundary;
	}
	seconds += place->offset;
	return (DateADT) (seconds / SECS_PER_DAY - (seconds % SECS_PER_DAY < 0));
}

/* --- reading ----------------------------------------------------------------- */

/* Begins to read, in the current context and as the active snapshot sees it. */
Diary *
diary_begin(const Reader *reader)
{
	Diary	   *diary = palloc0(sizeof(Diary));

	diary->context = CurrentMemoryContext;
	diary->reader = reader;
	diary->reader = reader;
	diary->snapshot = GetActiveSnapshot();
	diary->visible = visible_to_user();
	diary->joined = joined_read(diary->snapshot);
	diary->since = DT_NOBEGIN;
	diary->until = DT_NOEND;
	diary->places = names_begin(16);
	diary->kinds = names_begin(128);
	diary->zones = names_begin(16);
	diary->last_place = -1;
	read_references(diary);
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

/* What stands for all ids that are one patient with an id. */
Str
diary_patient(const Diary *diary, Str patient)
{
	bool		is_test;

	return joined_patient(diary->joined, patient, &is_test);
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

/* An event with all its columns, in the current context. */
Event *
diary_whole(Diary *diary, const Entry *e)
{
	Event	   *event = palloc(sizeof(Event));

	slot_getallattrs(e->slot);
	event_read(event, loader_rules(diary->loader), e->slot->tts_values, e->slot->tts_isnull);
	return event;
}

/* The number of an event's encounter, of those that merges join one; -1 if it has none. */
int
diary_encounter(Diary *diary, const Entry *e)
{
	Names	   *cases = diary->joined->cases;

	return e->slot->tts_isnull[EV_ENCOUNTER_ID] ? -1
		: names_root(cases, pair_number(diary->joined, cases, e->patient, slot_str(e->slot, EV_ENCOUNTER_ID)));
}

/* How an event was entered. */
static void
read_method(Diary *diary, Entry *e)
{
	Oid			method = e->slot->tts_isnull[EV_ENTRY_METHOD] ? InvalidOid
		: DatumGetObjectId(e->slot->tts_values[EV_ENTRY_METHOD]);

	e->by_hand = OidIsValid(method) && method == diary->manual;
	e->by_interface = OidIsValid(method) && method == diary->interface;
	if (OidIsValid(method) && !e->by_hand && !e->by_interface)
	{
		e->by_hand = event_is_manual(method);
		e->by_interface = !e->by_hand;
		*(e->by_hand ? &diary->manual : &diary->interface) = method;
	}
}

/* Gives an event to the report, if it counts. */
static void
read_event(Diary *diary, TupleTableSlot *slot)
{
	Entry		e;
	bool		is_test;

	slot_getsomeattrs(slot, EV_OCCURRED_AT + 1);
	e.at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);
	if (e.at < diary->piece.from || e.at >= diary->piece.until)
		return;
	slot_getsomeattrs(slot, EV_ENTRY_METHOD + 1);
	e.id = DatumGetInt64(slot->tts_values[EV_EVENT_ID]);
	if (is_retracted(diary->joined, e.id))
		return;
	e.patient = joined_patient(diary->joined, slot_str(slot, EV_PATIENT_ID), &is_test);
	if (is_test)
		return;
	e.slot = slot;
	e.sort = kind_sort(diary, slot_str(slot, EV_KIND));
	e.place = place_number(diary, slot_str(slot, EV_FACILITY));
	e.day = local_day(&diary->place[e.place], e.at);
	read_method(diary, &e);
	memset(&e.brief, 0, sizeof(Event));
	e.brief.at = e.at;
	e.brief.facility = diary->place[e.place].name;
	e.brief.actor = slot_str(slot, EV_ACTOR);
	e.brief.recipient = slot_str(slot, EV_RECIPIENT);
	e.brief.system = slot_str(slot, EV_SOURCE_SYSTEM);
	e.brief.stated_actor_role = slot_str(slot, EV_ACTOR_ROLE);
	e.brief.stated_recipient_role = slot_str(slot, EV_RECIPIENT_ROLE);
	diary->reader->event(diary->reader->arg, &e);
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
	diary->piece = (Piece) {Max(Max(from, diary->since), diary->loader->horizon), Min(done->from, diary->until)};
	done->from = from;
	table = loader_month(diary->loader, number);
	if (month->is_empty || diary->piece.from >= diary->piece.until)
		return;
	diary->reader->begins(diary->reader->arg, diary->piece.from, diary->piece.until);
	scan = wt_table_beginscan(table->rel, diary->snapshot);
	while (table_scan_getnextslot(scan, ForwardScanDirection, table->slot))
	{
		CHECK_FOR_INTERRUPTS();
		read_event(diary, table->slot);
	}
	table_endscan(scan);
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

/* The day of a moment in UTC. */
static DateADT
utc_day(TimestampTz at)
{
	return (DateADT) (at / USECS_PER_DAY - (at % USECS_PER_DAY < 0));
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
	for (int m = 0; m < diary->loader->nmonths; m++)
		if (diary->loader->months[m].upper > from && diary->loader->months[m].lower < until)
			read_month(diary, m, from);
	loader_end(diary->loader);
	diary->loader = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
