CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');
SELECT define_workflow('{"workflow": "billing", "version": 1, "state": "current", "billing": [
 {"name": "procedures", "codes": "cpt|", "documented_by": ["procedure.documented", "note.signed"], "within": "24 hours"},
 {"name": "visits", "codes": "cpt|9921", "documented_by": ["procedure.documented"], "requires_modifiers": ["25", "GT"], "within": "48 hours"},
 {"name": "imaging", "codes": "cpt|705", "documented_by": ["procedure.documented"], "requires_authorization": true, "within": "24 hours"}]}');
INSERT INTO staff (actor, role, facility) VALUES ('coder', 'coder', NULL), ('both', 'coder', 'NORTH'), ('both', 'clerk', 'SOUTH');

-- Mismatches at a moment, of patients whose id begins so; events told by their value.
CREATE FUNCTION pg_temp.mismatches(patients text, at timestamptz)
RETURNS TABLE (patient text, visit text, problem text, code clinical_code, charge text, documentation text, since timestamptz)
LANGUAGE sql AS $$
	SELECT b.patient_id, b.encounter_id, b.problem, b.code, c.value, d.value, b.since
	FROM workflow_track.billing_mismatch_at(at) AS b LEFT JOIN workflow_track.event AS c ON c.event_id = b.charge_event_id
		LEFT JOIN workflow_track.event AS d ON d.event_id = b.documentation_event_id
	WHERE starts_with(b.patient_id, patients) ORDER BY b.patient_id, b.encounter_id, b.problem, b.code::text COLLATE "C", b.since, c.value, d.value
$$;

--
-- Charges without documentation: any documentation of the code in the encounter, before or after, does
--
COPY event (patient_id, encounter_id, value, code, occurred_at, source_sequence, kind) FROM stdin;
1 none	V	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 before	V	d	cpt|12001	2024-01-10 07:00	0	procedure.documented
1 before	V	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 after	V	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 after	V	d	cpt|12001	2024-01-10 09:00	0	procedure.documented
1 at once, first	V	d	cpt|12001	2024-01-10 08:00	1	procedure.documented
1 at once, first	V	c	cpt|12001	2024-01-10 08:00	2	charge.captured
1 at once, second	V	c	cpt|12001	2024-01-10 08:00	1	charge.captured
1 at once, second	V	d	cpt|12001	2024-01-10 08:00	2	procedure.documented
1 by a note	V	d	cpt|12001	2024-01-10 07:00	0	note.signed
1 by a note	V	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 by another kind	V	d	cpt|12001	2024-01-10 07:00	0	diagnosis.documented
1 by another kind	V	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 other code	V	d	cpt|12002	2024-01-10 07:00	0	procedure.documented
1 other code	V	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 other visit	V1	d	cpt|12001	2024-01-10 07:00	0	procedure.documented
1 other visit	V2	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 no visit	\N	c	cpt|12001	2024-01-10 08:00	0	charge.captured
1 not covered	V	c	hcpcs|G0438	2024-01-10 08:00	0	charge.captured
1 no code	V	c	\N	2024-01-10 08:00	0	charge.captured
1 same code twice	V	d	cpt|12001	2024-01-10 07:00	0	procedure.documented
1 same code twice	V	c1	cpt|12001	2024-01-10 08:00	0	charge.captured
1 same code twice	V	c2	cpt|12001	2024-01-10 08:30	0	charge.captured
1 twice, none	V	c1	cpt|12001	2024-01-10 08:00	0	charge.captured
1 twice, none	V	c2	cpt|12001	2024-01-10 08:00	1	charge.captured
\.
SELECT patient, visit, code, charge, documentation, since FROM pg_temp.mismatches('1', '2024-01-10 10:00') WHERE problem = 'charge_without_documentation';
-- as they come to be, and are settled
SELECT patient FROM pg_temp.mismatches('1 after', '2024-01-10 07:59:59.999999');
SELECT patient FROM pg_temp.mismatches('1 after', '2024-01-10 08:00');
SELECT patient FROM pg_temp.mismatches('1 after', '2024-01-10 08:59:59.999999');
SELECT patient FROM pg_temp.mismatches('1 after', '2024-01-10 09:00');

--
-- Late charges: by the last documentation before them
--
COPY event (patient_id, encounter_id, value, code, occurred_at, source_sequence, kind) FROM stdin;
2 in time	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
2 in time	V	c	cpt|12001	2024-01-11 08:00	0	charge.captured
2 late	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
2 late	V	c	cpt|12001	2024-01-11 08:00:00.000001	0	charge.captured
2 again	V	d1	cpt|12001	2024-01-10 08:00	0	procedure.documented
2 again	V	d2	cpt|12001	2024-01-11 07:00	0	note.signed
2 again	V	c	cpt|12001	2024-01-12 06:00	0	charge.captured
2 late again	V	d1	cpt|12001	2024-01-10 08:00	0	procedure.documented
2 late again	V	d2	cpt|12001	2024-01-11 07:00	0	procedure.documented
2 late again	V	c	cpt|12001	2024-01-13 06:00	0	charge.captured
2 before and after	V	d1	cpt|12001	2024-01-10 08:00	0	procedure.documented
2 before and after	V	c	cpt|12001	2024-01-13 06:00	0	charge.captured
2 before and after	V	d2	cpt|12001	2024-01-14 08:00	0	procedure.documented
2 two charges	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
2 two charges	V	c1	cpt|12001	2024-01-10 09:00	0	charge.captured
2 two charges	V	c2	cpt|12001	2024-01-13 06:00	0	charge.captured
2 two rules	V	d	cpt|70551	2024-01-10 08:00	0	procedure.documented
2 two rules	V	c	cpt|70551	2024-01-13 06:00	0	charge.captured
2 two limits	V	d	cpt|99213	2024-01-10 08:00	0	procedure.documented
2 two limits	V	c	cpt|99213	2024-01-13 06:00	0	charge.captured
2 two kinds	V	d1	cpt|99213	2024-01-10 08:00	0	procedure.documented
2 two kinds	V	d2	cpt|99213	2024-01-12 07:00	0	note.signed
2 two kinds	V	c	cpt|99213	2024-01-12 09:00	0	charge.captured
\.
SELECT patient, code, charge, documentation, since FROM pg_temp.mismatches('2', '2024-01-20') WHERE problem = 'late_charge';
-- told when it is charged, and not before
SELECT problem, since FROM pg_temp.mismatches('2 late again', '2024-01-13 05:59:59.999999');
SELECT problem, since FROM pg_temp.mismatches('2 late again', '2024-01-13 06:00');

--
-- Documentation without a charge: once the time for it is over
--
COPY event (patient_id, encounter_id, value, code, occurred_at, source_sequence, kind) FROM stdin;
3 never	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 late	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 late	V	c	cpt|12001	2024-01-13 06:00	0	charge.captured
3 to the microsecond	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 to the microsecond	V	c	cpt|12001	2024-01-11 08:00	0	charge.captured
3 charged before	V	c	cpt|12001	2024-01-09 08:00	0	charge.captured
3 charged before	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 other code	V	d	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 other code	V	c	cpt|12002	2024-01-10 09:00	0	charge.captured
3 twice	V	d1	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 twice	V	d2	cpt|12001	2024-01-10 09:00	0	note.signed
3 twice, charged once	V	d1	cpt|12001	2024-01-10 08:00	0	procedure.documented
3 twice, charged once	V	d2	cpt|12001	2024-01-10 09:00	0	procedure.documented
3 twice, charged once	V	c	cpt|12001	2024-01-10 10:00	0	charge.captured
3 two limits	V	d	cpt|99213	2024-01-10 08:00	0	procedure.documented
3 not covered	V	d	hcpcs|G0438	2024-01-10 08:00	0	procedure.documented
\.
SELECT patient, code, charge, documentation, since FROM pg_temp.mismatches('3', '2024-01-12 10:00') WHERE problem = 'documentation_without_charge';
SELECT patient FROM pg_temp.mismatches('3', '2024-01-11 07:59:59.999999') WHERE problem = 'documentation_without_charge';
SELECT patient, documentation FROM pg_temp.mismatches('3', '2024-01-11 08:00') WHERE problem = 'documentation_without_charge';
SELECT patient, problem FROM pg_temp.mismatches('3 late', '2024-01-13 06:00');

--
-- Diagnoses: each that is not documented; as codes, however they are written; no parent for a child, nor the other way round
--
COPY event (patient_id, encounter_id, value, code, occurred_at, detail, kind) FROM stdin;
4 documented	V	x	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
4 documented	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11.9"]}	charge.captured
4 written otherwise	V	x	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
4 written otherwise	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E119", " I10C|e11.9"]}	charge.captured
4 later	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11.9"]}	charge.captured
4 later	V	x	icd10cm|E11.9	2024-01-10 09:00	\N	diagnosis.documented
4 two, one twice	V	x	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
4 two, one twice	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|J45.909", "icd10cm|E11.9", "icd10cm|I10", "icd10cm|J45909"]}	charge.captured
4 child documented	V	x	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
4 child documented	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11"]}	charge.captured
4 parent documented	V	x	icd10cm|E11	2024-01-10 07:00	\N	diagnosis.documented
4 parent documented	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11.9"]}	charge.captured
4 other visit	V1	x	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
4 other visit	V2	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11.9"]}	charge.captured
4 by another kind	V	x	icd10cm|E11.9	2024-01-10 07:00	\N	procedure.documented
4 by another kind	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11.9"]}	charge.captured
4 alone	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": "icd10cm|I10"}	charge.captured
4 no code	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": ["E11.9", "icd10cm|", "icd10cm|what", "", null, true, {"a": 1}, ["icd10cm|I10"]]}	charge.captured
4 none	V	c	cpt|12001	2024-01-10 08:00	{"diagnoses": []}	charge.captured
4 nothing	V	c	cpt|12001	2024-01-10 08:00	[1]	charge.captured
4 not covered	V	c	hcpcs|G0438	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11.9"]}	charge.captured
\.
SELECT patient, visit, code, charge, documentation, since FROM pg_temp.mismatches('4', '2024-01-10 10:00') WHERE problem = 'diagnosis_not_documented';
SELECT problem, code FROM pg_temp.mismatches('4 later', '2024-01-10 08:59:59.999999');
-- What is documented more exactly is named: of the encounter, each once, of systems where a longer code is a more specific one
COPY event (patient_id, encounter_id, code, occurred_at, detail, kind) FROM stdin;
5 several	V	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
5 several	V	icd10cm|E11.65	2024-01-10 07:00	\N	diagnosis.documented
5 several	V	icd10cm|E11.9	2024-01-10 09:00	\N	diagnosis.documented
5 several	V	icd10cm|E10.9	2024-01-10 07:00	\N	diagnosis.documented
5 several	W	icd10cm|E11.21	2024-01-10 07:00	\N	diagnosis.documented
5 several	V	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11", "icd10cm|E11.6", "icd10cm|E11.99"]}	charge.captured
5 of icd9	V	icd9cm|250.00	2024-01-10 07:00	\N	diagnosis.documented
5 of icd9	V	cpt|12001	2024-01-10 08:00	{"diagnoses": ["icd9cm|250"]}	charge.captured
5 of none	V	snomed|73211009	2024-01-10 07:00	\N	diagnosis.documented
5 of none	V	local:X|ab	2024-01-10 07:00	\N	diagnosis.documented
5 of none	V	cpt|12001	2024-01-10 08:00	{"diagnoses": ["local:X|a"]}	charge.captured
5 later itself	V	icd10cm|E11.9	2024-01-10 07:00	\N	diagnosis.documented
5 later itself	V	icd10cm|E11	2024-01-10 09:00	\N	diagnosis.documented
5 later itself	V	cpt|99213	2024-01-10 08:00	{"diagnoses": ["icd10cm|E11"], "modifiers": ["25", "GT"]}	charge.captured
\.
SELECT patient_id, code, settled_at, explanation FROM billing_finding WHERE patient_id LIKE '5%' AND problem = 'diagnosis_not_documented' ORDER BY patient_id, code::text COLLATE "C";
SELECT retract_event(event_id, 'of another visit') FROM event WHERE patient_id = '5 several' AND code = 'icd10cm|E11.65';
SELECT code, explanation FROM billing_mismatch WHERE patient_id = '5 several' AND problem = 'diagnosis_not_documented' ORDER BY code::text COLLATE "C";

--
-- Modifiers: all that the rule wants, in whatever order, with whatever others
--
COPY event (patient_id, encounter_id, value, code, occurred_at, detail, kind) FROM stdin;
5 both	V	c	cpt|99213	2024-01-10 08:00	{"modifiers": ["25", "GT"]}	charge.captured
5 other order	V	c	cpt|99213	2024-01-10 08:00	{"modifiers": ["GT", "59", " 25 "]}	charge.captured
5 a number	V	c	cpt|99213	2024-01-10 08:00	{"modifiers": [25, "GT"]}	charge.captured
5 one	V	c	cpt|99213	2024-01-10 08:00	{"modifiers": ["25", "25"]}	charge.captured
5 the other	V	c	cpt|99213	2024-01-10 08:00	{"modifiers": "GT"}	charge.captured
5 small letters	V	c	cpt|99213	2024-01-10 08:00	{"modifiers": ["25", "gt"]}	charge.captured
5 none	V	c	cpt|99213	2024-01-10 08:00	\N	charge.captured
5 not wanted	V	c	cpt|12001	2024-01-10 08:00	\N	charge.captured
\.
SELECT m.patient, m.code, m.charge, m.since, b.explanation FROM pg_temp.mismatches('5', '2024-01-10 10:00') AS m
	JOIN billing_mismatch AS b ON (b.patient_id, b.problem) = (m.patient, m.problem) WHERE m.problem = 'missing_modifier' ORDER BY m.patient;

--
-- Authorizations: a number in the charge, or one approved of that code
--
COPY event (patient_id, encounter_id, value, code, occurred_at, detail, kind) FROM stdin;
6 a number	V	c	cpt|70551	2024-01-10 08:00	{"authorization": "A1"}	charge.captured
6 as a number	V	c	cpt|70551	2024-01-10 08:00	{"authorization": 7}	charge.captured
6 none	V	c	cpt|70551	2024-01-10 08:00	\N	charge.captured
6 empty	V	c	cpt|70551	2024-01-10 08:00	{"authorization": ""}	charge.captured
6 blank	V	c	cpt|70551	2024-01-10 08:00	{"authorization": " "}	charge.captured
6 null	V	c	cpt|70551	2024-01-10 08:00	{"authorization": null}	charge.captured
6 approved	V	a	cpt|70551	2024-01-01 08:00	\N	authorization.approved
6 approved	V	c	cpt|70551	2024-01-10 08:00	\N	charge.captured
6 approved later	V	c	cpt|70551	2024-01-10 08:00	\N	charge.captured
6 approved later	V	a	cpt|70551	2024-01-10 09:00	\N	authorization.approved
6 another code	V	a	cpt|70553	2024-01-01 08:00	\N	authorization.approved
6 another code	V	c	cpt|70551	2024-01-10 08:00	\N	charge.captured
6 another visit	V1	a	cpt|70551	2024-01-01 08:00	\N	authorization.approved
6 another visit	V2	c	cpt|70551	2024-01-10 08:00	\N	charge.captured
6 requested	V	a	cpt|70551	2024-01-01 08:00	\N	authorization.requested
6 requested	V	c	cpt|70551	2024-01-10 08:00	\N	charge.captured
6 not wanted	V	c	cpt|12001	2024-01-10 08:00	\N	charge.captured
\.
SELECT patient, visit, code, charge, since FROM pg_temp.mismatches('6', '2024-01-10 10:00') WHERE problem = 'missing_authorization';
SELECT patient FROM pg_temp.mismatches('6 approved later', '2024-01-10 08:59:59.999999') WHERE problem = 'missing_authorization';

--
-- Denied claims: until one of the same claim is accepted or paid later
--
COPY event (patient_id, encounter_id, subject, value, occurred_at, source_sequence, kind) FROM stdin;
7 denied	V	C	x	2024-01-10 08:00	0	claim.denied
7 paid	V	C	x	2024-01-10 08:00	0	claim.denied
7 paid	V	C	p	2024-01-10 09:00	0	claim.paid
7 accepted	V	C	x	2024-01-10 08:00	0	claim.denied
7 accepted	V	C	a	2024-01-10 09:00	0	claim.accepted
7 paid before	V	C	p	2024-01-10 07:00	0	claim.paid
7 paid before	V	C	x	2024-01-10 08:00	0	claim.denied
7 at once	V	C	x	2024-01-10 08:00	1	claim.denied
7 at once	V	C	p	2024-01-10 08:00	2	claim.paid
7 at once, before	V	C	p	2024-01-10 08:00	1	claim.paid
7 at once, before	V	C	x	2024-01-10 08:00	2	claim.denied
7 another claim	V	C1	x	2024-01-10 08:00	0	claim.denied
7 another claim	V	C2	p	2024-01-10 09:00	0	claim.paid
7 another visit	V1	C	x	2024-01-10 08:00	0	claim.denied
7 another visit	V2	C	p	2024-01-10 09:00	0	claim.paid
7 submitted again	V	C	x	2024-01-10 08:00	0	claim.denied
7 submitted again	V	C	s	2024-01-10 09:00	0	claim.submitted
7 denied again	V	C	x1	2024-01-10 08:00	0	claim.denied
7 denied again	V	C	a	2024-01-10 09:00	0	claim.accepted
7 denied again	V	C	x2	2024-01-10 09:30	0	claim.denied
7 no claim	V	\N	x	2024-01-10 08:00	0	claim.denied
7 no claim	V	\N	p	2024-01-10 09:00	0	claim.paid
7 no visit	\N	C	x	2024-01-10 08:00	0	claim.denied
7 alias	V	C	x	2024-01-10 08:00	0	claim.denied
7 alias	V	PAYER7	p	2024-01-10 09:00	0	claim.paid
\.
INSERT INTO subject_alias VALUES ('7 alias', 'PAYER7', 'C');
SELECT patient, visit, problem, charge, documentation, since FROM pg_temp.mismatches('7', '2024-01-10 10:00');
SELECT patient, charge FROM pg_temp.mismatches('7', '2024-01-10 08:59:59.999999') WHERE patient IN ('7 paid', '7 accepted', '7 alias', '7 denied again');

--
-- What is amended, merged, retracted
--
SELECT record_event('charge.captured', '8 amended', 'BILL', '2024-01-10 08:00', encounter_id => 'V', code => 'cpt|12001', value => 'c') AS charge \gset
SELECT problem FROM pg_temp.mismatches('8', '2024-01-20');
SELECT record_event('note.signed', '8 amended', 'EHR', '2024-01-10 12:00', encounter_id => 'V', code => 'cpt|12001', value => 'late entry') AS note \gset
SELECT problem FROM pg_temp.mismatches('8', '2024-01-20');
SELECT problem, since FROM pg_temp.mismatches('8', '2024-01-10 10:00');
SELECT retract_event(:note, 'signed in another chart');
SELECT problem, since FROM pg_temp.mismatches('8', '2024-01-20');
SELECT record_event('procedure.documented', '8 amended', 'EHR', '2024-01-09 12:00', encounter_id => 'W', code => 'cpt|12001', value => 'd') > 0 AS recorded;
SELECT problem, visit FROM pg_temp.mismatches('8', '2024-01-20');
SELECT record_event('encounter.merged', '8 amended', 'PMS', '2024-01-30', encounter_id => 'V', subject => 'W') AS merge \gset
SELECT problem, visit FROM pg_temp.mismatches('8', '2024-01-20');
SELECT retract_event(:merge, 'two visits');
SELECT problem, visit FROM pg_temp.mismatches('8', '2024-01-20');
SELECT record_event('charge.captured', '8 another id', 'BILL', '2024-01-10 08:00', encounter_id => 'W', code => 'cpt|12001') > 0 AS recorded,
	record_event('patient.merged', '8 amended', 'PMS', '2024-01-30', subject => '8 another id') AS merge \gset
SELECT patient, visit, problem FROM pg_temp.mismatches('8', '2024-01-20');
SELECT retract_event(:merge, 'two persons'), retract_event(:charge, 'not performed');
SELECT patient, visit, problem FROM pg_temp.mismatches('8', '2024-01-20');
INSERT INTO test_patient VALUES ('8 another id');
SELECT patient, visit, problem FROM pg_temp.mismatches('8', '2024-01-20');
SET workflow_track.test_patients = on;
SELECT count(*) FROM pg_temp.mismatches('8 another id', '2024-01-20');
RESET workflow_track.test_patients;

--
-- Two rules that find the same: one row, until both are content
--
COPY event (patient_id, encounter_id, value, code, occurred_at, kind) FROM stdin;
9 both	V	c	cpt|99213	2024-01-10 08:00	charge.captured
9 note first	V	c	cpt|99213	2024-01-10 08:00	charge.captured
9 note first	V	d1	cpt|99213	2024-01-10 09:00	note.signed
9 note first	V	d2	cpt|99213	2024-01-10 10:00	procedure.documented
\.
SELECT patient_id, problem, explanation FROM billing_mismatch_at('2024-01-10 09:30') WHERE patient_id LIKE '9%' AND problem LIKE 'charge%' ORDER BY patient_id;
SELECT patient_id, explanation FROM billing_mismatch_at('2024-01-10 10:00') WHERE patient_id LIKE '9%' AND problem LIKE 'charge%';
-- what is found in what words
SELECT DISTINCT ON (problem) problem, explanation FROM billing_mismatch_at('2024-01-20') ORDER BY problem, patient_id;

--
-- What became of claims
--
COPY event (patient_id, encounter_id, subject, value, code, occurred_at, kind) FROM stdin;
A answers	V	C	s	\N	2024-01-10 08:00	claim.submitted
A answers	V	C	a	\N	2024-01-11 08:00	claim.accepted
A answers	V	C	x	\N	2024-01-20 08:00	claim.denied
A answers	V	C	p	\N	2024-02-01 08:00	claim.paid
A again	V	\N	c	cpt|12001	2024-01-09 08:00	charge.captured
A again	V	C	s1	\N	2024-01-10 08:00	claim.submitted
A again	V	C	x	\N	2024-01-12 08:00	claim.denied
A again	V	\N	d	cpt|12001	2024-01-12 12:00	note.signed
A again	V	C	s2	\N	2024-01-13 08:00	claim.submitted
A again	V	C	p	\N	2024-01-20 08:00	claim.paid
A silent	V	C	s	\N	2024-01-10 08:00	claim.submitted
A no claim	V	\N	s	\N	2024-01-10 08:00	claim.submitted
A no claim	V	\N	p	\N	2024-01-11 08:00	claim.paid
A no visit	\N	C	s	\N	2024-01-10 08:00	claim.submitted
A wrong at once	V	\N	c	cpt|12001	2024-01-10 08:00	charge.captured
A wrong at once	V	C	s	\N	2024-01-10 08:00	claim.submitted
A settled at once	V	\N	c	cpt|12001	2024-01-09 08:00	charge.captured
A settled at once	V	\N	d	cpt|12001	2024-01-10 08:00	procedure.documented
A settled at once	V	C	s	\N	2024-01-10 08:00	claim.submitted
\.
-- what is dated by the day, or of the same instant, may have come after the first submission, not after a later one
COPY event (patient_id, encounter_id, subject, value, occurred_at, time_precision, kind) FROM stdin;
A day	V	C	s	2024-01-10 00:00	day	claim.submitted
A day	V	C	p	2024-01-10 00:00	day	claim.paid
A day of a time	V	C	a	2024-01-10 00:00	day	claim.accepted
A day of a time	V	C	s	2024-01-10 15:00	second	claim.submitted
A day of a time	V	C	p	2024-01-10 14:59:59	second	claim.paid
A day before	V	C	x	2024-01-09 00:00	day	claim.denied
A day before	V	C	s	2024-01-10 00:00	day	claim.submitted
A day twice	V	C	s1	2024-01-10 00:00	day	claim.submitted
A day twice	V	C	x	2024-01-12 00:00	day	claim.denied
A day twice	V	C	s2	2024-01-12 00:00	day	claim.submitted
A day twice	V	C	p	2024-01-12 00:00	day	claim.paid
A month	V	C	x	2024-01-01 00:00	month	claim.denied
A month	V	C	s	2024-01-31 23:59:59.999999	second	claim.submitted
A month after	V	C	x	2024-01-01 00:00	month	claim.denied
A month after	V	C	s	2024-02-01 00:00	second	claim.submitted
\.
SELECT patient_id, submitted_at, outcome, accepted_at, denied_at, paid_at, time_to_answer, time_to_payment, waiting, problems
FROM claim_outcome_at('2024-02-10') WHERE patient_id LIKE 'A%' ORDER BY patient_id, submitted_at;
SELECT patient_id, outcome, denied_at, waiting FROM claim_outcome_at('2024-01-12 08:00') WHERE patient_id LIKE 'A%' ORDER BY patient_id, submitted_at;
SELECT patient_id, outcome, denied_at, waiting FROM claim_outcome_at('2024-01-10 07:59:59.999999') WHERE patient_id LIKE 'A%';

SELECT * FROM denial_cause('2024-01-10', '2024-02-10');
SELECT * FROM denial_cause(NULL) EXCEPT SELECT * FROM denial_cause('-infinity', 'infinity');
-- from a moment on, and before one
SELECT submitted_at, (SELECT sum(claims) FROM denial_cause(submitted_at)) AS claims_from, (SELECT sum(claims) FROM denial_cause(NULL, submitted_at)) AS claims_before
FROM claim_outcome WHERE patient_id LIKE 'A%' GROUP BY 1 ORDER BY 1;

--
-- How long after its documentation a service is charged
--
COPY event (patient_id, encounter_id, facility, actor, actor_role, code, occurred_at, kind) FROM stdin;
B	V	NORTH	both	\N	cpt|12001	2024-03-09 22:00	procedure.documented
B	V	NORTH	both	\N	cpt|12001	2024-03-09 23:59:59.999999	charge.captured
B	V	NORTH	both	\N	cpt|12001	2024-03-10 00:00	charge.captured
B	V	SOUTH	both	\N	cpt|12001	2024-03-10 23:00	charge.captured
B	V	SOUTH	both	provider	cpt|12001	2024-03-10 23:00	charge.captured
B	V	NORTH	nobody	\N	cpt|12002	2024-03-10 12:00	charge.captured
B	V	NORTH	both	\N	cpt|99213	2024-03-10 08:00	procedure.documented
B	V	NORTH	both	\N	cpt|99213	2024-03-10 10:00	note.signed
B	V	NORTH	both	\N	cpt|99213	2024-03-10 11:00	charge.captured
B	V	NORTH	both	\N	cpt|99213	2024-03-10 12:00	charge.captured
B	V	NORTH	both	\N	hcpcs|G0438	2024-03-10 12:00	charge.captured
\.
SELECT day, facility, role, code_family, charges, undocumented, late, mean, sample_count(histogram) FROM charge_lag WHERE day BETWEEN '2024-03-09' AND '2024-03-10'
ORDER BY day, facility, role, code_family;
UPDATE staff SET role = 'biller' WHERE actor = 'both' AND facility = 'NORTH';
CALL catch_up();
SELECT DISTINCT role FROM charge_lag WHERE day >= '2024-03-09' ORDER BY role;

--
-- All is kept as the definitions have it, whatever came first; the rules may change
--
SELECT * FROM check_consistency();
CREATE TABLE pg_temp.kept AS SELECT 1 AS n, to_jsonb(b) AS row FROM billing_state AS b UNION ALL SELECT 2, to_jsonb(c) FROM charge_state AS c UNION ALL SELECT 3, to_jsonb(c) FROM claim_state AS c;
SELECT n, count(*) > 0 AS kept FROM pg_temp.kept GROUP BY n ORDER BY n;
CALL rebuild();
SELECT count(*) AS lost FROM (TABLE pg_temp.kept EXCEPT (SELECT 1, to_jsonb(b) FROM billing_state AS b UNION ALL SELECT 2, to_jsonb(c) FROM charge_state AS c UNION ALL SELECT 3, to_jsonb(c) FROM claim_state AS c)) AS lost;
SELECT define_workflow('{"workflow": "billing", "version": 2, "state": "current", "billing": [{"codes": "cpt|120", "documented_by": ["procedure.documented"], "within": "1 hour"}]}');
SELECT value, verdict FROM health WHERE "check" LIKE 'changes of map%';
CALL catch_up();
SELECT problem, count(*) FROM billing_mismatch_at('2024-01-20') GROUP BY problem ORDER BY problem;
SELECT code_family, count(*) FROM charge_lag GROUP BY 1;
SELECT * FROM check_consistency();
-- without any rule, claims are still seen
SELECT set_workflow_state('billing', 2, 'retired');
CALL catch_up();
SELECT problem, count(*) FROM billing_mismatch_at('2024-01-20') GROUP BY problem;
SELECT count(*) FROM charge_lag;
SELECT record_event('claim.denied', 'C', 'BILL', '2024-01-10', encounter_id => 'V', subject => 'C') > 0 AS recorded;
SELECT patient_id, problem FROM billing_mismatch WHERE patient_id = 'C';
SELECT * FROM check_consistency();

--
-- Retention: what happened before the horizon is no longer found, but still bears out what came after it
--
SELECT define_workflow('{"workflow": "billing", "version": 3, "state": "current", "billing": [{"codes": "cpt|", "documented_by": ["procedure.documented"], "within": "24 hours"}]}');
COPY event (patient_id, encounter_id, subject, value, code, occurred_at, kind) FROM stdin;
D	V	\N	c1	cpt|12002	2024-02-28 08:00	charge.captured
D	V	\N	d	cpt|12001	2024-02-29 08:00	procedure.documented
D	V	C	s1	\N	2024-02-29 09:00	claim.submitted
D	V	\N	c2	cpt|12001	2024-03-05 08:00	charge.captured
D	V	\N	c3	cpt|12003	2024-03-05 09:00	charge.captured
D	V	C	s2	\N	2024-03-06 08:00	claim.submitted
D over	V	\N	c	cpt|12001	2024-01-10 08:00	charge.captured
\.
CALL catch_up();
CREATE VIEW pg_temp.found AS SELECT f.patient_id AS patient, f.problem, f.code, f.occurred_at, f.since FROM billing_finding AS f WHERE f.patient_id LIKE 'D%'
	UNION ALL SELECT c.patient_id, array_to_string(c.problems, ' '), NULL, c.submitted_at, NULL FROM claim_outcome AS c WHERE c.patient_id LIKE 'D%'
	UNION ALL SELECT 'all', 'charges', NULL, min(l.day), NULL FROM charge_lag AS l ORDER BY 1, 4, 2;
SELECT * FROM pg_temp.found;
SELECT drop_before('2024-03-01', true);
SELECT * FROM pg_temp.found;
SELECT * FROM check_consistency();
-- and so does what comes late of that time
SELECT record_event('procedure.documented', 'D', 'EHR', '2024-02-29 10:00', encounter_id => 'V', code => 'cpt|12003') > 0 AS recorded;
SELECT * FROM pg_temp.found;
SELECT * FROM check_consistency();
-- blanks around what a detail says are none of it, and no letter is a blank
SELECT record_event('charge.captured', 'E', 'EHR', '2024-04-01 08:00', encounter_id => 'V', code => 'cpt|12001', detail => '{"diagnoses": ["\u000blocal:X|hiv\f", "v"]}') > 0 AS recorded;
SELECT problem, code FROM billing_mismatch WHERE patient_id = 'E' ORDER BY 1, 2;
SELECT workflow_track.detail_texts('{"modifiers": ["\u000b25\t", "v1", " "]}', 'modifiers');
SELECT * FROM check_consistency();
