/*
 * when.c
 *	  The conditions of rules, and the texts that rules and events are made of.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "detect/detect.h"
#include "detect/rules.h"

/* --- texts ----------------------------------------------------------------- */

/* Is a text among some? */
bool
str_in(Str s, const Str *list, int n)
{
	if (s.data == NULL)
		return false;
	for (int i = 0; i < n; i++)
		if (str_equal(s, list[i]))
			return true;
	return false;
}

/* A text datum's bytes; the datum must outlive it. */
Str
str_of_datum(Datum datum)
{
	text	   *t = DatumGetTextPP(datum);
	Str			s = {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};

	return s;
}

/* Hash of a text; of a null, 0. */
uint32
str_hash(Str s)
{
	return s.data == NULL ? 0 : hash_bytes((const unsigned char *) s.data, s.len);
}

/* A copy in the current context. */
Str
str_copy(Str s)
{
	Str			copy = {NULL, 0};

	if (s.data != NULL)
	{
		copy.data = pnstrdup(s.data, s.len);
		copy.len = s.len;
	}
	return copy;
}

/* A text[] as a list of copies. */
StrList
str_list(Datum array, bool isnull)
{
	StrList		list = {-1, NULL};
	Datum	   *items;
	bool	   *nulls;

	if (isnull)
		return list;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &list.n);
	list.items = palloc(sizeof(Str) * Max(list.n, 1));
	for (int i = 0; i < list.n; i++)
	{
		Str			none = {NULL, 0};

		list.items[i] = nulls[i] ? none : str_copy(str_of_datum(items[i]));
	}
	return list;
}

/* Is a text equal to a C string? */
bool
str_is(Str s, const char *word)
{
	return s.data != NULL && s.len == strlen(word) && memcmp(s.data, word, s.len) == 0;
}

/* --- conditions ------------------------------------------------------------ */

/* Acceptable labels of an enum as bits; bit 0 is `unknown`. */
static int
label_bits(StrList labels, const char *const *names, int n)
{
	int			bits = 0;

	for (int i = 0; i < labels.n; i++)
	{
		if (str_is(labels.items[i], "unknown"))
			bits |= 1;
		for (int rank = 1; rank <= n; rank++)
			if (str_is(labels.items[i], names[rank - 1]))
				bits |= 1 << rank;
	}
	return bits;
}

/* A member of when_detail: its key, and the values that will do. */
static void
read_detail_condition(DetailCondition *condition, JsonbValue *key, JsonbValue *value)
{
	Str			name = {key->val.string.val, key->val.string.len};
	JsonbIterator *it;
	JsonbValue	item;

	condition->key = str_copy(name);
	condition->nvalues = 0;
	condition->values = palloc(sizeof(Jsonb *) * (value->type == jbvBinary
												  ? JsonContainerSize(value->val.binary.data) + 1 : 1));
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
	{
		condition->values[condition->nvalues++] = JsonbValueToJsonb(value);
		return;
	}
	it = JsonbIteratorInit(value->val.binary.data);
	(void) JsonbIteratorNext(&it, &item, true);
	while (JsonbIteratorNext(&it, &item, true) == WJB_ELEM)
		condition->values[condition->nvalues++] = JsonbValueToJsonb(&item);
}

/* when_detail as conditions. */
static void
read_detail(When *when, Jsonb *detail)
{
	JsonbIterator *it = JsonbIteratorInit(&detail->root);
	JsonbValue	key,
				value;

	when->details = palloc0(sizeof(DetailCondition) * Max(JB_ROOT_COUNT(detail), 1));
	(void) JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		read_detail_condition(&when->details[when->ndetails++], &key, &value);
	}
}

/* The five columns when_severity, _facility, _entry_method, _code, _detail. */
When
read_when(const Datum *values, const bool *nulls)
{
	static const char *const severities[] = {"normal", "abnormal", "critical"};
	static const char *const methods[] = {"interface", "manual"};
	When		when;

	memset(&when, 0, sizeof(when));
	when.severities = label_bits(str_list(values[0], nulls[0]), severities, 3);
	when.facilities = str_list(values[1], nulls[1]);
	when.methods = label_bits(str_list(values[2], nulls[2]), methods, 2);
	if (!nulls[3])
		when.code = str_copy(str_of_datum(values[3]));
	if (!nulls[4])
		read_detail(&when, DatumGetJsonbPCopy(values[4]));
	return when;
}

/* Does a detail satisfy a condition?  A null satisfies none. */
static bool
detail_holds(const DetailCondition *condition, Jsonb *detail)
{
	JsonbValue	key;
	JsonbValue *found;
	Jsonb	   *value;

	if (detail == NULL || !JB_ROOT_IS_OBJECT(detail))
		return false;
	key.type = jbvString;
	key.val.string.val = unconstify(char *, condition->key.data);
	key.val.string.len = condition->key.len;
	found = findJsonbValueFromContainer(&detail->root, JB_FOBJECT, &key);
	if (found == NULL || found->type == jbvNull)
		return false;
	value = JsonbValueToJsonb(found);
	for (int i = 0; i < condition->nvalues; i++)
		if (compareJsonbContainers(&value->root, &condition->values[i]->root) == 0)
			return true;
	return false;
}

/* Does an event satisfy the conditions? */
bool
when_holds(const When *when, const Event *e)
{
	if (when->severities != 0 && (when->severities & (1 << e->severity_rank)) == 0)
		return false;
	if (when->methods != 0 && (when->methods & (1 << e->method_rank)) == 0)
		return false;
	if (when->facilities.n > 0 && !str_in(e->facility, when->facilities.items, when->facilities.n))
		return false;
	if (when->code.data != NULL &&
		(e->code.data == NULL || e->code.len < when->code.len ||
		 memcmp(e->code.data, when->code.data, when->code.len) != 0))
		return false;
	for (int i = 0; i < when->ndetails; i++)
		if (!detail_holds(&when->details[i], e->detail))
			return false;
	return true;
}
