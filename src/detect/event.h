/*
 * event.h
 *	  Rows of event in memory.
 */
#ifndef WT_EVENT_H
#define WT_EVENT_H

#include "postgres.h"

#include "detect/detect.h"

extern void event_read(Event *e, const Rules *rules, const Datum *values, const bool *nulls);
extern bool event_is_imprecise(const Datum *values);
extern bool event_is_manual(Oid method);
extern int	event_precision(const Datum *values);
extern TimestampTz event_end(const Datum *values);
extern TimestampTz precision_end(TimestampTz at, int precision);
extern const char *precision_label(int precision);
extern int	event_qsort_compare(const void *a, const void *b);
extern int	int64_compare(const void *a, const void *b);

#endif							/* WT_EVENT_H */
