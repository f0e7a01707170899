-- Pictures of the map, and what events say about it.

-- Steps that may follow each other, also where what is between them may be left out.
CREATE FUNCTION workflow_track.allowed_steps(workflow text, version integer) RETURNS TABLE (from_step text, to_step text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE transition AS MATERIALIZED (
		SELECT t.from_step, t.to_step FROM workflow_track.workflow_transition AS t
		WHERE t.workflow = allowed_steps.workflow AND t.version = allowed_steps.version),
	step AS MATERIALIZED (
		SELECT s.step, s.optional, s.repeatable FROM workflow_track.workflow_step AS s
		WHERE s.workflow = allowed_steps.workflow AND s.version = allowed_steps.version),
	way (from_step, to_step) AS (
		SELECT t.from_step, t.to_step FROM transition AS t
		UNION
		SELECT w.from_step, t.to_step
		FROM way AS w JOIN step AS s ON s.step = w.to_step AND s.optional JOIN transition AS t ON t.from_step = w.to_step)
	SELECT w.from_step, w.to_step FROM way AS w
	UNION SELECT s.step, s.step FROM step AS s WHERE s.repeatable
$$;
COMMENT ON FUNCTION workflow_track.allowed_steps(text, integer) IS
'part of workflow_picture(): which step may come next after which, optional ones left out and repeatable ones again';

CREATE FUNCTION workflow_track.picture_sign(code integer, otherwise text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN getdatabaseencoding() = 'UTF8' THEN chr(code) ELSE otherwise END
$$;
COMMENT ON FUNCTION workflow_track.picture_sign(integer, text) IS 'part of workflow_picture(): a sign, or what stands for it where the encoding has none';

CREATE FUNCTION workflow_track.picture_steps(workflow text, version integer)
RETURNS TABLE (node text, label text, kind text, lane text, systems text, colour text, optional boolean, starts boolean, ends boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT 's' || s.position, 
		-- Lines that are not too long keep boxes narrow.
		regexp_replace(concat_ws(E'\n', s.step || CASE WHEN s.repeatable THEN ' ' || workflow_track.picture_sign(8635, '(again)') ELSE '' END, n.systems), E'([^\n]{18,30}?) +', E'\\1\n', 'g'), s.kind,
		nullif(array_to_string(s.performed_by, ', '), ''), n.systems,
		-- Whoever cannot tell the colours reads the systems; there are only so many colours that differ.
		coalesce((ARRAY['#8dd3c7', '#ffffb3', '#bebada', '#fb9a99', '#80b1d3', '#fdb462', '#b3de69', '#fccde5', '#d9d9d9', '#ccebc5'])
			[CASE WHEN n.systems IS NOT NULL THEN dense_rank() OVER (ORDER BY n.systems COLLATE "C") END], '#ffffff'),
		s.optional, s.starts, s.ends
	FROM workflow_track.workflow_step AS s
	CROSS JOIN LATERAL (SELECT nullif(array_to_string(s.systems, ', '), '')) AS n(systems)
	WHERE s.workflow = picture_steps.workflow AND s.version = picture_steps.version
	ORDER BY s.position
$$;
COMMENT ON FUNCTION workflow_track.picture_steps(text, integer) IS 'part of workflow_picture(): the steps as they are drawn';

CREATE FUNCTION workflow_track.picture_edges(workflow text, version integer, since timestamptz, until timestamptz, facility text)
RETURNS TABLE (from_node text, to_node text, label text, is_deviation boolean, is_unused boolean, is_dashed boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS MATERIALIZED (
		SELECT s.step, s.kind, s.position, 's' || s.position AS node, row_number() OVER (PARTITION BY s.kind ORDER BY s.position) AS nth
		FROM workflow_track.workflow_step AS s WHERE s.workflow = picture_edges.workflow AND s.version = picture_edges.version),
	transition AS MATERIALIZED (
		SELECT t.position, f.node AS from_node, g.node AS to_node, f.kind AS from_kind, g.kind AS to_kind
		FROM workflow_track.workflow_transition AS t JOIN step AS f ON f.step = t.from_step JOIN step AS g ON g.step = t.to_step
		WHERE t.workflow = picture_edges.workflow AND t.version = picture_edges.version),
	counted AS MATERIALIZED (
		SELECT d.from_kind, d.to_kind, sum(d.follows) AS events, workflow_track.quantile(workflow_track.merge(d.histogram), 0.5) AS median
		FROM workflow_track.directly_follows(since, until, facility, ARRAY(SELECT s.kind FROM step AS s)) AS d
		WHERE since IS NOT NULL OR until IS NOT NULL GROUP BY d.from_kind, d.to_kind),
	edge AS (
		SELECT 0 AS place, t.position, t.from_node, t.to_node, c.events, c.median, false AS is_deviation,
			(since IS NOT NULL OR until IS NOT NULL) AND c.events IS NULL AS is_unused, false AS is_dashed
		FROM transition AS t LEFT JOIN counted AS c USING (from_kind, to_kind)
		UNION ALL
		-- What no transition stands for is drawn once, between steps that allow it where there are any.
		SELECT 1, row_number() OVER (ORDER BY c.from_kind, c.to_kind), p.from_node, p.to_node, c.events, c.median, NOT p.allowed, false, p.allowed
		FROM counted AS c
		CROSS JOIN LATERAL (
			SELECT f.node AS from_node, g.node AS to_node, a.from_step IS NOT NULL AS allowed
			FROM step AS f JOIN step AS g ON g.kind = c.to_kind
			LEFT JOIN workflow_track.allowed_steps(picture_edges.workflow, picture_edges.version) AS a ON (a.from_step, a.to_step) = (f.step, g.step)
			WHERE f.kind = c.from_kind
			ORDER BY a.from_step IS NULL, f.position, g.position LIMIT 1) AS p
		WHERE NOT EXISTS (SELECT FROM transition AS t WHERE (t.from_kind, t.to_kind) = (c.from_kind, c.to_kind)))
	SELECT e.from_node, e.to_node,
		e.events || coalesce(E'\n' || workflow_track.duration_in_short(e.median), ''), e.is_deviation, e.is_unused, e.is_dashed
	FROM edge AS e ORDER BY e.place, e.position
$$;
COMMENT ON FUNCTION workflow_track.picture_edges(text, integer, timestamptz, timestamptz, text) IS
'part of workflow_picture(): what follows what, in the map and in events of a time';

CREATE FUNCTION workflow_track.duration_in_short(duration interval) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN s >= 86400 THEN concat(floor(s / 86400), ' d', ' ' || nullif(floor(s % 86400 / 3600), 0) || ' h')
		WHEN s >= 3600 THEN concat(floor(s / 3600), ' h', ' ' || nullif(floor(s % 3600 / 60), 0) || ' min')
		WHEN s >= 60 THEN concat(floor(s / 60), ' min', ' ' || nullif(floor(s % 60), 0) || ' s')
		ELSE round(s, 1)::double precision || ' s' END
	FROM (SELECT extract(epoch FROM duration)) AS d(exact)
	CROSS JOIN LATERAL (SELECT CASE WHEN d.exact >= 86400 THEN round(d.exact / 3600) * 3600 WHEN d.exact >= 600 THEN round(d.exact / 60) * 60
		WHEN d.exact >= 59.95 THEN round(d.exact) ELSE d.exact END) AS r(s)
$$;
COMMENT ON FUNCTION workflow_track.duration_in_short(interval) IS 'part of workflow_picture(): a duration in its two largest units, rounded';

-- What cannot be shown is replaced.
CREATE FUNCTION workflow_track.picture_text(name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT regexp_replace(regexp_replace(name, E'\r\n?', E'\n', 'g'), '[\x01-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff]', workflow_track.picture_sign(65533, '?'), 'g')
$$;
COMMENT ON FUNCTION workflow_track.picture_text(text) IS 'part of workflow_picture(): a name without what cannot be shown';

-- A string of dot.  In labels a backslash begins an escape and & an entity.
CREATE FUNCTION workflow_track.dot_text(name text) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT '"' || replace(replace(replace(replace(workflow_track.picture_text(name), '\', '\\'), '"', '\"'), '&', '&amp;'), E'\n', '\n') || '"'
$$;
COMMENT ON FUNCTION workflow_track.dot_text(text) IS 'part of workflow_picture(): a name as a label of Graphviz';

-- A string of mermaid.  Punctuation may be Markdown, HTML or syntax, so it is given by number; inside a word it is none of these.
CREATE FUNCTION workflow_track.mermaid_text(name text) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT '"' || coalesce(string_agg(CASE
			WHEN c.c = E'\n' THEN '<br/>'
			WHEN c.c ~ '[A-Za-z0-9 ,]' OR ascii(c.c) > 127 OR c.c ~ '[._]' AND c.before ~ '[A-Za-z]' AND c.after ~ '[A-Za-z]' THEN c.c
			-- Also by number two dollars begin a formula and some colons an icon, unless a line may break there.
			ELSE '#' || ascii(c.c) || ';' || CASE WHEN c.c IN ('$', ':') THEN '<wbr>' ELSE '' END END, '' ORDER BY c.n), '') || '"'
	FROM (SELECT t.c, t.n, lag(t.c) OVER w AS before, lead(t.c) OVER w AS after
		FROM regexp_split_to_table(workflow_track.picture_text(name), '') WITH ORDINALITY AS t(c, n) WINDOW w AS (ORDER BY t.n)) AS c
$$;
COMMENT ON FUNCTION workflow_track.mermaid_text(text) IS 'part of workflow_picture(): a name as a label of mermaid';

CREATE FUNCTION workflow_track.picture_dot(workflow text, version integer, since timestamptz, until timestamptz, facility text, title text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS MATERIALIZED (SELECT s.*, row_number() OVER () AS n FROM workflow_track.picture_steps(workflow, version) AS s),
	edge AS MATERIALIZED (
		SELECT e.*, row_number() OVER () AS n FROM workflow_track.picture_edges(workflow, version, since, until, facility) AS e),
	lane AS (SELECT s.lane, min(s.n) AS n, row_number() OVER (ORDER BY min(s.n)) AS number FROM step AS s GROUP BY s.lane),
	line (place, n, line) AS (
		VALUES (0, 0::bigint, 'digraph workflow {'),
			(0, 1, '	graph [rankdir=LR, label=' || workflow_track.dot_text(title) || ', labelloc=t, fontname="Helvetica", nodesep=0.4, ranksep=0.7];'),
			(0, 2, '	node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica"];'),
			(0, 3, '	edge [fontname="Helvetica", fontsize=10];')
		UNION ALL
		SELECT 1, l.n, concat_ws(E'\n',
			CASE WHEN l.lane IS NOT NULL THEN '	subgraph cluster_' || l.number || E' {\n		label=' || workflow_track.dot_text(l.lane) || E';\n		style=dotted;' END,
			(SELECT string_agg(format('		%s [label=%s, fillcolor="%s"%s];', s.node, workflow_track.dot_text(s.label), s.colour,
				CASE WHEN s.optional THEN ', style="rounded,filled,dashed"' ELSE '' END), E'\n' ORDER BY s.n)
				FROM step AS s WHERE s.lane IS NOT DISTINCT FROM l.lane),
			CASE WHEN l.lane IS NOT NULL THEN '	}' END)
		FROM lane AS l
		UNION ALL
		SELECT 2, 0, E'	start [shape=circle, label="", width=0.25, fillcolor=black];'
		FROM step AS s HAVING bool_or(s.starts)
		UNION ALL
		SELECT 2, 1, E'	end [shape=doublecircle, label="", width=0.2, fillcolor=black];'
		FROM step AS s HAVING bool_or(s.ends)
		UNION ALL
		SELECT 3, s.n, '	start -> ' || s.node || ';' FROM step AS s WHERE s.starts
		UNION ALL
		SELECT 4, e.n, format('	%s -> %s%s;', CASE WHEN b.is_back THEN e.to_node ELSE e.from_node END, CASE WHEN b.is_back THEN e.from_node ELSE e.to_node END,
			' [' || nullif(concat_ws(', ', 'label=' || workflow_track.dot_text(e.label),
				CASE WHEN e.is_deviation THEN 'color="#c0392b", fontcolor="#c0392b", penwidth=2'
					WHEN e.is_unused THEN 'color="#a0a0a0"' WHEN e.is_dashed THEN 'style=dashed' END,
				CASE WHEN b.is_back THEN 'dir=back' END), '') || ']')
		FROM edge AS e
		-- A deviation that leads back does not change where steps stand.
		CROSS JOIN LATERAL (SELECT e.is_deviation AND substr(e.from_node, 2)::integer > substr(e.to_node, 2)::integer) AS b(is_back)
		UNION ALL
		SELECT 5, s.n, '	' || s.node || ' -> end;' FROM step AS s WHERE s.ends
		UNION ALL
		SELECT 6, 0, E'	subgraph cluster_legend {\n		label="legend";\n		style=solid;' FROM step HAVING count(*) > 0
		UNION ALL
		SELECT 6, min(s.n), format('		legend_%s [label=%s, fillcolor="%s"];', min(s.n), workflow_track.dot_text(s.systems), s.colour)
		FROM step AS s WHERE s.systems IS NOT NULL GROUP BY s.systems, s.colour
		UNION ALL
		SELECT 7, 0, '		legend_lines [shape=plaintext, style="", label=<' || concat_ws('<br/>', 'black: as in the map',
			CASE WHEN bool_or(s.optional) OR EXISTS (SELECT FROM edge AS e WHERE e.is_dashed) THEN 'dashed: may be left out' END,
			CASE WHEN EXISTS (SELECT FROM edge AS e WHERE e.is_deviation) THEN '<font color="#c0392b">red: happens, not in the map</font>' END,
			CASE WHEN EXISTS (SELECT FROM edge AS e WHERE e.is_unused) THEN '<font color="#a0a0a0">grey: in the map, does not happen</font>' END) || '>];'
		FROM step AS s HAVING count(*) > 0
		UNION ALL
		SELECT 8, 0, '	}' FROM step HAVING count(*) > 0
		UNION ALL
		VALUES (9, 0, '}'))
	SELECT string_agg(l.line, E'\n' ORDER BY l.place, l.n) FROM line AS l WHERE l.line <> ''
$$;
COMMENT ON FUNCTION workflow_track.picture_dot(text, integer, timestamptz, timestamptz, text, text) IS
'part of workflow_picture(): the picture in the language of Graphviz';

CREATE FUNCTION workflow_track.picture_mermaid(workflow text, version integer, since timestamptz, until timestamptz, facility text, title text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS MATERIALIZED (SELECT s.*, row_number() OVER () AS n FROM workflow_track.picture_steps(workflow, version) AS s),
	lane AS (SELECT s.lane, min(s.n) AS n, row_number() OVER (ORDER BY min(s.n)) AS number FROM step AS s GROUP BY s.lane),
	edge AS MATERIALIZED (
		SELECT e.*, row_number() OVER () AS n, 1 AS place FROM workflow_track.picture_edges(workflow, version, since, until, facility) AS e
		UNION ALL
		SELECT 'start', s.node, NULL, false, false, false, s.n, 0 FROM step AS s WHERE s.starts
		UNION ALL
		SELECT s.node, 'finish', NULL, false, false, false, s.n, 2 FROM step AS s WHERE s.ends),
	-- Lines are coloured by number, from 0.
	link AS MATERIALIZED (SELECT e.*, row_number() OVER (ORDER BY e.place, e.n) - 1 AS number FROM edge AS e),
	line (place, n, line) AS (
		VALUES (0, 0::bigint, E'---\ntitle: ' || to_json(workflow_track.picture_text(title)) || E'\n---\nflowchart LR')
		UNION ALL
		SELECT 1, l.n, concat_ws(E'\n',
			CASE WHEN l.lane IS NOT NULL THEN '	subgraph lane' || l.number || '[' || workflow_track.mermaid_text(l.lane) || ']' END,
			(SELECT string_agg(format('		%s[%s]', s.node, workflow_track.mermaid_text(s.label)), E'\n' ORDER BY s.n)
				FROM step AS s WHERE s.lane IS NOT DISTINCT FROM l.lane),
			CASE WHEN l.lane IS NOT NULL THEN '	end' END)
		FROM lane AS l
		UNION ALL
		SELECT 2, 0, '	start(("start"))' FROM step AS s HAVING bool_or(s.starts)
		UNION ALL
		SELECT 2, 1, '	finish((("end")))' FROM step AS s HAVING bool_or(s.ends)
		UNION ALL
		SELECT 3, k.number, format('	%s %s%s %s', k.from_node, CASE WHEN k.is_dashed THEN '-.->' ELSE '-->' END,
			coalesce('|' || workflow_track.mermaid_text(k.label) || '|', ''), k.to_node)
		FROM link AS k
		UNION ALL
		SELECT 4, 0, '	subgraph legend["legend"]' FROM step HAVING count(*) > 0
		UNION ALL
		SELECT 5, min(s.n), format('		system%s[%s]', min(s.n), workflow_track.mermaid_text(s.systems))
		FROM step AS s WHERE s.systems IS NOT NULL GROUP BY s.systems
		UNION ALL
		SELECT 6, 0, '		plain["' || concat_ws('<br/>', 'black: as in the map',
			CASE WHEN bool_or(s.optional) OR EXISTS (SELECT FROM edge AS e WHERE e.is_dashed) THEN 'dashed: may be left out' END,
			CASE WHEN EXISTS (SELECT FROM edge AS e WHERE e.is_deviation) THEN 'red: happens, not in the map' END,
			CASE WHEN EXISTS (SELECT FROM edge AS e WHERE e.is_unused) THEN 'grey: in the map, does not happen' END) || E'"]\n	end'
		FROM step AS s HAVING count(*) > 0
		UNION ALL
		SELECT 7, k.number, format('	linkStyle %s stroke:%s,color:%s', k.number, k.colour, k.colour)
		FROM (SELECT k.*, CASE WHEN k.is_deviation THEN '#c0392b' WHEN k.is_unused THEN '#a0a0a0' END AS colour FROM link AS k) AS k
		WHERE k.colour IS NOT NULL
		UNION ALL
		SELECT 8, s.n, format('	style %s fill:%s,color:#000,stroke:#333%s', s.node, s.colour, CASE WHEN s.optional THEN ',stroke-dasharray:5 5' ELSE '' END)
		FROM step AS s
		UNION ALL
		SELECT 9, min(s.n), format('	style system%s fill:%s,color:#000,stroke:#333', min(s.n), s.colour)
		FROM step AS s WHERE s.systems IS NOT NULL GROUP BY s.systems, s.colour)
	SELECT string_agg(l.line, E'\n' ORDER BY l.place, l.n) FROM line AS l
$$;
COMMENT ON FUNCTION workflow_track.picture_mermaid(text, integer, timestamptz, timestamptz, text, text) IS
'part of workflow_picture(): the picture in the language of mermaid';

CREATE FUNCTION workflow_track.workflow_picture(workflow text, version integer, format text DEFAULT 'dot',
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, facility text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	document CONSTANT jsonb := workflow_track.existing_document(workflow, version);
	title CONSTANT text := pg_catalog.format('%s, version %s, %s', workflow, version, coalesce(document ->> 'state', 'draft'));
BEGIN
	IF format = 'dot' THEN
		RETURN workflow_track.picture_dot(workflow, version, since, until, facility, title);
	ELSIF format = 'mermaid' THEN
		RETURN workflow_track.picture_mermaid(workflow, version, since, until, facility, title);
	END IF;
	RAISE EXCEPTION 'unknown format of pictures: "%"', format USING
		ERRCODE = 'invalid_parameter_value', HINT = 'Use dot or mermaid.';
END
$$;
COMMENT ON FUNCTION workflow_track.workflow_picture(text, integer, text, timestamptz, timestamptz, text) IS
'a version of the map as a picture, in dot or mermaid; with a time also what happened then';

CREATE FUNCTION workflow_track.setup_picture() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	GRANT EXECUTE ON FUNCTION workflow_track.workflow_picture(text, integer, text, timestamptz, timestamptz, text),
		workflow_track.existing_document(text, integer), workflow_track.allowed_steps(text, integer),
		workflow_track.picture_steps(text, integer), workflow_track.picture_edges(text, integer, timestamptz, timestamptz, text),
		workflow_track.duration_in_short(interval), workflow_track.picture_sign(integer, text), workflow_track.picture_text(text), workflow_track.dot_text(text), workflow_track.mermaid_text(text),
		workflow_track.picture_dot(text, integer, timestamptz, timestamptz, text, text),
		workflow_track.picture_mermaid(text, integer, timestamptz, timestamptz, text, text)
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_picture() IS 'part of setup(): who may draw maps';
