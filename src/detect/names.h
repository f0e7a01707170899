/*
 * names.h
 *	  Names of one patient as small numbers, with those that are one joined.
 */
#ifndef WT_NAMES_H
#define WT_NAMES_H

#include "postgres.h"

#include "detect/detect.h"

typedef struct Names Names;

extern Names *names_begin(int expected);
extern int	names_intern(Names *names, Str name);
extern int	names_find(const Names *names, Str name);
extern Str	names_text(const Names *names, int number);
extern void names_join(Names *names, int one, int other);
extern int	names_root(const Names *names, int number);
extern int	names_count(const Names *names);
extern Str *names_least(const Names *names);

#endif							/* WT_NAMES_H */
