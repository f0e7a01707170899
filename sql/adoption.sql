CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');
INSERT INTO facility VALUES ('NORTH', NULL, 'America/New_York');
INSERT INTO staff (actor, role) VALUES ('n1', 'nurse'), ('n2', 'nurse'), ('dr', 'provider');
CREATE FUNCTION pg_temp.put(kind text, at timestamptz, actor text DEFAULT 'n1', patient text DEFAULT 'A', facility text DEFAULT 'EAST', encounter text DEFAULT 'V1', system text DEFAULT 'EHR', time_precision time_precision DEFAULT 'second', subject text DEFAULT NULL, actor_role text DEFAULT NULL, sequence integer DEFAULT 0) RETURNS bigint LANGUAGE sql AS $$
	SELECT workflow_track.record_event(kind, patient, system, at, facility => facility, encounter_id => encounter, actor => actor, actor_role => actor_role, time_precision => time_precision, subject => subject, source_sequence => sequence)
$$;
CREATE TEMP VIEW signals AS SELECT week, facility, role, signal, found, out_of, round(share::numeric, 3) AS share, people FROM workaround_signal ORDER BY signal, week, facility, role NULLS FIRST;

--
-- Documented long after the fact: so long after it that it is more than the limit, at whatever moment of its time that was
--
INSERT INTO event_kind (kind, category) VALUES ('pain.assessed', 'assessment');
SELECT count(e) FROM (VALUES (pg_temp.put('vitals.recorded', now() - interval '4 hours', facility => 'LATE')), (pg_temp.put('vitals.recorded', now() - interval '4 hours 1 microsecond', facility => 'LATE')),
	(pg_temp.put('vitals.recorded', now() - interval '4 hours 30 min', time_precision => 'hour', facility => 'LATE')), (pg_temp.put('vitals.recorded', now() - interval '5 hours 30 min', time_precision => 'hour', facility => 'LATE')),
	(pg_temp.put('vitals.recorded', now() - interval '5 hours' + interval '1 microsecond', time_precision => 'hour', facility => 'LATE')), (pg_temp.put('vitals.recorded', now() - interval '5 hours', time_precision => 'hour', facility => 'LATE')),
	(pg_temp.put('pain.assessed', now() - interval '5 hours', 'n2', facility => 'LATE')), (pg_temp.put('medication.administered', now() - interval '5 hours', 'n1', facility => 'LATE')),
	(pg_temp.put('medication.dispensed', now() - interval '5 hours', facility => 'LATE')), (pg_temp.put('order.placed', now() - interval '5 hours', facility => 'LATE')), (pg_temp.put('note.signed', now() - interval '5 hours', facility => 'LATE')),
	(pg_temp.put('data.entered', now() - interval '5 hours', NULL, facility => 'LATE')), (pg_temp.put('data.entered', now() + interval '5 hours', NULL, facility => 'LATE')), (pg_temp.put('data.entered', now() - interval '5 hours', 'nobody', facility => 'LATE'))) AS v(e);
CREATE TEMP VIEW late AS SELECT role, signal, sum(found) AS found, sum(out_of) AS out_of, max(people) AS people FROM workaround_signal WHERE facility = 'LATE' GROUP BY 1, 2 ORDER BY 2, 1 NULLS FIRST;
TABLE late;
SELECT define_workflow('{"workflow": "limits", "version": 1, "state": "current", "burden": {"documented_within": "6 hours", "signed_within": "2 hours"}}');
TABLE late;
SELECT set_workflow_state('limits', 1, 'retired');

--
-- Most of a shift's documentation written in its last hour
--
CREATE FUNCTION pg_temp.shift(label text, start timestamptz, during text, actor text DEFAULT 'n1', facility text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	-- w is work, d is documentation, after a time from the start
	SELECT count(pg_temp.put(CASE left(word, 1) WHEN 'd' THEN 'vitals.recorded' ELSE 'screen.used' END, start + substr(word, 2)::interval, label || ' ' || actor, facility => coalesce(facility, label), actor_role => 'nurse'))::text
	FROM unnest(string_to_array(during, ' ')) AS word
$$;
SELECT pg_temp.shift('most', '2024-05-01 07:00Z', 'w0 d2:00 w5:00 w8:00 d11:10 d11:20 d11:30 d11:40 w12:00'), pg_temp.shift('half', '2024-05-01 07:00Z', 'w0 d1:00 d2:00 d3:00 w6:00 w9:00 d11:10 d11:20 d11:30 w12:00'),
	pg_temp.shift('few', '2024-05-01 07:00Z', 'w0 w3:00 w6:00 w9:00 d11:10 d11:20 d11:30 d11:40 w12:00'), pg_temp.shift('inclusive', '2024-05-01 07:00Z', 'w0 d2:00 d2:00 w5:00 w8:00 d11:00 d11:20 d11:30 w12:00'),
	pg_temp.shift('exclusive', '2024-05-01 07:00Z', 'w0 d2:00 d2:00 w5:00 w8:00 d10:59:59 d11:20 d11:30 w12:00'), pg_temp.shift('short', '2024-05-01 07:00Z', 'w0:00:01 d3:00 d3:10 d3:20 d3:30 d4:00'),
	pg_temp.shift('long enough', '2024-05-01 07:00Z', 'w0:00 d3:00 d3:10 d3:20 d3:30 d4:00'), pg_temp.shift('two', '2024-05-01 07:00Z', 'w0 w3:00 w6:00 d7:00 d7:10 d7:20 d7:30 d8:00 w12:00 w16:00'),
	pg_temp.shift('one', '2024-05-01 07:00Z', 'w0 w3:00 w6:00 d7:00 d7:10 d7:20 d7:30 d8:00 w11:59:59 w16:00'), pg_temp.shift('after a gap', '2024-05-01 07:00Z', 'd0 d0 d0 d0 d0 d0 d0 w4:00 w6:00 d7:00 d7:10 d7:20 d7:30 d8:00'),
	pg_temp.shift('never ends', '2024-05-01 00:00Z', (SELECT string_agg('w' || n || ':00', ' ') FROM generate_series(0, 40, 2) AS n) || ' d23:01 d23:01 d23:01 d23:01 d23:01 d23:01 d23:01 d39:10 d39:20 d39:30 d39:40 d39:50'),
	-- whoever the patients are, and wherever the work is
	pg_temp.shift('elsewhere', '2024-05-01 07:00Z', 'w0 w3:59', facility => 'most'), pg_temp.shift('elsewhere', '2024-05-01 07:00Z', 'd7:00 d7:10 d7:20 d7:30 d8:00'),
	-- a night into a week, whose Monday has begun at midnight in New York; a night into a month
	pg_temp.shift('NORTH', '2024-05-13 01:00Z', 'w-2:00 d1:00 d2:10 d2:20 d2:30 d2:50 d3:05 d3:10'),
	pg_temp.shift('month', date_trunc('month', now()) - interval '2 months 5 hours', 'w0 w2:00 d4:10 d4:20 d4:30 d4:40 d5:00'), pg_temp.shift('month', date_trunc('month', now()) - interval '2 months 5 hours', 'w0 w2:00 d4:10 d4:20 d4:30 d4:40 d4:59:59 w5:00', 'n2'),
	-- one that may not be over
	pg_temp.shift('now', now() - interval '9 hours', 'w0 w2:00 d4:30 d4:40 d4:50 d4:55 d4:59'), pg_temp.shift('now', now() - interval '9 hours', 'w0 w2:00 d4:30 d4:40 d4:50 d4:55 w5:10 d5:00:00', 'n2');
SELECT facility, week, found, out_of, share, people FROM signals WHERE signal = 'shift_end_entries' AND facility NOT IN ('LATE', 'month', 'now');
SELECT facility, sum(found) AS found, sum(out_of) AS out_of FROM signals WHERE signal = 'shift_end_entries' AND facility IN ('month', 'now') GROUP BY 1 ORDER BY 1;
-- whichever week is asked first, and each alone, at one moment
BEGIN;
CREATE TEMP TABLE backwards AS SELECT w.week, s.* FROM (SELECT DISTINCT week FROM workaround_signal ORDER BY week DESC) AS w CROSS JOIN LATERAL workarounds_of_week(w.week, '4 hours', '24 hours') AS s;
SELECT count(*) > 30 AS some, count(*) FILTER (WHERE b.found IS DISTINCT FROM s.found OR b.out_of IS DISTINCT FROM s.out_of OR b.people IS DISTINCT FROM s.people) AS different
FROM workaround_signal AS s FULL JOIN backwards AS b ON (b.week, b.facility, coalesce(b.role, '?'), b.signal) = (s.week, s.facility, coalesce(s.role, '?'), s.signal);
COMMIT;
CREATE TEMP TABLE alone (LIKE workaround_signal);
DO $$
DECLARE
	w date;
BEGIN
	FOR w IN SELECT DISTINCT week FROM workaround_signal LOOP
		INSERT INTO alone SELECT * FROM workaround_signal WHERE week = w;
	END LOOP;
END
$$;
SELECT count(*) > 30 AS some, (SELECT count(*) FROM (TABLE alone EXCEPT TABLE workaround_signal) AS x) AS different, count(*) - (SELECT count(*) FROM workaround_signal) AS more FROM alone;
SELECT count(*) FROM unnest('{infinity,-infinity,4713-01-01 BC,5874897-12-31}'::date[]) AS d CROSS JOIN LATERAL workarounds_of_week(d, '1 hour', '1 hour') AS s;

--
-- Notes signed long after the visit began or the stay ended
--
CREATE FUNCTION pg_temp.stay(label text, during text, start timestamptz DEFAULT '2024-06-03 00:00Z') RETURNS text LANGUAGE sql AS $$
	-- r is registered, a admitted, d discharged, t transferred, n a note
	SELECT count(pg_temp.put(CASE left(word, 1) WHEN 'r' THEN 'encounter.registered' WHEN 'a' THEN 'encounter.admitted' WHEN 'd' THEN 'encounter.discharged' WHEN 't' THEN 'encounter.transferred' ELSE 'note.signed' END,
		start + substr(word, 2)::interval, CASE WHEN word LIKE 'n%' THEN 'dr' END, 'P ' || label, label, 'V'))::text
	FROM unnest(string_to_array(during, ' ')) AS word
$$;
SELECT pg_temp.stay('visit', 'r1:00 n25:00'), pg_temp.stay('late visit', 'r1:00 n25:00:00.000001'), pg_temp.stay('stay', 'r1:00 a2:00 t3:00 n47:00'), pg_temp.stay('stay that ended', 'r1:00 a2:00 d30:00 n54:00'),
	pg_temp.stay('late stay', 'r1:00 a2:00 d30:00 n54:00:01'), pg_temp.stay('readmitted', 'r1:00 a2:00 d3:00 a4:00 n47:00'), pg_temp.stay('before', 'n0:00 r1:00'), pg_temp.stay('nothing known', 'n0:00'),
	pg_temp.stay('at once', 'r0:00 a0:00 n30:00 d30:00'), pg_temp.stay('month', 'r0 n24:00 n25:00', date_trunc('month', now()) - interval '2 months 24 hours 30 minutes'),
	pg_temp.stay('three months', 'a0', date_trunc('month', now()) - interval '4 months 5 days'), pg_temp.stay('three months', 'n0', date_trunc('month', now()) - interval '1 month 5 days'),
	pg_temp.stay('three months later', 'r0', date_trunc('month', now()) - interval '4 months 5 days'), pg_temp.stay('three months later', 'n0', date_trunc('month', now()) - interval '1 month 5 days');
-- the sender's own order, not the kinds', where it gives one; what has no visit
SELECT count(e) FROM (VALUES (pg_temp.put('encounter.admitted', '2024-06-03 00:00Z', NULL, 'P sequence', 'sequence', sequence => 2)), (pg_temp.put('encounter.registered', '2024-06-03 00:00Z', NULL, 'P sequence', 'sequence', sequence => 1)),
	(pg_temp.put('note.signed', '2024-06-05 00:00Z', 'dr', 'P sequence', 'sequence')), (pg_temp.put('encounter.registered', '2024-06-03 00:00Z', NULL, 'P sequence', 'no visit', NULL)), (pg_temp.put('note.signed', '2024-06-05 00:00Z', 'dr', 'P sequence', 'no visit', NULL))) AS v(e);
CREATE TEMP VIEW notes AS SELECT facility, role, sum(found) AS found, sum(out_of) AS out_of, sum(people) AS people FROM signals WHERE signal = 'late_note' GROUP BY 1, 2 ORDER BY 1, 2;
TABLE notes;
SELECT set_workflow_state('limits', 1, 'current');
SELECT sum(found), sum(out_of) FROM notes;
SELECT set_workflow_state('limits', 1, 'retired');
SELECT w.within, sum(s.found) AS found FROM unnest('{24 h,2 h,30 h}'::interval[]) AS w(within) CROSS JOIN LATERAL workarounds_of_week('2024-06-03', '4 hours', w.within) AS s WHERE s.signal = 'late_note' GROUP BY 1 ORDER BY 1;
-- only the week of the note is read
SELECT facility, found, out_of FROM workaround_signal WHERE signal = 'late_note' AND week >= date_trunc('month', now())::date - 45 AND facility LIKE 'three months%' ORDER BY 1;
-- visits that are one
SELECT pg_temp.put('encounter.registered', '2024-06-03 00:00Z', NULL, 'P merged', 'merged', 'V9') > 0;
SELECT pg_temp.put('note.signed', '2024-06-05 00:00Z', 'dr', 'P merged', 'merged', 'V8') AS note \gset
SELECT * FROM notes WHERE facility = 'merged';
SELECT pg_temp.put('encounter.merged', '2024-07-01 00:00Z', NULL, 'P merged', 'merged', 'V8', subject => 'V9') > 0;
SELECT * FROM notes WHERE facility = 'merged';
SELECT retract_event(:note, 'wrong visit');
SELECT * FROM notes WHERE facility = 'merged';
INSERT INTO test_patient VALUES ('P late visit');
SELECT * FROM notes WHERE facility LIKE 'late%';
DELETE FROM test_patient;

--
-- Done in another system than the map says
--
SELECT define_workflow('{"workflow": "systems", "version": 1, "state": "current", "steps": [{"step": "order", "kind": "order.placed", "in": ["EHR", "CPOE"]}, {"step": "collect", "kind": "specimen.collected"}, {"step": "result", "kind": "result.final", "in": ["LIS"]}]}'),
	define_workflow('{"workflow": "more", "version": 1, "state": "current", "steps": [{"step": "order", "kind": "order.placed", "in": ["RIS"]}, {"step": "again", "kind": "order.placed"}]}'),
	define_workflow('{"workflow": "more", "version": 2, "state": "future", "steps": [{"step": "order", "kind": "order.placed", "in": ["SHEET"]}]}');
SELECT count(e) FROM (VALUES (pg_temp.put('order.placed', '2024-06-10 10:00Z', 'dr', facility => 'SYSTEMS')), (pg_temp.put('order.placed', '2024-06-10 11:00Z', 'dr', facility => 'SYSTEMS', system => 'SHEET')), (pg_temp.put('order.placed', '2024-06-10 11:00Z', 'n1', facility => 'SYSTEMS', system => 'SHEET')),
	(pg_temp.put('order.placed', '2024-06-10 12:00Z', 'dr', facility => 'SYSTEMS', system => 'RIS')), (pg_temp.put('order.placed', '2024-06-10 12:00Z', 'n1', facility => 'SYSTEMS', system => NULL)), (pg_temp.put('order.placed', '2024-06-10 12:00Z', 'n2', facility => 'SYSTEMS', system => 'LIS')),
	(pg_temp.put('specimen.collected', '2024-06-10 12:00Z', 'n2', facility => 'SYSTEMS', system => 'LIS')), (pg_temp.put('result.final', '2024-06-10 12:00Z', NULL, facility => 'SYSTEMS', system => 'SHEET'))) AS v(e);
SELECT * FROM signals WHERE facility = 'SYSTEMS';
SELECT set_workflow_state('more', 2, 'current');
SELECT * FROM signals WHERE facility = 'SYSTEMS';

--
-- What one may see: of a person's shift, what is written in one's own facility
--
CREATE ROLE adoption_two IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('adoption_two', 'elsewhere');
SET ROLE adoption_two;
SELECT * FROM workaround_signal ORDER BY signal;
RESET ROLE;
DELETE FROM facility_access WHERE role_name = 'adoption_two';
DROP ROLE adoption_two;
