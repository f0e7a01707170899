-- What systems ask of people (burden), and signs that people work around them (adoption).

CREATE FUNCTION workflow_track.burden_limits(OUT redundant_alert_within interval, OUT documented_within interval, OUT signed_within interval)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(max(l.redundant_alert_within), '15 minutes'), coalesce(max(l.documented_within), '4 hours'), coalesce(max(l.signed_within), '24 hours')
	FROM workflow_track.burden_limit AS l JOIN workflow_track.workflow AS w USING (workflow, version) WHERE w.state = 'current'
$$;
COMMENT ON FUNCTION workflow_track.burden_limits() IS
'the limits by which burden and adoption are judged: the longest that a current workflow states, else a default';

CREATE FUNCTION workflow_track.days_read() RETURNS SETOF date
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 400 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.days_read() IS
'the days on which there may be events, wherever';

CREATE FUNCTION workflow_track.make_pages(marked date[]) RETURNS TABLE (day date, events bytea)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.make_pages(date[]) IS
'part of fold_diary(): pages of days that are marked or have none, of all months with a partition of their own';

CREATE FUNCTION workflow_track.page_events(events bytea)
RETURNS TABLE (event_id bigint, occurred_at timestamptz, recorded_at timestamptz, source_sequence integer, time_precision text, entry_method text,
	facility text, patient_id text, encounter_id text, kind text, actor text, actor_role text, recipient text, recipient_role text, source_system text,
	subject text, item text, code text, value text)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.page_events(bytea) IS
'the events of a page of the diary; subject, item, code and value of alerts alone';

CREATE FUNCTION workflow_track.fold_diary() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	folded bigint;
BEGIN
	-- This reads events, whose lock comes before those of rollups, as in drop_before().
	LOCK TABLE workflow_track.event IN ACCESS SHARE MODE;
	LOCK TABLE workflow_track.diary_page IN SHARE ROW EXCLUSIVE MODE;
	-- One snapshot for the marks and for the events.
	WITH marked AS (DELETE FROM workflow_track.diary_mark RETURNING day),
	made AS MATERIALIZED (SELECT p.day, p.events FROM workflow_track.make_pages(ARRAY(SELECT DISTINCT m.day FROM marked AS m)) AS p),
	written AS (
		INSERT INTO workflow_track.diary_page (day, events) SELECT m.day, m.events FROM made AS m
		ON CONFLICT (day) DO UPDATE SET events = excluded.events
		RETURNING 1),
	outdated AS (
		DELETE FROM workflow_track.diary_page AS p WHERE p.day IN (SELECT m.day FROM marked AS m EXCEPT SELECT m.day FROM made AS m))
	SELECT count(*) INTO folded FROM written;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION workflow_track.fold_diary() IS
'makes the pages of the diary whose days are marked, or that are not there yet; returns how many there were';

CREATE FUNCTION workflow_track.empty_diary() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE workflow_track.diary_page IN SHARE ROW EXCLUSIVE MODE;
	DELETE FROM workflow_track.diary_page;
END
$$;
COMMENT ON FUNCTION workflow_track.empty_diary() IS
'part of rebuild(): empties the diary; until its pages are made anew, reports read the events of their days';

CREATE FUNCTION workflow_track.check_diary() RETURNS TABLE (relation text, problem text, patient_id text, difference jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH page AS MATERIALIZED (
		SELECT p.day, p.events FROM workflow_track.diary_page AS p
		WHERE p.events IS NOT NULL AND p.day <> ALL (ARRAY(SELECT DISTINCT m.day FROM workflow_track.diary_mark AS m))),
	kept AS NOT MATERIALIZED (SELECT p.day, x.* FROM page AS p CROSS JOIN LATERAL workflow_track.page_events(p.events) AS x),
	stored AS NOT MATERIALIZED (
		SELECT p.day, e.event_id, e.occurred_at, coalesce(e.recorded_at, e.occurred_at) AS recorded_at, e.source_sequence, e.time_precision::text, e.entry_method::text,
			e.facility, e.patient_id, e.encounter_id, e.kind, e.actor, e.actor_role, e.recipient, e.recipient_role, e.source_system,
			CASE WHEN e.kind = 'alert.fired' THEN e.subject END AS subject, CASE WHEN e.kind = 'alert.fired' THEN e.item END AS item,
			CASE WHEN e.kind = 'alert.fired' THEN e.code::text END AS code, CASE WHEN e.kind = 'alert.fired' THEN e.value END AS value
		FROM workflow_track.event AS e JOIN page AS p ON p.day = e.occurred_at::date),
	-- Days that differ, and then what does: to sort every event takes far longer.
	kept_day AS (
		SELECT p.day, k.n, k.hash FROM page AS p CROSS JOIN LATERAL (
			SELECT nullif(count(*), 0) AS n, sum(hash_record_extended(y, 0)) AS hash
			FROM (SELECT p.day, x.* FROM workflow_track.page_events(p.events) AS x) AS y) AS k),
	stored_day AS (SELECT s.day, count(*) AS n, sum(hash_record_extended(s, 0)) AS hash FROM stored AS s GROUP BY s.day),
	wrong AS MATERIALIZED (
		SELECT day FROM kept_day AS k FULL JOIN stored_day AS s USING (day) WHERE (k.n, k.hash) IS DISTINCT FROM (s.n, s.hash))
	SELECT 'diary_page', 'missing', x.patient_id, to_jsonb(x) FROM (
		SELECT s.* FROM stored AS s WHERE s.day IN (SELECT w.day FROM wrong AS w) EXCEPT ALL SELECT k.* FROM kept AS k WHERE k.day IN (SELECT w.day FROM wrong AS w)) AS x
	UNION ALL
	SELECT 'diary_page', 'unexpected', x.patient_id, to_jsonb(x) FROM (
		SELECT k.* FROM kept AS k WHERE k.day IN (SELECT w.day FROM wrong AS w) EXCEPT ALL SELECT s.* FROM stored AS s WHERE s.day IN (SELECT w.day FROM wrong AS w)) AS x;
END
$$;
COMMENT ON FUNCTION workflow_track.check_diary() IS 'part of check_consistency(): pages of the diary against the events of their days';

CREATE FUNCTION workflow_track.burden_of_day(day date, redundant_within interval)
RETURNS TABLE (facility text, role text, actor text, encounters bigint, events bigint, alerts bigint, redundant_alerts bigint, overridden_alerts bigint,
	manual_entries bigint, duplicate_entries bigint, interface_duplicates bigint, screens bigint)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 500 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.burden_of_day(date, interval) IS
'what fell to whom on a local day, of facilities that the caller sees; view interaction_burden shows it';

CREATE FUNCTION workflow_track.burden_of_time(since timestamptz, until timestamptz, by_role boolean, redundant_within interval)
RETURNS TABLE (facility text, role text, actor text, encounters bigint, events bigint, alerts bigint, redundant_alerts bigint, overridden_alerts bigint,
	manual_entries bigint, duplicate_entries bigint, interface_duplicates bigint, screens bigint)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.burden_of_time(timestamptz, timestamptz, boolean, interval) IS
'likewise of a time as a whole, by facility, or by facility and role; actor is null';

CREATE FUNCTION workflow_track.workarounds_of_week(week date, documented_within interval, signed_within interval)
RETURNS TABLE (facility text, role text, signal text, found bigint, out_of bigint, people bigint)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.workarounds_of_week(date, interval, interval) IS
'signs of workarounds in the local week that begins on a Monday, of facilities that the caller sees; view workaround_signal shows them';

CREATE FUNCTION workflow_track.burden_change(before_from timestamptz, before_until timestamptz, after_from timestamptz, after_until timestamptz, by_role boolean DEFAULT true)
RETURNS TABLE (facility text, role text, measure text, before bigint, after bigint, before_encounters bigint, after_encounters bigint,
	before_per_encounter double precision, after_per_encounter double precision, ratio double precision)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH part AS (
		SELECT p.is_after, b.* FROM workflow_track.burden_limits() AS l
			CROSS JOIN LATERAL (VALUES (false, before_from, before_until), (true, after_from, after_until)) AS p(is_after, since, until)
			CROSS JOIN LATERAL workflow_track.burden_of_time(p.since, p.until, by_role, l.redundant_alert_within) AS b),
	measured AS (
		SELECT p.facility, p.role, m.place, m.measure,
			coalesce(sum(m.number) FILTER (WHERE NOT p.is_after), 0)::bigint AS before, coalesce(sum(m.number) FILTER (WHERE p.is_after), 0)::bigint AS after,
			coalesce(sum(p.encounters) FILTER (WHERE NOT p.is_after), 0)::bigint AS before_encounters,
			coalesce(sum(p.encounters) FILTER (WHERE p.is_after), 0)::bigint AS after_encounters
		FROM part AS p CROSS JOIN LATERAL (VALUES (1, 'events', p.events), (2, 'alerts', p.alerts), (3, 'redundant_alerts', p.redundant_alerts),
			(4, 'overridden_alerts', p.overridden_alerts), (5, 'manual_entries', p.manual_entries), (6, 'duplicate_entries', p.duplicate_entries),
			(7, 'interface_duplicates', p.interface_duplicates), (8, 'screens', p.screens)) AS m(place, measure, number)
		GROUP BY p.facility, p.role, m.place, m.measure),
	each AS (
		SELECT m.*, m.before::double precision / nullif(m.before_encounters, 0) AS before_per, m.after::double precision / nullif(m.after_encounters, 0) AS after_per
		FROM measured AS m)
	SELECT e.facility, e.role, e.measure, e.before, e.after, e.before_encounters, e.after_encounters, e.before_per, e.after_per, e.after_per / nullif(e.before_per, 0)
	FROM each AS e ORDER BY e.facility COLLATE "C", e.role COLLATE "C", e.place
$$;
COMMENT ON FUNCTION workflow_track.burden_change(timestamptz, timestamptz, timestamptz, timestamptz, boolean) IS
'what fell to whom in a time before a change and in one after it, in numbers, by encounter, and as a ratio of the two';

CREATE FUNCTION workflow_track.setup_diary() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.diary_mark (
		day date NOT NULL
	) WITH (autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.diary_mark IS 'days that events were recorded of since their pages were made; until maintain() makes them anew, reports read the events';
	PERFORM workflow_track.comment_columns('diary_mark', 'day', 'the day, in UTC; more than once, perhaps');

	CREATE TABLE IF NOT EXISTS workflow_track.diary_page (
		day date PRIMARY KEY,
		events bytea
	);
	-- Decompressing takes longer than reading.
	IF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = 'workflow_track.diary_page'::regclass AND a.attname = 'events' AND a.attstorage <> 'e') THEN
		ALTER TABLE workflow_track.diary_page ALTER COLUMN events SET STORAGE EXTERNAL;
	END IF;
	COMMENT ON TABLE workflow_track.diary_page IS 'events by day, packed, as the reports of burden and adoption read them';
	PERFORM workflow_track.comment_columns('diary_page', 'day', 'the day, in UTC', 'events', 'its events, as page_events() reads them; null where they are too many');
	GRANT EXECUTE ON FUNCTION workflow_track.fold_diary(), workflow_track.empty_diary() TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_diary() IS 'part of setup(): the diary';

CREATE FUNCTION workflow_track.setup_burden() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.interaction_burden AS
		SELECT d.day, b.facility COLLATE "C" AS facility, b.role COLLATE "C" AS role, b.actor COLLATE "C" AS actor, b.encounters, b.events, b.alerts, b.redundant_alerts,
			b.overridden_alerts, b.manual_entries, b.duplicate_entries, b.screens, b.interface_duplicates,
			b.events::double precision / nullif(b.encounters, 0) AS events_per_encounter, b.alerts::double precision / nullif(b.encounters, 0) AS alerts_per_encounter,
			b.manual_entries::double precision / nullif(b.encounters, 0) AS manual_entries_per_encounter
		FROM workflow_track.days_read() AS d(day) CROSS JOIN workflow_track.burden_limits() AS l
			CROSS JOIN LATERAL workflow_track.burden_of_day(d.day, l.redundant_alert_within) AS b;
	COMMENT ON VIEW workflow_track.interaction_burden IS 'what systems ask of people: events, alerts, entries and screens by day, facility, role and person; ask for a span of day';
	PERFORM workflow_track.comment_columns('interaction_burden', 'day', 'the day, on the facility''s clock (table facility; UTC where it has no row)', 'facility', 'of the events',
		'role', 'the role of whom they fell to, stated or looked up in staff', 'actor', 'whom they fell to: who was shown an alert, who did anything else; null where nobody is named',
		'encounters', 'how many encounters the events are of', 'events', 'all events that fell to this party, alerts included', 'alerts', 'alerts that were shown',
		'redundant_alerts', 'alerts that were shown to the same person about the same patient with the same code not long before', 'overridden_alerts', 'alerts that somebody went on against',
		'manual_entries', 'events that were entered by hand', 'duplicate_entries', 'of these, those that view duplicate_entry lists', 'screens', 'screens that were worked on',
		'interface_duplicates', 'of the duplicate entries, those that an interface had delivered already', 'events_per_encounter', 'events / encounters',
		'alerts_per_encounter', 'alerts / encounters', 'manual_entries_per_encounter', 'manual_entries / encounters');

	CREATE OR REPLACE VIEW workflow_track.workaround_signal AS
		SELECT w.week, s.facility COLLATE "C" AS facility, s.role COLLATE "C" AS role, s.signal COLLATE "C" AS signal, s.found, s.out_of,
			s.found::double precision / s.out_of AS share, s.people
		FROM (SELECT DISTINCT d.day - extract(isodow FROM d.day)::integer + 1 AS week FROM workflow_track.days_read() AS d(day)) AS w
			CROSS JOIN workflow_track.burden_limits() AS l
			CROSS JOIN LATERAL workflow_track.workarounds_of_week(w.week, l.documented_within, l.signed_within) AS s;
	COMMENT ON VIEW workflow_track.workaround_signal IS 'signs that people work around a system, by week, facility and role; ask for a span of week';
	PERFORM workflow_track.comment_columns('workaround_signal', 'week', 'the Monday of the week, on the facility''s clock', 'facility', 'of the events', 'role', 'the role of who did it, stated or looked up in staff',
		'signal', 'late_documentation, shift_end_entries, late_note or other_system', 'found', 'how many events give the signal', 'out_of', 'how many might have',
		'share', 'the one as a share of the other', 'people', 'how many people the events that give it are of');

	GRANT SELECT ON workflow_track.interaction_burden, workflow_track.workaround_signal TO workflow_track_admin, workflow_track_analyst;
	GRANT EXECUTE ON FUNCTION workflow_track.burden_limits(), workflow_track.days_read(), workflow_track.burden_of_day(date, interval),
		workflow_track.burden_of_time(timestamptz, timestamptz, boolean, interval), workflow_track.workarounds_of_week(date, interval, interval),
		workflow_track.burden_change(timestamptz, timestamptz, timestamptz, timestamptz, boolean) TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_burden() IS 'part of setup(): views of burden and adoption';
