/*
 * page.h
 *	  The events of a day, packed: what the reports of burden and adoption need of
 *	  them, in a few bytes each.
 */
#ifndef WT_PAGE_H
#define WT_PAGE_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "detect/detect.h"

/* How an event was entered. */
typedef enum PageMethod
{
	PAGE_UNKNOWN, PAGE_INTERFACE, PAGE_MANUAL
} PageMethod;

/* An event; texts are numbers of the page's strings, -1 is null. */
typedef struct PageRow
{
	int64		id;
	TimestampTz at;
	TimestampTz recorded_at;
	int32		sequence;
	int			precision;
	PageMethod	method;
	bool		is_alert;
	int			facility;
	int			patient;
	int			encounter;		/* number of the page's encounters */
	int			kind;
	int			actor;
	int			actor_role;
	int			recipient;
	int			recipient_role;
	int			system;
	int			subject;		/* this and those below of alerts alone */
	int			item;
	int			code;
	int			value;
} PageRow;

/* An encounter: numbers of strings. */
typedef struct PageEncounter
{
	int			patient;
	int			encounter;
} PageEncounter;

/* A page that is read. */
typedef struct DiaryPage
{
	int			nstrings;
	Str		   *strings;		/* they point into the page */
	int			nencounters;
	PageEncounter *encounters;
	const char *next;
	const char *end;
	PageRow		row;			/* what was read last */
} DiaryPage;

typedef struct PageWriter PageWriter;

extern PageWriter *page_begin(void);
extern void page_add(PageWriter *writer, TupleTableSlot *slot);
extern struct varlena *page_end(PageWriter *writer);
extern void page_open(DiaryPage *page, struct varlena *bytes);
extern bool page_next(DiaryPage *page);

#endif							/* WT_PAGE_H */
