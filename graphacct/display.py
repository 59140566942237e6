"""The one door from the nouns to what shows them: a name, and the function behind it.

A report in a notebook is a table, a graph is a picture. The nouns lie below `render/` and must not import it, so they
ask for what they want by name, and its module is imported then.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

FUNCTIONS = {
    "explanation.text": "graphacct.render.explanation:to_text",
    "graph.from_networkx": "graphacct.api:from_networkx",
    "graph.svg": "graphacct.api:svg",
    "graph.to_networkx": "graphacct.graph.networkx_view:to_networkx",
    "graph.unroll": "graphacct.graph.unroll:unroll",
    "memory.table": "graphacct.render.memory:to_text",
    "operators": "graphacct.api:installed_operators",
    "report.dict": "graphacct.render.json:to_dict",
    "report.html": "graphacct.render.html:html",
    "report.records": "graphacct.render.records:records",
    "report.table": "graphacct.render.table:table",
}


def display(name: str, *arguments: Any, **keywords: Any) -> Any:
    """Call the function behind a name of the table."""
    module, _, function = FUNCTIONS[name].partition(":")
    return getattr(import_module(module), function)(*arguments, **keywords)
