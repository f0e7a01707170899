"""Identity conflicts and missing information of a feed, computed once more from the definitions, patient by patient.

The reports are written as the oracle writes its own: an event stands for its columns, its other for its natural key.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Iterable, Iterator

import table
from feed import Feed
from reports import KEY
from table import Cell, Row

FAR = "infinity"  # after every time, as texts are compared
RESULTS = ("result.preliminary", "result.final", "result.corrected")
ORDER = ("occurred_at", "source_sequence", "kind", "subject", "item", "code", "value", "source_system", "actor")

Event = dict[str, Cell]


class Names:
    """Names of which some are one."""

    def __init__(self) -> None:
        self.other: dict[Cell, Cell] = {}

    def root(self, name: Cell) -> Cell:
        while name in self.other:
            name = self.other[name]
        return name

    def join(self, one: Cell, other: Cell) -> None:
        one, other = self.root(one), self.root(other)
        if one is not None and other is not None and one != other:
            self.other[max(str(one), str(other))] = min(str(one), str(other))


def canonical(event: Event) -> tuple[object, ...]:
    """The canonical order; texts by their bytes, nulls first."""
    cells = [event.get(name) for name in ORDER]
    return tuple((0, b"") if c is None else (1, int(c)) if n == "source_sequence" else (1, str(c).encode()) for n, c in zip(ORDER, cells))


class Hospital:
    """What a feed tells of its patients."""

    def __init__(self, feed: Feed):
        self.events: list[Event] = sorted((dict(zip(feed.columns, row)) for row in feed.live()), key=canonical)
        self.patients, self.aliases = Names(), self._rows(feed, "subject_alias")
        for e in self.events:
            if e["kind"] == "patient.merged" and e["subject"]:
                self.patients.join(e["patient_id"], e["subject"])
        self.test = {self.patients.root(row[0]) for row in self._rows(feed, "test_patient")}
        self.staff = self._staff(feed)
        self.required = [(m["workflow"], s["step"], s["kind"], s["required_fields"]) for m in feed.documents if m["state"] == "current"
                         for s in m["steps"] if s.get("required_fields")]
        self.visits: dict[Cell, Names] = defaultdict(Names)
        self.topics: dict[Cell, Names] = defaultdict(Names)
        for e in self.events:
            e["patient"] = self.patients.root(e["patient_id"])
            if e["kind"] == "encounter.merged" and e["encounter_id"] and e["subject"]:
                self.visits[e["patient"]].join(e["encounter_id"], e["subject"])
        for patient_id, alias, subject in self.aliases:
            self.topics[self.patients.root(patient_id)].join(alias, subject)
        self.events = [e for e in self.events if e["patient"] not in self.test]
        for e in self.events:
            e["object"] = str(e["kind"]).partition(".")[0]
            e["visit"] = self.visits[e["patient"]].root(e["encounter_id"]) or None
            e["topic"] = self.topics[e["patient"]].root(e["subject"]) or None
        self.of: dict[Cell, list[Event]] = defaultdict(list)
        for e in self.events:
            self.of[e["patient"]].append(e)

    @staticmethod
    def _rows(feed: Feed, name: str) -> list[Row]:
        path = feed.folder / f"{name}.csv"
        return table.read(path)[1] if path.exists() else []

    @staticmethod
    def _staff(feed: Feed) -> set[Cell]:
        """Who has a role, at whatever time."""
        header, rows = table.read(feed.folder / "staff.csv")
        return {row[header.index("actor")] for row in rows if row[header.index("role")]}

    # --- conflicts ------------------------------------------------------------------------------------------------

    def results(self) -> Iterator[tuple[str, Event, Event | None, str, str]]:
        """What is wrong with results: the problem, the event, the other, since when and until when."""
        for events in self.of.values():
            for r in events:
                if r["kind"] in RESULTS:
                    yield from self._result(r, events)

    @staticmethod
    def _result(r: Event, events: list[Event]) -> Iterator[tuple[str, Event, Event | None, str, str]]:
        since = str(r["occurred_at"])
        if r["topic"] is not None:
            orders = [e for e in events if e["topic"] == r["topic"] and e["object"] in ("order", "specimen")]
            known = next((str(e["occurred_at"]) for e in orders if e["object"] == "order"), FAR)
            if known > since:
                yield "unknown_order", r, None, since, known
            since = max(since, known)
            placed = [e for e in orders if e["visit"] is not None]
            planned = any(e["object"] == "order" and e["planned_at"] is not None for e in orders)
            if r["visit"] is not None and placed and placed[0]["visit"] != r["visit"] and not planned:
                begins = max(str(r["occurred_at"]), str(placed[0]["occurred_at"]))
                ends = next((str(e["occurred_at"]) for e in placed if e["visit"] == r["visit"]), FAR)
                if ends > begins:
                    yield "result_on_other_encounter", r, placed[0], begins, ends
                    return
        if r["visit"] is not None:
            known = next((str(e["occurred_at"]) for e in events if e["visit"] == r["visit"] and e["object"] == "encounter"), FAR)
            if known > since:
                yield "unknown_encounter", r, None, since, known

    def shared(self) -> Iterator[tuple[str, Event, Event, str, Cell]]:
        """Numbers of two patients: what they are of, the events, since when, and the number."""
        uses: dict[tuple[str, Cell], dict[Cell, list[Event]]] = defaultdict(lambda: defaultdict(list))
        for patient, events in self.of.items():
            for what, key, names in (("order", "topic", self.topics[patient]), ("encounter", "visit", self.visits[patient])):
                groups: dict[Cell, list[Event]] = defaultdict(list)
                for e in events:
                    if e[key] is not None and (what == "encounter" or e["object"] in ("order", "specimen", "result")):
                        groups[e[key]].append(e)
                known = {e["encounter_id" if what == "encounter" else "subject"] for e in events} | set(names.other) | set(names.other.values())
                for name in known - {None, ""}:
                    if names.root(name) in groups:
                        uses[what, name][patient] = groups[names.root(name)]
        for (what, name), users in sorted(uses.items(), key=lambda item: (item[0][0] != "order", str(item[0][1]))):
            if len(users) < 2:
                continue
            first = {p: min(u, key=lambda e: (str(e["occurred_at"]), str(e["patient_id"]))) for p, u in users.items()}
            owner = min(users, key=lambda p: (not any(e["object"] == what for e in users[p]), str(first[p]["occurred_at"]), str(first[p]["patient_id"])))
            for patient in users.keys() - {owner}:
                yield what, first[patient], first[owner], max(str(first[p]["occurred_at"]) for p in (patient, owner)), name

    def conflicts(self) -> Iterator[tuple[str, Event, Event | None, str]]:
        """What there is now."""
        pairs = list(self.shared())
        orders = {id(e) for what, e, _, _, _ in pairs if what == "order"}
        told: set[tuple[str, int]] = set()
        until: dict[tuple[Cell, Cell], str] = {}
        for what, e, other, since, name in sorted(pairs, key=lambda p: (p[4] != p[1]["subject" if p[0] == "order" else "encounter_id"], str(p[4]))):
            if (what, id(e)) not in told and (what == "order" or id(e) not in orders):
                yield "two patients", e, other, since
            told.add((what, id(e)))
            until[e["patient"], name] = min(since, until.get((e["patient"], name), FAR))
        for problem, e, other, since, ends in self.results():
            ends = min(ends, *(until.get((e["patient"], e[column]), FAR) for column in ("subject", "encounter_id")))
            if since < ends == FAR:
                yield problem, e, other, since

    # --- what is missing ------------------------------------------------------------------------------------------

    def missing(self) -> Iterator[tuple[str, str, Event, list[str]]]:
        """The workflow, the step, the event, and what it still lacks."""
        for workflow, step, kind, fields in self.required:
            for events in self.of.values():
                for n, e in enumerate(events):
                    if e["kind"] == kind:
                        lacks = [f for f in fields if not self._has(e, f)
                                 and not any(x["topic"] == e["topic"] is not None and self._has(x, f) for x in events[n + 1:])]
                        if lacks:
                            yield workflow, step, e, lacks

    def _has(self, e: Event, field: str) -> bool:
        if field.startswith("code:"):
            return str(e["code"] or "").startswith(field[5:] + "|")
        if field.startswith("detail."):
            detail = json.loads(e["detail"] or "null")
            return isinstance(detail, dict) and detail.get(field[7:]) not in (None, "", [], {})
        if field in ("actor_role", "recipient_role") and not e[field]:
            return e[field.removesuffix("_role")] in self.staff
        return bool(e.get(field))


def write(feed: Feed, out: Path) -> Path:
    """Writes both reports into a folder, as of now."""
    hospital = Hospital(feed)
    out.mkdir(exist_ok=True)
    (out / "as_of.txt").write_text("now\n", encoding="utf-8")
    _write(out / "identity_conflict.csv", ("problem", "since", *(f"event_{name}" for name in KEY), *(f"other_{name}" for name in KEY)),
           ((problem, since, *(e[name] for name in KEY), *(other and other[name] for name in KEY))
            for problem, e, other, since in hospital.conflicts()))
    _write(out / "missing_information.csv", ("workflow", "step", "missing", *(f"event_{name}" for name in KEY)),
           ((workflow, step, f"{{{','.join(lacks)}}}", *(e[name] for name in KEY)) for workflow, step, e, lacks in hospital.missing()))
    return out


def _write(path: Path, header: Row, rows: Iterable[Row]) -> None:
    path.write_text("".join(table.line(row) for row in (header, *rows)), encoding="utf-8")
