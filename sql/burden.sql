CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');
INSERT INTO facility VALUES ('NORTH', NULL, 'America/New_York'), ('HILLS', NULL, 'Asia/Kathmandu'), ('ISLE', NULL, 'Australia/Lord_Howe'), ('WEST', NULL, 'America/Sao_Paulo');

--
-- Days: those of the facility's clock
--
CREATE FUNCTION pg_temp.see(at timestamptz, facility text) RETURNS bigint LANGUAGE sql AS $$ SELECT workflow_track.record_event('screen.used', 'P1', 'EHR', at, facility => facility, encounter_id => to_char(at, 'YYYYMMDDHH24MI')) $$;
SELECT count(pg_temp.see(t, f)) FROM (VALUES ('2024-03-10 04:59:59.999999Z'::timestamptz, 'NORTH'), ('2024-03-10 05:00Z', 'NORTH'), ('2024-03-11 03:59:59.999999Z', 'NORTH'), ('2024-03-11 04:00Z', 'NORTH'),
	('2024-11-03 03:59:59.999999Z', 'NORTH'), ('2024-11-03 04:00Z', 'NORTH'), ('2024-11-04 04:59:59.999999Z', 'NORTH'), ('2024-11-04 05:00Z', 'NORTH'),
	('2024-03-09 18:14:59.999999Z', 'HILLS'), ('2024-03-09 18:15Z', 'HILLS'), ('2024-03-09 23:59:59.999999Z', 'UNKNOWN'), ('2024-03-10 00:00Z', 'UNKNOWN'), ('1901-01-01 00:00Z', 'NORTH'), ('1901-01-01 06:00Z', 'NORTH')) AS v(t, f);
SELECT day, facility, events, encounters FROM interaction_burden ORDER BY facility, day;
-- two years of clocks that change, one of them by half an hour and one at midnight
INSERT INTO event (patient_id, kind, source_system, facility, occurred_at) SELECT 'P' || n % 97, 'screen.used', 'EHR', f, '2017-01-01 00:00:00.5Z'::timestamptz + n * interval '11 hours 22 minutes'
	FROM unnest('{NORTH,HILLS,ISLE,WEST,UNKNOWN}'::text[]) AS f, generate_series(0, 1541) AS n;
CREATE TEMP VIEW expected AS SELECT (e.occurred_at AT TIME ZONE coalesce(f.timezone, 'UTC'))::date AS day, facility, count(*) AS events FROM event AS e LEFT JOIN facility AS f USING (facility) GROUP BY 1, 2;
CREATE TEMP VIEW found AS SELECT day, facility, sum(events) AS events FROM interaction_burden GROUP BY 1, 2;
SELECT (SELECT count(*) FROM expected), (SELECT count(*) FROM found), (SELECT count(*) FROM (TABLE expected EXCEPT TABLE found) x) AS missing;
-- whichever day is asked first
SELECT count(*) AS days, sum(b.events) FROM (SELECT d FROM days_read() AS d WHERE d >= '2017-01-01' ORDER BY d DESC) AS d CROSS JOIN LATERAL burden_of_day(d.d, '1 hour') AS b;
CREATE TEMP TABLE alone (LIKE interaction_burden);
DO $$
DECLARE
	d date;
BEGIN
	FOR d IN SELECT generate_series('2017-01-25', '2017-02-07', interval '1 day') LOOP
		INSERT INTO alone SELECT * FROM interaction_burden WHERE day = d;
	END LOOP;
END
$$;
SELECT count(*), (SELECT count(*) FROM (TABLE alone EXCEPT TABLE interaction_burden) AS x) AS different FROM alone;
SELECT count(*) FROM unnest('{infinity,-infinity,4713-01-01 BC,5874897-12-31}'::date[]) AS d CROSS JOIN LATERAL burden_of_day(d, '1 hour') AS b;
UPDATE facility SET timezone = 'Mars' WHERE facility = 'ISLE';
SELECT count(*) FROM interaction_burden;
UPDATE facility SET timezone = 'UTC' WHERE facility = 'ISLE';
SELECT count(*) FROM interaction_burden WHERE day = '2017-05-05';

--
-- Whom an event falls to
--
INSERT INTO staff (actor, role, facility, active_during) VALUES ('dr', 'provider', NULL, '[,2024-07-01)'), ('dr', 'retired', NULL, '[2024-07-01,)'), ('dr', 'visitor', 'SOUTH', NULL), ('rn', 'nurse', NULL, NULL);
CREATE FUNCTION pg_temp.put(kind text, at timestamptz, patient text DEFAULT 'A', facility text DEFAULT 'EAST', encounter text DEFAULT 'V1', actor text DEFAULT NULL, actor_role text DEFAULT NULL, recipient text DEFAULT NULL, recipient_role text DEFAULT NULL,
	code text DEFAULT NULL, value text DEFAULT NULL, method entry_method DEFAULT NULL, system text DEFAULT 'EHR', subject text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	SELECT workflow_track.record_event(kind, patient, system, at, facility => facility, encounter_id => encounter, actor => actor, actor_role => actor_role, recipient => recipient, recipient_role => recipient_role,
		code => code::workflow_track.clinical_code, value => value, entry_method => method, subject => subject)
$$;
SELECT count(e) FROM (VALUES
	(pg_temp.put('note.signed', '2024-05-01 10:00Z', actor => 'dr')), (pg_temp.put('note.signed', '2024-05-01 11:00Z', actor => 'dr', encounter => 'V2')), (pg_temp.put('note.signed', '2024-05-01 12:00Z', actor => 'dr', encounter => NULL)),
	(pg_temp.put('note.signed', '2024-05-01 13:00Z', actor => 'dr', facility => 'SOUTH')), (pg_temp.put('note.signed', '2024-05-01 13:30Z', actor => 'dr', patient => 'B', encounter => 'V1')),
	(pg_temp.put('note.signed', '2024-05-01 14:00Z', actor => 'dr', actor_role => 'nurse')), (pg_temp.put('note.signed', '2024-07-01 14:00Z', actor => 'dr')),
	(pg_temp.put('note.signed', '2024-05-01 15:00Z', actor_role => 'clerk')), (pg_temp.put('note.signed', '2024-05-01 15:00Z')), (pg_temp.put('note.signed', '2024-05-01 16:00Z', actor => 'nobody', recipient => 'rn', method => 'interface')),
	(pg_temp.put('alert.fired', '2024-05-01 10:00Z', recipient => 'dr')), (pg_temp.put('alert.fired', '2024-05-01 10:00Z', recipient => 'dr', recipient_role => 'provider', encounter => 'V3')), (pg_temp.put('alert.fired', '2024-05-01 10:00Z', actor => 'rn', recipient_role => 'clerk')),
	(pg_temp.put('alert.fired', '2024-05-01 10:00Z', actor => 'rn')), (pg_temp.put('alert.overridden', '2024-05-01 10:01Z', actor => 'dr', method => 'manual', recipient => 'rn')), (pg_temp.put('alert.acknowledged', '2024-05-01 10:01Z', actor => 'dr')),
	(pg_temp.put('screen.used', '2024-05-01 10:01Z', actor => 'rn', method => 'manual'))) AS v(e);
SELECT day, facility, role, actor, encounters, events, alerts, redundant_alerts AS redundant, overridden_alerts AS overridden, manual_entries AS manual, screens, events_per_encounter AS per, alerts_per_encounter AS alerts_per, manual_entries_per_encounter AS manual_per
FROM interaction_burden WHERE day >= '2024-05-01' AND facility IN ('EAST', 'SOUTH') ORDER BY 1, 2, 3 NULLS FIRST, 4 NULLS FIRST;
-- a change of staff is seen at once
UPDATE staff SET role = 'surgeon' WHERE role = 'provider';
SELECT role, actor, events FROM interaction_burden WHERE day = '2024-05-01' AND facility = 'EAST' AND actor = 'dr' ORDER BY 1;

--
-- Redundant alerts: the same recipient, patient and code; a window that ends with it
--
CREATE FUNCTION pg_temp.alert(at timestamptz, recipient text DEFAULT 'r1', patient text DEFAULT 'C', code text DEFAULT 'local:CDS|ddi', facility text DEFAULT 'EAST', actor text DEFAULT NULL, recipient_role text DEFAULT NULL, subject text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_temp.put('alert.fired', at, patient, facility, 'V' || patient, actor => actor, recipient => recipient, recipient_role => recipient_role, code => code, subject => subject)
$$;
CREATE TEMP VIEW alerts AS SELECT day, facility, actor, alerts, redundant_alerts FROM interaction_burden WHERE alerts > 0 ORDER BY 1, 2, 3 NULLS FIRST;
SELECT count(pg_temp.alert(t)) FROM unnest('{2024-06-01 10:00Z,2024-06-01 10:15Z,2024-06-01 10:30:00.000001Z}'::timestamptz[]) AS t;
SELECT * FROM alerts WHERE day = '2024-06-01';
SELECT w.within, b.redundant_alerts FROM unnest('{15 min,16 min,1 us}'::interval[]) AS w(within) CROSS JOIN LATERAL burden_of_day('2024-06-01', w.within) AS b;
-- one that is redundant makes the next one so
SELECT pg_temp.alert('2024-06-01 10:45Z') > 0;
SELECT * FROM alerts WHERE day = '2024-06-01';
-- neither another person, patient or code, nor where there is none; but whoever sees it where it names nobody
SELECT count(e) FROM (VALUES (pg_temp.alert('2024-06-02 10:00Z')), (pg_temp.alert('2024-06-02 10:01Z', recipient => 'r2')), (pg_temp.alert('2024-06-02 10:01Z', patient => 'D')), (pg_temp.alert('2024-06-02 10:01Z', code => 'local:CDS|age')),
	(pg_temp.alert('2024-06-02 10:01Z', code => NULL)), (pg_temp.alert('2024-06-02 10:02Z', code => NULL)), (pg_temp.alert('2024-06-02 10:01Z', recipient => NULL, recipient_role => 'nurse')), (pg_temp.alert('2024-06-02 10:02Z', recipient => NULL, recipient_role => 'nurse', actor => 'r1')),
	(pg_temp.alert('2024-06-02 10:03Z', recipient => NULL)), (pg_temp.alert('2024-06-02 10:04Z', recipient => NULL)), (pg_temp.alert('2024-06-02 10:05Z', recipient => NULL, actor => 'r3')), (pg_temp.alert('2024-06-02 10:06Z', recipient => 'r3'))) AS v(e);
SELECT * FROM alerts WHERE day = '2024-06-02';
-- at one instant, the first in canonical order is none, whatever came first; where that is tells where the other is
SELECT pg_temp.alert('2024-06-03 10:00Z', subject => 'b', facility => 'SOUTH') > 0, pg_temp.alert('2024-06-03 10:00Z', subject => 'a') > 0;
SELECT * FROM alerts WHERE day = '2024-06-03';
-- over midnight, over months, and where only what comes after is read
SELECT date_trunc('month', now()) - interval '3 months' AS month \gset
SELECT count(pg_temp.alert(:'month'::timestamptz + t)) FROM unnest('{-1 day -5 min,-1 day,-1 day 2 min,-10 min,5 min,20 min,1 day}'::interval[]) AS t;
SELECT day - :'month'::date AS day, alerts, redundant_alerts FROM alerts WHERE day >= :'month'::date - 2 ORDER BY day;
SELECT day - :'month'::date AS day, alerts, redundant_alerts FROM alerts WHERE day >= :'month'::date - 1 ORDER BY day;
SELECT day - :'month'::date AS day, alerts, redundant_alerts FROM alerts WHERE day = :'month'::date ORDER BY day;
SELECT since, alerts, redundant_alerts FROM unnest('{-1 day -5 min,-1 day,0,5 min 1 sec,20 min}'::interval[]) AS since CROSS JOIN LATERAL burden_of_time(:'month'::timestamptz + since, :'month'::timestamptz + interval '21 min', false, '15 min');
SELECT alerts, redundant_alerts FROM burden_of_time(:'month', :'month'::timestamptz + interval '5 min', true, '15 min');
SELECT count(e) FROM (VALUES (pg_temp.alert('2024-06-04 10:00Z')), (pg_temp.alert('2024-06-04 10:05Z', recipient => 'r2')), (pg_temp.alert('2024-06-04 10:06Z', code => 'local:CDS|age')), (pg_temp.alert('2024-06-04 10:07Z', patient => 'D')), (pg_temp.alert('2024-06-04 10:15Z'))) AS v(e);
SELECT since, alerts, redundant_alerts FROM unnest('{10:00,10:01,10:08,10:16}'::interval[]) AS since LEFT JOIN LATERAL burden_of_time('2024-06-04 00:00Z'::timestamptz + since, '2024-06-05', false, '15 min') ON true;

--
-- The window is the map's
--
CREATE FUNCTION pg_temp.limits(burden jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('workflow', 'limits', 'version', 1, 'burden', burden) $$;
CREATE FUNCTION pg_temp.fault(burden jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', path, problem, hint), ' | ') FROM workflow_track.map_part_faults(pg_temp.limits(burden), '$', 'document', pg_temp.limits(burden))
$$;
SELECT b, pg_temp.fault(b) FROM unnest('{"{}","{\"redundant_alert_within\": \"0 minutes\"}","{\"redundant_alert_within\": 5, \"documented_within\": \"1 month\", \"signed_within\": null}","{\"redundant\": \"1 hour\"}","[]","{\"signed_within\": \"2 days\"}"}'::jsonb[]) WITH ORDINALITY AS u(b, n) ORDER BY n;
SELECT * FROM burden_limits();
SELECT define_workflow(pg_temp.limits('{"redundant_alert_within": "10 minutes", "documented_within": "2 hours"}') || '{"state": "current"}');
SELECT define_workflow('{"workflow": "other", "version": 1, "state": "current", "burden": {"redundant_alert_within": "16 minutes", "signed_within": "2 days"}}'), define_workflow('{"workflow": "other", "version": 2, "state": "future", "burden": {"redundant_alert_within": "1 hour", "documented_within": "2 hours"}}');
TABLE burden_limit ORDER BY workflow, version;
SELECT workflow_document('limits', 1);
SELECT * FROM burden_limits();
SELECT * FROM alerts WHERE day = '2024-06-01';
SELECT part, change, name, property, was, becomes, sentence FROM compare_workflows('other', 1, 'other', 2);
SELECT set_workflow_state('other', 1, 'retired');
SELECT * FROM burden_limits();
SELECT * FROM alerts WHERE day = '2024-06-01';
SELECT set_workflow_state('limits', 1, 'retired');

--
-- Entries by hand, and those that were there before
--
SELECT define_workflow('{"workflow": "entries", "version": 1, "state": "current", "duplicates": [{"kind": "data.entered", "same": ["code", "value"], "different": ["source_system"], "within": "24 hours"},
	{"name": "any", "kind": "data.entered", "same": ["code", "value"], "within": "12 hours"}]}');
CREATE FUNCTION pg_temp.enter(at timestamptz, value text, method entry_method, system text, patient text DEFAULT 'E') RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_temp.put('data.entered', at, patient, encounter => 'VE', actor => 'clerk', code => 'local:FORM|weight', value => value, method => method, system => system)
$$;
CREATE TEMP VIEW entries AS SELECT day, actor, events, manual_entries AS manual, duplicate_entries AS duplicates, interface_duplicates AS delivered FROM interaction_burden WHERE actor = 'clerk' ORDER BY 1;
SELECT count(e) FROM (VALUES
	-- delivered, and typed; and typed once more, which is a duplicate of both rules
	(pg_temp.enter('2024-08-01 10:00Z', '70', 'interface', 'SCALE')), (pg_temp.enter('2024-08-01 11:00Z', '70', 'manual', 'EHR')), (pg_temp.enter('2024-08-01 12:00Z', '70', 'manual', 'PMS')),
	-- typed twice; typed and delivered; delivered twice
	(pg_temp.enter('2024-08-02 10:00Z', '71', 'manual', 'EHR')), (pg_temp.enter('2024-08-02 11:00Z', '71', 'manual', 'PMS')), (pg_temp.enter('2024-08-03 10:00Z', '72', 'manual', 'EHR')), (pg_temp.enter('2024-08-03 11:00Z', '72', 'interface', 'SCALE')),
	(pg_temp.enter('2024-08-04 10:00Z', '73', 'interface', 'SCALE')), (pg_temp.enter('2024-08-04 11:00Z', '73', 'interface', 'EHR')), (pg_temp.enter('2024-08-05 10:00Z', '74', NULL, 'EHR')), (pg_temp.enter('2024-08-05 11:00Z', '74', 'manual', 'PMS')),
	-- of two rules with an original each, one delivered
	(pg_temp.enter('2024-08-06 00:00Z', '75', 'interface', 'SCALE')), (pg_temp.enter('2024-08-06 10:00Z', '75', 'manual', 'EHR')), (pg_temp.enter('2024-08-06 20:00Z', '75', 'manual', 'EHR'))) AS v(e);
SELECT * FROM entries;
-- delivered the month before
SELECT count(e) FROM (VALUES (pg_temp.enter(:'month'::timestamptz - interval '1 hour', '80', 'interface', 'SCALE')), (pg_temp.enter(:'month'::timestamptz + interval '1 hour', '80', 'manual', 'EHR'))) AS v(e);
SELECT day - :'month'::date AS day, manual, duplicates, delivered FROM entries WHERE day >= :'month'::date - 1;
SELECT day - :'month'::date AS day, manual, duplicates, delivered FROM entries WHERE day > :'month'::date - 1;
SELECT manual_entries, duplicate_entries, interface_duplicates FROM burden_of_time(:'month'::timestamptz + interval '1 hour', :'month'::timestamptz + interval '61 min', false, '15 min');

--
-- Retractions, merges, test patients
--
SELECT event_id AS delivered FROM event WHERE value = '70' AND source_system = 'SCALE' \gset
SELECT retract_event(:delivered, 'wrong patient');
SELECT * FROM entries WHERE day = '2024-08-01';
SELECT event_id AS first FROM event WHERE kind = 'alert.fired' AND occurred_at = '2024-06-01 10:00Z' \gset
SELECT * FROM alerts WHERE day = '2024-06-01';
SELECT retract_event(:first, 'wrong patient');
SELECT * FROM alerts WHERE day = '2024-06-01';
-- one patient, one visit
SELECT count(e) FROM (VALUES (pg_temp.put('note.signed', '2024-09-01 10:00Z', 'M1', encounter => 'VM', actor => 'dr')), (pg_temp.put('note.signed', '2024-09-01 11:00Z', 'M2', encounter => 'VM', actor => 'dr')), (pg_temp.put('note.signed', '2024-09-01 12:00Z', 'M2', encounter => 'VN', actor => 'dr')),
	(pg_temp.alert('2024-09-01 10:00Z', patient => 'M1')), (pg_temp.alert('2024-09-01 10:10Z', patient => 'M2')), (pg_temp.alert(:'month'::timestamptz + interval '2 days -5 min', patient => 'M1')), (pg_temp.alert(:'month'::timestamptz + interval '2 days', patient => 'M2'))) AS v(e);
CREATE TEMP VIEW merged AS SELECT actor, encounters, events, redundant_alerts FROM interaction_burden WHERE day = '2024-09-01' ORDER BY 1;
TABLE merged;
SELECT redundant_alerts FROM burden_of_time(:'month'::timestamptz + interval '2 days', :'month'::timestamptz + interval '2 days 1 hour', false, '15 min');
SELECT pg_temp.put('patient.merged', '2025-01-01 10:00Z', 'M1', encounter => NULL, subject => 'M2') AS merge \gset
TABLE merged;
SELECT redundant_alerts FROM burden_of_time(:'month'::timestamptz + interval '2 days', :'month'::timestamptz + interval '2 days 1 hour', false, '15 min');
SELECT pg_temp.put('encounter.merged', '2025-01-01 11:00Z', 'M2', encounter => 'VM', subject => 'VN') > 0;
TABLE merged;
INSERT INTO test_patient VALUES ('M2');
TABLE merged;
SET workflow_track.test_patients = on;
TABLE merged;
RESET workflow_track.test_patients;
SELECT retract_event(:merge, 'not the same');
TABLE merged;
DELETE FROM test_patient;

--
-- Before and after
--
SELECT count(e) FROM (VALUES (pg_temp.put('note.signed', '2024-10-01 10:00Z', 'X', 'CHANGE', 'V1', 'rn', method => 'manual')), (pg_temp.put('note.signed', '2024-10-02 10:00Z', 'X', 'CHANGE', 'V1', 'rn', method => 'manual')), (pg_temp.put('alert.fired', '2024-10-02 10:00Z', 'Y', 'CHANGE', 'V1', recipient => 'rn')),
	(pg_temp.put('note.signed', '2024-10-02 11:00Z', 'X', 'CHANGE', 'V1', 'dr')), (pg_temp.put('note.signed', '2024-10-11 10:00Z', 'X', 'CHANGE', 'V3', 'rn')), (pg_temp.put('alert.fired', '2024-10-11 10:00Z', 'X', 'CHANGE', 'V3', recipient => 'rn')),
	(pg_temp.put('alert.overridden', '2024-10-11 10:00Z', 'X', 'CHANGE', 'V3', 'rn')), (pg_temp.put('screen.used', '2024-10-11 10:00Z', 'X', 'CHANGE', NULL, 'rn')), (pg_temp.put('screen.used', '2024-10-20 00:00Z', 'X', 'CHANGE', NULL, 'rn'))) AS v(e);
SELECT * FROM burden_change('2024-10-01', '2024-10-10', '2024-10-10', '2024-10-20') WHERE facility = 'CHANGE';
SELECT * FROM burden_change('2024-10-01', '2024-10-10', '2024-10-10', '2024-10-20', by_role => false) WHERE facility = 'CHANGE' AND measure IN ('events', 'alerts');
SELECT count(*) FROM burden_change('2024-10-10', '2024-10-10', '2024-10-10', '2024-10-09');
SELECT measure, before, after FROM burden_change('-infinity', '2024-10-10', '2024-10-10', 'infinity', false) WHERE facility = 'CHANGE' AND measure = 'events';

--
-- What one may see
--
CREATE ROLE burden_east IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('burden_east', 'EAST');
UPDATE facility SET timezone = 'Mars' WHERE facility = 'ISLE';
SELECT pg_temp.alert('2024-06-10 10:00Z', facility => 'SOUTH') > 0, pg_temp.alert('2024-06-10 10:10Z') > 0;
SET ROLE burden_east;
SELECT DISTINCT facility FROM interaction_burden;
SELECT DISTINCT facility FROM burden_change('2017-01-01', '2024-06-01', '2024-06-01', now());
-- redundant, though the first was shown elsewhere
SELECT day, facility, actor, alerts, redundant_alerts FROM interaction_burden WHERE day = '2024-06-10';
SELECT manual_entries, duplicate_entries, interface_duplicates FROM interaction_burden WHERE day = '2024-08-06' AND actor = 'clerk';
RESET ROLE;
UPDATE facility SET timezone = 'UTC' WHERE facility = 'ISLE';
DELETE FROM facility_access WHERE role_name = 'burden_east';
DROP ROLE burden_east;

--
-- What retention keeps
--
SELECT drop_before('2024-06-10', true);
SELECT min(day) FROM interaction_burden;
SELECT day, actor, alerts, redundant_alerts FROM alerts WHERE day < '2024-06-11';

--
-- The diary: pages of the days, and marks of those that changed since
--
CREATE TEMP VIEW shown AS SELECT to_jsonb(b) AS line FROM interaction_burden AS b UNION ALL SELECT to_jsonb(w) FROM workaround_signal AS w
	UNION ALL SELECT to_jsonb(c) FROM burden_change('2017-01-01', '2024-10-10', '2024-10-10', now()) AS c;
SELECT count(*) > 0 FROM diary_mark;
-- what was recorded before the first month with a partition of its own has no pages
SELECT fold_diary() > 0;
SELECT count(*) FROM diary_page WHERE day < now() - interval '13 months';
SELECT ensure_partitions('2024-06-01', now());
CREATE TEMP TABLE before AS TABLE shown;
-- pages begin with the horizon, and reach some days ahead where there is a month that has events
SELECT fold_diary() > 100;
SELECT min(day) FROM diary_page;
SELECT count(*) FROM diary_mark;
SELECT fold_diary();
SELECT count(*) FROM (TABLE before EXCEPT ALL TABLE shown) AS x;
SELECT count(*) FROM (TABLE shown EXCEPT ALL TABLE before) AS x;
SELECT * FROM check_diary();
-- every column, alone and together, nulls and empty texts, numbers at their limits; of no alert, four are not kept
INSERT INTO event (occurred_at, kind, patient_id) VALUES ('2024-10-11 00:00Z', 'screen.used', 'D1'), ('2024-10-11 23:59:59.999999Z', 'alert.fired', 'D1');
INSERT INTO event (occurred_at, source_sequence, time_precision, facility, patient_id, encounter_id, subject, item, kind, code, value, actor, actor_role, recipient, recipient_role, source_system, entry_method)
	SELECT '2024-10-11 12:00Z', s, p, '', 'D1', '', 'subject', 'item', k, 'local:D|1', repeat('v', 3000), 'who', 'role', 'whom', 'role', 'EHR', m
	FROM unnest('{-2147483648,2147483647}'::integer[]) AS s, unnest(enum_range(NULL::time_precision)) AS p, unnest(enum_range(NULL::entry_method)) AS m, unnest('{alert.fired,note.signed}'::text[]) AS k;
SELECT fold_diary();
SELECT * FROM check_diary();
SELECT occurred_at, kind, source_sequence, time_precision, entry_method, facility, patient_id, encounter_id, actor, actor_role, recipient, recipient_role, source_system, subject, item, code, length(value) AS length, count(*)
	FROM diary_page CROSS JOIN LATERAL page_events(events) WHERE day = '2024-10-11' AND patient_id = 'D1' AND time_precision IN ('second', 'year') AND source_sequence >= 0
	GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 ORDER BY 1, 2, 3, 4, 5;
-- corrections are in no page, and show at once
SELECT events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'whom';
SELECT retract_event(event_id, 'not shown') FROM event_history WHERE patient_id = 'D1' AND kind = 'alert.fired' AND time_precision = 'year' AND source_sequence < 0;
SELECT events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'whom';
INSERT INTO staff (actor, role) VALUES ('late', 'rn');
INSERT INTO event (occurred_at, kind, patient_id, actor) VALUES ('2024-10-11 06:00Z', 'screen.used', 'D2', 'late');
SELECT fold_diary();
SELECT role, events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'late';
UPDATE staff SET role = 'provider' WHERE actor = 'late';
INSERT INTO test_patient VALUES ('D1');
SELECT count(*) FROM diary_mark;
SELECT role, actor, events FROM interaction_burden WHERE day = '2024-10-11' AND actor IN ('late', 'whom');
-- what its own transaction records before and after it is folded; its days are not marked any more, and may be anew
BEGIN;
INSERT INTO event (occurred_at, kind, patient_id, actor) VALUES ('2024-10-11 07:00Z', 'screen.used', 'D2', 'late');
SELECT fold_diary();
INSERT INTO event (occurred_at, kind, patient_id, actor) VALUES ('2024-10-11 07:00Z', 'screen.used', 'D2', 'late');
SAVEPOINT a;
SELECT fold_diary();
ROLLBACK TO a;
INSERT INTO event (occurred_at, kind, patient_id, actor) VALUES ('2024-10-11 07:00Z', 'screen.used', 'D2', 'late');
SELECT events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'late';
COMMIT;
SELECT DISTINCT day FROM diary_mark;
SELECT fold_diary();
SELECT events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'late';
-- a day whose page is not made, as it is of no month with a partition of its own any more
INSERT INTO diary_page VALUES ('2020-02-02', NULL), ('2020-02-03', '\x010000');
INSERT INTO diary_mark VALUES ('2020-02-02');
SELECT fold_diary();
SELECT day FROM diary_page WHERE day < '2024-01-01';
-- a page that there is not, as it would be too large
UPDATE diary_page SET events = NULL WHERE day = '2024-10-11';
SELECT events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'late';
SELECT * FROM check_diary() WHERE difference ->> 'day' = '2024-10-11';
-- what a superuser may, as what replication applies
SET session_replication_role = replica;
INSERT INTO event (occurred_at, recorded_at, kind, patient_id, actor) VALUES ('2024-10-11 08:00Z', NULL, 'screen.used', 'D3', 'late');
RESET session_replication_role;
SELECT fold_diary();
DELETE FROM diary_page WHERE day < '2024-01-01';
SELECT * FROM check_diary();
-- many marks
INSERT INTO diary_mark SELECT '2024-10-12' FROM generate_series(1, 300000);
SELECT events FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'late';
-- a page that was tampered with
UPDATE diary_page SET events = (SELECT events FROM diary_page WHERE day = '2024-10-10') WHERE day = '2024-10-11';
SELECT relation, problem, count(*) > 0 FROM check_diary() GROUP BY 1, 2 ORDER BY 1, 2;
UPDATE diary_page SET events = '\x02' WHERE day = '2024-10-11';
SELECT count(*) FROM interaction_burden WHERE day = '2024-10-11';
UPDATE diary_page SET events = '\x01ff01' WHERE day = '2024-10-11';
SELECT count(*) FROM interaction_burden WHERE day = '2024-10-11';
UPDATE diary_page SET events = '\x010100000101' WHERE day = '2024-10-11';
SELECT count(*) FROM interaction_burden WHERE day = '2024-10-11';
UPDATE diary_page SET events = '\x01010178000200000006010100010000000000' WHERE day = '2024-10-11';
SELECT count(*) FROM interaction_burden WHERE day = '2024-10-11';
UPDATE diary_page SET events = '' WHERE day = '2024-10-11';
SELECT count(*) FROM interaction_burden WHERE day = '2024-10-11';
SET client_min_messages = warning;
CALL rebuild();
RESET client_min_messages;
SELECT * FROM check_diary();
SELECT count(*) FROM interaction_burden WHERE day = '2024-10-11' AND actor = 'late';
