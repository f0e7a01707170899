/*
 * xes_fuzzer.c
 *	  Reads whatever came as a log in XES.
 */
#include "server.h"

extern Datum xes_rows(PG_FUNCTION_ARGS);

static int	nrows;

/* A row: an event, of the number that is due.  That it is JSON has been seen to. */
static void
take_event(const Datum *values, const bool *nulls)
{
	char		begin[64];

	CHECK(!nulls[0]);
	snprintf(begin, sizeof(begin), "{\"@row\": %d, \"@trace\": ", ++nrows);
	CHECK(strncmp(DatumGetCString(values[0]), begin, strlen(begin)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;
	int			len = (int) size;
	Called		called;
	int			n;

	/* the server sees to it that a text is one */
	if (memchr(bytes, '\0', len) != NULL || !is_utf8((Hl7Slice) {bytes, len}))
		return 0;
	nrows = 0;
	take_row = take_event;
	called = CALL(xes_rows, GIVEN(PointerGetDatum(text_of(bytes, len))), NOT_GIVEN);
	n = nrows;
	if (called.sqlstate == 0)
	{
		/* what is read once is read again */
		nrows = 0;
		CHECK(CALL(xes_rows, GIVEN(PointerGetDatum(text_of(bytes, len))), NOT_GIVEN).sqlstate == 0 && nrows == n);
	}
	server_reset();
	return 0;
}
