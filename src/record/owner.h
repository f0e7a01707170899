/*
 * owner.h
 *	  What the extension does with its own tables on behalf of who may not.
 */
#ifndef WT_OWNER_H
#define WT_OWNER_H

#include "postgres.h"

/* Who called, to be again when the owner's part is done. */
typedef struct Caller
{
	Oid			user;
	int			security;
	int			guc_level;
} Caller;

extern void owner_begin(Caller *caller);
extern void owner_end(const Caller *caller);

#endif							/* WT_OWNER_H */
