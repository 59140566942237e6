"""ColPali: a vector for each token of a page or a question, of PaliGemma and one linear layer.

Faysse et al., 2024 (arXiv:2407.01449).
"""

from __future__ import annotations

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.retrieval import inner_model, retrieval

CLASS = "ColPaliForRetrieval"


@frozen(kw_only=True)
class ColPaliConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    vlm_config: SubModel = inner_model("paligemma")
    embedding_dim: Dim = fields.size(128)
    dtype: str | None = fields.dtype()


ARCHITECTURE = retrieval(
    "colpali", ColPaliConfig, __file__, doc="ColPali: PaliGemma without its head, and one linear layer."
)
