"""What graphacct says of a training step of tests/verify/cuda.py."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from gpu_cases import AUTOCAST, COMPOSED, SOURCE, Case

import graphacct
from graphacct import Graph
from graphacct.execution.autograd import backward_pass
from graphacct.footprint.activations import Activations
from graphacct.footprint.liveness import live_bytes
from graphacct.hooks.manager import Plugins, load
from graphacct.training.recompute import find_policy, recompute_plan

BUNDLED = {f"graphacct-{name}": f"graphacct_{name}" for name in ("operators", "architectures", "vision", "mamba")}


def loaded_plugins() -> Plugins:
    """The installed plugins, and those of the same wheel also where the repository is on the path, not installed."""
    plugins = load()
    for name, module in BUNDLED.items():
        if name not in [plugin.name for plugin in plugins.loaded]:
            plugins.register(importlib.import_module(module), name, "this repository")
    return plugins


def profile_of(case: Case, device: str) -> str:
    """The execution profile."""
    kind = "autocast" if case.mode == AUTOCAST else "eager"
    composed = device == "cuda" and case.norms == COMPOSED
    return f"torch-{kind}-{device}" + ("-composed-norms" if composed else "")


def expected(case: Case, folder: Path, device: str, plugins: Plugins) -> tuple[dict[str, int], dict[str, Any]]:
    """The figures that `measure` measures, and details of them."""
    graph = graphacct.build(
        str(folder),
        plugins=plugins,
        phase="train",
        batch=case.batch,
        seq_len=case.seq_len,
        **({"encoder_seq_len": SOURCE} if case.model == "t5" else {}),
        dtype="float32" if case.mode == AUTOCAST else case.mode,
        attention="eager" if case.attention == "eager" else "fused",
        loss=case.loss,
    )
    return figures_of(graph, profile_of(case, device), "full" if case.checkpointing else "none", device, plugins)


def figures_of(
    graph: Graph, named: str, recompute: str, device: str, plugins: Plugins
) -> tuple[dict[str, int], dict[str, Any]]:
    """The figures of a graph's training step under a profile, and details of them."""
    profile = plugins.profiles[named]
    plan = recompute_plan(graph, find_policy(recompute, plugins.recompute_policies), plugins.operators)
    run = Activations(graph, plugins.operators, profile, lambda parameter: parameter.trainable, plan)
    # under a dispatch mode, which measures storages, torch adds gradients that meet into a new tensor, not in place
    watched = backward_pass(run.schedule, run.uses, plugins.operators, profile, False)
    figures = {
        "saved": run.saved_bytes,
        "forward_storages": run.forward_peak,
        "step_storages": max(live_bytes(run.schedule, run.saved, watched, fresh=True)),
    }
    if device == "cuda":
        figures |= {"held": run.saved_bytes, "forward_peak": run.forward_peak, "step_peak": run.fresh_peak}
    saved = [
        (use.storage.bytes, use.storage.dtype, list(use.tensor.spec.shape), use.storage.count, use.call.node.name)
        for use in run.saved
    ]
    rows = [(row.run, row.node, row.operator, row.repeat, row.live_bytes) for row in run.timeline]
    return figures, {"profile": profile.name, "saved_storages": saved, "kernels": rows}
