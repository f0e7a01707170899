/*
 * trace.c
 *	  What is asked about messages: everything about a number, and results
 *	  without an order.
 */
#include "compat.h"
#include "utils/tuplestore.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "detect/detect.h"
#include "detect/table.h"
#include "message/received.h"
#include "message/statement.h"
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

/* The patients whose messages name a number, but for the number itself. */
static Statement find_patients = {
	"SELECT pg_catalog.array_agg(DISTINCT m.patient_id) FROM workflow_track.message m "
	"WHERE m.identifiers OPERATOR(pg_catalog.@>) ARRAY[$1 COLLATE \"C\"] AND m.patient_id OPERATOR(pg_catalog.<>) $1",
	1, {TEXTOID}, true
};

/* The number, and those that aliases of these patients make one with it. */
static Statement find_numbers = {
	"WITH RECURSIVE pair AS MATERIALIZED (SELECT a.alias, a.subject FROM workflow_track.subject_alias a "
	"WHERE a.patient_id OPERATOR(pg_catalog.=) ANY ($2)), "
	"numbers AS (SELECT $1 COLLATE \"C\" AS number UNION "
	"SELECT CASE WHEN p.alias OPERATOR(pg_catalog.=) n.number THEN p.subject ELSE p.alias END FROM numbers n JOIN pair p "
	"ON p.alias OPERATOR(pg_catalog.=) n.number OR p.subject OPERATOR(pg_catalog.=) n.number) "
	"SELECT pg_catalog.array_agg(number) FROM numbers",
	2, {TEXTOID, TEXTARRAYOID}, true
};

/* All messages that name any of the numbers, of facilities that may be seen. */
static Statement find_messages = {
	"SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility), m.source_system, m.control_id, m.message_type, "
	"m.status, m.problem, m.explanation, m.patient_id, m.encounter_id, "
	"ARRAY(SELECT i FROM pg_catalog.unnest(m.identifiers) i WHERE i OPERATOR(pg_catalog.=) ANY ($1)) "
	"FROM workflow_track.message m WHERE m.identifiers OPERATOR(pg_catalog.&&) $1 "
	"AND ($2 OR coalesce(m.care_facility, m.facility) OPERATOR(pg_catalog.=) ANY ($3)) ORDER BY m.message_id",
	3, {TEXTARRAYOID, BOOLOID, TEXTARRAYOID}, true
};

#define TRACE_COLUMNS 12

/* Every number that is one with a number. */
static Datum
same_numbers(Datum number)
{
	Datum		values[2] = {number, 0};
	bool		no_patients;
	bool		isnull;

	statement_run(&find_patients, values, NULL);
	values[1] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &no_patients);
	statement_run(&find_numbers, values, no_patients ? " n" : NULL);
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
}

/* message_trace(subject): everything that came about a number, of facilities that the caller sees. */
Datum
message_trace(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Visible    *visible = visible_to_user();
	Datum	   *facilities = palloc(sizeof(Datum) * Max(visible->n, 1));
	Datum		values[3];
	Caller		caller;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < visible->n; i++)
		facilities[i] = PointerGetDatum(cstring_to_text_with_len(visible->facilities[i].data, visible->facilities[i].len));
	values[1] = BoolGetDatum(visible->all);
	values[2] = PointerGetDatum(construct_array(facilities, visible->n, TEXTOID, -1, false, TYPALIGN_INT));
	owner_begin(&caller);
	statement_connect();
	values[0] = same_numbers(PG_GETARG_DATUM(0));
	statement_run(&find_messages, values, NULL);
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

/* is_unmatched_result(patient_id, message_id): has the message a result, in a facility that the caller sees, of which no order is recorded? */
Datum
is_unmatched_result(PG_FUNCTION_ARGS)
{
	int64		message_id = PG_GETARG_INT64(1);
	const Visible *visible = visible_to_caller(fcinfo);
	Loader	   *loader;
	Patient    *p;
	bool		unmatched = false;

	loader = loader_begin(GetActiveSnapshot());
	p = loader_known(loader, str_of_datum(PG_GETARG_DATUM(0)));
	if (p != NULL && p->is_test && !show_test_patients)
		p = NULL;
	for (int i = 0; p != NULL && !unmatched && i < p->nevents; i++)
	{
		const Event *e = &p->events[i];

		unmatched = e->has_message && e->message_id == message_id && is_result(e->kind->name) &&
			is_visible(visible, e->facility) && !has_order(p, e);
	}
	loader_end(loader);
	PG_RETURN_BOOL(unmatched);
}
