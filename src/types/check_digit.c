/*
 * check_digit.c
 *	  Check digits of identifiers, without server headers.
 *
 * Each function is given ASCII digits and returns the digit, 0 to 9, that
 * belongs after them.
 */
#include "types/check_digit.h"

/*
 * Luhn's formula, which Regenstrief calls mod 10 double-add-double: every
 * second digit from the right, the last one first, counts for the digit sum of
 * its double.
 */
int
luhn_check_digit(const char *digits, int len)
{
	static const unsigned char doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	int			sum = 0;
	int			i;

	for (i = len - 1; i >= 0; i -= 2)
		sum += doubled[digits[i] - '0'];
	for (i = len - 2; i >= 0; i -= 2)
		sum += digits[i] - '0';

	return (10 - sum % 10) % 10;
}

/*
 * Verhoeff's formula: the digits, each permuted by its place from the right,
 * are multiplied in the dihedral group of order ten.
 */
int
verhoeff_check_digit(const char *digits, int len)
{
	static const unsigned char product[10][10] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		{1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
		{2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
		{3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
		{5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
		{6, 5, 9, 8, 7, 1, 0, 4, 3, 2},
		{7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
		{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	};
	static const unsigned char permuted[8][10] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		{1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
		{5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
		{8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0},
		{4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
		{2, 7, 9, 3, 8, 0, 6, 4, 1, 5},
		{7, 0, 4, 6, 9, 1, 3, 2, 5, 8}
	};
	static const unsigned char inverse[10] = {0, 4, 3, 2, 1, 5, 6, 7, 8, 9};
	int			check = 0;
	int			place;

	/* Place 0 is the check digit's own. */
	for (place = 1; place <= len; place++)
		check = product[check][permuted[place % 8][digits[len - place] - '0']];

	return inverse[check];
}
