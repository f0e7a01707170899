CREATE FUNCTION workflow_track.patient_touched() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.patient_touched() IS
'trigger of tables of links: notes the patient for detection at the end of the transaction';

CREATE FUNCTION workflow_track.reference_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.reference_changed() IS
'trigger of the map and staff: makes every session read them anew';

CREATE FUNCTION workflow_track.touch_patients(patient_ids text[], first_at timestamptz[], linked boolean[])
RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.touch_patients(text[], timestamptz[], boolean[]) IS
'notes patients to be evaluated when the transaction ends';

CREATE FUNCTION workflow_track.detect_now(rebase boolean) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.detect_now(boolean) IS
'evaluates the patients noted so far, before the transaction ends; rebase leaves the rollups as they are';

CREATE FUNCTION workflow_track.wait_for_detection() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.wait_for_detection() IS
'returns when every session that detects now has committed';

CREATE FUNCTION workflow_track.exclude_detection() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.exclude_detection() IS
'likewise, and keeps every session from detecting until the transaction ends';

CREATE FUNCTION workflow_track.try_exclude_detection() RETURNS boolean
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.try_exclude_detection() IS
'likewise if no session detects now; else false';

CREATE FUNCTION workflow_track.nothing_is_recorded() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- A transaction that may have begun before the first patients came cannot tell.
	IF current_setting('transaction_isolation') <> 'read committed'
		OR EXISTS (SELECT FROM workflow_track.patient_state)
		OR NOT workflow_track.try_exclude_detection() THEN
		RETURN false;
	END IF;
	RETURN NOT EXISTS (SELECT FROM workflow_track.patient_state);
END
$$;
COMMENT ON FUNCTION workflow_track.nothing_is_recorded() IS
'whether there is no patient yet, and none will be before the transaction ends';

CREATE FUNCTION workflow_track.mark_stale() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF workflow_track.nothing_is_recorded() THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'TRUNCATE' THEN
		INSERT INTO workflow_track.stale_mark (what, name) VALUES ('everything', '') ON CONFLICT DO NOTHING;
		-- Those whose retractions are gone, and what the rollup of directly_follows has of them.
		INSERT INTO workflow_track.follows_mark (patient_id) SELECT p.patient_id FROM workflow_track.patient_state AS p;
	ELSIF TG_LEVEL = 'ROW' THEN
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) '
			'SELECT DISTINCT %1$L, c.%2$I FROM (SELECT ($1::%3$s).* UNION ALL SELECT ($2::%3$s).*) c WHERE c.%2$I IS NOT NULL AND %4$s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], TG_RELID::regclass, replace(TG_ARGV[1], 'ROW', 'c')) USING OLD, NEW;
	ELSIF TG_OP = 'INSERT' THEN
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) SELECT DISTINCT %L, n.%I FROM new_rows n WHERE %s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], replace(TG_ARGV[1], 'ROW', 'n'));
	ELSIF TG_OP = 'DELETE' THEN
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) SELECT DISTINCT %L, o.%I FROM old_rows o WHERE %s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], replace(TG_ARGV[1], 'ROW', 'o'));
	ELSE
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) '
			'SELECT %1$L, n.%2$I FROM new_rows n WHERE %3$s UNION SELECT %1$L, o.%2$I FROM old_rows o WHERE %4$s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], replace(TG_ARGV[1], 'ROW', 'n'), replace(TG_ARGV[1], 'ROW', 'o'));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.mark_stale() IS
'trigger of the map and staff: notes for catch_up() which actors, workflows or kinds changed';

CREATE FUNCTION workflow_track.refuse_while_paused() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF (SELECT paused FROM workflow_track.detection_state) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'detection is paused',
			HINT = 'Run SELECT workflow_track.resume_detection() first.';
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.refuse_while_paused() IS 'raises an error while detection is paused';

CREATE FUNCTION workflow_track.touch_stale(batch integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	ids text[];
	times timestamptz[];
	links boolean[];
BEGIN
	PERFORM workflow_track.refuse_while_paused();
	SELECT array_agg(s.patient_id), array_agg(s.first_at), array_agg(
			EXISTS (SELECT FROM workflow_track.patient_merge m WHERE m.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.patient_merge m WHERE m.merged_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.encounter_merge m WHERE m.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.subject_alias a WHERE a.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.retraction r WHERE r.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.cancellation c WHERE c.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.test_patient t WHERE t.patient_id = s.patient_id))
		INTO ids, times, links
		FROM (SELECT * FROM workflow_track.stale_patient ORDER BY patient_id LIMIT batch) s;
	IF ids IS NULL THEN
		RETURN false;
	END IF;
	PERFORM workflow_track.touch_patients(ids, times, links);
	RETURN true;
END
$$;
COMMENT ON FUNCTION workflow_track.touch_stale(integer) IS
'notes some stale patients to be evaluated when the transaction ends; false when none is stale';

CREATE FUNCTION workflow_track.resolve_stale_marks() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	all_of_it boolean;
	workflows text[];
	actors text[];
	kinds text[];
BEGIN
	PERFORM workflow_track.require_setup();
	-- No change is between its commit and its mark; and whoever detects by what was before commits first.
	LOCK TABLE workflow_track.stale_mark IN SHARE ROW EXCLUSIVE MODE;
	WITH marks AS (DELETE FROM workflow_track.stale_mark RETURNING what, name)
	SELECT coalesce(bool_or(what = 'everything'), false),
		coalesce(array_agg(name) FILTER (WHERE what = 'workflow'), '{}'),
		coalesce(array_agg(name) FILTER (WHERE what = 'actor'), '{}'),
		coalesce(array_agg(name) FILTER (WHERE what = 'kind'), '{}')
		INTO all_of_it, workflows, actors, kinds FROM marks;
	PERFORM workflow_track.wait_for_detection();
	IF all_of_it THEN
		INSERT INTO workflow_track.stale_patient (patient_id)
			SELECT patient_id FROM workflow_track.patient_state ON CONFLICT DO NOTHING;
		RETURN;
	END IF;
	-- Of any version: what an earlier one found may have to go.
	kinds := kinds || ARRAY(
		SELECT DISTINCT k FROM workflow_track.expectation x, unnest(x.after || x.expect || x.cancelled_by) k
			WHERE x.workflow = ANY (workflows)
		UNION SELECT d.kind FROM workflow_track.duplicate_rule d WHERE d.workflow = ANY (workflows)
		UNION SELECT s.kind FROM workflow_track.workflow_step s
			WHERE s.workflow = ANY (workflows) AND (cardinality(s.delivered_to) > 0 OR cardinality(s.required_fields) > 0)
		UNION SELECT k FROM workflow_track.billing_rule b, unnest(array_append(b.documented_by, 'charge.captured')) k
			WHERE b.workflow = ANY (workflows));
	IF cardinality(kinds) + cardinality(actors) > 0 THEN
		INSERT INTO workflow_track.stale_patient (patient_id)
			SELECT DISTINCT e.patient_id FROM workflow_track.event e
			WHERE e.kind = ANY (kinds) OR e.actor = ANY (actors) OR e.recipient = ANY (actors)
			ON CONFLICT DO NOTHING;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.resolve_stale_marks() IS
'turns changes of the map and of staff into the stale patients that they touch';

CREATE PROCEDURE workflow_track.catch_up(batch integer DEFAULT 500)
LANGUAGE plpgsql AS $$
BEGIN
	IF batch IS NULL OR batch OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'batch must be at least 1';
	END IF;
	-- What is committed while this waits must be seen, whatever the level of the session.
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	PERFORM workflow_track.refuse_while_paused();
	PERFORM workflow_track.resolve_stale_marks();
	COMMIT;
	WHILE workflow_track.touch_stale(batch) LOOP
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE workflow_track.catch_up(integer) IS
'evaluates again what changes of the map, of staff, or a pause left stale, a batch of patients a transaction';

CREATE FUNCTION workflow_track.empty_handoffs() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	horizon timestamptz;
BEGIN
	PERFORM workflow_track.require_setup();
	-- Broken off after this, catch_up() has to find everything anew.
	INSERT INTO workflow_track.stale_mark (what, name) VALUES ('everything', '') ON CONFLICT DO NOTHING;
	-- What is prepared may take long, and need not keep others waiting.
	PERFORM workflow_track.wait_for_detection();
	-- Who detects takes locks on these tables in whatever order.
	PERFORM workflow_track.exclude_detection();
	-- Who was waited for may have dropped months.
	horizon := coalesce((SELECT d.horizon FROM workflow_track.detection_state d), '-infinity');
	LOCK TABLE workflow_track.handoff_hourly, workflow_track.handoff_total IN SHARE ROW EXCLUSIVE MODE;
	-- In the order in which views lock them: the rollup first, then what it does not hold yet.
	TRUNCATE workflow_track.handoff_total, workflow_track.handoff_delta, workflow_track.handoff_stale, workflow_track.handoff_state;
	DELETE FROM workflow_track.handoff_hourly WHERE hour >= horizon;
	INSERT INTO workflow_track.handoff_total (is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
		SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram)
		FROM workflow_track.handoff_hourly GROUP BY 1, 2, 3, 4, 5, 6, 7;
END
$$;
COMMENT ON FUNCTION workflow_track.empty_handoffs() IS
'first part of rebuild(): empties the rollups of handoffs from the horizon of retention on';

CREATE FUNCTION workflow_track.begin_rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.patient_merge (patient_id, merged_id, event_id)
		SELECT patient_id, subject, event_id FROM workflow_track.event
		WHERE kind = 'patient.merged' AND btrim(subject) <> '' AND subject <> patient_id
		ON CONFLICT DO NOTHING;
	INSERT INTO workflow_track.encounter_merge (patient_id, encounter_id, merged_id, event_id)
		SELECT patient_id, encounter_id, subject, event_id FROM workflow_track.event
		WHERE kind = 'encounter.merged' AND subject IS NOT NULL AND encounter_id IS NOT NULL
		ON CONFLICT DO NOTHING;
	LOCK TABLE workflow_track.stale_mark IN SHARE ROW EXCLUSIVE MODE;
	DELETE FROM workflow_track.stale_mark;
	PERFORM workflow_track.wait_for_detection();
	INSERT INTO workflow_track.stale_patient (patient_id, first_at)
		SELECT patient_id, min(first_at) FROM (
			SELECT patient_id, min(occurred_at) AS first_at FROM workflow_track.event GROUP BY patient_id
			UNION ALL SELECT patient_id, NULL FROM workflow_track.patient_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.loop_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.duplicate_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.misrouted_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.missing_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.identity_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.billing_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.charge_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.claim_state) known
		GROUP BY patient_id
		ON CONFLICT (patient_id) DO UPDATE SET first_at = excluded.first_at;
END
$$;
COMMENT ON FUNCTION workflow_track.begin_rebuild() IS
'second part of rebuild(): marks every patient as stale';

CREATE PROCEDURE workflow_track.rebuild(batch integer DEFAULT 500)
LANGUAGE plpgsql AS $$
BEGIN
	IF batch IS NULL OR batch OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'batch must be at least 1';
	END IF;
	-- As in catch_up().
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	PERFORM workflow_track.refuse_while_paused();
	PERFORM workflow_track.empty_handoffs();
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	PERFORM workflow_track.empty_follows();
	PERFORM workflow_track.empty_diary();
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	PERFORM workflow_track.begin_rebuild();
	COMMIT;
	CALL workflow_track.catch_up(batch);
	PERFORM workflow_track.fold_follows();
	PERFORM workflow_track.fold_handoffs();
	PERFORM workflow_track.fold_identities();
	PERFORM workflow_track.fold_diary();
END
$$;
COMMENT ON PROCEDURE workflow_track.rebuild(integer) IS
'evaluates every patient from nothing, a batch a transaction; the fast way after a backfill';

CREATE FUNCTION workflow_track.pause_detection() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE workflow_track.stale_patient IN EXCLUSIVE MODE;
	UPDATE workflow_track.detection_state SET paused = true, since = now() WHERE NOT paused;
END
$$;
COMMENT ON FUNCTION workflow_track.pause_detection() IS
'stops detection for a backfill: patients recorded meanwhile are marked as stale; shown in health';

CREATE FUNCTION workflow_track.resume_detection() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE workflow_track.detection_state SET paused = false, since = now() WHERE paused;
END
$$;
COMMENT ON FUNCTION workflow_track.resume_detection() IS
'ends a pause; CALL catch_up() or rebuild() then evaluates what was recorded meanwhile';

CREATE FUNCTION workflow_track.every_unfolded_handoff(by_hour boolean)
RETURNS TABLE (hour timestamptz, is_test boolean, basis text, facility text, from_role text, to_role text,
	from_system text, to_system text, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.every_unfolded_handoff(boolean) IS
'what the rollups of handoffs do not hold yet, by group, or by hour and group';

CREATE FUNCTION workflow_track.every_uncounted_handoff(by_hour boolean)
RETURNS TABLE (hour timestamptz, is_test boolean, basis text, facility text, from_role text, to_role text,
	from_system text, to_system text, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.every_uncounted_handoff(boolean) IS
'the same with what patients add whom maintain() has to bring up to date';

CREATE FUNCTION workflow_track.fold_handoffs() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	folded bigint;
BEGIN
	LOCK TABLE workflow_track.handoff_hourly, workflow_track.handoff_total IN SHARE ROW EXCLUSIVE MODE;
	WITH folded_rows AS (DELETE FROM workflow_track.handoff_delta RETURNING 1),
	hourly AS MATERIALIZED (SELECT * FROM workflow_track.every_unfolded_handoff(true)),
	write_hourly AS (
		INSERT INTO workflow_track.handoff_hourly AS h (hour, is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
			SELECT * FROM hourly
		ON CONFLICT (hour, is_test, basis, facility, from_role, to_role, from_system, to_system)
			DO UPDATE SET histogram = h.histogram OPERATOR(workflow_track.+) excluded.histogram),
	write_total AS (
		INSERT INTO workflow_track.handoff_total AS t (is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
			SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram)
			FROM hourly GROUP BY 1, 2, 3, 4, 5, 6, 7
		ON CONFLICT (is_test, basis, facility, from_role, to_role, from_system, to_system)
			DO UPDATE SET histogram = t.histogram OPERATOR(workflow_track.+) excluded.histogram)
	SELECT count(*) INTO folded FROM folded_rows;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION workflow_track.fold_handoffs() IS
'adds the deltas of handoffs to their rollups; returns how many there were';

CREATE FUNCTION workflow_track.maintain() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM workflow_track.require_setup();
	PERFORM workflow_track.ensure_partitions(now(), now() + interval '24 months');
	PERFORM workflow_track.maintain_messages();
	-- Before patients are locked.
	PERFORM workflow_track.fold_diary();
	-- Not more at a time, as their patients stay locked until the end.
	PERFORM workflow_track.touch_patients(array_agg(s.patient_id), array_agg(NULL::timestamptz), array_agg(false))
		FROM (SELECT patient_id FROM workflow_track.handoff_stale LIMIT 5000) s HAVING count(*) > 0;
	PERFORM workflow_track.detect_now(false);
	-- Autovacuum never analyzes a partitioned table; its lock comes before those of rollups, as in drop_before().
	IF NOT EXISTS (SELECT FROM pg_stat_all_tables t
			WHERE t.schemaname = 'workflow_track' AND t.relname = 'event' AND t.last_analyze > now() - interval '1 day') THEN
		ANALYZE workflow_track.event;
	END IF;
	-- This reads events too.
	PERFORM workflow_track.fold_follows();
	PERFORM workflow_track.fold_handoffs();
	PERFORM workflow_track.fold_identities();
END
$$;
COMMENT ON FUNCTION workflow_track.maintain() IS
'makes the months of the next 24, brings rollups up to date and analyzes event once a day; to be run every hour';
