"""Qwen2-Audio: Whisper's encoder, whose positions are averaged in pairs, through one linear layer into any decoder.

Chu et al., 2024 (arXiv:2407.10759).
"""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen, has_value, same
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.tower import Tower, tower

CLASSES = ("Qwen2AudioForConditionalGeneration", "Qwen2AudioModel")


@frozen(kw_only=True)
class EncoderConfig:
    """The audio encoder's keys that the cost depends on."""

    num_mel_bins: Dim = fields.size(128)
    encoder_layers: Dim = fields.size(32)
    encoder_attention_heads: Dim = fields.size(20)
    encoder_ffn_dim: Dim = fields.size(5120)
    d_model: Dim = fields.size(1280)
    max_source_positions: Dim = fields.size(1500)
    dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    activation_function: str = activation("gelu")
    scale_embedding: bool = fields.flag(False)

    @property
    def frames(self) -> Dim:
        """The frames of a spectrum: two for each position."""
        return 2 * self.max_source_positions


@frozen(kw_only=True)
class Qwen2AudioConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: EncoderConfig | None = fields.nested(EncoderConfig, "qwen2_audio")
    text_config: SubModel = text_model("qwen2")
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def encoder(self) -> EncoderConfig:
        """The audio encoder."""
        return self.audio_config or EncoderConfig()


def compose(config: Qwen2AudioConfig, root: str) -> Composition:
    """Returns a decoder, and its sounds through the encoder and one linear layer."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}audio_tower"):
            x = heard(config.encoder, workload, b)
        with b.scope(f"{root}multi_modal_projector"):
            return linear(b, "linear", x, text.width)

    return Composition(text, (Part("audios", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def heard(config: EncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the encoder's output for each sound, (sounds, positions / 2, width). Raises ConfigError for a spectrum of
    another length than the model's."""
    frames, width = workload.frames, config.d_model
    assert frames is not None  # the architecture declares its default
    assert workload.audios is not None
    if not same(frames, config.frames) and has_value(frames) and has_value(config.frames):
        raise ConfigError(f"frames {frames} is not {config.frames}: the class pads every spectrum to that")
    x = b.input("input_features", (workload.batch * workload.audios, config.num_mel_bins, frames))
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weight, bias = b.parameter(f"{name}.weight", (width, x.spec.shape[1], 3)), b.parameter(f"{name}.bias", (width,))
        x = b.apply("convolution", x, weight, bias, name=name, stride=stride, padding=1)
        x = b.apply("gelu", x, name=f"{name}_act")
    x = b.apply("permute", x, name="positions_first", dims=(0, 2, 1))
    places = b.parameter("embed_positions.weight", (config.max_source_positions, width), frozen=True)
    x = b.apply("add", x, places, name="embed_positions")
    x = dropped(b, "dropout", x, config.dropout, workload)
    kind = Tower(
        config.encoder_layers,
        config.encoder_attention_heads,
        Mlp(
            config.encoder_ffn_dim,
            ACTIVATIONS[config.activation_function],
            gated=False,
            module="",
            up="fc1",
            down="fc2",
            bias=True,
            dropout=config.activation_dropout,
        ),
        stack="layers",
        attention="self_attn",
        out="out_proj",
        norms=("self_attn_layer_norm", "final_layer_norm"),
        key_bias=False,
        attention_dropout=config.attention_dropout,
        dropout=config.dropout,
        stream_first=True,
        softmax_upcast=False,
    )
    x = tower(kind, workload, b, x)
    x = b.apply("permute", x, name="width_first", dims=(0, 2, 1))
    x = b.apply("avg_pool", x, name="avg_pooler", kernel=(2,), stride=(2,))
    return layer_norm(b, "layer_norm", b.apply("permute", x, name="pairs", dims=(0, 2, 1)))


ARCHITECTURE = composition(
    "qwen2_audio",
    Qwen2AudioConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=None,
    sizes={"audios": lambda config: 1, "frames": lambda config: config.encoder.frames},
    doc="Qwen2-Audio: Whisper's encoder, positions averaged in pairs, one linear layer, any decoder.",
)
