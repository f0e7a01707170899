-- What links make one, with one of the names to stand for all.  A link leads both ways.

CREATE FUNCTION workflow_track.joined_patients(ever boolean) RETURNS TABLE (patient_id text, patient text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH RECURSIVE link (id, other) AS MATERIALIZED (
		SELECT v.* FROM workflow_track.patient_merge AS m CROSS JOIN LATERAL (VALUES (m.patient_id, m.merged_id), (m.merged_id, m.patient_id)) AS v
		WHERE ever OR NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = m.event_id)),
	same (id, other) AS (
		SELECT l.id, l.id FROM link AS l
		UNION SELECT s.id, l.other FROM same AS s JOIN link AS l ON l.id = s.other)
	SELECT s.id, min(s.other) FROM same AS s GROUP BY s.id;
END
$$;
COMMENT ON FUNCTION workflow_track.joined_patients(boolean) IS
'the ids that merges join, and one that stands for all of a patient; retracted merges too, where ever is true';

CREATE FUNCTION workflow_track.joined_encounters(ever boolean) RETURNS TABLE (patient text, id text, encounter text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH RECURSIVE link (patient, id, other) AS MATERIALIZED (
		SELECT coalesce(p.patient, m.patient_id), v.*
		FROM workflow_track.encounter_merge AS m LEFT JOIN workflow_track.joined_patients(ever) AS p USING (patient_id)
			CROSS JOIN LATERAL (VALUES (m.encounter_id, m.merged_id), (m.merged_id, m.encounter_id)) AS v
		WHERE ever OR NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = m.event_id)),
	same (patient, id, other) AS (
		SELECT l.patient, l.id, l.id FROM link AS l
		UNION SELECT s.patient, s.id, l.other FROM same AS s JOIN link AS l ON l.patient = s.patient AND l.id = s.other)
	SELECT s.patient, s.id, min(s.other) FROM same AS s GROUP BY s.patient, s.id;
END
$$;
COMMENT ON FUNCTION workflow_track.joined_encounters(boolean) IS 'the same of the encounters of a patient';

CREATE FUNCTION workflow_track.joined_subjects(ever boolean) RETURNS TABLE (patient text, id text, subject text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH RECURSIVE link (patient, id, other) AS MATERIALIZED (
		SELECT coalesce(p.patient, a.patient_id), v.*
		FROM workflow_track.subject_alias AS a LEFT JOIN workflow_track.joined_patients(ever) AS p USING (patient_id)
			CROSS JOIN LATERAL (VALUES (a.alias, a.subject), (a.subject, a.alias)) AS v),
	same (patient, id, other) AS (
		SELECT l.patient, l.id, l.id FROM link AS l
		UNION SELECT s.patient, s.id, l.other FROM same AS s JOIN link AS l ON l.patient = s.patient AND l.id = s.other)
	SELECT s.patient, s.id, min(s.other) FROM same AS s GROUP BY s.patient, s.id;
END
$$;
COMMENT ON FUNCTION workflow_track.joined_subjects(boolean) IS 'the same of the subjects of a patient, by aliases';

CREATE FUNCTION workflow_track.has_field(field text, role text, reader_role text, code text, detail jsonb, event jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN field = 'actor_role' THEN coalesce(role, '') <> ''
		WHEN field = 'recipient_role' THEN coalesce(reader_role, '') <> ''
		WHEN starts_with(field, 'code:') THEN coalesce(starts_with(code, substr(field, 6) || '|'), false)
		WHEN field = 'detail' THEN coalesce(detail NOT IN ('null', '""', '[]', '{}'), false)
		WHEN starts_with(field, 'detail.') THEN coalesce(jsonb_typeof(detail) = 'object' AND detail -> substr(field, 8) NOT IN ('null', '""', '[]', '{}'), false)
		ELSE coalesce(event ->> field, '') <> ''
	END
$$;
COMMENT ON FUNCTION workflow_track.has_field(text, text, text, text, jsonb, jsonb) IS 'whether an event has what a step requires';

CREATE FUNCTION workflow_track.conditions_hold(when_severity text[], when_facility text[], when_entry_method text[], when_code text, when_detail jsonb,
	severity workflow_track.severity, facility text, entry_method workflow_track.entry_method, code text, detail jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (when_severity IS NULL OR coalesce(severity::text, 'unknown') = ANY (when_severity))
		AND (when_facility IS NULL OR coalesce(facility, 'unknown') = ANY (when_facility))
		AND (when_entry_method IS NULL OR coalesce(entry_method::text, 'unknown') = ANY (when_entry_method))
		AND (when_code IS NULL OR coalesce(starts_with(code, when_code), false))
		AND NOT EXISTS (SELECT FROM jsonb_each(when_detail) AS d
			WHERE detail -> d.key IS NULL OR detail -> d.key = 'null'
				OR NOT EXISTS (SELECT FROM jsonb_array_elements(d.value) AS v WHERE v.value = detail -> d.key))
$$;
COMMENT ON FUNCTION workflow_track.conditions_hold(text[], text[], text[], text, jsonb, workflow_track.severity, text, workflow_track.entry_method, text, jsonb) IS
'whether what is known of an event satisfies the conditions of a rule';
