"""DPT: dense predictions from a ViT's tokens (Ranftl et al., 2021, arXiv:2103.13413)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import patch_count, patches, tower_states
from graphacct_architectures.vit_layers import older_vit_layers

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
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_vision.dense import fusion
from graphacct_vision.dense.fusion import Fusion
from graphacct_vision.parts.backbones import places_of_stages
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import batch_norm, convolution, resized
from graphacct_vision.vits.dinov2 import interpolated

CLASSES = ("DPTModel", "DPTForDepthEstimation", "DPTForSemanticSegmentation")
HEAD, PROJECTED = 32, 256


@frozen(kw_only=True)
class DPTConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel | None = backbone("dinov2", optional=True)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(384)
    patch_size: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    is_hybrid: bool = fields.flag(False)
    qkv_bias: bool = fields.flag(True)
    backbone_out_indices: tuple[int, ...] | None = places_of_stages((2, 5, 8, 11))
    readout_type: str = fields.choice("project", ("ignore", "add", "project"))
    reassemble_factors: tuple[float, ...] = fusion.factors((4, 2, 1, 0.5))
    neck_hidden_sizes: tuple[Dim, ...] = fields.counts((96, 192, 384, 768))
    fusion_hidden_size: Dim = fields.size(256)
    head_in_index: int = attrs.field(default=-1)
    use_batch_norm_in_fusion_residual: bool = fields.flag(False)
    use_bias_in_fusion_residual: bool | None = fields.optional_flag()
    add_projection: bool = fields.flag(False)
    use_auxiliary_head: bool = fields.flag(True)
    semantic_classifier_dropout: float = fields.probability(0.1)
    pooler_output_size: Dim | None = fields.optional_size()
    pooler_act: str = activation("tanh")
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.is_hybrid:
            raise DeclinedError("is_hybrid is true: DPT whose patches are a BiT's last map is not modelled")
        if self.backbone_config is not None and self.architectures != CLASSES[1]:
            raise ConfigError(f"backbone_config is read by {CLASSES[1]} alone, not by {self.architectures}")
        fusion.check_maps(len(self.neck_hidden_sizes), reassemble_factors=self.reassemble_factors)
        count = len(self.neck_hidden_sizes)
        if type(self.head_in_index) is not int or not -count <= self.head_in_index < count:
            raise ConfigError(f"head_in_index is {self.head_in_index!r}: an index of one of {count} maps")

    @property
    def kind(self) -> Fusion:
        """How maps are fused."""
        normed = self.use_batch_norm_in_fusion_residual
        bias = not normed if self.use_bias_in_fusion_residual is None else self.use_bias_in_fusion_residual
        return Fusion(self.fusion_hidden_size, bias=bias, normed=normed)


def build(config: DPTConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to tokens and a pooled one, to depths, or to logits of each place."""
    assert workload.image_size is not None  # the architecture declares its default
    inner = config.backbone_config
    channels = config.num_channels if inner is None else inner.config.num_channels
    pixels = b.input("pixel_values", (workload.batch, channels, *workload.image_size))
    training = workload.phase == "train"
    if config.architectures == CLASSES[0]:
        x = states(config, workload, b, pixels)[-1]
        first = b.apply("select", x, name="first", dim=1)
        width = config.hidden_size if config.pooler_output_size is None else config.pooler_output_size
        pooled = linear(b, "pooler.dense", first, width)
        return x, activated(b, ACTIVATIONS[config.pooler_act], pooled, "pooler.activation")
    if inner is not None:
        with b.scope("backbone"):
            found: Sequence[Value] = maps(inner, workload, b, pixels)
    else:
        with b.scope("dpt"):
            found = states(config, workload, b, pixels)[:-1]
    fusion.check_maps(len(found), neck_hidden_sizes=config.neck_hidden_sizes)
    with b.scope("neck"):
        step = config.patch_size if inner is None else getattr(inner.config, "patch_size", config.patch_size)
        step = step[0] if isinstance(step, tuple) else step
        rows, columns = (floor_div(side, step) for side in workload.image_size)
        if inner is None or inner.architecture.name != "swinv2":
            found = [reassembled(config, b, x, (rows, columns), place) for place, x in enumerate(found)]
        fused = fusion.neck(config.kind, b, found, training)
    if config.architectures == CLASSES[1]:
        with b.scope("head"):
            return depth(config, b, fused[config.head_in_index])
    with b.scope("head.head"):
        x = segmented(config, workload, b, fused[config.head_in_index], config.semantic_classifier_dropout)
        rows, columns = x.spec.shape[2:]
        x = resized(b, "5", x, (2 * rows, 2 * columns))
    if config.use_auxiliary_head:  # its logits are in the loss alone
        with b.scope("auxiliary_head.head"):
            segmented(config, workload, b, fused[-1], 0.1)
    return x


def states(config: DPTConfig, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
    """Returns the tokens after each layer that the neck reads, and those of the last, normalized."""
    assert workload.image_size is not None
    width, step = config.hidden_size, config.patch_size
    grid = (floor_div(workload.image_size[0], step), floor_div(workload.image_size[1], step))
    if config.architectures != CLASSES[0] and all(has_value(side) for side in grid) and grid[0] != grid[1]:
        raise ConfigError(f"{config.architectures} reads {grid[0]}x{grid[1]} patches as a square: take a square image")
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, (step, step), bias=True)
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        count = patch_count(config.image_size, (step, step))
        table = b.parameter("position_embeddings", (1, count + 1, width))
        x = b.apply("add", x, interpolated(b, table, config.image_size, grid, "upsample_linear"), name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    b.hold(x)
    ends = [place + 1 for place in config.backbone_out_indices or ()]
    if any(type(end) is not int or not 0 < end <= config.num_hidden_layers for end in ends):
        raise ConfigError(f"backbone_out_indices {list(config.backbone_out_indices or ())} are indices of layers")
    if config.architectures == CLASSES[0]:
        ends = []
    with b.scope("encoder"):
        found = tower_states(older_vit_layers(config), workload, b, x, ends)
    last = layer_norm(b, "layernorm", found[config.num_hidden_layers])
    return [*(found[end] for end in sorted(ends)), last]


def reassembled(config: DPTConfig, b: Builder, x: Value, grid: tuple[Dim, Dim], place: int) -> Value:
    """Returns a layer's tokens as a map, with the class token read into each place."""
    batch, tokens, width = x.spec.shape
    shape = (batch, width, *grid)
    with b.scope("reassemble_stage"):
        token = b.apply("select", x, name=f"cls_{place}", dim=1)
        x = b.apply("slice", x, name=f"patches_{place}", dim=1, start=1, length=tokens - 1)
        x = fusion.by_place(b, x, grid, f"patches_{place}")
        if config.readout_type != "ignore":
            x = b.apply("reshape", x, name=f"flat_{place}", shape=(batch, width, tokens - 1))
        if config.readout_type == "project":
            x = b.apply("permute", x, name=f"tokens_{place}", dims=(0, 2, 1))
            each = b.apply("reshape", token, name=f"cls_row_{place}", shape=(batch, 1, width))
            each = b.apply("expand", each, name=f"cls_each_{place}", shape=(batch, tokens - 1, width))
            x = linear(b, f"readout_projects.{place}.0", b.apply("concat", x, each, name=f"both_{place}"), width)
            x = activated(b, ACTIVATIONS[config.hidden_act], x, f"readout_projects.{place}.1")
            x = b.apply("permute", x, name=f"back_{place}", dims=(0, 2, 1))
        if config.readout_type == "add":
            each = b.apply("reshape", token, name=f"cls_column_{place}", shape=(batch, width, 1))
            x = b.apply("add", x, each, name=f"with_cls_{place}")
        if config.readout_type != "ignore":
            x = b.apply("reshape", x, name=f"map_{place}", shape=shape)
        with b.scope(f"layers.{place}"):
            return fusion.rescaled(b, x, config.neck_hidden_sizes[place], config.reassemble_factors[place])


def depth(config: DPTConfig, b: Builder, x: Value) -> Value:
    """Returns the depth of each place, (batch, rows, columns)."""
    if config.add_projection:
        x = b.apply("relu", convolution(b, "projection", x, PROJECTED, 3, padding=1, bias=True), name="projected")
    half = exact_div(config.fusion_hidden_size, 2, "fusion_hidden_size / 2")
    with b.scope("head"):
        x = convolution(b, "0", x, half, 3, padding=1, bias=True)
        rows, columns = x.spec.shape[2:]
        x = resized(b, "1", x, (2 * rows, 2 * columns))
        x = b.apply("relu", convolution(b, "2", x, HEAD, 3, padding=1, bias=True), name="3")
        x = b.apply("relu", convolution(b, "4", x, 1, bias=True), name="5")
    return b.apply("reshape", x, name="predicted_depth", shape=(x.spec.shape[0], *x.spec.shape[2:]))


def segmented(config: DPTConfig, workload: Workload, b: Builder, x: Value, p: float) -> Value:
    """Returns the logits of each place of a map."""
    x = convolution(b, "0", x, config.fusion_hidden_size, 3, padding=1)
    x = b.apply("relu", batch_norm(b, "1", x, training=workload.phase == "train"), name="2")
    return convolution(b, "4", dropped(b, "3", x, p, workload), config.num_labels, bias=True)


ARCHITECTURE = Architecture(
    "dpt",
    DPTConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "image_size": lambda config: (
            config.image_size if config.backbone_config is None else config.backbone_config.config.image_size
        )
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(
        (
            *("auxiliary_loss_weight", "semantic_loss_ignore_index", "backbone_featmap_shape", "neck_ignore_stages"),
            *("backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs"),
        )
    ),
    model_types=("dpt",),
    losses=SUM_ALONE,
    doc="DPT: depths or classes of each place, from tokens of four of a ViT's layers.",
)
