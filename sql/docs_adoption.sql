CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET datestyle = 'ISO';
INSERT INTO workflow_track.facility (facility, timezone) VALUES ('NORTH', 'America/Chicago');
INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.lee', 'provider'), ('n.diaz', 'nurse'), ('n.shah', 'nurse');
SELECT workflow_track.define_workflow('{"workflow": "ward", "version": 1, "state": "current",
 "steps": [{"step": "order", "kind": "order.placed", "in": ["EHR"]}], "burden": {"documented_within": "4 hours", "signed_within": "24 hours"}}');
-- two nurses' shifts: one writes things down as they happen, the other at the end
INSERT INTO workflow_track.event (occurred_at, facility, patient_id, encounter_id, kind, actor, source_system)
SELECT '2026-03-03 13:00Z'::timestamptz + at, 'NORTH', 'P1', 'V1', kind, actor, 'EHR' FROM (VALUES
('n.diaz', 'vitals.recorded', '{1 h,3 h,5 h,7 h,9 h,11:30}'::interval[]), ('n.shah', 'medication.administered', '{0,3 h,6 h}'),
('n.shah', 'screen.used', '{9 h}'), ('n.shah', 'vitals.recorded', '{11:30,11:35,11:40,11:45,11:50}')) AS v(actor, kind, times), unnest(times) AS at;
INSERT INTO workflow_track.event (occurred_at, facility, patient_id, encounter_id, kind, actor, source_system) VALUES
('2026-03-02 15:00Z', 'NORTH', 'P1', 'V1', 'encounter.registered', NULL, 'PMS'), ('2026-03-04 18:00Z', 'NORTH', 'P1', 'V1', 'note.signed', 'dr.lee', 'EHR'),
('2026-03-02 16:00Z', 'NORTH', 'P1', 'V1', 'order.placed', 'dr.lee', 'EHR'), ('2026-03-02 17:00Z', 'NORTH', 'P1', 'V1', 'order.placed', 'dr.lee', 'PORTAL');

SELECT week, facility, role, signal, found, out_of, round(share::numeric, 2) AS share, people FROM workflow_track.workaround_signal
WHERE week = '2026-03-02' AND signal <> 'late_documentation' ORDER BY signal, role;

SELECT week, facility, role, signal, share, share > lag(share) OVER (PARTITION BY facility, role, signal ORDER BY week) AS worse
FROM workflow_track.workaround_signal WHERE week >= current_date - 56 AND out_of >= 20 ORDER BY facility, role, signal, week;
