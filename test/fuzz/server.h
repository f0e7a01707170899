/*
 * server.h
 *	  What stands in for the server in fuzzers of what needs it: memory, errors,
 *	  texts, buffers and calls, each no more than the sources at hand use.
 */
#ifndef WT_FUZZ_SERVER_H
#define WT_FUZZ_SERVER_H

#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "compat.h"

/* the server's own stand for these; here they are C's */
#undef fprintf
#undef qsort
#undef snprintf
#undef sprintf
#undef vsnprintf

#include "fuzz.h"

/* What a function gave, or the SQLSTATE of the error that it ended with. */
typedef struct Called
{
	int			sqlstate;		/* 0 of none */
	bool		isnull;
	Datum		value;
} Called;

/* What takes the rows that a function puts into a tuplestore. */
extern void (*take_row) (const Datum *values, const bool *nulls);

/* Is text in UTF-8, or else in an encoding of single bytes? */
extern bool server_utf8;

extern int	attempt(void (*action) (void *arg), void *arg);
extern Called call(PGFunction function, int nargs, const NullableDatum *args);
extern Called receive(PGFunction function, const char *data, int len);
extern void check_error(int sqlstate);
extern bool is_json(const char *json);
extern bool is_json_number(const char *str, int len);
extern void put_row(const void *values, const bool *nulls);
extern void server_reset(void);

extern text *text_of(const char *data, int len);
extern bool same_texts(Datum a, Datum b);

#define CALL(function, ...) \
	call(function, (int) (sizeof((NullableDatum[]) {__VA_ARGS__}) / sizeof(NullableDatum)), (NullableDatum[]) {__VA_ARGS__})
#define GIVEN(datum) {(datum), false}
#define NOT_GIVEN {(Datum) 0, true}

#endif							/* WT_FUZZ_SERVER_H */
