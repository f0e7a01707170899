/*
 * clinical_code_ops.c
 *	  Codes of coding systems: order, hashing and prefixes.
 *
 * Codes are canonical, so they are compared as bytes, whatever the collation.
 */
#include "compat.h"

#include "access/stratnum.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "types/clinical_code.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/sortsupport.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(clinical_code_eq);
PG_FUNCTION_INFO_V1(clinical_code_ne);
PG_FUNCTION_INFO_V1(clinical_code_lt);
PG_FUNCTION_INFO_V1(clinical_code_le);
PG_FUNCTION_INFO_V1(clinical_code_gt);
PG_FUNCTION_INFO_V1(clinical_code_ge);
PG_FUNCTION_INFO_V1(clinical_code_cmp);
PG_FUNCTION_INFO_V1(clinical_code_sortsupport);
PG_FUNCTION_INFO_V1(clinical_code_hash);
PG_FUNCTION_INFO_V1(clinical_code_hash_extended);
PG_FUNCTION_INFO_V1(clinical_code_within);
PG_FUNCTION_INFO_V1(clinical_code_within_support);
PG_FUNCTION_INFO_V1(clinical_code_starts_with);
PG_FUNCTION_INFO_V1(clinical_code_starts_with_support);

/* Whether the two arguments are equal. */
static bool
args_equal(FunctionCallInfo fcinfo)
{
	text	   *a = PG_GETARG_CLINICAL_CODE_PP(0);
	text	   *b = PG_GETARG_CLINICAL_CODE_PP(1);
	Size		len = VARSIZE_ANY_EXHDR(a);
	bool		result;

	result = len == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), len) == 0;

	/* The functions of an index must not leak. */
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);

	return result;
}

/* Below, at or above 0, as the first argument is to the second. */
static int
compare_args(FunctionCallInfo fcinfo)
{
	text	   *a = PG_GETARG_CLINICAL_CODE_PP(0);
	text	   *b = PG_GETARG_CLINICAL_CODE_PP(1);
	Size		a_len = VARSIZE_ANY_EXHDR(a);
	Size		b_len = VARSIZE_ANY_EXHDR(b);
	int			result;

	result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_len, b_len));
	if (result == 0 && a_len != b_len)
		result = a_len < b_len ? -1 : 1;

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);

	return result;
}

/* code = code */
Datum
clinical_code_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(args_equal(fcinfo));
}

/* code <> code */
Datum
clinical_code_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!args_equal(fcinfo));
}

/* code < code */
Datum
clinical_code_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

/* code <= code */
Datum
clinical_code_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

/* code > code */
Datum
clinical_code_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

/* code >= code */
Datum
clinical_code_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

/* btree's comparison */
Datum
clinical_code_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

/* btree's comparison for sorting, which is that of text in collation "C" */
Datum
clinical_code_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);
	MemoryContext previous = MemoryContextSwitchTo(ssup->ssup_cxt);

	varstr_sortsupport(ssup, TEXTOID, C_COLLATION_OID);
	MemoryContextSwitchTo(previous);

	PG_RETURN_VOID();
}

/* hash */
Datum
clinical_code_hash(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	Datum		result;

	result = hash_any((unsigned char *) VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
	PG_FREE_IF_COPY(code, 0);

	PG_RETURN_DATUM(result);
}

/* hash with a seed */
Datum
clinical_code_hash_extended(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	Datum		result;

	result = hash_any_extended((unsigned char *) VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code),
							   PG_GETARG_INT64(1));
	PG_FREE_IF_COPY(code, 0);

	PG_RETURN_DATUM(result);
}

/* Whether a code begins with these bytes. */
static bool
starts_with(text *code, const char *prefix, int len)
{
	return len <= VARSIZE_ANY_EXHDR(code) && memcmp(VARDATA_ANY(code), prefix, len) == 0;
}

/* code <@ prefix */
Datum
clinical_code_within(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	text	   *given = PG_GETARG_TEXT_PP(1);
	char		prefix[CLINICAL_CODE_BUFFER];
	int			len;

	len = clinical_code_normalize_prefix(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given),
										 prefix, false);

	PG_RETURN_BOOL(starts_with(code, prefix, len));
}

/* code ^@ bytes */
Datum
clinical_code_starts_with(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	text	   *prefix = PG_GETARG_TEXT_PP(1);

	PG_RETURN_BOOL(starts_with(code, VARDATA_ANY(prefix), VARSIZE_ANY_EXHDR(prefix)));
}

/*
 * Turns "code <@ constant" into "code ^@ normalized constant", which does not
 * normalize again for each code and, since it never fails, is leakproof and
 * passes a security barrier.
 */
static Node *
simplify_within(FuncExpr *call)
{
	Node	   *left = (Node *) linitial(call->args);
	Const	   *right = (Const *) lsecond(call->args);
	char		prefix[CLINICAL_CODE_BUFFER];
	text	   *given;
	int			len;
	Oid			operator;

	if (!IsA(right, Const) || right->constisnull)
		return NULL;

	/* A prefix that is an error stays, to be one where it is evaluated. */
	given = DatumGetTextPP(right->constvalue);
	len = clinical_code_normalize_prefix(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given),
										 prefix, true);
	operator = GetSysCacheOid4(OPERNAMENSP, Anum_pg_operator_oid,
							   CStringGetDatum("^@"),
							   ObjectIdGetDatum(exprType(left)),
							   ObjectIdGetDatum(TEXTOID),
							   ObjectIdGetDatum(get_func_namespace(call->funcid)));
	if (len < 0 || !OidIsValid(operator))
		return NULL;

	right = makeConst(TEXTOID, -1, right->constcollid, -1,
					  PointerGetDatum(cstring_to_text_with_len(prefix, len)), false, false);

	return (Node *) make_opclause(operator, BOOLOID, false, (Expr *) left, (Expr *) right,
								  InvalidOid, call->inputcollid);
}

/* The planner's support function of clinical_code_within. */
Datum
clinical_code_within_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestSimplify))
		result = simplify_within(((SupportRequestSimplify *) request)->fcall);

	PG_RETURN_POINTER(result);
}

/* Makes "code operator bytes" with the operator of a strategy of the family. */
static Expr *
make_comparison(Node *code, Oid opfamily, int16 strategy, const char *data, int len)
{
	Oid			type = exprType(code);
	Oid			operator = get_opfamily_member(opfamily, type, type, strategy);
	Const	   *bound;

	bound = makeConst(type, -1, InvalidOid, -1,
					  PointerGetDatum(cstring_to_text_with_len(data, len)), false, false);

	return make_opclause(operator, BOOLOID, false, (Expr *) code, (Expr *) bound,
						 InvalidOid, InvalidOid);
}

/*
 * Turns "code ^@ constant" into "code >= constant AND code < successor" for an
 * index.  That is exact, since codes are compared as bytes: the successor is
 * the prefix with its last byte raised.  Where this is no string in the
 * database's encoding, the lower bound alone is used.
 */
static List *
starts_with_conditions(SupportRequestIndexCondition *request)
{
	List	   *args;
	Node	   *code;
	Const	   *right;
	char		prefix[CLINICAL_CODE_BUFFER];
	text	   *given;
	int			len;
	List	   *conditions;

	if (request->indexarg != 0)
		return NIL;
	args = is_opclause(request->node) ? ((OpExpr *) request->node)->args :
		((FuncExpr *) request->node)->args;
	code = (Node *) linitial(args);
	right = (Const *) lsecond(args);
	if (!IsA(right, Const) || right->constisnull)
		return NIL;

	/* Another family could have another order, or none. */
	if (request->opfamily !=
		lookup_type_cache(exprType(code), TYPECACHE_BTREE_OPFAMILY)->btree_opf)
		return NIL;

	given = DatumGetTextPP(right->constvalue);
	len = VARSIZE_ANY_EXHDR(given);
	if (len == 0 || len > CLINICAL_CODE_MAX)
		return NIL;
	memcpy(prefix, VARDATA_ANY(given), len);

	conditions = list_make1(make_comparison(code, request->opfamily,
											BTGreaterEqualStrategyNumber, prefix, len));
	prefix[len - 1]++;
	request->lossy = prefix[len - 1] == '\0' || !pg_verifymbstr(prefix, len, true);
	if (!request->lossy)
		conditions = lappend(conditions,
							 make_comparison(code, request->opfamily,
											 BTLessStrategyNumber, prefix, len));

	return conditions;
}

/* The planner's support function of clinical_code_starts_with. */
Datum
clinical_code_starts_with_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	List	   *result = NIL;

	if (IsA(request, SupportRequestIndexCondition))
		result = starts_with_conditions((SupportRequestIndexCondition *) request);

	PG_RETURN_POINTER(result);
}
