"""FastSpeech 2 with conformers: a text, how long, how high and how loud each token sounds, and frames of a spectrum.

Ren et al., 2020 (arXiv:2006.04558). How many frames there are, the data say: `frames` states it. In training the class
is given durations, pitches and energies, and compares them with what it predicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    ceil_div,
    equal,
    fields,
    frozen,
)
from graphacct_architectures.audio.fastspeech2_layers import Stack, conformed
from graphacct_architectures.audio.parts.hifigan import check_odd
from graphacct_architectures.audio.parts.stem import batch_norm, convolution
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear, resident
from graphacct_architectures.losses import SUM_ALONE

MODEL = "FastSpeech2ConformerModel"
TOKENS, FRAMES = 128, 512
"""Of a text, and of the spectrum that it becomes, if nothing else is said."""


def repeated() -> Any:
    """Returns a key that is an object, of which only its equality with other keys counts."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, Any]:
        if value is not None and not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object, not {brief(value)}")
        return value or {}

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class FastSpeech2ConformerConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    hidden_size: Dim = fields.size(384)
    vocab_size: Dim = fields.size(78)
    num_mel_bins: Dim = fields.size(80)
    encoder_num_attention_heads: Dim = fields.size(2)
    encoder_layers: Dim = fields.size(4)
    encoder_linear_units: Dim = fields.size(1536)
    encoder_kernel_size: Dim = fields.size(7)
    encoder_normalize_before: bool = fields.flag(False)
    encoder_concat_after: bool = fields.flag(False)
    encoder_dropout_rate: float = fields.probability(0.2)
    encoder_positional_dropout_rate: float = fields.probability(0.2)
    encoder_attention_dropout_rate: float = fields.probability(0.2)
    encoder_config: Mapping[str, Any] = repeated()
    decoder_layers: Dim = fields.size(4)
    decoder_num_attention_heads: Dim = fields.size(2)
    decoder_linear_units: Dim = fields.size(1536)
    decoder_kernel_size: Dim = fields.size(31)
    decoder_normalize_before: bool = fields.flag(False)
    decoder_concat_after: bool = fields.flag(False)
    decoder_dropout_rate: float = fields.probability(0.2)
    decoder_positional_dropout_rate: float = fields.probability(0.2)
    decoder_attention_dropout_rate: float = fields.probability(0.2)
    decoder_config: Mapping[str, Any] = repeated()
    speech_decoder_postnet_layers: Dim = fields.size(5, minimum=0)
    speech_decoder_postnet_units: Dim = fields.size(256)
    speech_decoder_postnet_kernel: Dim = fields.size(5)
    speech_decoder_postnet_dropout: float = fields.probability(0.5)
    positionwise_conv_kernel_size: Dim = fields.size(3)
    reduction_factor: Dim = fields.size(1)
    use_macaron_style_in_conformer: bool = fields.flag(True)
    use_cnn_in_conformer: bool = fields.flag(True)
    duration_predictor_layers: Dim = fields.size(2)
    duration_predictor_channels: Dim = fields.size(256)
    duration_predictor_kernel_size: Dim = fields.size(3)
    duration_predictor_dropout_rate: float = fields.probability(0.2)
    energy_predictor_layers: Dim = fields.size(2)
    energy_predictor_channels: Dim = fields.size(256)
    energy_predictor_kernel_size: Dim = fields.size(3)
    energy_predictor_dropout: float = fields.probability(0.5)
    energy_embed_kernel_size: Dim = fields.size(1)
    energy_embed_dropout: float = fields.probability(0.0)
    stop_gradient_from_energy_predictor: bool = fields.flag(False)
    pitch_predictor_layers: Dim = fields.size(5)
    pitch_predictor_channels: Dim = fields.size(256)
    pitch_predictor_kernel_size: Dim = fields.size(5)
    pitch_predictor_dropout: float = fields.probability(0.5)
    pitch_embed_kernel_size: Dim = fields.size(1)
    pitch_embed_dropout: float = fields.probability(0.0)
    stop_gradient_from_pitch_predictor: bool = fields.flag(True)
    num_speakers: Dim | None = fields.optional_size()
    num_languages: Dim | None = fields.optional_size()
    speaker_embed_dim: Dim | None = fields.optional_size()
    convolution_bias: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        for key in (
            *("encoder_kernel_size", "decoder_kernel_size", "positionwise_conv_kernel_size"),
            *("duration_predictor_kernel_size", "energy_predictor_kernel_size", "energy_embed_kernel_size"),
            *("pitch_predictor_kernel_size", "pitch_embed_kernel_size", "speech_decoder_postnet_kernel"),
        ):
            check_odd(key, getattr(self, key))
        if not self.use_cnn_in_conformer:
            raise ConfigError("use_cnn_in_conformer is false: its class cannot run such layers; set it to true")
        for side in ("encoder", "decoder"):
            for key, value in getattr(self, f"{side}_config").items():
                own = getattr(self, f"{side}_{key}", value)
                if value != own:
                    raise ConfigError(
                        f"{side}_config.{key} is {brief(value)} and {side}_{key} {brief(own)}: they must "
                        f"agree; leave {side}_config out"
                    )

    def stack(self, side: str) -> Stack:
        """Returns the layers of one side, `encoder` or `decoder`."""
        return Stack(*(getattr(self, f"{side}_{field.name}") for field in attrs.fields(Stack)))


def build(config: FastSpeech2ConformerConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids (batch, tokens) to frames (batch, frames, bins), and in training to what its losses
    compare besides: lengths, pitches and energies."""
    assert workload.frames is not None  # the architecture declares its default
    training = workload.phase == "train"
    if training and not equal(config.reduction_factor, 1):
        raise ConfigError(
            f"reduction_factor is {config.reduction_factor}: its class trains with 1 alone; leave the training out"
        )
    batch, count = workload.batch, workload.seq_len
    assert count is not None
    frames = ceil_div(workload.frames, config.reduction_factor)
    ids = b.input("input_ids", (batch, count), "int64")
    with b.scope("encoder"):
        x = embedding(b, "embed", ids, config.vocab_size, config.hidden_size)
        x = conformed(config, config.stack("encoder"), True, workload, b, x)
    unused(config, b)
    predictions = [
        predicted(config, name, stops, workload, b, x)
        for name, stops in (
            ("pitch", config.stop_gradient_from_pitch_predictor),
            ("energy", config.stop_gradient_from_energy_predictor),
            ("duration", False),
        )
    ]
    pitches, energies = predictions[:2]
    if training:
        pitches, energies = (b.input(f"{name}_labels", (batch, count, 1)) for name in ("pitch", "energy"))
    high, loud = embedded(config, "pitch", workload, b, pitches), embedded(config, "energy", workload, b, energies)
    x = b.apply("add", b.apply("add", x, loud, name="with_energy"), high, name="with_pitch")
    places = b.apply("full", name="token_of_frames", shape=(batch * frames,), dtype="int64")
    x = b.apply("reshape", x, name="all_tokens", shape=(batch * count, config.hidden_size))
    x = b.apply("index_select", x, places, name="repeated")
    x = b.apply("reshape", x, name="regulated", shape=(batch, frames, config.hidden_size))
    with b.scope("decoder"):
        x = conformed(config, config.stack("decoder"), training, workload, b, x)
    with b.scope("speech_decoder_postnet"):
        x = after(config, workload, b, x)
    if training:
        return (x, *predictions)
    b.hold(*predictions)
    return x


def unused(config: FastSpeech2ConformerConfig, b: Builder) -> None:
    """Adds what is known of speakers and languages, which the class does not run unless it is given some."""
    for key, name in (("num_languages", "language_id_embedding"), ("num_speakers", "speaker_id_embedding")):
        count = getattr(config, key)
        if count is not None and not equal(count, 1):
            resident(b, name, b.parameter(f"{name}.weight", (count, config.hidden_size)), lookup=True)
    if config.speaker_embed_dim is not None:
        width = config.hidden_size
        weight = b.parameter("projection.weight", (width, width + config.speaker_embed_dim))
        resident(b, "projection", weight, b.parameter("projection.bias", (width,)))


def predicted(
    config: FastSpeech2ConformerConfig, name: str, stops: bool, workload: Workload, b: Builder, x: Value
) -> Value:
    """Returns a number for each token, (batch, tokens, 1): convolutions, each with a norm, and a projection."""
    layers, width, kernel = (
        getattr(config, f"{name}_predictor_{key}") for key in ("layers", "channels", "kernel_size")
    )
    dropout = getattr(config, f"{name}_predictor_dropout{'_rate' if name == 'duration' else ''}")
    if type(layers) is not int:
        raise ConfigError(f"{name}_predictor_layers must be a number: the first of them differs")
    with b.scope(f"{name}_predictor"):
        y = b.apply("detach", x, name="detached") if stops else x
        y = b.apply("transpose", y, name="channels_first", dims=(1, 2))
        for index in range(layers):
            with b.scope(f"conv_layers.{index}"):
                y = b.apply("relu", convolution(b, "conv", y, width, kernel, padding=(kernel - 1) // 2), name="act")
                y = b.apply("transpose", y, name="channels_last", dims=(1, 2))
                y = b.apply("transpose", layer_norm(b, "layer_norm", y), name="channels_first", dims=(1, 2))
                y = dropped(b, "dropout", y, dropout, workload)
        y = linear(b, "linear", b.apply("transpose", y, name="channels_last", dims=(1, 2)), 1)
        if name == "duration" and workload.phase != "train":
            y = b.apply("shift", b.apply("exp", y, name="lengths"), name="lengths_less")
            y = b.apply("clamp", b.apply("round", y, name="rounded"), name="least")
        return y


def embedded(config: FastSpeech2ConformerConfig, name: str, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a row of the stream for each of the numbers (batch, tokens, 1)."""
    kernel = getattr(config, f"{name}_embed_kernel_size")
    with b.scope(f"{name}_embed"):
        x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
        x = convolution(b, "conv", x, config.hidden_size, kernel, padding=(kernel - 1) // 2)
        x = dropped(b, "dropout", x, getattr(config, f"{name}_embed_dropout"), workload)
        return b.apply("transpose", x, name="channels_last", dims=(1, 2))


def after(config: FastSpeech2ConformerConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the frames (batch, frames, bins) of a stream: a projection, and convolutions that correct it."""
    bins, factor, count = config.num_mel_bins, config.reduction_factor, config.speech_decoder_postnet_layers
    if type(count) is not int:
        raise ConfigError("speech_decoder_postnet_layers must be a number: its layers differ")
    batch, seq, _ = x.spec.shape
    before = b.apply(
        "reshape", linear(b, "feat_out", x, bins * factor), name="frames", shape=(batch, seq * factor, bins)
    )
    y = b.apply("transpose", before, name="bins_first", dims=(1, 2))
    kernel = config.speech_decoder_postnet_kernel
    for index in range(count):
        last = index == count - 1
        with b.scope(f"layers.{index}"):
            width = bins if last else config.speech_decoder_postnet_units
            y = convolution(b, "conv", y, width, kernel, bias=False, padding=(kernel - 1) // 2)
            y = batch_norm(b, "batch_norm", y, workload)
            y = y if last else b.apply("tanh", y, name="activation")
            y = dropped(b, "dropout", y, config.speech_decoder_postnet_dropout, workload)
    return b.apply("add", before, b.apply("transpose", y, name="bins_last", dims=(1, 2)), name="corrected")


NO_COST: dict[str, Any] = dict.fromkeys(
    ("speaking_speed", "max_source_positions", "use_masking", "use_weighted_masking", "is_encoder_decoder")
)
ARCHITECTURE = Architecture(
    "fastspeech2_conformer",
    FastSpeech2ConformerConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "frames": lambda config: FRAMES},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=NO_COST,
    model_types=("fastspeech2_conformer",),
    losses=SUM_ALONE,
    doc="FastSpeech 2 with conformers: a text, how its tokens sound, and frames of a spectrum.",
)
