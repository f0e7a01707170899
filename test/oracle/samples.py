"""Messages of many systems and types: each is kept as it came and answered, and gives the events of its type.

What a file is to give is read from the file itself, by the table of types in RULES.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import psql
import table
from hl7 import Message, Segment
from messages import copy, ingest_into

Condition = Callable[[Message, Segment], bool]


def visit(message: Message) -> str:
    return message.first("PV1", 19, 1) or message.first("PID", 18, 1)


def always(message: Message, segment: Segment) -> bool:
    return True


def died(message: Message, _: Segment) -> bool:
    return message.first("PID", 30) == "Y"


def given(_: Message, rxa: Segment) -> bool:
    """Neither refused nor not administered, nor deleted, nor the code for none."""
    return rxa(20) not in ("RE", "NA") and rxa(21) != "D" and rxa(5, 1) != "998"


@dataclass(frozen=True)
class Rule:
    """What messages of some types give: one event, or one of each segment of a name, if something holds."""

    types: str
    kind: str
    segment: str = "MSH"
    when: Condition = always
    needs_visit: bool = False


def encounter(types: str, kind: str, segment: str = "MSH") -> Rule:
    return Rule(types, f"encounter.{kind}", segment, needs_visit=True)


RULES = (
    encounter("ADT^A01 ADT^A06", "admitted"),
    encounter("ADT^A02", "transferred"),
    encounter("ADT^A03", "discharged"),
    encounter("ADT^A04", "registered"),
    encounter("ADT^A05", "preadmitted"),
    Rule("ADT^A01 ADT^A02 ADT^A03 ADT^A04 ADT^A05 ADT^A06 ADT^A08 ADT^A31", "patient.died", when=died),
    Rule("ADT^A28", "patient.registered"),
    Rule("ADT^A08 ADT^A31", "patient.updated"),
    Rule("ADT^A18 ADT^A34 ADT^A36 ADT^A40", "patient.merged", "MRG"),
    Rule("ADT^A24", "patient.merged"),
    encounter("ADT^A42 ADT^A50", "merged", "MRG"),
    Rule("ADT^A43 ADT^A45 ADT^A47", "patient.updated", "MRG"),
    Rule("SIU^S12", "appointment.booked"),
    Rule("SIU^S13", "appointment.rescheduled"),
    Rule("SIU^S14", "appointment.modified"),
    Rule("SIU^S15 SIU^S17", "appointment.cancelled"),
    Rule("SIU^S26", "appointment.no_show"),
    Rule("MDM^T01 MDM^T02 MDM^T05 MDM^T06 MDM^T09 MDM^T10", "note.signed", "TXA",
         lambda _, txa: txa(17) in ("AU", "LA")),
    Rule("DFT^P03 DFT^P11", "charge.captured", "FT1", lambda _, ft1: ft1(6) == "CG", needs_visit=True),
    Rule("BAR^P01 BAR^P12 DFT^P03 DFT^P11", "diagnosis.documented", "DG1"),
    Rule("BAR^P01 BAR^P12 DFT^P03 DFT^P11", "procedure.documented", "PR1"),
    Rule("BAR^P01", "account.opened"),
    Rule("REF^I12", "referral.sent"),
    Rule("REF^I14", "referral.cancelled"),
    Rule("RDE^O11 RDE^O25", "prescription.sent", "RXE"),
    Rule("RDS^O13", "medication.dispensed", "RXD"),
    Rule("RAS^O17", "medication.administered", "RXA", given),
    Rule("VXU^V04", "immunization.administered", "RXA", given),
)
ORDERS, RESULTS = ("ORM", "OMG", "OML"), ("ORU", "OUL")
ORDER_KINDS = {"NW": "order.placed", "RO": "order.placed", "OK": "order.accepted", "XO": "order.modified",
               "RP": "order.replaced", "CA": "order.cancelled", "OC": "order.cancelled", "DC": "order.cancelled"}
RESULT_KINDS = {"P": "result.preliminary", "A": "result.preliminary", "R": "result.preliminary", "F": "result.final",
                "C": "result.corrected", "X": "result.cancelled", "I": "specimen.received", "O": "order.accepted"}
CANCELLATIONS = ("ADT^A11", "ADT^A12", "ADT^A13", "ADT^A37", "ADT^A38")
ANSWERS = ("ACK", "ORB", "ORD", "ORG", "ORL")

# Those of these types that give no event, and why that is right.
NOTHING: dict[str, tuple[Callable[[Message], bool], str]] = {
    "no number of a visit": (lambda m: not visit(m), """
        balneario/conformance/adt_a01_v23 balneario/conformance/adt_a01_v24 balneario/conformance/adt_a01_v26
        balneario/conformance/adt_a01_v27 balneario/conformance/adt_a01_v27_extended
        balneario/conformance/adt_a01_v28 balneario/conformance/adt_a04 balneario/conformance/adt_a06
        balneario/conformance/adt_a12 balneario/conformance/adt_a38 balneario/conformance/adt_a50
        balneario/conformance/dft_p03 balneario/conformance/dft_p11"""),
    "calls off what came before": (lambda m: m.type in CANCELLATIONS, """
        balneario/conformance/adt_a37 fhir-converter/ADT-A11-01 fhir-converter/ADT-A11-02
        fhir-converter/ADT-A13-01 fhir-converter/ADT-A13-02"""),
    "an answer": (lambda m: m.first("MSH", 9, 1) in ANSWERS and bool(m.first("MSA", 2)), """
        balneario/conformance/ack balneario/conformance/orb_o28 balneario/conformance/ord_o04
        balneario/conformance/org_o20 balneario/conformance/orl_o22"""),
    "TXA-17 is neither AU nor LA": (lambda m: m.first("TXA", 17) not in ("AU", "LA"), """
        balneario/conformance/mdm_t01 balneario/conformance/mdm_t02 fhir-converter/MDM-T02-03"""),
    "no ORC": (lambda m: not m.all("ORC"), "fhir-converter/MDHHS-OML-O21-1"),
    "ORC-1 is SC": (lambda m: {orc(1) for orc in m.all("ORC")} == {"SC"}, "fhir-converter/OMG-O19-01"),
    "no OBR": (lambda m: not m.all("OBR"),
               "fhir-converter/ORM-O01-04 fhir-converter/ORM-O01-05 fhir-converter/ORM-O01-06"),
}
UNANSWERED = ("fhir-converter/ADT-A40-01", "fhir-converter/ADT-A40-02")  # MSH-15 and MSH-16 ask for no answer


def kinds(message: Message) -> Counter[str] | None:
    """The events that a message is to give; None of a type that no rule is for."""
    code = message.first("MSH", 9, 1)
    if message.type in CANCELLATIONS or code in ANSWERS:
        return Counter()
    if code in ORDERS:
        controls = (orc(1) for orc, _ in message.groups("OBR") if orc)
        return Counter(ORDER_KINDS[control] for control in controls if control in ORDER_KINDS)
    if code in RESULTS:
        return Counter(result_kind(obr, observations) for obr, observations in reports(message))
    rules = [rule for rule in RULES if message.type in rule.types.split()]
    if not rules:
        return None
    events: Counter[str] = Counter()
    for rule in rules:
        number = sum(rule.when(message, segment) for segment in message.all(rule.segment))
        if number and rule.needs_visit and not visit(message):
            return Counter()
        events[rule.kind] += number
    return +events


def reports(message: Message) -> Iterator[tuple[Segment, list[Segment]]]:
    """Each OBR, with the OBX after it."""
    for n, segment in enumerate(message.segments):
        if segment.name == "OBR":
            rest = message.segments[n + 1:]
            end = next((i for i, other in enumerate(rest) if other.name == "OBR"), len(rest))
            yield segment, [other for other in rest[:end] if other.name == "OBX"]


def result_kind(obr: Segment, observations: list[Segment]) -> str:
    """By OBR-25, else by the OBX-11."""
    if obr(25):
        return RESULT_KINDS.get(obr(25), "result.preliminary")
    statuses = {obx(11) for obx in observations}
    if "C" in statuses:
        return "result.corrected"
    if statuses & {"P", "R", "S"}:
        return "result.preliminary"
    if statuses and statuses <= {"F", "U"}:
        return "result.final"
    if statuses == {"X"}:
        return "result.cancelled"
    return "result.final" if statuses & {"F", "U"} else "result.preliminary"


def answer(message: Message) -> str | None:
    """The code that a message which was stored is answered with; None where its sender wants no answer."""
    accept, application = message.first("MSH", 15), message.first("MSH", 16)
    if not accept and not application or application in ("AL", "SU") and accept not in ("AL", "SU"):
        return "AA"
    return "CA" if accept in ("AL", "SU") else None


# --- what a database has ------------------------------------------------------------------------------------------

NUMBERED = """(SELECT n, answer, coalesce(lag(last) OVER (ORDER BY n), 0) AS before, last FROM public.arrived) AS a
    LEFT JOIN workflow_track.message AS m ON m.message_id > a.before AND m.message_id <= a.last"""
STORED = f"""COPY (SELECT a.n, encode(coalesce(m.raw, convert_to(m.body, 'UTF8')), 'hex'), m.facility, m.source_system,
        m.control_id, m.message_type, m.status, m.problem, m.problems, m.care_facility, m.patient_id, m.encounter_id,
        m.subject, m.identifiers, m.is_result
    FROM {NUMBERED} ORDER BY a.n, m.message_id) TO STDOUT (FORMAT csv);\n"""
STATUS, PROBLEM = 6, 7
EVENTS = f"""COPY (SELECT a.n, e.kind, e.occurred_at, e.source_sequence, e.time_precision, e.planned_at, e.facility,
        e.patient_id, e.encounter_id, e.subject, e.item, e.code, e.value, e.severity, e.actor, e.recipient,
        e.source_system, e.entry_method, e.detail
    FROM {NUMBERED} JOIN workflow_track.event AS e ON e.message_id = m.message_id ORDER BY a.n, e.event_id)
    TO STDOUT (FORMAT csv);\n"""
ANSWERED = """SET search_path = workflow_track, public, pg_catalog;
    COPY (SELECT n, a -> 'MSA-1', a -> 'MSA-2'
        FROM (SELECT n, convert_from(answer, 'UTF8')::hl7v2 AS a FROM arrived WHERE answer IS NOT NULL) AS a
        ORDER BY n) TO STDOUT (FORMAT csv);\n"""
ARRIVED = "CREATE TABLE public.arrived (n integer PRIMARY KEY, last bigint, answer bytea);\n"
LAST = """UPDATE public.arrived SET last = (SELECT coalesce(max(message_id), 0) FROM workflow_track.message)
    WHERE n = {n};\n"""


def by_call(data: list[bytes]) -> str:
    """Each file by ingest_hl7v2()."""
    return ARRIVED + "".join(ingest_into(f"public.arrived (n, answer) SELECT {n}, ", value) + LAST.format(n=n)
                             for n, value in enumerate(data))


def by_copy(data: list[bytes]) -> str:
    """Each by a COPY into inbox."""
    return ARRIVED + "".join(f"INSERT INTO public.arrived (n) VALUES ({n});\n" + copy([value]) + LAST.format(n=n)
                             for n, value in enumerate(data))


def by_one_copy(data: list[bytes]) -> str:
    """All by one COPY, as if they were one file."""
    return ARRIVED + "INSERT INTO public.arrived (n) VALUES (0);\n" + copy(data) + LAST.format(n=0)


class Samples:
    """The files, and what a database has of them that were read by ingest_hl7v2()."""

    def __init__(self, folder: Path, database: str):
        paths = sorted(folder.rglob("*.hl7"))
        self.names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
        self.data = [path.read_bytes() for path in paths]
        self.messages = [Message(data) for data in self.data]
        psql.run(database, by_call(self.data))
        self.stored = list(table.parse(psql.run(database, STORED)))
        self.events = list(table.parse(psql.run(database, EVENTS)))
        answers = table.parse(psql.run(database, ANSWERED))
        self.answers = {int(str(n)): (code, control) for n, code, control in answers}
        self.kinds: dict[int, Counter[str]] = defaultdict(Counter)
        for event in self.events:
            self.kinds[int(str(event[0]))][str(event[1])] += 1

    def unkept(self) -> list[str]:
        """Files that are not there byte for byte, or were rejected."""
        kept: dict[int, bytes] = defaultdict(bytes)
        for row in self.stored:
            kept[int(str(row[0]))] += bytes.fromhex(row[1] or "")
        return [f"{name} is not kept as it came" for n, name in enumerate(self.names) if kept[n] != self.data[n]] + [
            f"{self.names[int(str(row[0]))]} is rejected: {row[PROBLEM]}" for row in self.stored
            if row[STATUS] not in ("processed", "incomplete", "unmapped")]

    def unanswered(self) -> list[str]:
        """Files that are answered otherwise than they ask."""
        lines = []
        for n, (name, message) in enumerate(zip(self.names, self.messages)):
            code = answer(message)
            wanted = code and (code, message.first("MSH", 10))
            if (code is None) != (name in UNANSWERED) or self.answers.get(n) != wanted:
                lines.append(f"{name}: expected {wanted or 'no answer'}, found {self.answers.get(n)}")
        return lines

    def otherwise(self) -> list[str]:
        """Files that give other events than RULES have it, or none without a reason."""
        reasons = {name: reason for reason, (_, names) in NOTHING.items() for name in names.split()}
        statuses = {int(str(row[0])): row[STATUS] for row in self.stored}
        lines = [f"{name}: there is no such file" for name in reasons.keys() - set(self.names)]
        for n, (name, message) in enumerate(zip(self.names, self.messages)):
            wanted, found, reason = kinds(message), self.kinds[n], reasons.get(name)
            if (wanted is None) != (statuses[n] == "unmapped"):
                lines.append(f"{name} ({message.type}): is {statuses[n]}")
            elif found != (wanted or Counter()):
                lines.append(f"{name} ({message.type}): expected {dict(wanted or {})}, found {dict(found)}")
            if wanted is not None and bool(found) == (reason is not None):
                lines.append(f"{name} ({message.type}): gives {dict(found)}, reason for none: {reason}")
            if reason and not NOTHING[reason][0](message):
                lines.append(f"{name} ({message.type}): it is not so that it has '{reason}'")
        return lines

    def unlike(self, database: str, numbered: bool = True) -> list[str]:
        """What another database has otherwise; where its messages came as of one file, whatever file they are of."""
        lines = []
        for what, query, wanted in (("message", STORED, self.stored), ("event", EVENTS, self.events)):
            found = table.parse(psql.run(database, query))
            first = 0 if numbered else 1
            columns = [f"column {n}" for n in range(first, len(wanted[0]))]
            lines += [f"{what}: {line}" for line in table.differences(
                columns, (row[first:] for row in wanted), (row[first:] for row in found))]
        return lines

    def report(self) -> str:
        """A table of what becomes of messages, by type."""
        types: dict[str, list[int]] = defaultdict(list)
        for n, message in enumerate(self.messages):
            types[message.type].append(n)
        rows = {int(str(row[0])): row for row in self.stored}
        lines = ["| type | messages | status | events |", "| --- | --- | --- | --- |"]
        for name, numbers in sorted(types.items()):
            statuses = Counter(", ".join(filter(None, (rows[n][STATUS], rows[n][PROBLEM]))) for n in numbers)
            told = "; ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
            events = sorted({kind for n in numbers for kind in self.kinds[n]})
            lines.append(f"| {name} | {len(numbers)} | {told} | {', '.join(events)} |")
        return "\n".join(lines)


def check(folder: Path, keep: bool, report: bool) -> Iterator[tuple[str, list[str]]]:
    """The name of each check, and what is wrong."""
    with psql.database(keep) as called, psql.database(keep) as copied, psql.database(keep) as together:
        samples = Samples(folder, called)
        if report:
            print(samples.report())
        yield f"{len(samples.data)} kept", samples.unkept()
        yield "answered", samples.unanswered()
        yield "events", samples.otherwise()
        psql.run(copied, by_copy(samples.data))
        yield "each by COPY", samples.unlike(copied)
        psql.run(together, by_one_copy(samples.data))
        yield "all by one COPY", samples.unlike(together, numbered=False)
