"""ELECTRA: BERT's layers with narrow embeddings; the discriminator finds replaced tokens, the generator makes them.

Clark et al., 2020 (arXiv:2003.10555).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct.architectures.bert import like_bert
from graphacct.architectures.decoder.families import ACTIVATIONS
from graphacct.architectures.encoder import Encoder, Head
from graphacct.architectures.encoder.families import EncoderConfig, encoder
from graphacct.config import model_class, size
from graphacct.dims import Dim

MODEL, REPLACED, MASKED = "ElectraModel", "ElectraForPreTraining", "ElectraForMaskedLM"


@attrs.frozen(kw_only=True)
class ElectraConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = model_class(MODEL, (MODEL, REPLACED, MASKED))
    embedding_size: Dim = size(128)
    hidden_size: Dim = size(256)
    num_attention_heads: Dim = size(4)
    intermediate_size: Dim = size(1024)


def describe(config: ElectraConfig) -> Encoder:
    """The encoder alone, or with the head of the discriminator or the generator."""
    heads = {
        REPLACED: Head(
            "discriminator_predictions.dense",
            config.hidden_size,
            ACTIVATIONS[config.hidden_act],
            "",
            "discriminator_predictions.dense_prediction",
            1,
        ),
        MASKED: Head(
            "generator_predictions.dense",
            config.embedding_size,
            "gelu",
            "generator_predictions.LayerNorm",
            "generator_lm_head",
            config.vocab_size,
            tied=config.tie_word_embeddings,
        ),
    }
    head = heads.get(config.architectures)
    module = "" if head is None else "electra"
    return like_bert(config, module, embedding_width=config.embedding_size, head=head)


BASE: dict[str, Any] = {
    "embedding_size": 768,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
PRESETS = {
    "electra-small-discriminator": ElectraConfig(architectures=REPLACED),
    "electra-base-discriminator": ElectraConfig(architectures=REPLACED, **BASE),
    "electra-large-discriminator": ElectraConfig(architectures=REPLACED, embedding_size=1024, **LARGE),
}
ARCHITECTURE = encoder(
    "electra",
    ElectraConfig,
    describe,
    PRESETS,
    doc="ELECTRA: BERT's layers with narrow embeddings, two kinds of heads.",
)
