CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
SELECT set_workflow_state('default', 1, 'retired');
SELECT define_workflow('{"workflow": "site", "version": 1, "state": "current",
	"steps": [{"step": "result", "kind": "result.final", "delivered_to": ["provider"], "required_fields": ["item", "recipient"]}],
	"expectations": [
		{"name": "acknowledged", "category": "acknowledgement", "after": ["result.final"], "when": {"severity": ["critical", "unknown"], "detail": {"ward": ["A", 7]}},
			"expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item", "within": "1 hour", "early": "2 minutes",
			"cancelled_by": ["result.cancelled", {"kind": "patient.died", "correlated_by": "patient"}]},
		{"name": "seen", "category": "follow_up", "after": ["encounter.discharged"], "expect": ["followup.completed"], "correlated_by": "encounter", "within": "7 days"}],
	"duplicates": [{"kind": "data.entered", "same": ["code", "value"], "different": ["source_system"], "within": "24 hours"}],
	"billing": [{"codes": "cpt|", "documented_by": ["procedure.documented", "note.signed"], "requires_authorization": true, "requires_modifiers": ["25"], "within": "24 hours"}]}');
INSERT INTO staff (actor, role, active_during, is_shared_inbox) VALUES ('dr.a', 'provider', NULL, false), ('dr.b', 'provider', '(,2024-01-01)', false), ('inbox', 'provider', NULL, true), ('n.s', 'nurse', NULL, false);
INSERT INTO test_patient VALUES ('P9');
CREATE FUNCTION pg_temp.record(kind text, patient text, minute integer, encounter text DEFAULT 'V1', subject text DEFAULT 'O1', item text DEFAULT NULL, actor text DEFAULT 'dr.a',
	recipient text DEFAULT 'dr.a', severity severity DEFAULT 'critical', system text DEFAULT 'EHR', value text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	SELECT record_event(kind, patient, system, timestamptz '2024-03-01 08:00' + minute * interval '1 minute', facility => 'NORTH', encounter_id => encounter, subject => subject,
		item => item, actor => actor, recipient => recipient, severity => severity, value => value, entry_method => 'manual', detail => '{"ward": "A"}')
$$;
-- One loop of each status, a duplicate, misrouted results, merges, an alias, a retraction, something called off, handoffs.
SELECT count(pg_temp.record(e.kind, e.patient, e.minute, subject => e.subject, item => e.item, actor => e.actor, recipient => e.recipient)) AS recorded FROM (VALUES
	('result.final', 'P1', 0, 'O1', 'R1', 'lab', 'dr.a'), ('result.acknowledged', 'P1', 30, 'O1', 'R1', 'dr.a', NULL),
	('result.final', 'P1', 5, 'O1', 'R2', 'lab', 'inbox'), ('result.acknowledged', 'P1', 300, 'O1', 'R2', 'dr.a', NULL),
	('result.final', 'P2', 0, 'O2', NULL, 'lab', 'dr.b'), ('result.cancelled', 'P2', 10, 'O2', NULL, 'lab', NULL),
	('result.final', 'P3', 0, 'F3', 'R3', 'lab', 'nobody'), ('result.acknowledged', 'P4', 20, 'O3', 'R3', 'dr.a', NULL),
	('result.final', 'P5', 0, 'O5', NULL, 'lab', 'n.s'), ('result.final', 'P9', 0, 'O9', NULL, 'lab', NULL),
	('handoff.offered', 'P1', 40, 'H1', NULL, 'dr.a', 'n.s'), ('handoff.accepted', 'P1', 50, 'H1', NULL, 'n.s', NULL)) AS e(kind, patient, minute, subject, item, actor, recipient);
SELECT pg_temp.record('patient.merged', 'P4', 100, subject => 'P3') > 0 AS merged, pg_temp.record('encounter.merged', 'P4', 100, 'V1', 'V0') > 0 AS merged;
INSERT INTO subject_alias VALUES ('P4', 'F3', 'O3');
SELECT pg_temp.record('encounter.discharged', 'P3', 0, 'V0') > 0 AS discharged, pg_temp.record('followup.completed', 'P4', 500) > 0 AS seen;
SELECT pg_temp.record('data.entered', 'P1', 60, value => '7') > 0 AS entered, pg_temp.record('data.entered', 'P1', 70, value => '7', system => 'PMS') > 0 AS entered,
	pg_temp.record('data.entered', 'P1', 80, value => '8', system => 'PMS') > 0 AS entered;
SELECT retract_event(pg_temp.record('result.acknowledged', 'P5', 5, subject => 'O5'), 'wrong patient');
INSERT INTO inbox (body) VALUES (E'MSH|^~\\&|PMS|NORTH|||20240301080000||ADT^A01|1|P|2.5\rEVN||20240301080000\rPID|1||P6\rPV1|1|I|A^B^C^NORTH||||||||||||||||V6'),
	(E'MSH|^~\\&|PMS|NORTH|||20240301090000||ADT^A11|2|P|2.5\rEVN||20240301090000\rPID|1||P6\rPV1|1|I|A^B^C^NORTH||||||||||||||||V6');
SELECT status, count(*) FROM care_loop_at('2024-03-05') GROUP BY status ORDER BY status;
SELECT count(*) AS misrouted FROM misrouted_result;
SELECT count(*) AS duplicates FROM duplicate_entry;
SELECT count(*) AS called_off FROM retraction WHERE message_id IS NOT NULL;

-- Someone of whom nothing counts whose time is not known well.
SELECT retract_event(record_event('note.signed', 'P10', 'EHR', '2024-02-01', time_precision => 'month'), 'wrong patient');

-- One mismatch of billing of each sort, and a claim.
INSERT INTO event (patient_id, encounter_id, facility, actor, subject, code, occurred_at, kind, detail)
SELECT e.patient, 'V1', 'NORTH', 'n.s', e.subject, e.code::clinical_code, timestamptz '2024-02-01' + e.hour * interval '1 hour', e.kind, e.detail::jsonb FROM (VALUES
	('P7', NULL, 'cpt|12001', 0, 'procedure.documented', NULL), ('P7', NULL, 'cpt|12001', 25, 'charge.captured', '{"diagnoses": ["icd10cm|I10", "icd10cm|what"], "modifiers": ["59"]}'),
	('P7', NULL, 'cpt|12002', 0, 'procedure.documented', NULL), ('P7', NULL, 'cpt|12003', 0, 'charge.captured', '{"authorization": "A", "modifiers": ["25"]}'),
	('P7', 'C', NULL, 30, 'claim.submitted', NULL), ('P7', 'C', NULL, 40, 'claim.accepted', NULL), ('P7', 'C', NULL, 50, 'claim.denied', NULL),
	('P8', NULL, 'cpt|12003', 0, 'charge.captured', NULL), ('P8', NULL, 'cpt|12003', 1, 'note.signed', NULL), ('P8', NULL, 'cpt|12003', 2, 'authorization.approved', NULL)) AS e(patient, subject, code, hour, kind, detail);
SELECT patient_id, problem, code, found_at, settled_at FROM billing_finding ORDER BY patient_id, problem, code;
SELECT outcome, problems FROM claim_outcome;

-- All is as it should be, before and after the rollups are brought up to date.
SELECT count(*) > 0 AS unfolded FROM handoff_stale, handoff_delta;
SELECT * FROM check_consistency();
SELECT maintain();
SELECT * FROM check_consistency();
CALL rebuild();
SELECT * FROM check_consistency();

-- Whatever is otherwise in a table is told.
CREATE FUNCTION pg_temp.after(change text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE change;
	RAISE EXCEPTION USING ERRCODE = 'WT999', MESSAGE = (
		SELECT coalesce(string_agg(format('%s %s %s%s', x.relation, x.problem, x.rows, CASE WHEN x.stale THEN ' (stale)' ELSE '' END), ', '), 'nothing')
		FROM (SELECT c.relation, c.problem, count(*) AS rows, bool_or(c.is_stale) AS stale
			FROM workflow_track.check_consistency() AS c GROUP BY 1, 2 ORDER BY c.relation COLLATE "C", c.problem COLLATE "C") AS x);
EXCEPTION WHEN SQLSTATE 'WT999' THEN
	RETURN SQLERRM;
END
$$;
SET session_replication_role = replica;
SELECT c.change, pg_temp.after(c.change) AS found FROM (VALUES
	(1, 'DELETE FROM loop_state WHERE patient_id = ''P1'''),
	(2, 'UPDATE loop_state SET settled_at = settled_at + interval ''1 microsecond'' WHERE opened_by_kind = ''encounter.discharged'''),
	(3, 'UPDATE loop_state SET owner_role = NULL WHERE patient_id = ''P5'''),
	(4, 'INSERT INTO loop_state SELECT * FROM loop_state WHERE patient_id = ''P2'''),
	(5, 'DELETE FROM duplicate_state'),
	(6, 'UPDATE duplicate_state SET original_actor = NULL'),
	(7, 'INSERT INTO duplicate_state SELECT * FROM duplicate_state'),
	(8, 'DELETE FROM misrouted_state WHERE reason = ''no_recipient'''),
	(9, 'UPDATE misrouted_state SET claimed_by = NULL, claimed_at = NULL WHERE claimed_by IS NOT NULL'),
	(10, 'INSERT INTO misrouted_state SELECT * FROM misrouted_state WHERE patient_id = ''P1'''),
	(10.1, 'UPDATE missing_state SET supplied_at = array_fill(occurred_at, ARRAY[cardinality(missing)])'),
	(10.2, 'DELETE FROM missing_state WHERE settled_at = ''infinity'''),
	(10.3, 'UPDATE identity_state SET established = NOT established WHERE what = ''order'' AND patient_id = ''P1'''),
	(10.4, 'DELETE FROM identity_state WHERE number IS NULL'),
	(10.5, 'INSERT INTO identity_state SELECT * FROM identity_state WHERE what = ''encounter'' AND patient_id = ''P2'''),
	(10.6, 'DELETE FROM shared_number'),
	(10.7, 'DELETE FROM handoff_state WHERE patient_id = ''P1'''),
	(10.8, 'UPDATE handoff_state SET contribution = (SELECT o.contribution FROM handoff_state AS o WHERE o.patient_id = ''P4'')'),
	(10.9, 'DELETE FROM follows_state WHERE patient_id = ''P7'''),
	(10.91, 'UPDATE follows_state SET contribution = (SELECT o.contribution FROM follows_state AS o WHERE o.patient_id = ''P1'')'),
	(10.92, 'DELETE FROM message_key'),
	(10.93, 'UPDATE message_key SET message_id = 3 - message_id'),
	(10.94, 'UPDATE message_key SET received_at = received_at - interval ''1 day'''),
	(10.95, 'INSERT INTO message_answer (answered, code, message_id, received_at) SELECT key, ''AA'', 77, received_at FROM message_key LIMIT 1'),
	(11.1, 'UPDATE patient_merge SET occurred_at = ''2024-01-01'''),
	(12.1, 'UPDATE encounter_merge SET occurred_at = ''2024-01-01'''),
	(12.2, 'UPDATE retraction SET occurred_at = occurred_at - interval ''1 day'' WHERE message_id IS NULL'),
	(12.3, 'UPDATE retraction SET patient_id = ''P1'' WHERE message_id IS NULL'),
	(11, 'DELETE FROM patient_merge'),
	(12, 'UPDATE encounter_merge SET merged_id = ''V2'''),
	(13, 'DELETE FROM retraction WHERE message_id IS NULL'),
	(14, 'DELETE FROM retraction WHERE message_id IS NOT NULL'),
	(14.1, 'INSERT INTO retraction SELECT patient_id, event_id, occurred_at, now(), '''', '''', 1, true FROM retraction WHERE message_id IS NULL'),
	(15, 'DELETE FROM cancellation'),
	(16, 'DELETE FROM subject_alias'),
	(17, 'DELETE FROM test_patient'),
	(18, 'DELETE FROM patient_state WHERE patient_id = ''P2'''),
	(19, 'UPDATE patient_state SET linked = false'),
	(20, 'UPDATE patient_state SET first_at = first_at + interval ''1 hour'' WHERE patient_id = ''P1'''),
	(21, 'UPDATE patient_state SET first_at = ''-infinity'', linked = true, imprecise = true'),
	(22, 'DELETE FROM handoff_hourly WHERE basis = ''explicit'''),
	(23, 'UPDATE handoff_total SET histogram = histogram + histogram WHERE basis = ''explicit'''),
	(24, 'UPDATE staff SET role = ''nurse'' WHERE actor = ''dr.a'''),
	(25, 'UPDATE expectation SET early = ''1 day'', within = ''1 minute'' WHERE name = ''acknowledged'''),
	(26, 'INSERT INTO stale_mark VALUES (''actor'', ''dr.a''); DELETE FROM loop_state WHERE patient_id = ''P2'''),
	(27, 'INSERT INTO stale_patient VALUES (''P2''); DELETE FROM loop_state WHERE patient_id IN (''P1'', ''P2'')'),
	(28, 'INSERT INTO event (patient_id, kind, occurred_at, subject, item, facility, actor) VALUES (''P2'', ''result.final'', ''2024-03-02'', ''O7'', NULL, ''NORTH'', ''lab'')'),
	(29, 'DELETE FROM billing_state WHERE problem = ''late_charge'''),
	(30, 'UPDATE billing_state SET settled_at = ''infinity'' WHERE patient_id = ''P8'''),
	(31, 'UPDATE billing_state SET wanted = ''{59}'' WHERE problem = ''missing_modifier'''),
	(32, 'INSERT INTO billing_state SELECT * FROM billing_state WHERE problem = ''claim_denied'''),
	(33, 'UPDATE charge_state SET documented_at = charged_at'),
	(34, 'DELETE FROM charge_state WHERE patient_id = ''P8'''),
	(35, 'UPDATE claim_state SET answers = ''{denied,accepted}'''),
	(36, 'UPDATE claim_state SET problems = ''{}'''),
	(37, 'UPDATE billing_rule SET within = ''25 hours'''),
	(38, 'UPDATE billing_rule SET documented_by = ''{note.signed}'', requires_modifiers = ''{}''')) AS c(n, change) ORDER BY c.n;
RESET session_replication_role;
SELECT * FROM check_consistency();

-- It looks at every facility, whoever may see which.
BEGIN;
DELETE FROM facility_access;
SELECT * FROM check_consistency();
ROLLBACK;

-- A row is shown as it is, or should be.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE loop_state SET closed_by = 'dr.x' WHERE closed_by = 'dr.a' AND patient_id = 'P1' AND item = 'R1';
SELECT relation, problem, patient_id, difference ->> 'closed_by' AS closed_by, difference ->> 'item' AS item, is_stale FROM check_consistency() ORDER BY problem;
ROLLBACK;

-- Administrators may ask.
SET ROLE workflow_track_admin;
SELECT count(*) FROM check_consistency();
SELECT count(*) FROM check_findings();
SELECT count(*) FROM check_billing();
SET ROLE workflow_track_analyst;
SELECT count(*) FROM check_consistency();
SET ROLE workflow_track_recorder;
SELECT count(*) FROM check_consistency();
RESET ROLE;
