"""Rows of an operator's contract: operands, attributes, and what they cost; and the sizes that are in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from graphacct.errors import ConfigError
from graphacct.operators.operator import Operator
from graphacct.operators.signature import Term
from graphacct.tensors import TensorSpec

Shape: TypeAlias = tuple[Any, ...] | TensorSpec
Operands: TypeAlias = tuple[list[TensorSpec], dict[str, Any]]
COSTS = ("matmul_flops", "vector_flops", "transcendentals", "read_bytes", "write_bytes", "activation_bytes")


@attrs.frozen
class Row:
    """Operands of an operator, and what it costs for them.

    Equal numbers in the shapes of a row are one size, and 1 stays 1: the tests put symbols, arrays and larger numbers
    in their place. So tell dimensions apart by their numbers. Where an attribute has a size too, or a dimension is a
    product of sizes, write the operands as a function of sizes:

        Row(lambda b, s, t: ([(b, s + t)], {"dim": 1, "start": s, "length": t}), sizes={"b": 2, "s": 3, "t": 5})

    Attributes:
        operands: A shape (float32) or a TensorSpec for each operand; or a function of sizes that returns these and the
            attributes.
        attributes: The node's attributes.
        sizes: The numbers for the arguments of the function.
        matmul_flops: What it costs, as `Cost` has it; None is not checked. So are the next five.
        gradients: The FLOPs of operands' gradients, by the operand.
        outputs: The outputs' shapes, if given.
    """

    operands: Sequence[Shape] | Callable[..., Any] = ()
    attributes: Mapping[str, Any] = attrs.field(factory=dict)
    sizes: Mapping[str, int] = attrs.field(factory=dict, kw_only=True)
    matmul_flops: int | None = attrs.field(default=None, kw_only=True)
    vector_flops: int | None = attrs.field(default=None, kw_only=True)
    transcendentals: int | None = attrs.field(default=None, kw_only=True)
    read_bytes: int | None = attrs.field(default=None, kw_only=True)
    write_bytes: int | None = attrs.field(default=None, kw_only=True)
    activation_bytes: int | None = attrs.field(default=None, kw_only=True)
    gradients: Mapping[str, int] = attrs.field(factory=dict, kw_only=True)
    outputs: Sequence[tuple[int, ...]] | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not callable(self.operands):
            return
        asked = [*inspect.signature(self.operands).parameters]
        if self.attributes or sorted(asked) != sorted(self.sizes):
            raise ConfigError(
                f"a row whose operands are a function of {', '.join(asked)} has sizes= for these, and no attributes: "
                "the function returns them with the operands"
            )

    @property
    def costs(self) -> dict[str, int]:
        """The figures that it states."""
        return {name: value for name in COSTS if (value := getattr(self, name)) is not None}

    def __str__(self) -> str:
        specs, attributes = sized(self).at({})
        shapes = ", ".join(str(spec.shape) for spec in specs)
        return f"[{shapes}]" + (f" {attributes}" if attributes else "")


@attrs.frozen
class Sized:
    """A row as a function of its sizes.

    Attributes:
        sizes: The row's own numbers, by name.
        make: Returns the operands and attributes, given every size by name.
        free: Whether any sizes fit; otherwise multiples of the row's own, which what is constant in the attributes
            (a number of groups) divides if it divides the row's.
    """

    sizes: Mapping[str, int]
    make: Callable[..., Operands]
    free: bool

    def at(self, sizes: Mapping[str, Any]) -> Operands:
        """Returns operands and attributes with some sizes in place of the row's own."""
        return self.make(**{**self.sizes, **sizes})


def sized(row: Row, operator: Operator | None = None) -> Sized:
    """Returns a row as a function of its sizes, which have the names that the operator's signature gives them."""
    if callable(row.operands):
        function = row.operands

        def called(**sizes: Any) -> Operands:
            operands, attributes = function(**sizes)
            return [_spec(shape) for shape in operands], dict(attributes)

        return Sized(row.sizes, called, True)
    specs = [_spec(shape) for shape in row.operands]
    if any(spec.strides is not None for spec in specs):
        raise ConfigError("a row with strides writes its operands as a function of sizes, which strides have too")
    names: dict[Any, str] = _names(specs, () if operator is None else operator.signature.inputs)

    def made(**sizes: Any) -> Operands:
        numbers = {number: sizes[name] for number, name in names.items()}
        found = [attrs.evolve(s, shape=tuple(numbers.get(dim, dim) for dim in s.shape)) for s in specs]
        return found, dict(row.attributes)

    return Sized({name: number for number, name in names.items()}, made, False)


def _spec(shape: Shape) -> TensorSpec:
    return shape if isinstance(shape, TensorSpec) else TensorSpec(tuple(shape))


def _names(specs: Sequence[TensorSpec], terms: Sequence[Term]) -> dict[Any, str]:
    """Returns the name of each number in the shapes: the signature's where it has one, else `size N`."""
    names: dict[Any, str] = {}
    for place, spec in enumerate(specs):
        term = terms[min(place, len(terms) - 1)] if terms else None
        back = len(spec.shape) - (0 if term is None else len(term.back))
        for index, dim in enumerate(spec.shape):
            if type(dim) is not int or dim < 2 or dim in names:
                continue
            name = f"size_{dim}"
            if term is not None and index < len(term.front):
                name = term.front[index]
            elif term is not None and index >= back:
                name = term.back[index - back]
            names[dim] = name if name not in names.values() else f"size_{dim}"
    return names
