"""Operations in place: a graph's values never change, so that each write makes a new version of what lies in a storage.

y = self.a(x)          y is version 0 of its storage
top = y[:, :4]         a view of version 0
top.mul_(2)            the view anew, then y anew (`written_through`): version 1, in the same storage
y.sum(), top.sum()     y is version 1, and top is taken of it again
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from graphacct import equal, prod
from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.tracing.views import Standing


class Versions(dict[int, Standing]):
    """What each tensor of a capture is in the graph, by its number, and of which version of its storage.

    An entry that is set is of the present version.
    """

    def __init__(
        self, tensors: Iterable[TensorRecord], calls: Iterable[CallRecord], outputs: Iterable[TensorRecord]
    ) -> None:
        super().__init__()
        self._whole: dict[int, TensorRecord] = {}
        self._tensors: dict[int, TensorRecord] = {}
        self._views: dict[int, CallRecord] = {}
        self._writes: dict[int, int] = {}
        self._of: dict[int, int] = {}
        for tensor in tensors:
            self._meet(tensor)
        for call in calls:
            operands = call.operands
            for tensor in operands:
                self._meet(tensor)
            stored = [operand.storage for operand in operands]
            for tensor in call.outputs:
                if tensor.index not in self._tensors and tensor.storage in stored:
                    self._views[tensor.index] = call
                self._meet(tensor)
        for tensor in outputs:
            self._meet(tensor)

    def _meet(self, tensor: TensorRecord) -> None:
        self._tensors[tensor.index] = tensor
        self._whole.setdefault(tensor.storage.index, tensor)

    def __setitem__(self, index: int, value: Standing) -> None:
        super().__setitem__(index, value)
        self._of[index] = self._writes.get(self._tensors[index].storage.index, 0)

    def whole(self, tensor: TensorRecord) -> TensorRecord:
        """The tensor that a tensor is a view of: the first in its storage; itself if it is that."""
        return self._whole[tensor.storage.index]

    def wrote(self, tensor: TensorRecord, value: Standing) -> None:
        """Notes what the whole of a tensor's storage is after a write into it; views of it are out of date."""
        self._writes[tensor.storage.index] = self._writes.get(tensor.storage.index, 0) + 1
        self[self.whole(tensor).index] = value

    def view(self, tensor: TensorRecord) -> CallRecord | None:
        """Returns the call that took a view which is out of date, to be taken again; None if it is not."""
        if self._of.get(tensor.index, 0) == self._writes.get(tensor.storage.index, 0):
            return None
        return self._views.get(tensor.index)


def reshaped(tensor: TensorRecord, whole: TensorRecord) -> bool:
    """Whether a tensor is all of another in its storage, in the same order; it may have another shape."""
    if tensor is whole or (tensor.shape, tensor.strides, tensor.offset) == (whole.shape, whole.strides, whole.offset):
        return True
    same = tensor.offset == whole.offset and equal(prod(tensor.shape), prod(whole.shape))
    return same and all(_row_major(each) for each in (tensor, whole))


def _row_major(tensor: TensorRecord) -> bool:
    steps = tuple(prod(tensor.shape[place:]) for place in range(1, len(tensor.shape) + 1))
    return tensor.strides == steps


def calls_of_autograd(calls: Sequence[CallRecord], outputs: Iterable[TensorRecord]) -> Iterator[int]:
    """Yields the positions of the calls that autograd makes beside an operation in place, for the gradients.

    It copies what the operation overwrites; graphacct does so itself, where the gradient is computed. And it takes
    views again of what was written. No call of the forward pass reads such a copy or view.
    """
    read = {tensor.index for tensor in outputs}
    written: TensorRecord | None = None
    for call in reversed(calls):
        operands = call.operands
        if call.name == "aten.clone.default":
            mere = call.grads and written is not None and operands[0] is written
        else:
            mere = is_view(call) and call.written is None
        if mere and not any(tensor.index in read for tensor in call.outputs):
            yield call.position
        else:
            read.update(operand.index for operand in operands)
        written = call.written


def is_view(call: CallRecord) -> bool:
    """Whether all that a call returns lies in the storage of an operand."""
    stored = [operand.storage for operand in call.operands]
    for output in call.outputs:
        if output.storage not in stored:
            return False
    return bool(call.outputs)
