CREATE FUNCTION workflow_track.patient_identities(patient_ids text[])
RETURNS TABLE (what text, number text, established boolean, patient_id text, facility text, encounter_id text, subject text,
	event_id bigint, other_event_id bigint, since timestamptz, settled_at timestamptz, is_test boolean)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.patient_identities(text[]) IS
'the numbers that events of patient ids name, and what is wrong with their results: rows as identity_state keeps them';

CREATE FUNCTION workflow_track.identity_conflicts()
RETURNS TABLE (problem text, facility text, patient_id text, other_patient_id text, other_facility text, encounter_id text, subject text,
	what text, number text, event_id bigint, other_event_id bigint, since timestamptz, settled_at timestamptz, is_stored boolean)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.identity_conflicts() IS
'part of identity_finding: conflicts between patients, and what identity_state does not hold yet, of facilities that the caller sees';

CREATE FUNCTION workflow_track.merged_ids_without(patient_id text, without text) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE ids (id) AS (
		SELECT merged_ids_without.patient_id COLLATE "C"
		UNION
		SELECT v.other FROM ids AS i CROSS JOIN LATERAL (
			SELECT m.merged_id, m.event_id FROM workflow_track.patient_merge AS m WHERE m.patient_id = i.id
			UNION ALL SELECT m.patient_id, m.event_id FROM workflow_track.patient_merge AS m WHERE m.merged_id = i.id) AS v(other, event_id)
		WHERE v.other <> merged_ids_without.without AND NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = v.event_id))
	SELECT array_agg(id) FROM ids
$$;
COMMENT ON FUNCTION workflow_track.merged_ids_without(text, text) IS
'the ids that merges join to one, but for those that need another id for it';

-- Whatever is no finding of one patient alone: numbers of two patients, and ids that were merged into two.
CREATE FUNCTION workflow_track.every_identity_conflict()
RETURNS TABLE (problem text, facility text, patient_id text, other_patient_id text, other_facility text, encounter_id text, subject text,
	what text, number text, event_id bigint, other_event_id bigint, since timestamptz, settled_at timestamptz, is_stored boolean)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH joined AS MATERIALIZED (SELECT * FROM workflow_track.joined_patients(false)),
	test AS MATERIALIZED (SELECT DISTINCT coalesce(j.patient, t.patient_id) AS patient FROM workflow_track.test_patient AS t LEFT JOIN joined AS j USING (patient_id)
		WHERE NOT workflow_track.test_patients_shown()),
	live AS MATERIALIZED (SELECT l.* FROM workflow_track.patient_identities(ARRAY(SELECT DISTINCT s.patient_id FROM workflow_track.identity_stale AS s)) AS l
		WHERE NOT l.is_test OR workflow_track.test_patients_shown()),
	-- What may be of two patients; of what is kept, shared_number tells it.
	candidate AS MATERIALIZED (
		SELECT n.what, n.number FROM workflow_track.shared_number AS n
		UNION SELECT l.what, l.number FROM live AS l WHERE l.number IS NOT NULL
			AND EXISTS (SELECT FROM workflow_track.identity_state AS s WHERE s.number = l.number AND s.what = l.what AND s.patient_id <> l.patient_id)
		UNION SELECT l.what, l.number FROM live AS l WHERE l.number IS NOT NULL GROUP BY 1, 2 HAVING count(DISTINCT l.patient_id) > 1),
	used AS (
		SELECT coalesce(j.patient, u.patient_id) AS patient, u.*
		-- OFFSET, for there are few candidates, and the index is to be asked for each.
		FROM (SELECT s.* FROM candidate AS c CROSS JOIN LATERAL (SELECT s.* FROM workflow_track.identity_state AS s WHERE s.number = c.number AND s.what = c.what OFFSET 0) AS s
				WHERE s.patient_id NOT IN (SELECT q.patient_id FROM workflow_track.identity_stale AS q)
					AND (NOT s.is_test OR workflow_track.test_patients_shown())
			UNION ALL SELECT l.* FROM candidate AS c JOIN live AS l USING (number, what)) AS u LEFT JOIN joined AS j USING (patient_id)),
	-- Each patient's first use, and the patient whose number it is: who has it registered or ordered, else who used it first.
	use AS MATERIALIZED (
		SELECT DISTINCT ON (u.what, u.number, u.patient) u.*, bool_or(u.established) OVER (PARTITION BY u.what, u.number, u.patient) AS is_own,
			array_agg(u.patient_id) OVER (PARTITION BY u.what, u.number, u.patient) AS ids
		FROM used AS u ORDER BY u.what, u.number, u.patient, u.since, u.patient_id),
	owner AS MATERIALIZED (
		SELECT DISTINCT ON (u.what, u.number) u.* FROM use AS u ORDER BY u.what, u.number, u.is_own DESC, u.since, u.patient_id),
	parted AS MATERIALIZED (
		SELECT coalesce(a.patient, m.patient_id) AS one, coalesce(b.patient, m.merged_id) AS other
		FROM workflow_track.patient_merge AS m JOIN workflow_track.retraction AS r USING (event_id)
			LEFT JOIN joined AS a ON a.patient_id = m.patient_id LEFT JOIN joined AS b ON b.patient_id = m.merged_id),
	pair AS MATERIALIZED (
		SELECT CASE WHEN EXISTS (SELECT FROM parted AS x WHERE (x.one, x.other) IN ((u.patient, o.patient), (o.patient, u.patient))) THEN 'shared_after_unmerge'
				WHEN u.what = 'order' THEN 'order_of_two_patients' ELSE 'encounter_of_two_patients' END AS problem,
			u.what, u.facility, u.patient_id, o.patient_id AS other_patient_id, o.facility AS other_facility, u.encounter_id, u.subject, u.number,
			u.event_id, o.event_id AS other_event_id, greatest(u.since, o.since) AS since, u.ids
		FROM use AS u JOIN owner AS o USING (what, number) WHERE u.patient <> o.patient),
	-- An event that names another's numbers is told of once: of its order's, by its own name for it, as soon as that is another's.
	told AS (
		SELECT p.*, min(p.since) OVER (PARTITION BY p.event_id
				ORDER BY p.what <> 'order', p.number IS DISTINCT FROM CASE p.what WHEN 'order' THEN p.subject ELSE p.encounter_id END, p.number
				ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS settled_at
		FROM pair AS p),
	-- One temporary id, two survivors that are not one but by it; of merges that were dropped no more is known than the ids and when.
	merge AS MATERIALIZED (
		SELECT m.merged_id, m.patient_id, m.event_id, coalesce(e.occurred_at, m.occurred_at, '-infinity') AS occurred_at, e.facility, e.source_sequence, e.item, e.code, e.value,
			e.source_system, e.actor
		FROM (SELECT m.merged_id FROM workflow_track.patient_merge AS m
				WHERE NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = m.event_id)
				GROUP BY m.merged_id HAVING count(DISTINCT m.patient_id) > 1) AS twice
			JOIN workflow_track.patient_merge AS m USING (merged_id) LEFT JOIN workflow_track.event AS e USING (event_id)
		WHERE NOT EXISTS (SELECT FROM workflow_track.retraction AS r WHERE r.event_id = m.event_id)
			AND NOT EXISTS (SELECT FROM test AS t WHERE t.patient = (SELECT j.patient FROM joined AS j WHERE j.patient_id = m.merged_id))),
	survivor AS MATERIALIZED (
		-- In canonical order, as far as two merges of the same ids differ.
		SELECT DISTINCT ON (m.merged_id, m.patient_id) m.* FROM merge AS m
		ORDER BY m.merged_id, m.patient_id, m.occurred_at, m.source_sequence, m.item COLLATE "C" NULLS FIRST, m.code NULLS FIRST, m.value COLLATE "C" NULLS FIRST,
			m.source_system COLLATE "C" NULLS FIRST, m.actor COLLATE "C" NULLS FIRST, m.event_id),
	later AS MATERIALIZED (
		SELECT s.*, workflow_track.merged_ids_without(s.patient_id, s.merged_id) AS ids FROM survivor AS s WHERE s.facility IS NOT NULL),
	recycled AS (
		SELECT DISTINCT ON (s.merged_id, s.patient_id) s.*, f.patient_id AS other_patient_id, f.facility AS other_facility, f.event_id AS other_event_id
		FROM later AS s JOIN survivor AS f ON f.merged_id = s.merged_id AND (f.occurred_at, f.patient_id) < (s.occurred_at, s.patient_id)
		WHERE f.patient_id <> ALL (s.ids)
		ORDER BY s.merged_id, s.patient_id, f.occurred_at, f.patient_id)
	-- A row for each id under which the number is used: what is told has the id of its event, the rest settles what is wrong with results.
	SELECT CASE WHEN i.id = p.patient_id THEN p.problem END, p.facility, i.id, p.other_patient_id, p.other_facility, p.encounter_id, p.subject, p.what, p.number,
		p.event_id, p.other_event_id, p.since, coalesce(p.settled_at, 'infinity'), false
	FROM told AS p CROSS JOIN unnest(p.ids) AS i(id)
	UNION ALL SELECT 'merged_into_two', s.facility, s.patient_id, s.other_patient_id, s.other_facility, NULL, s.merged_id, NULL, NULL,
		s.event_id, s.other_event_id, s.occurred_at, 'infinity', false
	FROM recycled AS s
	UNION ALL SELECT l.what, l.facility, l.patient_id, NULL, NULL, l.encounter_id, l.subject, NULL, NULL, l.event_id, l.other_event_id, l.since, l.settled_at, true
	FROM live AS l WHERE l.number IS NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.every_identity_conflict() IS
'part of identity_conflicts(): of every facility';

CREATE FUNCTION workflow_track.fold_identities() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE workflow_track.identity_state IN SHARE ROW EXCLUSIVE MODE;
	-- In one statement, so that what it takes from the list and what it reads are of one moment.
	WITH taken AS (DELETE FROM workflow_track.identity_stale RETURNING patient_id),
	fresh AS MATERIALIZED (SELECT f.* FROM workflow_track.patient_identities(ARRAY(SELECT DISTINCT t.patient_id FROM taken AS t)) AS f),
	kept AS MATERIALIZED (SELECT s.ctid AS place, s.* FROM workflow_track.identity_state AS s WHERE s.patient_id IN (SELECT t.patient_id FROM taken AS t)),
	gone AS (
		DELETE FROM workflow_track.identity_state AS s USING kept AS k
		WHERE s.ctid = k.place AND NOT EXISTS (SELECT FROM fresh AS f WHERE (f.event_id, f.what, f.since, f.settled_at, f.established, f.is_test) =
				(k.event_id, k.what, k.since, k.settled_at, k.established, k.is_test)
			AND (f.number, f.other_event_id) IS NOT DISTINCT FROM (k.number, k.other_event_id))),
	added AS (
		INSERT INTO workflow_track.identity_state (what, number, established, patient_id, facility, encounter_id, subject, event_id, other_event_id, since, settled_at, is_test)
		SELECT f.* FROM fresh AS f
		WHERE NOT EXISTS (SELECT FROM kept AS k WHERE (f.event_id, f.what, f.since, f.settled_at, f.established, f.is_test) =
				(k.event_id, k.what, k.since, k.settled_at, k.established, k.is_test)
			AND (f.number, f.other_event_id) IS NOT DISTINCT FROM (k.number, k.other_event_id)))
	INSERT INTO workflow_track.shared_number (what, number)
		SELECT f.what, f.number FROM fresh AS f WHERE f.number IS NOT NULL
			AND EXISTS (SELECT FROM workflow_track.identity_state AS s WHERE s.number = f.number AND s.what = f.what AND s.patient_id <> f.patient_id)
		UNION SELECT f.what, f.number FROM fresh AS f WHERE f.number IS NOT NULL GROUP BY 1, 2 HAVING count(DISTINCT f.patient_id) > 1
		ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION workflow_track.fold_identities() IS
'brings identity_state up to date: part of maintain() and of rebuild()';
