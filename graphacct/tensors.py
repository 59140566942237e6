"""Tensor shapes and dtypes, without data."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from graphacct.dims import Dim, differ, has_value, prod, shape_text
from graphacct.errors import ConfigError, brief, unknown

DTYPE_BITS: dict[str, int] = {
    "float64": 64,
    "float32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
    "float8_e8m0fnu": 8,
    "float4_e2m1fn": 4,
    "int64": 64,
    "int32": 32,
    "int16": 16,
    "int8": 8,
    "uint64": 64,
    "uint32": 32,
    "uint16": 16,
    "uint8": 8,
    "int4": 4,
    "uint4": 4,
    "bool": 8,
    "complex64": 64,
    "complex128": 128,
}
"""Bits per element of each dtype (torch's names; a bool takes a byte, as in torch)."""

WHOLE_BYTES = {name: bits // 8 for name, bits in DTYPE_BITS.items() if bits >= 8}
"""Bytes per element of the dtypes that have whole ones."""

DTYPE_ALIASES = {
    "fp64": "float64",
    "double": "float64",
    "fp32": "float32",
    "float": "float32",
    "fp16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
    "fp8_e4m3": "float8_e4m3fn",
    "fp8_e5m2": "float8_e5m2",
    "fp4": "float4_e2m1fn",
}
"""The short names that people type, and the dtype each stands for."""

FLOATING = frozenset(name for name in DTYPE_BITS if "float" in name or "complex" in name)
"""The dtypes that can carry a gradient."""
COMPLEX = frozenset(name for name in DTYPE_BITS if "complex" in name)
"""The dtypes whose elements are two real numbers."""
SIGNED = frozenset(name for name in DTYPE_BITS if name.startswith("int"))
UNSIGNED = frozenset(name for name in DTYPE_BITS if name.startswith("uint"))


def promoted(dtypes: Sequence[str]) -> str:
    """Returns the dtype that several of one kind (floating-point, or integers) promote to: the widest, or float32 for
    two different ones of 16 bits; of signed and unsigned integers a signed one that is wide enough for both."""
    best = dtypes[0]
    for dtype in dtypes[1:]:
        if dtype == best:
            continue
        bits, most = DTYPE_BITS[dtype], DTYPE_BITS[best]
        if dtype in SIGNED and best in UNSIGNED:
            best = f"int{min(max(bits, 2 * most), 64)}"
        elif dtype in UNSIGNED and best in SIGNED:
            best = f"int{min(max(most, 2 * bits), 64)}"
        elif bits > most:
            best = dtype
        elif bits == most == 16:
            best = "float32"
    return best


COMPUTED = ("float64", "float32", "bfloat16", "float16")
"""The dtypes that a model computes in."""
CACHED = (*COMPUTED, "float8_e4m3fn", "float8_e5m2", "int8")
"""The dtypes that a cache of keys and values can have."""
STORED = {"int4": "int4", "uint4": "int4", "int8": "int8", "uint8": "int8", "float4_e2m1fn": "nvfp4"}
"""The weight format that comes closest to a dtype in which nothing is computed; fp8 for the others of 8 bits."""
MAX_RANK = 64
"""The most dimensions a tensor can have (torch's limit)."""


def dtype_name(name: object) -> str:
    """Returns the canonical dtype for a name, an alias (`bf16`) or torch's spelling (`torch.bfloat16`).

    Raises UnknownNameError with the closest known name.
    """
    if not isinstance(name, str):
        raise ConfigError(f"a dtype is a name such as 'float32', not {brief(name)}")
    short = name.removeprefix("torch.").lower()
    short = DTYPE_ALIASES.get(short, short)
    if short not in DTYPE_BITS:
        raise unknown("dtype", name, [*DTYPE_BITS, *DTYPE_ALIASES])
    return short


def computed_dtype(name: object, subject: str = "dtype") -> str:
    """Returns the canonical name of a dtype that a model computes in.

    Raises ConfigError, whose message begins with `subject` (`dtype`, or what it is called in a file), for another
    dtype, with the way out: weights may be stored so, and a cache.
    """
    dtype = dtype_name(name)
    if dtype in COMPUTED:
        return dtype
    known = f"{', '.join(COMPUTED[:-1])} or {COMPUTED[-1]}"
    message = f"{subject} {brief(name)}: no model computes in it, but in {known}"
    if dtype in STORED or dtype.startswith("float8"):
        first = "leave it out and add" if subject == "dtype" else "add dtype='bf16', and"
        message += f"; {first} weights={STORED.get(dtype, 'fp8')!r} for weights that are stored so"
    if dtype in CACHED:
        message += f", kv_dtype={name!r} for such a cache"
    raise ConfigError(message)


def cache_dtype(name: object) -> str:
    """Returns the canonical name of a dtype that a cache of keys and values can have; ConfigError for another."""
    dtype = dtype_name(name)
    if dtype not in CACHED:
        raise ConfigError(f"kv_dtype {brief(name)} is no dtype of a cache: it is one of {', '.join(CACHED)}")
    return dtype


@attrs.frozen(hash=True, cache_hash=True, repr=False)
class TensorSpec:
    """A tensor's shape, dtype and memory layout.

    Attributes:
        shape: The dimensions, outermost first; `()` is a scalar.
        dtype: A key of `DTYPE_BITS`.
        strides: Elements to step per dimension; None means row-major and contiguous, which is the usual case. Views (a
            transpose, a slice, an expansion) and outputs that preserve their layout have strides; they decide whether a
            reshape copies.
    """

    shape: tuple[Dim, ...]
    dtype: str = "float32"
    strides: tuple[Dim, ...] | None = None
    _bytes: Dim | None = attrs.field(default=None, init=False, eq=False)

    def __repr__(self) -> str:
        return f"<TensorSpec {self}>"

    @property
    def elements(self) -> Dim:
        """How many elements the tensor has."""
        return prod(self.shape)

    @property
    def bytes(self) -> Dim:
        """Bytes of the elements, packed; sub-byte dtypes round up to a whole byte per tensor."""
        if self._bytes is None:
            object.__setattr__(self, "_bytes", self._packed_bytes())
        return self._bytes

    @property
    def contiguous(self) -> TensorSpec:
        """A tensor of the same shape and dtype, row-major."""
        return self if self.strides is None else TensorSpec(self.shape, self.dtype)

    def _packed_bytes(self) -> Dim:
        width = WHOLE_BYTES.get(self.dtype)
        if width is not None:
            return prod(self.shape) * width
        if self.dtype not in DTYPE_BITS:
            raise unknown("dtype", self.dtype, DTYPE_BITS)
        return -(-prod(self.shape) * DTYPE_BITS[self.dtype] // 8)

    def __str__(self) -> str:
        layout = "" if self.strides is None else f" with strides {shape_text(self.strides)}"
        return f"{self.dtype}{shape_text(self.shape)}{layout}"


def is_loss(spec: TensorSpec) -> bool:
    """Returns whether a first output is a loss: a scalar that can carry a gradient."""
    return spec.shape == () and spec.dtype in FLOATING


def gradient_starts(outputs: Sequence[TensorSpec]) -> tuple[int, ...]:
    """Returns where among a graph's outputs a backward pass starts: at the first if that is a loss, and otherwise at
    every one that can carry a gradient, as from the outputs' sum."""
    if outputs and is_loss(outputs[0]):
        return (0,)
    return tuple(index for index, spec in enumerate(outputs) if spec.dtype in FLOATING)


def conflict(a: TensorSpec, b: TensorSpec) -> bool:
    """Returns whether two specs are known to differ; symbols and arrays have no single value to compare."""
    if a.dtype != b.dtype or len(a.shape) != len(b.shape) or any(map(differ, a.shape, b.shape)):
        return True
    if a.strides is None or b.strides is None:
        return a.strides is not b.strides and all(map(has_value, a.shape))
    return any(map(differ, a.strides, b.strides))
