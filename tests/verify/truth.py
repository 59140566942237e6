"""Truth of any config.json: `python tests/verify/truth.py FOLDER...` (or `make goldens CONFIG=FOLDER`).

Each folder has a config.json; the model that its `architectures` names is built by the transformers library on the meta
device, without weights, and what is measured on it is written to truth.json beside it, as tests/goldens/README.md
describes. Attention is written out and experts run as one product for each pair of token and expert, because torch's
counter sees neither fused attention on a CPU nor grouped products.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from measure import flops_of, parameters, pattern
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

PAIRS = ((1, 128), (1, 1024), (4, 512))
CACHED = 1024
IMAGE_SIZE = 224
WHOLE = (
    ("pred_masks", "pred_boxes", "pred_logits", "presence_logits", "semantic_seg"),
    ("logits", "pred_boxes", "pred_masks"),
    ("class_queries_logits", "masks_queries_logits"),
    ("masks_queries_logits",),
    ("last_hidden_state", "fpn_hidden_states"),
    ("encoder_last_hidden_state", "pixel_decoder_last_hidden_state", "transformer_decoder_last_hidden_state"),
)
"""Outputs of models that have all of a group; the first of them counts."""
MAIN = (
    ("logits", "mc_logits", "pred_boxes"),
    ("logits_per_image",),
    ("prediction_logits", "seq_relationship_logits", "sop_logits"),
    ("start_logits", "end_logits"),
    ("reconstruction",),
    ("heatmaps",),
    ("alphas",),
    ("feature_maps",),
    ("predicted_depth",),
    ("iou_scores", "pred_masks"),
    ("text_embeds", "image_embeds", "last_hidden_state", "pooler_output"),
)
"""Outputs by kind of model; a model's are the first of these groups that it has any of."""


def model_of(folder: Path) -> torch.nn.Module:
    """The model that a folder's config.json describes, on the meta device, in the dtype that it says."""
    return model_from(transformers.AutoConfig.from_pretrained(folder))


def model_from(config: Any) -> torch.nn.Module:
    """The model of a configuration of the library's."""
    transformers.masking_utils.find_packed_sequence_indices = lambda position_ids: (
        None
    )  # it reads values; meta has none
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    dtype = config.dtype or torch.float32
    options: dict[str, Any] = {"attn_implementation": "eager", "dtype": dtype}
    kind = getattr(transformers, config.architectures[0])
    with torch.device("meta"):
        try:
            model = kind._from_config(config, experts_implementation="batched_mm", **options)
        except (TypeError, ValueError):
            model = kind._from_config(config, **options)
    return model.to("meta").eval()  # a class may make a parameter without looking where


def inputs(model: torch.nn.Module, batch: int, size: int) -> dict[str, Any]:
    """What the model takes: token ids, pixels, features, for an encoder and a decoder both."""
    config = model.config
    ids = torch.zeros((batch, size), dtype=torch.long, device="meta")
    if model.main_input_name == "input_features":
        frames = 2 * config.max_source_positions
        features = torch.zeros((batch, config.num_mel_bins, frames), device="meta", dtype=model.dtype)
        return {"input_features": features, "decoder_input_ids": ids, "use_cache": False}
    if model.main_input_name == "pixel_values":
        pixels = torch.zeros((batch, config.num_channels, size, size), device="meta", dtype=model.dtype)
        return {"pixel_values": pixels}
    if config.model_type == "clip":
        side = config.vision_config.image_size
        pixels = torch.zeros((batch, 3, side, side), device="meta", dtype=model.dtype)
        return {"input_ids": ids, "pixel_values": pixels}
    if config.is_encoder_decoder:
        return {"input_ids": ids, "decoder_input_ids": ids, "use_cache": False}
    if type(model).__name__.endswith("ForMultipleChoice"):  # two answers to each question
        return {"input_ids": torch.stack([ids, ids], dim=1)}
    return {"input_ids": ids} | ({"use_cache": False} if getattr(config, "use_cache", False) else {})


def main_outputs(out: Any) -> list[torch.Tensor]:
    """The outputs that a loss would use: logits where there are any."""
    for names in (*(group for group in WHOLE if all(name in out for name in group)), *MAIN):
        found = [out[name] for name in names if name in out and out[name] is not None]
        if found:
            return [item for value in found for item in (value if isinstance(value, tuple) else (value,))]
    raise ValueError(f"no outputs among {list(out)}")


def forward(model: torch.nn.Module, given: Mapping[str, Any]) -> dict[str, Any]:
    """FLOPs of a forward pass, in total, by kernel and by module."""
    return flops_of(model, lambda: model(**given))


def train_step(
    model: torch.nn.Module, given: Mapping[str, Any], formulas: Mapping[Any, Any] | None = None
) -> dict[str, Any]:
    """FLOPs of a forward and a backward pass from the sum of the outputs, on parameters that are all trained: what
    torch's counter says, but of kernels that `formulas` has what those say."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def step() -> None:
        sum(output.float().sum() for output in main_outputs(model(**given))).backward()

    try:
        with FlopCounterMode(display=False, custom_mapping=dict(formulas or {})) as counter:
            step()
        total = counter.get_total_flops()
    except AssertionError:  # it cannot follow a module that is given a view of a parameter, as DeBERTa's are
        with Kernels() as kernels:
            step()
        total = kernels.total
    without = sorted({pattern(name) for name, tensor in model.named_parameters() if tensor.grad is None})
    model.zero_grad(set_to_none=True)
    model.eval()
    return {"total": total, "params_without_grad": without}


class Kernels(TorchDispatchMode):
    """FLOPs by torch's formulas, of kernels alone, without the modules that they run in."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def in_groups(model: torch.nn.Module) -> bool:
    """Whether the model has a convolution in groups."""
    convolutions = (torch.nn.Conv1d, torch.nn.Conv2d)
    return any(isinstance(module, convolutions) and module.groups > 1 for module in model.modules())


def decode(model: torch.nn.Module, cached: int) -> dict[str, Any]:
    """FLOPs of one new token on a cache of earlier ones."""
    ids = torch.zeros((1, cached), dtype=torch.long, device="meta")
    with torch.no_grad():
        cache = model(input_ids=ids, use_cache=True).past_key_values
        found = flops_of(model, lambda: model(input_ids=ids[:, :1], past_key_values=cache, use_cache=True))
    return {"total": found["total"]}


def decode_beside_encoder(model: torch.nn.Module, cached: int, encoder: int) -> dict[str, Any]:
    """FLOPs of one new token of a decoder, on a cache of earlier ones and of the encoder's keys and values."""
    given = inputs(model, 1, encoder)
    ids = torch.zeros((1, cached), dtype=torch.long, device="meta")
    with torch.no_grad():
        states = model.get_encoder()(given[model.main_input_name])
        step = {"encoder_outputs": states, "use_cache": True}
        cache = model(decoder_input_ids=ids, **step).past_key_values
        found = flops_of(model, lambda: model(decoder_input_ids=ids[:, :1], past_key_values=cache, **step))
    return {"total": found["total"]}


def length_of(config: Any) -> int:
    """The longest sequence that is measured: the model's own, where it has one that is shorter."""
    text = config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "n_positions", "max_target_positions")
    spare = text.pad_token_id + 1 if text.model_type == "roberta" else 0  # its positions begin behind the padding's
    return min([CACHED, *(getattr(text, name) - spare for name in names if getattr(text, name, None))])


def truth(folder: Path, pairs: tuple[tuple[int, int], ...] = PAIRS) -> dict[str, Any]:
    """Everything that is measured on one configuration."""
    model = model_of(folder)
    config = model.config
    image = model.main_input_name == "pixel_values"
    longest = length_of(config)
    if image:
        pairs = tuple((batch, getattr(config, "image_size", None) or IMAGE_SIZE) for batch in (1, 4))
    result: dict[str, Any] = {
        "architecture": type(model).__name__,
        "model_type": config.model_type,
        "dtype": str(model.dtype).removeprefix("torch."),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "params": parameters(model),
        "forward": [],
        "train_step": [],
    }
    for batch, size in pairs:
        size = size if image else min(size, longest)
        sizes = {"batch": batch, "image_size" if image else "seq": size}
        given = inputs(model, batch, size)
        result["forward"].append({**sizes, **forward(model, given)})
        result["train_step"].append({**sizes, **train_step(model, given)})
    if config.is_encoder_decoder:
        result["decode"] = decode_rows(model, min(CACHED, longest - 1))
    elif model.can_generate() and "input_ids" in given:
        cached = min(CACHED, longest - 1)
        result["decode"] = [{"batch": 1, "cached_tokens": cached, **decode(model, cached)}]
    return result


def decode_rows(model: torch.nn.Module, cached: int) -> list[dict[str, Any]]:
    """Decoding steps beside encoders of two lengths; Whisper's has one."""
    rows = []
    for encoder in (cached, 100):
        own = {} if model.main_input_name == "input_features" else {"encoder_seq": encoder}
        rows.append({"batch": 1, "cached_tokens": cached, **own, **decode_beside_encoder(model, cached, encoder)})
    return rows[:1] if model.main_input_name == "input_features" else rows


def main(folders: list[str]) -> None:
    for name in folders:
        folder = Path(name)
        found = truth(folder)
        (folder / "truth.json").write_text(json.dumps(found, indent=1) + "\n")
        print(f"{folder}: {found['params']['total']:,} parameters")


if __name__ == "__main__":
    main(sys.argv[1:])
