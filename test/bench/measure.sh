# Functions of the benchmark: databases, times, and the table of figures.
#
# shellcheck shell=bash

TABLE=()
NOTES=()

# Tells the reader of the terminal what goes on.
note() { echo "bench: $*" >&2; }

# Runs psql on a database ($1), quietly; errors stop the benchmark.
sql() {
	local database=$1
	shift
	psql -XqAt -v ON_ERROR_STOP=1 -v VERBOSITY=terse -d "$database" "$@"
}

# The middle of the numbers on the standard input.
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# The middle of the words of a text.
median_of() { tr -s ' ' '\n' <<<"$1" | sed '/^$/d' | median; }

# The smallest and the largest of the arguments, as a range.
range() { printf '%s\n' "$@" | sort -g | awk 'NR == 1 { low = $1 } { high = $1 } END { printf "%.2f to %.2f", low, high }'; }

# Prints $1 / $2 with $3 decimals.
divide() { awk -v a="$1" -v b="$2" -v d="${3:-2}" 'BEGIN { printf "%.*f", d, a / b }'; }

# A line of the table: what, the figure, and where there is a target: < or >, the target, its unit.
row() {
	local what=$1 figure=$2 value=${3:-} relation=${4:-} target=${5:-} verdict=
	if [ -n "$relation" ]; then
		verdict=$(awk -v v="$value" -v r="$relation" -v t="$target" \
			'BEGIN { print (r == "<" ? v + 0 <= t + 0 : v + 0 >= t + 0) ? "ok" : "MISSED" }')
		case $relation in
			"<") target="at most $target" ;;
			*) target="at least $target" ;;
		esac
	fi
	TABLE+=("$(printf '%-58s %26s  %-14s %s' "$what" "$figure" "$target" "$verdict")")
	note "${TABLE[-1]}"
}

# A line below the table.
remark() { NOTES+=("$*"); }

# What the machine is, in a line.
machine() {
	echo "$(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
		"$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)," \
		"PostgreSQL $(sql postgres -c 'SHOW server_version')"
}

print_table() {
	echo
	printf '%-58s %26s  %-14s %s\n' "what" "figure" "target" ""
	printf '%s\n' "${TABLE[@]}"
	echo
	for line in "${NOTES[@]}"; do echo "* $line"; done
	echo "* server: defaults but ${SETTINGS[*]}; fsync $(sql postgres -c 'SHOW fsync')," \
		"full_page_writes $(sql postgres -c 'SHOW full_page_writes')"
	echo "* machine: $(machine)"
}

# --- databases ---------------------------------------------------------------

# Writes about $1 events to the standard output.
make_events() { python3 test/bench/events.py events --events "$1" --end "$END"; }

# Takes the triggers off table event and its partitions.
drop_triggers() {
	sql "$1" <<-'SQL'
		DO $$
		DECLARE
			t record;
		BEGIN
			FOR t IN SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger
					WHERE tgrelid IN (SELECT relid FROM pg_partition_tree('workflow_track.event')) AND tgparentid = 0 LOOP
				EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.relation);
			END LOOP;
		END
		$$;
	SQL
}

# Databases to be copied for each run: tracked has all detection, plain the same tables without triggers, setwise another's.
make_templates() {
	note "making databases"
	createdb template_tracked
	{
		echo "CREATE EXTENSION workflow_track; SELECT workflow_track.setup();"
		echo "SELECT workflow_track.ensure_partitions('$END'::timestamptz - interval '366 days', '$END');"
		echo "SELECT workflow_track.set_workflow_state('default', 1, 'retired');"
		echo "CREATE TEMP TABLE map (document jsonb);"
		echo "COPY map FROM STDIN (FORMAT csv, QUOTE '~', DELIMITER '^');"
		cat test/bench/map.jsonl
		echo "\\."
		echo "SELECT workflow_track.define_workflow(document) FROM map;"
		echo "COPY workflow_track.staff (actor, role, facility, system, is_shared_inbox, active_during) FROM STDIN;"
		python3 test/bench/events.py staff
		echo "\\."
		echo "CREATE ROLE bench_all LOGIN IN ROLE workflow_track_analyst; CREATE ROLE bench_one LOGIN IN ROLE workflow_track_analyst;"
		echo "INSERT INTO workflow_track.facility_access VALUES ('bench_all', '*'), ('bench_one', 'NORTH');"
		echo "ANALYZE;"
	} | sql template_tracked -o /dev/null
	createdb -T template_tracked template_plain
	drop_triggers template_plain
	createdb -T template_plain template_setwise
	sql template_setwise -f test/bench/setwise.sql
	COLUMNS_OF_FEED=$(python3 test/bench/events.py columns)
}

# Makes a new database run_$1 of its template.
fresh() {
	dropdb --if-exists "run_$1" 2>/dev/null
	createdb -T "template_$1" "run_$1"
	sql "run_$1" -c CHECKPOINT
}

# Prints the milliseconds of a statement, those of its commit included.
timed() { sql "$1" -c '\timing on' -c "$2" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; }

# Runs statements in one session; prints their milliseconds, and those of the processor that the backend took.
timed_by_both() {
	local database=$1
	shift
	sql "$database" <<-SQL | awk '/^Time:/ { ms += $2 } /^cpu/ { cpu[++n] = $2 } END { print ms, cpu[2] - cpu[1] }'
		SELECT pg_backend_pid() AS pid \gset
		\setenv BACKEND :pid
		\! awk '{ print "cpu", (\$14 + \$15) * 10 }' /proc/\$BACKEND/stat
		\timing on
		$(printf '%s;\n' "$@")
		\timing off
		\! awk '{ print "cpu", (\$14 + \$15) * 10 }' /proc/\$BACKEND/stat
	SQL
}

# Loads the feed into a database as one COPY; prints what timed_by_both() does.
timed_copy() { timed_by_both "$1" "COPY workflow_track.event ($COLUMNS_OF_FEED) FROM '$FEED'"; }
