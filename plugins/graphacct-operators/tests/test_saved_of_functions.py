"""What operators of one tensor keep for the backward pass, against what torch keeps.

Measured with torch 2.13.0 on a CPU: `torch.autograd.graph.saved_tensors_hooks` around one operator on a (4, 6) tensor.
"""

import graphacct_operators
from each import each
from graphacct_operators.torch_eager import CPU

from graphacct import TensorSpec
from graphacct.operators.saves import saved_tensors

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}

KEEP_X = """
erf erfc erfinv log1p log2 log10 asin acos atan sinh cosh asinh acosh atanh lgamma softshrink hardshrink celu threshold
var var_mean glu
"""
KEEP_OUT = "expm1 exp2 tan"
KEEP_BOTH = "pow_of_number prod amin std std_mean logsumexp vector_norm cumprod"
KEEP_INDICES = "max_with_indices min_with_indices median_with_indices sort"
KEEP_NOTHING = "floor ceil round trunc sign frac rsub tril triu diag_embed isnan logical_not"
MEASURED = {
    **{key: {"x"} for key in KEEP_X.split()},
    **{key: {"out"} for key in KEEP_OUT.split()},
    **{key: {"x", "out"} for key in KEEP_BOTH.split()},
    **{key: {"indices"} for key in KEEP_INDICES.split()},
    **{key: set() for key in KEEP_NOTHING.split()},
    "cummax": {"x", "indices"},
    "cummin": {"x", "indices"},
}


@each("name, expected", MEASURED.items())
def test_it_keeps_what_torch_keeps(name, expected):
    """Operands and outputs by name."""
    assert {tensor.name for tensor in saved_tensors(OPERATORS[name], [TensorSpec((4, 6))])} == expected


def test_on_a_cpu_log_sigmoid_keeps_its_exponential_too():
    """exp(-|x|), as large as x: torch calls it the buffer, which is empty on CUDA."""
    for operators, expected in (
        (OPERATORS, [("x", (4, 6))]),
        (CPU.operators(OPERATORS), [("x", (4, 6)), ("z", (4, 6))]),
    ):
        kept = saved_tensors(operators["log_sigmoid"], [TensorSpec((4, 6))])
        assert [(tensor.name, tensor.spec.shape) for tensor in kept] == expected
