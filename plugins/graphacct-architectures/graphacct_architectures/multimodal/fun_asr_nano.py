"""Fun-ASR Nano: an encoder of sound with a memory of values, a projector with layers of attention, any decoder.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, Dim, SubModel, Value, Workload, differ, fields, frozen, prod
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.memory import Remembering, stacked
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.sounds import audio_model, encoded, sounding

CLASSES = ("FunAsrNanoForConditionalGeneration", "FunAsrNanoModel")
TEXT: dict[str, Any] = {
    **{"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    **{"num_key_value_heads": 8, "max_position_embeddings": 40960, "tie_word_embeddings": True},
}
"""The text model's keys if a file has none."""


@frozen(kw_only=True)
class AdaptorConfig:
    """The projector's keys that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    num_attention_heads: Dim = fields.size(8)
    intermediate_size: Dim = fields.size(256)
    num_hidden_layers: int = fields.size(2, minimum=0)
    hidden_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    hidden_act: str = activation("relu")
    projector_hidden_act: str = activation("relu")
    projector_hidden_size: Dim = fields.size(2048)


@frozen(kw_only=True)
class FunAsrNanoConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("fun_asr_nano_encoder")
    adaptor_config: AdaptorConfig | None = fields.nested(AdaptorConfig, "fun_asr_nano")
    text_config: SubModel = text_model("qwen3", TEXT)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def projected(a: AdaptorConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the rows of sounds as wide as the text; the builder is in the projector's scope."""
    act = ACTIVATIONS[a.projector_hidden_act]
    x = activated(b, act, linear(b, "linear_1", x, a.projector_hidden_size), "act")
    x = linear(b, "linear_2", x, a.hidden_size)
    kind = Remembering(
        a.hidden_size,
        a.num_attention_heads,
        a.intermediate_size,
        a.hidden_act,
        a.hidden_dropout,
        a.attention_dropout,
        None,
    )
    return stacked(kind, workload, b, x, 0, a.num_hidden_layers, ())


def compose(config: FunAsrNanoConfig, root: str) -> Composition:
    """Returns the text model with its sounds."""
    text = described(config.text_config)
    adaptor = config.adaptor_config or AdaptorConfig()
    if differ(adaptor.hidden_size, text.width):
        raise ConfigError(
            f"adaptor_config.hidden_size is {adaptor.hidden_size} and text_config's {text.width}: as wide"
        )

    def features(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}audio_tower"):
            x = encoded(config.audio_config, workload, b)
        b.hold(x)
        with b.scope(f"{root}multi_modal_projector"):
            x = projected(adaptor, workload, b, x)
        count = prod(x.spec.shape[:-1])
        kept = b.apply("full", name="sounds_mask", shape=x.spec.shape[:-1], dtype="bool")
        return b.apply("index", x, kept, name="sounds_rows", dims=(0,), count=count)

    return Composition(text, (Part("audios", features),), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = sounding(
    "fun_asr_nano",
    FunAsrNanoConfig,
    compose,
    __file__,
    lambda config: config.audio_config,
    classes=CLASSES,
    doc="Fun-ASR Nano: an encoder of sound with a memory of values, a projector with layers of attention, any decoder.",
)
