/*
 * rules.h
 *	  What compiling rules is made of.
 */
#ifndef WT_RULES_H
#define WT_RULES_H

#include "postgres.h"

#include "detect/detect.h"

extern Str	str_copy(Str s);
extern StrList str_list(Datum array, bool isnull);
extern bool str_is(Str s, const char *word);

/* From the five columns when_severity, _facility, _entry_method, _code, _detail. */
extern When read_when(const Datum *values, const bool *nulls);

extern void rules_init(void);
extern void staff_changed(Oid relid);

#endif							/* WT_RULES_H */
