"""ALBERT: BERT's layers with narrow embeddings, and one layer's weights for all of them or for each group.

Lan et al., 2019 (arXiv:1909.11942).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head, Names
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_tasks
from graphacct_architectures.encoders.parts.heads import POOLED

MODEL, MASKED, PRETRAINING = "AlbertModel", "AlbertForMaskedLM", "AlbertForPreTraining"
SEQUENCE, TOKENS = "AlbertForSequenceClassification", "AlbertForTokenClassification"
SPANS, CHOICE = "AlbertForQuestionAnswering", "AlbertForMultipleChoice"
CLASSES = (MODEL, MASKED, PRETRAINING, SEQUENCE, TOKENS, SPANS, CHOICE)
NAMES = Names(
    stack="encoder.albert_layer_groups",
    layers="albert_layers",
    attention="attention",
    query="attention.query",
    key="attention.key",
    value="attention.value",
    out="attention.dense",
    attention_norm="attention.LayerNorm",
    up="ffn",
    act="activation",
    down="ffn_output",
    norm="full_layer_layer_norm",
)


@frozen(kw_only=True)
class AlbertConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    vocab_size: Dim = fields.size(30000)
    embedding_size: Dim = fields.size(128)
    hidden_size: Dim = fields.size(4096)
    num_hidden_groups: Dim = fields.size(1)
    inner_group_num: Dim = fields.size(1)
    num_attention_heads: Dim = fields.size(64)
    intermediate_size: Dim = fields.size(16384)
    hidden_act: str = activation("gelu_new")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    classifier_dropout_prob: float = fields.probability(0.1)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.classifier_dropout_prob


def describe(config: AlbertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads."""
    name = config.architectures
    words = Head(
        "predictions.dense",
        config.embedding_size,
        ACTIVATIONS[config.hidden_act],
        "predictions.LayerNorm",
        "predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="predictions.bias",
    )
    classifiers = {
        PRETRAINING: Classifier("sop_classifier.classifier", config.num_labels, POOLED, dropout=config.last_dropout),
        **of_tasks(config, "Albert"),
    }
    return like_bert(
        config,
        "" if name == MODEL else "albert",
        causal=False,
        names=NAMES,
        embedding_width=config.embedding_size,
        projection="encoder.embedding_hidden_mapping_in",
        projected=True,
        pooler="pooler",
        network_dropped=False,
        groups=config.num_hidden_groups,
        group=config.inner_group_num,
        pooled=name in (MODEL, PRETRAINING, SEQUENCE, CHOICE),
        head=words if name in (MASKED, PRETRAINING) else None,
        classifier=classifiers.get(name),
    )


ARCHITECTURE = encoder(
    "albert",
    AlbertConfig,
    describe,
    PresetFiles(__file__),
    doc="ALBERT: BERT's layers with shared weights, alone or with the head of a class.",
)
