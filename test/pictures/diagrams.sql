-- Imports diagrams of others: each becomes a map that can be defined, drawn and imported again, or is refused by name.

SET client_min_messages = error;
CREATE TABLE public.diagram (name text PRIMARY KEY, content text NOT NULL);
\set copy '\\copy public.diagram FROM ' :'file' ' CSV'
:copy
CREATE FUNCTION public.try(content text, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
DECLARE
	document xml;
	kinds jsonb;
	map jsonb;
BEGIN
	-- A byte order mark is no part of XML.
	document := ltrim(convert_from(decode(content, 'base64'), 'UTF8'), U&'\FEFF')::xml;
	-- Which kind of event a task leaves does not matter here.
	SELECT coalesce(jsonb_object_agg(id::text, 'order.placed'), '{}') INTO kinds
	FROM unnest(xpath('//*[contains(local-name(), "ask") or contains(local-name(), "ubProcess") or local-name() = "callActivity" or local-name() = "transaction"]/@id', document)) AS id;
	map := workflow_track.import_bpmn(document, 'diagram', 1, kinds);
	PERFORM workflow_track.define_workflow(map);
	IF workflow_track.import_bpmn(workflow_track.export_bpmn('diagram', 1)) IS DISTINCT FROM map THEN
		RAISE EXCEPTION 'the map is not the same after export and import';
	END IF;
	PERFORM workflow_track.workflow_picture('diagram', 1), workflow_track.workflow_picture('diagram', 1, 'mermaid');
	state := 'imported';
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
	message := SQLERRM;
END
$$;
CREATE TABLE public.outcome AS SELECT d.name, t.* FROM public.diagram AS d CROSS JOIN LATERAL public.try(d.content) AS t;
-- Refused: not XML, not text of this encoding, not BPMN or not well made, or what a map cannot hold.
SELECT CASE WHEN o.state IN ('imported', '2200M', '2200N', '22021', '22023', '0A000') AND o.message IS DISTINCT FROM 'invalid workflow document' THEN 'ok ' ELSE 'not ok ' END
	|| o.name || ': ' || concat_ws(' ', o.state, split_part(o.message, E'\n', 1))
FROM public.outcome AS o ORDER BY o.name;
SELECT CASE WHEN count(*) > 100 AND count(*) FILTER (WHERE o.state = 'imported') > 50 THEN 'ok ' ELSE 'not ok ' END
	|| format('%s diagrams: %s imported, %s refused', count(*), count(*) FILTER (WHERE o.state = 'imported'), count(*) FILTER (WHERE o.state <> 'imported'))
FROM public.outcome AS o;
