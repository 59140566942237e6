"""The description of conformer layers, as plain values that a family fills in.

Gulati et al., 2020 (arXiv:2005.08100).
"""

from __future__ import annotations

from graphacct import Dim, frozen

RELATIVE, ROTARY, KEYED = "relative", "rotary", "relative_key"


@frozen
class Places:
    """How attention knows positions.

    Attributes:
        kind: RELATIVE (sinusoids of distances, projected), ROTARY (its input is turned), KEYED (a table of distances),
            or None.
        left, right: The largest distances of a table.
        stored: Whether the frequencies of turns are a buffer of the model.
    """

    kind: str | None
    left: Dim = 0
    right: Dim = 0
    stored: bool = False


@frozen
class Conformer:
    """A stack of conformer layers.

    Attributes:
        width: The width of the stream.
        layers: How many layers there are.
        heads: Attention heads.
        inner: The feed-forward networks' width.
        activation: The operator or operators of the networks and the convolution.
        kernel: The taps of the convolution in depth.
        places: How attention knows positions.
        causal: Whether the convolution sees only what is before a position; its norm is then over channels and not
            over the batch.
        dropout, inner_dropout, attention_dropout, conv_dropout: Dropout probabilities in training: of outputs, of the
            networks' hidden layers, of attention's weights and output, and of the convolution's output.
    """

    width: Dim
    layers: Dim
    heads: Dim
    inner: Dim
    activation: str
    kernel: Dim
    places: Places
    causal: bool = False
    dropout: float = 0.0
    inner_dropout: float = 0.0
    attention_dropout: float = 0.0
    conv_dropout: float = 0.0
