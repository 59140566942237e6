"""GLM-ASR's encoder of sound: Whisper's convolutions, then layers whose queries and keys are rotated.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.frames import FRAMES_PER_POSITION, FRAMES_PER_SECOND
from graphacct_architectures.audio.parts.stream import streamed
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import fraction, rotary_dims, width_over_heads
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoder_decoders.parts.embeddings import convolved
from graphacct_architectures.losses import SUM_ALONE

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class GlmAsrEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("GlmAsrEncoder", ("GlmAsrEncoder",))
    hidden_size: Dim = fields.size(1280)
    intermediate_size: Dim = fields.size(5120)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(20)
    num_key_value_heads: Dim | None = fields.optional_size()
    head_dim: Dim | None = fields.optional_size()
    hidden_act: str = activation("gelu")
    max_position_embeddings: Dim = fields.size(1500)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    partial_rotary_factor: float = fraction(0.5)
    attention_dropout: float = fields.probability(0.0)
    num_mel_bins: Dim = fields.size(128)
    dtype: str | None = fields.dtype()

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return width_over_heads(self) if self.head_dim is None else self.head_dim

    @property
    def kv_heads(self) -> Dim:
        """Heads of keys and values; as many as of queries unless given."""
        heads, shared = self.num_attention_heads, self.num_key_value_heads
        if shared is None:
            return heads
        exact_div(heads, shared, "num_attention_heads / num_key_value_heads")
        return shared


def describe(config: GlmAsrEncoderConfig) -> Decoder:
    """Returns the layers; keys have no bias."""
    rotary = rotary_dims(config)
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=True,
        key_bias=False,
        out_bias=True,
        rotary=rotary,
        rotary_joined=True,
        causal=False,
        unmasked=True,
        dropout=config.attention_dropout,
    )
    act = ACTIVATIONS[config.hidden_act]
    network = Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True)
    layer = Layer(attention, network, NORM)
    tables = (("rotary_emb", rotary),)
    return Decoder(
        0, config.hidden_size, layer, config.num_hidden_layers, norm="norm", norm_kind=NORM, rotary_tables=tables
    )


def build(config: GlmAsrEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames to the last stream, (batch, positions, width)."""
    x = b.input("input_features", (workload.batch, config.num_mel_bins, workload.frames))
    x = convolved(b, x, config.hidden_size)
    b.hold(x)
    return streamed(describe(config), workload, b, x)


ARCHITECTURE = Architecture(
    "glmasr_encoder",
    GlmAsrEncoderConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES_PER_POSITION * config.max_position_embeddings},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    attention=("fused", "eager"),
    aliases={"torch_dtype": "dtype"},
    model_types=("glmasr_encoder",),
    losses=SUM_ALONE,
    doc="GLM-ASR's encoder of sound: Whisper's convolutions, layers whose queries and keys are rotated.",
)
