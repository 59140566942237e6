"""GLM-4 of 2024: half of each head rotated, gate and projection in one matrix, biases on queries, keys and values.

GLM Team, 2024 (arXiv:2406.12793); names and order as in the transformers library's GlmForCausalLM.
"""

from __future__ import annotations

import attrs

from graphacct import PresetFiles
from graphacct_architectures.decoders.glm4 import Glm4Config
from graphacct_architectures.decoders.glm4 import describe as glm4
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


def describe(config: Glm4Config) -> Decoder:
    """Returns a stack of equal layers: those of the next generation without the norms after each part."""
    later = glm4(config)
    assert isinstance(later.layer, Layer)
    return attrs.evolve(later, layer=attrs.evolve(later.layer, attention_post_norm="", mlp_post_norm=""))


ARCHITECTURE = decoder(
    "glm",
    Glm4Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="GLM-4 of 2024: half of each head rotated, joint gate.",
)
