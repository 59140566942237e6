"""The normalizations of a decoder, as plain values."""

from __future__ import annotations

from graphacct import Dim, frozen

RMS, LAYER_NORM = "rms_norm", "layer_norm"


@frozen
class Norm:
    """A kind of normalization.

    Attributes:
        kind: `rms_norm` or `layer_norm`.
        weight: Whether it has a gain (OLMo's first models have none).
        bias: Whether it has a bias.
        centred: Whether the stored weight is the gain minus 1, so that a weight of 0 changes nothing.
        upcast: The part of an RMSNorm that always runs in float32: the `norm` before the weight, `all` of it, or the
            `statistics` alone. A LayerNorm is torch's own unless it is `all`.
        cast: Whether torch's own norm runs on a copy of the stream in float32.
        power: Whether an RMSNorm's root is written as a power of -½.
        weight_wide: Whether an RMSNorm wholly in float32 first casts its weight too.
        stored_wide: Whether its weight is stored in float32 whatever the model's dtype is.
        gate_rank: The rank of two projections of the normalized rows, there and back, whose sigmoid multiplies them;
            None for none.
    """

    kind: str = RMS
    weight: bool = True
    bias: bool = False
    centred: bool = False
    upcast: str = "norm"
    cast: bool = False
    power: bool = False
    weight_wide: bool = False
    stored_wide: bool = False
    gate_rank: Dim | None = None
