/*
 * reading.c
 *	  What the columns of a rule yield of a message, as the server has it.
 */
#include "compat.h"

#include "access/xact.h"
#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "message/reading.h"
#include "types/clinical_code.h"

/* Which segment gave the event, for people: OBR[2].  Where enough is said already, nothing. */
const char *
reading_place(const Reading *reading)
{
	const Hl7Scope *scope = reading->scope;
	const Hl7Message *m = scope->message;
	const Received *r = reading->received;
	int			n = 0;

	if (r->explanation != NULL && r->explanation->len > WT_EXPLANATION_MAX)
		return "";
	if (scope->driver < 0)
		return "the message";
	for (int i = 0; i <= scope->driver; i++)
		n += m->segments[i].name == m->segments[scope->driver].name;
	return psprintf("%.3s[%d]", m->data + m->segments[scope->driver].start, n);
}

/* Notes why a rule gives no event. */
void
reading_fail(Reading *reading, const char *problem, const char *why)
{
	reading->failed = true;
	if (reading->quiet)
		return;
	note_problem(reading->received, MESSAGE_INCOMPLETE, problem, "%.*s of %s: %s",
				 reading->rule->name.len, reading->rule->name.data, reading_place(reading), why);
}

/* --- columns --------------------------------------------------------------- */

/* What the rule, else the sender's settings, else the defaults say of a column. */
const Hl7Expression *
reading_expression(const Reading *reading, Hl7Column column)
{
	if (reading->rule->columns[column] != NULL)
		return reading->rule->columns[column];
	if (column == HL7_ENCOUNTER_ID && reading->received->source->encounter != NULL)
		return reading->received->source->encounter;
	return reading->mapping->defaults->columns[column];
}

/* The value of a column as it was sent; data is NULL where there is none. */
Hl7Value
reading_value(Reading *reading, Hl7Column column)
{
	Hl7Values	values;

	hl7_evaluate(reading_expression(reading, column), reading->scope, false, reading->arena, &values);
	return values.n > 0 ? values.items[0] : (Hl7Value) {{NULL, 0}, {NULL, 0}, false, false};
}

/* An identifier with the name space of who gave it. */
static Str
with_namespace(const Reading *reading, Hl7Value value)
{
	Hl7Slice	space = reading->received->source->id_namespace;
	char	   *joined;

	if (!value.is_id || space.len == 0 || value.text.len == 0)
		return str_of_slice(value.text);
	joined = hl7_alloc(reading->arena, space.len + value.text.len);
	memcpy(joined, space.data, space.len);
	memcpy(joined + space.len, value.text.data, value.text.len);
	return (Str) {joined, space.len + value.text.len};
}

/* The value of a column that is an identifier. */
Str
reading_identifier(Reading *reading, Hl7Column column)
{
	Str			s = with_namespace(reading, reading_value(reading, column));

	if (s.len > WT_IDENTIFIER_MAX)
	{
		reading_fail(reading, "too_long", psprintf("%s is longer than %d bytes", hl7_column_names[column], WT_IDENTIFIER_MAX));
		return (Str) {NULL, 0};
	}
	return s;
}

/* A code as its type has it; one without a system is local to its sender. */
text *
reading_code(const Reading *reading, Hl7Value value)
{
	Str			sender = reading->received->source_system;

	if (value.text.len == 0)
		return NULL;
	if (value.system.len == 0)
		return clinical_code_received(sender.data, sender.len, value.text.data, value.text.len);
	return clinical_code_received(value.system.data, value.system.len, value.text.data, value.text.len);
}

/* A timestamp in the sender's time zone, where it names none. */
static bool
timestamp_of(const Hl7Time *time, pg_tz *zone, TimestampTz *result)
{
	struct pg_tm tm = {
		.tm_year = time->year,.tm_mon = time->month,.tm_mday = time->day,
		.tm_hour = time->hour,.tm_min = time->minute,.tm_sec = time->second,.tm_isdst = -1
	};
	int			offset = time->has_zone ? -time->zone * 60 : DetermineTimeZoneOffset(&tm, zone);

	return tm2timestamp(&tm, time->microsecond, &offset, result) == 0;
}

/* The value of a column that is a time: false if it is not one; *is_null if there is none. */
bool
reading_time(Reading *reading, Hl7Column column, TimestampTz *at, Hl7Precision *precision, bool *is_null)
{
	Hl7Value	value = reading_value(reading, column);
	Hl7Slice	s = value.text;
	Hl7Time		time;

	*is_null = s.len == 0;
	if (*is_null)
		return true;
	/* of a timestamp with its precision, or a range, the first component */
	s = hl7_subcomponent(reading->scope->message, hl7_component(reading->scope->message, s, 1), 1);
	if (!hl7_parse_time(s, &time) || !timestamp_of(&time, reading->received->source->timezone, at))
		return false;
	*precision = time.precision;
	return true;
}

/* --- detail ---------------------------------------------------------------- */

static void
set_string(JsonbValue *value, Str s)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, s.data);
	value->val.string.len = s.len;
}

/* A value of detail as text: a code in its own form. */
static Str
detail_text(const Reading *reading, Hl7Value value)
{
	if (value.is_code)
		return str_of_datum(PointerGetDatum(reading_code(reading, value)));
	return with_namespace(reading, value);
}

/* Adds what a key of detail yields. */
static void
push_values(const Reading *reading, WtJsonbBuilder *builder, const Hl7Values *values)
{
	JsonbValue	value;

	if (!values->is_list)
	{
		set_string(&value, detail_text(reading, values->items[0]));
		wt_push_jsonb(builder, WJB_VALUE, &value);
		return;
	}
	wt_push_jsonb(builder, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < values->n; i++)
	{
		set_string(&value, detail_text(reading, values->items[i]));
		wt_push_jsonb(builder, WJB_ELEM, &value);
	}
	wt_push_jsonb(builder, WJB_END_ARRAY, NULL);
}

/* The detail of an event; NULL where no key has a value. */
Jsonb *
reading_detail(Reading *reading)
{
	const Hl7Rule *rule = reading->rule;
	WtJsonbBuilder builder = {0};
	bool		any = false;

	if (rule->ndetails == 0)
		return NULL;
	wt_push_jsonb(&builder, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < rule->ndetails; i++)
	{
		Hl7Values	values;
		JsonbValue	key;

		hl7_evaluate(rule->details[i].expression, reading->scope, false, reading->arena, &values);
		/* a list may be empty */
		if (values.n == 0 && !values.is_list)
			continue;
		set_string(&key, (Str) {rule->details[i].key.data, rule->details[i].key.len});
		wt_push_jsonb(&builder, WJB_KEY, &key);
		push_values(reading, &builder, &values);
		any = true;
	}
	wt_push_jsonb(&builder, WJB_END_OBJECT, NULL);
	return any ? JsonbValueToJsonb(builder.result) : NULL;
}
