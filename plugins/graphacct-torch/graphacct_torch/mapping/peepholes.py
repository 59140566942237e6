"""Several calls that are one operator here: what torch composes on one device and has a kernel for on another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.losses import REDUCTIONS
from graphacct_torch.mapping.mapped import Mapped

IDLE = ("aten.detach.default", "aten.alias.default")
NOISE = ("aten.empty_like.default", "aten.bernoulli_.float", "aten.div_.Scalar", "aten.mul.Tensor")
"""Dropout where torch has no kernel for it, as on a CPU: noise of 0 or 1, divided by 1 - p, times x."""


def one_operator(calls: Sequence[CallRecord]) -> Mapping[int, Mapped | None]:
    """Returns what groups of calls are, by the position of a group's last call; None for its others, which are nothing
    by themselves."""
    found: dict[int, Mapped | None] = {}
    for first, mapped in _dropouts(calls):
        for call in calls[first : first + len(NOISE)]:
            found[call.position] = None
        found[calls[first + len(NOISE) - 1].position] = mapped
    for logarithm, loss, mapped in _entropies(calls):
        found |= {logarithm.position: None, loss.position: mapped}
    return found


def _entropies(calls: Sequence[CallRecord]) -> Iterator[tuple[CallRecord, CallRecord, Mapped]]:
    """Cross-entropy of rows: the logarithm of a softmax that the loss alone reads."""
    losses = {call.operands[0].index: call for call in calls if call.name == "aten.nll_loss_forward.default"}
    if not losses:
        return
    reads = Counter(operand.index for call in calls if call.name not in IDLE for operand in call.operands)
    for call in calls:
        loss = losses.get(call.outputs[0].index) if call.name == "aten._log_softmax.default" else None
        if loss is None or len(call.outputs[0].shape) != 2 or reads[call.outputs[0].index] > 1:
            continue
        if loss.arguments["weight"] is None:
            settings = {"reduction": REDUCTIONS[loss.arguments["reduction"]]}
            yield call, loss, Mapped("cross_entropy", (call.operands[0], loss.arguments["target"]), settings)


def _dropouts(calls: Sequence[CallRecord]) -> Iterator[tuple[int, Mapped]]:
    for first, call in enumerate(calls):
        if call.name != NOISE[0] or tuple(one.name for one in calls[first : first + len(NOISE)]) != NOISE:
            continue
        _, drawn, divided, product = calls[first : first + len(NOISE)]
        x, noise = call.operands[0], call.outputs[0]
        if drawn.args[0] is divided.args[0] is noise and product.args[:2] == (x, noise):
            kept = drawn.arguments["p"]  # torch hands on 1 - p, so that p comes back with a rounding error
            yield first, Mapped("dropout", (x,), {"p": round(1 - kept, 9)})
