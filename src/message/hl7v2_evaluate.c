/*
 * hl7v2_evaluate.c
 *	  What expressions and conditions of mappings yield, without server headers.
 */
#include <stdio.h>
#include <string.h>

#include "message/hl7v2_expression.h"

/* --- which segments -------------------------------------------------------- */

/*
 * The segments of a name that a scope has, one a call, in an order that depends
 * on what they are to the driver.  Segments of its group come as they stand.  Of
 * the others, that everything around shares, only the nearest is meant: the last
 * one before the driver, else the first one after it.
 */
typedef struct Walk
{
	Hl7Scope   *scope;
	uint32_t	name;
	bool		every;			/* of shared segments too */
	bool		in_group;
	int			at;				/* the next one to look at */
	int			skip;			/* so many before the one that is asked for by number */
	bool		single;
	bool		done;
} Walk;

static bool
is_contained(const Hl7Scope *scope, uint32_t name)
{
	for (int i = 0; i < scope->ncontains; i++)
		if (scope->contains[i] == name)
			return true;
	return false;
}

/* Is a segment about the same patient, or about the whole message? */
static bool
is_shared(const Hl7Scope *scope, int segment)
{
	return segment < scope->header_end ||
		(segment >= scope->patient_start && segment < scope->patient_end);
}

/*
 * The shared segment of a name that is nearest to the driver, or the number of
 * segments: goes on from where those of the name were for the driver before.
 */
static int
find_nearest(Hl7Scope *scope, uint32_t name)
{
	const Hl7Message *message = scope->message;
	Hl7Nearest	found = {name, -1, -1, 0};
	int			i = 0;

	while (i < scope->nnearest && scope->nearest[i].name != name)
		i++;
	if (i < scope->nnearest)
		found = scope->nearest[i];
	while (found.after < message->nsegments &&
		   (found.after < scope->driver || message->segments[found.after].name != name))
	{
		if (message->segments[found.after].name == name)
		{
			found.before = found.after;
			if (found.after < scope->header_end)
				found.in_header = found.after;
		}
		found.after++;
	}
	if (i < HL7_NEAREST)
	{
		scope->nearest[i] = found;
		if (i == scope->nnearest)
			scope->nnearest++;
	}
	if (found.before >= 0 && is_shared(scope, found.before))
		return found.before;
	if (found.in_header >= 0)
		return found.in_header;
	return is_shared(scope, found.after) ? found.after : message->nsegments;
}

static void
walk_begin(Walk *walk, Hl7Scope *scope, uint32_t name, int occurrence, bool every)
{
	const Hl7Message *message = scope->message;

	memset(walk, 0, sizeof(Walk));
	walk->scope = scope;
	walk->name = name;
	walk->every = every;
	walk->single = occurrence > 0;
	walk->skip = occurrence > 0 ? occurrence - 1 : 0;
	if (scope->driver >= 0 && message->segments[scope->driver].name == name && occurrence == 0)
	{
		walk->at = scope->driver;
		walk->in_group = walk->single = true;
	}
	else if (is_contained(scope, name))
	{
		walk->at = scope->group_start;
		walk->in_group = true;
	}
	else if (!every && occurrence == 0 && scope->driver >= 0)
	{
		walk->at = find_nearest(scope, name);
		walk->single = true;
	}
}

/* The next segment, or -1. */
static int
walk_next(Walk *walk)
{
	const Hl7Scope *scope = walk->scope;
	const Hl7Message *message = scope->message;
	int			end = walk->in_group ? scope->group_end : message->nsegments;

	while (!walk->done)
	{
		int			at = walk->at++;

		if (at >= end)
			break;
		/* a number counts the segments of the message, or of the group */
		if (!walk->in_group && !walk->single && !is_shared(scope, at))
		{
			walk->at = at < scope->patient_start ? scope->patient_start : end;
			continue;
		}
		if (message->segments[at].name != walk->name)
			continue;
		if (walk->skip-- > 0)
			continue;
		if (walk->single)
			walk->done = true;
		return at;
	}
	walk->done = true;
	return -1;
}

/* May the next segment count where this one had no value? */
static bool
walk_goes_on(const Walk *walk)
{
	return walk->in_group || walk->every;
}

/* --- values ---------------------------------------------------------------- */

static void
add_value(Hl7Values *values, Hl7Arena *arena, Hl7Value value)
{
	if (values->n == values->size)
	{
		Hl7Value   *old = values->items;

		values->size = values->size == 0 ? 4 : values->size * 2;
		values->items = hl7_alloc(arena, sizeof(Hl7Value) * (size_t) values->size);
		if (old != NULL)
			memcpy(values->items, old, sizeof(Hl7Value) * (size_t) values->n);
	}
	values->items[values->n++] = value;
}

static Hl7Slice
decoded(const Hl7Message *message, Hl7Arena *arena, Hl7Slice s)
{
	if (hl7_is_empty(s) || hl7_is_delete(s))
		return (Hl7Slice) {NULL, 0};
	return hl7_trim(hl7_decode(message, arena, s));
}

/* What a path names in a repetition, as a text to compare: of several components the first. */
static Hl7Slice
comparable(const Hl7Message *message, Hl7Arena *arena, const Hl7Path *path, Hl7Slice repetition)
{
	Hl7Slice	s = hl7_path_leaf(message, path, repetition);

	if (!hl7_is_leaf(message, path, s))
		s = hl7_subcomponent(message, hl7_component(message, s, 1), 1);
	return decoded(message, arena, s);
}

static bool
same(Hl7Slice a, Hl7Slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool
is_listed(const ValueList *values, Hl7Slice value)
{
	for (int i = 0; i < values->n; i++)
		if (same(values->items[i], value))
			return true;
	return false;
}

/* Does a test hold in a segment, or in one repetition of its field? */
static bool
where_holds(const Test *test, Hl7Scope *scope, Hl7Arena *arena, int segment, const Hl7Slice *repetition)
{
	const Hl7Message *message = scope->message;
	Hl7Slice	field = hl7_field(message, segment, test->path.field);
	Hl7Slice	part;
	int			at = 0;
	bool		found = false;

	if (repetition != NULL)
		found = is_listed(&test->values, comparable(message, arena, &test->path, *repetition));
	else
		while (!found && hl7_next_path_repetition(message, &test->path, field, &at, &part))
			found = is_listed(&test->values, comparable(message, arena, &test->path, part));
	return found == (test->kind == TEST_EQUAL);
}

/* --- alternatives ---------------------------------------------------------- */

/* A code of three components: the code, its text, its system. */
static bool
code_at(const Hl7Message *message, Hl7Arena *arena, Hl7Slice repetition, int component, Hl7Value *value)
{
	value->is_code = true;
	value->text = decoded(message, arena, hl7_subcomponent(message, hl7_component(message, repetition, component), 1));
	value->system = decoded(message, arena, hl7_subcomponent(message, hl7_component(message, repetition, component + 2), 1));
	return value->text.len > 0;
}

/* A timestamp as a date, as exactly as it is known; what is none stays as it was sent. */
static Hl7Slice
as_date(Hl7Arena *arena, Hl7Slice s)
{
	Hl7Time		time;
	char	   *out;

	if (s.len == 0 || !hl7_parse_time(s, &time))
		return s;
	out = hl7_alloc(arena, 16);
	snprintf(out, 16, "%04d-%02d-%02d", time.year % 10000, time.month % 100, time.day % 100);
	return (Hl7Slice) {out, time.precision == HL7_YEAR ? 4 : time.precision == HL7_MONTH ? 7 : 10};
}

/* Is it the repetition of an identifier that the sender's settings name? */
static bool
is_chosen(Hl7Scope *scope, Hl7Arena *arena, Hl7Slice repetition)
{
	const Hl7Message *message = scope->message;
	const Hl7IdChoice *choice = scope->choice;

	if (choice == NULL)
		return true;
	if (choice->authority.data != NULL &&
		!same(choice->authority, decoded(message, arena,
										 hl7_subcomponent(message, hl7_component(message, repetition, 4), 1))))
		return false;
	return choice->type.data == NULL ||
		same(choice->type, decoded(message, arena, hl7_component(message, repetition, 5)));
}

/* The value of a repetition; false if there is none. */
static bool
value_of(const Alternative *a, Hl7Scope *scope, Hl7Arena *arena, Hl7Slice repetition, Hl7Value *value)
{
	const Hl7Message *message = scope->message;

	memset(value, 0, sizeof(Hl7Value));
	switch (a->conversion)
	{
		case AS_CODE:
			if (a->path.component > 0)
				return code_at(message, arena, repetition, a->path.component, value);
			return code_at(message, arena, repetition, 1, value) || code_at(message, arena, repetition, 4, value);
		case AS_ID:
			value->is_id = true;
			value->text = decoded(message, arena,
								  hl7_subcomponent(message, hl7_component(message, repetition, 1), 1));
			return value->text.len > 0 && is_chosen(scope, arena, repetition);
		case AS_DATE:
			value->text = as_date(arena, comparable(message, arena, &a->path, repetition));
			return value->text.len > 0;
		default:
			break;
	}
	if (a->nentries > 0)
		value->text = comparable(message, arena, &a->path, repetition);
	else
	{
		Hl7Slice	s = hl7_path_leaf(message, &a->path, repetition);

		if (hl7_is_delete(s))
			return false;
		value->text = hl7_is_leaf(message, &a->path, s) ? decoded(message, arena, s) : hl7_trim(s);
	}
	return value->text.len > 0;
}

/* Gathers the matches in a segment: the first alone, or all. */
static void
gather_segment(const Alternative *a, Hl7Scope *scope, Hl7Arena *arena, int segment, bool every, Hl7Values *values)
{
	bool		of_repetition = a->has_where && a->where.path.field == a->path.field;
	Hl7Slice	field = hl7_field(scope->message, segment, a->path.field);
	Hl7Slice	repetition;
	int			at = 0;

	if (a->has_where && !of_repetition && !where_holds(&a->where, scope, arena, segment, NULL))
		return;
	while (hl7_next_path_repetition(scope->message, &a->path, field, &at, &repetition))
	{
		Hl7Value	value;

		if ((of_repetition && !where_holds(&a->where, scope, arena, segment, &repetition)) ||
			!value_of(a, scope, arena, repetition, &value))
			continue;
		add_value(values, arena, value);
		if (!every)
			return;
	}
}

/* What is kept of an alternative or a test; where there is no room for more, of the last one. */
static Hl7Kept *
kept_of(const void *asker, Hl7Scope *scope, Hl7Arena *arena)
{
	int			i = 0;

	if (scope->kept == NULL)
		scope->kept = hl7_alloc(arena, sizeof(Hl7Kept) * HL7_KEPT);
	while (i < scope->nkept && scope->kept[i].asker != asker)
		i++;
	if (i == HL7_KEPT)
		i--;
	else if (i < scope->nkept)
		return &scope->kept[i];
	else
		scope->nkept++;
	scope->kept[i] = (Hl7Kept) {.asker = asker,.segment = -1};
	return &scope->kept[i];
}

/* Gathers the matches in the segments of a walk: the first alone, or all. */
static void
gather_walk(const Alternative *a, Hl7Scope *scope, Hl7Arena *arena, Walk *walk, bool every, Hl7Values *values)
{
	int			before = values->n;
	int			segment;

	while ((segment = walk_next(walk)) >= 0 && (every || values->n == before))
	{
		gather_segment(a, scope, arena, segment, every, values);
		if (!walk_goes_on(walk))
			return;
	}
}

/*
 * Gathers the matches in segments that drivers share: they are many, and may be
 * long.  Which segments are meant is told by the nearest one, or where all are
 * looked at, by the patient; one that is asked for by number is the same for all
 * drivers.
 */
static void
gather_shared(const Alternative *a, Hl7Scope *scope, Hl7Arena *arena, Walk *walk, bool every, Hl7Values *values)
{
	Hl7Kept    *kept = kept_of(a, scope, arena);
	int			meant = a->path.occurrence > 0 ? 0 : walk->every ? scope->patient_start : walk->at;

	if (kept->segment != meant)
	{
		kept->segment = meant;
		memset(&kept->values, 0, sizeof(Hl7Values));
		gather_walk(a, scope, arena, walk, every, &kept->values);
		/* who adds more gets a copy */
		kept->values.size = kept->values.n;
	}
	if (values->n == 0)
		*values = kept->values;
	else
		for (int i = 0; i < kept->values.n; i++)
			add_value(values, arena, kept->values.items[i]);
}

/* Gathers the matches of a path: the first alone, or all. */
static void
gather_matches(const Alternative *a, Hl7Scope *scope, Hl7Arena *arena, Hl7Values *values)
{
	bool		every = a->quantifier != TAKE_FIRST;
	Walk		walk;

	walk_begin(&walk, scope, a->path.name, a->path.occurrence, every || a->has_where);
	if (scope->driver < 0 || walk.in_group)
		gather_walk(a, scope, arena, &walk, every, values);
	else
		gather_shared(a, scope, arena, &walk, every, values);
}

/* Does no entry of a table list a value? */
static bool
is_other(const Alternative *a, Hl7Slice value)
{
	for (int i = 0; i < a->nentries; i++)
		if (is_listed(&a->entries[i].values, value))
			return false;
	return true;
}

static bool
entry_meets(const Alternative *a, const Entry *entry, Hl7Slice value)
{
	return is_listed(&entry->values, value) || (entry->values.others && is_other(a, value));
}

/* Which entry a value is in, or -1. */
static int
entry_of(const Alternative *a, Hl7Slice value)
{
	for (int i = 0; i < a->nentries; i++)
		if (entry_meets(a, &a->entries[i], value))
			return i;
	return -1;
}

/* Which entry of the table the matches lead to, or -1. */
static int
translate(const Alternative *a, const Hl7Values *matches)
{
	int			entry;

	if (matches->n == 0)
		return -1;
	if (a->quantifier == TAKE_ANY)
	{
		for (int i = 0; i < a->nentries; i++)
			for (int j = 0; j < matches->n; j++)
				if (entry_meets(a, &a->entries[i], matches->items[j].text))
					return i;
		return -1;
	}
	entry = entry_of(a, matches->items[0].text);
	for (int i = 1; entry >= 0 && i < matches->n; i++)
	{
		int			other = entry_of(a, matches->items[i].text);

		if (other < 0 || !same(a->entries[other].result, a->entries[entry].result))
			return -1;
	}
	return entry;
}

/* What an alternative yields; true if that settles it, even if it is nothing: an empty text that the rule gives. */
static bool
evaluate_alternative(const Alternative *a, Hl7Scope *scope, Hl7Arena *arena, Hl7Values *values)
{
	Hl7Values	matches = {0};
	int			entry;

	if (a->is_constant)
	{
		if (a->constant.len > 0)
			add_value(values, arena, (Hl7Value) {.text = a->constant});
		return true;
	}
	if (a->nentries == 0)
	{
		gather_matches(a, scope, arena, values);
		return values->n > 0;
	}
	gather_matches(a, scope, arena, &matches);
	if (a->quantifier == TAKE_EACH)
	{
		for (int i = 0; i < matches.n; i++)
			if ((entry = entry_of(a, matches.items[i].text)) >= 0 && a->entries[entry].result.len > 0)
				add_value(values, arena, (Hl7Value) {.text = a->entries[entry].result});
		return values->n > 0;
	}
	entry = translate(a, &matches);
	if (entry >= 0 && a->entries[entry].result.len > 0)
		add_value(values, arena, (Hl7Value) {.text = a->entries[entry].result});
	return entry >= 0;
}

/* What an expression yields; with gather all alternatives together. */
void
hl7_evaluate(const Hl7Expression *expression, Hl7Scope *scope, bool gather, Hl7Arena *arena, Hl7Values *values)
{
	memset(values, 0, sizeof(Hl7Values));
	if (expression == NULL)
		return;
	for (int i = 0; i < expression->n; i++)
	{
		const Alternative *a = &expression->alternatives[i];
		bool		settled = evaluate_alternative(a, scope, arena, values);

		values->is_list = a->quantifier == TAKE_EACH;
		if (settled && !gather)
			break;
	}
}

/* --- conditions ------------------------------------------------------------ */

/* Is any match of a test's path in the segments of a walk listed, or with no list is there any? */
static bool
walk_matches(const Test *test, Hl7Scope *scope, Hl7Arena *arena, Walk *walk, bool listed)
{
	int			segment;

	while ((segment = walk_next(walk)) >= 0)
	{
		Hl7Slice	field = hl7_field(scope->message, segment, test->path.field);
		Hl7Slice	repetition;
		int			at = 0;

		while (hl7_next_path_repetition(scope->message, &test->path, field, &at, &repetition))
		{
			Hl7Slice	value = comparable(scope->message, arena, &test->path, repetition);

			if (value.len > 0 && (!listed || test->values.others || is_listed(&test->values, value)))
				return true;
		}
		if (!walk_goes_on(walk))
			break;
	}
	return false;
}

static bool
any_match(const Test *test, Hl7Scope *scope, Hl7Arena *arena, bool listed)
{
	Walk		walk;
	Hl7Kept    *kept;
	int			meant;

	walk_begin(&walk, scope, test->path.name, test->path.occurrence, false);
	if (scope->driver < 0 || walk.in_group)
		return walk_matches(test, scope, arena, &walk, listed);
	kept = kept_of(test, scope, arena);
	meant = test->path.occurrence > 0 ? 0 : walk.at;
	if (kept->segment != meant)
	{
		kept->segment = meant;
		kept->holds = walk_matches(test, scope, arena, &walk, listed);
	}
	return kept->holds;
}

static bool
is_present(const Test *test, Hl7Scope *scope)
{
	Walk		walk;

	walk_begin(&walk, scope, test->path.name, 0, false);
	return walk_next(&walk) >= 0;
}

bool
hl7_holds(const Hl7Condition *condition, Hl7Scope *scope, Hl7Arena *arena)
{
	if (condition == NULL)
		return true;
	for (int i = 0; i < condition->n; i++)
	{
		const Test *test = &condition->tests[i];
		bool		holds = false;

		switch (test->kind)
		{
			case TEST_EQUAL:
			case TEST_NOT_EQUAL:
				holds = any_match(test, scope, arena, true) == (test->kind == TEST_EQUAL);
				break;
			case TEST_EMPTY:
			case TEST_NOT_EMPTY:
				holds = any_match(test, scope, arena, false) == (test->kind == TEST_NOT_EMPTY);
				break;
			case TEST_PRESENT:
			case TEST_NOT_PRESENT:
				holds = is_present(test, scope) == (test->kind == TEST_PRESENT);
				break;
		}
		if (!holds)
			return false;
	}
	return true;
}
