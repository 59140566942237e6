"""Measures a class of the transformers library without weights: parameters, FLOPs by module, the memory of a step."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from functools import reduce
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from graphacct import ClassMeasurement
from graphacct_torch.building.fakes import faked
from graphacct_torch.calls import ACTIVATION, FORWARD, CallRecord, TensorRecord
from graphacct_torch.captured import Captured
from graphacct_torch.capturing.capture import capture
from graphacct_torch.capturing.products import matmul_flops
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading import diffusers_part, library
from graphacct_torch.reading.inputs import library_inputs
from graphacct_torch.reading.narrow import in_dtype, torch_dtype
from graphacct_torch.reading.sizes import SIZES, sizes_of
from graphacct_torch.training.matching import forward_calls

WHOLE = (("pred_masks", "pred_boxes", "pred_logits", "presence_logits", "semantic_seg"),)
"""Outputs of models that have all of a group, whose sum a loss would use."""
MAIN = (
    ("audio_values",),  # of a codec, whose loss is its quantiser's alone
    ("loss",),
    ("iou_scores", "pred_masks"),
    ("logits", "mc_logits", "pred_boxes", "pred_masks", "logits_aggregation"),
    ("class_queries_logits", "masks_queries_logits"),
    ("logits_per_image",),
    ("logits_per_audio",),
    ("audio_embeds",),
    ("waveform",),
    ("spectrogram", "duration_outputs", "pitch_outputs", "energy_outputs"),
    ("latents",),
    ("prediction_logits", "seq_relationship_logits", "sop_logits"),
    ("start_logits", "end_logits"),
    ("reconstruction",),
    ("state_preds", "action_preds", "return_preds"),
    ("heatmaps",),
    ("alphas",),
    ("feature_maps",),
    ("predicted_depth",),
    ("projected_states", "projected_quantized_states"),
    ("itm_score",),
    ("embeddings",),
    ("text_embeds", "image_embeds", "last_hidden_state", "pooler_output"),
    ("sample",),
    ("down_block_res_samples", "mid_block_res_sample"),
)
"""Outputs that a loss would use, by kind of model; a model's are the first of these groups that it has any of."""
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
"""Keys for the number of experts."""
aten = torch.ops.aten
BLIND = frozenset(
    (
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention_for_cpu_backward",
        "_scaled_dot_product_attention_math_for_mps",
        "_grouped_mm",
        "mv",
        "dot",
        "addmv",
        "_trilinear",
        "_euclidean_dist",
        "mkldnn_rnn_layer",
        "linalg_solve_triangular",
        "_fft_r2c",
        "_fft_c2c",
        "_fft_c2r",
    )
)
"""Operators of aten that do products and have no formula in torch's counter."""


def _gradients_by_group(
    grad_out: list[int],
    x: list[int],
    weight: list[int],
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    output_mask: list[bool],
    out_shape: Any = None,
    **kwargs: Any,
) -> int:
    """A convolution's gradients: of x and of the weight, where they are wanted, each as many multiply-adds as the
    convolution, 2 FLOPs each. torch's own formula takes all channels of x for the weight's, and so counts them as many
    times over as there are groups."""
    across = x if transposed else grad_out
    return (output_mask[0] + output_mask[1]) * 2 * prod(weight[1:]) * prod(across)


BY_GROUP = {aten.convolution_backward: _gradients_by_group}


def measure(config: Mapping[str, Any], workload: Mapping[str, Any]) -> ClassMeasurement:
    """Returns the measurement of the class that a configuration's keys name.

    Args:
        config: The keys of a config.json.
        workload: The sizes of SIZES, `attention` and `dtype`, each if it is given.

    Raises CaptureError for a configuration that the class refuses, or a module that does not run without data.
    """
    if diffusers_part.is_part(config):
        return _of_part(config, workload)
    made = _config(config)
    attention = library.ATTENTION.get(str(workload.get("attention")), "")
    if attention == "eager" and not library.has_choice(made):  # what it runs is written out
        attention = ""
    module = library.built(made, attention, experts="batched_mm")
    sizes = sizes_of(made, {name: workload[name] for name in SIZES if workload.get(name) is not None})
    dtype = torch_dtype(str(workload.get("dtype", "float32")))
    args, kwargs = library_inputs(module, sizes, None)
    evaluated, forward = counted(module, args, kwargs, dtype, training=False)
    captured, step = counted(module.train(), args, kwargs, dtype, training=True)
    blind = blind_of(evaluated) | blind_of(captured)  # with dropout other kernels may run
    unseen = unseen_of(evaluated), unseen_of(captured)
    if has_experts(made):  # a product for each pair of token and expert is only for the counter
        module = library.built(_config(config), attention, training=True)
        captured = captured_run(module, args, kwargs, dtype, training=True)
    return _measurement(module, library.version(), forward, step, blind, unseen, captured)


def _of_part(config: Mapping[str, Any], workload: Mapping[str, Any]) -> ClassMeasurement:
    """Returns the measurement of a part of a diffusers pipeline."""
    module = diffusers_part.built(config)
    attention = str(workload.get("attention"))
    diffusers_part.set_attention(module, attention)
    kwargs = diffusers_part.inputs_of(module, config, workload)
    dtype = torch_dtype(str(workload.get("dtype", "float32")))
    evaluated, forward = counted(module.eval(), (), kwargs, dtype, training=False)
    captured, step = counted(module.train(), (), kwargs, dtype, training=True)
    blind = blind_of(evaluated) | blind_of(captured)
    unseen = unseen_of(evaluated), unseen_of(captured)
    return _measurement(module, diffusers_part.version(), forward, step, blind, unseen, captured)


def _measurement(
    module: nn.Module,
    library: str,
    forward: Mapping[str, int],
    step: Mapping[str, int],
    blind: Mapping[str, int],
    unseen: tuple[Mapping[str, int], Mapping[str, int]],
    captured: Captured,
) -> ClassMeasurement:
    """Returns what was measured of a module, by its modules."""
    lists = (nn.ModuleList, nn.ModuleDict)  # they never run, so that no counter has a row for them
    modules = frozenset(_pattern(name) for name, part in module.named_modules() if not isinstance(part, lists))
    return ClassMeasurement(
        name=f"{library}: {type(module).__name__}",
        counter=f"FlopCounterMode of torch {torch.__version__.partition('+')[0]}",
        modules=modules,
        parameters={name: tensor.numel() for name, tensor in module.named_parameters()},
        forward={path: flops for path, flops in forward.items() if path in modules},
        step={path: flops for path, flops in step.items() if path in modules},
        blind=blind,
        unseen_forward={path: flops for path, flops in unseen[0].items() if path in modules},
        unseen_step={path: flops for path, flops in unseen[1].items() if path in modules},
        memory=memory_of(captured),
    )


def _config(keys: Mapping[str, Any]) -> Any:
    """Returns the library's configuration, of a class that writes text if the keys name none."""
    made = library.config_of(_completed(keys))
    parts: tuple[Any, ...] = (made, getattr(made, "encoder_config", None))
    for part in parts:
        if getattr(part, "layerdrop", 0):  # which layers chance drops is data; all run here, as in an evaluation
            part.layerdrop = 0.0
    if not getattr(made, "architectures", None):
        made.architectures = [library.head_of(made.model_type)]
    return made


def _completed(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys with those that a class does not derive itself: GPT-Neo's kinds of attention are of 24 layers
    if the keys leave them out, whatever `num_layers` says."""
    if keys.get("model_type") != "gpt_neo" or keys.get("attention_types"):
        return keys
    layers = keys.get("num_layers", 24)
    pairs = [[["global", "local"], layers // 2], [["global"], layers % 2]]
    return {**keys, "attention_types": [pair for pair in pairs if pair[1]]}


def has_experts(config: Any) -> bool:
    """Returns whether a configuration, or that of its text, has experts."""
    parts = (config, library.text_of(config))
    return any(getattr(part, name, None) for part in parts for name in EXPERTS)


def counted(
    module: nn.Module, args: Any, kwargs: Any, dtype: torch.dtype, training: bool
) -> tuple[Captured, dict[str, int]]:
    """Returns the capture of one run, and the FLOPs that torch's counter sees in it by module."""
    counter = FlopCounterMode(display=False, custom_mapping=dict(BY_GROUP))
    counter.mod_tracker = _NoModules()  # torch's own hooks modules, and some reversible ones then fail
    captured = captured_run(module, args, kwargs, dtype, training, counter)
    return captured, {**_by_module(captured, _flops), "": counter.get_total_flops()}


def captured_run(
    module: nn.Module, args: Any, kwargs: Any, dtype: torch.dtype, training: bool, counter: Any = None
) -> Captured:
    """Returns the capture of one run, which a mode such as torch's counter may watch: that takes as long again."""
    start = summed if training else None
    with contextlib.ExitStack() as stack:
        for context in (library.offline(), library.plain(), torch.set_grad_enabled(training)):
            stack.enter_context(context)
        given, named = stack.enter_context(in_dtype(module, args, kwargs, dtype))
        fake = stack.enter_context(faked(module, given, named))
        stack.enter_context(counter or contextlib.nullcontext())
        return capture(fake, start, saving=training, accumulated=training)


def unseen_of(captured: Captured) -> dict[str, int]:
    """Returns the FLOPs by module, `` for the whole, of the operators that the counter does not see, as far as there
    is a formula for them."""

    def unseen(call: CallRecord) -> int:
        return matmul_flops(call) if call.func.overloadpacket.__name__ in BLIND else 0

    return {**_by_module(captured, unseen), "": sum(map(unseen, captured.calls))}


def _by_module(captured: Captured, flops_of: Callable[[CallRecord], int]) -> dict[str, int]:
    """Returns the FLOPs of a capture's calls by module; those of a backward pass are the forward call's module's."""
    sums: Counter[str] = Counter()
    beginnings = forward_calls(captured)
    for call in captured.calls:
        flops = flops_of(call)
        if flops:
            scope = captured.calls[beginnings.get(call.position, call.position)].scope
            sums.update(dict.fromkeys(_scopes(_pattern(scope)), flops))
    return dict(sums)


class _NoModules:
    """In place of torch's tracker of modules: all is the whole model's."""

    parents = frozenset(("Global",))

    def __enter__(self) -> _NoModules:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _flops(call: CallRecord) -> int:
    """Returns what the counter's formula says for a call: it attributes a forward pass to modules, and not a backward
    one."""
    packet = call.func.overloadpacket
    known: Any = {**flop_registry, **BY_GROUP}.get(packet)
    if known is None:
        return 0
    output = "out_shape" if packet in BY_GROUP else "out_val"
    shapes = tree_map(lambda leaf: torch.Size(leaf.shape) if isinstance(leaf, TensorRecord) else leaf, call.args)
    named = tree_map(lambda leaf: torch.Size(leaf.shape) if isinstance(leaf, TensorRecord) else leaf, dict(call.kwargs))
    made = tuple(torch.Size(output.shape) for output in call.outputs)
    return int(known(*shapes, **named, **{output: made[0] if len(made) == 1 else made}))


def _scopes(path: str) -> list[str]:
    """Returns a module's path and those of the modules that it is in, without the whole model's."""
    parts = path.split(".") if path else []
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def summed(returned: Any) -> torch.Tensor:
    """Returns the sum of the outputs that a loss would use."""
    if isinstance(returned, torch.Tensor):  # of a class that returns no object
        return returned.sum()
    found: list[Any] = []
    for names in (*(names for names in WHOLE if all(name in returned for name in names)), *MAIN):
        found = [returned[name] for name in names if name in returned and returned[name] is not None]
        if found:
            break
    if not found:
        raise CaptureError(f"none of the class's outputs is known as one of a loss: it returns {', '.join(returned)}")
    parts = [tensor for item in found for tensor in (item if isinstance(item, (tuple, list)) else (item,))]
    return reduce(torch.add, [tensor.sum() for tensor in parts])


def memory_of(captured: Captured) -> dict[str, int]:
    """Returns the bytes of a captured training step, of storages that the step itself made: what is saved for the
    backward pass, and the most that is alive after a call of either pass."""
    calls = captured.calls
    forward = sum(1 for call in calls if call.run == FORWARD)
    made = {out.storage.index: out.storage for call in calls for out in call.outputs if out.storage.kind == ACTIVATION}
    changes = [0] * (len(calls) + 1)
    for storage in made.values():
        changes[max(storage.born, 0)] += storage.bytes
        if storage.died is not None:
            changes[max(storage.died, storage.born, 0) + 1] -= storage.bytes
    alive = list(itertools.accumulate(changes[:-1]))
    saved = {save.tensor.storage.index: save.tensor.storage for save in captured.saved}
    return {
        "saved_bytes": sum(storage.bytes for storage in saved.values() if storage.kind == ACTIVATION),
        "peak_bytes": max(alive[:forward], default=0),
        "backward_peak_bytes": max(alive[forward:], default=0),
    }


def blind_of(captured: Captured) -> dict[str, int]:
    """Returns the operators with products that the counter does not see, with how often each ran."""
    names = Counter(call.func._schema.name.removeprefix("aten::") for call in captured.calls)
    return {f"aten.{name}": count for name, count in sorted(names.items()) if name in BLIND}


def _pattern(name: str) -> str:
    return ".".join("*" if part.isdigit() else part for part in name.split("."))
