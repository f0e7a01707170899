/*
 * latency_histogram_format.c
 *	  Buckets, and reading and writing the stored form of a latency_histogram.
 */
#include "postgres.h"

#include "compat.h"
#include "port/pg_bitutils.h"
#include "types/latency_histogram_format.h"

#define PARTS			64		/* of an octave, a power of two */
#define PARTS_BITS		6

/* The longest varints: a sum of 127 bits and its sign, a step, a count. */
#define MAX_SUM_BYTES	19
#define MAX_STEP_BYTES	2
#define MAX_COUNT_BYTES 10

/* Reports a count or a sum that the type has no room for. */
void
histogram_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("latency_histogram out of range")));
}

/* The bucket of a duration other than PG_INT64_MIN. */
int32
histogram_bucket(int64 usecs)
{
	uint64		size = usecs < 0 ? -(uint64) usecs : (uint64) usecs;
	int32		bucket;

	if (size < 2 * PARTS)
		bucket = (int32) size;
	else
	{
		int			shift = pg_leftmost_one_pos64(size) - PARTS_BITS;

		bucket = shift * PARTS + (int32) (size >> shift);
	}
	return usecs < 0 ? -bucket : bucket;
}

/* Twice the duration in the middle of a bucket, which may lie between two microseconds. */
int128
histogram_bucket_middle(int32 bucket)
{
	int32		size = abs(bucket);
	int128		middle;

	if (size < 2 * PARTS)
		middle = 2 * size;
	else
	{
		int			shift = size / PARTS - 1;

		middle = ((int128) (2 * (PARTS + size % PARTS) + 1) << shift) - 1;
	}
	return bucket < 0 ? -middle : middle;
}

/* Makes an unsigned number of a signed one, small ones of small ones. */
static inline uint128
fold_sign(int128 number)
{
	return number < 0 ? ~((uint128) number << 1) : (uint128) number << 1;
}

/* The inverse of fold_sign. */
static inline int128
unfold_sign(uint128 folded)
{
	return (int128) ((folded & 1) ? ~(folded >> 1) : folded >> 1);
}

/* Writes a varint. */
static inline unsigned char *
put_varint(unsigned char *cursor, uint128 number)
{
	while (number >= 0x80)
	{
		*cursor++ = (unsigned char) (number | 0x80);
		number >>= 7;
	}
	*cursor++ = (unsigned char) number;
	return cursor;
}

/* Reports stored bytes that are no histogram. */
static void
histogram_corrupted(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid stored latency_histogram")));
}

/* Reads a varint of at most 128 bits. */
static inline uint128
get_varint(HistogramReader *reader)
{
	uint128		number = 0;
	int			shift = 0;
	unsigned char byte;

	do
	{
		if (unlikely(reader->cursor >= reader->end || shift > 126))
			histogram_corrupted();
		byte = *reader->cursor++;
		number |= (uint128) (byte & 0x7F) << shift;
		shift += 7;
	} while (byte & 0x80);
	return number;
}

/* Begins to read a histogram, which must be detoasted but may have a short header. */
void
histogram_read(HistogramReader *reader, struct varlena *histogram)
{
	const unsigned char *data = (const unsigned char *) VARDATA_ANY(histogram);
	Size		size = VARSIZE_ANY_EXHDR(histogram);

	if (size == 0)
		histogram_corrupted();
	if (data[0] != HISTOGRAM_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unsupported latency_histogram version %d", data[0])));

	reader->cursor = data + 1;
	reader->end = data + size;
	reader->bucket = 0;
	reader->count = 0;
	reader->started = false;
	reader->sum = unfold_sign(get_varint(reader));
	if (reader->sum > HISTOGRAM_MAX_SUM || reader->sum < -HISTOGRAM_MAX_SUM)
		histogram_corrupted();
}

/* Moves to the next bucket; false after the last. */
bool
histogram_next(HistogramReader *reader)
{
	int128		step;
	int128		count;

	if (reader->cursor >= reader->end)
		return false;

	if (reader->started)
		step = get_varint(reader);
	else
		step = unfold_sign(get_varint(reader));
	count = unfold_sign(get_varint(reader));

	/* What is let through here, histogram_put has room for. */
	if (unlikely((reader->started && step <= 0) ||
				 step > HISTOGRAM_MAX_BUCKET - reader->bucket ||
				 step < -HISTOGRAM_MAX_BUCKET - reader->bucket ||
				 count == 0 || count > PG_INT64_MAX || count < -PG_INT64_MAX))
		histogram_corrupted();
	reader->started = true;
	reader->bucket += (int32) step;
	reader->count = (int64) count;
	return true;
}

/* Begins to write a histogram of at most so many buckets. */
void
histogram_write(HistogramWriter *writer, int128 sum, int max_buckets)
{
	Size		size = VARHDRSZ + 1 + MAX_SUM_BYTES +
		(Size) max_buckets * (MAX_STEP_BYTES + MAX_COUNT_BYTES);

	writer->histogram = (struct varlena *) palloc(size);
	writer->bucket = 0;
	writer->started = false;
	writer->cursor = (unsigned char *) VARDATA(writer->histogram);
	*writer->cursor++ = HISTOGRAM_VERSION;
	writer->cursor = put_varint(writer->cursor, fold_sign(sum));
}

/* Writes a bucket, unless its count is zero. */
void
histogram_put(HistogramWriter *writer, int32 bucket, int64 count)
{
	int32		step = bucket - writer->bucket;

	if (count == 0)
		return;
	writer->cursor = put_varint(writer->cursor,
								writer->started ? (uint128) step : fold_sign(step));
	writer->cursor = put_varint(writer->cursor, fold_sign(count));
	writer->bucket = bucket;
	writer->started = true;
}

/* Ends a histogram and returns it. */
struct varlena *
histogram_written(HistogramWriter *writer)
{
	SET_VARSIZE(writer->histogram, writer->cursor - (unsigned char *) writer->histogram);
	return writer->histogram;
}
