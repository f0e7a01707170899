/*
 * page_fuzzer.c
 *	  Reads whatever came as a page of the diary; what is one is packed again.
 */
#include "server.h"

#include "analyze/joined.h"
#include "burden/page.h"
#include "common/hashfn.h"
#include "detect/event.h"
#include "detect/rules.h"
#include "utils/timestamp.h"

/* --- what pages need of others --------------------------------------------- */

/* Enums are their numbers here. */
bool
event_is_manual(Oid method)
{
	return method == PAGE_MANUAL;
}

int
event_precision(const Datum *values)
{
	return DatumGetInt32(values[EV_TIME_PRECISION]);
}

const char *
precision_label(int precision)
{
	return precision >= 0 && precision < 6 ? "some" : NULL;
}

uint32
str_hash(Str s)
{
	return s.data == NULL ? 0 : hash_bytes((const unsigned char *) s.data, s.len);
}

Str
str_copy(Str s)
{
	return (Str) {memcpy(palloc(s.len), s.data, s.len), s.len};
}

bool
str_is(Str s, const char *word)
{
	return s.data != NULL && s.len == strlen(word) && memcmp(s.data, word, s.len) == 0;
}

Str
slot_str(const TupleTableSlot *slot, int column)
{
	text	   *t = (text *) DatumGetPointer(slot->tts_values[column]);

	return slot->tts_isnull[column] ? (Str) {NULL, 0} : (Str) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
}

/* --- reading and packing again --------------------------------------------- */

static const int string_columns[] = {
	EV_FACILITY, EV_PATIENT_ID, EV_KIND, EV_ACTOR, EV_ACTOR_ROLE, EV_RECIPIENT, EV_RECIPIENT_ROLE, EV_SOURCE_SYSTEM,
	EV_SUBJECT, EV_ITEM, EV_CODE, EV_VALUE
};

/* The numbers of a row's strings, as string_columns has them. */
static void
string_numbers(const PageRow *row, int *numbers)
{
	int			all[] = {
		row->facility, row->patient, row->kind, row->actor, row->actor_role, row->recipient, row->recipient_role, row->system,
		row->subject, row->item, row->code, row->value
	};

	memcpy(numbers, all, sizeof(all));
}

/* A string of a page. */
static Hl7Slice
string_of(const DiaryPage *page, int number)
{
	CHECK(number >= -1 && number < page->nstrings);
	return number < 0 ? (Hl7Slice) {NULL, 0} : (Hl7Slice) {page->strings[number].data, page->strings[number].len};
}

/* The encounter of a page's row. */
static Hl7Slice
encounter_of(const DiaryPage *page)
{
	CHECK(page->row.encounter >= -1 && page->row.encounter < page->nencounters);
	return string_of(page, page->row.encounter < 0 ? -1 : page->encounters[page->row.encounter].encounter);
}

/* Adds the row that was read last to another page. */
static void
add_row(PageWriter *writer, const DiaryPage *page)
{
	Datum		values[EV_NCOLUMNS] = {0};
	bool		nulls[EV_NCOLUMNS];
	int			numbers[LENGTH(string_columns)];
	TupleTableSlot slot;
	Hl7Slice	encounter = encounter_of(page);
	const PageRow *row = &page->row;

	memset(&slot, 0, sizeof(slot));
	memset(nulls, true, sizeof(nulls));
	slot.tts_values = values;
	slot.tts_isnull = nulls;
	slot.tts_nvalid = EV_NCOLUMNS;
	string_numbers(row, numbers);
	for (int i = 0; i < LENGTH(string_columns); i++)
		if (numbers[i] >= 0)
		{
			Hl7Slice	s = string_of(page, numbers[i]);

			values[string_columns[i]] = PointerGetDatum(text_of(s.data, s.len));
			nulls[string_columns[i]] = false;
		}
	values[EV_EVENT_ID] = Int64GetDatum(row->id);
	values[EV_OCCURRED_AT] = TimestampTzGetDatum(row->at);
	values[EV_RECORDED_AT] = TimestampTzGetDatum(row->recorded_at);
	values[EV_SOURCE_SEQUENCE] = Int32GetDatum(row->sequence);
	values[EV_TIME_PRECISION] = Int32GetDatum(row->precision);
	values[EV_ENTRY_METHOD] = ObjectIdGetDatum(row->method);
	nulls[EV_RECORDED_AT] = false;
	nulls[EV_ENTRY_METHOD] = row->method == PAGE_UNKNOWN;
	if (row->encounter >= 0)
	{
		values[EV_ENCOUNTER_ID] = PointerGetDatum(text_of(encounter.data, encounter.len));
		nulls[EV_ENCOUNTER_ID] = false;
	}
	page_add(writer, &slot);
}

/* Are rows of two pages the same? */
static void
check_same(const DiaryPage *a, const DiaryPage *b)
{
	int			of_a[LENGTH(string_columns)];
	int			of_b[LENGTH(string_columns)];
	bool		is_alert = str_is(a->strings[a->row.kind], "alert.fired");

	string_numbers(&a->row, of_a);
	string_numbers(&b->row, of_b);
	CHECK(a->row.id == b->row.id && a->row.at == b->row.at && a->row.recorded_at == b->row.recorded_at);
	CHECK(a->row.sequence == b->row.sequence && a->row.precision == b->row.precision && a->row.method == b->row.method);
	CHECK(b->row.is_alert == is_alert);
	/* what is no alert by its kind need not say so */
	for (int i = 0; i < (is_alert == a->row.is_alert ? LENGTH(string_columns) : 8); i++)
		CHECK((of_a[i] < 0) == (of_b[i] < 0) && same_bytes(string_of(a, of_a[i]), string_of(b, of_b[i])));
	CHECK((a->row.encounter < 0) == (b->row.encounter < 0) && same_bytes(encounter_of(a), encounter_of(b)));
}

typedef struct Reading
{
	struct varlena *bytes;
	PageWriter *writer;
	struct varlena *again;
} Reading;

/* Reads a page and packs what it has. */
static void
read_page(void *arg)
{
	Reading    *reading = arg;
	DiaryPage	page;

	page_open(&page, reading->bytes);
	for (int i = 0; i < page.nstrings; i++)
		check_inside((Hl7Slice) {page.strings[i].data, page.strings[i].len}, VARDATA_ANY(reading->bytes), VARSIZE_ANY_EXHDR(reading->bytes));
	for (int i = 0; i < page.nencounters; i++)
	{
		string_of(&page, page.encounters[i].patient);
		string_of(&page, page.encounters[i].encounter);
	}
	reading->writer = page_begin();
	while (page_next(&page))
		add_row(reading->writer, &page);
	reading->again = page_end(reading->writer);
}

/* Has another page the same rows? */
static void
compare_pages(void *arg)
{
	Reading    *reading = arg;
	DiaryPage	page;
	DiaryPage	again;

	page_open(&page, reading->bytes);
	page_open(&again, reading->again);
	while (page_next(&page))
	{
		CHECK(page_next(&again));
		check_same(&page, &again);
	}
	CHECK(!page_next(&again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Reading		reading;
	int			sqlstate;

	memset(&reading, 0, sizeof(reading));
	reading.bytes = (struct varlena *) text_of((const char *) data, (int) size);
	sqlstate = attempt(read_page, &reading);
	CHECK(sqlstate == 0 || sqlstate == ERRCODE_DATA_CORRUPTED);
	if (sqlstate == 0)
		CHECK(reading.again != NULL && attempt(compare_pages, &reading) == 0);
	server_reset();
	return 0;
}
