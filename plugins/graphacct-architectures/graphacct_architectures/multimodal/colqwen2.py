"""ColQwen2: a vector for each token of a page or a question, of Qwen2-VL and one linear layer.

Faysse et al., 2024 (arXiv:2407.01449).
"""

from __future__ import annotations

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.retrieval import inner_model, retrieval

CLASS = "ColQwen2ForRetrieval"


@frozen(kw_only=True)
class ColQwen2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    vlm_config: SubModel = inner_model("qwen2_vl")
    embedding_dim: Dim = fields.size(128)
    dtype: str | None = fields.dtype()


ARCHITECTURE = retrieval(
    "colqwen2", ColQwen2Config, __file__, doc="ColQwen2: Qwen2-VL without its head, and one linear layer."
)
