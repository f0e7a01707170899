# Part of the benchmark that reads reports.
#
# shellcheck shell=bash

# Each report: its name, its limit in milliseconds, who asks, the query.  @FROM
# to @UNTIL are the last 30 days on which encounters began (events.py, QUIET_DAYS).
REPORTS=(
	"unacknowledged_result|20|bench_all|SELECT * FROM workflow_track.unacknowledged_result"
	"missed_follow_up|20|bench_all|SELECT * FROM workflow_track.missed_follow_up"
	"missed_follow_up, overdue|20|bench_all|SELECT * FROM workflow_track.missed_follow_up WHERE status = 'overdue'"
	"handoff_latency|100|bench_all|SELECT * FROM workflow_track.handoff_latency"
	"care_loop, a day of one facility|50|bench_one|SELECT * FROM workflow_track.care_loop WHERE opened_at >= '@END'::timestamptz - interval '40 days' AND opened_at < '@END'::timestamptz - interval '39 days'"
	"billing_mismatch, 30 days|200|bench_all|SELECT * FROM workflow_track.billing_mismatch WHERE since >= '@FROM' AND since < '@UNTIL'"
	"claim_outcome, 30 days|200|bench_all|SELECT * FROM workflow_track.claim_outcome WHERE submitted_at >= '@FROM' AND submitted_at < '@UNTIL'"
	"denial_cause, 30 days|200|bench_all|SELECT * FROM workflow_track.denial_cause('@FROM', '@UNTIL')"
	"charge_lag, 30 days|200|bench_all|SELECT * FROM workflow_track.charge_lag WHERE day >= '@FROM' AND day < '@UNTIL'"
	"identity_conflict, 30 days|200|bench_all|SELECT * FROM workflow_track.identity_conflict WHERE since >= '@FROM' AND since < '@UNTIL'"
	"missing_information, 30 days|200|bench_all|SELECT * FROM workflow_track.missing_information WHERE occurred_at >= '@FROM' AND occurred_at < '@UNTIL'"
	"interaction_burden, 30 days|200|bench_all|SELECT * FROM workflow_track.interaction_burden WHERE day >= '@FROM'::timestamptz::date AND day < '@UNTIL'::timestamptz::date"
	"interaction_burden, a day of one facility|50|bench_one|SELECT * FROM workflow_track.interaction_burden WHERE day = '@END'::timestamptz::date - 12"
	"workaround_signal, 30 days|200|bench_all|SELECT * FROM workflow_track.workaround_signal WHERE week > '@FROM'::timestamptz::date - 7 AND week < '@UNTIL'::timestamptz::date"
	"burden_change, 15 days before and after|200|bench_all|SELECT * FROM workflow_track.burden_change('@FROM', '@UNTIL'::timestamptz - interval '15 days', '@UNTIL'::timestamptz - interval '15 days', '@UNTIL')"
)

# Loads a small and a large database, and measures them in turns.
part_reports() {
	load_for_reports small "$SMALL"
	load_for_reports large "$LARGE"
	read_reports
	remark "reports: client's time of the whole answer (psql's \\timing), median of 3 x 20 after 3 x 3, both sizes in turns;" \
		"after VACUUM ANALYZE and maintain()"
	remark "reports: the number of unacknowledged results and of late or missing follow-ups is the same at both sizes," \
		"so that the comparison is of access paths; a history with more of them has longer answers"
	remark "reports: loaded with detection paused, then rebuild()"
}

# Makes database $1 with about $2 events.
load_for_reports() {
	local events ms
	note "loading about $2 events"
	createdb -T template_tracked "$1"
	sql "$1" -o /dev/null -c 'SELECT workflow_track.pause_detection()'
	make_events "$2" | sql "$1" -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM STDIN"
	sql "$1" -o /dev/null -c 'SELECT workflow_track.resume_detection()' -c 'ANALYZE' -c CHECKPOINT
	events=$(sql "$1" -c 'SELECT count(*) FROM workflow_track.event')
	ms=$(timed "$1" 'CALL workflow_track.rebuild()')
	row "rebuild() of $events events" "$(awk -v n="$events" -v ms="$ms" 'BEGIN { printf "%d rows/s", n * 1000 / ms }')"
	sql "$1" -o /dev/null -c 'SELECT workflow_track.maintain()' -c 'VACUUM ANALYZE' -c CHECKPOINT
}

# Measures every report at both sizes, in turns.
read_reports() {
	local report name limit role query size
	local -A times rows
	for report in "${REPORTS[@]}"; do
		IFS='|' read -r name limit role query <<<"$report"
		query=${query//@END/$END}
		query=${query//@FROM/$(date -u -d "$END - 40 days" +%F)T00:00+00:00}
		query=${query//@UNTIL/$(date -u -d "$END - 10 days" +%F)T00:00+00:00}
		times=()
		for _ in 1 2 3; do
			for size in small large; do
				rows[$size]=$(psql -XqAt -U "$role" -d $size -c "SELECT count(*) FROM ($query) q")
				times[$size]+=" $(time_query $size "$role" "$query")"
			done
		done
		for size in small large; do
			times[$size]=$(printf '%.1f' "$(median_of "${times[$size]}")")
		done
		row "$name, $SMALL events" "${times[small]} ms (${rows[small]} rows)" "${times[small]}" "<" "$limit"
		row "  $LARGE events" "${times[large]} ms (${rows[large]} rows)" "${times[large]}" "<" "$limit"
		case $name in
			unacknowledged* | missed*) compare_sizes 1.3 "${times[large]}" "${times[small]}" ;;
		esac
	done
}

# How many times as long the larger database takes.
compare_sizes() { row "  times that of the smaller one" "$(divide "$2" "$3")" "$(divide "$2" "$3")" "<" "$1"; }

# 20 warm executions, in milliseconds.
time_query() {
	{
		printf '%s\n' '\timing on' '\o /dev/null'
		for _ in {1..23}; do echo "$3;"; done
	} | psql -XqAt -v ON_ERROR_STOP=1 -U "$2" -d "$1" |
		sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 20
}
