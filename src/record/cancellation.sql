-- A patient, a visit or a subject has the numbers that merges and aliases make one; of links, those count that are not retracted.

CREATE FUNCTION workflow_track.merged_patient_ids(patient_id text, retracted bigint[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE ids (id) AS (
		SELECT merged_patient_ids.patient_id COLLATE "C"
		UNION
		SELECT CASE WHEN m.patient_id = i.id THEN m.merged_id ELSE m.patient_id END
		FROM ids i JOIN workflow_track.patient_merge m ON m.patient_id = i.id OR m.merged_id = i.id
		WHERE m.event_id <> ALL (retracted)
			AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = m.event_id AND r.message_id IS NULL)
	)
	SELECT array_agg(id) FROM ids
$$;
COMMENT ON FUNCTION workflow_track.merged_patient_ids(text, bigint[]) IS
'the ids of a patient, where merges that messages call off are these';

CREATE FUNCTION workflow_track.merged_encounter_ids(encounter_id text, patient_ids text[], retracted bigint[]) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE ids (id) AS (
		SELECT merged_encounter_ids.encounter_id COLLATE "C"
		UNION
		SELECT CASE WHEN m.encounter_id = i.id THEN m.merged_id ELSE m.encounter_id END
		FROM ids i JOIN workflow_track.encounter_merge m ON m.encounter_id = i.id OR m.merged_id = i.id
		WHERE m.patient_id = ANY (patient_ids) AND m.event_id <> ALL (retracted)
			AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = m.event_id AND r.message_id IS NULL)
	)
	SELECT array_agg(id) FROM ids
$$;
COMMENT ON FUNCTION workflow_track.merged_encounter_ids(text, text[], bigint[]) IS
'the numbers of a visit of a patient, where merges that messages call off are these';

CREATE FUNCTION workflow_track.aliased_subjects(subject text, patient_ids text[]) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE subjects (subject) AS (
		SELECT aliased_subjects.subject COLLATE "C"
		UNION
		SELECT CASE WHEN a.alias = s.subject THEN a.subject ELSE a.alias END
		FROM subjects s JOIN workflow_track.subject_alias a ON a.alias = s.subject OR a.subject = s.subject
		WHERE a.patient_id = ANY (patient_ids)
	)
	SELECT array_agg(s.subject) FROM subjects s
$$;
COMMENT ON FUNCTION workflow_track.aliased_subjects(text, text[]) IS 'the numbers of a subject of a patient';

-- What calls off merges comes first, for it tells who is one patient; it looks at its own id alone.
CREATE FUNCTION workflow_track.cancelled_events(patient_ids text[])
RETURNS TABLE (patient_id text, event_id bigint, occurred_at timestamptz, reason text, message_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	c record;
	taken bigint[] := '{}';
	done bigint[] := '{}';
	ids text[];
	encounters text[];
	subjects text[];
BEGIN
	-- Events whose months were dropped stay as they were: merges are kept for ever.
	FOR patient_id, event_id, occurred_at, reason, message_id IN
		SELECT r.patient_id, r.event_id, r.occurred_at, r.retracted_reason, r.message_id FROM workflow_track.retraction r
		WHERE r.patient_id = ANY (patient_ids) AND r.message_id IS NOT NULL
			AND NOT EXISTS (SELECT FROM workflow_track.retraction h WHERE h.event_id = r.event_id AND h.message_id IS NULL)
			AND NOT EXISTS (SELECT FROM workflow_track.event v WHERE v.event_id = r.event_id AND v.occurred_at = r.occurred_at)
	LOOP
		taken := taken || event_id;
		done := done || message_id;
		RETURN NEXT;
	END LOOP;
	FOR c IN SELECT x.*, x.kinds && '{patient.merged,encounter.merged}' AS of_merges
		FROM workflow_track.cancellation x WHERE x.patient_id = ANY (patient_ids)
		ORDER BY of_merges DESC, x.occurred_at, x.kinds, x.encounter_id, x.subject, x.item, x.message_id
	LOOP
		ids := CASE WHEN c.of_merges THEN ARRAY[c.patient_id] ELSE workflow_track.merged_patient_ids(c.patient_id, taken) END;
		encounters := CASE WHEN c.of_merges THEN ARRAY[c.encounter_id] ELSE workflow_track.merged_encounter_ids(c.encounter_id, ids, taken) END;
		subjects := CASE WHEN c.of_merges THEN ARRAY[c.subject] ELSE workflow_track.aliased_subjects(c.subject, ids) END;
		reason := c.reason;
		message_id := c.message_id;
		-- A merge that a message called off before its month was dropped is all that the message calls off.
		CONTINUE WHEN c.of_merges AND NOT c.every_one AND c.message_id = ANY (done);
		FOR patient_id, event_id, occurred_at IN SELECT v.patient_id, v.event_id, v.occurred_at
			FROM (SELECT e.event_id, e.occurred_at, e.source_sequence, e.patient_id, e.encounter_id, e.subject, e.item, e.kind, e.code, e.value, e.source_system, e.actor, e.detail
					FROM workflow_track.event e WHERE e.patient_id = ANY (ids) AND e.kind = ANY (c.kinds)
				UNION ALL SELECT m.event_id, m.occurred_at, 0, m.patient_id, NULL, m.merged_id, NULL, 'patient.merged', NULL, NULL, NULL, NULL,
						jsonb_build_object('linked_by', m.linked_by)
					FROM workflow_track.patient_merge m WHERE m.patient_id = ANY (ids)
						AND NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.event_id = m.event_id AND e.occurred_at = m.occurred_at)
				UNION ALL SELECT m.event_id, m.occurred_at, 0, m.patient_id, m.encounter_id, m.merged_id, NULL, 'encounter.merged', NULL, NULL, NULL, NULL, NULL
					FROM workflow_track.encounter_merge m WHERE m.patient_id = ANY (ids)
						AND NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.event_id = m.event_id AND e.occurred_at = m.occurred_at)) v
			WHERE v.patient_id = ANY (ids) AND v.kind = ANY (c.kinds) AND v.occurred_at <= c.occurred_at
				AND (c.encounter_id IS NULL OR v.encounter_id = ANY (encounters))
				AND (c.subject IS NULL OR v.subject = ANY (subjects))
				AND (c.item IS NULL OR v.item = c.item)
				AND (c.detail IS NULL OR v.detail @> c.detail)
				AND v.event_id <> ALL (taken)
				AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = v.event_id AND r.message_id IS NULL)
			ORDER BY v.occurred_at DESC, v.source_sequence DESC, v.kind DESC, v.subject DESC NULLS LAST, v.item DESC NULLS LAST,
				v.code DESC NULLS LAST, v.value DESC NULLS LAST, v.source_system DESC NULLS LAST, v.actor DESC NULLS LAST, v.event_id DESC
			LIMIT CASE WHEN NOT c.every_one THEN 1 END
		LOOP
			taken := taken || event_id;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.cancelled_events(text[]) IS
'the events that messages call off, of ids that any merge joins: the last ones before, each by one message at most';

CREATE FUNCTION workflow_track.setup_cancellation() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	-- Who did it by hand has no message.  While that is not committed, there may be a row of both.
	ALTER TABLE workflow_track.retraction ADD COLUMN IF NOT EXISTS message_id bigint,
		ADD COLUMN IF NOT EXISTS by_message boolean NOT NULL DEFAULT false;
	IF NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = 'workflow_track.retraction'::regclass AND c.contype = 'p' AND cardinality(c.conkey) = 2) THEN
		ALTER TABLE workflow_track.retraction DROP CONSTRAINT retraction_pkey, ADD PRIMARY KEY (event_id, by_message);
	END IF;
	COMMENT ON COLUMN workflow_track.retraction.message_id IS 'the message that called the event off; null if somebody retracted it';
	COMMENT ON COLUMN workflow_track.retraction.by_message IS 'whether a message called the event off; where somebody retracts it meanwhile, that takes its place';

	CREATE TABLE IF NOT EXISTS workflow_track.cancellation (
		patient_id text COLLATE "C" NOT NULL,
		occurred_at timestamptz NOT NULL,
		kinds text[] COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		detail jsonb,
		every_one boolean NOT NULL,
		reason text NOT NULL,
		message_id bigint NOT NULL
	);
	CREATE INDEX IF NOT EXISTS cancellation_patient ON workflow_track.cancellation (patient_id);
	CREATE INDEX IF NOT EXISTS cancellation_message ON workflow_track.cancellation (message_id);
	-- As in staff.
	ALTER TABLE workflow_track.cancellation REPLICA IDENTITY FULL;
	COMMENT ON TABLE workflow_track.cancellation IS 'what messages call off: events that fit are retracted, whether they came before or come later';
	PERFORM workflow_track.comment_columns('cancellation',
		'patient_id', 'the patient', 'occurred_at', 'no later event is meant', 'kinds', 'the kinds of events that are called off',
		'encounter_id', 'their encounter; null is any', 'subject', 'their subject, or an alias of it; null is any', 'item', 'their item; null is any',
		'detail', 'what their detail has; null is anything', 'every_one', 'whether all of them are meant, or the last one',
		'reason', 'why, for the retraction', 'message_id', 'the message');
	PERFORM workflow_track.make_trigger('patient_touched', 'cancellation', 'INSERT OR UPDATE OR DELETE',
		'FOR EACH ROW EXECUTE FUNCTION workflow_track.patient_touched()');
	PERFORM workflow_track.make_trigger('mark_stale', 'cancellation', 'TRUNCATE', 'EXECUTE FUNCTION workflow_track.mark_stale()');
	GRANT SELECT ON workflow_track.cancellation TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_cancellation() IS 'part of setup(): what messages call off';
