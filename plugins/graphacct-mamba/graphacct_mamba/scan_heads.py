"""The mixer of Mamba-2 and its hybrids: a gate around a convolution and a scan with one decay for each head.

Dao and Gu, "Transformers are SSMs", 2024 (arXiv:2405.21060).
"""

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Value, Workload, ceil_div, equal, exact_div, frozen
from graphacct_mamba.convolution import causal_convolution
from graphacct_mamba.mixer import decay_rates
from graphacct_mamba.state import keep

AFTER, BEFORE, NOT = "after the gate", "before the gate", "not"
"""When the scan's output is normalized."""


@frozen
class ScanHeads:
    """One mixer.

    Attributes:
        heads: Heads of the scan.
        width: Channels of a head.
        groups: Groups of heads, each with B and C of its own.
        state: Numbers in the state of a channel.
        taps: Positions that the convolution sees at once.
        chunk: Positions of a chunk.
        activation: The operator of the convolution's activation.
        bias, conv_bias, out_bias: Whether the first projection, the convolution and the last projection have biases.
        normed: When the output is normalized.
        multiplied: Whether the input is multiplied by a constant, and the first projection by a vector of constants.
    """

    heads: Dim
    width: Dim
    groups: Dim
    state: Dim
    taps: Dim
    chunk: Dim
    activation: str
    bias: bool = False
    conv_bias: bool = True
    out_bias: bool = False
    normed: str = AFTER
    multiplied: bool = False


def scan_heads(s: ScanHeads, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the mixer's output for x (batch, seq, width); the builder is in its scope."""
    batch, seq, width = x.spec.shape
    inner, heads = s.heads * s.width, s.heads
    if s.multiplied:
        x = b.apply("scale", x, name="in_scaled")
    shared = s.groups * s.state
    sizes = (inner, inner + 2 * shared, heads)
    joint = linear(b, "in_proj", x, sum(sizes), bias=s.bias)
    if s.multiplied:
        factors = b.apply("constant", name="mup_vector", shape=(1, 1, sum(sizes)), dtype=b.dtype)
        joint = b.apply("mul", joint, factors, name="multiplied")
    rates = decay_rates(b, (heads,))
    gate, xbc, step = b.apply("split", joint, name="gate_xBC_dt", sizes=sizes)
    xbc = b.apply("transpose", xbc, name="channels", dims=(1, 2))
    xbc = causal_convolution(b, xbc, s.taps, s.activation, workload, bias=s.conv_bias)
    xbc = b.apply("transpose", xbc, name="rows", dims=(1, 2))
    u, into, out_of = b.apply("split", xbc, name="x_B_C", sizes=(inner, shared, shared))
    groups = (batch, seq, s.groups, s.state)
    into = b.apply("reshape", into, name="B", shape=groups)
    out_of = b.apply("reshape", out_of, name="C", shape=groups)
    u = b.apply("reshape", u, name="x", shape=(batch, seq, heads, s.width))
    step = b.apply(
        "softplus", b.apply("add", step, b.parameter("dt_bias", (heads,)), name="dt_shifted"), name="dt_soft"
    )
    if workload.phase != "decode":
        step = b.apply("clamp", step, name="dt")  # to time_step_limit, which by default is no limit
    y = scanned(s, workload, b, u, step, rates, into, out_of)
    y = b.apply("reshape", y, name="heads", shape=(batch, seq, inner))
    y = gated(s, b, y, gate)
    return linear(b, "out_proj", y, width, bias=s.out_bias)


def scanned(
    s: ScanHeads, workload: Workload, b: Builder, x: Value, step: Value, rates: Value, into: Value, out: Value
) -> Value:
    """Returns the scan's output: in chunks for a sequence, or for one token a single step on the cached state."""
    skip = b.parameter("D", (s.heads,))
    if workload.phase == "decode":
        shape = (x.spec.shape[0], s.heads, s.width, s.state)
        state = b.apply("recurrent_state", name="ssm_state", shape=shape, dtype="float32")
        y, last = b.apply("scan_step", x, step, rates, into, out, skip, state, name="scan")
    else:
        seq = x.spec.shape[1]
        chunks = ceil_div(seq, s.chunk)
        x, step, into, out = (
            chunked(b, part, chunks, s.chunk, label)
            for part, label in ((x, "x"), (step, "dt"), (into, "B"), (out, "C"))
        )
        y, last = b.apply("chunk_scan", x, step, rates, into, out, skip, name="scan", bounds=chunks + 1)
        y = joined(b, y, seq)
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "ssm")
    return y


def chunked(b: Builder, x: Value, chunks: Dim, length: Dim, label: str) -> Value:
    """Returns x (batch, seq, …) as (batch, chunks, length, …), with the last chunk padded."""
    batch, seq, *rest = x.spec.shape
    if not equal(seq, chunks * length):
        padding = ((0, chunks * length - seq), *((0, 0) for _ in rest))
        x = b.apply("pad", x, name=f"{label}_padded", padding=padding)
    return b.apply("reshape", x, name=f"{label}_chunks", shape=(batch, chunks, length, *rest))


def joined(b: Builder, y: Value, seq: Dim) -> Value:
    """Returns the chunks (batch, chunks, length, …) one after the other, without the padding."""
    batch, chunks, length, *rest = y.spec.shape
    y = b.apply("reshape", y, name="joined", shape=(batch, chunks * length, *rest))
    if equal(seq, chunks * length):
        return y
    return b.apply("slice", y, name="unpadded", dim=1, start=0, length=seq)


def gated(s: ScanHeads, b: Builder, x: Value, gate: Value) -> Value:
    """Returns x times silu(gate), normalized before or after or not at all."""
    if s.normed == AFTER:
        return gated_norm(s, b, x, gate)
    if s.normed == BEFORE:
        return norm_then_gate(s, b, x, gate)
    x = b.apply("mul", x, b.apply("silu", gate, name="gate"), name="gated")
    return x if x.spec.dtype == b.dtype else b.apply("cast", x, name="narrow", dtype=b.dtype)


def gated_norm(s: ScanHeads, b: Builder, x: Value, gate: Value) -> Value:
    """Returns x times silu(gate), with each group of channels normalized in float32, times the gain."""
    batch, seq, inner = x.spec.shape
    with b.scope("norm"):
        if gate.spec.dtype != "float32":
            gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
        x = b.apply("mul", x, b.apply("silu", gate, name="gate"), name="gated")
        per_group = exact_div(inner, s.groups, "channels / n_groups")
        x = b.apply("reshape", x, name="groups", shape=(batch, seq, s.groups, per_group))
        x = b.apply("reshape", b.apply("rms_norm", x, name="normed"), name="channels", shape=(batch, seq, inner))
        if b.dtype != "float32":
            x = b.apply("cast", x, name="narrow", dtype=b.dtype)
        return b.apply("mul", b.parameter("weight", (inner,)), x, name="gain")


def norm_then_gate(s: ScanHeads, b: Builder, x: Value, gate: Value) -> Value:
    """Returns each group of channels normalized, times the gain, times silu(gate); all of it in float32."""
    batch, seq, inner = x.spec.shape
    with b.scope("norm"):
        per_group = exact_div(inner, s.groups, "channels / groups")
        x = b.apply("reshape", x, name="groups", shape=(batch, seq, s.groups, per_group))
        x = b.apply("rms_norm", x, name="normed")
        weight = b.apply("reshape", b.parameter("weight", (inner,)), name="gains", shape=(s.groups, per_group))
        x = b.apply("mul", weight, x, name="gain")
        x = b.apply("reshape", x, name="channels", shape=(batch, seq, inner))
        if gate.spec.dtype != "float32":
            gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
        x = b.apply("mul", x, b.apply("silu", gate, name="gate"), name="gated")
        return x if x.spec.dtype == b.dtype else b.apply("cast", x, name="narrow", dtype=b.dtype)
