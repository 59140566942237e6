"""The cost record adds and multiplies, field by field."""

from __future__ import annotations

import attrs
import pytest
import sympy

from graphacct import Cost, Work

COST = Cost(matmul_flops=20, vector_flops=3, transcendentals=2, read_bytes=16, write_bytes=8, activation_bytes=4)


def test_sums_are_field_by_field() -> None:
    """Adding costs adds each quantity to its own kind."""
    total = COST + Cost(1, 2, 3, 4, 5, 6)
    assert attrs.astuple(total) == (21, 5, 5, 20, 13, 10)


def test_multiples_are_field_by_field() -> None:
    """A block that runs 48 times costs 48 of each, from either side."""
    assert attrs.astuple(COST * 48) == (960, 144, 96, 768, 384, 192)
    assert 48 * COST == COST * 48


def test_zero_is_neutral() -> None:
    """The empty cost adds nothing."""
    assert COST + Cost() == COST


def test_derived_quantities() -> None:
    """FLOPs are contractions and the rest (transcendentals are part of the rest); a MAC is two FLOPs."""
    assert COST.flops == 20 + 3
    assert COST.macs == 10
    n = sympy.Symbol("n", positive=True, integer=True)
    symbolic = Cost(matmul_flops=2 * n**3, vector_flops=n)
    assert (symbolic.macs, symbolic.flops) == (n**3, 2 * n**3 + n)


def test_macs_of_a_sweep_stay_exact() -> None:
    """Halving an array of Python ints gives Python ints, also beyond what a float can hold."""
    import numpy

    macs = Cost(matmul_flops=numpy.array([2**70 + 2], dtype=object)).macs
    assert macs[0] == 2**69 + 1  # type: ignore[index]
    assert type(macs[0]) is int  # type: ignore[index]


def test_values_are_frozen() -> None:
    """Costs and works are values."""
    for value in (COST, Work()):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            value.vector_flops = 1  # type: ignore[misc]


def test_traffic_is_every_operand_once_unless_said() -> None:
    """A work that does not speak of bytes leaves them to the operator's operands and outputs."""
    assert (Work().read_bytes, Work().write_bytes) == (None, None)
