/*
 * loader.h
 *	  What loading patients is made of.
 */
#ifndef WT_LOADER_H
#define WT_LOADER_H

#include "postgres.h"

#include "detect/detect.h"
#include "detect/names.h"
#include "detect/table.h"

/* One month of events. */
typedef struct Month
{
	Oid			relid;
	TimestampTz lower;			/* inclusive, or DT_NOBEGIN */
	TimestampTz upper;			/* exclusive */
	BlockNumber nblocks;		/* when it was opened */
	bool		is_empty;
	Table		table;			/* opened when first needed */
} Month;

struct Loader
{
	MemoryContext context;
	Snapshot	snapshot;
	const Rules *rules;
	TimestampTz latest;			/* no event is later */
	TimestampTz horizon;		/* of retention: what happened before is final */
	int			nmonths;
	Month	   *months;			/* in order of time */
	Table		patient_merge;
	Table		merged_into;
	Table		encounter_merge;
	Table		subject_alias;
	Table		retraction;
	Table		test_patient;
};

extern Table *loader_month(Loader *loader, int number);
extern void join_encounters(Loader *loader, Names *names, Str patient);
extern void join_subjects(Loader *loader, Names *names, Str patient);
extern void load_retracted(Loader *loader, Patient *p, int64 **retracted, int *n);
extern bool load_is_test(Loader *loader, Patient *p);

#endif							/* WT_LOADER_H */
