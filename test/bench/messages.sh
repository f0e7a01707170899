# Parts of the benchmark that take messages.
#
# shellcheck shell=bash

# The parser alone, on one core, and another one on the same messages.
part_parse() {
	local results=$WT_TREE/tmp/results.txt rate mb bytes each others theirs
	python3 test/bench/messages.py results 1000 >"$results"
	gcc -std=gnu99 -O2 -Isrc -o "$WT_TREE/tmp/hl7v2_parse" test/bench/hl7v2_parse.c src/message/hl7v2_{arena,parse,path,time}.c
	read -r rate mb bytes each < <("$WT_TREE/tmp/hl7v2_parse" "$results" 5)
	row "parse, messages of $bytes bytes, 14 segments, 10 fields" "$rate a second, $mb MB/s" "$rate" ">" 500000
	/usr/bin/python3 -c 'import hl7' 2>/dev/null || apt-get install -y -q python3-hl7 >"$WT_TREE/tmp/apt.log" 2>&1 || true
	if read -r others theirs < <(/usr/bin/python3 test/bench/hl7v2_parse.py "$results" 5 2>"$WT_TREE/tmp/hl7.log"); then
		[ "$each" = "$theirs" ] || die "the fields of a message have $each bytes, and by python3-hl7 $theirs"
		row "  the same by python3-hl7" "$others a second, 1 / $(divide "$rate" "$others" 0)"
	else
		row "  the same by python3-hl7" "not to be had"
	fi
}

# Makes the file of messages.
make_messages() {
	MAIL=$WT_TREE/tmp/messages.csv
	[ -f "$MAIL" ] || python3 test/bench/messages.py csv "$MESSAGES" "$END" >"$MAIL"
}

# COPY into inbox, against COPY of the rows that come of it into the same tables without triggers, in turns.
part_messages() {
	local i ms cpu rows=$WT_TREE/tmp/rows repeats=$WT_TREE/tmp/repeats.csv
	local -A times cpus
	note "making $MESSAGES messages"
	make_messages
	python3 test/bench/messages.py csv "$MESSAGES" "$END" 100 >"$repeats"
	unprivileged mkdir -p "$rows"
	for ((i = 0; i < PAIRS; i++)); do
		fresh tracked
		read -r ms cpu < <(timed_by_both run_tracked "COPY workflow_track.inbox (body) FROM '$MAIL' (FORMAT csv)")
		times[tracked]+=" $ms"
		cpus[tracked]+=" $cpu"
		if [ $i = 0 ]; then
			sql run_tracked -c "COPY (SELECT * FROM workflow_track.message ORDER BY message_id) TO '$rows/message.csv' (FORMAT csv)" \
				-c "COPY (SELECT * FROM workflow_track.event ORDER BY event_id) TO '$rows/event.csv' (FORMAT csv)"
			row "messages of which events came" "$(sql run_tracked -c "SELECT format('%s of %s, %s events', count(*) FILTER (WHERE status = 'processed'), count(*), (SELECT count(*) FROM workflow_track.event)) FROM workflow_track.message")"
		fi
		fresh plain
		read -r ms cpu < <(timed_by_both run_plain BEGIN "COPY workflow_track.message FROM '$rows/message.csv' (FORMAT csv)" \
			"COPY workflow_track.event FROM '$rows/event.csv' (FORMAT csv)" COMMIT)
		times[plain]+=" $ms"
		cpus[plain]+=" $cpu"
		fresh tracked
		times[repeats]+=" $(timed run_tracked "COPY workflow_track.inbox (body) FROM '$repeats' (FORMAT csv)")"
		note "COPY of messages:${times[tracked]} ms, of their rows:${times[plain]} ms, with repeats:${times[repeats]} ms"
	done
	row "COPY of $MESSAGES messages into inbox" \
		"$(awk -v n="$MESSAGES" -v ms="$(median_of "${times[tracked]}")" 'BEGIN { printf "%d a second", n * 1000 / ms }')"
	compare "inbox / plain COPY of the rows" 0.5 "${times[plain]}" "${times[tracked]}"
	compare "inbox / plain, by the processor's time" "" "${cpus[plain]}" "${cpus[tracked]}"
	compare "1 of 100 sent twice / none" "" "${times[tracked]}" "${times[repeats]}"
	remark "messages: one COPY of a file on the server, detection and commit included, against one transaction with two COPYs of the" \
		"rows of message and event that came of it, into the same tables with the same indexes and no triggers; medians of $PAIRS in turns"
}

# One message a transaction by four clients, and a thousand a transaction by one.
part_ingest() {
	local mode n ms total=0 per=$((MESSAGES / 10))
	make_messages
	fresh tracked
	sql run_tracked <<-SQL
		CREATE TABLE mail (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
		CREATE SEQUENCE mail_n;
		COPY mail (body) FROM '$MAIL' (FORMAT csv);
	SQL
	sql run_tracked -c 'VACUUM ANALYZE' -c CHECKPOINT
	for mode in on off; do
		n=$(PGOPTIONS="-c synchronous_commit=$mode" pgbench -n -c 4 -j 2 -M prepared -t "$per" -f test/bench/ingest.pgbench run_tracked \
			2>"$WT_TREE/pgbench.log" | sed -n 's/^tps = \([0-9.]*\) .*/\1/p')
		row "ingest_hl7v2, one a transaction, 4 clients, synchronous_commit $mode" "$(printf '%.0f' "$n") a second"
	done
	for n in 0 1 2 3 4; do
		ms=$(timed run_tracked "SELECT count(workflow_track.ingest_hl7v2(body)) FROM mail WHERE n > $((per * 8 + n * 1000)) AND n <= $((per * 8 + n * 1000 + 1000))")
		total=$(awk -v a="$total" -v b="$ms" 'BEGIN { print a + b }')
	done
	row "ingest_hl7v2, 1000 a transaction, 1 client" "$(awk -v ms="$total" 'BEGIN { printf "%d a second", 5000 * 1000 / ms }')"
}

# Fills a database with many messages in one session, and tells how its memory grows.
part_mail() {
	local pid early late k batches=$((MAIL_SIZE / 10000)) name
	createdb -T template_tracked mail
	coproc LOADER { sql mail 2>&1; }
	echo "SELECT pg_backend_pid();" >&"${LOADER[1]}"
	read -r pid <&"${LOADER[0]}"
	for ((k = 1; k <= batches; k++)); do
		{
			echo "INSERT INTO workflow_track.inbox (body) SELECT format(E'MSH|^~\\\\&|%s|NORTH|||%s||%s|M%s|P|2.5.1\\rPID|1||P%s\\rPV1|1|O|A^1^1^NORTH||||||||||||||||V%s\\rORC|%s|O%s|F%s||||||%s\\rOBR|1|O%s|F%s|2823-3^Potassium^LN||||||||||||NPRODER001||||||%s|||F\\rOBX|1|NM|2823-3^Potassium^LN||4.%s|||N|||F',"
			echo "CASE n % 2 WHEN 0 THEN 'EHR' ELSE 'LIS' END, t, CASE n % 2 WHEN 0 THEN 'ORM^O01' ELSE 'ORU^R01' END, n, n / 2 % 50000, n / 4, CASE n % 2 WHEN 0 THEN 'NW' ELSE 'RE' END, n / 2, n / 2, t, n / 2, n / 2, t, n % 10)"
			echo "FROM (SELECT n, to_char('$END'::timestamptz - interval '90 days' + n * interval '7 seconds', 'YYYYMMDDHH24MISS') AS t FROM generate_series(($k - 1) * 10000::bigint, $k * 10000 - 1) n) m;"
			echo "SELECT 'done';"
		} >&"${LOADER[1]}"
		until read -r line <&"${LOADER[0]}" && [ "$line" = "done" ]; do :; done
		[ $k != 10 ] || early=$(memory_line "$pid" RssAnon)
	done
	late=$(memory_line "$pid" RssAnon)
	echo '\q' >&"${LOADER[1]}"
	wait "$LOADER_PID" || true
	row "private memory after 100,000 and after $MAIL_SIZE messages" "$((early / 1024)) and $((late / 1024)) MB" "$((late - early))" "<" 2048
	sql mail -c ANALYZE
	[ "$(sql mail -c "SELECT count(*) FROM workflow_track.event")" = "$MAIL_SIZE" ] || die "not every message gave its event"
	for name in order visit patient; do
		trace_times "$name"
	done
	remark "memory: RssAnon of one backend that takes 10,000 messages a statement, each a transaction; the target is 2048 kB of growth"
	remark "message_trace: client's time, median of 50 numbers drawn at random; private memory and traces are of one database"
}

# How long a trace of an order, a visit or a patient takes.
trace_times() {
	local name=$1 number i ms=() rows=0
	for ((i = 0; i < 50; i++)); do
		case $name in
			order) number="O$((i * 7919 % (MAIL_SIZE / 2)))" ;;
			visit) number="V$((i * 7919 % (MAIL_SIZE / 4)))" ;;
			patient) number="P$((i * 7919 % 50000))" ;;
		esac
		ms+=("$(sql mail -o /dev/null -c '\timing on' -c "SELECT * FROM workflow_track.message_trace('P0')" -c "SELECT * FROM workflow_track.message_trace('$number')" |
			sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1)")
		rows=$(sql mail -c "SELECT count(*) FROM workflow_track.message_trace('$number')")
		[ "$rows" -gt 1 ] || die "message_trace('$number') finds $rows messages"
	done
	row "message_trace of one $name, $rows of $MAIL_SIZE messages" "$(printf '%.1f' "$(median_of "${ms[*]}")") ms" \
		"$(median_of "${ms[*]}")" $([ "$name" != order ] || echo "< 5")
}
