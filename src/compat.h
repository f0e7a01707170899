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
 * apart, and 19 has flags.
 */
#if PG_VERSION_NUM >= 160000
#define WtUpdateIndexes TU_UpdateIndexes
#define WT_UPDATE_NO_INDEX TU_None
#define WT_UPDATE_ALL_INDEXES TU_All
#else
#define WtUpdateIndexes bool
#define WT_UPDATE_NO_INDEX false
#define WT_UPDATE_ALL_INDEXES true
#endif
#if PG_VERSION_NUM >= 190000
#define wt_insert_index_tuples(result, slot, estate, which) \
	ExecInsertIndexTuples(result, estate, (which) == TU_Summarizing ? EIIT_ONLY_SUMMARIZING : 0, slot, NIL, NULL)
#define wt_try_index_tuples(result, slot, estate, taken) \
	ExecInsertIndexTuples(result, estate, EIIT_NO_DUPE_ERROR, slot, NIL, taken)
#elif PG_VERSION_NUM >= 160000
#define wt_insert_index_tuples(result, slot, estate, which) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, (which) == TU_Summarizing)
#define wt_try_index_tuples(result, slot, estate, taken) \
	ExecInsertIndexTuples(result, slot, estate, false, true, taken, NIL, false)
#else
#define wt_insert_index_tuples(result, slot, estate, which) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#define wt_try_index_tuples(result, slot, estate, taken) \
	ExecInsertIndexTuples(result, slot, estate, false, true, taken, NIL)
#endif

/* The order of an index by a key: PostgreSQL 18 asks whether it descends, before it by the strategy. */
#if PG_VERSION_NUM >= 180000
#define wt_index_sort_support(index, descends, key) PrepareSortSupportFromIndexRel(index, descends, key)
#else
#define wt_index_sort_support(index, descends, key) \
	PrepareSortSupportFromIndexRel(index, (descends) ? BTGreaterStrategyNumber : BTLessStrategyNumber, key)
#endif

/* PostgreSQL 18 lets a row be left out of the check: the one that was tried. */
#if PG_VERSION_NUM >= 180000
#define wt_is_unique(result, slot, estate, other) \
	ExecCheckIndexConstraints(result, slot, estate, other, &(slot)->tts_tid, NIL)
#else
#define wt_is_unique(result, slot, estate, other) \
	ExecCheckIndexConstraints(result, slot, estate, other, NIL)
#endif

/* PostgreSQL 18 counts index searches, for EXPLAIN; scans have flags in 19. */
#if PG_VERSION_NUM >= 190000
#define wt_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0, SO_NONE)
#define wt_table_beginscan(rel, snapshot) table_beginscan(rel, snapshot, 0, NULL, SO_NONE)
#elif PG_VERSION_NUM >= 180000
#define wt_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define wt_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif
#if PG_VERSION_NUM < 190000
#define wt_table_beginscan(rel, snapshot) table_beginscan(rel, snapshot, 0, NULL)
#endif

/* Deletes a row, if nobody has it in hand. */
#if PG_VERSION_NUM >= 190000
#define wt_table_try_delete(rel, tid, snapshot, failure) \
	table_tuple_delete(rel, tid, GetCurrentCommandId(true), 0, snapshot, InvalidSnapshot, false, failure)
#else
#define wt_table_try_delete(rel, tid, snapshot, failure) \
	table_tuple_delete(rel, tid, GetCurrentCommandId(true), snapshot, InvalidSnapshot, false, failure, false)
#endif

/* What a value of jsonb is built in, beginning with zeros: PostgreSQL 19 keeps the result there. */
#if PG_VERSION_NUM >= 190000
#define WtJsonbBuilder JsonbInState
#define wt_push_jsonb(builder, token, value) pushJsonbValue(builder, token, value)
#else
typedef struct WtJsonbBuilder
{
	struct JsonbParseState *state;
	struct JsonbValue *result;
} WtJsonbBuilder;
#define wt_push_jsonb(builder, token, value) \
	((builder)->result = pushJsonbValue(&(builder)->state, token, value))
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
