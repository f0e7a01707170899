/*
 * rules.c
 *	  The current maps, compiled once a backend and dropped on change.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/rules.h"
#include "detect/table.h"

static MemoryContext rules_context = NULL;
static Rules *rules = NULL;
static bool rules_valid = false;
static Oid	workflow_relid = InvalidOid;
static Oid	event_kind_relid = InvalidOid;

/* Kinds by name: open addressing, as it is asked once an event. */
static Kind **kind_slots = NULL;
static uint32 kind_mask = 0;

/* --- kinds ----------------------------------------------------------------- */

/* Where a kind is, or would be. */
static uint32
kind_position(Str name)
{
	uint32		at = str_hash(name) & kind_mask;

	while (kind_slots[at] != NULL && !str_equal(kind_slots[at]->name, name))
		at = (at + 1) & kind_mask;
	return at;
}

/* The kind of that name, made known if it is not. */
static Kind *
kind_intern(Str name, bool counts_as_work)
{
	MemoryContext old = MemoryContextSwitchTo(rules_context);
	uint32		at;
	Kind	   *kind;

	if (kind_slots == NULL || rules->nkinds * 2 >= kind_mask)
	{
		uint32		size = kind_slots == NULL ? 512 : (kind_mask + 1) * 2;

		kind_slots = palloc0(sizeof(Kind *) * size);
		kind_mask = size - 1;
		rules->kinds = rules->kinds == NULL ? palloc(sizeof(Kind *) * size)
			: repalloc(rules->kinds, sizeof(Kind *) * size);
		for (int i = 0; i < rules->nkinds; i++)
			kind_slots[kind_position(rules->kinds[i]->name)] = rules->kinds[i];
	}
	at = kind_position(name);
	if (kind_slots[at] == NULL)
	{
		kind = palloc0(sizeof(Kind));
		kind->name = str_copy(name);
		kind->id = rules->nkinds;
		kind->counts_as_work = counts_as_work;
		kind->is_merge = str_is(name, "patient.merged") || str_is(name, "encounter.merged");
		rules->kinds[rules->nkinds++] = kind;
		kind_slots[at] = kind;
	}
	MemoryContextSwitchTo(old);
	return kind_slots[at];
}

/* Reads a row of event_kind. */
static void
read_kind(void *arg, const Datum *values, const bool *nulls)
{
	kind_intern(str_of_datum(values[0]), DatumGetBool(values[1]))->is_declared = true;
}

/* Ids of the kinds that a text[] names. */
static int
kind_ids(Datum array, bool isnull, int **ids)
{
	StrList		names = str_list(array, isnull);

	if (names.n <= 0)
		return 0;
	*ids = palloc(sizeof(int) * names.n);
	for (int i = 0; i < names.n; i++)
		(*ids)[i] = kind_intern(names.items[i], true)->id;
	return names.n;
}

/* --- rules ----------------------------------------------------------------- */

/* The versions that drive detection. */
typedef struct Version
{
	Str			workflow;
	int32		version;
} Version;

typedef struct VersionList
{
	int			n;
	int			size;
	Version    *items;
	List	   *rules;			/* what a reader has gathered */
} VersionList;

/* Reads a row of workflow. */
static void
read_workflow(void *arg, const Datum *values, const bool *nulls)
{
	VersionList *current = arg;

	if (!str_is(str_of_datum(values[2]), "current"))
		return;
	if (current->n == current->size)
	{
		current->size = Max(16, current->size * 2);
		current->items = current->items == NULL ? palloc(sizeof(Version) * current->size)
			: repalloc(current->items, sizeof(Version) * current->size);
	}
	current->items[current->n].workflow = str_copy(str_of_datum(values[0]));
	current->items[current->n++].version = DatumGetInt32(values[1]);
}

/* Is a version current? */
static bool
is_current(const VersionList *current, Datum workflow, Datum version)
{
	for (int i = 0; i < current->n; i++)
		if (current->items[i].version == DatumGetInt32(version) &&
			str_equal(current->items[i].workflow, str_of_datum(workflow)))
			return true;
	return false;
}

/* An exact duration in microseconds. */
static int64
duration(Datum value)
{
	Interval   *span = DatumGetIntervalP(value);

	return ((int64) span->month * 30 + span->day) * USECS_PER_DAY + span->time;
}

/* The word of the map for a correlation. */
static Correlation
correlation_of(Str word)
{
	if (str_is(word, "patient"))
		return BY_PATIENT;
	if (str_is(word, "encounter"))
		return BY_ENCOUNTER;
	if (str_is(word, "subject"))
		return BY_SUBJECT;
	return BY_ITEM;
}

static const char *const expectation_columns[] = {
	"workflow", "version", "expectation_id", "after", "expect", "by",
	"correlated_by", "within", "early", "cancelled_by", "cancelled_by_correlation",
	"when_severity", "when_facility", "when_entry_method", "when_code", "when_detail"
};

/* Reads a row of expectation. */
static void
read_expectation(void *arg, const Datum *values, const bool *nulls)
{
	VersionList *current = arg;
	Expectation *rule;
	int		   *kinds = NULL;
	StrList		correlations;

	if (!is_current(current, values[0], values[1]))
		return;
	rule = palloc0(sizeof(Expectation));
	rule->id = DatumGetInt32(values[2]);
	rule->nafter = kind_ids(values[3], nulls[3], &rule->after);
	rule->nexpect = kind_ids(values[4], nulls[4], &rule->expect);
	rule->by = str_list(values[5], nulls[5]);
	rule->correlation = correlation_of(str_of_datum(values[6]));
	rule->within = duration(values[7]);
	rule->early = nulls[8] ? 0 : duration(values[8]);
	rule->ncancelled_by = kind_ids(values[9], nulls[9], &kinds);
	correlations = str_list(values[10], nulls[10]);
	rule->cancelled_by = palloc0(sizeof(Canceller) * Max(rule->ncancelled_by, 1));
	for (int i = 0; i < rule->ncancelled_by; i++)
	{
		rule->cancelled_by[i].kind = kinds[i];
		rule->cancelled_by[i].correlation = correlation_of(correlations.items[i]);
	}
	rule->when = read_when(values + 11, nulls + 11);
	if (rule->when.ndetails > 0)
		for (int i = 0; i < rule->nafter; i++)
			rules->kinds[rule->after[i]]->needs_detail = true;
	current->rules = lappend(current->rules, rule);
}

static const char *const duplicate_columns[] = {
	"workflow", "version", "duplicate_rule_id", "kind", "same", "different",
	"within", "action",
	"when_severity", "when_facility", "when_entry_method", "when_code", "when_detail"
};

/* Numbers of the event columns that a text[] names. */
static int
column_ids(Datum array, bool isnull, int **ids)
{
	StrList		names = str_list(array, isnull);
	int			n = 0;

	*ids = palloc(sizeof(int) * Max(names.n, 1));
	for (int i = 0; i < names.n; i++)
		for (int column = 0; column < EV_NCOLUMNS; column++)
			if (str_is(names.items[i], event_column_names[column]))
				(*ids)[n++] = column;
	if (n != Max(names.n, 0))
		elog(ERROR, "a duplicate rule names a column that event does not have");
	return n;
}

/* Reads a row of duplicate_rule. */
static void
read_duplicate(void *arg, const Datum *values, const bool *nulls)
{
	VersionList *current = arg;
	DuplicateRule *rule;
	Kind	   *kind;

	if (!is_current(current, values[0], values[1]))
		return;
	rule = palloc0(sizeof(DuplicateRule));
	rule->id = DatumGetInt32(values[2]);
	kind = kind_intern(str_of_datum(values[3]), true);
	rule->kind = kind->id;
	rule->nsame = column_ids(values[4], nulls[4], &rule->same);
	rule->ndifferent = column_ids(values[5], nulls[5], &rule->different);
	rule->within = duration(values[6]);
	rule->reject = str_is(str_of_datum(values[7]), "reject");
	rule->when = read_when(values + 8, nulls + 8);
	kind->needs_detail |= rule->when.ndetails > 0;
	kind->may_reject |= rule->reject;
	current->rules = lappend(current->rules, rule);
}

static const char *const billing_columns[] = {
	"workflow", "version", "codes", "documented_by", "requires_authorization",
	"requires_modifiers", "within"
};

/* Order of bytes, for qsort. */
static int
compare_str(const void *a, const void *b)
{
	return str_compare(*(const Str *) a, *(const Str *) b);
}

/* A text[] as a list in order of bytes. */
static StrList
sorted_list(Datum array, bool isnull)
{
	StrList		list = str_list(array, isnull);

	if (list.n > 1)
		qsort(list.items, list.n, sizeof(Str), compare_str);
	return list;
}

/* Texts as a list of one: any of them will do. */
static StrList
in_words(StrList texts)
{
	StrList		list = {1, palloc(sizeof(Str))};
	StringInfoData words;

	initStringInfo(&words);
	for (int i = 0; i < texts.n; i++)
		appendStringInfo(&words, "%s%s", i == 0 ? "" : " or ", texts.items[i].data);
	list.items[0].data = words.data;
	list.items[0].len = words.len;
	return list;
}

/* Reads a row of billing_rule. */
static void
read_billing(void *arg, const Datum *values, const bool *nulls)
{
	VersionList *current = arg;
	BillingRule *rule;

	if (!is_current(current, values[0], values[1]))
		return;
	rule = palloc0(sizeof(BillingRule));
	rule->codes = str_copy(str_of_datum(values[2]));
	rule->ndocumented_by = kind_ids(values[3], nulls[3], &rule->documented_by);
	rule->documentation = in_words(sorted_list(values[3], nulls[3]));
	rule->requires_authorization = DatumGetBool(values[4]);
	rule->requires_modifiers = sorted_list(values[5], nulls[5]);
	rule->within = duration(values[6]);
	for (int i = 0; i < rule->ndocumented_by; i++)
		rules->kinds[rule->documented_by[i]]->is_billed = true;
	current->rules = lappend(current->rules, rule);
}

/* The id of a kind that billing looks at. */
static int
billed_kind(const char *name, bool matters)
{
	Str			s = {name, strlen(name)};
	Kind	   *kind = kind_intern(s, true);

	kind->is_billed |= matters;
	return kind->id;
}

/* Charges matter where a rule says what they need; claims always do. */
static void
name_billed_kinds(void)
{
	bool		has_rules = rules->nbilling > 0;

	rules->charged = billed_kind("charge.captured", has_rules);
	rules->kinds[rules->charged]->needs_detail |= has_rules;
	rules->diagnosed = billed_kind("diagnosis.documented", has_rules);
	rules->approved = billed_kind("authorization.approved", has_rules);
	rules->submitted = billed_kind("claim.submitted", true);
	rules->accepted_claim = billed_kind("claim.accepted", true);
	rules->denied = billed_kind("claim.denied", true);
	rules->paid = billed_kind("claim.paid", true);
}

static const char *const step_columns[] = {
	"workflow", "version", "step", "kind", "delivered_to"
};

/* Reads a row of workflow_step. */
static void
read_step(void *arg, const Datum *values, const bool *nulls)
{
	VersionList *current = arg;
	Delivery   *delivery;

	if (!is_current(current, values[0], values[1]))
		return;
	delivery = palloc0(sizeof(Delivery));
	delivery->roles = str_list(values[4], nulls[4]);
	if (delivery->roles.n <= 0)
		return;
	delivery->workflow = str_copy(str_of_datum(values[0]));
	delivery->step = str_copy(str_of_datum(values[2]));
	delivery->kind = kind_intern(str_of_datum(values[3]), true)->id;
	delivery->roles_array = PointerGetDatum(DatumGetArrayTypePCopy(values[4]));
	current->rules = lappend(current->rules, delivery);
}

static const char *const requirement_columns[] = {
	"workflow", "version", "step", "kind", "required_fields"
};

/* Reads a field that a step requires; the map was checked when it was stored. */
static RequiredField
required_field(Str name)
{
	RequiredField field = {name, EV_DETAIL, {NULL, 0}};
	char	   *prefix;

	if (name.len > 7 && memcmp(name.data, "detail.", 7) == 0)
	{
		field.part.data = name.data + 7;
		field.part.len = name.len - 7;
	}
	else if (name.len > 5 && memcmp(name.data, "code:", 5) == 0)
	{
		prefix = psprintf("%.*s|", name.len - 5, name.data + 5);
		field.column = EV_EVENT_ID;
		field.part.data = prefix;
		field.part.len = strlen(prefix);
	}
	else
		for (int i = 0; i < EV_NCOLUMNS; i++)
			if (str_is(name, event_column_names[i]))
				field.column = i;
	return field;
}

/* Reads a row of workflow_step for what its events must hold. */
static void
read_requirement(void *arg, const Datum *values, const bool *nulls)
{
	VersionList *current = arg;
	Requirement *requirement;
	StrList		names;

	if (!is_current(current, values[0], values[1]))
		return;
	names = str_list(values[4], nulls[4]);
	if (names.n <= 0)
		return;
	requirement = palloc0(sizeof(Requirement));
	requirement->workflow = str_copy(str_of_datum(values[0]));
	requirement->step = str_copy(str_of_datum(values[2]));
	requirement->kind = kind_intern(str_of_datum(values[3]), true)->id;
	requirement->fields = palloc(sizeof(RequiredField) * names.n);
	for (int i = 0; i < names.n; i++)
		requirement->fields[requirement->nfields++] = required_field(names.items[i]);
	current->rules = lappend(current->rules, requirement);
}

/* An event of any kind may supply what is to be in a detail. */
static void
need_required_details(void)
{
	bool		needed = false;

	for (int i = 0; i < rules->nrequirements; i++)
		for (int f = 0; f < rules->requirements[i].nfields; f++)
			needed |= rules->requirements[i].fields[f].column == EV_DETAIL;
	for (int i = 0; i < rules->nkinds; i++)
		rules->kinds[i]->needs_detail |= needed;
}

/* Packs a list of palloc'd structs of one size into an array, and empties it. */
static void *
packed(VersionList *current, Size size, int *n)
{
	char	   *array = palloc0(Max(list_length(current->rules), 1) * size);
	ListCell   *lc;

	*n = 0;
	foreach(lc, current->rules)
		memcpy(array + size * (*n)++, lfirst(lc), size);
	current->rules = NIL;
	return array;
}

/* Forgets the rules when a table that they come from changes. */
static void
rules_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == workflow_relid || relid == event_kind_relid)
		rules_valid = false;
	staff_changed(relid);
}

/* How far back from an event the rules look, where times are known to the day at least. */
static int64
look_back(void)
{
	int64		longest = 0;

	for (int i = 0; i < rules->nexpectations; i++)
		longest = Max(longest, rules->expectations[i].early + USECS_PER_DAY);
	for (int i = 0; i < rules->nduplicates; i++)
		longest = Max(longest, rules->duplicates[i].within);
	return longest;
}

/* Compiles the current maps. */
static void
compile_rules(void)
{
	static const char *const kind_columns[] = {"kind", "counts_as_work"};
	static const char *const workflow_columns[] = {"workflow", "version", "state"};
	MemoryContext old;
	VersionList current = {0, 0, NULL, NIL};
	Str			offered = {"handoff.offered", 15};
	Str			accepted = {"handoff.accepted", 16};

	if (rules_context == NULL)
		rules_context = AllocSetContextCreate(CacheMemoryContext, "workflow_track rules",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(rules_context);
	rules = NULL;
	kind_slots = NULL;
	workflow_relid = table_oid("workflow");
	event_kind_relid = table_oid("event_kind");
	/* until something changes, from here on; but a parallel query may read as of before */
	rules_valid = !IsInParallelMode();

	old = MemoryContextSwitchTo(rules_context);
	PG_TRY();
	{
		rules = palloc0(sizeof(Rules));
		table_read("event_kind", 2, kind_columns, read_kind, NULL);
		table_read("workflow", 3, workflow_columns, read_workflow, &current);
		table_read("expectation", lengthof(expectation_columns), expectation_columns,
				   read_expectation, &current);
		rules->expectations = packed(&current, sizeof(Expectation), &rules->nexpectations);
		table_read("duplicate_rule", lengthof(duplicate_columns), duplicate_columns,
				   read_duplicate, &current);
		rules->duplicates = packed(&current, sizeof(DuplicateRule), &rules->nduplicates);
		table_read("workflow_step", lengthof(step_columns), step_columns, read_step, &current);
		rules->deliveries = packed(&current, sizeof(Delivery), &rules->ndeliveries);
		table_read("billing_rule", lengthof(billing_columns), billing_columns, read_billing, &current);
		rules->billing = packed(&current, sizeof(BillingRule), &rules->nbilling);
		name_billed_kinds();
		table_read("workflow_step", lengthof(requirement_columns), requirement_columns, read_requirement, &current);
		rules->requirements = packed(&current, sizeof(Requirement), &rules->nrequirements);
		need_required_details();
		rules->lookback = look_back();
		rules->offered = kind_intern(offered, false)->id;
		rules->accepted = kind_intern(accepted, false)->id;
	}
	PG_CATCH();
	{
		rules_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* Asks to be told when tables change. */
void
rules_init(void)
{
	CacheRegisterRelcacheCallback(rules_changed, (Datum) 0);
}

/*
 * The rules in force.  They stay where they are until the next call, so a
 * caller that needs them for long calls this once.
 */
const Rules *
rules_current(void)
{
	if (!rules_valid || rules == NULL)
		compile_rules();
	return rules;
}

/*
 * The expectations of a version of a workflow, in whatever state it is, as rules
 * for loops alone.  They know the kinds of the rules in force, by which patients
 * must be loaded: so a loader has to have begun, and it may not have loaded yet.
 */
const Rules *
rules_of_version(Str workflow, int32 version)
{
	Rules	   *of_version = palloc(sizeof(Rules));
	Version		only = {workflow, version};
	VersionList versions = {1, 1, &only, NIL};

	table_read("expectation", lengthof(expectation_columns), expectation_columns,
			   read_expectation, &versions);
	*of_version = *rules;
	of_version->expectations = packed(&versions, sizeof(Expectation), &of_version->nexpectations);
	of_version->nduplicates = of_version->ndeliveries = 0;
	return of_version;
}

/* The kind of that name, or NULL. */
const Kind *
rules_kind(Str name)
{
	return kind_slots[kind_position(name)];
}
