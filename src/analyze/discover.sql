CREATE FUNCTION workflow_track.follows_counts(since timestamptz, until timestamptz, kinds text[])
RETURNS TABLE (facility text, from_kind text, to_kind text, follows bigint, cases bigint, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.follows_counts(timestamptz, timestamptz, text[]) IS
'how often, and after what time, events of a kind directly follow events of another in their cases';

CREATE FUNCTION workflow_track.kept_follows(test_patients boolean)
RETURNS TABLE (facility text, from_kind text, to_kind text, follows bigint, cases bigint, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.kept_follows(boolean) IS
'the same of all time from the rollup, brought up to date in memory for the patients that are marked; with those of test patients, or without';

CREATE FUNCTION workflow_track.every_kept_follow(test_patients boolean)
RETURNS TABLE (facility text, from_kind text, to_kind text, follows bigint, cases bigint, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.every_kept_follow(boolean) IS
'the same of every facility';

CREATE FUNCTION workflow_track.follows_are_kept() RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.follows_are_kept() IS
'whether so few patients are marked that kept_follows() takes less time than reading every event';

CREATE FUNCTION workflow_track.fold_marked_follows(marks integer) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.fold_marked_follows(integer) IS
'part of fold_follows(): so many marks at most; returns how many there were';

CREATE FUNCTION workflow_track.fold_follows() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	folded bigint := 0;
	marks bigint;
BEGIN
	LOCK TABLE workflow_track.follows_total IN SHARE ROW EXCLUSIVE MODE;
	-- Each is kept in memory while it is folded.
	LOOP
		marks := workflow_track.fold_marked_follows(100000);
		EXIT WHEN marks = 0;
		folded := folded + marks;
	END LOOP;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION workflow_track.fold_follows() IS
'brings the rollup of directly_follows up to date for the patients that are marked; returns how many marks there were';

CREATE FUNCTION workflow_track.empty_follows() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE workflow_track.follows_total IN SHARE ROW EXCLUSIVE MODE;
	DELETE FROM workflow_track.follows_total;
	DELETE FROM workflow_track.follows_state;
	DELETE FROM workflow_track.follows_mark;
	-- Who records a patient that is not known yet will mark it.
	INSERT INTO workflow_track.follows_mark (patient_id) SELECT p.patient_id FROM workflow_track.patient_state AS p;
END
$$;
COMMENT ON FUNCTION workflow_track.empty_follows() IS
'part of rebuild(): empties the rollup of directly_follows, and marks every patient';

CREATE FUNCTION workflow_track.performer_counts(since timestamptz, until timestamptz, kinds text[])
RETURNS TABLE (facility text, kind text, actor_role text, source_system text, events bigint)
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.performer_counts(timestamptz, timestamptz, text[]) IS
'in what roles and systems events of a kind happen in cases';

CREATE FUNCTION workflow_track.variant_counts(since timestamptz, until timestamptz, kinds text[])
RETURNS TABLE (facility text, trace text[], cases bigint, first_seen timestamptz, last_seen timestamptz, durations workflow_track.latency_histogram)
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.variant_counts(timestamptz, timestamptz, text[]) IS
'the distinct sequences of kinds that cases are, which began in a time';

CREATE FUNCTION workflow_track.rounded_limit(duration interval) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT l.step * ceil(extract(epoch FROM duration) / extract(epoch FROM l.step))::double precision
	FROM (SELECT CASE WHEN duration > interval '48 hours' THEN interval '24 hours' ELSE interval '1 hour' END AS step) AS l
$$;
COMMENT ON FUNCTION workflow_track.rounded_limit(interval) IS 'a duration rounded up to whole hours, a long one to whole days';

-- Everything about order is in the variants; times and performers are counted apart.
CREATE FUNCTION workflow_track.discover_workflow(workflow text, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL,
	kinds text[] DEFAULT NULL, min_share double precision DEFAULT 0.05) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	document jsonb;
BEGIN
	IF workflow IS NULL OR btrim(workflow) = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the workflow must have a name';
	ELSIF (min_share >= 0 AND min_share <= 1) IS NOT TRUE THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'min_share must be between 0 and 1';
	END IF;
	WITH variant AS MATERIALIZED (
		SELECT row_number() OVER () AS n, v.trace, sum(v.cases) AS cases
		FROM workflow_track.variant_counts(since, until, kinds) AS v
		WHERE discover_workflow.facility IS NULL OR v.facility = discover_workflow.facility GROUP BY v.trace),
	total AS (SELECT sum(v.cases) AS cases FROM variant AS v),
	met AS MATERIALIZED (
		SELECT v.n, v.cases, k.kind, count(*) AS times, bool_or(k.place = 1) AS starts, bool_or(k.place = cardinality(v.trace)) AS ends
		FROM variant AS v, unnest(v.trace) WITH ORDINALITY AS k(kind, place) GROUP BY v.n, v.cases, k.kind),
	step AS MATERIALIZED (
		SELECT m.kind, sum(m.cases) / t.cases AS share, sum(m.cases) FILTER (WHERE m.times > 1) / sum(m.cases) AS repeated,
			sum(m.cases) FILTER (WHERE m.starts) / t.cases AS starts, sum(m.cases) FILTER (WHERE m.ends) / t.cases AS ends
		FROM met AS m CROSS JOIN total AS t GROUP BY m.kind, t.cases HAVING sum(m.cases) / t.cases >= min_share),
	-- Kinds that are too rare are left out of the traces before neighbours are looked at.
	kept AS MATERIALIZED (
		SELECT v.n, v.cases, k.kind, lead(k.kind) OVER (PARTITION BY v.n ORDER BY k.place) AS next
		FROM variant AS v, unnest(v.trace) WITH ORDINALITY AS k(kind, place) WHERE k.kind IN (SELECT s.kind FROM step AS s)),
	transition AS MATERIALIZED (
		SELECT p.kind, p.next, sum(p.cases) / t.cases AS share
		FROM (SELECT DISTINCT k.n, k.cases, k.kind, k.next FROM kept AS k WHERE k.next IS NOT NULL) AS p CROSS JOIN total AS t
		GROUP BY p.kind, p.next, t.cases HAVING sum(p.cases) / t.cases >= min_share),
	performer AS MATERIALIZED (
		SELECT p.kind, p.actor_role, p.source_system, sum(p.events) AS events
		FROM workflow_track.performer_counts(since, until, kinds) AS p
		WHERE discover_workflow.facility IS NULL OR p.facility = discover_workflow.facility GROUP BY p.kind, p.actor_role, p.source_system),
	-- Where not all that is done is done in a role (a system) that is known, nothing is said of roles (systems).
	role AS (
		SELECT p.kind, jsonb_agg(p.actor_role ORDER BY p.actor_role) AS roles FROM (
			SELECT r.kind, r.actor_role, sum(r.events) / sum(sum(r.events)) OVER (PARTITION BY r.kind) AS share FROM performer AS r GROUP BY r.kind, r.actor_role) AS p
		WHERE p.share >= min_share GROUP BY p.kind HAVING bool_and(p.actor_role IS NOT NULL)),
	system AS (
		SELECT p.kind, jsonb_agg(p.source_system ORDER BY p.source_system) AS systems FROM (
			SELECT r.kind, r.source_system, sum(r.events) / sum(sum(r.events)) OVER (PARTITION BY r.kind) AS share FROM performer AS r GROUP BY r.kind, r.source_system) AS p
		WHERE p.share >= min_share GROUP BY p.kind HAVING bool_and(p.source_system IS NOT NULL)),
	-- What nearly always comes next is suggested as expected, within the time in which 95 of 100 came.
	usual AS (
		SELECT t.kind, t.next, workflow_track.rounded_limit(greatest(workflow_track.quantile(workflow_track.merge(f.histogram), 0.95), interval '1 second')) AS within
		FROM transition AS t JOIN workflow_track.follows_counts(since, until, kinds) AS f ON f.from_kind = t.kind AND f.to_kind = t.next
		WHERE t.kind <> t.next AND (discover_workflow.facility IS NULL OR f.facility = discover_workflow.facility)
			AND t.share >= 0.8 * (SELECT s.share FROM step AS s WHERE s.kind = t.kind)
		GROUP BY t.kind, t.next)
	SELECT jsonb_build_object('workflow', discover_workflow.workflow,
		'version', (SELECT coalesce(max(w.version), 0) + 1 FROM workflow_track.workflow AS w WHERE w.workflow = discover_workflow.workflow),
		'state', 'draft',
		'steps', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('step', s.kind, 'kind', s.kind, 'performed_by', r.roles, 'in', y.systems,
				'optional', CASE WHEN 1 - s.share >= min_share AND s.share < 1 THEN true END, 'repeatable', CASE WHEN s.repeated >= min_share AND s.repeated > 0 THEN true END,
				'start', CASE WHEN s.starts >= min_share AND s.starts > 0 THEN true END, 'end', CASE WHEN s.ends >= min_share AND s.ends > 0 THEN true END))
				ORDER BY s.share DESC, s.kind)
			FROM step AS s LEFT JOIN role AS r USING (kind) LEFT JOIN system AS y USING (kind)),
		'transitions', (SELECT coalesce(jsonb_agg(jsonb_build_array(t.kind, t.next) ORDER BY t.share DESC, t.kind, t.next), '[]') FROM transition AS t WHERE t.kind <> t.next),
		'expectations', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', u.next || ' after ' || u.kind, 'category', 'follow_up', 'after', jsonb_build_array(u.kind),
				'expect', jsonb_build_array(u.next), 'correlated_by', 'encounter', 'within', (extract(epoch FROM u.within) / 3600)::bigint || ' hours')
				ORDER BY u.kind, u.next), '[]') FROM usual AS u))
		INTO document FROM total AS t WHERE t.cases > 0;
	IF document IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'there is no case to discover a workflow from',
			HINT = 'A case is an encounter; look at since, until, facility and kinds, and at what you may see.';
	END IF;
	RETURN document;
END
$$;
COMMENT ON FUNCTION workflow_track.discover_workflow(text, timestamptz, timestamptz, text, text[], double precision) IS
'the draft of a workflow as cases have it: steps, roles, systems and transitions of a share of cases at least, with usual times as expectations';
