CREATE FUNCTION workflow_track.setup_identity_state() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	-- Of an earlier version's events it is still to be found.
	IF to_regclass('workflow_track.identity_state') IS NULL AND EXISTS (SELECT FROM workflow_track.patient_state) THEN
		INSERT INTO workflow_track.stale_mark (what, name) VALUES ('everything', '') ON CONFLICT DO NOTHING;
	END IF;
	CREATE TABLE IF NOT EXISTS workflow_track.identity_state (
		what text COLLATE "C" NOT NULL,
		number text COLLATE "C",
		established boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		event_id bigint NOT NULL,
		other_event_id bigint,
		since timestamptz NOT NULL,
		settled_at timestamptz NOT NULL,
		is_test boolean NOT NULL
	) WITH (autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS identity_state_patient ON workflow_track.identity_state (patient_id);
	CREATE INDEX IF NOT EXISTS identity_state_number ON workflow_track.identity_state (number, what) WHERE number IS NOT NULL;
	CREATE INDEX IF NOT EXISTS identity_state_since ON workflow_track.identity_state (since) WHERE number IS NULL;
	COMMENT ON TABLE workflow_track.identity_state IS 'encounters and orders that patients'' events name, and results that do not fit them, as maintain() keeps them; view identity_conflict is told from it';
	PERFORM workflow_track.comment_columns('identity_state',
		'what', 'encounter or order, or else the problem of a result', 'number', 'the number; null of a problem',
		'established', 'whether the encounter is registered, or the order is ordered, under that id', 'patient_id', 'of the event', 'facility', 'of the event',
		'encounter_id', 'of the event', 'subject', 'of the event', 'event_id', 'the first event that names the number; else the result',
		'other_event_id', 'the order''s own event that names another encounter', 'since', 'when that happened, or since when it is wrong',
		'settled_at', 'until when; infinity while it is', 'is_test', 'whether the patient is a test patient');

	CREATE TABLE IF NOT EXISTS workflow_track.identity_stale (
		patient_id text COLLATE "C" NOT NULL
	) WITH (autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.identity_stale IS 'patient ids of whom identity_state is not up to date; until maintain() has brought it there, views compute them';
	COMMENT ON COLUMN workflow_track.identity_stale.patient_id IS 'the patient id';
	-- As in staff.
	ALTER TABLE workflow_track.identity_stale REPLICA IDENTITY FULL;

	CREATE TABLE IF NOT EXISTS workflow_track.shared_number (
		what text COLLATE "C" NOT NULL,
		number text COLLATE "C" NOT NULL,
		PRIMARY KEY (what, number)
	);
	COMMENT ON TABLE workflow_track.shared_number IS 'numbers that two patient ids have or had in identity_state: where to look for conflicts';
	PERFORM workflow_track.comment_columns('shared_number', 'what', 'encounter or order', 'number', 'the number');
	GRANT EXECUTE ON FUNCTION workflow_track.fold_identities() TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_identity_state() IS 'part of setup(): what identity_conflict is told from';

CREATE FUNCTION workflow_track.setup_identity_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	columns text[] := ARRAY[
		'problem', 'order_of_two_patients, encounter_of_two_patients, shared_after_unmerge, merged_into_two, result_on_other_encounter, unknown_order or unknown_encounter',
		'facility', 'of the event', 'patient_id', 'of the event; of merged_into_two, the later survivor',
		'other_patient_id', 'the patient whose number it is, or the earlier survivor; null where the caller does not see that facility',
		'encounter_id', 'of the event', 'subject', 'of the event; of merged_into_two, the id that was merged', 'event_id', 'the event that does not fit',
		'other_event_id', 'the event that it does not fit', 'since', 'since when it does not', 'explanation', 'what is wrong, and what would settle it'];
BEGIN
	CREATE OR REPLACE VIEW workflow_track.identity_finding WITH (security_barrier) AS
		WITH conflict AS MATERIALIZED (
			SELECT c.problem COLLATE "C" AS problem, c.facility COLLATE "C" AS facility, c.patient_id COLLATE "C" AS patient_id,
				c.other_patient_id COLLATE "C" AS other_patient_id, c.encounter_id COLLATE "C" AS encounter_id, c.subject COLLATE "C" AS subject,
				c.what, c.number COLLATE "C" AS number, c.event_id, c.other_event_id, c.since, c.settled_at, c.is_stored
			FROM workflow_track.identity_conflicts() AS c)
		SELECT f.problem, f.facility, f.patient_id, f.other_patient_id, f.encounter_id, f.subject, f.event_id, f.other_event_id, f.since, f.settled_at,
			CASE f.problem
				WHEN 'order_of_two_patients' THEN format('Order number %s is another patient''s. To be settled by merging the two where they are one person, else by retracting the event and recording it of the right patient.', f.number)
				WHEN 'encounter_of_two_patients' THEN format('Encounter %s is another patient''s. To be settled by merging the two where they are one person, else by retracting the event and recording it of the right patient.', f.number)
				WHEN 'shared_after_unmerge' THEN format('%s is still named by both of two patients whose merge was retracted. To be settled by retracting the event and recording it of the right patient.', f.number)
				WHEN 'merged_into_two' THEN format('%s was merged into two patients, which are thereby taken for one. To be settled by retracting the merge that is wrong.', f.subject)
				WHEN 'result_on_other_encounter' THEN format('Encounter %s is not that of order %s. To be settled by retracting the result and recording it in the right encounter, or by encounter.merged where they are one.', f.encounter_id, f.subject)
				WHEN 'unknown_order' THEN format('No event of an order names %s. To be settled by the order, or by a row of subject_alias that names it.', f.subject)
				ELSE format('Encounter %s is not registered of this patient. To be settled by its registration, or by encounter.merged.', f.encounter_id)
			END COLLATE "C" AS explanation
		FROM (
			SELECT c.problem, c.facility, c.patient_id, c.other_patient_id, c.encounter_id, c.subject, c.number, c.event_id, c.other_event_id, c.since, c.settled_at
			FROM conflict AS c WHERE NOT c.is_stored AND c.problem IS NOT NULL
			UNION ALL
			-- A result whose number is another's is told of as that.
			SELECT s.what AS problem, s.facility, s.patient_id, NULL::text COLLATE "C" AS other_patient_id, s.encounter_id, s.subject, NULL::text COLLATE "C" AS number,
				s.event_id, s.other_event_id, s.since, least(s.settled_at, o.since, v.since) AS settled_at
			FROM (
				SELECT s.what, s.facility, s.patient_id, s.encounter_id, s.subject, s.event_id, s.other_event_id, s.since, s.settled_at
				FROM workflow_track.identity_state AS s
				WHERE s.number IS NULL AND workflow_track.facility_is_visible(s.facility)
					AND (NOT s.is_test OR (SELECT workflow_track.test_patients_shown()))
					AND s.patient_id NOT IN (SELECT q.patient_id FROM workflow_track.identity_stale AS q)
				UNION ALL
				SELECT c.problem, c.facility, c.patient_id, c.encounter_id, c.subject, c.event_id, c.other_event_id, c.since, c.settled_at
				FROM conflict AS c WHERE c.is_stored) AS s
			LEFT JOIN (SELECT c.patient_id, c.number, min(c.since) AS since FROM conflict AS c WHERE c.what = 'order' GROUP BY 1, 2) AS o
				ON o.patient_id = s.patient_id AND o.number = s.subject
			LEFT JOIN (SELECT c.patient_id, c.number, min(c.since) AS since FROM conflict AS c WHERE c.what = 'encounter' GROUP BY 1, 2) AS v
				ON v.patient_id = s.patient_id AND v.number = s.encounter_id
			) AS f
		WHERE f.since < f.settled_at;
	COMMENT ON VIEW workflow_track.identity_finding IS 'every identity conflict with what settled it, whenever that was; identity_conflict asks it about a moment';
	PERFORM workflow_track.make_report('identity_conflict', $query$
		SELECT f.problem, f.facility, f.patient_id, f.other_patient_id, f.encounter_id, f.subject, f.event_id, f.other_event_id, f.since, f.explanation
		FROM workflow_track.identity_finding f WHERE f.since <= :as_of AND f.settled_at > :as_of$query$,
		'patients, encounters and orders that do not fit together: records in fragments, or of the wrong patient');
	PERFORM workflow_track.comment_columns('identity_conflict', VARIADIC columns);
	PERFORM workflow_track.comment_columns('identity_finding', VARIADIC columns || ARRAY['settled_at', 'when it was settled; infinity while it is not']);
	GRANT EXECUTE ON FUNCTION workflow_track.identity_conflicts() TO workflow_track_admin, workflow_track_analyst;
	GRANT SELECT ON workflow_track.identity_finding TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_identity_views() IS 'part of setup(): views of identity conflicts';
