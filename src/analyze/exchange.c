/*
 * exchange.c
 *	  The log for other programs: the events of cases with all their columns, in
 *	  order, as far as the caller sees them; and what their formats need.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "analyze/log.h"
#include "detect/event.h"
#include "detect/rules.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(log_events);
PG_FUNCTION_INFO_V1(log_left_out);
PG_FUNCTION_INFO_V1(pseudonym);
PG_FUNCTION_INFO_V1(xes_attribute);

/* What is exported. */
typedef struct Export
{
	TimestampTz since;
	TimestampTz until;
	bool		by_event;		/* events of the time, of whatever case? */
	bool		by_patient;		/* those of no encounter too, by patient? */
	EventLog   *log;
	bool	   *is_seen;		/* facilities, by number */
	int			size;
	LogEvent   *taken;			/* of one case */
} Export;

/* Columns before those of the event. */
enum
{
	LE_CASE_PATIENT, LE_CASE_ENCOUNTER, LE_PLACE, LE_EVENTS, LE_ROLE, LE_CASE_SUBJECT,
	LE_NCOLUMNS
};

/* Reads the log, and which of its facilities are asked for and seen. */
static void
export_begin(Export *export, FunctionCallInfo fcinfo)
{
	static const char *const words[] = {"encounters", "patients", "events"};
	LogFilter	filter;
	Visible    *visible = visible_to_user();
	Str			only = {NULL, 0};
	int			word = 0;

	memset(export, 0, sizeof(Export));
	export->since = PG_ARGISNULL(0) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(0);
	export->until = PG_ARGISNULL(1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(1);
	if (!PG_ARGISNULL(2))
		only = str_of_datum(PG_GETARG_DATUM(2));
	if (!PG_ARGISNULL(3))
	{
		Str			cases = str_of_datum(PG_GETARG_DATUM(3));

		while (word < lengthof(words) && !str_is(cases, words[word]))
			word++;
	}
	if (PG_ARGISNULL(3) || word == lengthof(words))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid kind of cases"),
				 errhint("Use encounters or patients.")));
	export->by_patient = word == 1;
	export->by_event = word == 2;
	memset(&filter, 0, sizeof(filter));
	filter.since = DT_NOBEGIN;
	filter.until = DT_NOEND;
	filter.loose = true;
	filter.named = true;
	export->log = log_read(&filter);
	export->is_seen = palloc(sizeof(bool) * Max(log_count_facilities(export->log), 1));
	for (int f = 0; f < log_count_facilities(export->log); f++)
	{
		Str			facility = log_facility(export->log, f);

		export->is_seen[f] = is_visible(visible, facility) && (only.data == NULL || str_equal(facility, only));
	}
}

/* Is it in the time asked for?  Of the time before the horizon not all is there. */
static bool
is_in_time(const Export *export, TimestampTz at)
{
	return at >= export->since && at < export->until && at >= log_horizon(export->log);
}

/* Takes what is exported of a case, in order; gives how many events that are.  left_out tells those of no encounter. */
static int
take_case(Export *export, int case_no, int64 *left_out)
{
	int			n;
	int			ntaken = 0;
	LogEvent   *events = log_case(export->log, case_no, &n);
	TupleTableSlot *first = log_row(export->log, &events[0]);
	bool		is_loose = first->tts_isnull[EV_ENCOUNTER_ID];
	bool		whole = !is_loose && !export->by_event;

	if (whole && events[0].at < log_horizon(export->log))
		return 0;
	if (n > export->size)
	{
		export->size = Max(64, n * 2);
		export->taken = export->taken == NULL ? palloc_extended(sizeof(LogEvent) * export->size, MCXT_ALLOC_HUGE)
			: repalloc_huge(export->taken, sizeof(LogEvent) * export->size);
	}
	for (int i = 0; i < n; i++)
		if (export->is_seen[events[i].facility] && (whole || is_in_time(export, events[i].at)))
			export->taken[ntaken++] = events[i];
	if (is_loose && !export->by_event && !export->by_patient)
	{
		*left_out += ntaken;
		return 0;
	}
	return whole && ntaken > 0 && !is_in_time(export, export->taken[0].at) ? 0 : ntaken;
}

/* A text as a datum. */
static Datum
str_datum(Str s, bool *isnull)
{
	*isnull = s.data == NULL;
	return *isnull ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* Puts the events of a case into the result; scratch is emptied after each. */
static void
put_case(ReturnSetInfo *result, Export *export, int n, MemoryContext scratch)
{
	Datum		values[LE_NCOLUMNS + EV_NCOLUMNS];
	bool		nulls[LE_NCOLUMNS + EV_NCOLUMNS] = {0};

	for (int i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(i == 0 ? CurrentMemoryContext : scratch);
		Event	   *e = log_event(export->log, &export->taken[i]);
		TupleTableSlot *slot = log_row(export->log, &export->taken[i]);

		if (i == 0)
		{
			values[LE_CASE_PATIENT] = str_datum(log_patient(export->log, e->patient), &nulls[LE_CASE_PATIENT]);
			values[LE_CASE_ENCOUNTER] = str_datum(e->encounter, &nulls[LE_CASE_ENCOUNTER]);
			values[LE_EVENTS] = Int64GetDatum(n);
		}
		values[LE_PLACE] = Int64GetDatum(i + 1);
		values[LE_ROLE] = str_datum(actor_role(e), &nulls[LE_ROLE]);
		values[LE_CASE_SUBJECT] = str_datum(log_subject(export->log, e->patient, e->subject), &nulls[LE_CASE_SUBJECT]);
		for (int c = 0; c < EV_NCOLUMNS; c++)
		{
			nulls[LE_NCOLUMNS + c] = slot->tts_isnull[c];
			values[LE_NCOLUMNS + c] = slot->tts_values[c];
			if (!slot->tts_isnull[c] && TupleDescAttr(slot->tts_tupleDescriptor, c)->attlen == -1)
				values[LE_NCOLUMNS + c] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(slot->tts_values[c]));
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
}

/*
 * log_events(since, until, facility, cases): the events of cases that began in a
 * time, case by case in canonical order; or, of cases "events", those of the time.
 */
Datum
log_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow_track export", ALLOCSET_DEFAULT_SIZES);
	MemoryContext of_case = AllocSetContextCreate(CurrentMemoryContext, "workflow_track exported case", ALLOCSET_DEFAULT_SIZES);
	Export		export;
	int64		left_out = 0;

	InitMaterializedSRF(fcinfo, 0);
	export_begin(&export, fcinfo);
	for (int c = 0; c < log_count_cases(export.log); c++)
	{
		int			n = take_case(&export, c, &left_out);
		MemoryContext old = MemoryContextSwitchTo(of_case);

		put_case(result, &export, n, scratch);
		MemoryContextSwitchTo(old);
		MemoryContextReset(of_case);
	}
	log_done(export.log);
	return (Datum) 0;
}

/* log_left_out(since, until, facility, cases): how many events log_events() leaves out because they have no encounter. */
Datum
log_left_out(PG_FUNCTION_ARGS)
{
	Export		export;
	int64		left_out = 0;

	export_begin(&export, fcinfo);
	for (int c = 0; c < log_count_cases(export.log); c++)
		(void) take_case(&export, c, &left_out);
	log_done(export.log);
	PG_RETURN_INT64(left_out);
}

/* --- formats --------------------------------------------------------------- */

/* pseudonym(salt, what, id): the id itself without a salt, else what nobody can tell it from who has not the salt. */
Datum
pseudonym(PG_FUNCTION_ARGS)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char		hex[PG_SHA256_DIGEST_LENGTH + 1];
	Str			parts[3];
	pg_hmac_ctx *hmac;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(2));
	for (int i = 0; i < lengthof(parts); i++)
		parts[i] = str_of_datum(PG_GETARG_DATUM(i));
	hmac = pg_hmac_create(PG_SHA256);
	/* the name of what it is ends with a null byte, which no text has */
	if (hmac == NULL || pg_hmac_init(hmac, (const uint8 *) parts[0].data, parts[0].len) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) parts[1].data, parts[1].len) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) "", 1) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) parts[2].data, parts[2].len) < 0 ||
		pg_hmac_final(hmac, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a pseudonym");
	pg_hmac_free(hmac);
	/* half of it is as good, and fits a screen */
	hex_encode((const char *) digest, PG_SHA256_DIGEST_LENGTH / 2, hex);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(hex, PG_SHA256_DIGEST_LENGTH));
}

/* Is there a character that XML 1.0 cannot hold?  Of those that are no control characters, UTF-8 has two. */
static bool
is_unfit(const char *s, const char *end, int len)
{
	unsigned char c = (unsigned char) *s;

	if (len == 1)
		return c < ' ' && c != '\t' && c != '\n' && c != '\r';
	return len == 3 && s + 3 <= end && GetDatabaseEncoding() == PG_UTF8 && memcmp(s, "\xEF\xBF", 2) == 0 &&
		((unsigned char) s[2] == 0xBE || (unsigned char) s[2] == 0xBF);
}

/* Appends a text as the value of an XML attribute, in one line. */
static void
append_xml(StringInfo out, Str text)
{
	const char *end = text.data + text.len;

	for (const char *s = text.data; s < end;)
	{
		int			len = pg_mblen(s);

		if (is_unfit(s, end, len))
			appendStringInfoString(out, "&#xFFFD;");
		else if (*s == '&')
			appendStringInfoString(out, "&amp;");
		else if (*s == '<')
			appendStringInfoString(out, "&lt;");
		else if (*s == '>')
			appendStringInfoString(out, "&gt;");
		else if (*s == '"')
			appendStringInfoString(out, "&quot;");
		else if ((unsigned char) *s < ' ')
			appendStringInfo(out, "&#%d;", *s);
		else
			appendBinaryStringInfo(out, s, len);
		s += len;
	}
}

/* xes_attribute(type, key, value): <type key="..." value="..."/>, null of a null. */
Datum
xes_attribute(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	Str			type = str_of_datum(PG_GETARG_DATUM(0));

	initStringInfo(&out);
	appendStringInfo(&out, "<%.*s key=\"", type.len, type.data);
	append_xml(&out, str_of_datum(PG_GETARG_DATUM(1)));
	appendStringInfoString(&out, "\" value=\"");
	append_xml(&out, str_of_datum(PG_GETARG_DATUM(2)));
	appendStringInfoString(&out, "\"/>");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
