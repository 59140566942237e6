"""SpeechT5: one encoder and one decoder, for speech and for text, with a net before and behind each.

Ao et al., 2021 (arXiv:2110.07205). The classes that make speech are given the frames of a spectrum that they have made
so far; `seq_len` counts these. A speaker's vector, which they can be given too, is not: its projection is in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.description import EACH, FIRST
from graphacct_architectures.audio.parts.family import KERNELS, RATE, SMALL, STRIDES
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Entry,
    Head,
    Part,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.encoder_decoders.speecht5_nets import (
    DISTANCES,
    distances,
    heard,
    normed,
    read,
    spectrum,
    spoken,
    written,
)

TO_TEXT, TO_SPEECH, SPEECH, MODEL = (
    "SpeechT5ForSpeechToText",
    "SpeechT5ForTextToSpeech",
    "SpeechT5ForSpeechToSpeech",
    "SpeechT5Model",
)


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
