"""A short gated convolution, which stands in attention's place in LFM2.

Liquid AI, "LFM2 Technical Report", 2025 (arXiv:2511.23404).
"""

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_mamba.convolution import causal_convolution, centred_convolution


@frozen
class ShortConvolution:
    """One module.

    Attributes:
        taps: Positions that the convolution sees at once.
        bias: Whether the convolution and both projections have biases.
        both_ways: Whether it sees as many positions after its own as before it.
    """

    taps: Dim
    bias: bool = False
    both_ways: bool = False


def short_convolution(s: ShortConvolution, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the module's output for x (batch, seq, width): one gate before the convolution, another after it."""
    width = x.spec.shape[-1]
    both = linear(b, "in_proj", x, 3 * width, bias=s.bias)
    both = b.apply("transpose", both, name="channels", dims=(-1, -2))
    into, out_of, u = b.apply("split", both, name="B_C_x", parts=3, dim=-2)
    u = b.apply("mul", into, u, name="gated_in")
    convolution = centred_convolution if s.both_ways else causal_convolution
    u = convolution(b, u, s.taps, "", workload, bias=s.bias, name="conv")
    y = b.apply("mul", out_of, u, name="gated_out")
    y = b.apply("contiguous", b.apply("transpose", y, name="rows", dims=(-1, -2)), name="rows_copied")
    return linear(b, "out_proj", y, width, bias=s.bias)
