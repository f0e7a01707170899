/*
 * store.h
 *	  Kept state: what the views read.
 */
#ifndef WT_STORE_H
#define WT_STORE_H

#include "postgres.h"

#include "detect/detect.h"
#include "detect/table.h"

/* Columns of the tables of kept state, in their order; setup.sql makes them. */
enum LoopColumn
{
	LS_OPENED_EVENT_ID, LS_OPENED_AT, LS_DUE_AT, LS_SETTLED_AT,
	LS_CLOSED_EVENT_ID, LS_OPENED_MESSAGE_ID, LS_EXPECTATION_ID, LS_SEVERITY,
	LS_IS_CANCELLED, LS_IS_TEST, LS_PATIENT_ID, LS_FACILITY, LS_ENCOUNTER_ID,
	LS_SUBJECT, LS_ITEM, LS_CODE, LS_OPENED_BY_KIND, LS_OWNER, LS_OWNER_ROLE,
	LS_CLOSED_BY, LS_CLOSED_BY_ROLE,
	LS_NCOLUMNS
};

enum DuplicateColumn
{
	DS_DUPLICATE_EVENT_ID, DS_ORIGINAL_EVENT_ID, DS_DUPLICATE_AT, DS_ORIGINAL_AT,
	DS_DUPLICATE_RULE_ID, DS_DUPLICATE_METHOD, DS_IS_TEST, DS_PATIENT_ID, DS_FACILITY,
	DS_ENCOUNTER_ID, DS_KIND, DS_SUBJECT, DS_CODE, DS_VALUE, DS_ORIGINAL_SYSTEM,
	DS_DUPLICATE_SYSTEM, DS_ORIGINAL_ACTOR, DS_DUPLICATE_ACTOR,
	DS_NCOLUMNS
};

enum MisroutedColumn
{
	MS_EVENT_ID, MS_OCCURRED_AT, MS_CLAIMED_AT, MS_MESSAGE_ID, MS_SEVERITY,
	MS_IS_TEST, MS_PATIENT_ID, MS_FACILITY, MS_ENCOUNTER_ID, MS_SUBJECT, MS_ITEM,
	MS_CODE, MS_RECIPIENT, MS_RECIPIENT_ROLE, MS_EXPECTED_ROLES, MS_REASON,
	MS_WORKFLOW, MS_STEP, MS_CLAIMED_BY,
	MS_NCOLUMNS
};

enum MissingColumn
{
	MI_EVENT_ID, MI_OCCURRED_AT, MI_SETTLED_AT, MI_IS_TEST, MI_PATIENT_ID, MI_FACILITY,
	MI_ENCOUNTER_ID, MI_SUBJECT, MI_WORKFLOW, MI_STEP, MI_MISSING, MI_SUPPLIED_AT,
	MI_NCOLUMNS
};

extern void refuse_duplicates(const Duplicate *duplicates, int n);

/* Columns of handoff_state and handoff_delta, in their order. */
enum
{
	HS_PATIENT_ID, HS_CONTRIBUTION, HS_NCOLUMNS
};

enum
{
	HD_REMOVED, HD_ADDED, HD_NCOLUMNS
};

/* Handoffs: their contribution to the rollups, by patient id. */
typedef struct HandoffStore HandoffStore;

extern HandoffStore *handoff_store_begin(Snapshot snapshot, bool rebase);
extern void handoff_store_patient(HandoffStore *store, Patient *p, const Rules *rules, bool is_new);
extern void handoff_store_later(HandoffStore *store, const Str *ids, int nids);
extern void handoff_store_end(HandoffStore *store);

#endif							/* WT_STORE_H */
