"""SigLIP's text tower on its own: Zhai et al., 2023 (arXiv:2303.15343)."""

from __future__ import annotations

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.siglip import TextConfig, texts

TEXT = "SiglipTextModel"


@frozen(kw_only=True)
class SiglipTextConfig(TextConfig):
    """The text tower's keys and its class."""

    architectures: str = fields.model_class(TEXT, (TEXT,))
    dtype: str | None = fields.dtype()


def build(config: SiglipTextConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from texts to their tokens and the last token's projection."""
    return texts(config, workload, b)


ARCHITECTURE = Architecture(
    "siglip_text_model",
    SiglipTextConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_position_embeddings},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    model_types=("siglip_text_model",),
    losses=SUM_ALONE,
    doc="SigLIP's tower for texts alone.",
)
