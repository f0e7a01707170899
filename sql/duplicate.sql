CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');

SELECT define_workflow('{"workflow": "entries", "version": 1, "state": "current", "duplicates": [
 {"name": "typed twice", "kind": "data.entered", "same": ["code", "value"], "different": ["source_system"],
  "when": {"entry_method": "manual"}, "within": "24 hours"},
 {"kind": "order.placed", "same": ["code"], "different": ["actor"], "within": "1 hour"},
 {"name": "sent again", "kind": "order.placed", "same": ["subject", "code"], "within": "1 day"},
 {"kind": "procedure.documented", "same": ["encounter_id", "actor_role"], "within": "1 hour"},
 {"name": "severity", "kind": "vitals.recorded", "same": ["value"], "when": {"severity": ["critical", "unknown"]}, "within": "1 hour"},
 {"name": "facility", "kind": "history.recorded", "same": ["value"], "when": {"facility": ["NORTH", ""]}, "within": "1 hour"},
 {"name": "code", "kind": "diagnosis.documented", "same": ["value"], "when": {"code": "icd10cm|e11"}, "within": "1 hour"},
 {"name": "detail", "kind": "note.signed", "same": ["value"], "when": {"detail": {"type": ["h&p", 2], "signed": true}}, "within": "1 hour"}]}');

-- Which entry repeats which, events told by their subject.
CREATE VIEW pg_temp.found AS
SELECT d.patient_id AS patient, d.rule, o.subject AS original, d.subject AS duplicate, d.gap, d.crosses_systems AS crosses
FROM duplicate_entry AS d JOIN event AS o ON o.event_id = d.original_event_id
ORDER BY d.patient_id, d.rule, d.duplicate_at, d.subject;

--
-- within, same, different and when, to the microsecond
--
COPY event (patient_id, subject, occurred_at, kind, code, value, source_system, entry_method) FROM stdin;
at most within	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
at most within	b	2024-01-11 08:00	data.entered	local:X|wt	80	PMS	manual
more than within	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
more than within	b	2024-01-11 08:00:00.000001	data.entered	local:X|wt	80	PMS	manual
not same	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
not same	b	2024-01-10 08:01	data.entered	local:X|wt	80.0	PMS	manual
not same	c	2024-01-10 08:02	data.entered	local:X|ht	80	PMS	manual
not different	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
not different	b	2024-01-10 08:01	data.entered	local:X|wt	80	EHR	manual
null is same	a	2024-01-10 08:00	data.entered	\N	\N	EHR	manual
null is same	b	2024-01-10 08:01	data.entered	\N	\N	PMS	manual
null is not empty	a	2024-01-10 08:00	data.entered	\N	\N	EHR	manual
null is not empty	b	2024-01-10 08:01	data.entered	\N		PMS	manual
null is different	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
null is different	b	2024-01-10 08:01	data.entered	local:X|wt	80	\N	manual
null is not different	a	2024-01-10 08:00	data.entered	local:X|wt	80	\N	manual
null is not different	b	2024-01-10 08:01	data.entered	local:X|wt	80	\N	manual
not when	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
not when	b	2024-01-10 08:01	data.entered	local:X|wt	80	PMS	interface
not when	c	2024-01-10 08:02	data.entered	local:X|wt	80	LIS	\N
not when	d	2024-01-10 08:03	data.entered	local:X|wt	80	RIS	manual
chain	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
chain	b	2024-01-11 04:00	data.entered	local:X|wt	80	PMS	manual
chain	c	2024-01-12 00:00	data.entered	local:X|wt	80	EHR	manual
the earliest	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
the earliest	b	2024-01-10 08:01	data.entered	local:X|wt	80	PMS	manual
the earliest	c	2024-01-10 08:02	data.entered	local:X|wt	80	LIS	manual
the earliest	d	2024-01-10 08:03	data.entered	local:X|wt	80	EHR	manual
two patients, one	a	2024-01-10 08:00	data.entered	local:X|wt	80	EHR	manual
two patients, two	b	2024-01-10 08:01	data.entered	local:X|wt	80	PMS	manual
\.
SELECT * FROM found;

-- Every column of the view.
\x
SELECT d.*, d.duplicate_event_id = e.event_id AS right_event FROM duplicate_entry AS d, event AS e
WHERE d.patient_id = 'null is different' AND e.patient_id = d.patient_id AND e.subject = 'b';
\x

-- At one instant canonical order decides: the sender's sequence, then subject, then source system.
COPY event (patient_id, subject, occurred_at, source_sequence, kind, code, value, source_system, entry_method) FROM stdin;
sequence	b	2024-01-10 08:00	2	data.entered	local:X|wt	80	A	manual
sequence	a	2024-01-10 08:00	10	data.entered	local:X|wt	80	B	manual
subject	b	2024-01-10 08:00	0	data.entered	local:X|wt	80	A	manual
subject	a	2024-01-10 08:00	0	data.entered	local:X|wt	80	B	manual
subject	\N	2024-01-10 08:00	0	data.entered	local:X|wt	80	C	manual
\.
SELECT * FROM found WHERE patient IN ('sequence', 'subject');

-- Conditions of each sort; a missing value satisfies none but unknown.
COPY event (patient_id, subject, occurred_at, kind, value, severity) FROM stdin;
severity	a	2024-01-10 08:00	vitals.recorded	x	critical
severity	b	2024-01-10 08:01	vitals.recorded	x	abnormal
severity	c	2024-01-10 08:02	vitals.recorded	x	\N
severity	d	2024-01-10 08:03	vitals.recorded	x	normal
\.
COPY event (patient_id, subject, occurred_at, kind, value, facility) FROM stdin;
facility	a	2024-01-10 08:00	history.recorded	x	NORTH
facility	b	2024-01-10 08:01	history.recorded	x	NORTHEAST
facility	c	2024-01-10 08:02	history.recorded	x	
facility	d	2024-01-10 08:03	history.recorded	x	north
\.
COPY event (patient_id, subject, occurred_at, kind, value, code) FROM stdin;
code	a	2024-01-10 08:00	diagnosis.documented	x	icd10cm|E11.9
code	b	2024-01-10 08:01	diagnosis.documented	x	icd10cm|E10.9
code	c	2024-01-10 08:02	diagnosis.documented	x	\N
code	d	2024-01-10 08:03	diagnosis.documented	x	icd10cm|e11
\.
COPY event (patient_id, subject, occurred_at, kind, value, detail) FROM stdin;
detail	a	2024-01-10 08:00	note.signed	x	{"type": "h&p", "signed": true, "more": 1}
detail	b	2024-01-10 08:01	note.signed	x	{"type": 2.0, "signed": true}
detail	c	2024-01-10 08:02	note.signed	x	{"type": "2", "signed": true}
detail	d	2024-01-10 08:03	note.signed	x	{"type": "h&p", "signed": "true"}
detail	e	2024-01-10 08:04	note.signed	x	{"type": ["h&p"], "signed": true}
detail	f	2024-01-10 08:05	note.signed	x	{"type": null, "signed": true}
detail	g	2024-01-10 08:06	note.signed	x	{"signed": true}
detail	h	2024-01-10 08:07	note.signed	x	["type", "signed"]
detail	i	2024-01-10 08:08	note.signed	x	\N
\.
SELECT * FROM found WHERE patient IN ('severity', 'facility', 'code', 'detail');

-- Two rules of one kind give two rows.
COPY event (patient_id, subject, occurred_at, kind, code, actor) FROM stdin;
two rules	a	2024-01-10 08:00	order.placed	local:X|cbc	dr.a
two rules	a	2024-01-10 08:30	order.placed	local:X|cbc	dr.b
two rules	a	2024-01-10 09:30	order.placed	local:X|cbc	dr.b
\.
SELECT * FROM found WHERE patient = 'two rules';

-- Columns are compared as stored: neither a role looked up, nor an alias, nor a merged encounter counts.
INSERT INTO staff (actor, role) VALUES ('dr.a', 'provider');
INSERT INTO subject_alias VALUES ('as stored', 'a', 'b');
COPY event (patient_id, subject, encounter_id, occurred_at, kind, code, actor, actor_role) FROM stdin;
as stored	a	V1	2024-01-10 08:00	procedure.documented	\N	dr.a	\N
as stored	b	V1	2024-01-10 08:01	procedure.documented	\N	dr.a	provider
as stored	c	V2	2024-01-10 08:02	procedure.documented	\N	dr.a	\N
as stored	a	V1	2024-01-10 08:00	order.placed	local:X|cbc	dr.a	\N
as stored	b	V1	2024-01-10 08:01	order.placed	local:X|cbc	dr.a	\N
as stored	V1	V2	2024-01-10 08:02	encounter.merged	\N	\N	\N
\.
SELECT * FROM found WHERE patient = 'as stored';
SELECT record_event('procedure.documented', 'as stored', 'EHR', '2024-01-10 08:03', encounter_id => 'V1', subject => 'd', actor_role => 'provider') IS NOT NULL AS recorded;
SELECT * FROM found WHERE patient = 'as stored';

--
-- What arrives later
--
-- an earlier event becomes the original
COPY event (patient_id, subject, occurred_at, kind, code, value, source_system, entry_method) FROM stdin;
late original	c	2024-01-10 10:00	data.entered	local:X|wt	80	LIS	manual
late original	b	2024-01-10 09:00	data.entered	local:X|wt	80	PMS	manual
\.
SELECT * FROM found WHERE patient = 'late original';
SELECT record_event('data.entered', 'late original', 'EHR', '2024-01-10 08:00', subject => 'a', code => 'local:X|wt', value => '80', entry_method => 'manual') AS original \gset
SELECT * FROM found WHERE patient = 'late original';
-- and is none when it is retracted
SELECT retract_event(:original, 'in error');
SELECT * FROM found WHERE patient = 'late original';
-- a merge makes two patients one, its retraction parts them
SELECT record_event('patient.merged', 'two patients, one', 'EHR', '2024-02-01', subject => 'two patients, two') AS merge \gset
SELECT * FROM found WHERE patient LIKE 'two patients%';
SELECT retract_event(:merge, 'the wrong patient');
SELECT * FROM found WHERE patient LIKE 'two patients%';
-- at any remove
SELECT record_event('patient.merged', 'link', 'EHR', '2024-02-01', subject => 'two patients, two') IS NOT NULL AS recorded,
	record_event('patient.merged', 'two patients, one', 'EHR', '2024-02-02', subject => 'link') IS NOT NULL AS recorded;
SELECT * FROM found WHERE patient LIKE 'two patients%';

--
-- Every column that entries can be compared by
--
INSERT INTO event_kind (kind, category) SELECT format('entry.%s_%s', way, name), 'test'
FROM (VALUES ('same'), ('different')) AS w(way), unnest(map_words('column')) AS name;
SELECT define_workflow(jsonb_build_object('workflow', 'columns', 'version', 1, 'state', 'current', 'duplicates', jsonb_agg(
	jsonb_build_object('kind', format('entry.%s_%s', way, name), 'within', '1 hour', way, jsonb_build_array(name))
	|| CASE way WHEN 'different' THEN jsonb_build_object('same', CASE name WHEN 'code' THEN '["value"]'::jsonb ELSE '["code"]' END) ELSE '{}' END)))
FROM (VALUES ('same'), ('different')) AS w(way), unnest(map_words('column')) AS name;
DO $$
DECLARE
	pair record;
BEGIN
	FOR pair IN SELECT name, way, p.* FROM unnest(map_words('column')) AS name, (VALUES ('same'), ('different')) AS w(way),
		LATERAL (SELECT CASE name WHEN 'planned_at' THEN '2024-01-10 09:00' WHEN 'code' THEN 'local:X|a' WHEN 'severity' THEN 'normal' WHEN 'entry_method' THEN 'manual' ELSE 'a' END,
			CASE name WHEN 'planned_at' THEN '2024-01-10 09:01' WHEN 'code' THEN 'local:X|b' WHEN 'severity' THEN 'critical' WHEN 'entry_method' THEN 'interface' ELSE 'b' END) AS v(one, other),
		LATERAL (VALUES ('equal', one, one), ('unequal', one, other), ('null and a value', NULL, one), ('nulls', NULL, NULL)) AS p(pair, first, second)
		WHERE name <> 'occurred_at' AND NOT (name = 'facility' AND first IS NULL)
	LOOP
		EXECUTE format('INSERT INTO event (patient_id, kind, occurred_at, %1$I) VALUES (%2$L, %3$L, ''2024-01-10 08:00'', %4$L), (%2$L, %3$L, ''2024-01-10 08:01'', %5$L)',
			pair.name, pair.pair, format('entry.%s_%s', pair.way, pair.name), pair.first, pair.second);
	END LOOP;
END
$$;
INSERT INTO event (patient_id, kind, occurred_at, source_sequence) VALUES
	('equal', 'entry.same_occurred_at', '2024-01-10 08:00', 0), ('equal', 'entry.same_occurred_at', '2024-01-10 08:00', 1),
	('equal', 'entry.different_occurred_at', '2024-01-10 08:00', 0), ('equal', 'entry.different_occurred_at', '2024-01-10 08:00', 1),
	('unequal', 'entry.same_occurred_at', '2024-01-10 08:00', 0), ('unequal', 'entry.same_occurred_at', '2024-01-10 08:01', 0),
	('unequal', 'entry.different_occurred_at', '2024-01-10 08:00', 0), ('unequal', 'entry.different_occurred_at', '2024-01-10 08:01', 0);
SELECT split_part(substr(kind, 7), '_', 1) AS way, patient_id AS pair, count(*) AS columns
FROM duplicate_entry WHERE workflow = 'columns' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT cardinality(map_words('column')) AS columns;

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
