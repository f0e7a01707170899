CREATE FUNCTION workflow_track.map_texts(value jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE jsonb_typeof(value)
		WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(value))
		WHEN 'string' THEN ARRAY[value #>> '{}']
	END
$$;
COMMENT ON FUNCTION workflow_track.map_texts(jsonb) IS
'a text or a list of texts of a document as an array, null if it is absent';

CREATE FUNCTION workflow_track.map_detail(detail jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_object_agg(d.key, CASE jsonb_typeof(d.value) WHEN 'array' THEN d.value ELSE jsonb_build_array(d.value) END)
	FROM jsonb_each(detail) AS d
$$;
COMMENT ON FUNCTION workflow_track.map_detail(jsonb) IS
'a condition on detail with a list for every key, null if it asks for nothing';

CREATE FUNCTION workflow_track.map_store_steps(document jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.workflow_step (workflow, version, position, step, kind, performed_by, systems,
		delivered_to, required_fields, optional, repeatable, starts, ends)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, s.n, s.step ->> 'step', s.step ->> 'kind',
		coalesce(workflow_track.map_texts(s.step -> 'performed_by'), '{}'),
		coalesce(workflow_track.map_texts(s.step -> 'in'), '{}'),
		coalesce(workflow_track.map_texts(s.step -> 'delivered_to'), '{}'),
		coalesce(workflow_track.map_texts(s.step -> 'required_fields'), '{}'),
		coalesce((s.step -> 'optional')::boolean, false), coalesce((s.step -> 'repeatable')::boolean, false),
		coalesce((s.step -> 'start')::boolean, false), coalesce((s.step -> 'end')::boolean, false)
	FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n);

	INSERT INTO workflow_track.workflow_transition (workflow, version, position, from_step, to_step)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, t.n, t.transition ->> 0, t.transition ->> 1
	FROM jsonb_array_elements(document -> 'transitions') WITH ORDINALITY AS t(transition, n);
END
$$;
COMMENT ON FUNCTION workflow_track.map_store_steps(jsonb) IS 'stores the steps and transitions of a checked document';

CREATE FUNCTION workflow_track.map_store_rules(document jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.expectation (workflow, version, position, name, category, after, when_severity,
		when_facility, when_entry_method, when_code, when_detail, expect, by, correlated_by, within, early,
		cancelled_by, cancelled_by_correlation, escalate_to)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, e.n, e.rule ->> 'name', e.rule ->> 'category',
		workflow_track.map_texts(e.rule -> 'after'), workflow_track.map_texts(e.rule #> '{when,severity}'),
		workflow_track.map_texts(e.rule #> '{when,facility}'), workflow_track.map_texts(e.rule #> '{when,entry_method}'),
		workflow_track.map_code_prefix(e.rule #>> '{when,code}'), workflow_track.map_detail(e.rule #> '{when,detail}'),
		workflow_track.map_texts(e.rule -> 'expect'), coalesce(workflow_track.map_texts(e.rule -> 'by'), '{}'),
		e.rule ->> 'correlated_by', workflow_track.map_duration(e.rule ->> 'within'),
		coalesce(workflow_track.map_duration(e.rule ->> 'early'), '0'),
		ARRAY(SELECT coalesce(c ->> 'kind', c #>> '{}') FROM jsonb_array_elements(e.rule -> 'cancelled_by') AS c),
		ARRAY(SELECT coalesce(c ->> 'correlated_by', e.rule ->> 'correlated_by')
			FROM jsonb_array_elements(e.rule -> 'cancelled_by') AS c),
		e.rule ->> 'escalate_to'
	FROM jsonb_array_elements(document -> 'expectations') WITH ORDINALITY AS e(rule, n)
	ORDER BY e.n;

	INSERT INTO workflow_track.duplicate_rule (workflow, version, position, name, kind, same, different,
		when_severity, when_facility, when_entry_method, when_code, when_detail, within, action)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, d.n, d.rule ->> 'name', d.rule ->> 'kind',
		workflow_track.map_texts(d.rule -> 'same'), coalesce(workflow_track.map_texts(d.rule -> 'different'), '{}'),
		workflow_track.map_texts(d.rule #> '{when,severity}'), workflow_track.map_texts(d.rule #> '{when,facility}'),
		workflow_track.map_texts(d.rule #> '{when,entry_method}'), workflow_track.map_code_prefix(d.rule #>> '{when,code}'),
		workflow_track.map_detail(d.rule #> '{when,detail}'), workflow_track.map_duration(d.rule ->> 'within'),
		coalesce(d.rule ->> 'action', 'flag')
	FROM jsonb_array_elements(document -> 'duplicates') WITH ORDINALITY AS d(rule, n)
	ORDER BY d.n;

	INSERT INTO workflow_track.billing_rule (workflow, version, position, name, codes, documented_by,
		requires_authorization, requires_modifiers, within)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, b.n, b.rule ->> 'name',
		workflow_track.map_code_prefix(b.rule ->> 'codes'), workflow_track.map_texts(b.rule -> 'documented_by'),
		coalesce((b.rule -> 'requires_authorization')::boolean, false),
		coalesce(workflow_track.map_texts(b.rule -> 'requires_modifiers'), '{}'), workflow_track.map_duration(b.rule ->> 'within')
	FROM jsonb_array_elements(document -> 'billing') WITH ORDINALITY AS b(rule, n)
	ORDER BY b.n;

	INSERT INTO workflow_track.workflow_flow (workflow, version, position, from_system, to_system, message_types, every,
		during_days, during_from, during_until, during_timezone)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, f.n, f.flow ->> 'from', f.flow ->> 'to',
		workflow_track.map_texts(f.flow -> 'types'), workflow_track.map_duration(f.flow ->> 'every'),
		workflow_track.map_texts(f.flow #> '{during,days}'), (f.flow #>> '{during,from}')::time, (f.flow #>> '{during,until}')::time,
		f.flow #>> '{during,timezone}'
	FROM jsonb_array_elements(document -> 'flows') WITH ORDINALITY AS f(flow, n)
	ORDER BY f.n;

	INSERT INTO workflow_track.burden_limit (workflow, version, redundant_alert_within, documented_within, signed_within)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, workflow_track.map_duration(document #>> '{burden,redundant_alert_within}'),
		workflow_track.map_duration(document #>> '{burden,documented_within}'), workflow_track.map_duration(document #>> '{burden,signed_within}')
	WHERE document ? 'burden';
END
$$;
COMMENT ON FUNCTION workflow_track.map_store_rules(jsonb) IS
'stores the expectations, duplicate rules, billing rules, flows and limits of a checked document';

CREATE FUNCTION workflow_track.define_workflow(document jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	named CONSTANT text COLLATE "C" := define_workflow.document ->> 'workflow';
	numbered integer;
	fault workflow_track.map_fault;
	stored record;
BEGIN
	FOR fault IN SELECT * FROM workflow_track.map_part_faults(define_workflow.document, '$', 'document', define_workflow.document)
	LOOP
		RAISE EXCEPTION 'invalid workflow document' USING
			ERRCODE = 'invalid_parameter_value', DETAIL = fault.path || ': ' || fault.problem, HINT = fault.hint;
	END LOOP;
	numbered := (define_workflow.document ->> 'version')::integer;

	-- One change of maps at a time.
	LOCK TABLE workflow_track.workflow IN SHARE ROW EXCLUSIVE MODE;
	SELECT w.state, w.document INTO stored
	FROM workflow_track.workflow AS w WHERE w.workflow = named AND w.version = numbered;
	IF stored.document = define_workflow.document THEN
		RETURN;
	ELSIF stored.state <> 'draft' THEN
		RAISE EXCEPTION 'workflow "%" version % already exists', named, numbered USING
			ERRCODE = 'unique_violation',
			DETAIL = format('It is %s with another document, and only a draft can be replaced.', stored.state),
			HINT = 'Define the next version, or change the state alone with workflow_track.set_workflow_state().';
	END IF;

	-- The version comes as a draft and changes its state last, when its rules are there.
	DELETE FROM workflow_track.workflow AS w WHERE w.workflow = named AND w.version = numbered;
	INSERT INTO workflow_track.workflow (workflow, version, state, document)
	VALUES (named, numbered, 'draft', define_workflow.document);
	PERFORM workflow_track.map_store_steps(define_workflow.document);
	PERFORM workflow_track.map_store_rules(define_workflow.document);
	PERFORM workflow_track.set_workflow_state(named, numbered, coalesce(define_workflow.document ->> 'state', 'draft'));
END
$$;
COMMENT ON FUNCTION workflow_track.define_workflow(jsonb) IS
'stores one version of a workflow map, whole or not at all; docs/map.md has its keys';

CREATE FUNCTION workflow_track.set_workflow_state(workflow text, version integer, state text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	named CONSTANT text COLLATE "C" := set_workflow_state.workflow;
	numbered CONSTANT integer := set_workflow_state.version;
	target_state CONSTANT text COLLATE "C" := set_workflow_state.state;
	old_state text;
BEGIN
	IF target_state IS NULL OR target_state <> ALL (workflow_track.map_words('state')) THEN
		RAISE EXCEPTION 'invalid workflow state: "%"', target_state USING
			ERRCODE = 'invalid_parameter_value', HINT = (workflow_track.map_form('state')).hint;
	END IF;

	LOCK TABLE workflow_track.workflow IN SHARE ROW EXCLUSIVE MODE;
	SELECT w.state INTO old_state
	FROM workflow_track.workflow AS w WHERE w.workflow = named AND w.version = numbered;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'workflow "%" version % does not exist', named, numbered USING
			ERRCODE = 'undefined_object', HINT = 'Table workflow_track.workflow lists the versions.';
	ELSIF old_state = target_state THEN
		RETURN;
	ELSIF target_state = 'draft' THEN
		RAISE EXCEPTION 'workflow "%" version % is no draft any more', named, numbered USING
			ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = format('It is %s. A draft can be replaced, but a version that was put to use is a record.', old_state),
			HINT = 'Define the next version.';
	END IF;

	IF target_state = 'current' THEN
		UPDATE workflow_track.workflow AS w
		SET state = 'retired', document = w.document || '{"state": "retired"}'
		WHERE w.workflow = named AND w.state = 'current';
	END IF;
	UPDATE workflow_track.workflow AS w
	SET state = target_state, document = w.document || jsonb_build_object('state', target_state)
	WHERE w.workflow = named AND w.version = numbered;
END
$$;
COMMENT ON FUNCTION workflow_track.set_workflow_state(text, integer, text) IS
'makes a version draft, future, current or retired; the version that was current before is then retired';

CREATE FUNCTION workflow_track.workflow_document(workflow text, version integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT w.document FROM workflow_track.workflow AS w
	WHERE w.workflow = workflow_document.workflow AND w.version = workflow_document.version
$$;
COMMENT ON FUNCTION workflow_track.workflow_document(text, integer) IS
'the document of a version as it was given, with its state of today; null if there is no such version';
