CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- What is said of a statement that fails.
CREATE FUNCTION pg_temp.refusal(statement text, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	code := 'recorded';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	detail := nullif(detail, '');
	hint := nullif(hint, '');
END
$$;
-- An event that is right, with one column changed, as an INSERT and as a call.
CREATE FUNCTION pg_temp.event_with(field text, value text, OUT as_insert text, OUT as_call text)
LANGUAGE sql AS $$
	SELECT format('INSERT INTO event (%s) VALUES (%s)', string_agg(quote_ident(e.key), ', '), string_agg(quote_nullable(e.value), ', ')),
		format('SELECT record_event(%s)', string_agg(format('%I => %L', e.key, e.value), ', '))
	FROM jsonb_each_text('{"kind": "data.entered", "patient_id": "SECRET-PATIENT", "source_system": "EHR", "occurred_at": "2024-01-10 08:00",
		"facility": "SECRET-PLACE", "encounter_id": "SECRET-VISIT", "subject": "SECRET-ORDER", "item": "SECRET-REPORT", "code": "local:X|SECRET",
		"value": "SECRET-VALUE", "actor": "SECRET-ACTOR", "recipient": "SECRET-RECIPIENT", "detail": {"name": "SECRET-NAME"}}'
		|| jsonb_build_object(field, value)) AS e
$$;

CREATE TABLE pg_temp.fault (n integer GENERATED ALWAYS AS IDENTITY, field text, value text);
INSERT INTO pg_temp.fault (field, value) VALUES
	('kind', 'data.enterd'), ('kind', ''), ('kind', NULL),
	('patient_id', ''), ('patient_id', '   '), ('patient_id', E' \t'), ('patient_id', NULL),
	('occurred_at', '1899-12-31 23:59:59.999999'), ('occurred_at', '0044-03-15 BC'), ('occurred_at', '-infinity'),
	('planned_at', '1899-12-31 23:59:59.999999'), ('planned_at', '2200-01-01'), ('planned_at', 'infinity'), ('planned_at', '-infinity'),
	('facility', NULL), ('source_sequence', NULL), ('time_precision', NULL),
	('severity', 'severe'), ('entry_method', 'fax'), ('time_precision', 'week'), ('source_sequence', '1.5'), ('detail', '{"a"'),
	('code', '2345-7'), ('code', 'loinc|2345-8'), ('code', 'npi|1234567890'), ('code', 'snomed|44054007'), ('code', 'icd10cm|E1'),
	('code', 'icd99|E11.9'), ('occurred_at', '2024-02-30'), ('occurred_at', 'yesterday at noon');
SELECT f.field, f.value, r.* FROM pg_temp.fault AS f, pg_temp.event_with(f.field, f.value) AS e, pg_temp.refusal(e.as_insert) AS r
ORDER BY f.n;
-- record_event() says the same
SELECT f.field, f.value, c.* FROM pg_temp.fault AS f, pg_temp.event_with(f.field, f.value) AS e,
	pg_temp.refusal(e.as_insert) AS i, pg_temp.refusal(e.as_call) AS c
WHERE i IS DISTINCT FROM c ORDER BY f.n;

-- Ahead of today, up to two days will do.  Where there is no month for it, INSERT has the server's own error.
SELECT f.ahead, i.code AS insert, c.code AS call, c.message, c.detail, c.hint
FROM (VALUES (1, '1 day 23 hours'), (2, '2 days 1 minute'), (3, '1 month'), (4, '30 years')) AS f(n, ahead),
	pg_temp.event_with('occurred_at', (now() + f.ahead::interval)::text) AS e, pg_temp.refusal(e.as_insert) AS i, pg_temp.refusal(e.as_call) AS c
ORDER BY n;
SELECT i.code AS insert, c.code AS call
FROM pg_temp.event_with('occurred_at', 'infinity') AS e, pg_temp.refusal(e.as_insert) AS i, pg_temp.refusal(e.as_call) AS c;
SELECT i.code AS insert, c.code AS call
FROM pg_temp.event_with('occurred_at', NULL) AS e, pg_temp.refusal(e.as_insert) AS i, pg_temp.refusal(e.as_call) AS c;
SELECT i.* FROM pg_temp.event_with('recorded_at', NULL) AS e, pg_temp.refusal(e.as_insert) AS i;

-- What is at the edge is right.
SELECT f.field, f.value, r.code FROM (VALUES ('occurred_at', '1900-01-01'), ('planned_at', '1900-01-01'), ('planned_at', '2199-12-31 23:59:59.999999'), ('source_sequence', '-1')) AS f(field, value), pg_temp.event_with(f.field, f.value) AS e, pg_temp.refusal(e.as_insert) AS r;

-- No message shows what was in an event.
SELECT f.field, f.value, r.* FROM pg_temp.fault AS f, pg_temp.event_with(f.field, f.value) AS e, pg_temp.refusal(e.as_insert) AS r
WHERE r::text ~ 'SECRET' ORDER BY f.n;

-- A statement that has one bad row stores none of it.
SELECT count(*) FROM event;
INSERT INTO event (occurred_at, patient_id, kind) VALUES ('2024-01-10', 'P1', 'order.placed'), ('2024-01-10', '', 'order.placed');
INSERT INTO event (occurred_at, patient_id, kind) SELECT '2024-01-10', CASE WHEN n < 1000 THEN 'P' || n ELSE '' END, 'order.placed' FROM generate_series(1, 1000) AS n;
COPY event (occurred_at, patient_id, kind) FROM stdin;
2024-01-10	P1	order.placed
1824-01-10	P2	order.placed
\.
SELECT record_event('order.placed', CASE WHEN n < 3 THEN 'P' || n END, 'EHR', '2024-01-10') FROM generate_series(1, 3) AS n;
SELECT count(*) FROM event;
SELECT count(*) FROM care_loop;
-- the statements before it in a transaction can be kept
BEGIN;
SELECT record_event('order.placed', 'P1', 'EHR', '2024-01-10', subject => 'O1') IS NOT NULL AS recorded;
SAVEPOINT before;
SELECT record_event('order.placed', '', 'EHR', '2024-01-10');
ROLLBACK TO before;
COMMIT;
SELECT patient_id, subject FROM care_loop;
