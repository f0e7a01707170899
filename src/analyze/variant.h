/*
 * variant.h
 *	  Variants: the distinct sequences of kinds that cases are.
 */
#ifndef WT_VARIANT_H
#define WT_VARIANT_H

#include "postgres.h"

#include "analyze/align.h"
#include "analyze/log.h"
#include "types/latency_histogram.h"

typedef struct Variant
{
	uint32		hash;
	int			n;
	uint16	   *kinds;			/* in order, by the log's numbers */
	int64		cases;
	TimestampTz first_seen;		/* first events of the earliest and the latest case */
	TimestampTz last_seen;
	LatencySketch *durations;
	Alignment  *alignment;		/* once it is known */
} Variant;

typedef struct Variants Variants;

/* Kinds of a case; begins with zeros. */
typedef struct KindList
{
	int			size;
	uint16	   *kinds;
} KindList;

extern Variants *variants_begin(void);
extern Variant *variant_of(Variants *variants, const uint16 *kinds, int n);
extern const uint16 *kinds_of_case(KindList *list, const LogEvent *events, int n);

#endif							/* WT_VARIANT_H */
