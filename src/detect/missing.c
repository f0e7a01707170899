/*
 * missing.c
 *	  What a step's events must hold and do not, until a later event of the same
 *	  subject supplies it.
 */
#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "detect/detect.h"

/* Is there anything in a value of JSON? */
static bool
is_filled(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return false;
		case jbvString:
			return value->val.string.len > 0;
		case jbvBinary:
			return JsonContainerSize(value->val.binary.data) > 0;
		default:
			return true;
	}
}

/* Does detail hold a key, or, without one, anything? */
static bool
has_detail(const Event *e, Str key)
{
	JsonbValue	buffer;
	JsonbValue *value;

	if (e->detail == NULL || (key.data != NULL && !JB_ROOT_IS_OBJECT(e->detail)))
		return false;
	if (key.data == NULL)
		return JB_ROOT_IS_SCALAR(e->detail)
			? JsonbExtractScalar(&e->detail->root, &buffer) && is_filled(&buffer)
			: JB_ROOT_COUNT(e->detail) > 0;
	value = getKeyJsonValueFromContainer(&e->detail->root, key.data, key.len, &buffer);
	return value != NULL && is_filled(value);
}

/* Does an event hold what is required?  An empty text is nothing; a role may be looked up. */
static bool
has_field(Event *e, const RequiredField *field)
{
	Str			text;

	switch (field->column)
	{
		case EV_EVENT_ID:		/* a code of that system */
			return e->code.data != NULL && e->code.len > field->part.len &&
				memcmp(e->code.data, field->part.data, field->part.len) == 0;
		case EV_DETAIL:
			return has_detail(e, field->part);
		case EV_OCCURRED_AT:
		case EV_SOURCE_SEQUENCE:
		case EV_TIME_PRECISION:
			return true;
		case EV_PLANNED_AT:
			return e->has_planned;
		case EV_SEVERITY:
			return OidIsValid(e->severity);
		case EV_ENTRY_METHOD:
			return OidIsValid(e->method);
		case EV_MESSAGE_ID:
			return e->has_message;
		case EV_ACTOR_ROLE:
			text = actor_role(e);
			break;
		case EV_RECIPIENT_ROLE:
			text = recipient_role(e);
			break;
		default:
			text = event_text(e, field->column);
	}
	return text.data != NULL && text.len > 0;
}

/* The next events that hold a field, of those since `from`; -1 is none. */
typedef struct Holders
{
	int		   *after;			/* an event, of its subject */
	int		   *first;			/* of a subject */
} Holders;

/* Looks for who holds a field, in one pass from the end. */
static Holders
find_holders(Patient *p, const RequiredField *field)
{
	Holders		holders;

	holders.after = palloc_extended(sizeof(int) * Max(p->nevents, 1), MCXT_ALLOC_HUGE);
	holders.first = palloc_extended(sizeof(int) * Max(p->nsubjects, 1), MCXT_ALLOC_HUGE);
	for (int s = 0; s < p->nsubjects; s++)
		holders.first[s] = -1;
	for (int i = p->nevents - 1; i >= 0 && p->events[i].at >= p->from; i--)
	{
		int			subject = p->events[i].subject_key;

		holders.after[i] = subject < 0 ? -1 : holders.first[subject];
		if (subject >= 0 && has_field(&p->events[i], field))
			holders.first[subject] = i;
	}
	return holders;
}

/* Frees them, if they were looked for. */
static void
free_holders(Holders *holders)
{
	if (holders->first == NULL)
		return;
	pfree(holders->after);
	pfree(holders->first);
}

/* When an event is; DT_NOEND if it is none. */
static TimestampTz
time_of(const Patient *p, int event)
{
	return event < 0 ? DT_NOEND : p->events[event].at;
}

/* What an event lacks; false if nothing, or if that is supplied in the same instant. */
static bool
judge_event(Patient *p, Holders *holders, int event, const Requirement *requirement, Missing *missing)
{
	Event	   *e = &p->events[event];

	memset(missing, 0, sizeof(Missing));
	missing->settled_at = DT_NOBEGIN;
	for (int i = 0; i < requirement->nfields; i++)
	{
		TimestampTz at;

		if (has_field(e, &requirement->fields[i]))
			continue;
		if (holders[i].first == NULL)
			holders[i] = find_holders(p, &requirement->fields[i]);
		at = time_of(p, holders[i].after[event]);
		if (at <= e->at)
			continue;
		if (missing->fields.n == 0)
		{
			missing->fields.items = palloc(sizeof(Str) * requirement->nfields);
			missing->supplied_at = palloc(sizeof(TimestampTz) * requirement->nfields);
		}
		missing->fields.items[missing->fields.n] = requirement->fields[i].name;
		missing->supplied_at[missing->fields.n++] = at;
		missing->settled_at = Max(missing->settled_at, at);
	}
	missing->requirement = requirement;
	missing->event = e;
	return missing->fields.n > 0;
}

/* What events of a patient since `from` lack. */
Missing *
find_missing(Patient *p, const Rules *rules, int *nmissing)
{
	Missing    *found = NULL;
	int			size = 0;

	*nmissing = 0;
	for (int r = 0; r < rules->nrequirements; r++)
	{
		const Requirement *requirement = &rules->requirements[r];
		Holders    *holders = palloc0(sizeof(Holders) * requirement->nfields);

		for (int i = p->kind_start[requirement->kind]; i < p->kind_start[requirement->kind + 1]; i++)
		{
			Missing		missing;

			if (p->events[p->by_kind[i]].at < p->from ||
				!judge_event(p, holders, p->by_kind[i], requirement, &missing))
				continue;
			if (*nmissing == size)
			{
				size = Max(16, size * 2);
				found = found == NULL ? palloc(sizeof(Missing) * size)
					: repalloc_huge(found, sizeof(Missing) * size);
			}
			found[(*nmissing)++] = missing;
		}
		for (int f = 0; f < requirement->nfields; f++)
			free_holders(&holders[f]);
		pfree(holders);
	}
	return found;
}

/* Where a field stands among those that an earlier event of a step lacks; -1 if it is not one of them. */
static int
place_of(const OpenMissing *open, const Requirement *requirement, const RequiredField *field)
{
	if (!str_equal(requirement->workflow, open->workflow) || !str_equal(requirement->step, open->step))
		return -1;
	for (int i = 0; i < open->fields.n; i++)
		if (str_equal(field->name, open->fields.items[i]))
			return i;
	return -1;
}

/* What the window supplies of one field that events before it lack. */
static void
supply_field(Patient *p, Earlier *earlier, const Requirement *requirement, const RequiredField *field)
{
	Holders		holders = {NULL, NULL};

	for (int n = 0; n < earlier->nmissing; n++)
	{
		OpenMissing *open = &earlier->missing[n];
		int			place = place_of(open, requirement, field);

		if (place < 0 || open->supplied_at[place] < p->from)
			continue;
		if (holders.first == NULL)
			holders = find_holders(p, field);
		open->supplied_at[place] = open->event.subject_key < 0 ? DT_NOEND
			: time_of(p, holders.first[open->event.subject_key]);
	}
	free_holders(&holders);
}

/* What the window supplies of what events before it lack. */
void
supply_missing(Patient *p, const Rules *rules, Earlier *earlier)
{
	if (earlier->nmissing == 0)
		return;
	for (int r = 0; r < rules->nrequirements; r++)
		for (int f = 0; f < rules->requirements[r].nfields; f++)
			supply_field(p, earlier, &rules->requirements[r], &rules->requirements[r].fields[f]);
}
