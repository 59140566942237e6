"""Losses of elements and of rows."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule, given

REDUCTIONS = ("none", "mean", "sum")


def of_elements(operator: str, *settings: str) -> Rule:
    """A loss of a tensor and its targets; `settings` are the arguments beside the reduction that it takes."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        operands = given(a["self"], a["target"], a.get("weight"), a.get("pos_weight"))
        attributes = {"reduction": REDUCTIONS[a["reduction"]]} | {name: a[name] for name in settings}
        return Mapped(operator, operands, attributes)

    return rule


def of_rows(call: CallRecord, a: Arguments) -> Mapped:
    """The negative log-likelihood; torch's second result, the weights' sum, stays inside."""
    settings = {"reduction": REDUCTIONS[a["reduction"]]}
    return Mapped("nll_loss", given(a["self"], a["target"], a["weight"]), settings)


def of_logits(call: CallRecord, a: Arguments) -> Mapped:
    """Binary cross-entropy of logits; a pos_weight alone is said to be one."""
    operands = given(a["self"], a["target"], a["weight"], a["pos_weight"])
    alone = {"positive": True} if a["weight"] is None and a["pos_weight"] is not None else {}
    return Mapped("binary_cross_entropy_with_logits", operands, {"reduction": REDUCTIONS[a["reduction"]]} | alone)


def of_margins(call: CallRecord, a: Arguments) -> Mapped:
    """Of rows; one row alone goes in as a batch of one."""
    x, targets = a["self"], a["target"]
    settings = {"p": a["p"], "reduction": REDUCTIONS[a["reduction"]]}
    if len(x.shape) == 2:
        return Mapped("multi_margin_loss", given(x, targets, a["weight"]), settings)
    weight = () if a["weight"] is None else (a["weight"],)
    rows = (Mapped("reshape", (x,), {"shape": (1, *x.shape)}), Mapped("reshape", (targets,), {"shape": (1,)}))
    found = Mapped("multi_margin_loss", (*rows, *weight), settings)
    return found if a["reduction"] else Mapped("reshape", (found,), {"shape": call.outputs[0].shape})


def of_alignments(call: CallRecord, a: Arguments) -> Mapped:
    """ctc_loss of each sequence; torch's mean over their lengths is calls of its own."""
    operands = (a["log_probs"], a["targets"], a["input_lengths"], a["target_lengths"])
    return Mapped("ctc_loss", operands, {"reduction": "none"})
