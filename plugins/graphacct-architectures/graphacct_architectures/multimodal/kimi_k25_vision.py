"""Kimi K2.5's tower: MoonViT's grid of patches, with three projections and positions read from sixteen rows of a table.

Kimi Team, "Kimi K2.5", 2026; names and order as in the transformers library's Kimi_K25VisionModel. An image is one
frame.
"""

from __future__ import annotations

import attrs

from graphacct import Builder, Dim, Value, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.moonvit import Merged
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Kimi_K25VisionModel"
NEAREST = 16
"""Rows of the table that a patch reads: 4 × 4 of them, for an interpolation by cubics."""


@frozen(kw_only=True)
class Config(Merged):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    patch_size: Dim = fields.size(14)
    pos_emb_height: Dim = fields.size(64)
    pos_emb_width: Dim = fields.size(64)
    pos_emb_time: Dim = fields.size(4)
    num_attention_heads: Dim = fields.size(16)
    num_hidden_layers: Dim = fields.size(27)
    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(4304)
    hidden_act: str = activation("gelu_pytorch_tanh")
    dtype: str | None = fields.dtype()


@frozen
class Cubic:
    """Each patch adds the weighted sum of the rows of a table that are nearest to it, and that of its frame.

    Attributes:
        name: The table's name.
        high, wide: Its rows and columns.
        frames: How many frames have a row in a table that is not trained.
    """

    name: str
    high: Dim
    wide: Dim
    frames: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        count, width = x.spec.shape
        rows = b.parameter(self.name, (self.high, self.wide, width))
        flat = b.apply("reshape", rows, name="position_rows", shape=(self.high * self.wide, width))
        read = count * NEAREST
        near = b.apply("full", name="nearest", shape=(read,), dtype="int64")
        places = b.apply("full", name="first_of_each", shape=(count,), dtype="int64")
        weights = b.apply("full", name="weights", shape=(read,), dtype=x.spec.dtype)
        y = b.apply("embedding_bag", near, flat, places, weights, name="interpolated", mode="sum")
        table = b.apply("constant", name="frames", shape=(self.frames + 1, width), dtype="float32")
        frames = b.apply("full", name="frame_index", shape=(count,), dtype="int64")
        time = b.apply("index_select", table, frames, name="of_frames")
        y = b.apply("add", y, time, name="with_frames")
        if y.spec.dtype != x.spec.dtype:
            y = b.apply("cast", y, name="positions", dtype=x.spec.dtype)
        found: Value = b.apply("add", x, y, name="with_positions")
        return found


@frozen
class Pooled:
    """The patches of each square side by side in memory, as a mean over all frames: (squares, merge², width).

    Attributes:
        merge: The side of a square.
    """

    merge: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        count, width = x.spec.shape
        order = b.apply("full", name="merge_index", shape=(count,), dtype="int64")
        x = b.apply("index_select", x, order, name="squares_in_order")
        times = 1 if extent.times is None else extent.times
        squares = exact_div(exact_div(count, self.merge**2, "patches / merge_kernel_size²"), times, "squares / frames")
        x = b.apply("reshape", x, name="squares", shape=(squares, times, self.merge**2, width))
        y: Value = b.apply("mean", x, name="pooled", dim=1)
        return y


def describe(config: Config) -> Grid:
    """Returns the tower."""
    network = Mlp(
        config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True
    )
    table = "patch_embed.pos_emb.position_embeddings"
    return Grid(
        config.num_hidden_layers,
        config.hidden_size,
        3,
        (config.patch_size, config.patch_size),
        config.spatial_merge_size,
        Looking(config.num_attention_heads, joint="", turns="rotary_emb"),
        network,
        Norm(LAYER_NORM, bias=True),
        Pooled(config.spatial_merge_size),
        patch_bias=True,
        positions=Cubic(table, config.pos_emb_height, config.pos_emb_width, config.pos_emb_time),
        stack="layers",
        last_norm="final_layernorm",
        joined=True,
        most_frames=config.pos_emb_time,
    )


SAVED = (
    "saved tensors of the interpolated positions are lower than the class's: 8 bytes for each row that a patch reads"
)


TOWER = tower_alone(
    "kimi_k25_vision",
    Config,
    describe,
    __file__,
    aliases={
        "vt_hidden_size": "hidden_size",
        "vt_intermediate_size": "intermediate_size",
        "vt_num_attention_heads": "num_attention_heads",
        "vt_num_hidden_layers": "num_hidden_layers",
        "init_pos_emb_height": "pos_emb_height",
        "init_pos_emb_width": "pos_emb_width",
        "init_pos_emb_time": "pos_emb_time",
    },
    no_cost=(
        "merge_type",
        "mm_hidden_size",
        "mm_projector_type",
        "pos_emb_type",
        "projector_hidden_act",
        "projector_ln_eps",
        "text_hidden_size",
        "video_attn_type",
        "_attn_implementation",
    ),
    doc="Kimi K2.5's tower: a grid of patches, rotated by row and column.",
)
ARCHITECTURE = attrs.evolve(TOWER, inexact=lambda config, workload, dtype: (SAVED,))
