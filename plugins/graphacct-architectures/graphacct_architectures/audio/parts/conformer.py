"""Conformer layers: half a feed-forward network, attention, a convolution in depth, and the other half.

Gulati et al., 2020 (arXiv:2005.08100).
"""

from __future__ import annotations

from collections.abc import Callable

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, has_value
from graphacct_architectures.audio.parts.conformer_layers import RELATIVE, ROTARY, Conformer
from graphacct_architectures.audio.parts.relative import attended, distances, turns
from graphacct_architectures.audio.parts.stem import batch_norm, convolution
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.layers import activation, dropped, layer_norm


def conformed(c: Conformer, workload: Workload, b: Builder, x: Value, every: bool) -> tuple[Value, tuple[Value, ...]]:
    """Returns x (batch, positions, width) after all layers, and if `every` the streams around them; the builder is in
    their scope."""
    if has_value(c.kernel) and c.kernel % 2 == 0:
        raise ConfigError(f"conv_depthwise_kernel_size is {c.kernel}: an odd number, which leaves as many positions")
    x = dropped(b, "dropout", x, c.dropout, workload)
    tables: tuple[Value, ...] = ()
    if c.places.kind == RELATIVE:
        tables = (distances(b, x),)
    elif c.places.kind == ROTARY:
        tables = turns(c.places, c.heads, b, x)
    b.hold(*tables)
    body = layer(c, workload)
    states: tuple[Value, ...] = (x,)
    if every:
        if type(c.layers) is not int:
            raise ConfigError("use_weighted_layer_sum reads each layer: num_hidden_layers is an integer")
        for index in range(c.layers):
            x = b.repeat("layers", 1, body, x, constants=tables, start=index)
            states = (*states, x)
    elif not equal(c.layers, 0):
        x = b.repeat("layers", c.layers, body, x, constants=tables)
    return x, states if every else ()


def layer(c: Conformer, workload: Workload) -> Callable[..., Value]:
    """Returns the body of one layer."""

    def half(b: Builder, x: Value, name: str) -> Value:
        y = layer_norm(b, f"{name}_layer_norm", x)
        y = network(c.inner, c.activation, c.inner_dropout, c.dropout, name, workload, b, y)
        return b.apply("add", b.apply("scale", y, name=f"{name}_halved"), x, name=f"{name}_residual")

    def body(b: Builder, x: Value, *tables: Value) -> Value:
        x = half(b, x, "ffn1")
        b.hold(x, until="conv_residual")
        y = layer_norm(b, "self_attn_layer_norm", x)
        with b.scope("self_attn"):
            b.hold(y)
            y, weights = attended(c.places, c.heads, c.attention_dropout, workload, b, y, tables)
        b.hold(*weights)
        y = dropped(b, "self_attn_dropout", y, c.attention_dropout, workload)
        x = b.apply("add", y, x, name="attn_residual")
        with b.scope("conv_module"):
            y = convolved(c, workload, b, x)
        x = b.apply("add", x, y, name="conv_residual")
        return layer_norm(b, "final_layer_norm", half(b, x, "ffn2"))

    return body


def network(
    inner: Dim, act: str, inner_dropout: float, dropout: float, name: str, workload: Workload, b: Builder, x: Value
) -> Value:
    """Returns the output of a feed-forward network `name`."""
    m = Mlp(inner, act, gated=False, up="intermediate_dense", down="output_dense", bias=True, dropout=inner_dropout)
    with b.scope(name):
        b.hold(x)
        return dropped(b, "output_dropout", mlp(m, b, x, workload), dropout, workload)


def convolved(c: Conformer, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the convolution's output: a gated linear unit, the convolution in depth, a norm, and a projection."""
    x = layer_norm(b, "layer_norm", x)
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = convolution(b, "pointwise_conv1", x, 2 * c.width, 1, bias=False)
    x = b.apply("glu", x, name="glu", dim=1)
    if c.causal:
        x = b.apply("pad", x, name="padded", padding=((c.kernel - 1, 0),))
    padding = {} if c.causal else {"padding": (c.kernel - 1) // 2}
    x = convolution(b, "depthwise_conv", x, c.width, c.kernel, bias=False, groups=c.width, **padding)
    if c.causal:
        x = b.apply("transpose", x, name="depth_last", dims=(1, 2))
        x = layer_norm(b, "depthwise_layer_norm", x)
        x = b.apply("transpose", x, name="depth_first", dims=(1, 2))
    else:
        x = batch_norm(b, "batch_norm", x, workload)
    x = activation(b, c.activation, x, "activation")
    x = convolution(b, "pointwise_conv2", x, c.width, 1, bias=False)
    x = dropped(b, "dropout", x, c.conv_dropout, workload)
    return b.apply("transpose", x, name="channels_last", dims=(1, 2))
