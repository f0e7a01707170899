# workflow_track: `make` builds, `make install` installs, `make demo` shows it
# at work and `make check` tests it, both in a throwaway server.

PG_CONFIG ?= pg_config

all install uninstall installcheck clean:
	@command -v $(PG_CONFIG) >/dev/null || { echo "no pg_config: run scripts/bootstrap demo, or name it with PG_CONFIG=" >&2; exit 1; }
	+@$(MAKE) --no-print-directory -f pgxs.mk $@

demo:
	@scripts/demo

check:
	@test/check

check-long:
	@test/check --long

bench:
	@test/bench/bench

.PHONY: all install uninstall installcheck clean demo check check-long bench
