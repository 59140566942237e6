"""An explanation as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphacct.dims import same
from graphacct.formulas import number

if TYPE_CHECKING:
    from graphacct.explanation import Explanation, Line


def text(explanation: Explanation) -> str:
    """An explanation in lines of plain text: the operands, the values, each quantity's formula, the source."""
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
    lines.append("")
    for line in explanation.lines:
        lines += _line_text(line, scope)
    lines.append("")
    lines.append(f"  convention  {explanation.convention}")
    lines.append(f"  source      {explanation.source}")
    for item in explanation.saved:
        own = f" ({item.dims or 'scalar'}{', ' + item.dtype if item.dtype else ''})" if item.dims else ""
        lines.append(f"  keeps       {item.name}{own} for its backward pass: {item.why}")
    return "\n".join(lines)


def _line_text(line: Line, scope: bool) -> list[str]:
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
    lines = [text]
    if not same(line.value, line.exact):
        lines.append(f"      the convention counts {number(line.value)} of it")
    if not same(line.total, line.value):
        lines.append(f"      in the whole model {number(line.total)}")
    return lines
