/*
 * reading.h
 *	  A rule at work on a message.
 */
#ifndef WT_READING_H
#define WT_READING_H

#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "message/received.h"

/* A rule at work on a segment of a message. */
typedef struct Reading
{
	Received   *received;
	Hl7Arena   *arena;
	const Mapping *mapping;
	const Hl7Rule *rule;
	Hl7Scope   *scope;
	bool		failed;			/* something is missing or wrong: no event */
	bool		quiet;			/* it says nothing of the message */
} Reading;

static inline Str
str_of_slice(Hl7Slice s)
{
	return s.len == 0 ? (Str) {NULL, 0} : (Str) {s.data, s.len};
}

static inline Datum
text_datum(Str s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

extern const char *reading_place(const Reading *reading);
extern void reading_fail(Reading *reading, const char *problem, const char *why);
extern const Hl7Expression *reading_expression(const Reading *reading, Hl7Column column);
extern Hl7Value reading_value(Reading *reading, Hl7Column column);
extern Str reading_identifier(Reading *reading, Hl7Column column);
extern text *reading_code(const Reading *reading, Hl7Value value);
extern bool reading_time(Reading *reading, Hl7Column column, TimestampTz *at, Hl7Precision *precision, bool *is_null);
extern Jsonb *reading_detail(Reading *reading);

#endif							/* WT_READING_H */
