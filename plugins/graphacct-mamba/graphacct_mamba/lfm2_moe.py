"""LFM2 with experts: its convolutions and attention, a network in the first layers and experts in the others."""

from __future__ import annotations

from graphacct_architectures.decoders import Correction, Decoder, DecoderConfig, Experts, FeedForward, decoder

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_mamba.kinds import CONVOLUTION, FULL, kinds_of, layer_kinds
from graphacct_mamba.lfm2 import CLASSES, lfm2, mixed, network

USUAL = (CONVOLUTION, CONVOLUTION, FULL, CONVOLUTION) * 8
"""A model of the class's own size; the class itself has no list, and a file has to give one."""


@frozen(kw_only=True)
class Lfm2MoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(65536)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(7168)
    moe_intermediate_size: Dim = fields.size(1792)
    num_key_value_heads: Dim | None = fields.size(8)
    max_position_embeddings: Dim = fields.size(128_000)
    tie_word_embeddings: bool = fields.flag(True)
    conv_bias: bool = fields.flag(False)
    conv_L_cache: Dim = fields.size(3)
    num_dense_layers: int = fields.size(2, minimum=0)
    num_experts_per_tok: Dim = fields.size(4)
    num_experts: Dim = fields.size(32)
    use_expert_bias: bool = fields.flag(True)
    norm_topk_prob: bool = fields.flag(True)
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, CONVOLUTION, default=USUAL)


def describe(config: Lfm2MoeConfig) -> Decoder:
    """Returns layers by their listed kinds."""
    if config.layer_types is None:
        raise ConfigError("layer_types is not there: list full_attention or conv for each layer")
    experts = Experts(
        config.num_experts,
        config.num_experts_per_tok,
        config.moe_intermediate_size,
        "silu",
        module="feed_forward",
        scoring="sigmoid",
        normalised=config.norm_topk_prob,
        correction=config.use_expert_bias,
        above_zero="shift",
        corrected_by=Correction("expert_bias", beside=True),
        scaled=True,
    )

    def part(index: int) -> FeedForward:
        return network(config.intermediate_size) if index < config.num_dense_layers else experts

    kinds = kinds_of(config.layer_types, config.num_hidden_layers, str)
    return lfm2(config, tuple(mixed(config, kind, part(index)) for index, kind in enumerate(kinds)))


ARCHITECTURE = decoder(
    "lfm2_moe",
    Lfm2MoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"tie_embedding": "tie_word_embeddings"},
    translated={"tie_embedding"},
    classes=CLASSES,
    doc="LFM2 with experts: short gated convolutions, attention in some layers.",
)
