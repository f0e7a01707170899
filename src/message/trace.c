/*
 * trace.c
 *	  What is asked about messages: everything about a number, and results
 *	  without an order.
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "detect/detect.h"
#include "detect/table.h"
#include "message/received.h"
#include "record/owner.h"
#include "report/visible.h"

PG_FUNCTION_INFO_V1(message_key_hash);
PG_FUNCTION_INFO_V1(message_trace);
PG_FUNCTION_INFO_V1(is_unmatched_result);

/* message_key_hash(source_system, facility, control_id): what keys and answers are found by. */
Datum
message_key_hash(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	*uuid = hash_id(str_of_datum(PG_GETARG_DATUM(0)), str_of_datum(PG_GETARG_DATUM(1)), str_of_datum(PG_GETARG_DATUM(2)));
	PG_RETURN_UUID_P(uuid);
}

/*
 * The messages that name a number, then the aliases of it that patients of
 * theirs have, then all messages that name any of these.
 */
static const char trace_query[] =
"WITH RECURSIVE named AS ("
"SELECT DISTINCT m.patient_id FROM workflow_track.message m "
"WHERE m.identifiers OPERATOR(pg_catalog.@>) ARRAY[$1 COLLATE \"C\"] AND m.patient_id IS NOT NULL AND m.patient_id OPERATOR(pg_catalog.<>) $1), "
"numbers AS (SELECT $1 COLLATE \"C\" AS number UNION "
"SELECT CASE WHEN a.alias OPERATOR(pg_catalog.=) n.number THEN a.subject ELSE a.alias END "
"FROM numbers n, named p JOIN workflow_track.subject_alias a ON a.patient_id OPERATOR(pg_catalog.=) p.patient_id "
"WHERE a.alias OPERATOR(pg_catalog.=) n.number OR a.subject OPERATOR(pg_catalog.=) n.number), "
"wanted AS MATERIALIZED (SELECT pg_catalog.array_agg(number) AS numbers FROM numbers) "
"SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility), m.source_system, m.control_id, m.message_type, "
"m.status, m.problem, m.explanation, m.patient_id, m.encounter_id, "
"ARRAY(SELECT i FROM pg_catalog.unnest(m.identifiers) i WHERE i OPERATOR(pg_catalog.=) ANY (w.numbers)) "
"FROM wanted w JOIN workflow_track.message m ON m.identifiers OPERATOR(pg_catalog.&&) w.numbers "
"WHERE $2 OR coalesce(m.care_facility, m.facility) OPERATOR(pg_catalog.=) ANY ($3) "
"ORDER BY m.message_id";

#define TRACE_COLUMNS 12

/* message_trace(subject): everything that came about a number, of facilities that the caller sees. */
Datum
message_trace(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Visible    *visible = visible_to_user();
	Datum	   *facilities = palloc(sizeof(Datum) * Max(visible->n, 1));
	Datum		values[3];
	Caller		caller;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < visible->n; i++)
		facilities[i] = PointerGetDatum(cstring_to_text_with_len(visible->facilities[i].data, visible->facilities[i].len));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = BoolGetDatum(visible->all);
	values[2] = PointerGetDatum(construct_array(facilities, visible->n, TEXTOID, -1, false, TYPALIGN_INT));
	owner_begin(&caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		Oid			types[3] = {TEXTOID, BOOLOID, TEXTARRAYOID};
		SPIPlanPtr	prepared = SPI_prepare(trace_query, lengthof(types), types);

		if (prepared == NULL)
			elog(ERROR, "SPI_prepare failed");
		SPI_keepplan(prepared);
		plan = prepared;
	}
	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		row[TRACE_COLUMNS];
		bool		nulls[TRACE_COLUMNS];

		for (int column = 0; column < TRACE_COLUMNS; column++)
			row[column] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column + 1, &nulls[column]);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	SPI_finish();
	owner_end(&caller);
	return (Datum) 0;
}

/* Is it about an order? */
static bool
is_of_order(Str kind)
{
	return kind.len > 6 && memcmp(kind.data, "order.", 6) == 0;
}

/* Is there an order under the number of a result? */
static bool
has_order(const Patient *p, const Event *result)
{
	for (int i = 0; i < p->nevents; i++)
		if (p->events[i].subject_key == result->subject_key && is_of_order(p->events[i].kind->name))
			return true;
	return false;
}

/* is_unmatched_result(patient_id, message_id): has the message a result of which no order is recorded? */
Datum
is_unmatched_result(PG_FUNCTION_ARGS)
{
	int64		message_id = PG_GETARG_INT64(1);
	Loader	   *loader = loader_begin(GetActiveSnapshot());
	Patient    *p = loader_known(loader, str_of_datum(PG_GETARG_DATUM(0)));
	bool		unmatched = false;

	if (p != NULL && p->is_test && !show_test_patients)
		p = NULL;
	for (int i = 0; p != NULL && !unmatched && i < p->nevents; i++)
	{
		const Event *e = &p->events[i];

		unmatched = e->has_message && e->message_id == message_id && is_result(e->kind->name) && !has_order(p, e);
	}
	loader_end(loader);
	PG_RETURN_BOOL(unmatched);
}
