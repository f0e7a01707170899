/*
 * clinical_code.c
 *	  Codes of coding systems: reading and writing them.
 */
#include "compat.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "types/clinical_code.h"
#include "utils/builtins.h"

/* Codes of no system known here keep their sender's name for it after this. */
#define LOCAL		"local:"
#define LOCAL_LEN	((int) sizeof(LOCAL) - 1)

/* The longest such name that is kept of a message. */
#define LOCAL_NAME_MAX	255

/* Bytes of someone else's string. */
typedef struct Slice
{
	const char *data;
	int			len;
} Slice;

typedef enum CodeFaultKind
{
	FAULT_NO_BAR,
	FAULT_UNKNOWN_SYSTEM,
	FAULT_NO_CODE,
	FAULT_FORM,
	FAULT_CHECK_DIGIT,
	FAULT_TOO_LONG
} CodeFaultKind;

/* Why a string is no clinical code; which fields are set depends on the kind. */
typedef struct CodeFault
{
	CodeFaultKind kind;
	Slice		system;
	Slice		code;
	const CodeSystem *known;
	int			check_digit;
} CodeFault;

PG_FUNCTION_INFO_V1(clinical_code_in);
PG_FUNCTION_INFO_V1(clinical_code_out);
PG_FUNCTION_INFO_V1(clinical_code_recv);
PG_FUNCTION_INFO_V1(clinical_code_send);
PG_FUNCTION_INFO_V1(clinical_code_from_parts);
PG_FUNCTION_INFO_V1(clinical_code_prefix);
PG_FUNCTION_INFO_V1(clinical_code_system);
PG_FUNCTION_INFO_V1(clinical_code_value);

static inline bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* These bytes without outer blanks. */
static Slice
trimmed(const char *data, int len)
{
	Slice		slice;

	while (len > 0 && is_blank(data[len - 1]))
		len--;
	while (len > 0 && is_blank(data[0]))
	{
		data++;
		len--;
	}
	slice.data = data;
	slice.len = len;

	return slice;
}

/* Takes "local:" off the name of a system, if it stands there. */
static bool
strip_local(Slice *system)
{
	if (system->len < LOCAL_LEN || pg_strncasecmp(system->data, LOCAL, LOCAL_LEN) != 0)
		return false;
	*system = trimmed(system->data + LOCAL_LEN, system->len - LOCAL_LEN);

	return true;
}

/* Appends bytes and returns where they end. */
static inline char *
append(char *out, const char *data, int len)
{
	memcpy(out, data, len);

	return out + len;
}

/* Appends the name of a system and the bar, and returns where they end. */
static inline char *
append_system(char *out, const CodeSystem *system)
{
	out = append(out, system->name, system->name_len);
	*out++ = '|';

	return out;
}

/* Makes local:NAME|code of what is known to fit, and returns its length. */
static int
make_local(Slice name, Slice code, char *out)
{
	char	   *end = append(out, LOCAL, LOCAL_LEN);

	end = append(end, name.data, name.len);
	*end++ = '|';
	end = append(end, code.data, code.len);

	return end - out;
}

/*
 * Writes the canonical form of a code, of which system and code are trimmed,
 * to out (CLINICAL_CODE_BUFFER bytes).  Returns its length, or 0 with the
 * reason in *fault.
 */
static int
normalize_parts(Slice system, Slice code, char *out, CodeFault *fault)
{
	const CodeSystem *known;
	char	   *end;
	int			len;
	int			check_digit = -1;

	fault->system = system;
	fault->code = code;

	if (code.len == 0)
	{
		fault->kind = FAULT_NO_CODE;
		return 0;
	}
	if (strip_local(&system))
	{
		if (LOCAL_LEN + system.len + 1 + code.len > CLINICAL_CODE_MAX)
		{
			fault->kind = FAULT_TOO_LONG;
			return 0;
		}
		return make_local(system, code, out);
	}

	known = fault->known = code_system_find(system.data, system.len);
	if (known == NULL)
	{
		fault->kind = FAULT_UNKNOWN_SYSTEM;
		return 0;
	}
	end = append_system(out, known);
	len = known->normalize(code.data, code.len, end, &check_digit);
	if (len == 0)
	{
		fault->kind = FAULT_FORM;
		return 0;
	}
	end += len;
	if (check_digit >= 0 && end[-1] != '0' + check_digit)
	{
		fault->kind = FAULT_CHECK_DIGIT;
		fault->check_digit = check_digit;
		return 0;
	}

	return end - out;
}

/* The same for a whole string. */
static int
normalize(const char *str, int len, char *out, CodeFault *fault)
{
	const char *bar = memchr(str, '|', len);

	if (bar == NULL)
	{
		fault->kind = FAULT_NO_BAR;
		return 0;
	}

	return normalize_parts(trimmed(str, bar - str),
						   trimmed(bar + 1, str + len - bar - 1),
						   out, fault);
}

/* errdetail() and errhint() for a fault */
static int
fault_detail(const CodeFault *fault)
{
	switch (fault->kind)
	{
		case FAULT_NO_BAR:
			errdetail("A clinical code is written as system|code.");
			break;
		case FAULT_UNKNOWN_SYSTEM:
			errdetail("There is no coding system \"%.*s\".",
					  fault->system.len, fault->system.data);
			errhint("The coding systems are %s, and local:NAME for any other.",
					code_system_names);
			break;
		case FAULT_NO_CODE:
			errdetail("There is no code after \"|\".");
			break;
		case FAULT_FORM:
			errdetail("%s", fault->known->form);
			break;
		case FAULT_CHECK_DIGIT:
			errdetail("The check digit of %s \"%.*s\" must be %d.",
					  fault->known->noun, fault->code.len, fault->code.data,
					  fault->check_digit);
			break;
		case FAULT_TOO_LONG:
			errdetail("It can have at most %d bytes.", CLINICAL_CODE_MAX);
			break;
	}

	return 0;
}

/* Converts text to a code. */
Datum
clinical_code_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	char		out[CLINICAL_CODE_BUFFER];
	CodeFault	fault;
	int			len;

	len = normalize(str, strlen(str), out, &fault);
	if (len == 0)
		ereturn(WT_ESCONTEXT(fcinfo), (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "clinical_code", str),
				 fault_detail(&fault)));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* Converts a code to text. */
Datum
clinical_code_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(TextDatumGetCString(PG_GETARG_DATUM(0)));
}

/* Converts the binary format, which is the text, to a code. */
Datum
clinical_code_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	char		out[CLINICAL_CODE_BUFFER];
	CodeFault	fault;
	char	   *str;
	int			nbytes;
	int			len;

	str = pq_getmsgtext(buf, buf->len - buf->cursor, &nbytes);
	len = normalize(str, nbytes, out, &fault);
	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value: \"%s\"", "clinical_code", str),
				 fault_detail(&fault)));
	pfree(str);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* Converts a code to the binary format. */
Datum
clinical_code_send(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendtext(&buf, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));

	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* The first bytes of a slice, at most max and no part of a character, trimmed. */
static Slice
clipped(Slice slice, int max)
{
	return trimmed(slice.data, pg_mbcliplen(slice.data, slice.len, max));
}

/*
 * Makes a code of what a message says: one that is not valid in the system
 * that the sender named is kept as local to that name.  Never fails; NULL
 * means that there is no code, only blanks.
 */
text *
clinical_code_received(const char *system, int system_len,
					   const char *code, int code_len)
{
	Slice		name = trimmed(system, system_len);
	Slice		value = trimmed(code, code_len);
	char		kept[LOCAL_NAME_MAX];
	char		out[CLINICAL_CODE_BUFFER];
	CodeFault	fault;
	int			len;
	int			i;

	if (value.len == 0)
		return NULL;
	len = 0;
	if (memchr(name.data, '|', name.len) == NULL)
		len = normalize_parts(name, value, out, &fault);
	if (len == 0)
	{
		strip_local(&name);
		name = clipped(name, LOCAL_NAME_MAX);
		for (i = 0; i < name.len; i++)
			kept[i] = name.data[i] == '|' ? '_' : name.data[i];
		name.data = kept;
		value = clipped(value, CLINICAL_CODE_MAX - LOCAL_LEN - name.len - 1);
		len = make_local(name, value, out);
	}

	return cstring_to_text_with_len(out, len);
}

/* clinical_code(system text, code text) */
Datum
clinical_code_from_parts(PG_FUNCTION_ARGS)
{
	text	   *system;
	text	   *code;
	text	   *result;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	system = PG_ARGISNULL(0) ? cstring_to_text("") : PG_GETARG_TEXT_PP(0);
	code = PG_GETARG_TEXT_PP(1);
	result = clinical_code_received(VARDATA_ANY(system), VARSIZE_ANY_EXHDR(system),
									VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
	if (result == NULL)
		PG_RETURN_NULL();

	PG_RETURN_TEXT_P(result);
}

/*
 * Writes what canonical codes of this prefix begin with to out
 * (CLINICAL_CODE_BUFFER bytes): the case and punctuation of a prefix are made
 * those of codes, and what names a system alone is all of that system.
 * Returns its length, or -1 (if noerror) where it can begin no code.
 */
int
clinical_code_normalize_prefix(const char *str, int len, char *out, bool noerror)
{
	const char *bar = memchr(str, '|', len);
	Slice		system = trimmed(str, bar ? bar - str : len);
	Slice		code = trimmed(bar ? bar + 1 : str, bar ? str + len - bar - 1 : 0);
	CodeFault	fault;
	char	   *end;

	fault.system = system;
	if (len > CLINICAL_CODE_MAX)
		fault.kind = FAULT_TOO_LONG;
	else if (strip_local(&system))
		return make_local(system, code, out) - (bar ? 0 : 1);
	else if ((fault.known = code_system_find(system.data, system.len)) == NULL)
		fault.kind = FAULT_UNKNOWN_SYSTEM;
	else
	{
		end = append_system(out, fault.known);
		if (code.len > 0)
			end += fault.known->normalize_part(code.data, code.len, end);
		return end - out;
	}

	if (!noerror)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid prefix of clinical codes: \"%.*s\"", len, str),
				 fault_detail(&fault)));
	return -1;
}

/* clinical_code_prefix(text) */
Datum
clinical_code_prefix(PG_FUNCTION_ARGS)
{
	text	   *prefix = PG_GETARG_TEXT_PP(0);
	char		out[CLINICAL_CODE_BUFFER];
	int			len;

	len = clinical_code_normalize_prefix(VARDATA_ANY(prefix), VARSIZE_ANY_EXHDR(prefix),
										 out, false);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* Where the bar of a stored code is. */
static char *
find_bar(text *code)
{
	char	   *bar = memchr(VARDATA_ANY(code), '|', VARSIZE_ANY_EXHDR(code));

	if (bar == NULL)
		elog(ERROR, "clinical_code without a bar");

	return bar;
}

/* code_system(clinical_code): what stands before the bar */
Datum
clinical_code_system(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	char	   *data = VARDATA_ANY(code);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(data, find_bar(code) - data));
}

/* code_value(clinical_code): what stands after the bar */
Datum
clinical_code_value(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_CLINICAL_CODE_PP(0);
	char	   *value = find_bar(code) + 1;
	char	   *end = VARDATA_ANY(code) + VARSIZE_ANY_EXHDR(code);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(value, end - value));
}
