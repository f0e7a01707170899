/*
 * note.c
 *	  What is due about messages at the end of the transaction: keys to be
 *	  written, and messages to be read anew.
 *
 * It is kept in memory, some 150 bytes a message.  What a subtransaction noted
 * that is rolled back is forgotten.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "detect/event.h"
#include "message/key.h"

/* A message that came again, and was not understood at first. */
typedef struct Unsettled
{
	int64		message_id;
	int			nest_level;
} Unsettled;

/* All of it is in the transaction's memory, so NULL outside. */
static KeyNote *notes = NULL;
static uint32 nnotes = 0;
static uint32 notes_size = 0;	/* a power of 2 */
static uint32 *slots = NULL;	/* by key: 1 + number of the note * KEY_KINDS + kind; 0 is free */
static Unsettled *unsettled = NULL;
static int	nunsettled = 0;
static int	unsettled_size = 0;

/* Slots for a note, of which its keys take three at most. */
#define SLOTS_EACH 8

/* --- keys ------------------------------------------------------------------ */

/* Forgets keys, when they are taken or the transaction has ended. */
static void
forget_notes(void)
{
	notes = NULL;
	nnotes = 0;
	notes_size = 0;
	slots = NULL;
}

/* Where a key is, or would be. */
static uint32 *
key_slot(const pg_uuid_t *key)
{
	uint32		mask = notes_size * SLOTS_EACH - 1;
	uint32		at;

	memcpy(&at, key->data, sizeof(at)); /* it is a hash */
	for (at &= mask; slots[at] != 0; at = (at + 1) & mask)
	{
		const KeyNote *note = &notes[(slots[at] - 1) / KEY_KINDS];

		if (memcmp(note->keys[(slots[at] - 1) % KEY_KINDS].data, key->data, UUID_LEN) == 0)
			break;
	}
	return &slots[at];
}

/* Puts the keys of a note into slots. */
static void
place_note(uint32 number)
{
	for (int kind = 0; kind < KEY_KINDS; kind++)
		if (notes[number].wanted[kind])
			*key_slot(&notes[number].keys[kind]) = 1 + number * KEY_KINDS + kind;
}

/* Makes room, first or more. */
static void
grow_notes(void)
{
	uint32		size = Max(64, notes_size * 2);
	uint32	   *old = slots;
	uint32	   *new;

	if (size > PG_UINT32_MAX / SLOTS_EACH / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many messages in one transaction")));
	new = MemoryContextAllocExtended(TopTransactionContext, sizeof(uint32) * (Size) size * SLOTS_EACH,
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	notes = notes == NULL ? MemoryContextAlloc(TopTransactionContext, sizeof(KeyNote) * size)
		: repalloc_huge(notes, sizeof(KeyNote) * (Size) size);
	slots = new;
	notes_size = size;
	for (uint32 i = 0; i < nnotes; i++)
		place_note(i);
	if (old != NULL)
		pfree(old);
}

/* Notes keys to be written. */
void
note_keys(const KeyNote *note)
{
	if (nnotes == notes_size)
		grow_notes();
	notes[nnotes] = *note;
	notes[nnotes].nest_level = GetCurrentTransactionNestLevel();
	place_note(nnotes++);
}

/* The message of this transaction that is to have a key; NULL if none is. */
const KeyNote *
noted_key(const pg_uuid_t *key)
{
	uint32		slot = nnotes == 0 ? 0 : *key_slot(key);

	return slot == 0 ? NULL : &notes[(slot - 1) / KEY_KINDS];
}

/*
 * All of them, in the order that they came in.  They are forgotten, unless a
 * savepoint may take back what is done about them.
 */
const KeyNote *
take_notes(uint32 *n)
{
	const KeyNote *taken = notes;

	*n = nnotes;
	if (GetCurrentTransactionNestLevel() == 1 && nnotes > 0)
	{
		pfree(slots);
		forget_notes();
	}
	return taken;
}

/* Forgets the last one, whose slots no other has passed by. */
static void
forget_last_note(void)
{
	const KeyNote *note = &notes[nnotes - 1];

	for (int kind = KEY_KINDS - 1; kind >= 0; kind--)
		if (note->wanted[kind])
			*key_slot(&note->keys[kind]) = 0;
	nnotes--;
}

/* --- messages to be read anew ---------------------------------------------- */

/* Notes a message to be read anew. */
void
note_unsettled(int64 message_id)
{
	if (nunsettled == unsettled_size)
	{
		int			size = Max(64, unsettled_size * 2);

		unsettled = unsettled == NULL ? MemoryContextAlloc(TopTransactionContext, sizeof(Unsettled) * size)
			: repalloc_huge(unsettled, sizeof(Unsettled) * size);
		unsettled_size = size;
	}
	unsettled[nunsettled++] = (Unsettled) {message_id, GetCurrentTransactionNestLevel()};
}

/* All of them, likewise, but each once, in the order that everybody takes them in. */
int64 *
take_unsettled(int *n)
{
	int64	   *ids = palloc_extended(sizeof(int64) * Max(nunsettled, 1), MCXT_ALLOC_HUGE);

	for (int i = 0; i < nunsettled; i++)
		ids[i] = unsettled[i].message_id;
	qsort(ids, nunsettled, sizeof(int64), int64_compare);
	*n = 0;
	for (int i = 0; i < nunsettled; i++)
		if (*n == 0 || ids[*n - 1] != ids[i])
			ids[(*n)++] = ids[i];
	if (GetCurrentTransactionNestLevel() == 1)
		nunsettled = 0;
	return ids;
}

/* Is anything noted? */
bool
notes_are_due(void)
{
	return nnotes > 0 || nunsettled > 0;
}

/* --- ends of transactions -------------------------------------------------- */

/* Forgets what a subtransaction noted that is rolled back. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (nnotes > 0 && notes[nnotes - 1].nest_level >= level)
			forget_last_note();
		while (nunsettled > 0 && unsettled[nunsettled - 1].nest_level >= level)
			nunsettled--;
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (uint32 i = nnotes; i > 0 && notes[i - 1].nest_level >= level; i--)
			notes[i - 1].nest_level = level - 1;
		for (int i = nunsettled; i > 0 && unsettled[i - 1].nest_level >= level; i--)
			unsettled[i - 1].nest_level = level - 1;
	}
}

/* Forgets all when a transaction ends. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
	{
		forget_notes();
		unsettled = NULL;
		nunsettled = 0;
		unsettled_size = 0;
	}
}

/* Asks to be called at the ends of transactions. */
void
notes_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
