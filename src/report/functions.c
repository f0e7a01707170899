/*
 * functions.c
 *	  Reports that are computed from events when they are asked for.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "detect/detect.h"
#include "detect/table.h"
#include "detect/touched.h"
#include "report/visible.h"

PG_FUNCTION_INFO_V1(patient_handoffs);
PG_FUNCTION_INFO_V1(coverage_counts);
PG_FUNCTION_INFO_V1(version_loops);
PG_FUNCTION_INFO_V1(is_active_actor);

/* A text that may be null as a column of a result. */
static void
put_text(Datum *values, bool *nulls, int column, Str s)
{
	nulls[column] = s.data == NULL;
	if (s.data != NULL)
		values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* --- handoffs -------------------------------------------------------------- */

enum
{
	H_BASIS, H_FACILITY, H_PATIENT_ID, H_ENCOUNTER_ID, H_FROM_EVENT_ID, H_TO_EVENT_ID,
	H_FROM_KIND, H_TO_KIND, H_FROM_ACTOR, H_TO_ACTOR, H_FROM_ROLE, H_TO_ROLE,
	H_FROM_SYSTEM, H_TO_SYSTEM, H_RELEASED_AT, H_TAKEN_AT, H_LATENCY, H_SUBJECT,
	H_NCOLUMNS
};

/* Puts a handoff into the result. */
static void
put_handoff(ReturnSetInfo *result, const Handoff *h)
{
	static const char *const basis_names[] = {"explicit", "thread", "implied"};
	Datum		values[H_NCOLUMNS];
	bool		nulls[H_NCOLUMNS] = {0};
	Interval	latency = {h->to->at - h->from->at, 0, 0};
	Str			none = {NULL, 0};

	values[H_BASIS] = CStringGetTextDatum(basis_names[h->basis]);
	put_text(values, nulls, H_FACILITY, h->to->facility);
	put_text(values, nulls, H_PATIENT_ID, h->to->patient);
	put_text(values, nulls, H_ENCOUNTER_ID, h->to->encounter);
	values[H_FROM_EVENT_ID] = Int64GetDatum(h->from->event_id);
	values[H_TO_EVENT_ID] = Int64GetDatum(h->to->event_id);
	put_text(values, nulls, H_FROM_KIND, h->from->kind->name);
	put_text(values, nulls, H_TO_KIND, h->to->kind->name);
	put_text(values, nulls, H_FROM_ACTOR, h->from->actor);
	put_text(values, nulls, H_TO_ACTOR, h->to->actor);
	put_text(values, nulls, H_FROM_ROLE, actor_role(h->from));
	put_text(values, nulls, H_TO_ROLE, actor_role(h->to));
	put_text(values, nulls, H_FROM_SYSTEM, h->from->system);
	put_text(values, nulls, H_TO_SYSTEM, h->to->system);
	values[H_RELEASED_AT] = TimestampTzGetDatum(h->from->at);
	values[H_TAKEN_AT] = TimestampTzGetDatum(h->to->at);
	values[H_LATENCY] = IntervalPGetDatum(&latency);
	put_text(values, nulls, H_SUBJECT, h->basis == HANDOFF_IMPLIED ? none : h->to->subject);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * patient_handoffs(patient_id): the handoffs that were taken under a patient id,
 * of facilities that the caller sees.
 */
Datum
patient_handoffs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Str			id = str_of_datum(PG_GETARG_DATUM(0));
	const Visible *visible = visible_to_caller(fcinfo);
	Loader	   *loader;
	Patient    *p;
	Handoff    *handoffs;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	loader = loader_begin(GetActiveSnapshot());
	p = loader_known(loader, id);
	if (p != NULL && (!p->is_test || show_test_patients))
	{
		handoffs = find_handoffs(p, loader_rules(loader), &n);
		for (int i = 0; i < n; i++)
			if (str_equal(handoffs[i].to->patient, id) &&
				is_visible(visible, handoffs[i].to->facility))
				put_handoff(result, &handoffs[i]);
	}
	loader_end(loader);
	return (Datum) 0;
}

/* --- every patient --------------------------------------------------------- */

/* Calls back for each patient that the caller may see anything of, once; what that allocates is freed. */
static void
each_patient(Loader *loader, const Visible *visible, void (*reader) (void *arg, Patient *p), void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track patient",
												  ALLOCSET_DEFAULT_SIZES);
	Table		table;
	TableScanDesc scan;

	table_by_name(&table, CurrentMemoryContext, "patient_state", GetActiveSnapshot(), AccessShareLock);
	scan = wt_table_beginscan(table.rel, GetActiveSnapshot());
	while (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		is_first = true;
		Str			id;
		Patient    *p;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(table.slot);
		id = str_of_datum(table.slot->tts_values[PS_PATIENT_ID]);
		p = loader_by_id(loader, id, DatumGetTimestampTz(table.slot->tts_values[PS_FIRST_AT]),
						 DatumGetBool(table.slot->tts_values[PS_LINKED]));
		for (int i = 0; i < p->nids; i++)
			is_first &= str_compare(p->ids[i], id) >= 0;
		if (is_first && (!p->is_test || visible->test_patients))
			reader(arg, p);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	table_endscan(scan);
	table_done(&table);
	MemoryContextDelete(context);
}

/* --- coverage -------------------------------------------------------------- */

/* A row of rule_coverage; the key comes first. */
typedef struct CoverageKey
{
	int32		expectation_id;
	Str			facility;
} CoverageKey;

typedef struct CoverageRow
{
	CoverageKey key;
	int64		openers;
	int64		closers;
	int64		unmatched;
} CoverageRow;

/* Hash of a key. */
static uint32
coverage_hash(const void *key, Size size)
{
	const CoverageKey *k = key;

	return hash_combine(murmurhash32(k->expectation_id), str_hash(k->facility));
}

/* Are two keys the same?  Then 0. */
static int
coverage_match(const void *a, const void *b, Size size)
{
	const CoverageKey *x = a;
	const CoverageKey *y = b;

	return x->expectation_id != y->expectation_id || !str_equal(x->facility, y->facility);
}

/* Counts an event. */
static void
count_coverage(HTAB *rows, MemoryContext context, const Coverage *c)
{
	CoverageKey key;
	CoverageRow *row;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.expectation_id = c->rule->id;
	key.facility = c->event->facility;
	row = hash_search(rows, &key, HASH_ENTER, &found);
	if (!found)
	{
		char	   *copy = MemoryContextAlloc(context, key.facility.len + 1);

		memcpy(copy, key.facility.data, key.facility.len);
		row->key.facility.data = copy;
		row->openers = row->closers = row->unmatched = 0;
	}
	row->openers += c->opens;
	row->closers += c->closes;
	row->unmatched += c->unmatched;
}

/* What coverage_counts() goes through patients with. */
typedef struct CoverageArg
{
	HTAB	   *rows;
	MemoryContext context;
	const Visible *visible;
	const Rules *rules;
	TimestampTz as_of;
} CoverageArg;

/* Counts the events of a patient. */
static void
count_patient(void *arg, Patient *p)
{
	CoverageArg *c = arg;
	Coverage   *coverage;
	int			n;

	coverage = find_coverage(p, c->rules, c->as_of, &n);
	for (int i = 0; i < n; i++)
		if (is_visible(c->visible, coverage[i].event->facility))
			count_coverage(c->rows, c->context, &coverage[i]);
}

/* Puts the counts into the result. */
static void
put_coverage(ReturnSetInfo *result, HTAB *rows)
{
	HASH_SEQ_STATUS seq;
	CoverageRow *row;

	hash_seq_init(&seq, rows);
	while ((row = hash_seq_search(&seq)) != NULL)
	{
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = Int32GetDatum(row->key.expectation_id);
		values[1] = PointerGetDatum(cstring_to_text_with_len(row->key.facility.data, row->key.facility.len));
		values[2] = Int64GetDatum(row->openers);
		values[3] = Int64GetDatum(row->closers);
		values[4] = Int64GetDatum(row->unmatched);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* coverage_counts(as_of): how often each expectation was opened and closed. */
Datum
coverage_counts(PG_FUNCTION_ARGS)
{
	CoverageArg arg;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	HASHCTL		ctl;
	Loader	   *loader;

	InitMaterializedSRF(fcinfo, 0);
	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(CoverageKey);
	ctl.entrysize = sizeof(CoverageRow);
	ctl.hash = coverage_hash;
	ctl.match = coverage_match;
	ctl.hcxt = CurrentMemoryContext;
	arg.rows = hash_create("workflow_track coverage", 256, &ctl,
						   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	arg.context = CurrentMemoryContext;
	arg.visible = visible_to_user();
	arg.as_of = PG_GETARG_TIMESTAMPTZ(0);
	loader = loader_begin(GetActiveSnapshot());
	arg.rules = loader_rules(loader);
	each_patient(loader, arg.visible, count_patient, &arg);
	loader_end(loader);
	put_coverage(result, arg.rows);
	return (Datum) 0;
}

/* --- loops of a version ---------------------------------------------------- */

enum
{
	L_EXPECTATION_ID, L_FACILITY, L_PATIENT_ID, L_ENCOUNTER_ID, L_OPENED_EVENT_ID, L_OPENED_AT, L_DUE_AT,
	L_SETTLED_AT, L_IS_CANCELLED, L_CLOSED_EVENT_ID, L_CLOSED_BY, L_CLOSED_BY_ROLE,
	L_NCOLUMNS
};

/* What version_loops() goes through patients with. */
typedef struct LoopsArg
{
	ReturnSetInfo *result;
	const Visible *visible;
	const Rules *rules;
} LoopsArg;

/* Puts a loop into the result. */
static void
put_loop(ReturnSetInfo *result, const Loop *loop)
{
	const Event *o = loop->opener;
	Event	   *c = loop->closer;
	const Event *end = c != NULL ? c : loop->canceller;
	Datum		values[L_NCOLUMNS];
	bool		nulls[L_NCOLUMNS] = {0};

	values[L_EXPECTATION_ID] = Int32GetDatum(loop->rule->id);
	put_text(values, nulls, L_FACILITY, o->facility);
	put_text(values, nulls, L_PATIENT_ID, o->patient);
	put_text(values, nulls, L_ENCOUNTER_ID, o->encounter);
	values[L_OPENED_EVENT_ID] = Int64GetDatum(o->event_id);
	values[L_OPENED_AT] = TimestampTzGetDatum(o->at);
	values[L_DUE_AT] = TimestampTzGetDatum(loop->due_at);
	values[L_SETTLED_AT] = TimestampTzGetDatum(end != NULL ? end->at : DT_NOEND);
	values[L_IS_CANCELLED] = BoolGetDatum(loop->canceller != NULL);
	nulls[L_CLOSED_EVENT_ID] = nulls[L_CLOSED_BY] = nulls[L_CLOSED_BY_ROLE] = c == NULL;
	if (c != NULL)
	{
		values[L_CLOSED_EVENT_ID] = Int64GetDatum(c->event_id);
		put_text(values, nulls, L_CLOSED_BY, c->actor);
		put_text(values, nulls, L_CLOSED_BY_ROLE, actor_role(c));
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Puts the loops of a patient into the result. */
static void
put_patient_loops(void *arg, Patient *p)
{
	LoopsArg   *l = arg;
	bool		needs_whole;
	int			n;
	Loop	   *loops = find_loops(p, l->rules, &n, &needs_whole);

	for (int i = 0; i < n; i++)
		if (is_visible(l->visible, loops[i].opener->facility))
			put_loop(l->result, &loops[i]);
}

/*
 * version_loops(workflow, version): the loops that the expectations of a version
 * would open, in whatever state it is, at facilities that the caller sees.
 */
Datum
version_loops(PG_FUNCTION_ARGS)
{
	LoopsArg	arg;
	Loader	   *loader;

	InitMaterializedSRF(fcinfo, 0);
	arg.result = (ReturnSetInfo *) fcinfo->resultinfo;
	arg.visible = visible_to_user();
	loader = loader_begin(GetActiveSnapshot());
	arg.rules = rules_of_version(str_of_datum(PG_GETARG_DATUM(0)), PG_GETARG_INT32(1));
	if (arg.rules->nexpectations > 0)
		each_patient(loader, arg.visible, put_patient_loops, &arg);
	loader_end(loader);
	return (Datum) 0;
}

/* --- people ---------------------------------------------------------------- */

/* is_active_actor(actor, at): has staff a row of the actor in force then? */
Datum
is_active_actor(PG_FUNCTION_ARGS)
{
	bool		shared_inbox;

	staff_current();
	PG_RETURN_BOOL(is_active_person(str_of_datum(PG_GETARG_DATUM(0)),
									PG_GETARG_TIMESTAMPTZ(1), &shared_inbox));
}
