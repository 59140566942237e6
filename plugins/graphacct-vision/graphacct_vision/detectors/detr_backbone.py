"""The ResNet inside DETR and its relatives: the transformers library's, or timm's, which the older files name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from graphacct_architectures.activations import activation

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, fields, frozen
from graphacct_vision.convnets.hf_resnet import HFResNetConfig, stages
from graphacct_vision.timm import resnet as timm_resnet

TIMM = "timm_backbone"
STAGES = (1, 2, 3, 4)
DILATED = 16


@frozen(kw_only=True)
class BackboneConfig(HFResNetConfig):
    """The keys of a ResNet inside another model: the library's, or a name of timm's."""

    model_type: str = fields.choice("resnet", ("resnet", TIMM))
    architectures: str = fields.model_class(
        "ResNetBackbone", ("ResNetModel", "ResNetBackbone", "ResNetForImageClassification", "TimmBackbone")
    )
    backbone: Any = attrs.field(default=None)
    features_only: bool = fields.flag(True)
    use_pretrained_backbone: bool | None = fields.optional_flag()
    freeze_batch_norm_2d: bool = fields.flag(False)
    output_stride: Dim | None = fields.optional_size()


@frozen(kw_only=True)
class WithBackbone:
    """The keys that DETR and its relatives share."""

    architectures: str = ""
    backbone_config: BackboneConfig | None = fields.nested(BackboneConfig, "DETR")
    use_timm_backbone: bool | None = fields.optional_flag()
    backbone: Any = attrs.field(default=None)
    backbone_kwargs: Any = attrs.field(default=None)
    dilation: bool = fields.flag(False)
    num_channels: Dim = fields.size(3)
    num_queries: Dim = fields.size(100)
    encoder_layers: Dim = fields.size(6)
    encoder_ffn_dim: Dim = fields.size(2048)
    encoder_attention_heads: Dim = fields.size(8)
    decoder_layers: Dim = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(2048)
    decoder_attention_heads: Dim = fields.size(8)
    activation_function: str = activation("relu")
    d_model: Dim = fields.size(256)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    position_embedding_type: str = fields.choice("sine", ("sine", "learned"))
    auxiliary_loss: bool = fields.flag(False)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.backbone_kwargs is not None and not isinstance(self.backbone_kwargs, Mapping):
            raise ConfigError(f"backbone_kwargs is an object, not {brief(self.backbone_kwargs)}")
        if self.backbone_config is None and self.use_timm_backbone is False and self.backbone:
            raise ConfigError(
                f"backbone {brief(self.backbone)} is another repository's model, which is not looked up: give "
                "backbone_config with its keys"
            )
        if self.of_timm:
            timm_resnet.required(*self.timm_name)

    @property
    def of_timm(self) -> bool:
        """Whether the backbone is timm's: where the file says so, or nothing of it."""
        if self.backbone_config is not None:
            return self.backbone_config.model_type == TIMM
        return self.use_timm_backbone is not False

    @property
    def timm_name(self) -> tuple[str, str]:
        """The name of timm's model, and the key that says it."""
        key = "backbone" if self.backbone_config is None else "backbone_config.backbone"
        name = self.backbone if self.backbone_config is None else self.backbone_config.backbone
        name = "resnet50" if name is None else name
        if not isinstance(name, str):
            raise ConfigError(f"{key} is the name of a model, not {brief(name)}")
        return name, key

    @property
    def resnet(self) -> BackboneConfig:
        """The library's backbone; the last stage of a ResNet-50 where the file says nothing of it."""
        return self.backbone_config or BackboneConfig(out_features=("stage4",))

    @property
    def timm_places(self) -> tuple[int, ...]:
        """The maps of timm's backbone where the file names none."""
        return STAGES

    @property
    def channels(self) -> Dim:
        """The channels of an image."""
        return self.num_channels if self.of_timm and self.backbone_config is None else self.resnet.num_channels


def maps(config: WithBackbone, workload: Workload, b: Builder, pixels: Value, *, trained: bool = False) -> list[Value]:
    """Returns the maps that the backbone hands on; the builder is in its scope. Its norms are what they learned.
    Unless its ResNet is `trained`, the library's class trains no weight of its own, and all of timm's: it looks for
    names that neither has."""
    if not config.of_timm:
        found = stages(config.resnet, workload, b, pixels, frozen=True, trained=trained)
        return [found[place] for place in config.resnet.handed_on(len(config.resnet.depths))]
    own = config.backbone_config
    given: Mapping[str, Any] = config.backbone_kwargs or {}
    if own is None:
        places = given.get("out_indices", config.timm_places)
        stride = given.get("output_stride") or (DILATED if config.dilation else 32)
    else:
        places, stride = own.out_indices or (-1,), own.output_stride or 32
    if not isinstance(places, (list, tuple)) or not all(type(place) is int and -5 <= place < 5 for place in places):
        raise ConfigError(f"out_indices are indices of the stem and four stages, not {brief(places)}")
    if stride not in (8, DILATED, 32):
        raise ConfigError(f"output_stride is 8, 16 or 32, not {brief(stride)}")
    places = sorted(place % 5 for place in places)
    kind = attrs.evolve(timm_resnet.required(*config.timm_name), stride=stride, frozen=True)
    every = timm_resnet.maps(kind, b, pixels, places[-1])
    return [every[place] for place in places]
