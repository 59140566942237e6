"""wav2vec 2.0 with conformer layers.

Gulati et al., 2020 (arXiv:2005.08100); Baevski et al., 2020 (arXiv:2006.11477).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.audio.parts.conformer_layers import RELATIVE, ROTARY, Conformer, Places
from graphacct_architectures.audio.parts.description import Waves
from graphacct_architectures.audio.parts.family import HEADS, AdaptedConfig, known, like_wav2vec2, waves


def kind_of_places(default: str | None, kinds: tuple[str, ...]) -> Any:
    """Returns the key `position_embeddings_type`: one of `kinds`, or none."""
    checked = fields.choice(default or kinds[0], kinds).converter.converter

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        return None if value is None else str(checked(value, field))

    return fields.checked_field(check, default, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Wav2Vec2ConformerConfig(AdaptedConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "wav2vec2_conformer"

    architectures: str = known("Wav2Vec2Conformer", HEADS)
    vocab_size: Dim | None = fields.optional_size()
    position_embeddings_type: str | None = kind_of_places(RELATIVE, (RELATIVE, ROTARY))
    conv_depthwise_kernel_size: Dim = fields.size(31)
    conformer_conv_dropout: float = fields.probability(0.1)
    do_stable_layer_norm: Any = fields.checked_field(lambda value, field: True, True)


def describe(config: Wav2Vec2ConformerConfig) -> Waves:
    """Returns the encoder, with one norm after all layers; its convolution of positions does not run."""
    layers = Conformer(
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        config.conv_depthwise_kernel_size,
        Places(config.position_embeddings_type, stored=True),
        dropout=config.hidden_dropout,
        inner_dropout=config.activation_dropout,
        attention_dropout=config.attention_dropout,
        conv_dropout=config.conformer_conv_dropout,
    )
    return like_wav2vec2(config, conformer=layers, adapter=config.adapter)


ARCHITECTURE = waves(
    "wav2vec2-conformer",
    Wav2Vec2ConformerConfig,
    describe,
    PresetFiles(__file__),
    doc="wav2vec 2.0 with conformer layers; alone or with the head of a class.",
    no_cost={"max_source_positions": None, "rotary_embedding_base": None},
)
