"""Projectors: from the tokens of a tower to rows of a text's width, in steps that a family lists.

Each step takes x (images, tokens, width) and returns the same with other tokens or another width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import TypeAlias

from graphacct import Builder, ConfigError, Dim, Value, exact_div, frozen
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import activation, linear


@frozen
class Linear:
    """A linear layer; `name` may have dots."""

    name: str
    width: Dim
    bias: bool = True

    def __call__(self, b: Builder, x: Value) -> Value:
        return linear(b, self.name, x, self.width, bias=self.bias)


@frozen
class Activated:
    """An activation: one operator, or several separated by spaces."""

    operators: str
    name: str = "act"

    def __call__(self, b: Builder, x: Value) -> Value:
        return activation(b, self.operators, x, self.name)


@frozen
class Normed:
    """A norm over the width."""

    name: str
    kind: Norm

    def __call__(self, b: Builder, x: Value) -> Value:
        return normed_by(b, self.name, x, self.kind)


@frozen
class Product:
    """A product with a matrix that is stored (in, out), a parameter of the projector itself."""

    name: str
    width: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        return b.apply("matmul", x, b.parameter(self.name, (x.spec.shape[-1], self.width)), name="product")


@frozen
class Pooled:
    """Means of squares of `kernel` by `kernel` tokens."""

    kernel: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        count, tokens, width = x.spec.shape
        side = square_side(tokens)
        x = b.apply("transpose", x, name="places_last", dims=(1, 2))
        x = b.apply("reshape", x, name="places", shape=(count, width, side, side))
        x = b.apply("contiguous", x, name="places_copied")
        x = b.apply("avg_pool", x, name="avg_pool", kernel=(self.kernel,) * 2, stride=(self.kernel,) * 2)
        places = x.spec.shape[2] * x.spec.shape[3]
        x = b.apply("reshape", x, name="pooled", shape=(count, width, places))
        return b.apply("transpose", x, name="tokens", dims=(1, 2))


@frozen
class Shuffled:
    """Squares of `factor` by `factor` tokens as one, whose width is all theirs beside one another: two copies."""

    factor: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        count, tokens, width = x.spec.shape
        factor, side = self.factor, square_side(tokens)
        part = exact_div(side, factor, "tokens on a side / scale factor")
        x = b.apply("reshape", x, name="rows", shape=(count, side, part, width * factor))
        x = b.apply("permute", x, name="columns_first", dims=(0, 2, 1, 3))
        x = b.apply("reshape", x, name="squares", shape=(count, part, part, width * factor**2))
        x = b.apply("permute", x, name="rows_first", dims=(0, 2, 1, 3))
        return b.apply("reshape", x, name="shuffled", shape=(count, part * part, width * factor**2))


@frozen
class Gated:
    """The first half of the width times the activation of the second."""

    operators: str

    def __call__(self, b: Builder, x: Value) -> Value:
        first, gate = b.apply("split", x, name="halves", parts=2)
        gated: Value = b.apply("mul", activation(b, self.operators, gate), first, name="gated")
        return gated


Step: TypeAlias = Callable[[Builder, Value], Value]


def projected(b: Builder, steps: Sequence[Step], x: Value) -> Value:
    """Returns x after all steps; the builder is in the projector's scope."""
    for step in steps:
        x = step(b, x)
    return x


def square_side(count: Dim) -> int:
    """Returns the tokens on each side of a square. Raises ConfigError if they do not form one."""
    if type(count) is not int:
        raise ConfigError("the projector reads an image's tokens as a square: image_size and patch_size are integers")
    if isqrt(count) ** 2 != count:
        raise ConfigError(f"the projector reads an image's {count} tokens as a square, which they are not: image_size")
    return isqrt(count)
