"""The sepsis log: 15,214 real events of 1,050 cases, against figures that process mining tools give for it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Iterator

import mining
import psql
from feed import copy_rows, define, transaction

AS_OF = "2016-01-01T00:00:00Z"
COLUMNS = ("occurred_at", "source_sequence", "patient_id", "encounter_id", "kind", "value", "actor_role",
           "source_system", "entry_method")
MAP = {"workflow": "sepsis", "version": 1, "state": "current",
       "steps": [{"step": "triage", "kind": "sepsis.er_triage"}, {"step": "treat", "kind": "sepsis.iv_antibiotics"}],
       "transitions": [["triage", "treat"]],
       "expectations": [{"name": "antibiotics within an hour", "after": ["sepsis.er_triage"],
                         "expect": ["sepsis.iv_antibiotics"], "correlated_by": "encounter", "within": "1 hour",
                         "category": "order"}]}

# name, query, its answer
CHECKS = (
    ("events", "SELECT count(*), count(DISTINCT patient_id), count(DISTINCT kind) FROM workflow_track.event_history",
     "15214|1050|16"),
    ("implied handoffs", "SELECT count(*) FROM workflow_track.handoff WHERE basis = 'implied'", "7048"),
    ("implied handoffs from A to C",
     "SELECT count(*) FROM workflow_track.handoff WHERE basis = 'implied' AND (from_role, to_role) = ('A', 'C')",
     "946"),
    ("handoffs of other bases", "SELECT count(*) FROM workflow_track.handoff WHERE basis <> 'implied'", "0"),
    ("handoff_latency",
     "SELECT sum(handoffs), sum(handoffs) FILTER (WHERE (from_role, to_role) = ('A', 'C')), count(*)"
     " FROM workflow_track.handoff_latency WHERE basis = 'implied'",
     "7048|946|196"),
    ("antibiotics after triage",
     "SELECT count(*), count(*) FILTER (WHERE status = 'met'), count(*) FILTER (WHERE status = 'late'),"
     f" count(*) FILTER (WHERE status = 'overdue') FROM workflow_track.care_loop_at('{AS_OF}')",
     "1053|297|519|237"),
    ("rule_coverage",
     f"SELECT openers, closers, unmatched_closers FROM workflow_track.rule_coverage_at('{AS_OF}')", "1053|823|7"),
)


# How many rows process mining tools give.
MINED = {"directly_follows": 115, "workflow_variant": 846, "start": 6, "end": 14}


def kind(activity: str) -> str:
    return "sepsis." + activity.lower().replace(" ", "_")


def cases(log: Path) -> list[mining.Case]:
    """Its cases, in the log's own order."""
    traces: dict[str, list[tuple[str, str]]] = {}
    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    for _, _, case, name in sorted((row["Complete Timestamp"], n, row["Case ID"], kind(row["Activity"]))
                                   for n, row in enumerate(rows)):
        traces.setdefault(case, []).append(("", name))
    return list(traces.values())


def load(log: Path) -> str:
    """SQL for the log as events, in its own order."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    kinds = sorted({kind(row["Activity"]) for row in rows})
    events = [(row["Complete Timestamp"].replace("/", "-") + "Z", str(n), row["Case ID"], row["Case ID"],
               kind(row["Activity"]), row["CRP"] or row["LacticAcid"] or row["Leucocytes"] or None, row["org:group"],
               "HIS", "manual") for n, row in enumerate(rows)]
    return transaction(
        copy_rows("event_kind", ("kind", "category", "counts_as_work", "description"),
             ((name, "sepsis", "t", "an activity of the sepsis log") for name in kinds))
        + define(MAP)
        + copy_rows("event", COLUMNS, events))


def check(log: Path, keep: bool) -> Iterator[tuple[str, list[str]]]:
    """The name of each check, and what is wrong."""
    with psql.database(keep) as database:
        psql.run(database, load(log))
        for name, query, answer in CHECKS:
            found = psql.run(database, f"{query};\n").strip()
            yield name, [] if found == answer else [f"expected {answer}, found {found}"]
        counted = cases(log)
        rows = {name: len(lines) for name, lines in mining.mined(counted).items()}
        yield "edges, variants, starts and ends", [] if [rows[name] for name in MINED] == [*MINED.values()] else [str(rows)]
        yield from mining.differences(database, counted)
