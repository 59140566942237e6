"""Operators: what @operator makes of a formula, what it refuses, and what applying one gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sympy

from graphacct import Builder, Cost, OperatorError, Saved, ShapeError, TensorSpec, Work, operator
from graphacct.decisions import Conditions, condition_text, divides, equal, recording, recording_in
from graphacct.dims import check_dim
from graphacct.errors import ConfigError, SignatureError
from graphacct.hooks.manager import default

F32 = "float32"


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def applied(rule: Any, *shapes: tuple[Any, ...], dtype: str = F32, **attributes: Any) -> Any:
    return rule.apply([TensorSpec(shape, dtype) for shape in shapes], attributes)


@operator("x: ... n -> ... n", saves={"out": "the gradient is out * g"})
def double(batch: Any, n: Any) -> Work:
    """Twice the input.

    1 per element.
    """
    return Work(vector_flops=batch * n)


@operator("x: ... m k, y: ... k n -> ... m n", contracts=("x", "y"))
def product() -> None:
    """A product. 2 per multiply-add."""


def test_the_decorator_makes_an_operator() -> None:
    """Name, documentation (on one line) and what backward keeps come from the function and the arguments."""
    assert double.name == "double"
    assert double.doc == "Twice the input. 1 per element."
    assert double.saves == (Saved("out", "the gradient is out * g"),)
    assert operator("x: ... -> ...", name="slice")(lambda: Work()).name == "slice"


def test_a_cost_has_each_operand_and_output_once() -> None:
    """Read: every operand; written and allocated: every output, each in its dtype's bytes."""
    # (2, 3, 4) float32 is 96 bytes; batch 2 * 3, n 4
    assert applied(double, (2, 3, 4)).cost == Cost(0, 24, 0, 96, 96, 96)
    assert applied(double, (2, 3, 4), dtype="bfloat16").cost == Cost(0, 24, 0, 48, 48, 48)


def test_a_contraction_is_two_flops_for_each_combination() -> None:
    """2 × batch × m × n × k, with the batch dimensions broadcast and counted once."""
    # batch 5 * 7, m 2, k 3, n 4; operands 5*1*2*3 and 7*3*4 elements, outputs 5*7*2*4
    cost = applied(product, (5, 1, 2, 3), (7, 3, 4)).cost
    assert cost == Cost(2 * 35 * 2 * 3 * 4, 0, 0, 4 * (30 + 84), 4 * 280, 4 * 280)


def test_a_contraction_without_an_ellipsis() -> None:
    """Dimensions that no contracted operand has are not in the product."""
    rule = operator("x: ... k, w: n k, extra: ... -> ... n", contracts=("w",))(lambda: None)
    assert applied(rule, (2, 4), (5, 4), (2,)).cost.matmul_flops == 2 * 5 * 4


def test_the_formula_adds_to_the_contraction() -> None:
    """A bias's additions stand beside the contraction; an optional operand that is absent is None."""

    @operator("x: ... k, w: n k, bias?: n -> ... n", contracts=("x", "w"))
    def linear(batch: Any, n: Any, bias: Any) -> Work:
        return Work(vector_flops=batch * n if bias else 0)

    assert applied(linear, (3, 4), (5, 4)).cost.flops == 2 * 3 * 4 * 5
    assert applied(linear, (3, 4), (5, 4), (5,)).cost.flops == 2 * 3 * 4 * 5 + 3 * 5


def test_a_view_moves_and_allocates_nothing() -> None:
    """A view's output shares its operand's storage, also when a function decides it."""
    always = operator("x: ... -> ...", view=True)(lambda: Work())
    sometimes = operator("x: ... -> ...", view=lambda *, copy: not copy)(lambda: Work())
    assert applied(always, (8,)).cost == Cost()
    assert applied(sometimes, (8,), copy=False).cost == Cost()
    assert applied(sometimes, (8,), copy=True).cost == Cost(0, 0, 0, 32, 32, 32)


def test_a_formula_may_state_its_traffic() -> None:
    """A gather reads the rows it needs, not its whole table."""

    @operator("ids: ..., table: v d -> ... d")
    def gather(ids: TensorSpec, out: TensorSpec) -> Work:
        return Work(read_bytes=ids.bytes + out.bytes, write_bytes=0)

    cost = gather.apply([TensorSpec((2,), "int64"), TensorSpec((1000, 4))], {}).cost
    assert cost == Cost(0, 0, 0, 2 * 8 + 2 * 4 * 4, 0, 2 * 4 * 4)


def test_outputs_take_the_first_floating_dtype() -> None:
    """Ids have no gradient: the output's dtype is that of the first floating operand, or what the operator says."""
    gather = operator("ids: ..., table: v d -> ... d")(lambda: Work())
    specs = [TensorSpec((2,), "int64"), TensorSpec((9, 4), "bfloat16")]
    assert gather.apply(specs, {}).outputs == (TensorSpec((2, 4), "bfloat16"),)
    ids = operator("x: ... n -> ...", dtype="int64")(lambda: Work())
    assert applied(ids, (2, 4)).outputs == (TensorSpec((2,), "int64"),)
    assert applied(double, (2, 4), dtype="int64").outputs == (TensorSpec((2, 4), "int64"),)


def test_an_attribute_gives_an_output_dimension() -> None:
    """A dimension that only the output has is the attribute of that name, checked as a dimension."""

    @operator("-> rows n")
    def table(*, rows: Any = 1, n: Any) -> Work:
        return Work()

    assert applied(table, n=5).outputs[0].shape == (1, 5)
    assert applied(table, rows=3, n=5).outputs[0].shape == (3, 5)
    with pytest.raises(ConfigError, match=exactly("attribute n must be positive and below 2**63, not 0")):
        applied(table, n=0)


def test_infer_says_what_a_signature_cannot() -> None:
    """`infer` returns shapes, specs, or a list for several outputs."""
    halves = operator("x: ... -> parts", infer=lambda x: [(x.shape[0] // 2,), TensorSpec((1,), "int64")])(
        lambda: Work()
    )
    assert applied(halves, (8,)).outputs == (TensorSpec((4,)), TensorSpec((1,), "int64"))


def test_any_number_of_operands() -> None:
    """`name*:` takes the rest, and a formula that asks for it gets a tuple."""

    @operator("first: ..., rest*: ... -> ...")
    def total(batch: Any, rest: tuple[TensorSpec, ...]) -> Work:
        return Work(vector_flops=batch * len(rest))

    assert [applied(total, *[(3,)] * count).cost.vector_flops for count in (1, 2, 4)] == [0, 3, 9]


def test_a_result_is_remembered_for_equal_operands() -> None:
    """The formula runs once for operands and attributes that are equal, again when one differs."""
    calls = []

    @operator("x: ... -> ...")
    def counted(batch: Any, *, p: float = 0.0) -> Work:
        calls.append(batch)
        return Work()

    for shape, p in (((2, 3), 0.1), ((2, 3), 0.1), ((2, 3), 0.2), ((3, 2), 0.1)):
        applied(counted, shape, p=p)
    assert len(calls) == 3
    applied(counted, (2, 3), p=[0.1])
    applied(counted, (2, 3), p=[0.1])
    assert len(calls) == 5, "a list has no hash: it is worked out each time"


def test_a_remembered_result_has_its_conditions_again() -> None:
    """What sizes with symbols decided is asked again: the formula does not run, and the conditions are recorded."""
    calls = []

    @operator("x: rows n -> rows n")
    def branching(rows: Any, n: Any) -> Work:
        calls.append(rows)
        return Work(vector_flops=n if not equal(rows, 1) and divides(8, n * rows) else 0)

    b, n = sympy.symbols("b n", positive=True, integer=True)

    def conditions(into: Conditions) -> list[str]:
        with recording_in(into):
            found.append(applied(branching, (b, n)).cost.vector_flops)
        return list(map(condition_text, into.found))

    found: list[Any] = []
    first = conditions(Conditions())
    assert first == ["b > 1", "Mod(b*n, 8) == 0"]
    assert [conditions(Conditions()), conditions(Conditions()), len(calls)] == [first, first, 1]
    assert conditions(Conditions([b > 3])) == ["b > 3", "Mod(b*n, 8) == 0"]
    assert (found, len(calls)) == ([n] * 4, 1)
    otherwise = Conditions()
    assert not otherwise.holds("==", b * n % 8, 0, assumed=False)
    assert conditions(otherwise) == ["b > 1", "Mod(b*n, 8) != 0"], "another branch is computed anew"
    assert (conditions(Conditions()), found, len(calls)) == (first, [n] * 4 + [0, n], 3)


def test_what_an_operator_inside_another_assumes_is_remembered_too() -> None:
    """A formula that applies an operator which remembers its result has that one's conditions each time."""

    @operator("x: rows -> rows")
    def inner(rows: Any) -> Work:
        return Work(vector_flops=0 if equal(rows, 1) else rows)

    @operator("x: rows -> rows")
    def outer(rows: Any) -> Work:
        return Work(vector_flops=applied(inner, (rows,)).cost.vector_flops)

    b = sympy.Symbol("b", positive=True, integer=True)
    for rule in (inner, outer, outer, inner):
        with recording() as found:
            applied(rule, (b,))
        assert found.found == (b > 1,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: operator("x: ... n -> ... n")(lambda batch, m: Work()),
            "operator '<lambda>': <lambda> asks for 'm', which is neither a dimension nor an operand of "
            "'x: ... n -> ... n'; known: batch, n, out, x (attributes stand after '*')",
        ),
        (
            lambda: operator("x: ... n -> ... n", name="norm")(lambda batc: Work()),
            "operator 'norm': <lambda> asks for 'batc', which is neither a dimension nor an operand of "
            "'x: ... n -> ... n'; did you mean 'batch'? (attributes stand after '*')",
        ),
        (
            lambda: operator("x: ... n -> ... n", contracts=("y",), name="norm")(lambda: None),
            "operator 'norm' contracts 'y', which 'x: ... n -> ... n' does not have",
        ),
        (
            lambda: operator("x: ... n -> ... n", saves={"mean": "reuse"}, name="norm")(lambda: Work()),
            "operator 'norm' saves 'mean', which 'x: ... n -> ... n' does not have; "
            "a tensor of its own needs Saved(name, why, dims)",
        ),
        (
            lambda: operator("x: ... n -> ... k", name="norm")(lambda: Work()),
            "operator 'norm': nothing gives the output's dimension 'k'",
        ),
        (
            lambda: operator("x: ... n => ... n", name="norm")(lambda: Work()),
            "signature 'x: ... n => ... n' needs exactly one '->' between operands and outputs",
        ),
    ],
)
def test_what_the_decorator_refuses(make: Callable[[], Any], message: str) -> None:
    """A signature, a formula and what is saved that do not agree are an error where the operator is defined."""
    with pytest.raises(SignatureError, match=exactly(message)):
        make()


def test_attributes_are_checked() -> None:
    """An unknown attribute, a missing one, and one for an operator without any are each named."""
    rule = operator("x: ... -> ...")(lambda *, stride, padding=0: Work())
    assert applied(rule, (2,), stride=1).outputs[0].shape == (2,)
    with pytest.raises(OperatorError, match=exactly("needs the attribute 'stride'")):
        applied(rule, (2,))
    with pytest.raises(OperatorError, match=exactly("has no attribute 'strides'; did you mean 'stride'?")):
        applied(rule, (2,), strides=1)
    with pytest.raises(OperatorError, match=exactly("has no attribute 'p'; it has none")):
        applied(double, (2, 4), p=0.1)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda: 5, "its formula returned 5; a formula returns Work(...)"),
        (lambda: None, "its formula returned None; a formula returns Work(...)"),
        (lambda: Work(vector_flops=-1), "its formula gave -1"),
        (
            lambda batch: Work(vector_flops=batch / 2),
            "its formula gave 3.0 for whole sizes; use exact_div or // instead of /",
        ),
    ],
)
def test_what_a_formula_must_not_give(formula: Callable[..., Any], message: str) -> None:
    """A formula gives work in whole, positive numbers: nothing else becomes a cost."""
    rule = operator("x: ... -> ...", name="odd")(formula)
    with pytest.raises(OperatorError, match=exactly(message)):
        applied(rule, (2, 3))


def test_shapes_are_checked() -> None:
    """Operands that do not fit the signature are a ShapeError with both sizes."""
    message = "dimension k is 3 in x but 4 in y: x[2, 3], y[4, 5] against 'x: ... m k, y: ... k n -> ... m n'"
    with pytest.raises(ShapeError, match=exactly(message)):
        applied(product, (2, 3), (4, 5))


@pytest.mark.parametrize(
    ("operator", "attributes", "says"),
    [
        ("reshape", {"shape": (-2, -2)}, r"gives \[-2, -2\]: a dimension is -2"),
        ("reshape", {"shape": (4.0,)}, "gives a dimension of 4.0, which is no integer"),
        ("slice", {"dim": 0, "length": 1.5}, "gives a dimension of 1.5"),
        ("split", {"sizes": (-1, 3)}, r"gives \[2, -1\]: a dimension is -1"),
        ("expand", {"shape": (2**63, 2, 2)}, r"gives \[9223372036854775808, 2, 2\]: a dimension"),
        ("pad", {"padding": ((-5, -5),)}, r"gives \[2, -8\]: a dimension is -8"),
    ],
)
def test_attributes_cannot_ask_for_a_tensor_that_cannot_be(
    operator: str, attributes: dict[str, object], says: str
) -> None:
    """Attributes come from files; what an operator makes of them is checked as sizes are."""
    b = Builder("m", default().operators)
    b.apply("reshape", b.input("whole", (2, 2)), shape=(4,))  # remembered, and equal to (4.0,)
    with pytest.raises(ShapeError, match=f"node 'n', operator '{operator}': {says}"):
        b.apply(operator, b.input("x", (2, 2)), name="n", **attributes)


def test_an_integer_of_sympy_is_an_int() -> None:
    """A size that sympy gives is an int when it is asked for; one that a quotient of symbols leaves is not remembered
    for ints, which it equals."""
    symbol = sympy.Symbol("n", positive=True, integer=True)
    assert type(check_dim(2 * symbol / symbol, "a size")) is int
    applied(double, (2 * symbol / symbol, 3))
    assert type(applied(double, (2, 3)).cost.vector_flops) is int
