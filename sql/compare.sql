CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
\set SHOW_CONTEXT never

-- One version, and others that differ from it.
CREATE TEMP TABLE base AS SELECT '{
 "workflow": "lab", "version": 1,
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"], "start": true},
  {"step": "draw", "kind": "specimen.collected", "performed_by": ["nurse", "provider"], "optional": true},
  {"step": "result", "kind": "result.final", "in": ["LIS"], "delivered_to": ["provider", "triage_nurse"], "required_fields": ["encounter_id", "recipient"]},
  {"step": "acknowledge", "kind": "result.acknowledged", "performed_by": ["provider"], "in": ["EHR"], "end": true}],
 "transitions": [["order", "draw"], ["draw", "result"], ["result", "acknowledge"]],
 "expectations": [
  {"name": "critical acknowledged", "category": "acknowledgement", "after": ["result.final"], "when": {"severity": "critical"},
   "expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item", "within": "1 hour", "escalate_to": "charge_nurse"},
  {"name": "resulted", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "3 days",
   "cancelled_by": ["order.cancelled"]}],
 "duplicates": [
  {"name": "typed twice", "kind": "data.entered", "same": ["code", "value"], "within": "24 hours"},
  {"kind": "order.placed", "same": ["code"], "within": "1 hour"}, {"kind": "order.placed", "same": ["item"], "within": "1 hour"}],
 "billing": [{"name": "imaging", "codes": "cpt|7", "documented_by": ["procedure.documented"], "within": "1 day"}]
}'::jsonb AS document;
CREATE FUNCTION pg_temp.against(changed jsonb) RETURNS TABLE (part text, change text, name text, property text, was text, becomes text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM define_workflow((SELECT document FROM pg_temp.base)), define_workflow(changed || '{"version": 2}');
	RETURN QUERY SELECT c.part, c.change, c.name, c.property, c.was, c.becomes FROM compare_workflows('lab', 1, 'lab', 2) AS c;
END
$$;

--
-- What is no difference: another order, other words for a duration, defaults that are written out, versions and states
--
SELECT * FROM pg_temp.against((SELECT document FROM base));
SELECT count(*) FROM pg_temp.against((SELECT replace(replace(replace(document::text, '"1 day"', '"24:00"'), '"3 days"', '"72 hours"'), '["nurse", "provider"]', '["provider", "nurse"]')::jsonb
	|| '{"state": "future"}' FROM base));
SELECT count(*) FROM compare_workflows('lab', 1, 'lab', 1);
SELECT set_workflow_state('lab', 1, 'retired');
DELETE FROM workflow WHERE workflow = 'lab';
SELECT count(*) FROM pg_temp.against((SELECT jsonb_set(jsonb_set(jsonb_set(document, '{steps,0,optional}', 'false'), '{expectations,0,early}', '"0 seconds"'), '{duplicates,0,action}', '"flag"') FROM base));

--
-- Each property of each part
--
-- steps
SELECT * FROM pg_temp.against((SELECT jsonb_set(document, '{steps,0}', '{"step": "order", "kind": "order.accepted", "performed_by": ["nurse"], "delivered_to": ["pharmacist"], "required_fields": ["code"],
	"optional": true, "repeatable": true, "end": true}') FROM base));
SELECT * FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{steps,2,delivered_to}', '["provider", "covering_provider"]'), '{steps,2,required_fields}', '["encounter_id"]') FROM base));
-- expectations
SELECT * FROM pg_temp.against((SELECT jsonb_set(document, '{expectations,0}', '{"name": "critical acknowledged", "category": "notification", "after": ["result.final", "result.corrected"],
	"when": {"severity": ["abnormal", "critical"], "facility": ["", "NORTH"], "entry_method": "unknown", "code": "loinc|2", "detail": {"unit": ["ICU", 3], "a": true}},
	"expect": ["patient.notified"], "by": ["nurse"], "correlated_by": "subject", "within": "90 minutes", "early": "1 minute", "cancelled_by": [{"kind": "patient.died", "correlated_by": "patient"}]}') FROM base));
-- duplicate rules and billing rules
SELECT * FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{duplicates,0}', '{"name": "typed twice", "kind": "vitals.recorded", "same": ["code"], "different": ["actor"], "when": {"entry_method": "manual"}, "within": "2 days", "action": "reject"}'),
	'{billing,0}', '{"name": "imaging", "codes": "cpt|70", "documented_by": ["result.final"], "within": "36 hours", "requires_authorization": true, "requires_modifiers": ["25"]}') FROM base));

--
-- Added and removed, in the words of a meeting
--
SELECT define_workflow('{"workflow": "nothing", "version": 1}');
SELECT part, change, sentence FROM compare_workflows('lab', 1, 'nothing', 1);
SELECT part, change, sentence FROM compare_workflows('nothing', 1, 'lab', 1);
SELECT sentence FROM compare_workflows('lab', 1, 'lab', 2);

--
-- Renamed
--
-- a step of its kind, and what follows it; it may change too
SELECT * FROM pg_temp.against((SELECT replace(replace(document::text, '"draw"', '"collect"'), '"optional": true', '"repeatable": true')::jsonb FROM base));
SELECT sentence FROM compare_workflows('lab', 1, 'lab', 2);
-- of two of a kind it is not clear which
SELECT part, change, name, property FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{steps,1,step}', '"collect"'), '{steps,0}', '{"step": "first draw", "kind": "specimen.collected"}') - 'transitions' FROM base)) WHERE part = 'step';
-- a step that changes its name and its kind is another
SELECT part, change, name FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{steps,1,step}', '"x"'), '{steps,1,kind}', '"specimen.received"') - 'transitions' FROM base)) WHERE part = 'step';
-- two steps that change names
SELECT part, change, name, property FROM pg_temp.against((SELECT replace(replace(replace(document::text, '"step": "draw"', '"step": "?"'), '"step": "result"', '"step": "draw"'), '"step": "?"', '"step": "result"')::jsonb FROM base)) WHERE part IN ('step', 'transition');
-- a rule that is the same but for its name; also one that had none, or has none now
SELECT part, change, name, was, becomes FROM pg_temp.against((SELECT replace(replace(document::text, '"resulted"', '"order resulted"'), '"typed twice"', '"typed again"')::jsonb FROM base));
SELECT part, change, name, was, becomes FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{duplicates,1,name}', '"same test"'), '{duplicates,0}', (document #> '{duplicates,0}') - 'name') FROM base));
SELECT part, change, name, property FROM pg_temp.against((SELECT replace(replace(document::text, '"resulted"', '"order resulted"'), '"3 days"', '"4 days"')::jsonb FROM base));
-- rules without a name are told apart by what they say
SELECT * FROM pg_temp.against((SELECT document #- '{duplicates,1}' FROM base));
SELECT * FROM pg_temp.against((SELECT jsonb_set(document, '{duplicates,2,within}', '"2 hours"') FROM base));
SELECT * FROM pg_temp.against((SELECT jsonb_set(document, '{duplicates}', (document -> 'duplicates') || '[{"kind": "order.placed", "same": ["actor"], "within": "1 hour"}]') FROM base));

--
-- Names that look like words of the report, or like lists
--
SELECT * FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{steps,1,performed_by}', '["nurse, provider"]'), '{steps,2,in}', '[]') FROM base)) WHERE part = 'step';
SELECT * FROM pg_temp.against((SELECT jsonb_set(jsonb_set(document, '{steps,2,performed_by}', '["anybody"]'), '{expectations,1,escalate_to}', '"nobody"') FROM base));
SELECT d, duration_in_words(d) FROM unnest(ARRAY['0', '1 second', '0.25 seconds', '61 minutes', '24 hours', '25 hours', '48 hours', '49 hours', '336 hours', '48:00:01']::interval[]) AS d;

--
-- Errors, and who may ask
--
SELECT * FROM compare_workflows('lab', 1, 'lab', 9);
SELECT * FROM compare_workflows('none', 1, 'lab', 1);
\echo :LAST_ERROR_SQLSTATE
SET ROLE workflow_track_analyst;
SELECT count(*) FROM compare_workflows('lab', 1, 'nothing', 1);
SET ROLE workflow_track_recorder;
SELECT count(*) FROM compare_workflows('lab', 1, 'nothing', 1);
RESET ROLE;
