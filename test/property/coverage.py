"""What a run had in it, and what of it was too little to tell anything."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Iterable, Mapping

from decks import BLOCK
from modes import Stage

LEAST, LEAST_LEVEL = 3, 8  # ways of each block that have a form, and an isolation level
# Forms of statements and transactions, and changes, by what sessions send for them.
SENT = {
    "INSERT of a row": r"INSERT INTO workflow_track\.event \([^()]*\) VALUES\n\([^\n]*\);\n",
    "INSERT of several rows": r"INSERT INTO workflow_track\.event \([^()]*\) VALUES\n\([^\n]*\),\n",
    "INSERT ON CONFLICT DO NOTHING": r" ON CONFLICT DO NOTHING;",
    "INSERT in WITH": r"WITH new AS \(INSERT",
    "INSERT prepared": r"EXECUTE record \(",
    "COPY": r"COPY workflow_track\.event \(",
    "MERGE": r"MERGE INTO workflow_track\.event ",
    "record_event()": r"SELECT workflow_track\.record_event\(",
    "a function": r"SELECT site\.record\(",
    "a function with exceptions": r"SELECT site\.attempt\(",
    "a trigger": r"INSERT INTO site\.desk ",
    "a deferred trigger": r"INSERT INTO site\.later ",
    "a queue": r"INSERT INTO site\.queue ",
    "messages by COPY": r"COPY workflow_track\.inbox ",
    "messages by INSERT": r"INSERT INTO workflow_track\.inbox ",
    "messages by ingest_hl7v2()": r"SELECT workflow_track\.ingest_hl7v2\(",
    "messages read again": r"CALL site\.read_again\(",
    "events called off by messages": b"ZCA|".hex(),
    "merges called off by messages": b"ZCA|patient.merged".hex(),
    "aliases in messages": b"ZAL|".hex(),
    "retractions": r"workflow_track\.retract_event\(",
    "merges": r"patient\.merged",
    "merges undone": r"workflow_track\.retract_event\([^;]*'patient\.merged'",
    "transactions given up": r"\nROLLBACK;",
    "transactions prepared": r"COMMIT PREPARED ",
    "transactions prepared and given up": r"ROLLBACK PREPARED ",
    "savepoints released": r"\nRELEASE a;",
    "savepoints rolled back to": r"\nROLLBACK TO a;",
    "SET CONSTRAINTS ALL IMMEDIATE": r"SET CONSTRAINTS ALL IMMEDIATE;",
    "SET CONSTRAINTS ALL DEFERRED": r"SET CONSTRAINTS ALL DEFERRED;",
    "as a recorder": r"SET ROLE workflow_track_recorder;",
    "maps change": r"workflow_track\.set_workflow_state\(",
    "staff changes": r"DELETE FROM workflow_track\.staff ",
    "aliases and test patients change": r"DELETE FROM workflow_track\.subject_alias;",
    "kinds change": r"UPDATE workflow_track\.event_kind ",
    "detection resumes": r"workflow_track\.resume_detection\(",
    "maintenance": r"workflow_track\.(maintain|ensure_partitions|setup)\(|VACUUM|CALL workflow_track\.rebuild\(3\)",
}
# Reports that may have no row, and why.
MAY_BE_EMPTY = {
    "inbox": "always is: what goes in is a row of table message",
}


def sent(stages: Iterable[Stage]) -> set[str]:
    """What there is in what sessions send."""
    scripts = [script for stage in stages for session in stage for script in session]
    return {name for name, pattern in SENT.items() if any(re.search(pattern, script) for script in scripts)}


@dataclass
class Coverage:
    """How often what was in it: ways by what they had, rows of reports and of what is kept, and who was judged."""

    ways: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    unjudged: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # by reason

    def add(self, other: Coverage) -> None:
        for mine, others in ((self.ways, other.ways), (self.reported, other.reported), (self.kept, other.kept),
                             (self.judged, other.judged)):
            mine.update(others)
        for reason, count in other.unjudged.items():
            self.unjudged[reason].update(count)

    def table(self) -> list[str]:
        """Lines to print."""
        def counts(title: str, counts: Mapping[str, int]) -> list[str]:
            return [title, *(f"  {number:7} {name}" for name, number in sorted(counts.items()))]
        lines = [*counts("ways:", self.ways), *counts("rows reported, of the one load of each hospital:", self.reported),
                 *counts("rows kept, after maintain():", self.kept),
                 f"judged by the oracle: {_told(self.judged)}"]
        return lines + [f"not judged by the oracle: {_told(count)}: {reason}"
                        for reason, count in sorted(self.unjudged.items())]

    def wanting(self, blocks: int, levels: Iterable[str], reports: Iterable[str], kept: Iterable[str]) -> list[str]:
        """What whole blocks of ways had too little of."""
        least = {**dict.fromkeys((*SENT, "replicated", "months made at first", "none may try again"), LEAST),
                 **dict.fromkeys(levels, LEAST_LEVEL), "batches of 1,000 and 10,000": 1}
        return [*(f"{name}: in {self.ways[name]} ways, not in {number * blocks}"
                  for name, number in least.items() if self.ways[name] < number * blocks),
                *(f"{name}: no row was reported" for name in reports
                  if not self.reported[name] and name not in MAY_BE_EMPTY),
                *(f"{name}: rows were reported, and it is said that there are none" for name in MAY_BE_EMPTY
                  if self.reported[name]),
                *(f"{name}: no row was kept" for name in kept if not self.kept[name])]


def _told(count: Mapping[str, int]) -> str:
    """Numbers of hospitals, and of ways."""
    return " and ".join(f"{number} {name}" for name, number in count.items()) or "nothing"


def blocks(ways: Iterable[int]) -> int:
    """How many blocks these ways are, or 0 where one lacks some."""
    numbers = set(ways)
    found = {number // BLOCK for number in numbers}
    return len(found) if len(numbers) == len(found) * BLOCK else 0
