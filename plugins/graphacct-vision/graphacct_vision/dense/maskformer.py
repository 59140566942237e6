"""MaskFormer: a mask and a class of each query, from joined maps (Cheng et al., 2021, arXiv:2107.06278)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphacct_architectures.layers import linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    equal,
    fields,
    frozen,
)
from graphacct_vision.dense.masks import blocks, masks, normed_convolution
from graphacct_vision.detectors.detr import DetrConfig, decoded
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import convolution

CLASSES = ("MaskFormerModel", "MaskFormerForInstanceSegmentation")
SWIN = "maskformer-swin"
STAGES = ["stage1", "stage2", "stage3", "stage4"]
DEFAULT: dict[str, Any] = {
    **{"depths": [2, 2, 18, 2], "drop_path_rate": 0.3, "image_size": 384, "embed_dim": 128},
    **{"num_heads": [4, 8, 16, 32], "window_size": 12, "out_features": STAGES},
}
IMAGE = 384
"""The image's sides, which the files do not state: the preprocessor's."""


@frozen(kw_only=True)
class Decoder(DetrConfig):
    """The keys of the decoder, which is DETR's."""

    model_type: str = fields.choice("detr", ("detr",))


def _all_stages(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a backbone's keys; of a Swin all four stages are handed on, whatever the file says."""
    if content.get("model_type", SWIN) not in ("swin", SWIN):
        return content
    rest = {key: value for key, value in content.items() if key not in ("out_indices", "_out_indices", "model_type")}
    return {**rest, "out_features": STAGES} if content.get("model_type") == "swin" else content


@frozen(kw_only=True)
class MaskFormerConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone(SWIN, DEFAULT, renamed={"swin": SWIN}, prepare=_all_stages)
    decoder_config: Decoder | None = fields.nested(Decoder, "MaskFormer")
    fpn_feature_size: Dim = fields.size(256)
    mask_feature_size: Dim = fields.size(256)
    use_auxiliary_loss: bool = fields.flag(False)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.use_auxiliary_loss and self.architectures == CLASSES[1]:
            raise ConfigError("use_auxiliary_loss is true: the library's class reads what it then does not hand on")

    @property
    def decoder(self) -> Decoder:
        """The decoder."""
        return self.decoder_config or Decoder()


def build(config: MaskFormerConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the last map, that of masks and the queries' states; or to the classes and masks
    of the queries."""
    assert workload.image_size is not None  # the architecture declares its default
    inner = config.backbone_config.config
    pixels = b.input("pixel_values", (workload.batch, inner.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return found(config, workload, b, pixels)
    with b.scope("model"):
        _, fine, x = found(config, workload, b, pixels)
    logits = linear(b, "class_predictor", x, config.num_labels + 1)
    weights = blocks(b, "mask_embedder", x, config.decoder.d_model, config.mask_feature_size)
    return logits, masks(b, "masks", weights, fine)


def found(config: MaskFormerConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Value, Value]:
    """Returns the backbone's last map, the map of masks, and the queries' states."""
    with b.scope("pixel_level_module"):
        with b.scope("encoder"):
            handed = maps(config.backbone_config, workload, b, pixels)
        with b.scope("decoder"):
            fine = joined(config, b, handed)
    decoder, last = config.decoder, handed[-1]
    width, batch = decoder.d_model, workload.batch
    with b.scope("transformer_module"):
        x = last
        if not equal(x.spec.shape[1], width):
            x = convolution(b, "input_projection", x, width, bias=True)
        table = b.parameter("queries_embedder.weight", (decoder.num_queries, width))
        where = b.apply("reshape", table, name="query_row", shape=(1, decoder.num_queries, width))
        where = b.apply("repeat", where, name="query_positions", times=(batch, 1, 1))
        queries = b.apply("full", name="queries", shape=(batch, decoder.num_queries, width), dtype=b.dtype)
        if workload.phase == "train":  # the class has them get gradients, which nobody reads
            queries = b.apply("leaf", queries, name="queries_leaf")
        rows, columns = x.spec.shape[2:]
        places = b.apply("constant", name="positions", shape=(batch, rows * columns, width), dtype=b.dtype)
        x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
        x = b.apply("transpose", x, name="memory", dims=(1, 2))
        with b.scope("decoder"):
            return last, fine, decoded(decoder, workload, b, queries, where, x, places)


def joined(config: MaskFormerConfig, b: Builder, handed: Sequence[Value]) -> Value:
    """Returns a map of masks, of all maps joined from the smallest to the largest."""
    if len(handed) < 2:
        raise ConfigError("backbone_config hands on one map: two or more are joined")
    width = config.fpn_feature_size
    with b.scope("fpn"):
        x = b.apply("relu", normed_convolution(b, "stem", handed[-1], width, 3), name="stem.2")
        for place, side in enumerate(reversed(handed[:-1])):
            with b.scope(f"layers.{place}"):
                side = normed_convolution(b, "proj", side, width)
                x = b.apply("upsample_nearest", x, name="resized", size=side.spec.shape[2:])
                x = b.apply("add", x, side, name="joined")
                x = b.apply("relu", normed_convolution(b, "block", x, width, 3), name="block.2")
    return convolution(b, "mask_projection", x, config.mask_feature_size, 3, padding=1, bias=True)


ARCHITECTURE = Architecture(
    "maskformer",
    MaskFormerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", "hidden_size": "mask_feature_size", **fields.LABELS},
    no_cost=dict.fromkeys(
        (
            *("no_object_weight", "init_std", "init_xavier_std", "dice_weight", "cross_entropy_weight", "mask_weight"),
            *("output_auxiliary_logits", "num_attention_heads", "num_hidden_layers", "backbone", "use_timm_backbone"),
            *("use_pretrained_backbone", "backbone_kwargs", "class_cost", "bbox_cost", "giou_cost", "eos_coefficient"),
            *("mask_loss_coefficient", "dice_loss_coefficient", "bbox_loss_coefficient", "giou_loss_coefficient"),
        )
    ),
    model_types=("maskformer",),
    losses=SUM_ALONE,
    doc="MaskFormer: a mask and a class of each of DETR's queries, from joined maps of a Swin or a ResNet.",
)
