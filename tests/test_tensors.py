"""Tensor specs: bytes by dtype, names of dtypes, layouts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sympy

from graphacct import ConfigError, TensorSpec
from graphacct.errors import UnknownNameError
from graphacct.tensors import DTYPE_ALIASES, DTYPE_BITS, FLOATING, conflict, dtype_name


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [  # 3 * 5 = 15 elements
        ("float64", 120),
        ("float32", 60),
        ("bfloat16", 30),
        ("float8_e5m2", 15),
        ("float4_e2m1fn", 8),  # 15 * 4 bits = 7.5 bytes, rounded up
        ("int4", 8),
        ("bool", 15),  # a byte each, as in torch
        ("complex64", 120),
    ],
)
def test_bytes(dtype: str, expected: int) -> None:
    """Bytes are elements times width; dtypes below a byte are packed and round up per tensor."""
    assert TensorSpec((3, 5), dtype).bytes == expected


def test_scalars_and_symbols() -> None:
    """A scalar has one element; symbolic shapes give symbolic bytes."""
    n = sympy.Symbol("n", positive=True, integer=True)
    assert (TensorSpec(()).elements, TensorSpec(()).bytes) == (1, 4)
    assert TensorSpec((n, 4)).bytes == 16 * n
    packed: Any = TensorSpec((n,), "int4").bytes
    assert [packed.subs(n, value) for value in (2, 3)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fp32", "float32"), ("bf16", "bfloat16"), ("torch.bfloat16", "bfloat16"), ("HALF", "float16"), ("int4", "int4")],
)
def test_dtype_names(name: str, expected: str) -> None:
    """Aliases, torch's spelling and capitals give the canonical name."""
    assert dtype_name(name) == expected


def test_dtype_tables_agree() -> None:
    """Every alias stands for a known dtype, and every floating dtype has a width."""
    assert set(DTYPE_ALIASES.values()) <= set(DTYPE_BITS)
    assert set(DTYPE_BITS) >= FLOATING
    assert "int4" not in FLOATING


def test_unknown_dtypes() -> None:
    """An unknown dtype suggests the closest; what is no name is said to be none."""
    with pytest.raises(UnknownNameError, match=r"^unknown dtype 'flaot32'; did you mean 'float32'\?$"):
        dtype_name("flaot32")
    with pytest.raises(
        ConfigError, match=f"^{re.escape('a dtype is a name such as ' + repr('float32') + ', not 32')}$"
    ):
        dtype_name(32)


def test_text() -> None:
    """A spec prints as dtype and shape, with its strides when it is a view."""
    assert str(TensorSpec((2, 3))) == "float32[2, 3]"
    assert str(TensorSpec((3, 2), "int64", (1, 3))) == "int64[3, 2] with strides [1, 3]"


def test_specs_are_values() -> None:
    """Equal specs are equal and hash alike; they cannot be changed."""
    assert TensorSpec((2, 3)) == TensorSpec((2, 3), "float32", None)
    assert len({TensorSpec((2, 3)), TensorSpec((2, 3))}) == 1
    with pytest.raises(AttributeError):
        TensorSpec((2, 3)).dtype = "int64"  # type: ignore[misc]


def test_conflicts() -> None:
    """Specs conflict in dtype, rank, layout or a size that both know; a symbol conflicts with no size."""
    n = sympy.Symbol("n")
    spec = TensorSpec((2, 3))
    assert not conflict(spec, TensorSpec((2, 3)))
    assert not conflict(TensorSpec((n, 3)), spec)
    assert conflict(spec, TensorSpec((2, 3), "int64"))
    assert conflict(spec, TensorSpec((2, 3, 1)))
    assert conflict(spec, TensorSpec((2, 4)))
    assert conflict(spec, TensorSpec((2, 3), strides=(1, 2)))
    assert conflict(TensorSpec((2, 3), strides=(3, 0)), TensorSpec((2, 3), strides=(1, 2)))
    assert not conflict(TensorSpec((n, 3), strides=(n, 0)), TensorSpec((n, 3), strides=(1, 0)))


def test_conflicts_of_sweeps() -> None:
    """Specs of a sweep compare without asking for the truth of an array."""
    import numpy

    sweep = numpy.array([2.0, 3.0])
    assert not conflict(TensorSpec((sweep, 3)), TensorSpec((sweep + 1, 3)))
    assert conflict(TensorSpec((sweep, 3)), TensorSpec((sweep, 4)))
