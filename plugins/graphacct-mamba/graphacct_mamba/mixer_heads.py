"""Mamba's mixer in independent heads, each with projections of its own to time steps, B and C (Zamba).

Glorioso et al., 2024 (arXiv:2405.16712).
"""

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_mamba.convolution import causal_convolution
from graphacct_mamba.mixer import decay_rates
from graphacct_mamba.state import keep


@frozen
class MixerHeads:
    """One mixer.

    Attributes:
        heads, width: Its heads, and the channels of each.
        state: Numbers in the state of a channel.
        rank: Width of the projection from which the time steps are computed.
        taps: Positions that the convolution sees at once.
        activation: The operator of the convolution's activation.
        bias, conv_bias: Whether the outer projections and the convolution have biases.
    """

    heads: int
    width: Dim
    state: Dim
    rank: Dim
    taps: Dim
    activation: str
    bias: bool = False
    conv_bias: bool = True


def mixer_heads(m: MixerHeads, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the mixer's output for x (batch, seq, width); the builder is in its scope."""
    batch, seq, width = x.spec.shape
    inner = m.heads * m.width
    both = linear(b, "in_proj", x, 2 * inner, bias=m.bias)
    both = b.apply("transpose", both, name="channels", dims=(1, 2))
    both = b.apply("reshape", both, name="pairs", shape=(batch, inner, 2, seq))
    u, gate = (
        b.apply("reshape", part, name=f"{label}_channels", shape=(batch, inner, seq))
        for part, label in zip(b.apply("split", both, name="u_and_gate", parts=2, dim=2), ("u", "gate"), strict=True)
    )
    u = b.apply("contiguous", u, name="u_contiguous")
    u = causal_convolution(b, u, m.taps, m.activation, workload, bias=m.conv_bias)
    u, gate = (by_head(m, b, part, label) for part, label in ((u, "u"), (gate, "gate")))
    joint = projected(m, b, "x_proj_weight", u, m.rank + 2 * m.state, m.width)
    joint = b.apply("transpose", joint, name="joint_rows", dims=(-1, -2))
    step, into, out_of = b.apply("split", joint, name="step_B_C", sizes=(m.rank, m.state, m.state))
    step = b.apply("transpose", step, name="step_columns", dims=(-1, -2))
    step = projected(m, b, "dt_proj_weight", step, m.width, m.rank)
    bias = b.parameter("dt_proj_bias", (m.heads, m.width))
    bias = b.apply("reshape", bias, name="time_step_bias", shape=(m.heads, 1, m.width, 1))
    step = b.apply("softplus", b.apply("add", step, bias, name="time_step_shifted"), name="dt")
    rates = decay_rates(b, (m.heads, m.width, m.state))
    outputs = []
    for head in range(m.heads):
        parts = (("x", u), ("dt", step), ("A", rates), ("B", into), ("C", out_of))
        outputs.append(scanned(m, head, workload, b, *(of_head(b, head, part, label) for label, part in parts)))
    y = b.apply("concat", *outputs, name="scans", dim=1) if m.heads > 1 else outputs[0]
    skip = b.apply("reshape", b.parameter("D", (m.heads, m.width)), name="D_column", shape=(inner, 1))
    u, gate = (merged(m, b, part, label) for part, label in ((u, "u"), (gate, "gate")))
    y = b.apply("add", y, b.apply("mul", u, skip, name="skip"), name="with_skip")
    y = b.apply("mul", y, b.apply("silu", gate, name="gate_act"), name="gated")
    return linear(b, "out_proj", b.apply("transpose", y, name="out", dims=(1, 2)), width, bias=m.bias)


def by_head(m: MixerHeads, b: Builder, x: Value, label: str) -> Value:
    """Returns channels (batch, heads · width, seq) as (heads, batch, width, seq)."""
    batch, _, seq = x.spec.shape
    x = b.apply("reshape", x, name=f"{label}_heads", shape=(batch, m.heads, m.width, seq))
    return b.apply("transpose", x, name=f"{label}_by_head", dims=(0, 1))


def merged(m: MixerHeads, b: Builder, x: Value, label: str) -> Value:
    """Returns heads (heads, batch, width, seq) as channels (batch, heads · width, seq)."""
    _, batch, _, seq = x.spec.shape
    x = b.apply("transpose", x, name=f"{label}_by_text", dims=(0, 1))
    return b.apply("reshape", x, name=f"{label}_merged", shape=(batch, m.heads * m.width, seq))


def projected(m: MixerHeads, b: Builder, name: str, x: Value, rows: Dim, columns: Dim) -> Value:
    """Returns each head's x (heads, batch, columns, seq) projected by a weight of its own."""
    weight = b.parameter(name, (m.heads, rows, columns))
    weight = b.apply("reshape", weight, name=f"{name}_each", shape=(m.heads, 1, rows, columns))
    if not equal(x.spec.shape[1], 1):
        weight = b.apply("expand", weight, name=f"{name}_of_texts", shape=(m.heads, x.spec.shape[1], rows, columns))
    return b.apply("matmul", weight, x, name=f"{name}_product")


def of_head(b: Builder, head: int, x: Value, label: str) -> Value:
    """Returns one head of x (heads, ...)."""
    one = b.apply("slice", x, name=f"{label}_{head}_slice", dim=0, start=head, length=1)
    return b.apply("reshape", one, name=f"{label}_{head}", shape=x.spec.shape[1:])


def scanned(m: MixerHeads, head: int, workload: Workload, b: Builder, *parts: Value) -> Value:
    """Returns one head's scan. With a cache, it starts from the cached state and leaves its last state there."""
    state: tuple[Value, ...] = ()
    if workload.phase == "decode":
        shape = (parts[0].spec.shape[0], m.width, m.state)
        state = (b.apply("recurrent_state", name=f"ssm_state_{head}", shape=shape, dtype="float32"),)
    y, last = b.apply("selective_scan", *parts, *state, name=f"scan_{head}")
    if workload.phase in ("prefill", "decode"):
        keep(b, last, f"ssm_{head}")
    return y
