"""TrOCR's decoder: BART's, alone or attending to what an encoder of images saw.

Li et al., 2021 (arXiv:2109.10282). The library's class writes attention out.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.bart import SPARE
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Head,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

CAUSAL = "TrOCRForCausalLM"


@frozen(kw_only=True)
class TrOCRConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CAUSAL, (CAUSAL,))
    vocab_size: Dim = fields.size(50265)
    d_model: Dim = fields.size(1024)
    decoder_layers: Dim = fields.size(12)
    decoder_attention_heads: Dim = fields.size(16)
    decoder_ffn_dim: Dim = fields.size(4096)
    activation_function: str = activation("gelu")
    max_position_embeddings: Dim = fields.size(512)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    decoder_layerdrop: float = fields.probability(0.0)
    use_learned_position_embeddings: bool = fields.flag(True)
    layernorm_embedding: bool = fields.flag(True)
    pad_token_id: Dim = fields.size(1, minimum=0)
    cross_attention_hidden_size: Dim | None = fields.optional_size()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: TrOCRConfig) -> EncoderDecoder:
    """Returns the decoder. A sequence for which the table of sinusoidal positions is too short makes a longer one."""
    width, count, heads = config.d_model, config.max_position_embeddings, config.decoder_attention_heads
    d_head = exact_div(width, heads, "d_model / decoder_attention_heads")

    def attention(module: str, cross: bool = False) -> Part:
        own = config.cross_attention_hidden_size if cross else None
        found = Attention(
            heads,
            d_head,
            module,
            cross,
            scaled=False,
            query_scaled=True,
            dropout=config.attention_dropout,
            kv_width=own,
            written_out=True,
        )
        return Part(found, f"{module}_layer_norm")

    network = Mlp(
        config.decoder_ffn_dim,
        ACTIVATIONS[config.activation_function],
        gated=False,
        module="",
        up="fc1",
        down="fc2",
        bias=True,
        dropout=config.activation_dropout,
    )
    table = Positions("embed_positions", count + SPARE, count, per_sequence=True)
    if not config.use_learned_position_embeddings:
        rows = count + config.pad_token_id + 1
        table = Positions("embed_positions", rows, count, per_sequence=True, computed=True)
    decoder = Stack(
        (attention("self_attn"), attention("encoder_attn", cross=True), Part(network, "final_layer_norm")),
        config.decoder_layers,
        "decoder",
        table_scaled=True,
        positions=table,
        embedding_norm="layernorm_embedding" if config.layernorm_embedding else "",
        norm_kind=Norm(LAYER_NORM, bias=True),
        norm_first=False,
    )
    return EncoderDecoder(
        config.vocab_size,
        width,
        None,
        decoder,
        module="model",
        shared="",
        head=Head("output_projection", tied=config.tie_word_embeddings),
        dropout=config.dropout,
        alone=True,
    )


ARCHITECTURE = encoder_decoder(
    "trocr",
    TrOCRConfig,
    describe,
    PresetFiles(__file__),
    doc="TrOCR's decoder: BART's, which attends to an image inside a composition.",
    context=lambda config: config.max_position_embeddings,
    encoder_seq_len=False,
    aliases={
        "hidden_size": "d_model",
        "num_attention_heads": "decoder_attention_heads",
        "num_hidden_layers": "decoder_layers",
    },
    language_model=CAUSAL,
)
