"""What gradients cost: every operand has one or is left out for a reason, and factors are those documented."""

import re

import graphacct_operators
import pytest
from each import each
from graphacct_operators import activation, arithmetic, comparison, elementary, elementwise, shrinking, special

from graphacct import Node, Operator, Parameter, TensorSpec, Value, Work
from graphacct.tensors import FLOATING
from graphacct.training.gradients import GradientWork, gradient_work

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}
INTEGERS = {
    "ids",
    "offsets",
    "input_lengths",
    "target_lengths",
    "index",
    "indices",
    "targets",
    "condition",
    "mask",
    "rows",
    "columns",
    "ends",
    "owners",
    "pivots",
}
CONSTANT = {
    ("rotary_embedding", "cos"): "a table",
    ("rotary_embedding", "sin"): "a table",
    ("masked_fill", "mask"): "bools",
    ("soft_margin_loss", "y"): "torch has none",
    ("multi_margin_loss", "weight"): "a constant of the loss, one per class",
    ("nll_loss", "weight"): "a constant of the loss, one per class",
    ("binary_cross_entropy", "weight"): "a constant of the loss",
    ("binary_cross_entropy_with_logits", "weight"): "a constant of the loss",
    ("binary_cross_entropy_with_logits", "pos_weight"): "a constant of the loss, one per class",
}
FIRST_BACKWARD_FACTOR = re.compile(r"Backward: (\d+) per element")
PASSED_ON = re.compile(r"Backward: (g itself|the sum|none|a slice|g is)")


def f(*shape):
    return TensorSpec(shape)


def gradient(name, operands, of, **attributes):
    """The work of one operand's gradient."""
    op = OPERATORS[name]
    values = [Value(f"v{place}", spec) for place, spec in enumerate(operands)]
    outputs = [Value(f"out:{place}", spec) for place, spec in enumerate(op.apply(operands, attributes).outputs)]
    found = gradient_work(
        op, Node("n", name, values, outputs, attributes), [place == of for place in range(len(values))]
    )
    assert found.weight_grad == Work()
    assert found.recompute == Work() or op.recomputes
    return found.input_grad


def again(name, operands, **attributes):
    """What the backward kernel computes once more of the forward pass."""
    values = [Value(f"v{place}", spec) for place, spec in enumerate(operands)]
    outputs = [Value("out", spec) for spec in OPERATORS[name].apply(operands, attributes).outputs]
    return gradient_work(OPERATORS[name], Node("n", name, values, outputs, attributes), [True] * len(values)).recompute


@each("name", OPERATORS)
def test_every_operand_has_a_gradient(name):
    """Each floating operand's is stated, contracted, or passed through a view; anything else is named here."""
    op = OPERATORS[name]
    open_ = [
        term.name
        for term in op.signature.inputs
        if term.name not in {*op.gradients, *op.contracts, *INTEGERS}
        and (name, term.name) not in CONSTANT
        and "*" not in op.gradients
        and op.view is not True
        and not op.stops_gradient
    ]
    assert open_ == []


def test_operands_without_a_gradient_exist():
    """What the table above leaves out is still there, and still states none."""
    for name, operand in CONSTANT:
        assert operand in [term.name for term in OPERATORS[name].signature.inputs]
        assert operand not in OPERATORS[name].gradients


@each(
    "op",
    [
        op
        for family in (elementwise, activation, arithmetic, elementary, special, comparison, shrinking)
        for op in vars(family).values()
        if isinstance(op, Operator) and op.name not in ("pow", "rotary_embedding", "glu")
    ],
)
def test_documented_factor_is_the_one_counted(op):
    """On 7 · 11 = 77 elements the first floating operand's gradient is 77 times the first factor of `Backward:`."""
    specs = [TensorSpec((7, 11), "bool" if t.name in INTEGERS else "float32") for t in op.signature.inputs]
    first = next(place for place, spec in enumerate(specs) if spec.dtype in FLOATING)
    attributes = {"p": 0.1} if "p" in op.attributes else {}
    work = gradient(op.name, specs, first, **attributes)
    stated = FIRST_BACKWARD_FACTOR.search(op.doc)
    if stated is None:
        assert PASSED_ON.search(op.doc), op.doc
    factor = int(stated[1]) if stated and not op.doc[: stated.start()].endswith("g itself for x, ") else 0
    assert work.vector_flops == 77 * factor
    assert work.transcendentals <= work.vector_flops
    assert work.matmul_flops == 0


@each("name", [name for name, op in OPERATORS.items() if op.gradients])
def test_docstring_states_the_factor(name):
    """`explain` prints what a gradient costs and why."""
    assert "Backward" in OPERATORS[name].doc


def test_gradient_of_what_was_broadcast_is_summed():
    """A bias of 5 added to (2, 3, 5): g is summed to it, 30 additions; x takes g as it is."""
    assert gradient("add", [f(2, 3, 5), f(5)], 0) == Work()
    assert gradient("add", [f(2, 3, 5), f(5)], 1) == Work(vector_flops=30)
    assert gradient("add", [f(2, 3, 5), f(2, 1, 5)], 1) == Work(vector_flops=30)
    assert gradient("mul", [f(2, 3, 5), f(3, 5)], 1) == Work(vector_flops=2 * 30)
    assert gradient("sub", [f(2, 3, 5), f(2, 3, 5)], 1) == Work(vector_flops=30)


def test_a_dimension_of_one_that_stays_one_is_no_broadcast():
    """(1, 5) and (1, 5) have the output's shape: there is nothing to sum."""
    assert gradient("add", [f(1, 5), f(1, 5)], 1) == Work()


def test_linear_layer():
    """2 · 6 · 5 · 7 for x and for the weight, 6 · 7 for the bias, told apart as input and weight gradients."""
    specs = [f(2, 3, 5), f(7, 5), f(7)]
    operands = [Value("x", specs[0]), Parameter("w", specs[1]), Parameter("b", specs[2])]
    node = Node("fc", "linear", operands, [Value("fc", f(2, 3, 7))])
    assert gradient_work(OPERATORS["linear"], node, [True] * 3) == GradientWork(
        Work(matmul_flops=2 * 6 * 5 * 7), Work(matmul_flops=2 * 6 * 5 * 7, vector_flops=6 * 7)
    )


def test_matmul_sums_a_batch_that_was_broadcast():
    """x of one head against 4: 4 gradients of 3 · 5 are summed; a plain matrix is contracted over all at once."""
    flops = 2 * 2 * 4 * 3 * 5 * 7
    assert gradient("matmul", [f(2, 4, 3, 5), f(2, 4, 5, 7)], 0) == Work(matmul_flops=flops)
    assert gradient("matmul", [f(2, 1, 3, 5), f(2, 4, 5, 7)], 0) == Work(flops, 2 * 4 * 3 * 5)
    assert gradient("matmul", [f(2, 4, 3, 5), f(4, 5, 7)], 1) == Work(flops, 2 * 4 * 5 * 7)
    assert gradient("matmul", [f(2, 4, 3, 5), f(5, 7)], 1) == Work(matmul_flops=flops)


def test_einsum():
    """A contraction is as large backwards; a product of elements is 1 for x, and a sum more for what lacks a label."""
    operands = [f(2, 3, 5), f(2, 7, 5)]
    assert gradient("einsum", operands, 1, equation="bsd,btd->bst") == Work(matmul_flops=2 * 2 * 3 * 7 * 5)
    operands = [f(2, 3, 5), f(3, 5)]
    assert gradient("einsum", operands, 0, equation="bsd,sd->bsd") == Work(vector_flops=30)
    assert gradient("einsum", operands, 1, equation="bsd,sd->bsd") == Work(vector_flops=60)


@pytest.mark.parametrize(
    ("operands", "attributes"),
    [
        ([f(2, 6, 11), f(4, 3, 3), f(4)], {"groups": 2, "stride": 2, "padding": 1}),
        ([f(2, 3, 8, 8), f(4, 3, 3, 3), f(4)], {}),
    ],
)
def test_convolution_costs_as_much_for_x_and_for_the_weight(operands, attributes):
    """Both correlate as many pairs as the forward pass; the bias takes the sum of g."""
    application = OPERATORS["convolution"].apply(operands, attributes)
    forward = Work(matmul_flops=application.cost.matmul_flops)
    assert gradient("convolution", operands, 0, **attributes) == forward
    assert gradient("convolution", operands, 1, **attributes) == forward
    bias = Work(vector_flops=application.outputs[0].elements)
    assert gradient("convolution", operands, 2, **attributes) == bias


def test_transposed_convolution_costs_as_much_for_x_and_for_the_weight():
    """Both have the forward pass's pairs: 2 · (2 · 6 · 5) · 4 · 3."""
    operands = [f(2, 6, 5), f(6, 4, 3)]
    for of in (0, 1):
        assert gradient("convolution_transposed", operands, of) == Work(matmul_flops=2 * 60 * 4 * 3)


def test_fused_attention_is_four_products_and_one_again():
    """b = 2, h = 4, s = 3, t = 5, d = 6, e = 7: q's and k's gradients at 2 b h s t d, the softmax's and v's at
    2 b h s t e, twice the forward pass; the scores once more at 2 b h s t d."""
    operands = [f(2, 4, 3, 6), f(2, 4, 5, 6), f(2, 4, 5, 7)]
    forward = OPERATORS["scaled_dot_product_attention"].apply(operands, {}).cost.matmul_flops
    scores = 2 * 4 * 3 * 5
    # 3 per score: the softmax's subtraction and product, the scale. 2 per element of the output.
    work = gradient("scaled_dot_product_attention", operands, 0)
    assert work == Work(2 * forward, 3 * scores + 2 * (2 * 4 * 3 * 7))
    # 3 per score: the scale, the subtraction of the logsumexp, exp.
    assert again("scaled_dot_product_attention", operands) == Work(2 * scores * 6, 3 * scores, scores)


def test_fused_attention_with_everything():
    """Dropout is 2 more per score, and 2 again; a causal mask 1 again; two query heads to a key sum b h t (d + e)."""
    operands = [f(2, 4, 3, 6), f(2, 2, 5, 6), f(2, 2, 5, 7)]
    scores = 2 * 4 * 3 * 5
    plain = gradient("scaled_dot_product_attention", [f(2, 4, 3, 6), f(2, 4, 5, 6), f(2, 4, 5, 7)], 0)
    work = gradient("scaled_dot_product_attention", operands, 0, causal=True, dropout_p=0.1)
    assert work.vector_flops - plain.vector_flops == 2 * scores + 2 * 4 * 5 * (6 + 7)
    unscaled = gradient("scaled_dot_product_attention", operands, 0, scale=1, causal=True, dropout_p=0.1)
    assert work.vector_flops - unscaled.vector_flops == scores
    more = again("scaled_dot_product_attention", operands, causal=True, dropout_p=0.1)
    assert more.vector_flops - again("scaled_dot_product_attention", operands).vector_flops == (1 + 2) * scores


def test_fused_attention_with_a_cap():
    """The cap's gradient is 3 for the tanh and 1 for each of its scales; made again it is 3, one of them a tanh."""
    operands = [f(2, 4, 3, 6), f(2, 4, 5, 6), f(2, 4, 5, 7)]
    scores = 2 * 4 * 3 * 5
    name = "scaled_dot_product_attention"
    plain, capped = (gradient(name, operands, 0, softcap=cap) for cap in (False, True))
    assert capped.vector_flops - plain.vector_flops == (3 + 1 + 1) * scores
    assert again(name, operands, softcap=True) == Work(2 * scores * 6, (3 + 3) * scores, 2 * scores)


def test_what_was_repeated_is_summed():
    """(2, 1, 5) expanded or repeated to (2, 3, 5): g's 30 elements are added up, though an expansion is a view."""
    assert gradient("expand", [f(2, 1, 5)], 0, shape=(2, 3, 5)) == Work(vector_flops=30)
    assert gradient("expand", [f(2, 3, 5)], 0, shape=(2, 3, 5)) == Work()
    assert gradient("repeat", [f(2, 1, 5)], 0, times=(1, 3, 1)) == Work(vector_flops=30)
    assert gradient("repeat", [f(2, 1, 5)], 0, times=(1, 1, 1)) == Work()


@pytest.mark.parametrize(
    ("exponent", "flops", "transcendentals"), [(2, 2, 0), (3, 3, 0), (4, 4, 0), (0.5, 3, 1), (5, 3, 1)]
)
def test_powers(exponent, flops, transcendentals):
    """The derivative's own power is nothing, 1 or 2 products, or else transcendental; 2 more for exponent and g."""
    assert gradient("pow", [f(7)], 0, exponent=exponent) == Work(0, 7 * flops, 7 * transcendentals)


def test_dropout_of_nothing_passes_g():
    """With p = 0 there is nothing to undo."""
    assert gradient("dropout", [f(7)], 0, p=0.0) == Work()
    assert gradient("dropout", [f(7)], 0, p=0.1) == Work(vector_flops=14)


def test_norms_without_a_weight():
    """1 per element less for x: g need not be scaled. Rows of 5: 6 of them, 2 divisions each for layer_norm."""
    assert gradient("layer_norm", [f(2, 3, 5)], 0) == Work(vector_flops=9 * 30 + 2 * 6)
    assert gradient("layer_norm", [f(2, 3, 5), f(5)], 0) == Work(vector_flops=10 * 30 + 2 * 6)
    assert gradient("rms_norm", [f(2, 3, 5)], 0) == Work(vector_flops=6 * 30 + 6)
    assert gradient("group_norm", [f(2, 6, 5)], 0, groups=3) == Work(vector_flops=9 * 60 + 2 * 2 * 3)


@pytest.mark.parametrize(("reduction", "division"), [("mean", 1), ("sum", 0), ("none", 0)])
def test_losses(reduction, division):
    """5 classes in 6 rows: 4 per logit and an exp, 1 per row; (x - y) · 2 · g for each side of the squares."""
    targets = TensorSpec((2, 3), "int64")
    work = gradient("cross_entropy", [f(2, 3, 5), targets], 0, reduction=reduction)
    assert work == Work(0, 4 * 30 + 6 + division, 30)
    for of in (0, 1):
        work = gradient("mse_loss", [f(2, 3, 5), f(2, 3, 5)], of, reduction=reduction)
        assert work == Work(vector_flops=3 * 30 + division)


def test_lookups_add_each_element_of_g():
    """3 ids of rows of 5 add 15 elements to the table; topk only puts g in place."""
    ids = TensorSpec((3,), "int64")
    assert gradient("embedding", [ids, f(9, 5)], 1) == Work(vector_flops=15)
    assert gradient("index_select", [f(9, 5), ids], 0, dim=0) == Work(vector_flops=15)
    assert gradient("index_pairs", [f(9, 4, 5), ids, ids], 0) == Work(vector_flops=15)
    assert gradient("argmax", [f(9, 5)], 0) == Work()
    assert gradient("topk", [f(9, 5)], 0, k=2) == Work()


def test_a_table_of_rotary_positions_states_no_gradient():
    """Asked for the gradient of the cosines, the answer is that none is stated, not zero."""
    operands = [f(2, 3, 5, 8), f(5, 4), f(5, 4)]
    values = [Value(f"v{place}", spec) for place, spec in enumerate(operands)]
    node = Node("rope", "rotary_embedding", values, [Value("rope", operands[0])])
    assert gradient_work(OPERATORS["rotary_embedding"], node, [True, True, False]) is None
