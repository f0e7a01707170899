-- Missing information: what a step's events must hold, each kind of field at its edges, what supplies it, and the order of arrival.
CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT set_workflow_state('default', 1, 'retired');
SELECT define_workflow('{"workflow": "lab", "version": 1, "state": "current", "steps": [
 {"step": "order", "kind": "order.placed", "in": ["EHR"], "performed_by": ["provider"], "required_fields": ["encounter_id", "code:loinc", "detail.indication"]},
 {"step": "result", "kind": "result.final", "required_fields": ["recipient", "recipient_role", "severity"]},
 {"step": "any result", "kind": "result.final", "required_fields": ["value"]},
 {"step": "note", "kind": "note.signed", "required_fields": ["facility", "subject", "item", "planned_at", "entry_method", "message_id", "actor", "actor_role", "detail",
	"code:local:LAB7", "patient_id", "kind", "occurred_at", "source_sequence", "time_precision", "source_system"]},
 {"step": "acknowledge", "kind": "result.acknowledged"}]}');
INSERT INTO staff (actor, role) VALUES ('dr.a', 'provider'), ('no role', NULL);
CREATE VIEW lacking AS
	SELECT m.patient_id AS patient, m.step, to_char(m.occurred_at, 'DD HH24:MI') AS at, m.missing FROM missing_information AS m ORDER BY 1, m.occurred_at, 2;

-- A column: null and empty are missing, a blank of another kind is not; the code system; a key of detail that holds something.
COPY event (patient_id, source_system, occurred_at, kind, encounter_id, code, detail) FROM stdin (NULL '-');
A1	EHR	2024-06-01 08:01	order.placed	V1	loinc|718-7	{"indication": "fatigue"}
A2	EHR	2024-06-01 08:02	order.placed	-	loinc|718-7	{"indication": "fatigue"}
A3	EHR	2024-06-01 08:03	order.placed		loinc|718-7	{"indication": 0}
A4	EHR	2024-06-01 08:04	order.placed	V1	local:LAB7|GLU	{"indication": false}
A5	EHR	2024-06-01 08:05	order.placed	V1	-	{"indication": ["fatigue"]}
A6	EHR	2024-06-01 08:06	order.placed	V1	loinc|718-7	-
A7	EHR	2024-06-01 08:07	order.placed	V1	loinc|718-7	{"indication": ""}
A8	EHR	2024-06-01 08:08	order.placed	V1	loinc|718-7	{"indication": null}
A9	EHR	2024-06-01 08:09	order.placed	V1	loinc|718-7	{"indication": []}
B1	EHR	2024-06-01 08:10	order.placed	V1	loinc|718-7	{"indication": {}}
B2	EHR	2024-06-01 08:11	order.placed	V1	loinc|718-7	["indication"]
B3	EHR	2024-06-01 08:12	order.placed	V1	loinc|718-7	{"Indication": "x"}
B4	LIS	2024-06-01 08:13	order.placed	V1	snomed|44054006	{"indication": {"text": "x"}}
B5	EHR	2024-06-01 08:14	order.accepted	-	-	-
\.
TABLE lacking;
-- Roles that staff gives are there; what an event always has is never missing; a step each.
COPY event (patient_id, occurred_at, kind, facility, subject, item, planned_at, entry_method, message_id, actor, actor_role, recipient, recipient_role, severity, value, code, detail) FROM stdin (NULL '-');
C1	2024-06-02 08:01	result.final		-	-	-	-	-	-	-	dr.a	-	normal	5	-	-
C2	2024-06-02 08:02	result.final		-	-	-	-	-	-	-	no role	-	normal	5	-	-
C3	2024-06-02 08:03	result.final		-	-	-	-	-	-	-	no role	nurse	-	5	-	-
C4	2024-06-02 08:04	result.final		-	-	-	-	-	-	-	-	provider	critical		-	-
C5	2024-06-02 08:05	note.signed		-	-	-	-	-	-	-	-	-	-	-	-	-
C6	2024-06-02 08:06	note.signed	F	S	I	2024-06-03	manual	7	dr.a	-	-	-	-	-	local:LAB7|GLU	{"a": null}
C7	2024-06-02 08:07	note.signed		S	I	2024-06-03	manual	7	no role	nurse	-	-	-	-	local:LAB77|GLU	{}
\.
SELECT * FROM lacking WHERE at >= '02';

-- Every column.
\x
SELECT record_event('order.placed', 'D1', 'EHR', '2024-06-03 08:00', facility => 'F', encounter_id => 'V9', subject => 'S9') AS event_id \gset
SELECT m.*, event_id = :event_id AS right_event FROM missing_information AS m WHERE patient_id = 'D1';
\x

-- Supplied by later events of the subject, each field by the first that has it, of whatever kind and facility.
SELECT record_event('order.modified', 'D1', 'EHR', '2024-06-03 09:00', facility => 'G', subject => 'S9', code => 'loinc|718-7') > 0 AS one,
	record_event('note.signed', 'D1', 'EHR', '2024-06-03 10:00', facility => 'F', subject => 'S8', detail => '{"indication": "of another subject"}') > 0 AS two;
SELECT * FROM lacking WHERE patient = 'D1';
SELECT record_event('specimen.collected', 'D1', 'LIS', '2024-06-03 11:00', subject => 'S9', detail => '{"indication": "anaemia"}') > 0 AS three;
SELECT * FROM lacking WHERE patient = 'D1';
SELECT to_char(t, 'HH24:MI:SS') AS at, m.missing FROM unnest('{2024-06-03 07:59:59,2024-06-03 08:00,2024-06-03 08:59:59,2024-06-03 09:00,2024-06-03 10:59:59,2024-06-03 11:00}'::timestamptz[]) AS t
	LEFT JOIN LATERAL (SELECT * FROM missing_information_at(t) WHERE patient_id = 'D1' AND step = 'order') AS m ON true;
-- Not by earlier ones, nor by another patient's; at the same instant by what stands later in canonical order.
SELECT count(record_event(kind, patient, 'X', at::timestamptz, source_sequence => sequence, subject => 'S2', value => value, recipient => 'dr.a', severity => 'normal')) FROM (VALUES
	('result.preliminary', 'D2', '2024-06-04 07:00', 0, '5'), ('result.final', 'D2', '2024-06-04 08:00', 1, NULL), ('result.viewed', 'D2', '2024-06-04 08:00', 0, '6'),
	('result.viewed', 'D3', '2024-06-04 09:00', 0, '6'),
	('result.final', 'D4', '2024-06-04 08:00', 1, NULL), ('result.viewed', 'D4', '2024-06-04 08:00', 2, '6')) AS e (kind, patient, at, sequence, value);
SELECT * FROM lacking WHERE at >= '04';

-- Merged, they are one patient; an alias makes two numbers one subject; each may be taken back, and so may what supplied it.
SELECT record_event('patient.merged', 'D2', 'ADT', '2024-06-05 08:00', subject => 'D3') AS merge \gset
SELECT * FROM lacking WHERE at >= '04';
SELECT retract_event(:merge, 'wrong');
SELECT * FROM lacking WHERE at >= '04';
SELECT record_event('result.acknowledged', 'D2', 'EHR', '2024-06-05 09:00', subject => 'FILLER', value => '7') AS supplier \gset
SELECT * FROM lacking WHERE at >= '04';
INSERT INTO subject_alias VALUES ('D2', 'FILLER', 'S2');
SELECT * FROM lacking WHERE at >= '04';
SELECT retract_event(:supplier, 'wrong');
SELECT * FROM lacking WHERE at >= '04';
SELECT record_event('result.corrected', 'D2', 'LIS', '2024-06-05 10:00', subject => 'FILLER', value => '8') > 0 AS again;
SELECT * FROM lacking WHERE at >= '04';
-- An earlier supply that comes late is the one; a retracted event lacks nothing; test patients are left out.
SELECT record_event('result.viewed', 'D2', 'LIS', '2024-06-04 12:00', subject => 'FILLER', value => '8') > 0 AS late;
SELECT step, missing, supplied_at FROM missing_field WHERE patient_id = 'D2' ORDER BY 1;
SELECT retract_event(event_id, 'wrong') FROM event WHERE patient_id = 'A2';
INSERT INTO test_patient VALUES ('A3');
SELECT * FROM lacking WHERE at < '01 08:05';
SET workflow_track.test_patients = on;
SELECT * FROM lacking WHERE at < '01 08:05';
RESET workflow_track.test_patients;

-- A facility sees its own events; what another's supply is supplied.
CREATE ROLE missing_f IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('missing_f', 'F');
SELECT record_event('order.placed', 'D5', 'EHR', '2024-06-06 08:00', facility => 'F', subject => 'S5', code => 'loinc|718-7', encounter_id => 'V5') > 0,
	record_event('order.placed', 'D5', 'EHR', '2024-06-06 08:00', facility => 'G', subject => 'S6', code => 'loinc|718-7', encounter_id => 'V5') > 0;
SET ROLE missing_f;
SELECT patient_id, facility, subject, missing FROM missing_information ORDER BY 1;
SELECT count(*) FROM missing_information_at('2024-06-06 09:00');
SELECT count(*) FROM missing_state;
RESET ROLE;
SELECT record_event('note.signed', 'D5', 'EHR', '2024-06-06 09:00', facility => 'G', subject => 'S5', detail => '{"indication": "x"}') > 0;
SET ROLE missing_f;
SELECT patient_id, facility, subject, missing FROM missing_information WHERE subject = 'S5';
RESET ROLE;
DROP OWNED BY missing_f;
DROP ROLE missing_f;

-- What staff and the map say later; the version before is settled with it.
INSERT INTO staff (actor, role) VALUES ('no role', 'nurse');
CALL catch_up();
SELECT * FROM lacking WHERE patient IN ('C2', 'C3');
SELECT define_workflow('{"workflow": "lab", "version": 2, "state": "current", "steps": [{"step": "note", "kind": "note.signed", "required_fields": ["item", "detail.nothing"]}]}');
SELECT count(*) FILTER (WHERE what = 'workflow') FROM stale_mark;
CALL catch_up();
TABLE lacking;
SELECT relation, problem, patient_id FROM check_consistency();
SELECT set_workflow_state('lab', 1, 'current');
CALL catch_up();

-- The same whatever comes first: the events so far, as others' in orders of chance, one a transaction or all at once.
CREATE TABLE feed AS SELECT e.* FROM event AS e JOIN event_history AS h USING (event_id) WHERE h.retracted_at IS NULL;
CREATE PROCEDURE in_order(n text, each boolean) LANGUAGE plpgsql AS $$
DECLARE
	f workflow_track.feed;
BEGIN
	FOR f IN SELECT * FROM workflow_track.feed ORDER BY md5(feed::text || n) LOOP
		PERFORM workflow_track.record_event(f.kind, n || f.patient_id, f.source_system, f.occurred_at, source_sequence => f.source_sequence, facility => f.facility,
			encounter_id => f.encounter_id, subject => f.subject, item => f.item, code => f.code, value => f.value, severity => f.severity, planned_at => f.planned_at,
			actor => f.actor, actor_role => f.actor_role, recipient => f.recipient, recipient_role => f.recipient_role, entry_method => f.entry_method, message_id => f.message_id, detail => f.detail);
		IF each THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;
INSERT INTO subject_alias SELECT n || 'D2', 'FILLER', 'S2' FROM unnest('{x,y,z}'::text[]) AS n;
CALL in_order('x', true);
CALL in_order('y', true);
CALL in_order('z', false);
CREATE TABLE found AS SELECT left(patient_id, 1) AS n, substr(patient_id, 2) AS patient, step, occurred_at, missing, supplied_at FROM missing_field WHERE patient_id ~ '^[xyz]';
SELECT n, count(*), count(*) FILTER (WHERE supplied_at && '{infinity}') AS open FROM found GROUP BY n ORDER BY n;
SELECT patient, step, occurred_at, missing, supplied_at, count(*) FROM found GROUP BY 1, 2, 3, 4, 5 HAVING count(*) <> 3;
SELECT relation, problem, patient_id FROM check_consistency();

-- A detail that is no object is nothing where it is null or an empty text.
SELECT define_workflow('{"workflow": "details", "version": 1, "state": "current", "steps": [{"step": "task", "kind": "task.created", "required_fields": ["detail"]}]}');
INSERT INTO event (occurred_at, patient_id, kind, source_system, value, detail)
	SELECT '2024-05-20', 'N1', 'task.created', 'X', detail, detail::jsonb FROM unnest('{"null","\"\"","[]","{}","0","false","\"a\"","[null]"}'::text[]) AS d(detail);
SELECT e.value FROM missing_information AS m JOIN event AS e USING (event_id) WHERE m.patient_id = 'N1' ORDER BY e.event_id;
SELECT relation, problem, patient_id FROM check_consistency();
