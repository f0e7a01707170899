CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET datestyle = 'ISO';
INSERT INTO workflow_track.facility (facility, timezone) VALUES ('NORTH', 'America/Chicago');
INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.lee', 'provider'), ('n.diaz', 'nurse');
SELECT workflow_track.define_workflow('{"workflow": "entries", "version": 1, "state": "current",
 "duplicates": [{"kind": "data.entered", "same": ["code", "value"], "different": ["source_system"], "within": "24 hours"}]}');
INSERT INTO workflow_track.event (occurred_at, facility, patient_id, encounter_id, kind, code, value, actor, recipient, source_system, entry_method) VALUES
('2026-03-03 14:00Z', 'NORTH', 'P1', 'V1', 'alert.fired', 'local:CDS|ddi', NULL, NULL, 'dr.lee', 'EHR', 'interface'),
('2026-03-03 14:01Z', 'NORTH', 'P1', 'V1', 'alert.overridden', 'local:CDS|ddi', NULL, 'dr.lee', NULL, 'EHR', 'manual'),
('2026-03-03 14:10Z', 'NORTH', 'P1', 'V1', 'alert.fired', 'local:CDS|ddi', NULL, NULL, 'dr.lee', 'EHR', 'interface'),
('2026-03-03 14:20Z', 'NORTH', 'P2', 'V2', 'alert.fired', 'local:CDS|ddi', NULL, NULL, 'dr.lee', 'EHR', 'interface'),
('2026-03-03 15:00Z', 'NORTH', 'P1', 'V1', 'data.entered', 'local:FORM|weight', '70', NULL, NULL, 'SCALE', 'interface'),
('2026-03-03 15:05Z', 'NORTH', 'P1', 'V1', 'data.entered', 'local:FORM|weight', '70', 'n.diaz', NULL, 'EHR', 'manual'),
('2026-03-04 05:59Z', 'NORTH', 'P2', 'V2', 'screen.used', 'local:SCREEN|orders', NULL, 'n.diaz', NULL, 'EHR', 'manual'),
('2026-03-12 15:00Z', 'NORTH', 'P3', 'V3', 'alert.fired', 'local:CDS|ddi', NULL, NULL, 'dr.lee', 'EHR', 'interface'),
('2026-03-12 15:05Z', 'NORTH', 'P3', 'V3', 'data.entered', 'local:FORM|weight', '82', 'n.diaz', NULL, 'EHR', 'manual');

SELECT day, role, actor, encounters, events, alerts, redundant_alerts AS redundant, overridden_alerts AS overridden, manual_entries AS manual, duplicate_entries AS duplicate, interface_duplicates AS delivered, screens
FROM workflow_track.interaction_burden WHERE day = '2026-03-03' ORDER BY role DESC NULLS LAST;

SELECT measure, before, after, before_encounters, after_encounters, before_per_encounter, after_per_encounter, round(ratio::numeric, 2) AS ratio
FROM workflow_track.burden_change('2026-03-01', '2026-03-08', '2026-03-08', '2026-03-15') WHERE role = 'provider' AND measure LIKE '%alerts';
