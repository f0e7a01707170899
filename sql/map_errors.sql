CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
\set SHOW_CONTEXT never

-- A document with every key, and what define_workflow() says of its variants.
CREATE TEMP TABLE good AS SELECT '{
 "workflow": "results", "version": 1, "state": "draft",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"], "delivered_to": ["nurse"],
   "required_fields": ["code"], "optional": false, "repeatable": false, "start": true, "end": false},
  {"step": "result", "kind": "result.final"}],
 "transitions": [["order", "result"]],
 "expectations": [
  {"name": "acknowledged", "category": "acknowledgement", "after": ["result.final"],
   "when": {"severity": ["critical"], "facility": ["NORTH"], "entry_method": ["manual"], "code": "loinc|",
            "detail": {"unit": "ICU", "patient class": ["I"]}},
   "expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item", "within": "1 hour", "early": "2 minutes",
   "cancelled_by": ["result.cancelled", {"kind": "patient.died", "correlated_by": "patient"}], "escalate_to": "charge_nurse"},
  {"name": "resulted", "category": "order", "after": ["order.placed"], "expect": ["result.final"],
   "correlated_by": "subject", "within": "3 days"}],
 "duplicates": [{"name": "typed twice", "kind": "data.entered", "same": ["code", "value"], "different": ["source_system"],
   "when": {"severity": "normal"}, "within": "24 hours", "action": "flag"}],
 "billing": [{"name": "imaging", "codes": "cpt|7", "documented_by": ["procedure.documented"], "requires_authorization": true,
   "requires_modifiers": ["25"], "within": "24 hours"}],
 "flows": [{"from": "LIS", "to": "EHR", "types": ["ORU^R01"], "every": "15 minutes",
   "during": {"days": ["monday"], "from": "07:00", "until": "19:00", "timezone": "Europe/Berlin"}}],
 "burden": {"redundant_alert_within": "10 minutes", "documented_within": "2 hours", "signed_within": "2 days"}
}'::jsonb AS document;

CREATE FUNCTION pg_temp.fault(document jsonb, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM workflow_track.define_workflow(document);
	code := 'stored';
	RAISE EXCEPTION 'undo';
EXCEPTION WHEN others THEN
	IF code IS NULL THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	END IF;
END
$$;
SELECT (pg_temp.fault(document)).* FROM good;

-- The path of every value in it, as define_workflow() should write it.
CREATE TEMP TABLE place AS
WITH RECURSIVE walk(place, path, value) AS (
	SELECT '{}'::text[], '$', document FROM good
	UNION ALL
	SELECT w.place || c.key, w.path || c.path, c.value
	FROM walk AS w, LATERAL (
		SELECT e.key, CASE WHEN e.key ~ ' ' THEN '."' || e.key || '"' ELSE '.' || e.key END, e.value
		FROM jsonb_each(CASE jsonb_typeof(w.value) WHEN 'object' THEN w.value ELSE '{}' END) AS e
		UNION ALL
		SELECT (e.n - 1)::text, format('[%s]', e.n - 1), e.value
		FROM jsonb_array_elements(CASE jsonb_typeof(w.value) WHEN 'array' THEN w.value ELSE '[]' END) WITH ORDINALITY AS e(value, n)
	) AS c(key, path, value))
SELECT * FROM walk WHERE place <> '{}';

-- Null is a fault wherever it stands.
SELECT count(*) AS places, count(DISTINCT p.path) AS paths, count(*) FILTER (WHERE f.code = '22023') AS refused
FROM good AS g, place AS p, pg_temp.fault(jsonb_set(g.document, p.place, 'null')) AS f;
SELECT p.path, f.* FROM good AS g, place AS p, pg_temp.fault(jsonb_set(g.document, p.place, 'null')) AS f
WHERE f.code <> '22023' OR f.message <> 'invalid workflow document' OR strpos(f.detail, p.path || ': null is not ') <> 1 OR f.hint IS NULL;
-- So are a number, but in detail, and an unknown key, but in detail.
SELECT p.path, f.* FROM good AS g, place AS p, pg_temp.fault(jsonb_set(g.document, p.place, '7.5')) AS f
WHERE f.code <> '22023' OR strpos(f.detail, p.path || ': 7.5 is not ') <> 1;
SELECT p.path, f.* FROM good AS g, place AS p, pg_temp.fault(jsonb_set(g.document, p.place || '{witin}', '"1 hour"')) AS f
WHERE jsonb_typeof(p.value) = 'object' AND (f.code <> '22023' OR f.detail <> p.path || '.witin: There is no such key.');
-- What can be left out, and what cannot.
SELECT p.path AS without, coalesce(f.detail, f.code) AS result
FROM good AS g, place AS p, pg_temp.fault(g.document #- p.place) AS f
WHERE p.place[cardinality(p.place)] !~ '^[0-9]' AND p.path NOT LIKE '$.expectations[1]%' ORDER BY p.path COLLATE "C";
-- Every key has a place in the document.
SELECT k.part, k.key FROM (VALUES ('document'), ('step'), ('expectation'), ('cancel'), ('duplicate'), ('billing'), ('flow'), ('during'), ('burden'), ('when')) AS p(part),
	LATERAL (SELECT p.part, m.key FROM map_keys(p.part) AS m) AS k
WHERE NOT EXISTS (SELECT FROM place WHERE place[cardinality(place)] = k.key);

-- One fault of each sort.
CREATE TEMP TABLE fault (n serial, place text[], value jsonb);
INSERT INTO fault (place, value) VALUES
	('{workflow}', '""'),
	('{workflow}', '" results"'),
	('{version}', '"1"'),
	('{version}', '-1'),
	('{version}', '1.5'),
	('{version}', '1000000000'),
	('{state}', '"Current"'),
	('{steps}', '{}'),
	('{steps,0}', '["order"]'),
	('{steps,0,step}', '""'),
	('{steps,0,kind}', '"order.place"'),
	('{steps,0,performed_by}', '"provider"'),
	('{steps,0,performed_by}', '["provider", "nurse", "provider"]'),
	('{steps,0,in}', '["EHR", ""]'),
	('{steps,0,delivered_to}', '["nurse "]'),
	('{steps,0,required_fields}', '["code", "encounter"]'),
	('{steps,0,required_fields}', '["detail."]'),
	('{steps,0,required_fields}', '["code:"]'),
	('{steps,0,required_fields}', '["event_id"]'),
	('{steps,0,optional}', '"yes"'),
	('{steps,0,start}', '1'),
	('{steps,1,step}', '"order"'),
	('{transitions,0}', '["order"]'),
	('{transitions,0}', '["order", "result", "order"]'),
	('{transitions,0}', '"order"'),
	('{transitions,0}', '["order", "results"]'),
	('{transitions,0}', '[["order"], "result"]'),
	('{transitions}', '[["order", "result"], ["result", "order"], ["order", "result"]]'),
	('{expectations,0,name}', '"resulted"'),
	('{expectations,0,category}', '"results"'),
	('{expectations,0,after}', '[]'),
	('{expectations,0,after}', '"result.final"'),
	('{expectations,0,after}', '["result.final", "result.finale"]'),
	('{expectations,0,expect}', '[]'),
	('{expectations,0,expect}', '["result.final", "result.final"]'),
	('{expectations,0,when}', '[]'),
	('{expectations,0,when,severity}', '"high"'),
	('{expectations,0,when,severity}', '["critical", "Unknown"]'),
	('{expectations,0,when,severity}', '[]'),
	('{expectations,0,when,facility}', '["NORTH "]'),
	('{expectations,0,when,facility}', '[]'),
	('{expectations,0,when,entry_method}', '"typed"'),
	('{expectations,0,when,entry_method}', '["manual", "manual"]'),
	('{expectations,0,when,code}', '"loinc"'),
	('{expectations,0,when,code}', '["loinc|"]'),
	('{expectations,0,when,code}', '"local|7"'),
	('{expectations,0,when,code}', '"|7"'),
	('{expectations,0,when,detail}', '["unit"]'),
	('{expectations,0,when,detail,unit}', '[]'),
	('{expectations,0,when,detail,unit}', '["ICU", null]'),
	('{expectations,0,when,detail,unit}', '[1, 1.0]'),
	('{expectations,0,when,detail,patient class}', '[]'),
	('{expectations,0,by}', '[""]'),
	('{expectations,0,correlated_by}', '"order"'),
	('{expectations,0,within}', '"1 month"'),
	('{expectations,0,within}', '"1 year 2 days"'),
	('{expectations,0,within}', '"soon"'),
	('{expectations,0,within}', '"0 hours"'),
	('{expectations,0,within}', '"-1 hour"'),
	('{expectations,0,within}', '"0.0000001 seconds"'),
	('{expectations,0,within}', '"99999999999999 days"'),
	('{expectations,0,within}', '"36525 days 1 second"'),
	('{expectations,0,within}', '60'),
	('{expectations,0,early}', '"-2 minutes"'),
	('{expectations,0,early}', '"1 mon"'),
	('{expectations,0,cancelled_by}', '"patient.died"'),
	('{expectations,0,cancelled_by}', '["patient.dies"]'),
	('{expectations,0,cancelled_by}', '["patient.died", "patient.died"]'),
	('{expectations,0,cancelled_by}', '[["patient.died"]]'),
	('{expectations,0,cancelled_by}', '[{"correlated_by": "patient"}]'),
	('{expectations,0,cancelled_by}', '[{"kind": "patient.died", "correlated_by": "person"}]'),
	('{expectations,0,escalate_to}', '""'),
	('{duplicates,0,kind}', '"data"'),
	('{duplicates,0,same}', '[]'),
	('{duplicates,0,same}', '["code", "codes"]'),
	('{duplicates,0,same}', '["code", "patient_id"]'),
	('{duplicates,0,different}', '["source_system", "value"]'),
	('{duplicates,0,different}', '["kind"]'),
	('{duplicates,0,when,severity}', '"low"'),
	('{duplicates,0,within}', '"1 fortnight"'),
	('{duplicates,0,action}', '"warn"'),
	('{duplicates}', '[{"name": "a", "kind": "data.entered", "same": ["code"], "within": "1 hour"},
		{"name": "a", "kind": "data.entered", "same": ["value"], "within": "1 hour"}]'),
	('{duplicates}', '[{"kind": "data.entered", "same": ["code"], "within": "1 hour"},
		{"kind": "data.entered", "same": ["code"], "within": "1 hour"}]'),
	('{billing,0,codes}', '"99213"'),
	('{billing,0,documented_by}', '[]'),
	('{billing,0,documented_by}', '["procedure"]'),
	('{billing,0,requires_authorization}', '"no"'),
	('{billing,0,requires_modifiers}', '["25", "25"]'),
	('{billing,0,within}', '""'),
	('{flows,0,to}', '" EHR"'),
	('{flows,0,types}', '["ORU^R"]'),
	('{flows,0,every}', '"1 month"'),
	('{flows,0,during,days}', '["mon"]'),
	('{flows,0,during,from}', '"24:00"'),
	('{flows,0,during,timezone}', '"+01"'),
	('{burden,redundant_alert_within}', '"0 minutes"'),
	('{burden,documented_within}', '4'),
	('{burden,signed_within}', '"1 month"'),
	('{scenarios}', '[]'),
	('{odd \"key}', '1'),
	('{expectations,0,name}', to_jsonb(repeat('long ', 40))),
	('{steps,0,required_fields}', '["code:LN"]');
\pset format unaligned
\pset tuples_only on
SELECT f.n, coalesce(e.detail || E'\n' || e.hint, e.code)
FROM fault AS f, good AS g, pg_temp.fault(jsonb_set(g.document, f.place, f.value)) AS e ORDER BY f.n;
\pset format aligned
\pset tuples_only off
SELECT e.code, e.message, count(*)
FROM fault AS f, good AS g, pg_temp.fault(jsonb_set(g.document, f.place, f.value)) AS e GROUP BY e.code, e.message;
-- Of several faults the first is reported.
SELECT e.detail FROM good AS g, pg_temp.fault(jsonb_set(jsonb_set(jsonb_set(g.document,
	'{billing,0,within}', '"1 month"'), '{expectations,1,within}', '"1 month"'), '{expectations,0,escalate_to}', '7')) AS e;
-- Not a document at all.
SELECT d, e.code, e.detail, e.hint
FROM (VALUES ('null'::jsonb), ('[]'), ('"results"'), ('{}'), (NULL)) AS v(d), pg_temp.fault(v.d) AS e;

-- Nothing of all this was stored.
SELECT workflow FROM workflow;
SELECT count(*) FROM workflow_step;
-- An error as a caller sees it.
SELECT define_workflow(jsonb_set(document, '{billing,0,within}', '"1 month"')) FROM good;
