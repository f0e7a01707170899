CREATE FUNCTION workflow_track.setup_billing_state() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	-- A version without these tables has recorded what they are made of.
	IF to_regclass('workflow_track.billing_state') IS NULL AND EXISTS (SELECT FROM workflow_track.patient_state) THEN
		INSERT INTO workflow_track.stale_mark (what, name) VALUES ('everything', '') ON CONFLICT DO NOTHING;
	END IF;

	CREATE TABLE IF NOT EXISTS workflow_track.billing_state (
		event_id bigint NOT NULL,
		place integer NOT NULL,
		occurred_at timestamptz NOT NULL,
		since timestamptz NOT NULL,
		found_at timestamptz NOT NULL,
		settled_at timestamptz NOT NULL,
		documentation_event_id bigint,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C" NOT NULL,
		problem text COLLATE "C" NOT NULL,
		code workflow_track.clinical_code,
		wanted text[] COLLATE "C"
	) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS billing_state_patient ON workflow_track.billing_state (patient_id);
	CREATE INDEX IF NOT EXISTS billing_state_since ON workflow_track.billing_state (since);
	COMMENT ON TABLE workflow_track.billing_state IS 'mismatches of billing and when they stood, as detection keeps them; view billing_mismatch reads it';
	PERFORM workflow_track.comment_columns('billing_state',
		'event_id', 'the charge or the denial, else the documentation', 'place', 'which of the mismatches of that event', 'occurred_at', 'when the event happened',
		'since', 'since when it is wrong', 'found_at', 'from when on that can be told', 'settled_at', 'when it was settled; infinity while it is not',
		'documentation_event_id', 'the last documentation before a late charge, or the one that is not charged', 'is_test', 'whether the patient is a test patient',
		'patient_id', 'of the event', 'facility', 'of the event', 'encounter_id', 'of the event', 'problem', 'what is wrong',
		'code', 'of the event; of diagnosis_not_documented, the diagnosis', 'wanted', 'the modifiers that are missing, by each rule the kinds of events that would document it, or the more specific diagnoses that are documented');

	CREATE TABLE IF NOT EXISTS workflow_track.charge_state (
		event_id bigint NOT NULL,
		charged_at timestamptz NOT NULL,
		day timestamptz NOT NULL,
		documented_at timestamptz,
		is_late boolean NOT NULL,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		role text COLLATE "C",
		code_family text COLLATE "C" NOT NULL
	) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS charge_state_patient ON workflow_track.charge_state (patient_id);
	CREATE INDEX IF NOT EXISTS charge_state_day ON workflow_track.charge_state (day);
	COMMENT ON TABLE workflow_track.charge_state IS 'charges that a billing rule covers, as detection keeps them; view charge_lag reads it';
	PERFORM workflow_track.comment_columns('charge_state',
		'event_id', 'the charge', 'charged_at', 'when it was captured', 'day', 'that day, in UTC', 'documented_at', 'when it was documented last before that',
		'is_late', 'whether a rule finds it late', 'is_test', 'whether the patient is a test patient', 'patient_id', 'of the charge', 'facility', 'of the charge',
		'role', 'the role of its actor', 'code_family', 'the codes of the rule that says it most exactly');

	CREATE TABLE IF NOT EXISTS workflow_track.claim_state (
		event_id bigint NOT NULL,
		submitted_at timestamptz NOT NULL,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C" NOT NULL,
		subject text COLLATE "C",
		answers text[] COLLATE "C" NOT NULL,
		answered_at timestamptz[] NOT NULL,
		problems text[] COLLATE "C" NOT NULL
	) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS claim_state_patient ON workflow_track.claim_state (patient_id);
	CREATE INDEX IF NOT EXISTS claim_state_submitted ON workflow_track.claim_state (submitted_at);
	COMMENT ON TABLE workflow_track.claim_state IS 'claims that were submitted, as detection keeps them; view claim_outcome reads it';
	PERFORM workflow_track.comment_columns('claim_state',
		'event_id', 'the submission', 'submitted_at', 'when it happened', 'is_test', 'whether the patient is a test patient', 'patient_id', 'of the submission',
		'facility', 'of the submission', 'encounter_id', 'of the submission', 'subject', 'the claim',
		'answers', 'accepted, denied or paid, in order, until it was submitted again', 'answered_at', 'when each was given',
		'problems', 'what was wrong with the charges of the encounter when it was submitted');
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_billing_state() IS 'part of setup(): what detection keeps of billing';

CREATE FUNCTION workflow_track.setup_billing_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.billing_finding WITH (security_barrier) AS
		SELECT b.facility, b.patient_id, b.encounter_id, b.problem, b.code,
			CASE WHEN b.problem <> 'documentation_without_charge' THEN b.event_id END AS charge_event_id, b.documentation_event_id,
			b.occurred_at, b.since, b.found_at, b.settled_at,
			CASE b.problem
				WHEN 'charge_without_documentation' THEN format('%s was charged and is not documented in the encounter. To be settled by %s of this code, or by retracting the charge.',
					b.code, array_to_string(b.wanted, ' of this code, and by '))
				WHEN 'claim_denied' THEN 'The claim was denied. To be settled by claim.accepted or claim.paid of the same claim in the encounter.'
				WHEN 'diagnosis_not_documented' THEN CASE WHEN b.wanted IS NULL
					THEN format('%s is a diagnosis of the charge and not documented in the encounter. To be settled by diagnosis.documented of this code, or by a corrected charge.', b.code)
					ELSE format('%s is a diagnosis of the charge; the encounter documents it more exactly, as %s. To be settled by a corrected charge that names that, or by diagnosis.documented of this code.',
						b.code, array_to_string(b.wanted, ' and ')) END
				WHEN 'documentation_without_charge' THEN format('%s was documented and not charged in time. To be settled by charge.captured of this code, or by retracting the documentation.', b.code)
				WHEN 'late_charge' THEN format('%s was charged %s after the time allowed from its documentation. It stays, unless the charge or the documentation was entered in error.',
					b.code, b.occurred_at - b.since)
				WHEN 'missing_authorization' THEN format('%s needs an authorization. To be settled by authorization.approved of this code in the encounter, or by a corrected charge that has its number.', b.code)
				WHEN 'missing_modifier' THEN format('%s lacks the modifier %s. To be settled by a corrected charge.', b.code, array_to_string(b.wanted, ' and '))
			END AS explanation
		FROM workflow_track.billing_state b
		WHERE workflow_track.facility_is_visible(b.facility)
			AND (NOT b.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.billing_finding IS 'every mismatch of billing with the time in which it stood; billing_mismatch asks it about a moment';
	PERFORM workflow_track.make_report('billing_mismatch', $query$
		SELECT b.facility, b.patient_id, b.encounter_id, b.problem, b.code, b.charge_event_id, b.documentation_event_id, b.since, b.explanation
		FROM workflow_track.billing_finding b
		WHERE b.found_at <= :as_of AND b.settled_at > :as_of$query$,
		'charges that documentation does not bear out, documentation that is not charged, and denied claims');
	PERFORM workflow_track.comment_columns('billing_finding',
		'facility', 'of the charge or the denial, else of the documentation', 'patient_id', 'likewise', 'encounter_id', 'likewise',
		'problem', 'charge_without_documentation, documentation_without_charge, late_charge, diagnosis_not_documented, missing_modifier, missing_authorization or claim_denied',
		'code', 'what was charged or documented; of diagnosis_not_documented, the diagnosis',
		'charge_event_id', 'the charge, or the denial of the claim', 'documentation_event_id', 'the documentation that is not charged, or the last before a late charge',
		'occurred_at', 'when the charge or the denial, else the documentation, happened', 'since', 'since when it is wrong', 'found_at', 'from when on that can be told',
		'settled_at', 'when it was settled; infinity while it is not', 'explanation', 'what is wrong, and what would settle it');
	PERFORM workflow_track.comment_columns('billing_mismatch',
		'facility', 'of the charge or the denial, else of the documentation', 'patient_id', 'likewise', 'encounter_id', 'likewise',
		'problem', 'charge_without_documentation, documentation_without_charge, late_charge, diagnosis_not_documented, missing_modifier, missing_authorization or claim_denied',
		'code', 'what was charged or documented; of diagnosis_not_documented, the diagnosis',
		'charge_event_id', 'the charge, or the denial of the claim', 'documentation_event_id', 'the documentation that is not charged, or the last before a late charge',
		'since', 'since when it is wrong', 'explanation', 'what is wrong, and what would settle it');

	CREATE OR REPLACE VIEW workflow_track.claim WITH (security_barrier) AS
		SELECT c.facility, c.patient_id, c.encounter_id, c.subject, c.event_id AS submitted_event_id, c.submitted_at, c.answers, c.answered_at, c.problems
		FROM workflow_track.claim_state c
		WHERE workflow_track.facility_is_visible(c.facility)
			AND (NOT c.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.claim IS 'every claim that was submitted with all answers to it; claim_outcome asks it about a moment';
	PERFORM workflow_track.make_report('claim_outcome', $query$
		SELECT c.facility, c.patient_id, c.encounter_id, c.subject, c.submitted_event_id, c.submitted_at,
			coalesce(a.outcome, 'submitted') COLLATE "C" AS outcome, a.accepted_at, a.denied_at, a.paid_at,
			a.time_to_answer, a.time_to_payment, CASE WHEN a.time_to_answer IS NULL THEN :as_of - c.submitted_at END AS waiting, c.problems
		FROM workflow_track.claim c CROSS JOIN LATERAL (
			SELECT (array_agg(x.answer ORDER BY x.n DESC))[1] AS outcome, min(greatest(x.at, c.submitted_at)) - c.submitted_at AS time_to_answer,
				min(greatest(x.at, c.submitted_at)) FILTER (WHERE x.answer = 'paid') - c.submitted_at AS time_to_payment, min(x.at) FILTER (WHERE x.answer = 'accepted') AS accepted_at,
				min(x.at) FILTER (WHERE x.answer = 'denied') AS denied_at, min(x.at) FILTER (WHERE x.answer = 'paid') AS paid_at
			FROM unnest(c.answers, c.answered_at) WITH ORDINALITY AS x(answer, at, n) WHERE x.at <= :as_of) a
		WHERE c.submitted_at <= :as_of$query$,
		'what became of each claim that was submitted, how long that took, and what was wrong with the charges of its encounter before');
	PERFORM workflow_track.comment_columns('claim',
		'facility', 'of the submission', 'patient_id', 'of the submission', 'encounter_id', 'of the submission', 'subject', 'the claim',
		'submitted_event_id', 'the submission', 'submitted_at', 'when it happened', 'answers', 'accepted, denied or paid, in order, until it was submitted again',
		'answered_at', 'when each was given', 'problems', 'what was wrong with the charges of the encounter when it was submitted');
	PERFORM workflow_track.comment_columns('claim_outcome',
		'facility', 'of the submission', 'patient_id', 'of the submission', 'encounter_id', 'of the submission', 'subject', 'the claim',
		'submitted_event_id', 'the submission', 'submitted_at', 'when it happened', 'outcome', 'the last answer: accepted, denied or paid; submitted while there is none',
		'accepted_at', 'when it was first accepted', 'denied_at', 'when it was first denied', 'paid_at', 'when it was first paid',
		'time_to_answer', 'from the submission to the first answer', 'time_to_payment', 'from the submission to the payment',
		'waiting', 'for how long there is no answer', 'problems', 'what was wrong with the charges of the encounter when it was submitted');

	CREATE OR REPLACE FUNCTION workflow_track.denial_cause(since timestamptz, until timestamptz DEFAULT NULL)
	RETURNS TABLE (facility text, problem text, claims bigint, denied bigint, share double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $function$
		SELECT c.facility, p.problem, count(*), count(c.denied_at), count(c.denied_at)::double precision / count(*)
		FROM workflow_track.claim_outcome AS c LEFT JOIN LATERAL unnest(c.problems) AS p(problem) ON true
		WHERE c.time_to_answer IS NOT NULL AND c.submitted_at >= coalesce(denial_cause.since, '-infinity') AND c.submitted_at < coalesce(denial_cause.until, 'infinity')
		GROUP BY c.facility, p.problem ORDER BY c.facility, count(c.denied_at) DESC, count(*) DESC, p.problem
	$function$;
	COMMENT ON FUNCTION workflow_track.denial_cause(timestamptz, timestamptz) IS
	'of the claims that were submitted in a time and answered, by what was wrong with the charges of their encounter before (null is nothing), how many were denied';
	REVOKE ALL ON FUNCTION workflow_track.denial_cause(timestamptz, timestamptz) FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION workflow_track.denial_cause(timestamptz, timestamptz) TO workflow_track_admin, workflow_track_analyst;

	CREATE OR REPLACE VIEW workflow_track.charge_lag WITH (security_barrier) AS
		SELECT day, facility, role, code_family, charges, undocumented, late, workflow_track.mean(histogram) AS mean,
			workflow_track.quantile(histogram, 0.5) AS p50, workflow_track.quantile(histogram, 0.9) AS p90, workflow_track.longest(histogram) AS longest, histogram
		FROM (SELECT c.day, c.facility, c.role, c.code_family, count(*) AS charges, count(*) FILTER (WHERE c.documented_at IS NULL) AS undocumented,
				count(*) FILTER (WHERE c.is_late) AS late, workflow_track.latency_histogram(c.charged_at - c.documented_at) AS histogram
			FROM workflow_track.charge_state c
			WHERE workflow_track.facility_is_visible(c.facility)
				AND (NOT c.is_test OR (SELECT workflow_track.test_patients_shown()))
			GROUP BY c.day, c.facility, c.role, c.code_family) g;
	COMMENT ON VIEW workflow_track.charge_lag IS 'how long after its documentation a service is charged, by day, facility, role and family of codes';
	PERFORM workflow_track.comment_columns('charge_lag',
		'day', 'of the charges, in UTC', 'facility', 'of the charges', 'role', 'the role of who charged', 'code_family', 'the codes of the billing rule that says it most exactly',
		'charges', 'how many there were', 'undocumented', 'of these, charged before any documentation', 'late', 'of these, later than a rule allows',
		'mean', 'mean time from the last documentation to the charge, exact', 'p50', 'half took no longer', 'p90', '90 % took no longer',
		'longest', 'the longest, within 1 %', 'histogram', 'all these times, to be merged');

	GRANT SELECT ON workflow_track.billing_finding, workflow_track.claim, workflow_track.charge_lag TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_billing_views() IS 'part of setup(): views of billing';
