/*
 * touched.h
 *	  The patients that a transaction touches.
 */
#ifndef WT_TOUCHED_H
#define WT_TOUCHED_H

#include "postgres.h"

#include "detect/detect.h"

/* Columns of patient_state, in its order. */
enum
{
	PS_PATIENT_ID, PS_FIRST_AT, PS_LINKED, PS_IMPRECISE, PS_NCOLUMNS
};

/* Bytes of memory that a backend keeps for detection, twice: as much as a small transaction takes. */
#define KEPT_MEMORY (128 * 1024)

/* Why a patient is touched. */
typedef enum Touch
{
	TOUCH_EVENT,				/* an event was recorded */
	TOUCH_JOINED,				/* a merge joins it to one that is touched */
	TOUCH_WHOLE,				/* something else: look at all events */
	TOUCH_LINK,					/* likewise, and there is a merge, alias, retraction or test patient */
	TOUCH_AGAIN,				/* nothing happened: look at all events by the rules of now */
	TOUCH_AGAIN_LINK			/* likewise, and there is a merge, alias, retraction or test patient */
} Touch;

extern void touched_init(void);
extern void memory_begin(MemoryContext context);
extern struct Touched *touch_patient(Str patient, TimestampTz first_at, Touch why);
extern void place_event(struct Touched *t, int64 event_id, Oid partition, const ItemPointerData *tid);
extern Oid	place_partition(const EventPlace *place);
extern void detect_touched_now(bool rebase);
extern void note_refusable(int64 event_id);
extern bool detection_is_paused(Snapshot snapshot);
extern bool is_refusable(int64 event_id);

#endif							/* WT_TOUCHED_H */
