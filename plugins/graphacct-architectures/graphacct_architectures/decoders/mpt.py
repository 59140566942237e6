"""MPT: ALiBi, LayerNorm without bias, no biases, a tied head.

MosaicML, "Introducing MPT-7B", 2023; names and order as in the transformers library's MptForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder, number, written_out_alone
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, SPAN, TOKENS, HeadConfig
from graphacct_architectures.losses import cross_entropy

NORM = Norm(LAYER_NORM)


@frozen(kw_only=True)
class MptAttentionConfig:
    """The keys of `attn_config` that the cost depends on. The class adds slopes whatever `alibi` says."""

    attn_pdrop: float = fields.probability(0.0)
    clip_qkv: float | None = number(None)
    attn_type: str = fields.choice("multihead_attention", ("multihead_attention",))
    qk_ln: bool = fields.always(False)
    prefix_lm: bool = fields.always(False)
    alibi: bool = fields.always(True)


@frozen(kw_only=True)
class MptConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50368)
    d_model: Dim = fields.size(2048)
    n_heads: Dim = fields.size(16)
    n_layers: Dim = fields.size(24)
    max_seq_len: Dim = fields.size(2048)
    attn_config: MptAttentionConfig | None = fields.nested(MptAttentionConfig, "mpt")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: MptConfig) -> Decoder:
    """Returns a stack of equal layers, whose network is always four times as wide as the stream."""
    width, own = config.d_model, config.attn_config or MptAttentionConfig()
    layer = Layer(
        Attention(
            config.n_heads,
            config.n_heads,
            exact_div(width, config.n_heads, "d_model / n_heads"),
            module="attn",
            joint="Wqkv",
            out="out_proj",
            clamped=bool(own.clip_qkv),
            alibi=True,
            mask_filled=True,
            dropout=own.attn_pdrop,
        ),
        Mlp(4 * width, "gelu", gated=False, module="ffn"),
        NORM,
        attention_norm="norm_1",
        mlp_norm="norm_2",
        dropout=own.attn_pdrop,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.n_layers,
        module="transformer",
        embedding="wte",
        stack="blocks",
        norm="norm_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "mpt",
    MptConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    aliases={"hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"},
    translated=("hidden_size", "num_hidden_layers", "num_attention_heads"),
    context=lambda config: config.max_seq_len,
    tokens="classifier",
    token_loss=cross_entropy,
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS, SPAN),
    no_cost={
        "alibi_bias_max": None,
        "attn_impl": None,
        "attn_uses_sequence_id": (False,),
        "embedding_fraction": None,
        "emb_pdrop": None,
        "resid_pdrop": None,
        "expansion_ratio": (4,),
        "init_config": None,
        "init_device": None,
        "learned_pos_emb": None,
        "logit_scale": (None,),
        "no_bias": (True,),
        "norm_type": ("low_precision_layernorm",),
        "verbose": None,
    },
    doc="MPT: ALiBi, LayerNorm without bias, no biases.",
)
