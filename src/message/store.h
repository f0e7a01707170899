/*
 * store.h
 *	  What storing messages is made of.
 */
#ifndef WT_MESSAGE_STORE_H
#define WT_MESSAGE_STORE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "message/received.h"

/* key.c: tells messages from those that came before */
extern void tell_apart(List *messages, TimestampTz received_at);
extern MessageStatus message_status(const char *name);
extern bool message_is_final(MessageStatus status);

/* record.c: what messages mean */
extern void write_events(List *messages);
extern void write_effects(List *messages, TimestampTz received_at);
extern void replace_effects(Received *r, TimestampTz received_at, Datum identifiers);

#endif							/* WT_MESSAGE_STORE_H */
