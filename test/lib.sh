# Shell functions for throwaway servers; sourced by bash scripts of the project.
#
# A throwaway server is a copy of the installed PostgreSQL in a directory of
# its own, so that installing the extension for a test leaves the system's
# alone.  The sources are copied there too: nothing is written to the checkout,
# and the user that runs the server need not be able to read it.  The server
# listens on a socket in that directory and on no TCP port, and runs as an
# unprivileged user; no other user can reach it.
#
# shellcheck shell=bash

set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL

WT_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
WT_CHILD=

# Prints one clear line and stops.
die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# The user that runs the server: the caller, or for root (whom the server refuses) another.
WT_USER=$(id -un)
WT_AS=()
if [ "$(id -u)" = 0 ]; then
	WT_USER=postgres
	id -u $WT_USER >/dev/null 2>&1 || WT_USER=nobody
	WT_AS=(setpriv "--reuid=$WT_USER" "--regid=$(id -g $WT_USER)" --init-groups)
fi

# Runs a program as that user.
unprivileged() { "${WT_AS[@]}" env HOME="$WT_TREE" "$@"; }

# Runs a program that takes its time, in the background so that signals to this script are heeded at once.
attended() {
	local status=0
	setsid "$@" </dev/null &
	WT_CHILD=$!
	wait "$WT_CHILD" || status=$?
	WT_CHILD=
	return $status
}

# Prints a directory for temporary files that fits a socket's name (107 bytes) and the server's user can reach.
temporary_root() {
	local dir=${TMPDIR:-/tmp}
	if [ ${#dir} -gt 60 ] || ! "${WT_AS[@]}" test -x "$dir"; then dir=/tmp; fi
	echo "$dir"
}

# Makes the copy of the server in a new directory ($WT_TREE) and installs the extension there.
tree_make() {
	local bin lib share include program name
	command -v "$PG_CONFIG" >/dev/null || die "no pg_config: run scripts/bootstrap, or name it with PG_CONFIG="
	for name in ${!PG@}; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
	WT_TREE=${1:-$(mktemp -d "$(temporary_root)/wftrack.XXXXXX")}
	bin=$("$PG_CONFIG" --bindir) lib=$("$PG_CONFIG" --pkglibdir)
	share=$("$PG_CONFIG" --sharedir) include=$("$PG_CONFIG" --includedir-server)
	WT_BIN=$WT_TREE$bin
	WT_PG_CONFIG=$WT_BIN/pg_config
	WT_PGXS=$lib/pgxs
	export WT_TREE WT_BIN WT_PG_CONFIG
	mkdir -p "$WT_TREE/source" "$WT_TREE/tmp"
	chmod 700 "$WT_TREE"
	if [ ! -x "$WT_BIN/postgres" ]; then
		mkdir -p "$WT_BIN" "$WT_TREE$lib" "$WT_TREE$share" "$(dirname "$WT_TREE$include")"
		for program in "$bin"/{postgres,initdb,psql,pgbench,createdb,dropdb,createuser,dropuser,vacuumdb} "$bin"/pg_*; do
			[ ! -x "$program" ] || cp -a "$program" "$WT_BIN/"
		done
		find "$lib" -maxdepth 1 -type f \( -name '*.so*' -o -name llvmjit_types.bc \) -exec cp -a {} "$WT_TREE$lib/" \;
		ln -sfn "$WT_PGXS" "$WT_TREE$lib/pgxs"
		cp -a "$share/." "$WT_TREE$share/"
		ln -sfn "$include" "$WT_TREE$include"
	fi
	[ "$(id -u)" != 0 ] || chown "$WT_USER" "$WT_TREE" "$WT_TREE/tmp"
	unprivileged "$WT_BIN/postgres" --version >/dev/null 2>&1 ||
		die "programs cannot run in $WT_TREE (mounted noexec?): set TMPDIR"
	tree_install
}

# Copies the sources, builds the extension and installs it in the copy of the server.
tree_install() {
	find "$WT_TREE/source" -type f ! -name '*.o' -delete
	tar -C "$WT_SOURCE" -cf - --exclude=.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude=test/output . |
		tar -C "$WT_TREE/source" --no-same-owner -xf -
	chmod -R a+rX "$WT_TREE/source"
	make -s -j "$(nproc)" -C "$WT_TREE/source" -f pgxs.mk PG_CONFIG="$WT_PG_CONFIG" with_llvm=no all install \
		>"$WT_TREE/build.log" 2>&1 ||
		{ tail -n 40 "$WT_TREE/build.log" >&2; die "the build failed"; }
}

# Runs pg_ctl, from a directory that the server's user can enter.
server_control() { (cd "$WT_TREE" && unprivileged "$WT_BIN/pg_ctl" "$@"); }

# Makes a cluster and starts it; further arguments are settings (name=value).
server_start() {
	local setting
	export PGHOST=$WT_TREE PGPORT=5432 PGDATABASE=postgres PGUSER=postgres PGDATA=$WT_TREE/data
	export PATH=$WT_BIN:$PATH
	if [ ! -d "$PGDATA" ]; then
		unprivileged "$WT_BIN/initdb" -D "$PGDATA" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$WT_TREE/initdb.log" 2>&1 ||
			{ cat "$WT_TREE/initdb.log" >&2; die "initdb failed"; }
		{
			echo "listen_addresses = ''"
			echo "unix_socket_directories = '$WT_TREE'"
			echo "unix_socket_permissions = 0700"
			echo "timezone = 'UTC'"
			echo "max_prepared_transactions = 50"
			echo "wal_level = logical"
			for setting in "$@"; do echo "${setting%%=*} = '${setting#*=}'"; done
		} | unprivileged tee -a "$PGDATA/postgresql.conf" >/dev/null
	fi
	server_control -D "$PGDATA" -l "$WT_TREE/server.log" -w -s start ||
		{ tail -n 20 "$WT_TREE/server.log" >&2; die "the server did not start"; }
}

# Stops the server that server_start started, by its pid.
server_stop() {
	[ -f "${PGDATA:-/nonexistent}/postmaster.pid" ] || return 0
	server_control -D "$PGDATA" -m "${1:-fast}" -w -s stop
}

# Stops a group of processes, unless there is none.
group_stop() {
	[ -n "$1" ] || return 0
	kill -TERM -- "-$1" 2>/dev/null || true
	for _ in {1..50}; do
		kill -0 -- "-$1" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL -- "-$1" 2>/dev/null || true
}

# Stops all that runs in the copy and removes it.
tree_remove() {
	local pidfile

	trap '' HUP INT TERM
	group_stop "$WT_CHILD"
	[ -n "${WT_TREE:-}" ] || return 0
	find "$WT_TREE" -name postmaster.pid | while read -r pidfile; do
		server_control -D "$(dirname "$pidfile")" -m immediate -w -t 10 -s stop || true
	done
	rm -rf "$WT_TREE"
}

# Sees to it that the copy is removed however the script ends.
remove_at_exit() {
	trap tree_remove EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}
