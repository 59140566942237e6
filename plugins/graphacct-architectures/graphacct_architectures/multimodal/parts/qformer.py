"""The Q-Former: learned queries that see each other, and in some layers what they ask, with norms after each part.

Li et al., 2023 (arXiv:2301.12597).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, fields, frozen, same
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear, merge_heads, split_heads


@frozen(kw_only=True)
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


def asked(
    c: QFormerConfig, workload: Workload, b: Builder, queries: Value, seen: Value, ids: Value | None = None
) -> Value:
    """Adds the Q-Former, whose scope the builder is in. Returns the queries (batch, queries, width) after all layers;
    `seen` is what they ask, (batch, tokens, width). Queries that are the same for all sequences, (1, queries, width),
    are so until the first layer asks. With the `ids` (batch, words) of an instruction they see its words too.
    """
    if type(c.num_hidden_layers) is not int or type(c.cross_attention_frequency) is not int:
        raise ConfigError(
            "num_hidden_layers and cross_attention_frequency of qformer_config: its layers differ, so give numbers"
        )
    kinds = [index % c.cross_attention_frequency == 0 for index in range(c.num_hidden_layers)]
    if ids is not None:
        return instructed(c, workload, b, queries, seen, ids, kinds)
    x = dropped(b, "dropout", layer_norm(b, "layernorm", queries), c.hidden_dropout_prob, workload)
    body = partial(layer, c, workload)
    with b.scope("encoder"):
        if same(x.spec.shape[0], seen.spec.shape[0]):
            return stack(b, "layer", kinds, body, x, (seen,))
        with b.scope("layer.0"):  # it returns more than it takes, which the layers of a block do not
            x = body(kinds[0])(b, x, seen)
        return stack(b, "layer", kinds[1:], body, x, (seen,), 1)


def instructed(
    c: QFormerConfig, workload: Workload, b: Builder, queries: Value, seen: Value, ids: Value, kinds: list[bool]
) -> Value:
    """Returns the queries after layers in which they see an instruction's words, which have a network of their own."""
    words, count = ids.spec.shape[1], queries.spec.shape[1]
    with b.scope("embeddings"):
        x = embedding(b, "word_embeddings", ids, c.vocab_size, c.hidden_size)
        table = b.apply("constant", name="position_table", shape=(1, c.max_position_embeddings), dtype="int64")
        places = b.apply("slice", table, name="position_ids", dim=1, start=0, length=words)
        places = b.apply("clone", places, name="position_ids_copied")
        x = b.apply(
            "add",
            x,
            embedding(b, "position_embeddings", places, c.max_position_embeddings, c.hidden_size),
            name="embed",
        )
        x = b.apply("concat", queries, x, name="queries_and_words", dim=1)
        x = dropped(b, "dropout", layer_norm(b, "layernorm", x), c.hidden_dropout_prob, workload)
    with b.scope("encoder"):
        x = stack(b, "layer", kinds, partial(layer, c, workload, queries=count), x, (seen,))
    found: Value = b.apply("slice", x, name="queries", dim=1, start=0, length=count)
    return found


def layer(c: QFormerConfig, workload: Workload, asks: bool, queries: Dim | None = None) -> Callable[..., Value]:
    """Returns the body of a layer, which `asks` or sees the queries alone. With a number of `queries` the rest of the
    stream is words."""

    def body(b: Builder, x: Value, seen: Value) -> Value:
        with b.scope("attention"):
            x = attended(c, workload, b, x, x)
        words = None
        if queries is not None:
            x, words = b.apply("split", x, name="parts", sizes=(queries, x.spec.shape[1] - queries), dim=1)
        if asks:
            with b.scope("crossattention"):
                x = attended(c, workload, b, x, seen)
        y = linear(b, "intermediate_query.dense", x, c.intermediate_size)
        y = activated(b, ACTIVATIONS[c.hidden_act], y, "intermediate_query.act")
        x = closed(c, workload, b, "output_query", y, x)
        if words is None:
            return x
        y = linear(b, "intermediate.dense", words, c.intermediate_size)
        y = activated(b, ACTIVATIONS[c.hidden_act], y, "intermediate.act")
        y = closed(c, workload, b, "output", y, words)
        joined: Value = b.apply("concat", x, y, name="joined", dim=1)
        return joined

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
