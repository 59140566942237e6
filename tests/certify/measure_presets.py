"""Every preset, by ours and by the transformers library on the meta device: `python measure_presets.py OUT.json`.

A preset's configuration is given to the library's own configuration class, so that sizes typed wrong and keys read
wrong both show. What is measured is written after each model; a model that is there already is not measured again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "verify"))

import transformers
from graphacct_torch.measuring.measured import BY_GROUP
from measure import parameters
from truth import IMAGE_SIZE, forward, in_groups, inputs, length_of, model_from, train_step

import graphacct
from graphacct.hooks.manager import default
from graphacct.models.find import preset, presets

SEQ_LEN = 128
LEFT_OUT = ("transformer-lm", "resnet")
"""A model of this project's own, and torchvision's, whose figures the plugin's tests have."""


def plain(value: Any) -> Any:
    """A value as a config.json has it: lists, and one number for the two sides of a square."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, tuple):
        return value[0] if len(value) == 2 and value[0] == value[1] else [plain(item) for item in value]
    return value


def library_config(model_type: str, config: Any) -> Any:
    """The library's configuration with the same keys."""
    defaults = {field.name: field.default for field in attrs.fields(type(config))}
    values = attrs.asdict(config).items()
    given = {key: value for key, value in values if value != {} and (value is not None or defaults[key] is not None)}
    given = {key: plain(value) for key, value in given.items()}
    if model_type == "gpt_neo":  # a list of pairs, which the class expands
        given["attention_types"] = [[["global", "local"], config.num_layers // 2]]
        given.pop("attention_layers", None)
    names = given.pop("architectures", None)
    if not names:
        causal = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        names = causal[model_type]
    made = transformers.AutoConfig.for_model(model_type, **given)
    made.architectures = [names] if isinstance(names, str) else list(names)
    return made


def measured(name: str) -> dict[str, Any]:
    """Parameters and FLOPs of one preset, by both."""
    found = preset(name, default())
    assert found is not None
    architecture, config = found
    model = model_from(library_config(architecture.model_types[0], config))
    images = "image_size" in architecture.sizes and "seq_len" not in architecture.sizes
    size = getattr(model.config, "image_size", IMAGE_SIZE) if images else min(SEQ_LEN, length_of(model.config))
    options = {"attention": "eager", "convention": "matmul"}
    workload = {"image_size": size} if images else {"seq_len": size}
    ours = graphacct.account(name, **workload, **(options if architecture.attention else {"convention": "matmul"}))
    step = graphacct.account(
        name, **workload, phase="train", loss="sum", **(options if architecture.attention else {"convention": "matmul"})
    )
    given = inputs(model, 1, size)
    by_group = {"step_by_group": train_step(model, given, BY_GROUP)["total"]} if in_groups(model) else {}
    return {
        "family": architecture.name,
        "class": type(model).__name__,
        "size": size,
        "params": [ours.total["params"], parameters(model)["total"]],
        "forward": [ours.total["matmul_flops"], forward(model, given)["total"]],
        "step": [step.total["step_matmul_flops"], train_step(model, given)["total"]],
        **by_group,
    }


def main(out: Path) -> None:
    rows = json.loads(out.read_text()) if out.exists() else {}
    for name, architecture in presets().items():
        if architecture.name in LEFT_OUT or name not in architecture.presets or name in rows:
            continue
        try:
            rows[name] = measured(name)
        except Exception as error:
            rows[name] = {"family": architecture.name, "error": f"{type(error).__name__}: {error}"[:300]}
        row = rows[name]
        print(
            name, row.get("error") or [row[key][0] - row[key][1] for key in ("params", "forward", "step")], flush=True
        )
        out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
