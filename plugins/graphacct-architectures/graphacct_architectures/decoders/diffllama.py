"""DiffLlama: Llama's layers with differential attention.

Ye et al., "Differential Transformer", 2024 (arXiv:2410.05258); names and order as in the transformers library's
DiffLlamaForCausalLM (5.23).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention


@frozen(kw_only=True)
class DiffLlamaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(16)
    attention_bias: bool = fields.flag(False)


def describe(config: DiffLlamaConfig) -> Decoder:
    """Returns a stack of equal layers."""
    if config.attention_dropout:
        raise ConfigError(f"attention_dropout is {config.attention_dropout}: differential attention drops no weights")
    exact_div(config.kv_heads, 2, "num_key_value_heads / 2")
    return around(config, Layer(rotated_attention(config, differential=True), network(config)))


ARCHITECTURE = decoder(
    "diffllama",
    DiffLlamaConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    no_cost={"lambda_std_dev": None},
    doc="DiffLlama: differential attention.",
)
