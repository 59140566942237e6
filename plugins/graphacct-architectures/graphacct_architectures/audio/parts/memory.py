"""Layers of attention with a memory of values beside it: a convolution of each channel (Zhang et al., 2018,
arXiv:1803.05030)."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended


@frozen
class Remembering:
    """What equal layers are.

    Attributes:
        width: The width of the stream.
        heads: Attention heads.
        inner: The feed-forward network's width.
        activation: Its activation, by the library's name.
        dropout, attention_dropout: Dropout probabilities in training: of outputs, and of attention's weights.
        kernel: Taps of the memory; None if there is none.
    """

    width: Dim
    heads: Dim
    inner: Dim
    activation: str
    dropout: float
    attention_dropout: float
    kernel: Dim | None

    @property
    def network(self) -> Mlp:
        """The feed-forward network."""
        act = ACTIVATIONS[self.activation]
        return Mlp(self.inner, act, gated=False, up="fc1", down="fc2", bias=True, dropout=self.dropout)


def stacked(
    r: Remembering, workload: Workload, b: Builder, x: Value, start: int, end: int, normed: Collection[int]
) -> Value:
    """Returns x after the layers from `start` up to `end`, of which those in `normed` end in a norm."""
    place = start
    for last in (*sorted(index for index in normed if start <= index < end), end):
        if last > place:
            x = b.repeat("layers", last - place, partial(layer, r, workload), x, start=place)
        if last < end:
            with b.scope(f"layers.{last}"):
                x = layer(r, workload, b, x, last=True)
        place = last + 1
    return x


def layer(r: Remembering, workload: Workload, b: Builder, x: Value, *, last: bool = False) -> Value:
    """Returns x (batch, positions, any width) after attention and a network; one of another width is not added to
    attention's output."""
    b.hold(x)
    with_own = equal(x.spec.shape[-1], r.width)
    y = layer_norm(b, "input_layernorm", x)
    with b.scope("self_attn"):
        y = attention(r, workload, b, y)
    y = dropped(b, "attn_dropout", y, r.dropout, workload)
    x = b.apply("add", x, y, name="attn_residual") if with_own else y
    y = layer_norm(b, "post_attention_layernorm", x)
    with b.scope("mlp"):
        y = dropped(b, "out_dropout", mlp(r.network, b, y, workload), r.dropout, workload)
    x = b.apply("add", x, y, name="mlp_residual")
    return layer_norm(b, "final_layernorm", x) if last else x


def attention(r: Remembering, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns attention's output, with the memory of its values added; the builder is in its scope."""
    d_head = exact_div(r.width, r.heads, "hidden_size / num_attention_heads")
    flat = {label: linear(b, f"{label}_proj", x, r.width) for label in "qkv"}
    q, k, v = (split_heads(b, part, r.heads, d_head, label) for label, part in flat.items())
    kind = Tower(1, r.heads, r.network, "", "", "", ("", ""), attention_dropout=r.attention_dropout)
    y, weights = attended(kind, workload, b, q, k, v, None)
    b.hold(*weights)
    y = linear(b, "o_proj", merge_heads(b, y), r.width)
    if r.kernel is None:
        return y
    with b.scope("fsmn"):
        return b.apply("add", y, remembered(r, r.kernel, workload, b, flat["v"]), name="with_memory")


def remembered(r: Remembering, kernel: Dim, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns values (batch, positions, width) with their convolution added; padding is set to zero first."""
    batch, seq, width = x.spec.shape
    mask = b.apply("full", name="mask", shape=(batch, seq, 1), dtype=b.dtype)
    x = b.apply("mul", x, mask, name="unpadded")
    y = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    left = floor_div(kernel - 1, 2)
    y = b.apply("pad", y, name="padded", padding=((left, kernel - 1 - left),))
    y = b.apply("convolution", y, b.parameter("conv.weight", (width, 1, kernel)), name="conv", groups=width)
    y = b.apply("transpose", y, name="channels_last", dims=(1, 2))
    return dropped(b, "dropout", b.apply("add", y, x, name="memory"), r.dropout, workload)
