/*
 * unreached.c
 *	  What fuzzers are linked with and do not reach; apart from the server's
 *	  headers, as what these are does not matter.
 */
#include <stdlib.h>

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
