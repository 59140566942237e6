"""Parakeet with a head for connectionist temporal classification.

Rekesh et al., 2023 (arXiv:2305.05084).
"""

from __future__ import annotations

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.audio.parakeet import ParakeetEncoderConfig, dropping, encoded, family
from graphacct_architectures.audio.parts.stem import convolution


@frozen(kw_only=True)
class ParakeetCTCConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("ParakeetForCTC", ("ParakeetForCTC",))
    vocab_size: Dim = fields.size(1025)
    encoder_config: ParakeetEncoderConfig | None = fields.nested(ParakeetEncoderConfig, "parakeet_ctc")
    dtype: str | None = fields.dtype()

    @property
    def encoder(self) -> ParakeetEncoderConfig:
        """The encoder."""
        return self.encoder_config or ParakeetEncoderConfig()


def build(config: ParakeetCTCConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames to the logits of each position."""
    with b.scope("encoder"):
        x = encoded(config.encoder, workload, b)
    b.hold(x)
    x = b.apply("transpose", x, name="head_channels_first", dims=(1, 2))
    x = convolution(b, "ctc_head", x, config.vocab_size, 1)
    return b.apply("transpose", x, name="logits", dims=(1, 2))


ARCHITECTURE = family(
    "parakeet_ctc",
    ParakeetCTCConfig,
    build,
    lambda config, workload, dtype: dropping(config.encoder, workload, dtype),
    PresetFiles(__file__),
    "Parakeet with a head for connectionist temporal classification.",
)
