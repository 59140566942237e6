"""The builder, with which an architecture file reads like the model.

with b.scope("attn"):
    qkv = b.apply("linear", x, b.parameter("c_attn.weight", (3 * d, d)), name="c_attn")
    ...
x = b.repeat("h", n_layer, block, x, constants=(mask,))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphacct.decisions import Conditions, active, recording_in
from graphacct.dims import Dim, check_dim
from graphacct.display import display
from graphacct.errors import GraphError, blame, brief
from graphacct.graph.fold import fold
from graphacct.graph.graph import NO_ATTRIBUTES, Block, Graph, Node, Operand, Parameter, Value, value_names
from graphacct.graph.paths import star
from graphacct.operators.operator import Operator
from graphacct.operators.other_names import unknown_operator
from graphacct.tensors import TensorSpec

HOW_TO_ADD = "a plugin can register it, see docs/writing-a-plugin.md"


class Builder:
    """Collects nodes in the order in which they run; each `apply` checks shapes at once and names the node.

    Attributes:
        name: The graph's name.
        operators: The operators it may apply, by name; those of all installed plugins unless given.
        dtype: The dtype of parameters and float inputs that say no other.
    """

    def __init__(
        self,
        name: str,
        operators: Mapping[str, Operator] | None = None,
        dtype: str = "float32",
        workload: Mapping[str, Any] | None = None,
        _path: str = "",
    ) -> None:
        self.name = name
        self.operators: Mapping[str, Operator] = display("operators") if operators is None else operators
        self.dtype = dtype
        self._workload = workload or {}
        self._path = _path
        self._turn = ""
        self._root = ""  # the path of the model that is built, if it stands inside another one
        self._named = ""  # how the names of that model's inputs begin
        self._inputs: list[Value] = []
        self._nodes: list[Node | Block] = []
        self._names: set[str] = set()
        self._numbered: dict[str, int] = {}  # the last number that each name was given
        self._values: set[str] = set()
        self._held: dict[str, str] = {}
        self._emitted: list[Value] = []
        self._conditions = None if active() else Conditions()  # whoever records them gets those of a finished graph

    def scope(self, name: str) -> _Scope:
        """Prefix `name.` to the names of nodes and parameters made inside the `with`; an empty name prefixes none."""
        return _Scope(self, name)

    def inside(self, name: str, inputs: str = "") -> _Inside:
        """As `scope`, for a whole model that stands at `name` inside another one: what it says of its own parameters
        by their full names counts from there, and the names of its inputs begin with `inputs`."""
        return _Inside(self, name, inputs)

    @property
    def root(self) -> str:
        """How the names of the parameters of the model that is built begin, if it stands inside another one: its path
        and a dot."""
        return self._root

    def turn(self, index: int) -> _Turn:
        """Says that what is applied inside the `with` is a module's run number `index`: nodes are named by the module
        and the run, parameters by the module alone, so that all runs share them."""
        return _Turn(self, index)

    def input(self, name: str, shape: Sequence[Dim], dtype: str | None = None) -> Value:
        """Adds an input of the graph and returns it; scopes do not change its name."""
        checked = tuple(check_dim(dim, f"a dimension of input {name!r}") for dim in shape)
        return self._receive(self._named + name, TensorSpec(checked, dtype or self.dtype))

    def _receive(self, name: str, spec: TensorSpec) -> Value:
        value = Value(self._claim(name), spec)
        self._inputs.append(value)
        self._values.add(name)
        return value

    def parameter(
        self,
        name: str,
        shape: Sequence[Dim],
        dtype: str | None = None,
        *,
        tied_to: str = "",
        buffer: bool = False,
        frozen: bool = False,
        joined: int = 1,
        chosen: tuple[Dim, Dim] | None = None,
    ) -> Parameter:
        """Returns a parameter of the current scope; `tied_to` is the full name of the one whose storage it shares,
        `frozen` says that the model itself does not train it, and `joined` how many matrices, one below the other,
        checkpoints keep it as. `chosen` are of experts how many a token uses and how many there are, for an operator
        that does not say so."""
        spec = TensorSpec(tuple(shape), dtype or self.dtype)
        tied_to = f"{self._root}{tied_to}" if tied_to else ""
        return Parameter(self._path + name, spec, tied_to, buffer, frozen, joined, chosen=chosen)

    def hold(self, *values: Value, until: str = "") -> None:
        """Keeps values alive until the current scope's last node has run, as a variable of a module's function does, or
        `until` a node of the scope has. A value that an outer scope holds already stays as long as the outer scope
        says."""
        end = self._path + until if until else self._path.removesuffix(".")
        for value in values:
            known = self._held.get(value.name)
            if known is None or not (known == "" or f"{end}.".startswith(f"{known}.")):
                self._held[value.name] = end

    @property
    def last(self) -> str:
        """The last node's name, without the current scope's."""
        return self._nodes[-1].name.removeprefix(self._path)

    def emit(self, *values: Value) -> None:
        """Adds outputs to the graph, after those given to `graph`: what a step hands to the next, such as a cache.
        Values of a block's body are stacked over its repetitions and leave the graph around it."""
        self._emitted.extend(values)

    def returned(self) -> None:
        """Frees what the outermost function held: it has returned with the last node."""
        last = self._nodes[-1].name
        self._held.update({name: last for name, scope in self._held.items() if not scope})

    def apply(self, operator: str, *operands: Operand, name: str = "", **attributes: Any) -> Any:
        """Adds a node that applies `operator`; returns its output, or the tuple of its outputs if there are several.

        The node's name is the scope's and `name`, or the operator's name, numbered when it is taken.
        Raises UnknownNameError, or ShapeError and OperatorError that name the node.
        """
        path = f"{self._path}{name or operator}{self._turn}"
        path = self._claim(path) if name else self._number(path)
        rule = self.operators.get(operator)
        if rule is None:
            error = unknown_operator(operator, self.operators, HOW_TO_ADD)
            raise type(error)(f"node {path!r}: {error}")
        try:
            self._check(operands, parameters=True)
            given = [operand.spec for operand in operands]
            if self._conditions is None:
                application = rule.apply(given, attributes)
            else:
                with recording_in(self._conditions):
                    application = rule.apply(given, attributes)
        except Exception as error:
            raise blame(path, operator, self.operators, error) from error
        specs = application.outputs
        outputs: tuple[Value, ...]
        if len(specs) == 1:
            outputs = (Value(path, specs[0]),)
            self._values.add(path)
        else:
            outputs = tuple(map(Value, value_names(path, len(specs)), specs))
            self._values.update([value.name for value in outputs])
        node = Node(path, operator, operands, outputs, attributes or NO_ATTRIBUTES)
        self._nodes.append(node.applied(application))
        return outputs[0] if len(outputs) == 1 else outputs

    def repeat(
        self,
        name: str,
        times: Dim,
        body: Callable[..., Any] | Sequence[Callable[..., Any]],
        *carry: Value,
        constants: Sequence[Value] = (),
        start: int = 0,
    ) -> Any:
        """Adds a Block named `name.*` that runs `body(builder, *carry, *constants)` `times` times.

        The body returns the carried values (which go into its next run), then any values to stack. Returns what the
        body returns after the last run: one value, or a tuple. Several bodies are layers that alternate: they run one
        after the other, `times` times, and only carry. `start` is the index of the first layer.
        Raises GraphError when the body changes the shape or dtype of what it carries.
        """
        times = check_dim(times, f"the repeat of block {name!r}")
        bodies = [body] if callable(body) else list(body)
        paths = [f"{self._path}{name}.*"]
        if len(bodies) > 1 or paths[0] in self._names:  # the `*` of some of the layers, which says which
            paths = [f"{self._path}{name}.{star(len(bodies), start + place)}" for place in range(len(bodies))]
            start = 0
        path = self._claim(paths[0])
        inner = Builder(path, self.operators, self.dtype, _path=f"{path}.")
        inner._conditions, inner._root = self._conditions, self._root
        entering = carry + tuple(constants)
        try:
            self._check(entering)
        except GraphError as error:
            raise GraphError(f"block {path!r}: {error}") from error
        inside = [
            inner._receive(f"{path}.{'carry' if i < len(carry) else 'constant'}_{i}", value.spec)
            for i, value in enumerate(entering)
        ]
        results: Sequence[Value] = inside
        for place, one in zip(paths, bodies, strict=True):
            inner._path = f"{place}."
            result = one(inner, *results[: len(carry)], *inside[len(carry) :])
            results = (result,) if isinstance(result, Value) else result
            if not isinstance(results, (tuple, list)):
                raise GraphError(f"block {path!r}: its body returned {brief(result)}, which is no Value")
        block = fold(path, inner.graph(*results), times, carry, constants, start)
        self._nodes.append(block)
        self._values.update([value.name for value in block.outputs])
        self._emitted.extend(block.outputs[len(results) :])
        outputs = block.outputs[: len(results)]
        return outputs[0] if len(outputs) == 1 else outputs

    def graph(self, *outputs: Value) -> Graph:
        """Returns the finished graph, with these outputs and what is emitted; GraphError when one is no value of it."""
        outputs = (*outputs, *self._emitted)
        try:
            self._check(outputs)
        except GraphError as error:
            raise GraphError(f"the outputs of {self.name!r}: {error}") from error
        conditions = self._conditions.found if self._conditions else ()
        parts = (tuple(self._inputs), tuple(self._nodes), outputs, self._workload, self._held)
        return Graph(self.name, *parts, conditions=conditions)

    def _check(self, operands: Iterable[object], parameters: bool = False) -> None:
        """Raises GraphError for an argument that is no operand, or a value that this graph (or body) did not make."""
        for operand in operands:
            if type(operand) is Value:
                if operand.name not in self._values:
                    inside = "; a block's body is given outer values as constants=" if "*" in self._path else ""
                    raise GraphError(f"takes {operand.name!r}, which nothing before it produces{inside}")
            elif not (parameters and type(operand) is Parameter):
                raise GraphError(f"takes {brief(operand)}, which is no Value{' or Parameter' if parameters else ''}")

    def _claim(self, name: str) -> str:
        if name in self._names:
            raise GraphError(f"node {name!r} exists already: give this one another name")
        self._names.add(name)
        return name

    def _number(self, name: str) -> str:
        """`name`, with `_2`, `_3`, … when it is taken."""
        free, count = name, self._numbered.get(name, 1)
        while free in self._names:
            count += 1
            free = f"{name}_{count}"
        self._numbered[name] = count
        return self._claim(free)


class _Scope:
    """A `with` block that lengthens the builder's path (contextlib's takes several times as long)."""

    def __init__(self, builder: Builder, name: str) -> None:
        self.builder, self.name, self.outer = builder, name, ""

    def __enter__(self) -> None:
        self.outer = self.builder._path
        if self.name:
            self.builder._path = f"{self.outer}{self.name}."

    def __exit__(self, *_: object) -> None:
        if self.name and self.builder._turn:
            _release(self.builder, {})
        self.builder._path = self.outer


class _Inside(_Scope):
    """A `with` block in which a whole model is built that stands inside another one."""

    def __init__(self, builder: Builder, name: str, inputs: str) -> None:
        super().__init__(builder, name)
        self.inputs, self.before = inputs, (builder._root, builder._named)

    def __enter__(self) -> None:
        super().__enter__()
        self.builder._root, self.builder._named = self.builder._path, self.inputs

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self.builder._root, self.builder._named = self.before


class _Turn:
    """A `with` block whose nodes are one of several runs of the same modules."""

    def __init__(self, builder: Builder, index: int) -> None:
        self.builder, self.index = builder, index
        self.before: dict[str, str] = {}

    def __enter__(self) -> None:
        self.before = dict(self.builder._held)
        self.builder._turn = f".run_{self.index}"

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:  # an error leaves a graph that nobody takes, perhaps without any node
            _release(self.builder, self.before)
        self.builder._turn = ""


def _release(builder: Builder, before: Mapping[str, str]) -> None:
    """Says of what the current scope holds, and did not `before`, that it ends with the scope's last node so far, not
    with that of a later run."""
    scope, last = builder._path.removesuffix("."), builder._nodes[-1].name
    ended = {name: last for name, end in builder._held.items() if end == scope and before.get(name) != end}
    builder._held.update(ended)
