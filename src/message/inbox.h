/*
 * inbox.h
 *	  Messages on their way in, gathered and then stored together.
 */
#ifndef WT_INBOX_H
#define WT_INBOX_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "message/received.h"

extern void inbox_init(void);

/* Stores messages and what they mean, as one. */
extern void store_messages(List *messages, Hl7Arena *arena);

/* Does what is due about the messages of a transaction before it ends. */
extern bool settle_messages(void);

/* Applies the rules of now to a stored message; false if there is no such message. */
extern bool store_again(int64 message_id, Hl7Arena *arena, MessageStatus *status);

/* Memory for an arena in the current context. */
extern Hl7Arena *message_arena(void);

extern const char *const message_status_names[];

#endif							/* WT_INBOX_H */
