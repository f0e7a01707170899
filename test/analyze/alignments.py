#!/usr/bin/env python3
"""Compares alignments of random traces with random workflows with those that a search of all ways finds.

    test/analyze/alignments.py [workflows (500)]

Runs on the server that PGHOST names, which must have the extension installed.
"""

from __future__ import annotations

import heapq
import json
import random
import subprocess
import sys
from dataclasses import dataclass, field

KINDS = [f"test.k{n}" for n in range(8)] + ["test.foreign"]
DATABASE = "alignments"


@dataclass
class Workflow:
    steps: list[dict[str, object]]
    transitions: set[tuple[int, int]]
    traces: list[list[str]] = field(default_factory=list)

    def document(self, version: int) -> dict[str, object]:
        return {"workflow": "random", "version": version, "steps": self.steps,
                "transitions": [[f"s{a}", f"s{b}"] for a, b in sorted(self.transitions)]}

    def ends(self, key: str) -> set[int]:
        """The steps that may be first (start), last (end): as said, else those that nothing leads to (from), else all."""
        said = {n for n, step in enumerate(self.steps) if step.get(key)}
        side = 1 if key == "start" else 0
        reached = {pair[side] for pair in self.transitions if pair[0] != pair[1]}
        return said or set(range(len(self.steps))) - reached or set(range(len(self.steps)))


def draw(rng: random.Random) -> Workflow:
    count = rng.randint(1, 12)
    steps: list[dict[str, object]] = []
    for n in range(count):
        step: dict[str, object] = {"step": f"s{n}", "kind": rng.choice(KINDS[:-1])}
        for key, share in (("optional", .3), ("repeatable", .25), ("start", .15), ("end", .15)):
            if rng.random() < share:
                step[key] = True
        steps.append(step)
    density = rng.choice((.1, .2, .4))
    transitions = {(n, n + 1) for n in range(count - 1) if rng.random() < .9}
    transitions |= {(a, b) for a in range(count) for b in range(count) if rng.random() < density / 2}
    workflow = Workflow(steps, transitions)
    for _ in range(4):
        trace = [rng.choice(KINDS) for _ in range(rng.randint(0, 30))]
        if rng.random() < .6:  # near to a run
            at, trace = rng.choice(sorted(workflow.ends("start"))), []
            while len(trace) < 30:
                if rng.random() < .85:
                    trace.append(str(steps[at]["kind"]))
                if rng.random() < .1:
                    trace.append(rng.choice(KINDS))
                following = [b for a, b in transitions if a == at]
                if not following or (at in workflow.ends("end") and rng.random() < .3):
                    break
                at = rng.choice(sorted(following))
        workflow.traces.append(trace[:30])
    return workflow


def cheapest(workflow: Workflow, trace: list[str]) -> int | None:
    """The cost of the cheapest way through trace and workflow; None if the workflow has no end."""
    starts, ends = workflow.ends("start"), workflow.ends("end")
    queue: list[tuple[int, int, int]] = [(0, 0, -1)]
    done: set[tuple[int, int]] = set()
    while queue:
        cost, read, at = heapq.heappop(queue)
        if (read, at) in done:
            continue
        done.add((read, at))
        if read == len(trace) and at in ends:
            return cost
        if read < len(trace):
            heapq.heappush(queue, (cost + 1, read + 1, at))
        for step, of in enumerate(workflow.steps):
            again = step == at and of.get("repeatable")
            if not (step in starts if at < 0 else (at, step) in workflow.transitions or again):
                continue
            heapq.heappush(queue, (cost + (0 if of.get("optional") else 1), read, step))
            if read < len(trace) and of["kind"] == trace[read]:
                heapq.heappush(queue, (cost, read + 1, step))
    return None


def psql(database: str, script: str) -> str:
    result = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"], input=script, text=True,
                            capture_output=True)
    if result.returncode != 0:
        raise SystemExit(result.stderr)
    return result.stdout


def main() -> int:
    rng = random.Random(1)
    workflows = [draw(rng) for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 500)]
    script = ["CREATE EXTENSION workflow_track; SET client_min_messages = warning;\n\\o /dev/null\nSELECT workflow_track.setup();\n",
              *(f"INSERT INTO workflow_track.event_kind VALUES ('{kind}', 'test', true, 'of a random workflow');\n" for kind in KINDS)]
    script += (f"SELECT workflow_track.define_workflow('{json.dumps(w.document(n))}');\n" for n, w in enumerate(workflows))
    script.append("\\o\n")
    expected: list[tuple[int, list[str], int]] = []
    for number, workflow in enumerate(workflows):
        for trace in workflow.traces:
            cost = cheapest(workflow, trace)
            if cost is not None:
                expected.append((number, trace, cost))
    for number, trace, _ in expected:
        # the moves must be a way through the trace, too
        script.append("SELECT coalesce(sum(cost), 0), coalesce(array_agg(kind ORDER BY n) FILTER (WHERE kind IS NOT NULL), '{}')"
                      f" FROM workflow_track.workflow_alignment('random', {number}, '{{{','.join(trace)}}}');\n")
    psql("postgres", f"DROP DATABASE IF EXISTS {DATABASE}; ".replace("; ", ";\n") + f"CREATE DATABASE {DATABASE};\n")
    try:
        found = psql(DATABASE, "".join(script)).splitlines()
    finally:
        psql("postgres", f"DROP DATABASE IF EXISTS {DATABASE};\n")
    wrong = [(number, trace, cost, line) for (number, trace, cost), line in zip(expected, found, strict=True)
             if line != f"{cost}|{{{','.join(trace)}}}"]
    for number, trace, cost, line in wrong[:5]:
        print(f"not {cost}, but {line}: {trace} with {json.dumps(workflows[number].document(number))}")
    print(f"{len(workflows)} workflows, {len(expected)} traces, {sum(cost > 0 for *_, cost in expected)} with deviations")
    print(f"{len(expected) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong or not expected else 0


if __name__ == "__main__":
    sys.exit(main())
