"""The contract of an operator: what each inherited test finds, and what it says to do."""

from __future__ import annotations

from typing import Any

import pytest

from graphacct import Saved, TensorSpec, Work, hookimpl, operator
from graphacct.errors import ConfigError, PluginError
from graphacct.hooks.manager import load
from graphacct.testing import OperatorContract, Reference, Row
from graphacct.testing.contract import failures, registering
from graphacct.testing.rows import sized

ROWS = (Row([(2, 3)], vector_flops=12), Row([(4, 5, 7)], vector_flops=280))


@operator(
    "x: ... -> ...", gradients={"x": lambda batch: Work(vector_flops=batch)}, saves={"x": "the derivative is at x"}
)
def squared_relu(batch: Any) -> Work:
    """max(x, 0)² (So et al., 2021). 2 per element: a comparison, a product. Backward: 1 per element."""
    return Work(vector_flops=2 * batch)


class TestSquaredRelu(OperatorContract):
    """A sound operator passes all of it, as an author writes it."""

    operator = squared_relu
    rows = (
        Row([(2, 3)], vector_flops=12, read_bytes=24, write_bytes=24, gradients={"x": 6}, outputs=[(2, 3)]),
        Row([(4, 5, 7)], vector_flops=280),
    )


class TestRegistered(OperatorContract):
    """A registered operator may be called by its name."""

    operator = "linear"
    rows = (Row([(2, 3, 5), (7, 5), (7,)], matmul_flops=2 * 2 * 3 * 5 * 7, vector_flops=2 * 3 * 7),)
    wrong = ([(2, 3, 5), (5, 7)],)


def of(formula: Any, signature: str = "x: ... -> ...", rows: Any = ROWS, doc: str = "", **facts: Any) -> Any:
    """The contract of an operator made here."""
    told: dict[str, Any] = {"gradients": {"x": lambda batch: Work()}, **facts.pop("operator", {})}
    formula.__doc__ = doc or "max(x, 0)². 2 per element."
    return OperatorContract.of(operator(signature, name="mine", **told)(formula), rows=rows, **facts)


def failing(contract: Any, only: str = "") -> str:
    """The message of the one test that fails."""
    ((name, message),) = failures(contract)
    assert only in name
    return message


def test_a_wrong_cost() -> None:
    message = failing(of(lambda batch: Work(vector_flops=3 * batch)), "rows_state")
    assert message == (
        "operator 'mine': vector_flops of [(2, 3)] is 18, and the row says 12. One of the two is wrong: work it out by "
        "hand, and mend the formula or the row."
    )


def test_wrong_outputs_and_gradients() -> None:
    rows = [Row([(2, 3)], vector_flops=12, outputs=[(3, 2)])]
    assert "its outputs for [(2, 3)] are [(2, 3)]" in failing(of(lambda batch: Work(vector_flops=2 * batch), rows=rows))
    rows = [Row([(2, 3)], vector_flops=12, gradients={"x": 6})]
    assert "the gradient of x for [(2, 3)] is 0 FLOPs" in failing(
        of(lambda batch: Work(vector_flops=2 * batch), rows=rows)
    )


@pytest.mark.parametrize(("rows", "says"), [((), "has no rows"), ([Row([(2, 3)])], "no row states a cost")])
def test_rows_that_say_nothing(rows: Any, says: str) -> None:
    assert says in failing(of(lambda batch: Work(vector_flops=2 * batch), rows=rows), "rows_state")


def test_a_formula_that_is_right_for_ints_alone() -> None:
    """max(…) compares symbols, which have no order, and sweeps, which have many."""
    found = dict(failures(of(lambda batch: Work(vector_flops=2 * max(batch, 4)))))
    assert found["test_symbols_agree_with_ints"].startswith(
        "operator 'mine': [(2, 3)] raises TypeError with a symbol as"
    )
    assert found["test_arrays_agree_with_ints"].startswith(
        "operator 'mine': [(2, 3)] raises ValueError with an array as"
    )


def test_a_formula_that_takes_another_branch_for_symbols() -> None:
    found = dict(failures(of(lambda batch: Work(vector_flops=2 * batch if type(batch) is int else 3 * batch))))
    assert found["test_symbols_agree_with_ints"].startswith("operator 'mine': vector_flops of [(2, 3)] is ")
    assert found["test_symbols_agree_with_ints"].endswith("equal instead of /, max, min and ==.")


def test_a_cost_that_falls() -> None:
    contract = of(lambda batch: Work(vector_flops=2**62 - batch), rows=[Row([(2, 3)])], costs_in="nowhere")
    found = dict(failures(contract))
    assert "falls from" in found["test_costs_never_fall_when_a_size_grows"]
    contract.may_fall = {"size_2": "a test", "size_3": "a test"}
    assert "test_costs_never_fall_when_a_size_grows" not in dict(failures(contract))


def test_a_signature_that_takes_anything() -> None:
    """What the author says must be refused is refused, or the message says how."""
    contract = of(
        lambda: Work(vector_flops=12),
        "x: *a, y: *b -> *a",
        [Row([(2, 3), (5, 7)], vector_flops=12)],
        operator={"gradients": {"*": lambda: Work()}},
        wrong=([(2, 3), (4, 5)],),
    )
    assert failing(contract, "wrong_shapes") == (
        "operator 'mine': it takes the wrong operands [(2, 3), (4, 5)]. Equal dimensions have equal names in the "
        "signature, or infer= raises ShapeError."
    )


def test_numbers_that_operands_share_must_fit() -> None:
    """In dimensions without names too: what a row has twice is one size, unless the author says why not."""
    facts: dict[str, Any] = {"operator": {"gradients": {"*": lambda: Work()}}}
    rows = [Row([(2, 3), (3, 5)], vector_flops=12)]
    message = failing(of(lambda: Work(vector_flops=12), "x: *a, y: *b -> *a", rows, **facts), "wrong_shapes")
    assert message.startswith("operator 'mine': it takes x with a dimension of 1012. Equal dimensions have equal names")
    facts["may_differ"] = {"x": "any size fits"}
    assert [*failures(of(lambda: Work(vector_flops=12), "x: *a, y: *b -> *a", rows, **facts))] == []


def test_an_error_of_python() -> None:
    def broken(x: TensorSpec) -> Any:
        if type(x.shape[0]) is int and x.shape[0] > 1000:
            raise IndexError("out of range")
        return x.shape

    contract = of(
        lambda: Work(vector_flops=12),
        "x: *a -> *a",
        ROWS[:1],
        operator={"infer": broken, "gradients": {"x": lambda: Work()}},
    )
    assert (
        "raise IndexError: out of range. Raise ShapeError with the dimension's name"
        in dict(failures(contract))["test_wrong_shapes_raise_an_error_that_names_the_dimension"]
    )


def test_an_error_that_names_no_dimension() -> None:
    """A dimension that a signature names is in the core's message; one of infer's errors must have it too."""

    def infer(x: TensorSpec, y: TensorSpec) -> Any:
        return x.shape

    contract = of(
        lambda n: Work(vector_flops=2 * n),
        "x: n, y: n -> n",
        [Row([(6,), (6,)], vector_flops=12)],
        operator={"gradients": {"*": lambda: Work()}, "infer": infer},
    )
    assert [*failures(contract)] == []
    with pytest.raises(AssertionError, match="The error must name the dimension rows"):
        contract()._refuses([TensorSpec((6,)), TensorSpec((5,))], {}, "other rows", "rows")


@pytest.mark.parametrize(
    ("doc", "says"),
    [
        ("Squares what is positive.", "states no factor"),
        ("2 per element.", "states a factor without a source"),
    ],
)
def test_a_docstring_without_factor_or_source(doc: str, says: str) -> None:
    assert says in failing(of(lambda batch: Work(vector_flops=2 * batch), doc=doc), "docstring")


def test_a_docstring_that_is_silent_about_gradients() -> None:
    contract = of(
        lambda batch: Work(vector_flops=2 * batch),
        operator={"gradients": {"x": lambda batch: Work(vector_flops=batch)}},
    )
    assert "says nothing of the gradients" in failing(contract, "docstring")


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        (Saved("x", "needed"), "because 'needed'"),
        (Saved("x", "the gradient needs it", needed_for="y"), "is needed for y, which is no operand"),
        (Saved("x", "the gradient needs it", if_attribute="p"), "is saved if 'p', which is no attribute"),
        (Saved("mask", "the gradient needs it", "... k"), "what it saves for [(2, 3)] cannot be found"),
    ],
)
def test_a_saved_tensor_that_is_none(saved: Saved, says: str) -> None:
    contract = of(lambda batch: Work(vector_flops=2 * batch), operator={"saves": [saved]})
    assert says in failing(contract, "saved")


def test_a_gradient_that_is_missing_or_excused_for_nothing() -> None:
    formula = lambda batch: Work(vector_flops=2 * batch)  # noqa: E731
    assert "the gradient of x is not stated" in failing(of(formula, operator={"gradients": {}}), "gradients")
    assert [*failures(of(formula, operator={"gradients": {}}, without_gradient={"x": "a table"}))] == []
    assert "take 'x' out of without_gradient" in failing(of(formula, without_gradient={"x": "a table"})).lower()


def test_a_size_that_an_attribute_has_too() -> None:
    """Numbers in attributes stay, so such a row is a function of its sizes; the message says so."""
    wanted = {"shape": (6, 5)}
    rows = [Row([(2, 3, 5)], wanted)]
    assert "write the row's operands as a function of sizes" in dict(
        failures(OperatorContract.of("reshape", rows=rows, costs_in="x"))
    ).get("test_costs_never_fall_when_a_size_grows", "")
    rows = [Row(lambda a, b, c: ([(a, b, c)], {"shape": (a * b, c)}), sizes={"a": 2, "b": 3, "c": 5})]
    assert [*failures(OperatorContract.of("reshape", rows=rows, costs_in="x"))] == []


def test_a_row_that_is_no_function_of_its_sizes() -> None:
    with pytest.raises(ConfigError, match=r"a function of a, b has sizes= for these"):
        Row(lambda a, b: ([(a, b)], {}), sizes={"a": 2})
    with pytest.raises(ConfigError, match="writes its operands as a function of sizes"):
        sized(Row([TensorSpec((2, 3), "float32", (1, 2))]))


def test_equal_numbers_are_one_size() -> None:
    """The names are the signature's."""
    row = sized(Row([(2, 3, 5), (7, 5)]), operator("x: ... k, weight: n k -> ... n", name="p")(lambda: None))
    assert row.sizes == {"size_2": 2, "size_3": 3, "k": 5, "n": 7}
    assert [spec.shape for spec in row.at({"k": 11})[0]] == [(2, 3, 11), (7, 11)]


def test_no_operator_and_an_unknown_one() -> None:
    class TestNothing(OperatorContract):
        pass

    class TestUnknown(OperatorContract):
        operator = "squared_rel"

    assert "names no operator: write `operator = …`" in next(failures(TestNothing))[1]
    assert "no operator 'squared_rel' is registered" in next(failures(TestUnknown))[1]


def reference(result: Any) -> Any:
    """Plugins of which one measures a reference."""

    class Measuring:
        @hookimpl
        def graphacct_measure_reference(self, function: Any, operands: Any, attributes: Any) -> Any:
            assert function == "torch.nn.functional.relu"
            return result

    plugins = load()
    plugins.register(registering("operators", [squared_relu]), "mine", "mine.py")
    plugins.register(Measuring(), "measuring", "measuring.py")
    return plugins


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        (
            {"outputs": ((2, 4), "float32")},
            "outputs for [(2, 3)]: [((2, 3), 'float32')] here, [((2, 4), 'float32')] in",
        ),
        ({"saved_bytes": 25}, "saved bytes for [(2, 3)]: 24 here, 25 in torch.nn.functional.relu. Find out"),
        ({"matmul_flops": 2}, "matmul_flops for [(2, 3)]: 0 here, 2 in"),
        ({"gradient_matmul_flops": 2}, "matmul_flops of the gradients for [(2, 3)]: 0 here, 2 in"),
        ({"saved_bytes": 24, "matmul_flops": 0, "gradient_matmul_flops": 0}, ""),
    ],
)
def test_a_frameworks_own_function(theirs: dict[str, Any], says: str) -> None:
    """What a plugin measures of it is compared, and what it leaves out is not."""
    shape, dtype = theirs.pop("outputs", ((2, 3), "float32"))
    plugins = reference(Reference((TensorSpec(shape, dtype),), **theirs))
    contract = OperatorContract.of(squared_relu, rows=ROWS[:1], plugins=plugins, reference="torch.nn.functional.relu")
    found = dict(failures(contract)).get("test_it_costs_what_the_framework_does", "")
    assert says in found
    assert bool(says) == bool(found)


def test_a_plugin_that_measures_nonsense() -> None:
    contract = OperatorContract.of(
        squared_relu, rows=ROWS[:1], plugins=reference(12), reference="torch.nn.functional.relu"
    )
    with pytest.raises(PluginError, match=r"plugin measuring \(measuring.py\) returned 12, which is no Reference"):
        contract().test_it_costs_what_the_framework_does()
