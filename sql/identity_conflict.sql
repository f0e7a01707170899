-- Identity conflicts: each problem at its edges, merges and their retraction, aliases, who sees what, and the order of arrival.
CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT set_workflow_state('default', 1, 'retired');

-- What is said of a case, by names of its own instead of event_id.
CREATE VIEW conflicts AS
	SELECT c.problem, c.facility, c.patient_id AS patient, c.other_patient_id AS other, c.encounter_id AS encounter, c.subject,
		e.kind, o.kind AS other_kind, to_char(c.since, 'DD HH24:MI') AS since
	FROM identity_conflict AS c JOIN event AS e USING (event_id) LEFT JOIN event AS o ON o.event_id = c.other_event_id;
CREATE FUNCTION feed(facility text, patient text, kind text, at timestamptz, encounter text DEFAULT NULL, subject text DEFAULT NULL) RETURNS bigint
LANGUAGE sql AS $$ SELECT workflow_track.record_event(kind, patient, 'X', at, facility => facility, encounter_id => encounter, subject => subject) $$;
CREATE FUNCTION retract(which text, patient text, at timestamptz) RETURNS void
LANGUAGE sql AS $$ SELECT workflow_track.retract_event(event_id, 'wrong') FROM workflow_track.event WHERE kind = which AND patient_id = patient AND occurred_at = at $$;

-- One patient: nothing is wrong; and an empty text is no number.
SELECT count(feed('A', 'P1', kind, at::timestamptz, encounter, subject)) FROM (VALUES
	('encounter.registered', '2024-05-01 08:00', 'V1', NULL),
	('order.placed', '2024-05-01 09:00', 'V1', 'O1'),
	('specimen.collected', '2024-05-01 09:30', 'V1', 'O1'),
	('result.final', '2024-05-01 10:00', 'V1', 'O1'),
	('result.acknowledged', '2024-05-01 11:00', 'V1', 'O1')) AS e (kind, at, encounter, subject);
INSERT INTO event (patient_id, kind, occurred_at, encounter_id, subject, source_system) VALUES
	('P0', 'result.final', '2024-05-01 10:00', '', '', 'X'), ('P9', 'order.placed', '2024-05-01 10:00', '', '', 'X');
TABLE conflicts;

-- An order's number under another patient: told once, though the encounter is that one's too.
SELECT count(feed('A', 'P2', 'result.final', '2024-05-01 10:30', 'V1', 'O1'));
SELECT * FROM conflicts;
-- The encounter alone: of whoever has it registered.
SELECT count(feed('A', 'P3', 'note.signed', '2024-05-01 07:30', 'V1'));
SELECT * FROM conflicts ORDER BY patient;
-- It holds from when both are there on, whenever one asks.
SELECT t, c.problem, c.patient_id FROM (VALUES ('2024-05-01 07:59:59'::timestamptz), ('2024-05-01 08:00'), ('2024-05-01 10:29:59'), ('2024-05-01 10:30')) AS m (t)
	LEFT JOIN LATERAL identity_conflict_at(t) AS c ON true ORDER BY 1, 3;
SELECT explanation FROM identity_conflict ORDER BY patient_id;

-- The same after the numbers are kept, and after everything is found anew.
CREATE TABLE before AS TABLE conflicts;
SELECT maintain();
SELECT count(*) AS waiting FROM identity_stale;
(TABLE before EXCEPT ALL TABLE conflicts) UNION ALL (TABLE conflicts EXCEPT ALL TABLE before);
CALL rebuild();
(TABLE before EXCEPT ALL TABLE conflicts) UNION ALL (TABLE conflicts EXCEPT ALL TABLE before);
SELECT relation, problem FROM check_consistency();

-- Merged, they are one patient; parted again, it is said why both have the number.
SELECT count(feed('A', 'P1', 'patient.merged', '2024-05-02 08:00', NULL, 'P2'));
SELECT * FROM conflicts;
SELECT retract('patient.merged', 'P1', '2024-05-02 08:00');
SELECT * FROM conflicts ORDER BY patient;
-- What is retracted does not count.
SELECT retract('result.final', 'P2', '2024-05-01 10:30');
SELECT * FROM conflicts ORDER BY patient;
SELECT retract('note.signed', 'P3', '2024-05-01 07:30');
TABLE conflicts;

-- Placer and filler number are one order's: the laboratory's number under another patient.
SELECT count(feed('A', 'P4', 'order.placed', '2024-05-03 09:00', 'V4', 'PL4') + feed('A', 'P4', 'encounter.registered', '2024-05-03 08:00', 'V4'));
INSERT INTO subject_alias VALUES ('P4', 'PL4', 'FI4');
SELECT count(feed('A', 'P4', 'result.final', '2024-05-03 10:00', 'V4', 'FI4'));
TABLE conflicts;
SELECT count(feed('A', 'P5', 'result.preliminary', '2024-05-03 10:00', NULL, 'FI4'));
SELECT * FROM conflicts;
SELECT maintain();
SELECT * FROM conflicts;
-- Without the alias there is an order that nobody placed, of two patients.
DELETE FROM subject_alias;
SELECT * FROM conflicts ORDER BY patient, problem;
SELECT retract('result.preliminary', 'P5', '2024-05-03 10:00');
SELECT * FROM conflicts;
INSERT INTO subject_alias VALUES ('P4', 'FI4', 'PL4');
TABLE conflicts;

-- A result on another encounter than its order.  Merged encounters are one; of an order for later, and where the
-- specimen was taken in that encounter, it is in order.
SELECT count(feed('A', 'P6', kind, at::timestamptz, encounter, subject)) FROM (VALUES
	('encounter.registered', '2024-05-04 08:00', 'V6', NULL),
	('encounter.registered', '2024-05-05 08:00', 'V7', NULL),
	('order.placed', '2024-05-04 09:00', 'V6', 'O6'),
	('result.final', '2024-05-05 09:00', 'V7', 'O6'),
	('result.viewed', '2024-05-05 09:10', 'V7', 'O6'),
	('order.placed', '2024-05-04 09:00', 'V6', 'O7'),
	('specimen.collected', '2024-05-05 09:00', 'V7', 'O7'),
	('result.final', '2024-05-05 09:30', 'V7', 'O7'),
	('order.placed', '2024-05-04 09:00', NULL, 'O9'),
	('result.final', '2024-05-05 09:30', 'V7', 'O9')) AS e (kind, at, encounter, subject);
SELECT record_event('order.placed', 'P6', 'X', '2024-05-04 09:00', facility => 'A', encounter_id => 'V6', subject => 'O8', planned_at => '2024-05-05') IS NOT NULL;
SELECT count(feed('A', 'P6', 'result.final', '2024-05-05 09:00', 'V7', 'O8'));
SELECT * FROM conflicts;
SELECT explanation FROM identity_conflict;
SELECT maintain();
SELECT * FROM conflicts;
SELECT count(feed('A', 'P6', 'encounter.merged', '2024-05-06 09:00', 'V6', 'V7'));
TABLE conflicts;
SELECT retract('encounter.merged', 'P6', '2024-05-06 09:00');
SELECT * FROM conflicts;
SELECT retract('order.placed', 'P6', '2024-05-04 09:00');
SELECT * FROM conflicts ORDER BY subject;
SELECT retract('result.final', 'P6', at) FROM unnest('{2024-05-05 09:00,2024-05-05 09:30}'::timestamptz[]) AS at;
TABLE conflicts;

-- Results of an unknown order or encounter, until they are known; both at once are told one after the other.
SELECT count(feed('A', 'P8', kind, at::timestamptz, encounter, subject)) FROM (VALUES
	('result.final', '2024-05-07 09:00', 'V8', 'O10'),
	('result.corrected', '2024-05-07 09:01', 'V8', NULL),
	('result.cancelled', '2024-05-07 09:02', 'V8', 'O11'),
	('result.acknowledged', '2024-05-07 09:03', 'V8', 'O11')) AS e (kind, at, encounter, subject);
SELECT * FROM conflicts ORDER BY kind;
SELECT explanation FROM identity_conflict ORDER BY problem;
SELECT maintain();
SELECT count(feed('A', 'P8', 'order.placed', '2024-05-07 10:00', 'V8', 'O10'));
SELECT * FROM conflicts ORDER BY kind;
SELECT maintain();
SELECT count(feed('A', 'P8', 'encounter.registered', '2024-05-07 11:00', 'V8'));
TABLE conflicts;
SELECT to_char(t, 'HH24:MI:SS') AS at, c.problem, e.kind FROM unnest('{2024-05-07 08:59:59,2024-05-07 09:00,2024-05-07 09:01,2024-05-07 09:59:59,2024-05-07 10:00,2024-05-07 10:59:59,2024-05-07 11:00}'::timestamptz[]) AS t
	LEFT JOIN LATERAL identity_conflict_at(t) AS c ON true LEFT JOIN event AS e USING (event_id) ORDER BY t, 2, 3;
-- What was recorded late was there when it happened.
SELECT count(feed('A', 'P8', 'order.placed', '2024-05-07 09:00', 'V8', 'O10') + feed('A', 'P8', 'encounter.registered', '2024-05-07 09:00', 'V8'));
SELECT * FROM identity_conflict_at('2024-05-07 09:30');

-- A temporary id that was used again: merged into two.  One into the other is in order, and so is twice into the same.
SELECT count(feed('A', 'T1', 'encounter.registered', '2024-05-08 08:00', 'W1') + feed('A', 'M1', 'patient.merged', '2024-05-08 09:00', NULL, 'T1')
	+ feed('A', 'M1', 'patient.merged', '2024-05-08 09:30', NULL, 'T1'));
TABLE conflicts;
SELECT count(feed('A', 'M2', 'patient.merged', '2024-05-09 09:00', NULL, 'T1'));
SELECT * FROM conflicts;
SELECT explanation FROM identity_conflict;
SELECT count(*) FROM identity_conflict_at('2024-05-09 08:59:59');
SELECT count(feed('A', 'M1', 'patient.merged', '2024-05-10 09:00', NULL, 'M2'));
TABLE conflicts;
SELECT retract('patient.merged', 'M1', '2024-05-10 09:00');
SELECT * FROM conflicts;
SELECT retract('patient.merged', 'M2', '2024-05-09 09:00');
TABLE conflicts;

-- Three patients of one encounter: the first is whose it is, where nobody has it registered; of two at once, by the id.
SELECT count(feed('A', p, 'note.signed', '2024-05-11 08:00', 'V11')) FROM unnest('{R3,R1,R2}'::text[]) AS p;
SELECT * FROM conflicts ORDER BY patient;
-- Test patients are left out, unless they are asked for.
INSERT INTO test_patient VALUES ('R1');
SELECT * FROM conflicts ORDER BY patient;
SELECT maintain();
SELECT * FROM conflicts ORDER BY patient;
SET workflow_track.test_patients = on;
SELECT * FROM conflicts ORDER BY patient;
RESET workflow_track.test_patients;
SELECT retract('note.signed', p, '2024-05-11 08:00') FROM unnest('{R1,R2}'::text[]) AS p;

-- Who sees what: a conflict is of the facility of the event that does not fit.  Who the other patient is, and where, is
-- shown to who sees that facility too.
SELECT count(feed('B', 'S1', 'encounter.registered', '2024-05-12 08:00', 'V12') + feed('A', 'S2', 'vitals.recorded', '2024-05-12 09:00', 'V12'));
CREATE ROLE identity_a IN ROLE workflow_track_analyst;
CREATE ROLE identity_b IN ROLE workflow_track_analyst;
CREATE ROLE identity_ab IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('identity_a', 'A'), ('identity_b', 'B'), ('identity_ab', 'A'), ('identity_ab', 'B');
CREATE FUNCTION seen() RETURNS TABLE (problem text, facility text, patient_id text, other_patient_id text, names_other boolean, other_is_seen boolean, tells boolean)
LANGUAGE sql AS $$
	SELECT c.problem, c.facility, c.patient_id, c.other_patient_id, c.other_event_id IS NOT NULL,
		EXISTS (SELECT FROM workflow_track.event_history AS h WHERE h.event_id = c.other_event_id), c.explanation ~ 'S1'
	FROM workflow_track.identity_conflict AS c
$$;
GRANT EXECUTE ON FUNCTION seen() TO workflow_track_analyst;
SET ROLE identity_a;
SELECT * FROM seen();
SELECT problem, other_patient_id FROM identity_conflict_at('2024-05-13');
SELECT count(*) FROM patient_identities('{S1}');
SELECT count(*) FROM every_identity_conflict();
SELECT count(*) FROM identity_state;
SET ROLE identity_b;
SELECT * FROM seen();
SET ROLE identity_ab;
SELECT * FROM seen();
RESET ROLE;
SELECT maintain();
SET ROLE identity_a;
SELECT * FROM seen();
SET ROLE identity_b;
SELECT * FROM seen();
SET ROLE identity_ab;
SELECT * FROM seen();
RESET ROLE;
DROP OWNED BY identity_a, identity_b, identity_ab;
DROP ROLE identity_a, identity_b, identity_ab;

-- The same whatever comes first, whether numbers are kept in between or not.
CREATE TABLE feed AS SELECT facility, patient_id, kind, occurred_at, encounter_id, subject FROM event WHERE (patient_id, subject) NOT IN (('M1', 'M2'), ('P1', 'P2'));
INSERT INTO feed SELECT facility, patient_id, kind, occurred_at, encounter_id, subject FROM event WHERE subject IS NULL;
CREATE FUNCTION in_order(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	f workflow_track.feed;
	place integer := 0;
BEGIN
	FOR f IN SELECT * FROM workflow_track.feed ORDER BY hashint8(('x' || substr(md5(feed::text || n), 1, 8))::bit(32)::bigint) LOOP
		PERFORM workflow_track.feed(f.facility, n || f.patient_id, f.kind, f.occurred_at, n || f.encounter_id,
			n || f.subject);
		place := place + 1;
		IF place % 7 = n THEN
			PERFORM workflow_track.detect_now(false);
			PERFORM workflow_track.fold_identities();
		END IF;
	END LOOP;
	RETURN place;
END
$$;
SELECT in_order(1) = in_order(2) AND in_order(9) > 40 AS fed;
CREATE TABLE found AS SELECT left(patient_id, 1) AS n, problem, facility, substr(patient_id, 2) AS patient, substr(other_patient_id, 2) AS other,
	substr(encounter_id, 2) AS encounter, substr(subject, 2) AS subject, since FROM identity_conflict WHERE patient_id ~ '^[129]';
SELECT n, count(*) FROM found GROUP BY n ORDER BY n;
SELECT problem, patient, other, encounter, subject, count(*) FROM found GROUP BY problem, facility, patient, other, encounter, subject, since HAVING count(*) <> 3;
SELECT problem, count(*) FROM found WHERE n = '1' GROUP BY 1 ORDER BY 1;
SELECT relation, problem FROM check_consistency();

-- One thing at a time, whenever one asks: an encounter of two patients until the order is another's too, an unknown order until
-- either number is; and a number is only compared with its like.
SELECT count(feed('A', patient, kind, at::timestamptz, encounter, subject)) FROM (VALUES
	('X1', 'encounter.registered', '2024-05-13 08:00', 'V13', NULL),
	('X2', 'result.final', '2024-05-13 09:00', 'V13', 'O13'),
	('X1', 'order.placed', '2024-05-13 10:00', 'V13', 'O13'),
	('X3', 'note.signed', '2024-05-13 06:30', 'V14', NULL),
	('X3', 'result.final', '2024-05-13 07:00', 'V14', 'O14'),
	('X4', 'encounter.registered', '2024-05-13 11:00', 'V14', NULL),
	('X4', 'order.placed', '2024-05-13 12:00', 'V14', 'O14'),
	('X5', 'order.placed', '2024-05-13 08:00', NULL, 'V15'),
	('X6', 'result.final', '2024-05-13 09:00', NULL, 'V15'),
	('X6', 'result.final', '2024-05-13 09:30', 'V15', 'O15')) AS e (patient, kind, at, encounter, subject);
SELECT to_char(t, 'HH24:MI:SS') AS at, c.problem, c.patient_id, c.encounter_id, c.subject, to_char(c.since, 'HH24:MI') AS since
FROM unnest('{2024-05-13 07:00,2024-05-13 09:00,2024-05-13 09:59:59,2024-05-13 10:00,2024-05-13 10:59:59,2024-05-13 11:00,2024-05-13 12:00}'::timestamptz[]) AS t
	LEFT JOIN LATERAL identity_conflict_at(t) AS c ON c.patient_id IN ('X2', 'X3', 'X6') ORDER BY t, c.patient_id, c.subject, c.problem;
SELECT problem, patient_id, encounter_id, subject, to_char(since, 'HH24:MI') AS since, to_char(settled_at, 'HH24:MI') AS settled
FROM identity_finding WHERE patient_id IN ('X2', 'X3', 'X6') ORDER BY 2, 4, 5, 1;
-- Of two merges of the same ids at once, the first in canonical order, whichever came first.
SELECT record_event('patient.merged', patient, 'X', at::timestamptz, subject => 'T2', source_sequence => sequence, actor => actor) > 0 FROM (VALUES
	('M5', '2024-05-14 08:00', 0, NULL), ('M6', '2024-05-14 09:00', 2, 'A'), ('M6', '2024-05-14 09:00', 1, 'b'), ('M6', '2024-05-14 09:00', 1, 'B')) AS e (patient, at, sequence, actor);
SELECT c.patient_id, c.other_patient_id, e.source_sequence, e.actor FROM identity_conflict AS c JOIN event AS e USING (event_id) WHERE c.subject = 'T2';
-- An encounter that nobody registered is told of before a result's order is known to be of another one, and after it is known to be of this one too.
SELECT count(feed('A', 'X7', kind, at::timestamptz, encounter, subject)) FROM (VALUES
	('encounter.registered', '2024-05-15 08:00', 'V17', NULL),
	('order.placed', '2024-05-15 08:30', NULL, 'O17'),
	('result.final', '2024-05-15 09:00', 'V18', 'O17'),
	('specimen.collected', '2024-05-15 10:00', 'V17', 'O17'),
	('specimen.received', '2024-05-15 11:00', 'V18', 'O17'),
	('encounter.registered', '2024-05-15 12:00', 'V18', NULL)) AS e (kind, at, encounter, subject);
CREATE VIEW apart AS SELECT problem, encounter_id, to_char(since, 'HH24:MI') AS since, to_char(settled_at, 'HH24:MI') AS settled
	FROM identity_finding WHERE patient_id = 'X7' ORDER BY identity_finding.since;
TABLE apart;
SELECT retract('encounter.registered', 'X7', '2024-05-15 12:00');
TABLE apart;
SELECT maintain();
TABLE apart;
SELECT relation, problem FROM check_consistency();
-- Of the merges of months that retention dropped, the first in time is still the first, whatever its number and its ids.
SELECT count(record_event('patient.merged', patient, 'X', at::timestamptz, subject => 'T3')) FROM (VALUES
	('M1', '2024-03-03 08:00'), ('M2', '2024-03-01 08:00')) AS e (patient, at);
SELECT drop_before('2024-05-01', true);
SELECT patient_id, occurred_at FROM patient_merge WHERE merged_id = 'T3' ORDER BY event_id;
SELECT count(record_event('patient.merged', patient, 'X', at::timestamptz, subject => 'T3')) FROM (VALUES
	('M0', '2024-05-16 08:00'), ('M3', '2024-05-16 09:00')) AS e (patient, at);
SELECT patient_id, other_patient_id, since FROM identity_conflict WHERE subject = 'T3' ORDER BY since;
SELECT relation, problem FROM check_consistency();
