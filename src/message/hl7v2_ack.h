/*
 * hl7v2_ack.h
 *	  Acknowledgements of HL7 v2 messages, without server headers.
 */
#ifndef WT_HL7V2_ACK_H
#define WT_HL7V2_ACK_H

#include "message/hl7v2.h"

/* What of its text goes into an acknowledgement at most, in bytes; longer ones are cut as UTF-8 is. */
#define HL7_ACK_TEXT_MAX 400

typedef struct Hl7Ack
{
	const char *code;			/* AA, AE, AR, CA, CE or CR */
	Hl7Slice	text;			/* why, for people; data is NULL for none */
	const char *control_id;		/* MSH-10 of the acknowledgement */
	const char *time;			/* MSH-7 */
	const char *error_code;		/* HL7 table 0357; NULL is 207 */
	int			error_segment;	/* from 1; 0 is not known */
} Hl7Ack;

/* Builds the acknowledgement of a message, or of what is none where that is NULL. */
extern char *hl7_build_ack(const Hl7Message *message, Hl7Arena *arena, const Hl7Ack *ack, int *len);

#endif							/* WT_HL7V2_ACK_H */
