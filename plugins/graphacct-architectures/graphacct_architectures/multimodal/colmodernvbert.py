"""ColModernVBert: a vector for each token of a page or a question, of ModernVBERT and one linear layer.

Teiletche et al., 2025 (arXiv:2510.01149).
"""

from __future__ import annotations

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.retrieval import inner_model, retrieval

CLASS = "ColModernVBertForRetrieval"


@frozen(kw_only=True)
class ColModernVBertConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    vlm_config: SubModel = inner_model("modernvbert")
    embedding_dim: Dim = fields.size(128)
    dtype: str | None = fields.dtype()


ARCHITECTURE = retrieval(
    "colmodernvbert",
    ColModernVBertConfig,
    __file__,
    doc="ColModernVBert: ModernVBERT without its head, and one linear layer.",
)
