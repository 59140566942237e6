"""The description of an encoder with a decoder that attends to it, as plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphacct import Builder, Dim, Value, Workload, exact_div, frozen
from graphacct_architectures.banded import Band
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.encoder_decoders.parts.switched import Switched


@frozen
class Attention:
    """Attention with as many heads of keys and values as of queries.

    Attributes:
        heads: The number of heads.
        d_head: Width of a head.
        module: The module's name.
        cross: Whether keys and values come from the encoder's output.
        q, k, v, out: The projections' names.
        bias: Whether the projections have biases.
        k_bias: Whether the keys' projection has one too.
        scaled: Whether the scores are divided by a constant.
        query_scaled: Whether the queries are divided by a constant, right after their projection.
        contiguous: Whether heads are copied together even if a view would do.
        biased: Whether biases per head, query and key, which the stack makes, are added to the scores.
        dropout: The dropout probability of the weights, in training.
        kv_width: The width of what keys and values are projected from, if it is not the stream's.
        written_out: Whether it is written out whatever the workload says, because the class knows no other.
        rotary: How many dimensions of each head of queries and keys are rotated by position, with the stack's tables.
        padded: Zeros that are added to each head before the scores, and cut off behind the values.
        out_bias: Whether the output projection has a bias; None if it has what the others have.
        by_query: The name of the stack's table of vectors, (queries, keys, d_head), whose products with the queries are
            added to the scores; empty for none.
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
    kv_width: Dim | None = None
    written_out: bool = False
    rotary: Dim = 0
    padded: Dim = 0
    out_bias: bool | None = None
    by_query: str = ""

    @property
    def biased_out(self) -> bool:
        """Whether the output projection has a bias."""
        return self.bias if self.out_bias is None else self.out_bias


@frozen
class Part:
    """One part of a layer: a module and a norm, added to the stream.

    Attributes:
        module: Attention, a feed-forward network or one of experts.
        norm: The norm's name.
        scope: The name of the module around both; empty if they are the layer's own.
    """

    module: Attention | Mlp | Switched
    norm: str
    scope: str = ""

    @property
    def label(self) -> str:
        """The name that the nodes between modules are based on."""
        return self.module.module if isinstance(self.module, Attention) else "mlp"


@frozen
class Positions:
    """A table of positions, learned or sinusoidal.

    Attributes:
        name: The table's name.
        count: Its rows.
        usable: How many rows are positions; the others are spare.
        per_sequence: Whether each sequence of a batch is looked up separately.
        frozen: Whether the model does not train the table.
        computed: Whether the table is no parameter, but computed when the model is made.
        after_norm: Whether positions are added after the norm of the embedding.
    """

    name: str
    count: Dim
    usable: Dim
    per_sequence: bool = False
    frozen: bool = False
    computed: bool = False
    after_norm: bool = False


@frozen
class Relative:
    """Biases of the scores by the distance of query and key: a table in the first layer, read once, that all layers
    add, or a table in each layer.

    Attributes:
        module: The path of the table's module within the stack; its name within attention if each layer has one.
        buckets: The table's rows.
        each: Whether each layer has one.
    """

    module: str
    buckets: Dim
    each: bool = False


@frozen
class Frames:
    """Frames of a spectrogram, which two convolutions turn into half as many positions.

    Attributes:
        bins: Channels of a frame.
        count: Frames of a sequence.
    """

    bins: Dim
    count: Dim

    @property
    def positions(self) -> Dim:
        """The number of positions after the convolutions."""
        return exact_div(self.count, 2, "frames / 2")


@frozen
class Entry:
    """What an encoder reads in the place of ids or of Whisper's frames.

    Attributes:
        given: Adds the input to a builder.
        stream: Returns what enters the layers, (batch, positions, width), of the input; the builder is in the stack's
            scope.
    """

    given: Callable[[Workload, Builder], Value]
    stream: Callable[[Workload, Builder, Value], Value]


@frozen
class Stack:
    """An encoder, or a decoder.

    Attributes:
        parts: The parts of a layer.
        count: The number of layers.
        module: Its name.
        layers: The layers' name.
        frames: The frames that it reads; None if it reads token ids.
        table: The name of its own embedding, which shares the model's storage unless the model has none.
        table_scaled: Whether its rows are multiplied by a constant.
        positions: A table of learned positions, or None.
        embedding_norm: The name of a norm of the embedding; empty for none.
        relative: Biases by distance, or None.
        norm: The last norm's name; empty for none.
        norm_kind: The kind of this norm and of all its layers' norms.
        norm_first: Whether a part's norm is before its module; otherwise it is after the sum.
        last_dropout: Whether its output has dropout in training too.
        pool: How many positions after the last layer are one, their mean, before the last norm; None for each alone.
        bands: Attention in bands in place of the layers' own: one for all, or one for each layer.
        entry: What it reads instead of ids, or None.
        taken: What a decoder makes of the encoder's output before its layers read it, in the stack's scope, in each
            decoding step again; None for nothing.
        own: Makes an encoder's output of its ids in the stack's scope, given the model, the stack, the workload and the
            builder, in place of the layers here; None for these.
        tables: Makes further tables that all layers are given, by name, of the length of the stream; None for none.
        each: The parts of each layer, if layers differ; `parts` are then the first one's.
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
    pool: Dim | None = None
    bands: tuple[Band, ...] = ()
    entry: Entry | None = None
    taken: Callable[[Workload, Builder, Value], Value] | None = None
    tables: Callable[[Dim, Builder], dict[str, Value]] | None = None
    own: Callable[[Any, Any, Workload, Builder, Value], Value] | None = None
    each: tuple[tuple[Part, ...], ...] = ()

    @property
    def attention(self) -> Attention:
        """Its self-attention."""
        return next(part.module for part in self.parts if isinstance(part.module, Attention))


@frozen
class Head:
    """The projection to logits.

    Attributes:
        name: Its name.
        tied: Whether it shares the embedding's storage.
        scaled: Whether its input is multiplied by a constant.
        bias: The name of a buffer that is added to the logits; empty for none.
    """

    name: str = "lm_head"
    tied: bool = True
    scaled: bool = False
    bias: str = ""


@frozen
class EncoderDecoder:
    """A model with an encoder and usually a decoder.

    Attributes:
        vocab_size: Rows of the embedding.
        width: The width of both streams.
        encoder: Its encoder; None for the decoder alone.
        decoder: Its decoder; None for the encoder alone.
        module: The name of the module around everything but the head; empty for none.
        shared: The name of the embedding that both stacks share; empty if the decoder has one of its own.
        shares: Whether the stacks share its storage; otherwise all three are stored, and the model's own is not used.
        head: Its head, or None.
        classifier: A classifier in place of a head, or None.
        dropout: The dropout probability of embeddings and the parts' outputs, in training.
        decoder_words: Rows of the decoder's embedding, if they are not `vocab_size`.
        head_words: The number of logits, if it is not that of the decoder's embedding.
        weighted: Whether a classifier reads all layers of the encoder, each with a learned weight.
        alone: Whether the decoder runs without any encoder: its cross-attention is in memory, and does not run.
        last: What is made of the last stream in the place of logits of words; None for nothing.
    """

    vocab_size: Dim
    width: Dim
    encoder: Stack | None
    decoder: Stack | None
    module: str = ""
    shared: str = "shared"
    shares: bool = True
    head: Head | None = Head()
    classifier: Classifier | None = None
    dropout: float = 0.0
    decoder_words: Dim | None = None
    head_words: Dim | None = None
    weighted: bool = False
    alone: bool = False
    last: Callable[[Workload, Builder, Value], Value | tuple[Value, ...]] | None = None

    @property
    def logits(self) -> Dim:
        """The number of logits."""
        words = self.vocab_size if self.decoder_words is None else self.decoder_words
        return words if self.head_words is None else self.head_words

    @property
    def table(self) -> str:
        """The full name of the embedding that owns its storage."""
        own = self.shared or (f"{self.decoder.module}.{self.decoder.table}" if self.decoder else "")
        return f"{self.module}.{own}.weight" if self.module else f"{own}.weight"
