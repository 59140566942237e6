"""Operations in place: a graph's values never change, so that each write makes a new version of what lies in a storage.

y = self.a(x)          y is version 0 of its storage
top = y[:, :4]         a view of version 0
top.mul_(2)            the view anew, then y anew (`written_through`): version 1, in the same storage
y.sum(), top.sum()     y is version 1, and top is taken of it again
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.views import Standing


class Versions(dict[int, Standing]):
    """What each tensor of a capture is in the graph, by its number, and of which version of its storage.

    An entry that is set is of the present version.
    """

    def __init__(self, tensors: Iterable[TensorRecord], calls: Iterable[CallRecord]) -> None:
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
            stored = {operand.storage.index for operand in operands}
            for tensor in call.outputs:
                if tensor.index not in self._tensors and tensor.storage.index in stored:
                    self._views[tensor.index] = call
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


def alike(tensor: TensorRecord, whole: TensorRecord) -> bool:
    """Whether a tensor is all of another in its storage, in the same order."""
    layout = (whole.shape, whole.strides, whole.offset)
    return tensor is whole or (tensor.shape, tensor.strides, tensor.offset) == layout


def clones_of_autograd(calls: list[CallRecord]) -> Iterator[int]:
    """Yields the positions of the copies that autograd makes of what an operation overwrites, for its gradient.

    graphacct makes them itself, where the gradient is computed. Such a copy comes right before the operation, and no
    call of the forward pass reads it.
    """
    read = {operand.index for call in calls for operand in call.operands}
    for call, following in pairwise(calls):
        if call.name == "aten.clone.default" and call.grads:
            written = following.written
            if written is not None and call.operands[0] is written and call.outputs[0].index not in read:
                yield call.position
