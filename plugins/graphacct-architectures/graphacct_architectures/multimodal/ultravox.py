"""Ultravox: Whisper's encoder, eight positions beside one another through a gated network with norms, any decoder.

Its class is in its repository (fixie-ai/ultravox, ultravox_model.py); vLLM's ultravox.py has the same modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, SubModel, Value, brief, ceil_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Gated, Linear, Normed, Step
from graphacct_architectures.multimodal.parts.sounds import audio_model, heard, sounding

CLASS = "UltravoxModel"
GATED = "swiglu"
WHISPER: Mapping[str, Any] = {
    **{"num_mel_bins": 80, "d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536},
    **{"max_source_positions": 1500, "activation_function": "gelu", "dropout": 0.0, "attention_dropout": 0.0},
    "activation_dropout": 0.0,
}
"""The encoder's keys, with the defaults of Whisper's configuration class."""


def of_encoder(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the file's keys, with those of Whisper's that its encoder reads: there is no decoder of it."""
    said = content.get("audio_config")
    if not isinstance(said, Mapping):
        return content
    return {**content, "audio_config": {key: value for key, value in said.items() if key in WHISPER}}


def projector_act() -> Any:
    """Returns the key of the projector's activation: a gate, or one that the library knows."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if value != GATED and value not in ACTIVATIONS:
            raise ConfigError(f"{field.name} is {brief(value)}: known are {GATED}, {', '.join(sorted(ACTIVATIONS))}")
        return str(value)

    return fields.checked_field(check, GATED)


def stated() -> Any:
    """Returns the key of a model in another repository, whose configuration this file does not have."""

    def check(value: Any, field: attrs.Attribute[Any]) -> None:
        if value is not None:
            part = field.name.replace("_model_id", "_config")
            raise ConfigError(
                f"{field.name} is {brief(value)}, whose config.json is not in this file: put its keys into {part}, and "
                f"add --set {field.name}=null"
            )

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class UltravoxConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    audio_model_id: None = stated()
    text_model_id: None = stated()
    audio_config: SubModel = audio_model("voxtral_encoder", always=True, absent=WHISPER)
    text_config: SubModel = text_model("llama")
    hidden_size: Dim = fields.size(4096)
    stack_factor: Dim = fields.size(8)
    projector_act: str = projector_act()
    projector_ln_mid: bool = fields.flag(False)
    num_projector_layers: int = fields.size(0, minimum=0)
    dtype: str | None = fields.dtype()


@frozen
class Stacked:
    """So many positions beside one another as one, the last ones padded with zeros: a copy."""

    factor: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        sounds, count, width = x.spec.shape
        rows = ceil_div(count, self.factor)
        x = b.apply("pad", x, name="padded", padding=((0, rows * self.factor - count), (0, 0)))
        return b.apply("reshape", x, name="stacked", shape=(sounds, rows, width * self.factor))


def compose(config: UltravoxConfig, root: str) -> Composition:
    """Returns a decoder with its own head, and its sounds through the encoder and the projector."""
    if config.num_projector_layers:
        raise ConfigError(
            f"num_projector_layers is {config.num_projector_layers}: a projector with layers of attention is not read"
        )
    text = described(config.text_config)
    gated = config.projector_act == GATED
    act: Step = Gated("silu") if gated else Activated(ACTIVATIONS[config.projector_act])
    steps: list[Step] = [
        Stacked(config.stack_factor),
        Normed("ln_pre", Norm()),
        Linear("linear_1", config.hidden_size, bias=False),
        act,
        *([Normed("ln_mid", Norm())] if config.projector_ln_mid else []),
        Linear("linear_2", text.width, bias=False),
        *([] if config.projector_ln_mid else [Normed("ln_post", Norm())]),
    ]
    return Composition(text, (heard(config.audio_config, "", steps),), "language_model", own_head=True)


ARCHITECTURE = sounding(
    "ultravox",
    UltravoxConfig,
    compose,
    __file__,
    lambda config: config.audio_config,
    classes=(CLASS, ""),
    prepare=of_encoder,
    no_cost=dict.fromkeys(("norm_init", "audio_token_index", "audio_latency_block_size", "custom_pipelines")),
    doc="Ultravox: Whisper's encoder, positions beside one another, a gated network with norms, any decoder.",
)
