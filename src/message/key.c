/*
 * key.c
 *	  Tells a message from those that came before.
 *
 * Table message_key has the keys of messages: their content, all of their body,
 * and their sender and control id.  They are looked up when a message comes,
 * among those that were committed and those of this transaction, and written
 * when the transaction ends (claim.c), so that nobody waits before.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "message/inbox.h"
#include "message/key.h"
#include "message/statement.h"
#include "message/store.h"

/* Content that came again later than this is new. */
#define REPEATED_WITHIN (30 * USECS_PER_DAY)

const char *const id_is_reused = "its sender used the control id for another content before";

/* Under the active snapshot. */
static Statement find_status = {
	"SELECT m.status FROM workflow_track.message m "
	"WHERE m.message_id OPERATOR(pg_catalog.=) $1 AND m.received_at OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, TIMESTAMPTZOID}, true
};

/* --- keys ------------------------------------------------------------------ */

/*
 * Opens message_key for look-ups that see what is committed by now, at any
 * isolation level, and what this transaction has written.
 */
void
open_keys(Table *table, LOCKMODE mode)
{
	table_by_name(table, CurrentMemoryContext, "message_key", SnapshotSelf, mode);
	table_check_columns(table, MK_NCOLUMNS);
	table_use_index(table, MK_KEY + 1, 0);
}

/* Finds the message that has a key; false if none has. */
bool
written_key(Table *table, const pg_uuid_t *key, KeyHolder *holder)
{
	bool		isnull;

	ScanKeyInit(&table->keys[0], 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(key));
	table_find(table, 1);
	if (!table_next(table))
		return false;
	holder->message_id = DatumGetInt64(slot_getattr(table->slot, MK_MESSAGE_ID + 1, &isnull));
	holder->received_at = DatumGetTimestampTz(slot_getattr(table->slot, MK_RECEIVED_AT + 1, &isnull));
	holder->tid = table->slot->tts_tid;
	return true;
}

/* The same, and of the messages of this transaction. */
static bool
find_key(Table *table, const pg_uuid_t *key, KeyHolder *holder)
{
	const KeyNote *note = noted_key(key);

	if (note == NULL)
		return written_key(table, key, holder);
	holder->message_id = note->message_id;
	holder->received_at = note->received_at;
	return true;
}

/* Was the message that has a content so long ago that it is new when it comes again? */
bool
key_is_expired(const KeyHolder *holder)
{
	return holder->received_at <= GetCurrentTransactionStartTimestamp() - REPEATED_WITHIN;
}

/* --- messages -------------------------------------------------------------- */

/* The status of a name. */
MessageStatus
message_status(const char *name)
{
	for (int i = 0; i <= MESSAGE_REJECTED; i++)
		if (strcmp(message_status_names[i], name) == 0)
			return (MessageStatus) i;
	elog(ERROR, "unknown status \"%s\"", name);
	return MESSAGE_REJECTED;	/* keep the compiler quiet */
}

/* Whether something came again is known only when it comes. */
bool
message_is_final(MessageStatus status)
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

/* What became of a message, stored or being stored. */
static MessageStatus
status_of(const KeyHolder *holder, List *messages)
{
	Datum		values[2] = {Int64GetDatum(holder->message_id), TimestampTzGetDatum(holder->received_at)};
	MessageStatus status;

	PushActiveSnapshot(GetLatestSnapshot());
	statement_run(&find_status, values, NULL);
	if (SPI_processed == 0)
		status = status_among(messages, holder->message_id);
	else
		status = message_status(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	PopActiveSnapshot();
	return status;
}

/* What is said of a message that came before. */
char *
explain_again(bool resent, int64 same)
{
	return psprintf(resent ? "the same as message " INT64_FORMAT
					: "the same as message " INT64_FORMAT " but for MSH-7, MSH-10 and MSH-13", same);
}

/* Makes a message one that came before: nothing comes of it again; what its content lacks it still does. */
static void
came_before(Received *r, bool resent, int64 same, const KeyHolder *original, List *messages)
{
	MessageStatus status = status_of(original, messages);
	ListCell   *lc;

	/* one that was not understood is read anew: what it is then, this one is */
	if (status >= MESSAGE_UNMAPPED)
		note_unsettled(original->message_id);
	else
		r->answer_as = status;
	r->status = MESSAGE_PROCESSED;
	foreach(lc, r->problems)
		if (strcmp(lfirst(lc), "id_reuse") == 0)
			r->problems = foreach_delete_current(r->problems, lc);
	r->explanation = NULL;
	note_problem(r, resent ? MESSAGE_RESENT : MESSAGE_REPEATED, NULL, "%s", explain_again(resent, same));
	r->events = NIL;
	r->cancellations = NIL;
	r->answers = NIL;
	r->naliases = 0;
}

/* Notes between which times a message's events are. */
static void
note_times(KeyNote *note, const Received *r)
{
	ListCell   *lc;

	note->first_at = DT_NOEND;
	note->last_at = DT_NOBEGIN;
	foreach(lc, r->events)
	{
		const MadeEvent *event = lfirst(lc);

		note->first_at = Min(note->first_at, event->at);
		note->last_at = Max(note->last_at, event->at);
	}
}

/* Tells a message from what came before, and notes the keys that are to be its. */
static void
tell_one_apart(Table *table, Received *r, List *messages, TimestampTz received_at)
{
	KeyNote		note = {r->message_id, received_at, {r->content_hash, r->body_hash, r->id_hash}};
	KeyHolder	original;
	KeyHolder	same;
	KeyHolder	first;
	bool		is_known = find_key(table, &r->content_hash, &original);
	bool		is_new = !is_known || key_is_expired(&original);
	bool		id_is_known;

	if (is_known && find_key(table, &r->body_hash, &same))
	{
		came_before(r, true, same.message_id, &original, messages);
		return;
	}
	/* what is new after so long takes its id along; what is read anew has it */
	id_is_known = r->has_id && find_key(table, &r->id_hash, &first) && first.message_id != r->message_id &&
		!(is_new && is_known && first.message_id == original.message_id);
	if (!is_new)
		came_before(r, false, original.message_id, &original, messages);
	else if (id_is_known)
		note_problem(r, MESSAGE_PROCESSED, "id_reuse", "%s", id_is_reused);
	note.wanted[KEY_CONTENT] = is_new;
	/* of what cannot be read they are one */
	note.wanted[KEY_BODY] = memcmp(&r->body_hash, &r->content_hash, sizeof(pg_uuid_t)) != 0;
	note.wanted[KEY_ID] = r->has_id && !id_is_known;
	note_times(&note, r);
	note_keys(&note);
}

/* Tells messages, in the order that they came in, from what came before. */
void
tell_apart(List *messages, TimestampTz received_at)
{
	Table		table;
	ListCell   *lc;

	open_keys(&table, AccessShareLock);
	foreach(lc, messages)
	{
		Received   *r = lfirst(lc);

		/* what cannot be read and has no control id is never the same */
		if (r->status != MESSAGE_REJECTED || r->control_id.len > 0)
			tell_one_apart(&table, r, messages, received_at);
	}
	table_done(&table);
}
