CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');

SELECT define_workflow('{"workflow": "care", "version": 1, "state": "current", "expectations": [
 {"name": "acknowledged", "category": "acknowledgement", "after": ["result.final"], "when": {"severity": "critical"}, "expect": ["result.acknowledged"],
  "by": ["provider"], "correlated_by": "item", "within": "1 hour", "cancelled_by": ["result.cancelled"], "escalate_to": "charge_nurse"},
 {"name": "told", "category": "notification", "after": ["result.final"], "expect": ["patient.notified"], "correlated_by": "item", "within": "2 hours"},
 {"name": "seen", "category": "referral", "after": ["referral.sent"], "expect": ["referral.seen"], "correlated_by": "subject", "within": "30 days",
  "cancelled_by": ["referral.cancelled"]},
 {"name": "followed up", "category": "follow_up", "after": ["encounter.discharged"], "expect": ["followup.completed"], "correlated_by": "patient", "within": "7 days"},
 {"name": "resulted", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "3 days", "early": "1 day"}]}');
INSERT INTO staff (actor, role, active_during) VALUES ('dr.a', 'provider', '[2024-01-01,2024-01-12)'), ('dr.b', 'provider', NULL),
	('inbox', 'provider', NULL), ('clerk', 'clerk', NULL);
COPY event (patient_id, facility, encounter_id, subject, item, code, severity, actor, actor_role, recipient, recipient_role, message_id, occurred_at, kind) FROM stdin;
P1	NORTH	V1	O1	\N	\N	\N	dr.a	\N	\N	\N	1	2024-01-10 08:00	order.placed
P1	NORTH	V1	O1	R1	loinc|2823-3	critical	lab	tech	dr.a	\N	2	2024-01-10 10:00	result.final
P1	NORTH	V1	O1	R1	\N	\N	clerk	\N	\N	\N	3	2024-01-10 10:10	result.acknowledged
P1	NORTH	V1	O1	R1	\N	\N	dr.b	\N	\N	\N	4	2024-01-10 11:30	result.acknowledged
P1	NORTH	V1	O1	R2	loinc|2345-7	critical	lab	tech	dr.a	\N	5	2024-01-10 10:00	result.final
P1	NORTH	V1	O1	R3	\N	normal	lab	tech	\N	clinic	6	2024-01-10 10:00	result.final
P1	NORTH	V1	O1	R3	\N	\N	clerk	\N	\N	\N	7	2024-01-10 10:30	patient.notified
P1	SOUTH	V1	F1	\N	\N	\N	dr.a	\N	dr.c	specialist	8	2024-01-11 09:00	referral.sent
P1	SOUTH	V1	F1	\N	\N	\N	dr.a	\N	\N	\N	9	2024-01-11 10:00	referral.cancelled
P2	SOUTH	V2	F2	\N	\N	\N	dr.b	\N	\N	\N	10	2024-01-10 08:00	referral.sent
P2	SOUTH	V2	\N	\N	\N	\N	\N	\N	\N	\N	11	2024-01-10 12:00	encounter.discharged
P2	NORTH	V2	F2	\N	\N	\N	dr.c	specialist	\N	\N	12	2024-02-10 08:00	referral.seen
\.

-- One history, asked about at several moments.
CREATE FUNCTION pg_temp.loops(at timestamptz) RETURNS TABLE (expectation text, subject text, item text, status text, closed timestamptz, cancelled timestamptz, overdue_by interval)
LANGUAGE sql AS $$
	SELECT expectation, subject, item, status, closed_at, cancelled_at, overdue_by FROM workflow_track.care_loop_at(at)
	ORDER BY opened_at, expectation, item
$$;
SELECT * FROM pg_temp.loops('2024-01-10 08:00');
SELECT * FROM pg_temp.loops('2024-01-10 10:00');
SELECT * FROM pg_temp.loops('2024-01-10 11:30');
SELECT * FROM pg_temp.loops('2024-01-11 10:00');
SELECT * FROM pg_temp.loops('2024-03-01');

-- Every column: of an overdue, a late and a cancelled loop.
\x
SELECT * FROM care_loop_at('2024-01-11 10:00') WHERE expectation = 'acknowledged' AND item = 'R2';
SELECT * FROM care_loop_at('2024-01-11 10:00') WHERE expectation = 'acknowledged' AND item = 'R1';
SELECT * FROM care_loop_at('2024-01-11 10:00') WHERE expectation = 'seen' AND subject = 'F1';
\x

-- The owner is the recipient, else the actor; active or not at the moment asked about.
SELECT subject, item, owner, owner_role, owner_active FROM care_loop_at('2024-01-11 23:59') ORDER BY opened_event_id, expectation;
SELECT subject, item, owner, owner_role, owner_active FROM care_loop_at('2024-01-12') WHERE owner = 'dr.a' ORDER BY opened_event_id, expectation;

-- The other views are parts of it.
CREATE FUNCTION pg_temp.parts(at timestamptz) RETURNS TABLE (report text, expectation text, subject text, item text, status text) LANGUAGE sql AS $$
	SELECT 'unacknowledged_result', expectation, subject, item, status FROM workflow_track.unacknowledged_result_at(at)
	UNION ALL SELECT 'missed_follow_up', expectation, subject, item, status FROM workflow_track.missed_follow_up_at(at)
	UNION ALL SELECT 'overdue_loop', expectation, subject, item, status FROM workflow_track.overdue_loop_at(at)
	ORDER BY 1, 2, 3, 4
$$;
SELECT * FROM pg_temp.parts('2024-01-10 10:30');
SELECT * FROM pg_temp.parts('2024-01-10 11:00');
SELECT * FROM pg_temp.parts('2024-01-10 12:00');
SELECT * FROM pg_temp.parts('2024-01-17 12:00');
SELECT * FROM pg_temp.parts('2024-02-10 07:59');
SELECT * FROM pg_temp.parts('2024-02-10 08:00');
SELECT at, report, count(*) AS different FROM generate_series(timestamptz '2024-01-10', '2024-02-15', '1 hour') AS at, LATERAL (
	SELECT 'unacknowledged_result', l::text, v::text FROM (SELECT * FROM care_loop_at(at) WHERE category = 'acknowledgement' AND status IN ('open', 'overdue')) AS l
		FULL JOIN unacknowledged_result_at(at) AS v USING (opened_event_id, expectation)
	UNION ALL SELECT 'missed_follow_up', l::text, v::text FROM (SELECT * FROM care_loop_at(at) WHERE category IN ('follow_up', 'referral', 'notification') AND status IN ('late', 'overdue')) AS l
		FULL JOIN missed_follow_up_at(at) AS v USING (opened_event_id, expectation)
	UNION ALL SELECT 'overdue_loop', l::text, v::text FROM (SELECT * FROM care_loop_at(at) WHERE status = 'overdue') AS l
		FULL JOIN overdue_loop_at(at) AS v USING (opened_event_id, expectation)) AS r(report, l, v)
WHERE l IS DISTINCT FROM v GROUP BY 1, 2;

-- A view is its function of now.
SELECT count(*) AS loops, count(*) FILTER (WHERE status = 'overdue') AS overdue FROM care_loop;
SELECT count(*) AS different FROM (TABLE care_loop EXCEPT SELECT * FROM care_loop_at(now())) AS d;
SELECT count(*) AS different FROM (TABLE task_queue EXCEPT SELECT * FROM task_queue_at(now())) AS d;
SELECT count(*) AS different FROM (TABLE rule_coverage EXCEPT SELECT * FROM rule_coverage_at(now())) AS d;
SELECT count(*) AS asked_about_null FROM care_loop_at(NULL);

--
-- Who has what to do
--
SELECT * FROM task_queue_at('2024-01-10 10:30') ORDER BY facility, role, actor;
SELECT * FROM task_queue_at('2024-01-10 12:00') ORDER BY facility, role, actor;
SELECT * FROM task_queue_at('2024-03-01') ORDER BY facility, role, actor;

--
-- Can the rules be observed?
--
SELECT * FROM rule_coverage_at('2024-01-10 08:00') ORDER BY expectation, facility;
SELECT * FROM rule_coverage_at('2024-03-01') ORDER BY expectation, facility;
-- closers that answer nothing: of an unknown number, too early, or of a result that asked for none
COPY event (patient_id, facility, subject, severity, actor, actor_role, occurred_at, kind) FROM stdin;
P3	WEST	O7	\N	dr.b	\N	2024-01-10 08:00	result.acknowledged
P3	WEST	O8	normal	lab	\N	2024-01-10 08:00	result.final
P3	WEST	O8	\N	dr.b	\N	2024-01-10 08:10	result.acknowledged
P3	WEST	O9	\N	dr.b	\N	2024-01-10 08:00	result.acknowledged
P3	WEST	O9	critical	lab	\N	2024-01-10 08:10	result.final
P3	WEST	O9	\N	clerk	\N	2024-01-10 08:20	result.acknowledged
P3	WEST	O9	\N	dr.b	\N	2024-01-10 08:30	result.acknowledged
\.
SELECT * FROM rule_coverage_at('2024-03-01') WHERE facility = 'WEST' ORDER BY expectation;
-- where both are none, there is no row
SELECT count(*) FROM rule_coverage_at('2024-01-10 07:59');
-- merged patients are counted once
SELECT record_event('patient.merged', 'P1', 'EHR', '2024-02-20', facility => 'NORTH', subject => 'P2') > 0 AS recorded;
SELECT * FROM rule_coverage_at('2024-03-01') WHERE facility <> 'WEST' ORDER BY expectation, facility;
