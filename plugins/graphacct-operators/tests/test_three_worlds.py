"""Every operator keeps its contract: above all, ints, symbols and arrays agree, whatever the sizes."""

import inspect
import os
from random import Random

import graphacct_operators
from each import each

from graphacct import TensorSpec
from graphacct.testing import OperatorContract, Row
from graphacct.testing.contract import failures
from graphacct.testing.rows import sized
from graphacct.testing.worlds import arrays_against_ints, figures_of, symbols_against_ints

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}
SIZES = ("b", "s", "t", "d", "e", "g", "k")


def f(*shape):
    return TensorSpec(shape)


def i(*shape):
    return TensorSpec(shape, "int64")


def m(*shape):
    return TensorSpec(shape, "bool")


def turned(b, s, d):
    """The transpose of a (b, s, d) tensor: a strided operand."""
    return TensorSpec((b, d, s), "float32", (s * d, 1, d))


def unary(**attributes):
    return lambda b, s, d: ([f(b, s, d)], attributes)


def binary(b, s, d):
    """The second operand broadcasts."""
    return [f(b, s, d), f(s, d)], {}


def gated(b, s, d):
    return [f(b, s, d), f(b, s, d)], {}


NUMBERS = """
floor ceil round trunc sign frac rsub pow_of_number exp2 expm1 log1p log2 log10 tan asin acos atan sinh cosh asinh acosh
atanh erf erfc erfinv lgamma digamma nan_to_num isnan isinf isfinite logical_not log_sigmoid softshrink hardshrink
threshold celu cumprod cummax cummin sort argsort
"""
PAIRS = """
floor_divide remainder fmod pow_tensor atan2 logaddexp xlogy hypot eq ne lt le gt ge logical_and logical_or logical_xor
"""
CASES = {
    "linear": lambda b, s, d, e: ([f(b, s, d), f(e, d), f(e)], {}),
    "linear_in_out": lambda b, s, d, e: ([f(b, s, d), f(d, e), f(e)], {}),
    "grouped_linear": lambda b, s, d, e: ([f(b, d), f(s, e, d), i(s), f(s, e)], {}),
    "grouped_linear_in_out": lambda b, s, d, e: ([f(b, d), f(s, d, e), i(s), f(s, e)], {}),
    "grouped_columns": lambda b, s, d, e: ([f(s, b, d), f(d, e), i(s)], {}),
    "grouped_products": lambda b, s, d, e: ([f(b, d), f(d, e), i(s)], {}),
    "matmul": lambda b, s, d, e: ([f(b, s, d), f(b, d, e)], {}),
    "fill": lambda b, s, d, e: ([f(b, s, d)], {}),
    "copy_into": lambda b, s, d, e: ([f(b, s, d), f(d)], {}),
    "written_through": lambda b, s, d, e: ([f(b, s, d), f(b, d)], {}),
    "einsum": lambda b, s, t, d: ([f(b, s, d), f(b, t, d)], {"equation": "bsd,btd->bst"}),
    "matmul_add": lambda b, s, d, e: ([f(e), f(b, s, d), f(b, d, e)], {"alpha": 2}),
    "mv": lambda s, d: ([f(s, d), f(d)], {}),
    "dot": lambda d: ([f(d), f(d)], {}),
    "outer": lambda s, d: ([f(s), f(d)], {}),
    "cross": lambda b, s: ([f(b, 3, s), f(b, 3, s)], {"dim": 1}),
    "dist": lambda b, s: ([f(b, s), f(b, s)], {"p": 3}),
    "pdist": lambda b, d: ([f(b, d)], {}),
    "multi_margin_loss": lambda b, d: ([f(b, d), i(b), f(d)], {"p": 2}),
    "embedding_renorm": lambda b, s, t, d: ([f(b, d), i(s, t)], {}),
    "trace": lambda s, d: ([f(s, d)], {}),
    "put": lambda b, s, t: ([f(b, s), i(t), f(t)], {"accumulate": True}),
    "index_reduce": lambda b, s, t, d: ([f(b, s, d), i(t), f(b, t, d)], {"dim": 1, "reduce": "mean"}),
    "unique": lambda b, s, t: ([f(b, s)], {"count": t, "dim": 0, "inverse": True, "counts": True}),
    "bilinear": lambda b, d, e, g: ([f(b, d), f(b, e), f(g, d, e), f(g)], {}),
    "lstm": lambda b, s, d, e: ([f(s, b, d), f(4 * e, d), f(4 * e, e), f(4 * e), f(4 * e)], {}),
    "gru": lambda b, s, d, e: ([f(s, b, d), f(3 * e, d), f(3 * e, e), f(3 * e), f(3 * e)], {"states": True}),
    "rnn": lambda b, s, d, e: ([f(b, s, d), f(e, d), f(e, e)], {"batch_first": True}),
    "weight_norm": lambda s, d: ([f(s, d), f(s, 1)], {}),
    "solve_triangular": lambda d, t: ([f(d, d), f(d, t)], {}),
    "solve": lambda b, d, t: ([f(b, d, d), f(b, d, t)], {}),
    **dict.fromkeys(
        ["inv", "cholesky", "det", "slogdet", "cholesky_inverse", "matrix_exp"], lambda b, d: ([f(b, d, d)], {})
    ),
    **dict.fromkeys(["lu", "lu_factor", "qr", "pinv"], lambda b, d, e: ([f(b, d, e)], {})),
    "lu_solve": lambda b, d, t: ([f(b, d, d), TensorSpec((b, d), "int32"), f(b, d, t)], {}),
    "cholesky_solve": lambda b, d, t: ([f(b, d, t), f(b, d, d)], {}),
    **dict.fromkeys(["eigh", "eig"], lambda b, d: ([f(b, d, d)], {"vectors": True})),
    "svd": lambda b, d, e: ([f(b, d, e)], {"vectors": True}),
    "nll_loss": lambda b, s, d: ([f(b, d, s), i(b, s), f(d)], {}),
    **dict.fromkeys(
        ["l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss", "kl_div", "binary_cross_entropy"], gated
    ),
    "binary_cross_entropy_with_logits": lambda b, s, d: ([f(b, s, d), f(b, s, d), f(d), f(d)], {}),
    "ctc_loss": lambda b, s, t, d: ([f(t, b, d), i(b, s), i(b), i(b)], {}),
    "embedding_bag": lambda b, s, t, d: ([i(b, s), f(t, d)], {"mode": "max"}),
    "fft_c2c": lambda b, s, d: ([TensorSpec((b, s, d), "complex64")], {"dim": (1, 2)}),
    "fft_r2c": lambda b, d: ([f(b, 2 * d)], {}),
    "fft_c2r": lambda b, d: ([TensorSpec((b, d + 1), "complex64")], {"last_dim_size": 2 * d}),
    "unfold": lambda b, s, d: ([f(b, s + 2, d)], {"dimension": 1, "size": 3, "step": 1}),
    **dict.fromkeys(["cdist", "euclidean_distance"], lambda b, s, t, d: ([f(b, s, d), f(b, t, d)], {})),
    **dict.fromkeys(["add", "sub", "mul", "div", "maximum", "minimum"], binary),
    **dict.fromkeys(
        ["scale", "shift", "neg", "abs", "clamp", "square", "reciprocal", "exp", "log", "sqrt", "rsqrt", "sin", "cos"],
        unary(),
    ),
    **dict.fromkeys(["relu", "leaky_relu", "relu6", "elu", "sigmoid", "hardsigmoid", "tanh", "gelu"], unary()),
    **dict.fromkeys(
        ["gelu_tanh", "gelu_new", "gelu_fast", "gelu_python", "quick_gelu", "silu", "hardswish", "softplus", "mish"],
        unary(),
    ),
    **dict.fromkeys(["swiglu", "geglu", "geglu_tanh"], gated),
    "pow": unary(exponent=3),
    "masked_fill": lambda b, s, d: ([f(b, s, d), m(s, d)], {}),
    "where": lambda b, s, d: ([m(s, d), f(b, s, d), f(b, s, d)], {}),
    "rotary_embedding": lambda b, g, s, d, e: ([f(b, g, s, d), f(s, e), f(s, e)], {}),
    "dropout": unary(p=0.1),
    "softmax": unary(),
    "log_softmax": unary(),
    "embedding": lambda b, s, t, d: ([i(b, s), f(t, d)], {}),
    "layer_norm": lambda b, s, d: ([f(b, s, d), f(d), f(d)], {}),
    "rms_norm": lambda b, s, d: ([f(b, s, d), f(d)], {}),
    "group_norm": lambda b, g, k, s, t: ([f(b, g * k, s, t), f(g * k), f(g * k)], {"groups": g}),
    "scaled_dot_product_attention": lambda b, g, k, s, t, d, e: (
        [f(b, g * k, s, d), f(b, g, t, d), f(b, g, t, e), f(b, 1, s, t)],
        {"dropout_p": 0.1},
    ),
    "scaled_dot_product_attention_with_sinks": lambda b, g, k, s, t, d, e: (
        [f(b, g * k, s, d), f(b, g, t, d), f(b, g, t, e), f(g * k), f(b, 1, s, t)],
        {"dropout_p": 0.1},
    ),
    "latent_attention": lambda b, g, s, t, d, e: (
        [f(b, g, s, d + e), f(b, t, d + e)],
        {"values": d, "causal": True, "dropout_p": 0.1},
    ),
    "convolution": lambda b, g, k, s, t, e: (
        [f(b, g * k, s + 3, t + 3), f(g * e, k, 3, 3), f(g * e)],
        {"groups": g, "stride": 2, "padding": 1},
    ),
    "convolution_transposed": lambda b, g, k, s, t, e: (
        [f(b, g * k, s + 1, t + 1), f(g * k, e, 3, 3), f(g * e)],
        {"groups": g, "stride": 2, "padding": 1, "output_padding": 1},
    ),
    "sum": unary(dim=-1),
    "mean": unary(dim=(0, 2), keepdim=True),
    "amax": unary(),
    "cumsum": unary(dim=1),
    "gather": lambda b, s, t, d: ([f(b, s, d), i(b, t, d)], {"dim": 1}),
    "by_expert": lambda b, e: ([i(b)], {"experts": e}),
    "index_select": lambda b, s, t, d: ([f(b, s, d), i(t)], {"dim": 1}),
    "index_pairs": lambda b, s, t, d: ([f(b, s, d), i(t), i(t)], {}),
    "argmax": unary(),
    "topk": lambda b, k, d: ([f(b, k + d)], {"k": k}),
    "cross_entropy": lambda b, s, d: ([f(b, s, d), i(b, s)], {}),
    "mse_loss": gated,
    "reshape": lambda b, s, d: ([turned(b, s, d)], {"shape": (b, -1)}),
    "transpose": unary(dims=(0, 1)),
    "permute": unary(dims=(2, 0, 1)),
    "split": lambda b, d: ([f(b, 3 * d)], {"parts": 3}),
    "unbind": lambda b, d: ([f(b, 3, d)], {"dim": 1}),
    "select": unary(dim=1),
    "slice": lambda b, s, t: ([f(b, s + t)], {"dim": 1, "start": s, "length": t}),
    "expand": lambda b, s, d: ([f(b, 1, d)], {"shape": (b, s, d)}),
    "concat": lambda b, s, t, d: ([f(b, s, d), f(b, t, d)], {"dim": 1}),
    "stack": lambda b, d: ([f(b, d), f(b, d), f(b, d)], {}),
    "clone": lambda b, s, d: ([turned(b, s, d)], {}),
    "contiguous": lambda b, s, d: ([turned(b, s, d)], {}),
    "cast": unary(dtype="bfloat16"),
    "as_product": unary(),
    "pack_padded": lambda b, s, t, d: ([f(b, s, d)], {"rows": b * s, "steps": s}),
    "pad": lambda b, s, t, d: ([f(b, s, d)], {"padding": [(t, t), (0, 1)]}),
    "roll": unary(),
    "repeat": lambda b, s, t, d: ([f(b, s, d)], {"times": (1, t, 1)}),
    "arange": lambda b, s: ([], {"batch": b, "n": s}),
    "causal_mask": lambda s: ([], {"seq": s}),
    "constant": lambda s, d: ([], {"shape": (s, d)}),
    "full": lambda s, d: ([], {"shape": (s, d)}),
    "relative_buckets": lambda s, t: ([], {"queries": s, "keys": t}),
    "resident": lambda d, t: ([f(d, t)], {}),
    "unread": lambda d, t: ([f(d, t)], {}),
    **dict.fromkeys(NUMBERS.split(), unary()),
    **dict.fromkeys(PAIRS.split(), binary),
    **dict.fromkeys(["clamp_tensor", "lerp", "addcmul", "addcdiv"], lambda b, s, d: ([f(b, s, d)] * 3, {})),
    **dict.fromkeys(["bitwise_and", "bitwise_or", "bitwise_xor"], lambda b, s, d: ([i(b, s, d), i(s, d)], {})),
    **dict.fromkeys(["bitwise_left_shift", "bitwise_right_shift", "bitwise_not"], lambda b, s, d: ([i(b, s, d)], {})),
    "prelu": lambda b, s, d: ([f(b, s, d), f(s, 1)], {}),
    "glu": lambda b, s, d: ([f(b, 2 * s, d)], {"dim": 1}),
    **dict.fromkeys(["amin", "prod", "any", "all"], unary(dim=(0, -1), keepdim=True)),
    **dict.fromkeys(["var", "std", "var_mean", "std_mean", "logsumexp"], unary(dim=(1, 2))),
    "vector_norm": unary(dim=(1, 2), ord=3),
    "renorm": unary(dim=1),
    "logcumsumexp": unary(dim=1),
    "median": unary(),
    **dict.fromkeys(["nansum", "aminmax", "count_nonzero"], unary(dim=(0, 2))),
    "mode_with_indices": unary(dim=1),
    **dict.fromkeys(["max_with_indices", "min_with_indices", "median_with_indices", "argmin"], unary(dim=1)),
    "kthvalue": lambda b, k, d: ([f(b, k + d)], {"k": k}),
    "histc": lambda b, s, k: ([f(b, s)], {"bins": k}),
    "bincount": lambda s, k: ([i(s)], {"bins": k}),
    "searchsorted": lambda s, t, d: ([f(s), f(t, d)], {}),
    **dict.fromkeys(["scatter", "scatter_add"], lambda b, s, t, d: ([f(b, s, d), i(b, t, d), f(b, t, d)], {"dim": 1})),
    "scatter_reduce": lambda b, s, t, d: ([f(b, s, d), i(b, t, d), f(b, t, d)], {"dim": 1, "reduce": "mean"}),
    **dict.fromkeys(["index_add", "index_copy"], lambda b, s, t, d: ([f(b, s, d), i(t), f(b, t, d)], {"dim": 1})),
    "index_fill": lambda b, s, t, d: ([f(b, s, d), i(t)], {"dim": 1}),
    "index": lambda b, s, t, d, e: ([f(b, s, d), i(t, 1), i(e)], {"dims": (0, 2)}),
    "index_put": lambda b, s, t, d: ([f(b, s, d), f(s), i(t), i(t)], {"dims": (0, 2), "accumulate": True}),
    "masked_scatter": lambda b, s, t, d: ([f(b, s, d), m(b, s, d), f(t)], {}),
    "masked_select": lambda b, s, t, d: ([f(b, s, d), m(s, d)], {"count": t}),
    "nonzero": lambda b, s, t: ([f(b, s)], {"count": t}),
    "one_hot": lambda b, s, t: ([i(b, s)], {"classes": t}),
    "take": lambda b, s, t, d: ([f(b, s, d), i(t)], {}),
    "slice_scatter": lambda b, s, t, d: ([f(b, s + t, d), f(b, s, d)], {"dim": 1}),
    "select_scatter": lambda b, s, d: ([f(b, s, d), f(b, d)], {"dim": 1}),
    **dict.fromkeys(["tril", "triu", "detach", "leaf", "diag_embed", "random_like", "bernoulli"], unary()),
    "multinomial": lambda b, s, t: ([f(b, s)], {"num_samples": t, "replacement": True}),
    "flip": lambda b, s, d: ([turned(b, s, d)], {"dims": (0, 1)}),
    "diagonal": lambda b, s, d: ([f(b, s, d)], {"dim1": 0, "dim2": 2}),
    "view_as_real": lambda b, s: ([TensorSpec((b, s), "complex64")], {}),
    "view_as_complex": lambda b, s: ([f(b, s, 2)], {}),
    "conj": lambda b, s: ([TensorSpec((b, s), "complex64")], {}),
    **dict.fromkeys(["angle", "sgn"], lambda b, s: ([TensorSpec((b, s), "complex64")], {})),
    **dict.fromkeys(["complex", "polar"], lambda b, s: ([f(b, s), f(b, s)], {})),
    "random": lambda s, d: ([], {"shape": (s, d)}),
    "linspace": lambda s: ([], {"n": s}),
    "eye": lambda s, d: ([], {"n": s, "m": d}),
    "pointwise_by_rule": lambda b, s, d: ([f(b, s, d), f(d)], {"of": "lib.op", "shape": (b, s, d), "factor": 3}),
    "reduction_by_rule": lambda b, s, d: ([f(b, s, d)], {"of": "lib.op", "shape": (b, s)}),
    "move_by_rule": lambda b, s, d: ([f(b, s, d)], {"of": "lib.op", "shape": (d, b, s)}),
    "custom": lambda b, s, d: (
        [f(b, s, d), f(d)],
        {
            "of": "lib.scan",
            "shapes": ((b, s, d),),
            "dtypes": ("float32",),
            "vector_flops": 7 * b * s * d,
            "differentiable": True,
            "gradient_vector_flops": 9 * b * s * d,
        },
    ),
    "kv_cache": lambda s, d: ([], {"shape": (1, 2, s, d)}),
    "kv_keep": lambda b, s, d: ([TensorSpec((b, 2, s + 1, d))], {"length": s}),
}
"""Operands and attributes of each operator, from sizes in any of the three worlds."""

SIZED = {
    name: sized(Row(case, sizes=dict.fromkeys(inspect.signature(case).parameters, 2))) for name, case in CASES.items()
}
FIGURES = {name: figures_of(OPERATORS[name], size.make) for name, size in SIZED.items()}
"""The cases as functions of their sizes, for the kit."""


def sweeps(name, count, points, most):
    """Random sweeps of a case's sizes, the same ones every time unless EXAMPLES=random; the first has the least sizes.

    Hypothesis would take twice the time of what is tested. From 2: a dimension of 1 can make a transposed tensor
    contiguous, and then a reshape of it is a view and no copy.
    """
    random = Random(None if os.environ.get("EXAMPLES") == "random" else f"{name} {most}")
    sizes = SIZED[name].sizes
    yield [dict.fromkeys(sizes, 2)] * min(points)
    for _ in range(count - 1):
        largest = random.choice((4, most, most))
        yield [{size: random.randint(2, largest) for size in sizes} for _ in range(random.choice(points))]


def test_every_operator_has_a_case():
    """An operator that is added needs a case here, or the properties below would not hold for it unnoticed."""
    assert set(CASES) == set(OPERATORS)


@each("name", CASES)
def test_symbols_and_arrays_agree_with_ints(name):
    """The formula with sizes put in, and each element of a sweep in float64, equal the ints, and ints stay ints."""
    for at in sweeps(name, 12, (2, 3), 40):
        assert [*symbols_against_ints(FIGURES[name], at)] == []
        assert [*arrays_against_ints(FIGURES[name], at, float)] == []


@each("name", CASES)
def test_object_arrays_are_exact(name):
    """A sweep over Python ints gives the very ints, beyond what float64 or int64 can hold."""
    for at in sweeps(name, 8, (2,), 2**24):
        assert [*arrays_against_ints(FIGURES[name], at, object)] == []


WITHOUT_GRADIENT = {
    "rotary_embedding": {"cos": "a table", "sin": "a table"},
    "histc": {"x": "torch has none"},
    "nll_loss": {"weight": "a constant of the loss"},
    "soft_margin_loss": {"y": "torch has none"},
    "multi_margin_loss": {"weight": "a constant of the loss"},
    "binary_cross_entropy_with_logits": {"weight": "a constant of the loss", "pos_weight": "a constant of the loss"},
}
"""Operands that have none, by operator; test_gradients.py has the same."""


ANY = "operands of an operator without a rule have any shapes; the attributes give the outputs'"
SHORTER = "an index may have fewer elements than x, and src more"
MAY_DIFFER = {
    "gather": {"index": SHORTER},
    "scatter": {"index": SHORTER, "src": SHORTER},
    "scatter_add": {"index": SHORTER, "src": SHORTER},
    "scatter_reduce": {"index": SHORTER, "src": SHORTER},
    "index_put": {"indices": "they are as many as they are"},
    "embedding_renorm": {"ids": "any ids"},
    "written_through": {"part": "a view of any shape"},
    "stack": {"x0": "results of one body are alike", "xs": "results of one body are alike"},
    "pointwise_by_rule": {"xs": ANY},
    "custom": {"xs": ANY},
}
"""Operands whose sizes need not fit the others', by operator."""


def contract(name):
    """The kit's contract of one operator. Its costs are checked against the tables of docs/conventions.md."""
    sizes = dict(zip(SIZES, (2, 3, 5, 7, 11, 13, 17), strict=True))
    row = Row(CASES[name], sizes={size: sizes[size] for size in SIZED[name].sizes})
    facts = {"without_gradient": WITHOUT_GRADIENT.get(name, {}), "may_differ": MAY_DIFFER.get(name, {})}
    where = "tests/docs/test_conventions.py"
    return OperatorContract.of(OPERATORS[name], rows=[row], costs_in=where, **facts)


CONTRACTS = {name: contract(name) for name in CASES}


@each("name", CASES)
def test_it_keeps_the_contract_of_an_operator(name):
    """All that graphacct.testing asks of an operator; each message says what to do."""
    assert [*failures(CONTRACTS[name])] == []
