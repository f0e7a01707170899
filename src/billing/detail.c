/*
 * detail.c
 *	  What the detail of a charge says.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "billing/detail.h"
#include "types/clinical_code.h"

/* Is a byte blank? */
static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A text without outer blanks. */
static Str
trimmed(Str s)
{
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	for (; s.len > 0 && is_blank(s.data[0]); s.len--)
		s.data++;
	return s;
}

/* Adds a text or a number to a list, unless it is blank. */
static void
add_text(StrList *list, const JsonbValue *value)
{
	Str			s = {NULL, 0};

	if (value->type == jbvString)
	{
		s.data = value->val.string.val;
		s.len = value->val.string.len;
	}
	else if (value->type == jbvNumeric)
	{
		s.data = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		s.len = strlen(s.data);
	}
	s = trimmed(s);
	if (s.len > 0)
		list->items[list->n++] = s;
}

/* What a detail has at a key: a text or a number, or a list of them; blank ones are none. */
StrList
detail_texts(Jsonb *detail, const char *key)
{
	StrList		list = {0, NULL};
	JsonbValue	buffer;
	JsonbValue *found;
	JsonbIterator *it;
	JsonbValue	item;

	if (detail == NULL || !JB_ROOT_IS_OBJECT(detail))
		return list;
	found = getKeyJsonValueFromContainer(&detail->root, key, strlen(key), &buffer);
	if (found == NULL)
		return list;
	list.items = palloc(sizeof(Str) * (found->type == jbvBinary ? JsonContainerSize(found->val.binary.data) + 1 : 1));
	if (found->type != jbvBinary)
		add_text(&list, found);
	else if (JsonContainerIsArray(found->val.binary.data))
	{
		it = JsonbIteratorInit(found->val.binary.data);
		(void) JsonbIteratorNext(&it, &item, true);
		while (JsonbIteratorNext(&it, &item, true) == WJB_ELEM)
			add_text(&list, &item);
	}
	return list;
}

/* A diagnosis as a code; one that is none is kept as local to the system that it names. */
Str
diagnosis_code(Str s)
{
	const char *bar = memchr(s.data, '|', s.len);
	int			system_len = bar == NULL ? 0 : bar - s.data;
	const char *code = bar == NULL ? s.data : bar + 1;
	text	   *received = clinical_code_received(s.data, system_len, code, s.data + s.len - code);
	Str			none = {NULL, 0};

	return received == NULL ? none : str_of_datum(PointerGetDatum(received));
}

/* Is a code of a system in which a longer code is a more specific one? */
bool
has_subcodes(Str code)
{
	static const Str systems[] = {{"icd10cm|", 8}, {"icd9cm|", 7}};

	for (int i = 0; i < lengthof(systems); i++)
		if (is_covered(code, systems[i]))
			return true;
	return false;
}
