CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

--
-- Three ways to record: by name, INSERT and COPY
--
SELECT record_event('order.placed', 'P1', 'EHR', '2024-01-10 08:00', source_sequence => 3, time_precision => 'minute',
	planned_at => '2024-01-11 08:00', facility => 'NORTH', encounter_id => 'V1', subject => 'O1', item => 'I1',
	code => 'loinc|2345-7', value => 'fasting', severity => 'normal', actor => 'dr.a', actor_role => 'provider',
	recipient => 'lab', recipient_role => 'desk', entry_method => 'manual', message_id => 7, detail => '{"unit": "ICU"}');
INSERT INTO event (occurred_at, patient_id, kind, subject)
VALUES ('2024-01-10 09:00', 'P1', 'order.placed', 'O2'), ('2024-01-10 09:00', 'P2', 'order.placed', 'O3') RETURNING event_id;
COPY event (occurred_at, patient_id, kind, subject, code, detail) FROM stdin;
2024-01-10 10:00	P1	order.placed	O4	\N	\N
2024-01-10 10:00+02	P2	order.placed	O5	loinc|2823-3	{"unit": "ER"}
\.
-- record_event() takes outer blanks off, and tells a null from an empty text
SELECT record_event(' order.placed ', ' P3 ', ' EHR', '2024-01-10 11:00', subject => 'O 6 ', facility => ' SOUTH', value => ' as it is ');
SELECT record_event('order.placed', 'P3', NULL, '2024-01-10 12:00', subject => 'O7', value => '');

\x
SELECT event_id, occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject,
	item, kind, code, value, severity, actor, actor_role, recipient, recipient_role, source_system, entry_method,
	message_id, detail FROM event WHERE event_id = 1;
\x
SELECT event_id, occurred_at, source_sequence AS seq, time_precision, facility, patient_id, kind, subject, code, value, source_system, detail
FROM event WHERE event_id > 1 ORDER BY event_id;
-- all of them are detected
SELECT patient_id, subject, status FROM care_loop_at('2024-01-12') ORDER BY opened_event_id;

-- recorded_at is the time of the transaction
BEGIN;
SELECT record_event('order.accepted', 'P1', 'EHR', '2024-01-10 08:05', subject => 'O1') AS event_id \gset
SELECT recorded_at = now() AS recorded_now FROM event WHERE event_id = :event_id;
ROLLBACK;

--
-- What cannot be given
--
INSERT INTO event (event_id, occurred_at, patient_id, kind) VALUES (99, '2024-01-10', 'P1', 'order.placed');
INSERT INTO event (recorded_at, occurred_at, patient_id, kind) VALUES ('2024-01-10', '2024-01-10', 'P1', 'order.placed');
COPY event (recorded_at, occurred_at, patient_id, kind) FROM stdin;
2024-01-10 08:00	2024-01-10	P1	order.placed
\.
-- nor by a recorder who overrides it
SET ROLE workflow_track_recorder;
INSERT INTO event (event_id, occurred_at, patient_id, kind) OVERRIDING SYSTEM VALUE VALUES (99, '2024-01-10', 'P1', 'order.placed');
\copy event (event_id, occurred_at, patient_id, kind) FROM /dev/null
INSERT INTO event (recorded_at, occurred_at, patient_id, kind) VALUES (now(), '2024-01-10', 'P1', 'order.placed');
RESET ROLE;
SELECT count(*) FROM event;

--
-- Append-only, whichever way an event is reached
--
SELECT ensure_partitions('2024-01-01', '2024-01-31');
UPDATE event SET value = 'changed';
DELETE FROM event WHERE event_id = 1;
TRUNCATE event;
UPDATE event_2024_01 SET value = 'changed';
DELETE FROM event_2024_01;
TRUNCATE event_2024_01;
UPDATE event_before SET value = 'changed';
DELETE FROM event_before;
TRUNCATE event_before;
INSERT INTO event (occurred_at, patient_id, kind) VALUES ('2024-01-10', 'P1', 'order.placed')
ON CONFLICT (event_id, occurred_at) DO UPDATE SET value = 'changed';
MERGE INTO event USING (VALUES (1)) AS v(id) ON event_id = v.id WHEN MATCHED THEN UPDATE SET value = 'changed';
MERGE INTO event USING (VALUES (1)) AS v(id) ON event_id = v.id WHEN MATCHED THEN DELETE;
SELECT count(*), count(*) FILTER (WHERE value = 'changed') AS changed FROM event;
-- what inserts alone is no change
INSERT INTO event (occurred_at, patient_id, kind, subject) VALUES ('2024-01-10 13:00', 'P4', 'order.placed', 'O8') ON CONFLICT DO NOTHING;
MERGE INTO event USING (VALUES (1000)) AS v(id) ON event_id = v.id
WHEN NOT MATCHED THEN INSERT (occurred_at, patient_id, kind, subject) VALUES ('2024-01-10 14:00', 'P4', 'order.placed', 'O9');
SELECT patient_id, subject, status FROM care_loop_at('2024-01-12') WHERE patient_id = 'P4' ORDER BY opened_event_id;

--
-- Retraction
--
SELECT record_event('order.placed', 'P5', 'EHR', '2024-01-10 08:00', subject => 'A') AS placed,
	record_event('result.final', 'P5', 'LIS', '2024-01-10 09:00', subject => 'A') AS resulted \gset
SELECT subject, opened_by_kind, status FROM care_loop_at('2024-01-20') WHERE patient_id = 'P5' ORDER BY opened_at;
SELECT retract_event(:resulted, 'of another patient');
SELECT subject, opened_by_kind, status FROM care_loop_at('2024-01-20') WHERE patient_id = 'P5' ORDER BY opened_at;
SELECT kind, retracted_reason, retracted_at IS NOT NULL AS retracted FROM event_history WHERE patient_id = 'P5' ORDER BY event_id;
-- the event itself stays
SELECT count(*) FROM event WHERE patient_id = 'P5';
-- once, of an event there is, and with a reason
SELECT retract_event(:resulted, 'of another patient');
SELECT retract_event(1000000, 'of another patient');
SELECT retract_event(:placed, NULL);
SELECT retract_event(:placed, '  ');
SELECT count(*) FROM retraction;
-- a retraction that is rolled back is none
BEGIN;
SELECT retract_event(:placed, 'in error');
ROLLBACK;
SELECT subject, opened_by_kind, status FROM care_loop_at('2024-01-20') WHERE patient_id = 'P5' ORDER BY opened_at;
-- one in the transaction that records leaves nothing to be found
BEGIN;
SELECT record_event('order.placed', 'P6', 'EHR', '2024-01-10 08:00', subject => 'A') AS placed \gset
SELECT retract_event(:placed, 'in error');
COMMIT;
SELECT count(*) FROM care_loop_at('2024-01-20') WHERE patient_id = 'P6';
