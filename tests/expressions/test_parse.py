"""Expressions that users type: their values, exact, and what is wrong in those that cannot be read."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphacct.errors import ConfigError, GraphacctError
from graphacct.expressions.parse import parse

SIZES = {"d_model": 1600, "n_layer": 48, "params": 1_557_611_200, "peak_bytes": 20 * 1024**3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ** 3 ** 2", 512),  # from the right, as in Python
        ("-2 ** 2", -4),
        ("7 // 2 - 7 % 4", 0),
        ("1 / 3", Fraction(1, 3)),
        ("6 / 3", 2),
        ("d_model // n_layer", 33),
        ("params <= 1.5e9", False),
        ("peak_bytes <= 24GiB", True),
        ("16k", 16 * 1024),
        ("3%", Fraction(3, 100)),
        ("n_layer > +3%", True),
        ("7 % (2)", 1),
        ("1 <= n_layer < 48", False),
        ("not n_layer == 48 or d_model == 1600 and n_layer == 48", True),
        ("max(d_model, n_layer, 2000) - min(1, 2)", 1999),
        ("n_layer >= 50% and 1 < 2", True),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert parse(text).value(SIZES) == value


def test_names_and_calls_are_the_callers() -> None:
    found = parse('flops(attention) == flops("*.mlp") and params < 2 * params')
    assert found.names == ("params",)
    assert found.calls == (("flops", "attention"), ("flops", "*.mlp"))
    assert found.is_condition
    assert found.value(SIZES, lambda name, scope: {"attention": 3, "*.mlp": 3}[scope]) is True


def test_arrays_and_symbols() -> None:
    import numpy
    import sympy

    sizes = numpy.array([1.0, 2.0, 3.0])
    assert parse("x > 1 and x * 2 < 6").value({"x": sizes}).tolist() == [False, True, False]
    x = sympy.Symbol("x", integer=True, positive=True)
    assert parse("(x + 1) ** 2 / 2").value({"x": x}) == (x + 1) ** 2 / 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it ends at character 1, where a number, a name or '\\(' was expected"),
        ("1 +", "it ends at character 4"),
        ("params <= 7B", "'7B' has no known unit: .* 7e9 for 7 billion"),
        ("__import__('os')", "an expression of names and numbers alone was expected"),
        ("d_modle", "unknown name 'd_modle' in an expression; did you mean 'd_model'\\?.* known: d_model, n_layer"),
        ("1 2", "'2' stands at character 3, where a sign"),
        ("(1", "the bracket's '\\)' was expected"),
        ("flops(3)", "flops's scope or role was expected"),
        ("a[0]", "'\\[' stands at character 2"),
        ("lambda: 1", "':' stands at character 7"),
        ("9 ** 9 ** 9", "a power is a whole number from 0 to 64"),
        ("1 / (n_layer - 48)", "1 / 0: a division by zero"),
        ("1" * 60, "is longer than any size"),
        ("1e999", "is longer than any size"),
        ("(" * 1000 + "1" + ")" * 1000, "nested more than 40 deep"),
        ("1 + " * 10**6 + "1", "at most 10,000 characters"),
        ("-" * 9000 + "x", "more than 200 signs"),
        ("2 " + "** 2 " * 1500, "more than 200 signs"),
        ("1" + " + 1" * 2000, "more than 200 signs"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(text).value(SIZES)


@given(st.text(alphabet="0123456789.e+-*/%<>=()x, \"'GiBkandort_", max_size=40))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    try:
        parse(text).value({"x": 3}, lambda name, argument: 1)
    except GraphacctError:
        pass
    else:
        assert text.strip()
