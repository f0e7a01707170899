/*
 * compat.h
 *	  The one place that knows versions of the server, and of libraries.
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

/*
 * What an update asks of the indexes: PostgreSQL 16 tells summarizing ones
 * apart.
 */
#if PG_VERSION_NUM >= 160000
#define WtUpdateIndexes TU_UpdateIndexes
#define WT_UPDATE_NO_INDEX TU_None
#define WT_UPDATE_ALL_INDEXES TU_All
#define wt_insert_index_tuples(result, slot, estate, which) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, (which) == TU_Summarizing)
#define wt_try_index_tuples(result, slot, estate, taken) \
	ExecInsertIndexTuples(result, slot, estate, false, true, taken, NIL, false)
#else
#define WtUpdateIndexes bool
#define WT_UPDATE_NO_INDEX false
#define WT_UPDATE_ALL_INDEXES true
#define wt_insert_index_tuples(result, slot, estate, which) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#define wt_try_index_tuples(result, slot, estate, taken) \
	ExecInsertIndexTuples(result, slot, estate, false, true, taken, NIL)
#endif

/* PostgreSQL 18 lets a row be left out of the check: the one that was tried. */
#if PG_VERSION_NUM >= 180000
#define wt_is_unique(result, slot, estate, other) \
	ExecCheckIndexConstraints(result, slot, estate, other, &(slot)->tts_tid, NIL)
#else
#define wt_is_unique(result, slot, estate, other) \
	ExecCheckIndexConstraints(result, slot, estate, other, NIL)
#endif

/* PostgreSQL 18 counts index searches, for EXPLAIN. */
#if PG_VERSION_NUM >= 180000
#define wt_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define wt_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

/* expat 2.9 counts lines in 64 bits, and deprecates what did not; for who includes it first. */
#ifdef XML_MAJOR_VERSION
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9
#define wt_xml_line(parser) ((uint64) XML_GetCurrentLineNumber64(parser))
#else
#define wt_xml_line(parser) ((uint64) XML_GetCurrentLineNumber(parser))
#endif
#endif

#endif							/* WT_COMPAT_H */
