CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT workflow_track.define_workflow('{
 "workflow": "laboratory", "version": 1, "state": "current",
 "steps": [
  {"step": "order", "kind": "order.placed", "required_fields": ["encounter_id", "code:loinc", "detail.indication"]},
  {"step": "result", "kind": "result.final", "required_fields": ["recipient"]}]}');
INSERT INTO workflow_track.event (facility, occurred_at, patient_id, kind, encounter_id, subject, code, detail, source_system) VALUES
  ('NORTH', '2024-03-01 09:00', 'P1', 'order.placed', 'V1', 'O1', 'local:LAB7|GLU', '{"indication": "thirst"}', 'EHR'),
  ('NORTH', '2024-03-01 09:30', 'P2', 'order.placed', 'V2', 'O2', NULL, '{"indication": ""}', 'EHR'),
  ('NORTH', '2024-03-01 10:00', 'P2', 'result.final', 'V2', 'O2', 'loinc|2345-7', NULL, 'LIS');

SELECT patient_id, step, occurred_at, missing, subject FROM workflow_track.missing_information ORDER BY occurred_at;

SELECT missing FROM workflow_track.missing_information_at('2024-03-01 09:59') WHERE patient_id = 'P2';

SELECT missing, supplied_at FROM workflow_track.missing_field WHERE patient_id = 'P2' AND step = 'order';

SELECT m.workflow, m.step, f.field, e.source_system, count(*)
FROM workflow_track.missing_information m CROSS JOIN unnest(m.missing) AS f(field) JOIN workflow_track.event_history e USING (event_id)
GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 2, 3;
