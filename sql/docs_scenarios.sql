CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.reyes', 'provider'), ('n.lind', 'nurse');

SELECT workflow_track.define_scenario('{
 "scenario": "a critical potassium", "workflow": "lab results", "facility": "NORTH",
 "steps": [
  {"step": "ordered",      "kind": "order.placed",        "performed_by": ["provider"], "in": ["EHR"]},
  {"step": "resulted",     "kind": "result.final",        "in": ["LIS"], "delivered_to": ["provider"], "within": "2 hours"},
  {"step": "acknowledged", "kind": "result.acknowledged", "performed_by": ["provider"], "within": "30 minutes"}],
 "never": [
  {"kind": "order.cancelled"},
  {"kind": "result.corrected", "after": "resulted", "before": "acknowledged"}]}');

INSERT INTO workflow_track.test_patient VALUES ('TEST1');
INSERT INTO workflow_track.event (occurred_at, facility, patient_id, subject, kind, actor, recipient, source_system) VALUES
  ('2024-03-04 08:00', 'NORTH', 'TEST1', 'O1', 'order.placed',        'dr.reyes', NULL,       'EHR'),
  ('2024-03-04 09:00', 'NORTH', 'TEST1', 'O1', 'result.final',        NULL,       'n.lind',   'LIS'),
  ('2024-03-04 09:45', 'NORTH', 'TEST1', 'O1', 'result.acknowledged', 'dr.reyes', NULL,       'EHR');

SELECT n, step, ok, problem, explanation FROM workflow_track.check_scenario('a critical potassium', 'TEST1');

SELECT * FROM workflow_track.scenario_tap('a critical potassium', 'TEST1');

SELECT workflow_track.define_workflow('{"workflow": "lab results", "version": 1, "state": "current",
 "steps": [{"step": "order", "kind": "order.placed"}, {"step": "result", "kind": "result.final"},
  {"step": "correction", "kind": "result.corrected", "optional": true}, {"step": "acknowledge", "kind": "result.acknowledged"}],
 "transitions": [["order", "result"], ["result", "correction"], ["correction", "acknowledge"], ["result", "acknowledge"]]}');

SELECT part, from_step, to_step FROM workflow_track.scenario_coverage('lab results', 1) WHERE scenarios = '{}';

SELECT count(*) AS events FROM workflow_track.play_scenario('a critical potassium');
SET workflow_track.test_patients = on;

SELECT expectation, status FROM workflow_track.care_loop WHERE patient_id = 'REHEARSAL a critical potassium' ORDER BY expectation;
