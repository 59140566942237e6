"""A decoder's layer whose one attention sees the tokens before it and the encoder's output side by side.

Zhang et al., 2025 (T5Gemma 2, arXiv:2512.14856). Queries, keys and values of both have the same projections; the
encoder's keys are normalized, but not rotated.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import Builder, Dim, Value, Workload, frozen, minimum
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.names import mask_name
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.projections import head_normed, of_their_own
from graphacct_architectures.encoder_decoders.parts.crossed import STATES
from graphacct_architectures.layers import dropped, linear, split_heads

FULL_MASK, SLIDING_MASK = "merged_mask", "merged_sliding_mask"
"""The names of the masks of layers without and with a window among the tables of a layer."""


@frozen
class Merged:
    """One layer of the decoder.

    Attributes:
        attention: Its attention.
        mlp: Its network.
        norm: The kind of all its norms.
        dropout: The dropout probability of both parts' outputs, in training.
        norms: How the norms around both parts are called.
        window: How many tokens of the text it sees; None for all.
    """

    attention: Attention
    mlp: Mlp
    norm: Norm
    dropout: float
    norms: tuple[tuple[str, str], ...]
    window: Dim | None


def with_encoder(kind: Layer, dropout: float, norms: tuple[tuple[str, str], ...]) -> Layer:
    """Returns a layer of the decoder from one of a decoder alone, whose masks are the ones of `masks`."""
    assert isinstance(kind.attention, Attention)
    assert isinstance(kind.feed_forward, Mlp)
    whole = Merged(kind.attention, kind.feed_forward, kind.norm, dropout, norms, kind.attention.window)
    unmasked = attrs.evolve(kind.attention, window=None, unmasked=True, masked=False)
    return Layer(unmasked, kind.feed_forward, whole=Whole(whole, merged_layer))


def masks(windows: frozenset[Dim | None], workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns which keys each query sees of the text and of the encoder's output, once for all layers of a kind. A
    cache of a window has no more than that."""
    found = {}
    for window in sorted(windows, key=lambda one: one is not None):
        keys = workload.positions
        if workload.phase == "decode" and window is not None:
            keys = minimum(keys, window)
        assert workload.encoder_seq_len is not None
        name = FULL_MASK if window is None else SLIDING_MASK
        sizes = {"batch": workload.batch, "seq": workload.seq_len, "keys": keys + workload.encoder_seq_len}
        hidden = {"shared": workload.encoder_seq_len, **({} if window is None else {"window": window})}
        found[name] = b.apply("causal_mask", name=name, **sizes, dtype=b.dtype, **hidden)
    return found


def merged_layer(s: Merged, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after one layer."""
    (before, after), (before_mlp, after_mlp) = s.norms
    y = normed_by(b, before, x, s.norm)
    with b.scope(s.attention.module):
        y = of_both(s, workload, b, y, tables)
    y = dropped(b, "attn_dropout", normed_by(b, after, y, s.norm), s.dropout, workload)
    x = b.apply("add", x, y, name="attn_residual")
    y = normed_by(b, before_mlp, x, s.norm)
    with b.scope(s.mlp.module):
        b.hold(y)
        y = mlp(s.mlp, b, y, workload)
    y = dropped(b, "mlp_dropout", normed_by(b, after_mlp, y, s.norm), s.dropout, workload)
    return b.apply("add", x, y, name="mlp_residual")


def of_both(s: Merged, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns what each token reads of those before it and of the encoder's output, whose keys and values are projected
    once, then kept."""
    a, batch = s.attention, x.spec.shape[0]
    b.hold(x)
    with b.turn(0):
        q, k, v, _ = of_their_own(a, s.norm, workload, b, x, tables)
    states = tables.get(STATES)
    known = []
    for label, name in (("k", a.k), ("v", a.v)):
        if states is None:
            kept = (batch, a.kv_heads, workload.encoder_seq_len, a.d_head)
            y = b.apply("kv_cache", name=f"cross_{label}_cache", shape=kept, dtype=workload.kv_dtype or b.dtype)
        else:
            with b.turn(1):
                y = linear(b, name, states, a.kv_heads * a.d_head, bias=a.bias)
                if label == "k":
                    y = head_normed(b, y, a.kv_heads, a.d_head, label, a.qk_norm_names[1], a.qk_norm_kind or s.norm)
                else:
                    y = split_heads(b, y, a.kv_heads, a.d_head, label)
            if workload.phase == "prefill":
                y = b.apply("concat", y, name=f"cross_{label}_cached", dim=-2)
        if workload.phase in ("prefill", "decode"):
            b.emit(b.apply("kv_keep", y, name=f"cross_{label}_kept", grows=False))
        known.append(y)
    k, v = (
        b.apply("concat", own, other, name=f"merged_{label}", dim=2)
        for own, other, label in zip((k, v), known, "kv", strict=True)
    )
    kind = attrs.evolve(a, window=None, causal=False, unmasked=False)
    mask = tables[FULL_MASK if s.window is None else SLIDING_MASK]
    y, weights = attended(kind, workload, b, q, k, v, {mask_name(kind, workload): mask})
    b.hold(*weights)
    return linear(b, a.out, y, x.spec.shape[-1], bias=a.out_bias)
