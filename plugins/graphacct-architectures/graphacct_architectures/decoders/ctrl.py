"""CTRL: computed positions, LayerNorm before each part, biases, a scaled embedding, a tied head with a bias.

Keskar et al., 2019 (arXiv:1909.05858).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, HeadConfig

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class CTRLConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(246534)
    n_positions: Dim = fields.size(256)
    n_embd: Dim = fields.size(1280)
    dff: Dim = fields.size(8192)
    n_layer: Dim = fields.size(48)
    n_head: Dim = fields.size(16)
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: CTRLConfig) -> Decoder:
    """Returns a stack of equal layers."""
    width, heads = config.n_embd, config.n_head
    layer = Layer(
        Attention(
            heads,
            heads,
            exact_div(width, heads, "n_embd / n_head"),
            module="multi_head_attention",
            q="Wq",
            k="Wk",
            v="Wv",
            out="dense",
            bias=True,
            out_bias=True,
            upcast="",
        ),
        Mlp(config.dff, "relu", gated=False, module="ffn", up="0", act="1", down="2", bias=True),
        NORM,
        attention_norm="layernorm1",
        mlp_norm="layernorm2",
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.n_layer,
        module="transformer",
        embedding="w",
        embedding_scaled=True,
        embedding_dropout=config.embd_pdrop,
        positions=Positions("pos_encoding", config.n_positions, computed=True),
        most_positions=("n_positions", config.n_positions),
        stack="h",
        norm="layernorm",
        norm_kind=NORM,
        head_bias=True,
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "ctrl",
    CTRLConfig,
    describe,
    PresetFiles(__file__),
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    dtype="float32",
    classes=(CAUSAL, ALONE, SEQUENCE),
    texts="classifier",
    no_cost=dict.fromkeys(
        (
            "attn_pdrop",
            "n_ctx",
            "from_tf",
            "summary_activation",
            "summary_first_dropout",
            "summary_proj_to_labels",
            "summary_type",
            "summary_use_proj",
        )
    ),
    doc="CTRL: computed positions, LayerNorm, biases, tied head.",
)
