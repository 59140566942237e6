"""The description of an encoder of texts: BERT's layers, as plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

import attrs

from graphacct import Dim
from graphacct_architectures.classifier import Classifier


@attrs.frozen
class Names:
    """The names of a layer's modules.

    Attributes:
        stack: The layers.
        attention: The module that computes the scores.
        query, key, value, out: The projections.
        attention_norm: The norm after attention.
        up, down: The feed-forward network's projections.
        act: Its activation.
        norm: The norm after it.
    """

    stack: str = "encoder.layer"
    attention: str = "attention.self"
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    out: str = "attention.output.dense"
    attention_norm: str = "attention.output.LayerNorm"
    up: str = "intermediate.dense"
    act: str = "intermediate.intermediate_act_fn"
    down: str = "output.dense"
    norm: str = "output.LayerNorm"


@attrs.frozen
class Head:
    """A prediction for every token.

    Attributes:
        dense: The first projection.
        width: The width of the first projection.
        activation: The operator after the first projection.
        norm: The norm after it; empty for none.
        decoder: The last projection.
        outputs: The width of the last projection.
        tied: Whether its weight is the token embedding's.
        bias: The name of a parameter that is also its bias; empty if it has its own.
    """

    dense: str
    width: Dim
    activation: str
    norm: str
    decoder: str
    outputs: Dim
    tied: bool = False
    bias: str = ""


@attrs.frozen
class Encoder:
    """An encoder in which every token sees all others.

    Attributes:
        vocab_size: Rows of the embedding.
        width: The width of the stream.
        inner: The feed-forward network's width.
        heads: Attention heads.
        count: The number of layers.
        activation: The feed-forward network's operator.
        positions: Rows of the table of positions.
        usable: How many of them a sequence can have.
        counted: Whether positions are computed from the tokens, so that each sequence has its own.
        token_types: Rows of the table of token types; 0 for none.
        embedding_width: The width of the embeddings, which are projected if it differs from the stream's.
        module: The name of the module around all but the head.
        names: Its layers' names.
        dropout: The dropout probability of embeddings and outputs, in training.
        attention_dropout: The dropout probability of the attention weights, in training.
        output_dropped: Whether attention's output has dropout, as the network's has.
        head_owns: Whether a tied weight is the head's, because the class makes its head first: the embedding shares it.
        pooled: Whether the first token's output, projected, is a second output.
        head: A prediction for every token, or None.
        classifier: A classifier, or None.
        causal: Whether a token sees only those before it.
    """

    vocab_size: Dim
    width: Dim
    inner: Dim
    heads: Dim
    count: Dim
    activation: str
    positions: Dim
    usable: Dim
    counted: bool
    token_types: Dim
    embedding_width: Dim
    module: str
    names: Names
    dropout: float
    attention_dropout: float
    pooled: bool = False
    head: Head | None = None
    classifier: Classifier | None = None
    causal: bool = False
    output_dropped: bool = True
    head_owns: bool = False
