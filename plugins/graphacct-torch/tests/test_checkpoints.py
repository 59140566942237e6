"""torch.utils.checkpoint in the forms that models use it in, against what was measured of torch 2.13 on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential, create_selective_checkpoint_contexts

import graphacct


class Layer(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Any) -> Any:
        return x + self.drop(self.down(nn.functional.gelu(self.drop(self.up(x)))))


class Model(nn.Module):
    """A first layer, and others that a function runs."""

    def __init__(self, layers: list[nn.Module], run: Callable[..., Any]) -> None:
        super().__init__()
        self.first, self.layers, self.run = nn.Linear(16, 16), nn.Sequential(*layers), run

    def forward(self, x: Any) -> Any:
        return self.run(self.layers, self.first(x))


def each(layers: Any, x: Any, every: int = 1, **options: Any) -> Any:
    for index, layer in enumerate(layers):
        x = checkpoint(layer, x, **options) if index % every == every - 1 else layer(x)
    return x


def nested(layers: Any, x: Any, reentrant: bool, within: bool) -> Any:
    def pair(first: int, x: Any) -> Any:
        for layer in layers[first : first + 2]:
            x = checkpoint(layer, x, use_reentrant=reentrant) if within else layer(x)
        return x

    for first in (0, 2):
        x = checkpoint(pair, first, x, use_reentrant=reentrant)
    return layers[-1](x)


def activated() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 16), nn.GELU())


PLAIN, REENTRANT = functools.partial(each, use_reentrant=False), functools.partial(each, use_reentrant=True)
SELECTIVE = functools.partial(
    each,
    use_reentrant=False,
    context_fn=functools.partial(create_selective_checkpoint_contexts, [torch.ops.aten.addmm.default]),
)
EXACT = {
    "in a loop": (lambda: Model([Layer() for _ in range(5)], PLAIN), (290816, 1280, 3328, 44360)),
    "mixed": (
        lambda: Model([Layer() for _ in range(6)], functools.partial(PLAIN, every=2)),
        (323584, 7680, 9728, 52872),
    ),
    "dropout": (lambda: Model([Layer(0.1) for _ in range(5)], PLAIN), (331776, 1280, 4352, 44360)),
    "two segments": (
        lambda: Model(
            [activated() for _ in range(6)], lambda layers, x: checkpoint_sequential(layers, 2, x, use_reentrant=False)
        ),
        (47104, 1792, 2056, 7880),
    ),
    "three segments": (
        lambda: Model(
            [activated() for _ in range(6)], lambda layers, x: checkpoint_sequential(layers, 3, x, use_reentrant=False)
        ),
        (49152, 1536, 1800, 7880),
    ),
}
"""The step's products, saved bytes, and both peaks of a step that starts without gradients (`measure_case.py`)."""


def pairs(reentrant: bool, within: bool) -> Any:
    run = functools.partial(nested, reentrant=reentrant, within=within)
    return Model([*(Layer() for _ in range(4)), nn.Linear(16, 3)], run)


RECORDED = {
    "reentrant": (lambda: Model([Layer() for _ in range(5)], REENTRANT), (331776, 1280, 3328, 44616), 44360),
    "reentrant, dropout": (
        lambda: Model([Layer(0.1) for _ in range(5)], REENTRANT),
        (331776, 1280, 4352, 44616),
        44360,
    ),
    "pairs": (lambda: pairs(False, False), (251008, 768, 2816, 36052), 36052),
    "reentrant pairs": (lambda: pairs(True, False), (267392, 768, 2816, 36564), 36052),
    "nested": (lambda: pairs(False, True), (267392, 768, 2816, 36052), 36052),
    "nested, reentrant": (lambda: pairs(True, True), (332928, 768, 2816, 36820), 36052),
    "selective": (lambda: Model([Layer() for _ in range(3)], SELECTIVE), (151552, 768, 5632, 27592), 27336),
}
"""The same, and the peak of the computed profiles, which do not know these kinds."""


def figures(module: nn.Module, profile: str) -> tuple[int, ...]:
    model = (module, (torch.zeros(4, 16),))
    report = graphacct.account(model, phase="train", loss="sum", profile=profile).total
    memory = graphacct.memory(model, phase="train", loss="sum", profile=profile)
    return report["step_matmul_flops"], report["saved_bytes"], memory.forward_peak, memory.fresh_peak


@pytest.mark.parametrize("name", EXACT)
def test_a_step_is_as_measured(name: str) -> None:
    made, measured = EXACT[name]
    for profile in ("torch-eager-cpu", "as-recorded"):
        assert figures(made(), profile) == measured


@pytest.mark.parametrize("name", RECORDED)
def test_other_kinds_are_as_measured_where_they_are_recorded(name: str) -> None:
    made, measured, computed = RECORDED[name]
    assert figures(made(), "as-recorded") == measured
    found = figures(made(), "torch-eager-cpu")
    assert found[:2] == measured[:2]
    assert found[3] == computed


@pytest.mark.parametrize(
    ("reentrant", "within", "recorded"),
    [(False, False, 10248), (True, False, 10568), (False, True, 8200), (True, True, 8776)],
)
def test_the_documented_peaks(reentrant: bool, within: bool, recorded: int) -> None:
    model = (pairs(reentrant, within), (torch.zeros(4, 16),))
    for profile, peak in (("as-recorded", recorded), ("torch-eager-cuda", 10248)):
        assert graphacct.memory(model, phase="train", loss="sum", profile=profile).backward_peak == peak
