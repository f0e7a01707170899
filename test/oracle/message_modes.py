"""Ways to load one feed of messages, with the rows that come beside them; stages and sessions are those of modes.py."""

from __future__ import annotations

import random
from typing import Callable, Sequence, TypeVar

from feed import transaction
from messages import MessageFeed, copy, ingest, insert
from modes import SESSIONS, Session, Stage, cut, setup

MessageMode = Callable[[MessageFeed, random.Random], list[Stage]]
T = TypeVar("T")


def payloads(feed: MessageFeed) -> list[bytes]:
    return [message.payload for message in feed.messages]


def rows(feed: MessageFeed) -> Session:
    """What comes from desks and by FHIR, each by one COPY."""
    return [transaction(feed.rows(feed.desk)), transaction(feed.rows(feed.fhir))]


def one_by_one(feed: MessageFeed, rng: random.Random) -> list[Stage]:
    """As it comes, a transaction a message."""
    return [[[*setup(feed), *map(ingest, payloads(feed)), *rows(feed)]]]


def inbox(feed: MessageFeed, rng: random.Random) -> list[Stage]:
    """All messages by one COPY, after the rows."""
    return [[[*setup(feed), *rows(feed), copy(payloads(feed))]]]


def disorder(feed: MessageFeed, rng: random.Random) -> list[Stage]:
    """The messages in another order, some in each transaction."""
    return [[[*setup(feed), *batches(shuffled(payloads(feed), rng), rng), *rows(feed)]]]


def sessions(feed: MessageFeed, rng: random.Random) -> list[Stage]:
    """Four sessions at once, for the same patients, each with a part of the messages and of the rows."""
    messages, others = shuffled(payloads(feed), rng), shuffled([*feed.desk, *feed.fhir], rng)
    stage = []
    for n in range(SESSIONS):
        session = batches(messages[n::SESSIONS], rng)
        session += [transaction(feed.copy(batch)) for batch in cut(others[n::SESSIONS], rng, 1, 100)]
        stage.append(shuffled(session, rng))
    return [[[*setup(feed), feed.months()]], stage]


def stream(feed: MessageFeed, rng: random.Random) -> list[Stage]:
    """All messages in one value, framed as they were sent."""
    return [[[*setup(feed), insert([feed.stream]), *rows(feed)]]]


def shuffled(items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))


def batches(messages: Sequence[bytes], rng: random.Random) -> Session:
    """Transactions of some messages each, by every way in."""
    ways = (copy, insert, lambda batch: "".join(map(ingest, batch)))
    return [transaction(rng.choice(ways)(batch)) for batch in cut(messages, rng, 1, 20)]


MESSAGE_MODES: dict[str, MessageMode] = {
    "ingest": one_by_one, "inbox": inbox, "disorder": disorder, "sessions": sessions, "stream": stream}
IN_ORDER = ("ingest", "inbox", "stream")  # the messages arrive in the order of the feed
AT_ONCE = ("sessions",)  # nobody knows their order
