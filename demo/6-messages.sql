-- The fourth door: HL7 v2 messages, as an interface engine has them.

SET timezone = 'UTC';

\echo
\echo '== HL7 v2: a message is stored, understood and acknowledged'
\set message 'MSH|^~\\&|LIS|NORTH|HUB|NORTH|20260303111500||ORU^R01^ORU_R01|LIS-7001|P|2.5.1\rPID|1||P9001\rPV1|1|I|ICU^3^A^NORTH||||||||||||||||V9001\rORC|RE|ORD-9001|FIL-9001\rOBR|1|ORD-9001|FIL-9001|2823-3^Potassium^LN||||||||||||dr.okafor||||||20260303111400|||F\rOBX|1|NM|2823-3^Potassium^LN||6.9|mmol/L|3.5-5.1|HH|||F'
SELECT unnest(string_to_array(:'message', E'\r')) AS "what the laboratory sends";
SELECT unnest(string_to_array(rtrim(workflow_track.ingest_hl7v2(:'message'), E'\r'), E'\r')) AS "what it gets back";
SELECT kind, patient_id AS patient, encounter_id AS visit, subject, item, code, value, severity, recipient
FROM workflow_track.event_history WHERE patient_id = 'P9001';

\echo 'Many at once go into view inbox, by COPY or INSERT. Among these, one is sent again because its ACK was lost, one again under'
\echo 'a new id, one lacks the visit, one is no message, and two call off and merge.'
INSERT INTO workflow_track.inbox (body)
SELECT replace(body, '\r', E'\r') FROM (VALUES
	(1, :'message'),
	(2, replace(:'message', 'LIS-7001', 'LIS-7002')),
	(3, 'MSH|^~\&|EHR|NORTH|HUB|NORTH|20260303090500||ORM^O01^ORM_O01|EHR-7003|P|2.5.1\rPID|1||P9001\rPV1|1|I|ICU^3^A^NORTH||||||||||||||||V9001\rORC|NW|ORD-9001|||||||20260303090500|||dr.okafor\rOBR|1|ORD-9001||2823-3^Potassium^LN'),
	(4, 'MSH|^~\&|PMS|NORTH|HUB|NORTH|20260303080000||ADT^A01^ADT_A01|PMS-7004|P|2.5.1\rEVN|A01|20260303080000\rPID|1||P9002\rPV1|1|I|ICU^4^A^NORTH'),
	(5, 'Dear colleague, please find attached'),
	(6, 'MSH|^~\&|PMS|NORTH|HUB|NORTH|20260303093000||ADT^A11^ADT_A09|PMS-7006|P|2.5.1\rEVN|A11|20260303093000\rPID|1||P9003\rPV1|1|I|ICU^5^A^NORTH||||||||||||||||V9003'),
	(7, 'MSH|^~\&|PMS|NORTH|HUB|NORTH|20260303081500||ADT^A01^ADT_A01|PMS-7007|P|2.5.1\rEVN|A01|20260303081500\rPID|1||P9003\rPV1|1|I|ICU^5^A^NORTH||||||||||||||||V9003'),
	(8, 'MSH|^~\&|PMS|NORTH|HUB|NORTH|20260303120000||ADT^A40^ADT_A39|PMS-7008|P|2.5.1\rEVN|A40|20260303120000\rPID|1||P9001\rMRG|P9101')
) m (n, body) ORDER BY n;
\echo '== message_exception: nothing is lost, and nothing is silent'
SELECT source_system AS system, control_id, split_part(message_type, '^', 2) AS trigger, problem, explanation
FROM workflow_track.message_exception ORDER BY message_id;
\echo 'The admission of P9003 was called off by a message that came before it:'
SELECT kind, patient_id AS patient, occurred_at, retracted_reason FROM workflow_track.event_history WHERE patient_id = 'P9003';
\echo '== message_trace: everything that came about an order, whichever number one knows'
SELECT message_id AS message, source_system AS system, control_id, message_type, status, matched FROM workflow_track.message_trace('FIL-9001');

\echo '== data_flow: which system sends what to which, and what comes of it'
SELECT from_system AS "from", to_system AS "to", message_type AS type, sum(messages) AS messages, sum(rejected) AS not_understood, sum(events) AS events
FROM workflow_track.data_flow WHERE message_type <> '' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT 4;
