"""The verb that finds the size at which conditions hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.costs.conventions import Convention
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    checked,
)
from graphacct.models.find import find_model
from graphacct.verbs.account import account
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.solving.solution import Solution


@checked(AccountKeywords)
def solve(
    model: Model,
    *,
    for_: str,
    where: str | Sequence[str],
    max: bool = False,
    min: bool = False,
    range_: str | range | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Solution:
    """Returns the size of a model at which conditions hold: whole, found by a search and checked by evaluation.

    Args:
        model: As for `build`.
        for_: The size: one of the workload (`seq_len`), or a key of the model's configuration (`n_embd`), also in
            another library's spelling (`d_model`).
        where: One condition or several, which all are to hold: `params <= 1.5e9`. Without `max` and `min` it is one
            equality, `flops(attention) == flops(mlp)`: the smallest size at which the left side reaches the right one.
        max: Whether to find the largest size.
        min: Whether to find the smallest size.
        range_: The sizes that may be the answer, `START:STOP` or `START:STOP:STEP` with STOP included, or a range of
            Python; all unless given.
        convention: As for `account`.
        mask: As for `account`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: Those of `account`.

    Raises what `account` raises; ConfigError if no size meets the conditions, or for a condition that cannot be read;
    UnknownNameError for a name in it that is neither a quantity nor a size.

    >>> solve("gpt2", for_="n_layer", max=True, where="params <= 1e9").size
    135
    """
    from graphacct.expressions.parse import parse
    from graphacct.models.size import config_sizes, find_size, sizes_of, workload_sizes
    from graphacct.solving.asked import Asked
    from graphacct.solving.solution import Solver, goal_of

    plugins = plugins or default()
    conditions = [parse(text) for text in ([where] if isinstance(where, str) else where)]
    goal = goal_of(conditions, max, min)
    given: dict[str, Any] = {**options}
    found = find_model(model, plugins, given.get("set") or {})
    size = find_size(found, for_, given)
    names = [*workload_sizes(found), *config_sizes(found, given.get("set") or {})]
    asked = Asked(conditions, names, given.get("phase") or "", plugins)
    counted: Any = {"convention": convention, "mask": mask, "unknown": unknown, "plugins": plugins}
    counted["quantities"] = asked.quantities
    solver = Solver(size, asked, lambda sizes: account(found, **counted, **sizes), given, found, goal)
    return solver.solution(sizes_of(range_) if isinstance(range_, str) else range_)
