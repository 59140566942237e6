"""How torch's libraries write quantised weights out before a product.

bitsandbytes (0.50, autograd/_functions.py, MatMul4Bit; backends/default/ops.py, _gemm_4bit_default_impl) writes a 4-bit
matrix out in the dtype of the product, multiplies and drops the copy. For the gradient it writes the matrix out again.
With double quantisation the magnitudes of the blocks are written out in float32 first.
"""

from typing import Any

from graphacct import Expansion, StoredWeight, Tensor, TensorSpec, Work, ceil_div, operator

NESTED = "state2.absmax"
"""The tensor that a format with double quantisation stores."""


def _magnitudes(weight: TensorSpec, *, block: Any) -> TensorSpec:
    return TensorSpec((ceil_div(weight.elements, block),), "float32")


@operator("weight: *shape -> *blocks", infer=_magnitudes)
def dequantize_blockwise() -> Work:
    """The magnitude of each block of elements, in float32."""
    return Work()


@operator("weight: ..., magnitudes?: blocks -> ...", infer=lambda weight: weight)
def dequantize_4bit() -> Work:
    """The matrix in the dtype of the product."""
    return Work()


@operator("weight: rows ... -> rows", infer=lambda weight, rows: TensorSpec((rows,), "float32"))
def scaled_statistics() -> Work:
    """The scale of each row, in float32."""
    return Work()


KERNELS = {rule.name: rule for rule in (dequantize_blockwise, dequantize_4bit, scaled_statistics)}


def write_out(trace: Expansion, weight: Tensor, stored: StoredWeight, backward: bool) -> Tensor:
    """The copy of a matrix. LLM.int8 needs it for the gradient alone (MatMul8bitLt)."""
    if not stored.format.keeps_input:
        return four_bit(trace, weight, stored, backward)
    return eight_bit(trace, weight) if backward else weight


def write_out_on_cpu(trace: Expansion, weight: Tensor, stored: StoredWeight, backward: bool) -> Tensor:
    """The copy of a matrix, LLM.int8's in the forward pass too (MatMul8bitFp)."""
    return eight_bit(trace, weight) if stored.format.keeps_input else four_bit(trace, weight, stored, backward)


def eight_bit(trace: Expansion, weight: Tensor) -> Tensor:
    """The copy of an int8 matrix, which is multiplied in place by its rows' scales."""
    copy = trace.apply("clone", weight)
    trace.apply("scaled_statistics", weight)
    return copy


def four_bit(trace: Expansion, weight: Tensor, stored: StoredWeight, backward: bool) -> Tensor:
    """The copy of a 4-bit matrix. In the forward pass the offset is added to the magnitudes out of place, and they stay
    until the product is done; in the backward pass in place, and they go when the matrix is written out."""
    tensors = {tensor.name: tensor for tensor in stored.format.tensors}
    if NESTED not in tensors:
        return trace.apply("dequantize_4bit", weight)
    magnitudes = trace.apply("dequantize_blockwise", weight, block=tensors["absmax"].columns)
    if not backward:
        magnitudes = trace.apply("shift", magnitudes)
        trace.hold(magnitudes)
    return trace.apply("dequantize_4bit", weight, magnitudes)
