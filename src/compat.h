/*
 * compat.h
 *	  The one place that knows versions of the server.
 */
#ifndef WT_COMPAT_H
#define WT_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "workflow_track needs PostgreSQL 15 or later"
#endif

/*
 * Soft errors came with PostgreSQL 16.  Before it, a bad value is always an
 * ERROR, and the context that would take it is NULL.
 */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "varatt.h"
#define WT_ESCONTEXT(fcinfo) ((fcinfo)->context)
#else
struct Node;
#define WT_ESCONTEXT(fcinfo) NULL
#define ereturn(escontext, dummy, ...) \
	do { \
		(void) (escontext); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy; \
	} while (0)
#endif

#endif							/* WT_COMPAT_H */
