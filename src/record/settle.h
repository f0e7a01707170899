/*
 * settle.h
 *	  What messages say of a patient beyond events, and what is due about it under
 *	  the patient's lock.
 */
#ifndef WT_SETTLE_H
#define WT_SETTLE_H

#include "postgres.h"

#include "detect/detect.h"

/* Two numbers that are one subject of a patient. */
typedef struct AliasNote
{
	Str			patient;
	Str			alias;
	Str			subject;
} AliasNote;

extern void settle_init(void);
extern void note_aliases(const AliasNote *notes, int n);
extern Snapshot settle_links(Snapshot snapshot);
extern void forget_aliases(void);

#endif							/* WT_SETTLE_H */
