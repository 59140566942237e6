"""The conformer layers of FastSpeech 2's encoder and decoder: two networks, attention and a convolution between them.

Gulati et al., 2020 (arXiv:2005.08100).
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_architectures.audio.parts.conformer_layers import RELATIVE, Places
from graphacct_architectures.audio.parts.relative import attended
from graphacct_architectures.audio.parts.stem import batch_norm, convolution
from graphacct_architectures.layers import dropped, layer_norm, linear


@frozen
class Stack:
    """The layers of one side: their keys without the side's name."""

    num_attention_heads: Dim
    layers: Dim
    kernel_size: Dim
    linear_units: Dim
    normalize_before: bool
    concat_after: bool
    dropout_rate: float
    positional_dropout_rate: float
    attention_dropout_rate: float


def conformed(config: Any, s: Stack, masked: bool, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a stream after all layers of a side; the builder is in its scope."""
    width, seq = config.hidden_size, x.spec.shape[1]
    x = b.apply("scale", x, name="pos_enc.scaled")
    x = dropped(b, "pos_enc.dropout", x, s.positional_dropout_rate, workload)
    table = b.apply("constant", name="pos_enc.table", shape=(1, 2 * seq - 1, width), dtype=b.dtype)
    table = dropped(b, "pos_enc.table_dropout", table, s.positional_dropout_rate, workload)

    def added(b: Builder, name: str, x: Value, norm: str, run: Any, *, halved: bool = False) -> Value:
        y = layer_norm(b, norm, x) if s.normalize_before else x
        y = run(y)
        y = b.apply("scale", y, name=f"{name}_halved") if halved else y
        x = b.apply("add", x, y, name=f"{name}_residual")
        return x if s.normalize_before else layer_norm(b, norm, x)

    def body(b: Builder, x: Value, table: Value) -> Value:
        def network(name: str) -> Any:
            return lambda y: dropped(
                b, f"{name}_dropout", fed(config, s, name, workload, b, y), s.dropout_rate, workload
            )

        def attention(y: Value) -> Value:
            with b.scope("self_attn"):
                own, _ = attended(
                    Places(RELATIVE), s.num_attention_heads, s.attention_dropout_rate, workload, b, y, (table,)
                )
            if s.concat_after:
                return linear(b, "concat_linear", b.apply("concat", y, own, name="beside", dim=-1), width)
            return dropped(b, "attention_dropout", own, s.dropout_rate, workload)

        def local(y: Value) -> Value:
            with b.scope("conv_module"):
                y = convolved(config, s, masked, workload, b, y)
            return dropped(b, "conv_dropout", y, s.dropout_rate, workload)

        macaron = config.use_macaron_style_in_conformer
        if macaron:
            x = added(b, "macaron", x, "ff_macaron_layer_norm", network("feed_forward_macaron"), halved=True)
        x = added(b, "attention", x, "self_attn_layer_norm", attention)
        x = added(b, "conv", x, "conv_layer_norm", local)
        x = added(b, "feed", x, "ff_layer_norm", network("feed_forward"), halved=macaron)
        return layer_norm(b, "final_layer_norm", x)

    if equal(s.layers, 0):
        return x
    return b.repeat("conformer_layers", s.layers, body, x, constants=(table,))


def fed(config: Any, s: Stack, name: str, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the output of two convolutions over the positions."""
    kernel = config.positionwise_conv_kernel_size
    padding = (kernel - 1) // 2
    with b.scope(name):
        x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
        x = b.apply("relu", convolution(b, "conv1", x, s.linear_units, kernel, padding=padding), name="act")
        x = dropped(b, "dropout", x, s.dropout_rate, workload)
        x = convolution(b, "conv2", x, config.hidden_size, kernel, padding=padding)
        return b.apply("transpose", x, name="channels_last", dims=(1, 2))


def convolved(config: Any, s: Stack, masked: bool, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a convolution's output: a gated linear unit, the convolution in depth, a norm, and a projection."""
    width, bias = config.hidden_size, config.convolution_bias
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("glu", convolution(b, "pointwise_conv1", x, 2 * width, 1, bias=bias), name="glu", dim=1)
    padding = (s.kernel_size - 1) // 2
    x = convolution(b, "depthwise_conv", x, width, s.kernel_size, bias=bias, groups=width, padding=padding)
    x = b.apply("silu", batch_norm(b, "norm", x, workload), name="act")
    x = convolution(b, "pointwise_conv2", x, width, 1, bias=bias)
    return b.apply("transpose", x, name="channels_last", dims=(1, 2))
