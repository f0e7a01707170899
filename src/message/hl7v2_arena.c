/*
 * hl7v2_arena.c
 *	  Memory that is handed out bit by bit and taken back at once, without server
 *	  headers.
 */
#include "message/hl7v2.h"

#define BLOCK_SIZE ((size_t) 16 * 1024)
#define ALIGNED(size) (((size) + 15) & ~(size_t) 15)
#define HEADER ALIGNED(sizeof(Hl7Block))

struct Hl7Block
{
	Hl7Block   *next;
	size_t		size;			/* of what follows the header */
	size_t		used;
};

/* Memory until the arena is reset, aligned for anything. */
void *
hl7_alloc(Hl7Arena *arena, size_t size)
{
	Hl7Block   *block = arena->blocks;
	size_t		needed = ALIGNED(size);
	void	   *result;

	if (block == NULL || block->size - block->used < needed)
	{
		size_t		room = needed > BLOCK_SIZE ? needed : BLOCK_SIZE;

		block = arena->allocate(HEADER + room);
		block->next = arena->blocks;
		block->size = room;
		block->used = 0;
		arena->blocks = block;
	}
	result = (char *) block + HEADER + block->used;
	block->used += needed;
	return result;
}

/* Takes everything back; one block of the usual size is kept for later. */
void
hl7_reset(Hl7Arena *arena)
{
	Hl7Block   *kept = NULL;

	while (arena->blocks != NULL)
	{
		Hl7Block   *block = arena->blocks;

		arena->blocks = block->next;
		if (kept == NULL && block->size == BLOCK_SIZE)
			kept = block;
		else
			arena->release(block);
	}
	if (kept != NULL)
	{
		kept->next = NULL;
		kept->used = 0;
		arena->blocks = kept;
	}
}

/* Gives everything back. */
void
hl7_free(Hl7Arena *arena)
{
	while (arena->blocks != NULL)
	{
		Hl7Block   *block = arena->blocks;

		arena->blocks = block->next;
		arena->release(block);
	}
}
