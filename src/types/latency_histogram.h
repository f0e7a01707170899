/*
 * latency_histogram.h
 *	  What the type latency_histogram offers to other C code: a sketch in memory
 *	  that takes durations one at a time or stored histograms whole, and becomes
 *	  a stored histogram.
 *
 * Durations are whole microseconds.  A negative count takes samples away, so
 * that a sketch may also hold the difference between two sets of samples.
 */
#ifndef LATENCY_HISTOGRAM_H
#define LATENCY_HISTOGRAM_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct LatencySketch LatencySketch;

extern LatencySketch *latency_sketch_create(MemoryContext context);
extern void latency_sketch_add(LatencySketch *sketch, int64 usecs, int64 count);

/* a detoasted histogram, of which a short header is fine; sign is 1 to add its samples, -1 to take them away */
extern void latency_sketch_merge(LatencySketch *sketch, struct varlena *histogram, int sign);
extern bool latency_sketch_is_empty(const LatencySketch *sketch);

/* a Datum's worth of latency_histogram, in the current memory context */
extern struct varlena *latency_sketch_to_histogram(const LatencySketch *sketch);

/* months of 30 days and days of 24 hours, as intervals compare; error if too long */
extern int64 latency_interval_usecs(const Interval *interval);

#endif							/* LATENCY_HISTOGRAM_H */
