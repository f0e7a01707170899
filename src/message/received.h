/*
 * received.h
 *	  A message on its way in: what came, what it says, what becomes of it.
 */
#ifndef WT_RECEIVED_H
#define WT_RECEIVED_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

#include "detect/detect.h"
#include "message/hl7v2.h"
#include "message/mapping.h"
#include "record/settle.h"

/* Identifiers that are longer cannot be indexed, and are none. */
#define WT_IDENTIFIER_MAX 200

/* More is not said of one message, in bytes. */
#define WT_EXPLANATION_MAX 2000

typedef enum MessageStatus
{
	MESSAGE_PROCESSED, MESSAGE_RESENT, MESSAGE_REPEATED, MESSAGE_UNMAPPED, MESSAGE_INCOMPLETE, MESSAGE_REJECTED
} MessageStatus;

/* A row of event to be; event_id and recorded_at are not set. */
typedef struct MadeEvent
{
	Datum		values[EV_NCOLUMNS];
	bool		nulls[EV_NCOLUMNS];
	TimestampTz at;
} MadeEvent;

/* A row of cancellation to be. */
typedef struct MadeCancellation
{
	Str			patient;
	TimestampTz at;
	Datum		kinds;			/* text[] */
	Str			encounter;
	Str			subject;
	Str			item;
	Jsonb	   *detail;
	bool		every_one;
} MadeCancellation;

/* What a message says of another. */
typedef struct MadeAnswer
{
	pg_uuid_t	answered;
	Str			code;
	Str			text;
} MadeAnswer;

typedef struct Received
{
	/* what came */
	Hl7Slice	bytes;
	bool		is_text;		/* in the database's encoding already */
	bool		keep_raw;		/* the text is not the same bytes */
	Hl7Slice	text;			/* data is NULL where the bytes are none */
	Hl7PartKind part;
	int			encoding;		/* of the bytes */
	/* what its header says */
	Hl7Message	message;
	bool		is_parsed;
	bool		has_header;		/* message has its segment MSH, at least */
	Hl7Error	error;
	Str			facility;
	Str			source_system;
	Str			receiving_system;	/* MSH-5 and MSH-6, empty where there are none */
	Str			receiving_facility;
	Str			control_id;
	Str			message_type;
	const Source *source;
	bool		has_id;
	pg_uuid_t	id_hash;
	pg_uuid_t	content_hash;
	pg_uuid_t	body_hash;
	/* what becomes of it */
	int64		message_id;
	MessageStatus status;
	MessageStatus answer_as;	/* of one that came before, what became of that */
	const char *rejected_code;	/* what the sender wants rejected messages answered with */
	List	   *problems;		/* of char *, the first counts most */
	StringInfo	explanation;	/* NULL is none */
	Str			care_facility;
	Str			patient;
	Str			encounter;
	Str			subject;
	List	   *identifiers;	/* of Str * */
	bool		is_result;
	List	   *events;			/* of MadeEvent * */
	List	   *cancellations;	/* of MadeCancellation * */
	List	   *answers;		/* of MadeAnswer * */
	int			naliases;
	int			aliases_size;
	AliasNote  *aliases;
} Received;

extern void note_problem(Received *r, MessageStatus status, const char *problem, const char *format,...) pg_attribute_printf(4, 5);
extern void read_header(Received *r, Hl7Arena *arena);
extern void understand_begin(void);
extern void understand(Received *r, const Mapping *mapping, Hl7Arena *arena);
extern pg_uuid_t hash_id(Str source_system, Str facility, Str control_id);
extern bool is_result(Str kind);

#endif							/* WT_RECEIVED_H */
