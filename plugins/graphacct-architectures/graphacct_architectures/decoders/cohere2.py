"""Command R7B and A: Command R's parallel layers, three of four with a window, which alone are rotated by position.

Cohere, 2025 (arXiv:2504.00698); names and order as in the transformers library's Cohere2ForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.cohere import NORM, CohereConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    decoder,
    kinds_of_attention,
    layer_types,
    width_over_heads,
)
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Cohere2Config(CohereConfig):
    """The keys of the published config.json that the cost depends on."""

    use_qk_norm: bool = fields.always(False)
    sliding_window: Dim | None = fields.window(4096)
    sliding_window_pattern: int = fields.size(4)
    layer_types: tuple[str, ...] | None = layer_types()

    @property
    def d_head(self) -> Dim:
        """The width of a head, whatever the file says."""
        return width_over_heads(self)


def describe(config: Cohere2Config) -> Decoder:
    """Returns layers of which every fourth sees all positions, unless the file says otherwise."""
    kinds = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % config.sliding_window_pattern else FULL)

    def layer(kind: str) -> Layer:
        slides = kind == SLIDING
        attention = rotated_attention(
            config, rotary=config.d_head if slides else 0, window=config.sliding_window if slides else None
        )
        return Layer(attention, network(config), NORM, mlp_norm="", parallel=True)

    return around(config, tuple(map(layer, kinds)), norm_kind=NORM, logits_scaled=True)


ARCHITECTURE = decoder(
    "cohere2",
    Cohere2Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(
        (
            *("order_of_interleaved_layers", "position_embedding_type", "rotary_pct", "layer_switch"),
            *("use_embedding_sharing", "use_gated_activation", "use_parallel_block", "use_parallel_embedding"),
        )
    ),
    doc="Command R7B, Command A: parallel layers, windows and rotary positions in three of four.",
)
