"""EXAONE 3 and 3.5: Llama's layers, under names of its own in the published files.

LG AI Research, 2024 (arXiv:2412.04862). The class of the published files stands in the models' own repositories
(`modeling_exaone.py`); transformers (5.24) reads the type with Llama's class, under Llama's names.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, first_class

STEM = "Exaone"


@frozen(kw_only=True)
class ExaoneConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = first_class(kept=STEM)
    vocab_size: Dim = fields.size(102400)
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    embed_dropout: float = fields.probability(0.0)

    @property
    def ending(self) -> str:
        """The known ending of the class's name."""
        return CAUSAL if self.architectures == STEM else super().ending


def describe(config: ExaoneConfig) -> Decoder:
    """Returns a stack of equal layers."""
    drop = {"embedding_dropout": config.embed_dropout}
    if not config.architectures.startswith(STEM):
        return around(config, Layer(rotated_attention(config), network(config)), **drop)
    layer = Layer(
        rotated_attention(config, module="attn.attention", out="out_proj"),
        network(config, gate="c_fc_0", up="c_fc_1", down="c_proj"),
        attention_norm="ln_1",
        mlp_norm="ln_2",
    )
    names = {"module": "transformer", "embedding": "wte", "stack": "h", "norm": "ln_f"}
    return around(config, layer, **names, **drop)


ARCHITECTURE = decoder(
    "exaone",
    ExaoneConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_layers": "num_hidden_layers", "activation_function": "hidden_act"},
    classes=(CAUSAL, ALONE),
    doc="EXAONE 3 and 3.5: Llama's layers under other names.",
)
