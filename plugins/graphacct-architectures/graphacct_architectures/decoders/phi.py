"""Phi-1, Phi-1.5 and Phi-2: parallel attention and network on one norm, part of each head rotated, biases.

Gunasekar et al., 2023 (arXiv:2306.11644) and Li et al., 2023 (arXiv:2309.05463). Phixtral (Labonne, 2024), whose class
stands in the models' own repositories, has the first files' keys, and experts in place of the network; their weights,
which the file has one by one, are counted as stacked.
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims
from graphacct_architectures.decoders.parts.router import TOP_SOFTMAX
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class PhiConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on.

    `rotary_dim` and `n_inner` are in the first files of Phi-1.5 and Phi-2, whose network is four times as wide as the
    stream unless `n_inner` gives its width.
    """

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(51200)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(24)
    hidden_act: str = activation("gelu_new")
    resid_pdrop: float = fields.probability(0.0)
    embd_pdrop: float = fields.probability(0.0)
    qk_layernorm: bool = fields.flag(False)
    partial_rotary_factor: float = fraction(0.5)
    rotary_dim: Dim | None = fields.optional_size()
    n_inner: Dim | None = fields.optional_size()
    num_local_experts: Dim | None = fields.optional_size()
    num_experts_per_tok: Dim = fields.size(2)

    @property
    def inner(self) -> Dim:
        """The width of the network's hidden layer."""
        if self.rotary_dim is None:
            return self.intermediate_size
        return 4 * self.hidden_size if self.n_inner is None else self.n_inner


def experts(config: PhiConfig, count: Dim, inner: Dim) -> Experts:
    """Returns Phixtral's experts, chosen by the best scores, whose softmax are their weights."""
    many = at_most(config.num_experts_per_tok, count, "num_experts_per_tok, num_local_experts")
    act = ACTIVATIONS[config.hidden_act]
    return Experts(count, many, inner, act, module="moe", gated=False, bias=True, scoring=TOP_SOFTMAX, downcast=True)


def phixtral(config: PhiConfig, count: Dim, rotary: Dim) -> Decoder:
    """Returns Phixtral, under the names of Phi-2's first files."""
    inner = 4 * config.hidden_size if config.n_inner is None else config.n_inner
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        module="mixer",
        joint="Wqkv",
        out="out_proj",
        bias=True,
        out_bias=True,
        rotary=rotary,
    )
    layer = Layer(attention, experts(config, count, inner), NORM, attention_norm="ln", mlp_norm="", parallel=True)
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        module="transformer",
        embedding="embd.wte",
        stack="h",
        norm="",
        norm_kind=NORM,
        head_norm="lm_head.ln",
        head="lm_head.linear",
        head_bias=True,
        rotary_tables=(("rotary_emb", rotary),),
    )


def describe(config: PhiConfig) -> Decoder:
    """Returns a stack of equal layers, and a head with a bias."""
    rotary = rotary_dims(config) if config.rotary_dim is None else config.rotary_dim
    if config.num_local_experts is not None:
        return phixtral(config, config.num_local_experts, rotary)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            out="dense",
            bias=True,
            out_bias=True,
            rotary=rotary,
            rotary_joined=True,
            qk_norm="head" if config.qk_layernorm else "",
            qk_norm_names=("q_layernorm", "k_layernorm"),
            dropout=config.attention_dropout,
        ),
        Mlp(config.inner, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        NORM,
        mlp_norm="",
        parallel=True,
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        norm="final_layernorm",
        norm_kind=NORM,
        head_bias=True,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
        embedding_dropout=config.embd_pdrop,
    )


ARCHITECTURE = decoder(
    "phi",
    PhiConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "n_embd": "hidden_size",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_head_kv": "num_key_value_heads",
        "n_positions": "max_position_embeddings",
        "activation_function": "hidden_act",
    },
    model_types=("phi", "phi-msft", "mixformer-sequential", "phixtral"),
    dtype="float16",
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="Phi-1, Phi-1.5, Phi-2: LayerNorm, parallel layers on one norm, part of each head rotated, biases.",
)
