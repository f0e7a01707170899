"""Throwaway databases, and scripts run in them by psql."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from typing import Callable, Collection, Iterator, Sequence

PREFIX = f"wt_oracle_{os.getpid()}"
TEMPLATE = f"{PREFIX}_template"
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"
AHEAD = os.environ.get("AHEAD")  # a database that has the extension and its tables already, where making them takes minutes
ATTEMPTS = 200
LEVELS = ("read committed", "read committed", "repeatable read", "serializable")

# Nothing may depend on the time zone of a session, so let it be one that has summer time.  Nobody analyzed these small
# databases, and for want of statistics the server would spend seconds on compiling their queries.
ENVIRONMENT = {**os.environ, "PGTZ": "America/Chicago", "PGCLIENTENCODING": "UTF8", "PGDATABASE": "postgres",
               "PGOPTIONS": "-c client_min_messages=warning -c jit=off"}

_number = count(1)


class Failed(Exception):
    """psql stopped at an error."""


def _psql(database: str, script: str) -> subprocess.CompletedProcess[str]:
    command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", database, "-f", "-"]
    return subprocess.run(command, input=script, text=True, encoding="utf-8", capture_output=True, env=ENVIRONMENT)


def run(database: str, script: str) -> str:
    """Runs a script and gives what it prints."""
    result = _psql(database, script)
    if result.returncode != 0:
        raise Failed(result.stderr.strip())
    return result.stdout


def run_session(database: str, transactions: Sequence[str], settings: str, again: Collection[str]) -> Counter[str]:
    """Runs transactions in one session; as clients must, in a new one again from one that failed with such a SQLSTATE.

    How often that happened, by SQLSTATE.  One that fails so ATTEMPTS times with nothing done is starved: a fault.
    """
    retries = Counter[str]()
    attempts = 0
    while attempts < ATTEMPTS:
        result = _psql(database, settings + "".join(f"{t}\\echo done\n" for t in transactions))
        if result.returncode == 0:
            return retries
        error = re.search(r"ERROR:  (\w{5}):", result.stderr)
        if error is None or error[1] not in again:
            raise Failed(result.stderr.strip())
        retries[error[1]] += 1
        done = result.stdout.splitlines().count("done")
        transactions = transactions[done:]
        attempts = 0 if done else attempts + 1
    raise Failed(f"failed in {ATTEMPTS} attempts: {result.stderr.strip()}")


def run_sessions(database: str, sessions: Sequence[Sequence[str]], again: Collection[str],
                 levels: Sequence[str] = LEVELS) -> Counter[str]:
    """Runs several sessions at once, each at an isolation level of its own.

    How often they had to try again, by SQLSTATE and level.
    """
    def session(transactions: Sequence[str], level: str) -> Counter[str]:
        retries = run_session(database, transactions, f"SET default_transaction_isolation = '{level}';\n", again)
        return Counter({f"{state} at {level}": times for state, times in retries.items()})
    with ThreadPoolExecutor(len(sessions)) as threads:
        running = [threads.submit(session, work, levels[n % len(levels)]) for n, work in enumerate(sessions)]
        return sum((session.result() for session in running), Counter[str]())


@contextmanager
def template() -> Iterator[None]:
    """With the database that others are copied from: the extension, its tables, and no workflow."""
    run("postgres", f"CREATE DATABASE {TEMPLATE} TEMPLATE {AHEAD or 'template0'} ENCODING 'UTF8';\n")
    with cleanup(lambda: drop(TEMPLATE)):
        if AHEAD is None:
            run(TEMPLATE, "CREATE EXTENSION workflow_track; SELECT workflow_track.setup();\n")
        run(TEMPLATE, "SELECT workflow_track.set_workflow_state('default', 1, 'retired');\n")
        yield


@contextmanager
def database(keep: bool = False) -> Iterator[str]:
    """A new copy of the template, dropped in the end or kept."""
    name = f"{PREFIX}_{next(_number)}"
    run("postgres", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE};\n")
    with cleanup(lambda: None if keep else drop(name)):
        yield name


@contextmanager
def cleanup(clean: Callable[[], object]) -> Iterator[None]:
    """Calls `clean` in the end; if that fails after another failure, only the first is told."""
    try:
        yield
    except BaseException:
        with suppress(Failed):
            clean()
        raise
    clean()


def drop(name: str) -> None:
    run(name, "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database()"
              " \\gexec\n")
    run("postgres", f"DROP DATABASE {name};\n")
