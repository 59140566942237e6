"""The text model of Qwen3.5 with experts: its layers with many small experts and a shared one."""

from __future__ import annotations

from graphacct_architectures.decoders import Decoder, Layer, decoder
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_mamba.qwen3_next import CENTRED, GatedDeltaConfig, mixed_decoder, mixers, of_sequences, shared_experts


@frozen(kw_only=True)
class Qwen35MoeConfig(GatedDeltaConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(248320)
    num_hidden_layers: Dim = fields.size(40)
    moe_intermediate_size: Dim = fields.size(512)
    shared_expert_intermediate_size: Dim = fields.size(512)
    num_experts_per_tok: Dim = fields.size(8)
    num_experts: Dim = fields.size(256)
    attn_output_gate: bool = fields.always(True)


def describe(config: Qwen35MoeConfig) -> Decoder:
    """Returns layers that differ in what mixes positions; all have experts."""
    parts = mixers(config, joint=False)
    experts = shared_experts(config, normalised=True)
    return mixed_decoder(config, tuple(Layer(parts[kind], experts, norm=CENTRED) for kind in config.kinds))


ARCHITECTURE = decoder(
    "qwen3_5_moe_text",
    Qwen35MoeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={"mlp_only_layers": None},
    inexact=of_sequences,
    doc="Qwen3.5's text model with experts: gated delta networks, gated attention in every fourth layer.",
)
