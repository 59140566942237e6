"""BROS: BERT's layers whose scores also compare each query with the place of each key's box.

Hong et al., 2021 (arXiv:2108.04539).
"""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, floor_div, frozen
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_tokens
from graphacct_architectures.encoders.parts.layer import head_width, projected
from graphacct_architectures.layers import dropped, linear, merge_heads

MODEL, TOKENS, GROUPS, LINKS = (
    "BrosModel",
    "BrosForTokenClassification",
    "BrosSpadeEEForTokenClassification",
    "BrosSpadeELForTokenClassification",
)
SIDES = 8
"""Coordinates of a box's four corners, which its sides are written out as."""


@frozen(kw_only=True)
class BrosConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, TOKENS, GROUPS, LINKS))
    dim_bbox: Dim = fields.size(SIDES)
    n_relations: Dim = fields.size(1)
    classifier_dropout_prob: float = fields.probability(0.1)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input: its key, which is not the class's `classifier_dropout_prob`."""
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout

    @property
    def angles(self) -> Dim:
        """The width of one coordinate's sines and cosines."""
        return floor_div(floor_div(self.hidden_size, 4), self.dim_bbox)


def describe(config: BrosConfig) -> Encoder:
    """Returns the encoder with its pooler, which every class has. Raises ConfigError for boxes of another kind."""
    if not equal(config.dim_bbox, SIDES):
        raise ConfigError(f"dim_bbox is {config.dim_bbox}: a box has the {SIDES} coordinates of its corners")
    name = config.architectures
    return like_bert(
        config,
        "" if name == MODEL else "bros",
        causal=False,
        types_sliced=True,
        written_out=True,
        pooled=True,
        classifier=of_tokens(config) if name == TOKENS else None,
    )


def stream(config: BrosConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    places = compared(config, e, workload, b)
    b.hold(x)
    return through(e, workload, b, x, places, attend=attend)


def compared(config: BrosConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns a row (seq, seq, batch, d_head) for each pair of boxes: sines and cosines of how far their corners are
    apart, projected."""
    batch, seq = workload.batch, workload.seq_len
    assert seq is not None
    box = b.input("bbox", (batch, seq, 4), "int64")
    corners = b.apply("constant", name="corners", shape=(SIDES,), dtype="int64")
    box = b.apply("scale", b.apply("index_select", box, corners, name="box_corners", dim=-1), name="scaled_bbox")
    box = b.apply("cast", box, name="bbox_wide", dtype="float32")
    half = floor_div(config.angles, 2)
    with b.scope("bbox_embeddings"):
        box = b.apply("transpose", box, name="bbox_by_token", dims=(0, 1))
        rows = b.apply("reshape", box, name="bbox_rows", shape=(1, seq, batch, SIDES))
        columns = b.apply("reshape", box, name="bbox_columns", shape=(seq, 1, batch, SIDES))
        apart = b.apply("sub", rows, columns, name="bbox_pos")
        parts = []
        with b.scope("bbox_sinusoid_emb"):
            for index in range(SIDES):
                one = b.apply("select", apart, name=f"side_{index}", dim=-1, index=index)
                one = b.apply("reshape", one, name=f"column_{index}", shape=(seq, seq, batch, 1))
                rates = b.apply("constant", name=f"inv_freq_{index}", shape=(1, 1, 1, half), dtype="float32")
                angle = b.apply("mul", one, rates, name=f"angle_{index}")
                both = [b.apply(function, angle, name=f"{function}_{index}") for function in ("sin", "cos")]
                parts.append(b.apply("concat", *both, name=f"angles_{index}", dim=-1))
            y = b.apply("concat", *parts, name="angles", dim=-1)
        if b.dtype != "float32":
            y = b.apply("cast", y, name="angles_as_computed", dtype=b.dtype)
        return linear(b, "bbox_projection", y, head_width(e), bias=False)


def attend(e: Encoder, workload: Workload, b: Builder, x: Value, places: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and the weights; scores of keys and of their places are added."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        b.hold(q, k, v)
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        rows = b.apply("permute", places, name="places_by_text", dims=(2, 0, 1, 3))
        own = b.apply("einsum", q, rows, name="place_scores", equation="bnid,bijd->bnij")
        scores = b.apply("add", scores, own, name="both_scores")
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
        weights = dropped(b, "dropout", weights, e.attention_dropout, workload)
        return merge_heads(b, b.apply("matmul", weights, v, name="values")), (weights,)


def finished(config: BrosConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None) -> tuple[Value, ...]:
    """Returns the logits of relations between tokens, in the classes that find them; in one of them after those of the
    tokens that begin an entity."""
    if config.architectures not in (GROUPS, LINKS):
        return ()
    rows = b.apply("contiguous", b.apply("transpose", x, name="by_token", dims=(0, 1)), name="by_token_copied")
    if config.architectures == LINKS:
        return (related(config, workload, b, "entity_linker", rows),)
    width, drop = config.hidden_size, config.last_dropout
    with b.scope("initial_token_classifier"):
        y = linear(b, "1", dropped(b, "0", rows, drop, workload), width)
        y = linear(b, "3", dropped(b, "2", y, drop, workload), config.num_labels)
    y = b.apply("contiguous", b.apply("transpose", y, name="first_by_text", dims=(0, 1)), name="first_logits")
    return y, related(config, workload, b, "subsequent_token_classifier", rows)


def related(config: BrosConfig, workload: Workload, b: Builder, name: str, x: Value) -> Value:
    """Returns scores of x (seq, batch, width) of each token with each other, and with a token that stands for none."""
    seq, batch, width = x.spec.shape
    inner, count = config.n_relations * width, config.n_relations
    with b.scope(name):
        q = linear(b, "query", dropped(b, "query_drop", x, config.classifier_dropout_prob, workload), inner)
        none = b.apply("reshape", b.parameter("dummy_node", (1, width)), name="dummy", shape=(1, 1, width))
        none = b.apply("repeat", none, name="dummy_of_each_text", times=(1, batch, 1))
        keys = b.apply("concat", x, none, name="with_dummy", dim=0)
        k = linear(b, "key", dropped(b, "key_drop", keys, config.classifier_dropout_prob, workload), inner)
        q = b.apply("reshape", q, name="query_relations", shape=(seq, batch, count, width))
        k = b.apply("reshape", k, name="key_relations", shape=(seq + 1, batch, count, width))
        q = b.apply("permute", q, name="query_rows", dims=(2, 1, 0, 3))
        k = b.apply("permute", k, name="key_columns", dims=(2, 1, 3, 0))
        scores = b.apply("matmul", q, k, name="relations")
    shape = (batch, seq, seq + 1) if equal(count, 1) else (count, batch, seq, seq + 1)
    return b.apply("reshape", scores, name="relation_logits", shape=shape)


ARCHITECTURE = encoder(
    "bros",
    BrosConfig,
    describe,
    PresetFiles(__file__),
    doc="BROS: BERT's layers with scores of boxes, alone or with the head of a class.",
    configured=stream,
    finished=finished,
    always_scored=(GROUPS, LINKS),
    no_cost=dict.fromkeys(
        ("bbox_scale", "dim_bbox_sinusoid_emb_2d", "dim_bbox_sinusoid_emb_1d", "dim_bbox_projection")
    ),
)
