"""From a capture to a Recording: calls under the names of the graph's nodes, storages with their lives, what was saved.

A call that became no node belongs to the node that reads what it makes: the view of a weight before a product. In the
backward pass autograd says which forward call's gradient is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Graph, RecordedCall, RecordedSave, RecordedStorage, Recording, TensorSpec
from graphacct_torch.calls import (
    ACTIVATION,
    CONSTANT,
    FORWARD,
    RECOMPUTE,
    CallRecord,
    SavedRecord,
    StorageRecord,
    TensorRecord,
)
from graphacct_torch.captured import Captured
from graphacct_torch.capturing.products import matmul_flops
from graphacct_torch.errors import CaptureError
from graphacct_torch.training.functions import made_again
from graphacct_torch.training.matching import forward_calls, node_names, standing

TABLE = "table"
LIFTED = "aten.lift_fresh.default"
"""Makes a tensor of the step of one that `torch.tensor` made in the module's code."""


def recording_of(captured: Captured, plain: Graph, nodes: Mapping[int, str], graph: Graph) -> Recording:
    """Returns the recording of a capture.

    Args:
        captured: The capture, with a backward pass or without.
        plain: The graph of its forward calls, without blocks.
        nodes: The node of `plain` that each call became, by its position.
        graph: The graph whose names the recording takes: `plain`, or that folded.

    Raises CaptureError if the module did other work than when the graph was captured.
    """
    names = standing(plain, graph)
    if names is None:
        raise CaptureError(
            f"module {graph.name!r} did not do the same when it ran again: its code keeps something from one run to "
            "the next, so that its memory cannot be recorded"
        )
    known = {position: names[name] for position, name in nodes.items()}
    labels = node_names(captured.calls, known, forward_calls(captured))
    storages = _storages(captured, labels)
    again = made_again(captured)
    runs = [RECOMPUTE if call.position in again else call.run for call in captured.calls]
    calls = tuple(
        RecordedCall(labels[call.position], call.name, run, matmul_flops(call))
        for call, run in zip(captured.calls, runs, strict=True)
    )
    saves = tuple(_save(captured, save, storages) for save in captured.saved)
    return Recording(calls, tuple(storages.values()), saves, "cpu")


def _storages(captured: Captured, labels: list[str]) -> dict[int, RecordedStorage]:
    """The storages by their numbers, in the order in which they were met."""
    gradients = {tensor.storage.index: path for path, tensor in captured.gradients.items()}
    met: dict[int, TensorRecord] = {}
    calls = [call for call in captured.calls if call.name != LIFTED]
    touched = [tensor for call in calls for tensor in (*call.operands, *call.outputs)]
    touched += [tensor for call in captured.calls for tensor in call.outputs]
    touched += [save.tensor for save in captured.saved]
    for tensor in (*captured.tensors.values(), *captured.inputs, *touched):
        met.setdefault(tensor.storage.index, tensor)
    return {
        index: _storage(tensor.storage, tensor, labels, gradients.get(index, ""))
        for index, tensor in sorted(met.items())
    }


def _storage(storage: StorageRecord, tensor: TensorRecord, labels: list[str], gradient_of: str) -> RecordedStorage:
    kind = TABLE if storage.kind == CONSTANT else storage.kind
    owner = labels[storage.born] if storage.kind == ACTIVATION else tensor.name or "constant"
    return RecordedStorage(storage.bytes, kind, tensor.dtype, owner, storage.born, storage.died, gradient_of)


def _save(captured: Captured, save: SavedRecord, storages: Mapping[int, RecordedStorage]) -> RecordedSave:
    call, tensor = captured.calls[save.position], save.tensor
    name = "" if save.entering else _name(call, tensor)
    why = f"torch saved it as its {name}" if name else "an autograd.Function saved it"
    if save.entering:
        why = "torch.utils.checkpoint starts from it again"
    spec = TensorSpec(tensor.shape, tensor.dtype)
    return RecordedSave(save.position, storages[tensor.storage.index], spec, name or "kept", why)


def _name(call: CallRecord, tensor: TensorRecord) -> str:
    """What a saved tensor is to the call: the name of an operand, `output`, or nothing."""
    if call.run != FORWARD:
        return ""
    operands = [(name, value) for name, value in call.arguments.items() if isinstance(value, TensorRecord)]
    for name, value in operands:
        if value.storage is tensor.storage and value.shape == tensor.shape:
            return name
    if any(output.storage is tensor.storage for output in call.outputs):
        return "output"
    return next((name for name, value in operands if value.storage is tensor.storage), "")
