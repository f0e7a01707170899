/*
 * server.c
 *	  What stands in for the server in fuzzers of what needs it.
 *
 * Every allocation is as long as was asked for, so that the sanitizer sees its
 * end.  An error ends what is attempted.
 */
#include "server.h"

#include <setjmp.h>

#include "common/hashfn.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

/* --- errors ---------------------------------------------------------------- */

static jmp_buf *on_error;
static int	error_sqlstate;
static char error_message[1024];

volatile sig_atomic_t InterruptPending = false;

bool
errstart(int elevel, const char *domain)
{
	CHECK(elevel >= ERROR);
	error_sqlstate = ERRCODE_INTERNAL_ERROR;
	error_message[0] = '\0';
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	error_sqlstate = sqlerrcode;
	return 0;
}

/* Formats what an error says, as the server would. */
static int
format(char *out, size_t size, const char *fmt, va_list args)
{
	char	   *told;

	CHECK(vasprintf(&told, fmt, args) >= 0);
	snprintf(out, size, "%s", told);
	free(told);
	return 0;
}

#define FORMATS(name, out, size) \
int \
name(const char *fmt,...) \
{ \
	va_list		args; \
 \
	va_start(args, fmt); \
	format(out, size, fmt, args); \
	va_end(args); \
	return 0; \
}

static char error_more[1024];

FORMATS(errmsg, error_message, sizeof(error_message))
FORMATS(errmsg_internal, error_message, sizeof(error_message))
FORMATS(errdetail, error_more, sizeof(error_more))
FORMATS(errhint, error_more, sizeof(error_more))

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	CHECK(on_error != NULL);
	longjmp(*on_error, 1);
}

#if PG_VERSION_NUM >= 160000
bool
errsave_start(struct Node *context, const char *domain)
{
	CHECK(context == NULL);
	return errstart(ERROR, domain);
}

void
errsave_finish(struct Node *context, const char *filename, int lineno, const char *funcname)
{
	errfinish(filename, lineno, funcname);
}
#endif

#if PG_VERSION_NUM >= 160000
void
ExceptionalCondition(const char *condition, const char *file, int line)
#else
void
ExceptionalCondition(const char *condition, const char *type, const char *file, int line)
#endif
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* Does something; gives the SQLSTATE of the error that it ends with, or 0. */
int
attempt(void (*action) (void *arg), void *arg)
{
	jmp_buf		here;
	jmp_buf    *outer = on_error;
	int			sqlstate = 0;

	on_error = &here;
	if (setjmp(here) == 0)
		action(arg);
	else
		sqlstate = error_sqlstate;
	on_error = outer;
	return sqlstate;
}

/* Is an error about what was given, or about what was kept?  Else it is a fault. */
void
check_error(int sqlstate)
{
	if (sqlstate == 0 || sqlstate == ERRCODE_PROTOCOL_VIOLATION || sqlstate == ERRCODE_DATA_CORRUPTED ||
		sqlstate == ERRCODE_FEATURE_NOT_SUPPORTED || ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION)
		return;
	fprintf(stderr, "an error that says nothing of the input: %s\n", error_message);
	abort();
}

/* --- memory ---------------------------------------------------------------- */

typedef struct Block
{
	struct Block *next;
	struct Block *previous;
	MemoryContext context;
	Size		size;
} Block;

static Block blocks = {&blocks, &blocks, NULL, 0};
static MemoryContextData top;
MemoryContext CurrentMemoryContext = &top;

static void *
allocate(MemoryContext context, Size size)
{
	Block	   *block;

	CHECK(context != NULL && size < (Size) 1 << 30);
	block = malloc(sizeof(Block) + size);
	CHECK(block != NULL);
	block->next = blocks.next;
	block->previous = &blocks;
	block->next->previous = block;
	blocks.next = block;
	block->context = context;
	block->size = size;
	return block + 1;
}

static void *
allocate_zero(MemoryContext context, Size size)
{
	return memset(allocate(context, size), 0, size);
}

void
pfree(void *pointer)
{
	Block	   *block = (Block *) pointer - 1;

	block->next->previous = block->previous;
	block->previous->next = block->next;
	free(block);
}

void *
repalloc(void *pointer, Size size)
{
	Block	   *block = (Block *) pointer - 1;
	void	   *more = allocate(block->context, size);

	memcpy(more, pointer, Min(size, block->size));
	pfree(pointer);
	return more;
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

void *
palloc(Size size)
{
	return allocate(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return allocate_zero(CurrentMemoryContext, size);
}

void *
palloc_extended(Size size, int flags)
{
	return (flags & MCXT_ALLOC_ZERO) != 0 ? palloc0(size) : palloc(size);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return allocate(context, size);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return allocate(context, size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return allocate_zero(context, size);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	return (flags & MCXT_ALLOC_ZERO) != 0 ? allocate_zero(context, size) : allocate(context, size);
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name, Size min_size, Size first_size, Size max_size)
{
	return allocate_zero(&top, sizeof(MemoryContextData));
}

/* Frees what a context holds; what is of no context is all. */
static void
release(MemoryContext context)
{
	Block	   *next;

	for (Block *block = blocks.next; block != &blocks; block = next)
	{
		next = block->next;
		if (context == NULL || block->context == context)
			pfree(block + 1);
	}
}

void
MemoryContextReset(MemoryContext context)
{
	release(context);
}

/* Frees all, between inputs. */
void
server_reset(void)
{
	release(NULL);
	CurrentMemoryContext = &top;
}

/* --- buffers --------------------------------------------------------------- */

void
initStringInfo(StringInfo str)
{
	str->data = palloc(1);
	str->maxlen = 1;
	resetStringInfo(str);
}

void
resetStringInfo(StringInfo str)
{
	str->data[0] = '\0';
	str->len = 0;
	str->cursor = 0;
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	CHECK(needed >= 0 && str->len >= 0);
	if (str->len + needed < str->maxlen)
		return;
	str->maxlen = str->len + needed + 1;
	str->data = repalloc(str->data, str->maxlen);
}

#if PG_VERSION_NUM >= 160000
typedef const void *Appended;
#else
typedef const char *Appended;
#endif

void
appendBinaryStringInfoNT(StringInfo str, Appended data, int len)
{
	enlargeStringInfo(str, len);
	memcpy(str->data + str->len, data, len);
	str->len += len;
}

void
appendBinaryStringInfo(StringInfo str, Appended data, int len)
{
	appendBinaryStringInfoNT(str, data, len);
	str->data[str->len] = '\0';
}

void
appendStringInfoString(StringInfo str, const char *s)
{
	appendBinaryStringInfo(str, s, (int) strlen(s));
}

void
appendStringInfoChar(StringInfo str, char c)
{
	appendBinaryStringInfo(str, &c, 1);
}

void
appendStringInfoSpaces(StringInfo str, int count)
{
	for (int i = 0; i < count; i++)
		appendStringInfoChar(str, ' ');
}

void
appendStringInfo(StringInfo str, const char *fmt,...)
{
	char	   *told;
	va_list		args;

	va_start(args, fmt);
	CHECK(vasprintf(&told, fmt, args) >= 0);
	va_end(args);
	appendStringInfoString(str, told);
	free(told);
}

char *
psprintf(const char *fmt,...)
{
	StringInfoData str;
	char	   *told;
	va_list		args;

	va_start(args, fmt);
	CHECK(vasprintf(&told, fmt, args) >= 0);
	va_end(args);
	initStringInfo(&str);
	appendStringInfoString(&str, told);
	free(told);
	return str.data;
}

/* --- messages of the protocol ---------------------------------------------- */

/* Takes bytes off. */
static const char *
take_bytes(StringInfo msg, int len)
{
	if (len < 0 || len > msg->len - msg->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("insufficient data left in message")));
	msg->cursor += len;
	return msg->data + msg->cursor - len;
}

/* Takes a number off, in network byte order. */
static uint64
take_integer(StringInfo msg, int len)
{
	const unsigned char *bytes = (const unsigned char *) take_bytes(msg, len);
	uint64		number = 0;

	for (int i = 0; i < len; i++)
		number = number << 8 | bytes[i];
	return number;
}

int
pq_getmsgbyte(StringInfo msg)
{
	return (int) take_integer(msg, 1);
}

unsigned int
pq_getmsgint(StringInfo msg, int len)
{
	return (unsigned int) take_integer(msg, len);
}

int64
pq_getmsgint64(StringInfo msg)
{
	return (int64) take_integer(msg, 8);
}

/* A text, which the server has seen to be of its encoding. */
char *
pq_getmsgtext(StringInfo msg, int len, int *nbytes)
{
	const char *bytes = take_bytes(msg, len);
	char	   *copy = palloc(len + 1);

	if (memchr(bytes, '\0', len) != NULL || (server_utf8 && !is_utf8((Hl7Slice) {bytes, len})))
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("invalid byte sequence")));
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	*nbytes = len;
	return copy;
}

void
pq_begintypsend(StringInfo buf)
{
	initStringInfo(buf);
	appendStringInfoSpaces(buf, VARHDRSZ);
}

void
pq_sendtext(StringInfo buf, const char *str, int len)
{
	appendBinaryStringInfo(buf, str, len);
}

bytea *
pq_endtypsend(StringInfo buf)
{
	SET_VARSIZE(buf->data, buf->len);
	return (bytea *) buf->data;
}

/* --- texts ----------------------------------------------------------------- */

bool		server_utf8 = true;

int
GetDatabaseEncoding(void)
{
	return server_utf8 ? PG_UTF8 : PG_LATIN1;
}

int
pg_mblen(const char *s)
{
	int			n = server_utf8 ? character_length((const unsigned char *) s, 4) : 1;

	CHECK(n > 0);
	return n;
}

int
pg_mbcliplen(const char *s, int len, int limit)
{
	int			at = 0;

	if (!server_utf8)
		return Min(len, limit);
	while (at < len)
	{
		int			n = character_length((const unsigned char *) s + at, len - at);

		CHECK(n > 0);
		if (at + n > limit)
			break;
		at += n;
	}
	return at;
}

int
pg_strncasecmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		unsigned char one = a[i];
		unsigned char other = b[i];

		one += one >= 'A' && one <= 'Z' ? 'a' - 'A' : 0;
		other += other >= 'A' && other <= 'Z' ? 'a' - 'A' : 0;
		if (one != other)
			return one - other;
		if (one == '\0')
			break;
	}
	return 0;
}

char *
pg_any_to_server(const char *s, int len, int encoding)
{
	return unconstify(char *, s);
}

char *
pg_server_to_any(const char *s, int len, int encoding)
{
	return unconstify(char *, s);
}

/* A text of bytes, with nothing that may be read after it; a short one as it lies in a table. */
text *
text_of(const char *data, int len)
{
	text	   *result;

	if (len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX && len % 2 == 0)
	{
		result = palloc(len + VARHDRSZ_SHORT);
		SET_VARSIZE_SHORT(result, len + VARHDRSZ_SHORT);
		memcpy(VARDATA_SHORT(result), data, len);
		return result;
	}
	return cstring_to_text_with_len(data, len);
}

bool
same_texts(Datum a, Datum b)
{
	text	   *one = (text *) DatumGetPointer(a);
	text	   *other = (text *) DatumGetPointer(b);

	return same_bytes((Hl7Slice) {VARDATA_ANY(one), VARSIZE_ANY_EXHDR(one)},
					  (Hl7Slice) {VARDATA_ANY(other), VARSIZE_ANY_EXHDR(other)});
}

text *
cstring_to_text_with_len(const char *s, int len)
{
	text	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), s, len);
	return result;
}

text *
cstring_to_text(const char *s)
{
	return cstring_to_text_with_len(s, (int) strlen(s));
}

char *
text_to_cstring(const text *t)
{
	int			len = VARSIZE_ANY_EXHDR(t);
	char	   *result = palloc(len + 1);

	memcpy(result, VARDATA_ANY(t), len);
	result[len] = '\0';
	return result;
}

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	return VARATT_IS_SHORT(datum) ? (struct varlena *) cstring_to_text_with_len(VARDATA_ANY(datum), VARSIZE_ANY_EXHDR(datum)) : datum;
}

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	return datum;
}

struct varlena *
pg_detoast_datum_copy(struct varlena *datum)
{
	return (struct varlena *) cstring_to_text_with_len(VARDATA_ANY(datum), VARSIZE_ANY_EXHDR(datum));
}

int
pg_ltoa(int32 value, char *a)
{
	return sprintf(a, "%d", value);
}

int
pg_lltoa(int64 value, char *a)
{
	return sprintf(a, INT64_FORMAT, value);
}

uint32
hash_bytes(const unsigned char *bytes, int len)
{
	uint32		hash = 2166136261u;

	for (int i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619;
	return hash;
}

void
pg_qsort(void *base, size_t nel, size_t elsize, int (*cmp) (const void *, const void *))
{
	if (nel > 0)
		qsort(base, nel, elsize, cmp);
}

/* --- JSON ------------------------------------------------------------------ */

void
escape_json(StringInfo buf, const char *str)
{
	appendStringInfoChar(buf, '"');
	for (; *str != '\0'; str++)
		if (*str == '"' || *str == '\\')
			appendStringInfo(buf, "\\%c", *str);
		else if ((unsigned char) *str < ' ')
			appendStringInfo(buf, "\\u%04x", *str);
		else
			appendStringInfoChar(buf, *str);
	appendStringInfoChar(buf, '"');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The end of a number, or NULL. */
static const char *
json_number(const char *p)
{
	p += *p == '-';
	if (!is_digit(*p))
		return NULL;
	if (*p == '0' && is_digit(p[1]))
		return NULL;
	while (is_digit(*p))
		p++;
	if (*p == '.')
	{
		if (!is_digit(*++p))
			return NULL;
		while (is_digit(*p))
			p++;
	}
	if (*p == 'e' || *p == 'E')
	{
		p++;
		p += *p == '-' || *p == '+';
		if (!is_digit(*p))
			return NULL;
		while (is_digit(*p))
			p++;
	}
	return p;
}

bool
is_json_number(const char *str, int len)
{
	return len > 0 && json_number(str) == str + len;
}

static const char *
json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++)
	{
		if ((unsigned char) *p < ' ')
			return NULL;
		if (*p == '\\' && *++p == 'u')
			for (int i = 0; i < 4; i++)
				if (strchr("0123456789abcdef", *++p) == NULL || *p == '\0')
					return NULL;
	}
	return p + 1;
}

static const char *
json_blanks(const char *p)
{
	return p + strspn(p, " ");
}

/* The end of what is neither an object nor an array, or NULL. */
static const char *
json_scalar(const char *p)
{
	static const char *const words[] = {"true", "false", "null"};

	for (int i = 0; i < LENGTH(words); i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	return *p == '"' ? json_string(p) : json_number(p);
}

/* Where the value of a key begins, or NULL. */
static const char *
json_key(const char *p)
{
	p = json_string(p);
	if (p == NULL || *(p = json_blanks(p)) != ':')
		return NULL;
	return json_blanks(p + 1);
}

/* The end of a value, or NULL. */
static const char *
json_value(const char *p)
{
	char		ends[300];
	int			depth = 0;

	while (p != NULL)
	{
		bool		begins = *p == '{' || *p == '[';

		/* a value begins here */
		if (begins)
		{
			CHECK(depth < LENGTH(ends));
			ends[depth++] = *p == '{' ? '}' : ']';
			p = json_blanks(p + 1);
		}
		else
			p = json_scalar(p);
		/* what ends with it */
		while (p != NULL && depth > 0 && *(p = json_blanks(p)) == ends[depth - 1])
		{
			begins = false;
			depth--;
			p++;
		}
		if (p == NULL || depth == 0)
			return p;
		if (!begins)
		{
			if (*p != ',')
				return NULL;
			p = json_blanks(p + 1);
		}
		if (ends[depth - 1] == '}')
			p = json_key(p);
	}
	return NULL;
}

bool
is_json(const char *json)
{
	const char *end = json_value(json);

	return end != NULL && *end == '\0';
}

/* What the extension itself makes must be JSON; it stays a string. */
Datum
jsonb_in(PG_FUNCTION_ARGS)
{
	char	   *json = PG_GETARG_CSTRING(0);

	if (!is_json(json))
		fprintf(stderr, "%s\n", json);
	CHECK(is_json(json));
	return CStringGetDatum(json);
}

/* --- calls ----------------------------------------------------------------- */

void		(*take_row) (const Datum *values, const bool *nulls);

void
InitMaterializedSRF(FunctionCallInfo fcinfo, uint32 flags)
{
	CHECK(fcinfo->resultinfo != NULL);
}

void
put_row(const void *values, const bool *nulls)
{
	CHECK(take_row != NULL);
	take_row(values, nulls);
}

typedef struct Call
{
	PGFunction	function;
	int			nargs;
	const NullableDatum *args;
	Called		called;
} Call;

static void
call_function(void *arg)
{
	Call	   *c = arg;
	ReturnSetInfo result;
	FmgrInfo	function;
	union
	{
		FunctionCallInfoBaseData fcinfo;
		char		room[SizeForFunctionCallInfo(4)];
	}			u;

	memset(&result, 0, sizeof(result));
	memset(&function, 0, sizeof(function));
	memset(&u, 0, sizeof(u));
	function.fn_mcxt = CurrentMemoryContext;
	u.fcinfo.flinfo = &function;
	u.fcinfo.resultinfo = (void *) &result;
	u.fcinfo.nargs = c->nargs;
	for (int i = 0; i < c->nargs; i++)
		u.fcinfo.args[i] = c->args[i];
	c->called.value = c->function(&u.fcinfo);
	c->called.isnull = u.fcinfo.isnull;
}

/* Calls a function; what it gave, or the error that it ended with, which must be about the input. */
Called
call(PGFunction function, int nargs, const NullableDatum *args)
{
	Call		c = {function, nargs, args, {0}};
	MemoryContext context = CurrentMemoryContext;

	CHECK(nargs <= 4);
	c.called.sqlstate = attempt(call_function, &c);
	CurrentMemoryContext = context;
	check_error(c.called.sqlstate);
	return c.called;
}

Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum arg)
{
	NullableDatum args[1] = {{arg, false}};
	Call		c = {function, 1, args, {0}};

	call_function(&c);
	return c.called.value;
}

/* Gives bytes to a function that receives; all of them must be taken. */
Called
receive(PGFunction function, const char *data, int len)
{
	StringInfoData msg;
	Called		called;

	initStringInfo(&msg);
	appendBinaryStringInfo(&msg, data, len);
	called = CALL(function, GIVEN(PointerGetDatum(&msg)));
	if (called.sqlstate == 0 && msg.cursor != msg.len)
		called.sqlstate = ERRCODE_INVALID_BINARY_REPRESENTATION;
	return called;
}
