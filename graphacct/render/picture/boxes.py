"""How the boxes and the scopes around them look: Graphviz attributes for each kind."""

from __future__ import annotations

from typing import Any

from graphacct.dims import Dim, same
from graphacct.graph.paths import last
from graphacct.render.picture import labels, palette, tooltips
from graphacct.render.picture.amounts import Amounts
from graphacct.render.picture.scene import Box, Scope
from graphacct.reports.report import Report


def terminal(box: Box) -> dict[str, Any]:
    """Returns the attributes of a graph's input or output."""
    word = labels.escape(box.path) if box.kind == "input" else "output"
    text = labels.font(word, labels.NAME_SIZE, palette.INK, bold=True)
    if box.shown is not None:
        text += labels.font(labels.escape(f"  {labels.shape(box.shown)}", labels.LONGEST_SHAPE))
    tip = labels.tooltip([box.path, box.kind, "" if box.shown is None else str(box.shown)])
    return {"label": f"<{text}>", "style": "rounded", "color": "none", "tooltip": tip}


def entry(box: Box) -> dict[str, Any]:
    """Returns the attributes of an entry, where the carried value enters a block."""
    tip = [f"{box.scopes[-1]}: carried from one repetition to the next", str(box.shown)]
    return {
        "label": "",
        "shape": "circle",
        "style": "filled",
        "width": "0.09",
        "height": "0.09",
        "fixedsize": "true",
        "fillcolor": palette.RESIDUAL,
        "color": palette.RESIDUAL,
        "tooltip": labels.tooltip(tip),
    }


def node(box: Box, amounts: Amounts, tip: Any) -> dict[str, Any]:
    """Returns the attributes of a node: two lines, one line if it costs little, dashed if it has no cost."""
    assert box.record is not None
    operator = box.record.node.operator
    name = labels.escape(last(box.path))
    kind = "" if operator == last(box.path) else labels.escape(operator)
    given = labels.shape(box.shown) if box.shown is not None else ""
    if box.uncosted:
        text = labels.escape(_joined(given, "no cost"), 100)
        label = labels.box(name, kind, text, "", palette.ALARM)
        return {"label": label, "style": "rounded,dashed", "color": palette.ALARM, "penwidth": "1.4", "tooltip": tip}
    if amounts.nothing(box.figures):
        text = labels.font(name, labels.TEXT_SIZE, palette.INK) + labels.font(f"  {kind}" if kind else " ")
        text += labels.font(labels.escape(f"  {given}", labels.LONGEST_SHAPE), labels.TEXT_SIZE, palette.MUTED)
        return {"label": f"<{text}>", "color": palette.FAINT, "margin": "0.06,0.01", "tooltip": tip}
    fill, ink = amounts.colours(box.figures)
    figures = labels.escape(_joined(given, amounts.words(box.figures)), 160)
    share = labels.escape(amounts.share(box.figures))
    label = labels.box(name, kind, figures, share, ink, tall=not amounts.minor(box.figures))
    return {"label": label, "fillcolor": fill, "tooltip": tip}


def collapsed(box: Box, amounts: Amounts, tip: Any) -> dict[str, Any]:
    """Returns the attributes of a scope as one box, with its rolled-up figures."""
    fill, ink = amounts.colours(box.figures)
    kind = labels.escape(f"{box.members} nodes" if box.members > 1 else "1 node")
    if repeated(box.repeat):
        kind = labels.font(f"{labels.escape(repeated(box.repeat))}  ", labels.NAME_SIZE + 2, ink, bold=True) + kind
    given = labels.shape(box.shown) if box.shown is not None else ""
    figures = labels.escape(_joined(given, amounts.words(box.figures, box.uncosted)), 160)
    name = labels.escape(last(box.path))
    label = labels.box(name, kind, figures, labels.escape(amounts.share(box.figures)), ink)
    attributes = {"label": label, "fillcolor": fill, "tooltip": tip, "penwidth": "1.6"}
    if repeated(box.repeat):
        attributes["peripheries"] = "2"
    if box.uncosted:
        attributes.update(style="rounded,filled,dashed", color=palette.ALARM)
    return attributes


def frame(scope: Scope, report: Report, amounts: Amounts) -> dict[str, Any]:
    """Returns the attributes of an open scope's cluster."""
    path, times, share = scope.chain[-1], repeated(scope.repeat), amounts.share(scope.figures)
    head = labels.font(labels.escape(last(path)), labels.NAME_SIZE, palette.INK, bold=True)
    if times:
        head += labels.font(labels.escape(f"  {times}"), labels.NAME_SIZE + 4, palette.RESIDUAL, bold=True)
    lines = [head + labels.font(" ")]
    figures = amounts.words(scope.figures, scope.uncosted)
    if figures:
        lines[0] = head + labels.font(labels.escape(f"   {share}"), labels.TEXT_SIZE, palette.INK)
        lines.append(labels.font(labels.escape(figures, 120), labels.TEXT_SIZE, palette.MUTED) + labels.font(" "))
    return {
        "label": f"<{labels.table(labels.row(labels.cell(line)) for line in lines)}>",
        "labeljust": "l",
        "labelloc": "t",
        "style": "rounded,filled",
        "fillcolor": palette.CLUSTERS[(len(scope.chain) - 1) % len(palette.CLUSTERS)],
        "color": palette.LINE if times else palette.FAINT,
        "penwidth": "2" if times else "0.9",
        "peripheries": "1",
        "margin": "7",
        "tooltip": tooltips.scope(report, path, f"scope {times}".strip(), scope.figures, share, scope.uncosted),
    }


def repeated(repeat: Dim) -> str:
    """Returns `×48`; empty for a repeat of 1."""
    return "" if same(repeat, 1) else labels.clean(f"×{repeat}", 30)


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
