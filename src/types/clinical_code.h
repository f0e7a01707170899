/*
 * clinical_code.h
 *	  Codes of coding systems: what other rooms use of type clinical_code.
 *
 * A clinical_code is stored as text is, and its content is its canonical form,
 * "system|code", compared by bytes.
 */
#ifndef WT_CLINICAL_CODE_H
#define WT_CLINICAL_CODE_H

#include "postgres.h"

#include "fmgr.h"
#include "types/code_system.h"

#define DatumGetClinicalCodePP(X)	((text *) PG_DETOAST_DATUM_PACKED(X))
#define PG_GETARG_CLINICAL_CODE_PP(n)	DatumGetClinicalCodePP(PG_GETARG_DATUM(n))

/* What a code may have at most, in bytes. */
#define CLINICAL_CODE_MAX	1024

/* Room to make one in. */
#define CLINICAL_CODE_BUFFER \
	(CLINICAL_CODE_MAX + CODE_SYSTEM_NAME_MAX + CODE_SYSTEM_VALUE_MAX + CODE_SYSTEM_GROWTH)

extern text *clinical_code_received(const char *system, int system_len,
									const char *code, int code_len);
extern int	clinical_code_normalize_prefix(const char *str, int len, char *out, bool noerror);

#endif							/* WT_CLINICAL_CODE_H */
