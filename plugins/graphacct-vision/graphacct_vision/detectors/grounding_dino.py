"""Grounding DINO: boxes of what a text names (Liu et al., 2023, arXiv:2303.05499)."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct_architectures.activations import activation
from graphacct_architectures.encoders.unpooled import BertKeys, words
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_vision.detectors import text_fusion
from graphacct_vision.detectors.conditional_detr import unsquashed
from graphacct_vision.detectors.deformable import BOX
from graphacct_vision.detectors.deformable_maps import GROUPS, corners, flattened, projected
from graphacct_vision.detectors.detr import ALIASES, BOX_LAYERS, NO_COST
from graphacct_vision.detectors.grounding_dino_decoder import decoded
from graphacct_vision.detectors.queries import perceptron
from graphacct_vision.parts.inner_backbone import backbone, maps

ENDS = ("Model", "ForObjectDetection")
CLASSES = tuple(f"GroundingDino{end}" for end in ENDS)
IMAGE = 800
"""The image's sides, which the files do not state: the preprocessor's shortest."""
FROZEN_NORMS = ("resnet", "rt_detr_resnet", "hgnet_v2", "textnet")
"""Backbones whose batch norms the library's class replaces."""


@frozen(kw_only=True)
class GroundingDinoConfig:
    """The keys of the published config.json that the cost depends on. Each image has one text."""

    BIASED: ClassVar[bool] = False
    """Whether each comparison of queries with words has a number to learn."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("swin", {"out_indices": [2, 3, 4]})
    text_config: BertKeys | None = fields.nested(BertKeys, "Grounding DINO")
    num_queries: Dim = fields.size(900)
    encoder_layers: int = fields.size(6)
    encoder_ffn_dim: Dim = fields.size(2048)
    encoder_attention_heads: Dim = fields.size(8)
    decoder_layers: int = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(2048)
    decoder_attention_heads: Dim = fields.size(8)
    activation_function: str = activation("relu")
    d_model: Dim = fields.size(256)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    position_embedding_type: str = fields.choice("sine", ("sine", "learned"))
    num_feature_levels: int = fields.size(4)
    encoder_n_points: Dim = fields.size(4)
    decoder_n_points: Dim = fields.size(4)
    two_stage: bool = fields.flag(True)
    max_text_len: Dim = fields.size(256)
    text_enhancer_dropout: float = fields.probability(0.0)
    fusion_droppath: float = fields.probability(0.1)
    fusion_dropout: float = fields.probability(0.0)
    embedding_init_target: bool = fields.flag(True)
    query_dim: int = fields.size(BOX)
    decoder_bbox_embed_share: bool = fields.flag(True)
    decoder_cls_embed_share: bool = fields.flag(True)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        for key in ("encoder_layers", "decoder_layers", "num_feature_levels"):
            if type(getattr(self, key)) is not int:
                raise ConfigError(f"{key} must be a number: each layer and map has a name of its own")
        exact_div(self.d_model, GROUPS, f"d_model / {GROUPS} groups")
        if not self.embedding_init_target:
            raise ConfigError("embedding_init_target is false: the library's class has no queries to begin with")
        if self.query_dim != BOX:
            raise ConfigError(f"query_dim is {self.query_dim}: queries are boxes of {BOX} numbers")
        kind = self.backbone_config.architecture.model_types[0]
        if kind in FROZEN_NORMS:
            raise DeclinedError(f"backbone_config.model_type is {kind!r}, whose norms are frozen here: not modelled")
        if self.BIASED and not self.two_stage:
            raise DeclinedError("two_stage is false, which is not modelled")
        one = self.decoder_layers == 1 and self.tie_word_embeddings and self.architectures.endswith(ENDS[1])
        if one and (self.decoder_bbox_embed_share or (self.BIASED and self.decoder_cls_embed_share)):
            raise ConfigError(
                "decoder_layers is 1: the library's class cannot tie one layer's head; set decoder_bbox_embed_share to "
                "false"
            )

    @property
    def text(self) -> BertKeys:
        """The text encoder."""
        return self.text_config or BertKeys()

    @property
    def detects(self) -> bool:
        """Whether the class has heads."""
        return self.architectures.endswith(ENDS[1])

    def owner(self, head: str, index: int, *, inside: bool) -> str:
        """Returns the path of the head's module whose tensors this one shares, empty if it has its own: the decoder's
        `inside` module of the layer, or the first's."""
        if not self.tie_word_embeddings:
            return ""
        share = self.decoder_bbox_embed_share if head == "bbox_embed" else self.decoder_cls_embed_share
        if inside and not (share and index):
            return ""
        return f"model.decoder.{head}.{0 if share else index}"


def build(config: GroundingDinoConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels and texts to the queries' states, or to their scores for words and their boxes."""
    if not config.detects:
        return (found(config, workload, b)[-1],)
    with b.scope("model"):
        states, references, text, _ = found(config, workload, b)
    logits, places = [], []
    for index, (x, reference) in enumerate(zip(states, references, strict=True)):
        bias: Any = None
        if config.BIASED:
            other = config.owner("class_embed", index, inside=False)
            bias = b.parameter(f"class_embed.{index}.bias", (), tied_to=other and f"{other}.bias")
        with b.scope(f"class_embed.{index}"):
            logits.append(compared(config, b, x, text, bias))
        y = corners(b, index, x, config.d_model, config.owner("bbox_embed", index, inside=False))
        y = b.apply("add", y, unsquashed(b, reference, f"reference_{index}"), name=f"corners_{index}")
        places.append(b.apply("sigmoid", y, name=f"boxes_{index}"))
    last = [
        b.apply("select", b.apply("stack", *parts, name=f"all_{word}"), name=word, dim=0, index=len(parts) - 1)
        for parts, word in ((logits, "logits"), (places, "pred_boxes"))
    ]
    return tuple(last)


def compared(config: GroundingDinoConfig, b: Builder, x: Value, text: Value, bias: Any = None) -> Value:
    """Returns a score of each query for each word, (batch, queries, max_text_len), in float32."""
    batch, count, _ = x.spec.shape
    seq = text.spec.shape[1]
    y = b.apply("matmul", x, b.apply("transpose", text, name="words_last", dims=(-2, -1)), name="scores")
    if bias is not None:
        y = b.apply("add", b.apply("scale", y, name="scaled"), bias, name="biased")
    padding = b.apply("constant", name="padding", shape=(batch, 1, seq), dtype="bool")
    y = b.apply("masked_fill", y, padding, name="scores_of_words")
    y = b.apply("cast", y, name="scores_wide", dtype="float32") if y.spec.dtype != "float32" else y
    if equal(seq, config.max_text_len):
        return y
    rest = b.apply("full", name="no_words", shape=(batch, count, config.max_text_len - seq), dtype="float32")
    return b.apply("concat", y, rest, name="logits", dim=-1)


def told(config: GroundingDinoConfig, workload: Workload, b: Builder) -> Value:
    """Returns the words of each text, projected. Those of a phrase see each other alone."""
    seq = workload.seq_len
    if has_value(seq) and has_value(config.max_text_len) and seq > config.max_text_len:
        raise ConfigError(f"seq_len {seq} is more than the max_text_len of {config.max_text_len} words")
    with b.scope("text_backbone"):
        text = words(config.text, workload, b, masked=True)
    return linear(b, "text_projection", text, config.d_model)


def found(config: GroundingDinoConfig, workload: Workload, b: Builder) -> tuple[list[Value], list[Value], Value, Value]:
    """Returns the states of the queries after each layer, normalized, the boxes that each layer is given, the words
    after the encoder, and the states after all layers, normalized."""
    assert workload.image_size is not None  # the architecture declares its default
    inner = config.backbone_config.config
    pixels = b.input("pixel_values", (workload.batch, inner.num_channels, *workload.image_size))
    spoken = told(config, workload, b)
    with b.scope("backbone.conv_encoder.model"):
        handed = maps(config.backbone_config, workload, b, pixels)
    sources = projected(config, b, handed, "input_proj_vision")
    sizes = [(x.spec.shape[2], x.spec.shape[3]) for x in sources]
    memory, places, hidden = flattened(config, workload, b, sources, "backbone", centred=False)
    with b.scope("encoder"):
        memory, text = text_fusion.encoded(config, workload, b, memory, spoken, places, hidden, sizes)
    table = b.parameter("query_position_embeddings.weight", (config.num_queries, config.d_model))
    target = of_batch(b, table, workload.batch, "queries")
    if config.two_stage:
        reference = chosen(config, b, memory, hidden, text, spoken, target)
    else:
        table = b.parameter("reference_points.weight", (config.num_queries, BOX))
        reference = b.apply("sigmoid", of_batch(b, table, workload.batch, "references"), name="reference")
    with b.scope("decoder"):
        states, references, x = decoded(config, workload, b, target, reference, memory, hidden, text, sizes)
    return states, references, text, x


def of_batch(b: Builder, table: Any, batch: Dim, name: str) -> Value:
    """Returns the rows of a table for each image."""
    row = b.apply("reshape", table, name=f"{name}_row", shape=(1, *table.spec.shape))
    return b.apply("repeat", row, name=name, times=(batch, 1, 1))


def chosen(
    config: GroundingDinoConfig, b: Builder, memory: Value, hidden: Value, text: Value, spoken: Value, target: Value
) -> Value:
    """Returns the boxes of the places that are most like a word, without their gradients."""
    batch, places, width = memory.spec.shape
    anchors = b.apply("constant", name="proposals", shape=(batch, places, BOX), dtype=b.dtype)
    x = b.apply("masked_fill", memory, hidden, name="memory_seen")
    outside = b.apply("constant", name="outside", shape=(batch, places, 1), dtype="bool")
    x = b.apply("masked_fill", x, outside, name="memory_inside")
    x = layer_norm(b, "enc_output_norm", linear(b, "enc_output", x, width))
    bias = b.parameter("encoder_output_class_embed.bias", ()) if config.BIASED else None
    with b.scope("encoder_output_class_embed"), b.turn(0):
        scores = compared(config, b, x, text, bias)
    boxes = b.apply("add", perceptron(b, "encoder_output_bbox_embed", x, width, BOX, BOX_LAYERS), anchors, name="boxes")
    best = b.apply("amax", scores, name="best_scores", dim=-1)
    _, index = b.apply("topk", best, name="best", k=config.num_queries, dim=1)
    index = b.apply("reshape", index, name="best_index", shape=(batch, config.num_queries, 1))
    index = b.apply("repeat", index, name="best_corners", times=(1, 1, BOX))
    boxes = b.apply("detach", b.apply("gather", boxes, index, name="best_boxes", dim=1), name="best_alone")
    with b.scope("encoder_output_class_embed"), b.turn(1):  # for a loss
        compared(config, b, target, spoken, bias)
    return b.apply("sigmoid", boxes, name="reference")


def family(name: str, config: type[GroundingDinoConfig], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    others = ("disable_custom_kernels", "positional_embedding_temperature", "two_stage_bbox_embed_share")
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: (IMAGE, IMAGE), "seq_len": lambda config: config.max_text_len},
        attention=("fused", "eager"),
        dtype="float32",
        aliases=ALIASES,
        no_cost=dict.fromkeys((*NO_COST, *others, "auxiliary_loss", "num_labels", "backbone", "use_timm_backbone")),
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
    )


ARCHITECTURE = family(
    "grounding-dino",
    GroundingDinoConfig,
    PresetFiles(__file__),
    "Grounding DINO: boxes of what a text names, from maps and a text that read each other.",
)
