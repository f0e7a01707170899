CREATE FUNCTION workflow_track.workflow_has_run(workflow text, version integer) RETURNS boolean
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.workflow_has_run(text, integer) IS
'whether there are transitions, and a way from a step that starts a case to one that ends it';

CREATE FUNCTION workflow_track.workflow_alignment(workflow text, version integer, trace text[])
RETURNS TABLE (n integer, move text, kind text, step text, cost integer)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.workflow_alignment(text, integer, text[]) IS
'the optimal alignment of kinds of events, in order, with a version of a workflow: its moves, synchronous, skipped_step or unexpected_event';

CREATE FUNCTION workflow_track.conformance_cases(workflow text, version integer, since timestamptz, until timestamptz)
RETURNS TABLE (facility text, patient_id text, encounter_id text, started_at timestamptz, ended_at timestamptz, events integer, cost integer, fitness double precision)
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.conformance_cases(text, integer, timestamptz, timestamptz) IS
'how well cases that began in a time conform to a version of a workflow';

CREATE FUNCTION workflow_track.conformance_deviations(workflow text, version integer, since timestamptz, until timestamptz)
RETURNS TABLE (facility text, patient_id text, encounter_id text, deviation text, step text, kind text, event_id bigint, occurred_at timestamptz,
	after_event_id bigint, actor text, actor_role text, source_system text)
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.conformance_deviations(text, integer, timestamptz, timestamptz) IS
'in what cases that began in a time deviate from a version of a workflow';

CREATE FUNCTION workflow_track.deviations(workflow text, version integer, since timestamptz, until timestamptz)
RETURNS TABLE (facility text, patient_id text, encounter_id text, deviation text, step text, kind text, event_id bigint, occurred_at timestamptz,
	after_event_id bigint, actor text, actor_role text, source_system text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	is_current CONSTANT boolean := EXISTS (SELECT FROM workflow_track.workflow AS w
		WHERE w.workflow = deviations.workflow AND w.version = deviations.version AND w.state = 'current');
BEGIN
	RETURN QUERY SELECT * FROM workflow_track.conformance_deviations(deviations.workflow, deviations.version, since, until);
	-- Late is what care_loop calls late or overdue: loops of the current version are kept, those of another are looked for.
	RETURN QUERY
		WITH loop AS (
			SELECT l.expectation_id, l.facility, l.patient_id, l.encounter_id, l.opened_event_id, l.opened_at, l.due_at, l.settled_at, l.is_cancelled, l.closed_event_id, l.closed_by, l.closed_by_role
			FROM workflow_track.loop AS l WHERE is_current AND l.workflow = deviations.workflow
			UNION ALL
			SELECT v.* FROM workflow_track.version_loops(deviations.workflow, deviations.version) AS v WHERE NOT is_current)
		SELECT l.facility, l.patient_id, l.encounter_id, 'late_step', s.step, s.kind, c.event_id, c.at, l.opened_event_id, c.actor, c.role, NULL::text
		FROM loop AS l JOIN workflow_track.expectation AS x USING (expectation_id)
			LEFT JOIN LATERAL (SELECT l.closed_event_id AS event_id, l.settled_at AS at, l.closed_by AS actor, l.closed_by_role AS role WHERE l.settled_at <= now()) AS c ON true
			CROSS JOIN LATERAL (SELECT t.step, t.kind FROM workflow_track.workflow_step AS t
				WHERE t.workflow = x.workflow AND t.version = x.version AND t.kind = ANY (x.expect) ORDER BY t.position LIMIT 1) AS s
		WHERE x.version = deviations.version AND l.encounter_id IS NOT NULL
			AND l.opened_at <= now() AND l.due_at <= now() AND l.settled_at > l.due_at AND NOT (l.is_cancelled AND l.settled_at <= now())
			AND l.opened_at >= coalesce(since, '-infinity') AND l.opened_at < coalesce(until, 'infinity');
END
$$;
COMMENT ON FUNCTION workflow_track.deviations(text, integer, timestamptz, timestamptz) IS
'in what cases deviate from a version of a workflow, and which of its steps came late';

CREATE FUNCTION workflow_track.deviation_summary(workflow text, version integer, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL)
RETURNS TABLE (deviation text, step text, kind text, deviations bigint, cases bigint, share double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT d.deviation, d.step, d.kind, count(*), count(DISTINCT (d.patient_id, d.encounter_id)),
		count(DISTINCT (d.patient_id, d.encounter_id))::double precision / (
			SELECT nullif(count(*), 0) FROM workflow_track.conformance_cases(deviation_summary.workflow, deviation_summary.version, since, until) AS c
			WHERE deviation_summary.facility IS NULL OR c.facility = deviation_summary.facility)
	FROM workflow_track.deviations(deviation_summary.workflow, deviation_summary.version, since, until) AS d
	WHERE deviation_summary.facility IS NULL OR d.facility = deviation_summary.facility
	GROUP BY d.deviation, d.step, d.kind ORDER BY 5 DESC, 1, 2, 3;
END
$$;
COMMENT ON FUNCTION workflow_track.deviation_summary(text, integer, timestamptz, timestamptz, text) IS
'how often encounters that began in a time at a facility deviate from a version of a workflow, by step';
