/*
 * visible.c
 *	  What the current user may see: facilities by facility_access, and test
 *	  patients by a setting.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/supportnodes.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "detect/table.h"
#include "report/visible.h"

PG_FUNCTION_INFO_V1(facility_is_visible);
PG_FUNCTION_INFO_V1(facility_is_visible_support);
PG_FUNCTION_INFO_V1(sees_all_facilities);
PG_FUNCTION_INFO_V1(visible_facilities);
PG_FUNCTION_INFO_V1(test_patients_shown);

bool		show_test_patients = false;

/* Reads a row of facility_access. */
static void
read_access(void *arg, const Datum *values, const bool *nulls)
{
	Visible    *visible = arg;
	char	   *role_name = TextDatumGetCString(values[0]);
	Oid			role = get_role_oid(role_name, true);
	char	   *facility = TextDatumGetCString(values[1]);

	if (!OidIsValid(role) || !is_member_of_role(GetUserId(), role))
		return;
	if (strcmp(facility, "*") == 0)
		visible->all = true;
	if (visible->n == visible->size)
	{
		visible->size = Max(8, visible->size * 2);
		visible->facilities = visible->facilities == NULL ? palloc(sizeof(Str) * visible->size)
			: repalloc(visible->facilities, sizeof(Str) * visible->size);
	}
	visible->facilities[visible->n].data = facility;
	visible->facilities[visible->n++].len = strlen(facility);
}

/* What the current user may see. */
Visible *
visible_to_user(void)
{
	static const char *const columns[] = {"role_name", "facility"};
	Visible    *visible = palloc0(sizeof(Visible));

	visible->test_patients = show_test_patients;
	table_read("facility_access", 2, columns, read_access, visible);
	return visible;
}

/* Is a facility among what may be seen? */
bool
is_visible(const Visible *visible, Str facility)
{
	return visible->all || str_in(facility, visible->facilities, visible->n);
}

/* What the user of a function may see, read once a query. */
const Visible *
visible_to_caller(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		fcinfo->flinfo->fn_extra = visible_to_user();
		MemoryContextSwitchTo(old);
	}
	return fcinfo->flinfo->fn_extra;
}

/* facility_is_visible(facility): does the current user see it? */
Datum
facility_is_visible(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_visible(visible_to_caller(fcinfo), str_of_datum(PG_GETARG_DATUM(0))));
}

/*
 * The planner's support function of facility_is_visible.  Conditions of the
 * caller's that are leakproof are asked of the same rows as those of a view,
 * the cheapest first, and those of the view first among equals.  A condition
 * that has no column to leak can do something else when it is reached, and so
 * tell of hidden rows how the conditions before it came out.  What is visible
 * costs nothing, therefore, so that nothing is asked of a hidden row.
 */
Datum
facility_is_visible_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (!IsA(request, SupportRequestCost))
		PG_RETURN_POINTER(NULL);
	((SupportRequestCost *) request)->startup = 0;
	((SupportRequestCost *) request)->per_tuple = 0;
	PG_RETURN_POINTER(request);
}

/* Does the current user see every facility? */
Datum
sees_all_facilities(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(visible_to_user()->all);
}

/* The facilities that the current user sees. */
Datum
visible_facilities(PG_FUNCTION_ARGS)
{
	Visible    *visible = visible_to_user();
	Datum	   *facilities = palloc(sizeof(Datum) * Max(visible->n, 1));

	for (int i = 0; i < visible->n; i++)
		facilities[i] = PointerGetDatum(cstring_to_text_with_len(visible->facilities[i].data,
																 visible->facilities[i].len));
	PG_RETURN_ARRAYTYPE_P(construct_array(facilities, visible->n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Do reports show test patients? */
Datum
test_patients_shown(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(show_test_patients);
}
