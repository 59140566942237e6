"""The tower of Qwen3-VL: a grid of patches with learned positions, tokens after several layers.

Bai et al., 2025 (arXiv:2511.21631).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_ends import Corners, Merger
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import indices, tower_alone

VISION = "Qwen3VLVisionModel"


@frozen(kw_only=True)
class Sizes:
    """The sizes of this tower and of Qwen3.5's."""

    merger: ClassVar[tuple[str, str, str]] = ("norm", "linear_fc1", "linear_fc2")
    """The names in a merger: its norm, and its two linear layers."""
    deep_list: ClassVar[str] = "deepstack_merger_list"
    """The name of the list of mergers after several layers."""

    depth: Dim = fields.size(27)
    hidden_size: Dim = fields.size(1152)
    hidden_act: str = activation("gelu_pytorch_tanh")
    intermediate_size: Dim = fields.size(4304)
    num_heads: Dim = fields.size(16)
    in_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(16)
    spatial_merge_size: Dim = fields.size(2)
    temporal_patch_size: Dim = fields.size(2)
    out_hidden_size: Dim = fields.size(3584)
    num_position_embeddings: Dim = fields.size(2304)
    dtype: str | None = fields.dtype()


@frozen(kw_only=True)
class Config(Sizes):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    deepstack_visual_indexes: tuple[int, ...] = indices((8, 16, 24))


def describe(config: Config) -> Grid:
    """Returns the tower."""
    return grid(config, config.deepstack_visual_indexes)


def grid(config: Sizes, deep: tuple[int, ...] = ()) -> Grid:
    """Returns the tower of some sizes; the tokens after the layers of the indices `deep` are read too."""
    patch = (config.temporal_patch_size, config.patch_size, config.patch_size)
    norm = Norm(LAYER_NORM, bias=True)
    sizes = (config.spatial_merge_size, config.out_hidden_size, norm, *config.merger)
    return Grid(
        config.depth,
        config.hidden_size,
        config.in_channels,
        patch,
        config.spatial_merge_size,
        Looking(config.num_heads),
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            gated=False,
            up="linear_fc1",
            down="linear_fc2",
            bias=True,
        ),
        norm,
        Merger(*sizes),
        patch_bias=True,
        positions=Corners("pos_embed", config.num_position_embeddings),
        deep=deep,
        deep_list=config.deep_list,
        deep_merger=Merger(*sizes, norm_last=True, module=""),
    )


ARCHITECTURE = tower_alone(
    "qwen3_vl_vision",
    Config,
    describe,
    __file__,
    doc="The tower of Qwen3-VL: a grid of patches with learned positions, tokens after several layers.",
)
