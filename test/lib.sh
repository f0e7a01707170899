# Shell functions for throwaway servers; sourced by bash scripts of the project.
#
# A throwaway server is a copy of the installed PostgreSQL in a directory of
# its own, so that installing the extension for a test leaves the system's
# alone.  It listens on a socket in that directory and on no TCP port, and runs
# as an unprivileged user.

set -euo pipefail

WT_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}

# Prints one clear line and stops.
die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# Runs a command as a user that may run a server: the caller's own, or postgres for root.
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$WT_TREE" "$@"
	else
		"$@"
	fi
}

# Makes the copy of the server in a new directory ($WT_TREE) and installs the extension there.
tree_make() {
	WT_TREE=${1:-$(mktemp -d "${TMPDIR:-/tmp}/wftrack.XXXXXX")}
	mkdir -p "$WT_TREE"
	local bin lib share include
	bin=$("$PG_CONFIG" --bindir) lib=$("$PG_CONFIG" --pkglibdir)
	share=$("$PG_CONFIG" --sharedir) include=$("$PG_CONFIG" --includedir-server)
	if [ ! -x "$WT_TREE$bin/postgres" ]; then
		mkdir -p "$WT_TREE$bin" "$WT_TREE$lib" "$WT_TREE$share" "$(dirname "$WT_TREE$include")"
		cp -a "$bin/." "$WT_TREE$bin/"
		(cd "$lib" && find . -maxdepth 1 -type f \( -name '*.so*' -o -name llvmjit_types.bc \) -exec cp -a {} "$WT_TREE$lib/" \;)
		ln -sfn "$lib/pgxs" "$WT_TREE$lib/pgxs"
		cp -a "$share/." "$WT_TREE$share/"
		ln -sfn "$include" "$WT_TREE$include"
	fi
	[ "$(id -u)" != 0 ] || chown postgres "$WT_TREE"
	chmod 755 "$WT_TREE"
	WT_BIN=$WT_TREE$bin
	WT_PG_CONFIG=$WT_BIN/pg_config
	export WT_TREE WT_BIN WT_PG_CONFIG
	tree_install
}

# Builds the extension and installs it in the copy.
tree_install() {
	make --no-print-directory -s -C "$WT_SOURCE" -f pgxs.mk PG_CONFIG="$WT_PG_CONFIG" with_llvm=no all install >"$WT_TREE/build.log" 2>&1 ||
		{ tail -n 40 "$WT_TREE/build.log" >&2; die "the build failed"; }
}

# Makes a cluster and starts it; further arguments are settings (name=value).
server_start() {
	export PGHOST=$WT_TREE PGPORT=5432 PGDATABASE=postgres PGUSER=postgres PGDATA=$WT_TREE/data
	export PATH=$WT_BIN:$PATH
	if [ ! -d "$PGDATA" ]; then
		unprivileged "$WT_BIN/initdb" -D "$PGDATA" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$WT_TREE/initdb.log" 2>&1 ||
			{ cat "$WT_TREE/initdb.log" >&2; die "initdb failed"; }
		local setting
		{
			echo "listen_addresses = ''"
			echo "unix_socket_directories = '$WT_TREE'"
			echo "timezone = 'UTC'"
			echo "max_prepared_transactions = 10"
			echo "wal_level = logical"
			for setting in "$@"; do echo "${setting%%=*} = '${setting#*=}'"; done
		} | unprivileged tee -a "$PGDATA/postgresql.conf" >/dev/null
	fi
	unprivileged "$WT_BIN/pg_ctl" -D "$PGDATA" -l "$WT_TREE/server.log" -w -s start ||
		{ tail -n 20 "$WT_TREE/server.log" >&2; die "the server did not start"; }
}

# Stops the server that server_start started, by its pid.
server_stop() {
	[ -f "${PGDATA:-/nonexistent}/postmaster.pid" ] || return 0
	unprivileged "$WT_BIN/pg_ctl" -D "$PGDATA" -m "${1:-fast}" -w -s stop
}

# Stops the server and removes the copy.
tree_remove() {
	server_stop immediate || true
	[ -z "${WT_TREE:-}" ] || rm -rf "$WT_TREE"
}
