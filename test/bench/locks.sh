# The part of the benchmark that measures waits.
#
# shellcheck shell=bash

# How long single events wait while a bulk load of the same patients is committed.
part_locks() {
	local load patients feed=$WT_TREE/tmp/load.txt
	make_events "$LOAD" >"$feed"
	make_load_messages
	fresh tracked
	sql run_tracked -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM '$feed'" -c 'VACUUM ANALYZE' -c CHECKPOINT
	patients=$(sql run_tracked -c 'SELECT count(*) FROM workflow_track.patient_state')
	sed "s/'P' ||/'Q' ||/" test/bench/tracked.pgbench >"$WT_TREE/tmp/others.pgbench"
	sql run_tracked -v patients="$patients" -o /dev/null <<-'SQL'
		SELECT workflow_track.record_event('note.signed', 'Q' || lpad(p::text, 7, '0'), 'EHR', encounter_id => 'W', subject => 'S')
		FROM generate_series(0, :patients - 1) p
	SQL
	for load in none events messages; do
		note "single events, bulk load: $load"
		run_while "$load" "$patients" "$feed"
		row "one event, of patients of the load: $load" "$(waits 0)"
		row "  of other patients" "$(waits 1)"
		[ "$load" = none ] || row "  COMMIT of the load" "$(tail -n 1 "$WT_TREE/tmp/load.log")"
	done
	remark "locks: p50 / p99 / longest time from BEGIN to the end of COMMIT of record_event() by four clients of pgbench, synchronous_commit on;" \
		"the load is one COPY of $LOAD events, or of as many messages into inbox, each with two numbers of an order, of the same $patients patients"
}

# Messages of the patients of the events: an order each, by two numbers.
make_load_messages() {
	python3 - "$LOAD" >"$WT_TREE/tmp/load.csv" <<-'PY'
		import sys
		for n in range(int(sys.argv[1])):
		    at = f"20260101{n % 24:02d}{n % 60:02d}00"
		    print('"' + "\r".join((f"MSH|^~\\&|EHR|NORTH|||{at}||ORM^O01|L{n}|P|2.5", f"PID|1||P{n % 1600:07d}", f"PV1|1|O|C^^^NORTH||||||||||||||||V{n}",
		                           f"ORC|NW|LOAD{n}|FILL{n}||||||{at}|||DR1", "OBR|1|||2345-7^Glucose^LN")) + '"')
	PY
}

# Runs single events for as long as a load runs, or for some seconds; what each took is in tmp/waits.*, the time of the load's COMMIT in tmp/load.log.
run_while() {
	local load=$1 patients=$2 feed=$3 statement pid run=0
	case $load in
		none) statement='SELECT pg_sleep(10)' ;;
		events) statement="COPY workflow_track.event ($COLUMNS_OF_FEED) FROM '$feed'" ;;
		messages) statement="COPY workflow_track.inbox (body) FROM '$WT_TREE/tmp/load.csv' (FORMAT csv)" ;;
	esac
	rm -f "$WT_TREE"/tmp/waits.*
	{ sleep 2; sql run_tracked -c BEGIN -c "$statement" -c '\timing on' -c COMMIT; } | sed -n 's/^Time: \([0-9.]* ms\).*/\1/p' >"$WT_TREE/tmp/load.log" &
	pid=$!
	while
		pgbench -n -c 4 -j 2 -M prepared -T 4 -D patients="$patients" -l --log-prefix="$WT_TREE/tmp/waits.$((++run))" \
			-f test/bench/tracked.pgbench -f "$WT_TREE/tmp/others.pgbench" run_tracked >"$WT_TREE/pgbench.log" 2>&1 || die "pgbench failed"
		kill -0 "$pid" 2>/dev/null
	do :; done
	wait "$pid"
}

# The p50, p99 and longest of what the transactions of a script took.
waits() {
	cat "$WT_TREE"/tmp/waits.* | awk -v script="$1" '$4 == script { print $3 / 1000 }' | sort -g |
		awk '{ v[NR] = $1 } END { printf "%.1f / %.1f / %.0f ms\n", v[int(NR / 2)], v[int(NR * 0.99)], v[NR] }'
}
