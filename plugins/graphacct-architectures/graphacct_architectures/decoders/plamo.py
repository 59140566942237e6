"""PLaMo: attention and network read the same normalized stream; query heads share keys and values by a stated number.

Preferred Networks, "PLaMo-13B", 2023. The class stands in the model's own repository (`modeling_plamo.py`), not in the
transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, ceil_div, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, width_over_heads
from graphacct_architectures.decoders.parts.usual import around, network
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class PlamoConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    intermediate_size: Dim = fields.size(13312)
    n_shared_head: Dim = fields.size(8)

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return width_over_heads(self)


def describe(config: PlamoConfig) -> Decoder:
    """Returns a stack of equal layers. `n_shared_head` query heads share a head of keys and values."""
    heads = config.num_attention_heads
    attention = Attention(heads, ceil_div(heads, config.n_shared_head), config.d_head, rotary=config.d_head)
    layer = Layer(attention, network(config), attention_norm="norm", mlp_norm="", parallel=True)
    return around(config, layer, stack="layers.layers")


ARCHITECTURE = decoder(
    "plamo",
    PlamoConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={"tokenizer_class": None},
    doc="PLaMo: attention and network side by side, shared keys and values.",
)
