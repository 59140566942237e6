"""Baichuan and Baichuan 2: Llama's layers with one projection for queries, keys and values.

Yang et al., 2023 (arXiv:2309.10305). The class stands in the models' own repositories (`modeling_baichuan.py`), not in
the transformers library: names, shapes and order are that file's. The 7B models rotate positions. The 13B models have
ALiBi slopes; nothing in their file says so but the width.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.heads import ALONE, CAUSAL

ROTATED_WIDTH = 4096
"""The width of the models that rotate positions."""


@frozen(kw_only=True)
class BaichuanConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(125696)
    max_position_embeddings: Dim = fields.size(4096)


def describe(config: BaichuanConfig) -> Decoder:
    """Returns a stack of equal layers."""
    rotated = equal(config.hidden_size, ROTATED_WIDTH)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            config.d_head,
            joint="W_pack",
            rotary=config.d_head if rotated else 0,
            alibi=not rotated,
            masked=not rotated,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]),
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),) if rotated else (),
    )


ARCHITECTURE = decoder(
    "baichuan",
    BaichuanConfig,
    describe,
    PresetFiles(__file__),
    aliases={"model_max_length": "max_position_embeddings"},
    classes=(CAUSAL, ALONE),
    doc="Baichuan 1 and 2: Llama's layers, one projection; ALiBi slopes in the 13B models.",
)
