"""The transformer over patches or tokens of vision models: LayerNorm before each part, biases everywhere.

Dosovitskiy et al., 2020 (arXiv:2010.11929); Radford et al., 2021 (arXiv:2103.00020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    Value,
    Workload,
    equal,
    exact_div,
    floor_div,
    frozen,
    has_value,
    prod,
    same,
)
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import drop_path, dropped, linear, merge_heads, scaled, split_heads


@frozen
class Tower:
    """A stack of equal layers.

    Attributes:
        layers: How many.
        heads: Heads of attention.
        mlp: The feed-forward network.
        stack: The layers' name.
        attention: The attention module's name.
        out: Its output projection's name.
        bias: Whether the projections of q, k and v have biases.
        norms: The names of the norms before attention and before the network.
        causal: Whether a token sees only those before it.
        attention_dropout: The dropout probability of the attention weights, in training.
        dropout: The dropout probability of each module's output, in training.
        d_head: Width of a head; None for the stream's width divided by the heads.
        stream_first: Whether the stream is the first operand of each addition, whose memory order the sum has.
        scales: The names of parameters that multiply the output of attention and of the network; empty for none.
        norm: The norms' kind.
        qk_norm: The kind of the norms `q_norm` and `k_norm` over all heads together; None for none.
        softmax_upcast: Whether written-out softmax runs in float32.
        out_dropout: The dropout probability of attention's output projection, in training.
        joint: The name of one projection for q, k and v together; empty if they are three.
        key_bias: Whether the projection of k has a bias; None if it has what that of q has.
        value_bias: The same of v.
        out_bias: Whether the output projection has one.
        drop_path: The probability with which a branch is dropped whole, in training.
        drop_path_grows: Whether that probability grows from 0 in the first layer.
        pairs: Adds a layer's own number for each pair of tokens, (1, heads, seq, seq), which its scores are raised by;
            None if it has none.
        rotary_after: How many tokens before the patches are not rotated, where cosines and sines are given.
        inner: The name of the module inside attention's that has all but the output projection; empty if it has none.
        qkv: The names of the projections of q, k and v.
        flat: Whether the joint projection's parameters are attention's own: `in_proj_weight`, `in_proj_bias`.
        gates: The names of parameters of one element whose tanh multiplies the output of attention and of the network;
            empty for none.
        turns_learned: Whether cosines and sines, where they are given, are of learned angles.
    """

    layers: Dim
    heads: Dim
    mlp: Mlp
    stack: str
    attention: str
    out: str
    norms: tuple[str, str]
    bias: bool = True
    causal: bool = False
    attention_dropout: float = 0.0
    dropout: float = 0.0
    d_head: Dim | None = None
    stream_first: bool = False
    scales: tuple[str, str] = ("", "")
    norm: Norm = Norm(LAYER_NORM, bias=True)
    qk_norm: Norm | None = None
    softmax_upcast: bool = True
    out_dropout: float = 0.0
    joint: str = ""
    key_bias: bool | None = None
    value_bias: bool | None = None
    out_bias: bool = True
    drop_path: float = 0.0
    drop_path_grows: bool = False
    pairs: Callable[[Builder], Value] | None = None
    rotary_after: Dim = 0
    inner: str = ""
    qkv: tuple[str, str, str] = ("q_proj", "k_proj", "v_proj")
    gates: tuple[str, str] = ("", "")
    turns_learned: bool = False
    flat: bool = False


def tower(
    t: Tower,
    workload: Workload,
    b: Builder,
    x: Value,
    mask: Value | None = None,
    turns: tuple[Value, Value] | None = None,
) -> Value:
    """Returns x (batch, seq, width) after all layers.

    `mask` is added to every layer's scores; `turns` are the cosines and sines that rotate queries and keys.
    """
    return tower_states(t, workload, b, x, (), mask, turns)[t.layers]


def tower_states(
    t: Tower,
    workload: Workload,
    b: Builder,
    x: Value,
    wanted: Sequence[int] = (),
    mask: Value | None = None,
    turns: tuple[Value, Value] | None = None,
) -> dict[Dim, Value]:
    """Returns x (batch, seq, width) after all layers, and after as many as each `wanted` number says; all layers
    run. `mask` and `turns` are as for `tower`."""
    batch, seq, width = x.spec.shape
    d_head = exact_div(width, t.heads, "hidden_size / num_attention_heads") if t.d_head is None else t.d_head
    if t.causal and workload.attention == "eager":
        mask = b.apply("causal_mask", name="causal_mask", batch=batch, seq=seq, dtype=b.dtype)
    constants = (*(() if mask is None else (mask,)), *(turns or ()))
    b.hold(*constants)
    found: dict[Dim, Value] = {0: x}
    start: Any = 0
    spared = t.drop_path_grows and bool(t.drop_path) and workload.phase == "train"
    if spared or (not t.stream_first and x.spec.strides is not None):
        first = attrs.evolve(t, drop_path=0.0) if spared else t
        with b.scope(f"{t.stack}.0"):  # the others take what a layer returns, in its order in memory
            x = found[1] = layer(first, d_head, workload, masked=mask is not None)(b, x, *constants)
        start = 1
    for end in (*sorted({count for count in wanted if count not in (0, start, t.layers)}), t.layers):
        if not equal(end, start):
            body = layer(t, d_head, workload, masked=mask is not None)
            x = b.repeat(t.stack, end - start, body, x, constants=constants, start=start)
        found[end] = x
        start = end
    return found


def layer(t: Tower, d_head: Dim, workload: Workload, *, masked: bool) -> Callable[..., Value]:
    """Returns the body of one layer, which is given the mask if there is one, then cosines and sines."""

    def body(b: Builder, x: Value, *constants: Value) -> Value:
        mask = constants[0] if masked else None
        b.hold(x)
        if t.pairs is not None:
            own = t.pairs(b)
            mask = own if mask is None else b.apply("add", own, mask, name="pairs")
        y = normed_by(b, t.norms[0], x, t.norm)
        with b.scope(t.attention):
            b.hold(y)
            y, weights = attention(t, d_head, workload, b, y, mask, constants[masked:])
        b.hold(*weights)
        y = dropped(b, "attn_dropout", y, t.dropout, workload) if not t.scales[0] else scaled(b, t.scales[0], y)
        y = gated(b, t.gates[0], y) if t.gates[0] else y
        y = drop_path(b, "attn_drop_path", y, t.drop_path, workload)
        x = b.apply("add", *((x, y) if t.stream_first else (y, x)), name="attn_residual")
        y = normed_by(b, t.norms[1], x, t.norm)
        with b.scope(t.mlp.module):
            b.hold(y)
            y = mlp(t.mlp, b, y)
        y = dropped(b, "mlp_dropout", y, t.dropout, workload)
        y = scaled(b, t.scales[1], y) if t.scales[1] else y
        y = gated(b, t.gates[1], y) if t.gates[1] else y
        y = drop_path(b, "mlp_drop_path", y, t.drop_path, workload)
        return b.apply("add", *((x, y) if t.stream_first else (y, x)), name="mlp_residual")

    return body


def attention(
    t: Tower,
    d_head: Dim,
    workload: Workload,
    b: Builder,
    x: Value,
    mask: Value | None,
    turns: tuple[Value, ...] = (),
) -> tuple[Value, tuple[Value, ...]]:
    """Adds self-attention; the builder is in its scope. Returns the output and, with eager attention, the weights."""
    width = x.spec.shape[-1]
    with b.scope(t.inner):
        q, k, v = together(t, d_head, b, x) if t.joint else apart(t, d_head, b, x)
        if turns:
            q, k = (turned(t, b, part, turns, label) for part, label in ((q, "q"), (k, "k")))
        b.hold(q, k, v)
        y, written = attended(t, workload, b, q, k, v, mask)
        y = merge_heads(b, y)
    y = linear(b, t.out, y, width, bias=t.out_bias)
    return dropped(b, f"{t.out}_dropout", y, t.out_dropout, workload), written


def attended(
    t: Tower, workload: Workload, b: Builder, q: Value, k: Value, v: Value, mask: Value | None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns the values that queries (batch, heads, seq, d_head) read, and the weights if they are written out."""
    rest = () if mask is None else (mask,)
    if workload.attention == "fused":
        drop = {"dropout_p": t.attention_dropout} if workload.phase == "train" and t.attention_dropout else {}
        causal = t.causal and mask is None
        return b.apply("scaled_dot_product_attention", q, k, v, *rest, name="sdpa", causal=causal, **drop), ()
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    scores = b.apply("scale", scores, name="scale")
    if mask is not None:
        scores = b.apply("add", scores, mask, name="mask")
    upcast = {"dtype": "float32"} if b.dtype != "float32" and t.softmax_upcast else {}
    weights = b.apply("softmax", scores, name="softmax", **upcast)
    if upcast:
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype)
    weights = dropped(b, "attn_dropout", weights, t.attention_dropout, workload)
    return b.apply("matmul", weights, v, name="values"), (weights,)


def turned(t: Tower, b: Builder, x: Value, turns: tuple[Value, ...], label: str) -> Value:
    """Returns x (batch, heads, seq, d_head) with the patches after the first `rotary_after` tokens rotated."""
    if t.turns_learned:
        return rotated(b, x, turns, label)
    if equal(t.rotary_after, 0):
        rest = b.apply("rotary_embedding", x, *turns, name=f"{label}_rope", composed=True)
        return rest if rest.spec.dtype == b.dtype else b.apply("cast", rest, name=f"{label}_narrowed", dtype=b.dtype)
    sizes = (t.rotary_after, x.spec.shape[2] - t.rotary_after)
    front, rest = b.apply("split", x, name=f"{label}_parts", sizes=sizes, dim=-2)
    rest = b.apply("rotary_embedding", rest, *turns, name=f"{label}_rope", composed=True)
    return b.apply("concat", front, rest, name=f"{label}_turned", dim=-2)


def rotated(b: Builder, x: Value, turns: tuple[Value, ...], label: str) -> Value:
    """Returns the same of all tokens in float32, step by step, so that cosines and sines have gradients."""
    wide = x if b.dtype == "float32" else b.apply("cast", x, name=f"{label}_wide", dtype="float32")
    first, second = b.apply("split", wide, name=f"{label}_halves", parts=2)
    other = b.apply("concat", b.apply("neg", second, name=f"{label}_neg"), first, name=f"{label}_other", dim=-1)
    parts = [
        b.apply("mul", part, turn, name=f"{label}_{word}")
        for part, turn, word in zip((wide, other), turns, ("cos", "sin"), strict=True)
    ]
    y: Value = b.apply("add", *parts, name=f"{label}_rope")
    return y if b.dtype == "float32" else b.apply("cast", y, name=f"{label}_narrowed", dtype=b.dtype)


def apart(t: Tower, d_head: Dim, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns queries, keys and values, each (batch, heads, seq, d_head), of three projections."""
    biases = {"q": t.bias, "k": t.key_bias, "v": t.value_bias}
    parts = {
        label: linear(b, name, x, t.heads * d_head, bias=t.bias if bias is None else bias)
        for name, (label, bias) in zip(t.qkv, biases.items(), strict=True)
    }
    if t.qk_norm is not None:
        parts |= {label: normed_by(b, f"{label}_norm", parts[label], t.qk_norm) for label in "qk"}
    return tuple(split_heads(b, part, t.heads, d_head, label) for label, part in parts.items())


def together(t: Tower, d_head: Dim, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the same, views of one projection."""
    batch, seq, _ = x.spec.shape
    flat = (
        flat_linear(b, t.joint, x, 3 * t.heads * d_head)
        if t.flat
        else linear(b, t.joint, x, 3 * t.heads * d_head, bias=t.bias)
    )
    flat = b.apply("reshape", flat, name="parts", shape=(batch, seq, 3, t.heads, d_head))
    flat = b.apply("permute", flat, name="parts_first", dims=(2, 0, 3, 1, 4))
    parts = {label: b.apply("select", flat, name=label, dim=0, index=place) for place, label in enumerate("qkv")}
    if t.qk_norm is not None:
        parts |= {label: normed_heads(b, f"{label}_norm", parts[label], t.qk_norm, label) for label in "qk"}
    return tuple(parts.values())


def flat_linear(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Returns a projection whose parameters are no module's: `in_proj_weight` and `in_proj_bias` for `in_proj`."""
    weight = b.parameter(f"{name}_weight", (width, x.spec.shape[-1]))
    found: Value = b.apply("linear", x, weight, b.parameter(f"{name}_bias", (width,)), name=name)
    return found


def normed_heads(b: Builder, name: str, x: Value, kind: Norm, label: str) -> Value:
    """Returns x (batch, heads, seq, d_head), all heads of a token normalized together."""
    batch, heads, seq, d_head = x.spec.shape
    flat = b.apply("transpose", x, name=f"{label}_tokens_first", dims=(1, 2))
    flat = normed_by(b, name, b.apply("reshape", flat, name=f"{label}_flat", shape=(batch, seq, heads * d_head)), kind)
    return split_heads(b, flat, heads, d_head, f"{label}_normed")


def gated(b: Builder, name: str, x: Value) -> Value:
    """Returns x times the tanh of a parameter of one element."""
    gate = b.apply("tanh", b.parameter(name, (1,)), name=f"{name}_tanh")
    y: Value = b.apply("mul", gate, x, name=f"{name}_applied")
    return y


def patches(b: Builder, name: str, pixels: Value, width: Dim, size: tuple[Dim, Dim], *, bias: bool) -> Value:
    """Returns each patch of an image as a token, (batch, patches, width), by a convolution `name` whose stride is its
    kernel."""
    weight = b.parameter(f"{name}.weight", (width, pixels.spec.shape[1], *size))
    rest = (b.parameter(f"{name}.bias", (width,)),) if bias else ()
    x = b.apply("convolution", pixels, weight, *rest, name=name, stride=size)
    batch, _, *places = x.spec.shape
    x = b.apply("reshape", x, name="flat", shape=(batch, width, prod(places)))
    return b.apply("transpose", x, name="tokens", dims=(1, 2))


def patch_count(image: tuple[Dim, Dim], patch: tuple[Dim, Dim]) -> Dim:
    """Returns how many whole patches an image has."""
    return prod([floor_div(side, step) for side, step in zip(image, patch, strict=True)])


def check_image(given: tuple[Dim, Dim] | None, learned: tuple[Dim, Dim], key: str = "image_size") -> tuple[Dim, Dim]:
    """Returns the image's sides. Raises ConfigError if the model has learned positions for another size."""
    assert given is not None  # the architecture declares its default
    if not all(map(same, given, learned)) and all(has_value(side) for side in (*given, *learned)):
        raise ConfigError(
            f"image_size {given[0]}x{given[1]} is not {key} {learned[0]}x{learned[1]}, whose patches the model has "
            f"learned positions for; add --set {key}={given[0]},{given[1]}"
        )
    return given
