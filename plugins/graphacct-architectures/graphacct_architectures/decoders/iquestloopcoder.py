"""IQuest-Coder-Loop: Llama's layers that run twice, the second time with a window beside the first run's keys.

IQuestLab, "IQuest-Coder-V1", 2026. In the second run each layer attends to its own keys within a window and to those
that it made in the first run, and a learned gate of each head's queries mixes both outputs. The class stands in the
models' own repositories (`modeling_iquestloopcoder.py`), not in the transformers library: names, shapes and order are
that file's. Both runs keep keys and values in the cache, the second one no more than its window.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, whole
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.projections import of_their_own
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import CAUSAL
from graphacct_architectures.layers import linear

RUNS = 2
NORM = Norm()


@frozen(kw_only=True)
class IQuestLoopCoderConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(76800)
    hidden_size: Dim = fields.size(5120)
    intermediate_size: Dim = fields.size(27648)
    num_hidden_layers: Dim = fields.size(80)
    num_attention_heads: Dim = fields.size(40)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    loop_num: int = fields.size(RUNS)
    loop_window_size: Dim = fields.size(64)


@frozen
class Loop:
    """How the layers run.

    Attributes:
        depth: How many layers there are.
        full, near: Their attention in the first run, and in the second to its own keys.
        network: Their network.
    """

    depth: int
    full: Attention
    near: Attention
    network: Mlp


def loop(
    s: Loop, d: Decoder, workload: Workload, b: Builder, ids: Value, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns the stream after both runs of all layers."""
    kept: list[tuple[Value, Value]] = []
    for index in range(s.depth):
        with b.scope(f"layers.{index}"), b.turn(0):
            y = normed_by(b, "input_layernorm", x, NORM)
            with b.scope(s.full.module):
                q, k, v, _ = of_their_own(s.full, NORM, workload, b, y, tables)
                y, _ = attended(s.full, workload, b, q, k, v, tables)
                y = linear(b, s.full.out, y, x.spec.shape[-1], bias=s.full.out_bias)
            x = fed(s, b, b.apply("add", x, y, name="attn_residual"))
        kept.append((k, v))
    for index, (k, v) in enumerate(kept):
        with b.scope(f"layers.{index}"), b.turn(1):
            y = normed_by(b, "input_layernorm", x, NORM)
            with b.scope(s.near.module):
                q, own_k, own_v, _ = of_their_own(s.near, NORM, workload, b, y, tables)
        share = gate(s.near, index, b, q)
        with b.scope(f"layers.{index}"), b.turn(1):
            with b.scope(s.near.module):
                with b.scope("of_first_run"):
                    first, _ = attended(s.full, workload, b, q, k, v, tables)
                with b.scope("of_window"):
                    second, _ = attended(s.near, workload, b, q, own_k, own_v, tables)
                y = mixed(s.near, b, share, first, second)
                y = linear(b, s.near.out, y, x.spec.shape[-1], bias=s.near.out_bias)
            x = fed(s, b, b.apply("add", x, y, name="attn_residual"))
    return x


def fed(s: Loop, b: Builder, x: Value) -> Value:
    """Returns the stream with the network's output added."""
    y = normed_by(b, "post_attention_layernorm", x, NORM)
    with b.scope(s.network.module):
        y = mlp(s.network, b, y)
    return b.apply("add", x, y, name="mlp_residual")


def gate(a: Attention, index: int, b: Builder, q: Value) -> Value:
    """Returns the share of the first run's keys, (batch, heads, seq, 1): a sigmoid of each head's queries."""
    with b.scope(f"gate_projections.{index}"):
        weight = b.parameter("weight", (a.heads, a.d_head))
        column = b.apply("reshape", weight, name="columns", shape=(a.heads, a.d_head, 1))
        bias = b.apply("reshape", b.parameter("bias", (a.heads,)), name="biases", shape=(a.heads, 1, 1))
        scores = b.apply("add", b.apply("matmul", q, column, name="products"), bias, name="logits")
        return b.apply("sigmoid", scores, name="gate")


def mixed(a: Attention, b: Builder, share: Value, first: Value, second: Value) -> Value:
    """Returns both outputs (batch, seq, heads · d_head), each times its share."""
    batch, seq, width = first.spec.shape
    share = b.apply("transpose", share, name="share_by_token", dims=(1, 2))
    rest = b.apply("shift", b.apply("neg", share, name="share_negated"), name="rest")
    parts = []
    for label, part, factor in (("first", first, share), ("second", second, rest)):
        heads = b.apply("reshape", part, name=f"{label}_heads", shape=(batch, seq, a.heads, a.d_head))
        parts.append(b.apply("mul", factor, heads, name=f"{label}_share"))
    both = b.apply("add", *parts, name="mixed")
    return b.apply("reshape", both, name="mixed_heads", shape=(batch, seq, width))


def describe(config: IQuestLoopCoderConfig) -> Decoder:
    """Returns the decoder whose layers run twice. Raises ConfigError for another number of runs."""
    if config.loop_num != RUNS:
        raise ConfigError(f"loop_num is {config.loop_num}: the layers of this family run {RUNS} times")
    depth = whole(config.num_hidden_layers, "num_hidden_layers")
    full, other = rotated_attention(config), network(config)
    near = attrs.evolve(full, window=config.loop_window_size)
    kinds = (Layer(full, other), Layer(near, other))
    return attrs.evolve(around(config, kinds), middle=Middle(Loop(depth, full, near, other), loop))


ARCHITECTURE = decoder(
    "iquestloopcoder",
    IQuestLoopCoderConfig,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    classes=(CAUSAL,),
    stem="IQuestLoopCoder",
    doc="IQuest-Coder-Loop: Llama's layers that run twice, with a gate between both runs' keys.",
)
