"""Messages of an invented hospital: some of its events come in them, and some messages mean nothing.

Segments of the hospital's own say it as it is, and rules what they mean (docs/hl7v2_mapping.md): ZEV is an event, ZCA calls
one off, ZAL is another name of a subject.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Collection, Mapping, Sequence

import messages as ways_in
import table
from feed import Feed, Retraction, literal
from table import Cell, Row

RECEIVER, TYPE, CALLS_OFF, NAMES = "WT", "ZEV^Z01", "ZEV^Z02", "ZEV^Z03"
SENT_AT = "20240301000000"
NEW = "N"  # before the control id of what repeats another message
CODE_SYSTEMS = {"cpt": "C4", "loinc": "LN", "icd10cm": "I10C"}
SEVERITY = "{normal = normal, abnormal = abnormal, critical = critical}"
# The fields of ZEV in their order; patient, encounter and facility stand where they always do.
FIELDS = ("kind", "occurred_at", "source_sequence", "planned_at", "subject", "item", "code", "value", "severity",
          "actor", "actor_role", "recipient", "recipient_role", "class")
PATHS = {name: f"ZEV-{n}" for n, name in enumerate(FIELDS, 1)}
PATHS["severity"] += f" {SEVERITY}"
# What may be read otherwise at first; what else an event is found by to be retracted, and that it is the same thing.
MISREAD = {"severity": None, "planned_at": None, "actor": PATHS["recipient"], "recipient": PATHS["actor"], "value": PATHS["item"]}
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


def cancellation(kind: str, occurred_at: str, subject: str | None) -> str:
    """The segment that calls off the last event of its kind until then, of the patient and of a visit or a subject."""
    return f"ZCA|{kind}|{occurred_at}|{subject or ''}\n"


def alias(other: str, subject: str) -> str:
    return f"ZAL|{other}|{subject}\n"


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
    """A feed some of which comes in messages: `messages.csv` has them by what they tell, and others without.

    That is the ref of an event, or refs of those that are called off, or the number of a row of subject_alias.csv.
    """

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.messages: dict[Row, Message] = {}
        self.others: list[Message] = []
        self.late: list[Message] = []
        self.called_off: set[Row] = set()
        self.told_aliases: set[int] = set()
        if not (folder / "messages.csv").exists():
            return
        _, rows = table.read(folder / "events.csv")
        by_ref = {row[0]: row[1:] for row in rows}
        for ref, when, body in table.read(folder / "messages.csv")[1]:
            message = Message(str(body))
            if when == CALLS_OFF:
                self.called_off.update(by_ref[one] for one in str(ref).split())
                self.others.append(message)
            elif when == NAMES:
                self.told_aliases.add(int(str(ref)))
                self.others.append(message)
            elif ref:
                self.messages[by_ref[ref]] = message
            else:
                (self.late if when else self.others).append(message)

    @property
    def has_messages(self) -> bool:
        return bool(self.messages or self.others)

    def setup(self) -> str:
        return super().setup() + (self.rules() if self.has_messages else "")

    def rules(self) -> str:
        """What the segments mean."""
        paths = dict(PATHS)
        paths["kind"] += self.kinds({*self.messages}, "note.signed")
        paths |= {"code": f"code {paths['code']}", "detail": f"class: {paths.pop('class')}"}
        cancels = {"kind": f"ZCA-1{self.kinds(self.called_off, 'note.signed')}", "occurred_at": "ZCA-2", "subject": "ZCA-3"}
        return (rule("event", TYPE, "ZEV", paths) + rule("retract_last", CALLS_OFF, "ZCA", cancels)
                + rule("alias", NAMES, "ZAL", {"alias": "ZAL-1", "subject": "ZAL-2"}))

    @staticmethod
    def reads(whether: bool) -> str:
        """That what calls off events, and tells of aliases, is understood, or not; and events are, or otherwise."""
        columns = {name: PATHS[name] if whether else MISREAD[name] for name in MISREAD}
        return (f"UPDATE workflow_track.hl7v2_mapping SET enabled = {whether} WHERE name IN ('ZCA', 'ZAL');\n"
                f"UPDATE workflow_track.hl7v2_mapping SET {', '.join(f'{name} = {literal(path)}' for name, path in columns.items())}"
                " WHERE name = 'ZEV';\n")

    def kinds(self, rows: Collection[Row], other: str) -> str:
        """That the kinds of some events, and another, are called as they are."""
        kinds = sorted({str(self.cell(row, "kind")) for row in rows} | {other})
        return f" {{{', '.join(f'{kind} = {kind}' for kind in kinds)}}}"

    def may_be_called_off(self, row: Row) -> bool:
        """Whether it is like one that a message calls off: a merge of the same two, or any event of the kind."""
        def like(row: Row) -> tuple[Cell, ...]:
            kind = self.cell(row, "kind")
            of = ("patient_id", "subject") if str(kind).endswith(".merged") else ()
            return kind, *(self.cell(row, column) for column in of)
        return like(row) in map(like, self.called_off)

    def by_hand(self) -> list[Retraction]:
        """The retractions that no message tells of."""
        return [retraction for retraction in self.retractions if retraction.of not in self.called_off]

    def patients(self) -> str:
        return self.file("test_patient") + self.aliases(told=False)

    def aliases(self, told: bool) -> str:
        """Those that messages tell of, or the others."""
        columns, rows = table.read(self.folder / "subject_alias.csv")
        values = [f"({', '.join(map(literal, row))})" for n, row in enumerate(rows) if (n in self.told_aliases) == told]
        # a message may be there before
        return (f"INSERT INTO workflow_track.subject_alias ({', '.join(map(str, columns))}) VALUES {', '.join(values)}"
                " ON CONFLICT DO NOTHING;\n") if values else ""

    def rows(self) -> list[Row]:
        """The events that come in no message."""
        return [row for row in self.events if row not in self.messages]


def rule(action: str, kind: str, segment: str, columns: Mapping[str, str]) -> str:
    """A row of the mapping, called like its segment."""
    values = (segment, action, f"{{{kind}}}", segment, *columns.values())
    return (f"INSERT INTO workflow_track.hl7v2_mapping (name, action, message, segment, {', '.join(columns)})"
            f" VALUES ({', '.join(map(literal, values))});\n")


def statements(messages: Sequence[Message], rng: random.Random) -> list[str]:
    """All that take some messages, by one way in."""
    bodies = [message.body.encode() for message in messages]
    return rng.choice((lambda: [ways_in.copy(bodies)], lambda: [ways_in.insert(bodies)],
                       lambda: [ways_in.ingest(body) for body in bodies],
                       lambda: [ways_in.insert([b"".join(bodies)])]))()
