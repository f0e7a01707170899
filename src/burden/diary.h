/*
 * diary.h
 *	  Events as the reports of burden and adoption read them: month by month,
 *	  each once a query, with the local day and what merges join.
 *
 * Retracted events, those of test patients (unless they are shown) and those
 * before the horizon of retention are left out.  Events of facilities that the
 * caller does not see are read, for they may bear on others, but marked.
 */
#ifndef WT_DIARY_H
#define WT_DIARY_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/date.h"

#include "analyze/joined.h"
#include "detect/detect.h"
#include "report/visible.h"

/* What begins or ends a stay or a visit; NOT_A_BOUND is any other kind. */
typedef enum Bound
{
	NOT_A_BOUND, BOUND_ADMITTED, BOUND_DISCHARGED, BOUND_REGISTERED
} Bound;

/* A kind, as the reports look at it. */
typedef struct KindSort
{
	bool		fires;			/* alert.fired */
	bool		overrides;		/* alert.overridden */
	bool		is_screen;		/* screen.used */
	bool		is_note;		/* note.signed */
	bool		documents;		/* somebody writes down what was done or found */
	Bound		bound;
	int			nsystems;		/* systems that steps of the map name for it, of all steps that name any */
	Str		   *systems;
} KindSort;

/* A facility: whether the caller sees it, and its clock. */
typedef struct Place
{
	Str			name;
	bool		is_visible;
	pg_tz	   *zone;
	pg_time_t	from;			/* its offset from UTC between two moments */
	pg_time_t	until;
	long		offset;
} Place;

/* An event. */
typedef struct Entry
{
	TupleTableSlot *slot;		/* its columns up to entry_method */
	int64		id;
	TimestampTz at;
	const KindSort *sort;
	int			place;			/* number of its facility */
	DateADT		day;			/* there */
	Str			patient;		/* stands for all ids that are one with its own */
	bool		by_hand;
	bool		by_interface;
	Event		brief;			/* what a look-up of roles needs of it */
} Entry;

typedef struct Diary Diary;

/* What a report does with what is read. */
typedef struct Reader
{
	void		(*begins) (void *arg, TimestampTz from, TimestampTz until); /* a month, or its end */
	void		(*event) (void *arg, const Entry *e);
	void		(*ends) (void *arg);
	void	   *arg;
} Reader;

extern Diary *diary_begin(const Reader *reader);
extern void diary_span(Diary *diary, TimestampTz from, TimestampTz until);
extern bool diary_has_day(DateADT day);
extern void diary_limit(Diary *diary, TimestampTz since, TimestampTz until);
extern const Place *diary_place(const Diary *diary, int place);
extern int	diary_encounter(Diary *diary, const Entry *e);
extern Str	diary_patient(const Diary *diary, Str patient);
extern Patient *diary_load(Diary *diary, Str patient);
extern Event *diary_whole(Diary *diary, const Entry *e);
extern Bound kind_bound(Str kind);
extern int64 interval_usecs(const Interval *interval);
extern int	name_number(Names *names, Str name, MemoryContext context);
extern void put_name(Datum *values, bool *nulls, int column, Str name);

#endif							/* WT_DIARY_H */
