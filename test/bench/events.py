#!/usr/bin/env python3
"""A year of a hospital group, made up: the same arguments give the same bytes.

Prints events in order of time, as COPY reads them (text format, the columns of COLUMNS), or the staff directory.
An encounter has about 60 events; results, follow-ups and the rest are mostly answered in time.
How many results are never acknowledged and how many follow-ups are missed does not grow with the number of events.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from datetime import datetime, timezone
from typing import Iterator

COLUMNS = (
    "occurred_at,time_precision,planned_at,facility,patient_id,encounter_id,kind,subject,item,code,value,severity,"
    "actor,actor_role,recipient,recipient_role,source_system,entry_method,detail"
)
EVENTS_PER_ENCOUNTER = 64.5
ENCOUNTERS_PER_PATIENT = 1.04
QUIET_DAYS = 10  # at the end: no new encounters, so that what is open is what was left open
OPEN_DAYS = 60  # before that: results are left unacknowledged
RESULTS_PER_ENCOUNTER = 7.6
FOLLOW_UPS_PER_ENCOUNTER = 2.6
FACILITIES = ("NORTH", "SOUTH", "EAST", "WEST", "HARBOR")
STAFF = (  # role, system, people a facility
    ("provider", "EHR", 14), ("covering_provider", "EHR", 4), ("triage_nurse", "EHR", 6), ("nurse", "EHR", 16),
    ("charge_nurse", "EHR", 3), ("front_desk", "PMS", 6), ("lab_tech", "LIS", 6), ("coordinator", "EHR", 2),
    ("coder", "BILL", 3),
)  # fmt: skip
TESTS = ("loinc|58410-2", "loinc|718-7", "loinc|1988-5", "loinc|24321-2", "loinc|4548-4", "loinc|3016-3",
         "loinc|2524-7", "loinc|24331-1", "loinc|2345-7", "cpt|71046")  # fmt: skip
DIAGNOSES = ("icd10cm|I10", "icd10cm|E11.9", "icd10cm|J45.909", "icd10cm|S93.401A", "icd10cm|N39.0")
PROCEDURES = ("cpt|99213", "cpt|99214", "cpt|20610", "cpt|70553", "cpt|93000", "cpt|36415")
DRUGS = ("rxnorm|860975", "rxnorm|617312", "rxnorm|197361")
FORMS = ("medication_list", "allergies", "weight", "address", "insurance", "phone", "pharmacy")
MINUTE, HOUR, DAY = 60, 3600, 86400


def people(facility: str, role: str, count: int) -> list[str]:
    return [f"{facility[0]}{role[:3].upper()}{role[-3:].upper()}{n:03}" for n in range(count)]


def staff() -> Iterator[str]:
    """Rows of staff as text: actor, role, facility, system, is_shared_inbox, active_during."""
    for facility in FACILITIES:
        for role, system, count in STAFF:
            for n, actor in enumerate(people(facility, role, count)):
                # One in four rows has bounds, which hold for the whole year; one has left long ago.
                active = "[2019-01-01,)" if n % 4 == 0 else "\\N"
                if role == "provider" and n == count - 1:
                    active = "[2015-01-01,2020-01-01)"
                yield f"{actor}\t{role}\t{facility}\t{system}\tf\t{active}"
        yield f"{facility}-INBOX\tprovider\t{facility}\tEHR\tt\t\\N"
    for n in range(5):  # nurses who also cover elsewhere
        yield f"{people('NORTH', 'nurse', 5)[n]}\tcharge_nurse\tSOUTH\tEHR\tf\t\\N"


class Feed:
    """Encounters that follow each other, as events in order of time."""

    def __init__(self, events: int, end: int, days: int, missed: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.end = end
        self.first_day = end - days * DAY
        self.days = days - QUIET_DAYS
        self.encounters = round(events / EVENTS_PER_ENCOUNTER)
        self.patients = max(1, round(self.encounters / ENCOUNTERS_PER_PATIENT))
        missed = min(missed, events // 250)
        results = self.encounters * RESULTS_PER_ENCOUNTER
        self.unacknowledged = missed / (results * OPEN_DAYS / self.days)
        self.missed = missed / (self.encounters * FOLLOW_UPS_PER_ENCOUNTER)
        self.people = {f: {role: people(f, role, count) for role, _, count in STAFF} for f in FACILITIES}
        self.pending: list[tuple[int, int, str]] = []
        self.made = 0
        self.subjects = 0
        self.last_order = "ORD0"

    def lines(self) -> Iterator[str]:
        done = 0
        for day in range(self.days):
            midnight = self.first_day + day * DAY
            wanted = self.encounters * (day + 1) // self.days
            starts = sorted(midnight + int(self.random.triangular(5, 23, 10) * HOUR) for _ in range(done, wanted))
            for start in starts:
                while self.pending and self.pending[0][0] < start:
                    yield heapq.heappop(self.pending)[2]
                Visit(self, start, done).happen()
                done += 1
        while self.pending:
            yield heapq.heappop(self.pending)[2]

    def instant(self, at: int) -> str:
        return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S+00")


class Visit:
    """One encounter: what happens in it and because of it."""

    def __init__(self, feed: Feed, start: int, number: int) -> None:
        self.feed = feed
        self.random = feed.random
        self.start = start
        self.patient = f"P{number * 7919 % feed.patients:07}"  # one or two visits each
        self.encounter = f"V{number:08}"
        self.facility = FACILITIES[self.random.randrange(len(FACILITIES))]
        self.staff = feed.people[self.facility]
        self.provider = self.pick("provider")
        self.inpatient = self.random.random() < 0.2
        self.end = start + self.between(2 * HOUR, 6 * HOUR)
        if self.inpatient:
            self.end = start + self.between(1 * DAY, 5 * DAY)

    # --- small things ---

    def pick(self, role: str) -> str:
        members = self.staff[role]
        # The last provider has left, and a result goes to them or to the inbox now and then.
        return members[self.random.randrange(len(members) - (role == "provider"))]

    def between(self, low: int, high: int) -> int:
        return low + int(self.random.random() * (high - low))

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def subject(self, prefix: str) -> str:
        self.feed.subjects += 1
        return f"{prefix}{self.feed.subjects:09}"

    def event(self, at: int, kind: str, actor: str = "\\N", system: str = "EHR", *, manual: bool = True,
              subject: str = "\\N", item: str = "\\N", code: str = "\\N", value: str = "\\N", severity: str = "\\N",
              role: str = "\\N", recipient: str = "\\N", precision: str = "second", planned: str = "\\N",
              detail: str = "\\N") -> None:  # fmt: skip
        """Adds an event, unless it lies after the end of time; a person's own system states the role half of the time."""
        feed = self.feed
        if at >= feed.end:
            return
        stated = role if manual and self.random.random() < 0.5 else "\\N"
        feed.made += 1
        heapq.heappush(feed.pending, (at, feed.made, "\t".join((
            feed.instant(at), precision, planned, self.facility, self.patient, self.encounter, kind, subject, item, code,
            value, severity, actor, stated, recipient, "\\N", system, "manual" if manual else "interface", detail))))  # fmt: skip

    # --- what happens ---

    def happen(self) -> None:
        other = self.feed.last_order
        self.arrive()
        for _ in range(self.between(4, 11) + (self.between(0, 7) if self.inpatient else 0)):
            self.order(self.start + self.between(HOUR // 2, self.end - self.start))
        self.treat()
        if self.inpatient:
            self.stay()
        self.bill()
        if self.chance(0.23):
            self.refer()
        if self.chance(0.02):
            self.stray(other)
        self.leave()

    def arrive(self) -> None:
        at = self.start
        clerk = self.pick("front_desk")
        nurse = self.pick("triage_nurse")
        detail = '{"patient_class": "%s", "unit": "CLINIC"}' % ("E" if self.inpatient else "O")
        self.event(at, "encounter.registered", clerk, "PMS", manual=False, detail=detail)
        self.event(at + 2 * MINUTE, "eligibility.verified", clerk, "PMS", role="front_desk")
        for form in self.random.sample(FORMS, 3 + self.random.randrange(2)):
            code, value = f"local:FORM|{form}", f"{form} {self.random.randrange(100000)}"
            typed = at + self.between(3 * MINUTE, 20 * MINUTE)
            self.event(typed, "data.entered", clerk, "PMS", role="front_desk", code=code, value=value)
            if self.chance(0.25):
                self.event(typed + self.between(MINUTE, 3 * HOUR), "data.entered", nurse, role="triage_nurse",
                           code=code, value=value)  # fmt: skip
        at += self.between(10 * MINUTE, 40 * MINUTE)
        self.event(at, "intake.completed", nurse, role="triage_nurse")
        self.event(at + MINUTE, "vitals.recorded", nurse, role="triage_nurse", precision="minute")
        if self.chance(0.4):
            self.event(at + 2 * MINUTE, "history.recorded", nurse, role="triage_nurse")
        if self.chance(0.6):
            self.event(at + 9 * MINUTE, "patient.updated", clerk, "PMS", manual=False)
        if self.chance(0.15):
            self.event(at + 3 * MINUTE, "consent.signed", clerk, "PMS", role="front_desk")

    def order(self, at: int) -> None:
        subject = self.feed.last_order = self.subject("ORD")
        code = TESTS[self.random.randrange(len(TESTS))]
        self.event(at, "order.placed", self.provider, manual=False, subject=subject, code=code)
        if self.chance(0.06):
            kind = "order.cancelled" if self.chance(0.8) else "order.replaced"
            self.event(at + self.between(MINUTE, HOUR), kind, self.provider, manual=False, subject=subject, code=code)
            return
        if self.chance(0.01):
            return  # and nothing came of it
        tech = self.pick("lab_tech")
        if self.chance(0.05):
            self.event(at + 5 * MINUTE, "order.accepted", tech, "LIS", manual=False, subject=subject, code=code)
        if self.chance(0.4):
            self.event(at + self.between(5 * MINUTE, HOUR), "specimen.collected", self.pick("nurse"), role="nurse",
                       subject=subject)  # fmt: skip
        at += self.between(HOUR, 8 * HOUR) if self.chance(0.98) else self.between(DAY, 5 * DAY)
        for _ in range(2 if self.chance(0.1) else 1):
            self.result(at, subject, code, tech)

    def result(self, at: int, subject: str, code: str, tech: str) -> None:
        item = self.subject("FIL")
        severity = self.random.choices(("normal", "abnormal", "critical", "\\N"), (60, 22, 4, 14))[0]
        recipient = self.provider
        if self.chance(0.03):
            recipient = self.random.choice((self.staff["provider"][-1], f"{self.facility}-INBOX", self.pick("nurse"), "\\N"))
        common = {"manual": False, "subject": subject, "item": item, "code": code, "recipient": recipient}
        if self.chance(0.28):
            self.event(at - 20 * MINUTE, "result.preliminary", tech, "LIS", value="pending", severity=severity, **common)
        value = f"{self.random.randrange(2000) / 10}"
        self.event(at, "result.final", tech, "LIS", value=value, severity=severity, **common)
        corrected = self.chance(0.03)
        if corrected:
            at += self.between(MINUTE, 9 * HOUR)
            kind = "result.corrected" if self.chance(0.8) else "result.cancelled"
            self.event(at, kind, tech, "LIS", value=value, severity=severity, **common)
        self.answer(at, severity, corrected, {"subject": subject, "item": item})

    def answer(self, at: int, severity: str, corrected: bool, about: dict[str, str]) -> None:
        """What people do about a result."""
        limit = {"critical": HOUR, "abnormal": 3 * DAY}.get(severity, 14 * DAY)
        by = self.provider if self.chance(0.9) else self.pick("covering_provider")
        role = "provider" if by == self.provider else "covering_provider"
        if self.chance(0.3):
            self.event(at + self.between(MINUTE, 30 * MINUTE), "result.viewed", by, subject=about["subject"], role=role)
        last = self.feed.end - (QUIET_DAYS + OPEN_DAYS) * DAY
        if at < last or not self.chance(self.feed.unacknowledged):
            seen = at + self.between(5 * MINUTE, min(limit, 12 * HOUR))
            late = at + limit + self.between(HOUR, 3 * DAY)
            if self.chance(0.04) and late < self.feed.end:
                seen = late
            elif not corrected and self.chance(0.02):
                seen = at - self.between(10, 100)  # the clocks differ
            self.event(min(seen, self.feed.end - 1), "result.acknowledged", by, role=role, **about)
            if self.chance(0.15):
                self.event(seen + 5 * MINUTE, "result.acted_on", by, subject=about["subject"], role=role)
        if severity in ("abnormal", "critical"):
            self.follow_up(at, 7 * DAY, 2 * DAY, "patient.notified", self.pick("nurse"), "nurse", about)

    def follow_up(self, at: int, limit: int, usual: int, kind: str, actor: str, role: str, about: dict[str, str]) -> int:
        """An answer that has a limit and is mostly there in its usual time; of the missed ones half come late."""
        answered = min(at + self.between(HOUR, usual), self.feed.end - 1)
        if self.chance(self.feed.missed):
            late = at + limit + self.between(HOUR, 3 * DAY)
            answered = late if self.chance(0.5) and late < self.feed.end else self.feed.end
        self.event(answered, kind, actor, role=role, **about)
        return answered

    def treat(self) -> None:
        at = self.start + self.between(HOUR, 2 * HOUR)
        for _ in range(1 + self.random.randrange(2)):
            self.event(at + self.between(0, HOUR), "note.signed", self.provider, manual=False, subject=self.subject("DOC"))
        for code in self.random.sample(DIAGNOSES, 1 + self.random.randrange(3)):
            self.event(at + self.between(0, HOUR), "diagnosis.documented", self.provider, role="provider", code=code)
        for _ in range(1 + self.random.randrange(2)):
            if self.chance(0.7):
                self.event(at + self.between(0, HOUR), "prescription.sent", self.provider, manual=False,
                           subject=self.subject("RX"), code=DRUGS[self.random.randrange(len(DRUGS))])  # fmt: skip
        if self.chance(0.8):
            subject = self.subject("AL")
            fired = at + self.between(0, HOUR)
            self.event(fired, "alert.fired", manual=False, subject=subject, code="local:ALERT|DDI", recipient=self.provider)
            if self.chance(0.6):
                self.event(fired + 40, "alert.overridden", self.provider, role="provider", subject=subject)
        if self.chance(0.8):
            self.event(at + 50, "screen.used", self.provider, role="provider", code="local:SCREEN|orders")

    def stay(self) -> None:
        at = self.start + self.between(3 * HOUR, 5 * HOUR)
        nurse = self.pick("nurse")
        detail = '{"patient_class": "I", "unit": "WARD"}'
        self.event(at, "encounter.admitted", nurse, manual=False, detail=detail)
        self.event(at + 2 * HOUR, "encounter.transferred", nurse, manual=False, detail=detail.replace("WARD", "ICU"))
        while at < self.end:
            self.event(at + self.between(0, 4 * HOUR), "medication.administered", nurse, role="nurse", code=DRUGS[2])
            taker = self.pick("nurse")
            subject = self.subject("HO")
            self.event(at, "handoff.offered", nurse, role="nurse", subject=subject, recipient=taker)
            kind = "handoff.accepted" if self.chance(0.95) else "handoff.rejected"
            taken = at + (self.between(MINUTE, 25 * MINUTE) if self.chance(0.93) else self.between(HOUR, 3 * HOUR))
            self.event(taken, kind, taker, role="nurse", subject=subject)
            nurse = taker
            at += 8 * HOUR

    def bill(self) -> None:
        at = self.start + self.between(HOUR, 2 * HOUR)
        coder = self.pick("coder")
        charges = self.random.sample(PROCEDURES, 1 + self.random.randrange(2))
        captured = at
        for code in charges:
            self.event(at, "procedure.documented", self.provider, role="provider", code=code)
            captured = at + (self.between(HOUR, 20 * HOUR) if self.chance(0.95) else self.between(DAY, 4 * DAY))
            self.event(captured, "charge.captured", coder, "BILL", manual=False, subject=self.subject("CHG"), code=code,
                       detail='{"modifiers": ["25"], "diagnoses": ["icd10cm|I10"], "service_at": "%s"}'
                       % self.feed.instant(at)[:10])  # fmt: skip
        if self.chance(0.85):
            claim = self.subject("CLM")
            sent = captured + self.between(DAY, 2 * DAY)
            self.event(sent, "claim.submitted", coder, "BILL", manual=False, subject=claim)
            if self.chance(0.95):
                kind = "claim.accepted" if self.chance(0.9) else "claim.denied"
                self.event(sent + self.between(DAY, 8 * DAY), kind, system="BILL", manual=False, subject=claim)
                if self.chance(0.5):
                    self.event(sent + self.between(9 * DAY, 25 * DAY), "claim.paid", system="BILL", manual=False, subject=claim)

    def refer(self) -> None:
        about = {"subject": self.subject("REF")}
        at = self.start + self.between(HOUR, 2 * HOUR)
        coordinator = self.pick("coordinator")
        self.event(at, "referral.sent", self.provider, manual=False, recipient=coordinator, **about)
        self.follow_up(at, 3 * DAY, 2 * DAY, "referral.accepted", coordinator, "coordinator", about)
        seen = self.follow_up(at, 30 * DAY, 20 * DAY, "referral.seen", self.provider, "provider", about)
        if seen < self.feed.end - 1:
            self.follow_up(seen, 7 * DAY, 5 * DAY, "referral.report_returned", self.provider, "provider", about)

    def stray(self, other: str) -> None:
        """A result of another patient's order, or of none."""
        at = self.start + self.between(HOUR, 2 * HOUR)
        subject = other if self.chance(0.5) else self.subject("LOST")
        about = {"subject": subject, "item": self.subject("FIL")}
        self.event(at, "result.final", self.pick("lab_tech"), "LIS", manual=False, code=TESTS[0], value="1",
                   severity="normal", recipient=self.provider, **about)  # fmt: skip
        self.answer(at, "normal", False, about)

    def leave(self) -> None:
        detail = '{"patient_class": "%s", "unit": "WARD", "disposition": "01"}' % ("I" if self.inpatient else "O")
        self.event(self.end, "encounter.discharged", self.pick("nurse"), "PMS", manual=False, detail=detail)
        if self.inpatient:
            self.follow_up(self.end, 7 * DAY, 6 * DAY, "followup.completed", self.pick("nurse"), "nurse", {})
        elif self.chance(0.5):
            subject = self.subject("APT")
            due = self.end + self.between(2 * DAY, 30 * DAY)
            clerk = self.pick("front_desk")
            self.event(self.end, "appointment.booked", clerk, "PMS", manual=False, subject=subject, planned=self.feed.instant(due))
            self.event(due - 9 * MINUTE, "appointment.arrived", clerk, "PMS", role="front_desk", subject=subject)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("events", "columns", "staff"))
    parser.add_argument("--events", type=int, default=500000, help="about how many (%(default)s)")
    parser.add_argument("--end", type=datetime.fromisoformat, help="the end of the year, with an offset: 2026-01-01T00:00+00:00")
    parser.add_argument("--days", type=int, default=365, help="how many days before it (%(default)s)")
    parser.add_argument("--missed", type=int, default=2000,
                        help="results left unacknowledged, and follow-ups late or missing (%(default)s, or 0.4 %% of events)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.what == "columns":
        print(COLUMNS)
    elif arguments.what == "staff":
        sys.stdout.writelines(line + "\n" for line in staff())
    else:
        if arguments.end is None:
            parser.error("events need --end")
        end = int(arguments.end.timestamp())
        feed = Feed(arguments.events, end, arguments.days, arguments.missed, arguments.seed)
        sys.stdout.writelines(line + "\n" for line in feed.lines())


if __name__ == "__main__":
    main()
