CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.reyes', 'provider'), ('c.moss', 'coder');

SELECT workflow_track.define_workflow('{
 "workflow": "charges", "version": 1, "state": "current",
 "billing": [
  {"name": "procedures", "codes": "cpt|", "documented_by": ["procedure.documented"], "within": "24 hours"},
  {"name": "visits with a procedure", "codes": "cpt|9921", "documented_by": ["procedure.documented"], "requires_modifiers": ["25"], "within": "24 hours"},
  {"name": "operations have a signed report", "codes": "cpt|1", "documented_by": ["note.signed"], "within": "72 hours"},
  {"name": "imaging", "codes": "cpt|705", "documented_by": ["procedure.documented"], "requires_authorization": true, "within": "24 hours"}]
}');

INSERT INTO workflow_track.event (occurred_at, facility, patient_id, encounter_id, kind, subject, code, actor, source_system, detail) VALUES
  ('2024-03-04 08:00', 'NORTH', 'P1', 'V1', 'diagnosis.documented', NULL, 'icd10cm|E11.9', 'dr.reyes', 'EHR', NULL),
  ('2024-03-04 08:10', 'NORTH', 'P1', 'V1', 'procedure.documented', NULL, 'cpt|99213', 'dr.reyes', 'EHR', NULL),
  ('2024-03-04 08:20', 'NORTH', 'P1', 'V1', 'procedure.documented', NULL, 'cpt|94640', 'dr.reyes', 'EHR', NULL),
  ('2024-03-04 08:30', 'NORTH', 'P1', 'V1', 'procedure.documented', NULL, 'cpt|70551', 'dr.reyes', 'EHR', NULL),
  ('2024-03-04 18:00', 'NORTH', 'P1', 'V1', 'charge.captured', 'FT1', 'cpt|99213', 'c.moss', 'BILL', '{"diagnoses": ["icd10cm|E119", "icd10cm|I10"]}'),
  ('2024-03-04 18:00', 'NORTH', 'P1', 'V1', 'charge.captured', 'FT2', 'cpt|96372', 'c.moss', 'BILL', '{"diagnoses": ["icd10cm|E11.9"]}'),
  ('2024-03-06 09:30', 'NORTH', 'P1', 'V1', 'charge.captured', 'FT3', 'cpt|70551', 'c.moss', 'BILL', NULL),
  ('2024-03-07 09:00', 'NORTH', 'P1', 'V1', 'claim.submitted', 'C1', NULL, 'c.moss', 'BILL', NULL),
  ('2024-03-20 09:00', 'NORTH', 'P1', 'V1', 'claim.denied', 'C1', NULL, NULL, 'BILL', NULL);
SELECT problem, code, since FROM workflow_track.billing_mismatch ORDER BY since, problem;

SELECT explanation FROM workflow_track.billing_mismatch WHERE problem IN ('charge_without_documentation', 'missing_modifier') ORDER BY problem;

SELECT problem, code FROM workflow_track.billing_mismatch_at('2024-03-05 12:00') ORDER BY 1, 2;

SELECT workflow_track.record_event('procedure.documented', 'P1', 'EHR', '2024-03-08 10:00', facility => 'NORTH', encounter_id => 'V1', code => 'cpt|96372', actor => 'dr.reyes') AS note \gset
SELECT count(*) FROM workflow_track.billing_mismatch WHERE problem = 'charge_without_documentation';

SELECT workflow_track.retract_event(:note, 'of another patient') \g /dev/null
SELECT count(*) FROM workflow_track.billing_mismatch WHERE problem = 'charge_without_documentation';

SELECT subject, outcome, time_to_answer, problems FROM workflow_track.claim_outcome;

SELECT * FROM workflow_track.denial_cause('2024-03-01', '2024-04-01');

SELECT facility, role, code_family, sum(charges) AS charges, sum(undocumented) AS undocumented, sum(late) AS late,
	workflow_track.quantile(workflow_track.merge(histogram), 0.9) AS p90
FROM workflow_track.charge_lag WHERE day >= '2024-03-01' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
