CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never

-- What opens a loop of the default workflow, and what may answer it, each answer for a patient of its own.
CREATE TABLE pg_temp.story (opener text, severity severity, class text, answer text);
INSERT INTO pg_temp.story
SELECT opener, severity, class, unnest(answers || NULL::text) FROM (
	SELECT kind, severity::severity, NULL, '{result.viewed,result.acknowledged,result.cancelled}'::text[]
	FROM unnest('{result.preliminary,result.final,result.corrected}'::text[]) AS kind, unnest('{critical,abnormal,normal,NULL}'::text[]) AS severity
	UNION ALL SELECT kind, severity, class, '{patient.notified,patient.died,order.cancelled}'
	FROM (VALUES ('result.final', 'abnormal'::severity, 'O'), ('result.corrected', 'critical', 'E'), ('result.final', 'critical', 'R'), ('result.final', 'critical', 'P'),
		('result.final', 'critical', 'I'), ('result.final', 'normal', 'O'), ('result.preliminary', 'critical', 'O')) AS v(kind, severity, class)
	UNION ALL VALUES ('result.cancelled', NULL::severity, NULL, '{result.acknowledged}'::text[]),
		('order.placed', NULL, NULL, '{result.preliminary,result.final,result.corrected,order.cancelled,order.replaced,result.cancelled,order.modified}'),
		('encounter.discharged', NULL, 'I', '{followup.completed,appointment.arrived,encounter.admitted,patient.died,followup.scheduled}'),
		('encounter.discharged', NULL, 'O', '{followup.completed}'),
		('encounter.discharged', NULL, NULL, '{followup.completed}'),
		('referral.sent', NULL, NULL, '{referral.accepted,referral.rejected,referral.cancelled,referral.seen}'),
		('referral.seen', NULL, NULL, '{referral.report_returned,referral.cancelled}'),
		('referral.rejected', NULL, NULL, '{referral.sent,referral.cancelled,referral.closed}'),
		('handoff.offered', NULL, NULL, '{handoff.accepted,handoff.rejected}'),
		('handoff.rejected', NULL, NULL, '{handoff.offered}'),
		('claim.submitted', NULL, NULL, '{claim.accepted,claim.denied,claim.paid,charge.captured}')) AS s(opener, severity, class, answers);
INSERT INTO event (patient_id, subject, item, kind, severity, detail, occurred_at)
SELECT story::text, 'S', 'I', opener, severity, jsonb_build_object('patient_class', class), '2024-01-10 08:00'::timestamptz FROM pg_temp.story
UNION ALL SELECT story::text, 'S', 'I', answer, NULL, NULL, '2024-01-10 08:10' FROM pg_temp.story WHERE answer IS NOT NULL;

-- All expectations, their limits, and what closes and cancels them; what does neither leaves them open.
SELECT l.expectation, l.category, s.opener, s.severity, s.class, l.due_at - l.opened_at AS within,
	string_agg(s.answer, ' ' ORDER BY s.answer) FILTER (WHERE l.status = 'met') AS closed_by,
	string_agg(s.answer, ' ' ORDER BY s.answer) FILTER (WHERE l.status = 'cancelled') AS cancelled_by,
	string_agg(coalesce(s.answer, 'nothing'), ' ' ORDER BY s.answer) FILTER (WHERE l.status = 'open') AS neither
FROM pg_temp.story AS s JOIN care_loop_at('2024-01-10 08:10') AS l ON l.patient_id = s::text
WHERE l.opened_at = '2024-01-10 08:00' GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 2, 1, 3, 4, 5;
SELECT name AS never_opened FROM expectation WHERE name NOT IN (SELECT expectation FROM care_loop);
-- openers of none
SELECT DISTINCT opener, severity, class FROM pg_temp.story AS s WHERE NOT EXISTS (SELECT FROM care_loop AS l WHERE l.patient_id = s::text) ORDER BY 1, 2, 3;

-- Clocks differ: an acknowledgement may be 2 minutes early, a result a day; nothing else may.
INSERT INTO event (patient_id, subject, kind, severity, occurred_at) VALUES
	('early', 'A', 'result.acknowledged', NULL, '2024-01-10 07:58'), ('early', 'A', 'result.final', 'critical', '2024-01-10 08:00'),
	('early', 'B', 'result.final', 'critical', '2024-01-09 08:00'), ('early', 'B', 'order.placed', NULL, '2024-01-10 08:00'),
	('early', 'C', 'handoff.accepted', NULL, '2024-01-10 07:59:59'), ('early', 'C', 'handoff.offered', NULL, '2024-01-10 08:00'),
	('too early', 'A', 'result.acknowledged', NULL, '2024-01-10 07:57:59'), ('too early', 'A', 'result.final', 'critical', '2024-01-10 08:00'),
	('too early', 'B', 'result.final', 'critical', '2024-01-09 07:59:59'), ('too early', 'B', 'order.placed', NULL, '2024-01-10 08:00');
SELECT patient_id, expectation, status FROM care_loop_at('2024-01-10 08:10')
WHERE opened_at = '2024-01-10 08:00' AND patient_id IN ('early', 'too early') ORDER BY 1, 2;

-- Data typed into two systems within a day is an entry twice.
INSERT INTO event (patient_id, kind, code, value, source_system, entry_method, occurred_at) VALUES
	('twice', 'data.entered', 'local:X|wt', '80', 'EHR', 'manual', '2024-01-10 08:00'), ('twice', 'data.entered', 'local:X|wt', '80', 'PMS', 'manual', '2024-01-11 08:00'),
	('twice', 'data.entered', 'local:X|wt', '80', 'LIS', 'interface', '2024-01-10 09:00'), ('twice', 'data.entered', 'local:X|wt', '80', 'EHR', 'manual', '2024-01-10 09:00');
SELECT workflow, rule, original_system, duplicate_system, gap FROM duplicate_entry;
