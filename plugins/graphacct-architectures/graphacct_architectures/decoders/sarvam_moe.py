"""Sarvam 2 with grouped queries: Ling 2.0's layers in the published files, GLM-4.5's in the transformers library.

huggingface.co/sarvamai/sarvam-30b. The class of the published file stands in its own repository
(`modeling_sarvam_moe.py`), with a joint projection; transformers (5.24) reads the type with Glm4MoeForCausalLM. Both
have the same parameters in sum, under other names.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.bailing_moe import BailingMoeConfig, ling_experts
from graphacct_architectures.decoders.bailing_moe import describe as ling
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, fraction, rotary_dims, whole
from graphacct_architectures.decoders.parts.router import SIGMOID, SOFTMAX
from graphacct_architectures.decoders.parts.sparse import layered
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, first_class

STEM = "SarvamMoE"


@frozen(kw_only=True)
class SarvamMoeConfig(BailingMoeConfig):
    """The keys of the published config.json that the cost depends on, with the defaults of transformers' class."""

    architectures: str = first_class(kept=STEM)
    vocab_size: Dim = fields.size(262144)
    hidden_size: Dim = fields.size(4096)
    intermediate_size: Dim | None = fields.optional_size(8192)
    num_hidden_layers: Dim = fields.size(19)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    max_position_embeddings: Dim = fields.size(131072)
    moe_intermediate_size: Dim = fields.size(1024)
    num_experts: Dim = fields.size(128)
    num_experts_per_tok: Dim = fields.size(6)
    num_shared_experts: Dim = fields.size(1, minimum=0)
    first_k_dense_replace: int = fields.size(1, minimum=0)
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    embedding_dropout: float = fields.probability(0.0)
    output_dropout: float = fields.probability(0.0)
    use_bias: bool = fields.flag(False)
    use_qk_norm: bool = fields.flag(True)
    partial_rotary_factor: float = fraction(1.0)
    score_function: str = fields.choice(SIGMOID, (SOFTMAX, SIGMOID))
    moe_router_enable_expert_bias: bool = fields.flag(True)

    @property
    def ending(self) -> str:
        """The known ending of the class's name."""
        return CAUSAL if self.architectures == STEM else super().ending


def describe(config: SarvamMoeConfig) -> Decoder:
    """Returns layers with experts after the first one, under the names of the class that the file has."""
    if config.architectures.startswith(STEM):
        return ling(config)
    rotary = rotary_dims(config)
    attention = rotated_attention(
        config,
        out_bias=False,
        rotary=rotary,
        rotary_joined=True,
        qk_norm="head" if config.use_qk_norm else "",
    )
    experts = attrs.evolve(ling_experts(config), corrected_by=Correction(), downcast=False)
    first, dense = whole(config.first_k_dense_replace, "first_k_dense_replace"), network(config)
    layers = layered(
        config.num_hidden_layers, first == 0, lambda index: Layer(attention, experts if index >= first else dense)
    )
    return around(config, layers, rotary_tables=(("rotary_emb", rotary),))


ARCHITECTURE = decoder(
    "sarvam_moe",
    SarvamMoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        **dict.fromkeys(("num_local_experts", "n_routed_experts"), "num_experts"),
        "n_shared_experts": "num_shared_experts",
    },
    classes=(CAUSAL, ALONE),
    stem="Glm4Moe",
    no_cost={**dict.fromkeys(("router_dtype", "max_window_layers", "sliding_window")), "norm_head": None},
    doc="Sarvam 2: small experts and a shared one, normed queries and keys.",
)
