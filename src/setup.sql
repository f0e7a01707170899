CREATE FUNCTION workflow_track.setup() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $setup$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['workflow_track_admin', 'workflow_track_recorder', 'workflow_track_analyst']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
		END IF;
	END LOOP;
	GRANT USAGE ON SCHEMA workflow_track
		TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;

	PERFORM workflow_track.setup_map();
	PERFORM workflow_track.setup_record();
	PERFORM workflow_track.setup_detect();
	PERFORM workflow_track.setup_report();
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup() IS
'makes the tables, triggers, views and roles, or brings them to the installed version';

-- PUBLIC has nothing.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA workflow_track FROM PUBLIC;
