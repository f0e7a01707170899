CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- A message: its type, patient, time and visit, and further segments.
CREATE TEMP SEQUENCE control;
CREATE FUNCTION pg_temp.message(type text, patient text, at text, visit text DEFAULT '', more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT format(E'MSH|^~\\&|EHR|NORTH|||%1$s||%2$s|C%3$s|P|2.5\rEVN||%1$s\rPID|1||%4$s\rPV1|1|I%5$s%6$s%7$s',
		at, type, nextval('pg_temp.control'), patient, repeat('|', 17), visit, more)
$$;
-- Of two patients, for links.
CREATE FUNCTION pg_temp.link(type text, one text, other text, at text) RETURNS text LANGUAGE sql AS $$
	SELECT format(E'MSH|^~\\&|EHR|NORTH|||%1$s||%2$s|C%3$s|P|2.5\rEVN||%1$s\rPID|1||%4$s\rPID|2||%5$s',
		at, type, nextval('pg_temp.control'), one, other)
$$;
CREATE FUNCTION pg_temp.obr(placer text, filler text, at text, status text) RETURNS text LANGUAGE sql AS $$
	SELECT format(E'\rOBR|1|%s|%s|GLU^Glucose^L%s%s|||%s', placer, filler, repeat('|', 18), at, status)
$$;
-- Sends messages, in a transaction each.
CREATE PROCEDURE pg_temp.send(VARIADIC messages text[]) LANGUAGE plpgsql AS $$
DECLARE
	body text;
BEGIN
	FOREACH body IN ARRAY messages LOOP
		PERFORM workflow_track.ingest_hl7v2(body);
		COMMIT;
	END LOOP;
END
$$;
-- What is recorded of a patient; what is retracted has a minus.
CREATE FUNCTION pg_temp.history(patient text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', to_char(occurred_at, 'HH24:MI'), CASE WHEN retracted_at IS NULL THEN kind ELSE '-' || kind END, encounter_id, subject), ', '
		ORDER BY occurred_at, source_sequence, kind, subject, item, retracted_at, event_id)
	FROM workflow_track.event_history WHERE patient_id = patient
$$;
-- What the last messages became.
CREATE FUNCTION pg_temp.last(n int) RETURNS TABLE (message_type text, status text, problem text, explanation text) LANGUAGE sql AS $$
	SELECT message_type, status, problem, explanation
	FROM (SELECT * FROM workflow_track.message ORDER BY message_id DESC LIMIT n) m ORDER BY message_id
$$;

--
-- Messages that call off others: whichever comes first, one by one or together
--
CREATE TEMP TABLE pair (n, done, off) AS VALUES (1, 'A01', 'A11'), (2, 'A04', 'A11'), (3, 'A02', 'A12'), (4, 'A03', 'A13'), (5, 'A05', 'A38');
CREATE PROCEDURE pg_temp.send_pairs() LANGUAGE plpgsql AS $$
DECLARE
	p record;
BEGIN
	FOR p IN SELECT * FROM pg_temp.pair ORDER BY n LOOP
		CALL pg_temp.send(pg_temp.message('ADT^' || p.done, 'A' || p.n, '202403010800', 'V'), pg_temp.message('ADT^' || p.off, 'A' || p.n, '202403010900', 'V'));
		CALL pg_temp.send(pg_temp.message('ADT^' || p.off, 'B' || p.n, '202403010900', 'V'), pg_temp.message('ADT^' || p.done, 'B' || p.n, '202403010800', 'V'));
		INSERT INTO workflow_track.inbox (body) VALUES
			(pg_temp.message('ADT^' || p.done, 'C' || p.n, '202403010800', 'V')), (pg_temp.message('ADT^' || p.off, 'C' || p.n, '202403010900', 'V')),
			(pg_temp.message('ADT^' || p.off, 'D' || p.n, '202403010900', 'V')), (pg_temp.message('ADT^' || p.done, 'D' || p.n, '202403010800', 'V'));
		COMMIT;
	END LOOP;
END
$$;
CALL pg_temp.send_pairs();
SELECT done, off, pg_temp.history('A' || n) AS history, pg_temp.history('A' || n) = ALL (ARRAY[pg_temp.history('B' || n), pg_temp.history('C' || n), pg_temp.history('D' || n)]) AS always
FROM pair ORDER BY n;
SELECT status, count(*) FROM message GROUP BY status;
SELECT retracted_reason, m.message_type FROM event_history h JOIN message m ON h.retracted_reason = 'called off by message ' || m.message_id WHERE h.patient_id = 'A1';
-- each calls off its own kind, of its own visit and patient, and nothing that happened later
CALL pg_temp.send(pg_temp.message('ADT^A01', 'E1', '202403010800', 'V'), pg_temp.message('ADT^A02', 'E1', '202403010810', 'V'), pg_temp.message('ADT^A03', 'E1', '202403010820', 'V'),
	pg_temp.message('ADT^A12', 'E1', '202403010830', 'V'), pg_temp.message('ADT^A11', 'E1', '202403010840', 'W'), pg_temp.message('ADT^A11', 'E2', '202403010840', 'V'),
	pg_temp.message('ADT^A13', 'E1', '202403010815', 'V'), pg_temp.message('ADT^A38', 'E1', '202403010900', 'V'));
SELECT pg_temp.history('E1');
-- it may tell when what it calls off happened, as exactly as it likes
CALL pg_temp.send(pg_temp.message('ADT^A01', 'E3', '20240301080030', 'V'), pg_temp.message('ADT^A11', 'E3', '202403010800', 'V'),
	pg_temp.message('ADT^A01', 'E4', '20240301080030', 'V'), pg_temp.message('ADT^A11', 'E4', '20240301', 'V'),
	pg_temp.message('ADT^A01', 'E5', '20240301080030', 'V'), pg_temp.message('ADT^A11', 'E5', '202403010759', 'V'));
SELECT pg_temp.history('E3'), pg_temp.history('E4'), pg_temp.history('E5');
-- without a visit or a patient it calls off nothing
CALL pg_temp.send(pg_temp.message('ADT^A01', 'E6', '202403010800', 'V'), pg_temp.message('ADT^A11', 'E6', '202403010900'), pg_temp.message('ADT^A11', '', '202403010900', 'V'));
SELECT pg_temp.history('E6');
SELECT * FROM pg_temp.last(2);

-- Admitted, called off, admitted: the second admission stands, in every order of arrival.
CREATE PROCEDURE pg_temp.send_orders(prefix text, messages text[]) LANGUAGE plpgsql AS $$
DECLARE
	p int[];
	n int := 0;
	i int;
BEGIN
	FOR p IN SELECT ARRAY[a, b, c] FROM generate_series(1, 3) a, generate_series(1, 3) b, generate_series(1, 3) c WHERE a <> b AND b <> c AND a <> c ORDER BY a, b LOOP
		n := n + 1;
		FOREACH i IN ARRAY p LOOP
			PERFORM workflow_track.ingest_hl7v2(replace(replace(messages[i], 'PATIENT', prefix || n), '|C', format('|C%s.', n)));
			COMMIT;
		END LOOP;
	END LOOP;
END
$$;
CALL pg_temp.send_orders('F', ARRAY[pg_temp.message('ADT^A01', 'PATIENT', '202403010800', 'V'), pg_temp.message('ADT^A11', 'PATIENT', '202403010810', 'V'), pg_temp.message('ADT^A01', 'PATIENT', '202403010820', 'V')]);
SELECT DISTINCT pg_temp.history('F' || n) FROM generate_series(1, 6) n;
-- two admissions, one called off: the last before
CALL pg_temp.send_orders('G', ARRAY[pg_temp.message('ADT^A01', 'PATIENT', '202403010800', 'V'), pg_temp.message('ADT^A01', 'PATIENT', '202403010805', 'V'), pg_temp.message('ADT^A11', 'PATIENT', '202403010810', 'V')]);
SELECT DISTINCT pg_temp.history('G' || n) FROM generate_series(1, 6) n;
-- one admission, called off twice, and two, each called off
CALL pg_temp.send_orders('H', ARRAY[pg_temp.message('ADT^A01', 'PATIENT', '202403010800', 'V'), pg_temp.message('ADT^A11', 'PATIENT', '202403010810', 'V'), pg_temp.message('ADT^A11', 'PATIENT', '202403010815', 'V')]);
SELECT DISTINCT pg_temp.history('H' || n) FROM generate_series(1, 6) n;
CALL pg_temp.send(pg_temp.message('ADT^A11', 'I1', '202403010812', 'V'), pg_temp.message('ADT^A01', 'I1', '202403010805', 'V'), pg_temp.message('ADT^A11', 'I1', '202403010810', 'V'), pg_temp.message('ADT^A01', 'I1', '202403010800', 'V'));
SELECT pg_temp.history('I1');
-- what somebody retracted by hand stays so, and is none that a message could call off
CALL pg_temp.send(pg_temp.message('ADT^A01', 'I2', '202403010800', 'V'), pg_temp.message('ADT^A01', 'I2', '202403010805', 'V'));
SELECT retract_event(event_id, 'by hand') FROM event WHERE patient_id = 'I2' AND occurred_at = '2024-03-01 08:05';
CALL pg_temp.send(pg_temp.message('ADT^A11', 'I2', '202403010810', 'V'));
SELECT kind, occurred_at, regexp_replace(retracted_reason, '\d+', 'N') AS retracted_reason FROM event_history WHERE patient_id = 'I2' ORDER BY occurred_at;
-- a message that is rolled back calls off nothing
CALL pg_temp.send(pg_temp.message('ADT^A01', 'I3', '202403010800', 'V'));
BEGIN;
SAVEPOINT a;
SELECT ingest_hl7v2(pg_temp.message('ADT^A11', 'I3', '202403010810', 'V')) IS NOT NULL AS answered;
ROLLBACK TO a;
COMMIT;
SELECT pg_temp.history('I3');
BEGIN;
SELECT ingest_hl7v2(pg_temp.message('ADT^A11', 'I3', '202403010810', 'V')) IS NOT NULL AS answered;
ROLLBACK;
SELECT pg_temp.history('I3');
-- reports are as if it had never been: nobody waits for a follow-up of a discharge that was none
CALL pg_temp.send(pg_temp.message('ADT^A03', 'I4', '202403010800', 'V'), pg_temp.message('ADT^A03', 'I5', '202403010800', 'V'), pg_temp.message('ADT^A13', 'I5', '202403010900', 'V'));
SELECT patient_id, category, status FROM care_loop_at('2024-04-01') WHERE patient_id IN ('I4', 'I5');

--
-- Merges
--
CALL pg_temp.send(pg_temp.message('ADT^A40', 'J1', '202403011000', 'V', E'\rMRG|J2'), pg_temp.message('ADT^A34', 'J3', '202403011000', '', E'\rMRG|J4'));
SELECT patient_id, kind, encounter_id, subject FROM event WHERE patient_id LIKE 'J%' ORDER BY patient_id;
-- both are one patient, whenever the merge comes: an order of one id is answered under the other
CALL pg_temp.send(pg_temp.message('ORM^O01', 'J2', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORU^R01', 'J1', '202403010900', 'V', pg_temp.obr('O1', '', '202403010900', 'F')),
	pg_temp.message('ORM^O01', 'K2', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORU^R01', 'K1', '202403010900', 'V', pg_temp.obr('O1', '', '202403010900', 'F')));
SELECT patient_id, status FROM care_loop_at('2024-03-02') WHERE patient_id IN ('J2', 'K2') AND category = 'order' ORDER BY patient_id;
CALL pg_temp.send(pg_temp.message('ADT^A40', 'K1', '202403011000', 'V', E'\rMRG|K2'));
SELECT patient_id, status FROM care_loop_at('2024-03-02') WHERE patient_id IN ('J2', 'K2') AND category = 'order' ORDER BY patient_id;
-- several in one message: each MRG goes with the PID before it
CALL pg_temp.send(pg_temp.message('ADT^A40', 'L1', '202403011000', '', E'\rMRG|L2\rPID|2||L3\rMRG|L4\rMRG|L5'));
SELECT patient_id, subject FROM event WHERE patient_id LIKE 'L%' ORDER BY patient_id, subject;
-- what cannot be merged
CALL pg_temp.send(pg_temp.message('ADT^A40', 'L1', '202403011000', '', E'\rMRG|L1'), pg_temp.message('ADT^A40', 'L1', '202403011000', '', E'\rMRG|'), pg_temp.message('ADT^A40', '', '202403011000', '', E'\rMRG|L2'), pg_temp.message('ADT^A40', 'L1', '202403011000'));
SELECT * FROM pg_temp.last(4);
-- what is called off under one id was recorded under the other, in every order
CALL pg_temp.send_orders('M', ARRAY[pg_temp.message('ADT^A01', 'PATIENT-2', '202403010800', 'V'), pg_temp.message('ADT^A11', 'PATIENT', '202403010900', 'V'), pg_temp.message('ADT^A40', 'PATIENT', '202403011000', '', E'\rMRG|PATIENT-2')]);
SELECT DISTINCT replace(pg_temp.history('M' || n), 'M' || n, 'M') AS surviving, replace(pg_temp.history('M' || n || '-2'), 'M' || n, 'M') AS losing FROM generate_series(1, 6) n;
-- a wrong merge is retracted by hand, and what came of it with it
SELECT retract_event(event_id, 'another person') FROM event WHERE patient_id = 'M1' AND kind = 'patient.merged';
SELECT pg_temp.history('M1') AS surviving, pg_temp.history('M1-2') AS losing;
-- mother and newborn are never joined
CALL pg_temp.send(pg_temp.message('ADT^A01', 'N1', '202403010800', 'V'), replace(pg_temp.message('ADT^A01', 'N2', '202403010800', 'W'), E'PID|1||N2', 'PID|1||N2||||||||||||||||||N1'));
SELECT count(*) FROM patient_merge WHERE patient_id LIKE 'N%' OR merged_id LIKE 'N%';

--
-- Links
--
CALL pg_temp.send_orders('P', ARRAY[pg_temp.link('ADT^A24', 'PATIENT-a', 'PATIENT-b', '202403010800'), pg_temp.link('ADT^A37', 'PATIENT-a', 'PATIENT-b', '202403010900'), pg_temp.message('ADT^A28', 'PATIENT-b', '202403010700')]);
SELECT DISTINCT replace(pg_temp.history('P' || n || '-a'), 'P' || n, 'P') AS linked FROM generate_series(1, 6) n;
-- the ids in the other order
CALL pg_temp.send(pg_temp.link('ADT^A24', 'Q1', 'Q2', '202403010800'), pg_temp.link('ADT^A37', 'Q2', 'Q1', '202403010900'),
	pg_temp.link('ADT^A37', 'Q4', 'Q3', '202403010900'), pg_temp.link('ADT^A24', 'Q3', 'Q4', '202403010800'));
SELECT pg_temp.history('Q1'), pg_temp.history('Q3');
-- linked anew; and parted twice
CALL pg_temp.send(pg_temp.link('ADT^A24', 'Q2', 'Q1', '202403011000'));
SELECT pg_temp.history('Q1') AS q1, pg_temp.history('Q2') AS q2;
CALL pg_temp.send(pg_temp.link('ADT^A37', 'Q1', 'Q2', '202403011100'));
SELECT pg_temp.history('Q1') AS q1, pg_temp.history('Q2') AS q2;
-- a merge is parted by no message, also where the ids are linked as well
CALL pg_temp.send(pg_temp.message('ADT^A40', 'R1', '202403010800', '', E'\rMRG|R2'), pg_temp.link('ADT^A24', 'R1', 'R2', '202403010810'), pg_temp.link('ADT^A37', 'R1', 'R2', '202403010900'), pg_temp.link('ADT^A37', 'R2', 'R1', '202403010910'));
SELECT kind, occurred_at, subject, detail, retracted_at IS NOT NULL AS retracted FROM event_history WHERE patient_id = 'R1' ORDER BY occurred_at;
CALL pg_temp.send(pg_temp.message('ORM^O01', 'R1', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORU^R01', 'R2', '202403010900', 'V', pg_temp.obr('O1', '', '202403010900', 'F')));
SELECT patient_id, status FROM care_loop_at('2024-03-02') WHERE patient_id = 'R1' AND category = 'order';
-- parts other ids than were linked
CALL pg_temp.send(pg_temp.link('ADT^A24', 'R3', 'R4', '202403010800'), pg_temp.link('ADT^A37', 'R3', 'R5', '202403010900'));
SELECT pg_temp.history('R3');
-- what was called off because of a link counts again when it is parted, in whatever order all that comes
CALL pg_temp.send(pg_temp.message('ADT^A01', 'S1-b', '202403010600', 'V'), pg_temp.message('ADT^A11', 'S1-a', '202403010700', 'V'), pg_temp.link('ADT^A24', 'S1-a', 'S1-b', '202403010800'));
SELECT pg_temp.history('S1-a') AS one, pg_temp.history('S1-b') AS other;
CALL pg_temp.send(pg_temp.link('ADT^A37', 'S1-a', 'S1-b', '202403010900'));
SELECT pg_temp.history('S1-a') AS one, pg_temp.history('S1-b') AS other;
CALL pg_temp.send(pg_temp.link('ADT^A37', 'S2-a', 'S2-b', '202403010900'), pg_temp.link('ADT^A24', 'S2-a', 'S2-b', '202403010800'), pg_temp.message('ADT^A11', 'S2-a', '202403010700', 'V'), pg_temp.message('ADT^A01', 'S2-b', '202403010600', 'V'));
SELECT pg_temp.history('S2-a') AS one, pg_temp.history('S2-b') AS other;
-- a link of one id
CALL pg_temp.send(pg_temp.link('ADT^A24', 'S3', '', '202403010800'), pg_temp.link('ADT^A24', 'S3', 'S3', '202403010800'), pg_temp.link('ADT^A37', 'S3', '', '202403010800'));
SELECT * FROM pg_temp.last(3);

--
-- Visits that are merged: A42 and A50 say that the visits of MRG-5 and PV1-19 are one
--
CREATE FUNCTION pg_temp.merge_visits(type text, patient text, at text, surviving text, losing text) RETURNS text LANGUAGE sql AS $$
	SELECT replace(pg_temp.message(type, patient, at, surviving), E'\rPV1', format(E'\rMRG|%s||||%s\rPV1', patient, losing))
$$;
CALL pg_temp.send(pg_temp.merge_visits('ADT^A50', 'T1', '202403011000', 'V2', 'V1'), pg_temp.merge_visits('ADT^A42', 'T2', '202403011000', 'V2', 'V1'));
SELECT patient_id, kind, encounter_id, subject FROM event WHERE patient_id IN ('T1', 'T2') ORDER BY patient_id;
-- both are one visit: who discharged under one number followed who admitted under the other
SELECT record_event('encounter.admitted', p, 'EHR', '2024-03-01 08:00', encounter_id => 'V1', actor => 'a') > 0 AS recorded,
	record_event('encounter.discharged', p, 'EHR', '2024-03-01 09:00', encounter_id => CASE p WHEN 'T3' THEN 'V1' ELSE 'V2' END, actor => 'b') > 0 AS recorded
FROM unnest('{T1,T2,T3,T4}'::text[]) p;
SELECT patient_id, from_kind, to_kind, encounter_id FROM handoff WHERE patient_id IN ('T1', 'T2', 'T3', 'T4') AND basis = 'implied' ORDER BY patient_id;
-- what is called off under one number was recorded under the other, in every order
CALL pg_temp.send_orders('TA', ARRAY[pg_temp.message('ADT^A03', 'PATIENT', '202403010900', 'V1'), pg_temp.message('ADT^A13', 'PATIENT', '202403010930', 'V2'), pg_temp.merge_visits('ADT^A50', 'PATIENT', '202403011000', 'V2', 'V1')]);
SELECT DISTINCT pg_temp.history('TA' || n) FROM generate_series(1, 6) n;
-- not once the merge is retracted
SELECT retract_event(event_id, 'another visit') FROM event WHERE patient_id = 'TA1' AND kind = 'encounter.merged';
SELECT pg_temp.history('TA1');
-- what cannot be merged
CALL pg_temp.send(pg_temp.merge_visits('ADT^A50', 'T5', '202403011000', '', 'V1'), pg_temp.merge_visits('ADT^A50', 'T5', '202403011000', 'V2', ''));
SELECT * FROM pg_temp.last(2);

-- Numbers that moved: nothing is joined by itself, somebody has to look.
CALL pg_temp.send(pg_temp.message('ADT^A43', 'U1', '202403011000', '', E'\rMRG|U2'), pg_temp.message('ADT^A45', 'U1', '202403011000', '', E'\rMRG|U2||||V1'), pg_temp.message('ADT^A47', 'U1', '202403011000', '', E'\rMRG|U2'));
SELECT message_type, problem, explanation, patient_id, subject FROM message_exception WHERE patient_id LIKE 'U%' ORDER BY message_id;
SELECT kind, subject FROM event WHERE patient_id LIKE 'U%' ORDER BY event_id;
SELECT count(*) FROM patient_merge WHERE patient_id LIKE 'U%';

--
-- A result of the wrong patient
--
CREATE FUNCTION pg_temp.result(patient text, at text, status text, more text DEFAULT '', filler text DEFAULT 'F1') RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.message('ORU^R01', patient, at, 'V', pg_temp.obr('O1', filler, at, CASE WHEN status <> 'W' THEN status ELSE 'C' END) || format(E'\rOBX|1|NM|GLU^Glucose^L||%s|||HH|||%s', 400, status) || more)
$$;
CALL pg_temp.send_orders('W', ARRAY[pg_temp.result('PATIENT', '202403010800', 'P'), pg_temp.result('PATIENT', '202403010900', 'F'), pg_temp.result('PATIENT', '202403011000', 'W')]);
SELECT DISTINCT pg_temp.history('W' || n) FROM generate_series(1, 6) n;
SELECT kind, item, code, value, severity, recipient FROM event WHERE patient_id = 'W1' ORDER BY occurred_at;
SELECT opened_by_kind, status FROM care_loop_at('2024-04-01') WHERE patient_id = 'W1';
SELECT message_type, problem, explanation FROM message_exception WHERE patient_id = 'W1' AND problem = 'wrong_patient';
-- a corrected result that comes later counts, and so does that of another report of the order
CALL pg_temp.send(pg_temp.result('W1', '202403011100', 'C'), pg_temp.result('W1', '202403010700', 'F', '', 'F2'));
SELECT pg_temp.history('W1');
-- without a number nothing is called off
CALL pg_temp.send(pg_temp.message('ORU^R01', 'W1', '202403011200', 'V', pg_temp.obr('', '', '202403011200', 'C') || E'\rOBX|1|NM|GLU||1||||||W'));
SELECT * FROM pg_temp.last(1);
SELECT pg_temp.history('W1');

--
-- Aliases: a result that knows only the filler number finds its order, whichever comes first
--
CALL pg_temp.send_orders('X', ARRAY[pg_temp.message('ORM^O01', 'PATIENT', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'),
	pg_temp.message('ORM^O01', 'PATIENT', '202403010810', 'V', E'\rORC|OK|O1|F1\rOBR|1|O1|F1|GLU^Glucose^L'), pg_temp.message('ORU^R01', 'PATIENT', '202403010900', 'V', pg_temp.obr('', 'F1', '202403010900', 'F'))]);
SELECT DISTINCT a.alias, a.subject, l.subject AS opened_under, l.status, e.subject AS closed_under
FROM generate_series(1, 6) n JOIN subject_alias a ON a.patient_id = 'X' || n
	LEFT JOIN care_loop_at('2024-03-02') l ON l.patient_id = a.patient_id AND l.category = 'order' LEFT JOIN event e ON e.event_id = l.closed_event_id;
-- of another patient with the same numbers nothing is known
CALL pg_temp.send(pg_temp.message('ORM^O01', 'Y1', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORU^R01', 'Y1', '202403010900', 'V', pg_temp.obr('', 'F1', '202403010900', 'F')));
SELECT subject, status FROM care_loop_at('2024-03-02') WHERE patient_id = 'Y1' AND category = 'order';
-- the same number twice is no alias, nor is one alone
SELECT alias, subject FROM subject_alias WHERE patient_id = 'Y1';
CALL pg_temp.send(pg_temp.message('ORM^O01', 'Y2', '202403010800', 'V', E'\rORC|NW|O1|O1\rOBR|1|O1||GLU^Glucose^L'));
SELECT alias, subject FROM subject_alias WHERE patient_id = 'Y2';
-- each OBR of a message by itself
CALL pg_temp.send(pg_temp.message('ORU^R01', 'Y3', '202403010900', 'V', pg_temp.obr('O1', 'F1', '202403010900', 'F') || pg_temp.obr('O2', 'F2', '202403010900', 'F') || E'\rORC|RE|O3|F3' || pg_temp.obr('', 'F3', '202403010900', 'F')));
SELECT alias, subject FROM subject_alias WHERE patient_id = 'Y3' ORDER BY alias;
-- a number is called off by its alias, also where that is told by the same message
CALL pg_temp.send(pg_temp.message('ORU^R01', 'Y5', '202403010800', 'V', pg_temp.obr('', 'F1', '202403010800', 'F')), pg_temp.result('Y5', '202403010900', 'W'));
SELECT pg_temp.history('Y5');
-- and by an alias of an alias; another report of the order stays
CALL pg_temp.send(pg_temp.message('ORU^R01', 'Y6', '202403010800', 'V', pg_temp.obr('A1', '', '202403010800', 'F')), pg_temp.message('ORU^R01', 'Y6', '202403010810', 'V', pg_temp.obr('A1', 'F2', '202403010810', 'F')),
	pg_temp.message('ORM^O01', 'Y6', '202403010700', 'V', E'\rORC|SC|A1|F1'), pg_temp.message('ORM^O01', 'Y6', '202403010700', 'V', E'\rORC|SC|A2|F1'),
	pg_temp.message('ORU^R01', 'Y6', '202403010900', 'V', pg_temp.obr('A2', '', '202403010805', 'C') || E'\rOBX|1|NM|GLU||1||||||W'));
SELECT pg_temp.history('Y6');
CALL pg_temp.send(pg_temp.message('ORU^R01', 'Y6', '202403010900', 'V', pg_temp.obr('A2', 'F3', '202403010900', 'C') || E'\rOBX|1|NM|GLU||1||||||W'));
SELECT pg_temp.history('Y6');
CALL pg_temp.send(pg_temp.result('Y4', '202403010800', 'F'), pg_temp.message('ORU^R01', 'Y4', '202403010900', 'V', pg_temp.obr('', 'F1', '202403010900', 'C') || E'\rOBX|1|NM|GLU||1||||||W'));
SELECT pg_temp.history('Y4');

--
-- Messages that are read anew
--
-- nothing changes, as often as it is done
CALL pg_temp.send(pg_temp.message('ORM^O01', 'Z1', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L\rOBR|2|O2||NA^Sodium^L'), pg_temp.message('ADT^A01', 'Z1', '202403010700', 'V'), pg_temp.message('ADT^A11', 'Z1', '202403010800', 'V'));
CREATE TEMP TABLE before AS SELECT * FROM event_history;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' ORDER BY message_id;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' ORDER BY message_id;
SELECT count(*) FROM (TABLE before EXCEPT TABLE event_history) d;
SELECT count(*) FROM (TABLE event_history EXCEPT TABLE before) d;
SELECT attempts, status FROM message WHERE patient_id = 'Z1' ORDER BY message_id;
-- the mapping changes: what it gave and gives no more is retracted, what is the same stays as it is
INSERT INTO hl7v2_mapping (name, message, segment, condition, kind, occurred_at, subject, code, actor)
VALUES ('order', '{ORM^*}', 'OBR', 'OBR-1 = 1', $$'order.placed'$$, 'MSH-7', 'OBR-2', 'code OBR-4', $$'somebody'$$), ('more', '{ORM^*}', 'OBR', 'OBR-1 = 2', $$'data.entered'$$, NULL, 'OBR-2', 'code OBR-4', NULL);
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT occurred_at, kind, subject, code, actor, retracted_reason FROM event_history WHERE patient_id = 'Z1' AND kind ~ '^(order|data)' ORDER BY kind, subject, event_id;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT count(*), count(retracted_at) AS retracted FROM event_history WHERE patient_id = 'Z1' AND kind ~ '^(order|data)';
-- and changes back: events that were taken back are recorded once more
DELETE FROM hl7v2_mapping WHERE NOT shipped;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT occurred_at, kind, subject, code, actor, retracted_reason FROM event_history WHERE patient_id = 'Z1' AND kind ~ '^(order|data)' ORDER BY kind, subject, event_id;
-- reports are of what it gives now
SELECT subject, status FROM care_loop_at('2024-04-01') WHERE patient_id = 'Z1' AND category = 'order' ORDER BY subject;
-- what somebody retracted is not recorded anew
SELECT retract_event(event_id, 'in error') FROM event_history WHERE patient_id = 'Z1' AND subject = 'O2' AND retracted_at IS NULL;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT count(*) FROM event_history WHERE patient_id = 'Z1' AND subject = 'O2' AND retracted_at IS NULL;
-- nor where it is told otherwise now, as often as that changes; but under another code it is another event
INSERT INTO hl7v2_mapping (name, message, segment, kind, subject, code, actor) VALUES ('order', '{ORM^*}', 'OBR', $$'order.placed'$$, 'OBR-2', 'code OBR-4', $$'somebody'$$);
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
UPDATE hl7v2_mapping SET actor = $$'somebody else'$$, occurred_at = 'MSH-7', planned_at = 'MSH-7' WHERE NOT shipped;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT subject, code, actor, retracted_reason FROM event_history WHERE patient_id = 'Z1' AND kind = 'order.placed' AND actor LIKE 'somebody%' ORDER BY subject, event_id;
SELECT subject, status FROM care_loop_at('2024-04-01') WHERE patient_id = 'Z1' AND category = 'order' ORDER BY subject;
UPDATE hl7v2_mapping SET code = 'code OBR-2' WHERE NOT shipped;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT subject, code, actor, retracted_reason FROM event_history WHERE patient_id = 'Z1' AND kind = 'order.placed' AND code::text ~ 'O\d' ORDER BY subject, event_id;
DELETE FROM hl7v2_mapping WHERE NOT shipped;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT subject, code, actor FROM event_history WHERE patient_id = 'Z1' AND kind = 'order.placed' AND retracted_at IS NULL ORDER BY subject;
SELECT * FROM check_consistency();
-- of several that are alike, the one that it was
INSERT INTO hl7v2_mapping (name, message, segment, kind, code, value) VALUES ('reading', '{ZZZ^Z04}', 'ZRE', $$'data.entered'$$, 'code ZRE-1', 'ZRE-2');
CALL pg_temp.send(pg_temp.message('ZZZ^Z04', 'Z9', '202403010800', 'V', E'\rZRE|GLU|5\rZRE|GLU|6\rZRE|GLU|7'));
SELECT retract_event(event_id, 'six is wrong') FROM event WHERE patient_id = 'Z9' AND value = '6';
UPDATE hl7v2_mapping SET actor = 'ZRE-1' WHERE name = 'reading';
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z9';
SELECT value, actor, retracted_reason FROM event_history WHERE patient_id = 'Z9' ORDER BY value, event_id;
DELETE FROM hl7v2_mapping WHERE NOT shipped;
-- what is called off follows the mapping
UPDATE hl7v2_mapping SET enabled = false WHERE name = 'cancel admit';
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ADT^A11';
SELECT kind, retracted_at IS NOT NULL AS retracted FROM event_history WHERE patient_id = 'Z1' AND kind LIKE 'encounter%';
UPDATE hl7v2_mapping SET enabled = true WHERE name = 'cancel admit';
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ADT^A11';
SELECT kind, retracted_at IS NOT NULL AS retracted FROM event_history WHERE patient_id = 'Z1' AND kind LIKE 'encounter%';
-- what is called off stays so when it is told otherwise
INSERT INTO hl7v2_mapping (name, message, kind, actor) VALUES ('admission', '{ADT^A01}', $$'encounter.admitted'$$, $$'somebody'$$);
UPDATE hl7v2_mapping SET enabled = false WHERE name = 'encounter.admitted';
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ADT^A01';
SELECT kind, actor, regexp_replace(retracted_reason, '\d+', 'n') AS retracted_reason FROM event_history WHERE patient_id = 'Z1' AND kind = 'encounter.admitted' ORDER BY event_id;
UPDATE hl7v2_mapping SET enabled = true WHERE name = 'encounter.admitted';
DELETE FROM hl7v2_mapping WHERE NOT shipped;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ADT^A01';
SELECT kind, actor, regexp_replace(retracted_reason, '\d+', 'n') AS retracted_reason FROM event_history WHERE patient_id = 'Z1' AND kind = 'encounter.admitted' ORDER BY event_id;
SELECT * FROM check_consistency();
-- the patient is another one now
INSERT INTO hl7v2_source (source_system, facility, id_namespace) VALUES ('EHR', 'NORTH', 'N:');
SELECT reprocess(message_id) FROM message WHERE patient_id = 'Z1' AND message_type = 'ORM^O01';
SELECT patient_id, count(*), count(retracted_at) AS retracted FROM event_history WHERE patient_id LIKE '%Z1' AND kind LIKE 'order%' GROUP BY patient_id ORDER BY patient_id;
SELECT patient_id, identifiers FROM message WHERE patient_id LIKE '%Z1' AND message_type = 'ORM^O01';
DELETE FROM hl7v2_source;
SELECT reprocess(message_id) FROM message WHERE patient_id = 'N:Z1';
SELECT patient_id, count(*), count(retracted_at) AS retracted FROM event_history WHERE patient_id LIKE '%Z1' AND kind LIKE 'order%' GROUP BY patient_id ORDER BY patient_id;
SELECT reprocess(0);

-- all of a sort
CALL pg_temp.send(pg_temp.message('ZZZ^Z01', 'Z2', '202403010800', 'V', E'\rZAK|R1'), pg_temp.message('ZZZ^Z01', 'Z3', '202403010900', '', E'\rZAK|R2'), pg_temp.message('ZZZ^Z02', 'Z3', '202403010900', 'V'));
SELECT * FROM pg_temp.last(3);
INSERT INTO hl7v2_mapping (name, message, segment, kind, subject) VALUES ('acknowledgement of a result', '{ZZZ^Z01}', 'ZAK', $$'result.acknowledged'$$, 'ZAK-1');
SELECT * FROM reprocess_where('unmapped');
SELECT * FROM reprocess_where('unmapped');
SELECT * FROM reprocess_where('no_visit');
SELECT * FROM reprocess_where('no such');
SELECT patient_id, kind, encounter_id, subject FROM event WHERE kind = 'result.acknowledged' ORDER BY patient_id;
SELECT status, problem, explanation, attempts FROM message WHERE patient_id IN ('Z2', 'Z3') ORDER BY message_id;

-- what was rejected is read once its character set is known: by itself, or when it is sent again
SELECT convert_from(ingest_hl7v2(convert_to(replace(pg_temp.message('ADT^A01', 'Zürich1', '202403010800', 'V'), 'EHR', 'LIS'), 'latin1')), 'latin1') LIKE '%MSA|AE%' AS refused;
SELECT convert_to(replace(pg_temp.message('ADT^A01', 'Zürich2', '202403010800', 'V'), 'EHR', 'LIS'), 'latin1') AS body \gset
SELECT convert_from(ingest_hl7v2(:'body'::bytea), 'latin1') LIKE '%MSA|AE%' AS refused;
SELECT status, problem, body IS NULL AS no_body, raw IS NOT NULL AS raw, patient_id FROM message WHERE source_system = 'LIS' ORDER BY message_id;
INSERT INTO hl7v2_source (source_system, facility, charset) VALUES ('LIS', 'NORTH', 'ISO_8859-1');
SELECT reprocess(min(message_id)) FROM message WHERE source_system = 'LIS';
SELECT convert_from(ingest_hl7v2(:'body'::bytea), 'latin1') LIKE '%MSA|AA%' AS accepted;
SELECT status, problem, attempts, body IS NULL AS no_body, convert_from(raw, 'latin1') = body AS same, patient_id FROM message WHERE source_system = 'LIS' ORDER BY message_id;
SELECT patient_id, kind FROM event WHERE source_system = 'LIS' ORDER BY patient_id;
-- once more: nothing new
SELECT convert_from(ingest_hl7v2(:'body'::bytea), 'latin1') LIKE '%MSA|AA%' AS accepted;
SELECT * FROM reprocess_where('rejected');
SELECT patient_id, kind FROM event WHERE source_system = 'LIS' ORDER BY patient_id;
-- what only came again is read by the first of them
SELECT reprocess(max(message_id)) FROM message WHERE source_system = 'LIS';

--
-- When months are dropped, what was parted stays so
--
CALL pg_temp.send(pg_temp.link('ADT^A24', 'DA', 'DB', '202402010800'), pg_temp.link('ADT^A37', 'DA', 'DB', '202402010900'), pg_temp.link('ADT^A24', 'DC', 'DD', '202402010800'));
-- a message that calls off an order of that month and one of the next, of another visit
INSERT INTO hl7v2_mapping (name, action, message, segment, kind, subject) VALUES ('orders withdrawn', 'retract_last', '{ZZZ^Z03}', 'ZOR', $$'order.placed'$$, 'ZOR-1');
CALL pg_temp.send(pg_temp.message('ORM^O01', 'DE', '202402010800', 'V0', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORM^O01', 'DE', '202403010800', 'V', E'\rORC|NW|O2\rOBR|1|O2||GLU^Glucose^L'),
	pg_temp.message('ZZZ^Z03', 'DE', '202403010900', 'V', E'\rZOR|O1\rZOR|O2'));
SELECT subject, kind, retracted_at IS NOT NULL AS retracted FROM event_history WHERE patient_id = 'DE' AND kind = 'order.placed' ORDER BY subject;
SELECT drop_before('2024-03-01', true);
-- it stands, whatever comes later
CALL pg_temp.send(pg_temp.message('ORM^O01', 'DE', '202403011000', 'V', E'\rORC|NW|O3\rOBR|1|O3||GLU^Glucose^L'), pg_temp.message('ZZZ^Z03', 'DE', '202403011100', 'V', E'\rZOR|O3'));
SELECT subject, kind, retracted_at IS NOT NULL AS retracted FROM event_history WHERE patient_id = 'DE' AND kind = 'order.placed' ORDER BY subject;
CALL pg_temp.send(pg_temp.message('ORM^O01', 'DA', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORU^R01', 'DB', '202403010900', 'V', pg_temp.obr('O1', '', '202403010900', 'F')),
	pg_temp.message('ORM^O01', 'DC', '202403010800', 'V', E'\rORC|NW|O1\rOBR|1|O1||GLU^Glucose^L'), pg_temp.message('ORU^R01', 'DD', '202403010900', 'V', pg_temp.obr('O1', '', '202403010900', 'F')));
SELECT patient_id, status FROM care_loop_at('2024-03-02') WHERE patient_id LIKE 'D%' AND category = 'order' ORDER BY patient_id;
-- What was linked before can be parted by a message that comes later, and each message parts what came before it.
CALL pg_temp.send(pg_temp.link('ADT^A37', 'DC', 'DD', '202403011000'));
SELECT patient_id, status FROM care_loop_at('2024-03-02') WHERE patient_id LIKE 'D%' AND category = 'order' ORDER BY patient_id;
SELECT m.patient_id, m.merged_id, r.retracted_reason FROM patient_merge AS m LEFT JOIN retraction AS r USING (event_id) WHERE m.patient_id LIKE 'D%' OR m.merged_id LIKE 'D%' ORDER BY 1, 2;
SELECT * FROM check_consistency();
CALL pg_temp.send(pg_temp.link('ADT^A24', 'DC', 'DD', '202403011100'));
SELECT patient_id, status FROM care_loop_at('2024-03-02') WHERE patient_id LIKE 'D%' AND category = 'order' ORDER BY patient_id;
