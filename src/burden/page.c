/*
 * page.c
 *	  Packs the events of a day, and reads them again.
 *
 * A page has the strings, each once, then the encounters, each a patient and a
 * number, then the events.  All are numbers of varint.h; times and ids are
 * differences to those of the event before.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "analyze/joined.h"
#include "burden/page.h"
#include "detect/event.h"
#include "detect/names.h"
#include "detect/rules.h"
#include "detect/varint.h"

#define PAGE_VERSION 1
/* A larger day has no page. */
#define PAGE_LARGEST (256 * 1024 * 1024)
#define VARINT_LONGEST 10
#define ROW_LONGEST (19 * VARINT_LONGEST)

struct PageWriter
{
	Names	   *strings;
	Size		size;			/* of all that it will be, at most */
	Names	   *encounters;		/* named by the bytes of a PageEncounter */
	StringInfoData rows;
	int64		id;				/* of the event before */
	TimestampTz at;
	bool		is_too_large;
};

/* --- writing ----------------------------------------------------------------- */

/* Begins a page in the current context. */
PageWriter *
page_begin(void)
{
	PageWriter *writer = palloc0(sizeof(PageWriter));

	writer->strings = names_begin(256);
	writer->encounters = names_begin(256);
	initStringInfo(&writer->rows);
	return writer;
}

/* The number of a string; of a null, -1. */
static int
string_number(PageWriter *writer, Str s)
{
	int			number = names_find(writer->strings, s);

	if (number >= 0 || s.data == NULL)
		return number;
	writer->size += s.len + VARINT_LONGEST;
	writer->is_too_large |= writer->size > PAGE_LARGEST;
	return writer->is_too_large ? -1 : names_intern(writer->strings, str_copy(s));
}

/* The same of a column. */
static int
column_number(PageWriter *writer, TupleTableSlot *slot, int column)
{
	return string_number(writer, slot_str(slot, column));
}

/* The number of a patient's encounter; of none, -1. */
static int
encounter_number(PageWriter *writer, int patient, int encounter)
{
	PageEncounter pair = {patient, encounter};
	Str			name = {(const char *) &pair, sizeof(pair)};
	int			number = names_find(writer->encounters, name);

	if (encounter < 0)
		return -1;
	if (number >= 0)
		return number;
	writer->size += 2 * VARINT_LONGEST;
	name.data = memcpy(palloc(sizeof(pair)), &pair, sizeof(pair));
	return names_intern(writer->encounters, name);
}

/* Appends the number of a text that may be null. */
static void
put_number(PageWriter *writer, int number)
{
	put_varint(&writer->rows, (uint64) number + 1);
}

/* How an event was entered. */
static PageMethod
slot_method(TupleTableSlot *slot)
{
	if (slot->tts_isnull[EV_ENTRY_METHOD])
		return PAGE_UNKNOWN;
	return event_is_manual(DatumGetObjectId(slot->tts_values[EV_ENTRY_METHOD])) ? PAGE_MANUAL : PAGE_INTERFACE;
}

/* Adds an event: a row of the table, in the current context, which is that of the page. */
void
page_add(PageWriter *writer, TupleTableSlot *slot)
{
	static const int columns[] = {EV_ACTOR, EV_ACTOR_ROLE, EV_RECIPIENT, EV_RECIPIENT_ROLE, EV_SOURCE_SYSTEM};
	static const int alert_columns[] = {EV_SUBJECT, EV_ITEM, EV_CODE, EV_VALUE};
	int64		id;
	TimestampTz at;
	bool		is_alert;
	int			patient;

	writer->size += ROW_LONGEST;
	writer->is_too_large |= writer->size > PAGE_LARGEST;
	if (writer->is_too_large)
		return;
	slot_getsomeattrs(slot, EV_ENTRY_METHOD + 1);
	id = DatumGetInt64(slot->tts_values[EV_EVENT_ID]);
	at = DatumGetTimestampTz(slot->tts_values[EV_OCCURRED_AT]);
	is_alert = str_is(slot_str(slot, EV_KIND), "alert.fired");
	put_signed_varint(&writer->rows, id - writer->id);
	put_signed_varint(&writer->rows, at - writer->at);
	put_signed_varint(&writer->rows, slot->tts_isnull[EV_RECORDED_AT] ? 0 : DatumGetTimestampTz(slot->tts_values[EV_RECORDED_AT]) - at);
	put_signed_varint(&writer->rows, DatumGetInt32(slot->tts_values[EV_SOURCE_SEQUENCE]));
	put_varint(&writer->rows, (uint64) event_precision(slot->tts_values) << 3 | (uint64) slot_method(slot) << 1 | is_alert);
	put_number(writer, column_number(writer, slot, EV_FACILITY));
	patient = column_number(writer, slot, EV_PATIENT_ID);
	put_number(writer, patient);
	put_number(writer, encounter_number(writer, patient, column_number(writer, slot, EV_ENCOUNTER_ID)));
	put_number(writer, column_number(writer, slot, EV_KIND));
	for (int i = 0; i < lengthof(columns); i++)
		put_number(writer, column_number(writer, slot, columns[i]));
	for (int i = 0; is_alert && i < lengthof(alert_columns); i++)
		put_number(writer, column_number(writer, slot, alert_columns[i]));
	writer->id = id;
	writer->at = at;
}

/* The page, in the current context; NULL if it would be too large. */
struct varlena *
page_end(PageWriter *writer)
{
	StringInfoData page;

	if (writer->is_too_large)
		return NULL;
	initStringInfo(&page);
	appendStringInfoSpaces(&page, VARHDRSZ);
	put_varint(&page, PAGE_VERSION);
	put_varint(&page, names_count(writer->strings));
	for (int i = 0; i < names_count(writer->strings); i++)
	{
		Str			s = names_text(writer->strings, i);

		put_varint(&page, s.len);
		appendBinaryStringInfo(&page, s.data, s.len);
	}
	put_varint(&page, names_count(writer->encounters));
	for (int i = 0; i < names_count(writer->encounters); i++)
	{
		PageEncounter pair;

		memcpy(&pair, names_text(writer->encounters, i).data, sizeof(pair));
		put_varint(&page, pair.patient);
		put_varint(&page, pair.encounter);
	}
	appendBinaryStringInfo(&page, writer->rows.data, writer->rows.len);
	SET_VARSIZE(page.data, page.len);
	return (struct varlena *) page.data;
}

/* --- reading ----------------------------------------------------------------- */

/* A page that cannot be read. */
static void
damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a page of the diary is damaged"),
			 errhint("CALL workflow_track.rebuild() makes it anew.")));
}

/* Takes a number, which must be there. */
static inline uint64
take(DiaryPage *page)
{
	/* what is cut off ends without a last byte */
	if (page->next == page->end)
		damaged();
	return take_varint(&page->next, page->end);
}

/* The same of either sign. */
static inline int64
take_signed(DiaryPage *page)
{
	if (page->next == page->end)
		damaged();
	return take_signed_varint(&page->next, page->end);
}

/* Takes a count, of things that have at least a byte each. */
static int
take_count(DiaryPage *page)
{
	uint64		n = take(page);

	if (n > (uint64) (page->end - page->next))
		damaged();
	return (int) n;
}

/* Takes a number below a limit; -1 is null. */
static inline int
take_number(DiaryPage *page, int limit)
{
	uint64		number = take(page);

	if (number > (uint64) limit)
		damaged();
	return (int) number - 1;
}

/* Takes the number of a string that is not null. */
static inline int
take_string(DiaryPage *page)
{
	int			number = take_number(page, page->nstrings);

	if (number < 0)
		damaged();
	return number;
}

/* Begins to read a page, which must outlive it; allocates in the current context. */
void
page_open(DiaryPage *page, struct varlena *bytes)
{
	memset(page, 0, sizeof(DiaryPage));
	page->next = VARDATA_ANY(bytes);
	page->end = page->next + VARSIZE_ANY_EXHDR(bytes);
	/* no byte is the first of more than the last number has */
	if (page->next < page->end && (page->end[-1] & 0x80) != 0)
		damaged();
	if (take(page) != PAGE_VERSION)
		damaged();
	page->nstrings = take_count(page);
	page->strings = palloc(sizeof(Str) * Max(page->nstrings, 1));
	for (int i = 0; i < page->nstrings; i++)
	{
		page->strings[i].len = take_count(page);
		page->strings[i].data = page->next;
		page->next += page->strings[i].len;
	}
	page->nencounters = take_count(page);
	page->encounters = palloc(sizeof(PageEncounter) * Max(page->nencounters, 1));
	for (int i = 0; i < page->nencounters; i++)
	{
		uint64		patient = take(page);
		uint64		encounter = take(page);

		if (patient >= (uint64) page->nstrings || encounter >= (uint64) page->nstrings)
			damaged();
		page->encounters[i] = (PageEncounter) {(int) patient, (int) encounter};
	}
}

/* Reads the next event into the page's row; false after the last. */
bool
page_next(DiaryPage *page)
{
	PageRow    *row = &page->row;
	uint64		flags;

	if (page->next == page->end)
		return false;
	row->id += take_signed(page);
	row->at += take_signed(page);
	row->recorded_at = row->at + take_signed(page);
	row->sequence = (int32) take_signed(page);
	flags = take(page);
	row->is_alert = flags & 1;
	row->method = (PageMethod) (flags >> 1 & 3);
	row->precision = (int) (flags >> 3 & 0xff);
	if (row->method > PAGE_MANUAL || precision_label(row->precision) == NULL)
		damaged();
	row->facility = take_string(page);
	row->patient = take_string(page);
	row->encounter = take_number(page, page->nencounters);
	row->kind = take_string(page);
	row->actor = take_number(page, page->nstrings);
	row->actor_role = take_number(page, page->nstrings);
	row->recipient = take_number(page, page->nstrings);
	row->recipient_role = take_number(page, page->nstrings);
	row->system = take_number(page, page->nstrings);
	row->subject = row->is_alert ? take_number(page, page->nstrings) : -1;
	row->item = row->is_alert ? take_number(page, page->nstrings) : -1;
	row->code = row->is_alert ? take_number(page, page->nstrings) : -1;
	row->value = row->is_alert ? take_number(page, page->nstrings) : -1;
	return true;
}
