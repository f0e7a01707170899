"""The reports that are compared with the oracle's, and the SQL that puts each in the oracle's words.

The oracle names an event by its natural key, a view by its event_id: so each id is joined to `event_history`, whose
columns stand for those of the oracle's that begin with the same prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Iterable

from table import Cell

KEY = ("facility", "patient_id", "encounter_id", "kind", "subject", "item", "code", "occurred_at", "source_sequence")
LATENCIES = ("mean", "p50", "p90", "p95", "p99", "longest")
PLACE = ("facility", "patient_id", "encounter_id")
ABOUT = (*PLACE, "subject", "item", "code", "severity")
DURATIONS = ("gap", "latency", "overdue_by", *LATENCIES)
MOMENT = ":t"
AGREES = "agrees with the events it names"


@dataclass(frozen=True)
class Report:
    """A view; `source` gives its rows, with MOMENT for the moment that it is asked about."""

    name: str
    source: str
    truth: str  # the oracle's file
    events: dict[str, str] = field(default_factory=dict)  # prefix of the oracle's columns: the view's column
    columns: dict[str, str] = field(default_factory=dict)  # other columns that the view does not have
    agreement: str = "true"  # what columns that the oracle does not name must be
    wanted: Callable[[dict[str, Cell]], bool] = lambda row: True  # rows of the file
    optional: str = ""  # a function or view without which the report is left out

    def query(self, header: Iterable[Cell], as_of: str = "now") -> str:
        """COPY of the view's rows, with the columns of `header`."""
        joins = "".join(f" LEFT JOIN workflow_track.event_history AS {x}_event ON {x}_event.event_id = v.{column}"
                        for x, column in self.events.items())
        columns = [self._column(str(name)) for name in header]
        source = self.source.replace(MOMENT, f"'{as_of}'::timestamptz")
        return (f"COPY (SELECT {', '.join(columns)}, nullif({self.agreement}, true) FROM {source} AS v{joins})"
                " TO STDOUT (FORMAT csv);\n")

    def _column(self, name: str) -> str:
        prefix, _, rest = name.partition("_")
        if name in self.columns:
            expression = self.columns[name]
        elif prefix in self.events and rest in KEY:
            expression = f"{prefix}_event.{rest}"
        else:
            expression = f"v.{name}"
        if name.endswith("_at") or name == "since":
            return f"""to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        if name in DURATIONS:
            return f"round(extract(epoch FROM {expression}), 6)"
        return expression


def same(view: Iterable[str], event: Iterable[str]) -> str:
    """SQL for: these columns of the view are those of the events it names."""
    return f"({', '.join(f'v.{c}' for c in view)}) IS NOT DISTINCT FROM ({', '.join(event)})"


def loops(name: str, function: str, truth: str = "loop",
          wanted: Callable[[dict[str, Cell]], bool] = lambda row: True) -> Report:
    view = (*ABOUT, "opened_by_kind", "opened_at", "opened_message_id", "closed_at", "closed_by")
    event = _where("opened", (*ABOUT, "kind", "occurred_at", "message_id")) + _where("closed", ("occurred_at", "actor"))
    return Report(name, f"workflow_track.{function}(:t)", truth,
                  {"opened": "opened_event_id", "closed": "closed_event_id"},
                  agreement=same(view, event), wanted=wanted)


def _where(prefix: str, columns: Iterable[str]) -> list[str]:
    return [f"{prefix}_event.{column}" for column in columns]


HOURLY = """(SELECT basis, facility, from_role, to_role, from_system, to_system, sum(handoffs) AS handoffs,
    workflow_track.merge(histogram) AS h FROM workflow_track.handoff_latency_hourly
    GROUP BY 1, 2, 3, 4, 5, 6)"""
HOURLY_COLUMNS = {"mean": "workflow_track.mean(v.h)", "longest": "workflow_track.longest(v.h)"} | {
    f"p{n}": f"workflow_track.quantile(v.h, {n / 100})" for n in (50, 90, 95, 99)}

REPORTS = (
    Report("duplicate_entry", "workflow_track.duplicate_entry", "duplicate_entry",
           {"duplicate": "duplicate_event_id", "original": "original_event_id"},
           agreement=same((*PLACE, "kind", "subject", "original_at", "duplicate_at"),
                          [*_where("duplicate", (*PLACE, "kind", "subject")), "original_event.occurred_at",
                           "duplicate_event.occurred_at"])),
    loops("care_loop", "care_loop_at"),
    loops("unacknowledged_result", "unacknowledged_result_at", "unacknowledged_result"),
    loops("missed_follow_up", "missed_follow_up_at", "missed_follow_up"),
    loops("overdue_loop", "overdue_loop_at", wanted=lambda row: row["status"] == "overdue"),
    Report("handoff", "workflow_track.handoff", "handoff", {"from": "from_event_id", "to": "to_event_id"},
           agreement=same(("from_kind", "to_kind"), ("from_event.kind", "to_event.kind"))),
    Report("handoff_latency", "workflow_track.handoff_latency", "handoff_latency"),
    Report("handoff_latency_hourly", HOURLY, "handoff_latency", columns=HOURLY_COLUMNS,
           optional="handoff_latency_hourly"),
    Report("misrouted_result", "workflow_track.misrouted_result", "misrouted_result", {"routed": "event_id"},
           columns={"kind": "routed_event.kind", "source_sequence": "routed_event.source_sequence"},
           agreement=same((*ABOUT, "occurred_at", "message_id"),
                          _where("routed", (*ABOUT, "occurred_at", "message_id")))),
    Report("task_queue", "workflow_track.task_queue_at(:t)", "task_queue"),
    Report("rule_coverage", "workflow_track.rule_coverage_at(:t)", "rule_coverage"),
    Report("billing_mismatch", "workflow_track.billing_mismatch_at(:t)", "billing_mismatch",
           {"charge": "charge_event_id", "documentation": "documentation_event_id"}),
)

# What identity.py computes.
CONFLICT = {"event": "event_id", "other": "other_event_id"}
OF_EVENTS = f"""{same((*PLACE, "subject"), ("event_event.facility", "event_event.patient_id",
    "CASE WHEN v.problem <> 'merged_into_two' THEN event_event.encounter_id END", "event_event.subject"))}
    AND v.other_patient_id IS NOT DISTINCT FROM CASE WHEN v.problem <> 'result_on_other_encounter' THEN other_event.patient_id END"""
CONFLICTS = Report("identity_conflict", "workflow_track.identity_conflict_at(:t)", "", CONFLICT, agreement=OF_EVENTS)
FINDINGS = Report("identity_finding", "workflow_track.identity_finding", "", CONFLICT, agreement=OF_EVENTS)
MISSING = Report("missing_information", "workflow_track.missing_information_at(:t)", "", {"event": "event_id"},
                 agreement=same((*PLACE, "subject", "occurred_at"), _where("event", (*PLACE, "subject", "occurred_at"))))

# What was loaded, in the words of events.csv; and what the extension itself finds inconsistent.
EVENTS = Report("event", "(SELECT * FROM workflow_track.event_history WHERE retracted_at IS NULL)", "events")
CONSISTENCY = "COPY (SELECT c::text, NULL FROM workflow_track.check_consistency() AS c) TO STDOUT (FORMAT csv);\n"
