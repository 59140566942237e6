"""The module around Kimi delta attention: projections, a short convolution, a gate that forgets, a gated norm.

Kimi Team, 2025 (arXiv:2510.26692); names and order as in the transformers library's `kimi_linear` and `bailing_hybrid`.
"""

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Parameter, Value, Workload, ceil_div, equal, frozen
from graphacct_mamba.convolution import causal_convolution
from graphacct_mamba.delta_heads import CHUNK, in_heads, padded
from graphacct_mamba.state import keep


@frozen
class Kda:
    """One module.

    Attributes:
        heads, width: Heads of queries, keys and values alike, and their width.
        taps: Positions that the convolution sees at once.
        activation: The operator of the convolution's activation.
        narrow: Whether the gates' projections go through the width of one head.
        bounded: Whether the logarithm of the decay is a sigmoid times a constant; otherwise it is a softplus.
        wide: Whether the convolution, the rates and their shifts are stored in float32.
    """

    heads: Dim
    width: Dim
    taps: Dim
    activation: str
    narrow: bool = True
    bounded: bool = False
    wide: bool = False


def kda(g: Kda, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the module's output for x (batch, seq, width)."""
    batch, seq, width = x.spec.shape
    inner = g.heads * g.width
    parts = [linear(b, f"{label}_proj", x, inner, bias=False) for label in "qkv"]
    mixed = b.apply("concat", *parts, name="qkv", dim=-1)
    mixed = b.apply("transpose", mixed, name="channels", dims=(1, 2))
    mixed = convolved(g, workload, b, mixed)
    mixed = b.apply("transpose", mixed, name="rows", dims=(1, 2))
    q, k, v = b.apply("split", mixed, name="q_k_v", parts=3)
    q, k, v = (in_heads(b, part, g.heads, g.width, label) for part, label in ((q, "q"), (k, "k"), (v, "v")))
    decay = forgetting(g, b, x)
    beta = b.apply("sigmoid", linear(b, "b_proj", x, g.heads, bias=False), name="beta")
    y = by_the_rule(b, q, k, v, decay, beta, workload)
    gate = through(g, b, x, "g")
    y = gated(b, y, b.apply("reshape", gate, name="gate_heads", shape=y.spec.shape))
    y = b.apply("reshape", y, name="heads_joined", shape=(batch, seq, inner))
    return linear(b, "o_proj", y, width, bias=False)


def convolved(g: Kda, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the convolution's output, computed in float32 if its weight is."""
    if not g.wide or b.dtype == "float32":
        return causal_convolution(b, x, g.taps, g.activation, workload, bias=False)
    x = b.apply("cast", x, name="conv_in_wide", dtype="float32")
    y = causal_convolution(b, x, g.taps, g.activation, workload, bias=False, dtype="float32")
    return b.apply("cast", y, name="conv_out_narrowed", dtype=b.dtype)


def through(g: Kda, b: Builder, x: Value, label: str) -> Value:
    """Returns a gate's projection, of two steps if it is `narrow`."""
    inner = g.heads * g.width
    if not g.narrow:
        return linear(b, f"{label}_proj", x, inner, bias=False)
    return linear(b, f"{label}_b_proj", linear(b, f"{label}_a_proj", x, g.width, bias=False), inner, bias=False)


def forgetting(g: Kda, b: Builder, x: Value) -> Value:
    """Returns the logarithm of the decay of each element of a key at each position, (batch, seq, heads, width)."""
    batch, seq = x.spec.shape[:2]
    inner, stored = g.heads * g.width, "float32" if g.wide else None
    with b.scope("forget_gate"):
        step = widened(b, through(g, b, x, "f"), "step")
        shift = widened(b, b.parameter("dt_bias", (inner,), stored), "dt_bias")
        step = b.apply("add", step, shift, name="shifted")
        step = b.apply("reshape", step, name="by_head", shape=(batch, seq, g.heads, g.width))
        shape = (g.heads,) if g.wide else (1, 1, g.heads, 1)
        rates = b.apply("exp", widened(b, b.parameter("A_log", shape, stored), "A_log"), name="rates")
        if g.wide:
            rates = b.apply("reshape", rates, name="rates_by_head", shape=(1, 1, g.heads, 1))
        if g.bounded:
            gate = b.apply("sigmoid", b.apply("mul", rates, step, name="rated"), name="gate")
            decay = b.apply("scale", gate, name="decay")
        else:
            decay = b.apply("mul", b.apply("neg", rates, name="negative"), softplus(g, b, step), name="decay")
        if g.wide and b.dtype != "float32":
            decay = b.apply("cast", decay, name="decay_narrowed", dtype=b.dtype)
    return decay


def softplus(g: Kda, b: Builder, x: Value) -> Value:
    """Returns log(1 + exp(x)): torch's, or written out with x itself where it is large."""
    if g.wide:
        return b.apply("softplus", x, name="softplus")
    large = b.apply("full", name="limit", shape=(1,), dtype="float32")
    above = b.apply("gt", x, large, name="large")
    one_more = b.apply("shift", b.apply("exp", x, name="power"), name="power_and_one")
    return b.apply("where", above, x, b.apply("log", one_more, name="log"), name="softplus")


def widened(b: Builder, x: Value | Parameter, label: str) -> Value | Parameter:
    """Returns x in float32."""
    return x if x.spec.dtype == "float32" else b.apply("cast", x, name=f"{label}_wide", dtype="float32")


def by_the_rule(b: Builder, q: Value, k: Value, v: Value, decay: Value, beta: Value, workload: Workload) -> Value:
    """Returns the rule's output (batch, seq, heads, width); all but beta (batch, seq, heads) are of that shape."""
    batch, _, heads, width = v.spec.shape
    dtype = q.spec.dtype
    parts = ((q, "q"), (k, "k"), (v, "v"), (beta, "beta"), (decay, "decay"))
    q, k, v, beta, decay = (by_head(b, part, label) for part, label in parts)
    q, k = (unit(b, part, label) for part, label in ((q, "q"), (k, "k")))
    if workload.phase == "decode":
        q = b.apply("scale", q, name="q_scaled")
        shape = (batch, heads, k.spec.shape[-1], width)
        state = b.apply("recurrent_state", name="delta_state", shape=shape, dtype="float32")
        y, last = b.apply("kda_step", q, k, v, decay, beta, state, name="delta")
    else:
        y, last = in_chunks(b, q, k, v, decay, beta)
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "delta")
    y = b.apply("transpose", y, name="by_position", dims=(1, 2))
    y = b.apply("contiguous", y, name="delta_out")
    return y if dtype == "float32" else b.apply("cast", y, name="delta_narrowed", dtype=dtype)


def by_head(b: Builder, x: Value, label: str) -> Value:
    """Returns x (batch, seq, heads, …) as (batch, heads, seq, …), a copy, in float32."""
    x = b.apply("transpose", x, name=f"{label}_by_head", dims=(1, 2))
    x = b.apply("contiguous", x, name=f"{label}_copied")
    return x if x.spec.dtype == "float32" else b.apply("cast", x, name=f"{label}_wide", dtype="float32")


def unit(b: Builder, x: Value, label: str) -> Value:
    """Returns x with vectors of unit length."""
    total = b.apply("sum", b.apply("mul", x, x, name=f"{label}_squares"), name=f"{label}_total", dim=-1, keepdim=True)
    length = b.apply("sqrt", b.apply("shift", total, name=f"{label}_above_zero"), name=f"{label}_length")
    return b.apply("div", x, length, name=f"{label}_unit")


def in_chunks(b: Builder, q: Value, k: Value, v: Value, decay: Value, beta: Value) -> tuple[Value, Value]:
    """Returns the output (batch, heads, seq, width) and the last state, from chunks of CHUNK positions, the last one
    padded."""
    batch, heads, seq, width = v.spec.shape
    count = ceil_div(seq, CHUNK)
    parts = ((q, "q"), (k, "k"), (v, "v"), (decay, "decay"), (beta, "beta"))
    q, k, v, decay, beta = (padded(b, part, count * CHUNK, label) for part, label in parts)
    q = b.apply("scale", q, name="q_scaled")
    column = b.apply("reshape", beta, name="beta_column", shape=(*beta.spec.shape, 1))
    v = b.apply("mul", v, column, name="v_beta")
    k_beta = b.apply("mul", k, column, name="k_beta")
    chunked = ((q, "q"), (k, "k"), (k_beta, "k_beta"), (v, "v_beta"), (decay, "decay"))
    q, k, k_beta, v, decay = (
        b.apply("reshape", part, name=f"{label}_chunks", shape=(batch, heads, count, CHUNK, *part.spec.shape[3:]))
        for part, label in chunked
    )
    several = 0 if equal(count, 1) else count
    y, last = b.apply("kda_chunks", q, k, k_beta, v, decay, name="delta", several=several, later=count - 1)
    y = b.apply("reshape", y, name="chunks_joined", shape=(batch, heads, count * CHUNK, width))
    if not equal(seq, count * CHUNK):
        y = b.apply("slice", y, name="unpadded", dim=2, start=0, length=seq)
    return y, last


def gated(b: Builder, y: Value, gate: Value) -> Value:
    """Returns y normalized per head, times a gain, times sigmoid(gate), all of it in float32."""
    with b.scope("o_norm"):
        gain = widened(b, b.parameter("weight", y.spec.shape[-1:]), "weight")
        wide = widened(b, y, "y")
        y = b.apply("rms_norm", wide, gain, name="normed")
        gate = b.apply("sigmoid", widened(b, gate, "gate"), name="gate")
        y = b.apply("mul", y, gate, name="gated")
        return y if b.dtype == "float32" else b.apply("cast", y, name="narrow", dtype=b.dtype)
