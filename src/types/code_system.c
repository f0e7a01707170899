/*
 * code_system.c
 *	  The coding systems that have a form of their own, without server headers.
 *
 * Only ASCII is folded, so that no code depends on a locale.
 */
#include <stdbool.h>
#include <string.h>

#include "types/check_digit.h"
#include "types/code_system.h"

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

static inline char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static inline char
to_lower(char c)
{
	return is_upper(c) ? c - 'A' + 'a' : c;
}

/* Whether all of these bytes are digits. */
static bool
all_digits(const char *s, int len)
{
	int			i;

	for (i = 0; i < len; i++)
		if (!is_digit(s[i]))
			return false;

	return true;
}

/* Copies a number of min to max digits without leading zeros. */
static int
copy_number(const char *code, int len, int min, int max, char *out)
{
	if (len < min || len > max || code[0] == '0' || !all_digits(code, len))
		return 0;
	memcpy(out, code, len);

	return len;
}

/* Copies in upper case. */
static int
copy_upper(const char *s, int len, char *out)
{
	int			i;

	for (i = 0; i < len; i++)
		out[i] = to_upper(s[i]);

	return len;
}

/*
 * Copies letters and digits in upper case, with a dot before what follows the
 * first `head` of them, whether or not one was there.
 */
static int
copy_dotted(const char *code, int len, int head, char *out)
{
	int			n = 0;
	int			i;

	for (i = 0; i < len; i++)
	{
		char		c = to_upper(code[i]);

		if (c == '.' && i == head)
			continue;
		if (!is_upper(c) && !is_digit(c))
			return 0;
		if (n == head)
			out[n++] = '.';
		out[n++] = c;
	}

	return n;
}

/* The same for the beginning of a code: a dot that was given stays where it is. */
static int
copy_dotted_part(const char *part, int len, int head, char *out)
{
	if (len <= head || memchr(part, '.', len) != NULL)
		return copy_upper(part, len, out);

	copy_upper(part, head, out);
	out[head] = '.';

	return copy_upper(part + head, len - head, out + head + 1) + head + 1;
}

/* 1 to 7 digits, a hyphen, a check digit */
static int
normalize_loinc(const char *code, int len, char *out, int *check_digit)
{
	int			body = len - 2;

	if (body < 1 || body > 7 || code[body] != '-' || !is_digit(code[body + 1]) ||
		copy_number(code, body, 1, 7, out) == 0)
		return 0;
	memcpy(out + body, code + body, 2);
	*check_digit = luhn_check_digit(code, body);

	return len;
}

/* 6 to 18 digits */
static int
normalize_snomed(const char *code, int len, char *out, int *check_digit)
{
	if (copy_number(code, len, 6, 18, out) == 0)
		return 0;
	*check_digit = verhoeff_check_digit(code, len - 1);

	return len;
}

/* 10 digits, of which the first is 1 or 2, checked as if after 80840 */
static int
normalize_npi(const char *code, int len, char *out, int *check_digit)
{
	char		card[14] = "80840";

	if (copy_number(code, len, 10, 10, out) == 0 || code[0] > '2')
		return 0;
	memcpy(card + 5, code, 9);
	*check_digit = luhn_check_digit(card, 14);

	return len;
}

/* a letter, a digit, a letter or digit; up to 4 more after a dot */
static int
normalize_icd10cm(const char *code, int len, char *out, int *check_digit)
{
	int			n;

	if (len < 3 || len > 8)
		return 0;
	n = copy_dotted(code, len, 3, out);
	if (n < 3 || n > 8 || !is_upper(out[0]) || !is_digit(out[1]))
		return 0;

	return n;
}

static int
normalize_icd10cm_part(const char *part, int len, char *out)
{
	return copy_dotted_part(part, len, 3, out);
}

/* 7 digits and letters */
static int
normalize_icd10pcs(const char *code, int len, char *out, int *check_digit)
{
	int			i;

	if (len != 7)
		return 0;
	copy_upper(code, len, out);
	for (i = 0; i < len; i++)
		if ((!is_upper(out[i]) && !is_digit(out[i])) || out[i] == 'I' || out[i] == 'O')
			return 0;

	return len;
}

/* Where the dot of a diagnosis of ICD-9-CM stands. */
static inline int
icd9cm_head(const char *code)
{
	return to_upper(code[0]) == 'E' ? 4 : 3;
}

/* 3 digits, or V and 2, or E and 3; then a dot and up to 2 more, 1 after E */
static int
normalize_icd9cm(const char *code, int len, char *out, int *check_digit)
{
	int			head = icd9cm_head(code);
	int			n;

	if (len < head || len > 6)
		return 0;
	n = copy_dotted(code, len, head, out);
	if (n < head || n > 6 ||
		(!is_digit(out[0]) && out[0] != 'V' && out[0] != 'E') ||
		!all_digits(out + 1, head - 1) ||
		(n > head && !all_digits(out + head + 1, n - head - 1)))
		return 0;

	return n;
}

static int
normalize_icd9cm_part(const char *part, int len, char *out)
{
	return copy_dotted_part(part, len, icd9cm_head(part), out);
}

/* 5 digits, or 4 and the letter of a category */
static int
normalize_cpt(const char *code, int len, char *out, int *check_digit)
{
	if (len != 5)
		return 0;
	copy_upper(code, len, out);
	if (!all_digits(out, 4) || (!is_digit(out[4]) && memchr("AFMTU", out[4], 5) == NULL))
		return 0;

	return len;
}

/* a letter and 4 digits */
static int
normalize_hcpcs(const char *code, int len, char *out, int *check_digit)
{
	if (len != 5)
		return 0;
	copy_upper(code, len, out);
	if (!is_upper(out[0]) || !all_digits(out + 1, 4))
		return 0;

	return len;
}

/* How many digits the labeler, the product and the package of an NDC have. */
static const int ndc_width[3] = {5, 4, 2};

/*
 * 11 digits, or three groups of them with hyphens, of which one may lack its
 * leading zero.  Ten digits without hyphens do not tell which one lacks it.
 */
static int
normalize_ndc(const char *code, int len, char *out, int *check_digit)
{
	bool		hyphens = memchr(code, '-', len) != NULL;
	int			n = 0;
	int			used = 0;
	int			part;

	if (len < (hyphens ? 12 : 11) || len > 13)
		return 0;

	for (part = 0; part < 3; part++)
	{
		int			width = ndc_width[part];
		int			digits = 0;

		if (part > 0)
		{
			out[n++] = '-';
			if (hyphens && (used == len || code[used++] != '-'))
				return 0;
		}
		while (digits < width && used + digits < len && is_digit(code[used + digits]))
			digits++;
		if (digits < width - 1)
			return 0;
		if (digits < width)
			out[n++] = '0';
		memcpy(out + n, code + used, digits);
		n += digits;
		used += digits;
	}

	return used == len ? n : 0;
}

static int
normalize_ndc_part(const char *part, int len, char *out)
{
	bool		hyphens = memchr(part, '-', len) != NULL;
	int			n = 0;
	int			start = 0;		/* of the group that out[n] belongs to */
	int			group = 0;
	int			i;

	for (i = 0; i < len; i++)
	{
		if (hyphens && part[i] == '-' && group < 2)
		{
			/* A hyphen ends the group, so a zero that it lacks is known. */
			if (n - start == ndc_width[group] - 1)
			{
				memmove(out + start + 1, out + start, n - start);
				out[start] = '0';
				n++;
			}
			start = n + 1;
			group++;
		}
		else if (!hyphens && group < 2 && n - start == ndc_width[group])
		{
			out[n++] = '-';
			start = n;
			group++;
		}
		out[n++] = part[i];
	}

	return n;
}

/* 1 to 8 digits */
static int
normalize_rxnorm(const char *code, int len, char *out, int *check_digit)
{
	return copy_number(code, len, 1, 8, out);
}

/* 1 to 3 digits, written with at least 2 */
static int
normalize_cvx(const char *code, int len, char *out, int *check_digit)
{
	if (len < 1 || len > 3 || !all_digits(code, len))
		return 0;
	if (len == 3 && code[0] != '0')
	{
		memcpy(out, code, 3);
		return 3;
	}
	out[0] = len == 1 ? '0' : code[len - 2];
	out[1] = code[len - 1];

	return 2;
}

enum
{
	LOINC, SNOMED, NPI, ICD10CM, ICD10PCS, ICD9CM, CPT, HCPCS, NDC, RXNORM, CVX
};

/* A string and its length. */
#define WITH_LENGTH(s) s, sizeof(s) - 1

static const CodeSystem systems[] = {
	[LOINC] = {WITH_LENGTH("loinc"), "LOINC code",
		"A LOINC code is one to seven digits, a hyphen and a check digit.",
	normalize_loinc, copy_upper},
	[SNOMED] = {WITH_LENGTH("snomed"), "SNOMED CT code",
		"A SNOMED CT code is 6 to 18 digits, of which the last is a check digit.",
	normalize_snomed, copy_upper},
	[NPI] = {WITH_LENGTH("npi"), "NPI",
		"An NPI is 10 digits, of which the first is 1 or 2 and the last is a check digit.",
	normalize_npi, copy_upper},
	[ICD10CM] = {WITH_LENGTH("icd10cm"), "ICD-10-CM code",
		"An ICD-10-CM code is a letter, a digit and a letter or digit, then up to four more after a dot.",
	normalize_icd10cm, normalize_icd10cm_part},
	[ICD10PCS] = {WITH_LENGTH("icd10pcs"), "ICD-10-PCS code",
		"An ICD-10-PCS code is seven digits and letters other than I and O.",
	normalize_icd10pcs, copy_upper},
	[ICD9CM] = {WITH_LENGTH("icd9cm"), "ICD-9-CM diagnosis",
		"An ICD-9-CM diagnosis is three digits or V and two, then up to two more after a dot, or E and three digits, then up to one more after a dot.",
	normalize_icd9cm, normalize_icd9cm_part},
	[CPT] = {WITH_LENGTH("cpt"), "CPT code",
		"A CPT code is five digits, or four digits and one of the letters A, F, M, T and U.",
	normalize_cpt, copy_upper},
	[HCPCS] = {WITH_LENGTH("hcpcs"), "HCPCS code",
		"An HCPCS code is a letter and four digits.",
	normalize_hcpcs, copy_upper},
	[NDC] = {WITH_LENGTH("ndc"), "NDC",
		"An NDC is 11 digits, or digits with hyphens in groups of 4-4-2, 5-3-2, 5-4-1 or 5-4-2.",
	normalize_ndc, normalize_ndc_part},
	[RXNORM] = {WITH_LENGTH("rxnorm"), "RxNorm code",
		"An RxNorm code is one to eight digits.",
	normalize_rxnorm, copy_upper},
	[CVX] = {WITH_LENGTH("cvx"), "CVX code",
		"A CVX code is one to three digits.",
	normalize_cvx, copy_upper}
};

const char	code_system_names[] =
"loinc, snomed, npi, icd10cm, icd10pcs, icd9cm, cpt, hcpcs, ndc, rxnorm, cvx";

/*
 * Every name of a system: its own, those of HL7 table 0396 and of common
 * use, and of FHIR the URI without its scheme and the OID.  The own ones come
 * first, since most of what is looked up is stored codes read again.
 */
static const struct
{
	const char *name;
	int			len;
	int			system;
}			names[] = {
	{WITH_LENGTH("loinc"), LOINC},
	{WITH_LENGTH("cpt"), CPT},
	{WITH_LENGTH("icd10cm"), ICD10CM},
	{WITH_LENGTH("snomed"), SNOMED},
	{WITH_LENGTH("rxnorm"), RXNORM},
	{WITH_LENGTH("hcpcs"), HCPCS},
	{WITH_LENGTH("ndc"), NDC},
	{WITH_LENGTH("cvx"), CVX},
	{WITH_LENGTH("npi"), NPI},
	{WITH_LENGTH("icd10pcs"), ICD10PCS},
	{WITH_LENGTH("icd9cm"), ICD9CM},

	{WITH_LENGTH("ln"), LOINC},
	{WITH_LENGTH("sct"), SNOMED},
	{WITH_LENGTH("c4"), CPT},
	{WITH_LENGTH("i10"), ICD10CM},
	{WITH_LENGTH("i10c"), ICD10CM},
	{WITH_LENGTH("i10p"), ICD10PCS},
	{WITH_LENGTH("i9"), ICD9CM},
	{WITH_LENGTH("i9c"), ICD9CM},
	{WITH_LENGTH("i9cdx"), ICD9CM},
	{WITH_LENGTH("hpc"), HCPCS},
	{WITH_LENGTH("snm"), SNOMED},
	{WITH_LENGTH("snm3"), SNOMED},
	{WITH_LENGTH("sct2"), SNOMED},
	{WITH_LENGTH("cpt4"), CPT},
	{WITH_LENGTH("cpt-4"), CPT},
	{WITH_LENGTH("icd10"), ICD10CM},
	{WITH_LENGTH("icd-10"), ICD10CM},
	{WITH_LENGTH("icd-10-cm"), ICD10CM},
	{WITH_LENGTH("icd-10-pcs"), ICD10PCS},
	{WITH_LENGTH("icd9"), ICD9CM},
	{WITH_LENGTH("icd-9-cm"), ICD9CM},
	{WITH_LENGTH("snomedct"), SNOMED},
	{WITH_LENGTH("snomed-ct"), SNOMED},

	{WITH_LENGTH("loinc.org"), LOINC},
	{WITH_LENGTH("snomed.info/sct"), SNOMED},
	{WITH_LENGTH("hl7.org/fhir/sid/us-npi"), NPI},
	{WITH_LENGTH("hl7.org/fhir/sid/icd-10-cm"), ICD10CM},
	{WITH_LENGTH("hl7.org/fhir/sid/icd-10"), ICD10CM},
	{WITH_LENGTH("www.cms.gov/medicare/coding/icd10"), ICD10PCS},
	{WITH_LENGTH("hl7.org/fhir/sid/icd-9-cm"), ICD9CM},
	{WITH_LENGTH("www.ama-assn.org/go/cpt"), CPT},
	{WITH_LENGTH("www.cms.gov/medicare/coding/hcpcsreleasecodesets"), HCPCS},
	{WITH_LENGTH("hl7.org/fhir/sid/ndc"), NDC},
	{WITH_LENGTH("www.nlm.nih.gov/research/umls/rxnorm"), RXNORM},
	{WITH_LENGTH("hl7.org/fhir/sid/cvx"), CVX},

	{WITH_LENGTH("2.16.840.1.113883.6.1"), LOINC},
	{WITH_LENGTH("2.16.840.1.113883.6.96"), SNOMED},
	{WITH_LENGTH("2.16.840.1.113883.4.6"), NPI},
	{WITH_LENGTH("2.16.840.1.113883.6.90"), ICD10CM},
	{WITH_LENGTH("2.16.840.1.113883.6.3"), ICD10CM},
	{WITH_LENGTH("2.16.840.1.113883.6.4"), ICD10PCS},
	{WITH_LENGTH("2.16.840.1.113883.6.103"), ICD9CM},
	{WITH_LENGTH("2.16.840.1.113883.6.12"), CPT},
	{WITH_LENGTH("2.16.840.1.113883.6.285"), HCPCS},
	{WITH_LENGTH("2.16.840.1.113883.6.69"), NDC},
	{WITH_LENGTH("2.16.840.1.113883.6.88"), RXNORM},
	{WITH_LENGTH("2.16.840.1.113883.12.292"), CVX}
};

/* Skips a prefix if the string starts with it. */
static void
skip_prefix(const char **s, int *len, const char *prefix, int prefix_len)
{
	if (*len > prefix_len && memcmp(*s, prefix, prefix_len) == 0)
	{
		*s += prefix_len;
		*len -= prefix_len;
	}
}

/* The system of this name, in any case, or NULL. */
const CodeSystem *
code_system_find(const char *name, int len)
{
	char		folded[64];
	const char *key = folded;
	int			i;

	if (len > (int) sizeof(folded))
		return NULL;
	for (i = 0; i < len; i++)
		folded[i] = to_lower(name[i]);

	skip_prefix(&key, &len, WITH_LENGTH("urn:oid:"));
	skip_prefix(&key, &len, WITH_LENGTH("http://"));
	skip_prefix(&key, &len, WITH_LENGTH("https://"));

	for (i = 0; i < (int) (sizeof(names) / sizeof(names[0])); i++)
		if (names[i].len == len && memcmp(names[i].name, key, len) == 0)
			return &systems[names[i].system];

	return NULL;
}
