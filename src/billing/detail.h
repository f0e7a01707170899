/*
 * detail.h
 *	  What the detail of a charge says: texts, and diagnoses as codes.
 */
#ifndef WT_BILLING_DETAIL_H
#define WT_BILLING_DETAIL_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "detect/detect.h"

/* Does a code begin so? */
static inline bool
is_covered(Str code, Str prefix)
{
	return code.data != NULL && code.len >= prefix.len && memcmp(code.data, prefix.data, prefix.len) == 0;
}

extern StrList detail_texts(Jsonb *detail, const char *key);
extern Str	diagnosis_code(Str s);
extern bool has_subcodes(Str code);

#endif							/* WT_BILLING_DETAIL_H */
