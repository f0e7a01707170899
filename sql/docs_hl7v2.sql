CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET search_path = workflow_track, public;

SELECT m -> 'MSH-9' AS type, m -> 'PID-3.1' AS id, m -> 'PID-5' AS name, m -> 'PID-11.1' AS street
FROM CAST('MSH|^~\&|PMS|NORTH|||20240304083000||ADT^A04|1|P|2.5.1
PID|1||12345^^^NORTH^MR~999-99-9999^^^SSA^SS||DOE^JANE||19700101|F|||5 High St\.br\Apt \T\4^^Springfield' AS hl7v2) m;

SELECT 'MSH|^~\&|PMS|NORTH|||20240304083000||ADT^A04|1|P|2.5.1
pid|1||12345'::hl7v2;

SELECT hl7v2_values(m, 'PID-3.1') AS ids FROM CAST('MSH|^~\&|PMS|NORTH|||20240304083000||ADT^A04|1|P|2.5.1
PID|1||12345^^^NORTH^MR~999-99-9999^^^SSA^SS' AS hl7v2) m;

SELECT 'MSH|^~\&|PMS|NORTH|||20240304083000||ADT^A04'::hl7v2 -> 'PID-3.0';

SELECT * FROM hl7v2_segments('MSH|^~\&|PMS|NORTH|||20240304083000||ADT^A04|1|P|2.5.1
PID|1||12345^^^NORTH^MR
ZZZ|anything');

SELECT ack -> 'MSH-5' AS back_to, ack -> 'MSH-9' AS type, ack -> 'MSA-1' AS code, ack -> 'MSA-2' AS answers, ack -> 'ERR-8' AS why
FROM hl7v2_ack('MSH|^~\&|PMS|NORTH|WT|NORTH|20240304083000||ADT^A04|77|P|2.5.1', 'AE', 'closed for the night') ack;

INSERT INTO inbox (body) VALUES
('MSH|^~\&|PMS|NORTH|||20240304083000||ADT^A04|1|P|2.5.1
EVN||20240304083000
PID|1||12345^^^NORTH^MR
PV1|1|O|WALKIN||||||||||||||||V1|||||||||||||||||||||||||20240304082500'),
('no message');
CREATE INDEX message_patient ON message (((body::hl7v2) -> 'PID-3.1'))
  WHERE status <> 'rejected' AND message_type NOT IN ('FHS', 'BHS', 'BTS', 'FTS');
SELECT message_id, body::hl7v2 -> 'PV1-44' AS admitted FROM message
WHERE (body::hl7v2) -> 'PID-3.1' = '12345'
  AND status <> 'rejected' AND message_type NOT IN ('FHS', 'BHS', 'BTS', 'FTS');

SELECT source_system, message_type, v AS location, count(*) FROM message, hl7v2_values(body::hl7v2, 'PV1-3.1') v
WHERE status <> 'rejected' AND message_type NOT IN ('FHS', 'BHS', 'BTS', 'FTS')
GROUP BY 1, 2, 3 ORDER BY 4 DESC;
