"""ChatGLM2, ChatGLM3 and GLM-4-9B in their first form: two heads of keys and values, half of each head rotated.

Zeng et al., 2024 (arXiv:2406.12793). The class stands in the models' own repositories (`modeling_chatglm.py`), not in
the transformers library: names, shapes and order are that file's. ChatGLM-6B, the first one, is another model.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, RMS, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import CAUSAL, HeadConfig

LANGUAGE_MODEL = "ChatGLMForConditionalGeneration"
OLDER = {"ChatGLMModel": LANGUAGE_MODEL, "ChatGLMForCausalLM": LANGUAGE_MODEL}
"""Published files name the bare model, and map it to the language model (`auto_map`)."""


@frozen(kw_only=True)
class ChatGLMConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LANGUAGE_MODEL, (LANGUAGE_MODEL,), OLDER)
    num_layers: Dim = fields.size(28)
    padded_vocab_size: Dim = fields.size(65024)
    hidden_size: Dim = fields.size(4096)
    ffn_hidden_size: Dim = fields.size(13696)
    kv_channels: Dim = fields.size(128)
    num_attention_heads: Dim = fields.size(32)
    seq_length: Dim = fields.size(2048)
    hidden_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    rmsnorm: bool = fields.flag(True)
    apply_residual_connection_post_layernorm: bool = fields.flag(False)
    post_layer_norm: bool = fields.flag(True)
    add_bias_linear: bool = fields.flag(False)
    add_qkv_bias: bool = fields.flag(False)
    multi_query_attention: bool = fields.flag(False)
    multi_query_group_num: Dim = fields.size(1)
    tie_word_embeddings: bool = fields.flag(False)
    original_rope: bool = fields.always(True)
    dtype: str | None = fields.dtype()

    @property
    def ending(self) -> str:
        """Its class is the language model in any case."""
        return CAUSAL

    @property
    def kv_heads(self) -> Dim:
        """Heads of keys and values."""
        heads = self.num_attention_heads
        if not self.multi_query_attention:
            return heads
        exact_div(heads, self.multi_query_group_num, "num_attention_heads / multi_query_group_num")
        return self.multi_query_group_num


def describe(config: ChatGLMConfig) -> Decoder:
    """Returns a stack of equal layers."""
    if config.apply_residual_connection_post_layernorm:
        raise ConfigError("apply_residual_connection_post_layernorm is true: published models have false")
    norm = Norm(RMS) if config.rmsnorm else Norm(LAYER_NORM, bias=True)
    rotary = exact_div(config.kv_channels, 2, "kv_channels / 2")
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.kv_channels,
            module="self_attention",
            joint="query_key_value",
            out="dense",
            bias=config.add_bias_linear or config.add_qkv_bias,
            out_bias=config.add_bias_linear,
            rotary=rotary,
            rotary_tables="rotary_pos_emb",
            rotary_joined=True,
            dropout=config.attention_dropout,
        ),
        Mlp(
            config.ffn_hidden_size,
            "silu",
            joint="dense_h_to_4h",
            down="dense_4h_to_h",
            bias=config.add_bias_linear,
        ),
        norm,
        dropout=config.hidden_dropout,
    )
    return Decoder(
        config.padded_vocab_size,
        config.hidden_size,
        layer,
        config.num_layers,
        module="transformer",
        embedding="embedding.word_embeddings",
        stack="encoder.layers",
        norm="encoder.final_layernorm" if config.post_layer_norm else "",
        norm_kind=norm,
        head="transformer.output_layer",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_pos_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "chatglm",
    ChatGLMConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_hidden_layers": "num_layers", "vocab_size": "padded_vocab_size"},
    context=lambda config: config.seq_length,
    classes=(CAUSAL,),
    no_cost={
        "apply_query_key_layer_scaling": None,
        "fp32_residual_connection": (False,),
        "pre_seq_len": (None, 0),
        "prefix_projection": (False,),
    },
    doc="ChatGLM2 and 3: two heads of keys and values, half of each head rotated, a joint gate.",
)
