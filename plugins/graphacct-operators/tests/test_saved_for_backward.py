"""What each operator says its backward keeps, against what PyTorch was measured to keep."""

import json
from pathlib import Path

import attrs
import graphacct_operators
import pytest
from each import each
from graphacct_operators.torch_eager import CPU, CUDA

from graphacct import OperatorError, Saved, TensorSpec, Work, operator
from graphacct.operators.saves import saved_tensors

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}
PROFILES = {"cuda": CUDA, "cpu": CPU}
GOLDENS = Path(__file__).parents[3] / "tests" / "goldens" / "saved_for_backward"
MEASURED = {device: json.loads((GOLDENS / f"{device}.json").read_text())["ops"] for device in PROFILES}


def f(*shape):
    return TensorSpec(shape)


def i(*shape):
    return TensorSpec(shape, "int64")


def m(*shape):
    return TensorSpec(shape, "bool")


X = f(2, 8, 16)
IMAGE = f(2, 4, 8, 8)

# For each measured operator: ours, operands, attributes, and ours of its names where it is not the first letter's.
CASES = {
    "linear+bias": ("linear", [X, f(48, 16), f(48)], {}, {"w": "weight"}),
    "linear nobias": ("linear", [X, f(48, 16)], {}, {"w": "weight"}),
    "linear frozen weight": ("linear", [X, f(48, 16)], {}, {"w": "weight"}),
    "linear input no grad": ("linear", [X, f(48, 16)], {}, {"w": "weight"}),
    "bmm/matmul q@k.T": ("matmul", [f(2, 4, 8, 4), f(2, 4, 4, 8)], {}, {"q": "x", "k": "y"}),
    "layer_norm": (
        "layer_norm",
        [X, f(16), f(16)],
        {},
        {"w": "weight", "b": "bias", "tmp0": "mean", "tmp1": "rstd"},
    ),
    "rms_norm (F.rms_norm)": ("rms_norm", [X, f(16)], {}, {"w": "weight", "tmp0": "rstd"}),
    "group_norm": (
        "group_norm",
        [IMAGE, f(4), f(4)],
        {"groups": 2},
        {"w": "weight", "tmp0": "mean", "tmp1": "rstd"},
    ),
    "softmax": ("softmax", [f(2, 4, 8, 8)], {}, {"OUT": "out"}),
    "softmax fp32->dtype": ("softmax", [f(2, 4, 8, 8)], {"dtype": "float32"}, {"OUT": "out", "tmp0": "out"}),
    "log_softmax": ("log_softmax", [f(2, 8, 32)], {}, {"OUT": "out"}),
    "gelu": ("gelu", [X], {}, {}),
    "gelu tanh": ("gelu_tanh", [X], {}, {}),
    "gelu_new composed (GPT-2 HF)": (
        "gelu_new",
        [X],
        {},
        {"tmp0": "half", "tmp1": "tanh", "tmp2": "gate"},
    ),
    "silu": ("silu", [X], {}, {}),
    "swiglu silu(g)*u": ("swiglu", [X, X], {}, {"g": "gate", "u": "up", "tmp0": "activated"}),
    "relu": ("relu", [X], {}, {"OUT": "out"}),
    "sigmoid": ("sigmoid", [X], {}, {"OUT": "out"}),
    "tanh": ("tanh", [X], {}, {"OUT": "out"}),
    "add": ("add", [X, X], {}, {}),
    "mul": ("mul", [X, X], {}, {}),
    "mul python scalar": ("scale", [X], {}, {}),
    "div tensor": ("div", [X, X], {}, {}),
    "div scalar": ("scale", [X], {}, {}),
    "dropout p=.1 train": ("dropout", [X], {"p": 0.1}, {"tmp0": "mask"}),
    "dropout p=0": ("dropout", [X], {"p": 0.0}, {}),
    "embedding": ("embedding", [i(2, 8), f(32, 16)], {}, {"i": "ids"}),
    "cross_entropy": (
        "cross_entropy",
        [f(2, 8, 32), i(2, 8)],
        {},
        {"tmp0": "log_probabilities", "t": "targets", "tmp1": "total_weight"},
    ),
    "mse_loss": ("mse_loss", [X, X], {}, {}),
    "view/transpose/permute/expand": ("transpose", [X], {"dims": (1, 2)}, {}),
    "contiguous/clone": ("contiguous", [X], {}, {}),
    "cast to other dtype": ("cast", [X], {"dtype": "float64"}, {}),
    "cat": ("concat", [X, X], {}, {}),
    "split/chunk": ("split", [X], {"parts": 2}, {}),
    "masked_fill": ("masked_fill", [f(2, 4, 8, 8), m(8, 8)], {}, {"m": "mask"}),
    "where": ("where", [m(2, 8, 16), X, X], {}, {"c": "condition"}),
    "sum": ("sum", [X], {}, {}),
    "mean": ("mean", [X], {}, {}),
    "pow2": ("pow", [X], {"exponent": 2}, {}),
    "rsqrt": ("rsqrt", [X], {}, {"OUT": "out"}),
    "exp": ("exp", [X], {}, {"OUT": "out"}),
    "softplus": ("softplus", [X], {}, {}),
    "topk values": ("topk", [X], {"k": 2}, {"tmp0": "indices"}),
    "gather": ("gather", [X, i(2, 8, 2)], {"dim": -1}, {"i": "index"}),
    "index_select/x[idx]": ("index_select", [X, i(5)], {"dim": 0}, {"i": "index"}),
    "cumsum": ("cumsum", [X], {}, {}),
    "conv2d+bias": ("convolution", [f(2, 3, 8, 8), f(4, 3, 3, 3), f(4)], {}, {"w": "weight"}),
    "sdpa flash_cpu causal": (
        "scaled_dot_product_attention",
        [f(2, 4, 8, 4), f(2, 4, 8, 4), f(2, 4, 8, 4)],
        {"causal": True},
        {"OUT": "out", "tmp0": "logsumexp"},
    ),
    "rope rotate_half": (
        "rotary_embedding",
        [f(2, 4, 8, 4), f(8, 4), f(8, 4)],
        {},
        {"c": "cos", "s": "sin"},
    ),
}
LEFT_OUT = {
    "rms_norm composed (HF Llama)": "a chain of operators",
    "batch_norm train": "an operator of graphacct-vision",
    "batch_norm eval": "an operator of graphacct-vision",
    "max_pool2d": "an operator of graphacct-vision",
    "avg_pool2d": "an operator of graphacct-vision",
    "adaptive_avg_pool2d": "an operator of graphacct-vision",
    "interpolate nearest": "no operator of this package",
    "sdpa math causal": "a chain of operators",
}
WANTED = {"linear frozen weight": {"x"}, "linear input no grad": {"weight"}, "rope rotate_half": {"x"}}
"""Whose gradients were computed, where not everyone's."""
CHAINS = {
    "cuda": {"sdpa flash_cpu causal": "the kernel of the CPU: elsewhere its name stands for the written-out chain"},
    "cpu": {"rms_norm (F.rms_norm)": "several kernels on a CPU, in the profile's expansion"},
}
FOLDED = {
    "linear+bias",
    "linear nobias",
    "linear frozen weight",
    "linear input no grad",
    "bmm/matmul q@k.T",
    "cross_entropy",
}
"""Where torch keeps a reshaped or transposed view, so that only the elements can be compared."""


def measured(device, key):
    """Name, shape and dtype of each tensor; the same `tmp` twice is one storage."""
    names = CASES[key.removesuffix("[bf16]")][3]
    return {(names.get(t["is_"], t["is_"]), tuple(t["shape"]), t["dtype"]) for t in MEASURED[device][key]["saved"]}


def declared(device, key):
    """Name, shape and dtype of each tensor that the operator of this package declares, under the device's profile."""
    name, operands, attributes, _ = CASES[key.removesuffix("[bf16]")]
    if key.endswith("[bf16]"):
        operands = [attrs.evolve(x, dtype="bfloat16") if x.dtype == "float32" else x for x in operands]
    operator = PROFILES[device].operators(OPERATORS)[name]
    kept = saved_tensors(operator, operands, attributes, WANTED.get(key.removesuffix("[bf16]")))
    return [(tensor.name, tensor.spec.shape, tensor.spec.dtype) for tensor in kept]


def elements(tensors):
    return {(name, TensorSpec(shape).elements, dtype) for name, shape, dtype in tensors}


@pytest.mark.parametrize("device", PROFILES)
def test_every_measured_operator_is_compared_or_left_out_for_a_reason(device):
    """No entry of the measurement is passed over without a word."""
    plain = {key.removesuffix("[bf16]") for key in MEASURED[device]}
    assert plain == {*CASES, *LEFT_OUT}
    assert not {*CASES} & {*LEFT_OUT}
    assert {*CHAINS[device]} <= {*CASES}


COMPARED = [
    (device, key)
    for device in PROFILES
    for key in MEASURED[device]
    if key.removesuffix("[bf16]") in CASES.keys() - CHAINS[device].keys()
]


@each("device, key", COMPARED)
def test_declared_tensors_are_the_measured_ones(device, key):
    """Names, shapes and dtypes of what is kept equal the measurement, in float32 and in bfloat16."""
    ours, theirs = declared(device, key), measured(device, key)
    assert len(ours) == len({name for name, *_ in ours})
    if key.removesuffix("[bf16]") in FOLDED:
        assert elements(ours) == elements(theirs)
    else:
        assert set(ours) == theirs


def test_flash_attention_keeps_its_operands_its_output_and_one_number_per_row():
    """For b = 2, s = 8, a = 4 heads of 4 in float16, as the whole layer was measured: 4 tensors of 2 bytes for each of
    2 · 8 · 16 elements, 4 bytes per row of scores for 2 · 4 · 8 rows, and 24 bytes for the random state:
    4 · 512 + 256 + 24 = 2,328."""
    q = TensorSpec((2, 4, 8, 4), "float16")
    kept = saved_tensors(OPERATORS["scaled_dot_product_attention"], [q, q, q])
    assert [t.name for t in kept] == ["q", "k", "v", "out", "logsumexp", "rng_state", "rng_offset"]
    assert sum(t.spec.bytes for t in kept) == 4 * 512 + 4 * 64 + 24 == 2328


def test_mask_of_attention_is_kept_when_there_is_one():
    """The mask is added again in the backward pass."""
    q = f(2, 4, 8, 4)
    kept = saved_tensors(OPERATORS["scaled_dot_product_attention"], [q, q, q, f(8, 8)])
    assert ("mask", (8, 8)) in [(t.name, t.spec.shape) for t in kept]


def test_each_tensor_says_where_it_is():
    """Operands and outputs come with their place, so that a graph can tell which value is kept."""
    kept = saved_tensors(OPERATORS["topk"], [X], {"k": 2})
    assert [(t.name, t.kind, t.index) for t in kept] == [("indices", "output", 1)]
    kept = saved_tensors(OPERATORS["where"], [m(2, 8, 16), X, X])
    assert [(t.kind, t.index) for t in kept] == [("operand", 0)]
    kept = saved_tensors(OPERATORS["dropout"], [X], {"p": 0.1})
    assert [(t.kind, t.spec) for t in kept] == [("own", m(2, 8, 16))]


def test_all_operands_of_a_variadic_one_are_kept():
    """`name*:` in `saves` stands for every operand that it took."""

    @operator("first: n, rest*: n -> n", saves={"rest": "an example of a variadic operand"})
    def product(n):
        """1 product per element."""
        return Work(vector_flops=n)

    kept = saved_tensors(product, [f(3), f(3), f(3)])
    assert [(t.name, t.index) for t in kept] == [("rest", 1), ("rest", 2)]


def test_dimension_that_nothing_gives_is_an_error_that_names_it():
    """A statistic whose dimensions are misspelt is not silently a scalar."""

    @operator("x: rows n -> rows n", saves=[Saved("rstd", "a statistic per row", "row")])
    def norm(n):
        """3 per element."""
        return Work(vector_flops=3 * n)

    with pytest.raises(OperatorError) as error:
        saved_tensors(norm, [f(3, 4)])
    assert str(error.value) == (
        "operator 'norm' saves 'rstd' of dimensions 'row', but nothing gives 'row'; did you mean 'rows'?"
    )
