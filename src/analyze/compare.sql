-- Two versions of the map, in the words of a meeting that decides on them.

CREATE FUNCTION workflow_track.existing_document(workflow text, version integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	document CONSTANT jsonb := workflow_track.workflow_document(workflow, version);
BEGIN
	IF document IS NULL THEN
		RAISE EXCEPTION 'workflow "%" version % does not exist', workflow, version USING
			ERRCODE = 'undefined_object', HINT = 'Table workflow_track.workflow lists the versions.';
	END IF;
	RETURN document;
END
$$;
COMMENT ON FUNCTION workflow_track.existing_document(text, integer) IS
'the document of a version; an error if there is no such version';

CREATE FUNCTION workflow_track.duration_in_words(duration interval) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(string_agg(trim_scale(u.n) || ' ' || u.unit || CASE WHEN u.n = 1 THEN '' ELSE 's' END, ' ' ORDER BY u.place), '0 seconds')
	FROM (SELECT extract(epoch FROM duration) AS s) AS d
	-- Two days and more are told in days where they are whole.
	CROSS JOIN LATERAL (SELECT d.s >= 172800 AND d.s % 86400 = 0 AS whole_days) AS w
	CROSS JOIN LATERAL (VALUES
		(1, 'day', CASE WHEN w.whole_days THEN d.s / 86400 END),
		(2, 'hour', CASE WHEN NOT w.whole_days THEN floor(d.s / 3600) END),
		(3, 'minute', CASE WHEN NOT w.whole_days THEN floor(d.s % 3600 / 60) END),
		(4, 'second', CASE WHEN NOT w.whole_days THEN d.s % 60 END)) AS u(place, unit, n)
	WHERE u.n > 0
$$;
COMMENT ON FUNCTION workflow_track.duration_in_words(interval) IS
'a duration of the map as people say it, and as a document may have it';

CREATE FUNCTION workflow_track.conditions_in_words(severity text[], facility text[], entry_method text[], code text, detail jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(string_agg(c.words, '; ' ORDER BY c.place, c.words COLLATE "C"), 'any')
	FROM (
		VALUES (1, 'severity ' || (SELECT string_agg(s, ' or ' ORDER BY s COLLATE "C") FROM unnest(severity) AS s)),
			(2, 'facility ' || (SELECT string_agg(to_json(f)::text, ' or ' ORDER BY f COLLATE "C") FROM unnest(facility) AS f)),
			(3, 'entry method ' || (SELECT string_agg(m, ' or ' ORDER BY m COLLATE "C") FROM unnest(entry_method) AS m)),
			(4, 'code ' || code || '...')
		UNION ALL
		SELECT 5, 'detail ' || d.key || ' '
			|| (SELECT string_agg(v::text, ' or ' ORDER BY v::text COLLATE "C") FROM jsonb_array_elements(d.value) AS v)
		FROM jsonb_each(detail) AS d) AS c(place, words)
$$;
COMMENT ON FUNCTION workflow_track.conditions_in_words(text[], text[], text[], text, jsonb) IS
'the conditions of a rule as people say them';

-- What a version consists of.  Each fact is a list of the property's name, its value or values, and what none of them means.
CREATE FUNCTION workflow_track.map_things(workflow text, version integer)
RETURNS TABLE (part text, name text, is_named boolean, "position" integer, facts jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS (
		SELECT s.* FROM workflow_track.workflow_step AS s
		WHERE s.workflow = map_things.workflow AND s.version = map_things.version),
	expectation AS (
		SELECT e.* FROM workflow_track.expectation AS e
		WHERE e.workflow = map_things.workflow AND e.version = map_things.version)
	SELECT DISTINCT 'role', r.role, true, 0, '[]'::jsonb
	FROM (SELECT unnest(s.performed_by || s.delivered_to) FROM step AS s
		UNION SELECT unnest(e.by || e.escalate_to) FROM expectation AS e) AS r(role)
	WHERE r.role IS NOT NULL
	UNION ALL
	SELECT DISTINCT 'system', r.system, true, 0, '[]'::jsonb
	FROM step AS s CROSS JOIN LATERAL unnest(s.systems) AS r(system)
	UNION ALL
	SELECT 'step', s.step, true, s.position, jsonb_build_array(
		jsonb_build_array('kind', s.kind),
		jsonb_build_array('performed by', s.performed_by, 'anybody'),
		jsonb_build_array('entered in', s.systems, 'any system'),
		jsonb_build_array('delivered to', s.delivered_to, 'anybody'),
		jsonb_build_array('required fields', s.required_fields, 'none'),
		jsonb_build_array('optional', CASE WHEN s.optional THEN 'yes' ELSE 'no' END),
		jsonb_build_array('repeatable', CASE WHEN s.repeatable THEN 'yes' ELSE 'no' END),
		jsonb_build_array('may begin a case', CASE WHEN s.starts THEN 'yes' ELSE 'no' END),
		jsonb_build_array('may end a case', CASE WHEN s.ends THEN 'yes' ELSE 'no' END))
	FROM step AS s
	UNION ALL
	SELECT 'expectation', e.name, true, e.position, jsonb_build_array(
		jsonb_build_array('category', e.category),
		jsonb_build_array('after', e.after),
		jsonb_build_array('when', workflow_track.conditions_in_words(e.when_severity, e.when_facility, e.when_entry_method, e.when_code, e.when_detail)),
		jsonb_build_array('expected', e.expect),
		jsonb_build_array('by', e.by, 'anybody'),
		jsonb_build_array('correlated by', e.correlated_by),
		jsonb_build_array('time allowed', workflow_track.duration_in_words(e.within)),
		jsonb_build_array('answer may be early by', workflow_track.duration_in_words(e.early)),
		jsonb_build_array('cancelled by', (SELECT coalesce(jsonb_agg(c.kind || ' (same ' || c.correlation || ')'), '[]')
			FROM unnest(e.cancelled_by, e.cancelled_by_correlation) AS c(kind, correlation)), 'nothing'),
		jsonb_build_array('escalated to', array_remove(ARRAY[e.escalate_to], NULL), 'nobody'))
	FROM expectation AS e
	UNION ALL
	SELECT 'duplicate rule', coalesce(d.name, d.kind), d.name IS NOT NULL, d.position, jsonb_build_array(
		jsonb_build_array('kind', d.kind),
		jsonb_build_array('same', d.same),
		jsonb_build_array('different', d.different, 'none'),
		jsonb_build_array('when', workflow_track.conditions_in_words(d.when_severity, d.when_facility, d.when_entry_method, d.when_code, d.when_detail)),
		jsonb_build_array('within', workflow_track.duration_in_words(d.within)),
		jsonb_build_array('action', d.action))
	FROM workflow_track.duplicate_rule AS d
	WHERE d.workflow = map_things.workflow AND d.version = map_things.version
	UNION ALL
	SELECT 'billing rule', coalesce(b.name, b.codes), b.name IS NOT NULL, b.position, jsonb_build_array(
		jsonb_build_array('codes', b.codes),
		jsonb_build_array('documented by', b.documented_by),
		jsonb_build_array('requires authorization', CASE WHEN b.requires_authorization THEN 'yes' ELSE 'no' END),
		jsonb_build_array('requires modifiers', b.requires_modifiers, 'none'),
		jsonb_build_array('within', workflow_track.duration_in_words(b.within)))
	FROM workflow_track.billing_rule AS b
	WHERE b.workflow = map_things.workflow AND b.version = map_things.version
	UNION ALL
	SELECT 'flow', f.from_system || ' to ' || f.to_system, false, f.position, jsonb_build_array(
		jsonb_build_array('types', f.message_types),
		jsonb_build_array('longest silence', array_remove(ARRAY[workflow_track.duration_in_words(f.every)], NULL), 'not judged'),
		jsonb_build_array('judged on', coalesce(f.during_days, '{}'), 'every day'),
		jsonb_build_array('judged from', array_remove(ARRAY[f.during_from::text || ' to ' || f.during_until::text || ' ' || f.during_timezone], NULL), 'always'))
	FROM workflow_track.workflow_flow AS f
	WHERE f.workflow = map_things.workflow AND f.version = map_things.version
	UNION ALL
	SELECT 'limit', l.name, true, l.position, jsonb_build_array(jsonb_build_array(l.property, workflow_track.duration_in_words(l.within)))
	FROM workflow_track.burden_limit AS b CROSS JOIN LATERAL (VALUES (1, 'alert', 'redundant within', b.redundant_alert_within), (2, 'documentation', 'documented within', b.documented_within),
		(3, 'note', 'signed within', b.signed_within)) AS l(position, name, property, within)
	WHERE b.workflow = map_things.workflow AND b.version = map_things.version AND l.within IS NOT NULL
$$;
COMMENT ON FUNCTION workflow_track.map_things(text, integer) IS
'part of compare_workflows(): the roles, systems, steps and rules of a version, each with what is said of it';

CREATE FUNCTION workflow_track.fact_in_words(fact jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE jsonb_typeof(fact -> 1)
		WHEN 'array' THEN coalesce((
			SELECT string_agg(CASE WHEN v LIKE '%,%' OR v = fact ->> 2 THEN to_json(v)::text ELSE v END, ', ' ORDER BY v COLLATE "C")
			FROM jsonb_array_elements_text(fact -> 1) AS v), fact ->> 2)
		ELSE fact ->> 1
	END
$$;
COMMENT ON FUNCTION workflow_track.fact_in_words(jsonb) IS
'part of compare_workflows(): the value of a fact, a list in alphabetical order';

CREATE FUNCTION workflow_track.facts_in_words(facts jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg((f.fact ->> 0) || ' ' || workflow_track.fact_in_words(f.fact), '; ' ORDER BY f.n)
	FROM jsonb_array_elements(facts) WITH ORDINALITY AS f(fact, n)
$$;
COMMENT ON FUNCTION workflow_track.facts_in_words(jsonb) IS
'part of compare_workflows(): all that is said of a thing; null of a role or a system, which are only there';

CREATE FUNCTION workflow_track.change_in_words(was jsonb, becomes jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN jsonb_typeof(was -> 1) = 'array' AND was -> 1 <> '[]' AND becomes -> 1 <> '[]' THEN
			concat_ws('; ',
				(SELECT string_agg(v, ', ' ORDER BY v COLLATE "C") FROM jsonb_array_elements_text(becomes -> 1) AS v WHERE NOT was -> 1 ? v) || ' is new',
				(SELECT string_agg(v, ', ' ORDER BY v COLLATE "C") FROM jsonb_array_elements_text(was -> 1) AS v WHERE NOT becomes -> 1 ? v) || ' is gone')
		ELSE 'was ' || workflow_track.fact_in_words(was) || ', becomes ' || workflow_track.fact_in_words(becomes)
	END
$$;
COMMENT ON FUNCTION workflow_track.change_in_words(jsonb, jsonb) IS
'part of compare_workflows(): how a fact changes; of lists, what comes and what goes';

CREATE FUNCTION workflow_track.compare_workflows(a text, a_version integer, b text, b_version integer)
RETURNS TABLE (part text, change text, name text, property text, was text, becomes text, sentence text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM workflow_track.existing_document(a, a_version), workflow_track.existing_document(b, b_version);
	RETURN QUERY
	WITH before AS MATERIALIZED (SELECT t.*, workflow_track.facts_in_words(t.facts) AS words FROM workflow_track.map_things(a, a_version) AS t),
	after AS MATERIALIZED (SELECT t.*, workflow_track.facts_in_words(t.facts) AS words FROM workflow_track.map_things(b, b_version) AS t),
	-- Rules without a name are told apart by number: first those that both versions have.
	numbered_before AS MATERIALIZED (
		SELECT o.*, CASE WHEN NOT o.is_named THEN row_number() OVER (PARTITION BY o.part, o.name, o.is_named
			ORDER BY NOT EXISTS (SELECT FROM after AS n WHERE NOT n.is_named AND (n.part, n.words) = (o.part, o.words)), o.words, o.position) END AS number
		FROM before AS o),
	numbered_after AS MATERIALIZED (
		SELECT n.*, CASE WHEN NOT n.is_named THEN row_number() OVER (PARTITION BY n.part, n.name, n.is_named
			ORDER BY NOT EXISTS (SELECT FROM before AS o WHERE NOT o.is_named AND (o.part, o.words) = (n.part, n.words)), n.words, n.position) END AS number
		FROM after AS n),
	-- What has gone or come by its name: a step may be known by its kind, a rule by all that it says.
	gone AS MATERIALIZED (
		SELECT o.*, CASE o.part WHEN 'step' THEN o.facts #>> '{0,1}' ELSE o.words END AS known_by FROM numbered_before AS o
		WHERE o.words IS NOT NULL AND NOT EXISTS (SELECT FROM numbered_after AS n
			WHERE (n.part, n.name, n.is_named) = (o.part, o.name, o.is_named) AND n.number IS NOT DISTINCT FROM o.number)),
	come AS MATERIALIZED (
		SELECT n.*, CASE n.part WHEN 'step' THEN n.facts #>> '{0,1}' ELSE n.words END AS known_by FROM numbered_after AS n
		WHERE n.words IS NOT NULL AND NOT EXISTS (SELECT FROM numbered_before AS o
			WHERE (o.part, o.name, o.is_named) = (n.part, n.name, n.is_named) AND o.number IS NOT DISTINCT FROM n.number)),
	renamed AS MATERIALIZED (
		SELECT o.part, min(o.name) AS old_name, bool_and(o.is_named) AS old_is_named, min(o.number) AS old_number,
			min(n.name) AS new_name, bool_and(n.is_named) AS new_is_named, min(n.number) AS new_number
		FROM gone AS o JOIN come AS n USING (part, known_by)
		GROUP BY o.part, o.known_by HAVING count(*) = 1),
	known AS MATERIALIZED (
		SELECT o.part, o.name AS old_name, coalesce(r.new_name, o.name) AS name, coalesce(r.new_is_named, o.is_named) AS is_named,
			CASE WHEN r.part IS NULL THEN o.number ELSE r.new_number END AS number, o.facts, o.words, o.position
		FROM numbered_before AS o
		LEFT JOIN renamed AS r ON (r.part, r.old_name, r.old_is_named) = (o.part, o.name, o.is_named) AND r.old_number IS NOT DISTINCT FROM o.number),
	paired AS MATERIALIZED (
		SELECT coalesce(o.part, n.part) AS part, coalesce(n.name, o.name) AS name, o.old_name, o.facts AS old_facts, n.facts AS new_facts,
			o.words AS old_words, n.words AS new_words, o.name IS NOT NULL AS was_there, n.name IS NOT NULL AS is_there, coalesce(n.position, o.position) AS position
		FROM known AS o
		FULL JOIN numbered_after AS n ON n.part = o.part AND n.name = o.name AND n.is_named = o.is_named AND coalesce(n.number, 0) = coalesce(o.number, 0)),
	old_transition AS (
		SELECT coalesce(f.new_name, t.from_step) AS from_step, coalesce(g.new_name, t.to_step) AS to_step
		FROM workflow_track.workflow_transition AS t
		LEFT JOIN renamed AS f ON f.part = 'step' AND f.old_name = t.from_step
		LEFT JOIN renamed AS g ON g.part = 'step' AND g.old_name = t.to_step
		WHERE t.workflow = a AND t.version = a_version),
	new_transition AS (
		SELECT t.from_step, t.to_step FROM workflow_track.workflow_transition AS t WHERE t.workflow = b AND t.version = b_version),
	found (part, change, name, property, was, becomes, sentence, position, place) AS (
		SELECT p.part, CASE WHEN p.is_there THEN 'added' ELSE 'removed' END, p.name, NULL,
			p.old_words, p.new_words,
			CASE WHEN p.is_there THEN format('New %s "%s"', p.part, p.name) || coalesce(': ' || p.new_words, '') || '.'
				ELSE format('%s "%s" is no longer there.', upper(left(p.part, 1)) || substr(p.part, 2), p.name) END,
			p.position, 0
		FROM paired AS p WHERE p.was_there <> p.is_there
		UNION ALL
		SELECT p.part, 'renamed', p.name, NULL, p.old_name, p.name,
			format('%s "%s" is now called "%s".', upper(left(p.part, 1)) || substr(p.part, 2), p.old_name, p.name), p.position, 0
		FROM paired AS p WHERE p.was_there AND p.is_there AND p.old_name <> p.name
		UNION ALL
		SELECT p.part, 'changed', p.name, f.fact ->> 0, workflow_track.fact_in_words(f.fact), workflow_track.fact_in_words(g.fact),
			format('%s "%s", %s: %s.', upper(left(p.part, 1)) || substr(p.part, 2), p.name, f.fact ->> 0, workflow_track.change_in_words(f.fact, g.fact)),
			p.position, f.n
		FROM paired AS p
		CROSS JOIN LATERAL jsonb_array_elements(p.old_facts) WITH ORDINALITY AS f(fact, n)
		JOIN LATERAL jsonb_array_elements(p.new_facts) WITH ORDINALITY AS g(fact, n) ON g.n = f.n
		WHERE p.was_there AND p.is_there AND workflow_track.fact_in_words(f.fact) <> workflow_track.fact_in_words(g.fact)
		UNION ALL
		SELECT 'transition', CASE WHEN n.to_step IS NULL THEN 'removed' ELSE 'added' END, format('%s -> %s', from_step, to_step), NULL, NULL, NULL,
			CASE WHEN n.to_step IS NULL THEN format('"%s" is no longer to follow "%s".', to_step, from_step)
				ELSE format('"%s" may now follow "%s".', to_step, from_step) END, 0, 0
		FROM old_transition AS o FULL JOIN new_transition AS n USING (from_step, to_step)
		WHERE o.to_step IS NULL OR n.to_step IS NULL)
	SELECT f.part, f.change, f.name, f.property, f.was, f.becomes, f.sentence
	FROM found AS f
	ORDER BY array_position(ARRAY['role', 'system', 'step', 'transition', 'expectation', 'duplicate rule', 'billing rule', 'flow', 'limit'], f.part),
		f.position, f.name COLLATE "C", f.place, f.change;
END
$$;
COMMENT ON FUNCTION workflow_track.compare_workflows(text, integer, text, integer) IS
'what differs between two versions of the map, or two workflows: a row for each thing added, removed, renamed or changed';

CREATE FUNCTION workflow_track.setup_compare() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	GRANT EXECUTE ON FUNCTION workflow_track.compare_workflows(text, integer, text, integer)
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_compare() IS 'part of setup(): who may compare versions of the map';
