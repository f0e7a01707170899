"""What the programs that compare reports have in common."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Iterable

import psql

PROJECT = Path(__file__).resolve().parents[2]
SHARED = PROJECT.parent / "shared"
THROWAWAY = """. "$1"; shift
trap tree_remove EXIT
tree_make
server_start fsync=off full_page_writes=off max_pred_locks_per_transaction=1000
"$@" """


class Tally:
    """Prints a line a group of tests, and counts them."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def report(self, group: str, results: Iterable[tuple[str, list[str]]], seconds: float | None = None) -> None:
        """The name of each test, and what is wrong; how long it took, unless that is as long as this takes."""
        started = time.monotonic()
        try:
            results = list(results)
        except psql.Failed as failure:
            results = [("psql", str(failure).splitlines())]
        if not results:
            return  # no mode was asked for
        bad = [(name, wrong) for name, wrong in results if wrong]
        self.passed += len(results) - len(bad)
        self.failed += len(bad)
        names = ", ".join(name for name, _ in bad or results)
        took = time.monotonic() - started if seconds is None else seconds
        print(f"{'not ok' if bad else 'ok'} - {group}: {names} ({took:.1f} s)")
        for name, wrong in bad:
            print("\n".join(f"# {line}" for line in (f"{name}:", *wrong)))
        sys.stdout.flush()

    def sum_up(self) -> int:
        """Prints the counts, and gives the status to exit with."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


def seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def in_throwaway_server() -> int:
    """Runs this program once more, on a server of its own."""
    return subprocess.run(["bash", "-c", THROWAWAY, "bash", PROJECT / "test/lib.sh", *sys.argv]).returncode


def has_oracle() -> bool:
    return (SHARED / "tools/hospital.py").exists()


def hospital(command: str, **options: object) -> None:
    """Runs tools/hospital.py."""
    words = [word for name, value in options.items()
             for word in (f"--{name.replace('_', '-')}", *(() if value is None else (str(value),)))]
    subprocess.run([sys.executable, "-B", SHARED / "tools/hospital.py", command, *words], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def expected(folder: Path, as_of: str, out: Path) -> None:
    """Has the oracle write the reports of a folder's events at a moment."""
    hospital("expected", events=folder / "events.csv", workflow=folder / "workflow.json", staff=folder / "staff.csv",
             aliases=folder / "subject_alias.csv", test_patients=folder / "test_patient.csv", as_of=as_of, out=out)
