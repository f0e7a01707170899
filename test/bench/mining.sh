# Parts of the benchmark that mine what was recorded.
#
# shellcheck shell=bash

# Directly-follows counts from nothing, by ours and by a window function on the same table, in turns.
part_mining() {
	local i ours theirs edges
	local -A times
	note "making about $SMALL events"
	fresh plain
	make_events "$SMALL" | sql run_plain -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM STDIN"
	sql run_plain -c 'VACUUM ANALYZE' -c CHECKPOINT
	for ((i = 0; i < PAIRS; i++)); do
		times[ours]+=" $(timed run_plain 'SELECT count(*), sum(follows) FROM workflow_track.directly_follows(NULL)')"
		times[window]+=" $(timed run_plain "SELECT count(*), sum(follows) FROM ($FOLLOWS_BY_WINDOW) AS f")"
		note "directly_follows:${times[ours]} ms, window function:${times[window]} ms"
	done
	ours=$(sql run_plain -c 'SELECT count(*), sum(follows), sum(extract(epoch FROM mean) * follows)::bigint FROM workflow_track.directly_follows(NULL)')
	theirs=$(sql run_plain -c "SELECT count(*), sum(follows), sum(extract(epoch FROM mean) * follows)::bigint FROM ($FOLLOWS_BY_WINDOW) AS f")
	[ "$ours" = "$theirs" ] || die "directly_follows gives $ours, and a window function $theirs"
	edges=${ours%%|*}
	row "directly_follows over $(sql run_plain -c 'SELECT count(*) FROM workflow_track.event') events, $edges edges" "$(printf '%.0f ms' "$(median_of "${times[ours]}")")"
	row "  the same by a window function" "$(printf '%.0f ms' "$(median_of "${times[window]}")")"
	row "  time, ours / window function" "$(divide "$(median_of "${times[ours]}")" "$(median_of "${times[window]}")")" \
		"$(divide "$(median_of "${times[ours]}")" "$(median_of "${times[window]}")" 3)" "<" 0.35
	conformance_of_cases
	remark "directly_follows: counts, cases, mean and four quantiles of each edge, in each facility; the window function the same with percentile_cont; medians of $PAIRS in turns"
}

FOLLOWS_BY_WINDOW="
	SELECT facility, previous, kind, count(*) AS follows, count(DISTINCT (patient_id, encounter_id)) AS cases, avg(passed) AS mean,
		percentile_cont(ARRAY[0.5, 0.9, 0.95, 1]) WITHIN GROUP (ORDER BY passed) AS quantiles
	FROM (SELECT facility, patient_id, encounter_id, kind, lag(kind) OVER w AS previous, occurred_at - lag(occurred_at) OVER w AS passed
		FROM workflow_track.event WHERE encounter_id IS NOT NULL
		WINDOW w AS (PARTITION BY patient_id, encounter_id ORDER BY occurred_at, source_sequence, kind)) AS e
	WHERE previous IS NOT NULL GROUP BY facility, previous, kind"

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
