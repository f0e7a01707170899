/*
 * varint.h
 *	  Whole numbers in as few bytes as they need, seven bits a byte.
 */
#ifndef WT_VARINT_H
#define WT_VARINT_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* Appends a number. */
static inline void
put_varint(StringInfo buf, uint64 value)
{
	char		bytes[10];
	int			n = 0;

	while (value >= 0x80)
	{
		bytes[n++] = (char) (value | 0x80);
		value >>= 7;
	}
	bytes[n++] = (char) value;
	appendBinaryStringInfo(buf, bytes, n);
}

/* Appends a number of either sign, small ones of both in few bytes. */
static inline void
put_signed_varint(StringInfo buf, int64 value)
{
	put_varint(buf, ((uint64) value << 1) ^ (value < 0 ? ~UINT64CONST(0) : 0));
}

/* Takes a number off. */
static inline uint64
take_varint(const char **at, const char *end)
{
	uint64		value = 0;

	for (int shift = 0; *at < end && shift < 64; shift += 7)
	{
		unsigned char byte = (unsigned char) *(*at)++;

		value |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a number in kept state is damaged"),
			 errhint("CALL workflow_track.rebuild() makes it anew.")));
	return 0;					/* keep the compiler quiet */
}

/* Takes a number of either sign off. */
static inline int64
take_signed_varint(const char **at, const char *end)
{
	uint64		value = take_varint(at, end);

	return (int64) (value >> 1) ^ -(int64) (value & 1);
}

#endif							/* WT_VARINT_H */
