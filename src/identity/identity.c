/*
 * identity.c
 *	  The numbers that a patient's events name, and results that do not fit the
 *	  order or the encounter that they name: what identity_conflict is told from.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "detect/detect.h"
#include "detect/names.h"
#include "detect/table.h"
#include "detect/touched.h"
#include "message/statement.h"
#include "record/owner.h"
#include "report/visible.h"

PG_FUNCTION_INFO_V1(patient_identities);
PG_FUNCTION_INFO_V1(identity_conflicts);

/* Columns of identity_state, in their order. */
enum
{
	IS_WHAT, IS_NUMBER, IS_ESTABLISHED, IS_PATIENT_ID, IS_FACILITY, IS_ENCOUNTER_ID, IS_SUBJECT,
	IS_EVENT_ID, IS_OTHER_EVENT_ID, IS_SINCE, IS_SETTLED_AT, IS_IS_TEST, IS_NCOLUMNS
};

/* What all ids of a patient say of one encounter, or of one subject as an order's. */
typedef struct Number
{
	Event	   *first;			/* that names it under the id that is looked at */
	bool		established;	/* is it registered or ordered under that id? */
	bool		is_known;		/* or under any? */
	TimestampTz known_at;		/* since when */
	Event	   *located;		/* the first of an order's own events that names an encounter */
	bool		is_planned;		/* was the order placed for later? */
	int			own;			/* the first of an order's own events, by its place plus one */
} Number;

/* What is looked at of a patient. */
typedef struct Search
{
	Patient    *patient;
	Str			id;				/* under which it is looked at */
	Number	   *encounters;
	Number	   *orders;
	int		   *next;			/* after an order's own event the next, by its place plus one */
	ReturnSetInfo *result;
} Search;

/* --- kinds ------------------------------------------------------------------- */

/* Is an event of an object? */
static bool
is_about(const Event *e, const char *object)
{
	size_t		len = strlen(object);

	return e->kind->name.len > len && memcmp(e->kind->name.data, object, len) == 0;
}

/* Is an event of an order itself, or of what is taken for it? */
static bool
is_of_order(const Event *e)
{
	return is_about(e, "order.") || is_about(e, "specimen.");
}

/* Does an event name an encounter? */
static bool
names_encounter(const Event *e)
{
	return e->encounter.data != NULL && e->encounter.len > 0;
}

/* Does an event's subject name an order? */
static bool
names_order(const Event *e)
{
	return e->subject.data != NULL && e->subject.len > 0 && (is_of_order(e) || is_about(e, "result."));
}

/* Is an event a result? */
static bool
is_result(const Event *e)
{
	static const char *const kinds[] = {"result.preliminary", "result.final", "result.corrected"};

	for (int i = 0; i < lengthof(kinds); i++)
		if (e->kind->name.len == strlen(kinds[i]) && is_about(e, "result.") &&
			memcmp(e->kind->name.data, kinds[i], e->kind->name.len) == 0)
			return true;
	return false;
}

/* --- rows -------------------------------------------------------------------- */

/* Sets a text that may be null. */
static void
put_text(Datum *values, bool *nulls, int column, Str s)
{
	nulls[column] = s.data == NULL;
	if (s.data != NULL)
		values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* Puts a row into the result: a number that an event names first, or what is wrong with an event. */
static void
put_row(Search *s, const char *what, Str number, bool established, const Event *e, const Event *other,
		TimestampTz since, TimestampTz settled_at)
{
	Datum		values[IS_NCOLUMNS];
	bool		nulls[IS_NCOLUMNS] = {0};

	values[IS_WHAT] = CStringGetTextDatum(what);
	put_text(values, nulls, IS_NUMBER, number);
	values[IS_ESTABLISHED] = BoolGetDatum(established);
	put_text(values, nulls, IS_PATIENT_ID, e->patient);
	put_text(values, nulls, IS_FACILITY, e->facility);
	put_text(values, nulls, IS_ENCOUNTER_ID, e->encounter);
	put_text(values, nulls, IS_SUBJECT, e->subject);
	values[IS_EVENT_ID] = Int64GetDatum(e->event_id);
	nulls[IS_OTHER_EVENT_ID] = other == NULL;
	if (other != NULL)
		values[IS_OTHER_EVENT_ID] = Int64GetDatum(other->event_id);
	values[IS_SINCE] = TimestampTzGetDatum(since);
	values[IS_SETTLED_AT] = TimestampTzGetDatum(settled_at);
	values[IS_IS_TEST] = BoolGetDatum(s->patient->is_test);
	tuplestore_putvalues(s->result->setResult, s->result->setDesc, values, nulls);
}

/* --- numbers ----------------------------------------------------------------- */

/* Notes that an event names a number. */
static void
note_number(const Search *s, Number *number, Event *e, bool establishes)
{
	bool		is_own = str_equal(e->patient, s->id) && e->at >= s->patient->from;

	if (is_own && number->first == NULL)
		number->first = e;
	number->established |= is_own && establishes;
	if (establishes && !number->is_known)
	{
		number->is_known = true;
		number->known_at = e->at;
	}
}

/* Notes an order's own event; the last comes first. */
static void
note_own(const Search *s, int place)
{
	Event	   *e = &s->patient->events[place];
	Number	   *order = &s->orders[e->subject_key];

	s->next[place] = order->own;
	order->own = place + 1;
	if (names_encounter(e))
		order->located = e;
	order->is_planned |= e->has_planned && is_about(e, "order.");
}

/* Reads what the events of a patient, which are in order, say of encounters and orders. */
static void
read_numbers(const Search *s)
{
	Patient    *p = s->patient;

	for (int i = 0; i < p->nevents; i++)
	{
		Event	   *e = &p->events[i];

		if (names_encounter(e))
			note_number(s, &s->encounters[e->encounter_key], e, is_about(e, "encounter."));
		if (names_order(e))
			note_number(s, &s->orders[e->subject_key], e, is_about(e, "order."));
	}
	for (int i = p->nevents - 1; i >= 0; i--)
		if (names_order(&p->events[i]) && is_of_order(&p->events[i]))
			note_own(s, i);
}

/* Puts every name of the numbers that are used under the id into the result. */
static void
put_numbers(Search *s, const char *what, const Names *names, const Number *numbers)
{
	for (int i = 0; i < names_count(names); i++)
	{
		const Number *number = &numbers[names_root(names, i)];

		if (number->first != NULL && names_text(names, i).len > 0)
			put_row(s, what, names_text(names, i), number->established, number->first, NULL,
					number->first->at, DT_NOEND);
	}
}

/* --- results ----------------------------------------------------------------- */

/* When an order's own events first name an encounter; DT_NOEND if never. */
static TimestampTz
located_there_at(const Search *s, const Number *order, int encounter)
{
	for (int i = order->own; i > 0; i = s->next[i - 1])
		if (s->patient->events[i - 1].encounter_key == encounter)
			return s->patient->events[i - 1].at;
	return DT_NOEND;
}

/* A result of an order of another encounter: puts it into the result, and tells for how long it is one. */
static bool
judge_place(Search *s, const Event *r, const Number *order, TimestampTz *from, TimestampTz *until)
{
	static const Str none = {NULL, 0};

	if (order->located == NULL || order->located->encounter_key == r->encounter_key || order->is_planned)
		return false;
	*from = Max(r->at, order->located->at);
	*until = located_there_at(s, order, r->encounter_key);
	if (*until <= *from)
		return false;
	put_row(s, "result_on_other_encounter", none, false, r, order->located, *from, *until);
	return true;
}

/* Puts a result of an encounter that is not registered into the result, if it is one in that time. */
static void
put_unregistered(Search *s, const Event *r, TimestampTz since, TimestampTz settled_at)
{
	static const Str none = {NULL, 0};

	if (since < settled_at)
		put_row(s, "unknown_encounter", none, false, r, NULL, since, settled_at);
}

/* Puts what is wrong with a result into the result: one thing at a time. */
static void
judge_result(Search *s, const Event *r)
{
	static const Str none = {NULL, 0};
	TimestampTz since = r->at;
	TimestampTz registered_at;
	TimestampTz apart_from;
	TimestampTz apart_until;
	bool		is_apart = false;

	if (names_order(r))
	{
		const Number *order = &s->orders[r->subject_key];
		TimestampTz known_at = order->is_known ? order->known_at : DT_NOEND;

		if (known_at > since)
			put_row(s, "unknown_order", none, false, r, NULL, since, known_at);
		since = Max(since, known_at);
		is_apart = names_encounter(r) && judge_place(s, r, order, &apart_from, &apart_until);
	}
	if (!names_encounter(r))
		return;
	registered_at = s->encounters[r->encounter_key].is_known ? s->encounters[r->encounter_key].known_at : DT_NOEND;
	if (!is_apart)
		put_unregistered(s, r, since, registered_at);
	else
	{
		put_unregistered(s, r, since, Min(apart_from, registered_at));
		put_unregistered(s, r, Max(since, apart_until), registered_at);
	}
}

/* Puts the numbers of a patient id, and what is wrong with its results, into the result. */
static void
put_identities(ReturnSetInfo *result, Patient *p, Str id)
{
	Search		s = {p, id};

	s.result = result;
	s.encounters = palloc_extended(sizeof(Number) * Max(p->nencounters, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	s.orders = palloc_extended(sizeof(Number) * Max(p->nsubjects, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	s.next = palloc_extended(sizeof(int) * Max(p->nevents, 1), MCXT_ALLOC_HUGE);
	read_numbers(&s);
	put_numbers(&s, "encounter", p->encounters, s.encounters);
	put_numbers(&s, "order", p->subjects, s.orders);
	for (int i = 0; i < p->nevents; i++)
		if (p->events[i].at >= p->from && is_result(&p->events[i]) && str_equal(p->events[i].patient, id))
			judge_result(&s, &p->events[i]);
}

/* patient_identities(patient_ids): rows as identity_state keeps them, as they are now. */
Datum
patient_identities(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	Loader	   *loader;
	Datum	   *ids;
	bool	   *nulls;
	bool	   *done;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &ids, &nulls, &n);
	context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track patient", ALLOCSET_DEFAULT_SIZES);
	loader = loader_begin(GetActiveSnapshot());
	done = palloc0(sizeof(bool) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		MemoryContext old;
		Patient    *p;

		CHECK_FOR_INTERRUPTS();
		if (done[i])
			continue;
		old = MemoryContextSwitchTo(context);
		p = loader_known(loader, str_of_datum(ids[i]));
		/* of ids that are one, all are done by the events that were read */
		for (int j = i; p != NULL && j < (p->nids > 1 ? n : i + 1); j++)
			if (!done[j] && str_in(str_of_datum(ids[j]), p->ids, p->nids))
			{
				put_identities(result, p, str_of_datum(ids[j]));
				done[j] = true;
			}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	loader_end(loader);
	return (Datum) 0;
}

/* --- conflicts --------------------------------------------------------------- */

/* Columns of every_identity_conflict(), in their order. */
enum
{
	IC_FACILITY = 1, IC_OTHER_PATIENT_ID = 3, IC_OTHER_FACILITY, IC_NCOLUMNS = 14
};

static Statement find_conflicts = {
	"SELECT * FROM workflow_track.every_identity_conflict()", 0, {0}, true
};

/*
 * identity_conflicts(): those of facilities that the caller sees.  They are told
 * from the numbers of every facility; who the other patient is, only where the
 * caller sees that facility too, or every one where it is no longer known.
 */
Datum
identity_conflicts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const Visible *visible = visible_to_user();
	Caller		caller;

	InitMaterializedSRF(fcinfo, 0);
	owner_begin(&caller);
	statement_connect();
	statement_run(&find_conflicts, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[IC_NCOLUMNS];
		bool		nulls[IC_NCOLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		if (!is_visible(visible, str_of_datum(values[IC_FACILITY])))
			continue;
		if (nulls[IC_OTHER_FACILITY] ? !visible->all : !is_visible(visible, str_of_datum(values[IC_OTHER_FACILITY])))
			nulls[IC_OTHER_PATIENT_ID] = nulls[IC_OTHER_FACILITY] = true;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	owner_end(&caller);
	return (Datum) 0;
}
