"""ZeRO: what data-parallel ranks divide among themselves (Rajbhandari et al., 2020, arXiv:1910.02054, figure 1).

Stage 1 divides the optimizer's state, stage 2 the gradients too, stage 3 the parameters too. Buffers and activations
stay whole on every rank.
"""

from __future__ import annotations

import attrs

from graphacct.dims import Dim, ceil_div
from graphacct.errors import ConfigError, brief

STAGES = (0, 1, 2, 3)


@attrs.frozen(repr=False)
class Sharded:
    """Bytes on one rank.

    Attributes:
        parameters: Of the parameters.
        gradients: Of the gradients.
        optimizer_state: Of the optimizer's state, master copies included.
    """

    parameters: Dim
    gradients: Dim
    optimizer_state: Dim


OPTIMIZER_STATE, GRADIENTS, PARAMETERS = 1, 2, 3
"""The first stage that divides each."""


def shard(parameters: Dim, gradients: Dim, optimizer_state: Dim, dp: int = 1, zero: int = 0) -> Sharded:
    """Returns the bytes on the fullest of `dp` ranks under a ZeRO stage, each kind laid out flat and divided evenly.

    A share that is no whole number of bytes is rounded up once; the padding of a framework's buckets is not modelled.
    Raises ConfigError for fewer than one rank or another stage.
    """
    check_ranks(dp, zero)
    return Sharded(
        rank_share(parameters, PARAMETERS, dp, zero),
        rank_share(gradients, GRADIENTS, dp, zero),
        rank_share(optimizer_state, OPTIMIZER_STATE, dp, zero),
    )


def rank_share(amount: Dim, divided_from: int, dp: int, zero: int) -> Dim:
    """Returns a rank's share of what is divided from a stage on, rounded up to a whole."""
    return amount if dp == 1 or zero < divided_from else ceil_div(amount, dp)


def check_ranks(dp: int, zero: int) -> None:
    """Raises ConfigError for fewer than one data-parallel rank, or for a stage that ZeRO does not have."""
    if type(dp) is not int or dp < 1:
        raise ConfigError(f"dp is a number of data-parallel ranks, at least 1, not {brief(dp)}")
    if type(zero) is not int or zero not in STAGES:
        raise ConfigError(f"zero is a ZeRO stage, 0 to 3, not {brief(zero)}")
