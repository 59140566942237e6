"""BERT for generation: BERT's layers without token types and pooler, as an encoder or as a decoder with a tied head.

Rothe et al., 2019 (arXiv:1907.12461).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder

ENCODER, DECODER = "BertGenerationEncoder", "BertGenerationDecoder"


@frozen(kw_only=True)
class BertGenerationConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(ENCODER, (ENCODER, DECODER))
    vocab_size: Dim = fields.size(50358)
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    intermediate_size: Dim = fields.size(4096)


def describe(config: BertGenerationConfig) -> Encoder:
    """Returns the encoder, or the decoder with its head."""
    if config.architectures == ENCODER:
        return like_bert(config, "", token_types=0)
    words = Head(
        "",
        config.hidden_size,
        "",
        "",
        "lm_head.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="lm_head.bias",
    )
    return like_bert(config, "bert", token_types=0, head=words)


ARCHITECTURE = encoder(
    "bert-generation",
    BertGenerationConfig,
    describe,
    PresetFiles(__file__),
    doc="BERT for generation: an encoder without token types, or a decoder with a tied head.",
    language_model=DECODER,
)
