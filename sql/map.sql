CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
\set SHOW_CONTEXT never

--
-- Kinds
--
SELECT category, count(*), string_agg(split_part(kind, '.', 2), ' ' ORDER BY kind) AS kinds
FROM event_kind GROUP BY category ORDER BY category;
SELECT kind FROM event_kind WHERE NOT counts_as_work ORDER BY kind;
SELECT kind FROM event_kind WHERE description IS NULL OR category <> split_part(kind, '.', 1);
-- a site adds its own, in the form of the others
INSERT INTO event_kind (kind, category, description) VALUES ('wheelchair.fetched', 'transport', 'a wheelchair was brought');
INSERT INTO event_kind (kind, category) VALUES ('Wheelchair.fetched', 'transport');
INSERT INTO event_kind (kind, category) VALUES ('fetched', 'transport');
INSERT INTO event_kind (kind, category) VALUES ('wheelchair.fetched.twice', 'transport');

--
-- The default workflow
--
SELECT workflow, version, state FROM workflow;
SELECT name, category, after, expect, correlated_by AS by, within, early FROM expectation ORDER BY position;
SELECT name, when_severity, when_detail FROM expectation
WHERE when_severity IS NOT NULL OR when_detail IS NOT NULL ORDER BY position;
SELECT name, cancelled_by, cancelled_by_correlation FROM expectation WHERE cancelled_by <> '{}' ORDER BY position;
SELECT name FROM expectation
WHERE by <> '{}' OR escalate_to IS NOT NULL OR when_facility IS NOT NULL OR when_entry_method IS NOT NULL OR when_code IS NOT NULL;
SELECT name, kind, same, different, when_entry_method, within, action FROM duplicate_rule;
SELECT count(*) FROM workflow_step;
SELECT count(*) FROM billing_rule;

--
-- A map with every key, and what is stored of it
--
CREATE TEMP TABLE example AS SELECT '{
 "workflow": "lab results", "version": 1, "state": "current",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"], "start": true},
  {"step": "draw", "kind": "specimen.collected", "optional": true, "repeatable": true},
  {"step": "result", "kind": "result.final", "performed_by": ["lab_tech", "radiologist"], "in": ["LIS", "RIS"],
   "delivered_to": ["provider", "triage_nurse"],
   "required_fields": ["encounter_id", "recipient", "detail.patient_class", "code:loinc", "code:local:LAB7"]},
  {"step": "acknowledge", "kind": "result.acknowledged", "end": true}],
 "transitions": [["order", "draw"], ["draw", "draw"], ["order", "result"], ["draw", "result"], ["result", "acknowledge"]],
 "expectations": [
  {"name": "critical result acknowledged", "category": "acknowledgement",
   "after": ["result.final", "result.corrected"],
   "when": {"severity": ["critical", "unknown"], "facility": ["NORTH", ""], "entry_method": ["interface", "unknown"],
            "code": "loinc|2", "detail": {"patient_class": ["I", "E"], "unit": "ICU", "beds": 2, "a b": [["x"], {"y": null}]}},
   "expect": ["result.acknowledged"], "by": ["provider", "covering_provider"], "correlated_by": "item",
   "within": "1 day 2 hours", "early": "2 minutes",
   "cancelled_by": ["result.cancelled", {"kind": "patient.died", "correlated_by": "patient"}, {"kind": "patient.notified"}],
   "escalate_to": "charge_nurse"}],
 "duplicates": [
  {"name": "typed twice", "kind": "data.entered", "same": ["code", "value"], "different": ["source_system", "actor"],
   "when": {"severity": "normal", "facility": "NORTH", "entry_method": "manual", "code": "local:LAB7|", "detail": {"unit": "ICU"}},
   "within": "24 hours", "action": "reject"}],
 "billing": [
  {"name": "imaging", "codes": "cpt|7055", "documented_by": ["procedure.documented", "result.final"],
   "requires_authorization": true, "requires_modifiers": ["25", "59"], "within": "36:00"}]
}'::jsonb AS document;
SELECT define_workflow(document) FROM example;
SELECT workflow_document('lab results', 1) = document AS equal FROM example;
\x on
SELECT * FROM workflow_step WHERE workflow = 'lab results' ORDER BY position;
SELECT * FROM expectation WHERE workflow = 'lab results' ORDER BY position;
SELECT * FROM duplicate_rule WHERE workflow = 'lab results' ORDER BY position;
SELECT * FROM billing_rule WHERE workflow = 'lab results' ORDER BY position;
\x off
SELECT position, from_step, to_step FROM workflow_transition ORDER BY position;

--
-- A map with no more than it needs: the defaults
--
CREATE TEMP TABLE plain AS SELECT '{
 "workflow": "plain", "version": 3,
 "steps": [{"step": "order", "kind": "order.placed"}],
 "expectations": [{"name": "resulted", "category": "order", "after": ["order.placed"], "expect": ["result.final"],
   "correlated_by": "subject", "within": "1 hour", "cancelled_by": ["order.cancelled"], "when": {"detail": {}}}],
 "duplicates": [{"kind": "order.placed", "same": ["code"], "within": "1 hour"},
                {"kind": "order.placed", "same": ["item"], "within": "1 hour"}],
 "billing": [{"codes": "cpt|", "documented_by": ["note.signed"], "within": "1 hour"}]
}'::jsonb AS document;
SELECT define_workflow(document) FROM plain;
SELECT workflow_document('plain', 3) = document AS equal FROM plain;
\x on
SELECT state FROM workflow WHERE workflow = 'plain';
SELECT * FROM workflow_step WHERE workflow = 'plain';
SELECT * FROM expectation WHERE workflow = 'plain';
SELECT * FROM duplicate_rule WHERE workflow = 'plain' ORDER BY position;
SELECT * FROM billing_rule WHERE workflow = 'plain';
\x off
SELECT define_workflow('{"workflow": "nothing", "version": 0}');
SELECT workflow_document('nothing', 0), workflow_document('nothing', 1);

--
-- A day is 24 hours, and durations are kept to the microsecond
--
SELECT t AS text, map_duration(t) FROM unnest(ARRAY['2 weeks', '1 day', '1.5 hours', '1 DAY 01:30:00.000001', '90 seconds',
	'0.1 second', '1 day 12 hours', '48:00', '25 years', '1 month', '1 mon', '1 m', '60', '-1 hour', '1 hour ago', 'P1D', 'soon', '',
	'99999999999999 days', '01:99', 'infinity']) AS t;

--
-- Versions and states
--
CREATE FUNCTION pg_temp.states() RETURNS TABLE (version integer, state text, document_state text)
LANGUAGE sql AS $$
	SELECT version, state, document ->> 'state' FROM workflow_track.workflow WHERE workflow = 'plain' ORDER BY version
$$;
-- a draft can be replaced, whole
SELECT define_workflow('{"workflow": "plain", "version": 3, "steps": [{"step": "refer", "kind": "referral.sent"}]}');
SELECT step FROM workflow_step WHERE workflow = 'plain';
SELECT count(*) FROM expectation WHERE workflow = 'plain';
SELECT count(*) FROM duplicate_rule WHERE workflow = 'plain';
SELECT count(*) FROM billing_rule WHERE workflow = 'plain';
-- and again, with transitions that hold on to its steps
SELECT define_workflow('{"workflow": "plain", "version": 3, "state": "draft",
	"steps": [{"step": "refer", "kind": "referral.sent"}], "transitions": [["refer", "refer"]]}');
SELECT define_workflow(document) FROM plain;
SELECT * FROM pg_temp.states();
-- another state, and then no draft any more
SELECT set_workflow_state('plain', 3, 'future');
SELECT * FROM pg_temp.states();
SELECT workflow_document('plain', 3) = document || '{"state": "future"}' AS equal FROM plain;
SELECT set_workflow_state('plain', 3, 'draft');
\echo :LAST_ERROR_SQLSTATE
SELECT define_workflow(document) FROM plain;
\echo :LAST_ERROR_SQLSTATE
SELECT define_workflow(document || '{"state": "current"}') FROM plain;
-- an equal document is no change
SELECT xmin AS before FROM workflow WHERE workflow = 'plain' \gset
SELECT expectation_id AS expectation FROM expectation WHERE workflow = 'plain' \gset
SELECT define_workflow(document || '{"state": "future"}') FROM plain;
SELECT set_workflow_state('plain', 3, 'future');
SELECT xmin = :'before' AS untouched FROM workflow WHERE workflow = 'plain';
-- one version is current
SELECT set_workflow_state('plain', 3, 'current');
SELECT define_workflow(document || '{"version": 4, "state": "current"}') FROM plain;
SELECT * FROM pg_temp.states();
SELECT define_workflow(document || '{"version": 5, "state": "retired"}') FROM plain;
SELECT set_workflow_state('plain', 3, 'current');
SELECT * FROM pg_temp.states();
SELECT set_workflow_state('plain', 3, 'retired');
SELECT * FROM pg_temp.states();
-- through all its states a version keeps its rules, and their ids
SELECT expectation_id = :expectation AS kept FROM expectation WHERE workflow = 'plain' AND version = 3;
SELECT version, count(*) FROM expectation WHERE workflow = 'plain' GROUP BY version ORDER BY version;
-- other workflows were not touched
SELECT workflow, version, state FROM workflow WHERE workflow <> 'plain' ORDER BY workflow;
-- no such version, no such state
SELECT set_workflow_state('plain', 9, 'current');
\echo :LAST_ERROR_SQLSTATE
SELECT set_workflow_state('plain', NULL, 'current');
SELECT set_workflow_state('plain', 3, 'Current');
SELECT set_workflow_state('plain', 3, NULL);
\echo :LAST_ERROR_SQLSTATE

--
-- setup() again changes nothing of a site's choices
--
UPDATE event_kind SET counts_as_work = false, description = 'ours' WHERE kind = 'order.placed';
SELECT set_workflow_state('default', 1, 'retired');
SELECT workflow_track.setup();
SELECT * FROM event_kind WHERE kind IN ('order.placed', 'wheelchair.fetched') ORDER BY kind;
SELECT workflow, version, state FROM workflow ORDER BY workflow, version;

--
-- Every function, table, index and column has a comment
--
SELECT p.oid::regprocedure FROM pg_proc AS p
WHERE p.pronamespace = 'workflow_track'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
	AND p.proname ~ '^(map|define|set_workflow|workflow|default|setup_(map|event_kind|workflow|expectation|rule))';
SELECT c.relname, a.attname FROM pg_class AS c
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped AND (a.attnum > 0 OR a.attnum IS NULL)
WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind = 'r'
	AND c.relname IN ('event_kind', 'workflow', 'workflow_step', 'workflow_transition', 'expectation', 'duplicate_rule', 'billing_rule')
	AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL);
-- and identifiers are compared byte by byte
SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
	AND a.attcollation NOT IN (0, 'pg_catalog."C"'::regcollation)
	AND c.relname IN ('event_kind', 'workflow', 'workflow_step', 'workflow_transition', 'expectation', 'duplicate_rule', 'billing_rule');

--
-- Privileges
--
SELECT r.role, t.relname, string_agg(p.privilege, ' ' ORDER BY p.privilege) AS privileges
FROM (VALUES ('workflow_track_admin'), ('workflow_track_analyst'), ('workflow_track_recorder'), ('public')) AS r(role),
	pg_class AS t,
	(VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) AS p(privilege)
WHERE t.relnamespace = 'workflow_track'::regnamespace
	AND t.relname IN ('event_kind', 'workflow', 'workflow_step', 'workflow_transition', 'expectation', 'duplicate_rule', 'billing_rule')
	AND has_table_privilege(r.role, t.oid, p.privilege)
GROUP BY r.role, t.relname ORDER BY r.role, t.relname;
SELECT r.role, f.proname
FROM (VALUES ('workflow_track_admin'), ('workflow_track_analyst'), ('workflow_track_recorder'), ('public')) AS r(role), pg_proc AS f
WHERE f.pronamespace = 'workflow_track'::regnamespace
	AND f.proname ~ '^(map|define|set_workflow|workflow|default|setup_(map|event_kind|workflow|expectation|rule))'
	AND has_function_privilege(r.role, f.oid, 'EXECUTE')
ORDER BY r.role, f.proname;
SET ROLE workflow_track_admin;
SELECT define_workflow(jsonb_set(workflow_document('default', 1) || '{"version": 2, "state": "current"}',
	'{expectations,0,within}', '"30 minutes"'));
SELECT name, within FROM expectation JOIN workflow USING (workflow, version)
WHERE workflow = 'default' AND state = 'current' AND position = 1;
SELECT set_workflow_state('default', 2, 'retired');
INSERT INTO event_kind (kind, category) VALUES ('bed.cleaned', 'transport');
SELECT define_workflow('{"workflow": "plain", "version": 7, "steps": [{"step": "x'';SELECT", "kind": "bed.made"}]}');
UPDATE workflow SET state = 'current';
SET ROLE workflow_track_recorder;
SELECT workflow_document('default', 2) ->> 'state' AS state;
SELECT define_workflow('{"workflow": "plain", "version": 7}');
SELECT set_workflow_state('default', 2, 'current');
SELECT count(*) FROM workflow;
RESET ROLE;
