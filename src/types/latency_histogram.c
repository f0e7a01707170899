/*
 * latency_histogram.c
 *	  Gathering samples: the sketch in memory, and the aggregates that fill it.
 *
 * A group often has a handful of samples and sometimes a million, and there may
 * be many groups at once: so a sketch is a hash table of the buckets in use,
 * which starts small.  It is put in order when it becomes a histogram.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "types/latency_histogram.h"
#include "types/latency_histogram_format.h"
#include "utils/timestamp.h"

#define SKETCH_START_SIZE 3		/* gives a table of four */

typedef struct SketchBucket
{
	int32		bucket;
	char		status;			/* for simplehash */
	int64		count;
} SketchBucket;

#define SH_PREFIX sketch_table
#define SH_ELEMENT_TYPE SketchBucket
#define SH_KEY_TYPE int32
#define SH_KEY bucket
#define SH_HASH_KEY(tb, key) murmurhash32((uint32) (key))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct LatencySketch
{
	int128		sum;
	sketch_table_hash *table;
};

/* The state of both aggregates; there is none before the first input that is not null. */
typedef struct HistogramState
{
	LatencySketch *sketch;		/* made when it is first needed */
	struct varlena *only;		/* the one histogram merged so far, while there is no sketch */
	int64		inputs;			/* a moving frame may go back to none */
} HistogramState;

PG_FUNCTION_INFO_V1(latency_histogram_accum);
PG_FUNCTION_INFO_V1(latency_histogram_accum_inverse);
PG_FUNCTION_INFO_V1(latency_histogram_merge);
PG_FUNCTION_INFO_V1(latency_histogram_merge_inverse);
PG_FUNCTION_INFO_V1(latency_histogram_combine);
PG_FUNCTION_INFO_V1(latency_histogram_serial);
PG_FUNCTION_INFO_V1(latency_histogram_deserial);
PG_FUNCTION_INFO_V1(latency_histogram_final);

/* Makes an empty sketch. */
LatencySketch *
latency_sketch_create(MemoryContext context)
{
	LatencySketch *sketch = MemoryContextAlloc(context, sizeof(LatencySketch));

	sketch->sum = 0;
	sketch->table = sketch_table_create(context, SKETCH_START_SIZE, NULL);
	return sketch;
}

/* Adds to the count of a bucket. */
static inline void
sketch_count(LatencySketch *sketch, int32 bucket, int64 count)
{
	bool		found;
	SketchBucket *entry = sketch_table_insert(sketch->table, bucket, &found);

	entry->count = found ? histogram_add_counts(entry->count, count) : count;
}

/* Adds samples of one duration, or takes them away. */
void
latency_sketch_add(LatencySketch *sketch, int64 usecs, int64 count)
{
	if (unlikely(usecs == PG_INT64_MIN || count == PG_INT64_MIN))
		histogram_overflow();
	sketch->sum = histogram_add_sums(sketch->sum, (int128) usecs * count);
	sketch_count(sketch, histogram_bucket(usecs), count);
}

/* Adds the samples of a detoasted histogram, or takes them away. */
void
latency_sketch_merge(LatencySketch *sketch, struct varlena *histogram, int sign)
{
	HistogramReader reader;

	histogram_read(&reader, histogram);
	sketch->sum = histogram_add_sums(sketch->sum, sign * reader.sum);
	while (histogram_next(&reader))
		sketch_count(sketch, reader.bucket, sign * reader.count);
}

/* Adds the samples of another sketch. */
static void
sketch_absorb(LatencySketch *sketch, const LatencySketch *other)
{
	sketch_table_iterator iterator;
	SketchBucket *entry;

	sketch->sum = histogram_add_sums(sketch->sum, other->sum);
	sketch_table_start_iterate(other->table, &iterator);
	while ((entry = sketch_table_iterate(other->table, &iterator)) != NULL)
		sketch_count(sketch, entry->bucket, entry->count);
}

/* Tells whether nothing is left in a sketch, not even of its sum. */
bool
latency_sketch_is_empty(const LatencySketch *sketch)
{
	sketch_table_iterator iterator;
	SketchBucket *entry;

	if (sketch->sum != 0)
		return false;
	sketch_table_start_iterate(sketch->table, &iterator);
	while ((entry = sketch_table_iterate(sketch->table, &iterator)) != NULL)
	{
		if (entry->count != 0)
			return false;
	}
	return true;
}

/* Compares buckets for qsort. */
static int
compare_buckets(const void *a, const void *b)
{
	return ((const SketchBucket *) a)->bucket - ((const SketchBucket *) b)->bucket;
}

/* Makes a histogram of a sketch, which stays as it is. */
struct varlena *
latency_sketch_to_histogram(const LatencySketch *sketch)
{
	sketch_table_iterator iterator;
	SketchBucket *entry;
	SketchBucket *used;
	int			nused = 0;
	HistogramWriter writer;
	int			i;

	used = palloc((sketch->table->members + 1) * sizeof(SketchBucket));
	sketch_table_start_iterate(sketch->table, &iterator);
	while ((entry = sketch_table_iterate(sketch->table, &iterator)) != NULL)
	{
		if (entry->count != 0)
			used[nused++] = *entry;
	}
	qsort(used, nused, sizeof(SketchBucket), compare_buckets);

	histogram_write(&writer, sketch->sum, nused);
	for (i = 0; i < nused; i++)
		histogram_put(&writer, used[i].bucket, used[i].count);
	pfree(used);
	return histogram_written(&writer);
}

/* The length of an interval in microseconds. */
int64
latency_interval_usecs(const Interval *interval)
{
	int128		usecs;

	usecs = ((int128) interval->month * DAYS_PER_MONTH + interval->day) * USECS_PER_DAY +
		interval->time;

	/* Infinite intervals, where the server has them, are out of range too. */
	if (usecs > PG_INT64_MAX || usecs < -PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));
	return (int64) usecs;
}

/* The memory context of the aggregate that calls. */
static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/* Makes the state of an aggregate. */
static HistogramState *
make_state(MemoryContext context)
{
	return MemoryContextAllocZero(context, sizeof(HistogramState));
}

/* The sketch of a state, made if there is none. */
static LatencySketch *
state_sketch(HistogramState *state, MemoryContext context)
{
	if (state->sketch == NULL)
	{
		state->sketch = latency_sketch_create(context);
		if (state->only != NULL)
			latency_sketch_merge(state->sketch, state->only, 1);
		state->only = NULL;
	}
	return state->sketch;
}

/* Keeps a first histogram as it is: many groups have no other. */
static void
keep_only(HistogramState *state, Datum histogram, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	state->only = PG_DETOAST_DATUM_COPY(histogram);
	MemoryContextSwitchTo(old);
}

/* Makes the histogram of a state. */
static struct varlena *
state_histogram(HistogramState *state, MemoryContext context)
{
	if (state->only != NULL)
		return PG_DETOAST_DATUM_COPY(PointerGetDatum(state->only));
	return latency_sketch_to_histogram(state_sketch(state, context));
}

/* The state an aggregate's function is called with, made if there is none. */
static HistogramState *
get_state(FunctionCallInfo fcinfo)
{
	MemoryContext context = aggregate_context(fcinfo);

	if (PG_ARGISNULL(0))
		return make_state(context);
	return (HistogramState *) PG_GETARG_POINTER(0);
}

/* Returns the state unchanged, for an input that is null. */
#define RETURN_SAME_STATE() \
	do { \
		if (PG_ARGISNULL(0)) \
			PG_RETURN_NULL(); \
		PG_RETURN_POINTER(PG_GETARG_POINTER(0)); \
	} while (0)

/* latency_histogram(interval): adds a duration. */
Datum
latency_histogram_accum(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	if (PG_ARGISNULL(1))
		RETURN_SAME_STATE();
	state = get_state(fcinfo);
	latency_sketch_add(state_sketch(state, aggregate_context(fcinfo)), latency_interval_usecs(PG_GETARG_INTERVAL_P(1)), 1);
	state->inputs++;
	PG_RETURN_POINTER(state);
}

/* latency_histogram(interval): takes away a duration that leaves the frame. */
Datum
latency_histogram_accum_inverse(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	if (PG_ARGISNULL(1))
		RETURN_SAME_STATE();
	state = get_state(fcinfo);
	latency_sketch_add(state_sketch(state, aggregate_context(fcinfo)), latency_interval_usecs(PG_GETARG_INTERVAL_P(1)), -1);
	state->inputs--;
	PG_RETURN_POINTER(state);
}

/* merge(latency_histogram): adds a histogram. */
Datum
latency_histogram_merge(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	if (PG_ARGISNULL(1))
		RETURN_SAME_STATE();
	state = get_state(fcinfo);
	if (state->sketch == NULL && state->only == NULL)
		keep_only(state, PG_GETARG_DATUM(1), aggregate_context(fcinfo));
	else
		latency_sketch_merge(state_sketch(state, aggregate_context(fcinfo)), PG_GETARG_VARLENA_PP(1), 1);
	state->inputs++;
	PG_RETURN_POINTER(state);
}

/* merge(latency_histogram): takes away a histogram that leaves the frame. */
Datum
latency_histogram_merge_inverse(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	if (PG_ARGISNULL(1))
		RETURN_SAME_STATE();
	state = get_state(fcinfo);
	latency_sketch_merge(state_sketch(state, aggregate_context(fcinfo)), PG_GETARG_VARLENA_PP(1), -1);
	state->inputs--;
	PG_RETURN_POINTER(state);
}

/* Adds the state of one worker to that of others. */
Datum
latency_histogram_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	HistogramState *state;
	HistogramState *other;

	if (PG_ARGISNULL(1))
		RETURN_SAME_STATE();
	state = get_state(fcinfo);
	other = (HistogramState *) PG_GETARG_POINTER(1);
	if (other->only != NULL)
		latency_sketch_merge(state_sketch(state, context), other->only, 1);
	else
		sketch_absorb(state_sketch(state, context), state_sketch(other, context));
	state->inputs += other->inputs;
	PG_RETURN_POINTER(state);
}

/* Passes a state between processes as the histogram it would make. */
Datum
latency_histogram_serial(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);

	PG_RETURN_BYTEA_P(state_histogram((HistogramState *) PG_GETARG_POINTER(0), context));
}

/* The inverse of latency_histogram_serial. */
Datum
latency_histogram_deserial(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	(void) aggregate_context(fcinfo);
	state = make_state(CurrentMemoryContext);
	keep_only(state, PG_GETARG_DATUM(0), CurrentMemoryContext);

	/* A worker that had no input has no state to pass; how much the others had matters no more. */
	state->inputs = 1;
	PG_RETURN_POINTER(state);
}

/* Makes the histogram, null of no input. */
Datum
latency_histogram_final(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	HistogramState *state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (HistogramState *) PG_GETARG_POINTER(0);
	if (state->inputs == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state_histogram(state, context));
}
