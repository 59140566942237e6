"""graphacct's operators against torch's own functions: the same outputs, products, and bytes that autograd keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import graphacct_torch
import pytest
import torch
import torch.nn.functional as functions
from graphacct_torch.errors import CaptureError
from graphacct_torch.measuring.reference import measure

from graphacct import TensorSpec
from graphacct.testing import OperatorContract, Row
from graphacct.testing.contract import failures

ONE, TWO = [(2, 3, 5)], [(2, 3, 5), (2, 3, 5)]
IDS = TensorSpec((2, 3), "int64")


def functional(name: str, *more: Any, **keywords: Any) -> Callable[..., Any]:
    """A function of torch.nn.functional, or of torch, with further arguments and without the attributes."""

    def called(*operands: Any, **_: Any) -> Any:
        import torch

        found = getattr(torch.nn.functional, name, None) or getattr(torch, name)
        return found(*operands, *more, **keywords)

    return called


def layer_norm(x: Any, *affine: Any) -> Any:
    import torch

    return torch.nn.functional.layer_norm(x, (5,), *affine)


def concat(*operands: Any, dim: int) -> Any:
    import torch

    return torch.cat(operands, dim)


REFERENCES: dict[str, tuple[Row, Any]] = {
    "linear": (Row([(2, 3, 5), (7, 5), (7,)]), "torch.nn.functional.linear"),
    "matmul": (Row([(2, 3, 5), (2, 5, 7)]), "torch.matmul"),
    "add": (Row(TWO), "torch.add"),
    "sub": (Row(TWO), "torch.sub"),
    "mul": (Row(TWO), "torch.mul"),
    "div": (Row(TWO), "torch.div"),
    "neg": (Row(ONE), "torch.neg"),
    "abs": (Row(ONE), "torch.abs"),
    "square": (Row(ONE), "torch.square"),
    "pow": (Row(ONE, {"exponent": 3}), functional("pow", 3)),
    "reciprocal": (Row(ONE), "torch.reciprocal"),
    "exp": (Row(ONE), "torch.exp"),
    "log": (Row(ONE), "torch.log"),
    "sqrt": (Row(ONE), "torch.sqrt"),
    "rsqrt": (Row(ONE), "torch.rsqrt"),
    "sin": (Row(ONE), "torch.sin"),
    "cos": (Row(ONE), "torch.cos"),
    "relu": (Row(ONE), "torch.nn.functional.relu"),
    "leaky_relu": (Row(ONE), functional("leaky_relu")),
    "relu6": (Row(ONE), "torch.nn.functional.relu6"),
    "elu": (Row(ONE), functional("elu")),
    "sigmoid": (Row(ONE), "torch.sigmoid"),
    "hardsigmoid": (Row(ONE), "torch.nn.functional.hardsigmoid"),
    "tanh": (Row(ONE), "torch.tanh"),
    "gelu": (Row(ONE), "torch.nn.functional.gelu"),
    "gelu_tanh": (Row(ONE), functional("gelu", approximate="tanh")),
    "silu": (Row(ONE), "torch.nn.functional.silu"),
    "hardswish": (Row(ONE), "torch.nn.functional.hardswish"),
    "softplus": (Row(ONE), "torch.nn.functional.softplus"),
    "mish": (Row(ONE), "torch.nn.functional.mish"),
    "softmax": (Row(ONE), functional("softmax", -1)),
    "log_softmax": (Row(ONE), functional("log_softmax", -1)),
    "layer_norm": (Row([(2, 3, 5), (5,), (5,)]), layer_norm),
    "embedding": (Row([IDS, (7, 5)]), "torch.nn.functional.embedding"),
    "sum": (Row(ONE, {"dim": -1}), functional("sum", -1)),
    "mean": (Row(ONE, {"dim": (0, 2)}), functional("mean", (0, 2))),
    "amax": (Row(ONE, {"dim": 1}), functional("amax", 1)),
    "cumsum": (Row(ONE, {"dim": 1}), functional("cumsum", 1)),
    "convolution": (  # of one group: torch's counter takes the weight gradient of several for one of all channels
        Row([(2, 6, 11, 13), (4, 6, 3, 5), (4,)], {"padding": 1, "stride": 2}),
        functional("conv2d", stride=2, padding=1),
    ),
    "masked_fill": (Row([(2, 3, 5), TensorSpec((2, 3, 5), "bool")]), functional("masked_fill", 0.0)),
    "where": (Row([TensorSpec((2, 3, 5), "bool"), (2, 3, 5), (2, 3, 5)]), "torch.where"),
    "concat": (Row([(2, 3, 5), (2, 7, 5)], {"dim": 1}), concat),
    "permute": (Row(ONE, {"dims": (2, 0, 1)}), functional("permute", (2, 0, 1))),
    "mse_loss": (Row(TWO), functional("mse_loss")),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_operator_is_what_torch_does(name: str) -> None:
    row, reference = REFERENCES[name]
    contract = OperatorContract.of(name, rows=[row], costs_in="here", reference=reference)
    contract().test_it_costs_what_the_framework_does()


def test_what_differs_is_found() -> None:
    """gelu keeps its operand, exp its output: the same bytes; a sum of all has another output."""
    contract = OperatorContract.of("gelu", rows=[Row(ONE)], costs_in="here", reference="torch.sum")
    found = dict(failures(contract))["test_it_costs_what_the_framework_does"]
    assert "outputs for [(2, 3, 5)]: [((2, 3, 5), 'float32')] here, [((), 'float32')] in torch.sum" in found


def test_bytes_that_autograd_keeps() -> None:
    """Each storage once, those of operands too: 4 · 30 of x and 4 · 35 of the weight; of integers none."""
    kept = measure("torch.nn.functional.linear", [TensorSpec((2, 3, 5)), TensorSpec((7, 5))], {})
    assert kept.saved_bytes == 4 * 30 + 4 * 35
    assert (kept.matmul_flops, kept.gradient_matmul_flops) == (2 * 6 * 35, 2 * 2 * 6 * 35)
    indices = measure("torch.bitwise_not", [TensorSpec((2, 3), "int64")], {})
    assert (indices.saved_bytes, indices.gradient_matmul_flops) == (None, None)
    assert indices.outputs == (TensorSpec((2, 3), "int64"),)


def test_what_torch_cannot_run() -> None:
    with pytest.raises(CaptureError, match=r"^torch has no function torch\.nn\.functional\.no_such$"):
        measure("torch.nn.functional.no_such", [TensorSpec((2, 3))], {})
    with pytest.raises(CaptureError, match=r"^torch\.matmul does not run on \(2, 3\), \(2, 3\): RuntimeError: "):
        measure("torch.matmul", [TensorSpec((2, 3)), TensorSpec((2, 3))], {})


def test_functions_of_others_are_left_to_others() -> None:
    """A path that is not torch's, and a function that does not mention it."""
    assert graphacct_torch.graphacct_measure_reference("numpy.add", [], {}) is None
    assert graphacct_torch.graphacct_measure_reference(lambda x: x, [], {}) is None


@pytest.mark.parametrize(
    "reference",
    [
        torch.square,
        torch.ops.aten.square,
        torch.Tensor.square,
        functools.partial(torch.pow, exponent=2),
        lambda x: functions.relu(x) ** 2,
        "torch.square",
    ],
)
def test_what_is_torchs_is_measured(reference: Any) -> None:
    """A function, an operator, a method, one with arguments, and one whose code names a module of torch's."""
    contract = OperatorContract.of("square", rows=[Row(ONE)], reference=reference)
    contract().test_it_costs_what_the_framework_does()


def test_what_is_nobodys_is_skipped_with_the_way_out() -> None:
    contract = OperatorContract.of("square", rows=[Row(ONE)], reference=lambda x: x.square())
    with pytest.raises(
        SkipTest, match="install graphacct-torch, and import the framework in the function, or give its"
    ):
        contract().test_it_costs_what_the_framework_does()
