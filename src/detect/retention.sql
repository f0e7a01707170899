-- Retention drops months; what care that goes on has to do with stays.

CREATE FUNCTION workflow_track.carried_events(horizon timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET enable_nestloop = off SET jit = off AS $$
DECLARE
	lookback CONSTANT interval := (SELECT coalesce(max(r.back), interval '0') FROM (
		SELECT d.workflow, d.version, d.within AS back FROM workflow_track.duplicate_rule AS d
		UNION ALL SELECT x.workflow, x.version, x.early FROM workflow_track.expectation AS x
		UNION ALL SELECT b.workflow, b.version, b.within FROM workflow_track.billing_rule AS b
		UNION ALL SELECT w.workflow, w.version, l.redundant_alert_within FROM workflow_track.workflow AS w, workflow_track.burden_limits() AS l) AS r
		JOIN workflow_track.workflow AS w USING (workflow, version) WHERE w.state = 'current');
BEGIN
	RETURN QUERY
	WITH merged AS MATERIALIZED (SELECT * FROM workflow_track.joined_patients(true)),
	encounter AS MATERIALIZED (SELECT * FROM workflow_track.joined_encounters(true)),
	subject AS MATERIALIZED (SELECT * FROM workflow_track.joined_subjects(true)),
	known AS (
		SELECT e.event_id, e.occurred_at, e.kind, e.encounter_id, e.subject, coalesce(p.patient, e.patient_id) AS patient,
			CASE WHEN e.time_precision = 'second' THEN e.occurred_at
				ELSE e.occurred_at + ('1 ' || e.time_precision::text)::interval - interval '1 microsecond' END AS ends_at
		FROM workflow_track.event AS e LEFT JOIN merged AS p USING (patient_id)),
	-- What comes later may be about the time just after the horizon, and rules look back from there.
	going_on AS MATERIALIZED (
		SELECT k.patient FROM known AS k GROUP BY k.patient HAVING min(k.occurred_at) < horizon AND max(k.ends_at) >= horizon - lookback),
	event AS MATERIALIZED (
		SELECT k.event_id, k.occurred_at, k.kind, k.patient, coalesce(v.encounter, k.encounter_id) AS encounter, coalesce(s.subject, k.subject) AS subject, k.ends_at
		FROM known AS k JOIN going_on AS g USING (patient) LEFT JOIN encounter AS v ON v.patient = k.patient AND v.id = k.encounter_id
			LEFT JOIN subject AS s ON s.patient = k.patient AND s.id = k.subject),
	-- Expectations that join events of a patient however far apart: the last that one was asked by.
	asking AS (
		SELECT x.expectation_id, e.patient, e.event_id, e.occurred_at, workflow_track.conditions_hold(x.when_severity, x.when_facility, x.when_entry_method, x.when_code, x.when_detail,
			r.severity, r.facility, r.entry_method, r.code::text, r.detail) AS opens
		FROM workflow_track.expectation AS x JOIN workflow_track.workflow AS w USING (workflow, version)
			CROSS JOIN LATERAL unnest(x.after) AS k(kind) JOIN event AS e ON e.kind = k.kind AND e.occurred_at < horizon
			JOIN workflow_track.event AS r ON r.event_id = e.event_id AND r.occurred_at = e.occurred_at
		WHERE w.state = 'current' AND x.correlated_by = 'patient')
	SELECT c.event_id FROM (
		SELECT e.event_id, max(e.ends_at) OVER (PARTITION BY e.patient, e.encounter) AS last_at, e.occurred_at FROM event AS e WHERE e.encounter IS NOT NULL
		UNION ALL
		SELECT e.event_id, max(e.ends_at) OVER (PARTITION BY e.patient, e.subject), e.occurred_at FROM event AS e WHERE e.subject IS NOT NULL) AS c
	WHERE c.occurred_at < horizon AND c.last_at >= horizon - lookback
	UNION SELECT e.event_id FROM event AS e WHERE e.occurred_at < horizon AND e.ends_at >= horizon - lookback
	UNION (SELECT DISTINCT ON (a.patient, a.expectation_id, a.opens) a.event_id FROM asking AS a ORDER BY a.patient, a.expectation_id, a.opens, a.occurred_at DESC);
END
$$;
COMMENT ON FUNCTION workflow_track.carried_events(timestamptz) IS
'part of drop_before(): events before a moment that what is reported of the time from then on depends on: those of encounters and subjects that go on, and what rules look back to';

CREATE FUNCTION workflow_track.forget_patients(ids text[], horizon timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	WITH stored AS (SELECT e.patient_id, min(e.occurred_at) AS first_at FROM workflow_track.event AS e WHERE e.patient_id = ANY (ids) GROUP BY e.patient_id),
	gone AS (
		DELETE FROM workflow_track.patient_state AS p
		WHERE p.patient_id = ANY (ids) AND NOT p.linked AND NOT EXISTS (SELECT FROM stored AS s WHERE s.patient_id = p.patient_id)
		RETURNING p.patient_id)
	UPDATE workflow_track.patient_state AS p SET first_at = coalesce((SELECT s.first_at FROM stored AS s WHERE s.patient_id = p.patient_id), horizon)
	WHERE p.patient_id = ANY (ids) AND p.first_at < horizon AND NOT EXISTS (SELECT FROM gone AS g WHERE g.patient_id = p.patient_id);
	DELETE FROM workflow_track.handoff_state AS h WHERE h.patient_id = ANY (ids)
		AND NOT EXISTS (SELECT FROM workflow_track.patient_state AS p WHERE p.patient_id = h.patient_id);
END
$$;
COMMENT ON FUNCTION workflow_track.forget_patients(text[], timestamptz) IS
'part of drop_before(): what is known of patients of whom events were dropped';

CREATE FUNCTION workflow_track.drop_before(horizon timestamptz, force boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	month_start timestamptz := date_trunc('month', horizon);
	unsettled bigint;
	touched record;
BEGIN
	IF horizon IS NULL OR horizon > now() THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the horizon of retention must be in the past';
	END IF;
	PERFORM workflow_track.require_setup();
	PERFORM workflow_track.require_read_committed();
	PERFORM workflow_track.refuse_while_paused();
	LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE;
	IF NOT force AND (EXISTS (SELECT FROM workflow_track.stale_patient) OR EXISTS (SELECT FROM workflow_track.stale_mark)) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'it is not known which loops are open, as patients are stale',
			HINT = 'Run CALL workflow_track.catch_up() first; force drops what was not evaluated too.';
	END IF;
	-- What the rollups are still to get must not go with the months, nor with the new contributions, nor with a rebuild.
	PERFORM workflow_track.touch_patients(array_agg(s.patient_id), array_agg(NULL::timestamptz), array_agg(false))
		FROM workflow_track.handoff_stale s HAVING count(*) > 0;
	PERFORM workflow_track.detect_now(false);
	PERFORM workflow_track.fold_handoffs();
	SELECT count(*) INTO unsettled FROM workflow_track.loop_state l
		WHERE l.opened_at < month_start AND l.settled_at > now();
	IF unsettled > 0 AND NOT force THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('%s loops that were opened before %s are open or overdue', unsettled, month_start),
			HINT = 'View workflow_track.overdue_loop shows the overdue ones; force drops them with their events.';
	END IF;
	SELECT array_agg(s.patient_id) AS ids, array_agg('infinity'::timestamptz) AS times, array_agg(s.linked) AS links
		INTO touched FROM workflow_track.patient_state s WHERE s.first_at < month_start;
	UPDATE workflow_track.patient_merge AS m SET occurred_at = e.occurred_at, linked_by = e.detail ->> 'linked_by'
		FROM workflow_track.event AS e WHERE e.event_id = m.event_id AND e.kind = 'patient.merged' AND e.occurred_at < month_start;
	UPDATE workflow_track.encounter_merge AS m SET occurred_at = e.occurred_at
		FROM workflow_track.event AS e WHERE e.event_id = m.event_id AND e.kind = 'encounter.merged' AND e.occurred_at < month_start;
	PERFORM workflow_track.drop_months(month_start, ARRAY(SELECT workflow_track.carried_events(month_start)));
	PERFORM workflow_track.drop_messages_before(month_start);
	DELETE FROM workflow_track.loop_state WHERE opened_at < month_start;
	DELETE FROM workflow_track.duplicate_state WHERE duplicate_at < month_start;
	DELETE FROM workflow_track.misrouted_state WHERE occurred_at < month_start;
	DELETE FROM workflow_track.billing_state WHERE occurred_at < month_start;
	DELETE FROM workflow_track.charge_state WHERE charged_at < month_start;
	DELETE FROM workflow_track.claim_state WHERE submitted_at < month_start;
	DELETE FROM workflow_track.missing_state WHERE occurred_at < month_start;
	DELETE FROM workflow_track.diary_page WHERE day < month_start;
	DELETE FROM workflow_track.diary_mark WHERE day < month_start;
	UPDATE workflow_track.detection_state d SET horizon = greatest(d.horizon, month_start);
	IF touched.ids IS NOT NULL THEN
		PERFORM workflow_track.touch_patients(touched.ids, touched.times, touched.links);
		PERFORM workflow_track.detect_now(true);
		PERFORM workflow_track.forget_patients(touched.ids, month_start);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.drop_before(timestamptz, boolean) IS
'drops the whole months before a moment with what was found in them; refuses while loops of theirs are open or overdue, unless forced; rollups stay';
