CREATE FUNCTION workflow_track.code_version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '0.2.0' $$;
COMMENT ON FUNCTION workflow_track.code_version() IS 'the version of the installed functions';

CREATE FUNCTION workflow_track.setup_roles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	role_name text;
	function regprocedure;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['workflow_track_admin', 'workflow_track_recorder', 'workflow_track_analyst']
	LOOP
		BEGIN
			IF to_regrole(role_name) IS NULL THEN
				EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
			END IF;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;	-- another database of the cluster is being set up
		END;
	END LOOP;
	GRANT USAGE ON SCHEMA workflow_track
		TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;
	GRANT EXECUTE ON FUNCTION workflow_track.code_version() TO workflow_track_admin;
	-- Those of the types, which read nothing.
	FOR function IN
		SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
		WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.provolatile = 'i' AND l.lanname IN ('c', 'internal')
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst', function);
	END LOOP;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_roles() IS 'part of setup(): roles, and the functions of types for them';

-- A restore of data alone, with --disable-triggers, enables them for the origin's sessions only.
CREATE FUNCTION workflow_track.triggers_are_enabled() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT EXISTS (
		SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
		WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.proname <> 'event_unchangeable' AND c.relkind <> 'v'
			AND t.tgenabled NOT IN ('A', 'R'))
$$;
COMMENT ON FUNCTION workflow_track.triggers_are_enabled() IS
'whether detection also hears of what logical replication applies';

CREATE FUNCTION workflow_track.setup() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $setup$
BEGIN
	BEGIN
		CREATE TABLE IF NOT EXISTS workflow_track.installation (
			version text NOT NULL,
			set_up_at timestamptz NOT NULL DEFAULT now(),
			only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
		);
	EXCEPTION WHEN duplicate_table OR unique_violation THEN
		NULL;	-- another session has made it meanwhile
	END;
	-- Two sessions that set up at once wait for each other.
	LOCK TABLE workflow_track.installation IN SHARE ROW EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM workflow_track.installation WHERE version = workflow_track.code_version())
		AND to_regrole('workflow_track_admin') IS NOT NULL
		AND to_regrole('workflow_track_recorder') IS NOT NULL
		AND to_regrole('workflow_track_analyst') IS NOT NULL
		AND to_regclass('workflow_track.health') IS NOT NULL
		AND workflow_track.triggers_are_enabled() THEN
		RETURN;
	END IF;

	COMMENT ON TABLE workflow_track.installation IS 'the version that setup() brought the tables to';
	PERFORM workflow_track.comment_columns('installation', 'version', 'the version', 'set_up_at', 'when', 'only_row', 'there is one row');
	PERFORM workflow_track.setup_roles();
	PERFORM workflow_track.setup_map();
	PERFORM workflow_track.setup_record();
	PERFORM workflow_track.setup_detect();
	PERFORM workflow_track.setup_message();
	PERFORM workflow_track.setup_report();
	PERFORM workflow_track.setup_discovery();
	PERFORM workflow_track.setup_conformance();
	PERFORM workflow_track.setup_scenario();
	PERFORM workflow_track.setup_compare();
	PERFORM workflow_track.setup_picture();
	PERFORM workflow_track.setup_bpmn();
	PERFORM workflow_track.setup_exchange();
	PERFORM workflow_track.setup_import();

	INSERT INTO workflow_track.installation (version) VALUES (workflow_track.code_version())
		ON CONFLICT (only_row) DO UPDATE SET version = excluded.version, set_up_at = now()
		WHERE installation.version <> excluded.version;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup() IS
'makes the tables, triggers, views and roles, or brings them to the installed version; changes nothing when there is nothing to do';

CREATE FUNCTION workflow_track.require_setup() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF to_regclass('workflow_track.installation') IS NOT NULL THEN
		IF EXISTS (SELECT FROM workflow_track.installation WHERE version = workflow_track.code_version()) THEN
			RETURN;
		END IF;
	END IF;
	RAISE EXCEPTION USING
		ERRCODE = 'object_not_in_prerequisite_state',
		MESSAGE = pg_catalog.format('the tables are not those of version %s', workflow_track.code_version()),
		HINT = 'Run SELECT workflow_track.setup().';
END
$$;
COMMENT ON FUNCTION workflow_track.require_setup() IS 'raises an error until setup() has brought the tables to the installed version';

CREATE FUNCTION workflow_track.prepare_restore(first_month timestamptz, first_message_month timestamptz DEFAULT now()) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
	LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM workflow_track.event) OR EXISTS (SELECT FROM workflow_track.patient_state) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'events are recorded in this database',
			HINT = 'Restore a dump of data alone into a new database, after setup().';
	END IF;
	PERFORM workflow_track.ensure_partitions(first_month, now());
	PERFORM workflow_track.drop_months(date_trunc('month', first_month, 'UTC'));
	PERFORM workflow_track.make_message_month(m)
		FROM generate_series(date_trunc('month', first_message_month, 'UTC'), now(), interval '1 month') m;
	TRUNCATE workflow_track.event_kind, workflow_track.workflow, workflow_track.facility_access, workflow_track.hl7v2_mapping,
		workflow_track.detection_state, workflow_track.installation, workflow_track.diary_page, workflow_track.diary_mark CASCADE;
END
$$;
COMMENT ON FUNCTION workflow_track.prepare_restore(timestamptz, timestamptz) IS
'makes room for a dump of data alone: takes away the rows that setup() made, and lets months of events and of messages begin where those of the dump do; after the restore, setup() is to be called again';

-- PUBLIC has nothing.
REVOKE ALL ON ALL ROUTINES IN SCHEMA workflow_track FROM PUBLIC;
