-- What is kept, against the definitions: computed from events, maps and staff by SQL alone, as the code that keeps it does not.

CREATE FUNCTION workflow_track.check_links() RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
#variable_conflict use_column
BEGIN
	-- Merges of months that were dropped are kept for ever; what events say must be there, and nothing else of those events.
	RETURN QUERY
	WITH stored AS (
		SELECT e.patient_id, e.subject, e.event_id, e.occurred_at FROM workflow_track.event AS e
		WHERE e.kind = 'patient.merged' AND btrim(e.subject) <> '' AND e.subject <> e.patient_id),
	kept AS (SELECT m.patient_id, m.merged_id, m.event_id, m.occurred_at FROM workflow_track.patient_merge AS m)
	SELECT 'patient_merge', 'missing', s.patient_id, to_jsonb(s) FROM stored AS s
	WHERE NOT EXISTS (SELECT FROM kept AS k WHERE (k.patient_id, k.merged_id, k.event_id, coalesce(k.occurred_at, s.occurred_at)) = (s.patient_id, s.subject, s.event_id, s.occurred_at))
	UNION ALL
	SELECT 'patient_merge', 'unexpected', k.patient_id, to_jsonb(k) FROM kept AS k JOIN workflow_track.event AS e USING (event_id)
	WHERE NOT EXISTS (SELECT FROM stored AS s WHERE (k.patient_id, k.merged_id, k.event_id, coalesce(k.occurred_at, s.occurred_at)) = (s.patient_id, s.subject, s.event_id, s.occurred_at));

	RETURN QUERY
	WITH stored AS (
		SELECT e.patient_id, e.encounter_id, e.subject, e.event_id, e.occurred_at FROM workflow_track.event AS e
		WHERE e.kind = 'encounter.merged' AND e.subject IS NOT NULL AND e.encounter_id IS NOT NULL),
	kept AS (SELECT m.patient_id, m.encounter_id, m.merged_id, m.event_id, m.occurred_at FROM workflow_track.encounter_merge AS m)
	SELECT 'encounter_merge', 'missing', s.patient_id, to_jsonb(s) FROM stored AS s
	WHERE NOT EXISTS (SELECT FROM kept AS k WHERE (k.patient_id, k.encounter_id, k.merged_id, k.event_id, coalesce(k.occurred_at, s.occurred_at)) =
		(s.patient_id, s.encounter_id, s.subject, s.event_id, s.occurred_at))
	UNION ALL
	SELECT 'encounter_merge', 'unexpected', k.patient_id, to_jsonb(k) FROM kept AS k JOIN workflow_track.event AS e USING (event_id)
	WHERE NOT EXISTS (SELECT FROM stored AS s WHERE (k.patient_id, k.encounter_id, k.merged_id, k.event_id, coalesce(k.occurred_at, s.occurred_at)) =
		(s.patient_id, s.encounter_id, s.subject, s.event_id, s.occurred_at));

	-- A retraction is of its event, as long as there is that.
	RETURN QUERY
	SELECT 'retraction', 'unexpected', r.patient_id, to_jsonb(r) FROM workflow_track.retraction AS r JOIN workflow_track.event AS e USING (event_id)
	WHERE (r.patient_id, r.occurred_at) <> (e.patient_id, e.occurred_at);

	-- What messages call off, by the ids that any merge joins.
	RETURN QUERY
	WITH RECURSIVE link (id, other) AS MATERIALIZED (
		SELECT v.* FROM workflow_track.patient_merge AS m CROSS JOIN LATERAL (VALUES (m.patient_id, m.merged_id), (m.merged_id, m.patient_id)) AS v),
	joined (id, other) AS (
		SELECT x.patient_id, x.patient_id FROM (
			SELECT c.patient_id FROM workflow_track.cancellation AS c
			UNION SELECT r.patient_id FROM workflow_track.retraction AS r WHERE r.message_id IS NOT NULL) AS x
		UNION SELECT j.id, l.other FROM joined AS j JOIN link AS l ON l.id = j.other),
	patients AS (SELECT DISTINCT ids FROM (SELECT array_agg(j.other ORDER BY j.other) AS ids FROM joined AS j GROUP BY j.id) AS x),
	called_off AS (SELECT c.patient_id COLLATE "C" AS patient_id, c.event_id, c.occurred_at, c.reason, c.message_id
		FROM patients AS p CROSS JOIN LATERAL workflow_track.cancelled_events(p.ids) AS c),
	kept AS (SELECT r.patient_id, r.event_id, r.occurred_at, r.retracted_reason, r.message_id
		FROM workflow_track.retraction AS r WHERE r.message_id IS NOT NULL)
	SELECT 'retraction', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE called_off EXCEPT TABLE kept) AS x
	UNION ALL
	SELECT 'retraction', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE kept EXCEPT TABLE called_off) AS x;

	-- first_at may be earlier than it need be, and a patient be looked at more closely than it need be; the contrary misses something.
	RETURN QUERY
	WITH linked AS (
		SELECT m.patient_id FROM workflow_track.patient_merge AS m UNION SELECT m.merged_id FROM workflow_track.patient_merge AS m
		UNION SELECT m.patient_id FROM workflow_track.encounter_merge AS m UNION SELECT a.patient_id FROM workflow_track.subject_alias AS a
		UNION SELECT r.patient_id FROM workflow_track.retraction AS r UNION SELECT c.patient_id FROM workflow_track.cancellation AS c
		UNION SELECT t.patient_id FROM workflow_track.test_patient AS t),
	stored AS (
		SELECT e.patient_id, min(e.occurred_at) AS first_at, bool_or(e.time_precision IN ('month', 'year') AND r.event_id IS NULL) AS imprecise
		FROM workflow_track.event AS e LEFT JOIN workflow_track.retraction AS r USING (event_id) GROUP BY e.patient_id)
	SELECT 'patient_state', CASE WHEN p.patient_id IS NULL THEN 'missing' ELSE 'unexpected' END, s.patient_id,
		to_jsonb(s) || jsonb_build_object('linked', l.patient_id IS NOT NULL)
	FROM stored AS s LEFT JOIN linked AS l USING (patient_id) LEFT JOIN workflow_track.patient_state AS p USING (patient_id)
	WHERE (p.first_at <= s.first_at AND p.linked >= (l.patient_id IS NOT NULL) AND p.imprecise >= s.imprecise) IS NOT TRUE;
END
$$;
COMMENT ON FUNCTION workflow_track.check_links() IS
'part of check_consistency(): merges, what messages call off, and what is known of patients';

-- Of kept bytes, so not for those who may call what is immutable.
CREATE FUNCTION workflow_track.handoff_samples(contribution bytea)
RETURNS TABLE (hour timestamptz, is_test boolean, basis text, facility text, from_role text, to_role text, from_system text, to_system text, latency interval)
LANGUAGE c STABLE STRICT ROWS 50 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.handoff_samples(bytea) IS
'the handoffs that a row of handoff_state holds';

CREATE FUNCTION workflow_track.follow_samples(contribution bytea)
RETURNS TABLE (edge_id bigint, is_first boolean, latency interval)
LANGUAGE c STABLE STRICT ROWS 50 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.follow_samples(bytea) IS
'what a row of follows_state holds: edges of follows_total, whether the case has it for the first time, and the time between';

CREATE FUNCTION workflow_track.check_findings() RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb)
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

	-- Events that count, in canonical order, with the keys that tie them together.
	live AS NOT MATERIALIZED (
		SELECT e.*, e.code::text AS code_text, coalesce(p.patient, e.patient_id) AS patient
		FROM workflow_track.event AS e LEFT JOIN merged AS p USING (patient_id)
		WHERE NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = e.event_id)),
	actor_role AS MATERIALIZED (
		SELECT DISTINCT ON (e.event_id) e.event_id, s.role
		FROM live AS e JOIN workflow_track.staff AS s USING (actor)
		WHERE e.actor_role IS NULL AND coalesce(s.active_during @> e.occurred_at, true)
		ORDER BY e.event_id, coalesce(s.facility = e.facility, false) DESC, coalesce(s.system = e.source_system, false) DESC, s.role NULLS LAST),
	recipient_role AS MATERIALIZED (
		SELECT DISTINCT ON (e.event_id) e.event_id, s.role
		FROM live AS e JOIN workflow_track.staff AS s ON s.actor = e.recipient
		WHERE e.recipient_role IS NULL AND coalesce(s.active_during @> e.occurred_at, true)
		ORDER BY e.event_id, coalesce(s.facility = e.facility, false) DESC, coalesce(s.system = e.source_system, false) DESC, s.role NULLS LAST),
	-- What is sorted and joined by comes first: of long rows, the first columns are the quickest to read.
	event AS MATERIALIZED (
		SELECT row_number() OVER (PARTITION BY e.patient ORDER BY e.occurred_at, e.source_sequence, e.kind, e.subject NULLS FIRST, e.item NULLS FIRST,
				e.code_text COLLATE "C" NULLS FIRST, e.value NULLS FIRST, e.source_system NULLS FIRST, e.actor NULLS FIRST, e.event_id) AS place,
			e.event_id, e.occurred_at, CASE WHEN e.time_precision = 'second' THEN e.occurred_at
				ELSE e.occurred_at + ('1 ' || e.time_precision::text)::interval - interval '1 microsecond' END AS ends_at,
			t.patient IS NOT NULL AS is_test, e.patient, e.kind, coalesce(v.encounter, e.encounter_id) AS encounter_key, coalesce(s.subject, e.subject) AS subject_key,
			coalesce(e.actor_role, a.role) AS role, coalesce(e.recipient_role, r.role) AS reader_role,
			e.source_sequence, e.time_precision, e.planned_at, e.facility, e.patient_id, e.encounter_id, e.subject, e.item, e.code, e.code_text, e.value, e.severity,
			e.actor, e.actor_role, e.recipient, e.recipient_role, e.source_system, e.entry_method, e.message_id, e.recorded_at, e.detail
		FROM live AS e LEFT JOIN encounter AS v ON v.patient = e.patient AND v.id = e.encounter_id
			LEFT JOIN subject AS s ON s.patient = e.patient AND s.id = e.subject LEFT JOIN test AS t ON t.patient = e.patient
			LEFT JOIN actor_role AS a USING (event_id) LEFT JOIN recipient_role AS r USING (event_id)),

	-- Loops: what each expectation looks at, by what its events share.
	expectation AS MATERIALIZED (SELECT x.* FROM workflow_track.expectation AS x JOIN workflow_track.workflow AS w USING (workflow, version) WHERE w.state = 'current'),
	part AS MATERIALIZED (
		SELECT DISTINCT x.expectation_id, 'after' AS part, k.kind, x.correlated_by FROM expectation AS x, unnest(x.after) AS k(kind)
		UNION SELECT x.expectation_id, 'expect', k.kind, x.correlated_by FROM expectation AS x, unnest(x.expect) AS k(kind)
		UNION SELECT x.expectation_id, 'cancel', k.kind, k.correlated_by
			FROM expectation AS x, unnest(x.cancelled_by, x.cancelled_by_correlation) AS k(kind, correlated_by)),
	keyed AS MATERIALIZED (
		SELECT * FROM (
			SELECT p.expectation_id, p.part, p.correlated_by, e.patient, e.place, e.event_id, e.occurred_at, e.ends_at, e.item, e.code_text, e.actor, e.role,
				CASE p.correlated_by WHEN 'patient' THEN '' WHEN 'encounter' THEN e.encounter_key ELSE e.subject_key END AS key
			FROM part AS p JOIN event AS e USING (kind) JOIN expectation AS x USING (expectation_id)
			WHERE p.part <> 'expect' OR x.by = '{}' OR e.role = ANY (x.by)) AS k
		WHERE k.key IS NOT NULL),
	opener AS MATERIALIZED (
		SELECT x.expectation_id, x.within, x.early, e.*
		FROM part AS p JOIN expectation AS x USING (expectation_id) JOIN event AS e USING (kind)
		WHERE p.part = 'after' AND e.occurred_at >= horizon AND (p.correlated_by = 'patient' OR CASE p.correlated_by WHEN 'encounter' THEN e.encounter_key ELSE e.subject_key END IS NOT NULL)
			AND workflow_track.conditions_hold(x.when_severity, x.when_facility, x.when_entry_method, x.when_code, x.when_detail,
				e.severity, e.facility, e.entry_method, e.code_text, e.detail)),
	-- An opener once for each way in which something may answer it.
	asking AS (
		SELECT o.expectation_id, o.event_id, o.patient, o.occurred_at, o.early, o.item, o.code_text, w.part, w.correlated_by,
			CASE w.correlated_by WHEN 'patient' THEN '' WHEN 'encounter' THEN o.encounter_key ELSE o.subject_key END AS key
		FROM opener AS o JOIN (SELECT DISTINCT p.expectation_id, p.part, p.correlated_by FROM part AS p WHERE p.part <> 'after') AS w USING (expectation_id)),
	answer AS MATERIALIZED (
		SELECT o.expectation_id, o.event_id AS opened_event_id, o.part, c.place, c.event_id, c.occurred_at, c.ends_at, c.item, c.code_text, c.patient, c.key, c.correlated_by,
			c.actor, c.role, c.ends_at < o.occurred_at AS is_early
		FROM asking AS o JOIN keyed AS c USING (expectation_id, part, correlated_by, patient, key)
		WHERE c.event_id <> o.event_id AND (c.ends_at >= o.occurred_at OR o.part = 'expect' AND o.occurred_at - c.ends_at <= o.early)
			AND (o.correlated_by <> 'item' OR coalesce(c.item = o.item, true) AND coalesce(c.code_text = o.code_text, true))),
	-- What came early counts unless something it may be the answer to had come before it.
	admitted AS (
		SELECT * FROM answer AS a WHERE NOT a.is_early
		UNION ALL
		SELECT * FROM answer AS a
		WHERE a.is_early AND NOT EXISTS (SELECT FROM keyed AS k
			WHERE k.part = 'after' AND (k.expectation_id, k.patient, k.key) = (a.expectation_id, a.patient, a.key) AND k.occurred_at <= a.ends_at
				AND (a.correlated_by <> 'item' OR coalesce(k.item = a.item, true) AND coalesce(k.code_text = a.code_text, true)))),
	outcome AS (
		SELECT DISTINCT ON (a.expectation_id, a.opened_event_id) a.*
		FROM admitted AS a
		ORDER BY a.expectation_id, a.opened_event_id, a.place, a.part DESC),
	loop AS (
		SELECT o.event_id AS opened_event_id, o.occurred_at AS opened_at, greatest(o.occurred_at, o.planned_at) + o.within AS due_at,
			coalesce(a.occurred_at, 'infinity') AS settled_at, CASE WHEN a.part = 'expect' THEN a.event_id END AS closed_event_id,
			o.message_id AS opened_message_id, o.expectation_id, o.severity, a.part IS NOT DISTINCT FROM 'cancel' AS is_cancelled, o.is_test,
			o.patient_id, o.facility, o.encounter_id, o.subject, o.item, o.code, o.kind AS opened_by_kind, coalesce(o.recipient, o.actor) AS owner,
			CASE WHEN o.recipient IS NULL THEN o.role ELSE o.reader_role END AS owner_role,
			CASE WHEN a.part = 'expect' THEN a.actor END AS closed_by, CASE WHEN a.part = 'expect' THEN a.role END AS closed_by_role
		FROM opener AS o LEFT JOIN outcome AS a ON (a.expectation_id, a.opened_event_id) = (o.expectation_id, o.event_id)),

	-- Duplicates.
	entry AS MATERIALIZED (
		SELECT r.duplicate_rule_id, e.event_id, e.occurred_at, e.place, e.is_test, e.patient, r.within, e.kind, e.patient_id, e.facility, e.encounter_id, e.subject, e.code, e.value,
			e.source_system, e.actor, e.entry_method,
			(SELECT array_agg(j.row ->> c.name ORDER BY c.n) FROM unnest(r.same) WITH ORDINALITY AS c(name, n)) AS same,
			(SELECT array_agg(j.row ->> c.name ORDER BY c.n) FROM unnest(r.different) WITH ORDINALITY AS c(name, n)) AS different
		FROM workflow_track.duplicate_rule AS r JOIN workflow_track.workflow AS w USING (workflow, version) JOIN event AS e USING (kind)
			CROSS JOIN LATERAL to_jsonb(e) AS j(row)
		WHERE w.state = 'current' AND workflow_track.conditions_hold(r.when_severity, r.when_facility, r.when_entry_method, r.when_code, r.when_detail,
			e.severity, e.facility, e.entry_method, e.code_text, e.detail)),
	duplicate AS (
		SELECT DISTINCT ON (d.duplicate_rule_id, d.event_id) d.event_id AS duplicate_event_id, o.event_id AS original_event_id,
			d.occurred_at AS duplicate_at, o.occurred_at AS original_at, d.duplicate_rule_id, d.entry_method AS duplicate_method, d.is_test,
			d.patient_id, d.facility, d.encounter_id, d.kind, d.subject, d.code, d.value, o.source_system AS original_system,
			d.source_system AS duplicate_system, o.actor AS original_actor, d.actor AS duplicate_actor
		FROM entry AS d JOIN entry AS o ON o.duplicate_rule_id = d.duplicate_rule_id AND o.patient = d.patient
			AND o.same IS NOT DISTINCT FROM d.same AND o.place < d.place AND d.occurred_at - o.occurred_at <= d.within
		WHERE d.occurred_at >= horizon AND NOT EXISTS (SELECT FROM unnest(d.different, o.different) AS c(one, other) WHERE c.one IS NOT DISTINCT FROM c.other)
		ORDER BY d.duplicate_rule_id, d.event_id, o.place),

	-- What a step delivers to someone, and did not reach such a one.
	delivery AS MATERIALIZED (
		SELECT s.workflow, s.step, s.kind, s.delivered_to FROM workflow_track.workflow_step AS s JOIN workflow_track.workflow AS w USING (workflow, version)
		WHERE w.state = 'current' AND s.delivered_to <> '{}'),
	delivered AS (
		SELECT d.workflow, d.step, d.delivered_to, e.*, f.*
		FROM delivery AS d JOIN event AS e USING (kind) CROSS JOIN LATERAL (
			SELECT count(*) AS rows, count(*) FILTER (WHERE coalesce(s.active_during @> e.occurred_at, true)) AS active_rows,
				count(*) FILTER (WHERE coalesce(s.active_during @> e.occurred_at, true) AND s.is_shared_inbox) AS inboxes
			FROM workflow_track.staff AS s WHERE s.actor = e.recipient) AS f),
	misdelivered AS MATERIALIZED (
		SELECT * FROM (
			SELECT d.*, CASE WHEN d.recipient IS NULL THEN 'no_recipient' WHEN d.rows = 0 THEN 'unknown_recipient' WHEN d.active_rows = 0 THEN 'inactive_recipient'
				WHEN d.inboxes > 0 THEN 'shared_inbox' WHEN coalesce(d.reader_role <> ALL (d.delivered_to), true) THEN 'wrong_role' END COLLATE "C" AS reason
			FROM delivered AS d) AS d
		WHERE d.reason IS NOT NULL AND d.occurred_at >= horizon),
	taken_up AS MATERIALIZED (
		SELECT m.workflow, m.step, m.event_id, c.actor, c.occurred_at, c.place
		FROM misdelivered AS m JOIN event AS c ON c.patient = m.patient AND c.subject_key = m.subject_key AND c.place > m.place AND c.role = ANY (m.delivered_to)),
	claim AS (
		SELECT DISTINCT ON (t.workflow, t.step, t.event_id) t.*
		FROM taken_up AS t
		WHERE (SELECT bool_and(NOT s.is_shared_inbox) FROM workflow_track.staff AS s WHERE s.actor = t.actor AND coalesce(s.active_during @> t.occurred_at, true))
		ORDER BY t.workflow, t.step, t.event_id, t.place),
	misrouted AS (
		SELECT m.event_id, m.occurred_at, c.occurred_at AS claimed_at, m.message_id, m.severity, m.is_test, m.patient_id, m.facility, m.encounter_id,
			m.subject, m.item, m.code, m.recipient, m.reader_role AS recipient_role, m.delivered_to AS expected_roles, m.reason, m.workflow, m.step, c.actor AS claimed_by
		FROM misdelivered AS m LEFT JOIN claim AS c USING (workflow, step, event_id)),

	-- What a step requires, and its event does not have, until a later one of the subject has it.
	required AS MATERIALIZED (
		SELECT s.workflow, s.step, s.kind, r.field, r.n FROM workflow_track.workflow_step AS s JOIN workflow_track.workflow AS w USING (workflow, version)
			CROSS JOIN LATERAL unnest(s.required_fields) WITH ORDINALITY AS r(field, n)
		WHERE w.state = 'current'),
	lacking AS MATERIALIZED (
		SELECT r.workflow, r.step, r.field, r.n, e.event_id, e.patient, e.place, e.subject_key, e.occurred_at
		FROM required AS r JOIN event AS e USING (kind)
		WHERE e.occurred_at >= horizon AND NOT workflow_track.has_field(r.field, e.role, e.reader_role, e.code_text, e.detail, to_jsonb(e))),
	supplier AS MATERIALIZED (SELECT e.* FROM event AS e WHERE (e.patient, e.subject_key) IN (SELECT l.patient, l.subject_key FROM lacking AS l)),
	supplied AS (
		SELECT l.workflow, l.step, l.event_id, l.field, l.n, l.occurred_at, coalesce(min(e.occurred_at), 'infinity') AS supplied_at
		FROM lacking AS l LEFT JOIN supplier AS e ON e.patient = l.patient AND e.subject_key = l.subject_key AND e.place > l.place
			AND workflow_track.has_field(l.field, e.role, e.reader_role, e.code_text, e.detail, to_jsonb(e))
		GROUP BY 1, 2, 3, 4, 5, 6),
	missing AS (
		SELECT e.event_id, e.occurred_at, max(s.supplied_at) AS settled_at, e.is_test, e.patient_id, e.facility, e.encounter_id, e.subject, s.workflow, s.step,
			array_agg(s.field ORDER BY s.n) AS missing, array_agg(s.supplied_at ORDER BY s.n) AS supplied_at
		FROM supplied AS s JOIN event AS e USING (event_id) WHERE s.supplied_at > s.occurred_at
		GROUP BY e.event_id, e.occurred_at, e.is_test, e.patient_id, e.facility, e.encounter_id, e.subject, s.workflow, s.step),

	-- Handoffs since the horizon, by hour and group.
	worked AS (
		SELECT e.event_id, e.subject_key, lag(e.event_id) OVER encounter AS encounter_from, lag(e.event_id) OVER thread AS thread_from
		FROM event AS e JOIN workflow_track.event_kind AS k USING (kind) WHERE k.counts_as_work AND e.encounter_key IS NOT NULL
		WINDOW encounter AS (PARTITION BY e.patient, e.encounter_key ORDER BY e.place),
			thread AS (PARTITION BY e.patient, e.encounter_key, e.subject_key ORDER BY e.place)),
	pair AS (
		SELECT 'implied' AS basis, w.encounter_from AS from_event_id, w.event_id AS to_event_id FROM worked AS w
		UNION ALL SELECT 'thread', w.thread_from, w.event_id FROM worked AS w WHERE w.subject_key IS NOT NULL
		UNION ALL (SELECT DISTINCT ON (o.event_id) 'explicit', o.event_id, a.event_id
			FROM event AS o JOIN event AS a ON a.patient = o.patient AND a.subject_key = o.subject_key AND a.ends_at >= o.occurred_at
			WHERE o.kind = 'handoff.offered' AND a.kind = 'handoff.accepted' ORDER BY o.event_id, a.place)),
	taken AS MATERIALIZED (
		SELECT date_trunc('hour', t.occurred_at) AS hour, t.is_test, p.basis COLLATE "C" AS basis, t.facility, f.role AS from_role, t.role AS to_role,
			f.source_system AS from_system, t.source_system AS to_system, t.occurred_at - f.occurred_at AS latency, t.patient_id
		FROM pair AS p JOIN event AS f ON f.event_id = p.from_event_id JOIN event AS t ON t.event_id = p.to_event_id
		WHERE t.occurred_at >= horizon
			AND (p.basis = 'explicit' OR (f.actor, f.role, f.source_system) IS DISTINCT FROM (t.actor, t.role, t.source_system))),
	handoff AS (
		SELECT t.hour, t.is_test, t.basis, t.facility, t.from_role, t.to_role, t.from_system, t.to_system, workflow_track.latency_histogram(t.latency) AS histogram
		FROM taken AS t GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
	-- What each id's handoffs contribute: how many, and a sum of hashes of all that the rollups count of them.
	contribution AS (
		SELECT t.patient_id, count(*) AS handoffs, sum(hash_record_extended(ROW(t.hour, t.is_test, t.basis, t.facility, t.from_role, t.to_role, t.from_system, t.to_system, t.latency), 0)) AS digest
		FROM taken AS t WHERE NOT EXISTS (SELECT FROM workflow_track.handoff_stale AS q WHERE q.patient_id = t.patient_id) GROUP BY 1),
	kept_contribution AS (
		SELECT k.patient_id, count(*) AS handoffs, sum(hash_record_extended(ROW(t.hour, t.is_test, t.basis, t.facility, t.from_role, t.to_role, t.from_system, t.to_system, t.latency), 0)) AS digest
		FROM workflow_track.handoff_state AS k CROSS JOIN LATERAL workflow_track.handoff_samples(k.contribution) AS t
		WHERE NOT EXISTS (SELECT FROM workflow_track.handoff_stale AS q WHERE q.patient_id = k.patient_id) GROUP BY 1),
	kept_handoff AS (
		SELECT * FROM (
			SELECT k.hour, k.is_test, k.basis, k.facility, k.from_role, k.to_role, k.from_system, k.to_system, workflow_track.merge(k.histogram) AS histogram
			FROM (SELECT * FROM workflow_track.handoff_hourly AS h WHERE h.hour >= horizon
				UNION ALL SELECT * FROM workflow_track.every_uncounted_handoff(true)) AS k
			GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) AS k
		WHERE workflow_track.sample_count(k.histogram) <> 0),
	total AS (
		SELECT h.is_test, h.basis, h.facility, h.from_role, h.to_role, h.from_system, h.to_system, workflow_track.merge(h.histogram) AS histogram
		FROM workflow_track.handoff_hourly AS h GROUP BY 1, 2, 3, 4, 5, 6, 7),

	-- What directly follows what in an encounter, without test patients and with them.
	moved AS MATERIALIZED (
		SELECT f.is_test, f.occurred_at - f.from_at AS latency, f.patient, f.from_kind, f.kind AS to_kind, f.facility, f.encounter_key
		FROM (SELECT e.occurred_at, e.is_test, e.patient, e.kind, e.encounter_key, e.facility, lag(e.kind) OVER encounter AS from_kind, lag(e.occurred_at) OVER encounter AS from_at
			FROM event AS e WHERE e.encounter_key IS NOT NULL
			WINDOW encounter AS (PARTITION BY e.patient, e.encounter_key ORDER BY e.place)) AS f
		WHERE f.from_kind IS NOT NULL AND f.occurred_at >= horizon),
	follow AS (
		SELECT t.with_tests, f.facility, f.from_kind, f.to_kind, count(*) AS follows, count(DISTINCT (f.patient, f.encounter_key)) AS cases,
			workflow_track.latency_histogram(f.latency) AS histogram
		FROM moved AS f JOIN (VALUES (false), (true)) AS t(with_tests) ON t.with_tests OR NOT f.is_test
		GROUP BY 1, 2, 3, 4),
	-- What each patient's cases contribute, under the first of the ids, likewise.
	marked AS MATERIALIZED (SELECT coalesce(p.patient, q.patient_id) AS patient FROM workflow_track.follows_mark AS q LEFT JOIN merged AS p USING (patient_id)),
	share AS (
		SELECT f.patient, count(*) AS follows, count(DISTINCT hash_record_extended(ROW(f.encounter_key, f.facility, f.from_kind, f.to_kind), 0)) AS cases,
			sum(hash_record_extended(ROW(f.is_test, f.facility, f.from_kind, f.to_kind, f.latency), 0)) AS digest
		FROM moved AS f WHERE NOT EXISTS (SELECT FROM marked AS q WHERE q.patient = f.patient) GROUP BY 1),
	kept_share AS (
		SELECT k.patient_id AS patient, count(*) AS follows, count(*) FILTER (WHERE f.is_first) AS cases,
			sum(hash_record_extended(ROW(t.is_test, t.facility, t.from_kind, t.to_kind, f.latency), 0)) AS digest
		FROM workflow_track.follows_state AS k CROSS JOIN LATERAL workflow_track.follow_samples(k.contribution) AS f LEFT JOIN workflow_track.follows_total AS t USING (edge_id)
			LEFT JOIN merged AS p USING (patient_id)
		WHERE NOT EXISTS (SELECT FROM marked AS q WHERE q.patient = coalesce(p.patient, k.patient_id)) GROUP BY 1),
	kept_follow AS (
		SELECT t.with_tests, k.* FROM (VALUES (false), (true)) AS t(with_tests) CROSS JOIN LATERAL workflow_track.every_kept_follow(t.with_tests) AS k)

	SELECT 'loop_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE loop EXCEPT TABLE workflow_track.loop_state) AS x
	UNION ALL SELECT 'loop_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE workflow_track.loop_state EXCEPT ALL TABLE loop) AS x
	UNION ALL SELECT 'duplicate_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE duplicate EXCEPT TABLE workflow_track.duplicate_state) AS x
	UNION ALL SELECT 'duplicate_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE workflow_track.duplicate_state EXCEPT ALL TABLE duplicate) AS x
	UNION ALL SELECT 'misrouted_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE misrouted EXCEPT TABLE workflow_track.misrouted_state) AS x
	UNION ALL SELECT 'misrouted_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE workflow_track.misrouted_state EXCEPT ALL TABLE misrouted) AS x
	UNION ALL SELECT 'missing_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE missing EXCEPT TABLE workflow_track.missing_state) AS x
	UNION ALL SELECT 'missing_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE workflow_track.missing_state EXCEPT ALL TABLE missing) AS x
	UNION ALL SELECT 'handoff_hourly', 'missing', NULL, to_jsonb(x) FROM (TABLE handoff EXCEPT TABLE kept_handoff) AS x
	UNION ALL SELECT 'handoff_hourly', 'unexpected', NULL, to_jsonb(x) FROM (TABLE kept_handoff EXCEPT TABLE handoff) AS x
	UNION ALL SELECT 'handoff_total', 'missing', NULL, to_jsonb(x) FROM (TABLE total EXCEPT TABLE workflow_track.handoff_total) AS x
	UNION ALL SELECT 'handoff_total', 'unexpected', NULL, to_jsonb(x) FROM (TABLE workflow_track.handoff_total EXCEPT TABLE total) AS x
	UNION ALL SELECT 'handoff_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE contribution EXCEPT TABLE kept_contribution) AS x
	UNION ALL SELECT 'handoff_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE kept_contribution EXCEPT TABLE contribution) AS x
	UNION ALL SELECT 'follows_state', 'missing', x.patient, to_jsonb(x) FROM (TABLE share EXCEPT TABLE kept_share) AS x
	UNION ALL SELECT 'follows_state', 'unexpected', x.patient, to_jsonb(x) FROM (TABLE kept_share EXCEPT TABLE share) AS x
	UNION ALL SELECT 'follows_total', 'missing', NULL, to_jsonb(x) FROM (TABLE follow EXCEPT TABLE kept_follow) AS x
	UNION ALL SELECT 'follows_total', 'unexpected', NULL, to_jsonb(x) FROM (TABLE kept_follow EXCEPT ALL TABLE follow) AS x;
END
$$;
COMMENT ON FUNCTION workflow_track.check_findings() IS
'part of check_consistency(): loops, duplicates, misrouted events, missing information and the rollups';

-- The numbers that events name and the results that do not fit them, of patients whom maintain() has nothing to do for.
CREATE FUNCTION workflow_track.check_identities() RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	horizon CONSTANT timestamptz := coalesce((SELECT s.horizon FROM workflow_track.detection_state AS s), '-infinity');
BEGIN
	RETURN QUERY
	WITH merged AS MATERIALIZED (SELECT * FROM workflow_track.joined_patients(false)),
	encounter AS MATERIALIZED (SELECT * FROM workflow_track.joined_encounters(false)),
	subject AS MATERIALIZED (SELECT * FROM workflow_track.joined_subjects(false)),
	test AS MATERIALIZED (SELECT DISTINCT coalesce(p.patient, t.patient_id) AS patient FROM workflow_track.test_patient AS t LEFT JOIN merged AS p USING (patient_id)),
	live AS (
		SELECT e.*, coalesce(p.patient, e.patient_id) AS patient FROM workflow_track.event AS e LEFT JOIN merged AS p USING (patient_id)
		WHERE NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = e.event_id)),
	event AS MATERIALIZED (
		SELECT e.event_id, e.occurred_at, e.facility, e.patient_id, e.patient, e.encounter_id, e.subject, e.kind, e.planned_at, split_part(e.kind, '.', 1) AS object,
			CASE WHEN e.encounter_id <> '' THEN coalesce(v.encounter, e.encounter_id) END AS visit, CASE WHEN e.subject <> '' THEN coalesce(s.subject, e.subject) END AS topic, t.patient IS NOT NULL AS is_test,
			row_number() OVER (PARTITION BY e.patient ORDER BY e.occurred_at, e.source_sequence, e.kind, e.subject NULLS FIRST, e.item NULLS FIRST,
				e.code::text COLLATE "C" NULLS FIRST, e.value NULLS FIRST, e.source_system NULLS FIRST, e.actor NULLS FIRST, e.event_id) AS place
		FROM live AS e LEFT JOIN encounter AS v ON v.patient = e.patient AND v.id = e.encounter_id
			LEFT JOIN subject AS s ON s.patient = e.patient AND s.id = e.subject LEFT JOIN test AS t ON t.patient = e.patient),
	-- What a patient calls a visit or an order.
	name AS (
		SELECT 'encounter' AS what, v.patient, v.encounter AS key, v.id FROM encounter AS v
		UNION SELECT 'order', s.patient, s.subject, s.id FROM subject AS s
		UNION SELECT 'encounter', e.patient, e.visit, e.encounter_id FROM event AS e
		UNION SELECT 'order', e.patient, e.topic, e.subject FROM event AS e),
	naming AS MATERIALIZED (
		SELECT 'encounter' AS what, e.visit AS key, e.object = 'encounter' AS establishes, e.* FROM event AS e WHERE e.visit IS NOT NULL
		UNION ALL SELECT 'order', e.topic, e.object = 'order', e.* FROM event AS e WHERE e.topic IS NOT NULL AND e.object IN ('order', 'specimen', 'result')),
	used AS (
		SELECT DISTINCT ON (n.what, n.patient_id, n.key) n.*, bool_or(n.establishes) OVER (PARTITION BY n.what, n.patient_id, n.key) AS established
		FROM naming AS n WHERE n.occurred_at >= horizon ORDER BY n.what, n.patient_id, n.key, n.place),
	known AS MATERIALIZED (SELECT n.what, n.patient, n.key, min(n.occurred_at) AS at FROM naming AS n WHERE n.establishes GROUP BY 1, 2, 3),
	own AS MATERIALIZED (SELECT e.* FROM event AS e WHERE e.topic IS NOT NULL AND e.object IN ('order', 'specimen')),
	together AS MATERIALIZED (SELECT o.patient, o.topic, o.visit, min(o.occurred_at) AS at FROM own AS o GROUP BY 1, 2, 3),
	planned AS MATERIALIZED (SELECT DISTINCT o.patient, o.topic FROM own AS o WHERE o.object = 'order' AND o.planned_at IS NOT NULL),
	located AS (SELECT DISTINCT ON (o.patient, o.topic) o.* FROM own AS o WHERE o.visit IS NOT NULL ORDER BY o.patient, o.topic, o.place),
	result AS (
		SELECT r.*, CASE WHEN r.topic IS NULL THEN r.occurred_at ELSE coalesce(o.at, 'infinity') END AS ordered_at, coalesce(v.at, 'infinity') AS registered_at,
			l.event_id AS located_by, greatest(r.occurred_at, l.occurred_at) AS apart_since,
			coalesce(g.at, 'infinity') AS together_at, l.visit <> r.visit AND p.patient IS NULL AS is_apart
		FROM event AS r LEFT JOIN known AS o ON (o.what, o.patient, o.key) = ('order', r.patient, r.topic)
			LEFT JOIN known AS v ON (v.what, v.patient, v.key) = ('encounter', r.patient, r.visit)
			LEFT JOIN located AS l ON (l.patient, l.topic) = (r.patient, r.topic)
			LEFT JOIN together AS g ON (g.patient, g.topic, g.visit) = (r.patient, r.topic, r.visit)
			LEFT JOIN planned AS p ON (p.patient, p.topic) = (r.patient, r.topic)
		WHERE r.kind IN ('result.preliminary', 'result.final', 'result.corrected') AND r.occurred_at >= horizon),
	found AS (
		SELECT u.what, n.id AS number, u.established, u.patient_id, u.facility, u.encounter_id, u.subject, u.event_id, NULL::bigint AS other_event_id,
			u.occurred_at AS since, 'infinity'::timestamptz AS settled_at, u.is_test
		FROM used AS u JOIN name AS n USING (what, patient, key) WHERE n.id <> ''
		UNION ALL SELECT p.problem, NULL, false, r.patient_id, r.facility, r.encounter_id, r.subject, r.event_id, p.other, p.since, p.until, r.is_test
		FROM result AS r CROSS JOIN LATERAL (VALUES
			('unknown_order', NULL::bigint, r.occurred_at, r.ordered_at, true),
			('result_on_other_encounter', r.located_by, r.apart_since, r.together_at, r.is_apart),
			-- one thing at a time: before the order is known to be of another encounter, or else, and once it is of this one as well
			('unknown_encounter', NULL, greatest(r.occurred_at, r.ordered_at),
				CASE WHEN r.is_apart AND r.apart_since < r.together_at THEN least(r.registered_at, r.apart_since) ELSE r.registered_at END, r.visit IS NOT NULL),
			('unknown_encounter', NULL, greatest(r.occurred_at, r.ordered_at, r.together_at), r.registered_at, r.is_apart AND r.apart_since < r.together_at)) AS p(problem, other, since, until, holds)
		WHERE p.holds AND p.since < p.until),
	settled AS (SELECT s.* FROM workflow_track.identity_state AS s WHERE NOT EXISTS (SELECT FROM workflow_track.identity_stale AS q WHERE q.patient_id = s.patient_id)),
	expected AS (SELECT f.* FROM found AS f WHERE NOT EXISTS (SELECT FROM workflow_track.identity_stale AS q WHERE q.patient_id = f.patient_id))
	SELECT 'identity_state', 'missing', x.patient_id, to_jsonb(x) FROM (TABLE expected EXCEPT TABLE settled) AS x
	UNION ALL SELECT 'identity_state', 'unexpected', x.patient_id, to_jsonb(x) FROM (TABLE settled EXCEPT ALL TABLE expected) AS x
	UNION ALL SELECT 'shared_number', 'missing', NULL, to_jsonb(x) FROM (
		SELECT s.what, s.number FROM settled AS s WHERE s.number IS NOT NULL GROUP BY 1, 2 HAVING count(DISTINCT s.patient_id) > 1
		EXCEPT SELECT n.what, n.number FROM workflow_track.shared_number AS n) AS x;
END
$$;
COMMENT ON FUNCTION workflow_track.check_identities() IS 'part of check_consistency(): what identity conflicts are told from';

CREATE FUNCTION workflow_track.check_consistency()
RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb, is_stale boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM workflow_track.require_setup();
	RETURN QUERY
	SELECT c.relation, c.problem, c.patient_id, c.difference,
		EXISTS (SELECT FROM workflow_track.stale_mark)
			OR CASE WHEN c.patient_id IS NULL THEN EXISTS (SELECT FROM workflow_track.stale_patient)
				ELSE EXISTS (SELECT FROM workflow_track.stale_patient AS s WHERE s.patient_id = c.patient_id) END
	FROM (SELECT * FROM workflow_track.check_links() UNION ALL SELECT * FROM workflow_track.check_findings() UNION ALL SELECT * FROM workflow_track.check_billing()
		UNION ALL SELECT * FROM workflow_track.check_identities() UNION ALL SELECT * FROM workflow_track.check_diary() UNION ALL SELECT * FROM workflow_track.check_messages()) AS c;
END
$$;
COMMENT ON FUNCTION workflow_track.check_consistency() IS
'compares what detection keeps with the definitions, a row a difference; reads every event, and is to be run at night';
