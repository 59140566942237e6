"""What both MobileNets of the transformers library share: configuration keys, and a convolution padded as TensorFlow
pads it."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, linear
from graphacct_architectures.losses import classes

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, fields, frozen
from graphacct_vision.parts.layers import batch_norm, convolution
from graphacct_vision.parts.windows import ratio

ALIASES = {"torch_dtype": "dtype", **fields.LABELS}


@frozen(kw_only=True)
class MobileNet:
    """The keys that both families share and that the cost depends on."""

    SCOPE: ClassVar[str] = ""
    """The encoder's name in a class with a head."""

    architectures: str = ""
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    depth_multiplier: float = ratio(1.0)
    min_depth: int = fields.size(8)
    hidden_act: str = activation("relu6")
    tf_padding: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes for an image."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def unit(
    config: MobileNet,
    workload: Workload,
    b: Builder,
    name: str,
    x: Value,
    channels: Dim,
    kernel: int = 1,
    *,
    act: str | None = None,
    normed: bool = True,
    **options: Any,
) -> Value:
    """Applies a module `name` of a convolution, a batch norm and an activation: the file's, or `act`, none if empty."""
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    with b.scope(name):
        if config.tf_padding:
            pairs = [edges(side, kernel, stride, dilation) for side in x.spec.shape[2:]]
            x = b.apply("pad", x, name="padded", padding=tuple(pairs))
        else:
            options["padding"] = (kernel - 1) // 2 * dilation
        x = convolution(b, "convolution", x, channels, kernel, **options)
        if normed:
            x = batch_norm(b, "normalization", x, training=workload.phase == "train")
        return activated(b, ACTIVATIONS[config.hidden_act] if act is None else act, x, "activation")


def edges(side: Dim, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Returns how many zeros stand before and after a side, so that every stride has an output."""
    if type(side) is not int:
        raise ConfigError("tf_padding pads by the image's size: image_size is integers")
    missing = max(kernel - (side % stride or stride), 0)
    return missing // 2 * dilation, (missing - missing // 2) * dilation


def classified(config: MobileNet, workload: Workload, b: Builder, x: Value, dropout: float) -> Value:
    """Returns the logits of pooled channels (batch, channels)."""
    x = dropped(b, "dropout", x, dropout, workload)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def pooled(b: Builder, x: Value) -> Value:
    """Returns the mean over the image, (batch, channels)."""
    batch, channels = x.spec.shape[:2]
    x = b.apply("mean", x, name="pooler", dim=(2, 3), keepdim=True)
    return b.apply("reshape", x, name="flattened", shape=(batch, channels))
