/*
 * detect.h
 *	  What the rooms of detection share: events of a patient in memory, the
 *	  compiled rules, and what evaluating the one by the other finds.
 *
 * The way of the data: touched.c gathers the patients that a transaction
 * touches; at its end evaluate.c locks them (lock.c), loads their events
 * (patient.c, links.c, event.c), evaluates them by the rules (rules.c, when.c,
 * staff.c; loop.c, duplicate.c, routing.c, missing.c, handoff.c; src/billing) and brings the
 * kept state to what was found (store.c, rows.c, handoff_store.c).
 */
#ifndef WT_DETECT_H
#define WT_DETECT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

/* A text that may be null: then data is NULL. */
typedef struct Str
{
	const char *data;
	int			len;
} Str;

static inline bool
str_equal(Str a, Str b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Byte order, nulls first. */
static inline int
str_compare(Str a, Str b)
{
	int			cmp;

	if (a.data == NULL || b.data == NULL)
		return (a.data != NULL) - (b.data != NULL);
	cmp = memcmp(a.data, b.data, Min(a.len, b.len));
	return cmp != 0 ? cmp : a.len - b.len;
}

extern bool str_in(Str s, const Str *list, int n);
extern Str	str_of_datum(Datum text);
extern uint32 str_hash(Str s);

/* --- rules ----------------------------------------------------------------- */

typedef enum Correlation
{
	BY_PATIENT, BY_ENCOUNTER, BY_SUBJECT, BY_ITEM
} Correlation;

/* A list of texts; n is -1 where there is none at all. */
typedef struct StrList
{
	int			n;
	Str		   *items;
} StrList;

typedef struct DetailCondition
{
	Str			key;
	int			nvalues;
	Jsonb	  **values;
} DetailCondition;

/* The conditions of a rule; an absent one holds always. */
typedef struct When
{
	int			severities;		/* bit 0 is unknown, else 1 << severity; 0 if absent */
	int			methods;		/* likewise of entry_method */
	StrList		facilities;
	Str			code;			/* prefix */
	int			ndetails;
	DetailCondition *details;
} When;

typedef struct Canceller
{
	int			kind;
	Correlation correlation;
} Canceller;

typedef struct Expectation
{
	int32		id;
	int64		within;			/* microseconds, as all durations here */
	int64		early;
	Correlation correlation;
	When		when;
	int			nafter;
	int		   *after;			/* ids of kinds */
	int			nexpect;
	int		   *expect;
	StrList		by;
	int			ncancelled_by;
	Canceller  *cancelled_by;
} Expectation;

typedef struct DuplicateRule
{
	int32		id;
	int			kind;
	int64		within;
	bool		reject;
	When		when;
	int			nsame;
	int		   *same;			/* event columns */
	int			ndifferent;
	int		   *different;
} DuplicateRule;

/* A step whose events are delivered to someone. */
typedef struct Delivery
{
	Str			workflow;
	Str			step;
	int			kind;
	StrList		roles;
	Datum		roles_array;	/* text[] */
} Delivery;

/* What a charge needs in order to be paid. */
typedef struct BillingRule
{
	Str			codes;			/* the beginning of those that it covers */
	int64		within;			/* from documentation to charge */
	int			ndocumented_by;
	int		   *documented_by;	/* ids of kinds ... */
	StrList		documentation;	/* ... and in words, as one text */
	bool		requires_authorization;
	StrList		requires_modifiers; /* in order of bytes */
} BillingRule;
/* What a step's events must hold: a column, EV_DETAIL with a key as part, or EV_EVENT_ID with the beginning of a code. */
typedef struct RequiredField
{
	Str			name;			/* as the map has it */
	int			column;
	Str			part;
} RequiredField;

typedef struct Requirement
{
	Str			workflow;
	Str			step;
	int			kind;
	int			nfields;
	RequiredField *fields;
} Requirement;

typedef struct Kind
{
	Str			name;
	int			id;
	bool		is_declared;	/* has a row in event_kind */
	bool		counts_as_work;
	bool		needs_detail;	/* some rule looks into its detail */
	bool		may_reject;		/* some duplicate rule refuses it */
	bool		is_merge;		/* patient.merged or encounter.merged */
	bool		is_billed;		/* billing looks at it */
} Kind;

typedef struct Rules
{
	int			nkinds;
	Kind	  **kinds;
	int			nexpectations;
	Expectation *expectations;
	int			nduplicates;
	DuplicateRule *duplicates;
	int			ndeliveries;
	Delivery   *deliveries;
	int			nbilling;
	BillingRule *billing;
	int			nrequirements;
	Requirement *requirements;
	int64		lookback;		/* no rule looks back further from an event of good precision */
	int			offered;		/* kinds of an explicit handoff */
	int			accepted;
	int			charged;		/* kinds that billing looks at, beside those that document */
	int			diagnosed;
	int			approved;
	int			submitted;
	int			accepted_claim;
	int			denied;
	int			paid;
} Rules;

extern const Rules *rules_current(void);
extern const Rules *rules_of_version(Str workflow, int32 version);
extern const Kind *rules_kind(Str name);

/* --- events ---------------------------------------------------------------- */

/* The columns of event, in its order; the numbers of attributes less one. */
enum EventColumn
{
	EV_EVENT_ID, EV_OCCURRED_AT, EV_RECORDED_AT, EV_SOURCE_SEQUENCE,
	EV_TIME_PRECISION, EV_PLANNED_AT, EV_FACILITY, EV_PATIENT_ID,
	EV_ENCOUNTER_ID, EV_SUBJECT, EV_ITEM, EV_KIND, EV_CODE, EV_VALUE,
	EV_SEVERITY, EV_ACTOR, EV_ACTOR_ROLE, EV_RECIPIENT, EV_RECIPIENT_ROLE,
	EV_SOURCE_SYSTEM, EV_ENTRY_METHOD, EV_MESSAGE_ID, EV_DETAIL,
	EV_NCOLUMNS
};

extern const char *const event_column_names[EV_NCOLUMNS];

typedef struct Event
{
	int64		event_id;
	TimestampTz at;
	TimestampTz end;			/* the last instant that `at` may mean */
	int32		sequence;
	const Kind *kind;
	Str			facility;
	Str			patient;
	Str			encounter;
	Str			subject;
	Str			item;
	Str			code;
	Str			value;
	Str			actor;
	Str			recipient;
	Str			system;
	Str			stated_actor_role;
	Str			stated_recipient_role;
	Str			actor_role;		/* stated or looked up */
	Str			recipient_role;
	bool		has_actor_role; /* have the two been looked up? */
	bool		has_recipient_role;
	bool		has_planned;
	bool		has_message;
	Oid			severity;		/* enum values, InvalidOid is null */
	Oid			method;
	int8		severity_rank;	/* 0 is null, normal is 1 */
	int8		method_rank;	/* 0 is null, interface is 1 */
	TimestampTz planned;
	int64		message_id;
	Jsonb	   *detail;			/* only where the kind needs it */
	int			encounter_key;	/* equal for encounters that are one; -1 is null */
	int			subject_key;
} Event;

/* Where an event of this transaction is. */
typedef struct EventPlace
{
	int64		event_id;
	ItemPointerData tid;
	uint16		partition;		/* for place_partition() */
} EventPlace;

/* One patient: every id that merges make one, and all their events. */
typedef struct Patient
{
	int			nids;
	Str		   *ids;
	bool		is_test;
	int			nevents;
	Event	   *events;			/* canonical order */
	int			nencounters;	/* encounter_key is below it */
	int			nsubjects;
	struct Names *encounters;	/* names by encounter_key, aliases too */
	struct Names *subjects;
	TimestampTz from;			/* what opened, repeated or went astray before is not looked for */
	bool		is_whole;		/* are all events here, or those of a window only? */
	int64		longest_imprecision;	/* the largest end - at */
	int		   *kind_start;		/* events by kind: by_kind[kind_start[k] ..] */
	int		   *by_kind;
} Patient;

extern bool when_holds(const When *when, const Event *e);
extern int	event_compare(const Event *a, const Event *b);
extern Str	event_text(const Event *e, int column);
extern bool event_column_equal(const Event *a, const Event *b, int column);

/* --- staff ----------------------------------------------------------------- */

extern void staff_current(void);
extern Str	actor_role(Event *e);
extern Str	recipient_role(Event *e);
extern bool is_known_person(Str actor);
extern bool is_active_person(Str actor, TimestampTz at, bool *shared_inbox);

/* --- findings -------------------------------------------------------------- */

typedef struct Loop
{
	const Expectation *rule;
	Event	   *opener;
	Event	   *closer;			/* one of the two at most is set */
	Event	   *canceller;
	TimestampTz due_at;
} Loop;

typedef struct Duplicate
{
	const DuplicateRule *rule;
	Event	   *duplicate;
	Event	   *original;
} Duplicate;

typedef struct Misrouted
{
	const Delivery *delivery;
	Event	   *event;
	const char *reason;
	Event	   *claim;
} Misrouted;

/* What an event lacks, and when a later one supplies each. */
typedef struct Missing
{
	const Requirement *requirement;
	Event	   *event;
	StrList		fields;
	TimestampTz *supplied_at;
	TimestampTz settled_at;		/* the last of these */
} Missing;

typedef enum HandoffBasis
{
	HANDOFF_EXPLICIT, HANDOFF_THREAD, HANDOFF_IMPLIED
} HandoffBasis;

typedef struct Handoff
{
	HandoffBasis basis;
	Event	   *from;
	Event	   *to;
} Handoff;

/* What rule_coverage counts of one event. */
typedef struct Coverage
{
	const Expectation *rule;
	Event	   *event;
	bool		opens;
	bool		closes;
	bool		unmatched;
} Coverage;

/* A kept loop whose opening event may lie before the window. */
typedef struct OpenLoop
{
	int32		rule_id;
	bool		is_known;		/* is the rule still in force? */
	Event		opener;			/* what kept state tells of it */
	Event	   *closer;			/* found: one of the two at most is set */
	Event	   *canceller;
} OpenLoop;

/* A kept misrouted event that may lie before the window. */
typedef struct OpenMisrouted
{
	Str			workflow;
	Str			step;
	bool		is_known;
	Event		event;
	Event	   *claim;
} OpenMisrouted;

/* A kept event before the window that lacks something. */
typedef struct OpenMissing
{
	Str			workflow;
	Str			step;
	Event		event;
	StrList		fields;
	TimestampTz *supplied_at;
} OpenMissing;

/* What kept state tells of events before a window. */
typedef struct Earlier
{
	int			nloops;
	OpenLoop   *loops;
	int			nmisrouted;
	OpenMisrouted *misrouted;
	int			nmissing;
	OpenMissing *missing;
} Earlier;

extern Loop *find_loops(Patient *p, const Rules *rules, int *nloops, bool *needs_whole);
extern void settle_loops(Patient *p, const Rules *rules, Earlier *earlier);
extern void claim_misrouted(Patient *p, const Rules *rules, Earlier *earlier);
extern Coverage *find_coverage(Patient *p, const Rules *rules, TimestampTz as_of, int *ncoverage);
extern Duplicate *find_duplicates(Patient *p, const Rules *rules, int *nduplicates);
extern Misrouted *find_misrouted(Patient *p, const Rules *rules, int *nmisrouted);
extern Missing *find_missing(Patient *p, const Rules *rules, int *nmissing);
extern void supply_missing(Patient *p, const Rules *rules, Earlier *earlier);
extern Handoff *find_handoffs(Patient *p, const Rules *rules, int *nhandoffs);

/* --- loading --------------------------------------------------------------- */

typedef struct Loader Loader;

extern Loader *loader_begin(Snapshot snapshot);
extern const Rules *loader_rules(const Loader *loader);
extern List *loader_linked_ids(Loader *loader, List *ids);
extern List *loader_parts(Loader *loader, List *ids);
extern Patient *loader_patient(Loader *loader, List *ids, TimestampTz since, bool linked);
extern Patient *loader_placed(Loader *loader, List *ids, const EventPlace *places, int nplaces);
extern Patient *loader_window(Loader *loader, List *ids, TimestampTz from, bool linked, Earlier *earlier);
extern Patient *loader_known(Loader *loader, Str id);
extern Patient *loader_by_id(Loader *loader, Str id, TimestampTz first_at, bool linked);
extern void loader_end(Loader *loader);

/* --- locks ----------------------------------------------------------------- */

extern void detection_lock_shared(void);
extern void detection_lock_exclusive(void);
extern bool detection_lock_conditionally(void);
extern void detection_barrier(void);
extern void lock_stripes(const bool *wanted);
extern void unlock_stripes(const bool *held);
extern int	stripe_of(Str patient);

#define WT_STRIPES 1024

/* --- keeping --------------------------------------------------------------- */

typedef struct Store Store;

extern Store *store_begin(Snapshot snapshot, bool rebase);
extern void store_patient(Store *store, Patient *p, const Rules *rules, bool is_new);
extern bool store_window(Store *store, Loader *loader, List *ids, TimestampTz since, TimestampTz from, bool linked);
extern void store_end(Store *store);

#define WT_ERRCODE_DUPLICATE MAKE_SQLSTATE('W','T','0','0','1')

#endif							/* WT_DETECT_H */
