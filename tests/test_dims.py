"""Dimensions: ints, sympy expressions and numpy arrays, and the helpers that treat them alike."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy
import pytest
import sympy

from graphacct import ConfigError, ceil_div, exact_div, floor_div, maximum, minimum, prod, same
from graphacct.dims import MAX_DIM, check_dim, differ, is_array, is_symbol, same_shape, shape_text

n, m = sympy.symbols("n m", positive=True, integer=True)
FLOATS = numpy.array([2.0, 8.0])
INTS = numpy.array([2, 8], dtype=object)


@pytest.mark.parametrize("value", [1, 7, MAX_DIM, numpy.int64(7), numpy.uint8(7)])
def test_ints_become_plain_ints(value: Any) -> None:
    """Whatever has an index is a dimension, and becomes a plain int."""
    assert type(check_dim(value, "seq_len")) is int
    assert check_dim(value, "seq_len") == int(value)


@pytest.mark.parametrize("value", [n, 4 * n + 1, FLOATS, INTS])
def test_symbols_and_sweeps_pass(value: Any) -> None:
    """A sympy expression and a float64 or object array are dimensions as they are."""
    assert check_dim(value, "seq_len") is value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "seq_len must be positive and below 2**63, not 0"),
        (-3, "seq_len must be positive and below 2**63, not -3"),
        (2**63, f"seq_len must be positive and below 2**63, not {2**63}"),
        pytest.param(
            10**100_000,  # log2(10) * 100,000 = 332,192.8 bits, more digits than Python turns into text
            "seq_len must be positive and below 2**63, not a 332193-bit integer",
            id="huge",
        ),
        (True, "seq_len must be an integer, not True"),
        (1.5, "seq_len must be an integer, not 1.5"),
        (1024.0, "seq_len must be an integer, not 1024.0"),
        ("128", "seq_len must be an integer, not '128': write 128"),
        ("2k", "seq_len must be an integer, not '2k': write 2048"),  # as the command line reads it
        ("1,024", "seq_len must be an integer, not '1,024'"),
        (None, "seq_len must be an integer, not None"),
    ],
)
def test_what_is_no_dimension(value: Any, message: str) -> None:
    """A value that no tensor can have as a size is refused by the name of its key; huge ones are not printed."""
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        check_dim(value, "seq_len")


def test_a_lower_bound_of_zero() -> None:
    """A count that may be zero says so."""
    assert check_dim(0, "padding", minimum=0) == 0
    with pytest.raises(ConfigError, match=r"^padding must be at least 0 and below 2\*\*63, not -1$"):
        check_dim(-1, "padding", minimum=0)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint16", "uint64"])
def test_integer_arrays_are_refused(dtype: str) -> None:
    """Fixed-width ints wrap silently, so a sweep over them is refused with both ways out."""
    message = (
        f"seq_len is an array of {dtype}, whose products wrap silently; "
        "use .astype(float) for a sweep or .astype(object) for exact ints"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        check_dim(numpy.array([1, 2], dtype=dtype), "seq_len")


def test_prod() -> None:
    """The product of no dimensions is 1; kinds mix."""
    assert prod([]) == 1
    assert prod([2, 3, 4]) == 24
    assert prod([2, n, n]) == 2 * n**2
    assert prod([2, INTS]).tolist() == [4, 16]  # type: ignore[union-attr]


def test_exact_div() -> None:
    """Between ints the quotient must be whole, and the error names it; arrays of exact ints stay exact ints."""
    assert exact_div(12, 4) == 3
    assert exact_div(6 * n, 2) == 3 * n
    assert exact_div(FLOATS, 2).tolist() == [1.0, 4.0]  # type: ignore[union-attr]
    quotients: Any = exact_div(INTS * 2**70, 2)
    assert quotients.tolist() == [2**70, 2**72]
    assert {type(item) for item in quotients} == {int}
    with pytest.raises(ConfigError, match=r"^n_embd / n_head: 768 is not divisible by 7$"):
        exact_div(768, 7, "n_embd / n_head")
    with pytest.raises(ConfigError, match=r"^quotient: 768 is not divisible by 0$"):
        exact_div(768, 0)


def test_rounded_division() -> None:
    """`floor_div` rounds down, `ceil_div` up, for each kind."""
    assert (floor_div(7, 2), ceil_div(7, 2), ceil_div(8, 2)) == (3, 4, 4)
    for formula, expected in ((floor_div(n, 2), 3), (ceil_div(n, 2), 4)):
        assert formula.subs(n, 7) == expected  # type: ignore[union-attr]
    assert ceil_div(numpy.array([7.0, 8.0]), 2).tolist() == [4.0, 4.0]  # type: ignore[union-attr]


def test_extremes() -> None:
    """The larger and the smaller: numbers, `Max` and `Min`, or element by element."""
    assert (maximum(2, 3), minimum(2, 3)) == (3, 2)
    assert (maximum(n, 3), minimum(3, n)) == (sympy.Max(n, 3), sympy.Min(n, 3))
    assert maximum(FLOATS, 4).tolist() == [4.0, 8.0]  # type: ignore[union-attr]
    assert minimum(4, FLOATS).tolist() == [2.0, 4.0]  # type: ignore[union-attr]


def test_same_and_differ() -> None:
    """Equality is known of ints by value, symbols by structure, arrays element by element; only ints can differ."""
    assert same(3, 3)
    assert same(n + 1, 1 + n)
    assert same(FLOATS, FLOATS.copy())
    assert not same(3, 4)
    assert not same(n, m)
    assert not same(FLOATS, FLOATS + 1)
    assert not same(FLOATS, 2)
    assert not same(FLOATS, numpy.array([2.0]))
    assert not same(FLOATS, numpy.array([2.0, 8.0, 4.0]))
    assert same_shape((1, n, 3), (1, n, 3))
    assert not same_shape((1, n, 3), (1, 4, 3))
    assert not same_shape((1, 3), (1, 3, 1))
    assert differ(3, 4)
    assert not differ(3, 3)
    assert not differ(n, 4)
    assert not differ(FLOATS, 4)


def test_kinds() -> None:
    """A symbol is a sympy expression, an array a numpy array, and a plain int neither."""
    assert is_symbol(n)
    assert not is_symbol(FLOATS)
    assert is_array(FLOATS)
    assert not is_array(n)
    assert not is_symbol(3)
    assert not is_array(3)


def test_shapes_as_text() -> None:
    """Shapes print as torch prints them; a sweep by its own shape."""
    assert shape_text((1, 1024, 1600)) == "[1, 1024, 1600]"
    assert shape_text((n, 2 * m)) == "[n, 2*m]"
    assert shape_text((FLOATS, 4)) == "[array(2,), 4]"
    assert shape_text(()) == "[]"


def test_nothing_heavy_is_imported() -> None:
    """Plain arithmetic on dimensions imports neither sympy nor numpy."""
    code = (
        "import sys; from graphacct import prod, exact_div, maximum, same\n"
        "assert (prod([2, 3]), exact_div(6, 2), maximum(1, 2), same(1, 1)) == (6, 3, 2, True)\n"
        "assert not {'numpy', 'sympy'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
