/*
 * workflow_track.c
 *	  Module entry: magic, settings and callbacks, and nothing else.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
