# What PGXS builds and installs.  The front Makefile calls this file, so that
# `make demo` and `make check` can first install PostgreSQL where it is missing.

EXTENSION = workflow_track
EXTVERSION = 0.2.0
MODULE_big = workflow_track
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

# The install script is the SQL of the rooms, in this order.
ROOMS = src/header.sql \
	src/types/enums.sql src/types/clinical_code.sql src/types/latency_histogram.sql src/message/hl7v2_type.sql \
	src/map/check.sql src/map/map.sql src/map/default.sql src/record/record.sql src/record/cancellation.sql src/detect/detect.sql src/detect/links.sql src/identity/identity.sql src/billing/billing.sql src/detect/consistency.sql src/detect/retention.sql src/report/report.sql src/analyze/discover.sql src/analyze/conformance.sql src/analyze/scenario.sql src/message/message.sql \
	src/map/kinds.sql src/map/setup.sql src/record/setup.sql src/detect/setup.sql src/identity/setup.sql src/billing/setup.sql src/report/health.sql src/report/setup.sql src/analyze/setup.sql \
	src/message/mapping.sql src/message/setup.sql src/analyze/flow.sql src/burden/burden.sql \
	src/analyze/compare.sql src/analyze/picture.sql src/analyze/bpmn_import.sql src/analyze/bpmn_export.sql src/analyze/exchange.sql src/analyze/import.sql \
	src/setup.sql

# From a released version, whose script is kept in releases/, to this one: a script of the same rooms.
RELEASES = $(patsubst $(srcdir)/releases/workflow_track--%.sql,%,$(wildcard $(srcdir)/releases/workflow_track--*.sql))
UPDATES = $(foreach release,$(RELEASES),workflow_track--$(release)--$(EXTVERSION).sql)

DATA = $(wildcard releases/workflow_track--*.sql)
DATA_built = workflow_track--$(EXTVERSION).sql $(UPDATES)
EXTRA_CLEAN = $(DATA_built) test/output

PG_CPPFLAGS = -I$(srcdir)/src
SHLIB_LINK = -lexpat
PG_CFLAGS = -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-cast-function-type -Wno-clobbered $(if $(CI),-Werror)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h src/*/*.h)

workflow_track--$(EXTVERSION).sql: $(wildcard $(ROOMS)) pgxs.mk
	cat $(wildcard $(ROOMS)) > $@

$(UPDATES): workflow_track--%--$(EXTVERSION).sql: workflow_track--$(EXTVERSION).sql releases/workflow_track--%.sql scripts/update_script
	scripts/update_script releases/workflow_track--$*.sql workflow_track--$(EXTVERSION).sql > $@

# The regression tests in the running server that PG* variables name, as its
# superuser: each in a database of its own, which is dropped if it exists.
TESTS = $(basename $(notdir $(sort $(wildcard $(srcdir)/sql/*.sql))))
OUTPUT = $(CURDIR)/test/output/installcheck

installcheck:
	@failed=0; for test in $(TESTS); do \
		mkdir -p $(OUTPUT)/$$test/results && chmod 777 $(OUTPUT)/$$test $(OUTPUT)/$$test/results; \
		if { $(pg_regress_installcheck) --outputdir=$(OUTPUT)/$$test --dbname=regress_$$test $$test; } >$(OUTPUT)/$$test/log 2>&1; \
		then echo "ok     $$test"; else echo "FAILED $$test: see $(OUTPUT)/$$test/regression.diffs"; failed=1; fi; \
	done; exit $$failed
