"""StableLM: Llama with LayerNorm and a quarter of each head rotated; the 12B has parallel layers and a norm per head.

Bellagente et al., 2024 (arXiv:2402.17834).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    fraction,
    rotary_dims,
    width_over_heads,
)
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS

NORM = Norm(LAYER_NORM, bias=True)
HEAD_NORM = Norm(LAYER_NORM)


@frozen(kw_only=True)
class StableLmConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50304)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(6912)
    num_key_value_heads: Dim = fields.size(32)
    max_position_embeddings: Dim = fields.size(4096)
    use_qkv_bias: bool = fields.flag(False)
    qk_layernorm: bool = fields.flag(False)
    use_parallel_residual: bool = fields.flag(False)
    hidden_dropout: float = fields.probability(0.0)
    partial_rotary_factor: float = fraction(0.25)

    @property
    def d_head(self) -> Dim:
        return width_over_heads(self)


def describe(config: StableLmConfig) -> Decoder:
    """Returns a stack of equal layers; only the network's output is dropped in training."""
    rotary = rotary_dims(config)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.use_qkv_bias,
            rotary=rotary,
            rotary_joined=True,
            qk_norm="heads" if config.qk_layernorm else "",
            qk_norm_names=("q_layernorm", "k_layernorm"),
            qk_norm_kind=HEAD_NORM,
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]),
        NORM,
        mlp_norm="" if config.use_parallel_residual else "post_attention_layernorm",
        parallel=config.use_parallel_residual,
        dropout=config.hidden_dropout,
        attention_dropout=0.0,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "stablelm",
    StableLmConfig,
    describe,
    PresetFiles(__file__),
    aliases={"rope_pct": "partial_rotary_factor"},
    model_types=("stablelm", "stablelm_epoch"),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="StableLM: LayerNorm, SwiGLU, a quarter of each head rotated; 12B with parallel layers and normalized heads.",
)
