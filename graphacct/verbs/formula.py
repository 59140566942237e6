"""The verb that derives closed formulas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.costs.conventions import Convention
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    checked,
)
from graphacct.models.find import find_model
from graphacct.verbs.account import accounted
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.deriving.formula import Formula, Formulas
    from graphacct.reports.report import Report


@checked(AccountKeywords)
def formula(
    model: Model,
    node: str | None = None,
    *,
    quantity: str | Sequence[str] | None = None,
    by: str | None = None,
    depth: int | None = None,
    symbols: str | Sequence[str] | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Formula | Formulas:
    """Returns the closed formula of a figure in the model's own sizes: of one quantity a Formula, of several Formulas.

    A size of the workload or of the configuration that is given (`seq_len=2048`, `set`) is a symbol too, and has that
    value where the formula's value is asked for.

    Args:
        model: As for `build`; a finished graph has no sizes.
        node: A node or scope, as for `explain`, or a glob of scopes; the whole model unless given.
        quantity: The quantity, or several; `params` and `flops` unless given.
        by: `scope`: the formula's `parts` are then those of the scopes, which sum to it.
        depth: With `by`: levels of scopes; unless given, up to 30, opened where most of the quantity is.
        symbols: The sizes that stay symbols, in the model's or another library's spelling; all unless given.
        convention: As for `account`.
        mask: As for `account`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: Those of `account`.

    Raises what `account` raises; UnknownNameError for a node or a size that the model has not, with those it has;
    ConfigError for a size in `symbols` that must be a number.

    >>> found = formula("gpt2-xl", quantity="params")
    >>> found.text
    'n_embd · (n_layer · (12 · n_embd + 13) + vocab_size + n_positions + 2)'
    >>> found(n_layer=96)
    3033113600
    """
    from graphacct.costs.step_quantities import only_memory
    from graphacct.deriving.derive import QUANTITIES, derive
    from graphacct.deriving.formula import Formulas
    from graphacct.reports.completed import completed, without_memory

    plugins = plugins or default()
    quantities = [quantity] if isinstance(quantity, str) else QUANTITIES if quantity is None else list(quantity)
    names = symbols.split(",") if isinstance(symbols, str) else symbols
    given: dict[str, Any] = {**options}
    found = find_model(model, plugins, given.get("set") or {})
    whole = unknown != "error" or bool(plugins.analyses) or not only_memory(quantities, plugins.quantities)

    def report(work: bool, quantities: Sequence[str] | None = None, **sizes: Any) -> Report:
        return accounted(found, convention, mask, unknown, quantities, plugins, sizes, work)

    formulas = derive(
        partial(report, True),
        partial(report, whole),
        lambda report: completed(report, quantities, plugins),
        found,
        {**given, "quantities": without_memory(quantities, plugins)},
        quantities,
        node,
        by,
        depth,
        names,
        plugins.operators,
    )
    return formulas[0] if isinstance(quantity, str) else Formulas(formulas)
