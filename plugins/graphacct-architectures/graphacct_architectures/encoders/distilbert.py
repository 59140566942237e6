"""DistilBERT: half of BERT's layers, without token types or pooler.

Sanh et al., 2019 (arXiv:1910.01108).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.parts.description import Encoder, Head, Names
from graphacct_architectures.encoders.parts.family import encoder, of_spans, of_tokens

MODEL, MASKED = "DistilBertModel", "DistilBertForMaskedLM"
SEQUENCE, TOKENS = "DistilBertForSequenceClassification", "DistilBertForTokenClassification"
SPANS, CHOICE = "DistilBertForQuestionAnswering", "DistilBertForMultipleChoice"
CLASSES = (MODEL, MASKED, SEQUENCE, TOKENS, SPANS, CHOICE)
NAMES = Names(
    stack="transformer.layer",
    attention="attention",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    out="attention.out_lin",
    attention_norm="sa_layer_norm",
    up="ffn.lin1",
    act="ffn.activation",
    down="ffn.lin2",
    norm="output_layer_norm",
)


@frozen(kw_only=True)
class DistilBertConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    vocab_size: Dim = fields.size(30522)
    max_position_embeddings: Dim = fields.size(512)
    n_layers: Dim = fields.size(6)
    n_heads: Dim = fields.size(12)
    dim: Dim = fields.size(768)
    hidden_dim: Dim = fields.size(3072)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation: str = activation("gelu")
    qa_dropout: float = fields.probability(0.1)
    seq_classif_dropout: float = fields.probability(0.2)
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def last_dropout(self) -> float:
        """The dropout before the classifier."""
        return self.dropout


def describe(config: DistilBertConfig) -> Encoder:
    """Returns the encoder alone, or with its class's head."""
    name = config.architectures
    classifiers = {
        SEQUENCE: of_first_token(config, config.num_labels),
        CHOICE: of_first_token(config, 1),
        TOKENS: of_tokens(config),
        SPANS: of_spans(config, config.qa_dropout),
    }
    head = Head(
        "vocab_transform",
        config.dim,
        ACTIVATIONS[config.activation],
        "vocab_layer_norm",
        "vocab_projector",
        config.vocab_size,
        tied=config.tie_word_embeddings,
    )
    return Encoder(
        config.vocab_size,
        config.dim,
        config.hidden_dim,
        config.n_heads,
        config.n_layers,
        ACTIVATIONS[config.activation],
        positions=config.max_position_embeddings,
        usable=config.max_position_embeddings,
        counted=False,
        token_types=0,
        embedding_width=config.dim,
        module="" if name == MODEL else "distilbert",
        names=NAMES,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        output_dropped=False,
        head=head if name == MASKED else None,
        classifier=classifiers.get(name),
    )


def of_first_token(config: DistilBertConfig, count: Dim) -> Classifier:
    """Returns a classifier of sequences: two projections of the first token."""
    drop = config.seq_classif_dropout
    return Classifier("classifier", count, "first", "pre_classifier", config.dim, "relu", dropout=drop)


ARCHITECTURE = encoder(
    "distilbert",
    DistilBertConfig,
    describe,
    PresetFiles(__file__),
    aliases={"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"},
    doc="DistilBERT: half of BERT's layers, alone or with the head of a class.",
)
