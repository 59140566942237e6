"""Layers of attention whose keys and values are a map made smaller, with a network that sees neighbours.

Wang et al., 2021 (arXiv:2102.12122); version 2: Wang et al., 2021 (arXiv:2106.13797).
"""

from __future__ import annotations

from graphacct_architectures.activations import activation as activation_key
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation, drop_path, dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, fields, frozen
from graphacct_vision.parts.grids import as_map, as_tokens
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import check_blocks

POOLED = 7
"""The side of the map that keys and values are pooled to where attention is linear."""
LISTS = ("depths", "sr_ratios", "hidden_sizes", "patch_sizes", "strides", "num_attention_heads", "mlp_ratios")
IMAGE = 512
"""An image's sides where the files do not state them: the preprocessor's default."""


@frozen(kw_only=True)
class ReducedKeys:
    """The keys of a pyramid of such layers that SegFormer and GLPN share and that the cost depends on."""

    num_channels: Dim = fields.size(3)
    num_encoder_blocks: Dim = fields.size(4)
    depths: tuple[Dim, ...] = fields.counts((2, 2, 2, 2))
    sr_ratios: tuple[Dim, ...] = fields.counts((8, 4, 2, 1))
    hidden_sizes: tuple[Dim, ...] = fields.counts((32, 64, 160, 256))
    patch_sizes: tuple[int, ...] = fields.counts((7, 3, 3, 3))
    strides: tuple[Dim, ...] = fields.counts((4, 2, 2, 2))
    num_attention_heads: tuple[Dim, ...] = fields.counts((1, 2, 5, 8))
    mlp_ratios: tuple[Dim, ...] = fields.counts((4, 4, 4, 4))
    hidden_act: str = activation_key("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    drop_path_rate: float = fields.probability(0.1)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        check_blocks(self, LISTS)


@frozen(kw_only=True)
class Reduced:
    """A layer over the places of a map.

    Attributes:
        heads: Heads of attention.
        ratio: How many times smaller the map of keys and values is along each side.
        hidden: Width of the network's hidden layer.
        act: The operators of its activation.
        reduction: The name of the convolution that makes the map smaller.
        inner: The name of the module inside attention's that has all but the output projection; empty for none.
        out: The name of the output projection.
        bias: Whether the projections of q, k and v have biases.
        linear: Whether the map of keys and values has one size whatever the image's is.
        convolved: Whether the network sees each channel's neighbours.
        attention_dropout, dropout: Probabilities, in training.
        stream_first: Whether the stream is the first operand of the second addition.
    """

    heads: Dim
    ratio: Dim
    hidden: Dim
    act: str
    reduction: str
    inner: str = ""
    out: str = "output.dense"
    bias: bool = True
    linear: bool = False
    convolved: bool = True
    attention_dropout: float = 0.0
    dropout: float = 0.0
    stream_first: bool = True


def layer(kind: Reduced, workload: Workload, grid: tuple[Dim, Dim], rate: float, b: Builder, x: Value) -> Value:
    """Returns x (batch, rows * columns, channels) after a layer."""
    width = x.spec.shape[-1]
    b.hold(x)
    y = layer_norm(b, "layer_norm_1", x)
    with b.scope("attention"):
        with b.scope(kind.inner):
            y = attention(kind, workload, grid, b, y)
        y = dropped(b, f"{kind.out}_dropout", linear(b, kind.out, y, width), kind.dropout, workload)
    x = b.apply("add", drop_path(b, "attn_drop_path", y, rate, workload), x, name="attn_residual")
    y = layer_norm(b, "layer_norm_2", x)
    with b.scope("mlp"):
        y = linear(b, "dense1", y, kind.hidden)
        y = b.apply("relu", y, name="relu") if kind.linear else y
        if kind.convolved:
            with b.scope("dwconv"):
                taken = kind.hidden
                y = convolution(b, "dwconv", as_map(b, y, grid), taken, 3, padding=1, groups=taken, bias=True)
                y = as_tokens(b, y)
        y = dropped(b, "hidden_dropout", activation(b, kind.act, y, "activation"), kind.dropout, workload)
        y = dropped(b, "dropout", linear(b, "dense2", y, width), kind.dropout, workload)
    y = drop_path(b, "mlp_drop_path", y, rate, workload)
    return b.apply("add", *((x, y) if kind.stream_first else (y, x)), name="mlp_residual")


def attention(kind: Reduced, workload: Workload, grid: tuple[Dim, Dim], b: Builder, x: Value) -> Value:
    """Returns what each place reads of the smaller map, (batch, places, channels)."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, kind.heads, "hidden_sizes / num_attention_heads")
    b.hold(x)
    q = split_heads(b, linear(b, "query", x, width, bias=kind.bias), kind.heads, d_head, "q")
    y = x
    if kind.linear:
        y = b.apply("adaptive_avg_pool", as_map(b, y, grid), name="pool", size=POOLED)
        y = as_tokens(b, convolution(b, kind.reduction, y, width, bias=True))
        y = b.apply("gelu", layer_norm(b, "layer_norm", y), name="act")
    elif not equal(kind.ratio, 1):
        y = convolution(b, kind.reduction, as_map(b, y, grid), width, kind.ratio, stride=kind.ratio, bias=True)
        y = layer_norm(b, "layer_norm", as_tokens(b, y))
    k, v = (
        split_heads(b, linear(b, name, y, width, bias=kind.bias), kind.heads, d_head, name[0])
        for name in ("key", "value")
    )
    b.hold(q, k, v)
    found, _ = attended(tower_of(kind), workload, b, q, k, v, None)
    return merge_heads(b, found)


def tower_of(kind: Reduced) -> Tower:
    """Returns what the attention is."""
    return Tower(
        1,
        kind.heads,
        Mlp(kind.hidden, kind.act),
        stack="",
        attention="attention",
        out=kind.out,
        norms=("layer_norm_1", "layer_norm_2"),
        attention_dropout=kind.attention_dropout,
        softmax_upcast=False,
    )
