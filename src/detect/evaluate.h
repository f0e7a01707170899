/*
 * evaluate.h
 *	  What touched.c and evaluate.c share.
 */
#ifndef WT_EVALUATE_H
#define WT_EVALUATE_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "detect/detect.h"

/* A patient id that the transaction touches. */
typedef struct Touched
{
	Str			patient;
	int			nest_level;		/* of the subtransaction that noted it first; 0 once that is rolled back */
	struct Touched *before;		/* the one that was noted before it */
	TimestampTz first_at;		/* no event of this transaction is earlier */
	int			nevents;		/* how many of them there are */
	int			nplaces;		/* where they are; -1 if that is not known of all */
	int			places_size;
	EventPlace *places;
	bool		linked;			/* merged, aliased, retracted or a test patient */
	bool		whole;			/* to be evaluated whole */
	bool		changed;		/* are its events, or what joins or parts them, others than before? */
	bool		done;
	/* found at the end: */
	bool		has_events;
	bool		is_known;		/* has a row of patient_state ... */
	bool		was_linked;		/* ... which says this ... */
	bool		imprecise;		/* ... and this */
	bool		was_imprecise;
	TimestampTz kept_first_at;
	ItemPointerData tid;
} Touched;

extern Touched **touched_slot(Str patient);
extern bool places_known(const Touched *t);
extern List *list_touched(void);
extern uint32 count_touched(void);

extern Snapshot push_latest_snapshot(void);
extern Snapshot lock_touched(void);
extern void evaluate_touched(Snapshot snapshot, bool rebase);
extern void mark_touched(Snapshot snapshot);
extern void unmark_touched(Snapshot snapshot);

#endif							/* WT_EVALUATE_H */
