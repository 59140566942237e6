"""The mixer of Mamba and Jamba: a gate around a convolution and a selective scan.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023 (arXiv:2312.00752).
"""

from graphacct_architectures.layers import linear, norm

from graphacct import Builder, Dim, Parameter, Value, Workload, frozen
from graphacct_mamba.convolution import causal_convolution
from graphacct_mamba.state import keep


@frozen
class Mixer:
    """One mixer.

    Attributes:
        inner: Channels of the scan.
        state: Numbers in the state of a channel.
        rank: Width of the projection from which the time steps are computed.
        taps: Positions that the convolution sees at once.
        activation: The operator of the convolution's activation.
        bias: Whether the outer projections have biases.
        conv_bias: Whether the convolution has one.
        normed: Whether time steps, B and C are normalized, as in Jamba.
        gains: Whether those norms have gains; Falcon Mamba's have none, and run in float32.
    """

    inner: Dim
    state: Dim
    rank: Dim
    taps: Dim
    activation: str
    bias: bool = False
    conv_bias: bool = True
    normed: bool = False
    gains: bool = True


def mixer(m: Mixer, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the mixer's output for x (batch, seq, width); the builder is in its scope."""
    width = x.spec.shape[-1]
    both = linear(b, "in_proj", x, 2 * m.inner, bias=m.bias)
    both = b.apply("transpose", both, name="channels", dims=(1, 2))
    rates = decay_rates(b, (m.inner, m.state))
    u, gate = b.apply("split", both, name="u_and_gate", parts=2, dim=1)
    u = causal_convolution(b, u, m.taps, m.activation, workload, bias=m.conv_bias)
    rows = b.apply("transpose", u, name="rows", dims=(1, 2))
    joint = linear(b, "x_proj", rows, m.rank + 2 * m.state, bias=False)
    step, into, out_of = b.apply("split", joint, name="step_B_C", sizes=(m.rank, m.state, m.state))
    if m.normed:
        step = norm(b, "dt_layernorm", step, "rms_norm", weight=m.gains)
        into = norm(b, "b_layernorm", into, "rms_norm", weight=m.gains)
        out_of = norm(b, "c_layernorm", out_of, "rms_norm", weight=m.gains)
    step = b.apply("linear", step, b.parameter("dt_proj.weight", (m.inner, m.rank)), name="time_step")
    step = b.apply("transpose", step, name="time_steps", dims=(1, 2))
    bias = b.apply("reshape", b.parameter("dt_proj.bias", (m.inner,)), name="time_step_bias", shape=(m.inner, 1))
    step = b.apply("softplus", b.apply("add", step, bias, name="time_step_shifted"), name="dt")
    y = scanned(m, workload, b, u, step, rates, into, out_of)
    skip = b.apply("reshape", b.parameter("D", (m.inner,)), name="D_column", shape=(m.inner, 1))
    y = b.apply("add", y, b.apply("mul", u, skip, name="skip"), name="with_skip")
    y = b.apply("mul", y, b.apply("silu", gate, name="gate"), name="gated")
    return linear(b, "out_proj", b.apply("transpose", y, name="out", dims=(1, 2)), width, bias=m.bias)


def scanned(
    m: Mixer, workload: Workload, b: Builder, x: Value, step: Value, rates: Value, into: Value, out_of: Value
) -> Value:
    """Returns the scan's output. With a cache, the scan starts from the cached state and leaves its last state
    there."""
    batch = x.spec.shape[0]
    state: tuple[Value, ...] = ()
    if workload.phase == "decode":
        shape = (batch, m.inner, m.state)
        state = (b.apply("recurrent_state", name="ssm_state", shape=shape, dtype="float32"),)
    y, last = b.apply("selective_scan", x, step, rates, into, out_of, *state, name="scan")
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "ssm")
    return y


def decay_rates(b: Builder, shape: tuple[Dim, ...]) -> Value:
    """Returns -exp(A_log), in float32 like the scan."""
    logs: Value | Parameter = b.parameter("A_log", shape)
    if b.dtype != "float32":
        logs = b.apply("cast", logs, name="A_log_wide", dtype="float32")
    return b.apply("neg", b.apply("exp", logs, name="A_exp"), name="A")
