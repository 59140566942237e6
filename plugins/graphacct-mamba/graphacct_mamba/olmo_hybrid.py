"""OLMo Hybrid: gated delta networks, and OLMo's attention with norms behind it in every fourth layer (Ai2, 2026)."""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Attention, Decoder, DecoderConfig, Layer, Mixing, Mlp, Norm, decoder
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen
from graphacct_mamba.gated_delta import EACH, GatedDelta, gated_delta, of_whole_chunks
from graphacct_mamba.kinds import FULL, LINEAR, kinds_of, layer_kinds

WIDE = Norm(upcast="all")


@frozen(kw_only=True)
class OlmoHybridConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on. Positions are not rotated if `rope_theta`
    is null in the rotary settings, as in the published models."""

    vocab_size: Dim = fields.size(100352)
    hidden_size: Dim = fields.size(3840)
    num_attention_heads: Dim = fields.size(30)
    max_position_embeddings: Dim = fields.size(65536)
    attention_bias: bool = fields.flag(False)
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, LINEAR)
    linear_num_key_heads: Dim | None = fields.optional_size()
    linear_num_value_heads: Dim | None = fields.optional_size()
    linear_key_head_dim: Dim | None = fields.optional_size()
    linear_value_head_dim: Dim | None = fields.optional_size()
    linear_conv_kernel_dim: Dim = fields.size(4)
    linear_allow_neg_eigval: bool = fields.flag(True)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each layer's kind: without a list, one of four has attention, and the last if there are fewer."""
        kinds = kinds_of(self.layer_types, self.num_hidden_layers, lambda index: FULL if index % 4 == 3 else LINEAR)
        if self.layer_types is None and FULL not in kinds:
            kinds = (*kinds[:-1], FULL)
        for kind in (LINEAR, FULL):
            if kind not in kinds:
                raise ConfigError(f"no layer is {kind}: this class has at least one")
        return kinds

    @property
    def delta(self) -> GatedDelta:
        """The sizes of a gated delta network."""
        heads = self.num_attention_heads
        keys = heads if self.linear_num_key_heads is None else self.linear_num_key_heads
        values = heads if self.linear_num_value_heads is None else self.linear_num_value_heads
        exact_div(values, keys, "linear_num_value_heads / linear_num_key_heads")
        width = self.linear_key_head_dim
        if width is None:
            width = 3 * self.hidden_size // (4 * keys)
        return GatedDelta(
            keys,
            width,
            values,
            2 * width if self.linear_value_head_dim is None else self.linear_value_head_dim,
            self.linear_conv_kernel_dim,
            ACTIVATIONS[self.hidden_act],
            form=EACH,
            doubled=self.linear_allow_neg_eigval,
        )


def describe(config: OlmoHybridConfig) -> Decoder:
    """Returns layers of two shapes: norms before a gated delta network, or behind attention."""
    settings = config.rope_parameters
    rotary = 0 if "rope_theta" in settings and settings["rope_theta"] is None else config.d_head
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=rotary,
        qk_norm="width",
        dropout=config.attention_dropout,
    )
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    kinds = {
        LINEAR: Layer(Mixing("linear_attn", config.delta, gated_delta), network, WIDE),
        FULL: Layer(
            attention,
            network,
            WIDE,
            attention_norm="",
            attention_post_norm="post_attention_layernorm",
            mlp_norm="",
            mlp_post_norm="post_feedforward_layernorm",
        ),
    }
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(kinds[kind] for kind in config.kinds),
        norm_kind=WIDE,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
        rotary_cast=False,
    )


ARCHITECTURE = decoder(
    "olmo_hybrid",
    OlmoHybridConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(
        ["linear_a_log_max", "linear_a_log_min", "linear_dt_init_floor", "linear_dt_max", "linear_dt_min"]
    ),
    inexact=lambda config, workload, dtype: of_whole_chunks(config.delta, workload, dtype),
    doc="OLMo Hybrid: gated delta networks, OLMo's attention in every fourth layer.",
)
