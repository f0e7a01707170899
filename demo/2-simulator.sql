-- A simulated day: who comes, what happens to them, and what goes wrong.
--
-- SELECT demo.simulate_day(patients, seed) fills demo.visit, the plan of each
-- patient's day, and demo.feed, the events that the hospital's systems would
-- send. The same numbers give the same day on every machine: chance is a hash
-- of the seed, the patient and what is being decided, never random().

SET timezone = 'UTC';
CREATE SCHEMA demo;

CREATE FUNCTION demo.day() RETURNS timestamptz IMMUTABLE
RETURN '2026-03-03 00:00+00'::timestamptz;
CREATE FUNCTION demo.midnight() RETURNS timestamptz IMMUTABLE
RETURN '2026-03-04 00:00+00'::timestamptz;

-- Chance: a number from 0 to below 1.
CREATE FUNCTION demo.draw(seed integer, n integer, what text) RETURNS double precision IMMUTABLE
RETURN ('x' || left(md5(format('%s %s %s', seed, n, what)), 8))::bit(32)::bigint / 4294967296.0::double precision;

-- A wait of so many minutes, in whole seconds; the shorter the likelier.
CREATE FUNCTION demo.wait(seed integer, n integer, what text, shortest integer, longest integer) RETURNS interval IMMUTABLE
RETURN make_interval(secs => floor(60 * (shortest + (longest - shortest) * demo.draw(seed, n, what) * demo.draw(seed, n, what))));

-- One of those who have a role at a facility that day.
CREATE FUNCTION demo.on_duty(wanted text, house text, seed integer, n integer) RETURNS text STABLE
BEGIN ATOMIC
	SELECT s.actor FROM workflow_track.staff s
	WHERE s.role = wanted AND coalesce(s.facility, house) = house AND NOT s.is_shared_inbox
		AND (s.active_during IS NULL OR s.active_during @> demo.day())
	ORDER BY demo.draw(seed, n, s.actor) LIMIT 1;
END;

-- What may go wrong, and what has to be reported of it: the report, what it
-- says there, and the number (its beginning) of the thing that it is about.
-- A trouble without a report only looks like one: nothing may be reported.
CREATE TABLE demo.trouble (position serial, trouble text NOT NULL, report text, what text, about text);
INSERT INTO demo.trouble (trouble, report, what, about) VALUES
	('typed twice',                        'duplicate_entry',  'typed into two systems',       NULL),
	('ordered twice',                      'duplicate_entry',  'ordered twice',                'AGAIN'),
	('critical, never acknowledged',       'overdue_loop',     'critical result acknowledged', 'ORD'),
	('critical, never acknowledged',       'overdue_loop',     'patient told of the result',   'ORD'),
	('critical, acknowledged late',        'care_loop, late',  'critical result acknowledged', 'ORD'),
	('critical, acknowledged by a nurse',  'overdue_loop',     'critical result acknowledged', 'ORD'),
	('the other report acknowledged',      'overdue_loop',     'critical result acknowledged', 'ORD'),
	('correction never acknowledged',      'overdue_loop',     'critical result acknowledged', 'ORD'),
	('sent to a provider who left',        'misrouted_result', 'inactive_recipient',           'ORD'),
	('sent to a provider who left',        'overdue_loop',     'abnormal result acknowledged', 'ORD'),
	('sent to a provider who left',        'overdue_loop',     'patient told of the result',   'ORD'),
	('sent to a misspelt name',            'misrouted_result', 'unknown_recipient',            'ORD'),
	('sent to a misspelt name',            'overdue_loop',     'abnormal result acknowledged', 'ORD'),
	('sent to a misspelt name',            'overdue_loop',     'patient told of the result',   'ORD'),
	('sent to nobody',                     'misrouted_result', 'no_recipient',                 'ORD'),
	('sent to a shared inbox',             'misrouted_result', 'shared_inbox',                 'ORD'),
	('sent to a nurse',                    'misrouted_result', 'wrong_role',                   'ORD'),
	('patient never told',                 'overdue_loop',     'patient told of the result',   'ORD'),
	('order never resulted',               'overdue_loop',     'order resulted',               'ORD'),
	('referral never answered',            'overdue_loop',     'referral accepted',            'REF'),
	('referral sent by fax',               'rule_coverage',    'referral accepted: answers to nothing', NULL),
	('discharged without follow-up',       'overdue_loop',     'follow-up booked',             NULL),
	('wrong merge, taken back',            'overdue_loop',     'follow-up booked',             NULL),
	('handoff never accepted',             'overdue_loop',     'handoff accepted',             'HO'),
	('handoff accepted late',              'care_loop, late',  'handoff accepted',             'HO'),
	('acknowledged a minute early',        NULL, NULL, NULL),
	('time noted to the hour',             NULL, NULL, NULL),
	('acknowledgement arrives last',       NULL, NULL, NULL),
	('registered twice and merged',        NULL, NULL, NULL),
	('entered in error',                   NULL, NULL, NULL),
	('typed again in one system',          NULL, NULL, NULL),
	('new phone number',                   NULL, NULL, NULL),
	('order called off',                   NULL, NULL, NULL),
	('referral declined',                  NULL, NULL, NULL),
	('readmitted at once',                 NULL, NULL, NULL),
	('test patient',                       NULL, NULL, NULL),
	('charged, not documented',            'billing_mismatch', 'charge_without_documentation', 'CHG'),
	('documented, not charged',            'billing_mismatch', 'documentation_without_charge', 'PRC'),
	('charged late',                       'billing_mismatch', 'late_charge',                  'CHG'),
	('charged for another diagnosis',      'billing_mismatch', 'diagnosis_not_documented',     'CHG'),
	('charged without a modifier',         'billing_mismatch', 'missing_modifier',             'CHG'),
	('charged without a modifier',         'billing_mismatch', 'claim_denied',                 'CLM'),
	('charged without authorization',      'billing_mismatch', 'missing_authorization',        'SCAN'),
	('claim denied',                       'billing_mismatch', 'claim_denied',                 'CLM'),
	('charged before it was documented',   NULL, NULL, NULL),
	('claim denied, then paid',            NULL, NULL, NULL);

-- The plan of each patient's day. What will not happen has no time.
CREATE TABLE demo.visit (
	n integer PRIMARY KEY, trouble text, patient_id text, second_id text, encounter_id text, facility text, patient_class text,
	phone text, front_desk text, triage_nurse text, nurse text, provider text, covering text, lab_tech text,
	severity workflow_track.severity, recipient text, acknowledged_by text,
	arrived_at timestamptz, offered_at timestamptz, taken_at timestamptz, ordered_at timestamptz, resulted_at timestamptz,
	acknowledged_at timestamptz, told_at timestamptz, imaged_at timestamptz, referred_at timestamptz, referral_taken_at timestamptz,
	authorization_at timestamptz, discharged_at timestamptz, booked_at timestamptz,
	documented_at timestamptz, charged_at timestamptz, scanned_at timestamptz, claimed_at timestamptz);

-- What the systems send, and of what is retracted later, why.
CREATE TABLE demo.feed AS
	SELECT occurred_at, time_precision, facility, patient_id, encounter_id, subject, item, kind, code, value, severity,
		actor, recipient, source_system, entry_method, detail, false AS is_late, NULL::text AS retracted_reason
	FROM workflow_track.event WITH NO DATA;

-- Who comes, and whom they meet.  One patient in three has some trouble; the
-- first ones have one each, so that each occurs.
CREATE FUNCTION demo.plan_people(patients integer, seed integer) RETURNS void
LANGUAGE sql AS $$
	WITH trouble AS (SELECT row_number() OVER (ORDER BY min(position)) AS number, count(*) OVER () AS of, trouble
		FROM demo.trouble GROUP BY trouble)
	INSERT INTO demo.visit (n, trouble, patient_id, second_id, encounter_id, facility, patient_class, phone, severity,
		front_desk, triage_nurse, nurse, provider, covering, lab_tech)
	SELECT n, coalesce(t.trouble, 'none'),
		to_char(n, '"P"FM99990000'), to_char(n, '"Q"FM99990000'), to_char(n, '"V"FM99990000'), f.facility,
		CASE WHEN t.trouble IN ('discharged without follow-up', 'wrong merge, taken back', 'readmitted at once') THEN 'I'
			ELSE (ARRAY['I', 'E', 'O'])[1 + floor(3 * demo.draw(seed, n, 'class'))] END,
		to_char(floor(10000 * demo.draw(seed, n, 'phone')), '"555-"FM99990000'),
		CASE WHEN t.trouble ~ '^(critical|the other report)' OR t.trouble IN ('acknowledged a minute early', 'test patient') THEN 'critical'
			WHEN t.trouble ~ '^(sent|acknowledgement|time|correction|registered|patient never)' THEN 'abnormal'
			ELSE (ARRAY['critical', 'abnormal', 'abnormal', 'normal', 'normal', 'normal'])[1 + floor(6 * demo.draw(seed, n, 'severity'))]
		END::workflow_track.severity,
		demo.on_duty('front_desk', f.facility, seed, n), demo.on_duty('triage_nurse', f.facility, seed, n),
		demo.on_duty('nurse', f.facility, seed, n), demo.on_duty('provider', f.facility, seed, n),
		demo.on_duty('covering_provider', f.facility, seed, n), demo.on_duty('lab_tech', f.facility, seed, n)
	FROM generate_series(1, patients) n
	LEFT JOIN trouble t ON t.number = CASE WHEN n <= t.of THEN n
		WHEN demo.draw(seed, n, 'trouble') < 0.33 THEN 1 + floor(t.of * demo.draw(seed, n, 'which')) END
	CROSS JOIN LATERAL (SELECT CASE WHEN demo.draw(seed, n, 'facility') < 0.65 THEN 'NORTH' ELSE 'EAST' END) f (facility);
$$;

-- Times, whom the result goes to, and who acknowledges it.  Those with a
-- trouble come before one o'clock, so that all of it falls due that day.
CREATE FUNCTION demo.plan_times(seed integer) RETURNS void
LANGUAGE sql AS $$
	UPDATE demo.visit v SET arrived_at = demo.day() + demo.wait(seed, n, 'arrival', 360, CASE trouble WHEN 'none' THEN 1350 ELSE 780 END);
	UPDATE demo.visit v SET offered_at = arrived_at + demo.wait(seed, n, 'triage', 5, 20);
	UPDATE demo.visit v SET taken_at = CASE trouble WHEN 'handoff never accepted' THEN NULL
		WHEN 'handoff accepted late' THEN offered_at + demo.wait(seed, n, 'late handoff', 35, 90)
		ELSE offered_at + demo.wait(seed, n, 'handoff', 2, 25) END;
	UPDATE demo.visit v SET ordered_at = coalesce(taken_at, offered_at + interval '40 minutes') + demo.wait(seed, n, 'order', 3, 15);
	UPDATE demo.visit v SET resulted_at = CASE WHEN trouble NOT IN ('order never resulted', 'order called off')
		THEN ordered_at + demo.wait(seed, n, 'result', 25, 90) END;
	UPDATE demo.visit v SET
		recipient = CASE trouble WHEN 'sent to a provider who left' THEN 'dr.brandt' WHEN 'sent to a misspelt name' THEN 'dr.okafro'
			WHEN 'sent to a shared inbox' THEN 'inbox.results' WHEN 'sent to a nurse' THEN nurse
			WHEN 'sent to nobody' THEN NULL WHEN 'test patient' THEN NULL ELSE provider END,
		acknowledged_by = CASE trouble WHEN 'critical, acknowledged by a nurse' THEN nurse ELSE provider END,
		acknowledged_at = CASE
			WHEN trouble IN ('critical, never acknowledged', 'sent to a provider who left', 'sent to a misspelt name', 'test patient') THEN NULL
			WHEN trouble = 'critical, acknowledged late' THEN resulted_at + demo.wait(seed, n, 'late answer', 70, 200)
			WHEN trouble = 'acknowledged a minute early' THEN resulted_at - interval '1 minute'
			WHEN trouble = 'time noted to the hour' THEN date_trunc('hour', resulted_at)
			WHEN severity = 'critical' THEN resulted_at + demo.wait(seed, n, 'answer', 3, 50)
			WHEN severity = 'abnormal' THEN resulted_at + demo.wait(seed, n, 'answer', 10, 150) END;
	UPDATE demo.visit v SET told_at = CASE WHEN trouble <> 'patient never told' THEN greatest(acknowledged_at, resulted_at
			+ CASE trouble WHEN 'correction never acknowledged' THEN interval '3 hours' ELSE interval '5 minutes' END)
			+ demo.wait(seed, n, 'told', 5, 60) END
		WHERE acknowledged_at IS NOT NULL;
	UPDATE demo.visit v SET imaged_at = ordered_at + demo.wait(seed, n, 'image', 20, 120)
		WHERE demo.draw(seed, n, 'imaging') < 0.4;
	UPDATE demo.visit v SET authorization_at = ordered_at + interval '5 minutes'
		WHERE imaged_at IS NOT NULL AND demo.draw(seed, n, 'authorization') < 0.2;
	UPDATE demo.visit v SET
		referred_at = ordered_at + interval '10 minutes',
		referral_taken_at = CASE WHEN trouble NOT IN ('referral never answered', 'referral declined')
			THEN ordered_at + demo.wait(seed, n, 'referral', 20, 200) END
		WHERE trouble ~ '^referral' OR demo.draw(seed, n, 'referred') < 0.25;
	UPDATE demo.visit v SET discharged_at = greatest(told_at, resulted_at, imaged_at, ordered_at + interval '90 minutes')
		+ demo.wait(seed, n, 'discharge', 10, 60);
	UPDATE demo.visit v SET booked_at = discharged_at + demo.wait(seed, n, 'booking', 2, 90)
		WHERE patient_class = 'I' AND trouble NOT IN ('discharged without follow-up', 'wrong merge, taken back', 'readmitted at once');
	UPDATE demo.visit v SET documented_at = discharged_at - interval '8 minutes';
	UPDATE demo.visit v SET charged_at = CASE trouble WHEN 'documented, not charged' THEN NULL
			WHEN 'charged late' THEN documented_at + demo.wait(seed, n, 'late charge', 130, 200)
			WHEN 'charged before it was documented' THEN documented_at - interval '2 minutes'
			ELSE documented_at + demo.wait(seed, n, 'charge', 10, 100) END,
		scanned_at = CASE WHEN imaged_at IS NOT NULL OR trouble = 'charged without authorization' THEN coalesce(imaged_at, discharged_at - interval '50 minutes') END;
	UPDATE demo.visit v SET claimed_at = charged_at + demo.wait(seed, n, 'claim', 20, 40);
$$;

-- Puts an event into the feed, unless it has no time.
CREATE FUNCTION demo.send(v demo.visit, kind text, at timestamptz, source_system text, actor text, subject text DEFAULT NULL,
	item text DEFAULT NULL, code text DEFAULT NULL, value text DEFAULT NULL, severity workflow_track.severity DEFAULT NULL,
	recipient text DEFAULT NULL, entry_method workflow_track.entry_method DEFAULT 'interface', detail jsonb DEFAULT NULL,
	patient_id text DEFAULT NULL, encounter_id text DEFAULT NULL, time_precision workflow_track.time_precision DEFAULT 'second',
	is_late boolean DEFAULT false, retracted_reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF at IS NOT NULL THEN
		INSERT INTO demo.feed VALUES (at, time_precision, v.facility, coalesce(patient_id, v.patient_id),
			coalesce(encounter_id, v.encounter_id), subject, item, kind, code::workflow_track.clinical_code, value, severity,
			actor, recipient, source_system, entry_method, detail, is_late, retracted_reason);
	END IF;
END
$$;

-- The front desk, in the PMS: registration, discharge, and who is who.
CREATE FUNCTION demo.play_front_desk() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM demo.send(v, 'patient.registered', arrived_at, 'PMS', front_desk, entry_method => 'manual') FROM demo.visit v;
	PERFORM demo.send(v, CASE patient_class WHEN 'I' THEN 'encounter.admitted' ELSE 'encounter.registered' END,
		arrived_at + interval '1 minute', 'PMS', front_desk, detail => jsonb_build_object('patient_class', patient_class)) FROM demo.visit v;
	-- The phone number is typed once, and an interface copies it to the EHR; or so it should be.
	PERFORM demo.send(v, 'data.entered', arrived_at + interval '2 minutes', 'PMS', front_desk,
		code => 'local:REG|PHONE', value => phone, entry_method => 'manual') FROM demo.visit v;
	PERFORM demo.send(v, 'data.entered', arrived_at + interval '3 minutes', 'EHR', NULL,
		code => 'local:REG|PHONE', value => phone) FROM demo.visit v WHERE trouble NOT IN ('typed twice', 'test patient');
	PERFORM demo.send(v, 'data.entered', offered_at - interval '2 minutes', 'EHR', triage_nurse,
		code => 'local:REG|PHONE', value => phone, entry_method => 'manual') FROM demo.visit v WHERE trouble IN ('typed twice', 'test patient');
	PERFORM demo.send(v, 'data.entered', arrived_at + interval '4 minutes', 'PMS', front_desk,
		code => 'local:REG|PHONE', value => phone, entry_method => 'manual') FROM demo.visit v WHERE trouble = 'typed again in one system';
	PERFORM demo.send(v, 'data.entered', offered_at - interval '2 minutes', 'EHR', triage_nurse,
		code => 'local:REG|PHONE', value => '555-99999', entry_method => 'manual') FROM demo.visit v WHERE trouble = 'new phone number';

	PERFORM demo.send(v, 'authorization.requested', authorization_at, 'PMS', front_desk, to_char(n, '"AUTH"FM99990000')) FROM demo.visit v;
	PERFORM demo.send(v, 'encounter.discharged', discharged_at, 'PMS', front_desk,
		detail => jsonb_build_object('patient_class', patient_class)) FROM demo.visit v;
	PERFORM demo.send(v, 'followup.scheduled', booked_at, 'PMS', front_desk) FROM demo.visit v;
	PERFORM demo.send(v, 'encounter.admitted', discharged_at + interval '30 minutes', 'PMS', front_desk,
		encounter_id => to_char(n, '"W"FM99990000')) FROM demo.visit v WHERE trouble = 'readmitted at once';

	-- One patient under two ids, and two patients taken for one until somebody notices.
	PERFORM demo.send(v, 'patient.merged', discharged_at, 'PMS', front_desk, second_id) FROM demo.visit v
		WHERE trouble = 'registered twice and merged';
	PERFORM demo.send(v, k.kind, discharged_at + k.after, 'PMS', front_desk, patient_id => second_id,
			encounter_id => to_char(n, '"W"FM99990000'), detail => '{"patient_class": "I"}')
		FROM demo.visit v, (VALUES ('encounter.discharged', interval '10 minutes'), ('followup.scheduled', '20 minutes')) k (kind, after)
		WHERE trouble = 'wrong merge, taken back';
	PERFORM demo.send(v, 'patient.merged', discharged_at + interval '1 hour', 'PMS', front_desk, second_id,
		retracted_reason => 'two different people') FROM demo.visit v WHERE trouble = 'wrong merge, taken back';
END
$$;

-- Nurses and doctors, in the EHR: triage, handoff, order, acknowledgement, telling the patient, referral.
CREATE FUNCTION demo.play_ward() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM demo.send(v, 'vitals.recorded', offered_at - interval '3 minutes', 'EHR', triage_nurse) FROM demo.visit v;
	PERFORM demo.send(v, 'handoff.offered', offered_at, 'EHR', triage_nurse, to_char(n, '"HO"FM99990000'), recipient => provider) FROM demo.visit v;
	PERFORM demo.send(v, 'handoff.accepted', taken_at, 'EHR', provider, to_char(n, '"HO"FM99990000')) FROM demo.visit v;

	PERFORM demo.send(v, 'order.placed', ordered_at, 'EHR', provider, to_char(n, '"ORD"FM99990000'), code => 'loinc|2823-3') FROM demo.visit v;
	PERFORM demo.send(v, 'order.placed', ordered_at + interval '6 minutes', 'EHR', covering, to_char(n, '"AGAIN"FM99990000'),
		code => 'loinc|2823-3') FROM demo.visit v WHERE trouble = 'ordered twice';
	PERFORM demo.send(v, 'order.cancelled', ordered_at + interval '20 minutes', 'EHR', provider,
			to_char(n, CASE trouble WHEN 'ordered twice' THEN '"AGAIN"FM99990000' ELSE '"ORD"FM99990000' END))
		FROM demo.visit v WHERE trouble IN ('ordered twice', 'order called off');
	PERFORM demo.send(v, 'order.placed', ordered_at + interval '1 minute', 'EHR', provider, to_char(n, '"IMG"FM99990000'),
		code => 'loinc|30745-4') FROM demo.visit v WHERE imaged_at IS NOT NULL;
	PERFORM demo.send(v, 'specimen.collected', ordered_at + interval '9 minutes', 'EHR', nurse, to_char(n, '"ORD"FM99990000')) FROM demo.visit v
		WHERE resulted_at IS NOT NULL;

	PERFORM demo.send(v, 'result.acknowledged', acknowledged_at, 'EHR', acknowledged_by, to_char(n, '"ORD"FM99990000'),
			item => to_char(n, CASE trouble WHEN 'the other report acknowledged' THEN '"RPT"FM99990000"-2"' ELSE '"RPT"FM99990000"-1"' END),
			patient_id => CASE trouble WHEN 'registered twice and merged' THEN second_id END,
			time_precision => CASE trouble WHEN 'time noted to the hour' THEN 'hour' ELSE 'second' END::workflow_track.time_precision,
			is_late => trouble = 'acknowledgement arrives last')
		FROM demo.visit v;
	PERFORM demo.send(v, 'patient.notified', told_at, 'EHR', nurse, to_char(n, '"ORD"FM99990000'), item => to_char(n, '"RPT"FM99990000"-1"'),
			patient_id => CASE trouble WHEN 'registered twice and merged' THEN second_id END)
		FROM demo.visit v;

	PERFORM demo.send(v, 'referral.sent', referred_at, 'EHR', provider, to_char(n, '"REF"FM99990000'),
			recipient => demo.on_duty('referral_coordinator', facility, 0, n))
		FROM demo.visit v WHERE trouble <> 'referral sent by fax';
	PERFORM demo.send(v, 'referral.accepted', referral_taken_at, 'EHR', demo.on_duty('referral_coordinator', facility, 0, n),
		to_char(n, '"REF"FM99990000')) FROM demo.visit v;
	PERFORM demo.send(v, 'referral.rejected', referred_at + interval '1 hour', 'EHR', demo.on_duty('referral_coordinator', facility, 0, n),
		to_char(n, '"REF"FM99990000')) FROM demo.visit v WHERE trouble = 'referral declined';
	PERFORM demo.send(v, 'note.signed', discharged_at - interval '6 minutes', 'EHR', provider, to_char(n, '"DOC"FM99990000')) FROM demo.visit v;
END
$$;

-- Laboratory and radiology, in LIS and RIS: results.
CREATE FUNCTION demo.play_laboratory() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM demo.send(v, 'result.final', resulted_at, 'LIS', lab_tech, to_char(n, '"ORD"FM99990000'), to_char(n, '"RPT"FM99990000"-1"'), 'loinc|2823-3',
			CASE severity WHEN 'critical' THEN '6.9' WHEN 'abnormal' THEN '5.6' ELSE '4.2' END, severity, recipient)
		FROM demo.visit v;
	PERFORM demo.send(v, 'result.final', resulted_at + interval '2 minutes', 'LIS', lab_tech, to_char(n, '"ORD"FM99990000'),
			to_char(n, '"RPT"FM99990000"-2"'), 'loinc|2951-2', '140', 'normal', recipient)
		FROM demo.visit v WHERE trouble = 'the other report acknowledged';
	PERFORM demo.send(v, 'result.corrected', acknowledged_at + interval '10 minutes', 'LIS', lab_tech, to_char(n, '"ORD"FM99990000'),
			to_char(n, '"RPT"FM99990000"-1"'), 'loinc|2823-3', '7.1', 'critical', recipient)
		FROM demo.visit v WHERE trouble = 'correction never acknowledged';
	PERFORM demo.send(v, 'result.final', resulted_at + interval '5 minutes', 'LIS', lab_tech, to_char(n, '"OTHER"FM99990000'),
			to_char(n, '"RPT"FM99990000"-3"'), 'loinc|2823-3', '7.0', 'critical', retracted_reason => 'another patient''s blood')
		FROM demo.visit v WHERE trouble = 'entered in error';
	PERFORM demo.send(v, 'result.final', imaged_at, 'RIS', demo.on_duty('radiologist', facility, 0, n), to_char(n, '"IMG"FM99990000'),
			to_char(n, '"IMG"FM99990000"-1"'), 'loinc|30745-4', severity => 'normal', recipient => provider)
		FROM demo.visit v;
END
$$;

-- The coders, in billing: charges and claims, by what doctors document.
CREATE FUNCTION demo.play_billing() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM demo.send(v, 'diagnosis.documented', documented_at, 'EHR', provider, code => 'icd10cm|R07.9') FROM demo.visit v;
	PERFORM demo.send(v, 'procedure.documented', documented_at, 'EHR', provider, to_char(n, '"PRC"FM99990000'), code => 'cpt|99284') FROM demo.visit v
		WHERE trouble <> 'charged, not documented';
	PERFORM demo.send(v, 'charge.captured', charged_at, 'BILL', demo.on_duty('coder', facility, 0, n), to_char(n, '"CHG"FM99990000'), code => 'cpt|99284',
			detail => jsonb_build_object('modifiers', CASE trouble WHEN 'charged without a modifier' THEN '["GT"]' ELSE '["GT", "25"]' END::jsonb,
				'diagnoses', CASE trouble WHEN 'charged for another diagnosis' THEN '["icd10cm|R079", "icd10cm|I21.4"]' ELSE '["icd10cm|R079"]' END::jsonb))
		FROM demo.visit v;
	PERFORM demo.send(v, 'procedure.documented', scanned_at, 'EHR', provider, to_char(n, '"READ"FM99990000'), code => 'cpt|70450') FROM demo.visit v;
	PERFORM demo.send(v, 'charge.captured', scanned_at + demo.wait(0, n, 'scan', 5, 60), 'BILL', demo.on_duty('coder', facility, 0, n), to_char(n, '"SCAN"FM99990000'),
			code => 'cpt|70450', detail => CASE WHEN trouble <> 'charged without authorization' THEN jsonb_build_object('authorization', to_char(n, '"A"FM99990000')) END)
		FROM demo.visit v;
	PERFORM demo.send(v, 'claim.submitted', claimed_at, 'BILL', demo.on_duty('coder', facility, 0, n), to_char(n, '"CLM"FM99990000')) FROM demo.visit v;
	PERFORM demo.send(v, 'claim.denied', claimed_at + interval '20 minutes', 'BILL', NULL, to_char(n, '"CLM"FM99990000')) FROM demo.visit v
		WHERE trouble LIKE 'claim denied%' OR trouble = 'charged without a modifier';
	PERFORM demo.send(v, 'claim.paid', claimed_at + interval '45 minutes', 'BILL', NULL, to_char(n, '"CLM"FM99990000')) FROM demo.visit v
		WHERE trouble NOT IN ('claim denied', 'charged without a modifier') AND (trouble LIKE 'claim denied%' OR demo.draw(0, n, 'paid') < 0.6);
END
$$;

-- The day; returns how many events it has.
CREATE FUNCTION demo.simulate_day(patients integer, seed integer) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE demo.visit, demo.feed;
	PERFORM demo.plan_people(patients, seed);
	PERFORM demo.plan_times(seed);
	PERFORM demo.play_front_desk();
	PERFORM demo.play_ward();
	PERFORM demo.play_laboratory();
	PERFORM demo.play_billing();
	RETURN (SELECT count(*) FROM demo.feed);
END
$$;

-- What the reports have to say of the day, a row for each thing.
CREATE VIEW demo.fault AS
	SELECT t.report, t.what, CASE t.report WHEN 'rule_coverage' THEN NULL ELSE v.patient_id END COLLATE "C" AS patient_id,
		(t.about || to_char(v.n, 'FM99990000')) COLLATE "C" AS subject
	FROM demo.visit v JOIN demo.trouble t USING (trouble) WHERE t.report IS NOT NULL
	UNION ALL
	-- The system that receives the insurer's answers is not connected.
	SELECT DISTINCT 'rule_coverage', 'authorization answered: cannot be observed', NULL, NULL
	FROM demo.feed WHERE kind = 'authorization.requested';

-- What they say, all of it.
CREATE VIEW demo.finding AS
	SELECT 'duplicate_entry' AS report, rule AS what, patient_id, subject FROM workflow_track.duplicate_entry
	UNION ALL
	SELECT 'misrouted_result', reason, patient_id, subject FROM workflow_track.misrouted_result
	UNION ALL
	SELECT 'billing_mismatch', problem, b.patient_id, e.subject
	FROM workflow_track.billing_mismatch_at(demo.midnight()) b JOIN workflow_track.event e ON e.event_id = coalesce(charge_event_id, documentation_event_id)
	UNION ALL
	SELECT 'overdue_loop', expectation, patient_id, subject FROM workflow_track.overdue_loop_at(demo.midnight())
	UNION ALL
	SELECT 'care_loop, late', expectation, patient_id, subject FROM workflow_track.care_loop_at(demo.midnight()) WHERE status = 'late'
	UNION ALL
	-- One answer serves several rules about results, so that each has answers to what it does not ask.
	SELECT 'rule_coverage', expectation || ': answers to nothing', NULL, NULL
	FROM workflow_track.rule_coverage_at(demo.midnight()), generate_series(1, unmatched_closers) WHERE workflow <> 'results'
	UNION ALL
	SELECT 'rule_coverage', expectation || ': cannot be observed', NULL, NULL
	FROM workflow_track.rule_coverage_at(demo.midnight()) GROUP BY expectation HAVING sum(closers) = 0;

-- By sort: how many there were, how many of them were found, and what was found that was none.
CREATE VIEW demo.score AS
	SELECT report, what, sum(put_in) AS put_in, sum(least(put_in, found)) AS found, sum(greatest(found - put_in, 0)) AS false_alarms
	FROM (SELECT report, what, patient_id, subject, sum(put_in) AS put_in, sum(found) AS found
		FROM (SELECT *, 1 AS put_in, 0 AS found FROM demo.fault UNION ALL SELECT *, 0, 1 FROM demo.finding) one
		GROUP BY report, what, patient_id, subject) thing
	GROUP BY report, what;
