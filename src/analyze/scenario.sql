-- Acceptance scenarios: a patient's story as it should go, told to the database before people rely on it.

CREATE FUNCTION workflow_track.define_scenario(document jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	fault workflow_track.map_fault;
BEGIN
	FOR fault IN SELECT * FROM workflow_track.map_part_faults(document, '$', 'scenario', document) LOOP
		RAISE EXCEPTION 'invalid scenario' USING
			ERRCODE = 'invalid_parameter_value', DETAIL = fault.path || ': ' || fault.problem, HINT = fault.hint;
	END LOOP;
	-- A time limit counts from a step that has been.
	FOR fault IN
		SELECT format('$.steps[%s].of', s.n - 1), workflow_track.map_excerpt(s.step -> 'of') || ' does not come before this step.', 'Name an earlier step.'
		FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n)
		WHERE s.step ? 'of' AND NOT EXISTS (SELECT FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS e(step, n) WHERE e.n < s.n AND e.step -> 'step' = s.step -> 'of')
	LOOP
		RAISE EXCEPTION 'invalid scenario' USING
			ERRCODE = 'invalid_parameter_value', DETAIL = fault.path || ': ' || fault.problem, HINT = fault.hint;
	END LOOP;
	INSERT INTO workflow_track.scenario AS s (scenario, document) VALUES (document ->> 'scenario', document)
		ON CONFLICT (scenario) DO UPDATE SET document = excluded.document, defined_at = now() WHERE s.document <> excluded.document;
END
$$;
COMMENT ON FUNCTION workflow_track.define_scenario(jsonb) IS
'stores a scenario, in the place of one of its name: expected steps, and what must not happen';

CREATE FUNCTION workflow_track.scenario_document(scenario text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	document jsonb := (SELECT s.document FROM workflow_track.scenario AS s WHERE s.scenario = scenario_document.scenario);
BEGIN
	IF document IS NULL THEN
		RAISE EXCEPTION 'scenario "%" does not exist', scenario USING
			ERRCODE = 'undefined_object', HINT = 'Table workflow_track.scenario lists them.';
	END IF;
	RETURN document;
END
$$;
COMMENT ON FUNCTION workflow_track.scenario_document(text) IS 'the document of a scenario; an error if there is none';

CREATE FUNCTION workflow_track.check_scenario(scenario text, patient_id text, encounter_id text DEFAULT NULL, since timestamptz DEFAULT NULL)
RETURNS TABLE (n integer, step text, kind text, ok boolean, problem text, event_id bigint, occurred_at timestamptz, explanation text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	document CONSTANT jsonb := workflow_track.scenario_document(scenario);
	moment jsonb;
	rule jsonb;
	met record;
	previous text;
	start_of text;
	latest bigint := 0;
	places jsonb := '{}';
	times jsonb := '{}';
BEGIN
	n := 0;
	FOR moment IN SELECT s.step FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n) ORDER BY s.n LOOP
		n := n + 1;
		step := moment ->> 'step';
		kind := moment ->> 'kind';
		start_of := coalesce(moment ->> 'of', previous);
		-- The first event that is as it should be, else the first of the kind.
		SELECT e.*, CASE
				WHEN moment -> 'performed_by' <> '[]' AND NOT coalesce(moment -> 'performed_by' ? e.role, false) THEN 'wrong_role'
				WHEN moment -> 'in' <> '[]' AND NOT coalesce(moment -> 'in' ? e.source_system, false) THEN 'wrong_system'
				WHEN moment -> 'delivered_to' <> '[]' AND NOT coalesce(moment -> 'delivered_to' ? e.reader_role, false) THEN 'wrong_recipient'
				WHEN moment ? 'within' AND e.occurred_at > (times ->> start_of)::timestamptz + workflow_track.map_duration(moment ->> 'within') THEN 'late'
			END AS fault
			INTO met
			FROM workflow_track.scenario_events(check_scenario.patient_id, check_scenario.encounter_id, since) AS e
			WHERE e.kind = moment ->> 'kind' AND e.place > latest
			ORDER BY CASE
				WHEN moment -> 'performed_by' <> '[]' AND NOT coalesce(moment -> 'performed_by' ? e.role, false) THEN 1
				WHEN moment -> 'in' <> '[]' AND NOT coalesce(moment -> 'in' ? e.source_system, false) THEN 1
				WHEN moment -> 'delivered_to' <> '[]' AND NOT coalesce(moment -> 'delivered_to' ? e.reader_role, false) THEN 1
				ELSE 0 END, e.place
			LIMIT 1;
		IF NOT FOUND THEN
			problem := 'missing';
			event_id := NULL;
			occurred_at := NULL;
			explanation := format('no %s%s', kind, ' after ' || previous);
		ELSE
			problem := met.fault;
			event_id := met.event_id;
			occurred_at := met.occurred_at;
			latest := met.place;
			places := places || jsonb_build_object(step, met.place);
			times := times || jsonb_build_object(step, met.occurred_at);
			explanation := CASE problem
				WHEN 'wrong_role' THEN format('done by %s, not by %s', coalesce(met.role, 'somebody of no known role'), workflow_track.spoken_list(moment -> 'performed_by'))
				WHEN 'wrong_system' THEN format('done in %s, not in %s', coalesce(met.source_system, 'no named system'), workflow_track.spoken_list(moment -> 'in'))
				WHEN 'wrong_recipient' THEN format('directed to %s, not to %s', coalesce(met.reader_role, 'somebody of no known role'), workflow_track.spoken_list(moment -> 'delivered_to'))
				WHEN 'late' THEN format('%s after %s, not within %s', met.occurred_at - (times ->> start_of)::timestamptz, start_of, moment ->> 'within') END;
			previous := step;
		END IF;
		ok := problem IS NULL;
		RETURN NEXT;
	END LOOP;
	FOR rule IN SELECT r.rule FROM jsonb_array_elements(document -> 'never') WITH ORDINALITY AS r(rule, n) ORDER BY r.n LOOP
		n := n + 1;
		step := NULL;
		kind := rule ->> 'kind';
		-- Of a step that did not come, there is nothing after, and everything before.
		SELECT e.* INTO met
			FROM workflow_track.scenario_events(check_scenario.patient_id, check_scenario.encounter_id, since) AS e
			WHERE e.kind = rule ->> 'kind' AND (NOT rule ? 'after' OR e.place > (places ->> (rule ->> 'after'))::bigint)
				AND (NOT rule ? 'before' OR NOT coalesce(e.place >= (places ->> (rule ->> 'before'))::bigint, false))
			ORDER BY e.place LIMIT 1;
		ok := NOT FOUND;
		problem := CASE WHEN FOUND THEN 'happened' END;
		event_id := met.event_id;
		occurred_at := met.occurred_at;
		explanation := CASE WHEN FOUND THEN
			format('%s must not happen%s', kind, array_to_string(ARRAY[' after ' || (rule ->> 'after'), ' before ' || (rule ->> 'before')], ' and')) END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.check_scenario(text, text, text, timestamptz) IS
'whether the events of a patient (of an encounter, since a moment) are those of a scenario: a row a step and a row for what must not happen';

CREATE FUNCTION workflow_track.spoken_list(names jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(name, ' or ') FROM jsonb_array_elements_text(names) AS n(name)
$$;
COMMENT ON FUNCTION workflow_track.spoken_list(jsonb) IS 'part of check_scenario(): a list of names in words';

CREATE FUNCTION workflow_track.scenario_events(patient_id text, encounter_id text, since timestamptz)
RETURNS TABLE (place bigint, event_id bigint, occurred_at timestamptz, kind text, source_system text, role text, reader_role text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT row_number() OVER (ORDER BY e.occurred_at, e.source_sequence, e.kind, e.subject NULLS FIRST, e.item NULLS FIRST, e.code::text COLLATE "C" NULLS FIRST,
			e.value NULLS FIRST, e.source_system NULLS FIRST, e.actor NULLS FIRST, e.event_id),
		e.event_id, e.occurred_at, e.kind, e.source_system,
		coalesce(e.actor_role, workflow_track.role_in_staff(e.actor, e.facility, e.source_system, e.occurred_at)),
		coalesce(e.recipient_role, workflow_track.role_in_staff(e.recipient, e.facility, e.source_system, e.occurred_at))
	FROM workflow_track.event_history AS e
	WHERE e.patient_id = scenario_events.patient_id AND e.retracted_at IS NULL
		AND (scenario_events.encounter_id IS NULL OR e.encounter_id = scenario_events.encounter_id) AND (since IS NULL OR e.occurred_at >= since);
END
$$;
COMMENT ON FUNCTION workflow_track.scenario_events(text, text, timestamptz) IS 'part of check_scenario(): the events of a patient in canonical order, with roles';

CREATE FUNCTION workflow_track.role_in_staff(actor text, facility text, source_system text, at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT s.role FROM workflow_track.staff AS s
		WHERE s.actor = role_in_staff.actor AND coalesce(s.active_during @> at, true)
		ORDER BY coalesce(s.facility = role_in_staff.facility, false) DESC, coalesce(s.system = role_in_staff.source_system, false) DESC, s.role NULLS LAST
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION workflow_track.role_in_staff(text, text, text, timestamptz) IS
'part of check_scenario(): the role that staff gives an actor, of an event that states none';

CREATE FUNCTION workflow_track.scenario_tap(scenario text, patient_id text, encounter_id text DEFAULT NULL, since timestamptz DEFAULT NULL) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH result AS MATERIALIZED (SELECT * FROM workflow_track.check_scenario(scenario, patient_id, encounter_id, since))
	SELECT l.line FROM (
		SELECT 0 AS n, 0 AS part, '1..' || count(*) AS line FROM result
		UNION ALL SELECT r.n, 0, format('%sok %s - %s', CASE WHEN NOT r.ok THEN 'not ' END, r.n, coalesce(r.step, 'never ' || r.kind)) FROM result AS r
		UNION ALL SELECT r.n, 1, '# ' || r.explanation FROM result AS r WHERE NOT r.ok) AS l
	ORDER BY l.n, l.part
$$;
COMMENT ON FUNCTION workflow_track.scenario_tap(text, text, text, timestamptz) IS
'check_scenario() in the Test Anything Protocol, a line a row';

CREATE FUNCTION workflow_track.scenario_coverage(workflow text, version integer)
RETURNS TABLE (part text, from_step text, to_step text, scenarios text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	IF NOT EXISTS (SELECT FROM workflow_track.workflow AS w WHERE w.workflow = scenario_coverage.workflow AND w.version = scenario_coverage.version) THEN
		RAISE EXCEPTION 'workflow "%" version % does not exist', workflow, version USING
			ERRCODE = 'undefined_object', HINT = 'Table workflow_track.workflow lists the versions.';
	END IF;
	RETURN QUERY
	WITH step AS MATERIALIZED (SELECT s.* FROM workflow_track.workflow_step AS s WHERE s.workflow = scenario_coverage.workflow AND s.version = scenario_coverage.version),
	-- What scenarios of this workflow, or of none in particular, tell of the kinds of its steps.
	told AS MATERIALIZED (
		SELECT c.scenario, m.moment ->> 'kind' AS kind, lead(m.moment ->> 'kind') OVER (PARTITION BY c.scenario ORDER BY m.n) AS next
		FROM workflow_track.scenario AS c CROSS JOIN LATERAL jsonb_array_elements(c.document -> 'steps') WITH ORDINALITY AS m(moment, n)
		WHERE coalesce(c.document ->> 'workflow', scenario_coverage.workflow) = scenario_coverage.workflow
			AND EXISTS (SELECT FROM step AS s WHERE s.kind = m.moment ->> 'kind'))
	SELECT x.part, x.from_step, x.to_step, x.scenarios FROM (
		SELECT 'step' AS part, s.step AS from_step, NULL::text AS to_step, s.position,
			ARRAY(SELECT DISTINCT t.scenario FROM told AS t WHERE t.kind = s.kind ORDER BY 1) AS scenarios FROM step AS s
		UNION ALL
		SELECT 'transition', t.from_step, t.to_step, t.position,
			ARRAY(SELECT DISTINCT o.scenario FROM told AS o WHERE (o.kind, o.next) = (f.kind, g.kind) ORDER BY 1)
		FROM workflow_track.workflow_transition AS t JOIN step AS f ON f.step = t.from_step JOIN step AS g ON g.step = t.to_step
		WHERE t.workflow = scenario_coverage.workflow AND t.version = scenario_coverage.version) AS x
	ORDER BY x.part, x.position;
END
$$;
COMMENT ON FUNCTION workflow_track.scenario_coverage(text, integer) IS
'which scenarios go through each step and transition of a version of a workflow; none is a path that no scenario takes';

CREATE FUNCTION workflow_track.play_scenario(scenario text, patient_id text DEFAULT NULL, start timestamptz DEFAULT NULL)
RETURNS TABLE (step text, event_id bigint, occurred_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	document CONSTANT jsonb := workflow_track.scenario_document(scenario);
	patient CONSTANT text := btrim(coalesce(play_scenario.patient_id, 'REHEARSAL ' || scenario));
	ids CONSTANT text[] := workflow_track.merged_patient_ids(patient, '{}');
	visit CONSTANT text := format('REHEARSAL %s', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'));
	facility CONSTANT text := coalesce(document ->> 'facility', '');
	moment jsonb;
	times jsonb := '{}';
	previous text;
	player record;
	reader record;
BEGIN
	-- A row of test_patient hides whoever merges join with it.
	IF EXISTS (SELECT FROM workflow_track.event AS e WHERE e.patient_id = ANY (ids))
		AND NOT EXISTS (SELECT FROM workflow_track.test_patient AS t WHERE t.patient_id = ANY (ids)) THEN
		RAISE EXCEPTION 'scenarios are played for test patients alone' USING
			ERRCODE = 'invalid_parameter_value', DETAIL = 'Of this patient, under an id or another, events are recorded, and there is no row of test_patient.',
			HINT = 'Leave patient_id out, or name a patient of whom nothing is recorded.';
	END IF;
	INSERT INTO workflow_track.test_patient (patient_id) VALUES (patient) ON CONFLICT DO NOTHING;
	-- Half of what is allowed passes before each step, a minute where nothing is said.
	occurred_at := coalesce(start, now() - (
		SELECT sum(coalesce(workflow_track.map_duration(s.step ->> 'within') / 2, interval '1 minute')) FROM jsonb_array_elements(document -> 'steps') AS s(step)));
	FOR moment IN SELECT s.step FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n) ORDER BY s.n LOOP
		step := moment ->> 'step';
		IF previous IS NOT NULL THEN
			occurred_at := greatest(occurred_at + interval '1 microsecond',
				coalesce((times ->> coalesce(moment ->> 'of', previous))::timestamptz, occurred_at) + coalesce(workflow_track.map_duration(moment ->> 'within') / 2, interval '1 minute'));
		END IF;
		SELECT * INTO player FROM workflow_track.player_of(moment -> 'performed_by', facility, occurred_at);
		SELECT * INTO reader FROM workflow_track.player_of(moment -> 'delivered_to', facility, occurred_at);
		event_id := workflow_track.record_event(moment ->> 'kind', patient, coalesce(moment #>> '{in,0}', 'REHEARSAL'), occurred_at, facility => facility,
			encounter_id => visit, subject => visit, actor => player.actor, actor_role => player.role, recipient => reader.actor, recipient_role => reader.role);
		times := times || jsonb_build_object(step, occurred_at);
		previous := step;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.play_scenario(text, text, timestamptz) IS
'records the events of a scenario for a test patient, so that a site rehearses its reports; they are in no report unless workflow_track.test_patients is on';

CREATE FUNCTION workflow_track.player_of(roles jsonb, facility text, at timestamptz, OUT actor text, OUT role text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	role := roles ->> 0;
	IF role IS NULL THEN
		RETURN;
	END IF;
	-- Somebody of the facility's own first; where nobody has the role, it is stated.
	actor := (SELECT s.actor FROM workflow_track.staff AS s
		WHERE s.role = player_of.role AND NOT s.is_shared_inbox AND coalesce(s.active_during @> at, true) AND coalesce(s.facility = player_of.facility, true)
		ORDER BY s.facility NULLS LAST, s.actor LIMIT 1);
	actor := coalesce(actor, 'REHEARSAL ' || role);
END
$$;
COMMENT ON FUNCTION workflow_track.player_of(jsonb, text, timestamptz) IS 'part of play_scenario(): who does something in a role';

CREATE FUNCTION workflow_track.setup_scenario() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.scenario (
		scenario text COLLATE "C" PRIMARY KEY,
		document jsonb NOT NULL,
		defined_at timestamptz NOT NULL DEFAULT now()
	);
	COMMENT ON TABLE workflow_track.scenario IS 'acceptance scenarios: how a patient''s story should go; define_scenario() writes it';
	PERFORM workflow_track.comment_columns('scenario', 'scenario', 'the name', 'document', 'steps, and what must not happen', 'defined_at', 'when it was stored');
	GRANT SELECT ON workflow_track.scenario TO workflow_track_admin, workflow_track_analyst;
	GRANT DELETE ON workflow_track.scenario TO workflow_track_admin;
	GRANT EXECUTE ON FUNCTION workflow_track.define_scenario(jsonb), workflow_track.play_scenario(text, text, timestamptz) TO workflow_track_admin;
	GRANT EXECUTE ON FUNCTION workflow_track.check_scenario(text, text, text, timestamptz), workflow_track.scenario_tap(text, text, text, timestamptz),
		workflow_track.scenario_coverage(text, integer), workflow_track.scenario_document(text), workflow_track.scenario_events(text, text, timestamptz),
		workflow_track.spoken_list(jsonb), workflow_track.map_duration(text), workflow_track.role_in_staff(text, text, text, timestamptz) TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_scenario() IS 'part of setup(): acceptance scenarios';
