CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
INSERT INTO workflow_track.staff (actor, role) VALUES
  ('n.lind', 'nurse'), ('dr.reyes', 'provider'), ('c.shaw', 'clerk');

CREATE FUNCTION pg_temp.visit(visit text, start timestamptz, kinds text[], actors text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(workflow_track.record_event(k.kind, 'P' || visit, 'EHR', start + (k.n - 1) * interval '20 minutes',
    facility => 'NORTH', encounter_id => 'V' || visit, actor => k.actor))
  FROM unnest(kinds, actors) WITH ORDINALITY AS k(kind, actor, n)
$$;
SELECT pg_temp.visit('1', '2024-03-04 08:00', '{encounter.registered,vitals.recorded,medication.administered,encounter.discharged}',
    '{c.shaw,n.lind,n.lind,dr.reyes}'),
  pg_temp.visit('2', '2024-03-04 09:00', '{encounter.registered,vitals.recorded,vitals.recorded,encounter.discharged}',
    '{c.shaw,n.lind,n.lind,dr.reyes}'),
  pg_temp.visit('3', '2024-03-04 10:00', '{encounter.registered,medication.administered,encounter.discharged}',
    '{c.shaw,n.lind,dr.reyes}'),
  pg_temp.visit('4', '2024-03-04 11:00', '{encounter.registered,medication.administered,vitals.recorded,encounter.discharged}',
    '{c.shaw,c.shaw,n.lind,dr.reyes}'),
  pg_temp.visit('5', '2024-03-04 12:00', '{encounter.registered,vitals.recorded,medication.administered,encounter.discharged}',
    '{c.shaw,n.lind,n.lind,dr.reyes}');

SELECT from_kind, to_kind, follows, cases, mean FROM workflow_track.directly_follows ORDER BY follows DESC, from_kind, to_kind;

SELECT array_to_string(trace, ' > ') AS variant, cases, share FROM workflow_track.workflow_variant ORDER BY cases DESC, trace;

SELECT s ->> 'kind' AS kind, s -> 'performed_by' AS performed_by, s -> 'optional' AS optional, s -> 'repeatable' AS repeatable
FROM jsonb_array_elements(workflow_track.discover_workflow('emergency', min_share => 0.2) -> 'steps') AS s;

SELECT workflow_track.define_workflow('{
 "workflow": "emergency", "version": 1, "state": "current",
 "steps": [
  {"step": "register", "kind": "encounter.registered",    "performed_by": ["clerk"], "start": true},
  {"step": "triage",   "kind": "vitals.recorded",         "performed_by": ["nurse"], "repeatable": true},
  {"step": "treat",    "kind": "medication.administered", "performed_by": ["nurse"], "optional": true},
  {"step": "leave",    "kind": "encounter.discharged",    "end": true}],
 "transitions": [["register", "triage"], ["triage", "treat"], ["treat", "leave"]]}');

SELECT patient_id, events, cost, round(fitness::numeric, 2) AS fitness FROM workflow_track.conformance ORDER BY patient_id;

SELECT patient_id, deviation, step, kind, actor_role FROM workflow_track.workflow_deviation ORDER BY patient_id, deviation;

SELECT deviation, step, kind, deviations, cases, share FROM workflow_track.deviation_summary('emergency', 1);

SELECT * FROM workflow_track.workflow_alignment('emergency', 1,
  '{encounter.registered,medication.administered,vitals.recorded,encounter.discharged}');
