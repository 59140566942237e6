"""The layers of towers that read a grid of patches: all images' patches are one sequence, of which each image sees
itself, or each window itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, floor_div, frozen, same
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import dropped, linear, scaled

Groups: TypeAlias = Sequence[tuple[Dim, Dim]]
"""So many sequences of so many patches, one after another."""
MOST_APART = 64
"""The most sequences that are described one by one, as the classes run them; of more, those of a length are one
batch."""


def apart(groups: Groups) -> Groups:
    """Returns the same sequences one by one, if there are not too many."""
    total = sum_of(groups)
    if type(total) is not int or total > MOST_APART:
        return groups
    return tuple((1, length) for count, length in groups for _ in range(count))


@frozen
class Looking:
    """Attention of a tower.

    Attributes:
        heads: Heads of queries.
        kv_heads: Heads of keys and values; None for as many.
        module: The module's name.
        joint: The name of one projection for q, k and v together; empty if they are three.
        apart: The names of the three.
        out: The output projection's name.
        bias: Whether the projections of q, k and v have biases.
        out_bias: Whether the output projection has one.
        qk_norm: The kind of the norms `q_norm` and `k_norm` of each head; None for none.
        turns: The name of the module that makes rotary tables; empty if nothing is rotated.
        dropout: The probability with which weights are dropped in training.
        turns_narrow: Whether the tables are cast to the model's dtype, and in each layer to float32 again.
        axes: The axes whose places turn a head, each an equal part of it: rows and columns, or times too.
        turned_narrow: Whether queries and keys are turned in the model's dtype, not in float32.
        scales: The names of parameters that multiply the output of attention and of the network; empty for none.
    """

    heads: Dim
    kv_heads: Dim | None = None
    module: str = "attn"
    joint: str = "qkv"
    apart: tuple[str, str, str] = ("q_proj", "k_proj", "v_proj")
    out: str = "proj"
    bias: bool = True
    out_bias: bool = True
    qk_norm: Norm | None = None
    turns: str = "rotary_pos_emb"
    dropout: float = 0.0
    turns_narrow: bool = False
    scales: tuple[str, str] = ("", "")
    axes: int = 2
    turned_narrow: bool = False

    @property
    def shared(self) -> Dim:
        """Heads of keys and values."""
        return self.heads if self.kv_heads is None else self.kv_heads


def tables(a: Looking, b: Builder, width: Dim, count: Dim) -> tuple[Value, Value]:
    """Returns cosine and sine of each patch's angles, (patches, what is turned of a head): a half by its row, a half by
    its column, or a third by its time too."""
    d_head = exact_div(width, a.heads, "hidden_size / num_heads")
    with b.scope(a.turns):
        each = exact_div(d_head, 4, "d_head / 4") if a.axes == 2 else floor_div(floor_div(d_head, a.axes), 2)
        places = b.apply("constant", name="positions", shape=(count, a.axes, 1), dtype="float32")
        rates = b.apply("constant", name="inv_freq", shape=(each,), dtype="float32")
        freqs = b.apply("mul", places, rates, name="freqs")
        both = []
        for function in ("cos", "sin"):
            half = b.apply(
                "reshape",
                b.apply(function, freqs, name=function),
                name=f"{function}_half",
                shape=(count, a.axes * each),
            )
            both.append(b.apply("concat", half, half, name=f"{function}_table", dim=-1))
    if (a.turns_narrow or a.turned_narrow) and b.dtype != "float32":
        both = [
            b.apply("cast", table, name=f"{a.turns}.{name}_narrowed", dtype=b.dtype)
            for table, name in zip(both, ("cos", "sin"), strict=True)
        ]
    b.hold(*both)
    return both[0], both[1]


def sum_of(groups: Groups) -> Dim:
    """Returns how many sequences there are."""
    total: Dim = 0
    for count, _ in groups:
        total = total + count
    return total


def body(
    a: Looking,
    network: Mlp,
    norm: Norm,
    norms: tuple[str, str],
    workload: Workload,
    groups: Mapping[bool, Groups],
    whole: bool,
) -> Callable[..., Value]:
    """Returns the body of a layer that sees whole images or windows; it is given cosines and sines if it rotates."""

    def run(b: Builder, x: Value, *turns: Value) -> Value:
        y = normed_by(b, norms[0], x, norm)
        with b.scope(a.module):
            y = attention(a, workload, b, y, turns, groups[whole])
        y = scaled(b, a.scales[0], y) if a.scales[0] else y
        x = b.apply("add", x, y, name="attn_residual")
        y = normed_by(b, norms[1], x, norm)
        with b.scope(network.module):
            y = mlp(network, b, y)
        y = scaled(b, a.scales[1], y) if a.scales[1] else y
        return b.apply("add", x, y, name="mlp_residual")

    return run


def attention(a: Looking, workload: Workload, b: Builder, x: Value, turns: tuple[Value, ...], groups: Groups) -> Value:
    """Returns attention over x (patches, width), in `groups`."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, a.heads, "hidden_size / num_heads")
    if a.turns_narrow and b.dtype != "float32":
        turns = tuple(
            b.apply("cast", table, name=f"{name}_wide", dtype="float32")
            for table, name in zip(turns, ("cos", "sin"), strict=True)
        )
    turned = []
    for part, label in zip(projected(a, b, x, d_head), "qkv", strict=True):
        if a.qk_norm is not None and label != "v":
            part = normed_by(b, f"{label}_norm", part, a.qk_norm)
        part = b.apply("transpose", part, name=f"{label}_heads_first", dims=(0, 1))
        if turns and label != "v":
            wide = b.dtype != "float32" and not a.turned_narrow
            part = b.apply("cast", part, name=f"{label}_wide", dtype="float32") if wide else part
            part = rotated(b, part, turns, label)
            part = b.apply("cast", part, name=f"{label}_narrowed", dtype=b.dtype) if wide else part
        turned.append(part)
    found: list[Value] = []
    start: Dim = 0
    for index, (sequences, length) in enumerate(groups):
        mark = f"_{index}" if index else ""
        own = []
        for part, label in zip(turned, "qkv", strict=True):
            if len(groups) > 1:
                part = b.apply(
                    "slice", part, name=f"{label}_slice{mark}", dim=1, start=start, length=sequences * length
                )
            shape = (part.spec.shape[0], sequences, length, d_head)
            part = b.apply("reshape", part, name=f"{label}_sequences{mark}", shape=shape)
            own.append(b.apply("transpose", part, name=f"{label}_by_sequence{mark}", dims=(0, 1)))
        y = attended(a, workload, b, own, mark)
        y = b.apply("transpose", y, name=f"heads_last{mark}", dims=(1, 2))
        found.append(b.apply("contiguous", y, name=f"values_copied{mark}"))
        start = start + sequences * length
    flat = [
        b.apply("reshape", part, name=f"merge_heads_{index}", shape=(part.spec.shape[0] * part.spec.shape[1], width))
        for index, part in enumerate(found)
    ]
    y = b.apply("concat", *flat, name="all_sequences", dim=0)
    return linear(b, a.out, y, width, bias=a.out_bias)


def rotated(b: Builder, x: Value, turns: tuple[Value, ...], label: str) -> Value:
    """Returns queries or keys (heads, patches, d_head) turned, in as many of their dimensions as the tables have."""
    d_head, own = x.spec.shape[-1], turns[0].spec.shape[-1]
    found: Value
    if same(d_head, own):
        found = b.apply("rotary_embedding", x, *turns, name=f"{label}_rope", composed=True)
        return found
    parts = [
        b.apply("slice", x, name=f"{label}_{name}", dim=-1, start=start, length=length)
        for name, start, length in (("turned", 0, own), ("left", own, d_head - own))
    ]
    turned = b.apply("rotary_embedding", parts[0], *turns, name=f"{label}_rope", composed=True)
    found = b.apply("concat", turned, parts[1], name=f"{label}_joined", dim=-1)
    return found


def projected(a: Looking, b: Builder, x: Value, d_head: Dim) -> tuple[Value, ...]:
    """Returns queries, keys and values, each (patches, heads, d_head)."""
    count = x.spec.shape[0]
    heads = (a.heads, a.shared, a.shared)
    if not a.joint:
        parts = tuple(linear(b, name, x, own * d_head, bias=a.bias) for name, own in zip(a.apart, heads, strict=True))
    elif a.kv_heads is None:
        flat = linear(b, a.joint, x, 3 * a.heads * d_head, bias=a.bias)
        flat = b.apply("reshape", flat, name="heads", shape=(count, 3, a.heads, d_head))
        flat = b.apply("permute", flat, name="parts_first", dims=(1, 0, 2, 3))
        found: tuple[Value, ...] = b.apply("unbind", flat, name="parts", dim=0)
        return found
    else:
        sizes = tuple(own * d_head for own in heads)
        flat = linear(b, a.joint, x, sizes[0] + sizes[1] + sizes[2], bias=a.bias)
        parts = b.apply("split", flat, name="parts", sizes=sizes)
    return tuple(
        b.apply("reshape", part, name=f"{label}_heads", shape=(count, own, d_head))
        for part, label, own in zip(parts, "qkv", heads, strict=True)
    )


def attended(a: Looking, workload: Workload, b: Builder, parts: Sequence[Value], mark: str) -> Value:
    """Returns the values that queries (sequences, heads, length, d_head) read."""
    q, k, v = parts
    drop = a.dropout if workload.phase == "train" else 0.0
    if not equal(a.shared, a.heads) and workload.attention == "eager":
        k, v = (repeated(a, b, part, f"{label}{mark}") for part, label in ((k, "k"), (v, "v")))
    y: Value
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": drop} if drop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, name=f"sdpa{mark}", causal=False, **options)
        return y
    keys = b.apply("transpose", k, name=f"k_last{mark}", dims=(-2, -1))
    scores = b.apply("scale", b.apply("matmul", q, keys, name=f"scores{mark}"), name=f"scale{mark}")
    upcast = {} if b.dtype == "float32" else {"dtype": "float32"}
    weights = b.apply("softmax", scores, name=f"softmax{mark}", **upcast)
    if upcast:
        weights = b.apply("cast", weights, name=f"weights{mark}", dtype=b.dtype)
    weights = dropped(b, f"attn_dropout{mark}", weights, drop, workload)
    y = b.apply("matmul", weights, v, name=f"values{mark}")
    return y


def repeated(a: Looking, b: Builder, x: Value, label: str) -> Value:
    """Returns keys or values (sequences, heads, length, d_head), each head for all queries that share it: a copy."""
    sequences, heads, length, d_head = x.spec.shape
    times = exact_div(a.heads, heads, "num_heads / num_key_value_heads")
    x = b.apply("reshape", x, name=f"{label}_shared", shape=(sequences, heads, 1, length, d_head))
    x = b.apply("expand", x, name=f"{label}_expanded", shape=(sequences, heads, times, length, d_head))
    y: Value = b.apply("reshape", x, name=f"{label}_repeated", shape=(sequences, a.heads, length, d_head))
    return y
