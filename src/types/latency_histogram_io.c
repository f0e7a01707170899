/*
 * latency_histogram_io.c
 *	  Text and binary forms of a latency_histogram, and equality.
 *
 * Text:	v1 sum=MICROSECONDS BUCKET:COUNT BUCKET:COUNT ...
 * Binary:	a byte of version, 16 of sum, an int32 number of buckets, then
 *			for each an int16 bucket and an int64 count; in network byte order.
 *
 * Input takes what output writes and nothing else: each set of samples has one
 * text and one binary form.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "types/latency_histogram_format.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(latency_histogram_in);
PG_FUNCTION_INFO_V1(latency_histogram_out);
PG_FUNCTION_INFO_V1(latency_histogram_recv);
PG_FUNCTION_INFO_V1(latency_histogram_send);
PG_FUNCTION_INFO_V1(latency_histogram_eq);
PG_FUNCTION_INFO_V1(latency_histogram_ne);
PG_FUNCTION_INFO_V1(latency_histogram_hash);
PG_FUNCTION_INFO_V1(latency_histogram_hash_extended);

#define TEXT_START	"v1 sum="

/* Moves over a whole number without superfluous signs or zeros, of a size up to the limit. */
static bool
parse_number(const char **cursor, uint128 limit, int128 *number)
{
	const char *p = *cursor;
	bool		negative = (*p == '-');
	uint128		size = 0;

	if (negative)
		p++;
	if (*p < '0' || *p > '9')
		return false;
	if (*p == '0' && (negative || (p[1] >= '0' && p[1] <= '9')))
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
	{
		int			digit = *p - '0';

		if (size > (limit - digit) / 10)
			return false;
		size = size * 10 + digit;
	}
	*number = negative ? -(int128) size : (int128) size;
	*cursor = p;
	return true;
}

/* Says what is wrong with a text form, or makes the histogram and returns NULL. */
static const char *
parse_histogram(const char *text, struct varlena **histogram)
{
	const char *p = text;
	int			previous = -HISTOGRAM_MAX_BUCKET - 1;
	int128		sum;
	HistogramWriter writer;

	if (strncmp(p, TEXT_START, strlen(TEXT_START)) != 0)
		return gettext_noop("A latency_histogram begins with \"v1 sum=\".");
	p += strlen(TEXT_START);
	if (!parse_number(&p, HISTOGRAM_MAX_SUM, &sum))
		return gettext_noop("The sum must be a whole number of microseconds, and less than 2^126.");

	/* A bucket takes four characters or more. */
	histogram_write(&writer, sum, Min(strlen(p) / 4, HISTOGRAM_MAX_BUCKETS));
	while (*p == ' ')
	{
		int128		bucket;
		int128		count;

		p++;
		if (!parse_number(&p, HISTOGRAM_MAX_BUCKET, &bucket))
			return gettext_noop("A bucket must be a whole number between -3711 and 3711.");
		if (bucket <= previous)
			return gettext_noop("Buckets must be in ascending order.");
		if (*p++ != ':')
			return gettext_noop("A bucket must be followed by a colon and its count.");
		if (!parse_number(&p, PG_INT64_MAX, &count) || count == 0)
			return gettext_noop("A count must be a whole number other than zero, and less than 2^63.");
		histogram_put(&writer, (int32) bucket, (int64) count);
		previous = (int) bucket;
	}
	if (*p != '\0')
		return gettext_noop("Buckets must be separated by one space, with nothing after the last.");

	*histogram = histogram_written(&writer);
	return NULL;
}

/* Reads the text form. */
Datum
latency_histogram_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	struct varlena *histogram;
	const char *complaint = parse_histogram(text, &histogram);

	if (complaint != NULL)
		ereturn(WT_ESCONTEXT(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "latency_histogram", text),
				 errdetail("%s", _(complaint))));
	PG_RETURN_POINTER(histogram);
}

/* Appends a number of up to 128 bits, which printf cannot. */
static void
append_number(StringInfo text, int128 number)
{
	char		digits[40];
	char	   *p = digits + lengthof(digits);
	uint128		size = number < 0 ? -(uint128) number : (uint128) number;

	*--p = '\0';
	do
	{
		*--p = '0' + (int) (size % 10);
		size /= 10;
	} while (size > 0);
	if (number < 0)
		appendStringInfoChar(text, '-');
	appendStringInfoString(text, p);
}

/* Writes the text form. */
Datum
latency_histogram_out(PG_FUNCTION_ARGS)
{
	HistogramReader reader;
	StringInfoData text;

	histogram_read(&reader, PG_GETARG_VARLENA_PP(0));
	initStringInfo(&text);
	appendStringInfoString(&text, TEXT_START);
	append_number(&text, reader.sum);
	while (histogram_next(&reader))
	{
		char		bucket[48];
		int			n = 0;

		bucket[n++] = ' ';
		n += pg_ltoa(reader.bucket, bucket + n);
		bucket[n++] = ':';
		n += pg_lltoa(reader.count, bucket + n);
		appendBinaryStringInfo(&text, bucket, n);
	}
	PG_RETURN_CSTRING(text.data);
}

/* Refuses a binary form. */
static void
bad_binary(const char *complaint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary form of %s", "latency_histogram"),
			 errdetail("%s", _(complaint))));
}

/* Reads the binary form. */
Datum
latency_histogram_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			previous = -HISTOGRAM_MAX_BUCKET - 1;
	int			version = pq_getmsgbyte(buffer);
	uint128		sum;
	int32		nbuckets;
	HistogramWriter writer;
	int			i;

	if (version != HISTOGRAM_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported latency_histogram version %d", version)));
	sum = (uint128) (uint64) pq_getmsgint64(buffer) << 64;
	sum |= (uint64) pq_getmsgint64(buffer);
	if ((int128) sum > HISTOGRAM_MAX_SUM || (int128) sum < -HISTOGRAM_MAX_SUM)
		bad_binary(gettext_noop("The sum is out of range."));
	nbuckets = (int32) pq_getmsgint(buffer, sizeof(int32));
	if (nbuckets < 0 || nbuckets > HISTOGRAM_MAX_BUCKETS)
		bad_binary(gettext_noop("The number of buckets is out of range."));

	histogram_write(&writer, (int128) sum, nbuckets);
	for (i = 0; i < nbuckets; i++)
	{
		int			bucket = (int16) pq_getmsgint(buffer, sizeof(int16));
		int64		count = pq_getmsgint64(buffer);

		if (abs(bucket) > HISTOGRAM_MAX_BUCKET)
			bad_binary(gettext_noop("A bucket is out of range."));
		if (bucket <= previous)
			bad_binary(gettext_noop("Buckets are not in ascending order."));
		if (count == 0 || count == PG_INT64_MIN)
			bad_binary(gettext_noop("A count is zero or out of range."));
		histogram_put(&writer, bucket, count);
		previous = bucket;
	}
	PG_RETURN_POINTER(histogram_written(&writer));
}

/* Writes the binary form. */
Datum
latency_histogram_send(PG_FUNCTION_ARGS)
{
	struct varlena *histogram = PG_GETARG_VARLENA_PP(0);
	HistogramReader reader;
	StringInfoData buffer;
	int			nbuckets = 0;

	histogram_read(&reader, histogram);
	while (histogram_next(&reader))
		nbuckets++;

	histogram_read(&reader, histogram);
	pq_begintypsend(&buffer);
	pq_sendint8(&buffer, HISTOGRAM_VERSION);
	pq_sendint64(&buffer, (uint64) ((uint128) reader.sum >> 64));
	pq_sendint64(&buffer, (uint64) reader.sum);
	pq_sendint32(&buffer, nbuckets);
	while (histogram_next(&reader))
	{
		pq_sendint16(&buffer, (uint16) reader.bucket);
		pq_sendint64(&buffer, (uint64) reader.count);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* Tells whether the two arguments are the same bytes. */
static bool
arguments_equal(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	Size		size = VARSIZE_ANY_EXHDR(a);
	bool		equal;

	equal = size == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), size) == 0;
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return equal;
}

/* h = h */
Datum
latency_histogram_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(arguments_equal(fcinfo));
}

/* h <> h */
Datum
latency_histogram_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!arguments_equal(fcinfo));
}

/* Hashes a histogram. */
Datum
latency_histogram_hash(PG_FUNCTION_ARGS)
{
	struct varlena *histogram = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any((unsigned char *) VARDATA_ANY(histogram),
								VARSIZE_ANY_EXHDR(histogram));

	PG_FREE_IF_COPY(histogram, 0);
	return hash;
}

/* Hashes a histogram with a seed. */
Datum
latency_histogram_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *histogram = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any_extended((unsigned char *) VARDATA_ANY(histogram),
										 VARSIZE_ANY_EXHDR(histogram),
										 PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(histogram, 0);
	return hash;
}
