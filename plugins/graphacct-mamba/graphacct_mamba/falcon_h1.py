"""Falcon-H1: in each layer a Mamba-2 scan beside attention, with constant multipliers everywhere.

Zuo et al., "Falcon-H1", 2025 (arXiv:2507.22448).
"""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Attention, Decoder, Layer, Mixing, Mlp, decoder
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_mamba.hybrid import SCAN_NO_COST, ScanConfig, of_the_chunks, scan_of
from graphacct_mamba.scan_heads import AFTER, BEFORE, NOT, scan_heads


@frozen(kw_only=True)
class FalconH1Config(ScanConfig):
    """The keys of the published config.json that the cost depends on; the multipliers are applied even if they are
    1."""

    vocab_size: Dim = fields.size(128000)
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(8192)
    mamba_d_ssm: Dim | None = fields.optional_size(1024)
    mamba_rms_norm: bool = fields.flag(False)
    mamba_norm_before_gate: bool = fields.flag(True)
    projectors_bias: bool = fields.flag(False)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)

    @property
    def scan_channels(self) -> Dim:
        """Channels of a scan: as stated, or a multiple of the width."""
        return self.mamba_expand * self.hidden_size if self.mamba_d_ssm is None else self.mamba_d_ssm


def describe(config: FalconH1Config) -> Decoder:
    """Returns a stack of equal layers."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=config.d_head,
        dropout=config.attention_dropout,
        key_scaled=True,
    )
    normed = NOT
    if config.mamba_rms_norm:
        normed = BEFORE if config.mamba_norm_before_gate else AFTER
    scan = scan_of(config, out_bias=config.projectors_bias, normed=normed, multiplied=True)
    network = Mlp(
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        module="feed_forward",
        bias=config.mlp_bias,
        scaled=True,
    )
    layer = Layer(attention, network, mlp_norm="pre_ff_layernorm", beside=Mixing("mamba", scan, scan_heads))
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        embedding_scaled=True,
        norm="final_layernorm",
        tied=config.tie_word_embeddings,
        logits_scaled=True,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "falcon_h1",
    FalconH1Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={
        **SCAN_NO_COST,
        **dict.fromkeys(
            [
                "attention_in_multiplier",
                "attention_out_multiplier",
                "embedding_multiplier",
                "key_multiplier",
                "lm_head_multiplier",
                "mamba_use_mlp",
                "mlp_expansion_factor",
                "mlp_multipliers",
                "ssm_in_multiplier",
                "ssm_multipliers",
                "ssm_out_multiplier",
                "time_step_floor",
                "time_step_rank",
            ]
        ),
    },
    inexact=of_the_chunks,
    doc="Falcon-H1: a Mamba-2 scan beside attention in each layer, with constant multipliers.",
)
