"""All that a database reports and keeps, as lines of text; and what is wrong after it was loaded in some way."""

from __future__ import annotations

import re
from collections import Counter
from typing import Sequence

import psql

SHOWN = 3  # lines of each sort
# what WorkflowTrack.pm calls kept
KEPT = ("(SELECT patient_id, linked FROM workflow_track.patient_state)", *(f"workflow_track.{name}" for name in (
    "loop_state", "duplicate_state", "misrouted_state", "missing_state", "identity_conflict", "billing_state", "charge_state", "claim_state", "patient_merge", "encounter_merge",
    "handoff_latency", "handoff_latency_hourly", "directly_follows")))
# What a number of two patients is called, which depends on merges that were taken back.
NAMED = re.compile(r'"problem": "(order_of_two_patients|encounter_of_two_patients|shared_after_unmerge)"|, "explanation": "(\\.|[^"\\])*"')
# What maintain() leaves nothing in; check_consistency() compares nothing of patients and days that are there.
TO_DO = "diary_mark", "identity_stale", "handoff_stale", "handoff_delta", "follows_mark"
# What check_consistency() looks at, and is to find something in.
HELD = {**{name: f"workflow_track.{name}" for name in (
    "loop_state", "duplicate_state", "misrouted_state", "missing_state", "billing_state", "charge_state", "claim_state",
    "handoff_hourly", "handoff_total", "handoff_state", "follows_total", "follows_state", "identity_state",
    "shared_number", "patient_state", "patient_merge", "encounter_merge", "retraction", "message", "message_key")},
    "diary_page": "workflow_track.diary_page AS p CROSS JOIN LATERAL workflow_track.page_events(p.events)"}
CONSISTENCY = "workflow_track.check_consistency()"
# Every column of an event that is not the database's own; its other numbers depend on arrival.
NAMES = """CREATE TEMPORARY TABLE named AS SELECT event_id, jsonb_strip_nulls(
    to_jsonb(e) - ARRAY['event_id', 'recorded_at', 'retracted_at', 'retracted_reason', 'message_id']
        || jsonb_build_object('message', m.name))::text AS name,
    retracted_at FROM workflow_track.event_history AS e LEFT JOIN named_message AS m USING (message_id);
ALTER TABLE named ADD PRIMARY KEY (event_id);
ANALYZE named;
SET search_path = workflow_track, pg_catalog;
"""
LIVE = "SELECT 'event ' || name FROM named WHERE retracted_at IS NULL;\n"
# Messages are named by their control ids, or by what they say.  Who has messages can tell another of them.
MESSAGES = "CREATE TEMPORARY TABLE named_message (message_id bigint PRIMARY KEY, name text);\n"
OWN_MESSAGES = """INSERT INTO named_message
    SELECT message_id, coalesce(control_id, md5(coalesce(body, encode(raw, 'hex')))) FROM workflow_track.message;
"""
TOLD_MESSAGES = "COPY named_message FROM STDIN;\n"
# Of reports about messages, what does not depend on when they came; and columns that do.
SOURCES = {
    "data_flow": """(SELECT facility, from_system, to_system, message_type, sum(messages) AS messages,
        sum(rejected) AS rejected, sum(events) AS events FROM workflow_track.data_flow GROUP BY 1, 2, 3, 4)""",
    "message_exception": r"""(SELECT m.*, regexp_replace(m.explanation, 'message \d+', 'message') AS words
        FROM workflow_track.message_exception AS m)""",
}
OMITTED = {"message_arrival": ("received_at",), "message_exception": ("received_at", "explanation", "attempts"),
           "flow_gap": ("last_seen", "silent_for")}
OF_MESSAGES = (*SOURCES, *OMITTED)  # what replication leaves out
COLUMNS = """
    SELECT r.relname, to_regprocedure('workflow_track.' || r.relname || '_at(timestamptz)') IS NOT NULL,
        string_agg(a.attname, ' ') FILTER (WHERE a.attname LIKE '%event_id' OR a.attname LIKE '%message_id')
    FROM pg_class AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0
    WHERE r.relnamespace = 'workflow_track'::regnamespace AND r.relkind = 'v'
        AND r.relname NOT IN ('health', 'event_history')
    GROUP BY r.oid, r.relname ORDER BY r.relname COLLATE "C";
"""


class Views:
    """Every report that the extension has, those of a moment at some moments, with events named by their content."""

    def __init__(self) -> None:
        rows = (line.split("|") for line in psql.run(psql.TEMPLATE, COLUMNS).splitlines())
        self.views = [(name, asks == "t", columns.split()) for name, asks, columns in rows]

    def names(self) -> list[str]:
        return [name for name, _, _ in self.views]

    def script(self, moments: Sequence[str]) -> str:
        return LIVE + "".join(
            _lines(label, source, columns, OMITTED.get(name, ())) for name, asks, columns in self.views
            for label, source in (self.at(name, moments) if asks else [(name, SOURCES.get(name, name))]))

    @staticmethod
    def at(name: str, moments: Sequence[str]) -> list[tuple[str, str]]:
        """A report at some moments; of messages, all of which came just now, at a later one too."""
        later = [("in a day", "now() + interval '1 day'")] if name in OF_MESSAGES else []
        times = [*((moment, f"'{moment}'") for moment in moments), *later]
        return [(f"{name} at {label}", f"{name}_at({time})") for label, time in times]

    def all(self, database: str, moments: Sequence[str]) -> Counter[str]:
        """What is reported."""
        return Counter(psql.run(database, MESSAGES + OWN_MESSAGES + NAMES + self.script(moments)).splitlines())

    @staticmethod
    def messages(database: str) -> str:
        """SQL that tells the names of a database's messages to another, which has events of theirs and not them."""
        rows = psql.run(database, f"{MESSAGES}{OWN_MESSAGES}COPY named_message TO STDOUT;\n")
        return f"{TOLD_MESSAGES}{rows}\\.\n"

    @staticmethod
    def rows(truth: Counter[str]) -> Counter[str]:
        """How many rows a report has in the truth, at all moments together."""
        rows = Counter[str]()
        for line, times in truth.items():
            rows[line.partition(" ")[0]] += times
        return rows

    def wrong(self, database: str, moments: Sequence[str], truth: Counter[str], held: Counter[str],
              same_merges: bool = True, told: str = "") -> list[str]:
        """Whatever is reported otherwise than it should be, is inconsistent, or differs once all is rebuilt.

        Looked at as it was loaded, after maintain(), after rebuild(), and after another maintain(): each brings what
        is kept up to date that reports, and check_consistency(), have computed or passed over before.  How many rows
        are kept in the end is added to those `held`.
        Where other merges were taken back than for the truth, what numbers of two patients are called is left out, and
        reports about messages where another database `told` their names.
        """
        reports, inconsistent = self.script(moments), _lines("row", CONSISTENCY)
        kept = "".join(_lines(relation.rpartition(".")[2].rstrip(")"), relation) for relation in KEPT)
        left = "".join(_lines(name, f"workflow_track.{name}") for name in TO_DO)
        maintain = "\\o /dev/null\nSELECT workflow_track.maintain();\n\\o\n"
        number = "".join(f"SELECT '{name} ' || count(*) FROM {source};\n" for name, source in HELD.items())
        named = MESSAGES + (told or OWN_MESSAGES) + NAMES
        parts = (named + reports, inconsistent, maintain + reports, inconsistent + left, kept,
                 "CALL workflow_track.rebuild();\n" + kept, inconsistent, maintain + reports,
                 inconsistent + left, number)
        *out, numbers = psql.run(database, "\\echo ##\n".join(parts)).split("##\n")
        loaded, at_load, maintained, at_maintain, before, after, at_rebuild, again, at_again = (
            Counter(part.splitlines()) for part in out)
        held.update({name: int(rows) for name, rows in map(str.split, numbers.splitlines()) if name in HELD})
        if told:
            truth, loaded, maintained, again = map(_without_messages, (truth, loaded, maintained, again))
        if not same_merges:
            truth, loaded, maintained, again = map(_unnamed, (truth, loaded, maintained, again))
        nothing = Counter[str]()
        return [*differences("reports", truth, loaded), *differences("check_consistency()", nothing, at_load),
                *differences("reports after maintain()", truth, maintained),
                *differences("check_consistency() and what is left to do after maintain()", nothing, at_maintain),
                *differences("kept after rebuild()", before, after),
                *differences("check_consistency() after rebuild()", nothing, at_rebuild),
                *differences("reports after rebuild() and maintain()", truth, again),
                *differences("check_consistency() and what is left to do after rebuild() and maintain()", nothing, at_again)]


def _lines(label: str, source: str, named: Sequence[str] = (), omitted: Sequence[str] = ()) -> str:
    """SQL for the rows of a relation, one a line, with events and messages by their names."""
    def name(column: str) -> str:
        what = "event" if column.endswith("event_id") else "message"
        table = "named" if what == "event" else "named_message"
        return f"'{column}', (SELECT name FROM pg_temp.{table} WHERE {what}_id = v.{column})"
    left = "".join(f" - '{column}'" for column in omitted)
    return (f"SELECT '{label} ' || (to_jsonb(v){left} || jsonb_build_object({', '.join(map(name, named))}))::text"
            f" FROM {source} AS v;\n")


def _without_messages(lines: Counter[str]) -> Counter[str]:
    """The same lines but for those about messages."""
    return Counter({line: times for line, times in lines.items() if not line.startswith(OF_MESSAGES)})


def _unnamed(lines: Counter[str]) -> Counter[str]:
    """The same lines without names of conflicts, and what is said of them."""
    unnamed = Counter[str]()
    for line, times in lines.items():
        unnamed[NAMED.sub("", line) if line.startswith("identity_") else line] += times
    return unnamed


def differences(what: str, expected: Counter[str], found: Counter[str]) -> list[str]:
    """Nothing for equal lines in whatever order, else some of those that differ."""
    missing, surplus = (sorted((a - b).elements()) for a, b in ((expected, found), (found, expected)))
    if not missing and not surplus:
        return []
    return [f"{what}: {len(missing)} of {sum(expected.values())} lines missing, {len(surplus)} not expected",
            *(f"  missing: {line}" for line in missing[:SHOWN]),
            *(f"  not expected: {line}" for line in surplus[:SHOWN])]
