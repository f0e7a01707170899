/*
 * rows.h
 *	  Rows of kept state: those that are kept, and those that were found.
 */
#ifndef WT_ROWS_H
#define WT_ROWS_H

#include "postgres.h"

#include "detect/detect.h"
#include "detect/table.h"

/* A row as values; key tells rows of one event apart. */
typedef struct Row
{
	int64		event_id;
	int32		key;
	ItemPointerData tid;		/* of a kept row */
	Datum	   *values;
	bool	   *nulls;
} Row;

typedef struct Rows
{
	int			n;
	int			size;
	Row		   *rows;
} Rows;

/* A table of kept state. */
typedef struct StateTable
{
	const char *name;
	int			ncolumns;
	int			event_column;
	int			key_column;		/* -1: rows of one event are told apart by their order */
	int			patient_column;
	int			since_column;	/* second of the index, or -1 */
	MemoryContext context;
	Snapshot	snapshot;
	Table		table;
} StateTable;

extern Row *add_row(Rows *rows, int ncolumns);
extern void add_kept_row(Rows *rows, const Row *row);
extern void set_text(Row *row, int column, Str s);
extern void set_value(Row *row, int column, Datum value);
extern void set_enum(Row *row, int column, Oid value);
extern Str	row_text(const Row *row, int column);
extern void read_kept(StateTable *state, const Str *ids, int nids, TimestampTz since, Rows *kept);
extern void write_differences(StateTable *state, Rows *kept, Rows *found);
extern void update_row(StateTable *state, Row *row);

#endif							/* WT_ROWS_H */
