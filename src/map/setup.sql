CREATE FUNCTION workflow_track.setup_workflow() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.workflow (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		state text COLLATE "C" NOT NULL CHECK (state IN ('draft', 'current', 'future', 'retired')),
		document jsonb NOT NULL,
		defined_at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (workflow, version)
	);
	CREATE UNIQUE INDEX IF NOT EXISTS workflow_current ON workflow_track.workflow (workflow) WHERE state = 'current';
	COMMENT ON TABLE workflow_track.workflow IS 'the versions of the workflow map; define_workflow() makes them';
	COMMENT ON COLUMN workflow_track.workflow.workflow IS 'the name of the workflow';
	COMMENT ON COLUMN workflow_track.workflow.version IS 'the number of the version';
	COMMENT ON COLUMN workflow_track.workflow.state IS 'draft, current, future or retired; only the current version drives detection';
	COMMENT ON COLUMN workflow_track.workflow.document IS 'the document as it was given, with its state of today';
	COMMENT ON COLUMN workflow_track.workflow.defined_at IS 'when this version was stored';
	COMMENT ON INDEX workflow_track.workflow_current IS 'one version of a workflow is current';

	CREATE TABLE IF NOT EXISTS workflow_track.workflow_step (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		step text COLLATE "C" NOT NULL,
		kind text COLLATE "C" NOT NULL REFERENCES workflow_track.event_kind,
		performed_by text[] COLLATE "C" NOT NULL,
		systems text[] COLLATE "C" NOT NULL,
		delivered_to text[] COLLATE "C" NOT NULL,
		required_fields text[] COLLATE "C" NOT NULL,
		optional boolean NOT NULL,
		repeatable boolean NOT NULL,
		starts boolean NOT NULL,
		ends boolean NOT NULL,
		PRIMARY KEY (workflow, version, step),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.workflow_step IS 'the steps of a workflow: what happens, who does it, where, and who is told';
	COMMENT ON COLUMN workflow_track.workflow_step.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.workflow_step.version IS 'its version';
	COMMENT ON COLUMN workflow_track.workflow_step.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.workflow_step.step IS 'the name of the step';
	COMMENT ON COLUMN workflow_track.workflow_step.kind IS 'the kind of event that the step leaves';
	COMMENT ON COLUMN workflow_track.workflow_step.performed_by IS 'the roles that perform it; empty is any';
	COMMENT ON COLUMN workflow_track.workflow_step.systems IS 'the systems it is entered in (key "in"); empty is any';
	COMMENT ON COLUMN workflow_track.workflow_step.delivered_to IS 'the roles to whom it must be directed; empty is nobody in particular';
	COMMENT ON COLUMN workflow_track.workflow_step.required_fields IS 'what its event must hold: columns of event, detail.KEY or code:SYSTEM';
	COMMENT ON COLUMN workflow_track.workflow_step.optional IS 'whether a case may do without it';
	COMMENT ON COLUMN workflow_track.workflow_step.repeatable IS 'whether a case may have it again';
	COMMENT ON COLUMN workflow_track.workflow_step.starts IS 'whether a case may begin with it (key "start")';
	COMMENT ON COLUMN workflow_track.workflow_step.ends IS 'whether a case may end with it (key "end")';

	CREATE TABLE IF NOT EXISTS workflow_track.workflow_transition (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		from_step text COLLATE "C" NOT NULL,
		to_step text COLLATE "C" NOT NULL,
		PRIMARY KEY (workflow, version, from_step, to_step),
		FOREIGN KEY (workflow, version, from_step) REFERENCES workflow_track.workflow_step ON DELETE CASCADE,
		FOREIGN KEY (workflow, version, to_step) REFERENCES workflow_track.workflow_step ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.workflow_transition IS 'which step of a workflow may follow which';
	COMMENT ON COLUMN workflow_track.workflow_transition.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.workflow_transition.version IS 'its version';
	COMMENT ON COLUMN workflow_track.workflow_transition.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.workflow_transition.from_step IS 'the step before';
	COMMENT ON COLUMN workflow_track.workflow_transition.to_step IS 'the step after it';
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_workflow() IS 'makes the tables of workflows and their steps';

CREATE FUNCTION workflow_track.setup_expectation() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.expectation (
		expectation_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		name text COLLATE "C" NOT NULL,
		category text COLLATE "C" NOT NULL CHECK (category IN
			('acknowledgement', 'follow_up', 'referral', 'notification', 'order', 'handoff', 'claim')),
		after text[] COLLATE "C" NOT NULL,
		when_severity text[] COLLATE "C",
		when_facility text[] COLLATE "C",
		when_entry_method text[] COLLATE "C",
		when_code text COLLATE "C",
		when_detail jsonb,
		expect text[] COLLATE "C" NOT NULL,
		by text[] COLLATE "C" NOT NULL,
		correlated_by text COLLATE "C" NOT NULL CHECK (correlated_by IN ('patient', 'encounter', 'subject', 'item')),
		within interval NOT NULL,
		early interval NOT NULL,
		cancelled_by text[] COLLATE "C" NOT NULL,
		cancelled_by_correlation text[] COLLATE "C" NOT NULL,
		escalate_to text COLLATE "C",
		UNIQUE (workflow, version, name),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.expectation IS 'what must follow what, and by when: each opens a loop for every event that it is after';
	COMMENT ON COLUMN workflow_track.expectation.expectation_id IS 'identity';
	COMMENT ON COLUMN workflow_track.expectation.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.expectation.version IS 'its version';
	COMMENT ON COLUMN workflow_track.expectation.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.expectation.name IS 'what is expected, in words';
	COMMENT ON COLUMN workflow_track.expectation.category IS 'which lists its loops are shown in';
	COMMENT ON COLUMN workflow_track.expectation.after IS 'the kinds that open a loop';
	COMMENT ON COLUMN workflow_track.expectation.when_severity IS 'the severities of openers, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_facility IS 'the facilities of openers; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_entry_method IS 'the entry methods of openers, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_code IS 'the beginning of the codes of openers; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_detail IS 'keys of openers'' detail, each with a list of the values that will do; null is any detail';
	COMMENT ON COLUMN workflow_track.expectation.expect IS 'the kinds that close a loop';
	COMMENT ON COLUMN workflow_track.expectation.by IS 'the roles whose events close it; empty is anybody';
	COMMENT ON COLUMN workflow_track.expectation.correlated_by IS 'what the events of a loop share: patient, encounter, subject or item';
	COMMENT ON COLUMN workflow_track.expectation.within IS 'the time allowed, in hours';
	COMMENT ON COLUMN workflow_track.expectation.early IS 'how long before its opener an event may still close a loop, in hours';
	COMMENT ON COLUMN workflow_track.expectation.cancelled_by IS 'the kinds that cancel a loop';
	COMMENT ON COLUMN workflow_track.expectation.cancelled_by_correlation IS 'for each kind of cancelled_by, what it shares with the opener';
	COMMENT ON COLUMN workflow_track.expectation.escalate_to IS 'the role to turn to when a loop is overdue';
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_expectation() IS 'makes the table of expectations';

CREATE FUNCTION workflow_track.setup_rule() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.duplicate_rule (
		duplicate_rule_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		name text COLLATE "C",
		kind text COLLATE "C" NOT NULL REFERENCES workflow_track.event_kind,
		same text[] COLLATE "C" NOT NULL,
		different text[] COLLATE "C" NOT NULL,
		when_severity text[] COLLATE "C",
		when_facility text[] COLLATE "C",
		when_entry_method text[] COLLATE "C",
		when_code text COLLATE "C",
		when_detail jsonb,
		within interval NOT NULL,
		action text COLLATE "C" NOT NULL CHECK (action IN ('flag', 'reject')),
		UNIQUE (workflow, version, name),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.duplicate_rule IS 'which two events of a patient are the same thing entered twice';
	COMMENT ON COLUMN workflow_track.duplicate_rule.duplicate_rule_id IS 'identity';
	COMMENT ON COLUMN workflow_track.duplicate_rule.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.duplicate_rule.version IS 'its version';
	COMMENT ON COLUMN workflow_track.duplicate_rule.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.duplicate_rule.name IS 'the rule''s name, or null';
	COMMENT ON COLUMN workflow_track.duplicate_rule.kind IS 'the kind of both events';
	COMMENT ON COLUMN workflow_track.duplicate_rule.same IS 'the columns in which both are equal; null equals null';
	COMMENT ON COLUMN workflow_track.duplicate_rule.different IS 'the columns in each of which they are not';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_severity IS 'the severities of both, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_facility IS 'the facilities of both; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_entry_method IS 'the entry methods of both, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_code IS 'the beginning of the codes of both; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_detail IS 'keys of both details, each with a list of the values that will do; null is any detail';
	COMMENT ON COLUMN workflow_track.duplicate_rule.within IS 'how far apart they are at most, in hours';
	COMMENT ON COLUMN workflow_track.duplicate_rule.action IS 'flag lists the second entry, reject refuses it';

	CREATE TABLE IF NOT EXISTS workflow_track.billing_rule (
		billing_rule_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		name text COLLATE "C",
		codes text COLLATE "C" NOT NULL,
		documented_by text[] COLLATE "C" NOT NULL,
		requires_authorization boolean NOT NULL,
		requires_modifiers text[] COLLATE "C" NOT NULL,
		within interval NOT NULL,
		UNIQUE (workflow, version, name),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.billing_rule IS 'what a charge needs in order to be paid';
	COMMENT ON COLUMN workflow_track.billing_rule.billing_rule_id IS 'identity';
	COMMENT ON COLUMN workflow_track.billing_rule.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.billing_rule.version IS 'its version';
	COMMENT ON COLUMN workflow_track.billing_rule.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.billing_rule.name IS 'the rule''s name, or null';
	COMMENT ON COLUMN workflow_track.billing_rule.codes IS 'the beginning of the codes that it covers';
	COMMENT ON COLUMN workflow_track.billing_rule.documented_by IS 'the kinds that document such a charge';
	COMMENT ON COLUMN workflow_track.billing_rule.requires_authorization IS 'whether the insurer must have approved it';
	COMMENT ON COLUMN workflow_track.billing_rule.requires_modifiers IS 'the modifiers that it must have; empty is none';
	COMMENT ON COLUMN workflow_track.billing_rule.within IS 'the time from documentation to charge, in hours';
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_rule() IS 'makes the tables of duplicate rules and billing rules';

CREATE FUNCTION workflow_track.setup_flow_table() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.workflow_flow (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		from_system text COLLATE "C" NOT NULL,
		to_system text COLLATE "C" NOT NULL,
		message_types text[] COLLATE "C" NOT NULL,
		every interval,
		during_days text[] COLLATE "C",
		during_from time,
		during_until time,
		during_timezone text COLLATE "C",
		PRIMARY KEY (workflow, version, position),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.workflow_flow IS 'which system sends which messages to which, and how often at least';
	PERFORM workflow_track.comment_columns('workflow_flow', 'workflow', 'the workflow', 'version', 'its version', 'position', 'the place in the document''s list, from 1',
		'from_system', 'the sender, MSH-3', 'to_system', 'the receiver, MSH-5', 'message_types', 'the types of messages, as in MSH-9; ADT^* is every one of ADT',
		'every', 'the longest time without one, in hours; null is not judged', 'during_days', 'the days on which that is judged; null is every day',
		'during_from', 'the time of day from which it is judged; null is always', 'during_until', 'until when; at or before during_from it is on the next day',
		'during_timezone', 'the time zone of both');
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_flow_table() IS 'makes the table of flows';

CREATE FUNCTION workflow_track.setup_burden_limit() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.burden_limit (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		redundant_alert_within interval,
		documented_within interval,
		signed_within interval,
		PRIMARY KEY (workflow, version),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.burden_limit IS 'limits by which burden and adoption are judged';
	PERFORM workflow_track.comment_columns('burden_limit', 'workflow', 'the workflow', 'version', 'its version',
		'redundant_alert_within', 'an alert is redundant so long after the same one; null is not stated', 'documented_within', 'documentation is late so long after the fact; likewise',
		'signed_within', 'a note is signed late so long after the visit began or the stay ended; likewise');
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_burden_limit() IS 'makes the table of limits of burden and adoption';

CREATE FUNCTION workflow_track.setup_map() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_event_kind();
	PERFORM workflow_track.setup_workflow();
	PERFORM workflow_track.setup_expectation();
	PERFORM workflow_track.setup_rule();
	PERFORM workflow_track.setup_flow_table();
	PERFORM workflow_track.setup_burden_limit();

	-- Rules are written by define_workflow() alone.
	GRANT SELECT ON workflow_track.event_kind TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;
	GRANT INSERT, UPDATE, DELETE ON workflow_track.event_kind TO workflow_track_admin;
	GRANT SELECT ON workflow_track.workflow, workflow_track.workflow_step, workflow_track.workflow_transition,
		workflow_track.expectation, workflow_track.duplicate_rule, workflow_track.billing_rule, workflow_track.workflow_flow, workflow_track.burden_limit
		TO workflow_track_admin, workflow_track_analyst;
	GRANT EXECUTE ON FUNCTION workflow_track.define_workflow(jsonb),
		workflow_track.set_workflow_state(text, integer, text) TO workflow_track_admin;
	GRANT EXECUTE ON FUNCTION workflow_track.workflow_document(text, integer)
		TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;

	-- A site that retired or replaced the default has its own choice.
	IF NOT EXISTS (SELECT FROM workflow_track.workflow WHERE workflow = 'default') THEN
		PERFORM workflow_track.define_workflow(workflow_track.default_workflow());
	END IF;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_map() IS 'makes the tables of the map, the shipped kinds and the default workflow';
