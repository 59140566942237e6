"""PLM-1.8B: latent attention, a network of squared ReLU without a gate, a tied head.

Deng et al., "PLM: Efficient Peripheral Language Models", 2025 (arXiv:2503.12167). The class stands in the model's own
repository, not in the transformers library. Names, shapes, keys and defaults are those that its authors proposed to
that library (`models/plm/modeling_plm.py` and `configuration_plm.py`; of `tie_word_embeddings`, which a later version
changed, the first version's default). llama.cpp loads the same shapes, with a tied head (`src/models/plm.cpp`).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, latent_of
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, network
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class PlmConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151936)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(8192)
    num_attention_heads: Dim = fields.size(16)
    max_position_embeddings: Dim = fields.size(4096)
    hidden_act: str = activation("relu2")
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    kv_lora_rank: Dim = fields.size(512)
    q_lora_rank: Dim | None = fields.optional_size()
    qk_nope_head_dim: Dim = fields.size(128)
    qk_rope_head_dim: Dim = fields.size(64)
    v_head_dim: Dim = fields.size(128)
    use_sliding_window: bool = fields.always(False)


def describe(config: PlmConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(latent_of(config), network(config, gated=False))
    return around(config, layer, rotary_tables=(("rotary_emb", config.qk_rope_head_dim),))


ARCHITECTURE = decoder(
    "plm",
    PlmConfig,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    inexact=own_repository,
    classes=(CAUSAL, ALONE),
    no_cost={"sliding_window": None, "max_window_layers": None},
    doc="PLM-1.8B: latent attention, squared ReLU without a gate, a tied head.",
)
