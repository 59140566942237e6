"""Products: what torch's counter sees, and attention on a CPU, which it does not."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.errors import CaptureError
from graphacct_torch.mapping.mapped import Arguments, Mapped, given


def product(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("matmul", (a["self"], a["mat2"]))


def sum_and_product(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("linear_in_out", (a["mat1"], a["mat2"], a["self"]))


def attention(call: CallRecord, a: Arguments) -> Mapped:
    """The kernel of scaled_dot_product_attention on a CPU; its second result, the logsumexp, stays inside."""
    settings = {"causal": bool(a["is_causal"]), "dropout_p": a["dropout_p"], "scale": a["scale"]}
    return Mapped("scaled_dot_product_attention", given(a["query"], a["key"], a["value"], a["attn_mask"]), settings)


def convolution(call: CallRecord, a: Arguments) -> Mapped:
    settings = {name: tuple(a[name]) for name in ("stride", "padding", "dilation")} | {"groups": a["groups"]}
    operands = given(a["input"], a["weight"], a["bias"])
    if a["transposed"]:
        return Mapped("convolution_transposed", operands, settings | {"output_padding": tuple(a["output_padding"])})
    return Mapped("convolution", operands, settings)


def of_vectors(call: CallRecord, a: Arguments) -> Mapped:
    """The product of two vectors, or of a matrix and one: a vector is a matrix of one row or column."""
    x = a["self"]
    y = a["tensor"] if "tensor" in a else a["vec"]
    row = x if len(x.shape) == 2 else Mapped("reshape", (x,), {"shape": (1, *x.shape)})
    column = Mapped("reshape", (y,), {"shape": (*y.shape, 1)})
    return Mapped("reshape", (Mapped("matmul", (row, column)),), {"shape": call.outputs[0].shape})


def of_groups(call: CallRecord, a: Arguments) -> Mapped:
    """Rows in groups, each times the matrix of its group. Where there are no groups it is a product of stacks."""
    if a["offs"] is None:
        return Mapped("matmul", (a["self"], a["mat2"]))
    if len(a["mat2"].shape) != 3:
        raise CaptureError(f"{call.name} in module {call.scope!r}: of groups of columns, which nothing here counts yet")
    return Mapped("grouped_linear_in_out", given(a["self"], a["mat2"], a["offs"]))
