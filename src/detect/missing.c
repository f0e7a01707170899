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
		return JB_ROOT_COUNT(e->detail) > 0;
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

/* When an event of a chain first holds a field; DT_NOEND if none does. */
static TimestampTz
supplied_at(Patient *p, const int *next, int event, const RequiredField *field)
{
	for (int i = next[event]; i >= 0; i = next[i])
		if (has_field(&p->events[i], field))
			return p->events[i].at;
	return DT_NOEND;
}

/* What an event lacks; false if nothing, or if that is supplied in the same instant. */
static bool
judge_event(Patient *p, int **next, int event, const Requirement *requirement, Missing *missing)
{
	Event	   *e = &p->events[event];

	memset(missing, 0, sizeof(Missing));
	missing->settled_at = DT_NOBEGIN;
	for (int i = 0; i < requirement->nfields; i++)
	{
		TimestampTz at;

		if (has_field(e, &requirement->fields[i]))
			continue;
		if (*next == NULL)
			*next = chain_subjects(p);
		at = supplied_at(p, *next, event, &requirement->fields[i]);
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
	int		   *next = NULL;
	int			size = 0;

	*nmissing = 0;
	for (int r = 0; r < rules->nrequirements; r++)
	{
		const Requirement *requirement = &rules->requirements[r];

		for (int i = p->kind_start[requirement->kind]; i < p->kind_start[requirement->kind + 1]; i++)
		{
			Missing		missing;

			if (p->events[p->by_kind[i]].at < p->from ||
				!judge_event(p, &next, p->by_kind[i], requirement, &missing))
				continue;
			if (*nmissing == size)
			{
				size = Max(16, size * 2);
				found = found == NULL ? palloc(sizeof(Missing) * size)
					: repalloc_huge(found, sizeof(Missing) * size);
			}
			found[(*nmissing)++] = missing;
		}
	}
	return found;
}

/* When the window first supplies a field of an earlier event. */
static void
supply_field(Patient *p, OpenMissing *open, int place, const RequiredField *field)
{
	if (open->supplied_at[place] < p->from)
		return;
	open->supplied_at[place] = DT_NOEND;
	for (int i = 0; i < p->nevents && open->event.subject_key >= 0; i++)
		if (p->events[i].at >= p->from && p->events[i].subject_key == open->event.subject_key &&
			has_field(&p->events[i], field))
		{
			open->supplied_at[place] = p->events[i].at;
			return;
		}
}

/* What the window supplies of what events before it lack. */
void
supply_missing(Patient *p, const Rules *rules, Earlier *earlier)
{
	for (int n = 0; n < earlier->nmissing; n++)
	{
		OpenMissing *open = &earlier->missing[n];

		for (int r = 0; r < rules->nrequirements; r++)
		{
			const Requirement *requirement = &rules->requirements[r];

			if (!str_equal(requirement->workflow, open->workflow) || !str_equal(requirement->step, open->step))
				continue;
			for (int i = 0; i < open->fields.n; i++)
				for (int f = 0; f < requirement->nfields; f++)
					if (str_equal(requirement->fields[f].name, open->fields.items[i]))
						supply_field(p, open, i, &requirement->fields[f]);
		}
	}
}
