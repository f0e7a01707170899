-- Feeds the simulated day through the three doors of the public interface.

SET timezone = 'UTC';

\echo
\echo '== A small hospital'
\echo 'Two houses, 25 people and a shared inbox. Its workflow maps say what must follow what, by whom and by when:'
SELECT workflow, name AS expectation, within, coalesce(nullif(array_to_string(by, ' or '), ''), 'anyone') AS by, escalate_to
FROM workflow_track.expectation JOIN workflow_track.workflow USING (workflow, version)
WHERE state = 'current' ORDER BY workflow, position;

\echo
\echo '== 3 March 2026'
\o /dev/null
SELECT demo.simulate_day(200, 1);
\o
SELECT format('%s patients come and %s events happen to them. One patient''s visit, as the hospital''s systems send it:',
	count(DISTINCT n), (SELECT count(*) FROM demo.feed)) AS line FROM demo.visit \gset
\echo :line
SELECT to_char(occurred_at, 'HH24:MI') AS at, source_system AS system, kind, subject, actor, recipient, severity
FROM demo.feed WHERE patient_id = 'P0004' AND kind !~ '^(patient.registered|data|vitals|specimen|encounter.adm)' ORDER BY occurred_at;

\echo 'The systems deliver the whole day one after the other, so that acknowledgements come in before their results.'
\echo 'The order of arrival does not matter, nor does the way in.'

INSERT INTO workflow_track.test_patient SELECT patient_id FROM demo.visit WHERE trouble = 'test patient';

-- A function call for each event, as an interface engine would make it.
SELECT format('record_event(): %s events of the PMS', count(workflow_track.record_event(kind, patient_id, source_system, occurred_at,
	facility => facility, encounter_id => encounter_id, subject => subject, code => code, value => value, actor => actor,
	entry_method => entry_method, detail => detail))) AS line
FROM demo.feed WHERE source_system = 'PMS' \gset
\echo :line

-- INSERT, as from another table.
INSERT INTO workflow_track.event (occurred_at, time_precision, facility, patient_id, encounter_id, subject, item, kind, code, value,
	actor, recipient, source_system, entry_method)
SELECT occurred_at, time_precision, facility, patient_id, encounter_id, subject, item, kind, code, value,
	actor, recipient, source_system, entry_method
FROM demo.feed WHERE source_system = 'EHR' AND NOT is_late;
\echo 'INSERT:' :ROW_COUNT 'events of the EHR'

-- COPY, as from a file: here from another session.
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME
COPY (SELECT occurred_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity, actor, recipient,
		source_system, entry_method, detail
	FROM demo.feed WHERE source_system IN ('LIS', 'RIS', 'BILL')) TO STDOUT (FORMAT csv, HEADER)
\g |psql -X -q -c "COPY workflow_track.event (occurred_at, facility, patient_id, encounter_id, subject, item, kind, code, value, severity, actor, recipient, source_system, entry_method, detail) FROM STDIN (FORMAT csv, HEADER)"
\echo 'COPY:' :ROW_COUNT 'events of LIS, RIS and billing'

-- What a broken line had held back, and what turned out to be wrong.
INSERT INTO workflow_track.event (occurred_at, facility, patient_id, encounter_id, subject, item, kind, actor, source_system, entry_method)
SELECT occurred_at, facility, patient_id, encounter_id, subject, item, kind, actor, source_system, entry_method
FROM demo.feed WHERE is_late;
\echo 'Held back by a broken line until now:' :ROW_COUNT 'acknowledgements'

-- Two tubes of the same rack: of one the label is another patient's, of the other nobody said what it is.
INSERT INTO workflow_track.event (occurred_at, facility, patient_id, encounter_id, subject, kind, detail, actor, source_system, entry_method)
SELECT o.occurred_at + interval '15 minutes', v.facility, v.patient_id, v.encounter_id, o.subject, 'specimen.received',
	CASE WHEN v.patient_id <> o.patient_id THEN '{"container": "EDTA"}'::jsonb END, 'l.nguyen', 'LIS', 'manual'
FROM demo.feed o JOIN demo.feed v ON v.patient_id IN ('P0004', 'P0006') AND v.kind ~ '^encounter.(registered|admitted)$'
WHERE o.patient_id = 'P0004' AND o.kind = 'order.placed' AND o.code::text = 'loinc|2823-3' AND NOT o.is_late;

SELECT count(*) AS missing_before FROM workflow_track.missed_follow_up_at(demo.midnight()) WHERE expectation = 'follow-up booked' \gset
SELECT count(*) AS retracted
FROM (SELECT workflow_track.retract_event(e.event_id, f.retracted_reason)
	FROM demo.feed f JOIN workflow_track.event e USING (patient_id, kind, subject, occurred_at)
	WHERE f.retracted_reason IS NOT NULL OFFSET 0) r \gset
SELECT count(*) AS missing_after FROM workflow_track.missed_follow_up_at(demo.midnight()) WHERE expectation = 'follow-up booked' \gset
\echo 'retract_event():' :retracted 'events entered in error, as results of another patient, or two people merged into one.'
\echo 'Taken for one person, the follow-up of one had hidden that the other has none. Without:' :missing_before 'before,' :missing_after 'now.'
