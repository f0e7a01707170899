CREATE FUNCTION workflow_track.setup_event() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $setup$
DECLARE
	first_month timestamptz := date_trunc('month', now()) - interval '12 months';
	month timestamptz;
BEGIN
	IF to_regclass('workflow_track.event') IS NOT NULL THEN
		RETURN;
	END IF;
	-- What else must not be null, event_recorded() refuses without showing the row, as a constraint would.
	CREATE TABLE workflow_track.event (
		event_id bigint GENERATED ALWAYS AS IDENTITY,
		occurred_at timestamptz NOT NULL,
		recorded_at timestamptz DEFAULT now(),
		source_sequence integer DEFAULT 0,
		time_precision workflow_track.time_precision DEFAULT 'second',
		planned_at timestamptz,
		facility text COLLATE "C" DEFAULT '',
		patient_id text COLLATE "C",
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		kind text COLLATE "C",
		code workflow_track.clinical_code,
		value text COLLATE "C",
		severity workflow_track.severity,
		actor text COLLATE "C",
		actor_role text COLLATE "C",
		recipient text COLLATE "C",
		recipient_role text COLLATE "C",
		source_system text COLLATE "C",
		entry_method workflow_track.entry_method,
		message_id bigint,
		detail jsonb,
		PRIMARY KEY (event_id, occurred_at)
	) PARTITION BY RANGE (occurred_at);
	CREATE INDEX event_patient ON workflow_track.event (patient_id, occurred_at);

	COMMENT ON TABLE workflow_track.event IS 'what happened in patients'' care and its paperwork; append-only';
	COMMENT ON COLUMN workflow_track.event.event_id IS 'number of the event; given by this database';
	COMMENT ON COLUMN workflow_track.event.occurred_at IS 'when it happened, at the source';
	COMMENT ON COLUMN workflow_track.event.recorded_at IS 'when this database stored it: the time of the recording transaction';
	COMMENT ON COLUMN workflow_track.event.source_sequence IS 'the sender''s own order among events of the same instant';
	COMMENT ON COLUMN workflow_track.event.time_precision IS 'how exactly occurred_at was known';
	COMMENT ON COLUMN workflow_track.event.planned_at IS 'when it is meant to happen: an appointment''s start, an order for later';
	COMMENT ON COLUMN workflow_track.event.facility IS 'where the patient is cared for';
	COMMENT ON COLUMN workflow_track.event.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.event.encounter_id IS 'the visit or stay';
	COMMENT ON COLUMN workflow_track.event.subject IS 'the order, referral, claim, appointment or document that it is about';
	COMMENT ON COLUMN workflow_track.event.item IS 'which of several things of the subject; null means all of it';
	COMMENT ON COLUMN workflow_track.event.kind IS 'what happened: a row of event_kind';
	COMMENT ON COLUMN workflow_track.event.code IS 'what was ordered, found, charged or entered';
	COMMENT ON COLUMN workflow_track.event.value IS 'the value found or entered';
	COMMENT ON COLUMN workflow_track.event.severity IS 'how far a result is from what is expected; null is not known';
	COMMENT ON COLUMN workflow_track.event.actor IS 'who did it';
	COMMENT ON COLUMN workflow_track.event.actor_role IS 'the role that the sender states; null is looked up in staff';
	COMMENT ON COLUMN workflow_track.event.recipient IS 'to whom it was directed';
	COMMENT ON COLUMN workflow_track.event.recipient_role IS 'the role that the sender states of the recipient; null is looked up in staff';
	COMMENT ON COLUMN workflow_track.event.source_system IS 'the system it was entered in';
	COMMENT ON COLUMN workflow_track.event.entry_method IS 'whether a system sent it or a person typed it';
	COMMENT ON COLUMN workflow_track.event.message_id IS 'the message that it came from';
	COMMENT ON COLUMN workflow_track.event.detail IS 'anything else';

	CREATE TABLE workflow_track.event_before (LIKE workflow_track.event INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMMENTS);
	COMMENT ON TABLE workflow_track.event_before IS 'events before the first month that has a partition of its own';
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.event_before FOR VALUES FROM (MINVALUE) TO (%L)', first_month);
	PERFORM workflow_track.guard_partition('event_before');
	FOR month IN SELECT generate_series(first_month, date_trunc('month', now()) + interval '24 months', interval '1 month') LOOP
		PERFORM workflow_track.make_month(month);
	END LOOP;

	CREATE TRIGGER event_unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow_track.event
		EXECUTE FUNCTION workflow_track.event_unchangeable();
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_event() IS 'part of setup(): table event and its partitions';

CREATE FUNCTION workflow_track.setup_record() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_event();

	CREATE TABLE IF NOT EXISTS workflow_track.retraction (
		patient_id text COLLATE "C" NOT NULL,
		event_id bigint PRIMARY KEY,
		occurred_at timestamptz NOT NULL,
		retracted_at timestamptz NOT NULL DEFAULT now(),
		retracted_reason text NOT NULL,
		retracted_by text NOT NULL
	);
	CREATE INDEX IF NOT EXISTS retraction_patient ON workflow_track.retraction (patient_id);
	COMMENT ON TABLE workflow_track.retraction IS 'events that were entered in error; retract_event() writes it';
	COMMENT ON COLUMN workflow_track.retraction.patient_id IS 'the patient of the event';
	COMMENT ON COLUMN workflow_track.retraction.event_id IS 'the event';
	COMMENT ON COLUMN workflow_track.retraction.occurred_at IS 'when the event was said to have happened';
	COMMENT ON COLUMN workflow_track.retraction.retracted_at IS 'when it was retracted';
	COMMENT ON COLUMN workflow_track.retraction.retracted_reason IS 'why';
	COMMENT ON COLUMN workflow_track.retraction.retracted_by IS 'the database user who did';

	CREATE TABLE IF NOT EXISTS workflow_track.patient_merge (
		patient_id text COLLATE "C" NOT NULL,
		merged_id text COLLATE "C" NOT NULL,
		event_id bigint PRIMARY KEY
	);
	ALTER TABLE workflow_track.patient_merge ADD COLUMN IF NOT EXISTS occurred_at timestamptz, ADD COLUMN IF NOT EXISTS linked_by text COLLATE "C";
	CREATE INDEX IF NOT EXISTS patient_merge_patient ON workflow_track.patient_merge (patient_id);
	CREATE INDEX IF NOT EXISTS patient_merge_merged ON workflow_track.patient_merge (merged_id);
	COMMENT ON TABLE workflow_track.patient_merge IS 'what events patient.merged say; kept beyond retention';
	COMMENT ON COLUMN workflow_track.patient_merge.patient_id IS 'the surviving id';
	COMMENT ON COLUMN workflow_track.patient_merge.merged_id IS 'the losing id';
	COMMENT ON COLUMN workflow_track.patient_merge.event_id IS 'the event';
	COMMENT ON COLUMN workflow_track.patient_merge.occurred_at IS 'of a month that drop_before() has dropped: when the event was said to have happened';
	COMMENT ON COLUMN workflow_track.patient_merge.linked_by IS 'of such a month: what detail said of the message that links, which another may call off';

	CREATE TABLE IF NOT EXISTS workflow_track.encounter_merge (
		patient_id text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C" NOT NULL,
		merged_id text COLLATE "C" NOT NULL,
		event_id bigint PRIMARY KEY
	);
	ALTER TABLE workflow_track.encounter_merge ADD COLUMN IF NOT EXISTS occurred_at timestamptz;
	CREATE INDEX IF NOT EXISTS encounter_merge_patient ON workflow_track.encounter_merge (patient_id);
	COMMENT ON TABLE workflow_track.encounter_merge IS 'what events encounter.merged say; kept beyond retention';
	COMMENT ON COLUMN workflow_track.encounter_merge.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.encounter_merge.encounter_id IS 'the surviving encounter';
	COMMENT ON COLUMN workflow_track.encounter_merge.merged_id IS 'the losing encounter';
	COMMENT ON COLUMN workflow_track.encounter_merge.event_id IS 'the event';
	COMMENT ON COLUMN workflow_track.encounter_merge.occurred_at IS 'of a month that drop_before() has dropped: when the event was said to have happened';

	CREATE TABLE IF NOT EXISTS workflow_track.subject_alias (
		patient_id text COLLATE "C" NOT NULL,
		alias text COLLATE "C" NOT NULL,
		subject text COLLATE "C" NOT NULL,
		PRIMARY KEY (patient_id, alias, subject)
	);
	COMMENT ON TABLE workflow_track.subject_alias IS 'numbers that name one subject of a patient, as placer and filler numbers of an order do';
	COMMENT ON COLUMN workflow_track.subject_alias.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.subject_alias.alias IS 'one number';
	COMMENT ON COLUMN workflow_track.subject_alias.subject IS 'the other';

	CREATE TABLE IF NOT EXISTS workflow_track.test_patient (
		patient_id text COLLATE "C" PRIMARY KEY
	);
	COMMENT ON TABLE workflow_track.test_patient IS 'training and rehearsal charts: in no report, unless workflow_track.test_patients is on';
	COMMENT ON COLUMN workflow_track.test_patient.patient_id IS 'the patient';

	CREATE TABLE IF NOT EXISTS workflow_track.staff (
		actor text COLLATE "C" NOT NULL CHECK (actor <> ''),
		role text COLLATE "C",
		facility text COLLATE "C",
		system text COLLATE "C",
		is_shared_inbox boolean NOT NULL DEFAULT false,
		active_during tstzrange,
		display_name text
	);
	CREATE INDEX IF NOT EXISTS staff_actor ON workflow_track.staff (actor);
	-- Without a key, logical replication tells rows apart by all columns.
	ALTER TABLE workflow_track.staff REPLICA IDENTITY FULL;
	COMMENT ON TABLE workflow_track.staff IS 'who is who; an actor may have several rows';
	COMMENT ON COLUMN workflow_track.staff.actor IS 'the person or inbox, as events name it';
	COMMENT ON COLUMN workflow_track.staff.role IS 'the role, as the workflow map names it';
	COMMENT ON COLUMN workflow_track.staff.facility IS 'where the row applies; null is everywhere';
	COMMENT ON COLUMN workflow_track.staff.system IS 'the system where the row applies; null is every one';
	COMMENT ON COLUMN workflow_track.staff.is_shared_inbox IS 'whether nobody in particular reads it';
	COMMENT ON COLUMN workflow_track.staff.active_during IS 'when the row applies; null is always';
	COMMENT ON COLUMN workflow_track.staff.display_name IS 'name for people';

	CREATE TABLE IF NOT EXISTS workflow_track.facility (
		facility text COLLATE "C" PRIMARY KEY,
		name text,
		timezone text NOT NULL DEFAULT 'UTC'
	);
	COMMENT ON TABLE workflow_track.facility IS 'names of facilities for people';
	COMMENT ON COLUMN workflow_track.facility.facility IS 'the facility, as events name it';
	COMMENT ON COLUMN workflow_track.facility.name IS 'name for people';
	COMMENT ON COLUMN workflow_track.facility.timezone IS 'its time zone, for local days and shifts';

	GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_track.staff, workflow_track.facility,
		workflow_track.test_patient, workflow_track.subject_alias TO workflow_track_admin;
	GRANT SELECT ON workflow_track.retraction, workflow_track.patient_merge, workflow_track.encounter_merge
		TO workflow_track_admin;
	GRANT INSERT (occurred_at, source_sequence, time_precision, planned_at, facility, patient_id,
		encounter_id, subject, item, kind, code, value, severity, actor, actor_role, recipient,
		recipient_role, source_system, entry_method, message_id, detail), SELECT (event_id)
		ON workflow_track.event TO workflow_track_admin, workflow_track_recorder;
	GRANT SELECT ON workflow_track.facility TO workflow_track_analyst;
	GRANT INSERT ON workflow_track.subject_alias TO workflow_track_recorder;
	GRANT EXECUTE ON FUNCTION workflow_track.record_event(text, text, text, timestamptz, integer,
		workflow_track.time_precision, timestamptz, text, text, text, text, workflow_track.clinical_code,
		text, workflow_track.severity, text, text, text, text, workflow_track.entry_method, bigint, jsonb),
		workflow_track.recordable_until(), workflow_track.make_recordable(timestamptz)
		TO workflow_track_admin, workflow_track_recorder;
	GRANT EXECUTE ON FUNCTION workflow_track.retract_event(bigint, text),
		workflow_track.ensure_partitions(timestamptz, timestamptz) TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_record() IS 'part of setup(): tables of events and of who is who';
