"""What a training step saves, measured with torch on a CPU for the shapes of saved_shapes.py.

`python tests/verify/saved_activations.py [NAME...]` writes tests/goldens/saved_activations.json; with names it measures
those shapes alone again. Saved are the new storages that autograd's saved-tensor hooks see up to the sum of the
outputs, each once; of a checkpointed layer also the tensors that its function is given by keyword, which stay until the
layer has run again (`activations.kept`).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from activations import kept, model_of
from saved_shapes import SHAPES, SOURCE, TOKENS, config_of, label, runs, workload

GOLDEN = Path(__file__).parents[1] / "goldens" / "saved_activations.json"
OUTPUTS = ("logits", "text_embeds", "image_embeds", "last_hidden_state")
"""What is summed: the logits, or of a model without them both towers' embeddings or the hidden states."""


def inputs(model: Any, name: str) -> dict[str, Any]:
    """What the model takes."""
    config, sizes = model.config, workload(name)
    batch = sizes["batch"]
    ids = torch.ones((batch, sizes.get("seq_len", TOKENS)), dtype=torch.long)
    found: dict[str, Any] = {}
    if "image_size" in sizes or name == "clip":
        vision = getattr(config, "vision_config", config)
        side = sizes.get("image_size", getattr(vision, "image_size", None))
        found["pixel_values"] = torch.zeros((batch, vision.num_channels, side, side), dtype=model.dtype)
    if model.main_input_name == "input_features":
        frames = 2 * config.max_source_positions
        found["input_features"] = torch.zeros((batch, config.num_mel_bins, frames), dtype=model.dtype)
        return {**found, "decoder_input_ids": ids, "use_cache": False}
    if config.is_encoder_decoder:
        source = torch.ones((batch, SOURCE), dtype=torch.long)
        return {"input_ids": source, "decoder_input_ids": ids, "use_cache": False}
    if "seq_len" in sizes:
        found["input_ids"] = ids
        if model.can_generate() or name.endswith(" sequences"):
            found["use_cache"] = False
    return found


def summed(output: Any) -> torch.Tensor:
    """The sum of the outputs that a loss would use."""
    if "logits_per_image" in output:
        return output.logits_per_image.sum()
    return next(output[key] for key in OUTPUTS if key in output).sum()


def ready(name: str, dtype: str, attention: str, checkpointed: bool) -> tuple[Any, dict[str, Any]]:
    """The model of a run, which has run once, and what it takes."""
    content = config_of(name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(content))
        dropout = {key: content[key] for key in content if "drop" in key and isinstance(content[key], float)}
        run = {"dropout": 0.0, "dtype": dtype, "attention": attention, "checkpointing": checkpointed}
        model = model_of(Path(folder), run, dropout)
    given = inputs(model, name)
    model(**given)  # what is imported and set at the first call is none of the step's
    return model, given


def storages(name: str, dtype: str, attention: str, checkpointed: bool) -> list[tuple[int, str, list[int]]]:
    """The storages that a run saves: bytes, dtype, the first tensor's shape."""
    return kept(*ready(name, dtype, attention, checkpointed), summed)


def measured(name: str) -> dict[str, Any]:
    """A shape's config.json, and the bytes that each run saves; without fused attention where the library has none."""
    found = {}
    for run in runs(name):
        try:
            found[label(*run)] = sum(size for size, *_ in storages(name, *run))
        except ValueError as error:
            if "does not support an attention implementation" not in str(error):
                raise
    return {"config": config_of(name), **workload(name), "saved_bytes": found}


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    old = json.loads(GOLDEN.read_text())["shapes"] if GOLDEN.exists() else {}
    shapes = {}
    for name in SHAPES:
        shapes[name] = measured(name) if not names or name in names or name not in old else old[name]
        print(name, flush=True)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "device": "cpu"}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(shape)}" for name, shape in shapes.items())
    GOLDEN.write_text(f'{{{json.dumps(versions)[1:-1]},\n "shapes": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
