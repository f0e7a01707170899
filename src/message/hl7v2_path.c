/*
 * hl7v2_path.c
 *	  Paths into HL7 v2 messages, and the text that they lead to, without server
 *	  headers.
 */
#include <string.h>

#include "message/hl7v2.h"

/* More than any message has. */
#define MAX_NUMBER 99999

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* --- reading a path -------------------------------------------------------- */

typedef struct Reader
{
	const char *text;
	int			len;
	int			at;
	int			bad;
	int			bad_len;
	const char *why;
} Reader;

static bool
complain(Reader *r, int from, int until, const char *why)
{
	r->bad = from;
	r->bad_len = until - from;
	r->why = why;
	return false;
}

static inline char
peek(const Reader *r)
{
	return r->at < r->len ? r->text[r->at] : '\0';
}

/* A number from 1 on. */
static bool
read_number(Reader *r, int *number)
{
	int			start = r->at;

	*number = 0;
	for (; is_digit(peek(r)); r->at++)
		if (*number <= MAX_NUMBER)
			*number = *number * 10 + (r->text[r->at] - '0');
	if (r->at == start)
		return complain(r, start, r->at < r->len ? start + 1 : start, "a number must stand here");
	if (*number == 0)
		return complain(r, start, r->at, "numbers begin at 1");
	if (*number > MAX_NUMBER)
		return complain(r, start, r->at, "no message has so many");
	return true;
}

/* A number in brackets, if there is one. */
static bool
read_bracket(Reader *r, int *number)
{
	int			start = r->at;

	*number = 0;
	if (peek(r) != '[')
		return true;
	r->at++;
	if (!read_number(r, number))
		return false;
	if (peek(r) != ']')
		return complain(r, start, r->at, "the bracket is not closed");
	r->at++;
	return true;
}

/* A number after a dot, if there is one. */
static bool
read_dotted(Reader *r, int *number)
{
	*number = 0;
	if (peek(r) != '.')
		return true;
	r->at++;
	return read_number(r, number);
}

static bool
read_path(Reader *r, Hl7Path *path)
{
	const char *s = r->text;
	int			n = 0;

	while (n < r->len && n < 3 && (is_upper(s[n]) || (n > 0 && is_digit(s[n]))))
		n++;
	if (n < 3)
		return complain(r, 0, n < r->len ? n + 1 : n, "a path begins with the name of a segment, three capital letters or digits");
	path->name = HL7_NAME((unsigned char) s[0], (unsigned char) s[1], (unsigned char) s[2]);
	r->at = 3;
	if (!read_bracket(r, &path->occurrence))
		return false;
	if (peek(r) != '-')
		return complain(r, r->at, r->at < r->len ? r->at + 1 : r->at, "a hyphen and the number of a field must follow the segment");
	r->at++;
	return read_number(r, &path->field) && read_bracket(r, &path->repetition) &&
		read_dotted(r, &path->component) && read_dotted(r, &path->subcomponent);
}

int
hl7_parse_path(const char *text, int len, Hl7Path *path, int *bad, int *bad_len, const char **why)
{
	Reader		r = {text, len, 0, 0, 0, NULL};

	memset(path, 0, sizeof(Hl7Path));
	if (read_path(&r, path))
		return r.at;
	*bad = r.bad;
	*bad_len = r.bad_len;
	*why = r.why;
	return 0;
}

/* --- following it ---------------------------------------------------------- */

/* Is it MSH-1 or MSH-2, which hold separators and are no text, or the like of a batch or file? */
static bool
names_delimiters(const Hl7Path *path)
{
	return path->field <= 2 &&
		(path->name == HL7_NAME('M', 'S', 'H') || path->name == HL7_NAME('F', 'H', 'S') ||
		 path->name == HL7_NAME('B', 'H', 'S'));
}

Hl7Slice
hl7_path_leaf(const Hl7Message *message, const Hl7Path *path, Hl7Slice repetition)
{
	Hl7Slice	s = repetition;

	if (names_delimiters(path))
		return path->component <= 1 && path->subcomponent <= 1 ? s : (Hl7Slice) {NULL, 0};
	if (path->component > 0)
		s = hl7_component(message, s, path->component);
	if (path->subcomponent > 0)
		s = hl7_subcomponent(message, s, path->subcomponent);
	return s;
}

bool
hl7_is_leaf(const Hl7Message *message, const Hl7Path *path, Hl7Slice value)
{
	if (value.data == NULL || names_delimiters(path))
		return false;
	if (path->subcomponent > 0)
		return true;
	if (message->subcomponent != 0 && memchr(value.data, message->subcomponent, value.len) != NULL)
		return false;
	return path->component > 0 || message->component == 0 ||
		memchr(value.data, message->component, value.len) == NULL;
}

/* A repetition of a path's field in a segment; MSH-2 holds the separator of repetitions and has one. */
static Hl7Slice
path_repetition(const Hl7Message *message, const Hl7Path *path, int segment, int n)
{
	Hl7Slice	field = hl7_field(message, segment, path->field);

	if (names_delimiters(path))
		return n == 1 ? field : (Hl7Slice) {NULL, 0};
	return hl7_repetition(message, field, n);
}

/* The repetitions of a field that a path means, one a call; *at begins at 0. */
bool
hl7_next_path_repetition(const Hl7Message *message, const Hl7Path *path, Hl7Slice field, int *at, Hl7Slice *repetition)
{
	bool		is_one = names_delimiters(path);

	if (path->repetition == 0 && !is_one)
		return hl7_next_repetition(message, field, at, repetition);
	if ((*at)++ > 0 || (is_one && path->repetition > 1))
		return false;
	*repetition = is_one ? field : hl7_repetition(message, field, path->repetition);
	return repetition->data != NULL;
}

/* The next segment of the path's name after a segment. */
static int
next_segment(const Hl7Message *message, uint32_t name, int segment)
{
	for (segment++; segment < message->nsegments; segment++)
		if (message->segments[segment].name == name)
			return segment;
	return -1;
}

/* The n-th segment of a name, or -1. */
static int
nth_segment(const Hl7Message *message, uint32_t name, int n)
{
	int			segment = -1;

	while (n-- > 0)
	{
		segment = next_segment(message, name, segment);
		if (segment < 0)
			return -1;
	}
	return segment;
}

/* The repetition that starts at a byte of a segment; *next is where another one does, or -1. */
static Hl7Slice
repetition_at(const Hl7Message *message, int segment, int at, int *next)
{
	int			end = message->segments[segment].end;
	Hl7Slice	s = hl7_repetition(message, (Hl7Slice) {message->data + at, end - at}, 1);
	const char *field_end = memchr(s.data, message->field, s.len);

	if (field_end != NULL)
		s.len = (int) (field_end - s.data);
	*next = at + s.len < end && s.data[s.len] == message->repetition ? at + s.len + 1 : -1;
	return s;
}

/*
 * Between calls *at is the byte of the message where the next repetition starts,
 * or -1 if the segment has no more: a field is looked for once, however many
 * repetitions it has.
 */
bool
hl7_next_match(const Hl7Message *message, const Hl7Path *path, int *segment, int *at, Hl7Slice *value)
{
	for (;;)
	{
		Hl7Slice	s;

		if (*segment < 0 || *at < 0)
		{
			if (path->occurrence > 0)
				*segment = *segment < 0 ? nth_segment(message, path->name, path->occurrence) : -1;
			else
				*segment = next_segment(message, path->name, *segment);
			if (*segment < 0)
				return false;
			s = hl7_field(message, *segment, path->field);
			*at = s.data == NULL ? -1 : (int) (s.data - message->data);
			if (*at < 0)
				continue;
		}
		if (path->repetition > 0 || names_delimiters(path))
		{
			s = path_repetition(message, path, *segment, path->repetition > 0 ? path->repetition : 1);
			*at = -1;
		}
		else
			s = repetition_at(message, *segment, *at, at);
		*value = hl7_path_leaf(message, path, s);
		if (!hl7_is_empty(*value))
			return true;
	}
}

Hl7Slice
hl7_first_match(const Hl7Message *message, const Hl7Path *path)
{
	int			segment = nth_segment(message, path->name, path->occurrence > 0 ? path->occurrence : 1);

	if (segment < 0)
		return (Hl7Slice) {NULL, 0};
	return hl7_path_leaf(message, path,
						 path_repetition(message, path, segment, path->repetition > 0 ? path->repetition : 1));
}

/* --- escapes --------------------------------------------------------------- */

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* How long the UTF-8 character that starts here is, or 0 if there is none. */
static int
utf8_length(const unsigned char *s, int len)
{
	int			n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	for (int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Bytes in hexadecimal; -1 if they are none or no text. */
static int
decode_hex(const Hl7Message *message, const char *s, int len, char *out)
{
	int			n = len / 2;

	if (len < 2 || len % 2 != 0)
		return -1;
	for (int i = 0; i < n; i++)
	{
		int			high = hex_digit(s[2 * i]);
		int			low = hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0 || (high == 0 && low == 0) || (high >= 8 && !message->utf8))
			return -1;
		out[i] = (char) (high * 16 + low);
	}
	for (int i = 0; i < n;)
	{
		int			length = utf8_length((const unsigned char *) out + i, n - i);

		if (length == 0)
			return -1;
		i += length;
	}
	return n;
}

/* Is it a number, with a sign or without, or nothing? */
static bool
is_count(const char *s, int len)
{
	int			n = len > 1 && (s[0] == '+' || s[0] == '-') ? 1 : 0;

	while (n < len && is_digit(s[n]))
		n++;
	return n == len;
}

/* What an escape stands for, between its two characters, written to out; -1 if it is unknown. */
static int
decode_escape(const Hl7Message *message, const char *s, int len, char *out)
{
	if (len == 1)
	{
		char		c = s[0] == 'F' ? message->field : s[0] == 'S' ? message->component :
			s[0] == 'T' ? message->subcomponent : s[0] == 'R' ? message->repetition :
			s[0] == 'E' ? message->escape : s[0] == 'P' ? message->truncation : 0;

		if (s[0] == 'H' || s[0] == 'N')
			return 0;
		if (c == 0)
			return -1;
		out[0] = c;
		return 1;
	}
	if (len >= 3 && s[0] == '.')
	{
		bool		counts = memcmp(s, ".sp", 3) == 0 || memcmp(s, ".sk", 3) == 0 ||
			memcmp(s, ".in", 3) == 0 || memcmp(s, ".ti", 3) == 0;

		if (counts ? !is_count(s + 3, len - 3) : len > 3)
			return -1;
		if (memcmp(s, ".br", 3) == 0 || memcmp(s, ".ce", 3) == 0 || memcmp(s, ".sp", 3) == 0)
			out[0] = '\n';
		else if (memcmp(s, ".sk", 3) == 0)
			out[0] = ' ';
		else if (counts || memcmp(s, ".fi", 3) == 0 || memcmp(s, ".nf", 3) == 0)
			return 0;
		else
			return -1;
		return 1;
	}
	if (s[0] == 'X')
		return decode_hex(message, s + 1, len - 1, out);
	return -1;
}

Hl7Slice
hl7_decode(const Hl7Message *message, Hl7Arena *arena, Hl7Slice s)
{
	const char *from = s.data;
	const char *end;
	const char *next;
	char	   *out;
	int			n = 0;

	if (s.data == NULL || message->escape == 0 || memchr(s.data, message->escape, s.len) == NULL)
		return s;
	end = s.data + s.len;
	out = hl7_alloc(arena, s.len);
	while ((next = memchr(from, message->escape, end - from)) != NULL)
	{
		const char *close = memchr(next + 1, message->escape, end - next - 1);
		int			length;

		memcpy(out + n, from, next - from);
		n += (int) (next - from);
		from = next;
		if (close == NULL)
			break;
		length = close == next + 1 ? -1 : decode_escape(message, next + 1, (int) (close - next - 1), out + n);
		if (length >= 0)
		{
			n += length;
			from = close + 1;
		}
		else
		{
			/* as sent; what closes it may open the next */
			memcpy(out + n, next, close - next);
			n += (int) (close - next);
			from = close;
		}
	}
	memcpy(out + n, from, end - from);
	n += (int) (end - from);
	return (Hl7Slice) {out, n};
}
