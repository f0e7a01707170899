CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'America/Chicago';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
\a
INSERT INTO staff (actor, role) VALUES ('ann', 'nurse'), ('bob', 'provider');
INSERT INTO event (occurred_at, source_sequence, time_precision, planned_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity,
	actor, actor_role, recipient, recipient_role, source_system, entry_method, detail) VALUES
	('2024-03-04 08:00:00.000001Z', 0, 'second', '2024-03-05 08:00Z', 'NORTH', 'P1', 'V1', 'O1', NULL, 'order.placed', 'loinc|2345-7', NULL, NULL, 'bob', NULL, 'ann', NULL, 'EHR', 'manual', '{"why": "<a & \"b\">\\"}'),
	('2024-03-04 09:00Z', 7, 'minute', NULL, 'NORTH', 'P1', 'V1', 'O1', 'F1', 'result.final', 'loinc|2345-7', '6.8', 'critical', 'lab', 'tech', 'bob', 'surgeon', 'LIS', 'interface', NULL),
	('2024-03-04 09:00Z', 0, 'second', NULL, '', 'P1', 'V1', NULL, NULL, 'vitals.recorded', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

--
-- XES: what there is of each event; times in UTC whatever the session's zone
--
SELECT * FROM export_xes();
SELECT * FROM export_xes('2030-01-01') OFFSET 10;

-- A log as a table, by the server's own XML.
CREATE FUNCTION pg_temp.exported(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL, cases text DEFAULT 'encounters', salt text DEFAULT NULL)
RETURNS TABLE (trace text, kind text, at text, facility text, patient text, own_patient text, own_encounter text, subject text, value text) LANGUAGE sql AS $$
	SELECT x.* FROM (SELECT string_agg(l, E'\n') FROM workflow_track.export_xes(since, until, facility, cases, salt) AS l) AS d(document),
	XMLTABLE(XMLNAMESPACES('http://www.xes-standard.org/' AS x), '/x:log/x:trace/x:event' PASSING (substring(d.document FROM '<log.*')::xml) COLUMNS
		trace text PATH '../x:string[@key="concept:name"]/@value', kind text PATH 'x:string[@key="concept:name"]/@value', at text PATH 'x:date[@key="time:timestamp"]/@value',
		facility text PATH 'x:string[@key="org:group"]/@value', patient text PATH '../x:string[@key="patient_id"]/@value', own_patient text PATH 'x:string[@key="patient_id"]/@value',
		own_encounter text PATH 'x:string[@key="encounter_id"]/@value', subject text PATH 'x:string[@key="subject"]/@value', value text PATH 'x:string[@key="value"]/@value') AS x
$$;

-- Whatever a text holds comes back, but for what XML cannot hold.
INSERT INTO event (occurred_at, patient_id, encounter_id, subject, kind, value)
SELECT timestamptz '2024-01-01Z' + n * interval '1 hour', v, v, v, 'data.entered', v
FROM unnest(ARRAY['a/b', 'a%2Fb', '<&>"''', E'back\\slash', E'tab\tnew\nline\rreturn', 'é ü 汉字 😀', '']) WITH ORDINALITY AS u(v, n) WHERE v <> '';
SELECT count(*), count(*) FILTER (WHERE trace = replace(replace(value, '%', '%25'), '/', '%2F') || '/' || value AND patient = value AND subject = value) AS equal, count(DISTINCT trace) AS traces
FROM pg_temp.exported(NULL, '2024-03-01');
INSERT INTO event (occurred_at, patient_id, encounter_id, kind, value) VALUES ('2024-01-02Z', 'PX', 'VX', 'data.entered', E'x\x01y\x1fz\x7f\uFFFE\uFFFF\uFFFD');
SELECT value = U&'x\FFFDy\FFFDz\007F\FFFD\FFFD\FFFD' AS replaced FROM pg_temp.exported('2024-01-02Z', '2024-02-01Z');
SELECT xes_attribute('string', NULL, 'x') IS NULL AS no_key, xes_attribute('int', 'a"b', '1') AS attribute;

--
-- Of a time, a facility; by patient what has no encounter
--
INSERT INTO event (occurred_at, facility, patient_id, encounter_id, kind) VALUES
	('2024-05-01 10:00Z', 'NORTH', 'P2', 'V2', 'encounter.admitted'), ('2024-05-01 11:00Z', 'SOUTH', 'P2', 'V2', 'vitals.recorded'), ('2024-05-03 10:00Z', 'NORTH', 'P2', 'V2', 'encounter.discharged'),
	('2024-05-02 10:00Z', 'NORTH', 'P3', 'V3', 'encounter.admitted'), ('2024-05-01 09:00Z', 'NORTH', 'P2', NULL, 'appointment.booked'), ('2024-05-02 09:00Z', 'SOUTH', 'P2', NULL, 'appointment.arrived'),
	('2024-05-02 10:30Z', 'NORTH', 'P2', '', 'note.signed');
SELECT trace, kind, at, facility FROM pg_temp.exported('2024-05-01Z', '2024-05-02 10:30Z');
-- a case that began before is not of the time; the first moment is, the last is not
SELECT trace, kind FROM pg_temp.exported('2024-05-01 10:00:00.000001Z', '2024-05-02 10:00:00.000001Z');
SELECT trace, kind FROM pg_temp.exported('2024-05-02 10:00Z', '2024-05-02 10:00Z');
SELECT trace, kind FROM pg_temp.exported('2024-05-01Z', facility => 'SOUTH');
SELECT trace, kind FROM pg_temp.exported('2024-05-01Z', cases => 'patients');
SELECT trace, kind FROM pg_temp.exported('2024-05-01 09:30Z', cases => 'patients', facility => 'SOUTH');
SELECT count(*) FROM export_xes(cases => 'days');
SELECT count(*) FROM export_xes(cases => 'events');
SELECT count(*) FROM export_xes(cases => NULL);

--
-- Left out as in reports; merged ones are one, wherever their events came
--
SELECT retract_event(record_event('note.signed', 'P3', 'EHR', '2024-05-02 11:00Z', facility => 'NORTH', encounter_id => 'V3'), 'wrong');
INSERT INTO test_patient VALUES ('PT');
SELECT record_event('note.signed', 'PT', 'EHR', '2024-05-02 11:00Z', encounter_id => 'VT') > 0 AS recorded, record_event('note.signed', 'PT', 'EHR', '2024-05-02 11:00Z') > 0 AS recorded;
SELECT trace, kind FROM pg_temp.exported('2024-05-02 10:00Z', '2024-05-02 10:15Z');
SELECT count(*) FROM pg_temp.exported('2024-05-02 11:00Z', '2024-05-02 11:30Z', cases => 'patients');
SET workflow_track.test_patients = on;
SELECT trace, kind FROM pg_temp.exported('2024-05-02 11:00Z', '2024-05-02 11:30Z', cases => 'patients');
RESET workflow_track.test_patients;
INSERT INTO event (occurred_at, patient_id, encounter_id, subject, kind, source_sequence) VALUES
	('2024-06-01 10:00Z', 'M2', 'W2', 'A', 'note.signed', 2), ('2024-06-01 10:00Z', 'M1', 'W1', 'B', 'note.signed', 1), ('2024-06-01 10:00Z', 'M1', 'W1', NULL, 'note.signed', 2), ('2024-06-01 10:00Z', 'M1', 'W1', 'A', 'consent.signed', 2),
	('2024-06-02 10:00Z', 'M2', NULL, 'M1', 'patient.merged', 0), ('2024-06-02 10:00Z', 'M1', 'W1', 'W2', 'encounter.merged', 0);
SELECT trace, kind, patient, own_patient, own_encounter, subject FROM pg_temp.exported('2024-06-01Z', cases => 'patients');

--
-- Who sees what
--
CREATE ROLE regress_north IN ROLE workflow_track_analyst;
INSERT INTO facility_access VALUES ('regress_north', 'NORTH');
SET ROLE regress_north;
SELECT trace, kind, facility FROM pg_temp.exported('2024-05-01Z', '2024-06-01Z', cases => 'patients');
SELECT trace, kind FROM pg_temp.exported('2024-05-01Z', facility => 'SOUTH', cases => 'patients');
SELECT count(*) AS of_others FROM log_events(NULL, NULL, NULL, 'events') WHERE event_facility <> 'NORTH';
SELECT count(*) AS of_others FROM export_ocel() AS l WHERE l ~ 'SOUTH';
SELECT log_left_out(NULL, NULL, NULL, 'encounters');
RESET ROLE;
SET ROLE workflow_track_recorder;
SELECT * FROM export_xes();
SELECT * FROM export_ocel();
SELECT * FROM log_events(NULL, NULL, NULL, 'events');
RESET ROLE;
DROP ROLE regress_north;

--
-- Pseudonyms
--
SELECT * FROM export_xes('2024-03-01', '2024-04-01', salt => '0123456789abcdef') OFFSET 12;
SELECT trace, patient, subject FROM pg_temp.exported('2024-06-01Z', salt => '0123456789abcdef') LIMIT 1;
SELECT pseudonym('0123456789abcdef', 'patient', 'P1') AS patient, pseudonym('0123456789abcdef', 'actor', 'P1') AS actor, pseudonym('0123456789abcdeg', 'patient', 'P1') AS other_salt,
	pseudonym(NULL, 'patient', 'P1') AS without_salt, pseudonym('0123456789abcdef', 'patient', NULL) IS NULL AS of_null;
SELECT count(*) AS tell_tales FROM (SELECT export_xes(cases => 'patients', salt => '0123456789abcdef') UNION ALL SELECT export_ocel(salt => '0123456789abcdef')) AS l(line)
WHERE line ~ '"(P1|V1|O1|F1|M1|M2|bob|ann|lab)"|[:/](P1|V1|O1|M1|M2|bob|ann)"|6\.8|why|event:\d+"|"event_id"';
SELECT * FROM export_xes(salt => 'short');
SELECT * FROM export_ocel(salt => '');

--
-- OCEL
--
INSERT INTO subject_alias VALUES ('P1', 'F77', 'O1');
INSERT INTO event (occurred_at, facility, patient_id, subject, kind) VALUES ('2024-03-04 10:00Z', 'NORTH', 'P1', 'F77', 'result.corrected'), ('2024-03-04 10:01Z', 'NORTH', 'P2', 'F77', 'claim.paid');
SELECT part.key, part.element FROM (SELECT string_agg(l, '')::jsonb FROM export_ocel('2024-03-04 08:30Z', '2024-03-04 10:02Z', 'NORTH') AS l) AS d(log),
	LATERAL (SELECT k.key, e.element FROM jsonb_each(log) AS k, jsonb_array_elements(k.value) AS e(element)) AS part ORDER BY part.key, part.element ->> 'time', part.element ->> 'id' COLLATE "C", part.element ->> 'name' COLLATE "C";
CREATE VIEW pg_temp.ocel AS SELECT string_agg(l, '')::jsonb AS log FROM export_ocel() AS l;
SELECT o ->> 'id' AS id, o ->> 'type' AS type, o #>> '{relationships,0,objectId}' AS of FROM pg_temp.ocel, jsonb_array_elements(log -> 'objects') AS o WHERE o ->> 'id' ~ 'P[123]|V|ann|EHR' ORDER BY o ->> 'id' COLLATE "C";
SELECT jsonb_array_length(log -> 'events') AS events, (SELECT count(*) FROM event) AS recorded, jsonb_array_length(log -> 'objects') = (SELECT count(DISTINCT o ->> 'id') FROM jsonb_array_elements(log -> 'objects') AS o) AS ids_are_unique,
	(SELECT count(*) FROM jsonb_path_query(log, '$.*.relationships.objectId') AS r WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(log -> 'objects') AS o WHERE o -> 'id' = r)) AS lead_nowhere,
	(SELECT count(*) FROM jsonb_array_elements(log -> 'events') AS e WHERE NOT log -> 'eventTypes' @> jsonb_build_array(jsonb_build_object('name', e -> 'type'))) AS of_no_type
FROM pg_temp.ocel;
-- merges join, and have no object of their own
SELECT e ->> 'type' AS kind, jsonb_path_query_array(e, '$.relationships[*].objectId') AS objects FROM pg_temp.ocel, jsonb_array_elements(log -> 'events') AS e WHERE e ->> 'time' LIKE '2024-06%' ORDER BY e ->> 'time', (split_part(e ->> 'id', ':', 2))::int;
SELECT string_agg(l, '')::jsonb AS empty FROM export_ocel('2030-01-01') AS l;
-- one type whichever system says what of an order
SELECT object_type(kind, category) AS type, string_agg(kind, ' ' ORDER BY kind) AS kinds FROM event_kind GROUP BY 1 HAVING count(DISTINCT category) > 1 OR object_type(min(kind), min(category)) IS DISTINCT FROM min(category) ORDER BY 1;
