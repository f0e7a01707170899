-- For tests: records what a test has recorded again, for patients of their own,
-- an event a transaction and in another order, and compares what is found.

CREATE TABLE again (event_id bigint PRIMARY KEY, as_event bigint NOT NULL);

-- The findings, with the numbers of the events first recorded.
CREATE FUNCTION as_event(id bigint) RETURNS bigint LANGUAGE sql AS $$
	SELECT coalesce((SELECT a.as_event FROM public.again a WHERE a.event_id = id), id)
$$;
CREATE VIEW finding AS
SELECT 'loop' AS report, patient_id, to_jsonb(l) - ARRAY['patient_id', 'opened_message_id']
	|| jsonb_build_object('opened_event_id', public.as_event(opened_event_id), 'closed_event_id', public.as_event(closed_event_id)) AS line
FROM workflow_track.care_loop_at('2025-06-01 00:00+00') l
UNION ALL
SELECT 'duplicate', patient_id, to_jsonb(d) - 'patient_id'
	|| jsonb_build_object('duplicate_event_id', public.as_event(duplicate_event_id), 'original_event_id', public.as_event(original_event_id))
FROM workflow_track.duplicate_entry d
UNION ALL
SELECT 'misrouted', patient_id, to_jsonb(m) - ARRAY['patient_id', 'message_id'] || jsonb_build_object('event_id', public.as_event(event_id))
FROM workflow_track.misrouted_result m
UNION ALL
SELECT 'handoff', patient_id, to_jsonb(h) - 'patient_id' || jsonb_build_object('from_event_id', public.as_event(from_event_id), 'to_event_id', public.as_event(to_event_id))
FROM workflow_track.handoff h;

CREATE PROCEDURE record_again(ordering text) LANGUAGE plpgsql AS $$
DECLARE
	prefix text := ordering || ':';
	columns text := (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'workflow_track.event'::regclass AND attnum > 0 AND attname NOT IN ('event_id', 'recorded_at', 'patient_id', 'subject'));
	old_id bigint;
	new_id bigint;
BEGIN
	INSERT INTO workflow_track.subject_alias SELECT prefix || patient_id, alias, subject FROM workflow_track.subject_alias WHERE patient_id !~ '^event_id';
	FOR old_id IN EXECUTE 'SELECT event_id FROM workflow_track.event_history
		WHERE retracted_at IS NULL AND patient_id !~ ''^event_id'' ORDER BY ' || ordering
	LOOP
		EXECUTE format('INSERT INTO workflow_track.event (patient_id, subject, %1$s)
			SELECT %2$L || patient_id, CASE kind WHEN ''patient.merged'' THEN %2$L || subject ELSE subject END, %1$s
			FROM workflow_track.event WHERE event_id = $1 RETURNING event_id', columns, prefix) INTO new_id USING old_id;
		INSERT INTO public.again VALUES (new_id, old_id);
		COMMIT;
	END LOOP;
END
$$;

-- What is found of one and not of the other.
CREATE FUNCTION found_otherwise(ordering text, OUT report text, OUT patient_id text, OUT line jsonb, OUT times text) RETURNS SETOF record LANGUAGE sql AS $$
	WITH first AS (SELECT report, patient_id, line FROM public.finding WHERE patient_id !~ '^event_id'),
	again AS (SELECT report, substr(patient_id, length(ordering) + 2), line FROM public.finding WHERE starts_with(patient_id, ordering || ':'))
	(SELECT *, 'the first' FROM (TABLE first EXCEPT ALL TABLE again) f) UNION ALL (SELECT *, 'again' FROM (TABLE again EXCEPT ALL TABLE first) a)
	ORDER BY 2, 1, 3, 4
$$;
