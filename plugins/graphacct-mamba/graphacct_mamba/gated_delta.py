"""The module around the gated delta rule: projections, a short convolution, decays, a gated norm.

Yang et al., "Gated Delta Networks: Improving Mamba2 with Delta Rule", 2024 (arXiv:2412.06464).
"""

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, frozen, has_value
from graphacct_mamba.convolution import causal_convolution
from graphacct_mamba.delta_heads import CHUNK, delta_rule, in_heads
from graphacct_mamba.mixer import decay_rates

JOINT, APART, EACH = "joint", "apart", "each"


@frozen
class GatedDelta:
    """One module.

    Attributes:
        key_heads, key_width: Heads of queries and keys, and their width.
        value_heads, value_width: Heads of values, a multiple of the former, and their width.
        taps: Positions that the convolution sees at once.
        activation: The operator of the convolution's activation.
        form: Which projections there are: `joint`, two, each head's parts side by side; `apart`, one for queries, keys
            and values and three more; or `each`, one for each of them.
        doubled: Whether beta is doubled, so that a state may change its sign.
    """

    key_heads: Dim
    key_width: Dim
    value_heads: Dim
    value_width: Dim
    taps: Dim
    activation: str
    form: str = APART
    doubled: bool = False


def gated_delta(g: GatedDelta, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the module's output for x (batch, seq, width)."""
    batch, seq, width = x.spec.shape
    keys, values = g.key_heads * g.key_width, g.value_heads * g.value_width
    mixed, gate, beta, step = FORMS[g.form](g, b, x)
    mixed = b.apply("transpose", mixed, name="channels", dims=(1, 2))
    mixed = causal_convolution(b, mixed, g.taps, g.activation, workload, bias=False)
    mixed = b.apply("transpose", mixed, name="rows", dims=(1, 2))
    q, k, v = b.apply("split", mixed, name="q_k_v", sizes=(keys, keys, values))
    q = in_heads(b, q, g.key_heads, g.key_width, "q")
    k = in_heads(b, k, g.key_heads, g.key_width, "k")
    v = in_heads(b, v, g.value_heads, g.value_width, "v")
    beta = b.apply("sigmoid", beta, name="beta")
    if g.doubled:
        beta = b.apply("scale", beta, name="beta_doubled")
    decay = decays(b, step, g.value_heads)
    y = delta_rule(b, q, k, v, decay, beta, workload)
    norm, out = ("o_norm", "o_proj") if g.form == EACH else ("norm", "out_proj")
    y = gated_norm(b, norm, y, b.apply("reshape", gate, name="gate_heads", shape=y.spec.shape))
    y = b.apply("reshape", y, name="heads_joined", shape=(batch, seq, values))
    return linear(b, out, y, width, bias=False)


def apart(g: GatedDelta, b: Builder, x: Value) -> tuple[Value, Value, Value, Value]:
    """Returns queries, keys and values side by side, the gate, beta and the time steps, from four projections."""
    keys, values = g.key_heads * g.key_width, g.value_heads * g.value_width
    mixed = linear(b, "in_proj_qkv", x, 2 * keys + values, bias=False)
    gate = linear(b, "in_proj_z", x, values, bias=False)
    beta = linear(b, "in_proj_b", x, g.value_heads, bias=False)
    return mixed, gate, beta, linear(b, "in_proj_a", x, g.value_heads, bias=False)


def each(g: GatedDelta, b: Builder, x: Value) -> tuple[Value, Value, Value, Value]:
    """Returns the same from a projection for each."""
    keys, values = g.key_heads * g.key_width, g.value_heads * g.value_width
    sizes = {"q_proj": keys, "k_proj": keys, "v_proj": values}
    parts = [linear(b, name, x, width, bias=False) for name, width in sizes.items()]
    mixed = b.apply("concat", *parts, name="qkv", dim=-1)
    beta = linear(b, "b_proj", x, g.value_heads, bias=False)
    step = linear(b, "a_proj", x, g.value_heads, bias=False)
    return mixed, linear(b, "g_proj", x, values, bias=False), beta, step


def joint(g: GatedDelta, b: Builder, x: Value) -> tuple[Value, Value, Value, Value]:
    """Returns the same from two projections, in which the parts of each head of keys stand side by side."""
    batch, seq = x.spec.shape[:2]
    shared = exact_div(g.value_heads, g.key_heads, "linear_num_value_heads / linear_num_key_heads")
    sizes = (g.key_width, g.key_width, shared * g.value_width, shared * g.value_width)
    both = linear(b, "in_proj_qkvz", x, g.key_heads * sum(sizes), bias=False)
    rates = linear(b, "in_proj_ba", x, 2 * g.value_heads, bias=False)
    both = b.apply("reshape", both, name="by_head", shape=(batch, seq, g.key_heads, sum(sizes)))
    rates = b.apply("reshape", rates, name="rates_by_head", shape=(batch, seq, g.key_heads, 2 * shared))
    q, k, v, gate = b.apply("split", both, name="q_k_v_z", sizes=sizes)
    beta, step = b.apply("split", rates, name="b_a", sizes=(shared, shared))
    heads = (batch, seq, g.value_heads, g.value_width)
    v = b.apply("reshape", v, name="v_heads_apart", shape=heads)
    gate = b.apply("reshape", gate, name="z_heads", shape=heads)
    beta, step = (
        b.apply("reshape", part, name=label, shape=(batch, seq, g.value_heads))
        for part, label in ((beta, "b"), (step, "a"))
    )
    flat = [
        b.apply("reshape", part, name=f"{label}_flat", shape=(batch, seq, count))
        for part, label, count in (
            (q, "q", g.key_heads * g.key_width),
            (k, "k", g.key_heads * g.key_width),
            (v, "v", g.value_heads * g.value_width),
        )
    ]
    return b.apply("concat", *flat, name="qkv", dim=-1), gate, beta, step


def decays(b: Builder, step: Value, heads: Dim) -> Value:
    """Returns the logarithm of each head's decay at each position, in float32."""
    rates = decay_rates(b, (heads,))
    if b.dtype != "float32":
        step = b.apply("cast", step, name="a_wide", dtype="float32")
    step = b.apply("add", step, b.parameter("dt_bias", (heads,)), name="a_shifted")
    return b.apply("mul", rates, b.apply("softplus", step, name="dt"), name="decay")


def gated_norm(b: Builder, name: str, y: Value, gate: Value) -> Value:
    """Returns y normalized per head, times a gain, times silu(gate), which is in float32."""
    with b.scope(name):
        weight = b.parameter("weight", y.spec.shape[-1:])
        y = b.apply("rms_norm", y, weight, name="normed", upcast="norm")
        if gate.spec.dtype != "float32":
            gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
        y = b.apply("mul", y, b.apply("silu", gate, name="gate"), name="gated")
        return y if b.dtype == "float32" else b.apply("cast", y, name="narrow", dtype=b.dtype)


FORMS = {JOINT: joint, APART: apart, EACH: each}


def of_whole_chunks(g: GatedDelta, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: in float32, whole chunks and without shared heads, its
    products copy queries and keys."""
    seq = workload.seq_len
    if dtype == "float32" and has_value(seq) and seq % CHUNK == 0 and equal(g.key_heads, g.value_heads):
        return (f"saved tensors of the delta rule lack the library's copies where seq_len is a multiple of {CHUNK}",)
    return ()
