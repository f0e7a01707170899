/*
 * xes.c
 *	  Reads event logs in XES (IEEE 1849): a row an event, its attributes and
 *	  those of its trace as one JSON object.  The document is parsed as it is
 *	  read, so that no more than an event of it is in memory.
 */
#include "postgres.h"

#include <expat.h>
#include <math.h>

#include "common/jsonapi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(xes_rows);

#define CHUNK (1024 * 1024)
#define MAX_DEPTH 100

typedef enum XesPart
{
	XES_LOG, XES_TRACE, XES_EVENT, XES_ATTRIBUTE, XES_LIST, XES_VALUES, XES_SKIPPED
} XesPart;

/* An element that is open. */
typedef struct XesElement
{
	XesPart		part;
	bool		in_braces;		/* of an attribute in a list: is it an object of its own? */
	int			prefix_len;		/* of names of attributes in it */
} XesElement;

/* Attributes of a trace or an event. */
typedef struct XesAttributes
{
	StringInfoData json;		/* "name": value, ... */
	int			n;
	int			size;
	char	  **names;
} XesAttributes;

typedef struct XesReader
{
	XML_Parser	parser;
	ReturnSetInfo *result;
	int			depth;
	XesElement	elements[MAX_DEPTH];
	StringInfoData prefix;		/* names of the attributes that are open, each with a slash */
	XesAttributes trace;
	XesAttributes event;
	int64		ntraces;
	int64		nevents;
	int64		place;			/* of the event in its trace */
	MemoryContext of_trace;
	MemoryContext of_event;
} XesReader;

/* --- errors ---------------------------------------------------------------- */

/* Says where the document is at fault; what stands there may be a patient's. */
static void
refuse(XesReader *reader, const char *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_XML_DOCUMENT),
			 errmsg("invalid XES document"),
			 errdetail("Line " UINT64_FORMAT ": %s.", wt_xml_line(reader->parser), fault)));
}

/* --- attributes ------------------------------------------------------------ */

/* Begins with none. */
static void
attributes_begin(XesAttributes *attributes)
{
	initStringInfo(&attributes->json);
	attributes->n = 0;
	attributes->size = 0;
	attributes->names = NULL;
}

/* A text of the document in the server's encoding. */
static char *
server_text(const char *s)
{
	return pg_any_to_server(s, strlen(s), PG_UTF8);
}

/* Is a name among those of attributes? */
static bool
has_name(const XesAttributes *attributes, const char *name)
{
	for (int i = 0; i < attributes->n; i++)
		if (strcmp(attributes->names[i], name) == 0)
			return true;
	return false;
}

/* Is a name taken, by an attribute of the event or its trace, or by what is counted? */
static bool
is_taken(const XesReader *reader, const XesAttributes *attributes, const char *name)
{
	return has_name(attributes, name) || has_name(&reader->trace, name) ||
		strcmp(name, "@row") == 0 || strcmp(name, "@trace") == 0 || strcmp(name, "@place") == 0;
}

/* The name that an attribute gets: with a number, if it is taken. */
static char *
new_name(const XesReader *reader, XesAttributes *attributes, char *name)
{
	char	   *numbered = name;

	for (int number = 2; is_taken(reader, attributes, numbered); number++)
		numbered = psprintf("%s#%d", name, number);
	if (attributes->n == attributes->size)
	{
		attributes->size = Max(32, attributes->size * 2);
		attributes->names = attributes->names == NULL ? palloc(sizeof(char *) * attributes->size)
			: repalloc(attributes->names, sizeof(char *) * attributes->size);
	}
	attributes->names[attributes->n++] = numbered;
	return numbered;
}

/* Is a text a number as JSON writes it, and of a size that people write? */
static bool
is_json_number(const char *s)
{
	return IsValidJsonNumber(s, strlen(s)) && strlen(s) < 40 && fabs(strtod(s, NULL)) < 1e100;
}

/* Does JSON write a value of a type as XES does? */
static bool
is_json(const char *type, const char *value)
{
	if (strcmp(type, "boolean") == 0)
		return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	return (strcmp(type, "int") == 0 || strcmp(type, "float") == 0) && is_json_number(value);
}

/* Appends a value as JSON; what is not of its type stays a text. */
static void
append_value(StringInfo json, const char *type, const char *value)
{
	if (value == NULL)
		appendStringInfoString(json, "null");
	else if (is_json(type, value))
		appendStringInfoString(json, value);
	else
		escape_json(json, server_text(value));
}

/* Appends a name, after a comma where one is due. */
static void
append_name(StringInfo json, const char *name)
{
	if (json->len > 0 && json->data[json->len - 1] != '{')
		appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
}

/* An attribute of the document: its value of a name, or NULL. */
static const char *
given(const XML_Char **attributes, const char *name)
{
	for (int i = 0; attributes[i] != NULL; i += 2)
		if (strcmp(attributes[i], name) == 0)
			return attributes[i + 1];
	return NULL;
}

/* The attributes of the event that is open, else of the trace; NULL of the log. */
static XesAttributes *
open_attributes(XesReader *reader)
{
	for (int i = reader->depth - 1; i > 0; i--)
	{
		if (reader->elements[i].part == XES_EVENT)
			return &reader->event;
		if (reader->elements[i].part == XES_TRACE)
			return &reader->trace;
	}
	return NULL;
}

/* Is the element that is open in a list? */
static bool
is_in_list(const XesReader *reader)
{
	for (int i = reader->depth - 1; i > 0; i--)
		if (reader->elements[i].part == XES_LIST)
			return true;
	return false;
}

/* Begins an attribute: <type key= value=> in an event, a trace, a list or another attribute. */
static void
begin_attribute(XesReader *reader, const char *type, const XML_Char **given_attributes, XesElement *element)
{
	XesAttributes *attributes = open_attributes(reader);
	XesPart		parent = reader->elements[reader->depth - 1].part;
	const char *key = given(given_attributes, "key");
	MemoryContext old;
	char	   *name;

	element->part = strcmp(type, "list") == 0 || strcmp(type, "container") == 0 ? XES_LIST : XES_ATTRIBUTE;
	if (key == NULL)
		refuse(reader, "an attribute has no key");
	if (attributes == NULL)
		return;					/* of the log: not kept */
	if (attributes == &reader->trace && reader->place > 0)
		refuse(reader, "an attribute of a trace stands after its events");
	old = MemoryContextSwitchTo(attributes == &reader->trace ? reader->of_trace : reader->of_event);
	element->in_braces = parent == XES_LIST || parent == XES_VALUES;
	if (element->in_braces)
	{
		if (attributes->json.data[attributes->json.len - 1] != '[')
			appendStringInfoString(&attributes->json, ", ");
		appendStringInfoChar(&attributes->json, '{');
		name = server_text(key);
	}
	else
		name = psprintf("%s%s%s", attributes == &reader->trace ? "case:" : "", reader->prefix.data, server_text(key));
	append_name(&attributes->json, is_in_list(reader) ? name : new_name(reader, attributes, name));
	if (element->part == XES_LIST)
		appendStringInfoChar(&attributes->json, '[');
	else
		append_value(&attributes->json, type, given(given_attributes, "value"));
	appendStringInfo(&reader->prefix, "%s/", server_text(key));
	MemoryContextSwitchTo(old);
}

/* Ends an attribute. */
static void
end_attribute(XesReader *reader, const XesElement *element)
{
	XesAttributes *attributes = open_attributes(reader);

	if (attributes == NULL)
		return;
	if (element->part == XES_LIST)
		appendStringInfoChar(&attributes->json, ']');
	if (element->in_braces)
		appendStringInfoChar(&attributes->json, '}');
}

/* --- traces and events ----------------------------------------------------- */

/* Ends an event: puts its row. */
static void
end_event(XesReader *reader)
{
	MemoryContext old = MemoryContextSwitchTo(reader->of_event);
	StringInfoData json;
	Datum		values[1];
	bool		nulls[1] = {false};

	initStringInfo(&json);
	appendStringInfo(&json, "{\"@row\": " INT64_FORMAT ", \"@trace\": " INT64_FORMAT ", \"@place\": " INT64_FORMAT,
					 reader->nevents, reader->ntraces, reader->place);
	if (reader->trace.json.len > 0)
		appendStringInfo(&json, ", %s", reader->trace.json.data);
	if (reader->event.json.len > 0)
		appendStringInfo(&json, ", %s", reader->event.json.data);
	appendStringInfoChar(&json, '}');
	values[0] = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
	tuplestore_putvalues(reader->result->setResult, reader->result->setDesc, values, nulls);
	MemoryContextSwitchTo(old);
}

/* Begins a trace, or an event of it or of none. */
static void
begin_part(XesReader *reader, XesPart part)
{
	MemoryContext context = part == XES_TRACE ? reader->of_trace : reader->of_event;
	MemoryContext old;

	MemoryContextReset(context);
	old = MemoryContextSwitchTo(context);
	attributes_begin(part == XES_TRACE ? &reader->trace : &reader->event);
	MemoryContextSwitchTo(old);
	if (part == XES_TRACE)
	{
		reader->ntraces++;
		reader->place = 0;
	}
	else
	{
		reader->nevents++;
		reader->place++;
	}
}

/* --- elements -------------------------------------------------------------- */

/* The name of an element without its namespace's prefix. */
static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon == NULL ? name : colon + 1;
}

/* Is a name that of a type of attributes? */
static bool
is_attribute_type(const char *name)
{
	static const char *const types[] = {"string", "date", "int", "float", "boolean", "id", "list", "container"};

	for (int i = 0; i < lengthof(types); i++)
		if (strcmp(name, types[i]) == 0)
			return true;
	return false;
}

/* An element begins. */
static void
begin_element(void *arg, const XML_Char *qualified, const XML_Char **attributes)
{
	XesReader  *reader = arg;
	const char *name = local_name(qualified);
	XesPart		parent = reader->depth == 0 ? XES_LOG : reader->elements[reader->depth - 1].part;
	XesElement	element = {XES_SKIPPED, false, reader->prefix.len};

	if (reader->depth == MAX_DEPTH)
		refuse(reader, "attributes are nested too deeply");
	if (reader->depth == 0)
	{
		if (strcmp(name, "log") != 0)
			refuse(reader, "the document is not a log");
		element.part = XES_LOG;
	}
	else if (parent == XES_SKIPPED)
		element.part = XES_SKIPPED;
	else if (strcmp(name, "trace") == 0 && parent == XES_LOG)
		element.part = XES_TRACE;
	else if (strcmp(name, "event") == 0 && (parent == XES_TRACE || parent == XES_LOG))
		element.part = XES_EVENT;
	else if (strcmp(name, "values") == 0 && parent == XES_LIST)
		element.part = XES_VALUES;
	else if (is_attribute_type(name))
		begin_attribute(reader, name, attributes, &element);
	else if (parent != XES_LOG || (strcmp(name, "extension") != 0 && strcmp(name, "global") != 0 && strcmp(name, "classifier") != 0))
		refuse(reader, "an element that XES does not have there");
	if (element.part == XES_TRACE || element.part == XES_EVENT)
	{
		if (element.part == XES_EVENT && parent == XES_LOG)
			begin_part(reader, XES_TRACE);
		begin_part(reader, element.part);
	}
	reader->elements[reader->depth++] = element;
}

/* An element ends. */
static void
end_element(void *arg, const XML_Char *name)
{
	XesReader  *reader = arg;
	XesElement	element = reader->elements[--reader->depth];

	if (element.part == XES_ATTRIBUTE || element.part == XES_LIST)
		end_attribute(reader, &element);
	else if (element.part == XES_EVENT)
		end_event(reader);
	reader->prefix.len = element.prefix_len;
	reader->prefix.data[reader->prefix.len] = '\0';
}

/* Entities that a document declares could grow without end, or be read from elsewhere. */
static void
begin_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_internal_subset)
{
	refuse(arg, "document type declarations are not read");
}

/* --- documents ------------------------------------------------------------- */

/* Memory of the parser is the statement's, and gone with it. */
static void *
parser_alloc(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

static void *
parser_realloc(void *p, size_t size)
{
	return p == NULL ? parser_alloc(size) : repalloc_huge(p, size);
}

static void
parser_free(void *p)
{
	if (p != NULL)
		pfree(p);
}

/* Gives the parser a part of the document. */
static void
parse(XesReader *reader, const char *data, int len, bool is_last)
{
	CHECK_FOR_INTERRUPTS();
	if (XML_Parse(reader->parser, data, len, is_last) == XML_STATUS_ERROR)
		refuse(reader, XML_ErrorString(XML_GetErrorCode(reader->parser)));
}

/* Begins to read; encoding is that of the document if it is known, else it says so itself. */
static void
reader_begin(XesReader *reader, ReturnSetInfo *result, const char *encoding)
{
	static const XML_Memory_Handling_Suite memory = {parser_alloc, parser_realloc, parser_free};

	memset(reader, 0, sizeof(XesReader));
	reader->result = result;
	reader->of_trace = AllocSetContextCreate(CurrentMemoryContext, "workflow_track trace", ALLOCSET_DEFAULT_SIZES);
	reader->of_event = AllocSetContextCreate(CurrentMemoryContext, "workflow_track event", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&reader->prefix);
	reader->parser = XML_ParserCreate_MM(encoding, &memory, NULL);
	if (reader->parser == NULL)
		elog(ERROR, "could not begin to parse XML");
	XML_SetUserData(reader->parser, reader);
	XML_SetElementHandler(reader->parser, begin_element, end_element);
	XML_SetStartDoctypeDeclHandler(reader->parser, begin_doctype);
}

/* Reads a document that is a text. */
static void
read_text(XesReader *reader, const text *document)
{
	const char *data = VARDATA_ANY(document);
	Size		left = VARSIZE_ANY_EXHDR(document);
	char	   *utf8 = pg_server_to_any(data, left, PG_UTF8);

	if (utf8 != data)
		left = strlen(utf8);
	for (; left > CHUNK; utf8 += CHUNK, left -= CHUNK)
		parse(reader, utf8, CHUNK, false);
	parse(reader, utf8, left, true);
}

/* Reads a document that is a large object, which its owner and those that the owner lets may. */
static void
read_large_object(XesReader *reader, Oid large_object)
{
	int64		offset = 0;
	int			len;

	do
	{
		bytea	   *chunk = DatumGetByteaPP(DirectFunctionCall3(be_lo_get_fragment, ObjectIdGetDatum(large_object),
																Int64GetDatum(offset), Int32GetDatum(CHUNK)));

		len = VARSIZE_ANY_EXHDR(chunk);
		offset += len;
		parse(reader, VARDATA_ANY(chunk), len, len < CHUNK);
		pfree(chunk);
	} while (len == CHUNK);
}

/* xes_rows(document, large_object): the events of a log, in the order of the document. */
Datum
xes_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	XesReader	reader;

	if (PG_ARGISNULL(0) == PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a log is read from a text or from a large object"),
				 errhint("Give one of document and large_object.")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	/* in a text the server has seen to the encoding, whatever its declaration says */
	reader_begin(&reader, result, PG_ARGISNULL(0) ? NULL : "UTF-8");
	if (PG_ARGISNULL(0))
		read_large_object(&reader, PG_GETARG_OID(1));
	else
		read_text(&reader, PG_GETARG_TEXT_PP(0));
	return (Datum) 0;
}
