/*
 * diary_internal.h
 *	  What reads the diary from the table (diary.c) and from pages
 *	  (diary_page.c) shares.
 */
#ifndef WT_DIARY_INTERNAL_H
#define WT_DIARY_INTERNAL_H

#include "postgres.h"

#include "analyze/joined.h"
#include "burden/diary.h"
#include "detect/loader.h"

/* A month, or its end. */
typedef struct Piece
{
	TimestampTz from;
	TimestampTz until;
} Piece;

/* The role that was looked up for a person last. */
typedef struct LookedUp
{
	const char *name;
	int			role;
} LookedUp;

struct Diary
{
	MemoryContext context;
	const Reader *reader;
	Snapshot	snapshot;
	Joined	   *joined;
	Reference	reference;
	Names	   *people;
	Names	   *roles;
	int			looked_up_size;
	LookedUp   *looked_up;		/* by number of the person */
	Loader	   *loader;			/* while months are read */
	MemoryContext loaded;		/* of the patient that was asked for last ... */
	Str			loaded_id;		/* ... by this id; null is none */
	Patient    *loaded_patient;
	TimestampTz since;			/* what is outside is skipped */
	TimestampTz until;
	int			nread;			/* months, and from when on each was read */
	int			read_size;
	Piece	   *read;
	Piece		piece;			/* what is read now */
	DateADT		first_day;		/* of the piece ... */
	bool	   *has_page;		/* ... and for each day, whether its page was read */
	Entry		entry;			/* what is read now */
};

extern void give_event(Diary *diary);
extern bool read_pages(Diary *diary);

#endif							/* WT_DIARY_INTERNAL_H */
