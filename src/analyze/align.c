/*
 * align.c
 *	  Optimal alignments of a trace with a workflow, exact.
 *
 * A state is a place in the trace and the step done last.  From it lead: an
 * event that is a step which may come next (free), an event that is none (cost
 * 1), and a step without an event (cost 1, an optional one free).  What is left
 * to pay from each state is computed from the end of the trace to its beginning;
 * among ways of equal cost the one with fewest moves is taken, then events that
 * are steps before steps left out before other events, then the earlier step.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "analyze/align.h"

/* A cost with a number of moves: the first decides, the second between equals. */
typedef int64 Weight;

#define WEIGHT(cost, moves) (((int64) (cost) << 32) + (moves))
#define WEIGHT_COST(weight) ((int) ((weight) >> 32))
#define NO_WAY (PG_INT64_MAX / 2)

/* May a step come next?  Before the first one, `from` is the number of steps. */
static bool
may_follow(const AlignMap *map, int from, int to)
{
	if (from == map->nsteps)
		return map->steps[to].starts;
	return map->follows[from * map->nsteps + to] || (from == to && map->steps[to].repeatable);
}

/* What leaving out a step weighs. */
static Weight
weight_of_skip(const AlignMap *map, int step)
{
	return WEIGHT(map->steps[step].optional ? 0 : 1, 1);
}

/* What is left from each state at one place of the trace, without leaving out steps there. */
static void
weigh_events(const AlignMap *map, const uint16 *kinds, int n, int at, Weight *left, const Weight *next)
{
	for (int q = 0; q <= map->nsteps; q++)
	{
		if (at == n)
		{
			left[q] = q < map->nsteps && map->steps[q].ends ? 0 : NO_WAY;
			continue;
		}
		left[q] = next[q] + WEIGHT(1, 1);
		for (int to = 0; to < map->nsteps; to++)
			if (map->steps[to].kind == kinds[at] && may_follow(map, q, to))
				left[q] = Min(left[q], next[to] + WEIGHT(0, 1));
	}
}

/* Takes into account that steps may be left out. */
static void
weigh_skips(const AlignMap *map, Weight *left)
{
	bool		changed = true;

	while (changed)
	{
		changed = false;
		for (int to = 0; to < map->nsteps; to++)
		{
			Weight		through = left[to] + weight_of_skip(map, to);

			if (left[to] >= NO_WAY)
				continue;
			for (int q = 0; q <= map->nsteps; q++)
				if (left[q] > through && may_follow(map, q, to))
				{
					left[q] = through;
					changed = true;
				}
		}
	}
}

/* The next move from a state; false at the end. */
static bool
choose_move(const AlignMap *map, const uint16 *kinds, int n, int at, int q, const Weight *left, const Weight *next,
			AlignMoveAt *move)
{
	move->event = at;
	move->cost = 0;
	if (at < n)
		for (int to = 0; to < map->nsteps; to++)
			if (map->steps[to].kind == kinds[at] && may_follow(map, q, to) && left[q] == next[to] + WEIGHT(0, 1))
			{
				move->move = MOVE_SYNC;
				move->step = to;
				return true;
			}
	if (at == n && left[q] == 0)
		return false;
	for (int to = 0; to < map->nsteps; to++)
		if (may_follow(map, q, to) && left[q] == left[to] + weight_of_skip(map, to))
		{
			move->move = MOVE_SKIP;
			move->step = to;
			move->cost = map->steps[to].optional ? 0 : 1;
			return true;
		}
	Assert(at < n && left[q] == next[q] + WEIGHT(1, 1));
	move->move = MOVE_EVENT;
	move->step = -1;
	move->cost = 1;
	return true;
}

/* Aligns kinds, in order, with a workflow; the cost is -1 where the workflow has no way from start to end. */
Alignment *
align(const AlignMap *map, const uint16 *kinds, int n)
{
	int			nstates = map->nsteps + 1;
	Weight	   *left = palloc_extended(sizeof(Weight) * nstates * ((Size) n + 1), MCXT_ALLOC_HUGE);
	Alignment  *result = palloc0(sizeof(Alignment));
	int			q = map->nsteps;
	int			at = 0;
	int			size = 0;

	for (int i = n; i >= 0; i--)
	{
		CHECK_FOR_INTERRUPTS();
		weigh_events(map, kinds, n, i, left + (Size) i * nstates, left + ((Size) i + 1) * nstates);
		weigh_skips(map, left + (Size) i * nstates);
	}
	if (left[q] >= NO_WAY)
	{
		result->cost = -1;
		pfree(left);
		return result;
	}
	result->cost = WEIGHT_COST(left[q]);
	for (;;)
	{
		AlignMoveAt move;

		if (!choose_move(map, kinds, n, at, q, left + (Size) at * nstates, left + ((Size) at + 1) * nstates, &move))
			break;
		if (result->nmoves == size)
		{
			size = Max(n + map->nsteps, size * 2);
			result->moves = result->moves == NULL ? palloc(sizeof(AlignMoveAt) * size)
				: repalloc_huge(result->moves, sizeof(AlignMoveAt) * size);
		}
		result->moves[result->nmoves++] = move;
		at += move.move != MOVE_SKIP;
		q = move.step >= 0 ? move.step : q;
	}
	pfree(left);
	return result;
}
