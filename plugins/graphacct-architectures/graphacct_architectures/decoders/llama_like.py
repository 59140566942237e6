"""Models with Llama's layers under other names, or with another norm: a row of data each, in `relatives.py`.

The classes stand in the models' own repositories, not in the transformers library. A row says what its class has
otherwise, as class variables: keywords of the description's parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct import ConfigError, PresetFiles, fields, frozen
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import decoder, number
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import CAUSAL

NOTHING: Mapping[str, Any] = {}


@frozen(kw_only=True)
class LlamaLikeConfig(LlamaConfig):
    """Llama's keys, and as class variables what a class has otherwise.

    Attributes:
        of_attention, of_network, of_layer, of_norm, of_decoder: Keywords of these parts of the description.
        always_language_model: Whether the class is the language model whatever its name ends in.
        out_bias_by: The flag that says whether the output projection has a bias; empty for none.
        scaled_if: The flag that says whether embedding and logits are multiplied by constants; empty for never.
    """

    of_attention: ClassVar[Mapping[str, Any]] = NOTHING
    of_network: ClassVar[Mapping[str, Any]] = NOTHING
    of_layer: ClassVar[Mapping[str, Any]] = NOTHING
    of_norm: ClassVar[Mapping[str, Any]] = NOTHING
    of_decoder: ClassVar[Mapping[str, Any]] = NOTHING
    always_language_model: ClassVar[bool] = False
    out_bias_by: ClassVar[str] = "attention_bias"
    scaled_if: ClassVar[str] = ""
    rope_parameters: Mapping[str, Any] = rope_parameters({"telechat3-yarn": "yarn"})
    use_mup: bool = fields.flag(False)
    use_sliding_window: bool = fields.always(False)
    clip_qkv: float | None = number(None)
    use_qk_norm: bool = fields.flag(True)

    @property
    def ending(self) -> str:
        """The known ending of the class's name."""
        return CAUSAL if self.always_language_model else super().ending


def describe(config: LlamaLikeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    if config.clip_qkv is not None:
        raise ConfigError(f"clip_qkv is {config.clip_qkv}: this family's class clamps no queries, so leave it out")
    more = dict(config.of_attention)
    if not config.use_qk_norm:
        more.pop("qk_norm", None)
    more["out_bias"] = bool(config.out_bias_by) and getattr(config, config.out_bias_by)
    norm = Norm(**config.of_norm)
    layer = Layer(rotated_attention(config, **more), network(config, **config.of_network), norm, **config.of_layer)
    scaled = bool(config.scaled_if) and getattr(config, config.scaled_if)
    return around(config, layer, norm_kind=norm, embedding_scaled=scaled, logits_scaled=scaled, **config.of_decoder)


ARCHITECTURE = decoder(
    "llama_like",
    LlamaLikeConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    stem="Llama",
    doc="Llama's layers under other names.",
)
