-- Reading a diagram in BPMN 2.0 as a document for define_workflow().
--
-- The diagram becomes a graph: its flow nodes, and edges by which control
-- passes.  Steps of the map are those nodes that leave an event; one may follow
-- another where edges lead from it to the other through nodes that leave none.

CREATE TYPE workflow_track.bpmn_node AS (
	number integer,			-- place in the document
	sort text,				-- step, gateway, event; group: a subprocess whose content is drawn; hidden: content that is not
	tag text,
	id text,
	name text,
	parent text,
	attached_to text,		-- of a boundary event
	interrupts boolean,
	repeats boolean,
	definition text,		-- of an event: timer, message, ...
	duration text,			-- of a timer
	link text,				-- of a link event, its name
	by_event boolean,		-- of a subprocess: whether an event starts it
	said jsonb,				-- what the extension says
	is_ours boolean			-- whether export_bpmn() wrote it, and so everything about it
);
COMMENT ON TYPE workflow_track.bpmn_node IS 'part of import_bpmn(): a flow node of a diagram';

CREATE TYPE workflow_track.bpmn_edge AS (
	number integer,
	source text,
	target text,
	sort text				-- flow, or boundary: from what comes before an activity to an event at its boundary
);
COMMENT ON TYPE workflow_track.bpmn_edge IS 'part of import_bpmn(): where control passes from node to node';

CREATE TYPE workflow_track.bpmn_move AS (
	source text,			-- a step, or "start"
	target text,			-- a step, or "end"
	number integer,			-- by what flow
	sort text				-- flow; beside: branches run side by side; branch: no move, as the other branches hold steps;
							-- bypass: no move, a way leads around the step, which is both source and target
);
COMMENT ON TYPE workflow_track.bpmn_move IS 'part of import_bpmn(): a step that may come next after another';

CREATE FUNCTION workflow_track.bpmn_words(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT nullif(btrim(regexp_replace(name, '\s+', ' ', 'g')), '')
$$;
COMMENT ON FUNCTION workflow_track.bpmn_words(text) IS 'part of import_bpmn(): a name as one line, null if it is blank';

CREATE FUNCTION workflow_track.bpmn_called(tag text, name text, id text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT concat(lower(regexp_replace(tag, '([A-Z])', ' \1', 'g')), ' "' || workflow_track.bpmn_words(name) || '"', ' (' || nullif(id, '') || ')')
$$;
COMMENT ON FUNCTION workflow_track.bpmn_called(text, text, text) IS 'part of import_bpmn(): what an element is called in an error';

-- What the extension, or properties that a modeller lets people set, say of an element.
CREATE FUNCTION workflow_track.bpmn_said(id text, content text, properties xml) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	said jsonb;
	property record;
BEGIN
	IF content <> '' THEN
		BEGIN
			said := content::jsonb;
		EXCEPTION WHEN data_exception THEN
			RAISE EXCEPTION 'the extension of element "%" is no JSON', id USING ERRCODE = 'invalid_parameter_value';
		END;
		IF jsonb_typeof(said) <> 'object' THEN
			RAISE EXCEPTION 'the extension of element "%" is no JSON object', id USING ERRCODE = 'invalid_parameter_value';
		END IF;
	END IF;
	IF properties IS NULL THEN
		RETURN said;
	END IF;
	FOR property IN
		SELECT substr(p.name, 16) AS key, p.value FROM XMLTABLE('/all/*[starts-with(@name, "workflow_track.")]' PASSING xmlelement(NAME "all", properties)
			COLUMNS name text PATH '@name', value text PATH '@value') AS p
	LOOP
		said := coalesce(said, '{}') || jsonb_build_object(property.key, CASE
			WHEN property.key IN ('in', 'performed_by', 'delivered_to', 'required_fields', 'after', 'expect', 'by', 'cancelled_by') THEN
				to_jsonb(regexp_split_to_array(btrim(property.value), '\s*,\s*'))
			WHEN property.value IN ('true', 'false') THEN to_jsonb(property.value::boolean)
			ELSE to_jsonb(property.value) END);
	END LOOP;
	RETURN said;
END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_said(text, text, xml) IS
'part of import_bpmn(): the keys of the map that an element of a diagram has in its extension';

CREATE FUNCTION workflow_track.bpmn_kind(id text, name text, said jsonb, kinds jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(said ->> 'kind', kinds ->> id, kinds ->> name, kinds ->> workflow_track.bpmn_words(name),
		-- A name that is a kind, or has the words of one: "Order placed".
		(SELECT k.kind FROM workflow_track.event_kind AS k
			WHERE k.kind IN (name, regexp_replace(regexp_replace(lower(workflow_track.bpmn_words(name)), ' (\S+)$', '.\1'), '[ -]', '_', 'g'))))
$$;
COMMENT ON FUNCTION workflow_track.bpmn_kind(text, text, jsonb, jsonb) IS
'part of import_bpmn(): the kind of event that an element leaves: as its extension says, the argument, or its own name';

CREATE FUNCTION workflow_track.bpmn_nodes(document xml, kinds jsonb) RETURNS SETOF workflow_track.bpmn_node
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE element AS MATERIALIZED (
		SELECT x.*, workflow_track.bpmn_said(x.id, x.content, x.properties) AS said
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn, 'urn:workflow-track:bpmn' AS wt),
			'//*[self::bpmn:task or self::bpmn:userTask or self::bpmn:manualTask or self::bpmn:serviceTask or self::bpmn:sendTask
				or self::bpmn:receiveTask or self::bpmn:scriptTask or self::bpmn:businessRuleTask or self::bpmn:callActivity
				or self::bpmn:subProcess or self::bpmn:transaction or self::bpmn:adHocSubProcess
				or self::bpmn:exclusiveGateway or self::bpmn:parallelGateway or self::bpmn:inclusiveGateway
				or self::bpmn:eventBasedGateway or self::bpmn:complexGateway
				or self::bpmn:startEvent or self::bpmn:endEvent or self::bpmn:boundaryEvent
				or self::bpmn:intermediateCatchEvent or self::bpmn:intermediateThrowEvent or self::bpmn:implicitThrowEvent]' PASSING document
			COLUMNS number FOR ORDINALITY, tag text PATH 'local-name()', id text PATH '@id', name text PATH '@name', parent text PATH '../@id',
				attached_to text PATH '@attachedToRef', interrupts boolean PATH 'not(@cancelActivity = "false")',
				repeats boolean PATH 'boolean(bpmn:standardLoopCharacteristics | bpmn:multiInstanceLoopCharacteristics)',
				definition text PATH 'substring-before(local-name(bpmn:*[substring-before(local-name(), "EventDefinition") != ""][1]), "EventDefinition")',
				duration text PATH 'string(bpmn:timerEventDefinition[1]/bpmn:timeDuration[1])',
				link text PATH 'string(bpmn:linkEventDefinition[1]/@name)', by_event boolean PATH 'boolean(@triggeredByEvent = "true")',
				content text PATH 'string(bpmn:extensionElements[1]/wt:*[1])',
				properties xml PATH 'bpmn:extensionElements[1]//*[@name and @value]') AS x),
	shape AS MATERIALIZED (
		SELECT substring(s.id FROM '[^:]*$') AS id, bool_or(s.expanded) AS expanded
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/DI' AS di), '//di:BPMNShape[@bpmnElement]' PASSING document
			COLUMNS id text PATH '@bpmnElement', expanded boolean PATH 'boolean(@isExpanded = "true" or @isExpanded = "1")') AS s
		GROUP BY 1),
	sorted AS MATERIALIZED (
		SELECT e.*, CASE
				WHEN e.tag ~ '[gG]ateway$' THEN 'gateway'
				WHEN e.tag = 'boundaryEvent' OR e.definition = 'timer' THEN 'event'
				WHEN e.tag ~ 'Event$' THEN CASE WHEN workflow_track.bpmn_kind(e.id, e.name, e.said, kinds) IS NULL THEN 'event' ELSE 'step' END
				-- A subprocess is drawn with its content unless its shape says otherwise.
				WHEN e.tag IN ('subProcess', 'transaction', 'adHocSubProcess') AND coalesce(s.expanded, true)
					AND EXISTS (SELECT FROM element AS i WHERE i.parent = e.id) THEN 'group'
				ELSE 'step' END AS sort
		FROM element AS e LEFT JOIN shape AS s USING (id)),
	hidden (id) AS (
		SELECT i.id FROM sorted AS e JOIN sorted AS i ON i.parent = e.id WHERE e.sort = 'step'
		UNION SELECT i.id FROM hidden AS h JOIN sorted AS i ON i.parent = h.id)
	SELECT e.number, CASE WHEN h.id IS NULL THEN e.sort ELSE 'hidden' END, e.tag, e.id, e.name, e.parent, substring(e.attached_to FROM '[^:]*$'),
		e.interrupts, e.repeats, nullif(e.definition, ''), nullif(btrim(e.duration, E' \t\r\n'), ''), nullif(e.link, ''), e.by_event, e.said, e.content <> ''
	FROM sorted AS e LEFT JOIN hidden AS h USING (id)
	ORDER BY e.number
$$;
COMMENT ON FUNCTION workflow_track.bpmn_nodes(xml, jsonb) IS 'part of import_bpmn(): the flow nodes of a diagram';

-- What is no part of the map, or not in a way that is known.
CREATE FUNCTION workflow_track.bpmn_refuse(document xml, nodes workflow_track.bpmn_node[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	fault record;
BEGIN
	SELECT workflow_track.bpmn_called(f.tag, f.name, f.id) AS called, f.problem, f.hint INTO fault
	FROM (
		SELECT x.tag, x.name, x.id, 'is not a part of a process' AS problem, 'Draw the work as a process, in pools and lanes.' AS hint, 0 AS place, x.number
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn), '//bpmn:choreography | //bpmn:choreographyTask' PASSING document
			COLUMNS number FOR ORDINALITY, tag text PATH 'local-name()', name text PATH '@name', id text PATH '@id') AS x
		UNION ALL
		SELECT n.tag, n.name, n.id, p.problem, p.hint, p.place, n.number
		FROM unnest(nodes) AS n
		CROSS JOIN LATERAL (VALUES
			(1, coalesce(n.id, '') = '', 'has no id', 'Give it one: flows refer to it.'),
			(2, n.id IN (SELECT o.id FROM unnest(nodes) AS o GROUP BY o.id HAVING count(*) > 1), 'has an id that another element has', 'Ids are unique in a document.'),
			(3, n.tag = 'complexGateway', 'cannot be taken over: its rule is not known', 'Use an exclusive, parallel or inclusive gateway.'),
			(4, n.tag = 'adHocSubProcess' AND n.sort = 'group', 'cannot be taken over: it has no order', 'Draw the order, or collapse it to be one step.'),
			(5, n.by_event, 'cannot be taken over: an event starts it whenever it happens', 'Draw where it may happen, as a boundary event.'),
			(6, n.definition = 'compensate', 'cannot be taken over: it undoes steps', 'Draw what undoes a step as a step of its own.'),
			(7, n.tag = 'boundaryEvent' AND NOT EXISTS (SELECT FROM unnest(nodes) AS a WHERE a.id = n.attached_to AND a.sort IN ('step', 'group')),
				'is attached to nothing', 'Attach it to an activity.'),
			(8, n.definition = 'timer' AND n.tag IN ('boundaryEvent', 'intermediateCatchEvent') AND n.duration IS NOT NULL
					AND workflow_track.bpmn_duration(n.duration) IS NULL,
				'has a duration that is not exact: "' || n.duration || '"', 'Use weeks, days, hours, minutes or seconds, as in P2D or PT1H30M.')) AS p(place, fails, problem, hint)
		WHERE p.fails AND (n.sort <> 'hidden' OR p.place < 3)) AS f
	ORDER BY f.place, f.number LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '% %', fault.called, fault.problem USING ERRCODE = 'feature_not_supported', HINT = fault.hint;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_refuse(xml, workflow_track.bpmn_node[]) IS
'part of import_bpmn(): an error that names what a map cannot hold';

CREATE FUNCTION workflow_track.bpmn_duration(duration text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN duration ~ '^P(\d+W|(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)$' THEN (
		SELECT workflow_track.duration_in_words(workflow_track.map_duration(string_agg(m.part[1] || ' ' || u.unit, ' ' ORDER BY u.place)))
		FROM regexp_matches(duration, '(\d+(?:\.\d+)?)([WDHMS])', 'g') AS m(part)
		JOIN (VALUES (1, 'W', 'weeks'), (2, 'D', 'days'), (3, 'H', 'hours'), (4, 'M', 'minutes'), (5, 'S', 'seconds')) AS u(place, letter, unit) ON u.letter = m.part[2]
		WHERE m.part[1]::numeric > 0) END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_duration(text) IS
'part of import_bpmn(): an ISO 8601 duration as a map has it; null if it is not exact, or is none';

CREATE FUNCTION workflow_track.bpmn_edges(document xml, nodes workflow_track.bpmn_node[]) RETURNS SETOF workflow_track.bpmn_edge
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	flows workflow_track.bpmn_edge[];
	edges workflow_track.bpmn_edge[];
	broken record;
BEGIN
	-- Flows as they are drawn.  A group is entered at its id and left at id/out.
	SELECT workflow_track.bpmn_called(f.tag, f.name, f.id) AS called, f.source, f.target INTO broken
	FROM workflow_track.bpmn_flows(document) AS f
	LEFT JOIN unnest(nodes) AS s ON s.id = f.source LEFT JOIN unnest(nodes) AS t ON t.id = f.target
	WHERE f.tag = 'sequenceFlow' AND (s.id IS NULL OR t.id IS NULL)
	ORDER BY f.number LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '% does not lead from one element of the process to another', broken.called USING
			ERRCODE = 'invalid_parameter_value', DETAIL = format('It leads from "%s" to "%s".', broken.source, broken.target);
	END IF;
	flows := ARRAY(
		SELECT ROW(f.number, CASE WHEN s.sort = 'group' THEN s.id || '/out' ELSE s.id END, t.id, 'flow')::workflow_track.bpmn_edge
		FROM workflow_track.bpmn_flows(document) AS f
		JOIN unnest(nodes) AS s ON s.id = f.source AND s.sort <> 'hidden' JOIN unnest(nodes) AS t ON t.id = f.target AND t.sort <> 'hidden'
		UNION ALL
		SELECT ROW(t.number, t.id, c.id, 'flow')::workflow_track.bpmn_edge FROM unnest(nodes) AS t
		JOIN unnest(nodes) AS c ON c.link = t.link AND c.tag = 'intermediateCatchEvent' AND c.parent IS NOT DISTINCT FROM t.parent
		WHERE t.tag = 'intermediateThrowEvent');

	edges := flows || ARRAY(
		-- Into a group: to its start events, or to what nothing leads to.
		SELECT ROW(n.number, g.id, n.id, 'flow')::workflow_track.bpmn_edge
		FROM unnest(nodes) AS g JOIN unnest(nodes) AS n ON n.parent = g.id
		WHERE g.sort = 'group' AND n.tag <> 'boundaryEvent' AND NOT EXISTS (SELECT FROM unnest(flows) AS f WHERE f.target = n.id)
			AND (n.tag = 'startEvent' OR NOT EXISTS (SELECT FROM unnest(nodes) AS s WHERE s.parent = g.id AND s.tag = 'startEvent'))
		UNION ALL
		-- Out of it: from what leads nowhere; an error goes to the boundary instead.
		SELECT ROW(n.number, CASE WHEN n.sort = 'group' THEN n.id || '/out' ELSE n.id END, coalesce(b.id, g.id || '/out'), 'flow')::workflow_track.bpmn_edge
		FROM unnest(nodes) AS g JOIN unnest(nodes) AS n ON n.parent = g.id
		LEFT JOIN unnest(nodes) AS b ON b.attached_to = g.id AND n.tag = 'endEvent' AND n.definition IN ('error', 'cancel') AND b.definition = n.definition
		WHERE g.sort = 'group' AND n.sort <> 'hidden'
			AND (b.id IS NOT NULL OR n.tag <> 'endEvent' OR n.definition IS NULL OR n.definition NOT IN ('error', 'cancel'))
			AND NOT EXISTS (SELECT FROM unnest(flows) AS f WHERE f.source = CASE WHEN n.sort = 'group' THEN n.id || '/out' ELSE n.id END)
		UNION ALL
		SELECT ROW(g.number, g.id || '/out', g.id, 'flow')::workflow_track.bpmn_edge FROM unnest(nodes) AS g WHERE g.sort = 'group' AND g.repeats);
	RETURN QUERY SELECT * FROM unnest(edges);
	RETURN QUERY
	-- What is at the boundary of an activity happens after what comes before it, or after any step of a group.
	SELECT b.number, e.source, b.id, 'boundary' FROM unnest(nodes) AS b JOIN unnest(edges) AS e ON e.target = b.attached_to
	WHERE NOT EXISTS (SELECT FROM unnest(edges) AS x WHERE x.target = b.id)
	UNION
	SELECT b.number, i.id, b.id, 'boundary' FROM unnest(nodes) AS b
	CROSS JOIN LATERAL (
		WITH RECURSIVE inside (id, sort) AS (
			SELECT n.id, n.sort FROM unnest(nodes) AS n WHERE n.parent = b.attached_to
			UNION ALL SELECT n.id, n.sort FROM inside AS i JOIN unnest(nodes) AS n ON n.parent = i.id WHERE i.sort = 'group')
		SELECT i.id FROM inside AS i WHERE i.sort = 'step') AS i
	WHERE EXISTS (SELECT FROM unnest(nodes) AS g WHERE g.id = b.attached_to AND g.sort = 'group')
		AND NOT EXISTS (SELECT FROM unnest(edges) AS x WHERE x.target = b.id);
END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_edges(xml, workflow_track.bpmn_node[]) IS
'part of import_bpmn(): where control passes, groups entered and left, and what happens at boundaries';

CREATE FUNCTION workflow_track.bpmn_flows(document xml) RETURNS TABLE (number integer, tag text, id text, name text, source text, target text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	-- References may be qualified by a prefix.
	SELECT x.number, x.tag, x.id, x.name, substring(x.source FROM '[^:]*$'), substring(x.target FROM '[^:]*$')
	FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn), '//*[self::bpmn:sequenceFlow or self::bpmn:messageFlow]' PASSING document
		COLUMNS number FOR ORDINALITY, tag text PATH 'local-name()', id text PATH '@id', name text PATH '@name',
			source text PATH '@sourceRef', target text PATH '@targetRef') AS x
$$;
COMMENT ON FUNCTION workflow_track.bpmn_flows(xml) IS 'part of import_bpmn(): sequence flows and message flows';

CREATE FUNCTION workflow_track.bpmn_moves(nodes workflow_track.bpmn_node[], edges workflow_track.bpmn_edge[]) RETURNS SETOF workflow_track.bpmn_move
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE node AS MATERIALIZED (
		SELECT n.*, coalesce(o.n, 0) AS outgoing, coalesce(i.n, 0) AS incoming
		FROM unnest(nodes) AS n
		LEFT JOIN (SELECT e.source, count(*) AS n FROM unnest(edges) AS e GROUP BY e.source) AS o ON o.source = n.id
		LEFT JOIN (SELECT e.target, count(*) AS n FROM unnest(edges) AS e GROUP BY e.target) AS i ON i.target = n.id
		WHERE n.sort <> 'hidden'),
	edge AS MATERIALIZED (
		SELECT e.*, coalesce(s.sort = 'step', false) AS from_step FROM unnest(edges) AS e LEFT JOIN node AS s ON s.id = e.source),
	-- Nodes from which another is reached without a step on the way.
	silent (source, target) AS (
		SELECT n.id, n.id FROM node AS n WHERE n.sort <> 'step'
		UNION SELECT s.source, e.target FROM silent AS s JOIN edge AS e ON e.source = s.target AND NOT e.from_step),
	reach (source, target) AS (
		SELECT e.target, e.target FROM node AS n JOIN edge AS e ON e.source = n.id WHERE n.tag = 'parallelGateway'
		UNION SELECT r.source, e.target FROM reach AS r JOIN edge AS e ON e.source = r.target),
	walk (origin, node, number, splits, whole) AS (
		SELECT e.source, e.target, e.number, '{}'::text[], true FROM edge AS e WHERE e.from_step
		UNION
		-- A case begins where nothing leads to; a step of ours says itself whether it begins one.
		SELECT 'start', n.id, 0, '{}', true FROM node AS n
		WHERE n.incoming = 0 AND n.tag <> 'boundaryEvent' AND (n.tag = 'startEvent' OR NOT n.is_ours)
			AND NOT EXISTS (SELECT FROM node AS g WHERE g.id = n.parent)
		UNION
		SELECT w.origin, e.target, greatest(w.number, e.number),
			CASE WHEN n.tag = 'parallelGateway' AND n.outgoing > 1 AND n.id <> ALL (w.splits) THEN w.splits || n.id ELSE w.splits END,
			-- Branches that run side by side meet when each of them has come, so that no other may hold a step.
			w.whole AND NOT (coalesce(n.tag = 'parallelGateway' AND n.incoming > 1, false) AND EXISTS (
				SELECT FROM edge AS b WHERE b.source = ANY (w.splits)
					AND EXISTS (SELECT FROM reach AS r WHERE (r.source, r.target) = (b.target, w.node))
					AND NOT EXISTS (SELECT FROM silent AS s WHERE (s.source, s.target) = (b.target, w.node))))
		FROM walk AS w JOIN edge AS e ON e.source = w.node LEFT JOIN node AS n ON n.id = w.node
		WHERE NOT e.from_step),
	move AS (
		SELECT w.origin AS source, w.node AS target, w.number, w.whole FROM walk AS w JOIN node AS n ON n.id = w.node AND n.sort = 'step'
		UNION ALL
		-- It ends where nothing leads on, but not with a limit alone.
		SELECT w.origin, 'end', w.number, w.whole FROM walk AS w LEFT JOIN node AS n ON n.id = w.node
		WHERE n.sort IS DISTINCT FROM 'step' AND n.tag IS DISTINCT FROM 'boundaryEvent' AND NOT EXISTS (SELECT FROM edge AS e WHERE e.source = w.node)
		UNION ALL
		SELECT n.id, 'end', n.number, true FROM node AS n WHERE n.sort = 'step' AND n.outgoing = 0 AND (n.tag = 'endEvent' OR NOT n.is_ours)),
	-- Where control can stand before and after a step; all ends are one.
	before AS MATERIALIZED (
		SELECT DISTINCT e.target AS step, u.id AS node FROM edge AS e JOIN silent AS s ON s.target = e.source
		JOIN node AS u ON u.id = s.source AND u.tag IN ('exclusiveGateway', 'inclusiveGateway', 'eventBasedGateway')
		JOIN node AS n ON n.id = e.target AND n.sort = 'step' AND NOT n.is_ours),
	terminal AS MATERIALIZED (
		SELECT DISTINCT s.source, CASE WHEN EXISTS (SELECT FROM edge AS e WHERE e.source = s.target) THEN s.target ELSE 'end' END AS target FROM silent AS s),
	-- Branches that run side by side: of gateways, of what several flows leave, and of what does not interrupt.
	branch (split, first) AS (
		SELECT n.id, e.target FROM node AS n JOIN edge AS e ON e.source = n.id AND e.sort = 'flow'
		WHERE n.tag NOT IN ('exclusiveGateway', 'eventBasedGateway')
		UNION
		SELECT g.id || '/out', e.target FROM node AS g JOIN edge AS e ON e.source = g.id || '/out' AND e.sort = 'flow' AND e.target <> g.id WHERE g.sort = 'group'
		UNION
		SELECT b.id || '/split', v.first FROM node AS b CROSS JOIN LATERAL (VALUES (b.id), (b.attached_to)) AS v(first)
		WHERE b.tag = 'boundaryEvent' AND NOT b.interrupts),
	inside (split, first, node) AS (
		SELECT b.split, b.first, b.first FROM branch AS b WHERE b.split IN (SELECT o.split FROM branch AS o GROUP BY o.split HAVING count(*) > 1)
		UNION SELECT i.split, i.first, e.target FROM inside AS i JOIN edge AS e ON e.source = i.node WHERE e.target <> i.split),
	own AS MATERIALIZED (SELECT i.split, i.first, i.node FROM inside AS i JOIN node AS n ON n.id = i.node AND n.sort = 'step')
	SELECT m.source, m.target, min(m.number), CASE WHEN bool_or(m.whole) THEN 'flow' ELSE 'branch' END FROM move AS m GROUP BY m.source, m.target
	UNION ALL
	SELECT DISTINCT b.step, b.step, NULL::integer, 'bypass'
	FROM before AS b JOIN edge AS e ON e.source = b.step JOIN terminal AS a ON a.source = e.target JOIN terminal AS w ON (w.source, w.target) = (b.node, a.target)
	UNION ALL
	SELECT DISTINCT x.node, y.node, NULL::integer, 'beside'
	FROM own AS x JOIN own AS y ON y.split = x.split AND y.first <> x.first
	WHERE x.node <> y.node
		AND NOT EXISTS (SELECT FROM own AS o WHERE (o.split, o.first, o.node) = (x.split, y.first, x.node))
		AND NOT EXISTS (SELECT FROM own AS o WHERE (o.split, o.first, o.node) = (y.split, x.first, y.node))
		AND NOT EXISTS (SELECT FROM move AS m WHERE (m.source, m.target) = (x.node, y.node) AND m.whole)
$$;
COMMENT ON FUNCTION workflow_track.bpmn_moves(workflow_track.bpmn_node[], workflow_track.bpmn_edge[]) IS
'part of import_bpmn(): which step may come next after which, where a case begins and where it ends';

CREATE FUNCTION workflow_track.bpmn_limits(nodes workflow_track.bpmn_node[], edges workflow_track.bpmn_edge[])
RETURNS TABLE (id text, called text, name text, within text, after text[], expect text[], said jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE node AS MATERIALIZED (SELECT n.* FROM unnest(nodes) AS n WHERE n.sort <> 'hidden'),
	edge AS MATERIALIZED (SELECT e.* FROM unnest(edges) AS e),
	-- A timer at the boundary of an activity, or beside other events that are waited for.
	timer AS MATERIALIZED (
		SELECT t.*, coalesce(a.id, g.id) AS since, a.id AS activity, a.sort AS activity_sort
		FROM node AS t
		LEFT JOIN node AS a ON a.id = t.attached_to
		LEFT JOIN edge AS e ON e.target = t.id AND t.tag = 'intermediateCatchEvent'
		LEFT JOIN node AS g ON g.id = e.source AND g.tag = 'eventBasedGateway'
		WHERE t.definition = 'timer' AND (a.id IS NOT NULL OR g.id IS NOT NULL)),
	-- Steps before a point, and steps after one.
	back (id, goal, node) AS (
		SELECT t.id, v.goal, e.source FROM timer AS t
		CROSS JOIN LATERAL (VALUES ('after', t.since), ('expect', t.activity || '/out')) AS v(goal, point)
		JOIN edge AS e ON e.target = v.point
		UNION
		SELECT b.id, b.goal, e.source FROM back AS b JOIN edge AS e ON e.target = b.node
		WHERE NOT EXISTS (SELECT FROM node AS n WHERE n.id = b.node AND n.sort = 'step')),
	ahead (id, node) AS (
		SELECT t.id, e.target FROM timer AS t JOIN edge AS e ON e.source = t.since AND e.target <> t.id WHERE t.activity IS NULL
		UNION
		SELECT a.id, e.target FROM ahead AS a JOIN edge AS e ON e.source = a.node
		WHERE NOT EXISTS (SELECT FROM node AS n WHERE n.id = a.node AND n.sort = 'step'))
	SELECT t.id, workflow_track.bpmn_called(t.tag, t.name, t.id), workflow_track.bpmn_words(t.name), workflow_track.bpmn_duration(t.duration),
		ARRAY(SELECT n.id FROM back AS b JOIN node AS n ON n.id = b.node AND n.sort = 'step' WHERE b.id = t.id AND b.goal = 'after' ORDER BY n.number),
		ARRAY(SELECT n.id FROM node AS n WHERE n.sort = 'step' AND (
			n.id = t.activity
			OR EXISTS (SELECT FROM back AS b WHERE (b.id, b.goal, b.node) = (t.id, 'expect', n.id))
			OR EXISTS (SELECT FROM ahead AS a WHERE (a.id, a.node) = (t.id, n.id))) ORDER BY n.number),
		t.said
	FROM timer AS t ORDER BY t.number
$$;
COMMENT ON FUNCTION workflow_track.bpmn_limits(workflow_track.bpmn_node[], workflow_track.bpmn_edge[]) IS
'part of import_bpmn(): timers, with the steps that they run from and the steps that they wait for';

CREATE FUNCTION workflow_track.bpmn_roles(document xml, nodes workflow_track.bpmn_node[]) RETURNS TABLE (id text, roles jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE lane AS MATERIALIZED (
		SELECT x.id, x.process, CASE
				-- What the name says counts: somebody may have changed it.
				WHEN s.roles = '[]' AND x.name = 'anybody' OR x.name = (SELECT string_agg(r, ', ' ORDER BY n) FROM jsonb_array_elements_text(s.roles) WITH ORDINALITY AS r(r, n))
				THEN s.roles ELSE jsonb_build_array(workflow_track.bpmn_words(x.name)) END AS roles
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn, 'urn:workflow-track:bpmn' AS wt), '//bpmn:lane' PASSING document
			COLUMNS id text PATH '@id', name text PATH '@name', process text PATH 'string(ancestor::bpmn:process/@id)',
				content text PATH 'string(bpmn:extensionElements[1]/wt:lane[1])') AS x
		CROSS JOIN LATERAL (SELECT workflow_track.bpmn_said(x.id, x.content, NULL) -> 'performed_by' AS roles) AS s),
	place AS MATERIALIZED (
		-- The innermost lane, where they are nested.
		SELECT DISTINCT ON (r.node) r.node, l.roles
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn), '//bpmn:lane/bpmn:flowNodeRef' PASSING document
			COLUMNS node text PATH 'normalize-space(.)', lane text PATH '../@id', depth integer PATH 'count(ancestor::bpmn:lane)', number FOR ORDINALITY) AS x
		CROSS JOIN LATERAL (SELECT substring(x.node FROM '[^:]*$') AS node) AS r
		JOIN lane AS l ON l.id = x.lane
		WHERE l.roles <> '[null]'
		ORDER BY r.node, x.depth DESC, x.number),
	-- A pool is a role where there are several of them, without lanes.
	pool AS MATERIALIZED (
		SELECT p.process, jsonb_build_array(p.name) AS roles
		FROM (SELECT substring(x.process FROM '[^:]*$') AS process, workflow_track.bpmn_words(x.name) AS name, count(*) OVER () AS pools
			FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn), '//bpmn:participant[@processRef]' PASSING document
				COLUMNS process text PATH '@processRef', name text PATH '@name') AS x) AS p
		WHERE p.pools > 1 AND p.name IS NOT NULL AND NOT EXISTS (SELECT FROM lane AS l WHERE l.process = p.process)),
	up (id, here, roles) AS (
		SELECT n.id, n.parent, p.roles FROM unnest(nodes) AS n LEFT JOIN place AS p ON p.node = n.id
		UNION ALL
		SELECT u.id, n.parent, coalesce(p.roles, l.roles) FROM up AS u
		LEFT JOIN unnest(nodes) AS n ON n.id = u.here LEFT JOIN place AS p ON p.node = u.here LEFT JOIN pool AS l ON l.process = u.here
		WHERE u.roles IS NULL AND u.here IS NOT NULL)
	SELECT u.id, u.roles FROM up AS u WHERE u.roles IS NOT NULL
$$;
COMMENT ON FUNCTION workflow_track.bpmn_roles(xml, workflow_track.bpmn_node[]) IS
'part of import_bpmn(): by whom a node is performed, from its lane or pool';

CREATE FUNCTION workflow_track.bpmn_systems(document xml) RETURNS TABLE (id text, systems jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	-- The data stores that a step writes to.
	SELECT o.activity, jsonb_agg(DISTINCT s.name)
	FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn), '//bpmn:dataOutputAssociation/bpmn:targetRef' PASSING document
		COLUMNS activity text PATH '../../@id', store text PATH 'normalize-space(.)') AS o
	JOIN (SELECT x.id, workflow_track.bpmn_words(x.name) AS name
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn), '//bpmn:dataStoreReference' PASSING document
			COLUMNS id text PATH '@id', name text PATH '@name') AS x) AS s ON s.id = substring(o.store FROM '[^:]*$')
	WHERE s.name IS NOT NULL GROUP BY o.activity
$$;
COMMENT ON FUNCTION workflow_track.bpmn_systems(xml) IS 'part of import_bpmn(): the systems that steps are entered in, from data stores';

CREATE FUNCTION workflow_track.bpmn_left_out(document xml, nodes workflow_track.bpmn_node[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(l.called ORDER BY l.place, l.number)
	FROM (
		SELECT 1 AS place, x.number, workflow_track.bpmn_called(x.tag, coalesce(x.name, x.content), x.id) AS called
		FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn),
			'//*[self::bpmn:textAnnotation or self::bpmn:dataObjectReference or self::bpmn:group]' PASSING document
			COLUMNS number FOR ORDINALITY, tag text PATH 'local-name()', name text PATH '@name', content text PATH 'string(bpmn:text[1])', id text PATH '@id') AS x
		UNION ALL
		SELECT 2, f.number, workflow_track.bpmn_called(f.tag, f.name, f.id) || ' from or to a whole pool'
		FROM workflow_track.bpmn_flows(document) AS f
		WHERE f.tag = 'messageFlow' AND NOT (EXISTS (SELECT FROM unnest(nodes) AS n WHERE n.id = f.source) AND EXISTS (SELECT FROM unnest(nodes) AS n WHERE n.id = f.target))
		UNION ALL
		SELECT 3, n.number, workflow_track.bpmn_called(n.tag, n.name, n.id) || ': content of a collapsed subprocess'
		FROM unnest(nodes) AS n WHERE n.sort = 'hidden' AND n.tag ~ '[tT]ask$'
		UNION ALL
		-- A wait before a step is no limit by which it is due.
		SELECT 4, n.number, workflow_track.bpmn_called(n.tag, n.name, n.id) || ': waits, and limits nothing'
		FROM unnest(nodes) AS n WHERE n.sort = 'event' AND n.definition = 'timer' AND n.tag <> 'boundaryEvent'
			AND NOT EXISTS (SELECT FROM workflow_track.bpmn_flows(document) AS f JOIN unnest(nodes) AS g ON g.id = f.source AND g.tag = 'eventBasedGateway' WHERE f.target = n.id)) AS l
$$;
COMMENT ON FUNCTION workflow_track.bpmn_left_out(xml, workflow_track.bpmn_node[]) IS
'part of import_bpmn(): what a diagram has and a map has no word for, where nothing depends on it';

-- The steps of the document, with the id of the node that each comes from.
CREATE FUNCTION workflow_track.bpmn_steps(document xml, nodes workflow_track.bpmn_node[], moves workflow_track.bpmn_move[], kinds jsonb)
RETURNS TABLE (id text, name text, kind text, number integer, step jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE move AS MATERIALIZED (SELECT m.* FROM unnest(moves) AS m),
	cycle (source, target) AS (
		SELECT m.source, m.target FROM move AS m WHERE m.sort = 'flow'
		UNION SELECT c.source, m.target FROM cycle AS c JOIN move AS m ON m.source = c.target AND m.sort = 'flow'),
	-- A step may be left out where a way leads around it, from everything before it to everything after it.
	bypassed AS MATERIALIZED (
		SELECT b.target AS id
		FROM move AS b JOIN move AS a ON a.source = b.target
		WHERE b.sort IN ('flow', 'branch') AND a.sort IN ('flow', 'branch')
			AND b.source <> b.target AND a.source <> a.target AND b.source <> a.target
			AND EXISTS (SELECT FROM move AS w WHERE (w.source, w.sort) = (b.target, 'bypass'))
		GROUP BY b.target
		HAVING bool_and(EXISTS (SELECT FROM move AS m WHERE (m.source, m.target) = (b.source, a.target) AND m.sort IN ('flow', 'branch')))),
	named AS MATERIALIZED (
		SELECT n.*, CASE WHEN n.is_ours THEN n.name ELSE coalesce(workflow_track.bpmn_words(n.name), n.id) END AS step_name
		FROM unnest(nodes) AS n WHERE n.sort = 'step')
	SELECT n.id, u.name, k.kind, n.number, jsonb_strip_nulls(jsonb_build_object('step', u.name, 'in', s.systems) || coalesce(n.said, '{}') || jsonb_build_object(
		'kind', k.kind,
		'performed_by', CASE WHEN r.roles <> '[]' THEN r.roles ELSE n.said -> 'performed_by' END,
		'optional', CASE WHEN n.is_ours THEN n.said -> 'optional' ELSE coalesce(n.said -> 'optional', (SELECT 'true'::jsonb FROM bypassed AS b WHERE b.id = n.id)) END,
		'repeatable', CASE WHEN n.repeats THEN 'true'::jsonb WHEN n.is_ours THEN n.said -> 'repeatable'
			ELSE coalesce(n.said -> 'repeatable', (SELECT 'true'::jsonb FROM cycle AS c WHERE (c.source, c.target) = (n.id, n.id))) END,
		'start', coalesce((SELECT 'true'::jsonb FROM move AS m WHERE (m.source, m.target, m.sort) = ('start', n.id, 'flow')), n.said -> 'start'),
		'end', coalesce((SELECT 'true'::jsonb FROM move AS m WHERE (m.source, m.target, m.sort) = (n.id, 'end', 'flow')), n.said -> 'end')))
	FROM (SELECT d.*, row_number() OVER (PARTITION BY d.step_name ORDER BY d.number) AS nth FROM named AS d) AS n
	CROSS JOIN LATERAL (SELECT n.step_name || CASE WHEN n.nth > 1 THEN ' (' || n.id || ')' ELSE '' END AS name) AS u
	CROSS JOIN LATERAL (SELECT workflow_track.bpmn_kind(n.id, n.name, n.said, kinds) AS kind) AS k
	LEFT JOIN workflow_track.bpmn_roles(document, nodes) AS r USING (id)
	LEFT JOIN workflow_track.bpmn_systems(document) AS s USING (id)
	ORDER BY n.number
$$;
COMMENT ON FUNCTION workflow_track.bpmn_steps(xml, workflow_track.bpmn_node[], workflow_track.bpmn_move[], jsonb) IS
'part of import_bpmn(): the steps of a diagram as a map has them';

-- What the lists of a rule's loops are called, by the kind that is waited for.
CREATE FUNCTION workflow_track.bpmn_category(kind text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN kind IN ('result.acknowledged', 'result.viewed', 'alert.acknowledged') THEN 'acknowledgement'
		WHEN kind IN ('patient.notified', 'result.released') THEN 'notification'
		WHEN split_part(kind, '.', 1) IN ('referral', 'handoff', 'claim') THEN split_part(kind, '.', 1)
		WHEN split_part(kind, '.', 1) IN ('order', 'specimen', 'result', 'medication', 'prescription', 'immunization', 'procedure') THEN 'order'
		ELSE 'follow_up' END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_category(text) IS
'part of import_bpmn(): the category of a limit, from the kind that is waited for';

CREATE FUNCTION workflow_track.bpmn_head(document xml, OUT name text, OUT said jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(min(x.name) FILTER (WHERE x.content <> ''),
			CASE WHEN count(*) = 1 THEN coalesce(min(workflow_track.bpmn_words(x.name)), min(workflow_track.bpmn_words(x.pool)), min(x.id)) END),
		workflow_track.bpmn_said(min(x.id), min(x.content) FILTER (WHERE x.content <> ''), NULL)
	FROM XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/MODEL' AS bpmn, 'urn:workflow-track:bpmn' AS wt), '//bpmn:process' PASSING document
		COLUMNS id text PATH '@id', name text PATH '@name', pool text PATH 'string(//bpmn:participant[@processRef][1]/@name)',
			content text PATH 'string(bpmn:extensionElements[1]/wt:workflow[1])') AS x
$$;
COMMENT ON FUNCTION workflow_track.bpmn_head(xml) IS
'part of import_bpmn(): what the workflow is called, and what a map has beside its steps';

CREATE FUNCTION workflow_track.bpmn_expectations(nodes workflow_track.bpmn_node[], edges workflow_track.bpmn_edge[], kinds jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	timer record;
	expectations jsonb := '[]';
	after jsonb;
	expect jsonb;
BEGIN
	FOR timer IN SELECT * FROM workflow_track.bpmn_limits(nodes, edges)
	LOOP
		SELECT jsonb_agg(DISTINCT k.kind) FILTER (WHERE n.id = ANY (timer.after)), jsonb_agg(DISTINCT k.kind) FILTER (WHERE n.id = ANY (timer.expect))
		INTO after, expect
		FROM unnest(nodes) AS n CROSS JOIN LATERAL workflow_track.bpmn_kind(n.id, n.name, n.said, kinds) AS k(kind)
		WHERE n.sort = 'step';
		IF after IS NULL OR expect IS NULL THEN
			RAISE EXCEPTION '% limits nothing: there is no step %', timer.called, CASE WHEN after IS NULL THEN 'before it' ELSE 'that it waits for' END USING
				ERRCODE = 'feature_not_supported', HINT = 'A limit runs from one step to another.';
		END IF;
		IF timer.within IS NULL AND NOT coalesce(timer.said ? 'within', false) THEN
			RAISE EXCEPTION '% has no duration', timer.called USING
				ERRCODE = 'feature_not_supported', HINT = 'A limit is a duration, as in PT1H; dates and cycles are none.';
		END IF;
		expectations := expectations || jsonb_build_array(jsonb_build_object(
			'name', coalesce(timer.name, timer.id), 'category', workflow_track.bpmn_category(expect ->> 0), 'after', after, 'expect', expect,
			'correlated_by', 'encounter', 'within', timer.within) || coalesce(timer.said, '{}'));
	END LOOP;
	RETURN expectations;
END
$$;
COMMENT ON FUNCTION workflow_track.bpmn_expectations(workflow_track.bpmn_node[], workflow_track.bpmn_edge[], jsonb) IS
'part of import_bpmn(): the expectations that timers stand for';

CREATE FUNCTION workflow_track.import_bpmn(document xml, workflow text DEFAULT NULL, version integer DEFAULT NULL, kinds jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	head record;
	nodes workflow_track.bpmn_node[];
	edges workflow_track.bpmn_edge[];
	moves workflow_track.bpmn_move[];
	steps jsonb;
	transitions jsonb;
	expectations jsonb;
	listed text;
BEGIN
	IF document IS NULL THEN
		RETURN NULL;
	ELSIF document IS NOT DOCUMENT OR NOT xpath_exists('/b:definitions', document, '{{b,http://www.omg.org/spec/BPMN/20100524/MODEL}}') THEN
		RAISE EXCEPTION 'the document is not BPMN 2.0' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Its root is an element definitions of namespace http://www.omg.org/spec/BPMN/20100524/MODEL.';
	ELSIF jsonb_typeof(kinds) IS DISTINCT FROM 'object' OR jsonb_path_exists(kinds, '$.* ? (@.type() != "string")') THEN
		RAISE EXCEPTION 'kinds must be an object of texts' USING ERRCODE = 'invalid_parameter_value', HINT = 'Use {"name of a task": "kind of event"}.';
	END IF;
	head := workflow_track.bpmn_head(document);
	head.name := coalesce(import_bpmn.workflow, head.name);
	IF head.name IS NULL THEN
		RAISE EXCEPTION 'it is not known what the workflow is called' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'The document has several processes, or none: give the argument workflow.';
	END IF;

	nodes := ARRAY(SELECT n FROM workflow_track.bpmn_nodes(document, kinds) AS n);
	PERFORM workflow_track.bpmn_refuse(document, nodes);
	SELECT string_agg(workflow_track.bpmn_called(n.tag, n.name, n.id), ', ' ORDER BY n.number) INTO listed
	FROM unnest(nodes) AS n WHERE n.sort = 'step' AND workflow_track.bpmn_kind(n.id, n.name, n.said, kinds) IS NULL;
	IF listed IS NOT NULL THEN
		RAISE EXCEPTION 'it is not known what kinds of event some tasks leave' USING ERRCODE = 'invalid_parameter_value', DETAIL = listed,
			HINT = 'Give them: kinds => ''{"name or id of a task": "kind of event"}''. Kinds are the rows of table workflow_track.event_kind.';
	END IF;
	edges := ARRAY(SELECT e FROM workflow_track.bpmn_edges(document, nodes) AS e);
	moves := ARRAY(SELECT m FROM workflow_track.bpmn_moves(nodes, edges) AS m);

	WITH step AS MATERIALIZED (SELECT * FROM workflow_track.bpmn_steps(document, nodes, moves, kinds))
	SELECT (SELECT jsonb_agg(s.step ORDER BY s.number) FROM step AS s),
		(SELECT string_agg(DISTINCT s.kind, ', ') FROM step AS s WHERE NOT EXISTS (SELECT FROM workflow_track.event_kind AS k WHERE k.kind = s.kind)),
		(SELECT jsonb_agg(jsonb_build_array(f.name, t.name) ORDER BY CASE WHEN head.said IS NOT NULL THEN m.number END, f.number, t.number)
			FROM unnest(moves) AS m JOIN step AS f ON f.id = m.source JOIN step AS t ON t.id = m.target WHERE m.sort IN ('flow', 'beside'))
	INTO steps, listed, transitions;
	IF listed IS NOT NULL THEN
		RAISE EXCEPTION 'kinds of event are not known: %', listed USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Kinds are the rows of table workflow_track.event_kind; sites may add theirs.';
	ELSIF steps IS NULL AND head.said IS NULL THEN
		RAISE EXCEPTION 'the diagram has no step' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Steps are tasks, and events whose kind is known.';
	END IF;
	expectations := workflow_track.bpmn_expectations(nodes, edges, kinds);
	listed := array_to_string(workflow_track.bpmn_left_out(document, nodes), E'\n');
	IF listed <> '' THEN
		RAISE NOTICE 'the diagram has things that a map has no word for, which are left out' USING DETAIL = listed;
	END IF;

	RETURN '{"version": 1}' || coalesce(head.said, '{}')
		|| CASE WHEN import_bpmn.version IS NULL THEN '{}' ELSE jsonb_build_object('version', import_bpmn.version, 'state', 'draft') END
		|| jsonb_build_object('workflow', head.name)
		|| CASE WHEN steps IS NULL THEN '{}' ELSE jsonb_build_object('steps', steps) END
		|| CASE WHEN transitions IS NULL THEN '{}' ELSE jsonb_build_object('transitions', transitions) END
		|| CASE WHEN expectations = '[]' THEN '{}' ELSE jsonb_build_object('expectations', coalesce(head.said -> 'expectations', '[]') || expectations) END;
END
$$;
COMMENT ON FUNCTION workflow_track.import_bpmn(xml, text, integer, jsonb) IS
'a diagram in BPMN 2.0 as a document for define_workflow(); stores nothing';

CREATE FUNCTION workflow_track.setup_bpmn() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	GRANT EXECUTE ON FUNCTION workflow_track.import_bpmn(xml, text, integer, jsonb), workflow_track.export_bpmn(text, integer)
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_bpmn() IS 'part of setup(): who may exchange maps as BPMN';
