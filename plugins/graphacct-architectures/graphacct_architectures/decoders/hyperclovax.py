"""HyperCLOVA X SEED: Granite's multipliers, and a norm after each part.

NAVER Cloud, "HyperCLOVA X SEED", 2025; names and order as in the transformers library's HyperCLOVAXForCausalLM.
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class HyperCLOVAXConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on."""

    use_post_norm: bool = fields.flag(True)


def describe(config: HyperCLOVAXConfig) -> Decoder:
    """Returns a stack of equal layers; the multipliers are applied even if they are 1."""
    after = config.use_post_norm
    layer = Layer(
        rotated_attention(config),
        network(config),
        attention_post_norm="post_norm1" if after else "",
        mlp_post_norm="post_norm2" if after else "",
        residual_scaled=True,
    )
    return around(config, layer, embedding_scaled=True, logits_scaled=True)


ARCHITECTURE = decoder(
    "hyperclovax",
    HyperCLOVAXConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="HyperCLOVA X SEED: Granite's multipliers, a norm after each part.",
)
