"""What the operands of a recurrent layer say: its steps, and the sizes of each direction of each layer."""

from typing import Any, NamedTuple

from graphacct import OperatorError, ShapeError, TensorSpec, differ, exact_div, has_value, prod


class Kind(NamedTuple):
    """What tells the three apart, per unit of h and step.

    Attributes:
        gates: Rows of the weights for each unit.
        cell: Whether there is a cell state beside h.
        flops: Forward, without products and biases.
        transcendentals: How many of those are transcendental.
        backward: Backward, without products and biases.
        kept: Activations that the backward pass needs.
    """

    gates: int
    cell: bool
    flops: int
    transcendentals: int
    backward: int
    kept: int


class Layer(NamedTuple):
    """One direction of one layer: its place, its sizes, and where its weights are among the operands."""

    depth: int
    first: int
    inputs: Any
    hidden: Any
    out: Any
    biased: bool
    projected: bool


class Cells(NamedTuple):
    """A node's steps, its rows (steps times batch), the batch, and its layers' directions in order."""

    steps: Any
    rows: Any
    batch: Any
    directions: int
    layers: list[Layer]


def read(kind: Kind, x: TensorSpec, tensors: tuple[TensorSpec, ...], how: dict[str, Any]) -> Cells:
    """Returns what the operands say. Raises ShapeError if they do not fit, or are too few or too many."""
    if len(x.shape) not in (2, 3):
        raise ShapeError(f"x has {len(x.shape)} dimensions; it is (steps, batch, inputs), or without the batch")
    depth, directions = how.get("num_layers", 1), 2 if how.get("bidirectional") else 1
    if type(depth) is not int or depth < 1:
        raise OperatorError(f"num_layers must be a whole number of at least 1, not {depth!r}")
    steps = x.shape[1 if how.get("batch_first") and len(x.shape) == 3 else 0]
    rows = prod(x.shape[:-1])
    batch = 1 if len(x.shape) == 2 else x.shape[0 if how.get("batch_first") else 1]
    states = (1 + kind.cell) if how.get("initial_states") else 0
    weights = tensors[states:]
    each, over = divmod(len(weights), depth * directions)
    most = (2, 4, 3, 5) if kind.cell else (2, 4)
    if over or each not in most:
        raise ShapeError(
            f"has {len(weights)} weights for {depth} layers in {directions} directions: each has weight_ih, weight_hh, "
            f"with or without bias_ih and bias_hh{', and weight_hr if it projects' if kind.cell else ''}"
        )
    layers = []
    inputs = x.shape[-1]
    for index in range(depth * directions):
        own = weights[index * each : (index + 1) * each]
        layers.append(_layer(kind, index // directions, 1 + states + index * each, inputs, own, how))
        if index % directions == directions - 1:
            inputs = layers[-1].out * directions
    for spec, width in zip(tensors[:states], (layers[0].out, layers[0].hidden), strict=False):
        if differ(spec.elements, depth * directions * batch * width):
            raise ShapeError(
                f"an initial state is {list(spec.shape)}; it has {depth * directions} x {batch} x {width} elements: "
                "layers times directions, batch, units"
            )
    return Cells(steps, rows, batch, directions, layers)


def _layer(kind: Kind, depth: int, first: int, inputs: Any, own: Any, how: dict[str, Any]) -> Layer:
    to_gates, from_h = own[0], own[1]
    for name, spec in (("weight_ih", to_gates), ("weight_hh", from_h)):
        if len(spec.shape) != 2:
            raise ShapeError(f"{name} of layer {depth} is {list(spec.shape)}; it is (gates times units, inputs)")
    width, given = to_gates.shape
    if differ(given, inputs):
        raise ShapeError(f"layer {depth} is given {inputs} inputs, but its weight_ih is {list(to_gates.shape)}")
    if has_value(width) and width % kind.gates:
        raise ShapeError(f"weight_ih of layer {depth} has {width} rows, which do not divide into {kind.gates} gates")
    hidden, out = exact_div(width, kind.gates), from_h.shape[1]
    projected = len(own) in (3, 5)
    if differ(from_h.shape[0], width) or (not projected and differ(out, hidden)):
        raise ShapeError(f"weight_hh of layer {depth} is {list(from_h.shape)}; {width} rows of {hidden} units fit")
    if projected and (differ(own[-1].shape[0], out) or differ(own[-1].shape[-1], hidden)):
        raise ShapeError(f"weight_hr of layer {depth} is {list(own[-1].shape)}; {out} rows of {hidden} fit")
    biased = len(own) > 3
    for name, spec in zip(("bias_ih", "bias_hh"), own[2:4] if biased else (), strict=False):
        if len(spec.shape) != 1 or differ(spec.shape[0], width):
            raise ShapeError(f"{name} of layer {depth} is {list(spec.shape)}; one of {width} elements fits")
    return Layer(depth, first, inputs, hidden, out, biased, projected)


def of_layer(wanted: tuple[bool, ...], layer: Layer, cells: Cells) -> tuple[bool, ...]:
    """Returns what is wanted of the operands of one direction of one layer."""
    later = [each.first for each in cells.layers if each.first > layer.first]
    return wanted[layer.first : min(later, default=len(wanted))]
