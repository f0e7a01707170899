"""A folder of events, staff and maps as tools/hospital.py writes it, and the SQL that loads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Sequence

import psql
import table
from table import Cell, Row

RETRACT = "retract"
# What an event is found by to retract it; hospital.py retracts only those that this tells from all others.
NAME = ("occurred_at", "source_sequence", "patient_id", "kind")


@dataclass(frozen=True)
class Retraction:
    """That one event was entered in error."""

    of: Row


Step = Row | Retraction


class Feed:
    """What arrives, in its order: events (rows of `columns`) and retractions of earlier ones."""

    again: tuple[str, ...] = (psql.SERIALIZATION_FAILURE,)  # SQLSTATEs with which recording may fail and be repeated

    def __init__(self, folder: Path):
        self.folder = folder
        header, rows = table.read(folder / "events.csv")
        self.columns = tuple(str(name) for name in header[1:])
        by_ref = {row[0]: row[1:] for row in rows if row[0] != RETRACT}
        self.steps: list[Step] = [Retraction(by_ref[row[1]]) if row[0] == RETRACT else row[1:] for row in rows]
        self.events = [step for step in self.steps if not isinstance(step, Retraction)]
        self.retractions = [step for step in self.steps if isinstance(step, Retraction)]
        maps = (folder / "workflow.json").read_text(encoding="utf-8")
        self.documents: list[dict[str, Any]] = [json.loads(line) for line in maps.splitlines()]

    def cell(self, row: Row, column: str) -> Cell:
        return row[self.columns.index(column)]

    def times(self) -> list[str]:
        """When the events happened, sorted."""
        return sorted(str(self.cell(row, "occurred_at")) for row in self.events)

    def live(self) -> list[Row]:
        """The events that no one retracts."""
        gone = {retraction.of for retraction in self.retractions}
        return [row for row in self.events if row not in gone]

    # --- SQL ------------------------------------------------------------------------------------------------------

    def insert(self, rows: Iterable[Row]) -> str:
        values = ",\n".join(f"({', '.join(map(literal, row))})" for row in rows)
        return f"INSERT INTO workflow_track.event ({', '.join(self.columns)}) VALUES\n{values};\n"

    def copy(self, rows: Iterable[Row]) -> str:
        return copy_rows("event", self.columns, rows)

    def call(self, row: Row) -> str:
        """One event by record_event, with the arguments that are not null or have no default."""
        given = ", ".join(f"{name} => {literal(cell)}" for name, cell in zip(self.columns, row)
                          if cell is not None or name == "source_system")
        return f"SELECT workflow_track.record_event({given});\n"

    def retract(self, row: Row) -> str:
        name = ", ".join(literal(self.cell(row, column)) for column in NAME)
        return ("SELECT workflow_track.retract_event((SELECT event_id FROM workflow_track.event_history"
                f" WHERE ({', '.join(NAME)}) = ({name}) AND retracted_at IS NULL), 'entered in error');\n")

    def script(self, steps: Sequence[Step], by_copy: bool = False) -> str:
        """Steps in their order: neighbouring events as one statement, each retraction as one."""
        parts, rows = [], []
        for step in (*steps, None):
            if rows and not isinstance(step, tuple):
                parts.append(self.copy(rows) if by_copy else self.insert(rows))
                rows = []
            if isinstance(step, Retraction):
                parts.append(self.retract(step.of))
            elif step is not None:
                rows.append(step)
        return "".join(parts)

    def months(self) -> str:
        """Partitions for the months of the events, for those who load a backfill."""
        first, *_, last = self.times()
        return f"SELECT workflow_track.ensure_partitions({literal(first)}, {literal(last)});\n"

    def staff(self, wanted: Callable[[str], bool] = lambda actor: True) -> str:
        """Those actors of the directory."""
        header, rows = table.read(self.folder / "staff.csv")
        return copy_rows("staff", header, [row for row in rows if wanted(str(row[header.index("actor")]))])

    def maps(self) -> str:
        return "".join(map(define, self.documents))

    def patients(self) -> str:
        """What messages, and those who rehearse with test charts, tell besides events."""
        return self.file("test_patient") + self.file("subject_alias")

    def setup(self) -> str:
        return self.file("facility") + self.staff() + self.maps() + self.patients()

    def file(self, name: str, relation: str | None = None) -> str:
        """The rows of one of the folder's files, for the relation of its name or another."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            return ""
        header, rows = table.read(path)
        return copy_rows(relation or name, header, rows) if rows else ""


def literal(cell: Cell) -> str:
    return "NULL" if cell is None else "'" + cell.replace("'", "''") + "'"


def copy_rows(relation: str, columns: Iterable[Cell], rows: Iterable[Row]) -> str:
    names = ", ".join(str(column) for column in columns)
    return f"COPY workflow_track.{relation} ({names}) FROM STDIN (FORMAT csv);\n{''.join(map(table.line, rows))}\\.\n"


def distinct(things: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each once, for a map has nothing twice."""
    once: list[dict[str, Any]] = []
    for thing in things:
        if thing not in once:
            once.append(thing)
    return once


def define(document: dict[str, Any]) -> str:
    return f"SELECT workflow_track.define_workflow({literal(json.dumps(document))});\n"


def transaction(script: str) -> str:
    return f"BEGIN;\n{script}COMMIT;\n"
