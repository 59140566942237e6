"""Adds the classes that the transformers library's mappings name to lists/classes.csv: `python
tests/coverage/write_classes.py`, with the library installed (5.23.0 for the file as it is).

Rows that no mapping has stay: types and classes of other programs' lists, whose code is in a repository of their own.
"""

from __future__ import annotations

import csv
from pathlib import Path

from transformers.models.auto import modeling_auto

LIST = Path(__file__).parent / "lists" / "classes.csv"
ENDING = "_MAPPING_NAMES"


def mapped() -> set[tuple[str, str]]:
    """Each class, with a type that a mapping of model classes has it for."""
    found = set()
    for name in (name for name in dir(modeling_auto) if name.endswith(ENDING) and name.startswith("MODEL")):
        for kind, classes in getattr(modeling_auto, name).items():
            found |= {(each, kind) for each in ([classes] if isinstance(classes, str) else classes)}
    return found


if __name__ == "__main__":
    with LIST.open(newline="") as file:
        head, *rows = csv.reader(file)
    with LIST.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *sorted({*map(tuple, rows), *mapped()})])
