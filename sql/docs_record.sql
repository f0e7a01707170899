CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

SELECT workflow_track.record_event('result.final', 'P1', 'LIS', '2024-03-04 10:00',
  facility => 'NORTH', encounter_id => 'V1', subject => 'O1', item => 'F1',
  code => 'loinc|2823-3', value => '6.8', severity => 'critical', recipient => 'dr.reyes');

INSERT INTO workflow_track.event
  (occurred_at, facility, patient_id, encounter_id, subject, kind, actor, source_system) VALUES
  ('2024-03-04 08:00', 'NORTH', 'P1', 'V1', 'O1', 'order.placed',       'dr.reyes', 'EHR'),
  ('2024-03-04 08:40', 'NORTH', 'P1', 'V1', 'O1', 'specimen.collected', 'n.lind',   'EHR')
RETURNING event_id;

COPY workflow_track.event (occurred_at, facility, patient_id, encounter_id, subject, kind, value, source_system)
FROM STDIN (FORMAT csv, FORCE_NOT_NULL (facility));
2024-03-04 11:30Z,NORTH,P1,V1,O1,result.acknowledged,,EHR
2024-03-04 12:00Z,,P2,,R1,referral.sent,,EHR
\.

SELECT workflow_track.record_event('vitals.recorded', ' P3 ', 'EHR', '2024-03-04 09:00', value => ' 120/80 ');

SELECT quote_literal(patient_id) AS patient, quote_literal(value) AS value FROM workflow_track.event_history
WHERE kind = 'vitals.recorded' ORDER BY event_id;

INSERT INTO workflow_track.event_kind (kind, category, counts_as_work, description)
VALUES ('transport.requested', 'transport', true, 'a patient transport was ordered');

INSERT INTO workflow_track.staff (actor, role, facility, is_shared_inbox, active_during, display_name) VALUES
  ('dr.reyes',  'provider',     NULL,    false, NULL,                       'Dr. Ana Reyes'),
  ('n.lind',    'triage_nurse', 'NORTH', false, '[2022-09-01, 2024-06-01)', 'Ida Lind'),
  ('n.lind',    'charge_nurse', 'NORTH', false, '[2024-06-01,)',            'Ida Lind'),
  ('lab.inbox', 'provider',     NULL,    true,  NULL,                       'results, unassigned');
CALL workflow_track.catch_up();

SELECT workflow_track.retract_event(1, 'potassium of another patient');

SELECT workflow_track.record_event('patient.merged', 'P1', 'PMS', '2024-03-06 09:00', subject => 'P2');

INSERT INTO workflow_track.subject_alias (patient_id, alias, subject) VALUES ('P1', 'LAB-77', 'O1')
ON CONFLICT DO NOTHING;

INSERT INTO workflow_track.test_patient (patient_id) VALUES ('ZZ-TRAINING');

SELECT workflow_track.pause_detection();
INSERT INTO workflow_track.event (occurred_at, patient_id, subject, kind, source_system)
SELECT timestamptz '2023-01-01' + n * interval '1 hour', 'P' || n % 100, 'A' || n, 'order.placed', 'EHR'
FROM generate_series(1, 1000) n;
SELECT workflow_track.resume_detection();
CALL workflow_track.rebuild();
