// Directly-follows counts by DuckDB, on its own copy of the events: what a window function and percentile_cont give.
//
//	node duckdb.mjs MODULES EVENTS.csv RUNS
//
// MODULES is a folder of npm packages with @duckdb/node-api.  Prints a line a
// run: milliseconds, edges, and how often they were taken.

import { createRequire } from 'node:module';

const [modules, file, runs] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(`${modules}/`)('@duckdb/node-api');
const connection = await (await DuckDBInstance.create(':memory:')).connect();

await connection.run(`CREATE TABLE event AS SELECT * FROM read_csv('${file}', header = true, types = {
	'facility': 'VARCHAR', 'patient_id': 'VARCHAR', 'encounter_id': 'VARCHAR', 'kind': 'VARCHAR', 'happened': 'BIGINT', 'sequence': 'INTEGER'})`);
for (let run = 0; run < Number(runs); run++) {
	const started = performance.now();
	const reader = await connection.runAndReadAll(`
		SELECT facility, previous, kind, count(*) AS follows, count(DISTINCT (patient_id, encounter_id)) AS cases, avg(passed) AS mean,
			quantile_cont(passed, [0.5, 0.9, 0.95, 1]) AS quantiles
		FROM (SELECT facility, patient_id, encounter_id, kind, lag(kind) OVER w AS previous, happened - lag(happened) OVER w AS passed
			FROM event WINDOW w AS (PARTITION BY patient_id, encounter_id ORDER BY happened, sequence, kind))
		WHERE previous IS NOT NULL GROUP BY facility, previous, kind`);
	const rows = reader.getRows();
	console.log((performance.now() - started).toFixed(1), rows.length, String(rows.reduce((sum, row) => sum + row[3], 0n)));
}
