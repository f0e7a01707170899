/*
 * fuzz.h
 *	  What the fuzzers share.
 */
#ifndef WT_FUZZ_H
#define WT_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/hl7v2_mapping.h"

/* Stops where something that must hold does not. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))
#define SLICE(text) ((Hl7Slice) {(text), (int) strlen(text)})
#define NEW_ARENA {malloc, free, NULL}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern char *exact_copy(const char *data, int len);
extern int	character_length(const unsigned char *s, int len);
extern bool is_utf8(Hl7Slice s);
extern bool same_bytes(Hl7Slice a, Hl7Slice b);
extern unsigned char read_bytes(Hl7Slice s);
extern void check_inside(Hl7Slice s, const char *data, int len);
extern void check_values(const Hl7Values *values);

extern Hl7Mapping *shipped_mapping(const Hl7Rule **defaults);

#endif							/* WT_FUZZ_H */
