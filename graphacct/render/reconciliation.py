"""A reconciliation as plain values (docs/json.md) and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphacct.costs.terms import TERMS
from graphacct.phases import TRAIN
from graphacct.render.notes import workload_words
from graphacct.render.printable import printable
from graphacct.render.records import plain_value
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.units import percent

if TYPE_CHECKING:
    from graphacct.reports.reconcile import Reconciliation

SCHEMA = "graphacct.reconcile/1"
FORWARD_ALONE = "counts a forward pass alone; phase forward compares that pass alone"


def to_dict(found: Reconciliation) -> dict[str, Any]:
    """Returns a reconciliation as plain values: see docs/json.md."""
    return {
        "schema": SCHEMA,
        "model": found.model,
        "workload": {name: plain_value(value, name) for name, value in found.workload.items()},
        "from": found.between.partition(":")[0],
        "to": found.and_.partition(":")[0],
        "from_mask": found.masks[0],
        "to_mask": found.masks[1],
        **{name: plain_value(value, name) for name, value in _figures(found).items()},
        "terms": [{"name": term.name, "flops": plain_value(term.flops, term.name)} for term in found.terms],
    }


def _figures(found: Reconciliation) -> dict[str, Any]:
    """Returns the two figures under the names of their quantity: a step's are its FLOPs forward and backward."""
    quantity = "step_flops" if _trains(found) else "flops"
    return {f"from_{quantity}": found.from_flops, f"to_{quantity}": found.to_flops}


def _trains(found: Reconciliation) -> bool:
    return found.workload.get("phase") == TRAIN


def records(found: Reconciliation) -> list[dict[str, Any]]:
    """Returns one dictionary a term, for CSV."""
    beside = {"model": found.model, "from": found.between, "to": found.and_}
    return [{**row, **beside} for row in to_dict(found)["terms"]]


def sheet(found: Reconciliation) -> Sheet:
    """Returns a reconciliation as a table's lines: the first figure, each term in full digits, the other figure."""
    lines = [_line(found.between, "", found.from_flops, found, "")]
    lines += [_line(f"  {term.name}", TERMS.get(term.name, ""), term.flops, found, "+") for term in found.terms]
    return Sheet(
        f"{printable(found.model)}: FLOPs of a {'training step' if _trains(found) else 'forward pass'}",
        workload_words(found.workload),
        (Column("Term"), Column("Of", rank=1), Column("FLOPs", True), Column("Share", True, rank=2)),
        tuple(lines),
        Line((printable(found.and_), "", _digits(found.to_flops), _share(found.to_flops, found))),
        (
            f"shares are of the figure under {printable(found.between)}; each term is what {printable(found.and_)} has "
            "above it",
            *(f"{printable(name)} {FORWARD_ALONE}" for name in found.forward_alone),
        ),
    )


def to_text(found: Reconciliation) -> str:
    """Returns a reconciliation as a table of text."""
    from graphacct.render.table import to_text as text

    return text(sheet(found))


def to_html(found: Reconciliation) -> str:
    """Returns a reconciliation as an HTML table."""
    from graphacct.render.html import to_html as html

    return html(sheet(found))


def _line(name: str, words: str, value: Any, found: Reconciliation, sign: str) -> Line:
    return Line((printable(name), words, _digits(value, sign), _share(value, found, sign)))


def _digits(value: Any, sign: str = "") -> str:
    return f"{value:{sign},}" if isinstance(value, int) else str(value)


def _share(value: Any, found: Reconciliation, sign: str = "") -> str:
    whole = found.from_flops
    if not isinstance(value, int) or not isinstance(whole, int) or not whole:
        return ""
    text = percent(abs(value) / whole)
    return text if text.startswith("<") else f"{'-' if value < 0 else sign}{text}"
