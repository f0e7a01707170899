CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

SELECT message, segment, condition, kind, subject, actor FROM workflow_track.hl7v2_mapping WHERE name = 'note.signed';

SELECT patient_id, encounter_id, facility, occurred_at, source_sequence FROM workflow_track.hl7v2_mapping WHERE name = 'defaults';

INSERT INTO workflow_track.hl7v2_mapping
  (name, message, segment, kind, occurred_at, subject, item, actor, description) VALUES
  ('result.acknowledged', '{ZAK^*}', 'ZAK', '''result.acknowledged''', 'ZAK-4, MSH-7', 'ZAK-1', 'ZAK-2', 'ZAK-3.1',
   'the EHR says that a provider acknowledged a report');
INSERT INTO workflow_track.inbox (body) VALUES
('MSH|^~\&|LAB|NORTH|WT|NORTH|20240304100500||ORU^R01|L1|P|2.5.1
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|O|LAB^^^NORTH||||||||||||||||V77
OBR|1|O-1|F-1|2823-3^Potassium^LN||||||||||||dr.reyes||||||20240304100000|||F
OBX|1|NM|2823-3^Potassium^LN||6.8|mmol/L||HH|||F'),
('MSH|^~\&|EHR|NORTH|WT|NORTH|20240304103100||ZAK^Z01|E1|P|2.5.1
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|O|LAB^^^NORTH||||||||||||||||V77
ZAK|O-1|F-1|dr.reyes^Reyes^Ana|20240304103000');
SELECT expectation, subject, item, status, closed_by, closed_at FROM workflow_track.care_loop ORDER BY opened_at;

INSERT INTO workflow_track.hl7v2_mapping
SELECT (jsonb_populate_record(m, '{"shipped": false, "detail": "patient_class: PV1-2"}')).*
FROM workflow_track.hl7v2_mapping m WHERE name = 'result' AND shipped;
SELECT workflow_track.reprocess(1);

SELECT expectation, subject, status, due_at FROM workflow_track.care_loop ORDER BY opened_at, due_at;

INSERT INTO workflow_track.hl7v2_mapping (name, enabled, message, kind)
VALUES ('patient.updated', false, '{ADT^A08,ADT^A31}', '''patient.updated''');

SELECT m.name, m.enabled FROM workflow_track.hl7v2_mapping m WHERE NOT m.shipped ORDER BY m.name;

INSERT INTO workflow_track.hl7v2_mapping (name, message, kind, subject)
VALUES ('mine', '{ZAK^*}', '''result.acknowledged''', 'ORC-2.1, OBR.2');

INSERT INTO workflow_track.hl7v2_mapping (name, message, kind) VALUES ('mine', '{ZAK^*}', '''result.acknowleged''');

INSERT INTO workflow_track.hl7v2_mapping (name, message, kind) VALUES ('mine', '{ZAK^*}', 'ZAK-5');
