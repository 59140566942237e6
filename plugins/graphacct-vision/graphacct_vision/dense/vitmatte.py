"""ViTMatte: how much of each pixel is in front, from a ViT and a stream of convolutions (Yao et al., 2023,
arXiv:2305.15272)."""

from __future__ import annotations

from typing import Any

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
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import batch_norm, conv_norm, convolution, resized

CLASSES = ("VitMatteForImageMatting",)
DEFAULT: dict[str, Any] = {"out_features": ["stage4"]}
MIDDLE = 16


@frozen(kw_only=True)
class VitMatteConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("vitdet", DEFAULT)
    hidden_size: Dim = fields.size(384)
    convstream_hidden_sizes: tuple[Dim, ...] = fields.counts((48, 96, 192))
    fusion_hidden_sizes: tuple[Dim, ...] = fields.counts((256, 128, 64, 32))
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if len(self.fusion_hidden_sizes) != len(self.convstream_hidden_sizes) + 1:
            raise ConfigError(
                f"fusion_hidden_sizes has {len(self.fusion_hidden_sizes)} sizes, convstream_hidden_sizes "
                f"{len(self.convstream_hidden_sizes)}: one fewer"
            )


def build(config: VitMatteConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels, with what is known of them as a channel, to how much of each is in front."""
    assert workload.image_size is not None  # the architecture declares its default
    training = workload.phase == "train"
    inner = config.backbone_config.config
    pixels = b.input("pixel_values", (workload.batch, inner.num_channels, *workload.image_size))
    with b.scope("backbone"):
        x = maps(config.backbone_config, workload, b, pixels)[-1]
    if not equal(x.spec.shape[1], config.hidden_size):
        raise ConfigError(
            f"hidden_size is {config.hidden_size}, but backbone_config's map has {x.spec.shape[1]} channels"
        )
    names = ("conv", "batch_norm")
    with b.scope("decoder"):
        fine = [pixels]
        for place, width in enumerate(config.convstream_hidden_sizes):
            options: dict[str, Any] = {"kernel": 3, "stride": 2, "padding": 1}
            name = f"convstream.convs.{place}"
            fine.append(conv_norm(b, name, fine[-1], width, training=training, parts=names, **options))
        for place, width in enumerate(config.fusion_hidden_sizes):
            rows, columns = x.spec.shape[2:]
            x = resized(b, f"fusion_{place}_doubled", x, (2 * rows, 2 * columns))
            other = fine[-1 - place]
            if not (equal(other.spec.shape[2], 2 * rows) and equal(other.spec.shape[3], 2 * columns)):
                raise ConfigError(
                    f"maps of {2 * rows}x{2 * columns} and {other.spec.shape[2]}x{other.spec.shape[3]} places are not "
                    "joined: take an image whose sides are multiples of the backbone's patch_size"
                )
            x = b.apply("concat", other, x, name=f"fusion_{place}_both", dim=1)
            name = f"fusion_blocks.{place}.conv"
            x = conv_norm(b, name, x, width, 3, training=training, parts=names, padding=1)
        with b.scope("matting_head.matting_convs"):
            x = convolution(b, "0", x, MIDDLE, 3, padding=1, bias=True)
            x = b.apply("relu", batch_norm(b, "1", x, training=training), name="2")
            x = convolution(b, "3", x, 1, bias=True)
        return b.apply("sigmoid", x, name="alphas")


ARCHITECTURE = Architecture(
    "vitmatte",
    VitMatteConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.backbone_config.config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(
        ("batch_norm_eps", "backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs")
    ),
    model_types=("vitmatte",),
    losses=SUM_ALONE,
    doc="ViTMatte: how much of each pixel is in front, from a ViT's map and a stream of convolutions.",
)
