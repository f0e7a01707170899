CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');

SELECT define_workflow('{"workflow": "entries", "version": 1, "state": "current", "duplicates": [
 {"name": "given once", "kind": "immunization.administered", "same": ["code"], "different": ["source_system"], "within": "1 hour", "action": "reject"},
 {"name": "given again", "kind": "immunization.administered", "same": ["code"], "within": "1 hour", "action": "flag"}]}');
CREATE FUNCTION pg_temp.give(patient text, at text, system text DEFAULT 'EHR') RETURNS bigint LANGUAGE sql AS $$
	SELECT workflow_track.record_event('immunization.administered', patient, system, ('2024-01-10 ' || at)::timestamptz, code => 'cvx|140')
$$;
CREATE VIEW pg_temp.stored AS SELECT patient_id, occurred_at::time AS at, source_system AS system FROM event ORDER BY 1, 2, 3;
CREATE VIEW pg_temp.found AS SELECT patient_id, rule, original_at::time AS original, duplicate_at::time AS duplicate FROM duplicate_entry ORDER BY 1, 2, 4;

-- Refused by the statement, with the number of the original and nothing of what is in it.
SELECT pg_temp.give('P1', '08:00');
SELECT pg_temp.give('P1', '09:00', 'PMS');
\set VERBOSITY sqlstate
SELECT pg_temp.give('P1', '09:00', 'PMS');
INSERT INTO event (patient_id, kind, occurred_at, code, source_system) VALUES ('P1', 'immunization.administered', '2024-01-10 08:30', 'cvx|140', 'PMS');
INSERT INTO event (patient_id, kind, occurred_at, code, source_system) VALUES ('P1', 'immunization.administered', '2024-01-10 08:30', 'cvx|140', 'PMS') ON CONFLICT DO NOTHING;
COPY event (patient_id, kind, occurred_at, code, source_system) FROM stdin;
P2	immunization.administered	2024-01-10 08:30	cvx|140	PMS
P1	immunization.administered	2024-01-10 08:30	cvx|140	PMS
\.
-- so are two of one statement
INSERT INTO event (patient_id, kind, occurred_at, code, source_system) VALUES
	('P3', 'immunization.administered', '2024-01-10 08:00', 'cvx|140', 'EHR'),
	('P3', 'immunization.administered', '2024-01-10 08:30', 'cvx|140', 'PMS');
-- and of one transaction, which can go on
BEGIN;
SELECT pg_temp.give('P4', '08:00') > 0 AS recorded;
SAVEPOINT first;
SELECT pg_temp.give('P4', '08:30', 'PMS');
ROLLBACK TO first;
SELECT pg_temp.give('P4', '10:00', 'PMS') > 0 AS recorded;
COMMIT;
\set VERBOSITY default
SELECT * FROM stored;

-- Not refused: a microsecond more than within, another code or patient, the same system, which another rule flags.
SELECT pg_temp.give('P1', '09:00:00.000001', 'PMS') > 0 AS recorded, pg_temp.give('P5', '08:00', 'PMS') > 0 AS recorded, pg_temp.give('P1', '07:50') > 0 AS recorded,
	record_event('immunization.administered', 'P1', 'PMS', '2024-01-10 08:00', code => 'cvx|141') > 0 AS recorded;
-- Nor one that is earlier than what is stored: that is the duplicate now, but it is there.
SELECT pg_temp.give('P6', '10:00') > 0 AS recorded;
SELECT pg_temp.give('P6', '09:30', 'PMS') > 0 AS recorded;
SELECT * FROM found;

-- An original that was retracted stands in nobody's way.
SELECT pg_temp.give('P7', '08:00') AS original \gset
SELECT retract_event(:original, 'not given');
SELECT pg_temp.give('P7', '08:30', 'PMS') > 0 AS recorded;

-- What only the commit finds is refused there: here the patient turns out to be another.
SELECT pg_temp.give('P8', '08:00') > 0 AS recorded;
BEGIN;
SELECT pg_temp.give('P9', '08:30', 'PMS') > 0 AS recorded;
SELECT record_event('patient.merged', 'P8', 'EHR', '2024-01-10 12:00', subject => 'P9') > 0 AS recorded;
\set VERBOSITY sqlstate
COMMIT;
\set VERBOSITY default
SELECT * FROM stored WHERE patient_id IN ('P8', 'P9');
SELECT count(*) FROM patient_merge;
-- Of events stored before, a merge makes duplicates.
SELECT pg_temp.give('P9', '08:30', 'PMS') > 0 AS recorded;
SELECT record_event('patient.merged', 'P8', 'EHR', '2024-01-10 12:00', subject => 'P9') > 0 AS recorded;
SELECT * FROM found WHERE patient_id IN ('P8', 'P9');

-- While detection is paused, nothing is refused.
SELECT pause_detection();
SELECT pg_temp.give('P10', '08:00') > 0 AS recorded, pg_temp.give('P10', '08:30', 'PMS') > 0 AS recorded;
SELECT resume_detection();
CALL catch_up();
SELECT * FROM found WHERE patient_id = 'P10';
-- A rule that is no longer in force refuses nothing.
SELECT set_workflow_state('entries', 1, 'retired');
SELECT pg_temp.give('P1', '08:30', 'PMS') > 0 AS recorded;
