"""CodeGen: GPT-J with one projection for q, k and v.

Nijkamp et al., 2022 (arXiv:2203.13474).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import exact_div
from graphacct_architectures.decoders.gptj import ALIASES, GPTJConfig
from graphacct_architectures.decoders.gptj import describe as describe_gptj
from graphacct_architectures.decoders.parts.description import Decoder
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL

SHARDS = 4
"""The accelerators that the published weights were trained on: the joint projection is cut in as many parts."""


@attrs.frozen(kw_only=True)
class CodeGenConfig(GPTJConfig):
    """The keys of the published config.json that the cost depends on."""


def describe(config: CodeGenConfig) -> Decoder:
    """A stack of equal layers."""
    exact_div(config.n_head, SHARDS, "n_head / 4, the parts of the joint projection")
    return describe_gptj(config, joint="qkv_proj")


def _codegen(width: int, layers: int, heads: int, turned: int) -> CodeGenConfig:
    return CodeGenConfig(
        vocab_size=51200, n_embd=width, n_layer=layers, n_head=heads, rotary_dim=turned, dtype="float16"
    )


PRESETS: Mapping[str, CodeGenConfig] = {
    "codegen-350m": _codegen(1024, 20, 16, 32),
    "codegen-2b": _codegen(2560, 32, 32, 64),
    "codegen-6b": _codegen(4096, 33, 16, 64),
    "codegen-16b": _codegen(6144, 34, 24, 64),
}
ARCHITECTURE = decoder(
    "codegen",
    CodeGenConfig,
    describe,
    PRESETS,
    aliases=ALIASES,
    translated=ALIASES,
    context=lambda config: config.n_positions,
    dtype="float16",
    classes=(CAUSAL, ALONE),
    doc="CodeGen: GPT-J with one projection for q, k and v.",
)
