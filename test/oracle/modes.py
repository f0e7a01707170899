"""Ways to load one feed; all of them must lead to the same reports.

A mode gives stages, one after the other; a stage is sessions that run at once; a session is transactions in order.
"""

from __future__ import annotations

import random
from typing import Any, Callable, Sequence, TypeVar

from feed import Feed, Retraction, Step, copy_rows, define, distinct, literal, transaction
from table import Row

Session = list[str]
Stage = list[Session]
Mode = Callable[[Feed, random.Random], list[Stage]]
T = TypeVar("T")

SESSIONS = 4
NOISE = 1_000_000  # source_sequence of events that are retracted in the end
CLEAR_LINKS = "DELETE FROM workflow_track.subject_alias;\nDELETE FROM workflow_track.test_patient;\n"


def cut(steps: Sequence[T], rng: random.Random, least: int, most: int) -> list[Sequence[T]]:
    """The steps in batches of random sizes."""
    batches, at = [], 0
    while at < len(steps):
        size = rng.randint(least, most)
        batches.append(steps[at:at + size])
        at += size
    return batches


def shuffle(feed: Feed, rng: random.Random) -> list[Step]:
    """The events in another order, each retraction somewhere after its event."""
    order: list[tuple[float, Step]] = []
    retractions = {retraction.of: retraction for retraction in feed.retractions}
    for row in feed.events:
        at = rng.random()
        order.append((at, row))
        if row in retractions:
            order.append((rng.uniform(at, 1), retractions[row]))
    return [step for _, step in sorted(order, key=lambda pair: pair[0])]


def setup(feed: Feed) -> Session:
    return [transaction(feed.setup())]


def batches(feed: Feed, rng: random.Random, steps: Sequence[Step], least: int = 1, most: int = 100) -> Session:
    """Transactions of some steps each, by COPY and by INSERT."""
    return [transaction(feed.script(batch, by_copy=rng.random() < .5)) for batch in cut(steps, rng, least, most)]


def in_order(feed: Feed, rng: random.Random) -> Session:
    return batches(feed, rng, feed.steps, 50, 50)


# --- the modes --------------------------------------------------------------------------------------------------------

def feed_order(feed: Feed, rng: random.Random) -> list[Stage]:
    """As it comes, fifty at a time."""
    return [[setup(feed) + in_order(feed, rng)]]


def shuffled(feed: Feed, rng: random.Random) -> list[Stage]:
    """In another order and other batches."""
    return [[setup(feed) + batches(feed, rng, shuffle(feed, rng))]]


def single(feed: Feed, rng: random.Random) -> list[Stage]:
    """A transaction a row, by INSERT and by record_event in turn."""
    scripts = []
    for n, step in enumerate(feed.steps):
        scripts.append(feed.script([step]) if isinstance(step, Retraction) or n % 2 else feed.call(step))
    return [[setup(feed) + scripts]]


def copy(feed: Feed, rng: random.Random) -> list[Stage]:
    """All events by one COPY, then the retractions."""
    return [[setup(feed) + [feed.months(), feed.script(feed.events, by_copy=True), feed.script(feed.retractions)]]]


def four(feed: Feed, rng: random.Random) -> list[Stage]:
    """Four sessions at once, for the same patients; then four that retract."""
    def split(steps: Sequence[Step]) -> Stage:
        return [batches(feed, rng, steps[n::SESSIONS], 1, 20) for n in range(SESSIONS)]
    events: list[Step] = [step for step in shuffle(feed, rng) if not isinstance(step, Retraction)]
    return [[[*setup(feed), feed.months()]], split(events), split(feed.retractions)]


def late(feed: Feed, rng: random.Random) -> list[Stage]:
    """Staff and workflow maps after the events."""
    return [[[transaction(feed.patients()), *in_order(feed, rng), transaction(feed.staff() + feed.maps()),
              "CALL workflow_track.catch_up();\n"]]]


def turn(feed: Feed, rng: random.Random) -> list[Stage]:
    """With other staff and maps while the first half comes, which count no more in the end."""
    half = len(feed.steps) // 2
    return [[[*setup(feed), turn_away(feed), *batches(feed, rng, feed.steps[:half]),
              transaction("".join(turn_back(feed))), *batches(feed, rng, feed.steps[half:]),
              "CALL workflow_track.catch_up();\n"]]]


def race(feed: Feed, rng: random.Random) -> list[Stage]:
    """Staff, maps, aliases and test patients change, and are caught up with, while three sessions record."""
    def slow(script: str) -> str:
        return transaction(script + f"SELECT pg_sleep({rng.uniform(0, .01):.6f});\n")
    events = [step for step in shuffle(feed, rng) if not isinstance(step, Retraction)]
    recorders = [[slow(feed.script(batch)) for batch in cut(events[n::3], rng, 1, 20)] for n in range(3)]
    changes = [slow(change) for change in (*turn_back(feed), feed.patients())]
    return [[[transaction(feed.staff() + feed.maps()), turn_away(feed)]],
            [[*changes, _evaluate(rng)], *recorders], [[feed.script(feed.retractions)]]]


def pending(feed: Feed, rng: random.Random) -> list[Stage]:
    """Staff and maps change, and are caught up with, while a transaction that went by the others is in doubt."""
    name = f"'oracle pending {id(feed)}'"
    doubtful = f"BEGIN;\n{feed.script(feed.steps)}PREPARE TRANSACTION {name};\n"
    changes = map(transaction, turn_back(feed))
    return [[[*setup(feed), turn_away(feed), doubtful]],
            [[*changes, _evaluate(rng)], [f"SELECT pg_sleep(0.2);\nCOMMIT PREPARED {name};\n"]]]


def _evaluate(rng: random.Random) -> str:
    """What evaluates again, or even everything."""
    return f"CALL workflow_track.{rng.choice(('catch_up', 'rebuild'))}();\n"


def _current(feed: Feed) -> list[dict[str, Any]]:
    return [document for document in feed.documents if document["state"] == "current"]


def turn_away(feed: Feed) -> str:
    """Other staff, and other maps than the current ones."""
    others = [_other(document) for document in _current(feed)]
    return transaction("UPDATE workflow_track.staff SET role = reverse(role), is_shared_inbox = NOT is_shared_inbox,"
                       " active_during = NULL;\n" + _state(_current(feed), "retired") + "".join(map(define, others)))


def turn_back(feed: Feed) -> list[str]:
    """Changes that put right staff and maps."""
    others = [_other(document) for document in _current(feed)]
    return ["DELETE FROM workflow_track.staff WHERE actor < 'M';\n" + feed.staff(lambda actor: actor < "M"),
            "DELETE FROM workflow_track.staff WHERE actor >= 'M';\n" + feed.staff(lambda actor: actor >= "M"),
            _state(others, "retired"), *(_state([document], "current") for document in _current(feed))]


def _other(document: dict[str, Any]) -> dict[str, Any]:
    """A version of a map that expects other things."""
    def changed(part: str, **changes: Any) -> list[dict[str, Any]]:
        return distinct(rule | changes for rule in document.get(part, ()))
    return document | {"version": 99, "steps": changed("steps", delivered_to=["nobody"]),
                       "expectations": changed("expectations", within="5 minutes", early="3 hours", by=["redivorp"]),
                       "duplicates": changed("duplicates", within="3 hours", same=["code"]),
                       "billing": changed("billing", within="5 minutes", documented_by=["note.signed"], requires_modifiers=["77"])}


def _state(documents: list[dict[str, Any]], state: str) -> str:
    return "".join(f"SELECT workflow_track.set_workflow_state({literal(d['workflow'])}, {d['version']}, '{state}');\n"
                   for d in documents)


def alias(feed: Feed, rng: random.Random) -> list[Stage]:
    """Aliases and test patients after the events, in place of others."""
    return [[[transaction(feed.staff() + feed.maps() + wrong_links(feed, rng)), *in_order(feed, rng),
              transaction(right_links(feed))]]]


def wrong_links(feed: Feed, rng: random.Random) -> str:
    """Other aliases and test patients."""
    about = [row for row in feed.events if feed.cell(row, "subject")]
    others = {(feed.cell(a, "patient_id"), feed.cell(a, "subject")): feed.cell(b, "subject")
              for a, b in zip(rng.sample(about, 20), rng.sample(about, 20))}
    tests = {(feed.cell(row, "patient_id"),) for row in rng.sample(feed.events, 2)}
    return (copy_rows("subject_alias", ("patient_id", "alias", "subject"),
                      [(*key, subject) for key, subject in others.items() if subject != key[1]])
            + copy_rows("test_patient", ("patient_id",), sorted(tests)))


def right_links(feed: Feed) -> str:
    """Those of the feed in the place of others."""
    return CLEAR_LINKS + feed.patients()


def noise(feed: Feed, rng: random.Random) -> list[Stage]:
    """With events, merges above all, that are retracted in the end."""
    wrong = [wrong_event(feed, row, rng) for row in rng.sample(feed.events, len(feed.events) // 4)]
    # two that come to the same name could not be told apart when retracted
    wrong = list({feed.retract(row): row for row in wrong}.values())
    steps: list[Step] = [*feed.events, *wrong]
    rng.shuffle(steps)
    back: list[Step] = [*feed.retractions, *map(Retraction, wrong)]
    rng.shuffle(back)
    return [[setup(feed) + batches(feed, rng, steps) + batches(feed, rng, back)]]


def wrong_event(feed: Feed, row: Row, rng: random.Random) -> Row:
    """An event like another, or a merge of two patients, or of two encounters."""
    other = rng.choice(feed.events)
    changed = {"source_sequence": str(NOISE)}
    what = rng.random()
    if what < .15:
        changed |= {"kind": "patient.merged", "subject": feed.cell(other, "patient_id")}
    elif what < .3 and feed.cell(row, "encounter_id") and feed.cell(other, "encounter_id"):
        changed |= {"kind": "encounter.merged", "subject": feed.cell(other, "encounter_id")}
    return tuple(changed.get(column, cell) for column, cell in zip(feed.columns, row))


def savepoint(feed: Feed, rng: random.Random) -> list[Stage]:
    """In transactions of several statements, some of them rolled back."""
    scripts = []
    for batch in cut(shuffle(feed, rng), rng, 2, 40):
        half = rng.randrange(len(batch))
        scripts.append(transaction(
            feed.script(batch[:half])
            + f"SAVEPOINT a;\n{feed.script(batch[half:])}ROLLBACK TO a;\n"
            + rng.choice(("", "SET CONSTRAINTS ALL IMMEDIATE;\n", "RELEASE a;\n"))
            + feed.script(batch[half:])))
    return [[setup(feed) + scripts]]


def prepared(feed: Feed, rng: random.Random) -> list[Stage]:
    """In two phases, with some transactions given up after the first."""
    scripts = []
    for n, batch in enumerate(cut(shuffle(feed, rng), rng, 2, 40)):
        first = f"BEGIN;\n{feed.script(batch)}PREPARE TRANSACTION 'oracle {id(feed)} {n}';\n"
        second = f"PREPARED 'oracle {id(feed)} {n}';\n"
        again = first + "ROLLBACK " + second if rng.random() < .3 else ""
        scripts.append(again + first + "COMMIT " + second)
    return [[setup(feed) + scripts]]


def pause(feed: Feed, rng: random.Random) -> list[Stage]:
    """As a backfill: detection paused, then everything rebuilt."""
    return [[setup(feed) + ["SELECT workflow_track.pause_detection();\n", *in_order(feed, rng),
                            "SELECT workflow_track.resume_detection();\n", "CALL workflow_track.rebuild();\n"]]]


def rebuild(feed: Feed, rng: random.Random) -> list[Stage]:
    """In another order, and everything rebuilt."""
    return [*shuffled(feed, rng), [["CALL workflow_track.rebuild();\n"]]]


MODES: dict[str, Mode] = {
    "feed": feed_order, "shuffled": shuffled, "single": single, "copy": copy, "four": four, "late": late, "turn": turn,
    "race": race, "pending": pending, "alias": alias, "noise": noise, "savepoint": savepoint, "prepared": prepared,
    "pause": pause, "rebuild": rebuild}
