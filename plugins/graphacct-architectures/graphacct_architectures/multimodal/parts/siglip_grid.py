"""Towers of SigLIP's layers over the patches of images of any size, and what their projectors do with the patches."""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value, exact_div
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking


def siglip_grid(config: Any, merge: Dim, *, turns: str, **more: Any) -> Grid:
    """Returns the tower of a configuration with SigLIP's keys, whose squares of `merge` by `merge` patches become one
    token; the module `turns` makes its rotary tables, and `more` is the Grid's."""
    looking = Looking(
        config.num_attention_heads,
        module="self_attn",
        joint="",
        out="out_proj",
        turns=turns,
        dropout=config.attention_dropout,
    )
    network = Mlp(
        config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True
    )
    usual: dict[str, Any] = {
        "looking": looking,
        "patches": "embeddings.patch_embedding",
        "patch_bias": True,
        "norms": ("layer_norm1", "layer_norm2"),
        "stack": "encoder.layers",
        "last_norm": "post_layernorm",
    }
    return Grid(
        config.num_hidden_layers,
        config.hidden_size,
        config.num_channels,
        (config.patch_size, config.patch_size),
        merge,
        mlp=network,
        norm=Norm(LAYER_NORM, bias=True),
        **{**usual, **more},
    )


def squares(b: Builder, x: Value, extent: Extent, merge: Dim) -> Value:
    """Returns squares of `merge` by `merge` patches, which lie in rows, as one row each: (squares, merge² width)."""
    width = x.spec.shape[-1]
    high, wide = (exact_div(side, merge, "patches on a side / merge") for side in (extent.rows, extent.columns))
    x = b.apply("reshape", x, name="patch_rows", shape=(extent.images, high, merge, wide, merge, width))
    x = b.apply("transpose", x, name="squares_together", dims=(2, 3))
    y: Value = b.apply("reshape", x, name="squares", shape=(extent.images * high * wide, merge * merge * width))
    return y
