/*
 * log.c
 *	  Reads the event log: one pass over the months, the columns that process
 *	  mining needs of each event in 32 bytes, and a counting sort by case.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "analyze/joined.h"
#include "analyze/log.h"
#include "compat.h"
#include "detect/event.h"
#include "detect/loader.h"
#include "detect/rules.h"
#include "detect/table.h"

#define MAX_NAMES UINT16_MAX

/* Names that are copied when they are new. */
typedef struct Interned
{
	Names	   *names;
	int			n;
	int			size;
	Str		   *texts;
	Str			last;			/* asked for before: neighbours are often alike */
	int			last_number;
} Interned;

struct EventLog
{
	MemoryContext context;
	MemoryContext scratch;		/* of one case */
	Snapshot	snapshot;
	Loader	   *loader;
	const LogFilter *filter;	/* while it is read */
	bool		named;			/* as the filter says */
	Joined	   *joined;
	Str		   *least;			/* names of patients, by number, once one is asked for */
	Names	   *subjects;		/* those of patients that aliases join, once one is asked for */
	Str		   *least_subject;	/* of each set of them, by number */
	int			ncases;
	Interned	kinds;
	Interned	facilities;
	Interned	performers;
	Performer  *performed;		/* in what role and where it was done, by number */
	bool	   *wanted;			/* kinds, by number */
	int		   *kind_rank;		/* kinds in order of their names */
	int64		nevents;
	int64		size;
	LogEvent   *events;
	int64	   *first;			/* events of a case: order[first[case] .. first[case + 1] - 1] */
	int64	   *order;
	LogEvent   *sorted;
	int64		nsorted;
};

/* --- names ----------------------------------------------------------------- */

/* Begins a list of names. */
static void
interned_begin(Interned *list)
{
	memset(list, 0, sizeof(Interned));
	list->names = names_begin(64);
	list->last_number = -1;
}

/* The number of a name; sets is_new where it had none. */
static int
interned(EventLog *log, Interned *list, Str name, bool *is_new)
{
	MemoryContext old;
	char	   *copy;

	*is_new = false;
	if (list->last_number >= 0 && str_equal(name, list->last))
		return list->last_number;
	old = MemoryContextSwitchTo(log->context);
	list->last_number = names_find(list->names, name);
	if (list->last_number < 0)
	{
		if (list->n == list->size)
		{
			list->size = Max(64, list->size * 2);
			list->texts = list->texts == NULL ? palloc(sizeof(Str) * list->size)
				: repalloc_huge(list->texts, sizeof(Str) * list->size);
		}
		copy = palloc(name.len + 1);
		memcpy(copy, name.data, name.len);
		name.data = copy;
		list->texts[list->n++] = name;
		list->last_number = names_intern(list->names, name);
		*is_new = true;
	}
	list->last = list->texts[list->last_number];
	MemoryContextSwitchTo(old);
	return list->last_number;
}

/* The same, of names whose number is kept in 16 bits. */
static uint16
interned_short(EventLog *log, Interned *list, Str name, const char *what, bool *is_new)
{
	int			number = interned(log, list, name, is_new);

	if (number >= MAX_NAMES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many %s in the event log", what),
				 errdetail("There can be %d.", MAX_NAMES)));
	return (uint16) number;
}

/* --- reading --------------------------------------------------------------- */

/* Is a kind asked for? */
static bool
is_wanted(EventLog *log, int kind, bool is_new)
{
	const LogFilter *filter = log->filter;

	if (filter->nkinds == 0)
		return true;
	if (is_new)
	{
		log->wanted = log->wanted == NULL ? MemoryContextAlloc(log->context, sizeof(bool) * MAX_NAMES) : log->wanted;
		log->wanted[kind] = str_in(log->kinds.texts[kind], filter->kinds, filter->nkinds);
	}
	return log->wanted[kind];
}

/* The number of the role of who did it, and of the system. */
static int
performer_number(EventLog *log, const TupleTableSlot *slot)
{
	Event		e;
	StringInfoData key;
	Str			parts[2];
	Str			name;
	bool		is_new;
	int			number;
	MemoryContext old = MemoryContextSwitchTo(log->scratch);

	memset(&e, 0, sizeof(e));
	e.at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);
	e.facility = slot_str(slot, EV_FACILITY);
	e.actor = slot_str(slot, EV_ACTOR);
	e.system = slot_str(slot, EV_SOURCE_SYSTEM);
	e.stated_actor_role = slot_str(slot, EV_ACTOR_ROLE);
	parts[0] = actor_role(&e);
	parts[1] = e.system;
	initStringInfo(&key);
	for (int i = 0; i < lengthof(parts); i++)
	{
		int32		len = parts[i].data == NULL ? -1 : parts[i].len;

		appendBinaryStringInfo(&key, (char *) &len, sizeof(len));
		if (len > 0)
			appendBinaryStringInfo(&key, parts[i].data, len);
	}
	name.data = key.data;
	name.len = key.len;
	number = interned(log, &log->performers, name, &is_new);
	if (is_new)
	{
		MemoryContextSwitchTo(log->context);
		log->performed = log->performed == NULL ? palloc(sizeof(Performer) * log->performers.size)
			: repalloc_huge(log->performed, sizeof(Performer) * log->performers.size);
		log->performed[number].role = str_copy(parts[0]);
		log->performed[number].system = str_copy(parts[1]);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(log->scratch);
	return number;
}

/* Takes an event, if it is of a case and asked for. */
static void
read_event(EventLog *log, TupleTableSlot *slot, int month)
{
	const LogFilter *filter = log->filter;
	TimestampTz at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);
	LogEvent   *e;
	Str			patient;
	bool		is_new;
	bool		is_test;
	uint16		kind;

	if ((slot->tts_isnull[EV_ENCOUNTER_ID] && !filter->loose) || at < filter->since || at >= filter->until)
		return;
	kind = interned_short(log, &log->kinds, slot_str(slot, EV_KIND), "kinds", &is_new);
	if (!is_wanted(log, kind, is_new) || is_retracted(log->joined, DatumGetInt64(slot->tts_values[EV_EVENT_ID])))
		return;
	patient = joined_patient(log->joined, slot_str(slot, EV_PATIENT_ID), &is_test);
	if (is_test)
		return;
	if (log->nevents == log->size)
	{
		log->size = Max(1024, log->size * 2);
		log->events = log->events == NULL ? MemoryContextAllocHuge(log->context, sizeof(LogEvent) * log->size)
			: repalloc_huge(log->events, sizeof(LogEvent) * log->size);
	}
	e = &log->events[log->nevents++];
	e->at = at;
	e->tid = slot->tts_tid;
	e->month = (uint16) month;
	e->sequence = DatumGetInt32(slot->tts_values[EV_SOURCE_SEQUENCE]);
	e->kind = kind;
	e->facility = interned_short(log, &log->facilities, slot_str(slot, EV_FACILITY), "facilities", &is_new);
	e->case_no = pair_number(log->joined, log->joined->cases, patient, slot_str(slot, EV_ENCOUNTER_ID));
	e->performer = filter->performers ? performer_number(log, slot) : 0;
}

/* Reads a month. */
static void
read_month(EventLog *log, int number)
{
	Month	   *month = &log->loader->months[number];
	int			ncolumns = log->filter->performers ? EV_SOURCE_SYSTEM + 1 : EV_KIND + 1;
	Table	   *table = loader_month(log->loader, number);
	TableScanDesc scan;

	if (month->is_empty)
		return;
	scan = wt_table_beginscan(table->rel, log->snapshot);
	while (table_scan_getnextslot(scan, ForwardScanDirection, table->slot))
	{
		slot_getsomeattrs(table->slot, ncolumns);
		read_event(log, table->slot, number);
	}
	table_endscan(scan);
}

/* --- by case --------------------------------------------------------------- */

/* Order of names, for qsort. */
static int
compare_names(const void *a, const void *b, void *arg)
{
	const Str  *texts = arg;

	return str_compare(texts[*(const int *) a], texts[*(const int *) b]);
}

/* Ranks the kinds by name. */
static void
rank_kinds(EventLog *log)
{
	int			n = log->kinds.n;
	int		   *sorted = palloc(sizeof(int) * Max(n, 1));

	log->kind_rank = palloc(sizeof(int) * Max(n, 1));
	for (int i = 0; i < n; i++)
		sorted[i] = i;
	qsort_arg(sorted, n, sizeof(int), compare_names, log->kinds.texts);
	for (int i = 0; i < n; i++)
		log->kind_rank[sorted[i]] = i;
	pfree(sorted);
}

/* Numbers cases anew, those of merged encounters as one, and lists the events of each. */
static void
sort_by_case(EventLog *log)
{
	int			nnames = names_count(log->joined->cases);
	int		   *number = palloc_extended(sizeof(int) * Max(nnames, 1), MCXT_ALLOC_HUGE);
	int64	   *next;
	int			ncases = 0;

	for (int c = 0; c < nnames; c++)
		number[c] = -1;
	for (int64 i = 0; i < log->nevents; i++)
	{
		int			root = names_root(log->joined->cases, log->events[i].case_no);

		if (number[root] < 0)
			number[root] = ncases++;
		log->events[i].case_no = number[root];
	}
	pfree(number);
	log->ncases = ncases;
	log->first = palloc_extended(sizeof(int64) * ((Size) ncases + 2), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int64 i = 0; i < log->nevents; i++)
		log->first[log->events[i].case_no + 2]++;
	for (int c = 2; c <= ncases; c++)
		log->first[c] += log->first[c - 1];
	next = log->first + 1;		/* which it is once all are placed */
	log->order = palloc_extended(sizeof(int64) * Max(log->nevents, 1), MCXT_ALLOC_HUGE);
	for (int64 i = 0; i < log->nevents; i++)
		log->order[next[log->events[i].case_no]++] = i;
}

/* Reads the log, as the active snapshot sees it. */
EventLog *
log_read(const LogFilter *filter)
{
	EventLog   *log = palloc0(sizeof(EventLog));

	log->context = CurrentMemoryContext;
	log->scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow_track case", ALLOCSET_DEFAULT_SIZES);
	log->snapshot = GetActiveSnapshot();
	log->loader = loader_begin(log->snapshot);
	log->filter = filter;
	log->named = filter->named;
	interned_begin(&log->kinds);
	interned_begin(&log->facilities);
	interned_begin(&log->performers);
	log->joined = joined_read(log->snapshot);
	for (int m = 0; m < log->loader->nmonths; m++)
		if (log->loader->months[m].upper > filter->since && log->loader->months[m].lower < filter->until)
			read_month(log, m);
	rank_kinds(log);
	sort_by_case(log);
	return log;
}

/* Order of events of a case but for the columns that are seldom needed, for qsort. */
static int
compare_events(const void *a, const void *b, void *arg)
{
	const LogEvent *x = a;
	const LogEvent *y = b;
	const int  *kind_rank = arg;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	return kind_rank[x->kind] - kind_rank[y->kind];
}

/* An event of those that compare equal, with all its columns. */
typedef struct Tie
{
	Event		event;
	LogEvent	brief;
} Tie;

/* Canonical order, for qsort. */
static int
compare_ties(const void *a, const void *b)
{
	return event_compare(&((const Tie *) a)->event, &((const Tie *) b)->event);
}

/* Brings events that compare equal into canonical order, where that can be told from results. */
static void
break_ties(EventLog *log, LogEvent *events, int n)
{
	Tie		   *ties;
	bool		differ = log->named;

	for (int i = 1; i < n && !differ; i++)
		differ = events[i].facility != events[0].facility || events[i].performer != events[0].performer;
	if (!differ)
		return;
	ties = palloc(sizeof(Tie) * n);
	for (int i = 0; i < n; i++)
	{
		ties[i].event = *log_event(log, &events[i]);
		ties[i].brief = events[i];
	}
	qsort(ties, n, sizeof(Tie), compare_ties);
	for (int i = 0; i < n; i++)
		events[i] = ties[i].brief;
}

/* The events of a case in canonical order, until the next one is asked for. */
LogEvent *
log_case(EventLog *log, int case_no, int *n)
{
	int64		count = log->first[case_no + 1] - log->first[case_no];
	const int64 *order = &log->order[log->first[case_no]];
	bool		in_order = true;
	int			from = 0;
	MemoryContext old;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(log->scratch);
	if (count > log->nsorted)
	{
		log->nsorted = Max(64, count * 2);
		if (log->sorted != NULL)
			pfree(log->sorted);
		log->sorted = MemoryContextAllocHuge(log->context, sizeof(LogEvent) * log->nsorted);
	}
	for (int64 i = 0; i < count; i++)
	{
		log->sorted[i] = log->events[order[i]];
		in_order = in_order && (i == 0 || compare_events(&log->sorted[i - 1], &log->sorted[i], log->kind_rank) < 0);
	}
	*n = (int) count;
	if (in_order)
		return log->sorted;
	old = MemoryContextSwitchTo(log->scratch);
	qsort_arg(log->sorted, count, sizeof(LogEvent), compare_events, log->kind_rank);
	for (int i = 1; i <= count; i++)
	{
		if (i < count && compare_events(&log->sorted[i], &log->sorted[from], log->kind_rank) == 0)
			continue;
		if (i - from > 1)
			break_ties(log, &log->sorted[from], i - from);
		from = i;
	}
	MemoryContextSwitchTo(old);
	return log->sorted;
}

/* --- what is known --------------------------------------------------------- */

/* How many cases there are; they are numbered from 0. */
int
log_count_cases(const EventLog *log)
{
	return log->ncases;
}

/* How many kinds were met; they are numbered from 0. */
int
log_count_kinds(const EventLog *log)
{
	return log->kinds.n;
}

/* The number of a kind; -1 if it was not met. */
int
log_find_kind(const EventLog *log, Str kind)
{
	return names_find(log->kinds.names, kind);
}

/* How many facilities were met; they are numbered from 0. */
int
log_count_facilities(const EventLog *log)
{
	return log->facilities.n;
}

/* The name of a kind. */
Str
log_kind(const EventLog *log, int kind)
{
	return log->kinds.texts[kind];
}

/* The name of a facility. */
Str
log_facility(const EventLog *log, int facility)
{
	return log->facilities.texts[facility];
}

/* The row of an event, until another of its month is asked for. */
TupleTableSlot *
log_row(EventLog *log, const LogEvent *e)
{
	Table	   *table = loader_month(log->loader, e->month);
	ItemPointerData tid = e->tid;

	if (!table_tuple_fetch_row_version(table->rel, &tid, log->snapshot, table->slot))
		elog(ERROR, "an event of the log is gone");
	slot_getallattrs(table->slot);
	return table->slot;
}

/* All columns of an event, in the current context. */
Event *
log_event(EventLog *log, const LogEvent *e)
{
	TupleTableSlot *slot = log_row(log, e);
	Event	   *event = palloc(sizeof(Event));

	event_read(event, loader_rules(log->loader), slot->tts_values, slot->tts_isnull);
	return event;
}

/* The first by bytes of the ids that are one patient with an id. */
Str
log_patient(EventLog *log, Str patient)
{
	int			number = names_find(log->joined->patients, patient);

	if (number < 0)
		return patient;
	if (log->least == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(log->context);

		log->least = names_least(log->joined->patients);
		MemoryContextSwitchTo(old);
	}
	return log->least[names_root(log->joined->patients, number)];
}

/* Reads a row of subject_alias. */
static void
read_alias(void *arg, TupleTableSlot *slot)
{
	EventLog   *log = arg;
	bool		is_test;
	Str			patient = joined_patient(log->joined, link_text(slot, 0), &is_test);

	names_join(log->subjects, pair_number(log->joined, log->subjects, patient, link_text(slot, 1)),
			   pair_number(log->joined, log->subjects, patient, link_text(slot, 2)));
}

/* The first by bytes of the numbers that are one subject of a patient with a number. */
Str
log_subject(EventLog *log, Str patient, Str subject)
{
	bool		is_test;
	int			number;

	if (log->subjects == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(log->context);

		log->subjects = names_begin(1024);
		read_links("subject_alias", log->snapshot, read_alias, log);
		log->least_subject = names_least(log->subjects);
		MemoryContextSwitchTo(old);
	}
	patient = joined_patient(log->joined, patient, &is_test);
	number = subject.data == NULL ? -1 : names_find(log->subjects, pair_key(log->joined, patient, subject));
	if (number >= 0)
	{
		subject = log->least_subject[names_root(log->subjects, number)];
		subject.data += sizeof(int32) + patient.len;
		subject.len -= sizeof(int32) + patient.len;
	}
	return subject;
}

/* How many performers were met; they are numbered from 0. */
int
log_count_performers(const EventLog *log)
{
	return log->performers.n;
}

/* In what role it was done, and in which system. */
const Performer *
log_performer(const EventLog *log, int performer)
{
	return &log->performed[performer];
}

/* The horizon of retention: of a case that began before, not all is there, and what happened before is final. */
TimestampTz
log_horizon(const EventLog *log)
{
	return log->loader->horizon;
}

/* Ends with a log. */
void
log_done(EventLog *log)
{
	loader_end(log->loader);
	MemoryContextDelete(log->scratch);
}

/* The filter that arguments of a function tell: two moments and a list of kinds, null is no limit. */
LogFilter
log_filter(FunctionCallInfo fcinfo, int since, int until, int kinds)
{
	LogFilter	filter;

	memset(&filter, 0, sizeof(filter));
	filter.since = PG_ARGISNULL(since) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(since);
	filter.until = PG_ARGISNULL(until) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(until);
	if (!PG_ARGISNULL(kinds))
	{
		Datum	   *items;
		bool	   *nulls;
		int			n;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(kinds), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
		filter.kinds = palloc(sizeof(Str) * Max(n, 1));
		for (int i = 0; i < n; i++)
			if (!nulls[i])
				filter.kinds[filter.nkinds++] = str_of_datum(items[i]);
	}
	return filter;
}
