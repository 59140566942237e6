"""dots.llm1: Qwen3's attention, DeepSeek-V3's experts after the first layers, windows in the last layers of some.

Huo et al., 2025 (arXiv:2506.05767).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.glm4_moe import CorrectedConfig, dense_first
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import FeedForward
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import FULL, SLIDING, decoder, kinds_of_attention, layer_types
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Dots1Config(CorrectedConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(152064)
    hidden_size: Dim = fields.size(4608)
    intermediate_size: Dim = fields.size(10944)
    num_hidden_layers: Dim = fields.size(62)
    num_key_value_heads: Dim | None = fields.optional_size(32)
    n_routed_experts: Dim | None = fields.optional_size()
    n_shared_experts: Dim | None = fields.optional_size()
    norm_topk_prob: bool = fields.flag(False)
    sliding_window: Dim | None = fields.window(4096)
    max_window_layers: Dim = fields.size(62, minimum=0)
    layer_types: tuple[str, ...] | None = layer_types()


def describe(config: Dots1Config) -> Decoder:
    """Returns layers that differ in their network and in their window."""
    for key in ("n_routed_experts", "n_shared_experts"):
        if getattr(config, key) is None:
            raise ConfigError(f"{key} is missing: the class has no number of experts of its own")
    windowed = config.sliding_window is not None

    def usual(index: int) -> str:
        return SLIDING if windowed and index >= config.max_window_layers else FULL

    kinds = kinds_of_attention(config, usual)

    def attention(kind: str) -> Attention:
        return rotated_attention(config, qk_norm="head", window=config.sliding_window if kind == SLIDING else None)

    by_kind = {kind: attention(kind) for kind in dict.fromkeys(kinds)}

    def layer(index: int, feed_forward: FeedForward) -> Layer:
        return Layer(by_kind[kinds[index]], feed_forward)

    layers = dense_first(config, layer)
    if isinstance(layers, Layer) and len(by_kind) > 1:
        layers = tuple(Layer(by_kind[kind], layers.feed_forward) for kind in kinds)
    return around(config, layers)


ARCHITECTURE = decoder(
    "dots1",
    Dots1Config,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={"scoring_func": ("sigmoid", "noaux_tc"), "topk_method": None, "moe_layer_freq": (1,)},
    doc="dots.llm1: Qwen3's attention, DeepSeek-V3's experts.",
)
