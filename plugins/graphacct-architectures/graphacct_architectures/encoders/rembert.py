"""RemBERT: BERT's layers with narrow embeddings, and a wide last projection of its own.

Chung et al., 2020 (arXiv:2010.12821).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_tasks

MODEL, MASKED, CAUSAL = "RemBertModel", "RemBertForMaskedLM", "RemBertForCausalLM"
SEQUENCE, TOKENS = "RemBertForSequenceClassification", "RemBertForTokenClassification"
SPANS, CHOICE = "RemBertForQuestionAnswering", "RemBertForMultipleChoice"
CLASSES = (MODEL, MASKED, CAUSAL, SEQUENCE, TOKENS, SPANS, CHOICE)


@frozen(kw_only=True)
class RemBertConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    vocab_size: Dim = fields.size(250300)
    hidden_size: Dim = fields.size(1152)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(18)
    input_embedding_size: Dim = fields.size(256)
    output_embedding_size: Dim = fields.size(1664)
    intermediate_size: Dim = fields.size(4608)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    classifier_dropout_prob: float = fields.probability(0.1)
    tie_word_embeddings: bool = fields.flag(False)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.classifier_dropout_prob


def describe(config: RemBertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads."""
    name = config.architectures
    words = Head(
        "cls.predictions.dense",
        config.output_embedding_size,
        ACTIVATIONS[config.hidden_act],
        "cls.predictions.LayerNorm",
        "cls.predictions.decoder",
        config.vocab_size,
    )
    return like_bert(
        config,
        "" if name == MODEL else "rembert",
        embedding_width=config.input_embedding_size,
        projection="encoder.embedding_hidden_mapping_in",
        projected=True,
        types_made=True,
        pooled=name in (MODEL, SEQUENCE, CHOICE),
        head=words if name in (MASKED, CAUSAL) else None,
        classifier=of_tasks(config, "RemBert").get(name),
    )


ARCHITECTURE = encoder(
    "rembert",
    RemBertConfig,
    describe,
    PresetFiles(__file__),
    doc="RemBERT: BERT's layers with narrow embeddings and a wide last projection, alone or with a class's head.",
    language_model=CAUSAL,
)
