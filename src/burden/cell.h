/*
 * cell.h
 *	  Rows that burden is counted in.
 */
#ifndef WT_CELL_H
#define WT_CELL_H

#include "postgres.h"

#include "utils/date.h"

/* What is counted, in the order of the results. */
enum
{
	N_ENCOUNTERS, N_EVENTS, N_ALERTS, N_REDUNDANT, N_OVERRIDDEN, N_MANUAL, N_DUPLICATE, N_DELIVERED, N_SCREENS,
	NCOUNTS
};

/* A row: of a day (0 of a time as a whole), a facility, and a party; -1 is null. */
typedef struct CellKey
{
	DateADT		day;
	int			place;
	int			role;
	int			actor;
} CellKey;

typedef struct Cell
{
	CellKey		key;
	int			next;			/* of the same day; -1 is none */
	int64		counts[NCOUNTS];
	uint32		mask;			/* of the encounters that were met, as numbers + 1, open addressing */
	int		   *encounters;
} Cell;

typedef struct Cells Cells;

extern Cells *cells_begin(void);
extern int	cell_number(Cells *cells, const CellKey *key);
extern int64 *cell_counts(Cells *cells, int cell);
extern void count_encounter(Cells *cells, int cell, int encounter);
extern const Cell *first_cell(const Cells *cells, DateADT day);
extern const Cell *next_cell(const Cells *cells, const Cell *cell);

#endif							/* WT_CELL_H */
