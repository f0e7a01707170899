/*
 * workflow_track.c
 *	  Module entry: magic, settings and callbacks, and nothing else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "burden/mark.h"
#include "detect/rules.h"
#include "detect/touched.h"
#include "message/inbox.h"
#include "message/mapping.h"
#include "record/settle.h"
#include "report/visible.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

/* What the server calls when it loads the module. */
void
_PG_init(void)
{
	DefineCustomBoolVariable("workflow_track.test_patients",
							 "Shows patients of table test_patient in reports.",
							 NULL, &show_test_patients, false, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	MarkGUCPrefixReserved("workflow_track");
	rules_init();
	touched_init();
	mark_init();
	settle_init();
	mapping_init();
	inbox_init();
}
