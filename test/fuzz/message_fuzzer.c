/*
 * message_fuzzer.c
 *	  Reads whatever came as an hl7v2: as text and in its binary form; and asks
 *	  what is one by the functions of the type.
 */
#include "server.h"

#include "pgtime.h"
#include "utils/timestamp.h"

extern Datum hl7v2_in(PG_FUNCTION_ARGS);
extern Datum hl7v2_out(PG_FUNCTION_ARGS);
extern Datum hl7v2_recv(PG_FUNCTION_ARGS);
extern Datum hl7v2_send(PG_FUNCTION_ARGS);
extern Datum hl7v2_from_text(PG_FUNCTION_ARGS);
extern Datum hl7v2_first(PG_FUNCTION_ARGS);
extern Datum hl7v2_values(PG_FUNCTION_ARGS);
extern Datum hl7v2_segments(PG_FUNCTION_ARGS);
extern Datum hl7v2_ack(PG_FUNCTION_ARGS);

/* --- the time, which stands still ------------------------------------------ */

pg_tz	   *session_timezone;
int			MyProcPid = 1;

TimestampTz
GetCurrentTimestamp(void)
{
	return 0;
}

pg_time_t
timestamptz_to_time_t(TimestampTz t)
{
	return 0;
}

struct pg_tm *
pg_localtime(const pg_time_t *timep, const pg_tz *tz)
{
	return NULL;
}

size_t
pg_strftime(char *s, size_t max, const char *format, const struct pg_tm *tm)
{
	return snprintf(s, max, "20260131120000+0100");
}

/* --- messages -------------------------------------------------------------- */

static int	nrows;
static text *first_row;
static StringInfoData segments;

/* A value of a path. */
static void
take_value(const Datum *values, const bool *nulls)
{
	text	   *value = (text *) DatumGetPointer(values[0]);

	CHECK(!nulls[0]);
	if (nrows++ == 0)
		first_row = cstring_to_text_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* A segment. */
static void
take_segment(const Datum *values, const bool *nulls)
{
	text	   *name = (text *) DatumGetPointer(values[1]);
	text	   *content = (text *) DatumGetPointer(values[2]);

	CHECK(!nulls[0] && !nulls[1] && !nulls[2] && DatumGetInt32(values[0]) == ++nrows);
	CHECK(VARSIZE_ANY_EXHDR(name) == 3 && VARSIZE_ANY_EXHDR(content) >= 3);
	CHECK(memcmp(VARDATA_ANY(name), VARDATA_ANY(content), 3) == 0);
	appendBinaryStringInfo(&segments, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
	appendStringInfoChar(&segments, '\r');
}

/* Asks a message by a path. */
static void
ask(Datum message, Datum path)
{
	Called		first = CALL(hl7v2_first, GIVEN(message), GIVEN(path));
	Called		all;

	nrows = 0;
	take_row = take_value;
	all = CALL(hl7v2_values, GIVEN(message), GIVEN(path));
	CHECK(first.sqlstate == all.sqlstate);
	if (first.sqlstate == 0 && nrows > 0 && !first.isnull)
		CHECK(same_texts(first.value, PointerGetDatum(first_row)));
	CHECK(first.sqlstate != 0 || first.isnull || nrows > 0);
}

/* Does a message come back from its forms, and is it what its segments are? */
static void
check_message(Datum message)
{
	Called		out = CALL(hl7v2_out, GIVEN(message));
	Called		sent = CALL(hl7v2_send, GIVEN(message));
	text	   *bytes = (text *) DatumGetPointer(sent.value);
	Called		again = CALL(hl7v2_in, GIVEN(out.value));

	CHECK(again.sqlstate == 0 && same_texts(again.value, message));
	again = receive(hl7v2_recv, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	CHECK(again.sqlstate == 0 && same_texts(again.value, message));
	initStringInfo(&segments);
	nrows = 0;
	take_row = take_segment;
	CHECK(CALL(hl7v2_segments, GIVEN(message)).sqlstate == 0);
	CHECK(same_texts(PointerGetDatum(cstring_to_text_with_len(segments.data, segments.len)), message));
}

/* Acknowledges a message, with a text. */
static void
acknowledge(Datum message, Datum text_given)
{
	static const char *const codes[] = {"AA", "CE"};

	for (int i = 0; i < LENGTH(codes); i++)
	{
		Called		ack = CALL(hl7v2_ack, GIVEN(message), GIVEN(PointerGetDatum(cstring_to_text(codes[i]))), GIVEN(text_given));
		Called		again;

		CHECK(ack.sqlstate == 0 && !ack.isnull);
		again = CALL(hl7v2_from_text, GIVEN(ack.value));
		CHECK(again.sqlstate == 0 && same_texts(again.value, ack.value));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;
	int			len = (int) size;
	/* what stands before a null byte is a path */
	const char *null = size == 0 ? NULL : memchr(bytes, '\0', len);
	int			path_len = null == NULL ? 0 : (int) (null - bytes);
	const char *message = null == NULL ? bytes : null + 1;
	int			message_len = null == NULL ? len : len - path_len - 1;
	Datum		path;
	Called		called;

	server_utf8 = is_utf8((Hl7Slice) {bytes, len});
	called = receive(hl7v2_recv, message, message_len);
	path = PointerGetDatum(null == NULL ? cstring_to_text("PID-3.1") : text_of(bytes, path_len));
	if (called.sqlstate == 0)
	{
		Called		of_text = CALL(hl7v2_from_text, GIVEN(PointerGetDatum(text_of(message, message_len))));

		CHECK(of_text.sqlstate == 0 && same_texts(of_text.value, called.value));
		check_message(called.value);
		ask(called.value, path);
		acknowledge(called.value, path);
	}
	server_reset();
	return 0;
}
