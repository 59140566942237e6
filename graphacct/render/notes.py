"""Notes: the lines beside a table that say what its figures depend on, and what is in no column.

Texts are safe to print on one line, as those of a sheet's cells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from graphacct.costs.quantities import NO_STEP
from graphacct.dims import dim_text, same
from graphacct.operators.mask import FULL
from graphacct.phases import GENERATE
from graphacct.render.printable import printable
from graphacct.render.records import conditions_text, workload_texts
from graphacct.render.units import human

if TYPE_CHECKING:
    from graphacct.costs.coverage import Coverage
    from graphacct.costs.quantities import Quantity
    from graphacct.graph.config_keys import ConfigKeys
    from graphacct.reports.report import Report

SAID_ALREADY = {"flops": "forward_flops", "forward_matmul_flops": "matmul_flops"}
"""Quantities that equal another one whenever a report has both, each with the other's name."""
PER_TOKEN = (("flops", ""), ("read_bytes", " read"), ("write_bytes", " written"))
"""What the line below the table of a generation says, and in which words."""


def workload_text(report: Report) -> str:
    """Returns the workload on one line: `batch 1, seq_len 1024, attention eager, dtype float32`."""
    return workload_words(report.workload)


def workload_words(workload: Mapping[str, Any]) -> str:
    """Returns a workload on one line."""
    return ", ".join(f"{printable(name)} {size_text(value)}" for name, value in workload_texts(workload).items())


def terms(report: Report) -> str:
    """Returns the convention and the coverage, which every figure depends on."""
    coverage = report.coverage
    whole = f"{coverage.costed} of {coverage.total} nodes costed{conditions_text(report.conditions)}"
    return f"convention {printable(report.convention)}{mask_note(report)}; {whole}{by_rule(coverage)}"


def mask_note(report: Report) -> str:
    """Returns which of attention's pairs are counted, to follow the convention; empty if all are."""
    return "" if report.mask == FULL else f", mask {report.mask}"


def by_rule(coverage: Coverage) -> str:
    """Returns what is costed by a rule's estimate, to follow the coverage; empty if nothing is."""
    return f"; costed by rule: {printable(coverage.estimated)}" if coverage.by_rule else ""


def key_notes(keys: ConfigKeys | None) -> tuple[str, ...]:
    """Returns what a reader must know of the keys of the model's config.json, a line each."""
    return () if keys is None else tuple(map(printable, keys.notes()))


def inexact_notes(sentences: tuple[str, ...]) -> tuple[str, ...]:
    """Returns what of a step's saved tensors is known not to equal the model's own code, a line each."""
    return tuple(f"not exact: {printable(sentence)}" for sentence in sentences)


def stays_note(stays: Mapping[str, int]) -> list[str]:
    """Returns the sizes of a configuration that do not follow one that was changed, on a line: all of them, since a
    reader's answer depends on each. Empty for none."""
    text = ", ".join(f"{printable(name)} {size:,}" for name, size in stays.items())
    return [f"stays: {text}"] if text else []


def forward_notes(alone: Mapping[str, str]) -> tuple[str, ...]:
    """Returns which figures are of a training step's forward pass alone, a line for each quantity that has the step's:
    `alone` are theirs, by name."""
    named: dict[str, list[str]] = {}
    for name, step in alone.items():
        named.setdefault(printable(step), []).append(printable(name))
    lines = []
    for step, names in named.items():
        verb = "is" if len(names) == 1 and not names[0].endswith("s") else "are"
        other = "no quantity is the step's" if step == NO_STEP else f"{step} are the step's"
        lines.append(f"{' and '.join(names)} {verb} the forward pass's; {other}")
    return tuple(lines)


def beyond_positions(longest: int, positions: tuple[str, int] | None) -> list[str]:
    """Returns what must be known of a longest sequence that is longer than the model is made for. Rotary positions have
    no table that ends, so that any length can be computed.

    Args:
        longest: The sequence's length.
        positions: The key of the configuration that says how many positions there are, and its value; None if none
            does.
    """
    if positions is None or longest <= positions[1]:
        return []
    key, most = positions
    return [f"the model's configuration has {most:,} positions ({printable(key)}): a longer seq_len is beyond them"]


def warning(report: Report) -> str:
    """Returns what every total leaves out; empty if the coverage is full."""
    return f"incomplete: {printable(report.coverage)}" if report.coverage.uncosted else ""


def partial(report: Report) -> str:
    """Returns the note beside every total if the coverage is not full."""
    coverage = report.coverage
    return f" ({coverage.costed} of {coverage.total} nodes)" if coverage.uncosted else ""


def other_totals(report: Report, shown: Collection[str], binary: bool) -> list[str]:
    """Returns the totals without a column on one line. A total that two quantities share appears once."""
    said = {name for pair in SAID_ALREADY.items() for name in pair if set(pair) & set(shown)}
    said |= {name for name, other in SAID_ALREADY.items() if other in report.total} | equal_parts(report)
    texts = [
        f"{printable(quantity.words or quantity.name)} "
        f"{human(report.total[quantity.name], quantity.unit, binary)}{partial(report)}"
        for quantity in report.quantities
        if quantity.name not in shown and quantity.name not in said and _stated(report, quantity)
    ]
    return [", ".join(texts)] if texts else []


def of_one_token(report: Report, binary: bool) -> list[str]:
    """Returns what one new token of a generation costs, and what its two parts do."""
    if report.workload.get("phase") != GENERATE:
        return []
    from graphacct.reports.generation import GenerationReport

    assert isinstance(report, GenerationReport)
    units = {quantity.name: quantity.unit for quantity in report.quantities}
    parts = (("per new token", report.per_token), ("prefill", report.prefill), ("all decoding steps", report.decode))
    texts = [
        [human(values[name], units[name], binary) + word for name, word in PER_TOKEN if name in values]
        for _, values in parts
    ]
    return ["; ".join(f"{label} {', '.join(text)}" for (label, _), text in zip(parts, texts, strict=True) if text)]


def _stated(report: Report, quantity: Quantity) -> bool:
    """Returns whether a total says something: it is not 0, or it is none of what another quantity has."""
    return quantity.within in report.total or not same(report.total[quantity.name], 0)


def equal_parts(report: Report) -> set[str]:
    """Returns the quantities that are part of another one and in this model equal it."""
    total = report.total
    parts = [item for item in report.quantities if item.within in total]
    return {item.name for item in parts if same(total[item.name], total[item.within])}


def size_text(value: Any) -> str:
    """Returns a size of a workload, `224×224` for one of several numbers."""
    return "×".join(map(size_text, value)) if isinstance(value, (list, tuple)) else printable(dim_text(value))
