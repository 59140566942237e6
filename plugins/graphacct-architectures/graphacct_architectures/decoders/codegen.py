"""CodeGen: GPT-J with one projection for q, k and v.

Nijkamp et al., 2022 (arXiv:2203.13474).
"""

from __future__ import annotations

from graphacct import PresetFiles, exact_div, frozen
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.gptj import GPTJConfig
from graphacct_architectures.decoders.gptj import describe as describe_gptj
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.joint import SHARD_COUNT
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class CodeGenConfig(GPTJConfig):
    """The keys of the published config.json that the cost depends on."""


def describe(config: CodeGenConfig) -> Decoder:
    """Returns a stack of equal layers."""
    exact_div(config.n_head, SHARD_COUNT, "n_head / 4, the parts of the joint projection")
    return describe_gptj(config, joint="qkv_proj", rotary_cast=False)


ARCHITECTURE = decoder(
    "codegen",
    CodeGenConfig,
    describe,
    PresetFiles(__file__),
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    dtype="float16",
    classes=(CAUSAL, ALONE),
    no_cost={"n_ctx": None},
    doc="CodeGen: GPT-J with one projection for q, k and v.",
)
