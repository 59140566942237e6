"""Spatial operators, products, losses and transforms against torch's own functions: outputs, and bytes that autograd
keeps; FLOPs of products where torch's counter sees them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from graphacct_torch.measuring.reference import measure
from torch.utils.flop_counter import FlopCounterMode

from graphacct import TensorSpec, account
from graphacct.hooks.manager import default
from graphacct.operators.saves import saved_tensors

IMAGE, ROWS = (2, 4, 6, 5), (6, 5)
SQUARE, COLUMNS = (4, 4), (4, 2)


def i(*shape: int) -> TensorSpec:
    return TensorSpec(shape, "int64")


def c(*shape: int) -> TensorSpec:
    return TensorSpec(shape, "complex64")


def resized(mode: str) -> Any:
    return lambda x, size: F.interpolate(x, size=size, mode=mode)


def torchs(function: Any, *names: str) -> Any:
    """A function of torch that is given these attributes by torch's names, and no others."""
    pairs = dict(name.split("=") if "=" in name else (name, name) for name in names)
    return lambda *operands, **given: function(
        *operands, **{theirs: given[ours] for ours, theirs in pairs.items() if ours in given}
    )


CASES: dict[str, tuple[str, list[Any], dict[str, Any], Any]] = {
    "nearest": ("upsample_nearest", [IMAGE], {"size": (12, 10)}, resized("nearest")),
    "linear": ("upsample_linear", [(2, 4, 6)], {"size": 12}, resized("linear")),
    "bilinear": ("upsample_linear", [IMAGE], {"size": (12, 10)}, resized("bilinear")),
    "trilinear": ("upsample_linear", [(2, 4, 2, 3, 5)], {"size": (4, 6, 7)}, resized("trilinear")),
    "bicubic": ("upsample_bicubic", [IMAGE], {"size": (12, 10)}, resized("bicubic")),
    "sampled": ("grid_sampler", [IMAGE, (2, 3, 7, 2)], {}, lambda x, g: F.grid_sample(x, g, align_corners=False)),
    "sampled in 3": (
        "grid_sampler",
        [(2, 4, 3, 4, 5), (2, 3, 3, 2, 3)],
        {},
        lambda x, g: F.grid_sample(x, g, align_corners=False),
    ),
    "transformed": (
        "affine_grid",
        [(2, 2, 3)],
        {"size": (6, 5)},
        lambda theta, size: F.affine_grid(theta, [2, 1, *size], align_corners=False),
    ),
    "shuffled": ("pixel_shuffle", [IMAGE], {"upscale_factor": 2}, torchs(F.pixel_shuffle, "upscale_factor")),
    "back": ("pixel_unshuffle", [(2, 1, 6, 4)], {"downscale_factor": 2}, torchs(F.pixel_unshuffle, "downscale_factor")),
    "channels": ("channel_shuffle", [IMAGE], {"groups": 2}, torchs(F.channel_shuffle, "groups")),
    "patches": (
        "im2col",
        [IMAGE],
        {"kernel": (3, 2), "padding": 1, "stride": 2},
        torchs(F.unfold, "kernel=kernel_size", "padding", "stride"),
    ),
    "image": (
        "col2im",
        [(2, 36, 12)],
        {"kernel": 3, "size": (6, 5)},
        torchs(F.fold, "kernel=kernel_size", "size=output_size"),
    ),
    "instances": (
        "instance_norm",
        [IMAGE, (4,), (4,)],
        {},
        lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias),
    ),
    "instances alone": ("instance_norm", [IMAGE], {}, F.instance_norm),
    "responses": ("local_response_norm", [IMAGE], {"size": 3}, torchs(F.local_response_norm, "size")),
    "maxima": ("adaptive_max_pool", [IMAGE], {"size": 3}, lambda x, size: F.adaptive_max_pool2d(x, size)),
    "mirrored": (
        "reflection_pad",
        [IMAGE],
        {"padding": (1, 1, 2, 1)},
        lambda x, padding: F.pad(x, padding, mode="reflect"),
    ),
    "repeated": (
        "replication_pad",
        [IMAGE],
        {"padding": (1, 1, 2, 1)},
        lambda x, padding: F.pad(x, padding, mode="replicate"),
    ),
    "two dimensions": ("layer_norm", [(3, 4, 5), (4, 5), (4, 5)], {}, lambda x, *w: F.layer_norm(x, (4, 5), *w)),
    "addmm": (
        "matmul_add",
        [(5,), (3, 4), (4, 5)],
        {"beta": 2, "alpha": 3},
        torchs(torch.addmm, "beta", "alpha"),
    ),
    "baddbmm": ("matmul_add", [(2, 1, 5), (2, 3, 4), (2, 4, 5)], {}, torch.baddbmm),
    "mv": ("mv", [(3, 4), (4,)], {}, torch.mv),
    "dot": ("dot", [(4,), (4,)], {}, torch.dot),
    "outer": ("outer", [(3,), (4,)], {}, torch.outer),
    "bilinear form": ("bilinear", [(4, 6), (4, 7), (5, 6, 7), (5,)], {}, F.bilinear),
    "lengths": ("weight_norm", [(6, 20, 3), (6, 1, 1)], {}, lambda v, g: torch._weight_norm(v, g, 0)),
    "triangular": (
        "solve_triangular",
        [SQUARE, COLUMNS],
        {"upper": True},
        torchs(torch.linalg.solve_triangular, "upper"),
    ),
    "solved": ("solve", [SQUARE, COLUMNS], {}, torch.linalg.solve),
    "inverted": ("inv", [(3, 4, 4)], {}, torch.linalg.inv),
    "factored": ("cholesky", [SQUARE], {}, torch.linalg.cholesky),
    "distances": ("cdist", [(2, 5, 3), (2, 4, 3)], {}, torch.cdist),
    "distances as a product": ("euclidean_distance", [(2, 30, 3), (2, 40, 3)], {}, torch.cdist),
    "likelihood": ("nll_loss", [ROWS, i(6)], {}, F.nll_loss),
    "likelihoods": ("nll_loss", [(2, 5, 3, 3), i(2, 3, 3)], {"reduction": "none"}, torchs(F.nll_loss, "reduction")),
    "absolute": ("l1_loss", [ROWS, ROWS], {}, F.l1_loss),
    "smooth": ("smooth_l1_loss", [ROWS, ROWS], {"reduction": "sum"}, torchs(F.smooth_l1_loss, "reduction")),
    "huber": ("huber_loss", [ROWS, ROWS], {}, F.huber_loss),
    "probabilities": ("binary_cross_entropy", [ROWS, ROWS], {}, F.binary_cross_entropy),
    "logits": ("binary_cross_entropy_with_logits", [ROWS, ROWS], {}, F.binary_cross_entropy_with_logits),
    "margins": ("soft_margin_loss", [ROWS, ROWS], {}, lambda x, y: F.soft_margin_loss(x, y.detach())),
    "divergence": ("kl_div", [ROWS, ROWS], {"reduction": "batchmean"}, torchs(F.kl_div, "reduction")),
    "irfft": ("fft_c2r", [c(3, 5)], {"last_dim_size": 8}, lambda x, last_dim_size: torch.fft.irfft(x)),
    "windows": (
        "unfold",
        [(2, 4, 9)],
        {"dimension": -1, "size": 3, "step": 2},
        lambda x, dimension, size, step: x.unfold(dimension, size, step),
    ),
}
COUNTED = ("addmm", "baddbmm")
"""Where torch's counter sees the products of both passes."""


@pytest.mark.parametrize("case", CASES)
def test_operator_is_what_torch_does(case: str) -> None:
    """The same outputs, and each storage that autograd keeps counted once."""
    name, shapes, attributes, function = CASES[case]
    operator = default().operators[name]
    specs = [shape if isinstance(shape, TensorSpec) else TensorSpec(shape) for shape in shapes]
    theirs = measure(function, specs, attributes)
    application = operator.apply(specs, attributes)
    assert [(out.shape, out.dtype) for out in application.outputs] == [(o.shape, o.dtype) for o in theirs.outputs]
    kept = {
        (item.kind, item.index, item.name if item.kind == "own" else ""): item.spec.bytes
        for item in saved_tensors(operator, specs, attributes)
    }
    assert sum(kept.values()) == theirs.saved_bytes
    if case in COUNTED:
        assert application.cost.matmul_flops == theirs.matmul_flops


def test_einsum_of_three_runs_as_torch_does_without_opt_einsum() -> None:
    """torch's counter sees the second product alone; the first contracts nothing."""
    specs = [TensorSpec((2, 8, 4)), TensorSpec((2, 8, 5)), TensorSpec((4, 5, 6))]
    equation = "bsi,bsj,ijk->bsk"
    theirs = measure(lambda *operands: torch.einsum(equation, *operands), specs, {})
    application = default().operators["einsum"].apply(specs, {"equation": equation})
    assert application.cost.matmul_flops == theirs.matmul_flops == 3840
    assert theirs.gradient_matmul_flops == 2 * 3840
    kept = saved_tensors(default().operators["einsum"], specs, {"equation": equation})
    assert sum(item.spec.bytes for item in kept) == theirs.saved_bytes


def test_recurrent_layers_have_torchs_outputs_and_products() -> None:
    """A layer of torch's that is written out, which the counter sees: two layers, both directions, biases."""
    x, directions = (3, 7, 12), 2
    weights = [(40, 12), (40, 10), (40,), (40,)] * directions + [(40, 20), (40, 10), (40,), (40,)] * directions
    specs = [TensorSpec(shape) for shape in (x, *weights)]
    how = {"num_layers": 2, "bidirectional": True, "batch_first": True}

    def theirs(x: Any, *weights: Any) -> Any:
        zeros = x.new_zeros(4, x.shape[0], 10)
        with torch.backends.mkldnn.flags(enabled=False):
            return torch.lstm(x, (zeros, zeros), weights, True, 2, 0.0, False, True, True)

    found = measure(theirs, specs, {})
    ours = default().operators["lstm"].apply(specs, {**how, "states": True})
    assert [out.shape for out in ours.outputs] == [out.shape for out in found.outputs]
    assert ours.cost.matmul_flops == found.matmul_flops


class Made(torch.nn.Module):
    """A function of inputs that carry a gradient."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.scale = function, torch.nn.Parameter(torch.ones(1))

    def forward(self, *inputs: Any) -> Any:
        return self.function(*(x * self.scale if x.is_floating_point() else x for x in inputs))


LENGTHS = torch.full((3,), 10), torch.full((3,), 4)
MODULES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "gru": (torch.nn.GRU(3, 4, batch_first=True, bidirectional=True), (torch.zeros(2, 5, 3),)),
    "rnn": (torch.nn.RNN(3, 4), (torch.zeros(5, 2, 3),)),
    "projected": (torch.nn.LSTM(3, 4, proj_size=2, bidirectional=True), (torch.zeros(5, 2, 3),)),
    "bags": (torch.nn.EmbeddingBag(10, 5), (torch.tensor([[1, 2], [3, 4], [5, 6]]),)),
    "alignments": (
        Made(lambda x, *targets: F.ctc_loss(x.log_softmax(-1), *targets)),
        (torch.zeros(10, 3, 7), torch.ones(3, 4, dtype=torch.int64), *LENGTHS),
    ),
    "unpooled": (
        Made(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)),
        (torch.zeros(2, 4, 6, 6),),
    ),
    "folded": (Made(lambda x: F.fold(F.unfold(x, 3), (6, 5), 3)), (torch.zeros(2, 4, 6, 5),)),
    "rows of two dimensions": (
        torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.LayerNorm((4, 16)), torch.nn.RMSNorm((4, 16))),
        (torch.zeros(3, 4, 16),),
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_captured_layers_keep_what_a_real_step_does(name: str) -> None:
    """FLOPs of the forward pass and the step as torch's counter sees them, and the bytes kept beside inputs and
    parameters, each storage once."""
    module, inputs = MODULES[name]
    outside = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *inputs)}
    kept: dict[int, int] = {}
    held = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in outside:
            kept[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # so that no other takes its address
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            found = module(*inputs)
        forward = counter.get_total_flops()
        outputs = [x for x in torch.utils._pytree.tree_leaves(found) if x.requires_grad]
        torch.stack([x.sum() for x in outputs]).sum().backward()
        step = counter.get_total_flops()
    total = account((module, inputs, {}), phase="train", loss="sum", profile="torch-eager-cpu").total
    assert (total["forward_matmul_flops"], total["step_matmul_flops"]) == (forward, step)
    assert total["saved_bytes"] == sum(kept.values())
