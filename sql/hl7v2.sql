CREATE EXTENSION workflow_track;
SET search_path = workflow_track, pg_catalog, public;
SET jit = off;
\set SHOW_CONTEXT never

-- What came, with each end of a segment shown as a slash.
CREATE FUNCTION shown(message hl7v2) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT replace(replace(message::text, E'\n', '<LF>'), E'\r', '/')
$$;
-- A message with its slashes as some end of a segment.
CREATE FUNCTION ended(message text, ending text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT replace(message, '/', ending)
$$;
\set adt '''MSH|^~\\&|EHR|HOSP|WT||20240301120000||ADT^A01|M1|P|2.5.1/EVN||20240301/PID|1||123^^^HOSP^MR~456||DOE^JANE/PV1|1|I'''

-- What is sent in many ways is stored in one, which reads back as itself.
CREATE TABLE way (n integer GENERATED ALWAYS AS IDENTITY, what text, message text);
INSERT INTO way (what, message)
SELECT v.*
FROM (VALUES
	('CR', ended(:adt || '/', E'\r')),
	('CR, the last one missing', ended(:adt, E'\r')),
	('LF', ended(:adt || '/', E'\n')),
	('LF, the last one missing', ended(:adt, E'\n')),
	('CRLF', ended(:adt || '/', E'\r\n')),
	('CRLF, the last one missing', ended(:adt, E'\r\n')),
	('LFCR', ended(:adt || '/', E'\n\r')),
	('LF after a segment MSH with CR', replace(ended(:adt, E'\n'), E'\nEVN', E'\rEVN')),
	('CR after a segment MSH with LF', replace(ended(:adt, E'\r'), E'\rEVN', E'\nEVN')),
	('empty lines between', ended(:adt || '/', E'\r\r') || E'\n\n'),
	('CR and empty lines of LF between', ended(:adt || '/', E'\r\n\n')),
	('line ends before', E'\r\n\n' || ended(:adt || '/', E'\r')),
	('blanks before', E' \t ' || ended(:adt || '/', E'\r')),
	('byte order mark', U&'\FEFF' || ended(:adt || '/', E'\r')),
	('byte order mark, LF', U&'\FEFF' || ended(:adt || '/', E'\n')),
	('two byte order marks, CRLF', U&'\FEFF\FEFF' || ended(:adt || '/', E'\r\n')),
	('MLLP', E'\x0b' || ended(:adt || '/', E'\r') || E'\x1c\r'),
	('MLLP, the last CR missing', E'\x0b' || ended(:adt || '/', E'\r') || E'\x1c'),
	('MLLP, the last segment without CR', E'\x0b' || ended(:adt, E'\r') || E'\x1c\r'),
	('MLLP, LF', E'\x0b' || ended(:adt || '/', E'\n') || E'\x1c\n'),
	('MLLP, its end only', ended(:adt || '/', E'\r') || E'\x1c\r'),
	('MLLP and a byte order mark in it', E'\x0b' || U&'\FEFF' || ended(:adt || '/', E'\r') || E'\x1c\r'),
	('byte order mark and MLLP after it', U&'\FEFF' || E'\x0b' || ended(:adt || '/', E'\r') || E'\x1c\r')) AS v(what, message);
SELECT n, what, message::hl7v2::text = ended(:adt || '/', E'\r') AS right, message::hl7v2::text::hl7v2::text = message::hl7v2::text AS same
FROM way ORDER BY n;

-- Other things stay as they came.
SELECT what, shown(message::hl7v2)
FROM (VALUES
	(1, 'a message of MSH only', 'MSH|^~\&|||||||ACK'),
	(2, 'MSH-9 empty', 'MSH|^~\&|||||||'),
	(3, 'empty fields at ends', E'MSH|^~\\&|||||||ADT^A01||||\rPID|1||||\r'),
	(4, 'blanks at ends of segments', E'MSH|^~\\&|||||||ADT^A01 \rPID| 1 \r'),
	(5, 'a segment of a name only', E'MSH|^~\\&|||||||ADT^A01\rPID\rPV1\r'),
	(6, 'a segment of a name and a separator', E'MSH|^~\\&|||||||ADT^A01\rPID|\r'),
	(7, 'segments of a site', E'MSH|^~\\&|||||||ADT^A01\rZ12|a\rZAL|b\r'),
	(8, 'a segment that stands twice', E'MSH|^~\\&|||||||ADT^A01\rNTE|1\rNTE|1\r'),
	(9, 'segments of a batch after MSH', E'MSH|^~\\&|||||||ADT^A01\rBTS|1\rFTS|1\r'),
	(10, 'LF in a field, segments ended by CR', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nsecond\n\nfourth||F\rNTE|1\r'),
	(11, 'LF in a field, segments ended by CRLF', E'MSH|^~\\&|||||||ORU^R01\r\nOBX|1|FT|||first\nsecond||F\r\nNTE|1\r\n'),
	(12, 'LF before CR only', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\n\rNTE|1\r'),
	(13, 'LF and what looks like no segment', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nPIDX|1\npid|1\nPI|1\n1ID|\nPID^|\rNTE|1\r'),
	(14, 'LF and a segment', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nNTE|1\rNTE|2\r'),
	(15, 'LF and a line of text that could be a name', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nNIL\nCBC\n\nMRI done||F\rNTE|1\r'),
	(16, 'such a line at the end', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nNIL\r'),
	(17, 'a line of text that is called MSH', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nMSH level\nmore||F\rNTE|1\r'),
	(18, 'separators of all kinds', 'MSH$%*!@$$$$$$$ACK'),
	(19, 'five encoding characters', 'MSH|^~\&#|||||||ACK'),
	(20, 'one encoding character', 'MSH|^|||||||ACK'),
	(21, 'not only ASCII', E'MSH|^~\\&|||||||ADT^A01\rPID|||||M\u00fcller^\u00c9lodie\u4e2d\U0001F642\r'),
	(22, 'escapes', E'MSH|^~\\&|||||||ADT^A01\rNTE|1||a\\F\\b\\X0D\\c\\.br\\d\r'),
	(23, 'the delete value', E'MSH|^~\\&|||||||ADT^A01\rPID|""|^""\r')) AS v(n, what, message)
ORDER BY n;
SELECT count(*), count(*) FILTER (WHERE message::hl7v2::text::hl7v2::text <> message::hl7v2::text) AS changed_again
FROM (VALUES
	(E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nsecond\n\nfourth||F\rNTE|1\r'),
	(E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\n\rNTE|1\n\r'),
	(E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nNIL\n\n\rNTE\nCBC\nPV1|\n'),
	(E'MSH|^~\\&|||||||ORU^R01\nOBX|1\r\n\rNTE|\n\x1c\n\x1c'),
	(E'MSH|^~\\&|||||||ORU^R01\x1c\rOBX|1\x1c\r\x1c\r')) AS v(message);

-- From text and to text.
SELECT shown(hl7v2(E'MSH|^~\\&|||||||ACK\n')), shown(E'MSH|^~\\&|||||||ACK\n'::hl7v2), shown(hl7v2 E'MSH|^~\\&|||||||ACK\n'),
	shown(CAST((E'MSH|^~\\&|||||||ACK\n'::varchar) AS hl7v2));
CREATE TABLE as_text (body text);
INSERT INTO as_text VALUES (E'MSH|^~\\&|||||||ACK\n'::hl7v2);
SELECT length(body), right(body, 1) = E'\r' AS ends_with_cr FROM as_text;
SELECT NULL::hl7v2 IS NULL AS type, NULL::text::hl7v2 IS NULL AS cast, NULL::hl7v2 -> 'PID-3' IS NULL AS message, hl7v2(:adt) -> NULL IS NULL AS path,
	(SELECT count(*) FROM hl7v2_values(NULL, 'PID-3')) AS values_of, (SELECT count(*) FROM hl7v2_values(:adt, NULL)) AS values_at,
	(SELECT count(*) FROM hl7v2_segments(NULL)) AS segments;
-- Text becomes a message only where that is asked for.
CREATE TABLE feed (message_id integer GENERATED ALWAYS AS IDENTITY, message hl7v2);
INSERT INTO feed (message) VALUES ('MSH|^~\&|||||||ACK'::text);
INSERT INTO feed (message) VALUES ('MSH|^~\&|||||||ACK'), ('MSH|^~\&|||||||ACK'::text::hl7v2), (NULL);
SELECT message_id, shown(message) FROM feed ORDER BY message_id;
-- Messages have one operator; they are compared as text.
SELECT oprname, oprright::regtype, oprcode FROM pg_operator WHERE 'hl7v2'::regtype IN (oprleft, oprright);

-- COPY, as text and binary.
TRUNCATE feed RESTART IDENTITY;
COPY feed (message) FROM stdin;
MSH|^~\\&|EHR||||||ADT^A01\rPID|1\r
MSH|^~\\&|EHR||||||ADT^A01\nPID|2\n
\N
\.
COPY feed (message) FROM stdin;
MSH|^~\\&|EHR||||||ADT^A01\rSecret|1\r
\.
SELECT message_id, shown(message) FROM feed ORDER BY message_id;
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/hl7v2.bin'
INSERT INTO feed (message) SELECT message::hl7v2 FROM way;
INSERT INTO feed (message) VALUES
	(E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\nsecond||F\r'), (E'MSH|^~\\&|||||||ADT^A01\rPID|||||M\u00fcller\r'),
	(('MSH|^~\&|||||||MDM^T02' || E'\rOBX|1|TX|||' || repeat('a long report ', 20000))::hl7v2);
COPY feed TO :'file' (FORMAT binary);
CREATE TEMP TABLE copied (LIKE feed);
COPY copied FROM :'file' (FORMAT binary);
SELECT count(*), count(c.message), count(*) FILTER (WHERE f.message::text IS DISTINCT FROM c.message::text) AS different
FROM feed AS f FULL JOIN copied AS c USING (message_id);
SELECT convert_from(hl7v2_send(E'MSH|^~\\&|||||||ADT^A01\nPID|||||M\u00fcller'), 'UTF8') = E'MSH|^~\\&|||||||ADT^A01\rPID|||||M\u00fcller\r' AS sent;
-- what comes in the binary format is normalized as well
CREATE TEMP TABLE sent (message_id integer, body text);
INSERT INTO sent SELECT n, message FROM way;
COPY sent TO :'file' (FORMAT binary);
TRUNCATE copied;
COPY copied FROM :'file' (FORMAT binary);
SELECT count(*), count(*) FILTER (WHERE message::text <> ended(:adt || '/', E'\r')) AS different FROM copied;
TRUNCATE sent;
INSERT INTO sent VALUES (1, E'MSH|^~\\&|||||||ADT^A01\rPID|1\rSecret|2\r');
COPY sent TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE

-- A long one is kept as text is, and read as any other.
SELECT length(message::text) AS characters, pg_column_size(message) < 20000 AS compressed, length(message -> 'OBX-5') AS of_value
FROM feed WHERE message -> 'MSH-9.1' = 'MDM';
SELECT count(*), count(DISTINCT name) AS names, max("position") AS last
FROM hl7v2_segments((SELECT 'MSH|^~\&|||||||ORU^R01' || string_agg(E'\rOBX|' || g, '') FROM generate_series(1, 20000) AS g)::hl7v2);

-- Segments, a row each.
SELECT * FROM hl7v2_segments(ended(:adt, E'\n')::hl7v2);
SELECT * FROM hl7v2_segments(E'MSH|^~\\&|||||||ORU^R01\r\rOBX\rOBX|\rOBX|1|FT|||first\nsecond\r');
SELECT f.n, s."position", s.name
FROM (VALUES (1, E'MSH|^~\\&|||||||ADT^A01\rPID|1'::hl7v2), (2, NULL), (3, 'MSH|^~\&|||||||ACK')) AS f(n, message), hl7v2_segments(message) AS s
ORDER BY f.n, s."position";

-- Values, in the order of the message.
SELECT * FROM hl7v2_values('MSH|^~\&|||||||ADT^A01', 'MSH-9');
SELECT * FROM hl7v2_values(ended(:adt, E'\n')::hl7v2, 'PID-3');
SELECT * FROM hl7v2_values(ended(:adt, E'\n')::hl7v2, 'PID-3.1') AS id;
SELECT count(*) FROM hl7v2_values(ended(:adt, E'\n')::hl7v2, 'PID-3.2');
SELECT pg_typeof(v), v FROM hl7v2_values(ended(:adt, E'\n')::hl7v2, 'PID-5.1') AS v;
SELECT count(*), sum(v::integer) FROM hl7v2_values(('MSH|^~\&|||||||ORU^R01' || repeat(E'\rOBX|1~2~~3|x~4~5', 1000))::hl7v2, 'OBX-1') AS v;
-- many repetitions take no longer each
SET statement_timeout = '1min';
SELECT count(*), sum(v::integer)
FROM hl7v2_values(('MSH|^~\&|||||||ORU^R01' || E'\rZZZ|' || repeat('7~', 1000000) || repeat('~', 1000000) || '1|2')::hl7v2, 'ZZZ-1') AS v;
RESET statement_timeout;
-- one call may be given several paths
SELECT path, hl7v2(ended(:adt, E'\n')) -> path AS first, ARRAY(SELECT hl7v2_values(ended(:adt, E'\n')::hl7v2, path)) AS all
FROM (VALUES (1, 'PID-3.1'), (2, 'PID-3.1'), (3, 'PID-3[2].1'), (4, 'PID-5.2'), (5, 'PV1-2'), (6, 'PV1-3'), (7, 'PID-3.1')) AS v(n, path) ORDER BY n;

-- An index on what a path leads to.
CREATE TABLE stored (message_id integer, body text);
INSERT INTO stored SELECT g, 'MSH|^~\&|EHR|HOSP|||||ADT^A01|' || g || E'\nPID|1||P' || g % 500 || '^^^HOSP' FROM generate_series(1, 2000) AS g;
CREATE INDEX stored_patient ON stored (((body::workflow_track.hl7v2) -> 'PID-3.1'));
ANALYZE stored;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT message_id FROM stored WHERE body::hl7v2 -> 'PID-3.1' = 'P42' ORDER BY message_id;
SELECT message_id FROM stored WHERE body::hl7v2 -> 'PID-3.1' = 'P42' ORDER BY message_id;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT message_id FROM stored WHERE hl7v2(body) -> 'PID-3.1' = 'P42' ORDER BY message_id;
-- what is no message does not get in
INSERT INTO stored VALUES (0, 'PID|1||P42');

-- What is no message.  Nothing of it is shown.
CREATE FUNCTION refusal(statement text, argument text, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement USING argument;
	code := 'taken';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	hint := nullif(hint, '');
END
$$;
CREATE TABLE none (n integer GENERATED ALWAYS AS IDENTITY, what text, message text);
INSERT INTO none (what, message) VALUES
	('nothing', ''),
	('blanks', ' '),
	('line ends', E'\r\n'),
	('MLLP with nothing in it', E'\x0b\x1c\r'),
	('other text', 'Secret'),
	('a beginning of MSH', 'MS'),
	('another segment first', E'PID|1||Secret\rMSH|^~\\&|||||||ADT^A01\r'),
	('a batch', E'BHS|^~\\&|Secret\rMSH|^~\\&|||||||ADT^A01\rBTS|1\r'),
	('small letters', 'msh|^~\&|||||||ADT^Secret'),
	('something before it', 'Secret MSH|^~\&|||||||ADT^A01'),
	('MSH alone', 'MSH'),
	('MSH-1 only', 'MSH|'),
	('MSH-2 and its segment ends', 'MSH|^~\&'),
	('MSH-8 and its segment ends', 'MSH|^~\&|Secret|||||'),
	('MSH-8 and another segment', E'MSH|^~\\&|Secret|||||\rPID|1||Secret||||\r'),
	('a longer name', 'MSHA|^~\&|||||||ADT^Secret'),
	('MSH-1 a digit', 'MSH1^~\&1Secret111111'),
	('MSH-1 a blank', 'MSH ^~\& Secret      ADT^A01'),
	('MSH-1 a quote', 'MSH"^~\&"Secret""""""'),
	('MSH-1 a tab', E'MSH\t^~\\&\tSecret\t\t\t\t\tADT^A01'),
	('MSH-1 not ASCII', 'MSH¦^~\&¦Secret¦¦¦¦¦ADT^A01'),
	('MSH-2 empty', 'MSH||Secret||||||ADT^A01'),
	('MSH-2 with a letter', 'MSH|^~E&|Secret||||||ADT^A01'),
	('MSH-2 with a blank', 'MSH|^~\& |Secret||||||ADT^A01'),
	('MSH-2 with one twice', 'MSH|^~^&|Secret||||||ADT^A01'),
	('MSH-2 with six', 'MSH|^~\&#$|Secret||||||ADT^A01'),
	('MSH-2 not ended', 'MSH|^~\&#'),
	('MSH-2 with text', 'MSH|Secret||||||ADT^A01'),
	('a name of two', E'MSH|^~\\&|||||||ADT^A01\rPI|Secret\r'),
	('a name of four', E'MSH|^~\\&|||||||ADT^A01\rPIDX|Secret\r'),
	('a name with small letters', E'MSH|^~\\&|||||||ADT^A01\rPid|Secret\r'),
	('a name with a digit first', E'MSH|^~\\&|||||||ADT^A01\r1ID|Secret\r'),
	('another separator', E'MSH|^~\\&|||||||ADT^A01\rPID^Secret\r'),
	('a blank before a segment', E'MSH|^~\\&|||||||ADT^A01\r PID|Secret\r'),
	('text after the last segment', E'MSH|^~\\&|||||||ADT^A01\rPID|1\rPV1|1\rSecret'),
	('LF in a field, segments ended by LF', E'MSH|^~\\&|||||||ORU^R01\nOBX|1|FT|||first\nSecret||F\n'),
	('CR in a field', E'MSH|^~\\&|||||||ORU^R01\rOBX|1|FT|||first\rSecret||F\r'),
	('after the frame', E'\x0bMSH|^~\\&|||||||ADT^A01\rPID|1\r\x1c\rSecret'),
	('two messages', E'MSH|^~\\&|||||||ADT^A01\rPID|1||Secret\rMSH|^~\\&|||||||ADT^A01\r'),
	('two messages, LF', E'MSH|^~\\&|||||||ADT^A01\nMSH|^~\\&|Secret||||||ADT^A01\n'),
	('two messages, LF and CR', E'MSH|^~\\&|||||||ADT^A01\rPID|1\nMSH|^~\\&|Secret||||||ADT^A01\r'),
	('two frames', E'\x0bMSH|^~\\&|||||||ADT^A01\r\x1c\r\x0bMSH|^~\\&|Secret||||||ADT^A01\r\x1c\r');
SELECT n, what, code, detail FROM none, refusal('SELECT $1::workflow_track.hl7v2', message) ORDER BY n;
SELECT DISTINCT r.code, r.message, r.hint FROM none, refusal('SELECT $1::workflow_track.hl7v2', none.message) AS r;
-- the type's input says the same as the cast
SELECT count(*) AS cases, count(*) FILTER (WHERE i IS DISTINCT FROM c) AS different,
	count(*) FILTER (WHERE concat(c.message, c.detail, c.hint) ~* 'secret') AS shown
FROM none, refusal('SELECT workflow_track.hl7v2_in($1::cstring)', none.message) AS i, refusal('SELECT $1::workflow_track.hl7v2', none.message) AS c;
SELECT workflow_track.hl7v2_in('Secret');
\echo :LAST_ERROR_SQLSTATE

-- Where the server has soft errors, they are soft.
DO $$
BEGIN
	IF current_setting('server_version_num')::integer >= 160000 THEN
		IF pg_input_is_valid('Secret', 'workflow_track.hl7v2') OR NOT pg_input_is_valid('MSH|^~\&|||||||ACK', 'workflow_track.hl7v2') THEN
			RAISE EXCEPTION 'errors are not soft';
		END IF;
	END IF;
END
$$;

-- What the planner may do with the functions.
SELECT proname, provolatile, proisstrict, proparallel FROM pg_proc
WHERE pronamespace = 'workflow_track'::regnamespace AND (proname ~ '^hl7v2_(in|out|recv|send|first|values|segments|ack)$' OR proname = 'hl7v2')
ORDER BY proname;
