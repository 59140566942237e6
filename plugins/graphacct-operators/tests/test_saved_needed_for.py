"""Which gradient each kept tensor serves, against what PyTorch keeps when only some of the gradients are wanted.

Measured with torch 2.13.0 on a CPU, in float32 and bfloat16 alike: hooks on saved tensors
(`torch.autograd.graph.saved_tensors_hooks`) around one operator, `requires_grad` set on the wanted operands only.
Operators that fold leading dimensions keep views; here each tensor has the operand's name.
"""

import graphacct_operators
import pytest
from each import each

from graphacct import TensorSpec
from graphacct.operators.saves import saved_tensors

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}


def f(*shape):
    return TensorSpec(shape)


X = f(2, 8, 16)
IMAGE = f(2, 4, 8, 8)
HEADS = f(2, 4, 8, 4)
LABELS = {"equation": "bsd,btd->bst"}
CONDITION = TensorSpec((2, 8, 16), "bool")
AT = TensorSpec((2, 4, 4), "int64")
ROWS = TensorSpec((3,), "int64")

# The operands and attributes; then what torch keeps for each set of wanted operands.
MEASURED = {
    "linear": ([X, f(48, 16), f(48)], {}, {"x": "weight", "weight": "x", "bias": "", "x weight bias": "x weight"}),
    "linear_in_out": (
        [X, f(16, 48), f(48)],
        {},
        {"x": "weight", "weight": "x", "bias": "", "x weight bias": "x weight"},
    ),
    "matmul": ([HEADS, f(2, 4, 4, 8)], {}, {"x": "y", "y": "x", "x y": "x y"}),
    "einsum": ([X, f(2, 5, 16)], LABELS, {"x": "y", "y": "x", "x y": "x y"}),
    "matmul_add": ([f(5), f(2, 3, 4), f(2, 4, 5)], {}, {"c": "", "x": "y", "y": "x", "c x y": "x y"}),
    "mv": ([f(3, 4), f(4)], {}, {"x": "y", "y": "x", "x y": "x y"}),
    "dot": ([f(4), f(4)], {}, {"x": "y", "y": "x", "x y": "x y"}),
    "outer": ([f(3), f(4)], {}, {"x": "y", "y": "x", "x y": "x y"}),
    "bilinear": (
        [f(4, 6), f(4, 7), f(5, 6, 7), f(5)],
        {},
        {"x": "y weight", "y": "x weight", "weight": "x y", "bias": "", "x y weight bias": "x y weight"},
    ),
    "weight_norm": ([f(6, 20, 3), f(6, 1, 1)], {}, dict.fromkeys(["v", "g", "v g"], "v g norm")),
    "solve_triangular": ([f(4, 4), f(4, 2)], {}, dict.fromkeys(["a", "b", "a b"], "a out")),
    "lu_solve": (
        [f(4, 4), TensorSpec((4,), "int32"), f(4, 2)],
        {},
        {"factors": "factors pivots out", "b": "factors pivots", "factors b": "factors pivots out"},
    ),
    "cholesky_solve": (
        [f(4, 2), f(4, 4)],
        {},
        dict.fromkeys(["b", "factor", "b factor"], "b factor out"),
    ),
    "solve": ([f(4, 4), f(4, 2)], {}, dict.fromkeys(["a", "b", "a b"], "a factors pivots out")),
    "l1_loss": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "difference")),
    **dict.fromkeys(
        ["smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"],
        ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y")),
    ),
    "kl_div": ([X, X], {}, {"x": "y", "y": "x y", "x y": "x y"}),
    "cdist": ([f(2, 5, 3), f(2, 4, 3)], {}, dict.fromkeys(["x", "y", "x y"], "x y out")),
    "euclidean_distance": ([f(2, 5, 3), f(2, 4, 3)], {}, dict.fromkeys(["x", "y", "x y"], "x y out")),
    "add": ([X, X], {}, {"x": "", "y": "", "x y": ""}),
    "sub": ([X, X], {}, {"x": "", "y": "", "x y": ""}),
    "mul": ([X, f(8, 16)], {}, {"x": "y", "y": "x", "x y": "x y"}),
    "div": ([X, f(8, 16)], {}, {"x": "y", "y": "x y", "x y": "x y"}),
    "maximum": ([X, X], {}, {"x": "x y", "y": "x y", "x y": "x y"}),
    "minimum": ([X, X], {}, {"x": "x y", "y": "x y", "x y": "x y"}),
    "where": ([CONDITION, X, X], {}, {"x": "condition", "y": "condition", "x y": "condition"}),
    "rotary_embedding": ([HEADS, f(8, 4), f(8, 4)], {}, {"x": "cos sin"}),
    "swiglu": ([X, X], {}, {"gate": "gate up", "up": "activated", "gate up": "gate up activated"}),
    "geglu": ([X, X], {}, {"gate": "gate up", "up": "activated", "gate up": "gate up activated"}),
    "geglu_tanh": ([X, X], {}, {"gate": "gate up", "up": "activated", "gate up": "gate up activated"}),
    "layer_norm": (
        [X, f(16), f(16)],
        {},
        dict.fromkeys(["x", "weight", "bias", "x weight bias"], "x weight bias mean rstd"),
    ),
    "group_norm": (
        [IMAGE, f(4), f(4)],
        {"groups": 2},
        dict.fromkeys(["x", "weight", "bias", "x weight bias"], "x weight mean rstd"),
    ),
    "scaled_dot_product_attention": (
        [HEADS, HEADS, HEADS],
        {},
        # On the CPU without the random state, which only CUDA's kernel has.
        dict.fromkeys(["q", "k", "v", "q k v"], "q k v out logsumexp rng_state rng_offset"),
    ),
    "convolution": (
        [f(2, 3, 8, 8), f(4, 3, 3, 3), f(4)],
        {},
        dict.fromkeys(["x", "weight", "bias", "x weight bias"], "x weight"),
    ),
    "convolution_transposed": (
        [f(2, 3, 8, 8), f(3, 4, 3, 3), f(4)],
        {},
        dict.fromkeys(["x", "weight", "bias", "x weight bias"], "x weight"),
    ),
    "mse_loss": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y")),
    "concat": ([X, X], {"dim": 0}, {"x0": "", "xs": "", "x0 xs": ""}),
    "stack": ([X, X], {}, {"x0": "", "xs": "", "x0 xs": ""}),
    "remainder": ([X, X], {}, {"x": "", "y": "x y", "x y": "x y"}),
    "fmod": ([X, X], {}, {"x": "", "y": "x y", "x y": "x y"}),
    "floor_divide": ([X, X], {}, {"x": "", "y": "", "x y": ""}),
    "pow_tensor": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y out")),
    "clamp_tensor": ([X, X, X], {}, dict.fromkeys(["x", "low", "high", "x low high"], "x low high")),
    "lerp": ([X, X, X], {}, {"x": "weight", "y": "weight", "weight": "x y weight", "x y weight": "x y weight"}),
    "addcmul": ([X, X, X], {}, {"x": "", "y": "z", "z": "y", "x y z": "y z"}),
    "addcdiv": ([X, X, X], {}, {"x": "z", "y": "z", "z": "y z", "x y z": "y z"}),
    "atan2": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y")),
    "logaddexp": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y")),
    "xlogy": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y")),
    "complex": ([X, X], {}, {"x": "x", "y": "y", "x y": "x y"}),
    "polar": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "out")),
    "prelu": ([X, f(16)], {}, dict.fromkeys(["x", "weight", "x weight"], "x weight")),
    "masked_fill": ([X, CONDITION, f()], {}, dict.fromkeys(["x", "value", "x value"], "mask")),
    "masked_scatter": ([X, CONDITION, f(256)], {}, dict.fromkeys(["x", "source", "x source"], "mask")),
    "scatter": ([X, AT, f(2, 4, 4)], {"dim": 1}, dict.fromkeys(["x", "src", "x src"], "index")),
    "scatter_add": ([X, AT, f(2, 4, 4)], {"dim": 1}, {"x": "", "src": "index", "x src": "index"}),
    "scatter_reduce": (
        [X, AT, f(2, 4, 4)],
        {"dim": 1, "reduce": "amax"},
        dict.fromkeys(["x", "src", "x src"], "x index src out"),
    ),
    "index_add": (
        [X, ROWS, f(2, 3, 16)],
        {"dim": 1},
        {"x": "", "source": "index source", "x source": "index source"},
    ),
    "index_copy": (
        [X, ROWS, f(2, 3, 16)],
        {"dim": 1},
        {"x": "index", "source": "index source", "x source": "index source"},
    ),
    "index_reduce": (
        [X, ROWS, f(2, 3, 16)],
        {"dim": 1, "reduce": "amax"},
        dict.fromkeys(["x", "source", "x source"], "x index source out"),
    ),
    "put": ([X, ROWS, f(3)], {}, {"x": "index", "source": "index source", "x source": "index source"}),
    "cross": ([f(2, 3), f(2, 3)], {}, {"x": "y", "y": "x", "x y": "x y"}),
    "hypot": ([X, X], {}, {"x": "x out", "y": "y out", "x y": "x y out"}),
    "dist": ([X, X], {}, dict.fromkeys(["x", "y", "x y"], "x y out")),
    "index_put": ([X, f(2, 3, 16), ROWS], {"dims": (1,)}, dict.fromkeys(["x", "values", "x values"], "indices")),
    "slice_scatter": ([X, f(2, 4, 16)], {"dim": 1}, {"x": "", "src": "", "x src": ""}),
    "select_scatter": ([X, f(2, 16)], {"dim": 1}, {"x": "", "src": "", "x src": ""}),
}
NOT_MEASURED = {
    "embedding_bag": "what it keeps depends on the mode: test_losses_and_bags.py",
    **dict.fromkeys(("lstm", "gru", "rnn"), "torch keeps an opaque workspace; test_recurrent_operators.py"),
    "rms_norm": "one kernel on CUDA alone: the CPU runs a chain",
    "grouped_linear": "torch's kernels take sorted rows; what each keeps is below",
    "grouped_linear_in_out": "as grouped_linear",
    **dict.fromkeys(("grouped_columns", "grouped_products"), "as grouped_linear"),
    "scaled_dot_product_attention_with_sinks": "torch has no kernel with sinks",
    "copy_into": "keeps nothing",
    "embedding_renorm": "keeps nothing",
    "written_through": "keeps nothing",
    "latent_attention": "torch has no kernel on latents",
}
ONE_GRADIENT = {
    *(
        "embedding",
        "gather",
        "index_select",
        "index_pairs",
        "cross_entropy",
        "nll_loss",
        "soft_margin_loss",
        "multi_margin_loss",
        "ctc_loss",
        "index_fill",
        "index",
        "take",
    ),
    "masked_select",
}
"""Of several operands only one can have a gradient: the others are masks, indices and targets."""
NO_GRADIENT = {
    *("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "searchsorted"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
}
"""The result is bools or integers: nothing is kept."""


def test_every_operator_of_several_operands_is_in_the_table():
    """An operator whose factors may serve different gradients is measured, or left out for a reason."""
    several = {name for name, op in OPERATORS.items() if len(op.signature.inputs) > 1}
    assert several == {*MEASURED, *NOT_MEASURED, *ONE_GRADIENT, *NO_GRADIENT}
    assert all(not OPERATORS[name].saves for name in NO_GRADIENT)


@each(
    "name, wanted, expected",
    [(name, wanted, expected) for name, (_, _, rows) in MEASURED.items() for wanted, expected in rows.items()],
)
def test_only_what_serves_a_wanted_gradient_is_kept(name, wanted, expected):
    """With `requires_grad` on these operands, torch keeps these tensors."""
    operands, attributes, _ = MEASURED[name]
    kept = saved_tensors(OPERATORS[name], operands, attributes, wanted.split())
    assert sorted(tensor.name for tensor in kept) == sorted(expected.split())


@each("name", OPERATORS)
def test_what_is_kept_serves_operands_that_have_a_gradient(name):
    """`needed_for` names operands of the signature whose gradient is stated or contracted."""
    op = OPERATORS[name]
    for item in op.saves:
        assert {*item.needed_for.split()} <= {*op.gradients, *op.contracts}, item


def test_without_saying_whose_everything_is_kept():
    """No `wanted` means all: an operator alone does not know which operands need a gradient."""
    kept = saved_tensors(OPERATORS["linear"], [X, f(48, 16), f(48)])
    assert [tensor.name for tensor in kept] == ["x", "weight"]


@pytest.mark.parametrize("name", ["grouped_linear", "grouped_linear_in_out"])
def test_a_product_with_experts_keeps_what_a_linear_layer_does_and_whose_rows_they_are(name):
    """x for the weight's gradient, the weight for x's, and where the experts' rows end for any."""
    weight = f(4, 7, 5) if name == "grouped_linear" else f(4, 5, 7)
    operands = [f(6, 5), weight, TensorSpec((4,), "int32"), f(4, 7)]
    kept = {
        wanted: sorted(tensor.name for tensor in saved_tensors(OPERATORS[name], operands, {}, wanted.split()))
        for wanted in ("x", "weight", "bias", "x weight bias")
    }
    assert kept == {
        "x": ["ends", "weight"],
        "weight": ["ends", "x"],
        "bias": ["ends"],
        "x weight bias": ["ends", "weight", "x"],
    }
