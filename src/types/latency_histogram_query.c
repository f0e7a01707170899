/*
 * latency_histogram_query.c
 *	  Adding and subtracting histograms, and asking them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "types/latency_histogram_format.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* What a rank and the next weigh together. */
#define WEIGHT_BITS		53
#define WEIGHT_UNIT		(INT64CONST(1) << WEIGHT_BITS)

/* Samples of one bucket: those of ranks below `end` that no earlier run has. */
typedef struct SampleRun
{
	int32		bucket;
	int64		end;
} SampleRun;

/* A histogram laid out for asking. */
typedef struct Samples
{
	int128		sum;
	int64		total;
	int			nruns;
	SampleRun	runs[FLEXIBLE_ARRAY_MEMBER];
} Samples;

PG_FUNCTION_INFO_V1(latency_histogram_add);
PG_FUNCTION_INFO_V1(latency_histogram_subtract);
PG_FUNCTION_INFO_V1(latency_histogram_sample_count);
PG_FUNCTION_INFO_V1(latency_histogram_mean);
PG_FUNCTION_INFO_V1(latency_histogram_shortest);
PG_FUNCTION_INFO_V1(latency_histogram_longest);
PG_FUNCTION_INFO_V1(latency_histogram_quantile);
PG_FUNCTION_INFO_V1(latency_histogram_quantiles);

/* A bound on the buckets of a stored histogram: each takes two bytes or more. */
static int
max_buckets(struct varlena *histogram)
{
	return VARSIZE_ANY_EXHDR(histogram) / 2;
}

/* a + b, or a - b where sign is -1 */
static struct varlena *
add_histograms(struct varlena *a, struct varlena *b, int sign)
{
	HistogramReader left;
	HistogramReader right;
	HistogramWriter writer;
	bool		more_left;
	bool		more_right;

	histogram_read(&left, a);
	histogram_read(&right, b);
	histogram_write(&writer, histogram_add_sums(left.sum, sign * right.sum),
					Min(max_buckets(a) + max_buckets(b), HISTOGRAM_MAX_BUCKETS));

	more_left = histogram_next(&left);
	more_right = histogram_next(&right);
	while (more_left || more_right)
	{
		bool		take_left = more_left && (!more_right || left.bucket <= right.bucket);
		bool		take_right = more_right && (!more_left || right.bucket <= left.bucket);

		histogram_put(&writer,
					  take_left ? left.bucket : right.bucket,
					  histogram_add_counts(take_left ? left.count : 0,
										   take_right ? sign * right.count : 0));
		if (take_left)
			more_left = histogram_next(&left);
		if (take_right)
			more_right = histogram_next(&right);
	}
	return histogram_written(&writer);
}

/* h + h */
Datum
latency_histogram_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(add_histograms(PG_GETARG_VARLENA_PP(0), PG_GETARG_VARLENA_PP(1), 1));
}

/* h - h */
Datum
latency_histogram_subtract(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(add_histograms(PG_GETARG_VARLENA_PP(0), PG_GETARG_VARLENA_PP(1), -1));
}

/* sample_count(h): for a difference, how many more samples there are than were taken away */
Datum
latency_histogram_sample_count(PG_FUNCTION_ARGS)
{
	HistogramReader reader;
	int128		total = 0;

	histogram_read(&reader, PG_GETARG_VARLENA_PP(0));
	while (histogram_next(&reader))
		total += reader.count;
	if (total > PG_INT64_MAX || total < PG_INT64_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("bigint out of range")));
	PG_RETURN_INT64((int64) total);
}

/* Lays out a histogram, which must be one of samples and not a difference. */
static Samples *
read_samples(struct varlena *histogram)
{
	HistogramReader reader;
	Samples    *samples;

	samples = palloc(offsetof(Samples, runs) + (max_buckets(histogram) + 1) * sizeof(SampleRun));
	samples->total = 0;
	samples->nruns = 0;

	histogram_read(&reader, histogram);
	samples->sum = reader.sum;
	while (histogram_next(&reader))
	{
		SampleRun  *run = &samples->runs[samples->nruns++];

		if (reader.count < 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("latency_histogram has a negative count"),
					 errdetail("More samples were subtracted from it than it had.")));
		samples->total = histogram_add_counts(samples->total, reader.count);
		run->bucket = reader.bucket;
		run->end = samples->total;
	}
	return samples;
}

/* Twice the sample of a rank, counted from 0. */
static int128
sample_at(const Samples *samples, int64 rank)
{
	int			low = 0;
	int			high = samples->nruns - 1;

	/* A single sample is known exactly: it is the sum, unless others left a rest there. */
	if (samples->total == 1 &&
		samples->sum <= PG_INT64_MAX && samples->sum >= -PG_INT64_MAX &&
		histogram_bucket((int64) samples->sum) == samples->runs[0].bucket)
		return 2 * samples->sum;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (samples->runs[middle].end > rank)
			high = middle;
		else
			low = middle + 1;
	}
	return histogram_bucket_middle(samples->runs[low].bucket);
}

/* Makes an interval of microseconds given in units of 2^-bits, halves away from zero. */
static Interval *
make_interval(int128 scaled, int bits)
{
	Interval   *interval = palloc0(sizeof(Interval));
	int128		half = (int128) 1 << (bits - 1);

	if (scaled >= 0)
		interval->time = (int64) ((scaled + half) >> bits);
	else
		interval->time = -(int64) ((half - scaled) >> bits);
	return interval;
}

/* A quantile of some samples: between two ranks in proportion, like percentile_cont. */
static Interval *
samples_quantile(const Samples *samples, double fraction)
{
	double		position = fraction * (double) (samples->total - 1);
	int64		rank;
	int64		weight;			/* of the next rank */
	int128		low;
	int128		high;

	/* Beyond 2^53 samples the last rank may round up. */
	if (position >= (double) (samples->total - 1))
		return make_interval(sample_at(samples, samples->total - 1), 1);

	rank = (int64) position;
	weight = (int64) ((position - (double) rank) * (double) WEIGHT_UNIT);
	low = sample_at(samples, rank);
	high = weight > 0 ? sample_at(samples, rank + 1) : low;
	return make_interval(low * WEIGHT_UNIT + (high - low) * weight, WEIGHT_BITS + 1);
}

/* mean(h): the sum over the count, halves away from zero */
Datum
latency_histogram_mean(PG_FUNCTION_ARGS)
{
	Samples    *samples = read_samples(PG_GETARG_VARLENA_PP(0));
	int128		mean;
	int128		rest;

	if (samples->total == 0)
		PG_RETURN_NULL();
	mean = samples->sum / samples->total;
	rest = samples->sum % samples->total;
	if (2 * rest >= samples->total)
		mean++;
	else if (-2 * rest >= samples->total)
		mean--;

	/* What is left after subtracting may have any sum. */
	if (mean > PG_INT64_MAX || mean < -PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));
	PG_RETURN_INTERVAL_P(make_interval(2 * mean, 1));
}

/* shortest(h) */
Datum
latency_histogram_shortest(PG_FUNCTION_ARGS)
{
	Samples    *samples = read_samples(PG_GETARG_VARLENA_PP(0));

	if (samples->total == 0)
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(make_interval(sample_at(samples, 0), 1));
}

/* longest(h) */
Datum
latency_histogram_longest(PG_FUNCTION_ARGS)
{
	Samples    *samples = read_samples(PG_GETARG_VARLENA_PP(0));

	if (samples->total == 0)
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(make_interval(sample_at(samples, samples->total - 1), 1));
}

/* Refuses a fraction that is none, as percentile_cont does. */
static void
check_fraction(double fraction)
{
	if (!(fraction >= 0 && fraction <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("percentile value %g is not between 0 and 1", fraction)));
}

/* quantile(h, double precision) */
Datum
latency_histogram_quantile(PG_FUNCTION_ARGS)
{
	double		fraction = PG_GETARG_FLOAT8(1);
	Samples    *samples;

	check_fraction(fraction);
	samples = read_samples(PG_GETARG_VARLENA_PP(0));
	if (samples->total == 0)
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(samples_quantile(samples, fraction));
}

/* quantiles(h, double precision[]): an array of the same shape */
Datum
latency_histogram_quantiles(PG_FUNCTION_ARGS)
{
	Samples    *samples;
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	Datum	   *values;
	bool	   *nulls;
	int			nvalues;
	int			i;

	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, &nulls, &nvalues);
	for (i = 0; i < nvalues; i++)
	{
		if (!nulls[i])
			check_fraction(DatumGetFloat8(values[i]));
	}

	samples = read_samples(PG_GETARG_VARLENA_PP(0));
	if (samples->total == 0)
		PG_RETURN_NULL();
	for (i = 0; i < nvalues; i++)
	{
		if (!nulls[i])
			values[i] = IntervalPGetDatum(samples_quantile(samples, DatumGetFloat8(values[i])));
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls,
											 ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
											 INTERVALOID, sizeof(Interval), false, TYPALIGN_DOUBLE));
}
