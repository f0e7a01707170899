/*
 * owner.c
 *	  What the extension does with its own tables on behalf of who may not.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "detect/table.h"
#include "record/owner.h"

/* Who owns the tables. */
static Oid
owner_oid(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table_oid("event")));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for table event");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Sets a setting until owner_end(). */
static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Acts as the owner of the tables from here on; an error ends that too.  What is
 * planned once a session, perhaps while tables are empty, looks rows up by index;
 * where there is none, it is short all the same, and not worth compiling.
 */
void
owner_begin(Caller *caller)
{
	GetUserIdAndSecContext(&caller->user, &caller->security);
	SetUserIdAndSecContext(owner_oid(), caller->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	caller->guc_level = NewGUCNestLevel();
	set_for_now("search_path", "pg_catalog, pg_temp");
	set_for_now("enable_seqscan", "off");
	set_for_now("jit", "off");
}

/* Acts as the caller again. */
void
owner_end(const Caller *caller)
{
	AtEOXact_GUC(true, caller->guc_level);
	SetUserIdAndSecContext(caller->user, caller->security);
}
