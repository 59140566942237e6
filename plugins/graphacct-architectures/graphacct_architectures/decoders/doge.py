"""Doge: attention whose mask is made of the values, residuals with a learned gain, and experts of single neurons.

Shi et al., 2024 (Wonderful Matrices, arXiv:2412.11834).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, less
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.attention import attended, repeat_kv
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.names import mask_name
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.projections import of_their_own
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE
from graphacct_architectures.layers import activation as act
from graphacct_architectures.layers import dropped, linear

NORM = Norm()


@frozen(kw_only=True)
class DogeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(32768)
    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(2048)
    num_attention_heads: Dim = fields.size(8)
    hidden_act: str = activation("silu")
    hidden_dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    keep_window_size: Dim = fields.size(2048)
    is_moe: bool = fields.flag(False)
    num_experts: int = fields.size(16384)
    num_experts_per_tok: Dim = fields.size(64)
    norm_topk_prob: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        if self.is_moe and type(self.num_experts) is not int:
            raise ConfigError(f"num_experts is {self.num_experts}: they are a square of keys, so give a number")


@frozen
class Neurons:
    """Experts of one neuron each, which two halves of a key choose.

    Attributes:
        count: The number of experts.
        chosen: How many of them a token uses.
        normalised: Whether their shares are divided by their sum.
    """

    count: int
    chosen: Dim
    normalised: bool


@frozen
class DogeLayer:
    """One layer.

    Attributes:
        attention: Its attention.
        mlp: Its network.
        neurons: The experts beside the network, or None.
        kept: How many keys a query sees.
        dropout: The dropout probability of both parts' outputs, in training.
    """

    attention: Attention
    mlp: Mlp
    neurons: Neurons | None
    kept: Dim
    dropout: float


def doge_layer(s: DogeLayer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after one layer."""

    def added(x: Value, y: Value, name: str) -> Value:
        y = dropped(b, f"{name}_dropout", y, s.dropout, workload)
        scaled = b.apply("mul", b.parameter(name, x.spec.shape[-1:]), x, name=f"{name}_scaled")
        return b.apply("add", scaled, y, name=f"{name}_sum")

    y = normed_by(b, "input_layernorm", x, NORM)
    with b.scope("self_attn"):
        y = seen(s, workload, b, y, tables)
    x = added(x, y, "input_residual")
    y = normed_by(b, "post_attention_layernorm", x, NORM)
    with b.scope("mlp"):
        b.hold(y)
        rest = None if s.neurons is None else beside(s.neurons, s.mlp.activation, b, y)
        y = mlp(s.mlp, b, y, workload)
        y = y if rest is None else b.apply("add", y, rest, name="with_experts")
    return added(x, y, "post_attention_residual")


def seen(s: DogeLayer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns what each token reads of those before it, with a bias of each key that its value makes; of many keys only
    those with the largest."""
    a = s.attention
    b.hold(x)
    q, k, v, _ = of_their_own(a, NORM, workload, b, x, tables)
    batch, heads, keys, width = v.spec.shape
    rows = b.apply("transpose", v, name="values_by_token", dims=(1, 2))
    rows = b.apply("reshape", rows, name="values_flat", shape=(batch, keys, heads * width))
    y = b.apply("softplus", linear(b, "dt_proj", rows, heads, bias=a.bias), name="softplus")
    y = b.apply("exp", b.apply("mul", b.parameter("A", (heads,)), y, name="rates"), name="dt_states")
    y = b.apply("transpose", y, name="dt_by_head", dims=(-1, -2))
    y = b.apply("reshape", y, name="dt_row", shape=(batch, heads, 1, keys))
    y = b.apply("expand", y, name="dt_of_queries", shape=(batch, heads, q.spec.shape[2], keys))
    hidden = tables.get(mask_name(a, workload))
    if hidden is not None:
        hidden = hidden if hidden.spec.dtype == "bool" else b.apply("ne", hidden, name="hidden")
        y = b.apply("masked_fill", y, hidden, name="dynamic_mask")
    if less(s.kept, keys, assumed=False):
        _, best = b.apply("topk", y, name="topk", k=s.kept, dim=-1)
        ones = b.apply("full", name="ones", shape=best.spec.shape, dtype=b.dtype)
        zeros = b.apply("full", name="zeros", shape=y.spec.shape, dtype=b.dtype)
        active = b.apply("scatter", zeros, best, ones, name="active_mask", dim=-1)
        y = b.apply("masked_fill", y, b.apply("eq", active, name="inactive"), name="kept_mask")
    y = repeat_kv(a, b, y, "mask")
    kind = attrs.evolve(a, causal=False, masked=False)
    y, weights = attended(kind, workload, b, q, k, v, {mask_name(kind, workload): y})
    b.hold(*weights)
    return linear(b, a.out, y, x.spec.shape[-1], bias=a.out_bias)


def beside(s: Neurons, operators: str, b: Builder, x: Value) -> Value:
    """Returns the outputs of the chosen neurons added up: each is a row that x is multiplied by, and a row that the
    activated product multiplies."""
    batch, seq, width = x.spec.shape
    tokens, side = batch * seq, isqrt(s.count)
    scores = b.apply(
        "reshape", linear(b, "router_gate", x, 2 * side, bias=False), name="halves", shape=(2, tokens, side)
    )
    best, places = b.apply("topk", scores, name="best_of_halves", k=side, dim=-1)
    sums = []
    for word, given in (("scores", best), ("places", places)):
        pair = [b.apply("select", given, name=f"{word}_{index}", dim=0, index=index) for index in (0, 1)]
        pair[0] = b.apply("reshape", pair[0], name=f"{word}_rows", shape=(tokens, side, 1))
        pair[1] = b.apply("reshape", pair[1], name=f"{word}_columns", shape=(tokens, 1, side))
        y = b.apply("add", *pair, name=f"{word}_sums")
        sums.append(b.apply("reshape", y, name=f"all_{word}", shape=(tokens, side * side)))
    best, chosen = b.apply("topk", sums[0], name="best", k=s.chosen, dim=-1)
    ids = b.apply("gather", sums[1], chosen, name="experts", dim=-1)
    shares = b.apply("softmax", best, name="shares")
    if s.normalised:
        shares = b.apply(
            "div", shares, b.apply("sum", shares, name="share_sum", dim=-1, keepdim=True), name="normalised"
        )
    down, up = (
        b.apply("embedding", ids, b.parameter(f"{name}.weight", (s.count, width)), name=name)
        for name in ("down_embed", "up_embed")
    )
    column = b.apply("reshape", x, name="tokens", shape=(tokens, width, 1))
    y = b.apply("reshape", b.apply("matmul", down, column, name="products"), name="hidden", shape=(tokens, s.chosen))
    y = b.apply("mul", act(b, operators, y, "experts_act"), shares, name="weighted")
    y = b.apply("reshape", y, name="hidden_row", shape=(tokens, 1, s.chosen))
    y = b.apply("matmul", y, up, name="experts_sum")
    found: Value = b.apply("reshape", y, name="experts_states", shape=(batch, seq, width))
    return found


def describe(config: DogeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = rotated_attention(config, qk_norm="head", masked=True)
    neurons = None
    if config.is_moe:
        neurons = Neurons(config.num_experts, config.num_experts_per_tok, config.norm_topk_prob)
    own = DogeLayer(attention, network(config), neurons, config.keep_window_size, config.hidden_dropout)
    return around(config, Layer(attention, network(config), whole=Whole(own, doge_layer)))


ARCHITECTURE = decoder(
    "doge",
    DogeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost=dict.fromkeys(("output_router_logits", "router_aux_loss_coef", "sliding_window")),
    doc="Doge: attention whose mask is made of the values, residuals with a gain, experts of single neurons.",
)
