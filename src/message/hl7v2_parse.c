/*
 * hl7v2_parse.c
 *	  Messages in what came, and segments, fields and their parts in messages,
 *	  without server headers.
 */
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "message/hl7v2.h"

#define MLLP_START '\x0b'
#define MLLP_END '\x1c'
#define MSH HL7_NAME('M', 'S', 'H')
#define FIRST_SEGMENTS 32

static inline bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter_or_digit(char c)
{
	return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

static inline bool
is_break(char c)
{
	return c == '\r' || c == '\n';
}

/* Does a segment's name stand here? */
static inline bool
is_name(const char *s)
{
	return is_upper(s[0]) && (is_upper(s[1]) || is_digit(s[1])) && (is_upper(s[2]) || is_digit(s[2]));
}

static inline uint32_t
name_at(const char *s)
{
	return HL7_NAME((unsigned char) s[0], (unsigned char) s[1], (unsigned char) s[2]);
}

/* --- looking for separators ------------------------------------------------ */

/* The first CR, LF or byte 0, or the end. */
static const char *
find_break(const char *s, const char *end)
{
#ifdef __SSE2__
	const __m128i cr = _mm_set1_epi8('\r');
	const __m128i lf = _mm_set1_epi8('\n');
	const __m128i zero = _mm_setzero_si128();

	for (; end - s >= 16; s += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) s);
		int			found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, zero),
														   _mm_or_si128(_mm_cmpeq_epi8(bytes, cr),
																		_mm_cmpeq_epi8(bytes, lf))));

		if (found != 0)
			return s + __builtin_ctz(found);
	}
#endif
	while (s < end && !is_break(*s) && *s != '\0')
		s++;
	return s;
}

/* Where the n-th separator from here on stands, or NULL. */
static const char *
find_nth(const char *s, const char *end, char separator, int n)
{
#ifdef __SSE2__
	const __m128i wanted = _mm_set1_epi8(separator);

	for (; end - s >= 16; s += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) s);
		unsigned int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));

		for (; found != 0; found &= found - 1)
			if (--n == 0)
				return s + __builtin_ctz(found);
	}
#endif
	for (; s < end; s++)
		if (*s == separator && --n == 0)
			return s;
	return NULL;
}

/* The n-th part of a slice, from 1; without a separator it is one part. */
static inline Hl7Slice
nth_part(Hl7Slice s, char separator, int n)
{
	static const Hl7Slice nothing = {NULL, 0};
	const char *start = s.data;
	const char *end;
	const char *stop;

	if (s.data == NULL || (separator == 0 && n > 1))
		return nothing;
	end = s.data + s.len;
	if (n > 1)
	{
		start = find_nth(s.data, end, separator, n - 1);
		if (start == NULL)
			return nothing;
		start++;
	}
	stop = separator == 0 ? NULL : find_nth(start, end, separator, 1);
	return (Hl7Slice) {start, (int) ((stop ? stop : end) - start)};
}

/* --- streams --------------------------------------------------------------- */

/* Skips what may stand before a message: line ends, blanks, MLLP's start, a byte order mark. */
static int
skip_lead(const char *data, int len, int at)
{
	for (; at < len; at++)
	{
		if (len - at >= 3 && memcmp(data + at, "\xef\xbb\xbf", 3) == 0)
			at += 2;
		else if (!is_break(data[at]) && data[at] != MLLP_START && data[at] != MLLP_END &&
				 data[at] != ' ' && data[at] != '\t')
			break;
	}
	return at;
}

typedef enum Opening
{
	OPENS_NOTHING, OPENS_MESSAGE, OPENS_ENVELOPE
} Opening;

/* What a line that starts here opens, if it is one of the segments that do. */
static Opening
opening_at(const char *data, int len, int at)
{
	if (len - at < 3)
		return OPENS_NOTHING;
	/* a word, or the first of a line of text, is none */
	if (len - at > 3 && (is_letter_or_digit(data[at + 3]) || data[at + 3] == ' '))
		return OPENS_NOTHING;
	switch (name_at(data + at))
	{
		case MSH:
			return OPENS_MESSAGE;
		case HL7_NAME('F', 'H', 'S'):
		case HL7_NAME('B', 'H', 'S'):
		case HL7_NAME('B', 'T', 'S'):
		case HL7_NAME('F', 'T', 'S'):
			return OPENS_ENVELOPE;
		default:
			return OPENS_NOTHING;
	}
}

/* Where the line after a place starts, MLLP's bytes and line ends skipped; frames end lines too. */
static int
next_line(const char *data, int len, int at)
{
	const char *end = data + len;
	const char *s = data + at;

	for (;;)
	{
		s = find_break(s, end);
		if (s == end)
			return len;
		if (is_break(*s))
			return (int) (s - data) + 1;
		s++;
	}
}

/* The next part of what came, from *at on. */
bool
hl7_next_part(const char *data, int len, int *at, Hl7Slice *part, Hl7PartKind *kind)
{
	int			start = *at;
	int			line;
	Opening		first;

	if (start >= len)
		return false;
	line = skip_lead(data, len, start);
	first = opening_at(data, len, line);
	*kind = first == OPENS_ENVELOPE ? HL7_ENVELOPE : HL7_MESSAGE;
	for (;;)
	{
		int			next = next_line(data, len, line);
		int			lead = skip_lead(data, len, next);
		Opening		opens;

		if (lead >= len)
		{
			*at = len;
			break;
		}
		opens = opening_at(data, len, lead);
		if (opens == OPENS_MESSAGE || (opens == OPENS_ENVELOPE && first != OPENS_ENVELOPE))
		{
			/* what frames the next one belongs to it: MLLP's start, a byte order mark */
			*at = next;
			while (*at < lead && (is_break(data[*at]) || data[*at] == MLLP_END))
				(*at)++;
			break;
		}
		line = lead;
	}
	part->data = data + start;
	part->len = *at - start;
	return true;
}

/* --- messages -------------------------------------------------------------- */

static bool
fail(Hl7Error *error, Hl7Fault fault, int segment, int position)
{
	error->fault = fault;
	error->segment = segment;
	error->position = position + 1;
	return false;
}

/* May this be a separator? */
static bool
is_separator(char c)
{
	return c > ' ' && c < 0x7f && !is_letter_or_digit(c) && c != '"';
}

/* Reads MSH-1 and MSH-2, of the segment that starts here. */
static bool
read_delimiters(Hl7Message *message, int start, int end, Hl7Error *error)
{
	char	   *const delimiters[] = {
		&message->component, &message->repetition, &message->escape,
		&message->subcomponent, &message->truncation
	};
	const char *s = message->data + start + 3;
	const char *stop = message->data + end;
	int			n = 0;

	message->component = message->repetition = message->escape = 0;
	message->subcomponent = message->truncation = 0;
	if (s == stop)
		return fail(error, HL7_TRUNCATED_MSH, 1, end);
	message->field = *s;
	if (!is_separator(*s))
		return fail(error, HL7_BAD_DELIMITERS, 1, start + 3);
	for (s++; s < stop && *s != message->field; s++)
	{
		if (n == 5 || !is_separator(*s) || memchr(message->data + start + 4, *s, n) != NULL)
			return fail(error, HL7_BAD_DELIMITERS, 1, (int) (s - message->data));
		*delimiters[n++] = *s;
	}
	if (n == 0)
		return fail(error, s == stop ? HL7_TRUNCATED_MSH : HL7_BAD_DELIMITERS, 1, (int) (s - message->data));
	return true;
}

/* Adds a segment. */
static void
add_segment(Hl7Message *message, Hl7Arena *arena, int *size, uint32_t name, int start, int end)
{
	if (message->nsegments == *size)
	{
		Hl7Segment *old = message->segments;

		*size = *size == 0 ? FIRST_SEGMENTS : *size * 2;
		message->segments = hl7_alloc(arena, sizeof(Hl7Segment) * (size_t) *size);
		if (old != NULL)
			memcpy(message->segments, old, sizeof(Hl7Segment) * (size_t) message->nsegments);
	}
	message->segments[message->nsegments++] = (Hl7Segment) {name, start, end};
}

/* Does a segment start here? */
static bool
segment_starts(const Hl7Message *message, int at, int len)
{
	return len - at >= 3 && is_name(message->data + at) &&
		(len - at == 3 || message->data[at + 3] == message->field || is_break(message->data[at + 3]));
}

/* Reads the segments after MSH. */
static bool
read_segments(Hl7Message *message, Hl7Arena *arena, int at, int len, bool cr, int *size, Hl7Error *error)
{
	const char *data = message->data;

	while (at < len)
	{
		const char *stop;

		if (is_break(data[at]))
		{
			at++;
			continue;
		}
		if (!segment_starts(message, at, len))
			return fail(error, HL7_BAD_SEGMENT_NAME, message->nsegments + 1, at);
		if (name_at(data + at) == MSH)
			return fail(error, HL7_SECOND_MSH, message->nsegments + 1, at);
		stop = data + at;
		for (;;)
		{
			stop = find_break(stop, data + len);
			if (stop == data + len || *stop == '\r')
				break;
			if (*stop == '\0')
				return fail(error, HL7_ZERO_BYTE, message->nsegments + 1, (int) (stop - data));
			/* where CR ends segments, LF within a field is text, unless a segment and its fields follow */
			if (!cr || stop == data + at + 3 || stop + 1 == data + len ||
				(segment_starts(message, (int) (stop + 1 - data), len) &&
				 data + len - stop > 4 && stop[4] == message->field))
				break;
			stop++;
		}
		add_segment(message, arena, size, name_at(data + at), at, (int) (stop - data));
		at = (int) (stop - data) + 1;
	}
	return true;
}

/* Indexes a message; false, with *error set, if it is none. */
bool
hl7_parse(Hl7Message *message, Hl7Arena *arena, const char *data, int len, Hl7Error *error)
{
	int			start = skip_lead(data, len, 0);
	int			size = 0;
	int			stop;
	bool		utf8 = message->utf8;

	memset(message, 0, sizeof(Hl7Message));
	message->utf8 = utf8;
	message->data = data;
	message->len = len;
	error->fault = HL7_OK;
	if (len - start < 3 || name_at(data + start) != MSH)
		return fail(error, HL7_NO_MSH, 1, start < len ? start : (len > 0 ? len - 1 : 0));
	while (len > start && (is_break(data[len - 1]) || data[len - 1] == MLLP_END))
		len--;
	stop = (int) (find_break(data + start, data + len) - data);
	if (stop < len && data[stop] == '\0')
		return fail(error, HL7_ZERO_BYTE, 1, stop);
	if (!read_delimiters(message, start, stop, error))
		return false;
	/* MSH-9 begins after the eighth separator */
	if (find_nth(data + start, data + stop, message->field, 8) == NULL)
		return fail(error, HL7_TRUNCATED_MSH, 1, stop);
	add_segment(message, arena, &size, MSH, start, stop);
	return read_segments(message, arena, stop + 1, len, stop < len && data[stop] == '\r', &size, error);
}

/* The name of a fault, as a problem is called. */
const char *
hl7_fault_name(Hl7Fault fault)
{
	switch (fault)
	{
		case HL7_NO_MSH:
			return "no_msh";
		case HL7_TRUNCATED_MSH:
			return "truncated_msh";
		case HL7_BAD_DELIMITERS:
			return "bad_encoding_characters";
		case HL7_BAD_SEGMENT_NAME:
			return "bad_segment_name";
		case HL7_ZERO_BYTE:
			return "zero_byte";
		case HL7_SECOND_MSH:
			return "second_msh";
		default:
			return "";
	}
}

/* What a fault is, in words. */
const char *
hl7_fault_text(Hl7Fault fault)
{
	switch (fault)
	{
		case HL7_NO_MSH:
			return "A message must begin with a segment MSH.";
		case HL7_TRUNCATED_MSH:
			return "The segment MSH ends before MSH-9, the message type.";
		case HL7_BAD_DELIMITERS:
			return "MSH-1 and MSH-2 must be different punctuation characters, at most five in MSH-2.";
		case HL7_BAD_SEGMENT_NAME:
			return "A segment must begin with a name of a letter and two letters or digits, all capital, and the field separator.";
		case HL7_ZERO_BYTE:
			return "A message cannot have bytes 0.";
		case HL7_SECOND_MSH:
			return "Another segment MSH follows: these are several messages.";
		default:
			return "";
	}
}

/* --- fields and their parts ------------------------------------------------ */

/* Do the first two fields of a segment hold the separators themselves? */
static bool
holds_delimiters(uint32_t name)
{
	return name == MSH || name == HL7_NAME('F', 'H', 'S') || name == HL7_NAME('B', 'H', 'S');
}

Hl7Slice
hl7_field(const Hl7Message *message, int segment, int field)
{
	const Hl7Segment *s = &message->segments[segment];
	Hl7Slice	content = {message->data + s->start + 3, s->end - s->start - 3};

	if (content.len == 0)
		return (Hl7Slice) {NULL, 0};
	/* the content begins with a separator, before which there is nothing */
	if (holds_delimiters(s->name))
	{
		if (field == 1)
			return (Hl7Slice) {content.data, 1};
		field--;
	}
	return nth_part(content, message->field, field + 1);
}

int
hl7_repetitions(const Hl7Message *message, Hl7Slice field)
{
	int			n = 1;
	const char *s = field.data;

	if (field.data == NULL)
		return 0;
	if (message->repetition == 0)
		return 1;
	while ((s = memchr(s, message->repetition, field.data + field.len - s)) != NULL)
	{
		n++;
		s++;
	}
	return n;
}

Hl7Slice
hl7_repetition(const Hl7Message *message, Hl7Slice field, int n)
{
	return nth_part(field, message->repetition, n);
}

bool
hl7_next_repetition(const Hl7Message *message, Hl7Slice field, int *at, Hl7Slice *repetition)
{
	if (field.data == NULL || *at > field.len)
		return false;
	*repetition = nth_part((Hl7Slice) {field.data + *at, field.len - *at}, message->repetition, 1);
	*at += repetition->len + 1;
	return true;
}

Hl7Slice
hl7_component(const Hl7Message *message, Hl7Slice repetition, int n)
{
	return nth_part(repetition, message->component, n);
}

Hl7Slice
hl7_subcomponent(const Hl7Message *message, Hl7Slice component, int n)
{
	return nth_part(component, message->subcomponent, n);
}

/* A slice without blanks around it. */
Hl7Slice
hl7_trim(Hl7Slice s)
{
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || (s.data[s.len - 1] >= '\t' && s.data[s.len - 1] <= '\r')))
		s.len--;
	while (s.len > 0 && (s.data[0] == ' ' || (s.data[0] >= '\t' && s.data[0] <= '\r')))
	{
		s.data++;
		s.len--;
	}
	return s;
}

bool
hl7_equal(Hl7Slice s, const char *text)
{
	return s.data != NULL && (size_t) s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}
