CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');

-- An expectation for each thing to be shown, told apart by their kinds.
SELECT define_workflow('{"workflow": "loops", "version": 1, "state": "current", "expectations": [
 {"name": "subject", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject",
  "within": "1 hour", "cancelled_by": ["order.cancelled"]},
 {"name": "early", "category": "notification", "after": ["alert.fired", "alert.overridden"], "when": {"severity": "critical"},
  "expect": ["alert.acknowledged"], "correlated_by": "item", "within": "10 minutes", "early": "2 minutes"},
 {"name": "planned", "category": "follow_up", "after": ["appointment.booked"], "expect": ["appointment.arrived"], "correlated_by": "subject", "within": "30 minutes"},
 {"name": "cancelled", "category": "claim", "after": ["claim.submitted"], "expect": ["claim.paid", "task.completed"], "correlated_by": "subject", "within": "30 days",
  "cancelled_by": ["claim.denied", "task.completed", {"kind": "patient.died", "correlated_by": "patient"}, {"kind": "encounter.cancelled", "correlated_by": "encounter"},
  {"kind": "claim.submitted", "correlated_by": "item"}]},
 {"name": "itself", "category": "order", "after": ["note.signed"], "expect": ["note.signed"], "correlated_by": "encounter", "within": "1 hour"}]}');

-- The loops of an expectation at a moment, events told by their value.
CREATE FUNCTION pg_temp.loops(expectation text, at timestamptz)
RETURNS TABLE (patient text, opener text, due_at timestamptz, status text, answer text, settled_at timestamptz, overdue_by interval)
LANGUAGE sql AS $$
	SELECT l.patient_id, o.value, l.due_at, l.status, c.value, coalesce(l.closed_at, l.cancelled_at), l.overdue_by
	FROM workflow_track.care_loop_at(at) AS l JOIN workflow_track.event AS o ON o.event_id = l.opened_event_id
		LEFT JOIN workflow_track.event AS c ON c.event_id = l.closed_event_id
	WHERE l.expectation = loops.expectation ORDER BY l.patient_id, l.opened_at, o.value
$$;

--
-- The five statuses, to the microsecond
--
COPY event (patient_id, subject, value, occurred_at, source_sequence, kind) FROM stdin;
never	A	o	2024-01-10 08:00	0	order.placed
in time	A	o	2024-01-10 08:00	0	order.placed
in time	A	c	2024-01-10 09:00	0	result.final
late	A	o	2024-01-10 08:00	0	order.placed
late	A	c	2024-01-10 09:00:00.000001	0	result.final
cancelled	A	o	2024-01-10 08:00	0	order.placed
cancelled	A	x	2024-01-10 08:30	0	order.cancelled
cancelled late	A	o	2024-01-10 08:00	0	order.placed
cancelled late	A	x	2024-01-10 09:30	0	order.cancelled
closed, cancelled	A	o	2024-01-10 08:00	0	order.placed
closed, cancelled	A	c	2024-01-10 08:30	0	result.final
closed, cancelled	A	x	2024-01-10 08:31	0	order.cancelled
tie, cancelled	A	o	2024-01-10 08:00	0	order.placed
tie, cancelled	A	c	2024-01-10 08:30	0	result.final
tie, cancelled	A	x	2024-01-10 08:30	0	order.cancelled
tie, closed	A	o	2024-01-10 08:00	0	order.placed
tie, closed	A	c	2024-01-10 08:30	1	result.final
tie, closed	A	x	2024-01-10 08:30	2	order.cancelled
at once	A	c	2024-01-10 08:00	1	result.final
at once	A	o	2024-01-10 08:00	2	order.placed
before	A	c	2024-01-10 07:59:59.999999	0	result.final
before	A	x	2024-01-10 07:59:59.999999	0	order.cancelled
before	A	o	2024-01-10 08:00	0	order.placed
two answers	A	o	2024-01-10 08:00	0	order.placed
two answers	A	c2	2024-01-10 08:20	0	result.final
two answers	A	c1	2024-01-10 08:10	0	result.final
two openers	A	o1	2024-01-10 08:00	0	order.placed
two openers	A	o2	2024-01-10 08:10	0	order.placed
two openers	A	c	2024-01-10 08:20	0	result.final
two openers	A	o3	2024-01-10 08:30	0	order.placed
\.
SELECT * FROM pg_temp.loops('subject', '2024-01-10 07:59:59.999999');
SELECT * FROM pg_temp.loops('subject', '2024-01-10 08:00') WHERE patient = 'never';
SELECT * FROM pg_temp.loops('subject', '2024-01-10 08:59:59.999999') WHERE patient IN ('never', 'in time', 'late');
SELECT * FROM pg_temp.loops('subject', '2024-01-10 09:00') WHERE patient IN ('never', 'in time', 'late');
SELECT * FROM pg_temp.loops('subject', '2024-01-10 09:00:00.000001') WHERE patient IN ('never', 'in time', 'late');
SELECT * FROM pg_temp.loops('subject', '2024-01-10 09:29:59.999999') WHERE patient LIKE 'cancelled%';
SELECT * FROM pg_temp.loops('subject', '2024-01-12');

--
-- Early answers
--
COPY event (patient_id, subject, item, value, occurred_at, kind, severity) FROM stdin;
inside	A	\N	c	2024-01-10 07:58	alert.acknowledged	\N
inside	A	\N	o	2024-01-10 08:00	alert.fired	critical
outside	A	\N	c	2024-01-10 07:57:59.999999	alert.acknowledged	\N
outside	A	\N	o	2024-01-10 08:00	alert.fired	critical
asked before	A	\N	q	2024-01-10 07:50	alert.fired	normal
asked before	A	\N	c	2024-01-10 07:59	alert.acknowledged	\N
asked before	A	\N	o	2024-01-10 08:00	alert.fired	critical
asked long before	A	\N	q	2024-01-01 07:50	alert.fired	normal
asked long before	A	\N	c	2024-01-10 07:59	alert.acknowledged	\N
asked long before	A	\N	o	2024-01-10 08:00	alert.fired	critical
asked long before	A	\N	-	2024-01-10 08:01	screen.used	\N
open long	A	\N	o	2024-01-01 08:00	alert.fired	critical
open long	A	\N	c	2024-01-10 08:00	alert.acknowledged	\N
asked at once	A	\N	q	2024-01-10 07:59	alert.overridden	\N
asked at once	A	\N	c	2024-01-10 07:59	alert.acknowledged	\N
asked at once	A	\N	o	2024-01-10 08:00	alert.fired	critical
asked after	A	\N	c	2024-01-10 07:59	alert.acknowledged	\N
asked after	A	\N	q	2024-01-10 07:59:00.000001	alert.fired	normal
asked after	A	\N	o	2024-01-10 08:00	alert.fired	critical
asked of another	A	i	q	2024-01-10 07:50	alert.fired	critical
asked of another	A	j	c	2024-01-10 07:59	alert.acknowledged	\N
asked of another	A	j	o	2024-01-10 08:00	alert.fired	critical
asked of all	A	\N	q	2024-01-10 07:50	alert.fired	normal
asked of all	A	j	c	2024-01-10 07:59	alert.acknowledged	\N
asked of all	A	j	o	2024-01-10 08:00	alert.fired	critical
the first	A	\N	c1	2024-01-10 07:58	alert.acknowledged	\N
the first	A	\N	c2	2024-01-10 07:59	alert.acknowledged	\N
the first	A	\N	o	2024-01-10 08:00	alert.fired	critical
the first	A	\N	c3	2024-01-10 08:01	alert.acknowledged	\N
\.
SELECT patient, opener, status, answer, settled_at FROM pg_temp.loops('early', '2024-01-12');
-- an early answer counts once the loop is open, and the loop is not open before
SELECT patient, opener, status, answer FROM pg_temp.loops('early', '2024-01-10 07:59:30') WHERE patient = 'inside';
SELECT patient, opener, status, answer FROM pg_temp.loops('early', '2024-01-10 08:00') WHERE patient = 'inside';

--
-- Times that are not exactly known end when they may end at the latest
--
COPY event (patient_id, subject, value, time_precision, occurred_at, kind) FROM stdin;
second	A	o	second	2024-03-10 15:30:30	order.placed
second	A	c	second	2024-03-10 15:30:29.999999	result.final
minute	A	o	second	2024-03-10 15:30:30	order.placed
minute	A	c	minute	2024-03-10 15:29:30.000001	result.final
minute, too early	A	o	second	2024-03-10 15:30:30	order.placed
minute, too early	A	c	minute	2024-03-10 15:29:30	result.final
hour	A	o	second	2024-03-10 15:59:59.999999	order.placed
hour	A	c	hour	2024-03-10 15:00	result.final
hour, too early	A	o	second	2024-03-10 16:00	order.placed
hour, too early	A	c	hour	2024-03-10 15:00	result.final
day	A	o	second	2024-03-10 23:59:59.999999	order.placed
day	A	c	day	2024-03-10	result.final
day, too early	A	o	second	2024-03-11	order.placed
day, too early	A	c	day	2024-03-10	result.final
month	A	o	second	2024-03-31 23:59:59.999999	order.placed
month	A	c	month	2024-03-01	result.final
month, too early	A	o	second	2024-04-01	order.placed
month, too early	A	c	month	2024-03-01	result.final
month of 31 days	A	o	second	2024-02-28 23:59:59.999999	order.placed
month of 31 days	A	c	month	2024-01-31	result.final
month of 31 days	B	too early	second	2024-02-29	order.placed
month of 31 days	B	c	month	2024-01-31	result.final
year	A	o	second	2024-12-31 23:59:59.999999	order.placed
year	A	c	year	2024-01-01	result.final
year, too early	A	o	second	2025-01-01	order.placed
year, too early	A	c	year	2024-01-01	result.final
cancels	A	o	second	2024-03-10 15:30	order.placed
cancels	A	x	day	2024-03-10	order.cancelled
opener's own	A	o	day	2024-03-10	order.placed
opener's own	A	c	second	2024-03-09 23:59:59.999999	result.final
\.
SELECT patient, opener, status, answer, settled_at FROM pg_temp.loops('subject', '2025-02-01')
WHERE due_at > '2024-02-20' ORDER BY patient, opener;
-- an early answer's distance is from its end
COPY event (patient_id, subject, value, time_precision, occurred_at, kind, severity) FROM stdin;
early, precise	A	c	minute	2024-03-10 07:57:00.000001	alert.acknowledged	\N
early, precise	A	o	second	2024-03-10 08:00	alert.fired	critical
early, too early	A	c	minute	2024-03-10 07:57	alert.acknowledged	\N
early, too early	A	o	second	2024-03-10 08:00	alert.fired	critical
early, asked	A	c	minute	2024-03-10 07:57:30	alert.acknowledged	\N
early, asked	A	q	second	2024-03-10 07:58:00	alert.fired	normal
early, asked	A	o	second	2024-03-10 08:00	alert.fired	critical
\.
SELECT patient, opener, status, answer FROM pg_temp.loops('early', '2024-04-01') WHERE due_at > '2024-03-01';

--
-- What is planned is due when it was to happen, unless that was before it was planned
--
COPY event (patient_id, subject, value, occurred_at, planned_at, kind) FROM stdin;
later	A	o	2024-01-10 08:00	2024-01-20 08:00	appointment.booked
before	A	o	2024-01-10 08:00	2024-01-09 08:00	appointment.booked
unplanned	A	o	2024-01-10 08:00	\N	appointment.booked
\.
SELECT patient, due_at, status FROM pg_temp.loops('planned', '2024-01-20 08:29:59');

--
-- Cancellers, each with the rule's correlation or its own
--
COPY event (patient_id, subject, item, encounter_id, value, occurred_at, kind) FROM stdin;
by subject	A	\N	V1	o1	2024-01-10 08:00	claim.submitted
by subject	B	\N	V1	o2	2024-01-10 08:00	claim.submitted
by subject	A	\N	V2	x	2024-01-10 09:00	claim.denied
by patient	A	\N	V1	o1	2024-01-10 08:00	claim.submitted
by patient	B	\N	V1	o2	2024-01-10 08:00	claim.submitted
by patient	\N	\N	\N	x	2024-01-10 09:00	patient.died
by encounter	A	\N	V1	o1	2024-01-10 08:00	claim.submitted
by encounter	B	\N	V2	o2	2024-01-10 08:00	claim.submitted
by encounter	C	\N	\N	o3	2024-01-10 08:00	claim.submitted
by encounter	\N	\N	V1	x	2024-01-10 09:00	encounter.cancelled
by encounter	\N	\N	\N	x	2024-01-10 09:00	encounter.cancelled
by item	A	i	\N	o1	2024-01-10 08:00	claim.submitted
by item	A	j	\N	o2	2024-01-10 08:01	claim.submitted
by item	A	i	\N	o3	2024-01-10 08:02	claim.submitted
closes, not cancels	A	\N	\N	o	2024-01-10 08:00	claim.submitted
closes, not cancels	A	\N	\N	c	2024-01-10 09:00	task.completed
the first of two	A	\N	\N	o	2024-01-10 08:00	claim.submitted
the first of two	A	\N	\N	x1	2024-01-10 09:30	claim.denied
the first of two	\N	\N	\N	x2	2024-01-10 09:00	patient.died
\.
SELECT patient, opener, status, answer, settled_at, overdue_by FROM pg_temp.loops('cancelled', '2024-01-12');

-- An event closes no loop of its own, but that of the one before it.
COPY event (patient_id, encounter_id, value, occurred_at, kind) FROM stdin;
itself	V	o1	2024-01-10 08:00	note.signed
itself	V	o2	2024-01-10 08:30	note.signed
itself	V	o3	2024-01-10 09:45	note.signed
\.
SELECT opener, status, answer, overdue_by FROM pg_temp.loops('itself', '2024-01-10 12:00');
-- Of two at one instant, each follows the other.
COPY event (patient_id, encounter_id, value, occurred_at, kind) FROM stdin;
itself, twice	V	o	2024-01-10 08:00	note.signed
itself, twice	V	o	2024-01-10 08:00	note.signed
\.
SELECT opener, status, answer FROM pg_temp.loops('itself', '2024-01-10 12:00') WHERE patient = 'itself, twice';

--
-- The same, an event a transaction: in the order in which they were recorded here, and backwards
--
\getenv source PG_ABS_SRCDIR
\set again :source '/test/again.sql'
SET search_path = public;
\set ECHO none
\i :again
\set ECHO all
CALL workflow_track.catch_up();
CALL record_again('event_id');
CALL record_again('event_id DESC');
SELECT count(*) AS found FROM finding;
SELECT * FROM found_otherwise('event_id');
SELECT * FROM found_otherwise('event_id DESC');
