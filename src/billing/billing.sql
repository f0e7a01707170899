-- What is kept of billing, against the definitions: by SQL alone, as check_findings() does for the rest.

CREATE FUNCTION workflow_track.detail_texts(detail jsonb, key text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(t.word ORDER BY t.n), '{}')
	FROM (SELECT btrim(v.value #>> '{}', E' \t\n\x0B\f\r') AS word, v.n
		FROM jsonb_array_elements(CASE jsonb_typeof(detail -> key) WHEN 'array' THEN detail -> key ELSE jsonb_build_array(detail -> key) END)
			WITH ORDINALITY AS v(value, n)
		WHERE jsonb_typeof(v.value) IN ('string', 'number')) AS t
	WHERE t.word <> ''
$$;
COMMENT ON FUNCTION workflow_track.detail_texts(jsonb, text) IS
'what a detail has at a key, a text or a number or a list of them, without blank ones';

CREATE FUNCTION workflow_track.check_billing() RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	horizon CONSTANT timestamptz := (SELECT d.horizon FROM workflow_track.detection_state AS d);
BEGIN
	RETURN QUERY
	WITH merged AS MATERIALIZED (SELECT * FROM workflow_track.joined_patients(false)),
	encounter AS MATERIALIZED (SELECT * FROM workflow_track.joined_encounters(false)),
	subject AS MATERIALIZED (SELECT * FROM workflow_track.joined_subjects(false)),
	test AS MATERIALIZED (SELECT DISTINCT coalesce(p.patient, t.patient_id) AS patient FROM workflow_track.test_patient AS t LEFT JOIN merged AS p USING (patient_id)),
	rule AS MATERIALIZED (SELECT b.* FROM workflow_track.billing_rule AS b JOIN workflow_track.workflow AS w USING (workflow, version) WHERE w.state = 'current'),

	-- Events of encounters that billing looks at, in canonical order.
	live AS (
		SELECT e.*, e.code::text COLLATE "C" AS code_text, coalesce(p.patient, e.patient_id) AS patient
		FROM workflow_track.event AS e LEFT JOIN merged AS p USING (patient_id)
		WHERE e.encounter_id IS NOT NULL AND e.kind IN (SELECT unnest(r.documented_by) FROM rule AS r UNION SELECT unnest(ARRAY[
				'charge.captured', 'diagnosis.documented', 'authorization.approved', 'claim.submitted', 'claim.accepted', 'claim.denied', 'claim.paid']))
			AND NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = e.event_id)),
	event AS MATERIALIZED (
		SELECT e.*, coalesce(v.encounter, e.encounter_id) AS encounter, coalesce(s.subject, e.subject) AS claim, t.patient IS NOT NULL AS is_test,
			row_number() OVER (PARTITION BY e.patient ORDER BY e.occurred_at, e.source_sequence, e.kind, e.subject NULLS FIRST, e.item NULLS FIRST,
				e.code_text NULLS FIRST, e.value NULLS FIRST, e.source_system NULLS FIRST, e.actor NULLS FIRST, e.event_id) AS place
		FROM live AS e LEFT JOIN encounter AS v ON v.patient = e.patient AND v.id = e.encounter_id
			LEFT JOIN subject AS s ON s.patient = e.patient AND s.id = e.subject LEFT JOIN test AS t ON t.patient = e.patient),

	-- Charges and documentation, once for each rule that covers them.
	charge AS MATERIALIZED (
		SELECT r.billing_rule_id, r.codes, r.within, r.requires_authorization, r.requires_modifiers,
			array_to_string(ARRAY(SELECT k FROM unnest(r.documented_by) AS k ORDER BY k COLLATE "C"), ' or ') AS documentation, e.*
		FROM rule AS r JOIN event AS e ON e.kind = 'charge.captured' AND starts_with(e.code_text, r.codes)),
	document AS MATERIALIZED (
		SELECT r.billing_rule_id, r.within, e.* FROM rule AS r JOIN event AS e ON e.kind = ANY (r.documented_by) AND starts_with(e.code_text, r.codes)),
	documented AS MATERIALIZED (
		SELECT c.billing_rule_id, c.event_id, c.patient, min(d.occurred_at) AS first_at, max(d.place) FILTER (WHERE d.place < c.place) AS last_place
		FROM charge AS c JOIN document AS d USING (billing_rule_id, patient, encounter, code_text) GROUP BY 1, 2, 3),
	late AS MATERIALIZED (
		SELECT c.billing_rule_id, c.event_id, l.event_id AS documentation_event_id, l.occurred_at AS documented_at, l.occurred_at + c.within AS since,
			l.place AS documentation_place, c.occurred_at > l.occurred_at + c.within AS is_late
		FROM documented AS d JOIN charge AS c USING (billing_rule_id, event_id) JOIN event AS l ON (l.patient, l.place) = (d.patient, d.last_place)),

	-- What settles: joined, as looking it up for each would read all events for each.
	first_event AS MATERIALIZED (
		SELECT e.kind, e.patient, e.encounter, e.code_text, min(e.occurred_at) AS first_at FROM event AS e
		WHERE e.kind IN ('charge.captured', 'diagnosis.documented', 'authorization.approved') GROUP BY 1, 2, 3, 4),
	diagnosed AS MATERIALIZED (
		SELECT e.patient, e.encounter, array_agg(DISTINCT e.code_text) AS codes FROM event AS e WHERE e.kind = 'diagnosis.documented' GROUP BY 1, 2),
	pointer AS (
		SELECT c.event_id, c.patient, c.encounter, c.occurred_at, g.code
		FROM charge AS c CROSS JOIN LATERAL unnest(workflow_track.detail_texts(c.detail, 'diagnoses')) AS t(word) CROSS JOIN LATERAL (
			SELECT workflow_track.clinical_code(CASE WHEN strpos(t.word, '|') > 0 THEN split_part(t.word, '|', 1) ELSE '' END,
				substr(t.word, strpos(t.word, '|') + 1))::text COLLATE "C" AS code) AS g
		WHERE g.code IS NOT NULL),

	found AS (
		SELECT 'charge_without_documentation' AS problem, c.event_id, NULL::bigint AS documentation_event_id, NULL::bigint AS documentation_place, c.code_text,
			c.occurred_at AS since, c.occurred_at AS found_at, coalesce(d.first_at, 'infinity') AS settled_at, ARRAY[c.documentation] AS wanted
		FROM charge AS c LEFT JOIN documented AS d USING (billing_rule_id, event_id)
		UNION ALL
		SELECT 'late_charge', c.event_id, l.documentation_event_id, l.documentation_place, c.code_text, l.since, c.occurred_at, 'infinity', '{}'
		FROM charge AS c JOIN late AS l USING (billing_rule_id, event_id) WHERE l.is_late
		UNION ALL
		SELECT 'documentation_without_charge', d.event_id, d.event_id, d.place, d.code_text, d.occurred_at + d.within, d.occurred_at + d.within,
			coalesce(f.first_at, 'infinity'), '{}'
		FROM document AS d LEFT JOIN first_event AS f ON f.kind = 'charge.captured' AND (f.patient, f.encounter, f.code_text) = (d.patient, d.encounter, d.code_text)
		UNION ALL
		SELECT 'diagnosis_not_documented', p.event_id, NULL, NULL, p.code, p.occurred_at, p.occurred_at, coalesce(f.first_at, 'infinity'),
			ARRAY(SELECT k FROM unnest(d.codes) AS k WHERE k ^@ p.code AND k <> p.code AND split_part(p.code, '|', 1) IN ('icd10cm', 'icd9cm'))
		FROM pointer AS p
			LEFT JOIN first_event AS f ON f.kind = 'diagnosis.documented' AND (f.patient, f.encounter, f.code_text) = (p.patient, p.encounter, p.code)
			LEFT JOIN diagnosed AS d ON (d.patient, d.encounter) = (p.patient, p.encounter)
		UNION ALL
		SELECT 'missing_modifier', c.event_id, NULL, NULL, c.code_text, c.occurred_at, c.occurred_at, 'infinity', m.missing
		FROM charge AS c CROSS JOIN LATERAL (SELECT ARRAY(SELECT unnest(c.requires_modifiers) EXCEPT SELECT unnest(workflow_track.detail_texts(c.detail, 'modifiers'))) AS missing) AS m
		WHERE m.missing <> '{}'
		UNION ALL
		SELECT 'missing_authorization', c.event_id, NULL, NULL, c.code_text, c.occurred_at, c.occurred_at,
			coalesce(f.first_at, 'infinity'), '{}'
		FROM charge AS c LEFT JOIN first_event AS f ON f.kind = 'authorization.approved' AND (f.patient, f.encounter, f.code_text) = (c.patient, c.encounter, c.code_text)
		WHERE c.requires_authorization AND workflow_track.detail_texts(c.detail, 'authorization') = '{}'
		UNION ALL
		SELECT 'claim_denied', e.event_id, NULL, NULL, e.code_text, e.occurred_at, e.occurred_at, coalesce(min(a.occurred_at), 'infinity'), '{}'
		FROM event AS e LEFT JOIN event AS a ON a.kind IN ('claim.accepted', 'claim.paid') AND (a.patient, a.encounter, a.claim) = (e.patient, e.encounter, e.claim) AND a.place > e.place
		WHERE e.kind = 'claim.denied' GROUP BY e.event_id, e.code_text, e.occurred_at),
	-- One row for what several rules find; it stands until the last of them is content.
	united AS (
		SELECT f.*, max(f.settled_at) OVER (PARTITION BY f.problem, f.event_id, f.documentation_event_id, f.code_text, f.since) AS last_at
		FROM found AS f WHERE f.settled_at > f.found_at),
	standing AS MATERIALIZED (
		SELECT u.problem COLLATE "C" AS problem, u.event_id, u.documentation_event_id, u.documentation_place, u.code_text, u.since, u.found_at, u.settled_at,
			nullif(ARRAY(SELECT DISTINCT w COLLATE "C" FROM unnest(array_agg(w.word)) AS w WHERE w IS NOT NULL ORDER BY w COLLATE "C"), '{}') AS wanted
		FROM united AS u LEFT JOIN LATERAL unnest(u.wanted) AS w(word) ON true
		WHERE u.settled_at = u.last_at GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
	mismatch AS (
		SELECT e.event_id, (row_number() OVER (PARTITION BY e.event_id ORDER BY s.problem, s.code_text NULLS FIRST, s.since, s.documentation_place))::integer AS place,
			e.occurred_at, s.since, s.found_at, s.settled_at, s.documentation_event_id, e.is_test, e.patient_id, e.facility, e.encounter_id, s.problem,
			s.code_text, s.wanted
		FROM standing AS s JOIN event AS e USING (event_id) WHERE e.occurred_at >= horizon),
	kept_mismatch AS (
		SELECT b.event_id, b.place, b.occurred_at, b.since, b.found_at, b.settled_at, b.documentation_event_id, b.is_test, b.patient_id, b.facility, b.encounter_id,
			b.problem, b.code::text COLLATE "C" AS code_text, b.wanted
		FROM workflow_track.billing_state AS b),

	charge_role AS MATERIALIZED (
		SELECT DISTINCT ON (e.event_id) e.event_id, s.role
		FROM event AS e JOIN workflow_track.staff AS s USING (actor)
		WHERE e.kind = 'charge.captured' AND e.actor_role IS NULL AND coalesce(s.active_during @> e.occurred_at, true)
		ORDER BY e.event_id, coalesce(s.facility = e.facility, false) DESC, coalesce(s.system = e.source_system, false) DESC, s.role NULLS LAST),
	covered AS (
		SELECT c.event_id, c.occurred_at AS charged_at, date_trunc('day', c.occurred_at) AS day, max(l.documented_at) AS documented_at,
			coalesce(bool_or(l.is_late), false) AS is_late, c.is_test, c.patient_id, c.facility, coalesce(c.actor_role, r.role) AS role, max(c.codes COLLATE "C") AS code_family
		FROM charge AS c LEFT JOIN late AS l USING (billing_rule_id, event_id) LEFT JOIN charge_role AS r USING (event_id)
		WHERE c.occurred_at >= horizon GROUP BY 1, 2, 3, 6, 7, 8, 9),

	submission AS MATERIALIZED (
		SELECT e.*, lead(e.place) OVER (PARTITION BY e.patient, e.encounter, e.claim ORDER BY e.place) AS next_place,
			row_number() OVER (PARTITION BY e.patient, e.encounter, e.claim ORDER BY e.place) = 1 AS is_first
		FROM event AS e WHERE e.kind = 'claim.submitted'),
	answered AS (
		SELECT s.event_id, array_agg(split_part(e.kind, '.', 2) ORDER BY e.place) AS answers, array_agg(e.occurred_at ORDER BY e.place) AS answered_at
		FROM submission AS s JOIN event AS e ON e.kind IN ('claim.accepted', 'claim.denied', 'claim.paid') AND (e.patient, e.encounter, e.claim) = (s.patient, s.encounter, s.claim)
		WHERE (e.place > s.place OR (s.is_first AND e.occurred_at + CASE e.time_precision WHEN 'second' THEN interval '1 microsecond' ELSE ('1 ' || e.time_precision)::interval END > s.occurred_at))
			AND (s.next_place IS NULL OR e.place < s.next_place)
		GROUP BY 1),
	wrong AS (
		SELECT s.event_id, array_agg(DISTINCT m.problem ORDER BY m.problem) AS problems
		FROM submission AS s JOIN event AS e ON (e.patient, e.encounter) = (s.patient, s.encounter) JOIN standing AS m ON m.event_id = e.event_id
		WHERE m.problem <> 'claim_denied' AND m.found_at <= s.occurred_at AND s.occurred_at < m.settled_at GROUP BY 1),
	claim AS (
		SELECT s.event_id, s.occurred_at AS submitted_at, s.is_test, s.patient_id, s.facility, s.encounter_id, s.subject,
			coalesce(a.answers, '{}') AS answers, coalesce(a.answered_at, '{}') AS answered_at, coalesce(w.problems, '{}') AS problems
		FROM submission AS s LEFT JOIN answered AS a USING (event_id) LEFT JOIN wrong AS w USING (event_id)
		WHERE s.occurred_at >= horizon)

	SELECT 'billing_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE mismatch EXCEPT TABLE kept_mismatch) AS x
	UNION ALL SELECT 'billing_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE kept_mismatch EXCEPT ALL TABLE mismatch) AS x
	UNION ALL SELECT 'charge_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE covered EXCEPT TABLE workflow_track.charge_state) AS x
	UNION ALL SELECT 'charge_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE workflow_track.charge_state EXCEPT ALL TABLE covered) AS x
	UNION ALL SELECT 'claim_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE claim EXCEPT TABLE workflow_track.claim_state) AS x
	UNION ALL SELECT 'claim_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE workflow_track.claim_state EXCEPT ALL TABLE claim) AS x;
END
$$;
COMMENT ON FUNCTION workflow_track.check_billing() IS 'part of check_consistency(): mismatches of billing, charges and claims';
