/*
 * hl7v2_expression.c
 *	  Reads expressions and conditions of mappings from text, without server
 *	  headers.
 */
#include <string.h>

#include "message/hl7v2_expression.h"

typedef struct Reader
{
	Hl7Arena   *arena;
	Hl7Slice	text;
	int			at;
	Hl7TextError *error;
} Reader;

static bool
complain(Reader *r, int from, int until, const char *why)
{
	r->error->bad = from;
	r->error->bad_len = until - from;
	r->error->why = why;
	return false;
}

static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* The next character that is no blank, or 0 at the end. */
static char
peek(Reader *r)
{
	while (r->at < r->text.len && is_space(r->text.data[r->at]))
		r->at++;
	return r->at < r->text.len ? r->text.data[r->at] : '\0';
}

/* Takes a character if it is the next. */
static bool
take(Reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

/* Takes a word of small letters if it is the next. */
static bool
take_word(Reader *r, const char *word)
{
	int			len = (int) strlen(word);

	(void) peek(r);
	if (r->text.len - r->at < len || memcmp(r->text.data + r->at, word, len) != 0 ||
		(r->at + len < r->text.len && is_lower(r->text.data[r->at + len])))
		return false;
	r->at += len;
	return true;
}

/* Where the word or sign that stands here ends, for complaints. */
static int
end_of_word(Reader *r)
{
	int			at = r->at;

	while (at < r->text.len && !is_space(r->text.data[at]) && strchr(",{}=|", r->text.data[at]) == NULL)
		at++;
	return at == r->at && at < r->text.len ? at + 1 : at;
}

/* Makes room for one more of a list: its size doubles at powers of two. */
static void *
one_more(Reader *r, void *items, int n, size_t size)
{
	void	   *grown;

	if ((n & (n - 1)) != 0)
		return items;
	grown = hl7_alloc(r->arena, size * (size_t) (n == 0 ? 1 : n * 2));
	if (n > 0)
		memcpy(grown, items, size * (size_t) n);
	return grown;
}

/* A text in single quotes, in which two stand for one. */
static bool
read_quoted(Reader *r, Hl7Slice *value)
{
	int			start = r->at++;
	char	   *out;
	int			n = 0;

	for (;; r->at++)
	{
		if (r->at >= r->text.len)
			return complain(r, start, r->at, "the quoted text does not end");
		if (r->text.data[r->at] != '\'')
			continue;
		r->at++;
		if (r->at >= r->text.len || r->text.data[r->at] != '\'')
			break;
	}
	out = hl7_alloc(r->arena, r->at - start);
	for (int i = start + 1; i < r->at - 1; i++)
	{
		out[n++] = r->text.data[i];
		if (r->text.data[i] == '\'')
			i++;
	}
	*value = (Hl7Slice) {out, n};
	return true;
}

/* A text, quoted or a word. */
static bool
read_value(Reader *r, Hl7Slice *value)
{
	int			start;

	if (peek(r) == '\'')
		return read_quoted(r, value);
	start = r->at;
	while (r->at < r->text.len && !is_space(r->text.data[r->at]) &&
		   strchr(",{}=|;'", r->text.data[r->at]) == NULL)
		r->at++;
	if (r->at == start)
		return complain(r, start, end_of_word(r), "a value must stand here");
	value->data = r->text.data + start;
	value->len = r->at - start;
	return true;
}

/* value|value|* */
static bool
read_values(Reader *r, ValueList *values)
{
	memset(values, 0, sizeof(ValueList));
	do
	{
		bool		quoted = peek(r) == '\'';
		Hl7Slice	value;

		if (!read_value(r, &value))
			return false;
		if (!quoted && hl7_equal(value, "*"))
			values->others = true;
		else
		{
			values->items = one_more(r, values->items, values->n, sizeof(Hl7Slice));
			values->items[values->n++] = value;
		}
	} while (take(r, '|'));
	return true;
}

static bool
read_path(Reader *r, Hl7Path *path)
{
	int			bad;
	int			bad_len;
	const char *why;
	int			taken;

	(void) peek(r);
	taken = hl7_parse_path(r->text.data + r->at, r->text.len - r->at, path, &bad, &bad_len, &why);
	if (taken == 0)
		return complain(r, r->at + bad, bad_len > 0 ? r->at + bad + bad_len : end_of_word(r), why);
	r->at += taken;
	return true;
}

/* {value|value = result, ...} */
static bool
read_table(Reader *r, Alternative *alternative)
{
	int			start = r->at;

	do
	{
		Entry	   *entry;

		alternative->entries = one_more(r, alternative->entries, alternative->nentries, sizeof(Entry));
		entry = &alternative->entries[alternative->nentries];
		if (!read_values(r, &entry->values))
			return false;
		if (!take(r, '='))
			return complain(r, r->at, end_of_word(r), "an equals sign and what the value stands for must follow");
		if (!read_value(r, &entry->result))
			return false;
		alternative->nentries++;
	} while (take(r, ','));
	if (!take(r, '}'))
		return complain(r, start - 1, end_of_word(r), "the table is not closed");
	return true;
}

/* = values or <> values */
static bool
read_comparison(Reader *r, Test *test)
{
	if (take(r, '='))
		test->kind = TEST_EQUAL;
	else if (peek(r) == '<' && r->at + 1 < r->text.len && r->text.data[r->at + 1] == '>')
	{
		r->at += 2;
		test->kind = TEST_NOT_EQUAL;
	}
	else
		return complain(r, r->at, end_of_word(r), "=, <> or is must follow");
	return read_values(r, &test->values);
}

/* where path = values */
static bool
read_where(Reader *r, Alternative *alternative)
{
	int			start;

	(void) peek(r);
	start = r->at;
	alternative->has_where = true;
	if (!read_path(r, &alternative->where.path))
		return false;
	if (alternative->where.path.name != alternative->path.name)
		return complain(r, start, r->at, "where must ask about the same segment");
	return read_comparison(r, &alternative->where);
}

static bool
read_alternative(Reader *r, Alternative *alternative)
{
	int			start;

	memset(alternative, 0, sizeof(Alternative));
	if (peek(r) == '\'')
	{
		alternative->is_constant = true;
		return read_quoted(r, &alternative->constant);
	}
	start = r->at;
	if (take_word(r, "any"))
		alternative->quantifier = TAKE_ANY;
	else if (take_word(r, "all"))
		alternative->quantifier = TAKE_ALL;
	else if (take_word(r, "each"))
		alternative->quantifier = TAKE_EACH;
	if (take_word(r, "code"))
		alternative->conversion = AS_CODE;
	else if (take_word(r, "date"))
		alternative->conversion = AS_DATE;
	else if (take_word(r, "id"))
		alternative->conversion = AS_ID;
	if (is_lower(peek(r)))
		return complain(r, r->at, end_of_word(r), "a path, a quoted text, or one of any, all, each, code, date and id must stand here");
	if (!read_path(r, &alternative->path))
		return false;
	if (take(r, '{') && !read_table(r, alternative))
		return false;
	if (take_word(r, "where") && !read_where(r, alternative))
		return false;
	if ((alternative->quantifier == TAKE_ANY || alternative->quantifier == TAKE_ALL) && alternative->nentries == 0)
		return complain(r, start, r->at, "any and all need a table");
	if (alternative->conversion != AS_TEXT && alternative->nentries > 0)
		return complain(r, start, r->at, "a table takes values as they are: not with code, date or id");
	if (alternative->conversion == AS_ID && (alternative->path.component > 1 || alternative->path.repetition > 0))
		return complain(r, start, r->at, "the sender's settings choose the repetition of an id, whose first component it is");
	return true;
}

Hl7Expression *
hl7_parse_expression(Hl7Arena *arena, Hl7Slice text, Hl7TextError *error)
{
	Reader		r = {arena, text, 0, error};
	Hl7Expression *expression = hl7_alloc(arena, sizeof(Hl7Expression));

	expression->n = 0;
	expression->alternatives = NULL;
	do
	{
		Alternative alternative;

		if (!read_alternative(&r, &alternative))
			return NULL;
		expression->alternatives = one_more(&r, expression->alternatives, expression->n, sizeof(Alternative));
		expression->alternatives[expression->n++] = alternative;
	} while (take(&r, ','));
	if (peek(&r) != '\0' || r.at < text.len)
	{
		complain(&r, r.at, end_of_word(&r), "the expression should end here, or go on after a comma");
		return NULL;
	}
	return expression;
}

/* SEG is [not] present, path is [not] empty, path = values, path <> values */
static bool
read_test(Reader *r, Test *test)
{
	int			start;
	bool		negated;

	memset(test, 0, sizeof(Test));
	(void) peek(r);
	start = r->at;
	if (r->text.len - start >= 3 && (r->text.len - start == 3 || is_space(r->text.data[start + 3])))
	{
		Hl7Slice	name = {r->text.data + start, 3};

		if (!hl7_parse_name(name, &test->path.name, r->error))
			return complain(r, start, start + 3, r->error->why);
		r->at += 3;
		if (!take_word(r, "is"))
			return complain(r, r->at, end_of_word(r), "is present or is not present must follow a segment");
		negated = take_word(r, "not");
		if (!take_word(r, "present"))
			return complain(r, r->at, end_of_word(r), "is present or is not present must follow a segment");
		test->kind = negated ? TEST_NOT_PRESENT : TEST_PRESENT;
		return true;
	}
	if (!read_path(r, &test->path))
		return false;
	if (!take_word(r, "is"))
		return read_comparison(r, test);
	negated = take_word(r, "not");
	if (!take_word(r, "empty"))
		return complain(r, r->at, end_of_word(r), "is empty or is not empty must follow a path");
	test->kind = negated ? TEST_NOT_EMPTY : TEST_EMPTY;
	return true;
}

Hl7Condition *
hl7_parse_condition(Hl7Arena *arena, Hl7Slice text, Hl7TextError *error)
{
	Reader		r = {arena, text, 0, error};
	Hl7Condition *condition = hl7_alloc(arena, sizeof(Hl7Condition));

	condition->n = 0;
	condition->tests = NULL;
	do
	{
		Test		test;

		if (!read_test(&r, &test))
			return NULL;
		condition->tests = one_more(&r, condition->tests, condition->n, sizeof(Test));
		condition->tests[condition->n++] = test;
	} while (take_word(&r, "and"));
	if (peek(&r) != '\0' || r.at < text.len)
	{
		complain(&r, r.at, end_of_word(&r), "the condition should end here, or go on after and");
		return NULL;
	}
	return condition;
}

bool
hl7_next_result(const Hl7Expression *expression, int *at, Hl7Slice *result)
{
	int			n = 0;

	for (int i = 0; i < expression->n; i++)
	{
		const Alternative *alternative = &expression->alternatives[i];

		if (alternative->is_constant && n++ == *at)
		{
			*result = alternative->constant;
			(*at)++;
			return true;
		}
		for (int j = 0; j < alternative->nentries; j++)
			if (n++ == *at)
			{
				*result = alternative->entries[j].result;
				(*at)++;
				return true;
			}
	}
	return false;
}

bool
hl7_is_closed(const Hl7Expression *expression)
{
	for (int i = 0; i < expression->n; i++)
		if (!expression->alternatives[i].is_constant && expression->alternatives[i].nentries == 0)
			return false;
	return true;
}
