/*
 * hl7v2_rule.c
 *	  Which rules a message meets, and the segments that each gives something of,
 *	  without server headers.
 */
#include <string.h>

#include "message/hl7v2_expression.h"

#define PID HL7_NAME('P', 'I', 'D')
#define EVN HL7_NAME('E', 'V', 'N')

const char *const hl7_column_names[HL7_NCOLUMNS] = {
	"kind", "occurred_at", "source_sequence", "planned_at", "facility", "patient_id", "encounter_id",
	"subject", "item", "code", "value", "severity", "actor", "actor_role", "recipient", "recipient_role",
	"alias", "identifiers", "problem"
};

static bool
complain(Hl7TextError *error, int from, int until, const char *why)
{
	error->bad = from;
	error->bad_len = until - from;
	error->why = why;
	return false;
}

static inline bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool
is_upper_or_digit(char c)
{
	return is_upper(c) || (c >= '0' && c <= '9');
}

/* --- reading --------------------------------------------------------------- */

/* Is it a word of capital letters and digits of some length, or *? */
static bool
is_type_word(Hl7Slice s, int least, int most)
{
	if (hl7_equal(s, "*"))
		return true;
	if (s.len < least || s.len > most)
		return false;
	for (int i = 0; i < s.len; i++)
		if (!is_upper_or_digit(s.data[i]))
			return false;
	return true;
}

/* A word of up to four characters as a number; a longer one is none of any pattern. */
static uint32_t
word_number(Hl7Slice s)
{
	uint32_t	number = 0;

	if (s.len == 0 || s.len > 4)
		return UINT32_MAX;
	for (int i = 0; i < s.len; i++)
		number = number << 8 | (unsigned char) s.data[i];
	return number;
}

/* TYPE^TRIGGER, TYPE^* or * */
bool
hl7_parse_pattern(Hl7Slice text, Hl7Pattern *pattern, Hl7TextError *error)
{
	const char *caret = memchr(text.data, '^', text.len);
	int			type_len = caret != NULL ? (int) (caret - text.data) : text.len;
	Hl7Slice	type;
	Hl7Slice	trigger;

	type = (Hl7Slice) {text.data, type_len};
	trigger = caret != NULL ? (Hl7Slice) {caret + 1, text.len - type_len - 1} : (Hl7Slice) {"*", 1};
	if (!is_type_word(type, 3, 3))
		return complain(error, 0, type_len, "a type of messages is three capital letters or digits, or *");
	if (!is_type_word(trigger, 1, 4))
		return complain(error, type_len + 1, text.len, "the trigger after ^ is capital letters and digits, or *");
	pattern->type = hl7_equal(type, "*") ? 0 : word_number(type);
	pattern->trigger = hl7_equal(trigger, "*") ? 0 : word_number(trigger);
	return true;
}

/* The name of a segment. */
bool
hl7_parse_name(Hl7Slice text, uint32_t *name, Hl7TextError *error)
{
	if (text.len != 3 || !is_upper(text.data[0]) ||
		!is_upper_or_digit(text.data[1]) || !is_upper_or_digit(text.data[2]))
		return complain(error, 0, text.len, "the name of a segment is a letter and two letters or digits, all capital");
	*name = HL7_NAME((unsigned char) text.data[0], (unsigned char) text.data[1], (unsigned char) text.data[2]);
	return true;
}

/* Where a part of a text ends at a separator that is not quoted. */
static int
end_of_part(Hl7Slice text, int at, char separator)
{
	bool		quoted = false;

	for (; at < text.len && (quoted || text.data[at] != separator); at++)
		if (text.data[at] == '\'')
			quoted = !quoted;
	return at;
}

/* key: expression; key: expression */
bool
hl7_parse_details(Hl7Arena *arena, Hl7Slice text, Hl7Rule *rule, Hl7TextError *error)
{
	int			size = 0;

	for (int i = 0; i < text.len; i++)
		size += text.data[i] == ';';
	rule->details = hl7_alloc(arena, sizeof(Hl7Detail) * (size_t) (size + 1));
	rule->ndetails = 0;
	for (int at = 0; at <= text.len;)
	{
		int			end = end_of_part(text, at, ';');
		int			colon = end_of_part((Hl7Slice) {text.data, end}, at, ':');
		Hl7Slice	key = hl7_trim((Hl7Slice) {text.data + at, colon - at});
		Hl7Slice	expression = {text.data + colon + 1, end - colon - 1};
		Hl7Detail  *detail = &rule->details[rule->ndetails];

		if (colon == end)
			return complain(error, at, end, "a key, a colon and an expression must stand here");
		if (key.len == 0)
			return complain(error, at, colon + 1, "a key must stand before the colon");
		for (int i = 0; i < rule->ndetails; i++)
			if (key.len == rule->details[i].key.len && memcmp(key.data, rule->details[i].key.data, key.len) == 0)
				return complain(error, at, colon, "the key stands there already");
		detail->key = key;
		detail->expression = hl7_parse_expression(arena, expression, error);
		if (detail->expression == NULL)
		{
			error->bad += colon + 1;
			return false;
		}
		rule->ndetails++;
		at = end + 1;
	}
	return true;
}

/* --- the type of a message ------------------------------------------------- */

/* Triggers of types that had only one before MSH-9.2 came. */
static const struct
{
	const char *type;
	const char *trigger;
}			lone_triggers[] = {
	{"ORU", "R01"}, {"ORM", "O01"}, {"ORR", "O02"}, {"DFT", "P03"}, {"BAR", "P01"}
};

/* The type of a message: MSH-9.1 and its trigger, MSH-9.2, or what stands for it. */
void
hl7_message_type(const Hl7Message *message, Hl7Slice *type, Hl7Slice *trigger)
{
	Hl7Slice	msh9 = hl7_repetition(message, hl7_field(message, 0, 9), 1);

	*type = hl7_trim(hl7_component(message, msh9, 1));
	*trigger = hl7_trim(hl7_component(message, msh9, 2));
	/* in version 2.1 the trigger stands in EVN-1 */
	for (int i = 1; i < message->nsegments && trigger->len == 0; i++)
		if (message->segments[i].name == EVN)
		{
			*trigger = hl7_trim(hl7_component(message, hl7_field(message, i, 1), 1));
			break;
		}
	for (size_t i = 0; i < sizeof(lone_triggers) / sizeof(lone_triggers[0]) && trigger->len == 0; i++)
		if (hl7_equal(*type, lone_triggers[i].type))
			*trigger = (Hl7Slice) {lone_triggers[i].trigger, (int) strlen(lone_triggers[i].trigger)};
}

/* Is a rule for messages of a type? */
static bool
rule_fits(const Hl7Rule *rule, uint32_t type, uint32_t trigger, bool *is_special)
{
	for (int i = 0; i < rule->npatterns; i++)
	{
		const Hl7Pattern *pattern = &rule->patterns[i];

		if ((pattern->type == 0 || pattern->type == type) && (pattern->trigger == 0 || pattern->trigger == trigger))
		{
			*is_special = pattern->type != 0;
			return true;
		}
	}
	return false;
}

/* --- groups ---------------------------------------------------------------- */

/* The next segment of a name from a place on, before an end, or that end. */
static int
find_segment(const Hl7Message *message, uint32_t name, int from, int end)
{
	while (from < end && message->segments[from].name != name)
		from++;
	return from < end ? from : end;
}

/* Does the segment that may open groups come before the first that gives events? */
static bool
opens_groups(const Hl7Message *message, const Hl7Rule *rule)
{
	int			end = message->nsegments;

	return rule->begins_with != 0 &&
		find_segment(message, rule->begins_with, 0, end) < find_segment(message, rule->segment, 0, end);
}

/* Where the group of a driver starts, given the driver before it (or -1); another patient's segments are none of it. */
static int
group_start(const Hl7Message *message, const Hl7Rule *rule, int previous, int driver, bool opened)
{
	if (opened)
		for (int i = driver - 1; i > previous && message->segments[i].name != PID; i--)
			if (message->segments[i].name == rule->begins_with)
				return i;
	return driver;
}

/* The segments of the patient that the driver belongs to; drivers come in order. */
static void
set_patient(Hl7Scope *scope)
{
	const Hl7Message *message = scope->message;

	while (scope->patient_end < message->nsegments && scope->patient_end <= scope->driver)
	{
		scope->patient_start = scope->patient_end;
		scope->patient_end = find_segment(message, PID, scope->patient_start + 1, message->nsegments);
	}
}

/* Applies a rule to each segment that it is for. */
static void
apply_rule(const Hl7Rule *rule, const Hl7Message *message, const Hl7IdChoice *choice, Hl7Arena *arena,
		   Hl7Apply apply, void *arg)
{
	int			end = message->nsegments;
	Hl7Scope	scope = {.message = message,.choice = choice,.driver = -1,
	.ncontains = rule->ncontains,.contains = rule->contains,.group_end = end};
	bool		opened = opens_groups(message, rule);
	int			previous = -1;
	int			next;

	scope.header_end = scope.patient_start = find_segment(message, PID, 0, end);
	scope.patient_end = find_segment(message, PID, scope.patient_start + 1, end);
	if (rule->segment == 0)
	{
		if (hl7_holds(rule->condition, &scope, arena))
			apply(arg, rule, &scope);
		return;
	}
	for (int driver = find_segment(message, rule->segment, 0, end); driver < end; driver = next)
	{
		next = find_segment(message, rule->segment, driver + 1, end);
		scope.driver = driver;
		scope.group_start = group_start(message, rule, previous, driver, opened);
		scope.group_end = opened ? find_segment(message, rule->begins_with, driver + 1, next) : next;
		set_patient(&scope);
		if (scope.group_end > scope.patient_end)
			scope.group_end = scope.patient_end;
		if (scope.group_end < driver + 1)
			scope.group_end = driver + 1;
		if (hl7_holds(rule->condition, &scope, arena))
			apply(arg, rule, &scope);
		previous = driver;
	}
}

bool
hl7_apply(const Hl7Mapping *mapping, const Hl7Message *message, const Hl7IdChoice *choice,
		  Hl7Arena *arena, Hl7Apply apply, void *arg)
{
	Hl7Slice	type;
	Hl7Slice	trigger;
	uint32_t	type_number;
	uint32_t	trigger_number;
	bool		known = false;

	hl7_message_type(message, &type, &trigger);
	type_number = word_number(type);
	trigger_number = word_number(trigger);
	for (int i = 0; i < mapping->nrules; i++)
	{
		bool		is_special;

		if (!rule_fits(mapping->rules[i], type_number, trigger_number, &is_special))
			continue;
		known |= is_special;
		apply_rule(mapping->rules[i], message, choice, arena, apply, arg);
	}
	return known;
}
