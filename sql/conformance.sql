CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
INSERT INTO event_kind (kind, category, description) SELECT 't.' || k, 'test', k FROM regexp_split_to_table('abcdex', '') AS k;
INSERT INTO staff (actor, role) VALUES ('ann', 'nurse'), ('bob', 'provider');
SELECT define_workflow('{"workflow": "w", "version": 1, "state": "current", "steps": [
	{"step": "A", "kind": "t.a", "performed_by": ["nurse"], "start": true}, {"step": "B", "kind": "t.b", "optional": true}, {"step": "C", "kind": "t.c", "repeatable": true, "in": ["EHR"]},
	{"step": "D", "kind": "t.d", "end": true}], "transitions": [["A", "B"], ["B", "C"], ["C", "D"]],
	"expectations": [{"name": "D in time", "category": "follow_up", "after": ["t.a"], "expect": ["t.d"], "correlated_by": "encounter", "within": "1 hour"}]}');

--
-- Alignments: each event that is no step there costs 1, and so does each required step left out
--
CREATE FUNCTION pg_temp.aligned(workflow text, version integer, trace text, OUT cost bigint, OUT moves text) LANGUAGE sql AS $$
	SELECT sum(a.cost), string_agg(CASE a.move WHEN 'synchronous' THEN a.step WHEN 'skipped_step' THEN '(' || a.step || ')' ELSE '!' || right(a.kind, 1) END, ' ' ORDER BY a.n)
	FROM workflow_track.workflow_alignment(workflow, version, ARRAY(SELECT 't.' || k FROM regexp_split_to_table(trace, '') AS k WHERE k <> '')) AS a
$$;
SELECT t.trace, a.* FROM unnest('{abcd,acd,abccccd,abd,ad,acbd,abcdd,xabcd,dcba,abab,a,d,cd,x,""}'::text[]) AS t(trace), pg_temp.aligned('w', 1, t.trace) AS a;
SELECT * FROM workflow_alignment('w', 1, '{t.a,t.x,t.d}');
-- without start and end: what nothing leads to, and what leads nowhere; in a circle, anything
SELECT define_workflow('{"workflow": "plain", "version": 1, "steps": [{"step": "A", "kind": "t.a"}, {"step": "B", "kind": "t.b"}, {"step": "C", "kind": "t.c"}], "transitions": [["A", "B"], ["B", "C"]]}');
SELECT define_workflow('{"workflow": "circle", "version": 1, "steps": [{"step": "A", "kind": "t.a"}, {"step": "B", "kind": "t.b"}], "transitions": [["A", "B"], ["B", "A"]]}');
SELECT define_workflow('{"workflow": "alone", "version": 1, "steps": [{"step": "A", "kind": "t.a"}, {"step": "B", "kind": "t.b"}]}');
SELECT t.workflow, t.trace, a.* FROM (VALUES ('plain', 'abc'), ('plain', 'bc'), ('plain', 'ab'), ('circle', 'babab'), ('circle', 'a'), ('circle', 'aa'), ('alone', 'a'), ('alone', 'ab'), ('alone', 'aa')) AS t(workflow, trace),
	pg_temp.aligned(t.workflow, 1, t.trace) AS a;
-- several steps of a kind; a step that may follow itself; optional steps in a circle
SELECT define_workflow('{"workflow": "twice", "version": 1, "steps": [{"step": "A1", "kind": "t.a"}, {"step": "B", "kind": "t.b"}, {"step": "A2", "kind": "t.a"}], "transitions": [["A1", "B"], ["B", "A2"], ["A2", "A2"]]}');
SELECT define_workflow('{"workflow": "optional", "version": 1, "steps": [{"step": "A", "kind": "t.a", "optional": true, "start": true}, {"step": "B", "kind": "t.b", "optional": true}, {"step": "C", "kind": "t.c", "optional": true, "end": true}],
	"transitions": [["A", "B"], ["B", "A"], ["B", "C"]]}');
SELECT t.workflow, t.trace, a.* FROM (VALUES ('twice', 'aba'), ('twice', 'a'), ('twice', 'abaaa'), ('twice', 'aa'), ('optional', ''), ('optional', 'c'), ('optional', 'bbb'), ('optional', 'aaac')) AS t(workflow, trace),
	pg_temp.aligned(t.workflow, 1, t.trace) AS a;
-- what cannot be aligned
SELECT define_workflow('{"workflow": "torn", "version": 1, "steps": [{"step": "A", "kind": "t.a", "start": true}, {"step": "B", "kind": "t.b", "end": true}], "transitions": [["A", "A"]]}');
SELECT set_workflow_state('torn', 1, 'current');
SELECT * FROM workflow_alignment('torn', 1, '{t.a}');
SELECT * FROM conformance('torn', 1);
SELECT * FROM workflow_alignment('w', 9, '{t.a}');
SELECT * FROM workflow_alignment('default', 1, '{t.a}');
SELECT * FROM workflow_alignment('w', 1, '{t.a,NULL}');
SELECT count(*) FROM workflow_alignment(NULL, 1, '{t.a}');
SELECT * FROM conformance(NULL, 1);
SELECT * FROM deviations('w', NULL, NULL, NULL);

--
-- Encounters
--
CREATE FUNCTION pg_temp.trace(n integer, trace text, facility text DEFAULT 'NORTH', actor text DEFAULT 'ann', system text DEFAULT 'EHR') RETURNS bigint LANGUAGE sql AS $$
	SELECT count(record_event('t.' || letter, 'P' || n, system, timestamptz '2024-03-01' + n * interval '1 day' + i * interval '20 minutes', facility => facility, encounter_id => 'V' || n, actor => actor))
	FROM regexp_split_to_table(trace, '') WITH ORDINALITY AS t(letter, i)
$$;
SELECT sum(pg_temp.trace(n, trace)) AS recorded FROM (VALUES (1, 'abcd'), (2, 'acd'), (3, 'acxd'), (4, 'abd'), (5, 'dcba'), (6, 'xxx')) AS t(n, trace);
SELECT pg_temp.trace(7, 'abcd', actor => 'bob') AS recorded, pg_temp.trace(8, 'abcd', 'SOUTH', system => 'PMS') AS recorded, pg_temp.trace(9, 'abccccd') AS recorded;
-- an event of a kind that no step has is not looked at
SELECT workflow, version, facility, patient_id, started_at, ended_at, events, cost, round(fitness::numeric, 3) AS fitness FROM conformance ORDER BY patient_id;
SELECT d.patient_id, d.deviation, d.step, d.kind, e.occurred_at = d.occurred_at AS same_time, d.occurred_at, b.kind AS after_kind, d.actor, d.actor_role, d.source_system
FROM workflow_deviation AS d LEFT JOIN event AS e USING (event_id) LEFT JOIN event AS b ON b.event_id = d.after_event_id ORDER BY d.patient_id, d.deviation, d.occurred_at NULLS FIRST, d.step;
SELECT deviation, step, kind, deviations, cases, round(share::numeric, 3) AS share FROM deviation_summary('w', 1);
-- what is late in a time in which no encounter began
SELECT record_event('t.a', 'P1', 'EHR', '2024-03-02 13:00', facility => 'NORTH', encounter_id => 'V1', actor => 'ann');
SELECT * FROM deviation_summary('w', 1, '2024-03-02 12:00', '2024-03-02 14:00');
SELECT retract_event(event_id, 'test') FROM event WHERE occurred_at = '2024-03-02 13:00';
-- of a time, a facility; of a version that is not in force
SELECT patient_id, cost FROM conformance('w', 1, '2024-03-03', '2024-03-06') ORDER BY 1;
SELECT patient_id, cost FROM conformance('w', 1, facility => 'SOUTH') ORDER BY 1;
SELECT patient_id, deviation, step FROM workflow_deviation('w', 1, '2024-03-03', '2024-03-06') ORDER BY 1, 2, 3;
SELECT patient_id, deviation, step FROM workflow_deviation('w', 1, facility => 'SOUTH') ORDER BY 1, 2, 3;
SELECT patient_id, cost, round(fitness::numeric, 3) AS fitness FROM conformance('plain', 1) ORDER BY 1;
SELECT count(*) FROM conformance('twice', 1);

-- of events of one moment and kind, canonical order says which comes first, whichever was recorded first
INSERT INTO event (occurred_at, patient_id, encounter_id, kind, item, value) VALUES
	('2024-04-01 08:00', 'P20', 'V20', 't.a', '2', 'recorded first'), ('2024-04-01 08:00', 'P20', 'V20', 't.a', '1', 'recorded last');
SELECT d.deviation, e.value, b.value AS after_value FROM workflow_deviation('plain', 1) AS d
	LEFT JOIN event AS e USING (event_id) LEFT JOIN event AS b ON b.event_id = d.after_event_id WHERE d.patient_id = 'P20' ORDER BY 1, 2, 3;
SELECT retract_event(event_id, 'test') FROM event WHERE patient_id = 'P20';

-- Who sees what: rows of an event by its facility
SELECT record_event('t.x', 'P8', 'EHR', '2024-03-09 00:30', facility => 'NORTH', encounter_id => 'V8') > 0 AS recorded, record_event('t.b', 'P8', 'EHR', '2024-03-09 02:00', facility => 'NORTH', encounter_id => 'V8') > 0 AS recorded;
CREATE ROLE regress_north IN ROLE workflow_track_analyst;
CREATE ROLE regress_south IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('regress_north', 'NORTH'), ('regress_south', 'SOUTH');
SET ROLE regress_north;
SELECT facility, count(*) FROM conformance GROUP BY 1;
SELECT facility, count(*) FROM workflow_deviation GROUP BY 1;
SELECT patient_id, deviation, kind FROM workflow_deviation WHERE patient_id = 'P8';
SET ROLE regress_south;
SELECT facility, count(*) FROM conformance GROUP BY 1;
SELECT patient_id, deviation, kind FROM workflow_deviation WHERE patient_id = 'P8' ORDER BY 2, 3;
RESET ROLE;
DROP ROLE regress_north, regress_south;
SET ROLE workflow_track_recorder;
SELECT count(*) FROM conformance;
SELECT * FROM workflow_alignment('w', 1, '{t.a}');
RESET ROLE;

--
-- Late steps of a version that is not in force: the same as if it were
--
SELECT set_workflow_state('default', 1, 'retired');
SELECT define_workflow('{"workflow": "late", "version": 1, "state": "draft",
	"steps": [{"step": "order", "kind": "order.placed"}, {"step": "result", "kind": "result.final"}, {"step": "seen", "kind": "result.acknowledged"}],
	"transitions": [["order", "result"], ["result", "seen"]],
	"expectations": [
		{"name": "result", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "1 hour", "early": "10 minutes", "cancelled_by": ["order.cancelled"]},
		{"name": "seen", "category": "acknowledgement", "after": ["result.final"], "when": {"severity": ["critical"], "detail": {"ward": ["A", 7]}}, "expect": ["result.acknowledged"], "by": ["provider"],
			"correlated_by": "item", "within": "30 minutes", "cancelled_by": [{"kind": "patient.died", "correlated_by": "patient"}]},
		{"name": "no step", "category": "follow_up", "after": ["result.final"], "expect": ["followup.completed"], "correlated_by": "encounter", "within": "1 hour"}]}');
INSERT INTO event (patient_id, encounter_id, subject, item, kind, severity, detail, facility, actor, occurred_at)
	SELECT 'L' || n % 40, CASE WHEN n % 13 <> 0 THEN 'E' || n % 3 END, 'O' || n % 4, CASE WHEN n % 5 <> 0 THEN 'R' || n % 2 END,
		(ARRAY['order.placed', 'result.final', 'result.acknowledged', 'result.final', 'order.cancelled'])[1 + abs(hashint4(n)) % 5],
		CASE WHEN n % 4 <> 0 THEN 'critical'::severity END, CASE WHEN n % 6 <> 0 THEN '{"ward": "A"}'::jsonb END, (ARRAY['NORTH', 'SOUTH'])[1 + n % 2],
		CASE WHEN n % 7 = 0 THEN 'ann' ELSE 'bob' END, timestamptz '2024-05-01' + abs(hashint4(n * 7)) % 200 * interval '9 minutes'
	FROM generate_series(1, 600) AS n;
-- one dead, one of two numbers, one of no report, one of whom something is entered in error; what is due or answered only tomorrow
SELECT count(*) AS recorded FROM (VALUES (record_event('patient.died', 'L1', 'EHR', '2024-05-01 12:00')), (record_event('patient.merged', 'L2', 'EHR', '2024-05-03', subject => 'L3'))) AS r;
INSERT INTO test_patient VALUES ('L6');
SELECT count(retract_event(event_id, 'test')) AS retracted FROM event WHERE patient_id = 'L5' AND kind = 'result.acknowledged';
SELECT count(*) AS recorded FROM (
	SELECT record_event(k, 'L' || n, 'EHR', now() + n % 100 * interval '1 hour' - interval '2 hours' + answer * interval '3 hours', encounter_id => 'E9', subject => 'tomorrow', facility => 'NORTH')
	FROM generate_series(101, 103) AS n, (VALUES ('order.placed', 0), ('result.final', 1)) AS e(k, answer)) AS r;
CREATE VIEW pg_temp.late AS SELECT * FROM workflow_deviation('late', 1) WHERE deviation = 'late_step';
CREATE TABLE pg_temp.late_draft AS TABLE pg_temp.late;
SELECT step, event_id IS NOT NULL AS came, count(*) > 10 AS some, count(DISTINCT facility) AS facilities, count(DISTINCT actor_role) AS roles, bool_or(patient_id = 'L6') AS of_test_patients FROM pg_temp.late GROUP BY 1, 2 ORDER BY 1, 2;
SET workflow_track.test_patients = on;
CREATE TABLE pg_temp.late_draft_tests AS TABLE pg_temp.late;
RESET workflow_track.test_patients;
SELECT count(*) AS kept FROM loop_state;
SELECT set_workflow_state('late', 1, 'current');
CALL catch_up();
SELECT count(*) > 400 AS kept FROM loop_state;
SELECT count(*) AS late FROM pg_temp.late WHERE patient_id ~ '^L10[1-3]';
TABLE pg_temp.late EXCEPT ALL TABLE pg_temp.late_draft;
TABLE pg_temp.late_draft EXCEPT ALL TABLE pg_temp.late;
SET workflow_track.test_patients = on;
SELECT count(*) > 0 AS of_test_patients FROM pg_temp.late WHERE patient_id = 'L6';
TABLE pg_temp.late EXCEPT ALL TABLE pg_temp.late_draft_tests;
TABLE pg_temp.late_draft_tests EXCEPT ALL TABLE pg_temp.late;
RESET workflow_track.test_patients;
-- a version of whose expectations those in force have the names: by its own limits
SELECT define_workflow(jsonb_set(workflow_document('late', 1), '{expectations,0,within}', '"365 days"') || '{"version": 2, "state": "current"}');
CALL catch_up();
SELECT step, (SELECT count(*) FROM pg_temp.late AS l WHERE l.step = s.step) = count(*) AS as_before, count(*) > (SELECT count(*) FROM workflow_deviation('late', 2) AS d WHERE d.deviation = 'late_step' AND d.step = s.step) AS more_than_of_the_other
FROM pg_temp.late_draft AS s GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM workflow_deviation('late', 1, '2024-05-01 06:00', '2024-05-01 07:00', 'SOUTH') WHERE deviation = 'late_step' AND facility = 'SOUTH';
CREATE ROLE regress_south IN ROLE workflow_track_analyst;
SET ROLE regress_south;
SELECT DISTINCT facility FROM workflow_deviation('late', 1) WHERE deviation = 'late_step';
SELECT DISTINCT facility FROM version_loops('late', 1);
RESET ROLE;
DROP ROLE regress_south;
SELECT count(*) FROM version_loops('late', 9);
