/*
 * statement.h
 *	  SQL that the room of messages runs, planned once a session.
 */
#ifndef WT_STATEMENT_H
#define WT_STATEMENT_H

#include "postgres.h"

#include "executor/spi.h"

/* A statement, planned when it is first needed. */
typedef struct Statement
{
	const char *sql;
	int			nargs;
	Oid			types[6];
	bool		only_reads;		/* under the active snapshot, and planned once for all values */
	SPIPlanPtr	plan;
} Statement;

extern void statement_connect(void);
extern void statement_run(Statement *statement, Datum *values, const char *nulls);

#endif							/* WT_STATEMENT_H */
