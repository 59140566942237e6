"""The layers of timm's ViTs, DINOs, EVAs and BEiTs, under the names of timm's modules (timm's
models/vision_transformer.py, eva.py and beit.py)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import layer_norm, linear, merge_heads, rms_norm, scaled, split_heads

from graphacct import Builder, Dim, Value, Workload, exact_div, frozen, prod


@frozen(kw_only=True)
class Layers:
    """A stack of equal layers.

    Attributes:
        layers: How many.
        heads: Heads of attention.
        hidden: The width of the network's hidden layer.
        act: Its activation.
        network: `plain`, `packed` (gated, by one projection of both halves) or `apart` (gated, by two projections).
        rms: Whether norms are RMSNorms.
        qkv: `joint` for one projection, `biases` for one whose biases are parameters beside it, none for keys; `apart`
            for three, `unbiased` if that of the keys has no bias.
        bias: Whether they have biases.
        out_bias: Whether the output projection and the network have biases.
        head_norm: Whether queries and keys are normalized, each head by itself.
        values_norm: Whether what attention read is normalized before its output projection.
        hidden_norm: Whether the hidden layer is normalized.
        scales: The names of parameters that multiply the output of attention and of the network; empty for none.
        post: Whether the norms stand after attention and the network.
        front: Tokens before the patches, which are not rotated.
        window: Rows and columns of patches, if each layer has learned numbers for their distances; else none.
    """

    layers: int
    heads: int
    hidden: int
    act: str = "gelu"
    network: str = "plain"
    rms: bool = False
    qkv: str = "joint"
    bias: bool = True
    out_bias: bool = True
    head_norm: bool = False
    values_norm: bool = False
    hidden_norm: bool = False
    scales: tuple[str, str] = ("", "")
    post: bool = False
    front: int = 1
    window: tuple[int, int] | None = None


def stack(kind: Layers, workload: Workload, b: Builder, x: Value, turns: tuple[Value, ...] = ()) -> Value:
    """Returns x (batch, tokens, width) after all layers. `turns` are cosines and sines that rotate the patches."""
    b.hold(*turns)
    found: Value = b.repeat("blocks", kind.layers, partial(layer, kind, workload), x, constants=turns)
    return found


def layer(kind: Layers, workload: Workload, b: Builder, x: Value, *turns: Value) -> Value:
    """Adds attention and a network, each with a residual connection; the builder is in the layer's scope."""
    b.hold(x)
    parts = (partial(attention, kind, workload, turns=turns), partial(network, kind))
    for place, part in enumerate(parts):
        name, word = f"norm{place + 1}", ("attn", "mlp")[place]
        y = x if kind.post else norm(kind, b, name, x)
        with b.scope(word):
            y = part(b, y)
        y = norm(kind, b, name, y) if kind.post else y
        y = scaled(b, kind.scales[place], y) if kind.scales[place] else y
        x = b.apply("add", x, y, name=f"{word}_residual")
    return x


def norm(kind: Layers, b: Builder, name: str, x: Value) -> Value:
    """Applies a norm over the last dimension."""
    return (rms_norm if kind.rms else layer_norm)(b, name, x)


def network(kind: Layers, b: Builder, x: Value) -> Value:
    """Returns the output of a network of one hidden layer; the builder is in its scope."""
    width, bias = x.spec.shape[-1], kind.out_bias
    b.hold(x)
    if kind.network == "plain":
        y = b.apply(kind.act, linear(b, "fc1", x, kind.hidden, bias=bias), name="act")
    else:
        if kind.network == "packed":
            gate, rest = b.apply("split", linear(b, "fc1", x, 2 * kind.hidden, bias=bias), name="halves", parts=2)
        else:
            gate, rest = (linear(b, f"fc1_{word}", x, kind.hidden, bias=bias) for word in "gx")
        y = b.apply("mul", b.apply("silu", gate, name="act"), rest, name="gated")
    y = norm(kind, b, "norm", y) if kind.hidden_norm else y
    return linear(b, "fc2", y, width, bias=bias)


def attention(kind: Layers, workload: Workload, b: Builder, x: Value, *, turns: tuple[Value, ...] = ()) -> Value:
    """Returns the output of self-attention; the builder is in its scope."""
    width = x.spec.shape[-1]
    b.hold(x)
    parts = projected(kind, b, x)
    if kind.head_norm:
        parts = (*(norm(kind, b, f"{label}_norm", part) for label, part in zip("qk", parts, strict=False)), parts[2])
    if turns:
        parts = (*(turned(kind, b, part, turns, label) for label, part in zip("qk", parts, strict=False)), parts[2])
    b.hold(*parts)
    y = merge_heads(b, read(workload, b, *parts, mask=distances(kind, b)))
    y = norm(kind, b, "norm", y) if kind.values_norm else y
    return linear(b, "proj", y, width, bias=kind.out_bias)


def projected(kind: Layers, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns queries, keys and values, each (batch, heads, tokens, width of a head)."""
    batch, tokens, width = x.spec.shape
    d_head = exact_div(width, kind.heads, "width / heads")
    if kind.qkv in ("apart", "unbiased"):
        return tuple(
            split_heads(
                b,
                linear(b, f"{label}_proj", x, width, bias=kind.bias and not (kind.qkv == "unbiased" and label == "k")),
                kind.heads,
                d_head,
                label,
            )
            for label in "qkv"
        )
    if kind.qkv == "biases" and kind.bias:
        biases = [b.parameter(f"{label}_bias", (width,), buffer=label == "k") for label in "qkv"]
        bias = b.apply("concat", *biases, name="qkv_bias", dim=0)
        both = b.apply("linear", x, b.parameter("qkv.weight", (3 * width, width)), bias, name="projected")
    else:
        both = linear(b, "qkv", x, 3 * width, bias=kind.bias)
    both = b.apply("reshape", both, name="parts", shape=(batch, tokens, 3, kind.heads, d_head))
    both = b.apply("permute", both, name="parts_first", dims=(2, 0, 3, 1, 4))
    return tuple(b.apply("select", both, name=label, dim=0, index=place) for place, label in enumerate("qkv"))


def turned(kind: Layers, b: Builder, x: Value, turns: tuple[Value, ...], label: str) -> Value:
    """Returns x (batch, heads, tokens, width of a head) with the patches rotated."""
    found: Value
    if not kind.front:
        found = b.apply("rotary_embedding", x, *turns, name=f"{label}_rope", composed=True)
        return found
    sizes = (kind.front, x.spec.shape[2] - kind.front)
    front, rest = b.apply("split", x, name=f"{label}_parts", sizes=sizes, dim=-2)
    rest = b.apply("rotary_embedding", rest, *turns, name=f"{label}_rope", composed=True)
    found = b.apply("concat", front, rest, name=f"{label}_turned", dim=-2)
    return found


def read(workload: Workload, b: Builder, q: Value, k: Value, v: Value, *, mask: Value | None = None) -> Value:
    """Returns the values that queries (batch, heads, tokens, width of a head) read."""
    rest = () if mask is None else (mask,)
    found: Value
    if workload.attention == "fused":
        found = b.apply("scaled_dot_product_attention", q, k, v, *rest, name="sdpa")
        return found
    q = b.apply("scale", q, name="q_scaled")
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    if mask is not None:
        scores = b.apply("add", scores, mask, name="biased")
    found = b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")
    return found


def distances(kind: Layers, b: Builder) -> Value | None:
    """Returns a number for each pair of tokens, (1, heads, tokens, tokens), from a learned table of distances along
    rows and columns and three for pairs with the class token; None if the layers have no such table."""
    if kind.window is None:
        return None
    tokens = prod(kind.window) + 1
    count = prod([2 * side - 1 for side in kind.window]) + 3
    table = b.parameter("relative_position_bias_table", (count, kind.heads))
    places = b.apply("constant", name="index", shape=(tokens**2,), dtype="int64")
    x = b.apply("index_select", table, places, name="read", dim=0)
    x = b.apply("reshape", x, name="pairs", shape=(tokens, tokens, kind.heads))
    x = b.apply("contiguous", b.apply("permute", x, name="by_head", dims=(2, 0, 1)), name="copied")
    found: Value = b.apply("reshape", x, name="bias", shape=(1, kind.heads, tokens, tokens))
    return found


def pooled(workload: Workload, b: Builder, x: Value, heads: int, hidden: int, act: str, *, rms: bool = False) -> Value:
    """Returns what a learned query reads of all tokens, after a network; the builder is in the scope."""
    batch, tokens, width = x.spec.shape
    kind = Layers(layers=1, heads=heads, hidden=hidden, act=act, rms=rms)
    d_head: Dim = exact_div(width, heads, "width / heads")
    query = b.apply("expand", b.parameter("latent", (1, 1, width)), name="latents", shape=(batch, 1, width))
    q = split_heads(b, linear(b, "q", query, width), heads, d_head, "q")
    both = b.apply("reshape", linear(b, "kv", x, 2 * width), name="parts", shape=(batch, tokens, 2, heads, d_head))
    both = b.apply("permute", both, name="parts_first", dims=(2, 0, 3, 1, 4))
    k, v = (b.apply("select", both, name=label, dim=0, index=place) for place, label in enumerate("kv"))
    y = linear(b, "proj", merge_heads(b, read(workload, b, q, k, v)), width)
    z = norm(kind, b, "norm", y)
    with b.scope("mlp"):
        z = network(kind, b, z)
    y = b.apply("add", y, z, name="residual")
    found: Value = b.apply("select", y, name="first", dim=1)
    return found
