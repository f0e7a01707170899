/*
 * visible.h
 *	  What the current user may see.
 */
#ifndef WT_VISIBLE_H
#define WT_VISIBLE_H

#include "postgres.h"

#include "fmgr.h"

#include "detect/detect.h"

typedef struct Visible
{
	bool		all;
	int			n;
	int			size;
	Str		   *facilities;
	bool		test_patients;
} Visible;

extern bool show_test_patients;

extern Visible *visible_to_user(void);
extern const Visible *visible_to_caller(FunctionCallInfo fcinfo);
extern bool is_visible(const Visible *visible, Str facility);

#endif							/* WT_VISIBLE_H */
