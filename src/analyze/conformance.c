/*
 * conformance.c
 *	  Cases against a version of a workflow: each variant is aligned once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "analyze/align.h"
#include "analyze/log.h"
#include "analyze/variant.h"
#include "detect/rules.h"
#include "detect/table.h"

PG_FUNCTION_INFO_V1(workflow_alignment);
PG_FUNCTION_INFO_V1(workflow_has_run);
PG_FUNCTION_INFO_V1(conformance_cases);
PG_FUNCTION_INFO_V1(conformance_deviations);

/* A step as the map has it. */
typedef struct Step
{
	int			position;
	Str			name;
	Str			kind;
	StrList		performed_by;
	StrList		systems;
	AlignStep	align;
} Step;

/* A version of a workflow. */
typedef struct Map
{
	Str			workflow;
	int32		version;
	int			size;
	Step	   *steps;			/* in order of position */
	AlignMap	align;
} Map;

static const char *const move_names[] = {"synchronous", "skipped_step", "unexpected_event"};

/* --- the map --------------------------------------------------------------- */

/* Reads a step, if it is one of the workflow's. */
static void
read_step(void *arg, const Datum *values, const bool *nulls)
{
	Map		   *map = arg;
	Step	   *step;

	if (!str_equal(str_of_datum(values[0]), map->workflow) || DatumGetInt32(values[1]) != map->version)
		return;
	if (map->align.nsteps == map->size)
	{
		map->size = Max(16, map->size * 2);
		map->steps = map->steps == NULL ? palloc(sizeof(Step) * map->size)
			: repalloc(map->steps, sizeof(Step) * map->size);
	}
	step = &map->steps[map->align.nsteps++];
	step->position = DatumGetInt32(values[2]);
	step->name = str_copy(str_of_datum(values[3]));
	step->kind = str_copy(str_of_datum(values[4]));
	step->performed_by = str_list(values[5], nulls[5]);
	step->systems = str_list(values[6], nulls[6]);
	step->align.kind = -1;
	step->align.optional = DatumGetBool(values[7]);
	step->align.repeatable = DatumGetBool(values[8]);
	step->align.starts = DatumGetBool(values[9]);
	step->align.ends = DatumGetBool(values[10]);
}

/* Order of the document, for qsort. */
static int
compare_steps(const void *a, const void *b)
{
	return ((const Step *) a)->position - ((const Step *) b)->position;
}

/* The number of a step; -1 if there is none of that name. */
static int
step_number(const Map *map, Str name)
{
	for (int i = 0; i < map->align.nsteps; i++)
		if (str_equal(map->steps[i].name, name))
			return i;
	return -1;
}

/* Reads a transition, if it is one of the workflow's. */
static void
read_transition(void *arg, const Datum *values, const bool *nulls)
{
	Map		   *map = arg;
	int			from;
	int			to;

	if (!str_equal(str_of_datum(values[0]), map->workflow) || DatumGetInt32(values[1]) != map->version)
		return;
	from = step_number(map, str_of_datum(values[2]));
	to = step_number(map, str_of_datum(values[3]));
	if (from >= 0 && to >= 0)
		map->align.follows[from * map->align.nsteps + to] = true;
}

/* Is there a transition from a step to another one, or to it from another one? */
static bool
has_neighbour(const AlignMap *map, int step, bool to_it)
{
	for (int i = 0; i < map->nsteps; i++)
		if (i != step && map->follows[to_it ? i * map->nsteps + step : step * map->nsteps + i])
			return true;
	return false;
}

/* Where no step is said to start (end) a case, those do that nothing leads to (from), or else all. */
static void
find_ends(AlignMap *map, bool starts)
{
	bool		any = false;

	for (int i = 0; i < map->nsteps; i++)
		any |= starts ? map->steps[i].starts : map->steps[i].ends;
	for (int all = 0; all < 2 && !any; all++)
		for (int i = 0; i < map->nsteps; i++)
		{
			bool		is = all == 1 || !has_neighbour(map, i, starts);

			*(starts ? &map->steps[i].starts : &map->steps[i].ends) = is;
			any |= is;
		}
}

/* Reads a version of a workflow; one that has no steps is an error, unless missing_ok. */
static Map *
read_map(text *workflow, int32 version, bool missing_ok)
{
	static const char *const steps[] = {"workflow", "version", "position", "step", "kind", "performed_by", "systems",
	"optional", "repeatable", "starts", "ends"};
	static const char *const transitions[] = {"workflow", "version", "from_step", "to_step"};
	Map		   *map = palloc0(sizeof(Map));

	map->workflow = str_of_datum(PointerGetDatum(workflow));
	map->version = version;
	table_read("workflow_step", lengthof(steps), steps, read_step, map);
	if (map->align.nsteps == 0 && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of workflow \"%s\" has no steps, or does not exist", version, text_to_cstring(workflow)),
				 errhint("Table workflow_track.workflow lists the versions.")));
	if (map->align.nsteps > 1)
		qsort(map->steps, map->align.nsteps, sizeof(Step), compare_steps);
	map->align.steps = palloc(sizeof(AlignStep) * Max(map->align.nsteps, 1));
	map->align.follows = palloc0(sizeof(bool) * Max(map->align.nsteps * map->align.nsteps, 1));
	for (int i = 0; i < map->align.nsteps; i++)
		map->align.steps[i] = map->steps[i].align;
	table_read("workflow_transition", lengthof(transitions), transitions, read_transition, map);
	find_ends(&map->align, true);
	find_ends(&map->align, false);
	return map;
}

/* Complains of a workflow that leads nowhere. */
static void
no_way(const Map *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("version %d of workflow \"%s\" has no way from a step that starts a case to one that ends it",
					map->version, pnstrdup(map->workflow.data, map->workflow.len))));
}

/* How many events of a run cannot be done without. */
static int
shortest_run(const Map *map)
{
	Alignment  *empty = align(&map->align, NULL, 0);

	if (empty->cost < 0)
		no_way(map);
	return empty->cost;
}

/* A text as a datum. */
static Datum
text_datum(Str s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* workflow_has_run(workflow, version): do transitions lead from a step that starts a case to one that ends it? */
Datum
workflow_has_run(PG_FUNCTION_ARGS)
{
	Map		   *map = read_map(PG_GETARG_TEXT_PP(0), PG_GETARG_INT32(1), true);
	bool		any = false;

	for (int i = 0; i < map->align.nsteps * map->align.nsteps; i++)
		any |= map->align.follows[i];
	PG_RETURN_BOOL(any && align(&map->align, NULL, 0)->cost >= 0);
}

/* --- one trace ------------------------------------------------------------- */

/* workflow_alignment(workflow, version, trace): the moves of the optimal alignment. */
Datum
workflow_alignment(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Map		   *map;
	StrList		trace;
	Names	   *kinds;
	uint16	   *numbers;
	Alignment  *alignment;

	InitMaterializedSRF(fcinfo, 0);
	map = read_map(PG_GETARG_TEXT_PP(0), PG_GETARG_INT32(1), false);
	trace = str_list(PG_GETARG_DATUM(2), false);
	kinds = names_begin(trace.n);
	numbers = palloc(sizeof(uint16) * Max(trace.n, 1));
	for (int i = 0; i < trace.n; i++)
	{
		if (trace.items[i].data == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a trace must not hold nulls")));
		numbers[i] = names_intern(kinds, trace.items[i]);
	}
	for (int i = 0; i < map->align.nsteps; i++)
		map->align.steps[i].kind = names_find(kinds, map->steps[i].kind);
	alignment = align(&map->align, numbers, trace.n);
	if (alignment->cost < 0)
		no_way(map);
	for (int i = 0; i < alignment->nmoves; i++)
	{
		const AlignMoveAt *move = &alignment->moves[i];
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = Int32GetDatum(i + 1);
		values[1] = CStringGetTextDatum(move_names[move->move]);
		nulls[2] = move->move == MOVE_SKIP;
		values[2] = nulls[2] ? (Datum) 0 : text_datum(trace.items[move->event]);
		nulls[3] = move->step < 0;
		values[3] = nulls[3] ? (Datum) 0 : text_datum(map->steps[move->step].name);
		values[4] = Int32GetDatum(move->cost);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* --- cases ----------------------------------------------------------------- */

/* The cases of a workflow that began in a time, and what the map says of them. */
typedef struct Cases
{
	Map		   *map;
	EventLog   *log;
	Visible    *visible;
	TimestampTz since;
	TimestampTz until;
	int			shortest;
	Variants   *variants;
	KindList	kinds;
	MemoryContext row;			/* of one case */
} Cases;

/* Begins to go through the cases: arguments are the workflow, its version, since, until. */
static void
cases_begin(Cases *cases, FunctionCallInfo fcinfo, bool performers)
{
	LogFilter	filter;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a workflow and its version must be given")));
	cases->map = read_map(PG_GETARG_TEXT_PP(0), PG_GETARG_INT32(1), false);
	cases->shortest = shortest_run(cases->map);
	cases->visible = visible_to_user();
	cases->since = PG_ARGISNULL(2) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(2);
	cases->until = PG_ARGISNULL(3) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(3);
	memset(&filter, 0, sizeof(filter));
	filter.since = DT_NOBEGIN;	/* a case is looked at as a whole */
	filter.until = DT_NOEND;
	filter.named = true;
	filter.kinds = palloc(sizeof(Str) * cases->map->align.nsteps);
	for (int i = 0; i < cases->map->align.nsteps; i++)
	{
		filter.kinds[filter.nkinds++] = cases->map->steps[i].kind;
		filter.performers |= performers && (cases->map->steps[i].performed_by.n > 0 || cases->map->steps[i].systems.n > 0);
	}
	cases->log = log_read(&filter);
	cases->since = Max(cases->since, log_horizon(cases->log));
	for (int i = 0; i < cases->map->align.nsteps; i++)
		cases->map->align.steps[i].kind = log_find_kind(cases->log, cases->map->steps[i].kind);
	cases->variants = variants_begin();
	memset(&cases->kinds, 0, sizeof(cases->kinds));
	cases->row = AllocSetContextCreate(CurrentMemoryContext, "workflow_track conformance", ALLOCSET_DEFAULT_SIZES);
}

/* May the caller see what happened at the facility of an event? */
static bool
is_event_visible(const Cases *cases, const LogEvent *e)
{
	return is_visible(cases->visible, log_facility(cases->log, e->facility));
}

/* The events of a case with their alignment; NULL of one that did not begin in the time. */
static const Alignment *
case_alignment(Cases *cases, int case_no, LogEvent **events, int *n)
{
	Variant    *variant;

	*events = log_case(cases->log, case_no, n);
	if ((*events)[0].at < cases->since || (*events)[0].at >= cases->until)
		return NULL;
	variant = variant_of(cases->variants, kinds_of_case(&cases->kinds, *events, *n), *n);
	if (variant->alignment == NULL)
		variant->alignment = align(&cases->map->align, variant->kinds, variant->n);
	return variant->alignment;
}

/* Facility, patient and encounter of an event. */
static void
put_names(Datum *values, const Event *e)
{
	values[0] = text_datum(e->facility);
	values[1] = text_datum(e->patient);
	values[2] = text_datum(e->encounter);
}

/* conformance_cases(workflow, version, since, until): a row a case. */
Datum
conformance_cases(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Cases		cases;

	InitMaterializedSRF(fcinfo, 0);
	cases_begin(&cases, fcinfo, false);
	for (int c = 0; c < log_count_cases(cases.log); c++)
	{
		LogEvent   *events;
		int			n;
		const Alignment *alignment = case_alignment(&cases, c, &events, &n);
		Datum		values[8];
		bool		nulls[8] = {0};
		MemoryContext old;

		if (alignment == NULL || !is_event_visible(&cases, &events[0]))
			continue;
		old = MemoryContextSwitchTo(cases.row);
		put_names(values, log_event(cases.log, &events[0]));
		values[3] = TimestampTzGetDatum(events[0].at);
		values[4] = TimestampTzGetDatum(events[n - 1].at);
		values[5] = Int32GetDatum(n);
		values[6] = Int32GetDatum(alignment->cost);
		values[7] = Float8GetDatum(1 - (double) alignment->cost / (n + cases.shortest));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(cases.row);
	}
	log_done(cases.log);
	return (Datum) 0;
}

/* --- deviations ------------------------------------------------------------ */

enum
{
	D_FACILITY, D_PATIENT_ID, D_ENCOUNTER_ID, D_DEVIATION, D_STEP, D_KIND, D_EVENT_ID, D_OCCURRED_AT,
	D_AFTER_EVENT_ID, D_ACTOR, D_ACTOR_ROLE, D_SOURCE_SYSTEM, D_NCOLUMNS
};

/* Sets a column that may be null. */
static void
set_str(Datum *values, bool *nulls, int column, Str s)
{
	nulls[column] = s.data == NULL;
	if (s.data != NULL)
		values[column] = text_datum(s);
}

/* Puts a deviation into the result: of a skipped step, with the names of the case's first event. */
static void
put_deviation(ReturnSetInfo *result, Cases *cases, const LogEvent *events, const AlignMoveAt *move, const char *deviation)
{
	Datum		values[D_NCOLUMNS];
	bool		nulls[D_NCOLUMNS] = {0};
	Str			none = {NULL, 0};

	put_names(values, log_event(cases->log, &events[move->move == MOVE_SKIP ? 0 : move->event]));
	values[D_DEVIATION] = CStringGetTextDatum(deviation);
	set_str(values, nulls, D_STEP, move->step >= 0 ? cases->map->steps[move->step].name : none);
	nulls[D_AFTER_EVENT_ID] = move->event == 0;
	if (move->event > 0)
		values[D_AFTER_EVENT_ID] = Int64GetDatum(log_event(cases->log, &events[move->event - 1])->event_id);
	if (move->move == MOVE_SKIP)
	{
		values[D_KIND] = text_datum(cases->map->steps[move->step].kind);
		nulls[D_EVENT_ID] = nulls[D_OCCURRED_AT] = nulls[D_ACTOR] = nulls[D_ACTOR_ROLE] = nulls[D_SOURCE_SYSTEM] = true;
	}
	else
	{
		Event	   *e = log_event(cases->log, &events[move->event]);

		values[D_KIND] = text_datum(e->kind->name);
		values[D_EVENT_ID] = Int64GetDatum(e->event_id);
		values[D_OCCURRED_AT] = TimestampTzGetDatum(e->at);
		set_str(values, nulls, D_ACTOR, e->actor);
		set_str(values, nulls, D_ACTOR_ROLE, actor_role(e));
		set_str(values, nulls, D_SOURCE_SYSTEM, e->system);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Puts what a move deviates in into the result. */
static void
put_deviations(ReturnSetInfo *result, Cases *cases, const LogEvent *events, const AlignMoveAt *move)
{
	const Step *step;
	const Performer *performer;

	if (!is_event_visible(cases, &events[move->move == MOVE_SKIP ? 0 : move->event]))
		return;
	if (move->cost > 0)
		put_deviation(result, cases, events, move, move_names[move->move]);
	if (move->move != MOVE_SYNC)
		return;
	step = &cases->map->steps[move->step];
	if (step->performed_by.n <= 0 && step->systems.n <= 0)
		return;
	performer = log_performer(cases->log, events[move->event].performer);
	if (step->performed_by.n > 0 && !str_in(performer->role, step->performed_by.items, step->performed_by.n))
		put_deviation(result, cases, events, move, "wrong_role");
	if (step->systems.n > 0 && !str_in(performer->system, step->systems.items, step->systems.n))
		put_deviation(result, cases, events, move, "wrong_system");
}

/* conformance_deviations(workflow, version, since, until): a row a deviation. */
Datum
conformance_deviations(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Cases		cases;

	InitMaterializedSRF(fcinfo, 0);
	cases_begin(&cases, fcinfo, true);
	for (int c = 0; c < log_count_cases(cases.log); c++)
	{
		LogEvent   *events;
		int			n;
		const Alignment *alignment = case_alignment(&cases, c, &events, &n);
		MemoryContext old;

		if (alignment == NULL)
			continue;
		old = MemoryContextSwitchTo(cases.row);
		for (int i = 0; i < alignment->nmoves; i++)
			put_deviations(result, &cases, events, &alignment->moves[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(cases.row);
	}
	log_done(cases.log);
	return (Datum) 0;
}
