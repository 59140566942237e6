"""The text model of GLM-4.5V: GLM-4.5's, whose heads are rotated by half unless the file says a part.

GLM-V Team, 2025 (arXiv:2507.01006).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.glm4_moe import Glm4MoeConfig, describe
from graphacct_architectures.decoders.parts.family import decoder, fraction
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Glm4vMoeTextConfig(Glm4MoeConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151424)
    max_position_embeddings: Dim = fields.size(65536)
    attention_bias: bool = fields.flag(True)
    use_qk_norm: bool = fields.always(False)
    partial_rotary_factor: float = fraction(0.5)


ARCHITECTURE = decoder(
    "glm4v_moe_text",
    Glm4vMoeTextConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    stem="Glm4vMoeText",
    classes=(CAUSAL, ALONE),
    doc="GLM-4.5V's text model: DeepSeek-V3's experts.",
)
