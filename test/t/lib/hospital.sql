-- A small hospital, the same every time but for the month it begins in: some
-- 4,000 events of 60 patients over four months, and a few of long before.

CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SELECT workflow_track.ensure_partitions(now() - interval '18 months', now());

-- Chance that is none: a number below m.
CREATE FUNCTION pg_temp.draw(n bigint, salt int, m int) RETURNS int
LANGUAGE sql IMMUTABLE AS $$ SELECT abs(hashint8(n * 1000 + salt)::bigint)::int % m $$;

SELECT workflow_track.set_workflow_state('default', 1, 'retired');
INSERT INTO workflow_track.event_kind VALUES ('round.completed', 'clinical', true, 'a ward round was made');
SELECT workflow_track.define_workflow('{
 "workflow": "site", "version": 3, "state": "current",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"]},
  {"step": "result", "kind": "result.final", "in": ["LIS"], "delivered_to": ["provider", "nurse"]},
  {"step": "acknowledge", "kind": "result.acknowledged"}],
 "transitions": [["order", "result"], ["result", "acknowledge"]],
 "expectations": [
  {"name": "critical acknowledged", "category": "acknowledgement", "after": ["result.final", "result.corrected"],
   "when": {"severity": "critical"}, "expect": ["result.acknowledged"], "by": ["provider"],
   "correlated_by": "item", "within": "1 hour", "early": "2 minutes", "escalate_to": "charge_nurse",
   "cancelled_by": [{"kind": "patient.died", "correlated_by": "patient"}]},
  {"name": "acknowledged", "category": "acknowledgement", "after": ["result.final"],
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "3 days"},
  {"name": "resulted", "category": "order", "after": ["order.placed"], "expect": ["result.final"],
   "correlated_by": "subject", "within": "6 hours", "cancelled_by": ["order.cancelled"]},
  {"name": "seen after discharge", "category": "follow_up", "after": ["encounter.discharged"],
   "when": {"detail": {"patient_class": "I"}}, "expect": ["followup.completed"], "correlated_by": "patient",
   "within": "7 days", "cancelled_by": ["encounter.admitted"]},
  {"name": "handoff accepted", "category": "handoff", "after": ["handoff.offered"], "expect": ["handoff.accepted"],
   "correlated_by": "subject", "within": "30 minutes"}],
 "duplicates": [{"kind": "data.entered", "same": ["code", "value"], "different": ["source_system"],
   "when": {"entry_method": "manual"}, "within": "24 hours"}],
 "billing": [{"codes": "cpt|", "documented_by": ["procedure.documented"], "within": "24 hours"}]
}');
SELECT workflow_track.define_workflow(workflow_track.workflow_document('site', 3)
	|| '{"version": 4, "state": "future", "expectations": []}');

INSERT INTO workflow_track.facility VALUES ('north', 'North Hospital', 'Europe/Berlin'), ('south', 'South Hospital', 'UTC');
INSERT INTO workflow_track.facility_access VALUES ('workflow_track_analyst', 'north');
INSERT INTO workflow_track.staff (actor, role, facility, is_shared_inbox, active_during)
	SELECT 'dr' || n, CASE WHEN n < 5 THEN 'provider' ELSE 'consultant' END, CASE WHEN n = 3 THEN 'south' END, false,
		CASE WHEN n = 4 THEN tstzrange(NULL, date_trunc('month', now()) - interval '3 months') END
	FROM generate_series(1, 6) n
	UNION ALL SELECT 'rn' || n, 'nurse', NULL, false, NULL FROM generate_series(1, 3) n
	UNION ALL SELECT 'inbox', 'provider', NULL, true, NULL;
INSERT INTO workflow_track.test_patient VALUES ('p11'), ('p12');

-- Visits, and what happens in them: the minute of the visit, and whom it is up to.
CREATE TEMP TABLE visit AS
	SELECT n, 'p' || pg_temp.draw(n, 1, 60) AS patient_id, 'v' || n AS encounter_id,
		date_trunc('month', now(), 'UTC') - interval '4 months' + pg_temp.draw(n, 2, 120 * 1440) * interval '1 minute' AS at,
		(ARRAY['north', 'south'])[1 + pg_temp.draw(n, 3, 2)] AS facility,
		jsonb_build_object('patient_class', (ARRAY['I', 'O'])[1 + pg_temp.draw(n, 4, 2)]) AS detail
	FROM generate_series(1, 400) n;

INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, source_system, actor, detail)
	SELECT 'encounter.admitted', at, facility, patient_id, encounter_id, 'PMS', 'clerk', detail FROM visit;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, code, source_system, actor)
	SELECT 'order.placed', at + interval '10 minutes', facility, patient_id, encounter_id, 'o' || n, 'loinc|2345-7',
		'EHR', 'dr' || pg_temp.draw(n, 5, 7) FROM visit;
INSERT INTO workflow_track.subject_alias
	SELECT DISTINCT patient_id, 'f' || n, 'o' || n FROM visit WHERE n % 4 = 0;
INSERT INTO workflow_track.event (kind, occurred_at, time_precision, facility, patient_id, encounter_id, subject, item, code,
		value, severity, source_system, actor, recipient, entry_method)
	SELECT 'result.final', at + pg_temp.draw(n, 6, 600) * interval '1 minute',
		(ARRAY['second', 'minute'])[1 + pg_temp.draw(n, 7, 2)]::workflow_track.time_precision,
		facility, patient_id, encounter_id, CASE n % 4 WHEN 0 THEN 'f' ELSE 'o' END || n, 'r', 'loinc|2345-7',
		pg_temp.draw(n, 8, 300)::text, (ARRAY['normal', 'abnormal', 'critical', NULL])[1 + pg_temp.draw(n, 9, 4)]::workflow_track.severity,
		'LIS', 'lab', (ARRAY['dr1', 'dr4', 'rn1', 'inbox', 'gone', NULL])[1 + pg_temp.draw(n, 10, 6)], 'interface'
	FROM visit WHERE n % 10 <> 1;
SELECT workflow_track.fold_handoffs(), workflow_track.fold_follows(), workflow_track.fold_diary();

INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, item, source_system, actor)
	SELECT 'result.acknowledged', at + (300 + pg_temp.draw(n, 11, 5000)) * interval '1 minute', facility, patient_id, encounter_id,
		'o' || n, (ARRAY['r', NULL])[1 + pg_temp.draw(n, 12, 2)], 'EHR', 'dr' || pg_temp.draw(n, 13, 7)
	FROM visit WHERE pg_temp.draw(n, 14, 10) < 7;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, code, value, source_system, actor, entry_method)
	SELECT 'data.entered', at + again * interval '40 minutes', facility, patient_id, encounter_id, 'local:vitals|WEIGHT',
		(50 + pg_temp.draw(n, 15, 50))::text, (ARRAY['EHR', 'PMS'])[1 + again], 'rn' || 1 + pg_temp.draw(n, 16, 3), 'manual'
	FROM visit, generate_series(0, 1) again WHERE again = 0 OR n % 3 = 0;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, source_system, actor, actor_role)
	SELECT kind, at + minutes * interval '1 minute', facility, patient_id, encounter_id, 'h' || n, 'EHR',
		actor, CASE WHEN n % 5 = 0 THEN 'locum' END
	FROM visit, LATERAL (VALUES
		('handoff.offered', 60 + pg_temp.draw(n, 17, 60), 'rn1'),
		('handoff.accepted', 100 + pg_temp.draw(n, 18, 60), 'rn2')) h (kind, minutes, actor)
	WHERE kind = 'handoff.offered' OR n % 5 > 0;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, source_system, actor, detail)
	SELECT 'encounter.discharged', at + interval '2 days', facility, patient_id, encounter_id, 'PMS', 'clerk', detail FROM visit;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, code, source_system, actor, detail)
	SELECT kind, at + minutes * interval '1 minute', facility, patient_id, encounter_id, ('cpt|9921' || n % 5)::workflow_track.clinical_code, 'BILLING', 'coder',
		'{"modifiers": ["25"], "diagnoses": ["icd10cm|E11.9"]}'::jsonb
	FROM visit, (VALUES ('procedure.documented', 90), ('charge.captured', 2000)) c (kind, minutes)
	WHERE pg_temp.draw(n, minutes, 10) < 8;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, source_system, actor)
	SELECT 'followup.completed', at + interval '2 days' + pg_temp.draw(n, 19, 20000) * interval '1 minute', facility, patient_id, 'EHR', 'dr2'
	FROM visit WHERE n % 2 = 0;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, subject, source_system, actor)
	SELECT 'order.placed', date_trunc('month', now(), 'UTC') - months * interval '1 month', 'north', 'p1', 'old' || months, 'EHR', 'dr1'
	FROM unnest(ARRAY[6, 13, 14, 26, 40]) months;

INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, subject, source_system, actor)
	SELECT 'patient.merged', date_trunc('month', now()) - interval '50 days', 'north', patient_id, subject, 'PMS', 'clerk'
	FROM (VALUES ('p1', 'p2'), ('p2', 'p3'), ('p4', 'p5'), ('p6', 'p7'), ('p11', 'p13')) m (patient_id, subject);
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, source_system, actor)
	SELECT 'encounter.merged', max(at), 'north', patient_id, max(encounter_id), min(encounter_id), 'PMS', 'clerk'
	FROM visit WHERE patient_id IN ('p20', 'p21', 'p22') GROUP BY patient_id;
SELECT workflow_track.retract_event(event_id, 'merged by mistake') FROM workflow_track.event
	WHERE kind = 'patient.merged' AND patient_id = 'p6';
SELECT workflow_track.retract_event(event_id, 'entered in error') FROM workflow_track.event
	WHERE kind IN ('order.placed', 'result.acknowledged', 'data.entered') AND event_id % 23 = 0;

-- Messages: one that comes twice, an admission that is called off before it comes, numbers that are one, what cannot be read, an answer.
INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone) VALUES ('LIS', 'north', 'Europe/Berlin');
INSERT INTO workflow_track.hl7v2_mapping (name, message, segment, kind, subject) VALUES ('site''s own', '{ZZZ^*}', 'ZZZ', '''assessment.documented''', 'ZZZ-1');
INSERT INTO workflow_track.inbox (body)
	SELECT replace(replace(line, 'TIME', to_char(date_trunc('month', now(), 'UTC') - interval '70 days', 'YYYYMMDDHH24MISS')), '/', E'\r')
	FROM unnest(ARRAY[
		'MSH|^~\&|PMS|north|||TIME||ADT^A11|1|P|2.5/EVN|A11|TIME/PID|1||m1/PV1|1|I|||||||||||||||||mv1',
		'MSH|^~\&|PMS|north|||TIME||ADT^A01|2|P|2.5/EVN|A01|TIME/PID|1||m1/PV1|1|I|||||||||||||||||mv1',
		'MSH|^~\&|PMS|north|||TIME||ADT^A01|2|P|2.5/EVN|A01|TIME/PID|1||m1/PV1|1|I|||||||||||||||||mv1',
		'MSH|^~\&|EHR|north|||TIME||ORM^O01|3|P|2.5/PID|1||m2/PV1|1|I|||||||||||||||||mv2/ORC|NW|mo1|||||||TIME/OBR|1|mo1||2345-7^Glucose^LN',
		'MSH|^~\&|LIS|north|||TIME||ORU^R01|4|P|2.5/PID|1||m2/PV1|1|I|||||||||||||||||mv2/ORC|RE|mo1|mf1/OBR|1|mo1|mf1|2345-7^Glucose^LN||||||||||||dr1||||||TIME|||F/OBX|1|NM|2345-7^Glucose^LN||300|||HH|||F',
		'MSH|^~\&|PMS|north|LIS|north|TIME||ACK|5|P|2.5/MSA|AE|4',
		'MSH|^~\&|PMS|north|||TIME||ZZZ^Z01|6|P|2.5/PID|1||m2/PV1|1|I|||||||||||||||||mv2/ZZZ|round1',
		'no message']) line;

-- A change of staff that waits for catch_up().
UPDATE workflow_track.staff SET role = 'nurse' WHERE actor = 'dr6';
