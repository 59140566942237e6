"""From a capture to a Graph: each call becomes a node under the path of its module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Graph, Operator, Parameter, Value
from graphacct_torch.calls import ACTIVATION, BUFFER, CONSTANT, FORWARD, CallRecord, TensorRecord
from graphacct_torch.captured import Captured
from graphacct_torch.errors import CaptureError
from graphacct_torch.mapping.choose import rule_of, unmapped
from graphacct_torch.mapping.composed import as_one
from graphacct_torch.mapping.mapped import Mapped
from graphacct_torch.mapping.peepholes import IDLE, one_operator
from graphacct_torch.tracing.gradients import GradientBuilder, Stops, without_gradient
from graphacct_torch.tracing.inplace import Versions, calls_of_autograd, is_view, reshaped
from graphacct_torch.tracing.names import NodeNames
from graphacct_torch.tracing.views import Reshaped, Standing, Turned, batched

UNREAD = (*IDLE, "aten._linalg_check_errors.default")
"""Operators that read nothing: what they are given is in no node for their sake."""


def graph_of(name: str, captured: Captured, operators: Mapping[str, Operator]) -> Graph:
    """Returns the graph of the forward calls of a capture.

    Raises CaptureError, which names the aten operator, the module and the line, for a call that nothing maps.
    """
    return traced(name, captured, operators).graph


@attrs.frozen
class Traced:
    """The graph of a capture, and what its calls became.

    Attributes:
        graph: The graph.
        nodes: The node that each call became, if it became one, by the call's position.
        made: The value that a call made first in each storage, by the storage's number.
    """

    graph: Graph
    nodes: Mapping[int, str]
    made: Mapping[int, str]


def traced(name: str, captured: Captured, operators: Mapping[str, Operator]) -> Traced:
    """Returns the graph of the forward calls of a capture, with what they became."""
    maker = _Maker(name, captured, operators)
    return Traced(maker.graph(), maker.nodes, maker.made)


class _Maker:
    """Builds the graph call by call, in the order in which they ran."""

    def __init__(self, name: str, captured: Captured, operators: Mapping[str, Operator]) -> None:
        self._captured = captured
        self._builder = GradientBuilder(name, operators)
        self._calls = [call for call in captured.calls if call.run == FORWARD]
        taken = [tensor for whole in captured.wholes for tensor in whole.operands]
        self._values = Versions([*captured.tensors.values(), *captured.inputs], self._calls, captured.outputs)
        self._groups = {
            **one_operator(self._calls),
            **dict.fromkeys(calls_of_autograd(self._calls, [*taken, *captured.outputs])),
            **_wholes(captured),
        }
        self._stops = Stops(self._calls, self._groups, captured.graded)
        reading = [tensor for call in self._calls if call.name not in UNREAD for tensor in call.operands]
        self._read = {tensor.index for tensor in (*reading, *taken, *captured.outputs)}
        self._works = Counter(call.visit for call in self._calls if self._works_alone(call))
        self._paths: dict[int, list[str]] = {}
        for path, tensor in captured.tensors.items():
            self._paths.setdefault(tensor.index, []).append(path)
        self._names = NodeNames(self._calls, captured.visits, captured.tensors)
        self.nodes: dict[int, str] = {}
        self.made: dict[int, str] = {}

    def graph(self) -> Graph:
        trained: set[str] = set()
        for tensor in dict.fromkeys(self._captured.inputs):  # one may be given twice
            name = self._names.of_input(tensor.name)
            if tensor.name in self._captured.trained_inputs:
                trained.add(name)
            self._values[tensor.index] = self._builder.given(name, tensor.shape, tensor.dtype, name in trained)
        for call in self._calls:
            self._stops.at(call)
            self._names.at(call)
            self._add(call)
        self._stops.at_end()
        self._unread()
        losses = [tensor for tensor in self._captured.starts if tensor not in self._captured.outputs]
        outputs = [self._operand(tensor, "") for tensor in (*losses, *self._captured.outputs)]
        graph = self._builder.graph(*[value for value in outputs if isinstance(value, Value)])
        return attrs.evolve(graph, trained_inputs=frozenset(trained))

    def _works_alone(self, call: CallRecord) -> bool:
        """Whether a call does more than make a view, as the last of its group if it is in one."""
        group = self._groups.get(call.position, call)
        return group is not None and (isinstance(group, Mapped) or not is_view(call))

    def _add(self, call: CallRecord) -> None:
        if call.position in self._groups:
            found: Mapped | tuple[Mapped, ...] | None = self._groups[call.position]
        else:
            try:
                rule = rule_of(call)
            except KeyError:
                raise unmapped(call, self._builder.name) from None
            if rule is None:
                if call.outputs and not self._is_inner(call.operands[0]):
                    self._values[call.outputs[0].index] = self._standing(call.operands[0], call.scope)
                return
            found = rule(call, call.arguments)
        for mapped in (found,) if isinstance(found, Mapped) else found or ():
            others = set(mapped.beside) - set(mapped.outputs) if mapped.aside else ()
            if any(call.outputs[place].index in self._read for place in others):
                settings = {**mapped.attributes, mapped.aside: True}
                mapped = attrs.evolve(mapped, attributes=settings, outputs=mapped.beside, aside="")
            if not self._viewed(call, mapped) and not self._multiplied(call, mapped):
                self._apply(call, mapped)

    def _viewed(self, call: CallRecord, mapped: Mapped) -> bool:
        """Notes a view that needs no node yet, and returns whether it is one."""
        if mapped.operator not in ("reshape", "expand", "transpose") or not is_view(call):
            return False
        viewed = mapped.operands[0]
        if isinstance(viewed, Mapped):
            return False
        source = self._standing(viewed, call.scope)
        made, shape = call.outputs[0], call.outputs[0].shape
        if mapped.operator == "transpose":
            last = {len(shape) - 2, len(shape) - 1}
            if not isinstance(source, Parameter) or set(mapped.attributes["dims"]) != last:
                return False
            self._values[made.index] = Turned(source, call)
        elif mapped.operator == "expand" and shape != viewed.shape:
            return False
        elif isinstance(source, Turned) or shape == viewed.shape:
            if shape != viewed.shape:
                return False
            self._values[made.index] = source
        else:
            base = source.base if isinstance(source, Reshaped) else source
            self._values[made.index] = base if base.spec.shape == shape else Reshaped(base, shape, call)
        return True

    def _multiplied(self, call: CallRecord, mapped: Mapped) -> bool:
        """Adds a product with the leading dimensions that its operands had before they were merged; returns whether it
        is such a product, or one with a weight."""
        if mapped.operator not in ("matmul", "linear_in_out", "grouped_linear_in_out"):
            return False
        x, y, *others = mapped.operands
        if isinstance(x, Mapped) or isinstance(y, Mapped) or len(x.shape) < 2:
            return False
        first, second = self._standing(x, call.scope), self._standing(y, call.scope)
        if mapped.operator == "grouped_linear_in_out":
            if not isinstance(second, Turned):
                return False
            operands = (self._operand(x, call.scope), second.weight, *(self._made(call, other) for other in others))
            path = self._name(call, "grouped_linear")
            value = self._builder.apply("grouped_linear", *operands, name=path)
            self._values[call.outputs[0].index] = value
            self._note(call, call.outputs[0], value)
            self.nodes.setdefault(call.position, path)
            return True
        weight = isinstance(second, (Turned, Parameter)) and len(y.shape) == 2
        kept = 1 if weight else 2
        under, other = batched(first, kept), None if weight else batched(second, 2)
        left = under[0] if under else self._operand(x, call.scope)
        if weight:
            right = second.weight if isinstance(second, Turned) else self._operand(y, call.scope)
            name = "linear" if isinstance(second, Turned) else "linear_in_out"
        elif under and other and under[1] == other[1]:
            right, name = other[0], mapped.operator
        else:
            return False
        rest = [self._made(call, operand) for operand in others]
        path = self._name(call, name)
        value = self._builder.apply(name, left, right, *rest, name=path)
        self.nodes.setdefault(call.position, path)
        made = call.outputs[0]
        self._note(call, made, value)
        self._values[made.index] = value if value.spec.shape == made.shape else Reshaped(value, made.shape, call)
        return True

    def _apply(self, call: CallRecord, mapped: Mapped) -> None:
        name = self._name(call, mapped.of or mapped.operator)
        written = call.written
        if written is not None and mapped.operands[:1] == (written,):
            mapped = attrs.evolve(mapped, attributes={**mapped.attributes, "in_place": True})
        made = self._node(call, mapped, name)
        self.nodes.setdefault(call.position, name)
        tensors = mapped.makes or tuple(call.outputs[index] for index in mapped.outputs)
        for tensor, value in zip(tensors, made if isinstance(made, tuple) else (made,), strict=True):
            if mapped.viewed and value.spec.shape != tensor.shape:
                self._values[tensor.index] = Reshaped(value, tensor.shape, call)
                continue
            if value.spec.shape != tensor.shape or value.spec.dtype != tensor.dtype:
                raise CaptureError(
                    f"{call.name} in module {call.scope!r} made {tensor.dtype}{list(tensor.shape)}, and "
                    f"{mapped.operator!r} makes {value.spec}: its rule is wrong"
                )
            self._note(call, tensor, value)
            if tensor is written:
                self._write(call, tensor, value)
            else:
                self._values[tensor.index] = value

    def _note(self, call: CallRecord, tensor: TensorRecord, value: Value) -> None:
        """Notes the value that a call made in a new storage."""
        if tensor.storage.born == call.position:
            self.made.setdefault(tensor.storage.index, value.name)

    def _write(self, call: CallRecord, tensor: TensorRecord, value: Value) -> None:
        """Makes what an operation in place put out the new version of the tensor's storage.

        A write through a view, or one that gradients pass by (under `no_grad`, through `.data`), leaves the rest as it
        was, and its gradient. To autograd a view may be all of the tensor, as `x[:]` is, and torch's `_unsafe_view`
        makes none.
        """
        standing: Standing = value
        whole = self._values.whole(tensor)
        with self._stops.nowhere():
            before = self._operand(whole, call.scope)
        passed = self._builder.carries(before) and not self._builder.carries(value)
        if passed or call.into_view or not reshaped(tensor, whole):
            name = self._names.of(call, "written_through")
            standing = self._builder.apply("written_through", before, value, name=name)
        elif value.spec.shape != whole.shape:
            standing = Reshaped(value, whole.shape, call)
        self._values.wrote(tensor, standing)

    def _node(self, call: CallRecord, mapped: Mapped, name: str) -> Any:
        """Adds the nodes of an operator and of those among its operands; returns what it puts out."""
        operands = [self._made(call, operand) for operand in mapped.operands]
        return self._builder.apply(mapped.operator, *operands, name=name, **mapped.attributes)

    def _made(self, call: CallRecord, operand: TensorRecord | Mapped) -> Value | Parameter:
        """The value of an operand, which may be an operator of its own."""
        if not isinstance(operand, Mapped):
            return self._operand(operand, call.scope)
        value: Value = self._node(call, operand, self._names.of(call, operand.of or operand.operator))
        return value

    def _operand(self, tensor: TensorRecord, scope: str) -> Value | Parameter:
        """The value of a tensor; a view that had no node gets one."""
        found = self._standing(tensor, scope)
        if isinstance(found, (Value, Parameter)):
            return found
        value = self._as_value(found)
        if self._values.get(tensor.index) is found:
            self._values[tensor.index] = value
        return value

    def _as_value(self, found: Reshaped | Turned) -> Value:
        """Adds the node of a view that had none."""
        if isinstance(found, Reshaped):
            operator, base, attributes = "reshape", found.base, {"shape": found.shape}
        else:
            rank = len(found.weight.spec.shape)
            operator, base, attributes = "transpose", found.weight, {"dims": (rank - 2, rank - 1)}
        name = self._name(found.call, operator)
        value: Value = self._builder.apply(operator, base, name=name, **attributes)
        return value

    def _standing(self, tensor: TensorRecord, scope: str) -> Standing:
        """What a tensor is for the present call: what a call made, an input, a parameter under the name that the module
        has for it, or a constant of the code; taken again if it is a view of what was written meanwhile, and without a
        gradient if it needs none."""
        view = self._values.view(tensor)
        if view is not None:
            with self._stops.nowhere():
                self._add(view)
        found = self._present(tensor, scope)
        if self._stops.starts(tensor):
            with self._stops.nowhere():
                base = found if isinstance(found, (Value, Parameter)) else self._as_value(found)
            return self._builder.started(tensor.index, base, lambda: self._names.inside("leaf"))
        if not self._stops.stops(tensor):
            return found
        return without_gradient(found, self._builder, lambda: self._names.inside("detach"))

    def _present(self, tensor: TensorRecord, scope: str) -> Standing:
        found = self._values.get(tensor.index)
        if found is not None:
            return found
        paths = self._paths.get(tensor.index)
        if paths is None:
            return self._constant(tensor)
        path = next((path for path in paths if path.rpartition(".")[0] == scope), paths[0])
        return self._parameter(path, tensor, tied_to="" if path == paths[0] else paths[0])

    def _is_inner(self, tensor: TensorRecord) -> bool:
        """Whether a tensor is a result that graphacct's operators keep to themselves, as a norm its statistics."""
        return tensor.storage.kind == ACTIVATION and tensor.index not in self._values

    def _parameter(self, path: str, tensor: TensorRecord, tied_to: str = "") -> Parameter:
        buffer, frozen = tensor.storage.kind == BUFFER, path in self._captured.frozen
        return self._builder.parameter(path, tensor.shape, tensor.dtype, tied_to=tied_to, buffer=buffer, frozen=frozen)

    def _constant(self, tensor: TensorRecord) -> Value:
        if tensor.storage.kind != CONSTANT:
            raise CaptureError(
                f"{tensor.dtype}{list(tensor.shape)} is read, which an operator made that keeps it to itself here"
            )
        name = self._names.inside("constant")
        value = self._builder.apply("constant", name=name, shape=tensor.shape, dtype=tensor.dtype)
        self._values[tensor.index] = value
        return value

    def _unread(self) -> None:
        """Adds the parameters that no node reads, `NAME.unread`, and the names of tied ones under which none does,
        `MODULE.stored` if another name is read: they are in memory all the same, and in a checkpoint."""
        for paths in self._paths.values():
            elsewhere = any(path in self._builder.read for path in paths)
            for path in paths:
                if path not in self._builder.read:
                    tied_to = "" if path == paths[0] else paths[0]
                    parameter = self._parameter(path, self._captured.tensors[path], tied_to)
                    module, dot, _ = path.rpartition(".")
                    name = f"{module}{dot}stored" if elsewhere else f"{path}.unread"
                    self._builder.apply("resident", parameter, name=self._names.free(name))

    def _name(self, call: CallRecord, operator: str) -> str:
        return self._names.of(call, operator, whole=self._works[call.visit] == 1 and self._works_alone(call))


def _wholes(captured: Captured) -> dict[int, Mapped | None]:
    """What functions are that are one operator, by the position of their last call; None for their others."""
    found: dict[int, Mapped | None] = {}
    for whole in captured.wholes:
        if captured.calls[whole.first].run == FORWARD:
            found |= dict.fromkeys(range(whole.first, whole.last))
            found[whole.last] = as_one(whole)
    return found
