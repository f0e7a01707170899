-- The simulated day of the demo, fed twice: in two orders, two sizes of batches
-- and two ways.  Every fault put in is to be found and nothing else, and every
-- report is to be the same.
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv source PG_ABS_SRCDIR
\set map :source '/demo/1-map.sql'
\set simulator :source '/demo/2-simulator.sql'

-- The reports of each feeding, but for the numbers that this database gives.
CREATE TABLE report_of (feeding text, report text, line jsonb);
CREATE PROCEDURE keep_reports(feeding text) LANGUAGE plpgsql AS $$
DECLARE
	report record;
BEGIN
	FOR report IN SELECT * FROM (VALUES
		('care_loop_at(demo.midnight())'), ('task_queue_at(demo.midnight())'), ('rule_coverage_at(demo.midnight())'),
		('duplicate_entry'), ('misrouted_result'), ('billing_mismatch_at(demo.midnight())'), ('claim_outcome_at(demo.midnight())'), ('charge_lag'), ('handoff'), ('handoff_latency'), ('handoff_latency_hourly')) r (name)
	LOOP
		EXECUTE format('INSERT INTO report_of SELECT %L, %L, to_jsonb(r) - ARRAY[''opened_event_id'', ''closed_event_id'', '
			'''duplicate_event_id'', ''original_event_id'', ''event_id'', ''charge_event_id'', ''documentation_event_id'', ''submitted_event_id'', ''from_event_id'', ''to_event_id''] FROM workflow_track.%s r',
			feeding, split_part(report.name, '_at(', 1), report.name);
	END LOOP;
END
$$;

-- Records the feed in an order that the word gives, a batch a transaction, and retracts what is to be retracted.
CREATE PROCEDURE deliver(word text, batch integer, by_call boolean) LANGUAGE plpgsql AS $$
DECLARE
	last integer := (SELECT count(*) FROM demo.feed);
BEGIN
	CREATE TABLE demo.delivery AS SELECT row_number() OVER (ORDER BY md5(word || f)) AS position, f.* FROM demo.feed f;
	FOR at IN 1 .. last BY batch LOOP
		IF by_call THEN
			PERFORM workflow_track.record_event(kind, patient_id, source_system, occurred_at, time_precision => time_precision,
				facility => facility, encounter_id => encounter_id, subject => subject, item => item, code => code, value => value,
				severity => severity, actor => actor, recipient => recipient, entry_method => entry_method, detail => detail)
			FROM demo.delivery WHERE position >= at AND position < at + batch ORDER BY position;
		ELSE
			INSERT INTO workflow_track.event (occurred_at, time_precision, facility, patient_id, encounter_id, subject, item, kind,
				code, value, severity, actor, recipient, source_system, entry_method, detail)
			SELECT occurred_at, time_precision, facility, patient_id, encounter_id, subject, item, kind,
				code, value, severity, actor, recipient, source_system, entry_method, detail
			FROM demo.delivery WHERE position >= at AND position < at + batch ORDER BY position;
		END IF;
		PERFORM workflow_track.retract_event(e.event_id, d.retracted_reason)
		FROM demo.delivery d JOIN workflow_track.event e USING (patient_id, kind, subject, occurred_at)
		WHERE position >= at AND position < at + batch AND retracted_reason IS NOT NULL;
		INSERT INTO workflow_track.test_patient SELECT patient_id FROM demo.visit
		WHERE trouble = 'test patient' AND at <= last / 2 AND last / 2 < at + batch;
		COMMIT;
	END LOOP;
END
$$;

-- Event by event
\set ECHO none
CREATE EXTENSION workflow_track;
SELECT workflow_track.setup() \g /dev/null
\i :map
\i :simulator
\set ECHO all
SELECT demo.simulate_day(64, 2026);
CALL deliver('one', 1, true);
SELECT * FROM demo.score ORDER BY report, what;
CALL keep_reports('event by event');
SELECT report, count(*) FROM report_of GROUP BY report ORDER BY report;

-- Hundreds at once
\set ECHO none
DROP SCHEMA workflow_track, demo CASCADE;
CREATE EXTENSION workflow_track;
SELECT workflow_track.setup() \g /dev/null
\i :map
\i :simulator
\set ECHO all
SELECT demo.simulate_day(64, 2026);
CALL deliver('another', 400, false);
SELECT sum(put_in) AS put_in, sum(found) AS found, sum(false_alarms) AS false_alarms FROM demo.score;
CALL keep_reports('hundreds');

-- From nothing
CALL workflow_track.rebuild(10);
CALL keep_reports('rebuilt');

SELECT feeding, count(*) FROM report_of GROUP BY feeding ORDER BY feeding;
SELECT report, line, count(*), array_agg(feeding) FROM report_of GROUP BY report, line HAVING count(DISTINCT feeding) <> 3;
