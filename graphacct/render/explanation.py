"""An explanation as text."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from graphacct.dims import same
from graphacct.explanations.formulas import number
from graphacct.render.columns import wrapped
from graphacct.render.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphacct.explanations.explanation import Explanation
    from graphacct.explanations.lines import ExplainedQuantity
    from graphacct.explanations.parts import ExplainedPart
    from graphacct.explanations.saved_bytes import SavedRow
    from graphacct.footprint.live_tensors import LiveTensor

MOST_ALIVE = 8
DEEPER = 8
"""How far the further lines of a long one are indented below it."""
HEAD = re.compile(r" *\S+ {2,}")
"""The word at the left of the first lines, beside which the further ones stand."""


def to_html(explanation: Explanation) -> str:
    """Returns the same lines for a notebook."""
    return f'<pre style="font-family:monospace;white-space:pre-wrap">{escape(to_text(explanation))}</pre>'


def to_text(explanation: Explanation, width: int | None = None) -> str:
    """Returns an explanation in lines of plain text: the operands, the values, each quantity's formula, the source.
    Lines longer than `width` are broken."""
    scope = not explanation.operator
    lines = [f"{explanation.node} of {explanation.model}: {explanation.operator or 'a scope'}"]
    if explanation.origin:
        lines.append(f"  from        {explanation.origin}")
    if explanation.signature:
        lines.append(f"  signature   {explanation.signature}")
    lines += [f"  {'part' if scope else 'operand':<11} {item}" for item in explanation.operands if item[:2] != "->"]
    lines += [f"  {'gives':<11} {item[3:]}" for item in explanation.operands if item[:2] == "->"]
    lines += [f"  {'where':<11} {item}" for item in explanation.values]
    lines.append(f"  runs        {explanation.times}")
    lines += [f"  {'gradients':<11} {item}" for item in explanation.notes]
    lines.append("")
    for line in explanation.lines:
        lines += _line_text(line, scope)
        if line.quantity == "saved_bytes":
            lines += [f"      {_saved(item, explanation.node)}" for item in explanation.saved]
        if line.quantity in ("peak_bytes", "backward_peak_bytes"):
            alive = explanation.alive if line.quantity == "peak_bytes" else explanation.backward_alive
            lines += [f"      {item}" for item in _alive(alive)]
    lines.append("")
    lines.append(f"  convention  {explanation.convention}")
    lines.append(f"  source      {explanation.source}")
    if explanation.gradient_source:
        lines.append(f"  gradients   {explanation.gradient_source}")
    printed = map(printable, lines)
    return "\n".join(printed if width is None else [part for line in printed for part in _broken(line, width)])


def _broken(line: str, width: int) -> Iterator[str]:
    """Yields a line in parts that are not longer than a width."""
    head = HEAD.match(line)
    indent = min(head.end() if head else len(line) - len(line.lstrip()) + DEEPER, width // 2)
    first, *_ = wrapped(line, width)
    yield first.rstrip()
    rest = line[len(first) :]
    yield from (f"{'':{indent}}{part.rstrip()}" for part in (wrapped(rest, width - indent) if rest else ()))


def _line_text(line: ExplainedQuantity, scope: bool) -> list[str]:
    head = f"  {line.quantity}"
    if scope:
        return [f"{head} = {line.formula}", f"      = {line.substituted}", f"      = {number(line.total)}"]
    result = number(line.exact)
    if line.formula and not line.substituted:
        text = f"{head} = {result} ({line.formula})"
    elif not line.formula or same(line.exact, 0):
        text = f"{head} = {result}"
    else:
        text = " = ".join(dict.fromkeys((head, line.formula, line.substituted, result)))
    lines = [text, *(f"      {_part(part)}" for part in line.parts)]
    if not same(line.value, line.exact):
        lines.append(f"      the convention counts {number(line.value)} of it")
    if not same(line.total, line.value):
        lines.append(f"      in the whole model {number(line.total)}")
    return lines


def _part(part: ExplainedPart) -> str:
    steps = dict.fromkeys(filter(None, (part.formula, part.substituted, number(part.each))))
    return f"{part.name}: {' = '.join(steps)}{_times(part.times, part.total)}"


def _times(times: object, total: object) -> str:
    return "" if same(times, 1) else f", {number(times)} times: {number(total)}"


def _saved(item: SavedRow, node: str) -> str:
    source = f", a view of {item.made_by}" if item.view else f" of {item.made_by}" if item.made_by != node else ""
    reason = f"{item.kernel}'s backward needs it: {item.why}"
    if item.counted.startswith("not"):
        return f"{item.name} {item.tensor}, {item.counted} ({reason})"
    if item.counted:
        return f"{item.name} {item.tensor}{source}, {item.counted} ({reason})"
    size = f"{number(item.bytes)} bytes{_times(item.times, item.total)}"
    copy = ", a copy made before it is overwritten" if item.copied else ""
    return f"{item.name} {item.tensor}{source}{copy}: {size}; kept because {reason}"


def _alive(tensors: tuple[LiveTensor, ...]) -> Iterator[str]:
    for item in tensors[:MOST_ALIVE]:
        count = "" if same(item.count, 1) else f" ×{number(item.count)}"
        own = "itself" if item.kept_by == item.node else item.kept_by
        why = f"kept for {own}" if own else item.why
        yield f"{number(item.bytes)} bytes: {item.node}{count}, {why}"
    rest = tensors[MOST_ALIVE:]
    if rest:
        yield f"{number(sum(item.bytes for item in rest))} bytes: {len(rest)} more"
