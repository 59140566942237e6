"""Recurrent layers: all steps, layers and directions of an LSTM, a GRU or a plain one in one node.

The operands are x, the initial states if `initial_states` says so (h, of an LSTM h and c), and the weights in torch's
order: of each layer, of each direction, weight_ih, weight_hh, then bias_ih and bias_hh if there are biases, then
weight_hr if an LSTM projects its output (`proj_size`). x is (steps, batch, inputs), or (batch, steps, inputs) with
`batch_first`. The output is one tensor with the last layer's h of every step; with `states` the last states follow it.
"""

from collections.abc import Callable
from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator
from graphacct_operators.recurrent_cells import Cells, Kind, Layer, of_layer, read

WHY_X = "the gradient of weight_ih multiplies by it"
WHY_TENSORS = "the gradients multiply by the weights, and that of weight_hh by the first state"
WHY_OUT = "the gradient of weight_hh multiplies by every step's h"
WHY_GATES = "the gradients of the gates; cuDNN's and oneDNN's workspace, which has them, is opaque and larger"
WHY_CELLS = "the gradients of the gates multiply by every step's cell state"
WHY_INNER = "the next layer's input, whose weight's gradient multiplies by it"
WHY_MASKS = "the gradient is dropped where the output between layers was"


def _outputs(kind: Kind) -> Callable[..., list[TensorSpec]]:
    def infer(
        x: TensorSpec,
        tensors: Any,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = False,
        initial_states: bool = False,
        states: bool = False,
    ) -> list[TensorSpec]:
        how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first}
        cells = read(kind, x, tensors, {**how, "initial_states": initial_states})
        last = cells.layers[-1]
        found = [TensorSpec((*x.shape[:-1], cells.directions * last.out), x.dtype)]
        if not states:
            return found
        lead = (len(cells.layers), *((cells.batch,) if len(x.shape) == 3 else ()))
        widths = (last.out, last.hidden) if kind.cell else (last.out,)
        return found + [TensorSpec((*lead, width), x.dtype) for width in widths]

    return infer


def _forward(kind: Kind, x: TensorSpec, tensors: Any, how: dict[str, Any]) -> Work:
    cells = read(kind, x, tensors, how)
    matmul: Any = 0
    vector: Any = 0
    special: Any = 0
    for layer in cells.layers:
        width = kind.gates * layer.hidden
        matmul = matmul + 2 * cells.rows * width * (layer.inputs + layer.out)
        if layer.projected:
            matmul = matmul + 2 * cells.rows * layer.hidden * layer.out
        vector = vector + cells.rows * (kind.flops * layer.hidden + (2 * width if layer.biased else 0))
        special = special + kind.transcendentals * cells.rows * layer.hidden
    between = [layer for layer in cells.layers if layer.depth < cells.layers[-1].depth]
    if how.get("dropout"):
        vector = vector + 2 * sum(cells.rows * layer.out for layer in between)
    return Work(matmul_flops=matmul, vector_flops=vector, transcendentals=special)


def _gradient(kind: Kind) -> Callable[..., Work]:
    def gradient(
        which: int,
        wanted: tuple[bool, ...],
        x: TensorSpec,
        tensors: Any,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = False,
        initial_states: bool = False,
        dropout: float = 0.0,
    ) -> Work:
        how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first}
        cells = read(kind, x, tensors, {**how, "initial_states": initial_states})
        work = _own(kind, cells, which)
        if which == wanted.index(True):
            work = work.plus(_shared(kind, cells, wanted, dropout))
        return work

    return gradient


def _own(kind: Kind, cells: Cells, which: int) -> Work:
    """Returns the work of one operand's gradient when those of the gates are there."""
    if which == 0:
        return Work(sum(2 * cells.rows * kind.gates * e.hidden * e.inputs for e in cells.layers if e.depth == 0))
    layer = next((each for each in reversed(cells.layers) if each.first <= which), None)
    if layer is None:  # an initial state: one step further back
        if which == 2:
            return Work()
        return Work(sum(2 * cells.batch * kind.gates * each.hidden * each.out for each in cells.layers))
    width = kind.gates * layer.hidden
    place = which - layer.first
    if place == 0:
        return Work(2 * cells.rows * width * layer.inputs)
    if place == 1:
        return Work(2 * cells.rows * width * layer.out)
    if layer.projected and place == (4 if layer.biased else 2):
        return Work(2 * cells.rows * layer.hidden * layer.out)
    return Work(vector_flops=cells.rows * width)


def _shared(kind: Kind, cells: Cells, wanted: tuple[bool, ...], dropout: float) -> Work:
    """Returns the work of the gates' gradients, from the last layer down to the first that anything is wanted of.

    Within a layer they go back through all steps but the first, to the layer below through its inputs.
    """
    first = cells.layers[0].first
    lowest = next((each.depth for each in cells.layers if any(of_layer(wanted, each, cells))), cells.layers[-1].depth)
    if any(wanted[:first]):
        lowest = 0
    matmul: Any = 0
    vector: Any = 0
    for layer in cells.layers:
        if layer.depth < lowest:
            continue
        width = kind.gates * layer.hidden
        matmul = matmul + 2 * (cells.rows - cells.batch) * width * layer.out
        if layer.projected:
            matmul = matmul + 2 * cells.rows * layer.hidden * layer.out
        if layer.depth > lowest:
            matmul = matmul + 2 * cells.rows * width * layer.inputs
            vector = vector + (cells.rows * layer.inputs if dropout and layer.first == _first_of(cells, layer) else 0)
        vector = vector + kind.backward * cells.rows * layer.hidden
    return Work(matmul, vector)


def _first_of(cells: Cells, layer: Layer) -> int:
    """Returns where the weights of a layer's first direction begin."""
    return min(each.first for each in cells.layers if each.depth == layer.depth)


def _kept(what: str, kind: Kind) -> Callable[..., list[tuple[Any, ...]]]:
    def shapes(
        x: TensorSpec,
        tensors: Any,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = False,
        initial_states: bool = False,
    ) -> list[tuple[Any, ...]]:
        how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first}
        cells = read(kind, x, tensors, {**how, "initial_states": initial_states})
        lead = x.shape[:-1]
        if what == "gates":
            return [(*lead, kind.kept * layer.hidden) for layer in cells.layers if kind.kept]
        if what == "cells":
            return [(*lead, layer.hidden) for layer in cells.layers]
        last = cells.layers[-1].depth
        inner = [layer for layer in cells.layers[:: cells.directions] if layer.depth < last]
        return [(*lead, cells.directions * layer.out) for layer in inner]

    return shapes


def _saves(kind: Kind) -> tuple[Saved, ...]:
    own = [Saved("gates", WHY_GATES, _kept("gates", kind)), Saved("inner", WHY_INNER, _kept("inner", kind))]
    cells = [Saved("cells", WHY_CELLS, _kept("cells", kind))] if kind.cell else []
    masks = Saved("masks", WHY_MASKS, _kept("inner", kind), "bool", "dropout")
    return (Saved("x", WHY_X), Saved("tensors", WHY_TENSORS), Saved("out", WHY_OUT), *own, *cells, masks)


SIGNATURE = "x: *steps inputs, tensors*: ... -> out: ..., h: ..., c: ..."
LSTM = Kind(4, True, 22, 5, 23, 4)
GRU = Kind(3, False, 16, 3, 17, 4)
RNN = Kind(1, False, 2, 1, 4, 0)
RELU = Kind(1, False, 2, 0, 2, 0)


@operator(
    SIGNATURE,
    infer=_outputs(LSTM),
    saves=_saves(LSTM),
    gradients={"x": _gradient(LSTM), "tensors": _gradient(LSTM)},
)
def lstm(
    x: TensorSpec,
    tensors: Any,
    *,
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    initial_states: bool = False,
    states: bool = False,
    dropout: float = 0.0,
) -> Work:
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), as torch.nn.LSTM: input, forget and output gates by
    sigmoid, the cell's candidate by tanh, c' = f c + i n, h' = o tanh(c'); h' times weight_hr if it projects.

    Per step, with h units, i inputs and p outputs: 2 · 4h (i + p) FLOPs in products, 2 · h p for the projection; 8 per
    unit for two biases; 22 per unit: 4 for the sum of both products, 12 for three sigmoids, 1 for tanh, 3 for c', 2 for
    h'. 5 transcendentals per unit. With `dropout` 2 per output between layers.

    Backward: 23 per unit and step: 1 sum of both gradients of h, 2 and 3 for h' and its tanh, 1 sum into c', 4 for its
    products, 12 for the gates. As many FLOPs in products as forward for x, for each weight, and back through the steps
    (one step less unless the first state's gradient is wanted) and layers; 1 per gate and step for each bias. What all
    gradients share is counted with the first that is wanted. Gates and cells of every step are kept; the workspace of
    cuDNN and oneDNN, which holds them, is opaque, and more than that.
    """
    how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first, "dropout": dropout}
    return _forward(LSTM, x, tensors, {**how, "initial_states": initial_states})


@operator(
    SIGNATURE,
    infer=_outputs(GRU),
    saves=_saves(GRU),
    gradients={"x": _gradient(GRU), "tensors": _gradient(GRU)},
)
def gru(
    x: TensorSpec,
    tensors: Any,
    *,
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    initial_states: bool = False,
    states: bool = False,
    dropout: float = 0.0,
) -> Work:
    """Gated recurrent units (Cho et al., 2014), as torch.nn.GRU: reset and update gates by sigmoid, the candidate n by
    tanh of x's part and the reset gate times h's, h' = n + z (h - n).

    Per step, with h units and i inputs: 2 · 3h (i + h) FLOPs in products; 6 per unit for two biases; 16 per unit: 2
    sums and 8 for two sigmoids, 3 for the candidate, 3 for h'. 3 transcendentals per unit. With `dropout` 2 per output
    between layers.

    Backward: 17 per unit and step: 2 sums of the gradients of h, 4 for h', 3 for tanh, 2 for the reset gate's product,
    6 for two sigmoids. Products and biases as for lstm; what all gradients share is counted with the first wanted.
    """
    how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first, "dropout": dropout}
    return _forward(GRU, x, tensors, {**how, "initial_states": initial_states})


def _plain(nonlinearity: str) -> Kind:
    if nonlinearity not in ("tanh", "relu"):
        raise OperatorError(f"nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
    return RNN if nonlinearity == "tanh" else RELU


def _rnn_gradient(
    which: int,
    wanted: tuple[bool, ...],
    x: TensorSpec,
    tensors: Any,
    *,
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    initial_states: bool = False,
    dropout: float = 0.0,
    nonlinearity: str = "tanh",
) -> Work:
    how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first, "dropout": dropout}
    return _gradient(_plain(nonlinearity))(which, wanted, x, tensors, initial_states=initial_states, **how)


@operator(
    SIGNATURE,
    infer=_outputs(RNN),
    saves=_saves(RNN),
    gradients={"x": _rnn_gradient, "tensors": _rnn_gradient},
)
def rnn(
    x: TensorSpec,
    tensors: Any,
    *,
    num_layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    initial_states: bool = False,
    states: bool = False,
    dropout: float = 0.0,
    nonlinearity: str = "tanh",
) -> Work:
    """The plain recurrent layer (Elman, 1990), as torch.nn.RNN: h' = tanh(weight_ih x + weight_hh h).

    Per step, with h units and i inputs: 2 · h (i + h) FLOPs in products; 2 per unit for two biases, 1 for the sum of
    both products and 1 for tanh, which is transcendental, or relu, which is not (`nonlinearity`). With `dropout` 2 per
    output between layers.

    Backward: 4 per unit and step: 1 sum of both gradients of h, 3 for tanh, or 1 for relu. Products and biases as for
    lstm; what all gradients share is counted with the first wanted.
    """
    how = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first, "dropout": dropout}
    return _forward(_plain(nonlinearity), x, tensors, {**how, "initial_states": initial_states})
