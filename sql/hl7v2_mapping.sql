CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

--
-- The rules that are shipped
--
SELECT count(*), count(*) FILTER (WHERE shipped AND enabled) AS shipped FROM hl7v2_mapping;
SELECT action, count(*) FROM hl7v2_mapping GROUP BY action ORDER BY action;
-- each can be written anew as it is, has a description, and names kinds that there are
UPDATE hl7v2_mapping SET name = name;
SELECT name FROM hl7v2_mapping WHERE description IS NULL;
-- setup() changes nothing, and brings back what was changed when the version changes
CREATE TEMP TABLE before AS SELECT m.ctid AS place, m.* FROM hl7v2_mapping m;
SELECT setup();
UPDATE installation SET version = '0';
SELECT setup();
SELECT count(*) FROM (TABLE before EXCEPT SELECT m.ctid, m.* FROM hl7v2_mapping m) d;
UPDATE hl7v2_mapping SET enabled = false, condition = 'PID-1 = 2' WHERE name = 'encounter.admitted';
DELETE FROM hl7v2_mapping WHERE name = 'encounter.discharged';
INSERT INTO hl7v2_mapping (name, shipped, message, kind) VALUES ('of another version', true, '{ADT^A99}', $$'data.entered'$$);
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('of the site', '{ADT^A98}', $$'data.entered'$$), ('encounter.admitted', '{ADT^A98}', $$'data.entered'$$);
SELECT setup();
SELECT count(*) FROM hl7v2_mapping WHERE shipped;
UPDATE installation SET version = '0';
SELECT setup();
ALTER TABLE before DROP COLUMN place;
SELECT name, shipped FROM (TABLE hl7v2_mapping EXCEPT TABLE before) d ORDER BY name;
SELECT name FROM (TABLE before EXCEPT TABLE hl7v2_mapping) d;
DELETE FROM hl7v2_mapping WHERE NOT shipped;

--
-- What an expression yields
--
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('test', '{ZZZ^Z01}', $$'data.entered'$$);
CREATE TEMP SEQUENCE control;
CREATE FUNCTION pg_temp.header(type text, sender text DEFAULT 'EHR|NORTH', at text DEFAULT '20240301120000') RETURNS text LANGUAGE sql AS $$
	SELECT format(E'MSH|^~\\&|%s|||%s||%s|C%s|P|2.5\r', sender, at, type, nextval('pg_temp.control'))
$$;
-- What the rule gives as value, and as key of detail, from a message.
CREATE FUNCTION pg_temp.yields(expression text, OUT value text, OUT detail jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	UPDATE workflow_track.hl7v2_mapping m SET value = expression, detail = 'x: ' || expression WHERE name = 'test';
	PERFORM workflow_track.ingest_hl7v2(pg_temp.header('ZZZ^Z01') || concat_ws(E'\r', 'PID|1||P1^^^A&1.2&ISO^MR~P2^^^B^PI', 'PV1|1|I|||||||||||||||||V',
		'ZA1|1|a~b~c|x^y&z|""| |HH~L|20240301123456.5+0100|GLU^Glucose^L^2345-7^Glucose^LN|1\T\2^\S\|A|A', 'ZA1|2|d||q||||202403|^^^2345-7^Glucose^LN||A|B', 'ZA2|RP|one', 'ZA2|RT|two~deux', 'ZA3|' || nextval('pg_temp.control')));
	SELECT e.value, e.detail -> 'x' INTO value, detail FROM workflow_track.event e ORDER BY event_id DESC LIMIT 1;
END
$$;
SELECT expression, y.* FROM unnest(ARRAY[
	'ZA1-2', 'ZA1[2]-2', 'ZA1-2[2]', 'ZA1-3', 'ZA1-3.1', 'ZA1-3.2', 'ZA1-3.2.2', 'ZA1-9', 'ZA1-9.1', 'ZA1[3]-2', 'ZA9-1', 'ZA1-40', 'ZA1-4', 'ZA1-5',
	'ZA1-4, ZA1-5, ZA9-1, ''else''', 'ZA1-2, ''else''', '''it''''s, {a} ; b''', '''''', ''''', ZA1-2',
	'each ZA1-2', 'each ZA1[1]-2', 'each ZA1-4', 'each ZA9-1', 'each PID-3.1', 'each ZA1-4, ZA1-2',
	'ZA1-6 {HH = high, L = low}', 'ZA1-6 {L = low}', 'ZA1-6 {L = low, * = other}', 'ZA1-6 {''*'' = star}', 'ZA1[2]-6 {HH = high, * = other}', 'ZA1-2 {a|d = ''a or d''}',
	'any ZA1-6 {L = low, HH = high}', 'any ZA1-6 {X = x, * = other}', 'any ZA1-6 {* = other, HH = high}', 'any ZA1-2 {d = d}', 'any ZA9-1 {* = other}',
	'all ZA1-2 {a|b = one, c|d = one}', 'all ZA1-2 {a|b|c = one}', 'all ZA1-10 {A = one}', 'all ZA1-11 {A = one}', 'all ZA9-1 {* = other}', 'all ZA1-6 {HH = one, * = two}', 'each ZA1-2 {a = 1, c|d = 2}',
	'ZA2-2 where ZA2-1 = RT', 'ZA2-2 where ZA2-1 <> RP', 'ZA2-2 where ZA2-1 = RP|RT', 'ZA2-2 where ZA2-1 = X', 'each ZA2-2 where ZA2-1 = RT', 'ZA1-2 where ZA1-2 = b|c', 'each ZA1-2 where ZA1-2 <> b', 'PID-3.1 where PID-3.5 = PI', 'each PID-3.1 where PID-3.4 = A',
	'date ZA1-7', 'date ZA1[2]-7', 'date ZA1-2', 'code ZA1-8', 'code ZA1[2]-8', 'code ZA1-8.4', 'each code ZA1-8', 'code ZA1-2', 'id PID-3', 'each id PID-3', 'MSH-9.2', 'MSH-3', 'EVN-2, MSH-7']) expression,
	LATERAL pg_temp.yields(expression) y;

-- Conditions.
CREATE FUNCTION pg_temp.holds(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	before bigint := (SELECT count(*) FROM workflow_track.event);
BEGIN
	UPDATE workflow_track.hl7v2_mapping m SET condition = holds.condition, value = NULL, detail = NULL WHERE name = 'test';
	PERFORM pg_temp.yields('ZA9-1');
	RETURN (SELECT count(*) FROM workflow_track.event) > before;
END
$$;
SELECT condition, pg_temp.holds(condition) AS holds FROM unnest(ARRAY[
	'ZA1-1 = 1', 'ZA1-1 = 2', 'ZA1[2]-1 = 2', 'ZA1-1 = 3|1', 'ZA1-1 <> 1', 'ZA1-1 <> 2', 'ZA1-2 = c', 'ZA1-2 <> c', 'ZA9-1 = x', 'ZA9-1 <> x', 'ZA1-3 = x', 'ZA1-3.2 = y', 'ZA1-4 = ''""''', 'ZA1-2 = *', 'ZA9-1 = *',
	'ZA1-2 is empty', 'ZA1-2 is not empty', 'ZA1-4 is empty', 'ZA1-5 is empty', 'ZA9-1 is empty', 'ZA9-1 is not empty', 'ZA1 is present', 'ZA1 is not present', 'ZA9 is present', 'ZA9 is not present',
	'ZA1 is present and ZA1-1 = 1 and ZA2-1 = RP', 'ZA1 is present and ZA1-1 = 9', 'MSH-11 = P', 'PID-3.5 = PI']) condition;
DELETE FROM hl7v2_mapping WHERE name = 'test';

--
-- Rows that cannot work
--
CREATE FUNCTION pg_temp.refused(row_given jsonb, OUT error text, OUT detail text) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO workflow_track.hl7v2_mapping
		SELECT (jsonb_populate_record(NULL::workflow_track.hl7v2_mapping, '{"name": "x", "shipped": false, "enabled": true, "message": ["ADT^A01"], "action": "event", "kind": "''data.entered''"}' || row_given)).*;
	DELETE FROM workflow_track.hl7v2_mapping WHERE name = 'x';
	error := 'taken';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS error = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END
$$;
SELECT r.* FROM (VALUES
	('{}'), ('{"message": []}'), ('{"message": ["ADT^A01", "adt"]}'), ('{"message": ["ADT^a01"]}'), ('{"message": ["ADT^A0123"]}'), ('{"message": ["ADT^A01^ADT_A01"]}'), ('{"message": ["ADTX"]}'), ('{"message": [""]}'), ('{"message": ["*"]}'), ('{"message": ["*^A01", "ADT"]}'), ('{"message": null}'),
	('{"action": "delete"}'), ('{"name": ""}'), ('{"segment": "PV"}'), ('{"segment": "pv1"}'), ('{"segment": "1PV"}'), ('{"segment": "OBR", "begins_with": "ORCX"}'), ('{"segment": "OBR", "contains": ["OBX", "N"]}'), ('{"contains": ["OBX"]}'), ('{"begins_with": "ORC"}'),
	('{"kind": null}'), ('{"kind": "''no.kind''"}'), ('{"kind": "ORC-1"}'), ('{"kind": "ORC-1 {NW = order.placed, CA = order.canceled}"}'), ('{"kind": "ORC-1 {NW = order.placed}, ORC-5"}'), ('{"severity": "OBX-8"}'), ('{"severity": "OBX-8 {H = high}"}'), ('{"problem": "''Not Good''"}'), ('{"problem": "OBX-8"}'),
	('{"action": "retract_last", "kind": null}'), ('{"action": "retract_all", "kind": null}'), ('{"action": "alias", "kind": null}'), ('{"action": "alias", "kind": null, "subject": "ORC-2"}'), ('{"action": "alias", "kind": null, "subject": "ORC-2", "alias": "ORC-3"}'),
	('{"subject": ""}'), ('{"subject": "PID"}'), ('{"subject": "PID-"}'), ('{"subject": "PID-0"}'), ('{"subject": "PID-3."}'), ('{"subject": "PID-3.1.1.1"}'), ('{"subject": "PID[x]-3"}'), ('{"subject": "PID-3[0]"}'), ('{"subject": "pid-3"}'), ('{"subject": "PID-3 PID-4"}'), ('{"subject": "PID-3,"}'), ('{"subject": ", PID-3"}'), ('{"subject": "PID-3;"}'),
	('{"subject": "''no end"}'), ('{"subject": "some PID-3"}'), ('{"subject": "each each PID-3"}'), ('{"subject": "any PID-3"}'), ('{"subject": "all PID-3"}'), ('{"subject": "code PID-3 {a = b}"}'), ('{"subject": "date id PID-3"}'), ('{"subject": "id PID-3[1]"}'), ('{"subject": "id PID-3.2"}'),
	('{"subject": "PID-3 {}"}'), ('{"subject": "PID-3 {a}"}'), ('{"subject": "PID-3 {a = }"}'), ('{"subject": "PID-3 {a = b"}'), ('{"subject": "PID-3 {a = b,}"}'), ('{"subject": "PID-3 {a = b c = d}"}'), ('{"subject": "PID-3 where PV1-2 = I"}'), ('{"subject": "PID-3 where PID-5"}'), ('{"subject": "PID-3 where"}'), ('{"subject": "PID-3 where PID-5 = "}'),
	('{"condition": ""}'), ('{"condition": "PID-3"}'), ('{"condition": "PID"}'), ('{"condition": "PID is"}'), ('{"condition": "PID is not"}'), ('{"condition": "pid is present"}'), ('{"condition": "PID-3 is full"}'), ('{"condition": "PID-3 = "}'), ('{"condition": "PID-3 = a or PID-3 = b"}'), ('{"condition": "PID-3 = a and"}'), ('{"condition": "PID-3 == a"}'), ('{"condition": "''a'' = a"}'), ('{"condition": "PID-3 in (a, b)"}'),
	('{"detail": ""}'), ('{"detail": "unit"}'), ('{"detail": ": PV1-3"}'), ('{"detail": "unit:"}'), ('{"detail": "unit: PV1-3;"}'), ('{"detail": "unit: PV1-3; unit: PV1-4"}'), ('{"detail": "unit: PV1-3; x: PV1-0"}'),
	('{"occurred_at": "EVN2"}'), ('{"source_sequence": "1"}'), ('{"planned_at": "+"}'), ('{"facility": "NORTH"}'), ('{"patient_id": "id"}'), ('{"encounter_id": "PV1-19 or PID-18"}'), ('{"item": "OBR"}'), ('{"code": "code"}'), ('{"value": "{}"}'), ('{"actor": "\"x\""}'), ('{"actor_role": "=x"}'), ('{"recipient": "OBR-16.x"}'), ('{"recipient_role": "OBR-16[]"}'), ('{"alias": "*"}'), ('{"identifiers": "each"}')
	) v (row_given), LATERAL pg_temp.refused(row_given::jsonb) r;
UPDATE hl7v2_mapping SET subject = 'SCH-1.1, SCH-2.1, SCH-x' WHERE name = 'appointment';
INSERT INTO hl7v2_source (source_system, encounter) VALUES ('X', 'PV1-x');
INSERT INTO hl7v2_source (source_system, timezone) VALUES ('X', 'Mars/Olympus');
INSERT INTO hl7v2_source (source_system, answer_within) VALUES ('X', '0');
-- a kind of the site's can be named once it is there
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('bed', '{ZZZ^Z02}', $$'bed.cleaned'$$);
INSERT INTO event_kind (kind, category, counts_as_work) VALUES ('bed.cleaned', 'site', true);
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('bed', '{ZZZ^Z02}', $$'bed.cleaned'$$);

--
-- Rows of the site
--
-- The events of a message.
CREATE FUNCTION pg_temp.send(VARIADIC lines text[]) RETURNS SETOF event LANGUAGE plpgsql AS $$
DECLARE
	last_one bigint := (SELECT coalesce(max(event_id), 0) FROM workflow_track.event);
BEGIN
	PERFORM workflow_track.ingest_hl7v2(array_to_string(lines, E'\r'));
	RETURN QUERY SELECT * FROM workflow_track.event WHERE event_id > last_one ORDER BY event_id;
END
$$;
CREATE FUNCTION pg_temp.problem() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(': ', status, problem, explanation) FROM workflow_track.message ORDER BY message_id DESC LIMIT 1
$$;
-- one takes the place of the shipped rule of its name
INSERT INTO hl7v2_mapping (name, message, kind, actor) VALUES ('encounter.admitted', '{ADT^A01}', $$'encounter.admitted'$$, 'PV1-7.1');
SELECT kind, actor, detail FROM pg_temp.send(pg_temp.header('ADT^A01') || 'EVN||20240301|||CLERK', 'PID|1||M1', 'PV1|1|I|||||DOC^A||||||||||||V');
SELECT kind FROM pg_temp.send(pg_temp.header('ADT^A06') || 'EVN||20240301|||CLERK', 'PID|1||M1', 'PV1|1|I|||||DOC^A||||||||||||V');
-- also one that does not count
UPDATE hl7v2_mapping SET enabled = false WHERE NOT shipped AND name = 'encounter.admitted';
SELECT kind FROM pg_temp.send(pg_temp.header('ADT^A01') || 'EVN||20240301|||CLERK', 'PID|1||M1', 'PV1|1|O|||||DOC^A||||||||||||V');
SELECT pg_temp.problem();
DELETE FROM hl7v2_mapping WHERE NOT shipped AND name = 'encounter.admitted';
SELECT kind, actor, detail FROM pg_temp.send(pg_temp.header('ADT^A01') || 'EVN||20240301|||CLERK', 'PID|1||M1', 'PV1|1|E|||||DOC^A||||||||||||V');
UPDATE hl7v2_mapping SET enabled = false WHERE name = 'encounter.admitted';
SELECT kind FROM pg_temp.send(pg_temp.header('ADT^A01') || 'EVN||20240301|||CLERK', 'PID|1||M1', 'PV1|1|P|||||DOC^A||||||||||||V');
UPDATE hl7v2_mapping SET enabled = true WHERE name = 'encounter.admitted';
-- segments of the site: of a message that is known, for each of them, with what belongs to each
INSERT INTO hl7v2_mapping (name, message, segment, contains, condition, kind, occurred_at, subject, item, code, value, severity, actor, actor_role, recipient, recipient_role, detail) VALUES
	('acknowledged', '{ADT^A08,ZZZ}', 'ZAK', '{ZAN}', 'ZAK-1 = A', $$ZAK-1 {A = result.acknowledged}$$, 'ZAK-2, MSH-7', 'ZAK-3', 'ZAK-4', 'code ZAK-5', 'ZAN-1', 'ZAK-6 {H = critical}', 'ZAK-7', $$'provider'$$, 'ZAK-8', 'ZAK-8 {desk = clerk}', $$notes: each ZAN-1; sender: MSH-3$$);
SELECT kind, occurred_at, subject, item, code, value, severity, actor, actor_role, recipient, recipient_role, detail, encounter_id FROM pg_temp.send(pg_temp.header('ADT^A08') || 'PID|1||M2', 'PV1|1|I|||||||||||||||||V',
	'ZAK|A|202403011000|R1|I1|2345-7^Glucose^LN|H|DOC|desk', 'ZAN|seen', 'ZAN|told', 'ZAK|R||R2', 'ZAN|no', 'ZAK|A||R3', 'ZZZ|x', 'ZAN|last');
SELECT kind, subject FROM pg_temp.send(pg_temp.header('ZZZ^Z77') || 'PID|1||M2', 'ZAK|A|202403011000|R1');
-- defaults of the site
INSERT INTO hl7v2_mapping SELECT (jsonb_populate_record(m, '{"shipped": false, "occurred_at": "ZTM-1, MSH-7", "patient_id": "id PID-2, id PID-3"}')).* FROM hl7v2_mapping m WHERE name = 'defaults';
SELECT kind, occurred_at, patient_id FROM pg_temp.send(pg_temp.header('ADT^A28') || 'EVN||20240301', 'PID|1|M3|M2', 'ZTM|20240229');
DELETE FROM hl7v2_mapping WHERE NOT shipped;
-- a change is heeded in the transaction that makes it, and undone with it
BEGIN;
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('new', '{ZZZ^Z03}', $$'data.entered'$$);
SELECT kind FROM pg_temp.send(pg_temp.header('ZZZ^Z03') || 'PID|1||M4');
ROLLBACK;
SELECT kind FROM pg_temp.send(pg_temp.header('ZZZ^Z03') || 'PID|1||M4');

--
-- Groups: what belongs to one OBR never tells of another
--
SELECT patient_id, encounter_id, subject, item, severity, value, recipient, kind FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G1', 'PV1|1|I|||||||||||||||||V',
	'ORC|RE|O1|F1', 'OBR|1||F1|GLU^Glucose^L||||||||||||DOC1|||||||||F', 'OBX|1|NM|GLU||5|||N|||F', 'ORC|RE|O2|F2', 'OBR|2||F2|K^Potassium^L||||||||||||DOC2|||||||||F', 'OBX|1|NM|K||9|||HH|||F');
SELECT subject, item, severity, value, kind FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G1', 'PV1|1|I|||||||||||||||||V',
	'ORC|RE|O1|F1', 'OBR|1||F1|GLU^Glucose^L', 'OBX|1|NM|GLU||9|||HH|||C', 'NTE|1||note', 'ORC|RE|O2|F2', 'OBR|2||F2|K^Potassium^L', 'ORC|RE|O3|F3', 'OBR|3||F3|NA^Sodium^L', 'OBX|1|NM|NA||5|||L|||F', 'OBX|2|NM|NA||6|||LL|||P');
-- ORC after its OBR, of each, or of the second alone; one ORC for all
SELECT subject, item, severity, value FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G1', 'PV1|1|I|||||||||||||||||V', 'OBR|1||F1|GLU', 'ORC|RE|O1|F1', 'OBX|1|NM|GLU||9|||HH|||F', 'OBR|2||F2|K', 'ORC|RE|O2|F2', 'OBX|1|NM|K||4|||N|||F');
SELECT subject, item, severity, value FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G1', 'PV1|1|I|||||||||||||||||V', 'OBR|1||F1|GLU', 'OBX|1|NM|GLU||9|||HH|||F', 'OBR|2||F2|K', 'ORC|RE|O2|F2', 'OBX|1|NM|K||4|||N|||F', 'OBR|3||F3|NA');
SELECT subject, item, severity, value FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G1', 'PV1|1|I|||||||||||||||||V', 'ORC|RE|O1', 'OBR|1||F1|GLU', 'OBX|1|NM|GLU||9|||HH|||F', 'OBR|2||F2|K', 'OBX|1|NM|K||4|||N|||F', 'OBR|3|O3|F3|NA');
-- OBX before any OBR belong to none
SELECT subject, severity, value FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G1', 'PV1|1|I|||||||||||||||||V', 'OBX|1|NM|X||1|||HH|||F', 'OBR|1|O1|F1|GLU', 'OBX|1|NM|GLU||5|||N|||F');
-- patients of one message: each has its own visit, or none
SELECT patient_id, encounter_id, facility, subject, severity FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G2', 'PV1|1|I|^^^EAST||||||||||||||||V2', 'ORC|RE|O2', 'OBR|1||F2|GLU', 'OBX|1|NM|GLU||9|||HH|||F',
	'PID|2||G3', 'OBR|1|O3|F3|K', 'OBX|1|NM|K||4|||N|||F', 'PID|3||G4', 'PV1|1|I|^^^WEST||||||||||||||||V4', 'OBR|1||F4|K', 'ORC|RE|O4', 'PID|4', 'OBR|1|O5');
SELECT pg_temp.problem();
SELECT patient_id, subject, recipient FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||G6', 'PV1|1|I|||||||||||||||||V', 'ORC|RE|O1', 'OBR|1||F1|GLU', 'ORC|RE|O2||||||||||DOC1', 'PID|2||G7', 'PV1|1|I|||||||||||||||||V', 'OBR|1||F3|K');
-- orders: each OBR by the ORC before it, and by its own numbers
SELECT kind, subject, occurred_at, actor, code FROM pg_temp.send(pg_temp.header('ORM^O01') || 'PID|1||G5', 'PV1|1|I|||||||||||||||||V',
	'ORC|NW|O1|||||||202403010800|||DOC1', 'OBR|1|O1||GLU^Glucose^L', 'OBR|2|O2||K^Potassium^L', 'ORC|CA|O3|||||||202403010900|||DOC3', 'OBR|1|||NA^Sodium^L', 'ORC|XX|O4', 'OBR|1|O4', 'ORC|DC|O5', 'ORC|NW|O6', 'OBR|1');
-- which also carry diets and drugs
SELECT kind, subject FROM pg_temp.send(pg_temp.header('ORM^O01') || 'PID|1||G5', 'PV1|1|I|||||||||||||||||V', 'ORC|NW|D1', 'ODS|D||DIET', 'ORC|CA|D2', 'RXO|DRUG');
SELECT pg_temp.problem();

--
-- Severities
--
SELECT flags, (SELECT e.severity FROM pg_temp.send(VARIADIC ARRAY[pg_temp.header('ORU^R01') || 'PID|1||S1', 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|GLU'] || ARRAY(SELECT 'OBX|1|NM|GLU||' || flags || '|||' || f FROM unnest(string_to_array(flags, ' ')) f)) e) AS severity
FROM unnest(ARRAY['N', 'H', 'L', 'A', 'HH', 'LL', 'AA', '<', '>', 'U', 'D', 'ZZZ', 'hh', '', '""', 'N H', 'H HH', 'N N', 'N ""', 'N~HH', 'H~A', 'HH^Critical^HL70078', 'N^Normal~LL^Low', 'N QQ', '^HH', 'H&x', ' HH ']) flags;

--
-- Statuses of results
--
SELECT obr, obx, e.kind, e.severity, pg_temp.problem() FROM (VALUES ('F', 'F'), ('F', 'P'), ('P', 'F'), ('A', 'F'), ('R', 'F'), ('C', 'F'), ('X', 'X'), ('I', ''), ('O', ''), ('S', ''), ('Y', ''), ('Z', ''), ('Q', 'F'), ('""', 'F'),
	('', 'F'), ('', 'U'), ('', 'F F'), ('', 'F U'), ('', 'F C'), ('', 'P C'), ('', 'F P'), ('', 'F R'), ('', 'F S'), ('', 'X'), ('', 'X X'), ('', 'F X'), ('', 'X P'), ('', 'F I'), ('', 'I'), ('', 'D'), ('', 'N'), ('', 'Q'), ('', 'Q F'), ('', ''), ('', NULL)) v (obr, obx)
	LEFT JOIN LATERAL pg_temp.send(VARIADIC ARRAY[pg_temp.header('ORU^R01') || 'PID|1||S2', 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|GLU|||||||||||||||||||||' || obr] || ARRAY(SELECT 'OBX|1|NM|GLU||1||||||' || s FROM unnest(string_to_array(coalesce(nullif(obx, ''), '-'), ' ')) s WHERE obx IS NOT NULL)) e ON true;

--
-- Times
--
INSERT INTO hl7v2_source (source_system, facility, timezone) VALUES ('NY', 'NORTH', 'America/New_York'), ('KTM', 'NORTH', 'Asia/Kathmandu');
SELECT sender, at, e.occurred_at, e.time_precision, CASE WHEN e.event_id IS NULL THEN pg_temp.problem() END AS problem
FROM (VALUES ('EHR', '20240301123456.789'), ('EHR', '20240301123456.1234567'), ('EHR', '20240301123456'), ('EHR', '202403011234'), ('EHR', '2024030112'), ('EHR', '20240301'), ('EHR', '202403'), ('EHR', '2024'), ('EHR', '20240301123456+0100'), ('EHR', '202403011234-0530'), ('EHR', '20240301+0000'), ('EHR', '20240301235960'), ('EHR', ' 20240301 '), ('EHR', '20240301123456^S'),
	('NY', '20240115120000'), ('NY', '20240715120000'), ('NY', '20240715'), ('NY', '202407'), ('NY', '20240310013000'), ('NY', '20240310023000'), ('NY', '20240310033000'), ('NY', '20241103013000'), ('NY', '20241103013000-0500'), ('NY', '20240715120000+0200'), ('KTM', '20240301000000'),
	('EHR', '2024030'), ('EHR', '20241301'), ('EHR', '20240230'), ('EHR', '20230229'), ('EHR', '20240229'), ('EHR', '2024030124'), ('EHR', '202403011260'), ('EHR', '20240301123461'), ('EHR', '20240301123456.'), ('EHR', '20240301123456+01'), ('EHR', '20240301123456+2500'), ('EHR', '20240301T1234'), ('EHR', '2024-03-01'), ('EHR', '0000'), ('EHR', '18991231'), ('EHR', '19000101'), ('EHR', 'yesterday')) v (sender, at)
	LEFT JOIN LATERAL pg_temp.send(pg_temp.header('ADT^A28', sender || '|NORTH') || 'EVN||' || at, 'PID|1||T1') e ON true;
-- the first that is there counts, and not the next where that cannot be; the sender's own order is MSH-13
SELECT e.occurred_at, e.source_sequence, pg_temp.problem() FROM pg_temp.send(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|T1|P|2.5|17', 'EVN||20240302||||20240303', 'PID|1||T1', 'PV1|1|I|||||||||||||||||V|||||||||||||||||||||||||20240304') e;
SELECT e.occurred_at, e.source_sequence FROM pg_temp.send(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|T2|P|2.5|x', 'EVN', 'PID|1||T1', 'PV1|1|I|||||||||||||||||V|||||||||||||||||||||||||20240304') e;
SELECT e.occurred_at, e.source_sequence FROM pg_temp.send(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|T3|P|2.5|99999999999', 'PID|1||T1', 'PV1|1|I|||||||||||||||||V') e;
SELECT e.occurred_at, pg_temp.problem() FROM pg_temp.send(E'MSH|^~\\&|EHR|NORTH|||20240301||ADT^A01|T4|P|2.5', 'EVN||20240302||||x', 'PID|1||T1', 'PV1|1|I|||||||||||||||||V') e;
SELECT pg_temp.problem();
-- what is planned; a plan that cannot be leaves the event as it is
SELECT e.planned_at, pg_temp.problem() FROM unnest(ARRAY['^^^20240401090000', '^^^2200', '^^^x', '']) at, pg_temp.send(pg_temp.header('SIU^S12') || 'SCH|A1|A2|||||||||' || at, 'PID|1||T1') e;

--
-- Codes
--
SELECT sent, e.code FROM unnest(ARRAY['GLU', 'GLU^Glucose', 'GLU^Glucose^L', 'GLU^Glucose^99LAB', '2345-7^Glucose^LN', '2345-8^Glucose^LN', '^Glucose^LN', '^^^2345-7^Glucose^LN', '2345-7^Glucose^LN^GLU^Glucose^L', 'E11.9^Diabetes^I10', 'e119^Diabetes^I10C', 'nonsense^Diabetes^I10C', '99213^Visit^C4', '9921^Visit^C4',
	'44054006^Diabetes^SCT', '44054007^Diabetes^SCT', '1234567893^Doc^NPI', '1234567890^Doc^NPI', 'A\F\B^x^L', 'a b^x^L', '""', '', ' GLU ^x^ L ', 'é^x^L', 'GLU^x^a\F\b']) sent
	LEFT JOIN LATERAL pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||C1', 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|' || sent) e ON true;
SELECT e.code FROM pg_temp.send(pg_temp.header('ORU^R01', '|NORTH') || 'PID|1||C1', 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|GLU') e;
SELECT length(e.code::text) FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||C1', 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|' || repeat('x', 5000) || '^y^L') e;
SELECT pg_temp.problem();
-- each is one that its type takes
SELECT count(*), bool_and(code::text::clinical_code = code) AS valid FROM event WHERE patient_id = 'C1';
-- charges: the code, else the other; modifiers and diagnoses are lists
SELECT code, occurred_at, actor, detail FROM pg_temp.send(pg_temp.header('DFT^P03') || 'EVN||20240302', 'PID|1||C2', 'PV1|1|O|||||||||||||||||V',
	'FT1|1|N1||20240301|202403011200|CG|X^Visit^L||||||||||||E119^Diabetes^I10C~nonsense^x^I10C|DOC|||||99213^Visit^C4|25~59', 'FT1|2|N2|||202403011300|CG|GLU^Glucose^L', 'FT1|3|N3||||CD|GLU^Glucose^L', 'FT1|4|N4||2024||CG|', 'IN1|1|||||||||||||AUTH1');
-- a charge without a code or a diagnosis has none
SELECT pg_temp.problem();

--
-- What is too long, and what is deleted
--
SELECT e.subject, pg_temp.problem() FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||L1', 'PV1|1|I|||||||||||||||||V', 'OBR|1|' || repeat('é', 100) || '|F1|GLU', 'OBX|1|TX|X||' || repeat('x', 100000)) e;
SELECT e.subject FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||L1', 'PV1|1|I|||||||||||||||||V', 'OBR|1|' || repeat('é', 100) || 'x|F1|GLU', 'OBR|2|O2|F2|GLU') e;
SELECT pg_temp.problem();
SELECT e.patient_id FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||' || repeat('x', 300), 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|GLU') e;
SELECT pg_temp.problem();
SELECT encounter_id, facility, subject, item, code, value, severity, actor, recipient, occurred_at FROM pg_temp.send(pg_temp.header('ORU^R01') || 'PID|1||L1', 'PV1|1|I|^^^""||||||||||||||||""', 'OBR|1|O1|""|""||||||||||||""||||||""|||""', 'OBX|1|NM|GLU||""|||""|||""|||||""');
SELECT identifiers FROM message ORDER BY message_id DESC LIMIT 1;

--
-- Settings of senders
--
CREATE FUNCTION pg_temp.patients(sender text, VARIADIC lines text[]) RETURNS TABLE (patient_id text, encounter_id text, facility text, subject text, problem text) LANGUAGE sql AS $$
	SELECT e.patient_id, e.encounter_id, e.facility, e.subject, pg_temp.problem()
	FROM (VALUES (1)) one LEFT JOIN LATERAL pg_temp.send(VARIADIC ARRAY[pg_temp.header('ADT^A40', sender) || lines[1]] || lines[2:]) e ON true
$$;
INSERT INTO hl7v2_source (source_system, facility, patient_authority, patient_id_type, id_namespace, care_facility, encounter) VALUES
	('AUTH', '', 'HOSP', NULL, NULL, NULL, NULL), ('TYPE', '', NULL, 'MR', NULL, NULL, NULL), ('BOTH', '', 'HOSP', 'MR', 'H:', NULL, NULL), ('CARE', 'X', NULL, NULL, NULL, 'CLINIC', NULL), ('VISIT', '', NULL, NULL, NULL, NULL, 'PV1-50.1, PV1-19.1');
SELECT sender, p.* FROM unnest(ARRAY['EHR|NORTH', 'AUTH|', 'TYPE|', 'BOTH|', 'BOTH|X', 'CARE|X', 'VISIT|']) sender, pg_temp.patients(sender, 'PID|1||S1^^^SSA^SS~P1^^^HOSP&1.2&ISO^PI~M1^^^HOSP^MR~M2^^^OTHER^MR', 'MRG|S2^^^SSA^SS~P3^^^HOSP^PI~M3^^^HOSP^MR') p;
-- none of these repetitions is of that authority
SELECT p.* FROM pg_temp.patients('BOTH|', 'PID|1||S1^^^SSA^SS', 'MRG|S2^^^SSA^SS') p;
SELECT sender, e.facility, e.encounter_id FROM unnest(ARRAY['EHR|NORTH', 'CARE|X', 'VISIT|', 'VISIT|X']) sender, unnest(ARRAY['', '^^^WARD']) location, pg_temp.send(pg_temp.header('ADT^A01', sender) || 'PID|1||V1', 'PV1|1|I|' || location || repeat('|', 16) || 'V19' || repeat('|', 31) || 'V50') e;
SELECT e.encounter_id FROM pg_temp.send(pg_temp.header('ADT^A01') || 'PID|1||V1|||||||||||||||ACC', 'PV1|1|I') e;
-- the name space is before identifiers of patients alone
SELECT e.patient_id, e.encounter_id, e.subject FROM pg_temp.send(pg_temp.header('ORU^R01', 'BOTH|') || 'PID|1||M1^^^HOSP^MR', 'PV1|1|I|||||||||||||||||V', 'OBR|1|O1|F1|GLU') e;
SELECT identifiers FROM message ORDER BY message_id DESC LIMIT 1;
-- which MSH-11 are taken: all, unless some are named
SELECT id, e.kind, pg_temp.problem() FROM unnest(ARRAY['P', 'T', 'D', 'P^T', '']) id LEFT JOIN LATERAL pg_temp.send(replace(pg_temp.header('ADT^A28'), '|P|', format('|%s|', id)) || 'PID|1||I1') e ON true;
INSERT INTO hl7v2_source (source_system, facility, processing_ids) VALUES ('EHR', 'NORTH', '{P,D}');
SELECT id, e.kind, pg_temp.problem() FROM unnest(ARRAY['P', 'T', 'D', 'P^T', '']) id LEFT JOIN LATERAL pg_temp.send(replace(pg_temp.header('ADT^A28'), '|P|', format('|%s|', id)) || 'PID|1||I2') e ON true;

-- Shipped rules are changed by setup() alone: a site's row takes the place of one.
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_mapping_admin;
RESET client_min_messages;
CREATE ROLE regress_mapping_admin IN ROLE workflow_track_admin;
SET ROLE regress_mapping_admin;
UPDATE hl7v2_mapping SET enabled = false WHERE name = 'order' AND shipped;
DELETE FROM hl7v2_mapping WHERE name = 'order' AND shipped;
INSERT INTO hl7v2_mapping (name, shipped, message, kind) VALUES ('of our own', true, '{ZZY^*}', '''note.signed''');
INSERT INTO hl7v2_mapping (name, message, kind) VALUES ('of our own', '{ZZY^*}', '''note.signed''');
UPDATE hl7v2_mapping SET shipped = true WHERE name = 'of our own';
DELETE FROM hl7v2_mapping WHERE name = 'of our own';
RESET ROLE;
DROP ROLE regress_mapping_admin;
