/*
 * statement.c
 *	  SQL that the room of messages runs, planned once a session.
 */
#include "postgres.h"

#include "nodes/parsenodes.h"

#include "detect/table.h"
#include "message/statement.h"

/* Begins to run statements, until SPI_finish(); the memory context stays. */
void
statement_connect(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(context);
}

/* Runs a statement; its NULLs are told by 'n'.  The memory context stays. */
void
statement_run(Statement *statement, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan;

		/* until setup(), an error that says so */
		(void) table_oid("message");
		/* planning over every month takes longer than what is planned */
		plan = SPI_prepare_cursor(statement->sql, statement->nargs, statement->types,
								  statement->only_reads ? CURSOR_OPT_GENERIC_PLAN : 0);
		if (plan == NULL)
			elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
	result = SPI_execute_plan(statement->plan, values, nulls, statement->only_reads, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	MemoryContextSwitchTo(context);
}
