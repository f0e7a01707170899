/*
 * fold.c
 *	  Makes the pages that the diary lacks, and shows what is in one.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "burden/mark.h"
#include "burden/met.h"
#include "burden/page.h"
#include "compat.h"
#include "detect/detect.h"
#include "detect/event.h"
#include "detect/loader.h"
#include "message/statement.h"
#include "record/owner.h"

PG_FUNCTION_INFO_V1(make_pages);
PG_FUNCTION_INFO_V1(page_events);

/* Days ahead also have pages, so that none is missed before the next folding. */
#define DAYS_AHEAD 7
/* A page takes a fourth of the room of its events, while it is made. */
#define PAGE_SHARE 4

/* Columns of page_events(). */
enum
{
	PE_EVENT_ID, PE_OCCURRED_AT, PE_RECORDED_AT, PE_SEQUENCE, PE_PRECISION, PE_METHOD, PE_FACILITY, PE_PATIENT, PE_ENCOUNTER, PE_KIND,
	PE_ACTOR, PE_ACTOR_ROLE, PE_RECIPIENT, PE_RECIPIENT_ROLE, PE_SYSTEM, PE_SUBJECT, PE_ITEM, PE_CODE, PE_VALUE, PE_NCOLUMNS
};

static Statement find_days = {
	"SELECT p.day FROM workflow_track.diary_page p", 0, {0}, true
};

/* The days whose pages stay as they are. */
static met_hash *
kept_days(ArrayType *marked)
{
	met_hash   *kept = met_create(CurrentMemoryContext, 512, NULL);
	Caller		caller;
	Datum	   *days;
	int			n;

	owner_begin(&caller);
	statement_connect();
	statement_run(&find_days, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		bool		found;

		met_insert(kept, (uint64) (int64) DatumGetDateADT(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)), &found);
	}
	SPI_finish();
	owner_end(&caller);
	deconstruct_array(marked, DATEOID, sizeof(DateADT), true, TYPALIGN_INT, &days, NULL, &n);
	for (int i = 0; i < n; i++)
		met_delete(kept, (uint64) (int64) DatumGetDateADT(days[i]));
	return kept;
}

/* Puts the pages of a month into the result. */
static void
put_pages(ReturnSetInfo *result, PageWriter **pages, DateADT first, int n)
{
	for (int i = 0; i < n; i++)
	{
		struct varlena *page;
		Datum		values[2];
		bool		nulls[2] = {0};

		if (pages[i] == NULL)
			continue;
		page = page_end(pages[i]);
		values[0] = DateADTGetDatum(first + i);
		nulls[1] = page == NULL;
		values[1] = PointerGetDatum(page);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		if (page != NULL)
			pfree(page);
	}
}

/* Makes those pages that are wanted of some days of a month. */
static void
make_days(ReturnSetInfo *result, Loader *loader, Table *table, met_hash *kept, DateADT first, int ndays)
{
	PageWriter **pages = palloc0(sizeof(PageWriter *) * ndays);
	TableScanDesc scan;
	bool		wanted = false;

	for (int i = 0; i < ndays; i++)
		if ((first + i) * USECS_PER_DAY >= loader->horizon && met_lookup(kept, (uint64) (int64) (first + i)) == NULL)
		{
			pages[i] = page_begin();
			wanted = true;
		}
	if (!wanted)
		return;
	scan = wt_table_beginscan(table->rel, loader->snapshot);
	while (table_scan_getnextslot(scan, ForwardScanDirection, table->slot))
	{
		DateADT		day;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(table->slot, EV_OCCURRED_AT + 1);
		day = utc_day(DatumGetTimestampTz(table->slot->tts_values[EV_OCCURRED_AT]));
		if (day >= first && day < first + ndays && pages[day - first] != NULL)
			page_add(pages[day - first], table->slot);
	}
	table_endscan(scan);
	put_pages(result, pages, first, ndays);
}

/* Makes the pages of a month that are wanted; of so many days at a time as memory is meant to hold. */
static void
make_month(ReturnSetInfo *result, Loader *loader, int number, met_hash *kept)
{
	Table	   *table = loader_month(loader, number);
	Month	   *month = &loader->months[number];
	TimestampTz until = Min(month->upper, loader->latest + DAYS_AHEAD * USECS_PER_DAY);
	DateADT		first = utc_day(month->lower);
	int			ndays = month->is_empty || until <= month->lower ? 0 : utc_day(until - 1) - first + 1;
	Size		size = (Size) month->nblocks * BLCKSZ / PAGE_SHARE;
	int			at_once = Max(1, (int) (ndays / (size / (maintenance_work_mem * (Size) 1024) + 1)));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "workflow_track days", ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < ndays; i += at_once)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		make_days(result, loader, table, kept, first + i, Min(at_once, ndays - i));
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}

/* make_pages(marked): pages of days that are marked or have none, of all months with a partition of their own. */
Datum
make_pages(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	met_hash   *kept;
	Loader	   *loader;

	InitMaterializedSRF(fcinfo, 0);
	forget_marks();				/* those of this transaction are deleted too */
	kept = kept_days(PG_GETARG_ARRAYTYPE_P(0));
	loader = loader_begin(GetActiveSnapshot());
	for (int m = 0; m < loader->nmonths; m++)
		if (has_pages(&loader->months[m]) && loader->months[m].upper > loader->horizon)
			make_month(result, loader, m, kept);
	loader_end(loader);
	return (Datum) 0;
}

/* Puts a text of a page. */
static void
put_string(const DiaryPage *page, int number, Datum *values, bool *nulls, int column)
{
	nulls[column] = number < 0;
	if (number >= 0)
		values[column] = PointerGetDatum(cstring_to_text_with_len(page->strings[number].data, page->strings[number].len));
}

/* page_events(events): what a page says of each event. */
Datum
page_events(PG_FUNCTION_ARGS)
{
	static const char *const methods[] = {NULL, "interface", "manual"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DiaryPage	page;

	InitMaterializedSRF(fcinfo, 0);
	page_open(&page, PG_GETARG_VARLENA_PP(0));
	while (page_next(&page))
	{
		const PageRow *row = &page.row;
		const int	texts[] = {
			row->facility, row->patient, row->encounter < 0 ? -1 : page.encounters[row->encounter].encounter, row->kind, row->actor,
			row->actor_role, row->recipient, row->recipient_role, row->system, row->subject, row->item, row->code, row->value
		};
		Datum		values[PE_NCOLUMNS];
		bool		nulls[PE_NCOLUMNS] = {0};

		CHECK_FOR_INTERRUPTS();
		values[PE_EVENT_ID] = Int64GetDatum(row->id);
		values[PE_OCCURRED_AT] = TimestampTzGetDatum(row->at);
		values[PE_RECORDED_AT] = TimestampTzGetDatum(row->recorded_at);
		values[PE_SEQUENCE] = Int32GetDatum(row->sequence);
		values[PE_PRECISION] = CStringGetTextDatum(precision_label(row->precision));
		nulls[PE_METHOD] = methods[row->method] == NULL;
		if (methods[row->method] != NULL)
			values[PE_METHOD] = CStringGetTextDatum(methods[row->method]);
		for (int i = 0; i < lengthof(texts); i++)
			put_string(&page, texts[i], values, nulls, PE_FACILITY + i);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
