# Parts of the benchmark that mine what was recorded.
#
# shellcheck shell=bash

# Directly-follows counts from nothing, by ours and by a window function on the same table, in turns; by DuckDB on its own; and from the rollup.
part_mining() {
	local i ours theirs edges window
	local -A times
	note "making about $SMALL events"
	fresh tracked
	make_events "$SMALL" | sql run_tracked -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM STDIN"
	sql run_tracked -o /dev/null -c 'SELECT workflow_track.maintain()' -c 'VACUUM ANALYZE' -c CHECKPOINT
	for ((i = 0; i < PAIRS; i++)); do
		times[ours]+=" $(timed run_tracked 'SELECT count(*), sum(follows) FROM workflow_track.directly_follows(NULL)')"
		times[window]+=" $(timed run_tracked "SELECT count(*), sum(follows) FROM ($FOLLOWS_BY_WINDOW) AS f")"
		note "directly_follows:${times[ours]} ms, window function:${times[window]} ms"
	done
	ours=$(sql run_tracked -c 'SELECT count(*), sum(follows), sum(extract(epoch FROM mean) * follows)::bigint FROM workflow_track.directly_follows(NULL)')
	theirs=$(sql run_tracked -c "SELECT count(*), sum(follows), sum(extract(epoch FROM mean) * follows)::bigint FROM ($FOLLOWS_BY_WINDOW) AS f")
	[ "$ours" = "$theirs" ] || die "directly_follows gives $ours, and a window function $theirs"
	edges=${ours%%|*}
	window=$(median_of "${times[window]}")
	row "directly_follows over $(sql run_tracked -c 'SELECT count(*) FROM workflow_track.event') events, $edges edges" "$(printf '%.0f ms' "$(median_of "${times[ours]}")")"
	row "  the same by a window function" "$(printf '%.0f ms' "$window")"
	row "  time, ours / window function" "$(divide "$(median_of "${times[ours]}")" "$window")" "$(divide "$(median_of "${times[ours]}")" "$window" 3)" "<" 0.35
	follows_by_duckdb "$ours"
	follows_from_rollup
	handoffs_by_roles
	alignments_of_variants
	conformance_of_cases
	remark "directly_follows: counts, cases, mean and four quantiles of each edge, in each facility; the window function and DuckDB the same with exact quantiles; medians of $PAIRS runs, those of the two on this server in turns"
	remark "from the rollup: client's time of the whole answer (psql's \\timing), median of 20 after 3, after maintain(), and once more after so many patients' events"
}

# The same by DuckDB, which is brought from npm, on a copy of its own; what it must find.
follows_by_duckdb() {
	local found csv=$WT_TREE/tmp/mining.csv modules=$WT_TREE/tmp/duckdb
	if ! command -v npm >/dev/null ||
		! timeout 120 npm install --ignore-scripts --no-audit --no-fund --silent --prefix "$modules" @duckdb/node-api@1.5.6-r.1; then
		row "  the same by DuckDB" "skipped: not to be had"
		return
	fi
	sql run_tracked -c "COPY (SELECT facility, patient_id, encounter_id, kind, (extract(epoch FROM occurred_at) * 1000000)::bigint AS happened, source_sequence AS sequence
		FROM workflow_track.event WHERE encounter_id IS NOT NULL) TO STDOUT (FORMAT csv, HEADER)" >"$csv"
	found=$(node test/bench/duckdb.mjs "$modules" "$csv" "$PAIRS")
	rm "$csv"
	[ "$(awk '{ print $2 "|" $3 }' <<<"$found" | sort -u)" = "${1%|*}" ] || die "DuckDB finds $found, not $1"
	row "  the same by DuckDB, $(nproc) threads" "$(printf '%.0f ms' "$(median_of "$(awk '{ print $1 }' <<<"$found")")")"
}

# The view, when nothing is marked, and when some patients are.
follows_from_rollup() {
	local ms query='SELECT * FROM workflow_track.directly_follows'
	[ "$(sql run_tracked -c 'SELECT count(*) FROM workflow_track.follows_mark')" = 0 ] || die "the rollup is not up to date"
	ms=$(printf '%.1f' "$(time_query run_tracked bench_all "$query" | median)")
	row "directly_follows from the rollup" "$ms ms" "$ms" "<" 50
	sql run_tracked -c "INSERT INTO workflow_track.event (patient_id, facility, encounter_id, kind, occurred_at)
		SELECT patient_id, 'NORTH', 'bench', 'note.signed', '$END'::timestamptz FROM workflow_track.patient_state LIMIT 100"
	ms=$(printf '%.1f' "$(time_query run_tracked bench_all "$query" | median)")
	row "  with events of 100 patients that are not folded" "$ms ms"
}

# Percentiles of implied handoffs for each pair of roles.
handoffs_by_roles() {
	local i ms ours theirs
	local -A times
	local from_nothing="SELECT from_role, to_role, count(*) AS handoffs, workflow_track.quantiles(workflow_track.latency_histogram(latency), '{0.5,0.9,0.95,0.99}') AS quantiles
		FROM workflow_track.handoff WHERE basis = 'implied' GROUP BY from_role, to_role"
	for ((i = 0; i < PAIRS; i++)); do
		times[ours]+=" $(timed run_tracked "SELECT count(*), sum(handoffs) FROM ($from_nothing) AS h")"
		times[window]+=" $(timed run_tracked "SELECT count(*), sum(handoffs) FROM ($HANDOFFS_BY_WINDOW) AS h")"
		note "handoffs:${times[ours]} ms, window function:${times[window]} ms"
	done
	ours=$(sql run_tracked -c "SELECT count(*), sum(handoffs) FROM ($from_nothing) AS h")
	theirs=$(sql run_tracked -c "SELECT count(*), sum(handoffs) FROM ($HANDOFFS_BY_WINDOW) AS h")
	awk -F '|' -v other="$theirs" '{ split(other, o, "|"); exit ($2 - o[2]) ^ 2 > ($2 / 100) ^ 2 }' <<<"$ours" || die "handoffs: $ours, and by a window function $theirs"
	row "handoff percentiles, ${ours%%|*} pairs of roles, ${ours##*|} handoffs" "$(printf '%.0f ms' "$(median_of "${times[ours]}")")"
	row "  the same by a window function and percentile_cont" "$(printf '%.0f ms' "$(median_of "${times[window]}")")"
	ms=$(printf '%.1f' "$(time_query run_tracked bench_all "SELECT from_role, to_role, workflow_track.quantiles(workflow_track.merge(histogram), '{0.5,0.9,0.95,0.99}')
		FROM workflow_track.handoff_latency_hourly WHERE basis = 'implied' GROUP BY 1, 2" | median)")
	row "  from the hourly rollup, merged" "$ms ms"
	ms=$(printf '%.1f' "$(time_query run_tracked bench_all "SELECT * FROM workflow_track.handoff_latency" | median)")
	row "  from the rollup, by facility and systems too" "$ms ms" "$ms" "<" 100
	remark "handoff percentiles: from nothing by view handoff, which knows merges, and roles of a time and a place; the window function takes one role an actor; their numbers differ by ${ours##*|} - ${theirs##*|}"
}

FOLLOWS_BY_WINDOW="
	SELECT facility, previous, kind, count(*) AS follows, count(DISTINCT (patient_id, encounter_id)) AS cases, avg(passed) AS mean,
		percentile_cont(ARRAY[0.5, 0.9, 0.95, 1]) WITHIN GROUP (ORDER BY passed) AS quantiles
	FROM (SELECT facility, patient_id, encounter_id, kind, lag(kind) OVER w AS previous, occurred_at - lag(occurred_at) OVER w AS passed
		FROM workflow_track.event WHERE encounter_id IS NOT NULL
		WINDOW w AS (PARTITION BY patient_id, encounter_id ORDER BY occurred_at, source_sequence, kind)) AS e
	WHERE previous IS NOT NULL GROUP BY facility, previous, kind"

HANDOFFS_BY_WINDOW="
	SELECT from_role, to_role, count(*) AS handoffs, percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY passed) AS quantiles
	FROM (SELECT actor, source_system, role AS to_role, lag(role) OVER w AS from_role, lag(actor) OVER w AS from_actor,
			lag(source_system) OVER w AS from_system, occurred_at - lag(occurred_at) OVER w AS passed
		FROM (SELECT e.*, coalesce(e.actor_role, s.role) AS role
			FROM workflow_track.event AS e JOIN workflow_track.event_kind AS k USING (kind)
				LEFT JOIN (SELECT DISTINCT ON (actor) actor, role FROM workflow_track.staff ORDER BY actor, role) AS s USING (actor)
			WHERE k.counts_as_work AND e.encounter_id IS NOT NULL) AS e
		WINDOW w AS (PARTITION BY patient_id, encounter_id ORDER BY occurred_at, source_sequence, kind)) AS e
	WHERE passed IS NOT NULL AND (from_actor, from_role, from_system) IS DISTINCT FROM (actor, to_role, source_system)
	GROUP BY from_role, to_role"

# Alignments of the variants of the sepsis log with a workflow of twelve steps.
alignments_of_variants() {
	local ms found log=../shared/data/eventlog/sepsis.csv
	if [ ! -f "$log" ]; then
		row "alignments of the sepsis log" "skipped: no sepsis.csv"
		return
	fi
	fresh plain
	PYTHONPATH=test/oracle python3 -B -c 'import pathlib, sys, sepsis; sys.stdout.write(sepsis.load(pathlib.Path(sys.argv[1])))' "$log" | sql run_plain -o /dev/null
	sql run_plain -o /dev/null <<-'SQL'
		WITH step AS (
			SELECT * FROM unnest('{er_registration,er_triage,er_sepsis_triage,leucocytes,crp,lacticacid,iv_liquid,iv_antibiotics,admission_nc,admission_ic,release_a,return_er}'::text[])
				WITH ORDINALITY AS s(step, n))
		SELECT workflow_track.define_workflow(jsonb_build_object('workflow', 'sepsis of twelve', 'version', 1,
			'steps', (SELECT jsonb_agg(jsonb_build_object('step', step, 'kind', 'sepsis.' || step, 'optional', n > 3, 'start', n = 1, 'end', n > 3) ORDER BY n) FROM step),
			'transitions', (SELECT jsonb_agg(jsonb_build_array(a.step, b.step)) FROM step AS a JOIN step AS b ON b.n > a.n OR b.n BETWEEN 4 AND 9 AND a.n BETWEEN 4 AND 9)));
	SQL
	found=$(sql run_plain -c "$ALIGNMENTS")
	ms=$(timed run_plain "$ALIGNMENTS")
	row "alignments of ${found%%|*} variants of the sepsis log, 12 steps" "$(printf '%.0f ms' "$ms")" "$ms" "<" 500
	remark "alignments of the sepsis log: of its whole traces, one by one by workflow_alignment(), ${found##*|} moves; a workflow in which six of the steps may come again in any order"
}

ALIGNMENTS="
	SELECT count(*), sum(a.moves) FROM (SELECT DISTINCT trace FROM workflow_track.workflow_variant) AS v
		CROSS JOIN LATERAL (SELECT count(*) AS moves FROM workflow_track.workflow_alignment('sepsis of twelve', 1, v.trace)) AS a"

# Alignments of 50,000 cases of some hundred variants with a workflow of twelve steps.
conformance_of_cases() {
	local ms
	note "making 50000 cases"
	fresh plain
	sql run_plain -o /dev/null <<-'SQL'
		INSERT INTO workflow_track.event_kind SELECT 'b.k' || n, 'bench', true, 'of the benchmark' FROM generate_series(1, 12) AS n;
		SELECT workflow_track.define_workflow(jsonb_build_object('workflow', 'bench', 'version', 1,
			'steps', (SELECT jsonb_agg(jsonb_build_object('step', 's' || n, 'kind', 'b.k' || n, 'optional', n % 4 = 0, 'repeatable', n % 5 = 0)) FROM generate_series(1, 12) AS n),
			'transitions', (SELECT jsonb_agg(jsonb_build_array('s' || n, 's' || n + 1)) FROM generate_series(1, 11) AS n) || '[["s6", "s3"]]'));
		INSERT INTO workflow_track.event (patient_id, encounter_id, kind, occurred_at)
			SELECT 'P' || c, 'V' || c, 'b.k' || 1 + (k - 1 + CASE WHEN hashint4(c % 400 * 100 + k) % 7 = 0 THEN hashint4(c % 400 + k) % 3 + 3 ELSE 0 END) % 12,
				now() - interval '60 days' + c * interval '1 minute' + k * interval '10 minutes'
			FROM generate_series(1, 50000) AS c, generate_series(1, 14) AS k;
		VACUUM ANALYZE;
	SQL
	timed run_plain "SELECT count(*) FROM workflow_track.conformance('bench', 1)" >/dev/null
	ms=$(timed run_plain "SELECT count(*), sum(cost) FROM workflow_track.conformance('bench', 1)")
	row "conformance of 50000 cases, 12 steps, $(sql run_plain -c 'SELECT count(DISTINCT trace) FROM workflow_track.workflow_variant') variants" "$(printf '%.0f ms' "$ms")" "$ms" "<" 1000
}
