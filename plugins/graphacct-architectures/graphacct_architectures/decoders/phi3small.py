"""Phi-3-small: groups of heads in one projection, LayerNorm, a clamped gated network, constants of µP.

Abdin et al., 2024 (arXiv:2404.14219). The class stands in the models' own repositories (`modeling_phi3_small.py`), not
in the transformers library: names and shapes are that file's. Layers with block-sparse attention are counted as if they
computed all scores under their mask: their kernel skips the blocks that no query sees.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, Workload, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.joint import GROUPS
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import CAUSAL

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class Phi3SmallConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(100352)
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(8192)
    hidden_act: str = fields.choice("gegelu", ("gegelu",))
    tie_word_embeddings: bool = fields.flag(True)
    embedding_dropout_prob: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    ffn_dropout_prob: float = fields.probability(0.1)
    attention_bias: bool = fields.always(False)


def describe(config: Phi3SmallConfig) -> Decoder:
    """Returns a stack of equal layers, with biases everywhere."""
    attention = rotated_attention(
        config, joint="query_key_value", joint_order=GROUPS, out="dense", bias=True, out_bias=True
    )
    other = Mlp(
        config.intermediate_size,
        "gelu",
        joint="up_proj",
        bias=True,
        clamped=True,
        dropout=0.0,
    )
    layer = Layer(attention, other, NORM, dropout=config.ffn_dropout_prob, attention_dropout=0.0)
    return around(
        config,
        layer,
        norm="final_layernorm",
        norm_kind=NORM,
        embedding_scaled=True,
        logits_scaled=True,
        embedding_dropout=config.embedding_dropout_prob,
    )


def inexact(config: Phi3SmallConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is counted and what no library measures."""
    sparse = "block-sparse attention is counted as if all scores were computed: its kernel skips blocks"
    return (*own_repository(config, workload, dtype), sparse)


KEYS = {"ff_intermediate_size": "intermediate_size", "attention_dropout_prob": "attention_dropout"}
ARCHITECTURE = decoder(
    "phi3small",
    Phi3SmallConfig,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    aliases=KEYS,
    translated=KEYS,
    classes=(CAUSAL,),
    stem="Phi3Small",
    no_cost={
        **dict.fromkeys(
            (
                *("blocksparse_block_size", "blocksparse_homo_head_pattern", "blocksparse_num_local_blocks"),
                *("blocksparse_triton_kernel_block_size", "blocksparse_vert_stride", "dense_attention_every_n_layers"),
                *("dummy_token_indices", "gegelu_limit", "gegelu_pad_to_256", "layer_norm_epsilon"),
                *("mup_attn_multiplier", "mup_embedding_multiplier", "mup_use_scaling", "mup_width_multiplier"),
                *("rope_embedding_base", "rope_position_scale", "pad_sequence_to_multiple_of_64"),
                *("reorder_and_upcast_attn",),
            )
        ),
    },
    doc="Phi-3-small: groups of heads in one projection, LayerNorm, a clamped gated network.",
)
