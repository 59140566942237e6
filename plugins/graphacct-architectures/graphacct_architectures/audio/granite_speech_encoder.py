"""Granite Speech's encoder of sound: conformer layers, attention within blocks, a guess of letters in the middle.

Saon et al., 2025 (arXiv:2505.08699).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    ceil_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.audio.parts.stem import batch_norm, convolution
from graphacct_architectures.decoders.parts.family import whole
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear, merge_heads, resident, split_heads
from graphacct_architectures.losses import SUM_ALONE

RATE, USUAL = 50, 1500
"""Frames of a second (two of a spectrum beside one another), and of a sound whose length is not given."""


def layer_numbers() -> Any:
    """Returns a list of numbers of layers, or none."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)) or not all(type(item) is int for item in value):
            raise ConfigError(f"{field.name} is a list of numbers of layers, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, ())


@frozen(kw_only=True)
class GraniteSpeechEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    concatenates: ClassVar[bool] = False
    """Whether the class reads `cat_hidden_layers`: the streams that stand beside the last one."""

    architectures: str = fields.model_class("GraniteSpeechCTCEncoder", ("GraniteSpeechCTCEncoder",))
    input_dim: Dim = fields.size(160)
    num_layers: Dim = fields.size(10)
    hidden_dim: Dim = fields.size(1024)
    feedforward_mult: Dim = fields.size(4)
    num_heads: Dim = fields.size(8)
    dim_head: Dim | None = fields.optional_size()
    output_dim: Dim = fields.size(42)
    context_size: Dim = fields.size(200)
    max_pos_emb: Dim = fields.size(512)
    dropout: float = fields.probability(0.1)
    conv_kernel_size: Dim = fields.size(15)
    conv_expansion_factor: Dim = fields.size(2)
    cat_hidden_layers: tuple[int, ...] = layer_numbers()
    dtype: str | None = fields.dtype()

    @property
    def d_head(self) -> Dim:
        """The width of a head; rounded down, as in the library, unless given."""
        return self.hidden_dim // self.num_heads if self.dim_head is None else self.dim_head

    @property
    def beside(self) -> tuple[int, ...]:
        """After how many layers the streams are read that stand beside the last one."""
        return self.cat_hidden_layers if self.concatenates else ()

    @property
    def width(self) -> Dim:
        """The width of what the encoder returns."""
        return self.hidden_dim * (len(self.beside) + 1)


def build(config: GraniteSpeechEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames (batch, frames, bins) to the last stream, (batch, frames, width)."""
    count, size, width = whole(config.num_layers, "num_layers"), config.context_size, config.hidden_dim
    if has_value(size) and has_value(config.max_pos_emb) and not 0 < size <= config.max_pos_emb:
        raise ConfigError(f"context_size is {size}: between 1 and max_pos_emb {config.max_pos_emb}")
    wrong = next((index for index in config.beside if not 0 <= index < count), None)
    if wrong is not None:
        raise ConfigError(f"cat_hidden_layers has {wrong}: the layers are 0 to {count - 1}")
    x = b.input("input_features", (workload.batch, workload.frames, config.input_dim))
    x = linear(b, "input_linear", x, width)
    distances = b.apply("constant", name="attention_dists", shape=(size, size), dtype="int64")
    body = layer(config, workload)
    found = {0: x}
    ends = sorted({index for index in (*config.beside, count // 2) if 0 < index < count} | {count})
    start = 0
    for end in ends:
        x = b.repeat("layers", end - start, body, x, constants=(distances,), start=start)
        if end == count // 2:
            found[end] = x = guessed(config, b, x)
        found[end], start = x, end
    if count < 2:  # its middle is before the first layer, where the class does not guess
        for name, inner, outer in (("out", width, config.output_dim), ("out_mid", config.output_dim, width)):
            resident(b, name, b.parameter(f"{name}.weight", (outer, inner)), b.parameter(f"{name}.bias", (outer,)))
    kept = sorted(set(config.beside))
    return b.apply("concat", *(found[index] for index in kept), x, name="streams", dim=-1) if kept else x


def guessed(config: GraniteSpeechEncoderConfig, b: Builder, x: Value) -> Value:
    """Returns the stream with the projected chances of letters added."""
    y = linear(b, "out", b.apply("clone", x, name="middle"), config.output_dim)
    y = linear(b, "out_mid", b.apply("softmax", y, name="letters"), config.hidden_dim)
    return b.apply("add", x, y, name="with_letters")


def layer(config: GraniteSpeechEncoderConfig, workload: Workload) -> Callable[..., Value]:
    """Returns the body of one layer."""
    width, drop = config.hidden_dim, config.dropout

    def half(b: Builder, x: Value, name: str) -> Value:
        with b.scope(name):
            y = linear(b, "up_proj", layer_norm(b, "pre_norm", x), width * config.feedforward_mult)
            y = dropped(b, "dropout", b.apply("silu", y, name="silu"), drop, workload)
            y = dropped(b, "dropout_1", linear(b, "down_proj", y, width), drop, workload)
        return b.apply("add", b.apply("scale", y, name=f"{name}_halved"), x, name=f"{name}_residual")

    def body(b: Builder, x: Value, distances: Value) -> Value:
        x = half(b, x, "ff1")
        with b.scope("attn"):
            y = attended(config, b, x, distances)
            y = dropped(b, "dropout", y, drop, workload)
        x = b.apply("add", y, x, name="attn_residual")
        with b.scope("conv"):
            y = dropped(b, "dropout", convolved(config, workload, b, x), drop, workload)
        x = b.apply("add", y, x, name="conv_residual")
        return layer_norm(b, "post_norm", half(b, x, "ff2"))

    return body


def attended(config: GraniteSpeechEncoderConfig, b: Builder, x: Value, distances: Value) -> Value:
    """Adds attention within blocks of `context_size` positions, the last one padded; the builder is in its scope. The
    class has it written out whatever the kind of attention is."""
    batch, count, width = x.spec.shape
    size, heads, d_head = config.context_size, config.num_heads, config.d_head
    blocks = ceil_div(count, size)
    x = layer_norm(b, "pre_norm", x)
    x = b.apply("pad", x, name="padded", padding=((0, blocks * size - count), (0, 0)))
    q = linear(b, "to_q", x, heads * d_head, bias=False)
    k, v = b.apply("split", linear(b, "to_kv", x, 2 * heads * d_head, bias=False), name="k_and_v", parts=2)
    parts = []
    for part, label in zip((q, k, v), "qkv", strict=True):
        part = b.apply("reshape", part, name=f"{label}_blocks", shape=(batch * blocks, size, heads * d_head))
        parts.append(split_heads(b, part, heads, d_head, label))
    q, k, v = parts
    table = embedding(b, "rel_pos_emb", distances, 2 * config.max_pos_emb + 1, d_head)
    bias = b.apply("einsum", q, table, name="distance_scores", equation="bhcd,crd->bhcr")
    bias = b.apply("scale", bias, name="distance_scaled")
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    scores = b.apply("add", b.apply("scale", scores, name="scale"), bias, name="biased")
    y = b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")
    y = b.apply("reshape", merge_heads(b, y), name="positions", shape=(batch, blocks * size, heads * d_head))
    y = b.apply("slice", y, name="unpadded", dim=1, start=0, length=count)
    return linear(b, "to_out", y, width)


def convolved(config: GraniteSpeechEncoderConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the convolution's output: a gated linear unit, the convolution in depth, a norm, and a projection."""
    inner, kernel = config.hidden_dim * config.conv_expansion_factor, config.conv_kernel_size
    x = b.apply("transpose", layer_norm(b, "norm", x), name="channels_first", dims=(1, 2))
    x = b.apply("glu", convolution(b, "up_conv", x, 2 * inner, 1), name="glu", dim=1)
    before = kernel // 2
    x = b.apply("pad", x, name="depth_padded", padding=((before, kernel - 1 - before),))
    with b.scope("depth_conv"):
        x = convolution(b, "conv", x, inner, kernel, bias=False, groups=inner)
    x = b.apply("silu", batch_norm(b, "batch_norm", x, workload), name="silu")
    x = convolution(b, "down_conv", x, config.hidden_dim, 1)
    return b.apply("transpose", x, name="channels_last", dims=(1, 2))


ALIASES = {
    "hidden_size": "hidden_dim",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "num_mel_bins": "input_dim",
}
"""The library's other names of keys, which win there."""
ARCHITECTURE = Architecture(
    "granite_speech_encoder",
    GraniteSpeechEncoderConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: USUAL},
    per_second={"frames": lambda config: RATE},
    attention=("fused", "eager"),
    aliases={"torch_dtype": "dtype", **ALIASES},
    translated=frozenset(ALIASES),
    model_types=("granite_speech_encoder",),
    losses=SUM_ALONE,
    doc="Granite Speech's encoder of sound: conformer layers with attention within blocks.",
)
