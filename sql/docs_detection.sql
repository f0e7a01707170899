CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

INSERT INTO workflow_track.staff (actor, role, is_shared_inbox, active_during) VALUES
  ('dr.reyes',  'provider', false, NULL),
  ('dr.okoro',  'provider', false, NULL),
  ('dr.gone',   'provider', false, '[2015-01-01, 2024-01-01)'),
  ('n.lind',    'nurse',    false, NULL),
  ('lab.inbox', 'provider', true,  NULL);

SELECT workflow_track.set_workflow_state('default', 1, 'retired');
SELECT workflow_track.define_workflow('{
 "workflow": "examples", "version": 1, "state": "current",
 "steps": [
  {"step": "corrected report", "kind": "result.corrected", "delivered_to": ["provider"]}],
 "expectations": [
  {"name": "acknowledged", "category": "acknowledgement",
   "after": ["result.final", "result.corrected"], "when": {"severity": "critical"},
   "expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item",
   "within": "1 hour", "early": "2 minutes", "cancelled_by": [{"kind": "patient.died", "correlated_by": "patient"}]},
  {"name": "arrived", "category": "follow_up",
   "after": ["appointment.booked"], "expect": ["appointment.arrived"], "correlated_by": "subject",
   "within": "30 minutes", "cancelled_by": ["appointment.cancelled"]}],
 "duplicates": [
  {"name": "typed twice", "kind": "data.entered", "same": ["code", "value"], "different": ["source_system"],
   "when": {"entry_method": "manual"}, "within": "24 hours"}]
}');

INSERT INTO workflow_track.event (occurred_at, patient_id, kind, code, value, source_system, entry_method) VALUES
  ('2024-03-01 08:00', 'D1', 'data.entered', 'loinc|29463-7', '81', 'EHR', 'manual'),
  ('2024-03-01 09:00', 'D1', 'data.entered', 'loinc|29463-7', '81', 'EHR', 'manual'),
  ('2024-03-01 10:00', 'D1', 'data.entered', 'loinc|29463-7', '81', 'PMS', 'manual'),
  ('2024-03-01 11:00', 'D1', 'data.entered', 'loinc|29463-7', '81', 'RIS', 'interface'),
  ('2024-03-02 09:00', 'D1', 'data.entered', 'loinc|29463-7', '81', 'RIS', 'manual');
SELECT original_at, original_system, duplicate_at, duplicate_system, gap
FROM workflow_track.duplicate_entry WHERE patient_id = 'D1' ORDER BY duplicate_at;

INSERT INTO workflow_track.event (occurred_at, patient_id, subject, item, kind, severity, actor) VALUES
  ('2024-03-01 10:00', 'L1', 'O1', 'F1', 'result.final',        'critical', NULL),
  ('2024-03-01 10:00', 'L1', 'O1', 'F2', 'result.final',        'critical', NULL),
  ('2024-03-01 10:20', 'L1', 'O1', 'F1', 'result.acknowledged', NULL,       'dr.reyes'),
  ('2024-03-01 10:30', 'L1', 'O1', 'F2', 'result.acknowledged', NULL,       'n.lind'),
  ('2024-03-01 11:30', 'L1', 'O1', NULL, 'result.acknowledged', NULL,       'dr.okoro');
SELECT item, status, closed_at, closed_by, overdue_by
FROM workflow_track.care_loop_at('2024-03-01 12:00') WHERE patient_id = 'L1' ORDER BY item;

INSERT INTO workflow_track.event (occurred_at, patient_id, subject, item, kind, severity, actor) VALUES
  ('2024-03-01 09:59', 'L2', 'O2', 'F1', 'result.acknowledged', NULL,       'dr.reyes'),
  ('2024-03-01 10:00', 'L2', 'O2', 'F1', 'result.final',        'critical', NULL),
  ('2024-03-01 09:00', 'L3', 'O3', 'F1', 'result.final',        'normal',   NULL),
  ('2024-03-01 09:59', 'L3', 'O3', 'F1', 'result.acknowledged', NULL,       'dr.reyes'),
  ('2024-03-01 10:00', 'L3', 'O3', 'F1', 'result.corrected',    'critical', NULL);
SELECT patient_id, opened_by_kind, opened_at, status, closed_at
FROM workflow_track.care_loop_at('2024-03-01 12:00') WHERE patient_id IN ('L2', 'L3') ORDER BY patient_id;

INSERT INTO workflow_track.event (occurred_at, time_precision, patient_id, subject, kind, severity, actor) VALUES
  ('2024-03-01 10:00', 'second', 'L4', 'O4', 'result.final',        'critical', NULL),
  ('2024-03-01 00:00', 'day',    'L4', 'O4', 'result.acknowledged', NULL,       'dr.reyes'),
  ('2024-03-01 10:00', 'second', 'L5', 'O5', 'result.final',        'critical', NULL),
  ('2024-03-01 09:00', 'minute', 'L5', 'O5', 'result.acknowledged', NULL,       'dr.reyes');
SELECT patient_id, opened_at, status, closed_at
FROM workflow_track.care_loop_at('2024-03-01 12:00') WHERE patient_id IN ('L4', 'L5') ORDER BY patient_id;

INSERT INTO workflow_track.event (occurred_at, patient_id, subject, kind, severity, actor) VALUES
  ('2024-03-01 10:00', 'L6', 'O6', 'result.final',        'critical', NULL),
  ('2024-03-01 11:30', 'L6', NULL, 'patient.died',        NULL,       NULL),
  ('2024-03-01 11:45', 'L6', 'O6', 'result.acknowledged', NULL,       'dr.reyes');
SELECT '11:15' AS asked_about, status, overdue_by, cancelled_at, closed_at
FROM workflow_track.care_loop_at('2024-03-01 11:15') WHERE patient_id = 'L6'
UNION ALL SELECT '12:00', status, overdue_by, cancelled_at, closed_at
FROM workflow_track.care_loop_at('2024-03-01 12:00') WHERE patient_id = 'L6';

INSERT INTO workflow_track.event (occurred_at, planned_at, patient_id, subject, kind) VALUES
  ('2024-03-01 10:00', '2024-03-15 14:00', 'L7', 'A7', 'appointment.booked');
SELECT opened_at, due_at, status FROM workflow_track.care_loop_at('2024-03-10') WHERE patient_id = 'L7';

INSERT INTO workflow_track.event (occurred_at, patient_id, encounter_id, subject, kind, actor, source_system) VALUES
  ('2024-03-01 08:00', 'H1', 'V1', 'O1', 'order.placed',       'dr.reyes', 'EHR'),
  ('2024-03-01 08:10', 'H1', 'V1', NULL, 'vitals.recorded',    'n.lind',   'EHR'),
  ('2024-03-01 08:20', 'H1', 'V1', 'O1', 'specimen.collected', 'n.lind',   'EHR'),
  ('2024-03-01 08:30', 'H1', 'V1', 'S1', 'handoff.offered',    'dr.reyes', 'EHR'),
  ('2024-03-01 09:00', 'H1', 'V1', 'S1', 'handoff.accepted',   'dr.okoro', 'EHR'),
  ('2024-03-01 10:00', 'H1', 'V1', 'O1', 'result.final',       NULL,       'LIS');
SELECT basis, from_kind, from_actor, to_kind, to_actor, to_system, latency
FROM workflow_track.handoff WHERE patient_id = 'H1' ORDER BY basis, taken_at;

INSERT INTO workflow_track.event (occurred_at, patient_id, subject, kind, recipient, actor) VALUES
  ('2024-03-01 08:00', 'M1', 'O1', 'result.corrected', 'dr.reyes',  NULL),
  ('2024-03-01 08:00', 'M1', 'O2', 'result.corrected', NULL,        NULL),
  ('2024-03-01 08:00', 'M1', 'O3', 'result.corrected', 'dr.who',    NULL),
  ('2024-03-01 08:00', 'M1', 'O4', 'result.corrected', 'dr.gone',   NULL),
  ('2024-03-01 08:00', 'M1', 'O5', 'result.corrected', 'lab.inbox', NULL),
  ('2024-03-01 08:00', 'M1', 'O6', 'result.corrected', 'n.lind',    NULL),
  ('2024-03-01 09:00', 'M1', 'O4', 'result.viewed',    NULL,        'dr.okoro');
SELECT subject, recipient, recipient_role, reason, claimed_by
FROM workflow_track.misrouted_result WHERE patient_id = 'M1' ORDER BY subject;
