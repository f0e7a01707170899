CREATE FUNCTION workflow_track.facility_is_visible_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.facility_is_visible_support(internal) IS 'planner support for facility_is_visible';

CREATE FUNCTION workflow_track.facility_is_visible(facility text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE SUPPORT workflow_track.facility_is_visible_support AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.facility_is_visible(text) IS
'whether facility_access gives the current user a facility; the first condition of every report';

CREATE FUNCTION workflow_track.sees_all_facilities() RETURNS boolean
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.sees_all_facilities() IS
'whether facility_access gives the current user every facility';

CREATE FUNCTION workflow_track.visible_facilities() RETURNS text[]
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.visible_facilities() IS
'the facilities that facility_access gives the current user';

CREATE FUNCTION workflow_track.test_patients_shown() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.test_patients_shown() IS
'whether reports show test patients: the setting workflow_track.test_patients';

CREATE FUNCTION workflow_track.is_active_actor(actor text, at timestamptz) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.is_active_actor(text, timestamptz) IS
'whether staff has a row of the actor that is in force at a moment';

CREATE FUNCTION workflow_track.patient_handoffs(patient_id text)
RETURNS TABLE (basis text, facility text, handoff_patient_id text, encounter_id text, from_event_id bigint,
	to_event_id bigint, from_kind text, to_kind text, from_actor text, to_actor text, from_role text,
	to_role text, from_system text, to_system text, released_at timestamptz, taken_at timestamptz,
	latency interval, subject text)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 60 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.patient_handoffs(text) IS
'the handoffs that were taken under a patient id, of facilities that the caller sees; view handoff shows them';

CREATE FUNCTION workflow_track.unfolded_handoffs(by_hour boolean)
RETURNS TABLE (hour timestamptz, is_test boolean, basis text, facility text, from_role text, to_role text,
	from_system text, to_system text, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.unfolded_handoffs(boolean) IS
'what the rollups of handoffs do not hold yet of facilities that the caller sees, by group, or by hour and group';

CREATE FUNCTION workflow_track.coverage_counts(as_of timestamptz)
RETURNS TABLE (expectation_id integer, facility text, openers bigint, closers bigint, unmatched_closers bigint)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.coverage_counts(timestamptz) IS
'how often each expectation was opened and closed up to a moment, in facilities that the caller sees; reads every event';

CREATE FUNCTION workflow_track.version_loops(workflow text, version integer)
RETURNS TABLE (expectation_id integer, facility text, patient_id text, encounter_id text, opened_event_id bigint, opened_at timestamptz, due_at timestamptz,
	settled_at timestamptz, is_cancelled boolean, closed_event_id bigint, closed_by text, closed_by_role text)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.version_loops(text, integer) IS
'the loops that the expectations of a version would open, in whatever state it is, of facilities that the caller sees; reads every event';

-- A report as a view of now, and as a function of any moment, from one text.
CREATE FUNCTION workflow_track.make_report(report name, query text, description text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE VIEW workflow_track.%I AS %s', report, replace(query, ':as_of', 'now()'));
	EXECUTE format('COMMENT ON VIEW workflow_track.%I IS %L', report, description);
	EXECUTE format('CREATE OR REPLACE FUNCTION workflow_track.%I(as_of timestamptz) RETURNS SETOF workflow_track.%I '
		'LANGUAGE sql STABLE ROWS 1000 BEGIN ATOMIC %s; END',
		report || '_at', report,
		-- Infinity settles nothing that is not settled.
		replace(query, ':as_of', format('(CASE WHEN %1$I.as_of = ''infinity'' THEN ''294276-01-01 00:00:00+00''::timestamptz ELSE %1$I.as_of END)', report || '_at')));
	EXECUTE format('COMMENT ON FUNCTION workflow_track.%I(timestamptz) IS %L',
		report || '_at', format('view %s as it was, or will be, at a moment', report));
	EXECUTE format('REVOKE ALL ON FUNCTION workflow_track.%I(timestamptz) FROM PUBLIC', report || '_at');
	EXECUTE format('GRANT EXECUTE ON FUNCTION workflow_track.%I(timestamptz) TO workflow_track_admin, workflow_track_analyst', report || '_at');
	EXECUTE format('GRANT SELECT ON workflow_track.%I TO workflow_track_admin, workflow_track_analyst', report);
END
$$;
COMMENT ON FUNCTION workflow_track.make_report(name, text, text) IS
'part of setup(): a view and its function X_at from one query, where :as_of stands for the moment asked about';

-- Comments on the columns of a view: pairs of names and texts.
CREATE FUNCTION workflow_track.comment_columns(relation name, VARIADIC comments text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	FOR i IN 1 .. cardinality(comments) BY 2 LOOP
		EXECUTE format('COMMENT ON COLUMN workflow_track.%I.%I IS %L', relation, comments[i], comments[i + 1]);
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.comment_columns(name, text[]) IS
'part of setup(): comments on columns, as pairs of a name and a text';
