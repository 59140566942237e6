"""Random sizes at which a formula holds, and the figure of a report at them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import graphacct
from graphacct.errors import ConfigError, GraphacctError
from graphacct.models.find import find_model
from graphacct.models.size import config_sizes

TRIES = 10
"""How many sizes are tried for one at which the conditions hold."""


def points(formula: Any, chance: random.Random, count: int) -> Iterator[dict[str, int]]:
    """Yields some sizes near the model's own at which a formula holds."""
    for _ in range(TRIES * count):
        if not count:
            return
        sizes = {
            name: size if chance.random() < 0.5 else chance.choice([2 * size, 3 * size, size // 2 or 1, size + 64])
            for name, size in formula.symbols.items()
        }
        try:
            formula(**sizes)
        except ConfigError:
            continue
        count -= 1
        yield sizes


def reported(model: str, formula: Any, sizes: dict[str, int], options: dict[str, Any]) -> Any:
    """Returns the figure of a report at these sizes, the others as at the formula's point; None if it is refused."""
    from graphacct.hooks.manager import default

    keys = options.get("set") or {}
    of_config = config_sizes(find_model(model, default(), keys), keys)
    given = {**formula.point, **sizes}
    workload = {name: size for name, size in given.items() if name not in of_config}
    if "image_size" in workload:
        workload["image_size"] = (workload["image_size"],) * 2
    keys = {**keys, **{name: size for name, size in given.items() if name in of_config}}
    try:
        report = graphacct.account(model, quantities=[formula.quantity], **{**options, **workload, "set": keys})
    except GraphacctError:
        return None
    return report.figure(formula.quantity)


def run(formula: Any, sizes: dict[str, int]) -> Any:
    """Returns what the formula's Python function returns."""
    namespace: dict[str, Any] = {}
    exec(formula.python, namespace)
    (function,) = [each for name, each in namespace.items() if callable(each) and not name.startswith("__")]
    return function(*[sizes[name] for name in formula.symbols])
