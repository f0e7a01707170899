-- The yardstick: what the extension detects, written as a capable DBA would
-- without it: one statement trigger with a transition table, sets instead of
-- rows, temporary tables that are analyzed, hash joins, rules in small tables.
--
-- It evaluates the patients that a statement touches from their stored events
-- and writes the very tables that the extension writes, with their indexes, so
-- that what the two find can be compared row by row.  It does less than the
-- extension: it takes no locks, so that two sessions which record for one
-- patient miss each other's events; it knows no merges, aliases, retractions or
-- test patients; and it counts handoffs of events that come in order only.
-- Duplicate rules are written out for the map of this benchmark.

CREATE SCHEMA setwise;

-- Rules of the current map, a row a kind, for joins.

CREATE TABLE setwise.opens AS
	SELECT x.expectation_id, kind, x.correlated_by, x.within, x.early, x.when_severity,
		x.when_facility, x.when_entry_method, x.when_code,
		d.key AS detail_key, d.value AS detail_values
	FROM workflow_track.expectation x
	JOIN workflow_track.workflow w USING (workflow, version)
	CROSS JOIN unnest(x.after) kind
	LEFT JOIN jsonb_each(x.when_detail) d ON true
	WHERE w.state = 'current';

CREATE TABLE setwise.closes AS
	SELECT x.expectation_id, kind, x.correlated_by, x.by
	FROM workflow_track.expectation x
	JOIN workflow_track.workflow w USING (workflow, version)
	CROSS JOIN unnest(x.expect) kind
	WHERE w.state = 'current';

CREATE TABLE setwise.cancels AS
	SELECT x.expectation_id, c.kind, c.correlated_by
	FROM workflow_track.expectation x
	JOIN workflow_track.workflow w USING (workflow, version)
	CROSS JOIN unnest(x.cancelled_by, x.cancelled_by_correlation) c (kind, correlated_by)
	WHERE w.state = 'current';

CREATE TABLE setwise.delivers AS
	SELECT s.workflow, s.step, s.kind, s.delivered_to
	FROM workflow_track.workflow_step s
	JOIN workflow_track.workflow w USING (workflow, version)
	WHERE w.state = 'current' AND cardinality(s.delivered_to) > 0;

ANALYZE setwise.opens, setwise.closes, setwise.cancels, setwise.delivers;

-- The events of the touched patients, in canonical order, with roles.
CREATE FUNCTION setwise.gather(first_new bigint) RETURNS void
LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
BEGIN
	CREATE TEMP TABLE work ON COMMIT DROP AS
	WITH one AS (	-- people with a single row, whose role needs no search
		SELECT s.actor, min(s.role) AS role, (array_agg(s.active_during))[1] AS active_during
		FROM workflow_track.staff s GROUP BY s.actor HAVING count(*) = 1)
	SELECT row_number() OVER (ORDER BY e.occurred_at, e.source_sequence, e.kind, e.subject NULLS FIRST,
			e.item NULLS FIRST, e.code NULLS FIRST, e.value NULLS FIRST, e.source_system NULLS FIRST,
			e.actor NULLS FIRST, e.event_id) AS pos,
		e.event_id, e.event_id >= first_new AS is_new, e.occurred_at,
		CASE e.time_precision
			WHEN 'second' THEN e.occurred_at
			WHEN 'minute' THEN e.occurred_at + interval '1 minute - 1 microsecond'
			WHEN 'hour' THEN e.occurred_at + interval '1 hour - 1 microsecond'
			WHEN 'day' THEN e.occurred_at + interval '24 hours - 1 microsecond'
			WHEN 'month' THEN e.occurred_at + interval '1 month - 1 microsecond'
			ELSE e.occurred_at + interval '1 year - 1 microsecond' END AS end_at,
		e.planned_at, e.facility, e.patient_id, e.encounter_id, e.subject, e.item, e.kind, e.code, e.value,
		e.severity, e.actor, e.recipient, e.source_system, e.entry_method, e.message_id, e.detail, k.counts_as_work,
		CASE WHEN e.actor_role IS NOT NULL THEN e.actor_role
			WHEN e.actor IS NULL THEN NULL
			WHEN a.actor IS NOT NULL THEN
				CASE WHEN a.active_during IS NULL OR a.active_during @> e.occurred_at THEN a.role END
			ELSE (SELECT s.role FROM workflow_track.staff s
				WHERE s.actor = e.actor AND (s.active_during IS NULL OR s.active_during @> e.occurred_at)
				ORDER BY s.facility = e.facility DESC NULLS LAST, s.system = e.source_system DESC NULLS LAST, s.role LIMIT 1)
			END AS actor_role,
		CASE WHEN e.recipient_role IS NOT NULL THEN e.recipient_role
			WHEN e.recipient IS NULL THEN NULL
			WHEN r.actor IS NOT NULL THEN
				CASE WHEN r.active_during IS NULL OR r.active_during @> e.occurred_at THEN r.role END
			ELSE (SELECT s.role FROM workflow_track.staff s
				WHERE s.actor = e.recipient AND (s.active_during IS NULL OR s.active_during @> e.occurred_at)
				ORDER BY s.facility = e.facility DESC NULLS LAST, s.system = e.source_system DESC NULLS LAST, s.role LIMIT 1)
			END AS recipient_role
	FROM workflow_track.event e
	JOIN workflow_track.event_kind k ON k.kind = e.kind
	LEFT JOIN one a ON a.actor = e.actor
	LEFT JOIN one r ON r.actor = e.recipient
	WHERE e.patient_id IN (SELECT t.patient_id FROM touched t);
	ANALYZE work (pos, patient_id, encounter_id, subject, kind, code, value);
END
$$;

-- Loops: what opens them, the first that closes, the first that cancels.
CREATE FUNCTION setwise.find_loops() RETURNS void
LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
BEGIN
	-- Every event of a kind in `after`; `opens` where `when` holds.
	CREATE TEMP TABLE asking ON COMMIT DROP AS
	SELECT x.expectation_id, x.correlated_by, x.within, x.early, w.pos, w.patient_id, w.occurred_at,
		w.encounter_id, w.subject, w.item, w.code,
		CASE x.correlated_by WHEN 'patient' THEN '' WHEN 'encounter' THEN w.encounter_id ELSE w.subject END AS key,
		(x.when_severity IS NULL OR coalesce(w.severity::text, 'unknown') = ANY (x.when_severity))
			AND (x.when_facility IS NULL OR w.facility = ANY (x.when_facility))
			AND (x.when_entry_method IS NULL OR coalesce(w.entry_method::text, 'unknown') = ANY (x.when_entry_method))
			AND (x.when_code IS NULL OR starts_with(w.code::text, x.when_code))
			AND (x.detail_key IS NULL OR coalesce(x.detail_values @> (w.detail -> x.detail_key), false)) AS opens
	FROM work w JOIN setwise.opens x ON x.kind = w.kind;
	DELETE FROM asking WHERE key IS NULL;
	CREATE TEMP TABLE answer ON COMMIT DROP AS
	SELECT x.expectation_id, x.correlated_by, w.pos, w.patient_id, w.end_at, w.item, w.code,
		CASE x.correlated_by WHEN 'patient' THEN '' WHEN 'encounter' THEN w.encounter_id ELSE w.subject END AS key
	FROM work w JOIN setwise.closes x ON x.kind = w.kind
	WHERE cardinality(x.by) = 0 OR w.actor_role = ANY (x.by);
	ANALYZE asking (expectation_id, patient_id, key), answer (expectation_id, patient_id, key);

	INSERT INTO workflow_track.loop_state (opened_event_id, opened_at, due_at, settled_at, closed_event_id,
		opened_message_id, expectation_id, severity, is_cancelled, is_test, patient_id, facility, encounter_id,
		subject, item, code, opened_by_kind, owner, owner_role, closed_by, closed_by_role)
	WITH answered AS (
		SELECT o.expectation_id, o.pos, c.pos AS closed_pos
		FROM asking o JOIN answer c
			ON c.expectation_id = o.expectation_id AND c.patient_id = o.patient_id AND c.key = o.key
		WHERE o.opens AND c.pos <> o.pos AND c.end_at >= o.occurred_at
			AND (o.correlated_by <> 'item'
				OR ((c.item = o.item OR c.item IS NULL OR o.item IS NULL) AND (c.code = o.code OR c.code IS NULL OR o.code IS NULL)))
		UNION ALL
		SELECT o.expectation_id, o.pos, c.pos
		FROM asking o JOIN answer c
			ON c.expectation_id = o.expectation_id AND c.patient_id = o.patient_id AND c.key = o.key
		WHERE o.opens AND o.early > interval '0' AND c.pos <> o.pos
			AND c.end_at < o.occurred_at AND c.end_at >= o.occurred_at - o.early
			AND (o.correlated_by <> 'item'
				OR ((c.item = o.item OR c.item IS NULL OR o.item IS NULL) AND (c.code = o.code OR c.code IS NULL OR o.code IS NULL)))
			AND NOT EXISTS (SELECT FROM asking a
				WHERE a.expectation_id = c.expectation_id AND a.patient_id = c.patient_id AND a.key = c.key
					AND a.occurred_at <= c.end_at
					AND (c.correlated_by <> 'item'
						OR ((c.item = a.item OR c.item IS NULL OR a.item IS NULL) AND (c.code = a.code OR c.code IS NULL OR a.code IS NULL))))),
	closed AS (
		SELECT expectation_id, pos, min(closed_pos) AS closed_pos FROM answered GROUP BY expectation_id, pos),
	cancelling AS MATERIALIZED (
		SELECT x.expectation_id, x.correlated_by, w.pos, w.patient_id, w.encounter_id, w.subject, w.item, w.code, w.end_at
		FROM work w JOIN setwise.cancels x ON x.kind = w.kind),
	cancelled AS (
		SELECT o.expectation_id, o.pos, min(c.pos) AS cancelled_pos
		FROM asking o JOIN cancelling c ON c.expectation_id = o.expectation_id AND c.patient_id = o.patient_id
		WHERE o.opens AND c.pos <> o.pos AND c.end_at >= o.occurred_at
			AND CASE c.correlated_by
				WHEN 'patient' THEN true
				WHEN 'encounter' THEN c.encounter_id = o.encounter_id
				WHEN 'subject' THEN c.subject = o.subject
				ELSE c.subject = o.subject AND (c.item = o.item OR c.item IS NULL OR o.item IS NULL)
					AND (c.code = o.code OR c.code IS NULL OR o.code IS NULL) END
		GROUP BY o.expectation_id, o.pos),
	outcome AS (
		SELECT a.expectation_id, a.pos, a.within,
			CASE WHEN x.cancelled_pos IS NULL OR c.closed_pos <= x.cancelled_pos THEN c.closed_pos END AS closed_pos,
			CASE WHEN c.closed_pos <= x.cancelled_pos THEN NULL ELSE x.cancelled_pos END AS cancelled_pos
		FROM asking a
		LEFT JOIN closed c ON c.expectation_id = a.expectation_id AND c.pos = a.pos
		LEFT JOIN cancelled x ON x.expectation_id = a.expectation_id AND x.pos = a.pos
		WHERE a.opens)
	SELECT w.event_id, w.occurred_at, greatest(w.occurred_at, w.planned_at) + o.within,
		coalesce(e.occurred_at, 'infinity'), CASE WHEN o.closed_pos IS NOT NULL THEN e.event_id END,
		w.message_id, o.expectation_id, w.severity, o.cancelled_pos IS NOT NULL, false, w.patient_id, w.facility,
		w.encounter_id, w.subject, w.item, w.code, w.kind, coalesce(w.recipient, w.actor),
		CASE WHEN w.recipient IS NOT NULL THEN w.recipient_role ELSE w.actor_role END,
		CASE WHEN o.closed_pos IS NOT NULL THEN e.actor END, CASE WHEN o.closed_pos IS NOT NULL THEN e.actor_role END
	FROM outcome o
	JOIN work w ON w.pos = o.pos
	LEFT JOIN work e ON e.pos = coalesce(o.closed_pos, o.cancelled_pos);
END
$$;

-- Duplicates: of this map's two rules.
CREATE FUNCTION setwise.find_duplicates() RETURNS void
LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.duplicate_state (duplicate_event_id, original_event_id, duplicate_at, original_at,
		duplicate_rule_id, duplicate_method, is_test, patient_id, facility, encounter_id, kind, subject, code, value,
		original_system, duplicate_system, original_actor, duplicate_actor)
	WITH ordered AS (
		SELECT DISTINCT ON (d.pos) d.pos AS d_pos, o.pos AS o_pos
		FROM work d JOIN work o ON o.patient_id = d.patient_id AND coalesce(o.encounter_id, '') = coalesce(d.encounter_id, '')
			AND coalesce(o.code::text, '') = coalesce(d.code::text, '')
		WHERE d.kind = 'order.placed' AND o.kind = 'order.placed' AND o.pos < d.pos
			AND d.occurred_at - o.occurred_at <= interval '1 hour'
		ORDER BY d.pos, o.pos),
	typed AS (
		SELECT DISTINCT ON (d.pos) d.pos AS d_pos, o.pos AS o_pos
		FROM work d JOIN work o ON o.patient_id = d.patient_id AND coalesce(o.code::text, '') = coalesce(d.code::text, '')
			AND coalesce(o.value, '') = coalesce(d.value, '')
		WHERE d.kind = 'data.entered' AND o.kind = 'data.entered' AND d.entry_method = 'manual' AND o.entry_method = 'manual'
			AND o.pos < d.pos AND d.occurred_at - o.occurred_at <= interval '24 hours'
			AND o.source_system IS DISTINCT FROM d.source_system
		ORDER BY d.pos, o.pos)
	SELECT d.event_id, o.event_id, d.occurred_at, o.occurred_at, r.duplicate_rule_id, d.entry_method, false,
		d.patient_id, d.facility, d.encounter_id, d.kind, d.subject, d.code, d.value,
		o.source_system, d.source_system, o.actor, d.actor
	FROM (SELECT 'ordered twice' AS rule, * FROM ordered UNION ALL SELECT 'typed twice', * FROM typed) f
	JOIN work d ON d.pos = f.d_pos
	JOIN work o ON o.pos = f.o_pos
	JOIN workflow_track.duplicate_rule r ON r.name = f.rule;
END
$$;

-- Misrouted events, and who took care of them.
CREATE FUNCTION setwise.find_misrouted() RETURNS void
LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.misrouted_state (event_id, occurred_at, claimed_at, message_id, severity, is_test,
		patient_id, facility, encounter_id, subject, item, code, recipient, recipient_role, expected_roles, reason,
		workflow, step, claimed_by)
	WITH addressed AS (
		SELECT w.pos, s.workflow, s.step, s.delivered_to, w.recipient, w.recipient_role, bool_or(p.actor IS NOT NULL) AS is_known,
			bool_or(p.actor IS NOT NULL AND (p.active_during IS NULL OR p.active_during @> w.occurred_at)) AS is_active,
			bool_or(p.is_shared_inbox AND (p.active_during IS NULL OR p.active_during @> w.occurred_at)) AS is_shared
		FROM work w JOIN setwise.delivers s ON s.kind = w.kind
		LEFT JOIN workflow_track.staff p ON p.actor = w.recipient
		GROUP BY w.pos, s.workflow, s.step, s.delivered_to, w.recipient, w.recipient_role),
	judged AS MATERIALIZED (
		SELECT a.*, CASE WHEN a.recipient IS NULL THEN 'no_recipient'
			WHEN NOT a.is_known THEN 'unknown_recipient'
			WHEN NOT a.is_active THEN 'inactive_recipient'
			WHEN a.is_shared THEN 'shared_inbox'
			WHEN (a.recipient_role = ANY (a.delivered_to)) IS NOT TRUE THEN 'wrong_role' END AS reason
		FROM addressed a),
	misrouted AS MATERIALIZED (
		SELECT j.*, w.patient_id, w.subject FROM judged j JOIN work w ON w.pos = j.pos WHERE j.reason IS NOT NULL),
	claimed AS (
		SELECT DISTINCT ON (m.pos, m.workflow, m.step) m.pos, m.workflow, m.step, c.occurred_at, c.actor
		FROM misrouted m JOIN work c ON c.patient_id = m.patient_id AND c.subject = m.subject
		WHERE c.pos > m.pos AND c.actor_role = ANY (m.delivered_to)
			AND EXISTS (SELECT FROM workflow_track.staff p WHERE p.actor = c.actor
				AND (p.active_during IS NULL OR p.active_during @> c.occurred_at))
			AND NOT EXISTS (SELECT FROM workflow_track.staff p WHERE p.actor = c.actor AND p.is_shared_inbox
				AND (p.active_during IS NULL OR p.active_during @> c.occurred_at))
		ORDER BY m.pos, m.workflow, m.step, c.pos)
	SELECT w.event_id, w.occurred_at, c.occurred_at, w.message_id, w.severity, false, w.patient_id, w.facility,
		w.encounter_id, w.subject, w.item, w.code, w.recipient, w.recipient_role, m.delivered_to, m.reason,
		m.workflow, m.step, c.actor
	FROM misrouted m
	JOIN work w ON w.pos = m.pos
	LEFT JOIN claimed c ON c.pos = m.pos AND c.workflow = m.workflow AND c.step = m.step;
END
$$;

-- Handoffs: what is new is put by, and folded into the hours later, as the extension does.
CREATE TABLE setwise.handoff_delta (
	basis text NOT NULL,
	facility text NOT NULL,
	from_role text,
	to_role text,
	from_system text,
	to_system text,
	taken_at timestamptz NOT NULL,
	latency interval NOT NULL
);

CREATE FUNCTION setwise.fold_handoffs() RETURNS void
LANGUAGE sql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
	WITH delta AS (DELETE FROM setwise.handoff_delta RETURNING *)
	INSERT INTO workflow_track.handoff_hourly AS h (hour, is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
		SELECT date_bin('1 hour', taken_at, '2000-01-01 00:00+00'), false, basis, facility, from_role, to_role,
			from_system, to_system, latency_histogram(latency)
		FROM delta GROUP BY 1, 3, 4, 5, 6, 7, 8
	ON CONFLICT (hour, is_test, basis, facility, from_role, to_role, from_system, to_system)
		DO UPDATE SET histogram = h.histogram + excluded.histogram;
	INSERT INTO workflow_track.handoff_total (is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
		SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, merge(histogram)
		FROM workflow_track.handoff_hourly GROUP BY 1, 2, 3, 4, 5, 6, 7
	ON CONFLICT (is_test, basis, facility, from_role, to_role, from_system, to_system)
		DO UPDATE SET histogram = excluded.histogram;
$$;

CREATE FUNCTION setwise.find_handoffs() RETURNS void
LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
BEGIN
	INSERT INTO setwise.handoff_delta (basis, facility, from_role, to_role, from_system, to_system, taken_at, latency)
	WITH worked AS (
		SELECT pos, is_new, occurred_at, patient_id, encounter_id, subject, facility, actor, actor_role, source_system
		FROM work WHERE counts_as_work AND encounter_id IS NOT NULL),
	neighbours AS (
		SELECT 'implied' AS basis, w.*, lag(pos) OVER same AS from_pos, lag(occurred_at) OVER same AS from_at,
			lag(actor) OVER same AS from_actor, lag(actor_role) OVER same AS from_role, lag(source_system) OVER same AS from_system
		FROM worked w WINDOW same AS (PARTITION BY patient_id, encounter_id ORDER BY pos)
		UNION ALL
		SELECT 'thread', w.*, lag(pos) OVER same, lag(occurred_at) OVER same,
			lag(actor) OVER same, lag(actor_role) OVER same, lag(source_system) OVER same
		FROM worked w WHERE subject IS NOT NULL
		WINDOW same AS (PARTITION BY patient_id, encounter_id, subject ORDER BY pos)),
	taken AS (
		SELECT o.pos AS from_pos, min(a.pos) AS pos
		FROM work o JOIN work a ON a.patient_id = o.patient_id AND a.subject = o.subject
		WHERE o.kind = 'handoff.offered' AND a.kind = 'handoff.accepted' AND a.end_at >= o.occurred_at
		GROUP BY o.pos)
	SELECT basis, facility, from_role, actor_role, from_system, source_system, occurred_at, occurred_at - from_at
	FROM neighbours
	WHERE is_new AND from_pos IS NOT NULL
		AND (actor IS DISTINCT FROM from_actor OR actor_role IS DISTINCT FROM from_role OR source_system IS DISTINCT FROM from_system)
	UNION ALL
	SELECT 'explicit', a.facility, o.actor_role, a.actor_role, o.source_system, a.source_system,
		a.occurred_at, a.occurred_at - o.occurred_at
	FROM taken t JOIN work o ON o.pos = t.from_pos JOIN work a ON a.pos = t.pos
	WHERE a.is_new;
END
$$;

CREATE FUNCTION setwise.detect() RETURNS trigger
LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET search_path = pg_catalog, workflow_track, pg_temp AS $$
BEGIN
	CREATE TEMP TABLE touched ON COMMIT DROP AS SELECT DISTINCT n.patient_id FROM new_rows n;
	ANALYZE touched;
	PERFORM setwise.gather((SELECT min(n.event_id) FROM new_rows n));
	DELETE FROM workflow_track.loop_state l USING touched t WHERE l.patient_id = t.patient_id;
	DELETE FROM workflow_track.duplicate_state d USING touched t WHERE d.patient_id = t.patient_id;
	DELETE FROM workflow_track.misrouted_state m USING touched t WHERE m.patient_id = t.patient_id;
	PERFORM setwise.find_loops();
	PERFORM setwise.find_duplicates();
	PERFORM setwise.find_misrouted();
	PERFORM setwise.find_handoffs();
	DROP TABLE touched, work, asking, answer;
	RETURN NULL;
END
$$;

CREATE TRIGGER setwise AFTER INSERT ON workflow_track.event
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION setwise.detect();
