"""What graphacct says of a training step of saved_shapes.py on a device; it needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphacct
from graphacct.execution.autograd import backward_pass
from graphacct.footprint.activations import Activations
from graphacct.footprint.liveness import live_bytes
from graphacct.hooks.manager import Plugins
from graphacct.training.recompute import find_policy, recompute_plan

SHAPES = json.loads((Path(__file__).parents[1] / "goldens" / "saved_activations.json").read_text())["shapes"]
SIZES = ("batch", "seq_len", "encoder_seq_len", "image_size")
WITHOUT_ATTENTION = ("resnet", "convnext", "mamba", "mamba2")
PROFILES = {"cpu": "torch-eager-cpu", "cuda": "torch-eager-cuda-composed-norms"}


def expected(name: str, labels: list[str], folder: Path, device: str, plugins: Plugins) -> dict[str, Any]:
    """By run: bytes saved, the most bytes alive in the forward pass and in the step, and the storages saved (bytes,
    dtype, node); the refusal in words where a run is refused."""
    shape, found = SHAPES[name], {}
    (folder / "config.json").write_text(json.dumps(shape["config"]))
    sizes = {key: shape[key] for key in SIZES if key in shape}
    for label in labels:
        dtype, kind, *again = label.split()
        attention = {} if name.split()[0] in WITHOUT_ATTENTION else {"attention": kind}
        try:
            graph = graphacct.build(
                folder, plugins=plugins, phase="train", loss="sum", dtype=dtype, **attention, **sizes
            )
            policy = find_policy("full" if again else "none", plugins.recompute_policies)
            plan = recompute_plan(graph, policy, plugins.operators)
            profile = plugins.profiles[PROFILES[device]]
            step = Activations(graph, plugins.operators, profile, lambda parameter: parameter.trainable, plan)
        except graphacct.GraphacctError as error:
            found[label] = str(error)
            continue
        # under a dispatch mode, which measures peaks, torch adds gradients that meet into a new tensor, not in place
        watched = backward_pass(step.schedule, step.uses, plugins.operators, profile, False)
        figures = (step.saved_bytes, step.forward_peak, max(live_bytes(step.schedule, step.saved, watched, fresh=True)))
        rows = [(use.storage.bytes, use.storage.dtype, use.call.node.name, use.storage.count) for use in step.saved]
        found[label] = figures, [(size, kind, node) for size, kind, node, count in rows for _ in range(count)]
    return found
