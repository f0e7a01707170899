CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
\a

--
-- XES: what stands in a document, as names and values
--
SELECT * FROM xes_rows($$<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- a comment -->
<x:log xmlns:x="http://www.xes-standard.org/" xes.version="1.0">
 <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
 <global scope="event"><string key="concept:name" value="__INVALID__"/></global>
 <classifier name="Activity" keys="concept:name"/>
 <string key="of the log" value="not kept"/>
 <x:trace>
  <string key="concept:name" value="c1"/>
  <boolean key="elective" value="true"><string key="who says so" value="GP"/></boolean>
  <event>
   <string key="concept:name" value="A &amp; &#x42; é&#10;"/><int key="n" value="-7"/><float key="f" value="1.5e3"/><boolean key="b" value="false"/><id key="id" value="0f"/>
   <date key="time:timestamp" value="2024-01-01T10:00:00.000+01:00"/><int key="bad" value="007"/><float key="inf" value="INF"/><boolean key="maybe" value="1"/><string key="none"/>
   <string key="outer" value="1"><string key="inner" value="2"><int key="innermost" value="3"/></string></string>
   <list key="codes"><values><string key="a" value="1"/><string key="a" value="2"><int key="weight" value="3"/></string><list key="more"><int key="z" value="9"/></list></values></list><list key="empty"/>
   <string key="n" value="again"/><string key="n" value="and again"/>
  </event>
  <event/>
 </x:trace>
 <trace/>
 <trace><string key="a" value="t"/><event><string key="@row" value="mine"/><string key="case:a" value="e"/></event></trace>
 <event/>
</x:log>$$, NULL);
SELECT count(*) FROM xes_rows('<log/>', NULL);
-- what is no log is refused, and the error shows nothing of it
SELECT * FROM xes_rows('', NULL);
SELECT * FROM xes_rows('<log><trace><event><string key="SECRET" value="x"></event></trace></log>', NULL);
SELECT * FROM xes_rows(E'<log>\n<trace><event><string value="SECRET"/></event></trace></log>', NULL);
SELECT * FROM xes_rows('<html/>', NULL);
SELECT * FROM xes_rows('<log><trace><trace/></trace></log>', NULL);
SELECT * FROM xes_rows('<log><event><trace/></event></log>', NULL);
SELECT * FROM xes_rows('<log><trace><event/><string key="late" value="1"/></trace></log>', NULL);
SELECT * FROM xes_rows('<log><string key="a" value="b"><event/></string></log>', NULL);
SELECT * FROM xes_rows('<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><log/>', NULL);
SELECT * FROM xes_rows('<!DOCTYPE log SYSTEM "file:///etc/passwd"><log/>', NULL);
SELECT * FROM xes_rows('<log><trace><event>' || repeat('<string key="k" value="v">', 200), NULL);
SELECT * FROM xes_rows('<log/>', 1);
SELECT * FROM xes_rows(NULL, NULL);
SELECT * FROM xes_rows(NULL, 1);
-- a large object says itself how it is encoded, and comes in pieces
SELECT lo_from_bytea(4294001, convert_to('<?xml version="1.0" encoding="ISO-8859-1"?><log><trace><event><string key="concept:name" value="é"/></event>' || repeat('<event><string key="x" value="é"/></event>', 60000) || '</trace></log>', 'LATIN1')) AS latin \gset
SELECT count(*), count(*) FILTER (WHERE r ->> 'x' = 'é') AS equal, max((r ->> '@place')::int) AS last, max(r ->> 'concept:name') AS name FROM xes_rows(NULL, :latin) AS r;
SELECT lo_from_bytea(4294002, '\xFFFE' || (SELECT string_agg(substring(b FROM n FOR 1) || '\x00', '' ORDER BY n) FROM convert_to('<log><event/></log>', 'UTF8') AS b, generate_series(1, length(b)) AS n)) AS utf16 \gset
SELECT * FROM xes_rows(NULL, :utf16);
CREATE ROLE regress_recorder IN ROLE workflow_track_recorder;
SET ROLE regress_recorder;
SELECT count(*) FROM xes_rows(NULL, :latin);
RESET ROLE;
SELECT lo_unlink(:latin), lo_unlink(:utf16);

--
-- Times: what is no time, or might be another, is none
--
SELECT v, imported_time(v, NULL, 'America/Chicago') AS at, imported_precision(v, NULL) AS precision FROM unnest(ARRAY['2024-03-04T10:00:00.123456+01:00', '2024-03-04 10:00:00,5Z', '2024-03-04T10:00:00+0130', '2024-03-04T10:00:00-06',
	'2024-03-04 10:00', '2024-03-04', '2024-03-10 02:30:00', '2024-11-03 01:30:00', '2024-02-30', '2024-13-01', '2024-03-04 25:00', '04.03.2024', 'now', 'infinity', '', 'yesterday', '2024-03-04 10:00 PST', '1709546400', '2024-03-04T10:00:00.0000004Z']) WITH ORDINALITY AS u(v, n) ORDER BY n;
SELECT imported_time('2024-03-04', NULL, NULL) IS NULL AS without_zone, imported_time(NULL, NULL, 'UTC') IS NULL AS of_null;
SELECT f, v, imported_time(v, f, 'Europe/Berlin') AS at, imported_precision(v, f) AS precision FROM (VALUES
	('DD.MM.YYYY HH24:MI:SS', '04.03.2024 10:00:05'), ('DD.MM.YYYY HH24:MI:SS', '4.3.2024 9:00:05'), ('DD.MM.YYYY HH24:MI', '04.03.2024 10:00:05'), ('DD.MM.YYYY', '31.02.2024'), ('DD.MM.YYYY', '03/04/2024'), ('DD.MM.YYYY', '4 March 2024'),
	('YYYY/MM/DD HH24:MI:SS.MS', '2014/10/22 11:15:41.000'), ('YYYY/MM/DD HH24:MI:SS.MS', '2014/10/22 11:15:41.05'), ('YYYY/MM/DD HH24:MI:SS.MS', '2014/10/22 11:15:41'), ('YYYY/MM/DD HH24:MI:SS.US', '2014/10/22 11:15:41.123456'),
	('MM/DD/YYYY HH12:MI AM', '03/04/2024 01:05 pm'), ('MM/DD/YYYY HH24:MI', '03/04/2024 01:05 pm'), ('MM/DD/YY HH24:MI', '3/4/24 1:05'), ('YYYYMMDDHH24MISS', '20240304100005'), ('MM/YYYY', '03/2024'), ('YYYY', '2024'), ('DD Mon YYYY HH24', '04 Mar 2024 10'),
	('DD.MM.YYYY HH24:MI', '31.03.2024 02:30'), ('DD.MM.YYYY HH24:MI', '04.03.2024 10:60'), ('DD.MM.YYYY HH24:MI', '04.03.2024 24:00')) AS t(f, v);

--
-- Mappings: a fault is named
--
CREATE FUNCTION pg_temp.fault(mapping jsonb) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(concat_ws(' ', path, problem, hint), ' | ') FROM workflow_track.import_faults(mapping) $$;
SELECT m, pg_temp.fault(m) FROM unnest(ARRAY['{}', '[]', '{"column": {}}', '{"columns": []}', '{"columns": {"patient": "a"}}', '{"columns": {"event_id": "a"}}', '{"columns": {"subject": 1}}', '{"columns": {"subject": []}}', '{"columns": {"subject": ["a", "b", "c", "d"]}}',
	'{"columns": {"subject": ["a", 1]}}', '{"columns": {"subject": {"constant": 1}}}', '{"columns": {"subject": {"constant": "x", "y": 1}}}', '{"columns": {"subject": null}}', '{"kinds": {"A": "no.such"}}', '{"kinds": {"A": null, "B": "order.placed"}}', '{"kinds": []}', '{"transitions": ["start", 1]}',
	'{"detail": "x"}', '{"timezone": "Mars"}', '{"timezone": "+01"}', '{"time_format": "DD.MM.YYYY"}', '{"time_format": "DD.MM", "timezone": "UTC"}', '{"time_format": "DD.MM.YYYY TZ", "timezone": "UTC"}', '{"code_system": 7}']::jsonb[]) WITH ORDINALITY AS u(m, n) ORDER BY n;
SELECT * FROM xes_events('<log/>', mapping => '{"columns": {"oops": "x"}}');
SELECT * FROM xes_events('<log/>', mapping => '[]');
SELECT * FROM xes_events('<log/>', mapping => NULL);

--
-- A file of Disco's kind: every row is an event, or has a problem
--
CREATE TABLE disco (line bigint GENERATED ALWAYS AS IDENTITY, "Case ID" text, "Activity" text, "Resource" text, "Complete Timestamp" text, "Lab, ""value""" text, "Severity" text, "Code" text);
COPY disco ("Case ID", "Activity", "Resource", "Complete Timestamp", "Lab, ""value""", "Severity", "Code") FROM STDIN (FORMAT csv);
c1,Register,ann,2024/03/04 08:00:00.000,,,
 c1 ,Blood drawn,ann,2024/03/04 08:10:00.000,,,
c1,Result,,2024/03/04 09:00:00.000," 6.8 ",CRITICAL,2823-3
c1,Result,,2024/03/04 09:30:00.000,,,LN|2823-9
,Register,ann,2024/03/04 10:00:00.000,,,
c2,Register,,04.03.2024,,,
c3,Register,,,,,
c4,,,2024/03/04 10:00:00.000,,,
c5,Register,,2099/03/04 10:00:00.000,,,
c6,Register,,1899/12/31 10:00:00.000,,,
c7,Result,,2024/03/04 10:00:00.000,,very,
c8,Billing,,2024/03/04 10:00:00.000,,,
\.
INSERT INTO disco ("Case ID", "Activity", "Resource", "Complete Timestamp") VALUES (repeat('x', 501), 'Register', NULL, '2024/03/04 10:00:00.000');
\set mapping '{"columns": {"activity": "Activity", "patient_id": "Case ID", "encounter_id": "Case ID", "occurred_at": "Complete Timestamp", "actor": ["No such column", "Resource"], "value": "Lab, \\"value\\"", "severity": "Severity", "code": "Code", "source_system": {"constant": "HIS"}, "facility": {"constant": "NORTH"}, "source_sequence": "@row"}, "kinds": {"Register": "encounter.registered", "Blood drawn": "specimen.collected", "Result": "result.final", "Billing": null}, "time_format": "YYYY/MM/DD HH24:MI:SS.MS", "timezone": "America/Chicago", "code_system": "loinc", "detail": ["Resource", "Severity"]}'
SELECT row_number, left(problem, 60) AS problem, left_out, kind_is_unknown AS unknown, kind, occurred_at, source_sequence AS seq, left(patient_id, 5) AS patient, actor, code, quote_literal(value) AS value, severity, facility, source_system, detail FROM csv_events('disco', :'mapping');
SET ROLE regress_recorder;
SELECT count(*) FROM csv_events('disco', :'mapping');
RESET ROLE;
GRANT SELECT ON disco TO regress_recorder;
SET ROLE regress_recorder;
SELECT * FROM import_csv('disco.csv', 'disco', :'mapping');
-- what was imported is not imported again
SELECT * FROM import_csv('disco.csv', 'disco', :'mapping');
SELECT * FROM import_problem;
RESET ROLE;
SELECT name, imported_by = session_user AS by_me, recorded, kept_apart, left_out FROM import;
SELECT import, row_number, activity, problem, attributes ->> 'Complete Timestamp' AS at FROM import_problem ORDER BY row_number;
SELECT event_id, occurred_at, kind, patient_id, code, value FROM event ORDER BY event_id;
SELECT * FROM import_csv(' ', 'disco', :'mapping');
SELECT * FROM import_csv('none', NULL, :'mapping');
-- rows of which nothing tells the order
ALTER TABLE disco ALTER line DROP IDENTITY;
SELECT count(*) FROM csv_events('disco', :'mapping');
SELECT count(*) FROM csv_events('disco', :'mapping'::jsonb #- '{columns,source_sequence}');
-- names are names, whatever they are
CREATE TABLE "Robert'); DROP TABLE disco; --" ("a'); DROP TABLE disco; --" text);
INSERT INTO "Robert'); DROP TABLE disco; --" VALUES ('p''1');
SELECT row_number, problem, patient_id, activity FROM csv_events('"Robert''); DROP TABLE disco; --"', $${"columns": {"patient_id": "a'); DROP TABLE disco; --", "activity": {"constant": "x'); DROP TABLE disco; --"}}}$$);

--
-- Activities that are no kinds: an error that does not name them, for they may be patients, or kinds of their own
--
\set log '<log><trace><string key="concept:name" value="c9"/><event><string key="concept:name" value="ER Triage"/><date key="time:timestamp" value="2024-03-04T10:00:00Z"/></event><event><string key="concept:name" value="er-triage"/><date key="time:timestamp" value="2024-03-04T10:00:00Z"/></event><event><string key="concept:name" value="2nd &quot;é&quot;"/><date key="time:timestamp" value="2024-03-04T10:00:00Z"/></event><event><string key="concept:name" value="§"/><date key="time:timestamp" value="2024-03-04T10:00:00Z"/></event><event><string key="concept:name" value="order.placed"/><string key="lifecycle:transition" value="COMPLETE"/></event><event><string key="concept:name" value="ER Triage"/><string key="lifecycle:transition" value="start"/></event></trace></log>'
SELECT * FROM import_xes('a.xes', :'log', mapping => '{"columns": {"patient_id": "case:concept:name"}}');
SELECT count(*) FROM import_problem WHERE import = 'a.xes';
SELECT DISTINCT activity COLLATE "C" AS activity FROM xes_events(:'log', mapping => '{"columns": {"patient_id": "case:concept:name"}}') WHERE kind_is_unknown ORDER BY 1;
SELECT * FROM import_csv('wrong column', 'disco', '{"columns": {"activity": "Case ID"}}');
SET ROLE regress_recorder;
SELECT * FROM import_xes('a.xes', :'log', mapping => '{"columns": {"patient_id": "case:concept:name"}}', make_kinds => true);
RESET ROLE;
SELECT * FROM import_xes('a.xes', :'log', mapping => '{"columns": {"patient_id": "case:concept:name"}}', make_kinds => true);
SELECT kind, category, counts_as_work, description FROM event_kind WHERE category = 'imported' ORDER BY kind;
SELECT import, row_number, activity, problem FROM import_problem WHERE import = 'a.xes';
-- the same names are the same kinds afterwards; transitions as the mapping says
SELECT row_number, problem, left_out, kind FROM xes_events(:'log', mapping => '{"columns": {"patient_id": "case:concept:name"}}');
SELECT row_number, problem, left_out, kind, source_sequence FROM xes_events(:'log', mapping => '{"columns": {"patient_id": "case:concept:name", "occurred_at": {"constant": "2024-01-01T00:00:00Z"}, "source_sequence": "@place"}, "transitions": ["start", "complete"], "kinds": {"ER Triage+start": "task.created"}}');
SELECT row_number, left_out, kind FROM xes_events(:'log', mapping => '{"columns": {"patient_id": "case:concept:name"}, "kinds": {"ER Triage+start": "task.created", "§": null}}');
-- columns that are not as an event has them
SELECT string_agg(format('<event><string key="concept:name" value="note.signed"/><string key="patient_id" value="p"/><date key="time:timestamp" value="2024-03-04T10:00:00Z"/><string key="%s" value="%s"/></event>', k, v), '' ORDER BY n) AS log
FROM (VALUES (1, 'planned_at', 'soon'), (2, 'planned_at', '2200-01-01T00:00:00Z'), (3, 'planned_at', '2199-12-31T00:00:00Z'), (4, 'source_sequence', '1.5'), (5, 'time_precision', 'week'), (6, 'entry_method', 'fax'), (7, 'detail', '[1]'), (8, 'detail', '{'), (9, 'detail', '{&quot;a&quot;: 1}'), (10, 'source_sequence', '9999999999')) AS e(n, k, v) \gset
SELECT row_number, problem, planned_at, detail FROM xes_events('<log>' || :'log' || '</log>');

--
-- Out and in again: what is exported is what is recorded
--
CREATE TABLE before AS SELECT occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity, actor, actor_role, recipient, recipient_role, source_system, entry_method, detail FROM event;
INSERT INTO before (occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity, actor, actor_role, recipient, recipient_role, source_system, entry_method, detail) VALUES
	('1950-01-01 00:00', -3, 'year', '2199-01-01', 'SÜD & "co"', 'p/1', 'v%', 's', 'i', 'order.placed', 'icd10cm|E11.9', E' <\n> ', 'abnormal', 'a', 'r', 'b', 'q', 'S', 'manual', '{"a": [1, {"b": null}]}'),
	('2024-01-01 00:00:00.000001', 2147483647, 'month', NULL, '', 'p/1', NULL, NULL, NULL, 'note.signed', 'local:X|y z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'interface', '{}');
INSERT INTO event (occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity, actor, actor_role, recipient, recipient_role, source_system, entry_method, detail)
	SELECT * FROM before WHERE patient_id = 'p/1';
SELECT string_agg(l, E'\n') AS log FROM export_xes(cases => 'patients') AS l \gset
CREATE TABLE after AS SELECT occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity, actor, actor_role, recipient, recipient_role, source_system, entry_method, detail FROM xes_events(:'log') WHERE problem IS NULL;
SELECT (SELECT count(*) FROM before) AS before, (SELECT count(*) FROM after) AS after;
TABLE before EXCEPT ALL TABLE after;
TABLE after EXCEPT ALL TABLE before;
DROP OWNED BY regress_recorder;
DROP ROLE regress_recorder;
SET ROLE workflow_track_analyst;
SELECT * FROM xes_events('<log/>');
SELECT * FROM import;
RESET ROLE;
