CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

CREATE ROLE docs_engine LOGIN;
GRANT workflow_track_recorder TO docs_engine;

INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone, charset) VALUES
  ('EHR', 'NORTH', 'America/Chicago', NULL),
  ('LAB', 'NORTH', 'America/Chicago', '8859/1');

SET ROLE docs_engine;
SELECT s.content FROM workflow_track.hl7v2_segments(workflow_track.ingest_hl7v2('MSH|^~\&|EHR|NORTH|WT|NORTH|20240304083000||ORM^O01|E1|P|2.5.1
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|I|4W^12^A^NORTH||||||||||||||||V77
ORC|NW|O-1|||||||20240304083000|||dr.reyes
OBR|1|O-1||2823-3^Potassium^LN')::workflow_track.hl7v2) s
WHERE s.name <> 'MSH';

SELECT s.content FROM workflow_track.hl7v2_segments(convert_from(workflow_track.ingest_hl7v2(convert_to('MSH|^~\&|LAB|NORTH|WT|NORTH|20240304100500||ORU^R01|L1|P|2.3
PID|1||12345^^^NORTH^MR||DOE^ZOË
PV1|1|I|4W^12^A^NORTH||||||||||||||||V77
OBR|1||F-1|2823-3^Potassium^LN||||||||||||dr.reyes||||||20240304100000|||F
OBX|1|NM|2823-3^Potassium^LN||6.8|mmol/L||HH|||F
', 'LATIN1')), 'LATIN1')::workflow_track.hl7v2) s
WHERE s.name <> 'MSH';

RESET ROLE;
SELECT kind, occurred_at, patient_id, encounter_id, subject, item, severity, recipient, message_id
FROM workflow_track.event_history ORDER BY event_id;

SELECT s.content FROM workflow_track.hl7v2_segments(workflow_track.ingest_hl7v2('MSH|^~\&|EHR|NORTH|WT|NORTH|20240304083000||ORM^O01|E1|P|2.5.1
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|I|4W^12^A^NORTH||||||||||||||||V77
ORC|NW|O-1|||||||20240304083000|||dr.reyes
OBR|1|O-1||2823-3^Potassium^LN')::workflow_track.hl7v2) s
WHERE s.name <> 'MSH';

SELECT count(*) FROM workflow_track.event_history WHERE kind = 'order.placed';

COPY workflow_track.inbox (body) FROM STDIN (FORMAT csv);
"MSH|^~\&|EHR|NORTH|WT|NORTH|20240304084500||ORM^O01|E2|P|2.5.1
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|I|4W^12^A^NORTH||||||||||||||||V77
ORC|NW|O-1|||||||20240304083000|||dr.reyes
OBR|1|O-1||2823-3^Potassium^LN"
"MSH|^~\&|EHR|NORTH|WT|NORTH|20240304090000||ADT^A01|E3|P|2.5.1
EVN||20240304090000
PID|1||12346^^^NORTH^MR||""""
PV1|1|I|4W^13^A^NORTH"
"MSH|^~\&|EHR|NORTH|WT|NORTH|20240304103100||ZAK^Z01|E4|P|2.5.1
PID|1||12345^^^NORTH^MR||DOE^JANE
ZAK|O-1|F-1|dr.reyes|20240304103000"
hello
\.

SELECT message_id, control_id, message_type, status, problem, explanation FROM workflow_track.message ORDER BY message_id;

SELECT message_id, control_id, facility, problem, patient_id, subject FROM workflow_track.message_exception ORDER BY message_id, problem;

INSERT INTO workflow_track.hl7v2_mapping (name, message, segment, kind, occurred_at, subject, item, actor)
VALUES ('result.acknowledged', '{ZAK^*}', 'ZAK', '''result.acknowledged''', 'ZAK-4, MSH-7', 'ZAK-1', 'ZAK-2', 'ZAK-3.1');
SELECT * FROM workflow_track.reprocess_where('unmapped');

SELECT kind, occurred_at, subject, item, actor, message_id FROM workflow_track.event_history WHERE message_id = 6;

INSERT INTO workflow_track.inbox (body) VALUES ('MSH|^~\&|LAB|NORTH|WT|NORTH|20240304083500||ORM^O01|L2|P|2.3
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|I|4W^12^A^NORTH||||||||||||||||V77
ORC|OK|O-1|F-1||||||20240304083500
OBR|1|O-1|F-1|2823-3^Potassium^LN');
SELECT patient_id, alias, subject FROM workflow_track.subject_alias;

SELECT expectation, subject, status, overdue_by FROM workflow_track.care_loop ORDER BY opened_at;

SELECT count(*) FROM workflow_track.message_exception WHERE problem = 'no_order' AND subject = 'F-1';

SELECT message_id, source_system, message_type, status, matched FROM workflow_track.message_trace('F-1');

INSERT INTO workflow_track.inbox (body) VALUES
('MSH|^~\&|EHR|NORTH|WT|NORTH|20240304120500||ADT^A11|E6|P|2.5.1
EVN||20240304120500
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|I|4W^12^A^NORTH||||||||||||||||V78'),
('MSH|^~\&|EHR|NORTH|WT|NORTH|20240304120000||ADT^A01|E5|P|2.5.1
EVN||20240304120000
PID|1||12345^^^NORTH^MR||DOE^JANE
PV1|1|I|4W^12^A^NORTH||||||||||||||||V78');
SELECT kind, occurred_at, encounter_id, retracted_reason FROM workflow_track.event_history WHERE kind LIKE 'encounter.%';

INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone, id_namespace, patient_authority, patient_id_type)
VALUES ('PMS', 'SOUTH', 'America/Denver', 'SOUTH:', 'SOUTH', 'MR');
INSERT INTO workflow_track.inbox (body) VALUES ('MSH|^~\&|PMS|SOUTH|WT|NORTH|20240304083000||ADT^A04|P1|P|2.5.1
EVN||20240304083000
PID|1||999-99-9999^^^SSA^SS~12345^^^SOUTH^MR||ROE^RICHARD
PV1|1|O|WALKIN||||||||||||||||V1');
SELECT patient_id, encounter_id, facility, kind FROM workflow_track.event_history WHERE source_system = 'PMS';

UPDATE workflow_track.hl7v2_source SET answer_within = '10 minutes' WHERE source_system = 'EHR' AND facility = 'NORTH';
INSERT INTO workflow_track.inbox (body) VALUES ('MSH|^~\&|LAB|NORTH|EHR|NORTH|20240304083005||ACK^O01|L3|P|2.3
MSA|AE|E1|no such test');
SELECT message_id, control_id, problem, explanation FROM workflow_track.message_exception WHERE problem = 'refused';

DROP ROLE docs_engine;
