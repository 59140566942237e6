"""From a capture to a Graph: each call becomes a node under the path of its module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from graphacct import Builder, Graph, Operator, Parameter, Value
from graphacct_torch.calls import BUFFER, CONSTANT, FORWARD, CallRecord, TensorRecord
from graphacct_torch.capture import Captured
from graphacct_torch.errors import CaptureError
from graphacct_torch.mapping.mapped import Mapped
from graphacct_torch.mapping.table import rule_of
from graphacct_torch.views import Reshaped, Standing, Turned, batched


def graph_of(name: str, captured: Captured, operators: Mapping[str, Operator]) -> Graph:
    """Returns the graph of the forward calls of a capture.

    Raises CaptureError, which names the aten operator, the module and the line, for a call that nothing maps.
    """
    return traced(name, captured, operators)[0]


def traced(name: str, captured: Captured, operators: Mapping[str, Operator]) -> tuple[Graph, dict[int, str]]:
    """Returns the graph of the forward calls of a capture, and by its position the node that each call became, if it
    became one."""
    maker = _Maker(name, captured, operators)
    return maker.graph(), maker.nodes


class _Maker:
    """Builds the graph call by call, in the order in which they ran."""

    def __init__(self, name: str, captured: Captured, operators: Mapping[str, Operator]) -> None:
        self._captured = captured
        self._builder = Builder(name, operators)
        self._values: dict[int, Standing] = {}
        self._calls = [call for call in captured.calls if call.run == FORWARD]
        self._works = Counter(call.visit for call in self._calls if not _is_view(call))
        scopes = {call.scope for call in self._calls}
        self._inner = {scope[:i] for scope in scopes for i, letter in enumerate(scope) if letter == "."}
        self._paths: dict[int, list[str]] = {}
        for path, tensor in captured.tensors.items():
            self._paths.setdefault(tensor.index, []).append(path)
        self._taken: set[str] = set(captured.tensors)
        self.nodes: dict[int, str] = {}
        self._where = ""  # the module whose call is being added

    def graph(self) -> Graph:
        for tensor in self._captured.inputs:
            self._values[tensor.index] = self._builder.input(tensor.name, tensor.shape, tensor.dtype)
        for call in self._calls:
            self._where = call.scope
            self._add(call)
        self._where = ""
        self._unread()
        losses = [tensor for tensor in self._captured.starts if tensor not in self._captured.outputs]
        outputs = [self._operand(tensor, "") for tensor in (*losses, *self._captured.outputs)]
        return self._builder.graph(*[value for value in outputs if isinstance(value, Value)])

    def _add(self, call: CallRecord) -> None:
        try:
            rule = rule_of(call.name)
        except KeyError:
            raise CaptureError(
                f"no rule maps {call.name}, which module {call.scope or self._builder.name!r} calls"
                + (f" ({call.line})" if call.line else "")
            ) from None
        if rule is None:
            self._values[call.outputs[0].index] = self._standing(call.operands[0], call.scope)
            return
        mapped = rule(call, call.arguments)
        if mapped is not None and not self._viewed(call, mapped) and not self._multiplied(call, mapped):
            self._apply(call, mapped)

    def _viewed(self, call: CallRecord, mapped: Mapped) -> bool:
        """Notes a view that needs no node yet, and returns whether it is one."""
        if mapped.operator not in ("reshape", "expand", "transpose") or not _is_view(call):
            return False
        source = self._standing(mapped.operands[0], call.scope)
        made, shape = call.outputs[0], call.outputs[0].shape
        if mapped.operator == "transpose":
            if not isinstance(source, Parameter) or len(shape) != 2:
                return False
            self._values[made.index] = Turned(source, call)
        elif mapped.operator == "expand" and shape != mapped.operands[0].shape:
            return False
        elif isinstance(source, Turned) or shape == mapped.operands[0].shape:
            if shape != mapped.operands[0].shape:
                return False
            self._values[made.index] = source
        else:
            base = source.base if isinstance(source, Reshaped) else source
            self._values[made.index] = base if base.spec.shape == shape else Reshaped(base, shape, call)
        return True

    def _multiplied(self, call: CallRecord, mapped: Mapped) -> bool:
        """Adds a product with the leading dimensions that its operands had before they were merged; returns whether it
        is such a product, or one with a weight."""
        if mapped.operator not in ("matmul", "linear_in_out") or len(mapped.operands[0].shape) < 2:
            return False
        first, second = (self._standing(tensor, call.scope) for tensor in mapped.operands[:2])
        weight = isinstance(second, (Turned, Parameter)) and len(mapped.operands[1].shape) == 2
        kept = 1 if weight else 2
        under, other = batched(first, kept), None if weight else batched(second, 2)
        left = under[0] if under else self._operand(mapped.operands[0], call.scope)
        if weight:
            right = second.weight if isinstance(second, Turned) else self._operand(mapped.operands[1], call.scope)
            name = "linear" if isinstance(second, Turned) else "linear_in_out"
        elif under and other and under[1] == other[1]:
            right, name = other[0], mapped.operator
        else:
            return False
        rest = [self._operand(tensor, call.scope) for tensor in mapped.operands[2:]]
        path = self._name(call, name)
        value = self._builder.apply(name, left, right, *rest, name=path)
        self.nodes[call.position] = path
        made = call.outputs[0]
        self._values[made.index] = value if value.spec.shape == made.shape else Reshaped(value, made.shape, call)
        return True

    def _apply(self, call: CallRecord, mapped: Mapped) -> None:
        operands = [self._operand(tensor, call.scope) for tensor in mapped.operands]
        name = self._name(call, mapped.operator)
        made = self._builder.apply(mapped.operator, *operands, name=name, **mapped.attributes)
        self.nodes[call.position] = name
        for index, value in zip(mapped.outputs, made if isinstance(made, tuple) else (made,), strict=True):
            tensor = call.outputs[index]
            if value.spec.shape != tensor.shape or value.spec.dtype != tensor.dtype:
                raise CaptureError(
                    f"{call.name} in module {call.scope!r} made {tensor.dtype}{list(tensor.shape)}, and "
                    f"{mapped.operator!r} makes {value.spec}: its rule is wrong"
                )
            self._values[tensor.index] = value

    def _operand(self, tensor: TensorRecord, scope: str) -> Value | Parameter:
        """The value of a tensor; a view that had no node gets one."""
        found = self._standing(tensor, scope)
        if isinstance(found, (Value, Parameter)):
            return found
        if isinstance(found, Reshaped):
            operator, base, attributes = "reshape", found.base, {"shape": found.shape}
        else:
            operator, base, attributes = "transpose", found.weight, {"dims": (0, 1)}
        name = self._name(found.call, operator)
        value = self._builder.apply(operator, base, name=name, **attributes)
        self._values[tensor.index] = value
        return value

    def _standing(self, tensor: TensorRecord, scope: str) -> Standing:
        """What a tensor is: what a call made, an input, a parameter under the name that the module has for it, or a
        constant of the code."""
        found = self._values.get(tensor.index)
        if found is not None:
            return found
        paths = self._paths.get(tensor.index)
        if paths is None:
            return self._constant(tensor)
        path = next((path for path in paths if path.rpartition(".")[0] == scope), paths[0])
        return self._parameter(path, tensor, tied_to="" if path == paths[0] else paths[0])

    def _parameter(self, path: str, tensor: TensorRecord, tied_to: str = "") -> Parameter:
        buffer, frozen = tensor.storage.kind == BUFFER, path in self._captured.frozen
        return self._builder.parameter(path, tensor.shape, tensor.dtype, tied_to=tied_to, buffer=buffer, frozen=frozen)

    def _constant(self, tensor: TensorRecord) -> Value:
        assert tensor.storage.kind == CONSTANT, tensor
        value = self._builder.apply("constant", name=self._inside("constant"), shape=tensor.shape, dtype=tensor.dtype)
        self._values[tensor.index] = value
        return value

    def _unread(self) -> None:
        """Adds the parameters that no call reads: they are in memory all the same."""
        read = {operand.index for call in self._calls for operand in call.operands}
        for index, paths in self._paths.items():
            if index not in read:
                parameter = self._parameter(paths[0], self._captured.tensors[paths[0]])
                self._builder.apply("resident", parameter, name=self._free(f"{paths[0]}.unread"))

    def _name(self, call: CallRecord, operator: str) -> str:
        """The module's path where this call is all that a module without parts does; else that and the operator."""
        alone = self._works[call.visit] == 1 and call.scope not in self._inner and not _is_view(call)
        if alone and call.scope:
            return self._free(call.scope)
        return self._free(f"{call.scope}.{operator}" if call.scope else operator)

    def _inside(self, word: str) -> str:
        """A name in the module whose call is being added."""
        return self._free(f"{self._where}.{word}" if self._where else word)

    def _free(self, name: str) -> str:
        """`name`, with `_2`, `_3`, … when it is taken."""
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free


def _is_view(call: CallRecord) -> bool:
    """Whether all that a call returns lies in the storage of an operand."""
    read = {operand.storage.index for operand in call.operands}
    return bool(call.outputs) and all(output.storage.index in read for output in call.outputs)
