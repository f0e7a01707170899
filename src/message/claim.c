/*
 * claim.c
 *	  The keys of messages written, when the transaction ends.
 *
 * All are written in one order, so that sessions that have the same ones wait
 * for each other and never in a circle.  Who finds that another has committed a
 * key meanwhile has a message that came before, after all: what it gave is taken
 * back, as when a message is read anew.  Its aliases stay, for they are those of
 * the other.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "detect/evaluate.h"
#include "message/inbox.h"
#include "message/key.h"
#include "message/statement.h"
#include "message/store.h"
#include "record/owner.h"

/* A key that a message did not get, or got from one of long ago. */
typedef struct Met
{
	uint32		note;
	KeyKind		kind;
	bool		is_taken_over;
	KeyHolder	holder;
} Met;

/* What was met of all keys. */
typedef struct Claims
{
	Table		table;
	const KeyNote *notes;
	Met		   *met;
	int			nmet;
	int			met_size;
} Claims;

/* Messages that others had first, for statements. */
typedef struct Losers
{
	int			n;
	Datum	   *messages;
	Datum	   *received_at;
	Datum	   *statuses;
	Datum	   *explanations;
	Datum	   *first_at;
	Datum	   *last_at;
	Datum	   *originals;
	Datum	   *originals_at;
} Losers;

#define LISTED(columns, alias) \
	"FROM ROWS FROM (" columns ") l " alias " "
#define IS_MESSAGE(number, at) \
	"m.message_id OPERATOR(pg_catalog.=) " number " AND m.received_at OPERATOR(pg_catalog.=) " at

static Statement mark_again = {
	"UPDATE workflow_track.message m SET status = l.status, explanation = l.explanation, "
	"problem = (pg_catalog.array_remove(m.problems, 'id_reuse'))[1], "
	"problems = NULLIF(pg_catalog.array_remove(m.problems, 'id_reuse'), '{}') "
	LISTED("pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)",
		   "(message_id, received_at, status, explanation)")
	"WHERE " IS_MESSAGE("l.message_id", "l.received_at"),
	4, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

static Statement mark_reuse = {
	"UPDATE workflow_track.message m SET problem = COALESCE(m.problem, 'id_reuse'), "
	"problems = pg_catalog.array_append(m.problems, 'id_reuse'), "
	"explanation = pg_catalog.concat_ws('; ', m.explanation, $3) "
	LISTED("pg_catalog.unnest($1), pg_catalog.unnest($2)", "(message_id, received_at)")
	"WHERE " IS_MESSAGE("l.message_id", "l.received_at")
	" AND (m.problems IS NULL OR 'id_reuse' OPERATOR(pg_catalog.<>) ALL (m.problems))",
	3, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TEXTOID}
};

static Statement retract_events = {
	"INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by) "
	"SELECT e.patient_id, e.event_id, e.occurred_at, pg_catalog.concat('message ', l.status), SESSION_USER "
	LISTED("pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)",
		   "(message_id, received_at, status, first_at, last_at)")
	"JOIN workflow_track.message m ON " IS_MESSAGE("l.message_id", "l.received_at")
	" CROSS JOIN LATERAL pg_catalog.unnest(m.identifiers) i (number) JOIN workflow_track.event e "
	"ON e.patient_id OPERATOR(pg_catalog.=) i.number AND e.message_id OPERATOR(pg_catalog.=) l.message_id "
	"AND e.occurred_at OPERATOR(pg_catalog.>=) l.first_at AND e.occurred_at OPERATOR(pg_catalog.<=) l.last_at "
	"WHERE NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id OPERATOR(pg_catalog.=) e.event_id AND r.message_id IS NULL)",
	5, {INT8ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
};

static Statement delete_cancellations = {
	"DELETE FROM workflow_track.cancellation WHERE message_id OPERATOR(pg_catalog.=) ANY ($1)", 1, {INT8ARRAYOID}
};

static Statement delete_answers = {
	"DELETE FROM workflow_track.message_answer WHERE message_id OPERATOR(pg_catalog.=) ANY ($1)", 1, {INT8ARRAYOID}
};

/* Those that were not understood, under the active snapshot. */
static Statement find_unsettled = {
	"SELECT m.message_id " LISTED("pg_catalog.unnest($1), pg_catalog.unnest($2)", "(message_id, received_at)")
	"JOIN workflow_track.message m ON " IS_MESSAGE("l.message_id", "l.received_at")
	" WHERE m.status OPERATOR(pg_catalog.=) ANY ('{unmapped,incomplete,rejected}')",
	2, {INT8ARRAYOID, TIMESTAMPTZARRAYOID}, true
};

/* --- keys ------------------------------------------------------------------ */

/* The row of a key. */
static void
key_row(const KeyNote *note, KeyKind kind, Datum *values)
{
	values[MK_KEY] = UUIDPGetDatum(&note->keys[kind]);
	values[MK_MESSAGE_ID] = Int64GetDatum(note->message_id);
	values[MK_RECEIVED_AT] = TimestampTzGetDatum(note->received_at);
}

/* Takes a key over from a message of long ago; false if it is not that message's any more. */
static bool
take_over(Table *table, const KeyNote *note, KeyKind kind, KeyHolder *holder)
{
	Datum		values[MK_NCOLUMNS];
	bool		nulls[MK_NCOLUMNS] = {0};

	if (!table_lock(table, &holder->tid))
		return false;
	key_row(note, kind, values);
	table_update(table, &holder->tid, MK_NCOLUMNS, values, nulls);
	return true;
}

/* Is the very same message that of another already? */
static bool
body_is_known(Table *table, const KeyNote *note)
{
	KeyHolder	holder;

	return written_key(table, &note->keys[KEY_BODY], &holder) && holder.message_id != note->message_id;
}

/* Keeps what was met. */
static void
meet(Claims *claims, const Met *met)
{
	if (claims->nmet == claims->met_size)
	{
		int			size = Max(64, claims->met_size * 2);

		claims->met = claims->met == NULL ? palloc(sizeof(Met) * size)
			: repalloc_huge(claims->met, sizeof(Met) * size);
		claims->met_size = size;
	}
	claims->met[claims->nmet++] = *met;
}

/* Writes a key, unless it is another message's. */
static void
claim_key(Claims *claims, uint32 number, KeyKind kind)
{
	const KeyNote *note = &claims->notes[number];
	Met			met = {number, kind};
	Datum		values[MK_NCOLUMNS];
	bool		nulls[MK_NCOLUMNS] = {0};

	key_row(note, kind, values);
	while (!table_insert_unique(&claims->table, MK_NCOLUMNS, values, nulls))
	{
		if (!written_key(&claims->table, &note->keys[kind], &met.holder))
			continue;			/* it was dropped just now */
		if (met.holder.message_id == note->message_id)
			return;
		met.is_taken_over = kind == KEY_CONTENT && key_is_expired(&met.holder) &&
			!body_is_known(&claims->table, note);
		if (met.is_taken_over && !take_over(&claims->table, note, kind, &met.holder))
			continue;
		meet(claims, &met);
		return;
	}
}

/* Notes whose keys are being put in order. */
static const KeyNote *sorted_notes;

/* Order of keys, each 'number of the note * KEY_KINDS + kind'. */
static int
compare_keys(const void *a, const void *b)
{
	uint32		one = *(const uint32 *) a;
	uint32		other = *(const uint32 *) b;

	return memcmp(sorted_notes[one / KEY_KINDS].keys[one % KEY_KINDS].data,
				  sorted_notes[other / KEY_KINDS].keys[other % KEY_KINDS].data, UUID_LEN);
}

/* Writes all keys. */
static void
claim_keys(Claims *claims, uint32 nnotes)
{
	uint32	   *keys = palloc_extended(sizeof(uint32) * (Size) nnotes * KEY_KINDS, MCXT_ALLOC_HUGE);
	uint32		n = 0;

	for (uint32 i = 0; i < nnotes * KEY_KINDS; i++)
		if (claims->notes[i / KEY_KINDS].wanted[i % KEY_KINDS])
			keys[n++] = i;
	sorted_notes = claims->notes;
	qsort(keys, n, sizeof(uint32), compare_keys);
	open_keys(&claims->table, RowExclusiveLock);
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		claim_key(claims, keys[i] / KEY_KINDS, keys[i] % KEY_KINDS);
	}
	pfree(keys);
}

/* --- who came second ------------------------------------------------------- */

/* Order by message. */
static int
compare_met(const void *a, const void *b)
{
	uint32		one = ((const Met *) a)->note;
	uint32		other = ((const Met *) b)->note;

	return one < other ? -1 : one > other;
}

/* Adds a message to those that others had first. */
static void
lose(Losers *losers, const KeyNote *note, const Met *content, const Met *body)
{
	int			i = losers->n++;
	bool		resent = body != NULL;

	losers->messages[i] = Int64GetDatum(note->message_id);
	losers->received_at[i] = TimestampTzGetDatum(note->received_at);
	losers->statuses[i] = CStringGetTextDatum(message_status_names[resent ? MESSAGE_RESENT : MESSAGE_REPEATED]);
	losers->explanations[i] = CStringGetTextDatum(explain_again(resent, (resent ? body : content)->holder.message_id));
	losers->first_at[i] = TimestampTzGetDatum(note->first_at);
	losers->last_at[i] = TimestampTzGetDatum(note->last_at);
	losers->originals[i] = Int64GetDatum(content->holder.message_id);
	losers->originals_at[i] = TimestampTzGetDatum(content->holder.received_at);
}

/* Tells by what was met of its keys what a message is. */
static void
judge(Claims *claims, const KeyNote *note, Met *const *met, Losers *again, Losers *reuse)
{
	const Met  *content = met[KEY_CONTENT];
	const Met  *body = met[KEY_BODY];
	Met		   *id = met[KEY_ID];

	if (content != NULL && !content->is_taken_over)
	{
		/* of what cannot be read they are one */
		if (!note->wanted[KEY_BODY])
			body = content;
		lose(again, note, content, body);
	}
	else if (!note->wanted[KEY_CONTENT])
	{
		/* a repeated one, which came before as it is */
		if (body != NULL)
			lose(again, note, body, body);
	}
	else if (id != NULL && !(content != NULL && content->holder.message_id == id->holder.message_id &&
							 take_over(&claims->table, note, KEY_ID, &id->holder)))
		lose(reuse, note, id, NULL);
}

/* Makes room for some messages. */
static Losers *
make_losers(int n)
{
	Losers	   *losers = palloc0(sizeof(Losers));
	Datum	  **columns[] = {&losers->messages, &losers->received_at, &losers->statuses, &losers->explanations,
	&losers->first_at, &losers->last_at, &losers->originals, &losers->originals_at};

	for (int i = 0; i < lengthof(columns); i++)
		*columns[i] = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
	return losers;
}

static Datum
int8_array(Datum *elements, int n, Oid type)
{
	return PointerGetDatum(construct_array(elements, n, type, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
text_array(Datum *elements, int n)
{
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Takes back what messages gave that came before, and notes of the first ones those that were not understood. */
static void
take_back(const Losers *l)
{
	Datum		marks[4] = {int8_array(l->messages, l->n, INT8OID), int8_array(l->received_at, l->n, TIMESTAMPTZOID),
	text_array(l->statuses, l->n), text_array(l->explanations, l->n)};
	Datum		events[5] = {marks[0], marks[1], marks[2], int8_array(l->first_at, l->n, TIMESTAMPTZOID),
	int8_array(l->last_at, l->n, TIMESTAMPTZOID)};
	Datum		originals[2] = {int8_array(l->originals, l->n, INT8OID), int8_array(l->originals_at, l->n, TIMESTAMPTZOID)};

	statement_run(&mark_again, marks, NULL);
	statement_run(&retract_events, events, NULL);
	statement_run(&delete_cancellations, marks, NULL);
	statement_run(&delete_answers, marks, NULL);
	(void) push_latest_snapshot();
	statement_run(&find_unsettled, originals, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		note_unsettled(DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)));
	}
	PopActiveSnapshot();
}

/* Does what is due about messages whose keys others have. */
static void
settle_losers(Claims *claims)
{
	Losers	   *again = make_losers(claims->nmet);
	Losers	   *reuse = make_losers(claims->nmet);
	Caller		caller;
	int			i = 0;

	qsort(claims->met, claims->nmet, sizeof(Met), compare_met);
	while (i < claims->nmet)
	{
		uint32		note = claims->met[i].note;
		Met		   *met[KEY_KINDS] = {NULL};

		for (; i < claims->nmet && claims->met[i].note == note; i++)
			met[claims->met[i].kind] = &claims->met[i];
		judge(claims, &claims->notes[note], met, again, reuse);
	}
	owner_begin(&caller);
	statement_connect();
	if (again->n > 0)
		take_back(again);
	if (reuse->n > 0)
	{
		Datum		values[3] = {int8_array(reuse->messages, reuse->n, INT8OID),
			int8_array(reuse->received_at, reuse->n, TIMESTAMPTZOID), CStringGetTextDatum(id_is_reused)};

		statement_run(&mark_reuse, values, NULL);
	}
	SPI_finish();
	owner_end(&caller);
}

/* --- the end of the transaction -------------------------------------------- */

/* Reads messages anew that came again and were not understood. */
static void
read_unsettled(const int64 *ids, int n)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track messages", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (int i = 0; i < n; i++)
	{
		MessageStatus status;

		CHECK_FOR_INTERRUPTS();
		if (!store_again(ids[i], message_arena(), &status) && IsolationUsesXactSnapshot())
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update")));
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Does what is due about the messages of the transaction before it ends; true if
 * there was anything beside writing keys.  What a savepoint may take back is done
 * once more.
 */
bool
settle_messages(void)
{
	MemoryContext context;
	MemoryContext old;
	Claims		claims = {0};
	uint32		nnotes;
	int64	   *ids;
	int			nids;

	if (!notes_are_due())
		return false;
	context = AllocSetContextCreate(TopTransactionContext, "workflow_track keys", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	(void) push_latest_snapshot();
	claims.notes = take_notes(&nnotes);
	if (nnotes > 0)
	{
		claim_keys(&claims, nnotes);
		if (claims.nmet > 0)
			settle_losers(&claims);
		table_done(&claims.table);
	}
	ids = take_unsettled(&nids);
	read_unsettled(ids, nids);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return claims.nmet > 0 || nids > 0;
}
