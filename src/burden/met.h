/*
 * met.h
 *	  Numbers that were met, each with another that goes with it.
 */
#ifndef WT_MET_H
#define WT_MET_H

#include "postgres.h"

#include "common/hashfn.h"

typedef struct Met
{
	uint64		key;
	int64		value;
	char		status;
} Met;

#define SH_PREFIX met
#define SH_ELEMENT_TYPE Met
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, k) hash_combine(murmurhash32((uint32) (k)), murmurhash32((uint32) ((k) >> 32)))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#endif							/* WT_MET_H */
