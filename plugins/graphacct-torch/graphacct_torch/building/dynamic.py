"""Sizes that may be anything: dimensions of the inputs become symbols, and the graph's formulas have them.

The module runs on fake tensors whose sizes are torch's symbols. What its code decides on the way (`if length > 512`)
are conditions of the graph; a decision for a single size is an error that names the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import attrs
import sympy
import torch
from torch._dynamo.source import ConstantSource
from torch.fx.experimental.symbolic_shapes import DimDynamic
from torch.utils._pytree import tree_leaves

from graphacct import brief
from graphacct_torch.building.watched import Watched
from graphacct_torch.calls import CallRecord, StorageRecord, TensorRecord, WholeRecord
from graphacct_torch.captured import Captured
from graphacct_torch.errors import CaptureError

LEAST = 3
"""The size at which the module runs where an input has a smaller one: torch takes 0 and 1 for constants."""
SMALL = 2
"""The smallest size that a symbol of torch stands for."""
FAR = (128, 1024)
"""Sizes far from the given ones at which branches on data are tried too, and four times the given one."""
MOST_ELEMENTS = 2**22
"""The largest input whose data is known at another size than the given one."""


@attrs.frozen(eq=False)
class Dynamic:
    """The symbols of one run.

    Attributes:
        env: torch's environment of symbols.
        sizes: torch's size for each of the user's symbols, by its name.
        places: The symbol of each dimension of an input, by the input's number among the tensors.
        tried: Numbers for torch's symbols: the sizes given, and others at which branches on data are tried.
    """

    env: Watched
    sizes: Mapping[str, torch.SymInt]
    places: Mapping[int, Mapping[int, str]]
    tried: tuple[Mapping[Any, int], ...]

    def data(self, tensor: torch.Tensor, index: int) -> list[torch.Tensor | None]:
        """Returns the data of the input of that number at each of the sizes that are tried, over again or cut off; None
        where that is too much."""
        found: list[torch.Tensor | None] = []
        for sizes in self.tried:
            sides = {dim: sizes[self.sizes[name].node.expr] for dim, name in self.places[index].items()}
            value = tensor.detach()
            if prod(sides.get(dim, size) for dim, size in enumerate(value.shape)) > MOST_ELEMENTS:
                found.append(None)
                continue
            for dim, side in sides.items():
                value = value.index_select(dim, torch.arange(side) % max(value.shape[dim], 1))
            found.append(value)
        return found

    def within(self, symbol: Any, least: int, most: int) -> None:
        """Makes it a condition that one of torch's symbols is within these sizes."""
        known = self.env.replace(symbol)  # by another that it equals, or a number, which is refused at the end
        size = next((size for size in self.sizes.values() if size.node.expr == known), None)
        if size is None:
            return
        if least > SMALL:
            bool(size >= least)
        self.env.above_one[known] = None
        bool(size <= most)

    def fake(self, tensor: torch.Tensor, index: int) -> torch.Tensor:
        """Returns the input of that number with symbols in place of sizes, under a fake mode."""
        names = self.places[index]
        shape = [self.sizes[names[dim]] if dim in names else size for dim, size in enumerate(tensor.shape)]
        return torch.empty(shape, dtype=tensor.dtype, device="cpu")


def dynamic_of(asked: Mapping[str, Any], args: Any, kwargs: Mapping[str, Any], names: list[str]) -> Dynamic:
    """Returns the symbols that a user asks for: `{"batch": 0}` is the first dimension of the first input and of all
    others that are as large there, `{"length": "input_ids:1"}` that of one input.

    Raises CaptureError for a dimension that no input has.
    """
    named = [*zip(names, args, strict=False), *kwargs.items()]
    inputs = [(name, leaf) for name, arg in named for leaf in tree_leaves(arg) if isinstance(leaf, torch.Tensor)]
    env = Watched(duck_shape=False)
    sizes: dict[str, torch.SymInt] = {}
    places: dict[int, dict[int, str]] = {}
    for symbol, where in asked.items():
        found = _places(symbol, where, inputs)
        index, dim = found[0]
        hint = max(int(inputs[index][1].shape[dim]), LEAST)
        source = ConstantSource(symbol)
        made = env.create_symbol(hint, source=source, dynamic_dim=DimDynamic.DYNAMIC, constraint_dim=None)
        sizes[symbol] = env.create_symintnode(made, hint=hint, source=source)
        for index, dim in found:
            places.setdefault(index, {})[dim] = symbol
    hints = {size.node.expr: size.node.hint for size in sizes.values()}
    more = {symbol: hint + 1 + number for number, (symbol, hint) in enumerate(hints.items())}
    least = dict.fromkeys(hints, SMALL)
    far = [
        {**least, symbol: size} for symbol, hint in hints.items() for size in (*FAR, 4 * hint) if size > more[symbol]
    ]
    return Dynamic(env, sizes, places, (hints, more, least, *far))


def _places(symbol: str, where: Any, inputs: list[tuple[str, torch.Tensor]]) -> list[tuple[int, int]]:
    """Returns the inputs and dimensions that a symbol stands for."""
    shown = ", ".join(f"{name} {'x'.join(map(str, tensor.shape))}" for name, tensor in inputs) or "no tensor"
    given = brief(str(where)).strip("'\"")
    wrong = CaptureError(
        f"dynamic {symbol}={given} is no dimension of the inputs ({shown}): give its number, as 0, or INPUT:NUMBER, as "
        "input_ids:1"
    )
    if not symbol.isidentifier():
        raise CaptureError(f"dynamic {brief(symbol)} is no name for a symbol: give one such as batch")
    found: list[tuple[int, int]] = []
    for part in str(where).split(","):
        name, colon, number = part.strip().rpartition(":")
        if not number.isdigit():
            raise wrong
        dim = int(number)
        having = [i for i, (other, tensor) in enumerate(inputs) if tensor.dim() > dim and (not colon or other == name)]
        if not having:
            raise wrong
        size = inputs[having[0]][1].shape[dim]
        found += [(i, dim) for i in having if inputs[i][1].shape[dim] == size]
    return found


def in_symbols(captured: Captured, dynamic: Dynamic) -> Captured:
    """Returns a capture with graphacct's symbols for torch's sizes."""
    return _Symbols(dynamic).captured(captured)


def conditions_of(dynamic: Dynamic) -> tuple[Any, ...]:
    """Returns the conditions under which a run holds, as relations of graphacct's symbols.

    Raises CaptureError for a symbol that the code takes for a number.
    """
    for name, size in dynamic.sizes.items():
        found = size.node.expr
        if not found.is_Symbol:
            raise CaptureError(
                f"dynamic {name} is no size that may be anything: the module's code takes it for "
                f"{found}{dynamic.env.line}"
            )
    symbols = _Symbols(dynamic)
    conditions: dict[Any, None] = {}
    for symbol in dynamic.env.above_one:
        expression = symbols.expression(dynamic.env.replace(symbol))
        if expression.is_Symbol:
            conditions[expression > 1] = None
    for guard in dynamic.env.guards:
        relation = symbols.expression(dynamic.env.replace(guard.expr))
        if relation not in (True, False) and relation.free_symbols:
            conditions[relation] = None
    return tuple(conditions)


class _Symbols:
    """Writes torch's symbols as graphacct's."""

    def __init__(self, dynamic: Dynamic) -> None:
        self._written = {
            size.node.expr: sympy.Symbol(name, integer=True, positive=True) for name, size in dynamic.sizes.items()
        }
        self._storages: dict[int, StorageRecord] = {}
        self._tensors: dict[int, TensorRecord] = {}

    def expression(self, expression: Any) -> Any:
        """Returns an expression in graphacct's symbols, with torch's own functions as sympy's."""
        from torch.utils._sympy import functions

        def written(part: Any) -> Any:
            if part in self._written:
                return self._written[part]
            if not part.args:
                return part
            args = [written(arg) for arg in part.args]
            if isinstance(part, (functions.FloorDiv, functions.CleanDiv)):
                return sympy.cancel(args[0] / args[1]) if _whole(args) else sympy.floor(args[0] / args[1])
            if isinstance(part, (functions.Mod, functions.PythonMod)):
                return sympy.Mod(*args)
            if isinstance(part, functions.Max):
                return sympy.Max(*args)
            if isinstance(part, functions.Min):
                return sympy.Min(*args)
            return part.func(*args)

        return sympy.expand(written(expression)) if not expression.is_Relational else written(expression)

    def plain(self, value: Any) -> Any:
        """Returns what an argument is with expressions in place of sizes."""
        if isinstance(value, torch.SymInt):
            found = self.expression(value.node.expr)
            return int(found) if found.is_Integer else found
        if isinstance(value, TensorRecord):
            return self.tensor(value)
        if isinstance(value, (tuple, list)):
            return type(value)(self.plain(part) for part in value)
        if isinstance(value, Mapping):
            return {key: self.plain(part) for key, part in value.items()}
        return value

    def tensor(self, record: TensorRecord) -> TensorRecord:
        if record.index not in self._tensors:
            self._tensors[record.index] = attrs.evolve(
                record,
                storage=self.storage(record.storage),
                shape=self.plain(record.shape),
                strides=self.plain(record.strides),
                offset=self.plain(record.offset),
            )
        return self._tensors[record.index]

    def storage(self, record: StorageRecord) -> StorageRecord:
        record.bytes = self.plain(record.bytes)
        return record

    def call(self, call: CallRecord) -> CallRecord:
        made, operands = (tuple(map(self.tensor, tensors)) for tensors in (call.outputs, call.operands))
        given = {"args": self.plain(call.args), "kwargs": self.plain(call.kwargs)}
        return attrs.evolve(call, **given, outputs=made, operands=operands)

    def whole(self, whole: WholeRecord) -> WholeRecord:
        made = tuple(self.tensor(output) for output in whole.outputs)
        return attrs.evolve(whole, arguments=self.plain(whole.arguments), outputs=made)

    def captured(self, captured: Captured) -> Captured:
        return attrs.evolve(
            captured,
            calls=tuple(map(self.call, captured.calls)),
            wholes=tuple(map(self.whole, captured.wholes)),
            inputs=tuple(map(self.tensor, captured.inputs)),
            outputs=tuple(map(self.tensor, captured.outputs)),
            starts=tuple(map(self.tensor, captured.starts)),
            tensors={name: self.tensor(record) for name, record in captured.tensors.items()},
        )


def _whole(args: list[Any]) -> bool:
    """Whether a quotient is one without a remainder, as sizes have them."""
    return bool(sympy.cancel(args[0] / args[1]).is_integer)
