"""Fast Fourier transforms, over one or several dimensions.

A complex transform of n is 5 n log2 n FLOPs, a real one half of that: FFTW's convention, and for powers of two what the
radix-2 algorithm does (10 FLOPs for each of n / 2 butterflies in log2 n passes). For other sizes the logarithm is
rounded up; for several dimensions the logarithms add up.
"""

import sys
from collections.abc import Sequence
from typing import Any

from graphacct import OperatorError, ShapeError, TensorSpec, Work, differ, has_value, operator, prod

COMPLEX = {"float32": "complex64", "float64": "complex128"}
REAL = {wide: narrow for narrow, wide in COMPLEX.items()}


def passes(n: Any) -> Any:
    """Returns the logarithm of a size to base 2, rounded up."""
    if has_value(n):
        return max(n - 1, 0).bit_length()
    if hasattr(n, "free_symbols"):
        sympy = sys.modules["sympy"]
        return sympy.ceiling(sympy.log(n, 2))
    numpy = sys.modules["numpy"]
    logarithms = numpy.array([max(int(each) - 1, 0).bit_length() for each in n.ravel()], n.dtype)
    return logarithms.reshape(n.shape)


def _axes(x: TensorSpec, dim: int | Sequence[int]) -> list[int]:
    rank = len(x.shape)
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    for axis in dims:
        if not -rank <= axis < rank:
            raise ShapeError(f"dimension {axis} is out of range for {rank} dimensions")
    return [axis % rank for axis in dims]


def _dtype(x: TensorSpec, names: dict[str, str], wanted: str) -> str:
    if x.dtype not in names:
        raise OperatorError(f"x is {x.dtype}; this transform takes {wanted}: {', '.join(names)}")
    return names[x.dtype]


def _transform(elements: Any, sizes: Sequence[Any]) -> Any:
    return 5 * elements * sum(map(passes, sizes))


def _like(x: TensorSpec, *, dim: int | Sequence[int] = -1) -> TensorSpec:
    _axes(x, dim)
    _dtype(x, REAL, "complex numbers")
    return TensorSpec(x.shape, x.dtype)


def _complex(x: TensorSpec, *, dim: int | Sequence[int] = -1, normalization: int = 0) -> Work:
    flops = _transform(x.elements, [x.shape[axis] for axis in _axes(x, dim)])
    return Work(vector_flops=flops + (2 * x.elements if normalization else 0))


@operator("x: ... -> ...", infer=_like, gradients={"x": _complex})
def fft_c2c(x: TensorSpec, *, dim: int | Sequence[int] = -1, normalization: int = 0) -> Work:
    """The discrete Fourier transform of complex numbers, forward or back (Cooley and Tukey, 1965).

    5 log2 n per element of x, FFTW's convention; 2 per element if the result is scaled (`normalization`, as in torch).

    Backward: the same transform the other way. Nothing is kept.
    """
    return _complex(x, dim=dim, normalization=normalization)


def _half(x: TensorSpec, *, dim: int | Sequence[int] = -1, onesided: bool = True) -> TensorSpec:
    axes = _axes(x, dim)
    shape = list(x.shape)
    if onesided:
        shape[axes[-1]] = shape[axes[-1]] // 2 + 1
    return TensorSpec(tuple(shape), _dtype(x, COMPLEX, "real numbers"))


def _real_back(x: TensorSpec, *, dim: int | Sequence[int] = -1, normalization: int = 0) -> Work:
    return _complex(x, dim=dim, normalization=normalization)


@operator(
    "x: ... -> ...",
    infer=_half,
    saves={"x": "torch keeps the input for its shape"},
    gradients={"x": _real_back},
)
def fft_r2c(x: TensorSpec, out: TensorSpec, *, dim: int | Sequence[int] = -1, normalization: int = 0) -> Work:
    """The discrete Fourier transform of real numbers; of its symmetric result the last dimension has n // 2 + 1, or all
    unless `onesided`.

    5 log2 n for every second element of x, FFTW's convention; 2 per output element if it is scaled.

    Backward: a complex transform of g, filled with zeros to the size of x: 5 log2 n per element of x.
    """
    flops = _transform(x.elements, [x.shape[axis] for axis in _axes(x, dim)]) // 2
    return Work(vector_flops=flops + (2 * out.elements if normalization else 0))


def _whole(x: TensorSpec, *, last_dim_size: Any, dim: int | Sequence[int] = -1) -> TensorSpec:
    axes = _axes(x, dim)
    shape = list(x.shape)
    if has_value(last_dim_size) and differ(shape[axes[-1]], last_dim_size // 2 + 1):
        raise ShapeError(
            f"dimension {axes[-1]} of x is {shape[axes[-1]]}; for a result of {last_dim_size} it is "
            f"{last_dim_size // 2 + 1}"
        )
    shape[axes[-1]] = last_dim_size
    return TensorSpec(tuple(shape), _dtype(x, REAL, "complex numbers"))


def _whole_back(x: TensorSpec, out: TensorSpec, *, dim: int | Sequence[int] = -1, normalization: int = 0) -> Work:
    axes = _axes(x, dim)
    flops = _transform(out.elements, [out.shape[axis] for axis in axes]) // 2
    doubled = prod(size for axis, size in enumerate(x.shape) if axis != axes[-1]) * (
        out.shape[axes[-1]] - x.shape[axes[-1]]
    )
    return Work(vector_flops=flops + 2 * doubled + (2 * x.elements if normalization else 0))


@operator("x: ... -> ...", infer=_whole, gradients={"x": _whole_back})
def fft_c2r(
    x: TensorSpec, out: TensorSpec, *, last_dim_size: Any, dim: int | Sequence[int] = -1, normalization: int = 0
) -> Work:
    """The inverse transform of a symmetric spectrum, which has n // 2 + 1 of the last dimension's n: real numbers.

    5 log2 n for every second output element, FFTW's convention; 1 per output element if it is scaled.

    Backward: the real transform of g, as much; 2 for each element of x whose mirror image was left out, to double it.
    """
    flops = _transform(out.elements, [out.shape[axis] for axis in _axes(x, dim)]) // 2
    return Work(vector_flops=flops + (out.elements if normalization else 0))
