-- Maps to draw, and events to tell from; every map that is there is drawn, by number.

SET search_path = workflow_track;

SELECT define_workflow('{
 "workflow": "referral", "version": 1,
 "steps": [
  {"step": "register", "kind": "patient.registered", "performed_by": ["front_desk"], "in": ["PMS"], "start": true},
  {"step": "refer", "kind": "referral.sent", "performed_by": ["provider"], "in": ["EHR"], "start": true},
  {"step": "ask the insurer", "kind": "authorization.requested", "performed_by": ["referral_coordinator"], "in": ["PMS"], "optional": true},
  {"step": "approve", "kind": "authorization.approved", "performed_by": ["insurer"], "in": ["HIE"]},
  {"step": "deny", "kind": "authorization.denied", "performed_by": ["insurer"], "in": ["HIE"], "end": true},
  {"step": "accept", "kind": "referral.accepted", "performed_by": ["referral_coordinator"], "in": ["EHR"]},
  {"step": "reject", "kind": "referral.rejected", "performed_by": ["referral_coordinator"], "in": ["EHR"]},
  {"step": "schedule", "kind": "referral.scheduled", "performed_by": ["front_desk"], "in": ["PMS"], "repeatable": true},
  {"step": "see the patient in the clinic of the specialist", "kind": "referral.seen", "performed_by": ["specialist"], "in": ["EHR"]},
  {"step": "order", "kind": "order.placed", "performed_by": ["specialist", "nurse"], "in": ["EHR"], "optional": true, "repeatable": true},
  {"step": "result", "kind": "result.final", "performed_by": ["lab_tech"], "in": ["LIS", "RIS"], "optional": true, "repeatable": true},
  {"step": "report", "kind": "referral.report_returned", "performed_by": ["specialist"], "in": ["HIE"], "delivered_to": ["provider"]},
  {"step": "close", "kind": "referral.closed", "performed_by": ["provider"], "in": ["EHR"], "end": true}],
 "transitions": [["register", "refer"], ["refer", "ask the insurer"], ["refer", "accept"], ["ask the insurer", "approve"], ["ask the insurer", "deny"], ["approve", "accept"],
  ["accept", "schedule"], ["refer", "reject"], ["reject", "refer"], ["schedule", "schedule"], ["schedule", "see the patient in the clinic of the specialist"],
  ["see the patient in the clinic of the specialist", "order"], ["order", "result"], ["result", "order"], ["result", "report"],
  ["see the patient in the clinic of the specialist", "report"], ["report", "close"], ["reject", "close"]]}');
SELECT define_workflow(jsonb_build_object('workflow', E'names "of" <all> & \\sorts\nin lines', 'version', 1,
	'steps', jsonb_agg(jsonb_build_object('step', name, 'kind', 'order.placed', 'performed_by', jsonb_build_array(name), 'in', jsonb_build_array(name), 'start', n < 4, 'end', n < 4) ORDER BY n),
	'transitions', (SELECT jsonb_agg(jsonb_build_array(a, b)) FROM unnest(ARRAY['digraph', '"', ']', '1. x']) AS a, unnest(ARRAY['end', '<b>x</b>', '|', '- x']) AS b)))
FROM unnest(ARRAY['digraph', 'subgraph', 'end', '"', '<b>x</b>', '<br/>', '&lt;&#60;&amp;', E'two\nlines', '\N \G \l \', ']', '|', '"];}', 'ü世😀', '`x`', '*a* _b_ c_d', '**', '1. x', '- x', '+ x',
	'# x', '> x', '#35; ;', '%% x', '%%{init: {}}%%', 'fa:fa-car', 'very long name that goes on and on', repeat('x', 300), 'click s1 href "x"', '$$x$$', '[x](javascript:x)', ':::x', '@{ shape: x }', '---', '=>', 'http://x.y', '~~x~~', '{{x}}', '((x))', '/x/', '\x\']) WITH ORDINALITY AS u(name, n);
SELECT define_workflow('{"workflow": "no steps", "version": 1}');
SELECT define_workflow('{"workflow": "one step", "version": 1, "steps": [{"step": "order", "kind": "order.placed"}], "transitions": [["order", "order"]]}');
SELECT define_workflow(jsonb_build_object('workflow', 'everything after everything', 'version', 1,
	'steps', jsonb_agg(jsonb_build_object('step', 'step ' || n, 'kind', kind, 'performed_by', jsonb_build_array('role ' || n % 3), 'in', jsonb_build_array('system ' || n % 5), 'repeatable', n % 2 = 0) ORDER BY n),
	'transitions', (SELECT jsonb_agg(jsonb_build_array('step ' || a, 'step ' || b)) FROM generate_series(1, 12) AS a, generate_series(1, 12) AS b WHERE (a + b) % 2 = 0)))
FROM (SELECT kind, row_number() OVER (ORDER BY kind) AS n FROM event_kind LIMIT 12) AS k;
SELECT define_workflow(jsonb_build_object('workflow', 'a long one', 'version', 1,
	'steps', jsonb_agg(jsonb_build_object('step', kind, 'kind', kind, 'performed_by', jsonb_build_array('role ' || n / 6)) ORDER BY n),
	'transitions', (SELECT jsonb_agg(jsonb_build_array(a, b)) FROM (SELECT kind, lead(kind, s) OVER (ORDER BY kind) FROM event_kind, (VALUES (1), (5)) AS v(s) WHERE s = 1 OR kind LIKE 'r%') AS t(a, b) WHERE b > a)))
FROM (SELECT kind, row_number() OVER (ORDER BY kind) AS n FROM event_kind) AS k;

INSERT INTO event (patient_id, encounter_id, kind, occurred_at)
SELECT 'P' || v, 'V' || v, (ARRAY['referral.sent', 'referral.accepted', 'referral.scheduled', 'referral.seen', 'order.placed', 'result.final', 'referral.report_returned', 'referral.closed', 'referral.rejected'])[1 + (v * s * 7 + v + s) % 9],
	'2024-03-04'::timestamptz + v * interval '1 hour' + s * s * interval '17 minutes'
FROM generate_series(1, 200) AS v, generate_series(1, 8) AS s;

CREATE TABLE public.map AS SELECT row_number() OVER (ORDER BY workflow, version) AS n, workflow, version FROM workflow;
