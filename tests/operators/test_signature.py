"""The signature language: what it reads, what it binds, and what it says when operands do not fit."""

from __future__ import annotations

import re

import pytest

from graphacct import ShapeError, TensorSpec
from graphacct.errors import SignatureError
from graphacct.operators.signature import Signature, parse


def bind(text: str, *shapes: tuple[int, ...]) -> tuple[dict[str, object], tuple[object, ...]]:
    return parse(text).bind([TensorSpec(shape) for shape in shapes])


def outputs(text: str, *shapes: tuple[int, ...]) -> list[tuple[object, ...]]:
    signature = parse(text)
    return list(signature.shapes(*signature.bind([TensorSpec(shape) for shape in shapes])))


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize(
    ("text", "shapes", "expected"),
    [
        ("x: ... k, weight: n k, bias?: n -> ... n", [(2, 3, 4), (5, 4), (5,)], [(2, 3, 5)]),
        ("x: ... k, weight: n k, bias?: n -> ... n", [(4,), (5, 4)], [(5,)]),
        ("... m k, ... k n -> ... m n", [(8, 2, 3), (8, 3, 4)], [(8, 2, 4)]),
        ("... m k, ... k n -> ... m n", [(8, 1, 2, 3), (7, 3, 4)], [(8, 7, 2, 4)]),
        ("..., ... -> ...", [(4, 1, 3), (5, 1)], [(4, 5, 3)]),
        ("ids: ..., weight: v d -> ... d", [(2, 3), (10, 4)], [(2, 3, 4)]),
        ("a ... b -> b ... a", [(2, 3, 4, 5)], [(5, 3, 4, 2)]),
        ("a b, b -> a, b", [(2, 3), (3,)], [(2,), (3,)]),
        ("a b ->", [(2, 3)], [()]),
        ("x: b c *space, weight: o c *kernel -> b o *space", [(1, 3, 8, 9), (6, 3, 2, 2)], [(1, 6, 8, 9)]),
        ("x0: ..., xs*: ... -> ...", [(2,), (2,), (2,)], [(2,)]),
    ],
)
def test_output_shapes(text: str, shapes: list[tuple[int, ...]], expected: list[tuple[int, ...]]) -> None:
    """The outputs' shapes follow from the operands', broadcasting over the ellipsis as in numpy."""
    assert outputs(text, *shapes) == expected


def test_names_bind_to_sizes() -> None:
    """Each name stands for its size, the ellipsis for the dimensions that are left, `*name` for a tuple of them."""
    assert bind("x: ... k, weight: n k -> ... n", (2, 3, 4), (5, 4)) == ({"k": 4, "n": 5}, (2, 3))
    assert bind("x: b c *space -> b", (1, 3, 8, 9)) == ({"b": 1, "c": 3, "space": (8, 9)}, ())
    assert bind("x: b *space -> b", (1,)) == ({"b": 1, "space": ()}, ()), "any number of dimensions may be none"


def test_operands_have_names() -> None:
    """Operands without a name are x, y, z, w and then numbered; outputs are `out`, numbered when there are several."""
    signature = parse("a, a, a, a, a -> a")
    assert [term.name for term in signature.inputs] == ["x", "y", "z", "w", "x4"]
    assert [term.name for term in parse("a -> a, a").outputs] == ["out0", "out1"]
    assert [term.name for term in parse("left: a, a -> sum: a").inputs] == ["left", "y"]
    assert parse("a ->").outputs[0].name == "out"
    assert parse("-> a").inputs == ()


def test_a_term_prints_as_it_is_written() -> None:
    """Messages and `explain` show a term in the language itself."""
    signature = parse("x: a ... b, space: c *d, bias?: n, xs*: ... -> ... n")
    assert list(map(str, signature.inputs)) == ["x: a ... b", "space: c *d", "bias?: n", "xs*: ..."]


def test_dimensions_that_attributes_must_give() -> None:
    """A dimension that only an output has is unbound: an attribute of that name gives it."""
    assert parse("x: a b -> a c, d c").unbound() == ("c", "d")
    assert parse("x: a *s -> *s a").unbound() == ()


def test_parsing_is_remembered() -> None:
    """The same text is parsed once."""
    assert parse("a b -> b a") is parse("a b -> b a")
    assert isinstance(parse("a b -> b a"), Signature)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "signature 'a b' needs exactly one '->' between operands and outputs"),
        ("a -> b -> c", "signature 'a -> b -> c' needs exactly one '->' between operands and outputs"),
        ("a 2 -> a", "signature 'a 2 -> a': '2' is neither a name nor '...' nor '*name'"),
        ("a-b -> a", "signature 'a-b -> a': 'a-b' is neither a name nor '...' nor '*name'"),
        ("... a ... -> a", "signature '... a ... -> a': '... a ...' has more than one '...' or '*name'"),
        ("x: *a *b -> a", "signature 'x: *a *b -> a': 'x: *a *b' has more than one '...' or '*name'"),
        ("x: a, x: b -> a", "signature 'x: a, x: b -> a' uses the name 'x' twice"),
        ("x: a -> x: a", "signature 'x: a -> x: a' uses the name 'x' twice"),
        (
            "x?: a, y: a -> a",
            "signature 'x?: a, y: a -> a': optional operands stand last, and at most one takes any number",
        ),
        (
            "x*: a, y*: a -> a",
            "signature 'x*: a, y*: a -> a': optional operands stand last, and at most one takes any number",
        ),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    """A signature that cannot be read is an error that quotes it and what in it is wrong."""
    with pytest.raises(SignatureError, match=exactly(message)):
        parse(text)


LINEAR = "x: ... k, weight: n k, bias?: n -> ... n"


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        (
            LINEAR,
            [(2, 3), (5, 4)],
            "dimension k is 3 in x but 4 in weight: x[2, 3], weight[5, 4] against "
            "'x: ... k, weight: n k, bias?: n -> ... n'",
        ),
        (
            LINEAR,
            [(2, 4), (5, 4), (6,)],
            "dimension n is 5 in weight but 6 in bias: x[2, 4], weight[5, 4], bias[6] against "
            "'x: ... k, weight: n k, bias?: n -> ... n'",
        ),
        (
            LINEAR,
            [(2, 4), (4,)],
            "weight has 1 dimensions: x[2, 4], weight[4] against 'x: ... k, weight: n k, bias?: n -> ... n'",
        ),
        (LINEAR, [(2, 4)], "takes 2 to 3 operands, not 1: 'x: ... k, weight: n k, bias?: n -> ... n'"),
        (LINEAR, [(4,)] * 4, "takes 2 to 3 operands, not 4: 'x: ... k, weight: n k, bias?: n -> ... n'"),
        ("a, a -> a", [(4,)], "takes 2 operands, not 1: 'a, a -> a'"),
        ("x0: a, xs*: a -> a", [], "takes 1 or more operands, not 0: 'x0: a, xs*: a -> a'"),
        (
            "..., ... -> ...",
            [(4, 3), (5, 3)],
            "[5, 3] of y does not broadcast with [4, 3] (4 against 5): x[4, 3], y[5, 3] against '..., ... -> ...'",
        ),
        ("... a b -> a", [(3,)], "x has 1 dimensions: x[3] against '... a b -> a'"),
        ("a a -> a", [(3, 4)], "dimension a is 3 in x but 4 in x: x[3, 4] against 'a a -> a'"),
        (
            "x: b *s, y: c *s -> b",
            [(1, 8, 9), (1, 8, 7)],
            "dimensions s are [8, 9] in x but [8, 7] in y: x[1, 8, 9], y[1, 8, 7] against 'x: b *s, y: c *s -> b'",
        ),
        (
            "x: b *s, y: c *s -> b",
            [(1, 8), (1, 8, 7)],
            "dimensions s are [8] in x but [8, 7] in y: x[1, 8], y[1, 8, 7] against 'x: b *s, y: c *s -> b'",
        ),
    ],
)
def test_operands_that_do_not_fit(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    """The error names the dimension, both sizes and both operands, and shows all shapes against the signature."""
    with pytest.raises(ShapeError, match=exactly(message)):
        bind(text, *shapes)


def test_symbols_are_not_compared() -> None:
    """Checks fire between ints only: a symbol has no value to compare, and broadcasts with 1 and with itself."""
    import sympy

    n, m = sympy.symbols("n m")
    signature = parse("..., ... -> ...")
    _, batch = signature.bind([TensorSpec((n, 1)), TensorSpec((1, m))])
    assert batch == (n, m)
    _, batch = signature.bind([TensorSpec((n,)), TensorSpec((5,))])
    assert batch == (n,), "5 broadcasts with n only when n is 5 or 1: the symbol stays"
    _, batch = signature.bind([TensorSpec((n,)), TensorSpec((m,))])
    assert batch == (sympy.Max(n, m),)
    dims, _ = parse("a, a -> a").bind([TensorSpec((n,)), TensorSpec((m,))])
    assert dims == {"a": n}


def test_arrays_are_not_compared() -> None:
    """A sweep broadcasts with itself and with equal sweeps."""
    import numpy

    sweep = numpy.array([2.0, 3.0])
    _, batch = parse("..., ... -> ...").bind([TensorSpec((sweep, 1)), TensorSpec((sweep.copy(), 4))])
    assert batch[0] is sweep
    assert batch[1] == 4
