/*
 * unfolded.c
 *	  What the rollups of handoffs do not hold yet, by group or hour and group.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "detect/contribution.h"
#include "detect/store.h"
#include "detect/touched.h"
#include "report/visible.h"
#include "types/latency_histogram.h"

PG_FUNCTION_INFO_V1(unfolded_handoffs);
PG_FUNCTION_INFO_V1(every_unfolded_handoff);
PG_FUNCTION_INFO_V1(every_uncounted_handoff);

/* The samples of one group, and of one hour unless all hours are one. */
typedef struct Cell
{
	int64		hour;
	Str			group;
	LatencySketch *sketch;		/* NULL in an empty slot */
} Cell;

typedef struct Cells
{
	bool		by_hour;
	uint32		mask;
	uint32		n;
	Cell	   *slots;			/* open addressing */
	MemoryContext context;
} Cells;

/* Where a cell is, or would be. */
static Cell *
cell_slot(const Cells *cells, int64 hour, Str group)
{
	uint32		at = hash_combine(str_hash(group), murmurhash32((uint32) hour)) & cells->mask;

	while (cells->slots[at].sketch != NULL &&
		   (cells->slots[at].hour != hour || !str_equal(cells->slots[at].group, group)))
		at = (at + 1) & cells->mask;
	return &cells->slots[at];
}

/* Makes room, first or more. */
static void
grow(Cells *cells)
{
	Cell	   *old = cells->slots;
	uint32		old_size = old == NULL ? 0 : cells->mask + 1;

	cells->mask = old == NULL ? 255 : cells->mask * 2 + 1;
	cells->slots = MemoryContextAllocExtended(cells->context, sizeof(Cell) * ((Size) cells->mask + 1),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < old_size; i++)
		if (old[i].sketch != NULL)
			*cell_slot(cells, old[i].hour, old[i].group) = old[i];
	if (old != NULL)
		pfree(old);
}

/* Counts a sample, once or away. */
static void
count_sample(Cells *cells, const Sample *sample, int sign)
{
	int64		hour = cells->by_hour ? sample->hour : 0;
	Cell	   *cell;

	if (cells->slots == NULL || cells->n * 2 > cells->mask)
		grow(cells);
	cell = cell_slot(cells, hour, sample->group);
	if (cell->sketch == NULL)
	{
		char	   *copy = MemoryContextAlloc(cells->context, sample->group.len);

		memcpy(copy, sample->group.data, sample->group.len);
		cell->hour = hour;
		cell->group.data = copy;
		cell->group.len = sample->group.len;
		cell->sketch = latency_sketch_create(cells->context);
		cells->n++;
	}
	latency_sketch_add(cell->sketch, sample->latency, sign);
}

/* Counts what a column of handoff_delta holds. */
static void
count_bytes(Cells *cells, Datum value, int sign)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
	Samples		samples = {0, 0, NULL};

	samples_decode(&samples, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	for (int i = 0; i < samples.n; i++)
		count_sample(cells, &samples.items[i], sign);
}

/* Counts every row of handoff_delta that the query sees. */
static void
count_deltas(Cells *cells)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track delta",
													  ALLOCSET_DEFAULT_SIZES);
	TableScanDesc scan;
	Table		table;

	table_by_name(&table, CurrentMemoryContext, "handoff_delta", GetActiveSnapshot(), AccessShareLock);
	scan = wt_table_beginscan(table.rel, GetActiveSnapshot());
	while (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(table.slot);
		count_bytes(cells, table.slot->tts_values[HD_REMOVED], -1);
		count_bytes(cells, table.slot->tts_values[HD_ADDED], 1);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	table_endscan(scan);
	table_done(&table);
}

/* Counts what a patient id's handoffs contribute now, less what was kept of them. */
static void
count_patient(Cells *cells, Loader *loader, Table *kept, Str id, TimestampTz first_at, bool linked)
{
	Patient    *p = loader_by_id(loader, id, first_at, linked);
	Samples		samples = {0, 0, NULL};
	Handoff    *handoffs;
	bool		isnull;
	int			n;

	handoffs = find_handoffs(p, loader_rules(loader), &n);
	samples_of_handoffs(&samples, handoffs, n, id, p->is_test);
	for (int i = 0; i < samples.n; i++)
		count_sample(cells, &samples.items[i], 1);
	table_key_text(kept, id);
	table_find(kept, 1);
	if (table_next(kept))
		count_bytes(cells, slot_getattr(kept->slot, HS_CONTRIBUTION + 1, &isnull), -1);
}

/* Counts the patient ids whose contributions are not up to date. */
static void
count_stale(Cells *cells)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track patient",
												  ALLOCSET_DEFAULT_SIZES);
	Snapshot	snapshot = GetActiveSnapshot();
	Loader	   *loader = loader_begin(snapshot);
	TableScanDesc scan;
	Table		stale,
				state,
				kept;

	table_by_name(&stale, CurrentMemoryContext, "handoff_stale", snapshot, AccessShareLock);
	table_by_name(&state, CurrentMemoryContext, "patient_state", snapshot, AccessShareLock);
	table_use_index(&state, PS_PATIENT_ID + 1, 0);
	table_by_name(&kept, CurrentMemoryContext, "handoff_state", snapshot, AccessShareLock);
	table_use_index(&kept, HS_PATIENT_ID + 1, 0);
	scan = wt_table_beginscan(stale.rel, snapshot);
	while (table_scan_getnextslot(scan, ForwardScanDirection, stale.slot))
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		isnull;
		Str			id = str_of_datum(slot_getattr(stale.slot, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		table_key_text(&state, id);
		table_find(&state, 1);
		if (table_next(&state))
			count_patient(cells, loader, &kept, id,
						  DatumGetTimestampTz(slot_getattr(state.slot, PS_FIRST_AT + 1, &isnull)),
						  DatumGetBool(slot_getattr(state.slot, PS_LINKED + 1, &isnull)));
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	table_endscan(scan);
	table_done(&stale);
	table_done(&state);
	table_done(&kept);
	loader_end(loader);
}

/* A text that may be null as a column of the result. */
static void
put_text(Datum *values, bool *nulls, int column, Str s)
{
	nulls[column] = s.data == NULL;
	if (s.data != NULL)
		values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* Puts a cell into the result. */
static void
put_cell(ReturnSetInfo *result, const Cell *cell, const SampleGroup *group)
{
	Datum		values[9];
	bool		nulls[9] = {0};

	values[0] = TimestampTzGetDatum(cell->hour * USECS_PER_HOUR);
	values[1] = BoolGetDatum(group->is_test);
	values[2] = CStringGetTextDatum(group->basis);
	put_text(values, nulls, 3, group->facility);
	put_text(values, nulls, 4, group->from_role);
	put_text(values, nulls, 5, group->to_role);
	put_text(values, nulls, 6, group->from_system);
	put_text(values, nulls, 7, group->to_system);
	values[8] = PointerGetDatum(latency_sketch_to_histogram(cell->sketch));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * Puts the unfolded handoffs of visible facilities (all, if NULL) into the result,
 * with those of patients that maintain() is to bring up to date, or without.
 */
static void
put_unfolded(FunctionCallInfo fcinfo, const Visible *visible, bool of_stale)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Cells		cells = {PG_GETARG_BOOL(0), 0, 0, NULL, CurrentMemoryContext};

	InitMaterializedSRF(fcinfo, 0);
	count_deltas(&cells);
	if (of_stale)
		count_stale(&cells);
	for (uint32 i = 0; cells.n > 0 && i <= cells.mask; i++)
	{
		SampleGroup group;

		if (cells.slots[i].sketch == NULL || latency_sketch_is_empty(cells.slots[i].sketch))
			continue;
		group = sample_group(cells.slots[i].group);
		if (visible == NULL || is_visible(visible, group.facility))
			put_cell(result, &cells.slots[i], &group);
	}
}

/* unfolded_handoffs(by_hour): those of facilities that the caller sees. */
Datum
unfolded_handoffs(PG_FUNCTION_ARGS)
{
	put_unfolded(fcinfo, visible_to_user(), true);
	return (Datum) 0;
}

/* every_unfolded_handoff(by_hour): what folding adds, which leaves stale patients to maintain(). */
Datum
every_unfolded_handoff(PG_FUNCTION_ARGS)
{
	put_unfolded(fcinfo, NULL, false);
	return (Datum) 0;
}

/* every_uncounted_handoff(by_hour): those of all facilities. */
Datum
every_uncounted_handoff(PG_FUNCTION_ARGS)
{
	put_unfolded(fcinfo, NULL, true);
	return (Datum) 0;
}
