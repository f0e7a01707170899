CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- An admission; the header from MSH-3 on can be given.
CREATE FUNCTION pg_temp.admission(patient text, id text, header text DEFAULT 'EHR|NORTH|WT|HERE|20240301080000||ADT^A01|%s|P|2.5') RETURNS text LANGUAGE sql AS $$
	SELECT E'MSH|^~\\&|' || format(header, id) || E'\rEVN||202403010800\rPID|1||' || patient || E'\rPV1|1|I' || repeat('|', 17) || 'V'
$$;
-- An answer without its time and number, a segment a line.
CREATE FUNCTION pg_temp.shown(answer text) RETURNS text LANGUAGE sql AS $$
	SELECT rtrim(replace(regexp_replace(regexp_replace(answer, '\d{14}\+0000', 'TIME', 'g'), 'WT\d+', 'WTn', 'g'), E'\r', E'\n'), E'\n')
$$;
-- The code that it gives.
CREATE FUNCTION pg_temp.code(answer text) RETURNS text LANGUAGE sql AS $$ SELECT substring(answer FROM 'MSA.(..)') $$;
-- What the last messages became.
CREATE FUNCTION pg_temp.last(n int) RETURNS TABLE (control_id text, status text, problem text, explanation text) LANGUAGE sql AS $$
	SELECT control_id, status, problem, explanation
	FROM (SELECT * FROM workflow_track.message ORDER BY message_id DESC LIMIT n) m ORDER BY message_id
$$;

--
-- A message, as text and as bytes
--
SELECT pg_temp.shown(ingest_hl7v2(pg_temp.admission('P1', 'C1')));
SELECT pg_temp.shown(convert_from(ingest_hl7v2(convert_to(pg_temp.admission('P2', 'C2'), 'UTF8')), 'UTF8'));
\x
SELECT message_id, received_at = recorded_at AS then_recorded, format, m.facility, m.source_system, control_id, message_type, replace(body, E'\r', E'\n') AS body,
	raw, status, problem, explanation, attempts, care_facility, m.patient_id, m.encounter_id, m.subject, problems, identifiers, is_result
FROM message m JOIN event e USING (message_id) ORDER BY message_id;
SELECT * FROM (SELECT event_id, occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind, code, value,
	severity, actor, actor_role, recipient, recipient_role, source_system, entry_method, message_id, detail FROM event) e WHERE message_id = 1;
\x
SELECT body::hl7v2 -> 'PID-3' AS patient, body = pg_temp.admission('P1', 'C1') AS verbatim FROM message WHERE message_id = 1;
SELECT ingest_hl7v2(NULL::text) IS NULL AS text, ingest_hl7v2(NULL::bytea) IS NULL AS bytes;
SELECT count(*) FROM message;

--
-- What came before
--
-- the same again is resent, by whichever way, however its lines end and whatever frames it
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C1')));
INSERT INTO inbox (body) VALUES (pg_temp.admission('P1', 'C1'));
SELECT pg_temp.code(ingest_hl7v2(replace(pg_temp.admission('P1', 'C1'), E'\r', E'\r\n'))), pg_temp.code(ingest_hl7v2(E'\x0b' || pg_temp.admission('P1', 'C1') || E'\r\x1c\r'));
SELECT * FROM pg_temp.last(4);
-- the same but for MSH-7, MSH-10 or MSH-13 is repeated; and that, once more, resent
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C1', 'EHR|NORTH|WT|HERE|20240301080001||ADT^A01|%s|P|2.5'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C3'))),
	pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C4', 'EHR|NORTH|WT|HERE|20240301080000||ADT^A01|%s|P|2.5|7'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C3')));
SELECT * FROM pg_temp.last(4);
-- what differs elsewhere is another message: of another sender, of another content; under an id that was used, that is listed
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C1', 'EHR|SOUTH|WT|HERE|20240301080000||ADT^A01|%s|P|2.5'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C1', 'EHR|NORTH|WT|HERE|20240301080000||ADT^A04|%s|P|2.5'))),
	pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C5', 'EHR|NORTH|WT|HERE|20240301080000|x|ADT^A01|%s|P|2.5'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C3', 'EHR|NORTH|WT|HERE|20240301080000||ADT^A04|%s|P|2.4')));
SELECT * FROM pg_temp.last(4);
SELECT message_id, control_id, problem FROM message_exception WHERE problem = 'id_reuse' ORDER BY message_id;
-- it stays listed when it is read anew, and check_consistency() would miss it
SELECT message_id, reprocess(message_id) FROM message_exception WHERE problem = 'id_reuse' ORDER BY message_id;
SELECT message_id, control_id, problem, explanation, attempts FROM message_exception WHERE problem = 'id_reuse' ORDER BY message_id;
SELECT * FROM check_consistency();
BEGIN;
UPDATE message SET problem = NULL, problems = NULL WHERE problem = 'id_reuse';
SELECT * FROM check_consistency();
ROLLBACK;
-- that, once more, is resent; as is what has no id
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('P1', 'C1', 'EHR|NORTH|WT|HERE|20240301080000||ADT^A04|%s|P|2.5'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('P3', ''))), pg_temp.code(ingest_hl7v2(pg_temp.admission('P3', ''))),
	pg_temp.code(ingest_hl7v2(pg_temp.admission('P3', 'C9')));
SELECT * FROM pg_temp.last(4);
-- all of that together, in one statement and in one text
INSERT INTO inbox (body) VALUES (pg_temp.admission('P4', 'D1')), (pg_temp.admission('P4', 'D1')), (pg_temp.admission('P4', 'D2')), (pg_temp.admission('P4', 'D2')), (pg_temp.admission('P5', 'D1')), (pg_temp.admission('P5', 'D1')), (pg_temp.admission('P1', 'C1'));
SELECT * FROM pg_temp.last(7);
SELECT pg_temp.shown(ingest_hl7v2(concat_ws(E'\r', pg_temp.admission('P6', 'D3'), pg_temp.admission('P6', 'D3'), pg_temp.admission('P6', 'D4'), pg_temp.admission('P7', 'D3'))));
SELECT * FROM pg_temp.last(4);
-- after 30 days, content that comes again is new
UPDATE message_key SET received_at = received_at - interval '31 days' WHERE message_id IN (SELECT message_id FROM message WHERE patient_id IN ('P6', 'P7'));
INSERT INTO inbox (body) VALUES (pg_temp.admission('P6', 'D5')), (pg_temp.admission('P6', 'D5')), (pg_temp.admission('P6', 'D6')), (pg_temp.admission('P7', 'D3'));
SELECT * FROM pg_temp.last(4);
-- each content gave its events once
SELECT patient_id, kind, source_system, facility, count(*) FROM event WHERE patient_id ~ '^P\d$' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;

--
-- What is not understood
--
-- incomplete
SELECT pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|F' || n || E'|P|2.5\r' || body))
FROM (VALUES (1, E'PV1|1|I|||||||||||||||||V'), (2, E'PID|1\rPV1|1|I|||||||||||||||||V'), (3, E'PID|1||""\rPV1|1|I|||||||||||||||||V'), (4, E'PID|1|| \rPV1|1|I|||||||||||||||||V'),
	(5, E'PID|1||Q1\rPV1|1|I'), (6, E'PID|1||Q1'), (7, E'PID|1||' || repeat('x', 201) || E'\rPV1|1|I|||||||||||||||||V'), (8, E'PID|1||Q1\rPV1|1|I|||||||||||||||||' || repeat('x', 201)),
	(9, E'EVN||||||x\rPID|1||Q1\rPV1|1|I|||||||||||||||||V'), (10, E'EVN||20240230\rPID|1||Q1\rPV1|1|I|||||||||||||||||V'), (11, E'EVN||18991231\rPID|1||Q1\rPV1|1|I|||||||||||||||||V'), (12, E'EVN||22000101\rPID|1||Q1\rPV1|1|I|||||||||||||||||V'),
	(13, E'EVN||||||2024-03-01\rPID|1||Q1\rPV1|1|I|||||||||||||||||V'), (14, E'EVN||' || to_char(now() + interval '3 days', 'YYYYMMDDHH24MI') || E'\rPID|1||Q1\rPV1|1|I|||||||||||||||||V')) v (n, body);
SELECT * FROM pg_temp.last(14);
SELECT pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||||ADT^A01|F20|P|2.5\rPID|1||Q1\rPV1|1|I|||||||||||||||||V')), pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||DFT^P03|F21|P|2.5\rPID|1||Q1\rFT1|1|||||CG|GLU^Glucose^L')),
	pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ACK|F22|P|2.5\rMSA|AA')), pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ACK|F23|P|2.5\rMSA||1'));
SELECT * FROM pg_temp.last(4);
SELECT count(*) FROM event WHERE patient_id = 'Q1';
-- a little ahead of this clock is taken
SELECT pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|F24|P|2.5\rEVN||' || to_char(now() + interval '1 day', 'YYYYMMDDHH24MI') || E'\rPID|1||Q2\rPV1|1|I|||||||||||||||||V'));
SELECT count(*) FROM event WHERE patient_id = 'Q2';
-- what is incomplete in one segment says nothing of the others
SELECT pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ORM^O01|F25|P|2.5\rPID|1||Q3\rPV1|1|I|||||||||||||||||V\rORC|NW|A||||||||\rOBR|1|A||X\rORC|NW|B|||||||x\rOBR|2|B||X\rORC|NW|C|||||||202403010900\rOBR|3|C||X'));
SELECT * FROM pg_temp.last(1);
SELECT subject, occurred_at FROM event WHERE patient_id = 'Q3' ORDER BY subject;
-- unmapped; processed, where a rule knows the type and nothing comes of it
SELECT pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A60|F30|P|2.5\rPID|1||Q4')), pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ZZZ|F31|P|2.5\rPID|1||Q4')), pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||MDM^T02|F32|P|2.5\rPID|1||Q4'));
SELECT * FROM pg_temp.last(3);
-- rejected
SELECT n, pg_temp.shown(ingest_hl7v2(body)) AS answer FROM (VALUES (1, ''), (2, 'no message'), (3, E'PID|1||Q5'), (4, 'MSH'), (5, 'MSH|^~\&|EHR|NORTH|||20240301'), (6, 'MSH|^^\&|EHR|NORTH|||20240301||ADT^A01|F46|P|2.5'), (7, E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|F47|P|2.5\rPID|1||Q5\rnot a segment'),
	(8, E'MSH|^~\\&|EHR|NORTH|||20240301|||F48|P|2.5\rPID|1||Q5'), (9, 'MSH|^~\&|EHR|NORTH|||20240301||ADT^A01|' || repeat('x', 201) || '|P|2.5'), (10, 'MSH|^~\&|EHR|NORTH|||20240301||ADT^A01|F49|P|2.3' || E'\rPID|1||Q5\rPID'), (11, 'MSH|^~\&|EHR|NORTH|||20240301||ADT^A01|F50|P|2.3' || E'\rpid|1||Q5'),
	(12, 'MSHx')) v (n, body) ORDER BY n;
SELECT status, problem, explanation, left(control_id, 10) AS control_id, message_type, source_system, facility FROM message WHERE message_id > (SELECT max(message_id) - 12 FROM message) ORDER BY message_id;
SELECT pg_temp.shown(convert_from(ingest_hl7v2(convert_to(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|F51|P|2.5\rPID|1||Q5', 'UTF8') || '\x00'::bytea), 'UTF8')) AS answer;
SELECT status, problem, explanation, control_id, body, encode(raw, 'escape') AS raw FROM message ORDER BY message_id DESC LIMIT 1;
SELECT count(*) FROM event WHERE patient_id = 'Q5';
-- the same again is resent, if its control id can be read, and is answered as before
SELECT pg_temp.code(ingest_hl7v2('no message')), pg_temp.code(ingest_hl7v2(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|F47|P|2.5\rPID|1||Q5\rnot a segment'));
SELECT * FROM pg_temp.last(2);

--
-- One that is bad among many
--
INSERT INTO inbox (body)
SELECT CASE n WHEN 7777 THEN 'no message' || n ELSE pg_temp.admission('bulk ' || n % 100, 'N' || n) || E'\rZZZ|' || n END FROM generate_series(1, 10000) n;
SELECT status, problem, count(*) FROM message WHERE patient_id LIKE 'bulk%' OR body LIKE 'no message7%' GROUP BY status, problem ORDER BY status;
SELECT count(*), count(DISTINCT message_id) AS messages, count(DISTINCT patient_id) AS patients FROM event WHERE patient_id LIKE 'bulk%';
SELECT bool_and(body = pg_temp.admission('bulk ' || n % 100, 'N' || n) || E'\rZZZ|' || n) AS as_sent FROM message m, LATERAL (SELECT substring(control_id FROM 2)::int AS n) c WHERE patient_id LIKE 'bulk%';

--
-- COPY
--
COPY inbox (body) FROM stdin;
MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|G1|P|2.5\rEVN||202403010800\rPID|1||R1\rPV1|1|I|||||||||||||||||V
no message
MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|G2|P|2.5\r\nEVN||202403010800\r\nPID|1||R2\r\nPV1|1|I|||||||||||||||||V\r\n
\N

\.
COPY inbox (format, body) FROM stdin (FORMAT csv);
hl7v2,"MSH|^~\&|EHR|NORTH|||20240301||ADT^A01|G3|P|2.5
EVN||202403010800
PID|1||R3^^^""H""
PV1|1|I|||||||||||||||||V"
,"MSH|^~\&|EHR|NORTH|||20240301||ADT^A01|G4|P|2.5|||||||8859/1
EVN||202403010800
PID|1||Rü4
PV1|1|I|||||||||||||||||V"
\.
COPY inbox (raw) FROM stdin (FORMAT csv);
\x4d53487c5e7e5c267c4548527c4e4f5254487c7c7c32303234303330317c7c4144545e4130317c47357c507c322e357c7c7c7c7c7c383835392f310d45564e7c7c3230323430333031303830300d5049447c317c7c52fc350d5056317c317c497c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c56
\x00ff
\.
SELECT status, problem, control_id, patient_id, body IS NULL AS no_body, raw IS NOT NULL AS raw FROM (SELECT * FROM message ORDER BY message_id DESC LIMIT 9) m ORDER BY message_id;
SELECT patient_id, kind FROM event WHERE patient_id LIKE 'R%' ORDER BY patient_id;
-- nothing can be read there
TABLE inbox;
SELECT count(*) FROM inbox;
UPDATE inbox SET body = '';
DELETE FROM inbox;
-- what cannot be stored: nothing of the statement is
CREATE FUNCTION pg_temp.received() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM workflow_track.message $$;
SELECT pg_temp.received() AS received \gset
INSERT INTO inbox (format, body) VALUES ('hl7v2', pg_temp.admission('S1', 'H1')), ('fhir', '{}');
INSERT INTO inbox (format, body) VALUES ('HL7', pg_temp.admission('S1', 'H1'));
INSERT INTO inbox (body, raw) VALUES (pg_temp.admission('S1', 'H1'), '\x00');
COPY inbox (format, body) FROM stdin;
hl7v2	MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|H1|P|2.5\rPID|1||S1
fhir	{}
\.
SELECT pg_temp.received() - :received AS more;
-- and it does not come with the next
INSERT INTO inbox (body) VALUES (pg_temp.admission('S2', 'H2'));
SELECT pg_temp.received() - :received AS more;
INSERT INTO inbox (body) VALUES (NULL);
INSERT INTO inbox DEFAULT VALUES;
SELECT * FROM pg_temp.last(2);

--
-- Transactions
--
BEGIN;
INSERT INTO inbox (body) VALUES (pg_temp.admission('T1', 'I1'));
SAVEPOINT a;
INSERT INTO inbox (body) VALUES (pg_temp.admission('T2', 'I2'));
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('T3', 'I3')));
ROLLBACK TO a;
INSERT INTO inbox (body) VALUES (pg_temp.admission('T4', 'I4'));
SAVEPOINT b;
INSERT INTO inbox (body) VALUES (pg_temp.admission('T5', 'I5'));
RELEASE b;
SAVEPOINT c;
INSERT INTO inbox (format, body) VALUES ('hl7v2', pg_temp.admission('T6', 'I6')), ('fhir', '');
ROLLBACK TO c;
SELECT status, control_id FROM message WHERE control_id ~ '^I\d' ORDER BY control_id;
COMMIT;
BEGIN;
INSERT INTO inbox (body) VALUES (pg_temp.admission('T7', 'I7'));
ROLLBACK;
SELECT status, control_id FROM message WHERE control_id ~ '^I\d' ORDER BY control_id;
SELECT patient_id FROM event WHERE patient_id ~ '^T\d' ORDER BY patient_id;
-- what was rolled back is not known
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('T2', 'I2'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('T7', 'I7')));
SELECT * FROM pg_temp.last(2);
-- a function that goes on after an error
CREATE FUNCTION pg_temp.try(format text, body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO workflow_track.inbox (format, body) VALUES ('hl7v2', body), (format, replace(body, '|P|', '|T|'));
	RETURN 'stored';
EXCEPTION WHEN others THEN
	INSERT INTO workflow_track.inbox (body) VALUES (replace(body, '|P|', '|D|'));
	RETURN SQLERRM;
END
$$;
SELECT pg_temp.try('hl7v2', pg_temp.admission('U1', 'J1')), pg_temp.try('fhir', pg_temp.admission('U2', 'J2'));
SELECT control_id, body::hl7v2 -> 'MSH-11' AS id, status, problem FROM message WHERE control_id ~ '^J\d' ORDER BY message_id;
SELECT patient_id, count(*) FROM event WHERE patient_id ~ '^U\d' GROUP BY 1 ORDER BY 1;
-- one that inserts while rows are inserted
CREATE FUNCTION pg_temp.nested(n int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF n = 2 THEN
		PERFORM workflow_track.ingest_hl7v2(pg_temp.admission('U4', 'K' || n || 'a'));
		INSERT INTO workflow_track.inbox (body) VALUES (pg_temp.admission('U5', 'K' || n || 'b'));
	END IF;
	RETURN pg_temp.admission('U3', 'K' || n) || E'\rZZZ|' || n;
END
$$;
INSERT INTO inbox (body) SELECT pg_temp.nested(n) FROM generate_series(1, 3) n;
SELECT control_id, status FROM message WHERE control_id ~ '^K\d' ORDER BY control_id;
BEGIN READ ONLY;
SELECT ingest_hl7v2(pg_temp.admission('U6', 'L1'));
ROLLBACK;
BEGIN READ ONLY;
INSERT INTO inbox (body) VALUES (pg_temp.admission('U6', 'L1'));
ROLLBACK;
SELECT count(*) FROM message WHERE control_id = 'L1';

--
-- Batches, frames, byte order marks: the parts together are all that came
--
CREATE FUNCTION pg_temp.parts(input text) RETURNS TABLE (type text, control_id text, status text, problem text, explanation text, verbatim boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	before bigint := (SELECT max(message_id) FROM workflow_track.message);
BEGIN
	INSERT INTO workflow_track.inbox (body) VALUES (input);
	RETURN QUERY SELECT message_type, control_id, status, problem, explanation, md5(string_agg(body, '') OVER (ORDER BY message_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) = md5(input)
		FROM workflow_track.message WHERE message_id > before ORDER BY message_id;
END
$$;
SELECT * FROM pg_temp.parts(concat_ws(E'\r', 'FHS|^~\&|EHR|NORTH|||20240301||||F1', 'BHS|^~\&|EHR|NORTH|||20240301||||B1', pg_temp.admission('V1', 'M1'), pg_temp.admission('V2', 'M2'), 'BTS|2', 'FTS|1', ''));
SELECT * FROM pg_temp.parts(concat_ws(E'\r', 'FHS|^~\&|EHR|NORTH|||20240301||||F2', 'BHS|^~\&|EHR|NORTH|||20240301||||B2', pg_temp.admission('V3', 'M3'), pg_temp.admission('V4', 'M4'), 'BTS|3', 'FTS|1'));
-- several batches in a file, an empty one, and one that tells no count
SELECT * FROM pg_temp.parts(concat_ws(E'\n', 'BHS|^~\&|EHR|NORTH', pg_temp.admission('V5', 'M5'), 'BTS|1', 'BHS|^~\&|EHR|NORTH', 'BTS|0', 'BHS|^~\&|EHR|NORTH', pg_temp.admission('V6', 'M6'), 'BTS', 'BHS|^~\&|EHR|NORTH', pg_temp.admission('V7', 'M7'), 'no segment', 'BTS|9'));
-- counts of batches that lack every message; of one that began elsewhere nothing is known
SELECT * FROM pg_temp.parts(concat_ws(E'\r\n', 'BHS|^~\&|EHR|NORTH', 'BTS|2', 'BHS|^~\&|EHR|NORTH', 'BTS|0', 'BHS|^~\&|EHR|NORTH|||||ABTS|1', pg_temp.admission('W0', 'M0'), 'BTS|1', 'BHS|^~\&|EHR|NORTH', 'BTS|7'));
SELECT * FROM pg_temp.parts(E'BTS|2\r');
-- without any
SELECT * FROM pg_temp.parts(pg_temp.admission('V8', 'M8') || E'\r' || pg_temp.admission('V9', 'M9') || E'\r\n\r\n' || pg_temp.admission('W1', 'M10') || E'\n');
-- MLLP, with and without line ends; a byte order mark in front of any
SELECT * FROM pg_temp.parts(E'\x0b' || pg_temp.admission('W2', 'M11') || E'\r\x1c\r\x0b' || pg_temp.admission('W3', 'M12') || E'\r\x1c\r');
SELECT * FROM pg_temp.parts(U&'\FEFF' || pg_temp.admission('W4', 'M13') || E'\r' || U&'\FEFF' || pg_temp.admission('W5', 'M14') || E'\r\n');
SELECT * FROM pg_temp.parts(E'\r\n \t' || pg_temp.admission('W6', 'M15') || E'\r\n\r\n');
SELECT * FROM pg_temp.parts(E'something before\r' || pg_temp.admission('W7', 'M16') || E'\rnot a segment\r' || pg_temp.admission('W8', 'M17'));
-- MSH within a field is none
SELECT * FROM pg_temp.parts(pg_temp.admission('W9', 'M18') || E'\rNTE|1||MSH|^~\\&|EHR');
SELECT string_agg(patient_id, ' ' ORDER BY event_id) FROM event WHERE patient_id ~ '^[VW]\d$';
-- a batch is answered with one
SELECT pg_temp.shown(ingest_hl7v2(concat_ws(E'\r', 'FHS|^~\&|EHR|NORTH|||20240301||||F3', 'BHS|^~\&|EHR|NORTH|||20240301||||B3', pg_temp.admission('X1', 'O1'), pg_temp.admission('X2', 'O2') || E'\rbad', 'BTS|2', 'FTS|1')));
-- bytes
SELECT string_agg(chr(n), '') AS latin FROM generate_series(161, 255) n \gset
SELECT convert_to(pg_temp.admission('X3', 'O3', 'EHR|NORTH|||20240301||ADT^A01|%s|P|2.5||||||8859/1') || E'\rNTE|1||' || :'latin' || E'\r\r\n', 'latin1') || convert_to(pg_temp.admission('X4', 'O4') || E'\rNTE|1||' || :'latin' || E'\r', 'utf8') || '\xff000102'::bytea AS bytes \gset
INSERT INTO inbox (raw) VALUES (:'bytes');
SELECT control_id, status, problem, body LIKE '%' || :'latin' || '%' AS text, raw IS NOT NULL AS raw FROM (SELECT * FROM message ORDER BY message_id DESC LIMIT 2) m ORDER BY message_id;
SELECT md5(string_agg(coalesce(raw, convert_to(body, 'UTF8')), '' ORDER BY message_id)) = md5(:'bytes'::bytea) AS verbatim FROM (SELECT * FROM message ORDER BY message_id DESC LIMIT 2) m;
-- a large one
SELECT length(pg_temp.code(ingest_hl7v2(pg_temp.admission('X5', 'O5') || E'\rOBX|1|ED|X||' || repeat(md5('x'), 100000)))) AS answered;
SELECT status, md5(body) = md5(pg_temp.admission('X5', 'O5') || E'\rOBX|1|ED|X||' || repeat(md5('x'), 100000)) AS verbatim FROM message WHERE control_id = 'O5';
-- other separators, in the message and so in the answer
SELECT pg_temp.shown(ingest_hl7v2(translate(pg_temp.admission('X^Y', 'O6'), '|^~\&', '#*@!$')));
SELECT status, patient_id, source_system, facility FROM message WHERE control_id = 'O6';

--
-- Character sets
--
CREATE FUNCTION pg_temp.bytes(patient text, id text, charset text, encoding name) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(pg_temp.admission(patient, id, 'Zü|NORTH|||20240301||ADT^A01|%s|P|2.5||||||' || charset), encoding)
$$;
SELECT v.*, pg_temp.code(convert_from(ingest_hl7v2(pg_temp.bytes('Yü', id, charset, encoding)), encoding)) AS answer
FROM (VALUES ('Q1', '8859/1', 'latin1'), ('Q2', 'ISO_8859-1', 'latin1'), ('Q3', 'LATIN1', 'latin1'), ('Q4', '8859/15~ISO IR87', 'latin9'), ('Q5', 'UNICODE UTF-8', 'utf8'), ('Q6', '', 'utf8'), ('Q7', '8859/2', 'latin2'), ('Q8', 'GB 18030-2000', 'gb18030'),
	('Q9', 'ASCII', 'latin1'), ('Q10', 'UNICODE UTF-8', 'latin1'), ('Q11', '', 'latin1'), ('Q12', 'KLINGON', 'latin1'), ('Q13', '8859/1', 'utf8')) v (id, charset, encoding);
SELECT control_id, status, problem, explanation, source_system, patient_id, raw IS NOT NULL AS raw FROM message WHERE control_id ~ '^Q\d+$' ORDER BY message_id;
-- ASCII that is ASCII; and text is text already, whatever MSH-18 says
SELECT pg_temp.code(convert_from(ingest_hl7v2(convert_to(pg_temp.admission('Y1', 'R1', 'EHR|NORTH|||20240301||ADT^A01|%s|P|2.5||||||ASCII'), 'UTF8')), 'UTF8')), pg_temp.code(ingest_hl7v2(pg_temp.admission('Yü', 'R2', 'EHR|NORTH|||20240301||ADT^A01|%s|P|2.5||||||ASCII'))),
	pg_temp.code(ingest_hl7v2(pg_temp.admission('Yü', 'R3', 'EHR|NORTH|||20240301||ADT^A01|%s|P|2.5||||||KLINGON')));
SELECT * FROM pg_temp.last(3);
-- what MSH-18 does not say, the sender's settings do
INSERT INTO hl7v2_source (source_system, facility, charset) VALUES ('LIS', 'NORTH', 'LATIN1'), ('RIS', 'NORTH', 'ISO 8859-2'), ('BAD', 'NORTH', 'ASCII');
SELECT pg_temp.code(convert_from(ingest_hl7v2(convert_to(replace(pg_temp.admission('Yü', id), 'EHR', source), encoding)), encoding)) FROM (VALUES ('LIS', 'S1', 'latin1'), ('RIS', 'S2', 'latin2'), ('BAD', 'S3', 'utf8'), ('EHR', 'S4', 'latin1')) v (source, id, encoding);
SELECT control_id, status, problem, explanation, patient_id FROM message WHERE control_id ~ '^S\d+$' ORDER BY message_id;
INSERT INTO hl7v2_source (source_system, facility, charset) VALUES ('X', '', 'KLINGON');
-- an answer is in the character set of what it answers
SELECT ingest_hl7v2(pg_temp.bytes('Y3', 'T1', '8859/1', 'latin1')) AS answer \gset
SELECT pg_temp.shown(convert_from(:'answer'::bytea, 'latin1'));
-- the same text in two character sets is the same message
SELECT pg_temp.code(convert_from(ingest_hl7v2(convert_to(pg_temp.admission('Yü', 'T2', 'LIS|NORTH|||20240301||ADT^A01|%s|P|2.5'), 'latin1')), 'latin1')), pg_temp.code(ingest_hl7v2(pg_temp.admission('Yü', 'T2', 'LIS|NORTH|||20240301||ADT^A01|%s|P|2.5')));
SELECT * FROM pg_temp.last(2);

--
-- Answers
--
-- by version
SELECT pg_temp.shown(ingest_hl7v2(pg_temp.admission('Z1', 'U' || version, 'EHR|NORTH|WT|HERE|20240301||ADT^A01|%s|T|' || version))) AS good, pg_temp.shown(ingest_hl7v2(pg_temp.admission('Z1', 'B' || version, 'EHR|NORTH|WT|HERE|20240301||ADT^A01|%s|P|' || version) || E'\rbad')) AS bad
FROM unnest('{2.2,2.3,2.4,2.5.1,2.8,""}'::text[]) version;
-- original mode, and enhanced: what MSH-15 and MSH-16 want to hear, of what is stored and of what is rejected
SELECT accept, application, pg_temp.code(ingest_hl7v2(pg_temp.admission('Z2', 'V' || accept || application, 'EHR|NORTH|||20240301||ADT^A01|%s|P|2.5|||' || accept || '|' || application))) AS good,
	pg_temp.code(ingest_hl7v2(pg_temp.admission('Z2', 'W' || accept || application || '|P|2.5|||' || accept || '|' || application || E'\rbad', 'EHR|NORTH|||20240301||ADT^A01|%s|'))) AS bad
FROM unnest(ARRAY['', 'AL', 'NE', 'ER', 'SU']) accept, unnest(ARRAY['', 'AL', 'NE', 'ER', 'SU']) application;
-- what rejected messages are answered with
INSERT INTO hl7v2_source (source_system, facility, rejected_code) VALUES ('A1', '', 'AR'), ('A2', '', 'AA'), ('A3', '', 'CE');
INSERT INTO hl7v2_source (source_system, facility, rejected_code) VALUES ('A1', '', 'AR'), ('A2', '', 'AA');
SELECT source, pg_temp.code(ingest_hl7v2(format(E'MSH|^~\\&|%s||||20240301||ADT^A01|X1|P|2.5|||%s\rbad', source, accept))) AS rejected, pg_temp.code(ingest_hl7v2(format(E'MSH|^~\\&|%s||||20240301||ADT^A01|X2|P|2.5|||%s', source, accept))) AS incomplete
FROM unnest('{A1,A2,A3}'::text[]) source, unnest(ARRAY['', 'AL']) accept;

--
-- A rule that refuses duplicates, and a trigger of the site's, hurt the message that they refuse and no other
--
SELECT define_workflow('{"workflow": "once", "version": 1, "state": "current", "duplicates": [{"kind": "encounter.admitted", "same": ["encounter_id"], "within": "1 hour", "action": "reject"}]}');
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('a1', 'Y1'))), pg_temp.code(ingest_hl7v2(pg_temp.admission('a1', 'Y2') || E'\rZZZ'));
SELECT * FROM pg_temp.last(2);
INSERT INTO inbox (body) VALUES (pg_temp.admission('a2', 'Y3')), (pg_temp.admission('a1', 'Y4') || E'\rZZZ|1'), (pg_temp.admission('a2', 'Y5') || E'\rZZZ|1'), (pg_temp.admission('a3', 'Y6')), ('bad');
SELECT * FROM pg_temp.last(5);
SELECT patient_id, count(*) FROM event WHERE patient_id ~ '^a\d' GROUP BY patient_id ORDER BY patient_id;
SELECT patient_id, count(*) FROM duplicate_entry WHERE patient_id ~ '^a\d' GROUP BY patient_id;
SELECT set_workflow_state('once', 1, 'retired');
-- once the rule is no more
SELECT * FROM reprocess_where('not_recorded');
SELECT patient_id, count(*) FROM event WHERE patient_id ~ '^a\d' GROUP BY patient_id ORDER BY patient_id;
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.patient_id = 'b2' THEN
		RAISE EXCEPTION 'not here';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
INSERT INTO inbox (body) VALUES (pg_temp.admission('b1', 'Z1')), (pg_temp.admission('b2', 'Z2')), (pg_temp.admission('b3', 'Z3'));
SELECT * FROM pg_temp.last(3);
SELECT patient_id FROM event WHERE patient_id ~ '^b\d' ORDER BY patient_id;
DROP TRIGGER refuse ON event;
-- a kind that the site does not want
DELETE FROM event_kind WHERE kind = 'patient.registered';
SELECT pg_temp.code(ingest_hl7v2(pg_temp.admission('c1', 'Z4', 'EHR|NORTH|||20240301||ADT^A28|%s|P|2.5')));
SELECT * FROM pg_temp.last(1);

--
-- While others are under way
--
-- an error within a function of the query takes back its own rows and none of the query's
CREATE FUNCTION pg_temp.failed(body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO workflow_track.inbox (body) VALUES (replace(body, '|P|', '|D|'));
	RAISE EXCEPTION 'not this';
EXCEPTION WHEN raise_exception THEN
	RETURN body;
END
$$;
INSERT INTO inbox (body) SELECT pg_temp.failed(pg_temp.admission('d' || i, 'AA' || i)) FROM generate_series(1, 1200) i;
SELECT count(*), min(body::hl7v2 -> 'MSH-11') AS id, max(body::hl7v2 -> 'MSH-11') FROM message WHERE control_id ~ '^AA\d';
SELECT count(*) FROM event WHERE patient_id ~ '^d\d';
-- a trigger that changes the mapping and has other messages stored
INSERT INTO hl7v2_source (source_system, facility, care_facility) VALUES ('EHR', 'NORTH', 'WARD');
CREATE FUNCTION pg_temp.others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.patient_id LIKE 'e%' THEN
		INSERT INTO workflow_track.hl7v2_source (source_system, facility, care_facility)
			SELECT NEW.patient_id, repeat('f', 1000) || i, 'OTHER' FROM generate_series(1, 100) i;
		INSERT INTO workflow_track.inbox (body) VALUES (pg_temp.admission('f' || NEW.patient_id, NEW.patient_id));
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER others AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION pg_temp.others();
INSERT INTO inbox (body) VALUES (pg_temp.admission('e1', 'AB1')), (pg_temp.admission('e2', 'AB2'));
SELECT control_id, status, care_facility FROM message WHERE control_id ~ '^(AB|e)\d' ORDER BY control_id;
DROP TRIGGER others ON event;
DELETE FROM hl7v2_source;

--
-- Bytes that are no text, of what is no message, are kept as bytes alone
--
SELECT pg_temp.code(convert_from(ingest_hl7v2('XXX|^~\\&|a\377|b\376|c'::bytea), 'latin1'));
SELECT source_system, facility, control_id, message_type, body, raw, problem FROM message ORDER BY message_id DESC LIMIT 1;
-- a message that is understood only later is known by when it came
SELECT pg_temp.code(convert_from(ingest_hl7v2(convert_to(pg_temp.admission('gü', 'AC1', 'LAB|NORTH|||20240301||ZZZ^Z01|%s|P|2.5'), 'latin1')), 'latin1'));
INSERT INTO hl7v2_source (source_system, facility, charset) VALUES ('LAB', 'NORTH', 'LATIN1');
SELECT reprocess(message_id) FROM message WHERE control_id = 'AC1';
SELECT bool_and(k.received_at = m.received_at) AS then FROM message_key k JOIN message m USING (message_id) WHERE control_id = 'AC1';
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('zzz', '{ZZZ^Z01}', '''encounter.admitted''');
SELECT pg_temp.code(convert_from(ingest_hl7v2(convert_to(pg_temp.admission('gü', 'AC1', 'LAB|NORTH|||20240301||ZZZ^Z01|%s|P|2.5'), 'latin1')), 'latin1'));
SELECT control_id, status, attempts FROM message WHERE control_id = 'AC1' ORDER BY message_id;
-- a message in the column of the format is not shown
INSERT INTO inbox VALUES ('PID|1||h1||DOE^JOHN');

-- A line of text in a report that begins as a segment does is text.
INSERT INTO inbox (body) VALUES (E'MSH|^~\\&|LAB|N|||20240101||ORU^R01|text1|P|2.3\rPID|1||text\rPV1|1|||||||||||||||||||textv\rOBR|1|o|f|x^y^L|||||||||||||||||||||F\rOBX|1|FT|||level\nMSH level normal\nNIL\nall||||||F');
SELECT m.control_id, m.status, e.kind, e.value FROM message AS m JOIN event AS e USING (message_id) WHERE m.control_id = 'text1';
