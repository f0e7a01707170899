/*
 * mapping.h
 *	  The tables that say how messages are read, as sessions keep them.
 */
#ifndef WT_MAPPING_H
#define WT_MAPPING_H

#include "postgres.h"

#include "pgtime.h"

#include "message/hl7v2_mapping.h"

/* What hl7v2_source says of a sender. */
typedef struct Source
{
	Hl7Slice	source_system;
	Hl7Slice	facility;
	pg_tz	   *timezone;
	int			encoding;		/* where MSH-18 is empty; -1 is not told */
	Hl7Slice	id_namespace;
	Hl7Slice	care_facility;
	Hl7IdChoice choice;
	Hl7Expression *encounter;	/* NULL is that of the mapping */
	const char *rejected_code;	/* what messages that are rejected are answered with */
	int			nprocessing_ids;	/* 0 is all */
	Hl7Slice   *processing_ids;
} Source;

/* The rules in force. */
typedef struct Mapping
{
	Hl7Mapping	rules;			/* those that do something */
	const Hl7Rule *defaults;	/* what gives the columns that they do not */
} Mapping;

extern void mapping_init(void);
extern const Mapping *mapping_current(void);
extern const Source *source_find(Hl7Slice source_system, Hl7Slice facility);

#endif							/* WT_MAPPING_H */
