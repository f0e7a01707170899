/*
 * inbox.c
 *	  The two ways in: rows of view inbox, gathered until there are many or the
 *	  statement ends, and ingest_hl7v2(), which answers.
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "message/charset.h"
#include "message/hl7v2_ack.h"
#include "message/inbox.h"
#include "message/key.h"

PG_FUNCTION_INFO_V1(inbox_received);
PG_FUNCTION_INFO_V1(inbox_done);
PG_FUNCTION_INFO_V1(ingest_hl7v2_text);
PG_FUNCTION_INFO_V1(ingest_hl7v2_bytes);
PG_FUNCTION_INFO_V1(reprocess_message);

/* So many messages, or so many bytes of them, are stored together. */
#define MANY_MESSAGES 1000
#define MANY_BYTES (4 * 1024 * 1024)

const char *const message_status_names[] = {
	"processed", "resent", "repeated", "unmapped", "incomplete", "rejected"
};

/* A row of inbox that waits to be stored. */
typedef struct Waiting
{
	char	   *data;
	int			len;
	bool		is_text;
	int			nest_level;		/* of the subtransaction that it came in */
} Waiting;

/* In a context of the transaction's, so NULL outside. */
static MemoryContext waiting_context = NULL;
static Waiting *waiting = NULL;
static int	nwaiting = 0;
static int	waiting_size = 0;
static Size waiting_bytes = 0;

/* --- memory ---------------------------------------------------------------- */

static void *
allocate(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

Hl7Arena *
message_arena(void)
{
	Hl7Arena   *arena = palloc(sizeof(Hl7Arena));

	*arena = (Hl7Arena) {allocate, pfree, NULL};
	return arena;
}

/* --- splitting ------------------------------------------------------------- */

/* How many messages BTS, at s, says that the batch has; -1 if it does not tell. */
static int
told_count(const char *s, const char *end)
{
	int			count = 0;
	bool		any = false;

	for (s += 4; s < end && *s >= '0' && *s <= '9' && count < 100000000; s++)
	{
		count = count * 10 + (*s - '0');
		any = true;
	}
	return any ? count : -1;
}

/* Notes where a batch ends that tells of other messages than came; of the first, `came` came before it, -1 is not known. */
static void
check_counts(Received *envelope, int came)
{
	const char *s = envelope->bytes.data;
	const char *end = s + envelope->bytes.len;

	while (end - s >= 3)
	{
		if (memcmp(s, "BTS", 3) == 0)
		{
			int			told = told_count(s, end);

			if (told >= 0 && came >= 0 && told != came)
				note_problem(envelope, MESSAGE_INCOMPLETE, "batch_count", "BTS-1 says %d messages, and %d came", told, came);
			came = -1;
		}
		else if (memcmp(s, "BHS", 3) == 0)
			came = 0;
		while (s < end && *s != '\r' && *s != '\n')
			s++;
		s++;
	}
}

/* What came, and how far it is split. */
typedef struct Splitter
{
	const char *data;
	int			len;
	bool		is_text;
	int			at;
	int			in_batch;		/* messages since the last segment that holds a batch together */
	bool		any;			/* was there one? */
} Splitter;

/* The next message, or what holds a batch together; NULL at the end.  What is empty is a message too. */
static Received *
next_received(Splitter *splitter)
{
	Hl7Slice	part = {"", 0};
	Hl7PartKind kind = HL7_MESSAGE;
	Received   *r;

	if (!hl7_next_part(splitter->data, splitter->len, &splitter->at, &part, &kind) && splitter->any)
		return NULL;
	r = palloc0(sizeof(Received));
	r->bytes = part;
	r->is_text = splitter->is_text;
	r->part = kind;
	r->encoding = -1;
	if (kind == HL7_ENVELOPE)
	{
		check_counts(r, splitter->any ? splitter->in_batch : -1);
		splitter->in_batch = 0;
	}
	else
		splitter->in_batch++;
	splitter->any = true;
	return r;
}

/* --- gathering ------------------------------------------------------------- */

/* Forgets what waits. */
static void
forget_waiting(void)
{
	waiting_context = NULL;
	waiting = NULL;
	nwaiting = 0;
	waiting_size = 0;
	waiting_bytes = 0;
}

/*
 * Takes what waits, in memory of its own where it is all.  What came before a
 * subtransaction waits on: it must not be lost where that is rolled back.
 */
static Waiting *
take_waiting(int *n, MemoryContext *rows)
{
	int			level = GetCurrentTransactionNestLevel();
	int			first = nwaiting;
	Waiting    *taken = waiting;

	while (first > 0 && waiting[first - 1].nest_level >= level)
		first--;
	*n = nwaiting - first;
	*rows = NULL;
	if (*n == 0)
		return NULL;
	if (first == 0)
	{
		*rows = waiting_context;
		forget_waiting();
		return taken;
	}
	taken = palloc(sizeof(Waiting) * *n);
	memcpy(taken, waiting + first, sizeof(Waiting) * *n);
	nwaiting = first;
	for (int i = 0; i < *n; i++)
		waiting_bytes -= taken[i].len;
	return taken;
}

/* Stores what waits, some messages at a time: a row may have any number. */
static void
store_waiting(void)
{
	int			n;
	MemoryContext rows;
	/* what comes while these are stored begins anew */
	Waiting    *w = take_waiting(&n, &rows);
	MemoryContext context;
	MemoryContext old;
	List	   *messages = NIL;
	Size		bytes = 0;

	if (n == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track messages", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	for (int i = 0; i < n; i++)
	{
		Splitter	splitter = {.data = w[i].data,.len = w[i].len,.is_text = w[i].is_text};
		Received   *r;

		while ((r = next_received(&splitter)) != NULL)
		{
			messages = lappend(messages, r);
			bytes += r->bytes.len;
			if (list_length(messages) < MANY_MESSAGES && bytes < MANY_BYTES)
				continue;
			store_messages(messages, message_arena());
			MemoryContextReset(context);
			messages = NIL;
			bytes = 0;
		}
	}
	if (messages != NIL)
		store_messages(messages, message_arena());
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	if (rows != NULL)
		MemoryContextDelete(rows);
	else
		for (int i = 0; i < n; i++)
			pfree(w[i].data);
}

/* Keeps a row. */
static void
keep_waiting(const char *data, int len, bool is_text)
{
	Waiting    *w;

	if (waiting_context == NULL)
	{
		waiting_context = AllocSetContextCreate(TopTransactionContext, "workflow_track inbox", ALLOCSET_DEFAULT_SIZES);
		waiting = MemoryContextAlloc(waiting_context, sizeof(Waiting) * MANY_MESSAGES);
		waiting_size = MANY_MESSAGES;
	}
	if (nwaiting == waiting_size)
	{
		waiting = repalloc_huge(waiting, sizeof(Waiting) * waiting_size * 2);
		waiting_size *= 2;
	}
	w = &waiting[nwaiting];
	w->data = MemoryContextAllocHuge(waiting_context, (Size) len + 1);
	memcpy(w->data, data, len);
	w->data[len] = '\0';
	w->len = len;
	w->is_text = is_text;
	w->nest_level = GetCurrentTransactionNestLevel();
	nwaiting++;
	waiting_bytes += len;
	if (nwaiting >= MANY_MESSAGES || waiting_bytes >= MANY_BYTES)
		store_waiting();
}

/* Forgets what a subtransaction gathered that is rolled back. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (nwaiting > 0 && waiting[nwaiting - 1].nest_level >= level)
			waiting_bytes -= waiting[--nwaiting].len;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (int i = nwaiting - 1; i >= 0 && waiting[i].nest_level >= level; i--)
			waiting[i].nest_level = level - 1;
}

/* Forgets what waits when a transaction ends; of one that commits, statements have stored it. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		forget_waiting();
}

/* Asks to be called at the ends of transactions. */
void
inbox_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
	notes_init();
}

/* May it be the name of a format?  A message in the wrong column is not to be shown. */
static bool
is_format_name(const char *s)
{
	size_t		len = strlen(s);

	return len <= 20 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* Instead of inserting a row into inbox: keeps it. */
Datum
inbox_received(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	Datum		format;
	Datum		body;
	Datum		raw;
	bool		no_format;
	bool		no_body;
	bool		no_raw;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an INSTEAD OF INSERT trigger")));
	desc = RelationGetDescr(trigger->tg_relation);
	format = heap_getattr(trigger->tg_trigtuple, 1, desc, &no_format);
	body = heap_getattr(trigger->tg_trigtuple, 2, desc, &no_body);
	raw = heap_getattr(trigger->tg_trigtuple, 3, desc, &no_raw);
	if (!no_format && strcmp(TextDatumGetCString(format), "hl7v2") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 is_format_name(TextDatumGetCString(format))
				 ? errmsg("messages of format \"%s\" are not supported", TextDatumGetCString(format))
				 : errmsg("messages of another format than \"hl7v2\" are not supported"),
				 errhint("The format of HL7 v2 messages is hl7v2.")));
	if (!no_body && !no_raw)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a row of inbox has both body and raw"),
				 errhint("body is for text, raw for the bytes as they came; give one of them.")));
	if (!no_raw)
	{
		bytea	   *b = DatumGetByteaPP(raw);

		keep_waiting(VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b), false);
	}
	else if (!no_body)
	{
		text	   *t = DatumGetTextPP(body);

		keep_waiting(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), true);
	}
	else
		keep_waiting("", 0, true);
	return PointerGetDatum(trigger->tg_trigtuple);
}

/* After a statement that inserted into inbox: stores what it gathered. */
Datum
inbox_done(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an AFTER STATEMENT trigger")));
	store_waiting();
	return PointerGetDatum(NULL);
}

/* --- answering ------------------------------------------------------------- */

/* Does the sender want an answer under such a condition of MSH-15 or MSH-16? */
static bool
is_wanted(Hl7Slice condition, bool good)
{
	condition = hl7_trim(condition);
	if (hl7_equal(condition, "NE"))
		return false;
	if (hl7_equal(condition, "ER"))
		return !good;
	if (hl7_equal(condition, "SU"))
		return good;
	return condition.len > 0 && !hl7_is_delete(condition);
}

/* The code that a message is answered with; NULL where its sender wants no answer. */
static const char *
answer_code(const Received *r)
{
	bool		good = r->answer_as != MESSAGE_REJECTED;
	const char *code = good ? "AA" : r->rejected_code;
	Hl7Slice	accept = {NULL, 0};
	Hl7Slice	application = {NULL, 0};

	if (r->has_header)
	{
		accept = hl7_trim(hl7_field(&r->message, 0, 15));
		application = hl7_trim(hl7_field(&r->message, 0, 16));
	}
	if (accept.len == 0 && application.len == 0)
		return code;			/* original mode */
	if (is_wanted(accept, good))
		return psprintf("C%c", code[1]);
	return is_wanted(application, good) ? code : NULL;
}

/* Now, as HL7 writes it. */
static char *
hl7_now(void)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			zone;
	char	   *text = palloc(32);

	if (timestamp2tm(GetCurrentTimestamp(), &zone, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	snprintf(text, 32, "%04d%02d%02d%02d%02d%02d%c%02d%02d", tm.tm_year, tm.tm_mon, tm.tm_mday,
			 tm.tm_hour, tm.tm_min, tm.tm_sec, zone > 0 ? '-' : '+', abs(zone) / 3600, abs(zone) / 60 % 60);
	return text;
}

/* HL7 table 0357, for what a message was rejected for. */
static const char *
error_code(const Received *r)
{
	if (r->error.fault == HL7_NO_MSH || r->error.fault == HL7_BAD_SEGMENT_NAME || r->error.fault == HL7_SECOND_MSH)
		return "100";			/* segment sequence error */
	if (r->error.fault == HL7_TRUNCATED_MSH ||
		(r->problems != NIL && strcmp(linitial(r->problems), "no_message_type") == 0))
		return "101";			/* required field missing */
	return "207";				/* application internal error, or what has no other number */
}

/* Adds the answer to a message. */
static void
append_answer(StringInfo out, const Received *r, Hl7Arena *arena)
{
	const char *code = answer_code(r);
	Hl7Ack		ack = {0};
	char	   *text;
	int			len;

	if (code == NULL)
		return;
	ack.code = code;
	ack.control_id = psprintf("WT" INT64_FORMAT, r->message_id);
	ack.time = hl7_now();
	if (r->answer_as == MESSAGE_REJECTED)
	{
		ack.error_code = error_code(r);
		ack.error_segment = r->error.segment;
		if (r->explanation != NULL)
			ack.text = (Hl7Slice) {r->explanation->data, pg_mbcliplen(r->explanation->data, r->explanation->len, HL7_ACK_TEXT_MAX)};
	}
	text = hl7_build_ack(r->has_header ? &r->message : NULL, arena, &ack, &len);
	appendBinaryStringInfo(out, text, len);
}

/* Stores what came and answers: a batch with a batch; false where nobody wants an answer. */
static bool
ingest(const char *data, int len, bool is_text, StringInfo answer, int *encoding)
{
	Hl7Arena   *arena = message_arena();
	Splitter	splitter = {.data = data,.len = len,.is_text = is_text};
	List	   *messages = NIL;
	Received   *next;
	bool		in_batch;
	int			answers = 0;
	ListCell   *lc;

	while ((next = next_received(&splitter)) != NULL)
		messages = lappend(messages, next);
	Assert(messages != NIL);
	in_batch = ((Received *) linitial(messages))->part == HL7_ENVELOPE;
	store_messages(messages, arena);
	initStringInfo(answer);
	*encoding = -1;
	if (in_batch)
		appendStringInfo(answer, "BHS|^~\\&|||||%s||||WT" INT64_FORMAT "\r", hl7_now(),
						 ((Received *) linitial(messages))->message_id);
	foreach(lc, messages)
	{
		const Received *r = lfirst(lc);
		int			before = answer->len;

		if (r->part == HL7_ENVELOPE)
			continue;
		append_answer(answer, r, arena);
		answers += answer->len > before;
		*encoding = r->encoding;
	}
	if (in_batch)
		appendStringInfo(answer, "BTS|%d\r", answers);
	return answer->len > 0;
}

/* ingest_hl7v2(text): stores messages and what they mean, and returns the acknowledgement. */
Datum
ingest_hl7v2_text(PG_FUNCTION_ARGS)
{
	text	   *message = PG_GETARG_TEXT_PP(0);
	StringInfoData answer;
	int			encoding;

	if (!ingest(VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message), true, &answer, &encoding))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(answer.data, answer.len));
}

/* ingest_hl7v2(bytea): the same of bytes in the sender's character set. */
Datum
ingest_hl7v2_bytes(PG_FUNCTION_ARGS)
{
	bytea	   *message = PG_GETARG_BYTEA_PP(0);
	StringInfoData answer;
	int			encoding;

	if (!ingest(VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message), false, &answer, &encoding))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(charset_encode(encoding, (Hl7Slice) {answer.data, answer.len}));
}

/* reprocess(message_id): applies the rules of now to a stored message; returns its status. */
Datum
reprocess_message(PG_FUNCTION_ARGS)
{
	MessageStatus status;

	if (!store_again(PG_GETARG_INT64(0), message_arena(), &status))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("message " INT64_FORMAT " does not exist", PG_GETARG_INT64(0))));
	PG_RETURN_TEXT_P(cstring_to_text(message_status_names[status]));
}
