"""OLMo 3: OLMo 2's layers, three of four with a window, and rotary positions for each kind of layer.

Team OLMo, 2025 (arXiv:2512.13961).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.olmo2 import NORM, Olmo2Config, normed_last
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import FULL, SLIDING, decoder, kinds_of_attention, layer_types
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE


@frozen(kw_only=True)
class Olmo3Config(Olmo2Config):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    sliding_window: Dim | None = fields.window(4096)
    layer_types: tuple[str, ...] | None = layer_types()


def describe(config: Olmo3Config) -> Decoder:
    """Returns layers of which every fourth sees all positions, unless the file names each layer's kind."""
    kinds = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % 4 else FULL)
    tables = {kind: f"rotary_emb.{kind}" for kind in dict.fromkeys(kinds)}
    layers = tuple(
        normed_last(
            config,
            rotated_attention(
                config,
                qk_norm="width",
                rotary_tables=tables[kind],
                window=config.sliding_window if kind == SLIDING else None,
            ),
        )
        for kind in kinds
    )
    rotary = tuple((name, config.d_head) for name in tables.values())
    return around(config, layers, rotary_tables=rotary, rotary_cast=False, norm_kind=NORM)


ARCHITECTURE = decoder(
    "olmo3",
    Olmo3Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE),
    doc="OLMo 3: OLMo 2's layers, a window in three of four.",
)
