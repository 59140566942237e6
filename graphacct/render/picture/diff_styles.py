"""How the boxes and arrows of a diff's picture look, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct.render.picture import palette
from graphacct.render.picture.difference import SAME
from graphacct.reports.diff import ADDED, CHANGED, REMOVED

SIGNS = {ADDED: "+", REMOVED: "−", CHANGED: "±", SAME: ""}
INKS = {ADDED: palette.ADDED, REMOVED: palette.REMOVED, CHANGED: palette.CHANGED, SAME: palette.MUTED}
BOXES: Mapping[str, Mapping[str, str]] = {
    ADDED: {"fillcolor": palette.ADDED_FILL, "color": palette.ADDED, "penwidth": "2.4"},
    REMOVED: {
        "fillcolor": palette.REMOVED_FILL,
        "color": palette.REMOVED,
        "penwidth": "1.4",
        "style": "rounded,filled,dashed",
    },
    CHANGED: {"fillcolor": palette.CHANGED_FILL, "color": palette.CHANGED, "penwidth": "1.4", "peripheries": "2"},
    SAME: {"color": palette.FAINT, "margin": "0.06,0.01"},
}
"""How boxes look: of what is added the border is thick, of what is removed dashed, of what is changed double."""
ARROWS: Mapping[str, Mapping[str, str]] = {
    ADDED: {"color": palette.ADDED, "penwidth": "2"},
    REMOVED: {"color": palette.REMOVED, "style": "dashed"},
    SAME: {},
}
TIES = {SAME: "", ADDED: " in B", REMOVED: " in A"}
"""In which model a weight is shared."""
WORDS = {
    ADDED: "only in B: thick border",
    REMOVED: "only in A: dashed border",
    CHANGED: "differs: double border",
}
