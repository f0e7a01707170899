-- The reports on the simulated day, as they were at midnight.

SET timezone = 'UTC';
\o /dev/null
SELECT workflow_track.maintain();
\o

\echo
\echo 'It is midnight. What do the reports say?'
\echo
\echo '== care_loop: what had to follow, and did it?'
\echo 'Each result, order, referral, discharge and handoff offered opens a loop, which something must close in time.'
\echo 'overdue: it has not happened and should have; open: there is time left; cancelled: no longer needed.'
SELECT expectation, count(*) FILTER (WHERE status = 'met') AS met, count(*) FILTER (WHERE status = 'late') AS late,
	count(*) FILTER (WHERE status = 'overdue') AS overdue, count(*) FILTER (WHERE status = 'open') AS open,
	count(*) FILTER (WHERE status = 'cancelled') AS cancelled
FROM workflow_track.care_loop_at(demo.midnight()) GROUP BY workflow, expectation ORDER BY workflow, expectation;

\echo '== unacknowledged_result: results that nobody has taken note of'
\echo 'Whom it was sent to, and whether that is somebody who works here: dr.brandt left a month ago.'
SELECT severity, subject, to_char(opened_at, 'HH24:MI') AS resulted, owner, owner_active AS active, status, overdue_by, escalate_to
FROM (SELECT *, row_number() OVER (PARTITION BY severity, owner_active ORDER BY due_at) AS place
	FROM workflow_track.unacknowledged_result_at(demo.midnight())) u
WHERE place <= 2 ORDER BY severity DESC, owner_active, due_at;

\echo '== missed_follow_up: patients who wait to be told, to be referred, or to be seen again'
SELECT expectation, patient_id AS patient, subject, owner, to_char(due_at, 'HH24:MI') AS due, overdue_by
FROM (SELECT *, row_number() OVER (PARTITION BY expectation ORDER BY due_at) AS place
	FROM workflow_track.missed_follow_up_at(demo.midnight())) m
WHERE place <= 2 ORDER BY expectation, place;

\echo '== overdue_loop: all that is overdue, of whatever sort'
SELECT category, count(*), max(overdue_by) AS longest FROM workflow_track.overdue_loop_at(demo.midnight())
GROUP BY category ORDER BY category;

\echo '== task_queue: who has most to catch up on'
SELECT facility, role, actor, open_loops AS open, overdue_loops AS overdue, to_char(oldest_due_at, 'HH24:MI') AS oldest_due
FROM workflow_track.task_queue_at(demo.midnight()) ORDER BY overdue_loops DESC, oldest_due_at LIMIT 4;

\echo '== misrouted_result: results sent to nobody who could act on them'
\echo 'claimed_by is the doctor who came across it all the same. "dr.okafro" is dr.okafor, misspelt.'
SELECT DISTINCT ON (reason) reason, subject, severity, recipient, recipient_role, to_char(occurred_at, 'HH24:MI') AS sent,
	claimed_by, to_char(claimed_at, 'HH24:MI') AS claimed
FROM workflow_track.misrouted_result ORDER BY reason, occurred_at;

\echo '== identity_conflict: records of the wrong patient, or in fragments'
SELECT problem, patient_id AS patient, other_patient_id AS other, subject, to_char(since, 'HH24:MI') AS since, split_part(explanation, '. ', 1) AS explanation
FROM workflow_track.identity_conflict_at(demo.midnight()) ORDER BY since LIMIT 2;

\echo '== missing_information: what came without something that its step requires'
SELECT workflow, step, patient_id AS patient, subject, to_char(occurred_at, 'HH24:MI') AS at, missing
FROM workflow_track.missing_information_at(demo.midnight()) ORDER BY occurred_at LIMIT 2;

\echo '== duplicate_entry: work done twice'
\echo 'A phone number typed in again instead of sent from system to system; a test that a colleague had just ordered.'
SELECT rule, patient_id AS patient, original_system || ' ' || original_actor AS first, duplicate_system || ' ' || duplicate_actor AS again, gap
FROM (SELECT *, row_number() OVER (PARTITION BY rule ORDER BY duplicate_at) AS place FROM workflow_track.duplicate_entry) d
WHERE place <= 2 ORDER BY rule, place;

\echo '== billing_mismatch: charges that do not fit what is documented, and denied claims'
SELECT DISTINCT ON (problem) problem, patient_id AS patient, code, to_char(since, 'HH24:MI') AS since, explanation
FROM workflow_track.billing_mismatch_at(demo.midnight()) ORDER BY problem, since;

\echo '== claim_outcome: what became of claims, by what was wrong with the charges before they were sent'
SELECT coalesce(array_to_string(problems, ', '), '') AS wrong_before, count(*) AS claims, count(*) FILTER (WHERE outcome = 'paid') AS paid,
	count(*) FILTER (WHERE outcome = 'denied') AS denied, count(*) FILTER (WHERE outcome = 'submitted') AS waiting
FROM workflow_track.claim_outcome_at(demo.midnight()) GROUP BY problems ORDER BY claims DESC, 1;

\echo '== denial_cause: of the claims that were answered, how many were denied, by what was wrong before'
SELECT facility, coalesce(problem, '') AS wrong_before, claims, denied, round(100 * share::numeric) AS percent
FROM workflow_track.denial_cause(demo.day()) WHERE denied > 0;

\echo '== charge_lag: how long after it was documented a service is charged'
SELECT facility, role, code_family, charges, undocumented, late, date_trunc('second', p50) AS p50, date_trunc('second', p90) AS p90
FROM workflow_track.charge_lag
WHERE day = demo.day() ORDER BY facility, code_family;

\echo '== handoff: one patient''s care as it passed from hand to hand'
\echo 'explicit: offered and accepted; thread: the next one to work on the same order. See where three hours went.'
SELECT basis, subject, from_actor AS from, from_kind AS after, to_actor AS to, to_kind AS then, latency
FROM workflow_track.handoff WHERE patient_id = 'P0004' AND basis <> 'implied' ORDER BY released_at;

\echo '== handoff_latency: how long that takes, for all patients'
\echo 'Half take no longer than p50, nine in ten no longer than p90.'
SELECT basis, facility, from_role, to_role, handoffs, date_trunc('second', p50) AS p50, date_trunc('second', p90) AS p90
FROM workflow_track.handoff_latency WHERE basis = 'explicit' OR basis = 'thread' AND to_role = 'lab_tech'
ORDER BY basis, handoffs DESC LIMIT 4;

\echo '== handoff_latency_hourly: the same by the hour; hours merge into shifts, percentiles and all'
SELECT CASE WHEN extract(hour FROM hour AT TIME ZONE f.timezone) BETWEEN 7 AND 18 THEN 'day, 07-19' ELSE 'night, 19-07' END AS shift,
	sum(handoffs) AS handoffs, date_trunc('second', workflow_track.quantile(workflow_track.merge(histogram), 0.5)) AS p50,
	date_trunc('second', workflow_track.quantile(workflow_track.merge(histogram), 0.9)) AS p90
FROM workflow_track.handoff_latency_hourly JOIN workflow_track.facility f USING (facility)
WHERE basis = 'explicit' GROUP BY 1 ORDER BY 1;

\echo '== interaction_burden: what the day asked of people'
\echo 'Who typed most that was there already. With what burden_change() compares a time before a go-live with one after it.'
SELECT day, facility, role, sum(events) AS events, sum(manual_entries) AS by_hand, sum(duplicate_entries) AS typed_again, round(sum(events) / sum(encounters), 1) AS events_per_encounter
FROM workflow_track.interaction_burden WHERE day = '2026-03-03' GROUP BY day, facility, role ORDER BY typed_again DESC, by_hand DESC, facility, role LIMIT 1;

\echo '== workaround_signal: where people may be working around a system'
\echo 'Most of a shift''s documentation in its last hour, notes signed late, steps in another system than the map says. Here: none.'
SELECT week, facility, role, signal, found, out_of, people FROM workflow_track.workaround_signal
WHERE week = '2026-03-02' AND signal <> 'late_documentation' ORDER BY found DESC, facility, role, signal LIMIT 1;

\echo '== rule_coverage: can the rules be observed at all?'
\echo 'No closers: nothing that is connected would tell of the answer, so "overdue" would mean nothing.'
\echo 'Unmatched closers: answers to what nobody recorded, as referrals sent by fax.'
SELECT expectation, sum(openers) AS openers, sum(closers) AS closers, sum(unmatched_closers) AS unmatched_closers
FROM workflow_track.rule_coverage_at(demo.midnight()) WHERE workflow <> 'results' GROUP BY expectation ORDER BY expectation;

\echo '== directly_follows: what comes after what, whatever the map says'
\echo 'Nobody declared this: it is read off the visits of the day. A draft of a map can be made of it, by discover_workflow().'
SELECT from_kind, to_kind, sum(follows) AS times, sum(cases) AS visits, date_trunc('second', workflow_track.quantile(workflow_track.merge(histogram), 0.5)) AS half_within
FROM workflow_track.directly_follows GROUP BY 1, 2 ORDER BY times DESC, 1, 2 LIMIT 4;

\echo '== workflow_variant: the courses that visits take, of results alone'
SELECT array_to_string(trace, ' > ') AS course, sum(cases) AS visits
FROM workflow_track.workflow_variant(NULL, kinds => '{order.placed,result.final,result.corrected,result.acknowledged}') GROUP BY 1 ORDER BY visits DESC, course LIMIT 3;

\echo '== workflow_deviation: where the work departs from the map'
\echo 'skipped_step: it should have been done; unexpected_event: not there; wrong_role, wrong_system: not by them, not there; late_step: too late.'
SELECT deviation, coalesce(step, kind) AS what, count(*) AS times, count(DISTINCT encounter_id) AS visits
FROM workflow_track.workflow_deviation WHERE workflow = 'results' GROUP BY 1, 2 ORDER BY times DESC, 1, 2 LIMIT 4;

\echo '== compare_workflows: what would a stricter map change?'
\echo 'workflow_picture() draws a map, export_bpmn() hands it to a modeller; this is for the meeting that decides on it.'
\o /dev/null
SELECT workflow_track.define_workflow(jsonb_set(workflow_track.workflow_document('results', 1) || '{"version": 2, "state": "draft"}',
	'{expectations,0}', workflow_track.workflow_document('results', 1) #> '{expectations,0}' || '{"within": "30 minutes", "by": ["provider"]}'));
\o
SELECT sentence FROM workflow_track.compare_workflows('results', 1, 'results', 2);

\echo '== health: what the DBA should watch'
SELECT "check", value, verdict FROM workflow_track.health
WHERE "check" IN ('version of tables', 'months ahead', 'stale patients', 'detection paused', 'unfolded deltas') ORDER BY "check";
