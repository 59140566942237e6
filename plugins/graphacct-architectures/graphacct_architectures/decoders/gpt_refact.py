"""Refact-1.6B: slopes by distance, one head of keys and values, LayerNorm without a bias, a gated network.

Small Magellanic Cloud AI, "Refact-1.6B-fim", 2023. The class stands in the model's own repository
(`modeling_gpt_refact.py`), not in the transformers library: names and shapes are that file's.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, ceil_div, exact_div, fields, frozen
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.heads import CAUSAL, HeadConfig

MULTIPLE = 256
"""What the width of the network is rounded up to a multiple of."""
NORM = Norm(LAYER_NORM)


@frozen(kw_only=True)
class GptRefactConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(49216)
    n_positions: Dim = fields.size(4096)
    n_embd: Dim = fields.size(2048)
    n_layer: Dim = fields.size(32)
    n_head: Dim = fields.size(32)
    n_inner: Dim | None = fields.optional_size()
    multi_query: bool = fields.always(True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def inner(self) -> Dim:
        """The width of the network's hidden layer: two thirds of the stated one, rounded up to a multiple."""
        stated = 4 * self.n_embd if self.n_inner is None else self.n_inner
        return MULTIPLE * ceil_div(2 * stated // 3, MULTIPLE)


def describe(config: GptRefactConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        Attention(
            config.n_head,
            1,
            exact_div(config.n_embd, config.n_head, "n_embd / n_head"),
            module="attn",
            q="q",
            kv_joint="kv",
            out="c_proj",
            alibi=True,
        ),
        Mlp(config.inner, "silu", joint="gate_up_proj", down="c_proj"),
        NORM,
        attention_norm="ln_1",
        mlp_norm="ln_2",
    )
    return Decoder(
        config.vocab_size,
        config.n_embd,
        layer,
        config.n_layer,
        module="transformer",
        embedding="wte",
        stack="h",
        norm="",
        head_norm="ln_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "gpt_refact",
    GptRefactConfig,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    classes=(CAUSAL,),
    no_cost=dict.fromkeys(
        (
            *("attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "attention_bias_in_fp32", "resid_pdrop"),
            *("embd_pdrop", "attn_pdrop", "activation_function", "layer_norm_epsilon", "scale_attn_weights"),
        )
    ),
    doc="Refact-1.6B: ALiBi, one head of keys and values, LayerNorm without a bias, a gated network.",
)
