"""Inputs of a class of the transformers library: which it needs, from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import attrs
from torch import nn

from graphacct import brief, suggest
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading.documented import documented
from graphacct_torch.reading.families import (
    MASKED_SOUNDS,
    SIZED_IMAGES,
    SOUNDS_OF_TEXT,
    TOGETHER,
    WIDE_FEATURES,
    WITH_IMAGES,
    WITH_MASK,
)
from graphacct_torch.reading.given import with_inputs
from graphacct_torch.reading.makers import MAKERS
from graphacct_torch.reading.sizes import TEXT, Sizes

BESIDE = ("bbox", "spatial_shapes")
"""Arguments that a class has only if it needs them."""
BESIDE_IMAGES = (
    "image_grid_thw",
    "image_position_ids",
    "image_merge_sizes",
    "target_sizes",
    "mm_token_type_ids",
    "moe_mm_token_type_ids",
    "aspect_ratio_ids",
    "aspect_ratio_mask",
    "cross_attention_mask",
    "batch_num_images",
)
"""Arguments that images come with."""
BESIDE_FILMS = (
    "video_grid_thw",
    "video_merge_sizes",
    "target_sizes_videos",
    "mm_token_type_ids",
    "moe_mm_token_type_ids",
)
"""Arguments that films come with."""

BESIDE_SOUNDS = ("input_features", "input_features_mask", "feature_attention_mask")
"""Arguments that the sounds of a text come as, and with."""


def inputs_of(module: nn.Module, sizes: Sizes, given: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Returns the inputs that a module of the library needs, by name, except those that the user gives himself.

    Text and what the class names as its main input come first; images and sounds beside a text only where the class
    compares them with it. No input has data but ids, which are zeros, and masks, which are ones.

    Raises CaptureError, which names an input that cannot be made, and how it is given.
    """
    if type(module).forward is nn.Module.forward:
        parts = brief(", ".join(name for name, _ in module.named_children()))
        raise CaptureError(
            f"module {type(module).__name__!r} has no forward of its own, since several of its parts run after one "
            f"another: give one of {parts}"
        )
    formals = inspect.signature(module.forward).parameters
    sizes = attrs.evolve(sizes, names=frozenset(formals), module=module)
    found: dict[str, Any] = {}
    for name in _needed(module, formals, sizes):
        if name in given or name in found:
            continue
        value = MAKERS[name](sizes) if name in MAKERS else None
        if value is None:
            value = documented(module, name, sizes)
        if value is None:
            kind = formals[name].annotation
            if kind is not inspect.Parameter.empty and "Tensor" not in str(kind):
                raise CaptureError(
                    f"module {type(module).__name__!r} needs {name}, of type {getattr(kind, '__name__', kind)}: give "
                    "it from a factory, which returns (module, args, kwargs)"
                )
            raise CaptureError(
                f"module {type(module).__name__!r} needs {name}, and graphacct does not know what that is made of: add "
                f"--input {name}=SHAPE:DTYPE, such as {sizes.batch}x{sizes.text}:int64"
            )
        found[name] = value
    if "use_cache" in formals or sizes.get("use_cache", parts=TEXT):
        found["use_cache"] = False
    return found


def _needed(module: nn.Module, formals: Mapping[str, inspect.Parameter], sizes: Sizes) -> list[str]:
    """Returns the names of the inputs that a class needs."""
    main = getattr(module, "main_input_name", "input_ids")
    positional = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [name for name, formal in formals.items() if formal.default is formal.empty and formal.kind in positional]
    mains = main if isinstance(main, (list, tuple)) else (main,)
    wanted = [*mains, *BESIDE, *TOGETHER.get(str(sizes.get("model_type")), ())]
    if "input_ids" in formals:
        wanted.append("input_ids")
    if sizes.get("is_encoder_decoder") or getattr(sizes.get("text_config"), "is_encoder_decoder", False):
        wanted.append("decoder_input_ids")
    if sizes.get("model_type") in WITH_MASK:
        wanted.append("input_features_mask")
    if "spatial_shapes" in formals:
        wanted.append("pixel_attention_mask")
    film = {"pixel_values", "pixel_values_videos"} <= set(formals) and "input_features" not in formals
    if sizes.images and sizes.frames and film:  # beside sounds, frames are those of their spectra
        wanted += ["pixel_values_videos", *BESIDE_FILMS]
    elif sizes.images and "pixel_values" in formals:
        wanted += ["pixel_values", *BESIDE_IMAGES]
        wanted += ["image_sizes"] if sizes.get("model_type") in SIZED_IMAGES else []
    if sizes.audios and "input_ids" in formals:
        wanted += [*BESIDE_SOUNDS, *(("input_values",) if sizes.get("model_type") in SOUNDS_OF_TEXT else ())]
        wanted += ["attention_mask"] if sizes.get("model_type") in MASKED_SOUNDS else []
    if sizes.points:
        wanted.append("input_points")
    if hasattr(module, "get_text_features") or sizes.get("model_type") in WITH_IMAGES:
        wanted += ["pixel_values", "input_features"]
    if sizes.get("model_type") in WIDE_FEATURES:
        wanted = ["input_features", *(name for name in wanted if name != "input_ids")]
    return [*names, *(name for name in wanted if name in formals)]


def library_inputs(module: nn.Module, sizes: Sizes, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the inputs of a module of the library: made ones, and those that the user gives."""
    given = frozenset(inputs) if isinstance(inputs, Mapping) else frozenset()
    if inputs is not None and not isinstance(inputs, Mapping):
        return with_inputs(module, (), {}, inputs)
    formals = inspect.signature(module.forward).parameters
    wrong = next((name for name in given if name not in formals), None)
    if wrong is not None:
        raise CaptureError(f"module {type(module).__name__!r} takes no {wrong}{suggest(wrong, formals)}")
    return with_inputs(module, (), inputs_of(module, sizes, given), inputs)
