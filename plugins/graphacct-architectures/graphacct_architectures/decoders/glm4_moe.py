"""GLM-4.5, 4.6 and 4.7: half of each head rotated, DeepSeek-V3's experts after the first layers.

GLM-4.5 Team, 2025 (arXiv:2508.06471). The layers that predict further tokens are not in the library's class and are
not counted.
"""

from __future__ import annotations

from typing import Any

from graphacct import ConfigError, Dim, PresetFiles, fields, floor_div, frozen
from graphacct_architectures.decoders.parts.deepseek import corrected_experts
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims, whole
from graphacct_architectures.decoders.parts.sparse import at_most, layered
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class CorrectedConfig(DecoderConfig):
    """The keys of families with DeepSeek-V3's experts and attention of their own."""

    attention_bias: bool = fields.flag(False)
    moe_intermediate_size: Dim = fields.size(1408)
    n_routed_experts: Dim = fields.size()
    n_shared_experts: Dim = fields.stated_size()
    num_experts_per_tok: Dim | None = fields.optional_size()
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    norm_topk_prob: bool = fields.flag(True)
    first_k_dense_replace: Dim = fields.size(0, minimum=0)

    @property
    def per_token(self) -> Dim:
        """How many experts a token runs through, not counting shared ones."""
        if self.num_experts_per_tok is None:
            raise ConfigError(
                f"num_experts_per_tok is missing: how many of {self.n_routed_experts} experts a token has"
            )
        return at_most(self.num_experts_per_tok, self.n_routed_experts, "num_experts_per_tok, n_routed_experts")


@frozen(kw_only=True)
class Glm4MoeConfig(CorrectedConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151552)
    intermediate_size: Dim = fields.size(10944)
    num_hidden_layers: Dim = fields.size(46)
    num_attention_heads: Dim = fields.size(96)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    n_routed_experts: Dim = fields.size(128)
    n_shared_experts: Dim = fields.stated_size(1)
    num_experts_per_tok: Dim | None = fields.optional_size(8)
    first_k_dense_replace: Dim = fields.size(1, minimum=0)
    use_qk_norm: bool = fields.flag(False)
    partial_rotary_factor: float = fraction(0.5)

    @property
    def d_head(self) -> Dim:
        """The width of a head: as stated, or the model's width divided by the heads and rounded down."""
        return floor_div(self.hidden_size, self.num_attention_heads) if self.head_dim is None else self.head_dim


def dense_first(config: CorrectedConfig, kind: Any) -> Layer | tuple[Layer, ...]:
    """Returns the layers, `kind(index, experts or network)`: the first have one network, the others experts."""
    experts, dense = corrected_experts(config), network(config)
    first = whole(config.first_k_dense_replace, "first_k_dense_replace")

    def layer(index: int) -> Layer:
        return kind(index, dense if index < first else experts)

    return layered(config.num_hidden_layers, first == 0, layer, first)


def describe(config: Glm4MoeConfig) -> Decoder:
    """Returns layers whose first have one network and the others experts."""
    rotary = rotary_dims(config, paired=True)
    attention = rotated_attention(
        config, out_bias=False, rotary=rotary, rotary_joined=True, qk_norm="head" if config.use_qk_norm else ""
    )
    layers = dense_first(config, lambda index, feed_forward: Layer(attention, feed_forward))
    return around(config, layers, rotary_tables=(("rotary_emb", rotary),))


ARCHITECTURE = decoder(
    "glm4_moe",
    Glm4MoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    doc="GLM-4.5: half of each head rotated, DeepSeek-V3's experts.",
)
