"""wav2vec2-BERT: causal conformer layers over frames of a spectrum, two side by side.

Seamless Communication et al., 2023 (arXiv:2312.05187).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.conformer import conformed, network
from graphacct_architectures.audio.parts.conformer_layers import KEYED, RELATIVE, ROTARY, Conformer, Places
from graphacct_architectures.audio.parts.encode import Streams, masked
from graphacct_architectures.audio.parts.family import (
    FRAMES,
    LETTERS,
    SEQUENCE,
    SMALL,
    SPEAKERS,
    SoundConfig,
    headed,
    inexact,
    known,
)
from graphacct_architectures.audio.parts.heads import read
from graphacct_architectures.audio.parts.relative import attended
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.audio.wav2vec2_conformer import kind_of_places
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

FRAMES_PER_SECOND = 50
"""A frame every 10 ms, two of which are one here."""


@frozen(kw_only=True)
class Wav2Vec2BertConfig(SoundConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "wav2vec2_bert"

    architectures: str = known("Wav2Vec2Bert", (LETTERS, SEQUENCE, FRAMES, SPEAKERS))
    vocab_size: Dim | None = fields.optional_size()
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    intermediate_size: Dim = fields.size(4096)
    feature_projection_input_dim: Dim = fields.size(160)
    hidden_act: str = activation("swish")
    hidden_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    classifier_proj_size: Dim = fields.size(768)
    tdnn_dim: tuple[Dim, ...] = fields.counts((512, 512, 512, 512, 1500))
    tdnn_kernel: tuple[Dim, ...] = fields.counts((5, 3, 3, 1, 1))
    tdnn_dilation: tuple[Dim, ...] = fields.counts((1, 2, 3, 1, 1))
    xvector_output_dim: Dim = fields.size(512)
    add_adapter: bool = fields.flag(False)
    adapter_kernel_size: Dim = fields.size(3)
    adapter_stride: Dim = fields.size(2)
    num_adapter_layers: Dim = fields.size(1)
    adapter_act: str = activation("relu")
    use_intermediate_ffn_before_adapter: bool = fields.flag(False)
    output_hidden_size: Dim | None = fields.optional_size()
    position_embeddings_type: str | None = kind_of_places(KEYED, (KEYED, RELATIVE, ROTARY))
    left_max_position_embeddings: Dim = fields.size(64)
    right_max_position_embeddings: Dim = fields.size(8)
    conv_depthwise_kernel_size: Dim = fields.size(31)
    conformer_conv_dropout: float = fields.probability(0.1)

    @property
    def width_after(self) -> Dim:
        """The width of the stream that leaves the encoder."""
        narrowed = self.output_hidden_size is not None and self.add_adapter
        return self.output_hidden_size if narrowed and self.output_hidden_size is not None else self.hidden_size

    def __attrs_post_init__(self) -> None:
        if self.use_intermediate_ffn_before_adapter and not self.add_adapter:
            raise ConfigError("use_intermediate_ffn_before_adapter is true, and add_adapter false: there is no adapter")


def build(config: Wav2Vec2BertConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames to the head's output, or to the last stream."""
    check_entropy(config.labelled, workload, config.architectures)
    check_adapter(config)
    weighted = config.weighted
    with b.scope(config.MODULE if config.head else ""):
        streams = encoded(config, workload, b, weighted)
    b.hold(streams.last, streams.features, *streams.states)
    return headed(config, read(streams, weighted, b), workload, b)


def check_adapter(config: Wav2Vec2BertConfig) -> None:
    """Raises ConfigError for a head that the class has not with an adapter."""
    if config.add_adapter and config.head in (SEQUENCE, FRAMES):
        raise ConfigError(f"add_adapter is true, which {config.architectures} does not support")
    if config.head == SPEAKERS and not equal(config.width_after, config.hidden_size):
        raise ConfigError(
            f"output_hidden_size is {config.width_after}, but {config.architectures} reads hidden_size "
            f"{config.hidden_size}"
        )


def encoded(config: Wav2Vec2BertConfig, workload: Workload, b: Builder, every: bool) -> Streams:
    """Returns the streams of the encoder; the builder is in its scope."""
    x = b.input("input_features", (workload.batch, workload.frames, config.feature_projection_input_dim))
    with b.scope("feature_projection"):
        features = layer_norm(b, "layer_norm", x)
        x = linear(b, "projection", features, config.hidden_size)
        x = dropped(b, "dropout", x, config.feat_proj_dropout, workload)
    x = masked(config.hidden_size, config.masks, workload, b, x)
    b.hold(x)
    with b.scope("encoder"):
        x, states = conformed(layers_of(config), workload, b, x, every)
    if config.use_intermediate_ffn_before_adapter:
        drops = config.activation_dropout, config.hidden_dropout
        y = network(config.intermediate_size, "relu", *drops, "intermediate_ffn", workload, b, x)
        x = b.apply("add", x, b.apply("scale", y, name="intermediate_halved"), name="intermediate_residual")
    if config.add_adapter:
        with b.scope("adapter"):
            x = adapted(config, workload, b, x)
    return Streams(x, states, features)


def layers_of(config: Wav2Vec2BertConfig) -> Conformer:
    """Returns the layers, whose convolution is causal."""
    places = Places(
        config.position_embeddings_type, config.left_max_position_embeddings, config.right_max_position_embeddings
    )
    return Conformer(
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        config.conv_depthwise_kernel_size,
        places,
        causal=True,
        dropout=config.hidden_dropout,
        inner_dropout=config.activation_dropout,
        attention_dropout=config.attention_dropout,
        conv_dropout=config.conformer_conv_dropout,
    )


def adapted(config: Wav2Vec2BertConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, positions, width) in fewer positions, after layers of attention whose input and residual are
    both convolved; the builder is in the adapter's scope."""
    width = config.width_after
    if not equal(width, config.hidden_size):
        x = layer_norm(b, "proj_layer_norm", linear(b, "proj", x, width))
    if type(config.num_adapter_layers) is not int:
        raise ConfigError("num_adapter_layers must be a number: each layer has a length of its own")
    for index in range(config.num_adapter_layers):
        with b.scope(f"layers.{index}"):
            x = adapter_layer(config, workload, b, x)
    return x


def adapter_layer(config: Wav2Vec2BertConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the stream after one layer."""
    b.hold(x)
    residual = shortened(config, "residual", b, x)
    y = shortened(config, "self_attn", b, x)
    with b.scope("self_attn"):
        b.hold(y)
        y, weights = attended(Places(None), config.num_attention_heads, config.attention_dropout, workload, b, y, ())
    b.hold(*weights)
    y = dropped(b, "self_attn_dropout", y, config.conformer_conv_dropout, workload)
    x = b.apply("add", y, residual, name="attn_residual")
    drops = config.activation_dropout, config.hidden_dropout
    act = ACTIVATIONS[config.adapter_act]
    y = network(config.intermediate_size, act, *drops, "ffn", workload, b, layer_norm(b, "ffn_layer_norm", x))
    return b.apply("add", y, x, name="ffn_residual")


def shortened(config: Wav2Vec2BertConfig, name: str, b: Builder, x: Value) -> Value:
    """Returns x, normalized, after a convolution and a gated linear unit."""
    x = layer_norm(b, f"{name}_layer_norm", x)
    x = b.apply("transpose", x, name=f"{name}_channels_first", dims=(1, 2))
    options: dict[str, Any] = {"stride": config.adapter_stride, "padding": config.adapter_stride // 2}
    x = convolution(b, f"{name}_conv", x, 2 * config.width_after, config.adapter_kernel_size, **options)
    x = b.apply("glu", x, name=f"{name}_glu", dim=1)
    return b.apply("transpose", x, name=f"{name}_channels_last", dims=(1, 2))


ARCHITECTURE = Architecture(
    "wav2vec2-bert",
    Wav2Vec2BertConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES_PER_SECOND},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={**SMALL, "max_source_positions": None, "rotary_embedding_base": None},
    model_types=("wav2vec2-bert",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    inexact=inexact,
    doc="wav2vec2-BERT: causal conformer layers over frames; alone or with the head of a class.",
)
