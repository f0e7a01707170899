/*
 * understand.c
 *	  What a message means: the events, aliases, cancellations and answers that
 *	  the rules make of it.
 *
 * Nothing fails here: what cannot be used is noted with the message.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "detect/table.h"
#include "message/reading.h"

/* Events may be recorded from 1900 on, and plans made until 2199. */
#define EARLIEST_EVENT (-36524 * USECS_PER_DAY)
#define LATEST_EVENT_AHEAD (2 * USECS_PER_DAY)
#define LATEST_PLAN (73049 * USECS_PER_DAY)

/* Values of our enums, looked up anew for every batch of messages. */
static Oid	precision_values[6];
static Oid	severity_values[3];
static Oid	interface_value;
static const char *const precision_labels[] = {"second", "minute", "hour", "day", "month", "year"};	/* as Hl7Precision */
static const char *const severity_labels[] = {"normal", "abnormal", "critical"};

/* Looks up values of an enum. */
static void
find_values(const char *type, const char *const *labels, Oid *values, int n)
{
	Oid			type_oid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
										   CStringGetDatum(type), ObjectIdGetDatum(schema_oid()));

	for (int i = 0; i < n; i++)
		values[i] = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid, ObjectIdGetDatum(type_oid), CStringGetDatum(labels[i]));
}

/* Begins with a batch of messages. */
void
understand_begin(void)
{
	static const char *const methods[] = {"interface"};

	find_values("time_precision", precision_labels, precision_values, lengthof(precision_labels));
	find_values("severity", severity_labels, severity_values, lengthof(severity_labels));
	find_values("entry_method", methods, &interface_value, 1);
}

/* Begins with, of a kind's name. */
static bool
kind_begins(Str kind, const char *prefix)
{
	int			len = strlen(prefix);

	return kind.len >= len && memcmp(kind.data, prefix, len) == 0;
}

static bool
kind_is(Str kind, const char *name)
{
	return kind.len == (int) strlen(name) && memcmp(kind.data, name, kind.len) == 0;
}

/* Does an event of a kind bring a result? */
bool
is_result(Str kind)
{
	return kind_is(kind, "result.preliminary") || kind_is(kind, "result.final") ||
		kind_is(kind, "result.corrected") || kind_is(kind, "result.cancelled");
}

/* --- events ---------------------------------------------------------------- */

static void
put_text(MadeEvent *event, int column, Str s)
{
	event->nulls[column] = s.data == NULL;
	if (s.data != NULL)
		event->values[column] = text_datum(s);
}

/* Where the patient is cared for. */
static Str
care_facility(Reading *reading)
{
	Str			s = reading_identifier(reading, HL7_FACILITY);

	if (s.data == NULL)
		s = str_of_slice(reading->received->source->care_facility);
	return s.data == NULL ? reading->received->facility : s;
}

/* Keeps what the message is about, as the first event has it. */
static void
keep_names(Received *r, Str facility, Str patient, Str encounter, Str subject)
{
	if (r->patient.data == NULL)
	{
		r->care_facility = facility;
		r->patient = patient;
	}
	if (r->encounter.data == NULL)
		r->encounter = encounter;
	if (r->subject.data == NULL)
		r->subject = subject;
}

/* Is a visit needed for events of a kind, or missed, or neither? */
static bool
check_visit(Reading *reading, Str kind, Str encounter)
{
	if (encounter.data != NULL)
		return true;
	if (kind_begins(kind, "encounter.") || kind_is(kind, "charge.captured"))
	{
		reading_fail(reading, "no_visit", "there is no number of a visit");
		return false;
	}
	if (reading->rule->action == HL7_EVENT &&
		(kind_begins(kind, "order.") || kind_begins(kind, "result.") || kind_begins(kind, "note.") ||
		 kind_begins(kind, "prescription.")))
		note_problem(reading->received, MESSAGE_PROCESSED, "no_visit", "%.*s of %s has no number of a visit",
					 reading->rule->name.len, reading->rule->name.data, reading_place(reading));
	return true;
}

/* When the event happened. */
static bool
occurred_at(Reading *reading, TimestampTz *at, Hl7Precision *precision)
{
	bool		is_null;

	if (!reading_time(reading, HL7_OCCURRED_AT, at, precision, &is_null) || (!is_null && *at < EARLIEST_EVENT))
		reading_fail(reading, "bad_time", "its time cannot be");
	else if (is_null)
		reading_fail(reading, "no_time", "there is no time");
	else if (*at > GetCurrentStatementStartTimestamp() + LATEST_EVENT_AHEAD)
		reading_fail(reading, "bad_time", "its time is more than 2 days from now");
	else
		return true;
	return false;
}

/* When it is meant to happen. */
static void
put_planned_at(Reading *reading, MadeEvent *event)
{
	TimestampTz at = 0;
	Hl7Precision precision;

	if (!reading_time(reading, HL7_PLANNED_AT, &at, &precision, &event->nulls[EV_PLANNED_AT]) ||
		(!event->nulls[EV_PLANNED_AT] && (at < EARLIEST_EVENT || at >= LATEST_PLAN)))
	{
		event->nulls[EV_PLANNED_AT] = true;
		note_problem(reading->received, MESSAGE_PROCESSED, "bad_planned_time", "%.*s of %s: the time that is planned cannot be",
					 reading->rule->name.len, reading->rule->name.data, reading_place(reading));
	}
	event->values[EV_PLANNED_AT] = TimestampTzGetDatum(at);
}

/* The sender's own order among events of an instant; 0 where it tells none. */
static int32
source_sequence(Reading *reading)
{
	Hl7Slice	s = reading_value(reading, HL7_SOURCE_SEQUENCE).text;
	int64		n = 0;

	for (int i = 0; i < s.len; i++)
	{
		if (s.data[i] < '0' || s.data[i] > '9')
			return 0;
		n = n * 10 + (s.data[i] - '0');
		if (n > PG_INT32_MAX)
			return 0;
	}
	return (int32) n;
}

/* Lists the message under the problem that the rule names. */
static void
note_rule_problem(Reading *reading)
{
	Hl7Slice	problem = reading_value(reading, HL7_PROBLEM).text;

	if (problem.len > 0 && !reading->quiet)
		note_problem(reading->received, MESSAGE_PROCESSED, pnstrdup(problem.data, problem.len), "%.*s of %s: %.*s",
					 reading->rule->name.len, reading->rule->name.data, reading_place(reading), problem.len, problem.data);
}

/* Is what a merge needs there? */
static bool
check_merge(Reading *reading, Str kind, Str patient, Str subject)
{
	if (!kind_is(kind, "patient.merged") && !kind_is(kind, "encounter.merged"))
		return true;
	if (subject.data == NULL)
		reading_fail(reading, "no_subject", "there is no number that is merged");
	else if (kind_is(kind, "patient.merged") && str_equal(patient, subject))
		reading_fail(reading, "bad_merge", "a patient cannot be merged with itself");
	else
		return true;
	return false;
}

static void
make_event(Reading *reading)
{
	Received   *r = reading->received;
	Str			kind = str_of_slice(reading_value(reading, HL7_KIND).text);
	Str			patient = reading_identifier(reading, HL7_PATIENT_ID);
	Str			encounter = reading_identifier(reading, HL7_ENCOUNTER_ID);
	Str			subject = reading_identifier(reading, HL7_SUBJECT);
	Str			facility = care_facility(reading);
	Hl7Precision precision = HL7_SECOND;
	TimestampTz at = 0;
	MadeEvent  *event;
	Hl7Slice	severity;
	text	   *code;
	Jsonb	   *detail;
	const Kind *known;

	if (kind.data == NULL)
		return;					/* nothing of the table fits: it is no such event */
	keep_names(r, facility, patient, encounter, subject);
	known = rules_kind(kind);
	if (known == NULL || !known->is_declared)
		reading_fail(reading, "unknown_kind", psprintf("event_kind has no row %.*s", kind.len, kind.data));
	if (patient.data == NULL)
		reading_fail(reading, "no_patient", "there is no patient");
	if (!check_visit(reading, kind, encounter) || !check_merge(reading, kind, patient, subject) ||
		!occurred_at(reading, &at, &precision))
		return;
	event = palloc0(sizeof(MadeEvent));
	event->at = at;
	event->values[EV_OCCURRED_AT] = TimestampTzGetDatum(at);
	event->values[EV_SOURCE_SEQUENCE] = Int32GetDatum(source_sequence(reading));
	event->values[EV_TIME_PRECISION] = ObjectIdGetDatum(precision_values[precision]);
	put_planned_at(reading, event);
	put_text(event, EV_FACILITY, facility);
	put_text(event, EV_PATIENT_ID, patient);
	put_text(event, EV_ENCOUNTER_ID, encounter);
	put_text(event, EV_SUBJECT, subject);
	put_text(event, EV_ITEM, reading_identifier(reading, HL7_ITEM));
	put_text(event, EV_KIND, kind);
	code = reading_code(reading, reading_value(reading, HL7_CODE));
	event->nulls[EV_CODE] = code == NULL;
	event->values[EV_CODE] = PointerGetDatum(code);
	put_text(event, EV_VALUE, str_of_slice(reading_value(reading, HL7_VALUE).text));
	severity = reading_value(reading, HL7_SEVERITY).text;
	event->nulls[EV_SEVERITY] = true;
	for (int i = 0; i < (int) lengthof(severity_labels); i++)
		if (hl7_equal(severity, severity_labels[i]))
		{
			event->nulls[EV_SEVERITY] = false;
			event->values[EV_SEVERITY] = ObjectIdGetDatum(severity_values[i]);
		}
	put_text(event, EV_ACTOR, reading_identifier(reading, HL7_ACTOR));
	put_text(event, EV_ACTOR_ROLE, reading_identifier(reading, HL7_ACTOR_ROLE));
	put_text(event, EV_RECIPIENT, reading_identifier(reading, HL7_RECIPIENT));
	put_text(event, EV_RECIPIENT_ROLE, reading_identifier(reading, HL7_RECIPIENT_ROLE));
	put_text(event, EV_SOURCE_SYSTEM, r->source_system);
	event->values[EV_ENTRY_METHOD] = ObjectIdGetDatum(interface_value);
	detail = reading_detail(reading);
	event->nulls[EV_DETAIL] = detail == NULL;
	event->values[EV_DETAIL] = JsonbPGetDatum(detail);
	note_rule_problem(reading);
	if (reading->failed)
		return;
	r->is_result |= is_result(kind);
	r->events = lappend(r->events, event);
}

/* --- what is no event ------------------------------------------------------ */

/* The kinds that a rule retracts, as an array. */
static Datum
kinds_of(Reading *reading, Str *first)
{
	Hl7Values	values;
	Datum	   *elements;

	hl7_evaluate(reading_expression(reading, HL7_KIND), reading->scope, true, reading->arena, &values);
	elements = palloc(sizeof(Datum) * Max(values.n, 1));
	for (int i = 0; i < values.n; i++)
		elements[i] = text_datum(str_of_slice(values.items[i].text));
	*first = values.n > 0 ? str_of_slice(values.items[0].text) : (Str) {NULL, 0};
	return PointerGetDatum(construct_array(elements, values.n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The last instant that a time may mean, of a unit of known length. */
static TimestampTz
end_of_time(TimestampTz at, Hl7Precision precision)
{
	static const int64 units[] = {1, USECS_PER_MINUTE, USECS_PER_HOUR, USECS_PER_DAY, 31 * USECS_PER_DAY, 366 * USECS_PER_DAY};

	return at + units[precision] - 1;
}

static void
make_cancellation(Reading *reading)
{
	Received   *r = reading->received;
	MadeCancellation *c = palloc0(sizeof(MadeCancellation));
	Hl7Precision precision = HL7_SECOND;
	Str			kind;

	c->kinds = kinds_of(reading, &kind);
	if (kind.data == NULL)
		return;
	c->patient = reading_identifier(reading, HL7_PATIENT_ID);
	/* of merges, the encounter is none of the key */
	if (!kind_begins(kind, "patient."))
		c->encounter = reading_identifier(reading, HL7_ENCOUNTER_ID);
	c->subject = reading_identifier(reading, HL7_SUBJECT);
	c->item = reading_identifier(reading, HL7_ITEM);
	c->detail = reading_detail(reading);
	c->every_one = reading->rule->action == HL7_RETRACT_ALL;
	keep_names(r, care_facility(reading), c->patient, c->encounter, c->subject);
	if (c->patient.data == NULL)
		reading_fail(reading, "no_patient", "there is no patient");
	if (!kind_begins(kind, "encounter."))
	{
		/* a result is told by its number: who sends it again may say another visit */
		c->encounter = (Str) {NULL, 0};
		if (c->subject.data == NULL)
			reading_fail(reading, "no_subject", "there is no number of what is called off");
	}
	else if (!check_visit(reading, kind, c->encounter))
		return;
	if (!occurred_at(reading, &c->at, &precision))
		return;
	c->at = end_of_time(c->at, precision);
	note_rule_problem(reading);
	if (!reading->failed)
		r->cancellations = lappend(r->cancellations, c);
}

static void
make_alias(Reading *reading)
{
	Received   *r = reading->received;
	AliasNote	note = {
		reading_identifier(reading, HL7_PATIENT_ID), reading_identifier(reading, HL7_ALIAS_OF), reading_identifier(reading, HL7_SUBJECT)
	};

	if (note.patient.data == NULL || note.alias.data == NULL || note.subject.data == NULL ||
		str_equal(note.alias, note.subject))
		return;
	if (r->naliases == r->aliases_size)
	{
		r->aliases_size = Max(4, r->aliases_size * 2);
		r->aliases = r->aliases == NULL ? palloc(sizeof(AliasNote) * r->aliases_size)
			: repalloc(r->aliases, sizeof(AliasNote) * r->aliases_size);
	}
	r->aliases[r->naliases++] = note;
}

/* A field of the first segment of a name, or nothing. */
static Str
field_of(const Reading *reading, const char *path)
{
	Hl7Path		parsed;
	int			bad;
	int			bad_len;
	const char *why;

	if (hl7_parse_path(path, strlen(path), &parsed, &bad, &bad_len, &why) == 0)
		elog(ERROR, "bad path \"%s\"", path);
	return str_of_slice(hl7_trim(hl7_decode(reading->scope->message, reading->arena,
											hl7_first_match(reading->scope->message, &parsed))));
}

/* Keeps what an answer says of the message that it answers: who gets it had sent that. */
static void
make_answer(Reading *reading)
{
	Received   *r = reading->received;
	Str			code = field_of(reading, "MSA-1");
	Str			id = field_of(reading, "MSA-2");
	Str			system = field_of(reading, "MSH-5.1");
	Str			facility = field_of(reading, "MSH-6.1");
	MadeAnswer *answer;

	if (code.data == NULL || id.data == NULL)
	{
		reading_fail(reading, "no_answer", "MSA-1 or MSA-2 is empty");
		return;
	}
	answer = palloc0(sizeof(MadeAnswer));
	answer->answered = hash_id(system.data == NULL ? (Str) {"", 0} : system,
							   facility.data == NULL ? (Str) {"", 0} : facility, id);
	answer->code = code;
	answer->text = field_of(reading, "ERR-8");
	if (answer->text.data == NULL)
		answer->text = field_of(reading, "ERR-3.2");
	if (answer->text.data == NULL)
		answer->text = field_of(reading, "MSA-3");
	r->answers = lappend(r->answers, answer);
}

/* --- the message ----------------------------------------------------------- */

/* What a rule makes of a segment. */
static void
apply(void *arg, const Hl7Rule *rule, Hl7Scope *scope)
{
	Reading    *reading = arg;

	reading->rule = rule;
	reading->scope = scope;
	reading->failed = false;
	switch (rule->action)
	{
		case HL7_EVENT:
			make_event(reading);
			break;
		case HL7_RETRACT_LAST:
		case HL7_RETRACT_ALL:
			make_cancellation(reading);
			break;
		case HL7_ALIAS:
			make_alias(reading);
			break;
		case HL7_ANSWER:
			make_answer(reading);
			break;
		case HL7_DEFAULTS:
			break;
	}
}

/* Adds a number that the message is found by, unless it has it. */
static void
add_identifier(Received *r, Str s)
{
	ListCell   *lc;
	Str		   *kept;

	if (s.len == 0 || s.len > WT_IDENTIFIER_MAX)
		return;
	foreach(lc, r->identifiers)
		if (str_equal(*(Str *) lfirst(lc), s))
			return;
	kept = palloc(sizeof(Str));
	*kept = s;
	r->identifiers = lappend(r->identifiers, kept);
}

/* Gathers the numbers that a message is found by. */
static void
find_identifiers(Received *r, const Mapping *mapping, Hl7Arena *arena)
{
	static const Hl7Rule none = {.action = HL7_DEFAULTS};
	Hl7Scope	scope = {.message = &r->message,.driver = -1,.choice = &r->source->choice,
	.group_end = r->message.nsegments,.header_end = r->message.nsegments,.patient_end = r->message.nsegments};
	Reading		reading = {.received = r,.arena = arena,.mapping = mapping,.rule = &none,.scope = &scope,.quiet = true};
	Hl7Values	values;
	ListCell   *lc;

	if (r->patient.data == NULL)
		r->patient = reading_identifier(&reading, HL7_PATIENT_ID);
	if (r->encounter.data == NULL)
		r->encounter = reading_identifier(&reading, HL7_ENCOUNTER_ID);
	if (r->care_facility.data == NULL)
		r->care_facility = care_facility(&reading);
	add_identifier(r, r->patient);
	foreach(lc, r->events)
		add_identifier(r, str_of_datum(((MadeEvent *) lfirst(lc))->values[EV_PATIENT_ID]));
	add_identifier(r, r->encounter);
	add_identifier(r, r->subject);
	hl7_evaluate(mapping->defaults->columns[HL7_IDENTIFIERS], &scope, true, arena, &values);
	for (int i = 0; i < values.n && list_length(r->identifiers) < 500; i++)
		add_identifier(r, str_of_slice(values.items[i].text));
}

/* Are messages of such a processing id to be left alone? */
static bool
is_left_alone(const Received *r)
{
	Hl7Slice	id = hl7_trim(hl7_component(&r->message, hl7_field(&r->message, 0, 11), 1));

	for (int i = 0; i < r->source->nprocessing_ids; i++)
		if (id.len == r->source->processing_ids[i].len && memcmp(id.data, r->source->processing_ids[i].data, id.len) == 0)
			return false;
	return r->source->nprocessing_ids > 0;
}

/* Makes of a message what the rules say. */
void
understand(Received *r, const Mapping *mapping, Hl7Arena *arena)
{
	Reading		reading = {.received = r,.arena = arena,.mapping = mapping};

	if (r->status == MESSAGE_REJECTED || r->part == HL7_ENVELOPE)
		return;
	(void) rules_current();
	if (is_left_alone(r))
		note_problem(r, MESSAGE_UNMAPPED, "processing_id", "hl7v2_source does not take messages of the processing id in MSH-11");
	else if (!hl7_apply(&reading.mapping->rules, &r->message, &r->source->choice, arena, apply, &reading))
		note_problem(r, MESSAGE_UNMAPPED, NULL, "no rule of hl7v2_mapping is for messages of this type");
	find_identifiers(r, mapping, arena);
}
