"""CLAP: an encoder of sounds and one of texts, whose outputs are compared in pairs.

Wu et al., 2022 (arXiv:2211.06687).
"""

from __future__ import annotations

from graphacct_architectures.activations import activation
from graphacct_architectures.losses import SUM, total

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    differ,
    fields,
    frozen,
)
from graphacct_vision.multimodal import clap_audio
from graphacct_vision.multimodal.clap_audio import projected

MODEL = "ClapModel"


@frozen(kw_only=True)
class ClapConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    text_config: SubModel = fields.model("clap_text_model", always=True)
    audio_config: SubModel = fields.model("clap_audio_model", always=True)
    projection_dim: Dim = fields.size(512)
    projection_hidden_act: str = activation("relu")
    dtype: str | None = fields.dtype()


def build(config: ClapConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from sounds and as many texts to how alike each pair is, by sound and by text, and the two
    embeddings."""
    audio, text = config.audio_config.config, config.text_config
    with b.scope("audio_model"):
        _, sound = clap_audio.encoded(audio, workload, b)
    if differ(audio.hidden_size, sound.spec.shape[-1]):
        raise ConfigError(
            f"audio_config.hidden_size is {audio.hidden_size}, and the last stage is {sound.spec.shape[-1]} wide"
        )
    with b.scope("text_model"):
        _, words = text.architecture.build(text.config, workload, b)
    act, width = config.projection_hidden_act, config.projection_dim
    with b.scope("audio_projection"):
        sound = projected(b, sound, width, act)
    with b.scope("text_projection"):
        words = projected(b, words, width, act)
    sound, words = (
        b.apply("div", x, b.apply("vector_norm", x, name=f"{label}_length", dim=-1, keepdim=True), name=f"{label}_unit")
        for label, x in (("audio", sound), ("text", words))
    )
    factors = [b.apply("exp", b.parameter(f"logit_scale_{label}", ()), name=f"factor_{label}") for label in "ta"]
    by_text = b.apply("matmul", words, b.apply("transpose", sound, name="sounds", dims=(0, 1)), name="by_text")
    by_text = b.apply("mul", by_text, factors[0], name="logits_per_text")
    by_sound = b.apply("matmul", sound, b.apply("transpose", words, name="texts", dims=(0, 1)), name="by_audio")
    by_sound = b.apply("mul", by_sound, factors[1], name="logits_per_audio")
    return by_sound, by_text, words, sound


def first_total(config: ClapConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the sum of the logits of each sound, without the other outputs."""
    return total(config, outputs[:1], b)


ARCHITECTURE = Architecture(
    "clap",
    ClapConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text_config.config.usable,
        "frames": lambda config: min(clap_audio.FRAMES, config.audio_config.config.frames),
    },
    per_second={"frames": lambda config: 100},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("logit_scale_init_value", "initializer_factor", "hidden_size", "num_hidden_layers")),
    losses={SUM: first_total},
    model_types=("clap",),
    doc="CLAP: an encoder of sounds and one of texts, and how alike each pair is.",
)
