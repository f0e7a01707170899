-- A version of the map as a diagram in BPMN 2.0.
--
-- Steps stand in columns, by the longest way to them, and in rows, by who
-- performs them.  Where several transitions leave or reach a step there is an
-- exclusive gateway, so that each transition is one flow.

CREATE TYPE workflow_track.bpmn_shape AS (
	id text,
	tag text,
	name text,
	number integer,			-- the step's place in the document
	lane integer,
	slot integer,			-- row in the lane
	rank integer,			-- column
	x integer,
	y integer,
	width integer,
	height integer,
	step jsonb
);
COMMENT ON TYPE workflow_track.bpmn_shape IS 'part of export_bpmn(): a node and where it is drawn';

CREATE TYPE workflow_track.bpmn_line AS (
	id text,
	number integer,
	source text,
	target text,
	points integer[]		-- x and y of each corner
);
COMMENT ON TYPE workflow_track.bpmn_line IS 'part of export_bpmn(): a flow and where it is drawn';

CREATE FUNCTION workflow_track.bpmn_lanes(document jsonb) RETURNS TABLE (lane integer, roles jsonb, name text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT row_number() OVER (ORDER BY min(s.n))::integer, s.roles,
		coalesce((SELECT string_agg(r, ', ' ORDER BY n) FROM jsonb_array_elements_text(s.roles) WITH ORDINALITY AS r(r, n)), 'anybody')
	FROM (SELECT coalesce(s.step -> 'performed_by', '[]') AS roles, s.n FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n)) AS s
	GROUP BY s.roles
$$;
COMMENT ON FUNCTION workflow_track.bpmn_lanes(jsonb) IS 'part of export_bpmn(): a lane for each set of roles';

CREATE FUNCTION workflow_track.bpmn_transitions(document jsonb) RETURNS TABLE (number integer, source integer, target integer)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS (SELECT s.step ->> 'step' AS name, s.n::integer AS n FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n))
	SELECT t.n::integer, f.n, g.n
	FROM jsonb_array_elements(document -> 'transitions') WITH ORDINALITY AS t(transition, n)
	JOIN step AS f ON f.name = t.transition ->> 0 JOIN step AS g ON g.name = t.transition ->> 1
$$;
COMMENT ON FUNCTION workflow_track.bpmn_transitions(jsonb) IS 'part of export_bpmn(): transitions, steps by number';

CREATE FUNCTION workflow_track.bpmn_shapes(document jsonb) RETURNS SETOF workflow_track.bpmn_shape
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE step AS MATERIALIZED (
		SELECT s.n::integer AS n, s.step, l.lane, coalesce((s.step -> 'start')::boolean, false) AS starts, coalesce((s.step -> 'end')::boolean, false) AS ends
		FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n)
		JOIN workflow_track.bpmn_lanes(document) AS l ON l.roles = coalesce(s.step -> 'performed_by', '[]')),
	transition AS MATERIALIZED (SELECT * FROM workflow_track.bpmn_transitions(document)),
	reach (source, target) AS (
		SELECT t.source, t.target FROM transition AS t UNION SELECT r.source, t.target FROM reach AS r JOIN transition AS t ON t.source = r.target),
	-- Of a circle, what leads back in the order of the document does not count for columns.
	forward AS MATERIALIZED (
		SELECT t.source, t.target FROM transition AS t
		WHERE t.source <> t.target AND NOT (t.source > t.target AND EXISTS (SELECT FROM reach AS r WHERE (r.source, r.target) = (t.target, t.source)))),
	way (n, rank) AS (
		SELECT s.n, 0 FROM step AS s UNION SELECT f.target, w.rank + 1 FROM way AS w JOIN forward AS f ON f.source = w.n),
	placed AS MATERIALIZED (
		SELECT s.*, r.rank, (row_number() OVER (PARTITION BY s.lane, r.rank ORDER BY s.n) - 1)::integer AS slot,
			(SELECT count(*) FROM transition AS t WHERE t.source = s.n) + s.ends::integer > 1 AS has_split,
			(SELECT count(*) FROM transition AS t WHERE t.target = s.n) + s.starts::integer > 1 AS has_join
		FROM step AS s JOIN (SELECT w.n, max(w.rank) AS rank FROM way AS w GROUP BY w.n) AS r USING (n)),
	lane AS MATERIALIZED (
		SELECT l.lane, l.height, (80 + sum(l.height) OVER (ORDER BY l.lane) - l.height)::integer AS y
		FROM (SELECT p.lane, greatest((max(p.slot) + 1) * 120, least(length(n.name), 60) * 7 + 20) AS height
			FROM placed AS p JOIN workflow_track.bpmn_lanes(document) AS n USING (lane) GROUP BY p.lane, n.name) AS l),
	begins AS MATERIALIZED (SELECT count(*) AS n FROM placed AS p WHERE p.starts),
	column_width AS MATERIALIZED (
		SELECT p.rank, CASE WHEN bool_or(p.has_join) THEN 80 ELSE 0 END AS before, CASE WHEN bool_or(p.has_split) THEN 80 ELSE 0 END AS after
		FROM placed AS p GROUP BY p.rank),
	place AS MATERIALIZED (
		SELECT c.rank, c.before, (190 + CASE WHEN b.n = 0 THEN 60 WHEN b.n = 1 THEN 106 ELSE 186 END
			+ sum(c.before + 100 + c.after + 70) OVER (ORDER BY c.rank) - (c.before + 100 + c.after + 70))::integer AS x, c.before + 100 + c.after + 70 AS width
		FROM column_width AS c CROSS JOIN begins AS b),
	drawn AS MATERIALIZED (
		SELECT p.*, c.x + c.before AS x, l.y + p.slot * 120 + 60 AS middle FROM placed AS p JOIN place AS c USING (rank) JOIN lane AS l USING (lane))
	SELECT v.* FROM drawn AS d
	CROSS JOIN LATERAL (VALUES
		('step_' || d.n, CASE WHEN d.step -> 'performed_by' <> '[]' THEN 'userTask' WHEN d.step -> 'in' <> '[]' THEN 'serviceTask' ELSE 'task' END,
			d.step ->> 'step', d.n, d.lane, d.slot, d.rank, d.x, d.middle - 40, 100, 80, d.step),
		(CASE WHEN d.has_join THEN 'join_' || d.n END, 'exclusiveGateway', NULL, d.n, d.lane, d.slot, d.rank, d.x - 80, d.middle - 25, 50, 50, NULL),
		(CASE WHEN d.has_split THEN 'split_' || d.n END, 'exclusiveGateway', NULL, d.n, d.lane, d.slot, d.rank, d.x + 130, d.middle - 25, 50, 50, NULL)) AS v
	WHERE v.column1 IS NOT NULL
	UNION ALL
	(SELECT v.* FROM drawn AS d CROSS JOIN begins AS b
	CROSS JOIN LATERAL (VALUES
		('start', 'startEvent', NULL::text, 0, d.lane, d.slot, -1, 190, d.middle - 18, 36, 36, NULL::jsonb),
		(CASE WHEN b.n > 1 THEN 'start_split' END, 'exclusiveGateway', NULL, 0, d.lane, d.slot, -1, 256, d.middle - 25, 50, 50, NULL)) AS v
	WHERE d.starts AND v.column1 IS NOT NULL ORDER BY d.n, v.column1 LIMIT (SELECT CASE WHEN b.n > 1 THEN 2 ELSE 1 END FROM begins AS b))
	UNION ALL
	(SELECT 'end', 'endEvent', NULL, 0, d.lane, d.slot, e.rank, e.x, d.middle - 18, 36, 36, NULL
	FROM drawn AS d CROSS JOIN (SELECT max(c.rank) + 1 AS rank, max(c.x + c.width) AS x FROM place AS c) AS e
	WHERE d.ends ORDER BY d.n LIMIT 1)
$$;
COMMENT ON FUNCTION workflow_track.bpmn_shapes(jsonb) IS 'part of export_bpmn(): the nodes of a diagram, laid out';

CREATE FUNCTION workflow_track.bpmn_lines(document jsonb, shapes workflow_track.bpmn_shape[]) RETURNS SETOF workflow_track.bpmn_line
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH shape AS MATERIALIZED (SELECT s.* FROM unnest(shapes) AS s),
	-- Where a step is entered and where it is left.
	door AS MATERIALIZED (
		SELECT s.number, coalesce(j.id, s.id) AS entry, coalesce(o.id, s.id) AS exit, s.step
		FROM shape AS s
		LEFT JOIN shape AS j ON j.id = 'join_' || s.number LEFT JOIN shape AS o ON o.id = 'split_' || s.number
		WHERE s.step IS NOT NULL),
	-- Transitions come last, in their order: by that an import tells the order of the transitions.
	line AS MATERIALIZED (
		SELECT row_number() OVER (ORDER BY l.place, l.n)::integer AS number, l.source, l.target
		FROM (
			SELECT 1 AS place, d.number AS n, d.entry AS source, 'step_' || d.number AS target FROM door AS d WHERE d.entry LIKE 'join%'
			UNION ALL
			SELECT 2, d.number, 'step_' || d.number, d.exit FROM door AS d WHERE d.exit LIKE 'split%'
			UNION ALL
			SELECT 3, 0, 'start', s.id FROM shape AS s WHERE s.id = 'start_split'
			UNION ALL
			SELECT 4, d.number, coalesce(s.id, 'start'), d.entry FROM door AS d LEFT JOIN shape AS s ON s.id = 'start_split' WHERE (d.step -> 'start')::boolean
			UNION ALL
			SELECT 5, d.number, d.exit, 'end' FROM door AS d WHERE (d.step -> 'end')::boolean
			UNION ALL
			SELECT 6, t.number, f.exit, g.entry
			FROM workflow_track.bpmn_transitions(document) AS t JOIN door AS f ON f.number = t.source JOIN door AS g ON g.number = t.target) AS l),
	-- Lines run to the right between the columns, and else between the rows.
	edge AS MATERIALIZED (
		SELECT l.*, s.x + s.width AS x1, s.y + s.height / 2 AS y1, t.x AS x2, t.y + t.height / 2 AS y2, s.rank AS rank1, t.rank AS rank2, s.number = t.number AND s.rank = t.rank AND s.x < t.x AS is_inner,
			s.lane AS lane1, s.slot AS slot1, t.lane AS lane2, t.slot AS slot2,
			(SELECT min(c.x) FROM shape AS c WHERE c.rank = s.rank + 1) - 15 - l.number % 7 * 6 AS gap1,
			(SELECT min(c.x) FROM shape AS c WHERE c.rank = t.rank) - 15 - l.number % 7 * 6 AS gap2,
			(SELECT max(c.x + c.width) FROM shape AS c WHERE c.rank = s.rank) + 15 + l.number % 7 * 6 AS beyond,
			s.y + s.height / 2 + 56 - l.number % 3 * 6 AS channel,
			EXISTS (SELECT FROM shape AS c WHERE c.rank > s.rank AND c.rank < t.rank AND (c.lane, c.slot) = (s.lane, s.slot)) AS row1_is_taken,
			EXISTS (SELECT FROM shape AS c WHERE c.rank > s.rank AND c.rank < t.rank AND (c.lane, c.slot) = (t.lane, t.slot)) AS row2_is_taken
		FROM line AS l JOIN shape AS s ON s.id = l.source JOIN shape AS t ON t.id = l.target)
	SELECT 'flow_' || e.number, e.number, e.source, e.target, CASE
		WHEN e.is_inner OR e.y1 = e.y2 AND e.rank2 > e.rank1 AND NOT e.row1_is_taken THEN ARRAY[e.x1, e.y1, e.x2, e.y2]
		WHEN e.rank2 > e.rank1 AND NOT e.row2_is_taken THEN ARRAY[e.x1, e.y1, e.gap1, e.y1, e.gap1, e.y2, e.x2, e.y2]
		ELSE ARRAY[e.x1, e.y1, coalesce(e.gap1, e.beyond), e.y1, coalesce(e.gap1, e.beyond), e.channel, e.gap2, e.channel, e.gap2, e.y2, e.x2, e.y2]
	END
	FROM edge AS e ORDER BY e.number
$$;
COMMENT ON FUNCTION workflow_track.bpmn_lines(jsonb, workflow_track.bpmn_shape[]) IS 'part of export_bpmn(): the flows of a diagram, laid out';

-- What the extension of a step says: all that neither its name, its lane nor its flows do.
CREATE FUNCTION workflow_track.bpmn_extension(step jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(step) AS k
	WHERE k.key <> 'step' AND NOT (k.key = 'performed_by' AND k.value <> '[]') AND NOT (k.key IN ('repeatable', 'start', 'end') AND k.value = 'true')
$$;
COMMENT ON FUNCTION workflow_track.bpmn_extension(jsonb) IS 'part of export_bpmn(): what is said of a step that BPMN has no word for';

CREATE FUNCTION workflow_track.bpmn_process(document jsonb, shapes workflow_track.bpmn_shape[], lines workflow_track.bpmn_line[], has_lanes boolean) RETURNS xml
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT xmlelement(NAME "bpmn:process", xmlattributes('process' AS id, document ->> 'workflow' AS name, 'false' AS "isExecutable"),
		xmlelement(NAME "bpmn:extensionElements", xmlelement(NAME "wt:workflow", (
			SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(document) AS k
			WHERE k.key <> 'workflow' AND NOT (k.key IN ('steps', 'transitions') AND k.value <> '[]'))::text)),
		CASE WHEN has_lanes THEN xmlelement(NAME "bpmn:laneSet", xmlattributes('lanes' AS id), (
			SELECT xmlagg(xmlelement(NAME "bpmn:lane", xmlattributes('lane_' || l.lane AS id, l.name AS name),
				CASE WHEN jsonb_array_length(l.roles) <> 1 THEN
					xmlelement(NAME "bpmn:extensionElements", xmlelement(NAME "wt:lane", jsonb_build_object('performed_by', l.roles)::text)) END,
				(SELECT xmlagg(xmlelement(NAME "bpmn:flowNodeRef", s.id) ORDER BY s.number, s.id) FROM unnest(shapes) AS s WHERE s.lane = l.lane)) ORDER BY l.lane)
			FROM workflow_track.bpmn_lanes(document) AS l)) END,
		(SELECT xmlagg(CASE s.tag
				WHEN 'startEvent' THEN xmlelement(NAME "bpmn:startEvent", xmlattributes(s.id AS id), n.flows)
				WHEN 'endEvent' THEN xmlelement(NAME "bpmn:endEvent", xmlattributes(s.id AS id), n.flows)
				WHEN 'exclusiveGateway' THEN xmlelement(NAME "bpmn:exclusiveGateway", xmlattributes(s.id AS id), n.flows)
				WHEN 'userTask' THEN xmlelement(NAME "bpmn:userTask", xmlattributes(s.id AS id, s.name AS name), n.said, n.flows, n.loop)
				WHEN 'serviceTask' THEN xmlelement(NAME "bpmn:serviceTask", xmlattributes(s.id AS id, s.name AS name), n.said, n.flows, n.loop)
				ELSE xmlelement(NAME "bpmn:task", xmlattributes(s.id AS id, s.name AS name), n.said, n.flows, n.loop) END ORDER BY s.number, s.id)
			FROM unnest(shapes) AS s
			CROSS JOIN LATERAL (SELECT
				xmlelement(NAME "bpmn:extensionElements", xmlelement(NAME "wt:step", workflow_track.bpmn_extension(s.step)::text)) AS said,
				xmlconcat((SELECT xmlagg(xmlelement(NAME "bpmn:incoming", l.id) ORDER BY l.number) FROM unnest(lines) AS l WHERE l.target = s.id),
					(SELECT xmlagg(xmlelement(NAME "bpmn:outgoing", l.id) ORDER BY l.number) FROM unnest(lines) AS l WHERE l.source = s.id)) AS flows,
				CASE WHEN (s.step -> 'repeatable')::boolean THEN xmlelement(NAME "bpmn:standardLoopCharacteristics") END AS loop) AS n),
		(SELECT xmlagg(xmlelement(NAME "bpmn:sequenceFlow", xmlattributes(l.id AS id, l.source AS "sourceRef", l.target AS "targetRef")) ORDER BY l.number)
			FROM unnest(lines) AS l))
$$;
COMMENT ON FUNCTION workflow_track.bpmn_process(jsonb, workflow_track.bpmn_shape[], workflow_track.bpmn_line[], boolean) IS
'part of export_bpmn(): what the diagram means';

CREATE FUNCTION workflow_track.bpmn_box(element text, x integer, y integer, width integer, height integer, is_horizontal boolean, is_marked boolean) RETURNS xml
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT xmlelement(NAME "bpmndi:BPMNShape", xmlattributes('shape_' || element AS id, element AS "bpmnElement",
			CASE WHEN is_horizontal THEN 'true' END AS "isHorizontal", CASE WHEN is_marked THEN 'true' END AS "isMarkerVisible"),
		xmlelement(NAME "dc:Bounds", xmlattributes(x AS x, y AS y, width AS width, height AS height)))
$$;
COMMENT ON FUNCTION workflow_track.bpmn_box(text, integer, integer, integer, integer, boolean, boolean) IS 'part of export_bpmn(): where an element is drawn';

CREATE FUNCTION workflow_track.bpmn_plane(document jsonb, shapes workflow_track.bpmn_shape[], lines workflow_track.bpmn_line[], has_lanes boolean) RETURNS xml
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH lane AS (
		SELECT s.lane, min(s.y + s.height / 2 - s.slot * 120) - 60 AS y FROM unnest(shapes) AS s GROUP BY s.lane),
	sized AS (
		SELECT l.lane, l.y, coalesce(lead(l.y) OVER (ORDER BY l.y),
			l.y + greatest((SELECT max(s.slot) + 1 FROM unnest(shapes) AS s WHERE s.lane = l.lane) * 120, least(length(n.name), 60) * 7 + 20)) - l.y AS height,
			(SELECT max(s.x + s.width) FROM unnest(shapes) AS s) + 100 AS right
		FROM lane AS l JOIN workflow_track.bpmn_lanes(document) AS n USING (lane))
	SELECT xmlelement(NAME "bpmndi:BPMNPlane", xmlattributes('plane' AS id, CASE WHEN has_lanes THEN 'collaboration' ELSE 'process' END AS "bpmnElement"),
		CASE WHEN has_lanes THEN xmlconcat(
			(SELECT workflow_track.bpmn_box('pool', 120, min(z.y)::integer, max(z.right)::integer - 120, sum(z.height)::integer, true, false) FROM sized AS z),
			(SELECT xmlagg(workflow_track.bpmn_box('lane_' || z.lane, 150, z.y, z.right - 150, z.height, true, false) ORDER BY z.lane) FROM sized AS z)) END,
		(SELECT xmlagg(workflow_track.bpmn_box(s.id, s.x, s.y, s.width, s.height, false, s.tag = 'exclusiveGateway') ORDER BY s.number, s.id) FROM unnest(shapes) AS s),
		(SELECT xmlagg(xmlelement(NAME "bpmndi:BPMNEdge", xmlattributes('edge_' || l.id AS id, l.id AS "bpmnElement"), (
				SELECT xmlagg(xmlelement(NAME "di:waypoint", xmlattributes(l.points[n] AS x, l.points[n + 1] AS y)) ORDER BY n)
				FROM generate_series(1, cardinality(l.points), 2) AS n)) ORDER BY l.number)
			FROM unnest(lines) AS l))
$$;
COMMENT ON FUNCTION workflow_track.bpmn_plane(jsonb, workflow_track.bpmn_shape[], workflow_track.bpmn_line[], boolean) IS
'part of export_bpmn(): how the diagram looks';

-- libxml gives what is beyond ASCII in attributes by number, and some modellers do not know every number.
CREATE FUNCTION workflow_track.bpmn_letters(document xml) RETURNS xml
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	letters text := document;
	number text;
	code integer;
BEGIN
	FOR number IN SELECT DISTINCT m[1] FROM regexp_matches(letters, '&#x([0-9A-F]+);', 'g') AS m
	LOOP
		code := ('x' || lpad(number, 8, '0'))::bit(32)::integer;
		IF code > 159 AND getdatabaseencoding() = 'UTF8' THEN
			letters := replace(letters, '&#x' || number || ';', chr(code));
		END IF;
	END LOOP;
	RETURN letters;
END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_letters(xml) IS 'part of export_bpmn(): a document with letters instead of their numbers';

CREATE FUNCTION workflow_track.export_bpmn(workflow text, version integer) RETURNS xml
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	document CONSTANT jsonb := workflow_track.existing_document(workflow, version);
	shapes workflow_track.bpmn_shape[];
	lines workflow_track.bpmn_line[];
	-- Where no step says by whom, there is nothing to tell apart.
	has_lanes CONSTANT boolean := jsonb_path_exists(document, '$.steps[*].performed_by[*]');
	unfit text;
BEGIN
	SELECT min(n.name #>> '{}') INTO unfit
	FROM (SELECT document -> 'workflow' UNION ALL SELECT jsonb_path_query(document, '$.steps[*].step') UNION ALL SELECT jsonb_path_query(document, '$.steps[*].performed_by[*]')) AS n(name)
	WHERE n.name #>> '{}' ~ '[\x01-\x08\x0b\x0c\x0e-\x1f]' OR document::text ~ '[\ufffe\uffff]';
	IF unfit IS NOT NULL THEN
		RAISE EXCEPTION 'a name has a character that XML cannot hold: %', to_json(unfit) USING
			ERRCODE = 'invalid_parameter_value', HINT = 'Define the next version with another name.';
	END IF;
	shapes := ARRAY(SELECT s FROM workflow_track.bpmn_shapes(document) AS s);
	lines := ARRAY(SELECT l FROM workflow_track.bpmn_lines(document, shapes) AS l);
	RETURN workflow_track.bpmn_letters(xmlelement(NAME "bpmn:definitions", xmlattributes('http://www.omg.org/spec/BPMN/20100524/MODEL' AS "xmlns:bpmn",
			'http://www.omg.org/spec/BPMN/20100524/DI' AS "xmlns:bpmndi", 'http://www.omg.org/spec/DD/20100524/DC' AS "xmlns:dc",
			'http://www.omg.org/spec/DD/20100524/DI' AS "xmlns:di", 'urn:workflow-track:bpmn' AS "xmlns:wt", 'definitions' AS id,
			'urn:workflow-track:bpmn' AS "targetNamespace", 'workflow_track' AS exporter, workflow_track.code_version() AS "exporterVersion"),
		CASE WHEN has_lanes THEN xmlelement(NAME "bpmn:collaboration", xmlattributes('collaboration' AS id),
			xmlelement(NAME "bpmn:participant", xmlattributes('pool' AS id, workflow AS name, 'process' AS "processRef"))) END,
		workflow_track.bpmn_process(document, shapes, lines, has_lanes),
		xmlelement(NAME "bpmndi:BPMNDiagram", xmlattributes('diagram' AS id), workflow_track.bpmn_plane(document, shapes, lines, has_lanes))));
END
$$;
COMMENT ON FUNCTION workflow_track.export_bpmn(text, integer) IS
'a version of the map as a diagram in BPMN 2.0, which import_bpmn() makes the same map of';
