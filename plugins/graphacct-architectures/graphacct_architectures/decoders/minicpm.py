"""MiniCPM: Llama's layers with constant multipliers of the embedding, each residual and the logits.

Hu et al., 2024 (arXiv:2404.06395). The class stands in the models' own repositories (`modeling_minicpm.py`), not in the
transformers library; its names are Llama's.
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.decoders.granite import describe
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class MiniCPMConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on."""

    tie_word_embeddings: bool = fields.flag(True)


ARCHITECTURE = decoder(
    "minicpm",
    MiniCPMConfig,
    describe,
    PresetFiles(__file__),
    no_cost={"scale_emb": None, "scale_depth": None, "dim_model_base": None},
    classes=(CAUSAL, ALONE),
    doc="MiniCPM: Llama's layers with constant multipliers, a tied head.",
)
