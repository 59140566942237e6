"""SmallThinker: experts of ReLU-gated networks, chosen by the stream before attention; layers without positions.

Song et al., 2025 (arXiv:2507.20984). The class stands in the models' own repositories (`modeling_smallthinker.py`), not
in the transformers library: names, shapes and order are that file's. The experts' weights, which the file has one by
one, are counted as stacked, as in the library's families with experts.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, fields, frozen, prod
from graphacct_architectures.decoders.parts.attention import attention
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, whole
from graphacct_architectures.decoders.parts.feed_forward import chosen
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.router import TOP_SIGMOID, TOP_SOFTMAX, routed
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.decoders.smollm3 import rope_layers
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class SmallThinkerConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on: two lists say which layers have positions and
    which a window."""

    vocab_size: Dim = fields.size(151936)
    hidden_size: Dim = fields.size(1536)
    num_attention_heads: Dim = fields.size(12)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    tie_word_embeddings: bool = fields.flag(True)
    rope_layout: tuple[int, ...] | None = rope_layers()
    sliding_window_layout: tuple[int, ...] | None = rope_layers()
    sliding_window_size: Dim = fields.size(4096)
    moe_num_primary_experts: Dim = fields.size(32)
    moe_num_active_primary_experts: Dim = fields.size(4)
    moe_ffn_hidden_size: Dim = fields.size(768)
    moe_primary_router_apply_softmax: bool = fields.flag(False)


@frozen
class Early:
    """The parts of a layer whose experts are chosen before attention."""

    attention: Attention
    experts: Experts


def layer(s: Early, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream with attention and experts added, which the layer's input chooses."""
    norm, shape = Norm(), x.spec.shape
    y = normed_by(b, "input_layernorm", x, norm)
    with b.scope(s.attention.module):
        y, weights = attention(s.attention, norm, workload, b, y, tables)
    b.hold(*weights)
    middle = b.apply("add", x, y, name="attn_residual")
    y = normed_by(b, "post_attention_layernorm", middle, norm)
    flat = (prod(shape[:2]), shape[2])
    with b.scope(s.experts.module):
        ids, factors = routed(s.experts, b, b.apply("reshape", x, name="router_input", shape=flat))
        y = chosen(s.experts, b, b.apply("reshape", y, name="tokens", shape=flat), ids, factors)
        y = b.apply("reshape", y, name="sequences", shape=shape)
    return b.apply("add", middle, y, name="mlp_residual")


def layout(given: tuple[int, ...] | None, count: int, key: str, usual: int) -> tuple[int, ...]:
    """Returns 0 or 1 for each layer. Raises ConfigError, which names the key, for a list of another length."""
    found = (usual,) * count if given is None else given
    if len(found) != count:
        raise ConfigError(f"{key} is {brief(list(found))}, but num_hidden_layers is {count}: each layer needs one")
    return found


def describe(config: SmallThinkerConfig) -> Decoder:
    """Returns layers that differ in positions and windows."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    rotates = layout(config.rope_layout, count, "rope_layout", 1)
    slides = layout(config.sliding_window_layout, count, "sliding_window_layout", 0)
    experts = Experts(
        config.moe_num_primary_experts,
        at_most(
            config.moe_num_active_primary_experts,
            config.moe_num_primary_experts,
            "moe_num_active_primary_experts, moe_num_primary_experts",
        ),
        config.moe_ffn_hidden_size,
        "relu",
        module="block_sparse_moe",
        router="primary_router",
        scoring=TOP_SOFTMAX if config.moe_primary_router_apply_softmax else TOP_SIGMOID,
        normalised=not config.moe_primary_router_apply_softmax,
        top_upcast=True,
        downcast=True,
    )

    def kind(turned: int, slid: int) -> Layer:
        own = rotated_attention(
            config,
            rotary=config.d_head if turned else 0,
            window=config.sliding_window_size if slid else None,
        )
        return Layer(own, experts, whole=Whole(Early(own, experts), layer))

    return around(config, tuple(map(kind, rotates, slides)))


ARCHITECTURE = decoder(
    "smallthinker",
    SmallThinkerConfig,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    classes=(CAUSAL, ALONE),
    stem="SmallThinker",
    no_cost={
        **dict.fromkeys(("model_name", "sliding_window", "sliding_window_pattern", "intermediate_size")),
        **{"norm_topk_prob": None, "moe_enable_early_router": (True,), "moe_enable_secondary_experts": (False,)},
        **dict.fromkeys(("moe_num_secondary_experts", "moe_secondary_expert_size")),
    },
    doc="SmallThinker: ReLU-gated experts chosen before attention, layers without positions or with a window.",
)
