/*
 * any_version.c
 *	  What stands in for the server without its headers: what is declared
 *	  differently from version to version, and what is linked with and not reached.
 */
#include <stdbool.h>
#include <stdlib.h>

extern bool is_json_number(const char *str, int len);
extern void put_row(const void *values, const bool *nulls);
extern bool IsValidJsonNumber(const char *str, size_t len);
extern void tuplestore_putvalues(void *state, void *desc, const void *values, const bool *nulls);

/* Of older servers the length is an int, and what stands beside it in a register is nothing. */
bool
IsValidJsonNumber(const char *str, size_t len)
{
	return is_json_number(str, (int) len);
}

void
tuplestore_putvalues(void *state, void *desc, const void *values, const bool *nulls)
{
	put_row(values, nulls);
}

#define UNREACHED(name) \
	void		name(void); \
	void		name(void) { abort(); }

UNREACHED(AggCheckCallContext)
UNREACHED(DirectFunctionCall3Coll)
UNREACHED(ProcessInterrupts)
UNREACHED(be_lo_get_fragment)
UNREACHED(construct_md_array)
UNREACHED(deconstruct_array)
UNREACHED(hash_bytes_extended)
UNREACHED(slot_getsomeattrs_int)
