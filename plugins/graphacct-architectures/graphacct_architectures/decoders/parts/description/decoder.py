"""A decoder: plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm

EMBEDDING = "embedding"
"""The name of the embedding's copy that layers are given."""


@frozen
class Middle:
    """What runs between the embedding and the last norm if it is more than the layers one after another.

    Attributes:
        settings: Its sizes, a value that can be hashed.
        apply: The function that adds it, given the settings, the decoder, the workload, the builder in the model's
            scope, the ids (batch, seq), the stream (batch, seq, width) and the tables of all layers; it returns the
            stream.
    """

    settings: Any
    apply: Callable[[Any, Any, Workload, Builder, Value, Value, Mapping[str, Value]], Value]


@frozen
class Positions:
    """A table of learned positions.

    Attributes:
        name: The table's name.
        count: The number of its rows, spare ones included.
        per_sequence: Whether each sequence of a batch has ids of its own.
        computed: Whether the table is computed when the model is made, and not learned.
        kept: Whether the ids of all positions are made with the model.
    """

    name: str
    count: Dim
    per_sequence: bool = False
    computed: bool = False
    kept: bool = False


@frozen
class Transform:
    """A dense layer, an activation and a norm between a decoder's last norm and its head.

    Attributes:
        module: The module's name; its parts are `dense` and `norm`.
        bias: Whether the dense layer has a bias.
        activation: The operator, or several separated by spaces.
        norm: The norm's kind.
    """

    module: str
    bias: bool
    activation: str
    norm: Norm


@frozen
class Decoder:
    """A decoder-only language model, or another class built on it.

    Attributes:
        vocab_size: Rows of the embedding.
        width: The width of the stream.
        layer: Its layers, first to last, which are folded if they repeat; or one Layer if all are equal.
        count: The number of layers, if all are equal.
        module: The name of the module around everything but the head.
        embedding: The token embedding's name.
        embedding_width: The width of its rows if it differs from the stream's, in which case two projections convert
            between them.
        project_in, project_out: Their names.
        embedding_scaled: Whether its rows are multiplied by a constant.
        embedding_norm: The name of a norm of the embedding; empty for none.
        positions: A table of learned positions, or None.
        stack: The layers' name.
        norm: The last norm's name; empty for none.
        norm_kind: Its kind.
        head: The head's name.
        head_bias: Whether it has a bias.
        tied: Whether it shares the embedding's storage.
        logits_scaled: Whether the logits are multiplied by a constant.
        logits_softcap: Whether they are capped by a tanh.
        rotary_tables: The names of the modules that make rotary tables, with how many dimensions they rotate.
        rotary_stored: How many positions the tables have that are made with the model, in float32, sine and cosine of
            each pair side by side; 0 if they are made in each pass.
        rotary_cast: Whether the tables are cast to the model's dtype; if not, queries and keys are rotated in float32.
        rotary_halves: Whether the tables hold each angle once, and a rotated tensor is joined from its two halves.
        rotary_complex: Whether the tables hold complex numbers: cosine and sine once per pair, always in float32.
        most_positions: The configuration key that limits the positions, and the limit; None for no limit.
        embedding_dropout: The dropout probability of the embedding, in training.
        classifier: The classification head in place of the language model's, or None.
        headless: Whether there is no head: the output is the stream after the last norm.
        embedding_given: Whether layers are given a copy of the embedding.
        stream_scaled: Whether the stream is multiplied by a constant before the head.
        middle: What runs in place of the plain layers; None for these.
        embedding_spare: Rows of the embedding behind the vocabulary, which the head does not have.
        embedding_normed: The kind of a norm of the embedding's rows, images' not included; None for none.
        embedding_tied_to: The full name of the tensor whose storage the embedding shares, if it does not own it.
        head_wide: Whether the head runs in float32, in which its weight is stored unless it is the embedding's.
        transform: What the stream goes through before the head; None for nothing.
        slopes_stored: The name of a parameter with a slope for each head, which is not trained; empty for none.
        head_norm: The full name of a norm before the head that stands outside of the module; empty for none.
        last_dropout: The dropout probability of the stream after the last norm, in training.
    """

    vocab_size: Dim
    width: Dim
    layer: Layer | tuple[Layer, ...]
    count: Dim = 0
    module: str = "model"
    embedding: str = "embed_tokens"
    embedding_width: Dim | None = None
    project_in: str = "project_in"
    project_out: str = "project_out"
    embedding_scaled: bool = False
    embedding_norm: str = ""
    positions: Positions | None = None
    stack: str = "layers"
    norm: str = "norm"
    norm_kind: Norm = Norm()
    head: str = "lm_head"
    head_bias: bool = False
    tied: bool = False
    logits_scaled: bool = False
    logits_softcap: bool = False
    rotary_tables: tuple[tuple[str, Dim], ...] = ()
    rotary_stored: Dim = 0
    rotary_cast: bool = True
    rotary_halves: bool = False
    rotary_complex: bool = False
    most_positions: tuple[str, Dim] | None = None
    embedding_dropout: float = 0.0
    classifier: Classifier | None = None
    headless: bool = False
    embedding_given: bool = False
    stream_scaled: bool = False
    middle: Middle | None = None
    embedding_spare: Dim = 0
    embedding_normed: Norm | None = None
    embedding_tied_to: str = ""
    head_wide: bool = False
    transform: Transform | None = None
    last_dropout: float = 0.0
    slopes_stored: str = ""
    head_norm: str = ""

    @cached_property
    def kinds(self) -> tuple[Layer, ...]:
        """The distinct kinds of its layers, found once."""
        return (self.layer,) if isinstance(self.layer, Layer) else tuple(dict.fromkeys(self.layer))
