"""DeepSeek-MoE: Llama's attention; after the first layers, small experts chosen by a softmax, and shared ones.

Dai et al., 2024 (arXiv:2401.06066). The class stands in the models' own repositories (`modeling_deepseek.py`), not in
the transformers library: names, shapes and order are that file's. The experts' weights, which the file has one by one,
are counted as stacked, as in the library's families with experts.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.router import SOFTMAX
from graphacct_architectures.decoders.parts.sparse import at_most, layered
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class DeepseekConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on. Without `n_routed_experts` no layer has
    experts."""

    vocab_size: Dim = fields.size(102400)
    num_hidden_layers: Dim = fields.size(30)
    moe_intermediate_size: Dim = fields.size(1407)
    n_routed_experts: Dim | None = fields.optional_size()
    n_shared_experts: Dim | None = fields.optional_size()
    num_experts_per_tok: Dim | None = fields.optional_size()
    moe_layer_freq: int = fields.size(1)
    first_k_dense_replace: int = fields.size(0, minimum=0)
    norm_topk_prob: bool = fields.flag(False)
    scoring_func: str = fields.choice(SOFTMAX, (SOFTMAX,))
    topk_method: str = fields.choice("greedy", ("greedy",))


def small_experts(config: DeepseekConfig, count: Dim) -> Experts:
    """Returns the experts of a layer."""
    per_token = config.num_experts_per_tok
    if per_token is None:
        raise ConfigError(f"num_experts_per_tok is missing: how many of {count} experts a token has")
    activation, width = ACTIVATIONS[config.hidden_act], config.moe_intermediate_size
    shared = config.n_shared_experts
    return Experts(
        count,
        at_most(per_token, count, "num_experts_per_tok, n_routed_experts"),
        width,
        activation,
        normalised=config.norm_topk_prob,
        above_zero="shift",
        shared=None if shared is None else Mlp(shared * width, activation, module="shared_experts"),
    )


def describe(config: DeepseekConfig) -> Decoder:
    """Returns layers with experts after the first ones."""
    attention, dense, count = rotated_attention(config), network(config, bias=False), config.n_routed_experts
    if count is None:
        return around(config, Layer(attention, dense))
    first, every = whole(config.first_k_dense_replace, "first_k_dense_replace"), config.moe_layer_freq
    experts = small_experts(config, count)

    def kind(index: int) -> Layer:
        return Layer(attention, experts if index >= first and index % every == 0 else dense)

    return around(
        config, layered(config.num_hidden_layers, first == 0 and every == 1, kind, first if every == 1 else None)
    )


ARCHITECTURE = decoder(
    "deepseek",
    DeepseekConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={"seq_aux": None},
    doc="DeepSeek-MoE: Llama's attention, small experts and shared ones.",
)
