CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- Three hospitals with a finding of each sort.  Of SOUTH, all that is text is secret; TEST has a test patient.
SELECT define_workflow('{"workflow": "routes", "version": 1, "state": "current", "steps": [{"step": "result", "kind": "result.final", "performed_by": ["lab"], "delivered_to": ["provider"], "required_fields": ["planned_at"], "repeatable": true}], "transitions": [["result", "result"]], "flows": [{"from": "EHR", "to": "LIS", "types": ["ORM^O01"]}], "billing": [{"codes": "local:X|", "documented_by": ["procedure.documented"], "within": "1 hour"}]}');
INSERT INTO test_patient VALUES ('test patient');
INSERT INTO event (facility, patient_id, encounter_id, subject, item, code, value, actor, actor_role, recipient, recipient_role, source_system, detail, severity, entry_method, kind, occurred_at)
SELECT f.facility, text || 'patient', text || 'visit', text || 'subject', text || 'item', ('local:X|' || text || 'code')::clinical_code, text || 'value',
	text || k.actor, text || k.actor || ' role', text || 'recipient', text || 'recipient role', text || k.system, jsonb_build_object('patient_class', 'O', 'text', text), 'critical', 'manual', k.kind,
	timestamptz '2024-01-10' + k.n * interval '1 hour'
FROM (VALUES ('NORTH', 'north '), ('SOUTH', 'SECRET '), ('TEST', 'test ')) AS f(facility, text),
	(VALUES (1, 'order.placed', 'dr.a', 'EHR'), (2, 'handoff.offered', 'dr.a', 'EHR'), (3, 'handoff.accepted', 'dr.b', 'EHR'), (4, 'result.final', 'lab', 'LIS'),
	(5, 'data.entered', 'dr.a', 'EHR'), (6, 'data.entered', 'n.s', 'PMS'), (7, 'result.corrected', 'lab', 'LIS'),
	(8, 'charge.captured', 'clerk', 'BILL'), (9, 'claim.submitted', 'clerk', 'BILL'), (10, 'claim.denied', 'clerk', 'BILL')) AS k(n, kind, actor, system);
SELECT maintain();
INSERT INTO inbox (body)
SELECT format(E'MSH|^~\\&|%1$sEHR|%2$s|||20240110||MFN^M02|%1$sid|P|2.5\rPID|1||%1$spatient\rPV1|1|I|A^B^C^%2$s|||||||||||||||%1$svisit', f.text, f.facility)
FROM (VALUES ('NORTH', 'north '), ('SOUTH', 'SECRET '), ('TEST', 'test ')) AS f(facility, text);
SELECT record_event('result.viewed', 'north patient', 'EHR', '2024-01-10 12:00', facility => 'NORTH', encounter_id => 'north visit') > 0 AS recorded,
	record_event('result.viewed', 'SECRET patient', 'SECRET EHR', '2024-01-10 12:00', facility => 'SOUTH', encounter_id => 'SECRET visit') > 0 AS recorded;

SET client_min_messages = error;
DROP ROLE IF EXISTS regress_north, regress_both, regress_all, regress_none, regress_south, regress_recorder, regress_admin, regress_nobody;
RESET client_min_messages;
CREATE ROLE regress_south;
CREATE ROLE regress_north IN ROLE workflow_track_analyst;
CREATE ROLE regress_both IN ROLE workflow_track_analyst, regress_south;
CREATE ROLE regress_all IN ROLE workflow_track_analyst;
CREATE ROLE regress_none IN ROLE workflow_track_analyst;
CREATE ROLE regress_recorder IN ROLE workflow_track_recorder;
CREATE ROLE regress_admin IN ROLE workflow_track_admin;
CREATE ROLE regress_nobody;

-- The views, and the functions that ask one about a moment, with what one sees of them.
CREATE TABLE pg_temp.report AS
SELECT relname::text AS report, relname::text AS source FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v' AND relname NOT IN ('health', 'inbox')
UNION ALL SELECT proname, format('%s(now())', proname) FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace AND proname LIKE '%\_at' AND proretset;
GRANT SELECT ON pg_temp.report TO PUBLIC;
CREATE FUNCTION pg_temp.seen(OUT report text, OUT facilities text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT v.* FROM pg_temp.report AS v ORDER BY v.report COLLATE "C" LOOP
		report := r.report;
		EXECUTE format('SELECT string_agg(DISTINCT facility, '' '' ORDER BY facility) FROM workflow_track.%s', r.source) INTO facilities;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM pg_temp.seen();
SET workflow_track.test_patients = on;
SELECT DISTINCT facilities FROM pg_temp.seen();
RESET workflow_track.test_patients;

--
-- Analysts see the facilities that they, or roles they are in, have a row for
--
SET ROLE regress_north;
SELECT DISTINCT facilities FROM pg_temp.seen();
RESET ROLE;
INSERT INTO facility_access VALUES ('regress_north', 'NORTH'), ('regress_south', 'SOUTH'), ('regress_both', 'NORTH'), ('regress_both', 'WEST'), ('regress_all', '*'),
	('no such role', 'SOUTH'), ('regress_no', 'SOUTH');
SET ROLE regress_north;
SELECT DISTINCT facilities FROM pg_temp.seen();
SET ROLE regress_both;
SELECT DISTINCT facilities FROM pg_temp.seen() WHERE report <> 'event_history';
SET ROLE regress_all;
SELECT DISTINCT facilities FROM pg_temp.seen() WHERE report <> 'event_history';
SET ROLE regress_none;
SELECT DISTINCT facilities FROM pg_temp.seen();
RESET ROLE;
-- the functions that views are made of keep to that
SET ROLE regress_north;
SELECT count(*), string_agg(DISTINCT facility, ' ') AS facilities FROM coverage_counts(now());
SELECT count(*), string_agg(DISTINCT facility, ' ') AS facilities FROM patient_handoffs('north patient');
SELECT count(*) FROM patient_handoffs('SECRET patient');
SELECT sees_all_facilities(), visible_facilities();
-- a setting shows test patients, but no other facility
SET workflow_track.test_patients = on;
SELECT DISTINCT facilities FROM pg_temp.seen();
RESET workflow_track.test_patients;
RESET ROLE;

--
-- A function that tells what it is shown sees no row of another facility, in any column of any view
--
CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
	IF value LIKE '%SECRET%' OR value LIKE '%SOUTH%' THEN
		RAISE EXCEPTION 'told: %', value;
	END IF;
	RETURN true;
END
$$;
CREATE FUNCTION pg_temp.told() RETURNS TABLE (report text, "column" text, message text) LANGUAGE plpgsql AS $$
BEGIN
	FOR report, "column" IN
		SELECT r.source, a.attname FROM pg_temp.report AS r JOIN pg_attribute AS a ON a.attrelid = regexp_replace(r.report, '_at$', '')::regclass AND a.attnum > 0
	LOOP
		BEGIN
			EXECUTE format('SELECT FROM workflow_track.%s WHERE pg_temp.tell(%I::text)', report, "column");
		EXCEPTION WHEN raise_exception THEN
			message := SQLERRM;
			RETURN NEXT;
		END;
	END LOOP;
END
$$;
SET ROLE regress_north;
SELECT * FROM pg_temp.told();
RESET ROLE;
-- it would be told, if it could be shown
SET ROLE regress_all;
SELECT count(*) > 50 AS told FROM pg_temp.told();
RESET ROLE;

-- What closed a loop counts wherever it was recorded, and can be named.
SELECT record_event('result.acknowledged', 'north patient', 'EHR', '2024-01-10 07:30', facility => 'SOUTH', subject => 'north subject', actor => 'SECRET dr.a') > 0 AS recorded;
SET ROLE regress_north;
SELECT opened_by_kind, status, closed_by FROM care_loop WHERE category = 'acknowledgement' ORDER BY opened_at;
RESET ROLE;

--
-- Yet a condition on the patient reaches an index, through each view
--
INSERT INTO event (patient_id, facility, encounter_id, subject, code, kind, occurred_at, severity, detail, entry_method, source_system)
SELECT 'Q' || n, 'NORTH', 'V', 'S', 'local:X|q', k.kind, timestamptz '2024-01-10' + n * interval '1 hour', 'abnormal', '{"patient_class": "O"}', 'manual', system
FROM generate_series(1, 500) AS n, (VALUES ('result.final', 'LIS'), ('data.entered', 'EHR'), ('data.entered', 'PMS'), ('charge.captured', 'BILL'), ('claim.submitted', 'BILL')) AS k(kind, system);
ANALYZE event, loop_state, duplicate_state, misrouted_state, billing_state, charge_state, claim_state, patient_state;
CREATE FUNCTION pg_temp.index_conditions(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index Cond:.*patient_id' THEN
			RETURN NEXT substring(line FROM 'patient_id = [^)]*');
		END IF;
	END LOOP;
END
$$;
SET ROLE regress_north;
SELECT r.report, (SELECT string_agg(DISTINCT c, ' ') FROM pg_temp.index_conditions(format('SELECT * FROM %s WHERE patient_id = ''north patient''', r.source)) AS c) AS index_condition
FROM pg_temp.report AS r JOIN pg_attribute AS a ON a.attrelid = regexp_replace(r.report, '_at$', '')::regclass AND a.attname = 'patient_id' ORDER BY report COLLATE "C";
-- the same in a query that is prepared
PREPARE one AS SELECT count(*) FROM care_loop_at('2024-01-20') WHERE patient_id = $1;
SET plan_cache_mode = force_generic_plan;
SELECT * FROM pg_temp.index_conditions('EXECUTE one (''north patient'')');
EXECUTE one ('north patient');
EXECUTE one ('SECRET patient');
RESET plan_cache_mode;
RESET ROLE;

--
-- Recorders insert, and read nothing
--
SET ROLE regress_recorder;
SELECT record_event('order.placed', 'P1', 'EHR', '2024-01-10', facility => 'NORTH', subject => 'O1') > 0 AS recorded;
INSERT INTO event (patient_id, facility, kind, occurred_at) VALUES ('P1', 'NORTH', 'order.placed', '2024-01-10') RETURNING event_id > 0 AS recorded;
COPY event (patient_id, facility, kind, occurred_at) FROM stdin;
P1	NORTH	order.placed	2024-01-10
\.
INSERT INTO subject_alias VALUES ('P1', 'O1', 'O2');
SELECT * FROM event;
SELECT count(*) FROM event WHERE patient_id = 'P1';
COPY event (patient_id) TO stdout;
UPDATE event SET value = 'x';
DELETE FROM event;
TRUNCATE event;
INSERT INTO event_before (patient_id, kind, occurred_at) VALUES ('P1', 'order.placed', '2024-01-10');
SELECT count(*) FROM event_before;
SELECT * FROM subject_alias;
DELETE FROM subject_alias;
INSERT INTO retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by) VALUES ('P1', 1, now(), '', '');
SELECT * FROM care_loop;
SELECT retract_event(1, 'in error');
SELECT ensure_partitions('2024-01-01', '2024-02-01');
SELECT setup();
RESET ROLE;
SELECT count(*) FROM event WHERE patient_id = 'P1';
SELECT subject FROM care_loop WHERE patient_id = 'P1';

--
-- Analysts read views alone, and change nothing
--
SET ROLE regress_all;
SELECT * FROM event;
SELECT * FROM loop_state;
SELECT * FROM facility_access;
SELECT * FROM staff;
SELECT * FROM health;
INSERT INTO facility_access VALUES ('regress_north', '*');
SELECT record_event('order.placed', 'P1', 'EHR', '2024-01-10');
SELECT define_workflow('{}');
SELECT maintain();
CALL catch_up();
SELECT name FROM expectation WHERE category = 'order';
RESET ROLE;

--
-- Administrators see all, and run it
--
SET ROLE regress_admin;
SELECT facilities, count(*) AS views FROM pg_temp.seen() GROUP BY facilities ORDER BY facilities;
SELECT define_workflow('{"workflow": "own", "version": 1, "state": "current"}');
SELECT set_workflow_state('own', 1, 'retired');
INSERT INTO staff (actor, role) VALUES ('dr.a', 'provider');
UPDATE staff SET role = 'nurse';
DELETE FROM staff;
INSERT INTO event_kind (kind, category) VALUES ('bed.made', 'bed');
INSERT INTO test_patient VALUES ('P1');
INSERT INTO facility VALUES ('NORTH', 'North', 'UTC');
INSERT INTO facility_access VALUES ('regress_none', 'NORTH');
SELECT record_event('order.placed', 'P2', 'EHR', '2024-01-10', subject => 'O1') AS event_id \gset
SELECT retract_event(:event_id, 'in error');
SELECT ensure_partitions('2024-01-01', '2024-02-01');
SELECT pause_detection(), resume_detection();
CALL catch_up();
CALL rebuild();
SELECT maintain();
SELECT "check" FROM health WHERE verdict <> 'ok';
SELECT drop_before('2024-01-02');
-- but not past the rules
UPDATE event SET value = 'x';
INSERT INTO workflow VALUES ('x', 1, 'current', '{}');
UPDATE expectation SET within = '1 hour';
DELETE FROM retraction;
INSERT INTO loop_state SELECT * FROM loop_state;
SELECT setup();
RESET ROLE;

-- Whoever is in none of the roles has nothing.
SET ROLE regress_nobody;
SELECT * FROM workflow_track.care_loop;
SELECT workflow_track.record_event('order.placed', 'P1', 'EHR');
SELECT 'loinc|2345-7'::workflow_track.clinical_code;
RESET ROLE;

--
-- All that is granted on tables and views
--
SELECT c.relname, string_agg(DISTINCT replace(a.grantee::regrole::text, 'workflow_track_', '') || ': ' || a.privileges, '; ') AS granted
FROM pg_class AS c CROSS JOIN LATERAL (
	SELECT x.grantee, string_agg(lower(x.privilege_type), ' ' ORDER BY x.privilege_type) AS privileges FROM aclexplode(c.relacl) AS x WHERE x.grantee <> c.relowner GROUP BY x.grantee) AS a
WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S') GROUP BY 1 ORDER BY 1;
SELECT a.attname AS event_column, string_agg(DISTINCT replace(x.grantee::regrole::text, 'workflow_track_', '') || ': ' || lower(x.privilege_type), '; ') AS granted
FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS x WHERE a.attrelid = 'event'::regclass GROUP BY a.attname, a.attnum ORDER BY a.attnum;

DROP ROLE regress_north, regress_both, regress_all, regress_none, regress_south, regress_recorder, regress_admin, regress_nobody;
