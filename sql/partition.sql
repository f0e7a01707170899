CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- Twelve months before this one, this one and 24 to come, and a partition for all before; no gap between them.
CREATE VIEW pg_temp.layout AS
SELECT count(*) AS partitions, count(*) FILTER (WHERE lower_bound IS NULL) AS before_the_first,
	count(*) FILTER (WHERE lower_bound <> previous) AS gaps,
	count(*) FILTER (WHERE upper_bound <= date_trunc('month', now())) AS past,
	count(*) FILTER (WHERE lower_bound > now()) AS ahead
FROM (SELECT *, lag(upper_bound) OVER (ORDER BY upper_bound) AS previous FROM months()) AS m;
SELECT * FROM layout;
SELECT partition_name, lower_bound FROM months() LIMIT 1;

-- Any time since 1900 can be recorded.
SELECT record_event('order.placed', 'P1', 'EHR', '1905-06-01 08:00', subject => 'A') AS old,
	record_event('result.final', 'P1', 'LIS', '1905-06-02 08:00', subject => 'A', severity => 'critical') AS old_result,
	record_event('order.placed', 'P1', 'EHR', now() - interval '1 year', subject => 'B') AS last_year,
	record_event('order.placed', 'P1', 'EHR', now() + interval '47 hours', subject => 'C') AS ahead,
	record_event('order.placed', 'P1', 'EHR', '2024-02-28 08:00', subject => 'D') AS placed,
	record_event('result.final', 'P1', 'LIS', '2024-03-01 08:00', subject => 'D', encounter_id => 'V') AS resulted,
	record_event('result.acknowledged', 'P1', 'EHR', '2024-03-31 23:59:59.999999', subject => 'D', encounter_id => 'V') AS acknowledged,
	record_event('patient.merged', 'P1', 'EHR', '2024-03-15', subject => 'P2') AS merged,
	record_event('result.acknowledged', 'P2', 'EHR', '2024-04-01', subject => 'D') AS again \gset
SELECT subject, opened_by_kind, opened_at, status FROM care_loop_at('2024-06-01') ORDER BY opened_at, opened_event_id;
SELECT count(DISTINCT tableoid) AS partitions, count(*) FILTER (WHERE tableoid = 'event_before'::regclass) AS before_the_first FROM event;

--
-- Months for a backfill: those before the first take their events over
--
CREATE TABLE pg_temp.events AS SELECT * FROM event;
CREATE TABLE pg_temp.loops AS SELECT * FROM care_loop_at('2024-06-01');
CREATE TABLE pg_temp.handoffs AS SELECT * FROM handoff_latency;
SELECT ensure_partitions('2024-02-10', '2024-05-20');
SELECT partition_name, upper_bound FROM months() LIMIT 4;
SELECT gaps, ahead FROM layout;
SELECT tableoid::regclass AS partition, occurred_at, kind FROM event WHERE occurred_at < '2025-01-01' ORDER BY occurred_at;
SELECT count(*) FROM (TABLE event EXCEPT TABLE pg_temp.events) AS changed;
-- once more changes nothing
CREATE TABLE pg_temp.partitions AS SELECT relid FROM pg_partition_tree('event');
SELECT ensure_partitions('2024-02-10', '2024-05-20');
SELECT count(*) FROM (SELECT relid FROM pg_partition_tree('event') EXCEPT TABLE pg_temp.partitions) AS made;
-- nothing is found twice, or lost
SELECT count(*) FROM (TABLE pg_temp.loops EXCEPT SELECT * FROM care_loop_at('2024-06-01')) AS lost;
SELECT count(*) FROM (SELECT * FROM care_loop_at('2024-06-01') EXCEPT TABLE pg_temp.loops) AS found;
SELECT count(*) AS handoffs FROM pg_temp.handoffs;
SELECT count(*) FROM (TABLE pg_temp.handoffs EXCEPT TABLE handoff_latency) AS lost;
SELECT count(*) FROM patient_merge;
-- new events go to the new months, and meet the old ones
SELECT record_event('order.placed', 'P2', 'EHR', '2024-02-29 23:59:59.999999', subject => 'E'),
	record_event('result.final', 'P2', 'LIS', '2024-03-01', subject => 'E', severity => 'abnormal');
SELECT tableoid::regclass AS partition, kind FROM event WHERE subject = 'E' ORDER BY event_id;
SELECT opened_by_kind, status FROM care_loop_at('2024-06-01') WHERE subject = 'E' ORDER BY opened_at;
-- a month is in UTC, whatever the session's zone
SET timezone = 'America/Los_Angeles';
SELECT ensure_partitions('2024-01-31 18:00', '2024-05-20');
SET timezone = 'UTC';
SELECT partition_name, upper_bound FROM months() LIMIT 2;
SELECT ensure_partitions('2024-01-31 18:00', '2024-05-20');
SELECT partition_name, upper_bound FROM months() LIMIT 2;
-- what is no span of months
SELECT ensure_partitions(NULL, '2024-05-20');
SELECT ensure_partitions('2024-05-20', '2024-05-19');
SELECT ensure_partitions('-infinity', '2024-05-20');
SELECT ensure_partitions('2024-05-20', 'infinity');
SELECT ensure_partitions('0001-01-01', now());
SELECT ensure_partitions(now(), now() + interval '60 years');

--
-- No event is refused for its date, also where maintain() did not run for years
--
DO $$
DECLARE
	name name;
BEGIN
	FOR name IN SELECT partition_name FROM months() WHERE upper_bound > now() - interval '2 months' LOOP
		EXECUTE format('DROP TABLE %I', name);
	END LOOP;
END
$$;
SELECT recordable_until() < now() AS months_used_up;
SELECT verdict FROM health WHERE "check" = 'months ahead';
\set VERBOSITY sqlstate
INSERT INTO event (occurred_at, patient_id, kind) VALUES (now(), 'P3', 'order.placed');
\set VERBOSITY default
-- record_event() makes the months up to the event's, also for a recorder
SET ROLE workflow_track_recorder;
SELECT record_event('order.placed', 'P3', 'EHR', now(), subject => 'A') IS NOT NULL AS recorded;
-- but none for a time that is refused
SELECT record_event('order.placed', 'P3', 'EHR', now() + interval '3 months', subject => 'A');
SELECT record_event('order.placed', 'P3', 'EHR', 'infinity', subject => 'A');
RESET ROLE;
SELECT gaps, ahead FROM layout;
SELECT subject, status FROM care_loop WHERE patient_id = 'P3';
SELECT verdict FROM health WHERE "check" = 'months ahead';
SELECT maintain();
SELECT gaps, ahead FROM layout;
SELECT verdict FROM health WHERE "check" = 'months ahead';

--
-- Events of a new patient are read where their transaction put them, unless they may not be there any more
--
BEGIN;
SELECT record_event('result.final', 'moved', 'LIS', '2022-03-03 10:00Z', subject => 's1') > 0;
SELECT ensure_partitions('2022-03-01', now());
SELECT record_event('result.final', 'moved', 'LIS', '2022-03-04 10:00Z', subject => 's2') > 0;
COMMIT;
BEGIN;
SELECT record_event('result.final', 'rolled back', 'LIS', '2022-03-03 10:00Z', subject => 's1') > 0;
SAVEPOINT a;
SELECT record_event('result.final', 'rolled back', 'LIS', '2022-03-04 10:00Z', subject => 's2') > 0;
ROLLBACK TO a;
SELECT record_event('result.final', 'rolled back', 'LIS', '2022-03-05 10:00Z', subject => 's3') > 0;
COMMIT;
-- in more months than are noted
SELECT ensure_partitions('2020-03-01', now());
INSERT INTO event (kind, patient_id, occurred_at, subject) SELECT 'result.final', 'everywhere', '2020-03-01Z'::timestamptz + n * interval '1 month', n FROM generate_series(0, 75) AS n;
SELECT patient_id, count(*), min(subject COLLATE "C"), max(subject COLLATE "C") FROM unacknowledged_result WHERE patient_id IN ('moved', 'rolled back', 'everywhere') GROUP BY 1 ORDER BY 1;
SELECT relation, problem FROM check_consistency();
