"""Mimi: convolutions over samples, layers of attention, books of vectors, and all of it back.

Défossez et al., 2024 (arXiv:2410.00037). The class decodes what it has encoded with all books.
"""

from __future__ import annotations

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen, minimum
from graphacct_architectures.audio.parts import mimi
from graphacct_architectures.audio.parts.mimi import latents, quantized, sound_of
from graphacct_architectures.losses import SUM_ALONE

MODEL = "MimiModel"


@frozen(kw_only=True)
class MimiConfig(mimi.MimiConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))


def build(config: MimiConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from samples (batch, channels, samples) to the samples that are decoded again."""
    assert workload.samples is not None  # the architecture declares its default
    sound = b.input("input_values", (workload.batch, config.audio_channels, workload.samples))
    with b.scope("encoder"):
        x = latents(config, workload, b, sound)
    x = quantized(config, b, x)
    with b.scope("decoder"):
        x = sound_of(config, workload, b, x)
    kept = minimum(workload.samples, x.spec.shape[2])
    return b.apply("slice", x, name="cut", dim=2, start=0, length=kept)


ARCHITECTURE = Architecture(
    "mimi",
    MimiConfig,
    build,
    PresetFiles(__file__),
    sizes={"samples": lambda config: config.sampling_rate},
    per_second={"samples": lambda config: config.sampling_rate},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", "rope_scaling": "rope_parameters"},
    no_cost=dict.fromkeys(("pad_mode", "layer_scale_initial_scale", "tie_word_embeddings", "normalize")),
    model_types=("mimi",),
    losses=SUM_ALONE,
    doc="Mimi: convolutions over samples, layers of attention, books of vectors, and all of it back.",
)
