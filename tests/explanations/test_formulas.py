"""Formulas of a node: the operator's own, computed with sizes that record it, and the sizes for which they hold."""

from typing import Any

import numpy
import pytest
import sympy

from graphacct import Builder, TensorSpec, account, explain
from graphacct.explanations.formulas import formulas
from graphacct.explanations.named import named_gradients
from graphacct.hooks.manager import default
from graphacct.training.gradients import gradient_parts


def node(operator: str, *shapes: tuple[int, ...], **attributes: Any) -> Any:
    """The cost of one operator, alone in a graph."""
    b = Builder("one", default().operators)
    values = [b.input(f"x{index}", shape) for index, shape in enumerate(shapes)]
    report = account(b.graph(b.apply(operator, *values, name="it", **attributes)))
    return report.annotated.costs[-1]


def of(operator: str, *shapes: tuple[int, ...], **attributes: Any) -> dict[str, str]:
    """The formulas of an operator's figures."""
    found = formulas(default().operators[operator], node(operator, *shapes, **attributes))
    return {name: formula for name, (formula, _) in found.items()}


def gradient(operator: str, wanted: int, *shapes: tuple[int, ...]) -> dict[str, tuple[str, str]]:
    """The formulas of the gradient of one operand."""
    record, own = node(operator, *shapes), default().operators[operator]
    (part,) = gradient_parts(own, record.node, [place == wanted for place in range(len(shapes))]) or ()
    return {name: (each.text, each.substituted) for name, each in named_gradients(own, record, part).items()}


def test_flops_are_collected_and_bytes_have_a_term_for_each_operand() -> None:
    """Attention is two products of s and t; its bytes are those of q, k and v."""
    found = of("scaled_dot_product_attention", (2, 4, 8, 16), (2, 4, 8, 16), (2, 4, 8, 16))
    assert found["matmul_flops"] == "2 · b · h · s · t · (d + e)"
    assert found["read_bytes"] == "4 · b · h · s · d + 4 · b · d · g · t + 4 · b · g · t · e"


@pytest.mark.parametrize(("heads", "says"), [(4, " (for h = g)"), (2, " (for h ≠ g)")])
def test_a_formula_that_branches_says_for_which_sizes_it_holds(heads: int, says: str) -> None:
    """With fewer heads of keys than of queries their gradients are summed."""
    record = node("scaled_dot_product_attention", (2, 4, 8, 16), (2, heads, 8, 16), (2, heads, 8, 16))
    own = default().operators["scaled_dot_product_attention"]
    part = gradient_parts(own, record.node, [True] * 3)[-1]  # type: ignore[index]
    found = named_gradients(own, record, part)["vector_flops"]
    assert found.text.endswith(says)
    assert found.substituted.startswith("2 · 4 · ")
    assert "for" not in found.substituted


def test_what_operands_must_have_to_fit_is_no_branch() -> None:
    """An einsum asks whether sizes agree, and group norm whether the groups divide the channels: it refuses others."""
    assert of("einsum", (3, 8), (8, 5), equation="ab,bc->ac")["matmul_flops"] == "2 · first_0 · first_1 · second_1"
    assert of("group_norm", (2, 12, 7), (12,), (12,), groups=4)["transcendentals"] == "4 · b"


def test_what_makes_no_difference_to_a_figure_is_not_said() -> None:
    """A factor of one number is summed; a matrix with one column is not."""
    assert gradient("mul", 1, (4, 6), (1,))["vector_flops"] == ("2 · batch (for batch > 1, y_0 = 1)", "2 · 24")
    assert gradient("matmul", 0, (2, 6, 5), (2, 5, 7))["vector_flops"][0] == "0"
    assert gradient("matmul", 0, (2, 6, 1), (2, 1, 7))["vector_flops"][0] == "0"


def test_a_size_that_is_counted_out_is_held() -> None:
    """Adaptive pooling goes over its windows one by one."""
    found = of("adaptive_avg_pool", (2, 3, 8, 8), size=(2, 2))
    assert found["vector_flops"].endswith(" (for space_0 = 8, size_0 = 2, space_1 = 8, size_1 = 2)")
    assert found["read_bytes"] == "4 · b · c · space_0 · space_1"


def test_a_logarithm_holds_between_two_powers() -> None:
    """FFTW's 5 n log2 n: five passes for 17 to 32 points."""
    own = default().operators["fft_c2c"]
    b = Builder("one", default().operators)
    record = account(b.graph(b.apply("fft_c2c", b.input("x", (6, 24), "complex64"), name="it"))).annotated.costs[-1]
    assert formulas(own, record)["vector_flops"][0] == "25 · x_0 · x_1 (for x_1 > 16, x_1 ≤ 32)"
    assert record.node.inputs[0].spec == TensorSpec((6, 24), "complex64")


def test_sizes_that_are_symbols_of_the_caller_have_no_second_formula() -> None:
    """The figures are formulas themselves, in the caller's symbols."""
    report = account("gpt2", seq_len=sympy.Symbol("seq_len", integer=True, positive=True))
    (line,) = explain(report, "attn.c_attn", "matmul_flops").lines
    assert (line.formula, str(line.exact)) == ("", "3538944*seq_len")
    (ratio,) = explain(report, "attn.c_attn", "arithmetic_intensity").lines
    assert ratio.formula == "flops / (read_bytes + write_bytes)"
    assert ratio.substituted.startswith("42494976*seq_len / (")


def test_a_sweep_is_explained() -> None:
    """A ratio of arrays has a formula, in the names of the figures; what divides by zero has that of other figures."""
    swept = explain(account("gpt2", seq_len=numpy.array([8, 16], dtype=object)), "attn.c_attn", "arithmetic_intensity")
    assert swept.lines[0].formula == "flops / (read_bytes + write_bytes)"
    view = explain(account("gpt2", seq_len=8), "attn.q_heads", "arithmetic_intensity").lines[0]
    assert (view.formula, view.value) == ("flops / (read_bytes + write_bytes)", None)
