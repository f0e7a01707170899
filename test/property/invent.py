"""Invents hospitals in which everything meets: few patients, few kinds, and answers at the very edges of the rules.

A hospital is a folder as tools/hospital.py writes one (see ../oracle/feed.py).  Small alphabets make events meet;
a good part of them answers another at an end of a rule's time, or a microsecond to either side.  Each hospital draws
what it is like: how long it lasts, how exactly its times are known, whether events come twice.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Sequence, TypeVar

import inbound
import table
from feed import RETRACT, distinct
from table import Cell

T = TypeVar("T")

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
START = datetime(2024, 1, 30, 20, tzinfo=timezone.utc)  # soon another month begins, and one with a 29th of February
GRID = 10 * MINUTE

ASKING = ("order.placed", "result.final", "result.corrected", "referral.sent", "handoff.offered",
          "encounter.discharged")
ANSWERING = ("result.acknowledged", "patient.notified", "followup.completed", "handoff.accepted", "order.cancelled",
             "result.cancelled", "referral.seen", "encounter.admitted", "patient.died")
BILLED = ("procedure.documented", "diagnosis.documented", "charge.captured", "authorization.approved",
          "claim.submitted", "claim.denied", "claim.paid")
NOISY = ("alert.fired", "screen.used", "alert.overridden", "note.signed")
TYPED = "data.entered"
CODES = ("cpt|99213", "cpt|99214", "cpt|70551", "loinc|2345-7", "icd10cm|E11.9", 'local:X|y,"z"')
ITEMS, VALUES = ("r1", "r2"), ("1", "2", 'say "no", ü')
SEVERITIES = ("normal", "abnormal", "critical")
METHODS = ("interface", "manual")
ROLES, SYSTEMS, FACILITIES = ("provider", "nurse", "clerk"), ("EHR", "LIS", "PMS"), ("NORTH", "SOUTH")
PEOPLE = ("A0", "A1", "A2", "BOTH", "TURNED", "GONE", "INBOX", "LEFT INBOX", "ROLELESS", "STRANGER")
CATEGORIES = ("acknowledgement", "follow_up", "referral", "notification", "order", "handoff", "claim")
CORRELATIONS = ("patient", "encounter", "subject", "item")
PRECISE = ("second",) * 8 + ("minute", "hour")
PRECISIONS = (PRECISE, PRECISE, PRECISE + ("day",), PRECISE + ("day", "month", "year"))
WRITTEN = {"second": "%Y%m%d%H%M%S.%f", "minute": "%Y%m%d%H%M", "hour": "%Y%m%d%H", "day": "%Y%m%d"}  # in messages
UNITS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
WITHIN = (GRID, 3 * GRID, HOUR, 13 * GRID, DAY, 9 * DAY)
EARLY = (0, 0, GRID, 2 * GRID, 9 * GRID)
REQUIRED = ("recipient", "recipient_role", "actor_role", "subject", "detail", "detail.class", "code:loinc")
SAME = ("code", "value", "item", "encounter_id", "source_system", "actor", "severity", "subject", "facility")

SENT = .15  # of the events, where there are messages
NEIGHBOURS = 4
SPANS = (6 * HOUR, 3 * DAY, 40 * DAY)


@dataclass(frozen=True)
class Event:
    """A row of events.csv; occurred_at and planned_at are microseconds from the start."""

    occurred_at: int
    source_sequence: int
    time_precision: str
    planned_at: int | None
    facility: str
    patient_id: str
    encounter_id: str | None
    kind: str
    subject: str | None
    item: str | None
    code: str | None
    value: str | None
    severity: str | None
    actor: str | None
    actor_role: str | None
    recipient: str | None
    recipient_role: str | None
    source_system: str | None
    entry_method: str | None
    detail: str | None

    def order(self) -> tuple[Any, ...]:
        """All that canonical order looks at."""
        return (self.occurred_at, self.source_sequence, self.kind, self.subject, self.item, self.code, self.value,
                self.source_system, self.actor)

    def name(self) -> tuple[Any, ...]:
        """What it is found by to be retracted; feed.NAME."""
        return self.occurred_at, self.source_sequence, self.patient_id, self.kind

    def cells(self) -> list[Cell]:
        values = {**vars(self), "occurred_at": instant(self.occurred_at), "source_sequence": str(self.source_sequence),
                  "planned_at": None if self.planned_at is None else instant(self.planned_at)}
        return list(values.values())


COLUMNS = ("ref", *Event.__dataclass_fields__)


def instant(at: int) -> str:
    return (START + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def duration(length: int) -> str:
    return f"{length // SECOND} seconds"


class Hospital:
    """What one seed gives."""

    def __init__(self, name: str, size: int, is_beyond: bool, has_merges: bool, sends: bool):
        self.rng = rng = random.Random(f"hospital {name} of {size} events")
        # with what the oracle does not judge: events that are equal in everything, and events of no system
        self.is_beyond = is_beyond
        self.has_merges = has_merges  # of patients
        self.sends = sends  # some events in messages
        self.sent: dict[int, str] = {}  # the messages, by the places of their events
        self.patients = [f"P{n}" for n in range(max(rng.choice((2, 4, 9)), size // 60))]
        self.subjects = [f"s{n}" for n in range(rng.choice((2, 3, 12)))]
        self.span: int = rng.choice(SPANS)
        self.precisions = rng.choice(PRECISIONS)
        self.asking = rng.sample(ASKING, 3)
        self.answering = rng.sample(ANSWERING, 4)
        self.kinds = (*self.asking, *self.answering, *rng.sample(BILLED, 3), rng.choice(NOISY), TYPED)
        self.documents = [self.document("main", 1, "current", 5), self.document("side", 2, "current", 3),
                          self.document("main", 2, "future", 2), self.document("side", 1, "retired", 2)]
        self.current = self.documents[:2]
        self.events = self.invent(size)
        self.moments = self.ask()

    def some(self, values: Sequence[T], least: int, most: int) -> list[T]:
        return self.rng.sample(values, self.rng.randint(least, min(most, len(values))))

    def maybe(self, chance: float, values: Sequence[T]) -> T | None:
        return self.rng.choice(values) if self.rng.random() < chance else None

    # --- staff and maps -----------------------------------------------------------------------------------------

    def staff(self) -> list[list[Cell]]:
        """Of every sort: with a role everywhere, one in each facility or system, another later, gone, no person."""
        rng = self.rng
        then, later = instant(self.span // GRID // 3 * GRID), instant(self.span // GRID // 2 * GRID)

        def anyone(actor: str, when: str | None) -> list[Cell]:
            return [actor, rng.choice(ROLES), self.maybe(.3, FACILITIES), self.maybe(.3, SYSTEMS), "f", when]

        return [*(anyone(f"A{n}", None) for n in range(3)), anyone("A0", f'["{then}","{later}"]'),
                ["BOTH", "provider", "NORTH", None, "f", None], ["BOTH", "nurse", "SOUTH", "EHR", "f", None],
                ["BOTH", "clerk", "SOUTH", None, "f", None],
                ["TURNED", "nurse", None, None, "f", f'(,"{then}")'],
                ["TURNED", "provider", None, None, rng.choice("tf"), f'["{then}",)'],
                ["GONE", "provider", None, None, "f", rng.choice((f'(,"{later}")', f'(,"{later}"]', f'("{later}",)'))],
                ["INBOX", "provider", None, None, "t", None],
                ["LEFT INBOX", "nurse", None, None, "t", f'(,"{then}")'],
                ["LEFT INBOX", "nurse", None, None, "f", None], ["ROLELESS", None, None, None, "f", None]]

    def when(self) -> dict[str, Any]:
        """Conditions, or none."""
        rng = self.rng
        when: dict[str, Any] = {}
        if rng.random() < .3:
            when["severity"] = rng.choice((self.some((*SEVERITIES, "unknown"), 1, 3), "unknown", "critical"))
        if rng.random() < .15:
            when["code"] = rng.choice(("loinc|", "cpt|9921"))
        if rng.random() < .15:
            when["facility"] = rng.choice(("NORTH", ["SOUTH", ""]))
        if rng.random() < .15:
            when["entry_method"] = rng.choice(("manual", ["interface", "unknown"]))
        if rng.random() < .2:
            when["detail"] = {"class": rng.choice(("1", [1, "E"]))}
        return when

    def expectation(self, n: int) -> dict[str, Any]:
        rng = self.rng
        kinds = (*self.asking, *self.answering)
        stops = [rng.choice((kind, {"kind": kind, "correlated_by": rng.choice(CORRELATIONS)}))
                 for kind in self.some(kinds, 0, 2)]
        return {"name": f"rule {n}", "category": rng.choice(CATEGORIES), "correlated_by": rng.choice(CORRELATIONS),
                "after": self.some(self.asking if rng.random() < .7 else kinds, 1, 2),
                "expect": self.some(self.answering if rng.random() < .7 else kinds, 1, 2),
                "when": self.when(), "by": self.some(ROLES, 1, 2) if rng.random() < .3 else [], "cancelled_by": stops,
                "within": duration(rng.choice(WITHIN)), "early": duration(rng.choice(EARLY)),
                **({"escalate_to": "nurse"} if rng.random() < .3 else {})}

    def duplicate(self) -> dict[str, Any]:
        same, different = self.some(SAME[:4], 1, 2), self.some(SAME[4:], 0, 1)
        return {"kind": TYPED if self.rng.random() < .7 else self.rng.choice(self.kinds), "same": same,
                "different": different, "when": self.when() if self.rng.random() < .5 else {},
                "within": duration(self.rng.choice((*WITHIN, 2 * DAY, 9 * DAY)))}

    def billing(self, codes: str) -> dict[str, Any]:
        rng = self.rng
        return {"codes": codes, "documented_by": self.some(("procedure.documented", rng.choice(self.kinds)), 1, 1),
                "requires_authorization": rng.random() < .5, "requires_modifiers": self.some(("25", "59"), 0, 2),
                "within": duration(rng.choice(WITHIN))}

    def document(self, name: str, version: int, state: str, rules: int) -> dict[str, Any]:
        rng = self.rng
        kinds = self.some(self.kinds, 2, 4)
        steps: list[dict[str, Any]] = [{"step": f"step {n}", "kind": kind} for n, kind in enumerate(kinds)]
        for step in steps:
            if rng.random() < .7:
                step["delivered_to"] = self.some(ROLES, 1, 2)
            if rng.random() < .3:
                step["performed_by"] = self.some(ROLES, 1, 2)
            if rng.random() < .3:
                step["required_fields"] = self.some(REQUIRED, 1, 2)
        return {"workflow": name, "version": version, "state": state, "steps": steps,
                "transitions": [[a["step"], b["step"]] for a, b in zip(steps, steps[1:])],
                "expectations": [self.expectation(n) for n in range(rng.randint(2, rules))],
                "duplicates": distinct(self.duplicate() for _ in range(rng.randint(1, 2))),
                "billing": [self.billing(codes) for codes in self.some(("cpt|", "cpt|9921", "cpt|7055"), 0, 2)],
                **({"flows": inbound.FLOWS} if self.sends and name == "main" else {})}

    # --- events -------------------------------------------------------------------------------------------------

    def invent(self, size: int) -> list[Event]:
        """Events of which none are equal in canonical order, unless they are equal in everything."""
        rng = self.rng
        events: list[Event] = []
        taken: set[tuple[Any, ...]] = set()
        while len(events) < size:
            if events and self.is_beyond and rng.random() < .03:
                alike = rng.randrange(len(events))
                if alike not in self.sent:  # what a message tells again is no other event
                    events.append(events[alike])
                    continue
            event = self.answer(rng.choice(events)) if events and rng.random() < .45 else self.event()
            is_sent = self.sends and rng.random() < SENT and self.can_be_sent(event)
            event = self.as_sent(event) if is_sent else event
            while event.order() in taken:
                event = replace(event, source_sequence=event.source_sequence + 1)
            taken.add(event.order())
            if is_sent:
                self.sent[len(events)] = self.message(event, len(events))
            events.append(event)
        return events

    def moment(self) -> int:
        return self.rng.randrange(self.span // GRID) * GRID + self.rng.choice((0,) * 10 + (-1, 1))

    def event(self) -> Event:
        """Any event, or a merge."""
        rng = self.rng
        patient = rng.choice(self.patients)
        actor, actor_role, recipient, recipient_role = self.people()
        event = Event(self.moment(), rng.choice((0, 0, 0, 1)), rng.choice(self.precisions), None, self.facility(),
                      patient, self.encounter(patient), rng.choice(self.kinds), self.maybe(.8, self.subjects),
                      self.maybe(.5, ITEMS), self.maybe(.6, CODES), self.maybe(.7, VALUES), self.maybe(.7, SEVERITIES),
                      actor, actor_role, recipient, recipient_role, self.maybe(.9 if self.is_beyond else 1, SYSTEMS),
                      self.maybe(.9, METHODS), None)
        if rng.random() < .15:
            event = replace(event, planned_at=event.occurred_at + rng.choice((-6, 1, 6, 24, 200)) * GRID)
        draw = rng.random()
        if draw < .025 and self.has_merges:
            # with a neighbour, lest all become one; also with the same id, and one that nothing else is recorded of
            at = self.patients.index(patient) // NEIGHBOURS * NEIGHBOURS
            other = rng.choice((*self.patients[at:at + NEIGHBOURS] * 2, patient, *3 * (f"{self.patients[at]}-new",)))
            return replace(event, kind="patient.merged", subject=self.maybe(.9, (other,)), time_precision="second")
        if .025 <= draw < .05:
            other = rng.choice((f"{patient}-1", f"{patient}-2", "V"))
            return replace(event, kind="encounter.merged", subject=self.maybe(.9, (other,)))
        return replace(event, detail=self.detail(event.kind))

    def facility(self) -> str:
        return self.rng.choice((*FACILITIES, *FACILITIES, ""))

    def encounter(self, patient: str) -> str | None:
        return self.maybe(.85, (f"{patient}-1", f"{patient}-1", f"{patient}-2", "V"))

    def people(self) -> list[str | None]:
        """An actor and a recipient, with roles that are stated or left to be looked up."""
        actor, recipient = self.maybe(.8, PEOPLE), self.maybe(.7, PEOPLE)
        return [actor, actor and self.maybe(.2, ROLES), recipient, recipient and self.maybe(.2, ROLES)]

    def detail(self, kind: str) -> str | None:
        if self.rng.random() < .3:
            return None
        detail: dict[str, Any] = {"class": self.rng.choice((1, "1", "E"))}
        if kind == "charge.captured":
            detail |= {"modifiers": self.some(("25", "59", "76"), 0, 3),
                       "diagnoses": self.some(("icd10cm|E11.9", "icd10cm|I10"), 0, 2)}
            if self.rng.random() < .4:
                detail["authorization"] = self.rng.choice(("A1", ""))
        return json.dumps(detail)

    def answer(self, to: Event) -> Event:
        """An event that a rule ties to another: at an end of its time, or a microsecond to either side."""
        rng = self.rng
        if to.kind.endswith(".merged"):
            return self.event()
        precision = rng.choice(self.precisions)
        last = 1 - UNITS.get(precision, 1)  # so early that it ends when the other was
        ties: list[tuple[int, str]] = [(0, rng.choice(self.kinds))]
        for document in self.current:
            for rule in document["expectations"]:
                if to.kind in rule["after"]:
                    within, early = seconds(rule["within"]), seconds(rule["early"])
                    planned = max((to.planned_at or to.occurred_at) - to.occurred_at, 0)
                    kinds = [*rule["expect"], *(x if isinstance(x, str) else x["kind"] for x in rule["cancelled_by"])]
                    ties += [(tie, kind) for kind in kinds for tie in (within + planned, 0, last, last - early, GRID)]
            ties += 3 * [(seconds(rule["within"]), to.kind) for rule in document["duplicates"]
                         if to.kind == rule["kind"]]
            ties += [(seconds(rule["within"]), "charge.captured") for rule in document["billing"]
                     if to.kind in rule["documented_by"]]
        tie, kind = rng.choice(ties)
        # what is not drawn anew is equal
        changes = {"item": self.maybe(.5, ITEMS), "code": self.maybe(.7, CODES), "source_system": rng.choice(SYSTEMS),
                   "encounter_id": self.encounter(to.patient_id), "severity": self.maybe(.7, SEVERITIES)}
        changed = {column: value for column, value in changes.items() if rng.random() < .25}
        actor, actor_role, recipient, recipient_role = self.people()
        return replace(to, occurred_at=to.occurred_at + tie + rng.choice((0, 0, 0, -1, 1)), time_precision=precision,
                       planned_at=None, kind=kind, actor=actor, actor_role=actor_role, recipient=recipient,
                       recipient_role=recipient_role, detail=self.detail(kind), **changed)

    # --- messages -----------------------------------------------------------------------------------------------

    @staticmethod
    def can_be_sent(event: Event) -> bool:
        """Has it all that a message must tell?"""
        has_visit = event.encounter_id is not None or not event.kind.startswith(("encounter.", "charge."))
        return has_visit and event.source_system is not None and not event.kind.endswith(".merged")

    @staticmethod
    def as_sent(event: Event) -> Event:
        """The event as a message can tell it."""
        kept = json.loads(event.detail or "{}").get("class")
        exact = event.time_precision not in WRITTEN or event.occurred_at % UNITS.get(event.time_precision, 1)
        return replace(event, entry_method="interface", detail=kept and json.dumps({"class": str(kept)}),
                       time_precision="second" if exact else event.time_precision)

    @staticmethod
    def message(event: Event, n: int) -> str:
        """The message that tells of the event, with a control id of this number."""
        def at(time: int | None, precision: str = "second") -> str:
            return "" if time is None else (START + timedelta(microseconds=time)).strftime(WRITTEN[precision])
        fields = {**vars(event), "occurred_at": at(event.occurred_at, event.time_precision),
                  "planned_at": at(event.planned_at), "source_sequence": str(event.source_sequence),
                  "code": inbound.code(event.code), "class": json.loads(event.detail or "{}").get("class")}
        return (inbound.header(str(event.source_system), event.facility, f"C{n}")
                + inbound.patient(event.patient_id, event.encounter_id)
                + inbound.event([fields[name] for name in inbound.FIELDS]))

    def messages(self, kept: Sequence[int]) -> list[list[Cell]]:
        """Those of events, by their refs, and others; of events that are kept some come twice."""
        again = [self.sent[n] for n in self.some([n for n in self.sent if n in kept], 0, 4)]
        others = inbound.others(self.rng, list(self.sent.values()), SYSTEMS, "NORTH")
        return [*([f"e{n}", None, body] for n, body in self.sent.items()), *([None, None, body] for body in again),
                *([None, when or None, body] for when, body in others)]

    def calls_off(self, gone: Sequence[int]) -> list[list[Cell]]:
        """Messages that call off some of the events that are retracted, one for each visit; what else is to be retracted by hand.

        An event can be where its time and kind tell it from all others, whoever is one patient.
        """
        alike = Counter((event.occurred_at, event.kind) for event in self.events)
        visits: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
        for n in gone:
            event = self.events[n]
            is_told = event.encounter_id if event.kind.startswith("encounter.") else event.subject
            if (alike[event.occurred_at, event.kind] == 1 and is_told is not None and event.source_system is not None
                    and self.rng.random() < .6):
                visits[event.source_system, event.facility, event.patient_id, event.encounter_id].append(n)
        return [[" ".join(f"e{n}" for n in numbers), inbound.CALLS_OFF,
                 inbound.header(str(system), str(facility), f"X{numbers[0]}", inbound.CALLS_OFF)
                 + inbound.patient(str(patient), encounter) + "".join(
                     inbound.cancellation(event.kind, (START + timedelta(microseconds=event.occurred_at)).strftime(WRITTEN["second"]),
                                          event.subject) for event in map(self.events.__getitem__, numbers))]
                for (system, facility, patient, encounter), numbers in visits.items()]

    def names(self, aliases: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
        """Messages that tell of some aliases, by the number of each."""
        return [[str(n), inbound.NAMES, inbound.header(self.rng.choice(SYSTEMS), self.facility(), f"L{n}", inbound.NAMES)
                 + inbound.patient(str(patient), None) + inbound.alias(str(other), str(subject))]
                for n, (patient, other, subject) in enumerate(aliases) if self.rng.random() < .5]

    # --- the folder ---------------------------------------------------------------------------------------------

    def arrivals(self) -> list[list[Cell]]:
        """The events in some order, each retraction somewhere after its event; merges are taken back most often."""
        rng = self.rng
        alike = Counter(event.name() for event in self.events)
        lines: list[tuple[float, list[Cell]]] = []
        for n, event in enumerate(self.events):
            at = rng.random()
            lines.append((at, [f"e{n}", *event.cells()]))
            chance = .4 if event.kind.endswith(".merged") else .06
            if alike[event.name()] == 1 and rng.random() < chance:
                lines.append((rng.uniform(at, 1), [RETRACT, f"e{n}", *[None] * (len(COLUMNS) - 2)]))
        return [line for _, line in sorted(lines, key=lambda pair: pair[0])]

    def aliases(self) -> list[list[Cell]]:
        """Other names of subjects, some of which are names of others in turn."""
        pairs = {(self.rng.choice(self.patients), *self.some(self.subjects, 2, 2))
                 for _ in range(self.rng.choice((0, 2, 4)))}
        return [list(pair) for pair in sorted(pairs)]

    def ask(self) -> list[str]:
        """When reports are asked about: where something falls due, and as something happens."""
        rng = self.rng
        dues = [max(event.planned_at or event.occurred_at, event.occurred_at) + seconds(rule["within"])
                for document in self.current for rule in document["expectations"] for event in self.events
                if event.kind in rule["after"]]
        middle = sorted(event.occurred_at for event in self.events)[len(self.events) // 2]
        return [instant(rng.choice(dues or [self.span])), instant(middle)]

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        tests = self.some(self.patients, 0, 1) if self.rng.random() < .3 and len(self.patients) > 2 else []
        arrivals, aliases = self.arrivals(), self.aliases()
        write(folder / "events.csv", COLUMNS, arrivals)
        if self.sends:
            gone = {row[1] for row in arrivals if row[0] == RETRACT}
            kept, retracted = ([n for n in range(len(self.events)) if (f"e{n}" in gone) == is_gone] for is_gone in (False, True))
            write(folder / "messages.csv", ("ref", "when", "body"),
                  [*self.messages(kept), *self.calls_off(retracted), *self.names(aliases)])
        write(folder / "staff.csv", ("actor", "role", "facility", "system", "is_shared_inbox", "active_during"),
              self.staff())
        write(folder / "subject_alias.csv", ("patient_id", "alias", "subject"), aliases)
        write(folder / "test_patient.csv", ("patient_id",), [[test] for test in tests])
        (folder / "workflow.json").write_text("".join(json.dumps(d) + "\n" for d in self.documents), encoding="utf-8")


def seconds(text: str) -> int:
    """What duration() wrote."""
    return int(text.split()[0]) * SECOND


def write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    path.write_text(table.line(columns) + "".join(map(table.line, rows)), encoding="utf-8")
