#!/usr/bin/env python3
"""Draws each *.dot of a directory with Graphviz, and looks for the names of the map in what is drawn.

    graphviz.py DIRECTORY
"""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


def without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


def groups(svg: str) -> list[tuple[str, str, str]]:
    """What is drawn: the class, title and text of each."""
    return [(group.get("class", ""), group.findtext(f"{SVG}title", ""),
             without_blanks("".join(text.text or "" for text in group.iter(f"{SVG}text"))))
            for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if group.get("class") != "graph"]


def faults(path: Path) -> list[str]:
    """How a picture differs from its map."""
    done = subprocess.run(["dot", "-Tsvg", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0 or done.stderr:
        return [f"dot says {done.stderr.strip()}"]
    path.with_suffix(".dot.svg").write_text(done.stdout)
    drawn = groups(done.stdout)
    expected = json.loads(path.with_name(path.name.split(".")[0] + ".json").read_text())
    texts = {title: text for kind, title, text in drawn if kind == "node"}
    found = [f"{node} reads {texts.get(node)!r}, not {label!r}" for node, label in (expected["labels"] or {}).items()
             if texts.get(node) != without_blanks(label)]
    lanes = {text for kind, _, text in drawn if kind == "cluster"}
    found += [f"there is no lane {lane!r}" for lane in expected["lanes"] or [] if lane and without_blanks(lane) not in lanes]
    edges = sum(kind == "edge" and re.fullmatch(r"s\d+->s\d+", title) is not None for kind, title, _ in drawn)
    number = expected["edges_of_events" if ".events." in path.name else "edges"]
    return found + ([f"there are {edges} edges, not {number}"] if edges != number else [])


def main(directory: str) -> int:
    for path in sorted(Path(directory).glob("*.dot")):
        found = faults(path)
        print(f"{'not ok' if found else 'ok'} {path.name} in Graphviz" + "".join(f"\n# {fault}" for fault in found))
    return 0


sys.exit(main(sys.argv[1]))
