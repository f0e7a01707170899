/*
 * patient.c
 *	  Loads a patient: every id that merges make one, and all events of them in
 *	  canonical order, less the retracted ones.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/partcache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/event.h"
#include "detect/loader.h"
#include "detect/names.h"
#include "detect/table.h"
#include "detect/touched.h"

/* --- months ---------------------------------------------------------------- */

/* Lists the partitions of event. */
static void
list_months(Loader *loader)
{
	Relation	root = table_open(table_oid("event"), AccessShareLock);
	PartitionDesc desc = RelationGetPartitionDesc(root, true);
	PartitionBoundInfo bound = desc->boundinfo;

	loader->months = palloc0(sizeof(Month) * Max(desc->nparts, 1));
	for (int i = 0; bound != NULL && i <= bound->ndatums; i++)
	{
		Month	   *month;

		if (bound->indexes[i] < 0)
			continue;
		month = &loader->months[loader->nmonths++];
		month->relid = desc->oids[bound->indexes[i]];
		month->lower = i == 0 || bound->kind[i - 1][0] != PARTITION_RANGE_DATUM_VALUE
			? DT_NOBEGIN : DatumGetTimestampTz(bound->datums[i - 1][0]);
		month->upper = i == bound->ndatums || bound->kind[i][0] != PARTITION_RANGE_DATUM_VALUE
			? DT_NOEND : DatumGetTimestampTz(bound->datums[i][0]);
	}
	table_close(root, NoLock);
}

/* Is the partition laid out as event is made? */
static void
check_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < EV_NCOLUMNS; i++)
		if (i >= desc->natts || strcmp(NameStr(TupleDescAttr(desc, i)->attname), event_column_names[i]) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("partition \"%s\" of event lacks column \"%s\" at its place",
							RelationGetRelationName(rel), event_column_names[i])));
}

/* Opens a month for look-ups by patient and time. */
static Table *
open_month(Loader *loader, Month *month)
{
	if (month->table.rel == NULL)
	{
		table_by_oid(&month->table, loader->context, month->relid, loader->snapshot, AccessShareLock);
		month->nblocks = RelationGetNumberOfBlocks(month->table.rel);
		month->is_empty = month->nblocks == 0;
		check_columns(month->table.rel);
		table_use_index(&month->table, EV_PATIENT_ID + 1, EV_OCCURRED_AT + 1);
	}
	return &month->table;
}

/* A month, opened for look-ups by patient and time. */
Table *
loader_month(Loader *loader, int number)
{
	return open_month(loader, &loader->months[number]);
}

/* Reads the row of detection_state. */
static void
read_horizon(void *arg, const Datum *values, const bool *nulls)
{
	*(TimestampTz *) arg = DatumGetTimestampTz(values[0]);
}

/* The horizon of retention: what happened before it is final. */
static TimestampTz
retention_horizon(void)
{
	static const char *const columns[] = {"horizon"};
	TimestampTz horizon = DT_NOBEGIN;

	table_read("detection_state", 1, columns, read_horizon, &horizon);
	return horizon;
}

/* --- the loader ------------------------------------------------------------ */

/*
 * Begins to load patients under a snapshot, by the rules and the staff of now:
 * these must not be asked for anew before loader_end().
 */
Loader *
loader_begin(Snapshot snapshot)
{
	Loader	   *loader = palloc0(sizeof(Loader));

	staff_current();
	loader->rules = rules_current();
	loader->context = CurrentMemoryContext;
	loader->snapshot = snapshot;
	loader->latest = GetCurrentTimestamp() + 3 * USECS_PER_DAY;
	loader->horizon = retention_horizon();
	list_months(loader);
	return loader;
}

/* The rules that the patients are loaded for. */
const Rules *
loader_rules(const Loader *loader)
{
	return loader->rules;
}

/* Ends loading. */
void
loader_end(Loader *loader)
{
	for (int i = 0; i < loader->nmonths; i++)
		table_done(&loader->months[i].table);
	table_done(&loader->patient_merge);
	table_done(&loader->merged_into);
	table_done(&loader->encounter_merge);
	table_done(&loader->subject_alias);
	table_done(&loader->retraction);
	table_done(&loader->test_patient);
}

/* --- events ---------------------------------------------------------------- */

/* Adds the event that a table's slot holds. */
static void
add_event(Loader *loader, Patient *p, int *size, TupleTableSlot *slot)
{
	if (p->nevents == *size)
	{
		*size = Max(64, *size * 2);
		p->events = p->events == NULL ? palloc(sizeof(Event) * *size)
			: repalloc_huge(p->events, sizeof(Event) * *size);
	}
	slot_getallattrs(slot);
	event_read(&p->events[p->nevents++], loader->rules, slot->tts_values, slot->tts_isnull);
}

/* Adds the events of one id in one month. */
static void
load_month(Loader *loader, Patient *p, int *size, Month *month, Str id, TimestampTz since)
{
	Table	   *table = open_month(loader, month);

	if (month->is_empty)
		return;
	table_key_text(table, id);
	ScanKeyInit(&table->keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	table_find(table, 2);
	while (table_next(table))
		add_event(loader, p, size, table->slot);
}

/* The month whose partition is known; NULL if there is none. */
static Month *
month_of_partition(Loader *loader, Oid partition)
{
	for (int m = loader->nmonths - 1; m >= 0; m--)
		if (loader->months[m].relid == partition)
			return &loader->months[m];
	return NULL;
}

/* Adds the events whose places are known; false if one is not there any more. */
static bool
load_places(Loader *loader, Patient *p, const EventPlace *places, int nplaces)
{
	Month	   *month = NULL;
	int			size = 0;

	for (int i = 0; i < nplaces; i++)
	{
		Oid			partition = place_partition(&places[i]);
		ItemPointerData tid = places[i].tid;
		TupleTableSlot *slot;

		if (month == NULL || month->relid != partition)
			month = month_of_partition(loader, partition);
		if (month == NULL)
			return false;
		slot = open_month(loader, month)->slot;
		if (ItemPointerGetBlockNumber(&tid) >= month->nblocks ||
			!table_tuple_fetch_row_version(month->table.rel, &tid, loader->snapshot, slot))
			return false;
		add_event(loader, p, &size, slot);
		if (p->events[i].event_id != places[i].event_id)
			return false;
	}
	return true;
}

/* Drops the retracted events. */
static void
drop_retracted(Patient *p, const int64 *retracted, int n)
{
	int			kept = 0;

	for (int i = 0; i < p->nevents; i++)
		if (bsearch(&p->events[i].event_id, retracted, n, sizeof(int64), int64_compare) == NULL)
		{
			if (kept != i)
				p->events[kept] = p->events[i];
			kept++;
		}
	p->nevents = kept;
}

/* Brings the events into canonical order. */
static void
sort_events(Patient *p)
{
	for (int i = 1; i < p->nevents; i++)
		if (event_compare(&p->events[i - 1], &p->events[i]) > 0)
		{
			qsort(p->events, p->nevents, sizeof(Event), event_qsort_compare);
			break;
		}
}

/* Lists the events by kind, in canonical order. */
static void
index_kinds(Patient *p, const Rules *rules)
{
	int			nkinds = rules->nkinds + 1;
	int		   *next = palloc0(sizeof(int) * (nkinds + 1));

	p->kind_start = palloc0(sizeof(int) * (nkinds + 1));
	p->by_kind = palloc_extended(sizeof(int) * Max(p->nevents, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < p->nevents; i++)
		p->kind_start[p->events[i].kind->id + 1]++;
	for (int k = 0; k < nkinds; k++)
		p->kind_start[k + 1] += p->kind_start[k];
	memcpy(next, p->kind_start, sizeof(int) * (nkinds + 1));
	for (int i = 0; i < p->nevents; i++)
		p->by_kind[next[p->events[i].kind->id]++] = i;
}

/* The events of a patient, and then those that kept state tells of. */
static Event *
nth_event(Patient *p, Earlier *earlier, int n)
{
	if (n < p->nevents)
		return &p->events[n];
	n -= p->nevents;
	if (earlier != NULL && n < earlier->nloops)
		return &earlier->loops[n].opener;
	n -= earlier != NULL ? earlier->nloops : 0;
	if (earlier != NULL && n < earlier->nmisrouted)
		return &earlier->misrouted[n].event;
	n -= earlier != NULL ? earlier->nmisrouted : 0;
	return earlier != NULL && n < earlier->nmissing ? &earlier->missing[n].event : NULL;
}

/* Numbers encounters and subjects, equal ones equally. */
static void
index_names(Loader *loader, Patient *p, bool linked, Earlier *earlier)
{
	Names	   *encounters = names_begin(p->nevents);
	Names	   *subjects = names_begin(p->nevents);
	Event	   *e;

	for (int i = 0; (e = nth_event(p, earlier, i)) != NULL; i++)
	{
		e->encounter_key = names_intern(encounters, e->encounter);
		e->subject_key = names_intern(subjects, e->subject);
	}
	if (linked)
	{
		for (int i = 0; i < p->nids; i++)
		{
			join_encounters(loader, encounters, p->ids[i]);
			join_subjects(loader, subjects, p->ids[i]);
		}
		for (int i = 0; (e = nth_event(p, earlier, i)) != NULL; i++)
		{
			e->encounter_key = names_root(encounters, e->encounter_key);
			e->subject_key = names_root(subjects, e->subject_key);
		}
	}
	p->nencounters = names_count(encounters);
	p->nsubjects = names_count(subjects);
	p->encounters = encounters;
	p->subjects = subjects;
}

/* A patient of some ids, without events so far. */
static Patient *
begin_patient(List *ids)
{
	Patient    *p = palloc0(sizeof(Patient));
	ListCell   *lc;

	p->ids = palloc(sizeof(Str) * list_length(ids));
	foreach(lc, ids)
		p->ids[p->nids++] = *(Str *) lfirst(lc);
	return p;
}

/* Puts the events in order, and numbers what is in them. */
static void
index_events(Loader *loader, Patient *p, bool linked, Earlier *earlier)
{
	sort_events(p);
	for (int i = 0; i < p->nevents; i++)
		p->longest_imprecision = Max(p->longest_imprecision, p->events[i].end - p->events[i].at);
	index_names(loader, p, linked, earlier);
	index_kinds(p, loader->rules);
}

/* Loads the events of some ids since a moment. */
static Patient *
load_events(Loader *loader, List *ids, TimestampTz since, bool linked, Earlier *earlier)
{
	Patient    *p = begin_patient(ids);
	int			size = 0;

	for (int m = 0; m < loader->nmonths; m++)
	{
		Month	   *month = &loader->months[m];

		if (month->upper <= since || month->lower > loader->latest)
			continue;
		for (int i = 0; i < p->nids; i++)
			load_month(loader, p, &size, month, p->ids[i], since);
	}
	if (linked)
	{
		int64	   *retracted;
		int			n;

		load_retracted(loader, p, &retracted, &n);
		if (n > 0)
			drop_retracted(p, retracted, n);
		p->is_test = load_is_test(loader, p);
	}
	index_events(loader, p, linked, earlier);
	return p;
}

/*
 * Loads a patient by the ids that are one.  No event of theirs is before
 * `since`; where `linked` is false, there is no merge, alias, retraction or
 * test patient to look for.
 */
Patient *
loader_patient(Loader *loader, List *ids, TimestampTz since, bool linked)
{
	Patient    *p = load_events(loader, ids, since, linked, NULL);

	p->from = loader->horizon;
	p->is_whole = true;
	return p;
}

/*
 * Loads a patient of whom there is nothing but some events whose places are
 * known; NULL if one is not there any more.
 */
Patient *
loader_placed(Loader *loader, List *ids, const EventPlace *places, int nplaces)
{
	Patient    *p = begin_patient(ids);

	if (!load_places(loader, p, places, nplaces))
		return NULL;
	index_events(loader, p, false, NULL);
	p->from = loader->horizon;
	p->is_whole = true;
	return p;
}

/*
 * Loads what has to be known to tell what changes by events that are all at or
 * after `from`: a window of events, beside what kept state tells of earlier ones.
 */
Patient *
loader_window(Loader *loader, List *ids, TimestampTz from, bool linked, Earlier *earlier)
{
	Patient    *p = load_events(loader, ids, from - loader->rules->lookback, linked, earlier);

	p->from = Max(from, loader->horizon);
	p->is_whole = false;
	return p;
}

/* Loads the patient that an id belongs to; the part of ids that are one. */
Patient *
loader_by_id(Loader *loader, Str id, TimestampTz first_at, bool linked)
{
	Str		   *copy = palloc(sizeof(Str));
	List	   *ids;

	*copy = id;
	if (!linked)
		return loader_patient(loader, list_make1(copy), first_at, false);
	/* of merged ids, the others may have earlier events */
	ids = linitial(loader_parts(loader, list_make1(copy)));
	return loader_patient(loader, ids, list_length(ids) > 1 ? DT_NOBEGIN : first_at, true);
}

/* Loads the patient that an id belongs to; NULL if there is none. */
Patient *
loader_known(Loader *loader, Str id)
{
	Patient    *p = NULL;
	Table		table;

	table_by_name(&table, CurrentMemoryContext, "patient_state", loader->snapshot, AccessShareLock);
	table_use_index(&table, PS_PATIENT_ID + 1, 0);
	table_key_text(&table, id);
	table_find(&table, 1);
	if (table_next(&table))
	{
		slot_getallattrs(table.slot);
		p = loader_by_id(loader, id, DatumGetTimestampTz(table.slot->tts_values[PS_FIRST_AT]),
						 DatumGetBool(table.slot->tts_values[PS_LINKED]));
	}
	table_done(&table);
	return p;
}
