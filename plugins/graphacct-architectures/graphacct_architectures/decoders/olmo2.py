"""OLMo 2: norms only after each part, and one norm over all queries and one over all keys.

Team OLMo, 2025 (arXiv:2501.00656).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

NORM = Norm(upcast="all")


@frozen(kw_only=True)
class Olmo2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(50304)
    attention_bias: bool = fields.flag(False)


def normed_last(config: Any, attention: Attention, norm: Norm = NORM) -> Layer:
    """Returns a layer with norms after each part alone."""
    return Layer(
        attention,
        network(config, bias=False),
        norm,
        attention_norm="",
        attention_post_norm="post_attention_layernorm",
        mlp_norm="",
        mlp_post_norm="post_feedforward_layernorm",
    )


def describe(config: Olmo2Config) -> Decoder:
    """Returns a stack of equal layers."""
    layer = normed_last(config, rotated_attention(config, qk_norm="width"))
    return around(config, layer, rotary_cast=False, norm_kind=NORM)


ARCHITECTURE = decoder(
    "olmo2",
    Olmo2Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE),
    doc="OLMo 2: norms after each part, and of all queries and keys together.",
)
