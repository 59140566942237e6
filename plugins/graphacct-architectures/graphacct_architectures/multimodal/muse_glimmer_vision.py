"""The tower of Muse Glimmer: a grid of patches, three of four layers in windows, squares of patches as one.

Meta, 2026 (Muse Glimmer).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import whole
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_ends import Corners
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "MuseGlimmerVisionModel"
FULL, WINDOW = "full_attention", "window_attention"
PERIOD = 4


def kinds() -> Any:
    """Returns the kind of each layer's attention, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(item in (FULL, WINDOW) for item in value):
            raise ConfigError(f"{field.name} is a list of {FULL} and {WINDOW}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    patch_size: Dim = fields.size(14)
    pos_emb_height: Dim = fields.size(32)
    pos_emb_width: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(16)
    num_hidden_layers: Dim = fields.size(50)
    hidden_size: Dim = fields.size(1536)
    intermediate_size: Dim = fields.size(8960)
    hidden_act: str = activation("gelu")
    patch_temporal: Dim = fields.size(2)
    merge_size: Dim = fields.size(2)
    layer_types: tuple[str, ...] | None = kinds()
    dtype: str | None = fields.dtype()

    @property
    def spatial_merge_size(self) -> Dim:
        """The side of the squares of patches that become one token."""
        return self.merge_size


@frozen
class Shuffled:
    """A norm, and squares of patches as one row each, the parts of each element beside one another.

    Attributes:
        merge: The side of a square.
    """

    merge: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        count, width = x.spec.shape
        square = self.merge**2
        x = normed_by(b, "ln_post", x, Norm(LAYER_NORM, bias=True))
        order = b.apply("full", name="square_places", shape=(count,), dtype="int64")
        x = b.apply("index_select", x, order, name="by_square", dim=0)
        each = exact_div(count, square, "patches / merge_size²")
        x = b.apply("reshape", x, name="squares_apart", shape=(each, square, width))
        x = b.apply("permute", x, name="square_last", dims=(0, 2, 1))
        y: Value = b.apply("reshape", x, name="squares", shape=(each, width * square))
        return y


def describe(config: Config) -> Grid:
    """Returns the tower."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    given = config.layer_types
    if given is not None and len(given) != count:
        raise ConfigError(f"layer_types names {len(given)} layers, num_hidden_layers is {count}: they have to agree")
    usual = (FULL if (index + 1) % PERIOD == 0 or index == count - 1 else WINDOW for index in range(count))
    own = tuple(usual) if given is None else given
    looking = Looking(config.num_attention_heads, joint="", turns="rotary_emb", turns_narrow=True)
    network = Mlp(
        config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True
    )
    table = config.pos_emb_height * config.pos_emb_width
    return Grid(
        count,
        config.hidden_size,
        3,
        (config.patch_temporal, config.patch_size, config.patch_size),
        1,
        looking,
        network,
        Norm(LAYER_NORM, bias=True),
        patches="patch_embedder.patch_embedding",
        flat=True,
        positions=Corners("patch_embedder.position_embedding_table", table),
        second_norm="ln_pre",
        stack="layers",
        window=config.pos_emb_height * config.patch_size,
        whole=tuple(index for index, kind in enumerate(own) if kind == FULL),
        finish=Shuffled(config.merge_size),
        least=config.merge_size,
    )


ARCHITECTURE = tower_alone(
    "muse_glimmer_vision",
    Config,
    describe,
    __file__,
    aliases={},
    no_cost=("max_position_embeddings",),
    doc="The tower of Muse Glimmer: a grid of patches, three of four layers in windows.",
)
