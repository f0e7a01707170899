# Parts of the benchmark that record events.
#
# shellcheck shell=bash

# COPY with detection, without triggers, and with the set-wise trigger, in turns.
part_copy() {
	local kinds=(tracked) kind i events ms cpu
	local -A times cpus
	events=$(wc -l <"$FEED")
	if wanted copy; then kinds+=(plain); fi
	if wanted setwise; then kinds+=(setwise); fi
	for ((i = 0; i < PAIRS; i++)); do
		for kind in "${kinds[@]}"; do
			fresh "$kind"
			read -r ms cpu < <(timed_copy "run_$kind")
			times[$kind]+=" $ms"
			cpus[$kind]+=" $cpu"
			note "COPY, $kind:${times[$kind]} ms, by the processor:${cpus[$kind]} ms"
		done
	done
	for kind in "${kinds[@]}"; do
		row "COPY of $events events, $kind" \
			"$(awk -v n="$events" -v ms="$(median_of "${times[$kind]}")" 'BEGIN { printf "%d rows/s", n * 1000 / ms }')"
	done
	if wanted copy; then
		compare "tracked / plain" 0.5 "${times[plain]}" "${times[tracked]}"
		compare "tracked / plain, by the processor's time" "" "${cpus[plain]}" "${cpus[tracked]}"
	fi
	if wanted setwise; then
		compare "tracked / setwise" 1.3 "${times[setwise]}" "${times[tracked]}"
		compare "tracked / setwise, by the processor's time" "" "${cpus[setwise]}" "${cpus[tracked]}"
		row "  later folding of its handoffs, tracked and setwise" \
			"$(printf '%.0f and %.0f ms' "$(timed run_tracked 'SELECT workflow_track.fold_handoffs()')" "$(timed run_setwise 'SELECT setwise.fold_handoffs()')")"
		compare_findings
	fi
	remark "COPY: one COPY from a file on the server, its commit included; medians of $PAIRS runs in turns, each in a new database"
	remark "by the processor's time: what the backend alone used, which other work on the machine disturbs less; it waits for no disk"
}

# The ratios of two lists of figures, pair by pair: their median is at least the target, if there is one.
compare() {
	local what=$1 target=$2 ratios=() i
	local -a above below
	read -ra above <<<"$3"
	read -ra below <<<"$4"
	for ((i = 0; i < ${#below[@]}; i++)); do
		ratios+=("$(divide "${above[i]}" "${below[i]}" 3)")
	done
	row "  speed, $what" "$(printf '%.2f' "$(median_of "${ratios[*]}")") ($(range "${ratios[@]}"))" \
		"$(median_of "${ratios[*]}")" ${target:+">"} "$target"
}

# Do both find the same?  Every column of every row counts, but which session wrote it.
compare_findings() {
	local table ours theirs
	for table in loop_state duplicate_state misrouted_state handoff_latency_hourly; do
		ours=$(findings run_tracked $table)
		theirs=$(findings run_setwise $table)
		if [ "$ours" = "$theirs" ]; then
			row "  $table, both found" "${ours%% *} rows, equal"
		else
			row "  $table, found by ours and setwise" "${ours%% *} and ${theirs%% *}: differ" 0 ">" 1
		fi
	done
}

# The number of rows of a table, and a sum of their hashes.
findings() { sql "$1" -F ' ' -c "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM workflow_track.$2 t"; }

# What a backend's memory grows by while it loads.
part_memory() {
	local kind grown private
	for kind in plain tracked; do
		fresh "$kind"
		read -r grown private < <(memory_of_copy "run_$kind")
		row "VmHWM growth of the backend in COPY, $kind" "$grown MB"
		row "  of which private (RssAnon at most, every 20 ms)" "$private MB"
	done
	remark "memory: VmHWM counts pages of shared_buffers that the backend touched; RssAnon does not"
}

# Loads the feed; prints the growth of VmHWM and of RssAnon, in MB.
memory_of_copy() {
	local pid before after private=0 now idle
	coproc LOADER { sql "$1" 2>&1; }
	echo "SELECT pg_backend_pid();" >&"${LOADER[1]}"
	read -r pid <&"${LOADER[0]}"
	before=$(memory_line "$pid" VmHWM)
	idle=$(memory_line "$pid" RssAnon)
	echo "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM '$FEED'; SELECT 'done';" >&"${LOADER[1]}"
	until read -r -t 0.02 -u "${LOADER[0]}"; do
		now=$(memory_line "$pid" RssAnon)
		[ "$now" -le "$private" ] || private=$now
	done
	after=$(memory_line "$pid" VmHWM)
	echo '\q' >&"${LOADER[1]}"
	wait "$LOADER_PID" || true
	echo "$(((after - before) / 1024)) $(((private - idle) / 1024))"
}

# A line of a process's status, in kB.
memory_line() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; }

# One event a transaction by four clients, with and without detection.
part_record() {
	local kind patients mode i
	local -A rates
	for kind in tracked plain; do
		fresh "$kind"
		timed_copy "run_$kind" >/dev/null
		sql "run_$kind" -c 'VACUUM ANALYZE' -c CHECKPOINT
	done
	patients=$(sql run_tracked -c 'SELECT count(*) FROM workflow_track.patient_state')
	for mode in on off; do
		rates=()
		for ((i = 0; i < PAIRS; i++)); do
			for kind in tracked plain; do
				rates[$kind]+=" $(record_rate "$kind" "$mode" "$patients")"
				note "record, synchronous_commit $mode, $kind:${rates[$kind]} a second"
			done
		done
		for kind in tracked plain; do
			row "one event a transaction, synchronous_commit $mode, $kind" \
				"$(printf '%.0f' "$(median_of "${rates[$kind]}")") a second"
		done
		compare "record_event / INSERT" "$([ $mode = off ] || echo 0.7)" "${rates[tracked]}" "${rates[plain]}"
	done
	remark "record: pgbench -c 4 -j 2 -M prepared, $PAIRS x $SECONDS_EACH s in turns, $patients patients of about $(($(wc -l <"$FEED") / patients)) events"
}

# Transactions a second of a pgbench script.
record_rate() {
	PGOPTIONS="-c synchronous_commit=$2" pgbench -n -c 4 -j 2 -M prepared -T "$SECONDS_EACH" -D patients="$3" \
		-f "test/bench/$1.pgbench" "run_$1" 2>"$WT_TREE/pgbench.log" | sed -n 's/^tps = \([0-9.]*\) .*/\1/p'
}
