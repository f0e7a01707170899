CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

INSERT INTO workflow_track.facility (facility, name, timezone) VALUES
  ('NORTH', 'North Hospital', 'America/Chicago'),
  ('SOUTH', 'South Clinic', 'America/Denver');

INSERT INTO workflow_track.staff (actor, role, is_shared_inbox, active_during) VALUES
  ('dr.reyes',  'provider',     false, NULL),
  ('dr.okoro',  'provider',     false, NULL),
  ('dr.gone',   'provider',     false, '[2015-01-01, 2024-01-01)'),
  ('n.lind',    'triage_nurse', false, NULL),
  ('t.abe',     'lab_tech',     false, NULL),
  ('lab.inbox', 'provider',     true,  NULL);

SELECT workflow_track.set_workflow_state('default', 1, 'retired');
SELECT workflow_track.define_workflow('{
 "workflow": "clinic", "version": 1, "state": "current",
 "steps": [
  {"step": "result", "kind": "result.final", "delivered_to": ["provider"]}],
 "expectations": [
  {"name": "critical acknowledged", "category": "acknowledgement",
   "after": ["result.final", "result.corrected"], "when": {"severity": "critical"},
   "expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item",
   "within": "1 hour", "early": "2 minutes", "escalate_to": "charge_nurse"},
  {"name": "order resulted", "category": "order",
   "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject",
   "within": "1 day", "cancelled_by": ["order.cancelled"]},
  {"name": "referral accepted", "category": "referral",
   "after": ["referral.sent"], "expect": ["referral.accepted"], "correlated_by": "subject",
   "within": "3 days"}],
 "duplicates": [
  {"name": "typed twice", "kind": "data.entered", "same": ["code", "value"],
   "different": ["source_system"], "when": {"entry_method": "manual"}, "within": "24 hours"}]
}');

INSERT INTO workflow_track.event
  (occurred_at, facility, patient_id, encounter_id, subject, kind, actor, recipient, source_system) VALUES
  ('2024-03-04 08:00', 'NORTH', 'P1', 'V1', 'O1', 'order.placed',       'dr.reyes', NULL,       'EHR'),
  ('2024-03-04 08:40', 'NORTH', 'P1', 'V1', 'O1', 'specimen.collected', 'n.lind',   NULL,       'EHR'),
  ('2024-03-05 10:00', 'NORTH', 'P1', 'V1', 'O3', 'order.placed',       'dr.reyes', NULL,       'EHR'),
  ('2024-03-05 10:30', 'NORTH', 'P1', 'V1', 'O3', 'order.cancelled',    'dr.reyes', NULL,       'EHR'),
  ('2024-03-05 11:00', 'NORTH', 'P1', 'V1', 'O4', 'order.placed',       'dr.reyes', NULL,       'EHR'),
  ('2024-03-04 14:00', 'NORTH', 'P2', 'V2', 'H1', 'handoff.offered',    'dr.reyes', 'dr.okoro', 'EHR'),
  ('2024-03-04 14:20', 'NORTH', 'P2', 'V2', 'H1', 'handoff.accepted',   'dr.okoro', NULL,       'EHR'),
  ('2024-03-04 15:30', 'NORTH', 'P2', 'V2', 'O2', 'result.acted_on',    'dr.okoro', NULL,       'EHR'),
  ('2024-03-04 13:00', 'SOUTH', 'P3', 'V3', 'R1', 'referral.sent',      'dr.reyes', 'dr.okoro', 'EHR'),
  ('2024-03-08 13:00', 'SOUTH', 'P3', 'V3', 'R1', 'referral.accepted',  'dr.okoro', NULL,       'HIE'),
  ('2024-03-05 09:00', 'SOUTH', 'P3', 'V3', 'R2', 'referral.sent',      'dr.reyes', 'dr.okoro', 'EHR');

INSERT INTO workflow_track.event
  (occurred_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity,
   actor, recipient, source_system, entry_method) VALUES
  ('2024-03-04 10:00', 'NORTH', 'P1', 'V1', 'O1', 'F1', 'result.final', 'loinc|2823-3', '6.8', 'critical',
   't.abe', 'dr.reyes', 'LIS', 'interface'),
  ('2024-03-04 11:30', 'NORTH', 'P1', 'V1', 'O1', 'F1', 'result.acknowledged', NULL, NULL, NULL,
   'dr.okoro', NULL, 'EHR', 'manual'),
  ('2024-03-04 12:00', 'NORTH', 'P2', 'V2', 'O2', 'F2', 'result.final', 'loinc|2823-3', '7.1', 'critical',
   't.abe', 'dr.gone', 'LIS', 'interface'),
  ('2024-03-04 12:10', 'SOUTH', 'P3', 'V3', NULL, NULL, 'data.entered', 'loinc|29463-7', '81', NULL,
   'n.lind', NULL, 'EHR', 'manual'),
  ('2024-03-04 12:40', 'SOUTH', 'P3', 'V3', NULL, NULL, 'data.entered', 'loinc|29463-7', '81', NULL,
   'n.lind', NULL, 'PMS', 'manual');

SELECT expectation, patient_id, subject, owner, status, closed_by, overdue_by
FROM workflow_track.care_loop_at('2024-03-05 12:00') ORDER BY opened_at;

SELECT patient_id, subject, item, severity, owner, owner_active, status, overdue_by, escalate_to
FROM workflow_track.unacknowledged_result_at('2024-03-05 12:00');

SELECT expectation, patient_id, subject, owner, status, due_at, closed_at, overdue_by
FROM workflow_track.missed_follow_up_at('2024-03-10') ORDER BY due_at;

SELECT category, expectation, patient_id, subject, owner, overdue_by
FROM workflow_track.overdue_loop_at('2024-03-10') ORDER BY due_at;

SELECT * FROM workflow_track.task_queue_at('2024-03-05 12:00') ORDER BY oldest_due_at;

SELECT * FROM workflow_track.rule_coverage_at('2024-03-05 12:00') ORDER BY expectation COLLATE "C", facility;

SELECT patient_id, code, value, original_system, duplicate_system, duplicate_actor, gap, rule
FROM workflow_track.duplicate_entry;

SELECT patient_id, subject, recipient, expected_roles, reason, claimed_by, claimed_at
FROM workflow_track.misrouted_result;

SELECT * FROM workflow_track.denial_cause('2024-03-01') WHERE facility = 'NORTH';

SELECT basis, from_kind, from_role, from_system, to_kind, to_role, to_system, latency
FROM workflow_track.handoff WHERE patient_id IN ('P1', 'P2') AND basis <> 'implied' ORDER BY taken_at;

SELECT facility, from_role, to_role, from_system, to_system, handoffs, mean, p90
FROM workflow_track.handoff_latency WHERE basis = 'thread' ORDER BY facility, mean;

SELECT f.name, (h.hour AT TIME ZONE f.timezone)::date AS local_day,
  workflow_track.sample_count(workflow_track.merge(histogram)) AS handoffs,
  workflow_track.quantile(workflow_track.merge(histogram), 0.5) AS median
FROM workflow_track.handoff_latency_hourly h JOIN workflow_track.facility f USING (facility)
WHERE basis = 'implied' AND hour >= '2024-03-01' GROUP BY 1, 2 ORDER BY 1, 2;

SELECT from_kind, to_kind, follows, p50 FROM workflow_track.directly_follows('2024-03-01', facility => 'SOUTH');

SELECT trace, cases, share FROM workflow_track.workflow_variant('2024-03-01') ORDER BY cases DESC LIMIT 10;

SELECT count(*), avg(fitness) FROM workflow_track.conformance WHERE fitness < 1;

SELECT deviation, step, count(*) FROM workflow_track.workflow_deviation GROUP BY 1, 2;

SELECT day, sum(alerts) AS alerts FROM workflow_track.interaction_burden WHERE day = '2024-03-04' AND role = 'provider' GROUP BY day;

SELECT measure, ratio FROM workflow_track.burden_change('2024-02-01', '2024-03-01', '2024-03-01', '2024-04-01', false) WHERE facility = 'NORTH';

SELECT week, role, share FROM workflow_track.workaround_signal WHERE week = '2024-03-04' AND signal = 'late_note';

SELECT from_system, to_system, messages FROM workflow_track.data_flow('2024-01-01', '2024-02-01', 'NORTH');

SELECT problem, from_system, to_system FROM workflow_track.flow_gap;

SELECT status, count(*) FROM workflow_track.message_arrival WHERE received_at > now() - interval '1 hour' GROUP BY status;

SELECT workflow_track.retract_event(4, 'wrong order');

SELECT event_id, kind, occurred_at, retracted_reason FROM workflow_track.event_history
WHERE patient_id = 'P1' AND subject = 'O3' AND occurred_at >= '2024-03-01' ORDER BY occurred_at;

SELECT "check", value, verdict FROM workflow_track.health
WHERE "check" IN ('version of tables', 'stale patients', 'detection paused', 'silent senders');

SELECT expectation, subject, settled_at, is_cancelled FROM workflow_track.loop WHERE patient_id = 'P1' ORDER BY opened_at;

INSERT INTO workflow_track.inbox (body) VALUES
('MSH|^~\&|PMS|SOUTH|||20240306083000||ADT^A04|1001|P|2.5.1
EVN||20240306083000
PID|1||P8^^^SOUTH^MR
PV1|1|O|WALKIN||||||||||||||||V8'),
('MSH|^~\&|PMS|SOUTH|||20240306084500||ADT^A04|1002|P|2.5.1
EVN||20240306084500
PID|1||P9^^^SOUTH^MR
PV1|1|O|WALKIN|||||||||||||||||||||||||||||||||||||||||||||||A9');

SELECT message_id, source_system, control_id, message_type, problem, explanation, patient_id FROM workflow_track.message_exception;

SELECT workflow_track.record_event('result.acknowledged', 'P2', 'EHR', '2024-03-05 12:30',
  facility => 'NORTH', encounter_id => 'V2', subject => 'O2', item => 'F2', actor => 'dr.okoro');

SELECT patient_id, subject, status, closed_by, overdue_by
FROM workflow_track.care_loop_at('2024-03-05 13:00') WHERE expectation = 'critical acknowledged' ORDER BY opened_at;

SELECT s.name, s.content FROM workflow_track.hl7v2_segments(workflow_track.ingest_hl7v2('MSH|^~\&|PMS|SOUTH|||20240306083000||ADT^A04|1001|P|2.5.1
EVN||20240306083000
PID|1||P8^^^SOUTH^MR
PV1|1|O|WALKIN||||||||||||||||V8')::workflow_track.hl7v2) s WHERE s.name = 'MSA';

INSERT INTO workflow_track.hl7v2_source (source_system, facility, encounter) VALUES ('PMS', 'SOUTH', 'PV1-19.1, PV1-50.1');
SELECT * FROM workflow_track.reprocess_where('no_visit');

SELECT message_id, message_type, status, patient_id, encounter_id, matched FROM workflow_track.message_trace('P8');

SELECT jsonb_pretty(workflow_track.workflow_document('clinic', 1) -> 'steps') AS steps;

SELECT jsonb_array_length(workflow_track.discover_workflow('as it is') -> 'steps') AS steps;

SELECT deviation, step, cases, share FROM workflow_track.deviation_summary('clinic', 1);

SELECT n, move, kind, step, cost FROM workflow_track.workflow_alignment('clinic', 1, '{result.final}');

SELECT part, change, name, becomes FROM workflow_track.compare_workflows('default', 1, 'clinic', 1) WHERE part IN ('role', 'step');

SELECT workflow_track.import_bpmn('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="P">
  <task id="T1" name="Order placed"/><task id="T2" name="Analyse"/><sequenceFlow id="F" sourceRef="T1" targetRef="T2"/>
</process></definitions>', 'lab', kinds => '{"Analyse": "result.final"}');

SELECT workflow_track.define_scenario('{"scenario": "looked after", "steps": [{"step": "result", "kind": "result.final"}, {"step": "seen", "kind": "result.acknowledged", "within": "1 hour"}]}');
SELECT step, ok, explanation FROM workflow_track.check_scenario('looked after', 'P1');

SELECT * FROM workflow_track.scenario_tap('looked after', 'P1');

SELECT part, from_step FROM workflow_track.scenario_coverage('clinic', 1) WHERE scenarios = '{}';

SELECT step FROM workflow_track.play_scenario('looked after', 'training', '2024-03-06 08:00');

SELECT count(*) AS events FROM workflow_track.export_xes('2024-03-01', facility => 'NORTH', cases => 'patients') AS line WHERE line LIKE '%<event>%';

SELECT jsonb_array_length(string_agg(line, '')::jsonb -> 'objects') > 0 AS found FROM workflow_track.export_ocel('2024-03-01') AS line;

SELECT row_number, problem, kind, patient_id FROM workflow_track.xes_events(
  '<log><trace><event><string key="concept:name" value="note.signed"/><string key="patient_id" value="P1"/></event></trace></log>');

SELECT * FROM workflow_track.import_xes('note.xes',
  '<log><trace><event><string key="concept:name" value="note.signed"/><string key="patient_id" value="P1"/></event></trace></log>');

CREATE TABLE visits (line bigint GENERATED ALWAYS AS IDENTITY, who text, "when" text);
INSERT INTO visits (who, "when") VALUES ('P1', '04.03.2024 15:00');
SELECT * FROM workflow_track.import_csv('visits.csv', 'visits', '{"columns": {"activity": {"constant": "encounter.registered"}, "patient_id": "who",
  "occurred_at": "when"}, "time_format": "DD.MM.YYYY HH24:MI", "timezone": "America/Chicago"}');

INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.novak', 'provider');
CALL workflow_track.catch_up();

CALL workflow_track.rebuild();

SELECT workflow_track.pause_detection();
SELECT workflow_track.resume_detection();
CALL workflow_track.catch_up();

SELECT workflow_track.maintain();

SELECT workflow_track.ensure_partitions('2025-01-01', '2025-03-31');

SELECT workflow_track.drop_before('2020-01-01');

SELECT relation, problem, count(*) FROM workflow_track.check_consistency() GROUP BY 1, 2;

SELECT workflow_track.code_version();

INSERT INTO workflow_track.event_kind (kind, category, description)
VALUES ('transport.requested', 'transport', 'a patient transport was ordered');

UPDATE workflow_track.staff SET active_during = tstzrange(lower(active_during), '2024-03-05')
WHERE actor = 'dr.reyes';
CALL workflow_track.catch_up();

SELECT facility, role, actor, overdue_loops FROM workflow_track.task_queue_at('2024-03-10') ORDER BY oldest_due_at;

INSERT INTO workflow_track.facility_access (role_name, facility) VALUES ('north_quality', 'NORTH');

INSERT INTO workflow_track.test_patient VALUES ('P3');
SELECT count(*) FROM workflow_track.missed_follow_up_at('2024-03-10');

INSERT INTO workflow_track.subject_alias VALUES ('P2', 'F2', 'O2') ON CONFLICT DO NOTHING;

SELECT message_id, control_id, status, facility, care_facility, patient_id, identifiers, attempts FROM workflow_track.message ORDER BY message_id;

SELECT workflow, version, state FROM workflow_track.workflow ORDER BY workflow, version;

SET workflow_track.test_patients = on;
SELECT count(*) FROM workflow_track.missed_follow_up_at('2024-03-10');
