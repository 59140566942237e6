"""CLIP's text tower on its own, as other models use it: Radford et al., 2021 (arXiv:2103.00020)."""

from __future__ import annotations

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.clip import TextConfig, texts

TEXT, PROJECTED = "CLIPTextModel", "CLIPTextModelWithProjection"


@frozen(kw_only=True)
class CLIPTextConfig(TextConfig):
    """The text tower's keys, its class and the width of its projection."""

    architectures: str = fields.model_class(TEXT, (TEXT, PROJECTED))
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()


def build(config: CLIPTextConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from texts to their tokens and the last token, or to its projection and the tokens."""
    if config.architectures == TEXT:
        return texts(config, workload, b)
    with b.scope("text_model"):
        tokens, last = texts(config, workload, b)
    return linear(b, "text_projection", last, config.projection_dim, bias=False), tokens


ARCHITECTURE = Architecture(
    "clip_text_model",
    CLIPTextConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_position_embeddings},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    model_types=("clip_text_model",),
    losses=SUM_ALONE,
    doc="CLIP's tower for texts alone, with or without its projection.",
)
