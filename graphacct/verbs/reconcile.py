"""The verb that reconciles two conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from graphacct.costs.conventions import Convention, find_convention
from graphacct.errors import ConfigError, brief
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    check_no_training,
    checked,
    separated,
)
from graphacct.models.build import build as build_graph
from graphacct.phases import FORWARD, TRAIN
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.reports.reconcile import Reconciliation


@checked(AccountKeywords, phase="train")
def reconcile(
    model: Model,
    *,
    between: str | Convention = DEFAULTS["convention"],
    and_: str | Convention,
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Reconciliation:
    """Returns why two conventions give a training step of a model, or with `phase="forward"` a forward pass, different
    FLOPs: terms that sum to the difference.

    Args:
        model: As for `build`.
        between: The convention, or its name, from which the difference counts.
        and_: The other one.
        mask: As for `account`, of both; one alone has it behind its name, `matmul:causal`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`.

    Raises what `account` raises; ConfigError if a convention's formula cannot be stated for the model.

    >>> found = reconcile("llama-3-8b", between="megatron", and_="torchtitan", seq_len=8192)
    >>> [(term.name, term.flops) for term in found.terms]
    [('norms', 13086228480)]
    """
    from graphacct.reports.reconcile import reconcile as reconciled
    from graphacct.training.options import resolved

    plugins = plugins or default()
    asked, others = separated(options)
    phase = others.pop("phase", None) or TRAIN
    if phase not in (FORWARD, TRAIN):
        raise ConfigError(
            f'phase {brief(phase)}: figures of a training step are reconciled, or of a forward pass (phase="forward")'
        )
    graph = build_graph(model, plugins=plugins, **others, phase=phase)
    if phase == FORWARD:
        check_no_training(asked)
    first, other = (find_convention(convention, plugins.conventions, mask) for convention in (between, and_))
    return reconciled(graph, first, other, resolved(asked, plugins), plugins, unknown)
