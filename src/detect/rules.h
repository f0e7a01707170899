/*
 * rules.h
 *	  What the caches of maps and staff tell each other.
 */
#ifndef WT_RULES_H
#define WT_RULES_H

#include "postgres.h"

extern void staff_changed(Oid relid);

#endif							/* WT_RULES_H */
