"""Phi-4 multimodal: pictures in squares through SigLIP's tower, sounds through a conformer, Phi-4's decoder.

Abouelenin et al., 2025 (arXiv:2503.01743). The class of the transformers library has no adapters: published files
carry them beside it.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
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
    has_value,
)
from graphacct_architectures.activations import activation
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.audio.parts.phi4_audio import AudioConfig, heard
from graphacct_architectures.decoders.phi3 import Phi3Config, describe
from graphacct_architectures.layers import dropped, linear, resident
from graphacct_architectures.multimodal.parts.anyres import MOST_PIXELS
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.towers import looked
from graphacct_architectures.multimodal.siglip import VisionConfig as SiglipConfig
from graphacct_architectures.multimodal.siglip_vision import ARCHITECTURE as SIGLIP

CLASSES = ("Phi4MultimodalForCausalLM", "Phi4MultimodalModel")
FRAMES = 1000
"""Frames of ten seconds of sound."""


@frozen(kw_only=True)
class VisionConfig:
    """The tower's keys that the cost depends on."""

    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(4304)
    num_hidden_layers: Dim = fields.size(27)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: int = fields.size(448)
    patch_size: int = fields.size(14)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    crop_size: int = fields.size(448)
    feature_layer: int = fields.checked_field(lambda value, field: whole(value, field), -2)

    def __attrs_post_init__(self) -> None:
        if not all(has_value(side) for side in (self.image_size, self.patch_size, self.crop_size)):
            raise ConfigError("image_size, patch_size and crop_size are integers: pictures are cut into squares")

    @property
    def side(self) -> int:
        """Rows of a square that are read, each of two rows of patches, an odd one padded."""
        return (self.image_size // self.patch_size + 1) // 2

    @property
    def tower(self) -> SubModel:
        """SigLIP's tower of these sizes."""
        own = {
            key: getattr(self, key)
            for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_channels")
        }
        rest: dict[str, Any] = {"image_size": self.image_size, "patch_size": self.patch_size}
        rest |= {"hidden_act": self.hidden_act, "attention_dropout": self.attention_dropout}
        return SubModel(SIGLIP, SiglipConfig(**own, **rest))


def whole(value: Any, field: attrs.Attribute[Any]) -> int:
    """Returns the index of a layer."""
    if type(value) is not int:
        raise ConfigError(f"{field.name} is the index of one of the tower's layers, not {value!r}")
    return value


@frozen(kw_only=True)
class Phi4MultimodalConfig(Phi3Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vocab_size: Dim = fields.size(200064)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    embd_pdrop: float = fields.probability(0.0)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "phi4_multimodal")
    audio_config: AudioConfig | None = fields.nested(AudioConfig, "phi4_multimodal")


def crops(v: VisionConfig, workload: Workload) -> tuple[int, int]:
    """Returns the rows and columns of squares that a picture, as large as it was made to be, is cut into."""
    size = workload.image_size
    assert size is not None  # the architecture declares its default
    high, wide = size
    if type(high) is not int or type(wide) is not int or max(high, wide) > MOST_PIXELS:
        raise ConfigError(f"image_size is {high}x{wide}: it is cut into squares, so give numbers up to {MOST_PIXELS:,}")
    if high % v.crop_size or wide % v.crop_size:
        raise ConfigError(
            f"image_size is {high}x{wide}: give the size after resizing, multiples of crop_size {v.crop_size}"
        )
    rows, columns = high // v.crop_size, wide // v.crop_size
    if workload.tiles not in (None, rows * columns + 1):
        raise ConfigError(
            f"tiles is {workload.tiles}, and a picture of {high}x{wide} is {rows * columns + 1}: leave tiles out"
        )
    return rows, columns


def compose(config: Phi4MultimodalConfig, root: str) -> Composition:
    """Returns Phi-4 with pictures and sounds."""
    text = attrs.evolve(describe(config), embedding_dropout=config.embd_pdrop)
    v, a = config.vision_config or VisionConfig(), config.audio_config or AudioConfig()

    def pictures(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}embed_tokens_extend.image_embed"):
            x = seen(v, workload, b)
            x = b.apply("gelu", linear(b, "img_projection_up", x, text.width), name="img_act")
            x = linear(b, "img_projection_down", x, text.width)
            return dropped(b, "drop", x, config.embd_pdrop, workload)

    def sounds(workload: Workload, b: Builder) -> Value:
        assert workload.audios is not None  # the architecture declares its default
        with b.scope(f"{root}embed_tokens_extend.audio_embed"):
            with b.scope("encoder"):
                x = heard(a, workload, b, workload.batch * workload.audios)
            beside = workload.images is not None and not equal(workload.images, 0)
            for mode in ("speech", "vision_speech"):  # another projection beside pictures
                if (mode == "vision_speech") == beside:
                    y = b.apply("gelu", linear(b, f"up_proj_for_{mode}", x, text.width), name="act")
                    made = linear(b, f"down_proj_for_{mode}", y, text.width)
                else:
                    unread(b, f"up_proj_for_{mode}", a.hidden_size, text.width)
                    unread(b, f"down_proj_for_{mode}", text.width, text.width)
            return dropped(b, "drop", made, config.embd_pdrop, workload)

    parts = (Part("images", pictures), Part("audios", sounds))
    return Composition(text, parts, root.removesuffix("."), tied=config.tie_word_embeddings)


def unread(b: Builder, name: str, given: Dim, width: Dim) -> None:
    """Adds a projection that does not run."""
    resident(b, name, b.parameter(f"{name}.weight", (width, given)), b.parameter(f"{name}.bias", (width,)))


def seen(v: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the rows of pictures, (pictures, rows, width): four patches as one, a separator behind each line, those
    of the squares before those of the whole."""
    assert workload.images is not None  # the architecture declares its default
    high, wide = crops(v, workload)
    images, count, side, width = workload.batch * workload.images, high * wide + 1, v.side, v.hidden_size
    squares = attrs.evolve(workload, batch=images * count, image_size=(v.image_size, v.image_size))
    with b.scope("img_processor"):
        (x,) = looked(v.tower, squares, b, (v.feature_layer,))
    patches = v.image_size // v.patch_size
    x = b.apply("reshape", x, name="plane", shape=(images * count, patches, patches, width))
    x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
    if patches % 2:
        x = b.apply("reflection_pad", x, name="img_processor_padding", padding=(0, 1, 0, 1))
    x = b.apply("avg_pool", x, name="image_token_compression", kernel=2, stride=2)
    x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    x = b.apply("reshape", x, name="squares", shape=(images, count, side, side, width))
    newline = b.parameter("sub_img_feature_extensor", (1, 1, 1, width))
    parts = []
    for label, start, size in (("whole", 0, (1, 1)), ("sub", 1, (high, wide))):
        part = b.apply("slice", x, name=f"{label}_squares", dim=1, start=start, length=size[0] * size[1])
        parts.append(lined(b, label, part, size, newline))
    between = b.parameter("global_img_feature_extensor", (1, 1, width))
    each = b.apply("expand", between, name="separators", shape=(images, 1, width))
    found: Value = b.apply("concat", parts[1], each, parts[0], name="packed", dim=1)
    return found


def lined(b: Builder, label: str, x: Value, size: tuple[int, int], newline: Any) -> Value:
    """Returns squares (pictures, rows · columns, side, side, width) as one plane, line by line, each with a separator
    behind it."""
    images, _, side, _, width = x.spec.shape
    rows, columns = size
    x = b.apply("reshape", x, name=f"{label}_apart", shape=(images, rows, columns, side, side, width))
    x = b.apply("permute", x, name=f"{label}_lines", dims=(0, 1, 3, 2, 4, 5))
    x = b.apply("reshape", x, name=f"{label}_plane", shape=(images, rows * side, columns * side, width))
    line = b.apply("expand", newline, name=f"{label}_newlines", shape=(images, rows * side, 1, width))
    x = b.apply("concat", x, line, name=f"{label}_with_newlines", dim=2)
    found: Value = b.apply(
        "reshape", x, name=f"{label}_rows", shape=(images, rows * side * (columns * side + 1), width)
    )
    return found


ARCHITECTURE = attrs.evolve(
    composition(
        "phi4_multimodal",
        Phi4MultimodalConfig,
        compose,
        PresetFiles(__file__),
        classes=CLASSES,
        image_size=lambda config: ((config.vision_config or VisionConfig()).crop_size,) * 2,
        sizes={
            "seq_len": lambda config: config.max_position_embeddings,
            "tiles": lambda config: None,
            "audios": lambda config: 1,
            "frames": lambda config: FRAMES,
        },
        per_second={"frames": lambda config: 100},
        aliases=ALIASES,
        no_cost=dict.fromkeys(("original_max_position_embeddings", "chunk_size", "left_chunk", "feature_layer")),
        doc="Phi-4 multimodal: pictures in squares through SigLIP, sounds through a conformer, Phi-4's decoder.",
    ),
    inexact=None,
)
