"""The tower of VideoLLaMA 3: SigLIP's layers over a grid of patches, rotated by row and column, without positions.

Zhang et al., 2025 (arXiv:2501.13106).
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, exact_div, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone
from graphacct_architectures.multimodal.parts.siglip_grid import siglip_grid

VISION = "VideoLlama3VisionModel"
MERGE = 2
"""The side of the squares of a film's patches that become one token, which the processor gives the class."""


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    num_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(16)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()

    @property
    def spatial_merge_size(self) -> Dim:
        """An image's patches become one token each; the class is given the number for each image."""
        return 1


def resized(b: Builder, x: Value, extent: Extent) -> Value:
    """Returns the patches as the class resizes them: for an image to the size that they have, for a film to half of
    it."""
    width, merge = x.spec.shape[-1], 1 if extent.times is None else MERGE
    high, wide = (exact_div(side, merge, "patches / merge") for side in (extent.rows, extent.columns))
    if merge != 1:
        x = b.apply("reshape", x, name="squares", shape=(extent.images, high, wide, merge, merge, width))
        x = b.apply("permute", x, name="squares_in_rows", dims=(0, 1, 3, 2, 4, 5))
    x = b.apply("reshape", x, name="rows", shape=(extent.images, extent.rows, extent.columns, width))
    x = b.apply("permute", x, name="width_first", dims=(0, 3, 1, 2))
    x = b.apply("upsample_linear", x, name="resized", size=(high, wide))
    x = b.apply("permute", x, name="width_last", dims=(0, 2, 3, 1))
    y: Value = b.apply("reshape", x, name="tokens", shape=(extent.images * high * wide, width))
    return y


def describe(config: Config) -> Grid:
    """Returns the tower."""
    return siglip_grid(config, 1, turns="rotary_pos_emb", merger=resized, film_merge=MERGE)


ARCHITECTURE = tower_alone(
    "video_llama_3_vision",
    Config,
    describe,
    __file__,
    aliases={},
    no_cost=("image_size", "vision_use_head"),
    doc="The tower of VideoLLaMA 3: SigLIP's layers over a grid of patches, rotated by row and column.",
)
