"""What the playground runs in the browser: a model and a few options in, a table and a page out."""

from __future__ import annotations

import json
from typing import Any

import graphacct

SIZES = ("batch", "seq_len")


def understood(model: str, options: str) -> tuple[Any, dict[str, Any]]:
    """Returns a model, from the text of a config.json or a name, and its options, which are JSON. Empty ones are left
    to the model.

    Raises GraphacctError for what is no model, with the way out.
    """
    text = model.strip()
    try:
        found: Any = json.loads(text) if text.startswith("{") else text
    except ValueError as error:
        raise graphacct.ReadError(f"this is no JSON: {error}") from error
    given: dict[str, Any] = {name: value for name, value in json.loads(options).items() if value}
    for name in SIZES:
        if name in given:
            given[name] = size(given[name])
    return found, given


def size(text: str) -> int:
    """Returns a size as the command line reads it: 4096, 4k."""
    from graphacct.sizes import parse_size

    return parse_size(text)


def asked(model: str, options: str) -> str:
    """Returns a title and the table as HTML, as JSON; or the error as a sentence."""
    try:
        found, given = understood(model, options)
        report = graphacct.account(found, **given)
    except graphacct.GraphacctError as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"title": report.model, "table": report._repr_html_()})


def paged(model: str, options: str) -> str:
    """Returns the page of a model that has a table; or an error as a sentence. It takes ten times as long."""
    try:
        found, given = understood(model, options)
        return json.dumps({"page": graphacct.page(found, **given)})
    except graphacct.GraphacctError as error:
        return json.dumps({"error": str(error)})
