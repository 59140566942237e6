"""SpeechT5: one encoder and one decoder, for speech and for text, with a net before and behind each.

Ao et al., 2021 (arXiv:2110.07205). The classes that make speech are given the frames of a spectrum that they have made
so far; `seq_len` counts these. A speaker's vector, which they can be given too, is not: its projection is in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.description import EACH, FIRST, Convolved, Masks, Stem
from graphacct_architectures.audio.parts.encode import masked
from graphacct_architectures.audio.parts.family import KERNELS, RATE, SMALL, STRIDES
from graphacct_architectures.audio.parts.stem import batch_norm, convolution, stem
from graphacct_architectures.audio.parts.stem import positions as convolved_positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Entry,
    Head,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.embeddings import looked_up, placed
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.layers import dropped, layer_norm, linear, resident

TO_TEXT, TO_SPEECH, SPEECH, MODEL = (
    "SpeechT5ForSpeechToText",
    "SpeechT5ForTextToSpeech",
    "SpeechT5ForSpeechToSpeech",
    "SpeechT5Model",
)
SPARE = 2
"""Rows of the position tables before the first position."""
DISTANCES = "position_bias"


@frozen(kw_only=True)
class SpeechT5Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(TO_TEXT, (TO_TEXT, TO_SPEECH, SPEECH, MODEL))
    vocab_size: Dim = fields.size(81)
    hidden_size: Dim = fields.size(768)
    hidden_act: str = activation("gelu")
    hidden_dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.1)
    feat_proj_dropout: float = fields.probability(0.0)
    feat_extract_norm: str = fields.choice(FIRST, (FIRST, EACH))
    feat_extract_activation: str = activation("gelu")
    conv_dim: tuple[Dim, ...] = fields.counts((512,) * 7)
    conv_stride: tuple[Dim, ...] = fields.counts(STRIDES)
    conv_kernel: tuple[Dim, ...] = fields.counts(KERNELS)
    conv_bias: bool = fields.flag(False)
    num_conv_pos_embeddings: Dim = fields.size(128)
    num_conv_pos_embedding_groups: Dim = fields.size(16)
    apply_spec_augment: bool = fields.flag(True)
    mask_time_prob: float = fields.probability(0.05)
    mask_feature_prob: float = fields.probability(0.0)
    encoder_layers: Dim = fields.size(12)
    encoder_attention_heads: Dim = fields.size(12)
    encoder_ffn_dim: Dim = fields.size(3072)
    encoder_layerdrop: float = fields.probability(0.1)
    decoder_layers: Dim = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(3072)
    decoder_attention_heads: Dim = fields.size(12)
    decoder_layerdrop: float = fields.probability(0.1)
    positional_dropout: float = fields.probability(0.1)
    pad_token_id: Dim = fields.size(1, minimum=0)
    num_mel_bins: Dim = fields.size(80)
    speech_decoder_prenet_layers: Dim = fields.size(2)
    speech_decoder_prenet_units: Dim = fields.size(256)
    speech_decoder_prenet_dropout: float = fields.probability(0.5)
    speaker_embedding_dim: Dim = fields.size(512)
    speech_decoder_postnet_layers: Dim = fields.size(5)
    speech_decoder_postnet_units: Dim = fields.size(256)
    speech_decoder_postnet_kernel: Dim = fields.size(5)
    speech_decoder_postnet_dropout: float = fields.probability(0.5)
    reduction_factor: Dim = fields.size(2)
    max_speech_positions: Dim = fields.size(4000)
    max_text_positions: Dim = fields.size(450)
    encoder_max_relative_position: Dim = fields.size(160)
    tie_word_embeddings: bool = fields.flag(True)

    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        for key in ("conv_stride", "conv_kernel"):
            if len(getattr(self, key)) != len(self.conv_dim):
                raise ConfigError(
                    f"{key} has {len(getattr(self, key))} values and conv_dim {len(self.conv_dim)}: one for each "
                    "convolution"
                )

    @property
    def hears(self) -> bool:
        """Whether the class reads samples."""
        return self.architectures in (TO_TEXT, SPEECH)

    @property
    def reads(self) -> bool:
        """Whether it reads text."""
        return self.architectures == TO_SPEECH

    @property
    def speaks(self) -> bool:
        """Whether it makes frames."""
        return self.architectures in (TO_SPEECH, SPEECH)


def heard(config: SpeechT5Config, workload: Workload, b: Builder, samples: Value) -> Value:
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


def sinusoids(config: SpeechT5Config, name: str, count: Dim) -> Positions:
    """Returns a table of sinusoids, which a longer sequence makes longer."""
    count += config.pad_token_id + 1 + SPARE
    return Positions(name, count, count - config.pad_token_id - 1, per_sequence=True, computed=True)


def read(config: SpeechT5Config, workload: Workload, b: Builder, ids: Value) -> Value:
    """Returns the stream of ids (batch, seq) that enters the encoder's layers."""
    with b.scope("prenet"):
        x = looked_up(b, "embed_tokens", ids, config.vocab_size, config.hidden_size)
        x = with_scaled_positions(config, config.max_text_positions, "encoder_seq_len", workload, b, x)
    return normed(config, workload, b, x)


def normed(config: SpeechT5Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the stream after the norm before the encoder's layers."""
    with b.scope("wrapped_encoder"):
        x = layer_norm(b, "layer_norm", x)
        return dropped(b, "dropout", x, config.hidden_dropout, workload)


def with_scaled_positions(
    config: SpeechT5Config, most: Dim, name: str, workload: Workload, b: Builder, x: Value
) -> Value:
    """Returns x (batch, seq, width) with sinusoids times a learned number added."""
    _, seq, width = x.spec.shape
    if has_value(seq) and has_value(most) and seq > most:
        raise ConfigError(f"{name} {seq} is beyond the {most} positions that the model knows")
    with b.scope("encode_positions"):
        table = b.apply("constant", name="pe", shape=(1, seq, width), dtype=b.dtype)
        places = b.apply("mul", b.parameter("alpha", ()), table, name="scaled")
        x = b.apply("add", x, places, name="added")
        return dropped(b, "dropout", x, config.positional_dropout, workload)


def distances(config: SpeechT5Config, seq: Dim, b: Builder) -> dict[str, Value]:
    """Returns the vectors of the distance of each query and key, (seq, seq, width of a head)."""
    d_head = exact_div(config.hidden_size, config.encoder_attention_heads, "hidden_size / encoder_attention_heads")
    with b.scope("wrapped_encoder"), b.scope("embed_positions"):
        places = b.apply("relative_buckets", name="distances", queries=seq, keys=seq)
        return {DISTANCES: looked_up(b, "pe_k", places, 2 * config.encoder_max_relative_position, d_head)}


def written(config: SpeechT5Config, workload: Workload, b: Builder, ids: Value) -> Value:
    """Returns the stream of ids (batch, seq) that enters the decoder's layers."""
    with b.scope("prenet"):
        x = looked_up(b, "embed_tokens", ids, config.vocab_size, config.hidden_size)
        x = b.apply("scale", x, name="embedding_scaled")  # by 1 if `scale_embedding` is false
        x = placed(sinusoids(config, "embed_positions", config.max_text_positions), False, workload, b, x)
        return dropped(b, "dropout", x, config.positional_dropout, workload)


def spoken(config: SpeechT5Config, workload: Workload, b: Builder, frames: Value) -> Value:
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


def layer_count(config: SpeechT5Config, key: str) -> int:
    """Returns a number of layers that differ from each other. Raises ConfigError if it is no number."""
    count = getattr(config, key)
    if type(count) is not int:
        raise ConfigError(f"{key} must be a number: its layers differ")
    return count


def spectrum(config: SpeechT5Config, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
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


def describe(config: SpeechT5Config) -> EncoderDecoder:
    """Returns equal layers in both stacks, with the nets of the class."""
    width, kind = config.hidden_size, Norm(LAYER_NORM, bias=True)
    by_hand: dict[str, Any] = {
        **{"dropout": config.attention_dropout, "scaled": False, "query_scaled": True, "written_out": True}
    }

    def attention(module: str, heads: Dim, **rest: Any) -> Attention:
        return Attention(heads, exact_div(width, heads, "hidden_size / attention heads"), module, **by_hand, **rest)

    def network(inner: Dim) -> Part:
        names: dict[str, Any] = {"module": "feed_forward", "up": "intermediate_dense", "down": "output_dense"}
        act = ACTIVATIONS[config.hidden_act]
        module = Mlp(inner, act, gated=False, bias=True, dropout=config.activation_dropout, **names)
        return Part(module, "final_layer_norm")

    def ids(name: str, workload: Workload, b: Builder) -> Value:
        seq = workload.encoder_seq_len if name == "input_ids" else workload.seq_len
        return b.input(name, (workload.batch, seq), "int64")

    def rows(name: str, wide: Dim, workload: Workload, b: Builder) -> Value:
        seq = workload.encoder_seq_len if name == "input_values" else workload.seq_len
        return b.input(name, (workload.batch, seq, wide))

    def samples(workload: Workload, b: Builder) -> Value:
        return b.input("input_values", (workload.batch, workload.samples))

    if config.hears:
        entry = Entry(samples, partial(heard, config))
    elif config.reads:
        entry = Entry(partial(ids, "input_ids"), partial(read, config))
    else:
        entry = Entry(partial(rows, "input_values", width), partial(normed, config))
    own = Part(attention("attention", config.encoder_attention_heads, by_query=DISTANCES), "layer_norm")
    encoder = Stack(
        (own, network(config.encoder_ffn_dim)),
        config.encoder_layers,
        "encoder",
        layers="wrapped_encoder.layers",
        norm_kind=kind,
        norm_first=False,
        entry=entry,
        tables=partial(distances, config),
    )
    if config.speaks:
        made = Entry(partial(rows, "decoder_input_values", config.num_mel_bins), partial(spoken, config))
    elif config.hears:
        made = Entry(partial(ids, "decoder_input_ids"), partial(written, config))
    else:
        made = Entry(partial(rows, "decoder_input_values", width), lambda workload, b, x: x)
    causal = Part(attention("self_attn", config.decoder_attention_heads), "self_attn_layer_norm")
    cross = Part(attention("encoder_attn", config.decoder_attention_heads, cross=True), "encoder_attn_layer_norm")
    decoder = Stack(
        (causal, cross, network(config.decoder_ffn_dim)),
        config.decoder_layers,
        "decoder",
        layers="wrapped_decoder.layers",
        table="prenet.embed_tokens",
        norm_kind=kind,
        norm_first=False,
        entry=made,
    )
    text = config.architectures == TO_TEXT
    return EncoderDecoder(
        config.vocab_size,
        width,
        encoder,
        decoder,
        module="" if config.architectures == MODEL else "speecht5",
        shared="",
        head=Head("text_decoder_postnet.lm_head", tied=config.tie_word_embeddings) if text else None,
        dropout=config.hidden_dropout,
        last=partial(spectrum, config) if config.speaks else None,
    )


NO_COST: Mapping[str, tuple[Any, ...] | None] = {
    **SMALL,
    **dict.fromkeys(("use_guided_attention_loss", "guided_attention_loss_num_heads", "guided_attention_loss_sigma")),
    **dict.fromkeys(("guided_attention_loss_scale", "scale_embedding")),
}
ARCHITECTURE = encoder_decoder(
    "speecht5",
    SpeechT5Config,
    describe,
    PresetFiles(__file__),
    doc="SpeechT5: an encoder and a decoder for speech and text, with nets before and behind them.",
    context=lambda config: config.max_text_positions,
    sounds={"encoder_seq_len": lambda config: None, "samples": lambda config: RATE},
    per_second={"samples": lambda config: RATE},
    counts_dropped=True,
    no_cost=NO_COST,
    aliases={"num_attention_heads": "encoder_attention_heads", "num_hidden_layers": "encoder_layers"},
)
