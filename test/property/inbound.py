"""Messages of an invented hospital: some of its events come in them, and some messages mean nothing.

A segment of the hospital's own, ZEV, holds an event as it is; rules say so (docs/hl7v2_mapping.md).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import messages as ways_in
import table
from feed import Feed, literal
from table import Row

RECEIVER, TYPE = "WT", "ZEV^Z01"
SENT_AT = "20240301000000"
NEW = "N"  # before the control id of what repeats another message
CODE_SYSTEMS = {"cpt": "C4", "loinc": "LN", "icd10cm": "I10C"}
SEVERITY = "{normal = normal, abnormal = abnormal, critical = critical}"
# The fields of ZEV in their order; patient, encounter and facility stand where they always do.
FIELDS = ("kind", "occurred_at", "source_sequence", "planned_at", "subject", "item", "code", "value", "severity",
          "actor", "actor_role", "recipient", "recipient_role", "class")
FLOWS = [{"from": "EHR", "to": RECEIVER, "types": ["ZEV^*"], "every": "1 hour"},
         {"from": "EHR", "to": "LIS", "types": ["ORM^O01"]}]


@dataclass(frozen=True)
class Message:
    """A message that comes in."""

    body: str


def header(system: str, facility: str, control_id: str, kind: str = TYPE) -> str:
    return f"MSH|^~\\&|{system}|{facility}|{RECEIVER}|{facility}|{SENT_AT}||{kind}|{control_id}|P|2.5.1\n"


def code(text: str | None) -> str:
    """A clinical code as HL7 writes it."""
    if text is None:
        return ""
    system, _, rest = text.partition("|")
    return f"{rest}^^{CODE_SYSTEMS.get(system, system.removeprefix('local:'))}"


def patient(patient_id: str, encounter_id: str | None) -> str:
    return f"PID|1||{patient_id}^^^MPI^MR\nPV1|1|O{'|' * 17}{encounter_id or ''}\n"


def event(fields: Sequence[str | None]) -> str:
    """The segment that an event is in; its fields in the order of FIELDS."""
    return f"ZEV|{'|'.join(field or '' for field in fields)}\n"


def others(rng: random.Random, sent: Sequence[str], systems: Sequence[str], facility: str) -> list[tuple[str, str]]:
    """Messages that give no event, each with `late` where others must have come before it."""
    lines = [("", f"{header(rng.choice(systems), facility, 'U1', 'ZZZ^Z01')}PID|1||P0\n"),
             ("", f"{header(rng.choice(systems), facility, 'I1')}{event(('note.signed', SENT_AT))}"),
             ("", "hello\n"), ("", f"{header(rng.choice(systems), facility, 'B1')}BAD!|\n")]
    for body in rng.sample(sent, min(3, len(sent))):
        first, _, rest = body.partition("\n")
        fields = first.split("|")
        system, facility, control_id = fields[2], fields[3], fields[9]
        again = "|".join([*fields[:6], SENT_AT[:-1] + "1", *fields[7:9], NEW + control_id, *fields[10:]])
        lines += [("late", f"{again}\n{rest}"),
                  # none of which is like another
                  ("late", header(system, facility, control_id) + patient(control_id, None) + event(("no.kind", SENT_AT))),
                  ("", f"MSH|^~\\&|{RECEIVER}|{facility}|{system}|{facility}|{SENT_AT}||ACK|A{control_id}|P|2.5.1\n"
                       f"MSA|AE|{control_id}|no such thing\n")]
    return lines


class InboundFeed(Feed):
    """A feed some events of which come in messages: `messages.csv` has them by the event's ref, and others without."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.messages: dict[Row, Message] = {}
        self.others: list[Message] = []
        self.late: list[Message] = []
        if not (folder / "messages.csv").exists():
            return
        _, rows = table.read(folder / "events.csv")
        by_ref = {row[0]: row[1:] for row in rows}
        for ref, when, body in table.read(folder / "messages.csv")[1]:
            message = Message(str(body))
            if ref:
                self.messages[by_ref[ref]] = message
            else:
                (self.late if when else self.others).append(message)

    @property
    def has_messages(self) -> bool:
        return bool(self.messages or self.others)

    def setup(self) -> str:
        return super().setup() + (self.rules() if self.has_messages else "")

    def rules(self) -> str:
        """What ZEV means."""
        kinds = sorted({str(self.cell(row, "kind")) for row in self.messages} | {"note.signed"})
        paths = {name: f"ZEV-{n}" for n, name in enumerate(FIELDS, 1)}
        paths["kind"] += f" {{{', '.join(f'{kind} = {kind}' for kind in kinds)}}}"
        paths["severity"] += f" {SEVERITY}"
        paths |= {"code": f"code {paths['code']}", "detail": f"class: {paths.pop('class')}"}
        return (f"INSERT INTO workflow_track.hl7v2_mapping (name, message, segment, {', '.join(paths)}) VALUES"
                f" ('ZEV', '{{ZEV^*}}', 'ZEV', {', '.join(map(literal, paths.values()))});\n")

    def rows(self) -> list[Row]:
        """The events that come in no message."""
        return [row for row in self.events if row not in self.messages]


def statements(messages: Sequence[Message], rng: random.Random) -> list[str]:
    """All that take some messages, by one way in."""
    bodies = [message.body.encode() for message in messages]
    return rng.choice((lambda: [ways_in.copy(bodies)], lambda: [ways_in.insert(bodies)],
                       lambda: [ways_in.ingest(body) for body in bodies],
                       lambda: [ways_in.insert([b"".join(bodies)])]))()
