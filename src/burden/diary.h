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

#include "burden/reference.h"
#include "detect/detect.h"

/* The two that an event names. */
typedef enum Party
{
	ACTOR, RECIPIENT, NPARTIES
} Party;

/* An event. */
typedef struct Entry
{
	int64		id;
	TimestampTz at;
	TimestampTz end;			/* the last instant that `at` may mean */
	TimestampTz recorded_at;
	int32		sequence;
	const KindSort *sort;
	int			place;			/* number of its facility */
	DateADT		day;			/* there */
	Str			patient;		/* stands for all ids that are one with its own */
	Str			own_patient;
	Str			encounter;
	bool		by_hand;
	bool		by_interface;
	Str			subject;		/* this and those below of alerts alone */
	Str			item;
	Str			code;
	Str			value;
	Event		brief;			/* what a look-up of roles needs of it */

	/* where numbers are kept for the events of a page, -1 until they are known; NULL elsewhere */
	int		   *person[NPARTIES];
	int		   *stated_role[NPARTIES];
	int		   *visit;
} Entry;

typedef struct Diary Diary;

/* What a report does with what is read. */
typedef struct Reader
{
	void		(*begins) (void *arg, TimestampTz from, TimestampTz until); /* a month, or its end */
	void		(*event) (void *arg, Entry *e); /* its texts do not outlive the call */
	void		(*ends) (void *arg);
	void	   *arg;
} Reader;

extern Diary *diary_begin(const Reader *reader);
extern void diary_span(Diary *diary, TimestampTz from, TimestampTz until);
extern bool diary_has_day(DateADT day);
extern void diary_limit(Diary *diary, TimestampTz since, TimestampTz until);
extern const Place *diary_place(const Diary *diary, int place);
extern int	diary_person(Diary *diary, Entry *e, Party party);
extern int	diary_role(Diary *diary, Entry *e, Party party);
extern int	diary_encounter(Diary *diary, Entry *e);
extern Str	person_name(const Diary *diary, int person);
extern Str	role_name(const Diary *diary, int role);
extern Patient *diary_load(Diary *diary, Str patient);
extern int64 interval_usecs(const Interval *interval);
extern void put_name(Datum *values, bool *nulls, int column, Str name);

#endif							/* WT_DIARY_H */
