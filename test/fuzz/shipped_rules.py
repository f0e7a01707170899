#!/usr/bin/env python3
"""Prints the rules that src/message/mapping.sql ships as arrays of C: for each rule pairs of a column and its text.

    test/fuzz/shipped_rules.py > shipped_rules.h
"""

import json
import re
from pathlib import Path

MAPPING = Path(__file__).resolve().parents[2] / "src/message/mapping.sql"
RULES = re.compile(r"\$rules\$(.*?)\$rules\$", re.S)


def quoted(text: str) -> str:
    """A text as a literal of C, byte by byte where it is not plain."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def main() -> None:
    found = RULES.search(MAPPING.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{MAPPING}: no rules between two $rules$")
    rules = json.loads(found[1])
    for number, rule in enumerate(rules):
        print(f"static const RuleText shipped_rule_{number}[] = {{")
        for column, value in rule.items():
            for text in value if isinstance(value, list) else [value]:
                print(f"\t{{{quoted(column)}, {quoted(text)}}},")
        print("\t{NULL, NULL}\n};")
    print("static const RuleText *const shipped_rules[] = {")
    print(",\n".join(f"\tshipped_rule_{number}" for number in range(len(rules))))
    print("};")


main()
