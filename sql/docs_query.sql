CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

INSERT INTO workflow_track.staff (actor, role) VALUES ('dr.reyes', 'provider'), ('dr.okoro', 'provider');
INSERT INTO workflow_track.event
  (occurred_at, facility, patient_id, encounter_id, subject, item, kind, severity, actor, recipient, source_system) VALUES
  ('2024-03-04 08:00', 'NORTH', 'P1', 'V1', 'O1', NULL, 'order.placed',        NULL,       'dr.reyes', NULL,       'EHR'),
  ('2024-03-04 10:00', 'NORTH', 'P1', 'V1', 'O1', 'F1', 'result.final',        'critical', NULL,       'dr.reyes', 'LIS'),
  ('2024-03-04 11:30', 'NORTH', 'P1', 'V1', 'O1', 'F1', 'result.acknowledged', NULL,       'dr.okoro', NULL,       'EHR'),
  ('2024-03-04 12:00', 'SOUTH', 'P2', 'V2', 'O2', 'F2', 'result.final',        'abnormal', NULL,       'dr.okoro', 'LIS'),
  ('2024-03-04 13:00', 'SOUTH', 'P4', 'V4', 'O4', 'F4', 'result.final',        'critical', NULL,       'dr.gone',  'LIS'),
  ('2024-03-05 09:00', 'SOUTH', 'P3', 'V3', 'R1', NULL, 'referral.sent',       NULL,       'dr.okoro', 'dr.reyes', 'EHR');

SELECT expectation, patient_id, status, overdue_by FROM workflow_track.care_loop_at('2024-03-04 11:15') ORDER BY opened_at, due_at;

SELECT expectation, patient_id, status, overdue_by FROM workflow_track.care_loop_at('2024-03-04 12:00') ORDER BY opened_at, due_at;

CREATE ROLE docs_north_quality;
GRANT workflow_track_analyst TO docs_north_quality;
INSERT INTO workflow_track.facility_access (role_name, facility) VALUES ('docs_north_quality', 'NORTH');
SET ROLE docs_north_quality;

SELECT facility, patient_id, expectation FROM workflow_track.care_loop_at('2024-03-06') ORDER BY opened_at, due_at;

RESET ROLE;
DELETE FROM workflow_track.facility_access WHERE role_name = 'docs_north_quality';
REVOKE workflow_track_analyst FROM docs_north_quality;
DROP ROLE docs_north_quality;

UPDATE workflow_track.staff SET role = 'resident' WHERE actor = 'dr.okoro';
SELECT "check", value, verdict FROM workflow_track.health WHERE "check" LIKE 'changes of map%';

CALL workflow_track.catch_up();
SELECT "check", value, verdict FROM workflow_track.health WHERE "check" LIKE 'changes of map%';

BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*) AS open_or_overdue FROM workflow_track.unacknowledged_result;

SELECT role, actor, open_loops, overdue_loops FROM workflow_track.task_queue ORDER BY actor;

COMMIT;

SELECT date_trunc('month', opened_at)::date AS month, facility, count(*) AS results,
  count(*) FILTER (WHERE status = 'met') AS in_time, count(*) FILTER (WHERE status = 'late') AS late,
  count(*) FILTER (WHERE status = 'overdue') AS overdue
FROM workflow_track.care_loop_at('2024-04-01')
WHERE category = 'acknowledgement' AND opened_at >= '2024-01-01' GROUP BY 1, 2 ORDER BY 1, 2;

SELECT patient_id, subject, owner, overdue_by FROM workflow_track.unacknowledged_result_at('2024-03-10')
WHERE owner_active IS NOT TRUE;

SELECT occurred_at, kind, source_system, actor, recorded_at > occurred_at AS recorded_later
FROM workflow_track.event_history
WHERE patient_id = 'P1' AND subject = 'O1' AND occurred_at >= '2024-03-01' ORDER BY occurred_at, source_sequence;

SELECT patient_id, subject, expectation, due_at FROM workflow_track.overdue_loop_at('2024-03-09')
WHERE due_at > '2024-03-07' ORDER BY due_at;
