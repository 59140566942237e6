"""How a training step runs, and the options that ask for it: names of a profile, an optimizer, globs of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError, unknown
from graphacct.execution.profiles import Profile
from graphacct.hooks.manager import Plugins
from graphacct.keywords import DEFAULTS

if TYPE_CHECKING:
    from graphacct.training.optimizers import Optimizer
    from graphacct.training.recompute import RecomputePolicy


@attrs.frozen(eq=False, repr=False)
class Training:
    """How a training step runs.

    Attributes:
        profile: The execution profile. recompute: The recomputation policy. freeze: Globs of the parameters that are
        not trained.
        optimizer: How parameters are updated; None leaves the update out.
        master: `fp32` or `none`: whether parameters have a float32 copy; empty for those of 16 bits.
        dp: Data-parallel ranks, of which this is one.
        zero: The ZeRO stage over them.
    """

    profile: Profile
    recompute: RecomputePolicy
    freeze: tuple[str, ...] = ()
    optimizer: Optimizer | None = None
    master: str = ""
    dp: int = 1
    zero: int = 0


def _globs(globs: str | Iterable[str]) -> tuple[str, ...]:
    """One glob or several: a text is one, not its letters."""
    return (globs,) if isinstance(globs, str) else tuple(globs)


@attrs.frozen(eq=False, repr=False)
class TrainingOptions:
    """How a training step runs, as it is asked for.

    Attributes:
        profile: The execution profile; the first that is registered unless given (torch-eager-cuda).
        freeze: Globs of the parameters that are not trained: they have no gradient and no optimizer's state.
        recompute: What the backward pass runs again so that less is saved: a policy (`graphacct list
            recompute-policies`; `none`, `full`, `selective` among them) or a glob of nodes.
        optimizer: The optimizer (`graphacct list optimizers`); the first that is registered unless given (adamw).
        master: `fp32` or `none`: whether parameters have a float32 copy; unless given, those of 16 bits have.
        dp: Data-parallel ranks; the batch is that of one rank.
        zero: The ZeRO stage, 0 to 3: what the ranks divide among them.
    """

    profile: str = DEFAULTS["profile"]
    freeze: tuple[str, ...] = attrs.field(default=DEFAULTS["freeze"], converter=_globs)
    recompute: str = DEFAULTS["recompute"]
    optimizer: str = DEFAULTS["optimizer"]
    master: str = DEFAULTS["master"]
    dp: int = DEFAULTS["dp"]
    zero: int = DEFAULTS["zero"]


def resolved(options: Mapping[str, Any], plugins: Plugins) -> Training:
    """Returns the training step with the profile and optimizer that the options name. UnknownNameError suggests the
    closest name.

    `options` are fields of TrainingOptions by name.
    """
    from graphacct.training.optimizers import find_optimizer
    from graphacct.training.recompute import find_policy

    asked = TrainingOptions(**options)
    rule = find_optimizer(asked.optimizer, plugins.optimizers)
    profile = find_profile(asked.profile, plugins)
    policy = find_policy(asked.recompute, plugins.recompute_policies)
    return Training(profile, policy, asked.freeze, rule, asked.master, asked.dp, asked.zero)


def find_profile(profile: str, plugins: Plugins) -> Profile:
    """Returns the execution profile of a name; the first that is registered for an empty one."""
    table = plugins.profiles
    if not table:
        raise ConfigError("no plugin registers an execution profile: graphacct-operators is left out or not installed")
    if profile and profile not in table:
        raise unknown("profile", profile, table)
    return table[profile or next(iter(table))]
