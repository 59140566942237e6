"""K-EXAONE: EXAONE 4's attention between norms before each part, DeepSeek-V3's experts.

LG AI Research, 2026 (arXiv:2601.01739).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.exaone4 import Exaone4Config
from graphacct_architectures.decoders.exaone4 import describe as exaone4
from graphacct_architectures.decoders.parts.deepseek import corrected_experts
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import at_most, network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import network
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class ExaoneMoeConfig(Exaone4Config):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    first_k_dense_replace: int = fields.size(1, minimum=0)
    moe_intermediate_size: Dim = fields.size(1024)
    num_experts: Dim = fields.size(64)
    num_experts_per_tok: Dim = fields.size(8)
    num_shared_experts: Dim = fields.size(1)
    norm_topk_prob: bool = fields.flag(True)
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)

    @property
    def per_token(self) -> Dim:
        """How many experts a token runs through, not counting shared ones."""
        return at_most(self.num_experts_per_tok, self.num_experts, "num_experts_per_tok, num_experts")

    @property
    def n_routed_experts(self) -> Dim:
        """The number of experts that a router chooses from."""
        return self.num_experts

    @property
    def n_shared_experts(self) -> Dim:
        """How many experts' width the shared network has."""
        return self.num_shared_experts


def describe(config: ExaoneMoeConfig) -> Decoder:
    """Returns EXAONE 4's layers with other norms and networks."""
    plain = exaone4(config)
    assert not isinstance(plain.layer, Layer)
    first = config.first_k_dense_replace
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: index >= first)
    experts, dense = corrected_experts(config), network(config)
    layers = tuple(
        Layer(layer.attention, experts if has else dense) for layer, has in zip(plain.layer, sparse, strict=True)
    )
    return attrs.evolve(plain, layer=layers)


ARCHITECTURE = decoder(
    "exaone_moe",
    ExaoneMoeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={"scoring_func": ("sigmoid",), "topk_method": ("noaux_tc",), "is_moe_layer": None},
    doc="K-EXAONE: EXAONE 4's attention, DeepSeek-V3's experts.",
)
