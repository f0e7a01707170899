/*
 * links.c
 *	  What joins and parts: merges of patients and encounters, aliases of
 *	  subjects, retractions, test patients.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "detect/event.h"
#include "detect/loader.h"

/* Columns of the tables of links, in their order; all begin with patient_id. */
enum
{
	LINK_PATIENT, LINK_FIRST, LINK_SECOND, LINK_EVENT
};

/* Opens a table of links by an index on one of its columns. */
static Table *
link_table(Loader *loader, Table *table, const char *name, AttrNumber column)
{
	if (table->rel == NULL)
	{
		table_by_name(table, loader->context, name, loader->snapshot, AccessShareLock);
		table_use_index(table, column, 0);
	}
	return table;
}

/* A text column of the row found last, copied. */
static Str
found_text(Table *table, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(table->slot, column + 1, &isnull);
	Str			s = {NULL, 0};

	if (!isnull)
	{
		s = str_of_datum(value);
		s.data = pnstrdup(s.data, s.len);
	}
	return s;
}

/* Is an event among the retracted ones of a patient id? */
static bool
is_retracted(Loader *loader, Str patient, int64 event_id)
{
	Table	   *table = link_table(loader, &loader->retraction, "retraction", 1);
	bool		isnull;

	table_key_text(table, patient);
	table_find(table, 1);
	while (table_next(table))
		if (DatumGetInt64(slot_getattr(table->slot, 2, &isnull)) == event_id)
			return true;
	return false;
}

/* Is a text in a list of texts? */
static bool
id_member(List *ids, Str id)
{
	ListCell   *lc;

	foreach(lc, ids)
		if (str_equal(*(Str *) lfirst(lc), id))
			return true;
	return false;
}

/* Adds the ids at the other end of an id's merges. */
static List *
add_neighbours(Loader *loader, List *ids, Str id, bool forward, bool unretracted)
{
	Table	   *table = forward
		? link_table(loader, &loader->patient_merge, "patient_merge", LINK_PATIENT + 1)
		: link_table(loader, &loader->merged_into, "patient_merge", LINK_FIRST + 1);

	table_key_text(table, id);
	table_find(table, 1);
	while (table_next(table))
	{
		bool		isnull;
		Str			survivor = found_text(table, LINK_PATIENT);
		Str		   *other = palloc(sizeof(Str));
		int64		event_id = DatumGetInt64(slot_getattr(table->slot, 3, &isnull));

		*other = forward ? found_text(table, LINK_FIRST) : survivor;
		if (!id_member(ids, *other) &&
			!(unretracted && is_retracted(loader, survivor, event_id)))
			ids = lappend(ids, other);
	}
	return ids;
}

/* The ids that merges join to some, at any remove. */
static List *
joined_ids(Loader *loader, List *ids, bool unretracted)
{
	for (int i = 0; i < list_length(ids); i++)
	{
		Str			id = *(Str *) list_nth(ids, i);

		ids = add_neighbours(loader, ids, id, true, unretracted);
		ids = add_neighbours(loader, ids, id, false, unretracted);
	}
	return ids;
}

/*
 * Every id that any merge, retracted or not, joins to some: what must be locked
 * and evaluated together, as a retraction parts what a merge joined.
 */
List *
loader_linked_ids(Loader *loader, List *ids)
{
	return joined_ids(loader, list_copy(ids), false);
}

/* Linked ids as the patients that they are now: a list of lists of ids. */
List *
loader_parts(Loader *loader, List *ids)
{
	List	   *parts = NIL;
	List	   *done = NIL;
	ListCell   *lc;

	foreach(lc, ids)
	{
		List	   *part;

		if (id_member(done, *(Str *) lfirst(lc)))
			continue;
		part = joined_ids(loader, list_make1(lfirst(lc)), true);
		done = list_concat(done, part);
		parts = lappend(parts, part);
	}
	return parts;
}

/* Joins names that a table of links makes one. */
static void
join_names(Loader *loader, Table *table, Names *names, Str patient, bool retractable)
{
	table_key_text(table, patient);
	table_find(table, 1);
	while (table_next(table))
	{
		bool		isnull;
		Str			one = found_text(table, LINK_FIRST);
		Str			other = found_text(table, LINK_SECOND);

		if (retractable && is_retracted(loader, patient,
										DatumGetInt64(slot_getattr(table->slot, LINK_EVENT + 1, &isnull))))
			continue;
		names_join(names, names_intern(names, one), names_intern(names, other));
	}
}

/* Joins the encounters of a patient id that merges make one. */
void
join_encounters(Loader *loader, Names *names, Str patient)
{
	join_names(loader, link_table(loader, &loader->encounter_merge, "encounter_merge", LINK_PATIENT + 1),
			   names, patient, true);
}

/* Joins the subjects of a patient id that are aliases. */
void
join_subjects(Loader *loader, Names *names, Str patient)
{
	join_names(loader, link_table(loader, &loader->subject_alias, "subject_alias", LINK_PATIENT + 1),
			   names, patient, false);
}

/* Event ids that are retracted, of all ids of the patient. */
void
load_retracted(Loader *loader, Patient *p, int64 **retracted, int *n)
{
	Table	   *table = link_table(loader, &loader->retraction, "retraction", 1);
	int			size = 0;

	*n = 0;
	*retracted = NULL;
	for (int i = 0; i < p->nids; i++)
	{
		table_key_text(table, p->ids[i]);
		table_find(table, 1);
		while (table_next(table))
		{
			bool		isnull;

			if (*n == size)
			{
				size = Max(16, size * 2);
				*retracted = *retracted == NULL ? palloc(sizeof(int64) * size)
					: repalloc(*retracted, sizeof(int64) * size);
			}
			(*retracted)[(*n)++] = DatumGetInt64(slot_getattr(table->slot, 2, &isnull));
		}
	}
	if (*n > 1)
		qsort(*retracted, *n, sizeof(int64), int64_compare);
}

/* Is any of the patient's ids a test patient's? */
bool
load_is_test(Loader *loader, Patient *p)
{
	Table	   *table = link_table(loader, &loader->test_patient, "test_patient", 1);

	for (int i = 0; i < p->nids; i++)
	{
		table_key_text(table, p->ids[i]);
		table_find(table, 1);
		if (table_next(table))
			return true;
	}
	return false;
}
