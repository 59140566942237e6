"""Fun-ASR's encoder of sound: layers of attention over stacked frames, with a convolution of the values beside it.

An et al., 2025 (arXiv:2509.12508); Zhang et al., 2018 (arXiv:1803.05030) for the memory of values.
"""

from __future__ import annotations

from fractions import Fraction

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_architectures.activations import activation
from graphacct_architectures.audio.parts.memory import Remembering, layer, stacked
from graphacct_architectures.losses import SUM_ALONE

MODEL = "FunAsrNanoEncoder"
ROWS = Fraction(50, 3)
"""Stacked frames in a second: one of 60 ms."""


@frozen(kw_only=True)
class FunAsrNanoEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    num_mel_bins: Dim = fields.size(80)
    hidden_size: Dim = fields.size(512)
    num_attention_heads: Dim = fields.size(4)
    intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: int = fields.size(70)
    hidden_dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    hidden_act: str = activation("relu")
    max_position_embeddings: Dim = fields.size(2049)
    num_stacked_frames: Dim = fields.size(7)
    num_timestamp_prediction_layers: int = fields.size(20, minimum=0)
    fsmn_kernel_size: Dim = fields.size(11)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        for key in ("num_hidden_layers", "num_timestamp_prediction_layers"):
            if type(getattr(self, key)) is not int:
                raise ConfigError(f"{key} must be a number: it says which layers end in a norm")

    @property
    def width(self) -> Dim:
        """The width of what is heard."""
        return self.num_mel_bins * self.num_stacked_frames


def layers_of(config: FunAsrNanoEncoderConfig) -> Remembering:
    """Returns what the layers are."""
    return Remembering(
        config.hidden_size,
        config.num_attention_heads,
        config.intermediate_size,
        config.hidden_act,
        config.hidden_dropout,
        config.attention_dropout,
        config.fsmn_kernel_size,
    )


def build(config: FunAsrNanoEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from stacked frames (batch, frames, bins) to the last stream (batch, frames, width)."""
    frames, most = workload.frames, config.max_position_embeddings
    if has_value(frames) and has_value(most) and frames >= most:
        raise ConfigError(f"frames {frames} is beyond the {most - 1} positions that max_position_embeddings makes")
    x = b.input("input_features", (workload.batch, frames, config.width))
    places = b.apply("constant", name="position_embeddings", shape=(frames, config.width), dtype=b.dtype)
    x = b.apply("add", b.apply("scale", x, name="scaled"), places, name="with_positions")
    kind = layers_of(config)
    normed = {
        config.num_hidden_layers - config.num_timestamp_prediction_layers - 1,
        config.num_hidden_layers - 1,
    }
    with b.scope("layers.0"):
        x = layer(kind, workload, b, x, last=0 in normed)
    return stacked(kind, workload, b, x, 1, config.num_hidden_layers, normed)


ARCHITECTURE = Architecture(
    "fun_asr_nano_encoder",
    FunAsrNanoEncoderConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: config.max_position_embeddings - 1},
    per_second={"frames": lambda config: ROWS},
    attention=("fused", "eager"),
    aliases={"torch_dtype": "dtype"},
    model_types=("fun_asr_nano_encoder",),
    losses=SUM_ALONE,
    doc="Fun-ASR's encoder of sound: layers of attention, with a convolution of the values beside it.",
)
