"""The description of an encoder with a decoder that attends to it, as plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, exact_div
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description import Mlp, Norm


@attrs.frozen
class Attention:
    """Attention of as many heads of keys and values as of queries.

    Attributes:
        heads: How many.
        d_head: Width of a head.
        module: The module's name.
        cross: Whether keys and values are those of the encoder's output.
        q, k, v, out: The projections' names.
        bias: Whether the projections have biases.
        k_bias: Whether that of the keys has one too.
        scaled: Whether the scores are divided by a constant.
        query_scaled: Whether the queries are, as soon as they are projected.
        contiguous: Whether heads are copied together where a view would do.
        biased: Whether a bias of each head, query and key is added to the scores, which the stack makes.
        dropout: The probability with which weights are dropped in training.
    """

    heads: Dim
    d_head: Dim
    module: str = "self_attn"
    cross: bool = False
    q: str = "q_proj"
    k: str = "k_proj"
    v: str = "v_proj"
    out: str = "out_proj"
    bias: bool = True
    k_bias: bool = True
    scaled: bool = True
    query_scaled: bool = False
    contiguous: bool = False
    biased: bool = False
    dropout: float = 0.0


@attrs.frozen
class Part:
    """One part of a layer: a module and a norm, added to the stream.

    Attributes:
        module: Attention or a feed-forward network.
        norm: The norm's name.
        scope: The name of the module around both; empty if they are the layer's own.
    """

    module: Attention | Mlp
    norm: str
    scope: str = ""

    @property
    def label(self) -> str:
        """What the nodes between modules are called after."""
        return self.module.module if isinstance(self.module, Attention) else "mlp"


@attrs.frozen
class Positions:
    """A table of learned positions.

    Attributes:
        name: The table's name.
        count: Its rows.
        usable: How many of them are positions; the others are spare.
        per_sequence: Whether they are looked up for each sequence on its own.
        frozen: Whether the model leaves the table as it is.
    """

    name: str
    count: Dim
    usable: Dim
    per_sequence: bool = False
    frozen: bool = False


@attrs.frozen
class Relative:
    """Biases of the scores by the distance of query and key: a table of the first layer's, read once, that all add.

    Attributes:
        module: The path of the module that has the table, within the stack.
        buckets: The table's rows.
    """

    module: str
    buckets: Dim


@attrs.frozen
class Frames:
    """Frames of a spectrogram, of which two convolutions make half as many positions.

    Attributes:
        bins: Channels of a frame.
        count: Frames of a sequence.
    """

    bins: Dim
    count: Dim

    @property
    def positions(self) -> Dim:
        """How many positions come of them."""
        return exact_div(self.count, 2, "frames / 2")


@attrs.frozen
class Stack:
    """An encoder, or a decoder.

    Attributes:
        parts: What a layer is made of.
        count: How many layers there are.
        module: Its name.
        layers: The layers' name.
        frames: The frames that it starts from; None if it starts from token ids.
        table: The name of its own embedding, whose storage is that of the model's unless the model has none.
        table_scaled: Whether the rows are multiplied by a constant.
        positions: A table of learned positions, or None.
        embedding_norm: The name of a norm of the embedding; empty for none.
        relative: Biases by distance, or None.
        norm: The last norm's name; empty for none.
        norm_kind: Its kind, and the kind of all its layers' norms.
        norm_first: Whether a part's norm is before its module; else it is after the sum.
        last_dropout: Whether its output is dropped in training too.
    """

    parts: tuple[Part, ...]
    count: Dim
    module: str
    layers: str = "layers"
    frames: Frames | None = None
    table: str = "embed_tokens"
    table_scaled: bool = False
    positions: Positions | None = None
    embedding_norm: str = ""
    relative: Relative | None = None
    norm: str = ""
    norm_kind: Norm = Norm()
    norm_first: bool = True
    last_dropout: bool = False

    @property
    def attention(self) -> Attention:
        """Its self-attention."""
        return next(part.module for part in self.parts if isinstance(part.module, Attention))


@attrs.frozen
class Head:
    """The projection to logits.

    Attributes:
        name: Its name.
        tied: Whether it shares the embedding's storage.
        scaled: Whether what it projects is multiplied by a constant.
        bias: The name of a buffer that is added to the logits; empty for none.
    """

    name: str = "lm_head"
    tied: bool = True
    scaled: bool = False
    bias: str = ""


@attrs.frozen
class EncoderDecoder:
    """A model with an encoder.

    Attributes:
        vocab_size: Rows of the embedding.
        width: Of both streams.
        encoder: Its encoder.
        decoder: Its decoder; None for the encoder alone.
        module: The name of the module around everything but the head; empty for none.
        shared: The name of the embedding that both stacks share; empty if the decoder has one of its own.
        shares: Whether it does share it: else all three are stored, and that of the model is not used.
        head: Its head, or None.
        classifier: Logits of classes in the place of a head, or None.
        dropout: The probability with which embeddings and the parts' outputs are dropped in training.
    """

    vocab_size: Dim
    width: Dim
    encoder: Stack
    decoder: Stack | None
    module: str = ""
    shared: str = "shared"
    shares: bool = True
    head: Head | None = Head()
    classifier: Classifier | None = None
    dropout: float = 0.0

    @property
    def table(self) -> str:
        """The full name of the embedding that owns its storage."""
        own = self.shared or (f"{self.decoder.module}.{self.decoder.table}" if self.decoder else "")
        return f"{self.module}.{own}.weight" if self.module else f"{own}.weight"
