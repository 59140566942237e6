"""Voxtral Realtime: sounds are added to a text's tokens, four positions to each, and a delay steers every layer.

The sizes are those of the transformers library's configuration class. Its decoding step hears a further piece of sound,
and has caches of its convolutions: a forward pass and a training step are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.decode import After, attended, decode, fed
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import NEXT_TOKEN_LOSSES, check_entropy, entropy_if
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, projected
from graphacct_architectures.multimodal.parts.sounds import audio_model

CLASSES = ("VoxtralRealtimeForConditionalGeneration", "VoxtralRealtimeModel")
NORM = Norm(upcast="statistics")
DELAY, NARROW = "t_cond", 32
"""The table of the delay, and the width of the network that reads it."""


@frozen(kw_only=True)
class TextConfig:
    """The text model's keys that the cost depends on."""

    vocab_size: Dim = fields.size(131072)
    hidden_size: Dim = fields.size(3072)
    intermediate_size: Dim = fields.size(9216)
    num_hidden_layers: Dim = fields.size(26)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(131072)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    sliding_window: Dim | None = fields.window(8192)
    attention_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class VoxtralRealtimeConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("voxtral_realtime_encoder")
    text_config: TextConfig | None = fields.nested(TextConfig, "voxtral_realtime")
    projector_hidden_act: str = activation("gelu")
    downsample_factor: Dim = fields.size(4)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The text model."""
        return self.text_config or TextConfig()


def describe(config: VoxtralRealtimeConfig) -> Decoder:
    """Returns the text model, whose layers read the delay."""
    t, headed = config.text, config.architectures == CLASSES[0]
    heads = t.num_attention_heads
    d_head = floor_div(t.hidden_size, heads) if t.head_dim is None else t.head_dim
    attention = Attention(
        heads,
        heads if t.num_key_value_heads is None else t.num_key_value_heads,
        d_head,
        rotary=d_head,
        window=t.sliding_window,
        dropout=t.attention_dropout,
    )
    plain = Layer(attention, Mlp(t.intermediate_size, ACTIVATIONS[t.hidden_act]), NORM)
    return Decoder(
        t.vocab_size,
        t.hidden_size,
        attrs.evolve(plain, whole=Whole(plain, delayed)),
        t.num_hidden_layers,
        module="model.language_model" if headed else "language_model",
        norm_kind=NORM,
        rotary_tables=(("rotary_emb", d_head),),
        tied=config.tie_word_embeddings,
        headless=not headed,
    )


def delayed(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after a layer; the network's input is multiplied by what a small network makes of the
    delay, plus 1."""
    y = normed_by(b, kind.attention_norm, x, kind.norm)
    x = b.apply("add", x, attended(kind, workload, b, y, tables), name="attn_residual")
    y = normed_by(b, kind.mlp_norm, x, kind.norm)
    with b.scope("ada_rms_norm"):
        gain = b.apply("gelu", linear(b, "linear1", tables[DELAY], NARROW, bias=False), name="act")
        gain = linear(b, "linear2", gain, x.spec.shape[-1], bias=False)
    y = b.apply("mul", y, b.apply("shift", gain, name="gain"), name="steered")
    return b.apply("add", x, fed(kind, workload, b, y), name="mlp_residual")


def build(config: VoxtralRealtimeConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from frames, and an id for every eight, as a rule, to logits, or to the last stream."""
    headed = config.architectures == CLASSES[0]
    check_entropy(headed, workload, config.architectures)
    root, width = "model." if headed else "", config.text.hidden_size
    workload = attrs.evolve(workload, seq_len=tokens(config, workload.frames))

    def merge(b: Builder, ids: Value, x: Value) -> tuple[Value, dict[int, After], dict[str, Value]]:
        x = b.apply("add", x, heard(config, root, workload, b), name=f"{root}with_sounds")
        time = b.apply("constant", name=f"{root}time_embedding", shape=(1, width), dtype=b.dtype)
        return x, {}, {DELAY: time}

    return decode(describe(config), workload, b, merge)


def heard(config: VoxtralRealtimeConfig, root: str, workload: Workload, b: Builder) -> Value:
    """Returns what is added to each token, (batch, tokens, width)."""
    encoder: SubModel = config.audio_config
    with b.scope(f"{root}audio_tower"):
        x: Value = encoder.architecture.build(encoder.config, attrs.evolve(workload, loss="sum"), b)
    b.hold(x)
    batch, positions, own = x.spec.shape
    count = exact_div(positions, config.downsample_factor, "positions of a sound / downsample_factor")
    x = b.apply("reshape", x, name=f"{root}grouped", shape=(batch, count, own * config.downsample_factor))
    width = config.text.hidden_size
    act = Activated(ACTIVATIONS[config.projector_hidden_act])
    with b.scope(f"{root}multi_modal_projector"):
        return projected(b, (Linear("linear_1", width, bias=False), act, Linear("linear_2", width, bias=False)), x)


def tokens(config: VoxtralRealtimeConfig, frames: Any) -> Any:
    """Returns how many tokens a sound is added to: the second convolution halves the frames."""
    per_token = 2 * config.downsample_factor
    return exact_div(frames, per_token, "frames / the frames of a token")


ARCHITECTURE = Architecture(
    "voxtral_realtime",
    VoxtralRealtimeConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "frames": lambda config: config.audio_config.architecture.sizes["frames"](config.audio_config.config),
    },
    attention=("fused", "eager"),
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("audio_length_per_tok", "default_num_delay_tokens", "hidden_size")),
    losses=NEXT_TOKEN_LOSSES,
    default_loss=lambda config: entropy_if(config.architectures == CLASSES[0]),
    model_types=("voxtral_realtime",),
    doc="Voxtral Realtime: sounds are added to a text's tokens, and a delay steers every layer.",
)
