/*
 * billing.h
 *	  What is wrong with the charges and claims of a patient's encounters.
 *
 * Billing is decided by the events of one encounter.  What is reported of a
 * moment follows from what is kept: each finding has the time from which it
 * stands and the time at which something settles it.
 */
#ifndef WT_BILLING_H
#define WT_BILLING_H

#include "postgres.h"

#include "detect/detect.h"

/* In the order of their names; rows of one event are numbered in that order. */
typedef enum BillingProblem
{
	CHARGE_WITHOUT_DOCUMENTATION, CLAIM_DENIED, DIAGNOSIS_NOT_DOCUMENTED,
	DOCUMENTATION_WITHOUT_CHARGE, LATE_CHARGE, MISSING_AUTHORIZATION, MISSING_MODIFIER,
	NBILLING_PROBLEMS
} BillingProblem;

typedef struct Mismatch
{
	BillingProblem problem;
	Event	   *event;			/* the charge or the denial, else the documentation */
	Event	   *documentation;	/* of a late charge, and where there is no charge */
	Str			code;
	TimestampTz since;
	TimestampTz found_at;		/* it stands from here on ... */
	TimestampTz settled_at;		/* ... and not from here on */
	StrList		wanted;			/* modifiers that are missing, or what documents it by each rule, in order of bytes */
} Mismatch;

/* A charge that some rule covers. */
typedef struct Charge
{
	Event	   *event;
	Event	   *documentation;	/* the last before it */
	bool		is_late;		/* by some rule */
	Str			codes;			/* those of the rule that says it most exactly */
} Charge;

/* A claim that was submitted, and what was said to it until it was submitted again. */
typedef struct Claim
{
	Event	   *event;
	int			nanswers;
	Event	  **answers;
	int			problems;		/* of its encounter at that time, as bits */
} Claim;

typedef struct Billing
{
	int			nmismatches;
	Mismatch   *mismatches;
	int			ncharges;
	Charge	   *charges;
	int			nclaims;
	Claim	   *claims;
} Billing;

extern bool has_billed(const Patient *p);
extern Billing *find_billing(Patient *p, const Rules *rules);

/* Keeps what is found. */
typedef struct BillingStore BillingStore;

extern BillingStore *billing_store_begin(Snapshot snapshot);
extern void billing_store_patient(BillingStore *store, Patient *p, const Rules *rules, bool is_new);
extern void billing_store_end(BillingStore *store);

#endif							/* WT_BILLING_H */
