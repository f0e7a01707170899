CREATE FUNCTION workflow_track.setup_message_table() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.message (
		message_id bigint GENERATED ALWAYS AS IDENTITY,
		received_at timestamptz NOT NULL DEFAULT now(),
		format text COLLATE "C" NOT NULL CHECK (format IN ('hl7v2', 'fhir')),
		facility text COLLATE "C" NOT NULL,
		source_system text COLLATE "C" NOT NULL,
		control_id text COLLATE "C",
		message_type text COLLATE "C",
		body text COLLATE "C",
		raw bytea,
		body_hash uuid NOT NULL,
		status text COLLATE "C" NOT NULL CHECK (status IN ('processed', 'resent', 'repeated', 'unmapped', 'incomplete', 'rejected')),
		problem text COLLATE "C",
		explanation text COLLATE "C",
		attempts integer NOT NULL DEFAULT 1,
		care_facility text COLLATE "C",
		patient_id text COLLATE "C",
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		problems text[] COLLATE "C",
		identifiers text[] COLLATE "C",
		is_result boolean NOT NULL DEFAULT false,
		receiving_system text COLLATE "C" NOT NULL DEFAULT '',
		receiving_facility text COLLATE "C" NOT NULL DEFAULT '',
		PRIMARY KEY (message_id, received_at)
	) PARTITION BY RANGE (received_at);
	-- Many rows at once: an entry of the index is cheap to add, and cheap to find.
	CREATE INDEX IF NOT EXISTS message_identifiers ON workflow_track.message USING gin (identifiers) WITH (gin_pending_list_limit = 256);
	CREATE INDEX IF NOT EXISTS message_problem ON workflow_track.message (received_at) WHERE status <> 'processed' OR problem IS NOT NULL;
	CREATE INDEX IF NOT EXISTS message_result ON workflow_track.message (received_at) WHERE is_result;
	-- By sender, receiver and type: each of them is met, and its last message found, without reading the others.
	CREATE INDEX IF NOT EXISTS message_flow ON workflow_track.message
		(source_system, receiving_system, message_type, coalesce(care_facility, facility), received_at) WHERE message_type IS NOT NULL;
	COMMENT ON TABLE workflow_track.message IS 'every message that came in, as it came, and what became of it';
	PERFORM workflow_track.comment_columns('message',
		'message_id', 'number of the message; given by this database', 'received_at', 'when this database stored it: the time of the transaction',
		'format', 'hl7v2 or fhir', 'facility', 'the sending facility, MSH-4', 'source_system', 'the sending system, MSH-3',
		'control_id', 'MSH-10', 'message_type', 'MSH-9, as sent; of what holds a batch together the name of its first segment',
		'body', 'what came, verbatim; null where it was no valid text',
		'raw', 'the bytes that came, where they were no valid text or the database''s encoding changed them',
		'body_hash', 'equal for the same message of the same sender', 'status', 'processed, resent, repeated, unmapped, incomplete or rejected',
		'problem', 'the first thing that is the matter, by name', 'explanation', 'what is the matter, in words',
		'attempts', 'how often it was read', 'care_facility', 'where the patient is cared for', 'patient_id', 'the patient',
		'encounter_id', 'the visit', 'subject', 'the first number of an order, document or the like that it gives an event of',
		'problems', 'everything that is the matter, by name', 'identifiers', 'the numbers that message_trace() finds it by',
		'is_result', 'whether it has results', 'receiving_system', 'to whom it was sent, MSH-5; empty where it names none', 'receiving_facility', 'MSH-6; empty likewise');
	PERFORM workflow_track.make_message_month(m)
		FROM generate_series(date_trunc('month', now()), now() + interval '24 months', interval '1 month') m
		WHERE to_regclass('workflow_track.message_key') IS NOT NULL;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_message_table() IS 'part of setup(): table message and its partitions';

CREATE FUNCTION workflow_track.setup_message_keys() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.message_key (
		key uuid PRIMARY KEY,
		message_id bigint NOT NULL,
		received_at timestamptz NOT NULL
	);
	COMMENT ON TABLE workflow_track.message_key IS 'what tells a message that comes again; written when transactions that store messages commit';
	PERFORM workflow_track.comment_columns('message_key',
		'key', 'a hash: of the message without MSH-7, MSH-10 and MSH-13, of all of the message, or of its sender and control id',
		'message_id', 'the first message that had it', 'received_at', 'when it came');

	CREATE TABLE IF NOT EXISTS workflow_track.message_answer (
		answered uuid NOT NULL,
		code text COLLATE "C" NOT NULL,
		explanation text COLLATE "C",
		message_id bigint NOT NULL,
		received_at timestamptz NOT NULL
	);
	CREATE INDEX IF NOT EXISTS message_answer_answered ON workflow_track.message_answer (answered);
	CREATE INDEX IF NOT EXISTS message_answer_message ON workflow_track.message_answer (message_id);
	CREATE INDEX IF NOT EXISTS message_answer_refused ON workflow_track.message_answer (received_at) WHERE code NOT IN ('AA', 'CA');
	COMMENT ON TABLE workflow_track.message_answer IS 'acknowledgements that came in, of messages that others sent';
	PERFORM workflow_track.comment_columns('message_answer',
		'answered', 'the sender and control id that it answers, a key of message_key', 'code', 'MSA-1: AA, AE, AR, CA, CE or CR',
		'explanation', 'what ERR-8, ERR-3 or MSA-3 say', 'message_id', 'the message that it is in', 'received_at', 'when that came');
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_message_keys() IS 'part of setup(): what tells messages that come again, and answers';

CREATE FUNCTION workflow_track.setup_mapping_tables() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	table_name name;
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.hl7v2_mapping (
		name text COLLATE "C" NOT NULL CHECK (name <> ''),
		shipped boolean NOT NULL DEFAULT false,
		enabled boolean NOT NULL DEFAULT true,
		message text[] COLLATE "C" NOT NULL,
		action text COLLATE "C" NOT NULL DEFAULT 'event',
		segment text COLLATE "C",
		begins_with text COLLATE "C",
		contains text[] COLLATE "C",
		condition text COLLATE "C",
		kind text COLLATE "C",
		occurred_at text COLLATE "C",
		source_sequence text COLLATE "C",
		planned_at text COLLATE "C",
		facility text COLLATE "C",
		patient_id text COLLATE "C",
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		code text COLLATE "C",
		value text COLLATE "C",
		severity text COLLATE "C",
		actor text COLLATE "C",
		actor_role text COLLATE "C",
		recipient text COLLATE "C",
		recipient_role text COLLATE "C",
		alias text COLLATE "C",
		identifiers text COLLATE "C",
		problem text COLLATE "C",
		detail text COLLATE "C",
		description text COLLATE "C",
		PRIMARY KEY (name, shipped)
	);
	COMMENT ON TABLE workflow_track.hl7v2_mapping IS 'what HL7 v2 messages mean: which segment gives which event, and where each column comes from; a row of the site takes the place of the shipped one of the same name';
	PERFORM workflow_track.comment_columns('hl7v2_mapping',
		'name', 'the rule', 'shipped', 'whether it came with the extension; setup() brings such rows up to date and leaves all others alone',
		'enabled', 'whether it counts; a row that does not still takes the place of the shipped one', 'message', 'types of messages, as ADT^A01 or ORU^*',
		'action', 'event records one, retract_last and retract_all call off earlier ones, alias joins two numbers, answer is an acknowledgement, defaults lends its columns to all others',
		'segment', 'the segment of which each gives an event; null is one a message', 'begins_with', 'a segment that stands before it and belongs to it',
		'contains', 'segments after it that belong to it alone', 'condition', 'what must be true',
		'kind', 'the kind of event, or the kinds that are called off', 'occurred_at', 'of the event', 'source_sequence', 'of the event',
		'planned_at', 'of the event', 'facility', 'of the event; else the sender''s care_facility, else MSH-4', 'patient_id', 'of the event', 'encounter_id', 'of the event',
		'subject', 'of the event', 'item', 'of the event', 'code', 'of the event', 'value', 'of the event', 'severity', 'of the event',
		'actor', 'of the event', 'actor_role', 'of the event', 'recipient', 'of the event', 'recipient_role', 'of the event',
		'alias', 'of an alias: the other number of the subject', 'identifiers', 'of the defaults: all numbers that message_trace() is to find messages by',
		'problem', 'what message_exception lists the message under', 'detail', 'keys of the event''s detail, as key: expression; key: expression',
		'description', 'what it is for');

	CREATE TABLE IF NOT EXISTS workflow_track.hl7v2_source (
		source_system text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL DEFAULT '',
		timezone text COLLATE "C" NOT NULL DEFAULT 'UTC',
		charset text COLLATE "C",
		id_namespace text COLLATE "C",
		care_facility text COLLATE "C",
		patient_authority text COLLATE "C",
		patient_id_type text COLLATE "C",
		encounter text COLLATE "C",
		processing_ids text[] COLLATE "C",
		rejected_code text COLLATE "C" NOT NULL DEFAULT 'AE' CHECK (rejected_code IN ('AA', 'AE', 'AR')),
		answer_within interval CHECK (answer_within > interval '0'),
		PRIMARY KEY (source_system, facility)
	);
	COMMENT ON TABLE workflow_track.hl7v2_source IS 'what messages of a sender do not say themselves';
	PERFORM workflow_track.comment_columns('hl7v2_source',
		'source_system', 'MSH-3', 'facility', 'MSH-4; empty where the sender names none', 'timezone', 'of timestamps without an offset',
		'charset', 'of bytes where MSH-18 is empty, as HL7 or the server names it; null is UTF-8', 'id_namespace', 'what is put before its patient ids, to tell them from those of others',
		'care_facility', 'where its patients are cared for, if PV1-3.4 is empty', 'patient_authority', 'PID-3.4 of the repetition of PID-3 that is the patient; null is any',
		'patient_id_type', 'PID-3.5 of that; null is any', 'encounter', 'where the number of the visit stands, as an expression of hl7v2_mapping; null is PV1-19.1, PID-18.1',
		'processing_ids', 'the values of MSH-11 that events are made of; null is all', 'rejected_code', 'what messages that cannot be parsed are answered with: AE, AR or AA',
		'answer_within', 'how soon its messages are answered by acknowledgements that come in too; null is not watched');

	FOREACH table_name IN ARRAY ARRAY['hl7v2_mapping', 'hl7v2_source'] LOOP
		PERFORM workflow_track.make_trigger('reference_changed', table_name, 'INSERT OR UPDATE OR DELETE OR TRUNCATE',
			'EXECUTE FUNCTION workflow_track.reference_changed()');
		PERFORM workflow_track.make_trigger('reference_applied', table_name, 'INSERT OR UPDATE OR DELETE',
			'FOR EACH ROW EXECUTE FUNCTION workflow_track.reference_changed()', 'REPLICA');
		EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT OR UPDATE%s ON workflow_track.%I FOR EACH ROW EXECUTE FUNCTION workflow_track.%I()',
			table_name || '_check', CASE table_name WHEN 'hl7v2_mapping' THEN ' OR DELETE' ELSE '' END, table_name, table_name || '_check');
		EXECUTE format('ALTER TABLE workflow_track.%I ENABLE ALWAYS TRIGGER %I', table_name, table_name || '_check');
	END LOOP;
	GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_track.hl7v2_mapping, workflow_track.hl7v2_source TO workflow_track_admin;
	GRANT SELECT ON workflow_track.hl7v2_mapping TO workflow_track_analyst, workflow_track_recorder;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_mapping_tables() IS 'part of setup(): tables that say what messages mean';

CREATE FUNCTION workflow_track.setup_inbox() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.inbox AS
		SELECT NULL::text COLLATE "C" AS format, NULL::text COLLATE "C" AS body, NULL::bytea AS raw WHERE false;
	ALTER VIEW workflow_track.inbox ALTER COLUMN format SET DEFAULT 'hl7v2';
	COMMENT ON VIEW workflow_track.inbox IS 'where messages go in, by COPY or INSERT; it is always empty, as they are stored in table message';
	PERFORM workflow_track.comment_columns('inbox', 'format', 'hl7v2', 'body', 'a message as text, or several', 'raw', 'the same as bytes, in the sender''s character set');
	CREATE OR REPLACE TRIGGER inbox_received INSTEAD OF INSERT ON workflow_track.inbox
		FOR EACH ROW EXECUTE FUNCTION workflow_track.inbox_received();
	CREATE OR REPLACE TRIGGER inbox_done AFTER INSERT ON workflow_track.inbox
		FOR EACH STATEMENT EXECUTE FUNCTION workflow_track.inbox_done();
	GRANT INSERT ON workflow_track.inbox TO workflow_track_admin, workflow_track_recorder;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_inbox() IS 'part of setup(): the view that messages go into';

CREATE FUNCTION workflow_track.setup_message_exception() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.message_exception WITH (security_barrier) AS
		SELECT m.message_id, m.received_at, m.facility, m.source_system, m.control_id, m.message_type, m.problem,
			m.explanation, m.attempts, m.patient_id, m.encounter_id, m.subject
		FROM (
			SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility) AS facility, m.source_system, m.control_id,
				m.message_type, p.problem, m.explanation, m.attempts, m.patient_id, m.encounter_id, m.subject
			FROM workflow_track.message m
			CROSS JOIN LATERAL unnest(CASE WHEN m.status = 'processed' THEN m.problems ELSE ARRAY[m.status] END) p (problem)
			WHERE m.status <> 'processed' OR m.problem IS NOT NULL
			UNION ALL
			SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility) AS facility, m.source_system, m.control_id,
				m.message_type, 'no_order' AS problem, 'no order is recorded under the numbers of a result' AS explanation,
				m.attempts, m.patient_id, m.encounter_id, m.subject
			FROM workflow_track.message m
			WHERE m.is_result AND m.patient_id IS NOT NULL AND workflow_track.is_unmatched_result(m.patient_id, m.message_id)
			UNION ALL
			SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility) AS facility, m.source_system, m.control_id,
				m.message_type, 'refused' AS problem,
				format('message %s answered it with %s', a.message_id, a.code) || coalesce(': ' || a.explanation, '') AS explanation,
				m.attempts, m.patient_id, m.encounter_id, m.subject
			FROM workflow_track.message_answer a
			LEFT JOIN workflow_track.message_key k ON k.key = a.answered
			JOIN workflow_track.message m ON m.message_id = coalesce(k.message_id, a.message_id)
				AND m.received_at = CASE WHEN k.message_id IS NULL THEN a.received_at ELSE k.received_at END
			WHERE a.code NOT IN ('AA', 'CA')
			UNION ALL
			SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility) AS facility, m.source_system, m.control_id,
				m.message_type, 'unanswered' AS problem, format('no acknowledgement of it has come within %s', s.answer_within) AS explanation,
				m.attempts, m.patient_id, m.encounter_id, m.subject
			FROM workflow_track.hl7v2_source s
			JOIN workflow_track.message m ON m.source_system = s.source_system AND m.facility = s.facility
			WHERE s.answer_within IS NOT NULL AND m.received_at < now() - s.answer_within
				AND m.status NOT IN ('resent', 'rejected') AND m.control_id IS NOT NULL
				AND m.message_type NOT LIKE 'ACK%'
				AND NOT EXISTS (SELECT FROM workflow_track.message_answer a
					WHERE a.answered = workflow_track.message_key_hash(m.source_system, m.facility, m.control_id))
		) m
		WHERE workflow_track.facility_is_visible(m.facility);
	COMMENT ON VIEW workflow_track.message_exception IS 'messages with which something is the matter, a row for each thing; ask for a span of received_at';
	PERFORM workflow_track.comment_columns('message_exception',
		'message_id', 'the message', 'received_at', 'when it came', 'facility', 'where the patient is cared for, else the sending facility',
		'source_system', 'the sending system', 'control_id', 'MSH-10', 'message_type', 'MSH-9',
		'problem', 'resent, repeated, id_reuse, unmapped, no_visit, incomplete, rejected, no_order, refused, unanswered, or what a rule of hl7v2_mapping names',
		'explanation', 'what is the matter, in words', 'attempts', 'how often it was read', 'patient_id', 'the patient', 'encounter_id', 'the visit',
		'subject', 'the number of the order, document or the like');
	GRANT SELECT ON workflow_track.message_exception TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_message_exception() IS 'part of setup(): view message_exception';

CREATE FUNCTION workflow_track.setup_message() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_cancellation();
	PERFORM workflow_track.setup_message_keys();
	PERFORM workflow_track.setup_message_table();
	PERFORM workflow_track.setup_mapping_tables();
	PERFORM workflow_track.setup_shipped_mapping();
	PERFORM workflow_track.setup_inbox();
	PERFORM workflow_track.setup_message_exception();
	GRANT SELECT ON workflow_track.message, workflow_track.message_key, workflow_track.message_answer TO workflow_track_admin;
	GRANT EXECUTE ON FUNCTION workflow_track.ingest_hl7v2(text), workflow_track.ingest_hl7v2(bytea),
		workflow_track.hl7v2_ack(workflow_track.hl7v2, text, text) TO workflow_track_admin, workflow_track_recorder;
	GRANT EXECUTE ON FUNCTION workflow_track.reprocess(bigint), workflow_track.reprocess_where(text) TO workflow_track_admin;
	GRANT EXECUTE ON FUNCTION workflow_track.message_trace(text), workflow_track.is_unmatched_result(text, bigint)
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_message() IS 'part of setup(): messages';
