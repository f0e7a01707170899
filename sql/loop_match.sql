CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');

-- An expectation for each correlation, and one that asks for roles.
SELECT define_workflow('{"workflow": "loops", "version": 1, "state": "current", "expectations": [
 {"name": "subject", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "1 hour"},
 {"name": "item", "category": "acknowledgement", "after": ["result.preliminary"], "expect": ["result.viewed"], "correlated_by": "item",
  "within": "1 hour", "cancelled_by": ["result.cancelled"]},
 {"name": "encounter", "category": "order", "after": ["encounter.admitted"], "expect": ["assessment.documented"], "correlated_by": "encounter", "within": "1 day"},
 {"name": "patient", "category": "follow_up", "after": ["encounter.discharged"], "expect": ["followup.completed"], "correlated_by": "patient", "within": "7 days"},
 {"name": "roles", "category": "referral", "after": ["referral.sent"], "expect": ["referral.accepted"], "by": ["provider", "clerk"],
  "correlated_by": "subject", "within": "3 days", "cancelled_by": ["referral.accepted"]}]}');

-- The loops of an expectation some days later, events told by their value.
CREATE FUNCTION pg_temp.loops(expectation text) RETURNS TABLE (patient text, opener text, status text, answer text)
LANGUAGE sql AS $$
	SELECT l.patient_id, o.value, l.status, c.value
	FROM workflow_track.care_loop_at('2024-01-20') AS l JOIN workflow_track.event AS o ON o.event_id = l.opened_event_id
		LEFT JOIN workflow_track.event AS c ON c.event_id = l.closed_event_id
	WHERE l.expectation = loops.expectation ORDER BY l.patient_id, l.opened_at, o.value
$$;

-- By subject: null is none, numbers that are aliases are one, within a patient
COPY event (patient_id, subject, value, occurred_at, kind) FROM stdin;
null	\N	o	2024-01-10 08:00	order.placed
null	\N	c	2024-01-10 08:10	result.final
other subject	A	o	2024-01-10 08:00	order.placed
other subject	a	c	2024-01-10 08:10	result.final
alias	A	o	2024-01-10 08:00	order.placed
alias	C	c	2024-01-10 08:10	result.final
other patient	A	o	2024-01-10 08:00	order.placed
other patient	C	c	2024-01-10 08:10	result.final
\.
SELECT * FROM pg_temp.loops('subject');
INSERT INTO subject_alias VALUES ('alias', 'A', 'B'), ('alias', 'C', 'B');
SELECT * FROM pg_temp.loops('subject');
DELETE FROM subject_alias WHERE alias = 'C';
SELECT * FROM pg_temp.loops('subject') WHERE patient = 'alias';

-- By item: item and code each equal, or null on either side
COPY event (patient_id, subject, item, code, value, occurred_at, kind) FROM stdin;
i and k	A	i	local:X|k	o	2024-01-10 08:00	result.preliminary
i and k	A	j	local:X|k	other item	2024-01-10 08:01	result.viewed
i and k	A	i	local:X|l	other code	2024-01-10 08:02	result.viewed
i and k	A	j	\N	other item, no code	2024-01-10 08:03	result.viewed
i and k	A	\N	local:X|l	no item, other code	2024-01-10 08:04	result.viewed
i and k	B	i	local:X|k	other subject	2024-01-10 08:05	result.viewed
i and k	A	i	local:X|k	same	2024-01-10 08:06	result.viewed
no item	A	\N	local:X|k	o	2024-01-10 08:00	result.preliminary
no item	A	j	local:X|l	other code	2024-01-10 08:01	result.viewed
no item	A	j	local:X|k	any item	2024-01-10 08:02	result.viewed
no code	A	i	\N	o	2024-01-10 08:00	result.preliminary
no code	A	j	local:X|k	other item	2024-01-10 08:01	result.viewed
no code	A	i	local:X|k	any code	2024-01-10 08:02	result.viewed
all of it	A	i	local:X|k	o1	2024-01-10 08:00	result.preliminary
all of it	A	j	local:X|l	o2	2024-01-10 08:00	result.preliminary
all of it	A	\N	\N	for both	2024-01-10 08:01	result.viewed
cancels	A	i	local:X|k	o1	2024-01-10 08:00	result.preliminary
cancels	A	j	local:X|k	o2	2024-01-10 08:00	result.preliminary
cancels	A	j	\N	x	2024-01-10 08:01	result.cancelled
\.
SELECT * FROM pg_temp.loops('item');

-- By encounter, which encounter.merged joins, whenever it comes
COPY event (patient_id, encounter_id, subject, value, occurred_at, kind) FROM stdin;
null	\N	\N	o	2024-01-10 08:00	encounter.admitted
other	V1	\N	o	2024-01-10 08:00	encounter.admitted
other	V2	\N	c	2024-01-10 08:01	assessment.documented
another's	V1	\N	c	2024-01-10 08:01	assessment.documented
merged	V1	\N	o	2024-01-10 08:00	encounter.admitted
merged	V3	\N	c	2024-01-10 08:01	assessment.documented
merged	V2	V1	m1	2024-03-01	encounter.merged
\.
SELECT * FROM pg_temp.loops('encounter');
SELECT record_event('encounter.merged', 'merged', 'EHR', '2024-03-02', encounter_id => 'V3', subject => 'V2', value => 'm2') AS merge \gset
SELECT * FROM pg_temp.loops('encounter') WHERE patient = 'merged';
SELECT retract_event(:merge, 'in error');
SELECT * FROM pg_temp.loops('encounter') WHERE patient = 'merged';

-- By patient, whom patient.merged joins, symmetric and transitive; rows show each event's own
COPY event (patient_id, encounter_id, value, occurred_at, kind) FROM stdin;
one	V1	o	2024-01-10 08:00	encounter.discharged
two	\N	c	2024-01-11 08:00	followup.completed
three	V3	o	2024-01-10 09:00	encounter.discharged
\.
SELECT * FROM pg_temp.loops('patient');
SELECT record_event('patient.merged', 'one', 'EHR', '2024-03-01', subject => 'link') > 0 AS recorded,
	record_event('patient.merged', 'two', 'EHR', '2024-03-01', subject => 'link') AS merge,
	record_event('patient.merged', 'two', 'EHR', '2024-03-01', subject => 'three') > 0 AS recorded \gset
SELECT * FROM pg_temp.loops('patient');
SELECT retract_event(:merge, 'in error');
SELECT * FROM pg_temp.loops('patient');
-- A merge without a losing id, or with itself, joins nothing
INSERT INTO event (patient_id, subject, occurred_at, kind) VALUES ('one', NULL, '2024-03-01', 'patient.merged'), ('one', '', '2024-03-01', 'patient.merged'), ('one', 'one', '2024-03-01', 'patient.merged');
SELECT * FROM pg_temp.loops('patient') WHERE patient = 'one';

-- By role: a stated one wins, a null one is looked up in staff.  Whoever has none of the roles cancels here.
INSERT INTO staff (actor, role, facility, system, active_during) VALUES
	('dr.a', 'provider', NULL, NULL, NULL),
	('dr.b', 'assistant', NULL, NULL, NULL), ('dr.b', 'provider', 'NORTH', NULL, NULL),
	('dr.c', 'assistant', NULL, NULL, NULL), ('dr.c', 'provider', NULL, 'EHR', NULL),
	('dr.d', 'assistant', 'NORTH', NULL, NULL), ('dr.d', 'provider', 'SOUTH', 'EHR', NULL),
	('dr.e', 'clerk', NULL, NULL, NULL), ('dr.e', 'assistant', NULL, NULL, NULL),
	('dr.f', 'provider', NULL, NULL, '[2024-01-10 08:10, 2024-01-10 08:20)'),
	('dr.g', NULL, NULL, NULL, NULL), ('dr.g', 'provider', NULL, NULL, NULL),
	('dr.h', 'provider', NULL, NULL, 'empty');
INSERT INTO event (patient_id, subject, value, occurred_at, kind)
SELECT to_char(n, 'FM00'), 'A', 'o', '2024-01-10 08:00'::timestamptz, 'referral.sent' FROM generate_series(1, 16) AS n;
COPY event (patient_id, subject, value, facility, source_system, actor, actor_role, occurred_at, kind) FROM stdin;
01	A	not the stated role	NORTH	EHR	dr.a	assistant	2024-01-10 08:10	referral.accepted
02	A	the stated role	NORTH	EHR	somebody	clerk	2024-01-10 08:10	referral.accepted
03	A	looked up	NORTH	EHR	dr.a	\N	2024-01-10 08:10	referral.accepted
04	A	in no row of staff	NORTH	EHR	somebody	\N	2024-01-10 08:10	referral.accepted
05	A	nobody	NORTH	EHR	\N	\N	2024-01-10 08:10	referral.accepted
06	A	the facility's row	NORTH	EHR	dr.b	\N	2024-01-10 08:10	referral.accepted
07	A	not the facility's row	SOUTH	EHR	dr.b	\N	2024-01-10 08:10	referral.accepted
08	A	the system's row	NORTH	EHR	dr.c	\N	2024-01-10 08:10	referral.accepted
09	A	not the system's row	NORTH	LIS	dr.c	\N	2024-01-10 08:10	referral.accepted
10	A	the facility before the system	NORTH	EHR	dr.d	\N	2024-01-10 08:10	referral.accepted
11	A	the first by name	NORTH	EHR	dr.e	\N	2024-01-10 08:10	referral.accepted
12	A	active from then	NORTH	EHR	dr.f	\N	2024-01-10 08:10	referral.accepted
13	A	not yet active	NORTH	EHR	dr.f	\N	2024-01-10 08:09:59.999999	referral.accepted
14	A	no longer active	NORTH	EHR	dr.f	\N	2024-01-10 08:20	referral.accepted
15	A	rows without a role are passed over	NORTH	EHR	dr.g	\N	2024-01-10 08:10	referral.accepted
16	A	never active	NORTH	EHR	dr.h	\N	2024-01-10 08:10	referral.accepted
\.
SELECT l.patient, l.status, e.value FROM pg_temp.loops('roles') AS l JOIN event AS e ON e.patient_id = l.patient AND e.kind = 'referral.accepted' ORDER BY l.patient;
SELECT patient_id, closed_by, closed_by_role FROM care_loop WHERE expectation = 'roles' AND status <> 'cancelled' ORDER BY 1;

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
