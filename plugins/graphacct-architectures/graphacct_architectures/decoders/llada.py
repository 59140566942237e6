"""LLaDA: OLMo's names around Llama's layers, which see the whole sequence: a diffusion model.

Nie et al., "Large Language Diffusion Models", 2025 (arXiv:2502.09992); LLaDA-MoE, whose files have the same type: Zhu
et al., 2025 (arXiv:2509.24389). The classes stand in the models' own repositories (`modeling_llada.py`,
`modeling_lladamoe.py`), not in the transformers library: names, shapes and order are those files'. LLaDA-MoE's were
read in the copy of both its files in github.com/InfiniTensor/InfiniLM: a shared expert belongs to the layer, and the
chosen experts' weights are not divided by their sum, whatever `norm_topk_prob` says. The experts' weights, which the
file has one by one, are counted as stacked.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, number, rotary_dims, whole
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.decoders.smollm3 import rope_layers
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class LLaDAConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(126464)
    intermediate_size: Dim = fields.size(12288)
    max_position_embeddings: Dim = fields.size(4096)
    include_bias: bool = fields.always(False)
    include_qkv_bias: bool = fields.always(False)
    alibi: bool = fields.always(False)
    rope: bool = fields.always(True)
    attention_layer_norm: bool = fields.always(False)
    input_emb_norm: bool = fields.always(False)
    scale_logits: bool = fields.always(False)
    block_type: str = fields.choice("llama", ("llama",))
    layer_norm_type: str = fields.choice("rms", ("rms",))
    num_experts: Dim | None = fields.optional_size()
    num_experts_per_tok: Dim = fields.size(8)
    expert_intermediate_size: Dim | None = fields.optional_size()
    dense_intermediate_size: Dim | None = fields.optional_size()
    shared_expert_intermediate_size: Dim | None = fields.optional_size()
    moe_layer_freq: tuple[int, ...] | None = rope_layers()
    qk_layernorm: bool = fields.flag(False)
    attention_bias: bool = fields.flag(False)
    partial_rotary_factor: float = fraction(1.0)
    moe_router_enable_expert_bias: bool = fields.always(False)
    moe_router_score_function: str = fields.choice("softmax", ("softmax",))
    clip_qkv: float | None = number(None)

    @property
    def ending(self) -> str:
        """Its class is the language model, whatever its name ends in, but for one."""
        return ALONE if self.architectures == "LLaDAMoEModel" else CAUSAL


def with_experts(config: LLaDAConfig, count: Dim) -> Decoder:
    """Returns LLaDA-MoE: OLMoE's layers, whose heads have norms, and which see the whole sequence."""
    number_of = whole(config.num_hidden_layers, "num_hidden_layers")
    sparse = (1,) * number_of if config.moe_layer_freq is None else config.moe_layer_freq
    if len(sparse) != number_of:
        raise ConfigError(f"moe_layer_freq names {len(sparse)} layers, num_hidden_layers is {number_of}")
    act, shared = ACTIVATIONS[config.hidden_act], config.shared_expert_intermediate_size
    experts = Experts(
        count,
        at_most(config.num_experts_per_tok, count, "num_experts_per_tok, num_experts"),
        config.intermediate_size if config.expert_intermediate_size is None else config.expert_intermediate_size,
        act,
        downcast=True,
        shared=None if shared is None else Mlp(shared, act, module="shared_expert"),
        shared_beside=True,
    )
    rotary = rotary_dims(config)
    attention = rotated_attention(
        config,
        rotary=rotary,
        rotary_joined=not equal(rotary, config.d_head),
        qk_norm="head" if config.qk_layernorm else "",
        clamped=config.clip_qkv is not None,
        causal=False,
        unmasked=True,
    )
    dense = config.intermediate_size if config.dense_intermediate_size is None else config.dense_intermediate_size
    other = Mlp(dense, act)
    layers = tuple(Layer(attention, experts if has else other) for has in sparse)
    return around(config, layers, rotary_tables=(("rotary_emb", rotary),))


def describe(config: LLaDAConfig) -> Decoder:
    """Returns a stack of equal layers, whose projections are the layer's own; or layers with experts."""
    if config.num_experts is not None:
        return with_experts(config, config.num_experts)
    layer = Layer(
        rotated_attention(config, module="", out="attn_out", causal=False, unmasked=True),
        network(config, module="", gate="ff_proj", up="up_proj", down="ff_out"),
        attention_norm="attn_norm",
        mlp_norm="ff_norm",
    )
    names = {"embedding": "wte", "stack": "blocks", "norm": "ln_f", "head": "model.transformer.ff_out"}
    return around(config, layer, module="model.transformer", **names)


ARCHITECTURE = decoder(
    "llada",
    LLaDAConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "d_model": "hidden_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "mlp_hidden_size": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
        "weight_tying": "tie_word_embeddings",
        "activation_type": "hidden_act",
    },
    classes=(CAUSAL, ALONE),
    stem="LLaDAMoE",
    model_types=("llada", "lladamoe", "llada_moe"),
    no_cost=dict.fromkeys(
        (
            *("norm_topk_prob", "rotary_dim", "routed_scaling_factor", "router_num_group", "router_topk_group"),
            *("embedding_size", "mlp_ratio", "mask_token_id", "multi_query_attention", "init_cutoff_factor"),
            *("alibi_bias_max", "rope_full_precision", "bias_for_layer_norm", "flash_attention", "init_device"),
            *("layer_norm_with_affine", "attention_layer_norm_with_affine", "block_group_size", "precision"),
            *("embedding_dropout", "residual_dropout", "init_fn", "init_std"),
        )
    ),
    doc="LLaDA: Llama's layers under OLMo's names, seeing the whole sequence.",
)
