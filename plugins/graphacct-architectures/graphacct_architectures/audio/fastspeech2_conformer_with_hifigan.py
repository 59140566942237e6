"""FastSpeech 2 with conformers, and HiFi-GAN: samples of a text.

How long the sound is, the data say: `samples` states it, and as many frames are made as it fills. Its class has no
loss of samples, and trains the part that makes frames alone: save `model_config` as a config.json of its own for that.
"""

from __future__ import annotations

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    ceil_div,
    differ,
    fields,
    frozen,
)
from graphacct_architectures.audio.hifigan import spoken
from graphacct_architectures.losses import SUM_ALONE

MODEL = "FastSpeech2ConformerWithHifiGan"
TOKENS, SAMPLES = 128, 131072
"""Of a text, and of the sound that it becomes, if nothing else is said."""


@frozen(kw_only=True)
class WithHifiGanConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    model_config: SubModel = fields.model("fastspeech2_conformer", always=True)
    vocoder_config: SubModel = fields.model("fastspeech2_conformer_hifigan", always=True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        bins, read = self.model_config.config.num_mel_bins, self.vocoder_config.config.model_in_dim
        if differ(bins, read):
            raise ConfigError(
                f"vocoder_config.model_in_dim is {read} and model_config.num_mel_bins {bins}: it reads the frames"
            )


def build(config: WithHifiGanConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from ids (batch, tokens) to samples (batch, samples)."""
    assert workload.samples is not None  # the architecture declares its default
    own = attrs.evolve(workload, frames=ceil_div(workload.samples, config.vocoder_config.config.vocoder.hop))
    with b.inside("model"):
        spectrum = config.model_config.architecture.build(config.model_config.config, own, b)
    assert isinstance(spectrum, Value)
    b.hold(spectrum)
    with b.inside("vocoder"):
        return spoken(config.vocoder_config.config, b, spectrum)


ARCHITECTURE = Architecture(
    "fastspeech2_conformer_with_hifigan",
    WithHifiGanConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "samples": lambda config: SAMPLES},
    phases=("forward",),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    model_types=("fastspeech2_conformer_with_hifigan",),
    losses=SUM_ALONE,
    doc="FastSpeech 2 with conformers, and HiFi-GAN: samples of a text.",
)
