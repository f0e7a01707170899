CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');

-- The handoffs of a patient, events told by their value.
CREATE FUNCTION pg_temp.handoffs(patient text) RETURNS TABLE (basis text, "from" text, "to" text, latency interval, encounter text, subject text)
LANGUAGE sql AS $$
	SELECT h.basis, f.value, t.value, h.latency, h.encounter_id, h.subject
	FROM workflow_track.handoff AS h JOIN workflow_track.event AS f ON f.event_id = h.from_event_id JOIN workflow_track.event AS t ON t.event_id = h.to_event_id
	WHERE h.patient_id = patient ORDER BY h.basis, h.taken_at, h.released_at, f.value, t.value
$$;

--
-- Thread: neighbours in an encounter about a subject, whose parties differ
--
INSERT INTO staff (actor, role) VALUES ('dr.a', 'provider'), ('n.s', 'nurse');
COPY event (patient_id, encounter_id, subject, value, occurred_at, kind, actor, actor_role, source_system) FROM stdin;
thread	V	A	a1	2024-01-10 08:00	order.placed	dr.a	\N	EHR
thread	V	A	a2	2024-01-10 08:05	order.accepted	dr.a	\N	EHR
thread	V	A	a3	2024-01-10 08:10	specimen.collected	n.s	\N	EHR
thread	V	B	b1	2024-01-10 08:15	order.placed	dr.a	\N	EHR
thread	V	A	a4	2024-01-10 08:20	result.final	n.s	\N	LIS
thread	V	A	a5	2024-01-10 08:20	result.released	\N	\N	LIS
thread	V	A	a6	2024-01-10 08:30	result.viewed	n.s	charge_nurse	LIS
thread	W	A	a7	2024-01-10 08:40	result.viewed	dr.a	\N	EHR
thread	V	\N	v1	2024-01-10 08:45	note.signed	n.s	\N	EHR
thread	\N	A	a8	2024-01-10 08:50	result.viewed	dr.a	\N	EHR
\.
SELECT * FROM pg_temp.handoffs('thread');

-- A party is actor, role and system; null equals null.
COPY event (patient_id, encounter_id, subject, value, occurred_at, kind, actor, actor_role, source_system) FROM stdin;
nulls	V	A	none	2024-01-10 08:00	order.placed	\N	\N	\N
nulls	V	A	none again	2024-01-10 08:01	order.accepted	\N	\N	\N
nulls	V	A	system	2024-01-10 08:02	order.accepted	\N	\N	LIS
nulls	V	A	system again	2024-01-10 08:03	order.accepted	\N	\N	LIS
nulls	V	A	role	2024-01-10 08:04	order.accepted	\N	tech	LIS
nulls	V	A	actor	2024-01-10 08:05	order.accepted	lab	tech	LIS
nulls	V	A	role looked up	2024-01-10 08:06	order.accepted	n.s	\N	LIS
nulls	V	A	role stated	2024-01-10 08:07	order.accepted	n.s	nurse	LIS
\.
SELECT * FROM pg_temp.handoffs('nulls') WHERE basis = 'thread';

-- Neighbours are such in canonical order, whatever order they come in.
COPY event (patient_id, encounter_id, subject, value, occurred_at, source_sequence, kind, actor) FROM stdin;
order	V	A	3	2024-01-10 08:00	2	order.accepted	c
order	V	A	4	2024-01-10 08:00	2	order.modified	d
order	V	A	2	2024-01-10 08:00	1	result.final	b
order	V	A	1	2024-01-10 07:00	9	result.viewed	a
\.
SELECT * FROM pg_temp.handoffs('order') WHERE basis = 'thread';

--
-- Explicit: an offer, and the first acceptance of the same subject that follows it
--
COPY event (patient_id, encounter_id, subject, value, occurred_at, time_precision, kind, actor, actor_role) FROM stdin;
explicit	V	A	accepted	2024-01-10 07:59	second	handoff.accepted	n.s	\N
explicit	V	A	offer	2024-01-10 08:00	second	handoff.offered	dr.a	\N
explicit	W	A	first	2024-01-10 08:10	second	handoff.accepted	n.s	\N
explicit	V	A	second	2024-01-10 08:20	second	handoff.accepted	dr.b	specialist
explicit	V	A	rejection	2024-01-10 08:25	second	handoff.rejected	dr.b	specialist
explicit	V	A	offer 2	2024-01-10 08:30	second	handoff.offered	dr.a	\N
explicit	V	B	offer 3	2024-01-10 08:40	second	handoff.offered	dr.a	\N
explicit	\N	B	none	2024-01-10 08:50	second	handoff.accepted	\N	\N
explicit	\N	\N	about nothing	2024-01-10 08:50	second	handoff.offered	dr.a	\N
explicit	\N	\N	about nothing	2024-01-10 08:51	second	handoff.accepted	n.s	\N
explicit	V	C	offer to oneself	2024-01-10 08:00	second	handoff.offered	dr.a	\N
explicit	V	C	oneself	2024-01-10 08:01	second	handoff.accepted	dr.a	\N
explicit	V	D	offer 4	2024-01-10 08:00	second	handoff.offered	dr.a	\N
explicit	V	D	that minute	2024-01-10 08:00	second	handoff.accepted	n.s	\N
explicit	V	E	offer 5	2024-01-10 15:00	second	handoff.offered	dr.a	\N
explicit	V	E	that day	2024-01-10 00:00	day	handoff.accepted	n.s	\N
explicit	V	F	offer 6	2024-01-10 15:00	second	handoff.offered	dr.a	\N
explicit	V	G	by its other number	2024-01-10 15:30	second	handoff.accepted	n.s	\N
\.
INSERT INTO subject_alias VALUES ('explicit', 'F', 'G');
SELECT * FROM pg_temp.handoffs('explicit');
\x
SELECT * FROM handoff WHERE patient_id = 'explicit' AND latency < '0';
\x

--
-- Implied: neighbours in an encounter, whatever the subject; a merged one is one
--
COPY event (patient_id, facility, encounter_id, subject, value, occurred_at, kind, actor, source_system) FROM stdin;
implied	NORTH	V	A	1	2024-01-10 08:00	order.placed	dr.a	EHR
implied	NORTH	V	B	2	2024-01-10 08:10	order.placed	dr.a	EHR
implied	SOUTH	W	A	3	2024-01-10 08:20	order.accepted	lab	LIS
implied	NORTH	V	A	4	2024-01-10 08:30	result.viewed	n.s	EHR
implied	NORTH	V	\N	5	2024-01-10 08:35	screen.used	dr.a	EHR
implied	NORTH	V	\N	6	2024-01-10 08:40	note.signed	dr.a	EHR
other id	NORTH	V	\N	7	2024-01-10 08:50	note.signed	dr.b	EHR
\.
SELECT * FROM pg_temp.handoffs('implied');
SELECT record_event('encounter.merged', 'implied', 'EHR', '2024-01-11', encounter_id => 'V', subject => 'W') AS visits,
	record_event('patient.merged', 'implied', 'EHR', '2024-01-11', subject => 'other id') AS patients \gset
SELECT * FROM pg_temp.handoffs('implied');
-- a row is of the taking event: facility, patient and encounter
SELECT h.* FROM pg_temp.handoffs('other id') AS h;
SELECT basis, facility, encounter_id, from_actor, to_actor, from_kind, to_kind FROM handoff WHERE patient_id = 'implied' AND facility = 'SOUTH';
SELECT retract_event(:visits, 'in error'), retract_event(:patients, 'in error');
SELECT * FROM pg_temp.handoffs('implied');
SELECT * FROM pg_temp.handoffs('other id');

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
