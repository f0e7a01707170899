/*
 * align.h
 *	  Optimal alignments of a trace with a workflow.
 */
#ifndef WT_ALIGN_H
#define WT_ALIGN_H

#include "postgres.h"

/* A step of a workflow. */
typedef struct AlignStep
{
	int			kind;			/* number of the kind that the step leaves */
	bool		optional;
	bool		repeatable;
	bool		starts;
	bool		ends;
} AlignStep;

/* A workflow to align with. */
typedef struct AlignMap
{
	int			nsteps;
	AlignStep  *steps;
	bool	   *follows;		/* follows[from * nsteps + to] */
} AlignMap;

typedef enum AlignMove
{
	MOVE_SYNC,					/* an event is a step */
	MOVE_SKIP,					/* a step without an event */
	MOVE_EVENT					/* an event that is no step there */
} AlignMove;

typedef struct AlignMoveAt
{
	AlignMove	move;
	int			event;			/* which one, from 0; of a skip, the one before which the step belongs */
	int			step;			/* -1 of an event that is no step */
	int			cost;
} AlignMoveAt;

typedef struct Alignment
{
	int			cost;			/* -1 if the map has no run */
	int			nmoves;
	AlignMoveAt *moves;
} Alignment;

extern Alignment *align(const AlignMap *map, const uint16 *kinds, int n);

#endif							/* WT_ALIGN_H */
