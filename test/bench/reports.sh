# Part of the benchmark that reads reports.
#
# shellcheck shell=bash

# Each report at two sizes: its name, its limit in milliseconds, who asks, the query.
REPORTS=(
	"unacknowledged_result|20|bench_all|SELECT * FROM workflow_track.unacknowledged_result"
	"missed_follow_up|20|bench_all|SELECT * FROM workflow_track.missed_follow_up"
	"missed_follow_up, overdue|20|bench_all|SELECT * FROM workflow_track.missed_follow_up WHERE status = 'overdue'"
	"handoff_latency|100|bench_all|SELECT * FROM workflow_track.handoff_latency"
	"care_loop, a day of one facility|50|bench_one|SELECT * FROM workflow_track.care_loop WHERE opened_at >= '@END'::timestamptz - interval '40 days' AND opened_at < '@END'::timestamptz - interval '39 days'"
)

# Loads and measures a small and a large database.
part_reports() {
	local size
	local -A times
	for size in "$SMALL" "$LARGE"; do
		load_for_reports "$size"
		read_reports "$size"
		dropdb run_tracked
	done
	remark "reports: client's time of the whole answer (psql's \\timing), median of 20 after 3; after VACUUM ANALYZE and maintain()"
	remark "reports: the number of unacknowledged results and of late or missing follow-ups is the same at both sizes," \
		"so that the comparison is of access paths; a history with more of them has longer answers"
	remark "reports: loaded with detection paused, then rebuild()"
}

# Makes run_tracked with about $1 events.
load_for_reports() {
	local events ms
	note "loading about $1 events"
	fresh tracked
	sql run_tracked -o /dev/null -c 'SELECT workflow_track.pause_detection()'
	make_events "$1" | sql run_tracked -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM STDIN"
	sql run_tracked -o /dev/null -c 'SELECT workflow_track.resume_detection()' -c 'ANALYZE' -c CHECKPOINT
	events=$(sql run_tracked -c 'SELECT count(*) FROM workflow_track.event')
	ms=$(timed run_tracked 'CALL workflow_track.rebuild()')
	row "rebuild() of $events events" "$(awk -v n="$events" -v ms="$ms" 'BEGIN { printf "%d rows/s", n * 1000 / ms }')"
	sql run_tracked -o /dev/null -c 'SELECT workflow_track.maintain()' -c 'VACUUM ANALYZE' -c CHECKPOINT
}

# Measures every report; at the larger size also against the smaller one.
read_reports() {
	local report name limit role query ms rows
	for report in "${REPORTS[@]}"; do
		IFS='|' read -r name limit role query <<<"$report"
		query=${query//@END/$END}
		rows=$(psql -XqAt -U "$role" -d run_tracked -c "SELECT count(*) FROM ($query) q")
		ms=$(time_query "$role" "$query")
		times[$name,$1]=$ms
		row "$name, $1 events" "$ms ms ($rows rows)" "$ms" "<" "$limit"
		if [ "$1" = "$LARGE" ] && [ "$role" = bench_all ] && [ "$name" != handoff_latency ]; then
			row "  times that of $SMALL" "$(divide "$ms" "${times[$name,$SMALL]}")" "$(divide "$ms" "${times[$name,$SMALL]}")" "<" 1.3
		fi
	done
}

# The median of 20 warm executions, in milliseconds.
time_query() {
	{
		printf '%s\n' '\timing on' '\o /dev/null'
		for _ in {1..23}; do echo "$2;"; done
	} | psql -XqAt -v ON_ERROR_STOP=1 -U "$1" -d run_tracked |
		sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 20 | median
}
