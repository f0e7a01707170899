/*
 * match.h
 *	  Events of a patient that may answer others, by correlation key and time.
 */
#ifndef WT_MATCH_H
#define WT_MATCH_H

#include "postgres.h"

#include "detect/detect.h"

/* Events sorted by correlation key, then in canonical order. */
typedef struct Matches
{
	Correlation correlation;
	int			n;
	int			size;
	int		   *keys;
	int		   *events;			/* places in the patient's events */
} Matches;

extern void matches_begin(Matches *m, Correlation correlation);
extern void matches_add_kind(Matches *m, Patient *p, int kind, const StrList *by);
extern void matches_sort(Matches *m);
extern int	matches_from(const Matches *m, const Patient *p, int key, TimestampTz at);
extern int	correlation_key(const Event *e, Correlation correlation);
extern bool is_same_item(const Event *a, const Event *b, Correlation correlation);

#endif							/* WT_MATCH_H */
