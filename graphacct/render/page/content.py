"""What a page shows, as plain values: parts, lines, sizes, quantities; figures are numbers of its table of formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct.deriving.branches import Branch, Branches
from graphacct.dims import same
from graphacct.formulas.traced_size import TracedSize
from graphacct.graph.paths import last, pattern
from graphacct.hooks.manager import Plugins
from graphacct.progress import steps
from graphacct.render.notes import inexact_notes, mask_note, terms, warning, workload_words
from graphacct.render.page.explained import Explainer
from graphacct.render.page.figures import Figures, number
from graphacct.render.page.names import FORWARD, name_of
from graphacct.render.page.opening import opened
from graphacct.render.page.sharing import shared
from graphacct.render.page.trained import Trained
from graphacct.render.page.tree import Part, Tree, same_shape, tree
from graphacct.render.picture.content import check_depth
from graphacct.render.picture.scene import Scene
from graphacct.render.picture.stage import all_open
from graphacct.render.picture.views import free_views
from graphacct.render.printable import printable
from graphacct.reports.report import Report

KINDS = {"data": 0, "residual": 1, "side": 2}
SEPARATOR = " · "
LOOKED_AT = ("flops", "params", "saved_bytes")
MINOR = 0.001
"""A node with a smaller share of each of these takes one line."""


@attrs.frozen(eq=False)
class Content:
    """What a page shows.

    Attributes:
        values: The plain values.
        figures: The table of formulas.
        sizes: The names of all sizes, which the formulas are functions of.
    """

    values: Mapping[str, Any]
    figures: Figures
    sizes: tuple[str, ...]


def content(
    report: Report,
    branches: Branches,
    plugins: Plugins,
    color_by: str,
    depth: int | None,
    views: bool,
    marks: Mapping[str, Mapping[str, Any]] | None,
) -> Content:
    """Returns the content of a report's page. `branches` has the report for other sizes; `marks` is what is said of
    paths that differ from those of another model."""
    check_depth(depth)
    for figure in report.total.values():
        number(figure)
    picture, *scenes = _scenes(report, branches.branches, plugins, views)
    kept = [(branch, each) for branch, each in zip(branches.branches, scenes, strict=True) if same_shape(picture, each)]
    return _Writer(report, branches, plugins, picture, kept, tree(picture), marks).content(color_by, depth)


def _scenes(report: Report, branches: Sequence[Branch], plugins: Plugins, views: bool) -> list[Scene]:
    """Returns the picture of a report and of each branch. A node that is a view in one of them, and a copy in another,
    is in all; so is one that costs nothing only at some sizes.

    What a picture decides of sizes, which lines are residual, is no matter of figures: no branch is limited by it.
    """
    free = free_views(report, plugins)
    for branch in branches:
        with branch.trace.forgetting():
            free &= free_views(branch.report, plugins) - _idle_here(branch.report)
    kept = {record.node.name for record in report.annotated.costs} - free
    found = [all_open(report, plugins, views, kept)]
    for branch in branches:
        with branch.trace.forgetting():
            found.append(all_open(branch.report, plugins, views, kept))
    return found


def _idle_here(report: Report) -> set[str]:
    """Returns the nodes with a figure that is 0 here and may be another one at other sizes."""
    costed = [record.node.name for record in report.annotated.costs if record.cost is not None]
    return {
        name
        for name, figures in zip(costed, report.values, strict=True)
        if any(isinstance(figure, TracedSize) and figure.value == 0 for figure in figures)
    }


class _Writer:
    """The state of writing one page's content."""

    def __init__(
        self,
        report: Report,
        branches: Branches,
        plugins: Plugins,
        picture: Scene,
        kept: Sequence[tuple[Branch, Scene]],
        parts: Tree,
        marks: Mapping[str, Mapping[str, Any]] | None,
    ) -> None:
        self.report, self.branches, self.picture, self.tree = report, branches, picture, parts
        self.figures = Figures(tuple(branch for branch, _ in kept))
        self.symbols = branches.symbols if kept else ()  # without a formula no size may be changed
        self.scenes = [each for _, each in kept] or [picture]
        self.explainer = Explainer(plugins, self.figures)
        self.trained = Trained(report, [branch.report for branch, _ in kept], plugins, self.figures)
        self.units = {item.name: place for place, item in enumerate(report.quantities)}
        self.marks = marks
        self.weights = self._weights()

    def content(self, color_by: str, depth: int | None) -> Content:
        report = self.report
        phase = report.workload.get("phase", "forward")
        quantities = [*report.quantities, *report.ratios]
        parts = [self._part(part) for part in steps(self.tree.parts, "parts")]
        values = {
            "model": report.model,
            "terms": [*filter(None, (warning(report), terms(report))), *inexact_notes(report.inexact)],
            "of": self._of(),
            "phase": phase,
            "sizes": self._sizes(),
            "quantities": [
                {
                    "name": item.name,
                    "title": name_of(item, phase),
                    "unit": item.unit,
                    "doc": item.doc,
                    **({"max": True} if item.combine == "max" else {}),
                    **({"ratio": True} if item.of_row is not None else {}),
                    **({"twin": True} if FORWARD.get(item.name) in report.total else {}),
                }
                for item in quantities
            ],
            "color": color_by,
            "ties": [*map(list, self.tree.ties)],
            "open": opened(self.tree, self.weights, depth),
        }
        if self.marks is not None:
            values["marks"] = self.marks
        values["operators"] = self.explainer.operators
        values["conditions"], values["regions"] = self.figures.conditions()
        shown = {place for part in parts for place in part.get("figures", ())}
        shown |= {each[3] for part in parts for each in part.get("work", ())}
        values["texts"] = self.figures.texts(sorted(shown))
        values |= shared(parts, self.explainer.formulas)
        return Content(values, self.figures, tuple(symbol.name for symbol in self.symbols))

    def _of(self) -> str:
        """Returns what the numbers are of, as a picture's caption says it; sizes with a field are not repeated."""
        report, coverage = self.report, self.report.coverage
        fields = {symbol.name for symbol in self.symbols}
        rest = {name: value for name, value in report.workload.items() if name not in fields}
        costed = f"{coverage.costed} of {coverage.total} nodes costed"
        parts = (f"convention {printable(report.convention)}{mask_note(report)}", costed, workload_words(rest))
        return SEPARATOR.join(filter(None, parts))

    def _sizes(self) -> list[dict[str, Any]]:
        fixed = self.branches.fixed
        return [
            {
                "name": symbol.name,
                "value": symbol.value,
                **({"config": True} if symbol.of_config else {}),
                **({"given": True} if symbol.given else {}),
                **({"key": symbol.key} if symbol.key else {}),
                **({"fixed": fixed[symbol.name]} if symbol.name in fixed else {}),
            }
            for symbol in self.symbols
        ]

    def _weights(self) -> list[float]:
        """Returns how much each node matters: its largest share of what people look at."""
        found = [0.0] * len(self.picture.boxes)
        for name in LOOKED_AT:
            if name in self.units:
                own = [box.figures[self.units[name]] for box in self.picture.boxes]
                total = float(sum(own)) or 1.0
                found = [max(before, float(each) / total) for before, each in zip(found, own, strict=True)]
        if self.marks:  # what differs is looked at too
            share = 1 / len(self.marks)
            paths = [pattern(box.path) for box in self.picture.boxes]
            found = [max(each, share) if path in self.marks else each for each, path in zip(found, paths, strict=True)]
        return found

    def _part(self, part: Part) -> dict[str, Any]:
        if part.box is None:
            return self._scope(part)
        place = part.box
        box = self.picture.boxes[place]
        boxes = [each.boxes[place] for each in self.scenes]
        found: dict[str, Any] = {"name": last(box.path), "path": box.path, "in": part.parent}
        if box.shown is not None:
            found["shape"] = self._shape([each.shown for each in boxes])
            found["dtype"] = box.shown.dtype
        if box.record is None:
            return {**found, "kind": box.kind}
        figures = zip(*(each.figures for each in boxes), strict=True)
        found["figures"] = [self.figures.add(each) for each in figures]
        found["operator"] = box.record.node.operator
        if self.marks is not None and pattern(box.path) in self.marks:
            found["mark"] = pattern(box.path)
        records = [each.record for each in boxes if each.record is not None]
        found["runs"] = self.figures.add([record.times for record in records])
        if box.record.cost is None:
            found["uncosted"] = True
        if self.weights[place] < MINOR:
            found["small"] = True
        return {**found, **self.explainer.of(box.record, records), **self.trained.of(box.record, records)}

    def _shape(self, specs: Sequence[Any]) -> list[int]:
        return [self.figures.add(dims) for dims in zip(*(spec.shape for spec in specs), strict=True)]

    def _scope(self, part: Part) -> dict[str, Any]:
        inside = self.tree.insides[part.number]
        path = part.chain[-1] if part.chain else ""
        found: dict[str, Any] = {
            "name": last(path) if path else self.report.model,
            "path": path,
            "in": part.parent,
            "parts": part.children,
            "rows": inside.layers.rows,
            "entering": inside.entering,
            "leaving": inside.leaving,
            "lines": [
                [[*way], flow.line.value, KINDS.get(self.picture.edges[flow.edge].kind, 0)]
                for flow, way in zip(inside.flows, inside.layers.ways, strict=True)
            ],
        }
        scope = self.picture.scopes.get(part.chain)
        if scope is not None and not same(scope.repeat, 1):
            found["repeat"] = self.figures.add([each.scopes[part.chain].repeat for each in self.scenes])
        if part.entry:
            found["entry"] = part.entry
        return found
