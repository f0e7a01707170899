/*
 * follows.c
 *	  Which kind of event directly follows which, and who does what.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "analyze/log.h"
#include "types/latency_histogram.h"

PG_FUNCTION_INFO_V1(follows_counts);
PG_FUNCTION_INFO_V1(performer_counts);

/* One kind after another, at a facility. */
typedef struct Edge
{
	uint32		key;			/* both kinds */
	int32		facility;		/* of the second event; -1 marks a free slot */
	int32		last_case;
	int64		follows;
	int64		cases;
	LatencySketch *sketch;
} Edge;

/* Edges by open addressing. */
typedef struct Edges
{
	uint32		mask;
	uint32		n;
	Edge	   *slots;
} Edges;

/* Makes room for edges. */
static void
edges_make(Edges *edges, uint32 mask)
{
	edges->mask = mask;
	edges->slots = palloc_extended(sizeof(Edge) * ((Size) mask + 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i <= mask; i++)
		edges->slots[i].facility = -1;
}

/* Where an edge is, or would be. */
static Edge *
edge_slot(const Edges *edges, uint32 key, int32 facility)
{
	uint32		at = murmurhash32(key ^ (uint32) facility * 2654435761u) & edges->mask;

	while (edges->slots[at].facility >= 0 && (edges->slots[at].key != key || edges->slots[at].facility != facility))
		at = (at + 1) & edges->mask;
	return &edges->slots[at];
}

/* The edge between two events. */
static Edge *
edge_between(Edges *edges, const LogEvent *from, const LogEvent *to)
{
	uint32		key = (uint32) from->kind << 16 | to->kind;
	Edge	   *edge = edge_slot(edges, key, to->facility);

	if (edge->facility >= 0)
		return edge;
	if (edges->n * 2 >= edges->mask)
	{
		Edges		old = *edges;

		edges_make(edges, old.mask * 2 + 1);
		for (uint32 i = 0; i <= old.mask; i++)
			if (old.slots[i].facility >= 0)
				*edge_slot(edges, old.slots[i].key, old.slots[i].facility) = old.slots[i];
		pfree(old.slots);
		edge = edge_slot(edges, key, to->facility);
	}
	edges->n++;
	edge->key = key;
	edge->facility = to->facility;
	edge->last_case = -1;
	edge->sketch = latency_sketch_create(CurrentMemoryContext);
	return edge;
}

/* A text as a column of a result. */
static Datum
text_datum(Str s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* Puts an edge into the result. */
static void
put_edge(ReturnSetInfo *result, const EventLog *log, const Edge *edge)
{
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = text_datum(log_facility(log, edge->facility));
	values[1] = text_datum(log_kind(log, edge->key >> 16));
	values[2] = text_datum(log_kind(log, edge->key & 0xFFFF));
	values[3] = Int64GetDatum(edge->follows);
	values[4] = Int64GetDatum(edge->cases);
	values[5] = PointerGetDatum(latency_sketch_to_histogram(edge->sketch));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* follows_counts(since, until, kinds): the edges of facilities that the caller sees. */
Datum
follows_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LogFilter	filter = log_filter(fcinfo, 0, 1, 2);
	Visible    *visible;
	EventLog   *log;
	Edges		edges = {0, 0, NULL};

	InitMaterializedSRF(fcinfo, 0);
	visible = visible_to_user();
	log = log_read(&filter);
	edges_make(&edges, 255);
	for (int c = 0; c < log_count_cases(log); c++)
	{
		int			n;
		LogEvent   *events = log_case(log, c, &n);

		for (int i = 1; i < n; i++)
		{
			Edge	   *edge;

			if (events[i].at < log_horizon(log))
				continue;
			edge = edge_between(&edges, &events[i - 1], &events[i]);
			edge->follows++;
			if (edge->last_case != c)
				edge->cases++;
			edge->last_case = c;
			latency_sketch_add(edge->sketch, events[i].at - events[i - 1].at, 1);
		}
	}
	for (uint32 i = 0; i <= edges.mask; i++)
		if (edges.slots[i].facility >= 0 && is_visible(visible, log_facility(log, edges.slots[i].facility)))
			put_edge(result, log, &edges.slots[i]);
	log_done(log);
	return (Datum) 0;
}

/* --- performers ------------------------------------------------------------ */

/* performer_counts(since, until, kinds): who does what, at facilities that the caller sees. */
Datum
performer_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LogFilter	filter = log_filter(fcinfo, 0, 1, 2);
	Visible    *visible;
	EventLog   *log;
	int			nkinds;
	int64	  **counts;			/* by facility: by performer and kind */

	InitMaterializedSRF(fcinfo, 0);
	visible = visible_to_user();
	filter.performers = true;
	log = log_read(&filter);
	nkinds = log_count_kinds(log);
	counts = palloc0(sizeof(int64 *) * Max(log_count_facilities(log), 1));
	for (int c = 0; c < log_count_cases(log); c++)
	{
		int			n;
		LogEvent   *events = log_case(log, c, &n);

		for (int i = 0; i < n; i++)
		{
			int64	  **of_facility = &counts[events[i].facility];

			if (events[i].at < log_horizon(log))
				continue;
			if (*of_facility == NULL)
				*of_facility = palloc_extended(sizeof(int64) * nkinds * (Size) log_count_performers(log),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
			(*of_facility)[(Size) events[i].performer * nkinds + events[i].kind]++;
		}
	}
	for (int f = 0; f < log_count_facilities(log); f++)
	{
		if (counts[f] == NULL || !is_visible(visible, log_facility(log, f)))
			continue;
		for (int p = 0; p < log_count_performers(log); p++)
			for (int k = 0; k < nkinds; k++)
			{
				const Performer *performer = log_performer(log, p);
				Datum		values[5];
				bool		nulls[5] = {0};

				if (counts[f][(Size) p * nkinds + k] == 0)
					continue;
				values[0] = text_datum(log_facility(log, f));
				values[1] = text_datum(log_kind(log, k));
				nulls[2] = performer->role.data == NULL;
				values[2] = nulls[2] ? (Datum) 0 : text_datum(performer->role);
				nulls[3] = performer->system.data == NULL;
				values[3] = nulls[3] ? (Datum) 0 : text_datum(performer->system);
				values[4] = Int64GetDatum(counts[f][(Size) p * nkinds + k]);
				tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
			}
	}
	log_done(log);
	return (Datum) 0;
}
