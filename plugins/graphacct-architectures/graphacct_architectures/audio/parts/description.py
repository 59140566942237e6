"""The description of an encoder of a waveform, as plain values that a family fills in.

Names are those of the published checkpoint's modules. None means that the model has no such part.
"""

from __future__ import annotations

from graphacct import Dim, frozen
from graphacct_architectures.audio.parts.conformer_layers import Conformer
from graphacct_architectures.encoders.parts.description import Encoder

FIRST, EACH = "group", "layer"
"""Where a stem is normalized: per channel after its first convolution, or per position after each."""


@frozen
class Stem:
    """Convolutions over samples, each with an activation.

    Attributes:
        widths, kernels, strides: Of each convolution.
        bias: Whether they have biases.
        norm: FIRST or EACH.
        activation: The operator or operators after each.
    """

    widths: tuple[Dim, ...]
    kernels: tuple[Dim, ...]
    strides: tuple[Dim, ...]
    bias: bool
    norm: str
    activation: str


@frozen
class Convolved:
    """Positions by a convolution in groups over the stream, which is added to it.

    Attributes:
        kernel: Its taps.
        groups: Its groups of channels.
        activation: The operator or operators after it.
        layers: How many convolutions there are, one after another, each normalized; None for a single one.
        weight_norm: Whether the weight is kept as a direction and a length for each tap.
        batch_norm: Whether its input is normalized over the batch.
        stride: Its step.
    """

    kernel: Dim
    groups: Dim
    activation: str
    layers: Dim | None = None
    weight_norm: bool = True
    batch_norm: bool = False
    stride: Dim = 1


@frozen
class Gated:
    """Biases of the scores by the distance of query and key, from a table in the first layer, which each layer weights
    by gates of its input.

    Attributes:
        buckets: The table's rows.
    """

    buckets: Dim


@frozen
class Adapter:
    """Convolutions after the last layer, each with a gated linear unit.

    Attributes:
        width: The width of the stream after it.
        layers: How many there are.
        kernel, stride: Of each.
    """

    width: Dim
    layers: Dim
    kernel: Dim
    stride: Dim


@frozen
class Masks:
    """What training masks by chance.

    Attributes:
        stored: Whether there is a vector that stands for masked positions.
        time, channels: Whether positions are masked, and channels.
    """

    stored: bool = True
    time: bool = False
    channels: bool = False


@frozen
class Waves:
    """An encoder of a waveform.

    Attributes:
        stem: The convolutions over its samples.
        width: The width of the stream.
        layers: How many layers there are.
        heads: Attention heads.
        inner: The feed-forward network's width.
        activation: Its operator or operators.
        positions: The positions.
        norm_first: Whether a layer's norms are before its modules, and one after all layers.
        features_norm: Whether the stem's output is normalized.
        projected: Whether the norm and the projection of features are in a module of their own, whose projection always
            runs; otherwise features that have the stream's width are not projected.
        masks: What training masks.
        adapter: After the last layer, or None.
        layer_adapter: The width of an adapter in each layer, or None.
        gated: Gated biases by distance, or None.
        conformer: Conformer layers in place of those that are described here, or None. The convolution of positions is
            in memory, and does not run.
        squeeze: How many positions the layers see as one; None for each alone.
        dropout, attention_dropout, inner_dropout, features_dropout: Dropout probabilities in training: of outputs, of
            the attention weights, of the network's hidden layer, and of the projected features.
        disentangled: Squeezed layers with scores of distances in place of those that are described here, or None.
    """

    stem: Stem
    width: Dim
    layers: Dim
    heads: Dim
    inner: Dim
    activation: str
    positions: Convolved
    norm_first: bool = False
    features_norm: bool = True
    projected: bool = True
    masks: Masks = Masks()
    adapter: Adapter | None = None
    layer_adapter: Dim | None = None
    gated: Gated | None = None
    conformer: Conformer | None = None
    squeeze: Dim | None = None
    dropout: float = 0.0
    attention_dropout: float = 0.0
    inner_dropout: float = 0.0
    features_dropout: float = 0.0
    disentangled: Encoder | None = None
