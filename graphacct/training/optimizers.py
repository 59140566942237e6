"""Optimizers as data: the state that each has for a parameter, and the work of its step.

An optimizer updates the parameter or, in mixed precision, its float32 master copy. The state has that tensor's dtype,
as in torch's optimizers. Small tables that one optimizer shares among all tensors (8-bit codes) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.decisions import less
from graphacct.dims import Dim, ceil_div, is_array, is_symbol, is_traced, minimum, prod
from graphacct.errors import ConfigError, PluginError, brief, failure, suggest, unknown
from graphacct.graph.graph import Parameter
from graphacct.graph.paths import pattern
from graphacct.operators.cost import Work
from graphacct.tensors import DTYPE_BITS, TensorSpec

FLOAT32 = 4
"""Bytes of a float32."""
MASTERS = ("fp32", "none")
EIGHT_BIT_BLOCK = 2048
"""Elements that share a scale in 8-bit state (Dettmers et al., 2022, arXiv:2110.02861, section 2)."""
EIGHT_BIT_LEAST = 4096
"""A tensor with fewer elements keeps float32 state (`min_8bit_size` of bitsandbytes/optim/optimizer.py)."""
NEWTON_SCHULZ_STEPS = 5


@attrs.frozen(eq=False, repr=False)
class Optimizer:
    """How parameters are updated.

    Attributes:
        name: What users call it.
        doc: One sentence: what it keeps.
        source: Where the state and the step are written down.
        state: Bytes that it keeps for a tensor, given what is updated (without a master copy).
        step: The work of one update of that tensor.
        others: The optimizer of the parameters that are no hidden matrices; None when this one takes all.
        replaces: Whether it takes the place of an optimizer of this name from another plugin.
    """

    name: str
    doc: str
    source: str
    state: Callable[[TensorSpec], Dim]
    step: Callable[[TensorSpec], Work]
    others: Optimizer | None = None
    replaces: bool = False

    def __repr__(self) -> str:
        return f"<Optimizer {self.name}>"

    def of(self, parameter: Parameter) -> Optimizer:
        """Returns the optimizer of one parameter: this one, or `others` for what is no hidden matrix."""
        return self if self.others is None or is_hidden_matrix(parameter) else self.others


def is_hidden_matrix(parameter: Parameter) -> bool:
    """Returns whether a parameter is a matrix (or a convolution's filter) of a repeated layer, not of the model's two
    ends.

    Embeddings, heads and stems stand outside the layers, whose parameters have an index in their names.
    """
    return len(parameter.spec.shape) >= 2 and "*" in pattern(parameter.name)


def has_master(spec: TensorSpec, master: str = "") -> bool:
    """Returns whether a parameter of this dtype has a float32 copy that is updated in its place, as in mixed precision.

    `master` is `fp32`, `none`, or empty for the usual: a copy where the parameter has 16 bits. Raises ConfigError for
    another word.
    """
    if master and master not in MASTERS:
        raise ConfigError(f"master is {' or '.join(MASTERS)}, not {brief(master)}{suggest(master, MASTERS)}")
    bits = DTYPE_BITS[spec.dtype]
    return bits < 32 if master == "fp32" else bits == 16 and not master


def state_bytes(optimizer: Optimizer, parameter: Parameter, master: str = "") -> Dim:
    """Bytes that training keeps for a parameter beside it and its gradient: the optimizer's state and a master copy."""
    updated = _updated(parameter, master)
    copy = updated.bytes if has_master(parameter.spec, master) else 0
    return copy + _asked(optimizer.of(parameter), "state", parameter, updated)


def step_work(optimizer: Optimizer, parameter: Parameter, master: str = "") -> Work:
    """Returns the work of one update of a parameter; casts to and from the master copy are not counted."""
    work: Work = _asked(optimizer.of(parameter), "step", parameter, _updated(parameter, master))
    return work


def find_optimizer(name: str, known: Mapping[str, Optimizer]) -> Optimizer:
    """Returns the optimizer of a name, the first for an empty one; UnknownNameError suggests the closest."""
    if name and name not in known:
        raise unknown("optimizer", name, known)
    return known[name or next(iter(known))]


def _asked(optimizer: Optimizer, function: str, parameter: Parameter, updated: TensorSpec) -> Any:
    """Returns the `state` or `step` that an optimizer says for a parameter; PluginError names both where it says
    none."""
    who = f"optimizer {optimizer.name!r} on parameter {parameter.name!r}: its {function}"
    try:
        found = getattr(optimizer, function)(updated)
    except Exception as error:
        raise PluginError(failure(who, error)) from error
    if function == "step" and not isinstance(found, Work):
        raise PluginError(f"{who} is {brief(found)}, which is no Work")
    if function == "state" and not _counts(found):
        raise PluginError(f"{who} is {brief(found)}, which is no number of bytes")
    return found


def _counts(value: Any) -> bool:
    """Returns whether a value is a count: an integer that is not negative, or a symbol or array of them."""
    if is_symbol(value) or is_array(value) or is_traced(value):
        return True
    return hasattr(value, "__index__") and not isinstance(value, bool) and bool(value >= 0)


def _updated(parameter: Parameter, master: str) -> TensorSpec:
    spec = parameter.spec
    return TensorSpec(spec.shape, "float32" if has_master(spec, master) else spec.dtype)


def _vector(flops: int, transcendentals: int = 0) -> Callable[[TensorSpec], Work]:
    """Returns a step with the same work for every element."""
    return lambda spec: Work(vector_flops=flops * spec.elements, transcendentals=transcendentals * spec.elements)


def _eight_bit(spec: TensorSpec) -> Dim:
    """Two codes of a byte for each element and two float32 scales for each block; small tensors two float32."""
    elements = spec.elements
    if less(elements, EIGHT_BIT_LEAST):
        return 2 * FLOAT32 * elements
    return 2 * elements + 2 * FLOAT32 * ceil_div(elements, EIGHT_BIT_BLOCK)


def _factored(spec: TensorSpec) -> Dim:
    """Returns a float32 for each row and each column of the last two dimensions; a vector one for each element."""
    if len(spec.shape) < 2:
        return FLOAT32 * spec.elements
    *lead, rows, columns = spec.shape
    return FLOAT32 * prod(lead) * (rows + columns)


def _factored_step(spec: TensorSpec) -> Work:
    """10 per element: g² + ε (2), the means of rows and columns (2), their outer product (1), times g (1), the
    root mean square of the update (2), clip and rate in one factor (1), the subtraction (1); the factors' own updates
    are few. A vector's second moment takes 3 and its rsqrt 1 in place of the means and the product."""
    if len(spec.shape) < 2:
        return Work(vector_flops=11 * spec.elements, transcendentals=spec.elements)
    *lead, rows, columns = spec.shape
    return Work(vector_flops=10 * spec.elements, transcendentals=prod(lead) * (rows + columns))


def _orthogonalised_step(spec: TensorSpec) -> Work:
    """12 per element: momentum (3), Nesterov (3), the norm (2) and its division (1), then, after five Newton–Schulz
    steps, decay (1) and the scaled subtraction (2).

    With m ≤ n the sides of the matrix, one Newton–Schulz step is A = X Xᵀ (2 m² n), B = b A + c A A (2 m³, and 3 m²
    around it) and X = a X + B X (2 m² n, and 2 m n).
    """
    rows, columns = spec.shape[0], prod(spec.shape[1:])
    short = minimum(rows, columns)
    square = short * short
    matmul = 4 * short * spec.elements + 2 * square * short
    vector = 3 * square + 2 * spec.elements
    return Work(NEWTON_SCHULZ_STEPS * matmul, NEWTON_SCHULZ_STEPS * vector + 12 * spec.elements, 1)


ADAMW = Optimizer(
    "adamw",
    "Two moments for each element, in the dtype of what is updated.",
    "Loshchilov and Hutter, 2019 (arXiv:1711.05101); torch.optim.AdamW. 14 per element: decay 1, first moment 3, "
    "second moment 4, root 1, bias correction 1, ε 1, division 1, scaled subtraction 2.",
    lambda spec: 2 * spec.bytes,
    _vector(14, 1),
)
SGD_MOMENTUM = Optimizer(
    "sgd-momentum",
    "One momentum for each element, in the dtype of what is updated.",
    "torch.optim.SGD(momentum=). 4 per element: momentum 2, scaled subtraction 2.",
    lambda spec: spec.bytes,
    _vector(4),
)
SGD = Optimizer(
    "sgd",
    "No state: the gradient alone.",
    "torch.optim.SGD. 2 per element: scaled subtraction.",
    lambda spec: 0,
    _vector(2),
)
ADAMW_8BIT = Optimizer(
    "adamw-8bit",
    "Two moments of one byte for each element, with two float32 scales a block of 2,048; tensors under 4,096 elements "
    "two float32.",
    "Dettmers et al., 2022 (arXiv:2110.02861); bitsandbytes/optim/optimizer.py, Optimizer2State.init_state, before "
    "its blocks became 256. AdamW's 14 per element, and for each moment 3: times the scale when it is read, the "
    "block's largest, by that when it is written.",
    _eight_bit,
    _vector(20, 1),
)
ADAFACTOR = Optimizer(
    "adafactor",
    "The second moment's means of rows and columns in float32, no momentum; a vector's second moment whole.",
    "Shazeer and Stern, 2018 (arXiv:1804.04235), algorithm 4 without momentum.",
    _factored,
    _factored_step,
)
MUON = Optimizer(
    "muon",
    "One momentum for each element of the hidden matrices; AdamW for embeddings, heads and vectors.",
    "Jordan et al., 2024 (kellerjordan.github.io/posts/muon), five Newton–Schulz steps.",
    lambda spec: spec.bytes,
    _orthogonalised_step,
    ADAMW,
)
OPTIMIZERS = (ADAMW, SGD_MOMENTUM, SGD, ADAMW_8BIT, ADAFACTOR, MUON)
