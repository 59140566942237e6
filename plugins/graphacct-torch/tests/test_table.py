"""The table of aten operators."""

from pathlib import Path

import pytest
import torch
from graphacct_torch.mapping.rule import ELEMENT_WISE, MOVES
from graphacct_torch.mapping.table import TABLE

NAMES = (Path(__file__).parent / "aten_forward.txt").read_text().split()
"""The operators that 419 model types of transformers 5.23 call in a forward pass, the most frequent first."""
BY_TAG = {"view_as_real", "view_as_complex"}


@pytest.mark.parametrize("name", NAMES)
def test_what_transformers_calls_has_a_line(name):
    library, operator, overload = name.rsplit(".", 2)
    plain = f"{library}.{operator.removesuffix('_')}.{overload}"
    assert name in TABLE or plain in TABLE or operator in BY_TAG | MOVES | ELEMENT_WISE


def test_lines_are_of_operators_that_torch_has():
    written = [name for name in TABLE if not name.endswith((".default", ".Tensor", ".Scalar", ".Tensor_Scalar"))]
    for name in written:
        _, operator, overload = name.split(".")
        assert overload in getattr(torch.ops.aten, operator).overloads(), name
    for name in TABLE:
        assert hasattr(torch.ops.aten, name.split(".")[1]), name
