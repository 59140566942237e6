"""The first GPT: learned positions, LayerNorm after each part, biases, a tied head.

Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018. The library's class has no cache; a
decoding step is counted as one on keys and values that are kept.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder, written_out_alone
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, HeadConfig

NORM = Norm(LAYER_NORM, bias=True)
OPERATORS = {"gelu": "gelu_new", "relu": "relu", "silu": "silu", "swish": "silu"}
"""The class's own names of activations."""


@frozen(kw_only=True)
class OpenAIGPTConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(40478)
    n_positions: Dim = fields.size(512)
    n_embd: Dim = fields.size(768)
    n_layer: Dim = fields.size(12)
    n_head: Dim = fields.size(12)
    afn: str = fields.choice("gelu", tuple(OPERATORS))
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    attn_pdrop: float = fields.probability(0.1)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: OpenAIGPTConfig) -> Decoder:
    """Returns a stack of equal layers, whose network is always four times as wide as the stream."""
    width, heads = config.n_embd, config.n_head
    layer = Layer(
        Attention(
            heads,
            heads,
            exact_div(width, heads, "n_embd / n_head"),
            module="attn",
            joint="c_attn",
            out="c_proj",
            bias=True,
            out_bias=True,
            in_out=True,
            upcast="",
            dropout=config.attn_pdrop,
        ),
        Mlp(4 * width, OPERATORS[config.afn], gated=False, up="c_fc", down="c_proj", bias=True, in_out=True),
        NORM,
        attention_norm="",
        mlp_norm="",
        attention_stream_norm="ln_1",
        mlp_stream_norm="ln_2",
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.n_layer,
        module="transformer",
        embedding="tokens_embed",
        positions=Positions("positions_embed", config.n_positions, kept=True),
        most_positions=("n_positions", config.n_positions),
        stack="h",
        norm="",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        embedding_dropout=config.embd_pdrop,
    )


ARCHITECTURE = decoder(
    "openai-gpt",
    OpenAIGPTConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    dtype="float32",
    stem="OpenAIGPT",
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost=dict.fromkeys(
        (
            "n_ctx",
            "n_special",
            "predict_special_tokens",
            "summary_activation",
            "summary_first_dropout",
            "summary_proj_to_labels",
            "summary_type",
            "summary_use_proj",
        )
    ),
    doc="The first GPT: learned positions, LayerNorm after each part, tied head.",
)
