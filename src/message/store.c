/*
 * store.c
 *	  Messages and what they mean, stored, and read anew.
 *
 * Rows of message go straight into the month's partition; what may have triggers
 * or conflicts is written by SQL, a statement for all messages at once.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "detect/table.h"
#include "message/inbox.h"
#include "message/key.h"
#include "message/statement.h"
#include "message/store.h"
#include "record/owner.h"

/* Columns of message, in its order. */
enum
{
	MS_MESSAGE_ID, MS_RECEIVED_AT, MS_FORMAT, MS_FACILITY, MS_SOURCE_SYSTEM, MS_CONTROL_ID, MS_MESSAGE_TYPE,
	MS_BODY, MS_RAW, MS_BODY_HASH, MS_STATUS, MS_PROBLEM, MS_EXPLANATION, MS_ATTEMPTS, MS_CARE_FACILITY,
	MS_PATIENT_ID, MS_ENCOUNTER_ID, MS_SUBJECT, MS_PROBLEMS, MS_IDENTIFIERS, MS_IS_RESULT,
	MS_RECEIVING_SYSTEM, MS_RECEIVING_FACILITY, MS_NCOLUMNS
};

static Statement make_month = {
	"SELECT workflow_track.make_message_month()", 0, {0}
};

static Statement read_message = {
	"SELECT m.received_at, m.body, m.raw, m.status, m.identifiers, "
	"'id_reuse' OPERATOR(pg_catalog.=) ANY (m.problems) IS TRUE FROM workflow_track.message m "
	"WHERE m.message_id OPERATOR(pg_catalog.=) $1 AND m.format OPERATOR(pg_catalog.=) 'hl7v2' FOR UPDATE",
	1, {INT8OID}
};

static Statement update_message = {
	"UPDATE workflow_track.message m SET facility = n.facility, source_system = n.source_system, control_id = n.control_id, "
	"message_type = n.message_type, body = n.body, raw = n.raw, body_hash = n.body_hash, status = n.status, "
	"problem = n.problem, explanation = n.explanation, attempts = m.attempts OPERATOR(pg_catalog.+) 1, "
	"care_facility = n.care_facility, patient_id = n.patient_id, encounter_id = n.encounter_id, subject = n.subject, "
	"problems = n.problems, identifiers = n.identifiers, is_result = n.is_result, "
	"receiving_system = n.receiving_system, receiving_facility = n.receiving_facility FROM (SELECT ($1).*) n "
	"WHERE m.message_id OPERATOR(pg_catalog.=) n.message_id AND m.received_at OPERATOR(pg_catalog.=) n.received_at",
	1, {0}
};

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
	put_text(values, nulls, MS_RECEIVING_SYSTEM, r->receiving_system);
	put_text(values, nulls, MS_RECEIVING_FACILITY, r->receiving_facility);
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
	statement_run(&make_month, NULL, NULL);
	return table_oid(name);
}

/* Writes the rows of messages. */
static void
write_rows(List *messages, Oid month)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Table		table;
	ListCell   *lc;

	table_by_oid(&table, CurrentMemoryContext, month, InvalidSnapshot, RowExclusiveLock);
	foreach(lc, messages)
	{
		Datum		values[MS_NCOLUMNS];
		bool		nulls[MS_NCOLUMNS];

		message_row(lfirst(lc), now, values, nulls);
		table_insert(&table, MS_NCOLUMNS, values, nulls);
	}
	table_done(&table);
}

/* --- messages -------------------------------------------------------------- */

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
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Oid			month;
	Caller		caller;

	PreventCommandIfReadOnly("INSERT");
	owner_begin(&caller);
	read_messages(parts, arena);
	statement_connect();
	month = this_month();
	tell_apart(messages, now);
	write_events(parts);
	write_rows(parts, month);
	write_effects(messages, now);
	SPI_finish();
	owner_end(&caller);
}

/* --- once more ------------------------------------------------------------- */

/* What is kept of a stored message where it is read anew. */
typedef struct Stored
{
	TimestampTz received_at;
	MessageStatus status;
	Datum		identifiers;
	bool		id_is_reused;	/* whether it was when it came */
} Stored;

/* A message as it is stored; false if there is none. */
static bool
load_message(int64 message_id, Received *r, Stored *stored)
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

	statement_run(&read_message, &value, NULL);
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	stored->received_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 1, &isnull));
	body = SPI_getbinval(row, desc, 2, &no_body);
	raw = SPI_getbinval(row, desc, 3, &no_raw);
	stored->status = message_status(SPI_getvalue(row, desc, 4));
	stored->identifiers = SPI_getbinval(row, desc, 5, &isnull);
	if (isnull)
		stored->identifiers = PointerGetDatum(construct_empty_array(TEXTOID));
	stored->id_is_reused = DatumGetBool(SPI_getbinval(row, desc, 6, &isnull));
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
	statement_run(&update_message, &row, NULL);
}

/* Applies the rules of now to a stored message; false if there is no such message. */
bool
store_again(int64 message_id, Hl7Arena *arena, MessageStatus *status)
{
	Received   *r = palloc(sizeof(Received));
	Stored		stored;
	Caller		caller;
	bool		found;

	PreventCommandIfReadOnly("UPDATE");
	owner_begin(&caller);
	statement_connect();
	found = load_message(message_id, r, &stored);
	if (found)
		*status = stored.status;
	if (found && !message_is_final(stored.status) && r->part == HL7_MESSAGE)
	{
		read_messages(list_make1(r), arena);
		/* its content is known only now */
		if (stored.status == MESSAGE_REJECTED && r->status != MESSAGE_REJECTED)
			tell_apart(list_make1(r), stored.received_at);
		else if (stored.id_is_reused)
			note_problem(r, MESSAGE_PROCESSED, "id_reuse", "%s", id_is_reused);
		replace_effects(r, stored.received_at, stored.identifiers);
		rewrite_row(r, stored.received_at);
		*status = r->status;
	}
	SPI_finish();
	owner_end(&caller);
	return found;
}
