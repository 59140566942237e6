"""Klear: Qwen3's attention, small experts chosen by corrected sigmoids, whose output is mixed with a shared network's.

Kuaishou, "Klear-46B-A2.5B", 2025. The class stands in the model's own repository (`modeling_klear.py`), not in the
transformers library: names, shapes and order are those of that file and of mlx-lm's `Klear.py`. The experts' weights,
which the file has one by one, are counted as stacked, as in the library's families with experts.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, layer_indices, layered
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class KlearConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(2048)
    attention_bias: bool = fields.flag(False)
    num_experts: Dim = fields.size(256)
    num_experts_per_tok: Dim = fields.size(8)
    n_shared_experts: Dim = fields.size(1)
    moe_intermediate_size: Dim = fields.size(896)
    decoder_sparse_step: int = fields.size(1)
    mlp_only_layers: tuple[int, ...] = layer_indices()
    norm_topk_prob: bool = fields.flag(True)


def describe(config: KlearConfig) -> Decoder:
    """Returns layers of which each `decoder_sparse_step`th has experts, except the listed ones."""
    activation, width = ACTIVATIONS[config.hidden_act], config.moe_intermediate_size
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        width,
        activation,
        scores_upcast=True,
        scoring=SIGMOID,
        correction=True,
        corrected_by=Correction(name="expert_bias", beside=True),
        normalised=config.norm_topk_prob,
        downcast=True,
        shared=Mlp(config.n_shared_experts * width, activation, module="shared_experts"),
        shared_mix="coefficient",
    )
    attention, dense, every = rotated_attention(config, qk_norm="head"), network(config), config.decoder_sparse_step

    def kind(index: int) -> Layer:
        sparse = index not in config.mlp_only_layers and (index + 1) % every == 0
        return Layer(attention, experts if sparse else dense)

    return around(config, layered(config.num_hidden_layers, every == 1 and not config.mlp_only_layers, kind))


ARCHITECTURE = decoder(
    "Klear",
    KlearConfig,
    describe,
    PresetFiles(__file__),
    model_types=("Klear",),
    classes=(CAUSAL, ALONE),
    stem="KlearMoe",
    doc="Klear: experts mixed with a shared network by two learned shares.",
)
