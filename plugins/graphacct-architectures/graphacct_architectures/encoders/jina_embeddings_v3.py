"""Jina Embeddings v3: XLM-RoBERTa with rotary positions in place of learned ones.

Sturua et al., 2024 (arXiv:2409.10173). A file's adapters (`lora_adaptations`) are no part of the class and are not
counted: `--lora` adds one of them.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import of_first, of_spans, of_tokens
from graphacct_architectures.encoders.parts.rotary import RotaryEncoderConfig, plain, rotary_encoder, rotated

STEM = "JinaEmbeddingsV3"
MODEL, MASKED, SEQUENCE, TOKENS, SPANS = (
    f"{STEM}{word}"
    for word in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
)
PUBLISHED = {name.replace(STEM, "XLMRoberta"): name for name in (MODEL, MASKED, SEQUENCE, TOKENS, SPANS)}
"""The names of classes in files of the model's own code, and the library's."""


@frozen(kw_only=True)
class JinaEmbeddingsV3Config(RotaryEncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS, SPANS), PUBLISHED)
    vocab_size: Dim = fields.size(250002)
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    intermediate_size: Dim = fields.size(4096)
    max_position_embeddings: Dim = fields.size(8194)
    type_vocab_size: Dim = fields.size(1)


def describe(config: JinaEmbeddingsV3Config) -> Encoder:
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
        bias="lm_head.bias",
    )
    classifiers = {SEQUENCE: of_first(config, "tanh"), TOKENS: of_tokens(config), SPANS: of_spans(config)}
    return like_bert(
        config,
        "" if name == MODEL else "roberta",
        pooled=name == MODEL,
        head=head if name == MASKED else None,
        head_owns=True,
        classifier=classifiers.get(name),
    )


def layers(config: JinaEmbeddingsV3Config) -> Decoder:
    """Returns the layers."""
    found = rotated(config, plain(config, gated=False, up="fc1", down="fc2", bias=True), bias=True)
    tied = config.architectures == MASKED and config.tie_word_embeddings  # its class makes the head first
    return attrs.evolve(found, embedding_tied_to="lm_head.decoder.weight" if tied else "")


ARCHITECTURE = rotary_encoder(
    "jina_embeddings_v3",
    JinaEmbeddingsV3Config,
    describe,
    layers,
    PresetFiles(__file__),
    doc="Jina Embeddings v3: XLM-RoBERTa with rotary positions; alone or with the head of a class.",
    no_cost={
        **dict.fromkeys(
            ("lora_adaptations", "lora_alpha", "lora_rank", "lora_dropout_p", "lora_main_params_trainable")
        ),
        **dict.fromkeys(("load_trained_adapters", "matryoshka_dimensions", "task_instructions", "truncate_dim")),
        **dict.fromkeys(("emb_pooler", "rotary_emb_base", "use_flash_attn")),
        "use_reg_tokens": (False,),
    },
)
