/*
 * bytes.c
 *	  What all fuzzers share: bytes, and checks of slices.
 */
#include "fuzz.h"

/* A copy with nothing that may be read after it. */
char *
exact_copy(const char *data, int len)
{
	char	   *copy = malloc(len);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* How long the UTF-8 character that starts here is, or 0. */
int
character_length(const unsigned char *s, int len)
{
	uint32_t	c = s[0];
	int			n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if (n == 0 || n > len || c > 0xf4)
		return 0;
	if (n > 1)
		c &= 0xff >> (n + 1);
	for (int i = 1; i < n; i++)
	{
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c >= least[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

bool
is_utf8(Hl7Slice s)
{
	for (int i = 0; i < s.len;)
	{
		int			n = character_length((const unsigned char *) s.data + i, s.len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

/* --- slices ---------------------------------------------------------------- */

bool
same_bytes(Hl7Slice a, Hl7Slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Reads all of a slice, so that the sanitizer sees where it lies. */
unsigned char
read_bytes(Hl7Slice s)
{
	unsigned char sum = 0;

	CHECK(s.len >= 0);
	CHECK(s.data != NULL || s.len == 0);
	for (int i = 0; i < s.len; i++)
		sum += (unsigned char) s.data[i];
	return sum;
}

/* Does a slice lie in some bytes? */
void
check_inside(Hl7Slice s, const char *data, int len)
{
	CHECK(s.len >= 0);
	if (s.data == NULL)
		CHECK(s.len == 0);
	else
		CHECK(s.data >= data && s.data + s.len <= data + len);
}
