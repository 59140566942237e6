"""What a page calls a quantity: there is room for words that stand alone, where a table's column has one."""

from __future__ import annotations

from graphacct.costs.quantities import CORE, Quantity
from graphacct.phases import TRAIN

NOUNS = {"FLOP": "FLOPs", "parameter": "parameters"}
WORK = {"FLOP", "op", "MAC"}
FORWARD = {"forward_flops": "flops", "forward_matmul_flops": "matmul_flops"}
"""Quantities of a training step that are others' twins there: the page shows them once."""
_CORE = {item.name for item in CORE}


def name_of(item: Quantity, phase: str) -> str:
    """Returns what a page calls a quantity in a phase. The core counts the work of the forward pass alone, and in a
    training step the name says so."""
    words = f"{item.words[:1].upper()}{item.words[1:]}"
    noun = NOUNS.get(item.unit, "")
    if item.title and (noun == "FLOPs" and noun in item.title):
        words = item.title
    words = words or item.title or item.name
    if noun and " " not in words and noun.lower() not in words.lower():
        words = f"{words} {noun}"
    if phase == TRAIN and item.name in _CORE and item.unit in WORK:
        words = f"Forward {words if words.startswith(noun or ' ') else words[:1].lower() + words[1:]}"
    return words
