"""Shared by Qwen's models of text and images: the tower alone, the older flat files, the whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    brief,
    equal,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described
from graphacct_architectures.multimodal.parts.family import composition, inexact
from graphacct_architectures.multimodal.parts.grid import Extent, Grid, extent_of, grid_rows, windows
from graphacct_architectures.multimodal.parts.grid import whole as seen_whole
from graphacct_architectures.multimodal.parts.grid_layers import MOST_APART, sum_of

SIDE = 16
"""Patches on a side of an image whose size is not given."""
EACH = "saved rotary tables are those of one sequence: the class makes them for each, as images lie elsewhere in each"
"""What is not exact of several sequences whose tokens are rotated by frame, row and column."""
NO_COST = dict.fromkeys(("in_chans", "spatial_patch_size", "tokens_per_second", "rope_parameters"))
"""Keys of towers' files that their classes do not read, or that change no cost."""


SHORT: Mapping[str, str] = {"num_hidden_layers": "depth", "num_attention_heads": "num_heads"}
"""Other spellings of keys of towers that have short ones."""


@frozen
class Gridded:
    """The function that builds a tower's graph, which a model with this one inside takes apart.

    Attributes:
        describe: Returns the description of a configuration's tower.
    """

    describe: Callable[[Any], Grid]

    def __call__(self, config: Any, workload: Workload, b: Builder) -> tuple[Value, ...]:
        """Returns the tokens of a batch of images."""
        rows, *_ = grid_rows(self.describe(config), workload, b, workload.batch)
        return (rows,)


def grid_model(default: str, **rest: Any) -> Any:
    """Returns the key of a tower that reads a grid; `default` is its `model_type` unless the file says one, and `rest`
    are as in `fields.model`."""
    return fields.model(default, fits=grids, **rest)


def grids(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that is no tower that reads a grid."""
    if not isinstance(architecture.build, Gridded):
        raise DeclinedError(f"{key}.model_type is {architecture.name!r}, which is not read as a tower of a grid")


def grid_of(tower: SubModel) -> Grid:
    """Returns the description of a tower."""
    found: Grid = tower.architecture.build.describe(tower.config)
    return found


def tower_alone(
    name: str,
    config: type[Any],
    describe: Callable[[Any], Grid],
    file: str,
    *,
    doc: str,
    no_cost: tuple[str, ...] = (),
    aliases: Mapping[str, str] = SHORT,
) -> Architecture:
    """Returns the Architecture of a tower alone, whose batch is images."""
    return Architecture(
        name,
        config,
        Gridded(describe),
        PresetFiles(file),
        sizes={"image_size": usual_size},
        attention=("fused", "eager"),
        aliases={"torch_dtype": "dtype", **aliases},
        no_cost={**NO_COST, **dict.fromkeys(no_cost)},
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
    )


def usual_size(config: Any) -> tuple[Dim, Dim]:
    """Returns the size of an image of SIDE patches on a side, or as many as make whole squares."""
    count = SIDE - SIDE % config.spatial_merge_size if has_value(config.spatial_merge_size) else SIDE
    side = max(count, config.spatial_merge_size) * config.patch_size if has_value(count) else count
    return side, side


def indices(default: tuple[int, ...]) -> Any:
    """Returns the indices of layers."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        if not isinstance(value, (list, tuple)) or not all(type(item) is int for item in value):
            raise ConfigError(f"{field.name} is a list of the indices of layers, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, default)


def whole(
    name: str,
    config: type[Any],
    file: str,
    *,
    classes: tuple[str, str],
    tied: Callable[[Any], bool],
    doc: str,
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    sectioned: bool = True,
    module: str = "visual",
    tower: Callable[[Any], Grid] = lambda config: grid_of(config.vision_config),
    project: Callable[[Any, Builder, Value, Extent], Value] | None = None,
    aliases: Mapping[str, str] | None = None,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
    text: Callable[[Any], Decoder] = lambda config: described(config.text_config),
    capped: bool = False,
    films: bool = True,
    inner_classes: Mapping[str, str] | None = None,
) -> Architecture:
    """Returns the Architecture of a tower and a text model.

    `sectioned` says whether the text's heads are rotated by frame, row and column, `module` the tower's module;
    `tower(config)` describes it, and `text(config)` the text model. `project(config, builder, x, extent)` adds what
    makes the text's rows of the tower's tokens, at the root of the tower's module. `capped` says whether
    the logits are scaled and capped if the text model says so, `films` whether its class reads films too. The rest is
    as for `composition`.
    """

    def compose(config: Any, root: str) -> Composition:
        def rows(workload: Workload, b: Builder) -> tuple[Value, ...]:
            assert workload.images is not None  # the architecture declares its default
            g, images = tower(config), workload.batch * workload.images
            with b.scope(f"{root}{module}"):
                x, *deep = grid_rows(g, workload, b, images)
            if project is not None:
                with b.scope(root.removesuffix(".")):
                    x = project(config, b, x, extent_of(g, workload, images))
            return x, *deep

        parts, name = (Part("images", rows),), f"{root}language_model"
        return Composition(text(config), parts, name, tied=tied(config), softcap=capped, scaled=capped)

    found = composition(
        name,
        config,
        compose,
        PresetFiles(file),
        classes=classes,
        image_size=lambda config: usual_size(config.vision_config.config),
        sizes={"frames": lambda config: None} if films else {},
        no_cost={**dict.fromkeys(("rope_scaling", "rope_theta", "rope_parameters")), **(no_cost or {})},
        aliases=aliases,
        prepare=prepare,
        inner_classes=inner_classes,
        doc=doc,
    )

    def batched(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
        known = inexact(config, workload, dtype)
        if workload.images in (None, 0) or workload.image_size is None:
            return known
        found = (*known, *together(tower(config), workload))
        return (*found, EACH) if sectioned and not equal(workload.batch, 1) else found

    return attrs.evolve(found, inexact=batched)


def together(g: Grid, workload: Workload) -> tuple[str, ...]:
    """Returns what is not exact of a tower whose images or windows are too many to be described one by one."""
    assert workload.images is not None
    extent = extent_of(g, workload, workload.batch * workload.images)
    count = sum_of((seen_whole(g, extent), *windows(g, extent)))
    if has_value(count) and count <= MOST_APART:
        return ()
    return (f"saved tensors of a tower are exact up to {MOST_APART} images and windows, which its class runs apart",)


def nested_text(text: type[Any]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Returns what puts the text's keys of a flat file into `text_config`, as the library does with a file without
    one; `text` is the class of the text model's configuration."""
    outer = {"architectures", "dtype", "tie_word_embeddings"}
    known = {field.name for field in attrs.fields(text)} | {key for key in ALIASES if ALIASES[key] not in outer}

    def prepare(content: Mapping[str, Any]) -> Mapping[str, Any]:
        if content.get("text_config") is not None:
            return content
        inside = {key: value for key, value in content.items() if key in (known | {"rope_theta"}) - outer}
        return {**{key: value for key, value in content.items() if key not in inside}, "text_config": inside}

    return prepare


def sections_left_out(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys of a text model whose rotary settings name sections for frames, rows and columns: the kind
    `mrope` is the default one."""
    result = dict(content)
    for key in ("rope_parameters", "rope_scaling"):
        said = result.get(key)
        if isinstance(said, Mapping):
            kinds = {name: "default" for name in ("rope_type", "type") if said.get(name) == "mrope"}
            result[key] = {**said, **kinds}
    return result
