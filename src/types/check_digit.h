/*
 * check_digit.h
 *	  Check digits of identifiers, without server headers.
 */
#ifndef WT_CHECK_DIGIT_H
#define WT_CHECK_DIGIT_H

extern int	luhn_check_digit(const char *digits, int len);
extern int	verhoeff_check_digit(const char *digits, int len);

#endif							/* WT_CHECK_DIGIT_H */
