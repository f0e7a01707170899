CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off

SELECT define_workflow('{
 "workflow": "lab", "version": 1, "state": "current",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"], "start": true},
  {"step": "draw", "kind": "specimen.collected", "performed_by": ["nurse"], "optional": true, "repeatable": true},
  {"step": "receive", "kind": "specimen.received", "performed_by": ["lab_tech"], "in": ["LIS"], "optional": true},
  {"step": "result", "kind": "result.final", "performed_by": ["lab_tech"], "in": ["LIS"]},
  {"step": "acknowledge", "kind": "result.acknowledged", "performed_by": ["provider"], "in": ["EHR", "PORTAL"], "end": true},
  {"step": "tell", "kind": "patient.notified", "end": true}],
 "transitions": [["order", "draw"], ["draw", "receive"], ["receive", "result"], ["result", "acknowledge"], ["acknowledge", "tell"]]}');
SELECT workflow_picture('lab', 1);
SELECT workflow_picture('lab', 1, 'mermaid');
SELECT workflow_picture('default', 1), workflow_picture('default', 1, 'mermaid');

--
-- What happened: visit V1 goes as the map says, V2 leaves out what is optional and comes back, V3 is in another hospital
--
INSERT INTO event (patient_id, encounter_id, facility, kind, occurred_at, source_sequence)
SELECT p, v, f, k, '2024-03-04 08:00'::timestamptz + minutes * interval '1 minute', 0
FROM (VALUES ('P1', 'V1', 'NORTH', 'order.placed', 0), ('P1', 'V1', 'NORTH', 'specimen.collected', 10), ('P1', 'V1', 'NORTH', 'specimen.collected', 12), ('P1', 'V1', 'NORTH', 'note.signed', 20),
	('P1', 'V1', 'NORTH', 'specimen.received', 40), ('P1', 'V1', 'NORTH', 'result.final', 100), ('P1', 'V1', 'NORTH', 'result.acknowledged', 160),
	('P2', 'V2', 'NORTH', 'order.placed', 0), ('P2', 'V2', 'NORTH', 'result.final', 60), ('P2', 'V2', 'NORTH', 'result.acknowledged', 3000), ('P2', 'V2', 'NORTH', 'result.final', 3001), ('P2', 'V2', 'NORTH', 'result.final', 3002),
	('P3', 'V3', 'SOUTH', 'order.placed', 0), ('P3', 'V3', 'SOUTH', 'result.final', 20), ('P3', 'V3', 'SOUTH', 'patient.notified', 30), ('P3', NULL, 'SOUTH', 'order.placed', 31)) AS e(p, v, f, k, minutes);
SELECT workflow_picture('lab', 1, since => '2024-03-01', until => '2024-04-01');
SELECT workflow_picture('lab', 1, 'mermaid', '2024-03-01');
-- a time in which nothing happens
SELECT count(*) AS grey FROM regexp_split_to_table(workflow_picture('lab', 1, until => '2020-01-01'), '\n') AS line WHERE line LIKE '%->%#a0a0a0%';
SELECT count(*) AS none FROM regexp_split_to_table(workflow_picture('lab', 1, since => '2024-03-01', facility => 'WEST'), '\n') AS line WHERE line LIKE '%label="1%';

-- the time, the facility, and what other reports leave out
CREATE FUNCTION pg_temp.edges(since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT NULL, facility text DEFAULT NULL) RETURNS TABLE (edge text) LANGUAGE sql AS $$
	SELECT concat_ws(' ', from_node, '>', to_node, replace(label, E'\n', ', '), CASE WHEN is_deviation THEN 'red' END, CASE WHEN is_unused THEN 'grey' END, CASE WHEN is_dashed THEN 'dashed' END)
	FROM workflow_track.picture_edges('lab', 1, since, until, facility)
$$;
SELECT * FROM pg_temp.edges();
SELECT * FROM pg_temp.edges('2024-03-04 08:10', '2024-03-04 09:40');
SELECT * FROM pg_temp.edges(facility => 'SOUTH');
SELECT retract_event(event_id, 'in error') FROM event WHERE kind = 'specimen.received';
INSERT INTO test_patient VALUES ('P2');
SELECT * FROM pg_temp.edges();
DELETE FROM test_patient;

--
-- Steps of one kind share what is counted; what happens elsewhere is drawn once
--
SELECT define_workflow('{"workflow": "shared", "version": 1, "steps": [{"step": "a", "kind": "order.placed"}, {"step": "b", "kind": "order.placed"}, {"step": "c", "kind": "specimen.collected"}], "transitions": [["a", "c"], ["b", "c"]]}');
SELECT line FROM regexp_split_to_table(workflow_picture('shared', 1, since => '2024-01-01'), '\n') AS line WHERE line LIKE '%->%';

--
-- Names of all sorts
--
SELECT define_workflow(jsonb_build_object('workflow', E'a "b" <c> & \\d\nnext', 'version', 1, 'steps', (SELECT jsonb_agg(jsonb_build_object('step', name, 'kind', 'order.placed', 'performed_by', jsonb_build_array(name), 'in', jsonb_build_array(name)) ORDER BY n)
	FROM unnest(ARRAY['digraph', 'end', '"', '<b>x</b>', '&lt;&#60;&amp;', E'two\nlines', E'a\r\nb\tc\u0001', '\N \G \l \\', ']', '|', '"];}', 'ü世😀', '`x`', '*a* _b_ c_d', '1. x', '- x', '#35; ;', '%% x', 'a:fa-car',
		'very long name that goes on and on', repeat('x', 60), E'Z\u200bW', 'click s1 href "x"']) WITH ORDINALITY AS u(name, n))));
SELECT line FROM regexp_split_to_table(workflow_picture(E'a "b" <c> & \\d\nnext', 1), '\n') AS line WHERE line LIKE '%label=%';
SELECT line FROM regexp_split_to_table(workflow_picture(E'a "b" <c> & \\d\nnext', 1, 'mermaid'), '\n') AS line WHERE line ~ '\[|title';
SELECT d, duration_in_short(d) FROM unnest(ARRAY['0', '0.04 seconds', '1.26 seconds', '59.96 seconds', '60 seconds', '61 seconds', '2 hours', '90 minutes', '1 day', '47 hours', '10 days 5 minutes']::interval[]) AS d;

--
-- Errors, and who may ask: analysts see of events what they see elsewhere
--
SELECT workflow_picture('lab', 2);
SELECT workflow_picture('lab', 1, 'png');
\echo :LAST_ERROR_SQLSTATE
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_picture;
RESET client_min_messages;
CREATE ROLE regress_picture IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('regress_picture', 'SOUTH');
SET ROLE regress_picture;
SELECT * FROM pg_temp.edges();
SELECT count(*) AS counted FROM regexp_split_to_table(workflow_picture('lab', 1, since => '2024-01-01'), '\n') AS line WHERE line ~ '-> .*label="\d';
RESET ROLE;
DROP ROLE regress_picture;
SET ROLE workflow_track_recorder;
SELECT workflow_picture('lab', 1);
RESET ROLE;
