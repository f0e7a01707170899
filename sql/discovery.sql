CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
INSERT INTO event_kind (kind, category, description) VALUES ('t.a', 'test', 'a'), ('t.b', 'test', 'b'), ('t.c', 'test', 'c'), ('t.d', 'test', 'd');
INSERT INTO staff (actor, role) VALUES ('ann', 'nurse'), ('bob', 'provider');

-- A trace a letter a minute, of an encounter of its own.
CREATE FUNCTION pg_temp.trace(patient text, encounter text, trace text, start timestamptz DEFAULT '2024-03-01 08:00', facility text DEFAULT 'NORTH', actor text DEFAULT 'ann') RETURNS bigint LANGUAGE sql AS $$
	SELECT count(record_event('t.' || letter, patient, 'EHR', start + (n - 1) * interval '1 minute', facility => facility, encounter_id => encounter, actor => actor))
	FROM regexp_split_to_table(trace, '') WITH ORDINALITY AS t(letter, n)
$$;
SELECT sum(pg_temp.trace('P' || n, 'V' || n, trace)) AS recorded FROM (VALUES (1, 'abc'), (2, 'abc'), (3, 'abbc'), (4, 'ac'), (5, 'abcd')) AS t(n, trace);
SELECT pg_temp.trace('P6', 'V6', 'abc', '2024-03-02 08:00', 'SOUTH', 'bob') AS recorded;
-- What is in no case: no encounter, retracted, a test patient.
SELECT record_event('t.d', 'P1', 'EHR', '2024-03-01 08:00:30', facility => 'NORTH') > 0 AS recorded;
SELECT retract_event(record_event('t.d', 'P1', 'EHR', '2024-03-01 08:00:30', facility => 'NORTH', encounter_id => 'V1'), 'wrong');
INSERT INTO test_patient VALUES ('P7');
SELECT pg_temp.trace('P7', 'V7', 'dddd') AS recorded;
SELECT facility, from_kind, to_kind, follows, cases, mean, p50, longest FROM directly_follows ORDER BY facility, from_kind, to_kind;
SELECT facility, array_to_string(trace, ' ') AS trace, events, cases, round(share::numeric, 3) AS share, first_seen, last_seen, p50, longest FROM workflow_variant ORDER BY facility, cases DESC, trace;
SET workflow_track.test_patients = on;
SELECT from_kind, to_kind, follows, cases FROM directly_follows WHERE from_kind = 't.d';
RESET workflow_track.test_patients;

--
-- Of a time, a facility, some kinds
--
SELECT facility, from_kind, to_kind, follows FROM directly_follows('2024-03-02') ORDER BY 1, 2, 3;
SELECT facility, from_kind, to_kind, follows FROM directly_follows(NULL, '2024-03-01 08:02') ORDER BY 1, 2, 3;
SELECT facility, from_kind, to_kind, follows FROM directly_follows('2024-03-01 08:01', '2024-03-01 08:03') ORDER BY 1, 2, 3;
SELECT facility, from_kind, to_kind, follows FROM directly_follows(NULL, facility => 'SOUTH') ORDER BY 1, 2, 3;
SELECT facility, from_kind, to_kind, follows FROM directly_follows(NULL, kinds => '{t.a,t.c}') ORDER BY 1, 2, 3;
SELECT count(*) FROM directly_follows(NULL, kinds => '{no.such}');
SELECT count(*) FROM directly_follows('infinity', '-infinity');
SELECT facility, array_to_string(trace, ' ') AS trace, cases, share FROM workflow_variant('2024-03-02') ORDER BY 1, 2;
-- a case that began before is none of the time, one that ends after it is whole
SELECT facility, array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-03-01 08:01', '2024-03-02') ORDER BY 1, 2;
SELECT facility, array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-03-02 08:00', '2024-03-02 08:00:01') ORDER BY 1, 2;
SELECT facility, array_to_string(trace, ' ') AS trace, cases FROM workflow_variant(NULL, kinds => '{t.b}') ORDER BY 1, 2;

--
-- Merges make cases one, and their retraction parts them; order is canonical whenever events arrive
--
SELECT pg_temp.trace('P8', 'V8', 'ab', '2024-04-01 08:00') AS recorded, pg_temp.trace('P9', 'V8', 'cd', '2024-04-01 07:00') AS recorded;
SELECT array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-04-01') ORDER BY 1;
SELECT record_event('patient.merged', 'P8', 'PMS', '2024-04-02', subject => 'P9') AS merged \gset
SELECT array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-04-01') ORDER BY 1;
SELECT pg_temp.trace('P8', 'V8b', 'd', '2024-04-01 07:30') AS recorded, record_event('encounter.merged', 'P9', 'PMS', '2024-04-02', encounter_id => 'V8', subject => 'V8b') AS encounters_merged \gset
SELECT array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-04-01', kinds => '{t.a,t.b,t.c,t.d}') ORDER BY 1;
SELECT retract_event(:encounters_merged, 'in error');
SELECT array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-04-01', kinds => '{t.a,t.b,t.c,t.d}') ORDER BY 1;
SELECT retract_event(:merged, 'in error');
SELECT array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-04-01', kinds => '{t.a,t.b,t.c,t.d}') ORDER BY 1;
-- equal instants: source_sequence, then kind; of equal kinds what else is canonical decides whose facility an edge has
SELECT count(record_event('t.' || kind, 'P10', 'EHR', '2024-05-01', sequence, facility => facility, encounter_id => 'V10', subject => subject)) AS recorded
FROM (VALUES ('d', 0, 'Z', 'x'), ('c', 0, 'Z', 'x'), ('a', 1, 'Z', 'x'), ('b', 2, 'SOUTH', 'z'), ('b', 2, 'NORTH', 'y')) AS e(kind, sequence, facility, subject);
SELECT array_to_string(trace, ' ') AS trace, cases FROM workflow_variant('2024-05-01') ORDER BY 1;
SELECT facility, from_kind, to_kind, follows, p50 FROM directly_follows('2024-05-01') ORDER BY 1, 2, 3;

--
-- A draft of what happens
--
SELECT jsonb_pretty(discover_workflow('found', until => '2024-04-01')) AS document;
SELECT define_workflow(discover_workflow('found', until => '2024-04-01'));
SELECT workflow_document('found', 1) = discover_workflow('found', until => '2024-04-01') || '{"version": 1}' AS equal;
-- what is rare is left out; roles and systems are those that are known of all
SELECT s.step ->> 'kind' AS kind, s.step - '{step,kind}'::text[] AS step FROM jsonb_array_elements(discover_workflow('found', until => '2024-04-01', min_share => 0.5) -> 'steps') AS s(step);
SELECT discover_workflow('found', until => '2024-04-01', min_share => 0.5) -> 'transitions' AS transitions;
SELECT discover_workflow('found', facility => 'SOUTH') -> 'steps' -> 0 -> 'performed_by' AS performed_by;
SELECT rounded_limit(d) FROM unnest('{1 second,1 hour,61 minutes,48 hours,49 hours,9 days 1 second}'::interval[]) AS d;
SELECT discover_workflow('found', '2030-01-01');
SELECT discover_workflow('');
SELECT discover_workflow('x', min_share => 2);
SELECT discover_workflow('x', min_share => 'NaN');

--
-- Who sees what
--
CREATE ROLE regress_north IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('regress_north', 'NORTH');
SET ROLE regress_north;
SELECT DISTINCT facility FROM directly_follows;
SELECT DISTINCT facility FROM workflow_variant;
SELECT DISTINCT facility FROM performer_counts(NULL, NULL, NULL);
SELECT DISTINCT facility FROM directly_follows(NULL, facility => 'SOUTH');
SELECT discover_workflow('x', facility => 'SOUTH');
SELECT jsonb_array_length(discover_workflow('x') -> 'steps') > 0 AS found;
RESET ROLE;
DROP ROLE regress_north;
SET ROLE workflow_track_recorder;
SELECT count(*) FROM directly_follows;
SELECT count(*) FROM follows_counts(NULL, NULL, NULL);
RESET ROLE;
