CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never

-- Months with loops, duplicates, misrouted results and handoffs; a merge in the first of them.
SELECT define_workflow('{"workflow": "routes", "version": 1, "state": "current",
 "steps": [{"step": "result", "kind": "result.final", "delivered_to": ["provider"]}]}');
INSERT INTO staff (actor, role) VALUES ('n.s', 'nurse'), ('dr.a', 'provider');
SELECT ensure_partitions('2024-01-01', '2024-03-31');
COPY event (occurred_at, patient_id, encounter_id, kind, subject, code, value, severity, actor, recipient, source_system, entry_method) FROM stdin;
2023-11-10 08:00	P1	V1	order.placed	O1	\N	\N	\N	dr.a	\N	EHR	manual
2024-01-10 08:00	P1	V1	result.final	O1	\N	\N	critical	lab	n.s	LIS	interface
2024-01-10 08:30	P1	V1	result.acknowledged	O1	\N	\N	\N	dr.a	\N	EHR	manual
2024-01-31 23:00	P1	V1	data.entered	\N	local:X|wt	80	\N	n.s	\N	EHR	manual
2024-02-01 01:00	P1	V1	data.entered	\N	local:X|wt	80	\N	n.s	\N	PMS	manual
2024-02-01 02:00	P2	\N	data.entered	\N	local:X|wt	80	\N	n.s	\N	LIS	manual
2024-02-10 08:00	P2	V2	order.placed	O2	\N	\N	\N	dr.a	\N	EHR	manual
2024-03-10 08:00	P2	V2	result.final	O2	\N	\N	critical	lab	n.s	LIS	interface
2024-02-20 08:00	P2	V2	order.placed	O3	\N	\N	\N	dr.a	\N	EHR	manual
\.
SELECT record_event('patient.merged', 'P1', 'EHR', '2023-11-11', subject => 'P2') AS merge,
	record_event('encounter.merged', 'P1', 'EHR', '2023-11-11', encounter_id => 'V1', subject => 'V2');
CREATE VIEW pg_temp.findings AS
SELECT 'loop' AS what, opened_at AS at, patient_id, opened_by_kind AS kind, status AS finding FROM care_loop_at('2024-03-31')
UNION ALL SELECT 'duplicate', duplicate_at, patient_id, kind, gap::text FROM duplicate_entry
UNION ALL SELECT 'misrouted', occurred_at, patient_id, reason, claimed_by FROM misrouted_result
UNION ALL SELECT 'handoff', taken_at, patient_id, to_kind, latency::text FROM handoff WHERE basis = 'implied'
ORDER BY 1, 2;
SELECT * FROM findings;
CREATE TABLE pg_temp.latency AS SELECT * FROM handoff_latency;
CREATE TABLE pg_temp.hourly AS SELECT * FROM handoff_latency_hourly;

-- Refused: no moment, one to come, and months that hold open or overdue loops.
SELECT drop_before(NULL);
SELECT drop_before(now() + interval '1 day');
SELECT drop_before('2024-03-31');
SELECT drop_before('2024-04-01');
SELECT count(*) FROM event;
-- and where events that were recorded in the meantime would be overlooked
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT drop_before('2024-02-01', true);
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT ensure_partitions('2022-01-01', now());
ROLLBACK;

-- Whole months go, with what was found in them.
SELECT drop_before('2024-02-29 23:59');
SELECT partition_name, upper_bound FROM months() LIMIT 2;
SELECT tableoid::regclass AS partition, count(*) FROM event GROUP BY 1 ORDER BY 1;
-- What is reported from then on is as it was, for what it depends on stays.
SELECT * FROM findings;
-- The rollups stay.
SELECT count(*) AS lost FROM (TABLE pg_temp.latency EXCEPT TABLE handoff_latency) AS lost;
SELECT count(*) AS lost FROM (TABLE pg_temp.hourly EXCEPT TABLE handoff_latency_hourly) AS lost;
SELECT maintain();
SELECT count(*) AS lost FROM (TABLE pg_temp.latency EXCEPT TABLE handoff_latency) AS lost;
-- A rebuild changes nothing.
CALL rebuild();
SELECT count(*) AS lost FROM (TABLE pg_temp.hourly EXCEPT TABLE handoff_latency_hourly) AS lost;
SELECT * FROM check_consistency();
DROP TABLE pg_temp.latency;
CREATE TABLE pg_temp.latency AS SELECT * FROM handoff_latency;
-- The merges are kept, and P1 and P2 are one patient still.
SELECT record_event('data.entered', 'P1', 'EHR', '2024-02-01 03:00', code => 'local:X|wt', value => '80', entry_method => 'manual');
SELECT * FROM findings WHERE what = 'duplicate';
-- Again changes nothing.
SELECT drop_before('2024-02-01');
SELECT * FROM findings;

-- What was before the horizon can be recorded again, and changes nothing: that time is final.
SELECT record_event('order.placed', 'P1', 'EHR', '2023-11-10 08:00', subject => 'O1', encounter_id => 'V1'),
	record_event('order.placed', 'P1', 'PMS', '2024-01-10 08:00', subject => 'O4', encounter_id => 'V1');
SELECT tableoid::regclass AS partition, occurred_at FROM event WHERE occurred_at < '2024-02-01' ORDER BY occurred_at;
SELECT subject, status FROM care_loop_at('2024-03-31') WHERE opened_at < '2024-02-01' ORDER BY opened_at;
SELECT from_system, to_system, latency FROM handoff WHERE taken_at < '2024-02-01';
CALL rebuild();
CALL rebuild();
SELECT hour, from_system, to_system, mean FROM (TABLE handoff_latency_hourly EXCEPT TABLE pg_temp.hourly) AS found ORDER BY hour;
-- A horizon in the first partition takes what is before it there.
SELECT drop_before('2023-12-31');
SELECT drop_before('2023-12-31', true);
SELECT subject, status FROM care_loop_at('2024-03-31') WHERE opened_at < '2024-02-01' ORDER BY opened_at;

-- Forced: everything before this month, for those that are still open too.
SELECT drop_before(now(), true);
SELECT count(*) FROM event;
SELECT * FROM findings;
SELECT (SELECT min(upper_bound) FROM months()) = date_trunc('month', now()) AS first_is_this_month;
SELECT count(*) AS lost FROM (TABLE pg_temp.latency EXCEPT TABLE handoff_latency) AS lost;

-- A merge of a month that was dropped can still be taken back, and is retracted once.
SELECT m.patient_id, m.merged_id, m.occurred_at FROM patient_merge AS m UNION ALL SELECT v.encounter_id, v.merged_id, v.occurred_at FROM encounter_merge AS v;
SELECT count(record_event('data.entered', e.patient, e.system, date_trunc('month', now()), code => 'local:X|wt', value => '80', entry_method => 'manual'))
FROM (VALUES ('P1', 'EHR'), ('P2', 'PMS')) AS e(patient, system);
SELECT count(*) AS duplicates FROM duplicate_entry;
SELECT retract_event(event_id, 'visits were two') FROM encounter_merge;
SELECT retract_event(event_id, 'patients were two') FROM patient_merge;
SELECT retract_event(0, 'never was');
SELECT patient_id, occurred_at, retracted_reason FROM retraction ORDER BY retracted_reason;
SELECT count(*) AS duplicates FROM duplicate_entry;
SELECT * FROM check_consistency();
-- once more
SELECT retract_event(event_id, 'patients were two') FROM patient_merge;
