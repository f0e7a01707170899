/*
 * event.c
 *	  Rows of event in memory: reading them, and their canonical order.
 */
#include "postgres.h"

#include "catalog/pg_enum.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/event.h"
#include "detect/table.h"

const char *const event_column_names[EV_NCOLUMNS] = {
	"event_id", "occurred_at", "recorded_at", "source_sequence",
	"time_precision", "planned_at", "facility", "patient_id",
	"encounter_id", "subject", "item", "kind", "code", "value",
	"severity", "actor", "actor_role", "recipient", "recipient_role",
	"source_system", "entry_method", "message_id", "detail"
};

/* --- enums ----------------------------------------------------------------- */

typedef enum Precision
{
	PRECISION_SECOND, PRECISION_MINUTE, PRECISION_HOUR, PRECISION_DAY,
	PRECISION_MONTH, PRECISION_YEAR, NPRECISIONS
} Precision;

static const char *const precision_labels[NPRECISIONS] = {
	"second", "minute", "hour", "day", "month", "year"
};
static const char *const severity_labels[3] = {"normal", "abnormal", "critical"};
static const char *const method_labels[2] = {"interface", "manual"};

/* Oids of an enum's labels, which are looked up when one is not known. */
static Oid	precision_oids[NPRECISIONS];
static Oid	severity_oids[3];
static Oid	method_oids[2];

/* The place of a value among an enum's labels. */
static int
enum_rank(Oid value, const char *type, Oid *oids, const char *const *labels, int n)
{
	for (int again = 0; again < 2; again++)
	{
		Oid			type_oid;

		for (int i = 0; i < n; i++)
			if (oids[i] == value)
				return i;
		type_oid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
								   CStringGetDatum(type), ObjectIdGetDatum(schema_oid()));
		for (int i = 0; i < n; i++)
			oids[i] = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
									  ObjectIdGetDatum(type_oid), CStringGetDatum(labels[i]));
	}
	elog(ERROR, "enum \"%s\" has a label that is not known", type);
	return 0;					/* keep the compiler quiet */
}

/* The last instant that a time of some precision may mean; months as in UTC. */
TimestampTz
precision_end(TimestampTz at, int precision)
{
	struct pg_tm tm;
	fsec_t		fsec;
	TimestampTz end;
	int			month;

	switch (precision)
	{
		case PRECISION_SECOND:
			return at;
		case PRECISION_MINUTE:
			return at + USECS_PER_MINUTE - 1;
		case PRECISION_HOUR:
			return at + USECS_PER_HOUR - 1;
		case PRECISION_DAY:
			return at + USECS_PER_DAY - 1;
		default:
			break;
	}
	/* without a zone to turn to, this is UTC */
	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	month = tm.tm_year * 12 + tm.tm_mon - 1 + (precision == PRECISION_YEAR ? 12 : 1);
	tm.tm_year = month / 12;
	tm.tm_mon = month % 12 + 1;
	tm.tm_mday = Min(tm.tm_mday, day_tab[isleap(tm.tm_year)][tm.tm_mon - 1]);
	if (tm2timestamp(&tm, fsec, NULL, &end) != 0)
		elog(ERROR, "timestamp out of range");
	return end - 1;
}

/* How exactly an event's time was known. */
int
event_precision(const Datum *values)
{
	return enum_rank(DatumGetObjectId(values[EV_TIME_PRECISION]), "time_precision",
					 precision_oids, precision_labels, NPRECISIONS);
}

/* The label of a precision; of a number that is none, NULL. */
const char *
precision_label(int precision)
{
	return precision >= 0 && precision < NPRECISIONS ? precision_labels[precision] : NULL;
}

/* Is an event known to the month or the year only? */
bool
event_is_imprecise(const Datum *values)
{
	return event_precision(values) >= PRECISION_MONTH;
}

/* The last instant that an event's time may mean. */
TimestampTz
event_end(const Datum *values)
{
	return precision_end(DatumGetTimestampTz(values[EV_OCCURRED_AT]), event_precision(values));
}

/* Was an event entered by hand, by its entry_method? */
bool
event_is_manual(Oid method)
{
	return enum_rank(method, "entry_method", method_oids, method_labels, 2) == 1;
}

/* --- reading --------------------------------------------------------------- */

/* The bytes of a text column, with the room they need if they must be copied. */
static Str
column_str(const Datum *values, const bool *nulls, int column)
{
	Str			s = {NULL, 0};

	if (!nulls[column])
		s = str_of_datum(values[column]);
	return s;
}

/* Moves a text into a block. */
static void
keep(Str *s, char **block)
{
	if (s->data == NULL)
		return;
	memcpy(*block, s->data, s->len);
	s->data = *block;
	*block += s->len;
}

/* Copies an event's texts out of the row, at one stroke. */
static void
keep_texts(Event *e)
{
	Str		   *texts[] = {
		&e->facility, &e->patient, &e->encounter, &e->subject, &e->item, &e->code,
		&e->value, &e->actor, &e->recipient, &e->system, &e->stated_actor_role,
		&e->stated_recipient_role
	};
	Size		size = 0;
	char	   *block;

	for (int i = 0; i < lengthof(texts); i++)
		size += texts[i]->len;
	block = palloc(size + 1);
	for (int i = 0; i < lengthof(texts); i++)
		keep(texts[i], &block);
}

/* The kind by its name; of one that event_kind no longer has, a stand-in. */
static const Kind *
kind_of(const Rules *rules, Str name)
{
	const Kind *known = rules_kind(name);
	Kind	   *kind;
	char	   *copy;

	if (known != NULL)
		return known;
	kind = palloc0(sizeof(Kind));
	copy = pnstrdup(name.data, name.len);
	kind->name.data = copy;
	kind->name.len = name.len;
	kind->id = rules->nkinds;
	kind->counts_as_work = true;
	kind->needs_detail = true;
	return kind;
}

/* Reads a row of event into memory of its own. */
void
event_read(Event *e, const Rules *rules, const Datum *values, const bool *nulls)
{
	memset(e, 0, sizeof(Event));
	e->event_id = DatumGetInt64(values[EV_EVENT_ID]);
	e->at = DatumGetTimestampTz(values[EV_OCCURRED_AT]);
	e->sequence = DatumGetInt32(values[EV_SOURCE_SEQUENCE]);
	e->end = event_end(values);
	e->kind = kind_of(rules, column_str(values, nulls, EV_KIND));
	e->facility = column_str(values, nulls, EV_FACILITY);
	e->patient = column_str(values, nulls, EV_PATIENT_ID);
	e->encounter = column_str(values, nulls, EV_ENCOUNTER_ID);
	e->subject = column_str(values, nulls, EV_SUBJECT);
	e->item = column_str(values, nulls, EV_ITEM);
	e->code = column_str(values, nulls, EV_CODE);
	e->value = column_str(values, nulls, EV_VALUE);
	e->actor = column_str(values, nulls, EV_ACTOR);
	e->recipient = column_str(values, nulls, EV_RECIPIENT);
	e->system = column_str(values, nulls, EV_SOURCE_SYSTEM);
	e->stated_actor_role = column_str(values, nulls, EV_ACTOR_ROLE);
	e->stated_recipient_role = column_str(values, nulls, EV_RECIPIENT_ROLE);
	keep_texts(e);
	if (!nulls[EV_SEVERITY])
	{
		e->severity = DatumGetObjectId(values[EV_SEVERITY]);
		e->severity_rank = 1 + enum_rank(e->severity, "severity", severity_oids, severity_labels, 3);
	}
	if (!nulls[EV_ENTRY_METHOD])
	{
		e->method = DatumGetObjectId(values[EV_ENTRY_METHOD]);
		e->method_rank = 1 + enum_rank(e->method, "entry_method", method_oids, method_labels, 2);
	}
	e->has_planned = !nulls[EV_PLANNED_AT];
	if (e->has_planned)
		e->planned = DatumGetTimestampTz(values[EV_PLANNED_AT]);
	e->has_message = !nulls[EV_MESSAGE_ID];
	if (e->has_message)
		e->message_id = DatumGetInt64(values[EV_MESSAGE_ID]);
	if (e->kind->needs_detail && !nulls[EV_DETAIL])
		e->detail = DatumGetJsonbPCopy(values[EV_DETAIL]);
}

/* --- comparing ------------------------------------------------------------- */

/* Canonical order. */
int
event_compare(const Event *a, const Event *b)
{
	int			cmp;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	if ((cmp = str_compare(a->kind->name, b->kind->name)) != 0 ||
		(cmp = str_compare(a->subject, b->subject)) != 0 ||
		(cmp = str_compare(a->item, b->item)) != 0 ||
		(cmp = str_compare(a->code, b->code)) != 0 ||
		(cmp = str_compare(a->value, b->value)) != 0 ||
		(cmp = str_compare(a->system, b->system)) != 0 ||
		(cmp = str_compare(a->actor, b->actor)) != 0)
		return cmp;
	return a->event_id == b->event_id ? 0 : a->event_id < b->event_id ? -1 : 1;
}

/* The same for qsort. */
int
event_qsort_compare(const void *a, const void *b)
{
	return event_compare(a, b);
}

/* Order of bigints, for qsort and bsearch. */
int
int64_compare(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x == y ? 0 : x < y ? -1 : 1;
}

/* A column that is a text, as stored. */
Str
event_text(const Event *e, int column)
{
	Str			none = {NULL, 0};

	switch (column)
	{
		case EV_FACILITY:
			return e->facility;
		case EV_PATIENT_ID:
			return e->patient;
		case EV_ENCOUNTER_ID:
			return e->encounter;
		case EV_SUBJECT:
			return e->subject;
		case EV_ITEM:
			return e->item;
		case EV_KIND:
			return e->kind->name;
		case EV_CODE:
			return e->code;
		case EV_VALUE:
			return e->value;
		case EV_ACTOR:
			return e->actor;
		case EV_ACTOR_ROLE:
			return e->stated_actor_role;
		case EV_RECIPIENT:
			return e->recipient;
		case EV_RECIPIENT_ROLE:
			return e->stated_recipient_role;
		case EV_SOURCE_SYSTEM:
			return e->system;
		default:
			return none;
	}
}

/* Is a column equal, as stored, in two events?  Null equals null. */
bool
event_column_equal(const Event *a, const Event *b, int column)
{
	switch (column)
	{
		case EV_OCCURRED_AT:
			return a->at == b->at;
		case EV_SOURCE_SEQUENCE:
			return a->sequence == b->sequence;
		case EV_PLANNED_AT:
			return a->has_planned == b->has_planned && (!a->has_planned || a->planned == b->planned);
		case EV_SEVERITY:
			return a->severity == b->severity;
		case EV_ENTRY_METHOD:
			return a->method == b->method;
		case EV_MESSAGE_ID:
			return a->has_message == b->has_message && a->message_id == b->message_id;
		default:
			return str_equal(event_text(a, column), event_text(b, column));
	}
}
