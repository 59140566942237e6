"""GPT-NeoX and Pythia: parallel attention and network, each after its own norm; a quarter of each head rotated.

Black et al., 2022 (arXiv:2204.06745) and Biderman et al., 2023 (arXiv:2304.01373).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    fraction,
    rotary_dims,
    width_over_heads,
)
from graphacct_architectures.decoders.parts.joint import BY_HEAD

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class GPTNeoXConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50432)
    hidden_size: Dim = fields.size(6144)
    intermediate_size: Dim = fields.size(24576)
    num_hidden_layers: Dim = fields.size(44)
    num_attention_heads: Dim = fields.size(64)
    hidden_act: str = activation("gelu")
    hidden_dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(True)
    use_parallel_residual: bool = fields.flag(True)
    rotary_pct: float = fraction(0.25)

    @property
    def d_head(self) -> Dim:
        return width_over_heads(self)

    @property
    def partial_rotary_factor(self) -> float:
        """The rotated part of each head unless the rotary settings say it: of the other families' key for it, outside
        those settings, the library's class reads nothing."""
        return self.rotary_pct


def describe(config: GPTNeoXConfig) -> Decoder:
    """Returns a stack of equal layers, whose q, k and v are one projection, interleaved by head."""
    rotary = rotary_dims(config, paired=True)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            config.d_head,
            module="attention",
            joint="query_key_value",
            joint_order=BY_HEAD,
            out="dense",
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=rotary,
            rotary_joined=True,
            dropout=config.attention_dropout,
        ),
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            gated=False,
            up="dense_h_to_4h",
            down="dense_4h_to_h",
            bias=True,
        ),
        NORM,
        parallel=config.use_parallel_residual,
        stream_last=True,
        dropout=config.hidden_dropout,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        module="gpt_neox",
        embedding="embed_in",
        norm="final_layer_norm",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
        embedding_dropout=config.hidden_dropout,
    )


ARCHITECTURE = decoder(
    "gpt_neox",
    GPTNeoXConfig,
    describe,
    PresetFiles(__file__),
    no_cost={"partial_rotary_factor": None},
    dtype="float16",
    tokens="classifier",
    doc="GPT-NeoX and Pythia: LayerNorm, parallel layers, a quarter of each head rotated, biases.",
)
