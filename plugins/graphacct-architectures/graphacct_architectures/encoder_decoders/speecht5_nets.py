"""SpeechT5's nets: what stands before and behind its encoder and its decoder, for speech and for text."""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.audio.parts.description import Convolved, Masks, Stem
from graphacct_architectures.audio.parts.encode import masked
from graphacct_architectures.audio.parts.stem import batch_norm, convolution, stem
from graphacct_architectures.audio.parts.stem import positions as convolved_positions
from graphacct_architectures.encoder_decoders.parts.description import (
    Positions,
)
from graphacct_architectures.encoder_decoders.parts.embeddings import looked_up, placed
from graphacct_architectures.layers import dropped, layer_norm, linear, resident

SPARE = 2
"""Rows of the position tables before the first position."""
DISTANCES = "position_bias"


def heard(config: Any, workload: Workload, b: Builder, samples: Value) -> Value:
    """Returns the stream of samples (batch, samples) that enters the encoder's layers."""
    act = ACTIVATIONS[config.feat_extract_activation]
    with b.scope("prenet"):
        with b.scope("feature_encoder"):
            kind = Stem(
                config.conv_dim, config.conv_kernel, config.conv_stride, config.conv_bias, config.feat_extract_norm, act
            )
            x = stem(kind, workload, b, samples)
        x = b.apply("transpose", x, name="features", dims=(1, 2))
        with b.scope("feature_projection"):
            x = linear(b, "projection", layer_norm(b, "layer_norm", x), config.hidden_size)
            x = dropped(b, "dropout", x, config.feat_proj_dropout, workload)
        stored = config.mask_time_prob > 0 or config.mask_feature_prob > 0
        own = Masks(
            stored,
            config.apply_spec_augment and config.mask_time_prob > 0,
            channels=config.apply_spec_augment and config.mask_feature_prob > 0,
        )
        x = masked(config.hidden_size, own, workload, b, x)
        channels = b.apply("transpose", x, name="channels_first", dims=(1, 2))
        by = Convolved(config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups, act)
        with b.scope("pos_conv_embed"):
            places = convolved_positions(by, workload, b, channels)
        x = b.apply("add", x, b.apply("transpose", places, name="places", dims=(1, 2)), name="with_positions")
        table = sinusoids(config, "pos_sinusoidal_embed", config.max_speech_positions)
        x = placed(table, True, workload, b, x)
    return normed(config, workload, b, x)


def sinusoids(config: Any, name: str, count: Dim) -> Positions:
    """Returns a table of sinusoids, which a longer sequence makes longer."""
    count += config.pad_token_id + 1 + SPARE
    return Positions(name, count, count - config.pad_token_id - 1, per_sequence=True, computed=True)


def read(config: Any, workload: Workload, b: Builder, ids: Value) -> Value:
    """Returns the stream of ids (batch, seq) that enters the encoder's layers."""
    with b.scope("prenet"):
        x = looked_up(b, "embed_tokens", ids, config.vocab_size, config.hidden_size)
        x = with_scaled_positions(config, config.max_text_positions, "encoder_seq_len", workload, b, x)
    return normed(config, workload, b, x)


def normed(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the stream after the norm before the encoder's layers."""
    with b.scope("wrapped_encoder"):
        x = layer_norm(b, "layer_norm", x)
        return dropped(b, "dropout", x, config.hidden_dropout, workload)


def with_scaled_positions(config: Any, most: Dim, name: str, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, seq, width) with sinusoids times a learned number added."""
    _, seq, width = x.spec.shape
    if has_value(seq) and has_value(most) and seq > most:
        raise ConfigError(f"{name} {seq} is beyond the {most} positions that the model knows")
    with b.scope("encode_positions"):
        table = b.apply("constant", name="pe", shape=(1, seq, width), dtype=b.dtype)
        places = b.apply("mul", b.parameter("alpha", ()), table, name="scaled")
        x = b.apply("add", x, places, name="added")
        return dropped(b, "dropout", x, config.positional_dropout, workload)


def distances(config: Any, seq: Dim, b: Builder) -> dict[str, Value]:
    """Returns the vectors of the distance of each query and key, (seq, seq, width of a head)."""
    d_head = exact_div(config.hidden_size, config.encoder_attention_heads, "hidden_size / encoder_attention_heads")
    with b.scope("wrapped_encoder"), b.scope("embed_positions"):
        places = b.apply("relative_buckets", name="distances", queries=seq, keys=seq)
        return {DISTANCES: looked_up(b, "pe_k", places, 2 * config.encoder_max_relative_position, d_head)}


def written(config: Any, workload: Workload, b: Builder, ids: Value) -> Value:
    """Returns the stream of ids (batch, seq) that enters the decoder's layers."""
    with b.scope("prenet"):
        x = looked_up(b, "embed_tokens", ids, config.vocab_size, config.hidden_size)
        x = b.apply("scale", x, name="embedding_scaled")  # by 1 if `scale_embedding` is false
        x = placed(sinusoids(config, "embed_positions", config.max_text_positions), False, workload, b, x)
        return dropped(b, "dropout", x, config.positional_dropout, workload)


def spoken(config: Any, workload: Workload, b: Builder, frames: Value) -> Value:
    """Returns the stream of frames (batch, frames, bins) that enters the decoder's layers. What is dropped by chance is
    the same in all sequences, and not in training alone."""
    width, units, x = config.hidden_size, config.speech_decoder_prenet_units, frames
    with b.scope("prenet"):
        for index in range(layer_count(config, "speech_decoder_prenet_layers")):
            x = b.apply("relu", linear(b, f"layers.{index}", x, units), name=f"layers.{index}.act")
            seq = x.spec.shape[1]
            kept = b.apply("random", name=f"layers.{index}.kept", shape=(1, seq, units), dtype="bool")
            x = b.apply("where", kept, x, b.apply("full", name=f"layers.{index}.zero", shape=(), dtype=b.dtype))
            x = b.apply("scale", x, name=f"layers.{index}.dropped")
        x = linear(b, "final_layer", x, width)
        x = with_scaled_positions(config, config.max_speech_positions, "seq_len", workload, b, x)
        shape = (width, config.speaker_embedding_dim + width)
        speaker = [
            b.parameter("speaker_embeds_layer.weight", shape),
            b.parameter("speaker_embeds_layer.bias", (width,)),
        ]
        resident(b, "speaker_embeds_layer", *speaker)
    return x


def layer_count(config: Any, key: str) -> int:
    """Returns a number of layers that differ from each other. Raises ConfigError if it is no number."""
    count = getattr(config, key)
    if type(count) is not int:
        raise ConfigError(f"{key} must be a number: its layers differ")
    return count


def spectrum(config: Any, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the frames that a stream (batch, seq, width) stands for, (batch, frames, bins); the logits of the end are
    no part of what its losses read without labels."""
    bins, factor = config.num_mel_bins, config.reduction_factor
    batch, seq, _ = x.spec.shape
    with b.scope("speech_decoder_postnet"):
        flat = linear(b, "feat_out", x, bins * factor)
        before = b.apply("reshape", flat, name="frames", shape=(batch, seq * factor, bins))
        y = b.apply("transpose", before, name="channels_first", dims=(1, 2))
        count = layer_count(config, "speech_decoder_postnet_layers")
        for index in range(count):
            last = index == count - 1
            with b.scope(f"layers.{index}"):
                wide, kernel = (
                    bins if last else config.speech_decoder_postnet_units,
                    config.speech_decoder_postnet_kernel,
                )
                y = convolution(b, "conv", y, wide, kernel, bias=False, padding=(kernel - 1) // 2)
                y = batch_norm(b, "batch_norm", y, workload)
                y = y if last else b.apply("tanh", y, name="activation")
                y = dropped(b, "dropout", y, config.speech_decoder_postnet_dropout, workload)
        after = b.apply("add", before, b.apply("transpose", y, name="channels_last", dims=(1, 2)), name="after_postnet")
        ends = linear(b, "prob_out", x, factor)
        b.hold(ends)
    return (after,)
