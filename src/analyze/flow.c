/*
 * flow.c
 *	  Which system sends which messages to which, and when it did last.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "message/statement.h"
#include "record/owner.h"
#include "report/visible.h"

PG_FUNCTION_INFO_V1(flows_seen);

/* Each sender, receiver, type and facility by the index message_flow, from one to the next, with the last message of each. */
static Statement find_flows = {
	"WITH RECURSIVE seen AS (("
	"SELECT m.source_system, m.receiving_system, m.message_type, coalesce(m.care_facility, m.facility) AS facility "
	"FROM workflow_track.message m WHERE m.message_type IS NOT NULL ORDER BY 1, 2, 3, 4 LIMIT 1) "
	"UNION ALL SELECT n.* FROM seen s CROSS JOIN LATERAL ("
	"SELECT m.source_system, m.receiving_system, m.message_type, coalesce(m.care_facility, m.facility) "
	"FROM workflow_track.message m WHERE m.message_type IS NOT NULL AND (m.source_system, m.receiving_system, m.message_type, "
	"coalesce(m.care_facility, m.facility)) > (s.source_system, s.receiving_system, s.message_type, s.facility) "
	"ORDER BY 1, 2, 3, 4 LIMIT 1) n) "
	"SELECT s.*, l.received_at, EXISTS (SELECT FROM workflow_track.workflow_flow f JOIN workflow_track.workflow w USING (workflow, version) "
	"WHERE w.state = 'current' AND f.from_system = s.source_system AND f.to_system = s.receiving_system "
	"AND workflow_track.flow_covers(f.message_types, s.message_type)) "
	"FROM seen s CROSS JOIN LATERAL ("
	"SELECT m.received_at FROM workflow_track.message m WHERE m.message_type IS NOT NULL AND m.source_system = s.source_system "
	"AND m.receiving_system = s.receiving_system AND m.message_type = s.message_type "
	"AND coalesce(m.care_facility, m.facility) = s.facility AND m.received_at <= $1 ORDER BY m.received_at DESC LIMIT 1) l",
	1, {TIMESTAMPTZOID}, true
};

enum
{
	FL_FROM, FL_TO, FL_TYPE, FL_FACILITY, FL_LAST_SEEN, FL_NCOLUMNS,
	FL_IS_DECLARED = FL_NCOLUMNS
};

/*
 * flows_seen(as_of): what was sent until a moment.  Whether a declared flow is
 * silent goes by the messages of every facility, so those are told of too, but
 * not the name of one that the caller does not see.
 */
Datum
flows_seen(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const Visible *visible = visible_to_user();
	Datum		as_of = PG_GETARG_DATUM(0);
	Caller		caller;

	InitMaterializedSRF(fcinfo, 0);
	owner_begin(&caller);
	statement_connect();
	statement_run(&find_flows, &as_of, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		row[FL_NCOLUMNS + 1];
		bool		nulls[FL_NCOLUMNS + 1];

		for (int column = 0; column <= FL_NCOLUMNS; column++)
			row[column] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column + 1, &nulls[column]);
		nulls[FL_FACILITY] = !is_visible(visible, str_of_datum(row[FL_FACILITY]));
		if (!nulls[FL_FACILITY] || DatumGetBool(row[FL_IS_DECLARED]))
			tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	SPI_finish();
	owner_end(&caller);
	return (Datum) 0;
}
