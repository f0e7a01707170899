# The part of the benchmark that measures waits.
#
# shellcheck shell=bash

# How long single events wait while a bulk load of the same patients is committed.
part_locks() {
	local load patients feed=$WT_TREE/tmp/load.txt ms
	make_events "$LOAD" >"$feed"
	make_load_messages
	fresh tracked
	sql run_tracked -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM '$feed'" -c 'VACUUM ANALYZE' -c CHECKPOINT
	patients=$(sql run_tracked -c 'SELECT count(*) FROM workflow_track.patient_state')
	for load in none events messages; do
		note "single events, bulk load: $load"
		read -r ms < <(waits_while "$load" "$patients" "$feed")
		row "one event a transaction, 4 clients, load: $load" "$ms"
	done
	remark "locks: milliseconds from BEGIN to the end of COMMIT, p50 / p99 / longest, of record_event() by four clients of pgbench, synchronous_commit on;" \
		"the load is one COPY of $LOAD events, or of as many messages into inbox, of the same $patients patients"
}

# Messages of the patients of the events: an order each.
make_load_messages() {
	python3 - "$LOAD" >"$WT_TREE/tmp/load.csv" <<-'PY'
		import sys
		for n in range(int(sys.argv[1])):
		    at = f"20260101{n % 24:02d}{n % 60:02d}00"
		    print('"' + "\r".join((f"MSH|^~\\&|EHR|NORTH|||{at}||ORM^O01|L{n}|P|2.5", f"PID|1||P{n % 1600:07d}", f"PV1|1|O|C^^^NORTH||||||||||||||||V{n}",
		                           f"ORC|NW|LOAD{n}|||||||{at}|||DR1", "OBR|1|||2345-7^Glucose^LN")) + '"')
	PY
}

# Runs single events, and a load besides; prints p50, p99 and the longest time of the former.
waits_while() {
	local load=$1 patients=$2 feed=$3 log=$WT_TREE/tmp/waits
	rm -f "$log".*
	pgbench -n -c 4 -j 2 -M prepared -T 12 -D patients="$patients" -l --log-prefix="$log" -f test/bench/tracked.pgbench run_tracked \
		>"$WT_TREE/pgbench.log" 2>&1 &
	sleep 2
	case $load in
		events) sql run_tracked -c '\timing on' -c "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM '$feed'" >&2 ;;
		messages) sql run_tracked -c '\timing on' -c "COPY workflow_track.inbox (body) FROM '$WT_TREE/tmp/load.csv' (FORMAT csv)" >&2 ;;
	esac
	wait $!
	cat "$log".* | awk '{ print $3 / 1000 }' | sort -g |
		awk '{ v[NR] = $1 } END { printf "%.1f / %.1f / %.0f ms\n", v[int(NR / 2)], v[int(NR * 0.99)], v[NR] }'
}
