"""Voxtral Realtime's encoder of sound: convolutions and layers that see earlier frames alone, in a window.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.frames import FRAMES_PER_POSITION, FRAMES_PER_SECOND
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.audio.parts.stream import streamed
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.losses import SUM_ALONE

MODEL = "VoxtralRealtimeEncoder"
NORM = Norm(upcast="statistics")


@frozen(kw_only=True)
class VoxtralRealtimeEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    hidden_size: Dim = fields.size(1280)
    intermediate_size: Dim = fields.size(5120)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(32)
    num_mel_bins: Dim = fields.size(128)
    attention_dropout: float = fields.probability(0.0)
    hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(1500)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    sliding_window: Dim | None = fields.window(750)
    head_dim: Dim | None = fields.optional_size(64)
    dtype: str | None = fields.dtype()

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return floor_div(self.hidden_size, self.num_attention_heads) if self.head_dim is None else self.head_dim


def describe(config: VoxtralRealtimeEncoderConfig) -> Decoder:
    """Returns the layers; keys have no bias, and of the network the last projection alone."""
    heads = config.num_attention_heads
    attention = Attention(
        heads,
        heads,
        config.d_head,
        bias=True,
        key_bias=False,
        out_bias=True,
        rotary=config.d_head,
        window=config.sliding_window,
        dropout=config.attention_dropout,
    )
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], down_bias=True)
    names: dict[str, Any] = {"attention_norm": "self_attn_layer_norm", "mlp_norm": "final_layer_norm"}
    layer = Layer(attention, network, NORM, **names)
    tables = (("rotary_emb", config.d_head),)
    return Decoder(
        0, config.hidden_size, layer, config.num_hidden_layers, norm="norm", norm_kind=NORM, rotary_tables=tables
    )


def build(config: VoxtralRealtimeEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames (batch, bins, frames) to the last stream, (batch, positions, width)."""
    x = b.input("input_features", (workload.batch, config.num_mel_bins, workload.frames))
    with b.scope("embedder"):
        for name, stride in (("conv1", 1), ("conv2", 2)):
            x = b.apply("pad", x, name=f"{name}_padded", padding=((3 - stride, 0),))
            x = b.apply("gelu", convolution(b, name, x, config.hidden_size, 3, stride=stride), name=f"{name}_act")
        x = b.apply("permute", x, name="positions_last", dims=(0, 2, 1))
    b.hold(x)
    return streamed(describe(config), workload, b, x)


ARCHITECTURE = Architecture(
    "voxtral_realtime_encoder",
    VoxtralRealtimeEncoderConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES_PER_POSITION * config.max_position_embeddings},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    attention=("fused", "eager"),
    aliases={
        **{"torch_dtype": "dtype", "d_model": "hidden_size", "encoder_layers": "num_hidden_layers"},
        **{"encoder_attention_heads": "num_attention_heads", "encoder_ffn_dim": "intermediate_size"},
        "rope_scaling": "rope_parameters",
    },
    no_cost=dict.fromkeys(("activation_function", "vocab_size", "layerdrop", "encoder_layerdrop")),
    model_types=("voxtral_realtime_encoder",),
    losses=SUM_ALONE,
    doc="Voxtral Realtime's encoder of sound: convolutions and layers that see earlier frames alone.",
)
