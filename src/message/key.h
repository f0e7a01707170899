/*
 * key.h
 *	  What tells a message from those that came before: keys of table message_key.
 */
#ifndef WT_KEY_H
#define WT_KEY_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/uuid.h"

#include "detect/table.h"
#include "message/received.h"

/* Columns of message_key, in its order. */
enum
{
	MK_KEY, MK_MESSAGE_ID, MK_RECEIVED_AT, MK_NCOLUMNS
};

typedef enum KeyKind
{
	KEY_CONTENT,				/* all but what a replay changes */
	KEY_BODY,					/* all of it */
	KEY_ID,						/* its sender and control id */
	KEY_KINDS
} KeyKind;

/* The keys of a message that this transaction has stored. */
typedef struct KeyNote
{
	int64		message_id;
	TimestampTz received_at;
	pg_uuid_t	keys[KEY_KINDS];
	bool		wanted[KEY_KINDS];	/* those that nobody was seen to have */
	TimestampTz first_at;		/* between these are its events */
	TimestampTz last_at;
	int			nest_level;		/* of the subtransaction that it came in */
} KeyNote;

/* The message that has a key, and where that is written. */
typedef struct KeyHolder
{
	int64		message_id;
	TimestampTz received_at;
	ItemPointerData tid;
} KeyHolder;

/* note.c: what is due at the end of the transaction */
extern void notes_init(void);
extern void note_keys(const KeyNote *note);
extern const KeyNote *noted_key(const pg_uuid_t *key);
extern void note_unsettled(int64 message_id);
extern bool notes_are_due(void);
extern const KeyNote *take_notes(uint32 *n);
extern int64 *take_unsettled(int *n);

/* key.c */
extern void open_keys(Table *table, LOCKMODE mode);
extern bool written_key(Table *table, const pg_uuid_t *key, KeyHolder *holder);
extern bool key_is_expired(const KeyHolder *holder);
extern char *explain_again(bool resent, int64 same);
extern const char *const id_is_reused;

#endif							/* WT_KEY_H */
