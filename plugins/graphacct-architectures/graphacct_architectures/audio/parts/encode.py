"""Encoders of a waveform from one description: convolutions over samples, then layers of attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, exact_div, frozen
from graphacct_architectures.audio.parts.biases import biases, gated_attention
from graphacct_architectures.audio.parts.conformer import conformed
from graphacct_architectures.audio.parts.description import Masks, Waves
from graphacct_architectures.audio.parts.squeeze import squeezed, upsampled
from graphacct_architectures.audio.parts.stem import adapted, positions, stem, unread_positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.encoders.parts.disentangled import unembedded
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, resident
from graphacct_architectures.tower import Tower, attention


@frozen
class Streams:
    """What an encoder makes of samples, all (batch, positions, width).

    Attributes:
        last: The stream after all layers, and after what follows them.
        states: What enters each layer, and what leaves the last; empty unless a head reads them.
        features: The stem's output, normalized.
    """

    last: Value
    states: tuple[Value, ...]
    features: Value


def encoded(w: Waves, workload: Workload, b: Builder, every: bool = False) -> Streams:
    """Returns the streams of an encoder, those of each layer if a head reads `every` one; the builder is in its
    scope."""
    samples = b.input("input_values", (workload.batch, workload.samples))
    with b.scope("feature_extractor"):
        x = stem(w.stem, workload, b, samples)
    x = b.apply("transpose", x, name="features", dims=(1, 2))
    b.hold(x)
    x, features = projected(w, workload, b, x)
    x = masked(w.width, w.masks, workload, b, x)
    b.hold(x)
    with b.scope("encoder"):
        x, states = layers(w, workload, b, x, every)
    if w.adapter is not None:
        with b.scope("adapter"):
            x = adapted(w.adapter, b, x)
    return Streams(x, states, features)


def masked(width: Dim, masks: Masks, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, positions, width), in training with a learned vector at positions that chance masks, and zeros
    at channels that it masks."""
    vector = b.parameter("masked_spec_embed", (width,)) if masks.stored else None
    batch, seq, _ = x.spec.shape
    if masks.time and vector is not None and workload.phase == "train":
        mask = b.apply("full", name="time_mask", shape=(batch, seq), dtype="bool")
        mask = b.apply("reshape", mask, name="time_mask_column", shape=(batch, seq, 1))
        x = b.apply("where", mask, vector, x, name="time_masked")
    elif vector is not None:
        resident(b, "masked_spec_embed", vector)
    if masks.channels and workload.phase == "train":
        mask = b.apply("full", name="channel_mask", shape=(batch, 1, width), dtype="bool")
        mask = b.apply("expand", mask, name="channel_masks", shape=(batch, seq, width))
        x = b.apply("masked_fill", x, mask, name="channels_masked")
    return x


def projected(w: Waves, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns features in the stream's width, with dropout, and as they were after the norm."""
    drop = w.features_dropout
    if not w.projected:
        x = normed = layer_norm(b, "layer_norm", x)
        if not equal(x.spec.shape[-1], w.width):
            x = linear(b, "feature_projection", x, w.width)
        return dropped(b, "feature_dropout", x, drop, workload), normed
    with b.scope("feature_projection"):
        normed = layer_norm(b, "layer_norm", x) if w.features_norm else x
        return dropped(b, "dropout", linear(b, "projection", normed, w.width), drop, workload), normed


def layers(w: Waves, workload: Workload, b: Builder, x: Value, every: bool) -> tuple[Value, tuple[Value, ...]]:
    """Returns the stream after all layers, and if `every` the streams around them; the builder is in their scope."""
    states: tuple[Value, ...]
    count = x.spec.shape[1]
    if w.conformer is not None:
        with b.scope("pos_conv_embed"):
            unread_positions(w.positions, w.width, b)
        x, states = conformed(w.conformer, workload, b, x, every)
        return layer_norm(b, "layer_norm", x), states
    if w.squeeze is None:
        channels = b.apply("transpose", x, name="channels_first", dims=(1, 2))
        with b.scope("pos_conv_embed"):
            places = positions(w.positions, workload, b, channels)
        places = b.apply("transpose", places, name="places", dims=(1, 2))
        b.hold(places)
        x = b.apply("add", x, places, name="with_positions")
    else:
        x = squeezed(w, w.squeeze, workload, b, x)
        if w.disentangled is not None:
            return upsampled(w, w.squeeze, count, b, unembedded(w.disentangled, workload, b, x)), ()
    if not w.norm_first:
        x = layer_norm(b, "layer_norm", x)
    x = dropped(b, "dropout", x, w.dropout, workload)
    tables = () if w.gated is None else (biases(w, w.gated, workload, b, x),)
    b.hold(*tables)
    body = layer(w, workload)
    states = (x,)
    if every:
        if type(w.layers) is not int:
            raise ConfigError("use_weighted_layer_sum reads each layer: num_hidden_layers is an integer")
        for index in range(w.layers):
            x = b.repeat("layers", 1, body, x, constants=tables, start=index)
            states = (*states, x)
    elif not equal(w.layers, 0):
        x = b.repeat("layers", w.layers, body, x, constants=tables)
    if w.norm_first:
        x = layer_norm(b, "layer_norm", x)
    if w.squeeze is not None:
        x = upsampled(w, w.squeeze, count, b, x)
    return x, states if every else ()


def layer(w: Waves, workload: Workload) -> Callable[..., Value]:
    """Returns the body of one layer."""
    d_head = exact_div(w.width, w.heads, "hidden_size / num_attention_heads")
    network = Mlp(
        w.inner,
        w.activation,
        gated=False,
        module="feed_forward",
        up="intermediate_dense",
        down="output_dense",
        bias=True,
        dropout=w.inner_dropout,
    )

    def attended(b: Builder, x: Value, tables: tuple[Value, ...]) -> Value:
        with b.scope("attention"):
            b.hold(x)
            if w.gated is not None:
                return gated_attention(w, d_head, workload, b, x, *tables)
            y, weights = attention(heads_of(w, network), d_head, workload, b, x, None)
        b.hold(*weights)
        return y

    def fed(b: Builder, x: Value) -> Value:
        with b.scope("feed_forward"):
            y = mlp(network, b, x, workload)
            return dropped(b, "output_dropout", y, w.dropout, workload)

    def body(b: Builder, x: Value, *tables: Value) -> Value:
        b.hold(x)
        y = layer_norm(b, "layer_norm", x) if w.norm_first else x
        y = dropped(b, "dropout", attended(b, y, tables), w.dropout, workload)
        x = b.apply("add", x, y, name="attn_residual")
        if w.norm_first:
            y = fed(b, layer_norm(b, "final_layer_norm", x))
            x = b.apply("add", x, y, name="mlp_residual")
            return x if w.layer_adapter is None else adapter_layer(w.layer_adapter, b, x)
        x = layer_norm(b, "layer_norm", x)
        x = b.apply("add", x, fed(b, x), name="mlp_residual")
        return layer_norm(b, "final_layer_norm", x)

    return body


def heads_of(w: Waves, network: Mlp) -> Tower:
    """Returns the attention of a layer, as towers describe it."""
    options: dict[str, Any] = {"attention_dropout": w.attention_dropout, "softmax_upcast": False}
    return Tower(w.layers, w.heads, network, "layers", "attention", "out_proj", ("", ""), **options)


def adapter_layer(inner: Dim, b: Builder, x: Value) -> Value:
    """Returns x with a small network of its norm added, which alone is trained for a language."""
    with b.scope("adapter_layer"):
        y = linear(b, "linear_1", layer_norm(b, "norm", x), inner)
        y = linear(b, "linear_2", activation(b, "relu", y, "act_fn"), x.spec.shape[-1])
    return b.apply("add", x, y, name="adapter_residual")
