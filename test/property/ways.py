"""Ways to put the same facts in: all of them must lead to the same reports.

A way is drawn from its number: in which order and in batches of which sizes, by how many sessions at which isolation
levels, with which statements and by whom, in transactions of which shape, what else changes in between, and whether
another database finds it by logical replication.  Of each there is enough in every block of ways (decks.py).
Events that come in messages do so in every way.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Callable, Iterator, Sequence

import psql
from coverage import sent
from decks import BLOCK, dealt
from feed import Retraction, literal, transaction
from inbound import InboundFeed, Message, statements as inbound_statements
from messages import copy
from modes import CLEAR_LINKS, Session, Stage, cut, right_links, turn_away, turn_back, wrong_event, wrong_links
from table import Row

LEVELS = ("read committed", "repeatable read", "serializable")
LARGE_BATCHES = "1,000 and 10,000"
SIZES = ((1, 1), (1, 4), (1, 4), (1, 40), (20, 400), (10000, 10000))
PATIENCE = 600  # tenths of a second for replication

# How a site may record by means of its own.
SITE = """
CREATE SCHEMA site;
CREATE FUNCTION site.record(entries jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflow_track.event ({columns})
        SELECT {columns} FROM jsonb_populate_recordset(NULL::workflow_track.event, entries);
END $$;
-- One by one, each after an attempt that fails.
CREATE FUNCTION site.attempt(entries jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entry jsonb;
BEGIN
    FOR entry IN SELECT jsonb_array_elements(entries) LOOP
        BEGIN
            PERFORM site.record(jsonb_build_array(entry, entry || '{{"kind": "no.kind"}}'));
        EXCEPTION WHEN foreign_key_violation THEN
        END;
        PERFORM site.record(jsonb_build_array(entry));
    END LOOP;
END $$;
CREATE TABLE site.queue (entry jsonb);
CREATE PROCEDURE site.work_off() LANGUAGE plpgsql AS $$
DECLARE
    next jsonb;
BEGIN
    LOOP
        DELETE FROM site.queue WHERE ctid = (SELECT ctid FROM site.queue FOR UPDATE SKIP LOCKED LIMIT 1)
            RETURNING entry INTO next;
        EXIT WHEN NOT FOUND;
        PERFORM site.record(jsonb_build_array(next));
        COMMIT;
    END LOOP;
END $$;
CREATE PROCEDURE site.read_again() LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    FOR next IN SELECT message_id FROM workflow_track.message ORDER BY message_id LOOP
        PERFORM workflow_track.reprocess(next);
        COMMIT;
    END LOOP;
END $$;
CREATE FUNCTION site.entered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM site.record(NEW.entries);
    RETURN NULL;
END $$;
CREATE TABLE site.desk (entries jsonb);
CREATE TRIGGER entered AFTER INSERT ON site.desk FOR EACH ROW EXECUTE FUNCTION site.entered();
CREATE TABLE site.later (entries jsonb);
CREATE CONSTRAINT TRIGGER entered AFTER INSERT ON site.later DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION site.entered();
GRANT USAGE ON SCHEMA site TO workflow_track_recorder;
GRANT INSERT ON site.desk, site.later, site.queue TO workflow_track_recorder;
"""

# --- statements that record -------------------------------------------------------------------------------------------


def entries(feed: InboundFeed, rows: Sequence[Row]) -> str:
    """Events as a JSON literal."""
    def entry(row: Row) -> dict[str, object]:
        cells = {column: cell for column, cell in zip(feed.columns, row) if cell is not None}
        return {column: json.loads(cell) if column == "detail" else cell for column, cell in cells.items()}
    return literal(json.dumps([entry(row) for row in rows]))


def recordset(feed: InboundFeed, source: str) -> str:
    return (f"INSERT INTO workflow_track.event ({', '.join(feed.columns)}) SELECT {', '.join(feed.columns)}"
            f" FROM jsonb_populate_recordset(NULL::workflow_track.event, {source})")


def merge(feed: InboundFeed, rows: Sequence[Row]) -> str:
    return (f"MERGE INTO workflow_track.event AS e USING jsonb_populate_recordset(NULL::workflow_track.event,"
            f" {entries(feed, rows)}) AS x ON false WHEN NOT MATCHED THEN INSERT ({', '.join(feed.columns)})"
            f" VALUES ({', '.join(f'x.{column}' for column in feed.columns)});\n")


Step = Row | Message | Retraction
Form = Callable[[InboundFeed, Sequence[Row]], list[str]]
FORMS: dict[str, Form] = {
    "INSERT": lambda feed, rows: [feed.insert(rows)],
    "INSERT a row": lambda feed, rows: [feed.insert([row]) for row in rows],
    "ON CONFLICT DO NOTHING": lambda feed, rows: [feed.insert(rows).rstrip(";\n") + " ON CONFLICT DO NOTHING;\n"],
    "WITH": lambda feed, rows: [
        f"WITH new AS ({recordset(feed, entries(feed, rows))} RETURNING 1) SELECT FROM new LIMIT 0;\n"],
    "EXECUTE": lambda feed, rows: [f"PREPARE record (jsonb) AS {recordset(feed, '$1')};\n"
                                   f"EXECUTE record ({entries(feed, rows)});\nDEALLOCATE record;\n"],
    "COPY": lambda feed, rows: [feed.copy(rows)],
    "MERGE": lambda feed, rows: [merge(feed, rows)],
    "record_event()": lambda feed, rows: [feed.call(row) for row in rows],
    "a function": lambda feed, rows: [f"SELECT site.record({entries(feed, rows)});\n"],
    "a function with exceptions": lambda feed, rows: [f"SELECT site.attempt({entries(feed, rows)});\n"],
    "a trigger": lambda feed, rows: [f"INSERT INTO site.desk VALUES ({entries(feed, rows)});\n"],
    "a deferred trigger": lambda feed, rows: [f"INSERT INTO site.later VALUES ({entries(feed, rows)});\n"],
    "a queue": lambda feed, rows: [f"INSERT INTO site.queue SELECT jsonb_array_elements({entries(feed, rows)});\n"],
}
LATER = "a deferred trigger"  # so late that no statement of the same transaction can retract
QUEUE = "a queue"  # of which a procedure takes one after the other

# --- transactions -----------------------------------------------------------------------------------------------------

Shape = Callable[[Sequence[str], random.Random, str], list[str]]


def whole(parts: Sequence[str], rng: random.Random, name: str) -> list[str]:
    return [transaction("".join(parts))]


def each(parts: Sequence[str], rng: random.Random, name: str) -> list[str]:
    return list(parts)


def given_up(parts: Sequence[str], rng: random.Random, name: str) -> list[str]:
    """A transaction that is rolled back, and the same again."""
    script = "".join(parts)
    return [f"BEGIN;\n{script}ROLLBACK;\n{transaction(script)}"]


def savepoints(parts: Sequence[str], rng: random.Random, name: str) -> list[str]:
    """Each statement is rolled back to a savepoint, and then done again or in a savepoint that is released."""
    def again(part: str) -> str:
        return rng.choice((f"SAVEPOINT a;\n{part}ROLLBACK TO a;\n{part}", f"SAVEPOINT a;\n{part}RELEASE a;\n",
                           f"SAVEPOINT a;\nSAVEPOINT b;\n{part}RELEASE b;\nROLLBACK TO a;\n{part}RELEASE a;\n",
                           f"SAVEPOINT a;\nSAVEPOINT b;\n{part}ROLLBACK TO b;\n{part}RELEASE a;\n"))
    return [transaction("".join(map(again, parts)))]


def constraints(parts: Sequence[str], rng: random.Random, name: str) -> list[str]:
    """Constraints are made immediate, and perhaps deferred again, in the midst."""
    settings = ("", "SET CONSTRAINTS ALL IMMEDIATE;\n", "SET CONSTRAINTS ALL DEFERRED;\n")
    return [transaction("".join(rng.choice(settings) + part for part in parts) + rng.choice(settings))]


def prepared(parts: Sequence[str], rng: random.Random, name: str) -> list[str]:
    """In two phases, some at the second attempt."""
    first = f"BEGIN;\n{''.join(parts)}PREPARE TRANSACTION '{name}';\n"
    again = f"{first}ROLLBACK PREPARED '{name}';\n" if rng.random() < .3 else ""
    return [f"{again}{first}COMMIT PREPARED '{name}';\n"]


SHAPES: dict[str, Shape] = {
    "transactions": whole, "statements by themselves": each, "transactions at the second attempt": given_up,
    "transactions with savepoints": savepoints, "transactions with SET CONSTRAINTS": constraints,
    "prepared transactions": prepared}

# --- changes ----------------------------------------------------------------------------------------------------------


@dataclass
class Change:
    """What is otherwise at first, what puts it right in between, and what is left to do in the end."""

    before: list[str]
    during: list[str]
    after: list[str]


READ_AGAIN = "CALL site.read_again();\n"
CATCH_UP, REBUILD = "CALL workflow_track.catch_up();\n", "CALL workflow_track.rebuild(3);\n"
KINDS = "UPDATE workflow_track.event_kind SET counts_as_work = NOT counts_as_work;\n"


def other_rules(feed: InboundFeed, rng: random.Random) -> Change:
    """Other staff and other maps, and other rules of messages, until all is there perhaps."""
    misread, read = ([feed.reads(False)], [feed.reads(True), READ_AGAIN]) if feed.has_messages else ([], [])
    return Change([turn_away(feed), *misread],
                  [*map(transaction, turn_back(feed)), rng.choice(("", CATCH_UP)), *rng.choice(([], read))],
                  [*read, CATCH_UP])


def other_links(feed: InboundFeed, rng: random.Random) -> Change:
    """Other aliases and test patients."""
    return Change([transaction(CLEAR_LINKS + wrong_links(feed, rng))], [transaction(right_links(feed) + feed.aliases(told=True))], [])


def other_kinds(feed: InboundFeed, rng: random.Random) -> Change:
    """Work that does not count."""
    return Change([KINDS], [KINDS], [CATCH_UP])


def pause(feed: InboundFeed, rng: random.Random) -> Change:
    """Detection is paused at first."""
    return Change(["SELECT workflow_track.pause_detection();\n"], ["SELECT workflow_track.resume_detection();\n"],
                  [rng.choice((CATCH_UP, REBUILD))])


def months(feed: InboundFeed) -> str:
    return f"BEGIN ISOLATION LEVEL READ COMMITTED;\n{feed.months()}COMMIT;\n"


def care(feed: InboundFeed, rng: random.Random) -> Change:
    """What runs every hour or night, months that are made, setup(), and messages that are read again."""
    jobs = [CATCH_UP, REBUILD, "SELECT workflow_track.maintain();\n", months(feed),
            "VACUUM ANALYZE workflow_track.event, workflow_track.loop_state, workflow_track.patient_state;\n",
            "SELECT workflow_track.setup();\n"]
    return Change([], rng.sample(jobs, 3) + [READ_AGAIN] * feed.has_messages, [])


REREAD = "other rules at first"  # of messages too
CHANGES: dict[str, Callable[[InboundFeed, random.Random], Change]] = {
    REREAD: other_rules, "other links at first": other_links, "other kinds at first": other_kinds,
    "a pause": pause, "maintenance": care}
NOISE = "errors"  # events that are retracted in the end
UNPAUSED = (REREAD, "maintenance")  # may call what is refused during a pause


def plain(feed: InboundFeed) -> str:
    """One load, all of which is evaluated at once."""
    first, then = "SELECT workflow_track.pause_detection();\n", "SELECT workflow_track.resume_detection();\n"
    inboxes = [copy([message.body.encode() for message in messages])
               for messages in ([*feed.messages.values(), *feed.others], feed.late) if messages]
    return (transaction(feed.setup()) + months(feed) + first + feed.copy(feed.rows()) + "".join(inboxes)
            + transaction("".join(feed.retract(retraction.of) for retraction in feed.by_hand())) + then + REBUILD)


# --- the way ----------------------------------------------------------------------------------------------------------

ORDERS = ("in order", "shuffled", "shuffled", "by time", "backwards")
SESSIONS: list[tuple[int, tuple[str, ...]]] = [
    *((sessions, (level,)) for sessions in (1, 2, 8) for level in LEVELS), (8, LEVELS)]
CHANGED = (NOISE, *CHANGES)
PAIRS = [pair for pair in combinations(CHANGED, 2) if "a pause" not in pair or not set(pair) & set(UNPAUSED)]
SETS: list[tuple[str, ...]] = [*[()] * 9, *[(change,) for change in CHANGED] * 3, *PAIRS]
# By one, by two or three, and by nearly all, but for the queue, which would hold back every retraction.
NAMES = list(FORMS)
MIXED: list[tuple[str, ...]] = [
    *((name,) for name in NAMES), *zip(NAMES, NAMES[5:] + NAMES[:5]),
    *zip(NAMES, NAMES[1:] + NAMES[:1], NAMES[4:] + NAMES[:4]), tuple(name for name in NAMES if name != QUEUE)]
SHAPED: list[tuple[str, ...]] = [*[(name,) for name in SHAPES] * 3, *combinations(SHAPES, 2), *[tuple(SHAPES)] * 7]
# Of one way a block, which has a large hospital to itself.
BULK = ("INSERT", "COPY", "MERGE", "WITH", "EXECUTE", "a function", "a trigger", LATER)
BULK_SHAPES = tuple(name for name in SHAPES if name != "statements by themselves")
BULK_SIZES = (1000, 10_000)


def is_large(number: int) -> bool:
    """Is a way the one of its block that has a large hospital?"""
    return number % BLOCK == BLOCK - 1


class Way:
    """One way, drawn from its number."""

    def __init__(self, number: int):
        self.number = number
        self.is_large = is_large(number)
        self.rng = random.Random(f"way {number}")
        self.order = dealt("order", number, ORDERS)
        self.least, self.most = dealt("sizes", number, SIZES)
        self.sessions, self.levels = dealt("sessions", number, SESSIONS)
        self.forms, self.shapes = dealt("forms", number, MIXED), dealt("shapes", number, SHAPED)
        self.recorder = dealt("recorder", number, (True, False, False))
        self.changes = dealt("changes", number, SETS)
        self.at_once = dealt("at once", number, (True, False))
        self.months = dealt("months", number, (True, False))
        self.replicated = dealt("replicated", number, (True, *[False] * 6))
        if self.is_large:
            self.sessions, self.levels = 1, (LEVELS[number // BLOCK % len(LEVELS)],)
            self.forms, self.shapes = (self.rng.choice(BULK),), (self.rng.choice(BULK_SHAPES),)
            self.recorder, self.changes, self.replicated = False, (), False

    def __str__(self) -> str:
        sizes = "1" if self.most == 1 else "all" if self.least == 10000 else f"{self.least} to {self.most}"
        forms, shapes = (" and ".join(names) if len(names) <= 3 else "a mixture" for names in (self.forms, self.shapes))
        return ", ".join((
            f"{self.order} in batches of {LARGE_BATCHES if self.is_large else sizes}",
            f"{self.sessions} session{'s' * (self.sessions > 1)}",
            " and ".join(self.levels), f"by {forms}", f"in {shapes}",
            *(["as recorder"] if self.recorder else []),
            *(["months made at first"] if self.months else []),
            *([" and ".join(self.changes) + (" at once" if self.at_once else " by turns")] if self.changes else []),
            *(["replicated"] if self.replicated else [])))

    def covers(self, feed: InboundFeed) -> set[str]:
        """What there is in it; known once it was loaded."""
        return self.sent | set(self.levels) | {name for name, holds in (
            ("replicated", self.replicated), ("months made at first", self.months),
            (f"batches of {LARGE_BATCHES}", self.is_large),
            ("none may try again", not set(self.levels).isdisjoint(self.patient_levels(feed)))) if holds}

    def patient_levels(self, feed: InboundFeed) -> tuple[str, ...]:
        """At which levels no one may have to try again: where no patients are merged, all but SERIALIZABLE.

        At REPEATABLE READ those who store messages may, and those who take from one queue.
        """
        if NOISE in self.changes or any(feed.cell(row, "kind") == "patient.merged" for row in feed.events):
            return ()
        return LEVELS[:1] if feed.has_messages or QUEUE in self.forms else LEVELS[:2]

    def impatient(self, feed: InboundFeed, retries: Counter[str]) -> list[str]:
        """What had to be tried again and, as docs/operate.md says, should not have been."""
        if self.is_alone:
            return [f"{times} retries after {state}, in a session alone" for state, times in retries.items()]
        return [f"{times} retries after {state}, and no patients are merged" for state, times in retries.items()
                if state.endswith(self.patient_levels(feed))]

    def load(self, feed: InboundFeed, database: str) -> Counter[str]:
        """Puts a feed in; how often sessions had to try again."""
        stages = self.stages(feed)
        self.sent, self.is_alone = sent(stages[1:]), all(sum(map(bool, stage)) <= 1 for stage in stages)
        return sum((psql.run_sessions(database, stage, feed.again, self.levels) for stage in stages), Counter[str]())

    def replicate(self, feed: InboundFeed, database: str, receiver: str) -> Counter[str]:
        """The same while another database is sent what is recorded; maps, at first others perhaps, are its own."""
        others = REREAD in self.changes
        psql.run(receiver, feed.maps() + (turn_away(feed) if others else ""))
        with subscription(database, receiver) as arrived:
            retries = self.load(feed, database)
            arrived()
            psql.run(receiver, "".join(turn_back(feed) if others else ()) + CATCH_UP)
            return retries

    def stages(self, feed: InboundFeed) -> list[Stage]:
        rng = self.rng
        changes = [CHANGES[name](feed, rng) for name in self.changes if name in CHANGES]
        during = [script for change in changes for script in change.during if not self.is_misleading(feed, script)]
        streams, afterwards = self.streams(feed)
        start = [transaction(SITE.format(columns=", ".join(feed.columns)) + feed.setup()),
                 *([months(feed)] if self.months else []),
                 *(script for change in changes for script in change.before)]
        if self.at_once:
            main = [[*streams, during]]
        else:
            main = [[stream[:len(stream) // 2] for stream in streams], [during],
                    [stream[len(stream) // 2:] for stream in streams]]
        if QUEUE in self.forms:
            main.append([["CALL site.work_off();\n"]] * self.sessions)
        return [[start], *main, afterwards, [[script for change in changes for script in change.after]]]

    def is_misleading(self, feed: InboundFeed, script: str) -> bool:
        """Months made while another session has an older snapshot, by which their events are still elsewhere."""
        return script == months(feed) and self.at_once and self.levels != LEVELS[:1]

    def streams(self, feed: InboundFeed) -> tuple[Stage, Stage]:
        """What the sessions do, and what they do when all have done that."""
        rng = self.rng
        wrong: list[Row] = []
        if NOISE in self.changes:
            wrong = [wrong_event(feed, row, rng) for row in rng.sample(feed.events, len(feed.events) // 4)]
            wrong = [row for row in wrong if not feed.may_be_called_off(row)]  # that could not be retracted, too
            # two that come to the same name could not be told apart when retracted
            wrong = list({feed.retract(row): row for row in wrong}.values())
        retractions = {retraction.of: retraction for retraction in (*feed.by_hand(), *map(Retraction, wrong))}
        streams: list[list[tuple[float, Step]]] = [[] for _ in range(self.sessions)]
        afterwards: list[list[tuple[float, Step]]] = [[] for _ in range(self.sessions)]
        events = self.ordered(feed, [*feed.events, *wrong])
        for n, row in enumerate(events):
            stream = rng.choice(streams)
            stream.append((n, feed.messages.get(row, row)))
            if row in retractions:
                # at once or at some time by the same session, or when all is there by any
                when = rng.choice((n, rng.uniform(n, len(events)), len(events)))
                if self.is_large and rng.random() < .95:
                    when = len(events)  # lest few events are together in a statement
                late = when == len(events) or QUEUE in self.forms or (row in feed.messages and REREAD in self.changes)
                (rng.choice(afterwards) if late else stream).append((when, retractions[row]))
        for messages, among in ((feed.others, streams), (feed.late, afterwards)):
            for message in messages:
                rng.choice(among).append((rng.uniform(0, len(events)), message))

        def sessions(name: str, streams: Sequence[list[tuple[float, Step]]]) -> Stage:
            in_order = [[step for _, step in sorted(stream, key=lambda pair: pair[0])] for stream in streams]
            return [self.session(feed, steps, f"{name} {n}") for n, steps in enumerate(in_order)]
        return sessions("first", streams), sessions("then", afterwards)

    def ordered(self, feed: InboundFeed, rows: list[Row]) -> list[Row]:
        if self.order == "shuffled":
            self.rng.shuffle(rows)
        elif self.order != "in order":
            rows.sort(key=lambda row: str(feed.cell(row, "occurred_at")), reverse=self.order == "backwards")
        return rows

    def session(self, feed: InboundFeed, steps: Sequence[Step], name: str) -> Session:
        rng = self.rng
        scripts: Session = []
        for n, batch in enumerate(self.batches(steps)):
            shape = SHAPES[rng.choice(self.shapes)]
            scripts += shape(self.statements(feed, batch), rng, f"way {self.number} {name} {n}")
        return scripts

    def batches(self, steps: Sequence[Step]) -> list[Sequence[Step]]:
        """Steps of one transaction each, or of one statement and its transaction."""
        if not self.is_large:
            return cut(steps, self.rng, self.least, self.most)
        first, second = self.rng.sample(BULK_SIZES, 2)
        batches = [steps[:first], steps[first:first + second], *cut(steps[first + second:], self.rng, *BULK_SIZES[:1] * 2)]
        return [batch for batch in batches if batch]

    def statements(self, feed: InboundFeed, steps: Sequence[Step]) -> list[str]:
        """Steps in their order, neighbouring events together as far as the form allows."""
        rng = self.rng
        retracts = any(isinstance(step, Retraction) for step in steps)
        parts: list[str] = []
        for _, group in groupby(steps, type):
            some = list(group)
            rows = [step for step in some if isinstance(step, tuple)]
            messages = [step for step in some if isinstance(step, Message)]
            for batch in cut(rows, rng, 1, len(rows)):
                form = rng.choice(self.forms)
                if form == LATER and retracts:
                    form = "INSERT"
                parts += map(self.by_whom, FORMS[form](feed, batch))
            for batch in cut(messages, rng, 1, len(messages)):
                parts += map(self.by_whom, inbound_statements(batch, rng))
            parts += [feed.retract(step.of) for step in some if isinstance(step, Retraction)]
        return parts

    def by_whom(self, statement: str) -> str:
        return f"SET ROLE workflow_track_recorder;\n{statement}RESET ROLE;\n" if self.recorder else statement


@contextmanager
def subscription(database: str, receiver: str) -> Iterator[Callable[[], None]]:
    """With what is recorded in a database sent to another; gives what waits until all has arrived."""
    slot = f"'{receiver}'"
    psql.run(database, f"""
        CREATE PUBLICATION sent FOR TABLE workflow_track.event, workflow_track.retraction, workflow_track.staff,
            workflow_track.cancellation, workflow_track.facility, workflow_track.subject_alias, workflow_track.test_patient
            WITH (publish_via_partition_root = true);
        SELECT pg_create_logical_replication_slot({slot}, 'pgoutput');\n""")
    # a slot of the same server is made apart: CREATE SUBSCRIPTION would wait for itself
    where = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER"}
    connection = " ".join(f"{key}={os.environ[name]}" for key, name in where.items() if name in os.environ)
    psql.run(receiver, f"""
        CREATE SUBSCRIPTION sent CONNECTION {literal(f"{connection} dbname={database}")} PUBLICATION sent
            WITH (create_slot = false, slot_name = {slot}, copy_data = false);\n""")

    def arrived() -> None:
        sent = psql.run(database, "SELECT pg_current_wal_lsn();\n").strip()
        for _ in range(PATIENCE):
            if psql.run(database, f"SELECT confirmed_flush_lsn >= '{sent}' FROM pg_replication_slots"
                        f" WHERE slot_name = {slot};\n").strip() == "t":
                return
            time.sleep(.1)
        raise psql.Failed(f"{receiver} does not receive what {database} sends")

    with psql.cleanup(lambda: psql.run(receiver, "DROP SUBSCRIPTION sent;\n")):
        yield arrived
