/*
 * settle.h
 *	  What messages say of a patient beyond events, and what is due about it at the
 *	  end of the transaction.
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
extern void settle_aliases(void);
extern Snapshot settle_called_off(Snapshot snapshot);
extern void forget_aliases(void);

#endif							/* WT_SETTLE_H */
