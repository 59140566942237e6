"""The nouns: Value, Parameter, Node, Block and Graph.

A Graph is a DAG of nodes in an order in which they can run. A node's operands are the values and parameters
themselves, so that a node can be read, checked and costed without its graph. Layers that repeat are one Block: a body
graph and a count, with carried values and constants as in `jax.lax.scan`.

Names are paths, as in the published checkpoint: `transformer.h.*.attn.c_attn`. In the body of a block, `*` stands for
the index of a repetition: the first for that of the outermost block, the second for that of the block inside it, and so
on. A node in a body has one `*` for each block around it. A parameter may have fewer: one without the last is one
storage for all repetitions of the innermost block, one without any is one storage for all. Its `tied_to` follows the
same rule, and the indices are those of the node that uses it. Outside every block no name has a `*`, but a block's own,
which ends in one. Layers that differ are several blocks, and the `*` of each says which of the layers it has
(`paths.py`): `layers.*` and `layers.*+3`, or `layers.2*` and `layers.2*+1` in one block whose layers alternate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from graphacct.dims import Dim
from graphacct.display import display
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    import networkx

    from graphacct.graph.config_keys import ConfigKeys
    from graphacct.graph.origin import Origin
    from graphacct.graph.rerun import Rerun
    from graphacct.graph.weight_format import StoredWeight
    from graphacct.operators.application import Application
    from graphacct.operators.operator import Operator


@attrs.frozen(repr=False)
class Value:
    """A value that flows along an edge: a graph input or a node's output.

    Attributes:
        name: The producer's name, with `:i` for output i of a node that has several; or a graph input's own name.
        spec: Its shape and dtype.
    """

    name: str
    spec: TensorSpec

    def __repr__(self) -> str:
        return f"<Value {self.name}: {self.spec}>"


@attrs.frozen(repr=False)
class Parameter:
    """A named tensor of the checkpoint. Its storage counts once per name, its work at each use.

    Attributes:
        name: As in the checkpoint, with `*` for the index of a repeated block.
        spec: Its shape and dtype.
        tied_to: The name of the parameter whose storage this one shares; empty when it has its own.
        buffer: True for state that is saved but not trained (running statistics): it is no parameter and counts
            in no parameter total.
        frozen: True for a parameter that the model itself does not train, such as one with adapters beside it.
        joined: How many matrices, one below the other, a checkpoint keeps this one as: two for the gate and the other
            projection of experts.
        stored: How it is stored, if not in the dtype of the computation, which is that of its spec.
        chosen: Of experts, how many a token uses and how many there are, where the operator does not say so.
    """

    name: str
    spec: TensorSpec
    tied_to: str = ""
    buffer: bool = False
    frozen: bool = False
    joined: int = 1
    stored: StoredWeight | None = None
    chosen: tuple[Dim, Dim] | None = None

    def __repr__(self) -> str:
        return f"<Parameter {self.name}: {self.spec}>"

    @property
    def trainable(self) -> bool:
        """Whether a training step computes its gradient, unless it is told otherwise."""
        return not self.buffer and not self.frozen

    @property
    def bytes(self) -> Dim:
        """The bytes that it takes in memory and in a file, as it is stored."""
        return self.spec.bytes if self.stored is None else self.stored.bytes


Operand: TypeAlias = Value | Parameter
NO_ATTRIBUTES: Mapping[str, Any] = {}


@attrs.frozen(repr=False)
class Node:
    """One application of an operator.

    Attributes:
        name: Unique in the graph; the module's path for modules, the module's path and a word for functions.
        operator: The name that the operator is registered under.
        inputs: The operands, in the operator's order.
        outputs: The values it produces.
        attributes: The operator's arguments that are not tensors (a stride, an axis).
        rerun: The region that it is in, if the model itself has it run again in the backward pass; with `keeps` only
            how often.
        keeps: What it keeps for the backward pass, if the model's own code says so, as that of an autograd.Function
            does: the places of operands, and -1 less the place of an output. None is what its operator declares.
    """

    name: str
    operator: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, Any] = NO_ATTRIBUTES
    rerun: Rerun | None = None
    keeps: tuple[int, ...] | None = None
    _application: Application | None = attrs.field(default=None, init=False, repr=False, eq=False)

    def __repr__(self) -> str:
        return f"<Node {self.name}: {self.operator}>"

    def applied(self, application: Application) -> Node:
        """Returns this node, which now remembers its operator's application, so that nobody computes it again.

        Only the caller that has just computed the application may set it. A copy (`attrs.evolve`) does not have it.
        """
        object.__setattr__(self, "_application", application)
        return self

    @property
    def application(self) -> Application | None:
        """Its operator applied to its operands, if that was computed when the node was made."""
        return self._application

    @property
    def in_region(self) -> bool:
        """Whether it is in a region that the model has run again as a whole, and that so saves what enters it. What the
        backward function of an autograd.Function runs again is none: its code says what it keeps."""
        return self.rerun is not None and self.keeps is None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The operands that are parameters (or buffers) rather than values."""
        return tuple(operand for operand in self.inputs if isinstance(operand, Parameter))

    @property
    def values(self) -> tuple[Value, ...]:
        """The operands that flow in along edges."""
        return tuple(operand for operand in self.inputs if isinstance(operand, Value))


@attrs.frozen(repr=False)
class Block:
    """A body graph that runs `repeat` times, as `jax.lax.scan` does.

    The body's inputs are the carried values, then the constants, then those of which each repetition takes its own.
    Its outputs are the carried values (which go round into the next repetition), then the stacked ones, which the block
    returns with a leading dimension of `repeat`, then those that it returns one by one.

    Attributes:
        name: Unique in the graph, such as `transformer.h.*`.
        body: One repetition.
        repeat: How many there are.
        carry: The values that enter the first repetition.
        constants: The values that every repetition sees unchanged (masks, rotary tables, an encoder's output).
        outputs: The carried values after the last repetition, then the stacked ones, then those one by one: all
            repetitions' of the first, all of the second.
        start: The index of the first repetition in the checkpoint's names.
        each: For each input of the body that comes after the constants, the values that the repetitions take there, one
            by one: each layer's own cache, what the other half of a U-Net made.
        apart: How many of the body's last outputs leave the block one by one: each layer's hidden states.
    """

    name: str
    body: Graph
    repeat: Dim
    carry: tuple[Value, ...]
    constants: tuple[Value, ...]
    outputs: tuple[Value, ...]
    start: int = 0
    each: tuple[tuple[Value, ...], ...] = ()
    apart: int = 0

    def __repr__(self) -> str:
        return f"<Block {self.name}: {self.repeat} times>"

    @property
    def values(self) -> tuple[Value, ...]:
        """The operands that flow in along edges: the carried values, the constants, then those of each repetition."""
        return self.carry + self.constants + tuple(chain.from_iterable(self.each))

    @property
    def one_by_one(self) -> bool:
        """Whether its repetitions take values of their own or return some, so that each stands for itself alone."""
        return bool(self.each or self.apart)

    @property
    def entering(self) -> tuple[tuple[Value, ...], ...]:
        """For each input of the body what enters there: one value, or each repetition's."""
        return tuple((value,) for value in (*self.carry, *self.constants)) + self.each

    @property
    def returned(self) -> tuple[tuple[Value, ...], ...]:
        """For each output of the body as which of the block's outputs it leaves: one, or each repetition's."""
        single = len(self.body.outputs) - self.apart
        rest = self.outputs[single:]
        width = len(rest) // self.apart if self.apart else 1
        groups = tuple(rest[place : place + width] for place in range(0, len(rest), width))
        return tuple((value,) for value in self.outputs[:single]) + groups


@attrs.frozen(slots=False)
class Graph:
    """A model as a DAG of operator nodes.

    Attributes:
        name: The model's name.
        inputs: The values that come from outside (token ids, pixels; for a body: carry, then constants).
        nodes: Nodes and blocks, each after the ones it depends on.
        outputs: The values that leave the graph; they stay alive to the end of the schedule.
        workload: The sizes the graph was built for, by name; reports print them, no cost depends on them.
        held: Values that stay alive until the last node of a scope has run, and that scope, by name: what eager code
            keeps in a variable until the module's function returns. Only peaks of memory depend on it.
        config_keys: The keys of the model's config.json that its family's configuration does not take, if it was built
            from one; no cost depends on them, and they are not compared.
        inexact: What of its saved tensors is known not to equal the model that it stands for, a sentence each; reports
            of a training step say it.
        conditions: What the graph assumes of symbols among its sizes, as sympy relations (`decisions.py`).
        trained_inputs: The names of the inputs that a training step computes a gradient of, as of a prompt that is
            learned or pixels that are optimised.
        origin: The module that it was captured from, if it is as it was captured; not compared.
    """

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node | Block, ...]
    outputs: tuple[Value, ...]
    workload: Mapping[str, Any] = attrs.field(factory=dict)
    held: Mapping[str, str] = attrs.field(factory=dict)
    config_keys: ConfigKeys | None = attrs.field(default=None, eq=False, repr=False)
    inexact: tuple[str, ...] = attrs.field(default=(), eq=False, repr=False)
    conditions: tuple[Any, ...] = ()
    trained_inputs: frozenset[str] = frozenset()
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @cached_property
    def nx(self) -> networkx.MultiDiGraph[str]:
        """This graph as a networkx MultiDiGraph, built on first use.

        Each node has one attribute, `node` (the Node or Block); each edge's key is the operand's position and its
        attribute `value` the Value that flows. It is yours: changing it does not change the graph.
        """
        result: networkx.MultiDiGraph[str] = display("graph.to_networkx", self)
        return result

    @classmethod
    def from_nx(
        cls,
        graph: networkx.Graph[Any],
        name: str = "",
        operators: Mapping[str, Operator] | None = None,
        plugins: Any = None,
    ) -> Graph:
        """Returns the Graph of a networkx graph: one that `Graph.nx` gave, or a plain DiGraph whose nodes carry
        operator names and shapes (see `graphacct.graph.networkx_view.from_networkx` for the attributes).

        Its operators are `operators`, or those of `plugins` as the verbs take them, or of all installed plugins.
        """
        if operators is None and plugins is not None:
            operators = plugins.operators
        result: Graph = display("graph.from_networkx", graph, name, operators)
        return result

    def walk(self) -> Iterator[Node]:
        """Yields the operator nodes in schedule order, each block's body once."""
        for node in self.nodes:
            if isinstance(node, Block):
                yield from node.body.walk()
            else:
                yield node

    def unroll(self, operators: Mapping[str, Operator] | None = None) -> Graph:
        """Returns the same model without blocks: every repetition written out, each `*` replaced by an index.

        One of the `operators` stacks what a block stacked; they default to those of all installed plugins.
        """
        result: Graph = display("graph.unroll", self, display("operators") if operators is None else operators)
        return result

    def fold(self, operators: Mapping[str, Operator] | None = None, *, stack_outputs: bool = False) -> Graph:
        """Returns the same model with equal layers in a row as blocks: the way back from `unroll`.

        Layers are found by the indices in names; what is a block already stays. `operators` is as for `unroll`.
        `stack_outputs` makes one output of those that every layer returns, such as its keys, in a forward pass.
        """
        known = display("operators") if operators is None else operators
        result: Graph = display("graph.fold", self, known, stack_outputs)
        return result

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {sum(1 for _ in self.walk())} nodes>"

    def _repr_svg_(self) -> str:
        return str(display("graph.svg", self))


def value_names(node: str, count: int) -> list[str]:
    """Returns the names of the values that a node of this name with `count` outputs produces."""
    return [node] if count == 1 else [f"{node}:{index}" for index in range(count)]
