"""A diff as a file: a picture, or a page of both models side by side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphacct.files import write
from graphacct.hooks.manager import Plugins
from graphacct.reports.diff import Diff

if TYPE_CHECKING:
    import graphviz

PAGES = (".html", ".htm")


def draw(
    found: Diff, path: str | os.PathLike[str] | None = None, depth: int | None = None, plugins: Plugins | None = None
) -> graphviz.Digraph:
    """Returns the picture of a diff, written to `path` too if one is given; a page if it ends in .html."""
    from graphacct.render.picture.diff import draw_diff

    if path is not None and os.fspath(path).lower().endswith(PAGES):
        from graphacct.render.page.diff import diff_page

        write(path, diff_page(found, depth, plugins))
        path = None
    return draw_diff(found, path, depth, plugins)
