"""The Graphviz attributes that a picture's graph, boxes and edges have unless they say otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct.render.picture import labels, palette

GRAPH = {
    "fontname": labels.FONT,
    "bgcolor": "white",
    "labelloc": "t",
    "nodesep": "0.3",
    "ranksep": "0.115",
    "pad": "0.06",
}
NODE = {
    "shape": "box",
    "style": "rounded,filled",
    "fontname": labels.FONT,
    "fontsize": f"{labels.TEXT_SIZE}",
    "margin": "0.08,0.03",
    "height": "0.16",
    "penwidth": "0.9",
    "color": palette.LINE,
    "fillcolor": palette.PAPER,
}
EDGE = {
    "fontname": labels.FONT,
    "fontsize": f"{labels.TEXT_SIZE}",
    "fontcolor": palette.MUTED,
    "color": palette.LINE,
    "arrowsize": "0.6",
    "penwidth": "1",
}
EDGES: Mapping[str, Mapping[str, str]] = {
    "data": {},
    "side": {"color": palette.FAINT},
    "residual": {"color": palette.RESIDUAL, "fontcolor": palette.RESIDUAL, "penwidth": "2.2"},
    "loop": {
        "color": palette.RESIDUAL,
        "style": "dotted",
        "penwidth": "1.6",
        "dir": "back",
    },
    "tied": {"color": palette.TIED, "style": "dashed", "dir": "none", "constraint": "false"},
}
