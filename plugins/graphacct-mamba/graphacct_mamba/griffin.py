"""Griffin's recurrent block: a causal convolution and a gated linear recurrence in one branch, a gate in the other.

De et al., 2024 (arXiv:2402.19427); names and order as in the transformers library's RecurrentGemmaRecurrentBlock.
"""

from __future__ import annotations

from graphacct_architectures.layers import activation, linear

from graphacct import Builder, Dim, Value, Workload, exact_div, frozen
from graphacct_mamba.state import keep


@frozen
class Griffin:
    """One block.

    Attributes:
        width: Channels of the recurrence.
        blocks: In how many blocks the gates' weights are.
        taps: Positions that the convolution sees at once.
        activation: The operator of the gate's activation.
    """

    width: Dim
    blocks: Dim
    taps: Dim
    activation: str


def griffin(g: Griffin, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the block's output for x (batch, seq, width of the stream)."""
    width = x.spec.shape[-1]
    gate = activation(b, g.activation, linear(b, "linear_y", x, g.width))
    b.hold(gate)
    y = b.apply("transpose", linear(b, "linear_x", x, g.width), name="channels", dims=(1, 2))
    y = convolved(g, workload, b, y)
    y = b.apply("transpose", y, name="rows", dims=(1, 2))
    with b.scope("rg_lru"):
        y = recurred(g, workload, b, y)
    return linear(b, "linear_out", b.apply("mul", y, gate, name="gated"), width)


def convolved(g: Griffin, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the convolution of x (batch, channels, seq). A decoding step writes it out as products and a sum."""
    batch, channels, seq = x.spec.shape
    weight = b.parameter("conv_1d.weight", (channels, 1, g.taps))
    bias = b.parameter("conv_1d.bias", (channels,))
    if workload.phase == "decode":
        shape = (batch, channels, g.taps - 1)
        last = b.apply("recurrent_state", name="conv_state", shape=shape, dtype=x.spec.dtype)
        window = b.apply("concat", last, x, name="conv_window", dim=-1)
        keep(b, b.apply("slice", window, name="conv_kept", dim=-1, start=1, length=g.taps - 1), "conv")
        weight_of_each = b.apply("reshape", weight, name="conv_weight", shape=(1, channels, g.taps))
        y = b.apply("sum", b.apply("mul", window, weight_of_each, name="conv_products"), name="conv_sum", dim=-1)
        y = b.apply("add", y, bias, name="conv_out")
        found: Value = b.apply("reshape", y, name="conv_1d", shape=(batch, channels, 1))
        return found
    if workload.phase == "prefill":
        last = b.apply("pad", x, name="conv_last", padding=((0, 0), (0, 0), (g.taps - 1, 0)))
        length = last.spec.shape[-1]
        keep(b, b.apply("slice", last, name="conv_kept", dim=-1, start=length - g.taps + 1, length=g.taps - 1), "conv")
    y = b.apply("convolution", x, weight, bias, name="conv_1d", groups=channels, padding=g.taps - 1)
    cut: Value = b.apply("slice", y, name="conv_out", dim=-1, start=0, length=seq)
    return cut


def recurred(g: Griffin, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the recurrence over x (batch, seq, channels): its input and its decay are gated by x, block by block.

    The first position of a text starts from nothing; the library's masks for it are of positions.
    """
    batch, seq, width = x.spec.shape
    own = exact_div(width, g.blocks, "lru_width / num_attention_heads")
    rows = b.apply("reshape", x, name="blocks", shape=(batch * seq, g.blocks, own))
    rows = b.apply("permute", rows, name="blocks_first", dims=(1, 0, 2))
    starts = b.apply("constant", name="starts", shape=(1, seq, 1), dtype="bool")
    shapes = (g.blocks, own, own), (g.blocks, own)
    rates = b.parameter("recurrent_param", (width,))
    gates = []
    for label in ("input", "recurrent"):
        weight, bias = (
            b.parameter(f"{label}_gate_{part}", shape) for part, shape in zip(("weight", "bias"), shapes, strict=True)
        )
        apart = b.apply("reshape", bias, name=f"{label}_gate_bias_apart", shape=(g.blocks, 1, own))
        y = b.apply("matmul", rows, weight, name=f"{label}_gate_product")
        y = b.apply("add", y, apart, name=f"{label}_gate_sum")
        y = b.apply("transpose", y, name=f"{label}_gate_rows", dims=(0, 1))
        y = b.apply("reshape", y, name=f"{label}_gate_flat", shape=(batch, seq, width))
        gates.append(b.apply("sigmoid", y, name=f"{label}_gate"))
    taken, forgotten = gates
    log = b.apply("scale", forgotten, name="gate_scaled")
    log = b.apply("mul", log, b.apply("softplus", rates, name="softplus"), name="log_decay")
    decay = b.apply("exp", log, name="decay")
    square = b.apply("exp", b.apply("scale", log, name="log_square"), name="decay_square")
    y = b.apply("mul", x, taken, name="gated_in")
    size = b.apply("sqrt", b.apply("shift", square, name="one_less_square"), name="size")
    later = b.apply("logical_not", starts, name="later")
    size = b.apply("mul", later, size, name="size_later")
    size = b.apply("add", starts, size, name="size_from_start")
    y = b.apply("mul", y, size, name="sized")
    decay = b.apply("mul", decay, b.apply("logical_not", starts, name="later_places"), name="decay_later")
    given: tuple[Value, ...] = ()
    if workload.phase == "decode":
        given = (b.apply("recurrent_state", name="lru_state", shape=(batch, width), dtype="float32"),)
    y, last = b.apply("linear_recurrence", y, decay, *given, name="scan")
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "lru")
    found: Value = y
    return found
