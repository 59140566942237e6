"""Bamba: Mamba-2's scans, and attention in listed layers (IBM, Princeton, CMU, UIUC, 2024)."""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Attention, Decoder, Layer, Mixing, Mlp, decoder, rotary_dims, whole
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_mamba.hybrid import SCAN_NO_COST, ScanConfig, of_the_chunks, scan_of
from graphacct_mamba.scan_heads import scan_heads
from graphacct_mamba.sizes import indices


@frozen(kw_only=True)
class BambaConfig(ScanConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128000)
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(262144)
    attn_layer_indices: tuple[int, ...] | None = indices()
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)

    @property
    def partial_rotary_factor(self) -> float:
        """Half of each head is rotated, unless the rotary settings say otherwise."""
        return 0.5


def describe(config: BambaConfig) -> Decoder:
    """Returns layers that differ in what mixes positions."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=rotary_dims(config),
        rotary_joined=True,
        dropout=config.attention_dropout,
    )
    scan = Mixing("mamba", scan_of(config), scan_heads)
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], module="feed_forward", bias=config.mlp_bias)
    listed = config.attn_layer_indices or ()
    layers = (
        Layer(attention if index in listed else scan, network, mlp_norm="pre_ff_layernorm")
        for index in range(whole(config.num_hidden_layers, "num_hidden_layers"))
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layers),
        norm="final_layernorm",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary_dims(config)),),
    )


ARCHITECTURE = decoder(
    "bamba",
    BambaConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={**SCAN_NO_COST, "z_loss_coefficient": (0, 0.0)},
    inexact=of_the_chunks,
    doc="Bamba: Mamba-2's scans, and attention in listed layers.",
)
