-- Flows of messages between systems: what there is, against what is declared.

CREATE FUNCTION workflow_track.flow_covers(types text[], message_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM unnest(types) AS t
		WHERE message_type = t OR starts_with(message_type, t || '^') OR t LIKE '%*' AND starts_with(message_type, left(t, -1)))
$$;
COMMENT ON FUNCTION workflow_track.flow_covers(text[], text) IS 'whether a message''s type, as MSH-9 has it, is one of those that a flow names';

CREATE FUNCTION workflow_track.type_in_short(message_type text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rtrim(split_part(message_type, '^', 1) || '^' || split_part(message_type, '^', 2), '^') $$;
COMMENT ON FUNCTION workflow_track.type_in_short(text) IS 'a message''s type without the name of its structure';

CREATE FUNCTION workflow_track.flows_seen(as_of timestamptz)
RETURNS TABLE (from_system text, to_system text, message_type text, facility text, last_seen timestamptz)
LANGUAGE c STABLE STRICT ROWS 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.flows_seen(timestamptz) IS
'who sent what to whom until a moment, and when last: of facilities that the caller sees, and of declared flows wherever they are';

-- The window that a moment is in; the day before may have one that is not over.
CREATE FUNCTION workflow_track.flow_window_start(as_of timestamptz, days text[], "from" time, until time, timezone text) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN "from" IS NULL THEN '-infinity' ELSE (
		SELECT min(w.starts) FROM (
			SELECT (d.day + "from") AT TIME ZONE timezone AS starts,
				(d.day + until + CASE WHEN until <= "from" THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE timezone AS ends
			FROM (SELECT (as_of AT TIME ZONE timezone)::date - n AS day FROM generate_series(0, 1) AS n) AS d
			WHERE days IS NULL OR trim(to_char(d.day, 'day')) = ANY (days)) AS w
		WHERE w.starts <= as_of AND as_of < w.ends) END
$$;
COMMENT ON FUNCTION workflow_track.flow_window_start(timestamptz, text[], time, time, text) IS
'when the time began in which a flow is judged, at a moment; null if it is not judged then';

-- No statistics tell how few events have a message, or how many: each way but a nested loop does for all.
CREATE FUNCTION workflow_track.flow_counts(since timestamptz, until timestamptz)
RETURNS TABLE (hour timestamptz, facility text, from_system text, to_system text, message_type text, messages bigint, rejected bigint, events bigint,
	p50 interval, p90 interval, p99 interval, longest interval)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $$
	WITH m AS MATERIALIZED (
		SELECT a.message_id, date_trunc('hour', a.received_at, 'UTC') AS hour, a.facility, a.source_system, a.receiving_system,
			coalesce(workflow_track.type_in_short(a.message_type), '') AS message_type, a.status
		FROM workflow_track.message_arrival AS a
		WHERE a.received_at >= coalesce(since, '-infinity') AND a.received_at < coalesce(until, 'infinity')),
	sent AS (
		SELECT m.hour, m.facility, m.source_system, m.receiving_system, m.message_type, count(*) AS messages, count(*) FILTER (WHERE m.status = 'rejected') AS rejected
		FROM m GROUP BY 1, 2, 3, 4, 5),
	recorded AS (
		SELECT m.hour, m.facility, m.source_system, m.receiving_system, m.message_type, count(*) AS events,
			percentile_cont('{0.5,0.9,0.99}'::double precision[]) WITHIN GROUP (ORDER BY e.recorded_at - e.occurred_at) AS delays, max(e.recorded_at - e.occurred_at) AS longest
		FROM m JOIN workflow_track.event_history AS e USING (message_id) WHERE e.retracted_at IS NULL
		GROUP BY 1, 2, 3, 4, 5)
	SELECT s.hour, s.facility, s.source_system, s.receiving_system, s.message_type, s.messages, s.rejected, coalesce(r.events, 0),
		r.delays[1], r.delays[2], r.delays[3], r.longest
	FROM sent AS s LEFT JOIN recorded AS r USING (hour, facility, source_system, receiving_system, message_type)
$$;
COMMENT ON FUNCTION workflow_track.flow_counts(timestamptz, timestamptz) IS
'messages that came in a time by hour, facility, sender, receiver and type, and the events that came of them, of facilities that the caller sees';

CREATE FUNCTION workflow_track.setup_flow() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.message_arrival WITH (security_barrier) AS
		SELECT m.message_id, m.received_at, coalesce(m.care_facility, m.facility) AS facility, m.source_system, m.receiving_system, m.receiving_facility,
			m.message_type, m.status, m.problem
		FROM workflow_track.message m WHERE workflow_track.facility_is_visible(coalesce(m.care_facility, m.facility));
	COMMENT ON VIEW workflow_track.message_arrival IS 'every message that came in, without what it says; ask for a span of received_at';
	PERFORM workflow_track.comment_columns('message_arrival', 'message_id', 'the message', 'received_at', 'when it came', 'facility', 'where the patient is cared for, else the sending facility',
		'source_system', 'the sending system', 'receiving_system', 'to whom it was sent; empty where it names none', 'receiving_facility', 'likewise', 'message_type', 'MSH-9, as sent',
		'status', 'what became of it', 'problem', 'the first thing that is the matter with it');

	CREATE OR REPLACE VIEW workflow_track.data_flow AS
		SELECT f.hour, f.facility COLLATE "C" AS facility, f.from_system COLLATE "C" AS from_system, f.to_system COLLATE "C" AS to_system,
			f.message_type COLLATE "C" AS message_type, f.messages, f.rejected, f.rejected::double precision / f.messages AS rejected_share,
			f.events, f.p50, f.p90, f.p99, f.longest
		FROM workflow_track.flow_counts(date_trunc('hour', now() - interval '24 hours', 'UTC'), NULL) AS f;
	COMMENT ON VIEW workflow_track.data_flow IS 'which system sent which messages to which in the last 24 hours, by hour: how many, what came of them, and how late';
	PERFORM workflow_track.comment_columns('data_flow', 'hour', 'hour in which they came, in UTC', 'facility', 'where patients are cared for, else the sending facility',
		'from_system', 'the sender, MSH-3', 'to_system', 'the receiver, MSH-5; empty where messages name none', 'message_type', 'MSH-9 without the name of the structure; empty where there is none',
		'messages', 'how many came', 'rejected', 'how many of them could not be parsed', 'rejected_share', 'the same as a share', 'events', 'how many events came of them that are not retracted',
		'p50', 'half of the events were recorded no later after they happened', 'p90', '90 % were', 'p99', '99 % were', 'longest', 'the longest delay');
	CREATE OR REPLACE FUNCTION workflow_track.data_flow(since timestamptz, until timestamptz DEFAULT NULL, facility text DEFAULT NULL)
	RETURNS SETOF workflow_track.data_flow
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
		SELECT f.hour, f.facility, f.from_system, f.to_system, f.message_type, f.messages, f.rejected, f.rejected::double precision / f.messages,
			f.events, f.p50, f.p90, f.p99, f.longest
		FROM workflow_track.flow_counts(since, until) AS f WHERE data_flow.facility IS NULL OR f.facility = data_flow.facility
	$$;
	COMMENT ON FUNCTION workflow_track.data_flow(timestamptz, timestamptz, text) IS
		'view data_flow of messages that came since a moment (null is the first) until another (null is the last), of a facility';

	PERFORM workflow_track.make_report('flow_gap', $query$
		WITH seen AS MATERIALIZED (SELECT * FROM workflow_track.flows_seen(:as_of)),
		flow AS MATERIALIZED (
			SELECT f.* FROM workflow_track.workflow_flow AS f JOIN workflow_track.workflow AS w ON w.workflow = f.workflow AND w.version = f.version WHERE w.state = 'current'),
		declared AS (
			SELECT f.*, (SELECT max(s.last_seen) FROM seen AS s
					WHERE s.from_system = f.from_system AND s.to_system = f.to_system AND workflow_track.flow_covers(f.message_types, s.message_type)) AS last_seen,
				workflow_track.flow_window_start(:as_of, f.during_days, f.during_from, f.during_until, f.during_timezone) AS judged_since
			FROM flow AS f)
		SELECT CASE WHEN d.last_seen IS NULL THEN 'never_seen' ELSE 'silent' END COLLATE "C" AS problem, d.workflow, NULL::text COLLATE "C" AS facility, d.from_system, d.to_system,
			d.message_types, d.every, d.last_seen, CASE WHEN d.last_seen IS NOT NULL THEN :as_of - greatest(d.last_seen, d.judged_since) END AS silent_for
		FROM declared AS d
		WHERE d.last_seen IS NULL OR d.judged_since IS NOT NULL AND :as_of - greatest(d.last_seen, d.judged_since) > d.every
		UNION ALL
		SELECT 'undeclared' AS problem, NULL AS workflow, s.facility COLLATE "C" AS facility, s.from_system COLLATE "C" AS from_system, s.to_system COLLATE "C" AS to_system,
			array_agg(DISTINCT workflow_track.type_in_short(s.message_type) COLLATE "C") AS message_types, NULL AS every, max(s.last_seen) AS last_seen, NULL AS silent_for
		FROM seen AS s
		WHERE s.facility IS NOT NULL AND s.last_seen > :as_of - interval '7 days' AND s.message_type !~ '^(ACK|FHS|FTS|BHS|BTS)(\^|$)'
			AND EXISTS (SELECT FROM flow AS f)
			AND NOT EXISTS (SELECT FROM flow AS f WHERE f.from_system = s.from_system AND f.to_system = s.to_system AND workflow_track.flow_covers(f.message_types, s.message_type))
		GROUP BY s.facility, s.from_system, s.to_system$query$,
		'flows of messages that are not as current workflows declare them');
	PERFORM workflow_track.comment_columns('flow_gap',
		'problem', 'never_seen (declared, and no message came), silent (the last one came longer ago than it may) or undeclared (messages of the last 7 days that no flow covers)',
		'workflow', 'the workflow that declares it', 'facility', 'of messages that are undeclared; a declared flow is of every facility', 'from_system', 'the sender, MSH-3', 'to_system', 'the receiver, MSH-5',
		'message_types', 'the types of messages', 'every', 'the longest time without one', 'last_seen', 'when the last one came', 'silent_for', 'how long it is silent, within the time in which it is judged');

	GRANT SELECT ON workflow_track.message_arrival, workflow_track.data_flow TO workflow_track_admin, workflow_track_analyst;
	REVOKE ALL ON FUNCTION workflow_track.data_flow(timestamptz, timestamptz, text) FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION workflow_track.data_flow(timestamptz, timestamptz, text), workflow_track.flow_counts(timestamptz, timestamptz), workflow_track.flows_seen(timestamptz), workflow_track.flow_covers(text[], text),
		workflow_track.type_in_short(text), workflow_track.flow_window_start(timestamptz, text[], time, time, text) TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_flow() IS 'part of setup(): flows of messages between systems';
