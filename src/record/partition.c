/*
 * partition.c
 *	  Months of event.
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "detect/table.h"
#include "record/partition.h"

PG_FUNCTION_INFO_V1(recordable_until);

/* recordable_until(): where the last month of event ends. */
Datum
recordable_until(PG_FUNCTION_ARGS)
{
	Relation	root = table_open(table_oid("event"), AccessShareLock);
	PartitionBoundInfo bound = RelationGetPartitionDesc(root, true)->boundinfo;
	TimestampTz until = DT_NOBEGIN;

	if (bound != NULL && bound->ndatums > 0 &&
		bound->kind[bound->ndatums - 1][0] == PARTITION_RANGE_DATUM_VALUE)
		until = DatumGetTimestampTz(bound->datums[bound->ndatums - 1][0]);
	table_close(root, AccessShareLock);
	PG_RETURN_TIMESTAMPTZ(until);
}
