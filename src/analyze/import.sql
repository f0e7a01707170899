-- Events from files of other programs: rows of names and values, and a mapping that says what they mean.

CREATE FUNCTION workflow_track.xes_rows(document text, large_object oid) RETURNS SETOF jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.xes_rows(text, oid) IS
'the events of a log in XES, in its order: attributes by name, those of the trace with case: before it, and @row, @trace and @place';

CREATE FUNCTION workflow_track.import_columns() RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
	SELECT '{activity,transition,occurred_at,source_sequence,time_precision,planned_at,facility,patient_id,encounter_id,subject,item,code,value,severity,actor,actor_role,recipient,recipient_role,source_system,entry_method,detail}'::text[]
$$;
COMMENT ON FUNCTION workflow_track.import_columns() IS 'what a mapping may name columns for';

-- What logs in XES are named like, and those of export_xes() too.
CREATE FUNCTION workflow_track.xes_columns() RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
	SELECT '{"activity": ["concept:name"], "transition": ["lifecycle:transition"], "occurred_at": ["time:timestamp"], "source_sequence": ["source_sequence", "@place"],
		"time_precision": ["time_precision"], "planned_at": ["planned_at"], "facility": ["org:group"], "patient_id": ["patient_id", "case:patient_id"],
		"encounter_id": ["encounter_id", "case:encounter_id"], "subject": ["subject"], "item": ["item"], "code": ["code"], "value": ["value"], "severity": ["severity"],
		"actor": ["org:resource"], "actor_role": ["actor_role"], "recipient": ["recipient"], "recipient_role": ["recipient_role"],
		"source_system": ["source_system"], "entry_method": ["entry_method"], "detail": ["detail"]}'::jsonb
$$;
COMMENT ON FUNCTION workflow_track.xes_columns() IS 'the columns of a mapping of XES that names none';

CREATE FUNCTION workflow_track.import_faults(mapping jsonb) RETURNS TABLE (path text, problem text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT '$', 'The mapping is not an object.', 'Use {"columns": {...}}.' WHERE jsonb_typeof(mapping) IS DISTINCT FROM 'object'
	UNION ALL
	SELECT workflow_track.map_path('$', k), 'There is no such key.', 'The keys here are columns, kinds, transitions, detail, time_format, timezone and code_system.'
	FROM jsonb_object_keys(CASE jsonb_typeof(mapping) WHEN 'object' THEN mapping ELSE '{}' END) AS k
	WHERE k <> ALL ('{columns,kinds,transitions,detail,time_format,timezone,code_system}')
	UNION ALL
	SELECT workflow_track.map_path('$', k.key), CASE k.form WHEN 'object' THEN 'It is not an object.' WHEN 'array' THEN 'It is not a list.' ELSE 'It is not a text.' END, NULL
	FROM (VALUES ('columns', 'object'), ('kinds', 'object'), ('transitions', 'array'), ('detail', 'array'), ('time_format', 'string'), ('timezone', 'string'), ('code_system', 'string')) AS k(key, form)
	WHERE jsonb_typeof(mapping -> k.key) <> k.form
	UNION ALL
	SELECT workflow_track.map_path('$.columns', c.key), 'There is no such column.', 'The columns are ' || array_to_string(workflow_track.import_columns(), ', ') || '.'
	FROM jsonb_each(CASE jsonb_typeof(mapping -> 'columns') WHEN 'object' THEN mapping -> 'columns' ELSE '{}' END) AS c WHERE c.key <> ALL (workflow_track.import_columns())
	UNION ALL
	SELECT workflow_track.map_path('$.columns', c.key), workflow_track.map_excerpt(c.value) || ' is not where a column comes from.',
		'Use a name, a list of up to three names of which the first that has a value counts, or {"constant": "text"}.'
	FROM jsonb_each(CASE jsonb_typeof(mapping -> 'columns') WHEN 'object' THEN mapping -> 'columns' ELSE '{}' END) AS c
	WHERE NOT coalesce(CASE jsonb_typeof(c.value) WHEN 'string' THEN true
		WHEN 'array' THEN jsonb_array_length(c.value) BETWEEN 1 AND 3 AND NOT c.value @? '$[*] ? (@.type() != "string")'
		WHEN 'object' THEN jsonb_typeof(c.value -> 'constant') = 'string' AND c.value - 'constant' = '{}' END, false)
	UNION ALL
	SELECT workflow_track.map_path('$.kinds', k.key), workflow_track.map_excerpt(k.value) || ' is not a kind of event.', 'Use a row of event_kind, or null for what is to be left out.'
	FROM jsonb_each(CASE jsonb_typeof(mapping -> 'kinds') WHEN 'object' THEN mapping -> 'kinds' ELSE '{}' END) AS k
	WHERE jsonb_typeof(k.value) <> 'null' AND NOT EXISTS (SELECT FROM workflow_track.event_kind AS e WHERE to_jsonb(e.kind) = k.value)
	UNION ALL
	SELECT format('$.%s[%s]', l.key, e.n - 1), workflow_track.map_excerpt(e.element) || ' is not a text.', NULL
	FROM (VALUES ('transitions'), ('detail')) AS l(key)
	CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(mapping -> l.key) WHEN 'array' THEN mapping -> l.key ELSE '[]' END) WITH ORDINALITY AS e(element, n)
	WHERE jsonb_typeof(e.element) <> 'string'
	UNION ALL
	SELECT '$.timezone', workflow_track.map_excerpt(mapping -> 'timezone') || ' is not a time zone.', 'View pg_timezone_names lists them.'
	WHERE jsonb_typeof(mapping -> 'timezone') = 'string' AND NOT workflow_track.is_time_zone(mapping ->> 'timezone')
	UNION ALL
	SELECT '$.time_format', 'The format has no year, or a zone.', 'Use a pattern of to_timestamp(), as in "DD.MM.YYYY HH24:MI:SS"; the zone goes into timezone.'
	WHERE jsonb_typeof(mapping -> 'time_format') = 'string' AND (mapping ->> 'time_format' !~* 'YY' OR mapping ->> 'time_format' ~* 'TZ|OF')
	UNION ALL
	SELECT '$.timezone', 'This key is missing.', 'A time_format has no zone; say which one the times are in.'
	WHERE mapping ? 'time_format' AND NOT mapping ? 'timezone'
$$;
COMMENT ON FUNCTION workflow_track.import_faults(jsonb) IS 'what is wrong with the mapping of a file';

CREATE FUNCTION workflow_track.import_mapping(mapping jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	fault record;
BEGIN
	FOR fault IN SELECT * FROM workflow_track.import_faults(mapping) LOOP
		RAISE EXCEPTION 'invalid mapping' USING ERRCODE = 'invalid_parameter_value', DETAIL = fault.path || ': ' || fault.problem, HINT = coalesce(fault.hint, '');
	END LOOP;
	-- A name is a list of one.
	RETURN mapping || jsonb_build_object('columns', (
		SELECT coalesce(jsonb_object_agg(c.key, CASE jsonb_typeof(c.value) WHEN 'string' THEN jsonb_build_array(c.value) ELSE c.value END), '{}')
		FROM jsonb_each(mapping -> 'columns') AS c));
END
$$;
COMMENT ON FUNCTION workflow_track.import_mapping(jsonb) IS 'a mapping with a list of names, or a constant, for each column; an error if it is none';

CREATE FUNCTION workflow_track.imported_value(attributes jsonb, source jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(nullif(btrim(attributes ->> (source ->> 0), E' \t'), ''), nullif(btrim(attributes ->> (source ->> 1), E' \t'), ''),
		nullif(btrim(attributes ->> (source ->> 2), E' \t'), ''), source ->> 'constant')
$$;
COMMENT ON FUNCTION workflow_track.imported_value(jsonb, jsonb) IS 'a column of an event: the first of some attributes that has a value, without outer blanks, or a constant';

CREATE FUNCTION workflow_track.imported_time(value text, format text, timezone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
DECLARE
	local timestamp;
	at timestamptz;
BEGIN
	IF format IS NULL THEN
		IF value !~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?$' THEN
			RETURN NULL;
		ELSIF value ~ '(Z|:.*[+-]\d\d(:?\d\d)?)$' THEN
			RETURN replace(value, ',', '.')::timestamptz;
		END IF;
		local := replace(value, ',', '.')::timestamp;
	ELSE
		local := to_timestamp(value, format);
		-- to_timestamp() overlooks what does not fit: what it read must be what stands there, but for zeros.
		IF regexp_replace(regexp_replace(lower(to_char(local, format)), '(^|\D)0+(?=\d)', '\1', 'g'), '(\.\d*?)0+(?!\d)', '\1', 'g')
			<> regexp_replace(regexp_replace(lower(value), '(^|\D)0+(?=\d)', '\1', 'g'), '(\.\d*?)0+(?!\d)', '\1', 'g') THEN
			RETURN NULL;
		END IF;
	END IF;
	at := local AT TIME ZONE timezone;
	-- When clocks go forward, an hour is no time.
	RETURN CASE WHEN at AT TIME ZONE timezone = local THEN at END;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.imported_time(text, text, text) IS
'a time that a file has: ISO 8601, with an offset or in a time zone, or of a format in one; null if it is none';

CREATE FUNCTION workflow_track.imported_precision(value text, format text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN format IS NULL THEN CASE WHEN value ~ ':\d\d:' THEN 'second' WHEN value ~ '\d[T ]\d\d:' THEN 'minute' ELSE 'day' END
		WHEN format ~* 'SS' THEN 'second' WHEN format ~* 'MI' THEN 'minute' WHEN format ~* 'HH' THEN 'hour'
		WHEN format ~* 'DD' THEN 'day' WHEN format ~* 'MM|MON' THEN 'month' ELSE 'year' END
$$;
COMMENT ON FUNCTION workflow_track.imported_precision(text, text) IS 'how exact a time of a file is';

CREATE FUNCTION workflow_track.imported_json(value text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN value::jsonb;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.imported_json(text) IS 'the JSON that a text is; null if it is none';

-- COPY fills gaps of pages: only a column that counts tells the order of a file.
CREATE FUNCTION workflow_track.counting_column(relation regclass) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attidentity <> '' AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION workflow_track.counting_column(regclass) IS 'the identity column of a table, which numbers its rows; null if it has none';

CREATE FUNCTION workflow_track.import_rows(document text, large_object oid, relation regclass) RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF relation IS NULL THEN
		RETURN QUERY SELECT * FROM workflow_track.xes_rows(document, large_object);
	ELSIF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) THEN
		RAISE EXCEPTION 'there is no table of oid %', relation::oid USING ERRCODE = 'undefined_table';
	ELSE
		RETURN QUERY EXECUTE format('SELECT to_jsonb(t.*) || jsonb_build_object(''@row'', %s) FROM %s AS t',
			coalesce('t.' || quote_ident(workflow_track.counting_column(relation)), 'row_number() OVER ()'), relation);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.import_rows(text, oid, regclass) IS 'the rows of a log in XES, or of a table that a file was copied into';

CREATE FUNCTION workflow_track.known_kinds(mapping jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_object_agg(k.name, k.kind), '{}') || coalesce(mapping -> 'kinds', '{}')
	FROM (SELECT e.description AS name, e.kind FROM workflow_track.event_kind AS e WHERE e.category = 'imported' AND e.description IS NOT NULL
		UNION ALL SELECT e.kind, e.kind FROM workflow_track.event_kind AS e) AS k
$$;
COMMENT ON FUNCTION workflow_track.known_kinds(jsonb) IS 'names of activities with the kinds that they are: as a mapping says, kinds by their own names, and those that an import made';

CREATE FUNCTION workflow_track.imported_events(document text, large_object oid, relation regclass, mapping jsonb)
RETURNS TABLE (row_number bigint, problem text, left_out boolean, activity text, kind_is_unknown boolean, occurred_at timestamptz, source_sequence integer,
	time_precision workflow_track.time_precision, planned_at timestamptz, facility text, patient_id text, encounter_id text, subject text, item text,
	kind text, code workflow_track.clinical_code, value text, severity workflow_track.severity, actor text, actor_role text, recipient text,
	recipient_role text, source_system text, entry_method workflow_track.entry_method, detail jsonb, attributes jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	m CONSTANT jsonb := workflow_track.import_mapping(CASE WHEN relation IS NULL AND coalesce(jsonb_typeof(mapping -> 'columns'), 'object') = 'object'
		THEN mapping || jsonb_build_object('columns', workflow_track.xes_columns() || coalesce(mapping -> 'columns', '{}')) ELSE mapping END);
	c CONSTANT jsonb := m -> 'columns';
	kinds CONSTANT jsonb := workflow_track.known_kinds(m);
	transitions CONSTANT jsonb := coalesce(m -> 'transitions', '["complete"]');
	format CONSTANT text := m ->> 'time_format';
	zone CONSTANT text := m ->> 'timezone';
BEGIN
	IF relation IS NOT NULL AND workflow_track.counting_column(relation) IS NULL AND c @? '$.* ? (@[*] == "@row")' THEN
		RAISE EXCEPTION 'the rows of % have no order', relation USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Let the table have a column GENERATED ALWAYS AS IDENTITY, which COPY does not fill.';
	END IF;
	-- OFFSET 0 keeps each step apart, or what one computes would be computed wherever the next ones name it.
	RETURN QUERY
	WITH text_row AS (
		SELECT (r.a ->> '@row')::bigint AS row_number, r.a AS attributes, workflow_track.imported_value(r.a, c -> 'activity') AS activity,
			lower(coalesce(workflow_track.imported_value(r.a, c -> 'transition'), 'complete')) AS transition,
			workflow_track.imported_value(r.a, c -> 'occurred_at') AS occurred_at, workflow_track.imported_value(r.a, c -> 'source_sequence') AS source_sequence,
			lower(workflow_track.imported_value(r.a, c -> 'time_precision')) AS time_precision, workflow_track.imported_value(r.a, c -> 'planned_at') AS planned_at,
			coalesce(workflow_track.imported_value(r.a, c -> 'facility'), '') AS facility, workflow_track.imported_value(r.a, c -> 'patient_id') AS patient_id,
			workflow_track.imported_value(r.a, c -> 'encounter_id') AS encounter_id, workflow_track.imported_value(r.a, c -> 'subject') AS subject,
			workflow_track.imported_value(r.a, c -> 'item') AS item, workflow_track.imported_value(r.a, c -> 'code') AS code,
			-- A value is as it is, blanks and all.
			coalesce(r.a ->> (c -> 'value' ->> 0), r.a ->> (c -> 'value' ->> 1), r.a ->> (c -> 'value' ->> 2), c -> 'value' ->> 'constant') AS value,
			lower(workflow_track.imported_value(r.a, c -> 'severity')) AS severity, workflow_track.imported_value(r.a, c -> 'actor') AS actor,
			workflow_track.imported_value(r.a, c -> 'actor_role') AS actor_role, workflow_track.imported_value(r.a, c -> 'recipient') AS recipient,
			workflow_track.imported_value(r.a, c -> 'recipient_role') AS recipient_role, workflow_track.imported_value(r.a, c -> 'source_system') AS source_system,
			lower(workflow_track.imported_value(r.a, c -> 'entry_method')) AS entry_method, workflow_track.imported_value(r.a, c -> 'detail') AS detail
		FROM workflow_track.import_rows(document, large_object, relation) AS r(a) OFFSET 0),
	typed AS (
		SELECT t.*, transitions ? t.transition OR kinds ? (t.activity || '+' || t.transition) AS is_taken, n.name, n.kind, n.name IS NOT NULL AND n.kind IS NULL AS kind_left_out,
			workflow_track.imported_time(t.occurred_at, format, zone) AS at, workflow_track.imported_time(t.planned_at, format, zone) AS planned,
			CASE WHEN t.source_sequence ~ '^-?\d{1,10}$' AND t.source_sequence::bigint BETWEEN -2147483648 AND 2147483647 THEN t.source_sequence::integer END AS sequence,
			coalesce(t.time_precision, workflow_track.imported_precision(t.occurred_at, format)) AS precision,
			CASE WHEN t.code LIKE '%|%' THEN workflow_track.clinical_code(split_part(t.code, '|', 1), substring(t.code FROM '\|(.*)$'))
				WHEN t.code IS NOT NULL THEN workflow_track.clinical_code(coalesce(m ->> 'code_system', 'local'), t.code) END AS clinical_code,
			workflow_track.imported_json(t.detail) AS json,
			(SELECT jsonb_object_agg(d.name, t.attributes -> d.name) FROM jsonb_array_elements_text(m -> 'detail') AS d(name) WHERE t.attributes ->> d.name <> '') AS kept
		FROM text_row AS t
		CROSS JOIN LATERAL (SELECT CASE WHEN kinds ? (t.activity || '+' || t.transition) THEN t.activity || '+' || t.transition WHEN kinds ? t.activity THEN t.activity END) AS l(name)
		CROSS JOIN LATERAL (SELECT l.name, kinds ->> l.name) AS n(name, kind) OFFSET 0),
	judged AS (
		SELECT t.*, NOT t.is_taken OR t.kind_left_out AS left_out,
			nullif(concat_ws('; ',
				CASE WHEN NOT t.is_taken THEN format('transition "%s" is left out', left(t.transition, 40)) WHEN t.kind_left_out THEN 'the mapping leaves this activity out' END,
				CASE WHEN t.activity IS NULL THEN 'no activity' WHEN t.name IS NULL THEN 'no kind of event for this activity' END,
				CASE WHEN t.patient_id IS NULL THEN 'no patient' END,
				CASE WHEN t.occurred_at IS NULL THEN 'no time' WHEN t.at IS NULL THEN 'the time cannot be read'
					WHEN t.at < '1900-01-01 00:00+00' OR t.at > statement_timestamp() + interval '2 days' THEN 'the time is before 1900 or more than 2 days from now' END,
				CASE WHEN t.planned_at IS NOT NULL AND t.planned IS NULL THEN 'planned_at cannot be read'
					WHEN t.planned < '1900-01-01 00:00+00' OR t.planned >= '2200-01-01 00:00+00' THEN 'planned_at is before 1900 or after 2199' END,
				CASE WHEN t.source_sequence IS NOT NULL AND t.sequence IS NULL THEN 'source_sequence is not a whole number' END,
				CASE WHEN t.precision <> ALL ('{second,minute,hour,day,month,year}') THEN 'time_precision is none of second, minute, hour, day, month, year' END,
				CASE WHEN t.severity <> ALL ('{normal,abnormal,critical}') THEN 'severity is none of normal, abnormal, critical' END,
				CASE WHEN t.entry_method <> ALL ('{interface,manual}') THEN 'entry_method is none of interface, manual' END,
				CASE WHEN t.detail IS NOT NULL AND jsonb_typeof(t.json) IS DISTINCT FROM 'object' THEN 'detail is not a JSON object' END,
				CASE WHEN greatest(octet_length(t.patient_id), octet_length(t.encounter_id), octet_length(t.subject), octet_length(t.item), octet_length(t.actor), octet_length(t.actor_role),
					octet_length(t.recipient), octet_length(t.recipient_role), octet_length(t.source_system), octet_length(t.facility), octet_length(t.code)) > 500
					THEN 'an identifier is longer than 500 bytes' END), '') AS problem
		FROM typed AS t OFFSET 0)
	SELECT j.row_number, j.problem, j.left_out, j.activity, j.activity IS NOT NULL AND j.name IS NULL AND j.is_taken, j.at, coalesce(j.sequence, 0),
		CASE WHEN j.problem IS NULL THEN j.precision::workflow_track.time_precision END, j.planned, j.facility, j.patient_id, j.encounter_id, j.subject, j.item,
		j.kind, j.clinical_code, j.value, CASE WHEN j.problem IS NULL THEN j.severity::workflow_track.severity END, j.actor, j.actor_role, j.recipient,
		j.recipient_role, j.source_system, CASE WHEN j.problem IS NULL THEN j.entry_method::workflow_track.entry_method END,
		CASE WHEN jsonb_typeof(j.json) = 'object' THEN j.json || coalesce(j.kept, '{}') ELSE j.kept END, j.attributes
	FROM judged AS j;
END
$$;
COMMENT ON FUNCTION workflow_track.imported_events(text, oid, regclass, jsonb) IS
'what a mapping makes of the rows of a file: columns of event, or the problem for which there can be none';

CREATE FUNCTION workflow_track.xes_events(document text DEFAULT NULL, large_object oid DEFAULT NULL, mapping jsonb DEFAULT '{}')
RETURNS TABLE (row_number bigint, problem text, left_out boolean, activity text, kind_is_unknown boolean, occurred_at timestamptz, source_sequence integer,
	time_precision workflow_track.time_precision, planned_at timestamptz, facility text, patient_id text, encounter_id text, subject text, item text,
	kind text, code workflow_track.clinical_code, value text, severity workflow_track.severity, actor text, actor_role text, recipient text,
	recipient_role text, source_system text, entry_method workflow_track.entry_method, detail jsonb, attributes jsonb)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT * FROM workflow_track.imported_events(document, large_object, NULL, mapping)
$$;
COMMENT ON FUNCTION workflow_track.xes_events(text, oid, jsonb) IS
'the events of a log in XES, a text or a large object, as a mapping makes them, each with the problem that it has';

CREATE FUNCTION workflow_track.csv_events(relation regclass, mapping jsonb)
RETURNS TABLE (row_number bigint, problem text, left_out boolean, activity text, kind_is_unknown boolean, occurred_at timestamptz, source_sequence integer,
	time_precision workflow_track.time_precision, planned_at timestamptz, facility text, patient_id text, encounter_id text, subject text, item text,
	kind text, code workflow_track.clinical_code, value text, severity workflow_track.severity, actor text, actor_role text, recipient text,
	recipient_role text, source_system text, entry_method workflow_track.entry_method, detail jsonb, attributes jsonb)
LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM workflow_track.imported_events(NULL, NULL, relation, mapping);
END
$$;
COMMENT ON FUNCTION workflow_track.csv_events(regclass, jsonb) IS
'the events of a table that a file was copied into, as a mapping makes them, each with the problem that it has';

-- Two names may differ in what a kind cannot have: then the second gets a number.
CREATE FUNCTION workflow_track.make_kinds(activities text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	activity text;
	base text;
	number integer;
BEGIN
	FOREACH activity IN ARRAY activities LOOP
		base := 'imported.' || coalesce(nullif(regexp_replace(trim(BOTH '_' FROM regexp_replace(lower(activity), '[^a-z0-9]+', '_', 'g')), '^(?=\d)', 'n'), ''), 'activity');
		number := 1;
		LOOP
			INSERT INTO workflow_track.event_kind (kind, category, description)
				VALUES (base || CASE WHEN number > 1 THEN '_' || number ELSE '' END, 'imported', activity) ON CONFLICT (kind) DO NOTHING;
			EXIT WHEN FOUND;
			number := number + 1;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.make_kinds(text[]) IS 'part of an import: makes kinds of category imported of the names of activities';

CREATE FUNCTION workflow_track.import_events(name text, document text, large_object oid, relation regclass, mapping jsonb, make_kinds boolean,
	OUT recorded bigint, OUT kept_apart bigint, OUT left_out bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	unknown bigint;
BEGIN
	IF import_events.name IS NULL OR btrim(import_events.name) = '' THEN
		RAISE EXCEPTION 'an import needs a name' USING ERRCODE = 'invalid_parameter_value', HINT = 'Use that of the file: what was imported once is not imported again.';
	ELSIF EXISTS (SELECT FROM workflow_track.import AS i WHERE i.name = import_events.name) THEN
		RAISE EXCEPTION '"%" was imported already', import_events.name USING ERRCODE = 'unique_violation', HINT = 'Table workflow_track.import lists what was.';
	END IF;
	IF make_kinds THEN
		PERFORM workflow_track.make_kinds(ARRAY(
			SELECT DISTINCT e.activity COLLATE "C" FROM workflow_track.imported_events(document, large_object, relation, mapping) AS e WHERE e.kind_is_unknown ORDER BY 1));
	END IF;
	WITH e AS MATERIALIZED (
		SELECT * FROM workflow_track.imported_events(document, large_object, relation, mapping)),
	good AS (
		INSERT INTO workflow_track.event (occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind,
			code, value, severity, actor, actor_role, recipient, recipient_role, source_system, entry_method, detail)
		SELECT e.occurred_at, e.source_sequence, e.time_precision, e.planned_at, e.facility, e.patient_id, e.encounter_id, e.subject, e.item, e.kind,
			e.code, e.value, e.severity, e.actor, e.actor_role, e.recipient, e.recipient_role, e.source_system, e.entry_method, e.detail
		FROM e WHERE e.problem IS NULL ORDER BY e.row_number),
	bad AS (
		INSERT INTO workflow_track.import_problem (import, row_number, activity, problem, attributes)
		SELECT import_events.name, e.row_number, e.activity, e.problem, e.attributes FROM e WHERE e.problem IS NOT NULL AND NOT e.left_out AND NOT e.kind_is_unknown)
	SELECT count(*) FILTER (WHERE e.problem IS NULL), count(*) FILTER (WHERE e.problem IS NOT NULL AND NOT e.left_out), count(*) FILTER (WHERE e.left_out),
		count(DISTINCT e.activity) FILTER (WHERE e.kind_is_unknown)
		INTO recorded, kept_apart, left_out, unknown FROM e;
	IF unknown > 0 THEN
		-- They may be names of patients, if the column is a wrong one.
		RAISE EXCEPTION 'there are activities that are no kind of event' USING ERRCODE = 'foreign_key_violation',
			DETAIL = format('Names of activities without a kind: %s.', unknown),
			HINT = format('workflow_track.%s() tells them, where kind_is_unknown. Name a kind of each in the mapping''s "kinds", null for what is to be left out, or make_kinds => true.',
				CASE WHEN relation IS NULL THEN 'xes_events' ELSE 'csv_events' END);
	END IF;
	INSERT INTO workflow_track.import (name, imported_by, recorded, kept_apart, left_out)
		VALUES (import_events.name, session_user, import_events.recorded, import_events.kept_apart, import_events.left_out);
END
$$;
COMMENT ON FUNCTION workflow_track.import_events(text, text, oid, regclass, jsonb, boolean) IS
'records the events of a file; rows of which none can be made are kept in import_problem';

CREATE FUNCTION workflow_track.import_xes(name text, document text DEFAULT NULL, large_object oid DEFAULT NULL, mapping jsonb DEFAULT '{}', make_kinds boolean DEFAULT false,
	OUT recorded bigint, OUT kept_apart bigint, OUT left_out bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	SELECT i.* INTO recorded, kept_apart, left_out FROM workflow_track.import_events(name, document, large_object, NULL, mapping, make_kinds) AS i;
END
$$;
COMMENT ON FUNCTION workflow_track.import_xes(text, text, oid, jsonb, boolean) IS
'records the events of a log in XES, a text or a large object, as a mapping makes them; rows of which none can be made are kept in import_problem';

CREATE FUNCTION workflow_track.import_csv(name text, relation regclass, mapping jsonb, make_kinds boolean DEFAULT false,
	OUT recorded bigint, OUT kept_apart bigint, OUT left_out bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION 'there is no table to import' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT i.* INTO recorded, kept_apart, left_out FROM workflow_track.import_events(name, NULL, NULL, relation, mapping, make_kinds) AS i;
END
$$;
COMMENT ON FUNCTION workflow_track.import_csv(text, regclass, jsonb, boolean) IS
'records the events of a table that a file was copied into, as a mapping makes them; rows of which none can be made are kept in import_problem';

CREATE FUNCTION workflow_track.setup_import() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.import (
		name text COLLATE "C" PRIMARY KEY,
		imported_at timestamptz NOT NULL DEFAULT now(),
		imported_by text COLLATE "C" NOT NULL,
		recorded bigint NOT NULL,
		kept_apart bigint NOT NULL,
		left_out bigint NOT NULL
	);
	COMMENT ON TABLE workflow_track.import IS 'the files whose events were recorded';
	PERFORM workflow_track.comment_columns('import', 'name', 'the file', 'imported_at', 'when', 'imported_by', 'the database user who did',
		'recorded', 'rows that are events now', 'kept_apart', 'rows that are in import_problem', 'left_out', 'rows that the mapping leaves out');

	CREATE TABLE IF NOT EXISTS workflow_track.import_problem (
		import text COLLATE "C" NOT NULL,
		row_number bigint NOT NULL,
		activity text COLLATE "C",
		problem text COLLATE "C" NOT NULL,
		attributes jsonb NOT NULL,
		PRIMARY KEY (import, row_number)
	);
	COMMENT ON TABLE workflow_track.import_problem IS 'rows of files of which no event could be made, as they came';
	PERFORM workflow_track.comment_columns('import_problem', 'import', 'the file', 'row_number', 'of the row in the file, from 1', 'activity', 'what happened, in the file''s words',
		'problem', 'what is the matter', 'attributes', 'the row');

	GRANT SELECT, DELETE ON workflow_track.import, workflow_track.import_problem TO workflow_track_admin;
	GRANT INSERT ON workflow_track.import_problem TO workflow_track_admin, workflow_track_recorder;
	GRANT INSERT, SELECT ON workflow_track.import TO workflow_track_admin, workflow_track_recorder;
	GRANT EXECUTE ON FUNCTION workflow_track.xes_rows(text, oid), workflow_track.import_columns(), workflow_track.xes_columns(), workflow_track.import_mapping(jsonb), workflow_track.imported_value(jsonb, jsonb), workflow_track.imported_time(text, text, text), workflow_track.imported_precision(text, text),
		workflow_track.imported_json(text), workflow_track.counting_column(regclass), workflow_track.import_rows(text, oid, regclass), workflow_track.known_kinds(jsonb),
		workflow_track.imported_events(text, oid, regclass, jsonb), workflow_track.xes_events(text, oid, jsonb), workflow_track.csv_events(regclass, jsonb),
		workflow_track.make_kinds(text[]), workflow_track.import_events(text, text, oid, regclass, jsonb, boolean),
		workflow_track.import_xes(text, text, oid, jsonb, boolean), workflow_track.import_csv(text, regclass, jsonb, boolean)
		TO workflow_track_admin, workflow_track_recorder;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_import() IS 'part of setup(): events from files of other programs';
