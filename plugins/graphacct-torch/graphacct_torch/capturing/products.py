"""The matmul FLOPs of aten calls, forward and backward: torch's own formulas, and others where its counter is blind.

They check what graphacct's operators and their gradients count; no figure of a report comes from here. torch's counter
is blind to fused attention on a CPU, products of vectors and its recurrent layers, and takes the gradient of a grouped
convolution's weight for that of one without groups. Sums are not counted, as with the convention `exact`: a
multiplication and an addition are 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from graphacct_torch.calls import CallRecord, TensorRecord


def matmul_flops(call: CallRecord) -> int:
    """Returns the FLOPs of a call's products; 0 for one that multiplies no matrices. A multiply-add of complex numbers
    is four of real ones, which torch's counter takes for one."""
    complex_numbers = any(tensor.dtype.startswith("complex") for tensor in call.operands)
    return _products(call) * (4 if complex_numbers else 1)


def _products(call: CallRecord) -> int:
    own = OWN.get(call.name.removeprefix("aten."))
    if own is not None:
        return int(own(call, call.arguments))
    formula = flop_registry.get(call.func._overloadpacket)
    if formula is None:
        return 0
    made = tuple(torch.Size(tensor.shape) for tensor in call.outputs)
    args, kwargs = _shapes(call.args), _shapes(dict(call.kwargs))
    return int(formula(*args, **kwargs, out_val=made[0] if len(made) == 1 else made))


def _shapes(tree: Any) -> Any:
    """Arguments with shapes in place of tensors."""
    if isinstance(tree, TensorRecord):
        return torch.Size(tree.shape)
    if isinstance(tree, (tuple, list)):
        return type(tree)(_shapes(part) for part in tree)
    return {name: _shapes(part) for name, part in tree.items()} if isinstance(tree, Mapping) else tree


def _convolution_backward(call: CallRecord, a: Mapping[str, Any]) -> int:
    """Two products as large as the forward one, each if it is asked for."""
    places = math.prod((a["input"] if a["transposed"] else a["grad_output"]).shape)
    return 2 * places * math.prod(a["weight"].shape[1:]) * sum(map(bool, a["output_mask"][:2]))


def _attention(call: CallRecord, a: Mapping[str, Any]) -> int:
    """Scores and values."""
    (*batch, queries, width), keys = a["query"].shape, a["key"].shape[-2]
    return 2 * math.prod(batch) * queries * keys * (width + a["value"].shape[-1])


def _attention_backward(call: CallRecord, a: Mapping[str, Any]) -> int:
    """Four products: the scores that the kernel computes again are not the model's."""
    return 2 * _attention(call, a)


def _grouped(call: CallRecord, a: Mapping[str, Any]) -> int:
    left, right = a["self"].shape, a["mat2"].shape
    return 2 * math.prod(left) * right[-1]


def _vectors(call: CallRecord, a: Mapping[str, Any]) -> int:
    return 2 * math.prod(a["self"].shape)


def _distances(call: CallRecord, a: Mapping[str, Any]) -> int:
    """One product of rows, to which their squares and a one are appended (aten's Distance.cpp)."""
    rows, others = a["x1"].shape, a["x2"].shape
    return 2 * math.prod(rows[:-1]) * others[-2] * (rows[-1] + 2)


def _batches(call: CallRecord, a: Mapping[str, Any]) -> int:
    return 2 * math.prod(a["batch1"].shape) * a["batch2"].shape[-1]


def _trilinear(call: CallRecord, a: Mapping[str, Any]) -> int:
    """The product of the first two factors, summed over what the third lacks, and that with the third. A product that
    sums over nothing is pointwise."""
    expanded = [set(a[f"expand{factor}"]) for factor in (1, 2, 3)]
    sides: list[dict[int, int]] = []
    for factor, new in enumerate(expanded, 1):
        shape = list(a[f"i{factor}"].shape)
        for place in sorted(new):
            shape.insert(place, 1)
        sides.append({place: size for place, size in enumerate(shape) if place not in new})
    pair = {**sides[0], **sides[1]}
    kept = {place: size for place, size in pair.items() if place not in a["sumdim"] or place in sides[2]}
    first = 2 * math.prod(pair.values()) if len(kept) < len(pair) else 0
    return first + 2 * math.prod({**kept, **sides[2]}.values())


def _recurrent(call: CallRecord, a: Mapping[str, Any]) -> int:
    """Each step multiplies the input and the state by their weights."""
    steps, sequences = a["input"].shape[:2]
    weights = [tensor for tensor in call.operands if len(tensor.shape) == 2 and tensor.storage.kind == "parameter"]
    return 2 * steps * sequences * sum(math.prod(tensor.shape) for tensor in weights)


def _recurrent_backward(call: CallRecord, a: Mapping[str, Any]) -> int:
    return 2 * _recurrent(call, a)


OWN: Mapping[str, Callable[[CallRecord, Mapping[str, Any]], int]] = {
    "_euclidean_dist.default": _distances,
    "convolution_backward.default": _convolution_backward,
    "_scaled_dot_product_flash_attention_for_cpu.default": _attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward.default": _attention_backward,
    "_grouped_mm.default": _grouped,
    "mv.default": _vectors,
    "dot.default": _vectors,
    "vdot.default": _vectors,
    "addbmm.default": _batches,
    "_trilinear.default": _trilinear,
    "mkldnn_rnn_layer.default": _recurrent,
    "mkldnn_rnn_layer_backward.default": _recurrent_backward,
}
"""Formulas by the operator's name, in place of torch's."""
