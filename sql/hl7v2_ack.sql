CREATE EXTENSION workflow_track;
SET search_path = workflow_track, pg_catalog, public;
SET timezone = 'UTC';
SET jit = off;
\set SHOW_CONTEXT never

-- An acknowledgement without what differs each time, its segments on lines.
CREATE FUNCTION shown(ack hl7v2) RETURNS text LANGUAGE sql AS $$
	SELECT replace(rtrim(regexp_replace(regexp_replace(ack::text, '\d{14}[+-]\d{4}', '<time>'), '[0-9A-F]{14,20}', '<id>'), E'\r'), E'\r', E'\n')
$$;
-- A message of a version.
CREATE FUNCTION message_of(version text) RETURNS hl7v2 LANGUAGE sql AS $$
	SELECT (E'MSH|^~\\&|EHR|HOSP^1.2.3^ISO|WT|HUB|20240301120000||ADT^A01^ADT_A01|M1|T|' || version || E'\rPID|1||Secret\r')::hl7v2
$$;
\pset format unaligned
\pset tuples_only

-- AA in each version: MSH-9 has the trigger from 2.3 on and the structure from 2.4 on.
SELECT shown(hl7v2_ack(message_of(version), 'AA'))
FROM unnest(ARRAY['2.1', '2.2', '2.3', '2.3.1', '2.4', '2.5', '2.5.1', '2.8']) WITH ORDINALITY AS v(version, n) ORDER BY n;
-- AE: what is wrong stands in MSA-3 and ERR-1 up to 2.4, and in ERR-3, ERR-4 and ERR-8 from 2.5 on.
SELECT shown(hl7v2_ack(message_of(version), 'AE', 'no such patient'))
FROM unnest(ARRAY['2.1', '2.2', '2.3', '2.3.1', '2.4', '2.5', '2.5.1', '2.8']) WITH ORDINALITY AS v(version, n) ORDER BY n;
-- Each code; there is a segment ERR where something is wrong.  From 2.5 on text goes nowhere else.
SELECT shown(hl7v2_ack(message_of('2.3'), code, 'text'))
FROM unnest(ARRAY['AA', 'AE', 'AR', 'CA', 'CE', 'CR']) WITH ORDINALITY AS v(code, n) ORDER BY n;
SELECT shown(hl7v2_ack(message_of('2.5.1'), code, 'text'))
FROM unnest(ARRAY['AA', 'AE', 'AR', 'CA', 'CE', 'CR']) WITH ORDINALITY AS v(code, n) ORDER BY n;

-- Versions that are written otherwise, or not at all.
SELECT shown(hl7v2_ack(message_of(version), 'AE', 'text'))
FROM unnest(ARRAY['', '""', '2.5.1^USA', '2.3^USA', '2', 'D', ' ']) WITH ORDINALITY AS v(version, n) ORDER BY n;

-- Who receives becomes who sends, as it was written; so do components and escapes.
SELECT shown(hl7v2_ack('MSH|^~\&|A&B^C|D\T\E~F|G^H|"" |20240301||ORU^R01||P|2.3', 'AA'));
SELECT shown(hl7v2_ack('MSH|^~\&|||||||ACK', 'AA'));
SELECT ack -> 'MSH-3', ack -> 'MSH-4.2', ack -> 'MSH-5', ack -> 'MSH-6', ack -> 'MSA-1', ack -> 'MSA-2', ack -> 'MSH-9.1', ack -> 'MSH-11', ack -> 'MSH-12'
FROM hl7v2_ack('MSH|^~\&|S|SF^1.2|R|RF^3.4|20240301||ORU^R01|ID\F\7|D|2.4', 'AA') AS ack;

-- MSH-9 without a trigger, with an odd one, repeated.
SELECT shown(hl7v2_ack(('MSH|^~\&|EHR|||||| ' || type || '|1|P|2.5.1')::hl7v2, 'AA'))
FROM unnest(ARRAY['ADT', 'ADT^', 'ADT^^ADT_A01', 'ADT^ A08 ', 'ORU^R01~ORU^R32', '']) WITH ORDINALITY AS v(type, n) ORDER BY n;

-- MSH-18, the character set, is copied, with repetitions; MSH-11 is P where it is empty.
SELECT shown(hl7v2_ack('MSH|^~\&|EHR||||||ADT^A01|1|P|2.5.1||||||UNICODE UTF-8', 'AA'));
SELECT shown(hl7v2_ack('MSH|^~\&|EHR||||||ADT^A01|1||2.3.1|1||AL|NE|USA|8859/1~ISO IR87|en', 'AE', 'text'));
SELECT ack -> 'MSH-18', ack -> 'MSH-18[2]' FROM hl7v2_ack('MSH|^~\&|EHR||||||ADT^A01|1|T|2.3.1||||||8859/1~ISO IR87', 'AA') AS ack;

-- Delimiters are the sender's.
SELECT shown(hl7v2_ack(message::hl7v2, 'AE', 'a|b^c~d\e&f#g$h%i*j!k@l'))
FROM unnest(ARRAY[
	'MSH$%*!@$EHR$A%B$WT$HUB$20240301$$ADT%A01%ADT_A01$M1$P$2.3',
	'MSH$%*!@$EHR$A%B$WT$HUB$20240301$$ADT%A01%ADT_A01$M1$P$2.5.1',
	'MSH|^~\&#|EHR|A^B|WT|HUB|20240301||ADT^A01^ADT_A01|M1|P|2.4',
	'MSH|^~\&#|EHR|A^B|WT|HUB|20240301||ADT^A01^ADT_A01|M1|P|2.8',
	'MSH|^~\|EHR|A^B|WT|HUB|20240301||ADT^A01|M1|P|2.2',
	'MSH|^~|EHR|A^B|WT|HUB|20240301||ADT^A01|M1|P|2.2',
	'MSH|^|EHR|A^B|WT|HUB|20240301||ADT^A01|M1|P|2.5']) WITH ORDINALITY AS v(message, n) ORDER BY n;

-- Text is escaped, so that it reads back as it was, but for what ends lines and frames.
SELECT shown(hl7v2_ack(message_of('2.3'), 'AE', E'a|b^c~d\\e&f\\F\\g "h" \u00e9\u4e2d'));
SELECT shown(hl7v2_ack(message_of('2.5'), 'AE', E'a|b^c~d\\e&f\\F\\g "h" \u00e9\u4e2d'));
SELECT hl7v2_ack(message_of('2.3'), 'AE', text) -> 'MSA-3' = text AS as_msa_3, hl7v2_ack(message_of('2.5'), 'AE', text) -> 'ERR-8' = text AS as_err_8
FROM (SELECT E'a|b^c~d\\e&f\\F\\g "h" \u00e9\u4e2d \\.br\\ \\X41\\') AS t(text);
SELECT hl7v2_ack('MSH|^~\&#|EHR||||||ADT^A01|1|P|2.8', 'AE', 'a#b') -> 'ERR-8';
SELECT shown(hl7v2_ack(message_of('2.3'), 'AE', E'a\rPID|1\nb\r\nc\td'));
SELECT shown(hl7v2_ack(message_of('2.5'), 'AE', E'end of a frame\x1c\r')) || '.';
SELECT count(*) FROM hl7v2_segments(hl7v2_ack(message_of('2.3'), 'AE', E'a\rPID|1\nMSH|b'));
SELECT shown(hl7v2_ack(message_of(version), 'AE', '')) FROM unnest(ARRAY['2.3', '2.5']) WITH ORDINALITY AS v(version, n) ORDER BY n;
-- a long one is cut, not in a character
SELECT length(ack -> 'MSA-3'), octet_length(ack -> 'MSA-3') FROM hl7v2_ack(message_of('2.3'), 'AE', repeat('x', 1000)) AS ack;
SELECT length(ack -> 'ERR-8'), octet_length(ack -> 'ERR-8') FROM hl7v2_ack(message_of('2.5'), 'AE', repeat(E'\u4e2d', 1000)) AS ack;
SELECT ack -> 'ERR-8' = repeat('|', 400) FROM hl7v2_ack(message_of('2.5'), 'AE', repeat('|', 1000)) AS ack;

-- Nothing else of the message goes into it.
SELECT count(*) FROM unnest(ARRAY['2.1', '2.5.1']) AS version, unnest(ARRAY['AA', 'AE', 'CR']) AS code
WHERE hl7v2_ack(message_of(version), code)::text ~ 'Secret';

-- It is a message itself, which reads back as itself.
SELECT count(*), count(*) FILTER (WHERE ack::text::hl7v2::text = ack::text) AS same, count(*) FILTER (WHERE ack -> 'MSA-2' = 'M1') AS answers
FROM unnest(ARRAY['2.1', '2.2', '2.3', '2.3.1', '2.4', '2.5.1', '2.8']) AS version, unnest(ARRAY['AA', 'AE', 'AR', 'CA', 'CE', 'CR']) AS code,
	unnest(ARRAY[NULL, '', 'text', E'a|b\r\nc']) AS text, hl7v2_ack(message_of(version), code, text) AS ack;

-- NULL of a message or a code gives NULL; NULL is no text.
SELECT hl7v2_ack(NULL, 'AA') IS NULL, hl7v2_ack(message_of('2.3'), NULL) IS NULL, hl7v2_ack(NULL, NULL, NULL) IS NULL, hl7v2_ack(NULL, 'XX') IS NULL;
SELECT shown(hl7v2_ack(message_of(version), 'AE', NULL)) FROM unnest(ARRAY['2.3', '2.5']) WITH ORDINALITY AS v(version, n) ORDER BY n;

-- Other codes.
SELECT hl7v2_ack(message_of('2.3'), 'OK');
\echo :LAST_ERROR_SQLSTATE
SELECT hl7v2_ack(message_of('2.3'), 'aa');
SELECT hl7v2_ack(message_of('2.3'), '');
SELECT hl7v2_ack(message_of('2.3'), 'AA ');
SELECT hl7v2_ack('Secret', 'AA');
\echo :LAST_ERROR_SQLSTATE

-- The control id has at most 20 characters, as the older versions allow, and is another one each time.
SELECT count(*), count(DISTINCT id), max(length(id)) <= 20 AS short, count(*) FILTER (WHERE id !~ '^[0-9A-F]+$') AS odd
FROM (SELECT hl7v2_ack(message_of('2.3'), 'AA') -> 'MSH-10' FROM generate_series(1, 1000)) AS a(id);
-- MSH-7 is now, with the offset of the session's time zone.
SELECT time ~ '^\d{14}\+0000$', to_timestamp(time, 'YYYYMMDDHH24MISS') BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
FROM (SELECT hl7v2_ack(message_of('2.3'), 'AA') -> 'MSH-7') AS a(time);
SET timezone = 'Asia/Kolkata';
SELECT time ~ '^\d{14}\+0530$', to_timestamp(time, 'YYYYMMDDHH24MISS') BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
FROM (SELECT hl7v2_ack(message_of('2.3'), 'AA') -> 'MSH-7') AS a(time);
SET timezone = '<-0330>+3:30';
SELECT time ~ '^\d{14}-0330$', to_timestamp(time, 'YYYYMMDDHH24MISS') BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
FROM (SELECT hl7v2_ack(message_of('2.3'), 'AA') -> 'MSH-7') AS a(time);

-- What a message says may end as frames do, which no segment does: the acknowledgement reads back as it is.
SELECT ack::text::hl7v2::text = ack::text AS same, shown(ack)
FROM hl7v2_ack(E'MSH|^~\\&|EHR||||||ADT^A01|1|P|2.5.1\x1c\x1c|\x1cx', 'AA') AS ack;
