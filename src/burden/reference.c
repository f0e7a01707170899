/*
 * reference.c
 *	  What kinds are, and where facilities are: read once a query.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "burden/reference.h"
#include "detect/rules.h"
#include "message/statement.h"
#include "record/owner.h"

/* Which kinds document something, and what the current maps say of systems. */
static Statement find_sorts = {
	"SELECT k.kind, NULL FROM workflow_track.event_kind k WHERE k.kind = 'medication.administered' "
	"OR k.category IN ('intake', 'vitals', 'history', 'assessment', 'diagnosis', 'procedure', 'immunization', 'data') "
	"UNION ALL SELECT s.kind, u.system FROM workflow_track.workflow_step s JOIN workflow_track.workflow w USING (workflow, version) "
	"CROSS JOIN LATERAL unnest(s.systems) u(system) WHERE w.state = 'current'",
	0, {0}, true
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

/* A text of the row that a statement found, copied into the reference's memory. */
static Str
found_text(const Reference *reference, uint64 row, int column)
{
	MemoryContext old = MemoryContextSwitchTo(reference->context);
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

/* The number of a kind. */
int
kind_number(Reference *reference, Str kind)
{
	int			known = names_count(reference->kinds);
	int			number = name_number(reference->kinds, kind, reference->context);

	if (number < known)
		return number;
	if (number >= reference->kinds_size)
	{
		MemoryContext old = MemoryContextSwitchTo(reference->context);

		reference->kinds_size = Max(128, reference->kinds_size * 2);
		reference->sort = reference->sort == NULL ? palloc(sizeof(KindSort) * reference->kinds_size)
			: repalloc(reference->sort, sizeof(KindSort) * reference->kinds_size);
		MemoryContextSwitchTo(old);
	}
	reference->sort[number] = sort_of(kind);
	return number;
}

/* Takes a row of find_sorts. */
static void
take_sort(Reference *reference, uint64 row)
{
	int			number = kind_number(reference, found_text(reference, row, 1));
	KindSort   *sort = &reference->sort[number];
	Str			system = found_text(reference, row, 2);
	MemoryContext old = MemoryContextSwitchTo(reference->context);

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

/* Reads what kinds are and where facilities are, which the caller may not read, into the current context. */
void
reference_read(Reference *reference, const Visible *visible)
{
	Caller		caller;

	memset(reference, 0, sizeof(Reference));
	reference->context = CurrentMemoryContext;
	reference->visible = visible;
	reference->kinds = names_begin(128);
	reference->places = names_begin(16);
	reference->zones = names_begin(16);
	owner_begin(&caller);
	statement_connect();
	statement_run(&find_sorts, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		take_sort(reference, i);
	statement_run(&find_zones, NULL, NULL);
	reference->zone = MemoryContextAlloc(reference->context, sizeof(Str) * Max(SPI_processed, 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		name_number(reference->zones, found_text(reference, i, 1), reference->context);
		reference->zone[i] = found_text(reference, i, 2);
	}
	SPI_finish();
	owner_end(&caller);
}

/* --- facilities -------------------------------------------------------------- */

/* The clock of a facility that the caller sees: that of its row in table facility, else UTC. */
static pg_tz *
place_zone(const Reference *reference, Str facility)
{
	int			number = names_find(reference->zones, facility);
	pg_tz	   *zone = number < 0 ? pg_tzset("UTC")
		: pg_tzset(pnstrdup(reference->zone[number].data, reference->zone[number].len));

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("facility \"%.*s\" has no valid time zone", facility.len, facility.data),
				 errhint("Mend its row in table workflow_track.facility; view pg_timezone_names lists time zones.")));
	return zone;
}

/* The number of a facility. */
int
place_number(Reference *reference, Str facility)
{
	int			known = names_count(reference->places);
	int			number = name_number(reference->places, facility, reference->context);
	Place	   *place;

	if (number < known)
		return number;
	if (number >= reference->places_size)
	{
		MemoryContext old = MemoryContextSwitchTo(reference->context);

		reference->places_size = Max(16, reference->places_size * 2);
		reference->place = reference->place == NULL ? palloc(sizeof(Place) * reference->places_size)
			: repalloc(reference->place, sizeof(Place) * reference->places_size);
		MemoryContextSwitchTo(old);
	}
	place = &reference->place[number];
	place->name = names_text(reference->places, number);
	place->is_visible = is_visible(reference->visible, facility);
	place->zone = place->is_visible ? place_zone(reference, facility) : pg_tzset("UTC");
	place->from = place->until = 0;
	return number;
}

/* The day of a moment on a facility's clock. */
DateADT
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
