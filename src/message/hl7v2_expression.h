/*
 * hl7v2_expression.h
 *	  What expressions and conditions are made of, for those who read them from
 *	  text and those who evaluate them, without server headers.
 */
#ifndef WT_HL7V2_EXPRESSION_H
#define WT_HL7V2_EXPRESSION_H

#include "message/hl7v2_mapping.h"

typedef enum Quantifier
{
	TAKE_FIRST, TAKE_ANY, TAKE_ALL, TAKE_EACH
} Quantifier;

typedef enum Conversion
{
	AS_TEXT, AS_CODE, AS_DATE, AS_ID
} Conversion;

/* A list of texts, one of which is to be met. */
typedef struct ValueList
{
	int			n;
	Hl7Slice   *items;
	bool		others;			/* * is among them */
} ValueList;

typedef enum TestKind
{
	TEST_EQUAL, TEST_NOT_EQUAL, TEST_EMPTY, TEST_NOT_EMPTY, TEST_PRESENT, TEST_NOT_PRESENT
} TestKind;

typedef struct Test
{
	TestKind	kind;
	Hl7Path		path;			/* of a segment alone, only its name */
	ValueList	values;
} Test;

/* Values of a message and the text that stands for them. */
typedef struct Entry
{
	ValueList	values;
	Hl7Slice	result;
} Entry;

typedef struct Alternative
{
	bool		is_constant;
	Hl7Slice	constant;
	Quantifier	quantifier;
	Conversion	conversion;
	Hl7Path		path;
	int			nentries;		/* 0 is no table */
	Entry	   *entries;
	bool		has_where;
	Test		where;
} Alternative;

struct Hl7Expression
{
	int			n;
	Alternative *alternatives;
};

struct Hl7Condition
{
	int			n;
	Test	   *tests;
};

#endif							/* WT_HL7V2_EXPRESSION_H */
