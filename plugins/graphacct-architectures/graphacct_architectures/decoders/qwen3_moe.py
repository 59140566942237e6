"""Qwen3 with experts: its attention, and 128 small experts of which each token runs through eight.

Yang et al., 2025 (arXiv:2505.09388).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import FULL, SLIDING, decoder
from graphacct_architectures.decoders.parts.sparse import layered
from graphacct_architectures.decoders.qwen2_moe import SparseQwenConfig, many_experts
from graphacct_architectures.decoders.qwen3 import normed_heads, qwen3
from graphacct_architectures.heads import CAUSAL


@frozen(kw_only=True)
class Qwen3MoeConfig(SparseQwenConfig):
    """The keys of the published config.json that the cost depends on.

    Attributes:
        both_ways: Whether attention sees the whole sequence, as in diffusion models, whose class is the language model
            whatever its name ends in.
    """

    any_width: ClassVar[bool] = True
    both_ways: ClassVar[bool] = False
    intermediate_size: Dim = fields.size(6144)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    attention_bias: bool = fields.flag(False)
    use_qk_norm: bool = fields.always(True)
    num_local_experts: Dim = fields.size(128, minimum=0)
    num_experts_per_tok: Dim = fields.size(8)
    moe_intermediate_size: Dim = fields.size(768)

    @property
    def ending(self) -> str:
        """The known ending of the class's name."""
        return CAUSAL if self.both_ways else super().ending


def describe(config: Qwen3MoeConfig) -> Decoder:
    """Returns layers that differ at most in having experts; all or none have a window."""
    only = FULL if config.window is None else SLIDING
    other = next((kind for kind in config.layer_types or () if kind != only), None)
    if other is not None:
        raise ConfigError(f"layer_types has {brief(other)}: every layer of this configuration has {only}")
    attention = normed_heads(config, config.window)
    if config.both_ways:
        attention = attrs.evolve(attention, causal=False, unmasked=True)
    dense = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    experts: Mlp | Experts = dense  # the class builds a dense network if there are no experts
    if not equal(config.num_local_experts, 0):
        experts = many_experts(config, config.num_local_experts, "num_experts")

    def kind(index: int) -> Layer:
        return Layer(attention, experts if config.alike or config.sparse(index) else dense)

    return qwen3(config, layered(config.num_hidden_layers, config.alike, kind))


ARCHITECTURE = decoder(
    "qwen3_moe",
    Qwen3MoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_experts": "num_local_experts"},
    span="transformer",
    doc="Qwen3-MoE: Qwen3's attention, small experts of which each token runs through eight.",
)
