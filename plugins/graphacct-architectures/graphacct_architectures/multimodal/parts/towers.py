"""The towers that models of images and text look through: which hidden states each gives, and what it runs besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct import Builder, ConfigError, DeclinedError, Dim, SubModel, Value, Workload, fields
from graphacct_architectures.layers import layer_norm
from graphacct_architectures.multimodal import (
    blip2_vision,
    clip,
    idefics3_vision,
    intern_vit,
    internvl_vision,
    pixtral,
    siglip,
)


@attrs.frozen
class Eye:
    """A tower for images.

    Attributes:
        states: `states(config, workload, builder, key, wanted)` returns the tokens after all layers, and after as many
            as each wanted number says, by number.
        finish: `finish(config, builder, x)` adds what the class runs after the layers, and returns its last hidden
            state.
    """

    states: Callable[[Any, Workload, Builder, str, Sequence[int]], Mapping[Dim, Value]]
    finish: Callable[[Any, Builder, Value], Value]


def _clip_finish(config: Any, b: Builder, x: Value) -> Value:
    layer_norm(b, "post_layernorm", b.apply("select", x, name="first", dim=1))
    return x


def _siglip_finish(config: Any, b: Builder, x: Value) -> Value:
    x = layer_norm(b, "post_layernorm", x)
    if config.vision_use_head:
        siglip.pooled(config, b, x)
    return x


EYES: Mapping[str, Eye] = {
    "clip_vision_model": Eye(clip.image_states, _clip_finish),
    "siglip_vision_model": Eye(siglip.image_states, _siglip_finish),
    "blip_2_vision_model": Eye(blip2_vision.image_states, blip2_vision.finish),
    "pixtral": Eye(pixtral.image_states, pixtral.finish),
    "idefics3_vision": Eye(idefics3_vision.image_states, idefics3_vision.finish),
    "idefics2_vision": Eye(idefics3_vision.image_states, idefics3_vision.finish),
    "intern_vit_6b": Eye(intern_vit.image_states, intern_vit.finish),
    "internvl_vision": Eye(internvl_vision.image_states, internvl_vision.finish),
    "qianfan_ocr_vision": Eye(internvl_vision.image_states, internvl_vision.finish),
}
"""The towers, by the names of their families."""


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
    eye = EYES[tower.architecture.name]
    wanted: list[int] = []
    if layers:
        count = layer_count(tower.config)
        for index in layers:
            if not -count - 1 <= index <= count:
                raise ConfigError(f"vision_feature_layer is {index}, and {key} has {count} layers")
            wanted.append(index % (count + 1))
    found = eye.states(tower.config, workload, b, f"{key}.image_size", wanted)
    last = eye.finish(tower.config, b, found[tower.config.num_hidden_layers])
    return tuple(found[index] for index in wanted) or (last,)
