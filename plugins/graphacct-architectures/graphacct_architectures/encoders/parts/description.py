"""The description of an encoder of texts: BERT's layers, as plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

from graphacct import Dim, frozen
from graphacct_architectures.classifier import Classifier


@frozen
class Names:
    """The names of a layer's modules.

    Attributes:
        stack: The layers, or their groups.
        attention: The module that computes the scores.
        query, key, value, out: The projections.
        attention_norm: The norm after attention, or before it.
        up, down: The feed-forward network's projections.
        act: Its activation.
        norm: The norm after it, or before it.
        layers: The layers of a group.
        label: How the names of nodes between modules begin.
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
    layers: str = ""
    label: str = ""


@frozen
class Head:
    """A prediction for every token.

    Attributes:
        dense: The first projection; empty for none.
        width: The width of the first projection.
        activation: The operator after the first projection.
        norm: The norm after it; empty for none.
        decoder: The last projection.
        outputs: The width of the last projection.
        tied: Whether its weight is the token embedding's.
        bias: The name of a parameter that is also its bias; empty if it has its own.
        of_words: Whether the last projection is the product with the embedding itself; `decoder` is the name of the
            module, and `bias` of its own parameter.
        bias_tied: Whether the projection's bias is the parameter `bias`, if it is not as its weight is.
        added: Whether the projection has no bias, and the parameter `bias` is added to its output.
    """

    dense: str
    width: Dim
    activation: str
    norm: str
    decoder: str
    outputs: Dim
    tied: bool = False
    bias: str = ""
    of_words: bool = False
    added: bool = False
    bias_tied: bool | None = None


@frozen
class Disentangled:
    """Scores of DeBERTa's: of contents, of contents with distances, and of distances with contents.

    Attributes:
        d_head: Width of a head.
        kinds: `c2p` and `p2c`: the scores besides those of contents; none without distances.
        span: The most distances in one direction.
        near: Whether a shorter text reads only the distances that it has.
        shared: Whether distances are projected by the projections of queries and keys.
        joint: The name of one projection for queries, keys and values, without a bias; empty if they are three.
        key, query: The names of the projections of distances.
        key_bias: Whether the keys' has a bias.
        table: The name of the table of distances; empty for none.
        table_norm: The name of the norm of its rows; empty for none.
        talking: Whether heads are mixed, before the softmax and after it.
    """

    d_head: Dim
    kinds: tuple[str, ...]
    span: Dim
    near: bool = False
    shared: bool = False
    joint: str = ""
    key: str = "pos_key_proj"
    query: str = "pos_query_proj"
    key_bias: bool = True
    table: str = ""
    table_norm: str = ""
    talking: bool = False


@frozen
class Convolution:
    """A convolution along the tokens.

    Attributes:
        kernel: Tokens that it sees.
        groups: Groups of channels.
        activation: The operator after it.
    """

    kernel: int
    groups: Dim
    activation: str


@frozen
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
        network_dropped: Whether the network's output has dropout.
        projection: The name of the projection of embeddings to the stream's width.
        projected: Whether they are projected even if they are as wide.
        pooler: The name of the pooler's projection.
        buckets: Rows of a table of biases by distance that all layers add to their scores; 0 for none.
        groups: Groups of layers, if layers run more than once: each group runs `count / groups` times; 0 for none.
        group: Layers of a group.
        norm_first: Whether a part's norm is before its module; otherwise it is after the sum.
        last_norm: The name of a norm after the last layer; empty for none.
        embedding_norm: The name of the norm of the embeddings; empty for none.
        written_out: Whether attention is written out whatever the workload says, because the class knows no other.
        disentangled: What attention has of DeBERTa's, or None.
        convolution: A convolution after the first layer, or None.
        tasks: Rows of a table of tasks, of which each text has one; 0 for none.
        pooled: Whether the first token's output, projected, is a second output.
        head: A prediction for every token, or None.
        classifier: A classifier, or None.
        causal: Whether a token sees only those before it.
        both_ways: Whether the mask that is added to written-out scores as if they were causal hides none after it,
            such as one of a text's phrases.
        crossed: Whether each layer has attention to another model's output too, which runs if there is one.
        boxes: Rows of the tables of a token's box on a page: its sides, height and width; 0 for none.
        types_sliced: Whether token types are a part of a row of zeros, and not read for each position.
        types_made: Whether they are zeros made for each text.
        cross_width: The width of what cross-attention attends to, if it is not the stream's.
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
    both_ways: bool = False
    output_dropped: bool = True
    head_owns: bool = False
    network_dropped: bool = True
    projection: str = "embeddings_project"
    projected: bool = False
    pooler: str = "pooler.dense"
    buckets: Dim = 0
    groups: Dim = 0
    group: Dim = 1
    norm_first: bool = False
    last_norm: str = ""
    embedding_norm: str = "LayerNorm"
    written_out: bool = False
    disentangled: Disentangled | None = None
    convolution: Convolution | None = None
    tasks: Dim = 0
    crossed: bool = False
    boxes: Dim = 0
    types_sliced: bool = False
    types_made: bool = False
    cross_width: Dim | None = None
