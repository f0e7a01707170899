"""Every defect that the simulation put into a feed is in exactly one report, and no report shows a case that is in order.

A defect is what a story meant to go wrong (truth/injected_*.csv, truth/messages.csv), or a result of an order that nobody
placed.  It has one row in one report, or more than one for a reason that is in TWICE.  Each row of a report has one defect.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import Iterator, NamedTuple

import hl7
import table
from comparison import Expected, as_of
from identity import NOW, RESULTS, Event, Hospital
from messages import Message, MessageFeed
from reports import AGREES, KEY, Report
from table import Cell, Row

OF_BOTH = *(f"event_{name}" for name in KEY), *(f"other_{name}" for name in KEY)
OPENED = {"opened": "opened_event_id"}
LATE = "care_loop"  # of categories of which missed_follow_up does not tell

# What each report is asked: its columns are those of the injected lists.
REPORTS = {report.name: report for report in (
    Report("unacknowledged_result", "workflow_track.unacknowledged_result_at(:t)", "loops", OPENED),
    Report("missed_follow_up", "workflow_track.missed_follow_up_at(:t)", "loops", OPENED),
    Report("overdue_loop", "workflow_track.overdue_loop_at(:t)", "loops", OPENED),
    Report(LATE, "(SELECT * FROM workflow_track.care_loop_at(:t) WHERE status = 'late' AND category IN ('acknowledgement', 'order', 'handoff', 'claim'))",
           "loops", OPENED),
    Report("duplicate_entry", "workflow_track.duplicate_entry", "duplicates", {"duplicate": "duplicate_event_id", "original": "original_event_id"}),
    Report("misrouted_result", "workflow_track.misrouted_result", "misrouted", {"event": "event_id"}),
    Report("billing_mismatch", "workflow_track.billing_mismatch_at(:t)", "billing", {"charge": "charge_event_id", "documentation": "documentation_event_id"}),
    Report("missing_information", "(SELECT m.*, f.field FROM workflow_track.missing_information AS m CROSS JOIN unnest(m.missing) AS f(field))", "",
           {"event": "event_id"}),
    Report("identity_conflict", "workflow_track.identity_conflict", "", {"event": "event_id", "other": "other_event_id"}),
    Report("message_exception", "(SELECT x.*, m.facility AS sender FROM workflow_track.message_exception AS x JOIN workflow_track.message AS m USING (message_id, received_at))", ""),
)}
COLUMNS: dict[str, Row] = {
    "missing_information": ("field", *(f"event_{name}" for name in KEY)),
    "identity_conflict": ("problem", *OF_BOTH),
    "message_exception": ("sender", "source_system", "control_id", "message_type", "problem", "patient_id", "encounter_id"),
}
HOME = {"acknowledgement": "unacknowledged_result", "follow_up": "missed_follow_up", "referral": "missed_follow_up", "notification": "missed_follow_up"}

# Where a defect shows in two reports, and why it does.
TWICE = {
    ("unacknowledged_result", "overdue_loop"): "overdue_loop has every loop that is overdue",
    ("missed_follow_up", "overdue_loop"): "overdue_loop has every loop that is overdue",
    ("billing_mismatch", "overdue_loop"): "the map expects a charge after documentation, besides what its billing rules say of its code",
    ("billing_mismatch", "care_loop"): "the same, where a charge came late",
    ("misrouted_result", "missing_information"): "the map requires the recipient that it delivers to",
    ("message_exception", "missing_information"): "the map requires the visit that the message does not name",
    ("message_exception", "identity_conflict"): "of the unknown order of a result the one tells who looks after messages, the other who looks after records",
}

Place = tuple[Cell, Cell]  # patient and encounter


class Defect(NamedTuple):
    """What was put in, and its rows, each with the name of its report."""

    cause: str
    rows: tuple[tuple[str, Row], ...]

    @property
    def reports(self) -> tuple[str, ...]:
        return tuple(report for report, _ in self.rows)


class Injected(Expected):
    """What reports must hold because it was put into a feed, and nothing else."""

    def __init__(self, feed: MessageFeed):
        super().__init__()
        self.feed, self.hospital = feed, Hospital(feed)
        self.truth = feed.folder / "truth"
        self.lists = {name: table.read(self.truth / f"injected_{name}.csv") for name in ("loops", "duplicates", "misrouted", "billing")}
        self.ordered = {(e["patient"], e["topic"]) for e in self.hospital.events if e["object"] == "order"}
        self.missing = {("missing_information", (field, *key(e))) for _, _, e, fields in self.hospital.missing(NOW) for field in fields}
        self.loops = self._loops("overdue", "late")
        self.waiting = self._loops("open")
        self.defects = [*self._billing(), *self.loops.values(), *self._duplicates(), *self._routing(), *self._messages()]
        rows: dict[str, list[Row]] = defaultdict(list)
        for defect in (*self.defects, *self.waiting.values()):
            for report, row in defect.rows:
                rows[report].append(row)
        for name, asked in REPORTS.items():
            columns = COLUMNS.get(name) or self.lists[asked.truth][0]
            self.add(name, (*columns, AGREES), rows[name], asked.query(columns, as_of(self.truth)))

    # --- what was put in ------------------------------------------------------------------------------------------

    def _loops(self, *statuses: str) -> dict[tuple[Cell, Row], Defect]:
        """Loops of a status, by rule and opening event."""
        category = {rule["name"]: rule["category"] for m in self.feed.documents if m["state"] == "current" for rule in m.get("expectations", ())}
        loops: dict[tuple[Cell, Row], Defect] = {}
        header, rows = self.lists["loops"]
        status = header.index("status")
        for row in rows:
            if row[status] not in statuses:
                continue
            home = HOME.get(category[row[0]])
            reports = {"open": [home] if home == "unacknowledged_result" else [],
                       "overdue": [home, "overdue_loop"] if home else ["overdue_loop"],
                       "late": [home] if home == "missed_follow_up" else [LATE]}[str(row[status])]
            loops[row[0], row[1:1 + len(KEY)]] = Defect(f"{row[0]}: {row[status]}", tuple((str(report), row) for report in reports))
        return loops

    def _billing(self) -> Iterator[Defect]:
        """With the loop of the same documentation."""
        for row in self.lists["billing"][1]:
            loop = self.loops.pop(("charge after documentation", row[-len(KEY):]), None)
            yield Defect(str(row[0]), (("billing_mismatch", row), *(loop.rows if loop else ())))

    def _duplicates(self) -> Iterator[Defect]:
        for row in self.lists["duplicates"][1]:
            yield Defect("entered again", (("duplicate_entry", row),))

    def _routing(self) -> Iterator[Defect]:
        for *event, reason in self.lists["misrouted"][1]:
            rows = [("misrouted_result", (*event, reason))]
            if reason == "no_recipient":
                rows += self._missing("recipient", tuple(event))
            yield Defect(str(reason), tuple(rows))

    def _missing(self, field: str, event: Row) -> list[tuple[str, Row]]:
        """The row, if the map requires the field of such an event and nothing supplied it later."""
        row = "missing_information", (field, *event)
        return [row] if row in self.missing else []

    def _messages(self) -> Iterator[Defect]:
        """Messages by their problems, and results of orders that nobody placed."""
        of_messages = iter(self.feed.of_messages)  # in the order of the messages
        for message in self.feed.messages:
            events = [dict(zip(self.feed.columns, next(of_messages))) for _ in range(int(message.outcome.events))]
            for problem in problems(message):
                rows = [("message_exception", self._exception(message, problem))]
                if problem == "no_visit":
                    rows += [row for e in events for row in self._missing("encounter_id", key(e))]
                yield Defect(problem, tuple(rows))
            unknown = [e for e in events if self._is_never_ordered(e)]
            if unknown:
                yield Defect("never ordered", (("message_exception", self._exception(message, "no_order")), *(
                    ("identity_conflict", ("unknown_order", *key(e), *(None for _ in KEY))) for e in unknown if e["kind"] in RESULTS)))

    def _is_never_ordered(self, event: Event) -> bool:
        patient = self.hospital.patients.root(event["patient_id"])
        return (str(event["kind"]).startswith("result.") and patient not in self.hospital.test
                and (patient, self.hospital.topics[patient].root(event["subject"])) not in self.ordered)

    @staticmethod
    def _exception(message: Message, problem: str) -> Row:
        cells = (*message.columns, problem)
        return *(cell or None for cell in cells), *place(message)

    # --- what is wrong --------------------------------------------------------------------------------------------

    @cached_property
    def in_order(self) -> tuple[set[Cell], set[Place]]:
        """Patients and encounters of which no defect is, but perhaps of a message."""
        places = {place for defect in self.defects for report, row in defect.rows for place in self.places(report, row)}
        patients = {self.hospital.patients.root(patient) for patient, _ in places}
        encounters: set[Place] = {(e["patient_id"], e["encounter_id"]) for e in self.hospital.events if e["encounter_id"]}
        return {e["patient_id"] for e in self.hospital.events if e["patient"] not in patients}, encounters - places

    def places(self, report: str, row: Row) -> Iterator[Place]:
        """Patient and encounter of each event that a row is about; message_exception is about messages."""
        if report == "message_exception":
            return
        columns = self.expected[report][0]
        for n, name in enumerate(columns):
            if str(name).endswith("patient_id") and row[n] is not None:
                yield row[n], row[n + 1]

    def unclear(self) -> list[str]:
        """Defects that are in no report, or in two without a reason; rows of two defects."""
        allowed = {frozenset(pair) for pair in TWICE}
        together = Counter(frozenset(defect.reports) for defect in self.defects)
        # messages that come again, or do not say which they are, have equal rows
        rows = Counter(row for defect in self.defects for row in defect.rows if row[0] != "message_exception")
        return [*(f"in {' and '.join(sorted(reports)) or 'no report'}: {number} defects" for reports, number in together.items()
                  if len(reports) != 1 and reports not in allowed),
                *(f"of {number} defects: {row}" for row, number in rows.items() if number > 1)]

    def unnoticed(self) -> list[str]:
        """What could be otherwise than it is expected, and nothing would be told: a row dropped, added, or moved to another report."""
        right = {name: rows for name, (_, rows) in self.expected.items()}
        patient, encounter = min(self.in_order[1], key=str)
        lines = self.judged(right)
        for name, (columns, rows) in self.expected.items():
            if not rows:
                continue
            dropped, first = right | {name: rows[1:]}, dict(zip(columns, rows[0]))
            if not self.judged(dropped):
                lines.append(f"a row dropped from {name}")
            added = tuple(patient if str(column).endswith("patient_id") else encounter if str(column).endswith("encounter_id") else cell
                          for column, cell in first.items())
            if not any("in order" in line for line in self.judged(right | {name: [*rows, added]})) and name != "message_exception":
                lines.append(f"a row of a case in order added to {name}")
            for other, (others, _) in self.expected.items():
                told = self.judged(dropped | {other: [*right[other], tuple(first.get(column) for column in others)]})
                if other != name and not all(any(line.startswith(f"put in and {report}:") for line in told) for report in (name, other)):
                    lines.append(f"a row moved from {name} to {other}")
        return lines

    def differences(self, database: str) -> list[str]:
        return self.judged(self.found(database))

    def judged(self, found: dict[str, list[Row]]) -> list[str]:
        """Defects that are not found, rows of no defect, and cases in order that are told of."""
        lines: list[str] = []
        for name, (columns, expected) in self.expected.items():
            more = table.differences(columns, expected, found[name])
            lines += [f"put in and {name}: {more[0]}", *more[1:]] if more else []
        patients, encounters = self.in_order
        waiting = {(report, (*row, None)) for defect in self.waiting.values() for report, row in defect.rows}
        lines += [f"{name} tells of a case in order: {row}" for name, rows in found.items() for row in rows
                  if (name, row) not in waiting
                  and any(patient in patients or (patient, encounter) in encounters for patient, encounter in self.places(name, row))]
        return lines


def key(event: Event) -> Row:
    return tuple(event[name] for name in KEY)


def problems(message: Message) -> list[str]:
    """What message_exception lists a message under."""
    if message.outcome.status != "processed":
        return [message.outcome.status]
    # of what else has no visit, none is required
    about_care = str(message.columns[3])[:3] in ("ORM", "ORU", "MDM", "RDE")
    return [problem for problem in sorted(message.outcome.problems) if problem and (problem != "no_visit" or about_care)]


def place(message: Message) -> Place:
    """The patient and the visit that a message names; nothing of one that cannot be read."""
    if message.outcome.status == "rejected":
        return None, None
    read = hl7.Message(message.payload)
    return read.first("PID", 3, 1) or None, read.first("PV1", 19, 1) or None
