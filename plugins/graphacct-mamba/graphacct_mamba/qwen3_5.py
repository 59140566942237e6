"""The text model of Qwen3.5: gated delta networks with four projections, gated attention in every fourth layer."""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Decoder, Layer, Mlp, decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_mamba.qwen3_next import CENTRED, GatedDeltaConfig, mixed_decoder, mixers, of_sequences


@frozen(kw_only=True)
class Qwen35Config(GatedDeltaConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(248320)
    hidden_size: Dim = fields.size(4096)
    intermediate_size: Dim = fields.size(12288)
    num_key_value_heads: Dim | None = fields.size(4)
    attn_output_gate: bool = fields.always(True)


def describe(config: Qwen35Config) -> Decoder:
    """Returns layers that differ in what mixes positions."""
    parts = mixers(config, joint=False)
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    return mixed_decoder(config, tuple(Layer(parts[kind], network, norm=CENTRED) for kind in config.kinds))


ARCHITECTURE = decoder(
    "qwen3_5_text",
    Qwen35Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE),
    inexact=of_sequences,
    doc="Qwen3.5's text model: gated delta networks, gated attention in every fourth layer.",
)
