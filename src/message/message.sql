CREATE FUNCTION workflow_track.ingest_hl7v2(message text) RETURNS text
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'ingest_hl7v2_text';
COMMENT ON FUNCTION workflow_track.ingest_hl7v2(text) IS
'stores an HL7 v2 message, or several, with the events that it means, and returns the acknowledgement to send back, which counts once the transaction has committed; null where the sender wants none';

CREATE FUNCTION workflow_track.ingest_hl7v2(message bytea) RETURNS bytea
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'ingest_hl7v2_bytes';
COMMENT ON FUNCTION workflow_track.ingest_hl7v2(bytea) IS
'the same of bytes in whatever character set MSH-18, or hl7v2_source, names';

CREATE FUNCTION workflow_track.reprocess(message_id bigint) RETURNS text
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'reprocess_message';
COMMENT ON FUNCTION workflow_track.reprocess(bigint) IS
'applies the mapping of now to a stored message: events that it gave and gives no more are retracted, new ones recorded; returns its status';

CREATE FUNCTION workflow_track.reprocess_where(problem text)
RETURNS TABLE (status text, messages bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	statuses text[] := '{}';
	id bigint;
BEGIN
	FOR id IN SELECT m.message_id FROM workflow_track.message m
		WHERE (m.status <> 'processed' OR m.problem IS NOT NULL)
			AND (m.status = reprocess_where.problem OR reprocess_where.problem = ANY (m.problems))
		ORDER BY m.message_id
	LOOP
		statuses := statuses || workflow_track.reprocess(id);
	END LOOP;
	RETURN QUERY SELECT s, count(*) FROM unnest(statuses) s GROUP BY s ORDER BY s;
END
$$;
COMMENT ON FUNCTION workflow_track.reprocess_where(text) IS
'reprocesses every message of a status, or with a problem, in the order that they came in; returns how many have which status now';

CREATE FUNCTION workflow_track.inbox_received() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.inbox_received() IS 'trigger of inbox: keeps a row until there are many, or the statement ends';

CREATE FUNCTION workflow_track.inbox_done() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.inbox_done() IS 'trigger of inbox: stores what the statement inserted';

CREATE FUNCTION workflow_track.hl7v2_mapping_check() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_mapping_check() IS 'trigger of hl7v2_mapping: refuses a row that cannot work, and changes of shipped ones by others than the owner';

CREATE FUNCTION workflow_track.hl7v2_source_check() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_source_check() IS 'trigger of hl7v2_source: refuses a row that cannot work';

CREATE FUNCTION workflow_track.message_events()
RETURNS TABLE (occurred_at timestamptz, source_sequence integer, time_precision workflow_track.time_precision,
	planned_at timestamptz, facility text, patient_id text, encounter_id text, subject text, item text, kind text,
	code workflow_track.clinical_code, value text, severity workflow_track.severity, actor text, actor_role text,
	recipient text, recipient_role text, source_system text, entry_method workflow_track.entry_method,
	message_id bigint, detail jsonb)
LANGUAGE c VOLATILE ROWS 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.message_events() IS 'the events of the messages that are being stored, for the statement that records them';

CREATE FUNCTION workflow_track.message_key_hash(source_system text, facility text, control_id text) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.message_key_hash(text, text, text) IS 'what message_key and message_answer find a sender''s control id by';

CREATE FUNCTION workflow_track.is_unmatched_result(patient_id text, message_id bigint) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.is_unmatched_result(text, bigint) IS
'whether a message has a result of a patient of which no order is recorded, under any of its numbers';

CREATE FUNCTION workflow_track.message_trace(subject text)
RETURNS TABLE (message_id bigint, received_at timestamptz, facility text, source_system text, control_id text,
	message_type text, status text, problem text, explanation text, patient_id text, encounter_id text, matched text[])
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.message_trace(text) IS
'every message about an order, result, document, visit or patient, by any of its numbers and their aliases, in the order received';

-- A key may have gone with the month of the message that had it first; who came again has none of its own.
CREATE FUNCTION workflow_track.check_messages() RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH message AS MATERIALIZED (
		SELECT m.message_id, m.received_at, m.body_hash, m.source_system, m.facility, m.control_id, m.status, m.patient_id,
			CASE WHEN m.control_id <> '' THEN workflow_track.message_key_hash(m.source_system, m.facility, m.control_id) END AS id_hash,
			'id_reuse' = ANY (m.problems) IS TRUE AS is_reused
		FROM workflow_track.message AS m),
	holder AS MATERIALIZED (SELECT k.key, m.* FROM workflow_track.message_key AS k JOIN message AS m USING (message_id, received_at))
	SELECT 'message_key', 'unexpected', NULL::text, to_jsonb(k) FROM workflow_track.message_key AS k
	WHERE NOT EXISTS (SELECT FROM message AS m WHERE (m.message_id, m.received_at) = (k.message_id, k.received_at))
	UNION ALL SELECT 'message_key', 'missing', m.patient_id, jsonb_build_object('key', m.body_hash, 'message_id', m.message_id) FROM message AS m
	WHERE m.status IN ('processed', 'unmapped', 'incomplete', 'repeated') AND m.id_hash IS NOT NULL
		AND NOT EXISTS (SELECT FROM holder AS h WHERE h.key = m.body_hash AND h.body_hash = m.body_hash)
	UNION ALL SELECT 'message_key', 'missing', m.patient_id, jsonb_build_object('key', m.id_hash, 'message_id', m.message_id) FROM message AS m
	WHERE m.status IN ('processed', 'unmapped', 'incomplete') AND NOT m.is_reused AND m.id_hash IS NOT NULL
		AND NOT EXISTS (SELECT FROM holder AS h WHERE h.key = m.id_hash AND (h.source_system, h.facility, h.control_id) = (m.source_system, m.facility, m.control_id))
	-- Who has a control id came first, or took it over from the same content of long ago.
	UNION ALL SELECT 'message', 'different', m.patient_id, jsonb_build_object('message_id', m.message_id, 'problem', 'id_reuse', 'other_message_id', h.message_id)
	FROM message AS m JOIN holder AS h ON h.key = m.id_hash AND (h.source_system, h.facility, h.control_id) = (m.source_system, m.facility, m.control_id)
	WHERE m.status IN ('processed', 'unmapped', 'incomplete') AND NOT m.is_reused AND h.message_id < m.message_id
	UNION ALL SELECT 'message_answer', 'unexpected', NULL, to_jsonb(a) FROM workflow_track.message_answer AS a
	WHERE NOT EXISTS (SELECT FROM message AS m WHERE (m.message_id, m.received_at) = (a.message_id, a.received_at));
END
$$;
COMMENT ON FUNCTION workflow_track.check_messages() IS 'part of check_consistency(): what tells messages that come again, and answers';

CREATE FUNCTION workflow_track.make_message_month(month timestamptz DEFAULT now()) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	lower_bound timestamptz := date_trunc('month', month);
	new_name name := to_char(lower_bound, '"message_"YYYY_MM');
BEGIN
	-- Two sessions that lack a month at once wait for each other.
	LOCK TABLE workflow_track.message_key IN SHARE UPDATE EXCLUSIVE MODE;
	IF to_regclass(format('workflow_track.%I', new_name)) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('CREATE TABLE workflow_track.%I (LIKE workflow_track.message INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS, '
		'CONSTRAINT month CHECK (received_at >= %L AND received_at < %L))', new_name, lower_bound, lower_bound + interval '1 month');
	EXECUTE format('COMMENT ON TABLE workflow_track.%I IS %L', new_name, 'messages of ' || to_char(lower_bound, 'YYYY-MM') || ' UTC');
	EXECUTE format('ALTER TABLE workflow_track.message ATTACH PARTITION workflow_track.%I FOR VALUES FROM (%L) TO (%L)',
		new_name, lower_bound, lower_bound + interval '1 month');
	EXECUTE format('ALTER TABLE workflow_track.%I DROP CONSTRAINT month', new_name);
END
$$;
COMMENT ON FUNCTION workflow_track.make_message_month(timestamptz) IS 'makes the partition of message for the month, in UTC, of a moment';

CREATE FUNCTION workflow_track.maintain_messages() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
	PERFORM workflow_track.make_message_month(m)
		FROM generate_series(date_trunc('month', now()), now() + interval '24 months', interval '1 month') m;
	IF NOT EXISTS (SELECT FROM pg_stat_all_tables t
			WHERE t.schemaname = 'workflow_track' AND t.relname = 'message' AND t.last_analyze > now() - interval '1 day') THEN
		ANALYZE workflow_track.message;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.maintain_messages() IS 'part of maintain(): months of message';

CREATE FUNCTION workflow_track.drop_messages_before(horizon timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	partition name;
BEGIN
	FOR partition IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = to_regclass('workflow_track.message') AND c.relname ~ '^message_\d{4,}_\d\d$'
			AND to_timestamp(substring(c.relname FROM 9) || '_01', 'YYYY_MM_DD') < date_trunc('month', horizon)
	LOOP
		EXECUTE format('DROP TABLE workflow_track.%I', partition);
	END LOOP;
	DELETE FROM workflow_track.message_key WHERE received_at < date_trunc('month', horizon);
	DELETE FROM workflow_track.message_answer WHERE received_at < date_trunc('month', horizon);
END
$$;
COMMENT ON FUNCTION workflow_track.drop_messages_before(timestamptz) IS
'part of drop_before(): drops the months of message before a moment, and what tells their messages from later ones';
