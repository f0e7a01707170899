-- The check of a workflow document: what it may hold is data (map_keys), and
-- one walk over the document gives its faults in order.

CREATE TYPE workflow_track.map_fault AS (path text, problem text, hint text);
COMMENT ON TYPE workflow_track.map_fault IS 'what is wrong with a workflow document, where, and what to write instead';

-- A key's form is a word that map_check_scalar knows or {part}; after it, *
-- stands for a list, + for a list that is not empty, / for one value or such
-- a list.
CREATE FUNCTION workflow_track.map_keys(part text)
RETURNS TABLE (key text, form text, required boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.key, k.form, k.required
	FROM (VALUES
		('document', 'workflow', 'name', true),
		('document', 'version', 'version', true),
		('document', 'state', 'state', false),
		('document', 'steps', '{step}*', false),
		('document', 'transitions', 'transition*', false),
		('document', 'expectations', '{expectation}*', false),
		('document', 'duplicates', '{duplicate}*', false),
		('document', 'billing', '{billing}*', false),
		('document', 'flows', '{flow}*', false),
		('document', 'burden', '{burden}', false),
		('step', 'step', 'name', true),
		('step', 'kind', 'kind', true),
		('step', 'performed_by', 'name*', false),
		('step', 'in', 'name*', false),
		('step', 'delivered_to', 'name*', false),
		('step', 'required_fields', 'field*', false),
		('step', 'optional', 'boolean', false),
		('step', 'repeatable', 'boolean', false),
		('step', 'start', 'boolean', false),
		('step', 'end', 'boolean', false),
		('expectation', 'name', 'name', true),
		('expectation', 'category', 'category', true),
		('expectation', 'after', 'kind+', true),
		('expectation', 'when', '{when}', false),
		('expectation', 'expect', 'kind+', true),
		('expectation', 'by', 'name*', false),
		('expectation', 'correlated_by', 'correlation', true),
		('expectation', 'within', 'within', true),
		('expectation', 'early', 'early', false),
		('expectation', 'cancelled_by', 'cancel*', false),
		('expectation', 'escalate_to', 'name', false),
		('cancel', 'kind', 'kind', true),
		('cancel', 'correlated_by', 'correlation', false),
		('duplicate', 'name', 'name', false),
		('duplicate', 'kind', 'kind', true),
		('duplicate', 'same', 'column+', true),
		('duplicate', 'different', 'column*', false),
		('duplicate', 'when', '{when}', false),
		('duplicate', 'within', 'within', true),
		('duplicate', 'action', 'action', false),
		('billing', 'name', 'name', false),
		('billing', 'codes', 'codes', true),
		('billing', 'documented_by', 'kind+', true),
		('billing', 'requires_authorization', 'boolean', false),
		('billing', 'requires_modifiers', 'name*', false),
		('billing', 'within', 'within', true),
		('scenario', 'scenario', 'name', true),
		('scenario', 'workflow', 'name', false),
		('scenario', 'facility', 'facility', false),
		('scenario', 'steps', '{moment}+', true),
		('scenario', 'never', '{never}*', false),
		('moment', 'step', 'name', true),
		('moment', 'kind', 'kind', true),
		('moment', 'performed_by', 'name*', false),
		('moment', 'in', 'name*', false),
		('moment', 'delivered_to', 'name*', false),
		('moment', 'within', 'within', false),
		('moment', 'of', 'step', false),
		('never', 'kind', 'kind', true),
		('never', 'after', 'step', false),
		('never', 'before', 'step', false),
		('flow', 'from', 'name', true),
		('flow', 'to', 'name', true),
		('flow', 'types', 'message type+', true),
		('flow', 'every', 'within', false),
		('flow', 'during', '{during}', false),
		('during', 'days', 'day+', false),
		('during', 'from', 'clock time', true),
		('during', 'until', 'clock time', true),
		('during', 'timezone', 'time zone', true),
		('burden', 'redundant_alert_within', 'within', false),
		('burden', 'documented_within', 'within', false),
		('burden', 'signed_within', 'within', false),
		('when', 'severity', 'severity/', false),
		('when', 'facility', 'facility/', false),
		('when', 'entry_method', 'entry method/', false),
		('when', 'code', 'codes', false),
		('when', 'detail', 'detail', false)
	) AS k(part, key, form, required)
	WHERE k.part = map_keys.part
$$;
COMMENT ON FUNCTION workflow_track.map_keys(text) IS
'the keys of one part of a workflow document, in the order in which they are checked';

CREATE FUNCTION workflow_track.map_words(form text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE form
		WHEN 'state' THEN ARRAY['draft', 'current', 'future', 'retired']
		WHEN 'category' THEN ARRAY['acknowledgement', 'follow_up', 'referral', 'notification', 'order', 'handoff', 'claim']
		WHEN 'correlation' THEN ARRAY['patient', 'encounter', 'subject', 'item']
		WHEN 'action' THEN ARRAY['flag', 'reject']
		WHEN 'severity' THEN ARRAY['normal', 'abnormal', 'critical', 'unknown']
		WHEN 'entry method' THEN ARRAY['interface', 'manual', 'unknown']
		WHEN 'day' THEN ARRAY['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
		WHEN 'column' THEN ARRAY['facility', 'encounter_id', 'subject', 'item', 'occurred_at', 'planned_at', 'code',
			'value', 'severity', 'actor', 'actor_role', 'recipient', 'recipient_role', 'source_system', 'entry_method']
	END
$$;
COMMENT ON FUNCTION workflow_track.map_words(text) IS
'the words that a workflow document may use where it has a choice of a few';

CREATE FUNCTION workflow_track.map_form(form text, OUT what text, OUT hint text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(f.what, map_form.form),
		coalesce(f.hint, 'Use '
			|| regexp_replace(array_to_string(workflow_track.map_words(map_form.form), ', '), ', (\w+)$', ' or \1') || '.')
	FROM (SELECT) AS one
	LEFT JOIN (VALUES
		('name', 'name', 'A name is a text that is not empty and has no outer blanks.'),
		('facility', 'facility', 'A facility is a text without outer blanks; it is empty where an event names none.'),
		('boolean', 'boolean', 'Use true or false, without quotes.'),
		('version', 'version', 'Use a whole number from 0 to 999999999.'),
		('kind', 'kind of event', 'Kinds are the rows of table workflow_track.event_kind; sites may add theirs.'),
		('step', 'step of this document', 'Use the names of its steps.'),
		('transition', 'transition', 'Use a list of two steps, ["from", "to"].'),
		('field', 'field of an event', 'Use a column of event, "detail.KEY" or "code:SYSTEM".'),
		('column', 'column that entries are compared by', NULL),
		('codes', 'beginning of a code', 'Write it as system|beginning, as in "icd10cm|E11"; "cpt|" is every code of that system.'),
		('within', 'exact duration above zero', 'Use weeks, days, hours, minutes or seconds, of 36525 days at most.'),
		('early', 'exact duration', 'Use weeks, days, hours, minutes or seconds, of 36525 days at most.'),
		('message type', 'type of messages', 'Write it as "ORU^R01"; "ADT^*" is every one of ADT.'),
		('clock time', 'clock time', 'Write it as "07:30", from "00:00" to "23:59".'),
		('time zone', 'time zone', 'View pg_timezone_names lists them.'),
		('detail', 'object', 'Use {"key": value} or {"key": [value, value]}.'),
		('value', 'value', 'A missing value satisfies no condition on detail.')
	) AS f(form, what, hint) ON f.form = map_form.form
$$;
COMMENT ON FUNCTION workflow_track.map_form(text) IS
'what a form is called in an error, and what to write instead';

CREATE FUNCTION workflow_track.map_path(path text, key text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT path || '.' || CASE WHEN key ~ '^[A-Za-z_][A-Za-z0-9_]*$' THEN key ELSE to_json(key)::text END
$$;
COMMENT ON FUNCTION workflow_track.map_path(text, text) IS 'the JSON path of a key of the object at a path';

CREATE FUNCTION workflow_track.map_excerpt(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN length(v) > 80 THEN left(v, 77) || '...' ELSE v END
	FROM coalesce(value::text, 'null') AS v
$$;
COMMENT ON FUNCTION workflow_track.map_excerpt(jsonb) IS 'a value for an error message, cut if it is long';

CREATE FUNCTION workflow_track.map_duration(duration text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres AS $$
DECLARE
	exact CONSTANT text := '^\s*([0-9]+(\.[0-9]+)?\s*(week|day|hour|minute|second)s?\s*)*'
		'([0-9]+:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?\s*)?$';
BEGIN
	-- A day is 24 hours: in hours, adding it to a time meets no change of clocks.  Of a century at most: whatever happens, a limit is a time.
	RETURN CASE WHEN duration ~* exact AND duration::interval <= interval '36525 days' THEN extract(epoch FROM duration::interval) * interval '1 second' END;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.map_duration(text) IS
'the duration that a text stands for, in hours, or null if it is not an exact one of a century (36525 days) at most';

CREATE FUNCTION workflow_track.map_code_prefix(prefix text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- A bare system stands for all of its codes, but a map is clearer with the bar.
	IF prefix ~ '\|' THEN
		RETURN workflow_track.clinical_code_prefix(prefix);
	END IF;
	RETURN NULL;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.map_code_prefix(text) IS
'the beginning of a code as codes are normalised, or null if it is not one';

-- A sign before a number means one thing to ISO and the opposite to POSIX, so no numbers.
CREATE FUNCTION workflow_track.is_time_zone(name text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM now() AT TIME ZONE name;
	RETURN name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$';
EXCEPTION WHEN data_exception THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION workflow_track.is_time_zone(text) IS 'whether a text is the name of a time zone';

CREATE FUNCTION workflow_track.map_scalar_faults(document jsonb, path text, form text, value jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	word text COLLATE "C" := CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;
	good boolean;
BEGIN
	good := CASE form
		WHEN 'name' THEN word <> '' AND word = btrim(word)
		WHEN 'facility' THEN word = btrim(word)
		WHEN 'boolean' THEN jsonb_typeof(value) = 'boolean'
		WHEN 'version' THEN value::text ~ '^[0-9]{1,9}$'
		WHEN 'kind' THEN EXISTS (SELECT FROM workflow_track.event_kind AS k WHERE k.kind = word)
		WHEN 'step' THEN jsonb_path_query_array(document, '$.steps[*].step') ? word
		WHEN 'transition' THEN jsonb_typeof(value) = 'array' AND jsonb_array_length(value) = 2
		WHEN 'field' THEN word = ANY (workflow_track.map_words('column')
				|| ARRAY['patient_id', 'kind', 'source_sequence', 'time_precision', 'message_id', 'detail'])
			OR word ~ '^detail\..' OR word ~ '^code:[^|]+$' AND workflow_track.map_code_prefix(substr(word, 6) || '|') = substr(word, 6) || '|'
		WHEN 'codes' THEN workflow_track.map_code_prefix(word) IS NOT NULL
		WHEN 'within' THEN workflow_track.map_duration(word) > interval '0'
		WHEN 'early' THEN workflow_track.map_duration(word) >= interval '0'
		WHEN 'message type' THEN word ~ '^[A-Z][A-Z0-9]{2}(\^([A-Z0-9]{3}|\*))?$'
		WHEN 'clock time' THEN word ~ '^([01]\d|2[0-3]):[0-5]\d$'
		WHEN 'time zone' THEN workflow_track.is_time_zone(word)
		WHEN 'detail' THEN jsonb_typeof(value) = 'object'
		WHEN 'value' THEN jsonb_typeof(value) <> 'null'
		ELSE word = ANY (workflow_track.map_words(form))
	END;
	IF good IS NOT TRUE THEN
		RETURN QUERY SELECT path, workflow_track.map_excerpt(value) || ' is not '
			|| CASE WHEN f.what ~ '^[aeiou]' THEN 'an ' ELSE 'a ' END || f.what || '.', f.hint
		FROM workflow_track.map_form(form) AS f;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.map_scalar_faults(jsonb, text, text, jsonb) IS
'the fault of a value whose form is neither list nor part, if it has one';

CREATE FUNCTION workflow_track.map_list_faults(document jsonb, path text, form text, list jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	name_key CONSTANT text := CASE WHEN form IN ('{step}', '{moment}') THEN 'step' ELSE 'name' END;
	element jsonb;
	element_path text;
	identity jsonb;
	seen jsonb[] := '{}';
BEGIN
	FOR element IN SELECT jsonb_array_elements(list)
	LOOP
		element_path := format('%s[%s]', path, cardinality(seen));
		RETURN QUERY SELECT * FROM workflow_track.map_value_faults(document, element_path, form, element);

		-- Parts are told apart by their names, other things by what they are.
		identity := element;
		IF form LIKE '{%' AND jsonb_typeof(element) = 'object' AND element ? name_key THEN
			identity := element -> name_key;
			element_path := workflow_track.map_path(element_path, name_key);
		END IF;
		IF identity = ANY (seen) THEN
			RETURN QUERY SELECT element_path, workflow_track.map_excerpt(identity) || ' stands in this list twice.',
				'Remove or rename one of the two.';
		END IF;
		seen := array_append(seen, identity);
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.map_list_faults(jsonb, text, text, jsonb) IS
'the faults of a list: elements that are not of a form, or there twice';

CREATE FUNCTION workflow_track.map_value_faults(document jsonb, path text, form text, value jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	many CONSTANT text := substring(form FROM '[*+/]$');
	base CONSTANT text := rtrim(form, '*+/');
BEGIN
	IF many IS NULL OR many = '/' AND jsonb_typeof(value) <> 'array' THEN
		IF base LIKE '{%' OR base = 'cancel' AND jsonb_typeof(value) = 'object' THEN
			RETURN QUERY SELECT * FROM workflow_track.map_part_faults(document, path, btrim(base, '{}'), value);
		ELSE
			RETURN QUERY SELECT * FROM workflow_track.map_scalar_faults(document, path, replace(base, 'cancel', 'kind'), value);
		END IF;
		IF base = 'transition' AND jsonb_typeof(value) = 'array' THEN
			RETURN QUERY SELECT f.*
			FROM jsonb_array_elements(value) WITH ORDINALITY AS e(element, n),
				workflow_track.map_scalar_faults(document, format('%s[%s]', path, e.n - 1), 'step', e.element) AS f;
		ELSIF base = 'detail' AND jsonb_typeof(value) = 'object' THEN
			RETURN QUERY SELECT f.*
			FROM jsonb_each(value) AS e,
				workflow_track.map_value_faults(document, workflow_track.map_path(path, e.key), 'value/', e.value) AS f;
		END IF;
	ELSIF jsonb_typeof(value) <> 'array' THEN
		RETURN QUERY SELECT path, workflow_track.map_excerpt(value) || ' is not a list.', 'Use [...], even for one.';
	ELSIF many <> '*' AND jsonb_array_length(value) = 0 THEN
		RETURN QUERY SELECT path, 'The list is empty.', 'Name at least one.';
	ELSE
		RETURN QUERY SELECT * FROM workflow_track.map_list_faults(document, path, base, value);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.map_value_faults(jsonb, text, text, jsonb) IS
'the faults of a value that should be of a form';

CREATE FUNCTION workflow_track.map_part_faults(document jsonb, path text, part text, object jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known record;
	keys CONSTANT text[] := ARRAY(SELECT k.key FROM workflow_track.map_keys(part) AS k);
BEGIN
	IF jsonb_typeof(object) IS DISTINCT FROM 'object' THEN
		RETURN QUERY SELECT path, workflow_track.map_excerpt(object) || ' is not an object.', 'Use {"key": value}.';
		RETURN;
	END IF;

	-- A key misspelt is a rule not applied.
	RETURN QUERY SELECT workflow_track.map_path(path, k), 'There is no such key.',
		'The keys here are ' || array_to_string(keys, ', ') || '.'
	FROM jsonb_object_keys(object) AS k WHERE k <> ALL (keys);

	FOR known IN SELECT * FROM workflow_track.map_keys(part)
	LOOP
		IF object ? known.key THEN
			RETURN QUERY SELECT * FROM workflow_track.map_value_faults(document,
				workflow_track.map_path(path, known.key), known.form, object -> known.key);
		ELSIF known.required THEN
			RETURN QUERY SELECT workflow_track.map_path(path, known.key), 'This key is missing.', 'It has no default.';
		END IF;
	END LOOP;

	RETURN QUERY SELECT format('%s.different[%s]', path, d.n - 1), workflow_track.map_excerpt(d.element) || ' is in "same" too.',
		'No two entries are both equal and unequal in a column.'
	FROM jsonb_path_query(object, '$.different[*]') WITH ORDINALITY AS d(element, n)
	WHERE object -> 'same' ? (d.element #>> '{}');
END
$$;
COMMENT ON FUNCTION workflow_track.map_part_faults(jsonb, text, text, jsonb) IS
'the faults of a part of a document; the whole document is part "document" at $';
