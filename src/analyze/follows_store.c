/*
 * follows_store.c
 *	  Keeps which kind of event directly follows which: what view
 *	  directly_follows reads.
 *
 * follows_total keeps the edges, with the times between; follows_state keeps,
 * for each patient, what the patient's cases contribute to them, so that it can
 * be taken away exactly when anything about the patient changes.  Whoever
 * changes something only adds the patient to follows_mark (evaluate.c): no row
 * is written by more than one session, and nothing is looked up.  Folding takes
 * the kept contribution of each marked patient away, adds that of now, and
 * deletes the marks it saw.  A query does the same in memory, under its own
 * snapshot.  Under every snapshot, the edges are those that are kept and what
 * the marks make of them.
 *
 * A patient of several ids contributes under the first of them by bytes.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "detect/detect.h"
#include "detect/evaluate.h"
#include "detect/names.h"
#include "detect/table.h"
#include "detect/varint.h"
#include "report/visible.h"
#include "types/latency_histogram.h"

PG_FUNCTION_INFO_V1(kept_follows);
PG_FUNCTION_INFO_V1(every_kept_follow);
PG_FUNCTION_INFO_V1(follows_are_kept);
PG_FUNCTION_INFO_V1(fold_marked_follows);

/* Columns of the tables, in their order; setup.sql makes them. */
enum
{
	FT_EDGE_ID, FT_IS_TEST, FT_FACILITY, FT_FROM_KIND, FT_TO_KIND, FT_FOLLOWS, FT_CASES, FT_HISTOGRAM, FT_NCOLUMNS
};

enum
{
	FS_PATIENT_ID, FS_CONTRIBUTION, FS_NCOLUMNS
};

enum
{
	FM_PATIENT_ID, FM_NCOLUMNS
};

/* From so many marked patients on, and one more for so many edges, reading every event takes less time. */
#define FEW_MARKED 100
#define EDGES_A_MARKED 300

/* One kind after another, at the facility of the second event. */
typedef struct Edge
{
	bool		is_test;
	Str			facility;
	Str			from_kind;
	Str			to_kind;
	int64		follows;
	int64		cases;
	int64		last_case;		/* while contributions are made */
	struct varlena *histogram;	/* as it is kept; NULL of a new edge */
	LatencySketch *change;		/* what is to be added; NULL where that is nothing */
	bool		is_kept;
	ItemPointerData tid;
} Edge;

/* The edges, numbered from 0; an edge_id is one more. */
typedef struct Edges
{
	MemoryContext context;
	int			n;
	int			size;
	Edge	   *items;
	uint32		mask;
	int		   *slots;			/* number + 1 by names, open addressing */
	int64		ncases;			/* that were looked at */
} Edges;

/* Kept rows that cannot be read. */
static void
damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a kept contribution to directly_follows is damaged"),
			 errhint("CALL workflow_track.rebuild() makes it anew.")));
}

/* --- edges ----------------------------------------------------------------- */

/* Where an edge is, or would be. */
static int *
edge_slot(const Edges *edges, const Edge *edge)
{
	uint32		hash = hash_combine(hash_combine(str_hash(edge->facility), str_hash(edge->from_kind)),
									str_hash(edge->to_kind));
	uint32		at = (hash + edge->is_test) & edges->mask;

	for (; edges->slots[at] != 0; at = (at + 1) & edges->mask)
	{
		const Edge *other = &edges->items[edges->slots[at] - 1];

		if (other->is_test == edge->is_test && str_equal(other->from_kind, edge->from_kind) &&
			str_equal(other->to_kind, edge->to_kind) && str_equal(other->facility, edge->facility))
			break;
	}
	return &edges->slots[at];
}

/* Makes room, first or more. */
static void
grow(Edges *edges)
{
	edges->size = Max(256, edges->size * 2);
	edges->items = edges->items == NULL ? MemoryContextAllocHuge(edges->context, sizeof(Edge) * edges->size)
		: repalloc_huge(edges->items, sizeof(Edge) * edges->size);
}

/* Makes the table of names, for as many edges as there is room for. */
static void
index_edges(Edges *edges)
{
	edges->mask = edges->size * 2 - 1;
	if (edges->slots != NULL)
		pfree(edges->slots);
	edges->slots = MemoryContextAllocExtended(edges->context, sizeof(int) * ((Size) edges->mask + 1),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < edges->n; i++)
		*edge_slot(edges, &edges->items[i]) = i + 1;
}

/* A text in the memory of the edges. */
static Str
copied(const Edges *edges, Str s)
{
	char	   *copy = MemoryContextAlloc(edges->context, s.len + 1);

	memcpy(copy, s.data, s.len);
	s.data = copy;
	return s;
}

/* The number of an edge, which is made if there is none of these names. */
static int
edge_number(Edges *edges, bool is_test, Str facility, Str from_kind, Str to_kind)
{
	Edge		wanted;
	int		   *slot;

	memset(&wanted, 0, sizeof(wanted));
	wanted.is_test = is_test;
	wanted.facility = facility;
	wanted.from_kind = from_kind;
	wanted.to_kind = to_kind;
	slot = edge_slot(edges, &wanted);
	if (*slot != 0)
		return *slot - 1;
	if (edges->n == edges->size)
	{
		grow(edges);
		index_edges(edges);
		slot = edge_slot(edges, &wanted);
	}
	wanted.facility = copied(edges, facility);
	wanted.from_kind = copied(edges, from_kind);
	wanted.to_kind = copied(edges, to_kind);
	edges->items[edges->n] = wanted;
	*slot = ++edges->n;
	return edges->n - 1;
}

/* Takes an edge that is kept, at its number. */
static void
read_edge(Edges *edges, TupleTableSlot *slot)
{
	int32		edge_id = DatumGetInt32(slot->tts_values[FT_EDGE_ID]);
	Edge	   *edge;
	MemoryContext old;

	if (edge_id < 1)
		damaged();
	while (edge_id > edges->size)
		grow(edges);
	if (edge_id > edges->n)
	{
		memset(&edges->items[edges->n], 0, sizeof(Edge) * (edge_id - edges->n));
		edges->n = edge_id;
	}
	edge = &edges->items[edge_id - 1];
	edge->is_test = DatumGetBool(slot->tts_values[FT_IS_TEST]);
	edge->facility = copied(edges, str_of_datum(slot->tts_values[FT_FACILITY]));
	edge->from_kind = copied(edges, str_of_datum(slot->tts_values[FT_FROM_KIND]));
	edge->to_kind = copied(edges, str_of_datum(slot->tts_values[FT_TO_KIND]));
	edge->follows = DatumGetInt64(slot->tts_values[FT_FOLLOWS]);
	edge->cases = DatumGetInt64(slot->tts_values[FT_CASES]);
	old = MemoryContextSwitchTo(edges->context);
	edge->histogram = PG_DETOAST_DATUM_COPY(slot->tts_values[FT_HISTOGRAM]);
	MemoryContextSwitchTo(old);
	edge->is_kept = true;
	edge->tid = slot->tts_tid;
}

/* Reads the edges that are kept. */
static void
edges_read(Edges *edges, Table *total)
{
	TableScanDesc scan = wt_table_beginscan(total->rel, total->snapshot);

	memset(edges, 0, sizeof(Edges));
	edges->context = CurrentMemoryContext;
	grow(edges);
	while (table_scan_getnextslot(scan, ForwardScanDirection, total->slot))
	{
		slot_getallattrs(total->slot);
		read_edge(edges, total->slot);
	}
	table_endscan(scan);
	for (int i = 0; i < edges->n; i++)
		if (!edges->items[i].is_kept)
			damaged();
	index_edges(edges);
}

/* What is to be added to an edge. */
static LatencySketch *
change_of(const Edges *edges, Edge *edge)
{
	if (edge->change == NULL)
		edge->change = latency_sketch_create(edges->context);
	return edge->change;
}

/* The times of an edge, with what was to be added. */
static struct varlena *
edge_histogram(Edge *edge)
{
	if (edge->change != NULL)
	{
		if (edge->histogram != NULL)
			latency_sketch_merge(edge->change, edge->histogram, 1);
		edge->histogram = latency_sketch_to_histogram(edge->change);
		edge->change = NULL;
	}
	return edge->histogram;
}

/* --- contributions --------------------------------------------------------- */

/* The events of a patient by encounter, in canonical order: first[e] is where those of encounter e begin. */
static Event **
events_by_encounter(const Patient *p, int *first)
{
	Event	  **events = palloc_extended(sizeof(Event *) * Max(p->nevents, 1), MCXT_ALLOC_HUGE);
	int		   *next = first + 1;	/* which it is once all are placed */

	memset(first, 0, sizeof(int) * (p->nencounters + 2));
	for (int i = 0; i < p->nevents; i++)
		if (p->events[i].encounter_key >= 0)
			first[p->events[i].encounter_key + 2]++;
	for (int e = 2; e <= p->nencounters; e++)
		first[e] += first[e - 1];
	for (int i = 0; i < p->nevents; i++)
		if (p->events[i].encounter_key >= 0)
			events[next[p->events[i].encounter_key]++] = &p->events[i];
	return events;
}

/*
 * What a patient's cases contribute, as bytes: of each edge its number, whether
 * it is the case's first of that number, and the time between.
 */
static void
put_contribution(StringInfo buf, Edges *edges, const Patient *p)
{
	int		   *first = palloc(sizeof(int) * (p->nencounters + 2));
	Event	  **events = events_by_encounter(p, first);

	for (int e = 0; e < p->nencounters; e++)
	{
		edges->ncases++;
		for (int i = first[e] + 1; i < first[e + 1]; i++)
		{
			int			number;
			bool		is_first;

			if (events[i]->at < p->from)
				continue;
			number = edge_number(edges, p->is_test, events[i]->facility, events[i - 1]->kind->name, events[i]->kind->name);
			is_first = edges->items[number].last_case != edges->ncases;
			edges->items[number].last_case = edges->ncases;
			put_varint(buf, (uint64) number << 1 | is_first);
			put_varint(buf, events[i]->at - events[i - 1]->at);
		}
	}
}

/* Counts a contribution, once or away. */
static void
count_contribution(Edges *edges, const char *data, int length, int sign)
{
	const char *at = data;
	const char *end = data + length;

	while (at < end)
	{
		uint64		which = take_varint(&at, end);
		int64		between = take_varint(&at, end);
		Edge	   *edge;

		if (which >> 1 >= edges->n)
			damaged();
		edge = &edges->items[which >> 1];
		edge->follows += sign;
		edge->cases += (which & 1) != 0 ? sign : 0;
		latency_sketch_add(change_of(edges, edge), between, sign);
	}
}

/* --- marked patients ------------------------------------------------------- */

/* Bringing contributions up to date, in the tables or in memory only. */
typedef struct Update
{
	bool		writes;
	MemoryContext context;
	MemoryContext patient_context;
	Loader	   *loader;
	Table		total;
	Table		state;
	Edges		edges;
	Names	   *joined;			/* ids of patients of several ids that were looked at */
} Update;

/* Begins, under a snapshot. */
static void
update_begin(Update *update, Snapshot snapshot, bool writes)
{
	LOCKMODE	mode = writes ? RowExclusiveLock : AccessShareLock;

	update->writes = writes;
	update->context = CurrentMemoryContext;
	update->patient_context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track patient", ALLOCSET_DEFAULT_SIZES);
	table_by_name(&update->total, CurrentMemoryContext, "follows_total", snapshot, mode);
	table_by_name(&update->state, CurrentMemoryContext, "follows_state", snapshot, mode);
	table_use_index(&update->state, FS_PATIENT_ID + 1, 0);
	update->loader = loader_begin(snapshot);
	update->joined = names_begin(16);
	edges_read(&update->edges, &update->total);
}

/* Finds the kept contribution of a patient id; NULL if there is none. */
static struct varlena *
kept_contribution(Update *update, Str id)
{
	bool		isnull;

	table_key_text(&update->state, id);
	table_find(&update->state, 1);
	if (!table_next(&update->state))
		return NULL;
	return PG_DETOAST_DATUM_PACKED(slot_getattr(update->state.slot, FS_CONTRIBUTION + 1, &isnull));
}

/* Brings the contribution kept for an id to what it is now, which is nothing for most ids of several. */
static void
keep_contribution(Update *update, Str id, const char *data, int length)
{
	struct varlena *kept = kept_contribution(update, id);
	Datum		values[FS_NCOLUMNS];
	bool		nulls[FS_NCOLUMNS] = {0};

	if (kept == NULL ? length == 0 : VARSIZE_ANY_EXHDR(kept) == length && memcmp(VARDATA_ANY(kept), data, length) == 0)
		return;
	if (kept != NULL)
		count_contribution(&update->edges, VARDATA_ANY(kept), VARSIZE_ANY_EXHDR(kept), -1);
	count_contribution(&update->edges, data, length, 1);
	if (!update->writes)
		return;
	values[FS_PATIENT_ID] = PointerGetDatum(cstring_to_text_with_len(id.data, id.len));
	values[FS_CONTRIBUTION] = PointerGetDatum(cstring_to_text_with_len(data, length));
	if (kept == NULL)
		table_insert(&update->state, FS_NCOLUMNS, values, nulls);
	else if (length == 0)
		table_delete(&update->state, &update->state.slot->tts_tid);
	else
		table_update(&update->state, &update->state.slot->tts_tid, FS_NCOLUMNS, values, nulls);
}

/* Notes the ids of a patient of several; false if they were noted before. */
static bool
is_first_of_joined(Update *update, const Patient *p)
{
	MemoryContext old;

	if (names_find(update->joined, p->ids[0]) >= 0)
		return false;
	old = MemoryContextSwitchTo(update->context);
	for (int i = 0; i < p->nids; i++)
		(void) names_intern(update->joined, copied(&update->edges, p->ids[i]));
	MemoryContextSwitchTo(old);
	return true;
}

/* Brings the contribution of the patient that an id belongs to up to date. */
static void
update_patient(Update *update, Str id)
{
	MemoryContext old = MemoryContextSwitchTo(update->patient_context);
	Patient    *p = loader_known(update->loader, id);
	StringInfoData buf;
	Str			first = id;

	initStringInfo(&buf);
	if (p == NULL)
		keep_contribution(update, id, buf.data, 0);
	else if (p->nids == 1 || is_first_of_joined(update, p))
	{
		put_contribution(&buf, &update->edges, p);
		for (int i = 0; i < p->nids; i++)
			if (str_compare(p->ids[i], first) < 0)
				first = p->ids[i];
		for (int i = 0; i < p->nids; i++)
			keep_contribution(update, p->ids[i], buf.data, str_equal(p->ids[i], first) ? buf.len : 0);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(update->patient_context);
}

/* Writes the edges that changed. */
static void
write_edges(Update *update)
{
	for (int i = 0; i < update->edges.n; i++)
	{
		Edge	   *edge = &update->edges.items[i];
		Datum		values[FT_NCOLUMNS];
		bool		nulls[FT_NCOLUMNS] = {0};

		if (edge->is_kept && edge->change == NULL)
			continue;
		values[FT_EDGE_ID] = Int32GetDatum(i + 1);
		values[FT_IS_TEST] = BoolGetDatum(edge->is_test);
		values[FT_FACILITY] = PointerGetDatum(cstring_to_text_with_len(edge->facility.data, edge->facility.len));
		values[FT_FROM_KIND] = PointerGetDatum(cstring_to_text_with_len(edge->from_kind.data, edge->from_kind.len));
		values[FT_TO_KIND] = PointerGetDatum(cstring_to_text_with_len(edge->to_kind.data, edge->to_kind.len));
		values[FT_FOLLOWS] = Int64GetDatum(edge->follows);
		values[FT_CASES] = Int64GetDatum(edge->cases);
		values[FT_HISTOGRAM] = PointerGetDatum(edge_histogram(edge));
		if (edge->is_kept)
			table_update(&update->total, &edge->tid, FT_NCOLUMNS, values, nulls);
		else
			table_insert(&update->total, FT_NCOLUMNS, values, nulls);
	}
}

/* Ends, and writes what is still unwritten. */
static void
update_end(Update *update)
{
	loader_end(update->loader);
	table_done(&update->state);
	table_done(&update->total);
	MemoryContextDelete(update->patient_context);
}

/* The ids that are marked, each once: of the first marks, which are deleted where that is asked for; sets how many. */
static Names *
read_marks(Table *marks, int limit, bool deletes, int *nmarks)
{
	TableScanDesc scan = wt_table_beginscan(marks->rel, marks->snapshot);
	Names	   *ids = names_begin(1024);

	for (*nmarks = 0; *nmarks < limit && table_scan_getnextslot(scan, ForwardScanDirection, marks->slot); (*nmarks)++)
	{
		bool		isnull;
		Str			id = str_of_datum(slot_getattr(marks->slot, FM_PATIENT_ID + 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (names_find(ids, id) < 0)
		{
			id.data = pnstrdup(id.data, id.len);
			(void) names_intern(ids, id);
		}
		if (deletes)
			table_delete(marks, &marks->slot->tts_tid);
	}
	table_endscan(scan);
	return ids;
}

/* Brings the contributions of the patients that are marked up to date. */
static void
update_patients(Update *update, const Names *ids)
{
	for (int i = 0; i < names_count(ids); i++)
	{
		CHECK_FOR_INTERRUPTS();
		update_patient(update, names_text(ids, i));
	}
}

/*
 * fold_marked_follows(marks): folds so many marks at most into what is kept;
 * returns how many.  The caller keeps others from doing so at the same time.
 */
Datum
fold_marked_follows(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = push_latest_snapshot();
	Table		marks;
	Update		update;
	Names	   *ids;
	int			n;

	table_by_name(&marks, CurrentMemoryContext, "follows_mark", snapshot, RowExclusiveLock);
	ids = read_marks(&marks, PG_GETARG_INT32(0), true, &n);
	table_done(&marks);
	if (n > 0)
	{
		update_begin(&update, snapshot, true);
		update_patients(&update, ids);
		write_edges(&update);
		update_end(&update);
	}
	PopActiveSnapshot();
	PG_RETURN_INT64(n);
}

/* --- reading --------------------------------------------------------------- */

/* Adds the edges of test patients to those of others. */
static void
add_test_edges(Edges *edges)
{
	int			n = edges->n;

	for (int i = 0; i < n; i++)
	{
		Edge	   *edge = &edges->items[i];
		int			number;

		if (!edge->is_test || edge->follows == 0)
			continue;
		number = edge_number(edges, false, edge->facility, edge->from_kind, edge->to_kind);
		edge = &edges->items[i];	/* they may have moved */
		edges->items[number].follows += edge->follows;
		edges->items[number].cases += edge->cases;
		latency_sketch_merge(change_of(edges, &edges->items[number]), edge_histogram(edge), 1);
	}
}

/* Puts an edge into the result. */
static void
put_edge(ReturnSetInfo *result, Edge *edge)
{
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = PointerGetDatum(cstring_to_text_with_len(edge->facility.data, edge->facility.len));
	values[1] = PointerGetDatum(cstring_to_text_with_len(edge->from_kind.data, edge->from_kind.len));
	values[2] = PointerGetDatum(cstring_to_text_with_len(edge->to_kind.data, edge->to_kind.len));
	values[3] = Int64GetDatum(edge->follows);
	values[4] = Int64GetDatum(edge->cases);
	values[5] = PointerGetDatum(edge_histogram(edge));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Puts the edges of visible facilities (all, if NULL) into the result, from what is kept and what is marked. */
static void
put_kept(FunctionCallInfo fcinfo, const Visible *visible)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	snapshot = GetActiveSnapshot();
	Table		marks;
	Update		update;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	update_begin(&update, snapshot, false);
	table_by_name(&marks, CurrentMemoryContext, "follows_mark", snapshot, AccessShareLock);
	update_patients(&update, read_marks(&marks, PG_INT32_MAX, false, &n));
	table_done(&marks);
	if (PG_GETARG_BOOL(0))
		add_test_edges(&update.edges);
	for (int i = 0; i < update.edges.n; i++)
	{
		Edge	   *edge = &update.edges.items[i];

		if (!edge->is_test && edge->follows != 0 && (visible == NULL || is_visible(visible, edge->facility)))
			put_edge(result, edge);
	}
	update_end(&update);
}

/*
 * kept_follows(test_patients): the edges of facilities that the caller sees, with
 * those of test patients or without.
 */
Datum
kept_follows(PG_FUNCTION_ARGS)
{
	put_kept(fcinfo, visible_to_user());
	return (Datum) 0;
}

/* every_kept_follow(test_patients): those of all facilities. */
Datum
every_kept_follow(PG_FUNCTION_ARGS)
{
	put_kept(fcinfo, NULL);
	return (Datum) 0;
}

/*
 * follows_are_kept(): are so few patients marked that what is kept is the faster
 * answer?
 */
Datum
follows_are_kept(PG_FUNCTION_ARGS)
{
	Table		table;
	TableScanDesc scan;
	int64		follows = 0;
	int			nmarks;
	int			nids;

	table_by_name(&table, CurrentMemoryContext, "follows_total", GetActiveSnapshot(), AccessShareLock);
	scan = wt_table_beginscan(table.rel, table.snapshot);
	while (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
	{
		bool		isnull;

		follows += DatumGetInt64(slot_getattr(table.slot, FT_FOLLOWS + 1, &isnull));
	}
	table_endscan(scan);
	table_done(&table);
	table_by_name(&table, CurrentMemoryContext, "follows_mark", GetActiveSnapshot(), AccessShareLock);
	nids = names_count(read_marks(&table, PG_INT32_MAX, false, &nmarks));
	table_done(&table);
	PG_RETURN_BOOL(nids <= FEW_MARKED + follows / EDGES_A_MARKED);
}
