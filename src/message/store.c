/*
 * store.c
 *	  Messages and what they mean, written.
 *
 * A message is told from one that came before by two unique keys of table
 * message_key: its content, and its sender and control id.  Two sessions that
 * receive the same at once meet there: the second waits for the first.
 *
 * Rows of message go straight into the month's partition; what may have triggers
 * or conflicts is written by SQL, a statement for all messages at once.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "access/table.h"

#include "detect/table.h"
#include "message/inbox.h"
#include "record/owner.h"
#include "record/partition.h"

PG_FUNCTION_INFO_V1(message_events);

/* Columns of message, in its order. */
enum
{
	MS_MESSAGE_ID, MS_RECEIVED_AT, MS_FORMAT, MS_FACILITY, MS_SOURCE_SYSTEM, MS_CONTROL_ID, MS_MESSAGE_TYPE,
	MS_BODY, MS_RAW, MS_BODY_HASH, MS_STATUS, MS_PROBLEM, MS_EXPLANATION, MS_ATTEMPTS, MS_CARE_FACILITY,
	MS_PATIENT_ID, MS_ENCOUNTER_ID, MS_SUBJECT, MS_PROBLEMS, MS_IDENTIFIERS, MS_IS_RESULT, MS_NCOLUMNS
};

/* Content that came again later than this is new. */
#define REPEATED_WITHIN (30 * USECS_PER_DAY)

/* The events that message_events() gives. */
static List *events_to_record = NIL;

/* --- SQL ------------------------------------------------------------------- */

/* A statement, planned when it is first needed. */
typedef struct Statement
{
	const char *sql;
	int			nargs;
	Oid			types[6];
	SPIPlanPtr	plan;
} Statement;

static Statement insert_keys = {
	"INSERT INTO workflow_track.message_key (content_hash, body_hash, id_hash, message_id, received_at) "
	"SELECT u.c, u.b, u.i, u.m, pg_catalog.now() FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), "
	"pg_catalog.unnest($3), pg_catalog.unnest($4)) u (c, b, i, m) ON CONFLICT DO NOTHING RETURNING message_id",
	4, {UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID}
};

static Statement find_key = {
	"SELECT k.message_id, k.received_at, k.body_hash, m.status FROM workflow_track.message_key k "
	"LEFT JOIN workflow_track.message m ON m.message_id OPERATOR(pg_catalog.=) k.message_id "
	"AND m.received_at OPERATOR(pg_catalog.=) k.received_at WHERE k.content_hash OPERATOR(pg_catalog.=) $1",
	1, {UUIDOID}
};

static Statement renew_key = {
	"UPDATE workflow_track.message_key SET body_hash = $2, message_id = $3, received_at = pg_catalog.now() "
	"WHERE content_hash OPERATOR(pg_catalog.=) $1",
	3, {UUIDOID, UUIDOID, INT8OID}
};

#define COLUMNS_WITH(e, code) \
	e "occurred_at, " e "source_sequence, " e "time_precision, " e "planned_at, " e "facility, " e "patient_id, " \
	e "encounter_id, " e "subject, " e "item, " e "kind, " code ", " e "value, " e "severity, " e "actor, " \
	e "actor_role, " e "recipient, " e "recipient_role, " e "source_system, " e "entry_method, " e "message_id, " e "detail"
#define EVENT_COLUMNS(e) COLUMNS_WITH(e, e "code")
/* equality of codes is an operator of ours, which a row comparison would look for in pg_catalog */
#define EVENT_ROW(e) "ROW(" COLUMNS_WITH(e, e "code::pg_catalog.text") ")"

static Statement insert_events = {
	"INSERT INTO workflow_track.event (" EVENT_COLUMNS("") ") "
	"SELECT " EVENT_COLUMNS("n.") " FROM workflow_track.message_events() n",
	0, {0}
};

/* What a message gave before counts, unless it was taken back when it was read anew. */
static Statement insert_new_events = {
	"INSERT INTO workflow_track.event (" EVENT_COLUMNS("") ") "
	"SELECT " EVENT_COLUMNS("n.") " FROM workflow_track.message_events() n WHERE NOT EXISTS ("
	"SELECT FROM workflow_track.event o LEFT JOIN workflow_track.retraction r ON r.event_id OPERATOR(pg_catalog.=) o.event_id "
	"WHERE o.patient_id OPERATOR(pg_catalog.=) n.patient_id AND o.message_id OPERATOR(pg_catalog.=) $1 "
	"AND (r.retracted_reason IS NULL OR r.retracted_reason OPERATOR(pg_catalog.<>) 'message read anew') "
	"AND " EVENT_ROW("o.") " IS NOT DISTINCT FROM " EVENT_ROW("n.") ")",
	1, {INT8OID}
};

static Statement retract_old_events = {
	"INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by) "
	"SELECT o.patient_id, o.event_id, o.occurred_at, 'message read anew', SESSION_USER FROM workflow_track.event o "
	"WHERE o.patient_id OPERATOR(pg_catalog.=) ANY ($2) AND o.message_id OPERATOR(pg_catalog.=) $1 "
	"AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id OPERATOR(pg_catalog.=) o.event_id) "
	"AND NOT EXISTS (SELECT FROM workflow_track.message_events() n "
	"WHERE " EVENT_ROW("o.") " IS NOT DISTINCT FROM " EVENT_ROW("n.") ")",
	2, {INT8OID, TEXTARRAYOID}
};

static Statement insert_cancellation = {
	"INSERT INTO workflow_track.cancellation (patient_id, occurred_at, kinds, encounter_id, subject, item, detail, "
	"every_one, reason, message_id) VALUES ($1, $2, $3, ($4)[1], ($4)[2], ($4)[3], ($5)[1], ($5)[2] IS NOT NULL, "
	"pg_catalog.format('called off by message %s', $6), $6)",
	6, {TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, JSONBARRAYOID, INT8OID}
};

static Statement delete_cancellations = {
	"DELETE FROM workflow_track.cancellation WHERE message_id OPERATOR(pg_catalog.=) $1", 1, {INT8OID}
};

static Statement insert_answer = {
	"INSERT INTO workflow_track.message_answer (answered, code, explanation, message_id, received_at) "
	"VALUES ($1, $2, $3, $4, $5)",
	5, {UUIDOID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID}
};

static Statement delete_answers = {
	"DELETE FROM workflow_track.message_answer WHERE message_id OPERATOR(pg_catalog.=) $1", 1, {INT8OID}
};

static Statement make_recordable = {
	"SELECT workflow_track.make_recordable($1)", 1, {TIMESTAMPTZOID}
};

static Statement make_month = {
	"SELECT workflow_track.make_message_month()", 0, {0}
};

static Statement read_message = {
	"SELECT m.received_at, m.body, m.raw, m.status, m.identifiers FROM workflow_track.message m "
	"WHERE m.message_id OPERATOR(pg_catalog.=) $1 AND m.format OPERATOR(pg_catalog.=) 'hl7v2' FOR UPDATE",
	1, {INT8OID}
};

static Statement update_message = {
	"UPDATE workflow_track.message m SET facility = n.facility, source_system = n.source_system, control_id = n.control_id, "
	"message_type = n.message_type, body = n.body, raw = n.raw, body_hash = n.body_hash, status = n.status, "
	"problem = n.problem, explanation = n.explanation, attempts = m.attempts OPERATOR(pg_catalog.+) 1, "
	"care_facility = n.care_facility, patient_id = n.patient_id, encounter_id = n.encounter_id, subject = n.subject, "
	"problems = n.problems, identifiers = n.identifiers, is_result = n.is_result FROM (SELECT ($1).*) n "
	"WHERE m.message_id OPERATOR(pg_catalog.=) n.message_id AND m.received_at OPERATOR(pg_catalog.=) n.received_at",
	1, {0}
};

/* Runs a statement; NULLs are told by 'n' in nulls. */
static void
run(Statement *statement, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->nargs, statement->types);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
	result = SPI_execute_plan(statement->plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	MemoryContextSwitchTo(context);
}

/* --- keys ------------------------------------------------------------------ */

/* What has a key. */
typedef struct KeyHolder
{
	int64		message_id;
	TimestampTz received_at;
	bool		same_body;
	MessageStatus status;
} KeyHolder;

static int
compare_hashes(const pg_uuid_t *a, const pg_uuid_t *b, const Received *one, const Received *other)
{
	int			cmp = memcmp(a->data, b->data, UUID_LEN);

	return cmp != 0 ? cmp : one->message_id < other->message_id ? -1 : one->message_id > other->message_id;
}

static int
compare_content(const ListCell *a, const ListCell *b)
{
	const Received *one = lfirst(a);
	const Received *other = lfirst(b);

	return compare_hashes(&one->content_hash, &other->content_hash, one, other);
}

static int
compare_id(const ListCell *a, const ListCell *b)
{
	const Received *one = lfirst(a);
	const Received *other = lfirst(b);

	return compare_hashes(&one->id_hash, &other->id_hash, one, other);
}

static int
compare_arrival(const ListCell *a, const ListCell *b)
{
	const Received *one = lfirst(a);
	const Received *other = lfirst(b);

	return one->message_id < other->message_id ? -1 : one->message_id > other->message_id;
}

static bool
same_uuid(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

/* Makes a message one that came before: nothing comes of it again; what its content lacks it still does. */
static void
came_before(Received *r, bool resent, int64 same, const KeyHolder *original)
{
	ListCell   *lc;

	r->status = MESSAGE_PROCESSED;
	foreach(lc, r->problems)
		if (strcmp(lfirst(lc), "id_reuse") == 0)
			r->problems = foreach_delete_current(r->problems, lc);
	r->explanation = NULL;
	note_problem(r, resent ? MESSAGE_RESENT : MESSAGE_REPEATED, NULL,
				 resent ? "the same as message " INT64_FORMAT
				 : "the same as message " INT64_FORMAT " but for MSH-7, MSH-10 and MSH-13", same);
	r->original = original->message_id;
	r->answer_as = original->status;
	r->events = NIL;
	r->cancellations = NIL;
	r->answers = NIL;
	r->naliases = 0;
}

static void
note_reuse(Received *r)
{
	note_problem(r, MESSAGE_PROCESSED, "id_reuse", "its sender used the control id for another content before");
	r->has_id = false;
}

/* Of messages that came together, finds those with the id of one before them and another content. */
static void
compare_ids(List *messages)
{
	List	   *with_id = NIL;
	Received   *before = NULL;
	ListCell   *lc;

	foreach(lc, messages)
		if (((Received *) lfirst(lc))->has_id)
			with_id = lappend(with_id, lfirst(lc));
	list_sort(with_id, compare_id);
	foreach(lc, with_id)
	{
		Received   *r = lfirst(lc);

		if (before == NULL || !same_uuid(&before->id_hash, &r->id_hash))
			before = r;
		else if (!same_uuid(&before->content_hash, &r->content_hash))
			note_reuse(r);
	}
}

static int
compare_int64(const void *a, const void *b)
{
	int64		one = *(const int64 *) a;
	int64		other = *(const int64 *) b;

	return one < other ? -1 : one > other;
}

/*
 * Writes the keys of messages, in one order, and returns those whose keys are
 * taken, in the order that they came in.  Exact ones are of all of a message.
 */
static List *
write_keys(List *messages, bool exact)
{
	int			n = list_length(messages);
	Datum	   *contents = palloc(sizeof(Datum) * n);
	Datum	   *bodies = palloc(sizeof(Datum) * n);
	Datum	   *ids = palloc(sizeof(Datum) * n);
	bool	   *no_id = palloc(sizeof(bool) * n);
	Datum	   *numbers = palloc(sizeof(Datum) * n);
	int			lower = 1;
	Datum		values[4];
	int64	   *written;
	int			nwritten;
	List	   *taken = NIL;
	int			i = 0;
	ListCell   *lc;

	if (n == 0)
		return NIL;
	list_sort(messages, compare_content);
	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);

		contents[i] = UUIDPGetDatum(exact ? &r->body_hash : &r->content_hash);
		bodies[i] = UUIDPGetDatum(&r->body_hash);
		ids[i] = UUIDPGetDatum(&r->id_hash);
		no_id[i] = !r->has_id;
		numbers[i++] = Int64GetDatum(r->message_id);
	}
	values[0] = PointerGetDatum(construct_array(contents, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[1] = PointerGetDatum(construct_array(bodies, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[2] = PointerGetDatum(construct_md_array(ids, no_id, 1, &n, &lower, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[3] = PointerGetDatum(construct_array(numbers, n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	run(&insert_keys, values, NULL);
	nwritten = (int) SPI_processed;
	if (nwritten == n)
		return NIL;
	written = palloc(sizeof(int64) * Max(nwritten, 1));
	for (i = 0; i < nwritten; i++)
	{
		bool		isnull;

		written[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	qsort(written, nwritten, sizeof(int64), compare_int64);
	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);

		if (bsearch(&r->message_id, written, nwritten, sizeof(int64), compare_int64) == NULL)
			taken = lappend(taken, r);
	}
	list_sort(taken, compare_arrival);
	return taken;
}

/* The status of a name. */
static MessageStatus
status_of(const char *name)
{
	for (int i = 0; i <= MESSAGE_REJECTED; i++)
		if (strcmp(message_status_names[i], name) == 0)
			return (MessageStatus) i;
	elog(ERROR, "unknown status \"%s\"", name);
	return MESSAGE_REJECTED;	/* keep the compiler quiet */
}

/* Whether something came again is known only when it comes. */
static bool
is_final(MessageStatus status)
{
	return status == MESSAGE_RESENT || status == MESSAGE_REPEATED;
}

/* What became of a message that is being stored, too. */
static MessageStatus
status_among(List *messages, int64 message_id)
{
	ListCell   *lc;

	foreach(lc, messages)
		if (((Received *) lfirst(lc))->message_id == message_id)
			return ((Received *) lfirst(lc))->answer_as;
	return MESSAGE_PROCESSED;	/* its month was dropped */
}

/* Finds what has a key; false if nothing has. */
static bool
find_holder(const Received *r, const pg_uuid_t *key, List *messages, KeyHolder *holder)
{
	Datum		value = UUIDPGetDatum(key);
	HeapTuple	row;
	TupleDesc	desc;
	char	   *status;
	bool		isnull;

	run(&find_key, &value, NULL);
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	holder->message_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	holder->received_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &isnull));
	holder->same_body = same_uuid(DatumGetUUIDP(SPI_getbinval(row, desc, 3, &isnull)), &r->body_hash);
	status = SPI_getvalue(row, desc, 4);
	holder->status = status != NULL ? status_of(status) : status_among(messages, holder->message_id);
	return true;
}

/*
 * Tells a message whose key is taken from the one that has it; false if none
 * has its content, so that it is the id that is.
 */
static bool
compare_with_holder(Received *r, List *messages)
{
	KeyHolder	holder;
	KeyHolder	exact;

	if (!find_holder(r, &r->content_hash, messages, &holder))
		return false;
	if (holder.same_body)
		came_before(r, true, holder.message_id, &holder);
	else if (find_holder(r, &r->body_hash, messages, &exact))
		came_before(r, true, exact.message_id, &holder);
	else if (holder.received_at > GetCurrentTransactionStartTimestamp() - REPEATED_WITHIN)
	{
		/* kept by all that it is, so that this very message is known when it comes again */
		if (write_keys(list_make1(r), true) != NIL)
		{
			r->has_id = false;
			(void) write_keys(list_make1(r), true);
		}
		came_before(r, false, holder.message_id, &holder);
	}
	else
	{
		Datum		values[3] = {UUIDPGetDatum(&r->content_hash), UUIDPGetDatum(&r->body_hash), Int64GetDatum(r->message_id)};

		run(&renew_key, values, NULL);
	}
	return true;
}

/* Tells messages from what came before, and writes the keys of those that are new. */
static void
tell_apart(List *messages)
{
	List	   *rest = list_copy(messages);
	ListCell   *lc;

	/* what cannot be read and has no control id is never the same */
	foreach(lc, rest)
		if (((Received *) lfirst(lc))->status == MESSAGE_REJECTED && ((Received *) lfirst(lc))->control_id.len == 0)
			rest = foreach_delete_current(rest, lc);
	compare_ids(messages);
	while ((rest = write_keys(rest, false)) != NIL)
	{
		List	   *again = NIL;

		foreach(lc, rest)
		{
			Received   *r = lfirst(lc);

			if (compare_with_holder(r, messages))
				continue;
			if (r->has_id)
				note_reuse(r);
			again = lappend(again, r);
		}
		rest = again;
	}
}

/* --- rows of message ------------------------------------------------------- */

static void
put_text(Datum *values, bool *nulls, int column, Str s)
{
	nulls[column] = s.data == NULL;
	if (s.data != NULL)
		values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* An array of texts; none is null. */
static void
put_texts(Datum *values, bool *nulls, int column, Datum *elements, int n)
{
	nulls[column] = n == 0;
	if (n > 0)
		values[column] = PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The columns of a message's row. */
static void
message_row(const Received *r, TimestampTz received_at, Datum *values, bool *nulls)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(r->identifiers) + list_length(r->problems) + 1));
	int			n = 0;
	ListCell   *lc;

	memset(nulls, 0, sizeof(bool) * MS_NCOLUMNS);
	values[MS_MESSAGE_ID] = Int64GetDatum(r->message_id);
	values[MS_RECEIVED_AT] = TimestampTzGetDatum(received_at);
	values[MS_FORMAT] = CStringGetTextDatum("hl7v2");
	put_text(values, nulls, MS_FACILITY, r->facility);
	put_text(values, nulls, MS_SOURCE_SYSTEM, r->source_system);
	put_text(values, nulls, MS_CONTROL_ID, r->control_id);
	put_text(values, nulls, MS_MESSAGE_TYPE, r->message_type);
	put_text(values, nulls, MS_BODY, (Str) {r->text.data, r->text.len});
	nulls[MS_RAW] = r->text.data != NULL && !r->keep_raw;
	if (!nulls[MS_RAW])
		values[MS_RAW] = PointerGetDatum(cstring_to_text_with_len(r->bytes.data, r->bytes.len));
	values[MS_BODY_HASH] = UUIDPGetDatum(&r->body_hash);
	values[MS_STATUS] = CStringGetTextDatum(message_status_names[r->status]);
	nulls[MS_PROBLEM] = r->problems == NIL;
	if (r->problems != NIL)
		values[MS_PROBLEM] = CStringGetTextDatum(linitial(r->problems));
	put_text(values, nulls, MS_EXPLANATION, r->explanation == NULL ? (Str) {NULL, 0}
			 : (Str) {r->explanation->data, r->explanation->len});
	values[MS_ATTEMPTS] = Int32GetDatum(1);
	put_text(values, nulls, MS_CARE_FACILITY, r->care_facility);
	put_text(values, nulls, MS_PATIENT_ID, r->patient);
	put_text(values, nulls, MS_ENCOUNTER_ID, r->encounter);
	put_text(values, nulls, MS_SUBJECT, r->subject);
	foreach(lc, r->problems)
		elements[n++] = CStringGetTextDatum(lfirst(lc));
	put_texts(values, nulls, MS_PROBLEMS, elements, n);
	n = 0;
	foreach(lc, r->identifiers)
	{
		Str		   *s = lfirst(lc);

		elements[n++] = PointerGetDatum(cstring_to_text_with_len(s->data, s->len));
	}
	put_texts(values, nulls, MS_IDENTIFIERS, elements, n);
	values[MS_IS_RESULT] = BoolGetDatum(r->is_result);
}

/* The partition of this month, made if need be. */
static Oid
this_month(void)
{
	struct pg_tm tm;
	fsec_t		fsec;
	char		name[NAMEDATALEN];
	Oid			relid;

	if (timestamp2tm(GetCurrentTransactionStartTimestamp(), NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	snprintf(name, sizeof(name), "message_%04d_%02d", tm.tm_year, tm.tm_mon);
	relid = get_relname_relid(name, schema_oid());
	if (OidIsValid(relid))
		return relid;
	run(&make_month, NULL, NULL);
	return table_oid(name);
}

/* Writes the rows of messages. */
static void
write_rows(List *messages)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Table		table;
	ListCell   *lc;

	table_by_oid(&table, CurrentMemoryContext, this_month(), InvalidSnapshot, RowExclusiveLock);
	foreach(lc, messages)
	{
		Datum		values[MS_NCOLUMNS];
		bool		nulls[MS_NCOLUMNS];

		message_row(lfirst(lc), now, values, nulls);
		table_insert(&table, MS_NCOLUMNS, values, nulls);
	}
	table_done(&table);
}

/* --- events ---------------------------------------------------------------- */

/* message_events(): the events of the messages that are being stored. */
Datum
message_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, events_to_record)
	{
		MadeEvent  *event = lfirst(lc);
		Datum		values[EV_NCOLUMNS];
		bool		nulls[EV_NCOLUMNS];
		int			n = 0;

		for (int i = EV_OCCURRED_AT; i < EV_NCOLUMNS; i++)
		{
			if (i == EV_RECORDED_AT)
				continue;
			values[n] = event->values[i];
			nulls[n++] = event->nulls[i];
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* Runs a statement that reads message_events(). */
static void
run_with_events(Statement *statement, List *events, Datum *values)
{
	events_to_record = events;
	PG_TRY();
	{
		run(statement, values, NULL);
	}
	PG_FINALLY();
	{
		events_to_record = NIL;
	}
	PG_END_TRY();
}

/* The events of messages, with the messages' numbers. */
static List *
events_of(List *messages)
{
	List	   *events = NIL;
	ListCell   *lc;

	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);
		ListCell   *e;

		foreach(e, r->events)
		{
			((MadeEvent *) lfirst(e))->values[EV_MESSAGE_ID] = Int64GetDatum(r->message_id);
			events = lappend(events, lfirst(e));
		}
	}
	return events;
}

/* Sees to it that the month of the latest event is there. */
static void
prepare_months(List *events)
{
	TimestampTz latest = DT_NOBEGIN;
	Datum		value;
	ListCell   *lc;

	foreach(lc, events)
		latest = Max(latest, ((MadeEvent *) lfirst(lc))->at);
	if (latest < DatumGetTimestampTz(DirectFunctionCall1(recordable_until, (Datum) 0)))
		return;
	value = TimestampTzGetDatum(latest);
	run(&make_recordable, &value, NULL);
}

/* May the database refuse events for reasons that are not ours: a duplicate rule, a trigger of the site's? */
static bool
may_be_refused(List *events)
{
	Relation	rel = table_open(table_oid("event"), AccessShareLock);
	bool		foreign = rel->trigdesc != NULL && rel->trigdesc->numtriggers > 2;
	ListCell   *lc;

	table_close(rel, NoLock);
	if (foreign)
		return true;
	(void) rules_current();
	foreach(lc, events)
	{
		const Kind *kind = rules_kind(str_of_datum(((MadeEvent *) lfirst(lc))->values[EV_KIND]));

		if (kind != NULL && kind->may_reject)
			return true;
	}
	return false;
}

/* Writes events within a subtransaction; returns the error's text if they are refused. */
static char *
try_events(List *events)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *refusal = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_with_events(&insert_events, events, NULL);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		/* whoever cancels, or what would come right if tried again, stops all */
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTERNAL_ERROR)
			ReThrowError(error);
		refusal = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return refusal;
}

/* Writes the events of messages; where the database refuses one, only its message goes without. */
static void
write_events(List *messages)
{
	List	   *events = events_of(messages);
	ListCell   *lc;

	if (events == NIL)
		return;
	prepare_months(events);
	if (!may_be_refused(events))
	{
		run_with_events(&insert_events, events, NULL);
		return;
	}
	if (try_events(events) == NULL)
		return;
	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);
		char	   *refusal = r->events == NIL ? NULL : try_events(events_of(list_make1(r)));

		if (refusal == NULL)
			continue;
		note_problem(r, MESSAGE_INCOMPLETE, "not_recorded", "the database refused its events: %s", refusal);
		r->cancellations = NIL;
		r->naliases = 0;
	}
}

/* --- the rest -------------------------------------------------------------- */

static Datum
text_or_null(Str s, bool *isnull)
{
	*isnull = s.data == NULL;
	return s.data == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* Writes what a message calls off. */
static void
write_cancellations(const Received *r)
{
	ListCell   *lc;

	foreach(lc, r->cancellations)
	{
		MadeCancellation *c = lfirst(lc);
		int			three = 3;
		int			two = 2;
		int			lower = 1;
		Datum		keys[3];
		bool		no_keys[3];
		Datum		details[2] = {JsonbPGetDatum(c->detail), 0};
		bool		no_details[2] = {c->detail == NULL, !c->every_one};
		Datum		values[6];

		keys[0] = text_or_null(c->encounter, &no_keys[0]);
		keys[1] = text_or_null(c->subject, &no_keys[1]);
		keys[2] = text_or_null(c->item, &no_keys[2]);
		if (c->every_one)
			details[1] = DirectFunctionCall1(jsonb_in, CStringGetDatum("true"));
		values[0] = PointerGetDatum(cstring_to_text_with_len(c->patient.data, c->patient.len));
		values[1] = TimestampTzGetDatum(c->at);
		values[2] = c->kinds;
		values[3] = PointerGetDatum(construct_md_array(keys, no_keys, 1, &three, &lower, TEXTOID, -1, false, TYPALIGN_INT));
		values[4] = PointerGetDatum(construct_md_array(details, no_details, 1, &two, &lower, JSONBOID, -1, false, TYPALIGN_INT));
		values[5] = Int64GetDatum(r->message_id);
		run(&insert_cancellation, values, NULL);
	}
}

/* Writes what a message says of those that it answers. */
static void
write_answers(const Received *r, TimestampTz received_at)
{
	ListCell   *lc;

	foreach(lc, r->answers)
	{
		MadeAnswer *answer = lfirst(lc);
		Datum		values[5];
		bool		no_text;
		char		nulls[6] = "     ";

		values[0] = UUIDPGetDatum(&answer->answered);
		values[1] = PointerGetDatum(cstring_to_text_with_len(answer->code.data, answer->code.len));
		values[2] = text_or_null(answer->text, &no_text);
		nulls[2] = no_text ? 'n' : ' ';
		values[3] = Int64GetDatum(r->message_id);
		values[4] = TimestampTzGetDatum(received_at);
		run(&insert_answer, values, nulls);
	}
}

/* Notes the aliases of messages. */
static void
note_all_aliases(List *messages)
{
	int			n = 0;
	AliasNote  *notes;
	ListCell   *lc;

	foreach(lc, messages)
		n += ((Received *) lfirst(lc))->naliases;
	if (n == 0)
		return;
	notes = palloc(sizeof(AliasNote) * n);
	n = 0;
	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);

		for (int i = 0; i < r->naliases; i++)
			notes[n++] = r->aliases[i];
	}
	note_aliases(notes, n);
}

/* The messages themselves, without what holds batches together. */
static List *
only_messages(List *parts)
{
	List	   *messages = NIL;
	ListCell   *lc;

	foreach(lc, parts)
		if (((Received *) lfirst(lc))->part == HL7_MESSAGE)
			messages = lappend(messages, lfirst(lc));
	return messages;
}

static void
connect_spi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* Reads headers and what messages mean; they are numbered in the order that they came in. */
static void
read_messages(List *parts, Hl7Arena *arena)
{
	const Mapping *mapping = mapping_current();
	Oid			sequence = table_oid("message_message_id_seq");
	ListCell   *lc;

	understand_begin();
	foreach(lc, parts)
	{
		Received   *r = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (r->message_id == 0)
			r->message_id = nextval_internal(sequence, false);
		read_header(r, arena);
		understand(r, mapping, arena);
		r->answer_as = r->status;
	}
}

/* Stores messages and what they mean, as one. */
void
store_messages(List *parts, Hl7Arena *arena)
{
	List	   *messages = only_messages(parts);
	MemoryContext context = CurrentMemoryContext;
	List	   *unsettled = NIL;
	Caller		caller;
	ListCell   *lc;

	PreventCommandIfReadOnly("INSERT");
	owner_begin(&caller);
	read_messages(parts, arena);
	connect_spi();
	MemoryContextSwitchTo(context);
	tell_apart(messages);
	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);

		if (is_final(r->status) && r->answer_as >= MESSAGE_UNMAPPED)
			unsettled = lappend(unsettled, r);
	}
	write_events(parts);
	write_rows(parts);
	foreach(lc, messages)
	{
		write_cancellations(lfirst(lc));
		write_answers(lfirst(lc), GetCurrentTransactionStartTimestamp());
	}
	note_all_aliases(messages);
	SPI_finish();
	/* what came again may be understood by now */
	foreach(lc, unsettled)
	{
		Received   *r = lfirst(lc);

		(void) store_again(r->original, arena, &r->answer_as);
	}
	owner_end(&caller);
}

/* --- once more ------------------------------------------------------------- */

/* A message as it is stored; false if there is none. */
static bool
load_message(int64 message_id, Received *r, TimestampTz *received_at, MessageStatus *status, Datum *identifiers)
{
	Datum		value = Int64GetDatum(message_id);
	HeapTuple	row;
	TupleDesc	desc;
	Datum		body;
	Datum		raw;
	bool		no_body;
	bool		no_raw;
	bool		isnull;
	int			at = 0;
	Hl7Slice	part;

	run(&read_message, &value, NULL);
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	*received_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 1, &isnull));
	body = SPI_getbinval(row, desc, 2, &no_body);
	raw = SPI_getbinval(row, desc, 3, &no_raw);
	*status = status_of(SPI_getvalue(row, desc, 4));
	*identifiers = SPI_getbinval(row, desc, 5, &isnull);
	if (isnull)
		*identifiers = PointerGetDatum(construct_empty_array(TEXTOID));
	memset(r, 0, sizeof(Received));
	r->message_id = message_id;
	r->is_text = no_raw;
	r->encoding = -1;
	if (no_raw && no_body)
		r->bytes = (Hl7Slice) {"", 0};
	else
	{
		text	   *t = DatumGetTextPP(no_raw ? body : raw);

		r->bytes = (Hl7Slice) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
	}
	r->part = HL7_MESSAGE;
	(void) hl7_next_part(r->bytes.data, r->bytes.len, &at, &part, &r->part);
	return true;
}

/* The ids whose events may be of the message: those that it had, and those that it has. */
static Datum
all_identifiers(const Received *r, Datum stored)
{
	ArrayType  *array = DatumGetArrayTypeP(stored);
	Datum	   *elements;
	bool	   *nulls;
	Datum	   *all;
	int			n;
	ListCell   *lc;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	all = palloc(sizeof(Datum) * (n + list_length(r->identifiers) + 1));
	memcpy(all, elements, sizeof(Datum) * n);
	foreach(lc, r->identifiers)
	{
		Str		   *s = lfirst(lc);

		all[n++] = PointerGetDatum(cstring_to_text_with_len(s->data, s->len));
	}
	return PointerGetDatum(construct_array(all, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Brings what a message gave to what it gives by the rules of now. */
static void
replace_effects(Received *r, TimestampTz received_at, Datum identifiers)
{
	Datum		values[2] = {Int64GetDatum(r->message_id), all_identifiers(r, identifiers)};
	List	   *events = events_of(list_make1(r));

	if (events != NIL)
		prepare_months(events);
	run_with_events(&retract_old_events, events, values);
	run_with_events(&insert_new_events, events, values);
	run(&delete_cancellations, values, NULL);
	write_cancellations(r);
	run(&delete_answers, values, NULL);
	write_answers(r, received_at);
	note_all_aliases(list_make1(r));
}

/* Writes a message's row anew. */
static void
rewrite_row(const Received *r, TimestampTz received_at)
{
	Datum		values[MS_NCOLUMNS];
	bool		nulls[MS_NCOLUMNS];
	Oid			type = get_rel_type_id(table_oid("message"));
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Datum		row;

	message_row(r, received_at, values, nulls);
	row = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	ReleaseTupleDesc(desc);
	if (update_message.types[0] != type)
	{
		update_message.types[0] = type;
		update_message.plan = NULL;
	}
	run(&update_message, &row, NULL);
}

/* Applies the rules of now to a stored message; false if there is no such message. */
bool
store_again(int64 message_id, Hl7Arena *arena, MessageStatus *status)
{
	MemoryContext context = CurrentMemoryContext;
	Received   *r = palloc(sizeof(Received));
	TimestampTz received_at;
	Datum		identifiers;
	Caller		caller;
	bool		found;

	PreventCommandIfReadOnly("UPDATE");
	owner_begin(&caller);
	connect_spi();
	MemoryContextSwitchTo(context);
	found = load_message(message_id, r, &received_at, status, &identifiers);
	if (found && !is_final(*status) && r->part == HL7_MESSAGE)
	{
		bool		was_rejected = *status == MESSAGE_REJECTED;

		read_messages(list_make1(r), arena);
		/* its content is known only now */
		if (was_rejected && r->status != MESSAGE_REJECTED)
			tell_apart(list_make1(r));
		replace_effects(r, received_at, identifiers);
		rewrite_row(r, received_at);
		*status = r->status;
	}
	SPI_finish();
	owner_end(&caller);
	return found;
}
