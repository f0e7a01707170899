/*
 * contribution.h
 *	  Handoffs as bytes: what they contribute to the rollups.
 */
#ifndef WT_CONTRIBUTION_H
#define WT_CONTRIBUTION_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "detect/detect.h"

/* One handoff as the rollups count it. */
typedef struct Sample
{
	Str			group;			/* what handoff_latency groups by, as bytes */
	int64		hour;			/* since 2000-01-01 00:00 UTC */
	int64		latency;		/* microseconds */
} Sample;

typedef struct Samples
{
	int			n;
	int			size;
	Sample	   *items;
} Samples;

/* A group taken apart. */
typedef struct SampleGroup
{
	const char *basis;
	bool		is_test;
	Str			facility;
	Str			from_role;
	Str			to_role;
	Str			from_system;
	Str			to_system;
} SampleGroup;

extern void samples_of_handoffs(Samples *samples, const Handoff *handoffs, int n, Str id, bool is_test);
extern void samples_encode(StringInfo buf, const Samples *samples, int from, int until);
extern void samples_decode(Samples *samples, const char *data, int length);
extern bool sample_equal(const Sample *a, const Sample *b);
extern SampleGroup sample_group(Str group);

#endif							/* WT_CONTRIBUTION_H */
