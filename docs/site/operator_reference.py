"""The reference of operators, written from the operators themselves when the site is built."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphacct.hooks.manager import default
from graphacct.operators.arguments import REQUIRED
from graphacct.operators.operator import Operator

FOLDER = "reference/operators"
"""Where the pages are written, below docs/; git ignores them."""


def pages() -> dict[str, str]:
    """Returns the text of a page for each plugin that registers operators, by the plugin's name."""
    table = default().operators
    of: dict[str, list[Operator]] = {}
    for name in table:
        of.setdefault(table.origins[name].split(" ")[0], []).append(table[name])
    return {plugin: page(plugin, operators) for plugin, operators in of.items()}


def page(plugin: str, operators: Iterable[Operator]) -> str:
    """Returns the page of a plugin's operators."""
    found = sorted(operators, key=lambda operator: operator.name)
    lead = (
        f"# Operators of {plugin}\n\n{len(found)} operators. A cost is under the convention `exact`; "
        "[Conventions](../../conventions.md) says what others count, [Writing a plugin](../../writing-a-plugin.md) how "
        "a signature is read.\n"
    )
    return "\n".join([lead, *map(entry, found)])


def entry(operator: Operator) -> str:
    """Returns what the reference says of one operator.

    >>> print(entry(default().operators["relu"]).splitlines()[0])
    ## relu
    """
    rows = [("Signature", f"`{operator.signature.text}`"), *_attributes(operator), ("Cost", _products(operator))]
    rows += [("Kept for the backward pass", _saved(operator)), ("Backward", _backward(operator))]
    rows += [("Output", _output(operator)), ("Also called", ", ".join(f"`{name}`" for name in operator.known_as))]
    lines = [f"## {operator.name}", "", plain(operator.doc), ""]
    lines += [f"- **{name}**: {text}" for name, text in rows if text]
    return "\n".join([*lines, ""])


def _attributes(operator: Operator) -> list[tuple[str, str]]:
    named = [
        f"`{name}`" if value is REQUIRED else f"`{name} = {value!r}`" for name, value in operator.attributes.items()
    ]
    return [("Attributes", ", ".join(named))] if named else []


def _products(operator: Operator) -> str:
    if not operator.contracts:
        return ""
    operands = " and ".join(f"`{name}`" for name in operator.contracts)
    return f"2 FLOPs for each combination of all dimensions of {operands}, besides what is said above"


def _saved(operator: Operator) -> str:
    if operator.stops_gradient:
        return ""
    if not operator.saves:
        return "nothing"
    texts = []
    for saved in operator.saves:
        own = f" ({saved.dims})" if isinstance(saved.dims, str) and saved.dims else ""
        when = f", if `{saved.if_attribute}` is set" if saved.if_attribute else ""
        texts.append(f"`{saved.name}`{own}{when}: {plain(saved.why)}")
    return "; ".join(texts)


def _backward(operator: Operator) -> str:
    if operator.stops_gradient:
        return "no gradient flows through it"
    parts = [f"`{name}`" if name != "*" else "all operands together" for name in operator.gradients]
    stated = f"work of its own for {', '.join(parts)}" if parts else ""
    products = "as many FLOPs again as its products for each of their operands" if operator.contracts else ""
    again = "the kernel repeats work of the forward pass" if operator.recomputes else ""
    return "; ".join(filter(None, (products, stated, again)))


def _output(operator: Operator) -> str:
    if operator.view is True:
        return "a view of the first operand"
    return "a view of the first operand, or a copy, as layouts and sizes ask" if operator.view else ""


def plain(text: str) -> str:
    """Returns text that Markdown shows as it is.

    >>> plain("a * b_c <d>")
    'a \\\\* b\\\\_c \\\\<d\\\\>'
    """
    return re.sub(r"([\\`*_<>\[\]$|])", r"\\\1", " ".join(text.split()))


def write(app: Any) -> None:
    """Writes the pages into the folder of the sources."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for plugin, text in pages().items():
        path = folder / f"{plugin}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("config-inited", lambda app, config: write(app))
    return {"parallel_read_safe": True}
