CREATE FUNCTION workflow_track.setup_health() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.health AS
		SELECT 'version of tables' COLLATE "C" AS "check", i.version AS value,
			CASE WHEN i.version = workflow_track.code_version() THEN 'ok' ELSE 'critical' END COLLATE "C" AS verdict,
			'tables are to be those of version ' || workflow_track.code_version() || ': run SELECT workflow_track.setup()' AS advice
		FROM workflow_track.installation i
		UNION ALL
		SELECT 'months ahead', months::text,
			CASE WHEN months < 1 THEN 'critical' WHEN months < 12 THEN 'warning' ELSE 'ok' END,
			'there are to be 24 months for events to come: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT extract(year FROM age)::int * 12 + extract(month FROM age)::int AS months
			FROM (SELECT age(workflow_track.recordable_until(), now()) AS age) a) m
		UNION ALL
		SELECT 'events before the first month', rows::text,
			CASE WHEN rows > 1000000 THEN 'warning' ELSE 'ok' END,
			'many events without a month of their own: run workflow_track.ensure_partitions() from the earliest on'
		FROM (SELECT greatest(c.reltuples, 0)::bigint AS rows FROM pg_class c WHERE c.oid = to_regclass('workflow_track.event_before')) b
		UNION ALL
		SELECT 'unfolded deltas', n::text,
			CASE WHEN n > 1000000 THEN 'critical' WHEN n > 100000 THEN 'warning' ELSE 'ok' END,
			'views of handoff latency slow down: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT count(*) AS n FROM workflow_track.handoff_delta) d
		UNION ALL
		SELECT 'patients whose handoffs are not in the rollups', n::text,
			CASE WHEN n > 100000 THEN 'critical' WHEN n > 10000 THEN 'warning' ELSE 'ok' END,
			'views of handoff latency compute them each time: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT count(*) AS n FROM workflow_track.handoff_stale) d
		UNION ALL
		SELECT 'changes that are not in the rollup of directly_follows', n::text,
			CASE WHEN n > 1000000 THEN 'critical' WHEN n > 100000 THEN 'warning' ELSE 'ok' END,
			'view directly_follows computes them each time: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT count(*) AS n FROM workflow_track.follows_mark) f
		UNION ALL
		SELECT 'patients whose numbers are not compared yet', n::text,
			CASE WHEN n > 100000 THEN 'critical' WHEN n > 10000 THEN 'warning' ELSE 'ok' END,
			'view identity_conflict computes them each time: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT count(*) AS n FROM workflow_track.identity_stale) d
		UNION ALL
		SELECT 'changes of map or staff to be caught up with', n::text,
			CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'reports still follow what was in force before: run CALL workflow_track.catch_up()'
		FROM (SELECT count(*) AS n FROM workflow_track.stale_mark) s
		UNION ALL
		SELECT 'stale patients', n::text,
			CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'their reports are not up to date: run CALL workflow_track.catch_up()'
		FROM (SELECT count(*) AS n FROM workflow_track.stale_patient) s
		UNION ALL
		SELECT 'detection paused', CASE WHEN paused THEN 'since ' || since::text ELSE 'no' END,
			CASE WHEN paused THEN 'critical' ELSE 'ok' END,
			'nothing new is found: run SELECT workflow_track.resume_detection(), then CALL workflow_track.catch_up()'
		FROM workflow_track.detection_state
		UNION ALL
		SELECT 'oldest prepared transaction', coalesce(max(age)::text, 'none'),
			CASE WHEN max(age) > interval '1 hour' THEN 'critical' WHEN max(age) > interval '5 minutes' THEN 'warning' ELSE 'ok' END,
			'it holds locks on its patients: COMMIT PREPARED or ROLLBACK PREPARED it'
		FROM (SELECT now() - p.prepared AS age FROM pg_prepared_xacts p WHERE p.database = current_database()) x
		UNION ALL
		SELECT 'sessions that wait for a patient''s lock', n::text,
			CASE WHEN n > 20 THEN 'critical' WHEN n > 5 THEN 'warning' ELSE 'ok' END,
			'a long transaction records for the same patients: see pg_locks, locktype userlock'
		FROM (SELECT count(*) AS n FROM pg_locks l
			WHERE l.locktype = 'userlock' AND NOT l.granted
				AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) w
		UNION ALL
		SELECT 'messages not understood in the last 24 hours', n::text, CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'rejected or incomplete: view message_exception shows them; once the cause is mended, reprocess() them'
		FROM (SELECT count(*) AS n FROM workflow_track.message m
			WHERE m.received_at > now() - interval '24 hours' AND (m.status <> 'processed' OR m.problem IS NOT NULL)
				AND m.status IN ('rejected', 'incomplete')) x
		UNION ALL
		SELECT 'declared flows that are silent or never seen', n::text, CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'view flow_gap shows them: look at the interfaces ' || coalesce(names, 'none')
		FROM (SELECT count(*) AS n, string_agg(DISTINCT g.from_system || ' to ' || g.to_system, ', ') AS names
			FROM workflow_track.flow_gap g WHERE g.problem IN ('silent', 'never_seen')) f
		UNION ALL
		SELECT 'silent senders', n::text, CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'systems that recorded events in the last 7 days and none in the last 24 hours: ' || coalesce(names, 'none')
		FROM (SELECT count(*) AS n, string_agg(source_system, ', ' ORDER BY source_system) AS names
			FROM (SELECT e.source_system FROM workflow_track.event e
				WHERE e.recorded_at > now() - interval '7 days' AND e.occurred_at > now() - interval '7 days' AND e.source_system IS NOT NULL
				GROUP BY e.source_system HAVING max(e.recorded_at) < now() - interval '24 hours') quiet) s;
	COMMENT ON VIEW workflow_track.health IS 'a row for each thing that a DBA should watch';
	PERFORM workflow_track.comment_columns('health',
		'check', 'what is looked at', 'value', 'what was found', 'verdict', 'ok, warning or critical', 'advice', 'what it means, and what to do');
	GRANT SELECT ON workflow_track.health TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_health() IS 'part of setup(): view health';
