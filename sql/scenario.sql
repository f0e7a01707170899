CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
INSERT INTO staff (actor, role, facility) VALUES ('dr.a', 'provider', 'NORTH'), ('n.s', 'nurse', NULL), ('t.l', 'lab_tech', NULL);
SELECT define_workflow('{"workflow": "lab", "version": 1, "state": "current", "steps": [
	{"step": "order", "kind": "order.placed"}, {"step": "result", "kind": "result.final"}, {"step": "view", "kind": "result.viewed", "optional": true}, {"step": "acknowledge", "kind": "result.acknowledged"}],
	"transitions": [["order", "result"], ["result", "view"], ["view", "acknowledge"], ["result", "acknowledge"]],
	"expectations": [{"name": "acknowledged", "category": "acknowledgement", "after": ["result.final"], "expect": ["result.acknowledged"], "correlated_by": "subject", "within": "1 hour"}]}');
SELECT define_scenario('{"scenario": "a critical potassium", "workflow": "lab", "facility": "NORTH", "steps": [
	{"step": "ordered", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"]},
	{"step": "resulted", "kind": "result.final", "in": ["LIS"], "delivered_to": ["provider"], "within": "2 hours"},
	{"step": "acknowledged", "kind": "result.acknowledged", "performed_by": ["provider", "covering_provider"], "within": "30 minutes"}],
	"never": [{"kind": "order.cancelled"}, {"kind": "result.viewed", "before": "resulted"}, {"kind": "result.corrected", "after": "resulted", "before": "acknowledged"}]}');

--
-- A story as it should go, and each way in which it may not
--
CREATE FUNCTION pg_temp.event(patient text, minute integer, kind text, actor text DEFAULT 'dr.a', system text DEFAULT 'EHR', recipient text DEFAULT NULL, encounter text DEFAULT 'V1') RETURNS bigint LANGUAGE sql AS $$
	SELECT record_event(kind, patient, system, timestamptz '2024-03-01 08:00' + minute * interval '1 minute', facility => 'NORTH', encounter_id => encounter, subject => 'O1', actor => actor, recipient => recipient)
$$;
SELECT count(pg_temp.event(e.patient, e.minute, e.kind, e.actor, e.system, e.recipient)) AS recorded FROM (VALUES
	('good', 0, 'order.placed', 'dr.a', 'EHR', NULL), ('good', 60, 'result.final', 't.l', 'LIS', 'dr.a'), ('good', 80, 'result.acknowledged', 'dr.a', 'EHR', NULL), ('good', 90, 'result.corrected', 't.l', 'LIS', NULL),
	('late', 0, 'order.placed', 'dr.a', 'EHR', NULL), ('late', 121, 'result.final', 't.l', 'LIS', 'dr.a'), ('late', 151, 'result.acknowledged', 'dr.a', 'EHR', NULL),
	('wrong', 0, 'order.placed', 'n.s', 'EHR', NULL), ('wrong', 60, 'result.final', 't.l', 'EHR', 'dr.a'), ('wrong', 65, 'result.acknowledged', 'nobody', 'EHR', NULL),
	('astray', 0, 'order.placed', 'dr.a', 'PMS', NULL), ('astray', 60, 'result.final', 't.l', 'LIS', 'n.s'), ('astray', 65, 'result.acknowledged', 'n.s', 'EHR', NULL), ('astray', 70, 'result.acknowledged', 'dr.a', 'EHR', NULL),
	('half', 0, 'order.placed', 'dr.a', 'EHR', NULL), ('half', 5, 'result.acknowledged', 'dr.a', 'EHR', NULL), ('half', 7, 'result.viewed', 'dr.a', 'EHR', NULL),
	('never', 0, 'order.placed', 'dr.a', 'EHR', NULL), ('never', 30, 'result.viewed', 'dr.a', 'EHR', NULL), ('never', 40, 'order.cancelled', 'dr.a', 'EHR', NULL), ('never', 60, 'result.final', 't.l', 'LIS', 'dr.a'),
	('never', 65, 'result.corrected', 't.l', 'LIS', 'dr.a'), ('never', 70, 'result.acknowledged', 'dr.a', 'EHR', NULL)) AS e(patient, minute, kind, actor, system, recipient);
SELECT p.patient, s.n, s.step, s.kind, s.ok, s.problem, e.occurred_at, s.explanation
FROM unnest('{good,late,wrong,astray,half,never,nobody}'::text[]) WITH ORDINALITY AS p(patient, place), check_scenario('a critical potassium', p.patient) AS s LEFT JOIN event AS e USING (event_id)
WHERE p.patient = 'good' OR NOT s.ok ORDER BY p.place, s.n;
SELECT * FROM scenario_tap('a critical potassium', 'never');
-- of an encounter, since a moment; what is retracted did not happen
SELECT string_agg(problem, ' ' ORDER BY n) AS problems FROM check_scenario('a critical potassium', 'good', 'V2');
SELECT string_agg(problem, ' ' ORDER BY n) AS problems FROM check_scenario('a critical potassium', 'good', 'V1', '2024-03-01 08:30');
SELECT retract_event(event_id, 'in error') FROM event WHERE patient_id = 'never' AND kind IN ('result.viewed', 'order.cancelled', 'result.corrected');
SELECT string_agg(problem, ' ' ORDER BY n) AS problems FROM check_scenario('a critical potassium', 'never');
-- a limit may count from an earlier step
SELECT define_scenario('{"scenario": "turnaround", "steps": [{"step": "a", "kind": "order.placed"}, {"step": "b", "kind": "result.final"}, {"step": "c", "kind": "result.acknowledged", "within": "75 minutes", "of": "a"}]}');
SELECT step, ok, explanation FROM check_scenario('turnaround', 'good');

--
-- What no scenario takes
--
SELECT * FROM scenario_coverage('lab', 1);
SELECT define_scenario('{"scenario": "looked at", "workflow": "lab", "steps": [{"step": "r", "kind": "result.final"}, {"step": "x", "kind": "note.signed"}, {"step": "v", "kind": "result.viewed"}]}');
SELECT define_scenario('{"scenario": "of another", "workflow": "other", "steps": [{"step": "v", "kind": "result.viewed"}, {"step": "a", "kind": "result.acknowledged"}]}');
SELECT * FROM scenario_coverage('lab', 1);
SELECT * FROM scenario_coverage('lab', 2);

--
-- Rehearsal
--
SELECT step, occurred_at, event_id > 0 AS recorded FROM play_scenario('a critical potassium', start => '2024-04-01 08:00');
SELECT kind, facility, actor, actor_role, recipient, recipient_role, source_system FROM event WHERE patient_id = 'REHEARSAL a critical potassium' ORDER BY occurred_at;
SELECT bool_and(ok) AS as_it_should_go FROM check_scenario('a critical potassium', 'REHEARSAL a critical potassium');
SELECT count(*) FROM care_loop WHERE patient_id LIKE 'REHEARSAL%';
SET workflow_track.test_patients = on;
SELECT workflow, expectation, status FROM care_loop WHERE patient_id LIKE 'REHEARSAL%' AND workflow = 'lab';
RESET workflow_track.test_patients;
SELECT count(*) FROM play_scenario('turnaround', 'training 1');
SELECT count(*) FROM play_scenario('turnaround', 'training 1');
SELECT bool_and(ok) AS as_it_should_go, bool_and(occurred_at <= now()) AS has_been FROM check_scenario('turnaround', 'training 1');
SELECT count(*) FROM play_scenario('turnaround', 'good');
SELECT count(*) FROM play_scenario('turnaround', ' good ');
-- nor under an id that was merged into another
SELECT record_event('patient.merged', 'good', 'PMS', subject => 'good before') > 0 AS merged;
SELECT count(*) FROM play_scenario('turnaround', 'good before');
SELECT retract_event(event_id, 'no such merge') FROM event_history WHERE kind = 'patient.merged' AND patient_id = 'good';
SELECT count(*) FROM play_scenario('turnaround', 'good before');

--
-- What is refused
--
SELECT define_scenario('{}');
SELECT define_scenario('{"scenario": "x", "steps": []}');
SELECT define_scenario('{"scenario": "x", "steps": [{"step": "a", "kind": "no.such"}]}');
SELECT define_scenario('{"scenario": "x", "steps": [{"step": "a", "kind": "order.placed", "witin": "1 hour"}]}');
SELECT define_scenario('{"scenario": "x", "steps": [{"step": "a", "kind": "order.placed"}, {"step": "a", "kind": "order.placed"}]}');
SELECT define_scenario('{"scenario": "x", "steps": [{"step": "a", "kind": "order.placed", "within": "1 month"}]}');
SELECT define_scenario('{"scenario": "x", "steps": [{"step": "a", "kind": "order.placed", "within": "1 hour", "of": "b"}, {"step": "b", "kind": "order.placed"}]}');
SELECT define_scenario('{"scenario": "x", "steps": [{"step": "a", "kind": "order.placed"}], "never": [{"kind": "order.placed", "before": "c"}]}');
SELECT define_scenario(NULL);
SELECT * FROM check_scenario('no such', 'P1');
SELECT * FROM play_scenario('no such');

-- Who may: analysts check, of their facilities; administrators define and play.
CREATE ROLE regress_south IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('regress_south', 'SOUTH');
SET ROLE regress_south;
SELECT string_agg(problem, ' ' ORDER BY n) AS problems FROM check_scenario('turnaround', 'good');
SELECT count(*) FROM scenario_coverage('lab', 1);
SELECT define_scenario('{}');
SELECT * FROM play_scenario('turnaround');
RESET ROLE;
DROP ROLE regress_south;
SET ROLE workflow_track_admin;
SELECT count(*) FROM play_scenario('turnaround', 'training 2');
SELECT bool_and(ok) AS as_it_should_go FROM check_scenario('turnaround', 'training 2');
DELETE FROM scenario WHERE scenario = 'of another';
RESET ROLE;
