/*
 * hl7v2_mapping.h
 *	  What messages mean: rules that say which segments give which events and
 *	  where each column comes from.  Plain C, without server headers.
 *
 * An expression is a list of alternatives, of which the first that yields a
 * value counts:
 *
 *	  ORC-2.1, OBR-2.1				a path, or else another
 *	  'interface'					a constant
 *	  OBR-25 {F = result.final}		a value translated by a table; * is any other, and
 *								a result '' is nothing, and no other alternative counts
 *	  any OBX-8 {HH = critical, * = abnormal}	the first entry that any match has
 *	  all OBX-11 {F|U = result.final}	only if all matches have the same
 *	  each FT1-26.1					every match, as a list
 *	  code OBR-4					a code with its coding system
 *	  date FT1-4					a timestamp as a date
 *	  id PID-3						an identifier, of the repetition that the sender's settings name
 *	  PRD-7.1 where PRD-1.1 = RP	of the segment, or repetition, of which that is true
 *
 * A condition is tests joined with `and`: path = value|value, path <> value,
 * path is [not] empty, SEG is [not] present.
 */
#ifndef WT_HL7V2_MAPPING_H
#define WT_HL7V2_MAPPING_H

#include "message/hl7v2.h"

/* --- expressions ----------------------------------------------------------- */

typedef struct Hl7Expression Hl7Expression;
typedef struct Hl7Condition Hl7Condition;

/* What is wrong with a text that should be an expression, a condition or a pattern. */
typedef struct Hl7TextError
{
	int			bad;			/* where the wrong part is, from 0, and how long */
	int			bad_len;
	const char *why;
} Hl7TextError;

/* What the sender's settings say of identifiers; NULL where they say nothing. */
typedef struct Hl7IdChoice
{
	Hl7Slice	authority;		/* component 4 of the repetition, or its first subcomponent */
	Hl7Slice	type;			/* component 5 */
} Hl7IdChoice;

/* Where a segment that others share is nearest to a driver; drivers come in order. */
typedef struct Hl7Nearest
{
	uint32_t	name;
	int			in_header;		/* the last one before the driver and the first PID, or -1 */
	int			before;			/* the last one before the driver, or -1 */
	int			after;			/* the first one that is not before it, or the number of segments */
} Hl7Nearest;

#define HL7_NEAREST 32

typedef struct Hl7Value
{
	Hl7Slice	text;			/* decoded, without outer blanks */
	Hl7Slice	system;			/* of a code */
	bool		is_code;
	bool		is_id;			/* the identifier that the sender's settings name */
} Hl7Value;

typedef struct Hl7Values
{
	int			n;
	int			size;
	Hl7Value   *items;
	bool		is_list;		/* it came of `each` */
} Hl7Values;

/* What an alternative of an expression, or a test, found in segments that drivers share. */
typedef struct Hl7Kept
{
	const void *asker;
	int			segment;
	Hl7Values	values;			/* of an alternative */
	bool		holds;			/* of a test */
} Hl7Kept;

#define HL7_KEPT 32

/* What a rule is applied to: the segments that its paths are looked for in. */
typedef struct Hl7Scope
{
	const Hl7Message *message;
	const Hl7IdChoice *choice;
	int			driver;			/* the segment that gives the event, or -1 */
	int			group_start;	/* the segments that belong to it alone ... */
	int			group_end;
	int			ncontains;		/* ... those of these names */
	const uint32_t *contains;
	int			header_end;		/* the first PID */
	int			patient_start;	/* the segments of the patient that it is about */
	int			patient_end;
	int			nnearest;		/* found so far */
	Hl7Nearest	nearest[HL7_NEAREST];
	int			nkept;
	Hl7Kept    *kept;
} Hl7Scope;

extern Hl7Expression *hl7_parse_expression(Hl7Arena *arena, Hl7Slice text, Hl7TextError *error);
extern Hl7Condition *hl7_parse_condition(Hl7Arena *arena, Hl7Slice text, Hl7TextError *error);

/* The texts that an expression may yield without looking into a message, one a call; *at begins at 0. */
extern bool hl7_next_result(const Hl7Expression *expression, int *at, Hl7Slice *result);

/* Does it always yield a text of its own, never one of the message? */
extern bool hl7_is_closed(const Hl7Expression *expression);

/* What an expression yields; with gather all alternatives together. */
extern void hl7_evaluate(const Hl7Expression *expression, Hl7Scope *scope, bool gather,
						 Hl7Arena *arena, Hl7Values *values);
extern bool hl7_holds(const Hl7Condition *condition, Hl7Scope *scope, Hl7Arena *arena);

/* --- rules ----------------------------------------------------------------- */

/* What a rule does. */
typedef enum Hl7Action
{
	HL7_DEFAULTS,				/* lends its columns to all the others */
	HL7_EVENT,					/* records an event */
	HL7_RETRACT_LAST,			/* retracts the last earlier event of the kinds */
	HL7_RETRACT_ALL,			/* retracts every earlier one */
	HL7_ALIAS,					/* joins two numbers of one subject */
	HL7_ANSWER					/* is the answer to another message */
} Hl7Action;

/* The columns that a rule may give, in the order of table hl7v2_mapping. */
typedef enum Hl7Column
{
	HL7_KIND, HL7_OCCURRED_AT, HL7_SOURCE_SEQUENCE, HL7_PLANNED_AT, HL7_FACILITY,
	HL7_PATIENT_ID, HL7_ENCOUNTER_ID, HL7_SUBJECT, HL7_ITEM, HL7_CODE, HL7_VALUE,
	HL7_SEVERITY, HL7_ACTOR, HL7_ACTOR_ROLE, HL7_RECIPIENT, HL7_RECIPIENT_ROLE,
	HL7_ALIAS_OF, HL7_IDENTIFIERS, HL7_PROBLEM,
	HL7_NCOLUMNS
} Hl7Column;

extern const char *const hl7_column_names[HL7_NCOLUMNS];

/* Which messages: TYPE^TRIGGER, as numbers; 0 is *, any. */
typedef struct Hl7Pattern
{
	uint32_t	type;
	uint32_t	trigger;
} Hl7Pattern;

typedef struct Hl7Detail
{
	Hl7Slice	key;
	Hl7Expression *expression;
} Hl7Detail;

typedef struct Hl7Rule
{
	Hl7Slice	name;
	Hl7Action	action;
	int			npatterns;
	Hl7Pattern *patterns;
	uint32_t	segment;		/* one event for each of these; 0 is one a message */
	uint32_t	begins_with;	/* may stand before it and belongs to it; 0 is none */
	int			ncontains;
	uint32_t   *contains;		/* the segments that belong to it */
	Hl7Condition *condition;	/* NULL always holds */
	Hl7Expression *columns[HL7_NCOLUMNS];	/* NULL gives none */
	int			ndetails;
	Hl7Detail  *details;
} Hl7Rule;

typedef struct Hl7Mapping
{
	int			nrules;
	const Hl7Rule **rules;
} Hl7Mapping;

extern bool hl7_parse_pattern(Hl7Slice text, Hl7Pattern *pattern, Hl7TextError *error);
extern bool hl7_parse_name(Hl7Slice text, uint32_t *name, Hl7TextError *error);
extern bool hl7_parse_details(Hl7Arena *arena, Hl7Slice text, Hl7Rule *rule, Hl7TextError *error);

/* The type of a message: MSH-9.1 and its trigger, MSH-9.2, or what stands for it. */
extern void hl7_message_type(const Hl7Message *message, Hl7Slice *type, Hl7Slice *trigger);

/*
 * Calls for each segment that a rule for such a message gives something of; what
 * is allocated meanwhile must stay.  Returns whether there is a rule for it that is not for any message.
 */
typedef void (*Hl7Apply) (void *arg, const Hl7Rule *rule, Hl7Scope *scope);
extern bool hl7_apply(const Hl7Mapping *mapping, const Hl7Message *message, const Hl7IdChoice *choice,
					  Hl7Arena *arena, Hl7Apply apply, void *arg);

#endif							/* WT_HL7V2_MAPPING_H */
