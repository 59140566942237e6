"""Snowflake Arctic: a network of the stream's width beside experts that read the layer's input.

Snowflake AI Research, "Snowflake Arctic", 2024. The class stands in the model's own repository (`modeling_arctic.py`),
not in the transformers library: names, shapes and order are that file's. The experts' weights, which the file has one
by one, are counted as stacked, as in the library's families with experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.attention import attention
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.sparse import at_most, layered
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class ArcticConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    intermediate_size: Dim = fields.size(14336)
    max_position_embeddings: Dim = fields.size(4096)
    num_local_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(1)
    moe_layer_frequency: int = fields.size(2)
    parallel_attn_mlp_res: bool = fields.flag(False)
    use_residual: bool = fields.flag(True)
    sliding_window: Dim | None = fields.window()


@frozen
class Beside:
    """The parts of a layer whose experts stand beside a network."""

    attention: Attention
    network: Mlp
    experts: Experts


def layer(s: Beside, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream: attention is added to it, then the network's output; the experts read the layer's input."""
    norm = Norm()
    y = normed_by(b, "input_layernorm", x, norm)
    with b.scope(s.attention.module):
        y, weights = attention(s.attention, norm, workload, b, y, tables)
    b.hold(*weights)
    middle = b.apply("add", x, y, name="attn_residual")
    y = normed_by(b, "residual_layernorm", middle, norm)
    with b.scope("residual_mlp"):
        y = mlp(s.network, b, y, workload)
    middle = b.apply("add", middle, y, name="residual_mlp_residual")
    y = normed_by(b, "post_attention_layernorm", x, norm)
    with b.scope(s.experts.module):
        y = experts(s.experts, b, y)
    return b.apply("add", middle, y, name="mlp_residual")


def describe(config: ArcticConfig) -> Decoder:
    """Returns layers of which each `moe_layer_frequency`th has experts, and a network beside them if the file says."""
    names: dict[str, Any] = {"gate": "w1", "up": "w3", "down": "w2"}
    activation = ACTIVATIONS[config.hidden_act]
    heads = rotated_attention(config, window=config.sliding_window, dropout=config.attention_dropout)
    every = config.moe_layer_frequency
    routed = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        activation,
        module="block_sparse_moe",
        normalised=config.num_experts_per_tok != 1,
        downcast=True,
    )
    dense = Mlp(config.intermediate_size, activation, module="block_sparse_moe.mlp", **names)
    narrow = Mlp(config.hidden_size, activation, **names)
    beside = config.parallel_attn_mlp_res and config.use_residual

    def kind(index: int) -> Layer:
        if (index + 1) % every:
            return Layer(heads, dense)
        return Layer(heads, routed, whole=Whole(Beside(heads, narrow, routed), layer) if beside else None)

    return around(config, layered(config.num_hidden_layers, every == 1, kind))


ARCHITECTURE = decoder(
    "arctic",
    ArcticConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(
        (
            *("enable_expert_tensor_parallelism", "moe_eval_capacity_factor", "moe_min_capacity", "quantization"),
            *("moe_token_dropping", "moe_train_capacity_factor", "router_aux_loss_coef"),
        )
    ),
    doc="Snowflake Arctic: experts beside a network of the stream's width.",
)
