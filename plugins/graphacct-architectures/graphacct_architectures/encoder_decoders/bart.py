"""BART: an encoder and a decoder with learned positions and LayerNorm after each part.

Lewis et al., 2020 (arXiv:1910.13461).
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Head,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder, of_text

LM, MODEL = "BartForConditionalGeneration", "BartModel"
SEQUENCE, SPANS, CAUSAL = "BartForSequenceClassification", "BartForQuestionAnswering", "BartForCausalLM"
SPARE = 2
"""Rows of the position tables before the first position."""


@frozen(kw_only=True)
class BartConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, SEQUENCE, SPANS, CAUSAL))
    vocab_size: Dim = fields.size(50265)
    max_position_embeddings: Dim = fields.size(1024)
    d_model: Dim = fields.size(1024)
    encoder_layers: Dim = fields.size(12, minimum=0)
    encoder_ffn_dim: Dim = fields.size(4096)
    encoder_attention_heads: Dim = fields.size(16)
    decoder_layers: Dim = fields.size(12)
    decoder_ffn_dim: Dim = fields.size(4096)
    decoder_attention_heads: Dim = fields.size(16)
    activation_function: str = activation("gelu")
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    classifier_dropout: float = fields.probability(0.0)
    encoder_layerdrop: float = fields.probability(0.0)
    decoder_layerdrop: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count(3)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: BartConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    return like_bart(config, LM, MODEL, embedding_norm="layernorm_embedding")


def like_bart(
    config: Any,
    with_head: str,
    alone: str,
    *,
    embedding_norm: str = "",
    norm_first: bool = False,
    encoder_positions: Positions | None = None,
    decoder_positions: Positions | None = None,
    logits_bias: str = "final_logits_bias",
    **rest: Any,
) -> EncoderDecoder:
    """Returns a model of BART's parts in another mix. The class `with_head` has logits of words and `alone` has
    none; a `…ForCausalLM` is the decoder alone; other classes have classifiers. Layers whose norms come first end in
    a norm of the stack's."""
    width, count = config.d_model, config.max_position_embeddings

    def attention(module: str, heads: Dim, cross: bool = False) -> Attention:
        d_head = exact_div(width, heads, "d_model / attention heads")
        return Attention(heads, d_head, module, cross, dropout=config.attention_dropout)

    def network(inner: Dim) -> Part:
        kind = ACTIVATIONS[config.activation_function]
        drop = config.activation_dropout
        module = Mlp(inner, kind, gated=False, module="", up="fc1", down="fc2", bias=True, dropout=drop)
        return Part(module, "final_layer_norm")

    def stack(module: str, layers: Dim, positions: Positions | None, *parts: Part) -> Stack:
        own = Positions("embed_positions", count + SPARE, count, per_sequence=module == "encoder")
        return Stack(
            parts,
            layers,
            module,
            table_scaled=True,  # by 1 if `scale_embedding` is false
            positions=positions or own,
            embedding_norm=embedding_norm,
            norm="layer_norm" if norm_first else "",
            norm_kind=Norm(LAYER_NORM, bias=True),
            norm_first=norm_first,
        )

    first, second = config.encoder_attention_heads, config.decoder_attention_heads
    causal = Part(attention("self_attn", second), "self_attn_layer_norm")
    other = Part(attention("encoder_attn", second, cross=True), "encoder_attn_layer_norm")
    name, tied = config.architectures, config.tie_word_embeddings
    classifier = None
    if name.endswith("ForSequenceClassification"):
        classifier = of_text(width, config.num_labels, config.classifier_dropout)
    elif name.endswith("ForQuestionAnswering"):
        classifier = Classifier("qa_outputs", 2, spans=True)  # whatever num_labels says
    common: dict[str, Any] = {
        "module": "" if name == alone else "model",
        "shares": tied,
        "head": Head(tied=tied, bias=logits_bias) if name == with_head else None,
        "classifier": classifier,
        "dropout": config.dropout,
        **rest,
    }
    encoder = None
    if name.endswith("ForCausalLM"):
        common |= {"shared": "", "head": Head(tied=tied), "alone": True}
    else:
        own = Part(attention("self_attn", first), "self_attn_layer_norm")
        encoder = stack("encoder", config.encoder_layers, encoder_positions, own, network(config.encoder_ffn_dim))
    return EncoderDecoder(
        config.vocab_size,
        width,
        encoder,
        stack("decoder", config.decoder_layers, decoder_positions, causal, other, network(config.decoder_ffn_dim)),
        **common,
    )


KEYS = {
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "num_hidden_layers": "encoder_layers",
}
"""Other spellings of keys, which the library's classes translate."""
ARCHITECTURE = encoder_decoder(
    "bart",
    BartConfig,
    describe,
    PresetFiles(__file__),
    doc="BART: encoder and decoder, learned positions, LayerNorm after each part, GELU.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model=CAUSAL,
)
