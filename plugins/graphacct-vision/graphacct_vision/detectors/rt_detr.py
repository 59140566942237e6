"""RT-DETR: boxes of the best places of joined maps, refined by each layer (Zhao et al., 2023, arXiv:2304.08069)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import attrs
from graphacct_architectures.activations import activation
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    frozen,
)
from graphacct_vision.convnets.rt_detr_resnet import RTDetrResNetConfig, stages
from graphacct_vision.detectors import hybrid
from graphacct_vision.detectors.rt_detr_queries import BOX, BOX_LAYERS, chosen, decoded, flattened
from graphacct_vision.parts.layers import batch_norm, convolution
from graphacct_vision.parts.lists import indices
from graphacct_vision.parts.windows import ratio

ENDS = ("Model", "ForObjectDetection")
CLASSES = tuple(f"RTDetr{end}" for end in ENDS)
IMAGE = 640
"""The image's sides, which the files do not state: the preprocessor's."""


@frozen(kw_only=True)
class InnerResNet(RTDetrResNetConfig):
    """The backbone's keys inside the whole model."""

    model_type: str = fields.choice("rt_detr_resnet", ("rt_detr_resnet",))


@frozen(kw_only=True)
class RTDetrConfig:
    """The keys of the published config.json that the cost depends on."""

    SCALED: ClassVar[bool] = False
    """Whether each layer's attention has the points' weights as a buffer, and the class itself its heads too."""

    LAYERED: ClassVar[bool] = False
    """Whether a network's linear layers are a list of it, without dropout."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: InnerResNet | None = fields.nested(InnerResNet, "RT-DETR")
    freeze_backbone_batch_norms: bool = fields.flag(True)
    encoder_hidden_dim: int = fields.size(256)
    encoder_in_channels: tuple[Dim, ...] = fields.counts((512, 1024, 2048))
    encoder_layers: int = fields.size(1, minimum=0)
    encoder_ffn_dim: Dim = fields.size(1024)
    encoder_attention_heads: Dim = fields.size(8)
    dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    encode_proj_layers: tuple[int, ...] = indices((2,))
    encoder_activation_function: str = activation("gelu")
    activation_function: str = activation("silu")
    eval_size: object = attrs.field(default=None)
    normalize_before: bool = fields.flag(False)
    hidden_expansion: float = ratio(1.0)
    d_model: Dim = fields.size(256)
    num_queries: Dim = fields.size(300)
    decoder_in_channels: tuple[Dim, ...] = fields.counts((256, 256, 256))
    decoder_ffn_dim: Dim = fields.size(1024)
    num_feature_levels: int = fields.size(3)
    decoder_n_points: Dim = fields.size(4)
    decoder_layers: int = fields.size(6)
    decoder_attention_heads: Dim = fields.size(8)
    decoder_activation_function: str = activation("relu")
    attention_dropout: float = fields.probability(0.0)
    num_denoising: Dim = fields.size(100, minimum=0)
    learn_initial_query: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if any(type(count) is not int for count in (self.decoder_layers, self.encoder_layers, self.num_feature_levels)):
            raise ConfigError("decoder_layers, encoder_layers and num_feature_levels are integers")
        if self.learn_initial_query:
            raise ConfigError("learn_initial_query is true: the library's class cannot run such a model")
        if any(not equal(channels, self.encoder_hidden_dim) for channels in self.decoder_in_channels):
            raise ConfigError(f"decoder_in_channels are encoder_hidden_dim {self.encoder_hidden_dim} each")
        if self.num_feature_levels < len(self.decoder_in_channels):
            raise ConfigError(
                f"num_feature_levels is {self.num_feature_levels}, but decoder_in_channels has "
                f"{len(self.decoder_in_channels)} maps"
            )
        if self.num_feature_levels > len(self.decoder_in_channels) + 1 and not equal(
            self.d_model, self.encoder_hidden_dim
        ):
            raise ConfigError("with more maps than one beyond the encoder's, d_model is encoder_hidden_dim")

    @property
    def resnet(self) -> InnerResNet:
        """The backbone."""
        return self.backbone_config or InnerResNet(out_indices=(2, 3, 4))

    @property
    def channels(self) -> Dim:
        """The channels of an image."""
        return self.resnet.num_channels

    @property
    def shared_head(self) -> bool:
        """Whether all layers have the first one's head of boxes."""
        return getattr(self, "share_bbox_head", False)

    @property
    def box_numbers(self) -> Dim:
        """How many numbers a layer's head of boxes returns."""
        return BOX

    def backbone_stages(self, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
        """Returns the stages of the backbone that it hands on; the builder is in its scope."""
        every = stages(self.resnet, workload, b, pixels, frozen=self.freeze_backbone_batch_norms)
        return [every[place] for place in self.resnet.handed_on(len(self.resnet.depths))]


def build(
    config: RTDetrConfig, workload: Workload, b: Builder, find: Callable[..., Any] | None = None
) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the queries' states, or to their classes and boxes. `find` returns a family's
    queries' states, and the classes and boxes of each of its layers; RT-DETR's is `found`."""
    find = find or found
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.channels, *workload.image_size))
    if config.architectures.endswith(ENDS[0]):
        return find(config, workload, b, pixels, boxed=False)[0]
    with b.scope("model"):
        _, logits, boxes = find(config, workload, b, pixels, boxed=True)
    if config.SCALED:
        heads_again(config, b)
    last = [
        b.apply("select", b.apply("stack", *parts, name=f"all_{word}"), name=word, dim=0, index=len(parts) - 1)
        for parts, word in ((logits, "logits"), (boxes, "pred_boxes"))
    ]
    return tuple(last)


def heads_again(config: RTDetrConfig, b: Builder) -> None:
    """Adds the decoder's heads under the class's own names, which are the same tensors unless the file unties them. The
    nodes are in a scope of their own, so that a picture has one box of them."""
    width = config.d_model
    for index in range(config.decoder_layers):
        shapes = {f"class_embed.{index}": (config.num_labels, width)}
        for place in range(BOX_LAYERS):
            out = width if place + 1 < BOX_LAYERS else config.box_numbers
            shapes[f"bbox_embed.{index}.layers.{place}"] = (out, width)
        for name, shape in shapes.items():
            for part, size in (("weight", shape), ("bias", shape[:1])):
                other = f"model.decoder.{name}.{part}" if config.tie_word_embeddings else ""
                if config.shared_head and index and name.startswith("bbox_embed"):
                    first = f"{name.replace(str(index), '0', 1)}.{part}"
                    other = f"model.decoder.{first}" if config.tie_word_embeddings else first
                b.apply(
                    "resident",
                    b.parameter(f"{name}.{part}", size, tied_to=other),
                    name=f"heads_again.{name}.{part}_again",
                )


def found(
    config: RTDetrConfig, workload: Workload, b: Builder, pixels: Value, *, boxed: bool
) -> tuple[Value, list[Value], list[Value]]:
    """Returns the queries' states, and each layer's classes and boxes where they are `boxed`."""
    training = workload.phase == "train"
    maps = projected_maps(config, workload, b, pixels)
    with b.scope("encoder"):
        maps = hybrid.encoded(config, workload, b, maps)
    sources = [projected(b, f"decoder_input_proj.{place}", x, config.d_model, training) for place, x in enumerate(maps)]
    for place in range(len(sources), config.num_feature_levels):
        sources.append(projected(b, f"decoder_input_proj.{place}", maps[-1], config.d_model, training, smaller=True))
    memory, sizes = flattened(config, b, sources)
    target, reference = chosen(config, workload, b, memory)
    with b.scope("decoder"):
        return decoded(config, workload, b, target, reference, memory, sizes, boxed=boxed)


def projected_maps(config: RTDetrConfig, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
    """Returns the backbone's maps with the encoder's number of channels."""
    with b.scope("backbone.model"):
        maps = config.backbone_stages(workload, b, pixels)
    if len(maps) != len(config.encoder_in_channels) or len(maps) != len(config.decoder_in_channels):
        raise ConfigError(
            f"the backbone hands on {len(maps)} maps, encoder_in_channels has {len(config.encoder_in_channels)} and "
            f"decoder_in_channels {len(config.decoder_in_channels)}"
        )
    training = workload.phase == "train"
    return [
        projected(b, f"encoder_input_proj.{place}", x, config.encoder_hidden_dim, training)
        for place, x in enumerate(maps)
    ]


def projected(b: Builder, name: str, x: Value, width: Dim, training: bool, *, smaller: bool = False) -> Value:
    """Returns a map with other channels, or one of half the size."""
    options: dict[str, Any] = {"kernel": 3, "stride": 2, "padding": 1} if smaller else {}
    return batch_norm(b, f"{name}.1", convolution(b, f"{name}.0", x, width, **options), training=training)


def family(
    name: str, config: type[RTDetrConfig], presets: PresetFiles, doc: str, find: Callable[..., Any] | None = None
) -> Architecture:
    """Returns the architecture of a family of which its configuration class, and what finds its queries, say
    everything."""
    return Architecture(
        name,
        config,
        partial(build, find=find),
        presets,
        sizes={"image_size": lambda config: (IMAGE, IMAGE)},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={
            "torch_dtype": "dtype",
            "hidden_size": "d_model",
            "num_attention_heads": "encoder_attention_heads",
            **fields.LABELS,
        },
        no_cost=dict.fromkeys(
            (
                *("initializer_bias_prior_prob", "batch_norm_eps", "feat_strides", "positional_encoding_temperature"),
                *("label_noise_ratio", "box_noise_scale", "anchor_image_size", "disable_custom_kernels"),
                *("with_box_refine", "is_encoder_decoder", "matcher_alpha", "matcher_gamma", "matcher_class_cost"),
                *("matcher_bbox_cost", "matcher_giou_cost", "use_focal_loss", "auxiliary_loss", "focal_loss_alpha"),
                *("focal_loss_gamma", "weight_loss_vfl", "weight_loss_bbox", "weight_loss_giou", "eos_coefficient"),
                *("backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs"),
                *("decoder_offset_scale", "reg_scale", "up", "weight_loss_fgl", "weight_loss_ddf", "head_dim"),
            )
        ),
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
    )


ARCHITECTURE = family(
    "rt_detr",
    RTDetrConfig,
    PresetFiles(__file__),
    "RT-DETR: boxes of the best places of joined maps, refined by each layer.",
)
