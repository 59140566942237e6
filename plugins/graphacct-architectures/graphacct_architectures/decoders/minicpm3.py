"""MiniCPM 3: latent attention, constant multipliers of the embedding, each residual and the stream before the head.

Hu et al., 2024 (arXiv:2404.06395); names and order as in the transformers library's MiniCPM3ForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.deepseek import ATTENTION
from graphacct_architectures.decoders.parts.description.attention import Attention, Latent
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE


@frozen(kw_only=True)
class MiniCPM3Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(73448)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(6400)
    num_hidden_layers: Dim = fields.size(62)
    num_attention_heads: Dim = fields.size(40)
    max_position_embeddings: Dim = fields.size(32768)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    kv_lora_rank: Dim = fields.size(256)
    q_lora_rank: Dim | None = fields.optional_size(768)
    qk_nope_head_dim: Dim = fields.size(64)
    qk_rope_head_dim: Dim = fields.size(32)
    v_head_dim: Dim | None = fields.optional_size()

    @property
    def values(self) -> Dim:
        """The width of a head of values: as stated, or the model's width divided by the heads."""
        if self.v_head_dim is not None:
            return self.v_head_dim
        return exact_div(self.hidden_size, self.num_attention_heads, "hidden_size / num_attention_heads")


def describe(config: MiniCPM3Config) -> Decoder:
    """Returns a stack of equal layers."""
    heads = config.num_attention_heads
    attention = Attention(
        heads,
        heads,
        config.qk_nope_head_dim + config.qk_rope_head_dim,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=config.qk_rope_head_dim,
        dropout=config.attention_dropout,
        latent=Latent(config.kv_lora_rank, config.values, config.q_lora_rank),
    )
    layer = Layer(attention, network(config), residual_scaled=True)
    tables = (("rotary_emb", config.qk_rope_head_dim),)
    return around(config, layer, embedding_scaled=True, stream_scaled=True, rotary_tables=tables)


ARCHITECTURE = decoder(
    "minicpm3",
    MiniCPM3Config,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost=dict.fromkeys(("scale_emb", "scale_depth", "dim_model_base", "qk_head_dim")),
    doc="MiniCPM 3: latent attention, constant multipliers.",
)
