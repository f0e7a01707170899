CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
INSERT INTO workflow_track.event (facility, occurred_at, patient_id, kind, encounter_id, subject, source_system) VALUES
  ('NORTH', '2024-03-01 08:00', 'P1', 'encounter.registered', 'V1', NULL, 'PMS'),
  ('NORTH', '2024-03-01 09:00', 'P1', 'order.placed', 'V1', 'O1', 'EHR'),
  ('NORTH', '2024-03-01 09:05', 'P1', 'order.placed', 'V1', 'O2', 'EHR'),
  ('NORTH', '2024-03-01 10:00', 'P2', 'result.final', 'V1', 'O1', 'LIS'),
  ('NORTH', '2024-03-01 10:30', 'P3', 'vitals.recorded', 'V1', NULL, 'EHR'),
  ('NORTH', '2024-03-02 08:00', 'P1', 'encounter.registered', 'V2', NULL, 'PMS'),
  ('NORTH', '2024-03-02 09:00', 'P1', 'result.final', 'V2', 'O2', 'LIS'),
  ('NORTH', '2024-03-02 10:00', 'P1', 'result.final', 'V2', 'O3', 'LIS'),
  ('NORTH', '2024-03-02 11:00', 'P4', 'result.final', 'V4', NULL, 'LIS'),
  ('NORTH', '2024-03-03 08:00', 'P5', 'patient.merged', NULL, 'TEMP1', 'PMS'),
  ('NORTH', '2024-03-04 08:00', 'P6', 'patient.merged', NULL, 'TEMP1', 'PMS');

SELECT problem, patient_id, other_patient_id, encounter_id, subject, since FROM workflow_track.identity_conflict ORDER BY since;

SELECT explanation FROM workflow_track.identity_conflict WHERE problem = 'merged_into_two';

INSERT INTO workflow_track.event (facility, occurred_at, patient_id, kind, subject, source_system) VALUES ('NORTH', '2024-03-05 08:00', 'P1', 'patient.merged', 'P2', 'PMS');

SELECT problem, patient_id FROM workflow_track.identity_conflict WHERE patient_id = 'P2';
