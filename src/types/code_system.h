/*
 * code_system.h
 *	  The coding systems that have a form of their own, without server headers.
 */
#ifndef WT_CODE_SYSTEM_H
#define WT_CODE_SYSTEM_H

typedef struct CodeSystem
{
	const char *name;			/* what stands before the bar */
	int			name_len;
	const char *noun;			/* what errors call one of its codes */
	const char *form;			/* how its codes are written, for errors */

	/*
	 * Writes a code in canonical form and returns its length, at most
	 * CODE_SYSTEM_VALUE_MAX, or 0 if it is not written as the system's codes
	 * are.  A system with check digits sets *check_digit to what the last
	 * digit has to be.
	 */
	int			(*normalize) (const char *code, int len, char *out, int *check_digit);

	/*
	 * Writes the beginning of a code, which may be any bytes, with the case
	 * and punctuation of canonical codes, and returns its length, at most
	 * CODE_SYSTEM_GROWTH more than it was.
	 */
	int			(*normalize_part) (const char *part, int len, char *out);
} CodeSystem;

#define CODE_SYSTEM_NAME_MAX	8
#define CODE_SYSTEM_VALUE_MAX	18
#define CODE_SYSTEM_GROWTH		2

/* The names of the systems, for people. */
extern const char code_system_names[];

extern const CodeSystem *code_system_find(const char *name, int len);

#endif							/* WT_CODE_SYSTEM_H */
