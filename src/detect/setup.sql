CREATE FUNCTION workflow_track.setup_state() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	rollup name;
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.patient_state (
		patient_id text COLLATE "C" PRIMARY KEY,
		first_at timestamptz NOT NULL,
		linked boolean NOT NULL,
		imprecise boolean NOT NULL
	) WITH (fillfactor = 90);
	COMMENT ON TABLE workflow_track.patient_state IS 'the patients that events are recorded of';
	COMMENT ON COLUMN workflow_track.patient_state.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.patient_state.first_at IS 'no event of the patient is earlier';
	COMMENT ON COLUMN workflow_track.patient_state.imprecise IS 'whether an event is known to the month or the year only, so that the patient is always evaluated whole';
	COMMENT ON COLUMN workflow_track.patient_state.linked IS 'whether there is a merge, an alias, a retraction or a test patient to look for';

	CREATE TABLE IF NOT EXISTS workflow_track.loop_state (
		opened_event_id bigint NOT NULL,
		opened_at timestamptz NOT NULL,
		due_at timestamptz NOT NULL,
		settled_at timestamptz NOT NULL,
		closed_event_id bigint,
		opened_message_id bigint,
		expectation_id integer NOT NULL,
		severity workflow_track.severity,
		is_cancelled boolean NOT NULL,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		code workflow_track.clinical_code,
		opened_by_kind text COLLATE "C" NOT NULL,
		owner text COLLATE "C",
		owner_role text COLLATE "C",
		closed_by text COLLATE "C",
		closed_by_role text COLLATE "C"
	) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS loop_state_patient ON workflow_track.loop_state (patient_id, settled_at);
	CREATE INDEX IF NOT EXISTS loop_state_settled ON workflow_track.loop_state (expectation_id, settled_at);
	CREATE INDEX IF NOT EXISTS loop_state_opened ON workflow_track.loop_state (opened_at, facility);
	CREATE INDEX IF NOT EXISTS loop_state_missed ON workflow_track.loop_state (expectation_id, due_at) WHERE (settled_at > due_at) IS TRUE;
	-- How many that are, which is far fewer than the planner takes for granted.
	CREATE STATISTICS IF NOT EXISTS workflow_track.loop_state_is_missed ON (settled_at > due_at) FROM workflow_track.loop_state;
	COMMENT ON STATISTICS workflow_track.loop_state_is_missed IS 'how many loops were settled late or not at all';
	COMMENT ON TABLE workflow_track.loop_state IS 'loops and what settled them, as detection keeps them; view care_loop reads it';
	COMMENT ON COLUMN workflow_track.loop_state.opened_event_id IS 'the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.opened_at IS 'when it happened';
	COMMENT ON COLUMN workflow_track.loop_state.due_at IS 'when the answer is due';
	COMMENT ON COLUMN workflow_track.loop_state.settled_at IS 'when the loop was closed or cancelled; infinity while it is neither';
	COMMENT ON COLUMN workflow_track.loop_state.closed_event_id IS 'the closing event';
	COMMENT ON COLUMN workflow_track.loop_state.opened_message_id IS 'the message that the opening event came from';
	COMMENT ON COLUMN workflow_track.loop_state.expectation_id IS 'the expectation of the map';
	COMMENT ON COLUMN workflow_track.loop_state.severity IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.is_cancelled IS 'whether the loop was cancelled, not closed';
	COMMENT ON COLUMN workflow_track.loop_state.is_test IS 'whether the patient is a test patient';
	COMMENT ON COLUMN workflow_track.loop_state.patient_id IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.facility IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.encounter_id IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.subject IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.item IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.code IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.opened_by_kind IS 'kind of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.owner IS 'recipient of the opening event, else its actor';
	COMMENT ON COLUMN workflow_track.loop_state.owner_role IS 'the owner''s role';
	COMMENT ON COLUMN workflow_track.loop_state.closed_by IS 'actor of the closing event';
	COMMENT ON COLUMN workflow_track.loop_state.closed_by_role IS 'role of that actor';

	CREATE TABLE IF NOT EXISTS workflow_track.duplicate_state (
		duplicate_event_id bigint NOT NULL,
		original_event_id bigint NOT NULL,
		duplicate_at timestamptz NOT NULL,
		original_at timestamptz NOT NULL,
		duplicate_rule_id integer NOT NULL,
		duplicate_method workflow_track.entry_method,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		kind text COLLATE "C" NOT NULL,
		subject text COLLATE "C",
		code workflow_track.clinical_code,
		value text COLLATE "C",
		original_system text COLLATE "C",
		duplicate_system text COLLATE "C",
		original_actor text COLLATE "C",
		duplicate_actor text COLLATE "C"
	);
	CREATE INDEX IF NOT EXISTS duplicate_state_patient ON workflow_track.duplicate_state (patient_id, duplicate_at);
	CREATE INDEX IF NOT EXISTS duplicate_state_at ON workflow_track.duplicate_state (duplicate_at);
	COMMENT ON TABLE workflow_track.duplicate_state IS 'duplicate entries, as detection keeps them; view duplicate_entry reads it';
	PERFORM workflow_track.comment_columns('duplicate_state',
		'duplicate_event_id', 'the event that repeats', 'original_event_id', 'the earliest same entry before it',
		'duplicate_at', 'when the duplicate happened', 'original_at', 'when the original happened',
		'duplicate_rule_id', 'the rule of the map', 'duplicate_method', 'how the duplicate was entered',
		'is_test', 'whether the patient is a test patient', 'patient_id', 'of the duplicate', 'facility', 'of the duplicate',
		'encounter_id', 'of the duplicate', 'kind', 'of both', 'subject', 'of the duplicate', 'code', 'of the duplicate',
		'value', 'of the duplicate', 'original_system', 'where the original was entered',
		'duplicate_system', 'where the duplicate was entered', 'original_actor', 'who made the original',
		'duplicate_actor', 'who made the duplicate');

	CREATE TABLE IF NOT EXISTS workflow_track.misrouted_state (
		event_id bigint NOT NULL,
		occurred_at timestamptz NOT NULL,
		claimed_at timestamptz,
		message_id bigint,
		severity workflow_track.severity,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		code workflow_track.clinical_code,
		recipient text COLLATE "C",
		recipient_role text COLLATE "C",
		expected_roles text[] COLLATE "C" NOT NULL,
		reason text COLLATE "C" NOT NULL,
		workflow text COLLATE "C" NOT NULL,
		step text COLLATE "C" NOT NULL,
		claimed_by text COLLATE "C"
	);
	CREATE INDEX IF NOT EXISTS misrouted_state_patient ON workflow_track.misrouted_state (patient_id);
	CREATE INDEX IF NOT EXISTS misrouted_state_at ON workflow_track.misrouted_state (occurred_at);
	COMMENT ON TABLE workflow_track.misrouted_state IS 'misrouted events, as detection keeps them; view misrouted_result reads it';
	PERFORM workflow_track.comment_columns('misrouted_state',
		'event_id', 'the event', 'occurred_at', 'when it happened', 'claimed_at', 'when somebody in an expected role took it up',
		'message_id', 'the message that it came from', 'severity', 'of the event', 'is_test', 'whether the patient is a test patient',
		'patient_id', 'of the event', 'facility', 'of the event', 'encounter_id', 'of the event', 'subject', 'of the event',
		'item', 'of the event', 'code', 'of the event', 'recipient', 'to whom it was directed', 'recipient_role', 'that person''s role',
		'expected_roles', 'the roles that the step delivers to', 'reason', 'why that was wrong', 'workflow', 'the workflow of the map',
		'step', 'the step that delivers', 'claimed_by', 'who took it up');

	CREATE TABLE IF NOT EXISTS workflow_track.missing_state (
		event_id bigint NOT NULL,
		occurred_at timestamptz NOT NULL,
		settled_at timestamptz NOT NULL,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		workflow text COLLATE "C" NOT NULL,
		step text COLLATE "C" NOT NULL,
		missing text[] COLLATE "C" NOT NULL,
		supplied_at timestamptz[] NOT NULL
	) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS missing_state_patient ON workflow_track.missing_state (patient_id, settled_at);
	CREATE INDEX IF NOT EXISTS missing_state_at ON workflow_track.missing_state (occurred_at);
	COMMENT ON TABLE workflow_track.missing_state IS 'what events lack of the fields that their steps require, as detection keeps it; view missing_information reads it';
	PERFORM workflow_track.comment_columns('missing_state',
		'event_id', 'the event', 'occurred_at', 'when it happened', 'settled_at', 'when the last of what it lacks was supplied; infinity while it is not',
		'is_test', 'whether the patient is a test patient', 'patient_id', 'of the event', 'facility', 'of the event', 'encounter_id', 'of the event',
		'subject', 'of the event', 'workflow', 'the workflow of the map', 'step', 'the step that requires it',
		'missing', 'the required fields that it lacks', 'supplied_at', 'when a later event of the subject supplied each');

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_state (
		patient_id text COLLATE "C" PRIMARY KEY,
		contribution bytea NOT NULL
	) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.handoff_state IS 'what the handoffs taken under a patient id contribute to the rollups';
	COMMENT ON COLUMN workflow_track.handoff_state.patient_id IS 'the patient id';
	COMMENT ON COLUMN workflow_track.handoff_state.contribution IS 'groups, hours and latencies, as detection encodes them';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_stale (
		patient_id text COLLATE "C" PRIMARY KEY
	) WITH (autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.handoff_stale IS 'patient ids whose contributions maintain() has to bring up to date; until then views compute them';
	COMMENT ON COLUMN workflow_track.handoff_stale.patient_id IS 'the patient id';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_delta (
		removed bytea NOT NULL,
		added bytea NOT NULL
	);
	COMMENT ON TABLE workflow_track.handoff_delta IS 'changes of the rollups of handoffs that maintain() has not folded in yet';
	COMMENT ON COLUMN workflow_track.handoff_delta.removed IS 'contributions that are to be taken away, as in handoff_state';
	COMMENT ON COLUMN workflow_track.handoff_delta.added IS 'contributions that are to be added';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_hourly (
		hour timestamptz NOT NULL,
		is_test boolean NOT NULL,
		basis text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		from_role text COLLATE "C",
		to_role text COLLATE "C",
		from_system text COLLATE "C",
		to_system text COLLATE "C",
		histogram workflow_track.latency_histogram NOT NULL,
		UNIQUE NULLS NOT DISTINCT (hour, is_test, basis, facility, from_role, to_role, from_system, to_system)
	) WITH (fillfactor = 70);
	COMMENT ON TABLE workflow_track.handoff_hourly IS 'latencies of handoffs by hour and group; view handoff_latency_hourly reads it';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_total (
		is_test boolean NOT NULL,
		basis text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		from_role text COLLATE "C",
		to_role text COLLATE "C",
		from_system text COLLATE "C",
		to_system text COLLATE "C",
		histogram workflow_track.latency_histogram NOT NULL,
		UNIQUE NULLS NOT DISTINCT (is_test, basis, facility, from_role, to_role, from_system, to_system)
	) WITH (fillfactor = 70);
	COMMENT ON TABLE workflow_track.handoff_total IS 'latencies of handoffs by group; view handoff_latency reads it';
	PERFORM workflow_track.comment_columns('handoff_hourly', 'hour', 'hour of the taking events, in UTC');
	FOREACH rollup IN ARRAY ARRAY['handoff_hourly', 'handoff_total'] LOOP
		PERFORM workflow_track.comment_columns(rollup,
			'is_test', 'whether they are of test patients', 'basis', 'explicit, thread or implied', 'facility', 'of the taking events',
			'from_role', 'the role of who released', 'to_role', 'the role of who took', 'from_system', 'system of the releasing events',
			'to_system', 'system of the taking events', 'histogram', 'the latencies');
	END LOOP;

	CREATE TABLE IF NOT EXISTS workflow_track.stale_mark (
		what text COLLATE "C" NOT NULL,
		name text COLLATE "C" NOT NULL,
		since timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (what, name)
	);
	COMMENT ON TABLE workflow_track.stale_mark IS 'actors, workflows and kinds that changed; catch_up() looks for the patients they touch';
	PERFORM workflow_track.comment_columns('stale_mark', 'what', 'actor, workflow, kind, or everything', 'name', 'which one', 'since', 'when it changed');

	CREATE TABLE IF NOT EXISTS workflow_track.stale_patient (
		patient_id text COLLATE "C" PRIMARY KEY,
		first_at timestamptz
	);
	COMMENT ON TABLE workflow_track.stale_patient IS 'patients that catch_up() has to evaluate again';
	PERFORM workflow_track.comment_columns('stale_patient', 'patient_id', 'the patient', 'first_at', 'no event of the patient is earlier, where that is known');

	CREATE TABLE IF NOT EXISTS workflow_track.detection_state (
		paused boolean NOT NULL DEFAULT false,
		since timestamptz NOT NULL DEFAULT now(),
		horizon timestamptz NOT NULL DEFAULT '-infinity',
		only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
	);
	COMMENT ON TABLE workflow_track.detection_state IS 'whether detection is paused, and from when on events are kept';
	PERFORM workflow_track.comment_columns('detection_state', 'paused', 'whether detection is paused', 'since', 'when that was changed',
		'horizon', 'the horizon of retention: what happened before is final', 'only_row', 'there is one row');
	INSERT INTO workflow_track.detection_state DEFAULT VALUES ON CONFLICT DO NOTHING;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_state() IS 'part of setup(): what detection keeps';

CREATE FUNCTION workflow_track.make_trigger(trigger_name name, table_name name, events text, definition text,
	firing text DEFAULT 'ALWAYS') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_trigger t
			WHERE t.tgrelid = to_regclass(format('workflow_track.%I', table_name)) AND t.tgname = trigger_name) THEN
		EXECUTE format('CREATE TRIGGER %I AFTER %s ON workflow_track.%I %s', trigger_name, events, table_name, definition);
	END IF;
	EXECUTE format('ALTER TABLE workflow_track.%I ENABLE %s TRIGGER %I', table_name, firing, trigger_name);
END
$$;
COMMENT ON FUNCTION workflow_track.make_trigger(name, name, text, text, text) IS
'part of setup(): a trigger, unless it is there; ALWAYS also fires for what logical replication applies, REPLICA for that alone';

CREATE FUNCTION workflow_track.setup_detect() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	name name;
	watched record;
BEGIN
	PERFORM workflow_track.setup_state();
	PERFORM workflow_track.setup_billing_state();
	PERFORM workflow_track.setup_follows();
	PERFORM workflow_track.setup_diary();
	PERFORM workflow_track.setup_identity_state();

	PERFORM workflow_track.make_trigger('event_recorded', 'event', 'INSERT',
		'FOR EACH ROW EXECUTE FUNCTION workflow_track.event_recorded()');
	FOREACH name IN ARRAY ARRAY['subject_alias', 'test_patient', 'retraction'] LOOP
		PERFORM workflow_track.make_trigger('patient_touched', name, 'INSERT OR UPDATE OR DELETE',
			'FOR EACH ROW EXECUTE FUNCTION workflow_track.patient_touched()');
		PERFORM workflow_track.make_trigger('mark_stale', name, 'TRUNCATE',
			'EXECUTE FUNCTION workflow_track.mark_stale()');
	END LOOP;

	FOR watched IN SELECT * FROM (VALUES
		('workflow', 'workflow', 'ROW.state = ''current'''),
		('staff', 'actor', 'true'),
		('event_kind', 'kind', 'true')) w (table_name, column_name, condition)
	LOOP
		PERFORM workflow_track.make_trigger('reference_changed', watched.table_name, 'INSERT OR UPDATE OR DELETE OR TRUNCATE',
			'EXECUTE FUNCTION workflow_track.reference_changed()');
		PERFORM workflow_track.make_trigger('mark_stale_insert', watched.table_name, 'INSERT',
			format('REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition));
		PERFORM workflow_track.make_trigger('mark_stale_update', watched.table_name, 'UPDATE',
			format('REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition));
		PERFORM workflow_track.make_trigger('mark_stale_delete', watched.table_name, 'DELETE',
			format('REFERENCING OLD TABLE AS old_rows EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition));
		PERFORM workflow_track.make_trigger('mark_stale_truncate', watched.table_name, 'TRUNCATE',
			'EXECUTE FUNCTION workflow_track.mark_stale()');
		-- Logical replication fires the triggers of rows alone.
		PERFORM workflow_track.make_trigger('reference_applied', watched.table_name, 'INSERT OR UPDATE OR DELETE',
			'FOR EACH ROW EXECUTE FUNCTION workflow_track.reference_changed()', 'REPLICA');
		PERFORM workflow_track.make_trigger('mark_stale_applied', watched.table_name, 'INSERT OR UPDATE OR DELETE',
			format('FOR EACH ROW EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition), 'REPLICA');
	END LOOP;

	GRANT EXECUTE ON FUNCTION workflow_track.pause_detection(), workflow_track.resume_detection(),
		workflow_track.maintain(), workflow_track.fold_handoffs(),
		workflow_track.refuse_while_paused(), workflow_track.wait_for_detection(),
		workflow_track.touch_stale(integer), workflow_track.resolve_stale_marks(), workflow_track.empty_handoffs(), workflow_track.begin_rebuild(),
		workflow_track.check_consistency(),
		workflow_track.drop_before(timestamptz, boolean) TO workflow_track_admin;
	GRANT EXECUTE ON PROCEDURE workflow_track.catch_up(integer), workflow_track.rebuild(integer) TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_detect() IS 'part of setup(): kept state and the triggers of detection';
