"""Builds models with an encoder and a decoder that attends to it, from a description that a family fills in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, differ, equal
from graphacct_architectures.banded import Band, banded, padded_length, runs, widest
from graphacct_architectures.classifier import EOS, Classifier, classified, scored, token
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.stack import stack as stacked
from graphacct_architectures.encoder_decoders.parts.attention import STATES, attention, unused
from graphacct_architectures.encoder_decoders.parts.biases import own_biases, scores_tables
from graphacct_architectures.encoder_decoders.parts.description import Attention, EncoderDecoder, Head, Part, Stack
from graphacct_architectures.encoder_decoders.parts.embeddings import Merge, embedded
from graphacct_architectures.encoder_decoders.parts.switched import Switched, switched
from graphacct_architectures.layers import dropped, for_logits, linear, resident, weighted_sum
from graphacct_architectures.losses import check_entropy
from graphacct_architectures.residing import reside


def run(d: EncoderDecoder, workload: Workload, b: Builder, merge: Merge | None = None) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids or frames to logits, or to the last stream without a head or classifier.
    `merge` puts what other parts of a model made in the place of some tokens' rows.

    A decoding step runs the decoder alone, since the cache holds what it needs from the encoder. The encoder's
    parameters stay in memory.
    """
    check(d, workload)
    if d.alone:
        return finished(d, workload, b, decoded(d, workload, b, {}))
    assert d.encoder is not None
    if d.encoder.frames is not None:
        workload = attrs.evolve(workload, encoder_seq_len=d.encoder.frames.positions)
    if d.shared:
        with b.scope(d.module):
            resident(b, d.shared, b.parameter(f"{d.shared}.weight", (d.vocab_size, d.width)), lookup=True)
    if workload.phase == "decode":
        aside = Builder("encoder", b.operators, b.dtype)
        states = encoded(d, workload, aside)
        reside(b, aside.graph(states))
        given = {}
    else:
        states = encoded(d, workload, b, merge)
        if d.decoder is None:
            return finished(d, workload, b, states)
        b.hold(states)
        given = {STATES: states}
    if d.encoder.entry is not None:
        workload = attrs.evolve(workload, encoder_seq_len=states.spec.shape[1])
    if d.decoder is not None and d.decoder.taken is not None:
        taken = read_by_decoder(d, d.decoder, workload, b, states)
        given = {} if workload.phase == "decode" else {STATES: taken}
    return finished(d, workload, b, decoded(d, workload, b, given))


def read_by_decoder(d: EncoderDecoder, stack: Stack, workload: Workload, b: Builder, states: Value) -> Value:
    """Returns what the decoder makes of the encoder's output. A decoding step makes it again, although the cache has
    what is read of it."""
    assert stack.taken is not None
    if workload.phase == "decode":
        states = b.input("encoder_hidden_states", states.spec.shape, b.dtype)
    with b.scope(d.module), b.scope(stack.module):
        return stack.taken(workload, b, states)


def attending(d: EncoderDecoder, workload: Workload, b: Builder, states: Value | None) -> Value | tuple[Value, ...]:
    """Returns the outputs of a decoder that attends to another model's `states` (batch, places, width); without them,
    to what it keeps of them in its cache."""
    d = attrs.evolve(d, alone=False)
    return finished(d, workload, b, decoded(d, workload, b, {} if states is None else {STATES: states}))


def decoded(d: EncoderDecoder, workload: Workload, b: Builder, given: Mapping[str, Value]) -> Value:
    """Returns the decoder's last stream."""
    assert d.decoder is not None
    name = "decoder_input_ids" if d.encoder is not None else "input_ids"
    if d.decoder.entry is None:
        ids = b.input(name, (workload.batch, workload.seq_len), "int64")
    else:
        ids = d.decoder.entry.given(workload, b)
    with b.scope(d.module), b.scope(d.decoder.module):
        x = embedded(d, d.decoder, workload, b, ids)
        return layers(d, d.decoder, workload, b, x, given)


def finished(d: EncoderDecoder, workload: Workload, b: Builder, x: Value) -> Value | tuple[Value, ...]:
    """Returns the outputs of the head or the classifier, or the last stream itself."""
    if d.classifier is not None:
        return classified(d.classifier, workload, b, read(d.classifier, b, x))
    b.hold(x)
    if d.last is not None:
        return d.last(workload, b, x)
    return x if d.head is None else logits(d, d.head, workload, b, x)


def read(c: Classifier, b: Builder, x: Value) -> Value:
    """Returns the part of x (batch, seq, width) that a classifier reads."""
    if c.reads != EOS:
        return token(b, x, c.reads)
    batch = x.spec.shape[0]
    rows = b.apply("reshape", b.apply("arange", name="row_ids", n=batch), name="rows", shape=(batch,))
    places = b.apply("constant", name="eos_places", shape=(batch,), dtype="int64")
    return b.apply("index_pairs", x, rows, places, name="eos_token")


def check(d: EncoderDecoder, workload: Workload) -> None:
    """Raises ConfigError for a workload that the model's class does not support."""
    if d.head is None and d.decoder is None and workload.phase in ("prefill", "decode"):
        raise ConfigError(f"an encoder alone has no phase {workload.phase!r}: it has forward and train")
    if d.classifier is not None and workload.phase in ("prefill", "decode"):
        raise ConfigError(f"a classifier has no phase {workload.phase!r}: it has forward and train")
    if d.alone and differ(workload.encoder_seq_len, workload.seq_len) and workload.encoder_seq_len is not None:
        raise ConfigError(
            f"encoder_seq_len is {workload.encoder_seq_len}: this class is a decoder alone, leave encoder_seq_len out"
        )
    check_entropy(d.head is not None or scored(d.classifier), workload, "a model without a head")
    if d.classifier is not None and d.classifier.reads == EOS and differ(workload.encoder_seq_len, workload.seq_len):
        raise ConfigError(
            f"encoder_seq_len {workload.encoder_seq_len} is not seq_len {workload.seq_len}: the classifier reads the "
            "decoder's output at the place where the encoder's text ends"
        )
    if d.head is None and workload.logits == "last":
        raise ConfigError("a model without a head computes no logits: leave logits='last' out")


def encoded(d: EncoderDecoder, workload: Workload, b: Builder, merge: Merge | None = None) -> Value:
    """Returns the encoder's output, or the weighted sum of all its layers' if a classifier reads them."""
    stack = d.encoder
    assert stack is not None
    if stack.entry is not None:
        entering = stack.entry.given(workload, b)
    elif stack.frames is not None:
        entering = b.input("input_features", (workload.batch, stack.frames.bins, stack.frames.count))
    else:
        entering = b.input("input_ids", (workload.batch, workload.encoder_seq_len), "int64")
    states: list[Value] = []
    with b.scope(d.module), b.scope(stack.module):
        if stack.own is not None:
            return stack.own(d, stack, workload, b, entering)
        if stack.bands:
            return in_bands(d, stack, workload, b, entering)
        x = embedded(d, stack, workload, b, entering, merge)
        if stack.entry is not None:
            workload = attrs.evolve(workload, encoder_seq_len=x.spec.shape[1])
        x = layers(d, stack, workload, b, x, {}, states)
    return weighted_sum(b, [*states, x]) if d.weighted else x


def in_bands(d: EncoderDecoder, stack: Stack, workload: Workload, b: Builder, ids: Value) -> Value:
    """Returns the output of an encoder with attention in bands, whose texts are padded for its layers."""
    seq = ids.spec.shape[1]
    length = padded_length(seq, widest(tuple(2 * band.one_side for band in stack.bands)))
    if not equal(length, seq):
        ids = b.apply("pad", ids, name="input_ids_padded", padding=((0, length - seq),))
    x = embedded(d, stack, workload, b, ids)
    for start, times, band in runs(stack.bands, stack.count):
        body = partial(layer, d, stack, workload, (), band=band)
        x = b.repeat(stack.layers, times, body, x, start=start)
    return x if equal(length, seq) else b.apply("slice", x, name="without_padding", dim=1, start=0, length=seq)


def layers(
    d: EncoderDecoder,
    stack: Stack,
    workload: Workload,
    b: Builder,
    x: Value,
    given: Mapping[str, Value],
    states: list[Value] | None = None,
) -> Value:
    """Returns the stream after all layers and the last norm. What enters each layer is added to `states` if a
    classifier reads all."""
    causal = stack is d.decoder
    given = {**given, **scores_tables(stack, causal, workload, b)}
    b.hold(*given.values())
    body = partial(layer, d, stack, workload, tuple(given))
    if d.weighted and states is not None:
        if type(stack.count) is not int:
            raise ConfigError("use_weighted_layer_sum reads each layer: encoder_layers is an integer")
        for index in range(stack.count):
            states.append(x)
            x = b.repeat(stack.layers, 1, body, x, constants=tuple(given.values()), start=index)
    elif stack.each:
        x = stacked(b, stack.layers, stack.each, lambda parts: partial(body, parts=parts), x, tuple(given.values()))
    elif not equal(stack.count, 0):
        x = b.repeat(stack.layers, stack.count, body, x, constants=tuple(given.values()))
    if stack.pool is not None:
        x = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
        x = b.apply("avg_pool", x, name="avg_pooler", kernel=stack.pool, stride=stack.pool)
        x = b.apply("permute", x, name="channels_last", dims=(0, 2, 1))
    if stack.norm:
        x = normed_by(b, stack.norm, x, stack.norm_kind)
    return dropped(b, "last_drop", x, d.dropout, workload) if stack.last_dropout else x


def layer(
    d: EncoderDecoder,
    stack: Stack,
    workload: Workload,
    names: tuple[str, ...],
    b: Builder,
    x: Value,
    *constants: Value,
    band: Band | None = None,
    parts: tuple[Part, ...] = (),
) -> Value:
    """Adds one layer, with its constants in the order of `names`; its attention is in a band if there is one. Layers
    that differ have `parts` of their own."""
    given = dict(zip(names, constants, strict=True))
    b.hold(x)
    last: tuple[Value, ...] = ()
    for part in parts or stack.parts:
        if d.alone and isinstance(part.module, Attention) and part.module.cross:
            with b.scope(part.scope):
                set_apart(part, part.module, stack, b, d.width)
            continue
        with b.scope(part.scope):
            if part.scope:
                b.hold(x)
            y = normed_by(b, part.norm, x, stack.norm_kind) if stack.norm_first else x
            if part.scope and isinstance(part.module, Attention):
                b.hold(y)
            if band is not None and isinstance(part.module, Attention):
                with b.scope(part.module.module):
                    with b.scope("longformer_self_attn"):
                        y = banded(band, workload, b, y)
                    y, *written = (linear(b, "output", y, d.width),)
            else:
                y, *written = transformed(part, stack, stack is d.decoder, workload, b, y, given)
            if written:
                b.hold(*last, until=b.last)
                last = tuple(written)
            y = dropped(b, f"{part.label}_dropout", y, d.dropout, workload)
            x = b.apply("add", x, y, name=f"{part.label}_residual")
            if not stack.norm_first:
                x = normed_by(b, part.norm, x, stack.norm_kind)
    b.hold(*last)  # one variable holds the weights of each attention in turn
    return x


def set_apart(part: Part, module: Attention, stack: Stack, b: Builder, width: Dim) -> None:
    """Adds the parameters of a part that attends to an encoder which is not there."""
    with b.scope(module.module):
        unused(module, b, width)
    gain = b.parameter(f"{part.norm}.weight", (width,))
    resident(b, part.norm, gain, *((b.parameter(f"{part.norm}.bias", (width,)),) if stack.norm_kind.bias else ()))


def transformed(
    part: Part, stack: Stack, causal: bool, workload: Workload, b: Builder, x: Value, given: Mapping[str, Value]
) -> tuple[Value, ...]:
    """Returns the output of a part's module and, with eager attention, the attention weights."""
    module = part.module
    with b.scope(module.module):
        if isinstance(module, Mlp):
            if module.module:
                b.hold(x)
            return (mlp(module, b, x, workload),)
        if isinstance(module, Switched):
            return (switched(module, workload, b, x),)
        if stack.relative is not None and stack.relative.each:
            given = {**given, **own_biases(module, stack.relative, causal, workload, b)}
        return attention(module, causal and not module.cross, workload, b, x, given)


def logits(d: EncoderDecoder, head: Head, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the logits of all positions, or of the last one."""
    x = for_logits(b, x, workload)
    if head.scaled:
        x = b.apply("scale", x, name="output_scaled")
    x = linear(b, head.name, x, d.logits, bias=False, tied_to=d.table if head.tied else "")
    if head.bias:
        x = b.apply("add", x, b.parameter(head.bias, (1, d.logits), buffer=True), name="logits")
    return x
