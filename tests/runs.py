"""Training steps as kernels, and the runs of tiny models that torch was measured on: what several test files use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import graphacct
from graphacct import Builder, Graph, Parameter, Profile
from graphacct.execution.autograd import backward_pass
from graphacct.execution.backward import BackwardPass
from graphacct.execution.kernels import ACTIVATION, Schedule
from graphacct.execution.profiles import DECLARED
from graphacct.execution.saved_storages import SavedUse, saved_storages, saved_uses
from graphacct.execution.schedule import schedule
from graphacct.footprint import liveness
from graphacct.hooks.manager import default
from graphacct.training.recompute import RecomputePlan, find_policy, recompute_plan

GOLDENS = Path(__file__).parent / "goldens"
PROFILES = ("torch-eager-cpu", "torch-eager-cuda", "declared")
TINY: dict[str, dict[str, Any]] = {
    "gpt2": {"vocab_size": 512, "n_positions": 128, "n_embd": 64, "n_layer": 2, "n_head": 4},
    "bert": {
        "architectures": "BertForMaskedLM",
        "vocab_size": 512,
        "max_position_embeddings": 128,
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    },
    "transformer-lm": {"vocab_size": 512, "context_length": 128, "d_model": 64, "n_layer": 2, "n_head": 4, "d_ff": 128},
}
"""Sizes of the models of tests/goldens/act-*."""
PROBABILITIES = {
    "gpt2": ("attn_pdrop", "resid_pdrop", "embd_pdrop"),
    "bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "transformer-lm": (),
}
"""The keys of their dropout."""


def runs(family: str) -> Iterator[Any]:
    """The measured runs, each with a name; checkpointing is the recomputation of every block."""
    for run in json.loads((GOLDENS / f"act-{family}" / "truth.json").read_text())["runs"]:
        name = f"{family}-{run['attn']}-{run['dropout']}-{run['batch']}x{run['seq']}"
        yield pytest.param(family, run, id=name + ("-checkpointing" if run["checkpointing"] else ""))


RUNS = [*runs("gpt2"), *runs("transformer-lm"), *runs("bert")]


def profile_of(name: str) -> Profile:
    """The execution profile of a name."""
    return DECLARED if name == "declared" else default().profiles[name]


def scheduled(
    model: str | Graph,
    profile: str | Profile = "torch-eager-cpu",
    recompute: str | RecomputePlan = "none",
    trained: Callable[[Parameter], bool] = lambda parameter: parameter.trainable,
    **options: Any,
) -> Schedule:
    """A graph, or the training graph of a preset, as a profile's kernels, under a recompute policy."""
    plugins = default()
    graph = model if isinstance(model, Graph) else graphacct.build(model, phase="train", **options)
    if isinstance(recompute, str):
        recompute = recompute_plan(graph, find_policy(recompute, plugins.recompute_policies), plugins.operators)
    again, saved = recompute.recompute, recompute.saved
    rules = profile_of(profile) if isinstance(profile, str) else profile
    return schedule(
        graph, plugins.operators, rules, trained, lambda node: node.name in again, lambda node: node.name in saved
    )


def passed(
    steps: Schedule, profile: str | Profile = "torch-eager-cpu", in_place: bool = True
) -> tuple[list[SavedUse], BackwardPass]:
    """The activations that a schedule saves, and its backward pass; under a dispatch mode torch adds gradients that
    meet into a new tensor, not in place."""
    uses = list(saved_uses(steps))
    saved = [use for use in saved_storages(uses) if use.storage.kind == ACTIVATION]
    rules = profile_of(profile) if isinstance(profile, str) else profile
    return saved, backward_pass(steps, uses, default().operators, rules, in_place)


def tiny(family: str, run: dict[str, Any], loss: str) -> Schedule:
    """A measured run's schedule."""
    attention = "eager" if run["attn"] == "eager" else "fused"
    sizes = {**TINY[family], **dict.fromkeys(PROBABILITIES[family], run["dropout"])}
    options = {"batch": run["batch"], "seq_len": run["seq"], "attention": attention, "loss": loss, "set": sizes}
    return scheduled(family, recompute="full" if run["checkpointing"] else "none", **options)


def chain() -> Graph:
    """x (4·6 float32, 96 bytes) through two weights of 6·6 (144 bytes): h = x w1, y = h w2, the sum of y."""
    b = Builder("chain", default().operators)
    x = b.input("x", (4, 6))
    h = b.apply("linear", x, b.parameter("w1", (6, 6)), name="first")
    y = b.apply("linear", h, b.parameter("w2", (6, 6)), name="second")
    return b.graph(b.apply("sum", y, name="loss"))


def scopes_that_are_nodes(graph: Graph) -> set[str]:
    """The names of nodes that are scopes of others: there are none, so that `explain` and a report's row mean the
    same."""
    names = {node.name for node in graph.walk()}
    return names & {name[:place] for name in names for place, letter in enumerate(name) if letter == "."}


def changes_once() -> Any:
    """Inside, the changes of a step are found once, and not again for each position that `live_storages` is asked for:
    of a step of n kernels that would be n times."""
    found = liveness._changes
    return mock.patch.object(liveness, "_changes", cache(lambda *asked: tuple(found(*asked))))
