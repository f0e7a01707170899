/*
 * names.c
 *	  Names of one patient (encounters, subjects) as small numbers.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "detect/names.h"

typedef struct NameSlot
{
	uint32		hash;
	int			number;			/* + 1; 0 is none */
} NameSlot;

struct Names
{
	uint32		mask;
	NameSlot   *slots;			/* by hash, open addressing */
	int			n;
	int			size;
	Str		   *names;
	int		   *parent;			/* of a joined name, another; its own number at a root */
};

/* Begins with room for some names. */
Names *
names_begin(int expected)
{
	Names	   *names = palloc0(sizeof(Names));

	names->size = 16;
	while (names->size < expected && names->size < 1024)
		names->size *= 2;
	names->mask = names->size * 2 - 1;
	names->slots = palloc0(sizeof(NameSlot) * (names->mask + 1));
	names->names = palloc(sizeof(Str) * names->size);
	names->parent = palloc(sizeof(int) * names->size);
	return names;
}

/* Where a name of a hash is, or would be. */
static NameSlot *
position(const Names *names, Str name, uint32 hash)
{
	uint32		at = hash & names->mask;

	while (names->slots[at].number != 0 &&
		   (names->slots[at].hash != hash || !str_equal(names->names[names->slots[at].number - 1], name)))
		at = (at + 1) & names->mask;
	return &names->slots[at];
}

/* Doubles the room. */
static void
grow(Names *names)
{
	NameSlot   *old = names->slots;
	uint32		old_mask = names->mask;

	names->size *= 2;
	names->mask = names->size * 2 - 1;
	names->names = repalloc_huge(names->names, sizeof(Str) * names->size);
	names->parent = repalloc_huge(names->parent, sizeof(int) * names->size);
	names->slots = palloc_extended(sizeof(NameSlot) * ((Size) names->mask + 1),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i <= old_mask; i++)
	{
		uint32		at = old[i].hash & names->mask;

		if (old[i].number == 0)
			continue;
		while (names->slots[at].number != 0)
			at = (at + 1) & names->mask;
		names->slots[at] = old[i];
	}
	pfree(old);
}

/* The number of a name, which must outlive this; of a null, -1. */
int
names_intern(Names *names, Str name)
{
	uint32		hash = str_hash(name);
	NameSlot   *slot;

	if (name.data == NULL)
		return -1;
	slot = position(names, name, hash);
	if (slot->number == 0)
	{
		if (names->n == names->size)
		{
			grow(names);
			slot = position(names, name, hash);
		}
		names->names[names->n] = name;
		names->parent[names->n] = names->n;
		slot->hash = hash;
		slot->number = ++names->n;
	}
	return slot->number - 1;
}

/* The number that a name has; -1 if it has none. */
int
names_find(const Names *names, Str name)
{
	return name.data == NULL ? -1 : position(names, name, str_hash(name))->number - 1;
}

/* The name of a number. */
Str
names_text(const Names *names, int number)
{
	return names->names[number];
}

/* The number that stands for all that a name is joined with. */
int
names_root(const Names *names, int number)
{
	if (number < 0)
		return -1;
	while (names->parent[number] != number)
		number = names->parent[number];
	return number;
}

/* Makes two names one; a null joins nothing. */
void
names_join(Names *names, int one, int other)
{
	one = names_root(names, one);
	other = names_root(names, other);
	if (one >= 0 && other >= 0 && one != other)
		names->parent[Max(one, other)] = Min(one, other);
}

/* All numbers are below this. */
int
names_count(const Names *names)
{
	return names->n;
}

/* Of the names that are one the least by bytes, by the number that stands for them. */
Str *
names_least(const Names *names)
{
	Str		   *least = palloc_extended(sizeof(Str) * Max(names->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int i = 0; i < names->n; i++)
	{
		int			root = names_root(names, i);

		if (least[root].data == NULL || str_compare(names->names[i], least[root]) < 0)
			least[root] = names->names[i];
	}
	return least;
}
