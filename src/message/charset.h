/*
 * charset.h
 *	  Character sets of messages.
 */
#ifndef WT_CHARSET_H
#define WT_CHARSET_H

#include "postgres.h"

#include "message/hl7v2.h"

extern int	charset_encoding(Hl7Slice name);
extern bool charset_decode(int encoding, const char *data, int len, Hl7Slice *text);
extern bytea *charset_encode(int encoding, Hl7Slice text);

#endif							/* WT_CHARSET_H */
