/*
 * partition.h
 *	  Months of event.
 */
#ifndef WT_PARTITION_H
#define WT_PARTITION_H

#include "postgres.h"

#include "fmgr.h"

extern Datum recordable_until(PG_FUNCTION_ARGS);

#endif							/* WT_PARTITION_H */
