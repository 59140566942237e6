"""A module's training step: the loss that it starts from, and its captures with a backward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch.utils._pytree import tree_leaves

from graphacct import ConfigError, Graph, Node, Operator, Origin, Recording, brief
from graphacct_torch.building.fakes import Faked
from graphacct_torch.captured import Captured
from graphacct_torch.capturing.capture import capture
from graphacct_torch.capturing.surroundings import resting
from graphacct_torch.errors import CaptureError, UnmappedError
from graphacct_torch.tracing.graph import traced
from graphacct_torch.tracing.holds import with_holds
from graphacct_torch.training.functions import again as runs_again
from graphacct_torch.training.functions import functions, kept, with_functions
from graphacct_torch.training.matching import forward_calls
from graphacct_torch.training.recording import recording_of
from graphacct_torch.training.reruns import again, with_reruns

OPAQUE = {
    "aten.mkldnn_rnn_layer.default": "oneDNN's LSTM keeps a workspace on a CPU, whose size is unknown without data: it "
    "is in no figure",
}
"""Kernels that save what no fake kernel makes, and what reports say of them."""
SUM = "sum"
"""The loss that sums all outputs that carry a gradient."""
Start = Callable[[Any], "torch.Tensor | list[torch.Tensor]"]


@attrs.frozen(eq=False)
class Source:
    """A module with its inputs, which runs as often as it is asked to.

    Attributes:
        name: The graph's name.
        faking: Returns the context in which the module's tensors and inputs are fake.
        operators: The registered operators.
        loss: The name of the loss after the module; empty for none.
        finish: What becomes of a graph when it has been captured: it is folded, say.
        sized: What becomes of a capture whose sizes are symbols; None if they are numbers.
    """

    name: str
    faking: Callable[[], contextlib.AbstractContextManager[Faked]]
    operators: Mapping[str, Operator]
    loss: str = ""
    finish: Callable[[Graph], Graph] = lambda graph: graph
    sized: Callable[[Captured], Captured] | None = None

    def graph(self) -> Graph:
        """Returns the graph of the module, and of its loss if it has one, which can run again."""
        with resting():
            try:
                graph = self._forward(lines=False)
            except UnmappedError:  # once more, to find the line of the user's code
                graph = self._forward(lines=True)
            graph = self.finish(graph)
        return attrs.evolve(graph, origin=Origin(self.record, self.with_loss))

    def _again(self) -> dict[str, int]:
        """Returns how often nodes run again in a training step; none do if the module has none."""
        try:
            step = self.capture(training=True, accumulated=False)
        except CaptureError:
            return {}
        nodes = traced(self.name, step, self.operators).nodes
        return again(step.calls, nodes, forward_calls(step))

    def _with_functions(self, graph: Graph) -> Graph:
        """Returns the graph with what the nodes within autograd.Functions keep and which of them run again; without,
        if the module has no training step."""
        try:
            step = self.capture(training=True, accumulated=False)
        except CaptureError:
            return graph
        made = traced(self.name, step, self.operators)
        return with_functions(graph, kept(step, made), runs_again(step, made))

    def _forward(self, lines: bool) -> Graph:
        with self.faking() as fake:
            captured = capture(fake, summed if self.loss else None, lines, backward=False)
            captured = captured if self.sized is None else self.sized(captured)
        made = traced(self.name, captured, self.operators)
        graph = made.graph
        if any(call.region for call in captured.calls):
            graph = with_reruns(graph, captured.calls, made.nodes, self._again())
        if functions(captured):
            graph = self._with_functions(graph)
        opaque = dict.fromkeys(OPAQUE[call.name] for call in captured.calls if call.name in OPAQUE)
        return attrs.evolve(with_holds(graph, captured, made), inexact=tuple(opaque))

    def with_loss(self, loss: str) -> Graph:
        """Returns the graph of the module with a loss after it."""
        if loss != SUM:
            raise ConfigError(
                f"loss {brief(loss)} of module {self.name!r}: after a module there is {SUM!r} of all outputs that "
                "carry a gradient, or none: then a training step starts at its loss, if its first output is one, or at "
                "all outputs"
            )
        return attrs.evolve(self, loss=loss).graph()

    def record(self, graph: Graph, training: bool, accumulated: bool) -> Recording:
        """Returns what torch does with the module under the names of its graph.

        Raises ConfigError if its sizes are symbols, and CaptureError for a step with a sparse gradient."""
        if self.sized is not None:
            raise ConfigError(
                f"the sizes of module {self.name!r} are symbols, and a recording is that of one run: leave dynamic out"
            )
        sparse = next((node for node in graph.walk() if training and _is_sparse(node)), None)
        if sparse is not None:
            raise CaptureError(
                f"node {sparse.name!r} of module {self.name!r}: the gradient of its weight is sparse, and its bytes "
                "depend on data: give its module sparse=False for a training step, or freeze the table"
            )
        captured = self.capture(training, accumulated)
        plain = traced(self.name, captured, self.operators)
        return recording_of(captured, plain.graph, plain.nodes, graph)

    def capture(self, training: bool, accumulated: bool) -> Captured:
        """Returns what the module does in a forward pass without gradients, or in a training step."""
        with self.faking() as fake:
            if training:
                start: Start | None = summed if self.loss else outputs_of
                captured = capture(fake, start, saving=True, accumulated=accumulated)
                return captured if self.sized is None else self.sized(captured)
            return capture(fake, summed if self.loss else None, backward=False, grads=False)


def _is_sparse(node: Node) -> bool:
    """Whether the gradient of a node's table is sparse."""
    return bool(node.attributes.get("sparse")) and any(weight.trainable for weight in node.parameters)


def summed(returned: Any) -> torch.Tensor:
    """Returns the sum of all outputs that carry a gradient."""
    total = sum(tensor.float().sum() for tensor in _carrying(returned))
    assert isinstance(total, torch.Tensor)
    return total


def outputs_of(returned: Any) -> list[torch.Tensor]:
    """Returns the outputs that a step without a loss starts from: the first if that is a loss, or else all that carry a
    gradient."""
    first = next((leaf for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor)), None)
    carrying = _carrying(returned)
    loss = first is not None and first.dim() == 0 and first.is_floating_point()
    return carrying[:1] if loss and carrying[0] is first else carrying


def _carrying(returned: Any) -> list[torch.Tensor]:
    tensors = [leaf for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor)]
    found = [tensor for tensor in tensors if tensor.requires_grad and tensor.is_floating_point()]
    if not found:
        raise CaptureError(
            f"none of the {len(tensors)} outputs carries a gradient, so that no training step can start there: no "
            "parameter is trained, or the module runs under no_grad"
        )
    return found
