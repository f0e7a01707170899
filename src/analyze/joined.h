/*
 * joined.h
 *	  Merges, retractions and test patients of the whole database in memory, for
 *	  what reads every event: which ids are one, and which events count.
 */
#ifndef WT_JOINED_H
#define WT_JOINED_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "detect/names.h"

typedef struct Joined
{
	MemoryContext context;		/* where it was read, and its keys are made */
	char	   *block;			/* where the next are */
	Size		block_used;
	Names	   *patients;		/* those that merges join, and test patients */
	int			ntest;			/* room of the next */
	bool	   *is_test;		/* by number */
	Names	   *cases;			/* encounters of patients */
	int64	   *retracted;
	int			nretracted;
	int			retracted_size;
} Joined;

typedef void (*LinkReader) (void *arg, TupleTableSlot *slot);

extern Joined *joined_read(Snapshot snapshot);
extern bool is_retracted(const Joined *joined, int64 event_id);
extern Str	joined_patient(const Joined *joined, Str patient, bool *is_test);
extern Str	pair_key(Joined *joined, Str patient, Str thing);
extern int	pair_number(Joined *joined, Names *names, Str patient, Str thing);
extern void read_links(const char *name, Snapshot snapshot, LinkReader reader, void *arg);
extern Str	slot_str(const TupleTableSlot *slot, int column);
extern Str	link_text(TupleTableSlot *slot, int column);

#endif							/* WT_JOINED_H */
