/*
 * hl7v2_fuzzer.c
 *	  Reads whatever came as HL7 v2 messages, in every way that the server does:
 *	  parts, fields, paths, the shipped rules and acknowledgements.
 */
#include "fuzz.h"
#include "message/hl7v2_ack.h"

/* Some bytes, at most, from the input in texts that somebody else writes. */
#define TEXT_MAX 600

/* --- fields and their parts ------------------------------------------------ */

/* Decodes a text in both kinds of messages. */
static void
check_decode(const Hl7Message *message, Hl7Arena *arena, Hl7Slice s)
{
	Hl7Message	copy = *message;

	for (int i = 0; i < 2; i++)
	{
		Hl7Slice	decoded;

		copy.utf8 = i == 1;
		decoded = hl7_decode(&copy, arena, s);
		CHECK(decoded.len <= s.len);
		CHECK(decoded.len == 0 || memchr(decoded.data, '\0', decoded.len) == NULL);
		CHECK(!is_utf8(s) || is_utf8(decoded));
		read_bytes(decoded);
	}
}

static void
check_time(Hl7Slice s)
{
	Hl7Time		time;

	if (!hl7_parse_time(s, &time))
		return;
	CHECK(time.year >= 1 && time.year <= 9999 && time.month >= 1 && time.month <= 12);
	CHECK(time.day >= 1 && time.day <= 31 && time.hour >= 0 && time.hour <= 23);
	CHECK(time.minute >= 0 && time.minute <= 59 && time.second >= 0 && time.second <= 59);
	CHECK(time.microsecond >= 0 && time.microsecond <= 999999);
	CHECK(time.zone > -16 * 60 && time.zone < 16 * 60 && (time.has_zone || time.zone == 0));
	CHECK(time.precision >= HL7_SECOND && time.precision <= HL7_YEAR);
}

/* Reads the components of a repetition and their subcomponents; returns how many bytes they are. */
static int
read_components(const Hl7Message *message, Hl7Arena *arena, Hl7Slice repetition)
{
	int			bytes = -1;
	Hl7Slice	component;

	for (int c = 1; (component = hl7_component(message, repetition, c)).data != NULL; c++)
	{
		int			within = -1;
		Hl7Slice	subcomponent;

		check_inside(component, repetition.data, repetition.len);
		for (int s = 1; (subcomponent = hl7_subcomponent(message, component, s)).data != NULL; s++)
		{
			check_inside(subcomponent, component.data, component.len);
			check_decode(message, arena, subcomponent);
			check_time(subcomponent);
			within += subcomponent.len + 1;
		}
		CHECK(within == component.len);
		bytes += component.len + 1;
	}
	return bytes;
}

/* Reads a field. */
static void
read_field(const Hl7Message *message, Hl7Arena *arena, Hl7Slice field)
{
	int			n = 0;
	int			at = 0;
	Hl7Slice	repetition;

	check_decode(message, arena, field);
	check_inside(hl7_trim(field), field.data, field.len);
	while (hl7_next_repetition(message, field, &at, &repetition))
	{
		Hl7Slice	same = hl7_repetition(message, field, ++n);

		check_inside(repetition, field.data, field.len);
		CHECK(same.data == repetition.data && same.len == repetition.len);
		CHECK(read_components(message, arena, repetition) == repetition.len);
	}
	CHECK(at == field.len + 1);
	CHECK(n == hl7_repetitions(message, field));
	CHECK(hl7_repetition(message, field, n + 1).data == NULL);
}

/* Reads everything in a message. */
static void
read_message(const Hl7Message *message, Hl7Arena *arena)
{
	int			end = 0;

	CHECK(message->nsegments > 0);
	for (int i = 0; i < message->nsegments; i++)
	{
		const Hl7Segment *segment = &message->segments[i];
		Hl7Slice	field;
		/* the first field of those that hold the separators is one itself, and counts once */
		bool		holds = (segment->name == HL7_NAME('M', 'S', 'H') || segment->name == HL7_NAME('B', 'H', 'S') ||
							 segment->name == HL7_NAME('F', 'H', 'S')) && segment->end > segment->start + 3;
		int			bytes = holds ? 2 : 3;

		CHECK(segment->start >= end && segment->end >= segment->start + 3 && segment->end <= message->len);
		CHECK((segment->name == HL7_NAME('M', 'S', 'H')) == (i == 0));
		CHECK(memchr(message->data + segment->start, '\r', segment->end - segment->start) == NULL);
		end = segment->end;
		for (int f = 1; (field = hl7_field(message, i, f)).data != NULL; f++)
		{
			check_inside(field, message->data + segment->start, segment->end - segment->start);
			read_field(message, arena, field);
			bytes += holds && f == 1 ? 1 : field.len + 1;
		}
		CHECK(bytes == segment->end - segment->start);
	}
}

/* Is a message the same when each of its segments ends by CR, as it is kept? */
static void
check_kept(const Hl7Message *message)
{
	Hl7Arena	arena = NEW_ARENA;
	Hl7Message	again = {.utf8 = message->utf8};
	Hl7Error	error;
	char	   *kept = malloc(message->len + 1);
	int			len = 0;

	for (int i = 0; i < message->nsegments; i++)
	{
		const Hl7Segment *segment = &message->segments[i];

		CHECK(len + segment->end - segment->start <= message->len);
		memcpy(kept + len, message->data + segment->start, segment->end - segment->start);
		len += segment->end - segment->start;
		kept[len++] = '\r';
	}
	CHECK(hl7_parse(&again, &arena, kept, len, &error));
	CHECK(again.nsegments == message->nsegments);
	CHECK(again.field == message->field && again.component == message->component);
	CHECK(again.repetition == message->repetition && again.escape == message->escape);
	CHECK(again.subcomponent == message->subcomponent && again.truncation == message->truncation);
	for (int i = 0; i < message->nsegments; i++)
	{
		const Hl7Segment *one = &message->segments[i];
		const Hl7Segment *other = &again.segments[i];

		CHECK(same_bytes((Hl7Slice) {message->data + one->start, one->end - one->start},
						 (Hl7Slice) {kept + other->start, other->end - other->start}));
	}
	hl7_free(&arena);
	free(kept);
}

/* --- paths ----------------------------------------------------------------- */

/* What an expression would give of a match; of no length where it gives nothing. */
static Hl7Slice
given(const Hl7Message *message, Hl7Arena *arena, const Hl7Path *path, Hl7Slice value)
{
	if (hl7_is_delete(value))
		return (Hl7Slice) {NULL, 0};
	return hl7_trim(hl7_is_leaf(message, path, value) ? hl7_decode(message, arena, value) : value);
}

/* Walks a path; an expression gives the same. */
static void
walk_path(const Hl7Message *message, Hl7Arena *arena, const Hl7Path *path, Hl7Slice text)
{
	Hl7Scope	scope = {.message = message,.driver = -1,.group_end = message->nsegments,
	.header_end = message->nsegments,.patient_end = message->nsegments};
	Hl7Values	values;
	Hl7TextError error;
	Hl7Expression *expression;
	char	   *each = hl7_alloc(arena, text.len + 5);
	Hl7Slice	value;
	Hl7Slice	first = hl7_first_match(message, path);
	int			segment = -1;
	int			at = 0;
	int			before = -1;
	int			n = 0;

	memcpy(each, "each ", 5);
	memcpy(each + 5, text.data, text.len);
	expression = hl7_parse_expression(arena, (Hl7Slice) {each, text.len + 5}, &error);
	CHECK(expression != NULL);
	hl7_evaluate(expression, &scope, false, arena, &values);
	check_values(&values);
	check_inside(first, message->data, message->len);
	while (hl7_next_match(message, path, &segment, &at, &value))
	{
		Hl7Slice	expected;

		CHECK(segment >= before && segment < message->nsegments);
		before = segment;
		CHECK(value.len > 0);
		check_inside(value, message->data + message->segments[segment].start,
					 message->segments[segment].end - message->segments[segment].start);
		if (path->occurrence > 0 && path->repetition > 0)
			CHECK(first.data == value.data && first.len == value.len);
		expected = given(message, arena, path, value);
		if (expected.len > 0)
		{
			CHECK(n < values.n);
			CHECK(same_bytes(values.items[n++].text, expected));
		}
	}
	CHECK(n == values.n);
}

static void
walk_paths(const Hl7Message *message, Hl7Arena *arena)
{
	static const char *const paths[] = {
		"MSH-1", "MSH-2", "MSH-3", "MSH[1]-9[1].2", "MSH-21", "PID-3", "PID-3[2]", "PID-3.4.1", "PID[2]-3[1].1",
		"OBR-4", "OBX-5", "OBX[2]-5.2", "OBX-5.1.2", "ORC-2.1", "NTE-3", "ZZZ[99999]-99999[99999].99999.99999"
	};
	int			found = 0;
	Hl7Path		path;
	int			bad;
	int			bad_len;
	const char *why;

	for (int i = 0; i < LENGTH(paths); i++)
	{
		CHECK(hl7_parse_path(paths[i], (int) strlen(paths[i]), &path, &bad, &bad_len, &why) == (int) strlen(paths[i]));
		walk_path(message, arena, &path, SLICE(paths[i]));
	}
	for (int i = 0; i + 3 < message->len && found < 3; i++)
	{
		int			len;

		if (message->data[i + 3] != '-' && message->data[i + 3] != '[')
			continue;
		len = hl7_parse_path(message->data + i, message->len - i, &path, &bad, &bad_len, &why);
		CHECK(len >= 0 && len <= message->len - i);
		if (len == 0)
			CHECK(why != NULL && bad >= 0 && bad_len >= 0 && bad + bad_len <= message->len - i);
		else
		{
			walk_path(message, arena, &path, (Hl7Slice) {message->data + i, len});
			found++;
		}
	}
}

/* --- rules ----------------------------------------------------------------- */

typedef struct Reading
{
	const Hl7Message *message;
	const Hl7Rule *defaults;
	Hl7Arena   *arena;
} Reading;

static void
evaluate(const Reading *reading, const Hl7Expression *expression, Hl7Scope *scope)
{
	Hl7Values	values;
	Hl7Values	all;

	hl7_evaluate(expression, scope, false, reading->arena, &values);
	check_values(&values);
	hl7_evaluate(expression, scope, true, reading->arena, &all);
	check_values(&all);
	/* what comes first comes first of all */
	CHECK(all.n >= values.n);
	for (int i = 0; i < values.n; i++)
		CHECK(same_bytes(all.items[i].text, values.items[i].text) && same_bytes(all.items[i].system, values.items[i].system));
}

static void
apply(void *arg, const Hl7Rule *rule, Hl7Scope *scope)
{
	const Reading *reading = arg;
	int			nsegments = reading->message->nsegments;

	CHECK(scope->message == reading->message);
	CHECK(scope->driver >= -1 && scope->driver < nsegments && (scope->driver >= 0) == (rule->segment != 0));
	CHECK(scope->group_start >= 0 && scope->group_start <= scope->group_end && scope->group_end <= nsegments);
	CHECK(scope->header_end <= scope->patient_start && scope->patient_start <= scope->patient_end &&
		  scope->patient_end <= nsegments);
	CHECK(scope->driver < 0 || (scope->group_start <= scope->driver && scope->driver < scope->group_end));
	for (int i = 0; i < HL7_NCOLUMNS; i++)
		evaluate(reading, rule->columns[i] != NULL ? rule->columns[i] : reading->defaults->columns[i], scope);
	for (int i = 0; i < rule->ndetails; i++)
		evaluate(reading, rule->details[i].expression, scope);
}

/* Applies the shipped rules, as if all identifiers were the patient's and as a sender's settings choose them. */
static void
apply_rules(const Hl7Message *message, Hl7Arena *arena)
{
	static const Hl7IdChoice choice = {{"HOSP", 4}, {"MR", 2}};
	Reading		reading = {message, NULL, arena};
	const Hl7Mapping *mapping = shipped_mapping(&reading.defaults);
	Hl7Scope	scope = {.message = message,.choice = &choice,.driver = -1,.group_end = message->nsegments,
	.header_end = message->nsegments,.patient_end = message->nsegments};

	CHECK(hl7_apply(mapping, message, NULL, arena, apply, &reading) ==
		  hl7_apply(mapping, message, &choice, arena, apply, &reading));
	evaluate(&reading, reading.defaults->columns[HL7_IDENTIFIERS], &scope);
}

/* --- acknowledgements ------------------------------------------------------ */

/* A text as an acknowledgement gives it back: cut, without what ends segments. */
static Hl7Slice
given_back(Hl7Arena *arena, Hl7Slice s, int len)
{
	char	   *out = hl7_alloc(arena, len);

	for (int i = 0; i < len; i++)
		out[i] = (unsigned char) s.data[i] < ' ' ? ' ' : s.data[i];
	return (Hl7Slice) {out, len};
}

/* Is an acknowledgement a message that says what it should? */
static void
check_ack(const Hl7Message *message, Hl7Arena *arena, const Hl7Ack *ack)
{
	Hl7Message	answer = {.utf8 = message != NULL && message->utf8};
	Hl7Error	error;
	int			len;
	char	   *data = hl7_build_ack(message, arena, ack, &len);
	Hl7Slice	text;

	CHECK(hl7_parse(&answer, arena, exact_copy(data, len), len, &error));
	CHECK(answer.nsegments == (ack->code[1] == 'A' ? 2 : 3));
	CHECK(answer.segments[1].name == HL7_NAME('M', 'S', 'A'));
	CHECK(hl7_equal(hl7_field(&answer, 1, 1), ack->code));
	CHECK(hl7_equal(hl7_field(&answer, 0, 10), ack->control_id));
	CHECK(hl7_equal(hl7_component(&answer, hl7_field(&answer, 0, 9), 1), "ACK"));
	if (message != NULL)
	{
		Hl7Slice	id = hl7_field(message, 0, 10);

		CHECK(answer.field == message->field && answer.component == message->component &&
			  answer.repetition == message->repetition && answer.escape == message->escape &&
			  answer.subcomponent == message->subcomponent && answer.truncation == message->truncation);
		CHECK(same_bytes(hl7_field(&answer, 0, 5), hl7_field(message, 0, 3)));
		CHECK(same_bytes(hl7_field(&answer, 0, 3), hl7_field(message, 0, 5)));
		/* the end of a frame ends what is last */
		CHECK(same_bytes(hl7_field(&answer, 1, 2), id) || id.data[id.len - 1] == '\x1c');
	}
	text = hl7_field(&answer, 1, 3);
	if (text.len == 0 && answer.nsegments == 3)
	{
		CHECK(answer.segments[2].name == HL7_NAME('E', 'R', 'R'));
		text = hl7_field(&answer, 2, 8);
	}
	if (text.len > 0 && answer.escape != 0)
	{
		Hl7Slice	decoded = hl7_decode(&answer, arena, text);
		int			whole = decoded.len;

		CHECK(whole <= ack->text.len && whole <= 400 && (whole == ack->text.len || whole > 396 || !is_utf8(ack->text)));
		CHECK(same_bytes(decoded, given_back(arena, ack->text, whole)));
	}
	free((char *) answer.data);
}

static void
build_acks(const Hl7Message *message, Hl7Arena *arena, Hl7Slice text)
{
	static const char *const codes[] = {"AA", "AE", "AR", "CA", "CE", "CR"};
	static const char *const errors[] = {NULL, "100", "101", "207"};

	for (int i = 0; i < LENGTH(codes); i++)
		for (int j = i % 2; j < 4; j += 2)
		{
			Hl7Ack		ack = {codes[i], j % 2 == 0 ? text : (Hl7Slice) {NULL, 0}, "WT1234567890", "20260131120000+0100",
			errors[j], j % 3};

			check_ack(message, arena, &ack);
		}
}

/* --- what came ------------------------------------------------------------- */

/* One message, or what should be one. */
static void
take_message(const char *data, int len, bool utf8)
{
	Hl7Arena	arena = NEW_ARENA;
	char	   *copy = exact_copy(data, len);
	Hl7Message	message = {.utf8 = utf8};
	Hl7Error	error;
	Hl7Slice	text = {copy, len < TEXT_MAX ? len : TEXT_MAX};

	if (hl7_parse(&message, &arena, copy, len, &error))
	{
		CHECK(error.fault == HL7_OK && message.data == copy && message.len == len && message.utf8 == utf8);
		read_message(&message, &arena);
		check_kept(&message);
		walk_paths(&message, &arena);
		apply_rules(&message, &arena);
		build_acks(&message, &arena, text);
	}
	else
	{
		CHECK(error.fault != HL7_OK && hl7_fault_name(error.fault)[0] != '\0' && hl7_fault_text(error.fault)[0] != '\0');
		CHECK(error.segment >= 1 && error.position >= 1 && error.position <= len + 1);
		build_acks(NULL, &arena, text);
	}
	hl7_free(&arena);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;
	int			len = (int) size;
	int			at = 0;
	int			end = 0;
	int			nparts = 0;
	Hl7Slice	part;
	Hl7PartKind kind;

	while (hl7_next_part(bytes, len, &at, &part, &kind))
	{
		CHECK(part.data == bytes + end && part.len > 0);
		CHECK(kind == HL7_MESSAGE || kind == HL7_ENVELOPE);
		end += part.len;
		CHECK(at == end && end <= len);
		take_message(part.data, part.len, nparts++ % 2 == 0);
	}
	CHECK(end == len);
	/* all of it as one message, where it was not */
	if (nparts != 1)
		take_message(bytes, len, true);
	return 0;
}
