CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;
\set SHOW_CONTEXT never

-- A diagram from its parts: [a b] is a flow from a to b, each bound to its own prefix.
CREATE FUNCTION pg_temp.diagram(body text) RETURNS xml LANGUAGE sql AS $$
	SELECT ('<s:definitions xmlns:s="http://www.omg.org/spec/BPMN/20100524/MODEL"><s:process id="p">'
		|| regexp_replace(regexp_replace(body, '<(/?)(\w)', '<\1s:\2', 'g'), '\[(\w+) (\w+)\]', '<s:sequenceFlow id="\1_\2" sourceRef="\1" targetRef="\2"/>', 'g')
		|| '</s:process></s:definitions>')::xml
$$;
CREATE FUNCTION pg_temp.kinds() RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"A": "order.placed", "B": "specimen.collected", "C": "result.final", "D": "result.acknowledged", "E": "patient.notified", "F": "note.signed"}'::jsonb
$$;
-- A map in short: steps with + where a case begins, - where it ends, ? optional, * repeatable; what follows what; limits.
CREATE FUNCTION pg_temp.short(map jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' | ',
		(SELECT string_agg(concat(s ->> 'step', CASE WHEN s ? 'start' THEN '+' END, CASE WHEN s ? 'end' THEN '-' END,
			CASE WHEN s ? 'optional' THEN '?' END, CASE WHEN s ? 'repeatable' THEN '*' END), ' ' ORDER BY n) FROM jsonb_array_elements(map -> 'steps') WITH ORDINALITY AS x(s, n)),
		(SELECT string_agg(concat(t ->> 0, '>', t ->> 1), ' ' ORDER BY n) FROM jsonb_array_elements(map -> 'transitions') WITH ORDINALITY AS x(t, n)),
		(SELECT string_agg((e - 'category' - 'correlated_by')::text, ' ') FROM (SELECT jsonb_array_elements(map -> 'expectations')) AS x(e)))
$$;
CREATE FUNCTION pg_temp.map(body text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.short(import_bpmn(pg_temp.diagram(body), 'w', kinds => pg_temp.kinds())) $$;

--
-- What a diagram means: the whole document, and then the rest in short
--
SELECT jsonb_pretty(import_bpmn(pg_temp.diagram('<startEvent id="s"/><task id="A" name="Order placed"/><userTask id="x" name="look at&#10;the  result"/><endEvent id="e"/>[s A][A x][x e]'),
	'lab', 7, '{"look at the result": "result.viewed"}'));
-- tasks of every sort are steps
SELECT pg_temp.map('<startEvent id="s"/><task id="A"/><userTask id="B"/><manualTask id="C"/><serviceTask id="D"/><sendTask id="E"/><receiveTask id="F"/>[s A][A B][B C][C D][D E][E F]');
SELECT pg_temp.map('<scriptTask id="A"/><businessRuleTask id="B"/><callActivity id="C"/><subProcess id="D"/><transaction id="E"/><adHocSubProcess id="F"/>[A B][B C][C D][D E][E F]');
-- gateways: one way or the other; no step is optional, as none can be left out alone
SELECT pg_temp.map('<startEvent id="s"/><task id="A"/><exclusiveGateway id="g"/><task id="B"/><task id="C"/><exclusiveGateway id="h"/><task id="D"/><endEvent id="e"/>[s A][A g][g B][g C][B h][C h][h D][D e]');
-- a way around a step makes it optional
SELECT pg_temp.map('<startEvent id="s"/><task id="A"/><exclusiveGateway id="g"/><task id="B"/><exclusiveGateway id="h"/><task id="D"/><endEvent id="e"/>[s A][A g][g B][g h][B h][h D][D e]');
-- also the first, and the last
SELECT pg_temp.map('<startEvent id="s"/><exclusiveGateway id="g"/><task id="A"/><exclusiveGateway id="h"/><task id="B"/><exclusiveGateway id="i"/><task id="C"/><endEvent id="e"/><endEvent id="f"/>[s g][g A][g h][A h][h B][B i][i C][C e][i f]');
-- around two steps, neither is: one alone cannot be left out
SELECT pg_temp.map('<task id="A"/><exclusiveGateway id="g"/><task id="B"/><task id="C"/><exclusiveGateway id="h"/><task id="D"/>[A g][g B][B C][C h][g h][h D]');
-- but where each has its own way around, both are
SELECT pg_temp.map('<task id="A"/><exclusiveGateway id="g"/><task id="B"/><exclusiveGateway id="h"/><task id="C"/><exclusiveGateway id="i"/><task id="D"/>[A g][g B][g h][B h][h C][h i][C i][i D]');
-- a second way into a step, which does not pass the gateway, cannot avoid it
SELECT pg_temp.map('<task id="A"/><task id="E"/><exclusiveGateway id="g"/><task id="B"/><exclusiveGateway id="h"/><task id="D"/>[A g][E B][g B][g h][B h][h D]');
-- side by side: each may follow the other
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><task id="B"/><task id="C"/><parallelGateway id="h"/><task id="D"/>[A g][g B][g C][B h][C h][h D]');
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><task id="B"/><task id="C"/><task id="E"/><parallelGateway id="h"/><task id="D"/>[A g][g B][B C][g E][C h][E h][h D]');
-- D must wait for C, whichever way the other branch takes; B may be left out, C may not
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><exclusiveGateway id="x"/><task id="B"/><exclusiveGateway id="y"/><task id="C"/><parallelGateway id="h"/><task id="D"/>[A g][g x][x B][x y][B y][y h][g C][C h][h D]');
-- an empty branch is no way around
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><task id="B"/><parallelGateway id="h"/><task id="D"/>[A g][g B][g h][B h][h D]');
-- two empty branches in which there is nothing to wait for
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><parallelGateway id="h"/><task id="D"/><intermediateThrowEvent id="i"/>[A g][g h][g i][i h][h D]');
-- three branches, of which two meet first
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><task id="B"/><task id="C"/><parallelGateway id="h"/><task id="D"/><task id="E"/><parallelGateway id="i"/><task id="F"/>[A g][g B][g C][g E][B h][C h][h D][D i][E i][i F]');
-- in a circle they are side by side in each turn alone
SELECT pg_temp.map('<task id="A"/><parallelGateway id="g"/><task id="B"/><task id="C"/><parallelGateway id="h"/><exclusiveGateway id="x"/><task id="D"/>[A g][g B][g C][B h][C h][h x][x A][x D]');
-- inclusive: any of them, so one may be the only one
SELECT pg_temp.map('<task id="A"/><inclusiveGateway id="g"/><task id="B"/><task id="C"/><inclusiveGateway id="h"/><task id="D"/>[A g][g B][g C][B h][C h][h D]');
SELECT pg_temp.map('<task id="A"/><inclusiveGateway id="g"/><task id="B"/><task id="C"/><inclusiveGateway id="h"/><task id="D"/>[A g][g B][g C][g h][B h][C h][h D]');
-- without a gateway, several flows are side by side
SELECT pg_temp.map('<task id="A"/><task id="B"/><task id="C"/>[A B][A C]');
-- event-based: the timer is a limit for what is waited for instead
SELECT pg_temp.map('<task id="A"/><eventBasedGateway id="g"/><receiveTask id="C"/><intermediateCatchEvent id="m"><messageEventDefinition/></intermediateCatchEvent>
	<intermediateCatchEvent id="t" name="too late"><timerEventDefinition><timeDuration> P1DT2H </timeDuration></timerEventDefinition></intermediateCatchEvent><task id="E"/><task id="F"/>[A g][g C][g m][m F][g t][t E]');
-- a timer in the way is a wait, and no limit
SELECT pg_temp.map('<task id="A"/><intermediateCatchEvent id="t" name="an hour"><timerEventDefinition><timeDuration>PT1H</timeDuration></timerEventDefinition></intermediateCatchEvent><task id="B"/>[A t][t B]');
-- back again, by a flow and by markers
SELECT pg_temp.map('<startEvent id="s"/><exclusiveGateway id="j"/><task id="A"/><task id="B"/><exclusiveGateway id="g"/><endEvent id="e"/>[s j][j A][A B][B g][g j][g e]');
SELECT pg_temp.map('<task id="A"/><task id="B"><standardLoopCharacteristics/></task><task id="C"><multiInstanceLoopCharacteristics/></task>[A B][B C]');
SELECT pg_temp.map('<task id="A"/><task id="B"/>[A A][A B]');
-- a circle without a step ends all the same
SELECT pg_temp.map('<task id="A"/><exclusiveGateway id="g"/><exclusiveGateway id="h"/><task id="B"/>[A g][g h][h g][h B]');
-- where nothing leads to, and nowhere from
SELECT pg_temp.map('<task id="A"/><task id="B"/><task id="C"/>[A B]');
SELECT pg_temp.map('<startEvent id="s"/><startEvent id="t"/><task id="A"/><task id="B"/><endEvent id="e"/><endEvent id="f"/>[s A][t B][A B][A e][B f]');
-- events whose kind is known are steps
SELECT pg_temp.map('<startEvent id="s" name="order placed"/><intermediateCatchEvent id="B"><messageEventDefinition/></intermediateCatchEvent><intermediateThrowEvent id="i"/><endEvent id="E"/>[s B][B i][i E]');
-- links
SELECT pg_temp.map('<task id="A"/><intermediateThrowEvent id="t"><linkEventDefinition name="x"/></intermediateThrowEvent><intermediateCatchEvent id="c"><linkEventDefinition name="x"/></intermediateCatchEvent>
	<intermediateCatchEvent id="d"><linkEventDefinition name="y"/></intermediateCatchEvent><task id="B"/><task id="C"/>[A t][c B][d C]');

--
-- What happens at the boundary of an activity
--
-- a limit; what it leads to may come before or after the step, unless it interrupts
SELECT pg_temp.map('<startEvent id="s"/><task id="A"/><task id="B"/><boundaryEvent id="t" attachedToRef="B" cancelActivity="false" name="no answer"><timerEventDefinition><timeDuration>PT1H30M</timeDuration></timerEventDefinition></boundaryEvent>
	<task id="C"/><task id="D"/>[s A][A B][B D][t C]');
SELECT pg_temp.map('<startEvent id="s"/><task id="A"/><task id="B"/><boundaryEvent id="t" attachedToRef="B"><timerEventDefinition><timeDuration>P2W</timeDuration></timerEventDefinition></boundaryEvent>
	<task id="C"/><task id="D"/>[s A][A B][B D][t C]');
SELECT pg_temp.map('<task id="A"/><task id="B"/><boundaryEvent id="x" attachedToRef="B"><errorEventDefinition/></boundaryEvent><task id="C"/>[A B][x C]');
-- its limit runs from whatever comes before, through gateways
SELECT pg_temp.map('<task id="A"/><task id="C"/><exclusiveGateway id="g"/><task id="B"/><boundaryEvent id="t" attachedToRef="B"><timerEventDefinition><timeDuration>PT90S</timeDuration></timerEventDefinition></boundaryEvent>[A g][C g][g B]');
SELECT x ->> 'category' AS category, x ->> 'correlated_by' AS correlated_by FROM jsonb_array_elements(import_bpmn(pg_temp.diagram('<task id="A"/><task id="D"/>
	<boundaryEvent id="t" attachedToRef="D"><timerEventDefinition><timeDuration>PT1H</timeDuration></timerEventDefinition></boundaryEvent>[A D]'), 'w', kinds => pg_temp.kinds()) -> 'expectations') AS x;
SELECT d, bpmn_duration(d) FROM unnest(ARRAY['PT1H', 'P1D', 'P3D', 'P1W', 'PT36H', 'P1DT12H', 'PT0.5S', 'PT10M30S', 'P1M', 'P1Y', 'P1Y2M', 'PT', 'P', 'P1DT', 'PT0S', '-PT1H', 'PT-1H', 'R3/PT1H', '1 hour', '${limit}', '2024-01-01', 'PT1H ']) AS d;
SELECT kind, bpmn_category(kind) FROM unnest(ARRAY['result.acknowledged', 'alert.acknowledged', 'patient.notified', 'referral.seen', 'handoff.accepted', 'claim.paid', 'result.final', 'medication.administered', 'appointment.arrived', 'bed.made']) AS kind;

--
-- Subprocesses
--
-- their content takes their place
SELECT pg_temp.map('<startEvent id="s"/><task id="A"/><subProcess id="S"><startEvent id="i"/><task id="B"/><task id="C"/><endEvent id="o"/>[i B][B C][C o]</subProcess><task id="D"/><endEvent id="e"/>[s A][A S][S D][D e]');
-- also without events of their own, and one in the other
SELECT pg_temp.map('<startEvent id="s"/><subProcess id="S"><task id="A"/><subProcess id="T"><task id="B"/></subProcess>[A T]</subProcess><task id="D"/>[s S][S D]');
SELECT pg_temp.map('<task id="A"/><subProcess id="S"><multiInstanceLoopCharacteristics/><task id="B"/><task id="C"/>[B C]</subProcess><task id="D"/>[A S][S D]');
-- side by side within it
SELECT pg_temp.map('<task id="A"/><subProcess id="S"><startEvent id="i"/><task id="B"/><task id="C"/>[i B][i C]</subProcess><task id="D"/>[A S][S D]');
-- a limit for all of it, an error that leaves it, and one that nothing catches
SELECT pg_temp.map('<task id="A"/><subProcess id="S"><task id="B"/><task id="C"/>[B C]</subProcess><boundaryEvent id="t" attachedToRef="S"><timerEventDefinition><timeDuration>PT2H</timeDuration></timerEventDefinition></boundaryEvent><task id="D"/><task id="E"/>[A S][S D][t E]');
SELECT pg_temp.map('<task id="A"/><subProcess id="S"><task id="B"/><exclusiveGateway id="g"/><task id="C"/><endEvent id="x"><errorEventDefinition/></endEvent>[B g][g C][g x]</subProcess><boundaryEvent id="t" attachedToRef="S"><errorEventDefinition/></boundaryEvent><task id="D"/><task id="E"/>[A S][S D][t E]');
SELECT pg_temp.map('<task id="A"/><subProcess id="S"><task id="B"/><exclusiveGateway id="g"/><task id="C"/><endEvent id="x"><errorEventDefinition/></endEvent>[B g][g C][g x]</subProcess><task id="D"/>[A S][S D]');
-- collapsed it is a step, and its content is not drawn
SELECT pg_temp.short(import_bpmn(('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:q="http://www.omg.org/spec/BPMN/20100524/DI"><process id="p">
	<task id="A"/><subProcess id="D"><task id="B"/><subProcess id="T"><task id="x"/></subProcess><sequenceFlow id="g" sourceRef="B" targetRef="T"/></subProcess><subProcess id="U"><task id="C"/></subProcess>
	<sequenceFlow id="f" sourceRef="A" targetRef="D"/><sequenceFlow id="h" sourceRef="D" targetRef="U"/></process>
	<q:BPMNDiagram><q:BPMNPlane><q:BPMNShape bpmnElement="D" isExpanded="false"/><q:BPMNShape bpmnElement="U" isExpanded="true"/></q:BPMNPlane></q:BPMNDiagram></definitions>')::xml, 'w', kinds => pg_temp.kinds()));

--
-- Who and where: lanes, nested ones, pools; data stores; messages from pool to pool
--
CREATE FUNCTION pg_temp.steps(document xml, kinds jsonb DEFAULT pg_temp.kinds()) RETURNS TABLE (step text, performed_by text, "in" text, kind text) LANGUAGE sql AS $$
	SELECT s ->> 'step', s ->> 'performed_by', s ->> 'in', s ->> 'kind' FROM jsonb_array_elements(import_bpmn(document, 'w', kinds => kinds) -> 'steps') AS s
$$;
SELECT * FROM pg_temp.steps(pg_temp.diagram('<laneSet><lane id="l" name="clinic"><flowNodeRef>A</flowNodeRef><childLaneSet><lane id="m" name="nurse"><flowNodeRef> x:B </flowNodeRef><flowNodeRef>S</flowNodeRef></lane></childLaneSet>
	<flowNodeRef>B</flowNodeRef></lane><lane id="n"><flowNodeRef>D</flowNodeRef></lane></laneSet><task id="A"/><task id="B"/><subProcess id="S"><task id="C"/></subProcess><task id="D"/>'));
SELECT * FROM pg_temp.steps(pg_temp.diagram('<task id="A"><dataOutputAssociation><sourceRef>A</sourceRef><targetRef>r</targetRef></dataOutputAssociation><dataOutputAssociation><targetRef>q</targetRef></dataOutputAssociation></task>
	<task id="B"><dataInputAssociation><sourceRef>r</sourceRef></dataInputAssociation></task><dataStoreReference id="r" name="LIS"/><dataStoreReference id="q" name="EHR"/>'));
\set pools '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><collaboration id="c"><participant id="P1" name="ward" processRef="p1"/><participant id="P2" name="laboratory" processRef="p2"/><participant id="P3" name="patient"/><messageFlow id="m1" sourceRef="A" targetRef="s2"/><messageFlow id="m2" sourceRef="C" targetRef="D"/><messageFlow id="m3" sourceRef="D" targetRef="P3"/></collaboration><process id="p1"><startEvent id="s1"/><task id="A"/><receiveTask id="D"/><sequenceFlow id="f1" sourceRef="s1" targetRef="A"/><sequenceFlow id="f2" sourceRef="A" targetRef="D"/></process><process id="p2"><startEvent id="s2"/><task id="B"/><task id="C"/><sequenceFlow id="f3" sourceRef="s2" targetRef="B"/><sequenceFlow id="f4" sourceRef="B" targetRef="C"/></process></definitions>'
SELECT * FROM pg_temp.steps(:'pools');
SELECT pg_temp.short(import_bpmn(:'pools', 'w', kinds => pg_temp.kinds()));
SELECT import_bpmn(:'pools', kinds => pg_temp.kinds());
-- one pool names the workflow, and a process that has a name does so itself
SELECT import_bpmn(('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><collaboration id="c"><participant id="P1" name="ward" processRef="p1"/></collaboration><process id="p1"' || n || '><task id="A"/></process></definitions>')::xml,
	kinds => pg_temp.kinds()) FROM unnest(ARRAY['', ' name="results"']) AS n;

--
-- What the map has and BPMN has no word for: our extension, and properties that modellers let people set
--
SELECT jsonb_pretty(import_bpmn('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:w="urn:workflow-track:bpmn" xmlns:x="http://example.org"><process id="p" name="w">
	<task id="A" name="order"><extensionElements><w:step>{"kind": "order.placed", "in": ["EHR"]}</w:step></extensionElements></task>
	<task id="B" name="draw"><extensionElements><x:properties><x:property name="workflow_track.kind" value="specimen.collected"/><x:property name="workflow_track.delivered_to" value="provider , nurse"/>
		<x:property name="workflow_track.optional" value="true"/><x:property name="other" value="y"/></x:properties></extensionElements></task>
	<boundaryEvent id="t" name="drawn" attachedToRef="B"><extensionElements><x:property name="workflow_track.correlated_by" value="subject"/><x:property name="workflow_track.category" value="follow_up"/>
		<x:property name="workflow_track.within" value="45 minutes"/></extensionElements><timerEventDefinition/></boundaryEvent>
	<sequenceFlow id="f" sourceRef="A" targetRef="B"/></process></definitions>'));
SELECT import_bpmn(pg_temp.diagram('<task id="A"><extensionElements><x xmlns="urn:workflow-track:bpmn">{</x></extensionElements></task>'));
SELECT import_bpmn(('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:w="urn:workflow-track:bpmn"><process id="p"><task id="A"><extensionElements><w:step>' || x || '</w:step></extensionElements></task></process></definitions>')::xml)
FROM unnest(ARRAY['{', '[]']) AS x;
SELECT import_bpmn(('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:w="urn:workflow-track:bpmn"><process id="p"><task id="A"><extensionElements><w:step>[]</w:step></extensionElements></task></process></definitions>')::xml);
-- kinds: by the argument, by name or id; by a name that is one, or has its words
SELECT * FROM pg_temp.steps(pg_temp.diagram('<task id="a" name="result.final"/><task id="b" name="Result acted on"/><task id="c" name="Patient notified"/><task id="d" name="Acted on"/><task id="e" name="Result   final"/>'), '{"Acted on": "result.acted_on", "b": "result.acted_on"}');
-- names that are there twice are told apart
SELECT * FROM pg_temp.steps(pg_temp.diagram('<task id="A" name="x"/><task id="B" name="x"/><task id="C"/>'));

--
-- Names of any prefix, and none
--
SELECT count(DISTINCT import_bpmn(replace(replace('<@definitions xmlns#="http://www.omg.org/spec/BPMN/20100524/MODEL"><@process id="p"><@task id="A"/><@task id="B"/><@sequenceFlow id="f" sourceRef="A" targetRef="B"/></@process></@definitions>',
	'@', p), '#', CASE p WHEN '' THEN '' ELSE ':' || rtrim(p, ':') END)::xml, kinds => pg_temp.kinds())) AS documents
FROM unnest(ARRAY['', 'bpmn:', 'bpmn2:', 'semantic:', 'x-y.z:']) AS p;

--
-- What cannot be taken is named
--
SELECT import_bpmn(NULL) IS NULL AS nothing;
SELECT import_bpmn('');
SELECT import_bpmn('text');
SELECT import_bpmn('<a/>');
SELECT import_bpmn('<definitions/>');
SELECT import_bpmn('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>');
SELECT import_bpmn('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>');
SELECT import_bpmn('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>', 'w');
SELECT import_bpmn('<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><choreography id="c"><choreographyTask id="t" name="talk"/></choreography></definitions>', 'w');
SELECT pg_temp.map('<startEvent id="s"/>');
SELECT pg_temp.map('<task id="A"/><task id="k" name="Think"/><userTask id="l"/>');
SELECT import_bpmn(pg_temp.diagram('<task id="A"/>'), 'w', kinds => '{"A": "thought.had"}');
SELECT import_bpmn(pg_temp.diagram('<task id="A"/>'), 'w', kinds => '{"A": 1}');
SELECT import_bpmn(pg_temp.diagram('<task id="A"/>'), 'w', kinds => '[]');
SELECT import_bpmn(pg_temp.diagram('<task id="A"/>'), 'w', kinds => NULL);
SELECT pg_temp.map('<task name="A"/>');
SELECT pg_temp.map('<task id="A"/><task id="A" name="again"/>');
SELECT pg_temp.map('<task id="A"/><complexGateway id="g" name="it depends"/>');
SELECT pg_temp.map('<adHocSubProcess id="S" name="in any order"><task id="A"/></adHocSubProcess>');
SELECT pg_temp.map('<subProcess id="S" name="emergency" triggeredByEvent="true"><task id="A"/></subProcess>');
SELECT pg_temp.map('<task id="A"/><boundaryEvent id="b" attachedToRef="A"><compensateEventDefinition/></boundaryEvent>');
SELECT pg_temp.map('<task id="A"/><boundaryEvent id="b" attachedToRef="z"><errorEventDefinition/></boundaryEvent>');
SELECT pg_temp.map('<task id="A"/><boundaryEvent id="b" name="each day" attachedToRef="A"><timerEventDefinition><timeCycle>R/P1D</timeCycle></timerEventDefinition></boundaryEvent>');
SELECT pg_temp.map('<task id="A"/><task id="B"/><boundaryEvent id="b" name="each day" attachedToRef="B"><timerEventDefinition><timeCycle>R/P1D</timeCycle></timerEventDefinition></boundaryEvent>[A B]');
SELECT pg_temp.map('<task id="A"/><task id="B"/><boundaryEvent id="b" name="a month" attachedToRef="B"><timerEventDefinition><timeDuration>P1M</timeDuration></timerEventDefinition></boundaryEvent>[A B]');
SELECT pg_temp.map('<task id="A"/><eventBasedGateway id="g"/><intermediateCatchEvent id="t"><timerEventDefinition><timeDuration>P1D</timeDuration></timerEventDefinition></intermediateCatchEvent><task id="B"/>[A g][g t][t B]');
SELECT pg_temp.map('<task id="A"/>[A z]');
SELECT pg_temp.map('<task id="A"/><sequenceFlow id="f"/>');
\echo :LAST_ERROR_SQLSTATE
-- and what is left out without harm is told
SELECT pg_temp.map('<task id="A"/><textAnnotation id="n"><text>remember</text></textAnnotation><association id="a" sourceRef="A" targetRef="n"/><dataObjectReference id="d" name="form"/><group id="g"/>
	<startEvent id="s"><timerEventDefinition><timeCycle>R/P1D</timeCycle></timerEventDefinition></startEvent>[s A]');

--
-- XML that means harm
--
\set VERBOSITY sqlstate
-- entities that grow, entities of files, a nesting beyond what the parser takes
SELECT import_bpmn(xmlparse(DOCUMENT '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' || (SELECT string_agg(format('<!ENTITY %s "%s">', chr(97 + n), repeat('&' || chr(96 + n) || ';', 10)), '') FROM generate_series(1, 12) AS n)
	|| ']><d xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">&m;</d>'));
SELECT import_bpmn(xmlparse(DOCUMENT '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p" name="&a;"/></definitions>'));
SELECT import_bpmn(xmlparse(DOCUMENT '<d>' || repeat('<a>', 5000) || repeat('</a>', 5000) || '</d>'));
\set VERBOSITY default
SELECT import_bpmn(xmlparse(DOCUMENT '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:w="urn:workflow-track:bpmn"><process id="p"><task id="A"><extensionElements><w:step>&a;</w:step></extensionElements></task></process></definitions>'), kinds => pg_temp.kinds());
-- a name that would be SQL, XML or a path of JSON is a name
SELECT import_bpmn(pg_temp.diagram('<task id="A" name="'');DROP TABLE event;--&lt;/task&gt;&amp;&quot;$.x"/>'), 'w', kinds => pg_temp.kinds());
-- and what the document says of its encoding does not matter, as text has that of the database
SELECT import_bpmn('<?xml version="1.0" encoding="ISO-8859-1"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p" name="Überweisung ✓"><task id="A"/></process></definitions>', kinds => pg_temp.kinds());
-- a large diagram
SELECT jsonb_array_length(d -> 'steps') AS steps, jsonb_array_length(d -> 'transitions') AS transitions
FROM import_bpmn(pg_temp.diagram((SELECT string_agg(format('<task id="t%s" name="Order placed"/><exclusiveGateway id="g%s"/>[t%s g%s]', n, n, n, n), '') || string_agg(format('[g%s t%s][g%s t%s]', n, n % 150 + 1, n, (n + 1) % 150 + 1), '')
	FROM generate_series(1, 150) AS n)), 'w') AS d;

--
-- There and back again: a map is the same after it
--
SELECT define_workflow('{
 "workflow": "every key", "version": 3, "state": "future",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"], "start": true, "end": false},
  {"step": "draw", "kind": "specimen.collected", "optional": true, "repeatable": true, "performed_by": []},
  {"step": "result", "kind": "result.final", "performed_by": ["lab_tech", "radiologist"], "in": ["LIS", "RIS"],
   "delivered_to": ["provider", "triage_nurse"], "required_fields": ["encounter_id", "recipient", "detail.patient_class", "code:loinc", "code:local:LAB7"]},
  {"step": "look", "kind": "result.viewed", "performed_by": ["provider"], "repeatable": false, "optional": false, "in": []},
  {"step": "acknowledge", "kind": "result.acknowledged", "performed_by": ["radiologist", "lab_tech"], "start": true, "end": true},
  {"step": "tell", "kind": "patient.notified", "end": true}],
 "transitions": [["draw", "result"], ["order", "draw"], ["draw", "draw"], ["order", "result"], ["result", "acknowledge"], ["result", "look"], ["look", "acknowledge"], ["acknowledge", "order"], ["acknowledge", "tell"], ["look", "look"]],
 "expectations": [
  {"name": "critical result acknowledged", "category": "acknowledgement",
   "after": ["result.final", "result.corrected"],
   "when": {"severity": ["critical", "unknown"], "facility": ["NORTH", ""], "entry_method": ["interface", "unknown"],
            "code": "loinc|2", "detail": {"patient_class": ["I", "E"], "unit": "ICU", "beds": 2, "a b": [["x"], {"y": null}]}},
   "expect": ["result.acknowledged"], "by": ["provider", "covering_provider"], "correlated_by": "item",
   "within": "1 day 2 hours", "early": "2 minutes",
   "cancelled_by": ["result.cancelled", {"kind": "patient.died", "correlated_by": "patient"}, {"kind": "patient.notified"}],
   "escalate_to": "charge_nurse"}],
 "duplicates": [
  {"name": "typed twice", "kind": "data.entered", "same": ["code", "value"], "different": ["source_system", "actor"],
   "when": {"severity": "normal", "facility": "NORTH", "entry_method": "manual", "code": "local:LAB7|", "detail": {"unit": "ICU"}},
   "within": "24 hours", "action": "reject"}],
 "billing": [
  {"name": "imaging", "codes": "cpt|7055", "documented_by": ["procedure.documented", "result.final"],
   "requires_authorization": true, "requires_modifiers": ["25", "59"], "within": "36:00"}]
}');
SELECT define_workflow(jsonb_build_object('workflow', E'<names> & "quotes" ''\\ \t\u00fc\u4e16\U0001F600', 'version', 1,
	'steps', (SELECT jsonb_agg(jsonb_build_object('step', name, 'kind', 'order.placed', 'performed_by', jsonb_build_array(name, 'another'), 'start', true) ORDER BY name) FROM unnest(names) AS name),
	'transitions', (SELECT jsonb_agg(jsonb_build_array(a, b) ORDER BY b, a) FROM unnest(names) AS a, unnest(names) AS b)))
FROM (SELECT ARRAY['end', 'subgraph', '"', '<b>', '&amp;', E'two\nlines', E'a\r\nb', '\', '\n', ']]>', '<!-- x -->', repeat('long ', 100) || '.', 'ü世😀', '${x}', 'a  b', 'anybody', '1. list', '- x', '`', '*x* _y_', '#35;', '{{}}', 'step_1'] AS names) AS n;
SELECT define_workflow('{"workflow": "nothing", "version": 0}'), define_workflow('{"workflow": "empty", "version": 0, "steps": [], "transitions": [], "expectations": [], "duplicates": []}');
SELECT define_workflow('{"workflow": "no roles", "version": 1, "steps": [{"step": "a", "kind": "order.placed"}, {"step": "b", "kind": "order.accepted", "in": ["EHR"]}], "transitions": [["b", "a"], ["a", "b"], ["b", "b"]]}');
SELECT workflow, version, import_bpmn(export_bpmn(workflow, version)) = document AS equal FROM workflow ORDER BY workflow COLLATE "C";
-- letters are letters, for modellers that do not know their numbers
SELECT workflow FROM workflow WHERE export_bpmn(workflow, version)::text LIKE '%name="ü世😀"%';
-- to be certain that what is compared is a diagram: a step that is moved to another lane, renamed, cut off
CREATE TEMP TABLE changed AS SELECT export_bpmn('every key', 3)::text AS diagram;
SELECT s ->> 'step' AS step, s ->> 'performed_by' AS performed_by FROM changed, jsonb_array_elements(import_bpmn(replace(replace(diagram,
	'<bpmn:flowNodeRef>step_1</bpmn:flowNodeRef>', ''), '<bpmn:flowNodeRef>step_2</bpmn:flowNodeRef>', '<bpmn:flowNodeRef>step_1</bpmn:flowNodeRef>')::xml) -> 'steps') AS s;
SELECT s ->> 'step' AS step, s ->> 'performed_by' AS performed_by FROM changed, jsonb_array_elements(import_bpmn(replace(replace(diagram, 'name="draw"', 'name="collect"'), 'name="lab_tech, radiologist"', 'name="technician"')::xml) -> 'steps') AS s;
SELECT import_bpmn(regexp_replace(diagram, '<bpmn:sequenceFlow [^>]*targetRef="join_3"/>', '')::xml) -> 'transitions' AS transitions FROM changed;
-- as the next version it is a draft
SELECT d ->> 'version' AS version, d ->> 'state' AS state FROM changed, import_bpmn(diagram::xml, version => 4) AS d;
-- every element has its shape, every flow its line, within the pool
SELECT workflow, count(*) FILTER (WHERE x.tag = 'BPMNShape') AS shapes, count(*) FILTER (WHERE x.tag = 'BPMNEdge') AS lines,
	count(*) FILTER (WHERE NOT e.there) AS of_nothing, count(*) FILTER (WHERE x.tag = 'BPMNShape') - count(DISTINCT x.element) FILTER (WHERE x.tag = 'BPMNShape') AS twice
FROM workflow, XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/DI' AS di), '//di:BPMNShape | //di:BPMNEdge' PASSING export_bpmn(workflow, version)
	COLUMNS tag text PATH 'local-name()', element text PATH '@bpmnElement') AS x,
	LATERAL (SELECT xpath_exists(format('//*[@id = "%s"]', x.element), export_bpmn(workflow, version)) AS there) AS e
WHERE workflow IN ('every key', 'no roles', 'default') GROUP BY workflow ORDER BY workflow;
-- no two boxes of nodes overlap
WITH box AS (SELECT workflow, x.* FROM workflow, XMLTABLE(XMLNAMESPACES('http://www.omg.org/spec/BPMN/20100524/DI' AS di, 'http://www.omg.org/spec/DD/20100524/DC' AS dc), '//di:BPMNShape[not(@isHorizontal)]' PASSING export_bpmn(workflow, version)
	COLUMNS id text PATH '@bpmnElement', x integer PATH 'dc:Bounds/@x', y integer PATH 'dc:Bounds/@y', w integer PATH 'dc:Bounds/@width', h integer PATH 'dc:Bounds/@height') AS x)
SELECT a.workflow, a.id, b.id FROM box AS a JOIN box AS b ON b.workflow = a.workflow AND b.id > a.id AND b.x < a.x + a.w AND a.x < b.x + b.w AND b.y < a.y + a.h AND a.y < b.y + b.h;
\pset format unaligned
SELECT replace(replace(export_bpmn('no roles', 1)::text, '><', E'>\n<'), code_version(), 'VERSION') AS diagram;
\pset format aligned
-- what XML cannot hold, and what is not there
SELECT define_workflow(E'{"workflow": "bell", "version": 1, "steps": [{"step": "ring \\u0007", "kind": "order.placed"}]}');
SELECT export_bpmn('bell', 1);
SELECT export_bpmn('none', 1);
\echo :LAST_ERROR_SQLSTATE

--
-- Analysts and administrators; nobody else
--
SET ROLE workflow_track_analyst;
SELECT import_bpmn(export_bpmn('default', 1)) = workflow_document('default', 1) AS equal;
SET ROLE workflow_track_admin;
SELECT define_workflow(import_bpmn(export_bpmn('default', 1), version => 2));
SELECT workflow, version, state FROM workflow WHERE workflow = 'default' ORDER BY version;
SET ROLE workflow_track_recorder;
SELECT import_bpmn('<a/>');
SELECT export_bpmn('default', 1);
RESET ROLE;
