CREATE FUNCTION workflow_track.cancelled_events(patient_ids text[])
RETURNS TABLE (patient_id text, event_id bigint, occurred_at timestamptz, reason text, message_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	c record;
	e record;
	taken bigint[] := '{}';
BEGIN
	FOR c IN SELECT * FROM workflow_track.cancellation x WHERE x.patient_id = ANY (patient_ids)
		ORDER BY x.occurred_at, x.kinds, x.encounter_id, x.subject, x.item, x.message_id
	LOOP
		FOR e IN SELECT v.patient_id, v.event_id, v.occurred_at FROM workflow_track.event v
			WHERE v.patient_id = ANY (patient_ids) AND v.kind = ANY (c.kinds) AND v.occurred_at <= c.occurred_at
				AND (c.encounter_id IS NULL OR v.encounter_id = c.encounter_id)
				AND (c.subject IS NULL OR v.subject = c.subject OR EXISTS (
					SELECT FROM workflow_track.subject_alias a WHERE a.patient_id = ANY (patient_ids)
						AND (a.alias, a.subject) IN ((v.subject, c.subject), (c.subject, v.subject))))
				AND (c.item IS NULL OR v.item = c.item)
				AND (c.detail IS NULL OR v.detail @> c.detail)
				AND v.event_id <> ALL (taken)
				AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = v.event_id AND r.message_id IS NULL)
			ORDER BY v.occurred_at DESC, v.source_sequence DESC, v.kind DESC, v.subject DESC NULLS LAST, v.item DESC NULLS LAST,
				v.code DESC NULLS LAST, v.value DESC NULLS LAST, v.source_system DESC NULLS LAST, v.actor DESC NULLS LAST, v.event_id DESC
			LIMIT CASE WHEN NOT c.every_one THEN 1 END
		LOOP
			taken := taken || e.event_id;
			patient_id := e.patient_id;
			event_id := e.event_id;
			occurred_at := e.occurred_at;
			reason := c.reason;
			message_id := c.message_id;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.cancelled_events(text[]) IS
'the events that messages call off, of the ids of one patient: the last ones before, each by one message at most';

CREATE FUNCTION workflow_track.setup_cancellation() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	-- Who did it by hand has no message.
	ALTER TABLE workflow_track.retraction ADD COLUMN IF NOT EXISTS message_id bigint;
	COMMENT ON COLUMN workflow_track.retraction.message_id IS 'the message that called the event off; null if somebody retracted it';

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
