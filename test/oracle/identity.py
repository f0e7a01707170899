"""Identity conflicts and missing information of a feed, computed once more from docs/identity_conflict.md and
docs/missing_information.md, patient by patient, and compared with what a database reports."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cached_property
from typing import Collection, Iterable, Iterator, NamedTuple, Sequence

import psql
import table
from comparison import Expected, Tables
from feed import Feed
from reports import AGREES, CONFLICTS, FINDINGS, KEY, MISSING
from table import Cell, Row

NOW, FAR = "now", "open"  # as texts are compared, NOW is after every time, and FAR after that
RESULTS = ("result.preliminary", "result.final", "result.corrected")
ORDER = ("occurred_at", "source_sequence", "kind", "subject", "item", "code", "value", "source_system", "actor")
SHARED = {"order": "order_of_two_patients", "encounter": "encounter_of_two_patients"}
COLUMN = {"order": "subject", "encounter": "encounter_id"}  # where the number of each stands
TAKEN_BACK = "COPY (SELECT patient_id, subject FROM workflow_track.event_history WHERE kind = 'patient.merged' AND retracted_at IS NOT NULL) TO STDOUT (FORMAT csv);\n"

Event = dict[str, Cell]
Merges = Collection[tuple[Cell, Cell]]  # the two ids


class Names:
    """Names of which some are one."""

    def __init__(self, pairs: Iterable[tuple[Cell, Cell]] = ()) -> None:
        self.other: dict[Cell, Cell] = {}
        for one, other in pairs:
            self.join(one, other)

    def root(self, name: Cell) -> Cell:
        while name in self.other:
            name = self.other[name]
        return name

    def join(self, one: Cell, other: Cell) -> None:
        one, other = self.root(one), self.root(other)
        if one is not None and other is not None and one != other:
            self.other[max(str(one), str(other))] = min(str(one), str(other))


class Finding(NamedTuple):
    """What does not fit together, since when and until when; FAR where it still does not."""

    problem: str
    event: Event
    other: Event | None
    since: str
    until: str


class Shared(NamedTuple):
    """A number of two patients: what it is of, the first event of the one, that of the patient whose it is, since when."""

    what: str
    number: Cell
    event: Event
    owner: Event
    since: str

    def rank(self) -> tuple[bool, bool, str]:
        """Of several that an event has: of its order's number first, and of that by its own name for it."""
        return self.what != "order", self.number != self.event[COLUMN[self.what]], str(self.number)


def canonical(event: Event) -> tuple[object, ...]:
    """The canonical order; texts by their bytes, nulls first."""
    cells = [event.get(name) for name in ORDER]
    return tuple((0, b"") if c is None else (1, int(c)) if n == "source_sequence" else (1, str(c).encode()) for n, c in zip(ORDER, cells))


def occurred(event: Event) -> tuple[str, str]:
    """Which of two patients' events was first."""
    return str(event["occurred_at"]), str(event["patient_id"])


class Hospital:
    """What a feed tells of its patients."""

    def __init__(self, feed: Feed):
        self.events: list[Event] = sorted((dict(zip(feed.columns, row)) for row in feed.live()), key=canonical)
        self.merges = [e for e in self.events if e["kind"] == "patient.merged" and e["subject"]]
        self.patients, self.aliases = Names((e["patient_id"], e["subject"]) for e in self.merges), self._rows(feed, "subject_alias")
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
    def _staff(feed: Feed) -> dict[Cell, list[Cell]]:
        """When who has a role."""
        header, rows = table.read(feed.folder / "staff.csv")
        staff: dict[Cell, list[Cell]] = defaultdict(list)
        for row in rows:
            actor, role, when = (row[header.index(name)] for name in ("actor", "role", "active_during"))
            if role:
                staff[actor].append(when)
        return staff

    # --- conflicts ------------------------------------------------------------------------------------------------

    def conflicts(self, taken_back: Merges) -> list[Finding]:
        """All that ever did not fit together; the merges are those that were retracted."""
        return [*self._of_two_patients(taken_back), *self._merged_into_two(), *self._of_results()]

    @cached_property
    def shared(self) -> list[Shared]:
        """Every name of the numbers of two patients."""
        uses: dict[tuple[str, Cell], dict[Cell, list[Event]]] = defaultdict(lambda: defaultdict(list))
        for patient, events in self.of.items():
            for what, key, names in (("order", "topic", self.topics[patient]), ("encounter", "visit", self.visits[patient])):
                groups: dict[Cell, list[Event]] = defaultdict(list)
                for e in events:
                    if e[key] is not None and (what == "encounter" or e["object"] in ("order", "specimen", "result")):
                        groups[e[key]].append(e)
                known = {e[COLUMN[what]] for e in events} | set(names.other) | set(names.other.values())
                for name in known - {None, ""}:
                    if names.root(name) in groups:
                        uses[what, name][patient] = groups[names.root(name)]
        return [pair for (what, name), users in uses.items() for pair in self._users(what, name, users)]

    @staticmethod
    def _users(what: str, name: Cell, users: dict[Cell, list[Event]]) -> Iterator[Shared]:
        """Of the patients that have a number, each but the one whose it is."""
        first = {p: min(events, key=occurred) for p, events in users.items()}
        owner = min(users, key=lambda p: (not any(e["object"] == what for e in users[p]), *occurred(first[p])))
        for patient in users.keys() - {owner}:
            yield Shared(what, name, first[patient], first[owner], str(max(first[p]["occurred_at"] or "" for p in (patient, owner))))

    def _of_two_patients(self, taken_back: Merges) -> Iterator[Finding]:
        """One thing of an event at a time."""
        parted = [{self.patients.root(one), self.patients.root(other)} for one, other in taken_back]
        until: dict[int, str] = {}
        for pair in sorted(self.shared, key=Shared.rank):
            e, other = pair.event, pair.owner
            problem = "shared_after_unmerge" if {e["patient"], other["patient"]} in parted else SHARED[pair.what]
            yield Finding(problem, e, other, pair.since, until.get(id(e), FAR))
            until[id(e)] = min(pair.since, until.get(id(e), FAR))

    def _merged_into_two(self) -> Iterator[Finding]:
        """An id and two survivors that nothing makes one but that id."""
        survivors: dict[Cell, dict[Cell, Event]] = defaultdict(dict)
        for e in self.merges:  # in canonical order
            if e["patient"] not in self.test and e["subject"] != e["patient_id"]:
                survivors[e["subject"]].setdefault(e["patient_id"], e)
        for loser, merges in survivors.items():
            others = Names((e["patient_id"], e["subject"]) for e in self.merges if loser not in (e["patient_id"], e["subject"]))
            in_order = sorted(merges.values(), key=occurred)
            for n, e in enumerate(in_order):
                first = next((f for f in in_order[:n] if others.root(f["patient_id"]) != others.root(e["patient_id"])), None)
                if first:
                    yield Finding("merged_into_two", e, first, str(e["occurred_at"]), FAR)

    def _of_results(self) -> Iterator[Finding]:
        """What is wrong with results, until their number turns out to be another patient's."""
        until: dict[tuple[Cell, str, Cell], str] = {}
        for pair in self.shared:
            key = pair.event["patient"], pair.what, pair.number
            until[key] = min(pair.since, until.get(key, FAR))
        for events in self.of.values():
            for r in events:
                if r["kind"] in RESULTS:
                    ends = min(until.get((r["patient"], what, r[column]), FAR) for what, column in COLUMN.items())
                    for finding in self._result(r, events):
                        yield finding._replace(until=min(finding.until, ends))

    @staticmethod
    def _result(r: Event, events: list[Event]) -> Iterator[Finding]:
        since = str(r["occurred_at"])
        apart = None
        if r["topic"] is not None:
            orders = [e for e in events if e["topic"] == r["topic"] and e["object"] in ("order", "specimen")]
            known = next((str(e["occurred_at"]) for e in orders if e["object"] == "order"), FAR)
            yield Finding("unknown_order", r, None, since, known)
            since = max(since, known)
            placed = [e for e in orders if e["visit"] is not None]
            planned = any(e["object"] == "order" and e["planned_at"] is not None for e in orders)
            if r["visit"] is not None and placed and placed[0]["visit"] != r["visit"] and not planned:
                begins = max(str(r["occurred_at"]), str(placed[0]["occurred_at"]))
                ends = next((str(e["occurred_at"]) for e in placed if e["visit"] == r["visit"]), FAR)
                if ends > begins:
                    yield Finding("result_on_other_encounter", r, placed[0], begins, ends)
                    apart = (begins, ends)
        if r["visit"] is not None:
            known = next((str(e["occurred_at"]) for e in events if e["visit"] == r["visit"] and e["object"] == "encounter"), FAR)
            if apart is None:
                yield Finding("unknown_encounter", r, None, since, known)
            else:
                yield Finding("unknown_encounter", r, None, since, min(known, apart[0]))
                yield Finding("unknown_encounter", r, None, max(since, apart[1]), known)

    # --- what is missing ------------------------------------------------------------------------------------------

    def missing(self, as_of: str) -> Iterator[tuple[str, str, Event, list[str]]]:
        """The workflow, the step, the event, and what it lacks at a moment."""
        for workflow, step, kind, fields in self.required:
            for events in self.of.values():
                happened = [e for e in events if str(e["occurred_at"]) <= as_of]
                for n, e in enumerate(happened):
                    if e["kind"] == kind:
                        lacks = [f for f in fields if not self._has(e, f)
                                 and not any(x["topic"] == e["topic"] is not None and self._has(x, f) for x in happened[n + 1:])]
                        if lacks:
                            yield workflow, step, e, lacks

    def _has(self, e: Event, field: str) -> bool:
        if field.startswith("code:"):
            return str(e["code"] or "").startswith(field[5:] + "|")
        if field == "detail" or field.startswith("detail."):
            detail = json.loads(e["detail"] or "null")
            if field != "detail":
                detail = detail.get(field[7:]) if isinstance(detail, dict) else None
            return detail not in (None, "", [], {})
        if field in ("actor_role", "recipient_role") and not e[field]:
            return any(during(when, str(e["occurred_at"])) for when in self.staff[e[field.removesuffix("_role")]])
        return bool(e.get(field))


def during(when: Cell, at: str) -> bool:
    """Is a time within a tstzrange? Null is always."""
    if when is None:
        return True
    ends = re.fullmatch(r'([\[(])"?([^",]*)"?,"?([^",]*)"?([\])])', when)
    if ends is None:
        raise ValueError(f"not a range: {when}")
    after = not ends[2] or ends[2] < at or ends[2] == at and ends[1] == "["
    return after and (not ends[3] or at < ends[3] or at == ends[3] and ends[4] == "]")


class Computed(Expected):
    """What both reports must hold for one feed, now and at some moments.

    Merges that were retracted are read from the database, which may have had more of them than the feed tells of.
    """

    def __init__(self, feed: Feed, moments: Sequence[str]):
        super().__init__()
        self.hospital = Hospital(feed)
        self.moments = (NOW, *moments)
        self.taken_back = {(feed.cell(r.of, "patient_id"), feed.cell(r.of, "subject")) for r in feed.retractions
                           if feed.cell(r.of, "kind") == "patient.merged"}
        of_both = *(f"event_{name}" for name in KEY), *(f"other_{name}" for name in KEY)
        conflict, finding = ("problem", "since", *of_both), ("problem", "since", "settled_at", *of_both)
        lacking = "workflow", "step", "missing", *(f"event_{name}" for name in KEY)
        self.add("identity_finding", (*finding, AGREES), [], FINDINGS.query(finding))
        for moment in self.moments:
            self.add(f"identity_conflict at {moment}", (*conflict, AGREES), [], CONFLICTS.query(conflict, moment))
            self.add(f"missing_information at {moment}", (*lacking, AGREES),
                     [(workflow, step, f"{{{','.join(lacks)}}}", *(e[name] for name in KEY))
                      for workflow, step, e, lacks in self.hospital.missing(moment)], MISSING.query(lacking, moment))

    def _given(self, database: str) -> Tables:
        taken_back = {(row[0], row[1]) for row in table.parse(psql.run(database, TAKEN_BACK))}
        if not self.taken_back <= taken_back:
            raise psql.Failed(f"merges that were retracted are not: {self.taken_back - taken_back}")
        findings = [f for f in self.hospital.conflicts(taken_back) if f.since < f.until]
        rows = {f"identity_conflict at {moment}": [(f.problem, f.since, *_names(f)) for f in findings if f.since <= moment < f.until]
                for moment in self.moments}
        rows["identity_finding"] = [(f.problem, f.since, None if f.until == FAR else f.until, *_names(f)) for f in findings]
        return {name: (columns, [(*row, None) for row in rows[name]] if name in rows else expected)
                for name, (columns, expected) in self.expected.items()}


def _names(finding: Finding) -> Row:
    """The natural keys of both events."""
    other: Event = finding.other or dict.fromkeys(KEY)
    return *(finding.event[name] for name in KEY), *(other[name] for name in KEY)
