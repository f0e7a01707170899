CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- A message: its type, control id, patient, time and further segments; SOUTH has a facility of its own in PV1-3.
CREATE FUNCTION pg_temp.message(type text, id text, patient text, at text, more text DEFAULT '', visit text DEFAULT 'V', sender text DEFAULT 'EHR|NORTH', care text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT format(E'MSH|^~\\&|%1$s|||%2$s||%3$s|%4$s|P|2.5\rPID|1||%5$s\rPV1|1|I|^^^%6$s%7$s%8$s%9$s', sender, at, type, id, patient, care, repeat('|', 16), visit, more)
$$;
CREATE FUNCTION pg_temp.obr(placer text, filler text, status text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT format(E'\rOBR|1|%s|%s|GLU^Glucose^L%s%s', placer, filler, repeat('|', 21), status)
$$;
CREATE FUNCTION pg_temp.send(VARIADIC messages text[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO workflow_track.inbox (body) SELECT unnest(messages)
$$;

--
-- Each thing that may be the matter
--
SELECT pg_temp.send(pg_temp.message('ADT^A01', 'A1', 'P1', '202403010800'), pg_temp.message('ADT^A01', 'A1', 'P1', '202403010800'), pg_temp.message('ADT^A01', 'A2', 'P1', '202403010800'), pg_temp.message('ADT^A02', 'A1', 'P1', '202403010800'),
	pg_temp.message('ZZZ^Z01', 'A3', 'P1', '202403010800'), pg_temp.message('MDM^T02', 'A4', 'P1', '202403010800', E'\rTXA|1|OP||||||||||D1|||||AU', ''), pg_temp.message('ADT^A01', 'A5', 'P1', '', ''), pg_temp.message('ADT^A03', 'A6', '', '202403010800', '', ''),
	'no message', E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|A7|P|2.5\rbad', pg_temp.message('ADT^A45', 'A8', 'P1', '202403010800', E'\rMRG|P2||||V2'), E'BHS|^~\\&|EHR|NORTH\rBTS|3');
SELECT message_id, facility, source_system, control_id, message_type, problem, explanation, attempts, patient_id, encounter_id, subject FROM message_exception ORDER BY message_id, problem;
-- one message may have several
SELECT pg_temp.send(pg_temp.message('ORU^R01', 'A1', 'P1', '202403010800', pg_temp.obr('O1', 'F1', 'Q'), ''));
SELECT message_id, problem, explanation, subject FROM message_exception WHERE message_id = (SELECT max(message_id) FROM message) ORDER BY problem;
-- what is put right goes
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('z', '{ZZZ^Z01}', $$'data.entered'$$);
SELECT * FROM reprocess_where('unmapped');
SELECT problem, count(*) FROM message_exception GROUP BY problem ORDER BY problem;

--
-- Results without an order
--
CREATE FUNCTION pg_temp.lost(patient text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', message_type, control_id, subject, explanation), ', ' ORDER BY message_id) FROM workflow_track.message_exception WHERE patient_id = patient AND problem = 'no_order'
$$;
SELECT pg_temp.send(pg_temp.message('ORU^R01', 'B1', 'Q1', '202403010900', pg_temp.obr('O1', '', 'F')), pg_temp.message('ORU^R01', 'B2', 'Q2', '202403010900', pg_temp.obr('', 'F1', 'F')), pg_temp.message('ORU^R01', 'B3', 'Q3', '202403010900', pg_temp.obr('O1', '', 'F')),
	pg_temp.message('ORU^R01', 'B4', 'Q4', '202403010900', pg_temp.obr('', '', 'F')), pg_temp.message('ORU^R01', 'B5', 'Q5', '202403010900', pg_temp.obr('O1', '', 'F') || pg_temp.obr('O2', '', 'F')));
SELECT q, pg_temp.lost(q) FROM unnest('{Q1,Q2,Q3,Q4,Q5}'::text[]) q;
-- the order comes later
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'B6', 'Q1', '202403010800', E'\rORC|NW|O1' || pg_temp.obr('O1', '')), pg_temp.message('ORM^O01', 'B7', 'Q5', '202403010800', E'\rORC|NW|O1' || pg_temp.obr('O1', '')));
SELECT pg_temp.lost('Q1'), pg_temp.lost('Q5');
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'B8', 'Q5', '202403010800', E'\rORC|OK|O2' || pg_temp.obr('O2', '')));
SELECT pg_temp.lost('Q5');
-- by an alias
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'B9', 'Q2', '202403010800', E'\rORC|NW|O1' || pg_temp.obr('O1', '')));
SELECT pg_temp.lost('Q2');
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'B10', 'Q2', '202403010810', E'\rORC|SC|O1|F1'));
SELECT pg_temp.lost('Q2');
-- by a merge, and no more when that is retracted
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'B11', 'Q6', '202403010800', E'\rORC|NW|O1' || pg_temp.obr('O1', '')));
SELECT pg_temp.lost('Q3');
SELECT pg_temp.send(pg_temp.message('ADT^A40', 'B12', 'Q6', '202403011000', E'\rMRG|Q3'));
SELECT pg_temp.lost('Q3');
SELECT retract_event(event_id, 'another person') FROM event WHERE kind = 'patient.merged' AND patient_id = 'Q6';
SELECT pg_temp.lost('Q3');
-- an order that was entered in error is none; nor is a result that is
SELECT retract_event(event_id, 'in error') FROM event WHERE kind = 'order.placed' AND patient_id = 'Q1';
SELECT pg_temp.lost('Q1');
SELECT retract_event(event_id, 'in error') FROM event WHERE kind = 'result.final' AND patient_id = 'Q1';
SELECT pg_temp.lost('Q1');
-- of test patients nothing is shown
INSERT INTO test_patient VALUES ('Q3');
SELECT pg_temp.lost('Q3');
SET workflow_track.test_patients = on;
SELECT pg_temp.lost('Q3');
RESET workflow_track.test_patients;

--
-- Answers to messages: refused, or none
--
CREATE FUNCTION pg_temp.answer(id text, code text, answered text, more text DEFAULT '', sent_to text DEFAULT 'EHR|NORTH') RETURNS text LANGUAGE sql AS $$
	SELECT format(E'MSH|^~\\&|LIS|LAB|%s|202403010900||ACK^A01|%s|P|2.5\rMSA|%s|%s%s', sent_to, id, code, answered, more)
$$;
SELECT pg_temp.send(pg_temp.message('ADT^A28', 'D1', 'R1', '202403010800'), pg_temp.message('ADT^A28', 'D2', 'R2', '202403010800'), pg_temp.message('ADT^A28', 'D3', 'R3', '202403010800'), pg_temp.message('ADT^A28', 'D4', 'R4', '202403010800'),
	pg_temp.answer('X1', 'AA', 'D1'), pg_temp.answer('X2', 'AE', 'D2', E'|in MSA\rERR||PID^1|101^Required field missing^HL70357|E||||PID-3 is empty'), pg_temp.answer('X3', 'AR', 'D3', E'|in MSA\rERR||PID^1|101^Required field missing^HL70357|E'), pg_temp.answer('X4', 'CR', 'D4', '|in MSA'));
SELECT message_type, control_id, facility, problem, regexp_replace(explanation, '\d+', 'N') AS explanation, patient_id FROM message_exception WHERE problem = 'refused' ORDER BY message_id;
-- an answer may come before what it answers, or to what never came; one to another sender is none
SELECT pg_temp.send(pg_temp.answer('X5', 'CE', 'D5'), pg_temp.answer('X6', 'AE', 'D1', '', 'EHR|SOUTH'), pg_temp.answer('X7', 'AE', 'D7'));
SELECT message_type, control_id, problem, regexp_replace(explanation, '\d+', 'N') AS explanation FROM message_exception WHERE problem = 'refused' AND message_id > (SELECT max(message_id) - 3 FROM message) ORDER BY message_id;
SELECT pg_temp.send(pg_temp.message('ADT^A28', 'D5', 'R5', '202403010800'));
SELECT message_type, control_id, problem, regexp_replace(explanation, '\d+', 'N') AS explanation FROM message_exception WHERE problem = 'refused' AND message_id > (SELECT max(message_id) - 4 FROM message) ORDER BY message_id;
-- a sender is watched if its settings say so
SELECT count(*) FROM message_exception WHERE problem = 'unanswered';
INSERT INTO hl7v2_source (source_system, facility, answer_within) VALUES ('EHR', 'EAST', '1 microsecond'), ('EHR', 'WEST', '1 hour');
SELECT pg_temp.send(pg_temp.message('ADT^A28', 'E1', 'S1', '202403010800', '', '', 'EHR|EAST'), pg_temp.message('ADT^A28', 'E2', 'S2', '202403010800', '', '', 'EHR|EAST'), pg_temp.message('ADT^A28', 'E2', 'S2', '202403010800', '', '', 'EHR|EAST'), pg_temp.message('ADT^A28', '', 'S3', '202403010800', '', '', 'EHR|EAST'),
	pg_temp.message('ADT^A28', 'E1', 'S4', '202403010800', '', '', 'EHR|WEST'), pg_temp.answer('X8', 'AA', 'E1', '', 'EHR|EAST'), E'MSH|^~\\&|EHR|EAST|LIS|LAB|202403010900||ACK^A01|E3|P|2.5\rMSA|AA|L1');
SELECT message_type, control_id, facility, problem, explanation, patient_id FROM message_exception WHERE problem = 'unanswered' ORDER BY message_id;
SELECT pg_temp.send(pg_temp.answer('X9', 'AE', 'E2', '', 'EHR|EAST'));
SELECT message_type, control_id, problem FROM message_exception WHERE facility = 'EAST' ORDER BY message_id, problem;

--
-- All that came about a number
--
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'G1', 'T1', '202403010800', E'\rORC|NW|T-O1' || pg_temp.obr('T-O1', ''), 'T-V1'), pg_temp.message('ORM^O01', 'G2', 'T1', '202403010810', E'\rORC|SC|T-O1|T-F1', 'T-V1'), pg_temp.message('ORU^R01', 'G3', 'T1', '202403010900', pg_temp.obr('', 'T-F1', 'F'), 'T-V1'),
	pg_temp.message('ADT^A01', 'G4', 'T1', '202403010700', '', 'T-V1'), pg_temp.message('ADT^A28', 'G5', 'T1', '202403010600', '', ''), pg_temp.message('ORU^R01', 'G6', 'T2', '202403010900', pg_temp.obr('', 'T-F1', 'F'), 'T-V2'), pg_temp.message('ZZZ^Z02', 'G7', 'T1', '202403010900', pg_temp.obr('', 'T-F1'), 'T-V1'),
	pg_temp.message('ORU^R01', 'G3', 'T1', '202403010900', pg_temp.obr('', 'T-F1', 'F'), 'T-V1'));
CREATE FUNCTION pg_temp.traced(number text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(control_id || ' ' || array_to_string(matched, '+'), ', ' ORDER BY n) FROM (SELECT *, row_number() OVER () AS n FROM workflow_track.message_trace(number)) t
$$;
SELECT number, pg_temp.traced(number) FROM unnest('{T-O1,T-F1,T-V1,T-V2,T1,T2,no such}'::text[]) number;
SELECT facility, source_system, control_id, message_type, status, problem, explanation IS NOT NULL AS explained, patient_id, encounter_id, matched FROM message_trace('T-F1');
-- aliases are followed of the patients whose messages name the number itself
SELECT pg_temp.send(pg_temp.message('ORM^O01', 'G8', 'T2', '202403010810', E'\rORC|SC|T-O2|T-F1', 'T-V2'), pg_temp.message('ORM^O01', 'G9', 'T3', '202403010810', E'\rORC|NW|T-O2' || pg_temp.obr('T-O2', ''), 'T-V3'));
SELECT number, pg_temp.traced(number) FROM unnest('{T-O1,T-O2,T-F1}'::text[]) number;
SELECT pg_temp.traced(NULL);

--
-- Who sees what
--
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_message_north, regress_message_none, regress_message_recorder, regress_message_admin;
RESET client_min_messages;
CREATE ROLE regress_message_north IN ROLE workflow_track_analyst;
CREATE ROLE regress_message_none IN ROLE workflow_track_analyst;
CREATE ROLE regress_message_recorder IN ROLE workflow_track_recorder;
CREATE ROLE regress_message_admin IN ROLE workflow_track_admin;
INSERT INTO facility_access VALUES ('regress_message_north', 'NORTH');
-- where the patient is cared for decides, not who sent it
SELECT pg_temp.send(pg_temp.message('ORU^R01', 'H1', 'U1', '202403010900', pg_temp.obr('U-O1', 'U-F1', 'F'), 'V', 'EHR|NORTH', 'SOUTH'), pg_temp.message('ORU^R01', 'H2', 'U2', '202403010900', pg_temp.obr('U-O1', 'U-F1', 'F'), 'V', 'EHR|SOUTH', 'NORTH'), pg_temp.message('ZZZ^Z03', 'H3', 'U3', '202403010900', pg_temp.obr('U-O1', 'U-F1'), 'V', 'EHR|SOUTH'), E'MSH|^~\\&|EHR|SOUTH|||20240301||ADT^A01|H4|P|2.5\rbad');
SELECT control_id, facility, problem FROM message_exception WHERE control_id LIKE 'H%' ORDER BY message_id;
SET ROLE regress_message_north;
SELECT DISTINCT facility FROM message_exception;
SELECT control_id, problem FROM message_exception WHERE control_id LIKE 'H%' ORDER BY message_id;
SELECT control_id, facility FROM message_trace('U-O1');
SELECT control_id, facility FROM message_trace('U1');
SELECT is_unmatched_result('U1', 1);
SELECT count(*) FROM message;
SELECT count(*) FROM message_key;
SELECT count(*) FROM message_answer;
SELECT count(*) FROM cancellation;
SELECT count(*) FROM inbox;
SELECT count(*) FROM hl7v2_source;
SELECT count(*) > 0 AS readable FROM hl7v2_mapping;
SELECT ingest_hl7v2('');
SELECT ingest_hl7v2('\x'::bytea);
INSERT INTO inbox (body) VALUES ('');
SELECT reprocess(1);
SELECT * FROM reprocess_where('rejected');
SELECT * FROM message_events();
SELECT * FROM cancelled_events('{P1}');
UPDATE hl7v2_mapping SET enabled = false;
SET ROLE regress_message_none;
SELECT count(*) FROM message_exception;
SELECT count(*) FROM message_trace('U-O1');
RESET ROLE;
-- who records sends messages, and reads none
SET ROLE regress_message_recorder;
SELECT ingest_hl7v2(pg_temp.message('ADT^A28', 'I1', 'W1', '202403010800')) IS NOT NULL AS text, ingest_hl7v2(convert_to(pg_temp.message('ADT^A28', 'I2', 'W2', '202403010800'), 'UTF8')) IS NOT NULL AS bytes;
INSERT INTO inbox (body) VALUES (pg_temp.message('ADT^A40', 'I3', 'W1', '202403010900', E'\rMRG|W2')), (pg_temp.message('ADT^A11', 'I4', 'W1', '202403010900')), (pg_temp.message('ORM^O01', 'I5', 'W1', '202403010800', E'\rORC|NW|O1|F1' || pg_temp.obr('O1', 'F1'))), (pg_temp.answer('I6', 'AA', 'A1'));
COPY inbox (body) FROM stdin;
MSH|^~\\&|EHR|NORTH|||20240301||ADT^A28|I7|P|2.5\rPID|1||W1
\.
SELECT count(*) FROM message;
SELECT count(*) FROM inbox;
SELECT count(*) FROM message_exception;
SELECT * FROM message_trace('W1');
INSERT INTO message (format, facility, source_system, body_hash, status) VALUES ('hl7v2', '', '', gen_random_uuid(), 'processed');
INSERT INTO cancellation VALUES ('P1', now(), '{encounter.admitted}', 'V', NULL, NULL, NULL, true, '', 1);
INSERT INTO message_key (key, message_id, received_at) VALUES (gen_random_uuid(), 1, now());
SELECT reprocess(1);
UPDATE hl7v2_mapping SET enabled = false;
SELECT count(*) FROM hl7v2_source;
RESET ROLE;
SELECT control_id, status, problem FROM message WHERE control_id ~ '^I\d' ORDER BY message_id;
SELECT count(*) AS events, count(DISTINCT kind) AS kinds FROM event WHERE patient_id LIKE 'W%';
-- admins read them, and may have them read anew
SET ROLE regress_message_admin;
SELECT body IS NOT NULL AS body FROM message WHERE control_id = 'I1';
SELECT reprocess(message_id) FROM message WHERE control_id = 'I5';
SELECT * FROM reprocess_where('unknown_status');
SELECT count(*) > 10 AS seen FROM message_exception;
DELETE FROM message;
UPDATE message SET body = '';
INSERT INTO hl7v2_source (source_system, facility) VALUES ('X', 'Y');
DELETE FROM hl7v2_source WHERE source_system = 'X';
RESET ROLE;
DELETE FROM facility_access;
DROP ROLE regress_message_north, regress_message_none, regress_message_recorder, regress_message_admin;

--
-- Retention: months of messages go with those of events, and what tells their messages from later ones
--
SELECT make_message_month('2024-01-15');
SELECT pg_temp.send(pg_temp.message('ADT^A28', 'K1', 'Y1', '202401150800'), pg_temp.message('ADT^A28', 'K2', 'Y1', '202401150900', E'\rZZZ'), pg_temp.answer('K3', 'AA', 'K1'));
UPDATE message SET received_at = '2024-01-15' WHERE control_id IN ('K1', 'K3');
UPDATE message_key SET received_at = '2024-01-15' WHERE message_id IN (SELECT message_id FROM message WHERE control_id IN ('K1', 'K3'));
UPDATE message_answer SET received_at = '2024-01-15' WHERE message_id IN (SELECT message_id FROM message WHERE control_id = 'K3');
SELECT tableoid::regclass, control_id FROM message WHERE control_id IN ('K1', 'K3') ORDER BY control_id;
SELECT drop_before('2024-02-20');
SELECT to_regclass('message_2024_01') IS NULL AS dropped;
SELECT count(*) AS messages, (SELECT count(*) FROM message_key WHERE received_at < '2024-02-01') AS keys, (SELECT count(*) FROM message_answer WHERE received_at < '2024-02-01') AS answers FROM message WHERE received_at < '2024-02-01';
-- what was dropped is new if it comes again; what was kept is not
SELECT pg_temp.send(pg_temp.message('ADT^A28', 'K1', 'Y1', '202401150800'), pg_temp.message('ADT^A28', 'K2', 'Y1', '202401150900', E'\rZZZ'));
SELECT control_id, status, received_at > '2024-02-01' AS recent FROM message WHERE control_id IN ('K1', 'K2') ORDER BY message_id;
-- a month that is not there is made by the message that needs it
DO $$ BEGIN EXECUTE 'DROP TABLE ' || (SELECT tableoid::regclass FROM message LIMIT 1); END $$;
SELECT pg_temp.send(pg_temp.message('ADT^A28', 'L1', 'Y2', '202403010800'));
SELECT control_id, status FROM message;
