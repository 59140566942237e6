"""Hyper-connections: several streams beside one another in place of one residual stream (Zhu et al., 2024,
arXiv:2409.19606). Each part of a layer reads one mixture of them and writes to all.

How much each stream gives and takes is computed from the streams themselves. With rounds, they are also mixed with one
another by a matrix whose rows and columns sum to 1, which that many rounds of divisions make (manifold-constrained, Xie
et al., 2025, arXiv:2512.24880); without, each keeps what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from graphacct import Builder, Value, Workload, frozen
from graphacct_architectures.decoders.parts.attention import attention
from graphacct_architectures.decoders.parts.decode import first_of, layer
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import FeedForward, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
from graphacct_architectures.decoders.parts.indexer import handed_on
from graphacct_architectures.decoders.parts.names import CHOSEN
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.stack import stack

TOKENS = "token_ids"
"""The name of the tokens' ids in the tables of each layer."""
LAST: Mapping[str, Any] = {"dim": -1, "keepdim": True}


@frozen
class Streams:
    """Streams beside one another, (batch, seq, streams, width).

    Attributes:
        count: How many.
        rounds: How many rounds of divisions make the matrix that mixes them; 0 if they are not mixed.
        tokens: Whether layers read the tokens' ids.
    """

    count: int
    rounds: int = 0
    tokens: bool = False


@frozen
class StreamLayer:
    """A layer between hyper-connections.

    Attributes:
        streams: The streams.
        attention: What describes its attention.
        attend: The function that adds it, given the description, the norms' kind, the workload, the builder in its
            scope, the normalized mixture (batch, seq, width) and the tables.
        network: Its network.
        norm: Its norms' kind.
    """

    streams: Streams
    attention: Any
    attend: Callable[[Any, Norm, Workload, Builder, Value, Mapping[str, Value]], Value]
    network: FeedForward
    norm: Norm


def stream_stack(
    s: Streams, d: Decoder, workload: Workload, b: Builder, ids: Value, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns one stream: the mixture of all after the layers. They begin alike, as copies of x (batch, seq, width)."""
    batch, seq, width = x.spec.shape
    apart = b.apply("reshape", x, name="streams_apart", shape=(batch, seq, 1, width))
    x = b.apply("expand", apart, name="streams_alike", shape=(batch, seq, s.count, width))
    x = b.apply("contiguous", x, name="streams")
    found = {**tables, **({TOKENS: ids} if s.tokens else {})}
    carried = handed_on(d, workload, b)
    body = partial(layer, workload, tuple(found), carried=tuple(carried))
    kinds = (d.layer,) * d.count if isinstance(d.layer, Layer) else d.layer
    x = first_of(stack(b, d.stack, kinds, body, (x, *carried.values()), tuple(found.values())))
    with b.scope("hc_head"):
        shares = known_shares(s, b, x, "hc_fn", s.count)
        shares = b.apply("mul", shares, b.parameter("hc_scale", (1,), "float32"), name="pre_scaled")
        shares = b.apply("add", shares, b.parameter("hc_base", (s.count,), "float32"), name="pre_shifted")
        shares = b.apply("shift", b.apply("sigmoid", shares, name="pre_sigmoid"), name="pre")
        return mixture(b, shares, x)


def stream_layer(s: StreamLayer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the streams after attention and network, each of which reads a mixture and is added to all."""
    post, mixing, y = connected(s.streams, b, "attn_hc", x)
    b.hold(x, post, y, *mixing)
    y = normed_by(b, "input_layernorm", y, s.norm)
    with b.scope("self_attn"):
        y = s.attend(s.attention, s.norm, workload, b, y, tables)
    b.hold(*(tables[name] for name in (CHOSEN,) if name in tables))
    x = spread(b, "attn", x, y, post, mixing)
    post, mixing, y = connected(s.streams, b, "ffn_hc", x)
    b.hold(x, post, y, *mixing)
    y = normed_by(b, "post_attention_layernorm", y, s.norm)
    with b.scope(s.network.module):
        b.hold(y)
        tokens = tables.get(TOKENS)
        y = mlp(s.network, b, y, workload) if isinstance(s.network, Mlp) else experts(s.network, b, y, tokens)
    return spread(b, "mlp", x, y, post, mixing)


def plain_attention(
    a: Attention, kind: Norm, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Adds the attention that most layers have over x (batch, seq, width)."""
    y, weights = attention(a, kind, workload, b, x, tables)
    b.hold(*weights)
    return y


def known_shares(s: Streams, b: Builder, x: Value, name: str, count: int) -> Value:
    """Returns `count` numbers for each token, (batch, seq, count): a projection of all its streams side by side, made
    as large as one another, in float32. Without rounds the projection is divided by their size, and not they."""
    batch, seq, streams, width = x.spec.shape
    flat = b.apply("reshape", x, name="side_by_side", shape=(batch, seq, streams * width))
    if flat.spec.dtype != "float32":
        flat = b.apply("cast", flat, name="wide", dtype="float32")
    weight = b.parameter(name, (count, streams * width), "float32")
    if s.rounds:
        return b.apply("linear", unweighted(b, "input_norm", flat), weight, name="projected")
    shares = b.apply("linear", flat, weight, name="projected")
    return b.apply("mul", shares, one_over_size(b, "input_norm", flat), name="sized")


def connected(s: Streams, b: Builder, name: str, x: Value) -> tuple[Value, tuple[Value, ...], Value]:
    """Returns how much each stream takes of a part's output (batch, seq, streams), the matrix that mixes the streams
    (batch, seq, streams, streams) if there is one, and the mixture that the part reads (batch, seq, width)."""
    n = s.count
    parts = (n, n, n * n) if s.rounds else (n, n)
    with b.scope(name):
        shares = known_shares(s, b, x, "fn", sum(parts))
        shares = b.apply("split", shares, name="parts", sizes=parts)
        bases = b.apply("split", b.parameter("base", (sum(parts),), "float32"), name="bases", sizes=parts)
        scales = b.parameter("scale", (len(parts),), "float32")
        factors = [b.apply("select", scales, name=f"scale_{i}", dim=0, index=i) for i in range(len(parts))]
        words = ("pre", "post", "comb")
        given = list(zip(words, shares, factors, bases, strict=False))
        if s.rounds:
            matrix = (*x.spec.shape[:2], n, n)
            word, share, factor, base = given[2]
            given[2] = (
                word,
                b.apply("reshape", share, name="matrix", shape=matrix),
                factor,
                b.apply("reshape", base, name="matrix_base", shape=(n, n)),
            )
        pre, post, *rest = (
            b.apply("add", b.apply("mul", share, factor, name=f"{word}_scaled"), base, name=f"{word}_shifted")
            for word, share, factor, base in given
        )
        pre = b.apply("shift", b.apply("sigmoid", pre, name="pre_sigmoid"), name="pre")
        post = b.apply("scale", b.apply("sigmoid", post, name="post_sigmoid"), name="post")
        if not s.rounds:
            post = b.apply("shift", post, name="post_above_zero")
        mixing = tuple(balanced(s, b, y) for y in rest)
        b.hold(post, pre, *mixing)
        return post, mixing, mixture(b, pre, x)


def balanced(s: Streams, b: Builder, x: Value) -> Value:
    """Returns a matrix of positive numbers whose rows and columns sum to about 1 (Sinkhorn and Knopp, 1967): a softmax
    of each row, then columns and rows divided by their sums in turn."""
    x = b.apply("shift", b.apply("softmax", x, name="comb_softmax"), name="comb")
    x = divided(b, x, "columns", -2)
    if s.rounds == 1:
        return x

    def both(inner: Builder, y: Value) -> Value:
        return divided(inner, divided(inner, y, "rows", -1), "columns", -2)

    found: Value = b.repeat("rounds", s.rounds - 1, both, x)
    return found


def divided(b: Builder, x: Value, word: str, dim: int) -> Value:
    """Returns a matrix divided by its sums along one dimension."""
    total = b.apply("shift", b.apply("sum", x, name=f"{word}_sum", dim=dim, keepdim=True), name=f"{word}_above_zero")
    found: Value = b.apply("div", x, total, name=f"{word}_divided")
    return found


def mixture(b: Builder, shares: Value, x: Value) -> Value:
    """Returns the sum of the streams, each times its share: summed in float32."""
    shares = b.apply("reshape", shares, name="shares_apart", shape=(*shares.spec.shape, 1))
    y = b.apply("sum", b.apply("mul", shares, x, name="shared_out"), name="mixture", dim=2)
    return y if y.spec.dtype == x.spec.dtype else b.apply("cast", y, name="mixture_narrowed", dtype=x.spec.dtype)


def spread(b: Builder, word: str, x: Value, y: Value, post: Value, mixing: tuple[Value, ...]) -> Value:
    """Returns the streams x, mixed with one another if there is a matrix, plus each one's share of a part's output y
    (batch, seq, width). Without a matrix the sum runs in float32."""
    batch, seq, count, width = x.spec.shape
    dtype = x.spec.dtype
    wide = dtype != "float32"
    if mixing:
        narrow = b.apply("cast", post, name=f"{word}_post", dtype=dtype) if wide else post
        narrow = b.apply("reshape", narrow, name=f"{word}_post_apart", shape=(batch, seq, count, 1))
        y = b.apply("reshape", y, name=f"{word}_apart", shape=(batch, seq, 1, width))
        y = b.apply("mul", narrow, y, name=f"{word}_spread")
        matrix = b.apply("cast", mixing[0], name=f"{word}_comb", dtype=dtype) if wide else mixing[0]
        matrix = b.apply("transpose", matrix, name=f"{word}_comb_turned", dims=(-1, -2))
        return b.apply("add", y, b.apply("matmul", matrix, x, name=f"{word}_mixed"), name=f"{word}_residual")
    post = b.apply("reshape", post, name=f"{word}_post_apart", shape=(batch, seq, count, 1))
    if wide:
        y, x = (
            b.apply("cast", part, name=f"{word}_{label}_wide", dtype="float32")
            for part, label in ((y, "out"), (x, "streams"))
        )
    y = b.apply("reshape", y, name=f"{word}_apart", shape=(batch, seq, 1, width))
    x = b.apply("add", b.apply("mul", post, y, name=f"{word}_spread"), x, name=f"{word}_residual")
    return b.apply("cast", x, name=f"{word}_narrowed", dtype=dtype) if wide else x


def unweighted(b: Builder, name: str, x: Value) -> Value:
    """Returns x divided by the root of its mean square, without a gain: written out as the library does it."""
    found: Value = b.apply("mul", x, one_over_size(b, name, x), name=name)
    return found


def one_over_size(b: Builder, name: str, x: Value) -> Value:
    """Returns 1 over the root of x's mean square (..., 1), computed in float32."""
    dtype = x.spec.dtype
    wide = x if dtype == "float32" else b.apply("cast", x, name=f"{name}_wide", dtype="float32")
    size = b.apply("mean", b.apply("square", wide, name=f"{name}_square"), name=f"{name}_mean", **LAST)
    size = b.apply("rsqrt", b.apply("shift", size, name=f"{name}_above_zero"), name=f"{name}_size")
    return size if dtype == "float32" else b.apply("cast", size, name=f"{name}_size_narrowed", dtype=dtype)
