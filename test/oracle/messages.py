"""A folder whose events arrive as HL7 messages, desk rows and FHIR resources, and what must become of each message."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Iterable, Iterator, Sequence

import hl7
import psql
import table
from comparison import AGREES, Comparison
from feed import Feed, literal
from reports import Report
from table import Cell, Row

COLUMNS = ("facility", "source_system", "control_id", "message_type")  # that the message itself gives
OUTCOME = ("status", "problem", "events")
FHIR_KINDS = {"handoff.offered", "handoff.accepted", "handoff.rejected", "result.acknowledged", "result.viewed",
              "patient.notified"}
AGAIN = ("resent", "repeated")
REUSE = "id_reuse"
CHANGED = (7, 10, 13)  # fields of MSH that a replay changes

# The events of a message that another session had first are kept, retracted.
NOT_LOST = "{0} IS DISTINCT FROM 'message resent' AND {0} IS DISTINCT FROM 'message repeated'"
OF_MESSAGES = Report("event", f"(SELECT * FROM workflow_track.event_history WHERE message_id IS NOT NULL AND {NOT_LOST.format('retracted_reason')})", "events")
ALIASES = Report("subject_alias", "workflow_track.subject_alias", "subject_alias")
# '' and NULL are one here: the oracle's file does not tell them apart
STORED = f"""COPY (SELECT encode(coalesce(m.raw, convert_to(m.body, 'UTF8')), 'hex'), m.facility, m.source_system,
        coalesce(m.control_id, ''), coalesce(m.message_type, ''), m.status, coalesce(m.problem, ''),
        (SELECT count(*) FROM workflow_track.event AS e LEFT JOIN workflow_track.retraction AS r USING (event_id)
            WHERE e.message_id = m.message_id AND {NOT_LOST.format('r.retracted_reason')})
    FROM workflow_track.message AS m ORDER BY m.message_id) TO STDOUT (FORMAT csv);\n"""


@dataclass(frozen=True)
class Outcome:
    """What becomes of a message; any of the problems will do."""

    status: str
    problems: frozenset[str]
    events: str

    def allows(self, found: Sequence[Cell]) -> bool:
        status, problem, events = found
        return (status, events) == (self.status, self.events) and problem in self.problems


@dataclass(frozen=True)
class Message:
    """A message of the feed, and what the oracle says of it where it arrives in the order of the feed."""

    payload: bytes
    columns: Row
    outcome: Outcome

    @property
    def content(self) -> tuple[object, ...]:
        """The same for messages of one sender that are equal but for what a replay changes."""
        header, _, rest = self.payload.partition(b"\r")
        fields = header.split(b"|")
        return (*self.columns[:2], *(b"" if n + 1 in CHANGED else field for n, field in enumerate(fields)), rest)

    @property
    def id(self) -> Row | None:
        """Sender and control id."""
        return self.columns[:3] if self.columns[2] else None


class MessageFeed(Feed):
    """Events by where they come from; those of FHIR arrive as rows, too."""

    again = (psql.SERIALIZATION_FAILURE, psql.DEADLOCK)

    def __init__(self, folder: Path):
        super().__init__(folder)
        header, self.desk = table.read(folder / "desk.csv")
        if header != self.columns:
            raise ValueError(f"{folder}: desk.csv has other columns than events.csv")
        others = list((Counter(self.events) - Counter(self.desk)).elements())
        self.fhir = [row for row in others if self.cell(row, "kind") in FHIR_KINDS]
        self.of_messages = [row for row in others if self.cell(row, "kind") not in FHIR_KINDS]
        self.stream = (folder / "feed.hl7").read_bytes()
        self.messages = list(self._messages())
        resources = (folder / "fhir.ndjson").read_text(encoding="utf-8").count("\n")
        if (len(self.fhir), len(self.of_messages)) != (resources, sum(int(m.outcome.events) for m in self.messages)):
            raise ValueError(f"{folder}: the feeds do not add up to events.csv")

    def _messages(self) -> Iterator[Message]:
        header, rows = table.read(self.folder / "truth/messages.csv")
        at = [header.index(name) for name in (*COLUMNS, *OUTCOME)]
        payloads = hl7.messages(self.stream)
        if len(payloads) != len(rows):
            raise ValueError(f"{self.folder}: {len(rows)} messages are told of, and {len(payloads)} there")
        for payload, row in zip(payloads, rows):
            *columns, status, problem, events = (row[n] or "" for n in at)
            yield Message(payload, tuple(columns), Outcome(status, frozenset(problem.split("|")), events))

    # --- SQL ------------------------------------------------------------------------------------------------------

    def patients(self) -> str:
        """Test patients; aliases come of the messages."""
        return self.file("test_patient")

    def setup(self) -> str:
        return super().setup() + self.file("sources", "hl7v2_source")

    def rows(self, rows: Iterable[Row]) -> str:
        """Events that come as rows, perhaps of months that no message has made."""
        return self.months() + self.copy(rows)


def ingest(message: bytes) -> str:
    return f"SELECT workflow_track.ingest_hl7v2({_bytea(message)}) IS NULL;\n"


def ingest_into(target: str, message: bytes) -> str:
    """The same, the answer kept: INSERT INTO <target> it."""
    return f"INSERT INTO {target}workflow_track.ingest_hl7v2({_bytea(message)});\n"


def insert(values: Iterable[bytes]) -> str:
    """Messages by one INSERT into inbox."""
    rows = ",\n".join(f"({_bytea(value)})" for value in values)
    return f"INSERT INTO workflow_track.inbox (raw) VALUES\n{rows};\n"


def copy(values: Iterable[bytes]) -> str:
    """Messages by one COPY into inbox."""
    rows = "".join(f"\\x{value.hex()}\n" for value in values)
    return f"COPY workflow_track.inbox (raw) FROM STDIN (FORMAT csv);\n{rows}\\.\n"


def _bytea(value: bytes) -> str:
    return literal(f"\\x{value.hex()}") + "::bytea"


class MessageComparison(Comparison):
    """Besides the reports: which events are of messages, and the aliases that are."""

    def __init__(self, feed: MessageFeed, truths: Sequence[Path], have: set[str]):
        super().__init__(feed, truths, have)
        self.add_events("event of a message", feed.columns, feed.of_messages, OF_MESSAGES)
        header, rows = table.read(feed.folder / "subject_alias.csv")
        self.add("subject_alias", (*header, AGREES), rows, ALIASES.query(header))


# --- what becomes of messages -------------------------------------------------------------------------------------

class Arrivals:
    """What table message must hold, in whatever order the messages arrive.

    Of two alike the second to arrive is resent or repeated, of two that share a control id it has problem id_reuse.
    So messages that are none of these are what the oracle says, and what a group of others is follows from the order
    in which they arrive. Where sessions are at once nobody knows that order; some order must explain what is found.
    """

    def __init__(self, feed: MessageFeed):
        self.feed = feed
        self.first: dict[tuple[object, ...], Outcome] = {}  # by content, without what the control id adds
        for message in feed.messages:
            if message.outcome.status not in AGAIN:
                self.first.setdefault(message.content, _without_reuse(message.outcome))
        for message, outcome in zip(feed.messages, self._outcomes(feed.messages)):
            if (outcome.status, outcome.events) != (message.outcome.status, message.outcome.events):
                raise ValueError(f"{feed.folder}: another outcome of {message.columns} than the oracle's: {outcome}")
        self.by_payload = {message.payload: message for message in feed.messages}

    def _outcomes(self, order: Iterable[Message]) -> Iterator[Outcome]:
        """What becomes of messages that arrive in such an order."""
        payloads: set[bytes] = set()
        contents: set[tuple[object, ...]] = set()
        ids: set[Row] = set()
        for message in order:
            outcome = self.first[message.content]
            if message.id is None:  # nothing comes again that has no control id
                yield outcome
                continue
            if message.content in contents:
                again = AGAIN[message.payload not in payloads]
                outcome = Outcome(again, outcome.problems, "0")
            elif message.id in ids:
                outcome = Outcome(outcome.status, outcome.problems - {""} | {REUSE}, outcome.events)
            payloads.add(message.payload)
            contents.add(message.content)
            ids.add(message.id)
            yield outcome

    def _groups(self) -> list[set[bytes]]:
        """The payloads of messages that share a content or a control id, even by way of others."""
        groups: dict[object, set[bytes]] = defaultdict(set)
        for message in self.feed.messages:
            merged = {message.payload} | groups[message.content]
            if message.id:
                merged |= groups[message.id]
            for payload in merged:
                other = self.by_payload[payload]
                groups[other.content] = merged
                if other.id:
                    groups[other.id] = merged
        return list({id(group): group for group in groups.values()}.values())

    def differences(self, database: str, in_order: bool, at_once: bool) -> list[str]:
        """What is otherwise, as lines to print."""
        rows = list(table.parse(psql.run(database, STORED)))
        payloads = [hl7.unframed(bytes.fromhex(str(row[0]))) for row in rows]
        wanted = [message.payload for message in self.feed.messages]
        if Counter(payloads) != Counter(wanted):
            missing, surplus = Counter(wanted) - Counter(payloads), Counter(payloads) - Counter(wanted)
            return [f"message: {missing.total()} missing, {surplus.total()} not expected",
                    *(f"  missing: {payload!r}" for payload in list(missing)[:3])]
        lines = ["message: not in the order of the feed"] if in_order and payloads != wanted else []
        found: dict[bytes, list[tuple[int, Row]]] = defaultdict(list)
        for n, (payload, row) in enumerate(zip(payloads, rows)):
            found[payload].append((n, row[1:]))
        for group in self._groups():
            arrived = sorted((n, payload, row) for payload in group for n, row in found[payload])
            lines += self._group([(self.by_payload[payload], row) for _, payload, row in arrived], at_once)
        return lines if len(lines) < 20 else [*lines[:20], f"  and {len(lines) - 20} lines more of messages"]

    def _group(self, arrived: Sequence[tuple[Message, Row]], at_once: bool) -> list[str]:
        lines: list[str] = []
        for order in permutations(arrived) if at_once else (arrived,):
            wrong = [f"message {message.columns}: expected {outcome}, found {row}"
                     for (message, row), outcome in zip(order, self._outcomes(message for message, _ in order))
                     if row[:4] != message.columns or not outcome.allows(row[4:])]
            if not wrong:
                return []
            lines = lines or wrong
        return lines


def _without_reuse(outcome: Outcome) -> Outcome:
    """What becomes of a message whose control id nobody used before; the oracle does not tell where one did."""
    if REUSE not in outcome.problems:
        return outcome
    return Outcome(outcome.status, outcome.problems - {REUSE} | {""}, outcome.events)
