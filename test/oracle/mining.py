"""What process mining says of cases, counted here from the definitions: a case is an encounter of a patient, with its
events in canonical order, as docs/mining.md has it."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Iterable, Iterator, Sequence

import psql
import table
from feed import Feed, copy_rows, transaction
from table import Cell, Row

Case = Sequence[tuple[str, str]]  # facility and kind of each event, in order

EDGES = "SELECT facility, from_kind, to_kind, follows, cases FROM workflow_track.directly_follows"
VARIANTS = "workflow_track.workflow_variant"
# What is asked, by name; directly_follows once of its rollup and what is not folded, once of every event, once folded.
QUERIES = (
    ("directly_follows", EDGES),
    ("directly_follows()", f"{EDGES}(NULL)"),
    ("directly_follows, folded", f"DO $$ BEGIN PERFORM workflow_track.fold_follows(); END $$;\n{EDGES}"),
    ("workflow_variant", f"SELECT facility, array_to_string(trace, ' '), cases FROM {VARIANTS}"),
    ("start", f"SELECT facility, trace[1], sum(cases) FROM {VARIANTS} GROUP BY 1, 2"),
    ("end", f"SELECT facility, trace[cardinality(trace)], sum(cases) FROM {VARIANTS} GROUP BY 1, 2"),
)


def mined(cases: Iterable[Case]) -> dict[str, set[str]]:
    """What each query must give, a line a row."""
    follows, within = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    variants, starts, ends = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for case in cases:
        edges = [(facility, before, kind) for (_, before), (facility, kind) in zip(case, case[1:])]
        follows.update(edges)
        within.update(set(edges))
        facility = case[0][0]
        variants[facility, " ".join(kind for _, kind in case)] += 1
        starts[facility, case[0][1]] += 1
        ends[facility, case[-1][1]] += 1
    edge_rows = {"|".join((*edge, str(number), str(within[edge]))) for edge, number in follows.items()}
    counts = {"workflow_variant": variants, "start": starts, "end": ends}
    return {name: edge_rows for name, _ in QUERIES if name.startswith("directly_follows")} | {
        name: {"|".join((*key, str(number))) for key, number in counter.items()} for name, counter in counts.items()}


def differences(database: str, cases: Iterable[Case]) -> Iterator[tuple[str, list[str]]]:
    """The name of each query, and what is wrong."""
    expected = mined(cases)
    for name, query in QUERIES:
        found = set(psql.run(database, f"{query};\n").splitlines())
        wrong = [*(f"missing: {row}" for row in sorted(expected[name] - found)),
                 *(f"unexpected: {row}" for row in sorted(found - expected[name]))]
        yield name, wrong[:10] if expected[name] else ["there is nothing to compare"]


# --- a feed -----------------------------------------------------------------------------------------------------------

class Joined:
    """Names of which some are one."""

    def __init__(self) -> None:
        self.other: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}

    def root(self, name: tuple[Cell, ...]) -> tuple[Cell, ...]:
        while name in self.other:
            name = self.other[name]
        return name

    def join(self, one: tuple[Cell, ...], other: tuple[Cell, ...]) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self.other[one] = other


def cases_of(feed: Feed) -> list[Case]:
    """The cases of a feed's events that nobody retracts, of no test patient."""
    def cells(row: Row, *columns: str) -> tuple[Cell, ...]:
        return tuple(feed.cell(row, column) if column in feed.columns else None for column in columns)

    def place(row: Row) -> tuple[object, ...]:
        at, sequence = cells(row, "occurred_at", "source_sequence")
        rest = cells(row, "kind", "subject", "item", "code", "value", "source_system", "actor")
        return (datetime.fromisoformat(str(at).replace("Z", "+00:00")), int(sequence or 0),
                *((cell is not None, (cell or "").encode()) for cell in rest))

    live = feed.live()
    patients, encounters = Joined(), Joined()
    for row in live:
        patient, kind, subject = cells(row, "patient_id", "kind", "subject")
        if kind == "patient.merged" and subject:
            patients.join((patient,), (subject,))
    for row in live:
        patient, kind, encounter, subject = cells(row, "patient_id", "kind", "encounter_id", "subject")
        if kind == "encounter.merged" and encounter is not None and subject is not None:
            root = patients.root((patient,))
            encounters.join((*root, encounter), (*root, subject))
    path = feed.folder / "test_patient.csv"
    tests = {patients.root((row[0],)) for row in table.read(path)[1]} if path.exists() else set()
    cases: dict[tuple[Cell, ...], list[tuple[str, str]]] = {}
    for row in sorted(live, key=place):
        patient, encounter, facility, kind = cells(row, "patient_id", "encounter_id", "facility", "kind")
        root = patients.root((patient,))
        if encounter is not None and root not in tests:
            cases.setdefault(encounters.root((*root, encounter)), []).append((facility or "", str(kind)))
    return list(cases.values())


def check_feed(folder: Path, keep: bool) -> Iterator[tuple[str, list[str]]]:
    """The same of a folder of events."""
    feed = Feed(folder)
    with psql.database(keep) as database:
        psql.run(database, transaction(feed.setup() + feed.months()) + transaction(feed.script(feed.steps, by_copy=True)))
        yield from differences(database, cases_of(feed))


# --- the log of artificial patients -----------------------------------------------------------------------------------

def check_patients(log: Path, keep: bool) -> Iterator[tuple[str, list[str]]]:
    """The same of the log of artificial patients, in its own order; a kind is an activity that starts or is complete."""
    cases: dict[str, list[tuple[str, str]]] = {}
    events = []
    with log.open(encoding="utf-8", newline="") as file:
        rows = sorted(enumerate(csv.DictReader(file)), key=lambda numbered: (numbered[1]["time"], numbered[0]))
    for n, row in rows:
        kind = f"{row['handling']}.{row['registration_type']}".lower().replace(" ", "_").replace("-", "_")
        cases.setdefault(row["patient"], []).append(("", kind))
        events.append((row["time"], str(n), row["patient"], row["patient"], kind, row["employee"]))
    kinds = sorted({kind for case in cases.values() for _, kind in case})
    with psql.database(keep) as database:
        psql.run(database, transaction(
            copy_rows("event_kind", ("kind", "category", "counts_as_work", "description"),
                      [(kind, "patients", "t", "an activity of the patients log") for kind in kinds])
            + copy_rows("event", ("occurred_at", "source_sequence", "patient_id", "encounter_id", "kind", "actor"), events)))
        yield from differences(database, list(cases.values()))
