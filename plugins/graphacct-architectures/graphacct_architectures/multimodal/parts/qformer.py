"""The Q-Former: learned queries that see each other, and in some layers what they ask, with norms after each part.

Li et al., 2023 (arXiv:2301.12597).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, fields, same
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads


@attrs.frozen(kw_only=True)
class QFormerConfig:
    """The Q-Former's keys that the cost depends on; `encoder_hidden_size` is the tower's width, whatever it says."""

    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.1)
    cross_attention_frequency: Dim = fields.size(2)
    encoder_hidden_size: Dim = fields.size(1408)
    vocab_size: Dim = fields.size(30522)
    max_position_embeddings: Dim = fields.size(512)
    use_qformer_text_input: bool = fields.always(False)


def asked(c: QFormerConfig, workload: Workload, b: Builder, queries: Value, seen: Value) -> Value:
    """Adds the Q-Former, whose scope the builder is in. Returns the queries (batch, queries, width) after all layers;
    `seen` is what they ask, (batch, tokens, width). Queries that are the same for all sequences, (1, queries, width),
    are so until the first layer asks.
    """
    if type(c.num_hidden_layers) is not int or type(c.cross_attention_frequency) is not int:
        raise ConfigError(
            "num_hidden_layers and cross_attention_frequency of qformer_config: its layers differ, so give numbers"
        )
    x = dropped(b, "dropout", layer_norm(b, "layernorm", queries), c.hidden_dropout_prob, workload)
    kinds = [index % c.cross_attention_frequency == 0 for index in range(c.num_hidden_layers)]
    body = partial(layer, c, workload)
    with b.scope("encoder"):
        if same(x.spec.shape[0], seen.spec.shape[0]):
            return stack(b, "layer", kinds, body, x, (seen,))
        with b.scope("layer.0"):  # it returns more than it takes, which the layers of a block do not
            x = body(kinds[0])(b, x, seen)
        return stack(b, "layer", kinds[1:], body, x, (seen,), 1)


def layer(c: QFormerConfig, workload: Workload, asks: bool) -> Callable[..., Value]:
    """Returns the body of a layer, which `asks` or sees the queries alone."""

    def body(b: Builder, x: Value, seen: Value) -> Value:
        with b.scope("attention"):
            x = attended(c, workload, b, x, x)
        if asks:
            with b.scope("crossattention"):
                x = attended(c, workload, b, x, seen)
        y = linear(b, "intermediate_query.dense", x, c.intermediate_size)
        y = activated(b, ACTIVATIONS[c.hidden_act], y, "intermediate_query.act")
        return closed(c, workload, b, "output_query", y, x)

    return body


def attended(c: QFormerConfig, workload: Workload, b: Builder, x: Value, seen: Value) -> Value:
    """Adds attention of x over what is seen, its projection and the norm."""
    width, heads = c.hidden_size, c.num_attention_heads
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads of qformer_config")
    with b.scope("attention"):
        sources = (("query", x), ("key", seen), ("value", seen))
        q, k, v = (split_heads(b, linear(b, name, source, width), heads, d_head, name[0]) for name, source in sources)
        if not same(q.spec.shape[0], k.spec.shape[0]):
            q = b.apply("expand", q, name="q_of_each", shape=(k.spec.shape[0], *q.spec.shape[1:]))
        drop = c.attention_probs_dropout_prob if workload.phase == "train" else 0
        if workload.attention == "fused":
            options: dict[str, Any] = {"dropout_p": drop} if drop else {}
            y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=False, **options)
        else:
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
            weights = dropped(b, "dropout", weights, drop, workload)
            y = b.apply("matmul", weights, v, name="values")
        y = merge_heads(b, y)
    return closed(c, workload, b, "output", y, x)


def closed(c: QFormerConfig, workload: Workload, b: Builder, name: str, y: Value, x: Value) -> Value:
    """Returns y, projected, added to x and normalized."""
    with b.scope(name):
        y = dropped(b, "dropout", linear(b, "dense", y, c.hidden_size), c.hidden_dropout_prob, workload)
        return layer_norm(b, "LayerNorm", b.apply("add", y, x, name="residual"))
