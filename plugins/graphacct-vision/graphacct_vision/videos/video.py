"""What models of videos share: cuboids of frames as tokens, and the classes."""

from __future__ import annotations

from graphacct_architectures.activations import activation
from graphacct_architectures.losses import classes
from graphacct_architectures.tower import check_image

from graphacct import Builder, ConfigError, Dim, Value, Workload, fields, frozen, has_value, prod, same


@frozen(kw_only=True)
class Video:
    """The keys that the families share and that the cost depends on."""

    architectures: str = ""
    image_size: tuple[Dim, Dim] = fields.sides(224)
    num_channels: Dim = fields.size(3)
    num_frames: Dim = fields.size(16)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures.endswith("ForVideoClassification") and classes(self.num_labels)


def given(config: Video, workload: Workload, b: Builder) -> Value:
    """Returns the input (batch, frames, channels, rows, columns). Raises ConfigError for other frames than the file's,
    whose places the model has learned."""
    image = check_image(workload.image_size, config.image_size)
    frames = workload.frames
    assert frames is not None  # the architecture declares its default
    if has_value(frames) and has_value(config.num_frames) and not same(frames, config.num_frames):
        raise ConfigError(f"frames {frames} is not num_frames {config.num_frames}, whose places the model has")
    found: Value = b.input("pixel_values", (workload.batch, frames, config.num_channels, *image))
    return found


def cuboids(b: Builder, pixels: Value, width: Dim, size: tuple[Dim, Dim, Dim]) -> Value:
    """Returns each cuboid of a video as a token, (batch, tokens, width); the builder is in the module's scope."""
    x = b.apply("permute", pixels, name="channels_first", dims=(0, 2, 1, 3, 4))
    weight = b.parameter("projection.weight", (width, x.spec.shape[1], *size))
    x = b.apply("convolution", x, weight, b.parameter("projection.bias", (width,)), name="projection", stride=size)
    batch, _, *places = x.spec.shape
    x = b.apply("reshape", x, name="flat", shape=(batch, width, prod(places)))
    found: Value = b.apply("transpose", x, name="tokens", dims=(1, 2))
    return found
