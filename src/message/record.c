/*
 * record.c
 *	  What messages mean, written: events, aliases, cancellations, answers.
 */
#include "compat.h"
#include "utils/tuplestore.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "detect/table.h"
#include "message/statement.h"
#include "message/store.h"
#include "record/partition.h"

PG_FUNCTION_INFO_V1(message_events);

/* The events that message_events() gives. */
static List *events_to_record = NIL;

#define COLUMNS_WITH(e, code) \
	e "occurred_at, " e "source_sequence, " e "time_precision, " e "planned_at, " e "facility, " e "patient_id, " \
	e "encounter_id, " e "subject, " e "item, " e "kind, " code ", " e "value, " e "severity, " e "actor, " \
	e "actor_role, " e "recipient, " e "recipient_role, " e "source_system, " e "entry_method, " e "message_id, " e "detail"
#define EVENT_COLUMNS(e) COLUMNS_WITH(e, e "code")
/* equality of codes is an operator of ours, which a row comparison would look for in pg_catalog */
#define EVENT_ROW(e) "ROW(" COLUMNS_WITH(e, e "code::pg_catalog.text") ")"

/* Retractions r: not by a message, and of what a message no longer gives. */
#define BY_HAND "r.message_id IS NULL"
#define READ_ANEW "r.retracted_reason OPERATOR(pg_catalog.=) 'message read anew'"
#define IS_RETRACTED(e, how) "EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id OPERATOR(pg_catalog.=) " e ".event_id AND " how ")"

static Statement insert_events = {
	"INSERT INTO workflow_track.event (" EVENT_COLUMNS("") ") "
	"SELECT " EVENT_COLUMNS("n.") " FROM workflow_track.message_events() n",
	0, {0}
};

/* What a message gave before counts, unless it was taken back when it was read anew. */
static Statement insert_new_events = {
	"INSERT INTO workflow_track.event (" EVENT_COLUMNS("") ") "
	"SELECT " EVENT_COLUMNS("n.") " FROM workflow_track.message_events() n WHERE NOT EXISTS ("
	"SELECT FROM workflow_track.event o "
	"WHERE o.patient_id OPERATOR(pg_catalog.=) n.patient_id AND o.message_id OPERATOR(pg_catalog.=) $1 AND NOT " IS_RETRACTED("o", READ_ANEW) " "
	"AND " EVENT_ROW("o.") " IS NOT DISTINCT FROM " EVENT_ROW("n.") ")",
	1, {INT8OID}
};

static Statement retract_old_events = {
	"INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by) "
	"SELECT o.patient_id, o.event_id, o.occurred_at, 'message read anew', SESSION_USER FROM workflow_track.event o "
	"WHERE o.patient_id OPERATOR(pg_catalog.=) ANY ($2) AND o.message_id OPERATOR(pg_catalog.=) $1 "
	"AND NOT " IS_RETRACTED("o", BY_HAND) " AND NOT EXISTS (SELECT FROM workflow_track.message_events() n "
	"WHERE " EVENT_ROW("o.") " IS NOT DISTINCT FROM " EVENT_ROW("n.") ") "
	/* above READ COMMITTED somebody may have, whom this does not see */
	"ON CONFLICT DO NOTHING",
	2, {INT8OID, TEXTARRAYOID}
};

/* Of the events that a message gave: those that somebody retracted and that it gives no more, and those that nobody did. */
static Statement find_retracted = {
	"SELECT pg_catalog.array_agg(o.event_id) FILTER (WHERE o.by_hand AND NOT o.is_given), "
	"COALESCE(pg_catalog.array_agg(o.event_id) FILTER (WHERE NOT o.by_hand), '{}') "
	"FROM (SELECT o.event_id, " IS_RETRACTED("o", BY_HAND) " AS by_hand, "
	"EXISTS (SELECT FROM workflow_track.message_events() n WHERE " EVENT_ROW("o.") " IS NOT DISTINCT FROM " EVENT_ROW("n.") ") AS is_given "
	"FROM workflow_track.event o "
	"WHERE o.patient_id OPERATOR(pg_catalog.=) ANY ($2) AND o.message_id OPERATOR(pg_catalog.=) $1 AND NOT " IS_RETRACTED("o", READ_ANEW) ") o",
	2, {INT8OID, TEXTARRAYOID}
};

#define SAME_THING(e) "ROW(" e "patient_id, " e "kind, " e "subject, " e "item, " e "code::pg_catalog.text)"

/*
 * What somebody retracted stays so where it is only told otherwise now.  Of
 * several alike that a message gave, the value and the time tell which it was.
 */
static Statement retract_new_events = {
	"INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by) "
	"SELECT n.patient_id, n.event_id, n.occurred_at, h.retracted_reason, h.retracted_by FROM workflow_track.event n "
	"CROSS JOIN LATERAL (SELECT r.retracted_reason, r.retracted_by FROM workflow_track.event o "
	"JOIN workflow_track.retraction r ON r.event_id OPERATOR(pg_catalog.=) o.event_id AND " BY_HAND " "
	"WHERE o.patient_id OPERATOR(pg_catalog.=) ANY ($2) AND o.event_id OPERATOR(pg_catalog.=) ANY ($3) "
	"AND " SAME_THING("o.") " IS NOT DISTINCT FROM " SAME_THING("n.") " "
	"AND (ROW(o.occurred_at, o.value) IS NOT DISTINCT FROM ROW(n.occurred_at, n.value) "
	"OR NOT EXISTS (SELECT FROM workflow_track.event x WHERE x.patient_id OPERATOR(pg_catalog.=) ANY ($2) "
	"AND x.event_id OPERATOR(pg_catalog.=) ANY ($4) AND " SAME_THING("x.") " IS NOT DISTINCT FROM " SAME_THING("n.") ")) "
	"ORDER BY o.event_id LIMIT 1) h "
	"WHERE n.patient_id OPERATOR(pg_catalog.=) ANY ($2) AND n.message_id OPERATOR(pg_catalog.=) $1 "
	"AND n.event_id OPERATOR(pg_catalog.<>) ALL ($4) "
	"AND NOT " IS_RETRACTED("n", BY_HAND),
	4, {INT8OID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID}
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
		statement_run(statement, values, NULL);
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
	statement_run(&make_recordable, &value, NULL);
}

/* May the database refuse events for reasons that are not ours: a duplicate rule, a trigger or a constraint of the site's? */
static bool
may_be_refused(List *events)
{
	Relation	rel = table_open(table_oid("event"), AccessShareLock);
	TupleConstr *constraints = RelationGetDescr(rel)->constr;
	bool		foreign = (rel->trigdesc != NULL && rel->trigdesc->numtriggers > 2) ||
		(constraints != NULL && constraints->num_check > 0);
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
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_SYSTEM_ERROR ||
			error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
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
void
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
		statement_run(&insert_cancellation, values, NULL);
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
		statement_run(&insert_answer, values, nulls);
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

/* Writes what messages mean beside events. */
void
write_effects(List *messages, TimestampTz received_at)
{
	ListCell   *lc;

	foreach(lc, messages)
	{
		write_cancellations(lfirst(lc));
		write_answers(lfirst(lc), received_at);
	}
	note_all_aliases(messages);
}

/* --- once more ------------------------------------------------------------- */

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

/* Looks for events of a message that somebody retracted and that it gives no more; adds them, and the others, to the values. */
static bool
some_retracted(List *events, Datum *values)
{
	bool		none;
	bool		isnull;

	run_with_events(&find_retracted, events, values);
	values[2] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &none);
	values[3] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	return !none;
}

/* Brings what a message gave to what it gives by the rules of now. */
void
replace_effects(Received *r, TimestampTz received_at, Datum identifiers)
{
	Datum		values[4] = {Int64GetDatum(r->message_id), all_identifiers(r, identifiers)};
	List	   *events = events_of(list_make1(r));
	bool		retracted = some_retracted(events, values);

	if (events != NIL)
		prepare_months(events);
	run_with_events(&retract_old_events, events, values);
	run_with_events(&insert_new_events, events, values);
	if (retracted)
		statement_run(&retract_new_events, values, NULL);
	statement_run(&delete_cancellations, values, NULL);
	statement_run(&delete_answers, values, NULL);
	write_effects(list_make1(r), received_at);
}
