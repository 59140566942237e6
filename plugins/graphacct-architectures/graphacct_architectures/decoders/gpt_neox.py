"""GPT-NeoX and Pythia: attention and network side by side, each after a norm of its own; a quarter of each head turned.

Black et al., 2022 (arXiv:2204.06745) and Biderman et al., 2023 (arXiv:2304.01373).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import Dim, fields
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description import LAYER_NORM, Attention, Decoder, Layer, Mlp, Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    fraction,
    part_turned,
    width_over_heads,
)

NORM = Norm(LAYER_NORM, bias=True)


@attrs.frozen(kw_only=True)
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
    partial_rotary_factor: float = fraction(0.25)

    @property
    def d_head(self) -> Dim:
        return width_over_heads(self)


def describe(config: GPTNeoXConfig) -> Decoder:
    """A stack of equal layers, whose q, k and v are one projection, interleaved by head."""
    turned = part_turned(config, paired=True)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            config.d_head,
            module="attention",
            joint="query_key_value",
            out="dense",
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=turned,
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
        rotary_tables=(("rotary_emb", turned),),
        embedding_dropout=config.hidden_dropout,
    )


def _pythia(width: int, layers: int, heads: int, vocab_size: int = 50304) -> GPTNeoXConfig:
    return GPTNeoXConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        dtype="float16",
    )


PRESETS: Mapping[str, GPTNeoXConfig] = {
    "pythia-14m": _pythia(128, 6, 4),
    "pythia-70m": _pythia(512, 6, 8),
    "pythia-160m": _pythia(768, 12, 12),
    "pythia-410m": _pythia(1024, 24, 16),
    "pythia-1b": _pythia(2048, 16, 8),
    "pythia-1.4b": _pythia(2048, 24, 16),
    "pythia-2.8b": _pythia(2560, 32, 32),
    "pythia-6.9b": _pythia(4096, 32, 32, 50432),
    "pythia-12b": _pythia(5120, 36, 40, 50688),
    "gpt-neox-20b": GPTNeoXConfig(dtype="float16"),
}
ARCHITECTURE = decoder(
    "gpt_neox",
    GPTNeoXConfig,
    describe,
    PRESETS,
    aliases={"rotary_pct": "partial_rotary_factor"},
    dtype="float16",
    tokens="classifier",
    doc="GPT-NeoX and Pythia: LayerNorm, parallel layers, a quarter of each head turned, biases.",
)
