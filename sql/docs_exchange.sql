CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.reyes', 'provider');
INSERT INTO workflow_track.event
  (occurred_at, facility, patient_id, encounter_id, subject, item, kind, actor, source_system) VALUES
  ('2024-03-04 08:00', 'NORTH', 'P1', 'V1', 'O1', NULL, 'order.placed',  'dr.reyes', 'EHR'),
  ('2024-03-04 10:00', 'NORTH', 'P1', 'V1', 'O1', 'F1', 'result.final',  NULL,       'LIS'),
  ('2024-03-05 09:00', 'NORTH', 'P1', NULL, 'R1', NULL, 'referral.sent', 'dr.reyes', 'EHR');

SELECT left(line, 110) AS line FROM workflow_track.export_xes('2024-03-01') AS line WHERE line ~ '<(log|trace|event|/log)[ >]';

SELECT substring(line FROM '<trace>.*?/>') AS trace
FROM workflow_track.export_xes('2024-03-01', cases => 'patients', salt => 'kept in a safe, never in a script') AS line
WHERE line LIKE '<trace>%';

SELECT o ->> 'id' AS object, o ->> 'type' AS type, o #>> '{relationships,0,objectId}' AS of
FROM (SELECT string_agg(line, '')::jsonb AS log FROM workflow_track.export_ocel('2024-03-01') AS line) AS d,
  jsonb_array_elements(d.log -> 'objects') AS o
ORDER BY object;

SELECT row_number, problem, kind, patient_id, occurred_at, actor FROM workflow_track.xes_events('<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <trace><string key="concept:name" value="case 7"/>
    <event><string key="concept:name" value="Order lab"/><date key="time:timestamp" value="2024-03-04T08:00:00.000+01:00"/>
      <string key="org:resource" value="ann"/><string key="lifecycle:transition" value="complete"/></event>
    <event><string key="concept:name" value="Report"/><date key="time:timestamp" value="yesterday"/></event>
  </trace></log>',
  mapping => '{"columns": {"patient_id": "case:concept:name", "encounter_id": "case:concept:name", "source_system": {"constant": "HIS"}},
    "kinds": {"Order lab": "order.placed", "Report": "result.final"}}');

CREATE TABLE disco (line bigint GENERATED ALWAYS AS IDENTITY, "Case ID" text, "Activity" text, "Resource" text, "Complete Timestamp" text, "Age" text);
COPY disco ("Case ID", "Activity", "Resource", "Complete Timestamp", "Age") FROM STDIN (FORMAT csv, HEADER);
Case ID,Activity,Resource,Complete Timestamp,Age
c1,Register,ann,2024/03/04 08:00:00.000,63
c1,Blood drawn,bea,2024/03/04 08:10:00.000,63
c1,Lunch,,2024/03/04 12:00:00.000,63
c2,Register,ann,04.03.2024,70
\.

SELECT * FROM workflow_track.import_csv('disco.csv', 'disco', '{
  "columns": {"activity": "Activity", "patient_id": "Case ID", "encounter_id": "Case ID", "occurred_at": "Complete Timestamp",
    "source_sequence": "@row", "actor": "Resource", "facility": {"constant": "NORTH"}, "source_system": {"constant": "HIS"}},
  "kinds": {"Register": "encounter.registered", "Blood drawn": "specimen.collected", "Lunch": null},
  "time_format": "YYYY/MM/DD HH24:MI:SS.MS", "timezone": "America/Chicago", "detail": ["Age"]}');

SELECT import, row_number, activity, problem FROM workflow_track.import_problem;
