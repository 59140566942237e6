"""mGTE: rotary positions and gated networks in BERT's place.

Zhang et al., 2024 (arXiv:2407.19669). Files of the model's own code (Alibaba-NLP/new-impl) call their `model_type` new;
names of tensors are those of the library's class, to which it renames the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import of_pooled, of_tokens
from graphacct_architectures.encoders.parts.rotary import RotaryEncoderConfig, plain, rotary_encoder, rotated

STEM = "Gte"
MODEL, MASKED, SEQUENCE, TOKENS, SPANS = (
    f"{STEM}{word}"
    for word in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
)


@frozen(kw_only=True)
class GteConfig(RotaryEncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS))
    vocab_size: Dim = fields.size(250048)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    max_position_embeddings: Dim = fields.size(8192)
    type_vocab_size: Dim = fields.size(1, minimum=0)
    rope_parameters: Mapping[str, Any] = rope_parameters({"ntk": "linear"})  # of its own code; both scale fixed angles


def describe(config: GteConfig) -> Encoder:
    """Returns the pooler and the heads of the class."""
    name = config.architectures
    head = Head(
        "lm_head.dense",
        config.hidden_size,
        "gelu",
        "lm_head.layer_norm",
        "lm_head.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
    )
    classifiers = {SEQUENCE: of_pooled(config, config.num_labels), TOKENS: of_tokens(config)}
    return like_bert(
        config,
        "" if name == MODEL else "gte",
        pooled=name == SEQUENCE,
        head=head if name == MASKED else None,
        classifier=classifiers.get(name),
    )


def layers(config: GteConfig) -> Decoder:
    """Returns the layers."""
    return rotated(config, plain(config, down_bias=True, dropout=config.hidden_dropout_prob), bias=True)


ARCHITECTURE = rotary_encoder(
    "gte",
    GteConfig,
    describe,
    layers,
    PresetFiles(__file__),
    doc="GTE (mGTE): rotary positions, gated networks; alone or with the head of a class.",
    no_cost={
        **dict.fromkeys(("pack_qkv", "unpad_inputs", "use_memory_efficient_attention", "logn_attention_clip1")),
        "logn_attention_scale": (False,),
        "layer_norm_type": ("layer_norm",),
        "position_embedding_type": ("rope",),
    },
)
