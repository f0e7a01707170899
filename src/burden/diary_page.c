/*
 * diary_page.c
 *	  Reads the days of the diary that have pages.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "burden/diary_internal.h"
#include "burden/mark.h"
#include "burden/page.h"
#include "detect/event.h"
#include "message/statement.h"
#include "record/owner.h"

/* What is known of a text of a page; numbers are -1 until they are known. */
typedef struct Known
{
	int			person;
	int			role;
	int			place;
	int			kind;
	Str			patient;		/* of a patient, what stands for all ids; null until it is known */
	bool		is_test;
} Known;

static Statement find_pages = {
	"SELECT p.day, p.events FROM workflow_track.diary_page p WHERE p.day >= $1 AND p.day <= $2 AND p.events IS NOT NULL "
	"AND p.day <> ALL (ARRAY(SELECT DISTINCT m.day FROM workflow_track.diary_mark m))",
	2, {DATEOID, DATEOID}, true
};

/* A text of a page. */
static inline Str
page_text(const DiaryPage *page, int number)
{
	Str			none = {NULL, 0};

	return number < 0 ? none : page->strings[number];
}

/* Gives an event of a page to the report, if it counts. */
static void
read_row(Diary *diary, const DiaryPage *page, Known *known, int *visits)
{
	const PageRow *row = &page->row;
	Entry	   *e = &diary->entry;
	Known	   *patient = &known[row->patient];
	int		   *kind = &known[row->kind].kind;
	int		   *place = &known[row->facility].place;

	if (row->at < diary->piece.from || row->at >= diary->piece.until || is_retracted(diary->joined, row->id))
		return;
	e->own_patient = page->strings[row->patient];
	if (patient->patient.data == NULL)
		patient->patient = joined_patient(diary->joined, e->own_patient, &patient->is_test);
	if (patient->is_test)
		return;
	if (*kind < 0)
		*kind = kind_number(&diary->reference, page->strings[row->kind]);
	if (*place < 0)
		*place = place_number(&diary->reference, page->strings[row->facility]);
	e->id = row->id;
	e->at = row->at;
	e->end = row->precision == 0 ? row->at : precision_end(row->at, row->precision);
	e->recorded_at = row->recorded_at;
	e->sequence = row->sequence;
	e->sort = &diary->reference.sort[*kind];
	e->place = *place;
	e->patient = patient->patient;
	e->encounter = row->encounter < 0 ? page_text(page, -1) : page->strings[page->encounters[row->encounter].encounter];
	e->by_hand = row->method == PAGE_MANUAL;
	e->by_interface = row->method == PAGE_INTERFACE;
	e->subject = page_text(page, row->subject);
	e->item = page_text(page, row->item);
	e->code = page_text(page, row->code);
	e->value = page_text(page, row->value);
	e->brief.actor = page_text(page, row->actor);
	e->brief.recipient = page_text(page, row->recipient);
	e->brief.system = page_text(page, row->system);
	e->brief.stated_actor_role = page_text(page, row->actor_role);
	e->brief.stated_recipient_role = page_text(page, row->recipient_role);
	e->person[ACTOR] = row->actor < 0 ? NULL : &known[row->actor].person;
	e->person[RECIPIENT] = row->recipient < 0 ? NULL : &known[row->recipient].person;
	e->stated_role[ACTOR] = row->actor_role < 0 ? NULL : &known[row->actor_role].role;
	e->stated_role[RECIPIENT] = row->recipient_role < 0 ? NULL : &known[row->recipient_role].role;
	e->visit = row->encounter < 0 ? NULL : &visits[row->encounter];
	give_event(diary);
}

/* Reads a page. */
static void
read_page(Diary *diary, Datum events)
{
	DiaryPage	page;
	Known	   *known;
	int		   *visits;

	page_open(&page, PG_DETOAST_DATUM_PACKED(events));
	known = palloc_extended(sizeof(Known) * Max(page.nstrings, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < page.nstrings; i++)
		known[i] = (Known) {-1, -1, -1, -1, {NULL, 0}, false};
	visits = palloc_extended(sizeof(int) * Max(page.nencounters, 1), MCXT_ALLOC_HUGE);
	memset(visits, -1, sizeof(int) * page.nencounters);
	while (page_next(&page))
	{
		CHECK_FOR_INTERRUPTS();
		read_row(diary, &page, known, visits);
	}
	memset(diary->entry.person, 0, sizeof(diary->entry.person));
	memset(diary->entry.stated_role, 0, sizeof(diary->entry.stated_role));
	diary->entry.visit = NULL;
}

/* Reads the days of the piece that have pages; true if these are all on which there may be events. */
bool
read_pages(Diary *diary)
{
	DateADT		last_day = utc_day(diary->piece.until - 1);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track page", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;
	Datum		bounds[2];
	uint64		n;
	HeapTuple  *rows;
	TupleDesc	desc;
	Caller		caller;

	diary->first_day = utc_day(diary->piece.from);
	diary->has_page = palloc0(sizeof(bool) * (last_day - diary->first_day + 1));
	bounds[0] = DateADTGetDatum(diary->first_day);
	bounds[1] = DateADTGetDatum(last_day);
	owner_begin(&caller);
	statement_connect();
	statement_run(&find_pages, bounds, NULL);
	n = SPI_processed;
	rows = SPI_tuptable->vals;
	desc = SPI_tuptable->tupdesc;
	owner_end(&caller);
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;

		diary->has_page[DatumGetDateADT(SPI_getbinval(rows[i], desc, 1, &isnull)) - diary->first_day] = true;
		MemoryContextSwitchTo(context);
		read_page(diary, SPI_getbinval(rows[i], desc, 2, &isnull));
		MemoryContextReset(context);
	}
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return diary->first_day + (int64) n == (int64) last_day + 1;
}
