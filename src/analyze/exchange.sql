-- Event logs for other programs, and from them.

CREATE FUNCTION workflow_track.log_events(since timestamptz, until timestamptz, facility text, cases text)
RETURNS TABLE (case_patient text, case_encounter text, place bigint, events bigint, role text, case_subject text,
	event_id bigint, occurred_at timestamptz, recorded_at timestamptz, source_sequence integer, time_precision workflow_track.time_precision,
	planned_at timestamptz, event_facility text, patient_id text, encounter_id text, subject text, item text, kind text,
	code workflow_track.clinical_code, value text, severity workflow_track.severity, actor text, actor_role text,
	recipient text, recipient_role text, source_system text, entry_method workflow_track.entry_method, message_id bigint, detail jsonb)
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.log_events(timestamptz, timestamptz, text, text) IS
'the events of cases that began in a time, case by case in canonical order, of facilities that the caller sees';

CREATE FUNCTION workflow_track.log_left_out(since timestamptz, until timestamptz, facility text, cases text) RETURNS bigint
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.log_left_out(timestamptz, timestamptz, text, text) IS
'how many events log_events() leaves out because they have no encounter';

CREATE FUNCTION workflow_track.pseudonym(salt text, what text, id text) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.pseudonym(text, text, text) IS
'what stands for an identifier in an export: HMAC-SHA-256 of it with the salt, cut to 128 bits; without a salt the identifier itself';

CREATE FUNCTION workflow_track.xes_attribute(type text, key text, value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.xes_attribute(text, text, text) IS 'an attribute of XES, null of a null';

CREATE FUNCTION workflow_track.xes_time(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') $$;
COMMENT ON FUNCTION workflow_track.xes_time(timestamptz) IS 'a moment as XML and JSON write it';

-- An id of something of a patient, which no other such has: the first slash parts the two.
CREATE FUNCTION workflow_track.patients_own(patient text, id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT replace(replace(patient, '%', '%25'), '/', '%2F') || coalesce('/' || id, '') $$;
COMMENT ON FUNCTION workflow_track.patients_own(text, text) IS 'the name of something of a patient, which no other has; null stands for the patient';

CREATE FUNCTION workflow_track.check_salt(salt text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF length(salt) < 16 THEN
		RAISE EXCEPTION 'the salt is too short' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Use 16 characters at least that nobody can guess, and keep them: the same salt gives the same pseudonyms.';
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.check_salt(text) IS 'an error of a salt that could be guessed';

CREATE FUNCTION workflow_track.export_xes(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL,
	cases text DEFAULT 'encounters', salt text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	left_out bigint;
BEGIN
	PERFORM workflow_track.check_salt(salt);
	IF cases = 'events' THEN
		RAISE EXCEPTION 'invalid kind of cases' USING ERRCODE = 'invalid_parameter_value', HINT = 'Use encounters or patients.';
	END IF;
	left_out := workflow_track.log_left_out(since, until, facility, cases);
	IF left_out > 0 THEN
		RAISE NOTICE 'left out % events that have no encounter', left_out USING HINT = 'cases => ''patients'' makes a trace of those of each patient.';
	END IF;
	RETURN QUERY VALUES
		('<?xml version="1.0" encoding="UTF-8"?>'),
		('<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">'),
		('<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>'),
		('<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>'),
		('<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>'),
		('<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>'),
		('<global scope="trace"><string key="concept:name" value=""/></global>'),
		('<global scope="event"><string key="concept:name" value=""/><date key="time:timestamp" value="1970-01-01T00:00:00.000000+00:00"/>'
			'<string key="lifecycle:transition" value="complete"/></global>'),
		('<classifier name="Activity" scope="event" keys="concept:name"/>'),
		('<string key="concept:name" value="workflow_track"/>'),
		('<string key="lifecycle:model" value="standard"/>'),
		(workflow_track.xes_attribute('int', 'left_out', left_out::text));
	RETURN QUERY
	SELECT concat(
		CASE WHEN e.place = 1 THEN concat('<trace>',
			workflow_track.xes_attribute('string', 'concept:name', workflow_track.patients_own(
				workflow_track.pseudonym(salt, 'patient', e.case_patient), workflow_track.pseudonym(salt, 'encounter', e.case_encounter))),
			workflow_track.xes_attribute('string', 'patient_id', workflow_track.pseudonym(salt, 'patient', e.case_patient)),
			workflow_track.xes_attribute('string', 'encounter_id', workflow_track.pseudonym(salt, 'encounter', e.case_encounter))) END,
		'<event>',
		workflow_track.xes_attribute('string', 'concept:name', e.kind),
		workflow_track.xes_attribute('date', 'time:timestamp', workflow_track.xes_time(e.occurred_at)),
		'<string key="lifecycle:transition" value="complete"/>',
		workflow_track.xes_attribute('string', 'org:resource', workflow_track.pseudonym(salt, 'actor', e.actor)),
		workflow_track.xes_attribute('string', 'org:role', e.role),
		workflow_track.xes_attribute('string', 'org:group', nullif(e.event_facility, '')),
		CASE WHEN salt IS NULL THEN workflow_track.xes_attribute('int', 'event_id', e.event_id::text) END,
		CASE WHEN e.patient_id <> e.case_patient THEN workflow_track.xes_attribute('string', 'patient_id', workflow_track.pseudonym(salt, 'patient', e.patient_id)) END,
		CASE WHEN e.encounter_id <> e.case_encounter THEN workflow_track.xes_attribute('string', 'encounter_id', workflow_track.pseudonym(salt, 'encounter', e.encounter_id)) END,
		workflow_track.xes_attribute('string', 'subject', workflow_track.pseudonym(salt,
			CASE e.kind WHEN 'patient.merged' THEN 'patient' WHEN 'encounter.merged' THEN 'encounter' ELSE 'subject' END, e.subject)),
		workflow_track.xes_attribute('string', 'item', workflow_track.pseudonym(salt, 'item', e.item)),
		workflow_track.xes_attribute('string', 'code', e.code::text),
		CASE WHEN salt IS NULL THEN workflow_track.xes_attribute('string', 'value', e.value) END,
		workflow_track.xes_attribute('string', 'severity', e.severity::text),
		workflow_track.xes_attribute('string', 'actor_role', e.actor_role),
		workflow_track.xes_attribute('string', 'recipient', workflow_track.pseudonym(salt, 'actor', e.recipient)),
		workflow_track.xes_attribute('string', 'recipient_role', e.recipient_role),
		workflow_track.xes_attribute('string', 'source_system', e.source_system),
		workflow_track.xes_attribute('string', 'entry_method', e.entry_method::text),
		workflow_track.xes_attribute('int', 'source_sequence', e.source_sequence::text),
		workflow_track.xes_attribute('string', 'time_precision', nullif(e.time_precision, 'second')::text),
		workflow_track.xes_attribute('date', 'planned_at', workflow_track.xes_time(e.planned_at)),
		CASE WHEN salt IS NULL THEN workflow_track.xes_attribute('string', 'detail', e.detail::text) END,
		'</event>',
		CASE WHEN e.place = e.events THEN '</trace>' END)
	FROM workflow_track.log_events(since, until, facility, cases) AS e;
	RETURN NEXT '</log>';
END
$$;
COMMENT ON FUNCTION workflow_track.export_xes(timestamptz, timestamptz, text, text, text) IS
'lines of an event log in XES (IEEE 1849): encounters that began since a moment until another, with their events at a facility; a salt replaces identifiers and leaves free text out';

-- Numbers of a subject are one thing whichever of these an event says of it.
CREATE FUNCTION workflow_track.object_type(kind text, category text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN kind IN ('patient.merged', 'encounter.merged') THEN NULL
		WHEN category IN ('specimen', 'result', 'prescription', 'medication', 'immunization') OR kind = 'patient.notified' THEN 'order'
		WHEN category = 'note' THEN 'document'
		WHEN category IN ('patient', 'encounter', 'actor', 'system') THEN category || ' subject'
		ELSE category END
$$;
COMMENT ON FUNCTION workflow_track.object_type(text, text) IS 'the type of object that the subject of an event of a kind is in OCEL; null of merges, where it is none of its own';

CREATE FUNCTION workflow_track.ocel_types(names text[], attributes json) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(json_agg(json_build_object('name', n, 'attributes', attributes) ORDER BY n COLLATE "C"), '[]')::text FROM unnest(names) AS n
$$;
COMMENT ON FUNCTION workflow_track.ocel_types(text[], json) IS 'part of export_ocel(): types of objects or events';

CREATE FUNCTION workflow_track.export_ocel(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL,
	salt text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM workflow_track.check_salt(salt);
	-- The parts come in the order in which they stand here: nothing sorts them, and nothing is parallel.
	RETURN QUERY
	WITH e AS MATERIALIZED (
		SELECT l.*, 'patient:' || workflow_track.patients_own(p.id, NULL) AS patient,
			ARRAY['patient:' || workflow_track.patients_own(p.id, NULL), 'encounter:' || workflow_track.patients_own(p.id, workflow_track.pseudonym(salt, 'encounter', l.case_encounter)),
				t.type || ':' || workflow_track.patients_own(p.id, workflow_track.pseudonym(salt, 'subject', l.case_subject)),
				'actor:' || workflow_track.pseudonym(salt, 'actor', l.actor), 'actor:' || workflow_track.pseudonym(salt, 'actor', l.recipient),
				'system:' || l.source_system] AS ids,
			ARRAY['patient', 'encounter', t.type, 'actor', 'actor', 'system'] AS types
		FROM workflow_track.log_events(since, until, facility, 'events') AS l
		LEFT JOIN workflow_track.event_kind AS k USING (kind)
		CROSS JOIN LATERAL (SELECT workflow_track.object_type(l.kind, k.category)) AS t(type)
		CROSS JOIN LATERAL (SELECT workflow_track.pseudonym(salt, 'patient', l.case_patient)) AS p(id)),
	object AS (
		SELECT DISTINCT o.type, o.id, CASE WHEN o.n IN (2, 3) THEN e.patient END AS patient
		FROM e CROSS JOIN LATERAL unnest(e.ids, e.types) WITH ORDINALITY AS o(id, type, n)
		WHERE CASE o.n WHEN 2 THEN e.case_encounter WHEN 3 THEN e.case_subject ELSE o.id END IS NOT NULL AND o.id IS NOT NULL)
	SELECT '{"objectTypes": ' || workflow_track.ocel_types(ARRAY(SELECT DISTINCT o.type FROM object AS o), '[]') || ','
	UNION ALL
	SELECT '"eventTypes": ' || workflow_track.ocel_types(ARRAY(SELECT DISTINCT e.kind FROM e),
		(SELECT json_agg(json_build_object('name', a.name, 'type', a.type) ORDER BY a.n)
			FROM unnest('{facility,item,code,value,severity,actor_role,recipient_role,entry_method,time_precision,planned_at,detail}'::text[],
				'{string,string,string,string,string,string,string,string,string,time,string}'::text[]) WITH ORDINALITY AS a(name, type, n))) || ','
	UNION ALL
	SELECT '"events": ['
	UNION ALL
	SELECT CASE WHEN row_number() OVER () > 1 THEN ',' ELSE '' END || json_build_object(
		'id', CASE WHEN salt IS NULL THEN 'event:' || e.event_id ELSE 'event:' || workflow_track.pseudonym(salt, 'event', e.event_id::text) END,
		'type', e.kind, 'time', workflow_track.xes_time(e.occurred_at),
		'attributes', (
			SELECT coalesce(json_agg(json_build_object('name', a.name, 'value', a.value)), '[]')
			FROM (VALUES ('facility', e.event_facility), ('item', workflow_track.pseudonym(salt, 'item', e.item)), ('code', e.code::text),
				('value', CASE WHEN salt IS NULL THEN e.value END), ('severity', e.severity::text), ('actor_role', e.role),
				('recipient_role', e.recipient_role), ('entry_method', e.entry_method::text), ('time_precision', nullif(e.time_precision, 'second')::text),
				('planned_at', workflow_track.xes_time(e.planned_at)), ('detail', CASE WHEN salt IS NULL THEN e.detail::text END)) AS a(name, value)
			WHERE a.value IS NOT NULL),
		'relationships', (
			SELECT json_agg(json_build_object('objectId', o.id, 'qualifier', (ARRAY['patient', 'encounter', 'subject', 'actor', 'recipient', 'source_system'])[o.n]) ORDER BY o.n)
			FROM unnest(e.ids) WITH ORDINALITY AS o(id, n)
			WHERE CASE o.n WHEN 2 THEN e.case_encounter WHEN 3 THEN e.case_subject ELSE o.id END IS NOT NULL AND o.id IS NOT NULL))
	FROM e
	UNION ALL
	SELECT '], "objects": ['
	UNION ALL
	SELECT CASE WHEN row_number() OVER () > 1 THEN ',' ELSE '' END || json_build_object('id', o.id, 'type', o.type, 'attributes', '[]'::json,
		'relationships', CASE WHEN o.patient IS NULL THEN '[]' ELSE json_build_array(json_build_object('objectId', o.patient, 'qualifier', 'of')) END)
	FROM object AS o
	UNION ALL
	SELECT ']}';
END
$$;
COMMENT ON FUNCTION workflow_track.export_ocel(timestamptz, timestamptz, text, text) IS
'lines of an object-centric event log (OCEL 2.0, JSON): the events since a moment until another at a facility, with patients, encounters, subjects, people and systems as objects';

CREATE FUNCTION workflow_track.setup_exchange() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	GRANT EXECUTE ON FUNCTION workflow_track.log_events(timestamptz, timestamptz, text, text), workflow_track.log_left_out(timestamptz, timestamptz, text, text),
		workflow_track.xes_time(timestamptz), workflow_track.patients_own(text, text), workflow_track.check_salt(text),
		workflow_track.export_xes(timestamptz, timestamptz, text, text, text), workflow_track.object_type(text, text), workflow_track.ocel_types(text[], json),
		workflow_track.export_ocel(timestamptz, timestamptz, text, text) TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_exchange() IS 'part of setup(): logs for other programs';
