"""The modules that transformer families are built from. Each function adds a module's parameters and nodes.

The functions are named after torch's modules. A module's node is named by the module's path; a step without its own
module (scores, softmax) by that path and a word.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphacct import Builder, Dim, Parameter, Value, Workload, equal, minimum, same


def embedding(b: Builder, name: str, ids: Value, count: Dim, width: Dim, *, tied_to: str = "") -> Value:
    """Looks rows up in a table `name.weight` of `count` rows."""
    return b.apply("embedding", ids, b.parameter(f"{name}.weight", (count, width), tied_to=tied_to), name=name)


def linear(b: Builder, name: str, x: Value, width: Dim, *, bias: bool = True, tied_to: str = "") -> Value:
    """Applies torch.nn.Linear: `name.weight` stored (out, in), and `name.bias`."""
    weight = b.parameter(f"{name}.weight", (width, x.spec.shape[-1]), tied_to=tied_to)
    rest = (b.parameter(f"{name}.bias", (width,)),) if bias else ()
    return b.apply("linear", x, weight, *rest, name=name)


def conv1d(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Applies the Conv1D of the published GPT-2: a linear layer whose `name.weight` is stored (in, out)."""
    weight = b.parameter(f"{name}.weight", (x.spec.shape[-1], width))
    return b.apply("linear_in_out", x, weight, b.parameter(f"{name}.bias", (width,)), name=name)


def layer_norm(b: Builder, name: str, x: Value) -> Value:
    """Applies torch.nn.LayerNorm over the last dimension, with `name.weight` and `name.bias`."""
    width = x.spec.shape[-1:]
    return b.apply("layer_norm", x, b.parameter(f"{name}.weight", width), b.parameter(f"{name}.bias", width), name=name)


def rms_norm(b: Builder, name: str, x: Value, **attributes: str) -> Value:
    """Applies RMSNorm over the last dimension, with `name.weight`."""
    return b.apply("rms_norm", x, b.parameter(f"{name}.weight", x.spec.shape[-1:]), name=name, **attributes)


def norm(
    b: Builder,
    name: str,
    x: Value,
    kind: str,
    *,
    weight: bool = True,
    bias: bool = False,
    centred: bool = False,
    upcast: str = "",
    weight_wide: bool = False,
    power: bool = False,
    stored_wide: bool = False,
) -> Value:
    """Applies a norm over the last dimension: the operator `kind`, with `name.weight` and `name.bias` if it has them.

    The gain is the weight, or if `centred` the weight plus 1, and then `name` is the scope of both steps. `upcast` says
    which part of an RMSNorm is computed in float32; if it is `all`, so is the gain. `weight_wide` casts the weight to
    float32 first, `stored_wide` stores it so. `power` is the operator's.
    """
    width = x.spec.shape[-1:]
    gains = [b.parameter(f"{name}.weight", width, "float32" if stored_wide else None)] if weight else []
    wide = weight_wide or (upcast == "all" and centred)
    if wide and b.dtype != "float32":
        gains = [b.apply("cast", gain, name=f"{name}.wide", dtype="float32") for gain in gains]
    if centred:
        gains = [b.apply("shift", gain, name=f"{name}.gain") for gain in gains]
    biases = [b.parameter(f"{name}.bias", width)] if bias else []
    node = f"{name}.normed" if centred or weight_wide else name
    options = {**({"upcast": upcast} if upcast else {}), **({"power": True} if power else {})}
    return b.apply(kind, x, *gains, *biases, name=node, **options)


def activation(b: Builder, operators: str, x: Value, name: str = "act") -> Value:
    """Applies an activation of one operator, or of several separated by spaces, the first applied first."""
    for count, operator in enumerate(operators.split()):
        x = b.apply(operator, x, name=name if count == 0 else f"{name}_{operator}")
    return x


def split_heads(b: Builder, x: Value, heads: Dim, width: Dim, label: str) -> Value:
    """Returns x (batch, seq, heads * width) as (batch, heads, seq, width): two views."""
    batch, seq = x.spec.shape[:2]
    heads_last = b.apply("reshape", x, name=f"{label}_heads", shape=(batch, seq, heads, width))
    return b.apply("transpose", heads_last, name=f"{label}_transposed", dims=(1, 2))


def with_cache(b: Builder, new: Value, label: str, workload: Workload, window: Dim | None = None) -> Value:
    """Returns the keys or values that attention sees: `new`, and in decoding the cached ones before it.

    `new` is (batch, heads, tokens, width), with the heads of keys and values, or (batch, tokens, width). With a cache
    the result is a copy, as in the transformers library's DynamicCache. The cache's new content leaves the graph: all
    tokens, or the last `window` of them. A decoding step finds the last `window` of its `cache_len` earlier tokens in
    the cache. It sees those in the new token's window, which includes the new token itself. In a prefill, attention
    sees all tokens, and the window is in its mask. Layers with and without a window are separate blocks, each with its
    own cache. In a `kv_dtype` of its own, keys and values are cast when they enter the cache, and attention reads them
    there.
    """
    if workload.phase not in ("prefill", "decode"):
        return new
    *lead, _, width = new.spec.shape
    if workload.kv_dtype not in (None, new.spec.dtype):
        new = b.apply("cast", new, name=f"{label}_as_cached", dtype=workload.kv_dtype)
    parts: tuple[Value, ...] = (new,)
    if workload.phase == "decode":
        assert workload.cache_len is not None
        held = workload.cache_len if window is None else minimum(workload.cache_len, window)
        cache = b.apply("kv_cache", name=f"{label}_cache", shape=(*lead, held, width), dtype=new.spec.dtype)
        if window is not None:
            seen = minimum(held, window - 1)
            if not same(seen, held):  # the oldest token is outside the new one's window; else a view of all
                name = f"{label}_cache_seen"
                cache = b.apply("slice", cache, name=name, dim=-2, start=held - seen, length=seen)
        parts = (cache, new)
    known = b.apply("concat", *parts, name=f"{label}_cached", dim=-2)
    kept = b.apply("kv_keep", known, name=f"{label}_kept", **({} if window is None else {"window": window}))
    b.emit(kept)
    return known


def as_computed(b: Builder, known: Value, label: str) -> Value:
    """Returns what was cached in the dtype of the computation: itself, or a copy."""
    return known if known.spec.dtype == b.dtype else b.apply("cast", known, name=f"{label}_as_computed", dtype=b.dtype)


def merge_heads(b: Builder, x: Value) -> Value:
    """Returns x (batch, heads, seq, width) as (batch, seq, heads * width): a view, and a copy if the layout needs
    one."""
    batch, heads, seq, width = x.spec.shape
    together = b.apply("transpose", x, name="merge_transposed", dims=(1, 2))
    return b.apply("reshape", together, name="merge_heads", shape=(batch, seq, heads * width))


def weighted_sum(b: Builder, states: Sequence[Value]) -> Value:
    """Returns the sum of streams (batch, seq, width) of all layers, each times a learned weight, `layer_weights`."""
    batch, seq, width = states[0].spec.shape
    count = len(states)
    parts = [
        b.apply("reshape", x, name=f"state_{index}", shape=(batch, 1, seq, width)) for index, x in enumerate(states)
    ]
    x = b.apply("concat", *parts, name="states", dim=1)
    weights = b.apply("softmax", b.parameter("layer_weights", (count,)), name="norm_weights")
    weights = b.apply("reshape", weights, name="weights_of_layers", shape=(count, 1, 1))
    return b.apply("sum", b.apply("mul", x, weights, name="weighted_states"), name="weighted_sum", dim=1)


def scaled(b: Builder, name: str, x: Value) -> Value:
    """Returns x times a parameter of its width (layer scale)."""
    y: Value = b.apply("mul", b.parameter(name, x.spec.shape[-1:]), x, name=f"{name}_scaled")
    return y


def dropped(b: Builder, name: str, x: Value, p: float, workload: Workload) -> Value:
    """Applies torch.nn.Dropout. Returns x itself outside training or if p is 0, as torch does."""
    return b.apply("dropout", x, name=name, p=p) if p and workload.phase == "train" else x


def drop_path(b: Builder, name: str, x: Value, p: float, workload: Workload) -> Value:
    """Applies stochastic depth (Huang et al., 2016, arXiv:1603.09382): in training, a branch is dropped whole for a
    share `p` of the batch, and scaled up for the rest. Returns x itself outside training or if p is 0."""
    if not p or workload.phase != "train":
        return x
    shape = (x.spec.shape[0], *(1 for _ in x.spec.shape[1:]))
    kept = b.apply("random", name=f"{name}_random", shape=shape, dtype=x.spec.dtype)
    kept = b.apply("floor", b.apply("shift", kept, name=f"{name}_shifted"), name=f"{name}_kept")
    return b.apply("mul", b.apply("scale", x, name=f"{name}_scaled"), kept, name=name)


def resident(b: Builder, name: str, *parameters: Parameter, lookup: bool = False) -> None:
    """Adds parameters that are in memory but unused in this phase: the first under `name`, the others under `name` and
    a word. `lookup` says that they are tables."""
    for index, parameter in enumerate(parameters):
        word = f"_{parameter.name.rpartition('.')[2]}" if index else ""
        b.apply("resident", parameter, name=f"{name}{word}", **({"lookup": True} if lookup else {}))


def for_logits(b: Builder, x: Value, workload: Workload) -> Value:
    """Returns the part of x (batch, seq, width) that the head reads: all positions, or the last of each sequence, a
    view."""
    seq = x.spec.shape[1]
    if workload.logits == "all" or equal(seq, 1):
        return x
    return b.apply("slice", x, name="last_position", dim=1, start=seq - 1, length=1)
