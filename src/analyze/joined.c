/*
 * joined.c
 *	  Merges, retractions and test patients of the whole database in memory.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "analyze/joined.h"
#include "compat.h"
#include "detect/event.h"
#include "detect/table.h"
#include "report/visible.h"

#define KEY_BLOCK 65536

/* Reads all rows of a table of links. */
void
read_links(const char *name, Snapshot snapshot, LinkReader reader, void *arg)
{
	Table		table;
	TableScanDesc scan;

	table_by_name(&table, CurrentMemoryContext, name, snapshot, AccessShareLock);
	scan = wt_table_beginscan(table.rel, snapshot);
	while (table_scan_getnextslot(scan, ForwardScanDirection, table.slot))
	{
		slot_getallattrs(table.slot);
		reader(arg, table.slot);
	}
	table_endscan(scan);
	table_done(&table);
}

/* A column of the row in a slot that is a text. */
Str
slot_str(const TupleTableSlot *slot, int column)
{
	Str			s = {NULL, 0};

	if (!slot->tts_isnull[column])
		s = str_of_datum(slot->tts_values[column]);
	return s;
}

/* The same, copied. */
Str
link_text(TupleTableSlot *slot, int column)
{
	Str			s = slot_str(slot, column);

	if (s.data != NULL)
		s.data = pnstrdup(s.data, s.len);
	return s;
}

/* Reads a row of retraction. */
static void
read_retraction(void *arg, TupleTableSlot *slot)
{
	Joined	   *joined = arg;

	if (joined->nretracted == joined->retracted_size)
	{
		joined->retracted_size = Max(64, joined->retracted_size * 2);
		joined->retracted = joined->retracted == NULL ? palloc(sizeof(int64) * joined->retracted_size)
			: repalloc_huge(joined->retracted, sizeof(int64) * joined->retracted_size);
	}
	joined->retracted[joined->nretracted++] = DatumGetInt64(slot->tts_values[1]);
}

/* Is an event retracted? */
bool
is_retracted(const Joined *joined, int64 event_id)
{
	return joined->nretracted > 0 &&
		bsearch(&event_id, joined->retracted, joined->nretracted, sizeof(int64), int64_compare) != NULL;
}

/* Reads a row of patient_merge. */
static void
read_patient_merge(void *arg, TupleTableSlot *slot)
{
	Joined	   *joined = arg;

	if (is_retracted(joined, DatumGetInt64(slot->tts_values[2])))
		return;
	names_join(joined->patients, names_intern(joined->patients, link_text(slot, 0)),
			   names_intern(joined->patients, link_text(slot, 1)));
}

/* Reads a row of test_patient, once merges are known. */
static void
read_test_patient(void *arg, TupleTableSlot *slot)
{
	Joined	   *joined = arg;
	int			number = names_intern(joined->patients, link_text(slot, 0));

	if (number >= joined->ntest)
	{
		int			size = number * 2 + 64;

		joined->is_test = joined->is_test == NULL ? palloc(sizeof(bool) * size)
			: repalloc_huge(joined->is_test, sizeof(bool) * size);
		memset(joined->is_test + joined->ntest, 0, sizeof(bool) * (size - joined->ntest));
		joined->ntest = size;
	}
	joined->is_test[names_root(joined->patients, number)] = true;
}

/* What tells a thing of a patient from those of others, where the next key is made; a null is no empty text. */
Str
pair_key(Joined *joined, Str patient, Str thing)
{
	Size		needed = sizeof(int32) + patient.len + thing.len;
	int32		prefix = thing.data == NULL ? -1 - patient.len : patient.len;
	Str			key;
	char	   *data;

	if (joined->block == NULL || joined->block_used + needed > KEY_BLOCK)
	{
		joined->block = MemoryContextAlloc(joined->context, Max(KEY_BLOCK, needed));
		joined->block_used = 0;
	}
	data = joined->block + joined->block_used;
	memcpy(data, &prefix, sizeof(int32));
	memcpy(data + sizeof(int32), patient.data, patient.len);
	if (thing.len > 0)
		memcpy(data + sizeof(int32) + patient.len, thing.data, thing.len);
	key.data = data;
	key.len = (int) needed;
	return key;
}

/* The number of a thing of a patient, among names of the same memory; a new one keeps its key. */
int
pair_number(Joined *joined, Names *names, Str patient, Str thing)
{
	MemoryContext old = MemoryContextSwitchTo(joined->context);
	int			count = names_count(names);
	Str			key = pair_key(joined, patient, thing);
	int			number = names_intern(names, key);

	if (number == count)
		joined->block_used += key.len;
	MemoryContextSwitchTo(old);
	return number;
}

/* The id that stands for all that merges join an id with. */
Str
joined_patient(const Joined *joined, Str patient, bool *is_test)
{
	int			number = names_count(joined->patients) == 0 ? -1 : names_find(joined->patients, patient);

	*is_test = false;
	if (number < 0)
		return patient;
	number = names_root(joined->patients, number);
	*is_test = number < joined->ntest && joined->is_test[number];
	return names_text(joined->patients, number);
}

/* Reads a row of encounter_merge. */
static void
read_encounter_merge(void *arg, TupleTableSlot *slot)
{
	Joined	   *joined = arg;
	bool		is_test;
	Str			patient;

	if (is_retracted(joined, DatumGetInt64(slot->tts_values[3])))
		return;
	patient = joined_patient(joined, link_text(slot, 0), &is_test);
	names_join(joined->cases, pair_number(joined, joined->cases, patient, link_text(slot, 1)),
			   pair_number(joined, joined->cases, patient, link_text(slot, 2)));
}

/* Reads what joins and parts, into the current context. */
Joined *
joined_read(Snapshot snapshot)
{
	Joined	   *joined = palloc0(sizeof(Joined));

	joined->context = CurrentMemoryContext;
	read_links("retraction", snapshot, read_retraction, joined);
	if (joined->nretracted > 1)
		qsort(joined->retracted, joined->nretracted, sizeof(int64), int64_compare);
	joined->patients = names_begin(64);
	read_links("patient_merge", snapshot, read_patient_merge, joined);
	if (!show_test_patients)
		read_links("test_patient", snapshot, read_test_patient, joined);
	joined->cases = names_begin(1024);
	read_links("encounter_merge", snapshot, read_encounter_merge, joined);
	return joined;
}
