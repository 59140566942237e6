"""The verb that compares models, or sizes of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.costs.conventions import Convention
from graphacct.errors import ConfigError, brief
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    checked,
)
from graphacct.models.find import find_model
from graphacct.phases import TRAIN
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model
from graphacct.verbs.reported import reported

if TYPE_CHECKING:
    from graphacct.reports.comparison import Chosen, Comparison


@checked(AccountKeywords)
def compare(
    *reports: Report | Model,
    over: str | Mapping[str, str | Iterable[int]] | None = None,
    quantity: str = "flops",
    by: str = "scope",
    depth: int | None = None,
    quantities: Sequence[str] | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Comparison:
    """Returns models (or reports) side by side under one workload, or one model at several sizes: one quantity of each
    scope, operator or role, and its share of the total.

    Models whose own lengths differ get the shortest of them, unless `seq_len` is given; `chosen` says so.

    Args:
        reports: Models, all for one workload, or reports, as they are: one or more, all under one convention.
        over: The sizes of one model: `seq_len=1k,4k,16k` or `d_model=512:2048:256`, or a mapping from the name to a
            text or to ints. A size of the workload or a key of the configuration; ranges include their end.
        quantity: What to compare.
        by: `scope`, `operator`, or `role`, which the rows of different families share: embedding, attention, mlp,
            experts, router, norms, head, loss, other.
        depth: Levels of scopes; all unless given, of which a table shows what matters.
        quantities: The names of the quantities to count besides the compared one; all unless given, and of a training
            step at several sizes the parameters alone, since its memory takes nine tenths of the time.
        convention: As for `account`; of reports their own.
        mask: As for `account`; of reports their own.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of all models.

    Raises what `account` raises; UnknownNameError for an unknown quantity, grouping or size; ConfigError for nothing to
    compare, for models that cannot be under one workload, and for sizes that the model refuses altogether.

    >>> compare("gpt2", over="batch=1,2", by="role").values[1]
    (97765785600, 195531571200)
    """
    from graphacct.reports.comparison import compare as compared

    plugins = plugins or default()
    how: dict[str, Any] = {"convention": convention, "mask": mask, "unknown": unknown, "plugins": plugins}
    if quantities is not None:
        how["quantities"] = (quantity, *quantities)
    found: Sequence[Any] = reports
    more: dict[str, Any] = {"operators": plugins.operators}
    whole = [model for model in reports if isinstance(model, Report)]
    if whole and (options or over is not None):
        given = ", ".join([*options, *(["over"] if over is not None else [])])
        raise ConfigError(f"{given}: {brief(whole[0].model)} is a report already; give models, or reports alone")
    if over is not None:
        if quantities is None and options.get("phase") == TRAIN:
            how["quantities"] = (quantity, "params")
        if len(reports) != 1:
            raise ConfigError(f"over is of one model, and {len(reports)} are given: leave the others out, or over=")
        from graphacct.solving.over import account_over

        model = find_model(reports[0], plugins, options.get("set") or {})
        account_one = partial(account, model, **how)
        found, more["over"] = account_over(model, over, {**options}, account_one, (quantity, by), plugins.operators)
    elif not whole:
        found, more["chosen"] = _under_one_workload(reports, how, {**options})
    return compared([reported(each, plugins, {}) for each in found], quantity, by, depth, **more)


def _under_one_workload(
    models: Sequence[Model], how: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[list[Report], list[Chosen]]:
    """Returns the reports of models under one workload, and the lengths that were chosen for all."""
    from graphacct.models.shared_sizes import shared_sizes
    from graphacct.reports.comparison import Chosen
    from graphacct.reports.workloads import check_one_workload

    found = [find_model(model, how["plugins"], options.get("set") or {}) for model in models]
    shared = shared_sizes(found, options)
    chosen = [Chosen(name, min(size for size in own if size is not None), own) for name, own in shared.items()]
    reports = []
    for place, model in enumerate(found):
        more = {each.name: each.size for each in chosen if each.own[place] not in (None, each.size)}
        reports.append(account(model, **how, **{**options, **more}))
    check_one_workload(reports)
    return reports, chosen
