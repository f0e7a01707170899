#!/usr/bin/env python3
"""Writes the BPMN files below a directory as CSV: name, and content in base64.

    diagrams.py DIRECTORY FILE
"""

import base64
import csv
import sys
from pathlib import Path


def main(directory: str, file: str) -> int:
    with open(file, "w", newline="") as out:
        csv.writer(out).writerows(
            (path.relative_to(directory), base64.b64encode(path.read_bytes()).decode())
            for path in sorted(Path(directory).rglob("*.bpmn")) if path.is_file())
    return 0


sys.exit(main(*sys.argv[1:]))
