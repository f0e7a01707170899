/*
 * mapping.c
 *	  The tables hl7v2_mapping and hl7v2_source: rows are checked when they are
 *	  written, and kept compiled until the tables change.
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "catalog/pg_type.h"

#include "detect/table.h"
#include "message/charset.h"
#include "message/mapping.h"

PG_FUNCTION_INFO_V1(hl7v2_mapping_check);
PG_FUNCTION_INFO_V1(hl7v2_source_check);

/* Columns of hl7v2_mapping before those of events, and after. */
enum
{
	MP_NAME, MP_SHIPPED, MP_ENABLED, MP_MESSAGE, MP_ACTION, MP_SEGMENT, MP_BEGINS_WITH, MP_CONTAINS, MP_CONDITION,
	MP_DETAIL, MP_FIRST_COLUMN, MP_NCOLUMNS = MP_FIRST_COLUMN + HL7_NCOLUMNS
};

static const char *const action_names[] = {
	"defaults", "event", "retract_last", "retract_all", "alias", "answer"
};

/* Columns of hl7v2_source. */
enum
{
	SR_SOURCE_SYSTEM, SR_FACILITY, SR_TIMEZONE, SR_CHARSET, SR_ID_NAMESPACE, SR_CARE_FACILITY, SR_PATIENT_AUTHORITY,
	SR_PATIENT_ID_TYPE, SR_ENCOUNTER, SR_PROCESSING_IDS, SR_REJECTED_CODE, SR_NCOLUMNS
};

static const char *const source_columns[SR_NCOLUMNS] = {
	"source_system", "facility", "timezone", "charset", "id_namespace", "care_facility", "patient_authority",
	"patient_id_type", "encounter", "processing_ids", "rejected_code"
};

static MemoryContext mapping_context = NULL;
static Mapping *mapping = NULL;
static List *sources = NIL;
static Source unknown_source;
static bool mapping_valid = false;
static Oid	mapping_relid = InvalidOid;
static Oid	source_relid = InvalidOid;

/* --- reading rows ---------------------------------------------------------- */

/* What is wrong with a row. */
typedef struct Fault
{
	const char *column;
	Hl7Slice	text;
	Hl7TextError error;
} Fault;

static void *
allocate(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

/* A text that may be null, copied. */
static Hl7Slice
slice_copy(Datum value, bool isnull)
{
	text	   *t;
	char	   *copy;
	int			len;

	if (isnull)
		return (Hl7Slice) {NULL, 0};
	t = DatumGetTextPP(value);
	len = VARSIZE_ANY_EXHDR(t);
	copy = palloc(len + 1);
	memcpy(copy, VARDATA_ANY(t), len);
	copy[len] = '\0';
	return (Hl7Slice) {copy, len};
}

/* An array of texts, copied; NULL is none. */
static Hl7Slice *
slice_array(Datum value, bool isnull, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	Hl7Slice   *slices;
	int			kept = 0;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, n);
	slices = palloc(sizeof(Hl7Slice) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		if (!nulls[i])
			slices[kept++] = slice_copy(elements[i], false);
	*n = kept;
	return slices;
}

static bool
find_fault(Fault *fault, const char *column, Hl7Slice text, const char *why)
{
	fault->column = column;
	fault->text = text;
	if (why != NULL)
		fault->error = (Hl7TextError) {0, text.len, why};
	return false;
}

/* The place of a name among some, or -1. */
static int
name_index(Hl7Slice name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (hl7_equal(name, names[i]))
			return i;
	return -1;
}

static bool
read_name(Fault *fault, const char *column, Hl7Slice text, uint32_t *name)
{
	if (text.data == NULL)
		return true;
	return hl7_parse_name(text, name, &fault->error) || find_fault(fault, column, text, NULL);
}

/* Makes a rule of a row's columns, which live as long as it does. */
static bool
make_rule(Hl7Arena *arena, const Datum *values, const bool *nulls, Hl7Rule *rule, Fault *fault)
{
	Hl7Slice	text;
	Hl7Slice   *texts;
	int			n;
	int			action;

	memset(rule, 0, sizeof(Hl7Rule));
	rule->name = slice_copy(values[MP_NAME], nulls[MP_NAME]);
	text = slice_copy(values[MP_ACTION], nulls[MP_ACTION]);
	action = name_index(text, action_names, lengthof(action_names));
	if (action < 0)
		return find_fault(fault, "action", text, "an action is event, retract_last, retract_all, alias, answer or defaults");
	rule->action = (Hl7Action) action;
	texts = slice_array(values[MP_MESSAGE], nulls[MP_MESSAGE], &n);
	if (n == 0)
		return find_fault(fault, "message", (Hl7Slice) {"", 0}, "a rule is for at least one type of messages");
	rule->patterns = palloc(sizeof(Hl7Pattern) * n);
	for (rule->npatterns = 0; rule->npatterns < n; rule->npatterns++)
		if (!hl7_parse_pattern(texts[rule->npatterns], &rule->patterns[rule->npatterns], &fault->error))
			return find_fault(fault, "message", texts[rule->npatterns], NULL);
	if (!read_name(fault, "segment", slice_copy(values[MP_SEGMENT], nulls[MP_SEGMENT]), &rule->segment) ||
		!read_name(fault, "begins_with", slice_copy(values[MP_BEGINS_WITH], nulls[MP_BEGINS_WITH]), &rule->begins_with))
		return false;
	texts = slice_array(values[MP_CONTAINS], nulls[MP_CONTAINS], &n);
	rule->contains = palloc(sizeof(uint32_t) * (n + 2));
	for (rule->ncontains = 0; rule->ncontains < n; rule->ncontains++)
		if (!read_name(fault, "contains", texts[rule->ncontains], &rule->contains[rule->ncontains]))
			return false;
	if (rule->begins_with != 0)
		rule->contains[rule->ncontains++] = rule->begins_with;
	if (rule->segment == 0 && rule->ncontains > 0)
		return find_fault(fault, "segment", (Hl7Slice) {"", 0}, "only segments that give events have others that belong to them");
	text = slice_copy(values[MP_CONDITION], nulls[MP_CONDITION]);
	if (text.data != NULL)
	{
		rule->condition = hl7_parse_condition(arena, text, &fault->error);
		if (rule->condition == NULL)
			return find_fault(fault, "condition", text, NULL);
	}
	for (int i = 0; i < HL7_NCOLUMNS; i++)
	{
		text = slice_copy(values[MP_FIRST_COLUMN + i], nulls[MP_FIRST_COLUMN + i]);
		if (text.data == NULL)
			continue;
		rule->columns[i] = hl7_parse_expression(arena, text, &fault->error);
		if (rule->columns[i] == NULL)
			return find_fault(fault, hl7_column_names[i], text, NULL);
	}
	text = slice_copy(values[MP_DETAIL], nulls[MP_DETAIL]);
	if (text.data != NULL && !hl7_parse_details(arena, text, rule, &fault->error))
		return find_fault(fault, "detail", text, NULL);
	return true;
}

/* Makes a source of a row's columns. */
static bool
make_source(Hl7Arena *arena, const Datum *values, const bool *nulls, Source *source, Fault *fault)
{
	Hl7Slice	text;

	memset(source, 0, sizeof(Source));
	source->source_system = slice_copy(values[SR_SOURCE_SYSTEM], nulls[SR_SOURCE_SYSTEM]);
	source->facility = slice_copy(values[SR_FACILITY], nulls[SR_FACILITY]);
	text = slice_copy(values[SR_TIMEZONE], nulls[SR_TIMEZONE]);
	source->timezone = pg_tzset(text.data == NULL ? "UTC" : text.data);
	if (source->timezone == NULL)
		return find_fault(fault, "timezone", text, "pg_timezone_names lists the time zones");
	text = slice_copy(values[SR_CHARSET], nulls[SR_CHARSET]);
	source->encoding = text.data == NULL ? -1 : charset_encoding(text);
	if (text.data != NULL && source->encoding < 0)
		return find_fault(fault, "charset", text, "a character set is one of HL7 table 0211, as MSH-18 has it, or an encoding of the server's");
	source->id_namespace = slice_copy(values[SR_ID_NAMESPACE], nulls[SR_ID_NAMESPACE]);
	source->care_facility = slice_copy(values[SR_CARE_FACILITY], nulls[SR_CARE_FACILITY]);
	source->choice.authority = slice_copy(values[SR_PATIENT_AUTHORITY], nulls[SR_PATIENT_AUTHORITY]);
	source->choice.type = slice_copy(values[SR_PATIENT_ID_TYPE], nulls[SR_PATIENT_ID_TYPE]);
	text = slice_copy(values[SR_ENCOUNTER], nulls[SR_ENCOUNTER]);
	if (text.data != NULL)
	{
		source->encounter = hl7_parse_expression(arena, text, &fault->error);
		if (source->encounter == NULL)
			return find_fault(fault, "encounter", text, NULL);
	}
	source->processing_ids = slice_array(values[SR_PROCESSING_IDS], nulls[SR_PROCESSING_IDS], &source->nprocessing_ids);
	text = slice_copy(values[SR_REJECTED_CODE], nulls[SR_REJECTED_CODE]);
	source->rejected_code = text.data == NULL ? "AE" : text.data;
	return true;
}

/* --- checking rows --------------------------------------------------------- */

static void
report_fault(const char *table, const Fault *fault)
{
	int			end = Min(fault->error.bad + fault->error.bad_len, fault->text.len);
	int			start = Min(fault->error.bad, end);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s of %s: \"%.*s\"", fault->column, table, fault->text.len,
					fault->text.data == NULL ? "" : fault->text.data),
			 start == end ? errdetail("At its end: %s.", fault->error.why)
			 : errdetail("At \"%.*s\": %s.", end - start, fault->text.data + start, fault->error.why)));
}

/* Refuses a result of an expression that its column cannot have. */
static void
check_results(const Hl7Rule *rule, int column, bool (*fits) (Hl7Slice), const char *detail)
{
	const Hl7Expression *expression = rule->columns[column];
	Hl7Slice	result;
	int			at = 0;

	if (expression == NULL)
		return;
	if (!hl7_is_closed(expression))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s of hl7v2_mapping", hl7_column_names[column]),
				 errdetail("It must be a quoted text or be translated by a table, so that it is never what a sender writes.")));
	while (hl7_next_result(expression, &at, &result))
		if (result.len > 0 && !fits(result))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid %s of hl7v2_mapping: \"%.*s\"", hl7_column_names[column], result.len, result.data),
					 errdetail("%s", detail)));
}

static bool
is_kind(Hl7Slice s)
{
	const Kind *kind = rules_kind((Str) {s.data, s.len});

	return kind != NULL && kind->is_declared;
}

static bool
is_severity(Hl7Slice s)
{
	return hl7_equal(s, "normal") || hl7_equal(s, "abnormal") || hl7_equal(s, "critical");
}

static bool
is_problem(Hl7Slice s)
{
	for (int i = 0; i < s.len; i++)
		if (!((s.data[i] >= 'a' && s.data[i] <= 'z') || (s.data[i] == '_' && i > 0)))
			return false;
	return s.len <= 60;
}

/* Refuses a rule without a column that what it does needs. */
static void
require_column(const Hl7Rule *rule, int column)
{
	if (rule->columns[column] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("action %s of hl7v2_mapping needs %s", action_names[rule->action], hl7_column_names[column])));
}

/* Refuses a rule that is well written and cannot work. */
static void
check_rule(const Hl7Rule *rule)
{
	(void) rules_current();
	check_results(rule, HL7_KIND, is_kind, "Table workflow_track.event_kind lists the kinds.");
	check_results(rule, HL7_SEVERITY, is_severity, "A severity is normal, abnormal or critical.");
	check_results(rule, HL7_PROBLEM, is_problem, "The name of a problem is small letters and underscores, at most 60.");
	switch (rule->action)
	{
		case HL7_EVENT:
		case HL7_RETRACT_LAST:
		case HL7_RETRACT_ALL:
			require_column(rule, HL7_KIND);
			break;
		case HL7_ALIAS:
			require_column(rule, HL7_SUBJECT);
			require_column(rule, HL7_ALIAS_OF);
			break;
		default:
			break;
	}
}

/* The row that a trigger is about to write. */
static HeapTuple
row_to_write(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by a BEFORE trigger for each row")));
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
}

/* The columns of a row by their names. */
static void
row_columns(HeapTuple row, TupleDesc desc, const char *const *columns, int n, Datum *values, bool *nulls)
{
	for (int i = 0; i < n; i++)
	{
		int			attribute = 0;

		for (int j = 0; j < desc->natts && attribute == 0; j++)
			if (!TupleDescAttr(desc, j)->attisdropped && strcmp(NameStr(TupleDescAttr(desc, j)->attname), columns[i]) == 0)
				attribute = j + 1;
		if (attribute == 0)
			elog(ERROR, "no column \"%s\"", columns[i]);
		values[i] = heap_getattr(row, attribute, desc, &nulls[i]);
	}
}

/* The names of the columns of hl7v2_mapping. */
static const char *const *
mapping_columns(void)
{
	static const char *columns[MP_NCOLUMNS] = {
		"name", "shipped", "enabled", "message", "action", "segment", "begins_with", "contains", "condition", "detail"
	};

	memcpy(columns + MP_FIRST_COLUMN, hl7_column_names, sizeof(hl7_column_names));
	return columns;
}

/* Refuses to write a shipped rule to all but the table's owner, as whom setup() brings them up to date. */
static void
check_shipped(Relation rel, HeapTuple row)
{
	static const char *const column = "shipped";
	Datum		shipped;
	bool		isnull;

	row_columns(row, RelationGetDescr(rel), &column, 1, &shipped, &isnull);
	if (!isnull && DatumGetBool(shipped) && !has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("shipped rules of hl7v2_mapping cannot be changed"),
				 errhint("Add a row of your own with the same name: it takes the place of the shipped one, also where it is not enabled.")));
}

/* Before a row of hl7v2_mapping is written: refuses one that cannot work, and changes of shipped ones. */
Datum
hl7v2_mapping_check(PG_FUNCTION_ARGS)
{
	HeapTuple	row = row_to_write(fcinfo);
	Hl7Arena	arena = {allocate, pfree, NULL};
	Datum		values[MP_NCOLUMNS];
	bool		nulls[MP_NCOLUMNS];
	Hl7Rule		rule;
	Fault		fault;
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	check_shipped(trigger->tg_relation, trigger->tg_trigtuple);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(row);
	check_shipped(trigger->tg_relation, row);
	row_columns(row, RelationGetDescr(trigger->tg_relation), mapping_columns(), MP_NCOLUMNS, values, nulls);
	if (!make_rule(&arena, values, nulls, &rule, &fault))
		report_fault("hl7v2_mapping", &fault);
	check_rule(&rule);
	return PointerGetDatum(row);
}

/* Before a row of hl7v2_source is written: refuses one that cannot work. */
Datum
hl7v2_source_check(PG_FUNCTION_ARGS)
{
	HeapTuple	row = row_to_write(fcinfo);
	Hl7Arena	arena = {allocate, pfree, NULL};
	Datum		values[SR_NCOLUMNS];
	bool		nulls[SR_NCOLUMNS];
	Source		source;
	Fault		fault;

	row_columns(row, RelationGetDescr(((TriggerData *) fcinfo->context)->tg_relation), source_columns,
				SR_NCOLUMNS, values, nulls);
	if (!make_source(&arena, values, nulls, &source, &fault))
		report_fault("hl7v2_source", &fault);
	return PointerGetDatum(row);
}

/* --- keeping --------------------------------------------------------------- */

/* A rule of the table, and whether it counts. */
typedef struct ReadRule
{
	Hl7Rule		rule;
	bool		shipped;
	bool		enabled;
} ReadRule;

typedef struct ReadRules
{
	Hl7Arena	arena;
	List	   *rules;
} ReadRules;

/* Reads a row of hl7v2_mapping. */
static void
read_rule(void *arg, const Datum *values, const bool *nulls)
{
	ReadRules  *read = arg;
	ReadRule   *r = palloc0(sizeof(ReadRule));
	Fault		fault;

	if (!make_rule(&read->arena, values, nulls, &r->rule, &fault))
		report_fault("hl7v2_mapping", &fault);
	r->shipped = DatumGetBool(values[MP_SHIPPED]);
	r->enabled = DatumGetBool(values[MP_ENABLED]);
	read->rules = lappend(read->rules, r);
}

/* Reads a row of hl7v2_source. */
static void
read_source(void *arg, const Datum *values, const bool *nulls)
{
	ReadRules  *read = arg;
	Source	   *source = palloc(sizeof(Source));
	Fault		fault;

	if (!make_source(&read->arena, values, nulls, source, &fault))
		report_fault("hl7v2_source", &fault);
	sources = lappend(sources, source);
}

/* Has the site a row of the same name? */
static bool
is_overridden(List *rules, const ReadRule *rule)
{
	ListCell   *lc;

	foreach(lc, rules)
	{
		const ReadRule *other = lfirst(lc);

		if (rule->shipped && !other->shipped && other->rule.name.len == rule->rule.name.len &&
			memcmp(other->rule.name.data, rule->rule.name.data, rule->rule.name.len) == 0)
			return true;
	}
	return false;
}

/* By name, so that events of one message come in the same order always. */
static int
compare_rules(const ListCell *a, const ListCell *b)
{
	const Hl7Rule *one = &((const ReadRule *) lfirst(a))->rule;
	const Hl7Rule *other = &((const ReadRule *) lfirst(b))->rule;

	return str_compare((Str) {one->name.data, one->name.len}, (Str) {other->name.data, other->name.len});
}

/* Takes the rules that count. */
static void
select_rules(List *rules)
{
	static const Hl7Rule no_defaults = {.action = HL7_DEFAULTS};
	ListCell   *lc;

	mapping = palloc0(sizeof(Mapping));
	mapping->rules.rules = palloc(sizeof(Hl7Rule *) * Max(list_length(rules), 1));
	mapping->defaults = &no_defaults;
	list_sort(rules, compare_rules);
	foreach(lc, rules)
	{
		ReadRule   *r = lfirst(lc);

		if (!r->enabled || is_overridden(rules, r))
			continue;
		if (r->rule.action == HL7_DEFAULTS)
			mapping->defaults = &r->rule;
		else
			mapping->rules.rules[mapping->rules.nrules++] = &r->rule;
	}
}

/* Reads both tables. */
static void
read_tables(void)
{
	ReadRules	read = {{allocate, pfree, NULL}, NIL};
	MemoryContext old;

	/* messages that are being stored may have text of the old rules: a trigger of theirs may have others read */
	if (mapping_context != NULL)
		MemoryContextSetParent(mapping_context, TopTransactionContext);
	mapping_context = NULL;
	mapping = NULL;
	mapping_context = AllocSetContextCreate(CacheMemoryContext, "workflow_track mapping", ALLOCSET_DEFAULT_SIZES);
	sources = NIL;
	mapping_relid = table_oid("hl7v2_mapping");
	source_relid = table_oid("hl7v2_source");
	mapping_valid = true;
	old = MemoryContextSwitchTo(mapping_context);
	PG_TRY();
	{
		table_read("hl7v2_mapping", MP_NCOLUMNS, mapping_columns(), read_rule, &read);
		table_read("hl7v2_source", SR_NCOLUMNS, source_columns, read_source, &read);
		select_rules(read.rules);
	}
	PG_CATCH();
	{
		mapping_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	unknown_source = (Source) {.timezone = pg_tzset("UTC"),.encoding = -1,.rejected_code = "AE"};
}

/* The rules in force; they stay where they are until the transaction ends. */
const Mapping *
mapping_current(void)
{
	if (!mapping_valid || mapping == NULL)
		read_tables();
	return mapping;
}

static bool
same(Hl7Slice a, Hl7Slice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* What is known of a sender; after mapping_current(). */
const Source *
source_find(Hl7Slice source_system, Hl7Slice facility)
{
	ListCell   *lc;

	foreach(lc, sources)
	{
		const Source *source = lfirst(lc);

		if (same(source->source_system, source_system) && same(source->facility, facility))
			return source;
	}
	return &unknown_source;
}

/* Forgets them when a table changes. */
static void
mapping_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == mapping_relid || relid == source_relid)
		mapping_valid = false;
}

/* Asks to be told when tables change. */
void
mapping_init(void)
{
	CacheRegisterRelcacheCallback(mapping_changed, (Datum) 0);
}
