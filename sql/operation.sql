CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- What is right: a row a check, and what to do is said of each.
SELECT "check", value, verdict FROM health;
SELECT "check" FROM health WHERE advice IS NULL OR advice = '';

--
-- A pause, as for a backfill: what is recorded waits for catch_up()
--
SELECT record_event('order.placed', 'P1', 'EHR', '2024-01-10 08:00', subject => 'O1', actor => 'dr.a') AS placed \gset
SELECT pause_detection();
SELECT pause_detection();
SELECT record_event('result.final', 'P1', 'LIS', '2024-01-10 09:00', subject => 'O1') AS resulted,
	record_event('order.placed', 'P2', 'EHR', '2024-01-10 08:00', subject => 'O2') AS other,
	record_event('patient.merged', 'P3', 'EHR', '2024-01-10 08:00', subject => 'P2') AS merge \gset
SELECT retract_event(:resulted, 'of another patient');
INSERT INTO subject_alias VALUES ('P4', 'F1', 'O1');
SELECT patient_id, opened_by_kind, status FROM care_loop_at('2024-01-20') ORDER BY opened_event_id;
SELECT patient_id FROM stale_patient ORDER BY patient_id;
SELECT "check", split_part(value, ' ', 1) AS value, verdict FROM health WHERE verdict <> 'ok';
-- nothing else may be asked of detection meanwhile
CALL catch_up();
CALL rebuild();
SELECT drop_before('2024-02-01');
SELECT resume_detection();
SELECT resume_detection();
SELECT "check", value, verdict FROM health WHERE verdict <> 'ok';
-- what is recorded now is evaluated at once, with all of its patient
SELECT record_event('order.cancelled', 'P2', 'EHR', '2024-01-10 10:00', subject => 'O2') IS NOT NULL AS recorded;
SELECT patient_id, opened_by_kind, status FROM care_loop_at('2024-01-20') ORDER BY opened_event_id;
SELECT patient_id FROM stale_patient ORDER BY patient_id;
CALL catch_up(1);
SELECT patient_id, opened_by_kind, status FROM care_loop_at('2024-01-20') ORDER BY opened_event_id;
SELECT count(*) AS problems FROM health WHERE verdict <> 'ok';
-- a pause that is rolled back is none
BEGIN;
SELECT pause_detection();
ROLLBACK;
SELECT value FROM health WHERE "check" = 'detection paused';

--
-- Changes of staff, kinds and maps
--
SELECT owner, owner_role, owner_active FROM care_loop_at('2024-01-20') WHERE subject = 'O1';
INSERT INTO staff (actor, role) VALUES ('dr.a', 'provider'), ('nobody', 'provider');
SELECT what, name FROM stale_mark ORDER BY what, name;
SELECT "check", value, verdict FROM health WHERE verdict <> 'ok';
CALL catch_up();
SELECT owner, owner_role, owner_active FROM care_loop_at('2024-01-20') WHERE subject = 'O1';
UPDATE staff SET role = 'resident' WHERE actor = 'dr.a';
UPDATE staff SET actor = 'dr.b' WHERE actor = 'nobody';
SELECT what, name FROM stale_mark ORDER BY what, name;
CALL catch_up();
SELECT owner, owner_role, owner_active FROM care_loop_at('2024-01-20') WHERE subject = 'O1';
DELETE FROM staff WHERE actor = 'dr.a';
CALL catch_up();
SELECT owner, owner_role, owner_active FROM care_loop_at('2024-01-20') WHERE subject = 'O1';
TRUNCATE staff;
SELECT what, name FROM stale_mark ORDER BY what, name;
CALL catch_up();
-- a map that is retired, or comes into force
SELECT set_workflow_state('default', 1, 'retired');
SELECT define_workflow('{"workflow": "draft", "version": 1, "expectations": [{"name": "a", "category": "order",
	"after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "1 day"}]}');
SELECT what, name FROM stale_mark ORDER BY what, name;
SELECT count(*) FROM care_loop;
CALL catch_up();
SELECT count(*) FROM care_loop;
SELECT set_workflow_state('draft', 1, 'current');
CALL catch_up();
SELECT workflow, expectation, patient_id, status FROM care_loop_at('2024-01-20') ORDER BY opened_event_id;
-- a kind that no longer counts as work
SELECT record_event('order.placed', 'P5', 'EHR', '2024-01-10 08:00', encounter_id => 'V5'),
	record_event('order.accepted', 'P5', 'LIS', '2024-01-10 09:00', encounter_id => 'V5');
SELECT basis, from_kind, to_kind FROM handoff;
UPDATE event_kind SET counts_as_work = false WHERE kind = 'order.accepted';
SELECT what, name FROM stale_mark ORDER BY what, name;
CALL catch_up();
SELECT count(*) FROM handoff;
SELECT count(*) FROM handoff_latency;

--
-- Rebuild: the same from nothing
--
CREATE TABLE pg_temp.loops AS SELECT * FROM care_loop_at('2024-01-20');
TRUNCATE loop_state, handoff_state, handoff_total, handoff_hourly, handoff_delta, patient_state, patient_merge;
CALL rebuild(1);
SELECT count(*) AS lost FROM (TABLE pg_temp.loops EXCEPT SELECT * FROM care_loop_at('2024-01-20')) AS lost;
SELECT count(*) AS found FROM (SELECT * FROM care_loop_at('2024-01-20') EXCEPT TABLE pg_temp.loops) AS found;
SELECT patient_id, merged_id FROM patient_merge;
-- a batch of none is refused before anything is emptied
CALL catch_up(0);
CALL rebuild(0);
SELECT count(*) FROM stale_patient;

--
-- Maintenance
--
SELECT record_event('order.placed', 'P6', 'EHR', '2024-01-10 08:00', encounter_id => 'V6', subject => 'O6'),
	record_event('result.final', 'P6', 'LIS', '2024-01-10 09:00', encounter_id => 'V6', subject => 'O6');
SELECT value FROM health WHERE "check" = 'unfolded deltas';
CREATE TABLE pg_temp.latency AS SELECT * FROM handoff_latency;
CREATE TABLE pg_temp.hourly AS SELECT * FROM handoff_latency_hourly;
SELECT maintain();
SELECT value FROM health WHERE "check" = 'unfolded deltas';
SELECT reltuples > 0 AS analyzed FROM pg_class WHERE oid = 'event'::regclass;
SELECT maintain();
SELECT count(*) AS groups, (SELECT count(*) FROM (TABLE pg_temp.latency EXCEPT TABLE handoff_latency) AS l) AS lost FROM handoff_latency;
SELECT count(*) AS groups, (SELECT count(*) FROM (TABLE pg_temp.hourly EXCEPT TABLE handoff_latency_hourly) AS h) AS lost FROM handoff_latency_hourly;

--
-- Health: what else can be wrong
--
BEGIN;
UPDATE installation SET version = '0.0.1';
INSERT INTO handoff_delta SELECT '', '' FROM generate_series(1, 100001);
UPDATE pg_class SET reltuples = 1000001 WHERE oid = 'event_before'::regclass;
-- as logical replication stores what was recorded elsewhere
SET LOCAL session_replication_role = replica;
INSERT INTO event (recorded_at, occurred_at, patient_id, kind, source_system)
SELECT now() - age, now() - age, 'P7', 'order.placed', system
FROM (VALUES ('FAX', interval '25 hours'), ('RIS', interval '6 days'), ('PMS', interval '8 days'), ('LIS', interval '23 hours'), ('EHR', interval '25 hours'), ('EHR', interval '0')) AS v(system, age);
SELECT "check", value, verdict, advice FROM health WHERE verdict <> 'ok' ORDER BY "check";
ROLLBACK;

--
-- setup() mends what is missing or of another version
--
CREATE VIEW pg_temp.made AS
SELECT c.oid, c.relname, c.relacl::text, CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END AS view,
	(SELECT array_agg((t.oid, t.tgenabled)::text ORDER BY t.oid) FROM pg_trigger AS t WHERE t.tgrelid = c.oid) AS triggers
FROM pg_class AS c WHERE c.relnamespace = 'workflow_track'::regnamespace
UNION ALL SELECT p.oid, p.proname, p.proacl::text, p.prosrc, NULL FROM pg_proc AS p WHERE p.pronamespace = 'workflow_track'::regnamespace;
CREATE TABLE pg_temp.made_first AS TABLE pg_temp.made;
CREATE TABLE pg_temp.rows_first AS SELECT * FROM event_kind;
UPDATE installation SET version = '0.0.1';
DROP VIEW health;
DROP TRIGGER reference_changed ON staff;
SELECT setup();
SELECT version = code_version() AS up_to_date FROM installation;
SELECT regexp_replace(relname, '_at$', '') AS made_anew FROM pg_temp.made WHERE oid NOT IN (SELECT oid FROM pg_temp.made_first);
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'staff'::regclass AND tgname = 'reference_changed';
SELECT m.relname AS changed FROM pg_temp.made AS m JOIN pg_temp.made_first AS f USING (oid)
WHERE (m.relacl, m.view, m.triggers) IS DISTINCT FROM (f.relacl, f.view, f.triggers);
-- a choice of the site stays
SELECT workflow, state FROM workflow ORDER BY workflow;
SELECT counts_as_work FROM event_kind WHERE kind = 'order.accepted';
SELECT count(*) FROM (TABLE event_kind EXCEPT TABLE pg_temp.rows_first) AS changed;
