"""Jais: GPT-2's parts with slopes by distance, a gated network, and multipliers of embedding and logits.

Sengupta et al., 2023 (arXiv:2308.16149). The class stands in the models' own repositories (`modeling_jais.py`), not in
the transformers library: names, shapes and order are that file's. The slopes are among the parameters, but not trained.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.heads import ALONE, CAUSAL, HeadConfig

NORM = Norm(LAYER_NORM, bias=True)
SWIGLU, ALIBI, LEARNED = "swiglu", "alibi", "learned"


def activation_or_gated(default: str) -> Any:
    """Returns an activation of the library's, or `swiglu` for a gated network."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if not isinstance(value, str) or (value != SWIGLU and value not in ACTIVATIONS):
            raise ConfigError(f"{field.name} cannot be {brief(value)}: it is {SWIGLU} or an activation, as gelu_new")
        return value

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class JaisConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50257)
    n_positions: Dim = fields.size(1024)
    n_embd: Dim = fields.size(768)
    n_layer: Dim = fields.size(12)
    n_head: Dim = fields.size(12)
    n_inner: Dim | None = fields.optional_size()
    activation_function: str = activation_or_gated("gelu_new")
    position_embedding_type: str = fields.choice(LEARNED, (LEARNED, ALIBI))
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    attn_pdrop: float = fields.probability(0.1)
    add_cross_attention: bool = fields.always(False)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: JaisConfig) -> Decoder:
    """Returns a stack of equal layers, whose weights are stored (in, out)."""
    gated, slopes = config.activation_function == SWIGLU, config.position_embedding_type == ALIBI
    layer = Layer(
        Attention(
            config.n_head,
            config.n_head,
            exact_div(config.n_embd, config.n_head, "n_embd / n_head"),
            module="attn",
            joint="c_attn",
            out="c_proj",
            bias=True,
            out_bias=True,
            in_out=True,
            alibi=slopes,
            dropout=config.attn_pdrop,
        ),
        Mlp(
            4 * config.n_embd if config.n_inner is None else config.n_inner,
            "silu" if gated else ACTIVATIONS[config.activation_function],
            gated=gated,
            gate="c_fc2",
            up="c_fc",
            down="c_proj",
            bias=True,
            in_out=True,
        ),
        NORM,
        attention_norm="ln_1",
        mlp_norm="ln_2",
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        config.n_embd,
        layer,
        config.n_layer,
        module="transformer",
        embedding="wte",
        embedding_scaled=True,
        positions=None if slopes else Positions("wpe", config.n_positions),
        most_positions=None if slopes else ("n_positions", config.n_positions),
        stack="h",
        norm="ln_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        logits_scaled=True,
        embedding_dropout=config.embd_pdrop,
        slopes_stored="relative_pe.slopes" if slopes else "",
    )


ARCHITECTURE = decoder(
    "jais",
    JaisConfig,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    dtype="float32",
    stem="JAIS",
    classes=(CAUSAL, ALONE),
    no_cost={
        **dict.fromkeys(
            (
                *("embeddings_scale", "width_scale", "mup_embeddings_scale", "mup_output_alpha", "mup_width_scale"),
                *("mup_scale_qk_dot_by_d", "scale_qk_dot_by_d", "alibi_scaling", "scale_attn_weights"),
                *("summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type"),
                *("summary_use_proj", "layer_norm_epsilon"),
            )
        ),
        "scale_attn_by_inverse_layer_idx": (False,),
        "reorder_and_upcast_attn": (False,),
    },
    doc="Jais: GPT-2's parts, ALiBi, a gated network.",
)
