"""VITS: a text, how long each of its tokens is to sound, a flow to the frames of a spectrum, and samples of these.

Kim et al., 2021 (arXiv:2106.06103). How long the sound is, the data say: `samples` states it, and as many frames are
made as it fills. The class makes speech alone: what a training with sounds would run is in memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    ceil_div,
    equal,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.durations import Durations, by_noise, predicted
from graphacct_architectures.audio.parts.hifigan import HifiGan, check_odd, check_vocoder, dilations, vocoded
from graphacct_architectures.audio.parts.skewed import attended
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.audio.parts.wavenet import WaveNet, turned_back, waved
from graphacct_architectures.layers import activation as acted
from graphacct_architectures.layers import dropped, embedding, layer_norm, resident
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.residing import unread

MODEL = "VitsModel"
TOKENS = 128
"""Tokens of a text, if nothing else is said."""


@frozen(kw_only=True)
class VitsConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    vocab_size: Dim = fields.size(38)
    hidden_size: Dim = fields.size(192)
    num_hidden_layers: Dim = fields.size(6)
    num_attention_heads: Dim = fields.size(2)
    window_size: Dim = fields.size(4)
    use_bias: bool = fields.flag(True)
    ffn_dim: Dim = fields.size(768)
    layerdrop: float = fields.probability(0.1)
    ffn_kernel_size: Dim = fields.size(3)
    flow_size: Dim = fields.size(192)
    spectrogram_bins: Dim = fields.size(513)
    hidden_act: str = activation("relu")
    hidden_dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.1)
    use_stochastic_duration_prediction: bool = fields.flag(True)
    num_speakers: Dim = fields.size(1)
    speaker_embedding_size: Dim = fields.size(0, minimum=0)
    upsample_initial_channel: Dim = fields.size(512)
    upsample_rates: tuple[Dim, ...] = fields.counts((8, 8, 2, 2))
    upsample_kernel_sizes: tuple[Dim, ...] = fields.counts((16, 16, 4, 4))
    resblock_kernel_sizes: tuple[Dim, ...] = fields.counts((3, 7, 11))
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = dilations(((1, 3, 5),) * 3)
    depth_separable_channels: Dim = fields.size(2)
    depth_separable_num_layers: Dim = fields.size(3)
    duration_predictor_flow_bins: Dim = fields.size(10)
    duration_predictor_kernel_size: Dim = fields.size(3)
    duration_predictor_dropout: float = fields.probability(0.5)
    duration_predictor_num_flows: Dim = fields.size(4, minimum=0)
    duration_predictor_filter_channels: Dim = fields.size(256)
    prior_encoder_num_flows: Dim = fields.size(4, minimum=0)
    prior_encoder_num_wavenet_layers: Dim = fields.size(4)
    posterior_encoder_num_wavenet_layers: Dim = fields.size(16)
    wavenet_kernel_size: Dim = fields.size(5)
    wavenet_dilation_rate: Dim = fields.size(1)
    wavenet_dropout: float = fields.probability(0.0)
    sampling_rate: Dim = fields.size(16000)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        check_vocoder(self.vocoder)
        check_odd("wavenet_kernel_size", self.wavenet_kernel_size)
        check_odd("duration_predictor_kernel_size", self.duration_predictor_kernel_size)
        if has_value(self.flow_size) and self.flow_size % 2:
            raise ConfigError(f"flow_size is {self.flow_size}: an even number, half of which predicts the other half")
        if self.use_stochastic_duration_prediction and not equal(self.depth_separable_channels, 2):
            raise ConfigError(
                f"depth_separable_channels is {self.depth_separable_channels}: the noise of the durations has 2"
            )
        for key in COUNTED:
            if type(getattr(self, key)) is not int:
                raise ConfigError(f"{key} must be a number: layers by its number differ")

    @property
    def vocoder(self) -> HifiGan:
        """What makes samples of frames."""
        return HifiGan(
            self.upsample_initial_channel,
            self.upsample_rates,
            self.upsample_kernel_sizes,
            self.resblock_kernel_sizes,
            self.resblock_dilation_sizes,
            last_bias=False,
            speaker=self.speaker_embedding_size,
        )

    @property
    def net(self) -> WaveNet:
        """The nets of the flow and of the encoder of spectra."""
        speaker, growth = self.speaker_embedding_size, int(self.wavenet_dilation_rate)
        return WaveNet(self.hidden_size, self.wavenet_kernel_size, growth, self.wavenet_dropout, speaker)

    @property
    def durations(self) -> Durations:
        """What says how long each token sounds."""
        return Durations(
            self.hidden_size,
            int(self.duration_predictor_kernel_size),
            int(self.depth_separable_num_layers),
            int(self.duration_predictor_num_flows),
            self.duration_predictor_flow_bins,
            self.duration_predictor_dropout,
            self.speaker_embedding_size,
        )


COUNTED = (
    "wavenet_dilation_rate",
    "duration_predictor_kernel_size",
    "depth_separable_num_layers",
    "duration_predictor_num_flows",
    "prior_encoder_num_flows",
    "prior_encoder_num_wavenet_layers",
    "posterior_encoder_num_wavenet_layers",
)


def build(config: VitsConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from ids (batch, tokens) to samples (batch, samples)."""
    assert workload.samples is not None  # the architecture declares its default
    batch, frames = workload.batch, ceil_div(workload.samples, config.vocoder.hop)
    ids = b.input("input_ids", (batch, workload.seq_len), "int64")
    mask = b.apply("full", name="padding_mask", shape=(batch, workload.seq_len, 1), dtype=b.dtype)
    with b.scope("text_encoder"):
        stream, means, deviations = read(config, workload, b, ids, mask)
    x = b.apply("transpose", stream, name="stream_first", dims=(1, 2))
    across = b.apply("transpose", mask, name="padding_mask_across", dims=(1, 2))
    with b.scope("duration_predictor"):
        if config.use_stochastic_duration_prediction:
            logs = by_noise(config.durations, workload, b, x, across)
        else:
            logs = predicted(config.durations, config.duration_predictor_filter_channels, workload, b, x, across)
    if not equal(config.num_speakers, 1):
        table = b.parameter("embed_speaker.weight", (config.num_speakers, config.speaker_embedding_size))
        resident(b, "embed_speaker", table, lookup=True)
    spread = spread_of(frames, b, logs, across)
    heard = b.apply("full", name="output_mask", shape=(batch, 1, frames), dtype=b.dtype)
    means, deviations = (
        b.apply(
            "transpose", b.apply("matmul", spread, own, name=f"{name}_of_frames"), name=f"{name}_first", dims=(1, 2)
        )
        for name, own in (("means", means), ("deviations", deviations))
    )
    noise = b.apply("random", name="noise", shape=means.spec.shape, dtype=b.dtype)
    noise = b.apply("mul", noise, b.apply("exp", deviations, name="deviation"), name="noise_of_frames")
    x = b.apply("add", means, b.apply("scale", noise, name="noise_scaled"), name="latents")
    layers = config.prior_encoder_num_wavenet_layers
    with b.scope("flow"):
        x = turned_back(config.net, config.prior_encoder_num_flows, layers, workload, b, x, heard)
    spectrum = b.apply("mul", x, heard, name="spectrum")
    with b.scope("decoder"):
        x = vocoded(config.vocoder, b, spectrum)
    shape = (batch, config.spectrogram_bins, frames)
    unread(b, "posterior_encoder", partial(heard_back, config, workload), shape, (batch, 1, frames))
    b.hold(spectrum)
    return b.apply("reshape", x, name="waveform", shape=(batch, x.spec.shape[2]))


def read(config: VitsConfig, workload: Workload, b: Builder, ids: Value, mask: Value) -> tuple[Value, Value, Value]:
    """Returns the stream of a text, and means and deviations of what each token may sound like, each (batch, tokens,
    width)."""
    x = embedding(b, "embed_tokens", ids, config.vocab_size, config.hidden_size)
    x = b.apply("mul", b.apply("scale", x, name="embedding_scaled"), mask, name="masked")

    def body(b: Builder, x: Value, mask: Value) -> Value:
        with b.scope("attention"):
            y = attended(
                config.num_attention_heads,
                config.window_size,
                config.attention_dropout,
                config.use_bias,
                workload,
                b,
                x,
            )
        y = dropped(b, "dropout", y, config.hidden_dropout, workload)
        x = layer_norm(b, "layer_norm", b.apply("add", x, y, name="attention_residual"))
        with b.scope("feed_forward"):
            y = network(config, workload, b, x, mask)
        y = dropped(b, "feed_forward_dropout", y, config.hidden_dropout, workload)
        return layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="residual"))

    with b.scope("encoder"):
        x = b.repeat("layers", config.num_hidden_layers, body, x, constants=(mask,))
        x = b.apply("mul", x, mask, name="masked")
    across = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    stats = convolution(b, "project", across, 2 * config.flow_size, 1)
    stats = b.apply("mul", b.apply("transpose", stats, name="stats", dims=(1, 2)), mask, name="stats_masked")
    means, deviations = (
        b.apply("slice", stats, name=name, dim=2, start=start, length=config.flow_size)
        for name, start in (("means", 0), ("deviations", config.flow_size))
    )
    return x, means, deviations


def network(config: VitsConfig, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns the output of two convolutions over the tokens."""
    kernel = config.ffn_kernel_size
    sides = (floor_div(kernel - 1, 2), floor_div(kernel, 2))
    x = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
    mask = b.apply("permute", mask, name="mask_across", dims=(0, 2, 1))
    for index, width in enumerate((config.ffn_dim, config.hidden_size), 1):
        x = b.apply("mul", x, mask, name=f"masked_{index}")
        x = x if equal(kernel, 1) else b.apply("pad", x, name=f"padded_{index}", padding=(sides,))
        x = convolution(b, f"conv_{index}", x, width, kernel)
        if index == 1:
            x = acted(b, ACTIVATIONS[config.hidden_act], x, "act")
            x = dropped(b, "dropout", x, config.activation_dropout, workload)
    x = b.apply("mul", x, mask, name="masked")
    return b.apply("permute", x, name="channels_last", dims=(0, 2, 1))


def spread_of(frames: Dim, b: Builder, logs: Value, mask: Value) -> Value:
    """Returns which token each frame belongs to, (batch, frames, tokens), of the logarithms of durations."""
    batch, _, count = logs.spec.shape
    lengths = b.apply("mul", b.apply("exp", logs, name="lengths"), mask, name="lengths_masked")
    lengths = b.apply("ceil", b.apply("scale", lengths, name="lengths_spoken"), name="durations")
    ends = b.apply("cumsum", lengths, name="ends", dim=2)
    ends = b.apply("reshape", ends, name="ends_of_each", shape=(batch * count, 1))
    places = b.apply("arange", name="places", batch=1, n=frames)
    before = b.apply("lt", b.apply("cast", places, name="places_cast", dtype=b.dtype), ends, name="before")
    before = b.apply("cast", before, name="before_cast", dtype=b.dtype)
    before = b.apply("reshape", before, name="before_of_each", shape=(batch, count, frames))
    earlier = b.apply("pad", before, name="earlier_padded", padding=((1, 0), (0, 0)))
    earlier = b.apply("slice", earlier, name="earlier", dim=1, start=0, length=count)
    own = b.apply("transpose", b.apply("sub", before, earlier, name="own"), name="own_across", dims=(1, 2))
    return b.apply("mul", own, mask, name="spread")


def heard_back(config: VitsConfig, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns what the encoder of spectra makes of one (batch, bins, frames)."""
    x = b.apply("mul", convolution(b, "conv_pre", x, config.hidden_size, 1), mask, name="masked")
    with b.scope("wavenet"):
        x = waved(config.net, config.posterior_encoder_num_wavenet_layers, workload, b, x, mask)
    return convolution(b, "conv_proj", x, 2 * config.flow_size, 1)


def inexact(config: VitsConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns that layers which chance drops in a training step are counted."""
    if workload.phase != "train" or not config.layerdrop:
        return ()
    return (f"layerdrop {config.layerdrop}: the layers that chance drops are counted as if they ran",)


NO_COST: dict[str, Any] = dict.fromkeys(
    (
        *("leaky_relu_slope", "duration_predictor_tail_bound", "speaking_rate", "noise_scale", "noise_scale_duration"),
        *("initializer_range", "layer_norm_eps"),
    )
)
ARCHITECTURE = Architecture(
    "vits",
    VitsConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "samples": lambda config: config.sampling_rate},
    per_second={"samples": lambda config: config.sampling_rate},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=NO_COST,
    model_types=("vits",),
    losses=SUM_ALONE,
    inexact=inexact,
    doc="VITS: a text, how long its tokens sound, a flow to frames of a spectrum, and samples of these.",
)
