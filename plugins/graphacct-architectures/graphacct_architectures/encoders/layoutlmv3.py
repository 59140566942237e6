"""LayoutLMv3: a text with its boxes beside the patches of its page, and biases by distance in the text and on the page.

Huang et al., 2022 (arXiv:2204.08387). The tables of biases have no gradient, as in the class.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, floor_div, frozen
from graphacct_architectures.classifier import Classifier, classified
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_tokens
from graphacct_architectures.encoders.parts.layer import projected
from graphacct_architectures.layers import dropped, layer_norm, merge_heads, resident

MODEL, SEQUENCE, TOKENS, SPANS = (
    "LayoutLMv3Model",
    "LayoutLMv3ForSequenceClassification",
    "LayoutLMv3ForTokenClassification",
    "LayoutLMv3ForQuestionAnswering",
)
FEW = 10
"""Labels from which on a classifier of tokens has two projections."""


@frozen(kw_only=True)
class LayoutLMv3Config(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, SEQUENCE, TOKENS, SPANS))
    vocab_size: Dim = fields.size(50265)
    pad_token_id: Dim = fields.size(1, minimum=0)
    max_2d_position_embeddings: Dim = fields.size(1024)
    coordinate_size: Dim = fields.size(128)
    shape_size: Dim = fields.size(128)
    has_relative_attention_bias: bool = fields.flag(True)
    rel_pos_bins: Dim = fields.size(32)
    has_spatial_attention_bias: bool = fields.flag(True)
    rel_2d_pos_bins: Dim = fields.size(64)
    text_embed: bool = fields.flag(True)
    visual_embed: bool = fields.flag(True)
    input_size: Dim = fields.size(224)
    num_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(16)

    @property
    def side(self) -> Dim:
        """Patches of a side of the page."""
        return floor_div(self.input_size, self.patch_size)


def describe(config: LayoutLMv3Config) -> Encoder:
    """Returns the encoder. Raises ConfigError for a model of pages without texts."""
    if not config.text_embed:
        raise ConfigError("text_embed is False: a model of pages without texts is not read")
    return like_bert(
        config,
        "" if config.architectures == MODEL else "layoutlmv3",
        counted=True,
        usable=config.max_position_embeddings - config.pad_token_id - 1,
        causal=False,
        crossed=False,
        written_out=True,
    )


def stream(config: LayoutLMv3Config, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output: the text's tokens, and the page's class token and patches after them."""
    batch = workload.batch
    if workload.images is not None and not any(equal(workload.images, count) for count in (0, 1)):
        raise ConfigError(f"images is {workload.images}: a text has one page, or none")
    box = b.input("bbox", (batch, workload.seq_len, 4), "int64")
    x = embedded(e, workload, b, extra=lambda b, x: boxed(config, b, x, box))
    paged = config.visual_embed and not equal(workload.images or 0, 0)
    if paged:
        x = b.apply("concat", x, page(config, workload, b), name="with_page", dim=1)
        x = dropped(b, "dropout", layer_norm(b, "LayerNorm", x), e.dropout, workload)
    elif config.visual_embed:
        set_aside(config, b)
    b.hold(x)
    tables = biases(config, b, batch, x.spec.shape[1])
    return through(e, workload, b, x, *tables, attend=attend)


def boxed(config: LayoutLMv3Config, b: Builder, x: Value, box: Value) -> Value:
    """Returns tokens' rows with those of their boxes: of sides, height and width, side by side."""
    sides = [b.apply("select", box, name=f"side_{index}", dim=-1, index=index) for index in range(4)]
    count = config.max_2d_position_embeddings
    widths = {"x": config.coordinate_size, "y": config.coordinate_size, "h": config.shape_size, "w": config.shape_size}
    tables = {name: b.parameter(f"{name}_position_embeddings.weight", (count, width)) for name, width in widths.items()}
    extents = [
        b.apply("clamp", b.apply("sub", sides[far], sides[near], name=f"{name}_of_box"), name=f"{name}_clipped")
        for name, far, near in (("h", 3, 1), ("w", 2, 0))
    ]
    places = (*zip("xyxy", sides, ("", "", "_far", "_far"), strict=True), ("h", extents[0], ""), ("w", extents[1], ""))
    rows = [
        b.apply("embedding", place, tables[name], name=f"{name}_position_embeddings{far}")
        for name, place, far in places
    ]
    return b.apply("add", x, b.apply("concat", *rows, name="box", dim=-1), name="with_box")


def page(config: LayoutLMv3Config, workload: Workload, b: Builder) -> Value:
    """Returns the class token and the patches of each page, (batch, 1 + patches, width)."""
    batch, width, side = workload.batch, config.hidden_size, config.side
    pixels = b.input("pixel_values", (batch, config.num_channels, config.input_size, config.input_size))
    shape = (width, config.num_channels, config.patch_size, config.patch_size)
    weight, bias = b.parameter("patch_embed.proj.weight", shape), b.parameter("patch_embed.proj.bias", (width,))
    x = b.apply("convolution", pixels, weight, bias, name="patch_embed.proj", stride=config.patch_size)
    x = b.apply("reshape", x, name="patches", shape=(batch, width, side * side))
    x = b.apply("transpose", x, name="patch_rows", dims=(1, 2))
    token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls_tokens", shape=(batch, 1, width))
    x = b.apply("concat", token, x, name="page", dim=1)
    x = b.apply("add", x, b.parameter("pos_embed", (1, side * side + 1, width)), name="placed")
    return layer_norm(b, "norm", x)


def set_aside(config: LayoutLMv3Config, b: Builder) -> None:
    """Adds the parameters that pages are read with."""
    width, side = config.hidden_size, config.side
    shape = (width, config.num_channels, config.patch_size, config.patch_size)
    resident(
        b,
        "patch_embed.proj",
        b.parameter("patch_embed.proj.weight", shape),
        b.parameter("patch_embed.proj.bias", (width,)),
    )
    resident(b, "cls_token", b.parameter("cls_token", (1, 1, width)))
    resident(b, "pos_embed", b.parameter("pos_embed", (1, side * side + 1, width)))
    for name in ("LayerNorm", "norm"):
        resident(b, name, b.parameter(f"{name}.weight", (width,)), b.parameter(f"{name}.bias", (width,)))


def biases(config: LayoutLMv3Config, b: Builder, batch: Dim, length: Dim) -> tuple[Value, ...]:
    """Returns what is added to the scores, (batch, heads, length, length): biases by distance in the text, and those on
    the page, which layers read only beside the others."""
    heads = config.num_attention_heads

    def table(name: str, count: Dim) -> Value:
        weight = b.apply("detach", b.parameter(f"{name}.weight", (heads, count)), name=f"{name}_fixed")
        rows = b.apply("transpose", weight, name=f"{name}_rows", dims=(0, 1))
        buckets = b.apply("relative_buckets", name=f"{name}_buckets", queries=length, keys=length)
        buckets = b.apply("reshape", buckets, name=f"{name}_of_text", shape=(1, length, length))
        buckets = b.apply("expand", buckets, name=f"{name}_of_texts", shape=(batch, length, length))
        found = b.apply("embedding", buckets, rows, name=f"{name}_read")
        found = b.apply("permute", found, name=f"{name}_by_head", dims=(0, 3, 1, 2))
        return b.apply("contiguous", found, name=f"{name}_copied")

    found: list[Value] = []
    with b.scope("encoder"):
        if config.has_relative_attention_bias:
            found.append(table("rel_pos_bias", config.rel_pos_bins))
        if config.has_spatial_attention_bias:
            both = [table(f"rel_pos_{axis}_bias", config.rel_2d_pos_bins) for axis in "xy"]
            found.append(b.apply("add", *both, name="rel_2d_pos"))
    return tuple(found) if config.has_relative_attention_bias else ()


def attend(e: Encoder, workload: Workload, b: Builder, x: Value, *tables: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and the weights, of a softmax in a narrower range."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        b.hold(q, k, v)
        q = b.apply("scale", q, name="q_scaled")
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        if tables:
            added = tables[0] if len(tables) == 1 else b.apply("add", *tables, name="both_biases")
            scores = b.apply("add", scores, b.apply("scale", added, name="biases_scaled"), name="biased")
        small = b.apply("scale", scores, name="scores_divided")
        most = b.apply("amax", small, name="most", dim=-1)
        most = b.apply("reshape", most, name="most_column", shape=(*scores.spec.shape[:-1], 1))
        scores = b.apply("scale", b.apply("sub", small, most, name="below_most"), name="scores_again")
        weights = b.apply("softmax", scores, name="softmax")
        weights = dropped(b, "dropout", weights, e.attention_dropout, workload)
        return merge_heads(b, b.apply("matmul", weights, v, name="values")), (weights,)


def head(config: LayoutLMv3Config, name: str, reads: str = "tokens", **rest: Any) -> Classifier:
    """Returns two projections; `early` is the dropout before both."""
    drop = config.last_dropout
    return Classifier(
        f"{name}.out_proj",
        config.num_labels,
        reads,
        dense=f"{name}.dense",
        width=config.hidden_size,
        activation="tanh",
        early_dropout=drop,
        dropout=drop,
        **rest,
    )


def finished(
    config: LayoutLMv3Config, workload: Workload, b: Builder, x: Value, pooled: Value | None
) -> tuple[Value, ...]:
    """Returns the logits of a class: of the text, of its tokens, or of the ends of an answer among all places."""
    name = config.architectures
    if name == MODEL:
        return ()
    if name == SPANS:
        return classified(head(config, "qa_outputs", spans=True), workload, b, x)
    if name == SEQUENCE:
        first = b.apply("select", x, name="first_token", dim=1)
        return classified(head(config, "classifier", "first"), workload, b, first)
    own = b.apply("slice", x, name="text", dim=1, start=0, length=workload.seq_len)
    own = dropped(b, "text_dropout", own, config.hidden_dropout_prob, workload)
    labels = config.num_labels
    few = type(labels) is not int or labels < FEW
    plain = attrs.evolve(of_tokens(config), dropout=0.0)
    return classified(plain if few else head(config, "classifier"), workload, b, own)


BASE = encoder(
    "layoutlmv3",
    LayoutLMv3Config,
    describe,
    PresetFiles(__file__),
    doc="LayoutLMv3: a text with boxes beside the patches of its page, alone or with the head of a class.",
    configured=stream,
    finished=finished,
    always_scored=(TOKENS, SPANS),
    no_cost=dict.fromkeys(("max_rel_pos", "max_rel_2d_pos", "second_input_size")),
)
ARCHITECTURE = attrs.evolve(BASE, sizes={**BASE.sizes, "images": lambda config: 1 if config.visual_embed else 0})
