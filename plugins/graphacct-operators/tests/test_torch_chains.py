"""The temporaries of torch's gradients: the peak of the backward pass of one operator on (64, 96), then a sum.

Measured with torch 2.13.0 on a CPU: the most bytes of new storages alive after any operator, as a dispatch mode sees
them. In float32 elements: a tensor is 6,144, its bools 1,536, a row 64; the loss and its gradient are 2.
"""

from each import each

import graphacct
from graphacct import Builder
from graphacct.hooks.manager import default

WHOLE = (64, 96)
T, B, ROW = 6144, 1536, 64
ROWS = {"dim": 1}

# The operator, how many operands, attributes; then the peak. The result lives on where the gradient reads it.
MEASURED = [
    ("erf", 1, {}, 2 + 5 * T),
    ("erfinv", 1, {}, 2 + 5 * T),
    ("expm1", 1, {}, 2 + 3 * T),
    ("exp2", 1, {}, 2 + 3 * T),
    ("log1p", 1, {}, 2 + 2 * T),
    ("tan", 1, {}, 2 + 4 * T),
    ("asin", 1, {}, 2 + 5 * T),
    ("acos", 1, {}, 2 + 6 * T),
    ("atan", 1, {}, 2 + 3 * T),
    ("sinh", 1, {}, 2 + 2 * T),
    ("asinh", 1, {}, 2 + 4 * T),
    ("atanh", 1, {}, 2 + 4 * T),
    ("floor", 1, {}, 2 + T),
    ("rsub", 1, {}, 2 + T),
    ("clamp", 1, {}, 3 + 2 * B + T),
    ("cumsum", 1, ROWS, 2 + 3 * T),
    ("pow_of_number", 1, {}, 2 + 3 * T),
    ("remainder", 2, {}, 2 + 3 * T),
    ("div", 2, {}, 2 + 4 * T),
    ("maximum", 2, {}, 2 + 3 * T + 2 * B),
    ("atan2", 2, {}, 2 + 7 * T),
    ("logaddexp", 2, {}, 2 + 5 * T),
    ("xlogy", 2, {}, 2 + 3 * T + 3 * B),
    ("pow_tensor", 2, {}, 3 + 7 * T + B),
    ("clamp_tensor", 3, {}, 3 + 3 * T + 3 * B),
    ("lerp", 2, {}, 2 + 2 * T),
    ("lerp", 3, {}, 2 + 4 * T),
    ("addcmul", 3, {}, 2 + 3 * T),
    ("addcdiv", 3, {}, 2 + 6 * T),
    ("amax", 1, ROWS, 2 + T + B + 4 * ROW),
    ("var", 1, ROWS, 2 + 2 * T + 2 * ROW),
    ("std", 1, ROWS, 2 + 2 * T + 4 * ROW),
    ("logsumexp", 1, ROWS, 2 + 3 * T + ROW),
    ("vector_norm", 1, ROWS, 2 + 2 * T + ROW + ROW // 4),
    ("vector_norm", 1, {**ROWS, "ord": 1}, 2 + 2 * T + ROW),
    ("vector_norm", 1, {**ROWS, "ord": 3}, 2 + 2 * T + 2 * ROW),
]


@each("operator, operands, attributes, elements", MEASURED)
def test_peak_of_the_backward_pass(operator, operands, attributes, elements):
    """Every temporary lives until the expression's end, and those of one operand's gradient are gone at the next's."""
    b = Builder("one", default().operators)
    out = b.apply(operator, *(b.parameter(f"p{place}", WHOLE) for place in range(operands)), **attributes)
    total = graphacct.account(b.graph(b.apply("sum", out)), phase="train", profile="torch-eager-cpu").total
    assert total["backward_peak_bytes"] == 4 * elements


def test_a_variance_and_the_mean():
    """Whose gradients both arrive: that of the mean is as large as x, and added to the other."""
    b = Builder("two", default().operators)
    first, mean = b.apply("var_mean", b.parameter("p", WHOLE), dim=1)
    graph = b.graph(b.apply("sum", b.apply("add", first, mean)))
    total = graphacct.account(graph, phase="train", profile="torch-eager-cpu").total
    assert total["backward_peak_bytes"] == 4 * (2 + 3 * T)


def test_a_learned_slope():
    """Both gradients are as large as g before that of the slope, of 96, is summed: 2 + 2 · 6,144 + 96."""
    b = Builder("slope", default().operators)
    out = b.apply("prelu", b.parameter("p", WHOLE), b.parameter("slope", (1, 96)))
    total = graphacct.account(b.graph(b.apply("sum", out)), phase="train", profile="torch-eager-cpu").total
    assert total["backward_peak_bytes"] == 4 * (2 + 2 * T + 96)
