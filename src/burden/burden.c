/*
 * burden.c
 *	  What falls to whom: events, alerts, entries and screens, by local day, or
 *	  in a time as a whole.
 *
 * An event counts once, in the row of the party that it falls to: an alert's is
 * the one whom it was shown to, that of others who did it.  An alert is redundant
 * where the same was shown to the same person about the same patient not long
 * before.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "burden/cell.h"
#include "burden/diary.h"
#include "burden/met.h"
#include "detect/event.h"
#include "detect/rules.h"
#include "message/statement.h"
#include "record/owner.h"

PG_FUNCTION_INFO_V1(burden_of_day);
PG_FUNCTION_INFO_V1(burden_of_time);

/* An alert of the month that is read. */
typedef struct Alert
{
	int			patient;		/* numbers: of what stands for all ids, ... */
	int			person;			/* ... of who was shown it, ... */
	int			code;			/* ... and of what it says; it has all three */
	int			cell;			/* -1 where the caller does not see it */
	TimestampTz at;
	int32		sequence;
	int64		id;
	Str			rest[5];		/* subject, item, value, source_system and actor, for the canonical order */
} Alert;

/* A duplicate entry of the month that is read. */
typedef struct Repeat
{
	int64		original_id;
	TimestampTz original_at;
	int			cell;			/* -1 until it is met */
	int			next;			/* what another rule found of the same entry; -1 is none */
} Repeat;

#define FILTER_BITS 65536

/* What is known of an original. */
enum
{
	NOT_MET, NOT_DELIVERED, DELIVERED
};

typedef struct Burden
{
	MemoryContext context;
	Reader		reader;
	Diary	   *diary;
	bool		by_day;			/* and by actor; else a time as a whole, by role */
	bool		by_role;
	int64		redundant_within;
	Cells	   *cells;
	Names	   *patients;		/* that alerts are about */
	Names	   *codes;			/* of alerts */

	/* of the month that is read */
	MemoryContext month;
	TimestampTz from;
	int			nalerts;
	int			alerts_size;
	Alert	   *alerts;
	Repeat	   *repeats;
	met_hash   *duplicates;		/* events to places among repeats */
	met_hash   *originals;		/* events, and whether an interface delivered them */
	uint64		filter[FILTER_BITS / 64];	/* no event is among these whose id's bit is not set */
} Burden;

/* Originals of duplicates that were entered by hand, and whether an interface had delivered one. */
static Statement find_duplicates_by_hand = {
	"SELECT d.duplicate_event_id, d.original_event_id, d.original_at FROM workflow_track.duplicate_state d "
	"WHERE d.duplicate_at >= $1 AND d.duplicate_at < $2 AND d.duplicate_method = 'manual'",
	2, {TIMESTAMPTZOID, TIMESTAMPTZOID}, true
};
static Statement find_delivered = {
	"SELECT FROM workflow_track.event e WHERE e.event_id = $1 AND e.occurred_at = $2 AND e.entry_method = 'interface'",
	2, {INT8OID, TIMESTAMPTZOID}, true
};

/* --- rows -------------------------------------------------------------------- */

/* Does an alert fall to whom it is directed to, not to who fired it? */
static bool
is_directed(const Event *e)
{
	return e->recipient.data != NULL || e->stated_recipient_role.data != NULL;
}

/* Whom an event falls to. */
static Party
burdened_party(const Entry *e)
{
	return e->sort->fires && is_directed(&e->brief) ? RECIPIENT : ACTOR;
}

/* The person that an alert was shown to. */
static Str
alert_person(const Event *e)
{
	return is_directed(e) ? e->recipient : e->actor;
}

/* The cell that an event counts in. */
static int
event_cell(Burden *burden, Entry *e)
{
	Party		party = burdened_party(e);
	CellKey		key = {0, e->place, -1, -1};

	if (burden->by_day)
	{
		key.day = e->day;
		key.actor = diary_person(burden->diary, e, party);
	}
	if (burden->by_role)
		key.role = diary_role(burden->diary, e, party);
	return cell_number(burden->cells, &key);
}

/* --- reading ----------------------------------------------------------------- */

/* Puts an event's id into the filter. */
static void
filter_add(Burden *burden, uint64 id)
{
	burden->filter[id % FILTER_BITS / 64] |= UINT64CONST(1) << id % 64;
}

/* May an event be a duplicate, or the original of one? */
static bool
filter_passes(const Burden *burden, uint64 id)
{
	return (burden->filter[id % FILTER_BITS / 64] >> id % 64 & 1) != 0;
}

/* Reads which entries of a month are duplicates. */
static void
month_begins(void *arg, TimestampTz from, TimestampTz until)
{
	Burden	   *burden = arg;
	Datum		bounds[] = {TimestampTzGetDatum(from), TimestampTzGetDatum(until)};
	Caller		caller;
	uint64		n;

	burden->month = AllocSetContextCreate(CurrentMemoryContext, "workflow_track month", ALLOCSET_DEFAULT_SIZES);
	burden->from = from;
	burden->nalerts = burden->alerts_size = 0;
	burden->alerts = NULL;
	memset(burden->filter, 0, sizeof(burden->filter));
	owner_begin(&caller);
	statement_connect();
	statement_run(&find_duplicates_by_hand, bounds, NULL);
	n = SPI_processed;
	burden->repeats = MemoryContextAllocHuge(burden->month, sizeof(Repeat) * Max(n, 1));
	burden->duplicates = met_create(burden->month, n, NULL);
	burden->originals = met_create(burden->month, n, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		bool		found;
		uint64		id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		Repeat	   *repeat = &burden->repeats[i];
		Met		   *duplicate = met_insert(burden->duplicates, id, &found);

		repeat->original_id = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
		repeat->original_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
		repeat->cell = -1;
		/* of several rules, the chain of what each found the original */
		repeat->next = found ? (int) duplicate->value : -1;
		duplicate->value = (int64) i;
		met_insert(burden->originals, (uint64) repeat->original_id, &found)->value = NOT_MET;
		filter_add(burden, id);
		filter_add(burden, (uint64) repeat->original_id);
	}
	SPI_finish();
	owner_end(&caller);
}

/* Notes an alert, so that those alike can be told at the end of the month. */
static void
note_alert(Burden *burden, Entry *e, int cell)
{
	const Str	rest[] = {e->subject, e->item, e->value, e->brief.system, e->brief.actor};
	int			person = diary_person(burden->diary, e, burdened_party(e));
	MemoryContext old;
	Alert	   *alert;

	if (person < 0 || e->code.data == NULL)
		return;
	old = MemoryContextSwitchTo(burden->month);
	if (burden->nalerts == burden->alerts_size)
	{
		burden->alerts_size = Max(256, burden->alerts_size * 2);
		burden->alerts = burden->alerts == NULL ? palloc(sizeof(Alert) * burden->alerts_size)
			: repalloc_huge(burden->alerts, sizeof(Alert) * burden->alerts_size);
	}
	alert = &burden->alerts[burden->nalerts++];
	alert->patient = name_number(burden->patients, e->patient, burden->context);
	alert->person = person;
	alert->code = name_number(burden->codes, e->code, burden->context);
	alert->cell = cell;
	alert->at = e->at;
	alert->sequence = e->sequence;
	alert->id = e->id;
	for (int i = 0; i < lengthof(rest); i++)
		alert->rest[i] = rest[i].data == NULL ? rest[i] : str_copy(rest[i]);
	MemoryContextSwitchTo(old);
}

/* Counts an event. */
static void
count_event(void *arg, Entry *e)
{
	Burden	   *burden = arg;
	int			cell = diary_place(burden->diary, e->place)->is_visible ? event_cell(burden, e) : -1;
	bool		may_be_of_two = filter_passes(burden, (uint64) e->id);
	Met		   *met = may_be_of_two ? met_lookup(burden->originals, (uint64) e->id) : NULL;
	int64	   *counts;
	int			encounter;

	if (met != NULL)
		met->value = e->by_interface ? DELIVERED : NOT_DELIVERED;
	if (e->sort->fires)
		note_alert(burden, e, cell);
	if (cell < 0)
		return;
	counts = cell_counts(burden->cells, cell);
	counts[N_EVENTS]++;
	counts[N_ALERTS] += e->sort->fires;
	counts[N_OVERRIDDEN] += e->sort->overrides;
	counts[N_SCREENS] += e->sort->is_screen;
	encounter = diary_encounter(burden->diary, e);
	if (encounter >= 0)
		count_encounter(burden->cells, cell, encounter);
	if (!e->by_hand)
		return;
	counts[N_MANUAL]++;
	met = may_be_of_two ? met_lookup(burden->duplicates, (uint64) e->id) : NULL;
	if (met == NULL)
		return;
	counts[N_DUPLICATE]++;
	burden->repeats[met->value].cell = cell;
}

/* --- alerts that are alike --------------------------------------------------- */

/* Are two alerts alike? */
static bool
are_alike(const Alert *a, const Alert *b)
{
	return a->patient == b->patient && a->person == b->person && a->code == b->code;
}

/* Order by what makes them alike, then canonical (event_compare()), for qsort. */
static int
compare_alerts(const void *a, const void *b)
{
	const Alert *x = a;
	const Alert *y = b;

	if (!are_alike(x, y))
		return x->patient != y->patient ? (x->patient < y->patient ? -1 : 1)
			: x->person != y->person ? (x->person < y->person ? -1 : 1) : x->code < y->code ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	for (int i = 0; i < lengthof(x->rest); i++)
	{
		int			cmp = str_compare(x->rest[i], y->rest[i]);

		if (cmp != 0)
			return cmp;
	}
	return int64_compare(&x->id, &y->id);
}

/* Was there one like it shortly before what is read? */
static bool
is_repeated(Burden *burden, const Alert *alert)
{
	Patient    *p = diary_load(burden->diary, names_text(burden->patients, alert->patient));
	Str			code = names_text(burden->codes, alert->code);
	Str			person = person_name(burden->diary, alert->person);

	for (int i = 0; p != NULL && i < p->nevents && p->events[i].at < burden->from; i++)
	{
		const Event *e = &p->events[i];

		if (alert->at - e->at <= burden->redundant_within && str_is(e->kind->name, "alert.fired") &&
			str_equal(e->code, code) && str_equal(alert_person(e), person))
			return true;
	}
	return false;
}

/* Counts the alerts that were redundant. */
static void
count_redundant(Burden *burden)
{
	if (burden->nalerts > 0)
		qsort(burden->alerts, burden->nalerts, sizeof(Alert), compare_alerts);
	for (int i = 0; i < burden->nalerts; i++)
	{
		const Alert *alert = &burden->alerts[i];
		const Alert *before = i > 0 && are_alike(alert - 1, alert) ? alert - 1 : NULL;

		if (alert->cell < 0)
			continue;
		if (before != NULL ? alert->at - before->at <= burden->redundant_within :
			burden->from > DT_NOBEGIN && alert->at - burden->from < burden->redundant_within && is_repeated(burden, alert))
			cell_counts(burden->cells, alert->cell)[N_REDUNDANT]++;
	}
}

/* --- entries that were made before ------------------------------------------- */

/* Had an interface delivered an original that is not of what was read? */
static bool
was_delivered(const Repeat *repeat)
{
	Datum		values[] = {Int64GetDatum(repeat->original_id), TimestampTzGetDatum(repeat->original_at)};

	statement_run(&find_delivered, values, NULL);
	return SPI_processed > 0;
}

/* Counts the duplicates that an interface had delivered. */
static void
count_delivered(Burden *burden)
{
	met_iterator iterator;
	Met		   *duplicate;
	Caller		caller;

	owner_begin(&caller);
	statement_connect();
	met_start_iterate(burden->duplicates, &iterator);
	while ((duplicate = met_iterate(burden->duplicates, &iterator)) != NULL)
	{
		int			cell = burden->repeats[duplicate->value].cell;
		bool		delivered = false;

		for (int i = (int) duplicate->value; cell >= 0 && i >= 0 && !delivered; i = burden->repeats[i].next)
		{
			Met		   *original = met_lookup(burden->originals, (uint64) burden->repeats[i].original_id);

			delivered = original->value == NOT_MET ? was_delivered(&burden->repeats[i]) : original->value == DELIVERED;
		}
		if (delivered)
			cell_counts(burden->cells, cell)[N_DELIVERED]++;
	}
	SPI_finish();
	owner_end(&caller);
}

/* Counts what could not be told before the end of a month. */
static void
month_ends(void *arg)
{
	Burden	   *burden = arg;

	count_redundant(burden);
	count_delivered(burden);
	MemoryContextDelete(burden->month);
}

/* --- results ----------------------------------------------------------------- */

/* Begins to count, in the current context. */
static Burden *
burden_begin(bool by_day, bool by_role, int64 redundant_within)
{
	Burden	   *burden = palloc0(sizeof(Burden));

	burden->context = CurrentMemoryContext;
	burden->by_day = by_day;
	burden->by_role = by_role;
	burden->redundant_within = redundant_within;
	burden->cells = cells_begin();
	burden->patients = names_begin(1024);
	burden->codes = names_begin(64);
	burden->reader = (Reader) {month_begins, count_event, month_ends, burden};
	burden->diary = diary_begin(&burden->reader);
	return burden;
}

/* Puts the rows of a day (0 of a time as a whole) into the result. */
static void
put_rows(ReturnSetInfo *result, const Burden *burden, DateADT day)
{
	for (const Cell *cell = first_cell(burden->cells, day); cell != NULL; cell = next_cell(burden->cells, cell))
	{
		Datum		values[3 + NCOUNTS];
		bool		nulls[3 + NCOUNTS] = {0};

		put_name(values, nulls, 0, diary_place(burden->diary, cell->key.place)->name);
		put_name(values, nulls, 1, role_name(burden->diary, cell->key.role));
		put_name(values, nulls, 2, person_name(burden->diary, cell->key.actor));
		for (int n = 0; n < NCOUNTS; n++)
			values[3 + n] = Int64GetDatum(cell->counts[n]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* burden_of_day(day, redundant_within): what fell to whom on a local day. */
Datum
burden_of_day(PG_FUNCTION_ARGS)
{
	DateADT		day = PG_GETARG_DATEADT(0);
	int64		redundant_within = interval_usecs(PG_GETARG_INTERVAL_P(1));
	Burden	   *burden = fcinfo->flinfo->fn_extra;

	InitMaterializedSRF(fcinfo, 0);
	if (!diary_has_day(day))
		return (Datum) 0;
	if (burden == NULL || burden->redundant_within != redundant_within)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		burden = fcinfo->flinfo->fn_extra = burden_begin(true, true, redundant_within);
		MemoryContextSwitchTo(old);
	}
	/* wherever it is that day */
	diary_span(burden->diary, (day - 1) * USECS_PER_DAY, (day + 2) * USECS_PER_DAY);
	put_rows((ReturnSetInfo *) fcinfo->resultinfo, burden, day);
	return (Datum) 0;
}

/* burden_of_time(since, until, by_role, redundant_within): what fell to whom in a time as a whole. */
Datum
burden_of_time(PG_FUNCTION_ARGS)
{
	TimestampTz since = PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz until = PG_GETARG_TIMESTAMPTZ(1);
	Burden	   *burden;

	InitMaterializedSRF(fcinfo, 0);
	burden = burden_begin(false, PG_GETARG_BOOL(2), interval_usecs(PG_GETARG_INTERVAL_P(3)));
	diary_limit(burden->diary, since, until);
	diary_span(burden->diary, since, until);
	put_rows((ReturnSetInfo *) fcinfo->resultinfo, burden, 0);
	return (Datum) 0;
}
