"""How nouns reach the functions that show them: by name.

A report in a notebook is a table, a graph is a picture. The nouns lie below `render/` and must not import it, so they
name a function here, and its module is imported on use. An Output, the format of a command's report, names its function
in the same way. (A separate file for Output would cost a plain report 0.8 ms to find and read.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

import attrs

from graphacct.errors import GraphacctError, PluginError, brief, failure

Report: TypeAlias = Any
"""`graphacct.reports.report.Report`, which the ground must not import."""

FUNCTIONS = {
    "comparison.csv": "graphacct.render.compare:to_csv",
    "comparison.dict": "graphacct.render.compare:to_dict",
    "comparison.html": "graphacct.render.compare:to_html",
    "comparison.json": "graphacct.render.compare:to_json",
    "comparison.markdown": "graphacct.render.compare:to_markdown",
    "comparison.plot": "graphacct.render.compare_plot:plot",
    "comparison.records": "graphacct.render.compare:records",
    "comparison.sheet": "graphacct.render.compare:sheet",
    "comparison.table": "graphacct.render.compare:to_text",
    "diff.dict": "graphacct.render.diff:to_dict",
    "diff.draw": "graphacct.render.diff_file:draw",
    "diff.html": "graphacct.render.diff:to_html",
    "diff.table": "graphacct.render.diff:to_text",
    "explanation.html": "graphacct.render.explanation:to_html",
    "explanation.text": "graphacct.render.explanation:to_text",
    "formula.dict": "graphacct.render.formula:one_dict",
    "formula.notebook": "graphacct.render.formula:one_notebook",
    "formula.text": "graphacct.render.formula:one_text",
    "formulas.dict": "graphacct.render.formula:to_dict",
    "formulas.notebook": "graphacct.render.formula:notebook",
    "formulas.text": "graphacct.render.formula:to_text",
    "graph.fold": "graphacct.transforms.folding:folded",
    "graph.from_networkx": "graphacct.verbs.files:from_networkx",
    "graph.svg": "graphacct.verbs.draw:svg",
    "graph.to_networkx": "graphacct.graph.networkx_view:to_networkx",
    "graph.unroll": "graphacct.graph.unroll:unroll",
    "memory.html": "graphacct.render.devices:to_html",
    "memory.table": "graphacct.render.devices:to_text",
    "operators": "graphacct.verbs.files:installed_operators",
    "reconciliation.dict": "graphacct.render.reconciliation:to_dict",
    "reconciliation.html": "graphacct.render.reconciliation:to_html",
    "reconciliation.table": "graphacct.render.reconciliation:to_text",
    "report.dict": "graphacct.render.json:to_dict",
    "report.draw": "graphacct.verbs.draw:draw",
    "report.explain": "graphacct.verbs.explain:explain",
    "report.frame": "graphacct.render.frame:frame",
    "report.html": "graphacct.render.html:html",
    "report.page": "graphacct.verbs.page:page",
    "report.memory": "graphacct.verbs.memory:memory",
    "report.records": "graphacct.render.records:records",
    "report.table": "graphacct.render.table:table",
    "solution.dict": "graphacct.render.solution:to_dict",
    "solution.html": "graphacct.render.solution:to_html",
    "solution.table": "graphacct.render.solution:to_text",
    "sweep.dict": "graphacct.render.sweep:to_dict",
    "sweep.html": "graphacct.render.sweep:to_html",
    "sweep.table": "graphacct.render.sweep:to_text",
}


def display(name: str, *arguments: Any, **keywords: Any) -> Any:
    """Calls the function behind a name in the table."""
    return _function(FUNCTIONS[name])(*arguments, **keywords)


def _function(name: str) -> Callable[..., Any]:
    """Returns the function of a `module:function`."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


REPORT, DRAW = "report", "draw"


@attrs.frozen(eq=False, repr=False)
class Output:
    """A format of `graphacct report` or `draw`.

    Attributes:
        name: What `--format` calls it.
        doc: One sentence.
        command: `report` or `draw`.
        endings: Endings of the files that `-o` writes in this format, with their dots.
        function: `function(report, **options)`, which returns text or bytes; or `module:function`, imported on use.
        options: The command's options that it takes: of `report`, `by`, `depth`, `columns` and `binary`; of `draw`,
            `color_by`, `depth`, `unroll`, `views`, `plugins`, those of a figure (docs/figures.md), and `branches` and
            `command` (docs/page.md).
        replaces: Whether it replaces another plugin's output of the same name.
    """

    name: str
    doc: str
    command: str
    endings: tuple[str, ...]
    function: Callable[..., str | bytes] | str
    options: tuple[str, ...] = ()
    replaces: bool = False

    def __attrs_post_init__(self) -> None:
        if self.command not in (REPORT, DRAW):
            raise PluginError(f"output {self.name!r} is of the command {brief(self.command)}: {REPORT} or {DRAW}")
        wrong = next((ending for ending in self.endings if ending[:1] != "." or ending != ending.lower()), None)
        if wrong is not None:
            raise PluginError(f"output {self.name!r}: an ending is small letters after a dot, not {brief(wrong)}")


def of_command(command: str, known: Mapping[str, Output]) -> dict[str, Output]:
    """Returns the outputs of a command by name."""
    return {name: output for name, output in known.items() if output.command == command}


def by_ending(command: str, known: Mapping[str, Output]) -> dict[str, Output]:
    """Returns the outputs of a command by file ending. Raises PluginError if two claim the same ending."""
    found: dict[str, Output] = {}
    for output in of_command(command, known).values():
        for ending in output.endings:
            other = found.setdefault(ending, output)
            if other is not output:
                origins: Mapping[str, str] = getattr(known, "origins", {})
                who = (f"{one.name!r} of {origins.get(one.name, 'no plugin')}" for one in (other, output))
                raise PluginError(f"files that end in {ending} are of two outputs: {' and '.join(who)}; rename one's")
    return found


def rendered(output: Output, report: Report, given: Mapping[str, Any], origin: str = "") -> str | bytes:
    """Returns a report in a format, with those of the `given` options that the format takes. Raises PluginError, which
    names the output, if it fails."""
    who = f"output {output.name!r}" + (f" of plugin {origin}" if origin else "")
    options = {name: given[name] for name in output.options if name in given}
    try:
        function = _function(output.function) if isinstance(output.function, str) else output.function
        content: object = function(report, **options)
    except GraphacctError:
        raise
    except Exception as error:
        raise PluginError(failure(who, error)) from error
    if not isinstance(content, (str, bytes)):
        raise PluginError(f"{who} returned {brief(content)}, which is neither text nor bytes")
    return content
