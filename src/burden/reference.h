/*
 * reference.h
 *	  What kinds are, and where facilities are, as the reports of burden and
 *	  adoption look at them.
 */
#ifndef WT_REFERENCE_H
#define WT_REFERENCE_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/date.h"

#include "detect/detect.h"
#include "detect/names.h"
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

typedef struct Reference
{
	MemoryContext context;
	const Visible *visible;
	Names	   *kinds;
	int			kinds_size;
	KindSort   *sort;			/* by number */
	Names	   *places;
	int			places_size;
	Place	   *place;			/* by number */
	Names	   *zones;			/* facilities that have a row of their own ... */
	Str		   *zone;			/* ... and their time zones, by number */
} Reference;

extern void reference_read(Reference *reference, const Visible *visible);
extern int	kind_number(Reference *reference, Str kind);
extern Bound kind_bound(Str kind);
extern int	place_number(Reference *reference, Str facility);
extern DateADT local_day(Place *place, TimestampTz at);
extern int	name_number(Names *names, Str name, MemoryContext context);

#endif							/* WT_REFERENCE_H */
