"""Activations of tiny models of many families, measured: what is kept, and the most that is alive.

`python tests/verify/activations.py [NAME...]` measures the models of tests/goldens/activations, each in a folder with
its config.json, and writes truth.json beside it.
"""

from __future__ import annotations

import copy
import gc
import json
import sys
from collections import UserDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.utils.checkpoint
import transformers
from memory import Live
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves

FOLDERS = Path(__file__).parents[1] / "goldens" / "activations"
SIZES = ((1, 32), (2, 48))
SOURCE = 24
"""Tokens of an encoder beside a decoder."""
ONLY = {"resnet": ("eager",), "mamba": ("eager",), "gemma2": ("eager",)}
"""Kinds of attention, where not both are there: a softcap is written out alone."""
NOT_AGAIN = ("resnet", "mamba")
"""Models that are not checkpointed."""


def probabilities(config: dict[str, Any]) -> list[str]:
    """The keys of a configuration that say with which probability something is dropped."""
    floats = [key for key, value in config.items() if isinstance(value, float)]
    return [key for key in floats if "drop" in key and "layerdrop" not in key and "classifier" not in key]


def runs(folder: Path) -> Iterator[dict[str, Any]]:
    """The runs of a model, without what is measured: with dropout and in 16 bits without activation checkpointing."""
    drops = bool(probabilities(json.loads((folder / "config.json").read_text())))
    for dtype in ("float32", "bfloat16"):
        for attention in ONLY.get(folder.name, ("eager", "fused")):
            kinds = [(0.0, False)]
            if dtype == "float32" and folder.name not in NOT_AGAIN:
                kinds += [(0.0, True)]
            if dtype == "float32" and drops:
                kinds += [(0.1, False)]
            for p, again in kinds:
                for batch, size in SIZES:
                    yield {
                        **{"dtype": dtype, "attention": attention, "dropout": p},
                        **{"checkpointing": again, "batch": batch, "size": size},
                    }


def model_of(folder: Path, run: dict[str, Any], dropout: dict[str, float] | None = None) -> Any:
    """The model of a run, in training mode; `dropout` has the probabilities that are not the run's."""
    config = transformers.AutoConfig.from_pretrained(folder)
    content = json.loads((folder / "config.json").read_text())
    for key in probabilities(content):
        setattr(config, key, run["dropout"] if dropout is None else dropout[key])
    kind = getattr(transformers, content["architectures"][0])
    options: dict[str, Any] = {"dtype": getattr(torch, run["dtype"])}
    options["attn_implementation"] = {"eager": "eager", "fused": "sdpa"}[run["attention"]]
    torch.manual_seed(0)
    model = kind._from_config(copy.deepcopy(config), **options)
    if run["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def inputs(model: Any, run: dict[str, Any], labels: bool = False) -> dict[str, Any]:
    """What the model takes."""
    config, batch, size = model.config, run["batch"], run["size"]
    made: dict[str, Any]
    if model.main_input_name == "pixel_values":
        side = getattr(config, "image_size", 64)
        made = {"pixel_values": torch.zeros((batch, config.num_channels, side, side), dtype=model.dtype)}
        return {**made, "labels": torch.zeros(batch, dtype=torch.long)} if labels else made
    ids = torch.zeros((batch, size), dtype=torch.long)
    if model.main_input_name == "input_features":
        frames = torch.zeros((batch, config.num_mel_bins, 2 * config.max_source_positions), dtype=model.dtype)
        made = {"input_features": frames, "decoder_input_ids": ids, "use_cache": False}
    elif config.is_encoder_decoder:
        source = torch.zeros((batch, SOURCE), dtype=torch.long)
        made = {"input_ids": source, "decoder_input_ids": ids, "use_cache": False}
    else:
        made = {"input_ids": ids} | ({"use_cache": False} if hasattr(config, "use_cache") else {})
    return {**made, "labels": ids.clone()} if labels else made


def there(model: Any, given: dict[str, Any]) -> set[int]:
    """The storages that are there before the model runs: parameters, buffers and inputs."""
    tensors = (item for item in tree_leaves(given) if isinstance(item, torch.Tensor))
    return {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers(), *tensors)}


def logits(output: Any) -> torch.Tensor:
    return output.logits if "logits" in output else output.last_hidden_state


def kept(model: Any, given: dict[str, Any], result: Callable[[Any], torch.Tensor]) -> list[tuple[int, str, list[int]]]:
    """The new storages that are kept for the backward pass, each once: bytes, dtype, the first tensor's shape.

    What autograd saves, and of checkpointed layers also what their function is given by keyword: autograd does not see
    that, but it stays until the layer has been run again.
    """
    before = there(model, given)
    found: dict[int, tuple[torch.UntypedStorage, str, list[int]]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in before and storage._cdata not in found:
            found[storage._cdata] = (storage, str(tensor.dtype).removeprefix("torch."), list(tensor.shape))
        return tensor

    def checkpointed(function: Any, *arguments: Any) -> Any:
        given = {key: {**item} if isinstance(item, UserDict) else item for key, item in function.keywords.items()}
        for item in tree_leaves(given):
            if isinstance(item, torch.Tensor):
                keep(item)
        return torch.utils.checkpoint.checkpoint(function, *arguments, use_reentrant=False)

    layers = [module for module in model.modules() if getattr(module, "gradient_checkpointing", False)]
    before_that = [getattr(module, "_gradient_checkpointing_func", None) for module in layers]
    for module in layers:
        module._gradient_checkpointing_func = checkpointed
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        value = result(model(**given))
    for module, function in zip(layers, before_that, strict=True):
        module._gradient_checkpointing_func = function
    rows = [(storage.nbytes(), dtype, shape) for storage, dtype, shape in found.values()]
    del value
    return rows


def peaks(model: Any, given: dict[str, Any], result: Callable[[Any], torch.Tensor]) -> tuple[int, int]:
    """The most alive in the forward pass, and in the whole step, parameters' gradients as they are made."""
    model.zero_grad(set_to_none=True)
    gc.collect()
    live = Live(there(model, given))
    with live:
        output = model(**given)
        value = result(output)
    forward = live.peak
    del output
    gc.collect()
    with live:
        value.backward()
    model.zero_grad(set_to_none=True)
    return forward, live.peak


def without_gradients(model: Any, given: dict[str, Any]) -> int:
    """The most alive in a forward pass without gradients, in evaluation mode."""
    model.eval()
    gc.collect()
    live = Live(there(model, given))
    with torch.no_grad(), live:
        output = model(**given)
    model.train()
    del output
    return live.peak


def measure(folder: Path, run: dict[str, Any]) -> dict[str, int]:
    """What a run keeps up to the logits, and with its peaks; the same with the loss where the model has one."""
    model = model_of(folder, run)
    given = inputs(model, run)
    model(**given)  # what is imported at the first call is none of the model's
    rows = kept(model, given, logits)
    forward, step = peaks(model, given, lambda output: logits(output).sum())
    found = {"kept": sum(size for size, *_ in rows), "storages": len(rows), "forward_peak": forward, "step_peak": step}
    if not run["checkpointing"] and not run["dropout"]:
        found["peak_without_gradients"] = without_gradients(model, given)
    with_labels = inputs(model, run, labels=True)
    rows = kept(model, with_labels, lambda output: output.loss)
    forward, step = peaks(model, with_labels, lambda output: output.loss)
    found |= {"loss_kept": sum(size for size, *_ in rows), "loss_forward_peak": forward, "loss_step_peak": step}
    return found


if __name__ == "__main__":
    names = sys.argv[1:] or sorted(path.name for path in FOLDERS.iterdir() if path.is_dir())
    torch.set_num_threads(1)
    for name in names:
        measured = [{**run, **measure(FOLDERS / name, run)} for run in runs(FOLDERS / name)]
        versions = {"torch": torch.__version__, "transformers": transformers.__version__, "device": "cpu"}
        lines = ",\n".join(f"  {json.dumps(run)}" for run in measured)
        head = json.dumps(versions)[1:-1]
        (FOLDERS / name / "truth.json").write_text(f'{{{head},\n "runs": [\n{lines}\n]}}\n')
