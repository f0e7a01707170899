CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
INSERT INTO workflow_track.inbox (body) VALUES
(E'MSH|^~\\&|LIS|NORTH|EHR|NORTH|20240304100500||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||P1\rPV1|1|I|4W^^^NORTH||||||||||||||||V1\rOBR|1|O-1|F-1|2823-3^Potassium^LN|||||||||||||||||||20240304100000|||F\rOBX|1|NM|2823-3^Potassium^LN||6.8|mmol/L||HH|||F'),
(E'MSH|^~\\&|LIS|NORTH|EHR|NORTH|20240304100600||ORU^R01^ORU_R01|2|P|2.5.1\rOBR|1|O-2|F-2\rBAD!|'),
(E'MSH|^~\\&|LIS|NORTH|PORTAL|NORTH|20240304100700||ORU^R01^ORU_R01|3|P|2.5.1\rPID|1||P1\rPV1|1|I|4W^^^NORTH||||||||||||||||V1\rOBR|1|O-1|F-1|2823-3^Potassium^LN|||||||||||||||||||20240304100000|||F\rOBX|1|NM|2823-3^Potassium^LN||6.8|mmol/L||HH|||F');

SELECT from_system, to_system, message_type, messages, rejected, rejected_share, events FROM workflow_track.data_flow ORDER BY 1, 2, 3;

SELECT from_system, message_type, sum(messages) AS messages, max(p90) > interval '1 hour' AS late FROM workflow_track.data_flow(now() - interval '7 days') GROUP BY 1, 2;

SELECT workflow_track.define_workflow('{
 "workflow": "interfaces", "version": 1, "state": "current",
 "flows": [
  {"from": "LIS", "to": "EHR", "types": ["ORU^R01"], "every": "15 minutes"},
  {"from": "PMS", "to": "EHR", "types": ["ADT^*"], "every": "1 hour",
   "during": {"days": ["monday", "tuesday", "wednesday", "thursday", "friday"], "from": "07:00", "until": "19:00", "timezone": "America/Chicago"}},
  {"from": "EHR", "to": "LIS", "types": ["ORM^O01", "OML^O21"]}]
}');

SELECT problem, from_system, to_system, message_types, every FROM workflow_track.flow_gap ORDER BY 1, 2, 3;

SELECT problem, from_system, to_system, message_types, silent_for > interval '15 minutes' AS too_long
FROM workflow_track.flow_gap_at(now() + interval '20 minutes') WHERE problem = 'silent';

SELECT "check", value, verdict FROM workflow_track.health WHERE "check" LIKE 'declared flows%';
