/*
 * fuzz.c
 *	  What the fuzzers of messages share: memory whose ends the sanitizer sees, and
 *	  the shipped rules.
 */
#include "fuzz.h"

/* --- memory ---------------------------------------------------------------- */

/* In place of hl7v2_arena.c: each allocation by itself, exactly as long as was asked for. */
struct Hl7Block
{
	Hl7Block   *next;
	void	   *memory;
};

void *
hl7_alloc(Hl7Arena *arena, size_t size)
{
	Hl7Block   *block = malloc(sizeof(Hl7Block));

	block->next = arena->blocks;
	block->memory = arena->allocate(size);
	arena->blocks = block;
	return block->memory;
}

void
hl7_reset(Hl7Arena *arena)
{
	while (arena->blocks != NULL)
	{
		Hl7Block   *block = arena->blocks;

		arena->blocks = block->next;
		arena->release(block->memory);
		free(block);
	}
}

void
hl7_free(Hl7Arena *arena)
{
	hl7_reset(arena);
}

/* --- values ---------------------------------------------------------------- */

/* Are the values of an expression texts without blanks around them? */
void
check_values(const Hl7Values *values)
{
	CHECK(values->n >= 0 && values->n <= values->size);
	for (int i = 0; i < values->n; i++)
	{
		CHECK(values->items[i].text.len > 0);
		read_bytes(values->items[i].text);
		read_bytes(values->items[i].system);
	}
}

/* --- the shipped rules ----------------------------------------------------- */

/* A column of a rule and its text; one that holds several stands there several times. */
typedef struct RuleText
{
	const char *column;
	const char *text;
} RuleText;

#include "shipped_rules.h"

/* Which of some names it is. */
static int
index_of(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	fprintf(stderr, "unknown: %s\n", name);
	abort();
}

/* Makes a rule of its texts, as the server does of a row of hl7v2_mapping. */
static Hl7Rule *
make_rule(Hl7Arena *arena, const RuleText *texts)
{
	static const char *const actions[] = {
		"defaults", "event", "retract_last", "retract_all", "alias", "answer"
	};
	Hl7Rule    *rule = calloc(1, sizeof(Hl7Rule));
	Hl7TextError error;
	int			n = 0;

	rule->action = HL7_EVENT;
	while (texts[n].column != NULL)
		n++;
	rule->patterns = malloc(sizeof(Hl7Pattern) * (n + 1));
	rule->contains = malloc(sizeof(uint32_t) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		const char *column = texts[i].column;
		Hl7Slice	text = SLICE(texts[i].text);

		if (strcmp(column, "name") == 0)
			rule->name = text;
		else if (strcmp(column, "action") == 0)
			rule->action = (Hl7Action) index_of(texts[i].text, actions, LENGTH(actions));
		else if (strcmp(column, "message") == 0)
			CHECK(hl7_parse_pattern(text, &rule->patterns[rule->npatterns++], &error));
		else if (strcmp(column, "segment") == 0)
			CHECK(hl7_parse_name(text, &rule->segment, &error));
		else if (strcmp(column, "begins_with") == 0)
			CHECK(hl7_parse_name(text, &rule->begins_with, &error));
		else if (strcmp(column, "contains") == 0)
			CHECK(hl7_parse_name(text, &rule->contains[rule->ncontains++], &error));
		else if (strcmp(column, "condition") == 0)
			CHECK((rule->condition = hl7_parse_condition(arena, text, &error)) != NULL);
		else if (strcmp(column, "detail") == 0)
			CHECK(hl7_parse_details(arena, text, rule, &error));
		else if (strcmp(column, "description") != 0)
		{
			Hl7Expression **place = &rule->columns[index_of(column, hl7_column_names, HL7_NCOLUMNS)];

			CHECK((*place = hl7_parse_expression(arena, text, &error)) != NULL);
		}
	}
	if (rule->begins_with != 0)
		rule->contains[rule->ncontains++] = rule->begins_with;
	return rule;
}

/* The shipped rules, made once, and the one that lends its columns to the others. */
Hl7Mapping *
shipped_mapping(const Hl7Rule **defaults)
{
	static Hl7Arena arena = NEW_ARENA;
	static const Hl7Rule *rules[LENGTH(shipped_rules)];
	static const Hl7Rule *kept_defaults;
	static Hl7Mapping mapping = {0, rules};

	for (int i = 0; mapping.nrules == 0 && i < LENGTH(shipped_rules); i++)
		rules[i] = make_rule(&arena, shipped_rules[i]);
	if (mapping.nrules == 0)
		for (int i = 0; i < LENGTH(shipped_rules); i++)
		{
			const Hl7Rule *rule = rules[i];

			if (rule->action == HL7_DEFAULTS)
				kept_defaults = rule;
			else
				rules[mapping.nrules++] = rule;
		}
	CHECK(kept_defaults != NULL && mapping.nrules > 0);
	*defaults = kept_defaults;
	return &mapping;
}
