/*
 * hl7v2_time.c
 *	  Timestamps of HL7 v2 (DTM), without server headers.
 */
#include "message/hl7v2.h"

/* Reads digits; false unless there are so many, of a number in a range. */
static bool
read_digits(Hl7Slice *s, int ndigits, int low, int high, int *number)
{
	*number = 0;
	if (s->len < ndigits)
		return false;
	for (int i = 0; i < ndigits; i++)
	{
		if (s->data[i] < '0' || s->data[i] > '9')
			return false;
		*number = *number * 10 + (s->data[i] - '0');
	}
	s->data += ndigits;
	s->len -= ndigits;
	return *number >= low && *number <= high;
}

static bool
at_digit(Hl7Slice s)
{
	return s.len > 0 && s.data[0] >= '0' && s.data[0] <= '9';
}

static int
days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* Reads a fraction of a second; what is finer than a microsecond is cut off. */
static bool
read_fraction(Hl7Slice *s, int *microsecond)
{
	int			scale = 100000;

	if (s->len == 0 || s->data[0] != '.')
		return true;
	s->data++;
	s->len--;
	if (!at_digit(*s))
		return false;
	while (at_digit(*s))
	{
		*microsecond += (s->data[0] - '0') * scale;
		scale /= 10;
		s->data++;
		s->len--;
	}
	return true;
}

static bool
read_zone(Hl7Slice *s, Hl7Time *time)
{
	int			hours;
	int			minutes;
	bool		west;

	if (s->len == 0)
		return true;
	if (s->data[0] != '+' && s->data[0] != '-')
		return false;
	west = s->data[0] == '-';
	s->data++;
	s->len--;
	if (!read_digits(s, 2, 0, 15, &hours) || !read_digits(s, 2, 0, 59, &minutes))
		return false;
	time->has_zone = true;
	time->zone = (hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

/* Reads a timestamp, blanks around it aside; false if it cannot be. */
bool
hl7_parse_time(Hl7Slice s, Hl7Time *time)
{
	*time = (Hl7Time) {.month = 1,.day = 1,.precision = HL7_YEAR};
	s = hl7_trim(s);
	if (!read_digits(&s, 4, 1, 9999, &time->year))
		return false;
	if (at_digit(s))
	{
		time->precision = HL7_MONTH;
		if (!read_digits(&s, 2, 1, 12, &time->month))
			return false;
	}
	if (at_digit(s))
	{
		time->precision = HL7_DAY;
		if (!read_digits(&s, 2, 1, days_of_month(time->year, time->month), &time->day))
			return false;
	}
	if (at_digit(s))
	{
		time->precision = HL7_HOUR;
		if (!read_digits(&s, 2, 0, 23, &time->hour))
			return false;
	}
	if (at_digit(s))
	{
		time->precision = HL7_MINUTE;
		if (!read_digits(&s, 2, 0, 59, &time->minute))
			return false;
	}
	if (at_digit(s))
	{
		time->precision = HL7_SECOND;
		/* a leap second is the last of its minute */
		if (!read_digits(&s, 2, 0, 60, &time->second) || !read_fraction(&s, &time->microsecond))
			return false;
		if (time->second == 60)
		{
			time->second = 59;
			time->microsecond = 999999;
		}
	}
	return read_zone(&s, time) && s.len == 0;
}
