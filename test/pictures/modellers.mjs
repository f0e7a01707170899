// Draws each *.mmd of a directory with mermaid, and opens each *.bpmn with bpmn-moddle and bpmn-js, in a browser without a window.
//
//	node modellers.mjs PACKAGES DIRECTORY

import { createRequire } from 'node:module';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packages, directory] = process.argv.slice(2);
const require = createRequire(join(packages, 'package.json'));
const load = async name => import(pathToFileURL(require.resolve(name)).href);
const { BpmnModdle } = await load('bpmn-moddle');
const puppeteer = (await load('puppeteer-core')).default;

const files = suffix => readdirSync(directory).filter(name => name.endsWith(suffix)).sort();
const read = name => readFileSync(join(directory, name), 'utf8');
const map = name => JSON.parse(read(name.split('.')[0] + '.json'));
const withoutBlanks = text => text.replace(/\s/g, '');

function tell(name, faults) {
	console.log(`${faults.length ? 'not ok' : 'ok'} ${name}`);
	faults.forEach(fault => console.log(`# ${fault}`));
}

// What bpmn-moddle has to say, and names that it reads otherwise.
async function readFaults(name) {
	const { rootElement, elementsById, warnings } = await new BpmnModdle().fromXML(read(name));
	const faults = warnings.map(warning => warning.message);
	for (const [id, step] of Object.entries(map(name).names ?? {}))
		if (elementsById[id]?.name !== step)
			faults.push(`${id} is called ${elementsById[id]?.name}, not ${step}`);
	if (rootElement.diagrams.length !== 1)
		faults.push('there is not one diagram');
	return faults;
}

// Runs in the browser: what bpmn-js has to say, what is not drawn, and lines that begin or end beside what they connect.
async function openDiagram(xml) {
	const viewer = new BpmnJS({ container: '#canvas' });
	const faults = (await viewer.importXML(xml)).warnings.map(warning => warning.message);
	const registry = viewer.get('elementRegistry');
	const touches = (shape, point) => point.x >= shape.x - 1 && point.x <= shape.x + shape.width + 1 && point.y >= shape.y - 1 && point.y <= shape.y + shape.height + 1;
	for (const [, id] of xml.matchAll(/bpmnElement="([^"]*)"/g))
		if (!registry.get(id))
			faults.push(`${id} is not drawn`);
	for (const line of registry.filter(element => element.waypoints))
		if (!touches(line.source, line.waypoints[0]) || !touches(line.target, line.waypoints.at(-1)))
			faults.push(`${line.id} does not lead from ${line.source.id} to ${line.target.id}`);
	// A node's middle is in its lane.
	for (const node of registry.filter(element => element.parent?.type === 'bpmn:Participant' && element.type !== 'bpmn:Lane' && !element.waypoints)) {
		const lane = registry.find(element => element.type === 'bpmn:Lane' && element.businessObject.flowNodeRef?.includes(node.businessObject));
		if (!lane || !touches(lane, node) || !touches(lane, { x: node.x + node.width, y: node.y + node.height }))
			faults.push(`${node.id} is not drawn in its lane`);
	}
	viewer.get('canvas').zoom('fit-viewport');
	return faults;
}

// Runs in the browser: the labels that mermaid draws, and how many lines.
async function drawFlowchart(text, number) {
	const { svg } = await mermaid.render(`flowchart${number}`, text);
	const picture = new DOMParser().parseFromString(svg, 'text/html');
	const labels = {};
	for (const node of picture.querySelectorAll('g.node'))
		labels[node.id.replace(/^.*?flowchart-/, '').replace(/-\d+$/, '')] = node.textContent;
	return { svg, labels, edges: picture.querySelectorAll('path.flowchart-link').length,
		lanes: [...picture.querySelectorAll('g.cluster')].map(cluster => cluster.textContent) };
}

function flowchartFaults(name, drawn) {
	const { labels, lanes, edges, edges_of_events } = map(name);
	const faults = Object.entries(labels ?? {}).filter(([node, label]) => withoutBlanks(drawn.labels[node] ?? '') !== withoutBlanks(label))
		.map(([node, label]) => `${node} reads ${drawn.labels[node]}, not ${label}`);
	const seen = drawn.lanes.map(withoutBlanks);
	faults.push(...(lanes ?? []).filter(lane => lane && !seen.includes(withoutBlanks(lane))).map(lane => `there is no lane ${lane}`));
	const ends = (read(name).match(/^\t(start --> s\d+|s\d+ --> finish)$/gm) ?? []).length;
	const expected = (name.includes('.events.') ? edges_of_events : edges) + ends;
	if (drawn.edges !== expected)
		faults.push(`there are ${drawn.edges} lines, not ${expected}`);
	return faults;
}

for (const name of files('.bpmn'))
	tell(`${name} in bpmn-moddle`, await readFaults(name).catch(error => [error.message]));

const browser = await puppeteer.launch({ executablePath: 'chromium', args: ['--no-sandbox', '--disable-gpu'] }).catch(() =>
	puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] }));
try {
	for (const name of files('.bpmn')) {
		const page = await browser.newPage();
		await page.setViewport({ width: 1600, height: 1000 });
		await page.setContent('<body style="margin: 0"><div id="canvas" style="width: 1600px; height: 1000px"></div></body>');
		await page.addStyleTag({ path: join(packages, 'node_modules/bpmn-js/dist/assets/diagram-js.css') });
		await page.addScriptTag({ path: join(packages, 'node_modules/bpmn-js/dist/bpmn-navigated-viewer.production.min.js') });
		tell(`${name} in bpmn-js`, await page.evaluate(openDiagram, read(name)).catch(error => [error.message]));
		await page.screenshot({ path: join(directory, `${name}.png`) });
		await page.close();
	}
	const page = await browser.newPage();
	await page.setContent('<body></body>');
	await page.addScriptTag({ path: join(packages, 'node_modules/mermaid/dist/mermaid.min.js') });
	await page.evaluate(() => mermaid.initialize({ startOnLoad: false, maxTextSize: 1000000, maxEdges: 10000 }));
	for (const [number, name] of files('.mmd').entries()) {
		try {
			const drawn = await page.evaluate(drawFlowchart, read(name), number);
			writeFileSync(join(directory, `${name}.svg`), drawn.svg);
			tell(`${name} in mermaid`, flowchartFaults(name, drawn));
		} catch (error) {
			tell(`${name} in mermaid`, [error.message]);
		}
	}
} finally {
	await browser.close();
}
