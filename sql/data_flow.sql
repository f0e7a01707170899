CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never

--
-- Declared in the map
--
CREATE FUNCTION pg_temp.flows(flows jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('workflow', 'flows', 'version', 1, 'flows', flows) $$;
SELECT define_workflow(pg_temp.flows('[{"from": "LIS", "to": "EHR", "types": ["ORU^R01"], "every": "15 minutes"}, {"from": "PMS", "to": "EHR", "types": ["ADT^*"], "every": "1 hour",
	"during": {"days": ["monday", "friday"], "from": "07:00", "until": "19:00", "timezone": "America/Chicago"}}, {"from": "EHR", "to": "LIS", "types": ["ORM^O01", "OML^O21"]}, {"from": "RIS", "to": "EHR", "types": ["ORU^R01"], "every": "1 day"}]'));
SELECT workflow_document('flows', 1) = workflow_document('flows', 1) || pg_temp.flows(workflow_document('flows', 1) -> 'flows') AS given_back;
TABLE workflow_flow ORDER BY position;
-- a draft drives nothing
SELECT count(*) FROM flow_gap;
-- faults, each by its path
CREATE FUNCTION pg_temp.fault(flow jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', path, problem, hint), ' | ') FROM workflow_track.map_part_faults(pg_temp.flows(jsonb_build_array(flow)), '$', 'document', pg_temp.flows(jsonb_build_array(flow)))
$$;
CREATE FUNCTION pg_temp.good(more jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"from": "A", "to": "B", "types": ["ORU^R01"]}'::jsonb || more $$;
SELECT f, pg_temp.fault(pg_temp.good(f)) FROM unnest(ARRAY['{}', '{"form": "A"}', '{"from": ""}', '{"types": []}', '{"types": "ORU^R01"}', '{"types": ["oru"]}', '{"types": ["ORU"]}', '{"types": ["ORU^R01^ORU_R01"]}', '{"types": ["*"]}', '{"types": ["ADT^*", "ADT^*"]}',
	'{"every": "0 minutes"}', '{"every": "1 month"}', '{"every": null}', '{"during": {}}', '{"during": {"from": "7:00", "until": "24:00", "timezone": "Mars"}}', '{"during": {"days": ["Monday"], "from": "07:00", "until": "07:00", "timezone": "UTC"}}', '{"during": {"days": [], "from": "07:00", "until": "07:00", "timezone": "UTC"}}']::jsonb[]) WITH ORDINALITY AS u(f, n) ORDER BY n;
SELECT pg_temp.fault('{"from": "A"}');
SELECT flow_covers('{ORU^R01,ADT^*,MDM}', t) AS covers, t, type_in_short(t) FROM unnest('{ORU^R01,ORU^R01^ORU_R01,ORU^R012,ORU^R03,ORU,ADT^A01,ADT^A01^ADT_A01,ADT,ADTX^A01,MDM^T02,MDM}'::text[]) AS t;

--
-- When a flow is judged
--
SELECT at, flow_window_start(at, '{monday,friday}', '07:00', '19:00', 'America/Chicago') AS daily, flow_window_start(at, '{friday}', '22:00', '06:00', 'UTC') AS nightly,
	flow_window_start(at, NULL, '08:00', '08:00', 'UTC') AS always_anew, flow_window_start(at, NULL, NULL, NULL, NULL) AS always
FROM unnest('{2024-03-04 12:59Z,2024-03-04 13:00Z,2024-03-05 00:59Z,2024-03-05 01:00Z,2024-03-05 15:00Z,2024-03-08 22:00Z,2024-03-09 05:59Z,2024-03-09 06:00Z,2024-03-10 05:00Z,2024-03-11 12:00Z}'::timestamptz[]) AS at;

--
-- What is seen
--
SELECT set_workflow_state('flows', 1, 'current');
SELECT problem, workflow, facility, from_system, to_system, message_types, every, last_seen, silent_for FROM flow_gap ORDER BY from_system;
CREATE FUNCTION pg_temp.message(id text, type text, "from" text, "to" text, facility text DEFAULT 'NORTH', patient text DEFAULT 'P1', at text DEFAULT to_char(now() - interval '10 minutes', 'YYYYMMDDHH24MISS')) RETURNS text LANGUAGE sql AS $$
	SELECT format(E'MSH|^~\\&|%s|%s|%s|EAST|%s||%s|%s|P|2.5\rPID|1||%s\rPV1|1|I|^^^%s||||||||||||||||V1\rOBR|1|O%s|F%s|2345-7^Glucose^LN|||||||||||||||||||%s|||F\rOBX|1|NM|2345-7^Glucose^LN||6',
		"from", facility, "to", at, type, id, patient, facility, id, id, at)
$$;
INSERT INTO inbox (body) VALUES (pg_temp.message('1', 'ORU^R01^ORU_R01', 'LIS', 'EHR')), (pg_temp.message('2', 'ORU^R01', 'LIS', 'EHR', 'SOUTH')), (pg_temp.message('3', 'ORU^R01', 'LIS', 'EHR', 'NORTH', '')),
	(pg_temp.message('4', 'ORU^R01', 'LIS', 'PORTAL')), (pg_temp.message('5', 'MDM^T02', 'LIS', 'EHR', 'SOUTH')), (pg_temp.message('6', 'ADT^A08^ADT_A01', 'PMS', '')), (pg_temp.message('7', 'ACK', 'EHR', 'LIS')), (E'MSH|^~\\&|LIS|NORTH|EHR|EAST|20240101||ORU^R01|8|P|2.5\rBAD!|');
SELECT source_system, receiving_system, receiving_facility, message_type, status, facility FROM message ORDER BY message_id;
SELECT from_system, to_system, message_type, facility, last_seen = now() AS now FROM flows_seen('infinity') ORDER BY 1, 2, 3, 4;
SELECT count(*) FROM flows_seen('2024-01-01');
SELECT problem, workflow, facility, from_system, to_system, message_types, every, last_seen IS NULL AS never FROM flow_gap ORDER BY 1, 4, 5, 3;
-- as long as it may be, it is not silent
SELECT max(received_at) AS last FROM message \gset
SELECT problem, from_system, silent_for FROM flow_gap_at(:'last'::timestamptz + interval '15 minutes') WHERE problem = 'silent';
SELECT problem, from_system, silent_for FROM flow_gap_at(:'last'::timestamptz + interval '15 minutes 1 microsecond') WHERE problem = 'silent';
SELECT problem, from_system, silent_for FROM flow_gap_at(:'last'::timestamptz + interval '2 days') WHERE problem = 'silent';
SELECT problem, from_system FROM flow_gap_at(:'last'::timestamptz - interval '1 second') ORDER BY 1, 2;
SELECT problem, from_system FROM flow_gap_at(:'last'::timestamptz + interval '8 days') WHERE problem = 'undeclared';
-- only while it is judged, and since then
SELECT set_workflow_state('flows', 1, 'retired');
SELECT count(*) FROM flow_gap_at(:'last'::timestamptz + interval '1 day');
SELECT define_workflow(jsonb_build_object('workflow', 'hours', 'version', 1, 'state', 'current', 'flows', jsonb_build_array(jsonb_build_object('from', 'LIS', 'to', 'EHR', 'types', '{ORU^R01}'::text[], 'every', '30 minutes',
	'during', jsonb_build_object('from', '07:00', 'until', '19:00', 'timezone', 'UTC')))));
SELECT date_trunc('day', :'last'::timestamptz) + interval '2 days' AS day \gset
SELECT n AS after, g.problem, g.silent_for FROM unnest('{06:59,07:30,07:31,18:59,19:00}'::interval[]) AS n LEFT JOIN LATERAL flow_gap_at(:'day'::timestamptz + n) AS g ON g.problem = 'silent' ORDER BY n;
SELECT "check", value, verdict FROM health WHERE "check" LIKE 'declared flows%';
SELECT set_workflow_state('hours', 1, 'retired');
SELECT define_workflow('{"workflow": "never", "version": 1, "state": "current", "flows": [{"from": "PACS", "to": "EHR", "types": ["ORU^R01"]}]}');
SELECT "check", value, verdict, advice FROM health WHERE "check" LIKE 'declared flows%';
SELECT part, change, name, sentence FROM compare_workflows('flows', 1, 'never', 1);
SELECT set_workflow_state('never', 1, 'retired'), set_workflow_state('flows', 1, 'current');

--
-- By hour
--
SELECT hour = date_trunc('hour', :'last'::timestamptz) AS this_hour, facility, from_system, to_system, message_type, messages, rejected, rejected_share, events, p50 > interval '9 minutes' AS late, p99 >= p50 AND longest >= p99 AS ordered FROM data_flow ORDER BY 2, 3, 4, 5;
SELECT count(*) FROM data_flow(:'last'::timestamptz + interval '1 microsecond');
SELECT sum(messages) FROM data_flow(NULL, :'last'::timestamptz + interval '1 microsecond');
SELECT sum(messages) FROM data_flow(NULL, :'last');
SELECT facility, sum(messages) FROM data_flow(:'last', facility => 'SOUTH') GROUP BY 1;
-- delays are of the events that count
SELECT retract_event(event_id, 'wrong') FROM event_history WHERE facility = 'SOUTH';
SELECT events, p50 FROM data_flow WHERE facility = 'SOUTH' AND message_type = 'ORU^R01';

--
-- Who sees what
--
CREATE ROLE regress_north IN ROLE workflow_track_analyst;
SET ROLE regress_north;
SELECT count(*) FROM data_flow;
SELECT count(*) FROM message_arrival;
SELECT problem, facility, from_system, to_system FROM flow_gap ORDER BY 1, 3;
RESET ROLE;
INSERT INTO facility_access VALUES ('regress_north', 'NORTH');
SET ROLE regress_north;
SELECT DISTINCT facility FROM data_flow UNION SELECT facility FROM message_arrival UNION SELECT facility FROM data_flow(NULL, facility => 'SOUTH');
SELECT from_system, to_system, message_type, facility FROM flows_seen('infinity') ORDER BY 1, 2, 3, 4;
-- a declared flow goes by all facilities, an undeclared one by those that are seen
SELECT problem, facility, from_system, to_system FROM flow_gap ORDER BY 1, 3, 4;
SELECT * FROM message;
RESET ROLE;
SET ROLE workflow_track_recorder;
SELECT * FROM flow_gap;
SELECT * FROM data_flow;
RESET ROLE;
DROP ROLE regress_north;
