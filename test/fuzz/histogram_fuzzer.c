/*
 * histogram_fuzzer.c
 *	  Reads whatever came as a latency_histogram: as text, in its binary form, and
 *	  as it is stored.
 */
#include "server.h"

#include "types/latency_histogram.h"
#include "utils/timestamp.h"

extern Datum latency_histogram_in(PG_FUNCTION_ARGS);
extern Datum latency_histogram_out(PG_FUNCTION_ARGS);
extern Datum latency_histogram_recv(PG_FUNCTION_ARGS);
extern Datum latency_histogram_send(PG_FUNCTION_ARGS);
extern Datum latency_histogram_add(PG_FUNCTION_ARGS);
extern Datum latency_histogram_subtract(PG_FUNCTION_ARGS);
extern Datum latency_histogram_sample_count(PG_FUNCTION_ARGS);
extern Datum latency_histogram_mean(PG_FUNCTION_ARGS);
extern Datum latency_histogram_shortest(PG_FUNCTION_ARGS);
extern Datum latency_histogram_longest(PG_FUNCTION_ARGS);
extern Datum latency_histogram_quantile(PG_FUNCTION_ARGS);

/* Gathers a histogram twice and takes it away once. */
static void
gather(void *arg)
{
	LatencySketch *sketch = latency_sketch_create(CurrentMemoryContext);
	struct varlena *histogram = arg;

	latency_sketch_merge(sketch, histogram, 1);
	latency_sketch_merge(sketch, histogram, 1);
	latency_sketch_merge(sketch, histogram, -1);
	CHECK(strcmp(DatumGetCString(CALL(latency_histogram_out, GIVEN(PointerGetDatum(latency_sketch_to_histogram(sketch)))).value),
				 DatumGetCString(CALL(latency_histogram_out, GIVEN(PointerGetDatum(histogram))).value)) == 0);
}

/* Asks a histogram, of which not even the bytes need be in order. */
static void
ask(Datum histogram)
{
	static const double fractions[] = {0, 0.5, 0.999, 1, 2};
	Called		out = CALL(latency_histogram_out, GIVEN(histogram));
	Called		sum = CALL(latency_histogram_add, GIVEN(histogram), GIVEN(histogram));
	Called		shortest = CALL(latency_histogram_shortest, GIVEN(histogram));
	Called		longest = CALL(latency_histogram_longest, GIVEN(histogram));

	CALL(latency_histogram_sample_count, GIVEN(histogram));
	CALL(latency_histogram_mean, GIVEN(histogram));
	CHECK(shortest.sqlstate == longest.sqlstate && shortest.isnull == longest.isnull);
	for (int i = 0; i < LENGTH(fractions); i++)
	{
		Called		quantile = CALL(latency_histogram_quantile, GIVEN(histogram), GIVEN(Float8GetDatum(fractions[i])));

		if (i == 4)
			CHECK(quantile.sqlstate != 0);
		else
			CHECK(quantile.sqlstate == shortest.sqlstate && quantile.isnull == shortest.isnull);
		if (quantile.sqlstate == 0 && !quantile.isnull)
			CHECK(DatumGetIntervalP(quantile.value)->time >= DatumGetIntervalP(shortest.value)->time &&
				  DatumGetIntervalP(quantile.value)->time <= DatumGetIntervalP(longest.value)->time);
	}
	if (out.sqlstate != 0)
	{
		CHECK(sum.sqlstate != 0 && shortest.sqlstate != 0);
		return;
	}
	if (sum.sqlstate == 0)
	{
		Called		less = CALL(latency_histogram_subtract, GIVEN(sum.value), GIVEN(histogram));
		Called		text = CALL(latency_histogram_out, GIVEN(less.value));

		CHECK(less.sqlstate == 0 && strcmp(DatumGetCString(text.value), DatumGetCString(out.value)) == 0);
		CHECK(attempt(gather, DatumGetPointer(histogram)) == 0);
	}
}

/* Does a histogram come back from its forms? */
static void
check_histogram(Datum histogram)
{
	Called		out = CALL(latency_histogram_out, GIVEN(histogram));
	Called		sent = CALL(latency_histogram_send, GIVEN(histogram));
	text	   *bytes = (text *) DatumGetPointer(sent.value);
	Called		again = CALL(latency_histogram_in, GIVEN(out.value));

	CHECK(out.sqlstate == 0 && sent.sqlstate == 0);
	CHECK(again.sqlstate == 0 && same_texts(again.value, histogram));
	again = receive(latency_histogram_recv, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	CHECK(again.sqlstate == 0 && same_texts(again.value, histogram));
	ask(histogram);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;
	int			len = (int) size;
	Datum		stored;
	Called		called = receive(latency_histogram_recv, bytes, len);

	if (called.sqlstate == 0)
	{
		Called		sent = CALL(latency_histogram_send, GIVEN(called.value));

		/* a set of samples has one form */
		CHECK(same_texts(sent.value, PointerGetDatum(text_of(bytes, len))));
		check_histogram(called.value);
	}
	stored = PointerGetDatum(text_of(bytes, len));
	called = CALL(latency_histogram_out, GIVEN(stored));
	ask(stored);
	if (called.sqlstate == 0)
	{
		called = CALL(latency_histogram_in, GIVEN(called.value));
		CHECK(called.sqlstate == 0);
		check_histogram(called.value);
	}
	called = CALL(latency_histogram_in, GIVEN(CStringGetDatum(text_to_cstring(text_of(bytes, len)))));
	if (called.sqlstate == 0)
	{
		Called		out = CALL(latency_histogram_out, GIVEN(called.value));

		CHECK(strncmp(DatumGetCString(out.value), bytes, strlen(DatumGetCString(out.value))) == 0);
		check_histogram(called.value);
	}
	server_reset();
	return 0;
}
