/*
 * handoff_store.c
 *	  Keeps what a patient's handoffs contribute to the rollups.
 *
 * handoff_state keeps, for each patient id, the contribution that the rollups
 * hold of the handoffs taken under that id: so that whatever changes (a late
 * event, a merge, a role), the old contribution can be taken away exactly and
 * the new one added.  The difference goes to handoff_delta, which maintain()
 * folds into the rollups: no row is written by more than one session.  Handoffs
 * before the horizon of retention count for nothing: the rollups of that time
 * are final.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "detect/contribution.h"
#include "detect/detect.h"
#include "detect/store.h"

struct HandoffStore
{
	MemoryContext context;
	Snapshot	snapshot;
	bool		rebase;			/* leaves the rollups as they are */
	Table		state;
	Table		delta;
	Table		stale;
};

/* Begins to keep handoffs; where rebase is set, the rollups stay as they are. */
HandoffStore *
handoff_store_begin(Snapshot snapshot, bool rebase)
{
	HandoffStore *store = palloc0(sizeof(HandoffStore));

	store->context = CurrentMemoryContext;
	store->snapshot = snapshot;
	store->rebase = rebase;
	return store;
}

/* Opens the table of contributions when it is first needed. */
static Table *
state_table(HandoffStore *store)
{
	if (store->state.rel == NULL)
	{
		table_by_name(&store->state, store->context, "handoff_state", store->snapshot, RowExclusiveLock);
		table_use_index(&store->state, HS_PATIENT_ID + 1, 0);
	}
	return &store->state;
}

/* Notes what the rollups lose and gain, which is encoded. */
static void
write_encoded(HandoffStore *store, const StringInfoData *removed, const StringInfoData *added)
{
	Datum		values[HD_NCOLUMNS];
	bool		nulls[HD_NCOLUMNS] = {0};

	if (store->delta.rel == NULL)
		table_by_name(&store->delta, store->context, "handoff_delta", store->snapshot, RowExclusiveLock);
	values[HD_REMOVED] = PointerGetDatum(cstring_to_text_with_len(removed->data, removed->len));
	values[HD_ADDED] = PointerGetDatum(cstring_to_text_with_len(added->data, added->len));
	table_insert(&store->delta, HD_NCOLUMNS, values, nulls);
}

/* The same of two contributions: all but what both begin and end with. */
static void
write_delta(HandoffStore *store, const Samples *old, const Samples *new)
{
	int			begin = 0;
	int			end = 0;
	StringInfoData removed,
				added;

	while (begin < old->n && begin < new->n &&
		   sample_equal(&old->items[begin], &new->items[begin]))
		begin++;
	while (begin + end < old->n && begin + end < new->n &&
		   sample_equal(&old->items[old->n - 1 - end], &new->items[new->n - 1 - end]))
		end++;
	initStringInfo(&removed);
	initStringInfo(&added);
	samples_encode(&removed, old, begin, old->n - end);
	samples_encode(&added, new, begin, new->n - end);
	write_encoded(store, &removed, &added);
}

/* Keeps what the handoffs taken under one id contribute. */
static void
keep_contribution(HandoffStore *store, Str id, const Samples *samples, bool is_new)
{
	Table	   *table = state_table(store);
	Samples		old = {0, 0, NULL};
	StringInfoData contribution;
	Datum		values[HS_NCOLUMNS];
	bool		nulls[HS_NCOLUMNS] = {0};
	bool		kept = false;

	if (!is_new)
	{
		table_key_text(table, id);
		table_find(table, 1);
		kept = table_next(table);
	}
	if (!kept && samples->n == 0)
		return;
	initStringInfo(&contribution);
	samples_encode(&contribution, samples, 0, samples->n);
	if (kept)
	{
		bool		isnull;
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(slot_getattr(table->slot, HS_CONTRIBUTION + 1, &isnull));

		if (VARSIZE_ANY_EXHDR(bytes) == contribution.len &&
			memcmp(VARDATA_ANY(bytes), contribution.data, contribution.len) == 0)
			return;
		samples_decode(&old, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	}
	if (!store->rebase && kept)
		write_delta(store, &old, samples);
	else if (!store->rebase)
	{
		StringInfoData nothing = {"", 0, 0, 0};

		write_encoded(store, &nothing, &contribution);
	}
	values[HS_PATIENT_ID] = PointerGetDatum(cstring_to_text_with_len(id.data, id.len));
	values[HS_CONTRIBUTION] = PointerGetDatum(cstring_to_text_with_len(contribution.data, contribution.len));
	if (!kept)
		table_insert(table, HS_NCOLUMNS, values, nulls);
	else if (samples->n == 0)
		table_delete(table, &table->slot->tts_tid);
	else
		table_update(table, &table->slot->tts_tid, HS_NCOLUMNS, values, nulls);
}

/* The table of patient ids whose contributions are not up to date. */
static Table *
stale_table(HandoffStore *store)
{
	if (store->stale.rel == NULL)
	{
		table_by_name(&store->stale, store->context, "handoff_stale", store->snapshot, RowExclusiveLock);
		table_use_index(&store->stale, 1, 0);
	}
	return &store->stale;
}

/* Notes that the contributions of some ids are to be brought up to date later. */
void
handoff_store_later(HandoffStore *store, const Str *ids, int nids)
{
	Table	   *table = stale_table(store);

	for (int i = 0; i < nids; i++)
	{
		Datum		value = PointerGetDatum(cstring_to_text_with_len(ids[i].data, ids[i].len));
		bool		isnull = false;

		table_key_text(table, ids[i]);
		table_find(table, 1);
		if (!table_next(table))
			table_insert(table, 1, &value, &isnull);
	}
}

/* Takes back what handoff_store_later() noted of an id. */
static void
is_up_to_date(HandoffStore *store, Str id)
{
	Table	   *table = stale_table(store);

	table_key_text(table, id);
	table_find(table, 1);
	if (table_next(table))
		table_delete(table, &table->slot->tts_tid);
}

/* Keeps the handoffs of a patient. */
void
handoff_store_patient(HandoffStore *store, Patient *p, const Rules *rules, bool is_new)
{
	int			n;
	Handoff    *handoffs = find_handoffs(p, rules, &n);

	for (int i = 0; i < p->nids; i++)
	{
		Samples		samples = {0, 0, NULL};

		samples_of_handoffs(&samples, handoffs, n, p->ids[i], p->is_test);
		keep_contribution(store, p->ids[i], &samples, is_new);
		if (!is_new)
			is_up_to_date(store, p->ids[i]);
	}
}

/* Writes what is still unwritten. */
void
handoff_store_end(HandoffStore *store)
{
	table_done(&store->state);
	table_done(&store->delta);
	table_done(&store->stale);
}
