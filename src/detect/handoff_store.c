/*
 * handoff_store.c
 *	  What a patient's handoffs contribute to the rollups.
 *
 * handoff_state keeps, for each patient id, the contribution that the rollups
 * hold of the handoffs taken under that id: so that whatever changes (a late
 * event, a merge, a role), the old contribution can be taken away exactly and
 * the new one added.  The difference goes to handoff_delta, which maintain()
 * folds into the rollups: no row is written by more than one session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "detect/store.h"
#include "detect/varint.h"
#include "types/latency_histogram.h"

/* Columns of handoff_state and handoff_delta, in their order. */
enum
{
	HS_PATIENT_ID, HS_CONTRIBUTION, HS_NCOLUMNS
};

enum
{
	HD_HOUR, HD_IS_TEST, HD_BASIS, HD_FACILITY, HD_FROM_ROLE, HD_TO_ROLE,
	HD_FROM_SYSTEM, HD_TO_SYSTEM, HD_HISTOGRAM, HD_NCOLUMNS
};

/* Sketches are written out when there are so many, to bound memory. */
#define MOST_SKETCHES 50000

/* The samples of one hour and one group of handoff_latency_hourly. */
typedef struct Cell
{
	int64		hour;			/* since 2000-01-01 00:00 UTC */
	Str			group;			/* as put by put_group() */
	LatencySketch *sketch;
} Cell;

struct HandoffStore
{
	Table		state;
	Table		delta;
	Snapshot	snapshot;
	bool		rebase;			/* leaves the rollups as they are */
	MemoryContext context;		/* of tables */
	MemoryContext cells_context;
	Cell	   *cells;			/* open addressing */
	uint32		mask;
	int			ncells;
};

static const char *const basis_names[] = {"explicit", "thread", "implied"};

/* --- cells ----------------------------------------------------------------- */

/* Empties the cells. */
static void
reset_cells(HandoffStore *store)
{
	MemoryContextReset(store->cells_context);
	store->mask = 255;
	store->ncells = 0;
	store->cells = MemoryContextAllocZero(store->cells_context, sizeof(Cell) * (store->mask + 1));
}

/* Begins to keep handoffs; where rebase is set, the rollups stay as they are. */
HandoffStore *
handoff_store_begin(Snapshot snapshot, bool rebase)
{
	HandoffStore *store = palloc0(sizeof(HandoffStore));

	store->context = CurrentMemoryContext;
	store->snapshot = snapshot;
	store->rebase = rebase;
	store->cells_context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track handoffs",
										   ALLOCSET_DEFAULT_SIZES);
	reset_cells(store);
	return store;
}

/* Where a cell is, or would be. */
static Cell *
cell_slot(HandoffStore *store, int64 hour, Str group)
{
	uint32		at = hash_combine(str_hash(group), murmurhash32((uint32) hour)) & store->mask;

	while (store->cells[at].sketch != NULL &&
		   (store->cells[at].hour != hour || !str_equal(store->cells[at].group, group)))
		at = (at + 1) & store->mask;
	return &store->cells[at];
}

/* Doubles the room for cells. */
static void
grow_cells(HandoffStore *store)
{
	Cell	   *old = store->cells;
	uint32		old_mask = store->mask;

	store->mask = store->mask * 2 + 1;
	store->cells = MemoryContextAllocExtended(store->cells_context, sizeof(Cell) * ((Size) store->mask + 1),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i <= old_mask; i++)
		if (old[i].sketch != NULL)
			*cell_slot(store, old[i].hour, old[i].group) = old[i];
	pfree(old);
}

/* Adds a sample, or takes it away. */
static void
count_sample(HandoffStore *store, int64 hour, Str group, int64 latency, int sign)
{
	Cell	   *cell = cell_slot(store, hour, group);

	if (cell->sketch == NULL)
	{
		char	   *copy;

		if (store->ncells * 2 >= store->mask)
		{
			grow_cells(store);
			cell = cell_slot(store, hour, group);
		}
		copy = MemoryContextAlloc(store->cells_context, group.len + 1);
		memcpy(copy, group.data, group.len);
		cell->hour = hour;
		cell->group.data = copy;
		cell->group.len = group.len;
		cell->sketch = latency_sketch_create(store->cells_context);
		store->ncells++;
	}
	latency_sketch_add(cell->sketch, latency, sign);
}

/* --- groups as bytes ------------------------------------------------------- */

/* Appends a text that may be null. */
static void
put_str(StringInfo buf, Str s)
{
	put_varint(buf, s.data == NULL ? 0 : (uint64) s.len + 1);
	if (s.data != NULL)
		appendBinaryStringInfo(buf, s.data, s.len);
}

/* Takes a text off. */
static Str
take_str(const char **at, const char *end)
{
	uint64		length = take_varint(at, end);
	Str			s = {NULL, 0};

	if (length == 0)
		return s;
	if (length - 1 > (uint64) (end - *at))
		elog(ERROR, "a kept contribution of handoffs is damaged");
	s.data = *at;
	s.len = (int) (length - 1);
	*at += s.len;
	return s;
}

/* Appends what handoff_latency groups a handoff by. */
static void
put_group(StringInfo buf, const Handoff *h, bool is_test)
{
	appendStringInfoChar(buf, (char) h->basis);
	appendStringInfoChar(buf, is_test ? 1 : 0);
	put_str(buf, h->to->facility);
	put_str(buf, actor_role(h->from));
	put_str(buf, actor_role(h->to));
	put_str(buf, h->from->system);
	put_str(buf, h->to->system);
}

/* --- contributions --------------------------------------------------------- */

/* The hour that an instant lies in; hours before 2000 are negative. */
static int64
hour_of(TimestampTz at)
{
	int64		hour = at / USECS_PER_HOUR;

	return hour * USECS_PER_HOUR > at ? hour - 1 : hour;
}

/* Groups met so far, each with its number. */
typedef struct Groups
{
	int			n;
	int			size;
	Str		   *groups;
} Groups;

/* The number of a group; one that is new gets the next. */
static int
group_number(Groups *groups, Str group, bool *is_new)
{
	char	   *copy;

	for (int i = groups->n - 1; i >= 0; i--)
		if (str_equal(groups->groups[i], group))
		{
			*is_new = false;
			return i;
		}
	if (groups->n == groups->size)
	{
		groups->size = Max(16, groups->size * 2);
		groups->groups = groups->groups == NULL ? palloc(sizeof(Str) * groups->size)
			: repalloc(groups->groups, sizeof(Str) * groups->size);
	}
	copy = palloc(group.len);	/* which holds zero bytes */
	memcpy(copy, group.data, group.len);
	groups->groups[groups->n].data = copy;
	groups->groups[groups->n].len = group.len;
	*is_new = true;
	return groups->n++;
}

/*
 * The contribution of the handoffs taken under one id, as bytes: of each handoff
 * the number of its group (followed by the group where the number is new), the
 * hours since the one before, and the latency.
 */
static void
encode(StringInfo buf, const Handoff *handoffs, int n, Str id, bool is_test)
{
	Groups		groups = {0, 0, NULL};
	StringInfoData group;
	int64		hour = 0;

	initStringInfo(&group);
	for (int i = 0; i < n; i++)
	{
		const Handoff *h = &handoffs[i];
		Str			name;
		bool		is_new;

		if (!str_equal(h->to->patient, id))
			continue;
		resetStringInfo(&group);
		put_group(&group, h, is_test);
		name.data = group.data;
		name.len = group.len;
		put_varint(buf, group_number(&groups, name, &is_new));
		if (is_new)
			put_str(buf, name);
		put_signed_varint(buf, hour_of(h->to->at) - hour);
		hour = hour_of(h->to->at);
		put_signed_varint(buf, h->to->at - h->from->at);
	}
}

/* Adds a contribution to the cells, or takes it away. */
static void
count_contribution(HandoffStore *store, const char *at, int length, int sign)
{
	const char *end = at + length;
	Groups		groups = {0, 0, NULL};
	int64		hour = 0;

	if (store->rebase)
		return;
	while (at < end)
	{
		uint64		number = take_varint(&at, end);
		bool		is_new;

		if (number == (uint64) groups.n)
			(void) group_number(&groups, take_str(&at, end), &is_new);
		if (number >= (uint64) groups.n)
			elog(ERROR, "a kept contribution of handoffs is damaged");
		hour += take_signed_varint(&at, end);
		count_sample(store, hour, groups.groups[number], take_signed_varint(&at, end), sign);
	}
}

/* --- keeping --------------------------------------------------------------- */

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

/* Writes the cells to handoff_delta, and empties them. */
static void
write_cells(HandoffStore *store)
{
	for (uint32 i = 0; i <= store->mask; i++)
	{
		Cell	   *cell = &store->cells[i];
		Datum		values[HD_NCOLUMNS] = {0};
		bool		nulls[HD_NCOLUMNS] = {0};
		const char *at;

		if (cell->sketch == NULL || latency_sketch_is_empty(cell->sketch))
			continue;
		if (store->delta.rel == NULL)
			table_by_name(&store->delta, store->context, "handoff_delta", store->snapshot, RowExclusiveLock);
		at = cell->group.data;
		values[HD_HOUR] = TimestampTzGetDatum(cell->hour * USECS_PER_HOUR);
		values[HD_BASIS] = CStringGetTextDatum(basis_names[(int) *at++]);
		values[HD_IS_TEST] = BoolGetDatum(*at++ != 0);
		for (int column = HD_FACILITY; column <= HD_TO_SYSTEM; column++)
		{
			Str			s = take_str(&at, cell->group.data + cell->group.len);

			nulls[column] = s.data == NULL;
			if (s.data != NULL)
				values[column] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
		}
		values[HD_HISTOGRAM] = PointerGetDatum(latency_sketch_to_histogram(cell->sketch));
		table_insert(&store->delta, values, nulls);
	}
	reset_cells(store);
}

/* Keeps what the handoffs taken under one id contribute. */
static void
keep_contribution(HandoffStore *store, Str id, StringInfo contribution, bool is_new)
{
	Table	   *table = state_table(store);
	Datum		values[HS_NCOLUMNS];
	bool		nulls[HS_NCOLUMNS] = {0};
	bool		kept = false;

	if (!is_new)
	{
		table_key_text(table, id);
		table_find(table, 1);
		kept = table_next(table);
	}
	if (kept)
	{
		bool		isnull;
		struct varlena *old = PG_DETOAST_DATUM_PACKED(slot_getattr(table->slot, HS_CONTRIBUTION + 1, &isnull));

		if (VARSIZE_ANY_EXHDR(old) == contribution->len &&
			memcmp(VARDATA_ANY(old), contribution->data, contribution->len) == 0)
			return;
		count_contribution(store, VARDATA_ANY(old), VARSIZE_ANY_EXHDR(old), -1);
	}
	else if (contribution->len == 0)
		return;
	count_contribution(store, contribution->data, contribution->len, 1);
	values[HS_PATIENT_ID] = PointerGetDatum(cstring_to_text_with_len(id.data, id.len));
	values[HS_CONTRIBUTION] = PointerGetDatum(cstring_to_text_with_len(contribution->data, contribution->len));
	if (!kept)
		table_insert(table, values, nulls);
	else if (contribution->len == 0)
		table_delete(table, &table->slot->tts_tid);
	else
		table_update(table, &table->slot->tts_tid, values, nulls);
}

/* Keeps the handoffs of a patient. */
void
handoff_store_patient(HandoffStore *store, Patient *p, const Rules *rules, bool is_new)
{
	int			n;
	Handoff    *handoffs = find_handoffs(p, rules, &n);

	for (int i = 0; i < p->nids; i++)
	{
		StringInfoData contribution;

		initStringInfo(&contribution);
		encode(&contribution, handoffs, n, p->ids[i], p->is_test);
		keep_contribution(store, p->ids[i], &contribution, is_new);
	}
	if (store->ncells > MOST_SKETCHES)
		write_cells(store);
}

/* Writes what is still unwritten. */
void
handoff_store_end(HandoffStore *store)
{
	write_cells(store);
	table_done(&store->state);
	table_done(&store->delta);
	MemoryContextDelete(store->cells_context);
}
