"""Decoder-only language models: one file a family, and the parts that families are built from, for plugins too.

A family is a configuration class and a function that describes a configuration: `decoder` makes an Architecture from
the two. A model of another shape builds its graph with `attention`, `mlp`, `experts` and `stack`. Each name is imported
from its file in `parts/` on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphacct_architectures.decoders.parts.attention import attend, attention
    from graphacct_architectures.decoders.parts.deepseek import ATTENTION, LatentConfig, corrected_experts, latent_of
    from graphacct_architectures.decoders.parts.description.attention import Attention, Latent, Mixing
    from graphacct_architectures.decoders.parts.description.decoder import EMBEDDING, Decoder, Positions
    from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, FeedForward, Mlp
    from graphacct_architectures.decoders.parts.description.layer import NOTHING, Layer, Whole
    from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, RMS, Norm
    from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, rotary_dims, whole
    from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
    from graphacct_architectures.decoders.parts.names import mask_name
    from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
    from graphacct_architectures.decoders.parts.sparse import at_most, layer_indices, network_types, sparse_layers
    from graphacct_architectures.decoders.parts.stack import stack

__all__ = [
    "ATTENTION",
    "EMBEDDING",
    "LAYER_NORM",
    "NOTHING",
    "RMS",
    "Attention",
    "Correction",
    "Decoder",
    "DecoderConfig",
    "Experts",
    "FeedForward",
    "Latent",
    "LatentConfig",
    "Layer",
    "Mixing",
    "Mlp",
    "Norm",
    "Positions",
    "Whole",
    "at_most",
    "attend",
    "attention",
    "corrected_experts",
    "decoder",
    "experts",
    "latent_of",
    "layer_indices",
    "mask_name",
    "mlp",
    "network_types",
    "rope_parameters",
    "rotary_dims",
    "sparse_layers",
    "stack",
    "whole",
]
FILES = {
    "at_most": "sparse",
    "attend": "attention",
    "ATTENTION": "deepseek",
    "Attention": "description.attention",
    "attention": "attention",
    "corrected_experts": "deepseek",
    "Correction": "description.feed_forward",
    "Decoder": "description.decoder",
    "decoder": "family",
    "DecoderConfig": "family",
    "EMBEDDING": "description.decoder",
    "Experts": "description.feed_forward",
    "experts": "feed_forward",
    "FeedForward": "description.feed_forward",
    "Latent": "description.attention",
    "latent_of": "deepseek",
    "LatentConfig": "deepseek",
    "Layer": "description.layer",
    "layer_indices": "sparse",
    "LAYER_NORM": "description.norm",
    "mask_name": "names",
    "Mixing": "description.attention",
    "Mlp": "description.feed_forward",
    "mlp": "feed_forward",
    "network_types": "sparse",
    "Norm": "description.norm",
    "NOTHING": "description.layer",
    "Positions": "description.decoder",
    "RMS": "description.norm",
    "rope_parameters": "rope_settings",
    "rotary_dims": "family",
    "sparse_layers": "sparse",
    "stack": "stack",
    "Whole": "description.layer",
    "whole": "family",
}
"""The file of each name."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.parts.{FILES[name]}"), name)
