CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

SELECT define_workflow('{"workflow": "lab", "version": 1, "state": "current", "steps": [
 {"step": "order", "kind": "order.placed", "performed_by": ["provider"]},
 {"step": "result", "kind": "result.final", "in": ["LIS"], "performed_by": ["tech"], "delivered_to": ["provider", "covering_provider"]}]}');
INSERT INTO staff (actor, role, facility, is_shared_inbox, active_during) VALUES
	('dr.a', 'provider', NULL, false, NULL),
	('dr.cover', 'covering_provider', NULL, false, NULL),
	('dr.north', 'provider', 'NORTH', false, NULL), ('dr.north', 'nurse', 'SOUTH', false, NULL),
	('n.s', 'nurse', NULL, false, NULL),
	('dr.gone', 'provider', NULL, false, '(,2024-01-10 08:00)'), ('dr.gone', 'nurse', NULL, true, '(,2024-01-01)'),
	('dr.new', 'provider', NULL, false, '(2024-01-10 08:00,)'),
	('inbox', 'provider', NULL, true, NULL),
	('dr.both', 'provider', NULL, false, NULL), ('dr.both', 'provider', 'NORTH', true, NULL),
	('dr.was inbox', 'provider', NULL, false, NULL), ('dr.was inbox', 'provider', NULL, true, '(,2024-01-01)'),
	('no role', NULL, NULL, false, NULL);

-- Which of the five reasons holds first.
CREATE VIEW pg_temp.misrouted AS SELECT subject, recipient, recipient_role AS role, reason, claimed_by, claimed_at FROM misrouted_result ORDER BY subject;
COPY event (patient_id, facility, subject, occurred_at, kind, recipient, recipient_role) FROM stdin;
P1	NORTH	a1 right	2024-01-10 08:00	result.final	dr.a	\N
P1	NORTH	a2 right, the other role	2024-01-10 08:00	result.final	dr.cover	\N
P1	NORTH	a3 right here	2024-01-10 08:00	result.final	dr.north	\N
P1	NORTH	a4 right by the stated role	2024-01-10 08:00	result.final	n.s	provider
P1	NORTH	a5 no inbox any more	2024-01-10 08:00	result.final	dr.was inbox	\N
P1	NORTH	a6 not delivered by a step	2024-01-10 08:00	order.placed	\N	\N
P1	NORTH	b1 nobody	2024-01-10 08:00	result.final	\N	\N
P1	NORTH	b2 nobody of a role	2024-01-10 08:00	result.final	\N	provider
P1	NORTH	c1 unknown	2024-01-10 08:00	result.final	dr.who	\N
P1	NORTH	c2 unknown, role stated	2024-01-10 08:00	result.final	dr.who	provider
P1	NORTH	c3 unknown as nothing	2024-01-10 08:00	result.final		\N
P1	NORTH	d1 gone	2024-01-10 08:00	result.final	dr.gone	\N
P1	NORTH	d2 gone, role stated	2024-01-10 08:00	result.final	dr.gone	provider
P1	NORTH	d3 active until then	2024-01-10 07:59:59.999999	result.final	dr.gone	\N
P1	NORTH	d4 not yet	2024-01-10 08:00	result.final	dr.new	\N
P1	NORTH	d5 active from then	2024-01-10 08:00:00.000001	result.final	dr.new	\N
P1	NORTH	e1 inbox	2024-01-10 08:00	result.final	inbox	\N
P1	NORTH	e2 inbox before role	2024-01-10 08:00	result.final	inbox	clerk
P1	SOUTH	e3 any row is an inbox	2024-01-10 08:00	result.final	dr.both	\N
P1	NORTH	f1 wrong role	2024-01-10 08:00	result.final	n.s	\N
P1	SOUTH	f2 wrong role here	2024-01-10 08:00	result.final	dr.north	\N
P1	NORTH	f3 wrong stated role	2024-01-10 08:00	result.final	dr.a	nurse
P1	NORTH	f4 no role	2024-01-10 08:00	result.final	no role	\N
\.
SELECT * FROM misrouted;

-- Every column.
\x
SELECT record_event('result.final', 'P2', 'RIS', '2024-01-11 08:00', facility => 'NORTH', encounter_id => 'V2', subject => 'S', item => 'I', code => 'loinc|2823-3',
	severity => 'critical', actor => 'nobody of the lab', recipient => 'n.s', message_id => 7) AS event_id \gset
SELECT *, event_id = :event_id AS right_event FROM misrouted_result WHERE patient_id = 'P2';
\x

--
-- Who claimed it: the first later event of the subject by an active person in an expected role
--
COPY event (patient_id, subject, occurred_at, source_sequence, kind, actor, actor_role) FROM stdin;
P3	1 nobody	2024-01-10 08:00	1	result.final	\N	\N
P3	2 first of two	2024-01-10 08:00	1	result.final	\N	\N
P3	2 first of two	2024-01-10 09:00	1	result.viewed	dr.a	\N
P3	2 first of two	2024-01-10 08:30	1	order.placed	dr.cover	\N
P3	3 at once, later	2024-01-10 08:00	1	result.final	\N	\N
P3	3 at once, later	2024-01-10 08:00	2	result.viewed	dr.a	\N
P3	4 at once, earlier	2024-01-10 08:00	1	result.final	\N	\N
P3	4 at once, earlier	2024-01-10 08:00	0	result.viewed	dr.a	\N
P3	5 earlier	2024-01-10 08:00	1	result.final	\N	\N
P3	5 earlier	2024-01-10 07:59	1	result.viewed	dr.a	\N
P3	6 wrong role	2024-01-10 08:00	1	result.final	\N	\N
P3	6 wrong role	2024-01-10 08:01	1	result.viewed	n.s	\N
P3	6 wrong role	2024-01-10 08:02	1	result.viewed	dr.a	nurse
P3	7 stated role	2024-01-10 08:00	1	result.final	\N	\N
P3	7 stated role	2024-01-10 08:01	1	result.viewed	n.s	provider
P3	8 not active	2024-01-10 08:00	1	result.final	\N	\N
P3	8 not active	2024-01-10 08:01	1	result.viewed	dr.gone	\N
P3	8 not active	2024-01-10 08:02	1	result.viewed	dr.who	provider
P3	8 not active	2024-01-10 08:03	1	result.viewed	inbox	\N
P3	9 other number	2024-01-10 08:00	1	result.final	\N	\N
P3	9 alias	2024-01-10 08:01	1	result.viewed	dr.a	\N
P3	\N	2024-01-10 08:00	1	result.final	\N	\N
P3	\N	2024-01-10 08:01	1	result.viewed	dr.a	\N
P4	1 nobody	2024-01-10 08:01	1	result.viewed	dr.a	\N
\.
CREATE VIEW pg_temp.claims AS SELECT subject, claimed_by, claimed_at FROM misrouted_result WHERE patient_id = 'P3' ORDER BY subject;
SELECT * FROM claims;
INSERT INTO subject_alias VALUES ('P3', '9 alias', '9 other number');
SELECT record_event('patient.merged', 'P3', 'EHR', '2024-02-01', subject => 'P4') AS merge \gset
SELECT * FROM claims WHERE subject < '2' OR subject > '9';
SELECT retract_event(:merge, 'in error');
SELECT * FROM claims WHERE subject < '2';
-- an event that is misrouted itself may claim another
SELECT record_event('result.final', 'P3', 'LIS', '2024-01-10 10:00', subject => '1 nobody', actor => 'dr.a') AS second \gset
SELECT event_id = :second AS second, subject, reason, claimed_by, claimed_at FROM misrouted_result WHERE subject = '1 nobody' ORDER BY event_id;
SELECT retract_event(:second, 'in error');
SELECT subject, reason, claimed_by FROM misrouted_result WHERE subject = '1 nobody';

--
-- Two steps of one kind give two rows, of one map or two
--
SELECT define_workflow('{"workflow": "nursing", "version": 1, "state": "current", "steps": [
 {"step": "told", "kind": "result.final", "delivered_to": ["nurse"]},
 {"step": "charged", "kind": "result.final", "delivered_to": ["charge_nurse", "nurse", "provider"]}]}');
SELECT count(*) FROM misrouted_result WHERE workflow = 'nursing';
CALL catch_up();
SELECT subject, workflow, step, expected_roles, reason FROM misrouted_result WHERE subject IN ('a1 right', 'b1 nobody', 'f1 wrong role', 'f4 no role') ORDER BY subject, workflow, step;
-- staff and maps that change
UPDATE staff SET role = 'provider' WHERE actor = 'n.s';
DELETE FROM staff WHERE actor = 'dr.a';
SELECT set_workflow_state('nursing', 1, 'retired');
CALL catch_up();
SELECT subject, workflow, step, reason FROM misrouted_result WHERE subject IN ('a1 right', 'b1 nobody', 'f1 wrong role', 'f4 no role') ORDER BY subject, workflow, step;

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
