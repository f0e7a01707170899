"""Compares the reports of a database with those of the oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterable, Sequence

import psql
import table
from feed import Feed
from reports import AGREES, CONSISTENCY, EVENTS, LATENCIES, MOMENT, REPORTS, Report
from table import Cell, Row


SHOWN = 3  # reports


def installed() -> set[str]:
    """The names of the extension's functions and relations."""
    return set(psql.run(psql.TEMPLATE, """
        SELECT relname FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace
        UNION SELECT proname FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace;\n""").split())


Tables = dict[str, tuple[Row, list[Row]]]  # header and rows, by name


class Expected:
    """What queries must give."""

    def __init__(self) -> None:
        self.expected: Tables = {}
        self.script = "SET search_path = workflow_track, pg_catalog;\n"  # operators of clinical_code

    def add(self, name: str, columns: Row, rows: Iterable[Row], query: str) -> None:
        self.expected[name] = columns, [(*row, None) for row in rows]
        self.script += f"\\echo ## {name}\n{query}"

    def differences(self, database: str) -> list[str]:
        """What a database reports otherwise, as lines to print: rows of the first few reports, counts of the rest."""
        lines: list[str] = []
        wrong = 0
        found = self.found(database)
        for name, (columns, expected) in self._given(database).items():
            more = table.differences(columns, expected, self._comparable(name, columns, expected, found[name]))
            if more:
                wrong += 1
                lines += [f"{name}: {more[0]}", *(more[1:] if wrong <= SHOWN else ())]
        return lines

    def _given(self, database: str) -> Tables:
        """What is expected, given what was recorded there."""
        return self.expected

    def found(self, database: str) -> dict[str, list[Row]]:
        """The rows that each query gives."""
        parts = (part.partition("\n") for part in ("\n" + psql.run(database, self.script)).split("\n## ")[1:])
        return {name: list(table.parse(rows)) for name, _, rows in parts}

    def _comparable(self, name: str, columns: Row, expected: list[Row], found: list[Row]) -> list[Row]:
        """The rows that were found, written as the expected ones are."""
        return found


class Comparison(Expected):
    """What each report must hold for one feed; those that are asked about a moment, at each of the oracle's."""

    def __init__(self, feed: Feed, truths: Sequence[Path], have: set[str]):
        super().__init__()
        self.add_events("event", feed.columns, feed.live(), EVENTS)
        reports = [report for report in REPORTS if not report.optional or report.optional in have]
        for report in reports:
            self._add_report(report, report.name, truths[0])
        for truth in truths[1:]:
            for report in reports:
                if MOMENT in report.source:
                    self._add_report(report, f"{report.name} at {as_of(truth)}", truth)
        if "check_consistency" in have:
            self.add("check_consistency", ("difference", AGREES), [], CONSISTENCY)
        self.reach = _reach(*self.expected["handoff"])

    def add_events(self, name: str, columns: Row, rows: list[Row], report: Report) -> None:
        self.add(name, (*columns, AGREES), _plain(columns, rows), report.query(columns))

    def _add_report(self, report: Report, name: str, truth: Path) -> None:
        header, rows = table.read(truth / f"{report.truth}.csv")
        rows = [row for row in rows if report.wanted(dict(zip(header, row)))]
        self.add(name, (*header, AGREES), rows, report.query(header, as_of(truth)))

    def _comparable(self, name: str, columns: Row, expected: list[Row], found: list[Row]) -> list[Row]:
        if "detail" in columns:
            return _plain(columns, found)
        if name in ("handoff_latency", "handoff_latency_hourly"):
            return self._settled(columns, expected, found)
        return found

    def _settled(self, columns: Row, expected: list[Row], found: list[Row]) -> list[Row]:
        """Rows of latencies; each that is near enough is given as it is expected."""
        mean = columns.index("mean")
        wanted = {row[:mean]: row for row in expected}

        def settled(name: Cell, exact: Cell, row: Row, cell: Cell) -> Cell:
            if exact is None or cell is None or name not in LATENCIES:
                return cell
            reach = self.reach.get(row[:6], abs(float(exact)))
            # half microseconds of a mean may be rounded either way
            near = 1.5e-6 if name == "mean" else reach / 100 + 1.5e-6
            return exact if abs(float(cell) - float(exact)) <= near else cell

        return [tuple(settled(name, exact, row, cell)
                      for name, exact, cell in zip(columns, wanted.get(row[:mean], row), row)) for row in found]


def as_of(truth: Path) -> str:
    """The moment that a folder of the oracle's reports is about."""
    return (truth / "as_of.txt").read_text(encoding="utf-8").strip()


def _reach(columns: Row, handoffs: list[Row]) -> dict[Row, float]:
    """The greatest latency, either way, of groups in which some are below 0.

    A quantile between one below and one above may be off by 1 % of those two, which is more than 1 % of itself.
    """
    groups: dict[Row, list[float]] = {}
    by = [columns.index(name) for name in ("basis", "to_facility", "from_role", "to_role", "from_system", "to_system")]
    for row in handoffs:
        groups.setdefault(tuple(row[n] for n in by), []).append(float(row[columns.index("latency")] or 0))
    return {key: max(map(abs, latencies)) for key, latencies in groups.items() if min(latencies) < 0}


def _plain(columns: Row, rows: list[Row]) -> list[Row]:
    """Rows of events with their detail written in one way."""
    at = columns.index("detail")
    return [(*row[:at], _json(row[at]), *row[at + 1:]) for row in rows]


def _json(cell: Cell) -> Cell:
    return None if cell is None else json.dumps(json.loads(cell), sort_keys=True)
