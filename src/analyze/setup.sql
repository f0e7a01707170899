CREATE FUNCTION workflow_track.setup_follows() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.follows_mark (
		patient_id text COLLATE "C" NOT NULL
	) WITH (autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.follows_mark IS 'patient ids whose cases maintain() has to count anew; until then view directly_follows does';
	PERFORM workflow_track.comment_columns('follows_mark', 'patient_id', 'the patient id; more than once, perhaps');

	CREATE TABLE IF NOT EXISTS workflow_track.follows_state (
		patient_id text COLLATE "C" PRIMARY KEY,
		contribution bytea NOT NULL
	) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.follows_state IS 'what the cases of a patient contribute to follows_total';
	PERFORM workflow_track.comment_columns('follows_state', 'patient_id', 'the patient, by the first of the ids',
		'contribution', 'edges, and the times between, as they are encoded');

	CREATE TABLE IF NOT EXISTS workflow_track.follows_total (
		edge_id integer PRIMARY KEY,
		is_test boolean NOT NULL,
		facility text COLLATE "C" NOT NULL,
		from_kind text COLLATE "C" NOT NULL,
		to_kind text COLLATE "C" NOT NULL,
		follows bigint NOT NULL,
		cases bigint NOT NULL,
		histogram workflow_track.latency_histogram NOT NULL,
		UNIQUE (is_test, facility, from_kind, to_kind)
	) WITH (fillfactor = 70);
	COMMENT ON TABLE workflow_track.follows_total IS 'which kind of event directly follows which; view directly_follows reads it';
	PERFORM workflow_track.comment_columns('follows_total', 'edge_id', 'its number in contributions, from 1 on without a gap', 'is_test', 'whether it is of test patients',
		'facility', 'of the second events', 'from_kind', 'kind of the first events', 'to_kind', 'kind of the next events of their encounters',
		'follows', 'how often that happened', 'cases', 'in how many encounters', 'histogram', 'the times between');
	GRANT EXECUTE ON FUNCTION workflow_track.kept_follows(boolean), workflow_track.follows_are_kept() TO workflow_track_admin, workflow_track_analyst;
	GRANT EXECUTE ON FUNCTION workflow_track.fold_follows(), workflow_track.empty_follows() TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_follows() IS 'part of setup(): the tables of the rollup of directly_follows';

CREATE FUNCTION workflow_track.setup_discovery() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	-- Of patients that were recorded before this was kept nobody else will tell; who records just now waits, and tells.
	IF NOT EXISTS (SELECT FROM workflow_track.follows_state) AND NOT EXISTS (SELECT FROM workflow_track.follows_mark) THEN
		PERFORM workflow_track.exclude_detection();
		INSERT INTO workflow_track.follows_mark (patient_id) SELECT p.patient_id FROM workflow_track.patient_state AS p;
	END IF;
	-- Where much is marked, after a backfill say, it is faster to read every event.
	CREATE OR REPLACE VIEW workflow_track.directly_follows WITH (security_barrier) AS
		SELECT f.facility COLLATE "C" AS facility, f.from_kind COLLATE "C" AS from_kind, f.to_kind COLLATE "C" AS to_kind, f.follows, f.cases,
			workflow_track.mean(f.histogram) AS mean, f.quantiles[1] AS p50, f.quantiles[2] AS p90, f.quantiles[3] AS p95,
			workflow_track.longest(f.histogram) AS longest, f.histogram
		FROM (SELECT e.*, workflow_track.quantiles(e.histogram, '{0.5,0.9,0.95}') AS quantiles
			FROM (SELECT k.* FROM workflow_track.kept_follows(workflow_track.test_patients_shown()) AS k WHERE workflow_track.follows_are_kept()
				UNION ALL
				SELECT c.* FROM workflow_track.follows_counts(NULL, NULL, NULL) AS c WHERE NOT workflow_track.follows_are_kept()) AS e OFFSET 0) AS f;
	COMMENT ON VIEW workflow_track.directly_follows IS 'which kind of event directly follows which in an encounter, how often, and after what time';
	PERFORM workflow_track.comment_columns('directly_follows',
		'facility', 'of the second event', 'from_kind', 'kind of the first event', 'to_kind', 'kind of the next event of its encounter',
		'follows', 'how often that happened', 'cases', 'in how many encounters', 'mean', 'mean time between, exact',
		'p50', 'half came no later', 'p90', '90 % came no later', 'p95', '95 % came no later', 'longest', 'the longest, within 1 %',
		'histogram', 'all times between, to be merged');
	CREATE OR REPLACE FUNCTION workflow_track.directly_follows(since timestamptz, until timestamptz DEFAULT NULL, facility text DEFAULT NULL, kinds text[] DEFAULT NULL)
	RETURNS SETOF workflow_track.directly_follows
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
		SELECT f.facility, f.from_kind, f.to_kind, f.follows, f.cases, workflow_track.mean(f.histogram), workflow_track.quantile(f.histogram, 0.5),
			workflow_track.quantile(f.histogram, 0.9), workflow_track.quantile(f.histogram, 0.95), workflow_track.longest(f.histogram), f.histogram
		FROM workflow_track.follows_counts(since, until, kinds) AS f
		WHERE directly_follows.facility IS NULL OR f.facility = directly_follows.facility
	$$;
	COMMENT ON FUNCTION workflow_track.directly_follows(timestamptz, timestamptz, text, text[]) IS
		'view directly_follows of events since a moment (null is the first) until another (null is the last), of a facility, of some kinds';

	CREATE OR REPLACE VIEW workflow_track.workflow_variant WITH (security_barrier) AS
		SELECT v.facility COLLATE "C" AS facility, v.trace COLLATE "C" AS trace, cardinality(v.trace) AS events, v.cases,
			(v.cases / sum(v.cases) OVER (PARTITION BY v.facility))::double precision AS share, v.first_seen, v.last_seen,
			workflow_track.quantile(v.durations, 0.5) AS p50, workflow_track.quantile(v.durations, 0.9) AS p90, workflow_track.longest(v.durations) AS longest
		FROM workflow_track.variant_counts(NULL, NULL, NULL) AS v;
	COMMENT ON VIEW workflow_track.workflow_variant IS 'the distinct sequences of kinds that encounters are';
	PERFORM workflow_track.comment_columns('workflow_variant',
		'facility', 'of the first events', 'trace', 'the kinds, in order', 'events', 'how many', 'cases', 'encounters that are so',
		'share', 'of the facility''s encounters', 'first_seen', 'when the earliest of them began', 'last_seen', 'when the latest of them began',
		'p50', 'half took no longer', 'p90', '90 % took no longer', 'longest', 'the longest, within 1 %');
	CREATE OR REPLACE FUNCTION workflow_track.workflow_variant(since timestamptz, until timestamptz DEFAULT NULL, facility text DEFAULT NULL, kinds text[] DEFAULT NULL)
	RETURNS SETOF workflow_track.workflow_variant
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
		SELECT v.facility, v.trace, cardinality(v.trace), v.cases, (v.cases / sum(v.cases) OVER (PARTITION BY v.facility))::double precision,
			v.first_seen, v.last_seen, workflow_track.quantile(v.durations, 0.5), workflow_track.quantile(v.durations, 0.9), workflow_track.longest(v.durations)
		FROM workflow_track.variant_counts(since, until, kinds) AS v
		WHERE workflow_variant.facility IS NULL OR v.facility = workflow_variant.facility
	$$;
	COMMENT ON FUNCTION workflow_track.workflow_variant(timestamptz, timestamptz, text, text[]) IS
		'view workflow_variant of encounters that began since a moment (null is the first) until another (null is the last), at a facility, and of some kinds of their events';

	GRANT SELECT ON workflow_track.directly_follows, workflow_track.workflow_variant TO workflow_track_admin, workflow_track_analyst;
	REVOKE ALL ON FUNCTION workflow_track.directly_follows(timestamptz, timestamptz, text, text[]), workflow_track.workflow_variant(timestamptz, timestamptz, text, text[]) FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION workflow_track.directly_follows(timestamptz, timestamptz, text, text[]), workflow_track.workflow_variant(timestamptz, timestamptz, text, text[]),
		workflow_track.follows_counts(timestamptz, timestamptz, text[]), workflow_track.variant_counts(timestamptz, timestamptz, text[]),
		workflow_track.performer_counts(timestamptz, timestamptz, text[]), workflow_track.rounded_limit(interval),
		workflow_track.discover_workflow(text, timestamptz, timestamptz, text, text[], double precision) TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_discovery() IS 'part of setup(): views of what happens';

CREATE FUNCTION workflow_track.setup_conformance() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.conformance WITH (security_barrier) AS
		SELECT w.workflow, w.version, c.facility COLLATE "C" AS facility, c.patient_id COLLATE "C" AS patient_id, c.encounter_id COLLATE "C" AS encounter_id,
			c.started_at, c.ended_at, c.events, c.cost, c.fitness
		FROM workflow_track.workflow AS w CROSS JOIN LATERAL workflow_track.conformance_cases(w.workflow, w.version, NULL, NULL) AS c
		WHERE w.state = 'current' AND workflow_track.workflow_has_run(w.workflow, w.version);
	COMMENT ON VIEW workflow_track.conformance IS 'how well each encounter with an event of a step''s kind conforms to the current workflows that have transitions';
	PERFORM workflow_track.comment_columns('conformance',
		'workflow', 'the workflow of the map', 'version', 'its version', 'facility', 'of the first event', 'patient_id', 'of the first event',
		'encounter_id', 'of the first event', 'started_at', 'when the first event of a step''s kind happened', 'ended_at', 'when the last one did (so far)',
		'events', 'how many there are', 'cost', 'of the optimal alignment: events that the map does not allow there and required steps left out',
		'fitness', '1 - cost / (events + required steps of the shortest run of the map)');
	CREATE OR REPLACE FUNCTION workflow_track.conformance(workflow text, version integer, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL)
	RETURNS SETOF workflow_track.conformance
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
		SELECT conformance.workflow, conformance.version, c.facility, c.patient_id, c.encounter_id, c.started_at, c.ended_at, c.events, c.cost, c.fitness
		FROM workflow_track.conformance_cases(workflow, version, since, until) AS c
		WHERE conformance.facility IS NULL OR c.facility = conformance.facility
	$$;
	COMMENT ON FUNCTION workflow_track.conformance(text, integer, timestamptz, timestamptz, text) IS
		'view conformance of a version of a workflow, in whatever state it is, and encounters that began in a time at a facility';

	CREATE OR REPLACE VIEW workflow_track.workflow_deviation WITH (security_barrier) AS
		SELECT w.workflow, w.version, d.facility COLLATE "C" AS facility, d.patient_id COLLATE "C" AS patient_id, d.encounter_id COLLATE "C" AS encounter_id,
			d.deviation COLLATE "C" AS deviation, d.step COLLATE "C" AS step, d.kind COLLATE "C" AS kind, d.event_id, d.occurred_at, d.after_event_id,
			d.actor COLLATE "C" AS actor, d.actor_role COLLATE "C" AS actor_role, d.source_system COLLATE "C" AS source_system
		FROM workflow_track.workflow AS w CROSS JOIN LATERAL workflow_track.deviations(w.workflow, w.version, NULL, NULL) AS d
		WHERE w.state = 'current' AND workflow_track.workflow_has_run(w.workflow, w.version);
	COMMENT ON VIEW workflow_track.workflow_deviation IS 'in what encounters deviate from the current workflows that have transitions';
	PERFORM workflow_track.comment_columns('workflow_deviation',
		'workflow', 'the workflow of the map', 'version', 'its version', 'facility', 'of the event; where a step was skipped or is late, of the first event or of what it had to follow', 'patient_id', 'likewise',
		'encounter_id', 'likewise', 'deviation', 'skipped_step, unexpected_event, wrong_role, wrong_system or late_step',
		'step', 'the step; null of an unexpected event', 'kind', 'the kind of the event, or of the step that was skipped', 'event_id', 'the event; null where a step was skipped, or did not come yet',
		'occurred_at', 'when it happened', 'after_event_id', 'the event before it, or before where the skipped step belongs; of a late step, what it had to follow',
		'actor', 'who did it', 'actor_role', 'in what role', 'source_system', 'in which system');
	CREATE OR REPLACE FUNCTION workflow_track.workflow_deviation(workflow text, version integer, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL)
	RETURNS SETOF workflow_track.workflow_deviation
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
		SELECT workflow_deviation.workflow, workflow_deviation.version, d.*
		FROM workflow_track.deviations(workflow, version, since, until) AS d
		WHERE workflow_deviation.facility IS NULL OR d.facility = workflow_deviation.facility
	$$;
	COMMENT ON FUNCTION workflow_track.workflow_deviation(text, integer, timestamptz, timestamptz, text) IS
		'view workflow_deviation of a version of a workflow, in whatever state it is, and encounters that began in a time at a facility';

	GRANT SELECT ON workflow_track.conformance, workflow_track.workflow_deviation TO workflow_track_admin, workflow_track_analyst;
	REVOKE ALL ON FUNCTION workflow_track.conformance(text, integer, timestamptz, timestamptz, text), workflow_track.workflow_deviation(text, integer, timestamptz, timestamptz, text) FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION workflow_track.conformance(text, integer, timestamptz, timestamptz, text), workflow_track.workflow_deviation(text, integer, timestamptz, timestamptz, text),
		workflow_track.workflow_alignment(text, integer, text[]), workflow_track.workflow_has_run(text, integer), workflow_track.conformance_cases(text, integer, timestamptz, timestamptz),
		workflow_track.conformance_deviations(text, integer, timestamptz, timestamptz), workflow_track.deviations(text, integer, timestamptz, timestamptz),
		workflow_track.deviation_summary(text, integer, timestamptz, timestamptz, text) TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_conformance() IS 'part of setup(): views of how what happens conforms to the map';
