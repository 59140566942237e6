"""Functions of torch that a GPU has a kernel for, and a CPU only at times: what they call is one operator.

Which kernels run then is a profile's matter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional

from graphacct_torch.capturing.recorder import Recorder

PARAMETERS = {
    "rms_norm": ("input", "normalized_shape", "weight", "eps"),
    "scaled_dot_product_attention": (
        *("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"),
    ),
}
"""The functions, all of `torch.nn.functional`, with their parameters in order."""
FUSED = "aten._scaled_dot_product_"
"""Begins the names of the kernels of attention."""


@contextlib.contextmanager
def composing(recorder: Recorder) -> Iterator[None]:
    """A context in which a recorder notes the calls of each such function as a whole."""
    before: dict[str, Callable[..., Any]] = {name: getattr(functional, name) for name in PARAMETERS}
    for name, function in before.items():
        setattr(functional, name, _composed(recorder, name, function))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(functional, name, function)


def _composed(recorder: Recorder, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        named = dict(zip(PARAMETERS[name], args, strict=False)) | kwargs
        if name == "scaled_dot_product_attention" and not _has_heads(named):
            return function(*args, **kwargs)
        known = len(recorder.wholes)
        result = recorder.whole(function, name, named, args, kwargs, None)
        if len(recorder.wholes) > known:
            whole = recorder.wholes[known]
            calls = recorder.calls[whole.first :]
            if len(calls) == 1 or any(one.name.startswith(FUSED) for one in calls):
                del recorder.wholes[known]
        return result

    return call


def _has_heads(named: dict[str, Any]) -> bool:
    """Whether attention's operands are what the operator takes: (batch, heads, tokens, width), heads of keys and values
    shared or not."""
    tensors = [named.get(part) for part in ("query", "key", "value")]
    if not all(isinstance(tensor, torch.Tensor) and tensor.dim() == 4 for tensor in tensors):
        return False
    q, k, v = (tensor.shape for tensor in tensors if tensor is not None)
    shared = q[1] == k[1] or named.get("enable_gqa") or k[1] == 1
    return bool(q[0] == k[0] == v[0] and k[1] == v[1] and shared)
