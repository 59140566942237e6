"""One layer of a decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct import Builder, Value, Workload, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention, Mixing
from graphacct_architectures.decoders.parts.description.feed_forward import FeedForward
from graphacct_architectures.decoders.parts.description.norm import Norm

NOTHING = "nothing"
"""In place of a part that a layer does not have."""


@frozen
class Whole:
    """A layer of a shape of its own.

    Attributes:
        settings: Its sizes, a value that can be hashed.
        apply: The function that adds it, given the settings, the workload, the builder in the layer's scope, the stream
            and the tables; it returns the stream, and what else the decoder's `middle` asks of it.
    """

    settings: Any
    apply: Callable[[Any, Workload, Builder, Value, Mapping[str, Value]], Any]


@frozen
class Layer:
    """One layer: attention and a feed-forward network, each added to the stream.

    Attributes:
        attention: Its attention, or what stands in its place.
        feed_forward: Its feed-forward network.
        norm: Its norms' kind.
        attention_norm, attention_post_norm: The norms' names before and after attention.
        mlp_norm, mlp_post_norm: The norms' names before and after the network. In a parallel layer an empty `mlp_norm`
            means that both read the same normalized stream.
        attention_stream_norm, mlp_stream_norm: The names of norms of the stream itself, after the output of each is
            added.
        residual_normed: Whether an output is added to the normalized stream instead of the stream itself.
        parallel: Whether attention and network read the same stream and are added together.
        stream_last: Whether a parallel layer normalizes the network's input after attention has run, and first adds the
            two outputs to each other.
        outputs_joined: Whether a parallel layer adds the two outputs to each other, and their sum to the stream.
        residual_scaled: Whether each output is multiplied by a constant before it is added.
        dropout: The dropout probability of both outputs, in training.
        attention_dropout: The same of attention's output alone, if it has its own; None if it has not.
        attention_instead, network_instead: The name of a projection of the stream's width that stands in the module in
            place of attention or of the network; `nothing` if the layer has no such part and no norm before it; empty
            for the part itself.
        instead_bias: Whether such projections have biases, of attention and of the network.
        beside: What mixes positions beside attention, before it and of the same normalized stream; both outputs are
            added to each other. Its output, attention's input and attention's output are each multiplied by a constant.
        whole: The layer itself if it has another shape; its attention then says which tables it reads.
        base_scaled: Whether what an output is added to is multiplied by a constant too.
        mlp_norm_kind: The kind of the norm before the network if it is another; None if it is `norm`.
        scales: The names of parameters of the stream's width that multiply attention's output and the network's; empty
            for none.
    """

    attention: Attention | Mixing
    feed_forward: FeedForward
    norm: Norm = Norm()
    attention_norm: str = "input_layernorm"
    attention_post_norm: str = ""
    mlp_norm: str = "post_attention_layernorm"
    mlp_post_norm: str = ""
    attention_stream_norm: str = ""
    mlp_stream_norm: str = ""
    residual_normed: bool = False
    parallel: bool = False
    stream_last: bool = False
    outputs_joined: bool = False
    residual_scaled: bool = False
    dropout: float = 0.0
    attention_dropout: float | None = None
    attention_instead: str = ""
    network_instead: str = ""
    instead_bias: tuple[bool, bool] = (False, False)
    beside: Mixing | None = None
    whole: Whole | None = None
    base_scaled: bool = False
    mlp_norm_kind: Norm | None = None
    scales: tuple[str, str] = ("", "")
