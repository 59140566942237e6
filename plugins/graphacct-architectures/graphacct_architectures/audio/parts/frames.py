"""Whisper's encoder: two convolutions over frames of a spectrum, positions, layers of attention."""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, differ, exact_div, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Frames,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.run import run
from graphacct_architectures.losses import SUM_ALONE

FRAMES_PER_POSITION = 2
"""The second convolution's stride."""
FRAMES_PER_SECOND = 100
"""Of the spectrum that Whisper's preprocessor makes: a frame every 10 ms."""


@frozen
class Heard:
    """The sizes of an encoder of frames.

    Attributes:
        width: The width of the stream.
        layers: How many layers there are.
        heads: Attention heads.
        inner: The feed-forward network's width.
        bins: Channels of a frame.
        positions: Positions, of two frames each.
        activation: The network's, by the library's name.
        attention_dropout, inner_dropout: Dropout probabilities in training: of attention's weights and of the
            network's hidden layer.
        pool: How many positions after the last layer are one, their mean; None for each alone.
    """

    width: Dim
    layers: Dim
    heads: Dim
    inner: Dim
    bins: Dim
    positions: Dim
    activation: str
    attention_dropout: float = 0.0
    inner_dropout: float = 0.0
    pool: Dim | None = None


def own_attention(width: Dim, module: str, heads: Dim, dropout: float, cross: bool = False) -> Attention:
    """Returns attention whose keys have no bias, in a stream of this width."""
    d_head = exact_div(width, heads, "d_model / attention heads")
    scaling: dict[str, Any] = {"k_bias": False, "scaled": False, "query_scaled": True, "contiguous": True}
    return Attention(heads, d_head, module, cross, dropout=dropout, **scaling)


def network(inner: Dim, act: str, dropout: float) -> Part:
    """Returns a feed-forward network with its norm."""
    module = Mlp(inner, ACTIVATIONS[act], gated=False, module="", up="fc1", down="fc2", bias=True, dropout=dropout)
    return Part(module, "final_layer_norm")


def frames_encoder(h: Heard, module: str) -> Stack:
    """Returns the encoder as a stack."""
    own = Part(own_attention(h.width, "self_attn", h.heads, h.attention_dropout), "self_attn_layer_norm")
    return Stack(
        (own, network(h.inner, h.activation, h.inner_dropout)),
        h.layers,
        module,
        frames=Frames(h.bins, FRAMES_PER_POSITION * h.positions),
        positions=Positions("embed_positions", h.positions, h.positions, frozen=True),
        norm="layer_norm",
        norm_kind=Norm(LAYER_NORM, bias=True),
        pool=h.pool,
    )


def encoder_alone(
    name: str, config: type[Any], heard: Any, presets: PresetFiles, *, doc: str, **rest: Any
) -> Architecture:
    """Returns the Architecture of an encoder of frames as a model of its own: `heard` returns a configuration's
    sizes."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        sizes = heard(config)
        takes = FRAMES_PER_POSITION * sizes.positions
        if differ(workload.frames, takes):
            raise ConfigError(
                f"frames {workload.frames} is not {takes}: the model reads as many as its max_source_positions "
                f"{sizes.positions} are made of"
            )
        stack = frames_encoder(sizes, "")
        return run(
            EncoderDecoder(0, sizes.width, stack, None, shared="", head=None, dropout=config.dropout), workload, b
        )

    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"frames": lambda config: FRAMES_PER_POSITION * heard(config).positions},
        per_second={"frames": lambda config: FRAMES_PER_SECOND},
        attention=("fused", "eager"),
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
        **rest,
    )
