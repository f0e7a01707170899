/*
 * hl7v2_type.c
 *	  Type hl7v2: whole messages, and what paths lead to in them.
 *
 * A value is stored as text is: the message with each segment ended by CR.
 */
#include "compat.h"
#include "utils/tuplestore.h"

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "message/hl7v2.h"
#include "message/hl7v2_ack.h"

PG_FUNCTION_INFO_V1(hl7v2_in);
PG_FUNCTION_INFO_V1(hl7v2_out);
PG_FUNCTION_INFO_V1(hl7v2_recv);
PG_FUNCTION_INFO_V1(hl7v2_send);
PG_FUNCTION_INFO_V1(hl7v2_from_text);
PG_FUNCTION_INFO_V1(hl7v2_first);
PG_FUNCTION_INFO_V1(hl7v2_values);
PG_FUNCTION_INFO_V1(hl7v2_segments);
PG_FUNCTION_INFO_V1(hl7v2_ack);

static void *
allocate(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

#define NEW_ARENA {allocate, pfree, NULL}

/* --- input and output ------------------------------------------------------ */

/* Indexes a message. */
static bool
parse(Hl7Message *message, Hl7Arena *arena, const char *data, int len, Hl7Error *error)
{
	message->utf8 = GetDatabaseEncoding() == PG_UTF8;
	return hl7_parse(message, arena, data, len, error);
}

/* The message with each segment ended by CR; NULL, with *error set, if it is none. */
static text *
normalize(const char *data, int len, Hl7Error *error)
{
	Hl7Arena	arena = NEW_ARENA;
	Hl7Message	message;
	text	   *result;
	char	   *out;

	if (!parse(&message, &arena, data, len, error))
	{
		hl7_free(&arena);
		return NULL;
	}
	/* the line ends of what came have room for those that are put */
	result = palloc(VARHDRSZ + (Size) len + 1);
	out = VARDATA(result);
	for (int i = 0; i < message.nsegments; i++)
	{
		const Hl7Segment *s = &message.segments[i];

		memcpy(out, data + s->start, s->end - s->start);
		out += s->end - s->start;
		*out++ = '\r';
	}
	SET_VARSIZE(result, out - (char *) result);
	hl7_free(&arena);
	return result;
}

/* errdetail() for what is none; nothing of the message is shown. */
static int
fault_detail(const Hl7Error *error)
{
	return errdetail("%s Segment %d, byte %d.", hl7_fault_text(error->fault), error->segment, error->position);
}

/* Converts text to a message. */
Datum
hl7v2_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	Hl7Error	error;
	text	   *result = normalize(str, strlen(str), &error);

	if (result == NULL)
		ereturn(WT_ESCONTEXT(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "hl7v2"),
				 fault_detail(&error)));
	PG_RETURN_TEXT_P(result);
}

/* Converts a message to text. */
Datum
hl7v2_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(TextDatumGetCString(PG_GETARG_DATUM(0)));
}

/* Converts the binary format, which is the text, to a message. */
Datum
hl7v2_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			nbytes;
	char	   *str = pq_getmsgtext(buf, buf->len - buf->cursor, &nbytes);
	Hl7Error	error;
	text	   *result = normalize(str, nbytes, &error);

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "hl7v2"),
				 fault_detail(&error)));
	pfree(str);
	PG_RETURN_TEXT_P(result);
}

/* Converts a message to the binary format. */
Datum
hl7v2_send(PG_FUNCTION_ARGS)
{
	text	   *message = PG_GETARG_TEXT_PP(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendtext(&buf, VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* text::hl7v2 */
Datum
hl7v2_from_text(PG_FUNCTION_ARGS)
{
	text	   *str = PG_GETARG_TEXT_PP(0);
	Hl7Error	error;
	text	   *result = normalize(VARDATA_ANY(str), VARSIZE_ANY_EXHDR(str), &error);

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "hl7v2"),
				 fault_detail(&error)));
	PG_RETURN_TEXT_P(result);
}

/* --- paths ----------------------------------------------------------------- */

/* A path and its text, which most calls of a statement share. */
typedef struct KeptPath
{
	int			len;
	Hl7Path		path;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} KeptPath;

/* The path that a text is. */
static const Hl7Path *
path_of(FunctionCallInfo fcinfo, text *t)
{
	KeptPath   *kept = fcinfo->flinfo->fn_extra;
	const char *str = VARDATA_ANY(t);
	int			len = VARSIZE_ANY_EXHDR(t);
	Hl7Path		path;
	int			bad = 0;
	int			bad_len = 0;
	const char *why = NULL;
	int			taken;

	if (kept != NULL && kept->len == len && memcmp(kept->text, str, len) == 0)
		return &kept->path;
	taken = hl7_parse_path(str, len, &path, &bad, &bad_len, &why);
	if (taken > 0 && taken < len)
	{
		bad = taken;
		bad_len = Min(len - taken, 20);
		why = "the path should end here";
		taken = 0;
	}
	if (taken == 0)
	{
		int			whole = pg_mbcliplen(str + bad, len - bad, bad_len);

		/* a character that was cut is shown whole */
		if (whole < bad_len)
			bad_len = whole + pg_mblen(str + bad + whole);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid path of an HL7 v2 message: \"%.*s\"", len, str),
				 bad_len == 0 ? errdetail("At its end: %s.", why)
				 : errdetail("At \"%.*s\": %s.", bad_len, str + bad, why),
				 errhint("A path is written as SEG[n]-F[r].C.S: segment, field, component and subcomponent, as PID-3.1 or OBX[2]-5.")));
	}
	if (kept != NULL)
		pfree(kept);
	kept = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, offsetof(KeptPath, text) + len);
	kept->len = len;
	kept->path = path;
	memcpy(kept->text, str, len);
	fcinfo->flinfo->fn_extra = kept;
	return &kept->path;
}

/* Indexes a stored message. */
static void
open_message(Hl7Message *message, Hl7Arena *arena, text *t)
{
	Hl7Error	error;

	if (!parse(message, arena, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &error))
		elog(ERROR, "stored message is none");
}

/* What a path led to, as text. */
static Datum
value_text(const Hl7Message *message, Hl7Arena *arena, const Hl7Path *path, Hl7Slice value)
{
	if (hl7_is_leaf(message, path, value))
		value = hl7_decode(message, arena, value);
	return PointerGetDatum(cstring_to_text_with_len(value.data, value.len));
}

/* message -> path: the first match, or NULL. */
Datum
hl7v2_first(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);
	const Hl7Path *path = path_of(fcinfo, PG_GETARG_TEXT_PP(1));
	Hl7Arena	arena = NEW_ARENA;
	Hl7Message	message;
	Hl7Slice	value;
	Datum		result = (Datum) 0;

	open_message(&message, &arena, t);
	value = hl7_first_match(&message, path);
	if (!hl7_is_empty(value))
		result = value_text(&message, &arena, path, value);
	hl7_free(&arena);
	if (result == (Datum) 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/* hl7v2_values(message, path): every match. */
Datum
hl7v2_values(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *t = PG_GETARG_TEXT_PP(0);
	const Hl7Path *path = path_of(fcinfo, PG_GETARG_TEXT_PP(1));
	Hl7Arena	arena = NEW_ARENA;
	Hl7Message	message;
	Hl7Slice	value;
	int			segment = -1;
	int			at = 0;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	open_message(&message, &arena, t);
	while (hl7_next_match(&message, path, &segment, &at, &value))
	{
		Datum		text_value = value_text(&message, &arena, path, value);
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(result->setResult, result->setDesc, &text_value, &isnull);
		pfree(DatumGetPointer(text_value));
	}
	hl7_free(&arena);
	return (Datum) 0;
}

/* hl7v2_segments(message): a row a segment. */
Datum
hl7v2_segments(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *t = PG_GETARG_TEXT_PP(0);
	Hl7Arena	arena = NEW_ARENA;
	Hl7Message	message;

	InitMaterializedSRF(fcinfo, 0);
	open_message(&message, &arena, t);
	for (int i = 0; i < message.nsegments; i++)
	{
		const Hl7Segment *s = &message.segments[i];
		Datum		values[3];
		bool		nulls[3] = {0};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(i + 1);
		values[1] = PointerGetDatum(cstring_to_text_with_len(message.data + s->start, 3));
		values[2] = PointerGetDatum(cstring_to_text_with_len(message.data + s->start, s->end - s->start));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(DatumGetPointer(values[1]));
		pfree(DatumGetPointer(values[2]));
	}
	hl7_free(&arena);
	return (Datum) 0;
}

/* --- acknowledgements ------------------------------------------------------ */

/* A control id that no other call gives: the time and the backend. */
static char *
new_control_id(void)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	last = Max(now, last + 1);
	/* at most 20 characters, as the older versions allow */
	return psprintf("%llX%X", (unsigned long long) last, (unsigned int) MyProcPid);
}

/* hl7v2_ack(message, code, text): the acknowledgement of a message. */
Datum
hl7v2_ack(PG_FUNCTION_ARGS)
{
	static const char *const codes[] = {"AA", "AE", "AR", "CA", "CE", "CR"};
	Hl7Arena	arena = NEW_ARENA;
	Hl7Message	message;
	Hl7Ack		ack = {0};
	char	   *code;
	pg_time_t	now = timestamptz_to_time_t(GetCurrentTimestamp());
	char		time[32];
	char	   *out;
	int			len;
	Hl7Error	error;
	text	   *result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	code = text_to_cstring(PG_GETARG_TEXT_PP(1));
	for (int i = 0; i < lengthof(codes); i++)
		if (strcmp(codes[i], code) == 0)
			ack.code = codes[i];
	if (ack.code == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid acknowledgement code \"%s\"", code),
				 errhint("The codes are AA, AE and AR, and CA, CE and CR in enhanced mode.")));
	if (!PG_ARGISNULL(2))
	{
		text	   *t = PG_GETARG_TEXT_PP(2);

		/* cut here, where the encoding is known */
		ack.text.data = VARDATA_ANY(t);
		ack.text.len = pg_mbcliplen(ack.text.data, VARSIZE_ANY_EXHDR(t), HL7_ACK_TEXT_MAX);
	}
	open_message(&message, &arena, PG_GETARG_TEXT_PP(0));
	pg_strftime(time, sizeof(time), "%Y%m%d%H%M%S%z", pg_localtime(&now, session_timezone));
	ack.time = time;
	ack.control_id = new_control_id();
	out = hl7_build_ack(&message, &arena, &ack, &len);
	/* what is repeated of the message may end as frames do, which no segment keeps at its end */
	result = normalize(out, len, &error);
	if (result == NULL)
		elog(ERROR, "acknowledgement is none");
	PG_RETURN_TEXT_P(result);
}
