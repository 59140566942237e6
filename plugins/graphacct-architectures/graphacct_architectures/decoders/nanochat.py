"""nanochat: norms without weights, also of the embedding and of queries and keys after they are rotated; squared ReLU
without a gate; capped logits.

Karpathy, "nanochat", 2025; names and order as in the transformers library's NanoChatForCausalLM.
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, number
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(weight=False)


@frozen(kw_only=True)
class NanoChatConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(50304)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(6)
    hidden_act: str = activation("relu2")
    attention_bias: bool = fields.flag(False)
    final_logit_softcapping: float | None = number(15.0)


def describe(config: NanoChatConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        rotated_attention(config, qk_norm="head", qk_norm_last=True),
        network(config, gated=False, up="fc1", down="fc2"),
        NORM,
    )
    capped = config.final_logit_softcapping is not None
    return around(config, layer, norm_kind=NORM, embedding_norm="first_norm", logits_softcap=capped)


ARCHITECTURE = decoder(
    "nanochat",
    NanoChatConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="nanochat: norms without weights, squared ReLU, capped logits.",
)
