"""The towers that models of images and text look through: which hidden states each gives, and what it runs besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from graphacct import Builder, ConfigError, DeclinedError, SubModel, Value, Workload, fields

EYES: Mapping[str, str] = {
    "clip_vision_model": "clip",
    "siglip_vision_model": "siglip",
    "blip_2_vision_model": "blip2_vision",
    "pixtral": "pixtral",
    "idefics3_vision": "idefics3_vision",
    "idefics2_vision": "idefics3_vision",
    "intern_vit_6b": "intern_vit",
    "internvl_vision": "internvl_vision",
    "qianfan_ocr_vision": "internvl_vision",
}
"""The modules of the towers, by the names of their families; a model imports that of its own tower.

Each has `image_states(config, workload, builder, key, wanted)`, which returns the tokens after all layers, and after as
many as each wanted number says, by number; and `finish(config, builder, x)`, which adds what the class runs after the
layers, and returns its last hidden state.
"""


def vision_model(default: str, keys: Mapping[str, Any] | None = None, **rest: Any) -> Any:
    """Returns the key of a tower of any kind; `default` is its `model_type` unless the file says one, `keys` are its
    keys if the file has none, and `rest` are as in `fields.model`."""
    return fields.model(default, keys=keys, fits=fits, **rest)


def fits(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that is no tower here."""
    if architecture.name not in EYES:
        raise DeclinedError(
            f"{key}.model_type is {architecture.name!r}, which is not read as a tower: {', '.join(EYES)} are"
        )


def layer_count(config: Any) -> int:
    """Returns how many layers a tower has. Raises ConfigError unless it is a number."""
    count = config.num_hidden_layers
    if type(count) is not int:
        raise ConfigError(f"vision_config.num_hidden_layers is {count}: one of its layers is read, so give a number")
    return count


def looked(
    tower: SubModel, workload: Workload, b: Builder, layers: Sequence[int] = (), *, key: str = "vision_config"
) -> tuple[Value, ...]:
    """Adds the whole tower; the builder is in its scope. Returns the tokens after each of the layers that are asked
    for, by the index of the class's hidden states (0 is what enters the first layer, negative counts from the end), or
    without any its last hidden state.

    Raises ConfigError for a layer that the tower does not have.
    """
    eye = import_module(f"graphacct_architectures.multimodal.{EYES[tower.architecture.name]}")
    wanted: list[int] = []
    if layers:
        count = layer_count(tower.config)
        for index in layers:
            if not -count - 1 <= index <= count:
                raise ConfigError(f"vision_feature_layer is {index}, and {key} has {count} layers")
            wanted.append(index % (count + 1))
    found = eye.image_states(tower.config, workload, b, f"{key}.image_size", wanted)
    last = eye.finish(tower.config, b, found[tower.config.num_hidden_layers])
    return tuple(found[index] for index in wanted) or (last,)
