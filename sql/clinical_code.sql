CREATE EXTENSION workflow_track;
SET search_path = workflow_track, pg_catalog, public;
SET jit = off;

-- What is written in many ways is stored in one, which reads back as itself.
SELECT given, given::clinical_code AS code, (given::clinical_code)::text::clinical_code = given::clinical_code AS same
FROM unnest(ARRAY[
	'loinc|2345-7', 'loinc|2823-3', 'loinc|718-7', 'loinc|4548-4', 'loinc|10839-9', 'loinc|24325-3', 'loinc|1-8',
	'LOINC|2345-7', '  loinc | 2345-7	',
	'snomed|44054006', 'snomed|73211009', 'snomed|22298006', 'snomed|140004', 'snomed|900000000000207008',
	'npi|1234567893',
	'icd10cm|E11.9', 'icd10cm|e119', 'ICD10CM|I10', 'icd10cm|i10.', 'icd10cm|s93.401a', 'icd10cm|S93401A', 'icd10cm|c7a.00', 'icd10cm|Z3A',
	'icd10pcs|0dtj4zz',
	'icd9cm|250.00', 'icd9cm|25000', 'icd9cm|v58.69', 'icd9cm|e8490', 'icd9cm|496',
	'cpt|99213', 'cpt|0001f', 'cpt|0202U',
	'hcpcs|g0438',
	'ndc|00069-2587-68', 'ndc|0069-2587-68', 'ndc|00069-258-68', 'ndc|00069-2587-6', 'ndc|00069258768',
	'rxnorm|197361', 'cvx|8', 'cvx|08', 'cvx|008', 'cvx|140',
	'local:LAB7|GLU', 'LOCAL: Lab 7 | a|b "c" ''d'' \ é ', 'local:|GLU']) AS given;

-- Names of HL7 v2 and FHIR.
SELECT name, code_system(clinical_code(name, code)) AS system
FROM (VALUES
	('2345-7', ARRAY['LN', 'ln', 'http://loinc.org', 'https://loinc.org', 'urn:oid:2.16.840.1.113883.6.1', '2.16.840.1.113883.6.1']),
	('44054006', ARRAY['SCT', 'SCT2', 'SNM', 'SNM3', 'SNOMED-CT', 'SNOMEDCT', 'http://snomed.info/sct', 'urn:oid:2.16.840.1.113883.6.96']),
	('1234567893', ARRAY['NPI', 'http://hl7.org/fhir/sid/us-npi', 'urn:oid:2.16.840.1.113883.4.6']),
	('E11.9', ARRAY['I10', 'I10C', 'ICD10', 'ICD-10', 'ICD-10-CM', 'http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10', 'urn:oid:2.16.840.1.113883.6.90', 'urn:oid:2.16.840.1.113883.6.3']),
	('0DTJ4ZZ', ARRAY['I10P', 'ICD-10-PCS', 'http://www.cms.gov/Medicare/Coding/ICD10', 'urn:oid:2.16.840.1.113883.6.4']),
	('250.00', ARRAY['I9', 'I9C', 'I9CDX', 'ICD9', 'ICD-9-CM', 'http://hl7.org/fhir/sid/icd-9-cm', 'urn:oid:2.16.840.1.113883.6.103']),
	('99213', ARRAY['C4', 'CPT', 'CPT4', 'CPT-4', 'http://www.ama-assn.org/go/cpt', 'urn:oid:2.16.840.1.113883.6.12']),
	('G0438', ARRAY['HCPCS', 'HPC', 'https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', 'urn:oid:2.16.840.1.113883.6.285']),
	('0069-2587-68', ARRAY['NDC', 'http://hl7.org/fhir/sid/ndc', 'urn:oid:2.16.840.1.113883.6.69']),
	('197361', ARRAY['RXNORM', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'urn:oid:2.16.840.1.113883.6.88']),
	('08', ARRAY['CVX', 'http://hl7.org/fhir/sid/cvx', 'urn:oid:2.16.840.1.113883.12.292'])) AS v(code, names), unnest(names) AS name;
SELECT 'LN|2345-7'::clinical_code, 'C4|99213'::clinical_code, 'http://loinc.org|2345-7'::clinical_code;

-- What is no code.
SELECT '2345-7'::clinical_code;
SELECT ''::clinical_code;
SELECT 'loinc|'::clinical_code;
SELECT 'local:LAB7| '::clinical_code;
SELECT 'foo|1'::clinical_code;
SELECT '|1'::clinical_code;
SELECT 'local|1'::clinical_code;
SELECT 'loinc|2345-6'::clinical_code;
SELECT 'loinc|23457'::clinical_code;
SELECT 'snomed|44054007'::clinical_code;
SELECT 'npi|1234567890'::clinical_code;
SELECT 'npi|3234567893'::clinical_code;
SELECT 'icd10cm|E1.19'::clinical_code;
SELECT 'icd10pcs|0DTI4ZZ'::clinical_code;
SELECT 'icd9cm|99.25'::clinical_code;
SELECT 'cpt|99213-25'::clinical_code;
SELECT 'hcpcs|99213'::clinical_code;
SELECT 'ndc|0069258768'::clinical_code;
SELECT 'rxnorm|amoxicillin'::clinical_code;
SELECT 'cvx|1400'::clinical_code;
SELECT system || '|' || code AS accepted
FROM (VALUES
	('loinc', ARRAY['-7', '2345-', '2345-7 7', '2345-7|', '02345-7', '12345678-2', '2a45-7', '2345–7', '2345-77', '0-0']),
	('snomed', ARRAY['44059', '044054006', '4405400a', '9000000000002070087', '44054006 |Diabetes|']),
	('npi', ARRAY['123456789', '12345678934', '0000000006', '123456789X']),
	('icd10cm', ARRAY['E1', 'E1.', '111.9', 'EE1.9', 'E11.9.', 'E11..9', 'E11.12345', 'E1112345', 'E11.1-', 'É11']),
	('icd10pcs', ARRAY['0DTJ4Z', '0DTJ4ZZZ', '0DTJ4Z.', '0DTO4ZZ']),
	('icd9cm', ARRAY['25', '25000.', '250.000', 'A50', 'V5', 'E849.00', 'E84', 'V5A', '250.0A']),
	('cpt', ARRAY['9921', '992133', '9921A3', '9921X', 'A9213']),
	('hcpcs', ARRAY['G438', 'GG438', 'G04388', '0438G']),
	('ndc', ARRAY['00069-2587-688', '0069-258-68', '069-2587-68', '00069-2587', '00069-2587-', '00069258-768', '0006a258768', '000692587688', '-00069-2587-68', '00069--2587-6']),
	('rxnorm', ARRAY['0197361', '123456789', '19x']),
	('cvx', ARRAY['x', '08a'])) AS v(system, codes), unnest(codes) AS code
WHERE clinical_code(system, code) <> ('local:' || system || '|' || code)::clinical_code;

-- Of the ten last digits a code can have, one is right, which no changed digit and
-- (but for 09 and 90 where Luhn's formula is used) no two swapped neighbours leave so.
CREATE TABLE checked AS
SELECT system, body || digit AS code, code_system(clinical_code(system, body || digit)) = system AS valid, body
FROM (
	SELECT 'loinc', g || '-' FROM generate_series(1, 9999999, 33337) AS g
	UNION ALL
	SELECT 'snomed', g::text FROM generate_series(10000, 99999, 333) AS g
	UNION ALL
	SELECT 'snomed', left((g::numeric ^ 9)::bigint::text, 17) FROM generate_series(40, 100) AS g
	UNION ALL
	SELECT 'npi', g::text FROM generate_series(100000000, 299999999, 777777) AS g) AS b(system, body),
	generate_series(0, 9) AS digit;
SELECT system, count(DISTINCT body) AS codes, count(*) FILTER (WHERE valid) AS valid, max(per_body) AS valid_of_ten
FROM (SELECT *, count(*) FILTER (WHERE valid) OVER (PARTITION BY system, body) AS per_body FROM checked) AS c
GROUP BY system ORDER BY system;
SELECT system, count(*) > 5000 AS many, count(*) FILTER (WHERE code_system(clinical_code(system, changed)) = system) AS undetected
FROM (SELECT system, code, overlay(code PLACING digit::text FROM place FOR 1) AS changed
	FROM checked, generate_series(1, length(code)) AS place, generate_series(1, 9) AS digit
	WHERE valid AND substr(code, place, 1) BETWEEN '0' AND '9') AS c
WHERE changed <> code GROUP BY system ORDER BY system;
SELECT system, count(*) > 1000 AS many, count(*) FILTER (WHERE code_system(clinical_code(system, changed)) = system) AS undetected
FROM (SELECT system, code, substr(code, place, 2) AS pair,
		overlay(code PLACING reverse(substr(code, place, 2)) FROM place FOR 2) AS changed
	FROM checked, generate_series(1, length(code) - 1) AS place
	WHERE valid AND substr(code, place, 2) ~ '^\d\d$') AS c
WHERE changed <> code AND (system = 'snomed' OR pair NOT IN ('09', '90')) GROUP BY system ORDER BY system;

-- The code of a message is kept, whatever it is.
SELECT system, code, clinical_code(system, code)
FROM (VALUES
	('LN', '2345-7'), ('LN', '2345-6'), ('LN', 'GLU'), ('99LIS', 'POC-GLU'), ('L', 'GLU'), (' C4 ', ' 99213 '),
	('', 'GLU'), (NULL, 'GLU'), ('LAB|7', 'A|B'), ('local:LAB7', 'GLU'), ('LN|2345-7', '2345-7'),
	('LN', ' '), ('LN', ''), ('LN', NULL)) AS v(system, code);
SELECT length(code::text), octet_length(code::text), octet_length(code_system(code)), code::text::clinical_code = code AS same
FROM (VALUES (clinical_code('LN', repeat('é', 2000))), (clinical_code(repeat('é', 2000), 'GLU')),
	(clinical_code(repeat('|', 2000), repeat('x ', 2000)))) AS v(code);

-- A code has at most 1024 bytes, and so has a prefix.
SELECT octet_length(('local:LAB7|' || repeat('x', 1013))::clinical_code::text);
CREATE FUNCTION detail_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END
$$;
SELECT detail_of($$SELECT ('local:LAB7|' || repeat('x', 1014))::clinical_code$$);
SELECT detail_of($$SELECT 'loinc|2345-7'::clinical_code <@ ('local:LAB7|' || repeat('x', 1013))$$);
SELECT detail_of($$SELECT 'loinc|2345-7'::clinical_code <@ ('local:LAB7|' || repeat('x', 1014))$$);

-- Parts and casts.
SELECT code, code_system(code), code_value(code)
FROM unnest(ARRAY['loinc|2345-7', 'local:LAB7|A|B', 'local:|GLU']::clinical_code[]) AS code;
CREATE TABLE notes (note text);
INSERT INTO notes VALUES ('loinc|2345-7'::clinical_code);
SELECT note FROM notes;
SELECT 'loinc|2345-7'::clinical_code || ''::text;
\set VERBOSITY terse
SELECT length('loinc|2345-7'::clinical_code);
\set VERBOSITY default

-- Binary format.
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/clinical_code.bin'
CREATE TABLE codes (code clinical_code);
INSERT INTO codes VALUES ('loinc|2345-7'), ('icd10cm|E11.9'), ('local:LAB7|é'), (NULL);
COPY codes TO :'file' (FORMAT binary);
CREATE TABLE copied (LIKE codes);
COPY copied FROM :'file' (FORMAT binary);
SELECT * FROM copied;
SELECT convert_from(clinical_code_send('local:LAB7|é'), 'UTF8');
CREATE TABLE sent (code text);
INSERT INTO sent VALUES ('LN|2345-7');
COPY sent TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
SELECT * FROM copied OFFSET 4;
UPDATE sent SET code = 'loinc|2345-6';
COPY sent TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);

-- Order is that of bytes, and equality that of canonical forms.
INSERT INTO codes SELECT ('cpt|' || g)::clinical_code FROM generate_series(10000, 99999, 7) AS g;
INSERT INTO codes SELECT ('rxnorm|' || g)::clinical_code FROM generate_series(1, 9999, 3) AS g;
INSERT INTO codes VALUES ('icd10cm|e11'), ('icd10cm|e11.65'), ('icd10cm|e12.9'), ('snomed|44054006'), ('local:LAB7|GLU'), ('local:LAB7|K'), ('local:LAB70|K'), ('local:lab7|GLU'), ('local:Z|é');
SELECT code FROM codes WHERE code > 'icd10cm|E11.65' ORDER BY code LIMIT 7;
SELECT count(*) AS misplaced
FROM (SELECT code, row_number() OVER (ORDER BY code) - row_number() OVER (ORDER BY code::text COLLATE "C") AS d FROM codes) AS c
WHERE d <> 0;
SELECT a < b, a <= b, a = b, a <> b, a >= b, a > b, sign(clinical_code_cmp(a, b))
FROM (VALUES
	('I10|e119'::clinical_code, 'icd10cm|E11.9'::clinical_code),
	('icd10cm|E11', 'icd10cm|E11.9'),
	('local:b|1', 'local:B|1')) AS v(a, b);
ANALYZE codes;
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS off) SELECT count(*) FROM codes AS a JOIN codes AS b USING (code);
SELECT count(*) FROM codes AS a JOIN codes AS b USING (code);
SET enable_hashjoin = off;
SET enable_mergejoin = on;
EXPLAIN (COSTS off) SELECT count(*) FROM codes AS a JOIN codes AS b USING (code);
SELECT count(*) FROM codes AS a JOIN codes AS b USING (code);
RESET enable_hashjoin;
RESET enable_nestloop;
CREATE TABLE spread (code clinical_code) PARTITION BY HASH (code);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO spread SELECT * FROM codes;
SELECT count(*) > 5000 AS about_half FROM spread_0;
SELECT count(*) FROM spread WHERE code = 'C4|10000';

-- Prefixes are normalized as codes are.
SELECT given, clinical_code_prefix(given)
FROM unnest(ARRAY['icd10cm|e11', 'icd10cm|E119', 'icd10cm|E119.', 'icd10cm|E11.', 'icd10cm|e', 'LN|23', 'loinc|2345-6', 'cpt|', 'C4', ' cpt | 99 ',
	'hcpcs|g0', 'icd10pcs|0dt', 'icd9cm|2500', 'icd9cm|e8490', 'icd9cm|V5',
	'ndc|00069', 'ndc|000692587', 'ndc|0006925876', 'ndc|0069-', 'ndc|0069-258', 'ndc|00069-258-', 'ndc|0069-2587-68', 'ndc|00069-2587-6', 'cvx|1',
	'local:LAB7|', 'local:LAB7|g', 'local:LAB', 'LOCAL:']) AS given;
SELECT clinical_code_prefix('foo|1');
SELECT clinical_code_prefix('');
SELECT count(*) FROM codes WHERE code <@ 'foo|1';
SELECT code FROM codes WHERE code <@ 'icd10cm|E11' ORDER BY code;
SELECT code FROM codes WHERE code <@ 'icd10cm|E119';
SELECT code FROM codes WHERE code <@ 'local:LAB7' ORDER BY code;
SELECT code FROM codes WHERE code <@ 'local:LAB7|' ORDER BY code;
SELECT count(*) FROM codes WHERE code <@ NULL;
SELECT count(*) FROM codes WHERE NOT code <@ 'cpt';

-- An index serves them.
CREATE INDEX ON codes (code);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT * FROM codes WHERE code <@ 'I10|e119';
EXPLAIN (COSTS off) SELECT * FROM codes WHERE code <@ 'C4|';
EXPLAIN (COSTS off) SELECT * FROM codes WHERE code <@ U&'local:Z|a\007f';
PREPARE by_prefix(text) AS SELECT count(*) FROM codes WHERE code <@ $1;
EXPLAIN (COSTS off) EXECUTE by_prefix('cpt|9921');
EXECUTE by_prefix('cpt|9921');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS off) EXECUTE by_prefix('cpt|9921');
EXECUTE by_prefix('cpt|9921');
RESET plan_cache_mode;
CREATE VIEW guarded WITH (security_barrier) AS SELECT code FROM codes WHERE code IS NOT NULL;
EXPLAIN (COSTS off) SELECT * FROM guarded WHERE code <@ 'cpt|9921';

-- With the index and without it, codes are found by each of their beginnings.
CREATE TABLE prefixes AS
SELECT prefix, (SELECT count(*) FROM codes WHERE starts_with(code::text, prefix)) AS codes
FROM (SELECT DISTINCT left(code::text, n)
	FROM codes, generate_series(6, 15) AS n WHERE code::text ~ '^(icd|local)'
	UNION
	SELECT DISTINCT left(code::text, n)
	FROM codes, generate_series(3, 6) AS n WHERE code::text ~ '^cpt') AS p(prefix)
WHERE prefix !~ '^icd10c?$';
CREATE FUNCTION count_codes(prefix text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	codes bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM codes WHERE code <@ %L', prefix) INTO codes;
	RETURN codes;
END
$$;
SELECT count(*), sum(codes), count(*) FILTER (WHERE count_codes(prefix) <> codes) AS different FROM prefixes;
SET enable_seqscan = on;
SET enable_indexonlyscan = off;
SET enable_indexscan = off;
SELECT count(*), sum(codes), count(*) FILTER (WHERE count_codes(prefix) <> codes) AS different FROM prefixes;
