/*
 * charset.c
 *	  Character sets of messages: their names in HL7, and text brought to the
 *	  database's encoding and back without errors.
 */
#include "compat.h"

#include <limits.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "message/charset.h"

/* HL7 table 0211, with the punctuation that charset_encoding() leaves out. */
static const struct
{
	const char *name;
	int			encoding;
}			names[] = {
	{"ASCII", PG_SQL_ASCII},
	{"USASCII", PG_SQL_ASCII},
	{"ISO88591", PG_LATIN1},
	{"ISO88592", PG_LATIN2},
	{"ISO88593", PG_LATIN3},
	{"ISO88594", PG_LATIN4},
	{"ISO88595", PG_ISO_8859_5},
	{"ISO88596", PG_ISO_8859_6},
	{"ISO88597", PG_ISO_8859_7},
	{"ISO88598", PG_ISO_8859_8},
	{"ISO88599", PG_LATIN5},
	{"ISO885915", PG_LATIN9},
	{"88591", PG_LATIN1},
	{"88592", PG_LATIN2},
	{"88593", PG_LATIN3},
	{"88594", PG_LATIN4},
	{"88595", PG_ISO_8859_5},
	{"88596", PG_ISO_8859_6},
	{"88597", PG_ISO_8859_7},
	{"88598", PG_ISO_8859_8},
	{"88599", PG_LATIN5},
	{"885915", PG_LATIN9},
	{"UNICODE", PG_UTF8},
	{"UNICODEUTF8", PG_UTF8},
	{"GB180302000", PG_GB18030},
	{"KSX1001", PG_EUC_KR},
	{"CNS116431992", PG_EUC_TW},
	{"BIG5", PG_BIG5},
	{"WINDOWS1252", PG_WIN1252},
	{"CP1252", PG_WIN1252}
};

/* The encoding that a name means, in HL7 or to the server; -1 if it is not known. */
int
charset_encoding(Hl7Slice name)
{
	char		folded[32];
	char		whole[64];
	int			n = 0;

	name = hl7_trim(name);
	for (int i = 0; i < name.len && n < (int) sizeof(folded) - 1; i++)
	{
		char		c = pg_ascii_toupper((unsigned char) name.data[i]);

		if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			folded[n++] = c;
	}
	folded[n] = '\0';
	for (int i = 0; i < (int) lengthof(names); i++)
		if (strcmp(folded, names[i].name) == 0)
			return names[i].encoding;
	if (name.len >= (int) sizeof(whole))
		return -1;
	memcpy(whole, name.data, name.len);
	whole[name.len] = '\0';
	return pg_char_to_encoding(whole);
}

/* Are these bytes text of an encoding? */
static bool
is_text(int encoding, const char *data, int len)
{
	if (encoding == PG_SQL_ASCII)
	{
		for (int i = 0; i < len; i++)
			if ((unsigned char) data[i] >= 0x80 || data[i] == '\0')
				return false;
		return true;
	}
	return pg_encoding_verifymbstr(encoding, data, len) == len;
}

/* Brings text from one encoding to another; false if it has characters that the other lacks. */
static bool
convert(int from, int to, const char *data, int len, Hl7Slice *out)
{
	Oid			procedure;
	Size		room = (Size) len * MAX_CONVERSION_GROWTH + 1;
	unsigned char *buffer;

	if (from == to || from == PG_SQL_ASCII || to == PG_SQL_ASCII || len == 0)
	{
		*out = (Hl7Slice) {data, len};
		return true;
	}
	procedure = FindDefaultConversionProc(from, to);
	if (!OidIsValid(procedure) || room > MaxAllocHugeSize / 2 || room > INT_MAX)
		return false;
	buffer = MemoryContextAllocHuge(CurrentMemoryContext, room);
	if (pg_do_encoding_conversion_buf(procedure, from, to, (unsigned char *) unconstify(char *, data), len,
									  buffer, (int) room, true) != len)
		return false;
	*out = (Hl7Slice) {(char *) buffer, (int) strlen((char *) buffer)};
	return true;
}

/* Brings bytes to the database's encoding, where they are not in it; false if they are not valid. */
bool
charset_decode(int encoding, const char *data, int len, Hl7Slice *text)
{
	int			to = GetDatabaseEncoding();

	return is_text(encoding, data, len) && convert(encoding, to, data, len, text) &&
		(to == PG_SQL_ASCII || text->data != data || is_text(to, text->data, text->len));
}

/* Text in an encoding, or as the database has it where that is not possible. */
bytea *
charset_encode(int encoding, Hl7Slice text)
{
	Hl7Slice	out = text;
	bytea	   *result;

	if (encoding >= 0 && !convert(GetDatabaseEncoding(), encoding, text.data, text.len, &out))
		out = text;
	result = palloc(VARHDRSZ + out.len);
	SET_VARSIZE(result, VARHDRSZ + out.len);
	memcpy(VARDATA(result), out.data, out.len);
	return result;
}
