"""What the playground runs in the browser: a model and a few options in, a table and a page out."""

from __future__ import annotations

import json
from typing import Any

import graphacct

SIZES = ("batch", "seq_len")


def answer(model: str, options: dict[str, str]) -> list[str]:
    """Returns a title, the table as HTML and the page of a model: the text of a config.json, or a name. Empty options
    are left to the model.

    Raises GraphacctError for what cannot be answered, with the way out.
    """
    text = model.strip()
    try:
        found: Any = json.loads(text) if text.startswith("{") else text
    except ValueError as error:
        raise graphacct.ReadError(f"this is no JSON: {error}") from error
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    for name in SIZES:
        if name in given:
            given[name] = size(given[name])
    report = graphacct.account(found, **given)
    return [report.model, report._repr_html_(), graphacct.page(found, **given)]


def size(text: str) -> int:
    """Returns a size as the command line reads it: 4096, 4k."""
    from graphacct.sizes import parse_size

    return parse_size(text)


def asked(model: str, options: str) -> str:
    """Returns the answer as JSON, or the error as a sentence; `options` are JSON too."""
    try:
        title, table, page = answer(model, json.loads(options))
    except graphacct.GraphacctError as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"title": title, "table": table, "page": page})
