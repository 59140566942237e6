"""A sweep over torch.nn and over functions of torch: output shapes, parameters, FLOPs of products as torch's counter
sees them, and the bytes that a real step on a CPU keeps.

What graphacct does not have yet is an error with the lines that add it.
"""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Any

import pytest
import torch
from every_function import FIXED, FUNCTIONS
from every_layer import LAYERS, SOME
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import graphacct

NO_LAYERS = {
    **dict.fromkeys(("Module", "Container", "RNNBase", "RNNCellBase"), "bases of others"),
    **dict.fromkeys(("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"), "they hold others"),
    **dict.fromkeys(("DataParallel", "SyncBatchNorm"), "they need several devices"),
}
WITHOUT_GRADIENT = "SoftMarginLoss"
REFUSED = {
    **dict.fromkeys(
        [f"Lazy{of}Norm{d}d" for of in ("Batch", "Instance") for d in (1, 2, 3)], "buffers that have no size"
    ),
    "CrossMapLRN2d": "nothing says what aten.resize_as_.default costs",
    **dict.fromkeys(
        [f"MultiLabelMarginLoss {r}" for r in ("mean", "sum", "none")], "nothing says what aten.multilabel"
    ),
    "mlml": "nothing says what aten.multilabel",
    **dict.fromkeys([f"GaussianNLLLoss {r}" for r in ("mean", "sum", "none")], "asks for a value that only data has"),
    **dict.fromkeys(("gnll var", "istft", "cov", "corrcoef", "allclose", "equal"), "a value that only data has"),
    **dict.fromkeys(("argwhere", "nonzero", "bincount w", "linalg.lstsq"), "makes a tensor whose size depends on data"),
    "linalg.householder_product": "nothing says what aten.linalg_householder_product.default costs",
    "ormqr": "nothing says what aten.ormqr.default costs",
    "conv_tbc": "nothing says what aten.conv_tbc.default costs",
}
"""What is an error, and how its message reads."""
BLIND = (
    r"Bilinear|LSTM$|linalg\.|logdet|cholesky|triangular|matrix_exp|pinv|bilinear|trilinear|sdpa|addmv|addbmm|affine_grid"
    r"|c mv|c dot|c vdot|c inv|c solve|c cholesky"
)
"""Where torch's counter does not see all products: kernels of its own, products of vectors, factorisations, sums of
products. The formulas are those of docs/conventions.md."""
OPAQUE = {
    "LSTM": "oneDNN's workspace",
    "triangular_solve": "an old function, whose second result is a copy of its operand",
    "ldexp": "the exponent, which is no number that carries a gradient",
    "setitem col": "the tensor that Python's list of indices becomes",
    "setitem rows": "the tensor that Python's list of indices becomes",
    "c conj real": "torch keeps a lazy conjugate, of which a capture sees the copy that a kernel makes",
}
"""What torch keeps and graphacct does not say."""


class Scaled(nn.Module):
    """A module of inputs that carry a gradient."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner, self.scale = inner, nn.Parameter(torch.ones(()))

    def forward(self, *inputs: Any) -> Any:
        return self.inner(*(x * self.scale if x.is_floating_point() or x.is_complex() else x for x in inputs))


def run(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    """What torch does in a real step from the sum of the outputs."""
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)  # an address is of one storage while it lives
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            outputs = [leaf for leaf in tree_leaves(module(*inputs)) if isinstance(leaf, torch.Tensor)]
        forward = counter.get_total_flops()
        starts = [x.sum() for x in outputs if x.requires_grad and not x.is_complex()]
        if starts:
            torch.stack(starts).sum().backward()
        step = counter.get_total_flops()
    outside = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers(), *inputs, *constants())}
    return {
        "outputs": [(tuple(x.shape), str(x.dtype).removeprefix("torch.")) for x in outputs],
        "params": sum(p.numel() for p in module.parameters()),
        "forward": forward,
        "step": step if starts else None,
        "saved": sum(size for address, size in kept.items() if address not in outside),
    }


def constants() -> tuple[torch.Tensor, ...]:
    """The tensors that the code of a case brings along."""
    return (*FIXED.values(), SOME)


def check(name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    if name in REFUSED:
        if "Lazy" not in name:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module(*inputs)  # it is right in itself, and its constants are made
        with pytest.raises(graphacct.GraphacctError, match=re.escape(REFUSED[name])):
            graphacct.build((module, inputs, {}))
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = run(module, inputs)
    graph = graphacct.build((module, inputs, {}))
    assert [(tuple(x.spec.shape), x.spec.dtype) for x in graph.outputs] == theirs["outputs"]
    how = {"phase": "train", "loss": "sum", "profile": "torch-eager-cpu"} if theirs["step"] is not None else {}
    ours = graphacct.account(graph, **how).total
    assert ours["params"] == theirs["params"]
    figures = [("forward_matmul_flops" if how else "matmul_flops", "forward")]
    figures += [("step_matmul_flops", "step")] if how else []
    for our, their in figures:
        if re.search(BLIND, name):
            assert ours[our] >= theirs[their]
        else:
            assert ours[our] == theirs[their] * (4 if name.startswith("c ") else 1)  # a complex multiply-add is 4
    if how and name not in OPAQUE:
        assert ours["saved_bytes"] == theirs["saved"]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_torch(name: str) -> None:
    torch.manual_seed(0)
    make, inputs = LAYERS[name]
    module = Scaled(make())
    if "Lazy" in name and name not in REFUSED:
        graphacct.build((module, inputs, {}))  # its parameters have no sizes; a copy of it runs
    check(name, module, inputs)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_torch(name: str) -> None:
    torch.manual_seed(0)
    function, inputs = FUNCTIONS[name]
    check(name, Scaled(function), inputs)


def test_every_class_of_torch_nn_is_there() -> None:
    """A class that a new torch brings needs a case."""
    classes = {name for name, value in vars(nn).items() if inspect.isclass(value) and issubclass(value, nn.Module)}
    assert classes == {name.split()[0] for name in LAYERS} | {*NO_LAYERS} | {WITHOUT_GRADIENT}


@pytest.mark.parametrize(
    ("settings", "each"),
    [
        ({}, 5 * 6 + 3),  # softmax's exponentials and their sum, the logarithm, subtracted; the target's, negated
        ({"ignore_index": 2}, 5 * 6 + 3),
    ],
)
def test_cross_entropy_is_one_operator(settings: dict[str, Any], each: int) -> None:
    """Per row of 6 classes, and a division for the mean: what graphacct's own cross_entropy counts."""
    inputs = (torch.rand(3, 6), torch.tensor([0, 1, 3]))
    report = graphacct.account((nn.CrossEntropyLoss(**settings), inputs))
    assert report.total["vector_flops"] == 3 * each + 1


def test_cross_entropy_of_several_calls() -> None:
    """With weights, smoothing or probabilities it stays torch's operators, each counted as it is.

    log_softmax of 3 rows of 6 is 5 · 18 + 3. With weights: each row negated and weighted, the sum of both, a division:
    4 · 3 + 1. Probabilities: their product with the logarithms, its sum, negated, divided: 2 · 18 + 2.
    """
    x, classes, weight = torch.rand(3, 6), torch.tensor([0, 1, 3]), torch.rand(6)
    log_softmax = 5 * 18 + 3

    def flops(module: nn.Module, target: torch.Tensor) -> int:
        return int(graphacct.account((module, (x, target))).total["vector_flops"])

    assert flops(nn.CrossEntropyLoss(weight=weight), classes) == log_softmax + 4 * 3 + 1
    assert flops(nn.CrossEntropyLoss(), torch.rand(3, 6)) == log_softmax + 2 * 18 + 2
    smoothed = flops(nn.CrossEntropyLoss(label_smoothing=0.1), classes)
    # each row's mean of all classes too: their sum, negated, rows that are ignored cut out, the sum of rows and its
    # division, both parts scaled, their sum
    assert smoothed == log_softmax + 2 * 3 + 1 + 18 + 3 + 3 + 3 + 1 + 2 + 1
