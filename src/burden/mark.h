/*
 * mark.h
 *	  Days, which pages of the diary are of, and marks of those that events are
 *	  recorded of.
 */
#ifndef WT_MARK_H
#define WT_MARK_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/date.h"

#include "detect/loader.h"

/* The day of a moment in UTC. */
static inline DateADT
utc_day(TimestampTz at)
{
	return (DateADT) (at / USECS_PER_DAY - (at % USECS_PER_DAY < 0));
}

/* Have the days of a month pages?  Those of the first partition, which begins nowhere, have none. */
static inline bool
has_pages(const Month *month)
{
	return month->lower != DT_NOBEGIN && month->lower % USECS_PER_DAY == 0 && month->upper % USECS_PER_DAY == 0;
}

extern void mark_init(void);
extern void mark_day(TimestampTz at);
extern void forget_marks(void);

#endif							/* WT_MARK_H */
