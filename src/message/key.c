/*
 * key.c
 *	  Tells a message from those that came before.
 *
 * Two unique keys of table message_key do: the content of a message, and its
 * sender and control id.  Two sessions that receive the same at once meet there:
 * the second waits for the first.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "message/inbox.h"
#include "message/statement.h"
#include "message/store.h"

/* Content that came again later than this is new. */
#define REPEATED_WITHIN (30 * USECS_PER_DAY)

static Statement insert_keys = {
	"INSERT INTO workflow_track.message_key (content_hash, body_hash, id_hash, message_id, received_at) "
	"SELECT u.c, u.b, u.i, u.m, $5 FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), "
	"pg_catalog.unnest($3), pg_catalog.unnest($4)) u (c, b, i, m) ON CONFLICT DO NOTHING RETURNING message_id",
	5, {UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID}
};

static Statement find_key = {
	"SELECT k.message_id, k.received_at, k.body_hash, m.status FROM workflow_track.message_key k "
	"LEFT JOIN workflow_track.message m ON m.message_id OPERATOR(pg_catalog.=) k.message_id "
	"AND m.received_at OPERATOR(pg_catalog.=) k.received_at WHERE k.content_hash OPERATOR(pg_catalog.=) $1",
	1, {UUIDOID}
};

static Statement renew_key = {
	"UPDATE workflow_track.message_key SET body_hash = $2, message_id = $3, received_at = $4 "
	"WHERE content_hash OPERATOR(pg_catalog.=) $1",
	4, {UUIDOID, UUIDOID, INT8OID, TIMESTAMPTZOID}
};

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
write_keys(List *messages, TimestampTz received_at, bool exact)
{
	int			n = list_length(messages);
	Datum	   *contents = palloc(sizeof(Datum) * n);
	Datum	   *bodies = palloc(sizeof(Datum) * n);
	Datum	   *ids = palloc(sizeof(Datum) * n);
	bool	   *no_id = palloc(sizeof(bool) * n);
	Datum	   *numbers = palloc(sizeof(Datum) * n);
	int			lower = 1;
	Datum		values[5];
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
	values[4] = TimestampTzGetDatum(received_at);
	statement_run(&insert_keys, values, NULL);
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

/* Finds what has a key; false if nothing has. */
static bool
find_holder(const Received *r, const pg_uuid_t *key, List *messages, KeyHolder *holder)
{
	Datum		value = UUIDPGetDatum(key);
	HeapTuple	row;
	TupleDesc	desc;
	char	   *status;
	bool		isnull;

	statement_run(&find_key, &value, NULL);
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	holder->message_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	holder->received_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &isnull));
	holder->same_body = same_uuid(DatumGetUUIDP(SPI_getbinval(row, desc, 3, &isnull)), &r->body_hash);
	status = SPI_getvalue(row, desc, 4);
	holder->status = status != NULL ? message_status(status) : status_among(messages, holder->message_id);
	return true;
}

/*
 * Tells a message whose key is taken from the one that has it; false if none
 * has its content, so that it is the id that is.
 */
static bool
compare_with_holder(Received *r, List *messages, TimestampTz received_at)
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
		if (write_keys(list_make1(r), received_at, true) != NIL)
		{
			r->has_id = false;
			(void) write_keys(list_make1(r), received_at, true);
		}
		came_before(r, false, holder.message_id, &holder);
	}
	else
	{
		Datum		values[4] = {UUIDPGetDatum(&r->content_hash), UUIDPGetDatum(&r->body_hash), Int64GetDatum(r->message_id),
		TimestampTzGetDatum(received_at)};

		statement_run(&renew_key, values, NULL);
	}
	return true;
}

/* Tells messages from what came before, and writes the keys of those that are new. */
void
tell_apart(List *messages, TimestampTz received_at)
{
	List	   *rest = list_copy(messages);
	ListCell   *lc;

	/* what cannot be read and has no control id is never the same */
	foreach(lc, rest)
		if (((Received *) lfirst(lc))->status == MESSAGE_REJECTED && ((Received *) lfirst(lc))->control_id.len == 0)
			rest = foreach_delete_current(rest, lc);
	compare_ids(messages);
	while ((rest = write_keys(rest, received_at, false)) != NIL)
	{
		List	   *again = NIL;

		foreach(lc, rest)
		{
			Received   *r = lfirst(lc);

			if (compare_with_holder(r, messages, received_at))
				continue;
			if (r->has_id)
				note_reuse(r);
			again = lappend(again, r);
		}
		rest = again;
	}
}
