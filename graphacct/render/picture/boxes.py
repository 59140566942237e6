"""How the boxes and the scopes around them look: Graphviz attributes for each kind."""

from __future__ import annotations

from typing import Any

from graphacct.dims import Dim, same
from graphacct.graph.paths import last
from graphacct.render.picture import labels, palette, tooltips
from graphacct.render.picture.amounts import Amounts
from graphacct.render.picture.scene import Box, Scope
from graphacct.reports.report import Report

LONG = 44
"""The most characters in a line of a narrow box of a node without cost."""
LEGIBLE = 4.5
"""The contrast of text that WCAG 2 asks for."""


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


def node(box: Box, amounts: Amounts, tip: Any, tied: str, said: str, tall: bool, narrow: int) -> dict[str, Any]:
    """Returns the attributes of a node: two lines if it is `tall`, dashed if it has no cost; `tied` says with what it
    shares a weight, `said` what it uses that has no arrow."""
    assert box.record is not None
    operator = box.record.node.operator
    name = labels.escape(box.name)
    kind = "" if operator == last(box.path) else labels.escape(operator)
    given = labels.shape(box.shown) if box.shown is not None else ""
    words = labels.escape(said, 80) if said else ""
    if box.uncosted:
        text = labels.escape(given, 80) if given else ""
        label = labels.box(name, kind, text, "no cost", "", palette.ALARM, narrow=narrow, said=words)
        return {"label": label, "style": "rounded,dashed", "color": palette.ALARM, "penwidth": "1.4", "tooltip": tip}
    if amounts.nothing(box.figures):
        return {**_small(name, kind, tied, given, said, narrow), "color": palette.FAINT, "tooltip": tip}
    fill, ink = amounts.colours(box.figures)
    runs = (labels.font(f"  {kind}", labels.TEXT_SIZE, ink) if kind else "") + _tie(tied, fill, ink)
    shown, figures = _texts(given, amounts.words(box.figures))
    share = labels.escape(amounts.share(box.figures)) if amounts.share(box.figures) else ""
    label = labels.box(name, runs, shown, figures, share, ink, tall, narrow, words)
    return {"label": label, "fillcolor": fill, "tooltip": tip}


def _small(name: str, kind: str, tied: str, given: str, said: str, narrow: int) -> dict[str, str]:
    """Returns the label of a node that costs nothing: one line, or if that is long and the box `narrow` two."""
    text = labels.font(name, labels.TEXT_SIZE, palette.INK) + labels.font(f"  {kind}" if kind else " ")
    tie = _tie(tied, palette.PAPER, palette.INK)
    more = f"  {given}  {said}" if said else f"  {given}"
    rest = labels.font(labels.escape(more, 2 * labels.LONGEST_SHAPE), labels.TEXT_SIZE, palette.MUTED)
    if not narrow or len(f"{name}  {kind}  {tied}{more}") <= LONG:
        return {"label": f"<{text}{tie}{rest}>", "margin": "0.06,0.01"}
    second = f"{tie}{rest}".replace(">  ", ">", 1)  # no blanks at the beginning of a line
    rows = [labels.row(labels.cell(line)) for line in (text, second)]
    return {"label": f"<{labels.table(rows)}>", "margin": "0.06,0.03"}


def collapsed(box: Box, amounts: Amounts, tip: Any, tied: str, said: str, narrow: int) -> dict[str, Any]:
    """Returns the attributes of a scope as one box, with its rolled-up figures; `tied` and `said` as for a node."""
    fill, ink = amounts.colours(box.figures)
    kind = labels.escape(f"{box.members} nodes" if box.members > 1 else "1 node")
    if box.visit[1] > 1:
        kind += labels.escape(f", {part_of(box.visit)}")
    runs = labels.font(f"  {kind}", labels.TEXT_SIZE, ink) + _tie(tied, fill, ink)
    if repeated(box.repeat):
        runs = labels.font(f"  {labels.escape(repeated(box.repeat))}", labels.NAME_SIZE + 2, ink, bold=True) + runs
    given = labels.shape(box.shown) if box.shown is not None else ""
    shown, figures = _texts(given, amounts.words(box.figures, box.uncosted))
    name = labels.escape(box.name)
    share = labels.escape(amounts.share(box.figures)) if amounts.share(box.figures) else ""
    words = labels.escape(said, 80) if said else ""
    label = labels.box(name, runs, shown, figures, share, ink, narrow=narrow, said=words)
    attributes = {"label": label, "fillcolor": fill, "tooltip": tip, "penwidth": "1.6"}
    if repeated(box.repeat):
        attributes["peripheries"] = "2"
    if box.uncosted:
        attributes.update(style="rounded,filled,dashed", color=palette.ALARM)
    return attributes


def frame(scope: Scope, report: Report, amounts: Amounts) -> dict[str, Any]:
    """Returns the attributes of an open scope's cluster."""
    path, times, share = scope.path, repeated(scope.repeat), amounts.share(scope.figures)
    head = labels.font(labels.escape(last(path)), labels.NAME_SIZE, palette.INK, bold=True)
    if times:
        head += labels.font(labels.escape(f"  {times}"), labels.NAME_SIZE + 4, palette.RESIDUAL, bold=True)
    if scope.visit[1] > 1:
        head += labels.font(labels.escape(f"  {part_of(scope.visit)}"), labels.TEXT_SIZE, palette.INK)
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


def part_of(visit: tuple[int, int]) -> str:
    """Returns the words for one of the times that a scope is entered."""
    return f"part {visit[0]} of {visit[1]}"


def _texts(given: str, figures: str) -> tuple[str, str]:
    """Returns a shape and figures, escaped."""
    return (labels.escape(given, 80) if given else ""), (labels.escape(figures, 160) if figures else "")


def _tie(tied: str, fill: str, ink: str) -> str:
    """Returns the run that says with what a box shares a weight, violet where that can be read."""
    if not tied:
        return ""
    colour = palette.TIED if palette.contrast(palette.TIED, fill) >= LEGIBLE else ink
    return labels.font(f"  {labels.escape(tied)}", labels.TEXT_SIZE, colour)
