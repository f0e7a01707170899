/*
 * hl7v2_ack.c
 *	  Acknowledgements of HL7 v2 messages, without server headers.
 *
 * They are of the version that the sender speaks: MSH-9 has the trigger from 2.3
 * on and the structure from 2.4 on; what is wrong stands in MSA-3 and ERR-1 up to
 * 2.4, and in ERR-2, ERR-3 and ERR-8 from 2.5 on.
 */
#include <stdio.h>
#include <string.h>

#include "message/hl7v2_ack.h"

typedef struct Writer
{
	const Hl7Message *message;
	char	   *out;
	int			len;
} Writer;

static void
put_bytes(Writer *w, const char *data, int len)
{
	memcpy(w->out + w->len, data, len);
	w->len += len;
}

static void
put(Writer *w, const char *text)
{
	put_bytes(w, text, (int) strlen(text));
}

static void
put_char(Writer *w, char c)
{
	if (c != 0)
		w->out[w->len++] = c;
}

static void
put_slice(Writer *w, Hl7Slice s)
{
	if (s.len > 0)
		put_bytes(w, s.data, s.len);
}

/* A text with its separators escaped; it is cut where no character is. */
static void
put_escaped(Writer *w, Hl7Slice s)
{
	const Hl7Message *m = w->message;
	int			len = s.len;

	if (len > HL7_ACK_TEXT_MAX)
		for (len = HL7_ACK_TEXT_MAX; len > 0 && ((unsigned char) s.data[len] & 0xc0) == 0x80;)
			len--;
	for (int i = 0; i < len; i++)
	{
		char		c = s.data[i];
		char		letter = c == m->field ? 'F' : c == m->component ? 'S' : c == m->repetition ? 'R' :
			c == m->escape ? 'E' : c == m->subcomponent ? 'T' : c == m->truncation ? 'P' : 0;

		/* what ends segments and frames, and the like, and what there is no way to write */
		if ((unsigned char) c < ' ' || (letter != 0 && m->escape == 0))
			put_char(w, ' ');
		else if (letter == 0)
			put_char(w, c);
		else
		{
			put_char(w, m->escape);
			put_char(w, letter);
			put_char(w, m->escape);
		}
	}
}

/* A version as a number to compare: 2.5.1 is 251, 2.3 is 230; what is none is the latest. */
static int
version_number(Hl7Slice version)
{
	int			number = 0;
	int			digits = 0;

	for (int i = 0; i < version.len && digits < 3; i++)
		if (version.data[i] >= '0' && version.data[i] <= '9')
		{
			number = number * 10 + (version.data[i] - '0');
			digits++;
		}
		else if (version.data[i] != '.')
			break;
	if (digits == 0)
		return 251;
	while (digits++ < 3)
		number *= 10;
	return number;
}

static Hl7Slice
or_else(Hl7Slice s, const char *other)
{
	return s.len > 0 && !hl7_is_delete(s) ? s : (Hl7Slice) {other, (int) strlen(other)};
}

/* What is wrong, as a segment. */
static void
put_error(Writer *w, const Hl7Ack *ack, int version)
{
	const Hl7Message *m = w->message;
	const char *code = ack->error_code != NULL ? ack->error_code : "207";
	const char *name = strcmp(code, "100") == 0 ? "Segment sequence error" :
		strcmp(code, "101") == 0 ? "Required field missing" : "Application internal error";
	char		place[16] = "";

	/* ERR names a segment by its name: of one that has none, the first is meant */
	if (ack->error_segment == 1)
		snprintf(place, sizeof(place), "MSH%c1", m->component != 0 ? m->component : '^');
	put(w, "ERR");
	put_char(w, m->field);
	if (version < 250)
	{
		put(w, place);
		if (place[0] == '\0')
			put_char(w, m->component);
		put_char(w, m->component);
		put_char(w, m->component);
		put(w, code);
		if (m->subcomponent != 0)
		{
			put_char(w, m->subcomponent);
			put(w, name);
		}
	}
	else
	{
		put_char(w, m->field);
		put(w, place);
		put_char(w, m->field);
		put(w, code);
		put_char(w, m->component);
		put(w, name);
		put_char(w, m->component);
		put(w, "HL70357");
		put_char(w, m->field);
		put(w, "E");
		for (int i = 0; i < 4; i++)
			put_char(w, m->field);
		put_escaped(w, ack->text);
	}
	put_char(w, '\r');
}

static Hl7Message
no_message(void)
{
	Hl7Message	none = {
		.field = '|',.component = '^',.repetition = '~',.escape = '\\',.subcomponent = '&'
	};

	return none;
}

char *
hl7_build_ack(const Hl7Message *message, Hl7Arena *arena, const Hl7Ack *ack, int *len)
{
	static const Hl7Slice nothing = {NULL, 0};
	Hl7Message	none = no_message();
	const Hl7Message *m = message != NULL ? message : &none;
	Hl7Slice	fields[19];
	Hl7Slice	trigger;
	Writer		w = {m, NULL, 0};
	int			size = 1024 + 3 * HL7_ACK_TEXT_MAX;
	int			version;

	for (int i = 1; i <= 18; i++)
	{
		fields[i] = message != NULL ? hl7_field(m, 0, i) : nothing;
		size += fields[i].len;
	}
	w.out = hl7_alloc(arena, size + strlen(ack->control_id) + strlen(ack->time));
	version = version_number(hl7_component(m, fields[12], 1));
	trigger = hl7_trim(hl7_component(m, hl7_repetition(m, fields[9], 1), 2));

	put(&w, "MSH");
	put_char(&w, m->field);
	put_char(&w, m->component);
	put_char(&w, m->repetition);
	put_char(&w, m->escape);
	put_char(&w, m->subcomponent);
	put_char(&w, m->truncation);
	put_char(&w, m->field);
	put_slice(&w, fields[5]);
	put_char(&w, m->field);
	put_slice(&w, fields[6]);
	put_char(&w, m->field);
	put_slice(&w, fields[3]);
	put_char(&w, m->field);
	put_slice(&w, fields[4]);
	put_char(&w, m->field);
	put(&w, ack->time);
	put_char(&w, m->field);
	put_char(&w, m->field);
	put(&w, "ACK");
	if (version >= 230 && trigger.len > 0)
	{
		put_char(&w, m->component);
		put_slice(&w, trigger);
		if (version >= 240)
		{
			put_char(&w, m->component);
			put(&w, "ACK");
		}
	}
	put_char(&w, m->field);
	put(&w, ack->control_id);
	put_char(&w, m->field);
	put_slice(&w, or_else(fields[11], "P"));
	put_char(&w, m->field);
	put_slice(&w, or_else(fields[12], "2.5.1"));
	if (fields[18].len > 0)
	{
		for (int i = 0; i < 6; i++)
			put_char(&w, m->field);
		put_slice(&w, fields[18]);
	}
	put(&w, "\rMSA");
	put_char(&w, m->field);
	put(&w, ack->code);
	put_char(&w, m->field);
	put_slice(&w, fields[10]);
	if (version < 250 && ack->text.len > 0)
	{
		put_char(&w, m->field);
		put_escaped(&w, ack->text);
	}
	put_char(&w, '\r');
	if (ack->code[1] != 'A')
		put_error(&w, ack, version);
	*len = w.len;
	return w.out;
}
