"""Functions of torch that take sizes for numbers although any would do: what they do, with symbols."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from graphacct_torch.errors import CaptureError, user_line

NEAREST = ("nearest1d", "nearest2d", "nearest3d", "_nearest_exact1d", "_nearest_exact2d", "_nearest_exact3d")
LINEAR = ("linear1d", "bilinear2d", "bicubic2d", "trilinear3d", "_bilinear2d_aa", "_bicubic2d_aa")
"""The upsamplings that `torch.nn.functional.interpolate` calls, the first without `align_corners`."""

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
"""The recurrent layers, and what they repeat."""


@contextlib.contextmanager
def symbolic_sizes(env: ShapeEnv) -> Iterator[None]:
    """A context in which sizes that are symbols of `env` stay symbols where torch's own code needs no number."""
    with contextlib.ExitStack() as stack:
        _put(stack, torch._C, "_select_conv_backend", _unguarded(env, torch._C._select_conv_backend))
        for kind in (*NEAREST, *LINEAR):
            name = f"_upsample{kind}" if kind.startswith("_") else f"upsample_{kind}"
            function = getattr(torch._C._nn, name)
            _put(stack, torch._C._nn, name, _upsample(name, function, kind in LINEAR))
        for name in RECURRENT:
            _put(stack, torch._VF, name, _refused(name, getattr(torch._VF, name)))
        yield


def _put(stack: contextlib.ExitStack, place: Any, name: str, value: Any) -> None:
    stack.callback(setattr, place, name, getattr(place, name))
    setattr(place, name, value)


def _unguarded(env: ShapeEnv, function: Callable[..., Any]) -> Callable[..., Any]:
    """Which kernel of a CPU convolves depends on the batch (16 and more run another). None of them changes the result's
    shape or strides, and which kernels count is a profile's matter, so that this is no condition."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with env.suppress_guards():
            return function(*args, **kwargs)

    return call


def _refused(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A recurrent layer of torch reads all sizes as numbers, and chooses its kernels by them."""

    def call(given: torch.Tensor, *others: Any) -> Any:
        if any(isinstance(side, torch.SymInt) for side in given.shape):
            line = user_line()
            raise CaptureError(
                f"torch's {name} takes sizes for numbers{f' ({line})' if line else ''}, which dynamic makes symbols: "
                "leave dynamic out, and ask for the module at each size that is needed"
            )
        return function(given, *others)

    return call


def _upsample(name: str, function: Callable[..., Any], aligned: bool) -> Callable[..., Any]:
    """The upsampling that a function of torch calls; it reads all sizes as numbers, and needs those of the image."""
    operator = getattr(torch.ops.aten, name).default

    def call(image: torch.Tensor, size: Any, *others: Any) -> Any:
        if not (isinstance(image, torch.Tensor) and any(isinstance(side, torch.SymInt) for side in image.shape)):
            return function(image, size, *others)
        *align, factors = others
        if not isinstance(factors, (tuple, list, type(None))):  # the call of one operator, by its own arguments
            return function(image, size, *others)
        each: list[Any] = list(factors) if factors is not None else [None] * (image.dim() - 2)
        sides = size
        if size is None:
            sides = [_times(side, factor) for side, factor in zip(image.shape[2:], each, strict=True)]
        return operator(image, sides, *align, *each)

    return call


def _times(side: Any, factor: float) -> Any:
    """Returns a size times a factor, rounded down."""
    return side * int(factor) if factor == int(factor) else torch.sym_int(side * factor)
