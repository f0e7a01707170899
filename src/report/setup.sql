CREATE FUNCTION workflow_track.setup_access() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	IF to_regclass('workflow_track.facility_access') IS NULL THEN
		CREATE TABLE workflow_track.facility_access (
			role_name text COLLATE "C" NOT NULL,
			facility text COLLATE "C" NOT NULL,
			PRIMARY KEY (role_name, facility)
		);
	END IF;
	-- The table may also have come with a dump of the schema alone.
	IF NOT EXISTS (SELECT FROM workflow_track.installation) THEN
		INSERT INTO workflow_track.facility_access VALUES ('workflow_track_admin', '*') ON CONFLICT DO NOTHING;
	END IF;
	COMMENT ON TABLE workflow_track.facility_access IS 'which facilities the members of a role see; no row is none';
	COMMENT ON COLUMN workflow_track.facility_access.role_name IS 'the role';
	COMMENT ON COLUMN workflow_track.facility_access.facility IS 'a facility as events name it; * is all';
	GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_track.facility_access TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_access() IS 'part of setup(): who sees which facility';

CREATE FUNCTION workflow_track.setup_loop_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	loop_columns text := $query$
		SELECT l.workflow, l.expectation, l.category, l.facility, l.patient_id, l.encounter_id, l.subject, l.code,
			l.severity, l.opened_by_kind, l.opened_event_id, l.opened_at, l.due_at, l.owner, l.owner_role,
			CASE WHEN l.settled_at <= :as_of THEN
					CASE WHEN l.is_cancelled THEN 'cancelled' WHEN l.settled_at <= l.due_at THEN 'met' ELSE 'late' END
				WHEN :as_of < l.due_at THEN 'open'
				ELSE 'overdue' END COLLATE "C" AS status,
			CASE WHEN l.settled_at <= :as_of THEN l.closed_event_id END AS closed_event_id,
			CASE WHEN l.settled_at <= :as_of AND NOT l.is_cancelled THEN l.settled_at END AS closed_at,
			CASE WHEN l.settled_at > :as_of THEN CASE WHEN :as_of >= l.due_at THEN :as_of - l.due_at END
				WHEN NOT l.is_cancelled AND l.settled_at > l.due_at THEN l.settled_at - l.due_at END AS overdue_by,
			l.item, l.escalate_to,
			CASE WHEN l.settled_at <= :as_of AND l.is_cancelled THEN l.settled_at END AS cancelled_at,
			CASE WHEN l.settled_at <= :as_of THEN l.closed_by END AS closed_by,
			CASE WHEN l.settled_at <= :as_of THEN l.closed_by_role END AS closed_by_role,
			l.opened_message_id,
			workflow_track.is_active_actor(l.owner, :as_of) AS owner_active
		FROM workflow_track.loop l
		WHERE l.opened_at <= :as_of$query$;
	report text;
BEGIN
	-- Reports name expectations by number, as the indexes of loop_state begin with it: what other categories left open costs nothing.
	CREATE OR REPLACE VIEW workflow_track.loop WITH (security_barrier) AS
		SELECT e.workflow, e.name AS expectation, e.category, e.escalate_to,
			l.facility, l.patient_id, l.encounter_id, l.subject, l.item, l.code, l.severity,
			l.opened_by_kind, l.opened_event_id, l.opened_message_id, l.opened_at, l.due_at, l.owner, l.owner_role,
			l.settled_at, l.is_cancelled, l.closed_event_id, l.closed_by, l.closed_by_role, l.expectation_id
		FROM workflow_track.loop_state l JOIN workflow_track.expectation e USING (expectation_id)
		WHERE workflow_track.facility_is_visible(l.facility)
			AND (NOT l.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.loop IS 'every loop with what settled it, whenever that was; care_loop and its kin ask it about a moment';
	GRANT SELECT ON workflow_track.loop TO workflow_track_admin, workflow_track_analyst;

	PERFORM workflow_track.make_report('care_loop', loop_columns,
		'every loop that an expectation of the map opened, with its status');
	PERFORM workflow_track.make_report('unacknowledged_result',
		loop_columns || $$ AND l.settled_at > :as_of AND l.expectation_id = ANY (ARRAY(
			SELECT e.expectation_id FROM workflow_track.expectation e WHERE e.category = 'acknowledgement'))$$,
		'results that nobody has acknowledged yet: loops of category acknowledgement that are open or overdue');
	PERFORM workflow_track.make_report('missed_follow_up',
		loop_columns || $$ AND (l.settled_at > l.due_at) IS TRUE AND l.due_at <= :as_of AND NOT (l.is_cancelled AND l.settled_at <= :as_of)
			AND l.expectation_id = ANY (ARRAY(
			SELECT e.expectation_id FROM workflow_track.expectation e WHERE e.category IN ('follow_up', 'referral', 'notification')))$$,
		'follow-ups, referrals and notifications of patients that are overdue or came late');
	PERFORM workflow_track.make_report('overdue_loop',
		loop_columns || $$ AND l.settled_at > :as_of AND l.due_at <= :as_of
			AND l.expectation_id = ANY (ARRAY(SELECT e.expectation_id FROM workflow_track.expectation e))$$,
		'every loop that is overdue');
	PERFORM workflow_track.make_report('task_queue', $query$
		SELECT l.facility, l.owner_role AS role, l.owner AS actor,
			count(*) FILTER (WHERE :as_of < l.due_at) AS open_loops,
			count(*) FILTER (WHERE :as_of >= l.due_at) AS overdue_loops,
			min(l.due_at) AS oldest_due_at
		FROM workflow_track.loop l
		WHERE l.opened_at <= :as_of AND l.settled_at > :as_of
			AND l.expectation_id = ANY (ARRAY(SELECT e.expectation_id FROM workflow_track.expectation e))
		GROUP BY l.facility, l.owner_role, l.owner$query$,
		'what waits for whom: open and overdue loops by owner');
	PERFORM workflow_track.make_report('rule_coverage', $query$
		SELECT e.workflow, e.name AS expectation, c.facility COLLATE "C" AS facility, c.openers, c.closers, c.unmatched_closers
		FROM workflow_track.coverage_counts(:as_of) c
		JOIN workflow_track.expectation e ON e.expectation_id = c.expectation_id$query$,
		'whether expectations can be observed: how many events open and close their loops; reads every event');

	FOREACH report IN ARRAY ARRAY['care_loop', 'unacknowledged_result', 'missed_follow_up', 'overdue_loop'] LOOP
		PERFORM workflow_track.comment_columns(report,
			'workflow', 'the workflow of the map', 'expectation', 'the expectation that the opening event met',
			'category', 'what sort of expectation it is', 'facility', 'of the opening event',
			'patient_id', 'of the opening event', 'encounter_id', 'of the opening event',
			'subject', 'of the opening event', 'code', 'of the opening event', 'severity', 'of the opening event',
			'opened_by_kind', 'kind of the opening event', 'opened_event_id', 'the opening event',
			'opened_at', 'when it happened', 'due_at', 'when the answer is due: the later of opened_at and planned_at, + within',
			'owner', 'recipient of the opening event, else its actor', 'owner_role', 'the owner''s role, stated or looked up in staff',
			'status', 'cancelled, met (closed in time), late (closed after), open or overdue',
			'closed_event_id', 'the closing event', 'closed_at', 'when it happened',
			'overdue_by', 'how long it is overdue, or how much later it was closed than due',
			'item', 'of the opening event', 'escalate_to', 'the role to tell when it is overdue',
			'cancelled_at', 'when the cancelling event happened', 'closed_by', 'actor of the closing event',
			'closed_by_role', 'the role of that actor', 'opened_message_id', 'the message that the opening event came from',
			'owner_active', 'whether the owner is in staff and active at the moment asked about');
	END LOOP;
	PERFORM workflow_track.comment_columns('loop',
		'workflow', 'the workflow of the map', 'expectation', 'the expectation', 'category', 'its category',
		'escalate_to', 'the role to tell when it is overdue', 'facility', 'of the opening event',
		'patient_id', 'of the opening event', 'encounter_id', 'of the opening event', 'subject', 'of the opening event',
		'item', 'of the opening event', 'code', 'of the opening event', 'severity', 'of the opening event',
		'opened_by_kind', 'kind of the opening event', 'opened_event_id', 'the opening event',
		'opened_message_id', 'the message it came from', 'opened_at', 'when it happened', 'due_at', 'when the answer is due',
		'owner', 'recipient of the opening event, else its actor', 'owner_role', 'the owner''s role',
		'settled_at', 'when it was closed or cancelled; infinity while it is neither',
		'is_cancelled', 'whether it was cancelled, not closed', 'closed_event_id', 'the closing event',
		'closed_by', 'its actor', 'closed_by_role', 'the role of that actor', 'expectation_id', 'number of the expectation');
	PERFORM workflow_track.comment_columns('task_queue',
		'facility', 'of the opening events', 'role', 'the owner''s role', 'actor', 'the owner; null where nobody is',
		'open_loops', 'loops not due yet', 'overdue_loops', 'loops due and not settled', 'oldest_due_at', 'the earliest due_at of both');
	PERFORM workflow_track.comment_columns('rule_coverage',
		'workflow', 'the workflow of the map', 'expectation', 'the expectation', 'facility', 'of the events counted',
		'openers', 'events that opened a loop', 'closers', 'events of a kind and role that could close one',
		'unmatched_closers', 'of these, those with no opener they could answer: the numbers do not agree');
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_loop_views() IS 'part of setup(): views of loops';

CREATE FUNCTION workflow_track.setup_finding_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	report name;
BEGIN
	CREATE OR REPLACE VIEW workflow_track.duplicate_entry WITH (security_barrier) AS
		SELECT d.duplicate_event_id, d.original_event_id, d.facility, d.patient_id, d.encounter_id, d.kind, d.subject,
			d.code, d.value, d.original_at, d.duplicate_at, d.duplicate_at - d.original_at AS gap,
			d.original_system, d.duplicate_system, d.original_actor, d.duplicate_actor, d.duplicate_method,
			d.original_system IS DISTINCT FROM d.duplicate_system AS crosses_systems,
			r.workflow, coalesce(r.name, r.kind) AS rule
		FROM workflow_track.duplicate_state d JOIN workflow_track.duplicate_rule r USING (duplicate_rule_id)
		WHERE workflow_track.facility_is_visible(d.facility)
			AND (NOT d.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.duplicate_entry IS 'entries that had been made before, by the duplicate rules of the map';
	PERFORM workflow_track.comment_columns('duplicate_entry',
		'duplicate_event_id', 'the event that repeats', 'original_event_id', 'the earliest same entry before it',
		'facility', 'of the duplicate', 'patient_id', 'of the duplicate', 'encounter_id', 'of the duplicate',
		'kind', 'of both', 'subject', 'of the duplicate', 'code', 'of the duplicate', 'value', 'of the duplicate',
		'original_at', 'when the original happened', 'duplicate_at', 'when the duplicate happened', 'gap', 'the time between',
		'original_system', 'where the original was entered', 'duplicate_system', 'where the duplicate was entered',
		'original_actor', 'who made the original', 'duplicate_actor', 'who made the duplicate',
		'duplicate_method', 'how the duplicate was entered', 'crosses_systems', 'whether the two systems differ',
		'workflow', 'the workflow of the map', 'rule', 'the rule''s name, else its kind');

	CREATE OR REPLACE VIEW workflow_track.misrouted_result WITH (security_barrier) AS
		SELECT m.event_id, m.facility, m.patient_id, m.encounter_id, m.subject, m.code, m.severity, m.occurred_at,
			m.recipient, m.recipient_role, m.expected_roles, m.reason, m.item, m.workflow, m.step, m.message_id,
			m.claimed_by, m.claimed_at
		FROM workflow_track.misrouted_state m
		WHERE workflow_track.facility_is_visible(m.facility)
			AND (NOT m.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.misrouted_result IS 'events that a step delivers to someone and that did not reach such a one';
	PERFORM workflow_track.comment_columns('misrouted_result',
		'event_id', 'the event', 'facility', 'of the event', 'patient_id', 'of the event', 'encounter_id', 'of the event',
		'subject', 'of the event', 'code', 'of the event', 'severity', 'of the event', 'occurred_at', 'when it happened',
		'recipient', 'to whom it was directed', 'recipient_role', 'that person''s role, stated or looked up in staff',
		'expected_roles', 'the roles that the step delivers to',
		'reason', 'no_recipient, unknown_recipient, inactive_recipient, shared_inbox or wrong_role: the first that holds',
		'item', 'of the event', 'workflow', 'the workflow of the map', 'step', 'the step that delivers',
		'message_id', 'the message that it came from',
		'claimed_by', 'the first active person in an expected role who did something about the subject later', 'claimed_at', 'when');

	CREATE OR REPLACE VIEW workflow_track.missing_field WITH (security_barrier) AS
		SELECT m.event_id, m.workflow, m.step, m.facility, m.patient_id, m.encounter_id, m.occurred_at, m.missing, m.supplied_at, m.settled_at, m.subject
		FROM workflow_track.missing_state m
		WHERE workflow_track.facility_is_visible(m.facility)
			AND (NOT m.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.missing_field IS 'every event that lacks what its step requires, with when that was supplied; missing_information asks it about a moment';
	PERFORM workflow_track.make_report('missing_information', $query$
		SELECT m.event_id, m.workflow, m.step, m.facility, m.patient_id, m.encounter_id, m.occurred_at,
			ARRAY(SELECT f.field FROM unnest(m.missing, m.supplied_at) WITH ORDINALITY AS f (field, supplied_at, n)
				WHERE f.supplied_at > :as_of ORDER BY f.n) AS missing, m.subject
		FROM workflow_track.missing_field m WHERE m.occurred_at <= :as_of AND m.settled_at > :as_of$query$,
		'events without what their step requires, until a later event of the same subject supplies it');
	PERFORM workflow_track.comment_columns('missing_field', 'settled_at', 'when the last of it was supplied; infinity while it is not',
		'missing', 'the required fields that it lacks', 'supplied_at', 'when each was supplied');
	PERFORM workflow_track.comment_columns('missing_information', 'missing', 'the required fields that nothing has supplied yet');
	FOREACH report IN ARRAY ARRAY['missing_field', 'missing_information'] LOOP
		PERFORM workflow_track.comment_columns(report,
			'event_id', 'the event', 'workflow', 'the workflow of the map', 'step', 'the step that requires it', 'facility', 'of the event',
			'patient_id', 'of the event', 'encounter_id', 'of the event', 'occurred_at', 'when it happened', 'subject', 'of the event');
	END LOOP;

	CREATE OR REPLACE VIEW workflow_track.event_history WITH (security_barrier) AS
		SELECT e.*, coalesce(h.retracted_at, m.retracted_at) AS retracted_at, coalesce(h.retracted_reason, m.retracted_reason) AS retracted_reason
		FROM workflow_track.event e LEFT JOIN workflow_track.retraction h ON h.event_id = e.event_id AND NOT h.by_message
			LEFT JOIN workflow_track.retraction m ON m.event_id = e.event_id AND m.by_message
		WHERE workflow_track.facility_is_visible(e.facility);
	COMMENT ON VIEW workflow_track.event_history IS 'every event that was recorded, retracted ones marked';
	PERFORM workflow_track.comment_columns('event_history', VARIADIC ARRAY(
		SELECT unnest(ARRAY[a.attname::text, col_description(a.attrelid, a.attnum)])
		FROM pg_attribute a WHERE a.attrelid = 'workflow_track.event'::regclass AND a.attnum > 0 AND NOT a.attisdropped));
	PERFORM workflow_track.comment_columns('event_history',
		'retracted_at', 'when it was retracted; null if it was not', 'retracted_reason', 'why');

	GRANT SELECT ON workflow_track.duplicate_entry, workflow_track.misrouted_result, workflow_track.missing_field, workflow_track.event_history
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_finding_views() IS 'part of setup(): views of duplicates, misrouted events, missing information, and of all events';

CREATE FUNCTION workflow_track.setup_handoff_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	report text;
BEGIN
	CREATE OR REPLACE VIEW workflow_track.handoff WITH (security_barrier) AS
		SELECT h.basis COLLATE "C" AS basis, h.facility COLLATE "C" AS facility, p.patient_id, h.encounter_id COLLATE "C" AS encounter_id,
			h.from_event_id, h.to_event_id, h.from_kind COLLATE "C" AS from_kind, h.to_kind COLLATE "C" AS to_kind,
			h.from_actor COLLATE "C" AS from_actor, h.to_actor COLLATE "C" AS to_actor,
			h.from_role COLLATE "C" AS from_role, h.to_role COLLATE "C" AS to_role,
			h.from_system COLLATE "C" AS from_system, h.to_system COLLATE "C" AS to_system,
			h.released_at, h.taken_at, h.latency, h.subject COLLATE "C" AS subject
		FROM workflow_track.patient_state p
		CROSS JOIN LATERAL workflow_track.patient_handoffs(p.patient_id) h;
	COMMENT ON VIEW workflow_track.handoff IS 'responsibility that passed from one party to another; computed from events, so ask for a patient where you can';
	PERFORM workflow_track.comment_columns('handoff',
		'basis', 'explicit (offered and accepted), thread (neighbours about one subject) or implied (neighbours in an encounter)',
		'facility', 'of the taking event', 'patient_id', 'of the taking event', 'encounter_id', 'of the taking event',
		'from_event_id', 'the releasing event', 'to_event_id', 'the taking event', 'from_kind', 'kind of the releasing event',
		'to_kind', 'kind of the taking event', 'from_actor', 'who released', 'to_actor', 'who took',
		'from_role', 'the role of who released', 'to_role', 'the role of who took', 'from_system', 'system of the releasing event',
		'to_system', 'system of the taking event', 'released_at', 'when the releasing event happened',
		'taken_at', 'when the taking event happened', 'latency', 'the time between; of an explicit one it may be negative',
		'subject', 'of the taking event; null of an implied one');

	CREATE OR REPLACE VIEW workflow_track.handoff_latency WITH (security_barrier) AS
		SELECT basis, facility, from_role, to_role, from_system, to_system,
			workflow_track.sample_count(histogram) AS handoffs, workflow_track.mean(histogram) AS mean,
			(quantiles)[1] AS p50, (quantiles)[2] AS p90, (quantiles)[3] AS p95, (quantiles)[4] AS p99,
			workflow_track.longest(histogram) AS longest
		FROM (SELECT g.*, workflow_track.quantiles(g.histogram, '{0.5,0.9,0.95,0.99}') AS quantiles
			FROM (SELECT basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram) AS histogram
				FROM (SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, histogram FROM workflow_track.handoff_total
					UNION ALL
					SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, histogram FROM workflow_track.unfolded_handoffs(false)) kept
				WHERE workflow_track.facility_is_visible(facility)
					AND (NOT is_test OR (SELECT workflow_track.test_patients_shown()))
				GROUP BY basis, facility, from_role, to_role, from_system, to_system) g
			WHERE workflow_track.sample_count(g.histogram) <> 0 OFFSET 0) q;
	COMMENT ON VIEW workflow_track.handoff_latency IS 'how long handoffs take, by who passes to whom; quantiles are within 1 %';

	CREATE OR REPLACE VIEW workflow_track.handoff_latency_hourly WITH (security_barrier) AS
		SELECT hour, basis, facility, from_role, to_role, from_system, to_system,
			workflow_track.sample_count(histogram) AS handoffs, workflow_track.mean(histogram) AS mean,
			workflow_track.quantile(histogram, 0.5) AS p50, workflow_track.quantile(histogram, 0.9) AS p90,
			workflow_track.quantile(histogram, 0.95) AS p95, workflow_track.quantile(histogram, 0.99) AS p99,
			workflow_track.longest(histogram) AS longest, histogram
		FROM (SELECT hour, basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram) AS histogram
			FROM (SELECT * FROM workflow_track.handoff_hourly UNION ALL SELECT * FROM workflow_track.unfolded_handoffs(true)) kept
			WHERE workflow_track.facility_is_visible(facility)
				AND (NOT is_test OR (SELECT workflow_track.test_patients_shown()))
			GROUP BY hour, basis, facility, from_role, to_role, from_system, to_system) g
		WHERE workflow_track.sample_count(histogram) <> 0;
	COMMENT ON VIEW workflow_track.handoff_latency_hourly IS 'the same by hour of the taking event; histograms merge into any local day or shift';

	FOREACH report IN ARRAY ARRAY['handoff_latency', 'handoff_latency_hourly'] LOOP
		PERFORM workflow_track.comment_columns(report,
			'basis', 'explicit, thread or implied', 'facility', 'of the taking events',
			'from_role', 'the role of who released', 'to_role', 'the role of who took',
			'from_system', 'system of the releasing events', 'to_system', 'system of the taking events',
			'handoffs', 'how many there were', 'mean', 'mean latency, exact', 'p50', 'half took no longer',
			'p90', '90 % took no longer', 'p95', '95 % took no longer', 'p99', '99 % took no longer', 'longest', 'the longest, within 1 %');
	END LOOP;
	PERFORM workflow_track.comment_columns('handoff_latency_hourly',
		'hour', 'hour of the taking events, in UTC', 'histogram', 'all latencies, to be merged');

	GRANT SELECT ON workflow_track.handoff, workflow_track.handoff_latency, workflow_track.handoff_latency_hourly
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_handoff_views() IS 'part of setup(): views of handoffs';

CREATE FUNCTION workflow_track.setup_report() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_access();
	GRANT EXECUTE ON FUNCTION workflow_track.facility_is_visible(text), workflow_track.sees_all_facilities(), workflow_track.visible_facilities(),
		workflow_track.test_patients_shown(), workflow_track.is_active_actor(text, timestamptz),
		workflow_track.patient_handoffs(text), workflow_track.unfolded_handoffs(boolean), workflow_track.coverage_counts(timestamptz), workflow_track.version_loops(text, integer)
		TO workflow_track_admin, workflow_track_analyst;
	PERFORM workflow_track.setup_loop_views();
	PERFORM workflow_track.setup_finding_views();
	PERFORM workflow_track.setup_handoff_views();
	PERFORM workflow_track.setup_billing_views();
	PERFORM workflow_track.setup_identity_views();
	PERFORM workflow_track.setup_flow();
	PERFORM workflow_track.setup_burden();
	PERFORM workflow_track.setup_health();
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_report() IS 'part of setup(): views';
