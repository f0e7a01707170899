/*
 * trigger.c
 *	  Row triggers: what is checked of an event when it is recorded, and which
 *	  patients a change touches.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "burden/mark.h"
#include "detect/detect.h"
#include "detect/event.h"
#include "detect/store.h"
#include "detect/table.h"
#include "detect/touched.h"

PG_FUNCTION_INFO_V1(event_was_recorded);
PG_FUNCTION_INFO_V1(event_recorded);
PG_FUNCTION_INFO_V1(patient_touched);
PG_FUNCTION_INFO_V1(reference_changed);
PG_FUNCTION_INFO_V1(touch_patients);
PG_FUNCTION_INFO_V1(detect_now);
PG_FUNCTION_INFO_V1(wait_for_detection);
PG_FUNCTION_INFO_V1(exclude_detection);
PG_FUNCTION_INFO_V1(try_exclude_detection);

/* 1900-01-01 00:00 UTC */
#define EARLIEST_EVENT (-36524 * USECS_PER_DAY)
#define LATEST_EVENT_AHEAD (2 * USECS_PER_DAY)
/* 2200-01-01 00:00 UTC */
#define LATEST_PLAN (73049 * USECS_PER_DAY)

/* Is this a call as a trigger for each row after a change? */
static TriggerData *
row_trigger(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an AFTER trigger for each row")));
	return trigger;
}

/* Is there a blank at a place of a text? */
static bool
is_blank_at(Str s, int at)
{
	return s.data[at] == ' ' || s.data[at] == '\t';
}

/* Is a text empty, or blanks alone? */
static bool
is_blank(Str s)
{
	for (int i = 0; i < s.len; i++)
		if (!is_blank_at(s, i))
			return false;
	return true;
}

/*
 * Refuses a null where an event must have a value.  These are no constraints of
 * the table: they would show the whole row.
 */
static void
check_nulls(TupleTableSlot *slot)
{
	static const int columns[] = {EV_SOURCE_SEQUENCE, EV_TIME_PRECISION, EV_FACILITY, EV_PATIENT_ID, EV_KIND};

	for (int i = 0; i < lengthof(columns); i++)
		if (slot->tts_isnull[columns[i]])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("%s of an event must not be null", event_column_names[columns[i]])));
}

/* Refuses identifiers with blanks around them: they would never equal those without. */
static void
check_identifiers(TupleTableSlot *slot)
{
	static const int columns[] = {
		EV_FACILITY, EV_PATIENT_ID, EV_ENCOUNTER_ID, EV_SUBJECT, EV_ITEM, EV_ACTOR,
		EV_ACTOR_ROLE, EV_RECIPIENT, EV_RECIPIENT_ROLE, EV_SOURCE_SYSTEM
	};

	for (int i = 0; i < lengthof(columns); i++)
	{
		Str			s;

		if (slot->tts_isnull[columns[i]])
			continue;
		s = str_of_datum(slot->tts_values[columns[i]]);
		if (s.len > 0 && (is_blank_at(s, 0) || is_blank_at(s, s.len - 1)))
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("column \"%s\" of an event begins or ends with a blank",
							event_column_names[columns[i]]),
					 errhint("Identifiers are compared byte for byte; record_event() removes outer blanks, INSERT and COPY do not.")));
	}
}

/* Refuses what no event can be; no message tells what was in it. */
static void
check_event(TupleTableSlot *slot, const Kind *kind)
{
	TimestampTz at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);

	if (kind == NULL || !kind->is_declared)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("unknown kind of event \"%s\"",
						TextDatumGetCString(slot->tts_values[EV_KIND])),
				 errhint("Table workflow_track.event_kind lists the kinds; add a row for a kind of your own.")));
	if (is_blank(str_of_datum(slot->tts_values[EV_PATIENT_ID])))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("patient_id of an event must not be empty"),
				 errhint("An event that belongs to no patient cannot be recorded.")));
	if (at < EARLIEST_EVENT || at > GetCurrentStatementStartTimestamp() + LATEST_EVENT_AHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("occurred_at of an event is out of range"),
				 errdetail("It is before 1900 or more than 2 days from now."),
				 errhint("occurred_at is when the event happened; what is meant to happen later goes into planned_at.")));
	if (!slot->tts_isnull[EV_PLANNED_AT])
	{
		TimestampTz planned = DatumGetTimestampTz(slot->tts_values[EV_PLANNED_AT]);

		if (planned < EARLIEST_EVENT || planned >= LATEST_PLAN)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
					 errmsg("planned_at of an event is out of range"),
					 errdetail("It is before 1900 or after 2199.")));
	}
	if (SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA &&
		(slot->tts_isnull[EV_RECORDED_AT] ||
		 DatumGetTimestampTz(slot->tts_values[EV_RECORDED_AT]) != GetCurrentTransactionStartTimestamp()))
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("column \"recorded_at\" of an event cannot be given"),
				 errdetail("It is the time of the recording transaction.")));
}

/*
 * Keeps a link that a merge makes.  The last columns are for drop_before(); a
 * table that 0.1.0 made lacks them until setup() is called.
 */
static void
keep_merge(const char *name, int ncolumns, const Datum *values, const bool *nulls)
{
	Table		table;

	table_by_name(&table, CurrentMemoryContext, name, InvalidSnapshot, RowExclusiveLock);
	table_insert(&table, Min(ncolumns, RelationGetDescr(table.rel)->natts), values, nulls);
	table_done(&table);
}

/* Keeps what patient.merged and encounter.merged say; true if that is a link. */
static bool
record_merge(TupleTableSlot *slot, Str patient, Str kind)
{
	bool		nulls[5] = {0};
	Str			subject;

	if (slot->tts_isnull[EV_SUBJECT])
		return false;
	subject = str_of_datum(slot->tts_values[EV_SUBJECT]);
	if (kind.len == 14 && memcmp(kind.data, "patient.merged", 14) == 0)
	{
		Datum		values[5] = {slot->tts_values[EV_PATIENT_ID], slot->tts_values[EV_SUBJECT],
		slot->tts_values[EV_EVENT_ID]};

		if (is_blank(subject) || str_equal(subject, patient))
			return false;
		nulls[3] = nulls[4] = true; /* its event tells */
		keep_merge("patient_merge", lengthof(values), values, nulls);
		touch_patient(subject, DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]), TOUCH_LINK);
		return true;
	}
	if (kind.len == 16 && memcmp(kind.data, "encounter.merged", 16) == 0 &&
		!slot->tts_isnull[EV_ENCOUNTER_ID])
	{
		Datum		values[5] = {slot->tts_values[EV_PATIENT_ID], slot->tts_values[EV_ENCOUNTER_ID],
		slot->tts_values[EV_SUBJECT], slot->tts_values[EV_EVENT_ID]};

		nulls[4] = true;		/* likewise */
		keep_merge("encounter_merge", lengthof(values), values, nulls);
		return true;
	}
	return false;
}

/*
 * Looks at once whether a rule refuses the event: whoever records learns it from
 * the statement.  What two sessions do at the same time is found at commit.
 */
static void
check_refusal(int64 event_id, Str patient, TimestampTz at)
{
	const Rules *rules = rules_current();
	int64		within = 0;

	for (int i = 0; i < rules->nduplicates; i++)
		if (rules->duplicates[i].reject)
			within = Max(within, rules->duplicates[i].within);
	note_refusable(event_id);
	CommandCounterIncrement();	/* makes the event visible */
	PushActiveSnapshot(GetLatestSnapshot());
	if (!detection_is_paused(GetActiveSnapshot()))
	{
		Loader	   *loader = loader_begin(GetActiveSnapshot());
		int			n;
		Duplicate  *duplicates = find_duplicates(loader_patient(loader, list_make1(&patient), at - within, true),
												 loader_rules(loader), &n);

		refuse_duplicates(duplicates, n);
		loader_end(loader);
	}
	PopActiveSnapshot();
}

/* event_recorded(), after an event was inserted: checks it, and notes its patient. */
Datum
event_was_recorded(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);
	TupleTableSlot *slot = trigger->tg_trigslot;
	const Kind *kind;
	struct Touched *touched;
	Str			patient;
	TimestampTz at;

	(void) rules_current();
	slot_getsomeattrs(slot, EV_SOURCE_SYSTEM + 1);
	check_nulls(slot);
	kind = rules_kind(str_of_datum(slot->tts_values[EV_KIND]));
	check_event(slot, kind);
	check_identifiers(slot);
	patient = str_of_datum(slot->tts_values[EV_PATIENT_ID]);
	at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);
	touched = touch_patient(patient, at, kind->is_merge && record_merge(slot, patient, kind->name) ? TOUCH_LINK :
							event_is_imprecise(slot->tts_values) ? TOUCH_WHOLE : TOUCH_EVENT);
	place_event(touched, DatumGetInt64(slot->tts_values[EV_EVENT_ID]), RelationGetRelid(trigger->tg_relation), &slot->tts_tid);
	mark_day(at);
	if (kind->may_reject)
		check_refusal(DatumGetInt64(slot->tts_values[EV_EVENT_ID]), patient, at);
	return PointerGetDatum(NULL);
}

/* The same, as 0.1.0 calls it where the extension is not updated yet. */
Datum
event_recorded(PG_FUNCTION_ARGS)
{
	return event_was_recorded(fcinfo);
}

/* Notes the patient of a row whose table begins with patient_id. */
static void
touch_row(TupleTableSlot *slot)
{
	bool		isnull;
	Datum		patient = slot_getattr(slot, 1, &isnull);

	if (!isnull)
		touch_patient(str_of_datum(patient), DT_NOEND, TOUCH_LINK);
}

/* After a change of subject_alias, test_patient or retraction. */
Datum
patient_touched(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = row_trigger(fcinfo);

	touch_row(trigger->tg_trigslot);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		touch_row(trigger->tg_newslot);
	return PointerGetDatum(NULL);
}

/* After a change of a table that backends keep a copy of: tells them. */
Datum
reference_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by a trigger")));
	CacheInvalidateRelcache(trigger->tg_relation);
	return PointerGetDatum(NULL);
}

/*
 * touch_patients(patient_ids, first_at, linked): notes patients to be
 * evaluated when the transaction ends.
 */
Datum
touch_patients(PG_FUNCTION_ARGS)
{
	Datum	   *ids,
			   *first_at,
			   *linked;
	bool	   *null_ids,
			   *null_first_at,
			   *null_linked;
	int			n,
				n_first_at,
				n_linked;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT,
					  &ids, &null_ids, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &first_at, &null_first_at, &n_first_at);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), BOOLOID, 1, true, TYPALIGN_CHAR,
					  &linked, &null_linked, &n_linked);
	if (n != n_first_at || n != n_linked)
		elog(ERROR, "arrays of different lengths");
	for (int i = 0; i < n; i++)
	{
		if (null_ids[i])
			continue;
		touch_patient(str_of_datum(ids[i]),
					  null_first_at[i] ? DT_NOEND : DatumGetTimestampTz(first_at[i]),
					  !null_linked[i] && DatumGetBool(linked[i]) ? TOUCH_AGAIN_LINK : TOUCH_AGAIN);
	}
	PG_RETURN_VOID();
}

/*
 * detect_now(rebase): evaluates the patients noted so far.  Where events vanished
 * because their months were dropped, rebase leaves the rollups as they are.
 */
Datum
detect_now(PG_FUNCTION_ARGS)
{
	detect_touched_now(PG_GETARG_BOOL(0));
	PG_RETURN_VOID();
}

/* wait_for_detection(): returns when everyone who detects now has committed. */
Datum
wait_for_detection(PG_FUNCTION_ARGS)
{
	detection_barrier();
	PG_RETURN_VOID();
}

/* exclude_detection(): likewise, and nobody else detects until this transaction ends. */
Datum
exclude_detection(PG_FUNCTION_ARGS)
{
	detection_lock_exclusive();
	PG_RETURN_VOID();
}

/* try_exclude_detection(): likewise if nobody detects now; else false. */
Datum
try_exclude_detection(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(detection_lock_conditionally());
}
