"""RoBERTa: BERT's layers with one token type, and positions counted from the tokens behind the padding's.

Liu et al., 2019 (arXiv:1907.11692).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct.architectures.bert import LARGE, like_bert
from graphacct.architectures.encoder import Encoder, Head
from graphacct.architectures.encoder.families import EncoderConfig, encoder
from graphacct.config import model_class, size
from graphacct.dims import Dim

MODEL, MASKED = "RobertaModel", "RobertaForMaskedLM"


@attrs.frozen(kw_only=True)
class RobertaConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on; positions begin after `pad_token_id`."""

    architectures: str = model_class(MODEL, (MODEL, MASKED))
    vocab_size: Dim = size(50265)
    pad_token_id: Dim = size(1, minimum=0)


def describe(config: RobertaConfig) -> Encoder:
    """The encoder with its pooler, or with the head that predicts masked tokens, whose activation is GELU."""
    rest: dict[str, Any] = {"counted": True, "usable": config.max_position_embeddings - config.pad_token_id - 1}
    if config.architectures == MODEL:
        return like_bert(config, "", pooled=True, **rest)
    head = Head(
        "lm_head.dense",
        config.hidden_size,
        "gelu",
        "lm_head.layer_norm",
        "lm_head.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="lm_head.bias",
    )
    return like_bert(config, "roberta", head=head, **rest)


COMMON: dict[str, Any] = {"architectures": MASKED, "max_position_embeddings": 514, "type_vocab_size": 1}
PRESETS = {"roberta-base": RobertaConfig(**COMMON), "roberta-large": RobertaConfig(**COMMON, **LARGE)}
ARCHITECTURE = encoder(
    "roberta", RobertaConfig, describe, PRESETS, doc="RoBERTa: BERT's layers, positions behind the padding's."
)
