"""The text model of Unlimited-OCR: DeepSeek-OCR's, whose cache keeps the prompt and a window of what is written.

A decoding step sees what its cache holds: `cache_len` counts the prompt's tokens and those of the window.
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.deepseek_ocr2_text import DeepseekOcr2TextConfig, describe
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class UnlimitedOcrTextConfig(DeepseekOcr2TextConfig):
    """The keys of the published config.json that the cost depends on."""

    dense_first: ClassVar[int | None] = 1
    vocab_size: Dim = fields.size(129280)
    hidden_size: Dim = fields.size(1280)
    intermediate_size: Dim = fields.size(6848)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(10)
    num_key_value_heads: Dim | None = fields.optional_size(10)
    max_position_embeddings: Dim = fields.size(32768)
    moe_intermediate_size: Dim = fields.size(896)
    num_experts_per_tok: Dim | None = fields.optional_size(6)
    n_group: Dim | None = fields.optional_size(1)
    topk_group: Dim | None = fields.optional_size(1)


ARCHITECTURE = decoder(
    "unlimited_ocr_text",
    UnlimitedOcrTextConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    stem="UnlimitedOcrText",
    aliases={"num_experts": "n_routed_experts"},
    translated=("num_experts",),
    no_cost=dict.fromkeys(
        (
            *("pretraining_tp", "norm_topk_prob", "moe_layer_freq", "scoring_func", "seq_aux", "head_dim"),
            *("sliding_window", "layer_types"),
        )
    ),
    doc="Unlimited-OCR's text model: Llama's attention, DeepSeek-V2's experts.",
)
