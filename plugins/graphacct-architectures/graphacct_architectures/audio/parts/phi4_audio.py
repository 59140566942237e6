"""Phi-4 multimodal's encoder of sound: convolutions over the plane of frames and bins, and conformer layers whose
scores know distances.

Abouelenin et al., 2025 (arXiv:2503.01743); Gulati et al., 2020 (arXiv:2005.08100).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    Value,
    Workload,
    ceil_div,
    differ,
    equal,
    exact_div,
    fields,
    frozen,
    less,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.activations import activation as named
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.derived import agree, derived
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended

CHUNK = 500
"""The most positions that see each other: a longer sound is cut."""


@frozen(kw_only=True)
class AudioConfig:
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(1536)
    num_blocks: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    head_dim: Dim | None = fields.optional_size()
    activation: str = named("swish")
    dropout_rate: float = fields.probability(0.0)
    ext_pw_out_channel: Dim = fields.size(1024)
    depthwise_separable_out_channel: Dim = fields.size(1024)
    depthwise_multiplier: Dim = fields.size(1)
    kernel_size: Dim = fields.size(3)
    conv_activation: str = named("swish")
    input_size: Dim = fields.size(80)
    conv_glu_type: str = named("swish")
    time_reduction: Dim = fields.size(8)
    bias_max_distance: Dim = fields.size(1000)
    bias_symmetric: bool = fields.flag(False)
    nemo_activation: str = named("relu")
    nemo_conv_channels: Dim = fields.size(1024)
    downsample_rate: Dim = fields.size(1)
    nemo_final_size: Any = derived()

    def __attrs_post_init__(self) -> None:
        for key in ("ext_pw_out_channel", "depthwise_separable_out_channel"):
            if differ(getattr(self, key), self.hidden_size):
                raise ConfigError(
                    f"{key} is {getattr(self, key)} and hidden_size {self.hidden_size}: the class adds both"
                )
        if differ(self.downsample_rate, 1):
            raise ConfigError(f"downsample_rate is {self.downsample_rate}: the class reads positions one by one")
        if type(self.time_reduction) is not int or self.time_reduction & (self.time_reduction - 1):
            raise ConfigError(f"time_reduction is {self.time_reduction}: it is a power of 2, each half a convolution's")
        bins = self.input_size
        for _ in range(self.halves):
            bins = ceil_div(bins, 2)
        agree("nemo_final_size", self.nemo_final_size, bins)

    @property
    def halves(self) -> int:
        """How often the plane is halved."""
        return int(self.time_reduction).bit_length() - 1


def heard(a: AudioConfig, workload: Workload, b: Builder, sounds: Dim) -> Value:
    """Returns the stream (sounds, positions, width) of frames (sounds, frames, bins); the builder is in the encoder's
    scope."""
    x = b.input("audio_input_features", (sounds, workload.frames, a.input_size))
    with b.scope("encoder_embedding"):
        mean, rate = (b.parameter(f"global_{name}", (a.input_size,), buffer=True) for name in ("mean", "invstd"))
        x = b.apply("mul", b.apply("sub", x, mean, name="centred"), rate, name="normalized")
    with b.scope("embed"):
        x = subsampled(a, b, x)
    positions = x.spec.shape[1]
    whole = not less(CHUNK, positions)
    if not whole:
        x = cut(b, x)
    seq = x.spec.shape[1]
    with b.scope("relative_attention_bias_layer"):
        count = a.bias_max_distance if a.bias_symmetric else 2 * a.bias_max_distance
        places = b.apply("relative_buckets", name="distances", queries=seq, keys=seq)
        bias = embedding(b, "bias_values", places, count, a.num_attention_heads)
        bias = b.apply("permute", bias, name="heads_first", dims=(2, 0, 1))
        bias = b.apply("reshape", bias, name="bias", shape=(1, a.num_attention_heads, seq, seq))
    mask = b.apply("constant", name="hs_mask", shape=(x.spec.shape[0], 1, seq, seq), dtype="bool")
    mask = b.apply("add", b.apply("cast", mask, name="mask_numbers", dtype=b.dtype), bias, name="attention_mask")
    x = b.repeat("encoders", a.num_blocks, partial(layer, a, workload), x, constants=(mask,))
    if whole:
        return x
    x = b.apply(
        "reshape",
        x,
        name="chunks_joined",
        shape=(sounds, exact_div(x.spec.shape[0], sounds, "") * seq, x.spec.shape[2]),
    )
    return b.apply("slice", x, name="padding_cut", dim=1, start=0, length=positions)


def subsampled(a: AudioConfig, b: Builder, x: Value) -> Value:
    """Returns frames (sounds, frames, bins) as a stream of fewer positions: convolutions of three by three over the
    plane, in depth but for the first."""
    sounds, frames, bins = x.spec.shape
    width, act = a.nemo_conv_channels, ACTIVATIONS[a.nemo_activation]
    x = b.apply("reshape", x, name="plane", shape=(sounds, 1, frames, bins))
    options: dict[str, Any] = {"stride": 2, "padding": 1}
    place = 0
    for index in range(a.halves):
        shape = (width, 1, 3, 3)
        more = {"groups": width} if index else {}
        weight, bias = b.parameter(f"conv.{place}.weight", shape), b.parameter(f"conv.{place}.bias", (width,))
        x = b.apply("convolution", x, weight, bias, name=f"conv.{place}", **options, **more)
        place += 1
        if index:
            x = plain(b, f"conv.{place}", x, width)
            place += 1
        x = activated(b, act, x, f"conv_act_{index}")  # one module of all places
        place += 1
    _, _, positions, rest = x.spec.shape
    x = b.apply("transpose", x, name="time_first", dims=(1, 2))
    x = b.apply("reshape", x, name="columns", shape=(sounds, positions, width * rest))
    return linear(b, "out", x, a.hidden_size)


def plain(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Returns a plane after a convolution of one tap."""
    weight, bias = b.parameter(f"{name}.weight", (width, x.spec.shape[1], 1, 1)), b.parameter(f"{name}.bias", (width,))
    made: Value = b.apply("convolution", x, weight, bias, name=name)
    return made


def cut(b: Builder, x: Value) -> Value:
    """Returns a stream (sounds, positions, width) in chunks of equal length, (sounds · chunks, CHUNK, width)."""
    sounds, positions, width = x.spec.shape
    chunks = ceil_div(positions, CHUNK)
    if not equal(chunks * CHUNK, positions):
        x = b.apply("pad", x, name="padded", padding=((0, chunks * CHUNK - positions), (0, 0)))
    x = b.apply("reshape", x, name="chunks", shape=(sounds * chunks, CHUNK, width))
    return b.apply("contiguous", x, name="chunks_copied")


def layer(a: AudioConfig, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns x (sounds, positions, width) after one conformer layer."""
    x = half(a, workload, b, x, "feed_forward_in")
    y = layer_norm(b, "layer_norm_att", x)
    with b.scope("self_attn"):
        y = attention(a, workload, b, y, mask)
    x = b.apply("add", x, y, name="attn_residual")
    with b.scope("conv"):
        y = convolved(a, workload, b, x)
    x = b.apply("add", x, y, name="conv_residual")
    return layer_norm(b, "layer_norm", half(a, workload, b, x, "feed_forward_out"))


def half(a: AudioConfig, workload: Workload, b: Builder, x: Value, name: str) -> Value:
    """Returns x with half the output of a gated network added."""
    with b.scope(name):
        y = layer_norm(b, "layer_norm", x)
        y = linear(b, "gate_up_proj", y, 2 * a.intermediate_size)
        up, gate = b.apply("split", y, name="up_and_gate", parts=2)
        y = b.apply("mul", up, activated(b, ACTIVATIONS[a.activation], gate), name="gated")
        y = dropped(b, "act_dropout", y, a.dropout_rate, workload)
        y = dropped(b, "dropout", linear(b, "down_proj", y, a.hidden_size), a.dropout_rate, workload)
    return b.apply("add", x, b.apply("scale", y, name=f"{name}_halved"), name=f"{name}_residual")


def attention(a: AudioConfig, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns attention's output; the builder is in its scope."""
    heads = a.num_attention_heads
    d_head = exact_div(a.hidden_size, heads, "hidden_size / num_attention_heads") if a.head_dim is None else a.head_dim
    q, k, v = (split_heads(b, linear(b, f"{label}_proj", x, heads * d_head), heads, d_head, label) for label in "qkv")
    network = Mlp(a.intermediate_size, "silu")
    kind = Tower(1, heads, network, "", "", "", ("", ""), attention_dropout=a.dropout_rate)
    y, weights = attended(kind, workload, b, q, k, v, mask)
    b.hold(*weights)
    return linear(b, "o_proj", merge_heads(b, y), a.hidden_size)


def convolved(a: AudioConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the output of a convolution in depth between two of one tap; it sees earlier positions alone."""
    width, kernel = a.hidden_size, a.kernel_size
    x = layer_norm(b, "layer_norm", x)
    with b.scope("glu"):
        x = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
        x = convolution(b, "ext_pw_conv_1d", x, 2 * width, 1)
        up, gate = b.apply("split", x, name="up_and_gate", parts=2, dim=1)
        shifts = [b.parameter(name, (1, width, 1)) for name in ("b1", "b2")]
        up, gate = (
            b.apply("add", part, own, name=name)
            for part, own, name in zip((up, gate), shifts, ("up", "gate"), strict=True)
        )
        x = b.apply("mul", up, activated(b, ACTIVATIONS[a.conv_glu_type], gate, "glu_act"), name="gated")
    with b.scope("dw_sep_conv_1d"):
        inner = width * a.depthwise_multiplier
        x = convolution(b, "dw_conv", x, inner, kernel, groups=width, padding=kernel - 1)
        x = convolution(b, "pw_conv", x, width, 1)
    if not equal(kernel, 1):
        x = b.apply("slice", x, name="later_cut", dim=2, start=0, length=x.spec.shape[2] - kernel + 1)
    x = activated(b, ACTIVATIONS[a.conv_activation], x, "act")
    x = convolution(b, "ext_pw_conv_1d", x, width, 1)
    x = b.apply("permute", x, name="positions_first", dims=(0, 2, 1))
    return dropped(b, "dropout", x, a.dropout_rate, workload)
