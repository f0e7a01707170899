/*
 * names.c
 *	  Names of one patient (encounters, subjects) as small numbers.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "detect/names.h"

struct Names
{
	uint32		mask;
	int		   *slots;			/* number + 1 by hash, open addressing */
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
	names->slots = palloc0(sizeof(int) * (names->mask + 1));
	names->names = palloc(sizeof(Str) * names->size);
	names->parent = palloc(sizeof(int) * names->size);
	return names;
}

/* Where a name is, or would be. */
static uint32
position(const Names *names, Str name)
{
	uint32		at = str_hash(name) & names->mask;

	while (names->slots[at] != 0 && !str_equal(names->names[names->slots[at] - 1], name))
		at = (at + 1) & names->mask;
	return at;
}

/* Doubles the room. */
static void
grow(Names *names)
{
	names->size *= 2;
	names->mask = names->size * 2 - 1;
	names->names = repalloc_huge(names->names, sizeof(Str) * names->size);
	names->parent = repalloc_huge(names->parent, sizeof(int) * names->size);
	pfree(names->slots);
	names->slots = palloc_extended(sizeof(int) * ((Size) names->mask + 1),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < names->n; i++)
		names->slots[position(names, names->names[i])] = i + 1;
}

/* The number of a name, which must outlive this; of a null, -1. */
int
names_intern(Names *names, Str name)
{
	uint32		at;

	if (name.data == NULL)
		return -1;
	at = position(names, name);
	if (names->slots[at] == 0)
	{
		if (names->n == names->size)
		{
			grow(names);
			at = position(names, name);
		}
		names->names[names->n] = name;
		names->parent[names->n] = names->n;
		names->slots[at] = ++names->n;
	}
	return names->slots[at] - 1;
}

/* The number that a name has; -1 if it has none. */
int
names_find(const Names *names, Str name)
{
	return name.data == NULL ? -1 : names->slots[position(names, name)] - 1;
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
