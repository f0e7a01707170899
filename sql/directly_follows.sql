CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');
SELECT setseed(0.5);

-- What the rollup says, with what is marked, against every event: none is right.
CREATE VIEW pg_temp.difference AS
WITH every_event AS MATERIALIZED (SELECT * FROM directly_follows(NULL)), rollup AS MATERIALIZED (TABLE directly_follows)
SELECT 'missing' AS problem, x.facility, x.from_kind, x.to_kind, x.follows, x.cases FROM (TABLE every_event EXCEPT ALL TABLE rollup) AS x
UNION ALL SELECT 'unexpected', x.facility, x.from_kind, x.to_kind, x.follows, x.cases FROM (TABLE rollup EXCEPT ALL TABLE every_event) AS x;

-- An event of chance: 30 ids, many events of one instant, two facilities, merges of patients and of encounters.
CREATE FUNCTION pg_temp.any_event() RETURNS void LANGUAGE sql AS $$
	INSERT INTO event (patient_id, facility, encounter_id, subject, kind, occurred_at, source_sequence, actor)
	SELECT 'P' || ceil(random() * 30), (ARRAY['NORTH', 'SOUTH'])[ceil(random() * 2)], (ARRAY['V1', 'V2', 'V3', NULL])[ceil(random() * 4)],
		CASE k.kind WHEN 'patient.merged' THEN 'P' || ceil(random() * 30) WHEN 'encounter.merged' THEN 'V' || ceil(random() * 3) END,
		k.kind, timestamptz '2024-03-01' + floor(random() * 50) * interval '1 hour', floor(random() * 2)::integer, (ARRAY['a', 'b', NULL])[ceil(random() * 3)]
	FROM (SELECT (ARRAY['order.placed', 'result.final', 'note.signed', 'screen.used', 'vitals.recorded', 'order.placed', 'encounter.merged', 'patient.merged'])[ceil(random() * 7.3)] AS kind) AS k
$$;
-- Anything that may happen, in a transaction.
CREATE FUNCTION pg_temp.anything() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CASE floor(random() * 12)
		WHEN 0 THEN
			PERFORM retract_event(h.event_id, 'chance') FROM event_history AS h WHERE h.retracted_at IS NULL ORDER BY random() LIMIT 1;
		WHEN 1 THEN
			PERFORM retract_event(h.event_id, 'a merge') FROM event_history AS h WHERE h.retracted_at IS NULL AND h.kind LIKE '%.merged' ORDER BY random() LIMIT 1;
		WHEN 2 THEN
			DELETE FROM test_patient;
			INSERT INTO test_patient VALUES ('P' || ceil(random() * 30));
		WHEN 3 THEN
			PERFORM pg_temp.any_event() FROM generate_series(1, 40);
		WHEN 4 THEN
			PERFORM fold_follows();
		WHEN 5 THEN
			BEGIN
				PERFORM pg_temp.any_event();
				RAISE EXCEPTION 'not so';
			EXCEPTION WHEN raise_exception THEN
				PERFORM pg_temp.any_event();
			END;
		ELSE
			PERFORM pg_temp.any_event();
	END CASE;
END
$$;
CREATE TABLE pg_temp.wrong (n integer, problem text, facility text, from_kind text, to_kind text, follows bigint, cases bigint);
CREATE PROCEDURE pg_temp.compare(steps integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN 1 .. steps LOOP
		PERFORM pg_temp.anything();
		COMMIT;
		PERFORM set_config('workflow_track.test_patients', (n % 2 = 0)::text, true);
		INSERT INTO pg_temp.wrong SELECT n, * FROM pg_temp.difference;
		COMMIT;
	END LOOP;
END
$$;
CALL pg_temp.compare(150);
SELECT * FROM pg_temp.wrong ORDER BY n LIMIT 5;
SELECT count(*) > 50 AS marked, follows_are_kept() FROM follows_mark;
SET workflow_track.test_patients = on;
SELECT sum(follows) > 100 AS many, count(*) FILTER (WHERE cases < follows) > 5 AS not_once_a_case, count(DISTINCT facility) FROM directly_follows;
RESET workflow_track.test_patients;
SELECT count(*) > 0 AS of_test_patients FROM follows_total WHERE is_test AND follows > 0;
SELECT * FROM check_consistency();

-- while detection is paused, events are events
SELECT pause_detection();
CALL pg_temp.compare(20);
SELECT maintain();
CALL pg_temp.compare(20);
SELECT resume_detection();
CALL catch_up();
SELECT count(*) > 0 AS marked FROM follows_mark;
SELECT fold_follows() > 0 AS folded;
-- what is evaluated again by other rules has the edges it had
UPDATE event_kind SET counts_as_work = false WHERE kind = 'note.signed';
CALL catch_up();
SELECT count(*) AS marked FROM follows_mark;
TABLE pg_temp.wrong;

-- rebuild, also after its first part alone, or when nobody told of what was done
SELECT empty_follows();
TABLE pg_temp.difference;
SELECT count(*) AS kept FROM follows_total;
CALL rebuild();
SELECT count(*) AS marked, (SELECT count(*) > 20 FROM follows_total) AS kept FROM follows_mark;
TABLE pg_temp.difference;
SET session_replication_role = replica;
ALTER TABLE event DISABLE TRIGGER event_recorded;
INSERT INTO event (patient_id, facility, encounter_id, kind, occurred_at)
	SELECT p, 'NORTH', 'V', k, t::timestamptz FROM unnest('{P1,Q1}'::text[]) AS p, (VALUES ('order.placed', '2023-12-01'), ('note.signed', '2023-12-02')) AS e(k, t);
ALTER TABLE event ENABLE ALWAYS TRIGGER event_recorded;
RESET session_replication_role;
SELECT count(*) > 0 AS differ FROM pg_temp.difference;
CALL rebuild();
TABLE pg_temp.difference;
SELECT relation, problem FROM check_consistency();
TRUNCATE retraction, test_patient;
TABLE pg_temp.difference;
CALL catch_up();
SELECT fold_follows() > 0 AS folded;
TABLE pg_temp.difference;

-- what the rollup has wrong is told
UPDATE follows_total SET cases = cases + 1 WHERE (is_test, facility, from_kind, to_kind) = (false, 'NORTH', 'order.placed', 'result.final');
SELECT relation, problem, difference ->> 'with_tests' AS with_tests, difference ->> 'from_kind' AS from_kind, difference ->> 'to_kind' AS to_kind FROM check_consistency() ORDER BY 1, 2, 3;
DELETE FROM follows_total WHERE edge_id = 2;
SELECT count(*) FROM directly_follows;
CALL rebuild();
SELECT * FROM check_consistency();

-- Retention: what follows an event of a month that is gone stays while the encounter goes on, what came before goes.
SELECT count(*) AS recorded FROM (
	SELECT record_event(k, p, 'EHR', t::timestamptz, facility => 'NORTH', encounter_id => 'W')
	FROM unnest('{R1,R2}'::text[]) AS p, (VALUES ('order.placed', '2024-01-30', 'R'), ('result.preliminary', '2024-01-31', 'R'), ('result.final', '2024-04-02', 'R1')) AS e(k, t, who)
	WHERE p LIKE who || '%') AS r;
SELECT fold_follows() > 0 AS folded;
SELECT from_kind, to_kind, follows, cases, mean FROM directly_follows WHERE 'result.preliminary' IN (from_kind, to_kind) ORDER BY 1, 2;
SELECT drop_before('2024-04-01', true);
SELECT from_kind, to_kind, follows, cases, mean FROM directly_follows;
TABLE pg_temp.difference;
SELECT maintain();
TABLE pg_temp.difference;
SELECT patient_id FROM follows_state;
SELECT * FROM check_consistency();

-- Many marks: every event is read.
INSERT INTO event (patient_id, facility, encounter_id, kind, occurred_at)
	SELECT 'M' || n, 'SOUTH', 'V', k, timestamptz '2024-05-01' + n * interval '1 second' FROM generate_series(1, 101) AS n, unnest('{order.placed,result.final}'::text[]) AS k;
SELECT follows_are_kept(), (SELECT count(*) FROM follows_mark) AS marked;
SELECT follows, cases FROM directly_follows WHERE facility = 'SOUTH';
SELECT fold_follows();
SELECT follows_are_kept();
SELECT follows, cases FROM directly_follows WHERE facility = 'SOUTH';
TABLE pg_temp.difference;

-- who may see what
CREATE ROLE regress_follows_south IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('regress_follows_south', 'SOUTH');
SET ROLE regress_follows_south;
SELECT DISTINCT facility FROM directly_follows;
SELECT DISTINCT facility FROM kept_follows(true);
SELECT fold_follows();
SELECT count(*) FROM follows_total;
RESET ROLE;
DROP ROLE regress_follows_south;
