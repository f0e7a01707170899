CREATE FUNCTION workflow_track.setup_event_kind() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.event_kind (
		kind text COLLATE "C" PRIMARY KEY CHECK (kind ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
		category text COLLATE "C" NOT NULL CHECK (category <> ''),
		counts_as_work boolean NOT NULL DEFAULT true,
		description text COLLATE "C"
	);
	COMMENT ON TABLE workflow_track.event_kind IS 'the kinds of events that can be recorded; sites add rows';
	COMMENT ON COLUMN workflow_track.event_kind.kind IS 'the name, object.past_participle in lower case';
	COMMENT ON COLUMN workflow_track.event_kind.category IS 'what it is about; of a shipped kind the part before the dot';
	COMMENT ON COLUMN workflow_track.event_kind.counts_as_work IS 'whether it is work on the patient: thread and implied handoffs are told from such events';
	COMMENT ON COLUMN workflow_track.event_kind.description IS 'what happened, in a line';

	-- A site's own wording and flags stay.
	INSERT INTO workflow_track.event_kind (kind, category, counts_as_work, description)
	SELECT k.kind, split_part(k.kind, '.', 1),
		k.kind NOT LIKE 'handoff.%' AND k.kind NOT IN ('alert.fired', 'screen.used', 'patient.merged',
			'patient.updated', 'encounter.merged', 'result.released', 'task.created', 'account.opened'),
		k.description
	FROM (VALUES
		('appointment.booked', 'an appointment was made'),
		('appointment.rescheduled', 'an appointment was moved to another time'),
		('appointment.modified', 'something of an appointment other than its time was changed'),
		('appointment.cancelled', 'an appointment was called off'),
		('appointment.arrived', 'the patient came to an appointment'),
		('appointment.no_show', 'the patient did not come to an appointment'),
		('eligibility.verified', 'the insurer confirmed that the patient is covered'),
		('consent.signed', 'the patient consented in writing'),
		('patient.registered', 'a patient was entered for the first time'),
		('patient.updated', 'a patient''s personal data were changed'),
		('patient.merged', 'two ids were found to be one patient; the subject is the losing id'),
		('patient.notified', 'the patient was told of a result or a decision'),
		('patient.died', 'the patient died'),
		('encounter.registered', 'a visit without admission began'),
		('encounter.preadmitted', 'an admission was prepared'),
		('encounter.admitted', 'the patient was admitted'),
		('encounter.transferred', 'the patient was moved to another unit or bed'),
		('encounter.discharged', 'the patient was discharged or the visit ended'),
		('encounter.cancelled', 'a visit was called off'),
		('encounter.merged', 'two visit numbers were found to be one visit; the subject is the old number'),
		('intake.completed', 'the intake questions were answered'),
		('vitals.recorded', 'vital signs were measured'),
		('history.recorded', 'the medical history was taken'),
		('assessment.documented', 'an assessment was written down'),
		('diagnosis.documented', 'a diagnosis was written down'),
		('procedure.documented', 'a procedure was written down'),
		('note.signed', 'a clinical note was signed'),
		('order.placed', 'a test, treatment or service was ordered'),
		('order.accepted', 'the department that fills an order took it on'),
		('order.modified', 'an order was changed'),
		('order.cancelled', 'an order was called off'),
		('order.replaced', 'an order was closed because another took its place'),
		('specimen.collected', 'a specimen was taken from the patient'),
		('specimen.received', 'a specimen reached the laboratory'),
		('result.preliminary', 'a result was reported that may still change'),
		('result.final', 'a result was reported as final'),
		('result.corrected', 'a result that had been reported was corrected'),
		('result.cancelled', 'a result will not come or was withdrawn'),
		('result.viewed', 'somebody opened a result'),
		('result.acknowledged', 'a clinician confirmed having taken note of a result'),
		('result.acted_on', 'a clinician did what a result called for'),
		('result.released', 'a result was made visible to the patient'),
		('prescription.sent', 'a prescription was sent to a pharmacy'),
		('medication.dispensed', 'a pharmacy handed out a medication'),
		('medication.administered', 'a medication was given to the patient'),
		('immunization.administered', 'a vaccine was given to the patient'),
		('referral.sent', 'the patient was referred to another provider'),
		('referral.modified', 'a referral was changed'),
		('referral.accepted', 'the provider referred to took the patient on'),
		('referral.rejected', 'the provider referred to declined'),
		('referral.scheduled', 'the referred patient got an appointment'),
		('referral.seen', 'the referred patient was seen'),
		('referral.report_returned', 'the provider referred to reported back'),
		('referral.cancelled', 'a referral was called off'),
		('referral.closed', 'a referral was finished, by its report or by decision'),
		('followup.scheduled', 'a follow-up was planned'),
		('followup.completed', 'a follow-up took place'),
		('handoff.offered', 'responsibility was offered to another party'),
		('handoff.accepted', 'responsibility was taken over'),
		('handoff.rejected', 'responsibility was declined'),
		('alert.fired', 'a system showed an alert'),
		('alert.acknowledged', 'somebody confirmed an alert'),
		('alert.overridden', 'somebody went on against an alert'),
		('data.entered', 'a value was typed into a system'),
		('task.created', 'a task was set'),
		('task.completed', 'a task was done'),
		('task.cancelled', 'a task was called off'),
		('screen.used', 'somebody worked on a screen'),
		('authorization.requested', 'the insurer was asked to approve a service'),
		('authorization.approved', 'the insurer approved a service'),
		('authorization.denied', 'the insurer refused a service'),
		('account.opened', 'an account was opened to put services on'),
		('charge.captured', 'a service was put on the bill'),
		('claim.submitted', 'a claim was sent to the insurer'),
		('claim.accepted', 'the insurer accepted a claim'),
		('claim.denied', 'the insurer refused a claim'),
		('claim.paid', 'the insurer paid a claim')
	) AS k(kind, description)
	ON CONFLICT (kind) DO NOTHING;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_event_kind() IS 'makes event_kind and adds the shipped kinds that it lacks';
