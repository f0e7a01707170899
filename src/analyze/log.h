/*
 * log.h
 *	  Events as process mining looks at them: by case, in canonical order.
 *
 * A case is an encounter of a patient, as merges have made them one.  Events
 * without an encounter are in no case, unless they are asked for: then those of
 * a patient make one.  Retracted ones, and those of test patients (unless they
 * are shown) are in none.
 */
#ifndef WT_LOG_H
#define WT_LOG_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "executor/tuptable.h"
#include "fmgr.h"

#include "detect/names.h"
#include "report/visible.h"

typedef struct LogEvent
{
	TimestampTz at;
	ItemPointerData tid;		/* where it is stored */
	uint16		month;			/* number of its partition */
	int32		sequence;
	int32		case_no;
	uint16		kind;			/* number of its name, among the log's */
	uint16		facility;
	int32		performer;		/* number of role and system; 0 if that was not asked for */
} LogEvent;

/* Who does something: in what role, in which system. */
typedef struct Performer
{
	Str			role;
	Str			system;
} Performer;

/* Which events are taken, and what is known of them. */
typedef struct LogFilter
{
	TimestampTz since;			/* inclusive */
	TimestampTz until;			/* exclusive */
	int			nkinds;			/* 0 is every kind */
	Str		   *kinds;
	bool		performers;
	bool		loose;			/* those of no encounter too? */
	bool		named;			/* do results name events, so that no order of theirs may be left open? */
} LogFilter;

typedef struct EventLog EventLog;

extern EventLog *log_read(const LogFilter *filter);
extern int	log_count_cases(const EventLog *log);
extern LogEvent *log_case(EventLog *log, int case_no, int *n);
extern int	log_count_kinds(const EventLog *log);
extern int	log_count_facilities(const EventLog *log);
extern Str	log_kind(const EventLog *log, int kind);
extern Str	log_facility(const EventLog *log, int facility);
extern int	log_find_kind(const EventLog *log, Str kind);
extern TupleTableSlot *log_row(EventLog *log, const LogEvent *e);
extern Event *log_event(EventLog *log, const LogEvent *e);
extern Str	log_patient(EventLog *log, Str patient);
extern Str	log_subject(EventLog *log, Str patient, Str subject);
extern int	log_count_performers(const EventLog *log);
extern const Performer *log_performer(const EventLog *log, int performer);
extern TimestampTz log_horizon(const EventLog *log);
extern void log_done(EventLog *log);

extern LogFilter log_filter(FunctionCallInfo fcinfo, int since, int until, int kinds);

#endif							/* WT_LOG_H */
