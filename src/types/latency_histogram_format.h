/*
 * latency_histogram_format.h
 *	  Buckets, and the stored form of a latency_histogram.  Private to the type.
 *
 * A bucket is a number.  Durations below 128 microseconds have one each, equal
 * to the duration; above, each octave is cut in 64 parts of equal width.
 * Negative durations mirror the positive ones, so the order of buckets is that
 * of durations.  A duration is less than 1/128 of it away from its bucket's middle.
 *
 * A stored histogram is a varlena of bytes without alignment:
 *
 *		version (one byte)
 *		sum of the samples in microseconds
 *		for each bucket with a count other than zero, in ascending order:
 *			the bucket's distance from the one before (the first one's from 0)
 *			its count
 *
 * where the numbers are varints: seven bits a byte, the lowest first, the top
 * bit set in all but the last byte.  Those that have a sign (sum, first bucket,
 * counts) are doubled, and inverted when negative.  As each set of samples has
 * one such form, and that on every platform, histograms are equal when their
 * bytes are.
 *
 * Differences of histograms are histograms too.  Their counts may be negative,
 * and their sum need not lie where the buckets that are left would put it.
 */
#ifndef LATENCY_HISTOGRAM_FORMAT_H
#define LATENCY_HISTOGRAM_FORMAT_H

#include "postgres.h"

#include "common/int.h"

#ifndef HAVE_INT128
#error "latency_histogram needs a compiler with 128-bit integers"
#endif

#define HISTOGRAM_VERSION		1

/* Symmetric limits, so that whatever can be stored can also be negated. */
#define HISTOGRAM_MAX_BUCKET	3711	/* the bucket of PG_INT64_MAX */
#define HISTOGRAM_MAX_BUCKETS	(2 * HISTOGRAM_MAX_BUCKET + 1)
#define HISTOGRAM_MAX_SUM		((((int128) 1) << 126) - 1)

/* Reads a stored histogram: sum at once, then a bucket a call. */
typedef struct HistogramReader
{
	int128		sum;
	int32		bucket;
	int64		count;
	bool		started;
	const unsigned char *cursor;
	const unsigned char *end;
} HistogramReader;

/* Writes one, buckets in ascending order. */
typedef struct HistogramWriter
{
	struct varlena *histogram;
	int32		bucket;
	bool		started;
	unsigned char *cursor;
} HistogramWriter;

extern int32 histogram_bucket(int64 usecs);
extern int128 histogram_bucket_middle(int32 bucket);

extern void histogram_read(HistogramReader *reader, struct varlena *histogram);
extern bool histogram_next(HistogramReader *reader);

extern void histogram_write(HistogramWriter *writer, int128 sum, int max_buckets);
extern void histogram_put(HistogramWriter *writer, int32 bucket, int64 count);
extern struct varlena *histogram_written(HistogramWriter *writer);

extern void histogram_overflow(void);

/* Adds two counts. */
static inline int64
histogram_add_counts(int64 a, int64 b)
{
	int64		count;

	if (unlikely(pg_add_s64_overflow(a, b, &count) || count == PG_INT64_MIN))
		histogram_overflow();
	return count;
}

/* Adds two sums; the limit leaves a bit, so that adding itself cannot overflow. */
static inline int128
histogram_add_sums(int128 a, int128 b)
{
	int128		sum = a + b;

	if (unlikely(sum > HISTOGRAM_MAX_SUM || sum < -HISTOGRAM_MAX_SUM))
		histogram_overflow();
	return sum;
}

#endif							/* LATENCY_HISTOGRAM_FORMAT_H */
