/*
 * header.c
 *	  Who sent a message, what it is called, and whether it is the same as
 *	  another.
 */
#include "compat.h"

#include <stdarg.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"

#include "message/charset.h"
#include "message/received.h"

/* Notes what is the matter with a message, by a name if it has one; the worst status counts. */
void
note_problem(Received *r, MessageStatus status, const char *problem, const char *format,...)
{
	ListCell   *lc;
	va_list		args;
	int			needed;

	r->status = Max(r->status, status);
	foreach(lc, r->problems)
		if (problem != NULL && strcmp(lfirst(lc), problem) == 0)
			break;
	if (lc == NULL && problem != NULL)
		r->problems = lappend(r->problems, pstrdup(problem));
	if (r->explanation == NULL)
		r->explanation = makeStringInfo();
	else if (r->explanation->len > WT_EXPLANATION_MAX)
		return;					/* many segments with the same fault say no more than some */
	else
		appendStringInfoString(r->explanation, "; ");
	for (;;)
	{
		va_start(args, format);
		needed = appendStringInfoVA(r->explanation, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(r->explanation, needed);
	}
}

/* --- hashes ---------------------------------------------------------------- */

/* Two hashes that are kept apart from the start: 128 bits of accidental equality. */
typedef struct Hash
{
	uint64		one;
	uint64		other;
} Hash;

static const Hash hash_start = {UINT64CONST(0x776f726b666c6f77), UINT64CONST(0x5f747261636b2031)};

static Hash
hash_add(Hash hash, const char *data, int len)
{
	hash.one = hash_bytes_extended((const unsigned char *) data, len, hash.one);
	hash.other = hash_bytes_extended((const unsigned char *) data, len, hash.other);
	return hash;
}

static Hash
hash_add_str(Hash hash, Str s)
{
	hash = hash_add(hash, (const char *) &s.len, sizeof(s.len));
	return hash_add(hash, s.data == NULL ? "" : s.data, s.len);
}

static pg_uuid_t
hash_end(Hash hash)
{
	pg_uuid_t	uuid;

	memcpy(uuid.data, &hash.one, 8);
	memcpy(uuid.data + 8, &hash.other, 8);
	return uuid;
}

/* What a sender and a control id are found by. */
pg_uuid_t
hash_id(Str source_system, Str facility, Str control_id)
{
	return hash_end(hash_add_str(hash_add_str(hash_add_str(hash_start, source_system), facility), control_id));
}

/* MSH-7, MSH-10 and MSH-13: what a replay changes. */
static const int changing[] = {7, 10, 13};

/* Hashes MSH without them, and without separators of empty fields at its end. */
static Hash
hash_lasting_header(Hash hash, const Hl7Message *m)
{
	const Hl7Segment *msh = &m->segments[0];
	const char *from = m->data + msh->start;
	const char *end = m->data + msh->end;
	char	   *lasting = palloc(end - from);
	int			len = 0;

	for (int i = 0; i < (int) lengthof(changing); i++)
	{
		Hl7Slice	field = hl7_field(m, 0, changing[i]);

		if (field.data == NULL)
			break;
		memcpy(lasting + len, from, field.data - from);
		len += field.data - from;
		from = field.data + field.len;
	}
	memcpy(lasting + len, from, end - from);
	len += end - from;
	while (len > 0 && lasting[len - 1] == m->field)
		len--;
	hash = hash_add(hash, lasting, len);
	pfree(lasting);
	return hash;
}

/* Hashes a message without what frames it and how its lines end: all of it, and all but what a replay changes. */
static void
hash_message(Received *r)
{
	const Hl7Message *m = &r->message;
	Hash		hash = hash_lasting_header(hash_start, m);
	Hash		all;

	for (int i = 1; i < m->nsegments; i++)
		hash = hash_add(hash, m->data + m->segments[i].start, m->segments[i].end - m->segments[i].start);
	r->content_hash = hash_end(hash);
	all = hash;
	for (int i = 0; i < (int) lengthof(changing); i++)
	{
		Hl7Slice	field = hl7_field(m, 0, changing[i]);

		all = hash_add_str(all, (Str) {field.data, field.len});
	}
	r->body_hash = hash_end(all);
}

/* --- headers --------------------------------------------------------------- */

/* A part of the header as an identifier. */
static Str
header_text(const Hl7Message *m, Hl7Arena *arena, int field, bool component)
{
	Hl7Slice	s = hl7_field(m, 0, field);

	if (component)
		s = hl7_component(m, hl7_repetition(m, s, 1), 1);
	if (hl7_is_delete(s))
		return (Str) {NULL, 0};
	s = hl7_trim(component ? hl7_decode(m, arena, hl7_subcomponent(m, s, 1)) : s);
	return s.len == 0 ? (Str) {NULL, 0} : (Str) {s.data, s.len};
}

static Str
never_null(Str s)
{
	return s.data == NULL ? (Str) {"", 0} : s;
}

/* What the header says, read with separators that may be wrong. */
static void
read_names(Received *r, const Hl7Message *m, Hl7Arena *arena)
{
	r->source_system = never_null(header_text(m, arena, 3, true));
	r->facility = never_null(header_text(m, arena, 4, true));
	r->receiving_system = never_null(header_text(m, arena, 5, true));
	r->receiving_facility = never_null(header_text(m, arena, 6, true));
	r->message_type = header_text(m, arena, 9, false);
	r->control_id = header_text(m, arena, 10, false);
	if (r->part == HL7_ENVELOPE)
	{
		r->message_type = (Str) {m->data + m->segments[0].start, 3};
		r->control_id = header_text(m, arena, 11, false);
	}
}

/* Where the first line begins and ends. */
static Hl7Segment
first_line(Hl7Slice bytes)
{
	Hl7Segment	line = {0, 0, 0};

	while (line.start < bytes.len && bytes.data[line.start] != '\0' && strchr("\x0b\x1c\r\n\t ", bytes.data[line.start]) != NULL)
		line.start++;
	if (bytes.len - line.start >= 3 && memcmp(bytes.data + line.start, "\xef\xbb\xbf", 3) == 0)
		line.start += 3;
	for (line.end = line.start; line.end < bytes.len; line.end++)
		if (bytes.data[line.end] == '\r' || bytes.data[line.end] == '\n')
			break;
	if (line.end - line.start >= 3)
		line.name = HL7_NAME(bytes.data[line.start], bytes.data[line.start + 1], bytes.data[line.start + 2]);
	return line;
}

/* May it separate fields? */
static bool
is_punctuation(char c)
{
	return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z');
}

/* A message of the first line alone, whatever it is, to read what can be read of it. */
static bool
loose_message(Hl7Slice bytes, Hl7Message *m, Hl7Segment *line)
{
	*line = first_line(bytes);
	*m = (Hl7Message) {
		.data = bytes.data,.len = bytes.len,.component = '^',.repetition = '~',.escape = '\\',.subcomponent = '&'
	};
	if (line->end - line->start < 5 || !is_punctuation(bytes.data[line->start + 3]))
		return false;
	m->field = bytes.data[line->start + 3];
	m->nsegments = 1;
	m->segments = line;
	return true;
}

/* Only text of the database may be kept of bytes that are none. */
static Str
valid_or_null(Str s)
{
	return s.data != NULL && pg_encoding_verifymbstr(GetDatabaseEncoding(), s.data, s.len) == s.len ? s : (Str) {NULL, 0};
}

/* What can be read of the header of a message that is none. */
static void
read_loosely(Received *r, Hl7Arena *arena)
{
	Hl7Slice	bytes = r->text.data != NULL ? r->text : r->bytes;
	Hl7Message *m = &r->message;
	Hl7Segment *line = palloc(sizeof(Hl7Segment));

	Assert(bytes.data != NULL);
	r->content_hash = r->body_hash = hash_end(hash_add(hash_start, r->bytes.data, r->bytes.len));
	/* what was read before it went wrong will do */
	if (m->nsegments == 0 && !loose_message(bytes, m, line))
	{
		if (r->part == HL7_ENVELOPE)
			r->message_type = (Str) {m->data + line->start, 3};
		return;
	}
	r->has_header = m->segments[0].name == HL7_NAME('M', 'S', 'H');
	if (!r->has_header && r->part != HL7_ENVELOPE)
		return;
	read_names(r, m, arena);
	r->source_system = never_null(valid_or_null(r->source_system));
	r->facility = never_null(valid_or_null(r->facility));
	r->receiving_system = never_null(valid_or_null(r->receiving_system));
	r->receiving_facility = never_null(valid_or_null(r->receiving_facility));
	r->message_type = valid_or_null(r->message_type);
	r->control_id = valid_or_null(r->control_id);
}

/* Brings the bytes to text of the database. */
static bool
decode_bytes(Received *r, Hl7Arena *arena)
{
	Hl7Segment	line;
	Hl7Message	m;
	Hl7Slice	name = {NULL, 0};

	if (r->is_text)
	{
		r->text = r->bytes;
		return true;
	}
	r->encoding = PG_UTF8;
	if (loose_message(r->bytes, &m, &line))
	{
		name = hl7_trim(hl7_repetition(&(Hl7Message) {.repetition = '~'}, hl7_field(&m, 0, 18), 1));
		read_names(r, &m, arena);
		r->source = source_find((Hl7Slice) {r->source_system.data, r->source_system.len},
								(Hl7Slice) {r->facility.data, r->facility.len});
		/* these are bytes yet, which no row may hold */
		r->source_system = r->facility = r->receiving_system = r->receiving_facility = (Str) {"", 0};
		r->message_type = r->control_id = (Str) {NULL, 0};
		if (name.len > 0)
			r->encoding = charset_encoding(name);
		else if (r->source->encoding >= 0)
			r->encoding = r->source->encoding;
	}
	if (r->encoding < 0)
	{
		note_problem(r, MESSAGE_REJECTED, "bad_charset", "MSH-18 names a character set that is not known");
		return false;
	}
	if (!charset_decode(r->encoding, r->bytes.data, r->bytes.len, &r->text))
	{
		r->text = (Hl7Slice) {NULL, 0};
		note_problem(r, MESSAGE_REJECTED, "bad_charset",
					 name.len > 0 ? "the bytes are not text in the character set %s that MSH-18 names"
					 : "MSH-18 is empty and the bytes are not text in %s; hl7v2_source may name the sender's character set",
					 pg_encoding_to_char(r->encoding));
		return false;
	}
	r->keep_raw = r->text.data != r->bytes.data &&
		(r->text.len != r->bytes.len || memcmp(r->text.data, r->bytes.data, r->text.len) != 0);
	return true;
}

static bool
is_too_long(Str s)
{
	return s.len > WT_IDENTIFIER_MAX;
}

/* Refuses a header that cannot be kept. */
static bool
check_header(Received *r)
{
	Hl7Slice	type;
	Hl7Slice	trigger;

	hl7_message_type(&r->message, &type, &trigger);
	if (type.len == 0)
	{
		note_problem(r, MESSAGE_REJECTED, "no_message_type", "MSH-9 is empty");
		return false;
	}
	if (is_too_long(r->source_system) || is_too_long(r->facility) || is_too_long(r->control_id) || is_too_long(r->message_type))
	{
		note_problem(r, MESSAGE_REJECTED, "too_long", "MSH-3, MSH-4, MSH-9 or MSH-10 is longer than %d bytes", WT_IDENTIFIER_MAX);
		return false;
	}
	return true;
}

/* Keeps of a header what a row can hold. */
static void
clip_header(Received *r)
{
	r->source_system.len = pg_mbcliplen(r->source_system.data, r->source_system.len, WT_IDENTIFIER_MAX);
	r->facility.len = pg_mbcliplen(r->facility.data, r->facility.len, WT_IDENTIFIER_MAX);
	r->receiving_system.len = pg_mbcliplen(r->receiving_system.data, r->receiving_system.len, WT_IDENTIFIER_MAX);
	r->receiving_facility.len = pg_mbcliplen(r->receiving_facility.data, r->receiving_facility.len, WT_IDENTIFIER_MAX);
	if (r->control_id.data != NULL)
		r->control_id.len = pg_mbcliplen(r->control_id.data, r->control_id.len, WT_IDENTIFIER_MAX);
	if (r->message_type.data != NULL)
		r->message_type.len = pg_mbcliplen(r->message_type.data, r->message_type.len, WT_IDENTIFIER_MAX);
}

/* Reads who sent a message and what it is, and rejects what is none. */
void
read_header(Received *r, Hl7Arena *arena)
{
	r->source_system = r->facility = r->receiving_system = r->receiving_facility = (Str) {"", 0};
	if (!decode_bytes(r, arena) || r->part == HL7_ENVELOPE)
		read_loosely(r, arena);
	else
	{
		r->message.utf8 = GetDatabaseEncoding() == PG_UTF8;
		r->is_parsed = hl7_parse(&r->message, arena, r->text.data, r->text.len, &r->error);
		if (!r->is_parsed)
		{
			note_problem(r, MESSAGE_REJECTED, hl7_fault_name(r->error.fault), "%s Segment %d, byte %d.",
						 hl7_fault_text(r->error.fault), r->error.segment, r->error.position);
			read_loosely(r, arena);
		}
		else
		{
			r->has_header = true;
			read_names(r, &r->message, arena);
			if (check_header(r))
				hash_message(r);
			else
				read_loosely(r, arena);
		}
	}
	clip_header(r);
	r->source = source_find((Hl7Slice) {r->source_system.data, r->source_system.len},
							(Hl7Slice) {r->facility.data, r->facility.len});
	r->rejected_code = pstrdup(r->source->rejected_code);
	r->has_id = r->status != MESSAGE_REJECTED && r->part == HL7_MESSAGE && r->control_id.len > 0;
	if (r->has_id)
		r->id_hash = hash_id(r->source_system, r->facility, r->control_id);
}
