/*
 * hl7v2.h
 *	  HL7 v2 messages, read where they lie.  Plain C, without server headers, so
 *	  that the server, the fuzzer and other programs share it.
 *
 * A message is indexed by its segments in one pass; fields, repetitions,
 * components and subcomponents are looked for when they are asked for, and are
 * slices of the message.  Only what holds escapes is copied, when it is decoded.
 * Nothing here fails otherwise than by a value.
 */
#ifndef WT_HL7V2_H
#define WT_HL7V2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of someone else's; data is NULL where there is nothing at all. */
typedef struct Hl7Slice
{
	const char *data;
	int			len;
} Hl7Slice;

/* --- memory ---------------------------------------------------------------- */

typedef struct Hl7Block Hl7Block;

/*
 * Memory that is handed out bit by bit and taken back at once.  allocate must
 * not return NULL for what it is asked for.
 */
typedef struct Hl7Arena
{
	void	   *(*allocate) (size_t size);
	void		(*release) (void *memory);
	Hl7Block   *blocks;			/* the current one first */
} Hl7Arena;

extern void *hl7_alloc(Hl7Arena *arena, size_t size);
extern void hl7_reset(Hl7Arena *arena);
extern void hl7_free(Hl7Arena *arena);

/* --- streams --------------------------------------------------------------- */

typedef enum Hl7PartKind
{
	HL7_MESSAGE,				/* MSH and what follows it */
	HL7_ENVELOPE				/* segments of a batch or file: FHS, BHS, BTS, FTS */
} Hl7PartKind;

/*
 * The next part of what came from *at on, which may be several messages, framed
 * by MLLP or in batches.  The parts together are all of it, byte for byte.
 */
extern bool hl7_next_part(const char *data, int len, int *at, Hl7Slice *part, Hl7PartKind *kind);

/* --- messages -------------------------------------------------------------- */

typedef enum Hl7Fault
{
	HL7_OK,
	HL7_NO_MSH,					/* does not begin with MSH */
	HL7_TRUNCATED_MSH,			/* ends before MSH-9 */
	HL7_BAD_DELIMITERS,			/* MSH-1 or MSH-2 cannot be */
	HL7_BAD_SEGMENT_NAME,		/* not a letter and two letters or digits, then MSH-1 */
	HL7_ZERO_BYTE,				/* a byte 0 */
	HL7_SECOND_MSH				/* another message follows */
} Hl7Fault;

typedef struct Hl7Error
{
	Hl7Fault	fault;
	int			segment;		/* which segment, from 1 */
	int			position;		/* which byte of the message, from 1 */
} Hl7Error;

/* Three bytes of a name in one number. */
#define HL7_NAME(a, b, c) (((uint32_t) (a) << 16) | ((uint32_t) (b) << 8) | (uint32_t) (c))

typedef struct Hl7Segment
{
	uint32_t	name;
	int			start;			/* of the name */
	int			end;			/* of the content */
} Hl7Segment;

typedef struct Hl7Message
{
	const char *data;
	int			len;
	char		field;			/* separators; 0 where the message has none */
	char		component;
	char		repetition;
	char		escape;
	char		subcomponent;
	char		truncation;
	bool		utf8;			/* is it UTF-8? \X..\ may then give such bytes */
	int			nsegments;
	Hl7Segment *segments;
} Hl7Message;

extern bool hl7_parse(Hl7Message *message, Hl7Arena *arena, const char *data, int len, Hl7Error *error);
extern const char *hl7_fault_name(Hl7Fault fault);
extern const char *hl7_fault_text(Hl7Fault fault);

/* A field of a segment, by their numbers (segments from 0, fields from 1), as sent. */
extern Hl7Slice hl7_field(const Hl7Message *message, int segment, int field);

/* How many repetitions a field has, and one of them, from 1. */
extern int	hl7_repetitions(const Hl7Message *message, Hl7Slice field);
extern Hl7Slice hl7_repetition(const Hl7Message *message, Hl7Slice field, int n);

/* The repetitions of a field, one a call; *at begins at 0. */
extern bool hl7_next_repetition(const Hl7Message *message, Hl7Slice field, int *at, Hl7Slice *repetition);

/* A component of a repetition, and a subcomponent of that, from 1. */
extern Hl7Slice hl7_component(const Hl7Message *message, Hl7Slice repetition, int n);
extern Hl7Slice hl7_subcomponent(const Hl7Message *message, Hl7Slice component, int n);

/* Is nothing there, or the delete value ""? */
static inline bool
hl7_is_empty(Hl7Slice s)
{
	return s.len == 0;
}

static inline bool
hl7_is_delete(Hl7Slice s)
{
	return s.len == 2 && s.data[0] == '"' && s.data[1] == '"';
}

extern Hl7Slice hl7_trim(Hl7Slice s);
extern bool hl7_equal(Hl7Slice s, const char *text);

/*
 * Text without its escapes: \F\ \S\ \T\ \R\ \E\ are separators, \Xhh..\ bytes,
 * \.br\ the end of a line; those of highlighting vanish, unknown ones stay as
 * sent.  The slice itself where there are none.
 */
extern Hl7Slice hl7_decode(const Hl7Message *message, Hl7Arena *arena, Hl7Slice s);

/* --- paths ----------------------------------------------------------------- */

/* SEG[n]-F[r].C.S; 0 stands for what is not there. */
typedef struct Hl7Path
{
	uint32_t	name;
	int			occurrence;
	int			field;
	int			repetition;
	int			component;
	int			subcomponent;
} Hl7Path;

/*
 * Reads a path from the start of a text; returns how many bytes it takes, or 0
 * with *bad and *bad_len as the part that is wrong and *why as what is wrong
 * with it.
 */
extern int	hl7_parse_path(const char *text, int len, Hl7Path *path,
						   int *bad, int *bad_len, const char **why);

/* The repetitions of its field that a path means, one a call; *at begins at 0. */
extern bool hl7_next_path_repetition(const Hl7Message *message, const Hl7Path *path, Hl7Slice field,
									 int *at, Hl7Slice *repetition);

/* What a path names in one repetition of its field, as sent. */
extern Hl7Slice hl7_path_leaf(const Hl7Message *message, const Hl7Path *path, Hl7Slice repetition);

/*
 * Is it one value, so that it is to be decoded, or several components or
 * subcomponents, to be given as they were sent?
 */
extern bool hl7_is_leaf(const Hl7Message *message, const Hl7Path *path, Hl7Slice value);

/*
 * Every match of a path, one a call: begin with *segment = -1 and *at = 0.
 * An omitted [n] or [r] means all.  Empty matches are passed over.
 */
extern bool hl7_next_match(const Hl7Message *message, const Hl7Path *path,
						   int *segment, int *at, Hl7Slice *value);

/* The first match, where an omitted [n] or [r] means 1; as sent. */
extern Hl7Slice hl7_first_match(const Hl7Message *message, const Hl7Path *path);

/* --- times ----------------------------------------------------------------- */

typedef enum Hl7Precision
{
	HL7_SECOND, HL7_MINUTE, HL7_HOUR, HL7_DAY, HL7_MONTH, HL7_YEAR
} Hl7Precision;

/* YYYY[MM[DD[HH[MM[SS[.S+]]]]]][+/-ZZZZ] */
typedef struct Hl7Time
{
	int			year;
	int			month;			/* 1 where it is not told, as the day */
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			microsecond;
	Hl7Precision precision;
	bool		has_zone;
	int			zone;			/* minutes east of UTC */
} Hl7Time;

extern bool hl7_parse_time(Hl7Slice s, Hl7Time *time);

#endif							/* WT_HL7V2_H */
