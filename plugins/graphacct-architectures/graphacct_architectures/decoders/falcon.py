"""Falcon: parallel attention and network; one head of keys and values, or groups of them in the new decoder.

Almazrouei et al., 2023 (arXiv:2311.16867). The RefinedWeb models (falcon-rw) have ALiBi slopes and serial layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Dim, PresetFiles, equal, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.joint import GROUPS, LAST_TWO, SIDE_BY_SIDE
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.heads import HeadConfig
from graphacct_architectures.losses import cross_entropy

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class FalconConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on.

    `n_head_kv` is the first files' name for `num_kv_heads`; only the new decoder had it.
    """

    vocab_size: Dim = fields.size(65024)
    hidden_size: Dim = fields.size(4544)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(71)
    num_ln_in_parallel_attn: Dim | None = fields.optional_size()
    hidden_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    num_kv_heads: Dim | None = fields.optional_size()
    n_head_kv: Dim | None = fields.optional_size()
    alibi: bool = fields.flag(False)
    new_decoder_architecture: bool = fields.flag(False)
    multi_query: bool = fields.flag(True)
    parallel_attn: bool = fields.flag(True)
    bias: bool = fields.flag(False)
    max_position_embeddings: Dim = fields.size(2048)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    ffn_hidden_size: Dim | None = fields.optional_size()
    activation: str = activation("gelu")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def is_new(self) -> bool:
        """Whether it is the decoder of Falcon-40B."""
        return self.new_decoder_architecture or self.n_head_kv is not None

    @property
    def kv_heads(self) -> Dim:
        """Heads of keys and values; one or all in the old decoder."""
        heads = self.num_attention_heads
        if not self.is_new:
            return 1 if self.multi_query else heads
        shared = self.num_kv_heads if self.n_head_kv is None else self.n_head_kv
        if shared is None:
            return heads
        exact_div(heads, shared, "num_attention_heads / num_kv_heads")
        return shared


def describe(config: FalconConfig) -> Decoder:
    """Returns a stack of equal layers; the softmax is in the model's dtype.

    The cache holds each head of keys and values once. In the new decoder, the transformers library's cache holds a copy
    for each query head.
    """
    width, parallel = config.hidden_size, config.is_new or config.parallel_attn
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    rotary = 0 if config.alibi else d_head
    norms = ("input_layernorm", "" if parallel else "post_attention_layernorm")
    if config.is_new and (config.num_ln_in_parallel_attn is None or equal(config.num_ln_in_parallel_attn, 2)):
        norms = ("ln_attn", "ln_mlp")
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            d_head,
            module="self_attention",
            joint="query_key_value",
            joint_order=GROUPS if config.is_new else LAST_TWO if equal(config.kv_heads, 1) else SIDE_BY_SIDE,
            kv_broadcast=not config.is_new and config.multi_query,
            out="dense",
            bias=config.bias,
            out_bias=config.bias,
            rotary=rotary,
            alibi=config.alibi,
            masked=True,
            upcast="",
            dropout=config.attention_dropout if config.alibi else 0.0,
        ),
        Mlp(
            4 * width if config.ffn_hidden_size is None else config.ffn_hidden_size,
            ACTIVATIONS[config.activation],
            gated=False,
            up="dense_h_to_4h",
            down="dense_4h_to_h",
            bias=config.bias,
        ),
        NORM,
        attention_norm=norms[0],
        mlp_norm=norms[1],
        parallel=parallel,
        outputs_joined=True,
        dropout=config.hidden_dropout,
        attention_dropout=config.attention_dropout,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.num_hidden_layers,
        module="transformer",
        embedding="word_embeddings",
        stack="h",
        norm="ln_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", d_head),),
    )


ARCHITECTURE = decoder(
    "falcon",
    FalconConfig,
    describe,
    PresetFiles(__file__),
    aliases={"n_embed": "hidden_size", "n_head": "num_attention_heads", "n_layer": "num_hidden_layers"},
    translated=("n_embed",),
    model_types=("falcon", "RefinedWeb", "RefinedWebModel"),
    tokens="classifier",
    no_cost={"ff_factor": None},
    token_loss=cross_entropy,
    doc="Falcon: LayerNorm, parallel layers, multi-query or grouped attention; RefinedWeb's with ALiBi.",
)
