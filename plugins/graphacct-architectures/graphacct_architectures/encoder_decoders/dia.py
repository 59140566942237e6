"""Dia: an encoder of a text's bytes, and a decoder of a sound's codes, several at a time, that attends to it.

Nari Labs, 2025 (github.com/nari-labs/dia). The codec that makes sounds of codes is no part of the class.
"""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, differ, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.stream import streamed
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.encoder_decoders.parts.crossed import STATES, encoded, with_cross
from graphacct_architectures.layers import embedding, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.residing import reside

LM, MODEL = "DiaForConditionalGeneration", "DiaModel"
NORMS = (("pre_sa_norm", ""), ("pre_ca_norm", ""), ("pre_mlp_norm", ""))


@frozen(kw_only=True)
class DiaEncoderConfig:
    """The keys of the encoder."""

    max_position_embeddings: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(12)
    hidden_size: Dim = fields.size(1024)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim = fields.size(16)
    head_dim: Dim = fields.size(128)
    intermediate_size: Dim = fields.size(4096)
    vocab_size: Dim = fields.size(256)
    hidden_act: str = activation("silu")


@frozen(kw_only=True)
class DiaDecoderConfig(DiaEncoderConfig):
    """The keys of the decoder."""

    max_position_embeddings: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(18)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(8192)
    num_key_value_heads: Dim = fields.size(4)
    cross_num_attention_heads: Dim = fields.size(16)
    cross_head_dim: Dim = fields.size(128)
    cross_num_key_value_heads: Dim = fields.size(16)
    cross_hidden_size: Dim = fields.size(1024)
    vocab_size: Dim = fields.size(1028)
    num_channels: Dim = fields.size(9)


@frozen(kw_only=True)
class DiaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    encoder_config: Any = fields.nested(DiaEncoderConfig)
    decoder_config: Any = fields.nested(DiaDecoderConfig)
    dtype: str | None = fields.dtype()

    @property
    def encoder(self) -> DiaEncoderConfig:
        """The encoder, of its class's sizes unless the file has some."""
        own: DiaEncoderConfig = self.encoder_config or DiaEncoderConfig()
        return own

    @property
    def decoder(self) -> DiaDecoderConfig:
        """The decoder, of its class's sizes unless the file has some."""
        own: DiaDecoderConfig = self.decoder_config or DiaDecoderConfig()
        return own

    def __attrs_post_init__(self) -> None:
        if differ(self.decoder.cross_hidden_size, self.encoder.hidden_size):
            raise ConfigError(
                f"decoder_config.cross_hidden_size is {self.decoder.cross_hidden_size} and encoder_config.hidden_size "
                f"{self.encoder.hidden_size}: the decoder reads the encoder's output"
            )


def layer(config: DiaEncoderConfig, causal: bool) -> Layer:
    """Returns a layer of self-attention and a network."""
    attention = Attention(
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
        "self_attention",
        rotary=config.head_dim,
        scaled=False,
        causal=causal,
    )
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], joint="gate_up_proj")
    return Layer(attention, network, attention_norm="pre_sa_norm", mlp_norm="post_sa_norm")


def encoder_of(config: DiaConfig, root: str) -> Decoder:
    """Returns the encoder, whose attention goes both ways."""
    own = config.encoder
    return Decoder(
        own.vocab_size,
        own.hidden_size,
        layer(own, causal=False),
        own.num_hidden_layers,
        module=f"{root}encoder",
        embedding="embedding",
        rotary_tables=(("rotary_emb", own.head_dim),),
    )


def decoder_of(config: DiaConfig) -> Decoder:
    """Returns the decoder, whose layers attend to the encoder's output too."""
    own = config.decoder
    cross = Attention(
        own.cross_num_attention_heads,
        own.cross_num_key_value_heads,
        own.cross_head_dim,
        "cross_attention",
        scaled=False,
        causal=False,
        unmasked=True,
    )
    crossed = with_cross(layer(own, causal=True), cross, 0.0, NORMS, config.encoder.hidden_size)
    tables = (("rotary_emb", own.head_dim),)
    return Decoder(own.vocab_size, own.hidden_size, crossed, own.num_hidden_layers, rotary_tables=tables)


def build(config: DiaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a text's ids (batch, tokens) and codes (batch, seq, channels) to the logits of each
    channel, (batch · channels, seq, codes), or to the last stream."""
    headed = config.architectures == LM
    root, own = "model." if headed else "", config.decoder
    batch, seq, channels = workload.batch, workload.seq_len, own.num_channels
    given: dict[str, Value] = {}
    if workload.phase == "decode":
        aside = Builder("encoder", b.operators, b.dtype)
        reside(b, aside.graph(encoded(encoder_of(config, root), workload, aside)))
    else:
        given[STATES] = encoded(encoder_of(config, root), workload, b)
        b.hold(*given.values())
    codes = b.input("decoder_input_ids", (batch, seq, channels), "int64")
    with b.scope(f"{root}decoder"):
        with b.scope("embeddings"):
            offsets = b.apply("constant", name="offsets", shape=(channels,), dtype="int64")
            places = b.apply("add", codes, offsets, name="places")
            x = embedding(b, "embed", places, own.vocab_size * channels, own.hidden_size)
            x = b.apply("sum", x, name="of_each_place", dim=2)
        b.hold(x)
        x = streamed(decoder_of(config), workload, b, x, cached=True, given=given)
    if not headed:
        return x
    b.hold(x)
    x = linear(b, "logits_dense", x, channels * own.vocab_size, bias=False)
    x = b.apply("reshape", x, name="of_channels", shape=(batch, seq, channels, own.vocab_size))
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    return b.apply("reshape", x, name="logits", shape=(batch * channels, seq, own.vocab_size))


ARCHITECTURE = Architecture(
    "dia",
    DiaConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.decoder.max_position_embeddings,
        "encoder_seq_len": lambda config: None,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("delay_pattern", "norm_eps", "initializer_range")),
    model_types=("dia",),
    losses=SUM_ALONE,
    doc="Dia: an encoder of a text's bytes, and a decoder of several codes of a sound at a time.",
)
