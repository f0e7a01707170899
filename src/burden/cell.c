/*
 * cell.c
 *	  Rows that burden is counted in, found by day, facility and party.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "burden/cell.h"
#include "burden/met.h"

typedef struct CellSlot
{
	CellKey		key;
	int			cell;
	char		status;
} CellSlot;

#define SH_PREFIX cellslots
#define SH_ELEMENT_TYPE CellSlot
#define SH_KEY_TYPE CellKey
#define SH_KEY key
#define SH_HASH_KEY(table, k) hash_bytes((const unsigned char *) &(k), sizeof(CellKey))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), sizeof(CellKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct Cells
{
	MemoryContext context;
	cellslots_hash *slots;
	int			ncells;
	int			size;
	Cell	   *cells;
	met_hash   *days;			/* the first cell of each day */
	int			recent_size;
	int		   *recent;			/* cell that an actor (by number + 1) was last met in; -1 is none */
};

/* Begins with none, in the current context. */
Cells *
cells_begin(void)
{
	Cells	   *cells = palloc0(sizeof(Cells));

	cells->context = CurrentMemoryContext;
	cells->slots = cellslots_create(CurrentMemoryContext, 1024, NULL);
	cells->days = met_create(CurrentMemoryContext, 64, NULL);
	return cells;
}

/* Where the last cell of an actor is noted. */
static int *
recent_cell(Cells *cells, int actor)
{
	if (actor + 1 >= cells->recent_size)
	{
		int			size = Max(256, (actor + 1) * 2);

		cells->recent = cells->recent == NULL ? MemoryContextAlloc(cells->context, sizeof(int) * size)
			: repalloc_huge(cells->recent, sizeof(int) * size);
		memset(cells->recent + cells->recent_size, -1, sizeof(int) * (size - cells->recent_size));
		cells->recent_size = size;
	}
	return &cells->recent[actor + 1];
}

/* The number of the cell of a key. */
int
cell_number(Cells *cells, const CellKey *key)
{
	bool		found;
	int		   *recent = recent_cell(cells, key->actor);
	CellSlot   *slot;
	Cell	   *cell;
	Met		   *day;

	if (*recent >= 0 && memcmp(&cells->cells[*recent].key, key, sizeof(CellKey)) == 0)
		return *recent;
	slot = cellslots_insert(cells->slots, *key, &found);
	if (found)
		return *recent = slot->cell;
	if (cells->ncells == cells->size)
	{
		MemoryContext old = MemoryContextSwitchTo(cells->context);

		cells->size = Max(256, cells->size * 2);
		cells->cells = cells->cells == NULL ? palloc(sizeof(Cell) * cells->size)
			: repalloc_huge(cells->cells, sizeof(Cell) * cells->size);
		MemoryContextSwitchTo(old);
	}
	*recent = slot->cell = cells->ncells++;
	cell = &cells->cells[slot->cell];
	memset(cell, 0, sizeof(Cell));
	cell->key = *key;
	day = met_insert(cells->days, (uint64) (int64) key->day, &found);
	cell->next = found ? (int) day->value : -1;
	day->value = slot->cell;
	return slot->cell;
}

/* What is counted in a cell, until there is another one. */
int64 *
cell_counts(Cells *cells, int cell)
{
	return cells->cells[cell].counts;
}

/* Where a number is among encounters, or would be. */
static int *
encounter_place(int *encounters, uint32 mask, int encounter)
{
	uint32		at = murmurhash32((uint32) encounter) & mask;

	while (encounters[at] != 0 && encounters[at] != encounter + 1)
		at = (at + 1) & mask;
	return &encounters[at];
}

/* Counts an encounter of a cell, if it is new to it. */
void
count_encounter(Cells *cells, int number, int encounter)
{
	Cell	   *cell = &cells->cells[number];
	int		   *place;

	if (cell->counts[N_ENCOUNTERS] * 2 >= cell->mask)
	{
		uint32		mask = Max(15, cell->mask * 2 + 1);
		int		   *encounters = MemoryContextAllocExtended(cells->context, sizeof(int) * ((Size) mask + 1),
															MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

		for (uint32 i = 0; cell->encounters != NULL && i <= cell->mask; i++)
			if (cell->encounters[i] != 0)
				*encounter_place(encounters, mask, cell->encounters[i] - 1) = cell->encounters[i];
		if (cell->encounters != NULL)
			pfree(cell->encounters);
		cell->encounters = encounters;
		cell->mask = mask;
	}
	place = encounter_place(cell->encounters, cell->mask, encounter);
	cell->counts[N_ENCOUNTERS] += *place == 0;
	*place = encounter + 1;
}

/* The first cell of a day (0 of a time as a whole); NULL if there is none. */
const Cell *
first_cell(const Cells *cells, DateADT day)
{
	Met		   *first = met_lookup(cells->days, (uint64) (int64) day);

	return first == NULL ? NULL : &cells->cells[first->value];
}

/* The next cell of the same day; NULL if there is none. */
const Cell *
next_cell(const Cells *cells, const Cell *cell)
{
	return cell->next < 0 ? NULL : &cells->cells[cell->next];
}
