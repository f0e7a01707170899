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

#include "detect/detect.h"
#include "detect/table.h"
#include "detect/touched.h"
#include "report/visible.h"

PG_FUNCTION_INFO_V1(patient_handoffs);
PG_FUNCTION_INFO_V1(coverage_counts);
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

/* Counts the events of a patient, by the first of the ids that are one. */
static void
count_patient(HTAB *rows, MemoryContext context, const Visible *visible, Loader *loader,
			  Str id, TimestampTz first_at, bool linked, TimestampTz as_of)
{
	Patient    *p = loader_by_id(loader, id, first_at, linked);
	Coverage   *coverage;
	int			n;

	for (int i = 0; i < p->nids; i++)
		if (str_compare(p->ids[i], id) < 0)
			return;
	if (p->is_test && !visible->test_patients)
		return;
	coverage = find_coverage(p, loader_rules(loader), as_of, &n);
	for (int i = 0; i < n; i++)
		if (is_visible(visible, coverage[i].event->facility))
			count_coverage(rows, context, &coverage[i]);
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
	TimestampTz as_of = PG_GETARG_TIMESTAMPTZ(0);
	MemoryContext result_context = CurrentMemoryContext;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track patient",
												  ALLOCSET_DEFAULT_SIZES);
	HASHCTL		ctl;
	HTAB	   *rows;
	const Visible *visible = visible_to_user();
	Loader	   *loader;
	Table		table;
	TableScanDesc scan;

	InitMaterializedSRF(fcinfo, 0);
	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(CoverageKey);
	ctl.entrysize = sizeof(CoverageRow);
	ctl.hash = coverage_hash;
	ctl.match = coverage_match;
	ctl.hcxt = result_context;
	rows = hash_create("workflow_track coverage", 256, &ctl,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	loader = loader_begin(GetActiveSnapshot());
	table_by_name(&table, CurrentMemoryContext, "patient_state", GetActiveSnapshot(), AccessShareLock);
	scan = table_beginscan(table.rel, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(table.slot);
		count_patient(rows, result_context, visible, loader,
					  str_of_datum(table.slot->tts_values[PS_PATIENT_ID]),
					  DatumGetTimestampTz(table.slot->tts_values[PS_FIRST_AT]),
					  DatumGetBool(table.slot->tts_values[PS_LINKED]), as_of);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	table_endscan(scan);
	table_done(&table);
	loader_end(loader);
	put_coverage(result, rows);
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
