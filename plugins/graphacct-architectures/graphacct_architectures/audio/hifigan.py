"""HiFi-GAN as a model of its own: samples of the frames of a spectrum.

Kong et al., 2020 (arXiv:2010.05646).
"""

from __future__ import annotations

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.audio.parts.hifigan import HifiGan, check_vocoder, dilations, vocoded
from graphacct_architectures.layers import resident
from graphacct_architectures.losses import SUM_ALONE

MODEL = "SpeechT5HifiGan"
FRAMES = 100
"""Of a spectrum, if nothing else is said."""


@frozen(kw_only=True)
class HifiGanConfig:
    """The keys of the published config.json that the cost depends on; the class of speecht5's defaults."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    model_in_dim: Dim = fields.size(80)
    upsample_initial_channel: Dim = fields.size(512)
    upsample_rates: tuple[Dim, ...] = fields.counts((4, 4, 4, 4))
    upsample_kernel_sizes: tuple[Dim, ...] = fields.counts((8, 8, 8, 8))
    resblock_kernel_sizes: tuple[Dim, ...] = fields.counts((3, 7, 11))
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = dilations(((1, 3, 5),) * 3)
    normalize_before: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        check_vocoder(self.vocoder)

    @property
    def vocoder(self) -> HifiGan:
        """What makes samples of frames."""
        return HifiGan(
            self.upsample_initial_channel,
            self.upsample_rates,
            self.upsample_kernel_sizes,
            self.resblock_kernel_sizes,
            self.resblock_dilation_sizes,
        )


def build(config: HifiGanConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames (batch, frames, bins) to samples (batch, samples)."""
    return spoken(config, b, b.input("spectrogram", (workload.batch, workload.frames, config.model_in_dim)))


def spoken(config: HifiGanConfig, b: Builder, x: Value) -> Value:
    """Returns the samples (batch, samples) of frames (batch, frames, bins)."""
    mean, scale = (b.parameter(name, (config.model_in_dim,), buffer=True) for name in ("mean", "scale"))
    if config.normalize_before:
        x = b.apply("div", b.apply("sub", x, mean, name="centred"), scale, name="normalized")
    else:
        resident(b, "mean", mean, scale)
    x = vocoded(config.vocoder, b, b.apply("transpose", x, name="bins_first", dims=(2, 1)))
    return b.apply("reshape", x, name="waveform", shape=(x.spec.shape[0], x.spec.shape[2]))


ARCHITECTURE = Architecture(
    "hifigan",
    HifiGanConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("leaky_relu_slope", "initializer_range", "sampling_rate")),
    model_types=("hifigan", "speecht5_hifigan"),
    losses=SUM_ALONE,
    doc="HiFi-GAN: a vocoder of stages that double the length, with blocks of several kernels.",
)
