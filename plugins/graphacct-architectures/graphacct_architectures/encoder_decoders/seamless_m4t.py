"""SeamlessM4T, from text to text: an encoder and a decoder with the norms first and sinusoidal positions.

Seamless Communication et al., 2023 (arXiv:2308.11596, arXiv:2312.05187). The classes that hear or speak are refused by
name: a file that names one of them, or the whole model, is read with `--set architectures=SeamlessM4TForTextToText`.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
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
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM = "SeamlessM4TForTextToText"
SPARE = 2
"""Rows of the position tables before the first position."""


@frozen(kw_only=True)
class SeamlessConfig:
    """The keys of the published config.json that the cost of a text's translation depends on."""

    architectures: str = fields.model_class(LM, (LM,))
    vocab_size: Dim = fields.size(256102)
    hidden_size: Dim = fields.size(1024)
    max_position_embeddings: Dim = fields.size(1024)
    encoder_layerdrop: float = fields.probability(0.05)
    decoder_layerdrop: float = fields.probability(0.05)
    activation_function: str = activation("relu")
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.0)
    encoder_layers: Dim = fields.size(24)
    encoder_ffn_dim: Dim = fields.size(8192)
    encoder_attention_heads: Dim = fields.size(16)
    decoder_layers: Dim = fields.size(24)
    decoder_ffn_dim: Dim = fields.size(8192)
    decoder_attention_heads: Dim = fields.size(16)
    pad_token_id: Dim = fields.size(0, minimum=0)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: SeamlessConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks. A sequence for which the table is too short makes a longer one, which
    changes no FLOPs."""
    width, count = config.hidden_size, config.max_position_embeddings + SPARE
    table = Positions("embed_positions", count, count - config.pad_token_id - 1, per_sequence=True, computed=True)
    act, drop = ACTIVATIONS[config.activation_function], config.activation_dropout

    def attention(module: str, heads: Dim, cross: bool = False) -> Part:
        d_head = exact_div(width, heads, "hidden_size / attention heads")
        return Part(Attention(heads, d_head, module, cross, dropout=config.attention_dropout), f"{module}_layer_norm")

    def network(inner: Dim) -> Part:
        module = Mlp(inner, act, gated=False, module="ffn", up="fc1", down="fc2", bias=True, dropout=drop)
        return Part(module, "ffn_layer_norm")

    def stack(module: str, layers: Dim, *parts: Part) -> Stack:
        return Stack(
            parts,
            layers,
            module,
            table_scaled=True,  # by 1 if `scale_embedding` is false
            positions=table,
            norm="layer_norm",
            norm_kind=Norm(LAYER_NORM, bias=True),
        )

    first, second = config.encoder_attention_heads, config.decoder_attention_heads
    encoder = stack(
        "text_encoder", config.encoder_layers, attention("self_attn", first), network(config.encoder_ffn_dim)
    )
    decoder = stack(
        "text_decoder",
        config.decoder_layers,
        attention("self_attn", second),
        attention("cross_attention", second, cross=True),
        network(config.decoder_ffn_dim),
    )
    tied = config.tie_word_embeddings
    return EncoderDecoder(
        config.vocab_size, width, encoder, decoder, shares=tied, head=Head(tied=tied), dropout=config.dropout
    )


OF_SPEECH = (
    *("t2u_vocab_size", "speech_encoder_layers", "speech_encoder_attention_heads", "speech_encoder_intermediate_size"),
    *("speech_encoder_hidden_act", "speech_encoder_dropout", "add_adapter", "speech_encoder_layerdrop"),
    *("feature_projection_input_dim", "num_conv_pos_embeddings", "num_conv_pos_embedding_groups"),
    *("adaptor_kernel_size", "adaptor_stride", "adaptor_dropout", "num_adapter_layers", "position_embeddings_type"),
    *("rotary_embedding_base", "max_source_positions", "conv_depthwise_kernel_size", "t2u_max_new_tokens"),
    *("t2u_encoder_layers", "t2u_encoder_ffn_dim", "t2u_encoder_attention_heads", "t2u_decoder_layers"),
    *("t2u_decoder_ffn_dim", "t2u_decoder_attention_heads", "t2u_max_position_embeddings", "sampling_rate"),
    *("upsample_initial_channel", "upsample_rates", "upsample_kernel_sizes", "resblock_kernel_sizes"),
    *("resblock_dilation_sizes", "leaky_relu_slope", "unit_hifi_gan_vocab_size", "unit_embed_dim", "lang_embed_dim"),
    *("spkr_embed_dim", "vocoder_num_langs", "vocoder_num_spkrs", "variance_predictor_kernel_size"),
    *("var_pred_dropout", "vocoder_offset", "t2u_bos_token_id", "t2u_pad_token_id", "t2u_eos_token_id"),
    *("t2u_decoder_start_token_id", "left_max_position_embeddings", "right_max_position_embeddings"),
    *(
        "speech_encoder_chunk_size",
        "speech_encoder_left_chunk_num",
        "char_vocab_size",
        "t2u_variance_predictor_embed_dim",
    ),
    *("t2u_variance_predictor_hidden_dim", "t2u_variance_predictor_kernel_size", "t2u_variance_pred_dropout"),
)
"""Keys of the parts for speech, which this class does not have."""
ARCHITECTURE = encoder_decoder(
    "seamless_m4t",
    SeamlessConfig,
    describe,
    PresetFiles(__file__),
    doc="SeamlessM4T from text to text: encoder and decoder, sinusoidal positions, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases={"num_hidden_layers": "decoder_layers", "num_attention_heads": "decoder_attention_heads"},
    counts_dropped=True,
    no_cost=dict.fromkeys((*OF_SPEECH, "scale_embedding", "max_new_tokens", "layer_norm_eps", "initializer_range")),
)
